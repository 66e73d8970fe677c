/** Customer ids that a run has met, as 53-bit hashes in one flat table: 8 bytes each, and never more than 32 MB. */

const MAX_SLOTS = 2 ** 22;

export class SeenIds {
  #slots = new Float64Array(2 ** 10);
  #size = 0;

  /** The table as bytes, for `of`. */
  bytes(): Uint8Array {
    return new Uint8Array(this.#slots.buffer);
  }

  static of(bytes: ArrayBuffer): SeenIds {
    const seen = new SeenIds();
    seen.#slots = new Float64Array(bytes);
    seen.#size = seen.#slots.reduce((size, hash) => size + Number(hash !== 0), 0);
    return seen;
  }

  /** @returns whether the id was met before; never sure of it beyond three million ids, where it forgets new ones. */
  add(id: string): boolean {
    const hash = hashOf(id);
    if (this.#size * 4 > this.#slots.length * 3) {
      if (this.#slots.length >= MAX_SLOTS) return this.#has(hash);
      this.#grow();
    }
    return this.#put(hash);
  }

  #has(hash: number): boolean {
    const mask = this.#slots.length - 1;
    for (let at = hash % this.#slots.length; ; at = (at + 1) & mask) {
      if (this.#slots[at] === hash) return true;
      if (this.#slots[at] === 0) return false;
    }
  }

  #put(hash: number): boolean {
    const mask = this.#slots.length - 1;
    for (let at = hash % this.#slots.length; ; at = (at + 1) & mask) {
      if (this.#slots[at] === hash) return true;
      if (this.#slots[at] !== 0) continue;
      this.#slots[at] = hash;
      this.#size++;
      return false;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Float64Array(old.length * 2);
    this.#size = 0;
    for (const hash of old) if (hash !== 0) this.#put(hash);
  }
}

/** 53 bits, never 0 (cyrb53): among a million ids two share one in 18,000 runs, and then a report counts one too many. */
function hashOf(text: string): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (2097151 & b) + (a >>> 0) || 1;
}
