// The functions that this node offers to its own callers and to others (PROC-54, PROC-55).

import type { Behaviour, Process } from './process.js';
import { Reader, Malformed } from './wire/bytes.js';
import { pid as pidField, reason as reasonField, type Pid, type Reason } from './wire/fields.js';

/** What a function may do. */
export interface World {
  report(process: Process, message: Buffer): void;
  send(to: Pid, message: Buffer): void;
  end(process: Process, reason: Reason): void;
  /** The PID that an own field of the requester's names; `undefined` when it cannot be resolved. */
  resolve(pid: Pid): Pid | undefined;
  /** A reason as its writer, the requester, has written it. */
  resolveReason(reason: Reason): Reason;
}

type Offer = (process: Process, args: Buffer, world: World) => Behaviour;

const BAD_ARGUMENTS: Reason = { kind: 'error', text: 'bad arguments' };

function parse<T>(args: Buffer, read: (from: Reader) => T): T | undefined {
  try {
    return read(new Reader(args));
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

const FUNCTIONS: Record<string, Offer> = {
  collector: (process, _, world) => ({ message: (bytes) => world.report(process, bytes) }),

  relay: (process, args, world) => {
    const written = parse(args, pidField.read);
    const target = written === undefined ? undefined : world.resolve(written);
    if (target === undefined) return { begin: () => world.end(process, BAD_ARGUMENTS), message: () => {} };
    return { message: (bytes) => world.send(target, bytes) };
  },

  exit: (process, args, world) => {
    const written = parse(args, reasonField.read);
    const reason = written === undefined ? BAD_ARGUMENTS : world.resolveReason(written);
    return { begin: () => world.end(process, reason), message: () => {} };
  },

  crash_on_message: (process, _, world) => ({
    message: (bytes) => world.end(process, { kind: 'error', text: bytes.toString('utf8') }),
  }),
};

export function functionOf(name: string): Offer | undefined {
  return Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
}
