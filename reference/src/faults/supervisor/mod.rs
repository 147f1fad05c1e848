//! Faults of supervisors: what they are told at their start, what they hear of their children and say to them.

mod pending;
mod plan;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::{
    filter::{Context, Filter, NOBODY},
    payload,
    process::edit::{coming, going, message},
    single::{on_frame_out, on_input, on_output},
    table::Fault,
};
use crate::{
    node::{Answer, Command, ConnId, Event, GlobalPid, Input, Output, Reason, Restart, Settings, Strategy, Token},
    wire::{
        self, LocalId, Message, NodeName, Payload, WirePid,
        process::{Exit, Link, Spawn, SpawnReply},
        reason::Root,
    },
};

pub(super) const TABLES: [&[Fault]; 3] = [FAULTS, pending::FAULTS, plan::FAULTS];

const FAULTS: &[Fault] = &[
    Fault {
        id: "children-are-not-linked",
        requirement: "SUP-1",
        description: "A supervisor's SPAWN has link 0.",
        make: || spawns(|spawn| spawn.link = 0),
    },
    Fault {
        id: "children-have-another-requester",
        requirement: "SUP-1",
        description: "The requester of a SPAWN is the process behind the supervisor.",
        make: || spawns(|spawn| spawn.requester = WirePid::own(spawn.requester.local.next())),
    },
    Fault {
        id: "children-are-asked-for-at-once",
        requirement: "SUP-2",
        description: "A supervisor does not wait for one child before it asks for the next.",
        make: || {
            on_frame_out(|context, conn, payload| {
                if let Some(Message::Spawn(Spawn { request, link: 1, .. })) = message(&payload) {
                    let reply = SpawnReply { request, status: SpawnReply::SPAWNED, local: FAR + request };
                    inject(context, conn, &Message::SpawnReply(reply));
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "refused-children-are-started",
        requirement: "SUP-3",
        description: "A supervisor takes a refused child for a started one.",
        make: || {
            coming(|_, _, message| match message {
                Message::SpawnReply(reply) if reply.status != SpawnReply::SPAWNED => {
                    Some(Message::SpawnReply(SpawnReply { status: SpawnReply::SPAWNED, local: FAR, ..reply }))
                }
                message => Some(message),
            })
        },
    },
    Fault {
        id: "failed-starts-leave-children",
        requirement: "SUP-3",
        description: "A supervisor whose start fails leaves the children that were started.",
        make: || Box::new(Left { leaves: false, when: Occasion::RefusedStart }),
    },
    Fault {
        id: "simple-one-for-one-starts-one",
        requirement: "SUP-4",
        description: "A simple_one_for_one supervisor starts a child at once.",
        make: || Box::new(StartsOne::default()),
    },
    Fault {
        id: "permanent-children-may-end-normal",
        requirement: "SUP-5",
        description: "A permanent child that ends normal or shutdown is not restarted.",
        make: || restarts(Restart::Permanent, Restart::Transient),
    },
    Fault {
        id: "transient-children-always-restart",
        requirement: "SUP-6",
        description: "A transient child is restarted whenever it ends.",
        make: || restarts(Restart::Transient, Restart::Permanent),
    },
    Fault {
        id: "transient-children-never-restart",
        requirement: "SUP-6",
        description: "A transient child is never restarted.",
        make: || restarts(Restart::Transient, Restart::Temporary),
    },
    Fault {
        id: "temporary-children-restart-after-crashes",
        requirement: "SUP-7",
        description: "A temporary child that crashes is restarted.",
        make: || restarts(Restart::Temporary, Restart::Transient),
    },
    Fault {
        id: "temporary-children-always-restart",
        requirement: "SUP-7",
        description: "A temporary child is restarted whenever it ends.",
        make: || restarts(Restart::Temporary, Restart::Permanent),
    },
    Fault {
        id: "restarted-children-lose-their-args",
        requirement: "SUP-8",
        description: "A child is restarted without its argument bytes.",
        make: || Box::new(Argless::default()),
    },
    Fault {
        id: "one-for-one-restarts-all",
        requirement: "SUP-9",
        description: "The strategy one_for_one does what one_for_all does.",
        make: || strategies(Strategy::OneForOne, Strategy::OneForAll),
    },
    Fault {
        id: "one-for-one-restarts-the-rest",
        requirement: "SUP-9",
        description: "The strategy one_for_one does what rest_for_one does.",
        make: || strategies(Strategy::OneForOne, Strategy::RestForOne),
    },
    Fault {
        id: "one-for-all-restarts-one",
        requirement: "SUP-10",
        description: "The strategy one_for_all does what one_for_one does.",
        make: || strategies(Strategy::OneForAll, Strategy::OneForOne),
    },
    Fault {
        id: "one-for-all-restarts-the-rest",
        requirement: "SUP-10",
        description: "The strategy one_for_all does what rest_for_one does.",
        make: || strategies(Strategy::OneForAll, Strategy::RestForOne),
    },
    Fault {
        id: "rest-for-one-restarts-one",
        requirement: "SUP-11",
        description: "The strategy rest_for_one does what one_for_one does.",
        make: || strategies(Strategy::RestForOne, Strategy::OneForOne),
    },
    Fault {
        id: "rest-for-one-restarts-all",
        requirement: "SUP-11",
        description: "The strategy rest_for_one does what one_for_all does.",
        make: || strategies(Strategy::RestForOne, Strategy::OneForAll),
    },
    Fault {
        id: "lost-children-stay-lost",
        requirement: "SUP-13",
        description: "A child that was lost with its node is not started again.",
        make: || Box::new(AtReturn { lost: BTreeSet::new(), act: |_, _, _| false }),
    },
    Fault {
        id: "lost-children-come-back-twice",
        requirement: "SUP-13",
        description: "A child that was lost with its node is started twice at the node's return.",
        make: || {
            Box::new(AtReturn {
                lost: BTreeSet::new(),
                act: |context, conn, spawn| {
                    let again = Spawn { request: spawn.request | FAR, ..spawn };
                    context.send(conn, payload::encode(&Message::Spawn(again)));
                    true
                },
            })
        },
    },
    Fault {
        id: "one-restart-too-few",
        requirement: "SUP-14",
        description: "A supervisor makes one restart less than max_restarts.",
        make: || settings(|settings| settings.max_restarts = settings.max_restarts.saturating_sub(1)),
    },
    Fault {
        id: "restarts-count-for-ever",
        requirement: "SUP-14",
        description: "Restarts count however long ago they were.",
        make: || settings(|settings| settings.period = Duration::from_secs(86_400)),
    },
    Fault {
        id: "one-restart-too-many",
        requirement: "SUP-15",
        description: "A supervisor makes one restart more than max_restarts.",
        make: || settings(|settings| settings.max_restarts += 1),
    },
    Fault {
        id: "intensity-ends-with-an-error",
        requirement: "SUP-15",
        description: "A supervisor that has had too many restarts ends with an error.",
        make: || Box::new(Ending { live: BTreeMap::new(), asked: BTreeSet::new(), after_stop: false }),
    },
    Fault {
        id: "children-are-killed-at-once",
        requirement: "SUP-16",
        description: "A child is stopped by EXIT with the reason killed.",
        make: || exits(|reason| if *reason == wire::Reason::from(Root::Shutdown) { Some(Root::Killed) } else { None }),
    },
    Fault {
        id: "stubborn-children-are-left",
        requirement: "SUP-17",
        description: "A child whose end is not heard is not sent EXIT killed.",
        make: || {
            going(|_, _, message| match message {
                Message::Exit(exit) if exit.reason == wire::Reason::from(Root::Killed) => None,
                message => Some(message),
            })
        },
    },
    Fault {
        id: "children-have-one-second",
        requirement: "SUP-17",
        description: "A child whose end is not heard is sent EXIT killed after a second.",
        make: || Box::new(Impatient::default()),
    },
    Fault {
        id: "children-are-stopped-at-once",
        requirement: "SUP-18",
        description: "A supervisor does not wait for the end of one child before it stops the next.",
        make: || {
            on_frame_out(|context, conn, payload| {
                if let Some(Message::Exit(exit)) = message(&payload)
                    && exit.reason == wire::Reason::from(Root::Shutdown)
                {
                    inject(context, conn, &end_of_child(&exit));
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "stopping-leaves-children",
        requirement: "SUP-19",
        description: "A supervisor that is stopped leaves its children.",
        make: || Box::new(Left { leaves: false, when: Occasion::Stop }),
    },
    Fault {
        id: "stopped-supervisors-end-normal",
        requirement: "SUP-19",
        description: "A supervisor that is stopped ends with the reason normal.",
        make: || Box::new(Ending { live: BTreeMap::new(), asked: BTreeSet::new(), after_stop: true }),
    },
    Fault {
        id: "children-are-listed-in-reverse",
        requirement: "SUP-20",
        description: "A supervisor lists its last child first.",
        make: || {
            on_output(|_, mut output| {
                if let Output::Reply(_, Ok(Answer::Children(children))) = &mut output {
                    children.reverse();
                }
                Some(output)
            })
        },
    },
    Fault {
        id: "ended-children-keep-their-pid",
        requirement: "SUP-20",
        description: "A child that does not run is listed with the PID that it had.",
        make: || {
            let mut last: BTreeMap<String, GlobalPid> = BTreeMap::new();
            on_output(move |_, mut output| {
                if let Output::Reply(_, Ok(Answer::Children(children))) = &mut output {
                    for (id, pid) in children {
                        match pid {
                            Some(pid) => drop(last.insert(id.clone(), pid.clone())),
                            None => *pid = last.get(id).cloned(),
                        }
                    }
                }
                Some(output)
            })
        },
    },
];

/// Local ids and requests that no case comes to.
const FAR: u64 = 1 << 39;

/// Changes what a supervisor is told at its start.
fn settings(edit: impl Fn(&mut Settings) + 'static) -> Box<dyn Filter> {
    on_input(move |_, mut input| {
        if let Input::Command(_, Command::StartSupervisor(settings)) = &mut input {
            edit(settings);
        }
        Some(input)
    })
}

fn restarts(from: Restart, to: Restart) -> Box<dyn Filter> {
    settings(move |settings| {
        settings.children.iter_mut().filter(|child| child.restart == from).for_each(|child| child.restart = to);
    })
}

fn strategies(from: Strategy, to: Strategy) -> Box<dyn Filter> {
    settings(move |settings| {
        if settings.strategy == from {
            settings.strategy = to;
        }
    })
}

/// Changes the SPAWNs with a link that go out.
fn spawns(edit: fn(&mut Spawn<'_>)) -> Box<dyn Filter> {
    going(move |_, _, mut message| {
        if let Message::Spawn(spawn) = &mut message
            && spawn.link == 1
        {
            edit(spawn);
        }
        Some(message)
    })
}

/// Changes the reasons of EXITs that go out.
fn exits(edit: fn(&wire::Reason) -> Option<Root>) -> Box<dyn Filter> {
    going(move |_, _, mut message| {
        if let Message::Exit(exit) = &mut message
            && let Some(root) = edit(&exit.reason)
        {
            exit.reason = root.into();
        }
        Some(message)
    })
}

/// Has the node read a message as if it had come.
fn inject(context: &mut Context<'_>, conn: ConnId, message: &Message<'_>) {
    context.add_input(Input::Frame(conn, payload::encode(message)));
}

/// Answers a SPAWN with link 1 as the node would that it is for; returns whom it tells of.
fn answer(context: &mut Context<'_>, conn: ConnId, request: u64, requester: WirePid) -> Option<WirePid> {
    let from = WirePid::own(LocalId::new(FAR + request)?);
    inject(context, conn, &Message::Link(Link { from, to: requester }));
    let reply = SpawnReply { request, status: SpawnReply::SPAWNED, local: from.local.get() };
    inject(context, conn, &Message::SpawnReply(reply));
    Some(from)
}

/// What a child would say that obeyed this EXIT.
fn end_of_child(order: &Exit) -> Message<'static> {
    let (from, to) = (WirePid::own(order.to.local), WirePid::own(order.from.local));
    Message::Exit(Exit { from, to, reason: order.reason.clone() })
}

/// What makes a supervisor leave its children.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    RefusedStart,
    Stop,
}

/// Keeps orders to end from children, and tells the node that they have been obeyed.
struct Left {
    leaves: bool,
    when: Occasion,
}

impl Filter for Left {
    fn frame_in(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let is_refusal =
            matches!(message(&payload), Some(Message::SpawnReply(reply)) if reply.status != SpawnReply::SPAWNED);
        self.leaves |= self.when == Occasion::RefusedStart && is_refusal;
        Some(payload)
    }

    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.leaves |= self.when == Occasion::Stop && matches!(input, Input::Command(_, Command::StopSupervisor(_)));
        Some(input)
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if self.leaves
            && let Some(Message::Exit(exit)) = message(&payload)
            && exit.reason == wire::Reason::from(Root::Shutdown)
        {
            inject(context, conn, &end_of_child(&exit));
            return None;
        }
        Some(payload)
    }
}

/// Knows the starts of simple_one_for_one supervisors.
#[derive(Default)]
struct StartsOne {
    starting: BTreeSet<Token>,
}

impl Filter for StartsOne {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Command(token, Command::StartSupervisor(settings)) = &input
            && settings.strategy == Strategy::SimpleOneForOne
        {
            self.starting.insert(*token);
        }
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Reply(token, Ok(Answer::Pid(Some(pid)))) = &output
            && self.starting.remove(token)
        {
            context.command(Command::StartChild { supervisor: pid.clone(), args: None });
        }
        Some(output)
    }
}

/// Knows the children that were asked for.
#[derive(Default)]
struct Argless {
    asked: BTreeSet<(LocalId, Vec<u8>, Vec<u8>)>,
}

impl Filter for Argless {
    fn frame_out(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Payload) -> Option<Payload> {
        if let Some(Message::Spawn(spawn)) = message(&payload)
            && !self.asked.insert((spawn.requester.local, spawn.function.to_vec(), spawn.args.to_vec()))
        {
            return Some(payload::encode(&Message::Spawn(Spawn { args: &[], ..spawn })).into());
        }
        Some(payload)
    }
}

/// Does something about SPAWNs to nodes that have been lost before; false: they are not sent.
struct AtReturn {
    lost: BTreeSet<NodeName>,
    act: fn(&mut Context<'_>, ConnId, Spawn<'_>) -> bool,
}

impl Filter for AtReturn {
    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Event(Event::SessionClosed(peer, _)) = &output {
            self.lost.insert(peer.clone());
        }
        Some(output)
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if let Some(Message::Spawn(spawn)) = message(&payload)
            && payload::peer(context, conn).is_some_and(|peer| self.lost.contains(&peer))
            && !(self.act)(context, conn, spawn)
        {
            return None;
        }
        Some(payload)
    }
}

/// Tells another reason of the ends of supervisors: of those that were stopped, or of the others.
struct Ending {
    live: BTreeMap<LocalId, GlobalPid>,
    asked: BTreeSet<Token>,
    after_stop: bool,
}

impl Filter for Ending {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        match &input {
            Input::Command(token, Command::StartSupervisor(_)) if *token != NOBODY => drop(self.asked.insert(*token)),
            Input::Command(_, Command::StopSupervisor(pid)) if !self.after_stop => drop(self.live.remove(&pid.local)),
            _ => {}
        }
        Some(input)
    }

    fn output(&mut self, _context: &mut Context<'_>, mut output: Output) -> Option<Output> {
        match &mut output {
            Output::Reply(token, Ok(Answer::Pid(Some(pid)))) if self.asked.remove(token) => {
                self.live.insert(pid.local, pid.clone());
            }
            Output::Event(Event::ProcessEnded { pid, reason }) if self.live.remove(&pid.local).is_some() => {
                *reason = if self.after_stop { Reason::from(Root::Normal) } else { Reason::error("too many restarts") };
            }
            _ => {}
        }
        Some(output)
    }
}

/// Knows the children that were told to end, and until when.
#[derive(Default)]
struct Impatient {
    told: Vec<(Instant, ConnId, Exit)>,
}

impl Filter for Impatient {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(Message::Exit(exit)) = message(&payload) {
            self.told.retain(|(_, told, order)| *told != conn || order.to.local != exit.from.local);
        }
        Some(payload)
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if let Some(Message::Exit(exit)) = message(&payload)
            && exit.reason == wire::Reason::from(Root::Shutdown)
        {
            self.told.push((context.now + Duration::from_secs(1), conn, exit));
        }
        Some(payload)
    }

    fn wake(&self) -> Option<Instant> {
        self.told.iter().map(|(due, ..)| *due).min()
    }

    fn awake(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        for (_, conn, order) in self.told.extract_if(.., |(due, ..)| *due <= now) {
            let order = Exit { reason: wire::Reason::from(Root::Killed), ..order };
            context.send(conn, payload::encode(&Message::Exit(order)));
        }
    }
}
