//! Processes that only answer codec requests, kept between vectors.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cluster::{ControlClient, NodeProcess};

use super::stop::{StepResult, Stop};

/// How long a process may take to introduce itself.
const PROBE: Duration = Duration::from_secs(20);

/// Processes that only answer codec requests. One that has answered a vector answers the next: what they do leaves no traces.
#[derive(Debug, Default)]
pub struct CodecPool(Mutex<Vec<CodecProcess>>);

#[derive(Debug)]
pub(super) struct CodecProcess {
    pub(super) process: NodeProcess,
    pub(super) client: ControlClient,
}

impl CodecPool {
    pub(super) fn take(
        &self,
        launch: impl FnOnce() -> StepResult<(NodeProcess, ControlClient)>,
    ) -> StepResult<CodecProcess> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(idle) = idle.filter(|idle| idle.process.exit().is_none()) {
            return Ok(idle);
        }
        let (process, client) = launch()?;
        client
            .initialize(Instant::now() + PROBE)
            .map_err(|error| Stop::Adapter(format!("the node did not answer initialize: {error}")))?;
        Ok(CodecProcess { process, client })
    }

    pub(super) fn put_back(&self, process: CodecProcess) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(process);
    }
}
