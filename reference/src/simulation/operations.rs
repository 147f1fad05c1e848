//! How the operations of a schedule are done in a world: as commands to its nodes, noted by the judge. What makes no
//! sense any more is not done.

use std::sync::Arc;

use super::{
    guard,
    judge::{Member, Name, Process, Sent, Text, Tie},
    schedule::{Kind, Number, Operation, Place, Schedule},
    world::World,
};
use crate::{
    faults::UnknownFault,
    node::{Answer, Command, Input, MemberId, SpawnRequest},
    wire::reason::Root,
};

/// The one room; which one it is does not matter.
const ROOM: &str = "room";

impl World {
    /// # Errors
    /// [`UnknownFault`].
    pub(crate) fn operate(&mut self, schedule: &Schedule, operation: Operation) -> Result<(), UnknownFault> {
        if schedule.kind == Kind::Calm && !guard::allows(self, schedule, operation) {
            return Ok(());
        }
        let is_absent = |place: Place| schedule.absent.contains(&place);
        match operation {
            Operation::Connect { from, to } if !is_absent(from) && !is_absent(to) => self.connect(from, to),
            Operation::Connect { .. } => {}
            Operation::Crash { node, noticed } => self.crash(node, noticed),
            Operation::Restart { node } if self.host(node).is_none() && !is_absent(node) => self.start(node)?,
            Operation::Restart { .. } => {}
            Operation::Part { first, count, noticed } => {
                self.note(|world| format!("{} and {} behind it are parted", world.called(first), count - 1));
                self.wires.part(first, count, noticed);
            }
            Operation::Break { one, other, noticed } => {
                self.note(|world| format!("{} - {}  connections break", world.called(one), world.called(other)));
                self.sever(one, other, noticed);
            }
            Operation::Block { from, to } => {
                self.note(|world| format!("{} -> {}  is held up", world.called(from), world.called(to)));
                self.wires.block(from, to);
            }
            Operation::Heal => {
                self.note(|_| "the network is whole again".into());
                self.wires.heal();
            }
            Operation::Spawn { process, node, traps } => self.spawn(process, node, traps),
            Operation::Kill { process, normally } => self.kill(process, normally),
            Operation::Link { from, to } => self.link(from, to),
            Operation::Unlink { from, to } => self.unlink(from, to),
            Operation::Monitor { monitor, from, to } => self.monitor(monitor, from, to),
            Operation::Demonitor { monitor } => self.demonitor(monitor),
            Operation::Watch { process, node } => self.watch(process, node),
            Operation::Register { name, process } => self.register(schedule.kind, name, process),
            Operation::Unregister { name } => self.unregister(schedule.kind, name),
            Operation::Send { from, to } => self.send_message(from, to),
            Operation::Join { member, node } => self.enter(member, node),
            Operation::Leave { member } => self.leave(member),
            Operation::Broadcast { from } => self.broadcast(from),
            Operation::Reflect { node } => {
                self.note(|world| {
                    format!("{}  dials M, which has no cookie and reflects challenges", world.called(node))
                });
                self.reflect(node, schedule.nodes);
            }
        }
        Ok(())
    }

    pub(crate) fn connect(&mut self, from: Place, to: Place) {
        if self.host(from).is_some() {
            self.note(|world| format!("{}  dials {}", world.called(from), world.called(to)));
            let name = self.name(to).clone();
            self.command(from, Command::Connect(name));
        }
    }

    fn spawn(&mut self, number: Number, node: Place, traps: bool) {
        let request = SpawnRequest { function: "collector".into(), ..SpawnRequest::default() };
        if let Some(Ok(Answer::Pid(Some(pid)))) = self.command(node, Command::Spawn(request)) {
            let shown = pid.local.get();
            self.note(|world| format!("{}  starts process {shown}", world.called(node)));
            self.judge.spawned(number, self.judge.life(node), pid.clone(), traps);
            if traps {
                self.command(node, Command::TrapExit { pid, enabled: true });
            }
        }
    }

    /// Both processes and the place of the first, if that one is alive.
    fn pair(&self, from: Number, to: Number) -> Option<(Place, Process, Process)> {
        let (from, to) = (self.judge.processes.get(&from)?, self.judge.processes.get(&to)?);
        from.is_alive.then(|| (from.life.0, from.clone(), to.clone()))
    }

    fn alive(&self, number: Number) -> Option<Process> {
        self.judge.processes.get(&number).filter(|process| process.is_alive).cloned()
    }

    pub(crate) fn kill(&mut self, number: Number, normally: bool) {
        let Some(process) = self.alive(number) else { return };
        let place = process.life.0;
        self.note(|world| format!("{}  ends process {}", world.called(place), process.pid.local.get()));
        let root = if normally { Root::Normal } else { Root::Error("boom".into()) };
        self.command(place, Command::Exit { pid: process.pid, reason: root.into() });
    }

    fn link(&mut self, from: Number, to: Number) {
        let Some((place, one, other)) = self.pair(from, to).filter(|_| from != to) else { return };
        let session = self.judge.session(one.life, other.life.0);
        self.note(|world| {
            format!("{}  links {} to {}", world.called(place), one.pid, super::words::process(&other.pid))
        });
        let result = self.command(place, Command::Link { pid: one.pid, to: other.pid });
        if let Some(Ok(_)) = result {
            self.judge.links.push(Tie { from, to, reference: 0, session, is_undone: false });
        }
    }

    fn unlink(&mut self, from: Number, to: Number) {
        let Some((place, one, other)) = self.pair(from, to) else { return };
        self.note(|world| {
            format!("{}  unlinks {} from {}", world.called(place), one.pid, super::words::process(&other.pid))
        });
        for link in self.judge.links.iter_mut().filter(|link| [(from, to), (to, from)].contains(&(link.from, link.to)))
        {
            link.is_undone = true;
        }
        self.command(place, Command::Unlink { pid: one.pid, to: other.pid });
    }

