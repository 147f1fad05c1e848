"""A node: its sessions, who may have one, and the mesh (membership chapter). What sessions carry is for the other modules."""

import asyncio
import logging
import socket
import time
from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from collections.abc import Callable

from . import channel as tls
from . import handshake, names, wire
from .channel import Channel, Closed
from .handshake import Peer, Refused
from .process import Processes
from .registry import Registry
from .room import Rooms
from .wire import Pid

NOBODY = "nonode@nohost"  # the name before the start (REG-9)
IDS = 65_535
IDS_FOR_SESSIONS = 1_024  # PROC-8
DIAL_PLACES = 8  # MEM-13
DIALS_WAITING = 4_096  # a longer list is cut; RES-3's ruling asks for 1,024
DIAL_WINDOW, DIALS_A_WINDOW = 11.0, 256  # RES-3 has 10 s, at whoever is dialled: a second for dials that are late
TURN = 0.005  # seconds for which one session may keep the event loop (FRAME-22)
log = logging.getLogger("snow")


class ConnectFailed(Exception):
    """No session came about."""


class NodeIds:
    """Numbers for node names, from 1 on, kept while the node runs (PROC-6, PROC-7)."""

    def __init__(self):
        self._names = [NOBODY]
        self._ids: dict[str, int] = {}

    def of(self, name: str) -> int | None:
        return self._ids.get(name)

    def name(self, node_id: int) -> str | None:
        return self._names[node_id] if node_id < len(self._names) else None

    def give(self, name: str, session: bool = False) -> int | None:
        """The name's id; None when those that it may have are all given (PROC-8, PROC-9)."""
        if name not in self._ids:
            if len(self._names) > (IDS if session else IDS - IDS_FOR_SESSIONS):
                return None
            self._ids[name] = len(self._names)
            self._names.append(name)
        return self._ids[name]


class Session:
    """An authenticated connection, and what processes have under way on it."""

    def __init__(self, peer: Peer, node_id: int, channel: Channel):
        self.name, self.creation, self.seen = peer
        self.node_id = node_id
        self.channel = channel
        self.live = True
        self.pings: dict[bytes, asyncio.TimerHandle] = {}
        self.heartbeat: asyncio.TimerHandle | None = None
        self.monitors: dict[int, tuple[int, Pid]] = {}  # ours of theirs: reference -> watcher, target
        self.watched: dict[int, tuple[int, Pid]] = {}  # theirs of ours: reference -> local id, watcher
        self.spawns: dict[int, Callable[[Pid | str], None]] = {}  # request -> who is told

    def send(self, message: str, /, **fields):
        """Sends one message; raises TooLarge and sends nothing where it would not fit (FRAME-16)."""
        self.channel.send(wire.frame(wire.encode(message, fields)))

    def pid(self, local: int) -> Pid:
        """A process of the peer, as this node holds it (PROC-3)."""
        return Pid(self.node_id, self.creation, local)

    def nested(self, pid: Pid) -> Pid | wire.Opaque:
        """A PID within a reason or an argument (PROC-12)."""
        return self.pid(pid.local) if pid.node_id == 0 else wire.Opaque(*pid)


