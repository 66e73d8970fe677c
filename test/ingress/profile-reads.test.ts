import { describe, expect, it } from 'vitest';
import { optOut } from '../../src/consent/suppressions.ts';
import type { Config } from '../../src/platform/config.ts';
import {
  goodEvent,
  putCampaign,
  type TestRuntime,
  takenBySandbox,
  testRuntime,
  unique,
  uniqueNumber,
} from '../support.ts';
import { drain, post, row, tick } from '../waiting/support.ts';

const GOOD = { SMS_CONSENT: true, SMS_VALID: true };

/** A runtime whose calls to D1 are noted: `primary`, or `session` with its constraint. */
function observed(profileReads: Config['profileReads']): TestRuntime & { readonly calls: string[] } {
  const plain = testRuntime();
  const calls: string[] = [];
  const db = new Proxy(plain.db, {
    get: (target, key) => {
      if (key === 'withSession') {
        return (constraint: string) => {
          calls.push(`session ${constraint}`);
          return target.withSession(constraint);
        };
      }
      if (key === 'batch') {
        return (statements: D1PreparedStatement[]) => {
          calls.push('primary');
          return target.batch(statements);
        };
      }
      return Reflect.get(target, key).bind(target);
    },
  });
  return { ...testRuntime({ db, config: { ...plain.config, profileReads } }), calls };
}

describe.each(['primary', 'nearest'] as const)('with PROFILE_READS = %s', (profileReads) => {
  it('an event costs two round trips to the primary, and a replica is asked beside the first', async () => {
    const { trigger } = await putCampaign();
    const runtime = observed(profileReads);
    await post(runtime, goodEvent(trigger));
    const primary = ['primary', 'primary'];
    expect(runtime.calls).toEqual(
      profileReads === 'primary' ? primary : ['session first-unconstrained', ...primary],
    );
  });

  it('the profile counts as it does', async () => {
    const { trigger } = await putCampaign();
    const runtime = observed(profileReads);
    const customer_id = unique('customer');
    const number = uniqueNumber();
    await row(runtime, customer_id, { ...GOOD, MOBILE_NUMBER: number, first_name: 'Grace' });
    const { messages } = await post(runtime, { id: unique('event'), type: trigger, customer_id });
    expect(messages[0]?.decision).toMatchObject({
      outcome: 'deliver',
      number: { value: number, from: 'profile' },
    });
  });

  it('a message that waits is texted when the row comes', async () => {
    const runtime = observed(profileReads);
    const { trigger } = await putCampaign({ wait_for_profile: '24h' });
    const event = goodEvent(trigger, { data: { SMS_CONSENT: null } });
    const answer = await post(runtime, event);
    expect(answer.messages[0]?.state).toBe('held');
    await row(runtime, String(event.customer_id), GOOD);
    await tick(runtime);
    expect(await takenBySandbox(answer.messages[0]?.id ?? '')).toBe(1);
  });
});

/** What a replica may do at worst: answer as if the last write had not been. */
function lagging(event: { customer_id: string }, stale: Record<string, unknown>): TestRuntime {
  const plain = testRuntime();
  const behind = new Proxy(plain.db.withSession('first-unconstrained'), {
    get: (target, key) =>
      key === 'prepare'
        ? () => ({
            bind: () => ({
              all: async () => ({
                results: [{ customer_id: event.customer_id, attributes: '{}', updated_at: 0, ...stale }],
              }),
            }),
          })
        : Reflect.get(target, key),
  });
  const db = new Proxy(plain.db, {
    get: (target, key) => (key === 'withSession' ? () => behind : Reflect.get(target, key).bind(target)),
  });
  return testRuntime({ db, config: { ...plain.config, profileReads: 'nearest' } });
}

describe('a replica that lags', () => {
  it('cannot get a text past an opt-out, even for a number that the primary no longer names', async () => {
    const { trigger } = await putCampaign();
    const customer_id = unique('customer');
    const old = uniqueNumber();
    const runtime = lagging(
      { customer_id },
      { mobile_number: old, e164: old, sms_consent: 1, sms_valid: 1, attributes: '{"first_name":"Ada"}' },
    );
    await row(testRuntime(), customer_id, { ...GOOD, MOBILE_NUMBER: uniqueNumber() });
    await optedOut(old);
    const { messages } = await post(runtime, { id: unique('event'), type: trigger, customer_id });
    await drain(runtime);
    expect(await takenBySandbox(messages[0]?.id ?? '')).toBe(0);
  });

  it('cannot leave a message waiting for a row that is there', async () => {
    const { trigger } = await putCampaign({ wait_for_profile: '24h' });
    const event = goodEvent(trigger, { data: { SMS_CONSENT: null, SMS_VALID: null } });
    const customer_id = String(event.customer_id);
    const runtime = lagging(
      { customer_id },
      { mobile_number: null, e164: null, sms_consent: null, sms_valid: null },
    );
    await row(testRuntime(), customer_id, GOOD);
    const { messages } = await post(runtime, event);
    expect(messages[0]?.state).toBe('held');
    await drain(runtime);
    expect(await takenBySandbox(messages[0]?.id ?? '')).toBe(1);
  });
});

async function optedOut(number: string): Promise<void> {
  await optOut(testRuntime().db, { number, origin: 'sms', note: null, at: Date.now() });
}
