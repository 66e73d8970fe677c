import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { call, NUMBER, putCampaign, unique, uniqueNumber } from '../support.ts';

const good = { MOBILE_NUMBER: NUMBER, SMS_CONSENT: true, SMS_VALID: true };
const decide = async (body: Record<string, unknown>) => await call('POST', '/v1/decisions', body);

describe('a dry run', () => {
  it('decides for a profile that is given in the call', async () => {
    const { status, body } = await decide({
      profile: { ...good, SMS_CONSENT: false },
      data: { SMS_CONSENT: true },
    });
    expect(status).toBe(200);
    expect(body.decision).toMatchObject({
      outcome: 'suppress',
      reason: 'consent_denied',
      policy: { name: 'strict' },
    });
  });

  it.each([null, undefined, {}])('decides without a profile (%j)', async (profile) => {
    expect((await decide({ profile, data: good })).body.decision.outcome).toBe('deliver');
  });

  it('decides for a stored customer and a campaign, and shows the text', async () => {
    const customer_id = unique('c');
    await call('PUT', `/v1/profiles/${customer_id}`, { ...good, attributes: { first_name: 'Ada' } });
    const { id } = await putCampaign({ policy: 'profile-first' });
    const { body } = await decide({ customer_id, data: { SMS_CONSENT: false }, campaign: id });
    expect(body).toMatchObject({
      decision: { outcome: 'deliver', policy: { name: 'profile-first', version: 1 } },
      campaign: id,
      body: 'Hi Ada, welcome!',
    });
  });

  it('decides under an inline policy; what is left out is strict', async () => {
    const { body } = await decide({
      data: { MOBILE_NUMBER: NUMBER, SMS_VALID: true },
      policy: { consent_absent: 'send' },
    });
    expect(body.decision).toMatchObject({ outcome: 'deliver', policy: { name: 'inline', version: 0 } });
    const strict = await decide({ data: { MOBILE_NUMBER: NUMBER }, policy: { consent_absent: 'send' } });
    expect(strict.body.decision.reason).toBe('validity_missing');
  });

  it('shows all policies side by side', async () => {
    const { body } = await decide({
      profile: { ...good, SMS_CONSENT: false },
      data: { SMS_CONSENT: true },
      policies: 'all',
    });
    const outcomes = Object.fromEntries(
      body.decisions.map((item: { policy: string; decision: { outcome: string } }) => [
        item.policy,
        item.decision.outcome,
      ]),
    );
    expect(outcomes).toMatchObject({
      strict: 'suppress',
      'profile-first': 'suppress',
      'event-first': 'deliver',
      'assume-absent': 'suppress',
    });
  });

  it('looks at stored opt-outs unless the call says otherwise', async () => {
    const MOBILE_NUMBER = uniqueNumber();
    const data = { ...good, MOBILE_NUMBER };
    await call('PUT', `/v1/suppressions/${MOBILE_NUMBER}`, {});
    expect((await decide({ data })).body.decision.reason).toBe('opted_out');
    expect((await decide({ data, suppressed: false })).body.decision.outcome).toBe('deliver');
    expect((await decide({ data: good, suppressed: true })).body.decision.reason).toBe('opted_out');
  });

  it('speaks plain words to those who ask for text', async () => {
    const text = { accept: 'text/plain' };
    const one = await call('POST', '/v1/decisions', { data: good }, text);
    expect(one.headers.get('content-type')).toContain('text/plain');
    expect(one.body).toMatch(/^To be sent to \+1415•••0123[\s\S]*Why, under the policy “strict”:/);
    const all = await call('POST', '/v1/decisions', { data: good, policies: 'all' }, text);
    expect(all.body).toMatch(/^strict +To be sent/);
    const { id } = await putCampaign();
    const named = await call(
      'POST',
      '/v1/decisions',
      { data: { ...good, first_name: 'Ada' }, campaign: id },
      text,
    );
    expect(named.body).toMatch(/The text:\n {2}Hi Ada, welcome!\n$/);
    expect((await call('POST', '/v1/decisions', { data: good }, { accept: '*/*' })).body).toHaveProperty(
      'decision',
    );
  });

  it('makes the same text as the real event would', async () => {
    const { id, trigger } = await putCampaign({ body: 'Hi {{ first_name }}, {{ MOBILE_NUMBER }}' });
    const data = { mobile_number: NUMBER, SMS_CONSENT: true, sms_valid: true, first_name: 'Ada' };
    const dry = await decide({ data, campaign: id });
    expect(dry.body.body).toBe(`Hi Ada, ${NUMBER}`);
    const event = { id: unique('e'), type: trigger, customer_id: unique('c'), data };
    expect((await call('POST', '/v1/events', event)).body.messages[0].state).toBe('queued');
    const fromProfile = await decide({ profile: { ...good, first_name: 'Ada' }, data: {}, campaign: id });
    expect(fromProfile.body.decision.reason).toBe('template_variable_missing');
  });

  it('stores nothing and sends nothing', async () => {
    const count = async () =>
      await env.DB.prepare(
        'SELECT (SELECT count(*) FROM events) AS e, (SELECT count(*) FROM messages) AS m, (SELECT count(*) FROM profiles) AS p',
      ).first();
    const before = await count();
    await decide({ profile: good, data: good });
    expect(await count()).toEqual(before);
  });
});

