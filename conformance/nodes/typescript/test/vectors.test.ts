// Golden vectors: everything is decoded, encoded, cut and proven, with this node's own code. The folder of their JSON form is
// SNOW_VECTORS, or is exported here.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { proof } from '../src/handshake.js';
import type { Field, Json } from '../src/wire/fields.js';
import { FrameCutter, type Phase } from '../src/wire/frames.js';
import { decode, encode, type MessageName, MESSAGES, Undecodable } from '../src/wire/messages.js';
import { decodeTerm, encodeTerm, NoTerm, termFromJson, termToJson, Unencodable } from '../src/wire/term.js';

/** Bytes in hex; of many their length and hash alone. */
type Described = string | { length: number; sha256: string };

interface Segment {
  field: string;
  hex: Described;
}

interface Vector {
  id: string;
  phase: Phase;
  message?: MessageName;
  fields?: unknown;
  verdict: string;
  payload?: string;
  left_over?: string;
  sendable?: boolean;
  segments: Segment[];
}

interface TermVector {
  id: string;
  term?: unknown;
  verdict: string;
  payload?: string;
  left_over?: string;
  segments: Segment[];
  of?: string;
  mutation?: { kind: string; field: string; to?: string; times?: number };
}

interface Stream {
  id: string;
  phase: Phase;
  parts: { frame?: unknown; length?: number; bytes?: unknown }[];
  chunks: Described[];
  frames: Described[];
  end: string;
}

interface Side {
  cookie: string;
}

interface Transcript {
  id: string;
  initiator: Side;
  acceptor: Side;
  steps: { hmac?: { key: string; input: string; output: string } }[];
}

interface Family {
  vectors: Vector[];
  terms: TermVector[];
  streams: Stream[];
  transcripts: Transcript[];
}

function folder(): string {
  const { SNOW_VECTORS } = process.env;
  if (SNOW_VECTORS !== undefined) return SNOW_VECTORS;
  const made = mkdtempSync(join(tmpdir(), 'snow-vectors-'));
  execFileSync('cargo', ['xtask', 'vectors', 'export', '--json', made], { stdio: ['ignore', 2, 2] });
  return made;
}

/** In these files integers of 64 bits are numbers, which this language would round: those too long become strings first. */
function load(path: string): Family {
  const exact = readFileSync(path, 'utf8').replace(/"(?:[^"\\]|\\.)*"|-?\d{16,}/g, (token) => (token.startsWith('"') ? token : `"${token}"`));
  return JSON.parse(exact) as Family;
}

/** The shorthand written out: a repeated text, bytes or list, and a map within itself. */
function expand(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expand);
  if (typeof value !== 'object' || value === null) return value;
  if ('repeat' in value && 'times' in value) {
    const { repeat, times } = value as { repeat: string | unknown[]; times: number };
    return typeof repeat === 'string' ? repeat.repeat(times) : Array.from({ length: times }, () => expand(repeat)).flat();
  }
  if ('nest' in value) {
    const { nest, times, around } = value as { nest: Record<string, unknown>; times: number; around: unknown };
    let inner = expand(around);
    for (let level = 0; level < times; level++) inner = fill(expand(nest), inner);
    return inner;
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, expand(each)]));
}

function fill(value: unknown, place: unknown): unknown {
  if (value === null) return place;
  if (Array.isArray(value)) return value.map((each) => fill(each, place));
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fill(each, place)]));
}

/** Integers of 64 bits are strings on control lines and numbers here. */
const WIDE = new Set(['ref', 'request', 'local']);

function wire(message: MessageName, fields: unknown): unknown {
  const shape = expand(fields) as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(shape).map(([name, value]) => [name, WIDE.has(name) && typeof value !== 'object' && message !== 'SEND' ? String(value) : value]),
  );
}

/** The same of terms: the numbers of ints. */
function wireTerm(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(wireTerm);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, each]) => [key, wireTerm(each)]);
  const made = Object.fromEntries(entries) as Record<string, unknown>;
  if (made.kind === 'int') made.value = String(made.value);
  return made;
}

const path = folder();
const families = readdirSync(path)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => [name, load(join(path, name))] as const);
const seen = { vectors: 0, decoded: 0, encoded: 0, terms: 0, streams: 0, transcripts: 0 };

function bodyOf(message: MessageName): Field<unknown> {
  return MESSAGES[message].body as Field<unknown>;
}

