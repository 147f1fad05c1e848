//! Faults of processes: PIDs, messages, reasons, monitors, links, spawning, connection loss.

pub(super) mod edit;
mod messages;
mod pids;
mod reasons;
mod spawning;

use super::table::Fault;

pub(super) const TABLES: [&[Fault]; 4] = [pids::FAULTS, messages::FAULTS, reasons::FAULTS, spawning::FAULTS];
