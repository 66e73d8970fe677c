/**
 * Writes `docs/resolution.md` from the decision tables, so that the page cannot say anything but what the code does.
 *
 *   node scripts/docs.ts           writes the page
 *   node scripts/docs.ts --check   exits 1 if the page is stale
 *
 * Tables, flowcharts, policies and reasons are read from `src/domain`; only the prose around them stands here.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { POLICY_OPTIONS, type PolicyKey, PRESETS, STRICT } from '../src/domain/policy.ts';
import { CONTENT_REASONS, DELIVERY_REASONS, RULE_REASONS } from '../src/domain/reasons.ts';
import { FLAG_RULES } from '../src/domain/tables.ts';
import { type ChartNode, flowcharts, type Stage } from '../src/flowchart/chart.ts';
import { flowchartMermaid } from '../src/flowchart/mermaid.ts';

const PAGE = new URL('../docs/resolution.md', import.meta.url);
const keys = Object.keys(POLICY_OPTIONS) as PolicyKey[];
const flagRules = Object.values(FLAG_RULES);
const charts = flowcharts({});
const stages = charts.flatMap((chart) => chart.stages);

const code = (text: string): string => `\`${text}\``;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A cell in words: its effect, or the question that it asks with the effect of each answer. */
function cellText(node: ChartNode): string {
  if (node.kind === 'effect') return node.reason === null ? node.text : `block ${code(node.reason)}`;
  const answers = node.branches.map(
    ({ label, isDefault, to }) => `${code(label)}${isDefault ? ' (default)' : ''}: ${cellText(to)}`,
  );
  return `by policy **${code(node.text)}**<br>${answers.join('<br>')}`;
}

/** A rule's table with the profile's states down and the event's states across. */
function grid(rule: Stage['rule']): string {
  const rows = stages
    .filter((stage) => stage.rule === rule)
    .flatMap(({ root }) => root.branches)
    .map(({ label, to }) => ({ label, cells: to.kind === 'effect' ? [] : to.branches }));
  // The longest row has all of the event's states, under names that tell them apart.
  const widest = rows.toSorted((a, b) => b.cells.length - a.cells.length)[0]?.cells ?? [];
  return table(
    ['profile \\ event', ...widest.map(({ label }) => label)],
    rows.map(({ label, cells }) => [
      `**${label}**`,
      ...widest.map(({ answer }) => {
        const cell = cells.find((one) => one.answer === answer);
        return cell ? cellText(cell.to) + (cell.note === null ? '' : ` (${cell.note})`) : '–';
      }),
    ]),
  );
}

const flagNames = table(
  ['in this table', ...flagRules.map((rule) => `for ${code(rule.name)}`)],
  [
    ...(['consent_conflict', 'consent_absent'] as const).map((key) => [
      code(key),
      ...flagRules.map((rule) => code(rule.keys[key])),
    ]),
    ...(['deny', 'silent'] as const).map((effect) => [
      code(FLAG_RULES.consent.reasons[effect]),
      ...flagRules.map((rule) => code(rule.reasons[effect])),
    ]),
  ],
);

const [numberChart, permissionChart] = charts.map(
  (chart) => `\`\`\`mermaid\n${flowchartMermaid(chart)}\`\`\``,
);

/** Every cell that asks the policy: our reading of the missing pictures. */
const openCells = stages.flatMap(({ rule, root }) =>
  root.branches.flatMap((profile) =>
    (profile.to.kind === 'effect' ? [] : profile.to.branches).flatMap(({ label, to }) =>
      to.kind === 'policy' ? [{ rule, profile: profile.label, event: label, asks: to }] : [],
    ),
  ),
);

const openTable = table(
  ['attribute', 'profile', 'event', 'question', 'by default'],
  openCells.map(({ rule, profile, event, asks }) => {
    const byDefault = asks.branches.filter((branch) => branch.isDefault);
    const effect = byDefault.map(({ label, to }) => `${code(label)}: ${cellText(to)}`).join();
    return [code(rule), profile, event, code(asks.text), effect];
  }),
);

