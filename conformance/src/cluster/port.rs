//! Ports for nodes that have to be told one: because they are wire-only, or because they are started again under their name.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

use crate::random::random_bytes;

/// Below the range from which systems take ports for outgoing connections, one of which could otherwise take the port of a node
/// that is between two starts.
const FIRST: u16 = 10_240;

/// How many ports are claimed at once.
const BLOCK: u16 = 64;

/// How many blocks there are: up to port 32,000.
const BLOCKS: u16 = (32_000 - FIRST) / BLOCK;

/// How many blocks a run keeps: their ports are given out again only after thousands of others.
const KEPT: usize = 64;

/// Ports that this run alone gives out.
#[derive(Debug)]
struct Block {
    /// The port of the same number in UDP, which nobody uses: who has it bound has the block, on the whole machine, and loses it when the
    /// process ends.
    _claim: UdpSocket,
    rest: std::ops::Range<u16>,
}

/// The blocks of this run, the newest last.
static CLAIMED: Mutex<VecDeque<Block>> = Mutex::new(VecDeque::new());

/// A port on which nobody listens now, and which no harness on this machine gives out again soon.
///
/// # Errors
/// Returns the system's error when nearly all ports are taken.
pub fn fixed_port(host: IpAddr) -> io::Result<u16> {
    let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut last = io::Error::other("all ports are claimed by other runs");
    for _ in 0..BLOCKS {
        for port in claimed.back_mut().into_iter().flat_map(|block| &mut block.rest) {
            match TcpListener::bind(SocketAddr::new(host, port)) {
                Ok(_) => return Ok(port),
                Err(error) => last = error,
            }
        }
        match claim() {
            Ok(block) => claimed.push_back(block),
            Err(error) => return Err(error),
        }
        if claimed.len() > KEPT {
            claimed.pop_front();
        }
    }
    Err(last)
}

/// A port that no harness on this machine gives out again soon, for a node on another: who else has it there is not known.
///
/// # Errors
/// Returns the system's error when all ports are claimed by other runs.
pub(super) fn unprobed_port() -> io::Result<u16> {
    let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(port) = claimed.back_mut().and_then(|block| block.rest.next()) {
        return Ok(port);
    }
    let mut block = claim()?;
    let port = block.rest.next().ok_or_else(|| io::Error::other("a block has no ports"))?;
    claimed.push_back(block);
    if claimed.len() > KEPT {
        claimed.pop_front();
    }
    Ok(port)
}

/// The first block from a random one on that nobody has.
fn claim() -> io::Result<Block> {
    let random = random_bytes(2);
    let begin = u16::from_le_bytes([random[0], random[1]]) % BLOCKS;
    let mut last = io::Error::other("there are no ports");
    for index in 0..BLOCKS {
        let start = FIRST + (begin + index) % BLOCKS * BLOCK;
        match UdpSocket::bind((Ipv4Addr::LOCALHOST, start)) {
            Ok(claim) => return Ok(Block { _claim: claim, rest: start..start + BLOCK }),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ports_are_not_given_twice_for_thousands() {
        let ports: Vec<u16> = (0..2_000).map(|_| fixed_port(Ipv4Addr::LOCALHOST.into()).unwrap()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
        assert!(ports.iter().all(|port| (FIRST..32_000).contains(port)));
    }

    #[test]
    fn a_claimed_block_is_nobody_elses() {
        let (first, second) = (claim().unwrap(), claim().unwrap());
        assert_ne!(first.rest, second.rest);
        let again = UdpSocket::bind((Ipv4Addr::LOCALHOST, first.rest.start));
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
