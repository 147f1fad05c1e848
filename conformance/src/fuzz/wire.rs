//! A run over real sockets: near-misses at each step of the handshake, and anything at all within sessions. Whatever comes, the node lives, a
//! good peer joins, nobody is let in without a proof, and a session ends for a length over the limit alone.

use std::time::Instant;

use super::choices::Choices;
use super::compare::Disagreement;
use super::finding::{Finding, blamed, explanation};
use super::generator::Generator;
use super::input::{Input, Target};
use super::mutations::change;
use super::opponent::{Opponent, PATIENCE, random};
use super::run::{Limit, Outcome, Plan};
use crate::codec::{Decoded, Segment, decode};
use crate::peer::{Connection, Phase as PeerPhase, Received};
use crate::runner::Environment;
use crate::schema::{Phase, Schema};

/// So many inputs between two good peers.
const BETWEEN: u64 = 40;
/// Lists cause no more dials than this in one run: a node may bound them in time (RES-3).
const DIALS: u64 = 120;
/// Where no limit is given in numbers, time alone would be a flood.
const MOST: u64 = 200_000;

/// Fuzzes one target of the wire.
///
/// # Errors
/// A message when the node cannot be started.
pub fn run(plan: &Plan<'_>, environment: &Environment, target: Target) -> Result<Outcome, String> {
    let start = Instant::now();
    let Limit { count, time } = plan.limit;
    let mut generator = Generator::new(plan.schema, plan.seeds, target, plan.seed);
    let mut opponent = Opponent::start(environment)?;
    let mut attack = Attack { plan, opponent: &mut opponent, good: None, dials: 0 };
    let mut inputs = 0;
    let mut findings = Vec::new();
    while inputs < count.unwrap_or(MOST) && time.is_none_or(|time| start.elapsed() < time) {
        let left = count.map_or(BETWEEN, |count| (count - inputs).min(BETWEEN));
        let outcome = match target {
            Target::Handshake => attack.handshakes(&mut generator, left),
            _ => attack.session(&mut generator, left),
        };
        inputs += left;
        if let Err(broken) = outcome {
            findings.push(finding(plan, target, inputs, broken));
            break;
        }
    }
    Ok(Outcome { target, inputs, elapsed: start.elapsed(), findings })
}

/// What the node did, and over what.
struct Broken {
    what: &'static str,
    requirement: &'static str,
    sentence: String,
    phase: Phase,
    payload: Vec<u8>,
}

fn finding(plan: &Plan<'_>, target: Target, number: u64, broken: Broken) -> Finding {
    let Broken { what, requirement, sentence, phase, payload } = broken;
    let whole = payload.len();
    let input = Input { target, phase, bytes: payload };
    let explanation = format!("{}\n{}", blamed(plan.spec, requirement), explanation(plan.schema, &input));
    let repeat = vec![format!("{} --target {target} --seed {} --count {number}", plan.repeat, plan.seed)];
    let disagreement = Disagreement { what, requirement: requirement.to_owned(), sentence };
    Finding { input, whole, number: Some(number), disagreement, explanation, repeat }
}

struct Attack<'a, 'e> {
    plan: &'a Plan<'a>,
    opponent: &'a mut Opponent<'e>,
    /// A session that nobody attacks.
    good: Option<Connection>,
    dials: u64,
}

impl Attack<'_, '_> {
    /// The node lives, the good session is served, and another good peer joins.
    fn still_well(&mut self, choices: &mut Choices, phase: Phase, payload: &[u8]) -> Result<(), Broken> {
        let well = (|| {
            if let Some(good) = &self.good {
                self.opponent.fence(good, choices)?;
            }
            let joined = self.opponent.join(choices)?;
            self.opponent.fence(&joined, choices)?;
            // The older one goes, so that its end is survived, too.
            self.good = Some(joined);
            Ok(())
        })();
        well.map_err(|why: String| self.broken("FRAME-21", why, phase, payload))
    }

    fn broken(&self, requirement: &'static str, why: String, phase: Phase, payload: &[u8]) -> Broken {
        let (what, requirement, sentence) = match self.opponent.ended() {
            Some(ended) => ("crash", "FRAME-21", ended),
            None => ("wire", requirement, why),
        };
        Broken { what, requirement, sentence, phase, payload: payload.to_vec() }
    }

