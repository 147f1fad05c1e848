//! What all cases of a run have in common.

use std::path::PathBuf;
use std::time::Duration;

use crate::case::Case;
use crate::cluster::{Addresses, CommandLine, ControlClient, Manifest, Mode, NodeProcess, Pipes};
use crate::delivery::Delivery;
use crate::requirement::Spec;
use crate::scenario::{Scenario, Timers};
use crate::schema::Schema;

use super::pool::CodecPool;
use super::stop::{StepResult, Stop};

/// How long a node's process may take until it can be spoken to; a case's own time counts from then on.
const TIME_TO_START: Duration = Duration::from_secs(60);

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
    /// How what peers send arrives, unless a case says otherwise.
    pub delivery: Delivery,
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

    /// Where nodes and peers are.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.manifest.addresses
    }

    /// Starts a process that is driven by control lines, for the node of that number of a case.
    pub(super) fn launch(&self, number: usize) -> StepResult<(NodeProcess, ControlClient)> {
        let run = self.addresses().command(&self.run, number);
        let process = NodeProcess::spawn(&run, Pipes::Control).map_err(|error| Stop::Adapter(error.to_string()))?;
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
        base.mul_f64(self.patience) + Duration::from_millis(extra) + self.delivery.patience()
    }

    /// How long a node's process may take until it can be spoken to: long, for nothing is judged by it.
    pub(super) fn time_to_start(&self) -> Duration {
        TIME_TO_START.mul_f64(self.patience)
    }

    /// The command that repeats just this case.
    pub(super) fn repeat_of(&self, case: &Case) -> String {
        format!("{} '{}'", self.repeat, case.id)
    }
}
