// The bytes of every message: one table of layouts, and what reads and writes it. Knows no sockets and no control lines.

import { createHmac } from "node:crypto";

export const LIMITS = { handshake: 4096, session: 16 * 1024 * 1024 };

export type Phase = keyof typeof LIMITS;

/** The type of a field as the tables of spec/*.md have it: u8 to u64, pid, bytes[N], bytes(u16), bytes(rest), string(u16|u32|u64), reason. */
type Kind = string | { count: string; of: Layout };
export type Layout = [name: string, kind: Kind][];
export type Pid = { node_id: number; creation: number; local: number };
/** Integers up to 32 bits are numbers, u64 is a bigint; a reason is Fields with its `kind`. */
export type Value = number | bigint | string | Buffer | Pid | Fields[] | Fields;
export type Fields = { [name: string]: Value };

const peer: Layout = [["name", "string(u16)"]];
const entry: Layout = [["name", "string(u16)"], ["pid", "pid"], ["owner", "string(u16)"]];
const link: Layout = [["from", "pid"], ["to", "pid"]];
const monitor: Layout = [["from", "pid"], ["to", "pid"], ["ref", "u64"]];

type Table = { [tag: number]: [name: string, layout: Layout] };

const LAYOUTS: { [phase in Phase]: Table } = {
  handshake: {
    0x01: ["NAME", [["name", "string(u16)"], ["creation", "u8"]]],
    0x02: ["CHALLENGE", [["name", "string(u16)"], ["creation", "u8"], ["challenge", "bytes[32]"]]],
    0x03: ["REPLY", [["proof", "bytes[32]"], ["challenge", "bytes[32]"]]],
    0x04: ["ACK", [["proof", "bytes[32]"]]],
  },
  session: {
    0x10: ["SEND", [["target", "pid"], ["message", "bytes(rest)"]]],
    0x11: ["REG_SEND", [["name", "string(u16)"], ["message", "bytes(rest)"]]],
    0x12: ["PEER_LIST", [["peers", { count: "u16", of: peer }]]],
    0x13: ["LINK", link],
    0x14: ["UNLINK", link],
    0x15: ["EXIT", [...link, ["reason", "reason"]]],
    0x16: ["MONITOR", monitor],
    0x17: ["DEMONITOR", monitor],
    0x18: ["MONITOR_EXIT", [["monitored", "pid"], ["monitoring", "pid"], ["ref", "u64"], ["reason", "reason"]]],
    0x19: ["SPAWN", [["request", "u64"], ["requester", "pid"], ["link", "u8"], ["function", "bytes(u16)"], ["args", "bytes(rest)"]]],
    0x1a: ["SPAWN_REPLY", [["request", "u64"], ["status", "u8"], ["local", "u64"]]],
    0x1b: ["GLOBAL_REGISTER", entry],
    0x1c: ["GLOBAL_UNREGISTER", [["name", "string(u16)"]]],
    0x1d: ["GLOBAL_SYNC", [["entries", { count: "u32", of: entry }]]],
    0x1e: ["ROOM_BROADCAST", [["room", "string(u16)"], ["text", "string(u32)"]]],
    0xf0: ["PING", [["nonce", "bytes[8]"]]],
    0xf1: ["PONG", [["nonce", "bytes[8]"]]],
  },
};

const REASONS: Table = {
  0: ["normal", []],
  1: ["error", [["text", "string(u64)"]]],
  2: ["killed", []],
  3: ["linked", [["pid", "pid"], ["reason", "reason"]]],
  4: ["shutdown", []],
  5: ["custom", [["text", "string(u64)"]]],
  6: ["noconnection", []],
};

const byName = (table: Table) =>
  new Map(Object.entries(table).map(([tag, [name, layout]]) => [name, { tag: Number(tag), layout }]));
export const MESSAGES = new Map([...byName(LAYOUTS.handshake), ...byName(LAYOUTS.session)]);
export const KINDS = byName(REASONS);

/** Its message is what spec/control.md calls `data.kind`: empty, unknown_tag or malformed. */
export class Undecodable extends Error {}

