// The processes of this node: who lives, and what they do. Only collectors so far.

import type { Reason } from './wire/fields.js';

export interface Watcher {
  ended(local: number, reason: Reason): void;
}

export class Processes {
  #alive = new Set<number>();
  #last = 0;

  constructor(private readonly watcher: Watcher) {}

  spawn(): number {
    this.#alive.add(++this.#last);
    return this.#last;
  }

  isAlive(local: number): boolean {
    return this.#alive.has(local);
  }

  /** Whether there was such a process to end. */
  exit(local: number, reason: Reason): boolean {
    if (!this.#alive.delete(local)) return false;
    this.watcher.ended(local, reason);
    return true;
  }
}