function describe(bytes: Buffer): { length: number; sha256: string } {
  return { length: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

function assertIs(bytes: Buffer, described: Described): void {
  if (typeof described === 'string') assert.equal(bytes.toString('hex'), described);
  else assert.deepEqual(describe(bytes), described);
}

function lengthOf(described: Described): number {
  return typeof described === 'string' ? described.length / 2 : described.length;
}

/** The bytes are what the segments say, where the file has no payload: long ones stand there as hashes. */
function assertSegments(bytes: Buffer, segments: Segment[]): void {
  let at = 0;
  for (const { hex } of segments) assertIs(bytes.subarray(at, (at += lengthOf(hex))), hex);
  assert.equal(at, bytes.length);
}

function checkVector(vector: Vector): void {
  seen.vectors++;
  if (vector.verdict !== 'valid') {
    const payload = Buffer.from(vector.payload as string, 'hex');
    assert.throws(() => decode(vector.phase, payload), (error) => error instanceof Undecodable && error.kind === vector.verdict);
    return;
  }
  const message = vector.message as MessageName;
  const fields = wire(message, vector.fields);
  const left_over = vector.left_over ?? '';
  const written = Buffer.concat([encode(message, bodyOf(message).fromJson(fields) as never), Buffer.from(left_over, 'hex')]);
  if (vector.payload === undefined) assertSegments(written, vector.segments);
  else if (vector.sendable !== false) assert.equal(written.toString('hex'), vector.payload);
  if (vector.sendable !== false) seen.encoded++;
  const found = decode(vector.phase, vector.payload === undefined ? written : Buffer.from(vector.payload, 'hex'));
  assert.equal(found.message, message);
  assert.deepEqual(bodyOf(message).toJson(found.fields), fields as Json);
  assert.equal(found.left_over.toString('hex'), left_over);
  seen.decoded++;
}

/** The bytes of a vector that the file only describes: segments of another one, many times over. */
function repeated({ of, mutation }: TermVector, others: TermVector[]): Buffer {
  const { field, to = field, times = 0 } = mutation ?? { field: '' };
  const segments = others.find(({ id }) => id === of)?.segments ?? [];
  const from = segments.findIndex((segment) => segment.field === field);
  const behind = segments.findIndex((segment) => segment.field === to) + 1;
  const bytes = (part: Segment[]) => part.map(({ hex }) => hex).join('');
  return Buffer.from(bytes(segments.slice(0, from)) + bytes(segments.slice(from, behind)).repeat(times) + bytes(segments.slice(behind)), 'hex');
}

function checkTerm(vector: TermVector, others: TermVector[]): void {
  seen.terms++;
  const { verdict } = vector;
  if (verdict === 'refused') {
    assert.throws(() => termFromJson(wireTerm(expand(vector.term))), Unencodable);
    return;
  }
  if (verdict !== 'valid') {
    const payload = vector.payload === undefined ? repeated(vector, others) : Buffer.from(vector.payload, 'hex');
    assert.throws(() => decodeTerm(payload), (error) => error instanceof NoTerm && error.kind === verdict);
    return;
  }
  const term = wireTerm(expand(vector.term));
  const left_over = vector.left_over ?? '';
  const written = Buffer.concat([encodeTerm(termFromJson(term)), Buffer.from(left_over, 'hex')]);
  if (vector.payload === undefined) assertSegments(written, vector.segments);
  else assert.equal(written.toString('hex'), vector.payload);
  const found = decodeTerm(written);
  assert.deepEqual(termToJson(found.term), term as Json);
  assert.equal(found.left_over.toString('hex'), left_over);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function streamOf({ parts }: Stream): Buffer {
  const hex = (value: unknown) => Buffer.from(expand(value) as string, 'hex');
  return Buffer.concat(
    parts.flatMap(({ frame, length, bytes }) => {
      if (frame !== undefined) return [u32(hex(frame).length), hex(frame)];
      return [length === undefined ? hex(bytes) : u32(length)];
    }),
  );
}

function checkStream(stream: Stream): void {
  seen.streams++;
  const cutter = new FrameCutter();
  const bytes = streamOf(stream);
  const found: Buffer[] = [];
  let end = 'complete';
  let at = 0;
  for (const chunk of stream.chunks) {
    const piece = bytes.subarray(at, (at += lengthOf(chunk)));
    assertIs(piece, chunk);
    cutter.push(piece);
    let payload = cutter.next(stream.phase);
    for (; Buffer.isBuffer(payload); payload = cutter.next(stream.phase)) found.push(payload);
    end = payload ?? (cutter.waiting === 0 ? 'complete' : 'incomplete');
    if (end === 'too_long') break;
  }
  assert.equal(found.length, stream.frames.length);
  for (const [index, frame] of stream.frames.entries()) assertIs(found[index] as Buffer, frame);
  assert.equal(end, stream.end);
}

function checkTranscript({ steps }: Transcript): void {
  seen.transcripts++;
  for (const { hmac } of steps) {
    if (hmac !== undefined) assert.equal(proof(Buffer.from(hmac.key, 'hex'), Buffer.from(hmac.input, 'hex')).toString('hex'), hmac.output);
  }
}

for (const [name, family] of families) {
  test(name, () => {
    const checked = <V extends { id: string }>(vectors: V[] | undefined, check: (vector: V, others: V[]) => void): void => {
      for (const vector of vectors ?? []) {
        try {
          check(vector, vectors ?? []);
        } catch (error) {
          throw new Error(`${vector.id}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
        }
      }
    };
    checked(family.vectors, checkVector);
    checked(family.terms, checkTerm);
    checked(family.streams, checkStream);
    checked(family.transcripts, checkTranscript);
  });
}

test('there were vectors of every kind', () => {
  for (const [kind, count] of Object.entries(seen)) assert.ok(count > 0, `no ${kind}`);
});

after(() => console.error(seen));
