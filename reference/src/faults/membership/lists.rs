//! Filters about lists and the dials that they cause, which remember something.

use std::collections::{BTreeSet, VecDeque};

use crate::{
    faults::{
        filter::{Context, Filter},
        payload::{names, peer},
    },
    node::{ConnId, Input, Output},
};

/// Remembers who brought the last list.
#[derive(Default)]
pub(super) struct BlameTheList {
    bringer: Option<ConnId>,
}

impl Filter for BlameTheList {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if names(&payload).is_some() {
            self.bringer = Some(conn);
        }
        Some(payload)
    }

    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if matches!(input, Input::DialFailed(..))
            && let Some(bringer) = self.bringer.take().filter(|bringer| peer(context, *bringer).is_some())
        {
            context.close(bringer);
        }
        Some(input)
    }
}

/// Keeps back what the bringer of a list sends until no dial is under way.
#[derive(Default)]
pub(super) struct ReadAfterDials {
    bringers: BTreeSet<ConnId>,
    unread: VecDeque<(ConnId, Vec<u8>)>,
}

impl Filter for ReadAfterDials {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let dialling = !context.dials().is_empty();
        if dialling && self.bringers.contains(&conn) {
            self.unread.push_back((conn, payload));
            return None;
        }
        if names(&payload).is_some() {
            self.bringers.insert(conn);
        }
        Some(payload)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if context.dials().is_empty() {
            self.unread.drain(..).for_each(|(conn, payload)| context.add_input(Input::Frame(conn, payload)));
        }
        Some(output)
    }
}

/// Keeps dials back until none that was started is under way.
#[derive(Default)]
pub(super) struct OneByOne {
    current: Option<ConnId>,
    next: VecDeque<Output>,
}

impl Filter for OneByOne {
    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        let dials = context.dials();
        let under_way = |conn: ConnId| dials.iter().any(|(dial, _)| *dial == conn);
        let output = match output {
            Output::Dial { .. } => {
                self.next.push_back(output);
                None
            }
            _ => Some(output),
        };
        while !self.current.is_some_and(under_way) {
            let Some(Output::Dial { conn, host, port }) = self.next.pop_front() else { break };
            if under_way(conn) {
                self.current = Some(conn);
                context.add_output(Output::Dial { conn, host, port });
            }
        }
        output
    }
}
