// Rooms: WebSocket members of this node, and what they are sent. Knows nothing of other nodes.

import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';

import { WebSocket, WebSocketServer } from 'ws';

import { UnknownMember } from './errors.js';

/** A member for which more waits cannot keep up (ROOM-12). */
const MOST_MESSAGES = 2048;
const MOST_BYTES = 32 * 1024 * 1024;
/** A room of 65,535 bytes, percent-encoded, and the rest of a request's head. */
const LONGEST_HEAD = 3 * 65_536 + 16_384;
const PATH = '/rooms/';

class Member {
  readonly rooms = new Set<string>();
  #messages = 0;

  constructor(
    readonly id: string,
    readonly socket: WebSocket,
  ) {}

  /** Whether the text is on its way. A member that cannot keep up is cut off (ROOM-11, ROOM-17). */
  deliver(text: Buffer): boolean {
    if (this.#messages >= MOST_MESSAGES || this.socket.bufferedAmount > MOST_BYTES) {
      this.socket.terminate();
      return false;
    }
    this.#messages++;
    this.socket.send(text, { binary: false }, () => this.#messages--);
    return true;
  }
}

export class Rooms {
  #members = new Map<string, Member>();
  #rooms = new Map<string, Set<Member>>();
  #server: Server;
  #ids = 0;

  private constructor(server: Server) {
    this.#server = server;
    const endpoint = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 16 * 1024 * 1024 });
    server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => {});
      const room = roomOf(request);
      if (room === undefined) {
        socket.end(`HTTP/1.1 404 ${STATUS_CODES[404]}\r\nConnection: close\r\n\r\n`);
        return;
      }
      endpoint.handleUpgrade(request, socket, head, (connection) => this.#joined(connection, room));
    });
  }

  static async start(host: string): Promise<Rooms> {
    const server = createServer({ maxHeaderSize: LONGEST_HEAD, noDelay: true }, (_, response) => {
      response.writeHead(426, { Upgrade: 'websocket' }).end();
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port: 0, backlog: 4096 }, resolve);
    });
    return new Rooms(server);
  }

  get url(): string {
    const { address, family, port } = this.#server.address() as AddressInfo;
    return `ws://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Sends the text to each member of the room but one; how many deliveries failed. */
  deliver(room: string, text: Buffer, except?: string): number {
    let failed = 0;
    for (const member of this.#rooms.get(room) ?? []) {
      // Whose close frame has passed is a member no more (ROOM-9).
      if (member.id === except || member.socket.readyState !== WebSocket.OPEN) continue;
      if (!member.deliver(text)) failed++;
    }
    return failed;
  }

  join(id: string, room: string): void {
    const member = this.#member(id);
    const others = this.#rooms.get(room) ?? new Set();
    this.#rooms.set(room, others.add(member));
    member.rooms.add(room);
  }

  leave(id: string, room: string): void {
    this.#remove(this.#member(id), room);
  }

  stop(): void {
    this.#server.close();
    for (const { socket } of this.#members.values()) socket.terminate();
  }

  #joined(socket: WebSocket, room: string): void {
    const member = new Member(`m${++this.#ids}`, socket);
    socket.on('error', (error) => console.error(`member ${member.id}: ${error.message}`));
    socket.on('close', () => this.#left(member));
    this.#members.set(member.id, member);
    this.join(member.id, room);
    socket.send(JSON.stringify({ member: member.id }));
  }

  #left(member: Member): void {
    this.#members.delete(member.id);
    for (const room of member.rooms) this.#remove(member, room);
  }

  #remove(member: Member, room: string): void {
    member.rooms.delete(room);
    const members = this.#rooms.get(room);
    members?.delete(member);
    if (members?.size === 0) this.#rooms.delete(room);
  }

  #member(id: string): Member {
    const member = this.#members.get(id);
    if (member === undefined || member.socket.readyState !== WebSocket.OPEN) throw new UnknownMember('there is no such member');
    return member;
  }
}

/** The room that the path names; `undefined` when it names none. */
function roomOf({ url = '' }: IncomingMessage): string | undefined {
  const path = url.split('?', 1)[0] as string;
  if (!path.startsWith(PATH)) return undefined;
  try {
    return decodeURIComponent(path.slice(PATH.length));
  } catch {
    return undefined;
  }
}
