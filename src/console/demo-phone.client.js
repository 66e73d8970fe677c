/** The phone: the texts that the sandbox carrier took for one number, what its owner answered, and what did not come. */
import { byId, call, capital, el, spaced } from './demo-kit.js';

const STATES = {
  sending: 'Sending',
  sent: 'Sent',
  delivered: 'Delivered',
  undelivered: 'Not delivered',
  unknown: 'No receipt yet',
};
const UNDERSTOOD = {
  opt_out: 'This number has opted out. Nothing more is sent to it.',
  opt_in: 'This number has opted in again.',
};

export function createPhone({ onReply }) {
  const thread = byId('thread');
  const scroll = byId('thread-scroll');
  /** What the page itself knows of each number: answers and notes. The texts are read from the carrier. */
  const own = new Map();
  const states = new Map();
  const shown = new Map();
  let number = null;

  for (const button of document.querySelectorAll('[data-reply]')) {
    button.addEventListener('click', () => reply(button.dataset.reply));
  }

  async function show(next) {
    if (next !== number) {
      number = next;
      shown.clear();
      thread.replaceChildren();
      byId('waiting').hidden = true;
      byId('phone-number').textContent = number === null ? 'No number yet' : spaced(number);
      for (const button of document.querySelectorAll('[data-reply]')) button.disabled = number === null;
    }
    await refresh();
  }

  async function refresh() {
    const asked = number;
    if (asked === null) {
      render([]);
      return;
    }
    const { ok, body } = await call('GET', `/sandbox/messages?limit=20&to=${encodeURIComponent(asked)}`);
    if (asked === number && ok) render(body);
  }

  function render(texts) {
    const items = [
      ...texts.map((text) => ({ key: text.id, at: Date.parse(text.accepted_at), text })),
      ...(own.get(number) ?? []),
    ].sort((a, b) => a.at - b.at);
    let added = false;
    for (const [index, item] of items.entries()) {
      // Elements stay where they are, so that a screen reader reads out only what is new.
      if (!shown.has(item.key)) {
        const element = item.text ? bubble(item.text) : ownItem(item);
        shown.set(item.key, element);
        thread.insertBefore(element, thread.children[index] ?? null);
        added = true;
      }
      if (item.text) {
        // Of a text from before this page was opened, the carrier's word is all there is: it was taken.
        const state = STATES[states.get(item.text.reference)] ?? STATES.sent;
        const label = shown.get(item.key).querySelector('.state');
        if (label.textContent !== state) label.textContent = state;
      }
    }
    byId('empty').hidden = items.length > 0;
    if (added) scroll.scrollTop = scroll.scrollHeight;
  }

  function bubble(text) {
    const time = new Date(text.accepted_at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    return el(
      'li',
      { class: 'in' },
      ...text.media_urls.map((url) =>
        el('span', { class: 'media' }, el('span', {}, 'Picture'), el('span', { class: 'url' }, url)),
      ),
      el('span', { class: 'bubble' }, text.body),
      el('span', { class: 'meta' }, `${spaced(text.from)} · ${time} · `, el('span', { class: 'state' })),
    );
  }

  function ownItem(item) {
    if (item.kind === 'note') return el('li', { class: 'note' }, item.words);
    return el('li', { class: 'out' }, el('span', { class: 'bubble' }, item.words));
  }

  function add(to, kind, words) {
    const items = own.get(to) ?? [];
    items.push({ key: `${to}#${items.length}`, at: Date.now(), kind, words });
    own.set(to, items);
  }

  async function reply(words) {
    const from = number;
    add(from, 'out', words);
    await refresh();
    const { ok, body } = await call('POST', '/sandbox/replies', { from, text: words });
    add(from, 'note', ok ? (UNDERSTOOD[body.understood_as] ?? 'An ordinary answer.') : body.detail);
    await refresh();
    onReply(words);
  }

  return {
    show,
    refresh,
    /** Says on the phone of `to` (or on the phone without a number) why nothing came. */
    async refuse(to, reason) {
      add(to, 'note', `No text. ${capital(reason)}`);
      await refresh();
    },
    setState(messageId, state) {
      states.set(messageId, state);
    },
    /** Shows that something is on its way to the phone of `to`, or no more. */
    wait(to, waiting) {
      if (to !== number) return;
      byId('waiting').hidden = !waiting;
      if (waiting) scroll.scrollTop = scroll.scrollHeight;
    },
  };
}
