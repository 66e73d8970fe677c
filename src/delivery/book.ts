/** The providers that can be called here, and the routing that a claim works by. */
import type { Routing } from '../ledger/claim.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Provider } from './provider.ts';
import { missingToSend, providerFor } from './providers/index.ts';
import { PROVIDER_NAMES } from './providers/names.ts';

/** Providers by name; `undefined` where one is not set up. */
export type ProviderBook = (name: string) => Provider | undefined;

export function providerBook(runtime: Runtime): ProviderBook {
  const known = new Map<string, Provider | undefined>();
  return (name) => {
    if (!known.has(name)) known.set(name, connect(runtime, name));
    return known.get(name);
  };
}

export function routingOf(runtime: Runtime, book: ProviderBook): Routing {
  const { providers, senderMps } = runtime.config;
  return {
    defaultRoute: providers,
    usable: PROVIDER_NAMES.flatMap(
      (name) => book(name)?.channels.map((channel) => `${name}:${channel}`) ?? [],
    ),
    gapMs: senderMps === null ? null : 1000 / senderMps,
  };
}

function connect(runtime: Runtime, name: string): Provider | undefined {
  if (missingToSend(runtime, name).length > 0) return undefined;
  try {
    return providerFor(runtime, name);
  } catch {
    return undefined; // No such provider here: /health names what is wrong with it.
  }
}
