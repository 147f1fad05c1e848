//! What a node should bear and does not (FRAME-15, FRAME-17 to FRAME-23). What each filter does stands in its line of the
//! table.

use std::{collections::BTreeSet, process, thread, time::Duration};

use super::super::{
    filter::{Context, Filter},
    single::on_frame_in,
    stream::Places,
};
use crate::{
    node::{ConnId, Input, Role},
    wire::{
        Message,
        handshake::{ACK, NAME},
        membership::PING,
        message::{Phase, Undecodable},
        reader::{Malformed, Reader},
        registry::GLOBAL_SYNC,
        room::{ROOM_BROADCAST, RoomBroadcast},
    },
};

/// Closes the connection of each payload that is `intolerable`.
pub(in super::super) fn closes(intolerable: fn(Phase, &[u8]) -> bool) -> Box<dyn Filter> {
    on_frame_in(move |context, conn, payload| {
        if context.phase(conn).is_some_and(|phase| intolerable(phase, &payload)) {
            context.close(conn);
            return None;
        }
        Some(payload)
    })
}

/// Ends the process, as a panic in the event loop does, for each payload that is `unexpected`.
pub(super) fn panics(unexpected: fn(Phase, &[u8]) -> bool) -> Box<dyn Filter> {
    on_frame_in(move |context, conn, payload| {
        if context.phase(conn).is_some_and(|phase| unexpected(phase, &payload)) {
            end_process();
        }
        Some(payload)
    })
}

fn end_process() -> ! {
    process::exit(101)
}

fn is_handshake_tag(tag: u8) -> bool {
    (NAME..=ACK).contains(&tag)
}

/// Why a payload is no message of a session.
fn session_error(phase: Phase, payload: &[u8]) -> Option<Undecodable> {
    (phase == Phase::Session).then(|| Message::decode(Phase::Session, payload).err()).flatten()
}

pub(super) fn is_unknown(phase: Phase, payload: &[u8]) -> bool {
    matches!(session_error(phase, payload), Some(Undecodable::UnknownTag(tag)) if !is_handshake_tag(tag))
}

pub(super) fn is_of_the_handshake(phase: Phase, payload: &[u8]) -> bool {
    matches!(session_error(phase, payload), Some(Undecodable::UnknownTag(tag)) if is_handshake_tag(tag))
}

pub(super) fn is_short(phase: Phase, payload: &[u8]) -> bool {
    session_error(phase, payload) == Some(Undecodable::Malformed(Malformed::Short))
}

pub(super) fn is_not_utf8(phase: Phase, payload: &[u8]) -> bool {
    session_error(phase, payload) == Some(Undecodable::Malformed(Malformed::NotUtf8))
}

pub(super) fn has_left_over(phase: Phase, payload: &[u8]) -> bool {
    let decoded = Message::decode(Phase::Session, payload);
    phase == Phase::Session && decoded.is_ok_and(|(_, left_over)| !left_over.is_empty())
}

pub(super) fn is_short_sync(phase: Phase, payload: &[u8]) -> bool {
    payload.first() == Some(&GLOBAL_SYNC) && is_short(phase, payload)
}

pub(super) fn pad(context: &mut Context<'_>, conn: ConnId, mut payload: Vec<u8>) -> Option<Vec<u8>> {
    if context.phase(conn).is_some_and(|phase| is_short(phase, &payload)) {
        payload.extend([0; 64]);
    }
    Some(payload)
}

pub(super) fn replace_bad_text(_context: &mut Context<'_>, _conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
    Some(with_replaced_text(&payload).unwrap_or(payload))
}

/// `None` for anything but a ROOM_BROADCAST that is right but for its text.
fn with_replaced_text(payload: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(payload.strip_prefix(&[ROOM_BROADCAST])?);
    let room = reader.string16().ok()?;
    let length = reader.u32().ok()?;
    let text = String::from_utf8_lossy(reader.bytes(length as usize).ok()?);
    RoomBroadcast { room, text: &text }.encode().ok()
}

pub(super) fn drop_long_ping(_context: &mut Context<'_>, _conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
    (payload.first() != Some(&PING) || payload.len() == 9).then_some(payload)
}

pub(super) fn panic_at_hang_up(context: &mut Context<'_>, input: Input) -> Option<Input> {
    if let Input::Closed(conn) = input
        && conn.role == Role::Accepted
        && context.phase(conn) == Some(Phase::Handshake)
        && context.connection(conn).is_some_and(|connection| connection.peer.is_some())
    {
        end_process();
    }
    Some(input)
}

/// A frame larger than this comes in several reads.
const LARGE: usize = 64 * 1_024;

#[derive(Default)]
pub(super) struct WaitForRest {
    places: Places,
    waited: BTreeSet<ConnId>,
}

impl Filter for WaitForRest {
    fn bytes_in(&mut self, context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        let place = self.places.of(conn);
        place.advance(&bytes, |_| {});
        let is_session = context.phase(conn) == Some(Phase::Session);
        if is_session && place.missing() > LARGE && self.waited.insert(conn) {
            thread::sleep(Duration::from_secs(60));
        }
        bytes
    }
}

pub(super) fn ignore_slowly(context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
    if context.phase(conn).is_some_and(|phase| session_error(phase, &payload).is_some()) {
        thread::sleep(Duration::from_millis(10));
    }
    Some(payload)
}

/// Memory that a buffer of the given length costs: its pages are touched, as they are by zeroing or a collector.
fn touched(length: usize) -> Vec<u8> {
    vec![0xa5; length]
}

#[derive(Default)]
pub(super) struct BufferByLength {
    places: Places,
    buffers: Vec<(ConnId, Vec<u8>)>,
}

impl Filter for BufferByLength {
    fn bytes_in(&mut self, _context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        let (place, buffers) = (self.places.of(conn), &mut self.buffers);
        buffers.retain(|(other, _)| *other != conn || place.missing() > 0);
        place.advance(&bytes, |length| {
            if length > LARGE {
                buffers.push((conn, touched(length)));
            }
        });
        bytes
    }
}

/// What a planted fault takes at most, lest it takes the machine.
const AT_MOST: usize = 256 * 1_024 * 1_024;

/// Keeps its last table until the next GLOBAL_SYNC.
#[derive(Default)]
pub(super) struct TableByCount {
    table: Vec<u8>,
}

impl Filter for TableByCount {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let (Some(Phase::Session), [GLOBAL_SYNC, count @ ..]) = (context.phase(conn), &payload[..])
            && let Ok(count) = Reader::new(count).u32()
        {
            self.table = Vec::new();
            self.table = touched((count as usize).saturating_mul(40).min(AT_MOST));
        }
        Some(payload)
    }
}
