/** The bench's feed: always the same customers, as a warehouse would unload them. */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

const HEADER = 'customer_id,MOBILE_NUMBER,SMS_CONSENT,SMS_VALID,first_name,city,plan\n';
const NAMES = ['Ada', 'Grace', 'Edsger', 'Radia', 'Barbara', 'Donald', 'Frances', 'Ken', 'Lynn', 'Tony'];
const CITIES = ['San Francisco', 'New York', 'Chicago', 'Austin', 'Boston', 'Seattle', 'Denver'];
const PLANS = ['Basic', 'Silver', 'Gold'];
const FLAGS = ['true', 'true', 'true', 'false', ''];

/** So many in a hundred are changed in the second version of the file. */
export const CHANGED_IN_100 = 1;

/** Numbers of the North American plan, and one in ten from elsewhere, which cost the reader more. */
function numberOf(n: number): string {
  const rest = String((n * 7_919) % 10_000_000).padStart(7, '0');
  if (n % 10 === 0) return `+4479${rest.padStart(8, '1')}`;
  return `+1${['415', '212', '312', '617', '512'][n % 5]}${2 + (n % 8)}${rest.slice(1)}`;
}

function row(n: number, version: 1 | 2): string {
  const changed = version === 2 && n % (100 / CHANGED_IN_100) === 0;
  const mixed = (n * 2_654_435_761) % 4_294_967_296;
  const city = changed ? 'Portland' : CITIES[mixed % CITIES.length];
  return `c-${String(n).padStart(8, '0')},${numberOf(n)},${FLAGS[mixed % FLAGS.length]},${FLAGS[(mixed >> 4) & 3]},${NAMES[mixed % NAMES.length]},${city},${PLANS[mixed % PLANS.length]}\n`;
}

/** Writes the file twice: plain for sqlite3, packed for the feed. */
export async function writeFeed(
  folder: string,
  rows: number,
  version: 1 | 2,
): Promise<{ csv: string; gz: string }> {
  const csv = `${folder}/feed-${version}.csv`;
  const gz = `${csv}.gz`;
  const text = function* (): Generator<string> {
    let block = HEADER;
    for (let n = 0; n < rows; n++) {
      block += row(n, version);
      if (block.length < 1 << 18) continue;
      yield block;
      block = '';
    }
    yield block;
  };
  await pipeline(Readable.from(text()), createWriteStream(csv));
  await pipeline(Readable.from(text()), createGzip(), createWriteStream(gz));
  return { csv, gz };
}
