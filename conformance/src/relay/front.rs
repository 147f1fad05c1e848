//! The listening side of one relay: it accepts, connects to the node behind it, and starts what passes on. It decides nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::peer::{ClientOptions, ConnectError, Connection, Incoming, Listener, Manner, Phase, ServerOptions};

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
        if !self.may_connect(number) {
            return;
        }
        match self.connect(incoming) {
            Ok(ends) => self.pass_on(number, ends),
            Err(reason) => {
                state.change(|state| state.wires[number].over = true);
                self.note(number, &reason);
            }
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

    /// Both ends, ready to carry frames, or why there are none.
    fn connect(&self, incoming: Incoming) -> Result<[Connection; 2], String> {
        let deadline = Instant::now() + TLS_WITHIN;
        let target = match self.mode {
            Mode::Tcp => Connection::dial_tcp_in(self.target, deadline, Manner::RELAY),
            Mode::Tls => Connection::dial_in(self.target, &ClientOptions::default(), deadline, Manner::RELAY),
        };
        let target = match target {
            Ok(target) => target,
            Err(error) => {
                // As its own port would have: nobody is there.
                incoming.reset();
                return Err(format!("{} could not be reached: {error}", self.key));
            }
        };
        let dialler: Result<Connection, ConnectError> = match self.mode {
            Mode::Tcp => incoming.raw_in(Manner::RELAY),
            Mode::Tls => incoming.tls_in(ServerOptions::default(), deadline, Manner::RELAY),
        };
        Ok([dialler.map_err(|error| format!("the dialler's side did not come about: {error}"))?, target])
    }

    fn pass_on(&self, number: usize, ends: [Connection; 2]) {
        for end in &ends {
            // The limits of the handshake are the nodes' to keep, and PINGs the nodes' to answer.
            end.set_answer_pings(false);
            end.set_phase(Phase::Session);
        }
        let stands = self.shared.state.change(|state| {
            state.wires[number].ends = Some(ends.clone());
            !state.over
        });
        if !stands {
            return;
        }
        let pump = |side: Side| Pump {
            shared: self.shared.clone(),
            number,
            side,
            mode: self.mode,
            source: ends[side as usize].clone(),
            target: ends[side.other() as usize].clone(),
        };
        let back = pump(Side::Fronted);
        if let Ok(back) = thread::Builder::new().name("relayed back".to_owned()).spawn(move || back.run()) {
            pump(Side::Dialler).run();
            // A pump that panicked passes nothing on, which the case will show.
            let _ = back.join();
        }
        self.shared.state.change(|state| {
            state.wires[number].over = true;
            state.wires[number].ends = None;
        });
    }

    fn note(&self, number: usize, text: &str) {
        self.shared.state.change(|state| state.wires[number].note(text));
    }
}