/** A question with what each answer does, cell by cell. */
function question(key: PolicyKey): string {
  const cells = openCells.filter(({ asks }) => asks.text === key);
  const options = POLICY_OPTIONS[key].map((answer, i) => {
    const effects = cells.flatMap(({ profile, event, asks }) => {
      const where = cells.length > 1 ? `profile ${profile}, event ${event}: ` : '';
      return asks.branches.filter((one) => one.answer === answer).map(({ to }) => where + cellText(to));
    });
    return `- ${code(answer)}${i === 0 ? ' (default)' : ''}: ${effects.join('; ') || settingText(key, answer)}`;
  });
  const where = cells.map(({ profile, event }) => `${profile} in the profile and ${event} in the event`);
  const asked =
    cells.length > 0
      ? `Asked where ${code(cells[0]?.rule ?? '')} is ${where.join(', or ')}.`
      : 'Asked by no cell: it bears on what goes into the table.';
  return [`### ${code(key)}`, '', asked, '', ...options].join('\n');
}

/** What a question that no cell asks means, in the words of the picture. */
function settingText(key: string, answer: string): string {
  const policy = { ...STRICT, [key]: key in POLICY_OPTIONS ? answer : answer === 'true' };
  const settings = flowcharts({ policy }).flatMap((chart) => chart.stages.flatMap((stage) => stage.settings));
  return settings.find((one) => one.key === key)?.text ?? '';
}

const presetNames = Object.keys(PRESETS);
const presetTable = table(
  ['question', ...presetNames.map(code)],
  [...keys, 'bind_flags_to_number' as const].map((key) => [
    code(key),
    ...Object.values(PRESETS).map(({ document }) => {
      const answer = String(document[key]);
      return document[key] === STRICT[key] ? answer : `**${answer}**`;
    }),
  ]),
);
const presets = Object.entries(PRESETS).map(
  ([
    name,
    {
      summary,
      when,
      document: { attestation },
    },
  ]) =>
    `- ${code(name)}: ${summary}\n  *When:* ${when}${attestation ? `\n  *Attestation:* ${attestation.disclosure} (${attestation.attested_by})` : ''}`,
);

const reasonTable = (reasons: Readonly<Record<string, string>>): string =>
  table(
    ['reason', 'in words'],
    Object.entries(reasons).map(([reason, text]) => [code(reason), text]),
  );

