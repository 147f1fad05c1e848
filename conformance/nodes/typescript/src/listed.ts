// Which listed names are dialled when (MEM-13, RES-2, RES-3). Owns the queue, never a connection.

/** Dials under way at once. */
const PLACES = 8;
/** Dials begun within any `WINDOW`. */
const MOST = 256;
/** Milliseconds, a little more than is asked: timers and clocks differ. */
const WINDOW = 10_100;
/** Names that wait; of a longer list those behind are dropped. */
const ROOM = 2048;

export class Listed {
  #waiting = new Set<string>();
  #underWay = new Set<string>();
  #begun: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `dial` begins a dial and says whether it did: a name that is connected or dialled by now needs none (MEM-22). */
  constructor(private readonly dial: (name: string) => boolean) {}

  add(name: string): void {
    if (this.#underWay.has(name) || this.#waiting.size >= ROOM) return;
    this.#waiting.add(name);
  }

  /** The dial to that name has ended, however it went. */
  ended(name: string): void {
    if (this.#underWay.delete(name)) this.turn();
  }

  /** Begins as many dials as may begin now. */
  turn(): void {
    const now = performance.now();
    for (const name of this.#waiting) {
      while (this.#begun[0] !== undefined && this.#begun[0] <= now - WINDOW) this.#begun.shift();
      if (this.#underWay.size >= PLACES) return;
      if (this.#begun.length >= MOST) {
        this.#timer ??= setTimeout(() => this.#again(), (this.#begun[0] as number) + WINDOW - now);
        return;
      }
      this.#waiting.delete(name);
      this.#underWay.add(name);
      if (this.dial(name)) this.#begun.push(now);
      else this.#underWay.delete(name);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #again(): void {
    this.#timer = undefined;
    this.turn();
  }
}
