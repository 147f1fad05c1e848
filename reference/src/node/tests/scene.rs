//! A node with processes and scripted peers: words for what callers ask, what peers send, and what comes of it.

use super::bench::Bench;
use crate::{
    node::{Answer, Command, CommandError, ConnId, Event, GlobalPid, Output, Reason, SpawnRequest},
    wire::{LocalId, Message, WirePid, message::Phase, reason::Root},
};

/// A PID as a caller names it.
pub(super) fn pid(node: &str, creation: u8, local: u64) -> GlobalPid {
    GlobalPid { node: node.into(), creation, local: LocalId::new(local).unwrap() }
}

/// A PID as it stands on the wire.
pub(super) fn wire(node: u64, creation: u64, local: u64) -> WirePid {
    WirePid::from_u64(node << 48 | creation << 40 | local)
}

/// A process of the writer's, as it writes it.
pub(super) fn own(local: u64) -> WirePid {
    wire(0, 0, local)
}

pub(super) fn root(root: Root) -> crate::wire::Reason {
    root.into()
}

pub(super) fn error(text: &str) -> crate::wire::Reason {
    Root::Error(text.into()).into()
}

impl Bench {
    /// Spawns on this node; returns the local id.
    pub(super) fn start(&mut self, function: &str, args: &[u8]) -> (u64, GlobalPid) {
        let request = SpawnRequest { function: function.into(), args: args.to_vec(), ..SpawnRequest::default() };
        match self.command(Command::Spawn(request)).0 {
            Some(Ok(Answer::Pid(Some(pid)))) => (pid.local.get(), pid),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn collector(&mut self) -> (u64, GlobalPid) {
        self.start("collector", b"")
    }

    /// A collector that traps exits.
    pub(super) fn trapper(&mut self) -> (u64, GlobalPid) {
        let (local, pid) = self.collector();
        self.done(Command::TrapExit { pid: pid.clone(), enabled: true });
        (local, pid)
    }

    /// A command that succeeds with nothing to say.
    pub(super) fn done(&mut self, command: Command) -> Vec<Output> {
        let (answer, outputs) = self.command(command);
        assert_eq!(answer, Some(Ok(Answer::Done)));
        outputs
    }

    pub(super) fn refused(&mut self, command: Command) -> CommandError {
        match self.command(command).0 {
            Some(Err(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    /// Returns the reference.
    pub(super) fn monitors(&mut self, watcher: &GlobalPid, target: &GlobalPid) -> (u64, Vec<Output>) {
        match self.command(Command::Monitor { pid: watcher.clone(), target: target.clone() }) {
            (Some(Ok(Answer::Monitor(reference))), outputs) => (reference, outputs),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn links(&mut self, pid: &GlobalPid, to: &GlobalPid) -> Vec<Output> {
        self.done(Command::Link { pid: pid.clone(), to: to.clone() })
    }

    pub(super) fn kill(&mut self, pid: &GlobalPid, root: Root) -> Vec<Output> {
        self.done(Command::Exit { pid: pid.clone(), reason: root.into() })
    }

    pub(super) fn says(&mut self, conn: ConnId, message: &Message<'_>) -> Vec<Output> {
        self.frame(conn, message.encode().unwrap())
    }

    pub(super) fn is_alive(&self, pid: &GlobalPid) -> bool {
        matches!(self.node.own_process(pid), Ok(Some(_)))
    }
}

/// The payloads that `outputs` send to `conn`.
pub(super) fn sent(conn: ConnId, outputs: &[Output]) -> Vec<Vec<u8>> {
    let payload = |output: &Output| match output {
        Output::Send(to, payload) if *to == conn => Some(payload.to_vec()),
        Output::SendLate(to, message) if *to == conn => Some(message.encode().unwrap()),
        _ => None,
    };
    outputs.iter().filter_map(payload).collect()
}

/// Asserts that `outputs` send these messages to `conn`, and no others.
#[track_caller]
pub(super) fn sends(conn: ConnId, outputs: &[Output], messages: &[Message<'_>]) {
    let frames = sent(conn, outputs);
    let read: Vec<_> = frames.iter().map(|frame| Message::decode(Phase::Session, frame).unwrap().0).collect();
    assert_eq!(read, messages);
}

/// True when nothing is sent to anybody.
pub(super) fn is_silent(outputs: &[Output]) -> bool {
    !outputs.iter().any(|output| matches!(output, Output::Send(..) | Output::SendLate(..) | Output::Sync(..)))
}

/// What processes were told and how they ended, a line each.
pub(super) fn told(outputs: &[Output]) -> Vec<String> {
    let line = |output: &Output| match output {
        Output::Event(Event::Message { pid, bytes }) => {
            Some(format!("{} got {}", pid.local.get(), String::from_utf8_lossy(bytes)))
        }
        Output::Event(Event::Exited { pid, from, reason }) => {
            Some(format!("{} exited {from} {}", pid.local.get(), words(reason, pid)))
        }
        Output::Event(Event::Down { pid, reference, from, reason }) => {
            Some(format!("{} down #{reference} {from} {}", pid.local.get(), words(reason, pid)))
        }
        Output::Event(Event::ProcessEnded { pid, reason }) => {
            Some(format!("{} ended {}", pid.local.get(), words(reason, pid)))
        }
        Output::Event(Event::NodeUp { pid, node }) => Some(format!("{} nodeup {node}", pid.local.get())),
        Output::Event(Event::NodeDown { pid, node }) => Some(format!("{} nodedown {node}", pid.local.get())),
        _ => None,
    };
    outputs.iter().filter_map(line).collect()
}

fn words(reason: &Reason, own: &GlobalPid) -> String {
    let crate::wire::Reason { linked, root } = reason.levels();
    let root = match root {
        Root::Normal => "normal".into(),
        Root::Killed => "killed".into(),
        Root::Shutdown => "shutdown".into(),
        Root::NoConnection => "noconnection".into(),
        Root::Error(text) => format!("error {text}"),
        Root::Custom(text) => format!("custom {text}"),
    };
    linked.iter().rfold(root, |reason, nested| {
        let shown = nested.shown(own);
        let node = shown.node.unwrap_or_else(|| "?".into());
        format!("linked <{node}.{}.{}> {reason}", shown.local.get(), shown.creation)
    })
}
