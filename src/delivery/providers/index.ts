/** The providers that can be configured. A new one is a file in this folder and a line here. */
import type { Runtime } from '../../platform/runtime.ts';
import type { Provider } from '../provider.ts';
import { sandboxProvider } from '../sandbox/carrier.ts';

const PROVIDERS: Readonly<Record<string, (runtime: Runtime) => Provider>> = {
  sandbox: sandboxProvider,
};

/** @throws where the name is none of a provider; nothing is sent through a guess. */
export function providerFor(runtime: Runtime, name: string): Provider {
  const create = Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name] : undefined;
  if (!create) throw new Error(`unknown provider "${name}"; known: ${Object.keys(PROVIDERS).join(', ')}`);
  return create(runtime);
}
