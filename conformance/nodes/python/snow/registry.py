"""The table of global names, which every node holds whole (registry chapter)."""

from typing import NamedTuple

from . import names, wire
from .wire import Pid

LONGEST = 65_535
_UNREGISTER = bytes([wire.LAYOUTS["GLOBAL_UNREGISTER"].tag])


class Entry(NamedTuple):
    """A registered process; `record` is the entry as it stands in GLOBAL_SYNC, ready to be sent."""

    pid: Pid
    owner: str
    record: bytes


class Unregistered(Exception):
    """The name is not registered."""


class NameTaken(Exception):
    """The name is registered."""


class Registry:
    """Names and whose they are. Names are compared as strings of code points, which is byte for byte (REG-31)."""

    def __init__(self, node):
        self.node = node
        self.table: dict[str, Entry] = {}
        self._owned: dict[str, dict[str, None]] = {}  # owner -> names

    def _store(self, name: str, pid: Pid, owner: str):
        self.table[name] = Entry(pid, owner, wire.write_entry(name, pid, owner))
        self._owned.setdefault(owner, {})[name] = None
        if pid.node_id == 0:
            self.node.processes.table[pid.local].globals[name] = None

    def remove(self, name: str) -> bool:
        """Takes a name out of the table, whoever owns it (REG-12)."""
        entry = self.table.pop(name, None)
        if entry is None:
            return False
        owned = self._owned[entry.owner]
        del owned[name]
        if not owned:
            del self._owned[entry.owner]
        if entry.pid.node_id == 0:
            process = self.node.processes.table.get(entry.pid.local)
            process and process.globals.pop(name, None)
        return True

    # Local requests.

    def register(self, name: str, pid: Pid):
        """Stores a name for a process that lives, and tells every session (REG-1 to REG-5)."""
        if name in self.table:
            raise NameTaken
        owner = self.node.ids.name(pid.node_id) if pid.node_id else self.node.name
        self._store(name, pid, owner)
        self.node.broadcast("GLOBAL_REGISTER", name=name, pid=pid, owner=owner)

    def unregister(self, name: str):
        """Removes a name and tells every session (REG-7, REG-8)."""
        if not self.remove(name):
            raise Unregistered
        self.node.broadcast("GLOBAL_UNREGISTER", name=name)

    # Clean-up.

    def process_ended(self, process):
        """Its names go, and everybody is told (REG-17)."""
        entries = [self.table[name] for name in process.globals]
        for name in list(process.globals):
            self.remove(name)
        self._tell_unregistered(entries)

    def disconnected(self, session):
        """The names that it owns go, and everybody else is told (REG-18, REG-19): quickly, for they may be a million."""
        self._tell_unregistered([self.table.pop(name) for name in self._owned.pop(session.name, ())])

    def _tell_unregistered(self, entries: list[Entry]):
        frames = []
        for entry in entries:
            end = 2 + int.from_bytes(
                entry.record[:2], "little"
            )  # an entry begins with the name, as GLOBAL_UNREGISTER has it
            frames.append((1 + end).to_bytes(4, "little") + _UNREGISTER + entry.record[:end])
        blob = b"".join(frames)
        for session in list(self.node.sessions.values()) if blob else ():
            session.channel.send(blob)

    def drop_former(self, session):
        """Entries of the peer's former runs go before its session begins, and nobody is told (REG-20)."""
        for name in list(self._owned.get(session.name, ())):
            if self.table[name].pid.creation != session.creation:
                self.remove(name)

    def rename_owner(self, former: str, owner: str):
        for name in list(self._owned.pop(former, ())):
            self._store(name, self.table[name].pid, owner)

    # What goes over sessions.

    def send_table(self, session):
        """The whole table, as it stands now (MEM-2, MEM-3, REG-15, REG-16)."""
        if self.table:
            records = [entry.record for entry in self.table.values()]
            session.channel.stream(wire.cut_list(wire.LAYOUTS["GLOBAL_SYNC"].tag, 4, records))

    async def receive_table(self, session, payload: bytes):
        """Entry by entry, so that a long table holds up nobody and its announced count allocates nothing (REG-14, FRAME-22, FRAME-23)."""
        reader = wire.Reader(payload, 1)
        try:
            for number in range(reader.u32()):
                self.receive(session, **reader.entry())
                if number % 32 == 0:
                    await self.node.breathe()
                    if not session.live:
                        return
        except wire.Undecodable:
            pass  # what stood before the fault has counted

    def receive(self, session, name: str, pid: Pid, owner: str):
        """One entry of a GLOBAL_REGISTER or a GLOBAL_SYNC (REG-10, REG-11, REG-21 to REG-30)."""
        node = self.node
        if name in self.table or not name:
            return
        if owner == session.name:
            if pid.node_id == 0:  # REG-21
                self._store(name, session.pid(pid.local), owner)
        elif owner == node.name:
            local = node.own(pid)
            if local in node.processes.table:  # REG-22
                self._store(name, Pid(0, 0, local), owner)
            else:  # REG-23
                node.broadcast("GLOBAL_UNREGISTER", name=name)
        elif pid.creation != 0 and names.parse(owner) is not None:  # REG-26, REG-28
            live = node.sessions.get(owner)
            if live and live.creation != pid.creation:  # REG-27
                return
            node_id = node.ids.give(owner)
            if node_id is not None:  # PROC-8
                self._store(name, Pid(node_id, pid.creation, pid.local), owner)
