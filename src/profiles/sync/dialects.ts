/** How common systems name our columns. Lower case, without spaces, hyphens, dots and underscores; the first match counts. */

export type CanonicalName = 'customer_id' | 'MOBILE_NUMBER' | 'SMS_CONSENT' | 'SMS_VALID' | 'updated_at';

export const DIALECTS: Readonly<Record<CanonicalName, readonly string[]>> = {
  customer_id: [
    'customerid',
    'externalid',
    'userid',
    'contactid',
    'contactkey',
    'subscriberkey',
    'profileid',
    'id',
  ],
  MOBILE_NUMBER: [
    'mobilenumber',
    'mobilephone',
    'mobilephonenumber',
    'mobile',
    'cellphone',
    'cell',
    'msisdn',
    'smsnumber',
    'phonenumber',
    'phone',
  ],
  SMS_CONSENT: [
    'smsconsent',
    'allowsms',
    'smsmarketingconsent',
    'acceptssmsmarketing',
    'smsoptin',
    'smsoptedin',
    'smssubscribed',
    'acceptssms',
  ],
  SMS_VALID: [
    'smsvalid',
    'issmsverified',
    'smsverified',
    'ismobileverified',
    'mobileverified',
    'phoneverified',
  ],
  updated_at: [
    'updatedat',
    'lastupdatedat',
    'lastupdated',
    'modifiedat',
    'lastmodified',
    'lastmodifiedat',
    'updatedtime',
  ],
};

export const BLANK_COLUMNS: Readonly<Record<CanonicalName, number>> = {
  customer_id: -1,
  MOBILE_NUMBER: -1,
  SMS_CONSENT: -1,
  SMS_VALID: -1,
  updated_at: -1,
};
