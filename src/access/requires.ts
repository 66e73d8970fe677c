/** Middleware: this route needs a key with that scope. */
import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../platform/http.ts';
import { authenticate, type Scope, type Source } from './source.ts';

export interface AccessEnv extends AppEnv {
  Variables: AppEnv['Variables'] & { readonly source: Source };
}

export function requires(scope: Scope) {
  return createMiddleware<AccessEnv>(async (c, next) => {
    c.set('source', await authenticate(c.var.runtime, c.req.header('authorization'), scope));
    await next();
  });
}
