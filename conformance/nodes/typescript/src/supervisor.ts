// A supervisor: a process that starts children here and on connected nodes, and starts them again (spec/supervisor.md).
// It reacts to what it is told, one thing at a time: a child is in one state, and `#advance` does what may be done next.

import { NotConnected } from './errors.js';
import { keyOf, type Process } from './process.js';
import { type Processes } from './processes.js';
import type { Pid, Reason } from './wire/fields.js';

export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'simple_one_for_one';

export interface ChildSpec {
  readonly id: string;
  readonly function: string;
  readonly args: Buffer;
  readonly restart: 'permanent' | 'transient' | 'temporary';
  /** The target node; `undefined` is the supervisor's own. */
  readonly node: string | undefined;
}

export interface SupervisorSpec {
  readonly strategy: Strategy;
  readonly maxRestarts: number;
  readonly maxSeconds: number;
  /** With `simple_one_for_one` the one template. */
  readonly children: readonly ChildSpec[];
}

/** Milliseconds from EXIT shutdown to EXIT killed (SUP-17). */
const PATIENCE = 5000;

interface Child {
  readonly spec: ChildSpec;
  /** `wanted`: to be started as soon as may be. `doomed`: its SPAWN is pending, and it is stopped as soon as it has started. */
  state: 'wanted' | 'starting' | 'doomed' | 'running' | 'ended';
  pid?: Pid | undefined;
  /** Whether it has been started at all, whatever became of it. */
  known?: true;
  /** Who asked for this child, and waits for it. */
  caller?: Caller | undefined;
}

interface Caller {
  resolve(pid: Pid): void;
  reject(error: Error): void;
}

export class Supervisor {
  readonly process: Process;

  #children: Child[] = [];
  #byPid = new Map<string, Child>();
  /** Ends that were heard of nobody known, while a SPAWN is pending: perhaps it is that one's (SUP-12). */
  #strays = new Map<string, Reason>();
  /** Children that have to be stopped before anything is started, the next one first. */
  #toStop: Child[] = [];
  #stopping: { child: Child; timer: NodeJS.Timeout } | undefined;
  #restarts: number[] = [];
  /** Who waits for all children to have been started, while they do. */
  #starter: Caller | undefined;
  #ending = false;
  #failure: Error | undefined;
  #enders: (() => void)[] = [];
  #scheduled = false;

  constructor(
    private readonly spec: SupervisorSpec,
    private readonly processes: Processes,
    private readonly isConnected: (node: string) => boolean,
  ) {
    this.process = processes.adopt({
      message: () => {},
      exited: (from, reason) => this.#heard(from, reason),
      ended: () => this.#over(),
    });
    this.process.trapsExits = true;
    if (spec.strategy !== 'simple_one_for_one') this.#children = spec.children.map((child) => ({ spec: child, state: 'wanted' }));
  }

  /** Starts all children in order; done when they have been started (SUP-2, SUP-3). */
  start(): Promise<Pid> {
    return new Promise((resolve, reject) => {
      this.#starter = { resolve, reject };
      this.#advance();
    });
  }

  startChild(args: Buffer | undefined): Promise<Pid> {
    const [template] = this.spec.children;
    if (this.spec.strategy !== 'simple_one_for_one' || template === undefined) throw new Error('the supervisor has its children already');
    return new Promise((resolve, reject) => {
      this.#children.push({ spec: { ...template, args: args ?? template.args }, state: 'wanted', caller: { resolve, reject } });
      this.#advance();
    });
  }

