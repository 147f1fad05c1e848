//! Relays: links between nodes and peers that can be held, cut, slowed, split and corrupted, at points of the protocol.
//!
//! A relay fronts one node or peer: its port is the one that the name carries. It never invents, drops or repeats a frame unless a
//! step asks for it, and it reads only as fast as the other side takes. In reading order: which connections and directions a fault is
//! meant for ([`link`]), what the faults are ([`fault`]), what has become of each connection ([`wire`]), all of a case together
//! ([`state`]), the listening side ([`front`]), and one direction of one connection ([`pump`]).

mod fault;
mod front;
mod link;
mod pump;
mod state;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::schema::Schema;
use crate::watched::Watched;

pub(crate) use fault::{CutHow, Fault, FieldCheck, Place, Shape, Split};
pub(crate) use link::{Ends, From, Link, OTHERS, Side};
pub(crate) use state::State;
pub(crate) use wire::{Crossing, Fate, Line, Wire};

use front::Front;

/// What a relay does with TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing: TLS goes through, and the relay sees ciphertext.
    Tcp,
    /// It ends TLS on both sides and sees frames (hazard HS-H2).
    Tls,
}

/// The relays of one case. Dropped, they close everything and their threads have ended.
#[derive(Debug)]
pub(crate) struct Relays {
    shared: Arc<Shared>,
    fronts: Vec<Front>,
}

/// What all threads of a case's relays share.
#[derive(Debug)]
struct Shared {
    schema: Schema,
    state: Watched<State>,
}

impl Relays {
    /// No relay yet. Frames will be read by `schema`.
    pub(crate) fn new(schema: Schema) -> Self {
        Self { shared: Arc::new(Shared { schema, state: Watched::default() }), fronts: Vec::new() }
    }

    /// Puts a relay in front of `target`, on a free port of `host`: the address to be dialled.
    ///
    /// # Errors
    /// Returns the system's error when no port or no thread can be had.
    pub(crate) fn front(&mut self, key: &str, mode: Mode, host: IpAddr, target: SocketAddr) -> io::Result<SocketAddr> {
        let front = Front::start(self.shared.clone(), key, mode, host, target)?;
        let address = front.address();
        self.shared.state.change(|state| state.modes.insert(key.to_owned(), mode));
        self.fronts.push(front);
        Ok(address)
    }

    /// Tells who it is that says this name in NAME.
    pub(crate) fn name(&self, name: &str, key: &str) {
        self.shared.state.change(|state| state.keys.insert(name.to_owned(), key.to_owned()));
    }

    /// What has become of all connections, to look at, to change and to wait on.
    pub(crate) fn state(&self) -> &Watched<State> {
        &self.shared.state
    }

    /// Cuts these directions of every connection of a link that stands.
    pub(crate) fn cut(&self, link: &Link, from: &From, how: CutHow) {
        self.shared.cut(|state| state.cut_all(link, from, how));
    }

    /// Ends every connection, and lets no new one through.
    pub(crate) fn end(&self) {
        let ends = self.shared.state.change(State::end);
        for end in ends {
            end.close(crate::peer::Close::Reset);
        }
    }
}

impl Shared {
    /// Does what has been decided under the lock outside of it: a reset waits for threads.
    fn cut(&self, decide: impl FnOnce(&mut State) -> state::Closes) {
        for (connection, how) in self.state.change(decide) {
            connection.close(how);
        }
    }
}

impl Drop for Relays {
    fn drop(&mut self) {
        self.end();
        self.fronts.clear();
    }
}
