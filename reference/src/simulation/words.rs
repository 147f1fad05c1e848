//! Messages, events and processes as people read them in traces. Decides nothing.

use crate::{
    node::{GlobalPid, Reason},
    wire::{
        Message, WirePid,
        message::Phase,
        reason::{self, Root},
        registry::GlobalEntry,
    },
};

/// What a node is called in traces: its name without its address.
pub(crate) fn node(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

/// A payload in one line. Handshakes and sessions have no tag in common, so none has to be known.
pub(crate) fn payload(payload: &[u8]) -> String {
    let decoded = Message::decode(Phase::Handshake, payload).or_else(|_| Message::decode(Phase::Session, payload));
    decoded
        .map_or_else(|_| format!("{} bytes that are no message", payload.len()), |(message, _)| self::message(&message))
}

/// A message in one line, as the spec's hazards have them.
pub(crate) fn message(message: &Message<'_>) -> String {
    match message {
        Message::Name(name) => format!("NAME {}, creation {}", node(name.name), name.creation),
        Message::Challenge(message) => format!("CHALLENGE {}, creation {}", node(message.name), message.creation),
        Message::Reply(_) => "REPLY".into(),
        Message::Ack(_) => "ACK".into(),
        Message::PeerList(list) => {
            let peers: Vec<_> = list.peers.iter().map(|name| node(name)).collect();
            format!("PEER_LIST {}", peers.join(", "))
        }
        Message::Ping(_) => "PING".into(),
        Message::Pong(_) => "PONG".into(),
        Message::Send(send) => format!("SEND to {}", directed(send.target)),
        Message::RegSend(send) => format!("REG_SEND to {}", send.name),
        Message::Link(link) => format!("LINK from {} to {}", own(link.from), directed(link.to)),
        Message::Unlink(link) => format!("UNLINK from {} to {}", own(link.from), directed(link.to)),
        Message::Exit(exit) => {
            format!("EXIT from {} to {}, {}", own(exit.from), directed(exit.to), wire_reason(&exit.reason))
        }
        Message::Monitor(monitor) => {
            format!("MONITOR {} by {}, ref {}", directed(monitor.to), own(monitor.from), monitor.reference)
        }
        Message::Demonitor(monitor) => format!("DEMONITOR ref {}", monitor.reference),
        Message::MonitorExit(exit) => {
            format!("MONITOR_EXIT of {}, ref {}, {}", own(exit.monitored), exit.reference, wire_reason(&exit.reason))
        }
        Message::Spawn(spawn) => {
            let function = String::from_utf8_lossy(spawn.function);
            format!("SPAWN {function} for {}, link {}", own(spawn.requester), spawn.link)
        }
        Message::SpawnReply(reply) if reply.status == 0 => format!("SPAWN_REPLY {}", reply.local),
        Message::SpawnReply(_) => "SPAWN_REPLY refused".into(),
        Message::GlobalRegister(entry) => format!("GLOBAL_REGISTER {}", self::entry(entry)),
        Message::GlobalUnregister(name) => format!("GLOBAL_UNREGISTER {name}"),
        Message::GlobalSync(sync) => {
            let entries: Vec<_> = sync.entries.iter().map(entry).collect();
            format!("GLOBAL_SYNC {}", entries.join("; "))
        }
        Message::RoomBroadcast(message) => format!("ROOM_BROADCAST {}", message.text),
    }
}

/// A process wherever it lives: its node and its number there.
pub(crate) fn process(pid: &GlobalPid) -> String {
    format!("{}'s {}", node(&pid.node), pid.local.get())
}

/// Why a process ended.
pub(crate) fn reason(reason: &Reason) -> String {
    let levels = reason.levels();
    root(&levels.root, levels.linked.len())
}

fn wire_reason(reason: &reason::Reason) -> String {
    root(&reason.root, reason.linked.len())
}

fn root(root: &Root, levels: usize) -> String {
    let root = match root {
        Root::Normal => "normal",
        Root::Killed => "killed",
        Root::Shutdown => "shutdown",
        Root::NoConnection => "noconnection",
        Root::Error(text) | Root::Custom(text) => text,
    };
    format!("{}{root}", "linked ".repeat(levels))
}

fn entry(entry: &GlobalEntry<'_>) -> String {
    format!("{}, owner {}", entry.name, node(entry.owner))
}

fn own(pid: WirePid) -> String {
    format!("its {}", pid.local.get())
}

fn directed(pid: WirePid) -> String {
    format!("your {}", pid.local.get())
}