  children(): { id: string; pid: Pid | undefined }[] {
    return this.#children.map(({ spec, pid }) => ({ id: spec.id, pid }));
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#enders.push(resolve);
      this.#end();
    });
  }

  /** A session has begun: children that were lost with it may be started again (SUP-13). */
  nodeUp(): void {
    this.#schedule();
  }

  /** Not at once: a child that ends as it starts would make a loop of calls of it. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#advance();
    });
  }

  /** Does what may be done now: stops before starts, and these in order where the strategy asks for it. */
  #advance(): void {
    if (!this.processes.isAlive(this.process.local) || !this.#allStopped()) return;
    if (this.#ending) return this.processes.end(this.process, { kind: 'shutdown' });
    const { strategy } = this.spec;
    const inOrder = strategy === 'one_for_all' || strategy === 'rest_for_one';
    for (const child of [...this.#children]) {
      if (child.state === 'wanted') this.#startChild(child);
      if (this.#ending) return;
      if (inOrder && child.state !== 'running' && child.state !== 'ended') break;
      if (this.#starter !== undefined && child.known === undefined) break;
    }
    this.#greet();
  }

  /** All children have been started once: that is what the caller has asked for, even where one has ended since. */
  #greet(): void {
    if (this.#ending || this.#children.some(({ known }) => known === undefined)) return;
    this.#starter?.resolve(this.process.pid);
    this.#starter = undefined;
  }

  #startChild(child: Child): void {
    const { function: name, args, node } = child.spec;
    try {
      if (node === undefined) {
        child.state = 'starting';
        this.#started(child, this.processes.spawn(name, args, this.process));
      } else if (this.isConnected(node)) {
        child.state = 'starting';
        this.processes.spawnAt(node, name, args, this.process, true).then(
          (pid) => this.#started(child, pid),
          (error: Error) => this.#refused(child, error),
        );
      } else if (child.known === undefined) {
        throw new NotConnected(`${node} is not connected`);
      }
    } catch (error) {
      this.#refused(child, error as Error);
    }
  }

  #started(child: Child, pid: Pid): void {
    const { caller } = child;
    child.state = 'running';
    child.pid = pid;
    child.known = true;
    child.caller = undefined;
    this.#greet();
    this.#byPid.set(keyOf(pid), child);
    caller?.resolve(pid);
    const reason = this.#strays.get(keyOf(pid));
    if (!this.#children.some(({ state }) => state === 'starting' || state === 'doomed')) this.#strays.clear();
    if (reason !== undefined) this.#heard(pid, reason);
    // A doomed child is known now, and is stopped in its turn.
    this.#schedule();
  }

  /** The child could not be started. */
  #refused(child: Child, error: Error): void {
    const { caller } = child;
    const doomed = child.state === 'doomed';
    child.state = 'ended';
    if (caller !== undefined) {
      this.#drop(child);
      caller.reject(error);
    } else if (doomed) {
      if (!this.#ending) child.state = 'wanted';
    } else if (child.known === undefined) {
      this.#failure = error;
      this.#end();
    } else {
      this.#fell(child, { kind: 'error', text: error.message });
    }
    this.#schedule();
  }

  /** An end over a link, of a child or of somebody else. */
  #heard(from: Pid, reason: Reason): void {
    const key = keyOf(from);
    const child = this.#byPid.get(key);
    if (child === undefined) {
      if (this.#children.some(({ state }) => state === 'starting' || state === 'doomed')) this.#strays.set(key, reason);
      return;
    }
    this.#forget(child);
    if (this.#stopping?.child === child) {
      clearTimeout(this.#stopping.timer);
      this.#stopping = undefined;
      child.state = this.#ending ? 'ended' : 'wanted';
    } else if (this.#ending) {
      child.state = 'ended';
    } else if (this.#toStop.includes(child)) {
      child.state = 'wanted';
    } else {
      this.#fell(child, reason);
    }
    this.#schedule();
  }

  /** A child has ended by itself (SUP-5 to SUP-11, SUP-14, SUP-15). */
  #fell(child: Child, reason: Reason): void {
    const { restart } = child.spec;
    const crashed = reason.kind !== 'normal' && reason.kind !== 'shutdown';
    child.state = 'ended';
    if (restart === 'temporary' || (restart === 'transient' && !crashed)) {
      if (this.spec.strategy === 'simple_one_for_one') this.#drop(child);
      return;
    }
    const now = performance.now();
    this.#restarts = this.#restarts.filter((at) => at > now - this.spec.maxSeconds * 1000);
    if (this.#restarts.length >= this.spec.maxRestarts) return this.#end();
    this.#restarts.push(now);
    child.state = 'wanted';
    this.#toStop = this.#fellWith(child)
      .filter(({ state }) => state === 'running' || state === 'starting' || state === 'doomed').reverse();
    for (const other of this.#toStop) if (other.state === 'starting') other.state = 'doomed';
  }

  /** Whom the strategy stops and starts with that child, in order. */
  #fellWith(child: Child): Child[] {
    const at = this.#children.indexOf(child);
    if (this.spec.strategy === 'one_for_all') return this.#children.filter((other) => other !== child);
    return this.spec.strategy === 'rest_for_one' ? this.#children.slice(at + 1) : [];
  }

  /** Stops all children in reverse order, and then the supervisor (SUP-15, SUP-19). */
  #end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#toStop = this.#children.filter(({ state }) => state === 'running' || state === 'starting' || state === 'doomed').reverse();
    for (const child of this.#toStop) if (child.state === 'starting') child.state = 'doomed';
    this.#schedule();
  }

  /** Stops the next child that has to be stopped, each after the end of the one before (SUP-16 to SUP-18); whether none is left. */
  #allStopped(): boolean {
    if (this.#stopping !== undefined) return false;
    for (let child = this.#toStop[0]; child !== undefined; child = this.#toStop[0]) {
      if (child.state === 'doomed') return false;
      this.#toStop.shift();
      const { pid } = child;
      if (child.state !== 'running' || pid === undefined) continue;
      const stopped = child;
      this.#stopping = { child, timer: setTimeout(() => this.#kill(stopped, pid), PATIENCE) };
      this.processes.order(this.process, pid, { kind: 'shutdown' });
      return this.#stopping === undefined && this.#allStopped();
    }
    return true;
  }

  #kill(child: Child, pid: Pid): void {
    this.#stopping = undefined;
    this.#forget(child);
    child.state = this.#ending ? 'ended' : 'wanted';
    this.processes.order(this.process, pid, { kind: 'killed' });
    this.#schedule();
  }

  #forget(child: Child): void {
    if (child.pid !== undefined) this.#byPid.delete(keyOf(child.pid));
    child.pid = undefined;
  }

  #drop(child: Child): void {
    this.#children = this.#children.filter((other) => other !== child);
  }

  /** The supervisor's process has ended, by `#end` or by somebody else. */
  #over(): void {
    this.#ending = true;
    if (this.#stopping !== undefined) clearTimeout(this.#stopping.timer);
    const gone = new Error('the supervisor has ended');
    for (const { caller } of this.#children) caller?.reject(gone);
    this.#starter?.reject(this.#failure ?? gone);
    this.#starter = undefined;
    for (const ended of this.#enders) ended();
  }
}
