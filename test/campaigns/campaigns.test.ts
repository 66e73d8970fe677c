import { describe, expect, it } from 'vitest';
import { call, putCampaign, unique } from '../support.ts';

const fields = {
  name: 'Welcome',
  trigger: 'signup.converted',
  channel: 'sms',
  sender: '+18005550100',
  body: 'Hi {{ first_name }}!',
};

describe('campaigns', () => {
  it('are created, read, listed, changed, paused and deleted', async () => {
    const id = unique('c');
    const created = await call('PUT', `/v1/campaigns/${id}`, { ...fields, trigger: unique('t') });
    expect(created.body).toMatchObject({
      id,
      state: 'draft',
      policy: 'strict',
      media_urls: [],
      ttl_seconds: 86_400,
    });
    expect((await call('GET', `/v1/campaigns/${id}`)).body).toEqual(created.body);
    const paused = await call('PUT', `/v1/campaigns/${id}`, { ...fields, state: 'paused' });
    expect(paused.body).toMatchObject({ state: 'paused', created_at: created.body.created_at });
    const list = await call('GET', '/v1/campaigns');
    expect(list.body.campaigns.map((campaign: { id: string }) => campaign.id)).toContain(id);
    expect((await call('DELETE', `/v1/campaigns/${id}`)).status).toBe(204);
    expect((await call('GET', `/v1/campaigns/${id}`)).status).toBe(404);
    expect((await call('DELETE', `/v1/campaigns/${id}`)).status).toBe(404);
  });

  it.each<[string, Record<string, unknown>, string, RegExp]>([
    ['a template that does not parse', { body: 'Hi {{ name' }, 'body', /not a valid Liquid template/],
    ['a template with an unknown filter', { body: '{{ a | shout }}' }, 'body', /undefined filter/],
    ['an empty template', { body: '' }, 'body', /must not be empty/],
    ['a channel that does not exist', { channel: 'fax' }, 'channel', /"sms" or "mms"/],
    ['a sender that is nothing', { sender: 'this is far too long' }, 'sender', /E.164/],
    ['a sender that is no number', { sender: '+1' }, 'sender', /E.164/],
    ['a policy that does not exist', { policy: 'nobody-wrote-this' }, 'policy', /does not exist/],
    ['media for an sms', { media_urls: ['https://example.com/a.png'] }, 'media_urls', /use channel "mms"/],
    [
      'media without TLS',
      { channel: 'mms', media_urls: ['http://example.com/a.png'] },
      'media_urls[0]',
      /https/,
    ],
    ['a state that does not exist', { state: 'on' }, 'state', /"draft", "live" or "paused"/],
    ['a time to live of a second', { ttl_seconds: 1 }, 'ttl_seconds', /at least 60/],
    ['an unknown field', { bdoy: 'x' }, 'bdoy', /not a known field/],
    ['another id than in the URL', { id: 'other' }, 'id', /leave it out/],
  ])('refuse %s', async (_, change, path, message) => {
    const { status, body } = await call('PUT', `/v1/campaigns/${unique('c')}`, { ...fields, ...change });
    expect(status).toBe(422);
    expect(body.errors).toEqual([{ path, message: expect.stringMatching(message) }]);
  });

  it.each(['+18005550100', '12345', 'HarborBank', 'Bank 24'])('take %j for a sender', async (sender) => {
    expect(
      (await call('PUT', `/v1/campaigns/${unique('c')}`, { ...fields, trigger: unique('t'), sender })).status,
    ).toBe(200);
  });
});

describe('policies', () => {
  it('get a new version with each change, and none without', async () => {
    const name = unique('p');
    const first = await call('PUT', `/v1/policies/${name}`, { consent_conflict: 'event' });
    expect(first).toMatchObject({
      status: 201,
      body: { name, version: 1, document: { consent_conflict: 'event', validity_conflict: 'deny-wins' } },
    });
    expect(await call('PUT', `/v1/policies/${name}`, { consent_conflict: 'event' })).toMatchObject({
      status: 200,
      body: { version: 1 },
    });
    const second = await call('PUT', `/v1/policies/${name}`, {
      consent_conflict: 'profile',
      bind_flags_to_number: false,
    });
    expect(second).toMatchObject({ status: 201, body: { version: 2 } });
    const versions = await call('GET', `/v1/policies/${name}/versions`);
    expect(versions.body.versions.map((policy: { version: number }) => policy.version)).toEqual([2, 1]);
    expect((await call('GET', `/v1/policies/${name}/diff?from=1&to=2`)).body).toEqual({
      name,
      from: 1,
      to: 2,
      changes: {
        consent_conflict: { from: 'event', to: 'profile' },
        bind_flags_to_number: { from: true, to: false },
      },
    });
    expect((await call('GET', `/v1/policies/${name}?version=1`)).body).toMatchObject({
      version: 1,
      document: { consent_conflict: 'event' },
    });
    expect((await call('GET', `/v1/policies/${name}/diff?to=9`)).status).toBe(404);
  });

  it('decide under their newest version, and each decision names the one it used', async () => {
    const name = unique('p');
    await call('PUT', `/v1/policies/${name}`, { number_conflict: 'suppress' });
    const { trigger } = await putCampaign({ policy: name });
    const event = () => ({ id: unique('e'), type: trigger, customer_id: unique('c'), data: {} });
    const used = async () => (await call('POST', '/v1/events', event())).body.messages[0].decision.policy;
    expect(await used()).toEqual({ name, version: 1 });
    await call('PUT', `/v1/policies/${name}`, { number_conflict: 'event' });
    expect(await used()).toEqual({ name, version: 2 });
  });

  it('that read silence as consent need somebody who vouches', async () => {
    const name = unique('p');
    const validity = await call('PUT', `/v1/policies/${name}`, { validity_absent: 'send' });
    expect(validity).toMatchObject({ status: 422, body: { errors: [{ path: 'attestation' }] } });
    const refused = await call('PUT', `/v1/policies/${name}`, { consent_absent: 'send' });
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ path: 'attestation' }] } });
    const attestation = { attested_by: 'Grace, legal', disclosure: 'https://example.com/sms-terms' };
    expect((await call('PUT', `/v1/policies/${name}`, { consent_absent: 'send', attestation })).status).toBe(
      201,
    );
  });

  it('that are built in cannot be changed', async () => {
    expect((await call('PUT', '/v1/policies/strict', {})).status).toBe(409);
    expect((await call('GET', '/v1/policies/strict')).body).toMatchObject({ preset: true, version: 1 });
    const { body } = await call('GET', '/v1/policies');
    expect(body.policies.slice(0, 4).map((policy: { name: string }) => policy.name)).toEqual([
      'strict',
      'profile-first',
      'event-first',
      'assume-absent',
    ]);
  });
});
