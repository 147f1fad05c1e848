// A node: cluster, names, processes and rooms in one, and what each message of a session does to them.

import { Cluster, type Members, type Timers } from './cluster.js';
import { AlreadyStarted, InvalidStart, NoProcess, NotConnected, NotStarted, TooLarge } from './errors.js';
import { NodeIds } from './ids.js';
import { Incoming } from './incoming.js';
import { parseAddress, parseAskedName } from './names.js';
import { Processes, type ProcessObserver } from './processes.js';
import { Registry, type Surroundings } from './registry.js';
import type { Rooms } from './rooms.js';
import type { Session } from './session.js';
import { Supervisor, type SupervisorSpec } from './supervisor.js';
import type { Pid } from './wire/fields.js';
import { decode, frame, type Message, MESSAGES, peerListFrames, syncEntries, Undecodable } from './wire/messages.js';

/** What is told to whoever runs the node. PIDs are as the node holds them. */
export interface Observer extends ProcessObserver {
  sessionOpened(name: string, creation: number): void;
  sessionClosed(name: string, creation: number): void;
}

export interface Start {
  name: string;
  cookie: Buffer;
  timers: Timers;
  /** `host:port` to listen at instead of the name's own. */
  listen?: string | undefined;
}

const NOBODY = { name: 'nonode@nohost', creation: 0 };
/** Entries of a GLOBAL_SYNC that are worked off between two looks at the clock. */
const ENTRIES = 64;

export class SnowNode implements Members, Surroundings {
  readonly ids = new NodeIds();
  readonly registry = new Registry(this);
  readonly processes: Processes;

  #observer: Observer;
  #incoming: Incoming;
  /** Those that live, by their process. */
  #supervisors = new Map<number, Supervisor>();
  #starting = false;
  #cluster: Cluster | undefined;
  #rooms: Rooms | undefined;

  constructor(observer: Observer) {
    this.#observer = observer;
    this.processes = new Processes(this, {
      ...observer,
      ended: (pid, reason) => {
        this.registry.processEnded(pid.local);
        this.#supervisors.delete(pid.local);
        observer.ended(pid, reason);
      },
    });
    this.#incoming = new Incoming(this.processes, () => this.self);
  }

  get self(): { readonly name: string; readonly creation: number } {
    return this.#cluster?.self ?? NOBODY;
  }

  get sessions(): ReadonlyMap<string, Session> {
    return this.#cluster?.sessions ?? new Map();
  }

