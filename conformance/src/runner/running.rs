//! A node that runs: its process, and how it is driven.

use crate::cluster::{ControlClient, NodeProcess, WireOnlyNode};

use super::stop::{StepResult, Stop};

/// A node's process, and how it is driven.
pub(super) enum Running {
    /// By control lines.
    Control { process: NodeProcess, client: ControlClient },
    /// Not at all.
    WireOnly(WireOnlyNode),
}

impl Running {
    pub(super) fn process(&self) -> &NodeProcess {
        match self {
            Self::Control { process, .. } => process,
            Self::WireOnly(node) => &node.process,
        }
    }

    /// The control client; a wire-only node has none, and no case that needs one is played against it.
    pub(super) fn client(&self) -> StepResult<&ControlClient> {
        match self {
            Self::Control { client, .. } => Ok(client),
            Self::WireOnly(_) => Err(Stop::Harness("a wire-only node cannot be asked anything".to_owned())),
        }
    }
}
