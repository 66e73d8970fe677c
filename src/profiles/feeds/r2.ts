/** Feeds in R2: every object below a prefix is a document, and each upload of it a version. */
import { BrokenFeed } from '../formats/broken.ts';
import type { FeedConnector, FeedDocument, FeedSegment } from './connector.ts';

/** What OptiText itself keeps in the bucket: staged chunks and pushed files. Never a feed by prefix. */
export const OWN_PREFIX = '.optitext/';

/** A folder's marker, as some tools create them, is no document. */
const isDocument = (object: R2Object): boolean => !object.key.endsWith('/');

/** Yesterday's bytes may be put back in place of today's, and have to be read again; an ETag would be the same for both. */
const uploadOf = (object: R2Object): string => object.version;

/**
 * @param prefix objects below it are read; one that lies below `.optitext/` only where the prefix does.
 * @param versionOf names a version of an object; by default each upload is one.
 */
export function r2Connector(
  bucket: R2Bucket,
  prefix: string,
  versionOf: (object: R2Object) => string = uploadOf,
): FeedConnector {
  return {
    async list(): Promise<FeedDocument[]> {
      const documents: FeedDocument[] = [];
      let cursor: string | undefined;
      do {
        const page = await bucket.list({ prefix, ...(cursor && { cursor }) });
        for (const object of page.objects) {
          const own = object.key.startsWith(OWN_PREFIX) && !prefix.startsWith(OWN_PREFIX);
          if (!own && isDocument(object)) documents.push(documentOf(object, versionOf(object)));
        }
        cursor = page.truncated ? page.cursor : undefined;
      } while (cursor);
      return documents.sort((a, b) => a.modifiedAt - b.modifiedAt || (a.key < b.key ? -1 : 1));
    },

    async *segments(document, _from): AsyncGenerator<FeedSegment> {
      const object = await bucket.get(document.key);
      if (!object || versionOf(object) !== document.version) {
        await object?.body.cancel();
        throw new BrokenFeed('The object was replaced or deleted while it was read.');
      }
      yield { position: '', body: object.body, contentType: object.httpMetadata?.contentType ?? null };
    },
  };
}

/** A pushed document lies under its hash, so that the same bytes are the same version whenever they come. */
export function pushedDocument(object: R2Object): FeedDocument {
  return documentOf(object, pushedVersion(object));
}

export const pushedVersion = (object: R2Object): string => object.etag;

function documentOf(object: R2Object, version: string): FeedDocument {
  return {
    key: object.key,
    version,
    sizeBytes: object.size,
    modifiedAt: object.uploaded.getTime(),
  };
}
