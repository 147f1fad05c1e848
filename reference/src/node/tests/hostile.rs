//! Peers that send anything, in any order and at any step: nobody is let in without a proof, nothing is said before one, nothing is said to
//! connections that are gone, and each name has one session at most. `anything.rs` looks at what good peers are told.

use std::{collections::BTreeSet, time::Duration};

use bolero::TypeGenerator;

use super::{Bench, anything::Choices, bench::cookie, challenge_of};
use crate::{
    node::{ConnId, Event, Input, Output, Role},
    seeds::{Change, Changed, SEEDS, changed},
    wire::{
        Message, NodeName,
        handshake::{Ack, Challenge, ChallengeMessage, Name, Reply},
        message::Phase,
    },
};

const TRIED: usize = 1_500;

/// A right message, changed, cut into the parts of its layout.
fn near_miss(payload: &[u8], changes: &[Change]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = match payload[0] {
        1 | 2 => {
            let name = 3 + usize::from(payload[1]);
            [&payload[..1], &payload[1..3], &payload[3..name], &payload[name..name + 1], &payload[name + 1..]]
                .map(<[u8]>::to_vec)
                .to_vec()
        }
        _ => payload[..1].chunks(1).chain(payload[1..].chunks(32)).map(<[u8]>::to_vec).collect(),
    };
    changed(changes, &SEEDS.payloads, &parts)
}

/// Whether this is what is awaited from a peer that was sent `challenge` by a node in that role.
fn proves(role: Role, payload: &[u8], challenge: &Challenge) -> bool {
    match (role, Message::decode(Phase::Handshake, payload)) {
        (Role::Accepted, Ok((Message::Reply(reply), _))) => cookie().verifies(challenge, &reply.proof),
        (Role::Dialled, Ok((Message::Ack(ack), _))) => cookie().verifies(challenge, &ack.proof),
        _ => false,
    }
}

fn opens(outputs: &[Output]) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Event(Event::SessionOpened(..))))
}

/// As an acceptor: a NAME and a REPLY that are right, but for some changes.
#[test]
fn nobody_is_let_in_without_a_proof() {
    type Shape = (Vec<Change>, Vec<Change>, [u8; 32], bool);
    bolero::check!().with_type::<Shape>().with_iterations(TRIED).for_each(|(first, second, guess, is_guess)| {
        let mut bench = Bench::new("m@h");
        let conn = bench.accept();
        let name = near_miss(&Name { name: "p@h", creation: 3 }.encode().unwrap(), first);
        let outputs = bench.frame(conn, name.clone());
        assert!(!opens(&outputs));
        let is_name = matches!(Message::decode(Phase::Handshake, &name), Ok((Message::Name(_), _)));
        let is_answered = outputs.iter().any(|output| matches!(output, Output::Send(..)));
        assert!(is_name || !is_answered);
        if !is_answered {
            assert_eq!(bench.node.phase(conn), None, "what is not answered is closed");
            return;
        }
        let challenge = challenge_of(outputs, conn);
        let proof = if *is_guess { *guess } else { cookie().prove(&challenge) };
        let reply = near_miss(&Reply { proof, challenge: [7; 32] }.encode().unwrap(), second);
        let outputs = bench.frame(conn, reply.clone());
        let is_session = bench.node.phase(conn) == Some(Phase::Session);
        assert_eq!(is_session, proves(Role::Accepted, &reply, &challenge));
        assert_eq!((is_session, is_session), (opens(&outputs), !super::frames_to(conn, outputs).is_empty()));
    });
}

/// As an initiator: a CHALLENGE and an ACK.
#[test]
fn nobody_is_believed_without_a_proof() {
    type Shape = (Vec<Change>, Vec<Change>, [u8; 32]);
    bolero::check!().with_type::<Shape>().with_iterations(TRIED).for_each(|(first, second, theirs)| {
        let mut bench = Bench::new("m@h");
        let conn = bench.dial("p@h");
        let right = ChallengeMessage { name: "p@h", creation: 3, challenge: *theirs }.encode().unwrap();
        let outputs = bench.frame(conn, near_miss(&right, first));
        assert!(!opens(&outputs));
        if bench.node.phase(conn).is_none() {
            return assert!(super::frames_to(conn, outputs).is_empty());
        }
        let challenge = challenge_of(outputs, conn);
        let ack = near_miss(&Ack { proof: cookie().prove(&challenge) }.encode().unwrap(), second);
        let outputs = bench.frame(conn, ack.clone());
        assert_eq!(opens(&outputs), proves(Role::Dialled, &ack, &challenge));
        assert_eq!(bench.node.phase(conn).is_some(), proves(Role::Dialled, &ack, &challenge));
    });
}

#[derive(Clone, Debug, TypeGenerator)]
enum Move {
    Accept,
    Dial(u8),
    Dialled(u8),
    DialFailed(u8),
    Name { conn: u8, peer: u8, creation: u8 },
    Challenge { conn: u8, peer: u8, creation: u8 },
    Proof { conn: u8 },
    Vector { conn: u8, payload: Changed },
    Message { conn: u8, seed: u64 },
    Command(u64),
    Session(u8),
    Closed(u8),
    Tick(u16),
}

/// A node, and all connections that it was told of or has asked for.
struct Siege {
    bench: Bench,
    live: BTreeSet<ConnId>,
    all: Vec<ConnId>,
    /// What each of them was last asked.
    challenges: Vec<(ConnId, Challenge)>,
}

