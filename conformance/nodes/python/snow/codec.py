"""The control protocol's `codec.*` and `term.*`: messages and terms between bytes and JSON."""

from typing import Any

from . import handshake, term, wire
from .wire import Opaque, Pid, Reason

LIMITS = {"handshake": wire.HANDSHAKE_LIMIT, "session": wire.SESSION_LIMIT}


def _pid(pid: Pid | Opaque) -> dict:
    return pid._asdict()


def _show_reason(reason: Reason) -> dict:
    shown: dict[str, Any] = {"kind": reason.kind}
    if reason.kind in ("error", "custom"):
        shown["text"] = reason.text
    for pid in reversed(reason.pids):
        shown = {"kind": "linked", "pid": _pid(pid), "reason": shown}
    return shown


def _read_reason(shown: dict) -> Reason:
    pids = []
    while shown["kind"] == "linked":
        pids.append(Pid(**shown["pid"]))
        shown = shown["reason"]
    return Reason(shown["kind"], shown.get("text", ""), tuple(pids))


def _entry(entry: dict, pid) -> dict:
    return entry | {"pid": pid(entry["pid"])}


SHOW = {
    "u64": str,
    "pid": _pid,
    "reason": _show_reason,
    "entries": lambda entries: [_entry(entry, _pid) for entry in entries],
} | dict.fromkeys(("bytes8", "bytes32", "bytes16", "rest"), bytes.hex)

READ = {
    "u64": int,
    "pid": lambda shown: Pid(**shown),
    "reason": _read_reason,
    "entries": lambda entries: [_entry(entry, lambda pid: Pid(**pid)) for entry in entries],
} | dict.fromkeys(("bytes8", "bytes32", "bytes16", "rest"), bytes.fromhex)


def decode(phase: str, payload: bytes) -> dict:
    message, fields, left_over = wire.decode(phase, payload)
    kinds = wire.LAYOUTS[message].fields
    shown = {name: SHOW.get(kinds[name], lambda value: value)(value) for name, value in fields.items()}
    return {"message": message, "fields": shown, "left_over": left_over.hex()}


def encode(message: str, fields: dict) -> dict:
    kinds = wire.LAYOUTS[message].fields
    values = {name: READ.get(kind, lambda value: value)(fields[name]) for name, kind in kinds.items()}
    return {"bytes": wire.encode(message, values).hex()}


def frames(phase: str, stream: bytes) -> dict:
    """Cuts a stream into payloads, up to its end or a length over the phase's limit."""
    found, at = [], 0
    while at + 4 <= len(stream):
        length = int.from_bytes(stream[at : at + 4], "little")
        if length > LIMITS[phase]:
            return {"frames": found, "end": "too_long"}
        if at + 4 + length > len(stream):
            break
        found.append(stream[at + 4 : at + 4 + length].hex())
        at += 4 + length
    return {"frames": found, "end": "complete" if at == len(stream) else "incomplete"}


def proof(cookie: bytes, challenge: bytes) -> dict:
    return {"proof": handshake.prove(cookie, challenge).hex()}


def decode_term(data: bytes) -> dict:
    value, left_over = term.decode(data)
    return {"term": value, "left_over": left_over.hex()}


def encode_term(value: dict) -> dict:
    return {"bytes": term.encode(value).hex()}
