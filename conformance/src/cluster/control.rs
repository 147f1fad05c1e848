//! The harness's end of the control protocol: requests that may overlap, notifications in order.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::ChildStdout;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::line::{self, AdapterFault, Line, RpcError};
use super::process::{Exit, Inner, NodeProcess};
use crate::watched::Watched;

/// The longest line that a node may print, in bytes, without its LF.
const LONGEST_LINE: usize = 64 * 1024 * 1024;

/// How long a process whose output has ended has to end as well. Longer than the time that stragglers are given.
const ENDING: Duration = Duration::from_secs(3);

/// A client of one node. Clones are the same client. It does not keep the node alive.
#[derive(Debug, Clone)]
pub struct ControlClient {
    process: Arc<Inner>,
    talk: Arc<Watched<Talk>>,
}

/// What has been said so far.
#[derive(Debug, Default)]
struct Talk {
    last_id: i64,
    open: BTreeMap<i64, String>,
    answered: BTreeMap<i64, (Instant, Result<Value, RpcError>)>,
    events: Vec<Event>,
    taken: Vec<bool>,
    end: Option<End>,
}

/// Why nothing more will be heard.
#[derive(Debug, Clone)]
enum End {
    Fault(AdapterFault),
    Exited(Exit),
}

/// A notification from the node.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When its line was read.
    pub at: Instant,
    /// Its number; the first has 1, and there are no gaps.
    pub seq: u64,
    /// Its name, such as `session.opened`.
    pub method: String,
    /// Its parameters, `seq` among them.
    pub params: Map<String, Value>,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Initialized {
    /// Its name.
    pub implementation: String,
    /// Its version.
    pub version: String,
    /// The language it is written in.
    pub language: String,
    /// What it can do.
    pub capabilities: Vec<String>,
}

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum CallError {
    /// The node's own answer.
    #[error("the node answered with {0}")]
    Rpc(#[from] RpcError),
    /// The adapter broke the control protocol, in this answer or before.
    #[error("{0}")]
    AdapterFault(#[from] AdapterFault),
    /// The process is gone.
    #[error("the node {exit} while the harness awaited {awaited}; its last words on standard error:\n{log}")]
    Exited {
        /// How it ended.
        exit: Exit,
        /// What it owed.
        awaited: String,
        /// The end of its log.
        log: String,
    },
    /// The deadline passed.
    #[error("timed out waiting for {awaited}")]
    TimedOut {
        /// What did not come.
        awaited: String,
    },
}

/// A request that has been sent. Dropping it does not take it back.
#[derive(Debug)]
#[must_use = "an answer that nobody waits for is never checked"]
pub struct PendingCall {
    client: ControlClient,
    id: i64,
    method: String,
}

impl ControlClient {
    /// Begins to listen to a process that was started with [`super::Pipes::Control`]. `None`: it was not, or somebody
    /// already listens, or there are no threads left.
    pub fn attach(process: &NodeProcess) -> Option<Self> {
        let output = process.inner().take_output()?;
        let client = Self { process: process.inner().clone(), talk: Arc::default() };
        let listening = client.clone();
        let thread = thread::Builder::new().name("node control".to_owned()).stack_size(line::STACK);
        thread.spawn(move || listening.listen(output)).ok()?;
        Some(client)
    }

    /// Sends a request and waits for its answer.
    pub fn call(&self, method: &str, params: Value, deadline: Instant) -> Result<Value, CallError> {
        self.start_call(method, params).wait(deadline)
    }

    /// Sends a request. Never blocks.
    pub fn start_call(&self, method: &str, params: Value) -> PendingCall {
        // The line is enqueued under the lock: requests take effect in the order of their ids.
        let id = self.talk.change(|talk| {
            talk.last_id += 1;
            let id = talk.last_id;
            talk.open.insert(id, method.to_owned());
            let mut line = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
            line.push('\n');
            self.process.write_line(line.into_bytes());
            id
        });
        PendingCall { client: self.clone(), id, method: method.to_owned() }
    }

    /// The first request of all.
    pub fn initialize(&self, deadline: Instant) -> Result<Initialized, CallError> {
        let result = self.call("initialize", json!({"protocol": 5}), deadline)?;
        // The schema has been checked; what is left is a disagreement between it and the type above.
        serde_json::from_value(result.clone()).map_err(|error| {
            AdapterFault::NotInSchema { line: line::quote(result.to_string().as_bytes()), problem: error.to_string() }
                .into()
        })
    }

    /// The oldest notification that fits and has not been taken yet; waits for one until `deadline`. `awaited` names
    /// it in the error.
    pub fn next_event(
        &self,
        deadline: Instant,
        awaited: &str,
        fits: impl Fn(&Event) -> bool,
    ) -> Result<Event, CallError> {
        let found = self.talk.wait_until(deadline, |talk| {
            let fitting = (0..talk.events.len()).find(|index| !talk.taken[*index] && fits(&talk.events[*index]));
            match fitting {
                Some(index) => {
                    talk.taken[index] = true;
                    Some(Ok(talk.events[index].clone()))
                }
                None => talk.end.clone().map(Err),
            }
        });
        self.conclude(found, || awaited.to_owned())
    }

    /// The oldest `count` notifications that fit and have not been taken yet, in their order; waits for them until `deadline`. None is taken
    /// where there are too few. `awaited` names them in the error.
    pub fn next_events(
        &self,
        deadline: Instant,
        awaited: &str,
        count: usize,
        fits: impl Fn(&Event) -> bool,
    ) -> Result<Vec<Event>, CallError> {
        // What has been looked at does not change: each notification is looked at once.
        let (mut next, mut fitting) = (0, Vec::new());
        let found = self.talk.wait_until(deadline, |talk| {
            while next < talk.events.len() && fitting.len() < count {
                if !talk.taken[next] && fits(&talk.events[next]) {
                    fitting.push(next);
                }
                next += 1;
            }
            if fitting.len() < count {
                return talk.end.clone().map(Err);
            }
            fitting.iter().for_each(|index| talk.taken[*index] = true);
            Some(Ok(fitting.iter().map(|index| talk.events[*index].clone()).collect()))
        });
        self.conclude(found, || awaited.to_owned())
    }

    /// All notifications so far that have not been taken.
    pub fn untaken_events(&self) -> Vec<Event> {
        let talk = self.talk.look();
        talk.events.iter().zip(&talk.taken).filter(|(_, taken)| !**taken).map(|(event, _)| event.clone()).collect()
    }

    /// All notifications so far, taken or not.
    pub fn events(&self) -> Vec<Event> {
        self.talk.look().events.clone()
    }

    /// Looks at all notifications so far, taken or not, without a copy of them.
    pub fn look_at_events<T>(&self, look: impl FnOnce(&[Event]) -> T) -> T {
        look(&self.talk.look().events)
    }

    /// The adapter's fault, if it has committed one. Nothing that comes after it is read.
    pub fn fault(&self) -> Option<AdapterFault> {
        match &self.talk.look().end {
            Some(End::Fault(fault)) => Some(fault.clone()),
            _ => None,
        }
    }

    fn conclude<T>(&self, found: Option<Result<T, End>>, awaited: impl Fn() -> String) -> Result<T, CallError> {
        let exited = |exit| CallError::Exited { exit, awaited: awaited(), log: self.process.log_tail() };
        match found {
            Some(Ok(found)) => Ok(found),
            Some(Err(End::Fault(fault))) => Err(fault.into()),
            Some(Err(End::Exited(exit))) => Err(exited(exit)),
            // A process that is gone while a child of its own, in another group, keeps the output open.
            None => Err(self.process.exit().map_or_else(|| CallError::TimedOut { awaited: awaited() }, exited)),
        }
    }

    fn listen(&self, output: ChildStdout) {
        let mut output = BufReader::with_capacity(64 * 1024, output);
        let end = loop {
            match next_line(&mut output) {
                Ok(Some(line)) => {
                    if let Err(fault) = self.hear(&line) {
                        break End::Fault(fault);
                    }
                }
                Ok(None) => match self.process.wait(Instant::now() + ENDING) {
                    Some(exit) => break End::Exited(exit),
                    None => break End::Fault(AdapterFault::OutputClosed { log: self.process.log_tail() }),
                },
                Err(fault) => break End::Fault(fault),
            }
        };
        self.talk.change(|talk| talk.end = Some(end));
        // The node must not block on output that nobody reads any more, or it could not be stopped in good order.
        let _ = std::io::copy(&mut output, &mut std::io::sink());
    }

    fn hear(&self, bytes: &[u8]) -> Result<(), AdapterFault> {
        let at = Instant::now();
        let line = Line::parse(bytes)?;
        self.talk.change(|talk| match line {
            Line::Answer { id, result } => {
                line::check_result(&talk.close(id, bytes)?, &result)?;
                talk.answered.insert(id, (at, Ok(result)));
                Ok(())
            }
            Line::Error { id, error } => {
                talk.close(id, bytes)?;
                talk.answered.insert(id, (at, Err(error)));
                Ok(())
            }
            Line::Notification { seq, method, params } => {
                let expected = talk.events.len() as u64 + 1;
                if seq != expected {
                    return Err(AdapterFault::Sequence { line: line::quote(bytes), expected, found: seq });
                }
                talk.events.push(Event { at, seq, method, params });
                talk.taken.push(false);
                Ok(())
            }
        })
    }
}

impl Talk {
    /// The method of the open request `id`, which is open no longer.
    fn close(&mut self, id: i64, bytes: &[u8]) -> Result<String, AdapterFault> {
        self.open.remove(&id).ok_or_else(|| AdapterFault::UnknownId { line: line::quote(bytes), id })
    }
}

impl PendingCall {
    /// Waits for the answer.
    pub fn wait(self, deadline: Instant) -> Result<Value, CallError> {
        let found = self.client.talk.wait_until(deadline, |talk| match talk.answered.remove(&self.id) {
            Some((_, answer)) => Some(Ok(answer)),
            None => talk.end.clone().map(Err),
        });
        let answer = self.client.conclude(found, || format!("the answer to {} (id {})", self.method, self.id))?;
        Ok(answer?)
    }

    /// When the answer came, if it has come.
    pub fn answered_at(&self) -> Option<Instant> {
        self.client.talk.look().answered.get(&self.id).map(|(at, _)| *at)
    }

    /// The request's method.
    pub fn method(&self) -> &str {
        &self.method
    }
}

/// The next line without its LF; `None` at the end of output. A last line without LF is a line.
fn next_line(output: &mut impl BufRead) -> Result<Option<Vec<u8>>, AdapterFault> {
    let mut line = Vec::new();
    // A pipe that cannot be read has ended.
    let read = output.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut line).unwrap_or(0);
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LONGEST_LINE {
        return Err(AdapterFault::TooLong { line: line::quote(&line), limit: LONGEST_LINE });
    }
    Ok(Some(line))
}
