// Reading and writing of bytes, bounded by what is there: an announced length never allocates (FRAME-23).

import { isUtf8 } from 'node:buffer';

/** The bytes are no message of this layout: too short, or text that is not UTF-8. */
export class Malformed extends Error {
  constructor(readonly kind: 'unexpected_end' | 'invalid_utf8' | 'invalid_tag' | 'too_large') {
    super(kind);
  }
}

export class Reader {
  #bytes: Buffer;
  #at = 0;
  /** How many values are being read within one another; the terms' own count. */
  depth = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** A view of the next `length` bytes. */
  take(length: number): Buffer {
    return this.#bytes.subarray(this.#step(length), this.#at);
  }

  /** A view of all that is left. */
  rest(): Buffer {
    return this.take(this.#bytes.length - this.#at);
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#step(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#step(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#step(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#step(8));
  }

  utf8(length: number): Buffer {
    const bytes = this.take(length);
    if (!isUtf8(bytes)) throw new Malformed('invalid_utf8');
    return bytes;
  }

  /** Where `length` bytes begin that are behind the reader then. */
  #step(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw new Malformed('unexpected_end');
    this.#at = start + length;
    return start;
  }
}

export class Writer {
  #bytes = Buffer.allocUnsafe(128);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  bytes(value: Buffer): this {
    const at = this.#room(value.length);
    value.copy(this.#bytes, at);
    return this;
  }

  text(value: string, length: number): this {
    const at = this.#room(length);
    this.#bytes.write(value, at, 'utf8');
    return this;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#bytes.writeUInt8(value, at);
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#bytes.writeUInt16LE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#room(8);
    this.#bytes.writeBigUInt64LE(value, at);
    return this;
  }

  /** Writes an u32 over what stands at `at`. */
  patchU32(at: number, value: number): this {
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }

  /** All that was written; the writer is not used afterwards. */
  done(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Where room for `length` more bytes begins; it may replace the buffer. */
  #room(length: number): number {
    const start = this.#length;
    const needed = start + length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, start);
      this.#bytes = larger;
    }
    this.#length = needed;
    return start;
  }
}
