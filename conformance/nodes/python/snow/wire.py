"""The bytes of messages: layouts, PIDs, reasons. Knows nothing of connections.

A payload is a tag and fields; a frame is a payload behind its u32 length.
All integers are little-endian. Nothing here recurses: a reason of any depth is a flat list of PIDs around an innermost reason.
"""

import struct
from typing import Any, NamedTuple
from collections.abc import Callable

HANDSHAKE_LIMIT = 4_096
SESSION_LIMIT = 16_777_216
LEVELS = 64  # of a reason that are read as they are (PROC-25)

_U16, _U32, _U64 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<Q")


class Undecodable(Exception):
    """A payload that is no message; `kind` is one of the control protocol's names."""

    def __init__(self, kind: str = "malformed"):
        super().__init__(kind)
        self.kind = kind


class TooLarge(Exception):
    """What would have to be sent does not fit its frame or its length field (FRAME-16)."""


class Pid(NamedTuple):
    """A process, in the numbering of the node that holds it; node id 0 is that node (PROC-1)."""

    node_id: int
    creation: int
    local: int


class Opaque(NamedTuple):
    """A nested PID in somebody else's numbering: shown and written on, never routed by (PROC-12)."""

    node_id: int
    creation: int
    local: int


class Reason(NamedTuple):
    """Why a process ended: `pids` are the *linked* levels, outermost first, around `kind` and `text`."""

    kind: str
    text: str = ""
    pids: tuple[Pid | Opaque, ...] = ()

    @property
    def outer(self) -> str:
        """The outermost kind."""
        return "linked" if self.pids else self.kind

    def linked_by(self, pid: Pid) -> "Reason":
        """The reason of a process that an EXIT with this reason from `pid` has ended (PROC-43)."""
        return cut(self._replace(pids=(pid, *self.pids)), 2 * LEVELS)


def cut(reason: Reason, levels: int) -> Reason:
    """The reason with at most so many levels: *error* takes the place of what is cut off (PROC-25)."""
    if len(reason.pids) < levels:
        return reason
    return Reason("error", "too deep", reason.pids[: levels - 1])


NORMAL, KILLED, SHUTDOWN, NOCONNECTION = map(Reason, ("normal", "killed", "shutdown", "noconnection"))
NOPROC, UNKNOWN = Reason("error", "noproc"), Reason("error", "unknown")
REASON_TAGS = {"normal": 0, "error": 1, "killed": 2, "linked": 3, "shutdown": 4, "custom": 5, "noconnection": 6}
REASON_KINDS = {tag: kind for kind, tag in REASON_TAGS.items()}


class Reader:
    """Takes fields off a payload; raises Undecodable where they end early. Announced lengths allocate nothing (FRAME-23)."""

    def __init__(self, data: bytes, at: int = 0):
        self.data, self.at = data, at

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise Undecodable
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return _U16.unpack(self.take(2))[0]

    def u32(self) -> int:
        return _U32.unpack(self.take(4))[0]

    def u64(self) -> int:
        return _U64.unpack(self.take(8))[0]

    def bytes8(self) -> bytes:
        return self.take(8)

    def bytes32(self) -> bytes:
        return self.take(32)

    def bytes16(self) -> bytes:
        return self.take(self.u16())

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def _text(self, length: int) -> str:
        try:
            return self.take(length).decode()
        except UnicodeDecodeError:
            raise Undecodable from None

    def string16(self) -> str:
        return self._text(self.u16())

    def string32(self) -> str:
        return self._text(self.u32())

    def string64(self) -> str:
        return self._text(self.u64())

    def pid(self) -> Pid:
        value = self.u64()
        return Pid(value >> 48, value >> 40 & 0xFF, value & 0xFF_FFFF_FFFF)

    def reason(self) -> Reason:
        """Read to its end however deep it is, and cut to LEVELS."""
        pids: list[Pid] = []
        while (kind := REASON_KINDS.get(self.u8())) == "linked":
            pid = self.pid()
            if len(pids) < LEVELS:
                pids.append(pid)
        if kind is None:
            raise Undecodable
        text = self.string64() if kind in ("error", "custom") else ""
        return cut(Reason(kind, text, tuple(pids)), LEVELS)

    def peers(self) -> list[dict]:
        return [{"name": self.string16()} for _ in range(self.u16())]

    def entry(self) -> dict:
        return {"name": self.string16(), "pid": self.pid(), "owner": self.string16()}

    def entries(self) -> list[dict]:
        return [self.entry() for _ in range(self.u32())]


def _counted(count: struct.Struct, data: bytes) -> bytes:
    try:
        return count.pack(len(data)) + data
    except struct.error:
        raise TooLarge from None


def write_pid(pid: Pid | Opaque) -> bytes:
    return _U64.pack(pid.node_id << 48 | pid.creation << 40 | pid.local)


def write_reason(reason: Reason) -> bytes:
    parts = [b"\x03" + write_pid(pid) for pid in reason.pids]
    parts.append(bytes([REASON_TAGS[reason.kind]]))
    if reason.kind in ("error", "custom"):
        parts.append(_counted(_U64, reason.text.encode()))
    return b"".join(parts)


def write_entry(name: str, pid: Pid, owner: str) -> bytes:
    return _counted(_U16, name.encode()) + write_pid(pid) + _counted(_U16, owner.encode())


def _write_list(count: struct.Struct, records: list[bytes]) -> bytes:
    try:
        return count.pack(len(records)) + b"".join(records)
    except struct.error:
        raise TooLarge from None


def _fixed(length: int) -> Callable[[bytes], bytes]:
    def write(data: bytes) -> bytes:
        if len(data) != length:
            raise ValueError(f"{length} bytes are needed")
        return data

    return write


