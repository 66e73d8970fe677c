/** Feeds in R2: every object below a prefix is a document; its ETag is its version. */
import { BrokenFeed } from '../formats/broken.ts';
import type { FeedConnector, FeedDocument, FeedSegment } from './connector.ts';

/** What OptiText itself keeps in the bucket: staged chunks and pushed files. Never a feed by prefix. */
export const OWN_PREFIX = '.optitext/';

/** A folder's marker, as some tools create them, is no document. */
const isDocument = (object: R2Object): boolean => !object.key.endsWith('/');

/** @param prefix objects below it are read; one that lies below `.optitext/` only where the prefix does. */
export function r2Connector(bucket: R2Bucket, prefix: string): FeedConnector {
  return {
    async list(): Promise<FeedDocument[]> {
      const documents: FeedDocument[] = [];
      let cursor: string | undefined;
      do {
        const page = await bucket.list({ prefix, ...(cursor && { cursor }) });
        for (const object of page.objects) {
          const own = object.key.startsWith(OWN_PREFIX) && !prefix.startsWith(OWN_PREFIX);
          if (!own && isDocument(object)) documents.push(documentOf(object));
        }
        cursor = page.truncated ? page.cursor : undefined;
      } while (cursor);
      return documents.sort((a, b) => a.modifiedAt - b.modifiedAt || (a.key < b.key ? -1 : 1));
    },

    async *segments(document, _from): AsyncGenerator<FeedSegment> {
      const condition = document.version === null ? {} : { onlyIf: { etagMatches: document.version } };
      const object = await bucket.get(document.key, condition);
      if (!object || !('body' in object)) {
        throw new BrokenFeed('The object was replaced or deleted while it was read.');
      }
      yield { position: '', body: object.body, contentType: object.httpMetadata?.contentType ?? null };
    },
  };
}

export function documentOf(object: R2Object): FeedDocument {
  return {
    key: object.key,
    version: object.etag,
    sizeBytes: object.size,
    modifiedAt: object.uploaded.getTime(),
  };
}
