//! A few nodes, and what is under way between them, as a state that can be copied and compared; and all that can happen
//! next. Chooses nothing.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::{self, Write},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Instant,
};

use super::attacker::Attacker;
use crate::{
    node::{
        Answer, Command, CommandError, ConnId, Entropy, Event, GlobalPid, Identity, Input, Node, Output, Role,
        SpawnRequest, Timings, Token,
    },
    wire::{
        Creation, LocalId, Message, NodeName, Payload, handshake::Cookie, message::Phase, process::Exit, reason::Root,
    },
};

/// A node by its number: 0 is A, 1 is B, 2 is C. The attacker stands behind them all.
pub(crate) type Place = usize;

/// One end of a connection.
pub(crate) type End = (Place, ConnId);

/// What comes to an end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Arrival {
    Accepted,
    Dialled,
    Frame(Payload),
    Closed,
}

/// What somebody does, or what befalls the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Connect(Place, Place),
    /// For a process of any node.
    Register(Place, &'static str, Process),
    Unregister(Place, &'static str),
    Spawn(Place),
    /// By a process of the first node, on the second, linked.
    SpawnLinked(Place, u64, Place),
    Link(Place, u64, Process),
    Ends(Process),
    Send(Place, Process),
    /// The connection between two nodes is lost.
    Cut(Place, Place),
    /// The node ends.
    Crash(Place),
    /// Under the same name, with this creation.
    Start(Place, u8),
}

/// A process by its node, its node's creation and its local id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Process(pub(crate) Place, pub(crate) u8, pub(crate) u64);

/// What the node that an input goes to has told and done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    pub(crate) events: Vec<Event>,
    pub(crate) replies: Vec<Result<Answer, CommandError>>,
    /// Whether the input has changed anything or caused anything.
    pub(crate) is_ignored: bool,
}

/// What has happened, as far as properties ask for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    /// Sessions that have begun, and that have ended, at each node.
    pub(crate) begun: BTreeMap<(Place, Place), u8>,
    pub(crate) ended: BTreeMap<(Place, Place), u8>,
    /// What each process was told over links: by whose end.
    pub(crate) exits: Vec<(Place, u64, String)>,
    /// Processes that have got a message.
    pub(crate) received: Vec<Process>,
    /// Callers that were told of a failure.
    pub(crate) failed: u8,
    /// Names that their nodes have registered, and not unregistered since.
    pub(crate) registered: BTreeMap<&'static str, Place>,
}

/// What is the same in all states of a cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ground {
    /// Dials from the first to the second hang.
    pub(crate) unreachable: Option<(Place, Place)>,
    /// A node that does not answer a LINK to a dead process (PROC-40 is no MUST).
    pub(crate) silent: Option<Place>,
}

/// A node that runs.
#[derive(Clone)]
struct Host {
    node: Node,
    creation: u8,
    entropy: Counter,
    /// Stands for the node's whole state.
    print: u64,
}

/// A state.
#[derive(Clone)]
pub(crate) struct Cluster {
    hosts: Vec<Option<Host>>,
    /// How often each node has been started, and with which creation last.
    runs: Vec<(u64, u8)>,
    names: Vec<NodeName>,
    wires: BTreeMap<End, (End, VecDeque<Arrival>)>,
    pub(crate) facts: Facts,
    pub(crate) attacker: Option<Attacker>,
    ground: Arc<Ground>,
    now: Instant,
}

/// Randomness that depends on nothing but the node and how often it has asked.
#[derive(Clone, Debug)]
struct Counter(u8, u64);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.1 += 1;
        bytes.fill(self.0);
        bytes[..8].copy_from_slice(&self.1.to_le_bytes());
    }
}

/// The cookie of all nodes.
pub(crate) fn cookie() -> Cookie {
    Cookie::new(b"secret".to_vec()).unwrap_or_else(|| unreachable!("not empty"))
}

/// The name of a node, or of the attacker behind them.
pub(crate) fn name(place: Place, nodes: usize) -> NodeName {
    let word = if place == nodes { 'M' } else { char::from(b'A' + place as u8) };
    let text = format!("{word}@h:{}", place + 1);
    NodeName::parse(&text).unwrap_or_else(|why| unreachable!("{text}: {why}"))
}

impl Cluster {
    /// Nodes that run and have no sessions.
    pub(crate) fn new(nodes: usize, ground: Ground, now: Instant) -> Self {
        let mut cluster = Self {
            hosts: vec![None; nodes],
            runs: vec![(0, 0); nodes],
            names: (0..=nodes).map(|place| name(place, nodes)).collect(),
            wires: BTreeMap::new(),
            facts: Facts::default(),
            attacker: None,
            ground: Arc::new(ground),
            now,
        };
        for place in 0..nodes {
            cluster.start(place, 1);
        }
        cluster
    }

