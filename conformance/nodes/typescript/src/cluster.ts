// Who is connected: the listener, the dials, one session per pair, the mesh. Never looks into what sessions say beyond PEER_LIST.

import { constants } from 'node:crypto';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';

import { selfSigned } from './certificate.js';
import { Channel } from './channel.js';
import { ConnectFailed, InvalidName } from './errors.js';
import { Acceptance, Challenges, Dial, type Peer, type Secrets, type Self } from './handshake.js';
import { Listed } from './listed.js';
import { isSmaller, parseName, withPort, type Address } from './names.js';
import { type Heartbeat, Session } from './session.js';

/** Accepted connections that have not authenticated; past that the oldest gives way (RES-4). */
const STALLED = 4096;
/** How long a caller waits for the dial of a peer that has refused ours (MEM-23), in milliseconds. */
const GRACE = 1000;
const COMMON_NAME = 'snow-node';

export interface Timers extends Heartbeat {
  readonly handshake: number;
}

export interface Members {
  /** What a session begins with, said by the node: PEER_LIST, GLOBAL_SYNC, and those who wait for it. */
  began(session: Session): void;
  ended(session: Session, why: string): void;
  received(session: Session, payload: Buffer): Iterator<unknown> | void;
  /** Why no session with a node of that name can be kept, if so (PROC-9). */
  refuses(name: string): string | undefined;
}

/** Who receives until the channel's real receiver is made. */
const NOBODY = { frame: () => {}, ended: () => {} };

