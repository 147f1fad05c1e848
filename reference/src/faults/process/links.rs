//! Faults of how links come, go, and tell ends.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        cause::on_output_of,
        filter::{Context, Filter},
        payload,
        single::on_input,
        table::Fault,
        told::{is_own, untold},
    },
    edit::{coming, is, is_live, message, sent_twice, unread, unsent},
    ledger::{Arrived, frame, instead, session},
    monitors::OneEach,
};
use crate::{
    node::{Answer, Command, ConnId, Event, Input, Output},
    wire::{
        LocalId, Message, NodeId, Payload, WirePid,
        process::{EXIT, LINK, Link, Monitor, UNLINK},
        reason::Root,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault { id: "links-are-not-read", requirement: "PROC-39", description: "LINK is ignored.", make: || unread(LINK) },
    Fault {
        id: "exits-are-sent-twice",
        requirement: "PROC-39",
        description: "EXIT is sent twice.",
        make: || sent_twice(EXIT),
    },
    Fault {
        id: "links-are-counted",
        requirement: "PROC-39",
        description: "A link that was made several times over is told as often.",
        make: || Box::new(Counted::default()),
    },
    Fault {
        id: "links-to-the-dead-are-silent",
        requirement: "PROC-40",
        description: "LINK to a process that is not alive is not answered.",
        make: || {
            coming(|context, _, message| match message {
                Message::Link(link) if !is_live(context, link.to) => None,
                message => Some(message),
            })
        },
    },
    Fault {
        id: "exits-need-no-link",
        requirement: "PROC-41",
        description: "An EXIT counts whether there is a link or not.",
        make: || {
            instead(|context, ledger, arrived| {
                let Message::Exit(exit) = &arrived.message else { return None };
                let has_link = ledger.has_link(&arrived.peer, exit.from.local, exit.to.local);
                if has_link || exit.from.node != NodeId::OWN || !is_live(context, exit.to) {
                    return None;
                }
                let link = Message::Link(Link { from: exit.from, to: exit.to });
                Some(vec![frame(arrived.conn, &link), frame(arrived.conn, &arrived.message)])
            })
        },
    },
    Fault {
        id: "links-are-known-by-local-ids",
        requirement: "PROC-41",
        description: "An EXIT counts for the link of any peer that has its local ids.",
        make: || {
            instead(|context, ledger, arrived| {
                let Message::Exit(exit) = &arrived.message else { return None };
                let (theirs, ours) = (exit.from.local, exit.to.local);
                if ledger.has_link(&arrived.peer, theirs, ours) {
                    return None;
                }
                let (peer, ..) = ledger.links.iter().find(|link| (link.1, link.2) == (theirs, ours))?;
                Some(vec![frame(session(context, peer)?, &arrived.message)])
            })
        },
    },
    Fault {
        id: "unlinks-are-not-read",
        requirement: "PROC-47",
        description: "UNLINK is ignored.",
        make: || unread(UNLINK),
    },
    Fault {
        id: "unlink-undoes-all-links-of-its-process",
        requirement: "PROC-47",
        description: "UNLINK undoes all links that its process has with peers.",
        make: || {
            instead(|context, ledger, arrived| {
                let Message::Unlink(Link { from, to }) = arrived.message else { return None };
                if !ledger.has_link(&arrived.peer, from.local, to.local) {
                    return None;
                }
                let all = ledger.links.iter().filter(|(.., ours)| *ours == to.local);
                let unlinks = all.filter_map(|(peer, theirs, _)| {
                    let unlink = Message::Unlink(Link { from: WirePid::own(*theirs), to });
                    Some(frame(session(context, peer)?, &unlink))
                });
                Some(unlinks.collect())
            })
        },
    },
    Fault {
        id: "unlinked-processes-are-told-still",
        requirement: "PROC-47",
        description: "After UNLINK an EXIT is ignored, but the end of the process is still told to the peer's.",
        make: half_undone,
    },
    Fault {
        id: "links-go-out-twice",
        requirement: "PROC-51",
        description: "Linking a local process to one on another node sends LINK twice.",
        make: || {
            let is_link = |input: &Input| matches!(input, Input::Command(_, Command::Link { .. }));
            on_output_of(is_link, |context, output| {
                if let Output::Send(conn, payload) = &output
                    && is(LINK, payload)
                {
                    context.send(*conn, payload.clone());
                }
                Some(output)
            })
        },
    },
    Fault {
        id: "unlinks-are-not-sent",
        requirement: "PROC-51",
        description: "Unlinking is not told to the other node.",
        make: || unsent(|message| matches!(message, Message::Unlink(_))),
    },
    Fault {
        id: "exits-are-one-a-peer",
        requirement: "PROC-52",
        description: "When a process ends that is linked to several processes of one node, one EXIT goes to that node.",
        make: || Box::new(OneEach::new(|message| matches!(message, Message::Exit(_)))),
    },
    Fault {
        id: "normal-ends-are-not-told-to-links",
        requirement: "PROC-52",
        description: "EXIT is not sent of a process that ends normally.",
        make: || unsent(|message| matches!(message, Message::Exit(exit) if exit.reason == Root::Normal.into())),
    },
    Fault {
        id: "local-links-go-out",
        requirement: "PROC-53",
        description: "LINK of two processes of the node goes out on every session.",
        make: || {
            locally(|context, _, pid, other| {
                let link = Link { from: WirePid::own(pid), to: WirePid::own(other) };
                to_all(context, &Message::Link(link));
                true
            })
        },
    },
    Fault {
        id: "local-links-do-not-join",
        requirement: "PROC-53",
        description: "Linking two processes of the node does nothing.",
        make: || {
            locally(|context, input, _, _| {
                if let Input::Command(token, _) = input {
                    context.add_output(Output::Reply(*token, Ok(Answer::Done)));
                }
                false
            })
        },
    },
    Fault {
        id: "local-monitors-go-out",
        requirement: "PROC-53",
        description: "MONITOR of a process of the node itself goes out on every session.",
        make: || {
            on_input(|context, input| {
                if let Input::Command(_, Command::Monitor { pid, target }) = &input
                    && is_own(context, target)
                {
                    let (from, to) = (WirePid::own(pid.local), WirePid::own(target.local));
                    to_all(context, &Message::Monitor(Monitor { from, to, reference: u64::MAX }));
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "local-monitors-do-not-fire",
        requirement: "PROC-53",
        description: "A watcher is told nothing of the end of a process of its own node.",
        make: || untold(|context, event| matches!(event, Event::Down { from, .. } if is_own(context, from))),
    },
];

/// Hands `hook` each linking of two processes of the node; it says whether the node is told.
fn locally(hook: fn(&mut Context<'_>, &Input, LocalId, LocalId) -> bool) -> Box<dyn Filter> {
    on_input(move |context, input| {
        let pair = match &input {
            Input::Command(_, Command::Link { pid, to }) if is_own(context, to) => Some((pid.local, to.local)),
            _ => None,
        };
        let passes = pair.is_none_or(|(pid, to)| hook(context, &input, pid, to));
        passes.then_some(input)
    })
}

fn to_all(context: &mut Context<'_>, message: &Message<'_>) {
    for (conn, _) in context.sessions() {
        context.send(conn, payload::encode(message));
    }
}

/// Counts LINKs, in both directions, by session and both ends, the peer's first.
#[derive(Default)]
struct Counted {
    counts: BTreeMap<(ConnId, LocalId, LocalId), u32>,
}

impl Filter for Counted {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        match message(&payload) {
            Some(Message::Link(link)) => {
                *self.counts.entry((conn, link.from.local, link.to.local)).or_default() += 1;
            }
            Some(Message::Unlink(link)) => _ = self.counts.remove(&(conn, link.from.local, link.to.local)),
            _ => {}
        }
        Some(payload)
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        match message(&payload) {
            Some(Message::Link(link)) => {
                *self.counts.entry((conn, link.to.local, link.from.local)).or_default() += 1;
            }
            Some(Message::Exit(exit)) => {
                let count = self.counts.remove(&(conn, exit.to.local, exit.from.local)).unwrap_or_default();
                (1..count).for_each(|_| context.send(conn, payload.clone()));
            }
            _ => {}
        }
        Some(payload)
    }
}

/// Leaves links that peers undo as they are, but for EXITs that come over them.
fn half_undone() -> Box<dyn Filter> {
    let mut undone = BTreeSet::new();
    instead(move |_, _, Arrived { peer, message, .. }| {
        let is_ignored = match message {
            Message::Unlink(link) => {
                undone.insert((peer.clone(), link.from.local, link.to.local));
                true
            }
            Message::Link(link) => {
                undone.remove(&(peer.clone(), link.from.local, link.to.local));
                false
            }
            Message::Exit(exit) => undone.contains(&(peer.clone(), exit.from.local, exit.to.local)),
            _ => false,
        };
        is_ignored.then(Vec::new)
    })
}
