/** Every kind of source by its name. */
import type { Kind } from '../kind.ts';
import { cloudevents } from './cloudevents.ts';
import { form } from './form.ts';
import { generic } from './generic.ts';
import { hubspot } from './hubspot.ts';
import { optimove } from './optimove.ts';
import { segment } from './segment.ts';
import { shopify } from './shopify.ts';
import { standardWebhooks } from './standard-webhooks.ts';
import { stripe } from './stripe.ts';
import { tally } from './tally.ts';
import { typeform } from './typeform.ts';
import { webflow } from './webflow.ts';
import { zapier } from './zapier.ts';

/** `make` signs and sends as Zapier does. */
const make: Kind = { ...zapier, name: 'make' };

const ALL: readonly Kind[] = [
  typeform,
  tally,
  webflow,
  shopify,
  hubspot,
  stripe,
  segment,
  cloudevents,
  standardWebhooks,
  optimove,
  zapier,
  make,
  generic,
  form,
];

export const KINDS: ReadonlyMap<string, Kind> = new Map(ALL.map((kind) => [kind.name, kind]));
