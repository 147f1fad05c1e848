//! Faults of closing, of dials on a peer's word, of stalled connections, of bounds, and of names that look alike.

mod closing;
mod dials;
mod kept;
mod names;
mod stalls;

use super::table::Fault;

/// One table a part of the chapter, and one for names.
pub(super) const TABLES: [&[Fault]; 5] = [closing::FAULTS, dials::FAULTS, stalls::FAULTS, kept::FAULTS, names::FAULTS];
