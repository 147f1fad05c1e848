// Node names: which are valid, where they lead, and how they are ordered.

export interface Address {
  host: string;
  port: number;
}

const LONGEST = 4060;
const DEFAULT_PORT = 9000;
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/;
const HOST_AND_PORT = /^(?:\[([^[\]]+)\]|([^:[\]]+))(?::([0-9]+))?$/s;

/** `host` or `host:port`; port 0 counts as a port here. */
export function parseAddress(text: string): Address | undefined {
  const [whole, bracketed, bare, digits] = HOST_AND_PORT.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const port = digits === undefined ? DEFAULT_PORT : Number(digits);
  return port <= 0xffff ? { host: (bracketed ?? bare) as string, port } : undefined;
}

/** Where a node of that name listens; `undefined` when it is no valid name. Port 0, which may be asked for at start alone, passes here. */
export function parseAskedName(name: string): Address | undefined {
  const at = name.indexOf('@');
  if (at < 1 || !name.isWellFormed() || Buffer.byteLength(name) > LONGEST || CONTROLS.test(name)) return undefined;
  return parseAddress(name.slice(at + 1));
}

/** The same for names on the wire and names to connect to (HS-1, HS-25). */
export function parseName(name: string): Address | undefined {
  const address = parseAskedName(name);
  return address !== undefined && address.port > 0 ? address : undefined;
}

/** The name with the port that was bound in the place of the port 0 that was asked for (HS-3). */
export function withPort(name: string, port: number): string {
  return `${name.slice(0, name.lastIndexOf(':'))}:${port}`;
}

/** Whether `a` stands before `b` in byte order, which is not the order of strings in this language (MEM-18). */
export function isSmaller(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}
