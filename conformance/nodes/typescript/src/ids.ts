// This node's private numbering of other nodes (PROC-6 to PROC-9). Numbers are never taken back.

const GREATEST = 65_535;
/** Kept for nodes with a session: entries of a table get none of these (PROC-8). */
const RESERVED = 1024;

export class NodeIds {
  #ids = new Map<string, number>();
  /** The name of each id; 0 is the node itself. */
  #names: string[] = [''];

  of(name: string): number | undefined {
    return this.#ids.get(name);
  }

  nameOf(id: number): string | undefined {
    return id === 0 ? undefined : this.#names[id];
  }

  /** Whether a node that has no id yet could get one. */
  get hasRoom(): boolean {
    return this.#names.length <= GREATEST;
  }

  forSession(name: string): number | undefined {
    return this.#give(name, GREATEST);
  }

  forEntry(name: string): number | undefined {
    return this.#give(name, GREATEST - RESERVED);
  }

  #give(name: string, last: number): number | undefined {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#names.length;
    if (id > last) return undefined;
    this.#names.push(name);
    this.#ids.set(name, id);
    return id;
  }
}
