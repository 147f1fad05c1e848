//! An adapter on control lines, one process a check: what breaks in one check hides nothing of the next.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::conversation::{Conversation, Over, UNKNOWN_METHOD};
use super::report::{Check, Report};
use crate::cluster::{CallError, CommandLine, Exit, Initialized, Manifest};
use crate::probe::{self, ProbeFinding};

/// How long a connection to a node on this machine may take to be accepted.
const ACCEPTED: Duration = Duration::from_secs(5);

/// The handshake timeout of a node that dials somebody who says nothing: longer than anything is waited for meanwhile.
const LONG: Duration = Duration::from_secs(300);

/// Makes all checks.
pub(super) fn examine(manifest: &Manifest, patience: Duration, mut report: Report) -> Report {
    let mut doctor = Doctor { run: &manifest.run, patience, report: &mut report };
    // Whether one check could be made says nothing about the others, but none can where the first words fail.
    if let Ok(initialized) = doctor.introduction(manifest) {
        let _ = doctor.unknown_methods();
        let _ = doctor.unknown_members();
        let _ = doctor.port_zero();
        let _ = doctor.overlap();
        let _ = doctor.claims(manifest, &initialized);
        let _ = doctor.end_of_input();
        let _ = doctor.shutdown();
        for check in [Check::Output, Check::Form, Check::Answers] {
            let seen = match check {
                Check::Output => "control lines and nothing else",
                Check::Form => "every line fits spec/control.schema.json",
                _ => "each request was answered once, with its id",
            };
            doctor.report.pass(check, seen);
        }
    }
    report.of_all(Check::OF_ADAPTERS)
}

struct Doctor<'a> {
    run: &'a CommandLine,
    patience: Duration,
    report: &'a mut Report,
}

/// Whether a node has `node.start`, and what it answered.
enum Started {
    As(Value),
    /// Not there yet; only codecs can be judged.
    Unknown,
}

