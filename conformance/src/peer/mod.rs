//! Scripted peers: nodes played by the harness, over real TCP and TLS, able to lie, stall and vanish.
//!
//! This module knows frames, and of messages only PING and PONG. What the bytes mean is the codec's business.

mod assembler;
mod certificate;
mod connection;
mod dial;
mod facts;
mod flood;
#[cfg(test)]
mod fuzz;
mod inbound;
mod listener;
mod manner;
mod outbound;
mod port;
mod reader;
mod tls;
mod trace;
mod writer;

#[cfg(test)]
mod tests;

pub use certificate::Certificate;
pub use connection::{Close, Connection, FlushError};
pub(crate) use dial::connect;
pub use dial::{ClientOptions, ConnectError};
pub use facts::{CertificateError, CertificateFacts, TlsFacts, inspect_certificate};
pub use flood::{Depth, Flood, FloodError, FloodPlan};
pub use inbound::{Closing, ClosingKind, Phase, Ping, Received};
pub use listener::{AcceptError, Incoming, Listener, ListenerOptions, ServerOptions};
pub use port::ReservedPort;
pub use tls::TlsVersion;
pub(crate) use trace::shown;
pub use trace::{Trace, TraceEntry};

pub(crate) use manner::Manner;

/// The server name that a connecting node sends.
pub const SERVER_NAME: &str = "snow-node";

/// The longest payload during the handshake, in bytes, inclusive.
pub const HANDSHAKE_LIMIT: usize = 4096;

/// The longest payload after the handshake, in bytes, inclusive.
pub const SESSION_LIMIT: usize = 16 * 1024 * 1024;

/// A payload with its length in front, as it goes on the wire. Payloads of 4 GiB and more cannot be announced and panic.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("no case makes a payload that u32 cannot announce");
    let mut bytes = Vec::with_capacity(payload.len() + 4);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}
