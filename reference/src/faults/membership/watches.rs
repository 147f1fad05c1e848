//! Faults of watching nodes (MEM-43 to MEM-46).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    faults::{
        cause::on_output_of,
        filter::{Context, Filter},
        table::Fault,
        told::{on_event, told_twice, untold},
    },
    node::{Command, ConnId, Event, GlobalPid, Input, Output, Refusal, Role},
    wire::{Message, NodeName, message::Phase},
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "nodedown-is-not-told",
        requirement: "MEM-43",
        description: "A watcher is not told that its node is lost.",
        make: || untold(|_, event| matches!(event, Event::NodeDown { .. })),
    },
    Fault {
        id: "nodedown-is-told-twice",
        requirement: "MEM-43",
        description: "A watcher is told twice that its node is lost.",
        make: || told_twice(|_, event| matches!(event, Event::NodeDown { .. })),
    },
    Fault {
        id: "nodedown-of-a-silent-node-is-not-told",
        requirement: "MEM-43",
        description: "A watcher is not told that its node is lost when the heartbeat has found it.",
        make: || {
            on_output_of(
                |input| matches!(input, Input::Tick),
                |_, output| (!matches!(output, Output::Event(Event::NodeDown { .. }))).then_some(output),
            )
        },
    },
    Fault {
        id: "watches-end-with-nodedown",
        requirement: "MEM-44",
        description: "A watch tells nothing more once it has told a loss.",
        make: || {
            let mut ended = BTreeSet::new();
            on_event(move |_, event| match &event {
                Event::NodeDown { pid, node } => ended.insert((pid.clone(), node.clone())).then_some(event),
                Event::NodeUp { pid, node } => (!ended.contains(&(pid.clone(), node.clone()))).then_some(event),
                _ => Some(event),
            })
        },
    },
    Fault {
        id: "nodeup-is-told-twice",
        requirement: "MEM-44",
        description: "A watcher is told twice that a session with its node has begun.",
        make: || told_twice(|_, event| matches!(event, Event::NodeUp { .. })),
    },
    Fault {
        id: "nodeup-of-own-dials-is-not-told",
        requirement: "MEM-44",
        description: "A watcher is not told of sessions that its own node has dialled.",
        make: || {
            on_output_of(
                |input| matches!(input, Input::Frame(ConnId { role: Role::Dialled, .. }, _)),
                |_, output| (!matches!(output, Output::Event(Event::NodeUp { .. }))).then_some(output),
            )
        },
    },
    Fault {
        id: "watchers-are-told-of-all-nodes",
        requirement: "MEM-45",
        description: "A watcher of a node is told of every node.",
        make: || {
            beside(|watches, _, event| {
                let (peer, tell): (_, fn(_, _) -> _) = match event {
                    Event::SessionOpened(peer, _) => (peer, |pid, node| Event::NodeUp { pid, node }),
                    Event::SessionClosed(peer, _) => (peer, |pid, node| Event::NodeDown { pid, node }),
                    _ => return Vec::new(),
                };
                watches.of_others(peer).into_iter().map(|pid| tell(pid, peer.clone())).collect()
            })
        },
    },
    Fault {
        id: "failed-dials-are-told-as-nodedown",
        requirement: "MEM-45",
        description: "A watcher is told nodedown when a dial to its node has failed.",
        make: || {
            beside(|watches, _, event| match event {
                Event::DialFailed(node, _) => watches.downs(node),
                _ => Vec::new(),
            })
        },
    },
    Fault {
        id: "refused-duplicates-are-told-as-nodedown",
        requirement: "MEM-45",
        description: "A watcher is told nodedown when a second connection of its node is refused.",
        make: || {
            beside(|watches, claimed, event| match event {
                Event::Refused(conn, Refusal::Duplicate | Refusal::Outdated) => {
                    claimed.get(conn).map(|node| watches.downs(node)).unwrap_or_default()
                }
                _ => Vec::new(),
            })
        },
    },
    Fault {
        id: "replacements-are-not-told",
        requirement: "MEM-46",
        description: "A watcher is told nothing when a restarted node replaces its session.",
        make: || at_replacement(|_, _| Vec::new()),
    },
    Fault {
        id: "replacements-are-told-as-nodeup",
        requirement: "MEM-46",
        description: "A watcher is told nodeup alone when a restarted node replaces its session.",
        make: || at_replacement(|_, up| vec![up]),
    },
    Fault {
        id: "replacements-are-told-as-nodedown",
        requirement: "MEM-46",
        description: "A watcher is told nodedown alone when a restarted node replaces its session.",
        make: || at_replacement(|down, _| vec![down]),
    },
    Fault {
        id: "replacements-are-told-as-nodeup-and-nodedown",
        requirement: "MEM-46",
        description: "A watcher is told nodeup and then nodedown when a restarted node replaces its session.",
        make: || at_replacement(|down, up| vec![up, down]),
    },
];

