"""The proof of the cookie, in both roles (handshake chapter). A handshake that fails raises, and its caller closes silently."""

import hashlib
import hmac
from typing import NamedTuple

from . import names, wire
from .channel import Channel, Closed, random_bytes


class Peer(NamedTuple):
    """Who is at the other end; `seen` orders connections by when NAME or CHALLENGE was read (MEM-27)."""

    name: str
    creation: int
    seen: int


class Refused(Exception):
    """The peer did what closes the connection."""


def prove(cookie: bytes, challenge: bytes) -> bytes:
    """HMAC-SHA256 of the challenge under the cookie (HS-7, HS-8)."""
    return hmac.new(cookie, challenge, hashlib.sha256).digest()


class Challenges:
    """The challenges that this node has sent and that are neither answered nor on a closed connection (HS-27)."""

    def __init__(self):
        self._open: dict[bytes, Channel] = {}

    def make(self, channel: Channel) -> bytes:
        challenge = random_bytes(32)  # HS-19, HS-20
        self._open[challenge] = channel
        return challenge

    def done(self, challenge: bytes | None):
        self._open.pop(challenge, None)

    def check(self, challenge: bytes, channel: Channel):
        """Refuses a challenge that this node has open on another connection."""
        holder = self._open.get(challenge)
        if holder is not None and holder is not channel and not holder.closed:
            raise Refused("reflected challenge")


async def _receive(channel: Channel, message: str) -> dict:
    """The step's message and no other (FRAME-12, HS-12 to HS-15)."""
    found, fields, _ = wire.decode("handshake", await channel.read_frame(wire.HANDSHAKE_LIMIT))
    if found != message:
        raise Refused(found)
    return fields


def _send(channel: Channel, message: str, /, **fields):
    channel.send(wire.frame(wire.encode(message, fields)))


async def accept(node, channel: Channel) -> Peer:
    """The acceptor's side, up to the ACK that has been sent."""
    await channel.secure()
    name = await _receive(channel, "NAME")
    peer = Peer(name["name"], name["creation"], node.next_seen())
    if peer.creation == 0 or peer.name == node.name or names.parse(peer.name) is None:  # HS-23, HS-24, HS-25
        raise Refused(peer.name)
    node.check_duplicate(peer)  # MEM-16, MEM-18
    challenge = node.challenges.make(channel)
    try:
        _send(channel, "CHALLENGE", name=node.name, creation=node.creation, challenge=challenge)
        reply = await _receive(channel, "REPLY")
        if not hmac.compare_digest(reply["proof"], prove(node.cookie, challenge)):  # HS-9, HS-11
            raise Refused("wrong proof")
    finally:
        node.challenges.done(challenge)
    node.challenges.check(reply["challenge"], channel)
    node.check_duplicate(peer)  # MEM-17, MEM-19, MEM-27
    node.check_node_id(peer)
    if channel.closed:
        raise Closed
    _send(channel, "ACK", proof=prove(node.cookie, reply["challenge"]))
    return peer


async def initiate(node, channel: Channel, target: str) -> Peer:
    """The initiator's side, up to the ACK that has been verified."""
    await channel.secure()
    _send(channel, "NAME", name=node.name, creation=node.creation)
    hello = await _receive(channel, "CHALLENGE")
    peer = Peer(hello["name"], hello["creation"], node.next_seen())
    if peer.creation == 0 or peer.name != target:  # HS-23, HS-26
        raise Refused(peer.name)
    node.challenges.check(hello["challenge"], channel)
    challenge = node.challenges.make(channel)
    try:
        _send(channel, "REPLY", proof=prove(node.cookie, hello["challenge"]), challenge=challenge)
        ack = await _receive(channel, "ACK")
        if not hmac.compare_digest(ack["proof"], prove(node.cookie, challenge)):  # HS-10, HS-11
            raise Refused("wrong proof")
    finally:
        node.challenges.done(challenge)
    if channel.closed:  # MEM-21
        raise Closed
    node.check_node_id(peer)
    return peer
