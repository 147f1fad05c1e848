// What a process of this node is made of. Who changes it when is the business of processes.ts.

import type { Session } from './session.js';
import type { Pid, Reason } from './wire/fields.js';

/** What a process does. */
export interface Behaviour {
  /** Runs once, when the process is known to whoever asked for it. */
  begin?(): void;
  message(bytes: Buffer): void;
  /** An exit was delivered as a message. */
  exited?(from: Pid, reason: Reason): void;
  /** It has ended. */
  ended?(): void;
}

/** A process of this node that watches another one, here or on a connected node. */
export interface Monitor {
  readonly ref: bigint;
  readonly watcher: Process;
  readonly target: Pid;
}

/** A peer that watches a process of this node. */
export interface RemoteMonitor {
  readonly session: Session;
  readonly ref: bigint;
  readonly watcher: Pid;
  readonly process: Process;
}

export class Process {
  readonly names = new Set<string>();
  readonly nodes = new Set<string>();
  /** Its partners, by `keyOf`. */
  readonly links = new Map<string, Pid>();
  /** The monitors that it holds, and those that are held on it. */
  readonly monitors = new Map<bigint, Monitor>();
  readonly watchers = new Set<Monitor>();
  readonly remoteWatchers = new Set<RemoteMonitor>();
  trapsExits = false;
  behaviour: Behaviour = { message: () => {} };

  constructor(
    readonly local: number,
    /** The `keyOf` of the requester that it was spawned by with a link. */
    readonly parent: string | undefined,
  ) {}

  get pid(): Pid {
    return ownPid(this.local);
  }
}

export function ownPid(local: number): Pid {
  return { node_id: 0, creation: 0, local };
}

export function keyOf({ node_id, creation, local }: Pid): string {
  return `${node_id}.${local}.${creation}`;
}
