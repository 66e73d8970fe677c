/** Setting a source up: what is checked when it is saved, what is never shown again, and trying it. */
import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { fingerprint, openSecrets, sealSecrets } from '../../src/sources/secrets.ts';
import { call, testRuntime, unique, uniqueNumber } from '../support.ts';
import { hex, NOTHING, post, putSource, SECRET, setUpSigned, stored } from './support.ts';

const generic = { kind: 'generic', secrets: [SECRET] };

describe('what is saved', () => {
  const wrong: [string, Record<string, unknown>, string, RegExp][] = [
    ['an unknown kind', { kind: 'fax' }, 'kind', /one of cloudevents, form/],
    ['no secret where one is needed', { kind: 'stripe' }, 'secrets', /required/],
    [
      'a path that is none',
      { ...generic, mapping: { MOBILE_NUMBER: '$.[' } },
      'mapping.MOBILE_NUMBER.path[0]',
      /"\$\.\["/,
    ],
    [
      'a path without its beginning',
      { ...generic, mapping: { id: 'email' } },
      'mapping.id.path[0]',
      /begin it with/,
    ],
    [
      'a regular expression over strangers’ texts',
      { ...generic, mapping: { id: "$[?match(@.a, '(a+)+')]" } },
      'mapping.id.path[0]',
      /match/,
    ],
    ['two descents', { ...generic, mapping: { id: '$..a..b' } }, 'mapping.id.path[0]', /once/],
    [
      'a constant yes',
      { ...generic, mapping: { SMS_CONSENT: { const: 'yes' } } },
      'mapping.SMS_CONSENT',
      /vouches/,
    ],
    [
      'vouching for nothing stated',
      { ...generic, vouches: { consent: true } },
      'vouches.disclosure',
      /required/,
    ],
    ['neither path nor constant', { ...generic, mapping: { id: {} } }, 'mapping.id', /path or a const/],
    [
      'a reserved name as data',
      { ...generic, mapping: { data: { sms_consent: '$.a' } } },
      'mapping.data.sms_consent',
      /reserved/,
    ],
    [
      'a form with a box whose silence would be vouched for',
      {
        kind: 'form',
        allowed_origins: ['https://www.example.com'],
        default_country: 'US',
        mapping: { SMS_CONSENT: '/sms' },
        vouches: { consent: true, disclosure: 'Text me' },
      },
      'vouches.consent',
      /must be left out/,
    ],
    ['an unknown option', { ...generic, options: { colour: 'red' } }, 'options.colour', /not a known field/],
    ['no country', { ...generic, default_country: 'XX' }, 'default_country', /ISO 3166/],
  ];
  it.each(wrong)('is not %s', async (_, fields, path, message) => {
    const { status, body } = await putSource(fields);
    expect(status).toBe(422);
    expect(body.errors).toContainEqual({ path, message: expect.stringMatching(message) });
  });

  it('shows fingerprints of secrets and never a secret, and is encrypted at rest', async () => {
    const { id, body } = await putSource(generic);
    expect(body.secrets).toEqual([{ fingerprint: await fingerprint(id, SECRET) }]);
    const read = await call('GET', `/v1/sources/${id}`);
    expect(JSON.stringify([body, read.body])).not.toContain(SECRET);
    const row = await env.DB.prepare('SELECT * FROM trigger_sources WHERE id = ?1').bind(id).first();
    expect(JSON.stringify(row)).not.toContain(SECRET);
  });

  it('keeps its secrets where the next save names none', async () => {
    const { id, body } = await putSource(generic);
    const again = await call('PUT', `/v1/sources/${id}`, { kind: 'generic', name: 'Renamed' });
    expect([again.body.name, again.body.secrets]).toEqual(['Renamed', body.secrets]);
  });

  it('is gone when it was deleted, with its deliveries', async () => {
    const { id } = await setUpSigned();
    expect((await call('DELETE', `/v1/sources/${id}`)).status).toBe(204);
    expect((await post(id, '{}')).status).toBe(404);
    expect((await call('GET', `/v1/sources/${id}/deliveries`)).status).toBe(404);
  });
});

describe('secrets at rest', () => {
  const withKey = (key: string | undefined) =>
    testRuntime({
      config: { ...testRuntime().config, demo: false },
      variable: (name) => (name === 'SOURCES_KEY' ? key : undefined),
    });

  it('open under the same key and the same source only, and under an older key while it is named', async () => {
    const sealed = await sealSecrets(withKey('first-key'), 'a', ['s']);
    expect(await openSecrets(withKey('first-key'), 'a', sealed)).toEqual(['s']);
    expect(await openSecrets(withKey('next-key,first-key'), 'a', sealed)).toEqual(['s']);
    expect(await openSecrets(withKey('next-key'), 'a', sealed)).toBeNull();
    expect(await openSecrets(withKey('first-key'), 'b', sealed)).toBeNull();
    expect(await openSecrets(withKey('first-key'), 'a', `${sealed.slice(0, -4)}AAAA`)).toBeNull();
  });

  it('are not taken where there is no key', async () => {
    await expect(sealSecrets(withKey(undefined), 'a', ['s'])).rejects.toMatchObject({ status: 503 });
  });
});

