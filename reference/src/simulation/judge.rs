//! What has been asked of the nodes of a world and what they have told, and whether the one can come of the other: what
//! must never be is found at once, what must be at rest is looked for in `rest.rs`. Touches no node.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    schedule::{Number, Place},
    wires::Run,
};
use crate::node::{Event, GlobalPid, MemberId, Token};

/// A run of a node.
pub(crate) type Life = (Place, Run);

/// The sessions of one run with one peer, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sessions {
    /// How many have begun.
    pub(crate) begun: u32,
    pub(crate) creation: u8,
    pub(crate) is_open: bool,
}

/// A process that has been spawned.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) life: Life,
    pub(crate) pid: GlobalPid,
    pub(crate) traps: bool,
    pub(crate) is_alive: bool,
}

/// A monitor or a link that has been asked for, by a process on `life`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tie {
    pub(crate) from: Number,
    pub(crate) to: Number,
    /// Of a monitor.
    pub(crate) reference: u64,
    /// Which session it crosses; `None` within one node.
    pub(crate) session: Option<u32>,
    pub(crate) is_undone: bool,
}

/// A watch, and what its process has been told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    pub(crate) process: Number,
    pub(crate) node: Place,
    /// Of the node's sessions with the watched one.
    was_open: bool,
    begun_before: u32,
    ups: u32,
    downs: u32,
}

/// A message to a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) from: Life,
    pub(crate) to: Number,
    pub(crate) session: Option<u32>,
    pub(crate) has_come: bool,
}

/// A text to a room.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) from: Life,
    /// The sessions that it went over.
    pub(crate) sessions: Vec<(Place, u32)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    pub(crate) life: Life,
    pub(crate) has_left: bool,
    /// How many texts had been sent when it joined.
    pub(crate) joined: usize,
    pub(crate) texts: BTreeSet<usize>,
    pub(crate) last: BTreeMap<Life, usize>,
}

/// A name that was registered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    pub(crate) process: Number,
    pub(crate) is_unregistered: bool,
}

/// Everything that is known.
pub(crate) struct Judge {
    places: BTreeMap<String, Place>,
    complaint: Option<String>,
    pub(crate) sessions: BTreeMap<(Life, Place), Sessions>,
    pub(crate) processes: BTreeMap<Number, Process>,
    numbers: BTreeMap<(String, u8, u64), Number>,
    ended: BTreeSet<(String, u8, u64)>,
    pub(crate) monitors: BTreeMap<Number, Tie>,
    /// References that have fired, of each run.
    pub(crate) fired: BTreeSet<(Life, u64)>,
    pub(crate) links: Vec<Tie>,
    /// How often a process was told of the end of another over a link.
    pub(crate) exits: BTreeMap<(Number, Number), usize>,
    pub(crate) watches: Vec<Watch>,
    pub(crate) sent: Vec<Sent>,
    last: BTreeMap<(Life, Number), usize>,
    pub(crate) texts: Vec<Text>,
    pub(crate) members: BTreeMap<Number, Member>,
    pub(crate) names: BTreeMap<Number, Name>,
    unanswered: BTreeSet<(Life, Token)>,
    lives: Vec<Run>,
}

