//! Faults of why processes of this node have ended, wherever it is told.

use super::{
    super::{
        filter::{Context, Filter},
        told::is_own,
    },
    edit::edited,
};
use crate::{
    node::{ConnId, Event, Input, Nested, Output, Reason},
    wire::{self, Message, Payload, reason::Root},
};

/// Changes why processes of this node have ended, in what is told to other nodes, to other processes and to callers.
/// `edit` gets how many levels of *linked* there are and what they are around; it returns how many of them stay.
pub(super) fn ends(is_cause: fn(&Input) -> bool, edit: fn(usize, &mut Root) -> usize) -> Box<dyn Filter> {
    Box::new(Ends { is_cause, edit, is_now: false })
}

struct Ends {
    is_cause: fn(&Input) -> bool,
    edit: fn(usize, &mut Root) -> usize,
    is_now: bool,
}

impl Filter for Ends {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.is_now = (self.is_cause)(&input);
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, mut output: Output) -> Option<Output> {
        if let Output::Event(event) = &mut output
            && self.is_now
        {
            match event {
                Event::ProcessEnded { reason, .. } => self.told(reason),
                Event::Down { from, reason, .. } | Event::Exited { from, reason, .. } if is_own(context, from) => {
                    self.told(reason);
                }
                _ => {}
            }
        }
        Some(output)
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Payload) -> Option<Payload> {
        if !self.is_now {
            return Some(payload);
        }
        let edited = edited(&payload, |mut message| {
            match &mut message {
                Message::Exit(exit) => self.sent(&mut exit.reason),
                Message::MonitorExit(exit) => self.sent(&mut exit.reason),
                _ => {}
            }
            Some(message)
        });
        edited.map(Payload::from)
    }
}

impl Ends {
    fn sent<P>(&self, reason: &mut wire::Reason<P>) {
        let stay = (self.edit)(reason.linked.len(), &mut reason.root);
        reason.linked.truncate(stay);
    }

    fn told(&self, reason: &mut Reason) {
        let mut levels = reason.levels();
        self.sent(&mut levels);
        *reason = Reason::from_levels(&levels, Nested::clone);
    }
}