    /// Near-misses of handshakes, in both roles.
    fn handshakes(&mut self, generator: &mut Generator<'_>, count: u64) -> Result<(), Broken> {
        self.still_well(&mut generator.choices, Phase::Handshake, &[])?;
        let mut last = Vec::new();
        for _ in 0..count {
            let is_dial = self.dials < DIALS && generator.choices.one_in(4);
            self.dials += u64::from(is_dial);
            let step = generator.choices.below(2);
            match (is_dial, step) {
                (false, 0) => self.as_name(generator, &mut last)?,
                (false, _) => self.as_reply(generator, &mut last)?,
                (true, 0) => self.as_challenge(generator, &mut last)?,
                (true, _) => self.as_ack(generator, &mut last)?,
            }
        }
        self.still_well(&mut generator.choices, Phase::Handshake, &last)
    }

    /// In place of NAME: what is none is closed, and not answered.
    fn as_name(&mut self, generator: &mut Generator<'_>, last: &mut Vec<u8>) -> Result<(), Broken> {
        let connection = self.dialled_to(last)?;
        let name = self.opponent.peer();
        let payload = near_miss(self.plan.schema, generator, &self.opponent.name_message(&name));
        last.clone_from(&payload);
        connection.send_frame(&payload);
        let is_name = is_message(self.plan.schema, "NAME", &payload);
        match connection.next(Instant::now() + PATIENCE) {
            Received::Closed(_) => Ok(()),
            Received::Frame { .. } if is_name => Ok(()),
            Received::Frame { .. } => {
                Err(self.broken("HS-13", "what is no NAME was answered".to_owned(), Phase::Handshake, &payload))
            }
            Received::TimedOut => {
                let why = "what came for a NAME was neither answered nor closed in time".to_owned();
                Err(self.broken("HS-13", why, Phase::Handshake, &payload))
            }
        }
    }

    /// In place of REPLY: only the right proof is answered.
    fn as_reply(&mut self, generator: &mut Generator<'_>, last: &mut Vec<u8>) -> Result<(), Broken> {
        let connection = self.dialled_to(last)?;
        let name = self.opponent.peer();
        connection.send_frame(&self.opponent.name_message(&name));
        let theirs = self.opponent.challenge_of(&connection, "CHALLENGE");
        let theirs = theirs.map_err(|why| self.broken("HS-6", why, Phase::Handshake, last))?;
        let own = random(&mut generator.choices);
        let payload = near_miss(self.plan.schema, generator, &self.opponent.reply(&theirs, &own));
        last.clone_from(&payload);
        let is_right = self.opponent.proves("REPLY", &payload, &theirs);
        connection.set_phase(PeerPhase::Session);
        connection.send_frame(&payload);
        match connection.next(Instant::now() + PATIENCE) {
            Received::Closed(_) if !is_right => Ok(()),
            Received::Frame { .. } if is_right => Ok(()),
            // The challenge in it may be one that the node has sent itself (HS-27).
            Received::Closed(_) => Ok(()),
            Received::Frame { .. } => {
                Err(self.broken("HS-9", "a wrong REPLY was answered".to_owned(), Phase::Handshake, &payload))
            }
            Received::TimedOut => {
                let why = "a REPLY was neither answered nor closed in time".to_owned();
                Err(self.broken("HS-9", why, Phase::Handshake, &payload))
            }
        }
    }

    /// In place of CHALLENGE.
    fn as_challenge(&mut self, generator: &mut Generator<'_>, last: &mut Vec<u8>) -> Result<(), Broken> {
        let (connection, name) = self.dialled_by(last)?;
        let right = self.opponent.challenge(&name, &random(&mut generator.choices));
        let payload = near_miss(self.plan.schema, generator, &right);
        last.clone_from(&payload);
        connection.send_frame(&payload);
        let is_challenge = is_message(self.plan.schema, "CHALLENGE", &payload);
        match connection.next(Instant::now() + PATIENCE) {
            Received::Closed(_) => Ok(()),
            Received::Frame { .. } if is_challenge => Ok(()),
            Received::Frame { .. } => {
                Err(self.broken("HS-13", "what is no CHALLENGE was answered".to_owned(), Phase::Handshake, &payload))
            }
            Received::TimedOut => {
                let why = "what came for a CHALLENGE was neither answered nor closed in time".to_owned();
                Err(self.broken("HS-13", why, Phase::Handshake, &payload))
            }
        }
    }

