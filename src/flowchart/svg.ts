/**
 * The flowcharts as one SVG: self-contained, readable on a phone, on a slide and on paper, by eye and by ear.
 *
 * Drawn by hand as an indented tree with elbow connectors. A layout library would give the usual wide diagram, which a
 * phone shrinks until nobody can read it, and would weigh more than the rest of the domain. An indented tree keeps its
 * width, so the layout is one cursor moving down, and a new row in the tables makes the picture longer, nothing else.
 *
 * The lit path is told apart by line width, dashes, weight and fill as well as by colour. Text widths are estimated
 * for a wide font, since a Worker has none to measure with; what would still be too wide is squeezed.
 */
import type { Decision } from '../domain/decision.ts';
import { policyLabel } from '../domain/explain.ts';
import type { NamedPolicy } from '../domain/policy.ts';
import * as chart from './chart.ts';

export interface SvgInput {
  readonly title: string;
  /** The policy whose answers are marked; beside a decision, the one that the decision names. */
  readonly policy: NamedPolicy;
  readonly decision?: Decision | undefined;
  /** `column` (default) for phones and pages, `wide` for slides and landscape paper. */
  readonly layout?: 'column' | 'wide' | undefined;
}

type Drawing = { readonly body: string; readonly height: number };

const CARD = 416;
const GAP = 9;
/** Where the boxes of a card end, and from where to where its column of effects reaches. */
const RIGHT = CARD - 10;
const PILL = 194;
const PILL_END = RIGHT - 8;
/** The size that bold text of 14 px comes to, for measuring. */
const BOLD = 15.7;
const LEGEND =
  'Every rule is asked; the first one that blocks is the reason. If none blocks, the text is made from its template and sent. A hexagon is a question that the policy answers; the filled dot is its answer.';

/** Draws both flowcharts. The same input gives the same picture. */
export function flowchartSvg({ title, policy, decision, layout = 'column' }: SvgInput): string {
  const stages = chart.flowcharts({ policy: policy.document, decision }).flatMap(({ stages }) => stages);
  const cards = stages.map((stage, i) => stageCard(stage, i, decision));
  // Side by side, the short suppression check stands under the number: three columns of about one height.
  const columns = layout === 'wide' ? [cards.slice(0, 2), ...cards.slice(2).map((card) => [card])] : [cards];
  const width = columns.length * (CARD + GAP) + GAP;
  const head = heading(title, policy, decision, width - 2 * GAP);
  const top = head.height + 2 * GAP;
  const parts = [place(GAP, GAP, head.body)];
  let bottom = top;
  columns.forEach((column, c) => {
    let y = top;
    column.forEach((card, r) => {
      parts.push(place(GAP + c * (CARD + GAP), y, card.body));
      if (r > 0) parts.push(`<path class="m" d="M${GAP + 15} ${y - 13}h18l-9 9z"/>`);
      y += card.height + 2 * GAP;
    });
    bottom = Math.max(bottom, y);
  });
  const foot = legend(decision !== undefined, width - 2 * GAP);
  parts.push(place(GAP, bottom, foot.body));
  const height = bottom + foot.height + GAP;
  return `<svg xmlns="http://www.w3.org/2000/svg" class="optitext-flow" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="flow-title flow-desc"><title id="flow-title">${xml(title)}</title><desc id="flow-desc">${xml(description(policy, decision))}</desc><style>${STYLE}</style><rect class="page" width="${width}" height="${height}"/>${parts.join('')}</svg>`;
}

/** Text for XML: markup escaped, and characters that XML 1.0 forbids taken out. */
export function xml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '')
    .replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** The whole picture in words. A decision's texts are masked where they are made. */
function description(policy: NamedPolicy, decision: Decision | undefined): string {
  if (decision) {
    const rules = decision.rules.map((rule) => `${rule.rule}: ${rule.text}`);
    return [decision.text, `Policy: ${policyLabel({ ...policy, ...decision.policy })}.`, ...rules].join(' ');
  }
  const { attestation: _, ...answers } = policy.document;
  const said = Object.entries(answers).map(([key, answer]) => `${key}: ${answer}`);
  return `How profile and event are resolved under the policy ${policyLabel(policy)}. ${said.join('; ')}.`;
}

