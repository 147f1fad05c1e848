//! Plays one case from the start of its nodes to its verdict.

use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::case::{Case, Kind};
use crate::cluster::{CommandLine, ControlClient, Manifest, Mode, NodeProcess, Pipes};
use crate::requirement::Spec;
use crate::results::{Blame, CaseResult, Failure, Outcome, Problem};
use crate::scenario::load::Loaded;
use crate::scenario::model::StartWhen;
use crate::scenario::{Scenario, Step, Timers, Verb};
use crate::schema::Schema;

use super::context::Context;
use super::stop::{Broken, StepResult, Stop};
use super::vector::CodecPool;

/// Milliseconds that a case may take where its scenario says nothing.
const DEADLINE_MS: u64 = 20_000;

/// How many times over a case may await one of its timers; matters only for nodes whose timers cannot be set.
const MANY_TIMES: u64 = 8;

/// What all cases of a run have in common.
#[derive(Debug)]
pub struct Environment {
    /// The spec's requirements.
    pub spec: Spec,
    /// The spec's message layouts.
    pub schema: Schema,
    /// The implementation under test.
    pub manifest: Manifest,
    /// Starts one of its nodes; the manifest's command, or that of a node with a planted fault.
    pub run: CommandLine,
    /// Its processes that answer for their codec.
    pub codecs: CodecPool,
    /// What it can do: `control` and what `initialize` told.
    pub capabilities: Vec<String>,
    /// The folder that paths in reports are relative to.
    pub root: PathBuf,
    /// The beginning of the command that repeats a case.
    pub repeat: String,
    /// Factor for the deadlines of cases: below 1 where failures are expected and waiting for them is waste.
    pub patience: f64,
}

impl Environment {
    /// Whether there is an adapter, or only a port.
    #[must_use]
    pub fn has_control(&self) -> bool {
        self.manifest.mode == Mode::Control
    }

    pub(super) fn manifest_timers(&self) -> Timers {
        let ms = |time: Duration| u64::try_from(time.as_millis()).ok();
        Timers {
            heartbeat_interval_ms: ms(self.manifest.timers.heartbeat_interval),
            heartbeat_timeout_ms: ms(self.manifest.timers.heartbeat_timeout),
            handshake_timeout_ms: ms(self.manifest.timers.handshake_timeout),
        }
    }

    /// Starts a process that is driven by control lines.
    pub(super) fn launch(&self) -> StepResult<(NodeProcess, ControlClient)> {
        let process =
            NodeProcess::spawn(&self.run, Pipes::Control).map_err(|error| Stop::Adapter(error.to_string()))?;
        let client = ControlClient::attach(&process)
            .ok_or_else(|| Stop::Harness("no thread could be started to listen to a node".to_owned()))?;
        Ok((process, client))
    }

    /// How long a case may take. A node whose timers cannot be set is waited for at its own pace.
    pub(super) fn deadline(&self, scenario: &Scenario, timers: Timers) -> Duration {
        let declared = scenario.timers;
        let longer = |actual: Option<u64>, asked: Option<u64>| match (actual, asked) {
            (Some(actual), Some(asked)) => actual.saturating_sub(asked) * MANY_TIMES,
            _ => 0,
        };
        let extra = longer(timers.heartbeat_interval_ms, declared.heartbeat_interval_ms)
            + longer(timers.heartbeat_timeout_ms, declared.heartbeat_timeout_ms)
            + longer(timers.handshake_timeout_ms, declared.handshake_timeout_ms);
        let base = Duration::from_millis(scenario.deadline_ms.unwrap_or(DEADLINE_MS));
        base.mul_f64(self.patience) + Duration::from_millis(extra)
    }
}

/// Plays a case.
#[must_use]
pub fn play(environment: &Environment, case: &Case, repetition: u32) -> CaseResult {
    let start = Instant::now();
    let missing = case.needs.iter().find(|need| !environment.capabilities.contains(need));
    let outcome = match (missing, &case.kind) {
        (Some(missing), _) => Outcome::Skipped { missing: missing.clone() },
        (None, Kind::Scenario(loaded, row)) => guarded(environment, case, || scenario(environment, case, loaded, *row)),
        (None, Kind::Vector(vector)) => guarded(environment, case, || super::vector::judge(environment, case, vector)),
    };
    CaseResult {
        id: case.id.clone(),
        title: case.title.clone(),
        family: case.family.clone(),
        level: case.level,
        requirements: case.requirements.clone(),
        repetition,
        duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        outcome,
    }
}

/// A panic of the harness is no verdict about the node.
fn guarded(environment: &Environment, case: &Case, run: impl FnOnce() -> Outcome) -> Outcome {
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Outcome::Error {
            problem: Box::new(Problem {
                blame: Blame::Harness,
                message: format!("the harness panicked: {message}; please report it"),
                logs: Vec::new(),
                repeat: repeat(environment, case),
            }),
        }
    })
}

/// The command that repeats just this case.
pub(super) fn repeat(environment: &Environment, case: &Case) -> String {
    format!("{} '{}'", environment.repeat, case.id)
}

