// The four messages that turn a connection into a session, for both roles. Whom a node takes is the cluster's to decide;
// what is said, in which order, and whether the proofs are right is decided here.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

import type { Channel, Receiver } from './channel.js';
import { decode, frame, type FieldsOf, type MessageName, Undecodable } from './wire/messages.js';

export interface Self {
  readonly name: string;
  readonly creation: number;
}

/** Who is at the other end, as it has said; proven when the handshake is done. */
export interface Peer extends Self {
  /** When its NAME or CHALLENGE was read: greater is later (MEM-27). */
  readonly greeted: number;
}

export interface Secrets {
  readonly self: Self;
  readonly cookie: Buffer;
  readonly challenges: Challenges;
  /** A number greater than all before. */
  greeting(): number;
}

/** The challenges that were sent on connections which are still open, and not answered yet (HS-27). */
export class Challenges {
  #pending = new Set<string>();

  fresh(): Buffer {
    const challenge = randomBytes(32);
    this.#pending.add(challenge.toString('hex'));
    return challenge;
  }

  settle(challenge: Buffer | undefined): void {
    if (challenge !== undefined) this.#pending.delete(challenge.toString('hex'));
  }

  isOurs(challenge: Buffer): boolean {
    return this.#pending.has(challenge.toString('hex'));
  }
}

export function proof(cookie: Buffer, challenge: Buffer): Buffer {
  return createHmac('sha256', cookie).update(challenge).digest();
}

function isProof(cookie: Buffer, challenge: Buffer, claimed: Buffer): boolean {
  return timingSafeEqual(proof(cookie, challenge), claimed);
}

/** Ends the handshake: whatever is wrong, the connection is closed without a word (HS-9 to HS-14). */
class Refusal extends Error {}

/** The fields of the one message that the step asks for. */
function expect<M extends MessageName>(message: M, payload: Buffer): FieldsOf<M> {
  const found = decode('handshake', payload);
  if (found.message !== message) throw new Refusal(`${found.message} came instead of ${message}`);
  return found.fields as FieldsOf<M>;
}

function readCreation({ creation }: { creation: number }): number {
  if (creation === 0) throw new Refusal('the creation is 0');
  return creation;
}

/** One handshake from its first frame on. `failed` is told once unless the handshake has succeeded or was given up by its owner. */
abstract class Handshake implements Receiver {
  protected challenge: Buffer | undefined;
  #timer: NodeJS.Timeout;

  constructor(
    protected readonly secrets: Secrets,
    readonly channel: Channel,
    timeout: number,
  ) {
    this.#timer = setTimeout(() => this.#fail('the handshake takes too long'), timeout);
  }

  protected abstract step(payload: Buffer): void;
  protected abstract failed(why: string): void;

  frame(payload: Buffer): void {
    try {
      this.step(payload);
    } catch (error) {
      if (!(error instanceof Refusal || error instanceof Undecodable)) throw error;
      this.#fail(error.message);
    }
  }

  ended(why: string): void {
    this.leave();
    this.failed(why);
  }

  /** Gives the handshake up: nobody is told (MEM-21). */
  abandon(): void {
    this.leave();
    this.channel.close();
  }

  /** Nothing of the handshake is pending any more. */
  protected leave(): void {
    clearTimeout(this.#timer);
    this.secrets.challenges.settle(this.challenge);
  }

  #fail(why: string): void {
    this.abandon();
    this.failed(why);
  }
}

/** What the cluster says to an accepted connection. */
export interface Gate {
  /** Why this peer is not taken now, if it is not. */
  refuses(peer: Peer): string | undefined;
  /** The peer has proven itself, ACK is on its way; what comes now is the session's. */
  admitted(peer: Peer): void;
  failed(why: string): void;
}

export class Acceptance extends Handshake {
  #peer: Peer | undefined;

  constructor(
    secrets: Secrets,
    channel: Channel,
    timeout: number,
    private readonly gate: Gate,
  ) {
    super(secrets, channel, timeout);
  }

  protected override step(payload: Buffer): void {
    if (this.#peer === undefined) this.#named(payload);
    else this.#replied(payload, this.#peer);
  }

  protected override failed(why: string): void {
    this.gate.failed(why);
  }

  #named(payload: Buffer): void {
    const fields = expect('NAME', payload);
    const peer = { name: fields.name, creation: readCreation(fields), greeted: this.secrets.greeting() };
    this.#check(peer);
    this.#peer = peer;
    this.challenge = this.secrets.challenges.fresh();
    this.channel.send(frame('CHALLENGE', { ...this.secrets.self, challenge: this.challenge }));
  }

  #replied(payload: Buffer, peer: Peer): void {
    const { proof: claimed, challenge } = expect('REPLY', payload);
    const { cookie, challenges } = this.secrets;
    if (!isProof(cookie, this.challenge as Buffer, claimed)) throw new Refusal('the proof in REPLY is wrong');
    challenges.settle(this.challenge);
    if (challenges.isOurs(challenge)) throw new Refusal('the challenge in REPLY is one of ours');
    this.#check(peer);
    this.leave();
    this.channel.send(frame('ACK', { proof: proof(cookie, challenge) }));
    this.gate.admitted(peer);
  }

  #check(peer: Peer): void {
    const why = this.gate.refuses(peer);
    if (why !== undefined) throw new Refusal(why);
  }
}

export interface Dialler {
  /** The node dialled has proven itself; what comes now is the session's. */
  reached(peer: Peer): void;
  /** `refused`: the peer ended the connection after it had heard our name, as one does that prefers its own dial (MEM-18). */
  failed(why: string, refused: boolean): void;
}

export class Dial extends Handshake {
  #peer: Peer | undefined;
  #named = false;

  constructor(
    secrets: Secrets,
    channel: Channel,
    timeout: number,
    readonly target: string,
    private readonly dialler: Dialler,
  ) {
    super(secrets, channel, timeout);
  }

  /** TLS stands: the handshake begins. */
  secured(): void {
    this.channel.secured();
    this.#named = true;
    this.channel.send(frame('NAME', this.secrets.self));
  }

  override ended(why: string): void {
    this.leave();
    this.dialler.failed(why, this.#named);
  }

  protected override step(payload: Buffer): void {
    if (this.#peer === undefined) this.#challenged(payload);
    else this.#acknowledged(payload, this.#peer);
  }

  protected override failed(why: string): void {
    this.dialler.failed(why, false);
  }

  #challenged(payload: Buffer): void {
    const fields = expect('CHALLENGE', payload);
    const { cookie, challenges } = this.secrets;
    if (fields.name !== this.target) throw new Refusal(`another node answers: ${JSON.stringify(fields.name)}`);
    if (challenges.isOurs(fields.challenge)) throw new Refusal('the challenge in CHALLENGE is one of ours');
    this.#peer = { name: fields.name, creation: readCreation(fields), greeted: this.secrets.greeting() };
    this.challenge = challenges.fresh();
    this.channel.send(frame('REPLY', { proof: proof(cookie, fields.challenge), challenge: this.challenge }));
  }

  #acknowledged(payload: Buffer, peer: Peer): void {
    const { proof: claimed } = expect('ACK', payload);
    if (!isProof(this.secrets.cookie, this.challenge as Buffer, claimed)) throw new Refusal('the proof in ACK is wrong');
    this.leave();
    this.dialler.reached(peer);
  }
}
