//! The live processes: what each runs and whether it traps exits. What few processes have (names, links, monitors) is
//! kept beside, so that a million of them costs some 70 MB.

use std::collections::BTreeMap;

use super::functions::Function;
use crate::wire::LocalId;

/// One live process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) function: Function,
    pub(crate) traps_exits: bool,
}

/// The live processes by their local ids, which count from 1 and wrap in 40 bits.
#[derive(Clone, Debug)]
pub(crate) struct Processes {
    live: BTreeMap<LocalId, Process>,
    last: LocalId,
}

impl Default for Processes {
    fn default() -> Self {
        Self { live: BTreeMap::new(), last: LocalId::ZERO }
    }
}

impl Processes {
    pub(crate) fn is_alive(&self, local: LocalId) -> bool {
        self.live.contains_key(&local)
    }

    /// How many are alive.
    pub(crate) fn count(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn get(&self, local: LocalId) -> Option<&Process> {
        self.live.get(&local)
    }

    pub(crate) fn get_mut(&mut self, local: LocalId) -> Option<&mut Process> {
        self.live.get_mut(&local)
    }

    /// Gives a process the next local id that is not in use.
    pub(crate) fn insert(&mut self, function: Function) -> LocalId {
        loop {
            self.last = self.last.next();
            // 0 is "refused" in SPAWN_REPLY.
            if self.last != LocalId::ZERO && !self.is_alive(self.last) {
                break;
            }
        }
        self.live.insert(self.last, Process { function, traps_exits: false });
        self.last
    }

    pub(crate) fn remove(&mut self, local: LocalId) -> Option<Process> {
        self.live.remove(&local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_ids_that_have_wrapped_are_neither_0_nor_in_use() {
        let mut processes = Processes::default();
        let first = processes.insert(Function::Collector);
        processes.last = LocalId::new((1 << 40) - 1).unwrap();
        let next = processes.insert(Function::Collector);
        assert_eq!((first.get(), next.get()), (1, 2));
    }

    /// A B-tree that grows at its end has half-full leaves: 11 entries' room for 6.
    #[test]
    fn a_process_is_small() {
        assert!(size_of::<(LocalId, Process)>() * 11 / 6 <= 64);
    }
}