fn scenario(environment: &Environment, case: &Case, loaded: &Loaded, row: Option<usize>) -> Outcome {
    let scenario = &loaded.scenario;
    let row = row.map(|row| &scenario.table[row]);
    let mut context = match Context::new(environment, scenario, row) {
        Ok(context) => context,
        Err(stop) => return without_context(environment, case, stop),
    };
    let mut place = None;
    let result = context.start_all().and_then(|()| {
        for (index, step) in scenario.steps.iter().enumerate() {
            place = loaded.step_lines.get(index).copied();
            context.step(step)?;
        }
        context.finish()
    });
    let path = loaded.path.strip_prefix(&environment.root).unwrap_or(&loaded.path).display().to_string();
    match result {
        Ok(()) => Outcome::Pass,
        Err(Stop::Broken(broken)) => {
            let requirement = context
                .inner_cite
                .clone()
                .or_else(|| broken.requirement.map(str::to_owned))
                .unwrap_or_else(|| case.requirements[0].clone());
            let Broken { sentence, cause, expected, actual, bytes, meanwhile, .. } = *broken;
            Outcome::Fail {
                failure: Box::new(Failure {
                    requirement,
                    sentence,
                    cause,
                    place: Some(place.map_or_else(|| path.clone(), |line| format!("{path}:{line}"))),
                    expected,
                    actual,
                    bytes,
                    meanwhile,
                    sessions: context.traces(),
                    logs: context.logs(),
                    repeat: repeat(environment, case),
                }),
            }
        }
        Err(Stop::Adapter(message)) => error(environment, case, Blame::Adapter, message, &context),
        Err(Stop::Harness(message)) => {
            let at = place.map_or_else(|| path.clone(), |line| format!("{path}:{line}"));
            error(environment, case, Blame::Harness, format!("{at}: {message}"), &context)
        }
    }
}

fn error(environment: &Environment, case: &Case, blame: Blame, message: String, context: &Context<'_>) -> Outcome {
    Outcome::Error {
        problem: Box::new(Problem { blame, message, logs: context.logs(), repeat: repeat(environment, case) }),
    }
}

fn without_context(environment: &Environment, case: &Case, stop: Stop) -> Outcome {
    let (blame, message) = match stop {
        Stop::Adapter(message) => (Blame::Adapter, message),
        Stop::Harness(message) => (Blame::Harness, message),
        Stop::Broken(broken) => (Blame::Harness, broken.sentence),
    };
    Outcome::Error {
        problem: Box::new(Problem { blame, message, logs: Vec::new(), repeat: repeat(environment, case) }),
    }
}

impl Context<'_> {
    fn start_all(&mut self) -> StepResult {
        let keys: Vec<String> = self.nodes.keys().cloned().collect();
        for key in keys {
            match self.node(&key)?.spec.start {
                StartWhen::AtOnce => self.start_node(&key)?,
                StartWhen::ProcessOnly => self.launch_process(&key)?,
                StartWhen::Later => {}
            }
        }
        Ok(())
    }

    /// Plays one step.
    pub(super) fn step(&mut self, step: &Step) -> StepResult {
        self.step_start = Instant::now();
        let result = match &step.verb {
            Verb::Start(node) => self.start_node(node),
            Verb::Stop(node) => self.stop_node(node),
            Verb::Kill(node) => self.kill_node(node),
            Verb::Freeze(node) => self.freeze_node(node),
            Verb::Thaw(node) => self.thaw_node(node),
            Verb::Connect(step) => self.connect(step),
            Verb::Handshake(step) => self.handshake(step),
            Verb::Join(step) => self.join(&step.0),
            Verb::MakeDial(step) => self.make_dial(step),
            Verb::Accept(step) => self.accept(&step.0),
            Verb::Send(step) => self.send(step),
            Verb::Expect(step) => self.expect(step),
            Verb::Collect(step) => self.collect(step),
            Verb::Fence(sessions) => self.fence(sessions),
            Verb::Quiet(step) => self.quiet(step),
            Verb::ExpectClosed(step) => self.expect_closed(&step.0),
            Verb::CloseConnection(step) => self.close_connection(&step.0),
            Verb::Reading(step) => self.reading(step),
            Verb::AnswerPings(step) => self.answer_pings(step),
            Verb::ExpectPing(step) => self.expect_ping(step),
            Verb::Tls(step) => self.tls(step),
            Verb::RefuseDials(peer) => self.refuse_dials(peer),
            Verb::ExpectDials(step) => self.expect_dials(step),
            Verb::NoDial(peers) => self.no_dial(peers),
            Verb::Call(step) => self.call(step),
            Verb::StartCall(step) => self.start_call(step),
            Verb::Await(step) => self.await_answer(step),
            Verb::Eventually(step) => self.eventually(step),
            Verb::Event(step) => self.event(step),
            Verb::NoEvent(step) => self.no_event(step),
            Verb::Member(step) => self.join_room(step),
            Verb::Texts(step) => self.texts(step),
            Verb::MemberSend(step) => self.member_send(step),
            Verb::MemberReading(step) => self.member_reading(step),
            Verb::CloseMember(step) => self.close_member(step),
            Verb::ExpectMemberClosed(member) => self.expect_member_closed(member),
            Verb::For(step) => self.repeat(step),
            Verb::Let(names) => self.bind(names),
            Verb::Check(step) => self.check(step),
            Verb::Clock(name) => {
                self.clocks.insert(name.clone(), Instant::now());
                Ok(())
            }
            Verb::Elapsed(step) => self.elapsed(step),
            Verb::Memory(step) => self.memory(step),
        };
        // The innermost step that cites a requirement knows best.
        if matches!(result, Err(Stop::Broken(_))) && self.inner_cite.is_none() {
            self.inner_cite.clone_from(&step.cite);
        }
        result
    }
}
