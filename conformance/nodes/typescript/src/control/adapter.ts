// The methods of the control protocol (spec/control.md): each says what a request asks of the node, and in which form the answer goes out.

import { ConnectFailed, InvalidName } from '../cluster.js';
import { AlreadyStarted, InvalidStart, NoProcess, NotConnected, NotStarted, SnowNode } from '../node.js';
import { NameInvalid, NameTaken, NameUnknown } from '../registry.js';
import { type Json, hex, members, Misfit, type Pid, pid as pidField, reasonFromJson, reasonToJson } from '../wire/fields.js';
import { TooLarge } from '../wire/messages.js';
import { codecMethods } from './codec.js';
import { Failure, type Method, type Params, Rpc } from './lines.js';

const CAPABILITIES = ['registry', 'rooms', 'codec'];

const CODES: [new (...rest: any[]) => Error, number][] = [
  [Misfit, -32602],
  [NotStarted, -32001],
  [AlreadyStarted, -32002],
  [InvalidStart, -32003],
  [InvalidName, -32003],
  [NameInvalid, -32003],
  [ConnectFailed, -32004],
  [NameTaken, -32005],
  [NameUnknown, -32006],
  [NoProcess, -32007],
  [NotConnected, -32008],
  [TooLarge, -32009],
];

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  // By name: the module of rooms is loaded when a node starts.
  if (error instanceof Error && error.constructor.name === 'UnknownMember') return new Failure(-32010, message);
  const known = CODES.find(([kind]) => error instanceof kind);
  if (known === undefined) console.error(error);
  return new Failure(known?.[1] ?? -32000, message);
}

function text(params: Params, name: string): string {
  const value = params[name];
  if (typeof value !== 'string' || !value.isWellFormed()) throw new Misfit(`${name} is missing`);
  return value;
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
    processEnded: (pid, reason) =>
      this.rpc.notify('process.ended', { pid: this.#pidToJson(pid), reason: reasonToJson(reason, (each) => this.#pidToJson(each)) }),
  });

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

    'process.spawn': (params) => {
      if (text(params, 'function') !== 'collector') throw new Failure(-32011, 'there is no such function');
      return { pid: this.#pidToJson({ node_id: 0, creation: 0, local: this.#node.processes.spawn() }) };
    },

    'process.exit': (params) => {
      const reason = reasonFromJson(params.reason, (pid) => this.#pid(pid));
      if (!this.#node.processes.exit(this.#local(params.pid), reason)) throw new NoProcess('the process is not alive');
      return {};
    },

    'global.register': (params) => {
      this.#node.register(text(params, 'name'), this.#pid(params.pid));
      return {};
    },

    'global.whereis': (params) => {
      const pid = this.#node.registry.whereis(text(params, 'name'));
      return { pid: pid === undefined ? null : this.#pidToJson(pid) };
    },

    'global.unregister': (params) => {
      this.#node.registry.unregister(text(params, 'name'));
      return {};
    },

    'global.names': () => ({ names: Array.from(this.#node.registry.all(), ([name, pid]) => ({ name, pid: this.#pidToJson(pid) })) }),

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

  #pidToJson({ node_id, creation, local }: Pid): Json {
    const { self, ids } = this.#node;
    if (node_id === 0 && creation === 0) return { node: self.name, creation: self.creation, local };
    return { node: ids.nameOf(node_id) ?? self.name, creation, local };
  }

  /** The PID as the node holds it. One of a former run of this node is left as node id 0 with a creation: nobody is that. */
  #pid(json: unknown): Pid {
    const { node, creation, local } = members(json);
    if (typeof node !== 'string') throw new Misfit('the node of a PID is missing');
    const { self, ids } = this.#node;
    const read = (node_id: number): Pid => pidField.fromJson({ node_id, creation, local });
    if (node === 'nonode@nohost' && creation === 0) return read(0);
    if (node === self.name) return creation === self.creation ? { ...read(0), creation: 0 } : read(0);
    const id = ids.of(node);
    if (id === undefined) throw new NotConnected('the node of the PID is not connected');
    return read(id);
  }

  /** The local id of a process of this node that lives. */
  #local(json: unknown): number {
    const { node_id, creation, local } = this.#pid(json);
    if (node_id !== 0 || creation !== 0 || !this.#node.isAlive(local)) throw new NoProcess('the process is not alive');
    return local;
  }
}
