//! What processes do: the functions that every node with processes offers, to its own callers and to other nodes.

use super::{Node, Origin, Reason};
use crate::wire::{self, LocalId, Reader};

/// A function with its arguments.
#[derive(Clone, Debug)]
pub(crate) enum Function {
    /// Lives until it is ended, and reports each message.
    Collector,
    /// Forwards each message to a process; the bits of its PID as held.
    Relay(u64),
    /// A relay whose argument could not be resolved: messages vanish.
    Nowhere,
    /// Ends at once.
    Exit(Reason),
    /// Ends with an error on its first message; the message is the error's text.
    CrashOnMessage,
    /// Watches over its children. Not offered by name.
    Supervisor,
}

impl Node {
    /// The function that has this name; `None` when there is none (PROC-55). One that cannot make sense of its
    /// arguments is started all the same, and ends with an error (PROC-54).
    pub(super) fn function(&self, name: &[u8], args: &[u8], origin: Origin) -> Option<Function> {
        let mut args = Reader::new(args);
        match name {
            b"collector" => Some(Function::Collector),
            b"crash_on_message" => Some(Function::CrashOnMessage),
            b"relay" => Some(match args.pid() {
                Ok(pid) => self.argument(origin, pid).map_or(Function::Nowhere, |pid| Function::Relay(pid.to_u64())),
                Err(_) => Function::Exit(Reason::error("relay takes a PID of 8 bytes")),
            }),
            b"exit" => Some(Function::Exit(match wire::Reason::decode(&mut args) {
                Ok(reason) => self.received_reason(origin, &reason),
                Err(why) => Reason::error(&format!("exit takes a reason: {why}")),
            })),
            _ => None,
        }
    }

    /// The process runs for the first time: whoever wanted it has been told of it (PROC-56).
    pub(super) fn run(&mut self, local: LocalId) {
        if let Some(Function::Exit(reason)) = self.processes.get(local).map(|process| &process.function) {
            let reason = reason.clone();
            self.end(local, reason);
        }
    }
}
