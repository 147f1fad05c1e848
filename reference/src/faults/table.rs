//! The table of all faults.

use serde_json::json;

use super::{
    cluster, codec, filter::Filter, framing, handshake, matrix, membership, process, registry, resilience, room,
    supervisor, term,
};

/// One planted bug.
pub(crate) struct Fault {
    /// A slug: what the node does wrong.
    pub(crate) id: &'static str,
    /// The requirement that it breaks, as in the spec.
    pub(crate) requirement: &'static str,
    /// One sentence for people.
    pub(crate) description: &'static str,
    /// A fresh filter, for one run.
    pub(crate) make: fn() -> Box<dyn Filter>,
}

/// The tables of each family.
const FAMILIES: &[&[&[Fault]]] = &[
    &[framing::FAULTS],
    &[codec::FAULTS],
    &handshake::TABLES,
    &membership::TABLES,
    &process::TABLES,
    &registry::TABLES,
    &resilience::TABLES,
    &room::TABLES,
    &supervisor::TABLES,
    &[term::FAULTS],
    &[matrix::FAULTS],
    &[cluster::FAULTS],
];

pub(crate) fn all() -> impl Iterator<Item = &'static Fault> {
    FAMILIES.iter().copied().flatten().copied().flatten()
}

pub(crate) fn find(id: &str) -> Option<&'static Fault> {
    all().find(|fault| fault.id == id)
}

/// A JSON array of `{id, requirement, description}`.
pub fn list_json() -> String {
    let faults: Vec<_> = all()
        .map(|fault| json!({"id": fault.id, "requirement": fault.requirement, "description": fault.description}))
        .collect();
    format!("{:#}", serde_json::Value::Array(faults))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_kebab_case() {
        let mut seen = BTreeSet::new();
        for Fault { id, .. } in all() {
            assert!(seen.insert(id), "{id} twice");
            let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            assert!(id.split('-').all(|word| !word.is_empty() && is_word(word)), "{id}");
        }
    }

    #[test]
    fn requirements_are_a_family_and_a_number() {
        const FAMILIES: [&str; 9] = ["FRAME", "HS", "MEM", "PROC", "REG", "RES", "ROOM", "SUP", "TERM"];
        for Fault { id, requirement, .. } in all() {
            let (family, number) = requirement.split_once('-').unwrap();
            assert!(FAMILIES.contains(&family), "{id}: {requirement}");
            assert!(number.parse::<u8>().is_ok_and(|number| number > 0), "{id}: {requirement}");
        }
    }

    #[test]
    fn each_fault_is_told_in_a_sentence_and_can_be_planted() {
        for Fault { id, description, make, .. } in all() {
            assert!(description.ends_with('.') && !description.starts_with(char::is_lowercase), "{id}: {description}");
            make();
        }
    }
}
