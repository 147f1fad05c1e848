// The types that layout tables are made of. Each reads and writes its bytes, and the JSON of capability `codec`.

import { Malformed, type Reader, type Writer } from './bytes.js';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** JSON that is no value of the field; the caller's mistake, never a peer's. */
export class Misfit extends Error {}

export interface Field<T> {
  /** Throws `Malformed`. */
  read(from: Reader): T;
  write(to: Writer, value: T): void;
  toJson(value: T): Json;
  /** Throws `Misfit`. */
  fromJson(json: unknown): T;
}

/** The value type of a field. */
export type ValueOf<F> = F extends Field<infer T> ? T : never;

/** A PID as it stands on the wire, and as a node holds it: node id 0 is the node itself (PROC-1). */
export interface Pid {
  node_id: number;
  creation: number;
  local: number;
  /** In a reason: in another node's numbering, and therefore never routed by (PROC-12). */
  opaque?: boolean;
}

/** Why a process ends. PIDs in it are the writer's. */
export type Reason =
  | { kind: 'normal' | 'killed' | 'shutdown' | 'noconnection' }
  | { kind: 'error' | 'custom'; text: string }
  | { kind: 'linked'; pid: Pid; reason: Reason };

function integer(json: unknown, most: number): number {
  if (typeof json !== 'number' || !Number.isInteger(json) || json < 0 || json > most) throw new Misfit(`an integer up to ${most} is missing`);
  return json;
}

export function text(json: unknown): string {
  if (typeof json !== 'string' || !json.isWellFormed()) throw new Misfit('a text is missing');
  return json;
}

export function hex(json: unknown): Buffer {
  if (typeof json !== 'string' || !/^(?:[0-9a-f]{2})*$/.test(json)) throw new Misfit('hexadecimal digits are missing');
  return Buffer.from(json, 'hex');
}

export function members(json: unknown): Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new Misfit('an object is missing');
  return json as Record<string, unknown>;
}

export const u8: Field<number> = {
  read: (from) => from.u8(),
  write: (to, value) => to.u8(value),
  toJson: (value) => value,
  fromJson: (json) => integer(json, 0xff),
};

export const u64: Field<bigint> = {
  read: (from) => from.u64(),
  write: (to, value) => to.u64(value),
  toJson: (value) => value.toString(),
  fromJson: (json) => {
    if (typeof json !== 'string' || !/^[0-9]{1,20}$/.test(json)) throw new Misfit('a string of decimal digits is missing');
    const value = BigInt(json);
    if (value >= 1n << 64n) throw new Misfit('the number has more than 64 bits');
    return value;
  },
};

type Width = 'u8' | 'u16' | 'u32' | 'u64';
const GREATEST = { u8: 0xff, u16: 0xffff, u32: 0xffff_ffff, u64: Number.MAX_SAFE_INTEGER };

function readLength(from: Reader, width: Width): number {
  // A u64 beyond 2^53 is rounded, and still more than any frame has.
  return width === 'u64' ? Number(from.u64()) : from[width]();
}

function writeLength(to: Writer, width: Width, length: number): void {
  if (length > GREATEST[width]) throw new Misfit(`${length} does not fit ${width}`);
  if (width === 'u64') to.u64(BigInt(length));
  else to[width](length);
}

/** `string(u16)`, `string(u64)`. */
export function string(width: Width): Field<string> {
  return {
    read: (from) => from.utf8(readLength(from, width)).toString('utf8'),
    write: (to, value) => {
      const length = Buffer.byteLength(value);
      writeLength(to, width, length);
      to.text(value, length);
    },
    toJson: (value) => value,
    fromJson: text,
  };
}

/** `string(u32)`, kept as its UTF-8 bytes: for texts that are passed on and never looked at. */
export const utf8: Field<Buffer> = {
  read: (from) => from.utf8(from.u32()),
  write: (to, value) => to.u32(value.length).bytes(value),
  toJson: (value) => value.toString('utf8'),
  fromJson: (json) => Buffer.from(text(json), 'utf8'),
};

function opaque(read: (from: Reader) => Buffer, write: (to: Writer, value: Buffer) => void): Field<Buffer> {
  return { read, write, toJson: (value) => value.toString('hex'), fromJson: hex };
}

/** `bytes[N]`. */
export function bytes(length: number): Field<Buffer> {
  return opaque(
    (from) => from.take(length),
    (to, value) => {
      if (value.length !== length) throw new Misfit(`${length} bytes are needed`);
      to.bytes(value);
    },
  );
}

/** `bytes(u16)`. */
export const bytesU16 = opaque(
  (from) => from.take(from.u16()),
  (to, value) => {
    writeLength(to, 'u16', value.length);
    to.bytes(value);
  },
);

/** `bytes(rest)`. */
export const rest = opaque(
  (from) => from.rest(),
  (to, value) => to.bytes(value),
);