    pub(crate) fn places(&self) -> std::ops::Range<Place> {
        0..self.hosts.len()
    }

    /// What a node is called in traces.
    pub(crate) fn called(&self, place: Place) -> &str {
        crate::simulation::words::node(self.names[place].as_str())
    }

    /// `None` when it has ended.
    pub(crate) fn node(&self, place: Place) -> Option<&Node> {
        self.hosts.get(place)?.as_ref().map(|host| &host.node)
    }

    /// Ends to which something is under way.
    pub(crate) fn busy(&self) -> Vec<End> {
        self.wires.iter().filter(|(_, (_, arrivals))| !arrivals.is_empty()).map(|(end, _)| *end).collect()
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.wires.values().all(|(_, arrivals)| arrivals.is_empty())
    }

    /// The other end, and what comes next to this one.
    pub(crate) fn next(&self, end: End) -> Option<(End, &Arrival)> {
        let (other, arrivals) = self.wires.get(&end)?;
        Some((*other, arrivals.front()?))
    }

    /// The ends that somebody has.
    pub(crate) fn ends(&self, place: Place) -> Vec<End> {
        self.wires.keys().filter(|(owner, _)| *owner == place).copied().collect()
    }

    pub(crate) fn other(&self, end: End) -> Option<End> {
        self.wires.get(&end).map(|(other, _)| *other)
    }

    /// The nodes with which a node has a session.
    pub(crate) fn peers(&self, place: Place) -> Vec<Place> {
        let views = self.node(place).map(Node::session_views).unwrap_or_default();
        let peers = views.into_iter().filter_map(|(_, view)| view.peer);
        peers.filter_map(|peer| self.names.iter().position(|name| *name == peer)).collect()
    }

    pub(crate) fn are_connected(&self, one: Place, other: Place) -> bool {
        self.peers(one).contains(&other) && self.peers(other).contains(&one)
    }

    /// Whose a name is, as a node sees it.
    pub(crate) fn owner(&self, place: Place, name: &str) -> Option<Process> {
        let pid = self.node(place)?.whereis(name)?;
        let owner = self.names.iter().position(|name| name.as_str() == pid.node)?;
        Some(Process(owner, pid.creation, pid.local.get()))
    }

    pub(crate) fn table(&self, place: Place) -> Vec<(String, String)> {
        let names = self.node(place).map(Node::names).unwrap_or_default();
        names.into_iter().map(|(name, pid)| (name.to_string(), pid.to_string())).collect()
    }

    pub(crate) fn is_alive(&self, process: Process) -> bool {
        let is_run = self.hosts[process.0].as_ref().is_some_and(|host| host.creation == process.1);
        is_run && self.node(process.0).is_some_and(|node| matches!(node.own_process(&self.pid(process)), Ok(Some(_))))
    }

    /// Whether a node has a session with the run in which a process lives.
    fn can_reach(&self, place: Place, process: Process) -> bool {
        let views = self.node(place).map(Node::session_views).unwrap_or_default();
        let is_it = |creation: Creation| creation.get() == process.1;
        let names = |name: &NodeName| *name == self.names[process.0];
        let mut views = views.into_iter().map(|(_, view)| view);
        self.is_alive(process)
            && views.any(|view| view.peer.as_ref().is_some_and(names) && view.creation.is_some_and(is_it))
    }

    pub(crate) fn pid(&self, Process(place, creation, local): Process) -> GlobalPid {
        let local = LocalId::new(local).unwrap_or(LocalId::ZERO);
        GlobalPid { node: self.names[place].to_string(), creation, local }
    }

