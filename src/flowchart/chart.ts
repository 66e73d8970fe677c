/**
 * The two flowcharts as a model, drawn from the decision tables: pictures and texts are made from this and nothing else.
 *
 * A chart is a row of stages, one for each rule, in the order in which they are asked. A stage is a tree: questions
 * branch by what a side says, policy questions by their answers, and every leaf is an effect. A state without words of
 * its own here appears under its name, so that a new row, cell or option in `tables.ts` shows up by itself.
 *
 * The path of a decision is found by the cell that its trace quotes, not by deciding again: a decision from years ago
 * lights what decided it then, and where today's tables no longer say the same, the stage says so.
 */
import type { Candidate, Decision, RuleName, RuleTrace } from '../domain/decision.ts';
import type { PolicyAnswer } from '../domain/evaluate.ts';
import { cellName } from '../domain/explain.ts';
import { maskNumber, maskRaw } from '../domain/phone.ts';
import { POLICY_OPTIONS, type Policy, type PolicyKey } from '../domain/policy.ts';
import type { Reason } from '../domain/reasons.ts';
import * as tables from '../domain/tables.ts';

/** A way out of a question: a state or a policy's answer, as the tables name it. */
export interface Branch {
  readonly answer: string;
  readonly label: string;
  /** What stood there in this decision, numbers masked, where there is more to say than the label. */
  readonly value: string | null;
  readonly lit: boolean;
  /** Of a policy's answer: whether the given policy gives it. */
  readonly inForce: boolean;
  readonly isDefault: boolean;
  /** The table's note on this row. */
  readonly note: string | null;
  readonly to: ChartNode;
}

/** A question about the inputs, or one that the tables leave to the policy; then its text is the policy's key. */
export interface QuestionNode {
  readonly kind: 'question' | 'policy';
  readonly id: string;
  readonly text: string;
  readonly branches: readonly Branch[];
}

export interface EffectNode {
  readonly kind: 'effect';
  readonly id: string;
  readonly tone: 'go' | 'stop';
  readonly text: string;
  /** As a trace names it: `use profile`, `allow`, `clear`, `block`. */
  readonly result: string;
  readonly reason: Reason | null;
}

export type ChartNode = QuestionNode | EffectNode;
type Effect = Omit<EffectNode, 'kind' | 'id'>;

/** One rule as a tree. */
export interface Stage {
  readonly rule: RuleName;
  readonly root: QuestionNode;
  /** The given policy's answers that bear on what goes into the table, so that no cell asks for them. */
  readonly settings: readonly { readonly key: string; readonly answer: string; readonly text: string }[];
  /** What the picture cannot show: that the rule was not asked, or that the tables have changed since. */
  readonly remark: string | null;
}

export interface Chart {
  readonly id: 'number' | 'permission';
  readonly title: string;
  readonly stages: readonly Stage[];
}

/** Whose answers are in force, and whose path is lit. Without a policy, all answers stand side by side. */
export interface ChartInput {
  readonly policy?: Policy | undefined;
  readonly decision?: Decision | undefined;
}

/** Both flowcharts: the number, and then consent and validity behind the suppression check. */
export function flowcharts(input: ChartInput): readonly [Chart, Chart] {
  const flags = Object.values(tables.FLAG_RULES).map((rule) => flagStage(rule, input));
  return [
    { id: 'number', title: 'Which number is used', stages: [numberStage(input)] },
    { id: 'permission', title: 'Whether it may be texted', stages: [suppressionStage(input), ...flags] },
  ];
}

/** Every node of a tree, parents before children. */
export function nodesOf(node: ChartNode): readonly ChartNode[] {
  return node.kind === 'effect' ? [node] : [node, ...node.branches.flatMap((branch) => nodesOf(branch.to))];
}

/** The lit branches of a tree from its root to the effect; empty where nothing is lit. */
export function litPath(node: ChartNode): readonly Branch[] {
  const lit = node.kind === 'effect' ? undefined : node.branches.find((branch) => branch.lit);
  return lit ? [lit, ...litPath(lit.to)] : [];
}

/** The effect at which a stage's lit path ends, or `null`. */
export function litEffect(stage: Stage): EffectNode | null {
  const end = litPath(stage.root).at(-1)?.to;
  return end?.kind === 'effect' ? end : null;
}

/** How a number's effect is called, here and in the documentation. */
export function numberEffect(effect: tables.NumberEffect): Effect {
  return 'use' in effect
    ? { tone: 'go', text: `use ${effect.use}’s number`, result: `use ${effect.use}`, reason: null }
    : blocked(effect.suppress);
}