/** What tells a connection from all others that are open. */
function endsOf({ localAddress, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${remoteAddress} ${remotePort}`;
}

interface Accepted {
  readonly socket: Socket;
  /** By when it has to have authenticated, on the clock of `performance.now()`. */
  readonly deadline: number;
  readonly timer: NodeJS.Timeout;
}

interface Caller {
  resolve(): void;
  reject(error: Error): void;
}

export class Cluster implements Secrets {
  readonly challenges = new Challenges();
  readonly sessions = new Map<string, Session>();
  readonly self: Self;
  readonly cookie: Buffer;

  #timers: Timers;
  #members: Members;
  #server: Server;
  #tls: TlsServer;
  /** Accepted connections that have not authenticated, oldest first, by their two ends. */
  #accepted = new Map<string, Accepted>();
  #dials = new Map<string, Dial>();
  #callers = new Map<string, Set<Caller>>();
  #listed = new Listed((name) => this.#dialListed(name));
  #greetings = 0;

  private constructor(server: Server, self: Self, cookie: Buffer, timers: Timers, members: Members) {
    this.#server = server;
    this.self = self;
    this.cookie = cookie;
    this.#timers = timers;
    this.#members = members;
    this.#tls = createTlsServer({
      ...selfSigned(COMMON_NAME, new Date()),
      minVersion: 'TLSv1.2',
      requestCert: false,
      handshakeTimeout: timers.handshake,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
    this.#tls.on('secureConnection', (socket) => this.#secured(socket));
    server.on('connection', (socket) => this.#accept(socket));
    server.on('error', (error) => console.error(`listening: ${error.message}`));
  }

  /** Listens at `address`; a port 0 in the name becomes the bound one. Throws `InvalidName` when the name is too long then. */
  static async start(name: string, address: Address, cookie: Buffer, timers: Timers, members: Members): Promise<Cluster> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address.host, port: address.port, backlog: 4096 }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    const real = parseName(name) === undefined ? withPort(name, (server.address() as AddressInfo).port) : name;
    if (parseName(real) === undefined) {
      server.close();
      throw new InvalidName('the name is too long with its port');
    }
    // Starts 1 to 254 seconds apart differ (HS-22).
    const creation = (Math.floor(Date.now() / 1000) % 255) + 1;
    return new Cluster(server, { name: real, creation }, cookie, timers, members);
  }

  /** Done when a session with that name exists. Throws `InvalidName` and `ConnectFailed`. */
  async connect(name: string): Promise<void> {
    if (parseName(name) === undefined) throw new InvalidName('the name of the node is not valid');
    if (name === this.self.name) throw new ConnectFailed('a node does not connect to itself');
    if (this.sessions.has(name)) return;
    await new Promise<void>((resolve, reject) => {
      const callers = this.#callers.get(name) ?? new Set();
      this.#callers.set(name, callers.add({ resolve, reject }));
      if (!this.#dials.has(name)) this.#dial(name);
    });
  }

  /** A PEER_LIST has come (MEM-6 to MEM-11). */
  listed(names: Iterable<string>): void {
    for (const name of names) {
      if (name !== this.self.name && !this.sessions.has(name) && parseName(name) !== undefined) this.#listed.add(name);
    }
    this.#listed.turn();
  }

  /** Whether everything that has come so far has been worked off. */
  get idle(): boolean {
    return ![...this.sessions.values()].some(({ channel }) => channel.busy);
  }

  get bytesRead(): number {
    let bytes = 0;
    for (const { channel } of this.sessions.values()) bytes += channel.bytesRead;
    for (const { socket } of this.#accepted.values()) bytes += socket.bytesRead;
    return bytes;
  }

  stop(): void {
    this.#server.close();
    this.#listed.stop();
    for (const { socket } of this.#accepted.values()) socket.destroy();
    for (const dial of this.#dials.values()) dial.abandon();
    for (const session of this.sessions.values()) session.end();
  }

  greeting(): number {
    return ++this.#greetings;
  }

  #refuses({ name, creation, greeted }: Peer): string | undefined {
    if (name === this.self.name) return 'the peer has our own name';
    if (parseName(name) === undefined) return 'the name of the peer is not valid';
    const live = this.sessions.get(name)?.peer;
    if (live?.creation === creation) return 'there is a session with that node';
    if (live !== undefined && live.greeted > greeted) return 'a later connection of that node has a session';
    if (this.#dials.has(name) && isSmaller(this.self.name, name)) return 'our own dial to that node goes first';
    return this.#members.refuses(name);
  }

  #admitted(peer: Peer, channel: Channel): void {
    const dial = this.#dials.get(peer.name);
    if (dial !== undefined) {
      dial.abandon();
      this.#undial(dial);
    }
    this.#begin(peer, channel);
  }

  /** The clock of HS-28 runs from here; TLS is not done yet. */
  #accept(socket: Socket): void {
    const { handshake } = this.#timers;
    const ends = endsOf(socket);
    const timer = setTimeout(() => socket.destroy(), handshake);
    this.#accepted.set(ends, { socket, timer, deadline: performance.now() + handshake });
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(timer);
      if (this.#accepted.get(ends)?.socket === socket) this.#accepted.delete(ends);
    });
    this.#tls.emit('connection', socket);
    if (this.#accepted.size > STALLED) {
      const [oldest] = this.#accepted.values();
      oldest?.socket.destroy();
    }
  }

  #secured(socket: TLSSocket): void {
    const ends = endsOf(socket);
    const accepted = this.#accepted.get(ends);
    if (accepted === undefined) {
      socket.destroy();
      return;
    }
    clearTimeout(accepted.timer);
    const channel = new Channel(socket, NOBODY);
    channel.secured();
    channel.receiver = new Acceptance(this, channel, Math.max(0, accepted.deadline - performance.now()), {
      refuses: (peer) => this.#refuses(peer),
      admitted: (peer) => {
        this.#accepted.delete(ends);
        this.#admitted(peer, channel);
      },
      failed: (why) => console.error(`an accepted connection was closed: ${why}`),
    });
  }

  #dialListed(name: string): boolean {
    if (this.sessions.has(name) || this.#dials.has(name)) return false;
    this.#dial(name);
    return true;
  }

  #dial(name: string): void {
    const { host, port } = parseName(name) as Address;
    const socket = connectTls({
      host,
      port,
      servername: COMMON_NAME,
      // The cookie authenticates; of certificates even weak and expired ones are taken (FRAME-5).
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ciphers: 'DEFAULT:@SECLEVEL=0',
      minVersion: 'TLSv1.2',
      secureOptions: constants.SSL_OP_NO_TICKET,
    } satisfies ConnectionOptions);
    const channel = new Channel(socket, NOBODY);
    const dial = new Dial(this, channel, this.#timers.handshake, name, {
      reached: (peer) => {
        this.#undial(dial);
        const why = this.#refuses(peer);
        if (why === undefined) this.#begin(peer, channel);
        else channel.close();
      },
      failed: (why, refused) => {
        console.error(`dialling ${name} failed: ${why}`);
        this.#undial(dial);
        this.#disappoint(name, why, refused && isSmaller(name, this.self.name));
      },
    });
    channel.receiver = dial;
    this.#dials.set(name, dial);
    socket.once('secureConnect', () => {
      if (!channel.closed) dial.secured();
    });
  }

  #undial({ target }: Dial): void {
    this.#dials.delete(target);
    this.#listed.ended(target);
  }

  /** Tells the callers that their dial has failed; at once, unless the peer's own dial may be on its way. */
  #disappoint(name: string, why: string, mayCome: boolean): void {
    const callers = this.#callers.get(name);
    if (callers === undefined) return;
    const error = new ConnectFailed(why);
    for (const caller of callers) {
      const giveUp = () => {
        if (callers.delete(caller)) caller.reject(error);
        if (callers.size === 0 && this.#callers.get(name) === callers) this.#callers.delete(name);
      };
      if (mayCome) setTimeout(giveUp, GRACE);
      else giveUp();
    }
  }

  #begin(peer: Peer, channel: Channel): void {
    const former = this.sessions.get(peer.name);
    if (former !== undefined) {
      former.end();
      this.#end(former, 'the node was restarted');
    }
    const session = new Session(peer, channel, this.#timers, {
      received: (from, payload) => this.#members.received(from, payload),
      lost: (lost, why) => this.#end(lost, why),
    });
    channel.phase = 'session';
    channel.receiver = session;
    this.sessions.set(peer.name, session);
    this.#members.began(session);
    const callers = this.#callers.get(peer.name) ?? new Set();
    this.#callers.delete(peer.name);
    for (const caller of callers) {
      callers.delete(caller);
      caller.resolve();
    }
  }

  #end(session: Session, why: string): void {
    if (this.sessions.get(session.peer.name) !== session) return;
    this.sessions.delete(session.peer.name);
    this.#members.ended(session, why);
  }
}
