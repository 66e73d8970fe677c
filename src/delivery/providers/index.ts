/** The providers that can be configured. A new one is a file in this folder, a name in names.ts and a line here. */
import type { Runtime } from '../../platform/runtime.ts';
import type { Provider, ProviderDefinition } from '../provider.ts';
import { sandboxProvider } from '../sandbox/carrier.ts';
import { bird } from './bird.ts';
import { infobip } from './infobip.ts';
import type { ProviderName } from './names.ts';
import { plivo } from './plivo.ts';
import { sinch } from './sinch.ts';
import { telnyx } from './telnyx.ts';
import { twilio } from './twilio.ts';
import { vonage } from './vonage.ts';
import { webhook } from './webhook.ts';

const DEFINITIONS = {
  bird,
  infobip,
  plivo,
  sinch,
  telnyx,
  twilio,
  vonage,
  webhook,
} satisfies Record<Exclude<ProviderName, 'sandbox'>, ProviderDefinition>;

/** The adapter of this name; `undefined` for the sandbox, which lives in the Worker itself, and for what nobody knows. */
export function definitionOf(name: string): ProviderDefinition | undefined {
  return Object.hasOwn(DEFINITIONS, name) ? DEFINITIONS[name as keyof typeof DEFINITIONS] : undefined;
}

/** @throws where the name is none of a provider; nothing is sent through a guess. */
export function providerFor(runtime: Runtime, name: string): Provider {
  if (name === 'sandbox') return sandboxProvider(runtime);
  const definition = definitionOf(name);
  if (!definition)
    throw new Error(`unknown provider "${name}"; known: sandbox, ${Object.keys(DEFINITIONS).join(', ')}`);
  return definition.connect(runtime);
}

/** Variables and secrets that are not set, by name only, without which this provider cannot send. */
export function missingToSend(runtime: Pick<Runtime, 'variable'>, name: string): readonly string[] {
  return unset(runtime, name, (definition) => neededToSend(runtime, definition));
}

/** As `missingToSend`, and those without which its callbacks are refused. */
export function missingSettings(runtime: Pick<Runtime, 'variable'>, name: string): readonly string[] {
  return unset(runtime, name, (definition) => [
    ...neededToSend(runtime, definition),
    ...definition.requiredForCallbacks,
  ]);
}

function neededToSend(
  runtime: Pick<Runtime, 'variable'>,
  { required, insteadOfRequired }: ProviderDefinition,
): readonly string[] {
  return insteadOfRequired?.some((variable) => runtime.variable(variable)) ? insteadOfRequired : required;
}

/** A name that is none of a provider is itself what is wrong with the setting PROVIDER. */
function unset(
  runtime: Pick<Runtime, 'variable'>,
  name: string,
  wanted: (definition: ProviderDefinition) => readonly string[],
): readonly string[] {
  if (name === 'sandbox') return [];
  const definition = definitionOf(name);
  if (!definition) return ['PROVIDER'];
  return [...new Set(wanted(definition))].filter((variable) => runtime.variable(variable) === undefined);
}
