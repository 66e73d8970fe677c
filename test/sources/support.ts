/** What tests of sources share: setting one up, signing as tools sign, and what was kept of their deliveries. */
import { env, SELF } from 'cloudflare:test';
import { hmac, toHex } from '../../src/platform/signature.ts';
import { type Answer, call, putCampaign, unique, until } from '../support.ts';

export const SECRET = 'the secret of this source';
export const PAGE = 'https://shop.example.com';

export interface SetUp {
  readonly id: string;
  readonly trigger: string;
  readonly campaign: string;
  /** Of a form. */
  readonly key: string;
}

export async function putSource(fields: Record<string, unknown>): Promise<Answer & { readonly id: string }> {
  const id = unique('source').toLowerCase();
  return { ...(await call('PUT', `/v1/sources/${id}`, fields)), id };
}

/** A source and a live campaign on its events. */
export async function setUp(fields: Record<string, unknown>): Promise<SetUp> {
  const { id: campaign, trigger } = await putCampaign({ policy: 'strict', body: 'Welcome!' });
  const { id, status, body } = await putSource({ event_type: trigger, ...fields });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return { id, trigger, campaign, key: String(body.publishable_key) };
}

/** A generic source whose tool signs the body with HMAC-SHA256 in hex. */
export async function setUpSigned(fields: Record<string, unknown> = {}): Promise<SetUp> {
  return await setUp({
    kind: 'generic',
    secrets: [SECRET],
    options: { verify: { scheme: 'hmac', header: 'x-signature' }, id_header: 'x-id' },
    mapping: { MOBILE_NUMBER: '$.phone', SMS_CONSENT: '$.agreed', SMS_VALID: { const: true } },
    ...fields,
  });
}

export async function hex(secret: string, body: string | Uint8Array): Promise<string> {
  return toHex(await hmac('SHA-256', secret, body));
}

/** One delivery, as a stranger sends it: without an API key. */
export async function post(
  path: string,
  body: BodyInit,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await SELF.fetch(`https://optitext.test/in/${path}`, {
    method: 'POST',
    headers,
    body,
    redirect: 'manual',
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

/** The deliveries of a source, newest first, once there are that many. */
export async function deliveries(id: string, atLeast = 1): Promise<Answer['body'][]> {
  return await until(async () => {
    const { body } = await call('GET', `/v1/sources/${id}/deliveries`);
    return body.deliveries.length >= atLeast && body.deliveries;
  });
}

export interface Stored {
  readonly events: number;
  readonly messages: number;
  readonly consents: number;
}

export async function stored(sourceId: string): Promise<Stored> {
  const row = await env.DB.prepare(
    `SELECT (SELECT count(*) FROM events WHERE source_id = ?1) AS events,
      (SELECT count(*) FROM messages m JOIN events e ON e.id = m.event_id WHERE e.source_id = ?1) AS messages,
      (SELECT count(*) FROM consent_records WHERE source_id = ?1) AS consents`,
  )
    .bind(sourceId)
    .first<Stored>();
  if (!row) throw new Error('no counts');
  return row;
}

export const NOTHING: Stored = { events: 0, messages: 0, consents: 0 };
