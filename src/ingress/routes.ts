/** `POST /v1/events`: one event, an array, or `{"events": […]}` of up to 500. */
import { Hono } from 'hono';
import { type AccessEnv, requires } from '../access/requires.ts';
import { maskDecision } from '../domain/mask.ts';
import { readJson } from '../platform/json.ts';
import { type FieldProblem, invalid, Problem } from '../platform/problem.ts';
import { MAX_EVENTS, type ParsedEvent, parseEvent, type TriggerEvent } from './event.ts';
import { type Answer, ingest } from './ingest.ts';

export const eventRoutes = new Hono<AccessEnv>();

eventRoutes.post('/', requires('ingest'), async (c) => {
  const { runtime, caller } = c.var;
  const body = await readJson(c.req.raw);
  const { raws, single } = eventsOf(body);
  const receivedAt = runtime.now();
  const parsed = await Promise.all(raws.map((raw) => parseEvent(raw, receivedAt, caller.defaultCountry)));
  const events = parsed.flatMap((item) => (item.ok ? [item.event] : []));
  const types = new Map(events.map((event: TriggerEvent) => [event.id, event.type]));
  const masked = !caller.scopes.includes('read');

  const [only] = parsed;
  if (single && only && !only.ok) throw invalid(only.errors);
  const answers = (await ingest(runtime, caller.id, events)).values();
  const results = parsed.map((item) => resultOf(item, answers, types, masked));

  const [first] = results;
  if (single && first) {
    if (first.status === 409) throw conflict(first.id);
    const { status: _, ...answer } = first;
    return c.json(answer, 202);
  }
  if (results.every((result) => result.status !== 202)) {
    const status = results.every((result) => result.status === 409) ? 409 : 422;
    const errors = parsed.flatMap((item, index) => (item.ok ? [] : inBatch(item.errors, index)));
    throw new Problem(status, 'None of the events was accepted; see results.', {
      ...(errors.length > 0 && { errors }),
      members: { results },
    });
  }
  return c.json({ results }, 202);
});

interface Result {
  readonly status: 202 | 409 | 422;
  readonly id: string | null;
  readonly [member: string]: unknown;
}

/** The events of a body, whichever of its three shapes it has. */
function eventsOf(body: unknown): { raws: readonly unknown[]; single: boolean } {
  if (typeof body !== 'object' || body === null) {
    throw invalid([
      { path: '(body)', message: 'must be an event, an array of events, or {"events": [...]}' },
    ]);
  }
  if (!Array.isArray(body) && !('events' in body)) return { raws: [body], single: true };
  const raws: unknown = Array.isArray(body) ? body : (body as { events: unknown }).events;
  const path = Array.isArray(body) ? '(body)' : 'events';
  if (!Array.isArray(raws)) throw invalid([{ path, message: 'must be an array of events' }]);
  const further = Array.isArray(body) ? undefined : Object.keys(body).find((key) => key !== 'events');
  if (further !== undefined)
    throw invalid([{ path: further, message: 'is not a known field beside events' }]);
  if (raws.length === 0) throw invalid([{ path, message: 'must hold at least one event' }]);
  if (raws.length > MAX_EVENTS) {
    throw invalid([
      { path, message: `must hold at most ${MAX_EVENTS} events, not ${raws.length}; send several requests` },
    ]);
  }
  return { raws, single: false };
}

function resultOf(
  item: ParsedEvent,
  answers: Iterator<Answer>,
  types: ReadonlyMap<string, string>,
  masked: boolean,
): Result {
  if (!item.ok) return { status: 422, id: item.id, errors: item.errors };
  const answer: Answer = answers.next().value;
  if (answer.kind === 'conflict') return { status: 409, id: answer.id, detail: conflict(answer.id).detail };
  const messages = answer.messages.map((message) =>
    masked && message.decision ? { ...message, decision: maskDecision(message.decision) } : message,
  );
  return {
    status: 202,
    id: answer.id,
    duplicate: answer.duplicate,
    messages,
    ...(messages.length === 0 && {
      note: `Accepted. No live campaign listens to events of type "${types.get(answer.id)}", so nothing is sent.`,
    }),
  };
}

function conflict(id: string | null): Problem {
  return new Problem(
    409,
    `The id "${id}" was used before for another event. Give every event an id of its own.`,
  );
}

function inBatch(errors: readonly FieldProblem[], index: number): FieldProblem[] {
  return errors.map(({ path, message }) => ({ path: `[${index}].${path}`, message }));
}
