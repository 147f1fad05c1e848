//! Building blocks for faults of the process family: messages, as they pass, read and written again.

use super::super::{
    filter::{Context, Filter},
    payload,
    single::{on_frame_in, on_frame_out},
};
use crate::{
    node::{ConnId, GlobalPid, Input},
    wire::{LocalId, Message, NodeId, Payload, WirePid},
};

/// Changes each message of the family that comes; `None` suppresses it. Other payloads stay as they are.
pub(in crate::faults) fn coming(
    mut edit: impl for<'a> FnMut(&mut Context<'_>, ConnId, Message<'a>) -> Option<Message<'a>> + 'static,
) -> Box<dyn Filter> {
    on_frame_in(move |context, conn, payload| edited(&payload, |message| edit(context, conn, message)))
}

/// Changes each message of the family that goes; `None` suppresses it. Other payloads stay as they are.
pub(in crate::faults) fn going(
    mut edit: impl for<'a> FnMut(&mut Context<'_>, ConnId, Message<'a>) -> Option<Message<'a>> + 'static,
) -> Box<dyn Filter> {
    on_frame_out(move |context, conn, payload| {
        edited(&payload, |message| edit(context, conn, message)).map(Payload::from)
    })
}

/// Messages with this tag are not read.
pub(super) fn unread(tag: u8) -> Box<dyn Filter> {
    on_frame_in(move |_, _, payload| (!is(tag, &payload)).then_some(payload))
}

/// Messages with this tag are read twice.
pub(super) fn read_twice(tag: u8) -> Box<dyn Filter> {
    on_frame_in(move |context, conn, payload| {
        if is(tag, &payload) {
            context.add_input(Input::Frame(conn, payload.clone()));
        }
        Some(payload)
    })
}

/// Messages are not sent.
pub(super) fn unsent(is_it: fn(&Message<'_>) -> bool) -> Box<dyn Filter> {
    on_frame_out(move |_, _, payload| (!message(&payload).is_some_and(|message| is_it(&message))).then_some(payload))
}

/// Messages with this tag are sent twice.
pub(super) fn sent_twice(tag: u8) -> Box<dyn Filter> {
    on_frame_out(move |context, conn, payload| {
        if is(tag, &payload) {
            context.send(conn, payload.clone());
        }
        Some(payload)
    })
}

/// Messages with this tag go to every session.
pub(super) fn sent_to_all(tag: u8) -> Box<dyn Filter> {
    on_frame_out(move |context, conn, payload| {
        if is(tag, &payload) {
            to_all_others(context, conn, &payload);
        }
        Some(payload)
    })
}

/// A payload as `edit` leaves its message.
pub(super) fn edited<'a>(bytes: &'a [u8], edit: impl FnOnce(Message<'a>) -> Option<Message<'a>>) -> Option<Vec<u8>> {
    match message(bytes) {
        Some(message) => edit(message).map(|message| payload::encode(&message)),
        None => Some(bytes.to_vec()),
    }
}

/// A message of the family; `None` of any other payload.
pub(in crate::faults) fn message(bytes: &[u8]) -> Option<Message<'_>> {
    bytes.first().filter(|tag| (0x10..=0x1a).contains(*tag) && **tag != 0x12).and_then(|_| payload::decode(bytes))
}

/// Whether a payload is a message of the family with this tag.
pub(super) fn is(tag: u8, bytes: &[u8]) -> bool {
    payload::is(tag, bytes)
}

/// The own field of a message, if it has one.
pub(super) fn own_field<'m>(message: &'m mut Message<'_>) -> Option<&'m mut WirePid> {
    Some(match message {
        Message::Link(link) | Message::Unlink(link) => &mut link.from,
        Message::Exit(exit) => &mut exit.from,
        Message::Monitor(monitor) | Message::Demonitor(monitor) => &mut monitor.from,
        Message::MonitorExit(exit) => &mut exit.monitored,
        Message::Spawn(spawn) => &mut spawn.requester,
        _ => return None,
    })
}

/// The directed field of a message, if it has one.
pub(super) fn directed_field<'m>(message: &'m mut Message<'_>) -> Option<&'m mut WirePid> {
    Some(match message {
        Message::Send(send) => &mut send.target,
        Message::Link(link) | Message::Unlink(link) => &mut link.to,
        Message::Exit(exit) => &mut exit.to,
        Message::Monitor(monitor) | Message::Demonitor(monitor) => &mut monitor.to,
        Message::MonitorExit(exit) => &mut exit.monitoring,
        _ => return None,
    })
}

/// Sends a payload to every session but one, too.
pub(super) fn to_all_others(context: &mut Context<'_>, conn: ConnId, payload: &[u8]) {
    for (other, _) in context.sessions() {
        if other != conn {
            context.send(other, payload.to_vec());
        }
    }
}

/// A process of this node; `None` before its start.
pub(super) fn own_pid(context: &Context<'_>, local: LocalId) -> Option<GlobalPid> {
    let identity = context.identity()?;
    Some(GlobalPid { node: identity.name.to_string(), creation: identity.creation.get(), local })
}

/// A process of a session's peer.
pub(super) fn peers_pid(context: &Context<'_>, conn: ConnId, local: LocalId) -> Option<GlobalPid> {
    let view = context.connection(conn)?;
    Some(GlobalPid { node: view.peer?.to_string(), creation: view.creation?.get(), local })
}

/// Whether a directed field names a live process.
pub(super) fn is_live(context: &Context<'_>, field: WirePid) -> bool {
    let Some(pid) = own_pid(context, field.local) else { return false };
    (field.creation == pid.creation || field.creation == 0) && context.is_alive(&pid)
}

/// Whether a PID is written as one of the sender's own.
pub(super) fn is_own(pid: WirePid) -> bool {
    pid.node == NodeId::OWN
}
