//! Which cases an entry stands for: one id, or all ids of a form with `*` in it. Brackets are brackets, since ids have them.

use std::fmt;

/// An id, or a form of ids in which each `*` stands for any characters, none included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// Whether it is a form, and not one id.
    #[must_use]
    pub fn is_form(&self) -> bool {
        self.0.contains('*')
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for this case.
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else { return self.0 == id };
        let Some(mut left) = id.strip_prefix(head) else { return false };
        let mut parts = rest.split('*').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return left.ends_with(part);
            }
            // The earliest place leaves the most for what follows.
            let Some(at) = left.find(part) else { return false };
            left = &left[at + part.len()..];
        }
        true
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_stand_for_what_they_look_like() {
        let matches = |pattern: &str, id: &str| Pattern::new(pattern.to_owned()).matches(id);
        assert!(matches("f/a[x]", "f/a[x]") && !matches("f/a[x]", "f/a[xy]") && !matches("f/a", "f/a[x]"));
        assert!(matches("f/a[*]", "f/a[x]") && !matches("f/a[*]", "f/a") && !matches("f/a[*]", "f/ab[x]"));
        assert!(matches("*", "f/a") && matches("f/*", "f/a[x]") && matches("*[x]", "f/a[x]"));
        assert!(matches("f/*b*c", "f/abbc") && matches("f/*b*b", "f/bb") && !matches("f/*b*b", "f/b"));
        assert!(!matches("a*a", "a") && matches("a*a", "aa"));
    }
}
