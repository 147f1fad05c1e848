// The control lines of my-node: requests on standard input, answers on standard output (spec/control.md). Knows no bytes of the protocol.

import * as codec from "./codec.js";

/** Claim more as methods come; what is claimed is judged. */
const CAPABILITIES = ["codec"];

type Json = any; // What a harness sends has been checked by nobody yet.

/** An error that a request is answered with. */
class Refused extends Error {
  constructor(readonly code: number, message: string, readonly data?: Json) {
    super(message);
  }
}

const hex = (written: string) => Buffer.from(written, "hex");

// Next: node.start, node.self, node.connect, node.list, barrier. A method may return a promise: a request that takes long holds up no other.
const METHODS: { [method: string]: (params: Json) => Json | Promise<Json> } = {
  initialize: () => ({
    implementation: "my-node", version: "0.1.0", language: "TypeScript",
    protocol: 5, control: 1, capabilities: CAPABILITIES,
  }),
  "codec.decode": ({ phase, bytes }) => {
    try {
      const { message, layout, fields, leftOver } = codec.decode(phase, hex(bytes));
      return { message, fields: toJson(layout, fields), left_over: leftOver.toString("hex") };
    } catch (error) {
      if (error instanceof codec.Undecodable) throw new Refused(-32020, "undecodable", { kind: error.message });
      throw error;
    }
  },
  "codec.encode": ({ message, fields }) => {
    const { layout } = codec.MESSAGES.get(message)!;
    return { bytes: codec.encode(message, fromJson(layout, fields)).toString("hex") };
  },
  "codec.frames": ({ phase, bytes }) => {
    const { frames, end } = codec.frames(phase, hex(bytes));
    return { frames: frames.map((frame) => frame.toString("hex")), end };
  },
  "codec.proof": ({ cookie, challenge }) => ({ proof: codec.proof(hex(cookie), hex(challenge)).toString("hex") }),
  shutdown: () => ({}),
};

/** On control lines bytes are hexadecimal, and 64 bits are strings of digits: many JSON readers round them. */
function toJson(layout: codec.Layout, fields: codec.Fields): Json {
  const one = (kind: codec.Layout[0][1], value: Json): Json => {
    if (typeof kind !== "string") return value.map((record: Json) => toJson(kind.of, record));
    if (kind === "reason") return { kind: value.kind, ...toJson(codec.KINDS.get(value.kind)!.layout, value) };
    if (kind === "u64") return value.toString();
    return kind.startsWith("bytes") ? value.toString("hex") : value;
  };
  return Object.fromEntries(layout.map(([name, kind]) => [name, one(kind, fields[name])]));
}

function fromJson(layout: codec.Layout, written: Json): codec.Fields {
  const one = (kind: codec.Layout[0][1], value: Json): Json => {
    if (typeof kind !== "string") return value.map((record: Json) => fromJson(kind.of, record));
    if (kind === "reason") return { kind: value.kind, ...fromJson(codec.KINDS.get(value.kind)!.layout, value) };
    if (kind === "u64") return BigInt(value);
    return kind.startsWith("bytes") ? hex(value) : value;
  };
  return Object.fromEntries(layout.map(([name, kind]) => [name, one(kind, written[name])]));
}

async function answer(method: string, params: Json): Promise<Json> {
  // Objects have members that nobody wrote into them.
  if (!Object.hasOwn(METHODS, method)) return { error: { code: -32601, message: `unknown method ${method}` } };
  try {
    return { result: await METHODS[method]!(params ?? {}) };
  } catch (error) {
    if (error instanceof Refused) return { error: { code: error.code, message: error.message, data: error.data } };
    return { error: { code: -32602, message: `invalid params: ${error}` } };
  }
}

// A stray console.log must not end up between control lines.
console.log = console.error;

async function serve(line: string): Promise<void> {
  const { id, method, params } = JSON.parse(line);
  const said = JSON.stringify({ jsonrpc: "2.0", id, ...(await answer(method, params)) });
  process.stdout.write(said + "\n", () => {
    if (method === "shutdown") process.exit(0);
  });
}

// node:readline also ends lines at U+2028, which may stand in a name.
let pieces: string[] = [];
process.stdin.setEncoding("utf8").on("data", (piece: string) => {
  pieces.push(piece);
  if (!piece.includes("\n")) return;
  const lines = pieces.join("").split("\n");
  pieces = [lines.pop()!];
  for (const line of lines) void serve(line);
});