impl Doctor<'_> {
    fn begin(&mut self, check: Check) -> Result<Conversation<'_>, Over> {
        Conversation::begin(self.run, check, self.patience, self.report).map(|(conversation, _)| conversation)
    }

    fn introduction(&mut self, manifest: &Manifest) -> Result<Initialized, Over> {
        let (mut conversation, initialized) =
            Conversation::begin(self.run, Check::UnknownMethod, self.patience, self.report)?;
        conversation.report.pass(Check::Start, manifest.run.words.join(" "));
        let says =
            if initialized.capabilities.is_empty() { "none".to_owned() } else { initialized.capabilities.join(", ") };
        let words = format!("{} {}, capabilities: {says}", initialized.implementation, initialized.version);
        conversation.report.pass(Check::Initialize, words);
        conversation.fence()?;
        Ok(initialized)
    }

    /// Several requests at once, so that an adapter that forgets those behind the first is found, too.
    fn unknown_methods(&mut self) -> Result<(), Over> {
        let mut conversation = self.begin(Check::Overlap)?;
        let methods = ["doctor.first", "doctor.second", "doctor.third"];
        let asked: Vec<_> = methods.iter().map(|method| conversation.client.start_call(method, json!({}))).collect();
        for pending in asked {
            let method = pending.method().to_owned();
            let said = match conversation.await_answer(pending)? {
                Err(error) if error.code == UNKNOWN_METHOD => continue,
                Err(error) => format!("with {error}"),
                Ok(result) => format!("with the result {result}"),
            };
            conversation.report.fail(
                Check::UnknownMethod,
                format!("the unknown method `{method}` was answered {said}"),
                format!(
                    "answer a method that you do not have with an error of code {UNKNOWN_METHOD}, and with nothing more"
                ),
            );
            return Ok(());
        }
        conversation.report.pass(Check::UnknownMethod, format!("refused with {UNKNOWN_METHOD}"));
        conversation.fence()
    }

    fn unknown_members(&mut self) -> Result<(), Over> {
        let params = json!({"protocol": 5, "doctor": {"unknown": [1, null]}});
        let refused = |report: &mut Report, method: &str, what: String| {
            report.fail(
                Check::UnknownMembers,
                format!("`{method}` with a member of `params` that no node knows, `doctor`, was answered {what}"),
                "ignore members of `params` that you do not know: later versions of the control protocol may add some",
            );
        };
        // An `initialize` that is refused for its unknown member would be taken for one that fails.
        let mut apart = Report::default();
        let begun = Conversation::introduced(self.run, params, self.patience, &mut apart);
        let Ok((mut conversation, _)) = begun else {
            let what = apart.findings().find_map(|(_, finding)| match finding {
                super::Finding::Fail { what, .. } => Some(what.clone()),
                _ => None,
            });
            refused(self.report, "initialize", format!("otherwise than without it: {}", what.unwrap_or_default()));
            return Ok(());
        };
        let answered = conversation.ask("node.self", json!({"doctor": 1}));
        let what = match answered {
            Ok(Err(error)) if error.code != UNKNOWN_METHOD => Some(format!("with {error}")),
            Err(Over) => Some("with nothing that could be read".to_owned()),
            _ => None,
        };
        drop(conversation);
        match what {
            Some(what) => refused(self.report, "node.self", what),
            None => self.report.pass(Check::UnknownMembers, "ignored"),
        }
        Ok(())
    }

    fn port_zero(&mut self) -> Result<(), Over> {
        let mut conversation = self.begin(Check::PortZero)?;
        let Started::As(started) = start(&mut conversation, "doctor@127.0.0.1:0")? else {
            for check in [Check::PortZero, Check::Overlap] {
                conversation.report.leave(check, "`node.start` is not there yet (-32601): rung 2 needs it");
            }
            return Ok(());
        };
        let name = started["name"].as_str().unwrap_or_default().to_owned();
        let address = name.strip_prefix("doctor@").and_then(|place| place.parse::<SocketAddr>().ok());
        let Some(address) = address.filter(|address| address.ip().is_loopback() && address.port() != 0) else {
            conversation.report.fail(
                Check::PortZero,
                format!("`node.start` as doctor@127.0.0.1:0 was answered with the name {name:?}"),
                "bind a free port, learn from the system which it is, and answer with the name that was asked for, its port 0 replaced by that one",
            );
            return Ok(());
        };
        if let Err(error) = TcpStream::connect_timeout(&address, ACCEPTED) {
            conversation.report.fail(
                Check::PortZero,
                format!("the node is started as {name}, but a connection to {address} fails: {error}"),
                "listen on that address before you answer `node.start`, and tell the port that you really listen on",
            );
            return Ok(());
        }
        let told = conversation.ask("node.self", json!({}))?;
        if told.as_ref().ok().map(|told| (&told["name"], &told["creation"]))
            != Some((&started["name"], &started["creation"]))
        {
            let told = told.map_or_else(|error| error.to_string(), |told| told.to_string());
            conversation.report.fail(
                Check::PortZero,
                format!("`node.start` was answered with {started}, and then `node.self` with {told}"),
                "answer `node.self` with the name and the creation that `node.start` was answered with",
            );
            return Ok(());
        }
        conversation.report.pass(Check::PortZero, format!("doctor@127.0.0.1:0 became {name}, and listens there"));
        conversation.fence()
    }

    /// Has the node dial somebody who never says anything, and asks something else meanwhile.
    fn overlap(&mut self) -> Result<(), Over> {
        // The system accepts for it; it never reads.
        let Ok(silent) = TcpListener::bind("127.0.0.1:0") else { return Ok(()) };
        let Ok(address) = silent.local_addr() else { return Ok(()) };
        let patience = self.patience;
        let mut conversation = self.begin(Check::Overlap)?;
        let Started::As(_) = start(&mut conversation, "doctor@127.0.0.1:0")? else { return Ok(()) };
        let params = json!({"node": format!("silent@{address}")});
        let connect = conversation.client.start_call("node.connect", params);
        let asked = conversation.client.start_call("node.self", json!({}));
        let answered = asked.wait(Instant::now() + patience);
        if let Err(CallError::TimedOut { .. }) = answered {
            conversation.report.fail(
                Check::Overlap,
                format!(
                    "while `node.connect` to a peer that says nothing was open, `node.self` was not answered within {} s",
                    patience.as_secs()
                ),
                "read the next request before the last is answered: a request that takes long, above all `node.connect`, holds up no other",
            );
            return Ok(());
        }
        if connect.answered_at().is_some() {
            conversation.report.leave(
                Check::Overlap,
                "`node.connect` was answered at once: whether it would hold up others cannot be seen",
            );
            return Ok(());
        }
        conversation.report.pass(Check::Overlap, "a `node.connect` that takes long held up nobody");
        // Closing resets the connection: the dial fails, and that has to be said.
        drop(silent);
        conversation.await_answer(connect)?.ok();
        conversation.fence()
    }

    fn claims(&mut self, manifest: &Manifest, initialized: &Initialized) -> Result<(), Over> {
        let expected = manifest.capabilities.iter().flatten();
        let lacking: Vec<&str> =
            expected.filter(|name| !initialized.capabilities.contains(name)).map(String::as_str).collect();
        if !lacking.is_empty() {
            self.report.fail(
                Check::Claims,
                format!("the manifest expects {}, which `initialize` does not claim", lacking.join(", ")),
                "claim in `initialize` what the node can do, or take it out of `capabilities` in the manifest",
            );
            return Ok(());
        }
        let findings = match probe::capabilities(self.run, &initialized.capabilities) {
            Ok(findings) => findings,
            Err(message) => {
                self.report.leave(Check::Claims, message);
                return Ok(());
            }
        };
        let problems: Vec<String> = findings
            .iter()
            .filter(|finding| finding.claimed)
            .filter_map(|finding| Some(format!("`{}`: {}", finding.capability, finding.problem.as_ref()?)))
            .collect();
        if !problems.is_empty() {
            self.report.fail(
                Check::Claims,
                format!("`initialize` claims what was not shown:\n{}", problems.join("\n")),
                "answer as spec/control.md says, or claim a capability only when all its methods are there: what is claimed is judged",
            );
            return Ok(());
        }
        let listed = |claimed: bool| {
            let fits = |finding: &&ProbeFinding| finding.claimed == claimed && finding.problem.is_none();
            findings.iter().filter(fits).map(|finding| finding.capability.as_str()).collect::<Vec<_>>().join(", ")
        };
        let mut seen = if initialized.capabilities.is_empty() {
            "none is claimed".to_owned()
        } else {
            format!("there: {}", listed(true))
        };
        if !listed(false).is_empty() {
            seen.push_str(&format!("; there and not claimed: {}", listed(false)));
        }
        self.report.pass(Check::Claims, seen);
        Ok(())
    }

    fn end_of_input(&mut self) -> Result<(), Over> {
        let mut conversation = self.begin(Check::EndOfInput)?;
        let _ = start(&mut conversation, "doctor@127.0.0.1:0")?;
        conversation.close_input();
        let ended = conversation.end()?;
        judge_end(self.report, Check::EndOfInput, "the end of its input", ended, self.patience);
        Ok(())
    }

    fn shutdown(&mut self) -> Result<(), Over> {
        let mut conversation = self.begin(Check::Shutdown)?;
        let _ = start(&mut conversation, "doctor@127.0.0.1:0")?;
        if let Err(error) = conversation.ask("shutdown", json!({}))? {
            conversation.report.fail(
                Check::Shutdown,
                format!("`shutdown` was answered with {error}"),
                "answer `shutdown` with {}, then exit with status 0",
            );
            return Ok(());
        }
        let ended = conversation.end()?;
        judge_end(self.report, Check::Shutdown, "the answer to `shutdown`", ended, self.patience);
        Ok(())
    }
}

