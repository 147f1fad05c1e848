//! Steps that measure a node's process. They run only where the system tells; elsewhere such cases are skipped.

use std::thread;
use std::time::{Duration, Instant};

use crate::results::Cause;
use crate::scenario::step::{Descriptors, Memory};

use super::context::Context;
use super::stop::{StepResult, Stop};

/// Between two looks at descriptors that are awaited to be given back.
const PAUSE: Duration = Duration::from_millis(50);

/// A node's memory at one moment, and the most that it has been since, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    before: u64,
    peak: u64,
    /// Whether the system tells what the memory has been between two looks.
    is_seamless: bool,
}

impl Context<'_> {
    /// Notes a node's resident memory, or judges the most that it has been since.
    pub(super) fn memory(&mut self, step: &Memory) -> StepResult {
        let key = self.node_key(step.node.as_deref())?;
        let process = self.node(&key)?.process()?;
        let (now, peak) = (process.resident_memory(), process.peak_memory());
        let now = now.ok_or_else(|| untold(&key, "memory"))?;
        for ((node, _), measured) in &mut self.measured {
            if *node == key {
                let peak = peak.filter(|_| measured.is_seamless).unwrap_or(0);
                measured.peak = measured.peak.max(now).max(peak);
            }
        }
        if let Some(name) = &step.note {
            let is_seamless = self.node(&key)?.process()?.reset_peak_memory();
            self.measured.insert((key.clone(), name.clone()), Measured { before: now, peak: now, is_seamless });
        }
        let (Some(since), Some(limit)) = (&step.since, step.at_most_mib) else {
            return Ok(());
        };
        let measured = self.measured.get(&(key.clone(), since.clone()));
        let Measured { before, peak, .. } =
            measured.ok_or_else(|| Stop::Harness(format!("there is no note `{since}` of `{key}`")))?;
        let grown = peak.saturating_sub(*before) >> 20;
        if grown > limit {
            return Err(Stop::broken(Cause::WrongAnswer, format!("the memory of `{key}` has grown beyond its bound"))
                .expected(format!("at most {limit} MiB more than before"))
                .actual(format!("{grown} MiB more"))
                .into());
        }
        Ok(())
    }

    /// Notes how many files a node has open, or awaits that there are hardly more than then.
    pub(super) fn descriptors(&mut self, step: &Descriptors) -> StepResult {
        let key = self.node_key(step.node.as_deref())?;
        if let Some(name) = &step.note {
            self.variables.insert(name.clone(), self.open_files(&key)?.into());
        }
        let (Some(since), Some(at_most)) = (&step.since, step.at_most) else {
            return Ok(());
        };
        let before = self.variables.get(since).and_then(serde_json::Value::as_u64);
        let before = before.ok_or_else(|| Stop::Harness(format!("there is no note `{since}`")))?;
        loop {
            let more = self.open_files(&key)?.saturating_sub(before);
            if more <= at_most {
                return Ok(());
            }
            if Instant::now() >= self.deadline {
                return Err(Stop::broken(Cause::WrongAnswer, format!("`{key}` has not given its descriptors back"))
                    .expected(format!("at most {at_most} open files more than before"))
                    .actual(format!("{more} more"))
                    .into());
            }
            thread::sleep(PAUSE);
        }
    }

    fn open_files(&self, key: &str) -> StepResult<u64> {
        let count = self.node(key)?.process()?.open_files();
        count.map(|count| count as u64).ok_or_else(|| {
            self.crashed_by(key, Instant::now() + PAUSE).map_or_else(|| untold(key, "open files"), Stop::from)
        })
    }
}

fn untold(node: &str, what: &str) -> Stop {
    Stop::Harness(format!("the system does not tell the {what} of `{node}`"))
}