    /// Does a step; `None` when it cannot be done now, or is refused.
    pub(crate) fn step(&mut self, step: &Step) -> Option<Effects> {
        match *step {
            Step::Connect(from, to) => self.command(from, Command::Connect(self.names[to].clone())),
            Step::Register(place, name, process) => {
                let effects = self.command(place, Command::Register { name: name.into(), pid: self.pid(process) })?;
                self.facts.registered.insert(name, place);
                Some(effects)
            }
            Step::Unregister(place, name) => {
                let effects = self.command(place, Command::Unregister(name.into()))?;
                self.facts.registered.remove(name);
                Some(effects)
            }
            Step::Spawn(place) => self.command(place, Command::Spawn(collector())),
            Step::SpawnLinked(place, local, on) => {
                let from = Some(self.pid(Process(place, self.creation(place)?, local)));
                let node = Some(self.names[on].to_string());
                self.command(place, Command::Spawn(SpawnRequest { from, node, link: true, ..collector() }))
            }
            // To a process of the run with which it has a session, or of an earlier one.
            Step::Link(place, _, to) if to.1 >= self.runs[to.0].1 && !self.can_reach(place, to) => None,
            Step::Link(place, local, to) => {
                let pid = self.pid(Process(place, self.creation(place)?, local));
                self.command(place, Command::TrapExit { pid: pid.clone(), enabled: true })?;
                self.command(place, Command::Link { pid, to: self.pid(to) })
            }
            Step::Ends(process) => {
                let pid = self.pid(process);
                self.command(process.0, Command::Exit { pid, reason: Root::Error("boom".into()).into() })
            }
            Step::Send(place, to) => self.command(place, Command::Send { to: self.pid(to), bytes: b"m".to_vec() }),
            Step::Cut(one, other) => self.cut(one, other),
            Step::Crash(place) => {
                self.hosts[place].take()?;
                for end in self.ends(place) {
                    self.close(end);
                }
                Some(Effects::default())
            }
            Step::Start(place, creation) => self.hosts[place].is_none().then(|| self.start(place, creation)),
        }
    }

    /// Hands over what comes next to an end.
    pub(crate) fn deliver(&mut self, end: End) -> Option<Effects> {
        let (place, conn) = end;
        let (other, arrivals) = self.wires.get_mut(&end)?;
        let (other, arrival) = (*other, arrivals.pop_front()?);
        if arrival == Arrival::Closed {
            self.wires.remove(&end);
        }
        if place == self.hosts.len() {
            if let Some(attacker) = &mut self.attacker {
                attacker.hears(&arrival);
            }
            if arrival == Arrival::Accepted {
                self.send(other, Arrival::Dialled);
            }
            return Some(Effects::default());
        }
        match arrival {
            Arrival::Accepted => {
                self.send(other, Arrival::Dialled);
                self.input(place, Input::Accepted(conn))
            }
            Arrival::Dialled => self.input(place, Input::Dialled(conn)),
            Arrival::Frame(payload) => self.input(place, Input::Frame(conn, payload.to_vec())),
            Arrival::Closed => self.input(place, Input::Closed(conn)),
        }
    }

    /// A connection from somebody who is no node.
    pub(crate) fn dial_from(&mut self, from: End, to: Place) {
        // No two connections of one node have the same, in whichever order they are made.
        let run = self.runs.get(from.0).map_or(0, |(run, _)| *run);
        let serial = 10_000 * (from.0 as u64 + 1) + 100 * run + from.1.serial;
        self.join(from, (to, ConnId { role: Role::Accepted, serial }));
    }

    pub(crate) fn send(&mut self, to: End, what: Arrival) {
        if let Some((_, arrivals)) = self.wires.get_mut(&to) {
            arrivals.push_back(what);
        }
    }

    fn creation(&self, place: Place) -> Option<u8> {
        self.hosts[place].as_ref().map(|host| host.creation)
    }

    fn start(&mut self, place: Place, creation: u8) -> Effects {
        self.runs[place] = (self.runs[place].0 + 1, creation);
        let entropy = Counter(16 * (place as u8 + 1) + creation, 0);
        self.hosts[place] = Some(Host { node: Node::new(), creation, entropy, print: 0 });
        let (name, timings) = (self.names[place].clone(), Timings::default());
        let creation = Creation::new(creation).unwrap_or_else(|| unreachable!("scenarios have no creation 0"));
        self.input(place, Input::Start(Identity { name, creation, cookie: cookie(), timings })).unwrap_or_default()
    }

    fn command(&mut self, place: Place, command: Command) -> Option<Effects> {
        let effects = self.input(place, Input::Command(Token(0), command))?;
        effects.replies.iter().all(Result::is_ok).then_some(effects)
    }

    fn cut(&mut self, one: Place, other: Place) -> Option<Effects> {
        let is_it = |(end, (far, _)): &(&End, &(End, VecDeque<Arrival>))| end.0 == one && far.0 == other;
        let (end, (far, _)) = self.wires.iter().find(is_it)?;
        for end in [*end, *far] {
            let (_, arrivals) = self.wires.get_mut(&end)?;
            // What was under way is lost with the connection.
            *arrivals = VecDeque::from([Arrival::Closed]);
        }
        Some(Effects::default())
    }

    fn input(&mut self, place: Place, input: Input) -> Option<Effects> {
        let host = self.hosts[place].as_mut()?;
        let before = host.print;
        let outputs = host.node.handle(input, self.now, &mut host.entropy);
        host.print = print(&host.node);
        let mut effects = Effects { is_ignored: outputs.is_empty() && host.print == before, ..Effects::default() };
        for output in outputs {
            self.perform(place, output, &mut effects);
        }
        Some(effects)
    }

