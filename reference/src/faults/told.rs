//! Faults of what processes are told.

use super::{
    filter::{Context, Filter},
    single::on_output,
};
use crate::node::{Event, GlobalPid, Output};

/// Changes each event; `None` suppresses it.
pub(super) fn on_event(mut hook: impl FnMut(&mut Context<'_>, Event) -> Option<Event> + 'static) -> Box<dyn Filter> {
    on_output(move |context, output| match output {
        Output::Event(event) => hook(context, event).map(Output::Event),
        output => Some(output),
    })
}

/// Suppresses events.
pub(super) fn untold(is_it: fn(&Context<'_>, &Event) -> bool) -> Box<dyn Filter> {
    on_event(move |context, event| (!is_it(context, &event)).then_some(event))
}

/// Tells events twice.
pub(super) fn told_twice(is_it: fn(&Context<'_>, &Event) -> bool) -> Box<dyn Filter> {
    on_event(move |context, event| {
        if is_it(context, &event) {
            context.add_output(Output::Event(event.clone()));
        }
        Some(event)
    })
}

/// Whether a process lives on this node.
pub(super) fn is_own(context: &Context<'_>, pid: &GlobalPid) -> bool {
    context.identity().is_some_and(|identity| identity.name.as_str() == pid.node)
}
