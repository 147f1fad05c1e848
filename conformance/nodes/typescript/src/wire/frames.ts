// Cuts frames out of a stream of bytes. Never judges a payload, never holds much more than it was given.

export type Phase = 'handshake' | 'session';

/** The largest payload of each phase, in bytes. */
export const LIMIT: Record<Phase, number> = { handshake: 4096, session: 16_777_216 };

const LENGTH = 4;

export class FrameCutter {
  /** What has come stands from `#start` to `#end`; behind that is room. Given-out frames lie before `#start`, and are never written over. */
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  /** Bytes that have come and were not given out. */
  get waiting(): number {
    return this.#end - this.#start;
  }

  push(chunk: Buffer): void {
    const waiting = this.waiting;
    if (waiting === 0) {
      this.#bytes = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    const needed = waiting + chunk.length;
    // Chunks are the socket's: only room that was allocated here is written to, and that begins at 0.
    if (this.#start > 0 || needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(this.#start > 0 ? needed : Math.max(needed, 2 * waiting));
      this.#bytes.copy(larger, 0, this.#start, this.#end);
      this.#bytes = larger;
      this.#start = 0;
    }
    chunk.copy(this.#bytes, waiting);
    this.#end = needed;
  }

  /** The next whole payload, as a view; `undefined` when more bytes are needed. A length over the limit is told before its payload has come (FRAME-12, FRAME-14). */
  next(phase: Phase): Buffer | 'too_long' | undefined {
    if (this.waiting < LENGTH) return undefined;
    const length = this.#bytes.readUInt32LE(this.#start);
    if (length > LIMIT[phase]) return 'too_long';
    if (this.waiting < LENGTH + length) return undefined;
    const payload = this.#bytes.subarray(this.#start + LENGTH, this.#start + LENGTH + length);
    this.#start += LENGTH + length;
    if (this.waiting === 0) this.#bytes = Buffer.alloc(0);
    return payload;
  }
}
