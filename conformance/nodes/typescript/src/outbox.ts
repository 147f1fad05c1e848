// What waits to be written to one connection. Knows how much that is, never writes it.

/** The most that `take` gives at once. */
const PIECE = 65_536;

interface Block {
  bytes: Buffer;
  /** How much of `bytes` is filled; what is behind is room for small frames. */
  filled: number;
  counted: boolean;
}

export class Outbox {
  #blocks: Block[] = [];
  #taken = 0;
  #waiting = 0;

  /** Bytes that wait, streamed ones not among them (MEM-38). */
  get waiting(): number {
    return this.#waiting;
  }

  get empty(): boolean {
    return this.#blocks.length === 0;
  }

  push(frame: Buffer, counted: boolean): void {
    if (counted) this.#waiting += frame.length;
    const last = this.#blocks.at(-1);
    // Where much waits already, small frames share a block: millions of small buffers would take many times their bytes (RES-7).
    if (this.#blocks.length < 64 || frame.length > PIECE / 4) {
      this.#blocks.push({ bytes: frame, filled: frame.length, counted });
    } else if (last !== undefined && last.counted === counted && last.bytes.length - last.filled >= frame.length) {
      last.filled += frame.copy(last.bytes, last.filled);
    } else {
      const bytes = Buffer.allocUnsafeSlow(PIECE);
      this.#blocks.push({ bytes, filled: frame.copy(bytes), counted });
    }
  }

  /** The next piece to write, at most `PIECE` bytes. */
  take(): Buffer | undefined {
    const first = this.#blocks[0];
    if (first === undefined) return undefined;
    if (first.filled - this.#taken >= PIECE / 4) return this.#cut(first);
    const pieces: Buffer[] = [];
    let length = 0;
    for (let next: Block | undefined = first; next !== undefined && length + next.filled - this.#taken <= PIECE; next = this.#blocks[0]) {
      const piece = this.#cut(next);
      pieces.push(piece);
      length += piece.length;
    }
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  }

  clear(): void {
    this.#blocks = [];
    this.#taken = 0;
    this.#waiting = 0;
  }

  /** Up to `PIECE` bytes of the first block, which is dropped when that was all. */
  #cut(first: Block): Buffer {
    const piece = first.bytes.subarray(this.#taken, Math.min(first.filled, this.#taken + PIECE));
    this.#taken += piece.length;
    if (first.counted) this.#waiting -= piece.length;
    if (this.#taken === first.filled) {
      this.#blocks.shift();
      this.#taken = 0;
    }
    return piece;
  }
}
