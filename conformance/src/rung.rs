//! Rungs: the order in which a node is built, from a codec to all of it, and which rung a case belongs to. Judges nothing.
//!
//! A rung is asked for by what a case needs (`needs`) and by its family: the higher of the two counts. A case that is asked of the
//! codec alone is of the lowest rung whatever its family, and so is one of the terms: both are questions of bytes, and need no started node.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::needs::{CONTROL, MEASURING};

/// A rung. Their order is the one in which they are climbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Rung {
    /// Golden vectors alone, with capability `codec` or `term`.
    Bytes,
    /// TLS, frames, the handshake, and what any peer may do to a node: needs a port and no adapter.
    Wire,
    /// Sessions, the mesh and heartbeats, and all else that has to be asked of an adapter.
    Membership,
    /// Global names.
    Registry,
    /// Rooms and their members.
    Room,
    /// Processes of different nodes.
    Process,
    /// Children on other nodes.
    Supervisor,
}

impl Rung {
    /// All of them, from the lowest.
    pub const ALL: [Self; 7] =
        [Self::Bytes, Self::Wire, Self::Membership, Self::Registry, Self::Room, Self::Process, Self::Supervisor];
    /// The highest.
    pub const TOP: Self = Self::Supervisor;

    /// Its number, from 0 to 6.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Wire => "wire",
            Self::Membership => "membership",
            Self::Registry => "registry",
            Self::Room => "room",
            Self::Process => "process",
            Self::Supervisor => "supervisor",
        }
    }

    /// The capability without which no node reaches it; `control` is having an adapter. The wire needs none.
    #[must_use]
    pub const fn capability(self) -> Option<&'static str> {
        match self {
            Self::Bytes => Some("codec"),
            Self::Wire => None,
            Self::Membership => Some(CONTROL),
            Self::Registry => Some("registry"),
            Self::Room => Some("rooms"),
            Self::Process => Some("process"),
            Self::Supervisor => Some("supervisor"),
        }
    }

    /// The rung of a case of that family which needs these capabilities.
    pub(crate) fn of(family: &str, needs: &[String]) -> Self {
        let needs: Vec<&str> = needs.iter().map(String::as_str).filter(|need| *need != MEASURING).collect();
        let of_bytes = |need: &&str| matches!(*need, "codec" | "term");
        if needs.iter().any(of_bytes) && needs.iter().all(|need| of_bytes(need) || *need == CONTROL) {
            return Self::Bytes;
        }
        let needed = needs.iter().filter_map(|need| Self::ALL.into_iter().find(|rung| rung.capability() == Some(need)));
        needed.chain([Self::of_family(family)]).max().unwrap_or(Self::Wire)
    }

    /// Families that are about any connection, `resilience` among them, are of the wire: what their cases need says more.
    fn of_family(family: &str) -> Self {
        Self::ALL.into_iter().find(|rung| rung.name() == family).unwrap_or(Self::Wire)
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rung {} ({})", self.number(), self.name())
    }
}

impl From<Rung> for u8 {
    fn from(rung: Rung) -> Self {
        rung.number()
    }
}

impl TryFrom<u8> for Rung {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        Self::ALL.get(usize::from(number)).copied().ok_or_else(|| format!("there is no rung {number}; {}", ladder()))
    }
}

/// By its number or by its name.
impl FromStr for Rung {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<u8>() {
            Ok(number) => Self::try_from(number),
            Err(_) => Self::ALL
                .into_iter()
                .find(|rung| rung.name() == text)
                .ok_or_else(|| format!("`{text}` is no rung; {}", ladder())),
        }
    }
}

fn ladder() -> String {
    let rungs: Vec<String> = Rung::ALL.iter().map(|rung| format!("{} {}", rung.number(), rung.name())).collect();
    format!("they are {}", rungs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(family: &str, needs: &str) -> u8 {
        let needs: Vec<String> = needs.split_whitespace().map(str::to_owned).collect();
        Rung::of(family, &needs).number()
    }

    #[test]
    fn the_higher_of_family_and_needs_counts() {
        for (family, needs, wanted) in [
            ("framing", "", 1),
            ("handshake", "measuring", 1),
            ("handshake", "control", 2),
            ("membership", "", 2),
            ("resilience", "", 1),
            ("resilience", "control registry process rooms", 5),
            ("registry", "", 3),
            ("registry", "control registry process", 5),
            ("room", "control registry rooms", 4),
            ("process", "process", 5),
            ("supervisor", "control process supervisor", 6),
        ] {
            assert_eq!(rung(family, needs), wanted, "{family} {needs}");
        }
    }

    #[test]
    fn questions_of_bytes_are_of_the_lowest_rung() {
        assert_eq!(rung("supervisor", "control codec"), 0);
        assert_eq!(rung("term", "control term"), 0);
        assert_eq!(rung("term", "control process term"), 5);
    }

    #[test]
    fn rungs_are_named_by_number_or_name() {
        assert_eq!("3".parse(), Ok(Rung::Registry));
        assert_eq!("room".parse(), Ok(Rung::Room));
        assert!("7".parse::<Rung>().unwrap_err().contains("6 supervisor"));
        assert!("rooms".parse::<Rung>().is_err());
    }
}
