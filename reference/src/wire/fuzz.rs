//! Anything at all, read and written: vectors changed, messages made up, bytes as they come.
//!
//! A failure is printed with its seed (`BOLERO_RANDOM_SEED`) and made smaller; BOLERO_RANDOM_ITERATIONS sets how many are tried.

use bolero::TypeGenerator;

use super::{
    FrameReader, MAX_HANDSHAKE_PAYLOAD, MAX_SESSION_PAYLOAD, Message, Reader, Reason, WirePid,
    framing::header,
    handshake::{Ack, ChallengeMessage, Name, Reply},
    membership::PeerList,
    message::{Phase, Undecodable},
    process::{Exit, Link, Monitor, MonitorExit, RegSend, Send, Spawn, SpawnReply},
    reason::{MAX_LEVELS, Root},
    registry::{GlobalEntry, GlobalSync},
    room::RoomBroadcast,
    term::{Term, TermError},
    writer::Writer,
};
use crate::seeds::{Changed, SEEDS, kept};

/// So many of each sort: all of this file takes seconds.
const TRIED: usize = 2_000;

/// Reads a payload; what is read is written, and read again as itself.
fn read(phase: Phase, payload: &[u8]) -> Result<(), Undecodable> {
    let (message, left_over) = Message::decode(phase, payload)?;
    let taken = &payload[..payload.len() - left_over.len()];
    // An entry takes bytes: what is only announced is not there (FRAME-23).
    match &message {
        Message::GlobalSync(sync) => assert!(sync.entries.len() * 12 < taken.len()),
        Message::PeerList(list) => assert!(list.peers.len() * 2 < taken.len()),
        _ => {}
    }
    let written = message.encode().unwrap();
    assert_eq!(Message::decode(phase, &written), Ok((message, &b""[..])));
    // Only what PROC-25 cuts is written as other bytes.
    assert!(written == taken || taken.len() > 9 * MAX_LEVELS, "{payload:x?}");
    Ok(())
}

fn read_in_both(payload: &[u8]) {
    for phase in [Phase::Handshake, Phase::Session] {
        let _ = read(phase, payload);
    }
}

fn read_term(bytes: &[u8]) -> Result<(), TermError> {
    let (term, left_over) = Term::decode(bytes)?;
    let taken = &bytes[..bytes.len() - left_over.len()];
    assert!(term.parts().len() < taken.len() * 2, "a part takes a byte, and may have a name");
    assert_eq!(term.encode().unwrap(), taken);
    Ok(())
}

fn end(limit: usize, mut bytes: &[u8]) -> (Vec<Vec<u8>>, &'static str) {
    let (mut reader, mut payloads) = (FrameReader::new(), Vec::new());
    loop {
        match reader.next(&mut bytes, limit) {
            Ok(Some(payload)) => payloads.push(payload),
            Ok(None) if reader.is_between_frames() => return (payloads, "complete"),
            Ok(None) => return (payloads, "incomplete"),
            Err(_) => return (payloads, "too_long"),
        }
    }
}

fn limit(phase: Phase) -> usize {
    if phase == Phase::Handshake { MAX_HANDSHAKE_PAYLOAD } else { MAX_SESSION_PAYLOAD }
}

#[test]
fn kept_inputs_are_read_as_they_should_be() {
    for input in kept() {
        let found = match input.target.as_str() {
            "codec" => read(input.phase, &input.bytes).map_or_else(
                |why| match why {
                    Undecodable::Empty => "empty",
                    Undecodable::UnknownTag(_) => "unknown_tag",
                    Undecodable::Malformed(_) => "malformed",
                },
                |()| "valid",
            ),
            "term" => read_term(&input.bytes).map_or_else(
                |why| match why {
                    TermError::UnexpectedEnd => "unexpected_end",
                    TermError::InvalidTag(_) => "invalid_tag",
                    TermError::UnsupportedVersion(_) => "unsupported_version",
                    TermError::Closure => "closure",
                    TermError::TooLarge => "too_large",
                    TermError::InvalidUtf8 => "invalid_utf8",
                    TermError::TooDeep => "too_deep",
                },
                |()| "valid",
            ),
            "frames" => end(limit(input.phase), &input.bytes).1,
            other => panic!("{}: no target {other}", input.name),
        };
        assert_eq!(found, input.verdict, "{}", input.name);
    }
}

