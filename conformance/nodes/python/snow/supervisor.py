"""Supervisors: processes that start others, here or elsewhere, and start them again (supervisor chapter).

A supervisor is two lists, of children to stop and of children to start, and `_step`, which goes on with them as far as it gets.
It is called after every event and never waits, so that what a frame causes is sent before the next frame is looked at (MEM-30).
"""

import asyncio
from collections import deque

from .process import FUNCTIONS, Process, SpawnFailed
from .wire import KILLED, NOCONNECTION, SHUTDOWN, Pid, Reason

STOP_TIME = 5.0  # seconds between EXIT shutdown and EXIT killed (SUP-17)
STRATEGIES = {"one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"}
RESTARTS = {"permanent", "transient", "temporary"}


class Child:
    """What is started, and what has come of it."""

    def __init__(self, id: str, function: str, args: bytes, restart: str, node: str | None):
        self.id, self.function, self.args, self.restart, self.node = id, function, args, restart, node
        self.pid: Pid | None = None  # while it runs
        self.request: object | None = None  # while its SPAWN is pending
        self.asked_for: asyncio.Future | None = None  # of simple_one_for_one: the caller that waits for its first start

    @property
    def up(self) -> bool:
        return self.pid is not None or self.request is not None

    def copy(self, args: bytes | None) -> "Child":
        return Child(self.id, self.function, self.args if args is None else args, self.restart, self.node)


