/** From a delivery to events of ours, stage by stage, without storing anything: what `/in` decides on and what a try shows. */
import { type ParsedEvent, parseEvent, type TriggerEvent } from '../ingress/event.ts';
import { log } from '../platform/log.ts';
import { toHex } from '../platform/signature.ts';
import { type AppliedEvent, applySource } from './apply.ts';
import type { Delivery, KindSettings, Mapping } from './kind.ts';
import { KINDS } from './kinds/index.ts';
import { type Refusal, refuse } from './refusal.ts';
import type { Source } from './source.ts';

export interface JudgedEvent {
  readonly applied: AppliedEvent;
  readonly parsed: ParsedEvent;
}

export type Judged =
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly events: readonly JudgedEvent[] }
  | { readonly kind: 'handshake'; readonly mapping: Mapping & { readonly kind: 'handshake' } }
  | { readonly kind: 'ignored'; readonly note: string; readonly hint: string | null }
  | {
      readonly kind: 'events';
      readonly events: readonly JudgedEvent[];
      readonly accepted: readonly TriggerEvent[];
    };

/** Whether the delivery is the tool's; `null`: it is. */
export async function verifyDelivery(source: Source, delivery: Delivery): Promise<Refusal | null> {
  if (source.secrets === null) return refuse('verify', 'secrets_unreadable');
  try {
    const verification = await kindOf(source).verify(delivery, settingsOf(source, source.secrets));
    return verification.ok ? null : refuse('verify', verification.reason);
  } catch (error) {
    reportFailure(source, error);
    return refuse('verify', 'signature_mismatch');
  }
}

/** What a delivery becomes. One event that is not valid refuses them all: a 2xx means that every one was taken. */
export async function judge(source: Source, delivery: Delivery): Promise<Judged> {
  const mapping = mapDelivery(source, delivery);
  switch (mapping.kind) {
    case 'handshake':
      return { kind: 'handshake', mapping };
    case 'ignored':
      return mapping;
    case 'unreadable': {
      const { detail, hint } = mapping;
      return { kind: 'refused', refusal: refuse('map', 'unreadable', { detail, hint }), events: [] };
    }
    case 'events':
      break;
  }
  const hash = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', delivery.body)));
  const count = mapping.events.length;
  const events = await Promise.all(
    mapping.events.map(async (event, index) => {
      const applied = await applySource(source, event, hash, index, count);
      const parsed = await parseEvent(applied.raw, delivery.receivedAt, source.defaultCountry ?? undefined);
      return { applied, parsed };
    }),
  );
  const errors = events.flatMap(({ parsed }, index) =>
    parsed.ok
      ? []
      : parsed.errors.map(({ path, message }) => ({
          path: count > 1 ? `[${index}].${path}` : path,
          message,
        })),
  );
  if (errors.length > 0) {
    const hint = events.flatMap(({ applied }) => applied.notes)[0] ?? null;
    return { kind: 'refused', refusal: refuse('event', 'invalid_event', { errors, hint }), events };
  }
  return {
    kind: 'events',
    events,
    accepted: events.flatMap(({ parsed }) => (parsed.ok ? [parsed.event] : [])),
  };
}

function mapDelivery(source: Source, delivery: Delivery): Mapping {
  try {
    return kindOf(source).map(delivery, settingsOf(source, []));
  } catch (error) {
    reportFailure(source, error);
    return { kind: 'unreadable', detail: 'The body is not what this kind of source sends.', hint: null };
  }
}

/** A kind that throws has met a body that its author did not think of. Its message may quote the body. */
function reportFailure(source: Source, error: unknown): void {
  const name = error instanceof Error ? error.name : 'unknown';
  log('error', 'source.kind_failed', { source: source.id, kind: source.kind, error: name });
}

/** Mapping sees no secret. */
function settingsOf(source: Source, secrets: readonly string[]): KindSettings {
  return { secrets, toleranceMs: source.toleranceSeconds * 1000, options: source.options };
}

export function kindOf(source: Source): ReturnType<typeof KINDS.get> & object {
  const kind = KINDS.get(source.kind);
  if (!kind) throw new Error(`source ${source.id} is of kind ${source.kind}, which does not exist`);
  return kind;
}
