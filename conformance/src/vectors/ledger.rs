//! `vectors/ids.txt`: every id that was ever given, so that none is given twice. Ids are added and marked, never removed.

use std::collections::BTreeMap;

const HEADER: &str = "\
# Every vector id that was ever given, written by `cargo xtask vectors generate`. A retired id is not used again.
";

const RETIRED: &str = " retired";

/// Ids, and whether each is retired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    ids: BTreeMap<String, bool>,
}

impl Ledger {
    /// Reads the file's text; lines with `#` are comments.
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let ids = lines.map(|line| match line.strip_suffix(RETIRED) {
            Some(id) => (id.to_owned(), true),
            None => (line.to_owned(), false),
        });
        Self { ids: ids.collect() }
    }

    /// The text that [`Ledger::parse`] reads.
    pub(super) fn render(&self) -> String {
        let lines = self.ids.iter().map(|(id, retired)| format!("{id}{}\n", if *retired { RETIRED } else { "" }));
        HEADER.to_owned() + &lines.collect::<String>()
    }

    /// Those of the ids in use that are retired.
    pub(super) fn reused<'a>(&self, in_use: &[&'a str]) -> Vec<&'a str> {
        in_use.iter().copied().filter(|id| self.ids.get(*id) == Some(&true)).collect()
    }

    /// With new ids added, and those that are gone retired.
    pub(super) fn updated(mut self, in_use: &[&str]) -> Self {
        for (id, retired) in &mut self.ids {
            *retired |= !in_use.contains(&id.as_str());
        }
        for id in in_use {
            self.ids.entry((*id).to_owned()).or_insert(false);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_gone_stay_retired() {
        let ledger = Ledger::default().updated(&["a/x", "a/y"]).updated(&["a/y", "a/z"]);
        assert_eq!(ledger, Ledger::parse(&ledger.render()));
        assert!(ledger.render().ends_with("a/x retired\na/y\na/z\n"));
        assert_eq!(ledger.reused(&["a/x", "a/y"]), ["a/x"]);
        assert_eq!(ledger.clone().updated(&["a/x", "a/y", "a/z"]), ledger, "coming back does not make it new");
    }
}
