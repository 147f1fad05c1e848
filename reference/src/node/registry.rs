//! The table of global names: storage and its indexes. Knows neither sessions nor messages.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::wire::{Creation, NodeName, WirePid, registry::GlobalEntry};

/// The node on which a named process lives. This node is not spelled out: it has no name before it is started (REG-9).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Own,
    Node(NodeName),
}

/// One name. `pid` is as this node holds it: own processes all-local, others under this node's own id for the owner.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) pid: WirePid,
    pub(crate) owner: Owner,
}

impl Entry {
    /// The entry's fields as this node writes them, `own` being its name (REG-29, PROC-2).
    pub(crate) fn on_wire<'a>(&'a self, own: &'a NodeName) -> GlobalEntry<'a> {
        let owner = match &self.owner {
            Owner::Own => own,
            Owner::Node(name) => name,
        };
        GlobalEntry { name: &self.name, pid: self.pid, owner: owner.as_str() }
    }
}

/// Name to entry, with indexes by pid and by owner, so that a clean-up costs what it removes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    by_name: BTreeMap<Arc<str>, Arc<Entry>>,
    by_pid: Index<WirePid>,
    by_owner: Index<Owner>,
}

/// Which names a key has. Flat, since most processes have one name, and a set of one name would cost ten.
type Index<K> = BTreeSet<(K, Arc<str>)>;

impl Registry {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Entry>> {
        self.by_name.get(name)
    }

    /// All entries, sorted by name.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_name.values()
    }

    /// Stores a name that must be free.
    pub(crate) fn insert(&mut self, name: &str, pid: WirePid, owner: Owner) -> Arc<Entry> {
        let name: Arc<str> = name.into();
        self.by_pid.insert((pid, name.clone()));
        self.by_owner.insert((owner.clone(), name.clone()));
        let entry = Arc::new(Entry { name: name.clone(), pid, owner });
        self.by_name.insert(name, entry.clone());
        entry
    }

    /// The entry that was removed, if the name was there.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Arc<Entry>> {
        let entry = self.by_name.remove(name)?;
        self.by_pid.remove(&(entry.pid, entry.name.clone()));
        self.by_owner.remove(&(entry.owner.clone(), entry.name.clone()));
        Some(entry)
    }

    /// Removes the names of one process; returns them sorted.
    pub(crate) fn remove_pid(&mut self, pid: WirePid) -> Vec<Arc<str>> {
        let names = indexed(&self.by_pid, pid);
        self.remove_each(names)
    }

    /// Removes the names that a node owns; returns them sorted.
    pub(crate) fn remove_owner(&mut self, owner: &NodeName) -> Vec<Arc<str>> {
        let names = self.owned_by(owner);
        self.remove_each(names)
    }

    /// Removes the names that a node owns under any creation but `current` (REG-20).
    pub(crate) fn remove_former(&mut self, owner: &NodeName, current: Creation) {
        let mut names = self.owned_by(owner);
        let is_former = |entry: &Arc<Entry>| entry.pid.creation != current.get();
        names.retain(|name| self.get(name).is_some_and(is_former));
        self.remove_each(names);
    }

    fn owned_by(&self, owner: &NodeName) -> Vec<Arc<str>> {
        indexed(&self.by_owner, Owner::Node(owner.clone()))
    }

    fn remove_each(&mut self, names: Vec<Arc<str>>) -> Vec<Arc<str>> {
        for name in &names {
            self.remove(name);
        }
        names
    }
}

/// The names of `key`, sorted.
fn indexed<K: Ord + Clone>(index: &Index<K>, key: K) -> Vec<Arc<str>> {
    let first = (key.clone(), Arc::from(""));
    index.range(first..).take_while(|(other, _)| *other == key).map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_follow_the_table() {
        let owner = NodeName::parse("o@h").unwrap();
        let pid = |value| WirePid::from_u64(value);
        let mut registry = Registry::default();
        registry.insert("a", pid(1), Owner::Own);
        registry.insert("b", pid(1), Owner::Own);
        registry.insert("c", pid(0x0001_0100_0000_0001), Owner::Node(owner.clone()));
        registry.insert("d", pid(0x0001_0200_0000_0001), Owner::Node(owner.clone()));
        registry.remove_former(&owner, Creation::new(2).unwrap());
        assert!(registry.get("c").is_none());
        assert_eq!(registry.remove_pid(pid(1)), ["a".into(), "b".into()]);
        assert_eq!(registry.remove_owner(&owner), ["d".into()]);
        assert!(registry.by_name.is_empty() && registry.by_pid.is_empty() && registry.by_owner.is_empty());
    }
}
