//! Which connections a fault is meant for, and which of their directions. Names only; no sockets, no state.

/// Stands in `from` for whoever dials the node that is named alone.
pub(crate) const OTHERS: &str = "others";

/// Who sends: the one who dialled, or the one behind the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one who opened the connection.
    Dialler,
    /// The node or peer in front of which the relay stands.
    Fronted,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Dialler, Self::Fronted];

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Fronted,
            Self::Fronted => Self::Dialler,
        }
    }
}

/// Who is at the ends of a connection, by the scenario's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parties {
    /// Known once NAME has been read; never where the relay sees ciphertext.
    pub(crate) dialler: Option<String>,
    pub(crate) fronted: String,
}

impl Parties {
    fn of(&self, side: Side) -> Option<&str> {
        match side {
            Side::Dialler => self.dialler.as_deref(),
            Side::Fronted => Some(&self.fronted),
        }
    }
}

/// The two ends of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Whoever has dialled this node or peer.
    Into(String),
    /// These two, whoever dialled.
    Between(String, String),
}

/// Connections: those between two ends, or only those of them that one of the two has opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) ends: Ends,
    pub(crate) dialled_by: Option<String>,
}

impl Link {
    /// Whether a connection is one of these. One whose dialler is not known yet is none between two ends.
    pub(crate) fn covers(&self, parties: &Parties) -> bool {
        let ends = match &self.ends {
            Ends::Into(fronted) => *fronted == parties.fronted,
            Ends::Between(one, other) => {
                let is = |dialler: &str, fronted: &str| {
                    parties.dialler.as_deref() == Some(dialler) && parties.fronted == fronted
                };
                is(one, other) || is(other, one)
            }
        };
        ends && self.dialled_by.as_ref().is_none_or(|by| parties.dialler.as_ref() == Some(by))
    }

    /// Whether both stand for the same pair, whoever dials.
    pub(crate) fn has_ends_of(&self, other: &Self) -> bool {
        match (&self.ends, &other.ends) {
            (Ends::Between(a, b), Ends::Between(c, d)) => (a == c && b == d) || (a == d && b == c),
            (one, other) => one == other,
        }
    }
}

/// Whose sending is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    /// Both directions.
    Either,
    /// What these send; [`OTHERS`] is the dialler, whoever it is.
    These(Vec<String>),
}

impl From {
    /// Whether what this side sends is meant.
    pub(crate) fn includes(&self, side: Side, parties: &Parties) -> bool {
        match self {
            Self::Either => true,
            Self::These(names) => {
                let name = parties.of(side);
                names.iter().any(|from| Some(from.as_str()) == name || (from == OTHERS && side == Side::Dialler))
            }
        }
    }
}