  get cluster(): Cluster {
    if (this.#cluster === undefined) throw new NotStarted('the node is not started');
    return this.#cluster;
  }

  get rooms(): Rooms {
    if (this.#rooms === undefined) throw new NotStarted('the node is not started');
    return this.#rooms;
  }

  async start({ name, cookie, timers, listen }: Start): Promise<void> {
    if (this.#starting) throw new AlreadyStarted('the node is started');
    const own = parseAskedName(name);
    if (own === undefined) throw new InvalidStart('the name of the node is not valid');
    if (cookie.length === 0) throw new InvalidStart('the cookie is empty');
    const address = listen === undefined ? own : parseAddress(listen);
    if (address === undefined) throw new InvalidStart('the address to listen at is not valid');
    this.#starting = true;
    try {
      // The WebSocket package is loaded by nodes that start, and by nothing else.
      const { Rooms } = await import('./rooms.js');
      this.#rooms = await Rooms.start(address.host);
      this.#cluster = await Cluster.start(name, address, cookie, timers, this);
    } catch (error) {
      this.#rooms?.stop();
      this.#rooms = undefined;
      this.#starting = false;
      throw error;
    }
  }

  stop(): void {
    this.#cluster?.stop();
    this.#rooms?.stop();
  }

  /** Whether everything that has come so far has had its effects. */
  get idle(): boolean {
    return this.#cluster?.idle ?? true;
  }

  get bytesRead(): number {
    return this.#cluster?.bytesRead ?? 0;
  }

  isAlive(local: number): boolean {
    return this.processes.isAlive(local);
  }

  /** A name for a PID that is alive here, or whose node is connected (REG-1 to REG-5). */
  register(name: string, pid: Pid): void {
    if (pid.node_id === 0) {
      if (pid.creation !== 0 || !this.isAlive(pid.local)) throw new NoProcess('the process is not alive');
    } else if (this.sessions.get(this.ids.nameOf(pid.node_id) as string)?.peer.creation !== pid.creation) {
      throw new NotConnected('the node of the process is not connected');
    }
    this.registry.register(name, pid);
  }

  supervise(spec: SupervisorSpec): Supervisor {
    const supervisor = new Supervisor(spec, this.processes, (node) => this.sessions.has(node));
    this.#supervisors.set(supervisor.process.local, supervisor);
    return supervisor;
  }

  supervisor(local: number): Supervisor | undefined {
    return this.#supervisors.get(local);
  }

  /** How many local deliveries failed. Throws `TooLarge`, and nobody gets anything then. */
  broadcast(room: string, text: string, except: string | undefined): number {
    if (Buffer.byteLength(room) > 0xffff) throw new TooLarge('it does not fit a frame');
    const bytes = Buffer.from(text, 'utf8');
    const message = frame('ROOM_BROADCAST', { room, text: bytes });
    for (const { channel } of this.sessions.values()) channel.send(message);
    return this.rooms.deliver(room, bytes, except);
  }

  refuses(name: string): string | undefined {
    if (this.ids.of(name) !== undefined || this.ids.hasRoom) return undefined;
    console.error(`${name} is refused: all node ids are given`);
    return 'all node ids are given';
  }

  began(session: Session): void {
    const { name, creation } = session.peer;
    const id = this.ids.forSession(name) as number;
    this.registry.forgetFormer(id, creation);
    const others = [...this.sessions.keys()].filter((other) => other !== name);
    for (const list of peerListFrames(others)) session.channel.send(list);
    session.channel.stream(this.registry.syncFrames());
    this.#observer.sessionOpened(name, creation);
    this.processes.sessionBegan(session);
    for (const supervisor of this.#supervisors.values()) supervisor.nodeUp();
  }

  ended(session: Session, why: string): void {
    const { name, creation } = session.peer;
    console.error(`the session with ${name} has ended: ${why}`);
    this.processes.sessionEnded(session);
    this.registry.nodeEnded(this.ids.of(name) as number);
    this.#observer.sessionClosed(name, creation);
  }

  received(session: Session, payload: Buffer): Iterator<unknown> | void {
    if (payload[0] === MESSAGES.GLOBAL_SYNC.tag) return this.#synced(session, payload);
    try {
      this.#take(session, decode('session', payload));
    } catch (error) {
      // FRAME-15, FRAME-17 to FRAME-19
      if (!(error instanceof Undecodable)) throw error;
      this.#incoming.takeUnreadable(session, payload);
    }
  }

  #take(session: Session, received: Message): void {
    const { message, fields } = received;
    switch (message) {
      case 'PING':
        return session.send('PONG', fields);
      case 'PONG':
        return session.answered(fields.nonce);
      case 'PEER_LIST':
        return this.cluster.listed(fields.peers.map(({ name }) => name));
      case 'GLOBAL_REGISTER':
        return this.registry.heard(session, fields);
      case 'GLOBAL_UNREGISTER':
        return this.registry.heardGone(fields.name);
      case 'ROOM_BROADCAST':
        // A copy: the text may wait for members long after the piece it came in.
        this.rooms.deliver(fields.room, Buffer.from(fields.text));
        return;
      default:
        return this.processes.perform(() => this.#incoming.take(session, received));
    }
  }

  *#synced(session: Session, payload: Buffer): Generator<void> {
    let count = 0;
    for (const entry of syncEntries(payload)) {
      this.registry.heard(session, entry);
      if (++count % ENTRIES === 0) yield;
    }
  }
}
