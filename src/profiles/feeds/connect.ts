/** The connector of a feed, by its kind. */
import type { Runtime } from '../../platform/runtime.ts';
import type { FeedConnector, LastRead } from './connector.ts';
import { type Feed, pushPrefix } from './feed.ts';
import { httpsConnector } from './https.ts';
import { pushedVersion, r2Connector } from './r2.ts';
import { s3Connector } from './s3.ts';

/** @param lastRead so that an HTTPS server can say that nothing is new. */
export function connectorOf(
  runtime: Runtime,
  feed: Feed,
  lastRead?: () => Promise<LastRead | null>,
): FeedConnector {
  switch (feed.kind) {
    case 'r2':
      return r2Connector(runtime.feeds, feed.prefix);
    case 'push':
      return r2Connector(runtime.feeds, pushPrefix(feed.id), pushedVersion);
    case 'https':
      return httpsConnector(runtime, feed, lastRead);
    case 's3':
      return s3Connector(runtime, feed);
  }
}
