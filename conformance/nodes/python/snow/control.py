"""The control protocol: JSON requests on standard input, answers and notifications on standard output (control chapter)."""

import asyncio
import itertools
import json
import logging
import sys
from typing import Any
from collections.abc import Awaitable

from . import VERSION, codec, names, process, registry, room, term, wire
from .node import ConnectFailed, Node
from .process import NoProcess, NotConnected, Process, SpawnFailed
from .supervisor import RESTARTS, STRATEGIES, Child, Supervisor
from .wire import Pid, Reason

LONGEST_LINE = 64 * 1024 * 1024
UNREAD = 16 * 1024 * 1024  # bytes of output that may wait before sessions are read no further (RES-8)
CAPABILITIES = ["registry", "process", "supervisor", "rooms", "codec", "term"]
SPAWN_ERRORS = {"refused": -32011, "noconnection": -32012, "not connected": -32008}
log = logging.getLogger("snow")


class ControlError(Exception):
    """What a request is answered with when it cannot be done."""

    def __init__(self, code: int, message: str, kind: str | None = None):
        super().__init__(message)
        self.body: dict[str, Any] = {"code": code, "message": message}
        if kind:
            self.body["data"] = {"kind": kind}


CODES = {
    ConnectFailed: -32004,
    registry.NameTaken: -32005,
    process.NameTaken: -32005,
    registry.Unregistered: -32006,
    NoProcess: -32007,
    NotConnected: -32008,
    wire.TooLarge: -32009,
    room.UnknownMember: -32010,
}


def answer_of(error: Exception) -> dict:
    """The body of an error's answer."""
    match error:
        case ControlError():
            return error.body
        case SpawnFailed():
            return ControlError(SPAWN_ERRORS[error.kind], error.kind).body
        case wire.Undecodable():
            return ControlError(-32020, error.kind, error.kind).body
    code = CODES.get(type(error), -32000)
    if code == -32000:
        log.error("request failed", exc_info=error)
    return ControlError(code, f"{type(error).__name__} {error}").body


class Params:
    """A request's parameters; a missing one or one of a wrong type is -32602."""

    def __init__(self, values: Any):
        if not isinstance(values, dict):
            raise ControlError(-32602, "params is no object")
        self.values = values

    def get(self, name: str, kind: type, *default):
        value = self.values.get(name)
        if value is None and default:
            return default[0]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ControlError(-32602, f"{name} is missing or of a wrong type")
        return value

    def text(self, name: str, *default) -> Any:
        value = self.get(name, str, *default)
        try:
            value is None or value.encode()
        except UnicodeEncodeError:
            raise ControlError(-32602, f"{name} is no Unicode text") from None
        return value

    def bytes(self, name: str, *default) -> Any:
        value = self.get(name, str, *default)
        try:
            return bytes.fromhex(value) if isinstance(value, str) else value
        except ValueError:
            raise ControlError(-32602, f"{name} is not hexadecimal") from None

    def milliseconds(self, name: str, default: int) -> float:
        return self.get(name, int, default) / 1000

    def any_of(self, name: str, allowed) -> str:
        value = self.text(name)
        if value not in allowed:
            raise ControlError(-32602, f"{name} is none of {sorted(allowed)}")
        return value


