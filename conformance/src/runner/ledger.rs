//! What the steps of a case have asked of its nodes, as far as what the nodes tell is judged by it: names, monitors, texts, messages.
//! It never judges.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::cluster::{CallError, ControlClient};

/// What has been asked, in the order in which it was.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Every run of every node; those that have ended, too.
    pub(super) runs: Vec<Run>,
    /// Names that were registered with success and not unregistered.
    pub(super) names: Vec<Registered>,
    /// Processes that a request has ended.
    pub(super) ended: BTreeSet<Pid>,
    /// Monitors that were made.
    pub(super) monitors: Vec<Monitor>,
    /// Watches that were begun: run, watcher and watched node.
    pub(super) watches: Vec<(usize, Pid, String)>,
    /// Texts that were broadcast.
    pub(super) broadcasts: Vec<Broadcast>,
    /// Messages that were sent.
    pub(super) messages: Vec<Sent>,
    /// Members that have joined.
    pub(super) members: Vec<Joined>,
}

/// One run of a node.
#[derive(Debug)]
pub(super) struct Run {
    /// The node's key.
    pub(super) node: String,
    /// Keeps what the run has told, also when it has ended.
    pub(super) client: ControlClient,
}

/// A PID of the control protocol; `None` where the value is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pid {
    pub(super) node: String,
    pub(super) creation: u64,
    pub(super) local: u64,
}

/// A global name.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    /// The run that was asked to register it.
    pub(super) run: usize,
    pub(super) name: String,
    pub(super) pid: Pid,
}

/// A monitor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Monitor {
    pub(super) run: usize,
    pub(super) watcher: Pid,
    pub(super) reference: String,
    pub(super) target: Pid,
}

/// A text to a room.
#[derive(Debug)]
pub(super) struct Broadcast {
    pub(super) run: usize,
    pub(super) room: String,
    pub(super) text: String,
    /// Somebody was excepted.
    pub(super) except: bool,
}

/// A message to a process.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) run: usize,
    pub(super) to: Pid,
    pub(super) bytes: String,
}

/// A member of a room.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) run: usize,
    pub(super) member: String,
    pub(super) room: String,
    /// How many texts had been broadcast when it joined.
    pub(super) since: usize,
}

/// What becomes an entry if the answer is a success.
#[derive(Debug, Clone)]
pub(super) enum Note {
    Nothing,
    Registers(Registered),
    Unregisters(String),
    Ends(Pid),
    Monitors { run: usize, watcher: Pid, target: Pid },
    Watches(usize, Pid, String),
}

impl Pid {
    /// Reads a PID as the control protocol writes it.
    pub(super) fn read(value: &Value) -> Option<Self> {
        Some(Self {
            node: value.get("node")?.as_str()?.to_owned(),
            creation: value.get("creation")?.as_u64()?,
            local: value.get("local")?.as_u64()?,
        })
    }
}

impl Ledger {
    /// Another run of a node begins.
    pub(super) fn run_begins(&mut self, node: &str, client: ControlClient) {
        self.runs.push(Run { node: node.to_owned(), client });
    }

    /// The last run of a node.
    pub(super) fn run_of(&self, node: &str) -> Option<usize> {
        self.runs.iter().rposition(|run| run.node == node)
    }

    /// A member has joined a room of a node.
    pub(super) fn member_joins(&mut self, node: &str, member: &str, room: &str) {
        let Some(run) = self.run_of(node) else { return };
        let since = self.broadcasts.len();
        self.members.push(Joined { run, member: member.to_owned(), room: room.to_owned(), since });
    }

    /// A request goes out. What may have an effect even without an answer is entered now.
    pub(super) fn asked(&mut self, node: &str, method: &str, params: &Value) -> Note {
        let (Some(run), Some(params)) = (self.run_of(node), params.as_object()) else { return Note::Nothing };
        let text = |key: &str| params.get(key).and_then(Value::as_str).map(str::to_owned);
        let pid = |key: &str| params.get(key).and_then(Pid::read);
        match method {
            "room.broadcast" => {
                if let (Some(room), Some(text)) = (text("room"), text("text")) {
                    self.broadcasts.push(Broadcast { run, room, text, except: params.contains_key("except") });
                }
                Note::Nothing
            }
            "process.send" => {
                if let (Some(to), Some(bytes)) = (pid("to"), text("bytes")) {
                    self.messages.push(Sent { run, to, bytes });
                }
                Note::Nothing
            }
            _ => note(run, method, params).unwrap_or(Note::Nothing),
        }
    }

    /// An answer has come.
    pub(super) fn answered(&mut self, note: Note, answer: &Result<Value, CallError>) {
        let Ok(result) = answer else { return };
        match note {
            Note::Nothing => {}
            Note::Registers(registered) => self.names.push(registered),
            Note::Unregisters(name) => self.names.retain(|registered| registered.name != name),
            Note::Ends(pid) => {
                self.ended.insert(pid);
            }
            Note::Monitors { run, watcher, target } => {
                if let Some(reference) = result.get("ref").and_then(Value::as_str) {
                    self.monitors.push(Monitor { run, watcher, reference: reference.to_owned(), target });
                }
            }
            Note::Watches(run, pid, node) => self.watches.push((run, pid, node)),
        }
    }

    /// The names that were registered for processes which, as far as is known, live: those that nobody has ended, and whose own run has not
    /// told their end.
    pub(super) fn living_names(&self) -> Vec<Registered> {
        let mut names = self.names.clone();
        names.retain(|registered| !self.ended.contains(&registered.pid));
        for run in &self.runs {
            run.client.look_at_events(|events| {
                for event in events.iter().filter(|event| event.method == "process.ended") {
                    let ended = event.params.get("pid").and_then(Pid::read);
                    names.retain(|registered| Some(&registered.pid) != ended.as_ref());
                }
            });
        }
        names
    }
}

fn note(run: usize, method: &str, params: &Map<String, Value>) -> Option<Note> {
    let text = |key: &str| params.get(key).and_then(Value::as_str).map(str::to_owned);
    let pid = |key: &str| params.get(key).and_then(Pid::read);
    Some(match method {
        "global.register" => Note::Registers(Registered { run, name: text("name")?, pid: pid("pid")? }),
        "global.unregister" => Note::Unregisters(text("name")?),
        "process.exit" => Note::Ends(pid("pid")?),
        "process.monitor" => Note::Monitors { run, watcher: pid("pid")?, target: pid("target")? },
        "node.monitor" => Note::Watches(run, pid("pid")?, text("node")?),
        _ => return None,
    })
}
