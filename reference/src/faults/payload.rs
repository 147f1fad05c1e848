//! Reading and rewriting payloads of sessions, and answers that have PIDs.

use super::filter::Context;
use crate::{
    node::{Answer, ConnId, GlobalPid, Output},
    wire::{
        Message, NodeName,
        membership::{PEER_LIST, PeerList},
        message::Phase,
        registry::{GLOBAL_REGISTER, GLOBAL_SYNC, GlobalEntry, GlobalSync, encode_unregister},
    },
};

/// Whether a payload is a message of this tag.
pub(super) fn is(tag: u8, payload: &[u8]) -> bool {
    payload.first() == Some(&tag)
}

/// A message of a session; `None` when it is none.
pub(super) fn decode(payload: &[u8]) -> Option<Message<'_>> {
    Message::decode(Phase::Session, payload).ok().map(|(message, _)| message)
}

/// The message as a payload; empty, which everybody ignores, if it does not fit.
pub(super) fn encode(message: &Message<'_>) -> Vec<u8> {
    message.encode().unwrap_or_default()
}

/// The names of a PEER_LIST; `None` of any other message.
pub(super) fn names(payload: &[u8]) -> Option<Vec<&str>> {
    match payload.first().filter(|tag| **tag == PEER_LIST).and_then(|_| decode(payload))? {
        Message::PeerList(list) => Some(list.peers),
        _ => None,
    }
}

/// A PEER_LIST.
pub(super) fn peer_list(names: Vec<&str>) -> Vec<u8> {
    encode(&Message::PeerList(PeerList { peers: names }))
}

/// A GLOBAL_UNREGISTER.
pub(super) fn unregister(name: &str) -> Vec<u8> {
    encode_unregister(name).unwrap_or_default()
}

/// A GLOBAL_REGISTER.
pub(super) fn register(entry: &GlobalEntry<'_>) -> Vec<u8> {
    entry.encode_register().unwrap_or_default()
}

/// The entries of a GLOBAL_REGISTER or a GLOBAL_SYNC; none of any other message.
pub(super) fn entries(payload: &[u8]) -> Vec<GlobalEntry<'_>> {
    // Only what has entries is read: other payloads may be large.
    match payload.first() {
        Some(&GLOBAL_REGISTER | &GLOBAL_SYNC) => match decode(payload) {
            Some(Message::GlobalRegister(entry)) => vec![entry],
            Some(Message::GlobalSync(sync)) => sync.entries,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// A GLOBAL_REGISTER or GLOBAL_SYNC with its entries as `edit` leaves them; `None` when none is left. Other messages
/// stay as they are.
pub(super) fn edited<'a>(
    payload: &'a [u8],
    edit: impl FnMut(GlobalEntry<'a>) -> Option<GlobalEntry<'a>>,
) -> Option<Vec<u8>> {
    let before = entries(payload);
    if before.is_empty() {
        return Some(payload.to_vec());
    }
    let after: Vec<_> = before.into_iter().filter_map(edit).collect();
    match after.as_slice() {
        [] => None,
        [entry] if is(GLOBAL_REGISTER, payload) => Some(register(entry)),
        _ => GlobalSync { entries: after }.encode().ok(),
    }
}

/// On which side of a connection a named process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    Here,
    Peer,
    /// On any other node; or the owner's name is not valid.
    Third,
}

/// Where an entry's owner is, seen from the session on which the entry passes, in either direction.
pub(super) fn home(context: &Context<'_>, conn: ConnId, entry: &GlobalEntry<'_>) -> Home {
    if context.identity().is_some_and(|identity| identity.name.as_str() == entry.owner) {
        Home::Here
    } else if peer(context, conn).is_some_and(|peer| peer.as_str() == entry.owner) {
        Home::Peer
    } else {
        Home::Third
    }
}

/// The peer of a session; `None` for a connection that is none.
pub(super) fn peer(context: &Context<'_>, conn: ConnId) -> Option<NodeName> {
    context.connection(conn).filter(|view| view.phase == Phase::Session)?.peer
}

/// An answer to a caller with its PIDs as `edit` leaves them; other outputs stay as they are.
pub(super) fn pids_edited(mut output: Output, mut edit: impl FnMut(&mut GlobalPid)) -> Output {
    match &mut output {
        Output::Reply(_, Ok(Answer::Pid(Some(pid)))) => edit(pid),
        Output::Reply(_, Ok(Answer::Names(names))) => names.iter_mut().for_each(|(_, pid)| edit(pid)),
        _ => {}
    }
    output
}
