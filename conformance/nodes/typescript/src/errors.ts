// What a local caller can be told instead of a result. None of it comes of what a peer sends.

export class AlreadyStarted extends Error {}
export class NotStarted extends Error {}
/** The node's name is not valid, or the cookie is empty (HS-1, HS-18). */
export class InvalidStart extends Error {}
/** The name of a node, or a name to register, is not valid (HS-1, REG-4). */
export class InvalidName extends Error {}
/** No session came about. */
export class ConnectFailed extends Error {}
export class NameTaken extends Error {}
export class NameUnknown extends Error {}
/** The PID names no live process of this node. */
export class NoProcess extends Error {}
export class NotConnected extends Error {}
/** What would have to be sent does not fit a frame (FRAME-16). */
export class TooLarge extends Error {}
export class UnknownMember extends Error {}
/** The node that was asked to spawn does not offer that function. */
export class Refused extends Error {}
/** The session with that node ended while its answer was awaited. */
export class ConnectionLost extends Error {}
