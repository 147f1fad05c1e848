//! The listening side of one relay: it accepts, connects to the node behind it, and starts what passes on. It decides nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::peer::{
    ClientOptions, Close, ConnectError, Connection, Incoming, Listener, Manner, Phase, ServerOptions, connect,
};

use super::fault::CutHow;
use super::link::Side;
use super::pump::Pump;
use super::{Mode, Shared};

/// How long a node may take to do its part of TLS with a relay. A node that is frozen has longer than its own handshake timeout.
const TLS_WITHIN: Duration = Duration::from_secs(60);
/// A wait that something else ends.
pub(super) const LONG: Duration = Duration::from_secs(3_600);

/// A relay in front of one node or peer.
#[derive(Debug)]
pub(super) struct Front {
    listener: Arc<Listener>,
    accepting: Option<JoinHandle<()>>,
}

/// What the threads of one relay know.
struct Door {
    shared: Arc<Shared>,
    key: String,
    mode: Mode,
    target: SocketAddr,
}

impl Front {
    pub(super) fn start(
        shared: Arc<Shared>,
        key: &str,
        mode: Mode,
        host: IpAddr,
        target: SocketAddr,
    ) -> io::Result<Self> {
        let listener = Arc::new(Listener::bind(host)?);
        let door = Arc::new(Door { shared, key: key.to_owned(), mode, target });
        let accepted = listener.clone();
        let accepting =
            thread::Builder::new().name(format!("relay {key}")).spawn(move || accept_all(&accepted, &door))?;
        Ok(Self { listener, accepting: Some(accepting) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.address()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.listener.close();
        if let Some(accepting) = self.accepting.take() {
            // A thread that panicked has nothing left to close.
            let _ = accepting.join();
        }
    }
}

/// Gives each connection a thread of its own, and ends when they all have and the listener is closed.
fn accept_all(listener: &Listener, door: &Arc<Door>) {
    let serving: Mutex<Vec<JoinHandle<()>>> = Mutex::default();
    loop {
        match listener.accept(Instant::now() + LONG) {
            Ok(incoming) => {
                let door = door.clone();
                let thread = thread::Builder::new().name("relayed".to_owned()).spawn(move || door.serve(incoming));
                let mut serving = serving.lock().unwrap_or_else(PoisonError::into_inner);
                serving.retain(|thread: &JoinHandle<()>| !thread.is_finished());
                // A connection for which there is no thread has been closed by its drop.
                serving.extend(thread.ok());
            }
            Err(crate::peer::AcceptError::TimedOut(_)) => {}
            Err(crate::peer::AcceptError::Closed(_)) => break,
        }
    }
    for thread in serving.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let _ = thread.join();
    }
}

impl Door {
    fn serve(&self, incoming: Incoming) {
        let state = &self.shared.state;
        let (number, refused) = state.change(|state| state.opened(&self.key));
        match refused {
            None => {}
            Some(CutHow::Fin) => return self.note(number, "refused: closed"),
            Some(CutHow::Reset) => {
                incoming.reset();
                return self.note(number, "refused: reset");
            }
            Some(CutHow::Silent) => {
                self.note(number, "refused: never answered");
                return state.wait(|state| state.over.then_some(()));
            }
        }
        if self.may_connect(number) {
            self.pass_on(number, incoming);
            state.change(|state| {
                let wire = &mut state.wires[number];
                wire.over = true;
                wire.gone = true;
                wire.ends = [None, None];
            });
        }
    }

    /// Waits while the connection is held where it was accepted. False: the case is over.
    fn may_connect(&self, number: usize) -> bool {
        self.shared.state.wait(|state| {
            let over = state.over;
            let flow = state.wires[number].flow(Side::Dialler);
            (over || !flow.at_point).then_some(!over)
        })
    }

    /// Connects to the node behind, and passes on until both directions are done. The two TLS handshakes are independent: a peer that
    /// has not answered yet holds up nothing that the dialler says.
    fn pass_on(&self, number: usize, incoming: Incoming) {
        let deadline = Instant::now() + TLS_WITHIN;
        let stream = match connect(self.target, None, deadline) {
            Ok(stream) => stream,
            Err(error) => {
                // As its own port would have: nobody is there.
                incoming.reset();
                return self.note(number, &format!("{} could not be reached: {error}", self.key));
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                self.pump(number, Side::Fronted, || match self.mode {
                    Mode::Tcp => Connection::plain(stream, Manner::RELAY),
                    Mode::Tls => Connection::secure(stream, &ClientOptions::default(), deadline, Manner::RELAY),
                });
            });
            self.pump(number, Side::Dialler, || match self.mode {
                Mode::Tcp => incoming.raw_in(Manner::RELAY),
                Mode::Tls => incoming.tls_in(ServerOptions::default(), deadline, Manner::RELAY),
            });
        });
    }

    /// Makes one end ready to carry frames, and passes on what it sends.
    fn pump(&self, number: usize, side: Side, ready: impl FnOnce() -> Result<Connection, ConnectError>) {
        let source = match ready() {
            Ok(source) => source,
            Err(error) => {
                self.note(number, &format!("the end of the {side:?} did not come about: {error}"));
                let other = self.shared.state.change(|state| {
                    let wire = &mut state.wires[number];
                    wire.over = true;
                    wire.gone = true;
                    wire.ends[side.other() as usize].clone()
                });
                if let Some(other) = other {
                    other.close(Close::Fin);
                }
                return;
            }
        };
        // The limits of the handshake are the nodes' to keep, and PINGs the nodes' to answer.
        source.set_answer_pings(false);
        source.set_phase(Phase::Session);
        let stands = self.shared.state.change(|state| {
            let wire = &mut state.wires[number];
            let cut = wire.flows.iter().all(|flow| flow.cut);
            wire.ends[side as usize] = Some(source.clone());
            !state.over && !wire.gone && !cut
        });
        if stands {
            Pump { shared: &self.shared, number, side, mode: self.mode, source }.run();
        } else {
            source.close(Close::Fin);
        }
    }

    fn note(&self, number: usize, text: &str) {
        self.shared.state.change(|state| state.wires[number].note(text));
    }
}
