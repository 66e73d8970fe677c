/** The form that people paste into their pages: with their own addresses in it, and on a page of the demo. */
import { Hono } from 'hono';
import { z } from 'zod';
import { slug, text } from '../platform/fields.ts';
import type { AppEnv } from '../platform/http.ts';
import { toBase64 } from '../platform/signature.ts';
import { parse } from '../platform/validate.ts';
import style from './form-page.css';
import frame from './form-page.html';
import snippet from './snippet.html';

/** What stands in the snippet where everybody has something else. */
const EXAMPLE = {
  action: 'https://optitext.example.com/in/signup/pk_your_key',
  redirect: 'https://www.example.com/thank-you',
} as const;
const PLACE = '<!-- snippet -->';
/** What the script of the snippet puts there when the form was sent. */
const THANKS = 'Thank you. We have got it.';

const fields = z.object({
  source: slug,
  key: text().regex(/^pk_[0-9a-f]{32}$/, 'must be a publishable key'),
});

/** Mounted below an address of the demo: `/{source}/{key}` is a page with the form, `…/snippet` the same form to copy. */
export const formPages = new Hono<AppEnv>();

formPages.get('/:source/:key', async (c) => {
  const isBack = c.req.query('sent') !== undefined;
  const page = frame.replace(PLACE, () => filledSnippet(c.req.url, c.req.param()));
  return c.html(isBack ? page.replace('<p role="status">', `<p role="status">${THANKS}`) : page, 200, {
    'cache-control': 'no-store',
    'content-security-policy': await policy(),
    'x-content-type-options': 'nosniff',
    // With no-referrer a browser posts the form as from nowhere: "Origin: null".
    'referrer-policy': 'strict-origin',
  });
});

formPages.get('/:source/:key/snippet', (c) =>
  c.text(filledSnippet(c.req.url, c.req.param()), 200, { 'cache-control': 'no-store' }),
);

formPages.get('/form-page.css', (c) =>
  c.body(style, 200, { 'content-type': 'text/css; charset=utf-8', 'x-content-type-options': 'nosniff' }),
);

/** @throws Problem 422 where source or key could not be one: both go into markup. */
function filledSnippet(requestUrl: string, params: unknown): string {
  const { source, key } = parse(fields, params);
  const { origin } = new URL(requestUrl);
  return snippet
    .replace(EXAMPLE.action, () => `${origin}/in/${source}/${key}`)
    .replace(EXAMPLE.redirect, () => `${origin}/sandbox/forms/${source}/${key}?sent`);
}

/** Lets exactly the script of the snippet run. Its style is an attribute, which people's pages may have to allow, too. */
async function policy(): Promise<string> {
  const [, script = ''] = /<script>([\s\S]*?)<\/script>/.exec(snippet) ?? [];
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(script));
  return [
    "default-src 'none'",
    `script-src 'sha256-${toBase64(new Uint8Array(hash))}'`,
    "style-src 'self' 'unsafe-inline'",
    "connect-src 'self'",
    'img-src data:',
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'self'",
  ].join('; ');
}
