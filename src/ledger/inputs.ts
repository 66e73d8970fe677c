/** What profile, event and suppressions said when an event was decided, kept with it for audits and replays. */
import type { ResolveInput } from '../domain/resolve.ts';

interface RecordedInputs {
  readonly profile: ResolveInput['profile'];
  readonly event: ResolveInput['event'];
  readonly opted_out: readonly string[];
}

/** The inputs as JSON text. Of the opt-outs, those that touch this event's candidates. */
export function recordInputs(input: ResolveInput): string {
  const candidates = [
    input.profile?.attributes.MOBILE_NUMBER?.e164,
    input.event.attributes.MOBILE_NUMBER?.e164,
  ];
  const optedOut = candidates.filter((number) => number != null && input.optedOut.has(number));
  const recorded = { profile: input.profile, event: input.event, opted_out: [...new Set(optedOut)] };
  return JSON.stringify(recorded);
}

/** The inputs as they were. */
export function readInputs(json: string): Omit<ResolveInput, 'decidedAt'> {
  const recorded: RecordedInputs = JSON.parse(json);
  return { profile: recorded.profile, event: recorded.event, optedOut: new Set(recorded.opted_out) };
}
