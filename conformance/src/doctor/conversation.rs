//! One process of an adapter and what is said to it for one check. A break of the control protocol is reported where it belongs, whatever was asked.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::report::{Check, Report};
use crate::cluster::{
    AdapterFault, CallError, CommandLine, ControlClient, Exit, Initialized, NodeProcess, PendingCall, Pipes, RpcError,
};

/// A method that no node has.
const UNKNOWN: &str = "doctor.unknown";

/// What an unknown method is answered with.
pub(super) const UNKNOWN_METHOD: i64 = -32601;

/// The conversation is over, and the report says why.
#[derive(Debug)]
pub(super) struct Over;

/// What came of a request: a result, or the error that the node answered with.
pub(super) type Answer = Result<Value, RpcError>;

/// A process of an adapter.
pub(super) struct Conversation<'a> {
    pub(super) report: &'a mut Report,
    pub(super) client: ControlClient,
    process: NodeProcess,
    /// What a silence or an early end is blamed on.
    check: Check,
    patience: Duration,
}

impl<'a> Conversation<'a> {
    /// Starts a process and has it introduce itself. What it does not answer is blamed on `check` from then on.
    pub(super) fn begin(
        run: &CommandLine,
        check: Check,
        patience: Duration,
        report: &'a mut Report,
    ) -> Result<(Self, Initialized), Over> {
        let (mut conversation, initialized) = Self::introduced(run, json!({"protocol": 5}), patience, report)?;
        conversation.check = check;
        Ok((conversation, initialized))
    }

    /// The same with other parameters of `initialize`.
    pub(super) fn introduced(
        run: &CommandLine,
        params: Value,
        patience: Duration,
        report: &'a mut Report,
    ) -> Result<(Self, Initialized), Over> {
        let process = match NodeProcess::spawn(run, Pipes::Control) {
            Ok(process) => process,
            Err(error) => {
                let next = "correct `run` in the manifest, or install the program that it names";
                report.fail(Check::Start, error.to_string(), next);
                return Err(Over);
            }
        };
        let Some(client) = ControlClient::attach(&process) else {
            report.leave(Check::Start, "this machine has no threads left to listen to it");
            return Err(Over);
        };
        let mut conversation = Self { report, client, process, check: Check::Initialize, patience };
        let result = match conversation.ask("initialize", params)? {
            Ok(result) => result,
            Err(error) => {
                let next = "answer `initialize`, the first request of all, with a result (spec/control.md, \"Methods of every node\")";
                conversation.report.fail(Check::Initialize, format!("`initialize` was answered with {error}"), next);
                return Err(Over);
            }
        };
        let Ok(initialized) = serde_json::from_value::<Initialized>(result) else {
            // The schema that results are checked against has all members; they cannot be missing here.
            return Err(Over);
        };
        Ok((conversation, initialized))
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.patience
    }

    /// Asks and waits.
    pub(super) fn ask(&mut self, method: &str, params: Value) -> Result<Answer, Over> {
        let pending = self.client.start_call(method, params);
        self.await_answer(pending)
    }

    /// Waits for an answer.
    pub(super) fn await_answer(&mut self, pending: PendingCall) -> Result<Answer, Over> {
        let method = pending.method().to_owned();
        match pending.wait(self.deadline()) {
            Ok(result) => Ok(Ok(result)),
            Err(CallError::Rpc(error)) => Ok(Err(error)),
            Err(error) => {
                self.tell(&method, error);
                Err(Over)
            }
        }
    }

    /// Asks something that no node knows, so that what was printed before the answer has been heard.
    pub(super) fn fence(&mut self) -> Result<(), Over> {
        self.ask(UNKNOWN, json!({"of": "the doctor"})).map(drop)
    }

    /// Waits until the process has ended by itself, for the reason given. `None`: it goes on.
    pub(super) fn end(&mut self) -> Result<Option<Exit>, Over> {
        let Some(exit) = self.process.wait(self.deadline()) else { return Ok(None) };
        if !exit.left_behind.is_empty() {
            let left: Vec<String> =
                exit.left_behind.iter().map(|child| format!("{} (process {})", child.command, child.id)).collect();
            self.report.fail(
                Check::Children,
                format!("the adapter ended and left running what it had started: {}", left.join(", ")),
                "end and await every process that you start before you exit",
            );
        } else if cfg!(target_os = "linux") {
            self.report.pass(Check::Children, "nothing that it started outlived it");
        }
        // Whatever it printed last has been heard once the end has been.
        match self.client.next_event(self.deadline(), "the end of its output", |_| false) {
            Err(CallError::AdapterFault(fault)) => {
                self.fault(&fault);
                Err(Over)
            }
            _ => Ok(Some(exit)),
        }
    }

    /// Closes its standard input.
    pub(super) fn close_input(&self) {
        self.process.close_input();
    }

    fn tell(&mut self, method: &str, error: CallError) {
        let seconds = self.patience.as_secs();
        match error {
            CallError::AdapterFault(fault) => self.fault(&fault),
            CallError::Exited { exit, log, .. } => {
                let last_words = if log.is_empty() { "it wrote nothing to standard error".to_owned() } else { log };
                self.report.fail(
                    self.check,
                    format!("the adapter {exit} instead of answering `{method}`; its last words:\n{last_words}"),
                    "start it by hand as `run` says, paste a request, and see why it ends",
                );
            }
            CallError::TimedOut { .. } => self.report.fail(
                self.check,
                format!("the adapter did not answer `{method}` within {seconds} s"),
                "answer every request, one line each, ended by LF, and flush standard output behind it",
            ),
            CallError::Rpc(_) => {}
        }
    }

    /// Keeps a break of the control protocol under the check that it breaks.
    fn fault(&mut self, fault: &AdapterFault) {
        let (check, next) = match fault {
            AdapterFault::NotJson { .. } | AdapterFault::TooLong { .. } | AdapterFault::OutputClosed { .. } => (
                Check::Output,
                "send logs, banners and debugging output to standard error; keep standard output open, and for control lines alone",
            ),
            AdapterFault::UnknownId { .. } => {
                (Check::Answers, "answer each request once, with the `id` that stands in it, an integer")
            }
            AdapterFault::Sequence { .. } => {
                (Check::Form, "number notifications in `params.seq`: 1, 2, 3, … from the start of the process")
            }
            AdapterFault::NotInSchema { .. } | AdapterFault::TooDeep { .. } => (
                if fault.to_string().contains("initialize") { Check::Initialize } else { Check::Form },
                "compare that line with the method's row in spec/control.md; spec/control.schema.json says the same to a machine",
            ),
        };
        self.report.fail(check, fault.to_string(), next);
    }
}
