/** Texts from the sandbox phone, passed on through the real callback route. */
import { Problem } from '../../platform/problem.ts';
import type { Runtime } from '../../platform/runtime.ts';
import { signedCallback } from './signature.ts';

export async function replyFrom(
  runtime: Runtime,
  from: string,
  text: string,
  to?: string,
): Promise<Response> {
  const { callbackSecret } = runtime.config;
  if (callbackSecret === null) throw new Problem(404, 'CALLBACK_SECRET is not set, so nobody can answer.');
  return await runtime.frontDoor(
    signedCallback(callbackSecret, '/callbacks/sandbox/inbound', {
      from,
      text,
      ...(to !== undefined && { to }),
    }),
  );
}
