"""The bytes of every message: one table of layouts, and what reads and writes it. Knows no sockets and no control lines.

A layout names the fields behind the tag, in order, with their types as the tables of spec/*.md have them:
u8 to u64, pid, bytes[N], bytes(u16), bytes(rest), string(u16|u32|u64), reason, or a list of records.
"""

import hashlib
import hmac
import struct

HANDSHAKE_LIMIT = 4096
SESSION_LIMIT = 16 * 1024 * 1024

PEER = [("name", "string(u16)")]
ENTRY = [("name", "string(u16)"), ("pid", "pid"), ("owner", "string(u16)")]

# phase -> tag -> name, fields
LAYOUTS = {
    "handshake": {
        0x01: ("NAME", [("name", "string(u16)"), ("creation", "u8")]),
        0x02: ("CHALLENGE", [("name", "string(u16)"), ("creation", "u8"), ("challenge", "bytes[32]")]),
        0x03: ("REPLY", [("proof", "bytes[32]"), ("challenge", "bytes[32]")]),
        0x04: ("ACK", [("proof", "bytes[32]")]),
    },
    "session": {
        0x10: ("SEND", [("target", "pid"), ("message", "bytes(rest)")]),
        0x11: ("REG_SEND", [("name", "string(u16)"), ("message", "bytes(rest)")]),
        0x12: ("PEER_LIST", [("peers", ("u16", PEER))]),
        0x13: ("LINK", [("from", "pid"), ("to", "pid")]),
        0x14: ("UNLINK", [("from", "pid"), ("to", "pid")]),
        0x15: ("EXIT", [("from", "pid"), ("to", "pid"), ("reason", "reason")]),
        0x16: ("MONITOR", [("from", "pid"), ("to", "pid"), ("ref", "u64")]),
        0x17: ("DEMONITOR", [("from", "pid"), ("to", "pid"), ("ref", "u64")]),
        0x18: ("MONITOR_EXIT", [("monitored", "pid"), ("monitoring", "pid"), ("ref", "u64"), ("reason", "reason")]),
        0x19: ("SPAWN", [("request", "u64"), ("requester", "pid"), ("link", "u8"),
                         ("function", "bytes(u16)"), ("args", "bytes(rest)")]),
        0x1A: ("SPAWN_REPLY", [("request", "u64"), ("status", "u8"), ("local", "u64")]),
        0x1B: ("GLOBAL_REGISTER", ENTRY),
        0x1C: ("GLOBAL_UNREGISTER", [("name", "string(u16)")]),
        0x1D: ("GLOBAL_SYNC", [("entries", ("u32", ENTRY))]),
        0x1E: ("ROOM_BROADCAST", [("room", "string(u16)"), ("text", "string(u32)")]),
        0xF0: ("PING", [("nonce", "bytes[8]")]),
        0xF1: ("PONG", [("nonce", "bytes[8]")]),
    },
}

# tag -> kind, fields
REASONS = {
    0: ("normal", []),
    1: ("error", [("text", "string(u64)")]),
    2: ("killed", []),
    3: ("linked", [("pid", "pid"), ("reason", "reason")]),
    4: ("shutdown", []),
    5: ("custom", [("text", "string(u64)")]),
    6: ("noconnection", []),
}

INTEGERS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q"}
MESSAGES = {name: (tag, fields) for phase in LAYOUTS.values() for tag, (name, fields) in phase.items()}
KINDS = {kind: (tag, fields) for tag, (kind, fields) in REASONS.items()}


class Undecodable(Exception):
    """Its argument is what spec/control.md calls `data.kind`: empty, unknown_tag or malformed."""


class Reader:
    """Bytes and how far they have been read. Takes nothing that is not there."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise Undecodable("malformed")
        self.at += count
        return self.data[self.at - count:self.at]

    def rest(self):
        return self.take(len(self.data) - self.at)

    def integer(self, kind):
        return struct.unpack(INTEGERS[kind], self.take(struct.calcsize(INTEGERS[kind])))[0]

    def fields(self, layout):
        return {name: self.value(kind) for name, kind in layout}

    def value(self, kind):
        if isinstance(kind, tuple):  # a list: an announced count is no promise, so nothing is allocated for it
            return [self.fields(kind[1]) for _ in range(self.integer(kind[0]))]
        if kind in INTEGERS:
            return self.integer(kind)
        if kind == "pid":
            pid = self.integer("u64")
            return {"node_id": pid >> 48, "creation": pid >> 40 & 0xFF, "local": pid & (1 << 40) - 1}
        if kind == "reason":
            tag = self.integer("u8")
            if tag not in REASONS:
                raise Undecodable("malformed")
            name, layout = REASONS[tag]
            return {"kind": name, **self.fields(layout)}
        if kind == "bytes(rest)":
            return self.rest()
        if kind.startswith("bytes["):
            return self.take(int(kind[6:-1]))
        data = self.take(self.integer(inner(kind)))
        if kind.startswith("bytes("):
            return data
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise Undecodable("malformed") from None


def inner(kind):
    """u16 of string(u16)."""
    return kind[kind.index("(") + 1:-1]


def write(layout, fields):
    return b"".join(write_value(kind, fields[name]) for name, kind in layout)


def write_value(kind, value):
    if isinstance(kind, tuple):
        return struct.pack(INTEGERS[kind[0]], len(value)) + b"".join(write(kind[1], record) for record in value)
    if kind in INTEGERS:
        return struct.pack(INTEGERS[kind], value)
    if kind == "pid":
        return struct.pack("<Q", value["node_id"] << 48 | value["creation"] << 40 | value["local"])
    if kind == "reason":
        tag, layout = KINDS[value["kind"]]
        return bytes([tag]) + write(layout, value)
    data = value.encode() if kind.startswith("string") else value
    if kind == "bytes(rest)" or kind.startswith("bytes["):
        return data
    return struct.pack(INTEGERS[inner(kind)], len(data)) + data


def decode(phase, payload):
    """Name, fields and the bytes left over, which receivers ignore."""
    if not payload:
        raise Undecodable("empty")
    if payload[0] not in LAYOUTS[phase]:
        raise Undecodable("unknown_tag")
    name, layout = LAYOUTS[phase][payload[0]]
    reader = Reader(payload[1:])
    return name, reader.fields(layout), reader.rest()


def encode(name, fields):
    """The payload."""
    tag, layout = MESSAGES[name]
    return bytes([tag]) + write(layout, fields)


def frames(phase, stream):
    """All whole payloads of a stream, and how it ends: complete, incomplete or too_long."""
    limit = HANDSHAKE_LIMIT if phase == "handshake" else SESSION_LIMIT
    found, at = [], 0
    while at < len(stream):
        if len(stream) - at < 4:
            return found, "incomplete"
        length = struct.unpack_from("<I", stream, at)[0]
        if length > limit:
            return found, "too_long"
        if len(stream) - at - 4 < length:
            return found, "incomplete"
        found.append(stream[at + 4:at + 4 + length])
        at += 4 + length
    return found, "complete"


def proof(cookie, challenge):
    return hmac.new(cookie, challenge, hashlib.sha256).digest()