impl Judge {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            places: BTreeMap::new(),
            complaint: None,
            sessions: BTreeMap::new(),
            processes: BTreeMap::new(),
            numbers: BTreeMap::new(),
            ended: BTreeSet::new(),
            monitors: BTreeMap::new(),
            fired: BTreeSet::new(),
            links: Vec::new(),
            exits: BTreeMap::new(),
            watches: Vec::new(),
            sent: Vec::new(),
            last: BTreeMap::new(),
            texts: Vec::new(),
            members: BTreeMap::new(),
            names: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            lives: vec![0; nodes],
        }
    }

    /// Whose name it is.
    pub(crate) fn knows(&mut self, name: &str, place: Place) {
        self.places.insert(name.to_owned(), place);
    }

    /// Something is wrong. The first complaint counts.
    pub(crate) fn complain(&mut self, what: String) {
        self.complaint.get_or_insert(what);
    }

    pub(crate) fn is_content(&self) -> bool {
        self.complaint.is_none()
    }

    pub(crate) fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    pub(crate) fn life(&self, place: Place) -> Life {
        (place, self.lives[place])
    }

    pub(crate) fn asked(&mut self, place: Place, run: Run, token: Token) {
        self.unanswered.insert(((place, run), token));
    }

    pub(crate) fn answered(&mut self, place: Place, token: Token) {
        // Faults ask for things, too, and nobody waits for those answers.
        if token.0 != u64::MAX && !self.unanswered.remove(&(self.life(place), token)) {
            self.complain(format!("a command is answered twice, or was never asked: {}", token.0));
        }
    }

    pub(crate) fn has_unanswered(&self) -> bool {
        !self.unanswered.is_empty()
    }

    /// The session that is open between a node and another; `None` when there is none.
    pub(crate) fn session(&self, from: Life, to: Place) -> Option<u32> {
        self.sessions.get(&(from, to)).filter(|sessions| sessions.is_open).map(|sessions| sessions.begun)
    }

    /// A run is over, with all that it had.
    pub(crate) fn crashed(&mut self, place: Place, run: Run) {
        self.lives[place] = run + 1;
        self.unanswered.retain(|(life, _)| *life != (place, run));
        for process in self.processes.values_mut().filter(|process| process.life == (place, run)) {
            process.is_alive = false;
        }
        for sessions in self.sessions.iter_mut().filter(|((life, _), _)| *life == (place, run)) {
            sessions.1.is_open = false;
        }
    }

    pub(crate) fn spawned(&mut self, number: Number, life: Life, pid: GlobalPid, traps: bool) {
        self.numbers.insert(key(&pid), number);
        self.processes.insert(number, Process { life, pid, traps, is_alive: true });
    }

    pub(crate) fn watched(&mut self, process: Number, life: Life, node: Place) {
        let sessions = self.sessions.get(&(life, node)).copied().unwrap_or_default();
        let (was_open, begun_before) = (sessions.is_open, sessions.begun);
        self.watches.push(Watch { process, node, was_open, begun_before, ups: 0, downs: 0 });
    }

    /// Whatever a node tells. What must never be told is complained of.
    pub(crate) fn event(&mut self, place: Place, run: Run, event: &Event) {
        let life = (place, run);
        match event {
            Event::SessionOpened(peer, creation) => self.opened(life, peer.as_str(), creation.get()),
            Event::SessionClosed(peer, creation) => self.closed(life, peer.as_str(), creation.get()),
            Event::ProcessEnded { pid, .. } => {
                if !self.ended.insert(key(pid)) {
                    self.complain(format!("{pid} ends twice"));
                }
                if let Some(process) = self.number(pid).and_then(|number| self.processes.get_mut(&number)) {
                    process.is_alive = false;
                }
            }
            Event::Down { pid, reference, .. } => self.down(life, pid, *reference),
            Event::Exited { pid, from, .. } => {
                self.is_told(pid);
                if let (Some(to), Some(from)) = (self.number(pid), self.number(from)) {
                    *self.exits.entry((to, from)).or_default() += 1;
                    let links =
                        self.links.iter().filter(|link| [(to, from), (from, to)].contains(&(link.from, link.to)));
                    // One that is being made may fire before it is noted: both ends may have it made at once.
                    if self.exits[&(to, from)] > links.count() + 1 {
                        self.complain(format!("{pid} is told over a link more often than it was linked"));
                    }
                }
            }
            Event::Message { pid, bytes } => self.message(pid, bytes),
            Event::NodeUp { pid, node } => self.told_of_node(pid, node.as_str(), true),
            Event::NodeDown { pid, node } => self.told_of_node(pid, node.as_str(), false),
            Event::Refused(..) | Event::DialFailed(..) => {}
        }
    }

    fn opened(&mut self, life: Life, peer: &str, creation: u8) {
        let Some(place) = self.places.get(peer).copied() else {
            return self.complain(format!("a session begins with {peer}, which is no node"));
        };
        let sessions = self.sessions.entry((life, place)).or_default();
        if sessions.is_open {
            return self.complain(format!("a second session with {peer} begins before the first has ended (MEM-39)"));
        }
        *sessions = Sessions { begun: sessions.begun + 1, creation, is_open: true };
    }

    fn closed(&mut self, life: Life, peer: &str, creation: u8) {
        let Some(place) = self.places.get(peer).copied() else { return };
        let sessions = self.sessions.entry((life, place)).or_default();
        if !sessions.is_open || sessions.creation != creation {
            return self.complain(format!("a session with {peer} ends that had not begun (MEM-39, MEM-42)"));
        }
        sessions.is_open = false;
    }

    fn down(&mut self, life: Life, pid: &GlobalPid, reference: u64) {
        self.is_told(pid);
        if !self.fired.insert((life, reference)) {
            return self.complain(format!("monitor {reference} of {pid} fires twice (PROC-35)"));
        }
        let number = self.number(pid);
        let is_it = |monitor: &&Tie| Some(monitor.from) == number && monitor.reference == reference;
        if self.monitors.values().find(is_it).is_some_and(|monitor| monitor.is_undone) {
            self.complain(format!("monitor {reference} of {pid} fires although it is undone (PROC-37)"));
        }
    }

    /// Messages carry their place among all that were sent: one pair's come in order, and none comes twice (PROC-20).
    fn message(&mut self, pid: &GlobalPid, bytes: &[u8]) {
        self.is_told(pid);
        let index = bytes.try_into().map(u64::from_le_bytes).ok().and_then(|index| usize::try_from(index).ok());
        let (Some(to), Some(index)) = (self.number(pid), index) else { return };
        let Some(sent) = self.sent.get_mut(index) else { return };
        if sent.to != to {
            return self.complain(format!("{pid} gets a message that is not for it"));
        }
        sent.has_come = true;
        let from = sent.from;
        if self.last.insert((from, to), index).is_some_and(|last| last >= index) {
            self.complain(format!("{pid} gets a message twice, or out of order (PROC-13, PROC-20)"));
        }
    }

    /// The n-th text that was ever sent to the room, to members of one node.
    pub(crate) fn delivered(&mut self, place: Place, run: Run, members: &[MemberId], text: &str) {
        let Ok(index) = text.parse::<usize>() else { return };
        for MemberId(number) in members {
            let from = self.texts.get(index).map(|text| text.from);
            let Some(member) = self.members.get_mut(&(*number as usize)) else { continue };
            let is_new = member.texts.insert(index);
            let in_order = from.is_none_or(|from| member.last.insert(from, index).is_none_or(|last| last < index));
            if member.life != (place, run) || member.has_left || !is_new || !in_order {
                self.complain(format!("member {number} gets text {index} twice, out of order or unasked (ROOM-4)"));
            }
        }
    }

    fn told_of_node(&mut self, pid: &GlobalPid, node: &str, is_up: bool) {
        self.is_told(pid);
        let (number, node) = (self.number(pid), self.places.get(node).copied());
        let is_it = |watch: &&mut Watch| Some(watch.process) == number && Some(watch.node) == node;
        let Some(watch) = self.watches.iter_mut().find(is_it) else {
            return self.complain(format!("{pid} is told of a node that it does not watch (MEM-45)"));
        };
        let (ups, downs) = (watch.ups + u32::from(is_up), watch.downs + u32::from(!is_up));
        (watch.ups, watch.downs) = (ups, downs);
        // Up first where there was no session, down first where there was one; then by turns.
        let balance = u32::from(watch.was_open) + ups;
        if balance != downs && balance != downs + 1 {
            self.complain(format!("{pid} is told of a node twice, or out of turn (MEM-43, MEM-44)"));
        }
    }

    /// Whether a watch has been told of all sessions since it began.
    pub(crate) fn is_up_to_date(&self, watch: &Watch, life: Life) -> bool {
        let sessions = self.sessions.get(&(life, watch.node)).copied().unwrap_or_default();
        let is_open = u32::from(watch.was_open) + watch.ups - watch.downs == 1;
        watch.ups == sessions.begun - watch.begun_before && is_open == sessions.is_open
    }

    fn is_told(&mut self, pid: &GlobalPid) {
        if self.ended.contains(&key(pid)) {
            self.complain(format!("{pid} is told something although it has ended"));
        }
    }

    pub(crate) fn number(&self, pid: &GlobalPid) -> Option<Number> {
        self.numbers.get(&key(pid)).copied()
    }
}

fn key(pid: &GlobalPid) -> (String, u8, u64) {
    (pid.node.clone(), pid.creation, pid.local.get())
}
