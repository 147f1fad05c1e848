// The methods of the control protocol (spec/control.md): each says what a request asks of the node, and in which form the answer goes out.

import { AlreadyStarted, ConnectFailed, ConnectionLost, InvalidName, InvalidStart, NameTaken, NameUnknown, NoProcess, NotConnected, NotStarted, Refused, TooLarge, UnknownMember } from '../errors.js';
import { SnowNode } from '../node.js';
import { hex, Misfit } from '../wire/fields.js';
import { codecMethods } from './codec.js';
import { Failure, type Method, Rpc, text, type Params } from './lines.js';
import { Pids } from './pids.js';
import { processMethods } from './process.js';
import { supervisorMethods } from './supervisor.js';

const CAPABILITIES = ['registry', 'process', 'supervisor', 'rooms', 'codec', 'term'];

const CODES: [new (...rest: any[]) => Error, number][] = [
  [Misfit, -32602],
  [NotStarted, -32001],
  [AlreadyStarted, -32002],
  [InvalidStart, -32003],
  [InvalidName, -32003],
  [ConnectFailed, -32004],
  [NameTaken, -32005],
  [NameUnknown, -32006],
  [NoProcess, -32007],
  [NotConnected, -32008],
  [TooLarge, -32009],
  [UnknownMember, -32010],
  [Refused, -32011],
  [ConnectionLost, -32012],
];

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  const known = CODES.find(([kind]) => error instanceof kind);
  if (known === undefined) console.error(error);
  return new Failure(known?.[1] ?? -32000, message);
}

function milliseconds(params: Params, name: string, otherwise: number): number {
  const value = params[name] ?? otherwise;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) throw new Misfit(`${name} is no time`);
  return Math.min(value, 0x7fff_ffff);
}

export class Adapter {
  readonly rpc = new Rpc((name) => (Object.hasOwn(this.#methods, name) ? this.#methods[name] : undefined), new Set(['node.start']), failureOf);
  #node = new SnowNode({
    sessionOpened: (node, creation) => this.rpc.notify('session.opened', { node, creation }),
    sessionClosed: (node, creation) => this.rpc.notify('session.closed', { node, creation }),
    message: (pid, bytes) => this.rpc.notify('process.message', { pid: this.#pids.toJson(pid), bytes: bytes.toString('hex') }),
    down: (pid, ref, from, reason) =>
      this.rpc.notify('process.down', { pid: this.#pids.toJson(pid), ref: ref.toString(), from: this.#pids.toJson(from), reason: this.#pids.reasonToJson(reason) }),
    exited: (pid, from, reason) =>
      this.rpc.notify('process.exited', { pid: this.#pids.toJson(pid), from: this.#pids.toJson(from), reason: this.#pids.reasonToJson(reason) }),
    ended: (pid, reason) => this.rpc.notify('process.ended', { pid: this.#pids.toJson(pid), reason: this.#pids.reasonToJson(reason) }),
    nodeUp: (pid, node) => this.rpc.notify('node.up', { pid: this.#pids.toJson(pid), node }),
    nodeDown: (pid, node) => this.rpc.notify('node.down', { pid: this.#pids.toJson(pid), node }),
  });
  #pids = new Pids(this.#node);

  #methods: Record<string, Method> = {
    initialize: () => ({ implementation: 'snow-node-typescript', version: '0.1.0', language: 'TypeScript', protocol: 5, control: 1, capabilities: CAPABILITIES }),

    'node.start': async (params) => {
      await this.#node.start({
        name: text(params, 'name'),
        cookie: hex(params.cookie),
        timers: {
          interval: milliseconds(params, 'heartbeat_interval_ms', 60_000),
          timeout: milliseconds(params, 'heartbeat_timeout_ms', 15_000),
          handshake: milliseconds(params, 'handshake_timeout_ms', 7_000),
        },
        listen: params.listen === undefined ? undefined : text(params, 'listen'),
      });
      return { ...this.#node.self, websocket: this.#node.rooms.url };
    },

    'node.connect': async (params) => {
      await this.#node.cluster.connect(text(params, 'node'));
      return {};
    },

    'node.self': () => ({ ...this.#node.self }),
    'node.list': () => ({ nodes: [...this.#node.cluster.sessions.keys()] }),

    barrier: async () => {
      await this.#settled();
      return {};
    },

    shutdown: () => {
      setImmediate(() => this.stop());
      return {};
    },

    'global.register': (params) => {
      this.#node.register(text(params, 'name'), this.#pids.fromJson(params.pid));
      return {};
    },

    'global.whereis': (params) => {
      const pid = this.#node.registry.whereis(text(params, 'name'));
      return { pid: pid === undefined ? null : this.#pids.toJson(pid) };
    },

    'global.unregister': (params) => {
      this.#node.registry.unregister(text(params, 'name'));
      return {};
    },

    'global.names': () => ({ names: Array.from(this.#node.registry.all(), ([name, pid]) => ({ name, pid: this.#pids.toJson(pid) })) }),

    'room.broadcast': (params) => {
      const except = params.except === undefined || params.except === null ? undefined : text(params, 'except');
      return { failed: this.#node.broadcast(text(params, 'room'), text(params, 'text'), except) };
    },

    'room.join': (params) => {
      this.#node.rooms.join(text(params, 'member'), text(params, 'room'));
      return {};
    },

    'room.leave': (params) => {
      this.#node.rooms.leave(text(params, 'member'), text(params, 'room'));
      return {};
    },

    ...processMethods(this.#node, this.#pids),
    ...supervisorMethods(this.#node, this.#pids),
    ...codecMethods,
  };

  /** Ends all sessions and the process. */
  stop(): void {
    this.#node.stop();
    setTimeout(() => process.exit(0), 100);
  }

  /**
   * Waits until what has arrived has had its effects: turns of the event loop until one brings nothing more, for at most 5 s.
   * One turn reads at most a few MiB of each connection, so one alone is not enough.
   */
  async #settled(): Promise<void> {
    const until = performance.now() + 5000;
    let quiet = 0;
    for (let seen = this.#node.bytesRead; quiet < 3 && performance.now() < until; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const now = this.#node.bytesRead;
      quiet = now === seen && this.#node.idle ? quiet + 1 : 0;
      seen = now;
    }
  }
}
