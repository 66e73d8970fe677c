/**
 * `/o/{token}`: the page behind an opt-out link. Mail and message scanners open every link, so opening it does nothing;
 * the button does, and so does the one-click body of RFC 8058.
 */
import { Hono } from 'hono';
import { html } from 'hono/html';
import type { AppEnv } from '../platform/http.ts';
import { readBytes } from '../platform/json.ts';
import { messageOfToken } from './link.ts';
import { optOut } from './suppressions.ts';

export const LINK_SQL = {
  numberOf: 'SELECT number FROM messages WHERE id = ?1',
} as const;

const MAX_FORM_BYTES = 4096;

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex, nofollow',
};

export const linkRoutes = new Hono<AppEnv>();

linkRoutes.get('/:token', async (c) => {
  if ((await messageOfToken(c.var.runtime, c.req.param('token'))) === null)
    return c.html(unknownPage(), 404, HEADERS);
  return c.html(confirmPage(c.var.runtime.variable('BRAND_NAME')), 200, HEADERS);
});

linkRoutes.post('/:token', async (c) => {
  const { runtime } = c.var;
  const messageId = await messageOfToken(runtime, c.req.param('token'));
  const row =
    messageId === null
      ? null
      : await runtime.db.prepare(LINK_SQL.numberOf).bind(messageId).first<{ number: string | null }>();
  if (messageId === null || row?.number == null) return c.html(unknownPage(), 404, HEADERS);
  const how = await confirmation(c.req.raw);
  if (how === null) return c.html(confirmPage(runtime.variable('BRAND_NAME')), 422, HEADERS);
  await optOut(runtime.db, {
    ...{ number: row.number, origin: 'link', note: null, at: runtime.now(), messageId },
    ...{ scope: runtime.config.optOutScope, evidence: { how } },
  });
  return c.html(donePage(), 200, HEADERS);
});

/** How the form says that a person means it; `null` where it does not. */
async function confirmation(request: Request): Promise<'one-click' | 'confirmed' | null> {
  const bytes = await readBytes(request, MAX_FORM_BYTES);
  const type = request.headers.get('content-type') ?? '';
  try {
    const form = await new Response(bytes, { headers: { 'content-type': type } }).formData();
    if (form.get('List-Unsubscribe') === 'One-Click') return 'one-click';
    return form.get('confirm') === 'yes' ? 'confirmed' : null;
  } catch {
    return null; // no form at all
  }
}

type Html = ReturnType<typeof html>;

function page(title: string, content: Html): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<title>${title}</title>
<style>
:root { color-scheme: light dark; font: 1.125rem/1.5 system-ui, sans-serif }
main { max-width: 32rem; margin: 15vh auto; padding: 0 1.25rem }
button { font: inherit; padding: .75rem 1.5rem; border-radius: .5rem; border: 2px solid currentcolor; cursor: pointer }
button:focus-visible { outline: 3px solid; outline-offset: 3px }
</style>
</head>
<body><main><h1>${title}</h1>${content}</main></body>
</html>`;
}

function confirmPage(brand: string | undefined): Html {
  return page(
    'Stop texts?',
    html`<p>${brand ?? 'We'} will send no more texts to the phone number that got this link.</p>
<form method="post"><input type="hidden" name="confirm" value="yes"><button type="submit">Yes, stop texts</button></form>`,
  );
}

function donePage(): Html {
  return page(
    'You have opted out',
    html`<p>This phone number gets no more texts from us. To undo this, text START to the number that texted you.</p>`,
  );
}

function unknownPage(): Html {
  return page(
    'This link is not valid',
    html`<p>Perhaps it was cut short. You can always reply STOP to a text from us.</p>`,
  );
}
