/** Pictures over HTTP. */
import type { Context } from 'hono';
import { Problem } from './problem.ts';

/** `?layout=column` (phones, the default) or `wide` (slides, desktops). @throws Problem 422 */
export function layoutOf(c: Context): 'column' | 'wide' {
  const layout = c.req.query('layout') ?? 'column';
  if (layout === 'column' || layout === 'wide') return layout;
  const message = 'must be "column" or "wide"';
  throw new Problem(422, `layout ${message}`, { errors: [{ path: 'layout', message }] });
}

/** An SVG that runs nothing and loads nothing, also when it is opened by itself. */
export function svgResponse(c: Context, svg: string): Response {
  return c.body(svg, 200, {
    'content-type': 'image/svg+xml; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    'cache-control': 'private, no-store',
    'x-content-type-options': 'nosniff',
  });
}
