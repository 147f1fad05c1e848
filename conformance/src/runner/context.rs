//! The state of one case while it runs: its nodes, peers, sessions, members and names.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::cluster::{Addresses, ControlClient, NodeProcess, PendingCall};
use crate::delivery::Delivery;
use crate::peer::{Connection, Flood, Listener, ListenerOptions, ReservedPort};
use crate::relay::Relays;
use crate::scenario::expression::walk;
use crate::scenario::step::Opening;
use crate::scenario::{Expression, NodeSpec, PeerSpec, RelayMode, Scenario, Scope, Timers};
use crate::schema::{Phase, Schema};
use crate::websocket::Member;

use super::delivery::{PAUSES_OF_A_CASE, PAUSES_OF_A_CONNECTION};
use super::environment::Environment;
use super::implementation::Implementation;
use super::ledger::{Ledger, Note};
use super::measuring::Measured;
use super::running::Running;
use super::stop::{StepResult, Stop};

/// The cookie of a cluster whose scenario names none.
const COOKIE: &str = "snowproof";
/// The creation of a peer that names none.
const CREATION: u8 = 5;

/// One case while it runs.
pub(crate) struct Context<'a> {
    pub(super) environment: &'a Environment,
    pub(super) scenario: &'a Scenario,
    pub(super) start: Instant,
    pub(super) deadline: Instant,
    pub(super) timers: Timers,
    pub(super) nodes: IndexMap<String, Node>,
    pub(super) peers: IndexMap<String, Peer>,
    pub(super) sessions: IndexMap<String, Session>,
    /// Connections whose name has been given to a new one; kept for the report.
    pub(super) former: Vec<(String, Session)>,
    pub(super) members: IndexMap<String, Member>,
    pub(super) pending: IndexMap<String, Asked>,
    /// What has been asked of the nodes, for judging what they told together.
    pub(super) ledger: Ledger,
    pub(super) variables: IndexMap<String, Value>,
    pub(super) clocks: IndexMap<String, Instant>,
    pub(super) floods: IndexMap<String, Flood>,
    /// Notes of `memory` steps, by node and name.
    pub(super) measured: IndexMap<(String, String), Measured>,
    pub(super) step_start: Instant,
    /// Dropped last: nodes and peers are gone by then, and nothing can hold up the relays' threads.
    pub(super) relays: Relays,
    /// How what peers send arrives.
    pub(super) delivery: Delivery,
    /// Which of its cuts the next send is paused at.
    pub(super) turn: usize,
    /// How many more sends are paused.
    pub(super) pauses: usize,
    /// The requirement cited by the innermost step that failed.
    pub(super) inner_cite: Option<String>,
}

/// A request whose answer nobody has awaited yet.
pub(super) struct Asked {
    pub(super) node: String,
    pub(super) method: String,
    pub(super) note: Note,
    pub(super) pending: PendingCall,
}

/// A node of the case.
pub(super) struct Node {
    pub(super) spec: NodeSpec,
    /// Which of the case's nodes it is, from 0: decides where it is, and where its process is started.
    pub(super) number: usize,
    pub(super) running: Option<Running>,
    /// Its name: as asked for (port 0) until it has started, as it is afterwards.
    pub(super) name: String,
    /// Where it is dialled: at its relay, if it has one.
    pub(super) address: Option<SocketAddr>,
    /// Where it listens behind its relay.
    pub(super) behind: Option<SocketAddr>,
    pub(super) creation: Option<u8>,
    pub(super) websocket: Option<String>,
    pub(super) cookie: Vec<u8>,
    /// When its last start was known to be done.
    pub(super) started: Option<Instant>,
}

impl Node {
    /// The running node.
    pub(super) fn running(&self) -> StepResult<&Running> {
        self.running.as_ref().ok_or_else(|| Stop::Harness(format!("node `{}` is not running", self.name)))
    }

    /// Its process.
    pub(super) fn process(&self) -> StepResult<&NodeProcess> {
        Ok(self.running()?.process())
    }

    /// Its control client.
    pub(super) fn client(&self) -> StepResult<&ControlClient> {
        self.running()?.client()
    }
}

/// A peer of the case.
pub(super) struct Peer {
    pub(super) name: String,
    pub(super) creation: u8,
    pub(super) cookie: Vec<u8>,
    /// Where it is dialled: at its relay, if it has one.
    pub(super) address: SocketAddr,
    pub(super) port: Port,
}

