/** The batch card: the latest import of profiles, live, and a file to import by hand. */
import { byId, el, pause, send } from './demo-kit.js';

/** An import that runs is looked at often; one that has ended, in case another begins. */
const BUSY_MS = 700;
const IDLE_MS = 5000;
const MAX_ERRORS = 5;
/** What the states are called here. */
const HEADLINES = {
  queued: 'Waiting for its turn',
  running: 'Importing',
  done: 'Imported',
  failed: 'Not imported',
  refused: 'Waits for a person’s yes',
  superseded: 'Overtaken by a newer file',
  canceled: 'Canceled',
};
const TONES = { done: 'good', failed: 'bad', refused: 'bad', canceled: 'bad' };
const RUNNING = new Set(['running', 'queued']);

const whole = new Intl.NumberFormat('en');
const picker = byId('batch-file');
const bar = byId('batch-bar');
/** The run that this page has started; others are shown when they are newer. */
let own = null;
let shown = '';

function show(run) {
  const text = JSON.stringify(run);
  // Unchanged text is not written again, so that it is not read out again.
  if (text === shown) return;
  shown = text;
  byId('batch-empty').hidden = true;
  byId('batch-run').hidden = false;
  const headline = byId('batch-state');
  setText(headline, HEADLINES[run.state] ?? run.state);
  headline.dataset.tone = TONES[run.state] ?? 'open';
  setText(byId('batch-name'), nameOf(run));
  setText(byId('batch-detail'), run.detail ?? '');
  showBar(run);
  byId('batch-counts').replaceChildren(...counts(run));
  const errors = run.errors ?? [];
  byId('batch-errors').hidden = errors.length === 0;
  byId('batch-error-list').replaceChildren(...errors.slice(0, MAX_ERRORS).map(rejected));
}

/** Without a value the bar says that something is done, not how much of it. */
function showBar(run) {
  const running = RUNNING.has(run.state);
  bar.hidden = !running;
  setText(byId('batch-left'), running ? leftOf(run) : '');
  if (!running) return;
  const share = run.progress ?? null;
  if (share === null) bar.removeAttribute('value');
  else bar.value = share;
}

function leftOf({ progress, rows_per_second, eta_seconds }) {
  return [
    progress === null || progress === undefined ? null : `${Math.floor(progress * 100)} %`,
    rows_per_second ? `${whole.format(rows_per_second)} rows a second` : null,
    typeof eta_seconds === 'number'
      ? `about ${eta_seconds < 60 ? `${eta_seconds} s` : `${Math.ceil(eta_seconds / 60)} min`} left`
      : null,
  ]
    .filter((part) => part !== null)
    .join(' · ');
}

function counts(run) {
  const rows = [
    ['read', run.rows_read],
    [run.dry_run ? 'would be written' : 'written', run.rows_written],
    ['unchanged', run.rows_unchanged],
    ['older than stored', run.rows_stale],
    ['rejected', run.rows_rejected],
    ['cleared', run.rows_cleared],
  ];
  return rows
    .filter(([name, count]) => typeof count === 'number' && (count > 0 || name === 'read'))
    .map(([name, count]) => el('div', {}, el('dt', {}, name), el('dd', {}, whole.format(count))));
}

const rejected = ({ line, field, reason }) =>
  el('li', {}, `Line ${line}: `, el('code', {}, field), ` ${reason}`);

/** A pushed file is stored under its hash, which tells a person nothing. */
function nameOf(run) {
  if (own?.id === run.id) return own.name;
  const last = (run.document ?? '').split('/').pop();
  return /^([0-9a-f]{64})?$/.test(last) ? 'a pushed file' : last;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

async function follow() {
  for (;;) {
    const running = document.hidden ? false : await look();
    await pause(running ? BUSY_MS : IDLE_MS);
  }
}

/** @returns whether an import is under way. */
async function look() {
  const { ok, body } = await send('GET', '/v1/sync/runs?limit=1');
  const newest = ok ? body.runs[0] : undefined;
  if (!newest) return false;
  // The list leaves out rejected rows.
  const one = await send('GET', `/v1/sync/runs/${encodeURIComponent(newest.id)}`);
  show(one.ok ? one.body : newest);
  return RUNNING.has(newest.state);
}

function typeOf(name) {
  return /\.(ndjson|jsonl)(\.gz)?$/i.test(name) ? 'application/x-ndjson' : 'text/csv';
}

async function push(file) {
  picker.disabled = true;
  byId('batch-problem').hidden = true;
  setText(byId('batch-said'), `Sending ${file.name} …`);
  const { ok, body } = await send('POST', '/v1/profiles/import', file, typeOf(file.name));
  picker.disabled = false;
  picker.value = '';
  setText(
    byId('batch-said'),
    ok && body.duplicate ? 'These very bytes were imported before; this is their run.' : '',
  );
  if (!ok) {
    byId('batch-problem').hidden = false;
    setText(byId('batch-problem'), body?.detail ?? 'The server gave no answer that this page understands.');
    return;
  }
  own = { id: body.id, name: file.name };
  show(body);
  while (RUNNING.has((await current(body.id))?.state)) await pause(BUSY_MS);
}

async function current(id) {
  const { ok, body } = await send('GET', `/v1/sync/runs/${encodeURIComponent(id)}`);
  if (ok) show(body);
  return ok ? body : null;
}

picker.addEventListener('change', () => {
  const [file] = picker.files;
  if (file) void push(file);
});
void follow();
