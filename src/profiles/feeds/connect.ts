/** The connector of a feed, by its kind. */
import type { Runtime } from '../../platform/runtime.ts';
import type { FeedConnector } from './connector.ts';
import { type Feed, pushPrefix } from './feed.ts';
import { r2Connector } from './r2.ts';

export function connectorOf(runtime: Runtime, feed: Feed): FeedConnector {
  switch (feed.kind) {
    case 'r2':
      return r2Connector(runtime.feeds, feed.prefix);
    case 'push':
      return r2Connector(runtime.feeds, pushPrefix(feed.id));
  }
}