    fn perform(&mut self, place: Place, output: Output, effects: &mut Effects) {
        match output {
            Output::Dial { conn, port, .. } => self.dial((place, conn), usize::from(port) - 1),
            Output::Send(conn, payload) => {
                if self.ground.silent != Some(place) || !answers_dead(&payload) {
                    self.say((place, conn), payload);
                }
            }
            Output::SendLate(conn, message) => {
                if let Ok(payload) = message.encode() {
                    self.say((place, conn), payload.into());
                }
            }
            Output::Sync(conn, stream) => stream.for_each(|payload| self.say((place, conn), payload.into())),
            Output::Close(conn, _) => self.close((place, conn)),
            Output::Reply(_, result) => {
                self.facts.failed += u8::from(result.is_err());
                effects.replies.push(result);
            }
            Output::Event(event) => {
                self.note(place, &event);
                effects.events.push(event);
            }
            Output::Deliver { .. } => {}
        }
    }

    fn note(&mut self, place: Place, event: &Event) {
        let position = |name: &NodeName| self.names.iter().position(|other| other == name);
        match event {
            Event::SessionOpened(peer, _) => {
                if let Some(peer) = position(peer) {
                    *self.facts.begun.entry((place, peer)).or_default() += 1;
                }
            }
            Event::SessionClosed(peer, _) => {
                if let Some(peer) = position(peer) {
                    *self.facts.ended.entry((place, peer)).or_default() += 1;
                }
            }
            Event::Exited { pid, from, .. } => self.facts.exits.push((place, pid.local.get(), from.to_string())),
            Event::Message { pid, .. } => {
                self.facts.received.push(Process(place, self.creation(place).unwrap_or_default(), pid.local.get()));
            }
            _ => {}
        }
    }

    /// The attacker in the middle is reached by every dial.
    fn dial(&mut self, from: End, to: Place) {
        let to = match &self.attacker {
            Some(attacker) if attacker.is_in_the_middle => self.hosts.len(),
            _ => to,
        };
        if self.ground.unreachable == Some((from.0, to)) {
            return;
        }
        let is_there = self.hosts.get(to).is_none_or(Option::is_some);
        if is_there {
            self.dial_from(from, to);
        } else {
            self.wires.insert(from, (from, VecDeque::from([Arrival::Closed])));
        }
    }

    fn join(&mut self, from: End, to: End) {
        self.wires.insert(from, (to, VecDeque::new()));
        self.wires.insert(to, (from, VecDeque::from([Arrival::Accepted])));
    }

    fn say(&mut self, from: End, payload: Payload) {
        // The next run of a node counts its connections from 1 again: the other end may be another connection's by now.
        if let Some(other) = self.other(from)
            && self.other(other) == Some(from)
        {
            self.send(other, Arrival::Frame(payload));
        }
    }

    fn close(&mut self, end: End) {
        if let Some((other, _)) = self.wires.remove(&end)
            && self.other(other) == Some(end)
        {
            self.send(other, Arrival::Closed);
        }
    }
}

fn collector() -> SpawnRequest {
    SpawnRequest { function: "collector".into(), ..SpawnRequest::default() }
}

/// Whether it is the answer to a LINK to a process that is dead.
fn answers_dead(payload: &[u8]) -> bool {
    let message = Message::decode(Phase::Session, payload).map(|(message, _)| message);
    matches!(message, Ok(Message::Exit(Exit { reason, .. })) if reason.root == Root::Error("noproc".into()))
}

/// A hash of all that a node is. Its `Debug` form leaves nothing out but the cookie, which is everybody's.
fn print(node: &Node) -> u64 {
    struct Hashing(DefaultHasher);
    impl Write for Hashing {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut hashing = Hashing(DefaultHasher::new());
    // Neither the node nor the hasher fails.
    let _ = write!(hashing, "{node:?}");
    hashing.0.finish()
}

impl Hash for Cluster {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for host in &self.hosts {
            host.as_ref().map(|host| (host.print, host.creation, host.entropy.1)).hash(state);
        }
        self.wires.hash(state);
        self.facts.hash(state);
        self.attacker.hash(state);
    }
}

impl PartialEq for Cluster {
    fn eq(&self, other: &Self) -> bool {
        let hash = |cluster: &Self| {
            let mut hasher = DefaultHasher::new();
            cluster.hash(&mut hasher);
            hasher.finish()
        };
        hash(self) == hash(other)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("wires", &self.wires).field("facts", &self.facts).finish_non_exhaustive()
    }
}
