//! Implementations that are ready to be started, and which of them plays which node of a case. Judges nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::{CommandLine, ControlClient, Manifest, Mode, NodeProcess, Pipes};
use crate::results::NodeFacts;
use crate::scenario::Timers;

use super::pool::CodecPool;
use super::stop::{StepResult, Stop};

/// An implementation that has been built and has introduced itself.
#[derive(Debug)]
pub struct Implementation {
    /// Its manifest.
    pub manifest: Manifest,
    /// Starts one of its nodes; the manifest's command, or that of a node with a planted fault.
    pub run: CommandLine,
    /// Its processes that answer for their codec.
    pub codecs: CodecPool,
    /// What it can do: `control` and what `initialize` told, and what the machine can measure of it.
    pub capabilities: Vec<String>,
    /// How results describe it.
    pub facts: NodeFacts,
}

impl Implementation {
    /// Whether there is an adapter, or only a port.
    #[must_use]
    pub fn has_control(&self) -> bool {
        self.manifest.mode == Mode::Control
    }

    /// Whether it has a capability, by what it says of itself.
    #[must_use]
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }

    /// Starts a process that is driven by control lines, for the node of that number of a case.
    pub(super) fn launch(&self, number: usize) -> StepResult<(NodeProcess, ControlClient)> {
        let run = self.manifest.addresses.command(&self.run, number);
        let process = NodeProcess::spawn(&run, Pipes::Control).map_err(|error| Stop::Adapter(error.to_string()))?;
        let client = ControlClient::attach(&process)
            .ok_or_else(|| Stop::Harness("no thread could be started to listen to a node".to_owned()))?;
        Ok((process, client))
    }

    /// The timers that its nodes have where a scenario declares these: they cannot be set without an adapter.
    pub(super) fn timers(&self, declared: Timers) -> Timers {
        let own = self.manifest.timers;
        let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).ok();
        let timers = if self.has_control() {
            declared
        } else {
            Timers {
                heartbeat_interval_ms: ms(own.heartbeat_interval),
                heartbeat_timeout_ms: ms(own.heartbeat_timeout),
                handshake_timeout_ms: ms(own.handshake_timeout),
            }
        };
        timers.or(Timers::protocol_defaults())
    }
}

/// Which implementation plays which node of a case.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Plays every node that is not assigned.
    default: Arc<Implementation>,
    /// By the node's key in the scenario.
    assigned: BTreeMap<String, Arc<Implementation>>,
}

impl Assignment {
    /// One implementation plays every node.
    #[must_use]
    pub fn alone(implementation: Arc<Implementation>) -> Self {
        Self { default: implementation, assigned: BTreeMap::new() }
    }

    /// The same, but for one node.
    #[must_use]
    pub fn with(mut self, node: &str, implementation: Arc<Implementation>) -> Self {
        self.assigned.insert(node.to_owned(), implementation);
        self
    }

    /// Who plays every node that is not assigned.
    #[must_use]
    pub fn default(&self) -> &Arc<Implementation> {
        &self.default
    }

    /// Who plays this node.
    #[must_use]
    pub fn of(&self, node: &str) -> &Arc<Implementation> {
        self.assigned.get(node).unwrap_or(&self.default)
    }

    /// Whether everyone who plays one of these nodes has a capability.
    pub(super) fn all_can(&self, nodes: &[&str], capability: &str) -> bool {
        if nodes.is_empty() {
            return self.default.can(capability);
        }
        nodes.iter().all(|node| self.of(node).can(capability))
    }

    /// The names of those who play these nodes, for results; nothing where nobody has been assigned one.
    pub(super) fn names(&self, nodes: &[&str]) -> BTreeMap<String, String> {
        if self.assigned.is_empty() {
            return BTreeMap::new();
        }
        nodes.iter().map(|node| ((*node).to_owned(), self.of(node).facts.name.clone())).collect()
    }
}
