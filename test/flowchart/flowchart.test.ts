import { describe, expect, it } from 'vitest';
import type { Decision } from '../../src/domain/decision.ts';
import { evaluate } from '../../src/domain/evaluate.ts';
import {
  DEFAULT_POLICY,
  type NamedPolicy,
  type PolicyKey,
  PRESETS,
  presetPolicy,
} from '../../src/domain/policy.ts';
import { resolve, situationOf } from '../../src/domain/resolve.ts';
import { type Cell, FLAG_RULES, FLAG_TABLE, type FlagRule, NUMBER_TABLE } from '../../src/domain/tables.ts';
import * as chart from '../../src/flowchart/chart.ts';
import { flowchartMermaid } from '../../src/flowchart/mermaid.ts';
import { flowchartSvg, xml } from '../../src/flowchart/svg.ts';
import { allFacts, type Facts, inputOf, NOT_A_NUMBER, NUMBER_A, NUMBER_B } from '../domain/inputs.ts';

const { flowcharts, flagEffect, litEffect, litPath, nodesOf, numberEffect } = chart;

const SILENT = { eventNumber: null, eventConsent: null, eventValid: null, optedOut: [] };
const CONSENTED: Facts = { ...SILENT, profileNumber: NUMBER_A, profileConsent: true, profileValid: true };

/** Decides, and sends the decision through JSON as the database does. */
function decide(facts: Partial<Facts>, policy = DEFAULT_POLICY): Decision {
  return JSON.parse(JSON.stringify(resolve(inputOf({ ...CONSENTED, ...facts }), policy)));
}

const preset = (name: string): NamedPolicy => presetPolicy(name) ?? DEFAULT_POLICY;
const stagesOf = (charts: readonly chart.Chart[]): readonly chart.Stage[] =>
  charts.flatMap((chart) => chart.stages);

function stage(stages: readonly chart.Stage[], rule: string): chart.Stage {
  const found = stages.find((one) => one.rule === rule);
  if (!found) throw new Error(`no stage ${rule}`);
  return found;
}

/** The node that stands for a row of a table. */
function cellNode(
  { root }: chart.Stage,
  row: { profile: string; event: string },
): chart.ChartNode | undefined {
  const to = root.branches.find((branch) => branch.answer === row.profile)?.to;
  if (to === undefined || to.kind === 'effect') return undefined;
  return to.branches.find((branch) => branch.answer === row.event)?.to;
}

/** The texts of a cell's effects, straight from the table. */
function effects<E>(cell: Cell<E>, text: (effect: E) => string): string[] {
  return 'effect' in cell ? [text(cell.effect)] : Object.values(cell.options).map(text);
}

const flagRules = Object.values(FLAG_RULES);
const numberRows = NUMBER_TABLE.map((row) => ({
  ...row,
  texts: effects(row.cell, (of) => numberEffect(of).text),
}));
const flagRows = (rule: FlagRule) =>
  FLAG_TABLE.map((row) => ({ ...row, texts: effects(row.cell, (of) => flagEffect(of, rule).text) }));
const tables = [
  { rule: 'MOBILE_NUMBER', rows: numberRows },
  ...flagRules.map((rule) => ({ rule: rule.name, rows: flagRows(rule) })),
];

