//! Faults of what an EXIT does to a process.

use super::{
    super::{
        cause::on_output_of,
        filter::{Context, Filter, NOBODY},
        single::on_input,
        table::Fault,
        told::untold,
    },
    edit::{is, message, own_pid, peers_pid, unsent},
    ends::ends,
    ledger::{Arrived, frame, instead, session, with_ledger},
};
use crate::{
    node::{Answer, Command, ConnId, Event, GlobalPid, Input, Output, ShownPid},
    wire::{
        LocalId, Message, NodeName, Payload, Reason, WirePid,
        process::{EXIT, Exit, Link},
        reason::Root,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "normal-exits-end-linked-processes",
        requirement: "PROC-42",
        description: "An EXIT with the reason normal ends a linked process that does not trap exits.",
        make: || fatal(Root::Normal),
    },
    Fault {
        id: "shutdown-ends-linked-processes",
        requirement: "PROC-42",
        description: "An EXIT with the reason shutdown ends any linked process that does not trap exits.",
        make: || fatal(Root::Shutdown),
    },
    Fault {
        id: "normal-exits-are-not-delivered",
        requirement: "PROC-42",
        description: "A linked process is told nothing of an EXIT with the reason normal.",
        make: || untold(|_, event| matches!(event, Event::Exited { reason, .. } if *reason == Root::Normal.into())),
    },
    Fault {
        id: "linked-processes-outlive-crashes",
        requirement: "PROC-43",
        description: "An EXIT with a crash is delivered as a message to a linked process that does not trap exits.",
        make: || survived(|reason| !reason.linked.is_empty() || !matches!(reason.root, Root::Normal | Root::Shutdown)),
    },
    Fault {
        id: "ends-by-a-link-lose-their-sender",
        requirement: "PROC-43",
        description: "A process that a link has ended ends with the link's reason as it is.",
        make: || ends(|_| true, |_, _| 0),
    },
    Fault {
        id: "killed-is-killed-over-any-link",
        requirement: "PROC-43",
        description: "An EXIT with the reason killed ends a linked process as killed, whoever sends it.",
        make: || ends(|_| true, |levels, root| if *root == Root::Killed && levels == 1 { 0 } else { levels }),
    },
    Fault {
        id: "traps-are-not-set",
        requirement: "PROC-44",
        description: "No process ever traps exits.",
        make: || {
            on_input(|_, mut input| {
                if let Input::Command(_, Command::TrapExit { enabled, .. }) = &mut input {
                    *enabled = false;
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "trapped-exits-are-not-delivered",
        requirement: "PROC-44",
        description: "A process that traps exits is told nothing of an EXIT with a crash.",
        make: || {
            untold(|_, event| match event {
                Event::Exited { reason, .. } => !matches!(reason.plain(), Some(Root::Normal | Root::Shutdown)),
                _ => false,
            })
        },
    },
    Fault {
        id: "ends-by-a-link-are-not-told-to-links",
        requirement: "PROC-45",
        description: "A process that a link has ended is not told to its other links on other nodes.",
        make: || unsent(|message| matches!(message, Message::Exit(exit) if !exit.reason.linked.is_empty())),
    },
    Fault {
        id: "ends-by-a-link-are-not-told-to-monitors",
        requirement: "PROC-45",
        description: "A process that a link has ended is not told to its monitors on other nodes.",
        make: || unsent(|message| matches!(message, Message::MonitorExit(exit) if !exit.reason.linked.is_empty())),
    },
    Fault {
        id: "ends-by-a-link-are-killed",
        requirement: "PROC-45",
        description: "A process that a link has ended is told to others with the reason killed.",
        make: || {
            ends(
                |_| true,
                |levels, root| {
                    if levels > 0 {
                        *root = Root::Killed;
                    }
                    0
                },
            )
        },
    },
    Fault {
        id: "links-outlive-exits",
        requirement: "PROC-46",
        description: "An EXIT that a process lives through leaves the link.",
        make: || delivered(Message::Link),
    },
    Fault {
        id: "parents-exits-undo-the-link",
        requirement: "PROC-46",
        description: "An EXIT undoes the link, even if it comes from the parent and is trapped.",
        make: || delivered(Message::Unlink),
    },
    Fault {
        id: "kills-are-trapped",
        requirement: "PROC-48",
        description: "A local request to kill is delivered as a message to a process that traps exits.",
        make: || {
            with_ledger(|context, ledger, input| {
                if let Input::Command(token, Command::Exit { pid, reason }) = &input
                    && *token != NOBODY
                    && ledger.trapping.contains(&pid.local)
                    && *reason == Root::Killed.into()
                {
                    let (from, pid) = (pid.clone(), pid.clone());
                    context.add_output(Output::Event(Event::Exited { pid, from, reason: Root::Killed.into() }));
                    context.add_output(Output::Reply(*token, Ok(Answer::Done)));
                    return None;
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "kills-are-crashes",
        requirement: "PROC-48",
        description: "A local request to kill ends a process with the reason error `killed`.",
        make: || {
            on_input(|_, mut input| {
                if let Input::Command(_, Command::Exit { reason, .. }) = &mut input
                    && *reason == Root::Killed.into()
                {
                    reason.root = Root::Error("killed".into());
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "parents-shutdown-is-a-message",
        requirement: "PROC-49",
        description: "A parent's EXIT with the reason shutdown is delivered as a message to a child that does not trap exits.",
        make: || survived(|reason| *reason == Root::Shutdown.into()),
    },
    Fault {
        id: "parents-kill-is-trapped",
        requirement: "PROC-49",
        description: "A parent's EXIT with the reason killed is delivered as a message to a child that traps exits.",
        make: || {
            instead(|context, ledger, arrived| {
                let exit = exit_of(arrived).filter(|exit| exit.reason == Root::Killed.into())?;
                let (theirs, ours) = (exit.from.local, exit.to.local);
                if !ledger.trapping.contains(&ours) || !ledger.is_parent(&arrived.peer, theirs, ours) {
                    return None;
                }
                let (pid, from) = (own_pid(context, ours)?, peers_pid(context, arrived.conn, theirs)?);
                context.add_output(Output::Event(Event::Exited { pid, from, reason: Root::Killed.into() }));
                Some(Vec::new())
            })
        },
    },
    Fault {
        id: "parents-orders-are-told-as-linked",
        requirement: "PROC-49",
        description: "A child that its parent's shutdown has ended is told as one that a link has ended.",
        make: || {
            instead(|context, ledger, arrived| {
                let exit = exit_of(arrived).filter(|exit| exit.reason == Root::Shutdown.into())?;
                let (theirs, ours) = (exit.from.local, exit.to.local);
                let is_order = ledger.is_parent(&arrived.peer, theirs, ours) && !ledger.trapping.contains(&ours);
                is_order.then(|| ended_by(context, arrived.conn, exit).into_iter().collect())
            })
        },
    },
    Fault {
        id: "children-end-silently-after-their-parents-exit",
        requirement: "PROC-50",
        description: "A process that an EXIT has ended is not told back to the EXIT's sender, even if that is its parent.",
        make: || told_back(0),
    },
    Fault {
        id: "children-tell-their-parents-exit-twice",
        requirement: "PROC-50",
        description: "A process that its parent's EXIT has ended is told to the parent twice.",
        make: || told_back(2),
    },
];

fn exit_of<'m>(arrived: &'m Arrived<'_>) -> Option<&'m Exit> {
    match &arrived.message {
        Message::Exit(exit) => Some(exit),
        _ => None,
    }
}

/// Has the process that an EXIT is for end by it, as one that a link ends.
fn ended_by(context: &Context<'_>, conn: ConnId, exit: &Exit) -> Option<Input> {
    let GlobalPid { node, creation, local } = peers_pid(context, conn, exit.from.local)?;
    let from = ShownPid { node: Some(node), creation, local };
    let reason = Reason { linked: vec![from], root: exit.reason.root.clone() };
    Some(Input::Command(NOBODY, Command::Exit { pid: own_pid(context, exit.to.local)?, reason }))
}

/// Has EXITs with this reason end linked processes that do not trap exits, parents' orders as they do anyhow.
fn fatal(root: Root) -> Box<dyn Filter> {
    instead(move |context, ledger, arrived| {
        let exit = exit_of(arrived).filter(|exit| exit.reason == root.clone().into())?;
        let (theirs, ours) = (exit.from.local, exit.to.local);
        let is_order = root == Root::Shutdown && ledger.is_parent(&arrived.peer, theirs, ours);
        if is_order || ledger.trapping.contains(&ours) || !ledger.has_link(&arrived.peer, theirs, ours) {
            return None;
        }
        let unlink = Message::Unlink(Link { from: exit.from, to: exit.to });
        Some(vec![frame(arrived.conn, &unlink), ended_by(context, arrived.conn, exit)?])
    })
}

/// Has processes trap EXITs with some reasons that they do not trap.
fn survived(is_it: fn(&Reason) -> bool) -> Box<dyn Filter> {
    instead(move |context, ledger, arrived| {
        let exit = exit_of(arrived).filter(|exit| is_it(&exit.reason))?;
        if ledger.trapping.contains(&exit.to.local) {
            return None;
        }
        let pid = own_pid(context, exit.to.local)?;
        let trap = |enabled| Input::Command(NOBODY, Command::TrapExit { pid: pid.clone(), enabled });
        Some(vec![trap(true), frame(arrived.conn, &arrived.message), trap(false)])
    })
}

fn is_exit(input: &Input) -> bool {
    matches!(input, Input::Frame(_, payload) if is(EXIT, payload))
}

/// Behind each EXIT that was delivered as a message, has one more message come over its link.
fn delivered(message: fn(Link) -> Message<'static>) -> Box<dyn Filter> {
    on_output_of(is_exit, move |context, output| {
        if let Output::Event(Event::Exited { pid, from, .. }) = &output
            && let Ok(peer) = NodeName::parse(&from.node)
            && let Some(conn) = session(context, &peer)
        {
            let link = Link { from: WirePid::own(from.local), to: WirePid::own(pid.local) };
            context.add_input(frame(conn, &message(link)));
        }
        Some(output)
    })
}

/// Sends the EXIT with which a process answers another's so many times.
fn told_back(times: usize) -> Box<dyn Filter> {
    Box::new(ToldBack { times, cause: None })
}

struct ToldBack {
    times: usize,
    /// Where the last EXIT came from: the session, the sender and the process.
    cause: Option<(ConnId, LocalId, LocalId)>,
}

impl Filter for ToldBack {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.cause = match &input {
            Input::Frame(conn, payload) => match message(payload) {
                Some(Message::Exit(exit)) => Some((*conn, exit.from.local, exit.to.local)),
                _ => None,
            },
            _ => None,
        };
        Some(input)
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        match message(&payload) {
            Some(Message::Exit(exit)) if self.cause == Some((conn, exit.to.local, exit.from.local)) => {
                (0..self.times).for_each(|_| context.send(conn, payload.clone()));
                None
            }
            _ => Some(payload),
        }
    }
}