const WIDTHS: { [kind: string]: number } = { u8: 1, u16: 2, u32: 4, u64: 8 };
// A byte order mark is text like any other.
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The u16 of string(u16), the 32 of bytes[32]. */
const inner = (kind: string) => kind.slice(kind.search(/[(\[]/) + 1, -1);

/** Bytes and how far they have been read. Takes nothing that is not there. */
class Reader {
  at = 0;
  constructor(readonly data: Buffer) {}

  take(count: number): Buffer {
    if (count > this.data.length - this.at) throw new Undecodable("malformed");
    this.at += count;
    return this.data.subarray(this.at - count, this.at);
  }

  rest(): Buffer {
    return this.take(this.data.length - this.at);
  }

  u64(): bigint {
    return this.take(8).readBigUInt64LE();
  }

  /** Also a length in 64 bits: one that a number rounds is beyond any end. */
  number(kind: string): number {
    return kind === "u64" ? Number(this.u64()) : this.take(WIDTHS[kind]!).readUIntLE(0, WIDTHS[kind]!);
  }

  fields(layout: Layout): Fields {
    return Object.fromEntries(layout.map(([name, kind]) => [name, this.value(kind)]));
  }

  value(kind: Kind): Value {
    if (typeof kind !== "string") {
      // An announced count is no promise: nothing is allocated for it.
      const list: Fields[] = [];
      for (let left = this.number(kind.count); left > 0; left--) list.push(this.fields(kind.of));
      return list;
    }
    if (kind === "u64") return this.u64();
    if (kind in WIDTHS) return this.number(kind);
    if (kind === "pid") {
      const pid = this.u64();
      return { node_id: Number(pid >> 48n), creation: Number((pid >> 40n) & 0xffn), local: Number(pid & 0xff_ffff_ffffn) };
    }
    if (kind === "reason") {
      const reason = REASONS[this.number("u8")];
      if (!reason) throw new Undecodable("malformed");
      return { kind: reason[0], ...this.fields(reason[1]) };
    }
    if (kind === "bytes(rest)") return this.rest();
    if (kind.startsWith("bytes[")) return this.take(Number(inner(kind)));
    const data = this.take(this.number(inner(kind)));
    if (kind.startsWith("bytes(")) return data;
    try {
      return text.decode(data);
    } catch {
      throw new Undecodable("malformed");
    }
  }
}

function integer(kind: string, value: number | bigint): Buffer {
  const wide = Buffer.alloc(8);
  wide.writeBigUInt64LE(BigInt(value));
  return wide.subarray(0, WIDTHS[kind]);
}

function write(layout: Layout, fields: Fields): Buffer[] {
  return layout.flatMap(([name, kind]) => writeValue(kind, fields[name]!));
}

function writeValue(kind: Kind, value: Value): Buffer[] {
  if (typeof kind !== "string") {
    const records = value as Fields[];
    return [integer(kind.count, records.length), ...records.flatMap((record) => write(kind.of, record))];
  }
  if (kind in WIDTHS) return [integer(kind, value as number | bigint)];
  if (kind === "pid") {
    const { node_id, creation, local } = value as Pid;
    return [integer("u64", (BigInt(node_id) << 48n) | (BigInt(creation) << 40n) | BigInt(local))];
  }
  if (kind === "reason") {
    const { tag, layout } = KINDS.get((value as Fields).kind as string)!;
    return [Buffer.from([tag]), ...write(layout, value as Fields)];
  }
  const data = kind.startsWith("string") ? Buffer.from(value as string) : (value as Buffer);
  return kind === "bytes(rest)" || kind.startsWith("bytes[") ? [data] : [integer(inner(kind), data.length), data];
}

/** The message, its fields and the bytes left over, which receivers ignore. */
export function decode(phase: Phase, payload: Buffer): { message: string; layout: Layout; fields: Fields; leftOver: Buffer } {
  if (payload.length === 0) throw new Undecodable("empty");
  const found = LAYOUTS[phase][payload[0]!];
  if (!found) throw new Undecodable("unknown_tag");
  const reader = new Reader(payload.subarray(1));
  const [message, layout] = found;
  return { message, layout, fields: reader.fields(layout), leftOver: reader.rest() };
}

export function encode(message: string, fields: Fields): Buffer {
  const { tag, layout } = MESSAGES.get(message)!;
  return Buffer.concat([Buffer.from([tag]), ...write(layout, fields)]);
}

/** All whole payloads of a stream, and how it ends. */
export function frames(phase: Phase, stream: Buffer): { frames: Buffer[]; end: "complete" | "incomplete" | "too_long" } {
  const found: Buffer[] = [];
  let at = 0;
  while (at < stream.length) {
    if (stream.length - at < 4) return { frames: found, end: "incomplete" };
    const length = stream.readUInt32LE(at);
    if (length > LIMITS[phase]) return { frames: found, end: "too_long" };
    if (stream.length - at - 4 < length) return { frames: found, end: "incomplete" };
    found.push(stream.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { frames: found, end: "complete" };
}

export function proof(cookie: Buffer, challenge: Buffer): Buffer {
  return createHmac("sha256", cookie).update(challenge).digest();
}
