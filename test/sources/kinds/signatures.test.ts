/** What holds for every kind: as the tool signed it passes, and with anything changed, missing, stale or of another secret it does not. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KINDS } from '../../../src/sources/kinds/index.ts';
import {
  delivery,
  type HeaderTable,
  kindOf,
  NOW,
  sample,
  settings,
  sha256,
  sign,
  URL_OF_SOURCE,
} from './deliveries.ts';

const STANDARD_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const standardKey = Uint8Array.from(atob('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'), (char) => char.charCodeAt(0));

interface Scheme {
  readonly name: string;
  readonly kind: string;
  readonly body: string;
  readonly secret: string;
  readonly options?: Record<string, unknown>;
  /** Headers of a delivery signed at a time, milliseconds since 1970. */
  readonly sign: (body: string, secret: string, at: number) => HeaderTable;
  /** The time is signed too, and has a window. */
  readonly timed: boolean;
  /** The body is not signed: a token that travels with it. */
  readonly token?: true;
}

const SCHEMES: readonly Scheme[] = [
  {
    name: 'Typeform',
    kind: 'typeform',
    body: sample('typeform.form_response'),
    secret: 'tf_secret',
    sign: (body, secret) => ({ 'typeform-signature': `sha256=${sign('sha256', secret, body, 'base64')}` }),
    timed: false,
  },
  {
    name: 'Tally',
    kind: 'tally',
    body: '{"eventId":"e1","eventType":"FORM_RESPONSE","data":{"fields":[]}}',
    secret: 'tally-secret',
    sign: (body, secret) => ({ 'tally-signature': sign('sha256', secret, body, 'base64') }),
    timed: false,
  },
  {
    name: 'Webflow',
    kind: 'webflow',
    body: '{"triggerType":"form_submission","payload":{"data":{"name":"Ada"}}}',
    secret: 'wf-secret',
    sign: (body, secret, at) => ({
      'x-webflow-signature': sign('sha256', secret, `${at}:${body}`),
      'x-webflow-timestamp': String(at),
    }),
    timed: true,
  },
  {
    name: 'Shopify',
    kind: 'shopify',
    body: sample('shopify.customers_create'),
    secret: 'shpss_secret',
    sign: (body, secret) => ({ 'x-shopify-hmac-sha256': sign('sha256', secret, body, 'base64') }),
    timed: false,
  },
  {
    name: 'HubSpot v3',
    kind: 'hubspot',
    body: '{"mobilephone":"+12025550123"}',
    secret: 'hs-secret',
    sign: (body, secret, at) => ({
      'x-hubspot-signature-v3': sign('sha256', secret, `POST${URL_OF_SOURCE}${body}${at}`, 'base64'),
      'x-hubspot-request-timestamp': String(at),
    }),
    timed: true,
  },
  {
    name: 'HubSpot v2',
    kind: 'hubspot',
    body: '{"mobilephone":"+12025550123"}',
    secret: 'hs-secret',
    sign: (body, secret) => ({
      'x-hubspot-signature': sha256(`${secret}POST${URL_OF_SOURCE}${body}`),
      'x-hubspot-signature-version': 'v2',
    }),
    timed: false,
  },
  {
    name: 'HubSpot v1',
    kind: 'hubspot',
    body: sample('hubspot.contact_creation'),
    secret: 'hs-secret',
    sign: (body, secret) => ({
      'x-hubspot-signature': sha256(`${secret}${body}`),
      'x-hubspot-signature-version': 'v1',
    }),
    timed: false,
  },
  {
    name: 'Stripe',
    kind: 'stripe',
    body: sample('stripe.customer_created'),
    secret: 'whsec_test_secret',
    sign: (body, secret, at) => ({
      'stripe-signature': `t=${at / 1000},v1=${sign('sha256', secret, `${at / 1000}.${body}`)}`,
    }),
    timed: true,
  },
  {
    name: 'Segment, one event',
    kind: 'segment',
    body: JSON.stringify(JSON.parse(sample('segment.track'))),
    secret: 'seg_secret',
    sign: (body, secret) => ({ 'x-signature': sign('sha1', secret, body) }),
    timed: false,
  },
  {
    name: 'Standard Webhooks',
    kind: 'standard-webhooks',
    body: '{"type":"user.created","data":{}}',
    secret: STANDARD_SECRET,
    sign: (body, secret, at) => ({
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(at / 1000),
      'webhook-signature': `v1,${sign('sha256', secret === STANDARD_SECRET ? standardKey : secret, `msg_1.${at / 1000}.${body}`, 'base64')}`,
    }),
    timed: true,
  },
  {
    name: 'generic, base64 SHA-512 with a time in milliseconds, method and address',
    kind: 'generic',
    body: '{"mobile":"+12025550123"}',
    secret: 'generic-secret',
    options: {
      verify: {
        scheme: 'hmac',
        header: 'X-Sign',
        hash: 'sha512',
        encoding: 'base64',
        prefix: 'v0=',
        timestamp_header: 'X-Time',
        timestamp_unit: 'ms',
        signed: '{method} {url}\n{timestamp}.{body}!',
      },
    },
    sign: (body, secret, at) => ({
      'x-sign': `v0=${sign('sha512', secret, `POST ${URL_OF_SOURCE}\n${at}.${body}!`, 'base64')}`,
      'x-time': String(at),
    }),
    timed: true,
  },
  {
    name: 'generic, hex SHA-1 of the body',
    kind: 'generic',
    body: '{"mobile":"+12025550123"}',
    secret: 'generic-secret',
    options: { verify: { scheme: 'hmac', header: 'x-sign', hash: 'sha1' } },
    sign: (body, secret) => ({ 'x-sign': sign('sha1', secret, body) }),
    timed: false,
  },
  ...['cloudevents', 'zapier', 'make', 'optimove', 'generic'].map(
    (kind): Scheme => ({
      name: `${kind}, a bearer token`,
      kind,
      body: '{}',
      secret: 'token-1',
      sign: (_, secret) => ({ authorization: `Bearer ${secret}` }),
      timed: false,
      token: true,
    }),
  ),
  {
    name: 'zapier, basic authentication',
    kind: 'zapier',
    body: '{}',
    secret: 'token:with:colons',
    sign: (_, secret) => ({ authorization: `Basic ${btoa(`optitext:${secret}`)}` }),
    timed: false,
    token: true,
  },
  {
    name: 'optimove, x-api-key',
    kind: 'optimove',
    body: '{}',
    secret: 'token-1',
    sign: (_, secret) => ({ 'x-api-key': secret }),
    timed: false,
    token: true,
  },
  {
    name: 'generic, a header of its own',
    kind: 'generic',
    body: '{}',
    secret: 'token-1',
    options: { verify: { scheme: 'header', header: 'X-Form-Token' } },
    sign: (_, secret) => ({ 'x-form-token': secret }),
    timed: false,
    token: true,
  },
];

