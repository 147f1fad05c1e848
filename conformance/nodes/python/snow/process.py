"""Processes: messages, links, monitors, spawning (process chapter).

What one event causes is queued and drained by `settle`, so that chains of links, however long, are loops and not recursion.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable

from . import wire
from .wire import KILLED, NOCONNECTION, NOPROC, SHUTDOWN, UNKNOWN, Pid, Reason

LOCAL_IDS = 1 << 40
AT_ONCE = 1_000_000  # events in one go; more wait for the loop's next turn
FUNCTIONS = {"collector", "relay", "exit", "crash_on_message"}


class NotConnected(Exception):
    """The process's node has no session."""


class NoProcess(Exception):
    """The PID names no live process of this node."""


class SpawnFailed(Exception):
    """Another node has not spawned; `kind` is "refused", "noconnection" or "not connected"."""

    def __init__(self, kind: str):
        super().__init__(kind)
        self.kind = kind


class NameTaken(Exception):
    """Another process has that local name."""


class Process:
    """A process of this node. `links` and the like are dicts without values: sets that keep their order."""

    def __init__(self, local: int, function: str):
        self.local = local
        self.pid = Pid(0, 0, local)
        self.function = function
        self.on_message: Callable[[bytes], None] = lambda message: None
        self.on_exit: Callable[[Pid, Reason], None] | None = None  # a supervisor's ear
        self.on_end: Callable[[], None] | None = None
        self.begin: Callable[[], None] = lambda: None
        self.traps = False
        self.parent: Pid | None = None
        self.links: dict[Pid, None] = {}
        self.monitors: dict[int, Pid] = {}  # its own: reference -> target
        self.watchers: dict[tuple, int | None] = {}  # (session or None, reference) -> local watcher
        self.names: dict[str, None] = {}
        self.globals: dict[str, None] = {}


