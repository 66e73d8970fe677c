import { describe, expect, it } from 'vitest';
import { delivery, kindOf, mapOne, sample, settings } from './deliveries.ts';

const PHONE = '+12025550123';

function answer(type: string, value: unknown, field: Record<string, unknown>) {
  return { type, [type]: value, field };
}
function response(answers: readonly unknown[], more: object = {}) {
  return { event_id: 'E1', event_type: 'form_response', form_response: { answers, ...more } };
}

describe('Typeform', () => {
  it('maps the documented sample: the phone by its question’s type, and no consent that nobody named', () => {
    const event = mapOne('typeform', sample('typeform.form_response'));
    expect(event).toMatchObject({
      id: 'LtWXD3crgy',
      type: 'form_response',
      customerId: 'abc123456',
      occurredAt: '2018-01-18T18:17:02.000Z',
    });
    expect(event.data).toMatchObject({
      MOBILE_NUMBER: PHONE,
      readable_ref_name: 'Laura',
      readable_ref_sms_consent: true,
    });
    expect(event.data).not.toHaveProperty('SMS_CONSENT');
    expect(event.payload).toMatchObject({ answers: { readable_ref_sms_consent: true } });
  });

  it.each([
    ['ref', { id: 'x', ref: 'sms_consent' }, {}],
    ['ref in capitals', { id: 'x', ref: 'SMS_CONSENT' }, {}],
    ['title', { id: 'x', ref: '7f1c' }, { definition: { fields: [{ id: 'x', title: 'SMS consent' }] } }],
  ])('knows consent by its %s', (_, field, more) => {
    const yes = mapOne('typeform', response([answer('boolean', true, field)], more));
    expect(yes.data.SMS_CONSENT).toBe(true);
    const no = mapOne('typeform', response([answer('boolean', false, field)], more));
    expect(no.data.SMS_CONSENT).toBe(false);
    const choice = mapOne('typeform', response([answer('choice', { label: 'Yes' }, field)], more));
    expect(choice.data.SMS_CONSENT).toBe(true);
    const words = mapOne('typeform', response([answer('choice', { label: 'Maybe' }, field)], more));
    expect(words.data.SMS_CONSENT).not.toBe(true);
  });

  it.each(['no_sms_consent', 'sms_consent_declined', 'Do you object to SMS consent?', 'consent'])(
    'takes "%s" for no consent',
    (ref) => {
      const event = mapOne('typeform', response([answer('boolean', true, { id: 'x', ref })]));
      expect(event.data).not.toHaveProperty('SMS_CONSENT');
    },
  );

  it('prefers a named number to another phone question, and reads hidden fields', () => {
    const answers = [
      answer('phone_number', '+12025550199', { id: 'a', ref: 'landline' }),
      answer('text', PHONE, { id: 'b', ref: 'mobile_number' }),
    ];
    const event = mapOne(
      'typeform',
      response(answers, { hidden: { sms_consent: 'yes', customer_id: 'c-1' } }),
    );
    expect(event).toMatchObject({ customerId: 'c-1', data: { MOBILE_NUMBER: PHONE, SMS_CONSENT: true } });
  });

  it('reads every type of answer', () => {
    const event = mapOne(
      'typeform',
      response([
        answer('choices', { labels: ['A', 'B'] }, { ref: 'many' }),
        answer('choice', { other: 'Own words' }, { ref: 'other' }),
        answer('number', 42, { ref: 'number' }),
        answer('date', '2026-01-01', { ref: 'date' }),
        { type: 'text', field: { ref: 'empty' } },
        { type: 'text', text: 'nameless' },
      ]),
    );
    expect(event.data).toEqual({ many: ['A', 'B'], other: 'Own words', number: 42, date: '2026-01-01' });
  });

  it('ignores a response that was not finished', () => {
    const body = JSON.stringify({ event_type: 'form_response_partial', form_response: {} });
    expect(kindOf('typeform').map(delivery(body), settings())).toMatchObject({ kind: 'ignored' });
  });
});

function tally(fields: readonly unknown[]) {
  return {
    eventId: 'a4cb511e-d513-4fa5-baee-b815d718dfd1',
    eventType: 'FORM_RESPONSE',
    createdAt: '2026-06-28T15:00:21.889Z',
    data: {
      responseId: '2wgx4n',
      respondentId: 'dwQKYm',
      formId: 'VwbNEw',
      formName: 'Newsletter',
      createdAt: '2026-06-28T15:00:21.000Z',
      fields,
    },
  };
}

