//! Faults of monitors that peers hold on processes of the node.

use std::collections::BTreeSet;

use super::{
    super::{
        cause::on_output_of,
        filter::{Context, Filter},
        payload,
        table::Fault,
    },
    edit::{coming, going, is, is_live, message, sent_twice, unread, unsent},
    ledger::{frame, instead, session},
};
use crate::{
    node::{ConnId, Input, Output},
    wire::{
        Message, Payload, WirePid,
        process::{DEMONITOR, MONITOR, MONITOR_EXIT, Monitor, MonitorExit},
        reason::Root,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "monitor-exits-are-sent-twice",
        requirement: "PROC-29",
        description: "MONITOR_EXIT is sent twice.",
        make: || sent_twice(MONITOR_EXIT),
    },
    Fault {
        id: "references-have-32-bits",
        requirement: "PROC-29",
        description: "MONITOR_EXIT carries the lower 32 bits of the monitor's reference.",
        make: || monitor_exits(|exit| exit.reference &= 0xffff_ffff),
    },
    Fault {
        id: "monitor-exits-swap-their-processes",
        requirement: "PROC-29",
        description: "In MONITOR_EXIT the watcher stands in the place of the process that has ended, and the other way round.",
        make: || {
            monitor_exits(|exit| {
                let (monitored, monitoring) = (exit.monitored, exit.monitoring);
                exit.monitored = WirePid::own(monitoring.local);
                exit.monitoring = WirePid { local: monitored.local, ..monitoring };
            })
        },
    },
    Fault {
        id: "monitor-exits-are-one-a-peer",
        requirement: "PROC-29",
        description: "When a process ends that a peer monitors several times over, one MONITOR_EXIT goes to that peer.",
        make: || Box::new(OneEach::new(|message| matches!(message, Message::MonitorExit(_)))),
    },
    Fault {
        id: "monitors-of-the-dead-are-silent",
        requirement: "PROC-30",
        description: "MONITOR of a process that is not alive is not answered.",
        make: || unanswered(|context, to| !is_live(context, to)),
    },
    Fault {
        id: "monitors-of-former-runs-are-silent",
        requirement: "PROC-30",
        description: "MONITOR of a process of a former run is not answered.",
        make: || {
            unanswered(|context, to| {
                let own = context.identity().map(|identity| identity.creation.get());
                to.creation != 0 && Some(to.creation) != own
            })
        },
    },
    Fault {
        id: "the-dead-are-out-of-reach",
        requirement: "PROC-30",
        description: "MONITOR of a process that is not alive is answered with the reason noconnection.",
        make: || at_monitor(|exit| exit.reason = Root::NoConnection.into()),
    },
    Fault {
        id: "demonitors-are-not-read",
        requirement: "PROC-31",
        description: "DEMONITOR is ignored.",
        make: || unread(DEMONITOR),
    },
    Fault {
        id: "demonitors-need-the-right-process",
        requirement: "PROC-31",
        description: "DEMONITOR is ignored unless it names the process that is monitored.",
        make: || demonitors_need(|monitor, demonitor| monitor.to.local == demonitor.to.local),
    },
    Fault {
        id: "demonitors-need-the-right-watcher",
        requirement: "PROC-31",
        description: "DEMONITOR is ignored unless it names the watcher.",
        make: || demonitors_need(|monitor, demonitor| monitor.from.local == demonitor.from.local),
    },
    Fault {
        id: "demonitor-undoes-all-of-its-watcher",
        requirement: "PROC-32",
        description: "DEMONITOR undoes all monitors that its watcher has on its process.",
        make: || {
            instead(|_, ledger, arrived| {
                let Message::Demonitor(undone) = arrived.message else { return None };
                let held = ledger.theirs.get(&(arrived.peer.clone(), undone.reference))?;
                let is_alike = |other: &&Monitor| (other.from, other.to.local) == (held.from, held.to.local);
                let all = ledger.theirs.iter().filter(|((peer, _), _)| *peer == arrived.peer);
                let all = all.map(|(_, monitor)| monitor).filter(is_alike);
                Some(all.map(|monitor| frame(arrived.conn, &Message::Demonitor(*monitor))).collect())
            })
        },
    },
    Fault {
        id: "demonitors-count-on-all-sessions",
        requirement: "PROC-32",
        description: "DEMONITOR undoes the monitors of all peers that have its reference.",
        make: || {
            instead(|context, _, arrived| {
                let Message::Demonitor(_) = arrived.message else { return None };
                let sessions = context.sessions().into_iter();
                Some(sessions.map(|(conn, _)| frame(conn, &arrived.message)).collect())
            })
        },
    },
    Fault {
        id: "equal-references-take-each-others-place",
        requirement: "PROC-32",
        description: "A MONITOR takes the place of another peer's that has the same reference.",
        make: || {
            instead(|context, ledger, arrived| {
                let Message::Monitor(monitor) = arrived.message else { return None };
                let mut others = ledger.theirs.keys();
                let (other, _) =
                    others.find(|(peer, reference)| *peer != arrived.peer && *reference == monitor.reference)?;
                let displaced = frame(session(context, other)?, &Message::Demonitor(monitor));
                Some(vec![displaced, frame(arrived.conn, &arrived.message)])
            })
        },
    },
    Fault {
        id: "normal-ends-are-not-told-to-monitors",
        requirement: "PROC-33",
        description: "MONITOR_EXIT is not sent of a process that ends normally.",
        make: || unsent(|message| matches!(message, Message::MonitorExit(exit) if exit.reason == Root::Normal.into())),
    },
    Fault {
        id: "kills-are-told-as-errors",
        requirement: "PROC-33",
        description: "MONITOR_EXIT of a process that was killed has the reason error `killed`.",
        make: || {
            monitor_exits(|exit| {
                if exit.reason == Root::Killed.into() {
                    exit.reason = Root::Error("killed".into()).into();
                }
            })
        },
    },
    Fault {
        id: "ends-by-a-link-are-told-by-their-root",
        requirement: "PROC-33",
        description: "MONITOR_EXIT of a process that a link has ended has the reason of the link's EXIT.",
        make: || monitor_exits(|exit| exit.reason.linked.clear()),
    },
];

