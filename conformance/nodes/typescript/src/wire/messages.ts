// Every message of the protocol: its tag, its phase and its layout, and the way from bytes to a message and back.

import { TooLarge } from '../errors.js';
import { Malformed, Reader, Writer } from './bytes.js';
import { bytes, bytesU16, list, pid, reason, record, rest, string, u64, u8, utf8, type Field, type Pid, type ValueOf } from './fields.js';
import { LIMIT, type Phase } from './frames.js';

const peer = record({ name: string('u16') });
const entry = record({ name: string('u16'), pid, owner: string('u16') });

/** One name of a table, as it stands in GLOBAL_SYNC. */
export interface Entry {
  name: string;
  pid: Pid;
  owner: string;
}

function layout<P extends Phase, F extends Field<any>>(phase: P, tag: number, body: F): { phase: P; tag: number; body: F } {
  return { phase, tag, body };
}

export const MESSAGES = {
  NAME: layout('handshake', 0x01, record({ name: string('u16'), creation: u8 })),
  CHALLENGE: layout('handshake', 0x02, record({ name: string('u16'), creation: u8, challenge: bytes(32) })),
  REPLY: layout('handshake', 0x03, record({ proof: bytes(32), challenge: bytes(32) })),
  ACK: layout('handshake', 0x04, record({ proof: bytes(32) })),
  SEND: layout('session', 0x10, record({ target: pid, message: rest })),
  REG_SEND: layout('session', 0x11, record({ name: string('u16'), message: rest })),
  PEER_LIST: layout('session', 0x12, record({ peers: list('u16', peer) })),
  LINK: layout('session', 0x13, record({ from: pid, to: pid })),
  UNLINK: layout('session', 0x14, record({ from: pid, to: pid })),
  EXIT: layout('session', 0x15, record({ from: pid, to: pid, reason })),
  MONITOR: layout('session', 0x16, record({ from: pid, to: pid, ref: u64 })),
  DEMONITOR: layout('session', 0x17, record({ from: pid, to: pid, ref: u64 })),
  MONITOR_EXIT: layout('session', 0x18, record({ monitored: pid, monitoring: pid, ref: u64, reason })),
  SPAWN: layout('session', 0x19, record({ request: u64, requester: pid, link: u8, function: bytesU16, args: rest })),
  SPAWN_REPLY: layout('session', 0x1a, record({ request: u64, status: u8, local: u64 })),
  GLOBAL_REGISTER: layout('session', 0x1b, entry),
  GLOBAL_UNREGISTER: layout('session', 0x1c, record({ name: string('u16') })),
  GLOBAL_SYNC: layout('session', 0x1d, record({ entries: list('u32', entry) })),
  ROOM_BROADCAST: layout('session', 0x1e, record({ room: string('u16'), text: utf8 })),
  PING: layout('session', 0xf0, record({ nonce: bytes(8) })),
  PONG: layout('session', 0xf1, record({ nonce: bytes(8) })),
};

export type MessageName = keyof typeof MESSAGES;
export type FieldsOf<M extends MessageName> = ValueOf<(typeof MESSAGES)[M]['body']>;
export type Message = { [M in MessageName]: { message: M; fields: FieldsOf<M> } }[MessageName];

/** Why a payload is no message. What a node makes of that depends on the phase (HS-12, HS-13, FRAME-17, FRAME-18, FRAME-19). */
export class Undecodable extends Error {
  constructor(
    readonly kind: 'empty' | 'unknown_tag' | 'malformed',
    message: string = kind,
  ) {
    super(message);
  }
}

const BY_TAG: Record<Phase, Map<number, MessageName>> = { handshake: new Map(), session: new Map() };
for (const [name, { phase, tag }] of Object.entries(MESSAGES)) BY_TAG[phase].set(tag, name as MessageName);

export function decode(phase: Phase, payload: Buffer): Message & { left_over: Buffer } {
  const tag = payload[0];
  if (tag === undefined) throw new Undecodable('empty');
  const message = BY_TAG[phase].get(tag);
  if (message === undefined) throw new Undecodable('unknown_tag');
  const reader = new Reader(payload.subarray(1));
  try {
    const fields = MESSAGES[message].body.read(reader);
    return { message, fields, left_over: reader.rest() } as Message & { left_over: Buffer };
  } catch (error) {
    if (error instanceof Malformed) throw new Undecodable('malformed', `${message}: ${error.message}`);
    throw error;
  }
}

export function encode<M extends MessageName>(message: M, fields: FieldsOf<M>): Buffer {
  return write(new Writer(), message, fields).done();
}

/** The payload behind its length. Throws `TooLarge`. */
export function frame<M extends MessageName>(message: M, fields: FieldsOf<M>): Buffer {
  const writer = write(new Writer().u32(0), message, fields);
  const length = writer.length - 4;
  if (length > LIMIT[MESSAGES[message].phase]) throw new TooLarge('it does not fit a frame');
  return writer.patchU32(0, length).done();
}

function write<M extends MessageName>(writer: Writer, message: M, fields: FieldsOf<M>): Writer {
  const { tag, body } = MESSAGES[message];
  (body as Field<FieldsOf<M>>).write(writer.u8(tag), fields);
  return writer;
}

/** The frames of a list that may be longer than one frame holds: as few as can be (REG-16), none for an empty list (MEM-3). */
function frames<T>(tag: number, width: 'u16' | 'u32', item: Field<T>, items: Iterable<T>): Buffer[] {
  const most = width === 'u16' ? 0xffff : 0xffff_ffff;
  const done: Buffer[] = [];
  const begin = () => new Writer().u32(0).u8(tag)[width](0);
  let writer = begin();
  let count = 0;
  const end = () => {
    const length = writer.length;
    const whole = writer.patchU32(0, length - 4).done();
    if (width === 'u16') whole.writeUInt16LE(count, 5);
    else whole.writeUInt32LE(count, 5);
    done.push(whole);
  };
  for (const each of items) {
    const one = new Writer();
    item.write(one, each);
    if (count === most || writer.length - 4 + one.length > LIMIT.session) {
      end();
      writer = begin();
      count = 0;
    }
    writer.bytes(one.done());
    count++;
  }
  if (count > 0) end();
  return done;
}

export function peerListFrames(names: string[]): Buffer[] {
  return frames(MESSAGES.PEER_LIST.tag, 'u16', peer, names.map((name) => ({ name })));
}

export function syncFrames(entries: Iterable<Entry>): Buffer[] {
  return frames(MESSAGES.GLOBAL_SYNC.tag, 'u32', entry, entries);
}

/** The entries of a GLOBAL_SYNC one by one, up to where it is malformed: it may hold a million, which nobody should have to wait for. */
export function* syncEntries(payload: Buffer): Generator<Entry, void> {
  const reader = new Reader(payload.subarray(1));
  try {
    for (let left = reader.u32(); left > 0; left--) yield entry.read(reader);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
  }
}
