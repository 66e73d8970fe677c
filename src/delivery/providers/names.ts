/** The providers that a campaign or the setting PROVIDER may name; one adapter each in this folder, but for the sandbox. */
export const PROVIDER_NAMES = [
  'sandbox',
  'twilio',
  'telnyx',
  'vonage',
  'infobip',
  'sinch',
  'plivo',
  'bird',
  'webhook',
] as const;

export type ProviderName = (typeof PROVIDER_NAMES)[number];