class Control:
    """The node as its harness sees it. Each method of the protocol is a method here, with `_` for the dot.

    They are called in the order of the requests and have had their effect when they return; what takes longer is an awaitable.
    """

    def __init__(self):
        self.node = Node(self.tell)
        self.node.congested = self._congested
        self.supervisors: dict[int, Supervisor] = {}
        self._seq = itertools.count(1)
        self._tasks: set[asyncio.Task] = set()
        self._stop = asyncio.Event()

    # Lines.

    async def run(self):
        """Serves requests until `shutdown` or the end of input."""
        loop = asyncio.get_running_loop()
        self._input = asyncio.StreamReader(limit=LONGEST_LINE)
        await self._connect_input(loop)
        flow = asyncio.streams.FlowControlMixin()
        transport, _ = await loop.connect_write_pipe(lambda: flow, sys.stdout)
        transport.set_write_buffer_limits(high=UNREAD)
        self._output = asyncio.StreamWriter(transport, flow, None, loop)
        reader = asyncio.create_task(self._read())
        await self._stop.wait()
        reader.cancel()
        await self.node.stop()
        while transport.get_write_buffer_size() and not transport.is_closing():
            await asyncio.sleep(0.01)

    async def _connect_input(self, loop: asyncio.AbstractEventLoop):
        try:  # a file or /dev/null is always ready, and the loop can't wait for it
            loop.add_reader(sys.stdin.fileno(), lambda: None)
        except PermissionError:
            self._input.feed_data(sys.stdin.buffer.read())
            self._input.feed_eof()
        else:
            loop.remove_reader(sys.stdin.fileno())
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self._input), sys.stdin)

    async def _read(self):
        while line := await self._input.readline():
            await self._handle(line)
            await self.node.breathe()
        self._stop.set()

    def _write(self, message: dict):
        self._output.write(json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode() + b"\n")

    def tell(self, method: str, **params):
        """A notification."""
        self._write({"method": method, "params": {"seq": next(self._seq), **params}})

    def _congested(self) -> Awaitable | None:
        return self._output.drain() if self._output.transport.get_write_buffer_size() > UNREAD else None

    async def _handle(self, line: bytes):
        id = None
        try:
            try:
                request = json.loads(line)
            except (ValueError, RecursionError):
                raise ControlError(-32700, "the line is no JSON") from None
            method = request.get("method") if isinstance(request, dict) else None
            id = request.get("id") if isinstance(request, dict) else None
            if not isinstance(id, int) or not isinstance(method, str):
                raise ControlError(-32600, "the object is no request")
            function = getattr(self, method.replace(".", "_"), None) if method in METHODS else None
            if function is None:
                raise ControlError(-32601, f"unknown method {method}")
            result = function(Params(request.get("params", {})))
            self.node.processes.settle()
        except Exception as error:
            self.node.processes.settle()
            self._write({"id": id, "error": answer_of(error)})
            return
        if isinstance(result, dict):
            self._write({"id": id, "result": result})
            return
        task = asyncio.create_task(self._answer(id, result))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if method == "node.start":  # later requests find it started
            await task

    async def _answer(self, id: int, work: Awaitable):
        try:
            result = await work
        except Exception as error:
            self._write({"id": id, "error": answer_of(error)})
            return
        self._write({"id": id, "result": result})
        if result is SHUT_DOWN:
            self._stop.set()

    # Values.

    def _pid(self, value: Any) -> Pid:
        match value:
            case {"node": str() | None as node, "creation": int(creation), "local": int(local)} if (
                0 <= creation < 256 and 0 <= local < process.LOCAL_IDS
            ):
                return self.node.read_pid(node, creation, local)
        raise ControlError(-32602, "that is no PID")

    def _process(self, params: Params, name: str = "pid") -> Process:
        return self.node.processes.live(self._pid(params.get(name, dict)))

    def _reason(self, value: Any) -> Reason:
        pids = []
        while isinstance(value, dict) and value.get("kind") == "linked":
            pids.append(self._pid(value.get("pid")))
            value = value.get("reason")
        match value:
            case {"kind": "error" | "custom" as kind, "text": str(text)}:
                return wire.cut(Reason(kind, text, tuple(pids)), 2 * wire.LEVELS)
            case {"kind": "normal" | "killed" | "shutdown" | "noconnection" as kind}:
                return wire.cut(Reason(kind, "", tuple(pids)), 2 * wire.LEVELS)
        raise ControlError(-32602, "that is no reason")

    def _started(self):
        if not self.node.started:
            raise ControlError(-32001, "the node has not been started")

    # Every node.

    def initialize(self, params):
        if params.get("protocol", int) != 5:
            raise ControlError(-32602, "only protocol 5 is spoken")
        about = {"implementation": "snow-python", "version": VERSION, "language": "Python"}
        return about | {"protocol": 5, "control": 1, "capabilities": CAPABILITIES}

    async def node_start(self, params):
        if self.node.started:
            raise ControlError(-32002, "the node has been started")
        name, cookie = params.text("name"), params.bytes("cookie")
        listen = params.text("listen", None)
        if listen is not None:
            listen = names.parse(f"listen@{listen}", any_port=True)
            if listen is None:
                raise ControlError(-32602, "listen is no host:port")
        heartbeat = (
            params.milliseconds("heartbeat_interval_ms", 60_000),
            params.milliseconds("heartbeat_timeout_ms", 15_000),
        )
        try:
            await self.node.start(name, cookie, listen, heartbeat, params.milliseconds("handshake_timeout_ms", 7_000))
        except ValueError as error:
            raise ControlError(-32003, str(error)) from None
        websocket = await self.node.rooms.listen((listen or names.parse(name, any_port=True)).host)
        return {"name": self.node.name, "creation": self.node.creation, "websocket": websocket}

    def node_connect(self, params):
        self._started()
        name = params.text("node")
        if names.parse(name) is None:
            raise ControlError(-32003, "invalid name")
        return self._connected(self.node.connect(name))

    async def _connected(self, connecting: Awaitable) -> dict:
        await connecting
        return {}

    def node_self(self, params):
        return {"name": self.node.name, "creation": self.node.creation}

    def node_list(self, params):
        return {"nodes": list(self.node.sessions)}

    async def barrier(self, params):
        await self.node.settled()
        return {}

    async def shutdown(self, params):
        return SHUT_DOWN

    # Registry.

    def process_spawn(self, params):
        function, args, link = params.text("function"), params.bytes("args", b""), params.get("link", bool, False)
        node = params.text("node", None)
        remote = node not in (None, self.node.name)
        requester = self._process(params, "from") if remote or link or params.values.get("from") is not None else None
        if remote:
            session = self.node.sessions.get(node)
            if session is None:
                raise SpawnFailed("not connected")
            answer = asyncio.get_running_loop().create_future()
            self.node.processes.spawn_on(session, requester, function.encode(), args, link, answer.set_result)
            return self._spawned(answer)
        if function not in process.FUNCTIONS:
            raise SpawnFailed("refused")
        return {"pid": self.node.show(self.node.processes.spawn(function, args, requester if link else None).pid)}

    async def _spawned(self, answer: asyncio.Future) -> dict:
        pid = await answer
        if isinstance(pid, str):
            raise SpawnFailed(pid)
        return {"pid": self.node.show(pid)}

    def process_exit(self, params):
        self.node.processes.end(self._process(params), self._reason(params.get("reason", dict)))
        return {}

    def _name(self, params) -> str:
        name = params.text("name")
        if not 1 <= len(name.encode()) <= registry.LONGEST:  # REG-4
            raise ControlError(-32003, "a name has 1 to 65,535 bytes")
        return name

    def global_register(self, params):
        name, pid = self._name(params), self._pid(params.get("pid", dict))
        if pid.node_id == 0:
            self.node.processes.live(pid)
        else:
            session = self.node.session_of(pid)
            if session is None:
                raise NotConnected
            if session.creation != pid.creation:
                raise NoProcess
        self.node.registry.register(name, pid)
        return {}

    def global_whereis(self, params):
        entry = self.node.registry.table.get(params.text("name"))
        return {"pid": self.node.show(entry.pid) if entry else None}

    def global_unregister(self, params):
        self.node.registry.unregister(params.text("name"))
        return {}

    def global_names(self, params):
        return {
            "names": [
                {"name": name, "pid": self.node.show(entry.pid)} for name, entry in self.node.registry.table.items()
            ]
        }

    # Process.

    def process_send(self, params):
        self.node.processes.send(self._pid(params.get("to", dict)), params.bytes("bytes"))
        return {}

    def process_send_named(self, params):
        self.node.processes.send_named(params.text("node"), params.text("name"), params.bytes("bytes"))
        return {}

    def process_register(self, params):
        self.node.processes.register(self._process(params), self._name(params))
        return {}

    def process_alive(self, params):
        try:
            return {"alive": bool(self._process(params))}
        except NoProcess:
            return {"alive": False}

    def process_link(self, params):
        self.node.processes.link(self._process(params), self._pid(params.get("to", dict)))
        return {}

    def process_unlink(self, params):
        self.node.processes.unlink(self._process(params), self._pid(params.get("to", dict)))
        return {}

    def process_monitor(self, params):
        return {"ref": str(self.node.processes.monitor(self._process(params), self._pid(params.get("target", dict))))}

    def process_demonitor(self, params):
        watcher, ref = self._process(params), params.text("ref")
        self.node.processes.demonitor(watcher, int(ref) if ref.isdecimal() else 0)
        return {}

    def process_trap_exit(self, params):
        self._process(params).traps = params.get("enabled", bool)
        return {}

    def node_monitor(self, params):
        self.node.watches.setdefault(params.text("node"), {})[self._process(params).local] = None
        return {}

    # Supervisor.

    def supervisor_start(self, params):
        children = [self._child(Params(child)) for child in params.get("children", list)]
        strategy = params.any_of("strategy", STRATEGIES)
        if strategy == "simple_one_for_one" and len(children) != 1:
            raise ControlError(-32602, "simple_one_for_one has one template")
        supervisor = Supervisor(
            self.node, strategy, params.get("max_restarts", int), params.get("max_seconds", int), children
        )
        self.supervisors[supervisor.process.local] = supervisor
        supervisor.ended.add_done_callback(lambda _: self.supervisors.pop(supervisor.process.local))
        return self._shown_pid(supervisor.started)

    @staticmethod
    def _child(params: Params) -> Child:
        restart = params.any_of("restart", RESTARTS)
        return Child(
            params.text("id"), params.text("function"), params.bytes("args", b""), restart, params.text("node", None)
        )

    async def _shown_pid(self, future: asyncio.Future) -> dict:
        return {"pid": self.node.show(await future)}

    def _supervisor(self, params) -> Supervisor:
        supervisor = self.supervisors.get(self._process(params, "supervisor").local)
        if supervisor is None:
            raise NoProcess
        return supervisor

    def supervisor_start_child(self, params):
        return self._shown_pid(self._supervisor(params).start_child(params.bytes("args", None)))

    def supervisor_children(self, params):
        children = self._supervisor(params).children
        return {
            "children": [
                {"id": child.id, "pid": self.node.show(child.pid) if child.pid else None} for child in children
            ]
        }

    def supervisor_stop(self, params):
        return self._ended(self._supervisor(params).stop())

    @staticmethod
    async def _ended(future: asyncio.Future) -> dict:
        await future
        return {}

    # Rooms.

    def room_broadcast(self, params):
        name, text = params.text("room"), params.text("text")
        self.node.broadcast("ROOM_BROADCAST", room=name, text=text)
        return {"failed": self.node.rooms.deliver(name, text, params.text("except", None))}

    def room_join(self, params):
        self.node.rooms.join(params.text("member"), params.text("room"))
        return {}

    def room_leave(self, params):
        self.node.rooms.leave(params.text("member"), params.text("room"))
        return {}

    # Codec and term.

    def codec_decode(self, params):
        return codec.decode(params.any_of("phase", codec.LIMITS), params.bytes("bytes"))

    def codec_encode(self, params):
        return codec.encode(params.any_of("message", wire.LAYOUTS), params.get("fields", dict))

    def codec_frames(self, params):
        return codec.frames(params.any_of("phase", codec.LIMITS), params.bytes("bytes"))

    def codec_proof(self, params):
        return codec.proof(params.bytes("cookie"), params.bytes("challenge"))

    def term_decode(self, params):
        try:
            return codec.decode_term(params.bytes("bytes"))
        except term.TermError as error:
            raise ControlError(-32020, error.kind, error.kind) from None

    def term_encode(self, params):
        try:
            return codec.encode_term(params.get("term", dict))
        except term.TermError as error:
            raise ControlError(-32021, error.kind, error.kind) from None


SHUT_DOWN: dict = {}
METHODS = {
    "initialize",
    *(f"node.{name}" for name in ("start", "connect", "self", "list", "monitor")),
    "barrier",
    "shutdown",
    *(f"process.{name}" for name in ("spawn", "exit", "send", "send_named", "register", "alive", "link", "unlink")),
    *(f"process.{name}" for name in ("monitor", "demonitor", "trap_exit")),
    *(f"global.{name}" for name in ("register", "whereis", "unregister", "names")),
    *(f"supervisor.{name}" for name in ("start", "start_child", "children", "stop")),
    *(f"room.{name}" for name in ("broadcast", "join", "leave")),
    *(f"codec.{name}" for name in ("decode", "encode", "frames", "proof")),
    *(f"term.{name}" for name in ("decode", "encode")),
}
