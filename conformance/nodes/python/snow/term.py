"""The Snow Term Format (term chapter): values and their bytes, without recursion, since depth is the writer's to choose.

A value is held in the control protocol's form: `{"kind": "list", "items": [...]}`.
"""

import struct
from typing import Any

from .wire import Pid, write_pid

VERSION = 1
DEPTH = 128  # levels that are accepted, the innermost included (TERM-14)
LONGEST_STRING = 16_777_216
MOST_ITEMS = 1_000_000

LEAVES = {3: "true", 4: "false", 6: "unit", 41: "none"}
LISTS = {10: ("list", "items", 4), 12: ("set", "items", 4), 13: ("tuple", "items", 1)}
WRAPPERS = {40: "some", 42: "ok", 43: "err"}
_LEAF_TAGS = {kind: tag for tag, kind in LEAVES.items()}
_LIST_TAGS = {kind: (tag, width) for tag, (kind, _, width) in LISTS.items()}
_WRAPPER_TAGS = {kind: tag for tag, kind in WRAPPERS.items()}
_LEAF_VALUES = {tag: {"kind": kind} for tag, kind in LEAVES.items()}


class TermError(Exception):
    """A term that cannot be read or written; `kind` is the error's name."""

    def __init__(self, kind: str):
        super().__init__(kind)
        self.kind = kind


class _Reader:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise TermError("unexpected_end")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def number(self, width: int, most: int | None = None) -> int:
        number = int.from_bytes(self.take(width), "little")
        if most is not None and number > most:
            raise TermError("too_large")
        return number

    def text(self, width: int, most: int | None = None) -> str:
        try:
            return self.take(self.number(width, most)).decode()
        except UnicodeDecodeError:
            raise TermError("invalid_utf8") from None


class _Open:
    """A value of which some parts are still to be read: `put` takes each as it comes."""

    __slots__ = ("items", "key", "missing", "named", "value")

    def __init__(self, value: dict, missing: int, items: list | None, named: bool = False):
        self.value, self.missing, self.items, self.named, self.key = value, missing, items, named, None

    def put(self, part: dict):
        self.missing -= 1
        if self.items is None:
            self.value["value"] = part
        elif self.named:
            self.items.append({"name": self.key, "value": part})
        elif self.value["kind"] != "map":
            self.items.append(part)
        elif self.missing % 2:
            self.key = part
        else:
            self.items.append({"key": self.key, "value": part})


def decode(data: bytes) -> tuple[dict, bytes]:
    """The value and the bytes left over; the first error from the left counts (TERM-1 to TERM-16)."""
    reader = _Reader(data)
    if reader.number(1) != VERSION:
        raise TermError("unsupported_version")
    stack: list[_Open] = []
    while True:
        if len(stack) >= DEPTH:
            raise TermError("too_deep")
        part = _begin(reader)
        while True:
            if isinstance(part, _Open) and part.missing:
                stack.append(part)
                break
            value = part.value if isinstance(part, _Open) else part
            if not stack:
                return value, data[reader.at :]
            stack[-1].put(value)
            if stack[-1].missing:
                break
            part = stack.pop()
        if stack[-1].named:
            stack[-1].key = reader.text(2)


def _begin(reader: _Reader) -> dict | _Open:
    """A value that holds none, or one whose parts follow."""
    tag = reader.number(1)
    match tag:
        case 1:
            return {"kind": "int", "value": str(int.from_bytes(reader.take(8), "little", signed=True))}
        case 2:
            return {"kind": "float", "value": reader.take(8)[::-1].hex()}
        case 3 | 4 | 6 | 41:
            return _LEAF_VALUES[tag]  # one for all: nobody changes it
        case 5:
            return {"kind": "string", "text": reader.text(4, LONGEST_STRING)}
        case 10 | 12 | 13:
            kind, field, width = LISTS[tag]
            items: list = []
            return _Open({"kind": kind, field: items}, reader.number(width, MOST_ITEMS), items)
        case 11:
            key_type, entries = reader.number(1), []
            return _Open(
                {"kind": "map", "key_type": key_type, "entries": entries}, 2 * reader.number(4, MOST_ITEMS), entries
            )
        case 20:
            name, fields = reader.text(2), []
            return _Open({"kind": "struct", "name": name, "fields": fields}, reader.number(2), fields, named=True)
        case 21:
            name, variant, values = reader.text(2), reader.number(1), []
            return _Open({"kind": "sum", "name": name, "variant": variant, "values": values}, reader.number(2), values)
        case 30:
            pid = reader.number(8)
            return {
                "kind": "pid",
                "pid": {"node_id": pid >> 48, "creation": pid >> 40 & 0xFF, "local": pid & 0xFF_FFFF_FFFF},
            }
        case 40 | 42 | 43:
            return _Open({"kind": WRAPPERS[tag], "value": None}, 1, None)
        case 0xFF:
            raise TermError("closure")
    raise TermError("invalid_tag")


def encode(term: dict) -> bytes:
    """Version and value. Raises TermError for a closure (TERM-10) and for what does not fit its length or a limit."""
    out = [bytes([VERSION])]
    todo: list[Any] = [term]  # values, and bytes that stand between them, the next one last
    while todo:
        item = todo.pop()
        if isinstance(item, bytes):
            out.append(item)
        else:
            head, parts = _write(item)
            out.append(head)
            todo.extend(reversed(parts))
    return b"".join(out)


def _count(number: int, width: int, most: int | None = None) -> bytes:
    if number >= 256**width or (most is not None and number > most):
        raise TermError("too_large")
    return number.to_bytes(width, "little")


def _text(text: str, width: int, most: int | None = None) -> bytes:
    data = text.encode()
    return _count(len(data), width, most) + data


def _write(term: dict) -> tuple[bytes, list]:
    """A value's own bytes, and the values within it (with bytes between them)."""
    match term["kind"]:
        case "int":
            return b"\x01" + struct.pack("<q", int(term["value"])), []
        case "float":
            return b"\x02" + struct.pack("<Q", int(term["value"], 16)), []
        case "string":
            return b"\x05" + _text(term["text"], 4, LONGEST_STRING), []
        case "list" | "set" | "tuple" as kind:
            tag, width = _LIST_TAGS[kind]
            return bytes([tag]) + _count(len(term["items"]), width, MOST_ITEMS), term["items"]
        case "map":
            entries = term["entries"]
            parts = [part for entry in entries for part in (entry["key"], entry["value"])]
            return bytes([11, term["key_type"]]) + _count(len(entries), 4, MOST_ITEMS), parts
        case "struct":
            fields = term["fields"]
            parts = [part for field in fields for part in (_text(field["name"], 2), field["value"])]
            return b"\x14" + _text(term["name"], 2) + _count(len(fields), 2), parts
        case "sum":
            values = term["values"]
            return b"\x15" + _text(term["name"], 2) + bytes([term["variant"]]) + _count(len(values), 2), values
        case "pid":
            return b"\x1e" + write_pid(Pid(**term["pid"])), []
        case "closure":
            raise TermError("closure")
        case kind if kind in _LEAF_TAGS:
            return bytes([_LEAF_TAGS[kind]]), []
        case kind if kind in _WRAPPER_TAGS:
            return bytes([_WRAPPER_TAGS[kind]]), [term["value"]]
    raise ValueError("no such kind")
