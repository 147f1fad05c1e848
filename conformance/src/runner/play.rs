//! Plays one case from the start of its nodes to its verdict.

use std::panic::{self, AssertUnwindSafe};
use std::time::Instant;

use crate::case::{Case, Kind};
use crate::delivery::DeliveryCase;
use crate::matrix::MatrixCase;
use crate::results::{Blame, CaseResult, CellResult, Failure, Outcome, Problem};
use crate::scenario::load::Loaded;
use crate::scenario::model::StartWhen;
use crate::scenario::{Step, Verb};

use super::context::Context;
use super::environment::Environment;
use super::matrix::Ended;
use super::stop::{Broken, StepResult, Stop};

/// Plays a case.
#[must_use]
pub fn play(environment: &Environment, case: &Case, repetition: u32) -> CaseResult {
    let start = Instant::now();
    let nodes = case.nodes();
    let missing = case.needs.iter().find(|need| !environment.nodes.all_can(&nodes, need));
    let mut cells = Vec::new();
    let outcome = match (missing, &case.kind) {
        (Some(missing), _) => Outcome::Skipped { missing: missing.clone() },
        (None, Kind::Scenario(loaded, row)) => guarded(environment, case, || scenario(environment, case, loaded, *row)),
        (None, Kind::Vector(vector)) => guarded(environment, case, || super::vector::judge(environment, case, vector)),
        (None, Kind::Delivery(all)) => guarded(environment, case, || deliveries(environment, case, all)),
        (None, Kind::Matrix(all)) => guarded(environment, case, || matrix(environment, case, all, &mut cells)),
    };
    CaseResult {
        id: case.id.clone(),
        title: case.title.clone(),
        family: case.family.clone(),
        level: case.level,
        rung: Some(case.rung()),
        requirements: case.requirements.clone(),
        repetition,
        duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        outcome,
        deviation: None,
        cells,
        nodes: environment.nodes.names(&nodes),
        blame: None,
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
                repeat: environment.repeat_of(case),
            }),
        }
    })
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
    let place = place.map_or_else(|| path.clone(), |line| format!("{path}:{line}"));
    concluded(environment, case, &context, result, place)
}

/// A case of delivery.
fn deliveries(environment: &Environment, case: &Case, all: &DeliveryCase) -> Outcome {
    let mut context = match Context::new(environment, super::matrix::head(), None) {
        Ok(context) => context,
        Err(stop) => return without_context(environment, case, stop),
    };
    let result = context.start_all().and_then(|()| context.deliveries(all));
    concluded(environment, case, &context, result, "conformance/matrix.md, Delivery".to_owned())
}

/// A case of the matrix; a failure is repeated with the one input that showed it.
fn matrix(environment: &Environment, case: &Case, all: &MatrixCase, cells: &mut Vec<CellResult>) -> Outcome {
    let mut context = match Context::new(environment, super::matrix::head(), None) {
        Ok(context) => context,
        Err(stop) => return without_context(environment, case, stop),
    };
    let ended = match context.start_all() {
        Ok(()) => context.matrix(all).err(),
        Err(stop) => Some(Ended { at: None, played: 0, stop }),
    };
    let (at, played, result) = match ended {
        None => (None, all.inputs.len(), Ok(())),
        Some(Ended { at, played, stop }) => (at, played, Err(stop)),
    };
    *cells = all.cells(played, at);
    let place = "spec/resilience.md, Reactions".to_owned();
    let mut outcome = concluded(environment, case, &context, result, place);
    if let (Outcome::Fail { failure }, Some(at), false) = (&mut outcome, at, case.id.ends_with(']')) {
        failure.repeat = format!("{} '{}[{}]'", environment.repeat, case.id, all.inputs[at].input.id);
    }
    outcome
}

