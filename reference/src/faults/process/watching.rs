//! Faults of monitors that processes of the node hold on processes of peers.

use std::collections::BTreeMap;

use super::{
    super::{
        filter::{Context, Filter},
        payload,
        single::on_input,
        table::Fault,
        told::{is_own, on_event, told_twice},
    },
    edit::{going, message, own_pid, peers_pid, sent_to_all, sent_twice, unsent},
    ledger::{Arrived, Ledger, Standing, frame, instead, session},
};
use crate::{
    node::{Command, ConnId, Event, GlobalPid, Input, Nested, Output, Reason},
    wire::{
        Message, Payload, WirePid,
        process::{MONITOR, Monitor, MonitorExit},
        reason::Root,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "monitors-go-out-twice",
        requirement: "PROC-34",
        description: "MONITOR is sent twice.",
        make: || sent_twice(MONITOR),
    },
    Fault {
        id: "monitors-go-to-all-sessions",
        requirement: "PROC-34",
        description: "MONITOR goes out on every session.",
        make: || sent_to_all(MONITOR),
    },
    Fault {
        id: "references-are-their-watchers",
        requirement: "PROC-34",
        description: "The reference of a monitor is its watcher's local id, so that all monitors of a process have the same.",
        make: || Box::new(Watchers::default()),
    },
    Fault {
        id: "downs-are-told-twice",
        requirement: "PROC-35",
        description: "A watcher is told the end of a process on another node twice.",
        make: || told_twice(|context, event| matches!(event, Event::Down { from, .. } if !is_own(context, from))),
    },
    Fault {
        id: "monitor-exits-need-the-right-process",
        requirement: "PROC-35",
        description: "MONITOR_EXIT is ignored unless it names the process that was monitored.",
        make: || monitor_exits_need(|monitor, exit| monitor.to.local == exit.monitored.local),
    },
    Fault {
        id: "monitor-exits-need-the-right-watcher",
        requirement: "PROC-35",
        description: "MONITOR_EXIT is ignored unless it names the watcher.",
        make: || monitor_exits_need(|monitor, exit| monitor.from.local == exit.monitoring.local),
    },
    Fault {
        id: "monitor-exits-of-any-session-count",
        requirement: "PROC-36",
        description: "MONITOR_EXIT tells the watcher that has its reference, on whatever session it comes.",
        make: || {
            instead(|context, ledger, arrived| {
                let Message::MonitorExit(exit) = &arrived.message else { return None };
                let mut ours = ledger.ours.keys().filter(|(_, reference)| *reference == exit.reference);
                let (peer, _) = ours.find(|(peer, _)| *peer != arrived.peer)?;
                Some(vec![frame(session(context, peer)?, &arrived.message)])
            })
        },
    },
    Fault {
        id: "told-monitors-fire-again",
        requirement: "PROC-36",
        description: "A MONITOR_EXIT that comes again tells its watcher again.",
        make: || fires(Standing::Told),
    },
    Fault {
        id: "unknown-references-close",
        requirement: "PROC-36",
        description: "A MONITOR_EXIT with a reference that its session has never seen closes the session.",
        make: || {
            instead(|context, ledger, arrived| {
                let Message::MonitorExit(exit) = &arrived.message else { return None };
                if ledger.ours.contains_key(&(arrived.peer.clone(), exit.reference)) {
                    return None;
                }
                context.close(arrived.conn);
                Some(Vec::new())
            })
        },
    },
    Fault {
        id: "demonitors-are-not-sent",
        requirement: "PROC-37",
        description: "Undoing a monitor is not told to the other node.",
        make: || unsent(|message| matches!(message, Message::Demonitor(_))),
    },
    Fault {
        id: "demonitors-name-no-process",
        requirement: "PROC-37",
        description: "DEMONITOR is sent with the reference alone: its process is 0.",
        make: || {
            going(|_, _, message| match message {
                Message::Demonitor(monitor) => Some(Message::Demonitor(Monitor { to: WirePid::FIRST, ..monitor })),
                message => Some(message),
            })
        },
    },
    Fault {
        id: "undone-monitors-fire",
        requirement: "PROC-37",
        description: "A MONITOR_EXIT that comes after its monitor was undone tells the watcher.",
        make: || fires(Standing::Undone),
    },
    Fault {
        id: "former-processes-are-monitored-as-present-ones",
        requirement: "PROC-38",
        description: "A monitor of a process of a former run is sent as one of the present run's.",
        make: || {
            targets(|command| match command {
                Command::Monitor { target, .. } => Some(target),
                _ => None,
            })
        },
    },
    Fault {
        id: "former-processes-are-linked-as-present-ones",
        requirement: "PROC-38",
        description: "A link to a process of a former run is sent as one to the present run's.",
        make: || {
            targets(|command| match command {
                Command::Link { to, .. } => Some(to),
                _ => None,
            })
        },
    },
    Fault {
        id: "former-processes-are-out-of-reach",
        requirement: "PROC-38",
        description: "A monitor of a process of a former run fires with the reason noconnection.",
        make: || {
            on_event(|context, mut event| {
                if let Event::Down { from, reason, .. } = &mut event
                    && is_former(context, from)
                    && *reason == Reason::no_process()
                {
                    *reason = Root::NoConnection.into();
                }
                Some(event)
            })
        },
    },
];