#[test]
fn vectors_changed_are_read_or_refused() {
    for seed in &SEEDS.payloads {
        read_in_both(&seed.parts.concat());
    }
    bolero::check!().with_type::<Changed>().with_iterations(4 * TRIED).for_each(|changed| {
        read_in_both(&changed.bytes(&SEEDS.payloads).1);
    });
}

#[test]
fn bytes_as_they_come_are_read_or_refused() {
    bolero::check!().with_iterations(2 * TRIED).for_each(|bytes| {
        read_in_both(bytes);
        let _ = read_term(bytes);
        let _ = read_term(&[&[1], bytes].concat());
    });
}

#[test]
fn terms_changed_are_read_or_refused() {
    for seed in &SEEDS.terms {
        let _ = read_term(&seed.parts.concat());
    }
    bolero::check!().with_type::<Changed>().with_iterations(4 * TRIED).for_each(|changed| {
        let _ = read_term(&changed.bytes(&SEEDS.terms).1);
    });
}

/// The fields of any message.
#[derive(Clone, Debug, TypeGenerator)]
struct Fields {
    which: u8,
    texts: [String; 2],
    numbers: [u64; 3],
    byte: u8,
    bytes: [Vec<u8>; 2],
    array: [[u8; 32]; 2],
    nonce: [u8; 8],
    entries: Vec<(String, u64, String)>,
    linked: Vec<u64>,
    root: u8,
}

impl Fields {
    fn reason(&self) -> Reason {
        let root = match self.root % 6 {
            0 => Root::Normal,
            1 => Root::Error(self.texts[0].as_str().into()),
            2 => Root::Killed,
            3 => Root::Shutdown,
            4 => Root::Custom(self.texts[1].as_str().into()),
            _ => Root::NoConnection,
        };
        let linked = self.linked.iter().take(MAX_LEVELS - 1).map(|pid| WirePid::from_u64(*pid)).collect();
        Reason { linked, root }
    }

    fn message(&self) -> (Phase, Message<'_>) {
        let Self { byte, array, nonce, entries, .. } = self;
        let [a, b] = [&self.texts[0], &self.texts[1]];
        let [from, to, _] = self.numbers.map(WirePid::from_u64);
        let reference = self.numbers[2];
        let monitor = Monitor { from, to, reference };
        let entries = || {
            entries.iter().map(|(name, pid, owner)| GlobalEntry { name, pid: WirePid::from_u64(*pid), owner }).collect()
        };
        let phase = if self.which % 21 < 4 { Phase::Handshake } else { Phase::Session };
        let message = match self.which % 21 {
            0 => Message::Name(Name { name: a, creation: *byte }),
            1 => Message::Challenge(ChallengeMessage { name: a, creation: *byte, challenge: array[0] }),
            2 => Message::Reply(Reply { proof: array[0], challenge: array[1] }),
            3 => Message::Ack(Ack { proof: array[0] }),
            4 => Message::PeerList(PeerList { peers: self.entries.iter().map(|entry| entry.0.as_str()).collect() }),
            5 => Message::Ping(*nonce),
            6 => Message::Pong(*nonce),
            7 => Message::Send(Send { target: to, message: &self.bytes[0] }),
            8 => Message::RegSend(RegSend { name: a, message: &self.bytes[0] }),
            9 => Message::Link(Link { from, to }),
            10 => Message::Unlink(Link { from, to }),
            11 => Message::Exit(Exit { from, to, reason: self.reason() }),
            12 => Message::Monitor(monitor),
            13 => Message::Demonitor(monitor),
            14 => {
                let reason = self.reason();
                Message::MonitorExit(MonitorExit { monitored: from, monitoring: to, reference, reason })
            }
            15 => {
                let [function, args] = [&self.bytes[0], &self.bytes[1]];
                Message::Spawn(Spawn { request: reference, requester: from, link: *byte, function, args })
            }
            16 => Message::SpawnReply(SpawnReply { request: reference, status: *byte, local: self.numbers[0] }),
            17 => Message::GlobalRegister(GlobalEntry { name: a, pid: from, owner: b }),
            18 => Message::GlobalUnregister(a),
            19 => Message::GlobalSync(GlobalSync { entries: entries() }),
            _ => Message::RoomBroadcast(RoomBroadcast { room: a, text: b }),
        };
        (phase, message)
    }
}