    /// In place of ACK: nothing is said to whom has not proved anything.
    fn as_ack(&mut self, generator: &mut Generator<'_>, last: &mut Vec<u8>) -> Result<(), Broken> {
        let (connection, name) = self.dialled_by(last)?;
        connection.send_frame(&self.opponent.challenge(&name, &random(&mut generator.choices)));
        let theirs = self.opponent.challenge_of(&connection, "REPLY");
        let theirs = theirs.map_err(|why| self.broken("HS-7", why, Phase::Handshake, last))?;
        let payload = near_miss(self.plan.schema, generator, &self.opponent.ack(&theirs));
        last.clone_from(&payload);
        let is_right = self.opponent.proves("ACK", &payload, &theirs);
        connection.set_phase(PeerPhase::Session);
        connection.send_frame(&payload);
        if is_right {
            let served = self.opponent.fence(&connection, &mut generator.choices);
            return served.map_err(|why| self.broken("HS-15", why, Phase::Handshake, &payload));
        }
        match connection.next(Instant::now() + PATIENCE) {
            Received::Closed(_) => Ok(()),
            Received::Frame { .. } => {
                let why = "something was said to a peer whose ACK is wrong".to_owned();
                Err(self.broken("HS-10", why, Phase::Handshake, &payload))
            }
            Received::TimedOut => {
                Err(self.broken("HS-10", "a wrong ACK was not closed in time".to_owned(), Phase::Handshake, &payload))
            }
        }
    }

    fn dialled_to(&self, last: &[u8]) -> Result<Connection, Broken> {
        self.opponent.dial().map_err(|why| self.broken("FRAME-21", why, Phase::Handshake, last))
    }

    fn dialled_by(&mut self, last: &[u8]) -> Result<(Connection, String), Broken> {
        let dialled = match &self.good {
            Some(good) => self.opponent.dialled(good),
            None => Err("there is no session to list a name in".to_owned()),
        };
        dialled.map_err(|why| self.broken("MEM-6", why, Phase::Handshake, last))
    }

    /// Anything in a session, which outlives it.
    fn session(&mut self, generator: &mut Generator<'_>, count: u64) -> Result<(), Broken> {
        let joined = self.opponent.join(&mut generator.choices);
        let session = joined.map_err(|why| self.broken("FRAME-21", why, Phase::Session, &[]))?;
        let payloads: Vec<Vec<u8>> = std::iter::repeat_with(|| generator.payload().1)
            .filter(|payload| !dials(payload))
            .take(count as usize)
            .collect();
        for payload in &payloads {
            session.send_frame(payload);
        }
        if let Err(why) = self.opponent.fence(&session, &mut generator.choices) {
            return Err(self.culprit(generator, &payloads, why));
        }
        self.still_well(&mut generator.choices, Phase::Session, payloads.last().map_or(&[], Vec::as_slice))
    }

    /// The one of many payloads that a session does not survive alone, if there is one.
    fn culprit(&mut self, generator: &mut Generator<'_>, payloads: &[Vec<u8>], why: String) -> Broken {
        let last = payloads.last().map_or(&[][..], Vec::as_slice);
        let broken = self.broken("FRAME-21", why, Phase::Session, last);
        if broken.what == "crash" {
            return broken;
        }
        for payload in payloads {
            let Ok(session) = self.opponent.join(&mut generator.choices) else { continue };
            session.send_frame(payload);
            if let Err(why) = self.opponent.fence(&session, &mut generator.choices) {
                let requirement = match decode(self.plan.schema, Phase::Session, payload) {
                    Ok(Decoded { message, .. }) if message.left_over.is_empty() => "FRAME-21",
                    Ok(_) => "FRAME-20",
                    Err(error) => match error.kind {
                        crate::codec::DecodeErrorKind::Empty => "FRAME-15",
                        crate::codec::DecodeErrorKind::UnknownTag(_) => "FRAME-17",
                        crate::codec::DecodeErrorKind::InvalidUtf8 { .. } => "FRAME-19",
                        _ => "FRAME-18",
                    },
                };
                return self.broken(requirement, why, Phase::Session, payload);
            }
        }
        broken
    }
}

/// A right message, changed, or anything else; of the handshake's length, now and then just over it.
fn near_miss(schema: &Schema, generator: &mut Generator<'_>, right: &[u8]) -> Vec<u8> {
    if generator.choices.one_in(5) {
        return generator.payload().1;
    }
    let mut segments: Vec<Segment> =
        decode(schema, Phase::Handshake, right).map(|decoded| decoded.segments).unwrap_or_default();
    for _ in 0..1 + generator.choices.below(2) {
        change(&mut segments, &[], &mut generator.choices);
    }
    segments.iter().flat_map(|segment| &segment.bytes).copied().collect()
}

fn is_message(schema: &Schema, name: &str, payload: &[u8]) -> bool {
    matches!(decode(schema, Phase::Handshake, payload), Ok(Decoded { message, .. }) if message.name == name)
}

/// Whether a node might dial what stands in it: no traffic leaves this machine.
fn dials(payload: &[u8]) -> bool {
    const PEER_LIST: u8 = 0x12;
    payload.first() == Some(&PEER_LIST) && payload.contains(&b'@')
}
