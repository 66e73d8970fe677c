/** What is used of Node's zlib, which workerd has with nodejs_compat. */
declare module 'node:zlib' {
  interface Unzip extends AsyncIterable<Uint8Array> {
    /** @returns false where the next chunk should wait for `drain` */
    write(chunk: Uint8Array): boolean;
    end(): void;
    destroy(error?: unknown): void;
    once(event: 'drain' | 'close', listener: () => void): void;
    on(event: 'error', listener: (error: unknown) => void): void;
  }
  export function createGunzip(options?: { readonly chunkSize?: number }): Unzip;
}
