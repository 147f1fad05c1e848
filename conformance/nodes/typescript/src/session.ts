// A session: an authenticated connection, and its heartbeat. What its messages mean is the node's business.

import { randomBytes } from 'node:crypto';

import type { Channel, Receiver } from './channel.js';
import type { Peer } from './handshake.js';
import { frame, type FieldsOf, type MessageName } from './wire/messages.js';

export interface Heartbeat {
  /** Milliseconds. */
  readonly interval: number;
  readonly timeout: number;
}

export interface SessionOwner {
  received(session: Session, payload: Buffer): Iterator<unknown> | void;
  /** The session has ended, for whatever reason but `end`. */
  lost(session: Session, why: string): void;
}

export class Session implements Receiver {
  #awaited = new Map<string, NodeJS.Timeout>();
  #beat: NodeJS.Timeout;

  constructor(
    readonly peer: Peer,
    readonly channel: Channel,
    private readonly heartbeat: Heartbeat,
    private readonly owner: SessionOwner,
  ) {
    this.#beat = setInterval(() => this.#ping(), heartbeat.interval);
  }

  send<M extends MessageName>(message: M, fields: FieldsOf<M>): void {
    this.channel.send(frame(message, fields));
  }

  frame(payload: Buffer): Iterator<unknown> | void {
    return this.owner.received(this, payload);
  }

  ended(why: string): void {
    this.#rest();
    this.owner.lost(this, why);
  }

  /** Ends the session behind what is queued on it; the owner is not told. */
  end(): void {
    this.#rest();
    this.channel.close();
  }

  /** A PONG has come (MEM-36). */
  answered(nonce: Buffer): void {
    const key = nonce.toString('hex');
    clearTimeout(this.#awaited.get(key));
    this.#awaited.delete(key);
  }

  #ping(): void {
    const nonce = randomBytes(8);
    const key = nonce.toString('hex');
    const { timeout } = this.heartbeat;
    this.#awaited.set(key, setTimeout(() => this.#missed(key, performance.now() + timeout), timeout));
    this.send('PING', { nonce });
  }

  /**
   * The timeout is over. But a PONG that has come in time and waits for its turn here counts (MEM-37), so what the socket holds is read
   * first, and what has come is worked off, as long as that takes, though not for longer than `latest`.
   */
  #missed(key: string, latest: number): void {
    setImmediate(() =>
      setImmediate(() => {
        if (!this.#awaited.has(key)) return;
        if (this.channel.busy && performance.now() < latest) {
          this.#awaited.set(key, setTimeout(() => this.#missed(key, latest), 20));
          return;
        }
        this.channel.destroy();
        this.ended('a PING was not answered');
      }),
    );
  }

  #rest(): void {
    clearInterval(this.#beat);
    for (const timer of this.#awaited.values()) clearTimeout(timer);
    this.#awaited.clear();
  }
}
