/**
 * The port to tools that fire webhooks. One small file each below kinds/: how the tool signs, what its body means, and the
 * manners it expects. Verification sees the raw body; mapping is pure and sees only what was verified.
 */
import type { z } from 'zod';

/** A delivery as it came in. The body was read up to a limit. */
export interface Delivery {
  readonly method: string;
  /** As the tool called it: PUBLIC_URL stands for the origin where it is set. */
  readonly url: string;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
}

/** What a source's configuration gives to its kind. */
export interface KindSettings {
  /** Signing secrets or tokens, all of them active. */
  readonly secrets: readonly string[];
  /** How far a signed time may lie from now. */
  readonly toleranceMs: number;
  /** Members of the source's `options`, checked by the kind's own schema when it was saved. */
  readonly options: Readonly<Record<string, unknown>>;
}

export type VerifyRefusal =
  | 'secret_not_set'
  | 'signature_missing'
  | 'signature_mismatch'
  | 'timestamp_out_of_range';

export type Verification = { readonly ok: true } | { readonly ok: false; readonly reason: VerifyRefusal };

/** One event in our words, before the source's own mapping and defaults are applied. */
export interface MappedEvent {
  /** The tool's own id of this delivery or event; null where it has none, and the body's hash stands in. */
  readonly id: string | null;
  /** The tool's word for what happened; the source may set our own type instead. */
  readonly type: string | null;
  readonly customerId: string | null;
  /** ISO 8601 with a zone; null: the time of receipt. */
  readonly occurredAt: string | null;
  /** The reserved attributes, where the tool's own fields say them explicitly, and the rest as data for templates. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Where consent came with provenance of its own, for the consent record. */
  readonly evidence?: Readonly<Record<string, unknown>>;
  /** The whole payload, for the source's own mapping paths. */
  readonly payload: unknown;
}

export type Mapping =
  | { readonly kind: 'events'; readonly events: readonly MappedEvent[] }
  /** A test or handshake of the tool: answered as it expects, nothing decided. */
  | {
      readonly kind: 'handshake';
      readonly note: string;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Verified, and of no use here: another topic, ids only. `hint` says what to set up at the tool. */
  | { readonly kind: 'ignored'; readonly note: string; readonly hint: string | null }
  | { readonly kind: 'unreadable'; readonly detail: string; readonly hint: string | null };

export interface Kind {
  readonly name: string;
  /** Without a secret nothing that this tool sends can be believed. False where a browser or a tool without signatures posts. */
  readonly needsSecret: boolean;
  /** What the source's `options` may hold; none where it is missing. Checked when the source is saved. */
  readonly options?: z.ZodType;
  verify(delivery: Delivery, settings: KindSettings): Promise<Verification>;
  map(delivery: Delivery, settings: KindSettings): Mapping;
  /** The status of a good delivery; 200 by default. Some tools take nothing else for an answer. */
  readonly goodStatus?: number;
}