class Processes:
    """All processes of a node, and what sessions bring for them."""

    def __init__(self, node):
        self.node = node
        self.table: dict[int, Process] = {}
        self.names: dict[str, int] = {}  # local names (PROC-23, PROC-66)
        self.node_up_ears: dict[int, Callable[[str], None]] = {}  # supervisors, by local id
        self._next = itertools.count(1)
        self._references = itertools.count(1)
        self._events: deque[tuple] = deque()
        self._settling = False

    # Events.

    def post(self, function: Callable, *args):
        """Has something done before the next frame or request is looked at."""
        self._events.append((function, args))

    def settle(self):
        """Does all that is posted, and what that posts."""
        if self._settling:
            return
        self._settling = True
        try:
            for _ in range(AT_ONCE):
                if not self._events:
                    return
                function, args = self._events.popleft()
                function(*args)
            asyncio.get_running_loop().call_soon(self.settle)
        finally:
            self._settling = False

    def live(self, pid: Pid) -> Process:
        """The live process of this node with that PID, or NoProcess."""
        process = self.table.get(pid.local) if pid.node_id == 0 and pid.creation == 0 else None
        if process is None:
            raise NoProcess
        return process

    # Beginning and ending.

    def create(self, function: str, args: bytes = b"", resolve: Callable[[Pid], Pid] = lambda pid: pid) -> Process:
        """A process that has not begun to run. `resolve` takes PIDs in its arguments, which are its requester's."""
        local = next(local for n in self._next if (local := n % LOCAL_IDS) and local not in self.table)
        process = self.table[local] = Process(local, function)
        match function:
            case "collector":
                process.on_message = lambda message: self.node.tell(
                    "process.message", pid=self.node.show(process.pid), bytes=message.hex()
                )
            case "relay" if len(args) >= 8:
                target = resolve(wire.Reader(args).pid())
                process.on_message = lambda message: self.forward(target, message)
            case "exit":
                process.begin = lambda: self.end(process, self._read_reason(args, resolve))
            case "crash_on_message":
                process.on_message = lambda message: self.end(
                    process, Reason("error", message.decode(errors="replace"))
                )
        return process

    @staticmethod
    def _read_reason(args: bytes, resolve) -> Reason:
        try:
            reason = wire.Reader(args).reason()
        except wire.Undecodable:
            return UNKNOWN
        return reason._replace(pids=tuple(map(resolve, reason.pids)))

    def spawn(self, function: str, args: bytes = b"", parent: Process | None = None) -> Process:
        """A process for a requester of this node, linked to `parent` if there is one."""
        process = self.create(function, args)
        if parent:
            process.parent = parent.pid
            process.links[parent.pid] = parent.links[process.pid] = None
        self.post(process.begin)
        return process

    def end(self, process: Process, reason: Reason):
        """The process has ended: its names are free, its links and monitors are told (PROC-24, PROC-29, PROC-33, PROC-52, REG-17)."""
        if self.table.get(process.local) is not process:
            return
        del self.table[process.local]
        for name in process.names:
            del self.names[name]
        for ref, target in process.monitors.items():
            self._forget_monitor(process, ref, target)
        self.node.registry.process_ended(process)
        for partner in process.links:
            if partner.node_id == 0:
                self.post(self._exit_local, partner, process.pid, reason)
            elif session := self._session_of_run(partner):
                self._send_reason(session, "EXIT", reason, **{"from": process.pid, "to": partner})
        for (session, ref), watcher in process.watchers.items():
            if session is None:
                self.post(self._down, watcher, ref, process.pid, reason)
            else:
                monitoring = session.watched.pop(ref)[1]
                self._send_reason(
                    session, "MONITOR_EXIT", reason, monitored=process.pid, monitoring=monitoring, ref=ref
                )
        for watchers in self.node.watches.values():
            watchers.pop(process.local, None)
        self.node.tell("process.ended", pid=self.node.show(process.pid), reason=self.show_reason(reason))
        if process.on_end:
            process.on_end()

    @staticmethod
    def _send_reason(session, message: str, reason: Reason, /, **fields):
        try:
            session.send(message, **fields, reason=reason)
        except wire.TooLarge:  # PROC-28
            session.send(message, **fields, reason=UNKNOWN)

    def show_reason(self, reason: Reason) -> dict:
        """A reason in the control protocol's form."""
        shown = {"kind": reason.kind}
        if reason.kind in ("error", "custom"):
            shown["text"] = reason.text
        for pid in reversed(reason.pids):
            shown = {"kind": "linked", "pid": self.node.show(pid), "reason": shown}
        return shown

    def _session_of_run(self, pid: Pid):
        """The live session with the very run of the node on which the process lives (PROC-11, PROC-38)."""
        session = self.node.session_of(pid)
        return session if session and session.creation == pid.creation else None

    # Messages.

    def forward(self, target: Pid, message: bytes):
        """Sends as a process does, which has nobody to tell that it did not fit."""
        try:
            self.send(target, message)
        except wire.TooLarge:
            pass

    def send(self, target: Pid, message: bytes):
        """To a process, wherever it lives; to nobody is no error (PROC-14, PROC-17, PROC-19)."""
        if target.node_id == 0:
            if target.creation == 0:
                self.post(self._deliver, target.local, message)
        elif session := self.node.session_of(target):
            session.send("SEND", target=target, message=message)

    def send_named(self, node: str, name: str, message: bytes):
        """To a local name, here or on a connected node (PROC-18, PROC-19)."""
        if node == self.node.name:
            self.post(self._deliver, self.names.get(name), message)
        elif session := self.node.sessions.get(node):
            session.send("REG_SEND", name=name, message=message)

    def _deliver(self, local: int | None, message: bytes):
        if process := self.table.get(local):
            process.on_message(message)

    def register(self, process: Process, name: str):
        """Gives a process a local name (PROC-23)."""
        if self.names.setdefault(name, process.local) != process.local:
            raise NameTaken
        process.names[name] = None

    # Links.

    def link(self, process: Process, to: Pid):
        """Joins a process to another one (PROC-38, PROC-51, PROC-53)."""
        if to == process.pid or to in process.links:
            return
        if to.node_id == 0:
            partner = self.table.get(to.local) if to.creation == 0 else None
            process.links[to] = None
            if partner:
                partner.links[process.pid] = None
            else:
                self.post(self._exit, process, to, NOPROC)
            return
        session = self.node.session_of(to)
        if session is None:
            raise NotConnected
        process.links[to] = None
        if session.creation == to.creation:
            session.send("LINK", **{"from": process.pid, "to": to})
        else:
            self.post(self._exit, process, to, NOPROC)

    def unlink(self, process: Process, to: Pid):
        """Parts them again (PROC-47, PROC-51)."""
        if to not in process.links:
            return
        del process.links[to]
        if to.node_id == 0:
            if partner := self.table.get(to.local):
                partner.links.pop(process.pid, None)
        elif session := self._session_of_run(to):
            session.send("UNLINK", **{"from": process.pid, "to": to})

    def order(self, process: Process, to: Pid, reason: Reason):
        """An EXIT by which a parent asks for its child's end (SUP-16, SUP-17)."""
        if to.node_id == 0:
            self.post(self._exit_local, to, process.pid, reason)
        elif session := self._session_of_run(to):
            session.send("EXIT", **{"from": process.pid, "to": to, "reason": reason})

    def _exit_local(self, to: Pid, source: Pid, reason: Reason):
        if process := self.table.get(to.local):
            self._exit(process, source, reason)

    def _exit(self, process: Process, source: Pid, reason: Reason):
        """An EXIT has reached a process (PROC-41 to PROC-46, PROC-49, PROC-50)."""
        if source not in process.links or self.table.get(process.local) is not process:
            return
        parent, kind = source == process.parent, reason.outer
        if (parent and kind == "killed") or (parent and kind == "shutdown" and not process.traps):
            self.end(process, KILLED if kind == "killed" else SHUTDOWN)
        elif process.traps or kind in ("normal", "shutdown"):
            if not (parent and kind == "shutdown"):
                del process.links[source]
            node = self.node
            node.tell(
                "process.exited",
                pid=node.show(process.pid),
                **{"from": node.show(source)},
                reason=self.show_reason(reason),
            )
            if process.on_exit:
                process.on_exit(source, reason)
        else:
            if not parent:
                del process.links[source]
            self.end(process, reason.linked_by(source))

    # Monitors.

    def monitor(self, watcher: Process, target: Pid) -> int:
        """Watches a process (PROC-34, PROC-38, PROC-53); the result is the reference."""
        ref = next(self._references)
        session = self.node.session_of(target)
        if target.node_id != 0 and session is None:
            raise NotConnected
        watcher.monitors[ref] = target
        if target.node_id == 0:
            if target.creation == 0 and (process := self.table.get(target.local)):
                process.watchers[None, ref] = watcher.local
            else:
                self.post(self._down, watcher.local, ref, target, NOPROC)
        elif session.creation == target.creation:
            session.monitors[ref] = watcher.local, target
            session.send("MONITOR", **{"from": watcher.pid, "to": target, "ref": ref})
        else:
            self.post(self._down, watcher.local, ref, target, NOPROC)
        return ref

    def demonitor(self, watcher: Process, ref: int):
        """Undoes a monitor; one that is not there changes nothing (PROC-37)."""
        target = watcher.monitors.pop(ref, None)
        if target is not None:
            self._forget_monitor(watcher, ref, target)

    def _forget_monitor(self, watcher: Process, ref: int, target: Pid):
        if target.node_id == 0:
            if process := self.table.get(target.local):
                process.watchers.pop((None, ref), None)
        elif (session := self._session_of_run(target)) and session.monitors.pop(ref, None):
            session.send("DEMONITOR", **{"from": watcher.pid, "to": target, "ref": ref})

    def _down(self, local: int, ref: int, target: Pid, reason: Reason):
        watcher = self.table.get(local)
        if watcher and watcher.monitors.pop(ref, None):
            node = self.node
            shown = {"from": node.show(target), "reason": self.show_reason(reason)}
            node.tell("process.down", pid=node.show(watcher.pid), ref=str(ref), **shown)

    # Spawning on other nodes.

    def spawn_on(
        self, session, requester: Process, function: bytes, args: bytes, link: bool, done: Callable[[Pid | str], None]
    ) -> int:
        """Asks for a process; `done` is told its PID, or "refused" or "noconnection" (PROC-58, PROC-59, PROC-63)."""
        request = next(self._references)
        session.send("SPAWN", request=request, requester=requester.pid, link=int(link), function=function, args=args)
        session.spawns[request] = done
        return request

    # What sessions bring.

    def receive(self, session, message: str, fields: dict):
        """One message of this chapter."""
        own = fields.get("from") or fields.get("requester")
        if own is not None and own.node_id != 0:  # PROC-10
            return
        match message:
            case "SEND":
                self._deliver(self.node.own(fields["target"]), fields["message"])
            case "REG_SEND":
                self._deliver(self.names.get(fields["name"]), fields["message"])
            case "SPAWN":
                self._receive_spawn(session, **fields)
            case "SPAWN_REPLY":
                if done := session.spawns.pop(fields["request"], None):  # PROC-60
                    done("refused" if fields["status"] else session.pid(fields["local"] % LOCAL_IDS))
            case "MONITOR_EXIT":
                if monitor := session.monitors.pop(fields["ref"], None):  # PROC-35, PROC-36
                    self._down(monitor[0], fields["ref"], monitor[1], self._nested(session, fields["reason"]))
            case "DEMONITOR":
                if watched := session.watched.pop(fields["ref"], None):
                    del self.table[watched[0]].watchers[session, fields["ref"]]
            case _:
                self._receive_pair(session, message, session.pid(own.local), self.node.own(fields["to"]), fields)

    def _receive_pair(self, session, message: str, source: Pid, local: int | None, fields: dict):
        process = self.table.get(local)
        match message:
            case "LINK" if process:
                process.links[source] = None
            case "LINK" if local is not None:  # PROC-40; of a former run nothing can be said (PROC-H1)
                session.send("EXIT", **{"from": Pid(0, 0, local), "to": source, "reason": NOPROC})
            case "UNLINK" if process:
                process.links.pop(source, None)
            case "EXIT" if process:
                self._exit(process, source, self._nested(session, fields["reason"]))
            case "MONITOR" if process:
                ref = fields["ref"]
                if former := session.watched.pop(ref, None):  # a reference in use: the newer one counts
                    del self.table[former[0]].watchers[session, ref]
                session.watched[ref] = local, source
                process.watchers[session, ref] = None
            case "MONITOR":  # PROC-30
                ended = Pid(0, 0, fields["to"].local)
                session.send("MONITOR_EXIT", monitored=ended, monitoring=source, ref=fields["ref"], reason=NOPROC)

    def _receive_spawn(self, session, request: int, requester: Pid, link: int, function: bytes, args: bytes):
        """LINK, SPAWN_REPLY, and only then the function runs (PROC-54 to PROC-57)."""
        name = function.decode(errors="replace")
        if name not in FUNCTIONS:
            session.send("SPAWN_REPLY", request=request, status=1, local=0)
            return
        process = self.create(name, args, session.nested)
        if link == 1:
            process.parent = session.pid(requester.local)
            process.links[process.parent] = None
            session.send("LINK", **{"from": process.pid, "to": process.parent})
        session.send("SPAWN_REPLY", request=request, status=0, local=process.local)
        process.begin()

    @staticmethod
    def _nested(session, reason: Reason) -> Reason:
        return reason._replace(pids=tuple(map(session.nested, reason.pids)))

    # Sessions come and go.

    def disconnected(self, session):
        """Links and monitors across the session fire, pending spawns fail (PROC-61 to PROC-64)."""
        for ref, (local, _) in session.watched.items():
            del self.table[local].watchers[session, ref]
        session.watched.clear()
        for ref, (watcher, target) in session.monitors.items():
            self.post(self._down, watcher, ref, target, NOCONNECTION)
        session.monitors.clear()
        for process in self.table.values():
            for partner in process.links:
                if partner.node_id == session.node_id:
                    self.post(self._exit, process, partner, NOCONNECTION)
        for done in session.spawns.values():
            self.post(done, "noconnection")
        session.spawns.clear()

    def node_up(self, name: str):
        """A session with that node has begun: supervisors may wait for it (SUP-13)."""
        for ear in list(self.node_up_ears.values()):
            self.post(ear, name)
