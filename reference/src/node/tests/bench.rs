//! One node and the scripted ends of its connections.

use std::time::{Duration, Instant};

use crate::{
    node::{
        Answer, Command, CommandError, ConnId, Entropy, Event, Identity, Input, Node, Output, Role, SpawnRequest,
        Timings, Token,
    },
    wire::{
        Creation, Message, NodeName,
        handshake::{Challenge, ChallengeMessage, Cookie, Name, Reply},
        message::Phase,
    },
};

/// Bytes that never repeat.
#[derive(Default)]
pub(super) struct Counter(u64);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        bytes.fill(0xee);
        bytes[..8].copy_from_slice(&self.0.to_le_bytes());
    }
}

pub(super) fn cookie() -> Cookie {
    Cookie::new(b"secret".to_vec()).unwrap()
}

pub(super) fn identity(name: &str, creation: u8) -> Identity {
    Identity {
        name: NodeName::parse(name).unwrap(),
        creation: Creation::new(creation).unwrap(),
        cookie: cookie(),
        timings: Timings::default(),
    }
}

/// The payloads that `outputs` send to `conn`; tables become their frames.
pub(super) fn frames_to(conn: ConnId, outputs: Vec<Output>) -> Vec<Vec<u8>> {
    outputs
        .into_iter()
        .flat_map(|output| match output {
            Output::Send(to, payload) if to == conn => vec![payload.to_vec()],
            Output::SendLate(to, message) if to == conn => vec![message.encode().unwrap()],
            Output::Sync(to, stream) if to == conn => stream.collect(),
            _ => vec![],
        })
        .collect()
}

pub(super) fn challenge_of(outputs: Vec<Output>, conn: ConnId) -> Challenge {
    let frames = frames_to(conn, outputs);
    match Message::decode(Phase::Handshake, &frames[0]).unwrap().0 {
        Message::Challenge(message) => message.challenge,
        Message::Reply(reply) => reply.challenge,
        other => panic!("{other:?} has no challenge"),
    }
}

pub(super) struct Bench {
    pub(super) node: Node,
    pub(super) now: Instant,
    entropy: Counter,
    accepted: u64,
    tokens: u64,
}

impl Bench {
    /// A started node with creation 9.
    pub(super) fn new(name: &str) -> Self {
        let mut bench =
            Self { node: Node::new(), now: Instant::now(), entropy: Counter::default(), accepted: 0, tokens: 0 };
        bench.input(Input::Start(identity(name, 9)));
        bench
    }

    pub(super) fn input(&mut self, input: Input) -> Vec<Output> {
        self.node.handle(input, self.now, &mut self.entropy)
    }

    pub(super) fn pass(&mut self, time: Duration) -> Vec<Output> {
        self.now += time;
        self.input(Input::Tick)
    }

    pub(super) fn command(&mut self, command: Command) -> (Option<Result<Answer, CommandError>>, Vec<Output>) {
        self.tokens += 1;
        let token = Token(self.tokens);
        let outputs = self.input(Input::Command(token, command));
        let answer = outputs.iter().find_map(|output| match output {
            Output::Reply(to, result) if *to == token => Some(result.clone()),
            _ => None,
        });
        (answer, outputs)
    }

    pub(super) fn accept(&mut self) -> ConnId {
        self.accepted += 1;
        let conn = ConnId { role: Role::Accepted, serial: self.accepted };
        self.input(Input::Accepted(conn));
        conn
    }

    pub(super) fn frame(&mut self, conn: ConnId, payload: Vec<u8>) -> Vec<Output> {
        self.input(Input::Frame(conn, payload))
    }

    pub(super) fn name(&mut self, conn: ConnId, name: &str, creation: u8) -> Vec<Output> {
        self.frame(conn, Name { name, creation }.encode().unwrap())
    }

    pub(super) fn reply(&mut self, conn: ConnId, challenge: Challenge) -> Vec<Output> {
        let reply = Reply { proof: cookie().prove(&challenge), challenge: [0xaa; 32] };
        self.frame(conn, reply.encode().unwrap())
    }

    /// Starts a connection up to CHALLENGE.
    pub(super) fn named(&mut self, name: &str, creation: u8) -> (ConnId, Challenge) {
        let conn = self.accept();
        let outputs = self.name(conn, name, creation);
        (conn, challenge_of(outputs, conn))
    }

    /// A whole session that the peer has opened, and what the node did at its start.
    pub(super) fn session(&mut self, name: &str, creation: u8) -> (ConnId, Vec<Output>) {
        let (conn, challenge) = self.named(name, creation);
        let outputs = self.reply(conn, challenge);
        assert_eq!(self.node.phase(conn), Some(Phase::Session));
        (conn, outputs)
    }

    /// A dial that the node makes, up to NAME.
    pub(super) fn dial(&mut self, name: &str) -> ConnId {
        let (_, outputs) = self.command(Command::Connect(NodeName::parse(name).unwrap()));
        let conn = dials(&outputs)[0];
        self.input(Input::Dialled(conn));
        conn
    }

    pub(super) fn challenge(&mut self, conn: ConnId, name: &str, creation: u8, challenge: Challenge) -> Vec<Output> {
        self.frame(conn, ChallengeMessage { name, creation, challenge }.encode().unwrap())
    }
}

pub(super) fn dials(outputs: &[Output]) -> Vec<ConnId> {
    let dial = |output: &Output| match output {
        Output::Dial { conn, .. } => Some(*conn),
        _ => None,
    };
    outputs.iter().filter_map(dial).collect()
}

pub(super) fn closes(outputs: &[Output], conn: ConnId) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Close(closed, _) if *closed == conn))
}

pub(super) fn events(outputs: &[Output]) -> Vec<String> {
    let word = |output: &Output| match output {
        Output::Event(Event::SessionOpened(node, creation)) => Some(format!("+{node}/{}", creation.get())),
        Output::Event(Event::SessionClosed(node, creation)) => Some(format!("-{node}/{}", creation.get())),
        _ => None,
    };
    outputs.iter().filter_map(word).collect()
}

/// Wants a process that lives until it is ended.
pub(super) fn collector() -> Command {
    Command::Spawn(SpawnRequest { function: "collector".into(), ..SpawnRequest::default() })
}
