//! Faults of names, the exchange of messages, cookie and challenges, creations, time.

mod challenges;
mod exchange;
mod identity;
mod pretence;
mod proofs;
mod time;

use super::table::Fault;

/// One table a part of the chapter.
pub(super) const TABLES: [&[Fault]; 6] =
    [identity::FAULTS, exchange::FAULTS, proofs::FAULTS, challenges::FAULTS, time::FAULTS, pretence::FAULTS];
