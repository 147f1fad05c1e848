// The processes of this node: who lives, who is linked to and watches whom, and what follows when one ends.
// Signals between processes go through one queue, so that no chain of them is ever a chain of calls.

import { ConnectionLost, InvalidName, NameTaken, NotConnected, Refused, TooLarge } from './errors.js';
import { functionOf, type World } from './functions.js';
import type { NodeIds } from './ids.js';
import { type Behaviour, keyOf, type Monitor, ownPid, Process, type RemoteMonitor } from './process.js';
import type { Session } from './session.js';
import type { Pid, Reason } from './wire/fields.js';
import { frame } from './wire/messages.js';

/** What processes are told, and what of it is told to whoever runs the node. */
export interface ProcessObserver {
  message(pid: Pid, bytes: Buffer): void;
  down(pid: Pid, ref: bigint, from: Pid, reason: Reason): void;
  exited(pid: Pid, from: Pid, reason: Reason): void;
  ended(pid: Pid, reason: Reason): void;
  nodeUp(pid: Pid, node: string): void;
  nodeDown(pid: Pid, node: string): void;
}

export interface Sessions {
  readonly ids: NodeIds;
  readonly self: { readonly name: string; readonly creation: number };
  readonly sessions: ReadonlyMap<string, Session>;
}

interface PendingSpawn {
  resolve(pid: Pid): void;
  reject(error: Error): void;
}

/** What joins this node's processes to those of one session's peer. */
class Ties {
  /** Processes of this node that are linked across, and to whom, by both. */
  readonly links = new Map<string, [Process, Pid]>();
  readonly monitors = new Map<bigint, Monitor>();
  readonly remoteMonitors = new Map<bigint, RemoteMonitor>();
  readonly spawns = new Map<bigint, PendingSpawn>();
}

export const NOPROC: Reason = { kind: 'error', text: 'noproc' };
const NO_CONNECTION: Reason = { kind: 'noconnection' };
/** Messages that are delivered in a row before others than processes have their turn: relays can be made to pass one round for good. */
const MESSAGES = 10_000;
const LONGEST_NAME = 65_535;

export class Processes {
  #alive = new Map<number, Process>();
  #names = new Map<string, Process>();
  #nodeWatchers = new Map<string, Set<Process>>();
  #ties = new WeakMap<Session, Ties>();
  #last = 0;
  /** References and request numbers: unique in all sessions at once (PROC-34, PROC-58). */
  #numbers = 0n;
  #signals: (() => void)[] = [];
  #working = false;
  #delivered = 0;

  constructor(
    private readonly node: Sessions,
    private readonly observer: ProcessObserver,
  ) {}

  isAlive(local: number): boolean {
    return this.#alive.has(local);
  }

  find(local: number): Process | undefined {
    return this.#alive.get(local);
  }

  named(name: string): Process | undefined {
    return this.#names.get(name);
  }

  ties(session: Session): Ties {
    const known = this.#ties.get(session);
    if (known !== undefined) return known;
    const made = new Ties();
    this.#ties.set(session, made);
    return made;
  }

