//! Plays a case of the matrix: one input after the other to one node, with a good peer looking on.
//!
//! Every node can be judged: the good peer makes it dial, and what it keeps shows in what a peer that joins late is told.

mod names;
mod processes;

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::codec::{self, Message};
use crate::matrix::{Before, MatrixCase, Planned, Reaction, State, Words};
use crate::peer::{Close, ClosingKind, ConnectError, ServerOptions, frame};
use crate::random::random_bytes;
use crate::results::{BytePlace, Cause};
use crate::scenario::step::{HandshakeStep, Sessions, TlsChoice};
use crate::scenario::{PeerSpec, Scenario};
use crate::schema::Phase;

use self::names::Names;
use self::processes::Watched;
use super::context::{Context, Port, Session};
use super::frames::Next;
use super::stop::{Broken, StepResult, Stop};

/// How long a node has to close; as for scenarios.
const CLOSE_WITHIN: Duration = Duration::from_millis(5_000);

/// Who takes part. Timers are long, so that no timeout can be what closes.
const HEAD: &str = "
title: the matrix
requirements: []
deadline_ms: 30000
timers: {handshake_timeout_ms: 30000}
peers: {good: {}, m: {}, late: {}, refused: {listens: false}}
steps: []
";

/// The scenario that a case of the matrix is played as, without steps.
pub(super) fn head() -> &'static Scenario {
    static PARSED: OnceLock<Scenario> = OnceLock::new();
    PARSED.get_or_init(|| serde_yaml::from_str(HEAD).expect("a constant, read by every test of this module"))
}

/// The good peer's session, the one that is judged, and the one that joins at the end.
const GOOD: &str = "good";
const JUDGED: &str = "m";
const LATE: &str = "late";

/// Where playing ended, and why.
pub(super) struct Ended {
    /// The input that broke something; none where something else did.
    pub(super) at: Option<usize>,
    /// How many inputs were sent and answered as they have to be.
    pub(super) played: usize,
    pub(super) stop: Stop,
}

/// What inputs may leave behind, to be looked at when all have been sent.
#[derive(Default)]
struct Traces {
    names: Names,
    watched: Watched,
}

