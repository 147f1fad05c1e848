//! What a random cluster owes: which sessions are there, which monitors have to fire, which texts and messages have to come. It asks no node
//! anything; it is told of deeds, and holds what was observed against them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cluster::Event;
use crate::scenario::step::{LinkOf, Sessions};

use super::super::history::Breach;
use super::super::ledger::{Monitor, Pid};

/// A random cluster, as its deeds have made it.
pub(super) struct Cluster {
    pub(super) keys: Vec<String>,
    /// The last run of each node, as the ledger counts them.
    pub(super) runs: Vec<usize>,
    /// A process of each node that gets fences, monitors and watches.
    pub(super) anchors: Vec<Value>,
    /// Node and PID of each process that was registered.
    pub(super) processes: Vec<(usize, Value)>,
    /// While the cluster is parted: who was cut off.
    pub(super) part: Option<Vec<usize>>,
    pub(super) watches: Vec<Watch>,
    up: Vec<bool>,
    /// Pairs that have a session: it was seen, and nothing has ended it since.
    connected: Vec<Vec<bool>>,
    /// How many sessions of each node's run with each other have been ended by deeds.
    ended: Vec<Vec<usize>>,
    monitors: Vec<Made>,
    texts: Vec<OwedText>,
    messages: Vec<OwedMessage>,
    count: u64,
}

/// A watch of a node, and how often its run had told that node's sessions when the watch began.
pub(super) struct Watch {
    pub(super) by: usize,
    pub(super) run: usize,
    pub(super) node: usize,
    pub(super) opened: usize,
    pub(super) closed: usize,
}

/// A monitor that was made.
struct Made {
    by: usize,
    process: usize,
    monitor: Monitor,
    /// It has to fire, or has fired.
    due: bool,
}

struct OwedText {
    by: usize,
    text: String,
    to: Vec<usize>,
}

struct OwedMessage {
    by: usize,
    node: usize,
    process: Option<usize>,
    to: Pid,
    bytes: String,
}

/// What was seen, of live runs alone.
#[derive(Default)]
pub(super) struct Observed {
    /// Node names, of all nodes.
    pub(super) names: BTreeMap<usize, String>,
    /// What each node has told.
    pub(super) events: BTreeMap<usize, Vec<Event>>,
    /// What the member of each run has heard.
    pub(super) texts: BTreeMap<usize, Vec<String>>,
}

impl Observed {
    fn count(&self, by: usize, fits: impl Fn(&Event) -> bool) -> usize {
        self.events.get(&by).map_or(0, |events| events.iter().filter(|event| fits(event)).count())
    }

    fn of_node(&self, by: usize, method: &str, node: usize) -> usize {
        let name = self.names.get(&node).map(String::as_str);
        self.count(by, |event| event.method == method && event.params.get("node").and_then(Value::as_str) == name)
    }

    /// How many sessions with a node a live node has told: begun, ended.
    pub(super) fn sessions(&self, by: usize, node: usize) -> (usize, usize) {
        (self.of_node(by, "session.opened", node), self.of_node(by, "session.closed", node))
    }

    fn fired(&self, by: usize, monitor: &Monitor) -> usize {
        self.count(by, |event| {
            let is = |key: &str, pid: &Pid| event.params.get(key).and_then(Pid::read).as_ref() == Some(pid);
            event.method == "process.down"
                && event.params.get("ref").and_then(Value::as_str) == Some(&monitor.reference)
                && is("pid", &monitor.watcher)
                && is("from", &monitor.target)
        })
    }

    fn has_got(&self, message: &OwedMessage) -> bool {
        let is_it = |event: &Event| {
            event.method == "process.message"
                && event.params.get("bytes").and_then(Value::as_str) == Some(&message.bytes)
                && event.params.get("pid").and_then(Pid::read).as_ref() == Some(&message.to)
        };
        self.count(message.node, is_it) > 0
    }
}

impl Cluster {
    pub(super) fn new(keys: Vec<String>) -> Self {
        let nodes = keys.len();
        Self {
            keys,
            runs: vec![usize::MAX; nodes],
            anchors: vec![Value::Null; nodes],
            processes: Vec::new(),
            part: None,
            watches: Vec::new(),
            up: vec![false; nodes],
            connected: vec![vec![false; nodes]; nodes],
            ended: vec![vec![0; nodes]; nodes],
            monitors: Vec::new(),
            texts: Vec::new(),
            messages: Vec::new(),
            count: 0,
        }
    }

    pub(super) fn live(&self) -> Vec<usize> {
        (0..self.keys.len()).filter(|node| self.up[*node]).collect()
    }