class Node:
    """Everything that this program is in the cluster. `tell(method, **params)` is told what happens."""

    def __init__(self, tell: Callable[..., None]):
        self.tell = tell
        self.name, self.creation, self.cookie = NOBODY, 0, b""
        self.started = False
        self.sessions: dict[str, Session] = {}
        self.ids = NodeIds()
        self.challenges = handshake.Challenges()
        self.watches: dict[str, dict[int, None]] = {}  # node name -> local ids (MEM-43)
        self.processes = Processes(self)
        self.registry = Registry(self)
        self.rooms = Rooms()
        self.congested: Callable[[], Any] = lambda: None  # an awaitable while nobody reads what is told
        self._seen = 0
        self._tasks: set[asyncio.Task] = set()
        self._accepting: OrderedDict[Channel, None] = OrderedDict()
        self._dials: dict[str, asyncio.Task] = {}  # under way
        self._dial_channels: dict[str, Channel] = {}
        self._waiters: dict[str, list[asyncio.Future]] = {}  # for a session with that name
        self._turn = 0.0
        self._listed: OrderedDict[str, None] = OrderedDict()  # names that wait to be dialled
        self._list_dials = 0
        self._list_dialled: deque[float] = deque(maxlen=DIALS_A_WINDOW)
        self._list_timer: asyncio.TimerHandle | None = None

    # Starting and stopping.

    async def start(
        self,
        name: str,
        cookie: bytes,
        listen: names.Address | None,
        heartbeat: tuple[float, float],
        handshake_timeout: float,
    ):
        """Listens and becomes `name` (HS-1, HS-3, HS-18). Raises ValueError for a name or a cookie that cannot be."""
        address = names.parse(name, any_port=True)
        if address is None or not cookie:
            raise ValueError("invalid name" if cookie else "empty cookie")
        self.loop = asyncio.get_running_loop()
        self.loop.set_default_executor(
            ThreadPoolExecutor(64)
        )  # a name server that hangs holds up no other dial (MEM-14)
        self.heartbeat_interval, self.heartbeat_timeout = heartbeat
        self.handshake_timeout = handshake_timeout
        self._most_accepting = max(16, min(4096, tls.raise_file_limit() // 2))
        self._acceptor, self._initiator = tls.acceptor_context(), tls.initiator_context()
        self.cookie = cookie
        bind = listen or address
        found = await self.loop.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM)
        self.creation = int(time.time()) % 255 + 1  # HS-22
        if address.port:
            self.name = name
        server = await self.loop.create_server(
            lambda: Channel(self._acceptor, self._accepted), *found[0][4][:2], backlog=1024, start_serving=False
        )
        self.name = name if address.port else names.with_port(name, server.sockets[0].getsockname()[1])
        self.started = True
        self.registry.rename_owner(NOBODY, self.name)  # REG-9
        await server.start_serving()
        self._server = server

    async def stop(self):
        """Ends all sessions and waits a moment for their connections' ends."""
        if not self.started:
            return
        self._server.close()
        channels = (
            [session.channel for session in self.sessions.values()]
            + list(self._accepting)
            + list(self._dial_channels.values())
        )
        for each in channels:
            each.close()
        if channels:
            await asyncio.wait([each.gone for each in channels], timeout=1)

    def _spawn_task(self, work) -> asyncio.Task:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Accepting.

    def _accepted(self, channel: Channel):
        self._accepting[channel] = None
        if len(self._accepting) > self._most_accepting:  # RES-4 allows it
            next(iter(self._accepting)).close()
        self._spawn_task(self._accept(channel))

    async def _accept(self, channel: Channel):
        try:
            async with asyncio.timeout_at(channel.born + self.handshake_timeout):  # HS-28
                peer = await handshake.accept(self, channel)
        except (Refused, Closed, TimeoutError, wire.Undecodable, wire.TooLarge) as error:
            log.debug("accepted connection closed: %r", error)
            channel.close()
            return
        finally:
            self._accepting.pop(channel, None)
        dial = self._dials.pop(peer.name, None)
        if dial:  # MEM-21
            dial.cancel()
        self._begin(peer, channel)

    def next_seen(self) -> int:
        self._seen += 1
        return self._seen

    def check_duplicate(self, peer: Peer):
        """Refuses an accepted connection that the duplicate rules close (MEM-16 to MEM-20, MEM-27)."""
        live = self.sessions.get(peer.name)
        if live and (live.creation == peer.creation or peer.seen < live.seen):
            raise Refused("there is a session with that name")
        if peer.name in self._dials and self.name < peer.name:
            raise Refused("the own dial goes before")

    def check_node_id(self, peer: Peer):
        """Gives the peer's name its node id, or refuses it (PROC-6, PROC-9)."""
        if self.ids.give(peer.name, session=True) is None:
            log.warning("%s is refused: all node ids are given", peer.name)
            raise Refused("no node id")

    # Dialling.

    async def connect(self, name: str):
        """Succeeds once there is a session with that name, whoever opened it (MEM-23); else ConnectFailed."""
        if name == self.name:  # HS-4
            raise ConnectFailed("that is this node's own name")
        if name in self.sessions:
            return
        dial = self._dials.get(name) or self._dial(name)
        session = self.loop.create_future()
        self._waiters.setdefault(name, []).append(session)
        try:
            await asyncio.wait([dial, session], return_when=asyncio.FIRST_COMPLETED)
            if (
                name not in self.sessions
                and not session.done()
                and self.name > name
                and not dial.cancelled()
                and dial.result() == "closed"
            ):
                await asyncio.wait([session], timeout=1)  # the peer's own connection is on its way (MEM-18)
            if not session.done():
                raise ConnectFailed(f"no session with {name}: {dial.cancelled() or dial.result()}")
        finally:
            waiters = self._waiters[name]
            waiters.remove(session)
            if not waiters:
                del self._waiters[name]

    def _dial(self, name: str) -> asyncio.Task:
        task = self._dials[name] = self._spawn_task(self._dial_once(name))

        def done(_):
            if self._dials.get(name) is task:
                del self._dials[name]

        task.add_done_callback(done)
        return task

    async def _dial_once(self, name: str) -> str:
        """One dial; its result says how it went, "" when a session began."""
        channel = None
        address = names.parse(name)
        try:
            async with asyncio.timeout(self.handshake_timeout):  # HS-29
                _, channel = await self.loop.create_connection(lambda: Channel(self._initiator), *address)
                self._dial_channels[name] = channel
                peer = await handshake.initiate(self, channel, name)
            live = self.sessions.get(name)
            if live and (live.creation == peer.creation or peer.seen < live.seen):
                raise Refused("there is a session with that name")
            self._dials.pop(name, None)
            self._begin(peer, channel)
            channel = None  # it is the session's now
            return ""
        except Closed:
            return "closed"
        except TimeoutError:
            return "timed out"
        except (
            Refused,
            wire.Undecodable,
            OSError,
            ValueError,
        ) as error:  # UnicodeError, of a host's name, is a ValueError
            return repr(error)
        finally:
            self._dial_channels.pop(name, None)
            if channel:
                channel.close()

    def _listed_names(self, listed: list[dict]):
        """Queues the names of a PEER_LIST that are to be dialled (MEM-6 to MEM-9, RES-2)."""
        for entry in listed:
            name = entry["name"]
            if name in self._listed or name == self.name or name in self.sessions or name in self._dials:
                continue
            if len(self._listed) >= DIALS_WAITING:
                log.warning("too many listed names wait to be dialled: the rest of the list is dropped")
                break
            if names.parse(name):
                self._listed[name] = None
        self._dial_listed()

    def _dial_listed(self):
        """Dials as many waiting names as there are places, and no more than RES-3 allows (MEM-13, MEM-14)."""
        while self._listed and self._list_dials < DIAL_PLACES:
            now = self.loop.time()
            if len(self._list_dialled) == DIALS_A_WINDOW and (wait := self._list_dialled[0] + DIAL_WINDOW - now) > 0:
                if self._list_timer is None:
                    self._list_timer = self.loop.call_later(wait, self._dial_listed_later)
                return
            name, _ = self._listed.popitem(last=False)
            if name in self.sessions or name in self._dials:  # MEM-22
                continue
            self._list_dialled.append(now)
            self._list_dials += 1
            self._dial(name).add_done_callback(self._listed_dial_done)

    def _dial_listed_later(self):
        self._list_timer = None
        self._dial_listed()

    def _listed_dial_done(self, _):
        self._list_dials -= 1
        self._dial_listed()

    # Sessions.

    def _begin(self, peer: Peer, channel: Channel):
        """Begins a session, after the end of the one that it replaces (MEM-24, MEM-26)."""
        if peer.name in self.sessions:
            self.end(self.sessions[peer.name])
        session = Session(peer, self.ids.give(peer.name, session=True), channel)
        self.registry.drop_former(session)  # REG-20
        others = list(self.sessions)
        self.sessions[peer.name] = session
        channel.overflow = lambda: self.end(session, at_once=True)
        if others:  # MEM-1, MEM-3
            tag = wire.LAYOUTS["PEER_LIST"].tag
            channel.stream(wire.cut_list(tag, 2, [wire.WRITERS["string16"](name) for name in others]))
        self.registry.send_table(session)  # MEM-2
        self.tell("session.opened", node=session.name, creation=session.creation)
        for local in self.watches.get(session.name, ()):  # MEM-44
            self.tell("node.up", pid=self.show(Pid(0, 0, local)), node=session.name)
        for waiter in self._waiters.get(session.name, ()):
            if not waiter.done():
                waiter.set_result(None)
        self.processes.node_up(session.name)
        self.processes.settle()
        session.heartbeat = self.loop.call_later(self.heartbeat_interval, self._beat, session)
        self._spawn_task(self._serve(session))

    def end(self, session: Session, at_once: bool = False):
        """A disconnect with all its effects, once (MEM-39, PROC-61 to PROC-65, REG-18)."""
        if not session.live:
            return
        session.live = False
        del self.sessions[session.name]
        if at_once:
            session.channel.abort()
        else:
            session.channel.close()
        for timer in (session.heartbeat, *session.pings.values()):
            timer and timer.cancel()
        self.processes.disconnected(session)
        self.registry.disconnected(session)
        for local in self.watches.get(session.name, ()):  # MEM-43
            self.tell("node.down", pid=self.show(Pid(0, 0, local)), node=session.name)
        self.processes.settle()
        self.tell("session.closed", node=session.name, creation=session.creation)

    async def _serve(self, session: Session):
        """Reads a session to its end, frame by frame, in order (PROC-21)."""
        try:
            while session.live:
                payload = await session.channel.read_frame(wire.SESSION_LIMIT)
                if payload and session.live:
                    await self._handle(session, payload)
                await self.breathe()
        except Closed:
            pass
        except Exception:  # a fault of this node's own; the process lives on (FRAME-21)
            log.exception("session with %s", session.name)
        self.end(session)

    async def breathe(self):
        """Gives the other sessions their turn when this one has had its own (FRAME-22), and waits while nobody reads what is told."""
        if time.monotonic() - self._turn > TURN:
            await asyncio.sleep(0)
            self._turn = time.monotonic()
        if wait := self.congested():
            await wait

    async def _handle(self, session: Session, payload: bytes):
        if payload[0] == wire.LAYOUTS["GLOBAL_SYNC"].tag:
            await self.registry.receive_table(session, payload)
            return
        try:
            message, fields = wire.decode_in_session(payload)
        except wire.Undecodable:
            return  # FRAME-17, FRAME-18, FRAME-19
        match message:
            case "PING":
                session.send("PONG", nonce=fields["nonce"])  # MEM-29
            case "PONG":
                if timer := session.pings.pop(fields["nonce"], None):  # MEM-36
                    timer.cancel()
            case "PEER_LIST":
                self._listed_names(fields["peers"])
            case "GLOBAL_REGISTER":
                self.registry.receive(session, **fields)
            case "GLOBAL_UNREGISTER":
                self.registry.remove(fields["name"])
            case "ROOM_BROADCAST":
                self.rooms.deliver(fields["room"], fields["text"])
            case _:
                self.processes.receive(session, message, fields)
        self.processes.settle()

    def _beat(self, session: Session):
        """PING at every interval, ahead of what waits; without its PONG the session ends (MEM-33 to MEM-37)."""
        nonce = tls.random_bytes(8)
        session.channel.send_first(wire.frame(wire.encode("PING", {"nonce": nonce})))
        session.pings[nonce] = self.loop.call_later(self.heartbeat_timeout, self.end, session, True)
        session.heartbeat = self.loop.call_later(self.heartbeat_interval, self._beat, session)

    async def settled(self):
        """Waits for the effects of all that has been received so far (the control protocol's barrier)."""
        for _ in range(4):  # the selector's turn, the transport's, the reader's
            await asyncio.sleep(0)
        for session in list(self.sessions.values()):
            await session.channel.read_up()

    def broadcast(self, message: str, /, **fields):
        """One message to every session; TooLarge before any of it is sent."""
        if self.sessions:
            frame = wire.frame(wire.encode(message, fields))
            for session in list(self.sessions.values()):
                session.channel.send(frame)

    # PIDs.

    def session_of(self, pid: Pid) -> Session | None:
        """The live session with the node of a PID, of whatever run."""
        return self.sessions.get(self.ids.name(pid.node_id)) if pid.node_id > 0 else None

    def own(self, pid: Pid) -> int | None:
        """The local id that a directed field names; None for a process of a former run (PROC-4, PROC-5)."""
        here = pid.creation == self.creation or (pid.node_id == 0 and pid.creation == 0)
        return pid.local if here else None

    def show(self, pid: Pid | wire.Opaque) -> dict:
        """A PID in the control protocol's form."""
        if isinstance(pid, wire.Opaque):
            return {"node": None, "creation": pid.creation, "local": pid.local}
        if pid.node_id == 0:
            return {"node": self.name, "creation": pid.creation or self.creation, "local": pid.local}
        return {"node": self.ids.name(pid.node_id), "creation": pid.creation, "local": pid.local}

    def read_pid(self, node: str | None, creation: int, local: int) -> Pid:
        """The reverse. Node id -1 stands for a node that this one has never heard of."""
        if (node == NOBODY and creation == 0) or (node == self.name and creation in (self.creation, 0)):
            return Pid(0, 0, local)
        if node == self.name:
            return Pid(0, creation, local)
        return Pid(self.ids.of(node) or -1, creation, local)