describe('Tally', () => {
  it('maps a response: the phone by its type, labels, hidden fields', () => {
    const event = mapOne(
      'tally',
      tally([
        { key: 'question_3EKz4n', label: 'What is your number?', type: 'INPUT_PHONE_NUMBER', value: PHONE },
        { key: 'question_1', label: 'First name', type: 'INPUT_TEXT', value: 'Ada' },
        { key: 'question_2', label: 'customer_id', type: 'INPUT_TEXT', value: 'typed' },
        { key: 'h1', label: 'customer_id', type: 'HIDDEN_FIELDS', value: 'c-42' },
      ]),
    );
    expect(event).toMatchObject({
      id: 'a4cb511e-d513-4fa5-baee-b815d718dfd1',
      type: 'FORM_RESPONSE',
      customerId: 'c-42',
      occurredAt: '2026-06-28T15:00:21.000Z',
      data: { MOBILE_NUMBER: PHONE, 'First name': 'Ada', form_name: 'Newsletter' },
      payload: { answers: { question_3EKz4n: PHONE, 'First name': 'Ada' } },
    });
    expect(event.data).not.toHaveProperty('SMS_CONSENT');
  });

  const box = {
    key: 'q',
    label: 'SMS consent',
    type: 'CHECKBOXES',
    options: [{ id: 'o1', text: 'Yes, text me' }],
  };
  const choice = {
    key: 'q',
    label: 'sms_opt_in',
    type: 'MULTIPLE_CHOICE',
    options: [
      { id: 'o1', text: 'Yes' },
      { id: 'o2', text: 'No' },
    ],
  };
  it.each([
    ['a ticked box', { ...box, value: ['o1'] }, true],
    ['a box left empty', { ...box, value: [] }, false],
    ['a box that was never shown', { ...box, value: null }, undefined],
    ['a plain box', { key: 'sms_consent', label: 'Texts?', type: 'CHECKBOXES', value: true }, true],
    ['the choice Yes', { ...choice, value: ['o1'] }, true],
    ['the choice No', { ...choice, value: ['o2'] }, false],
    ['another box', { ...box, label: 'Terms', value: ['o1'] }, undefined],
  ])('reads consent from %s', (_, field, consent) => {
    expect(mapOne('tally', tally([field])).data.SMS_CONSENT).toBe(consent);
  });

  it('knows the respondent where no hidden field names a customer', () => {
    expect(mapOne('tally', tally([])).customerId).toBe('dwQKYm');
  });
});

describe('Webflow', () => {
  it('maps a submission of API v2, also with a phone that is a number', () => {
    const event = mapOne('webflow', {
      triggerType: 'form_submission',
      payload: {
        name: 'Contact Us',
        siteId: '65427cf400e02b306eaa049c',
        data: { 'First Name': 'Zaphod', 'Phone Number': 15550000000, 'SMS consent': 'true' },
        submittedAt: '2026-11-22T15:00:00.000Z',
        id: '6321ca84df3949bfc6752327',
      },
    });
    expect(event).toMatchObject({
      id: '6321ca84df3949bfc6752327',
      type: 'form_submission',
      customerId: null,
      occurredAt: '2026-11-22T15:00:00.000Z',
      data: {
        MOBILE_NUMBER: '15550000000',
        SMS_CONSENT: true,
        'First Name': 'Zaphod',
        form_name: 'Contact Us',
      },
    });
  });

  it('maps a submission of API v1', () => {
    const event = mapOne('webflow', {
      name: 'Sample Form',
      site: '62749158efef318abc8d5a0f',
      data: { name: 'Some One', Mobile: PHONE },
      d: '2022-09-14T12:35:16.117Z',
      _id: '6321ca84df3949bfc6752328',
    });
    expect(event).toMatchObject({
      id: '6321ca84df3949bfc6752328',
      occurredAt: '2022-09-14T12:35:16.117Z',
      data: { MOBILE_NUMBER: PHONE, name: 'Some One' },
    });
    expect(event.data).not.toHaveProperty('SMS_CONSENT');
  });

  it('ignores other triggers, and says which to take', () => {
    const body = JSON.stringify({ triggerType: 'site_publish', payload: {} });
    expect(kindOf('webflow').map(delivery(body), settings())).toMatchObject({
      kind: 'ignored',
      hint: expect.stringContaining('form_submission'),
    });
  });
});