impl Siege {
    fn conn(&self, index: u8) -> Option<ConnId> {
        // Mostly new ones.
        let count = self.all.len();
        (count > 0).then(|| self.all[count - 1 - usize::from(index) % count])
    }

    fn add(&mut self, conn: ConnId) {
        self.live.insert(conn);
        self.all.push(conn);
    }

    /// Looks at what the node wants done.
    fn look(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Dial { conn, .. } => {
                    assert!(!self.all.contains(&conn), "{conn:?} twice");
                    self.add(conn);
                }
                Output::Send(conn, payload) => self.said(conn, &payload),
                Output::SendLate(conn, message) => self.said(conn, &message.encode().unwrap()),
                Output::Sync(conn, stream) => stream.for_each(|payload| self.said(conn, &payload)),
                Output::Close(conn, _) => assert!(self.live.remove(&conn), "{conn:?} is closed and was not open"),
                Output::Event(Event::SessionOpened(name, _)) => assert_ne!(name.as_str(), "m@h"),
                _ => {}
            }
        }
        let peers: Vec<_> = self.bench.node.session_views().into_iter().filter_map(|(_, view)| view.peer).collect();
        assert_eq!(peers.iter().collect::<BTreeSet<_>>().len(), peers.len(), "{peers:?}");
    }

    fn said(&mut self, conn: ConnId, payload: &[u8]) {
        assert!(self.live.contains(&conn), "something is said to {conn:?}, which is gone");
        match Message::decode(Phase::Handshake, payload) {
            Ok((Message::Challenge(message), _)) => self.challenges.push((conn, message.challenge)),
            Ok((Message::Reply(message), _)) => self.challenges.push((conn, message.challenge)),
            Ok(_) => {}
            // An ended session may have been one until now.
            Err(_) => assert_ne!(self.bench.node.phase(conn), Some(Phase::Handshake), "{payload:x?} is said too early"),
        }
    }

    fn make(&mut self, step: &Move) {
        let peer = |index: u8| ["p@h", "q@h", "a@h", "z@h"][usize::from(index) % 4];
        let bench = &mut self.bench;
        let outputs = match step {
            Move::Accept => {
                let conn = bench.accept();
                return self.add(conn);
            }
            Move::Dial(to) => bench.command(crate::node::Command::Connect(NodeName::parse(peer(*to)).unwrap())).1,
            Move::Session(from) => {
                let conn = bench.accept();
                self.add(conn);
                for step in [Move::Name { conn: 0, peer: *from, creation: 3 }, Move::Proof { conn: 0 }] {
                    self.make(&step);
                }
                return;
            }
            Move::Command(seed) => bench.command(Choices(*seed).command()).1,
            Move::Tick(milliseconds) => bench.pass(Duration::from_millis(u64::from(*milliseconds) / 4)),
            Move::Dialled(conn)
            | Move::DialFailed(conn)
            | Move::Closed(conn)
            | Move::Name { conn, .. }
            | Move::Challenge { conn, .. }
            | Move::Proof { conn }
            | Move::Vector { conn, .. }
            | Move::Message { conn, .. } => match self.conn(*conn) {
                Some(conn) => self.at(conn, step, peer),
                None => return,
            },
        };
        self.look(outputs);
    }

    fn at(&mut self, conn: ConnId, step: &Move, peer: impl Fn(u8) -> &'static str) -> Vec<Output> {
        let payload = match step {
            Move::Dialled(_) => return self.bench.input(Input::Dialled(conn)),
            Move::DialFailed(_) => {
                self.live.remove(&conn);
                return self.bench.input(Input::DialFailed(conn, "refused".into()));
            }
            Move::Closed(_) => {
                self.live.remove(&conn);
                return self.bench.input(Input::Closed(conn));
            }
            Move::Name { peer: index, creation, .. } => {
                Name { name: peer(*index), creation: *creation }.encode().unwrap()
            }
            Move::Challenge { peer: index, creation, .. } => {
                let (name, challenge) = (peer(*index), [*creation; 32]);
                ChallengeMessage { name, creation: *creation, challenge }.encode().unwrap()
            }
            Move::Proof { .. } => {
                let asked = self.challenges.iter().rev().find(|(of, _)| *of == conn).map_or([0; 32], |asked| asked.1);
                let proof = cookie().prove(&asked);
                if conn.role == crate::node::Role::Accepted {
                    Reply { proof, challenge: [0xaa; 32] }.encode().unwrap()
                } else {
                    Ack { proof }.encode().unwrap()
                }
            }
            Move::Vector { payload, .. } => payload.bytes(&SEEDS.payloads).1,
            Move::Message { seed, .. } => Choices(*seed).message().encode().unwrap(),
            _ => return Vec::new(),
        };
        self.bench.frame(conn, payload)
    }
}

#[test]
fn no_order_of_things_confuses_the_node() {
    bolero::check!().with_type::<Vec<Move>>().with_iterations(TRIED).for_each(|steps| {
        let (live, all, challenges) = (BTreeSet::new(), Vec::new(), Vec::new());
        let mut siege = Siege { bench: Bench::new("m@h"), live, all, challenges };
        siege.make(&Move::Session(0));
        assert_eq!(siege.bench.node.session_views().len(), 1, "there is always somebody to be confused about");
        for step in steps {
            siege.make(step);
        }
    });
}