/** How a flag's effect is called for that flag. */
export function flagEffect(effect: tables.FlagEffect, rule: tables.FlagRule): Effect {
  return effect === 'allow'
    ? { tone: 'go', text: 'allow', result: 'allow', reason: null }
    : blocked(rule.reasons[effect]);
}

function blocked(reason: Reason): Effect {
  return { tone: 'stop', text: `block: ${reason}`, result: 'block', reason };
}

/** How a number's state is called. Where the profile has no usable number, the event's has none to differ from. */
function numberWords(state: string, besideProfile = 'usable'): string {
  if (state === 'different') return besideProfile === 'usable' ? 'another one' : 'usable';
  return state === 'same' ? 'the same' : state;
}

function numberStage({ policy, decision }: ChartInput): Stage {
  const trace = traceOf(decision, 'MOBILE_NUMBER');
  const root = tableTree('MOBILE_NUMBER', tables.NUMBER_TABLE, {
    policy,
    trace,
    keyFor: (key) => key,
    words: numberWords,
    value: (side) => numberValue(side, decision),
    effect: numberEffect,
  });
  // A question that no cell asks is about what counts as a usable number, so it stands here.
  const settings = policy ? untabledKeys().map((key) => setting(key, policy[key])) : [];
  return { rule: 'MOBILE_NUMBER', root, settings, remark: remarkOn(root, trace) };
}

/** The policy's questions that no cell of the tables asks. */
function untabledKeys(): readonly PolicyKey[] {
  const numbers = tables.NUMBER_TABLE.flatMap(({ cell }) => ('policy' in cell ? [cell.policy] : []));
  const flags = Object.values(tables.FLAG_RULES).flatMap(({ keys }) => Object.values(keys));
  const asked = new Set([...numbers, ...flags]);
  return (Object.keys(POLICY_OPTIONS) as PolicyKey[]).filter((key) => !asked.has(key));
}

function suppressionStage({ decision }: ChartInput): Stage {
  const trace = traceOf(decision, 'suppression');
  const number = decision?.number ? masked(decision.number.value, true) : null;
  const branch = (answer: string, effect: Effect): Branch => {
    const lit = trace?.result === effect.result;
    const to = { kind: 'effect', id: `suppression.${answer}`, ...effect } as const;
    return { ...PLAIN, answer, label: answer, value: lit ? number : null, lit, to };
  };
  const root: QuestionNode = {
    kind: 'question',
    id: 'suppression',
    text: 'Has this number opted out?',
    branches: [
      branch('yes', blocked('opted_out')),
      branch('no', { tone: 'go', text: 'go on', result: 'clear', reason: null }),
    ],
  };
  return { rule: 'suppression', root, settings: [], remark: remarkOn(root, trace) };
}

function flagStage(rule: tables.FlagRule, { policy, decision }: ChartInput): Stage {
  const trace = traceOf(decision, rule.name);
  const root = tableTree(rule.name, tables.FLAG_TABLE, {
    policy,
    trace,
    keyFor: (key) => rule.keys[key],
    words: (state) => state,
    value: (side, state) => {
      // The cell says `missing` where a `true` was there but vouched for a number that is not used.
      if (state === 'missing' && trace?.[side] === true) return `${side}: true, but for another number`;
      const age = ageOf(candidate(decision, side, rule.name));
      return age && `${side}: ${state}, ${age}`;
    },
    effect: (effect) => flagEffect(effect, rule),
  });
  const settings = policy ? [setting('bind_flags_to_number', String(policy.bind_flags_to_number))] : [];
  return { rule: rule.name, root, settings, remark: remarkOn(root, trace) };
}

const PLAIN = { value: null, lit: false, inForce: false, isDefault: false, note: null } as const;

interface Row<E, K extends PolicyKey> {
  readonly profile: string;
  readonly event: string;
  readonly cell: tables.Cell<E, K>;
  readonly note?: string;
}

interface Reading<E, K extends PolicyKey> {
  readonly policy: Policy | undefined;
  readonly trace: RuleTrace | null;
  readonly keyFor: (key: K) => PolicyKey;
  readonly words: (state: string, besideProfile?: string) => string;
  readonly value: (side: tables.Side, state: string) => string | null;
  readonly effect: (effect: E) => Effect;
}

