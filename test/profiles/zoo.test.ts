/** Broken input: each kind ends as a clear run error or clear row errors, nothing is half applied, the next good file works. */
import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { readProfile } from '../../src/profiles/store.ts';
import { unique } from '../support.ts';
import { gzip, makeFeed, ndjson } from './feed-support.ts';

const GOOD = 'customer_id,MOBILE_NUMBER,SMS_CONSENT\n';
const rowsOf = (count: number): string =>
  Array.from({ length: count }, (_, n) => `zoo-${n}-${'x'.repeat(n % 7)},+1415555${1000 + n},true\n`).join(
    '',
  );
const encoder = new TextEncoder();
const joined = (...parts: (string | Uint8Array)[]): Uint8Array =>
  new Uint8Array(parts.flatMap((part) => [...(typeof part === 'string' ? encoder.encode(part) : part)]));

/** The customer stands in the first row of each document, where a run that wrote as it read would have written it. */
const CUSTOMER = '«customer»';

async function utf16(text: string): Promise<Uint8Array> {
  return new Uint8Array([
    0xff,
    0xfe,
    ...[...text].flatMap((c) => [c.charCodeAt(0) & 255, c.charCodeAt(0) >> 8]),
  ]);
}

type Content = (customer: string) => string | Uint8Array | Promise<string | Uint8Array>;
const first = (customer: string): string => `${GOOD}${customer},+14155550123,true\n`;

const BROKEN: Readonly<Record<string, readonly [Content, RegExp]>> = {
  'a truncated gzip': [
    async (id) => {
      const whole = await gzip(
        first(id) + Array.from({ length: 9_000 }, () => `${crypto.randomUUID()},,\n`).join(''),
      );
      return whole.subarray(0, whole.length - 2_000);
    },
    /gzip is truncated or broken/,
  ],
  'a gzip whose checksum is wrong': [
    async (id) => {
      const whole = await gzip(first(id) + rowsOf(100));
      const last = whole.length - 6;
      whole[last] = (whole[last] ?? 0) ^ 0xff;
      return whole;
    },
    /gzip is truncated or broken/,
  ],
  'a gzip header with nothing behind it': [() => new Uint8Array([0x1f, 0x8b]), /gzip is truncated or broken/],
  'a gzip within a gzip': [async (id) => await gzip(await gzip(first(id))), /another gzip/],
  'a zip bomb': [
    async (id) => await gzip(`${first(id)}${'bomb,,\n'.repeat(3_000_000)}`),
    /unpacks to more than 200 times/,
  ],
  'a zip bomb of one endless field': [
    async (id) => await gzip(`${first(id)}x,"${'0'.repeat(20_000_000)}`),
    /unpacks to more than 200 times|longer than 200000 bytes/,
  ],
  'UTF-16 text': [async (id) => await utf16(first(id)), /UTF-16/],
  'UTF-16 text without its mark': [async (id) => (await utf16(first(id))).subarray(2), /NUL bytes/],
  'Latin-1 text': [
    (id) => joined(`customer_id,name\n${id},Andr`, new Uint8Array([0xe9]), '\n'),
    /not valid UTF-8.*Latin-1/,
  ],
  'UTF-8 that ends within a character': [
    (id) => joined(first(id), 'x,', new Uint8Array([0xe2, 0x82])),
    /not valid UTF-8/,
  ],
  'a field of 10 MB': [
    (id) => `${first(id)}x,${'y'.repeat(10_000_000)},\n${rowsOf(5)}`,
    /longer than 200000 bytes/,
  ],
  'a line of 10 MB': [
    (id) => ndjson({ customer_id: id }, { customer_id: 'x', note: 'y'.repeat(10_000_000) }),
    /longer than 200000 bytes/,
  ],
  'a quote that is never closed': [
    (id) => `${first(id)}x,"open\n${rowsOf(50)}`,
    /quote is opened and never closed/,
  ],
  'text after a closing quote': [
    (id) => `${first(id)}x,"a"b,true\n${rowsOf(50)}`,
    /line 3 on .* after a closing quote/,
  ],
  'junk after a gzip': [async (id) => joined(await gzip(first(id)), 'junk'), /gzip is truncated or broken/],
  'a header that names a column twice': [(id) => `customer_id,x,x\n${id},1,2\n`, /the column "x" twice/],
  'a header with a nameless column': [
    (id) => `customer_id,,x\n${id},1,2\n`,
    /Column 2 of the header has no name/,
  ],
  'a header with __proto__': [(id) => `customer_id,__proto__\n${id},1\n`, /rename/],
  'a header without an id': [(id) => `name,SMS_CONSENT\n${id},true\n`, /no column customer_id/],
  'a header with two columns for one thing': [
    (id) => `customer_id,sms_consent,SMS-Consent\n${id},true,false\n`,
    /two columns for SMS_CONSENT/,
  ],
  'no header at all': [(id) => `${id},+14155550123,true\n${rowsOf(3)}`, /no column customer_id/],
  'a header only': [() => GOOD, /no rows/],
  'an empty object': [() => '', /no rows/],
  'a gzip of nothing': [async () => await gzip(''), /no rows/],
  'only white space': [() => '\n\n  \n', /no rows|no name/],
  'an HTML error page': [
    () => '<!DOCTYPE html><html><body>Service unavailable</body></html>',
    /web page or XML/,
  ],
  'an XML error': [
    () => '\ufeff<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    /web page or XML/,
  ],
  'a JSON array': [(id) => JSON.stringify([{ customer_id: id }]), /JSON array/],
  'one JSON document over many lines': [
    (id) => JSON.stringify({ customers: [{ customer_id: id }] }, null, 2),
    /rows are wrong/,
  ],
  'an Excel file': [() => joined(new Uint8Array([0x50, 0x4b, 3, 4]), 'xl/workbook.xml'), /ZIP or Excel/],
  'a Parquet file': [() => 'PAR1\u0015\u0004', /Parquet/],
  'NUL bytes in the middle': [(id) => `${first(id)}x,\u0000,\n`, /NUL bytes/],
  'rows of which too many are wrong': [
    (id) => `${first(id)}a,,perhaps\nb,,true\n`,
    /1 of 3 rows are wrong, more than 20 %/,
  ],
  'rows that are all wrong': [() => '{\n{\n{\n', /All 3 rows are wrong/],
};

