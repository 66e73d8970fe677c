import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { readProfile } from '../../src/profiles/store.ts';
import { mapColumns } from '../../src/profiles/sync/mapping.ts';
import { unique } from '../support.ts';
import { makeFeed } from './feed-support.ts';

const NO_MAPPING = { columns: {}, other_columns: 'attributes' } as const;

describe('the common dialects are built in', () => {
  it.each<[string, string]>([
    ['customer_id,Mobile_Number,Allow_SMS,Is_SMS_Verified', 'Adobe-like'],
    ['id,phone,sms_marketing_consent,phone_verified', 'shop-like'],
    ['external_id,phone_number,sms_opt_in,sms_verified', 'Braze-like'],
    ['customerId,mobile,smsOptIn,smsValid', 'camel case'],
    ['User ID,Mobile Phone,SMS Consent,SMS-Valid', 'spreadsheet-like'],
    ['CUSTOMER_ID,MOBILE_NUMBER,SMS_CONSENT,SMS_VALID', 'ours'],
  ])('%s (%s)', async (header) => {
    const id = unique('c');
    const run = await (await makeFeed()).import(
      `${header},email\n${id},+14155550123,yes,0,ada@example.com\n`,
    );
    expect(run).toMatchObject({ state: 'done', rows_written: 1, errors: [] });
    expect(await readProfile(env.DB, id)).toMatchObject({
      e164: '+14155550123',
      sms_consent: 1,
      sms_valid: 0,
      attributes: '{"email":"ada@example.com"}',
    });
  });

  it('and the closest to our names counts where a file has several; the others become attributes', () => {
    const mapping = mapColumns(['id', 'customer_id', 'phone', 'mobile'], NO_MAPPING);
    expect(mapping).toMatchObject({
      customer_id: 1,
      MOBILE_NUMBER: 3,
      further: [
        { name: 'id', at: 0 },
        { name: 'phone', at: 2 },
      ],
    });
  });
});

describe('a feed’s own mapping', () => {
  it('names columns, renames attributes, and leaves out what is not wanted', async () => {
    const id = unique('c');
    const feed = await makeFeed({
      columns: {
        customer_id: ['KUNDE'],
        MOBILE_NUMBER: ['HANDY', 'TEL'],
        SMS_CONSENT: ['WERBUNG'],
        first_name: ['VORNAME'],
      },
      other_columns: 'ignore',
      default_country: 'DE',
    });
    await feed.import(`KUNDE;TEL;WERBUNG;VORNAME;GEHEIM\n${id};0151 23456789;y;Ada;x\n`);
    expect(await readProfile(env.DB, id)).toMatchObject({
      e164: '+4915123456789',
      sms_consent: 1,
      attributes: '{"first_name":"Ada"}',
    });
  });

  it('takes the place of the dialects: what it does not find is not spoken of', () => {
    const mapping = mapColumns(['customer_id', 'phone'], {
      ...NO_MAPPING,
      columns: { MOBILE_NUMBER: ['cell'] },
    });
    expect(mapping).toMatchObject({ MOBILE_NUMBER: -1, further: [{ name: 'phone', at: 1 }] });
  });
});
