import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDue, nextRun, scheduleFields } from '../../../src/profiles/feeds/schedule.ts';

const at = (text: string): number => Date.parse(text);
const schedule = (cron: string, time_zone?: string) => scheduleFields.parse({ cron, time_zone });
/** The next times, each after the one before. */
function times(cron: string, zone: string, from: string, count: number): string[] {
  const found: string[] = [];
  for (let time = at(from); found.length < count; ) {
    time = nextRun(schedule(cron, zone), time) ?? Number.NaN;
    found.push(new Date(time).toISOString().slice(0, 16));
  }
  return found;
}

describe('a schedule comes', () => {
  it.each([
    [
      'in its zone',
      '30 4 * * *',
      'Asia/Kolkata',
      '2026-11-20T00:00:00Z',
      ['2026-11-20T23:00', '2026-11-21T23:00'],
    ],
    [
      'once where the clock jumps over it',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T12:00:00Z',
      ['2026-03-29T01:00', '2026-03-30T00:30'],
    ],
    [
      'once where the clock passes it twice',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-10-24T12:00:00Z',
      ['2026-10-25T00:30', '2026-10-26T01:30'],
    ],
    [
      'in both hours where it is for every hour',
      '0 * * * *',
      'Europe/Berlin',
      '2026-10-24T23:30:00Z',
      ['2026-10-25T00:00', '2026-10-25T01:00', '2026-10-25T02:00'],
    ],
    ['on workdays', '0 6 * * 1-5', 'UTC', '2026-11-20T07:00:00Z', ['2026-11-23T06:00', '2026-11-24T06:00']],
    [
      'on the last day of a month',
      '0 3 L * *',
      'America/New_York',
      '2026-02-01T00:00:00Z',
      ['2026-02-28T08:00', '2026-03-31T07:00'],
    ],
  ])('%s', (_, cron, zone, from, expected) => {
    expect(times(cron, zone, from, expected.length)).toEqual(expected);
  });

  it.each([
    ['not before its time', '2026-11-20T03:58:00Z', '2026-11-20T03:59:00Z', false],
    ['at its time', '2026-11-20T03:59:00Z', '2026-11-20T04:00:00Z', true],
    ['not twice', '2026-11-20T04:00:00Z', '2026-11-20T04:01:00Z', false],
    ['once though ticks of three days were missed', '2026-11-17T00:00:00Z', '2026-11-20T05:00:00Z', true],
    ['and not again after that', '2026-11-20T05:00:00Z', '2026-11-20T05:01:00Z', false],
  ])('%s', (_, last, now, due) => {
    expect(isDue(schedule('0 4 * * *'), at(last), at(now))).toBe(due);
  });

  it('as often as it comes, whatever ticks are missed: never more than ticks, never less than once', () => {
    const everyQuarter = schedule('*/15 * * * *', 'Europe/Berlin');
    // The night on which the clock goes back.
    const start = at('2026-10-24T22:00:00Z');
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 360 }), { minLength: 1, maxLength: 100 }),
        (minutes) => {
          let last = start;
          let runs = 0;
          let expected = 0;
          for (const minute of minutes.sort((a, b) => a - b)) {
            const now = start + minute * 60_000;
            if (isDue(everyQuarter, last, now)) runs++;
            if (Math.floor(now / 900_000) > Math.floor(last / 900_000)) expected++;
            last = now;
          }
          expect(runs).toBe(expected);
        },
      ),
    );
  });
});

describe('a schedule is refused in words', () => {
  it.each([
    ['* * * *', 'cron', /must have five fields, such as "30 4 \* \* \*"/],
    ['* * * * * *', 'cron', /must have five fields/],
    ['@reboot', 'cron', /must have five fields/],
    ['61 * * * *', 'cron', /is no cron expression: invalid value for minute: 61/],
    ['0 25 * * *', 'cron', /is no cron expression: .*25/],
    ['a b c d e', 'cron', /is no cron expression/],
    ['0 0 31 2 *', 'cron', /names a day that never comes/],
    ['', 'cron', /must have five fields/],
  ])('%j', (cron, path, words) => {
    const result = scheduleFields.safeParse({ cron });
    expect(result.error?.issues).toMatchObject([{ path: [path], message: expect.stringMatching(words) }]);
  });

  it.each(['Mars/Olympus', '', 'CEST'])('the zone %j', (time_zone) => {
    const result = scheduleFields.safeParse({ cron: '0 4 * * *', time_zone });
    expect(result.error?.issues).toMatchObject([
      { path: ['time_zone'], message: 'must be an IANA time zone such as "Europe/Berlin" or "UTC"' },
    ]);
  });
});