class Supervisor:
    """One supervisor. `started` and `ended` are futures for its callers."""

    def __init__(self, node, strategy: str, max_restarts: int, max_seconds: float, children: list[Child]):
        self.node, self.processes = node, node.processes
        self.strategy, self.max_restarts, self.max_seconds = strategy, max_restarts, max_seconds
        self.loop = asyncio.get_running_loop()
        self.process: Process = self.processes.create("supervisor")
        self.process.traps = True
        self.process.on_exit = self._heard
        self.process.on_end = self._over
        self.processes.node_up_ears[self.process.local] = lambda _: self._step()
        self.started, self.ended = self.loop.create_future(), self.loop.create_future()
        self._template = children[0] if strategy == "simple_one_for_one" else None
        self.children = [] if self._template else children
        self._to_stop: list[Child] = []
        self._to_start = list(self.children)
        self._stopping: asyncio.TimerHandle | None = None  # while the first of _to_stop has been asked to end
        self._ending = False
        self._error: SpawnFailed | None = None
        self._restarts: deque[float] = deque()
        self._early: dict[Pid, Reason] = {}  # ends that were heard while a SPAWN was pending (SUP-12)
        self._step()

    # Requests.

    def start_child(self, args: bytes | None) -> asyncio.Future:
        """One more child of the template (SUP-4); the future holds its PID."""
        child = self._template.copy(args)
        asked = child.asked_for = self.loop.create_future()
        self.children.append(child)
        self._to_start.append(child)
        self._step()
        return asked

    def stop(self) -> asyncio.Future:
        """Stops the children and then itself (SUP-19)."""
        self._stop_all()
        return self.ended

    # Going on.

    def _step(self):
        while self._to_stop:
            child = self._to_stop[0]
            if child.up:
                if self._stopping is None:
                    self._stopping = self.loop.call_later(STOP_TIME, self._kill, child)
                    if child.pid:
                        self.processes.order(self.process, child.pid, SHUTDOWN)  # SUP-16
                return  # SUP-18
            self._to_stop.pop(0)
            self._not_stopping()
        if self._ending:
            self.processes.end(self.process, SHUTDOWN)
            return
        in_order = self.strategy in ("one_for_all", "rest_for_one") or not self.started.done()
        for child in list(self._to_start):
            if not self._start(child) and in_order:  # SUP-2
                return
        if not self._to_start and not self.started.done():
            self.started.set_result(self.process.pid)

    def _not_stopping(self):
        if self._stopping:
            self._stopping.cancel()
            self._stopping = None

    def _start(self, child: Child) -> bool:
        """Starts a child if that can be done now; says whether it runs."""
        if child.request:
            return False
        if child.node is None or child.node == self.node.name:
            if child.function not in FUNCTIONS:
                self._not_started(child, "refused")
                return False
            child.pid = self.processes.spawn(child.function, child.args, self.process).pid
            self._runs(child)
            return True
        session = self.node.sessions.get(child.node)
        if session is None:  # SUP-13
            if child.asked_for or not self.started.done():
                self._not_started(child, "not connected")
            return False
        token = child.request = object()
        function = child.function.encode()
        self.processes.spawn_on(
            session, self.process, function, child.args, True, lambda result: self._answered(child, token, result)
        )
        return False

    def _answered(self, child: Child, token: object, result: Pid | str):
        if child.request is not token:  # given up meanwhile
            if isinstance(result, Pid):
                self.processes.order(self.process, result, KILLED)
            return
        child.request = None
        if not isinstance(result, Pid):
            if not any(child.request for child in self.children):
                self._early.clear()
            self._not_started(child, result)
            return
        child.pid = result
        self._runs(child)
        if result in self._early:
            self._ended(child, self._early.pop(result))
        elif self._to_stop and self._to_stop[0] is child:
            self.processes.order(self.process, result, SHUTDOWN)
        self._step()

    def _runs(self, child: Child):
        if child in self._to_start:
            self._to_start.remove(child)
        if child.asked_for:
            child.asked_for.set_result(child.pid)
            child.asked_for = None

    def _not_started(self, child: Child, why: str):
        """An error to who asked for the start (SUP-3), or another crash."""
        if child in self._to_start:
            self._to_start.remove(child)
        if child.asked_for:
            self.children.remove(child)
            child.asked_for.set_exception(SpawnFailed(why))
            child.asked_for = None
        elif not self.started.done():
            self._error = self._error or SpawnFailed(why)
            self._stop_all()
            return
        else:
            self._ended(child, NOCONNECTION if why == "noconnection" else Reason("error", why))
        self._step()

    # Ends of children.

    def _heard(self, source: Pid, reason: Reason):
        child = next((child for child in self.children if child.pid == source), None)
        if child:
            self._ended(child, reason)
            self._step()
        elif any(child.request for child in self.children):
            self._early[source] = reason

    def _ended(self, child: Child, reason: Reason):
        """Restarts what the strategy says, unless the child was being stopped or is not to be restarted (SUP-5 to SUP-11)."""
        child.pid = None
        if child in self._to_stop or self._ending or child.restart == "temporary":
            return
        if child.restart == "transient" and reason.outer in ("normal", "shutdown"):
            return
        now = self.loop.time()
        while self._restarts and self._restarts[0] <= now - self.max_seconds:
            self._restarts.popleft()
        if len(self._restarts) >= self.max_restarts:  # SUP-14, SUP-15
            self._stop_all()
            return
        self._restarts.append(now)
        first = self.children.index(child)
        affected = {"one_for_all": self.children, "rest_for_one": self.children[first:]}.get(self.strategy, [child])
        again = [each for each in affected if each is child or (each.up and each.restart != "temporary")]
        self._stop([each for each in affected if each.up])
        self._to_start = [each for each in self.children if each in again or each in self._to_start]

    def _stop(self, children: list[Child]):
        """In reverse order, behind the one that is being stopped already (SUP-18)."""
        first = self._to_stop[:1] if self._stopping else []
        rest = [each for each in self.children if (each in children or each in self._to_stop) and each not in first]
        self._to_stop = first + rest[::-1]

    def _stop_all(self):
        self._ending = True
        self._to_start.clear()
        self._stop([child for child in self.children if child.up])
        self._step()

    def _kill(self, child: Child):
        """It had its time: nothing more is awaited of it (SUP-17)."""
        self._stopping = None
        if child.pid:
            self.processes.order(self.process, child.pid, KILLED)
        child.pid = child.request = None
        self._step()
        self.processes.settle()

    def _over(self):
        """The supervisor's process has ended, however it did."""
        self._not_stopping()
        self._ending = True
        self._to_start.clear()
        self._to_stop.clear()
        self.processes.node_up_ears.pop(self.process.local, None)
        self.ended.set_result(None)
        for child in self.children:
            if child.asked_for:
                child.asked_for.set_exception(SpawnFailed("noconnection"))
        if not self.started.done():
            self.started.set_exception(self._error or SpawnFailed("refused"))