describe('the five stories of the README', () => {
  it('a new customer with a number and a yes', async () => {
    const { body } = await decide({ profile: null, data: good });
    expect(body.decision.text).toBe('To be sent to +1415•••0123, the event’s number: every rule allows it.');
  });

  it('a new customer with a number only', async () => {
    const { body } = await decide({ profile: null, data: { MOBILE_NUMBER: NUMBER } });
    expect(body.decision.text).toBe(
      'Not sent. Nobody has said that the customer agreed to texts: SMS_CONSENT is missing.',
    );
    expect(body.decision.counterfactuals[0].text).toMatch(
      /^would be sent if the .*SMS_CONSENT were true and the .*SMS_VALID were true$/,
    );
  });

  it('the profile says no, the form says yes', async () => {
    const { body } = await decide({ profile: { ...good, SMS_CONSENT: false }, data: { SMS_CONSENT: true } });
    expect(body.decision.rules[2].text).toBe(
      'The profile says no, the event says yes. By policy (consent_conflict: deny-wins) a “no” wins, so SMS_CONSENT is blocked.',
    );
  });

  it('two numbers', async () => {
    const { body } = await decide({ profile: good, data: { MOBILE_NUMBER: '+12125550124' } });
    expect(body.decision.rules[0].text).toBe(
      'The profile has +1415•••0123, the event has +1212•••0124. By policy (number_conflict: profile) the profile is believed, so the profile’s number is used.',
    );
    expect(body.decision.number).toEqual({ value: NUMBER, from: 'profile' });
  });

  it('the batch arrives later', async () => {
    const customer_id = unique('c');
    const before = await decide({ customer_id, data: {} });
    expect(before.body.decision.reason).toBe('number_missing');
    await call('PUT', `/v1/profiles/${customer_id}`, good);
    expect((await decide({ customer_id, data: {} })).body.decision.outcome).toBe('deliver');
  });

  it('STOP, then a signup', async () => {
    const MOBILE_NUMBER = uniqueNumber();
    await call('POST', '/sandbox/replies', { from: MOBILE_NUMBER, text: 'STOP' });
    const { body } = await decide({ data: { ...good, MOBILE_NUMBER } });
    expect(body.decision.text).toBe(
      'Not sent. This number has opted out of texts. Only a new opt-in on this number lifts that.',
    );
    expect(body.decision.counterfactuals).toHaveLength(1);
  });
});