const page = `# How a number and two flags are resolved

<!-- Generated by \`node scripts/docs.ts\` from src/domain. Do not edit: change the tables and run it again. -->

A triggered message needs three attributes: \`MOBILE_NUMBER\`, \`SMS_CONSENT\` and \`SMS_VALID\`. Each of them may come from
the customer's profile, from the event that triggers the message, or from both. This page says what happens in every
combination. It is made from the tables that the code evaluates, so it cannot say anything else than the code does.

A number is *missing*, *usable* or *unusable* (there is something, but nothing that we would text). A flag is *true*,
*false* or *missing*. Blank and null are missing, never false.

## The order of the rules

1. \`MOBILE_NUMBER\`: which number is used, if any.
2. Suppression: has this number opted out?
${flagRules.map((rule, i) => `${i + 3}. ${code(rule.name)}`).join('\n')}

Every rule is asked, also after one that blocks, so that a decision shows everything there is to mend. The reason of a
decision is the first rule that blocks, in this order. If none blocks, the message is made from its template and sent.

## \`MOBILE_NUMBER\`

Two numbers are compared after both have been read into E.164, so two spellings of one number are the same number.

${grid('MOBILE_NUMBER')}

${numberChart}

## Suppression

A number that has opted out is not texted, whatever profile and event say, and whichever customer it was who opted out. Only
a newer, explicit opt-in on this number lifts that. A row in a batch never does. Where no number was chosen there is
nothing to look up.

## \`SMS_CONSENT\` and \`SMS_VALID\`

One table for both flags. It is read twice, once for each, and both must allow. With the names of \`SMS_CONSENT\`:

${grid(FLAG_RULES.consent.name)}

The policy answers for each flag by itself, and each flag has its own reasons:

${flagNames}

${permissionChart}

## Flags belong to a number

Where both sides have a usable number and the two differ, a \`true\` from the side whose number is not used vouched for
another number. It does not count, and the table is read as if that side had said nothing. A \`false\` counts from either
side. The policy's \`bind_flags_to_number\` switches this:

${['true', 'false'].map((answer) => `- ${code(answer)}${String(STRICT.bind_flags_to_number) === answer ? ' (default)' : ''}: ${settingText('bind_flags_to_number', answer)}`).join('\n')}

## Policies

A policy answers the questions that the tables leave open. A campaign names its policy, every decision records the name and
version that it used, and a version that has decided something is never changed. The first answer to each question is
the default, the answer of \`strict\`, and holds where a policy leaves the question out.

${keys.map(question).join('\n\n')}

### Presets

Every installation has these. What differs from \`strict\` is bold.

${presetTable}

${presets.join('\n')}

A policy that reads silence as consent must carry an attestation: who vouches that every trigger comes with express
consent, and where the disclosure can be read.

## Reasons

Codes are added, never renamed. From the rules on this page:

${reasonTable(RULE_REASONS)}

From the message itself, once the rules allow it:

${reasonTable(CONTENT_REASONS)}

On the way, after a message was accepted:

${reasonTable(DELIVERY_REASONS)}

## What would have changed the outcome

A decision lists its counterfactuals: what would have had to be different for the opposite outcome. In ten seconds: change
one input, ask the same tables again, and if the outcome turns, that is an answer. Then try two changes together, then
three, and leave out every set of which a part was already enough.

What they do not say:

- They are about the inputs, under the same policy. Another policy might also have changed the outcome; a dry run shows that.
- "Another usable number" is assumed not to have opted out. A number given as an example is fictional.
- After an opt-out they never suggest another number: that would be a way around the person, not a mend. What is left is a
  new opt-in on this number, together with whatever the flags need besides.
- They say what would have changed the decision, not what would be true. Setting \`SMS_CONSENT\` to true without having asked
  the customer is not a mend.

## What the source says, and what is our reading

The rules come from a product page that states some of them in words and draws the rest as two flowcharts. We have the
words. We do not have the pictures.

In words, the page says:

- A \`MOBILE_NUMBER\` in the event "will be used instead of the customer profile's MOBILE_NUMBER if the latter is missing".
- Where the two numbers differ, one is chosen "based on predefined prioritization rules". The rules are in the first picture.
- \`SMS_CONSENT\` and \`SMS_VALID\` may be in the event, and this is optional: "The safest approach is to exclude these fields unless
  the data is reliably captured at registration time."
- Where they conflict or are missing, rules are applied "to ensure compliance and best practices". They are in the second
  picture, which applies to both flags.
- All three attributes must be there in the end, "via profile data or event data".

What is our reading of the two pictures: every cell that asks the policy. Each has a default that sends less rather than
more, or keeps to the number that was there first, and each can be answered otherwise, by name and on record.

${openTable}

Also ours, and not on the page: what counts as unusable and what follows from it, that flags belong to a number, and the place
of suppression. The other cells follow from the words where one side speaks, or both say the same.

The page's advice has a price under \`strict\`. If the event leaves the flags out and the profile does not have them yet,
nobody has said that the customer agreed, and nothing is sent (${code(FLAG_RULES.consent.reasons.silent)}). Whoever wants to text such
customers at once captures consent on the form and puts it in the event, or answers ${code(FLAG_RULES.consent.keys.consent_absent)} and
${code(FLAG_RULES.validity.keys.consent_absent)} with \`send\` and vouches for it.
`;

if (process.argv.includes('--check')) {
  let written = '';
  try {
    written = readFileSync(PAGE, 'utf8');
  } catch {
    // A page that is not there is stale.
  }
  if (written !== page) {
    console.error(
      'docs/resolution.md does not match the decision tables. Run `node scripts/docs.ts` and commit it.',
    );
    process.exit(1);
  }
  console.log('docs/resolution.md matches the decision tables.');
} else {
  writeFileSync(PAGE, page);
  console.log('Wrote docs/resolution.md.');
}
