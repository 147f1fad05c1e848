"""Node names: `name@host` or `name@host:port` (handshake chapter, "Node names")."""

import re
from typing import NamedTuple

DEFAULT_PORT = 9000
LONGEST = 4060  # bytes: a name has to fit CHALLENGE

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_REST = re.compile(r"(?P<host>[^:\[\]]+|\[[^\]]+\])(?::(?P<port>[0-9]+))?", re.DOTALL)


class Address(NamedTuple):
    """Where a node listens; an IPv6 host has lost its brackets."""

    host: str
    port: int


def parse(text: str, any_port: bool = False) -> Address | None:
    """The address in a node name, or None if the name is invalid (HS-1, HS-25).

    Port 0 is valid only where a node is started (`any_port`).
    """
    name, at, rest = text.partition("@")
    match = _REST.fullmatch(rest)
    if not (name and at and match) or _CONTROL.search(text) or len(text.encode()) > LONGEST:
        return None
    digits = (match["port"] or str(DEFAULT_PORT)).lstrip("0") or "0"
    if len(digits) > 5 or int(digits) > 65535 or (digits == "0" and not any_port):
        return None
    return Address(match["host"].strip("[]"), int(digits))


def with_port(text: str, port: int) -> str:
    """The name with its port 0 replaced by the real one (HS-3)."""
    return f"{text.rpartition(':')[0]}:{port}"
