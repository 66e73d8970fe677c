import { describe, expect, it } from 'vitest';
import { bird } from '../../../src/delivery/providers/bird.ts';
import { infobip } from '../../../src/delivery/providers/infobip.ts';
import { sinch } from '../../../src/delivery/providers/sinch.ts';
import { webhook } from '../../../src/delivery/providers/webhook.ts';
import { LOOKUP, MESSAGE, scriptedWorld, signal } from './scripted-world.ts';

const COMPLETE: Readonly<Record<string, string>> = {
  BIRD_ACCESS_KEY: 'key',
  INFOBIP_BASE_URL: 'abc12.api.infobip.com',
  INFOBIP_API_KEY: 'key',
  SINCH_SERVICE_PLAN_ID: 'plan',
  SINCH_API_TOKEN: 'token',
  WEBHOOK_URL: 'https://gateway.example',
  WEBHOOK_SECRET: 'secret',
};
const DEFINITIONS = [infobip, sinch, bird, webhook];
const CASES = DEFINITIONS.flatMap((definition) =>
  definition.required.map((name) => [definition.name, name, definition] as const),
);

describe('a provider that is not set up', () => {
  it.each(CASES)('%s without %s sends nothing, and says what is missing', async (_, name, definition) => {
    const { [name]: __, ...rest } = COMPLETE;
    const blank = definition.connect(scriptedWorld({ ...rest, [name]: ' \n' }));
    expect(await blank.send(MESSAGE, signal())).toMatchObject({ error: { detail: `not set: ${name}` } });
    const world = scriptedWorld(rest);
    expect(await definition.connect(world).send(MESSAGE, signal())).toEqual({
      kind: 'rejected',
      error: { code: 'account_problem', providerCode: null, detail: `not set: ${name}` },
    });
    expect(world.requests).toEqual([]);
  });

  it.each([
    ['infobip', infobip, 'INFOBIP_BASE_URL'],
    ['sinch', sinch, 'SINCH_BASE_URL'],
    ['bird', bird, 'BIRD_BASE_URL'],
    ['webhook', webhook, 'WEBHOOK_URL'],
  ])('%s with an address that is none sends nothing', async (_, definition, name) => {
    const world = scriptedWorld({ ...COMPLETE, [name]: 'https://[nowhere' });
    const provider = definition.connect(world);
    expect(await provider.send(MESSAGE, signal())).toMatchObject({
      kind: 'rejected',
      error: { code: 'account_problem', detail: 'the address in the settings is no URL' },
    });
    expect(world.requests).toEqual([]);
    expect(await provider.lookup?.(LOOKUP, signal())).toEqual({ kind: 'cannot_tell' });
  });

  it('is named as the port wants it', () => {
    for (const definition of DEFINITIONS) {
      const provider = definition.connect(scriptedWorld(COMPLETE));
      expect(provider.name).toBe(definition.name);
      expect(definition.requiredForCallbacks).toHaveLength(1);
    }
  });
});