    fn monitor(&mut self, monitor: Number, from: Number, to: Number) {
        let Some((place, one, other)) = self.pair(from, to) else { return };
        let session = self.judge.session(one.life, other.life.0);
        let (shown, target) = (one.pid.local.get(), super::words::process(&other.pid));
        self.note(|world| format!("{}  process {shown} monitors {target}", world.called(place)));
        if let Some(Ok(Answer::Monitor(reference))) =
            self.command(place, Command::Monitor { pid: one.pid, target: other.pid })
        {
            self.judge.monitors.insert(monitor, Tie { from, to, reference, session, is_undone: false });
        }
    }

    fn demonitor(&mut self, monitor: Number) {
        let Some(tie) = self.judge.monitors.get(&monitor).copied() else { return };
        let Some(process) = self.alive(tie.from) else { return };
        let place = process.life.0;
        self.note(|world| format!("{}  undoes monitor {}", world.called(place), tie.reference));
        let reference = Some(tie.reference);
        self.command(place, Command::Demonitor { pid: process.pid, reference });
        if let Some(tie) = self.judge.monitors.get_mut(&monitor) {
            tie.is_undone = true;
        }
    }

    fn watch(&mut self, number: Number, node: Place) {
        let Some(process) = self.alive(number) else { return };
        let place = process.life.0;
        let is_new = !self.judge.watches.iter().any(|watch| watch.process == number && watch.node == node);
        if is_new && place != node {
            let shown = process.pid.local.get();
            self.note(|world| format!("{}  process {shown} watches {}", world.called(place), world.called(node)));
            self.judge.watched(number, process.life, node);
            self.command(place, Command::WatchNode { pid: process.pid, node: self.name(node).clone() });
        }
    }

    fn register(&mut self, kind: Kind, name: Number, number: Number) {
        let Some(process) = self.alive(number) else { return };
        let (place, text) = (process.life.0, text_of(kind, name));
        self.note(|world| format!("{}  registers {text} for process {}", world.called(place), process.pid.local.get()));
        let result = self.command(place, Command::Register { name: text, pid: process.pid });
        match (kind, result) {
            (Kind::Calm, Some(Ok(_))) => {
                self.judge.names.insert(name, Name { process: number, is_unregistered: false });
            }
            // Nobody else has ever had it.
            (Kind::Calm, Some(Err(why))) => self.judge.complain(format!("a free name cannot be registered: {why}")),
            _ => {}
        }
    }

    /// A calm world's names are unregistered where they were registered, a wild one's anywhere.
    fn unregister(&mut self, kind: Kind, name: Number) {
        let text = text_of(kind, name);
        let place = match (kind, self.judge.names.get(&name)) {
            (Kind::Calm, Some(known)) => self.alive(known.process).map(|process| process.life.0),
            (Kind::Calm, None) => None,
            (Kind::Wild, _) => self.live().first().copied(),
        };
        let Some(place) = place else { return };
        self.note(|world| format!("{}  unregisters {text}", world.called(place)));
        self.command(place, Command::Unregister(text));
        if let Some(name) = self.judge.names.get_mut(&name) {
            name.is_unregistered = true;
        }
    }

    fn send_message(&mut self, from: Place, to: Number) {
        let Some(process) = self.judge.processes.get(&to).cloned() else { return };
        if self.host(from).is_none() {
            return;
        }
        let life = self.judge.life(from);
        let session = self.judge.session(life, process.life.0);
        let index = self.judge.sent.len() as u64;
        self.note(|world| {
            format!("{}  sends message {index} to {}", world.called(from), super::words::process(&process.pid))
        });
        self.judge.sent.push(Sent { from: life, to, session, has_come: false });
        self.command(from, Command::Send { to: process.pid, bytes: index.to_le_bytes().into() });
    }

    fn enter(&mut self, member: Number, node: Place) {
        if self.host(node).is_some() {
            self.note(|world| format!("{}  member {member} joins", world.called(node)));
            let (life, joined) = (self.judge.life(node), self.judge.texts.len());
            self.judge.members.insert(member, Member { life, joined, ..Member::default() });
            self.input(node, Input::MemberJoined { member: MemberId(member as u64), room: Arc::from(ROOM) });
        }
    }

    fn leave(&mut self, number: Number) {
        let Some(member) = self.judge.members.get_mut(&number) else { return };
        let (place, _) = member.life;
        let is_there = !member.has_left && self.judge.life(place) == self.judge.members[&number].life;
        if is_there {
            self.note(|world| format!("{}  member {number} leaves", world.called(place)));
            self.input(place, Input::MemberLeft(MemberId(number as u64)));
            if let Some(member) = self.judge.members.get_mut(&number) {
                member.has_left = true;
            }
        }
    }

    fn broadcast(&mut self, from: Place) {
        if self.host(from).is_none() {
            return;
        }
        let life = self.judge.life(from);
        let peers = self.live().into_iter().filter(|peer| *peer != from);
        let sessions = peers.filter_map(|peer| Some((peer, self.judge.session(life, peer)?))).collect();
        let index = self.judge.texts.len();
        self.judge.texts.push(Text { from: life, sessions });
        self.note(|world| format!("{}  broadcasts text {index}", world.called(from)));
        self.command(from, Command::Broadcast { room: ROOM.into(), text: index.to_string(), except: None });
    }
}

/// Wild worlds have few names, so that they clash.
fn text_of(kind: Kind, name: Number) -> String {
    match kind {
        Kind::Calm => format!("x{name}"),
        Kind::Wild => format!("x{}", name % 4),
    }
}
