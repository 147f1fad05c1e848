//! Faults of TLS, frames and tolerance.

mod frames;
mod tls;
mod tolerance;

use std::time::Duration;

use rcgen::PKCS_ECDSA_P384_SHA384;
use rustls::{
    ProtocolVersion,
    version::{TLS12, TLS13},
};

use super::{
    single::{on_frame_in, on_frame_limit, on_input, on_output, on_transport},
    table::Fault,
};
use crate::{
    net::tls::Signer,
    node::Role,
    wire::{MAX_SESSION_PAYLOAD, message::Phase},
};

pub(super) use frames::pause_closes;
pub(super) use tolerance::closes;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "refuse-tls-1-2",
        requirement: "FRAME-1",
        description: "The acceptor refuses TLS 1.2.",
        make: || on_transport(|transport| transport.accepted = vec![&TLS13]),
    },
    Fault {
        id: "refuse-tls-1-3",
        requirement: "FRAME-1",
        description: "The acceptor refuses TLS 1.3.",
        make: || on_transport(|transport| transport.accepted = vec![&TLS12]),
    },
    Fault {
        id: "dial-without-tls-1-2",
        requirement: "FRAME-2",
        description: "The initiator does not offer TLS 1.2.",
        make: || on_transport(|transport| transport.offered = vec![&TLS13]),
    },
    Fault {
        id: "dial-without-tls-1-3",
        requirement: "FRAME-2",
        description: "The initiator does not offer TLS 1.3.",
        make: || on_transport(|transport| transport.offered = vec![&TLS12]),
    },
    Fault {
        id: "certificate-for-localhost",
        requirement: "FRAME-3",
        description: "The certificate's common name is localhost.",
        make: || on_transport(|transport| transport.common_name = "localhost".into()),
    },
    Fault {
        id: "certificate-with-p384-key",
        requirement: "FRAME-3",
        description: "The certificate's key is on the curve P-384.",
        make: || on_transport(|transport| transport.key = &PKCS_ECDSA_P384_SHA384),
    },
    Fault {
        id: "certificate-by-an-authority",
        requirement: "FRAME-3",
        description: "The certificate is signed by another key than its own.",
        make: || on_transport(|transport| transport.signer = Signer::Authority),
    },
    Fault {
        id: "no-server-name",
        requirement: "FRAME-4",
        description: "The initiator sends no server name, because it has dialled an address.",
        make: || on_transport(|transport| transport.server_name = "127.0.0.1".into()),
    },
    Fault {
        id: "server-name-is-the-host",
        requirement: "FRAME-4",
        description: "The server name that the initiator sends is a host's.",
        make: || on_transport(|transport| transport.server_name = "localhost".into()),
    },
    Fault {
        id: "certificate-dates-are-validated",
        requirement: "FRAME-5",
        description: "The initiator refuses a certificate whose dates have passed.",
        make: || on_transport(|transport| transport.judge = tls::judge_dates),
    },
    Fault {
        id: "certificate-name-is-validated",
        requirement: "FRAME-5",
        description: "The initiator refuses a certificate that is not for snow-node.",
        make: || on_transport(|transport| transport.judge = tls::judge_name),
    },
    Fault {
        id: "tls-1-2-signature-is-not-verified",
        requirement: "FRAME-6",
        description: "The initiator does not verify the handshake signature in TLS 1.2.",
        make: || on_transport(|transport| transport.unverified = vec![ProtocolVersion::TLSv1_2]),
    },
    Fault {
        id: "tls-1-3-signature-is-not-verified",
        requirement: "FRAME-6",
        description: "The initiator does not verify the handshake signature in TLS 1.3.",
        make: || on_transport(|transport| transport.unverified = vec![ProtocolVersion::TLSv1_3]),
    },
    Fault {
        id: "client-certificate-is-asked-for",
        requirement: "FRAME-7",
        description: "The acceptor asks for a client certificate, and does without if there is none.",
        make: || on_transport(|transport| transport.client_certificates = Some(tls::ask())),
    },
    Fault {
        id: "split-length-is-lost",
        requirement: "FRAME-8",
        description: "What has come of a length is lost when the rest comes in another piece.",
        make: || Box::new(frames::SplitLengthIsLost::default()),
    },
    Fault {
        id: "pause-in-the-handshake-closes",
        requirement: "FRAME-9",
        description: "A pause of 200 ms within a frame of the handshake closes the connection.",
        make: || frames::pause_closes(Phase::Handshake, Duration::from_millis(200)),
    },
    Fault {
        id: "pause-in-a-session-closes",
        requirement: "FRAME-9",
        description: "A pause of a second within a frame of a session closes it.",
        make: || frames::pause_closes(Phase::Session, Duration::from_secs(1)),
    },
    Fault {
        id: "frames-behind-the-handshake-are-lost",
        requirement: "FRAME-10",
        description: "Frames that come in one read with the last handshake message are lost.",
        make: || Box::new(frames::LostBehindHandshake::default()),
    },
    Fault {
        id: "one-frame-a-read",
        requirement: "FRAME-10",
        description: "In a session only the first of the frames that one read brings counts.",
        make: || Box::new(frames::OneFrameARead::default()),
    },
    Fault {
        id: "handshake-limit-is-exclusive",
        requirement: "FRAME-11",
        description: "The initiator takes 4,095 bytes at most in the handshake.",
        make: || {
            on_frame_limit(|context, conn, limit| {
                let is_it = context.phase(conn) == Some(Phase::Handshake) && conn.role == Role::Dialled;
                if is_it { limit - 1 } else { limit }
            })
        },
    },
    Fault {
        id: "handshake-limit-is-one-too-high",
        requirement: "FRAME-12",
        description: "In the handshake 4,097 bytes are awaited before the connection is closed.",
        make: || on_frame_limit(|context, conn, limit| limit + frames::one_in(Phase::Handshake, context, conn)),
    },
    Fault {
        id: "handshake-has-the-sessions-limit",
        requirement: "FRAME-12",
        description: "Up to 16 MiB are read of a handshake message.",
        make: || on_frame_limit(|_, _, _| MAX_SESSION_PAYLOAD),
    },
    Fault {
        id: "session-limit-is-exclusive",
        requirement: "FRAME-13",
        description: "A session takes 16,777,215 bytes at most.",
        make: || on_frame_limit(|context, conn, limit| limit - frames::one_in(Phase::Session, context, conn)),
    },
    Fault {
        id: "session-limit-is-one-too-high",
        requirement: "FRAME-14",
        description: "A session awaits a payload of 16,777,217 bytes.",
        make: || on_frame_limit(|context, conn, limit| limit + frames::one_in(Phase::Session, context, conn)),
    },
    Fault {
        id: "oversized-length-is-no-disconnect",
        requirement: "FRAME-14",
        description: "A length over the limit closes the connection, but the session is kept as if it lived.",
        make: || Box::new(frames::OversizedIsNoDisconnect::default()),
    },
    Fault {
        id: "empty-frame-closes-a-session",
        requirement: "FRAME-15",
        description: "A frame of length 0 closes its session.",
        make: || tolerance::closes(|phase, payload| phase == Phase::Session && payload.is_empty()),
    },
    Fault {
        id: "oversized-broadcast-is-sent",
        requirement: "FRAME-16",
        description: "A broadcast that does not fit a frame is sent in a larger one.",
        make: || on_input(frames::send_oversized),
    },
    Fault {
        id: "oversized-broadcast-is-dropped",
        requirement: "FRAME-16",
        description: "A broadcast that does not fit a frame is dropped, and its caller told that it was sent.",
        make: || on_output(frames::succeed_with_oversized),
    },
    Fault {
        id: "oversized-broadcast-ends-sessions",
        requirement: "FRAME-16",
        description: "A broadcast that does not fit a frame is an error to the caller and to all sessions, which end.",
        make: || on_output(frames::end_sessions_over_oversized),
    },
    Fault {
        id: "unknown-tag-closes",
        requirement: "FRAME-17",
        description: "A tag that means nothing in either phase closes its session.",
        make: || tolerance::closes(tolerance::is_unknown),
    },
    Fault {
        id: "handshake-tag-in-a-session-closes",
        requirement: "FRAME-17",
        description: "A message of the handshake closes its session.",
        make: || tolerance::closes(tolerance::is_of_the_handshake),
    },
    Fault {
        id: "short-message-closes",
        requirement: "FRAME-18",
        description: "A message that is too short for its layout closes its session.",
        make: || tolerance::closes(tolerance::is_short),
    },
    Fault {
        id: "short-message-is-padded",
        requirement: "FRAME-18",
        description: "What is missing of a message is taken for zeros.",
        make: || on_frame_in(tolerance::pad),
    },
    Fault {
        id: "bad-utf8-closes",
        requirement: "FRAME-19",
        description: "A string that is not UTF-8 closes its session.",
        make: || tolerance::closes(tolerance::is_not_utf8),
    },
    Fault {
        id: "bad-utf8-in-a-room-text-is-replaced",
        requirement: "FRAME-19",
        description: "Members get U+FFFD for what is not UTF-8 in the text of a ROOM_BROADCAST.",
        make: || on_frame_in(tolerance::replace_bad_text),
    },
    Fault {
        id: "left-over-bytes-close",
        requirement: "FRAME-20",
        description: "Bytes behind a message close its session.",
        make: || tolerance::closes(tolerance::has_left_over),
    },
    Fault {
        id: "left-over-bytes-spoil-a-ping",
        requirement: "FRAME-20",
        description: "A PING that is not exactly nine bytes long is ignored.",
        make: || on_frame_in(tolerance::drop_long_ping),
    },
    Fault {
        id: "empty-handshake-frame-ends-the-process",
        requirement: "FRAME-21",
        description: "A frame of length 0 in the handshake ends the process, which looks for its tag.",
        make: || tolerance::panics(|phase, payload| phase == Phase::Handshake && payload.is_empty()),
    },
    Fault {
        id: "short-sync-ends-the-process",
        requirement: "FRAME-21",
        description: "A GLOBAL_SYNC with fewer entries than it announces ends the process.",
        make: || tolerance::panics(tolerance::is_short_sync),
    },
    Fault {
        id: "hang-up-before-reply-ends-the-process",
        requirement: "FRAME-21",
        description: "An initiator that hangs up instead of sending REPLY ends the process.",
        make: || on_input(tolerance::panic_at_hang_up),
    },
    Fault {
        id: "rest-of-a-frame-is-waited-for",
        requirement: "FRAME-22",
        description: "The whole node waits for the rest of a large frame, for a minute at most.",
        make: || Box::new(tolerance::WaitForRest::default()),
    },
    Fault {
        id: "ignored-messages-cost-ten-milliseconds",
        requirement: "FRAME-22",
        description: "The whole node stands still for ten milliseconds for each message that it ignores.",
        make: || on_frame_in(tolerance::ignore_slowly),
    },
    Fault {
        id: "announced-length-is-allocated",
        requirement: "FRAME-23",
        description: "A session's frame gets a buffer of its announced length at once.",
        make: || Box::new(tolerance::BufferByLength::default()),
    },
    Fault {
        id: "announced-count-is-allocated",
        requirement: "FRAME-23",
        description: "A GLOBAL_SYNC gets a table of its announced count at once.",
        make: || Box::new(tolerance::TableByCount::default()),
    },
];
