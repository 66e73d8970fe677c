/** What S3 says in XML, read by fast-xml-parser: object listings (ListObjectsV2) and errors. */
import { XMLParser } from 'fast-xml-parser';
import { z } from 'zod';

// Keys and tags stay texts: an ETag of digits is no number.
const parser = new XMLParser({
  parseTagValue: false,
  ignoreAttributes: true,
  isArray: (name) => name === 'Contents',
});

const listing = z.object({
  ListBucketResult: z.object({
    EncodingType: z.string().optional(),
    IsTruncated: z.string().default('false'),
    NextContinuationToken: z.string().optional(),
    Contents: z
      .array(z.object({ Key: z.string(), LastModified: z.string(), ETag: z.string(), Size: z.string() }))
      .default([]),
  }),
});

export interface S3Object {
  readonly key: string;
  /** Without its quotes. */
  readonly etag: string;
  readonly size: number;
  readonly modifiedAt: number;
}

export interface S3Page {
  readonly objects: readonly S3Object[];
  /** For the next page; null: this is the last one. */
  readonly next: string | null;
}

/** @returns null where the text is no listing. */
export function readListing(xml: string): S3Page | null {
  const parsed = listing.safeParse(parse(xml));
  if (!parsed.success) return null;
  const { EncodingType, IsTruncated, NextContinuationToken, Contents } = parsed.data.ListBucketResult;
  const objects = Contents.map(({ Key, LastModified, ETag, Size }) => ({
    key: EncodingType === 'url' ? decodeKey(Key) : Key,
    etag: ETag.replace(/^"|"$/g, ''),
    size: Number(Size),
    modifiedAt: Date.parse(LastModified),
  }));
  if (objects.some(({ size, modifiedAt }) => Number.isNaN(size + modifiedAt))) return null;
  return { objects, next: IsTruncated === 'true' ? (NextContinuationToken ?? null) : null };
}

/** The error code of an answer, such as `NoSuchBucket`; null where it names none. */
export function readErrorCode(xml: string): string | null {
  const parsed = z.object({ Error: z.object({ Code: z.string() }) }).safeParse(parse(xml));
  return parsed.success && /^\w{1,60}$/.test(parsed.data.Error.Code) ? parsed.data.Error.Code : null;
}

function parse(xml: string): unknown {
  try {
    return parser.parse(xml) as unknown;
  } catch {
    return undefined;
  }
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key;
  }
}