/// Starts the node. A refusal is a failure, but for that of a node that has no `node.start` yet.
fn start(conversation: &mut Conversation<'_>, name: &str) -> Result<Started, Over> {
    let timeout = u64::try_from(LONG.as_millis()).unwrap_or(u64::MAX);
    let params = json!({"name": name, "cookie": "736563726574", "handshake_timeout_ms": timeout});
    match conversation.ask("node.start", params)? {
        Ok(started) => Ok(Started::As(started)),
        Err(error) if error.code == UNKNOWN_METHOD => Ok(Started::Unknown),
        Err(error) => {
            conversation.report.fail(
                Check::PortZero,
                format!("`node.start` as {name} with the cookie 736563726574 was answered with {error}"),
                "start under that name: port 0 is allowed at start, and the cookie's bytes are hexadecimal",
            );
            Err(Over)
        }
    }
}

fn judge_end(report: &mut Report, check: Check, after: &str, ended: Option<Exit>, patience: Duration) {
    match ended {
        Some(exit) if exit.status.code() == Some(0) => report.pass(check, "ended with status 0"),
        Some(exit) => {
            report.fail(check, format!("the adapter {exit} after {after}"), "close all sessions and exit with status 0")
        }
        None => report.fail(
            check,
            format!("the adapter still runs {} s after {after}", patience.as_secs()),
            "close all sessions and exit with status 0; threads that wait on sockets must not keep the process alive",
        ),
    }
}
