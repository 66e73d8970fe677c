/** Content that is named by its hash, where its server names it in no other way. */

/** SHA-256 in hex, of a stream that is never held. */
export async function sha256Of(body: ReadableStream<Uint8Array>): Promise<string> {
  const digest = quietDigest();
  await body.pipeTo(digest);
  return hex(await digest.digest);
}

/** Passes a stream on, and fails at its end where it is not the content of that hash. */
export function verified(
  body: ReadableStream<Uint8Array>,
  sha256: string,
  complaint: () => Error,
): ReadableStream<Uint8Array> {
  const digest = quietDigest();
  const writer = digest.getWriter();
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      async transform(chunk, controller) {
        await writer.write(chunk);
        controller.enqueue(chunk);
      },
      async flush() {
        await writer.close();
        if (hex(await digest.digest) !== sha256) throw complaint();
      },
    }),
  );
}

export function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Where a stream breaks off its error is the stream's; that there is no hash then is no news. */
export function quietDigest(): DigestStream {
  const digest = new crypto.DigestStream('SHA-256');
  digest.digest.catch(() => undefined);
  return digest;
}