/// The verdict that follows from how the steps have ended, and at which place.
fn concluded(
    environment: &Environment,
    case: &Case,
    context: &Context<'_>,
    result: StepResult,
    place: String,
) -> Outcome {
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
                    place: Some(place),
                    expected,
                    actual,
                    bytes,
                    meanwhile,
                    sessions: context.traces(),
                    logs: context.logs(),
                    repeat: environment.repeat_of(case),
                }),
            }
        }
        Err(Stop::Adapter(message)) => error(environment, case, Blame::Adapter, message, context),
        Err(Stop::Harness(message)) => error(environment, case, Blame::Harness, format!("{place}: {message}"), context),
    }
}

fn error(environment: &Environment, case: &Case, blame: Blame, message: String, context: &Context<'_>) -> Outcome {
    Outcome::Error {
        problem: Box::new(Problem { blame, message, logs: context.logs(), repeat: environment.repeat_of(case) }),
    }
}

fn without_context(environment: &Environment, case: &Case, stop: Stop) -> Outcome {
    let (blame, message) = match stop {
        Stop::Adapter(message) => (Blame::Adapter, message),
        Stop::Harness(message) => (Blame::Harness, message),
        Stop::Broken(broken) => (Blame::Harness, broken.sentence),
    };
    Outcome::Error {
        problem: Box::new(Problem { blame, message, logs: Vec::new(), repeat: environment.repeat_of(case) }),
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
        if !matches!(step.verb, Verb::Send(_) | Verb::For(_) | Verb::Let(_)) {
            self.release();
        }
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
            Verb::Hold(step) => self.hold_link(step),
            Verb::AwaitHeld(step) => self.await_held(step),
            Verb::Release(step) => self.release_link(step),
            Verb::Cut(step) => self.cut_link(step),
            Verb::Refuse(step) => self.refuse_link(step),
            Verb::Partition(step) => self.partition(step),
            Verb::Heal(step) => self.heal_link(step),
            Verb::Delay(step) => self.delay_link(step),
            Verb::Throttle(step) => self.throttle_link(step),
            Verb::SplitWrites(step) => self.split_link(step),
            Verb::Corrupt(step) => self.corrupt_link(step),
            Verb::Passed(step) => self.passed(step),
            Verb::SessionsOver(step) => self.sessions_over(step),
            Verb::DialRate(step) => self.dial_rate(step),
            Verb::Flood(step) => self.flood(step),
            Verb::EndFlood(name) => self.end_flood(name),
            Verb::FloodEnded(name) => self.flood_ended(name),
            Verb::Call(step) => self.call(step),
            Verb::StartCall(step) => self.start_call(step),
            Verb::Await(step) => self.await_answer(step),
            Verb::Eventually(step) => self.eventually(step),
            Verb::Event(step) => self.event(step),
            Verb::Events(step) => self.events(step),
            Verb::NoEvent(step) => self.no_event(step),
            Verb::Member(step) => self.join_room(step),
            Verb::Texts(step) => self.texts(step),
            Verb::MemberSend(step) => self.member_send(step),
            Verb::MemberReading(step) => self.member_reading(step),
            Verb::CloseMember(step) => self.close_member(step),
            Verb::ExpectMemberClosed(member) => self.expect_member_closed(member),
            Verb::Introduce(step) => self.introduce_pairs(step),
            Verb::Converged(step) => self.converged(step),
            Verb::Invariants(step) => self.invariants(step),
            Verb::Chaos(step) => self.chaos(step),
            Verb::For(step) => self.repeat(step),
            Verb::Let(names) => self.bind(names),
            Verb::Check(step) => self.check(step),
            Verb::Clock(name) => {
                self.clocks.insert(name.clone(), Instant::now());
                Ok(())
            }
            Verb::Elapsed(step) => self.elapsed(step),
            Verb::Memory(step) => self.memory(step),
            Verb::Descriptors(step) => self.descriptors(step),
        };
        // The innermost step that cites a requirement knows best.
        if matches!(result, Err(Stop::Broken(_))) && self.inner_cite.is_none() {
            self.inner_cite.clone_from(&step.cite);
        }
        result
    }
}
