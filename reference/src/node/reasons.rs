//! Reasons as the node holds them: shared by all who are told of one end, nested without being copied.

use std::{fmt, sync::Arc};

use super::identity::{GlobalPid, ShownPid};
use crate::wire::{
    self, NodeName, WirePid,
    reason::{CUT, MAX_LEVELS, Root},
};

/// A process as it stands in a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Nested {
    /// One of this node; with a creation, of a former run.
    Own(WirePid),
    /// One of another node, as this node holds it.
    Other(NodeName, WirePid),
    /// One that cannot be resolved: shown, never routed by, and written on as it came (PROC-12).
    Opaque(WirePid),
}

impl Nested {
    fn on_wire(&self) -> WirePid {
        match self {
            Self::Own(pid) | Self::Other(_, pid) | Self::Opaque(pid) => *pid,
        }
    }

    /// `own` is any process of this node: it says the node's name and creation.
    pub(crate) fn shown(&self, own: &GlobalPid) -> ShownPid {
        let (node, WirePid { creation, local, .. }) = match self {
            Self::Own(pid) => (Some(own.node.clone()), *pid),
            Self::Other(node, pid) => (Some(node.to_string()), *pid),
            Self::Opaque(pid) => (None, *pid),
        };
        let is_this_run = creation == 0 && matches!(self, Self::Own(_));
        ShownPid { node, creation: if is_this_run { own.creation } else { creation }, local }
    }
}

/// Why a process ended. A cascade of exits makes one level of it a process, so levels are shared; they are cut where
/// a reason leaves the node.
#[derive(Clone)]
pub(crate) struct Reason(Arc<Level>);

struct Level {
    /// With *linked*: from whom the EXIT came, and its reason.
    linked: Option<(Nested, Reason)>,
    /// What stands at the bottom.
    root: Root,
}

impl Reason {
    /// *error* with this text.
    pub(crate) fn error(text: &str) -> Self {
        Root::Error(text.into()).into()
    }

    /// What a link or a monitor of a process that is not there fires with (PROC-30, PROC-38, PROC-40).
    pub(crate) fn no_process() -> Self {
        Self::error("noproc")
    }

    /// What links and monitors across a session that has ended fire with (PROC-61, PROC-62).
    pub(crate) fn no_connection() -> Self {
        Root::NoConnection.into()
    }

    /// A reason whose nested PIDs are what `nested` makes of them.
    pub(crate) fn from_levels<P>(reason: &wire::Reason<P>, nested: impl FnMut(&P) -> Nested) -> Self {
        reason.linked.iter().map(nested).rfold(reason.root.clone().into(), Self::wrapped)
    }

    /// The end of a process by an EXIT from `pid` with this reason (PROC-43).
    pub(crate) fn wrapped(self, pid: Nested) -> Self {
        let root = self.0.root.clone();
        Self(Arc::new(Level { linked: Some((pid, self)), root }))
    }

    /// The reason itself, unless it is *linked*.
    pub(crate) fn plain(&self) -> Option<&Root> {
        self.0.linked.is_none().then_some(&self.0.root)
    }

    /// The levels, as many as every node reads (PROC-25).
    pub(crate) fn levels(&self) -> wire::Reason<Nested> {
        let (mut linked, mut level) = (Vec::new(), &self.0.linked);
        while let Some((pid, reason)) = level {
            if linked.len() + 1 == MAX_LEVELS {
                return wire::Reason { linked, root: Root::Error(CUT.into()) };
            }
            linked.push(pid.clone());
            level = &reason.0.linked;
        }
        wire::Reason { linked, root: self.0.root.clone() }
    }

    /// As it is written to another node.
    pub(crate) fn on_wire(&self) -> wire::Reason {
        self.levels().map(Nested::on_wire)
    }
}

impl From<Root> for Reason {
    fn from(root: Root) -> Self {
        Self(Arc::new(Level { linked: None, root }))
    }
}

impl PartialEq for Reason {
    fn eq(&self, other: &Self) -> bool {
        self.levels() == other.levels()
    }
}

impl Eq for Reason {}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.levels().fmt(f)
    }
}

impl Drop for Level {
    /// Levels are let go of one after the other: there may be more of them than the stack could hold.
    fn drop(&mut self) {
        let mut next = self.linked.take();
        while let Some((_, Reason(level))) = next {
            next = Arc::into_inner(level).and_then(|mut level| level.linked.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(local: u64) -> Nested {
        Nested::Own(WirePid::from_u64(local))
    }

    #[test]
    fn levels_are_cut_where_a_reason_leaves_and_dropped_without_recursion() {
        let mut reason = Reason::error("boom");
        for number in 1..=200_000 {
            reason = reason.wrapped(own(number));
            if number < 200 {
                let levels = reason.levels();
                assert_eq!(levels.linked.len(), MAX_LEVELS.min(number as usize + 1) - 1);
                assert_eq!(levels.linked[0], own(number));
                assert_eq!(levels.root, Root::Error(if number < 64 { "boom" } else { CUT }.into()));
            }
        }
        let shared = reason.clone();
        drop(reason);
        assert_eq!(shared.levels().linked.len(), 63);
    }

    #[test]
    fn only_the_outermost_level_says_what_a_reason_is() {
        let killed: Reason = Root::Killed.into();
        assert_eq!(killed.plain(), Some(&Root::Killed));
        assert_eq!(killed.wrapped(own(1)).plain(), None);
    }
}
