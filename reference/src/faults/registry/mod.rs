//! Faults of the table of global names.

mod cleanup;
mod owners;
mod received;
mod remembered;
mod requests;

use super::{filter::Context, table::Fault};
use crate::{
    node::{ConnId, Output},
    wire::registry::GLOBAL_UNREGISTER,
};

/// One table a section of the chapter.
pub(super) const TABLES: [&[Fault]; 4] = [requests::FAULTS, received::FAULTS, cleanup::FAULTS, owners::FAULTS];

/// Whether a session is the last of several.
fn is_last(context: &Context<'_>, conn: ConnId) -> bool {
    let sessions = context.sessions();
    sessions.len() > 1 && sessions.last().is_some_and(|(last, _)| *last == conn)
}

/// To whom an output sends GLOBAL_UNREGISTER, if it does.
fn unregister_to(output: &Output) -> Option<ConnId> {
    match output {
        Output::Send(conn, payload) if payload.first() == Some(&GLOBAL_UNREGISTER) => Some(*conn),
        _ => None,
    }
}

/// Sends one payload to every session but one.
fn send_to_others(context: &mut Context<'_>, but: Option<ConnId>, payload: &[u8]) {
    for (conn, _) in context.sessions().into_iter().filter(|(conn, _)| Some(*conn) != but) {
        context.send(conn, payload);
    }
}
