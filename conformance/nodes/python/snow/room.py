"""Rooms and their WebSocket members (room chapter). Membership never leaves this node."""

import asyncio
import itertools
import json
from collections import deque
from urllib.parse import unquote_to_bytes

PATIENCE = 4_096  # messages that wait for a member that reads too slowly; ROOM-12 asks for 1,024
PATIENCE_BYTES = 128 * 1024 * 1024  # and never more bytes than this (RES-8)
PATH = "/rooms/"
OPEN = 1  # websockets.State.OPEN, whose import takes longer than a node that has no rooms should wait


class UnknownMember(Exception):
    """There is no such member, or no more."""


class Member:
    """One WebSocket connection: what waits for it, and the task that sends it."""

    def __init__(self, id: str, connection):
        self.id, self.connection = id, connection
        self.rooms: set[str] = set()
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = False
        self._more = asyncio.Event()

    @property
    def gone(self) -> bool:
        """From the close frame on, although the connection may take a while to end (ROOM-9)."""
        return self._dropped or self.connection.state != OPEN

    def put(self, text: bytes) -> bool:
        """Queues a message; a member that cannot keep up is disconnected instead (ROOM-11, ROOM-12)."""
        if len(self._queue) >= PATIENCE or self._bytes + len(text) > PATIENCE_BYTES:
            self._dropped = True
            self.connection.transport.abort()
            return False
        self._queue.append(text)
        self._bytes += len(text)
        self._more.set()
        return True

    async def send(self):
        """Sends what is queued, in order (ROOM-15), until it is cancelled."""
        while True:
            while self._queue:
                text = self._queue[0]
                await self.connection.send(text, text=True)
                self._queue.popleft()
                self._bytes -= len(text)
            self._more.clear()
            await self._more.wait()


class Rooms:
    """The members of this node, and the WebSocket server that they connect to."""

    def __init__(self):
        self.members: dict[str, Member] = {}
        self._rooms: dict[str, dict[str, Member]] = {}  # room -> id -> member
        self._ids = itertools.count(1)

    async def listen(self, host: str) -> str:
        """Opens the endpoint on a free port; the result is its URL."""
        from websockets.asyncio.server import serve  # here, since starting is all that needs it

        self._server = await serve(
            self._serve, host, 0, compression=None, ping_interval=None, max_size=16 * 1024 * 1024
        )
        port = self._server.sockets[0].getsockname()[1]
        return f"ws://{f'[{host}]' if ':' in host else host}:{port}"

    async def _serve(self, connection):
        from websockets.exceptions import ConnectionClosed

        path = connection.request.path.partition("?")[0]
        try:
            room = unquote_to_bytes(path.removeprefix(PATH)).decode() if path.startswith(PATH) else None
        except UnicodeDecodeError:
            room = None
        if room is None:
            await connection.close(1008, "no such path")
            return
        member = Member(f"m{next(self._ids)}", connection)
        self.members[member.id] = member
        member.put(json.dumps({"member": member.id}).encode())  # before anything of the room
        self.join(member.id, room)
        sender = asyncio.create_task(member.send())
        try:
            async for _ in connection:  # what a client says is ignored
                pass
        except ConnectionClosed:
            pass
        finally:  # ROOM-9
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            for left in list(member.rooms):
                self._leave(member, left)
            del self.members[member.id]

    def _member(self, id: str) -> Member:
        if id not in self.members or self.members[id].gone:
            raise UnknownMember
        return self.members[id]

    def join(self, id: str, room: str):
        """Twice is once (ROOM-7)."""
        member = self._member(id)
        member.rooms.add(room)
        self._rooms.setdefault(room, {})[id] = member

    def leave(self, id: str, room: str):
        """Leaves one room and no other (ROOM-8)."""
        self._leave(self._member(id), room)

    def _leave(self, member: Member, room: str):
        member.rooms.discard(room)
        here = self._rooms.get(room, {})
        here.pop(member.id, None)
        if not here:
            self._rooms.pop(room, None)

    def deliver(self, room: str, text: str, excepted: str | None = None) -> int:
        """To each local member once; the result counts those that could not be served (ROOM-1, ROOM-4, ROOM-10, ROOM-17)."""
        data = text.encode()
        members = self._rooms.get(room, {}).values()
        return sum(not member.put(data) for member in members if member.id != excepted and not member.gone)
