// One TLS connection: frames in, frames out, and its end. Knows nothing of what the frames say.

import type { TLSSocket } from 'node:tls';

import { Outbox } from './outbox.js';
import { FrameCutter, type Phase } from './wire/frames.js';

/** How long frames are worked off before others have their turn, in milliseconds (FRAME-22). */
const SLICE = 10;
/** How long a closed connection may take to bring away what is still to be written, in milliseconds. */
const LINGER = 1000;
/** What may wait for a peer that does not read (MEM-38, RES-7), in bytes. */
const PATIENCE = 64 * 1024 * 1024;

export interface Receiver {
  /** A whole frame. What it gives back is work for which the next frame waits, done in slices. */
  frame(payload: Buffer): Iterator<unknown> | void;
  /** The connection has ended, and all frames that had come whole before have been given. Told once, and not after `close`. */
  ended(why: string): void;
}

export class Channel {
  /** Whose frames these are; a handshake gives way to a session here. */
  receiver: Receiver;
  phase: Phase = 'handshake';

  #socket: TLSSocket;
  #cutter = new FrameCutter();
  #outbox = new Outbox();
  #work: Iterator<unknown> | undefined;
  #pumping = false;
  #flushing = false;
  #finishing = false;
  #closed = false;
  #secured = false;
  #failed = false;
  #fault: string | undefined;

  constructor(socket: TLSSocket, receiver: Receiver) {
    this.#socket = socket;
    this.receiver = receiver;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#arrived(chunk));
    socket.on('drain', () => this.#flush());
    socket.on('error', (error) => {
      this.#fault ??= error.message;
      // Behind an error of TLS the socket would stay open by itself.
      socket.destroy();
    });
    socket.on('end', () => this.#over('the peer closed'));
    socket.on('close', () => this.#over(this.#fault ?? 'the connection was lost'));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether frames that have come wait for their turn. */
  get busy(): boolean {
    return this.#pumping && !this.#closed;
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  /**
   * TLS stands: there is something to end in good order from now on, and what was read before the peer's end can still be answered.
   * Before, a peer's end ends all.
   */
  secured(): void {
    this.#secured = true;
    this.#socket.allowHalfOpen = true;
  }

  /** Queues a frame, its length in front. */
  send(frame: Buffer): void {
    this.#queue(frame, true);
    if (this.#outbox.waiting > PATIENCE) this.#fail('the peer reads too little');
  }

  /** Queues frames that do not count towards what may wait. */
  stream(frames: Buffer[]): void {
    for (const frame of frames) this.#queue(frame, false);
  }

  /** Ends the connection behind what is queued. Nothing that comes from now on has an effect (RES-1). */
  close(): void {
    if (this.#closed) return;
    if (!this.#secured) return this.destroy();
    this.#closed = true;
    this.#work = undefined;
    this.#cutter = new FrameCutter();
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), LINGER).unref();
    this.#flush();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#closed = true;
    this.#work = undefined;
    this.#outbox.clear();
    this.#socket.destroy();
  }

  #arrived(chunk: Buffer): void {
    if (this.#closed) return;
    this.#cutter.push(chunk);
    if (!this.#pumping) this.#pump();
  }

  /** Works off what has come, for a slice of time; while anything is left, nothing more is read. */
  #pump(): void {
    const until = performance.now() + SLICE;
    this.#pumping = true;
    try {
      while (!this.#closed && this.#step()) {
        if (performance.now() < until) continue;
        this.#socket.pause();
        setImmediate(() => this.#pump());
        return;
      }
    } catch (error) {
      // A fault of this node, found by what one peer sent: that peer pays, the others live (FRAME-21).
      console.error(error);
      this.#fault = 'an internal error';
      this.#finishing = true;
    }
    this.#pumping = false;
    if (this.#finishing) this.#finish();
    else this.#socket.resume();
  }

  /** One frame, or one step of a long one; whether there was any. */
  #step(): boolean {
    if (this.#work !== undefined) {
      if (this.#work.next().done === true) this.#work = undefined;
      return true;
    }
    const payload = this.#cutter.next(this.phase);
    if (payload === undefined) return false;
    if (payload === 'too_long') {
      this.#fault = 'a frame is longer than the limit';
      this.#finishing = true;
      return false;
    }
    this.#work = this.receiver.frame(payload) ?? undefined;
    return true;
  }

  #over(why: string): void {
    this.#fault ??= why;
    this.#finishing = true;
    if (!this.#pumping) this.#finish();
  }

  #finish(): void {
    if (this.#closed) return;
    this.close();
    this.receiver.ended(this.#fault ?? 'the connection ended');
  }

  /** As if the connection had been lost, but not in the middle of what the caller does. */
  #fail(why: string): void {
    if (this.#failed) return;
    this.#failed = true;
    setImmediate(() => {
      if (this.#closed) return;
      this.destroy();
      this.receiver.ended(why);
    });
  }

  #queue(frame: Buffer, counted: boolean): void {
    if (this.#closed || this.#failed) return;
    this.#outbox.push(frame, counted);
    if (this.#flushing) return;
    this.#flushing = true;
    process.nextTick(() => this.#flush());
  }

  /** Writes as long as the socket takes it; what it does not take waits here, where it is counted. */
  #flush(): void {
    this.#flushing = false;
    if (this.#socket.destroyed) return this.#outbox.clear();
    while (!this.#outbox.empty) {
      if (this.#socket.writableNeedDrain) return;
      this.#socket.write(this.#outbox.take() as Buffer);
    }
    // The socket is destroyed when the peer has ended its half, too, or has taken too long for that.
    if (this.#closed && !this.#socket.writableEnded) this.#socket.end();
  }
}
