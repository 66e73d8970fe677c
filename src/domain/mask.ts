/** Decisions for callers who may not see whole numbers: an ingest key must not read profiles through its answers. */
import type { Candidate, Counterfactual, Decision, RuleTrace, RuleValue } from './decision.ts';
import { maskNumber, maskRaw } from './phone.ts';

/** The same decision with every number masked, also unusable ones. Plain words are masked from the start. */
export function maskDecision(decision: Decision): Decision {
  return {
    ...decision,
    number: decision.number && { ...decision.number, value: maskNumber(decision.number.value) },
    candidates: decision.candidates.map(maskCandidate),
    rules: decision.rules.map(maskRule),
    counterfactuals: decision.counterfactuals.map(maskCounterfactual),
  };
}

function maskCandidate(candidate: Candidate): Candidate {
  return candidate.attribute === 'MOBILE_NUMBER'
    ? { ...candidate, value: maskText(candidate.value) }
    : candidate;
}

function maskRule(rule: RuleTrace): RuleTrace {
  if (rule.rule !== 'MOBILE_NUMBER') return rule;
  return { ...rule, profile: maskText(rule.profile), event: maskText(rule.event) };
}

function maskCounterfactual(counterfactual: Counterfactual): Counterfactual {
  const { profile, event } = counterfactual.change;
  return {
    ...counterfactual,
    change: {
      ...counterfactual.change,
      ...(profile && { profile: maskSide(profile) }),
      ...(event && { event: maskSide(event) }),
    },
  };
}

function maskSide<T>(side: Readonly<Record<string, T>>): Record<string, T | string> {
  const number = side.MOBILE_NUMBER;
  return typeof number === 'string' ? { ...side, MOBILE_NUMBER: maskText(number) } : { ...side };
}

/** A number keeps its ends; what is none, of text, only its length. */
export function maskText<T extends RuleValue>(value: T): T | string {
  if (typeof value !== 'string') return value;
  return /^\+\d{7,15}$/.test(value) ? maskNumber(value) : maskRaw(value);
}
