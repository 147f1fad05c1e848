//! Steps of nodes' processes: starting, stopping, killing, freezing.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::cluster::{CallError, StartError, StoppedBy, WireOnlyNode, WireOnlyStart};
use crate::peer::Close;
use crate::results::Cause;
use crate::scenario::{Step, Timers, Verb};

use super::context::{Context, host_of};
use super::running::Running;
use super::stop::{Broken, StepResult, Stop};

/// Two starts of one node lie so far apart that its creation has to differ (HS-22 speaks of 1 to 254 seconds).
const BETWEEN_STARTS: Duration = Duration::from_millis(1_100);
/// How long a node may take to stop in good order.
const GRACE: Duration = Duration::from_secs(5);

impl Context<'_> {
    /// Starts a node: its process, and the node in it.
    pub(super) fn start_node(&mut self, key: &str) -> StepResult {
        let key = self.node_key(Some(key))?;
        let node = self.node(&key)?;
        if node.running.as_ref().is_some_and(|running| running.process().exit().is_none()) {
            return Err(Stop::Harness(format!("`{key}` runs already")));
        }
        if let Some(started) = node.started {
            // Not a wait for something to happen: the protocol promises another creation only after a second.
            thread::sleep(BETWEEN_STARTS.saturating_sub(started.elapsed()));
        }
        self.in_its_own_time(|context, until| {
            if context.implementation_of(&key).has_control() {
                context.introduced_process(&key, until)?;
                context.start_in_process(&key, until)
            } else {
                context.start_wire_only(&key, until)
            }
        })?;
        self.node_mut(&key)?.started = Some(Instant::now());
        Ok(())
    }

    /// Starts a node's process and has it introduce itself.
    pub(super) fn launch_process(&mut self, key: &str) -> StepResult {
        self.in_its_own_time(|context, until| context.introduced_process(key, until))
    }

    /// What a node does before it is a node is nobody's conduct: on a busy machine an interpreter takes seconds to load. It has a time of
    /// its own, and the case's deadline moves by what it took.
    fn in_its_own_time(&mut self, start: impl FnOnce(&mut Self, Instant) -> StepResult) -> StepResult {
        let begun = Instant::now();
        start(self, begun + self.environment.time_to_start())?;
        self.deadline += begun.elapsed();
        Ok(())
    }

    fn introduced_process(&mut self, key: &str, until: Instant) -> StepResult {
        let (process, client) = self.implementation_of(key).launch(self.node(key)?.number)?;
        client
            .initialize(until)
            .map_err(|error| Stop::Adapter(format!("`{key}` did not answer initialize: {error}")))?;
        self.ledger.run_begins(key, client.clone());
        self.node_mut(key)?.running = Some(Running::Control { process, client });
        Ok(())
    }

    fn start_in_process(&mut self, key: &str, until: Instant) -> StepResult {
        let restarts = restarts(&self.scenario.steps, key);
        let node = self.node(key)?;
        let ip = self.ip(host_of(&node.name))?;
        let name = match node.address {
            None if restarts => with_port(&node.name, self.addresses().fixed_port(ip).map_err(no_port)?),
            _ => node.name.clone(),
        };
        let timers = node.spec.timers.or(self.scenario.timers);
        let listen = match node.behind {
            Some(behind) => Some(self.listen(node.number, behind.ip(), behind.port())),
            None if self.addresses().bind_apart() => Some(self.listen(node.number, ip, port_of(&name).unwrap_or(0))),
            None => None,
        };
        let params = start_params(&name, listen, &node.cookie, timers);
        let answer = node.client()?.call("node.start", params, until);
        let answer = answer.map_err(|error| match error {
            CallError::Rpc(error) => Stop::Adapter(format!("`{key}` did not start: {error}")),
            error => Stop::Adapter(format!("`{key}` did not answer node.start: {error}")),
        })?;
        self.node_started(key, ip, &answer)
    }

    /// What a node is told to bind, whose name does not say it.
    fn listen(&self, number: usize, ip: IpAddr, port: u16) -> String {
        let addresses = self.addresses();
        if addresses.is_loopback() {
            return SocketAddr::new(ip, port).to_string();
        }
        format!("{}:{port}", addresses.bound(number))
    }

    /// Parameters of a `node.start` that a scenario calls itself: where a node has to be told what to bind, it is told.
    pub(super) fn bound_params(&self, key: &str, mut params: Value) -> StepResult<Value> {
        if !self.addresses().bind_apart() || params.get("listen").is_some() {
            return Ok(params);
        }
        let port = params.get("name").and_then(Value::as_str).and_then(port_of).unwrap_or(0);
        let number = self.node(key)?.number;
        let listen = format!("{}:{port}", self.addresses().bound(number));
        if let Some(params) = params.as_object_mut() {
            params.insert("listen".to_owned(), listen.into());
        }
        Ok(params)
    }

    /// Keeps what a node answered to a `node.start` that a scenario called itself.
    pub(super) fn started_by_hand(&mut self, key: &str, answer: &Value) -> StepResult {
        let name = answer.get("name").and_then(Value::as_str).unwrap_or_default();
        match self.addresses().resolve(host_of(name)) {
            Some(ip) => self.node_started(key, ip, answer),
            // A name that has another host is not dialled.
            None => Ok(()),
        }
    }

    /// Keeps what a node answered to `node.start`.
    fn node_started(&mut self, key: &str, ip: IpAddr, answer: &Value) -> StepResult {
        let name = answer.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(port) = port_of(&name).filter(|port| *port != 0) else {
            return Err(Stop::broken(Cause::WrongAnswer, format!("the name of `{key}` carries no real port"))
                .blames("HS-3")
                .expected("a name that ends with the port it is bound to")
                .actual(format!("{name:?}"))
                .into());
        };
        let creation = answer.get("creation").and_then(Value::as_u64).and_then(|c| u8::try_from(c).ok());
        let number = self.node(key)?.number;
        let websocket = answer.get("websocket").and_then(Value::as_str);
        let websocket = websocket.map(|url| self.addresses().websocket(url, number));
        self.relays.name(&name, key);
        let node = self.node_mut(key)?;
        node.name = name;
        // Behind a relay this is the relay's address again.
        node.address = Some(SocketAddr::new(ip, port));
        node.creation = creation;
        node.websocket = websocket;
        Ok(())
    }

    fn start_wire_only(&mut self, key: &str, until: Instant) -> StepResult {
        let node = self.node(key)?;
        let start = WireOnlyStart {
            label: node.name.split('@').next().unwrap_or_default().to_owned(),
            host: self.ip(host_of(&node.name))?,
            port: node.behind.or(node.address).map(|address| address.port()),
            named_port: node.behind.and(node.address).map(|address| address.port()),
            cookie: node.cookie.clone(),
        };
        let started =
            WireOnlyNode::start(&self.implementation_of(key).run, &start, until).map_err(|error| match error {
                StartError::Harness { .. } => Stop::Harness(error.to_string()),
                error => Stop::Adapter(format!("`{key}` did not start: {error}")),
            })?;
        self.relays.name(&started.name, key);
        let node = self.node_mut(key)?;
        node.name.clone_from(&started.name);
        if node.behind.is_none() {
            node.address = Some(started.address);
        }
        node.running = Some(Running::WireOnly(started));
        Ok(())
    }

    /// Ends a node in an orderly way.
    pub(super) fn stop_node(&mut self, key: &str) -> StepResult {
        let key = self.node_key(Some(key))?;
        let running = self.node(&key)?.running()?;
        if let Running::Control { client, .. } = running {
            client
                .call("shutdown", json!({}), self.deadline)
                .map_err(|error| super::calls::call_stop(&key, "shutdown", error))?;
        }
        self.end_in_order(&key)?;
        self.node_mut(&key)?.running = None;
        Ok(())
    }

    /// End of input, and what the adapter makes of it.
    pub(super) fn end_in_order(&self, key: &str) -> StepResult {
        let running = self.node(key)?.running()?;
        let Some(stopped) = running.process().stop(GRACE) else {
            return Err(Stop::Harness(format!("the process of `{key}` cannot be ended")));
        };
        if !stopped.exit.left_behind.is_empty() {
            let children: Vec<&str> = stopped.exit.left_behind.iter().map(|child| child.command.as_str()).collect();
            return Err(Stop::Adapter(format!(
                "`{key}` ended and left processes behind: {}; end what you start",
                children.join(", ")
            )));
        }
        if matches!(running, Running::WireOnly(_)) {
            return Ok(());
        }
        match stopped.by {
            StoppedBy::Itself if stopped.exit.status.success() => Ok(()),
            StoppedBy::Itself => Err(Stop::Adapter(format!(
                "`{key}` {} when its input ended; it has to end with status 0",
                stopped.exit
            ))),
            StoppedBy::Termination | StoppedBy::Killing => {
                Err(Stop::Adapter(format!("`{key}` did not end when its input did; end of input means stop")))
            }
        }
    }

    /// Kills a node's process.
    pub(super) fn kill_node(&mut self, key: &str) -> StepResult {
        let key = self.node_key(Some(key))?;
        self.node(&key)?.running()?.process().kill();
        self.node_mut(&key)?.running = None;
        Ok(())
    }

    /// Freezes a node's process.
    pub(super) fn freeze_node(&mut self, key: &str) -> StepResult {
        let key = self.node_key(Some(key))?;
        self.node(&key)?.running()?.process().freeze();
        Ok(())
    }

    /// Lets a frozen process go on.
    pub(super) fn thaw_node(&mut self, key: &str) -> StepResult {
        let key = self.node_key(Some(key))?;
        self.node(&key)?.running()?.process().thaw();
        Ok(())
    }

    /// Says so if the node's process has ended by itself; waits a moment for one that is about to.
    pub(super) fn crashed_by(&self, node: &str, deadline: Instant) -> Option<Broken> {
        let running = self.nodes.get(node)?.running.as_ref()?;
        let exit = running.process().wait(deadline)?;
        Some(
            Stop::broken(Cause::Crash, format!("the process of `{node}` ended by itself"))
                .blames("FRAME-21")
                .expected("a running process")
                .actual(exit.to_string()),
        )
    }

    /// After the last step every node that should run still runs, and ends in good order when asked to.
    pub(super) fn finish(&mut self) -> StepResult {
        self.release();
        let keys: Vec<String> = self.nodes.keys().cloned().collect();
        let running: BTreeSet<&String> = keys.iter().filter(|key| self.nodes[*key].running.is_some()).collect();
        for key in &running {
            if let Some(broken) = self.crashed_by(key, Instant::now()) {
                return Err(broken.into());
            }
        }
        // A node that closes in good order waits for its peers to do the same; these have nothing more to say.
        for session in self.sessions.values().chain(self.former.iter().map(|(_, session)| session)) {
            session.connection.close(Close::Reset);
        }
        self.relays.end();
        self.members.clear();
        for key in running {
            self.end_in_order(key)?;
        }
        Ok(())
    }
}

