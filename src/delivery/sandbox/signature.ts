/** How the sandbox carrier signs its callbacks: Standard Webhooks. */
import { Webhook } from 'standardwebhooks';
import { newId } from '../../platform/ids.ts';

/** A signed request to one of the Worker's own callback routes. */
export function signedCallback(secret: string, path: string, payload: unknown): Request {
  const body = JSON.stringify(payload);
  const id = newId('whk');
  const at = new Date();
  return new Request(`https://sandbox.invalid${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign(id, at, body),
    },
    body,
  });
}
