//! What all cases of a run have in common.

use std::path::PathBuf;
use std::time::Duration;

use crate::case::Case;
use crate::cluster::Addresses;
use crate::delivery::Delivery;
use crate::requirement::Spec;
use crate::scenario::{Scenario, Timers};
use crate::schema::Schema;

use super::implementation::{Assignment, Implementation};

/// How long a node's process may take until it can be spoken to; a case's own time counts from then on.
const TIME_TO_START: Duration = Duration::from_secs(60);

/// Milliseconds that a case may take where its scenario says nothing.
const DEADLINE_MS: u64 = 20_000;

/// How many times over a case may await one of its timers; matters only for nodes whose timers cannot be set.
const MANY_TIMES: u64 = 8;

/// What all cases of a run have in common.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The spec's requirements.
    pub spec: Spec,
    /// The spec's message layouts.
    pub schema: Schema,
    /// The implementation under test; or several, and which of them plays which node.
    pub nodes: Assignment,
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
    /// The implementation under test, where there is one.
    #[must_use]
    pub fn implementation(&self) -> &Implementation {
        self.nodes.default()
    }

    /// The timers of the nodes of a scenario: of several implementations those that take longest.
    pub(super) fn timers(&self, scenario: &Scenario) -> Timers {
        let of_each = scenario.nodes.keys().map(|node| self.nodes.of(node).timers(scenario.timers));
        let longest = of_each.reduce(|one, other| Timers {
            heartbeat_interval_ms: one.heartbeat_interval_ms.max(other.heartbeat_interval_ms),
            heartbeat_timeout_ms: one.heartbeat_timeout_ms.max(other.heartbeat_timeout_ms),
            handshake_timeout_ms: one.handshake_timeout_ms.max(other.handshake_timeout_ms),
        });
        longest.unwrap_or_else(|| self.implementation().timers(scenario.timers))
    }

    /// Where nodes and peers are. Implementations of one cluster share the default one's.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.implementation().manifest.addresses
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