/// Where a peer is dialled.
pub(super) enum Port {
    Listening(Listener),
    Refusing(ReservedPort),
}

impl Port {
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Listening(listener) => listener.address(),
            Self::Refusing(port) => port.address(),
        }
    }
}

/// A connection between a peer and a node.
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) peer: String,
    pub(super) node: String,
    pub(super) phase: Phase,
    pub(super) opening: Opening,
    /// Frames that have been read while something else was awaited.
    pub(super) unread: VecDeque<Vec<u8>>,
    /// What the node said in the handshake.
    pub(super) heard: Map<String, Value>,
    /// What is held back until something is awaited.
    pub(super) held: Vec<u8>,
    /// How many more sends are paused.
    pub(super) pauses: usize,
}

impl Session {
    pub(super) fn new(connection: Connection, peer: &str, node: &str) -> Self {
        Self {
            connection,
            peer: peer.to_owned(),
            node: node.to_owned(),
            phase: Phase::Handshake,
            opening: Opening::Skip,
            unread: VecDeque::new(),
            heard: Map::new(),
            held: Vec::new(),
            pauses: PAUSES_OF_A_CONNECTION,
        }
    }

    /// Sends what has been held back, in one write.
    pub(super) fn release(&mut self) {
        if !self.held.is_empty() {
            self.connection.send(&std::mem::take(&mut self.held));
        }
    }
}

impl<'a> Context<'a> {
    /// Prepares nodes and peers; nothing is started yet.
    pub(super) fn new(
        environment: &'a Environment,
        scenario: &'a Scenario,
        row: Option<&crate::scenario::Row>,
    ) -> StepResult<Self> {
        let start = Instant::now();
        let timers = environment.timers(scenario);
        let deadline = start + environment.deadline(scenario, timers);
        let mut context = Self {
            environment,
            scenario,
            start,
            deadline,
            timers,
            nodes: IndexMap::new(),
            peers: IndexMap::new(),
            sessions: IndexMap::new(),
            former: Vec::new(),
            members: IndexMap::new(),
            pending: IndexMap::new(),
            ledger: Ledger::default(),
            variables: row.map(|row| row.variables.clone()).unwrap_or_default(),
            clocks: IndexMap::new(),
            floods: IndexMap::new(),
            measured: IndexMap::new(),
            step_start: start,
            relays: Relays::new(environment.schema.clone()),
            delivery: if scenario.delivered_whole.is_some() { Delivery::Whole } else { environment.delivery },
            turn: 0,
            pauses: PAUSES_OF_A_CASE,
            inner_cite: None,
        };
        for (key, spec) in &scenario.peers {
            context.add_peer(key, spec)?;
        }
        let addresses = environment.addresses();
        for (number, (key, spec)) in scenario.nodes.iter().enumerate() {
            let prefix = context.text_or(spec.name.as_ref(), key)?;
            let own = spec.host.clone().unwrap_or_else(|| addresses.node(number).text.clone());
            let cookie = context.cookie_or(spec.cookie.as_ref())?;
            let behind = match spec.relay {
                None => None,
                Some(_) => {
                    let ip = context.ip(&own)?;
                    let port = addresses.fixed_port(ip).map_err(|error| no_port(&own, &error))?;
                    Some(SocketAddr::new(ip, port))
                }
            };
            // Behind a relay a node is known under the relay's host.
            let relayed = || spec.host.clone().unwrap_or_else(|| addresses.peers().text.clone());
            let host = spec.relay.map_or(own, |_| relayed());
            let address = match (spec.relay, behind) {
                (Some(relay), Some(behind)) => Some(context.relay(key, relay, &host, behind)?),
                _ => None,
            };
            let node = Node {
                spec: spec.clone(),
                number,
                running: None,
                name: format!("{prefix}@{host}:{}", address.map_or(0, |address| address.port())),
                address,
                behind,
                creation: None,
                websocket: None,
                cookie,
                started: None,
            };
            context.relays.name(&node.name, key);
            context.nodes.insert(key.clone(), node);
        }
        Ok(context)
    }

