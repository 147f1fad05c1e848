//! Steps about many connections at once.

use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit};
use serde_json::json;

use crate::codec::{self, Message};
use crate::peer::{Depth, Flood, FloodPlan, frame};
use crate::results::Cause;
use crate::scenario::step::{DialRate, Flood as FloodStepOf, FloodStep};

use super::context::Context;
use super::stop::{StepResult, Stop};

/// More is no test of a node but of the machine.
const MOST: usize = 5_000;
/// How long a flood may take to be opened; a node that is slow with it has the rest stall where they are.
const PATIENCE: Duration = Duration::from_secs(10);
/// Descriptors that the harness needs besides, for other cases as well.
const SPARE: u64 = 200;

impl Context<'_> {
    /// Opens many connections that stall.
    pub(super) fn flood(&mut self, step: &FloodStepOf) -> StepResult {
        let node = self.node_key(step.to.as_deref())?;
        let name = self.name(&step.name)?;
        let connections = usize::try_from(step.connections.number("connections", self)?).unwrap_or(usize::MAX);
        if connections > MOST {
            return Err(Stop::Harness(format!("a flood has at most {MOST} connections, not {connections}")));
        }
        enough_open_files(connections as u64 + SPARE)?;
        let address =
            self.node(&node)?.address.ok_or_else(|| Stop::Harness(format!("`{node}` has not been started")))?;
        let schema = self.schema();
        let encoded = |message: &str, fields: serde_json::Value| -> StepResult<Vec<u8>> {
            let message = Message::from_json(schema, message, &fields)
                .map_err(|error| Stop::Harness(format!("{message} cannot be made: {error}")))?;
            let encoded = codec::encode(schema, &message)
                .map_err(|error| Stop::Harness(format!("{} cannot be encoded: {error}", message.name)))?;
            Ok(frame(&encoded.payload()))
        };
        let names = (0..connections)
            .map(|number| encoded("NAME", json!({"name": format!("{name}-{number}@127.0.0.1:9"), "creation": 5})))
            .collect::<StepResult<Vec<_>>>()?;
        let zeros = "00".repeat(32);
        let reply = encoded("REPLY", json!({"proof": zeros, "challenge": zeros}))?;
        let plan = FloodPlan {
            address,
            connections,
            depth: depth(step.through),
            first: &|number| names[number].clone(),
            second: &reply,
            patience: self.deadline.min(Instant::now() + PATIENCE),
        };
        let flood = Flood::open(&plan).map_err(|error| Stop::Harness(error.to_string()))?;
        if let Some(crash) = self.crashed_by(&node, Instant::now()) {
            return Err(crash.into());
        }
        if let Some(at_least) = &step.at_least {
            let at_least = at_least.number("at_least", self)?;
            if (flood.reached as u64) < at_least {
                return Err(Stop::broken(
                    Cause::EarlyClose,
                    format!("too few connections of `{name}` got to their step"),
                )
                .expected(format!("at least {at_least} of {connections}"))
                .actual(format!("{} of them; {} were ended before", flood.reached, flood.ended_early))
                .into());
            }
        }
        self.floods.insert(name, flood);
        Ok(())
    }

    /// Closes all connections of a flood.
    pub(super) fn end_flood(&mut self, name: &str) -> StepResult {
        let name = self.name(name)?;
        self.floods.shift_remove(&name).map(drop).ok_or_else(|| Stop::Harness(format!("there is no flood `{name}`")))
    }

    /// Awaits that the node has ended all connections of a flood.
    pub(super) fn flood_ended(&mut self, name: &str) -> StepResult {
        let name = self.name(name)?;
        let deadline = self.deadline;
        let flood = self.floods.get_mut(&name).ok_or_else(|| Stop::Harness(format!("there is no flood `{name}`")))?;
        let open = flood.wait_ended(deadline);
        if open == 0 {
            return Ok(());
        }
        Err(Stop::broken(Cause::StillOpen, format!("connections of `{name}` are still open"))
            .blames("HS-28")
            .expected("the end of them all")
            .actual(format!("{open} are open"))
            .into())
    }

    /// Judges how many connections came in, by whole spans of time. They are counted first: whatever is counted has come
    /// within the time that is read afterwards.
    pub(super) fn dial_rate(&mut self, step: &DialRate) -> StepResult {
        let dials = self.dials(&step.peers)?;
        let elapsed = self.since(&step.since)?.elapsed().as_millis();
        let (at_most, per_ms) = (step.at_most.number("at_most", self)?, step.per_ms.number("per_ms", self)?.max(1));
        let spans = elapsed.div_ceil(per_ms.into()).max(1);
        let allowed = spans.saturating_mul(at_most.into());
        if (dials as u128) <= allowed {
            return Ok(());
        }
        Err(Stop::broken(Cause::UnexpectedFrame, "more dials came than may in that time")
            .expected(format!("at most {allowed} TCP connections in {elapsed} ms"))
            .actual(format!("{dials} TCP connections"))
            .into())
    }
}

/// Whether this process may have so many files open.
fn enough_open_files(wanted: u64) -> StepResult {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, _)) if soft < wanted => Err(Stop::Harness(format!(
            "this machine allows {soft} open files a process, and the case needs {wanted}; raise the limit (`ulimit -n`)"
        ))),
        _ => Ok(()),
    }
}

const fn depth(step: FloodStep) -> Depth {
    match step {
        FloodStep::Tcp => Depth::Tcp,
        FloodStep::TlsStarted => Depth::TlsStarted,
        FloodStep::Tls => Depth::Tls,
        FloodStep::Name => Depth::FirstFrame,
        FloodStep::Challenge => Depth::FirstAnswer,
        FloodStep::WrongReply => Depth::SecondFrame,
    }
}
