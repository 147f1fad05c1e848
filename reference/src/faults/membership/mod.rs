//! Faults of sessions, mesh, duplicates, heartbeat, disconnects and watched nodes.

mod claims;
mod disconnect;
mod duplicates;
mod heartbeat;
mod lists;
mod mesh;
mod pongs;
mod races;
mod restarts;
mod start;
mod watches;

use std::sync::atomic::{AtomicU64, Ordering};

use super::{filter::Context, table::Fault};
use crate::{
    node::{Command, ConnId, Input, Output, Role, Token},
    wire::NodeName,
};

/// One table a section of the chapter.
pub(super) const TABLES: [&[Fault]; 7] = [
    start::FAULTS,
    mesh::FAULTS,
    duplicates::FAULTS,
    restarts::FAULTS,
    heartbeat::FAULTS,
    disconnect::FAULTS,
    watches::FAULTS,
];

/// Stands under commands of faults, whose answers nobody waits for.
const NOBODY: Token = Token(u64::MAX);

/// Opens a connection to a node beside the session with it. It gets no further than TLS.
fn dial_again(context: &mut Context<'_>, name: &NodeName) {
    // The node counts its own dials from 1, so that these are never met.
    static LAST: AtomicU64 = AtomicU64::new(u64::MAX / 2);
    let conn = ConnId { role: Role::Dialled, serial: LAST.fetch_add(1, Ordering::Relaxed) };
    let (host, port) = name.address();
    context.add_output(Output::Dial { conn, host, port });
}

/// Removes the names of a node, and tells it to everybody.
fn unregister_all(context: &mut Context<'_>, node: &str) {
    for (name, _) in context.names().into_iter().filter(|(_, pid)| pid.node == node) {
        context.add_input(Input::Command(NOBODY, Command::Unregister(name.to_string())));
    }
}
