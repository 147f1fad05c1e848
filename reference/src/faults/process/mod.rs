//! Faults of processes: PIDs, messages, reasons, monitors, links, spawning, connection loss.

pub(super) mod edit;
mod ends;
mod exits;
mod ledger;
mod links;
mod loss;
mod messages;
mod monitors;
mod pids;
mod reasons;
mod spawning;
mod watching;

use super::table::Fault;

pub(super) const TABLES: [&[Fault]; 9] = [
    pids::FAULTS,
    messages::FAULTS,
    reasons::FAULTS,
    monitors::FAULTS,
    watching::FAULTS,
    links::FAULTS,
    exits::FAULTS,
    spawning::FAULTS,
    loss::FAULTS,
];
