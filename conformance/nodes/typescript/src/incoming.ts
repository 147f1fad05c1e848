// What the messages of processes do that come over a session. Own fields are the sender's, directed ones this node's (PROC-3 to PROC-5).

import { isUtf8 } from 'node:buffer';

import { Refused } from './errors.js';
import { NOPROC, type Processes } from './processes.js';
import { ownPid, type Process } from './process.js';
import type { Session } from './session.js';
import type { Pid } from './wire/fields.js';
import { type FieldsOf, type Message, MESSAGES } from './wire/messages.js';

export class Incoming {
  constructor(
    private readonly processes: Processes,
    private readonly self: () => { readonly creation: number },
  ) {}

  /** Whether the message is one of processes. */
  take(session: Session, { message, fields }: Message): void {
    const { processes } = this;
    switch (message) {
      case 'SEND':
        return processes.deliver(this.#directed(fields.target), fields.message);
      case 'REG_SEND':
        return processes.deliver(processes.named(fields.name), fields.message);
      case 'LINK':
        return this.#link(session, fields);
      case 'UNLINK': {
        const process = this.#directed(fields.to);
        if (process !== undefined && isOwn(fields.from)) processes.separate(process, processes.ofPeer(session, fields.from.local));
        return;
      }
      case 'EXIT': {
        const process = this.#directed(fields.to);
        if (process === undefined || !isOwn(fields.from)) return;
        return processes.exit(process, processes.ofPeer(session, fields.from.local), processes.reasonOfPeer(session, fields.reason));
      }
      case 'MONITOR':
        return this.#monitor(session, fields);
      case 'DEMONITOR': {
        const { remoteMonitors } = processes.ties(session);
        const monitor = remoteMonitors.get(fields.ref);
        if (monitor === undefined || !isOwn(fields.from)) return;
        remoteMonitors.delete(fields.ref);
        monitor.process.remoteWatchers.delete(monitor);
        return;
      }
      case 'MONITOR_EXIT': {
        const { monitors } = processes.ties(session);
        const monitor = monitors.get(fields.ref);
        if (monitor === undefined) return;
        monitors.delete(fields.ref);
        return processes.fire(monitor, processes.reasonOfPeer(session, fields.reason));
      }
      case 'SPAWN':
        return this.#spawn(session, fields);
      case 'SPAWN_REPLY': {
        const { spawns } = processes.ties(session);
        const pending = spawns.get(fields.request);
        if (pending === undefined) return;
        spawns.delete(fields.request);
        if (fields.status === 0 && fields.local < 1n << 40n) pending.resolve(processes.ofPeer(session, Number(fields.local)));
        else pending.reject(new Refused('the node does not offer that function'));
      }
    }
  }

  /** A MONITOR_EXIT whose reason cannot be read counts all the same (PROC-27). */
  takeUnreadable(session: Session, payload: Buffer): void {
    if (payload[0] !== MESSAGES.MONITOR_EXIT.tag || payload.length < 25) return;
    // Only the reference is needed (PROC-35).
    const fields = { monitored: ownPid(0), monitoring: ownPid(0), ref: payload.readBigUInt64LE(17), reason: { kind: 'error', text: 'unknown' } as const };
    this.take(session, { message: 'MONITOR_EXIT', fields });
  }

  #link(session: Session, { from, to }: FieldsOf<'LINK'>): void {
    if (!isOwn(from)) return;
    const { processes } = this;
    const partner = processes.ofPeer(session, from.local);
    const process = this.#directed(to);
    if (process !== undefined) processes.linkAcross(session, process, partner);
    // One of a former run is not answered for: it would be taken for the present one (PROC-H1).
    else if (this.#isOfThisRun(to)) processes.sendExit(session, to.local, partner, NOPROC);
  }

  #monitor(session: Session, { from, to, ref }: FieldsOf<'MONITOR'>): void {
    if (!isOwn(from)) return;
    const { processes } = this;
    const watcher = processes.ofPeer(session, from.local);
    const process = this.#directed(to);
    if (process === undefined) return processes.sendMonitorExit(session, to.local, watcher, ref, NOPROC);
    const { remoteMonitors } = processes.ties(session);
    if (remoteMonitors.has(ref)) return;
    const monitor = { session, ref, watcher, process };
    remoteMonitors.set(ref, monitor);
    process.remoteWatchers.add(monitor);
  }

  #spawn(session: Session, { request, requester, link, function: name, args }: FieldsOf<'SPAWN'>): void {
    if (!isOwn(requester)) return;
    const { processes } = this;
    const parent = link === 1 ? processes.ofPeer(session, requester.local) : undefined;
    let process: Process;
    try {
      process = processes.create(isUtf8(name) ? name.toString('utf8') : '', args, session, parent);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return session.send('SPAWN_REPLY', { request, status: 1, local: 0n });
    }
    // The order that PROC-56 asks for: LINK, SPAWN_REPLY, and only then what the function does.
    if (parent !== undefined) {
      processes.linkAcross(session, process, parent);
      session.send('LINK', { from: process.pid, to: parent });
    }
    session.send('SPAWN_REPLY', { request, status: 0, local: BigInt(process.local) });
    processes.perform(() => process.behaviour.begin?.());
  }

  #isOfThisRun({ node_id, creation }: Pid): boolean {
    return creation === this.self().creation || (node_id === 0 && creation === 0);
  }

  /** The live process that a directed field names. */
  #directed(pid: Pid): Process | undefined {
    return this.#isOfThisRun(pid) ? this.processes.find(pid.local) : undefined;
  }
}

function isOwn({ node_id }: Pid): boolean {
  return node_id === 0;
}
