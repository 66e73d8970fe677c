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
  if (decision.outcome !== 'deliver') return { decision, body: null, detail: null };

  const rendered = renderTemplate(template, data, attributes);
  if (rendered.ok) return { decision, body: rendered.body, detail: null };

  const { reason, detail } = rendered;
  const text = `${REASONS[reason]}${detail === '' ? '' : ` (${detail})`}`;
  const mend =
    reason === 'template_variable_missing'
      ? [
          {
            change: { event: { [detail]: 'a value' } },
            outcome: 'deliver',
            text: `would be sent if the event’s ${detail} had a value`,
          } as const,
        ]
      : [];
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
      counterfactuals: mend,
    },
    body: null,
    detail: detail === '' ? null : detail,
  };
}