export const pid: Field<Pid> = {
  read: (from) => {
    const low = from.u32();
    const high = from.u8();
    return { local: high * 2 ** 32 + low, creation: from.u8(), node_id: from.u16() };
  },
  write: (to, { node_id, creation, local }) => {
    to.u32(local % 2 ** 32).u8(Math.floor(local / 2 ** 32)).u8(creation).u16(node_id);
  },
  toJson: ({ node_id, creation, local }) => ({ node_id, creation, local }),
  fromJson: (json) => {
    const { node_id, creation, local } = members(json);
    return { node_id: integer(node_id, 0xffff), creation: integer(creation, 0xff), local: integer(local, 2 ** 40 - 1) };
  },
};

/** `list(width) of item`, of at most `most` items: the count is never allocated for. */
export function list<T>(width: 'u8' | 'u16' | 'u32', item: Field<T>, most = Infinity): Field<T[]> {
  return {
    read: (from) => {
      const items: T[] = [];
      const count = from[width]();
      if (count > most) throw new Malformed('too_large');
      for (let left = count; left > 0; left--) items.push(item.read(from));
      return items;
    },
    write: (to, items) => {
      writeLength(to, width, items.length);
      for (const each of items) item.write(to, each);
    },
    toJson: (items) => items.map((each) => item.toJson(each)),
    fromJson: (json) => {
      if (!Array.isArray(json)) throw new Misfit('a list is missing');
      return json.map((each) => item.fromJson(each));
    },
  };
}

type Shape = Record<string, Field<any>>;
export type Shaped<S extends Shape> = { [K in keyof S]: ValueOf<S[K]> };

/** Fields one behind the other, in the order of the table. */
export function record<S extends Shape>(shape: S): Field<Shaped<S>> {
  const fields = Object.entries(shape);
  return {
    read: (from) => {
      const values: Record<string, unknown> = {};
      for (const [name, field] of fields) values[name] = field.read(from);
      return values as Shaped<S>;
    },
    write: (to, values) => {
      for (const [name, field] of fields) field.write(to, values[name]);
    },
    toJson: (values) => Object.fromEntries(fields.map(([name, field]) => [name, field.toJson(values[name])])),
    fromJson: (json) => {
      const values = members(json);
      return Object.fromEntries(fields.map(([name, field]) => [name, field.fromJson(values[name])])) as Shaped<S>;
    },
  };
}

const REASON_KINDS = ['normal', 'error', 'killed', 'linked', 'shutdown', 'custom', 'noconnection'] as const;
const reasonText = string('u64');

/** The deepest reason that is kept as it is (PROC-25). */
export const REASON_LEVELS = 64;

/** All walks through a reason are loops: how deep it goes is the peer's word. */
export const reason: Field<Reason> = {
  read: (from) => {
    const around: Pid[] = [];
    for (let level = 1; ; level++) {
      const kind = REASON_KINDS[from.u8()];
      if (kind === undefined) throw new Malformed('invalid_tag');
      if (kind === 'linked') {
        const by = pid.read(from);
        if (level < REASON_LEVELS) around.push(by);
        continue;
      }
      const innermost: Reason = kind === 'error' || kind === 'custom' ? { kind, text: reasonText.read(from) } : { kind };
      const cut: Reason = { kind: 'error', text: 'the reason goes on too deep' };
      return around.reduceRight<Reason>((inner, by) => ({ kind: 'linked', pid: by, reason: inner }), level <= REASON_LEVELS ? innermost : cut);
    }
  },
  write: (to, value) => {
    for (let at = value; ; at = at.reason) {
      to.u8(REASON_KINDS.indexOf(at.kind));
      if (at.kind === 'error' || at.kind === 'custom') reasonText.write(to, at.text);
      if (at.kind !== 'linked') return;
      pid.write(to, at.pid);
    }
  },
  toJson: (value) => reasonToJson(value, pid.toJson),
  fromJson: (json) => reasonFromJson(json, pid.fromJson),
};

/** The deepest reason that is shown: JSON cannot carry any depth. */
const SHOWN_LEVELS = 500;

/** A reason for people and harnesses. */
export function reasonToJson(value: Reason, pidToJson: (pid: Pid) => Json): Json {
  const around: Pid[] = [];
  let at = value;
  for (; at.kind === 'linked' && around.length < SHOWN_LEVELS; at = at.reason) around.push(at.pid);
  const innermost: Json = at.kind === 'linked' ? { kind: 'error', text: 'the reason goes on too deep' } : { ...at };
  return around.reduceRight<Json>((inner, by) => ({ kind: 'linked', pid: pidToJson(by), reason: inner }), innermost);
}

export function reasonFromJson(json: unknown, pidFromJson: (json: unknown) => Pid): Reason {
  const around: Pid[] = [];
  for (let at = members(json); ; at = members(at.reason)) {
    const kind = REASON_KINDS.find((known) => known === at.kind);
    if (kind === undefined) throw new Misfit('an unknown kind of reason');
    if (kind === 'linked') {
      around.push(pidFromJson(at.pid));
      continue;
    }
    const innermost: Reason = kind === 'error' || kind === 'custom' ? { kind, text: text(at.text) } : { kind };
    return around.reduceRight<Reason>((inner, by) => ({ kind: 'linked', pid: by, reason: inner }), innermost);
  }
}
