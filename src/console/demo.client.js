/** The demo page: a form that posts real events, five stories that fill it in, and the loop that follows a message. */
import { showAnswer } from './demo-decision.js';
import { byId, call, compact, el, freshId, freshNumber, isNumber, pause, spaced } from './demo-kit.js';
import { createOwnForm } from './demo-own-form.js';
import { createPhone } from './demo-phone.js';
import { stories } from './demo-stories.js';

/** The customers of scripts/demo/profiles.csv. */
const SEEDED = Array.from({ length: 22 }, (_, index) => `c-${1001 + index}`);
/** States from which a message does not move any more. */
const FINAL = new Set(['delivered', 'undelivered', 'failed', 'suppressed', 'expired', 'canceled']);
/** States in which the carrier has the message. */
const TAKEN = new Set(['sent', 'delivered', 'undelivered']);
const FOLLOW_MS = 180_000;

const form = byId('form');
const fields = {
  customer: byId('customer'),
  firstName: byId('first-name'),
  number: byId('number'),
  trigger: byId('trigger'),
};
const phone = createPhone({ onReply: (words) => story?.replied?.(words) });
let newCustomer = freshId('c');
/** Whom the profile store knows, so that nobody else is asked for. */
const known = new Set(SEEDED);
let story = null;
let lastEvent = null;
/** The submission whose decision is on the page. Older messages are still followed, for the phone. */
let current = 0;

const chosen = (name) => form.querySelector(`input[name="${name}"]:checked`).value;
const customerId = () => fields.customer.value || newCustomer;

function eventOf() {
  const flag = (name) => ({ true: true, false: false })[chosen(name)];
  const number = fields.number.value.trim();
  const name = fields.firstName.value.trim();
  return {
    id: freshId('signup'),
    type: fields.trigger.value,
    customer_id: customerId(),
    occurred_at: new Date().toISOString(),
    data: {
      ...(number !== '' && { MOBILE_NUMBER: number }),
      ...(flag('consent') !== undefined && { SMS_CONSENT: flag('consent') }),
      ...(flag('valid') !== undefined && { SMS_VALID: flag('valid') }),
      ...(name !== '' && { first_name: name }),
    },
  };
}

async function post(event) {
  const turn = ++current;
  lastEvent = event;
  byId('event').textContent = JSON.stringify(event, null, 2);
  byId('submit').disabled = true;
  const { ok, body } = await call('POST', '/v1/events', event);
  byId('submit').disabled = false;
  byId('problem').hidden = ok;
  if (!ok) {
    byId('problem').textContent = body?.detail ?? 'The server gave no answer that this page understands.';
    return;
  }
  byId('again').hidden = false;
  await present(body, event, turn);
}

/** Shows what was decided and follows its messages. */
async function present(answer, event, turn) {
  const update = showAnswer(answer);
  if (answer.messages.length === 0) {
    await phone.show(eventNumber(event));
    await phone.refuse(eventNumber(event), 'No live campaign listens to this event.');
  }
  for (const message of answer.messages) void follow(message, event, answer.duplicate, turn, update);
  if (matchMedia('(max-width: 820px)').matches) byId('phone').scrollIntoView({ block: 'start' });
}

/** What became of the form for other pages: the page that posted it is told nothing, so the source's record is read. */
async function presentDelivery(delivery, number) {
  const turn = ++current;
  const event = { data: { MOBILE_NUMBER: number ?? '' } };
  if (delivery.outcome === 'refused') {
    await phone.show(number);
    await phone.refuse(number, delivery.detail ?? `Refused: ${delivery.reason}`);
    return;
  }
  const { messages = [], duplicate = false } = delivery.events[0] ?? {};
  const answers = await Promise.all(messages.map(({ id }) => call('GET', `/v1/messages/${id}`)));
  await present({ messages: answers.filter(({ ok }) => ok).map(({ body }) => body), duplicate }, event, turn);
}

const eventNumber = (event) => {
  const number = event.data.MOBILE_NUMBER ?? '';
  return isNumber(number) ? compact(number) : null;
};

/** Follows one message until it rests: text on the phone, state below it, timeline in the decision. */
async function follow(message, event, duplicate, turn, update) {
  const number = message.decision?.number?.value ?? eventNumber(event);
  const showing = phone.show(number);
  if (message.state !== 'suppressed') phone.wait(number, true);
  await showing;
  if (message.state === 'suppressed' && !duplicate) {
    await phone.refuse(number, (message.decision?.text ?? '').replace(/^Not sent\. /, ''));
  }
  const start = Date.now();
  let taken = false;
  while (Date.now() - start < FOLLOW_MS) {
    const { ok, body } = await call('GET', `/v1/messages/${message.id}`);
    if (ok) {
      phone.setState(message.id, body.state);
      taken = TAKEN.has(body.state);
      await phone.refresh();
      if (turn === current) update(body);
      const resting = FINAL.has(body.state);
      if (taken || resting) phone.wait(number, false);
      if (resting) {
        if (!taken && message.state !== 'suppressed') await phone.refuse(number, body.text ?? body.state);
        return;
      }
    }
    await pause(taken ? 400 : Date.now() - start < 3000 ? 80 : 1000);
  }
  phone.wait(number, false);
}