/// Edits each MONITOR_EXIT that goes.
fn monitor_exits(edit: fn(&mut MonitorExit)) -> Box<dyn Filter> {
    going(move |_, _, mut message| {
        if let Message::MonitorExit(exit) = &mut message {
            edit(exit);
        }
        Some(message)
    })
}

/// Edits each MONITOR_EXIT with which a MONITOR is answered at once.
fn at_monitor(edit: fn(&mut MonitorExit)) -> Box<dyn Filter> {
    let is_monitor = |input: &Input| matches!(input, Input::Frame(_, payload) if is(MONITOR, payload));
    on_output_of(is_monitor, move |_, output| match output {
        Output::Send(conn, payload) => {
            let Some(Message::MonitorExit(mut exit)) = message(&payload) else {
                return Some(Output::Send(conn, payload));
            };
            edit(&mut exit);
            Some(Output::Send(conn, payload::encode(&Message::MonitorExit(exit)).into()))
        }
        output => Some(output),
    })
}

/// Ignores some MONITORs.
fn unanswered(is_it: fn(&Context<'_>, WirePid) -> bool) -> Box<dyn Filter> {
    coming(move |context, _, message| match message {
        Message::Monitor(monitor) if is_it(context, monitor.to) => None,
        message => Some(message),
    })
}

/// Ignores DEMONITORs that do not fit the MONITOR of their reference.
fn demonitors_need(fits: fn(&Monitor, &Monitor) -> bool) -> Box<dyn Filter> {
    instead(move |_, ledger, arrived| {
        let Message::Demonitor(demonitor) = arrived.message else { return None };
        let monitor = ledger.theirs.get(&(arrived.peer.clone(), demonitor.reference))?;
        (!fits(monitor, &demonitor)).then(Vec::new)
    })
}

/// Of the messages of a kind that come of one input, sends the first to each session.
pub(super) struct OneEach {
    is_it: fn(&Message<'_>) -> bool,
    sent: BTreeSet<ConnId>,
}

impl OneEach {
    pub(super) fn new(is_it: fn(&Message<'_>) -> bool) -> Self {
        Self { is_it, sent: BTreeSet::new() }
    }
}

impl Filter for OneEach {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.sent.clear();
        Some(input)
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        let is_first = !message(&payload).is_some_and(|message| (self.is_it)(&message)) || self.sent.insert(conn);
        is_first.then_some(payload)
    }
}
