//! The table of all faults.

use serde_json::json;

use super::{filter::Filter, handshake, membership};

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

/// One table a family file.
const TABLES: &[&[Fault]] = &[handshake::FAULTS, membership::FAULTS];

pub(crate) fn all() -> impl Iterator<Item = &'static Fault> {
    TABLES.iter().copied().flatten()
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
    fn ids_are_unique_slugs() {
        let mut seen = BTreeSet::new();
        for fault in all() {
            assert!(seen.insert(fault.id), "{} twice", fault.id);
            assert!(fault.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
        }
    }
}
