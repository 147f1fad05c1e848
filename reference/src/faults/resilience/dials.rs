//! Faults of dials that lists cause (RES-2, RES-3).

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use crate::{
    faults::{
        filter::{Context, Filter},
        payload::names,
        table::Fault,
    },
    node::{Command, ConnId, Event, Output},
    wire::NodeName,
};

/// Dials under way at once, as MEM-13 has it.
const AT_ONCE: usize = 8;

/// How often a name is tried again: the machine has other things to do.
const TRIES: usize = 3;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "a-failed-dial-is-tried-again-at-once",
        requirement: "RES-2",
        description: "A listed name whose dial has failed is dialled again at once, three times.",
        make: || again(|event| matches!(event, Event::DialFailed(..)), Duration::ZERO),
    },
    Fault {
        id: "a-failed-dial-is-tried-again-in-a-second",
        requirement: "RES-2",
        description: "A listed name whose dial has failed is dialled again a second later, three times.",
        make: || again(|event| matches!(event, Event::DialFailed(..)), Duration::from_secs(1)),
    },
    Fault {
        id: "a-listed-node-that-has-left-is-dialled-again",
        requirement: "RES-2",
        description: "A listed node whose session has ended is dialled again half a second later.",
        make: || again(|event| matches!(event, Event::SessionClosed(..)), Duration::from_millis(500)),
    },
    Fault {
        id: "lists-cause-dials-without-bound",
        requirement: "RES-3",
        description: "All names of all lists are dialled, eight at once, as fast as they fail.",
        make: || unbounded(usize::MAX),
    },
    Fault {
        id: "each-list-has-its-own-bound",
        requirement: "RES-3",
        description: "At most 256 names of each list are dialled, however many lists there are.",
        make: || unbounded(256),
    },
];

/// Dials listed names again when `is_cause` has happened to them.
fn again(is_cause: fn(&Event) -> bool, pause: Duration) -> Box<dyn Filter> {
    Box::new(Again { is_cause, pause, listed: BTreeSet::new(), tries: BTreeMap::new(), due: VecDeque::new() })
}

struct Again {
    is_cause: fn(&Event) -> bool,
    pause: Duration,
    listed: BTreeSet<String>,
    tries: BTreeMap<NodeName, usize>,
    due: VecDeque<(Instant, NodeName)>,
}

impl Filter for Again {
    fn frame_in(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        self.listed.extend(names(&payload).into_iter().flatten().map(str::to_owned));
        Some(payload)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Event(event @ (Event::DialFailed(name, _) | Event::SessionClosed(name, _))) = &output
            && (self.is_cause)(event)
            && self.listed.contains(name.as_str())
        {
            let tries = self.tries.entry(name.clone()).or_default();
            *tries += 1;
            if *tries <= TRIES {
                self.due.push_back((context.now + self.pause, name.clone()));
            }
        }
        Some(output)
    }

    fn wake(&self) -> Option<Instant> {
        self.due.front().map(|(at, _)| *at)
    }

    fn awake(&mut self, context: &mut Context<'_>) {
        while self.wake().is_some_and(|at| at <= context.now) {
            if let Some((_, name)) = self.due.pop_front() {
                context.command(Command::Connect(name));
            }
        }
    }
}

fn unbounded(per_list: usize) -> Box<dyn Filter> {
    Box::new(Unbounded { per_list, waiting: VecDeque::new(), under_way: BTreeSet::new() })
}

/// Dials what is listed by itself, and lets the node hear of no list.
struct Unbounded {
    per_list: usize,
    waiting: VecDeque<NodeName>,
    under_way: BTreeSet<NodeName>,
}

impl Unbounded {
    fn next(&mut self, context: &mut Context<'_>) {
        while self.under_way.len() < AT_ONCE
            && let Some(name) = self.waiting.pop_front()
        {
            if self.under_way.insert(name.clone()) {
                context.command(Command::Connect(name));
            }
        }
    }
}

impl Filter for Unbounded {
    fn frame_in(&mut self, context: &mut Context<'_>, _conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let Some(listed) = names(&payload) else { return Some(payload) };
        self.waiting.extend(listed.into_iter().filter_map(|name| NodeName::parse(name).ok()).take(self.per_list));
        self.next(context);
        None
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Event(Event::DialFailed(name, _) | Event::SessionOpened(name, _)) = &output {
            self.under_way.remove(name);
            self.next(context);
        }
        Some(output)
    }
}
