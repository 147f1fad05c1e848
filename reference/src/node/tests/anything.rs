//! Anything that callers and peers may do, in any order: everybody is told at most once, and nothing is left behind.

use std::collections::BTreeSet;

use super::{
    Bench,
    scene::{error, own, pid, root, wire},
};
use crate::{
    node::{Command, ConnId, Event, GlobalPid, Input, Output, SpawnRequest},
    wire::{
        Message, NodeName, Reason,
        process::{Exit, Link, Monitor, MonitorExit, RegSend, Send, Spawn, SpawnReply},
        reason::Root,
    },
};

/// A small linear congruential generator: the same choices in every run.
pub(super) struct Choices(pub(super) u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Mostly processes that are there, sometimes one that is dead, of another run or of another node.
    fn pid(&mut self) -> GlobalPid {
        let (node, creation) =
            [("m@h", 9), ("m@h", 9), ("p@h", 3), ("q@h", 3), ("m@h", 8), ("x@h", 1)][self.below(6) as usize];
        pid(node, creation, 1 + self.below(30))
    }

    fn reason(&mut self) -> Reason {
        let linked = (0..self.below(3)).map(|_| wire(self.below(3), self.below(4), self.below(20))).collect();
        let root = match self.below(5) {
            0 => Root::Normal,
            1 => Root::Shutdown,
            2 => Root::Killed,
            3 => Root::NoConnection,
            _ => return error("boom"),
        };
        Reason { linked, ..self::root(root) }
    }

    pub(super) fn message(&mut self) -> Message<'static> {
        let (from, to) = (
            wire(self.below(8) / 7, 0, self.below(20)),
            wire(0, [0, 9, 8][self.below(3) as usize], 1 + self.below(30)),
        );
        let reference = 1 + self.below(40);
        let function = [&b"collector"[..], b"relay", b"exit", b"crash_on_message", b"x"][self.below(5) as usize];
        match self.below(11) {
            0 => Message::Send(Send { target: to, message: b"m" }),
            1 => Message::RegSend(RegSend { name: "n", message: b"m" }),
            2 | 3 => Message::Link(Link { from, to }),
            4 => Message::Unlink(Link { from, to }),
            5 => Message::Exit(Exit { from, to, reason: self.reason() }),
            6 => Message::Monitor(Monitor { from, to, reference }),
            7 => Message::Demonitor(Monitor { from, to, reference }),
            8 => {
                Message::MonitorExit(MonitorExit { monitored: from, monitoring: to, reference, reason: self.reason() })
            }
            9 => {
                let (link, args) = (self.below(3) as u8, &[2, 0, 0, 0, 0, 0, 0, 0][..]);
                Message::Spawn(Spawn { request: reference, requester: from, link, function, args })
            }
            _ => Message::SpawnReply(SpawnReply { request: reference, status: 0, local: reference }),
        }
    }

    pub(super) fn command(&mut self) -> Command {
        let (pid, to) = (self.pid(), self.pid());
        match self.below(11) {
            0 | 1 => Command::Spawn(SpawnRequest { function: "collector".into(), ..SpawnRequest::default() }),
            2 => {
                let (function, node) = ("collector".into(), Some(self.pid().node));
                Command::Spawn(SpawnRequest { function, args: vec![], node, from: Some(pid), link: self.below(2) == 1 })
            }
            3 => Command::Exit {
                pid,
                reason: self.below(2).checked_sub(1).map_or(Root::Normal, |_| Root::Killed).into(),
            },
            4 => Command::Link { pid, to },
            5 => Command::Unlink { pid, to },
            6 => Command::Monitor { pid, target: to },
            7 => Command::Demonitor { pid, reference: Some(1 + self.below(40)) },
            8 => Command::TrapExit { pid, enabled: self.below(2) == 1 },
            9 => Command::WatchNode { pid, node: NodeName::parse("p@h").unwrap() },
            _ => Command::RegisterLocal { pid, name: "n".into() },
        }
    }
}

#[derive(Default)]
struct Seen {
    ended: BTreeSet<u64>,
    down: BTreeSet<u64>,
}

impl Seen {
    fn look(&mut self, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Event(Event::ProcessEnded { pid, .. }) => assert!(self.ended.insert(pid.local.get()), "{pid}"),
                Output::Event(Event::Down { pid, reference, .. }) => {
                    assert!(self.down.insert(*reference), "{reference}");
                    assert!(!self.ended.contains(&pid.local.get()), "{pid}");
                }
                Output::Event(Event::Exited { pid, .. }) => assert!(!self.ended.contains(&pid.local.get()), "{pid}"),
                _ => {}
            }
        }
    }
}

#[test]
fn nothing_is_told_twice_and_nothing_is_left_behind() {
    for seed in 0..200 {
        let mut choices = Choices(seed);
        let mut bench = Bench::new("m@h");
        let mut seen = Seen::default();
        let mut sessions: [Option<ConnId>; 2] = [None, None];
        for _ in 0..400 {
            let which = choices.below(2) as usize;
            let outputs = match (choices.below(20), sessions[which]) {
                (0, Some(conn)) => {
                    sessions[which] = None;
                    bench.input(Input::Closed(conn))
                }
                (0..=2, None) => {
                    let (conn, outputs) = bench.session(["p@h", "q@h"][which], 3);
                    sessions[which] = Some(conn);
                    outputs
                }
                (1..=10, Some(conn)) => bench.says(conn, &choices.message()),
                _ => bench.command(choices.command()).1,
            };
            seen.look(&outputs);
        }
        for conn in sessions.into_iter().flatten() {
            seen.look(&bench.input(Input::Closed(conn)));
        }
        for local in 1..=500 {
            let reason = Root::Killed.into();
            seen.look(&bench.command(Command::Exit { pid: pid("m@h", 9, local), reason }).1);
        }
        let node = &bench.node;
        for (what, expected) in [
            (format!("{:?}", node.links), "Links { pairs: {}, parents: {} }"),
            (format!("{:?}", node.monitors), "Monitors { by_reference: {}, by_target: {}, by_watcher: {}, last: "),
            (format!("{:?}", node.peer_monitors), "PeerMonitors { by_reference: {}, by_target: {} }"),
            (format!("{:?}", node.spawns), "Spawns { pending: {}, last: "),
            (format!("{:?}", node.watchers), "Watchers { by_node: {}, by_process: {} }"),
            (format!("{:?}", node.local_names), "LocalNames { by_name: {}, by_process: {} }"),
            (format!("{:?}", node.processes), "Processes { live: {}, last: "),
            (format!("{:?}", node.due), "[]"),
        ] {
            assert!(what.starts_with(expected), "seed {seed}: {what}");
        }
        assert!(seen.ended.len() > 10, "seed {seed}: {} processes are too few to say anything", seen.ended.len());
    }
}

/// Own fields are read as such whatever creation they carry.
#[test]
fn the_creation_of_an_own_field_is_not_looked_at() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (local, process) = bench.trapper();
    bench.says(conn, &Message::Link(Link { from: wire(0, 200, 5), to: own(local) }));
    let outputs = bench.says(conn, &Message::Exit(Exit { from: own(5), to: own(local), reason: error("boom") }));
    assert_eq!(super::scene::told(&outputs), ["1 exited <p@h.5.3> error boom"]);
    assert!(bench.is_alive(&process));
}
