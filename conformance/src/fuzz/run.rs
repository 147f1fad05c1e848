//! A run over one target of the codec: what is kept, then what is new, until it has been enough.

use std::time::{Duration, Instant};

use super::compare::Disagreement;
use super::finding::{Finding, blamed, explanation};
use super::generator::Generator;
use super::input::{Input, Target};
use super::minimise::minimise;
use super::regressions::Regression;
use super::respondent::{Judged, Respondent};
use super::seeds::Seeds;
use crate::cluster::{CommandLine, STACK};
use crate::requirement::Spec;
use crate::schema::Schema;

/// When a run has been enough: whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// So many inputs.
    pub count: Option<u64>,
    /// So long.
    pub time: Option<Duration>,
}

/// What a run needs.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The spec, for the texts of requirements.
    pub spec: &'a Spec,
    /// Its layouts.
    pub schema: &'a Schema,
    /// Where inputs begin.
    pub seeds: &'a Seeds,
    /// Starts a node.
    pub node: &'a CommandLine,
    /// The seed.
    pub seed: u64,
    /// When it ends.
    pub limit: Limit,
    /// The beginning of the command that repeats a finding: `cargo xtask fuzz`, and what chooses the node.
    pub repeat: &'a str,
}

/// What came of one target.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The target.
    pub target: Target,
    /// How many inputs were new.
    pub inputs: u64,
    /// How long they took.
    pub elapsed: Duration,
    /// What was found; each sort once.
    pub findings: Vec<Finding>,
}

/// So many sorts of findings of one target end it.
const ENOUGH: usize = 5;

/// Fuzzes one target of a node's codec.
///
/// # Errors
/// A message when the node cannot be asked at all.
pub fn run(plan: &Plan<'_>, target: Target, kept: &[Regression]) -> Result<Outcome, String> {
    // Terms are as deep as a line may be, and values are dropped level by level.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(format!("fuzz {target}")).stack_size(STACK);
        let running =
            thread.spawn_scoped(scope, || Run::new(plan, target).run(kept)).map_err(|error| error.to_string())?;
        running.join().unwrap_or_else(|_| Err("the fuzzer panicked, which is a bug of the harness".to_owned()))
    })
}

/// Asks about one input alone.
///
/// # Errors
/// As for [`run`].
pub fn ask(plan: &Plan<'_>, input: &Input) -> Result<Outcome, String> {
    let kept = Regression { name: "given".to_owned(), input: input.clone(), verdict: String::new() };
    run(&Plan { limit: Limit { count: Some(0), time: None }, ..*plan }, input.target, &[kept])
}

struct Run<'a> {
    plan: &'a Plan<'a>,
    target: Target,
    asked: Respondent<'a>,
    findings: Vec<Finding>,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan<'a>, target: Target) -> Self {
        Self { plan, target, asked: Respondent::new(plan.schema, plan.seeds, plan.node), findings: Vec::new() }
    }

    fn run(mut self, kept: &[Regression]) -> Result<Outcome, String> {
        let (start, target) = (Instant::now(), self.target);
        for regression in kept.iter().filter(|kept| kept.input.target == target) {
            if let Some(disagreement) = self.asked.alone(&regression.input)? {
                self.found(regression.input.clone(), disagreement, None)?;
            }
        }
        let mut generator = Generator::new(self.plan.schema, self.plan.seeds, self.target, self.plan.seed);
        let (mut made, mut judged) = (0, 0);
        let Limit { count, time } = self.plan.limit;
        while self.findings.len() < ENOUGH {
            let is_over = count.is_some_and(|count| made >= count) || time.is_some_and(|time| start.elapsed() >= time);
            let next = if is_over {
                match self.asked.next()? {
                    None => break,
                    next => next,
                }
            } else {
                made += 1;
                self.asked.push(generator.input())?
            };
            let Some(Judged { input, disagreement }) = next else { continue };
            judged += 1;
            if let Some(disagreement) = disagreement {
                self.found(input, disagreement, Some(judged))?;
            }
        }
        Ok(Outcome { target: self.target, inputs: judged, elapsed: start.elapsed(), findings: self.findings })
    }

    /// Makes a finding of it, unless there is one of its sort.
    fn found(&mut self, input: Input, disagreement: Disagreement, number: Option<u64>) -> Result<(), String> {
        let is_same =
            |other: &Disagreement| other.what == disagreement.what && other.requirement == disagreement.requirement;
        if self.findings.iter().any(|finding| is_same(&finding.disagreement)) {
            return Ok(());
        }
        let mut asked = Respondent::new(self.plan.schema, self.plan.seeds, self.plan.node);
        let mut last = None;
        let bytes = minimise(&input.bytes, |bytes| {
            let smaller = Input { bytes: bytes.to_vec(), ..input.clone() };
            match asked.alone(&smaller) {
                Ok(Some(found)) if is_same(&found) => {
                    last = Some(found);
                    true
                }
                _ => false,
            }
        });
        let whole = input.bytes.len();
        let input = Input { bytes, ..input };
        let Plan { repeat, seed, .. } = self.plan;
        let mut commands = vec![format!("{repeat} --input {input}")];
        if let Some(number) = number {
            commands.push(format!("{repeat} --target {} --seed {seed} --count {number}", self.target));
        }
        let disagreement = last.unwrap_or(disagreement);
        let requirement = blamed(self.plan.spec, &disagreement.requirement);
        let explanation = format!("{requirement}\n{}", explanation(self.plan.schema, &input));
        self.findings.push(Finding { input, whole, number, disagreement, explanation, repeat: commands });
        Ok(())
    }
}
