//! Whether what an adapter claims is there at all: one harmless conversation a capability, over a fresh process. How well a capability is
//! done is what cases judge, and nothing here gives a verdict about the node.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{CallError, CommandLine, ControlClient, NodeProcess, Pipes, RpcError};
use crate::needs::{CAPABILITIES, PROCESS, REGISTRY, SUPERVISOR};

/// How long a node may take until it has shown all that it claims.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a node is asked about what it does not claim: it promises nothing, so nobody waits for it.
const CURIOSITY: Duration = Duration::from_secs(2);
/// How long a node may take to end when its input does, before it is made to.
const GRACE: Duration = Duration::from_secs(2);

/// What a node answers to a method that it does not have.
const UNKNOWN_METHOD: i64 = -32601;
/// What it answers where a PID names no process that is meant.
const NO_PROCESS: i64 = -32007;

/// A name that nobody registers, a room that nobody joins.
const NOBODY: &str = "snowproof-probe";

/// The capabilities in the order in which they are asked for: those that need a started node come last.
const ORDER: [&str; 6] = ["codec", "term", REGISTRY, PROCESS, SUPERVISOR, "rooms"];

/// What each capability builds on (`spec/control.md`).
const DEPENDENCIES: [(&str, &str); 2] = [(PROCESS, REGISTRY), (SUPERVISOR, PROCESS)];

/// What a probe of one capability came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFinding {
    /// The capability.
    pub capability: String,
    /// Whether the node claims it in its answer to `initialize`.
    pub claimed: bool,
    /// What was asked, what came instead of what `spec/control.md` says, and what to do; `None` where it is there.
    pub problem: Option<String>,
}

/// Asks for every capability: for the claimed ones with patience, for the others, in a process of their own, with little of it.
///
/// A claimed capability with a problem is a mistake of the adapter. One that is not claimed and has none works all the same, as far as it was
/// asked. Where a process says nothing any more, what would have come next is left out.
///
/// # Errors
/// A message where no process could be started or introduced itself.
pub fn capabilities(run: &CommandLine, claimed: &[String]) -> Result<Vec<ProbeFinding>, String> {
    let claims = |name: &str| claimed.iter().any(|claim| claim == name);
    let mut findings: Vec<ProbeFinding> = misclaimed(claimed);
    let sound = |name: &&str| claims(name) && !findings.iter().any(|finding| finding.capability == **name);
    let asked: Vec<&str> = ORDER.into_iter().filter(sound).collect();
    if !asked.is_empty() {
        let mut talk = Talk::begin(run, PATIENCE)?;
        for name in asked {
            let answer = talk.probe(name);
            let ended = matches!(answer, Err(Complaint::Ended(_)));
            findings.push(finding(name, true, answer));
            if ended {
                break;
            }
        }
        talk.end();
    }
    let others: Vec<&str> = ORDER.into_iter().filter(|name| !claims(name)).collect();
    if !others.is_empty()
        && let Ok(mut talk) = Talk::begin(run, CURIOSITY)
    {
        findings.extend(others.into_iter().map(|name| finding(name, false, talk.probe(name))));
        talk.end();
    }
    Ok(findings)
}

/// Claims that need no process to be seen through: of what is no capability, and of what builds on something that is not claimed.
fn misclaimed(claimed: &[String]) -> Vec<ProbeFinding> {
    let problem = |name: &String| {
        if !CAPABILITIES.contains(&name.as_str()) {
            let near = CAPABILITIES.iter().find(|known| strsim::damerau_levenshtein(known, name) <= 3);
            let hint = near.map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
            return Some(format!("it is no capability{hint} (there are {})", CAPABILITIES.join(", ")));
        }
        let (_, needed) = DEPENDENCIES.iter().find(|(capability, _)| capability == name)?;
        let missing = !claimed.iter().any(|claim| claim == needed);
        missing.then(|| format!("a node that has it has `{needed}` too, which is not claimed: claim both or neither"))
    };
    let finding =
        |name: &String, problem| ProbeFinding { capability: name.clone(), claimed: true, problem: Some(problem) };
    claimed.iter().filter_map(|name| problem(name).map(|problem| finding(name, problem))).collect()
}

