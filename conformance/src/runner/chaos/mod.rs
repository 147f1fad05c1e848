//! The step that plays random deeds: draws them all before the first is done, does each, and judges the cluster whenever it has settled.
//!
//! Why nothing that is asserted here can be false of a correct node: `plan.rs`, for names; for everything else because only that is
//! awaited which goes between two nodes whose session was known to be there and has not been ended since.

mod cluster;
mod plan;

use std::collections::BTreeSet;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::scenario::RelayMode;
use crate::scenario::model::StartWhen;
use crate::scenario::step::{Chaos, Deed, LinkOnly, Refuse};

use super::calls::{POLL, call_stop};
use super::context::Context;
use super::invariants::broken;
use super::ledger::{Monitor, Pid};
use super::stop::{StepResult, Stop};

use cluster::{Cluster, Observed, Watch};
use plan::{Action, Shown};

/// The room in which every node has a member.
const ROOM: &str = "everybody";

impl Context<'_> {
    /// Does random deeds, and judges what comes of them.
    pub(super) fn chaos(&mut self, step: &Chaos) -> StepResult {
        let seed = step.seed.number("seed", self)?;
        let steps = usize::try_from(step.steps.number("steps", self)?).unwrap_or(usize::MAX);
        let keys: Vec<String> = self.nodes.keys().cloned().collect();
        if keys.len() < 2 || self.nodes.values().any(|node| node.spec.start != StartWhen::Later) {
            return Err(Stop::Harness("`chaos` needs two nodes or more, all of them with `start: later`".to_owned()));
        }
        if step.actions.contains(&Deed::Cut) && self.nodes.values().any(|node| node.spec.relay != Some(RelayMode::Tls))
        {
            return Err(Stop::Harness("`cut` needs nodes with `relay: tls`".to_owned()));
        }
        let plan = plan::plan(seed, keys.len(), steps, &step.actions);
        let mut cluster = Cluster::new(keys);
        for (at, action) in plan.iter().enumerate() {
            if let Err(stop) = self.act(&mut cluster, action) {
                return Err(told_with(stop, seed, &plan[..=at], &cluster.keys));
            }
        }
        Ok(())
    }

    fn act(&mut self, cluster: &mut Cluster, action: &Action) -> StepResult {
        match action {
            Action::Begin(pairs) => self.begin(cluster, pairs),
            Action::Kill(nodes) => {
                for node in nodes {
                    self.kill_node(&cluster.keys[*node])?;
                    cluster.lose_node(*node);
                }
                Ok(())
            }
            Action::Cut(part) => {
                self.partition(&Refuse { link: cluster.link(part), dialled_by: None, how: None })?;
                cluster.lose_part(part);
                Ok(())
            }
            Action::Heal(pairs) => {
                let part = cluster.part.take().unwrap_or_default();
                self.heal_link(&LinkOnly { link: cluster.link(&part) })?;
                self.introduce(&cluster.pairs(pairs))
            }
            Action::Register(node) => {
                let key = cluster.keys[*node].clone();
                let pid = self.spawn_collector(&key)?;
                let name = format!("name {}", cluster.processes.len());
                self.ask(&key, "global.register", json!({"name": name, "pid": pid}))?;
                cluster.processes.push((*node, pid));
                Ok(())
            }
            Action::End(process) => {
                let (node, pid) = cluster.processes[*process].clone();
                cluster.lose_process(*process);
                let params = json!({"pid": pid, "reason": {"kind": "error", "text": "ended"}});
                self.ask(&cluster.keys[node].clone(), "process.exit", params).map(drop)
            }
            Action::Monitor { by, process } => self.monitor(cluster, *by, *process),
            Action::Message { by, process } => {
                let (node, pid) = cluster.processes[*process].clone();
                self.send_numbered(cluster, *by, node, &pid, Some(*process))
            }
            Action::Broadcast(by) => self.broadcast(cluster, *by),
            Action::Settle => self.settle(cluster),
        }
    }

    /// A request whose answer has to be a result.
    fn ask(&mut self, key: &str, method: &str, params: Value) -> StepResult<Value> {
        let note = self.ledger.asked(key, method, &params);
        let answer = self.node(key)?.client()?.call(method, params, self.deadline);
        self.ledger.answered(note, &answer);
        answer.map_err(|error| call_stop(key, method, error))
    }

    fn spawn_collector(&mut self, key: &str) -> StepResult<Value> {
        let spawned = self.ask(key, "process.spawn", json!({"function": "collector"}))?;
        Ok(spawned.get("pid").cloned().unwrap_or_default())
    }

    fn begin(&mut self, cluster: &mut Cluster, pairs: &[(usize, usize)]) -> StepResult {
        for (node, _) in pairs {
            let key = cluster.keys[*node].clone();
            self.start_node(&key)?;
            let anchor = self.spawn_collector(&key)?;
            let run = self.ledger.run_of(&key).ok_or_else(|| Stop::Harness(format!("`{key}` has no run")))?;
            cluster.node_begins(*node, run, anchor);
            self.join_room_as(&format!("member of {key}, run {run}"), &key, ROOM)?;
        }
        let pairs: Vec<(usize, usize)> = pairs.iter().copied().filter(|(node, to)| node != to).collect();
        self.introduce(&cluster.pairs(&pairs))
    }

    fn monitor(&mut self, cluster: &mut Cluster, by: usize, process: usize) -> StepResult {
        let key = cluster.keys[by].clone();
        let (watcher, target) = (cluster.anchors[by].clone(), cluster.processes[process].1.clone());
        let made = self.ask(&key, "process.monitor", json!({"pid": watcher, "target": target}))?;
        let reference = made.get("ref").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let (Some(watcher), Some(target)) = (Pid::read(&watcher), Pid::read(&target)) {
            cluster.monitor_made(by, process, Monitor { run: cluster.runs[by], watcher, reference, target });
        }
        Ok(())
    }

    /// A message that nobody has sent before, to a process of another node with which there is a session.
    fn send_numbered(
        &mut self,
        cluster: &mut Cluster,
        by: usize,
        node: usize,
        pid: &Value,
        process: Option<usize>,
    ) -> StepResult {
        let key = cluster.keys[by].clone();
        let bytes = hex::encode(cluster.next_text(by));
        if let Some(to) = Pid::read(pid) {
            cluster.owe_message(by, node, process, to, &bytes);
        }
        self.ask(&key, "process.send", json!({"to": pid, "bytes": bytes})).map(drop)
    }

    fn broadcast(&mut self, cluster: &mut Cluster, by: usize) -> StepResult {
        let key = cluster.keys[by].clone();
        let text = cluster.next_text(by);
        cluster.owe_text(by, &text);
        self.ask(&key, "room.broadcast", json!({"room": ROOM, "text": text})).map(drop)
    }

    /// Waits until everything that has to come has come, and judges it.
    fn settle(&mut self, cluster: &mut Cluster) -> StepResult {
        for part in cluster.parts() {
            let keys = cluster.keys_of(&part);
            self.agree(&keys, &keys)?;
        }
        cluster.connect_parts();
        self.fence_nodes(cluster)?;
        self.judge_cluster(cluster)?;
        self.watch_nodes(cluster)
    }

    /// A message from every node to every other it is connected with, and a text from each: behind them nothing earlier is under way.
    fn fence_nodes(&mut self, cluster: &mut Cluster) -> StepResult {
        for by in cluster.live() {
            for node in cluster.connected_with(by) {
                let anchor = cluster.anchors[node].clone();
                self.send_numbered(cluster, by, node, &anchor, None)?;
            }
            self.broadcast(cluster, by)?;
        }
        loop {
            match self.observed(cluster).map(|observed| cluster.owed(&observed))? {
                None => break,
                Some(breach) if Instant::now() >= self.deadline => {
                    return Err(broken(breach).meanwhile(self.tables()).into());
                }
                Some(_) => thread::sleep(POLL),
            }
        }
        cluster.all_has_come();
        Ok(())
    }

    fn judge_cluster(&mut self, cluster: &mut Cluster) -> StepResult {
        self.barriers()?;
        let observed = self.observed(cluster)?;
        if let Some(breach) = cluster.breach(&observed) {
            return Err(broken(breach).meanwhile(self.tables()).into());
        }
        self.hold_invariants()
    }

    /// What has been told by the runs that live, and what their members have heard.
    fn observed(&self, cluster: &Cluster) -> StepResult<Observed> {
        let mut observed = Observed::default();
        for node in cluster.live() {
            let key = &cluster.keys[node];
            let here = self.node(key)?;
            observed.names.insert(node, here.name.clone());
            observed.events.insert(node, here.client()?.events());
        }
        let live: BTreeSet<usize> = cluster.live().into_iter().map(|node| cluster.runs[node]).collect();
        for heard in self.heard_by_members().into_iter().filter(|heard| live.contains(&heard.run)) {
            observed.texts.insert(heard.run, heard.texts);
        }
        for (key, node) in &self.nodes {
            if let Some(at) = cluster.keys.iter().position(|known| known == key) {
                observed.names.insert(at, node.name.clone());
            }
        }
        Ok(observed)
    }

    /// Every node's anchor watches every node that has a name by now.
    fn watch_nodes(&mut self, cluster: &mut Cluster) -> StepResult {
        let observed = self.observed(cluster)?;
        for by in cluster.live() {
            for node in cluster.unwatched(by) {
                if self.node(&cluster.keys[node])?.address.is_none() {
                    continue;
                }
                let (opened, closed) = observed.sessions(by, node);
                cluster.watches.push(Watch { by, run: cluster.runs[by], node, opened, closed });
                let params = json!({"pid": cluster.anchors[by], "node": observed.names[&node]});
                self.ask(&cluster.keys[by].clone(), "node.monitor", params)?;
            }
        }
        Ok(())
    }
}

/// What went wrong, with the seed and the deeds.
fn told_with(stop: Stop, seed: u64, deeds: &[Action], keys: &[String]) -> Stop {
    let told = |what: String| format!("{what} (seed {seed}, deed {})", deeds.len());
    match stop {
        Stop::Broken(mut broken) => {
            broken.meanwhile.push(format!("seed {seed}; deeds, the last of which was not done:"));
            let deed = |(at, action): (usize, &Action)| format!("{:>3}  {}", at + 1, Shown(action, keys));
            broken.meanwhile.extend(deeds.iter().enumerate().map(deed));
            Stop::Broken(broken)
        }
        Stop::Adapter(message) => Stop::Adapter(told(message)),
        Stop::Harness(message) => Stop::Harness(told(message)),
    }
}