async function describeCustomer() {
  const id = customerId();
  const { ok, body } = known.has(id) ? await call('GET', `/v1/profiles/${id}`) : { ok: false };
  if (id !== customerId()) return;
  const hint = byId('customer-hint');
  const name = body?.attributes.first_name;
  fields.firstName.placeholder = name ? `${name}, says the profile` : '';
  if (!ok) {
    hint.replaceChildren(`The profile store knows nothing of ${id} yet.`);
    return;
  }
  const use =
    body.MOBILE_NUMBER === null ? null : el('button', { type: 'button', class: 'link' }, 'Use this number');
  use?.addEventListener('click', () => {
    fields.number.value = body.MOBILE_NUMBER;
    void phone.show(formNumber());
  });
  hint.replaceChildren(
    `The profile says: number ${body.MOBILE_NUMBER === null ? 'missing' : spaced(body.MOBILE_NUMBER)}, consent ${word(body.SMS_CONSENT)}, valid ${word(body.SMS_VALID)}. `,
    ...(use ? [use] : []),
  );
}

/** Stands for the batch that brings a new customer's profile. */
async function writeProfile(profile) {
  const id = customerId();
  const { ok } = await call('PUT', `/v1/profiles/${id}`, profile);
  if (ok) known.add(id);
  await describeCustomer();
  return ok;
}

const word = (flag) => (flag === null ? 'blank' : flag ? 'yes' : 'no');
const formNumber = () => (isNumber(fields.number.value) ? compact(fields.number.value) : null);

/** The seeded customers with what their profiles say now; the feed may still be on its way at the first start. */
async function listCustomers() {
  const answers = await Promise.all(SEEDED.map((id) => call('GET', `/v1/profiles/${id}`)));
  const group = el('optgroup', { label: 'From last night’s batch' });
  for (const { ok, body } of answers) {
    if (!ok) continue;
    const number =
      body.MOBILE_NUMBER === null ? 'no number' : isNumber(body.MOBILE_NUMBER) ? 'number' : 'unusable number';
    const label = `${body.attributes.first_name} · ${number}, consent ${word(body.SMS_CONSENT)}, valid ${word(body.SMS_VALID)}`;
    group.append(el('option', { value: body.customer_id }, label));
  }
  fields.customer.replaceChildren(el('option', { value: '' }, 'A new customer'), group);
}

async function listTriggers() {
  const { ok, body } = await call('GET', '/v1/campaigns');
  const live = ok ? body.campaigns.filter((campaign) => campaign.state === 'live') : [];
  const options = new Map();
  for (const { trigger, name, channel } of live) {
    options.set(trigger, [...(options.get(trigger) ?? []), `${name} (${channel.toUpperCase()})`]);
  }
  options.set('page.viewed', ['no campaign listens']);
  fields.trigger.replaceChildren(
    ...[...options].map(([type, names]) => el('option', { value: type }, `${type} → ${names.join(', ')}`)),
  );
  if (options.has('signup.converted')) fields.trigger.value = 'signup.converted';
}

async function listNumbers() {
  const { ok, body } = await call('GET', '/sandbox/numbers');
  if (!ok) return;
  byId('numbers').replaceChildren(
    ...body.map(({ number, summary }) => {
      const button = el('button', { type: 'button', class: 'link' }, spaced(number));
      button.addEventListener('click', () => {
        fields.number.value = spaced(number);
        void phone.show(number);
      });
      return el('li', {}, button, ` ${summary}`);
    }),
  );
}

/** Fills in the form. What is left out gets the value of the plain signup. */
async function fill({
  customer = '',
  firstName = '',
  number = freshNumber(),
  consent = 'true',
  valid = 'true',
}) {
  newCustomer = freshId('c');
  fields.customer.value = customer;
  fields.firstName.value = firstName;
  fields.number.value = number;
  for (const [name, value] of Object.entries({ consent, valid })) {
    form.querySelector(`input[name="${name}"][value="${value}"]`).checked = true;
  }
  if (fields.trigger.value === 'page.viewed') fields.trigger.value = 'signup.converted';
  await Promise.all([describeCustomer(), phone.show(formNumber())]);
}

function tell(chosenStory) {
  story = chosenStory;
  for (const button of byId('stories').children) {
    button.setAttribute('aria-pressed', String(button.textContent === story.title));
  }
  byId('story').replaceChildren(...story.tell({ writeProfile }));
  return fill(story.fill());
}

form.addEventListener('submit', (submit) => {
  submit.preventDefault();
  void post(eventOf());
});
byId('again').addEventListener('click', () => void post(lastEvent));
fields.customer.addEventListener('change', () => {
  newCustomer = freshId('c');
  // The name belongs to the customer; the profile has one.
  fields.firstName.value = fields.customer.value === '' ? 'Ada' : '';
  void describeCustomer();
});
fields.number.addEventListener('change', () => void phone.show(formNumber()));
form.addEventListener('input', () => {
  byId('event').textContent = JSON.stringify(eventOf(), null, 2);
});
byId('test-numbers').addEventListener('toggle', () => void listNumbers(), { once: true });

createOwnForm({ onDelivery: presentDelivery });
byId('stories').append(
  ...stories.map((item) => {
    const button = el('button', { type: 'button', class: 'chip', 'aria-pressed': 'false' }, item.title);
    button.addEventListener('click', () => void tell(item));
    return button;
  }),
);
await Promise.all([listCustomers(), listTriggers()]);
await tell(stories[0]);
byId('event').textContent = JSON.stringify(eventOf(), null, 2);
document.documentElement.dataset.ready = 'true';