describe('the chart model', () => {
  const stages = stagesOf(flowcharts({}));

  it.each(tables)('has every row of $rule with its effects, and nothing else', ({ rule, rows }) => {
    const { root } = stage(stages, rule);
    for (const row of rows) {
      const to = cellNode(stage(stages, rule), row);
      expect(to, `${row.profile} × ${row.event}`).toBeDefined();
      const leaves = to ? nodesOf(to).filter((node) => node.kind === 'effect') : [];
      expect(leaves.map((node) => node.text)).toEqual(row.texts);
      expect(to?.kind).toBe('policy' in row.cell ? 'policy' : 'effect');
    }
    const drawn = nodesOf(root).filter((node) => node.kind === 'effect').length;
    expect(drawn).toBe(rows.flatMap((row) => row.texts).length);
  });

  it('asks about opt-outs before the flags, and gives every node an id of its own', () => {
    expect(stages.map(({ rule }) => rule).join()).toBe('MOBILE_NUMBER,suppression,SMS_CONSENT,SMS_VALID');
    const ids = stages.flatMap(({ root }) => nodesOf(root).map((node) => node.id));
    expect(new Set(ids).size).toBe(ids.length);
    expect(stages.every(({ root }) => litPath(root).length === 0)).toBe(true);
  });

  it('marks the answers of the given policy, one for each question', () => {
    const policy = preset('event-first').document;
    const nodes = stagesOf(flowcharts({ policy })).flatMap(({ root }) => nodesOf(root));
    for (const node of nodes) {
      if (node.kind !== 'policy') continue;
      const inForce = node.branches.filter((branch) => branch.inForce).map(({ answer }) => answer);
      expect(inForce, node.text).toEqual([policy[node.text as PolicyKey]]);
    }
  });

  it('says what the policy answers outside of the tables', () => {
    const stages = stagesOf(flowcharts({ policy: DEFAULT_POLICY.document }));
    const said = stages.flatMap((one) => one.settings.map(({ key, answer }) => `${key}=${answer}`));
    expect(said.join()).toBe('unassigned_number=use,bind_flags_to_number=true,bind_flags_to_number=true');
    expect(stages.flatMap((one) => one.settings).every(({ text }) => text !== '')).toBe(true);
  });
});

describe('the lit path', () => {
  function expectPath(facts: Facts, policy: NamedPolicy): void {
    const { profile, event, optedOut } = inputOf(facts);
    if (!profile) throw new Error('facts have both sides');
    const sides = { profile: profile.attributes, event: event.attributes };
    const verdict = evaluate(situationOf(sides, optedOut), policy.document);
    const stages = stagesOf(flowcharts({ policy: policy.document, decision: decide(facts, policy) }));
    const answers = (rule: string): string[] => litPath(stage(stages, rule).root).map(({ answer }) => answer);

    expect(litEffect(stage(stages, 'MOBILE_NUMBER'))).toMatchObject(numberEffect(verdict.number.effect));
    for (const name of ['consent', 'validity'] as const) {
      const { effect, row, asked, reason } = verdict[name];
      const rule = FLAG_RULES[name];
      const end = litEffect(stage(stages, rule.name));
      expect(end).toMatchObject({ ...flagEffect(effect, rule), reason });
      expect(answers(rule.name)).toEqual([row.profile, row.event, ...(asked ? [asked.answer] : [])]);
    }
    expect(answers('suppression')).toEqual(
      verdict.optedOut === null ? [] : [verdict.optedOut ? 'yes' : 'no'],
    );
    expect(stages.filter(({ rule, remark }) => rule !== 'suppression' && remark !== null)).toEqual([]);
  }

  it('ends at the effect of evaluate() in every situation under strict', () => {
    for (const facts of allFacts([[]])) expectPath(facts, DEFAULT_POLICY);
  });

  it.each(Object.keys(PRESETS))('ends at the effect of evaluate() under %s, opted out or not', (name) => {
    for (const facts of allFacts([[], [NUMBER_A], [NUMBER_B]])) {
      if (facts.profileValid === null && facts.eventValid === facts.eventConsent)
        expectPath(facts, preset(name));
    }
  });

  it('shows what stood at each branch, masked, with its age', () => {
    const policy = preset('event-first');
    const decision = decide({ eventNumber: NUMBER_B, eventValid: true }, policy);
    const stages = stagesOf(flowcharts({ policy: policy.document, decision }));
    const values = stages.map(({ root }) => litPath(root).map((branch) => branch.value));
    expect(values).toEqual([
      ['profile: +1415•••0123, 8 h old', 'event: +1212•••0124, 1 s old', null],
      ['+1212•••0124'],
      ['profile: true, but for another number', null, null],
      ['profile: true, but for another number', 'event: true, 1 s old'],
    ]);
  });

  it.each([
    [59, '59 s old'],
    [600, '10 min old'],
    [7200, '2 h old'],
    [864_000, '10 days old'],
    [-5, '0 s old'],
  ])('says an age of %i seconds as %s', (seconds, text) => {
    const candidates = decide({}).candidates.map((one) => ({ ...one, age_seconds: seconds }));
    const [first] = stagesOf(flowcharts({ decision: { ...decide({}), candidates } }));
    expect(first && litPath(first.root)[0]?.value).toBe(`profile: +1415•••0123, ${text}`);
  });

  it('says that a rule was not asked', () => {
    const stages = stagesOf(flowcharts({ decision: decide({ profileNumber: null }) }));
    const { root, remark } = stage(stages, 'suppression');
    expect([litPath(root), remark]).toEqual([[], 'No number was chosen, so there is nothing to look up.']);
  });

  it('lights nothing that the tables no longer say, and says so', () => {
    const decision = decide({});
    const changed = (change: object): chart.Stage => {
      const rules = decision.rules.map((rule) => (rule.rule === 'SMS_VALID' ? { ...rule, ...change } : rule));
      return stage(stagesOf(flowcharts({ decision: { ...decision, rules } })), 'SMS_VALID');
    };
    const gone = changed({ cell: 'profile perhaps × event true' });
    expect(litEffect(gone)).toBeNull();
    expect(gone.remark).toContain('profile perhaps × event true');
    expect(changed({ result: 'block', reason: 'validity_denied' }).remark).toContain('validity_denied');
  });
});

