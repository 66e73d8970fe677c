/** What every route finds in its Hono context. */
import type { Context } from 'hono';
import type { Bindings } from './config.ts';
import { Problem } from './problem.ts';
import type { Runtime } from './runtime.ts';

export interface AppEnv {
  Bindings: Bindings;
  Variables: { readonly runtime: Runtime; readonly requestId: string };
}

/** A whole number from the query string within bounds; `fallback` where it is absent. @throws Problem 422 */
export function queryInt(c: Context, name: string, fallback: number, min: number, max: number): number {
  const text = c.req.query(name);
  if (text === undefined) return fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  const message = `must be a whole number from ${min} to ${max}`;
  throw new Problem(422, `${name} ${message}`, { errors: [{ path: name, message }] });
}

/** The URL as its caller called it: signatures cover it, and behind a proxy only PUBLIC_URL knows its origin. */
export function calledUrl(url: string, publicUrl: string | undefined): string {
  if (publicUrl === undefined || !URL.canParse(publicUrl)) return url;
  const { pathname, search } = new URL(url);
  const base = new URL(publicUrl);
  return `${base.origin}${base.pathname.replace(/\/+$/, '')}${pathname}${search}`;
}
