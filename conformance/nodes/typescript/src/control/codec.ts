// Capabilities `codec` and `term`: the node's own reading and writing of bytes, for golden vectors.

import { proof } from '../handshake.js';
import { FrameCutter, type Phase } from '../wire/frames.js';
import { type Field, hex, type Json, Misfit } from '../wire/fields.js';
import { decode, encode, type FieldsOf, type MessageName, MESSAGES, Undecodable } from '../wire/messages.js';
import { decodeTerm, encodeTerm, NoTerm, termFromJson, termToJson, Unencodable } from '../wire/term.js';
import { Failure, type Method } from './lines.js';

function phaseOf(json: unknown): Phase {
  if (json !== 'handshake' && json !== 'session') throw new Misfit('there is no such phase');
  return json;
}

function bodyOf(message: MessageName): Field<FieldsOf<MessageName>> {
  return MESSAGES[message].body as Field<FieldsOf<MessageName>>;
}

export const codecMethods: Record<string, Method> = {
  'codec.decode': ({ phase, bytes }) => {
    try {
      const { message, fields, left_over } = decode(phaseOf(phase), hex(bytes));
      return { message, fields: bodyOf(message).toJson(fields), left_over: left_over.toString('hex') };
    } catch (error) {
      if (error instanceof Undecodable) throw new Failure(-32020, error.message, { kind: error.kind });
      throw error;
    }
  },

  'codec.encode': ({ message, fields }) => {
    if (typeof message !== 'string' || !Object.hasOwn(MESSAGES, message)) throw new Misfit('there is no such message');
    const name = message as MessageName;
    return { bytes: encode(name, bodyOf(name).fromJson(fields)).toString('hex') };
  },

  'codec.frames': ({ phase, bytes }) => {
    const cutter = new FrameCutter();
    cutter.push(hex(bytes));
    const frames: Json[] = [];
    for (;;) {
      const payload = cutter.next(phaseOf(phase));
      if (payload === 'too_long') return { frames, end: 'too_long' };
      if (payload === undefined) return { frames, end: cutter.waiting === 0 ? 'complete' : 'incomplete' };
      frames.push(payload.toString('hex'));
    }
  },

  'codec.proof': ({ cookie, challenge }) => ({ proof: proof(hex(cookie), hex(challenge)).toString('hex') }),

  'term.decode': ({ bytes }) => {
    try {
      const { term, left_over } = decodeTerm(hex(bytes));
      return { term: termToJson(term), left_over: left_over.toString('hex') };
    } catch (error) {
      if (error instanceof NoTerm) throw new Failure(-32020, error.message, { kind: error.kind });
      throw error;
    }
  },

  'term.encode': ({ term }) => {
    try {
      return { bytes: encodeTerm(termFromJson(term)).toString('hex') };
    } catch (error) {
      if (error instanceof Unencodable) throw new Failure(-32021, error.message, { kind: error.kind });
      throw error;
    }
  },
};