/// Parameters of `node.start`; timers that nobody set are left to the node's defaults.
fn start_params(name: &str, listen: Option<String>, cookie: &[u8], timers: Timers) -> Value {
    let mut params = Map::new();
    params.insert("name".to_owned(), name.into());
    params.insert("cookie".to_owned(), hex::encode(cookie).into());
    if let Some(listen) = listen {
        params.insert("listen".to_owned(), listen.into());
    }
    let timers = [
        ("heartbeat_interval_ms", timers.heartbeat_interval_ms),
        ("heartbeat_timeout_ms", timers.heartbeat_timeout_ms),
        ("handshake_timeout_ms", timers.handshake_timeout_ms),
    ];
    for (key, value) in timers {
        if let Some(value) = value {
            params.insert(key.to_owned(), value.into());
        }
    }
    Value::Object(params)
}

/// Whether the steps start this node again: then its port is not left to chance.
fn restarts(steps: &[Step], key: &str) -> bool {
    // A name that is known only when the step is played may be any.
    let ends =
        |step: &Step| matches!(&step.verb, Verb::Stop(node) | Verb::Kill(node) if node == key || node.contains("${"));
    steps.iter().any(|step| match &step.verb {
        Verb::For(repeat) => restarts(&repeat.steps, key),
        Verb::Chaos(_) => true,
        _ => ends(step),
    })
}

fn no_port(error: std::io::Error) -> Stop {
    Stop::Harness(format!("no port could be found for a node: {error}"))
}

fn port_of(name: &str) -> Option<u16> {
    name.rsplit_once(':')?.1.parse().ok()
}

fn with_port(name: &str, port: u16) -> String {
    name.rsplit_once(':').map_or_else(|| name.to_owned(), |(front, _)| format!("{front}:{port}"))
}
