/** The decision in plain words: outcome, rules in their order, what would have changed it, timeline, and the data. */
import { byId, capital, el, pictureUrl, spaced } from './demo-kit.js';

const QUESTIONS = {
  MOBILE_NUMBER: 'Which number?',
  suppression: 'Opted out?',
  SMS_CONSENT: 'May we text?',
  SMS_VALID: 'Valid for texts?',
  template: 'Is there a text?',
};
const HEADLINES = {
  queued: 'On its way',
  sending: 'On its way',
  sent: 'Sent',
  delivered: 'Delivered',
  undelivered: 'Not delivered',
  failed: 'Not sent',
  unknown: 'Not known yet',
  suppressed: 'Not sent',
  held: 'Waiting',
  expired: 'Not sent',
  canceled: 'Not sent',
};
const GOOD = new Set(['sent', 'delivered']);
const BAD = new Set(['suppressed', 'failed', 'undelivered', 'expired', 'canceled']);
/** Counterfactuals that stand open; the others are one click away. */
const FIRST = 3;

/** Shows the answer to one event. @returns a function that takes each newer state of one of its messages. */
export function showAnswer(answer) {
  byId('decision-empty').hidden = true;
  const place = byId('decisions');
  const views = new Map(answer.messages.map((message) => [message.id, view(message)]));
  const repeated = answer.duplicate
    ? el(
        'p',
        { class: 'repeated' },
        'The same event came before. This is the first answer again, with ',
        el('code', {}, 'duplicate: true'),
        '; nothing is sent twice.',
      )
    : null;
  const note = answer.note ? el('p', { class: 'verdict-text' }, answer.note) : null;
  place.replaceChildren(
    ...[repeated, note, ...[...views.values()].map((item) => item.element)].filter(Boolean),
  );
  return (message) => views.get(message.id)?.update(message);
}

/** The tables with the path of this decision lit; drawn when somebody opens it. */
function flowchart(id) {
  const figure = el('figure', { class: 'flowchart' });
  const details = el('details', {}, el('summary', {}, 'The path through the tables, as a flowchart'), figure);
  details.addEventListener('toggle', async () => {
    if (!details.open || figure.childElementCount > 0) return;
    const layout = matchMedia('(min-width: 56rem)').matches ? 'wide' : 'column';
    const image = el('img', { alt: 'Flowchart of this decision; the rules above say the same in words' });
    figure.append(image);
    image.src = await pictureUrl(`/v1/messages/${encodeURIComponent(id)}/flowchart.svg?layout=${layout}`);
  });
  return details;
}

function view(message) {
  const { decision } = message;
  const headline = el('h3', { class: 'headline' });
  const verdict = el('p', { class: 'verdict-text' });
  const timeline = el('ol', { class: 'timeline' });
  const data = el('pre');
  const element = el(
    'article',
    { class: 'outcome' },
    el(
      'header',
      { 'aria-live': 'polite', 'aria-atomic': 'true' },
      headline,
      verdict,
      el('p', { class: 'quiet-text' }, `Campaign ${message.campaign}${policyOf(decision)}`),
    ),
    el(
      'div',
      { class: 'columns' },
      el(
        'section',
        {},
        el('h4', {}, 'The rules, in their order'),
        el('ol', { class: 'rules' }, ...(decision?.rules ?? []).map((rule) => ruleItem(rule, decision))),
      ),
      el('section', {}, ...counterfactuals(decision), el('h4', {}, 'What happened'), timeline),
    ),
    flowchart(message.id),
    el(
      'details',
      {},
      el('summary', {}, 'The record, as ', el('code', {}, `GET /v1/messages/${message.id}`), ' shows it'),
      data,
    ),
  );
  const update = (state) => {
    const next = HEADLINES[state.state] ?? state.state;
    // Unchanged text is not written again, so that it is not read out again.
    if (headline.textContent !== next) headline.textContent = next;
    headline.dataset.tone = GOOD.has(state.state) ? 'good' : BAD.has(state.state) ? 'bad' : 'open';
    const words = sentence(state, decision);
    if (verdict.textContent !== words) verdict.textContent = words;
    if (state.timeline) timeline.replaceChildren(...timelineItems(state));
    if (state.timeline) data.textContent = JSON.stringify(state, null, 2);
  };
  update(message);
  return { element, update };
}

const policyOf = (decision) =>
  decision ? `, policy ${decision.policy.name}, version ${decision.policy.version}` : '';

function sentence(state, decision) {
  const words = decision?.text ?? '';
  // A reason of the rules is in the decision's own sentence; one that came later is in the message's.
  if (decision?.outcome === 'deliver' && state.text) return state.text;
  return words.replace(/^Not sent\. /, '');
}

function ruleItem(rule, decision) {
  const decided = decision.reason !== null && rule.reason === decision.reason;
  const said = (side) => el('span', { class: 'said' }, el('span', {}, `${side} `), value(rule[side]));
  const sides =
    rule.rule === 'suppression' || rule.rule === 'template' ? [] : [said('profile'), said('event')];
  return el(
    'li',
    { class: decided ? 'rule decided' : 'rule' },
    el('strong', {}, QUESTIONS[rule.rule] ?? rule.rule),
    ...sides,
    el('span', { class: 'result', 'data-result': tone(rule.result) }, rule.result),
    el('p', {}, capital(rule.text)),
    el(
      'p',
      {},
      el('span', { class: 'sr' }, 'Cell: '),
      el('code', {}, rule.cell),
      decided ? ' decided this.' : null,
    ),
  );
}

function value(given) {
  if (given === null) return 'nothing';
  if (typeof given === 'boolean') return given ? 'yes' : 'no';
  return spaced(given);
}

function tone(result) {
  if (result === 'block') return 'bad';
  return result === 'not asked' ? 'open' : 'good';
}

function counterfactuals(decision) {
  const all = decision?.counterfactuals ?? [];
  if (all.length === 0) return [];
  const lead = decision.outcome === 'deliver' ? 'would not be sent if ' : 'would be sent if ';
  const item = ({ text }) => el('li', {}, text.startsWith(lead) ? text.slice(lead.length) : text);
  const more = all.slice(FIRST);
  return [
    el('h4', {}, `${capital(lead.trim())} …`),
    el('ul', { class: 'changes' }, ...all.slice(0, FIRST).map(item)),
    ...(more.length === 0
      ? []
      : [
          el(
            'details',
            {},
            el('summary', {}, `${more.length} more ${more.length === 1 ? 'way' : 'ways'}`),
            el('ul', { class: 'changes' }, ...more.map(item)),
          ),
        ]),
  ];
}

function timelineItems(message) {
  const [first] = message.timeline;
  return message.timeline.map((step) => {
    const after = Date.parse(step.at) - Date.parse(first.at);
    const when =
      step === first
        ? new Date(step.at).toLocaleTimeString()
        : `+${after < 1000 ? `${after} ms` : `${(after / 1000).toFixed(1)} s`}`;
    return el(
      'li',
      {},
      el('span', { class: 'when' }, when),
      el('span', {}, step.state),
      step.text && step.state !== 'suppressed' ? el('span', { class: 'why' }, step.text) : null,
    );
  });
}
