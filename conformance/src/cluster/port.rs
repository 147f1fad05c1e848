//! Ports for nodes that have to be told one: because they are wire-only, or because they are started again under their name.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::random::random_bytes;

/// Below the range from which systems take ports for outgoing connections, one of which could otherwise take the port of a node
/// that is between two starts.
const RANGE: std::ops::Range<u16> = 10_240..32_000;

static NEXT: OnceLock<AtomicU16> = OnceLock::new();

/// A port on which nobody listens now, and which this harness gives out once in a long while. Each run begins elsewhere in the range, so that
/// runs side by side keep out of each other's way.
///
/// # Errors
/// Returns the system's error when a thousand ports in a row are taken.
pub fn fixed_port(host: IpAddr) -> io::Result<u16> {
    let next = NEXT.get_or_init(|| {
        let random = random_bytes(2);
        AtomicU16::new(u16::from_le_bytes([random[0], random[1]]))
    });
    let mut last = io::Error::other("no port was tried");
    for _ in 0..1_000 {
        let port = RANGE.start + next.fetch_add(1, Ordering::Relaxed) % (RANGE.end - RANGE.start);
        match TcpListener::bind(SocketAddr::new(host, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(last)
}
