/** The form for other pages: a source of this browser's own, the snippet to copy, and the snippet at work in a frame. */
import { byId, call, compact, freshId, freshNumber, isNumber, pause } from './demo-kit.js';

const STORE = 'optitext.form';
const WAIT_MS = 15_000;

/** What PUT /v1/sources/{id} takes for this page; docs/sources/form.md says the same of any other. */
const sourceOf = () => ({
  kind: 'form',
  name: 'The demo page’s form',
  event_type: 'signup.converted',
  allowed_origins: [location.origin],
  default_country: 'US',
  mapping: { MOBILE_NUMBER: '/MOBILE_NUMBER', SMS_CONSENT: '/SMS_CONSENT', SMS_VALID: { const: true } },
});

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(STORE));
  } catch {
    return null;
  }
}

/** The source of this browser. Its key is shown once, so the browser keeps it; `--reset` forgets the source. */
async function ownSource() {
  const old = remembered();
  if (old !== null && (await call('GET', `/v1/sources/${old.id}`)).ok) return old;
  const id = freshId('demo-form');
  const { ok, body } = await call('PUT', `/v1/sources/${id}`, sourceOf());
  if (!ok) throw new Error(body?.detail ?? 'The source was refused.');
  const source = { id, key: body.publishable_key };
  try {
    localStorage.setItem(STORE, JSON.stringify(source));
  } catch {
    // Without storage the next visit makes another source.
  }
  return source;
}

async function deliveriesOf(id) {
  const { ok, body } = await call('GET', `/v1/sources/${id}/deliveries`);
  return ok ? body.deliveries : [];
}

/** The record of the next delivery; `null` where none comes. */
async function nextDelivery(id, before) {
  const start = Date.now();
  while (Date.now() - start < WAIT_MS) {
    const deliveries = await deliveriesOf(id);
    const known = new Set(before.map((delivery) => JSON.stringify(delivery)));
    const fresh = deliveries.find((delivery) => !known.has(JSON.stringify(delivery)));
    if (fresh) return fresh;
    await pause(150);
  }
  return null;
}

/**
 * Sets the card up when it is opened for the first time.
 *
 * @param onDelivery takes the record of each delivery and the number that was typed (`null`: none that can be read).
 */
export function createOwnForm({ onDelivery }) {
  const card = byId('own-form');
  const frame = byId('own-frame');
  const problem = byId('own-problem');

  async function open() {
    problem.hidden = true;
    const source = await ownSource();
    const path = `/sandbox/forms/${source.id}/${source.key}`;
    byId('own-source').textContent = `${source.id} = ${JSON.stringify(sourceOf(), null, 2)}`;
    byId('own-snippet').textContent = await (await fetch(`${path}/snippet`)).text();
    frame.addEventListener('load', () => watch(source));
    frame.src = path;
  }

  /** The frame's page is as strangers' pages are: it knows nothing of this one. */
  function watch(source) {
    const inside = frame.contentDocument;
    const form = inside?.querySelector('form');
    if (!form) return;
    frame.style.height = `${inside.documentElement.scrollHeight + 8}px`;
    const number = form.elements.namedItem('MOBILE_NUMBER');
    number.value = freshNumber();
    form.elements.namedItem('first_name').value = 'Ada';
    form.addEventListener('submit', async () => {
      const typed = isNumber(number.value) ? compact(number.value) : null;
      const delivery = await nextDelivery(source.id, await seen);
      seen = deliveriesOf(source.id);
      if (delivery) await onDelivery(delivery, typed);
    });
    let seen = deliveriesOf(source.id);
  }

  card.addEventListener(
    'toggle',
    () =>
      open().catch((error) => {
        problem.textContent = error.message;
        problem.hidden = false;
      }),
    { once: true },
  );
  byId('copy-snippet').addEventListener('click', async () => {
    await navigator.clipboard.writeText(byId('own-snippet').textContent);
    byId('copied').textContent = 'Copied.';
  });
}
