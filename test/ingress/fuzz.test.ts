import fc from 'fast-check';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { call, putCampaign } from '../support.ts';

vi.setConfig({ testTimeout: 60_000 });
const RUNS = { numRuns: 150 };

let type: string;
beforeAll(async () => {
  ({ trigger: type } = await putCampaign());
});

/** Whatever comes in, what goes out is an answer or a problem that says what to mend; never an error of ours. */
async function isAnswered(path: string, body: string | Uint8Array): Promise<void> {
  const answer = await call('POST', path, body);
  expect(answer.status).toBeLessThan(500);
  if (answer.status >= 400) {
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.body.detail.length).toBeGreaterThan(10);
  }
}

const strange = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '__proto__',
    'constructor',
    '\ud800',
    '\u0000',
    '',
    ' ',
    '+',
    '٠١٢٣٤٥٦٧٨٩',
    '+14155550123',
    'true',
    '\u202e',
  ),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue(),
);

const event = fc.record(
  {
    id: fc.oneof(fc.uuid(), strange),
    type: fc.oneof(fc.constant('signup'), strange),
    customer_id: fc.oneof(fc.uuid(), strange),
    occurred_at: fc.oneof(fc.date({ noInvalidDate: true }).map(String), strange),
    data: fc.oneof(
      fc.record(
        {
          MOBILE_NUMBER: strange,
          mobile_number: strange,
          SMS_CONSENT: strange,
          sms_valid: strange,
          first_name: strange,
        },
        { requiredKeys: [] },
      ),
      fc.dictionary(fc.string({ unit: 'binary' }), strange),
      strange,
    ),
  },
  { requiredKeys: [] },
);

describe('whatever is posted', () => {
  it('bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), (bytes) => isAnswered('/v1/events', bytes)),
      RUNS,
    );
  });

  it('JSON of any shape', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json(), (json) => isAnswered('/v1/events', json)),
      RUNS,
    );
  });

  it('events of any content, one or many', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(event, fc.array(event, { maxLength: 5 })), (body) =>
        isAnswered('/v1/events', JSON.stringify(body)),
      ),
      RUNS,
    );
  });

  it('good events with anything in their data', async () => {
    const data = fc.dictionary(fc.string(), strange);
    await fc.assert(
      fc.asyncProperty(fc.uuid(), data, (id, values) =>
        isAnswered('/v1/events', JSON.stringify({ id, type, customer_id: 'c', data: values })),
      ),
      RUNS,
    );
  });

  it('dry runs of any content', async () => {
    const body = fc.record(
      {
        profile: strange,
        data: strange,
        policy: strange,
        campaign: strange,
        suppressed: strange,
        customer_id: strange,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(body, (value) => isAnswered('/v1/decisions', JSON.stringify(value))),
      RUNS,
    );
  });
});