WRITERS: dict[str, Callable[[Any], bytes]] = {
    "u8": lambda value: value.to_bytes(1, "little"),
    "u64": _U64.pack,
    "bytes8": _fixed(8),
    "bytes32": _fixed(32),
    "bytes16": lambda data: _counted(_U16, data),
    "rest": bytes,
    "string16": lambda text: _counted(_U16, text.encode()),
    "string32": lambda text: _counted(_U32, text.encode()),
    "pid": write_pid,
    "reason": write_reason,
    "peers": lambda peers: _write_list(_U16, [_counted(_U16, peer["name"].encode()) for peer in peers]),
    "entries": lambda entries: _write_list(_U32, [write_entry(**entry) for entry in entries]),
}


class Layout(NamedTuple):
    """A message: its phase, its tag and the types of its fields, which are names of Reader's methods and of WRITERS."""

    message: str
    phase: str
    tag: int
    fields: dict[str, str]


LAYOUTS = {
    message: Layout(message, "handshake" if tag < 0x10 else "session", tag, fields)
    for message, tag, fields in [
        ("NAME", 0x01, {"name": "string16", "creation": "u8"}),
        ("CHALLENGE", 0x02, {"name": "string16", "creation": "u8", "challenge": "bytes32"}),
        ("REPLY", 0x03, {"proof": "bytes32", "challenge": "bytes32"}),
        ("ACK", 0x04, {"proof": "bytes32"}),
        ("SEND", 0x10, {"target": "pid", "message": "rest"}),
        ("REG_SEND", 0x11, {"name": "string16", "message": "rest"}),
        ("PEER_LIST", 0x12, {"peers": "peers"}),
        ("LINK", 0x13, {"from": "pid", "to": "pid"}),
        ("UNLINK", 0x14, {"from": "pid", "to": "pid"}),
        ("EXIT", 0x15, {"from": "pid", "to": "pid", "reason": "reason"}),
        ("MONITOR", 0x16, {"from": "pid", "to": "pid", "ref": "u64"}),
        ("DEMONITOR", 0x17, {"from": "pid", "to": "pid", "ref": "u64"}),
        ("MONITOR_EXIT", 0x18, {"monitored": "pid", "monitoring": "pid", "ref": "u64", "reason": "reason"}),
        ("SPAWN", 0x19, {"request": "u64", "requester": "pid", "link": "u8", "function": "bytes16", "args": "rest"}),
        ("SPAWN_REPLY", 0x1A, {"request": "u64", "status": "u8", "local": "u64"}),
        ("GLOBAL_REGISTER", 0x1B, {"name": "string16", "pid": "pid", "owner": "string16"}),
        ("GLOBAL_UNREGISTER", 0x1C, {"name": "string16"}),
        ("GLOBAL_SYNC", 0x1D, {"entries": "entries"}),
        ("ROOM_BROADCAST", 0x1E, {"room": "string16", "text": "string32"}),
        ("PING", 0xF0, {"nonce": "bytes8"}),
        ("PONG", 0xF1, {"nonce": "bytes8"}),
    ]
}
_BY_TAG = {(layout.phase, layout.tag): layout for layout in LAYOUTS.values()}


def layout_of(phase: str, payload: bytes) -> Layout:
    if not payload:
        raise Undecodable("empty")
    layout = _BY_TAG.get((phase, payload[0]))
    if layout is None:
        raise Undecodable("unknown_tag")
    return layout


def decode(phase: str, payload: bytes) -> tuple[str, dict, bytes]:
    """Message, fields, and the bytes left over (FRAME-17 to FRAME-20)."""
    layout = layout_of(phase, payload)
    reader = Reader(payload, 1)
    fields = {name: getattr(reader, kind)() for name, kind in layout.fields.items()}
    return layout.message, fields, reader.rest()


def decode_in_session(payload: bytes) -> tuple[str, dict]:
    """As a session takes it: a MONITOR_EXIT whose reason cannot be read counts as *error* `unknown` (PROC-27)."""
    try:
        return decode("session", payload)[:2]
    except Undecodable:
        if payload[:1] != b"\x18":
            raise
        reader = Reader(payload, 1)
        return "MONITOR_EXIT", {
            "monitored": reader.pid(),
            "monitoring": reader.pid(),
            "ref": reader.u64(),
            "reason": UNKNOWN,
        }


def encode(message: str, fields: dict) -> bytes:
    """The payload; raises TooLarge where it would not fit its frame (FRAME-16)."""
    layout = LAYOUTS[message]
    payload = bytes([layout.tag]) + b"".join([WRITERS[kind](fields[name]) for name, kind in layout.fields.items()])
    if len(payload) > (HANDSHAKE_LIMIT if layout.phase == "handshake" else SESSION_LIMIT):
        raise TooLarge
    return payload


def frame(payload: bytes) -> bytes:
    return _U32.pack(len(payload)) + payload


def cut_list(tag: int, width: int, records: list[bytes]):
    """Frames of a list message, each as full as it may be, in pieces of some 64 KiB (MEM-1, REG-16)."""
    start, total, limit = 0, 1 + width, SESSION_LIMIT
    for end in range(len(records) + 1):
        last = end == len(records)
        if last or total + len(records[end]) > limit or end - start == 256**width - 1:
            yield _U32.pack(total) + bytes([tag]) + (end - start).to_bytes(width, "little")
            for at in range(start, end, 1000):
                yield b"".join(records[at : min(at + 1000, end)])
            start, total = end, 1 + width
        if not last:
            total += len(records[end])
