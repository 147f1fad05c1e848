//! Several nodes, wired to each other in memory; which wire moves next is chosen by a seed.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use super::bench::{Counter, identity};
use crate::{
    node::{Answer, Command, CommandError, ConnId, Event, Input, Node, Output, Role, Token},
    wire::NodeName,
};

type End = (usize, ConnId);

pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    names: Vec<String>,
    now: Instant,
    entropy: Counter,
    other_end: BTreeMap<End, End>,
    wires: BTreeMap<End, VecDeque<Input>>,
    pub(super) replies: BTreeMap<(usize, Token), Result<Answer, CommandError>>,
    pub(super) events: Vec<Vec<Event>>,
    serial: u64,
    random: u64,
}

impl World {
    pub(super) fn new(names: &[&str], seed: u64) -> Self {
        let mut world = Self {
            nodes: Vec::new(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            now: Instant::now(),
            entropy: Counter::default(),
            other_end: BTreeMap::new(),
            wires: BTreeMap::new(),
            replies: BTreeMap::new(),
            events: vec![Vec::new(); names.len()],
            serial: 0,
            random: seed.wrapping_mul(2).wrapping_add(1),
        };
        for (number, name) in names.iter().enumerate() {
            world.nodes.push(Node::new());
            world.input(number, Input::Start(identity(name, 1 + number as u8)));
        }
        world
    }

    pub(super) fn command(&mut self, node: usize, command: Command) -> Token {
        self.serial += 1;
        let token = Token(self.serial);
        self.input(node, Input::Command(token, command));
        token
    }

    pub(super) fn connect(&mut self, from: usize, to: usize) -> Token {
        let name = NodeName::parse(&self.names[to]).unwrap();
        self.command(from, Command::Connect(name))
    }

    pub(super) fn answer(&mut self, node: usize, command: Command) -> Result<Answer, CommandError> {
        let token = self.command(node, command);
        self.replies[&(node, token)].clone()
    }

    pub(super) fn peers(&mut self, node: usize) -> Vec<String> {
        match self.answer(node, Command::Nodes) {
            Ok(Answer::Nodes(nodes)) => nodes.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// Moves one thing over some wire; false when nothing is under way.
    pub(super) fn step(&mut self) -> bool {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let busy: Vec<End> = self.wires.iter().filter(|(_, wire)| !wire.is_empty()).map(|(end, _)| *end).collect();
        if busy.is_empty() {
            return false;
        }
        let end = busy[(self.random >> 33) as usize % busy.len()];
        if let Some(input) = self.wires.get_mut(&end).and_then(VecDeque::pop_front) {
            self.input(end.0, input);
        }
        true
    }

    pub(super) fn settle(&mut self) {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 100_000, "the world does not come to rest");
        }
    }

    fn input(&mut self, node: usize, input: Input) {
        for output in self.nodes[node].handle(input, self.now, &mut self.entropy) {
            self.perform(node, output);
        }
    }

    fn perform(&mut self, node: usize, output: Output) {
        match output {
            Output::Dial { conn, port, .. } => self.dial((node, conn), port),
            Output::Send(conn, payload) => self.send((node, conn), Vec::from(&*payload)),
            Output::SendLate(conn, message) => self.send((node, conn), message.encode().unwrap()),
            Output::Sync(conn, stream) => stream.for_each(|payload| self.send((node, conn), payload)),
            Output::Close(conn, _) => {
                self.wires.remove(&(node, conn));
                if let Some(other) = self.other_end.remove(&(node, conn)) {
                    self.wires.entry(other).or_default().push_back(Input::Closed(other.1));
                }
            }
            Output::Reply(token, result) => drop(self.replies.insert((node, token), result)),
            Output::Event(event) => self.events[node].push(event),
            Output::Deliver { report, .. } => {
                if let Some(report) = report {
                    self.input(node, Input::Delivered { report, failed: 0 });
                }
            }
        }
    }

    fn dial(&mut self, from: End, port: u16) {
        let target = self.names.iter().position(|name| name.ends_with(&format!(":{port}")));
        let Some(target) = target else {
            let failed = Input::DialFailed(from.1, "refused".into());
            return self.wires.entry(from).or_default().push_back(failed);
        };
        self.serial += 1;
        let to = (target, ConnId { role: Role::Accepted, serial: self.serial });
        self.other_end.insert(from, to);
        self.other_end.insert(to, from);
        self.wires.entry(to).or_default().push_back(Input::Accepted(to.1));
        self.wires.entry(from).or_default().push_back(Input::Dialled(from.1));
    }

    fn send(&mut self, from: End, payload: Vec<u8>) {
        if let Some(to) = self.other_end.get(&from).copied()
            && self.other_end.contains_key(&to)
        {
            self.wires.entry(to).or_default().push_back(Input::Frame(to.1, payload));
        }
    }
}
