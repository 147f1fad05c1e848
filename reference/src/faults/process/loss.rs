//! Faults of what the loss of a session does to processes, links and monitors.

use std::collections::BTreeMap;

use super::{
    super::{
        cause::on_output_of,
        filter::{Context, Filter},
        payload,
        table::Fault,
    },
    edit::{is, is_live, message, own_pid},
    ends::ends,
    ledger::{Ledger, frame, in_order, with_ledger},
};
use crate::{
    node::{Command, ConnId, Event, Input, Output, Reason},
    wire::{
        Creation, LocalId, Message, NodeName, Payload, WirePid,
        process::{EXIT, Exit, Link, MONITOR_EXIT, SpawnReply},
        reason::Root,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "links-across-a-loss-are-silent",
        requirement: "PROC-61",
        description: "When a connection ends, the links across it are undone, and nobody is told.",
        make: || before_loss(|ledger, peer| links_with(ledger, peer).map(Message::Unlink).collect()),
    },
    Fault {
        id: "links-across-a-loss-are-told-as-noproc",
        requirement: "PROC-61",
        description: "When a connection ends, processes linked across it are given EXIT with the reason error `noproc`.",
        make: || {
            before_loss(|ledger, peer| {
                let exit = |Link { from, to }| Exit { from, to, reason: Reason::no_process().on_wire() };
                let links = links_with(ledger, peer);
                links.flat_map(|link| [Message::Exit(exit(link)), Message::Unlink(link)]).collect()
            })
        },
    },
    Fault {
        id: "ends-by-a-loss-are-told-as-noconnection",
        requirement: "PROC-61",
        description: "A process that the loss of a link has ended ends with noconnection itself.",
        make: || {
            ends(is_no_exit, |levels, root| if *root == Root::NoConnection { levels.saturating_sub(1) } else { levels })
        },
    },
    Fault {
        id: "losses-are-told-to-trapping-processes-twice",
        requirement: "PROC-61",
        description: "A process that traps exits is told the loss of a link twice.",
        make: || lost(twice, |event| matches!(event, Event::Exited { .. })),
    },
    Fault {
        id: "monitors-across-a-loss-are-silent",
        requirement: "PROC-62",
        description: "A watcher is told nothing when its monitor is lost.",
        make: || lost(|_, _| None, is_down),
    },
    Fault {
        id: "monitors-across-a-loss-fire-twice",
        requirement: "PROC-62",
        description: "A watcher is told twice that its monitor is lost.",
        make: || lost(twice, is_down),
    },
    Fault {
        id: "monitors-across-a-loss-are-told-as-noproc",
        requirement: "PROC-62",
        description: "A watcher whose monitor is lost is told that the process is dead.",
        make: || {
            let dead = |_: &mut Context<'_>, mut event| {
                if let Event::Down { reason, .. } = &mut event {
                    *reason = Reason::no_process();
                }
                Some(event)
            };
            lost(dead, is_down)
        },
    },
    Fault {
        id: "monitors-of-lost-peers-are-kept",
        requirement: "PROC-64",
        description: "Monitors that a peer held are told on its next session.",
        make: || {
            at_return(|context, ledger, peer| {
                let monitors = ledger.theirs.iter().filter(|((other, _), _)| other == peer);
                let alive = monitors.filter(|(_, monitor)| is_live(context, monitor.to));
                alive.map(|(_, monitor)| Message::Monitor(*monitor)).collect()
            })
        },
    },
    Fault {
        id: "links-of-lost-peers-are-kept",
        requirement: "PROC-64",
        description: "Links that were lost hold again on the peer's next session.",
        make: || {
            at_return(|context, ledger, peer| {
                links_with(ledger, peer).filter(|link| is_live(context, link.to)).map(Message::Link).collect()
            })
        },
    },
    Fault {
        id: "processes-end-with-their-session",
        requirement: "PROC-65",
        description: "Processes that a peer has spawned end when its session does.",
        make: || Box::new(Spawned::new(|_, event| matches!(event, Event::SessionClosed(..)))),
    },
    Fault {
        id: "processes-end-with-their-requesters-run",
        requirement: "PROC-65",
        description: "Processes that a peer has spawned end when it has come back with another creation.",
        make: || {
            Box::new(Spawned::new(|of, event| matches!(event, Event::SessionOpened(_, creation) if *creation != of)))
        },
    },
];

