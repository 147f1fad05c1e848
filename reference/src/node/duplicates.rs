//! One session per pair: which accepted connections go on (MEM-16 to MEM-20, MEM-27).

use super::{
    output::Refusal,
    sessions::{ReadOrder, Session},
};
use crate::wire::{Creation, NodeName};

/// What an accepted connection claims, and when its claim was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) peer: &'a NodeName,
    pub(crate) creation: Creation,
    pub(crate) read: ReadOrder,
}

/// What stands against it at the moment of the test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) own: &'a NodeName,
    /// The live session with the claimed name.
    pub(crate) live: Option<&'a Session>,
    /// Whether our own dial to the claimed name is under way.
    pub(crate) own_dial: Option<OwnDial>,
}

/// Marks that a dial is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnDial;

/// The test that is made when NAME arrives and again on a correct REPLY, before ACK.
///
/// # Errors
/// The reason for which the connection has to be closed.
pub(crate) fn test(claim: Claim<'_>, situation: Situation<'_>) -> Result<(), Refusal> {
    if let Some(live) = situation.live {
        if live.creation == claim.creation {
            return Err(Refusal::Duplicate);
        }
        if claim.read < live.read {
            return Err(Refusal::Outdated);
        }
    }
    if situation.own_dial.is_some() && situation.own < claim.peer {
        return Err(Refusal::OwnDial);
    }
    Ok(())
}