/** Throws unless every tag is closed in order, and neither text nor attributes hold bare markup. */
function assertWellFormed(svg: string): void {
  const open: string[] = [];
  const rest = svg.replace(
    /<(\/?)([a-z]+)((?: [\w:-]+="[^"<]*")*)(\/?)>/g,
    (_, end, name, _attributes, empty) => {
      if (end) expect(name).toBe(open.pop());
      else if (!empty) open.push(name);
      return '';
    },
  );
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]|&(?!#\d+;)/);
  expect(svg).not.toMatch(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u);
}

const textOf = (svg: string): string =>
  svg.replace(/<style>.*?<\/style>/s, '').replace(/&#(\d+);/g, (_, n) => String.fromCharCode(Number(n)));

describe('the SVG', () => {
  const denied = decide({ eventNumber: NUMBER_B, profileConsent: false, eventConsent: true });

  it.each(['column', 'wide'] as const)('has every effect of every cell (%s)', (layout) => {
    const svg = textOf(flowchartSvg({ title: 'All', policy: DEFAULT_POLICY, layout }));
    for (const text of tables.flatMap(({ rows }) => rows.flatMap(({ texts }) => texts))) {
      expect(svg).toContain(`>${text}<`);
    }
  });

  it('is an image with a title and the decision in words', () => {
    const svg = flowchartSvg({ title: 'Why Ada got no text', policy: DEFAULT_POLICY, decision: denied });
    assertWellFormed(svg);
    expect(svg).toMatch(/^<svg [^>]*role="img" aria-labelledby="flow-title flow-desc">/);
    expect(svg).toContain('<title id="flow-title">Why Ada got no text</title>');
    const description = textOf(/<desc id="flow-desc">(.*?)<\/desc>/s.exec(svg)?.[1] ?? '');
    expect(description).toContain(denied.text);
    for (const rule of denied.rules) expect(description).toContain(rule.text);
    const rules = flowchartSvg({ title: 'Rules', policy: DEFAULT_POLICY });
    expect(textOf(rules)).toContain('consent_absent: suppress');
  });

  it('frames the rule that decided, and no other', () => {
    const frames = [denied, undefined, decide({})].map((decision) => {
      const svg = flowchartSvg({ title: 'x', policy: DEFAULT_POLICY, decision });
      return svg.split('class="card decides"').length - 1;
    });
    expect(frames).toEqual([1, 0, 0]);
  });

  it('says whose answers the dots show where that is not the policy that decided', () => {
    const svg = flowchartSvg({ title: 'x', policy: preset('event-first'), decision: denied });
    expect(textOf(svg)).toMatch(/Policy: strict, version 1,.*The dots show/s);
  });

  it('masks numbers, and whatever stands where a number belongs', () => {
    const policy = preset('event-first');
    const numbers = [NUMBER_A, NUMBER_B, NOT_A_NUMBER];
    for (const profileNumber of numbers) {
      for (const eventNumber of numbers) {
        const decision = decide({ profileNumber, eventNumber }, policy);
        const svg = flowchartSvg({ title: 'x', policy, decision });
        const texts = flowcharts({ policy: policy.document, decision }).map(flowchartMermaid);
        for (const number of numbers) expect(svg + texts.join('')).not.toContain(number);
        expect(textOf(svg)).not.toMatch(/\d{5}/);
      }
    }
    const lying = {
      ...denied,
      number: { value: 'Ada Lovelace', from: 'profile' } as const,
      rules: denied.rules.map((rule) => ({ ...rule, event: 'Ada Lovelace' })),
    };
    expect(flowchartSvg({ title: 'x', policy: DEFAULT_POLICY, decision: lying })).not.toContain('Lovelace');
  });

  it('is well formed whatever stands in a decision', () => {
    const hostile = '<script>alert(1)</script> "&\' ]]> \u0000\u0008\ud800 \u{1f600} ';
    const decision: Decision = {
      ...denied,
      text: hostile.repeat(40),
      policy: { name: hostile, version: 2 },
      decided_at: hostile,
      rules: denied.rules.map((rule) => ({ ...rule, cell: hostile, text: hostile, profile: hostile })),
      candidates: denied.candidates.map((one) => ({ ...one, value: hostile })),
    };
    for (const layout of ['column', 'wide'] as const) {
      const policy = { ...DEFAULT_POLICY, name: hostile };
      const svg = flowchartSvg({ title: hostile + 'W'.repeat(500), policy, decision, layout });
      assertWellFormed(svg);
      expect(svg).not.toContain('<script');
    }
    expect(xml(`a<b>&"'\u0001\udfff😀`)).toBe('a&#60;b&#62;&#38;&#34;&#39;😀');
  });

  it('keeps its rules of style to itself', () => {
    const svg = flowchartSvg({ title: 'x', policy: DEFAULT_POLICY });
    const css = /<style>(.*?)<\/style>/s.exec(svg)?.[1] ?? '';
    const selectors = css.replaceAll(/@media[^{]+\{/g, '').match(/[^{}]+(?=\{)/g) ?? [];
    expect(selectors.length).toBeGreaterThan(20);
    expect(
      selectors.flatMap((group) => group.split(',')).filter((one) => !/^\.optitext-flow /.test(one)),
    ).toEqual([]);
    expect(css).not.toMatch(/url\(|@import/);
  });
});

describe('the Mermaid text', () => {
  it('has every effect and question, and the path taken in thick lines, one for each step', () => {
    const decision = decide({ eventNumber: NUMBER_B });
    const charts = flowcharts({ policy: DEFAULT_POLICY.document, decision });
    const text = charts.map(flowchartMermaid).join('\n');
    const roots = stagesOf(charts).map(({ root }) => root);
    for (const node of roots.flatMap(nodesOf)) expect(text).toContain(node.text);
    expect(text.split(' ==>').length - 1).toBe(roots.flatMap(litPath).length);
    expect(flowcharts({}).map(flowchartMermaid).join('\n')).toContain('|"deny-wins (default)"|');
  });
});