    /// Adds a peer with a port of its own.
    pub(super) fn add_peer(&mut self, key: &str, spec: &PeerSpec) -> StepResult {
        let prefix = self.text_or(spec.name.as_ref(), key)?;
        let host = spec.host.clone().unwrap_or_else(|| self.addresses().peers().text.clone());
        let ip = self.ip(&host)?;
        let failed = |error| no_port(&host, &error);
        let port = if spec.listens.unwrap_or(true) {
            let options = ListenerOptions { hangs_up: spec.hangs_up, ..ListenerOptions::default() };
            Port::Listening(Listener::bind_with(ip, options).map_err(failed)?)
        } else {
            Port::Refusing(ReservedPort::bind(ip).map_err(failed)?)
        };
        let address = match spec.relay {
            Some(relay) => self.relay(key, relay, &host, port.address())?,
            None => port.address(),
        };
        let peer = Peer {
            name: format!("{prefix}@{host}:{}", address.port()),
            address,
            creation: spec.creation.unwrap_or(CREATION),
            cookie: self.cookie_or(spec.cookie.as_ref())?,
            port,
        };
        self.relays.name(&peer.name, key);
        self.peers.insert(key.to_owned(), peer);
        Ok(())
    }

    /// Puts a relay before a node or a peer: where it is dialled from now on.
    fn relay(&mut self, key: &str, relay: RelayMode, host: &str, behind: SocketAddr) -> StepResult<SocketAddr> {
        self.relays
            .front(key, super::links::mode(relay), self.ip(host)?, behind)
            .map_err(|error| Stop::Harness(format!("no relay could be put before `{key}`: {error}")))
    }

    fn text_or(&self, expression: Option<&Expression>, fallback: &str) -> StepResult<String> {
        match expression {
            Some(expression) => Ok(expression.text("a name", self)?),
            None => Ok(fallback.to_owned()),
        }
    }

    fn cookie_or(&self, own: Option<&Expression>) -> StepResult<Vec<u8>> {
        match own.or(self.scenario.cookie.as_ref()) {
            Some(cookie) => Ok(cookie.cookie(self)?),
            None => Ok(COOKIE.as_bytes().to_vec()),
        }
    }

    pub(super) fn addresses(&self) -> &'a Addresses {
        self.environment.addresses()
    }

    /// The address of a host that a name of this case may carry: nothing goes anywhere but where the manifest says.
    pub(super) fn ip(&self, host: &str) -> StepResult<IpAddr> {
        let is_loopback = self.addresses().is_loopback();
        let which = if is_loopback { "127.x.x.x or [::1]" } else { "one of the manifest's `address`" };
        let other = || Stop::Harness(format!("a host in a scenario is {which}, not `{host}`"));
        self.addresses().resolve(host).ok_or_else(other)
    }

    pub(super) fn schema(&self) -> &'a Schema {
        &self.environment.schema
    }

    /// A name in a step, with `${…}` filled in.
    pub(super) fn name(&self, name: &str) -> StepResult<String> {
        if name.contains("${") {
            Ok(Expression::Text(name.to_owned()).text("a name", self)?)
        } else {
            Ok(name.to_owned())
        }
    }

    /// The node that a step means: the one it names, or the scenario's only one.
    pub(super) fn node_key(&self, named: Option<&str>) -> StepResult<String> {
        match named {
            Some(name) => {
                let name = self.name(name)?;
                if self.nodes.contains_key(&name) {
                    Ok(name)
                } else {
                    Err(Stop::Harness(format!("the scenario has no node `{name}`")))
                }
            }
            None => match self.nodes.keys().next() {
                Some(only) if self.nodes.len() == 1 => Ok(only.clone()),
                _ => Err(Stop::Harness("the scenario has several nodes; the step has to name one".to_owned())),
            },
        }
    }

    /// Keys that a step lists; `"${one}"` may stand for a list of them.
    pub(super) fn listed(&self, names: &[String]) -> StepResult<Vec<String>> {
        let mut keys = Vec::new();
        for name in names {
            match Expression::Text(name.clone()).evaluate(self)? {
                Value::Array(several) => keys.extend(several.iter().filter_map(Value::as_str).map(str::to_owned)),
                _ => keys.push(self.name(name)?),
            }
        }
        Ok(keys)
    }

    /// Who plays this node.
    pub(super) fn implementation_of(&self, key: &str) -> &'a Implementation {
        self.environment.nodes.of(key)
    }

    pub(super) fn node(&self, key: &str) -> StepResult<&Node> {
        self.nodes.get(key).ok_or_else(|| Stop::Harness(format!("the scenario has no node `{key}`")))
    }

    pub(super) fn node_mut(&mut self, key: &str) -> StepResult<&mut Node> {
        self.nodes.get_mut(key).ok_or_else(|| Stop::Harness(format!("the scenario has no node `{key}`")))
    }

    pub(super) fn peer(&self, key: &str) -> StepResult<&Peer> {
        self.peers.get(key).ok_or_else(|| Stop::Harness(format!("the scenario has no peer `{key}`")))
    }

    pub(super) fn session(&self, name: &str) -> StepResult<&Session> {
        self.sessions.get(name).ok_or_else(|| Stop::Harness(format!("there is no session `{name}`")))
    }

    pub(super) fn session_mut(&mut self, name: &str) -> StepResult<&mut Session> {
        self.sessions.get_mut(name).ok_or_else(|| Stop::Harness(format!("there is no session `{name}`")))
    }

    pub(super) fn member(&self, name: &str) -> StepResult<&Member> {
        self.members.get(name).ok_or_else(|| Stop::Harness(format!("there is no member `{name}`")))
    }

    /// Gives a connection a name; one that had it before is kept for the report.
    pub(super) fn add_session(&mut self, name: String, session: Session) {
        if let Some(former) = self.sessions.insert(name.clone(), session) {
            self.former.push((name, former));
        }
    }

    /// The case's deadline, or sooner.
    pub(super) fn within(&self, ms: Option<&Expression>) -> StepResult<Instant> {
        let Some(ms) = ms else { return Ok(self.deadline) };
        let ms = Duration::from_millis(ms.number("within_ms", self)?);
        Ok(self.deadline.min(Instant::now() + ms))
    }
}