/// Tells watchers something else, when a session takes another's place.
fn at_replacement(told: fn(Event, Event) -> Vec<Event>) -> Box<dyn Filter> {
    let mut downs = Vec::new();
    let is_frame = |input: &Input| matches!(input, Input::Frame(..));
    on_output_of(is_frame, move |context, output| match output {
        Output::Event(Event::NodeDown { pid, node }) => {
            downs.push((pid, node));
            None
        }
        Output::Event(Event::NodeUp { pid, node }) => {
            let key = (pid.clone(), node.clone());
            let up = Event::NodeUp { pid, node };
            let Some(at) = downs.iter().position(|down| *down == key) else { return Some(Output::Event(up)) };
            let (pid, node) = downs.remove(at);
            told(Event::NodeDown { pid, node }, up)
                .into_iter()
                .for_each(|event| context.add_output(Output::Event(event)));
            None
        }
        output => Some(output),
    })
}

/// What may be told to watchers beside what the node tells them: events of connections with the names that these claim.
type Beside = fn(&Watches, &BTreeMap<ConnId, NodeName>, &Event) -> Vec<Event>;

/// Knows who watches which nodes.
#[derive(Default)]
struct Watches(BTreeSet<(NodeName, GlobalPid)>);

impl Watches {
    fn downs(&self, node: &NodeName) -> Vec<Event> {
        let watchers = self.0.iter().filter(|(watched, _)| watched == node);
        watchers.map(|(_, pid)| Event::NodeDown { pid: pid.clone(), node: node.clone() }).collect()
    }

    /// Those that watch any other node, but not this one.
    fn of_others(&self, node: &NodeName) -> BTreeSet<GlobalPid> {
        let is_watcher = |pid: &GlobalPid| self.0.contains(&(node.clone(), pid.clone()));
        self.0.iter().map(|(_, pid)| pid).filter(|pid| !is_watcher(pid)).cloned().collect()
    }
}

/// Follows watches and claimed names, and tells live watchers more than the node does.
struct Told {
    beside: Beside,
    watches: Watches,
    claimed: BTreeMap<ConnId, NodeName>,
}

fn beside(beside: Beside) -> Box<dyn Filter> {
    Box::new(Told { beside, watches: Watches::default(), claimed: BTreeMap::new() })
}

impl Filter for Told {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Ok((Message::Name(name), _)) = Message::decode(Phase::Handshake, &payload)
            && let Ok(name) = NodeName::parse(name.name)
        {
            self.claimed.insert(conn, name);
        }
        Some(payload)
    }

    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Command(_, Command::WatchNode { pid, node }) = &input {
            self.watches.0.insert((node.clone(), pid.clone()));
        }
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Event(event) = &output {
            let told = (self.beside)(&self.watches, &self.claimed, event).into_iter();
            told.for_each(|event| context.add_output(Output::Event(event)));
        }
        Some(output)
    }
}
