//! The membership family: PEER_LIST, PING, PONG.

use super::{
    reader::{Malformed, Reader},
    writer::{TooLarge, Writer},
};

pub(crate) const PEER_LIST: u8 = 0x12;
pub(crate) const PING: u8 = 0xF0;
pub(crate) const PONG: u8 = 0xF1;

/// The eight bytes that a PONG brings back (MEM-29).
pub(crate) type Nonce = [u8; 8];

/// PEER_LIST: the names of the sender's connected nodes. Unchecked: invalid names are skipped by the node (MEM-9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerList<'a> {
    pub(crate) peers: Vec<&'a str>,
}

impl<'a> PeerList<'a> {
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let count = reader.u16()?;
        let peers = (0..count).map(|_| reader.string16()).collect::<Result<_, _>>()?;
        Ok(Self { peers })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(PEER_LIST);
        writer.count16(self.peers.len());
        for name in &self.peers {
            writer.string16(name);
        }
        writer.finish()
    }
}

/// Reads the nonce of a PING or a PONG: the first eight bytes (MEM-32).
pub(crate) fn decode_nonce(reader: &mut Reader<'_>) -> Result<Nonce, Malformed> {
    reader.array()
}

/// Writes a PING or a PONG.
pub(crate) fn encode_nonce(tag: u8, nonce: &Nonce) -> Vec<u8> {
    [&[tag][..], nonce].concat()
}
