//! Which processes watch which nodes, over every change (MEM-43 to MEM-46).

use std::collections::{BTreeMap, BTreeSet};

use super::{Answer, CommandError, GlobalPid, Node, Told};
use crate::wire::{LocalId, NodeName};

/// Watches by node and by process. A node is watched by a process once or not at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watchers {
    by_node: BTreeSet<(NodeName, LocalId)>,
    by_process: BTreeMap<LocalId, BTreeSet<NodeName>>,
}

impl Watchers {
    pub(crate) fn count(&self) -> usize {
        self.by_node.len()
    }

    fn insert(&mut self, local: LocalId, node: NodeName) {
        self.by_process.entry(local).or_default().insert(node.clone());
        self.by_node.insert((node, local));
    }

    fn of(&self, node: &NodeName) -> Vec<LocalId> {
        let range = self.by_node.range((node.clone(), LocalId::ZERO)..);
        range.take_while(|(other, _)| other == node).map(|(_, local)| *local).collect()
    }

    /// The watches of a process last until it ends.
    pub(crate) fn remove_process(&mut self, local: LocalId) {
        for node in self.by_process.remove(&local).unwrap_or_default() {
            self.by_node.remove(&(node, local));
        }
    }
}

impl Node {
    /// `node.monitor`. Only changes are told: nothing, as long as the node is as it is now.
    pub(super) fn watch_node(&mut self, pid: &GlobalPid, node: NodeName) -> Result<Answer, CommandError> {
        let local = self.own_live(pid)?;
        self.watchers.insert(local, node);
        Ok(Answer::Done)
    }

    pub(super) fn tell_node_up(&mut self, node: &NodeName) {
        for local in self.watchers.of(node) {
            self.tell(local, Told::NodeUp(node.clone()));
        }
    }

    pub(super) fn tell_node_down(&mut self, node: &NodeName) {
        for local in self.watchers.of(node) {
            self.tell(local, Told::NodeDown(node.clone()));
        }
    }
}