/** A table as a tree: what the profile says, then what the event says, then the cell. Rows keep their order. */
function tableTree<E, K extends PolicyKey>(
  name: string,
  table: readonly Row<E, K>[],
  { policy, trace, keyFor, words, value, effect }: Reading<E, K>,
): QuestionNode {
  const effectNode = (id: string, of: E): EffectNode => ({ kind: 'effect', id, ...effect(of) });
  const isLit = (row: Row<E, K>, asked: PolicyAnswer | null): boolean =>
    trace?.cell === cellName(row.profile, row.event, asked);

  const cellNode = (row: Row<E, K>, id: string): ChartNode => {
    if ('effect' in row.cell) return effectNode(id, row.cell.effect);
    const key = keyFor(row.cell.policy);
    const branches = Object.entries(row.cell.options).map(([answer, of]) => ({
      ...PLAIN,
      answer,
      label: answer,
      lit: isLit(row, { key, answer }),
      inForce: policy?.[key] === answer,
      isDefault: POLICY_OPTIONS[key][0] === answer,
      to: effectNode(`${id}.${answer}`, of),
    }));
    return { kind: 'policy', id, text: key, branches };
  };
  const rowBranch = (row: Row<E, K>): Branch => {
    const { profile, event, note = null } = row;
    const to = cellNode(row, `${name}.${profile}.${event}`);
    const lit = to.kind === 'effect' ? isLit(row, null) : litPath(to).length > 0;
    const label = words(event, profile);
    return { ...PLAIN, answer: event, label, value: lit ? value('event', event) : null, lit, note, to };
  };
  const branches = [...new Set(table.map((row) => row.profile))].map((profile): Branch => {
    const branches = table.filter((row) => row.profile === profile).map(rowBranch);
    const lit = branches.some((branch) => branch.lit);
    const to = { kind: 'question', id: `${name}.${profile}`, text: 'and in the event?', branches } as const;
    const label = words(profile);
    return { ...PLAIN, answer: profile, label, value: lit ? value('profile', profile) : null, lit, to };
  });
  return { kind: 'question', id: name, text: `${name} in the profile?`, branches };
}

const SETTING_TEXT: Readonly<Record<string, string>> = {
  'unassigned_number=use': 'a number in a range nobody has is usable',
  'unassigned_number=refuse': 'a number in a range nobody has is unusable',
  'bind_flags_to_number=true': 'a true for a number not used is missing',
  'bind_flags_to_number=false': 'a true for a number not used still counts',
};

function setting(key: string, answer: string): Stage['settings'][number] {
  return { key, answer, text: SETTING_TEXT[`${key}=${answer}`] ?? '' };
}

function traceOf(decision: Decision | undefined, name: RuleName): RuleTrace | null {
  return decision?.rules.find(({ rule }) => rule === name) ?? null;
}

/** A decision that the tables of today would not take in this way is not drawn as if they would. */
function remarkOn(root: QuestionNode, trace: RuleTrace | null): string | null {
  if (trace === null) return null;
  if (trace.result === 'not asked') return trace.text;
  const end = litPath(root).at(-1)?.to;
  if (end?.kind !== 'effect') return `Decided by a cell that the tables no longer have: ${trace.cell}.`;
  if (end.result === trace.result && end.reason === trace.reason) return null;
  return `The tables have changed since. Then, this cell gave: ${trace.result} ${trace.reason ?? ''}`.trim();
}

function numberValue(side: tables.Side, decision: Decision | undefined): string | null {
  const value = traceOf(decision, 'MOBILE_NUMBER')?.[side];
  if (typeof value !== 'string') return null;
  const one = candidate(decision, side, 'MOBILE_NUMBER');
  const age = ageOf(one);
  return `${side}: ${masked(value, one?.usable === true)}${age ? `, ${age}` : ''}`;
}

/** What is not surely a number is masked whole: it might be anything. */
function masked(value: string, usable: boolean): string {
  return usable && /^\+\d{6,15}$/.test(value) ? maskNumber(value) : maskRaw(value);
}

function candidate(decision: Decision | undefined, side: tables.Side, name: string): Candidate | undefined {
  return decision?.candidates.find(({ from, attribute }) => from === side && attribute === name);
}

/** How old a value was when it was decided upon, in the largest unit that still says something. */
function ageOf(one: Candidate | undefined): string | null {
  const seconds = one?.age_seconds;
  if (seconds == null) return null;
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s old`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min old`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h old`
    : `${Math.round(seconds / 86_400)} days old`;
}
