// The Snow Term Format: the binary form of values, made of the same fields as messages (spec/term.md).

import { Malformed, Reader, Writer } from './bytes.js';
import { type Field, type Json, list, members, Misfit, pid, record, string, text, u8 } from './fields.js';

type Fault = 'unexpected_end' | 'invalid_tag' | 'unsupported_version' | 'closure' | 'too_large' | 'invalid_utf8' | 'too_deep';

/** The bytes are no term; `kind` says why. */
export class NoTerm extends Error {
  constructor(readonly kind: Fault) {
    super(kind);
  }
}

/** The value has no binary form (TERM-10). */
export class Unencodable extends Error {
  readonly kind = 'closure';
}

/** A value, its `kind` beside the fields of that kind. */
export interface Term {
  kind: string;
  [field: string]: unknown;
}

const VERSION = 1;
const CLOSURE = 0xff;
const LONGEST_STRING = 16_777_216;
const MOST_ELEMENTS = 1_000_000;
/** Levels that are read; 128 are asked for (TERM-14). It bounds the recursion that follows them. */
const DEEPEST = 256;

const i64: Field<bigint> = {
  read: (from) => BigInt.asIntN(64, from.u64()),
  write: (to, value) => to.u64(BigInt.asUintN(64, value)),
  toJson: (value) => value.toString(),
  fromJson: (json) => {
    if (typeof json !== 'string' || !/^-?[0-9]{1,19}$/.test(json)) throw new Misfit('a string of decimal digits is missing');
    return BigInt(json);
  },
};

/** A double is its bits: a number of this language would lose those of a NaN (TERM-3). */
const f64: Field<bigint> = {
  read: (from) => from.u64(),
  write: (to, value) => to.u64(value),
  toJson: (value) => value.toString(16).padStart(16, '0'),
  fromJson: (json) => {
    if (typeof json !== 'string' || !/^[0-9a-f]{16}$/.test(json)) throw new Misfit('16 hexadecimal digits are missing');
    return BigInt(`0x${json}`);
  },
};

/** `string(u32)`, up to what a term may hold: judged at the length, before the bytes are looked at. */
const longText: Field<string> = {
  read: (from) => {
    const length = from.u32();
    if (length > LONGEST_STRING) throw new NoTerm('too_large');
    return from.utf8(length).toString('utf8');
  },
  write: (to, value) => to.u32(Buffer.byteLength(value)).text(value, Buffer.byteLength(value)),
  toJson: (value) => value,
  fromJson: text,
};

const value: Field<Term> = {
  read: (from) => {
    const tag = from.u8();
    if (tag === CLOSURE) throw new NoTerm('closure');
    const kind = BY_TAG.get(tag);
    if (kind === undefined) throw new NoTerm('invalid_tag');
    if (++from.depth > DEEPEST) throw new NoTerm('too_deep');
    const fields = kindOf(kind).body.read(from);
    from.depth--;
    return { kind, ...fields };
  },
  write: (to, { kind, ...fields }) => {
    const { tag, body } = kindOf(kind);
    body.write(to.u8(tag), fields);
  },
  toJson: ({ kind, ...fields }) => ({ kind, ...(kindOf(kind).body.toJson(fields) as { [field: string]: Json }) }),
  fromJson: (json) => {
    const { kind } = members(json);
    if (kind === 'closure') throw new Unencodable('a closure has no binary form');
    if (typeof kind !== 'string') throw new Misfit('the kind of a value is missing');
    return { kind, ...kindOf(kind).body.fromJson(json) };
  },
};

const values = list('u32', value, MOST_ELEMENTS);

const KINDS: Record<string, { tag: number; body: Field<Record<string, unknown>> }> = {
  int: { tag: 1, body: record({ value: i64 }) },
  float: { tag: 2, body: record({ value: f64 }) },
  true: { tag: 3, body: record({}) },
  false: { tag: 4, body: record({}) },
  string: { tag: 5, body: record({ text: longText }) },
  unit: { tag: 6, body: record({}) },
  list: { tag: 10, body: record({ items: values }) },
  map: { tag: 11, body: record({ key_type: u8, entries: list('u32', record({ key: value, value }), MOST_ELEMENTS) }) },
  set: { tag: 12, body: record({ items: values }) },
  tuple: { tag: 13, body: record({ items: list('u8', value) }) },
  struct: { tag: 20, body: record({ name: string('u16'), fields: list('u16', record({ name: string('u16'), value })) }) },
  sum: { tag: 21, body: record({ name: string('u16'), variant: u8, values: list('u16', value) }) },
  pid: { tag: 30, body: record({ pid }) },
  some: { tag: 40, body: record({ value }) },
  none: { tag: 41, body: record({}) },
  ok: { tag: 42, body: record({ value }) },
  err: { tag: 43, body: record({ value }) },
};

const BY_TAG = new Map(Object.entries(KINDS).map(([kind, { tag }]) => [tag, kind]));

function kindOf(kind: string): { tag: number; body: Field<Record<string, unknown>> } {
  const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (known === undefined) throw new Misfit('there is no such kind of value');
  return known;
}

/** Throws `NoTerm`. */
export function decodeTerm(bytes: Buffer): { term: Term; left_over: Buffer } {
  const reader = new Reader(bytes);
  try {
    if (reader.u8() !== VERSION) throw new NoTerm('unsupported_version');
    return { term: value.read(reader), left_over: reader.rest() };
  } catch (error) {
    if (error instanceof Malformed) throw new NoTerm(error.kind);
    throw error;
  }
}

export function encodeTerm(term: Term): Buffer {
  const writer = new Writer().u8(VERSION);
  value.write(writer, term);
  return writer.done();
}

export function termToJson(term: Term): Json {
  return value.toJson(term);
}

/** Throws `Unencodable` and `Misfit`. */
export function termFromJson(json: unknown): Term {
  return value.fromJson(json);
}
