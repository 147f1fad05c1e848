//! The step that has nodes connect to each other, all at once.

use std::thread;
use std::time::Instant;

use serde_json::json;

use crate::cluster::{CallError, PendingCall, RpcError};
use crate::scenario::step::Introduce;

use super::calls::{POLL, call_stop};
use super::context::Context;
use super::stop::{StepResult, Stop};

/// `connect failed`: the other side may not yet have noticed what this one has, or may have been about to dial (MEM-18, MEM-28).
const CONNECT_FAILED: i64 = -32004;

impl Context<'_> {
    /// Introduces the pairs of a step.
    pub(super) fn introduce_pairs(&mut self, step: &Introduce) -> StepResult {
        let listed = step.pairs.evaluate(self)?;
        let wrong = || Stop::Harness(format!("`introduce` needs a list of pairs of nodes, not {listed}"));
        let mut pairs = Vec::new();
        for pair in listed.as_array().ok_or_else(wrong)? {
            let key = |at: usize| pair.get(at).and_then(|key| key.as_str());
            let (Some(node), Some(to)) = (key(0), key(1)) else { return Err(wrong()) };
            pairs.push((self.node_key(Some(node))?, self.node_key(Some(to))?));
        }
        self.introduce(&pairs)
    }

    /// Introduces nodes, all at once; the first of each pair connects to the second.
    pub(super) fn introduce(&self, pairs: &[(String, String)]) -> StepResult {
        let mut calls = Vec::new();
        for pair in pairs {
            calls.push((pair, self.connect_nodes(pair)?));
        }
        for (pair, mut call) in calls {
            loop {
                match call.wait(self.deadline) {
                    Ok(_) => break,
                    Err(CallError::Rpc(RpcError { code: CONNECT_FAILED, .. })) if Instant::now() < self.deadline => {
                        thread::sleep(POLL);
                        call = self.connect_nodes(pair)?;
                    }
                    Err(error) => return Err(call_stop(&pair.0, "node.connect", error)),
                }
            }
        }
        Ok(())
    }

    fn connect_nodes(&self, (node, to): &(String, String)) -> StepResult<PendingCall> {
        let name = self.node(to)?.name.clone();
        Ok(self.node(node)?.client()?.start_call("node.connect", json!({"node": name})))
    }
}
