// The table of global names. Tells sessions of changes made here, and never passes on what it has heard (REG-13).

import { InvalidName, NameTaken, NameUnknown } from './errors.js';
import type { NodeIds } from './ids.js';
import { parseName } from './names.js';
import type { Session } from './session.js';
import type { Pid } from './wire/fields.js';
import { type Entry, frame, syncFrames, type FieldsOf, type MessageName } from './wire/messages.js';

const LONGEST = 65_535;

export interface Surroundings {
  readonly ids: NodeIds;
  readonly self: { readonly name: string; readonly creation: number };
  readonly sessions: ReadonlyMap<string, Session>;
  isAlive(local: number): boolean;
}

export class Registry {
  /** PIDs as this node holds them. */
  #names = new Map<string, Pid>();
  /** The names of each owner, by its node id, and within the node itself by process: what clean-ups ask for. */
  #ofNode = new Map<number, Set<string>>();
  #ofProcess = new Map<number, Set<string>>();
  #sync: Buffer[] | undefined;

  constructor(private readonly node: Surroundings) {}

  /** The process is alive, or on a connected node: the caller has seen to that (REG-3). */
  register(name: string, pid: Pid): void {
    if (name === '' || Buffer.byteLength(name) > LONGEST) throw new InvalidName('a global name has 1 to 65,535 bytes');
    if (this.#names.has(name)) throw new NameTaken('the name is registered');
    this.#store(name, pid);
    this.#tell('GLOBAL_REGISTER', { name, pid, owner: this.#owner(pid) });
  }

  unregister(name: string): void {
    if (!this.#remove(name)) throw new NameUnknown('the name is not registered');
    this.#tell('GLOBAL_UNREGISTER', { name });
  }

  whereis(name: string): Pid | undefined {
    return this.#names.get(name);
  }

  all(): Iterable<[string, Pid]> {
    return this.#names;
  }

  /** The whole table as frames (REG-15), the same for every receiver, made once for each state of the table. */
  syncFrames(): Buffer[] {
    this.#sync ??= syncFrames(this.#entries());
    return this.#sync;
  }

  /** An entry that a peer tells (REG-10, REG-11, REG-14, REG-21 to REG-28). */
  heard(from: Session, { name, pid, owner }: Entry): void {
    if (name === '' || this.#names.has(name)) return;
    const { self, sessions, ids } = this.node;
    if (owner === from.peer.name) {
      if (pid.node_id === 0) this.#store(name, { node_id: ids.of(owner) as number, creation: from.peer.creation, local: pid.local });
    } else if (owner === self.name) {
      const former = pid.creation !== self.creation && !(pid.creation === 0 && pid.node_id === 0);
      if (!former && this.node.isAlive(pid.local)) this.#store(name, { node_id: 0, creation: 0, local: pid.local });
      else this.#tell('GLOBAL_UNREGISTER', { name });
    } else {
      if (pid.creation === 0 || parseName(owner) === undefined) return;
      const live = sessions.get(owner)?.peer.creation;
      if (live !== undefined && live !== pid.creation) return;
      const id = ids.forEntry(owner);
      if (id !== undefined) this.#store(name, { node_id: id, creation: pid.creation, local: pid.local });
    }
  }

  /** A peer has unregistered the name (REG-12). */
  heardGone(name: string): void {
    this.#remove(name);
  }

  /** A session with that node begins: what its former runs had registered is gone, and nobody is told (REG-20). */
  forgetFormer(owner: number, creation: number): void {
    for (const name of this.#ofNode.get(owner) ?? []) {
      if (this.#names.get(name)?.creation !== creation) this.#remove(name);
    }
  }

  /** The session with that node has ended (REG-18). */
  nodeEnded(owner: number): void {
    this.#removeAll(this.#ofNode.get(owner));
  }

  /** A process of this node has ended (REG-17). */
  processEnded(local: number): void {
    this.#removeAll(this.#ofProcess.get(local));
  }

  #removeAll(names: Set<string> | undefined): void {
    for (const name of names ?? []) {
      this.#remove(name);
      this.#tell('GLOBAL_UNREGISTER', { name });
    }
  }

  #tell<M extends MessageName>(message: M, fields: FieldsOf<M>): void {
    const bytes = frame(message, fields);
    for (const { channel } of this.node.sessions.values()) channel.send(bytes);
  }

  #owner({ node_id }: Pid): string {
    return this.node.ids.nameOf(node_id) ?? this.node.self.name;
  }

  *#entries(): Generator<Entry> {
    for (const [name, pid] of this.#names) yield { name, pid, owner: this.#owner(pid) };
  }

  #store(name: string, pid: Pid): void {
    this.#names.set(name, pid);
    this.#sync = undefined;
    const [index, key] = this.#indexOf(pid);
    const names = index.get(key);
    if (names === undefined) index.set(key, new Set([name]));
    else names.add(name);
  }

  #remove(name: string): boolean {
    const pid = this.#names.get(name);
    if (pid === undefined) return false;
    this.#names.delete(name);
    this.#sync = undefined;
    const [index, key] = this.#indexOf(pid);
    const names = index.get(key);
    names?.delete(name);
    if (names?.size === 0) index.delete(key);
    return true;
  }

  #indexOf({ node_id, local }: Pid): [Map<number, Set<string>>, number] {
    return node_id === 0 ? [this.#ofProcess, local] : [this.#ofNode, node_id];
  }
}
