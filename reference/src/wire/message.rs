//! From a tag to its message: the one table of all families.

use super::{
    handshake::{self, Ack, ChallengeMessage, Name, Reply},
    membership::{self, Nonce, PeerList},
    process::{self, Exit, Link, Monitor, MonitorExit, RegSend, Send, Spawn, SpawnReply},
    reader::{Malformed, Reader},
    registry::{self, GlobalEntry, GlobalSync},
    room::{self, RoomBroadcast},
    writer::TooLarge,
};

/// Which of the two sets of tags a payload is read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Handshake,
    Session,
}

/// Why a payload is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undecodable {
    #[error("the payload is empty: it has no tag")]
    Empty,
    #[error("the tag {0:#04x} means nothing in this phase")]
    UnknownTag(u8),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// One message. Strings borrow from the payload; nothing in them is checked beyond the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    Name(Name<'a>),
    Challenge(ChallengeMessage<'a>),
    Reply(Reply),
    Ack(Ack),
    PeerList(PeerList<'a>),
    Ping(Nonce),
    Pong(Nonce),
    Send(Send<'a>),
    RegSend(RegSend<'a>),
    Link(Link),
    Unlink(Link),
    Exit(Exit),
    Monitor(Monitor),
    Demonitor(Monitor),
    MonitorExit(MonitorExit),
    Spawn(Spawn<'a>),
    SpawnReply(SpawnReply),
    GlobalRegister(GlobalEntry<'a>),
    GlobalUnregister(&'a str),
    GlobalSync(GlobalSync<'a>),
    RoomBroadcast(RoomBroadcast<'a>),
}

impl<'a> Message<'a> {
    /// Reads one payload, tag included. Returns the message and the bytes left over behind it, which a receiver
    /// ignores (HS-15, FRAME-20).
    ///
    /// # Errors
    /// [`Undecodable`]; a receiver closes in the handshake and ignores in a session.
    pub(crate) fn decode(phase: Phase, payload: &'a [u8]) -> Result<(Self, &'a [u8]), Undecodable> {
        let mut reader = Reader::new(payload);
        let tag = reader.u8().map_err(|_| Undecodable::Empty)?;
        let r = &mut reader;
        let message = match (phase, tag) {
            (Phase::Handshake, handshake::NAME) => Self::Name(Name::decode(r)?),
            (Phase::Handshake, handshake::CHALLENGE) => Self::Challenge(ChallengeMessage::decode(r)?),
            (Phase::Handshake, handshake::REPLY) => Self::Reply(Reply::decode(r)?),
            (Phase::Handshake, handshake::ACK) => Self::Ack(Ack::decode(r)?),
            (Phase::Session, membership::PEER_LIST) => Self::PeerList(PeerList::decode(r)?),
            (Phase::Session, membership::PING) => Self::Ping(membership::decode_nonce(r)?),
            (Phase::Session, membership::PONG) => Self::Pong(membership::decode_nonce(r)?),
            (Phase::Session, process::SEND) => Self::Send(Send::decode(r)?),
            (Phase::Session, process::REG_SEND) => Self::RegSend(RegSend::decode(r)?),
            (Phase::Session, process::LINK) => Self::Link(Link::decode(r)?),
            (Phase::Session, process::UNLINK) => Self::Unlink(Link::decode(r)?),
            (Phase::Session, process::EXIT) => Self::Exit(Exit::decode(r)?),
            (Phase::Session, process::MONITOR) => Self::Monitor(Monitor::decode(r)?),
            (Phase::Session, process::DEMONITOR) => Self::Demonitor(Monitor::decode(r)?),
            (Phase::Session, process::MONITOR_EXIT) => Self::MonitorExit(MonitorExit::decode(r)?),
            (Phase::Session, process::SPAWN) => Self::Spawn(Spawn::decode(r)?),
            (Phase::Session, process::SPAWN_REPLY) => Self::SpawnReply(SpawnReply::decode(r)?),
            (Phase::Session, registry::GLOBAL_REGISTER) => Self::GlobalRegister(GlobalEntry::decode(r)?),
            (Phase::Session, registry::GLOBAL_UNREGISTER) => Self::GlobalUnregister(r.string16()?),
            (Phase::Session, registry::GLOBAL_SYNC) => Self::GlobalSync(GlobalSync::decode(r)?),
            (Phase::Session, room::ROOM_BROADCAST) => Self::RoomBroadcast(RoomBroadcast::decode(r)?),
            (_, tag) => return Err(Undecodable::UnknownTag(tag)),
        };
        Ok((message, reader.rest()))
    }

    /// The payload, tag included.
    ///
    /// # Errors
    /// [`TooLarge`] when a field or the frame cannot hold it (FRAME-16).
    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        match self {
            Self::Name(message) => message.encode(),
            Self::Challenge(message) => message.encode(),
            Self::Reply(message) => message.encode(),
            Self::Ack(message) => message.encode(),
            Self::PeerList(message) => message.encode(),
            Self::Ping(nonce) => Ok(membership::encode_nonce(membership::PING, nonce)),
            Self::Pong(nonce) => Ok(membership::encode_nonce(membership::PONG, nonce)),
            Self::Send(message) => message.encode(),
            Self::RegSend(message) => message.encode(),
            Self::Link(message) => message.encode(process::LINK),
            Self::Unlink(message) => message.encode(process::UNLINK),
            Self::Exit(message) => message.encode(),
            Self::Monitor(message) => message.encode(process::MONITOR),
            Self::Demonitor(message) => message.encode(process::DEMONITOR),
            Self::MonitorExit(message) => message.encode(),
            Self::Spawn(message) => message.encode(),
            Self::SpawnReply(message) => message.encode(),
            Self::GlobalRegister(entry) => entry.encode_register(),
            Self::GlobalUnregister(name) => registry::encode_unregister(name),
            Self::GlobalSync(message) => message.encode(),
            Self::RoomBroadcast(message) => message.encode(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{
        pid::WirePid,
        reason::{Reason, Root},
    };

    fn samples() -> Vec<(Phase, Message<'static>)> {
        let entry = GlobalEntry { name: "é", pid: WirePid::from_u64(0x0003_0700_0000_002a), owner: "o@h" };
        let (from, to) = (WirePid::from_u64(42), WirePid::from_u64(0x0003_0700_0000_002a));
        let reference = 0xfedc_ba98_7654_3210;
        let monitor = Monitor { from, to, reference };
        let boom = Reason { linked: vec![from, to], root: Root::Error("bóom".into()) };
        let custom: Reason = Root::Custom("".into()).into();
        vec![
            (Phase::Session, Message::Link(Link { from, to })),
            (Phase::Session, Message::Unlink(Link { from, to })),
            (Phase::Session, Message::Exit(Exit { from, to, reason: boom.clone() })),
            (Phase::Session, Message::Exit(Exit { from, to, reason: custom })),
            (Phase::Session, Message::Exit(Exit { from, to, reason: Root::Normal.into() })),
            (Phase::Session, Message::Exit(Exit { from, to, reason: Root::Shutdown.into() })),
            (Phase::Session, Message::Monitor(monitor)),
            (Phase::Session, Message::Demonitor(monitor)),
            (
                Phase::Session,
                Message::MonitorExit(MonitorExit { monitored: from, monitoring: to, reference, reason: boom }),
            ),
            (Phase::Session, Message::SpawnReply(SpawnReply { request: 7, status: 1, local: u64::MAX })),
            (Phase::Handshake, Message::Name(Name { name: "a@h", creation: 9 })),
            (Phase::Handshake, Message::Challenge(ChallengeMessage { name: "b@h", creation: 1, challenge: [7; 32] })),
            (Phase::Handshake, Message::Reply(Reply { proof: [1; 32], challenge: [2; 32] })),
            (Phase::Handshake, Message::Ack(Ack { proof: [3; 32] })),
            (Phase::Session, Message::PeerList(PeerList { peers: vec!["a@h", "b@h:1"] })),
            (Phase::Session, Message::Ping([1, 2, 3, 4, 5, 6, 7, 8])),
            (Phase::Session, Message::Pong([8; 8])),
            (Phase::Session, Message::GlobalRegister(entry)),
            (Phase::Session, Message::GlobalUnregister("n")),
            (Phase::Session, Message::GlobalSync(GlobalSync { entries: vec![entry, entry] })),
            (Phase::Session, Message::RoomBroadcast(RoomBroadcast { room: "r", text: "t" })),
        ]
    }

    #[test]
    fn round_trips_with_left_over_bytes_and_refuses_every_truncation() {
        for (phase, message) in samples() {
            let mut bytes = message.encode().unwrap();
            let length = bytes.len();
            for cut in 1..length {
                let decoded = Message::decode(phase, &bytes[..cut]);
                assert_eq!(decoded, Err(Undecodable::Malformed(Malformed::Short)), "{message:?} cut at {cut}");
            }
            bytes.extend_from_slice(b"more");
            assert_eq!(Message::decode(phase, &bytes), Ok((message, &b"more"[..])));
        }
    }

    /// `bytes(rest)` takes what is there: these have nothing left over, and are cut short only before it.
    #[test]
    fn messages_that_end_in_bytes_take_all_that_is_left() {
        let target = WirePid::from_u64(0x0003_0700_0000_002a);
        let spawn = |args| Spawn { request: 1, requester: WirePid::from_u64(2), link: 1, function: b"\xff", args };
        let of = |rest| {
            [
                (9, Message::Send(Send { target, message: rest })),
                (4, Message::RegSend(RegSend { name: "n", message: rest })),
                (21, Message::Spawn(spawn(rest))),
            ]
        };
        for (head, message) in [&b""[..], b"\0", b"rest"].into_iter().flat_map(of) {
            let bytes = message.encode().unwrap();
            assert_eq!(Message::decode(Phase::Session, &bytes), Ok((message, &b""[..])));
            for cut in 1..head {
                let decoded = Message::decode(Phase::Session, &bytes[..cut]);
                assert_eq!(decoded, Err(Undecodable::Malformed(Malformed::Short)), "{bytes:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_monitor_exit_without_a_readable_reason_has_its_other_fields() {
        let (monitored, monitoring) = (WirePid::from_u64(1), WirePid::from_u64(2));
        let expected = MonitorExit { monitored, monitoring, reference: 3, reason: Reason::unknown() };
        let whole = expected.encode().unwrap();
        for reason in [&[][..], &[7], &[1, 1, 0, 0, 0, 0, 0, 0, 0, 0xff]] {
            let bytes = [&whole[..25], reason].concat();
            assert!(matches!(Message::decode(Phase::Session, &bytes), Err(Undecodable::Malformed(_))));
            assert_eq!(MonitorExit::decode_unreadable(&bytes), Some(expected.clone()));
        }
        assert_eq!(MonitorExit::decode_unreadable(&whole[..24]), None);
        assert_eq!(MonitorExit::decode_unreadable(&[process::EXIT; 30]), None);
    }

    #[test]
    fn tags_of_the_other_phase_are_unknown() {
        for (phase, message) in samples() {
            let bytes = message.encode().unwrap();
            let other = if phase == Phase::Session { Phase::Handshake } else { Phase::Session };
            assert_eq!(Message::decode(other, &bytes), Err(Undecodable::UnknownTag(bytes[0])));
        }
        assert_eq!(Message::decode(Phase::Session, &[]), Err(Undecodable::Empty));
    }

    #[test]
    fn invalid_utf8_is_told_from_a_short_message() {
        let bytes = [registry::GLOBAL_UNREGISTER, 1, 0, 0xff];
        assert_eq!(Message::decode(Phase::Session, &bytes), Err(Undecodable::Malformed(Malformed::NotUtf8)));
    }

    /// A small linear congruential generator: the same bytes in every run.
    #[test]
    fn arbitrary_bytes_never_panic_and_what_decodes_encodes_again() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        let tags = [
            1, 2, 3, 4, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0xf0,
            0xf1,
        ];
        for round in 0..50_000_usize {
            let mut bytes = vec![tags[round % tags.len()]];
            let length = next() % 48;
            // Small values make lengths that fit now and then.
            bytes.extend((0..length).map(|_| if next() < 160 { next() % 4 } else { next() }));
            for phase in [Phase::Handshake, Phase::Session] {
                if let Ok((message, rest)) = Message::decode(phase, &bytes) {
                    assert_eq!([&message.encode().unwrap()[..], rest].concat(), bytes);
                }
            }
        }
    }

    #[test]
    fn an_announced_count_is_not_allocated_for() {
        let bytes = [&[registry::GLOBAL_SYNC][..], &u32::MAX.to_le_bytes()].concat();
        assert_eq!(Message::decode(Phase::Session, &bytes), Err(Undecodable::Malformed(Malformed::Short)));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let long = "x".repeat(65_536);
        assert_eq!(Message::GlobalUnregister(&long).encode(), Err(TooLarge));
        let text = "x".repeat(16_777_216 - 1 - 2 - 1 - 4);
        assert_eq!(
            Message::RoomBroadcast(RoomBroadcast { room: "r", text: &text }).encode().unwrap().len(),
            16_777_216
        );
        let text = format!("{text}x");
        assert_eq!(Message::RoomBroadcast(RoomBroadcast { room: "r", text: &text }).encode(), Err(TooLarge));
    }
}