fn finding(name: &str, claimed: bool, answer: Result<(), Complaint>) -> ProbeFinding {
    let problem = answer.err().map(|complaint| match complaint {
        Complaint::Answered(what) => {
            format!("{what}; do what spec/control.md says under \"Capability `{name}`\", or do not claim it")
        }
        Complaint::Ended(what) => what,
    });
    ProbeFinding { capability: name.to_owned(), claimed, problem }
}

/// Why a capability is not believed.
enum Complaint {
    /// An answer that is not what `spec/control.md` says.
    Answered(String),
    /// Nothing more will be heard: the adapter broke the control protocol, the process ended, or the time did.
    Ended(String),
}

/// A fresh process that is asked one thing after the other.
struct Talk {
    process: NodeProcess,
    client: ControlClient,
    deadline: Instant,
    /// The answer to `node.start`, once it has been asked.
    started: Option<Value>,
}

impl Talk {
    fn begin(run: &CommandLine, patience: Duration) -> Result<Self, String> {
        let process = NodeProcess::spawn(run, Pipes::Control).map_err(|error| error.to_string())?;
        let client = ControlClient::attach(&process).ok_or("no thread could be started to listen to it")?;
        let deadline = Instant::now() + patience;
        client.initialize(deadline).map_err(|error| error.to_string())?;
        Ok(Self { process, client, deadline, started: None })
    }

    /// How it ends is no matter here.
    fn end(self) {
        let _ = self.process.stop(GRACE);
    }

    fn probe(&mut self, capability: &str) -> Result<(), Complaint> {
        match capability {
            "codec" => self.codec(),
            "term" => self.term(),
            REGISTRY => self.registry(),
            PROCESS => self.process(),
            SUPERVISOR => self.supervisor(),
            "rooms" => self.rooms(),
            _ => Ok(()),
        }
    }

    fn codec(&self) -> Result<(), Complaint> {
        let ping = json!({"phase": "session", "bytes": "f00102030405060708"});
        let decoded = self.result("codec.decode", ping)?;
        if decoded["message"] != "PING" || decoded["fields"].get("nonce").is_none() {
            return Err(answered("codec.decode", &decoded.to_string(), "PING with its nonce"));
        }
        self.known("codec.encode", json!({"message": "PING", "fields": decoded["fields"]}))?;
        self.known("codec.frames", json!({"phase": "session", "bytes": "00000000"}))?;
        self.known("codec.proof", json!({"cookie": "736563726574", "challenge": "00".repeat(32)}))
    }

    fn term(&self) -> Result<(), Complaint> {
        let decoded = self.result("term.decode", json!({"bytes": "0106"}))?;
        if decoded["term"]["kind"] != "unit" {
            return Err(answered("term.decode", &decoded.to_string(), "a unit"));
        }
        self.known("term.encode", json!({"term": {"kind": "unit"}}))
    }

    fn registry(&self) -> Result<(), Complaint> {
        self.spawn()?;
        self.result("global.names", json!({}))?;
        let found = self.result("global.whereis", json!({"name": NOBODY}))?;
        if !found["pid"].is_null() {
            return Err(answered("global.whereis", &found.to_string(), "`null` for a name that nobody has registered"));
        }
        Ok(())
    }

    fn process(&mut self) -> Result<(), Complaint> {
        self.start()?;
        let pid = self.spawn()?;
        self.result("process.alive", json!({"pid": pid}))?;
        self.known("process.trap_exit", json!({"pid": pid, "enabled": true}))
    }

