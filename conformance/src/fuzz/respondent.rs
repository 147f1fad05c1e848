//! The node's codec as a process that is asked many things at once, and started again when it has ended.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::compare::{Disagreement, Own};
use super::input::{Input, Target};
use super::seeds::Seeds;
use crate::cluster::{CallError, CommandLine, ControlClient, NodeProcess, PendingCall, Pipes};
use crate::schema::Schema;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a process may take to introduce itself.
const PROBE: Duration = Duration::from_secs(20);

/// How many inputs are on their way at once.
const WINDOW: usize = 128;

/// Asks one node about inputs.
pub(super) struct Respondent<'a> {
    schema: &'a Schema,
    seeds: &'a Seeds,
    run: &'a CommandLine,
    process: Option<(NodeProcess, ControlClient)>,
    waiting: VecDeque<Asked>,
}

struct Asked {
    input: Input,
    own: Own,
    calls: Vec<PendingCall>,
}

/// What came of one input.
pub(super) struct Judged {
    pub(super) input: Input,
    pub(super) disagreement: Option<Disagreement>,
}

impl<'a> Respondent<'a> {
    pub(super) fn new(schema: &'a Schema, seeds: &'a Seeds, run: &'a CommandLine) -> Self {
        Self { schema, seeds, run, process: None, waiting: VecDeque::new() }
    }

    /// Asks about an input, and gives what came of an earlier one once enough are on their way.
    ///
    /// # Errors
    /// A message when no node can be started.
    pub(super) fn push(&mut self, input: Input) -> Result<Option<Judged>, String> {
        let own = Own::of(self.schema, &input);
        let calls = self.send(own.questions(self.schema, &input))?;
        self.waiting.push_back(Asked { input, own, calls });
        if self.waiting.len() > WINDOW { self.next() } else { Ok(None) }
    }

    /// What came of the oldest input that nothing is known of yet; `None` when there is none.
    ///
    /// # Errors
    /// As for [`Respondent::push`].
    pub(super) fn next(&mut self) -> Result<Option<Judged>, String> {
        let Some(Asked { input, own, calls }) = self.waiting.pop_front() else { return Ok(None) };
        match self.judge(&input, &own, calls) {
            Ok(disagreement) => Ok(Some(Judged { input, disagreement })),
            Err(_) => self.again(input).map(Some),
        }
    }

    /// Asks about one input alone.
    ///
    /// # Errors
    /// As for [`Respondent::push`].
    pub(super) fn alone(&mut self, input: &Input) -> Result<Option<Disagreement>, String> {
        let own = Own::of(self.schema, input);
        let calls = self.send(own.questions(self.schema, input))?;
        match self.judge(input, &own, calls) {
            Ok(disagreement) => Ok(disagreement),
            Err(error) => {
                self.process = None;
                Ok(Some(unanswered(input, &error)))
            }
        }
    }

    /// The process is gone, or does not answer: one of those that it has been asked about is to blame, and each is asked about again by
    /// itself, this one first.
    fn again(&mut self, input: Input) -> Result<Judged, String> {
        self.process = None;
        let others: Vec<Input> = self.waiting.drain(..).map(|asked| asked.input).collect();
        let disagreement = self.alone(&input)?;
        for input in others {
            let own = Own::of(self.schema, &input);
            let calls = self.send(own.questions(self.schema, &input))?;
            self.waiting.push_back(Asked { input, own, calls });
        }
        Ok(Judged { input, disagreement })
    }

    fn send(&mut self, questions: Vec<(&'static str, Json)>) -> Result<Vec<PendingCall>, String> {
        let client = match &self.process {
            Some((_, client)) => client,
            None => {
                let process = NodeProcess::spawn(self.run, Pipes::Control).map_err(|error| error.to_string())?;
                let client =
                    ControlClient::attach(&process).ok_or("no thread could be started to listen to the node")?;
                client
                    .initialize(Instant::now() + PROBE)
                    .map_err(|error| format!("the node did not answer initialize: {error}"))?;
                &self.process.insert((process, client)).1
            }
        };
        Ok(questions.into_iter().map(|(method, params)| client.start_call(method, params)).collect())
    }

    fn judge(&self, input: &Input, own: &Own, calls: Vec<PendingCall>) -> Result<Option<Disagreement>, CallError> {
        let deadline = Instant::now() + PATIENCE;
        let mut answers = Vec::new();
        for call in calls {
            answers.push(match call.wait(deadline) {
                Ok(result) => Ok(result),
                Err(CallError::Rpc(error)) => Err(error),
                Err(error) => return Err(error),
            });
        }
        Ok(own.judge(self.schema, self.seeds, input, answers.into_iter()))
    }
}

fn unanswered(input: &Input, error: &CallError) -> Disagreement {
    let what = match error {
        CallError::Exited { .. } => "crash",
        CallError::TimedOut { .. } => "silence",
        _ => "adapter",
    };
    let requirement = if input.target == Target::Term { "TERM-15" } else { "FRAME-21" };
    Disagreement { what, requirement: requirement.to_owned(), sentence: error.to_string() }
}