    pub(super) fn keys_of(&self, nodes: &[usize]) -> Vec<String> {
        nodes.iter().map(|node| self.keys[*node].clone()).collect()
    }

    pub(super) fn pairs(&self, pairs: &[(usize, usize)]) -> Vec<(String, String)> {
        pairs.iter().map(|(node, to)| (self.keys[*node].clone(), self.keys[*to].clone())).collect()
    }

    /// All links between these nodes and all others, live or not.
    pub(super) fn link(&self, part: &[usize]) -> LinkOf {
        let beside: Vec<usize> = (0..self.keys.len()).filter(|node| !part.contains(node)).collect();
        LinkOf::Between([part, &beside].map(|nodes| Sessions::Several(self.keys_of(nodes))).into())
    }

    /// The live nodes, or those of each part.
    pub(super) fn parts(&self) -> Vec<Vec<usize>> {
        let (inside, outside): (Vec<usize>, Vec<usize>) =
            self.live().into_iter().partition(|node| self.part.as_ref().is_some_and(|part| part.contains(node)));
        [inside, outside].into_iter().filter(|part| !part.is_empty()).collect()
    }

    pub(super) fn connected_with(&self, by: usize) -> Vec<usize> {
        (0..self.keys.len()).filter(|node| self.connected[by][*node]).collect()
    }

    /// Nodes that this one's anchor does not watch yet.
    pub(super) fn unwatched(&self, by: usize) -> Vec<usize> {
        let watched = |node: usize| self.watches.iter().any(|watch| watch.run == self.runs[by] && watch.node == node);
        (0..self.keys.len()).filter(|node| *node != by && !watched(*node)).collect()
    }

    /// A text that stands for nothing but itself.
    pub(super) fn next_text(&mut self, by: usize) -> String {
        self.count += 1;
        format!("{} {}", self.keys[by], self.count)
    }

    pub(super) fn node_begins(&mut self, node: usize, run: usize, anchor: Value) {
        self.up[node] = true;
        self.runs[node] = run;
        self.anchors[node] = anchor;
        self.ended[node].fill(0);
    }

    /// All nodes of a part have been seen to be connected.
    pub(super) fn connect_parts(&mut self) {
        for part in self.parts() {
            for a in &part {
                for b in part.iter().filter(|b| *b != a) {
                    self.connected[*a][*b] = true;
                }
            }
        }
    }

    pub(super) fn lose_node(&mut self, node: usize) {
        self.up[node] = false;
        for other in 0..self.keys.len() {
            self.lose_session(node, other);
        }
        self.monitors.retain(|made| made.by != node);
        self.texts.retain(|owed| owed.by != node);
        self.texts.iter_mut().for_each(|owed| owed.to.retain(|to| *to != node));
        self.messages.retain(|owed| owed.by != node && owed.node != node);
        let on_it = |process: usize| self.processes[process].0 == node;
        self.monitors.iter_mut().filter(|made| on_it(made.process)).for_each(|made| made.due = true);
    }

    pub(super) fn lose_part(&mut self, part: &[usize]) {
        self.part = Some(part.to_vec());
        let parted = |a: usize, b: usize| part.contains(&a) != part.contains(&b);
        for a in 0..self.keys.len() {
            for b in (0..a).filter(|b| parted(a, *b)) {
                self.lose_session(a, b);
            }
        }
        self.texts.iter_mut().for_each(|owed| owed.to.retain(|to| !parted(owed.by, *to)));
        self.messages.retain(|owed| !parted(owed.by, owed.node));
        let node_of = |process: usize| self.processes[process].0;
        let across = |made: &&mut Made| parted(made.by, node_of(made.process));
        self.monitors.iter_mut().filter(across).for_each(|made| made.due = true);
    }

    fn lose_session(&mut self, a: usize, b: usize) {
        if self.connected[a][b] {
            for (a, b) in [(a, b), (b, a)] {
                self.connected[a][b] = false;
                self.ended[a][b] += 1;
            }
        }
    }

    pub(super) fn lose_process(&mut self, process: usize) {
        self.messages.retain(|owed| owed.process != Some(process));
        self.monitors.iter_mut().filter(|made| made.process == process).for_each(|made| made.due = true);
    }

    pub(super) fn monitor_made(&mut self, by: usize, process: usize, monitor: Monitor) {
        self.monitors.push(Made { by, process, monitor, due: false });
    }

    /// A text is owed to those with whom there is a session, and to the node's own member.
    pub(super) fn owe_text(&mut self, by: usize, text: &str) {
        let mut to = self.connected_with(by);
        to.push(by);
        self.texts.push(OwedText { by, text: text.to_owned(), to });
    }