/** Title, policy, and the decision in one sentence. */
function heading(title: string, policy: NamedPolicy, decision: Decision | undefined, width: number): Drawing {
  let y = 0;
  const write = (text: string, cls: string, size: number, x: number): string => {
    const lines = wrap(text, width - 2 * x, cls === 'm' ? size : size * 1.12);
    const from = y + size + 2;
    y += lines.length * (size + 7);
    return lines.map((line, i) => label(x, from + i * (size + 7), line, cls)).join('');
  };
  const { name, version } = decision?.policy ?? policy;
  const other = name !== policy.name || version !== policy.version;
  const decided = Date.parse(decision?.decided_at ?? '');
  const when = Number.isNaN(decided)
    ? ''
    : `, on ${new Date(decided).toISOString().slice(0, 16).replace('T', ' at ')} UTC`;
  const policyText = `Policy: ${policyLabel({ ...policy, name, version })}${when}.`;
  const dots = other ? ` The dots show ${policyLabel(policy)}.` : '';
  const top = write(title.slice(0, 200), 'title', 20, 2) + write(policyText + dots, 'm', 14, 2);
  if (!decision) return { body: top, height: y };
  const from = y + 6;
  y = from + 8;
  const said = write(decision.text.slice(0, 600), 'said', 16, 16);
  y += 8;
  const tone = decision.outcome === 'deliver' ? 'go' : 'stop';
  const frame = `<rect class="verdict ${tone}" x="1" y="${from}" width="${width - 2}" height="${y - from}" rx="10"/>`;
  return { body: top + frame + said, height: y };
}

function legend(hasDecision: boolean, width: number): Drawing {
  const path = hasDecision ? ' The thick, unbroken line is the path that this decision took.' : '';
  const lines = wrap(`${LEGEND}${path}`, width - 4, 14);
  return {
    body: lines.map((line, i) => label(2, 14 + i * 20, line, 'm')).join(''),
    height: lines.length * 20,
  };
}

