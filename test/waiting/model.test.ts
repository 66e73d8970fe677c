/**
 * A law: whatever happens in whatever order, a signup is texted if and only if a simple model says so. The model knows
 * the sentences of the rules, not the tables, the counts or the statements.
 */
import { env } from 'cloudflare:test';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { optOut } from '../../src/consent/suppressions.ts';
import {
  goodEvent,
  putCampaign,
  storedMessage,
  takenBySandbox,
  testRuntime,
  unique,
  uniqueNumber,
} from '../support.ts';
import { postOne, row, tick } from './support.ts';

const HOUR = 3_600_000;
const WAIT_HOURS = 24;

type Flag = boolean | null;
interface Said {
  readonly number: 'a' | 'b' | null;
  readonly consent: Flag;
  readonly valid: Flag;
}

const said = fc.record<Said>({
  number: fc.constantFrom('a', 'a', 'b', null),
  consent: fc.constantFrom(true, true, null, null, false),
  valid: fc.constantFrom(true, true, true, null, false),
});
type Step =
  | { readonly do: 'put' | 'feed' | 'old feed'; readonly says: Said }
  | { readonly do: 'stop'; readonly number: 'a' | 'b' }
  | { readonly do: 'pause' | 'resume' | 'minute' }
  | { readonly do: 'pass'; readonly hours: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('put', 'feed', 'old feed'), says: said }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop'), number: fc.constantFrom('a', 'b') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('pause', 'resume', 'minute') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass'), hours: fc.constantFrom(1, 13, 25) }) },
);

const YES: Said = { number: 'a', consent: true, valid: true };
const SILENT: Said = { number: 'a', consent: null, valid: null };
/** One story for each end, so that every run tries all of them. */
const EXAMPLES: readonly [Said, Step[]][] = [
  [SILENT, []],
  [SILENT, [{ do: 'put', says: YES }]],
  [SILENT, [{ do: 'pause' }, { do: 'feed', says: YES }]],
  [
    SILENT,
    [
      { do: 'pass', hours: 25 },
      { do: 'put', says: YES },
    ],
  ],
  [
    SILENT,
    [
      { do: 'stop', number: 'a' },
      { do: 'put', says: YES },
    ],
  ],
  [
    { ...YES, number: null },
    [
      { do: 'pause' },
      { do: 'put', says: { ...SILENT, number: 'b' } },
      { do: 'put', says: { ...SILENT, consent: false } },
    ],
  ],
];

/** What must become of one signup. */
class Model {
  state: 'waits' | 'paused' | 'texted' | 'over' = 'waits';
  profile: Said | null = null;
  live = true;
  hours = 0;
  readonly stopped = new Set<string>();
  /** What was decided upon while the campaign was paused. */
  private chosen: { number: string; alone: { number: boolean; consent: boolean; valid: boolean } } | null =
    null;

  constructor(readonly event: Said) {
    this.decide();
  }

  written(profile: Said): void {
    this.profile = profile;
    if (this.state === 'waits') {
      this.decide();
      return;
    }
    if (this.state !== 'paused' || !this.chosen) return;
    const { number, alone } = this.chosen;
    const contradicted =
      (alone.consent && profile.consent === false) ||
      (alone.valid && profile.valid === false) ||
      (alone.number && profile.number !== null && profile.number !== number);
    if (contradicted) this.state = 'over';
  }

  seenAgain(): void {
    if (this.state === 'waits') this.decide();
  }

  time(hours: number): void {
    this.hours += hours;
    if (this.state === 'waits' && this.hours >= WAIT_HOURS) this.state = 'over';
  }

  resume(): void {
    this.live = true;
    if (this.state === 'paused') this.state = this.stopped.has(this.chosen?.number ?? '') ? 'over' : 'texted';
  }

  private decide(): void {
    const [p, e] = [this.profile ?? { number: null, consent: null, valid: null }, this.event];
    const number = p.number ?? e.number;
    const other = p.number !== null && e.number !== null && p.number !== e.number;
    const word = (theirs: Flag, ours: Flag): 'yes' | 'no' | 'nothing' => {
      if (theirs === false || ours === false) return 'no';
      return theirs === true || (ours === true && !other) ? 'yes' : 'nothing';
    };
    const words = [word(p.consent, e.consent), word(p.valid, e.valid)];
    if (words.includes('no') || (number !== null && this.stopped.has(number))) this.state = 'over';
    else if (number === null || words.includes('nothing')) this.state = 'waits';
    else {
      const alone = { number: p.number === null, consent: p.consent === null, valid: p.valid === null };
      this.chosen = { number, alone };
      this.state = this.live ? 'texted' : 'paused';
    }
  }
}

it('a signup is texted if and only if the model says so', { timeout: 240_000 }, async () => {
  const base = {
    id: unique('campaign'),
    trigger: unique('signup'),
    wait_for_profile: `${WAIT_HOURS}h`,
    ttl_seconds: 604_800,
  };
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(said, fc.array(step, { maxLength: 8 }), async (event, steps) => {
      await putCampaign(base);
      const runtime = testRuntime();
      const numbers = { a: uniqueNumber(), b: uniqueNumber() };
      const customer_id = unique('customer');
      const fields = (says: Said) => ({
        MOBILE_NUMBER: says.number && numbers[says.number],
        SMS_CONSENT: says.consent,
        SMS_VALID: says.valid,
      });
      const model = new Model(event);
      let older = Date.parse('2026-01-01T00:00:00Z');
      const id = await postOne(runtime, goodEvent(base.trigger, { customer_id, data: fields(event) }));
      await tick(runtime);
      for (const one of steps) {
        runtime.advance(1000);
        switch (one.do) {
          case 'put':
          case 'feed':
            await row(runtime, customer_id, {
              ...fields(one.says),
              ...(one.do === 'put' && { updated_at: new Date(runtime.now()).toISOString() }),
            });
            model.written(one.says);
            break;
          case 'old feed': {
            // Older than anything before it.
            older -= 1000;
            const updated_at = new Date(older).toISOString();
            await row(runtime, customer_id, { ...fields(one.says), updated_at });
            if (model.profile === null) model.written(one.says);
            else model.seenAgain();
            break;
          }
          case 'stop': {
            const number = numbers[one.number];
            await optOut(env.DB, { number, origin: 'sms', note: null, at: runtime.now() });
            model.stopped.add(one.number);
            break;
          }
          case 'pause':
            await putCampaign({ ...base, state: 'paused' });
            model.live = false;
            break;
          case 'resume':
            await putCampaign(base);
            model.resume();
            break;
          case 'pass':
            runtime.advance(one.hours * HOUR);
            model.time(one.hours);
            break;
          case 'minute':
        }
        await tick(runtime);
      }
      const { state, reason } = await storedMessage(id);
      const story = `${state} ${reason}, expected ${model.state}`;
      expect(await takenBySandbox(id), story).toBe(model.state === 'texted' ? 1 : 0);
      if (model.state === 'waits') expect(reason, story).toBe('waiting_for_profile');
      if (model.state === 'paused') expect(reason, story).toBe('campaign_paused');
      seen.set(model.state, (seen.get(model.state) ?? 0) + 1);
    }),
    { numRuns: 40, examples: [...EXAMPLES] },
  );
  // The law was tried where it matters: every end was reached.
  expect([...seen.keys()].sort()).toEqual(['over', 'paused', 'texted', 'waits']);
});