describe('a try', () => {
  it('shows event and decision for a proven body, and stores nothing', async () => {
    const source = await setUpSigned();
    const body = JSON.stringify({ phone: uniqueNumber(), agreed: true });
    const headers = { 'x-signature': await hex(SECRET, body) };
    const answer = await call('POST', `/v1/sources/${source.id}/test`, { headers, body });
    expect(answer.body).toMatchObject({
      verified: true,
      outcome: 'accepted',
      events: [
        {
          type: source.trigger,
          decisions: [{ campaign: source.campaign, state: 'queued', body: 'Welcome!' }],
        },
      ],
    });
    expect(await stored(source.id)).toEqual(NOTHING);
  });

  it('shows for an unproven body what is wrong, and what it would become all the same', async () => {
    const source = await setUpSigned();
    const body = { phone: uniqueNumber() };
    const { body: shown } = await call('POST', `/v1/sources/${source.id}/test`, { body });
    expect(shown).toMatchObject({
      verified: false,
      outcome: 'refused',
      verification: { reason: 'signature_missing' },
    });
    expect(shown.events[0].notes).toEqual(['mapping.SMS_CONSENT: nothing stands at its path']);
    expect(shown.events[0].decisions[0].reason).toBe('consent_missing');
    const skipped = await call('POST', `/v1/sources/${source.id}/test`, { body, skip_verification: true });
    expect(skipped.body).toMatchObject({ verified: 'skipped', outcome: 'accepted' });
  });
});

describe('a mapping', () => {
  const becomes = async (mapping: object, body: object) => {
    const { id } = await putSource({ ...generic, event_type: unique('signup'), mapping });
    const answer = await call('POST', `/v1/sources/${id}/test`, { body, skip_verification: true });
    return answer.body.events?.[0] ?? answer.body;
  };
  const cases: [string, object, object, object][] = [
    [
      'a JSON Pointer',
      { MOBILE_NUMBER: '/a/b~1c' },
      { a: { 'b/c': '+14155550123' } },
      { MOBILE_NUMBER: '+14155550123' },
    ],
    [
      'a JSONPath',
      { MOBILE_NUMBER: "$.fields[?@.key == 'tel'].value" },
      {
        fields: [
          { key: 'x', value: 1 },
          { key: 'tel', value: '+14155550123' },
        ],
      },
      { MOBILE_NUMBER: '+14155550123' },
    ],
    [
      'the first path that is there',
      { MOBILE_NUMBER: ['$.a', '/b'] },
      { a: ' ', b: '+14155550123' },
      { MOBILE_NUMBER: '+14155550123' },
    ],
    [
      'a value map',
      { SMS_CONSENT: { path: '$.q', map: { 'Ja, gern': true } } },
      { q: ['Ja, gern'] },
      { SMS_CONSENT: true },
    ],
    [
      'a value that the map does not know, which is missing',
      { SMS_CONSENT: { path: '$.q', map: { Yes: true } } },
      { q: 'Nein' },
      { SMS_CONSENT: null },
    ],
    [
      'a mapped field in place of the tool’s own',
      { SMS_CONSENT: '$.real' },
      { sms_consent: true, real: 'no' },
      { SMS_CONSENT: 'no' },
    ],
    ['a number as a number', { MOBILE_NUMBER: '$.n' }, { n: 14155550123 }, { MOBILE_NUMBER: '14155550123' }],
    [
      'constants and data',
      { data: { shop: { const: 'Main St' }, first_name: '$.who' } },
      { who: 'Ada' },
      { shop: 'Main St', first_name: 'Ada' },
    ],
  ];
  it.each(cases)('reads %s', async (_, mapping, body, data) => {
    const event = await becomes(mapping, body);
    expect(event.data).toMatchObject(data);
    if ('SMS_CONSENT' in data) expect(event.data).not.toHaveProperty('sms_consent');
  });

  it('never takes a number for consent', async () => {
    const event = await becomes({ MOBILE_NUMBER: '$.phone' }, { phone: '+14155550123', newsletter: true });
    expect(event.data).not.toHaveProperty('SMS_CONSENT');
  });
});