/** One rule: its header with the result, the tree, and what the tree cannot show. */
function stageCard(stage: chart.Stage, index: number, decision: Decision | undefined): Drawing {
  const under: string[] = [];
  const lit: string[] = [];
  const over: string[] = [];
  const dim = decision ? 'dim' : '';
  const way = (isLit: boolean, d: string, tip = ''): void => {
    const arrow = tip && `<path class="tip ${isLit ? 'lit' : dim}" d="M${tip}l-8-4.5v9z"/>`;
    (isLit ? lit : under).push(`<path class="way ${isLit ? 'lit' : dim}" d="${d}"/>${arrow}`);
  };
  const hexagon = (x: number, at: number, isLit: boolean): string =>
    `<path class="hub ${isLit ? 'lit' : ''}" d="M${x - 8} ${at}l4-7h8l4 7l-4 7h-8z"/>`;
  const box = (kind: string, x: number, top: number, bottom: number, isLit: boolean): string =>
    `<rect class="${kind} ${isLit ? 'lit' : ''}" x="${x}" y="${top}" width="${RIGHT - x}" height="${bottom - top}" rx="8"/>`;
  let y = 82;

  const leaf = (branch: chart.Branch, to: chart.EffectNode, x: number, mid: number, quiet = dim): void => {
    const weight = branch.lit ? 'b' : branch.inForce ? '' : quiet;
    over.push(label(x, mid + 5, branch.label, weight, PILL - 10 - x));
    const from = x + 5 + textWidth(branch.label, branch.lit ? BOLD : 14);
    way(branch.lit, `M${from} ${mid}H${PILL - 7}`, `${PILL - 1} ${mid}`);
    over.push(pill(to, mid - 12, branch.lit ? 'lit' : quiet));
  };
  const value = (branch: chart.Branch, x: number): void => {
    if (branch.value === null) return;
    over.push(label(x, y + 13, branch.value, 'value', RIGHT - x - 6));
    y += 22;
  };
  /** The line on which the branches of a node hang, and along it the lit one. */
  const trunk = (node: chart.QuestionNode, x: number, row: (branch: chart.Branch) => number): void => {
    const from = y;
    for (const branch of node.branches) {
      const mid = row(branch);
      way(false, `M${x} ${from}V${mid}`);
      if (branch.lit) way(true, `M${x} ${from}V${mid}`);
    }
  };
  const tree = (node: chart.QuestionNode, x: number): void =>
    trunk(node, x, (branch) => {
      const { to, lit: isLit } = branch;
      const top = y + 4;
      const mid = top + 14;
      y = top + 28;
      if (to.kind === 'effect') {
        way(isLit, `M${x} ${mid}h13`);
        leaf(branch, to, x + 19, mid);
        value(branch, x + 19);
        return mid;
      }
      way(isLit, `M${x} ${mid}h7`, `${x + 13} ${mid}`);
      over.push(label(x + 24, mid + 5, branch.label, 'b', RIGHT - x - 30));
      const after = x + 32 + textWidth(branch.label, BOLD);
      value(branch, x + 24);
      if (to.kind === 'question') {
        over.push(label(after, mid + 5, to.text, 'm', RIGHT - after - 6));
        under.push(box('ask', x + 14, top, y, isLit));
        tree(to, x + 28);
        return mid;
      }
      over.push(hexagon(x + 32, y + 7, isLit));
      over.push(label(x + 46, y + 12, `policy: ${to.text}`, 'p', RIGHT - x - 52));
      y += 14;
      trunk(to, x + 32, (answer) => {
        const at = y + 15;
        over.push(`<circle class="dot ${answer.inForce ? 'on' : ''}" cx="${x + 32}" cy="${at}" r="6"/>`);
        if (answer.to.kind === 'effect') leaf(answer, answer.to, x + 46, at, answer.inForce ? dim : 'dim');
        y += 28;
        return at;
      });
      y += 6;
      under.unshift(box('policy', x + 14, top, y, isLit));
      return mid;
    });

  const end = chart.litEffect(stage);
  over.push(`<circle class="badge" cx="22" cy="25" r="12"/>${label(18, 30, String(index + 1), 'on b')}`);
  over.push(label(40, 30, stage.rule, 'rule', (end ? PILL : RIGHT) - 42));
  if (end) over.push(pill(end, 13, 'lit'));
  over.push(box('ask', 10, 48, 82, end !== null), label(24, 70, stage.root.text, 'b', RIGHT - 40));
  tree(stage.root, 24);
  y += 6;
  for (const { key, answer, text } of stage.settings) {
    over.push(hexagon(24, y + 14, false));
    over.push(label(42, y + 19, `policy: ${key}: ${answer}`, 'p', RIGHT - 48));
    over.push(label(42, y + 38, text, 'm', RIGHT - 48));
    y += 38;
  }
  for (const line of stage.remark ? wrap(stage.remark.slice(0, 300), RIGHT - 28, BOLD) : []) {
    y += 19;
    over.push(label(14, y + 4, line, 'b'));
  }
  y += 14;
  const decides = decision?.rules.find((rule) => rule.reason !== null)?.rule === stage.rule;
  const card = `<rect class="card ${decides ? 'decides' : ''}" x="1" y="1" width="${CARD - 2}" height="${y - 2}" rx="12"/>`;
  return { body: [card, ...under, ...lit, ...over].join(''), height: y };
}

/** An effect, with a tick or a cross: colour alone says nothing to some, and nothing on paper. */
function pill(effect: chart.EffectNode, y: number, cls: string): string {
  const mark = effect.tone === 'go' ? 'm0 0l4 4l7-8' : 'm1-4l8 8m0-8l-8 8';
  return `<g class="pill ${effect.tone} ${cls}"><rect x="${PILL}" y="${y}" width="${PILL_END - PILL}" height="24" rx="12"/><path d="M${PILL + 10} ${y + 12}${mark}"/>${label(PILL + 26, y + 17, effect.text, '', PILL_END - PILL - 30)}</g>`;
}

/** One line of text; squeezed where it would be wider than `max` even in a wide font. */
function label(x: number, y: number, text: string, cls: string, max = Number.POSITIVE_INFINITY): string {
  const size = cls === 'rule' || cls === 'value' || cls.startsWith('b') ? BOLD : 14;
  const squeeze = textWidth(text, size) > max ? ` textLength="${max}" lengthAdjust="spacingAndGlyphs"` : '';
  return `<text class="${cls}" x="${x}" y="${y}"${squeeze}>${xml(text)}</text>`;
}

const place = (x: number, y: number, body: string): string =>
  `<g transform="translate(${x} ${y})">${body}</g>`;