describe('a broken document changes nothing, says why, and the next good one works:', () => {
  it.each(Object.entries(BROKEN))('%s', { timeout: 30_000 }, async (_, [content, detail]) => {
    const id = unique('zoo');
    const feed = await makeFeed();
    const run = await feed.import(await content(id));
    expect(run).toMatchObject({ state: 'failed', rows_written: 0, detail: expect.stringMatching(detail) });
    expect(run.detail).not.toContain(id);
    expect(run.detail).not.toContain('4155550123');
    expect(await readProfile(env.DB, id)).toBeNull();
    expect((await env.FEEDS.list({ prefix: '.optitext/' })).objects).toEqual([]);
    expect(await feed.import(first(id))).toMatchObject({ state: 'done', rows_written: 1 });
    expect(await readProfile(env.DB, id)).toMatchObject({ e164: '+14155550123' });
  });
});

/** Rows that are wrong by themselves: the others count. `good` of ten rows are. */
const ROWS: Readonly<Record<string, readonly [string, RegExp]>> = {
  'too many fields': [`${CUSTOMER},+14155550123,true,extra`, /has 4 fields where the header has 3/],
  'too few fields': [`${CUSTOMER},+14155550123`, /has 2 fields/],
  'a quote within a field': [`${CUSTOMER},5" phone,true`, /quote inside a field/],
  'a flag that is none': [`${CUSTOMER},,maybe`, /true or false/],
  'no id': [',+14155550123,true', /must not be empty/],
  'an id that is a prototype’s name': ['constructor,+14155550123,true', /not allowed/],
  'an id of 300 characters': [`${'c'.repeat(300)},,true`, /at most 200/],
};

describe('a broken row is left out and named, the others count:', () => {
  it.each(Object.entries(ROWS))('%s', async (_, [row, reason]) => {
    const id = unique('zoo');
    const feed = await makeFeed();
    const others = Array.from({ length: 9 }, () => `${unique('zoo')},+14155550123,true`);
    const lines = [...others.slice(0, 4), row.replace(CUSTOMER, id), ...others.slice(4)];
    const run = await feed.import(`${GOOD}${lines.join('\n')}\n`);
    expect(run).toMatchObject({ state: 'done', rows_read: 10, rows_rejected: 1, rows_written: 9 });
    expect(run.errors[0]).toMatchObject({ line: 6, reason: expect.stringMatching(reason) });
    expect(await readProfile(env.DB, id)).toBeNull();
  });
});

describe('several gzips after one another', () => {
  it('are one document, as `cat a.gz b.gz` makes it', async () => {
    const ids = [unique('zoo'), unique('zoo')];
    const feed = await makeFeed();
    const parts = [await gzip(`${GOOD}${ids[0]},,true\n`), await gzip(`${ids[1]},,true\n`)];
    expect(await feed.import(joined(...parts))).toMatchObject({ state: 'done', rows_written: 2 });
  });
});
