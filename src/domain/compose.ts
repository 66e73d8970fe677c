/** One message from one event for one campaign: the decision, and the text where there is one to send. */
import type { Decision } from './decision.ts';
import type { NamedPolicy } from './policy.ts';
import { REASONS } from './reasons.ts';
import { type ResolveInput, resolve } from './resolve.ts';
import { renderTemplate } from './template.ts';

export interface Composition {
  readonly decision: Decision;
  /** The text to send; `null` unless the outcome is `deliver`. */
  readonly body: string | null;
  /** More about the reason, such as the name of a missing variable. */
  readonly detail: string | null;
}

/**
 * Decides and renders. A text that cannot be made as written is not sent, and the decision says so with a rule of its
 * own: a customer never sees a hole where a name belongs.
 */
export function compose(
  input: ResolveInput,
  policy: NamedPolicy,
  template: string,
  data: Readonly<Record<string, unknown>>,
  attributes: Readonly<Record<string, unknown>>,
): Composition {
  const decision = resolve(input, policy);
  const rendered = renderTemplate(template, data, attributes);
  if (rendered.ok) {
    return { decision, body: decision.outcome === 'deliver' ? rendered.body : null, detail: null };
  }
  if (decision.outcome !== 'deliver')
    return { decision: withMend(decision, rendered.mend), body: null, detail: null };

  const { reason, detail, mend } = rendered;
  const text = `${REASONS[reason]}${detail === '' ? '' : ` (${detail})`}`;
  return {
    decision: {
      ...decision,
      outcome: 'suppress',
      reason,
      text: `Not sent. ${text}`,
      rules: [
        ...decision.rules,
        { rule: 'template', profile: null, event: null, cell: reason, result: 'block', reason, text },
      ],
      counterfactuals: mend
        ? [{ change: { event: mend }, outcome: 'deliver', text: `would be sent if ${hadValues(mend)}` }]
        : [],
    },
    body: null,
    detail: detail === '' ? null : detail,
  };
}

/** A refusal by the rules whose text could not be made either: what would have changed it needs the values too. */
function withMend(decision: Decision, mend: Readonly<Record<string, unknown>> | null): Decision {
  const counterfactuals = mend
    ? decision.counterfactuals.map((item) => ({
        ...item,
        change: { ...item.change, event: { ...item.change.event, ...mend } },
        text: `${item.text} and ${hadValues(mend)}`,
      }))
    : [];
  return { ...decision, counterfactuals };
}

function hadValues(mend: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(mend);
  return `the event’s ${names.join(' and ')} had ${names.length === 1 ? 'a value' : 'values'}`;
}