#[test]
fn any_message_is_written_and_read_as_itself() {
    bolero::check!().with_type::<Fields>().with_iterations(TRIED).for_each(|fields| {
        let (phase, message) = fields.message();
        let bytes = message.encode().unwrap();
        assert_eq!(Message::decode(phase, &bytes), Ok((message, &b""[..])));
    });
}

#[test]
fn a_reason_of_any_depth_is_read() {
    bolero::check!().with_type::<(u16, u8, Vec<u8>)>().with_iterations(TRIED).for_each(|(levels, root, text)| {
        let levels = usize::from(*levels) % 2_000;
        let mut bytes = [&[3][..], &[7; 8]].concat().repeat(levels);
        bytes.push(root % 8);
        if matches!(root % 8, 1 | 5) {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text);
        }
        let mut reader = Reader::new(&bytes);
        let is_good = !matches!(root % 8, 3 | 7) && (!matches!(root % 8, 1 | 5) || str::from_utf8(text).is_ok());
        let Ok(reason) = Reason::decode(&mut reader) else {
            assert!(!is_good);
            return;
        };
        assert!(is_good && reader.rest().is_empty() && reason.linked.len() == levels.min(MAX_LEVELS - 1));
        let mut writer = Writer::new(0);
        reason.write(&mut writer);
        let written = writer.finish().unwrap();
        assert!(levels >= MAX_LEVELS || written[1..] == bytes);
        assert_eq!(Reason::decode(&mut Reader::new(&written[1..])), Ok(reason));
    });
}

#[test]
fn a_stream_in_any_pieces_has_the_same_frames() {
    type Shape = (Vec<Vec<u8>>, Vec<u8>, Vec<u8>, bool);
    bolero::check!().with_type::<Shape>().with_iterations(TRIED).for_each(|(payloads, tail, cuts, is_handshake)| {
        let limit = if *is_handshake { MAX_HANDSHAKE_PAYLOAD } else { MAX_SESSION_PAYLOAD };
        let mut stream: Vec<u8> =
            payloads.iter().flat_map(|payload| [&header(payload.len())[..], payload].concat()).collect();
        stream.extend(tail);
        let whole = end(limit, &stream);
        let (mut reader, mut seen, mut rest) = (FrameReader::new(), Vec::new(), &stream[..]);
        let mut cuts = cuts.iter().map(|cut| usize::from(*cut)).chain(std::iter::repeat(usize::MAX));
        let is_over = loop {
            let (mut piece, behind) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
            rest = behind;
            let is_too_long = loop {
                match reader.next(&mut piece, limit) {
                    Ok(Some(payload)) => seen.push(payload),
                    Ok(None) => break false,
                    Err(_) => break true,
                }
            };
            if is_too_long || rest.is_empty() {
                break is_too_long;
            }
        };
        assert_eq!((&seen, is_over), (&whole.0, whole.1 == "too_long"));
        assert!(is_over || reader.is_between_frames() == (whole.1 == "complete"));
    });
}
