//! PIDs as they stand on the wire, and the numbers that they are made of.

use std::num::NonZeroU8;

/// A node's private number for a node; 0 is "my own node". Means nothing outside the node that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) u16);

impl NodeId {
    /// "My own node".
    pub(crate) const OWN: Self = Self(0);
}

/// Tells one run of a node from the next: 1 to 255 (HS-21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Creation(NonZeroU8);

impl Creation {
    /// `None` for 0, which no node has (HS-23).
    pub(crate) fn new(value: u8) -> Option<Self> {
        NonZeroU8::new(value).map(Self)
    }

    /// A start time in seconds folded into 1..=255: differs for starts 1 to 254 s apart (HS-22).
    pub(crate) fn from_start_second(seconds: u64) -> Self {
        // seconds % 255 fits u8 and is at most 254, so the sum neither wraps nor is 0.
        let folded = u8::try_from(seconds % 255).unwrap_or(0);
        Self(NonZeroU8::MIN.saturating_add(folded))
    }

    pub(crate) fn get(self) -> u8 {
        self.0.get()
    }
}

/// A process's number on its node: 40 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LocalId(u64);

impl LocalId {
    const MASK: u64 = (1 << 40) - 1;

    /// The smallest one, which no process has until ids wrap.
    pub(crate) const ZERO: Self = Self(0);

    /// `None` when the value needs more than 40 bits.
    pub(crate) fn new(value: u64) -> Option<Self> {
        (value <= Self::MASK).then_some(Self(value))
    }

    /// The next one; wraps in 40 bits.
    pub(crate) fn next(self) -> Self {
        Self((self.0 + 1) & Self::MASK)
    }

    pub(crate) fn get(self) -> u64 {
        self.0
    }
}

/// A PID as its sender holds it: `node id: 16 | creation: 8 | local id: 40` from the top (PROC-1).
///
/// Whose numbering it is in is not said here: only the field that it stands in tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WirePid {
    pub(crate) node: NodeId,
    /// 0 in the all-local form.
    pub(crate) creation: u8,
    pub(crate) local: LocalId,
}

impl WirePid {
    /// The first in the order of PIDs.
    pub(crate) const FIRST: Self = Self { node: NodeId::OWN, creation: 0, local: LocalId::ZERO };

    /// The first in the order of PIDs with this node id.
    pub(crate) fn first_of(node: NodeId) -> Self {
        Self { node, ..Self::FIRST }
    }

    /// A process of the writing node: node id 0, creation 0 (PROC-2).
    pub(crate) fn own(local: LocalId) -> Self {
        Self { node: NodeId::OWN, creation: 0, local }
    }

    pub(crate) fn from_u64(value: u64) -> Self {
        let [n1, n0, creation, ..] = value.to_be_bytes();
        Self { node: NodeId(u16::from_be_bytes([n1, n0])), creation, local: LocalId(value & LocalId::MASK) }
    }

    pub(crate) fn to_u64(self) -> u64 {
        u64::from(self.node.0) << 48 | u64::from(self.creation) << 40 | self.local.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_specs() {
        let pid = WirePid { node: NodeId(3), creation: 7, local: LocalId(42) };
        assert_eq!(pid.to_u64().to_le_bytes(), [0x2a, 0, 0, 0, 0, 7, 3, 0]);
        for value in [0, 42, u64::MAX, 0x0003_0700_0000_002a, 1 << 40, 1 << 48, (1 << 40) - 1] {
            assert_eq!(WirePid::from_u64(value).to_u64(), value);
        }
    }

    #[test]
    fn creations_differ_within_254_seconds_and_are_never_zero() {
        for start in 0..600_u64 {
            for later in 1..=254 {
                assert_ne!(Creation::from_start_second(start), Creation::from_start_second(start + later));
            }
        }
        assert_eq!(Creation::from_start_second(255), Creation::from_start_second(0));
        assert_eq!(Creation::new(0), None);
    }

    #[test]
    fn local_ids_wrap_in_40_bits() {
        assert_eq!(LocalId(LocalId::MASK).next(), LocalId(0));
        assert_eq!(LocalId::new(1 << 40), None);
    }
}
