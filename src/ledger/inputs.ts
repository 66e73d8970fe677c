/** What profile, event and suppressions said when an event was decided, kept with it for audits and replays. */
import { type OptOuts, optedOutFor, type Purpose } from '../domain/consent-scope.ts';
import type { ResolveInput } from '../domain/resolve.ts';

interface RecordedInputs {
  readonly profile: ResolveInput['profile'];
  readonly event: ResolveInput['event'];
  readonly opted_out: readonly string[];
  /** Of these, the ones out of marketing alone. */
  readonly opted_out_of_marketing?: readonly string[];
}

/** The inputs as JSON text. Of the opt-outs, those that touch this event's candidates. */
export function recordInputs(input: Pick<ResolveInput, 'profile' | 'event'>, optOuts: OptOuts): string {
  const candidates = [
    input.profile?.attributes.MOBILE_NUMBER?.e164,
    input.event.attributes.MOBILE_NUMBER?.e164,
  ];
  const optedOut = [...new Set(candidates)].filter((number) => number != null && optOuts.has(number));
  const marketing = optedOut.filter((number) => number != null && optOuts.get(number) === 'marketing');
  const recorded = {
    profile: input.profile,
    event: input.event,
    opted_out: optedOut,
    ...(marketing.length > 0 && { opted_out_of_marketing: marketing }),
  };
  return JSON.stringify(recorded);
}

/** The inputs as they were, for a campaign of this purpose. */
export function readInputs(json: string, purpose: Purpose): Omit<ResolveInput, 'decidedAt'> {
  const recorded: RecordedInputs = JSON.parse(json);
  const { opted_out, opted_out_of_marketing = [] } = recorded;
  const optOuts: OptOuts = new Map(
    opted_out.map((number) => [number, opted_out_of_marketing.includes(number) ? 'marketing' : 'all']),
  );
  return { profile: recorded.profile, event: recorded.event, optedOut: optedOutFor(optOuts, purpose) };
}
