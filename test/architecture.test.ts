import { describe, expect, it } from 'vitest';

const sources = import.meta.glob<string>('../src/**/*.ts', { query: '?raw', import: 'default', eager: true });
const files = Object.entries(sources).map(([path, text]) => ({ path: path.replace('../src/', ''), text }));

/** Layers from the top; a file may import from its own folder and from layers below. */
const LAYERS: readonly (readonly string[])[] = [
  ['index.ts'],
  ['app.ts'],
  ['ingress', 'callbacks', 'console', 'messages', 'sources', 'reports'],
  ['campaigns', 'profiles', 'consent', 'delivery', 'policies', 'access'],
  ['ledger', 'flowchart'],
  ['domain', 'platform'],
];

/** Imports between folders of one layer, each with its reason. */
const ALLOWED_BESIDE = new Set([
  'campaigns → policies', // a campaign names a policy that must exist
  'campaigns → access',
  'campaigns → delivery', // a campaign names its providers
  'profiles → access',
  'consent → access',
  'consent → delivery', // an inbound text is what a provider brings, and its answer goes to the outbox
  'policies → access',
  'delivery → access', // who may resume a sender
  'sources → ingress', // what a tool sent is taken in as an event like any other
]);

/** `domain` is pure: nothing of ours, no platform, no runtime; only these libraries. */
const DOMAIN_LIBRARIES = new Set(['libphonenumber-js/max', 'liquidjs']);

function imports(text: string): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
}

function resolvePath(from: string, to: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const part of to.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

const folderOf = (path: string): string => (path.includes('/') ? (path.split('/')[0] ?? '') : path);
const layerOf = (path: string): number => LAYERS.findIndex((layer) => layer.includes(folderOf(path)));

describe('the house', () => {
  it('has a layer for every file', () => {
    expect(files.filter(({ path }) => layerOf(path) === -1).map(({ path }) => path)).toEqual([]);
    expect(files.length).toBeGreaterThan(50);
  });

  it('has imports that only point down', () => {
    const wrong = files.flatMap(({ path, text }) =>
      imports(text)
        .filter((target) => target.startsWith('.'))
        .map((target) => resolvePath(path, target))
        .filter((target) => {
          const [from, to] = [folderOf(path), folderOf(target)];
          if (from === to || layerOf(target) > layerOf(path)) return false;
          return !ALLOWED_BESIDE.has(`${from} → ${to}`) && !(from === 'platform' && to === 'domain');
        })
        .map((target) => `${path} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('has no circles', () => {
    const graph = new Map(
      files.map(({ path, text }) => [
        path,
        imports(text)
          .filter((target) => target.startsWith('.') && target.endsWith('.ts'))
          .map((target) => resolvePath(path, target)),
      ]),
    );
    const done = new Set<string>();
    const visit = (path: string, trail: readonly string[]): void => {
      expect(trail, `circle: ${[...trail, path].join(' → ')}`).not.toContain(path);
      if (done.has(path)) return;
      for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
      done.add(path);
    };
    for (const path of graph.keys()) visit(path, []);
  });

  it('has files of one idea: at most 300 lines', () => {
    // Word lists are data; they grow by a line for every new wording.
    const code = files.filter(({ path }) => !path.startsWith('consent/words/'));
    const long = code.filter(({ text }) => text.split('\n').length > 300).map(({ path }) => path);
    expect(long).toEqual([]);
  });
});

describe('the domain is pure', () => {
  const domain = files.filter(({ path }) => path.startsWith('domain/'));

  it('imports nothing but its own and the libraries that it names', () => {
    const foreign = domain.flatMap(({ path, text }) =>
      imports(text)
        .filter((target) => !DOMAIN_LIBRARIES.has(target))
        .filter((target) => !target.startsWith('.') || !resolvePath(path, target).startsWith('domain/'))
        .map((target) => `${path} → ${target}`),
    );
    expect(foreign).toEqual([]);
  });

  it.each([
    ['clock', /\bDate\.now\(|new Date\(\)|performance\./],
    ['randomness', /Math\.random|crypto\./],
    ['network', /\bfetch\(/],
    ['waiting', /setTimeout|\bawait\b/],
    ['output', /\bconsole\./],
  ])('has no %s', (_, forbidden) => {
    expect(domain.filter(({ text }) => forbidden.test(text)).map(({ path }) => path)).toEqual([]);
  });
});