/// Whether an input is none with which a peer tells an end.
fn is_no_exit(input: &Input) -> bool {
    !matches!(input, Input::Frame(_, payload) if is(EXIT, payload) || is(MONITOR_EXIT, payload))
}

fn is_down(event: &Event) -> bool {
    matches!(event, Event::Down { .. })
}

fn twice(context: &mut Context<'_>, event: Event) -> Option<Event> {
    context.add_output(Output::Event(event.clone()));
    Some(event)
}

/// Changes what processes are told of lost links and monitors.
fn lost(edit: fn(&mut Context<'_>, Event) -> Option<Event>, concerns: fn(&Event) -> bool) -> Box<dyn Filter> {
    on_output_of(is_no_exit, move |context, output| match output {
        Output::Event(event) => {
            let is_lost = match &event {
                Event::Down { reason, .. } | Event::Exited { reason, .. } => *reason == Reason::no_connection(),
                _ => false,
            };
            if is_lost && concerns(&event) { edit(context, event) } else { Some(event) }.map(Output::Event)
        }
        output => Some(output),
    })
}

/// The links with processes of a peer, as it writes them.
fn links_with<'l>(ledger: &'l Ledger, peer: &'l NodeName) -> impl Iterator<Item = Link> + 'l {
    let links = ledger.links.iter().filter(move |(other, ..)| other == peer);
    links.map(|(_, theirs, ours)| Link { from: WirePid::own(*theirs), to: WirePid::own(*ours) })
}

/// Has messages come before the end of a session: of links, say, that it is not to find any more.
fn before_loss(messages: fn(&Ledger, &NodeName) -> Vec<Message<'static>>) -> Box<dyn Filter> {
    with_ledger(move |context, ledger, input| {
        let Input::Closed(conn) = input else { return Some(input) };
        let Some(peer) = payload::peer(context, conn) else { return Some(input) };
        let frames: Vec<_> = messages(ledger, &peer).iter().map(|message| frame(conn, message)).collect();
        in_order(context, frames.into_iter().chain([input]))
    })
}

/// Has messages come before the first one of each session with a peer that has been here before.
fn at_return(messages: fn(&Context<'_>, &Ledger, &NodeName) -> Vec<Message<'static>>) -> Box<dyn Filter> {
    let mut last = BTreeMap::new();
    with_ledger(move |context, ledger, input| {
        let Input::Frame(conn, _) = input else { return Some(input) };
        let Some(peer) = payload::peer(context, conn) else { return Some(input) };
        if last.insert(peer.clone(), conn).is_none_or(|before| before == conn) {
            return Some(input);
        }
        let frames: Vec<_> = messages(context, ledger, &peer).iter().map(|message| frame(conn, message)).collect();
        in_order(context, frames.into_iter().chain([input]))
    })
}

/// Ends processes that peers have spawned at some events of their sessions.
struct Spawned {
    /// Whether a process that was spawned in a run of its peer is ended by an event of the peer's sessions.
    is_end: fn(Creation, &Event) -> bool,
    spawned: Vec<(NodeName, Creation, LocalId)>,
}

impl Spawned {
    fn new(is_end: fn(Creation, &Event) -> bool) -> Self {
        Self { is_end, spawned: Vec::new() }
    }
}

impl Filter for Spawned {
    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Event(event) = &output
            && let Event::SessionOpened(peer, _) | Event::SessionClosed(peer, _) = event
        {
            let is_ended = |(of, creation, _): &mut (_, _, _)| of == peer && (self.is_end)(*creation, event);
            for (.., local) in self.spawned.extract_if(.., is_ended) {
                if let Some(pid) = own_pid(context, local) {
                    context.command(Command::Exit { pid, reason: Root::NoConnection.into() });
                }
            }
        }
        Some(output)
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if let Some(Message::SpawnReply(SpawnReply { status: SpawnReply::SPAWNED, local, .. })) = message(&payload)
            && let Some(view) = context.connection(conn)
            && let (Some(peer), Some(creation), Some(local)) = (view.peer, view.creation, LocalId::new(local))
        {
            self.spawned.push((peer, creation, local));
        }
        Some(payload)
    }
}
