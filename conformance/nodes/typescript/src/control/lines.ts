// JSON-RPC over lines: requests in, answers and notifications out. Knows no method.

import { type Json, Misfit } from '../wire/fields.js';

/** An error with the code that the harness compares. */
export class Failure extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly data?: Json,
  ) {
    super(message);
  }
}

export type Params = Record<string, unknown>;
export type Method = (params: Params) => Json | Promise<Json>;

/** A parameter that is text. */
export function text(params: Params, name: string): string {
  const value = params[name];
  if (typeof value !== 'string' || !value.isWellFormed()) throw new Misfit(`${name} is missing`);
  return value;
}

const LONGEST = 64 * 1024 * 1024;
const LF = 0x0a;

/** Cuts lines at LF alone: texts may hold what other readers take for the end of a line. */
export class Lines {
  #pieces: Buffer[] = [];
  #length = 0;

  constructor(private readonly line: (line: string) => void) {}

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      this.#keep(chunk.subarray(start, end));
      const whole = Buffer.concat(this.#pieces).toString('utf8');
      this.#pieces = [];
      this.#length = 0;
      start = end + 1;
      this.line(whole);
    }
    this.#keep(chunk.subarray(start));
  }

  #keep(piece: Buffer): void {
    this.#length += piece.length;
    if (this.#length > LONGEST) throw new Error('a line has more than 64 MiB');
    if (piece.length > 0) this.#pieces.push(piece);
  }
}

export class Rpc {
  #seq = 0;
  /** Lines behind a request that they have to wait for, while there is one. */
  #held: string[] | undefined;

  constructor(
    private readonly method: (name: string) => Method | undefined,
    /** Methods whose effect is not there when they return: later requests wait for their answer. */
    private readonly slow: ReadonlySet<string>,
    private readonly failureOf: (error: unknown) => Failure,
  ) {}

  notify(method: string, params: { [name: string]: Json }): void {
    write({ jsonrpc: '2.0', method, params: { seq: ++this.#seq, ...params } });
  }

  /** Takes effect before it returns, as far as the method does; the answer may come later. */
  receive(line: string): void {
    if (this.#held !== undefined) {
      this.#held.push(line);
      return;
    }
    let request: unknown;
    try {
      request = JSON.parse(line);
    } catch {
      return fail(null, new Failure(-32700, 'the line is no JSON'));
    }
    const { id, method, params = {} } = (typeof request === 'object' && request !== null ? request : {}) as Params;
    if (typeof id !== 'number' || typeof method !== 'string') return fail(null, new Failure(-32600, 'the object is no request'));
    if (typeof params !== 'object' || params === null) return fail(id, new Failure(-32602, 'params is no object'));
    const perform = this.method(method);
    if (perform === undefined) return fail(id, new Failure(-32601, `unknown method ${method}`));
    const failed = (error: unknown) => fail(id, this.failureOf(error));
    try {
      const result = perform(params as Params);
      if (!(result instanceof Promise)) return answer(id, result);
      const answered = result.then((value) => answer(id, value), failed);
      if (!this.slow.has(method)) return;
      this.#held = [];
      answered.finally(() => this.#release());
    } catch (error) {
      failed(error);
    }
  }

  #release(): void {
    const lines = this.#held ?? [];
    this.#held = undefined;
    for (const line of lines) this.receive(line);
  }
}

function answer(id: number, result: Json): void {
  write({ jsonrpc: '2.0', id, result });
}

function fail(id: number | null, { code, message, data }: Failure): void {
  write({ jsonrpc: '2.0', id, error: data === undefined ? { code, message } : { code, message, data } });
}

function write(object: Json): void {
  process.stdout.write(`${JSON.stringify(object)}\n`);
}