  /** Does it, and then all that follows for processes of this node. */
  perform<T>(act: () => T): T {
    if (this.#working) return act();
    this.#working = true;
    try {
      return act();
    } finally {
      this.#working = false;
      this.#follow();
    }
  }

  #follow(): void {
    this.#working = true;
    this.#delivered = 0;
    try {
      while (this.#signals.length > 0) {
        if (this.#delivered > MESSAGES) {
          setImmediate(() => this.#follow());
          return;
        }
        const signals = this.#signals;
        this.#signals = [];
        for (const signal of signals) signal();
      }
    } finally {
      this.#working = false;
    }
  }

  /** A process that does not run yet: `begin` of its behaviour is the caller's to call. Throws `Refused`. */
  create(name: string, args: Buffer, requester: Session | undefined, parent: Pid | undefined): Process {
    const offered = functionOf(name);
    if (offered === undefined) throw new Refused('there is no such function');
    const process = this.#make(parent);
    process.behaviour = offered(process, args, this.#world(requester));
    return process;
  }

  /** A process of this node's own kind. */
  adopt(behaviour: Behaviour): Process {
    const process = this.#make(undefined);
    process.behaviour = behaviour;
    return process;
  }

  #make(parent: Pid | undefined): Process {
    do this.#last = (this.#last + 1) % 2 ** 40;
    while (this.#alive.has(this.#last));
    const process = new Process(this.#last, parent === undefined ? undefined : keyOf(parent));
    this.#alive.set(process.local, process);
    return process;
  }

  /** Spawns on this node. `parent` lives here, and is linked. */
  spawn(name: string, args: Buffer, parent: Process | undefined): Pid {
    return this.perform(() => {
      const process = this.create(name, args, undefined, parent?.pid);
      if (parent !== undefined) this.#join(process, parent);
      process.behaviour.begin?.();
      return process.pid;
    });
  }

  /** Spawns on a connected node. */
  spawnAt(node: string, name: string, args: Buffer, requester: Process, link: boolean): Promise<Pid> {
    const session = this.node.sessions.get(node);
    if (session === undefined) throw new NotConnected(`${node} is not connected`);
    if (Buffer.byteLength(name) > LONGEST_NAME) throw new TooLarge('it does not fit a frame');
    const request = ++this.#numbers;
    session.send('SPAWN', { request, requester: requester.pid, link: link ? 1 : 0, function: Buffer.from(name), args });
    return new Promise((resolve, reject) => this.ties(session).spawns.set(request, { resolve, reject }));
  }

  /** Throws `TooLarge`. What cannot be delivered vanishes. */
  send(to: Pid, message: Buffer): void {
    if (to.node_id !== 0) this.#sessionOf(to)?.send('SEND', { target: to, message });
    else if (to.creation === 0) this.deliver(this.#alive.get(to.local), message);
  }

  sendNamed(node: string, name: string, message: Buffer): void {
    if (Buffer.byteLength(name) > LONGEST_NAME) throw new TooLarge('it does not fit a frame');
    if (node === this.node.self.name) this.deliver(this.#names.get(name), message);
    else this.node.sessions.get(node)?.send('REG_SEND', { name, message });
  }

  deliver(process: Process | undefined, message: Buffer): void {
    if (process === undefined) return;
    this.#signal(() => {
      this.#delivered++;
      if (this.#alive.get(process.local) === process) process.behaviour.message(message);
    });
  }

  /** Gives the process a local name (PROC-23). */
  register(process: Process, name: string): void {
    if (name === '' || Buffer.byteLength(name) > LONGEST_NAME) throw new InvalidName('a local name has 1 to 65,535 bytes');
    if (this.#names.has(name)) throw new NameTaken('the name is registered');
    this.#names.set(name, process);
    process.names.add(name);
  }

  /** Ends the process, whether it traps exits or not. */
  end(process: Process, reason: Reason): void {
    this.perform(() => this.#end(process, reason));
  }

  /** A parent's EXIT to a child, which is an order (PROC-49). */
  order(parent: Process, child: Pid, reason: Reason): void {
    this.perform(() => {
      const local = child.node_id === 0 ? this.#alive.get(child.local) : undefined;
      const session = this.#sessionOf(child);
      if (local !== undefined) this.exit(local, parent.pid, reason);
      else if (session !== undefined) this.sendExit(session, parent.local, child, reason);
    });
  }

  link(process: Process, to: Pid): void {
    this.perform(() => {
      if (process.links.has(keyOf(to)) || keyOf(to) === keyOf(process.pid)) return;
      if (to.node_id === 0) {
        const partner = to.creation === 0 ? this.#alive.get(to.local) : undefined;
        if (partner !== undefined) this.#join(process, partner);
        else this.#linkToDead(process, to);
        return;
      }
      const session = this.#connected(to);
      if (session.peer.creation !== to.creation) return this.#linkToDead(process, to);
      this.linkAcross(session, process, to);
      session.send('LINK', { from: process.pid, to });
    });
  }

  /** Joins a process of this node to one of the session's peer, and says nothing. */
  linkAcross(session: Session, process: Process, to: Pid): void {
    process.links.set(keyOf(to), to);
    this.ties(session).links.set(`${process.local} ${keyOf(to)}`, [process, to]);
  }

  unlink(process: Process, to: Pid): void {
    if (!this.separate(process, to)) return;
    if (to.node_id === 0) {
      const partner = this.#alive.get(to.local);
      if (partner !== undefined) this.separate(partner, process.pid);
    } else {
      this.#sessionOf(to)?.send('UNLINK', { from: process.pid, to });
    }
  }

  /** Undoes the process's half of a link; whether there was one. */
  separate(process: Process, to: Pid): boolean {
    if (!process.links.delete(keyOf(to))) return false;
    const session = this.#sessionOf(to);
    if (session !== undefined) this.ties(session).links.delete(`${process.local} ${keyOf(to)}`);
    return true;
  }

  monitor(watcher: Process, target: Pid): bigint {
    return this.perform(() => {
      const monitor: Monitor = { ref: ++this.#numbers, watcher, target };
      if (target.node_id === 0) {
        const watched = target.creation === 0 ? this.#alive.get(target.local) : undefined;
        watcher.monitors.set(monitor.ref, monitor);
        if (watched === undefined) this.fire(monitor, NOPROC);
        else watched.watchers.add(monitor);
        return monitor.ref;
      }
      const session = this.#connected(target);
      watcher.monitors.set(monitor.ref, monitor);
      if (session.peer.creation !== target.creation) {
        this.fire(monitor, NOPROC);
      } else {
        this.ties(session).monitors.set(monitor.ref, monitor);
        session.send('MONITOR', { from: watcher.pid, to: target, ref: monitor.ref });
      }
      return monitor.ref;
    });
  }

  demonitor(watcher: Process, ref: bigint): void {
    const monitor = watcher.monitors.get(ref);
    if (monitor === undefined) return;
    watcher.monitors.delete(ref);
    const { target } = monitor;
    if (target.node_id === 0) {
      this.#alive.get(target.local)?.watchers.delete(monitor);
      return;
    }
    const session = this.#sessionOf(target);
    if (session !== undefined && this.ties(session).monitors.delete(ref)) session.send('DEMONITOR', { from: watcher.pid, to: target, ref });
  }

  /** Tells the watcher, who is told once. */
  fire(monitor: Monitor, reason: Reason): void {
    this.#signal(() => {
      const { watcher, ref, target } = monitor;
      if (watcher.monitors.delete(ref)) this.observer.down(watcher.pid, ref, target, reason);
    });
  }

  watchNode(process: Process, node: string): void {
    const watchers = this.#nodeWatchers.get(node) ?? new Set();
    this.#nodeWatchers.set(node, watchers.add(process));
    process.nodes.add(node);
  }

  /** An EXIT from a process that is linked to `process`, if it is (PROC-41 to PROC-50). */
  exit(process: Process, from: Pid, reason: Reason): void {
    this.#signal(() => {
      const key = keyOf(from);
      if (!process.links.has(key) || !this.#alive.has(process.local)) return;
      const { kind } = reason;
      if (process.parent === key) {
        if (kind === 'killed' || (kind === 'shutdown' && !process.trapsExits)) return this.#end(process, { kind });
        if (kind === 'shutdown') return this.#exited(process, from, reason);
      }
      if (kind === 'normal' || kind === 'shutdown' || process.trapsExits) {
        this.separate(process, from);
        return this.#exited(process, from, reason);
      }
      // A parent is told of the end that its EXIT has made (PROC-50), another partner is not.
      if (process.parent !== key) this.separate(process, from);
      this.#end(process, { kind: 'linked', pid: from, reason });
    });
  }

  sessionBegan(session: Session): void {
    const { name } = session.peer;
    for (const process of this.#nodeWatchers.get(name) ?? []) this.observer.nodeUp(process.pid, name);
  }

  /** The session has ended: what crossed it fires (PROC-61 to PROC-64). */
  sessionEnded(session: Session): void {
    const { links, monitors, remoteMonitors, spawns } = this.ties(session);
    this.#ties.delete(session);
    this.perform(() => {
      for (const [process, partner] of links.values()) this.exit(process, partner, NO_CONNECTION);
      for (const monitor of monitors.values()) this.fire(monitor, NO_CONNECTION);
      for (const monitor of remoteMonitors.values()) monitor.process.remoteWatchers.delete(monitor);
      for (const spawn of spawns.values()) spawn.reject(new ConnectionLost('the session has ended'));
    });
    const { name } = session.peer;
    for (const process of this.#nodeWatchers.get(name) ?? []) this.observer.nodeDown(process.pid, name);
  }

  /** The reason as it goes out: one that would not fit is told as unknown (PROC-28). */
  sendExit(session: Session, from: number, to: Pid, reason: Reason): void {
    fitting(session, reason, (fits) => frame('EXIT', { from: ownPid(from), to, reason: fits }));
  }

  sendMonitorExit(session: Session, monitored: number, monitoring: Pid, ref: bigint, reason: Reason): void {
    fitting(session, reason, (fits) => frame('MONITOR_EXIT', { monitored: ownPid(monitored), monitoring, ref, reason: fits }));
  }

  #end(process: Process, reason: Reason): void {
    if (!this.#alive.delete(process.local)) return;
    const { pid } = process;
    for (const name of process.names) this.#names.delete(name);
    for (const node of process.nodes) {
      const watchers = this.#nodeWatchers.get(node);
      watchers?.delete(process);
      if (watchers?.size === 0) this.#nodeWatchers.delete(node);
    }
    for (const ref of process.monitors.keys()) this.demonitor(process, ref);
    this.observer.ended(pid, reason);
    for (const partner of [...process.links.values()]) {
      const session = this.#sessionOf(partner);
      this.separate(process, partner);
      if (session !== undefined) this.sendExit(session, process.local, partner, reason);
      const local = partner.node_id === 0 ? this.#alive.get(partner.local) : undefined;
      if (local !== undefined) this.exit(local, pid, reason);
    }
    for (const monitor of process.watchers) this.fire(monitor, reason);
    for (const { session, ref, watcher } of process.remoteWatchers) {
      this.ties(session).remoteMonitors.delete(ref);
      this.sendMonitorExit(session, process.local, watcher, ref, reason);
    }
    process.behaviour.ended?.();
  }

  #exited(process: Process, from: Pid, reason: Reason): void {
    this.observer.exited(process.pid, from, reason);
    process.behaviour.exited?.(from, reason);
  }

  #join(one: Process, other: Process): void {
    one.links.set(keyOf(other.pid), other.pid);
    other.links.set(keyOf(one.pid), one.pid);
  }

  #linkToDead(process: Process, to: Pid): void {
    process.links.set(keyOf(to), to);
    this.exit(process, to, NOPROC);
  }

  #signal(signal: () => void): void {
    this.#signals.push(signal);
    if (!this.#working) this.#follow();
  }

  /** The session over which the process is reached now. */
  #sessionOf({ node_id }: Pid): Session | undefined {
    const name = this.node.ids.nameOf(node_id);
    return name === undefined ? undefined : this.node.sessions.get(name);
  }

  #connected(pid: Pid): Session {
    const session = this.#sessionOf(pid);
    if (session === undefined) throw new NotConnected('the node of the process is not connected');
    return session;
  }

  #world(requester: Session | undefined): World {
    return {
      report: (process, bytes) => this.observer.message(process.pid, bytes),
      send: (to, bytes) => {
        try {
          this.send(to, bytes);
        } catch (error) {
          if (!(error instanceof TooLarge)) throw error;
          console.error('a relay got a message that does not fit a SEND');
        }
      },
      end: (process, reason) => this.end(process, reason),
      resolve: (pid) => {
        if (requester === undefined) return pid;
        return pid.node_id === 0 ? this.ofPeer(requester, pid.local) : undefined;
      },
      resolveReason: (reason) => (requester === undefined ? reason : this.reasonOfPeer(requester, reason)),
    };
  }

  /** A process of the peer, as this node holds it (PROC-3). */
  ofPeer({ peer: { name, creation } }: Session, local: number): Pid {
    return { node_id: this.node.ids.of(name) as number, creation, local };
  }

  /** A reason as this node holds it: PIDs in it are the peer's own, or cannot be resolved (PROC-12). */
  reasonOfPeer(session: Session, reason: Reason): Reason {
    const around: Pid[] = [];
    let at = reason;
    for (; at.kind === 'linked'; at = at.reason) around.push(at.pid.node_id === 0 ? this.ofPeer(session, at.pid.local) : { ...at.pid, opaque: true });
    return around.reduceRight<Reason>((inner, pid) => ({ kind: 'linked', pid, reason: inner }), at);
  }
}

function fitting(session: Session, reason: Reason, bytes: (reason: Reason) => Buffer): void {
  let message: Buffer;
  try {
    message = bytes(reason);
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    message = bytes({ kind: 'error', text: 'unknown' });
  }
  session.channel.send(message);
}