it('covers every kind that signs', () => {
  expect([...new Set(SCHEMES.map(({ kind }) => kind))].sort()).toEqual(
    [...KINDS.values()]
      .filter(({ needsSecret }) => needsSecret)
      .map(({ name }) => name)
      .sort(),
  );
});

describe.each(SCHEMES)('a delivery as signed by $name', (scheme) => {
  const { kind, body, secret, options } = scheme;
  const signed = scheme.sign(body, secret, NOW);
  const verify = (content: string | Uint8Array, headers: HeaderTable, secrets = [secret], receivedAt = NOW) =>
    kindOf(kind).verify(delivery(content, headers, { receivedAt }), settings(secrets, options));
  const no = (reason: string) => ({ ok: false, reason });

  it('passes', async () => {
    expect(await verify(body, signed)).toEqual({ ok: true });
  });

  it('passes with any of several secrets, wherever it stands', async () => {
    expect(await verify(body, signed, ['other', secret, 'third'])).toEqual({ ok: true });
    expect(await verify(body, signed, [secret, 'other'])).toEqual({ ok: true });
  });

  it('fails where nothing is signed', async () => {
    expect(await verify(body, {})).toEqual(no('signature_missing'));
    for (const name of Object.keys(signed).filter((header) => header !== 'x-hubspot-signature-version')) {
      const { [name]: _, ...rest } = signed;
      expect([name, await verify(body, rest)]).toEqual([name, no('signature_missing')]);
    }
  });

  it('fails with another secret, and without any', async () => {
    expect(await verify(body, signed, ['other'])).toEqual(no('signature_mismatch'));
    expect(await verify(body, scheme.sign(body, 'other', NOW))).toEqual(no('signature_mismatch'));
    expect(await verify(body, signed, [])).toEqual(no('secret_not_set'));
    expect((await verify(body, signed, [''])).ok).toBe(false);
  });

  it('fails with any character of any of its headers changed', async () => {
    for (const [name, value] of Object.entries(signed)) {
      for (const index of new Set([0, value.length >> 1, value.length - 2, value.length - 1])) {
        for (const character of ['A', 'B', 'x', '7']) {
          const changed = value.slice(0, index) + character + value.slice(index + 1);
          if (changed.toLowerCase() === value.toLowerCase()) continue;
          const result = await verify(body, { ...signed, [name]: changed });
          expect([result.ok, name, changed]).toEqual([false, name, changed]);
        }
      }
    }
  });

  it.runIf(scheme.token === undefined)(
    'fails with any bit of the body changed, or a byte more or less',
    async () => {
      const bytes = new TextEncoder().encode(body);
      const changes = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }));
      await fc.assert(
        fc.asyncProperty(changes, async ([index, mask]) => {
          const changed = bytes.slice();
          changed[index] = (changed[index] ?? 0) ^ mask;
          expect(await verify(changed, signed)).toEqual(no('signature_mismatch'));
        }),
        { numRuns: 50 },
      );
      for (const changed of [`${body} `, ` ${body}`, body.slice(0, -1), '']) {
        expect(await verify(changed, signed)).toEqual(no('signature_mismatch'));
      }
    },
  );

  it.runIf(scheme.timed)('fails outside its window, on both sides, and passes at its ends', async () => {
    for (const [skewMs, result] of [
      [300_000, { ok: true }],
      [-300_000, { ok: true }],
      [301_000, no('timestamp_out_of_range')],
      [-301_000, no('timestamp_out_of_range')],
    ] as const) {
      expect([skewMs, await verify(body, signed, [secret], NOW + skewMs)]).toEqual([skewMs, result]);
    }
  });
});
