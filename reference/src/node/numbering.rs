//! This node's private numbers for other nodes: given once, kept while it runs.

use std::collections::BTreeMap;

use crate::wire::{NodeId, NodeName};

/// Ids that only sessions may use up (PROC-8).
const KEPT_FOR_SESSIONS: u16 = 1_024;

/// Name to id. Ids count from 1, and never wrap to 0 nor onto one in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbering {
    ids: BTreeMap<NodeName, NodeId>,
    /// In the order of their ids, from 1.
    names: Vec<NodeName>,
}

impl Numbering {
    /// The id for a peer whose session begins; `None` when all 65,535 are given (PROC-9).
    pub(crate) fn for_session(&mut self, name: &NodeName) -> Option<NodeId> {
        self.up_to(u16::MAX, name)
    }

    /// The id for the owner of an entry that is to be stored; `None` when only those kept for sessions are left.
    pub(crate) fn for_owner(&mut self, name: &NodeName) -> Option<NodeId> {
        self.up_to(u16::MAX - KEPT_FOR_SESSIONS, name)
    }

    /// The id of a node that has one.
    pub(crate) fn id(&self, name: &NodeName) -> Option<NodeId> {
        self.ids.get(name).copied()
    }

    /// The node that has an id.
    pub(crate) fn name(&self, id: NodeId) -> Option<&NodeName> {
        self.names.get(usize::from(id.0.checked_sub(1)?))
    }

    fn up_to(&mut self, largest: u16, name: &NodeName) -> Option<NodeId> {
        if let Some(id) = self.id(name) {
            return Some(id);
        }
        let next = u16::try_from(self.names.len() + 1).ok().filter(|next| *next <= largest)?;
        self.ids.insert(name.clone(), NodeId(next));
        self.names.push(name.clone());
        Some(NodeId(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u32) -> NodeName {
        NodeName::parse(&format!("n{number}@h")).unwrap()
    }

    #[test]
    fn the_last_ids_are_kept_for_sessions_and_none_is_given_twice() {
        let mut numbering = Numbering::default();
        for number in 1..=64_511 {
            assert_eq!(numbering.for_owner(&name(number)), Some(NodeId(number as u16)));
        }
        assert_eq!(numbering.for_owner(&name(64_512)), None);
        assert_eq!(numbering.for_owner(&name(7)), Some(NodeId(7)));
        for number in 64_512..=65_535 {
            assert_eq!(numbering.for_session(&name(number)), Some(NodeId(number as u16)));
        }
        assert_eq!(numbering.for_session(&name(65_536)), None);
        assert_eq!(numbering.for_session(&name(1)), Some(NodeId(1)));
        assert_eq!(numbering.for_owner(&name(65_535)), Some(NodeId(65_535)));
        assert_eq!(numbering.name(NodeId(65_535)), Some(&name(65_535)));
        assert_eq!((numbering.name(NodeId(1)), numbering.name(NodeId::OWN)), (Some(&name(1)), None));
    }
}