impl Context<'_> {
    /// Plays all inputs, and looks at what they have left behind.
    pub(super) fn matrix(&mut self, case: &MatrixCase) -> Result<(), Ended> {
        self.join_as(GOOD).map_err(|stop| Ended { at: None, played: 0, stop })?;
        let mut traces = Traces::default();
        for (index, planned) in case.inputs.iter().enumerate() {
            self.step_start = Instant::now();
            self.play_input(case, planned, index, &mut traces).map_err(|stop| Ended {
                at: Some(index),
                played: index,
                stop,
            })?;
        }
        self.step_start = Instant::now();
        self.judge_processes(case, &traces.watched)?;
        self.judge_names(case, &traces.names)?;
        let played = case.inputs.len();
        self.fence(&one(GOOD)).map_err(|stop| Ended { at: None, played, stop })?;
        self.nobody_watched(case)?;
        let unrelated = |stop| Ended { at: None, played, stop };
        self.finish().map_err(unrelated)
    }

    fn join_as(&mut self, name: &str) -> StepResult {
        let connection = self.open("n", TlsChoice::Any)?;
        self.add_session(name.to_owned(), Session::new(connection, name, "n"));
        self.initiate(name, None, HandshakeStep::Ack)
    }

    fn play_input(&mut self, case: &MatrixCase, planned: &Planned, index: usize, traces: &mut Traces) -> StepResult {
        let is_open = self.sessions.get(JUDGED).is_some_and(|session| session.connection.closing().is_none());
        if !is_open {
            self.enter(case, planned)?;
        }
        self.spawn_watched(case, &mut traces.watched)?;
        if planned.input.message() == Some("PEER_LIST") {
            self.add_peer(&watch(planned.salt), &PeerSpec::default())?;
        }
        let words = self.words(planned, &traces.watched)?;
        let made = planned.input.made(self.schema(), case.state, &words).map_err(Stop::Harness)?;
        if made.class != planned.class {
            let (was, is) = (planned.class.words(), made.class.words());
            return Err(Stop::Harness(format!("{}: was `{was}` and is `{is}`", planned.input.id)));
        }
        self.note_names(planned, &made, &words, index, &mut traces.names)?;
        self.note_watched(planned, &made, &words, index, &mut traces.watched)?;
        let mut bytes = self.before(case)?;
        bytes.extend(&made.bytes);
        self.deliver(JUDGED, &bytes)?;
        let judged = self.judge(case, planned, &words);
        judged.map_err(|stop| self.about_input(stop, planned, &made.bytes))
    }

    /// Opens the connection and takes it to the state.
    fn enter(&mut self, case: &MatrixCase, planned: &Planned) -> StepResult {
        self.sessions.shift_remove(JUDGED);
        self.rename_judged(planned.salt)?;
        let through = match (case.state, case.before) {
            (State::AwaitingName, _) => HandshakeStep::Tls,
            (State::AwaitingReply, _) | (_, Some(Before::WrongReply)) => HandshakeStep::Challenge,
            (State::AwaitingChallenge, _) => HandshakeStep::Name,
            (State::AwaitingAck, _) => HandshakeStep::Reply,
            (State::Acceptor | State::Initiator | State::Closing, _) => HandshakeStep::Ack,
        };
        if !case.state.is_dialled() {
            let connection = self.open("n", TlsChoice::Any)?;
            self.add_session(JUDGED.to_owned(), Session::new(connection, JUDGED, "n"));
            return self.initiate(JUDGED, None, through);
        }
        let name = self.peer(JUDGED)?.name.clone();
        self.send_message(GOOD, "PEER_LIST", &json!({"peers": [{ "name": name }]}))?;
        let incoming = self.incoming("n", JUDGED).map_err(|stop| match stop {
            Stop::Broken(broken) => broken.blames("MEM-6").into(),
            stop => stop,
        })?;
        let connection = incoming.tls(ServerOptions::default(), self.deadline).map_err(|error| match error {
            ConnectError::Harness(message) => Stop::Harness(message),
            error => Stop::broken(Cause::EarlyClose, format!("`n` dialled, but TLS did not come about: {error}"))
                .blames("FRAME-2")
                .into(),
        })?;
        self.add_session(JUDGED.to_owned(), Session::new(connection, JUDGED, "n"));
        self.respond(JUDGED, None, through)
    }

    fn words(&self, planned: &Planned, watched: &Watched) -> StepResult<Words> {
        let (peer, refused) = (self.peer(JUDGED)?, &self.peer("refused")?.port);
        let heard = self.session(JUDGED)?.heard.get("challenge").and_then(Value::as_str);
        let theirs = heard.and_then(|hex| hex::decode(hex).ok());
        Ok(Words {
            salt: planned.salt,
            name: peer.name.clone(),
            creation: peer.creation,
            challenge: random_bytes(32),
            proof: theirs.map_or_else(|| random_bytes(32), |theirs| codec::proof(&peer.cookie, &theirs).to_vec()),
            watched: self.peers.get(&watch(planned.salt)).map_or(refused, |peer| &peer.port).address().to_string(),
            refused: refused.address().to_string(),
            may_count: BTreeSet::new(),
            process: watched.process(),
        })
    }

    /// For what the node has to close, where that stands before the input.
    fn before(&self, case: &MatrixCase) -> StepResult<Vec<u8>> {
        match case.before {
            None => Ok(Vec::new()),
            Some(Before::OverLong) => Ok((self.schema().limit(Phase::Session) + 1).to_le_bytes().to_vec()),
            Some(Before::WrongReply) => {
                let fields =
                    json!({"proof": hex::encode(random_bytes(32)), "challenge": hex::encode(random_bytes(32))});
                let message = Message::from_json(self.schema(), "REPLY", &fields)
                    .map_err(|error| Stop::Harness(format!("REPLY cannot be made: {error}")))?;
                let encoded = codec::encode(self.schema(), &message)
                    .map_err(|error| Stop::Harness(format!("REPLY cannot be encoded: {error}")))?;
                Ok(frame(&encoded.payload()))
            }
        }
    }

    fn judge(&mut self, case: &MatrixCase, planned: &Planned, words: &Words) -> StepResult {
        match planned.cell.reaction {
            Reaction::Closes | Reaction::Nothing => {
                self.closes()?;
                self.leave();
                self.good_is_left_alone()
            }
            Reaction::GoesOn => {
                self.goes_on(case.state, words)?;
                self.leave();
                self.good_lives()
            }
            Reaction::Ignored => {
                self.fence(&one(JUDGED))?;
                self.nothing_came(JUDGED, "the node answered what it has to ignore")?;
                self.good_is_left_alone()
            }
            Reaction::Counts => {
                self.fence(&one(JUDGED))?;
                self.session_mut(JUDGED)?.unread.clear();
                self.good_lives()
            }
        }
    }

    /// The node ends the connection, and says nothing before.
    fn closes(&mut self) -> StepResult {
        let deadline = self.deadline.min(Instant::now() + CLOSE_WITHIN);
        loop {
            match self.next_frame(JUDGED, deadline)? {
                Next::Frame(payload) if self.is_opening(JUDGED, &payload)? => {}
                Next::Frame(payload) => {
                    return Err(self.unexpected(JUDGED, &payload, "the node answered instead of closing")?.into());
                }
                Next::Closed(ClosingKind::TooLong { announced }, _) => {
                    return Err(Stop::broken(Cause::UnexpectedFrame, "the node answered instead of closing")
                        .expected("the end of the connection")
                        .actual(format!("a frame of {announced} bytes"))
                        .into());
                }
                Next::Closed(..) => return Ok(()),
                Next::TimedOut => {
                    return Err(Stop::broken(Cause::StillOpen, "the node did not close the connection")
                        .expected(format!("closed within {} ms", CLOSE_WITHIN.as_millis()))
                        .actual("still open")
                        .meanwhile(self.arrived())
                        .into());
                }
            }
        }
    }

    /// The next step of the handshake comes, or the session stands.
    fn goes_on(&mut self, state: State, words: &Words) -> StepResult {
        let cookie = self.peer(JUDGED)?.cookie.clone();
        match state {
            State::AwaitingName => self.handshake_message(JUDGED, "CHALLENGE", "HS-6").map(|_| ()),
            State::AwaitingChallenge => {
                let reply = self.handshake_message(JUDGED, "REPLY", "HS-7")?;
                self.same_proof(JUDGED, "REPLY", &reply, &codec::proof(&cookie, &words.challenge), "HS-7")
            }
            State::AwaitingReply => {
                let ack = self.handshake_message(JUDGED, "ACK", "HS-8")?;
                self.same_proof(JUDGED, "ACK", &ack, &codec::proof(&cookie, &words.challenge), "HS-8")?;
                self.begin_session(JUDGED)?;
                self.fence(&one(JUDGED))
            }
            State::AwaitingAck | State::Acceptor | State::Initiator | State::Closing => {
                self.begin_session(JUDGED)?;
                self.fence(&one(JUDGED))
            }
        }
    }

    fn leave(&mut self) {
        if let Some(session) = self.sessions.shift_remove(JUDGED) {
            session.connection.close(Close::Reset);
            // Kept for the report of this input, and of no other.
            self.former.clear();
            self.former.push((JUDGED.to_owned(), session));
        }
    }

    /// The good session lives, and nothing has come on it.
    fn good_is_left_alone(&mut self) -> StepResult {
        self.fence(&one(GOOD))?;
        self.nothing_came(GOOD, "the node told another session of it")
    }

    /// The good session lives; what has come on it is other cases' business.
    fn good_lives(&mut self) -> StepResult {
        self.fence(&one(GOOD))?;
        self.session_mut(GOOD)?.unread.clear();
        Ok(())
    }

    fn nothing_came(&mut self, session: &str, sentence: &str) -> StepResult {
        while let Some(payload) = self.session_mut(session)?.unread.pop_front() {
            if !self.is_opening(session, &payload)? {
                return Err(self.unexpected(session, &payload, sentence)?.expected("nothing before the PONG").into());
            }
        }
        Ok(())
    }

    /// PEER_LIST and GLOBAL_SYNC may come at a session's beginning, and behind the PONG of its first PING.
    fn is_opening(&self, session: &str, payload: &[u8]) -> StepResult<bool> {
        let phase = self.session(session)?.phase;
        let name = payload.first().and_then(|tag| self.schema().by_tag(phase, *tag)).map(|layout| layout.name.as_str());
        Ok(matches!(name, Some("PEER_LIST" | "GLOBAL_SYNC")))
    }

    fn unexpected(&self, session: &str, payload: &[u8], sentence: &str) -> StepResult<Broken> {
        let phase = self.session(session)?.phase;
        Ok(Stop::broken(Cause::UnexpectedFrame, sentence).expected("the end of the connection").actual(codec::summary(
            self.schema(),
            phase,
            payload,
        )))
    }

    /// Nobody has dialled a port that only entries that do not count have named. Each input has its own, as dials take their time.
    fn nobody_watched(&mut self, case: &MatrixCase) -> Result<(), Ended> {
        let played = case.inputs.len();
        for (index, planned) in case.inputs.iter().enumerate() {
            let watch = self.peers.get(&watch(planned.salt));
            if let Some(Port::Listening(listener)) = watch.map(|peer| &peer.port)
                && listener.total() > 0
            {
                let stop = Stop::broken(Cause::UnexpectedFrame, "the node dialled a name that does not count")
                    .expected("no TCP connection")
                    .actual("a TCP connection");
                return Err(Ended { at: Some(index), played, stop: self.about_input(stop.into(), planned, &[]) });
            }
        }
        Ok(())
    }

    /// Says which input it was. What the cell asks for is to blame, unless the whole node went.
    fn about_input(&mut self, stop: Stop, planned: &Planned, bytes: &[u8]) -> Stop {
        let Stop::Broken(mut broken) = stop else { return stop };
        if broken.cause != Cause::Crash {
            self.inner_cite = Some(planned.cell.requirement.clone());
        }
        broken.sentence = format!("{}: {}", planned.input.id, broken.sentence);
        if !bytes.is_empty() {
            let hex = hex::encode(&bytes[..bytes.len().min(256)]);
            broken.bytes.get_or_insert(BytePlace { field: "as sent".to_owned(), offset: 0, hex });
        }
        Stop::Broken(broken)
    }
}

/// The peer whom an input names where nobody may be dialled.
fn watch(salt: usize) -> String {
    format!("watch-{salt}")
}

fn one(session: &str) -> Sessions {
    Sessions::One(session.to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_head_is_a_scenario() {
        assert_eq!(super::head().peers.len(), 4);
    }
}