    fn supervisor(&mut self) -> Result<(), Complaint> {
        self.start()?;
        let children = json!([{"id": "child", "function": "collector", "restart": "permanent"}]);
        let settings = json!({"strategy": "one_for_one", "max_restarts": 1, "max_seconds": 1, "children": children});
        let supervisor = self.result("supervisor.start", settings)?;
        self.result("supervisor.children", json!({"supervisor": supervisor["pid"]}))?;
        let other = json!({"supervisor": self.spawn()?});
        let wanted = "error -32007 for a process that is no supervisor";
        match self.ask("supervisor.children", other)? {
            Err(error) if error.code == NO_PROCESS => {
                self.known("supervisor.stop", json!({"supervisor": supervisor["pid"]}))
            }
            Err(error) => Err(answered("supervisor.children", &error.to_string(), wanted)),
            Ok(result) => Err(answered("supervisor.children", &result.to_string(), wanted)),
        }
    }

    fn rooms(&mut self) -> Result<(), Complaint> {
        let started = self.start()?;
        if !started["websocket"].as_str().is_some_and(|url| url.starts_with("ws://")) {
            return Err(answered("node.start", &started.to_string(), "`websocket`, the URL for members"));
        }
        self.result("room.broadcast", json!({"room": NOBODY, "text": "hello"})).map(drop)
    }

    /// Starts the node, once.
    fn start(&mut self) -> Result<Value, Complaint> {
        if let Some(started) = &self.started {
            return Ok(started.clone());
        }
        let started = self.result("node.start", json!({"name": "probe@127.0.0.1:0", "cookie": "736563726574"}))?;
        Ok(self.started.insert(started).clone())
    }

    fn spawn(&self) -> Result<Value, Complaint> {
        Ok(self.result("process.spawn", json!({"function": "collector"}))?["pid"].clone())
    }

    /// Asks for a result. Its form has been checked against the control protocol's schema.
    fn result(&self, method: &str, params: Value) -> Result<Value, Complaint> {
        self.ask(method, params)?.map_err(|error| answered(method, &error.to_string(), "a result"))
    }

    /// Asks whether a method is there, whatever it answers.
    fn known(&self, method: &str, params: Value) -> Result<(), Complaint> {
        match self.ask(method, params)? {
            Err(error) if error.code == UNKNOWN_METHOD => Err(answered(method, &error.to_string(), "the method")),
            _ => Ok(()),
        }
    }

    fn ask(&self, method: &str, params: Value) -> Result<Result<Value, RpcError>, Complaint> {
        match self.client.call(method, params, self.deadline) {
            Ok(result) => Ok(Ok(result)),
            Err(CallError::Rpc(error)) => Ok(Err(error)),
            Err(error) => Err(Complaint::Ended(format!("`{method}`: {error}"))),
        }
    }
}

fn answered(method: &str, answer: &str, wanted: &str) -> Complaint {
    Complaint::Answered(format!("`{method}` was answered with {answer} instead of {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(claimed: &[&str]) -> Vec<String> {
        let claimed: Vec<String> = claimed.iter().map(|name| (*name).to_owned()).collect();
        misclaimed(&claimed).into_iter().map(|one| format!("{}: {}", one.capability, one.problem.unwrap())).collect()
    }

    #[test]
    fn what_builds_on_what_is_not_claimed_is_seen_through() {
        assert_eq!(problems(&["registry", "process", "supervisor", "rooms"]), Vec::<String>::new());
        let [problem] = &problems(&["registry", "supervisor"])[..] else { panic!("one problem") };
        assert!(problem.starts_with("supervisor:") && problem.contains("`process`"), "{problem}");
        let [problem] = &problems(&["process"])[..] else { panic!("one problem") };
        assert!(problem.starts_with("process:") && problem.contains("`registry`"), "{problem}");
    }

    #[test]
    fn what_is_no_capability_is_told_what_it_may_be_meant_to_be() {
        let [problem] = &problems(&["room"])[..] else { panic!("one problem") };
        assert!(problem.contains("no capability; did you mean `rooms`?"), "{problem}");
    }

    #[test]
    fn every_capability_is_asked_for() {
        let (mut asked, mut known) = (ORDER.to_vec(), CAPABILITIES.to_vec());
        asked.sort_unstable();
        known.sort_unstable();
        assert_eq!(asked, known);
    }
}