/** The width of a text in a wide sans serif (DejaVu, Verdana), so that every other font fits too. Bold: a size more. */
function textWidth(text: string, size: number): number {
  let em = 0;
  for (const char of text) {
    if (/[iIjl.,:;'’|! ]/.test(char)) em += 0.33;
    else if (/[frt()[\]_-]/.test(char)) em += 0.42;
    else if (/[mwMW@%&—…]/.test(char)) em += 0.98;
    else em += /[A-Z]/.test(char) ? 0.72 : char < '\u2e80' ? 0.61 : 1.1;
  }
  return Math.ceil(em * size);
}

/** Breaks a text into lines at blanks, and inside a word only where it is wider than a line. */
function wrap(text: string, max: number, size: number): string[] {
  const lines = [''];
  for (const word of text.split(/(?<=\s)/)) {
    if (textWidth((lines.at(-1) ?? '') + word.trimEnd(), size) > max) lines.push('');
    for (const char of word) {
      if (textWidth((lines.at(-1) ?? '') + char, size) > max && char !== ' ') lines.push('');
      lines[lines.length - 1] += char;
    }
  }
  return lines.map((line) => line.trim()).filter(Boolean);
}

/** Each colour in light and in dark. Text colours keep a contrast of at least 4.5 on what lies behind them. */
const COLOURS = {
  page: ['#eef1f6', '#0b111a'],
  card: ['#ffffff', '#151e2c'],
  rim: ['#d3dae5', '#2b384c'],
  ink: ['#131c2b', '#eaf0f8'],
  muted: ['#556377', '#a5b3c6'],
  line: ['#97a3b4', '#607086'],
  lit: ['#1f4fd8', '#8ab4ff'],
  glow: ['#e1eaff', '#1d3164'],
  go: ['#0b6b3f', '#6fdda3'],
  goBack: ['#e2f5ea', '#12352a'],
  stop: ['#a8201a', '#ff9d94'],
  stopBack: ['#fdeae8', '#421d20'],
  policy: ['#6a35b5', '#c9a8ff'],
  policyBack: ['#f8f4fe', '#221b36'],
} as const;

function rules(scheme: 0 | 1): string {
  const c = (name: keyof typeof COLOURS): string => COLOURS[name][scheme];
  const tone = (name: 'go' | 'stop'): string =>
    `.${name} rect,rect.${name}{fill:${c(`${name}Back`)};stroke:${c(name)}}.${name} path{stroke:${c(name)}}.pill.${name}.lit rect{fill:${c(name)}}`;
  return `.page{fill:${c('page')}}.card{fill:${c('card')};stroke:${c('rim')}}.decides{stroke:${c('stop')}}
text{fill:${c('ink')}}.m{fill:${c('muted')}}.p{fill:${c('policy')}}.value{fill:${c('lit')}}.on{fill:${c('card')}}.badge{fill:${c('ink')}}
.way{stroke:${c('line')}}.tip{fill:${c('line')}}.way.lit{stroke:${c('lit')}}.tip.lit{fill:${c('lit')}}
.ask{fill:${c('page')};stroke:${c('line')}}.policy{fill:${c('policyBack')};stroke:${c('policy')}}.ask.lit,.policy.lit{fill:${c('glow')};stroke:${c('lit')}}
.hub,.dot{fill:${c('card')};stroke:${c('policy')}}.hub.lit,.dot.on{fill:${c('policy')}}${tone('go')}${tone('stop')}
.pill.dim rect{fill:${c('card')};stroke:${c('line')}}.dim text,text.dim{fill:${c('muted')}}.pill.lit text{fill:${c('card')}}.pill.lit path{stroke:${c('card')}}`;
}

const BASE = `text{font:400 14px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.title{font-size:20px;font-weight:700}.said{font-size:16px;font-weight:700}.rule{font-size:14.5px;font-weight:700}.b,.value{font-weight:700}
.way,.pill path{fill:none;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}.way.dim{stroke-dasharray:1 4}.way.lit{stroke-width:3.5}
.pill path{stroke-width:2}.card,.verdict,.ask,.policy,.hub,.dot{stroke-width:1.5}.decides,.ask.lit,.policy.lit{stroke-width:3}.pill.lit rect{stroke-width:3}`;

/** Keeps the rules inside the picture where it stands in a page. */
const scoped = (css: string): string =>
  css.replace(/\s*([^{}]+)(?=\{)/g, (_, all: string) => all.replace(/(?<=^|,)/g, '.optitext-flow '));
const DARK = `@media (prefers-color-scheme:dark){${scoped(rules(1))}}`;
const STYLE = `${scoped(BASE + rules(0))}${DARK}@media print{${scoped(rules(0))}}`;
