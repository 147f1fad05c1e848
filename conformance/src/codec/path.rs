//! Where a value stands: `entries[0].pid`. A path is written out only when a segment or an error needs its name.

use std::fmt;

/// A place in a message or a document, which knows the place around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path<'a> {
    around: Option<&'a Path<'a>>,
    part: Part<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Part<'a> {
    Field(&'a str),
    Item(usize),
}

impl<'a> Path<'a> {
    /// A field of what stands at `around`, or of the whole.
    pub(super) fn field(around: Option<&'a Path<'a>>, name: &'a str) -> Self {
        Self { around, part: Part::Field(name) }
    }

    /// A part of this place: its `length`, `count` or `kind`.
    pub(super) fn part(&'a self, name: &'a str) -> Self {
        Self::field(Some(self), name)
    }

    /// An item of the list at this place.
    pub(super) fn item(&'a self, index: usize) -> Self {
        Self { around: Some(self), part: Part::Item(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(around) = self.around {
            around.fmt(f)?;
        }
        match (self.part, self.around) {
            (Part::Field(name), None) => f.write_str(name),
            (Part::Field(name), Some(_)) => write!(f, ".{name}"),
            (Part::Item(index), _) => write!(f, "[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_from_the_outside() {
        let entries = Path::field(None, "entries");
        let first = entries.item(0);
        assert_eq!(first.part("kind").to_string(), "entries[0].kind");
        assert_eq!(Path::field(None, "x").to_string(), "x");
    }
}
