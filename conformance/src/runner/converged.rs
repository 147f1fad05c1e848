//! The step that waits until nodes agree: on who is there, and on the table of global names.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::cluster::CallError;
use crate::scenario::step::Converged;

use super::calls::{POLL, call_stop};
use super::context::Context;
use super::history::{Breach, open_sessions};
use super::invariants::broken;
use super::ledger::{Pid, Registered};
use super::stop::{StepResult, Stop};

/// A name before its node was started belongs to this one (REG-9).
const NOT_STARTED: &str = "nonode@nohost";
/// How many names of a table a report shows.
const SHOWN: usize = 12;

/// What one node says it holds.
pub(super) struct Holds {
    /// Its own name and creation.
    name: String,
    creation: Option<u8>,
    lists: BTreeSet<String>,
    /// A node that it lists more than once.
    twice: Option<String>,
    /// Peers of sessions that it has told the beginning and not the end of, with their creations.
    sessions: BTreeMap<String, u64>,
    /// Nothing where names are not judged.
    names: BTreeMap<String, Pid>,
}

impl Context<'_> {
    /// Waits until nodes agree.
    pub(super) fn converged(&mut self, step: &Converged) -> StepResult {
        let keys = self.keys(step.nodes.names())?;
        let owners = match &step.names_of {
            Some(owners) => self.keys(owners.names())?,
            None => keys.clone(),
        };
        self.agree(&keys, &owners)
    }

    fn keys(&self, names: &[String]) -> StepResult<Vec<String>> {
        self.listed(names)?.iter().map(|name| self.node_key(Some(name))).collect()
    }

    /// Waits until the nodes list exactly each other, have told just these sessions, and hold the names of live processes of `owners`
    /// alike.
    pub(super) fn agree(&self, keys: &[String], owners: &[String]) -> StepResult {
        let mut last = None;
        loop {
            let held = match self.held(keys, !owners.is_empty()) {
                Ok(held) => held,
                // What is wrong with the cluster says more than that the time was over while a node was being asked.
                Err(Stop::Broken(end)) if Instant::now() >= self.deadline => {
                    return Err(last.map_or(Stop::Broken(end), Stop::from));
                }
                Err(stop) => return Err(stop),
            };
            let Some(difference) = self.difference(&held, owners)? else { return Ok(()) };
            let broken = broken(difference).meanwhile(tables(&held));
            if Instant::now() >= self.deadline {
                return Err(broken.into());
            }
            last = Some(broken);
            thread::sleep(POLL);
        }
    }

    /// Asks nodes what they hold.
    fn held(&self, keys: &[String], names: bool) -> StepResult<BTreeMap<String, Holds>> {
        let mut held = BTreeMap::new();
        for key in keys {
            let node = self.node(key)?;
            let ask = |method: &str| -> StepResult<Value> {
                let answer: Result<Value, CallError> = node.client()?.call(method, json!({}), self.deadline);
                answer.map_err(|error| call_stop(key, method, error))
            };
            let list = ask("node.list")?;
            let (mut lists, mut twice) = (BTreeSet::new(), None);
            for name in list["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !lists.insert(name.to_owned()) {
                    twice = Some(name.to_owned());
                }
            }
            let table = if names { ask("global.names")? } else { Value::Null };
            let entries = table["names"].as_array().into_iter().flatten();
            let entries =
                entries.filter_map(|entry| Some((entry["name"].as_str()?.to_owned(), Pid::read(&entry["pid"])?)));
            held.insert(
                key.clone(),
                Holds {
                    name: node.name.clone(),
                    creation: node.creation,
                    lists,
                    twice,
                    sessions: node.client()?.look_at_events(open_sessions),
                    names: entries.collect(),
                },
            );
        }
        Ok(held)
    }

    /// The first thing in which what nodes hold is not what it has to become.
    fn difference(&self, held: &BTreeMap<String, Holds>, owners: &[String]) -> StepResult<Option<Breach>> {
        for (key, holds) in held {
            let others: Vec<&Holds> = held.iter().filter(|(other, _)| *other != key).map(|(_, other)| other).collect();
            if let Some(breach) = wrong_list(key, holds, &others).or_else(|| wrong_sessions(key, holds, &others)) {
                return Ok(Some(breach));
            }
        }
        if owners.is_empty() {
            return Ok(None);
        }
        let mut owner_names = BTreeMap::new();
        for owner in owners {
            let node = self.node(owner)?;
            owner_names.insert(node.name.clone(), node.creation.map(u64::from));
        }
        let wanted = self.wanted(&owner_names);
        let in_cluster: BTreeSet<&str> = held.values().map(|holds| holds.name.as_str()).collect();
        for (key, holds) in held {
            if let Some(breach) = wrong_names(key, holds, &wanted, &owner_names, &in_cluster) {
                return Ok(Some(breach));
            }
        }
        Ok(None)
    }

    /// The names that every node has to hold: registered for live processes of the owners' present runs.
    fn wanted(&self, owners: &BTreeMap<String, Option<u64>>) -> BTreeMap<String, Pid> {
        let present = |Registered { run, name, pid }: Registered| {
            let by = &self.ledger.runs[run].node;
            let pid = if pid.node == NOT_STARTED && self.ledger.run_of(by) == Some(run) {
                let node = self.nodes.get(by)?;
                Pid { node: node.name.clone(), creation: node.creation?.into(), local: pid.local }
            } else {
                pid
            };
            (owners.get(&pid.node)? == &Some(pid.creation)).then_some((name, pid))
        };
        self.ledger.living_names().into_iter().filter_map(present).collect()
    }

    /// What every live node holds, for a report; nodes that do not answer are left out.
    pub(super) fn tables(&self) -> Vec<String> {
        let live = |(key, node): (&String, &super::context::Node)| node.running.is_some().then(|| key.clone());
        let live: Vec<String> = self.nodes.iter().filter_map(live).collect();
        live.iter()
            .filter_map(|key| self.held(std::slice::from_ref(key), self.implementation_of(key).can("registry")).ok())
            .flat_map(|held| tables(&held))
            .collect()
    }
}

