/** The form to paste: one text in the docs, on its page of the demo, and to copy; and what the docs say to PUT is taken. */
import { describe, expect, it } from 'vitest';
import { call, unique } from '../support.ts';

const files = import.meta.glob<string>(['../../docs/sources/form.md', '../../src/console/snippet.html'], {
  query: '?raw',
  import: 'default',
  eager: true,
});
const docs = files['../../docs/sources/form.md'] ?? '';
const snippet = files['../../src/console/snippet.html'] ?? '';
const KEY = `pk_${'0123456789abcdef'.repeat(2)}`;
const PATH = `/sandbox/forms/signup/${KEY}`;

const filled = snippet
  .replace('https://optitext.example.com/in/signup/pk_your_key', `https://optitext.test/in/signup/${KEY}`)
  .replace('https://www.example.com/thank-you', `https://optitext.test${PATH}?sent`);

describe('the snippet', () => {
  it('stands in the docs as it is', () => {
    expect(/```html\n([\s\S]*?)```/.exec(docs)?.[1]).toBe(snippet);
  });

  it('is given to copy, and stands on its page, with the addresses of its source and nothing else changed', async () => {
    expect((await call('GET', `${PATH}/snippet`)).body).toBe(filled);
    const page = await call('GET', PATH);
    expect(page.body).toContain(filled);
    expect(filled).not.toContain('example.com');
  });

  it('asks for consent with an unticked box that need not be ticked', () => {
    const box = /<input[^>]*name="SMS_CONSENT"[^>]*>/.exec(snippet)?.[0] ?? '';
    expect(box).toContain('type="checkbox"');
    expect(box).not.toMatch(/checked|required/);
  });

  it('has a label for every field that people fill in', () => {
    const fields = [...snippet.matchAll(/<input (?![^>]*type="hidden")[^>]*id="([^"]+)"/g)].map(
      ([, id]) => id,
    );
    expect(fields).toHaveLength(4);
    expect([...snippet.matchAll(/<label for="([^"]+)"/g)].map(([, id]) => id)).toEqual(fields);
  });
});

describe('its page', () => {
  it('lets the script of the snippet run and no other', async () => {
    const script = /<script>([\s\S]*?)<\/script>/.exec(snippet)?.[1] ?? '';
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(script)));
    const policy = (await call('GET', PATH)).headers.get('content-security-policy');
    expect(policy).toContain(`script-src 'sha256-${btoa(String.fromCharCode(...hash))}';`);
    expect(policy).toContain("form-action 'self'");
  });

  it('thanks whom the form has sent back', async () => {
    expect((await call('GET', PATH)).body).toContain('<p role="status"></p>');
    expect((await call('GET', `${PATH}?sent`)).body).toContain('<p role="status">Thank you.');
  });

  it.each([
    ['a key with markup', `/sandbox/forms/signup/${encodeURIComponent('"><script>')}`, 'key'],
    ['a name with markup', `/sandbox/forms/${encodeURIComponent('"><script>')}/${KEY}`, 'source'],
    ['a secret instead of a key', '/sandbox/forms/signup/ot_demo', 'key'],
  ])('refuses %s', async (_, path, field) => {
    const answer = await call('GET', path);
    expect([answer.status, answer.body.errors[0].path]).toEqual([422, field]);
  });
});

describe('the docs', () => {
  const given = /-d '(\{[\s\S]*?\n\})'/.exec(docs)?.[1] ?? '';

  it('say to PUT what is taken, and what the snippet sends becomes a text then', async () => {
    const id = unique('form');
    const put = await call('PUT', `/v1/sources/${id}`, given);
    expect(put.status).toBe(200);
    expect(put.body.publishable_key).toMatch(/^pk_[0-9a-f]{32}$/);
    const submit = async (fields: Record<string, string>, origin = 'https://www.example.com') =>
      await call('POST', `/in/${id}/${put.body.publishable_key}`, String(new URLSearchParams(fields)), {
        'content-type': 'application/x-www-form-urlencoded',
        origin,
      });
    const typed = { first_name: 'Ada', MOBILE_NUMBER: '(415) 555-0134', website: '' };
    expect(await submit({ ...typed, SMS_CONSENT: 'true' })).toMatchObject({
      status: 202,
      body: { received: true },
    });
    const back = await submit({ ...typed, _redirect: 'https://elsewhere.example/' });
    expect([back.status, back.body.reason]).toEqual([422, 'redirect_not_allowed']);
    expect((await submit(typed, 'https://www.example.org')).status).toBe(403);
    const accepted = async () =>
      (await call('GET', `/v1/sources/${id}/deliveries`)).body.deliveries.filter(
        (delivery: { outcome: string }) => delivery.outcome === 'accepted',
      );
    await expect.poll(accepted).toMatchObject([
      {
        events: [
          {
            type: 'signup.converted',
            MOBILE_NUMBER: '+1415•••0134',
            SMS_CONSENT: true,
            SMS_VALID: true,
          },
        ],
      },
    ]);
  });
});