fn no_port(host: &str, error: &std::io::Error) -> Stop {
    Stop::Harness(format!("a port of {host} could not be taken: {error}"))
}

/// The host in a name; empty where there is none, or no port behind it.
pub(super) fn host_of(name: &str) -> &str {
    name.split_once('@').and_then(|(_, rest)| rest.rsplit_once(':')).map_or("", |(host, _)| host)
}

impl Scope for Context<'_> {
    fn schema(&self) -> Option<&Schema> {
        Some(&self.environment.schema)
    }

    fn lookup(&self, path: &str) -> Option<Value> {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (head, rest) = path.split_at(end);
        if let Some(value) = self.variables.get(head) {
            return walk(value, rest).cloned();
        }
        match head {
            "timers" => return walk(&self.timers_value(), rest).cloned(),
            "cookie" if rest.is_empty() => {
                let cookie = self.cookie_or(None).ok()?;
                return Some(json!({ "$bytes": hex::encode(cookie) }));
            }
            _ => {}
        }
        if let Some(member) = self.members.get(head) {
            return match rest {
                ".member" => Some(member.id().into()),
                _ => None,
            };
        }
        let mut object = Map::new();
        if let Some(node) = self.nodes.get(head) {
            object.insert("name".to_owned(), node.name.clone().into());
            object.insert("creation".to_owned(), node.creation.map_or(Value::Null, Value::from));
            object.insert("host".to_owned(), host_of(&node.name).into());
            object.insert("bind".to_owned(), self.addresses().bound(node.number).into());
            object.insert("port".to_owned(), node.address.map_or(Value::Null, |a| a.port().into()));
        }
        if let Some(peer) = self.peers.get(head) {
            object.insert("name".to_owned(), peer.name.clone().into());
            object.insert("creation".to_owned(), peer.creation.into());
            object.insert("host".to_owned(), host_of(&peer.name).into());
            object.insert("port".to_owned(), peer.address.port().into());
        }
        if let Some(session) = self.sessions.get(head) {
            object.extend(session.heard.clone());
        }
        match (rest, object.is_empty()) {
            (_, true) => None,
            ("", false) => object.get("name").cloned(),
            (_, false) => walk(&Value::Object(object), rest).cloned(),
        }
    }
}

impl Context<'_> {
    fn timers_value(&self) -> Value {
        json!({
            "heartbeat_interval_ms": self.timers.heartbeat_interval_ms,
            "heartbeat_timeout_ms": self.timers.heartbeat_timeout_ms,
            "handshake_timeout_ms": self.timers.handshake_timeout_ms,
        })
    }
}