fn wrong_list(key: &str, holds: &Holds, others: &[&Holds]) -> Option<Breach> {
    let wanted: BTreeSet<String> = others.iter().map(|other| other.name.clone()).collect();
    let missing: Vec<&str> = wanted.difference(&holds.lists).map(String::as_str).collect();
    let extra: Vec<&str> = holds.lists.difference(&wanted).map(String::as_str).collect();
    let (sentence, requirement) = match (missing.as_slice(), extra.as_slice()) {
        ([], []) => (format!("`{key}` lists {} twice", holds.twice.as_ref()?), "MEM-5"),
        ([], extra) => (format!("`{key}` still lists {}", extra.join(", ")), "MEM-39"),
        (missing, _) => (format!("`{key}` does not list {}", missing.join(", ")), "MEM-15"),
    };
    Some(Breach {
        sentence,
        requirement: Some(requirement),
        expected: joined(wanted.iter().map(String::as_str)),
        actual: joined(holds.lists.iter().map(String::as_str)),
    })
}

fn wrong_sessions(key: &str, holds: &Holds, others: &[&Holds]) -> Option<Breach> {
    let wanted: BTreeMap<String, u64> =
        others.iter().filter_map(|other| Some((other.name.clone(), other.creation?.into()))).collect();
    if wanted == holds.sessions {
        return None;
    }
    let shown = |sessions: &BTreeMap<String, u64>| {
        joined(sessions.iter().map(|(peer, creation)| format!("{peer} of creation {creation}")))
    };
    Some(Breach {
        sentence: format!("`{key}` lists its nodes, but has told other sessions"),
        requirement: Some("MEM-39"),
        expected: shown(&wanted),
        actual: shown(&holds.sessions),
    })
}

/// Names of owners that are not judged may be there or not.
fn wrong_names(
    key: &str,
    holds: &Holds,
    wanted: &BTreeMap<String, Pid>,
    owners: &BTreeMap<String, Option<u64>>,
    in_cluster: &BTreeSet<&str>,
) -> Option<Breach> {
    for (name, pid) in wanted {
        let (requirement, actual) = match holds.names.get(name) {
            Some(held) if held == pid => continue,
            Some(held) => ("REG-25", format!("{name:?} is {}", process(held))),
            None => ("RES-9", format!("{name:?} is not there")),
        };
        return Some(Breach {
            sentence: format!("`{key}` does not hold the name {name:?} of a process that lives"),
            requirement: Some(requirement),
            expected: format!("{name:?} is {}", process(pid)),
            actual,
        });
    }
    let judged = |pid: &Pid| owners.contains_key(&pid.node) || !in_cluster.contains(pid.node.as_str());
    let (name, pid) = holds.names.iter().find(|(name, pid)| judged(pid) && !wanted.contains_key(*name))?;
    let lives = owners.get(&pid.node) == Some(&Some(pid.creation));
    Some(Breach {
        sentence: format!("`{key}` holds the name {name:?}, whose process is dead"),
        requirement: Some(if lives { "REG-17" } else { "REG-18" }),
        expected: joined(wanted.keys().map(|name| format!("{name:?}"))),
        actual: format!("{name:?}, of {}", process(pid)),
    })
}

fn process(Pid { node, creation, local }: &Pid) -> String {
    format!("process {local} of {node}, creation {creation}")
}

fn joined<T: AsRef<str>>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<T> = items.collect();
    if items.is_empty() {
        return "nobody".to_owned();
    }
    items.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
}

/// One line a node: whom it lists, and its table.
fn tables(held: &BTreeMap<String, Holds>) -> Vec<String> {
    let line = |(key, holds): (&String, &Holds)| {
        let names = holds.names.iter().take(SHOWN).map(|(name, pid)| {
            format!("{name:?} {}@{}#{}", pid.local, pid.node.split('@').next().unwrap_or_default(), pid.creation)
        });
        let more = holds.names.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let creation = holds.creation.unwrap_or_default();
        format!(
            "{key}#{creation}  lists {}  names {}{more}",
            joined(holds.lists.iter().map(String::as_str)),
            joined(names)
        )
    };
    held.iter().map(line).collect()
}
