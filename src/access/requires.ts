/** Middleware: this route needs a key with that scope. */
import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../platform/http.ts';
import { authenticate, type Caller, type Scope } from './caller.ts';

export interface AccessEnv extends AppEnv {
  Variables: AppEnv['Variables'] & { readonly caller: Caller };
}

export function requires(scope: Scope) {
  return createMiddleware<AccessEnv>(async (c, next) => {
    c.set('caller', await authenticate(c.var.runtime, c.req.header('authorization'), scope));
    await next();
  });
}
