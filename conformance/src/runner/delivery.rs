//! What is sent on its way to the connection: cut, paused or held back as the delivery has it. And the cases that judge deliveries.

use serde_json::json;

use crate::delivery::{self, Delivery, DeliveryCase};
use crate::peer::{ServerOptions, frame};
use crate::results::Cause;
use crate::scenario::step::{HandshakeStep, Sessions, TlsChoice};

use super::context::{Context, Session};
use super::stop::{StepResult, Stop};

/// How many sends of one connection are paused, and of one case: enough for the handshake and what it is for, and seldom long.
pub(super) const PAUSES_OF_A_CONNECTION: usize = 4;
pub(super) const PAUSES_OF_A_CASE: usize = 12;
/// What is held back beyond so many bytes goes out.
const HELD: usize = 1 << 20;
/// Over how many sessions pauses are spread, which pass side by side.
const SIDE_BY_SIDE: usize = 16;
/// Cuts of the longest handshake message, the one in its length included.
const CUTS_OF_A_HANDSHAKE: usize = 6;

impl Context<'_> {
    /// Sends bytes on a session as the delivery has it.
    pub(super) fn deliver(&mut self, name: &str, bytes: &[u8]) -> StepResult {
        let may_pause = self.pauses > 0 && self.session(name)?.pauses > 0;
        if may_pause && self.delivery == Delivery::Segments && self.deliver_paused(name, bytes)? {
            self.pauses -= 1;
            self.session_mut(name)?.pauses -= 1;
            return Ok(());
        }
        self.deliver_at_once(name, bytes)
    }

    /// The same without pauses.
    pub(super) fn deliver_at_once(&mut self, name: &str, bytes: &[u8]) -> StepResult {
        let cuts = match self.delivery {
            Delivery::Whole => Vec::new(),
            Delivery::Bytes => delivery::cuts_of_bytes(bytes.len()),
            Delivery::Segments => delivery::cuts_of_segments(self.schema(), bytes),
            Delivery::Joined => {
                let session = self.session_mut(name)?;
                session.held.extend_from_slice(bytes);
                if session.held.len() > HELD {
                    session.release();
                }
                return Ok(());
            }
        };
        self.session(name)?.connection.send_pieces(delivery::cut(bytes, &cuts, None));
        Ok(())
    }

    /// Sends bytes in segments, with a pause before another one each time. False: there is no place for one, and nothing was sent.
    fn deliver_paused(&mut self, name: &str, bytes: &[u8]) -> StepResult<bool> {
        let cuts = delivery::cuts_of_segments(self.schema(), bytes);
        if cuts.is_empty() {
            return Ok(false);
        }
        let paused = self.turn % cuts.len();
        self.turn += 1;
        self.session(name)?.connection.send_pieces(delivery::cut(bytes, &cuts, Some(paused)));
        Ok(true)
    }

    /// Sends what has been held back: before anything is awaited or done that is not sending.
    pub(super) fn release(&mut self) {
        if self.delivery == Delivery::Joined {
            self.sessions.values_mut().for_each(Session::release);
        }
    }

    /// Plays a case of delivery.
    pub(super) fn deliveries(&mut self, case: &DeliveryCase) -> StepResult {
        let payloads = case.payloads(self.schema()).map_err(|problem| Stop::Harness(problem.to_string()))?;
        self.delivery = case.delivery;
        let result = match (case.id.rsplit('/').next(), case.delivery) {
            (Some("handshake"), _) => self.handshakes(),
            (_, Delivery::Segments) => self.side_by_side(&payloads),
            _ => self.one_after_the_other(case.delivery, &payloads),
        };
        if matches!(&result, Err(Stop::Broken(broken)) if broken.cause != Cause::Crash) {
            self.inner_cite = Some(case.delivery.requirement().to_owned());
        }
        result?;
        self.delivery = Delivery::Whole;
        self.join_plainly("late")?;
        self.fence(&one("late"))?;
        self.finish()
    }

    /// In both roles, and where there are pauses with one at every segment of every message.
    fn handshakes(&mut self) -> StepResult {
        let turns = if self.delivery == Delivery::Segments { CUTS_OF_A_HANDSHAKE } else { 1 };
        self.join_plainly("good")?;
        for turn in 0..turns {
            (self.turn, self.pauses) = (turn, PAUSES_OF_A_CASE);
            self.rename_judged(2 * turn)?;
            let connection = self.open("n", TlsChoice::Any)?;
            self.add_session("m".to_owned(), Session::new(connection, "m", "n"));
            // PING comes with REPLY where frames are joined.
            self.initiate("m", None, HandshakeStep::Reply)?;
            self.fence(&one("m"))?;
            self.rename_judged(2 * turn + 1)?;
            let name = self.peer("m")?.name.clone();
            self.send_message("good", "PEER_LIST", &json!({"peers": [{ "name": name }]}))?;
            let incoming = self.incoming("n", "m")?;
            let connection = incoming
                .tls(ServerOptions::default(), self.deadline)
                .map_err(|error| Stop::from(Stop::broken(Cause::EarlyClose, error.to_string()).blames("FRAME-2")))?;
            self.add_session("m".to_owned(), Session::new(connection, "m", "n"));
            (self.turn, self.pauses) = (turn, PAUSES_OF_A_CASE);
            self.respond("m", None, HandshakeStep::Ack)?;
            self.fence(&one("m"))?;
        }
        Ok(())
    }

    /// Each payload followed by a PING, all on one session. Where frames are joined they all come in one write.
    fn one_after_the_other(&mut self, delivery: Delivery, payloads: &[(String, Vec<u8>)]) -> StepResult {
        self.join_plainly("m")?;
        let mut pongs = Vec::new();
        for (index, (vector, payload)) in payloads.iter().enumerate() {
            pongs.push(self.deliver_with_ping("m", payload, index)?);
            if delivery != Delivery::Joined {
                self.fence(&one("m")).map_err(|stop| named(stop, vector))?;
            }
        }
        self.fence(&one("m"))?;
        self.all_came("m", &pongs)
    }

    /// Each payload with a pause at each of its segments in turn; sessions wait side by side.
    fn side_by_side(&mut self, payloads: &[(String, Vec<u8>)]) -> StepResult {
        let mut sends: Vec<(&Vec<u8>, usize)> = Vec::new();
        for (_, payload) in payloads {
            let cuts = delivery::cuts_of_segments(self.schema(), &frame(payload)).len();
            sends.extend((0..cuts).map(|turn| (payload, turn)));
        }
        let sessions: Vec<String> = (0..SIDE_BY_SIDE.min(sends.len())).map(|index| format!("m{index:02}")).collect();
        let mut pongs = vec![Vec::new(); sessions.len()];
        for (index, name) in sessions.iter().enumerate() {
            self.delivery = Delivery::Whole;
            self.rename_judged(index)?;
            let connection = self.open("n", TlsChoice::Any)?;
            self.add_session(name.clone(), Session::new(connection, "m", "n"));
            self.initiate(name, None, HandshakeStep::Ack)?;
            self.delivery = Delivery::Segments;
            for (payload, turn) in sends.iter().skip(index).step_by(sessions.len()) {
                (self.turn, self.pauses) = (*turn, PAUSES_OF_A_CASE);
                self.session_mut(name)?.pauses = 1;
                let number = pongs[index].len();
                pongs[index].push(self.deliver_with_ping(name, payload, number)?);
            }
        }
        for (name, pongs) in sessions.iter().zip(&pongs) {
            self.fence(&one(name))?;
            self.all_came(name, pongs)?;
        }
        Ok(())
    }

    /// Sends a payload and a PING; returns the PONG.
    fn deliver_with_ping(&mut self, name: &str, payload: &[u8], number: usize) -> StepResult<Vec<u8>> {
        self.deliver(name, &frame(payload))?;
        let nonce = (number as u64).to_be_bytes();
        self.deliver_at_once(name, &frame(&[&[0xF0], &nonce[..]].concat()))?;
        Ok([&[0xF1], &nonce[..]].concat())
    }

    /// All PONGs have come, in order, among whatever else.
    fn all_came(&mut self, name: &str, pongs: &[Vec<u8>]) -> StepResult {
        let unread = std::mem::take(&mut self.session_mut(name)?.unread);
        let mut awaited = pongs.iter().peekable();
        for payload in &unread {
            awaited.next_if(|pong| *pong == payload);
        }
        match awaited.next() {
            None => Ok(()),
            Some(missing) => Err(Stop::broken(Cause::MissingFrame, format!("a PING on `{name}` was not answered"))
                .expected(format!("PONG nonce={}, after the {} before it", hex::encode(&missing[1..]), pongs.len()))
                .into()),
        }
    }

    fn join_plainly(&mut self, name: &str) -> StepResult {
        let connection = self.open("n", TlsChoice::Any)?;
        self.add_session(name.to_owned(), Session::new(connection, name, "n"));
        self.initiate(name, None, HandshakeStep::Ack)
    }

    /// Gives the peer whose connections are judged another name at the same port, so that no connection is in another's way.
    pub(super) fn rename_judged(&mut self, number: usize) -> StepResult {
        let port = self.peer("m")?.port.address();
        if let Some(peer) = self.peers.get_mut("m") {
            peer.name = format!("m{number:03}@{port}");
        }
        Ok(())
    }
}

fn one(session: &str) -> Sessions {
    Sessions::One(session.to_owned())
}

fn named(stop: Stop, vector: &str) -> Stop {
    match stop {
        Stop::Broken(mut broken) => {
            broken.sentence = format!("behind the vector {vector}: {}", broken.sentence);
            Stop::Broken(broken)
        }
        stop => stop,
    }
}