    pub(super) fn owe_message(&mut self, by: usize, node: usize, process: Option<usize>, to: Pid, bytes: &str) {
        self.messages.push(OwedMessage { by, node, process, to, bytes: bytes.to_owned() });
    }

    /// Nothing is owed any more.
    pub(super) fn all_has_come(&mut self) {
        self.texts.clear();
        self.messages.clear();
    }

    /// The first thing that has to come and has not.
    pub(super) fn owed(&self, observed: &Observed) -> Option<Breach> {
        let missing = |sentence: String, requirement, expected: String| Breach {
            sentence,
            requirement: Some(requirement),
            expected,
            actual: "nothing".to_owned(),
        };
        for owed in &self.texts {
            let has_got =
                |node: &usize| observed.texts.get(&self.runs[*node]).is_some_and(|texts| texts.contains(&owed.text));
            if let Some(node) = owed.to.iter().find(|node| !has_got(node)) {
                let (by, to) = (&self.keys[owed.by], &self.keys[*node]);
                let sentence = format!("the member of `{to}` has not got a text of `{by}`");
                return Some(missing(sentence, "ROOM-2", format!("{:?}", owed.text)));
            }
        }
        if let Some(owed) = self.messages.iter().find(|owed| !observed.has_got(owed)) {
            let (by, to) = (&self.keys[owed.by], &self.keys[owed.node]);
            let sentence = format!("a process of `{to}` has not got a message of `{by}`");
            return Some(missing(sentence, "PROC-17", format!("{} for process {}", owed.bytes, owed.to.local)));
        }
        for made in self.monitors.iter().filter(|made| made.due) {
            let (due, fired) = (self.due(&made.monitor), observed.fired(made.by, &made.monitor));
            if fired < due {
                let sentence = format!("`{}` has not told that process {} is lost", self.keys[made.by], made.process);
                return Some(missing(
                    sentence,
                    "PROC-35",
                    format!("process.down with ref {:?}", made.monitor.reference),
                ));
            }
        }
        None
    }

    /// How many process.down monitors that look like this one owe: a reference may be given anew.
    fn due(&self, monitor: &Monitor) -> usize {
        self.monitors.iter().filter(|made| made.due && made.monitor == *monitor).count()
    }

    /// What must not be, once all that is owed has come.
    pub(super) fn breach(&self, observed: &Observed) -> Option<Breach> {
        for made in &self.monitors {
            let (due, fired) = (self.due(&made.monitor), observed.fired(made.by, &made.monitor));
            if fired != due {
                return Some(Breach {
                    sentence: format!("`{}` tells wrongly of the loss of process {}", self.keys[made.by], made.process),
                    requirement: Some("PROC-35"),
                    expected: format!("{due} process.down with ref {:?}", made.monitor.reference),
                    actual: format!("{fired} of them"),
                });
            }
        }
        self.wrong_endings(observed).or_else(|| self.wrong_watches(observed))
    }

    /// Every session.closed has to have its deed.
    fn wrong_endings(&self, observed: &Observed) -> Option<Breach> {
        for by in self.live() {
            for node in (0..self.keys.len()).filter(|node| *node != by) {
                let (_, closed) = observed.sessions(by, node);
                if closed != self.ended[by][node] {
                    return Some(Breach {
                        sentence: format!(
                            "`{}` has lost sessions with `{}` that nobody ended",
                            self.keys[by], self.keys[node]
                        ),
                        requirement: Some("MEM-39"),
                        expected: format!("{} session.closed", self.ended[by][node]),
                        actual: format!("{closed} of them"),
                    });
                }
            }
        }
        None
    }

    /// A watcher is told each change since its watch began.
    fn wrong_watches(&self, observed: &Observed) -> Option<Breach> {
        for watch in self.watches.iter().filter(|watch| self.up[watch.by] && self.runs[watch.by] == watch.run) {
            let (opened, closed) = observed.sessions(watch.by, watch.node);
            let told = [("node.up", opened - watch.opened, "MEM-44"), ("node.down", closed - watch.closed, "MEM-43")];
            for (method, due, requirement) in told {
                let count = observed.of_node(watch.by, method, watch.node);
                if count != due {
                    let (by, node) = (&self.keys[watch.by], &self.keys[watch.node]);
                    return Some(Breach {
                        sentence: format!("`{by}` does not tell a watcher each change of `{node}`"),
                        requirement: Some(requirement),
                        expected: format!("{due} {method}"),
                        actual: format!("{count} of them"),
                    });
                }
            }
        }
        None
    }
}