/// Ignores MONITOR_EXITs that do not fit the MONITOR of their reference.
fn monitor_exits_need(fits: fn(&Monitor, &MonitorExit) -> bool) -> Box<dyn Filter> {
    instead(move |_, ledger, arrived| {
        let Message::MonitorExit(exit) = &arrived.message else { return None };
        let (monitor, _) = ledger.ours.get(&(arrived.peer.clone(), exit.reference))?;
        (!fits(monitor, exit)).then(Vec::new)
    })
}

/// Tells watchers of MONITOR_EXITs whose monitors are no more, and how.
fn fires(standing: Standing) -> Box<dyn Filter> {
    instead(move |context, ledger, arrived| {
        let event = down(context, ledger, arrived, standing)?;
        context.add_output(Output::Event(event));
        Some(Vec::new())
    })
}

fn down(context: &Context<'_>, ledger: &Ledger, arrived: &Arrived<'_>, standing: Standing) -> Option<Event> {
    let Message::MonitorExit(MonitorExit { reference, reason, .. }) = &arrived.message else { return None };
    let (monitor, is) = ledger.ours.get(&(arrived.peer.clone(), *reference))?;
    let pid = own_pid(context, monitor.from.local).filter(|pid| *is == standing && context.is_alive(pid))?;
    let from = peers_pid(context, arrived.conn, monitor.to.local)?;
    let reason = Reason::from_levels(reason, |pid| Nested::Opaque(*pid));
    Some(Event::Down { pid, reference: *reference, from, reason })
}

/// Takes processes of former runs that commands name for processes of the present one.
fn targets(target: fn(&mut Command) -> Option<&mut GlobalPid>) -> Box<dyn Filter> {
    on_input(move |context, mut input| {
        if let Input::Command(_, command) = &mut input
            && let Some(pid) = target(command)
            && let Some(creation) = creation(context, &pid.node)
        {
            pid.creation = creation;
        }
        Some(input)
    })
}

/// The creation that a connected node has.
fn creation(context: &Context<'_>, node: &str) -> Option<u8> {
    let mut sessions = context.sessions().into_iter().map(|(_, view)| view);
    let view = sessions.find(|view| view.peer.as_ref().is_some_and(|peer| peer.as_str() == node))?;
    Some(view.creation?.get())
}

fn is_former(context: &Context<'_>, pid: &GlobalPid) -> bool {
    creation(context, &pid.node).is_some_and(|creation| creation != pid.creation)
}

/// Writes local ids of watchers in the place of references, and remembers which references they stand for.
#[derive(Default)]
struct Watchers {
    references: BTreeMap<(ConnId, u64), Vec<u64>>,
}

impl Filter for Watchers {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(Message::MonitorExit(exit)) = message(&payload)
            && let Some(references) = self.references.get_mut(&(conn, exit.reference))
            && !references.is_empty()
        {
            let reference = references.remove(0);
            return Some(payload::encode(&Message::MonitorExit(MonitorExit { reference, ..exit })));
        }
        Some(payload)
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        let message = match message(&payload) {
            Some(Message::Monitor(monitor)) => {
                let reference = monitor.from.local.get();
                self.references.entry((conn, reference)).or_default().push(monitor.reference);
                Message::Monitor(Monitor { reference, ..monitor })
            }
            Some(Message::Demonitor(monitor)) => {
                let reference = monitor.from.local.get();
                self.references.entry((conn, reference)).or_default().retain(|held| *held != monitor.reference);
                Message::Demonitor(Monitor { reference, ..monitor })
            }
            _ => return Some(payload),
        };
        Some(payload::encode(&message).into())
    }
}
