//! Faults of messages and local names.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        filter::{Context, Filter, NOBODY},
        payload,
        single::{on_input, on_output},
        table::Fault,
    },
    edit::{
        coming, directed_field, going, is, is_live, is_own, message, own_field, read_twice, sent_to_all, sent_twice,
    },
};
use crate::{
    node::{Answer, Command, CommandError, ConnId, Event, Input, Output},
    wire::{
        Creation, LocalId, Message, NodeId, NodeName, Payload, WirePid,
        process::{REG_SEND, RegSend, SEND, Send},
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "node-id-of-a-target-counts",
        requirement: "PROC-4",
        description: "A SEND whose target has another node id than 0 reaches nobody.",
        make: || {
            coming(|_, _, message| match message {
                Message::Send(send) if !is_own(send.target) => None,
                message => Some(message),
            })
        },
    },
    Fault {
        id: "creations-of-targets-are-not-looked-at",
        requirement: "PROC-5",
        description: "A message for a process of a former run reaches the one that has its local id now.",
        make: || {
            coming(|_, _, mut message| {
                if let Some(pid) = directed_field(&mut message) {
                    *pid = WirePid::own(pid.local);
                }
                Some(message)
            })
        },
    },
    Fault {
        id: "links-of-third-nodes-count",
        requirement: "PROC-10",
        description: "LINK, UNLINK and EXIT are taken for the sender's, whatever their node id.",
        make: || of_the_sender(|message| matches!(message, Message::Link(_) | Message::Unlink(_) | Message::Exit(_))),
    },
    Fault {
        id: "monitors-of-third-nodes-count",
        requirement: "PROC-10",
        description: "MONITOR and DEMONITOR are taken for the sender's, whatever their node id.",
        make: || of_the_sender(|message| matches!(message, Message::Monitor(_) | Message::Demonitor(_))),
    },
    Fault {
        id: "spawns-of-third-nodes-count",
        requirement: "PROC-10",
        description: "SPAWN is taken for the sender's, whatever the requester's node id.",
        make: || of_the_sender(|message| matches!(message, Message::Spawn(_))),
    },
    Fault {
        id: "directed-fields-without-creation",
        requirement: "PROC-11",
        description: "Directed fields are written with creation 0.",
        make: || directed_out(|_, pid| pid.creation = 0),
    },
    Fault {
        id: "former-pids-are-written-as-present-ones",
        requirement: "PROC-11",
        description: "Directed fields are written with the creation of the session, whatever the PID's is.",
        make: || directed_out(|announced, pid| pid.creation = announced),
    },
    Fault {
        id: "empty-messages-are-dropped",
        requirement: "PROC-13",
        description: "A SEND of no bytes is ignored.",
        make: || {
            coming(|_, _, message| match message {
                Message::Send(send) if send.message.is_empty() => None,
                message => Some(message),
            })
        },
    },
    Fault {
        id: "messages-end-at-nul",
        requirement: "PROC-13",
        description: "The message of a SEND is delivered up to its first zero byte.",
        make: || {
            coming(|_, _, message| match message {
                Message::Send(send) => {
                    let end = send.message.iter().position(|byte| *byte == 0).unwrap_or(send.message.len());
                    Some(Message::Send(Send { message: &send.message[..end], ..send }))
                }
                message => Some(message),
            })
        },
    },
    Fault {
        id: "messages-arrive-twice",
        requirement: "PROC-13",
        description: "A SEND is delivered twice.",
        make: || read_twice(SEND),
    },
    Fault {
        id: "send-to-nobody-closes",
        requirement: "PROC-14",
        description: "A SEND to a process that is not alive closes the session.",
        make: || {
            coming(|context, conn, message| {
                if let Message::Send(send) = &message
                    && !is_live(context, send.target)
                {
                    context.close(conn);
                    return None;
                }
                Some(message)
            })
        },
    },
    Fault {
        id: "send-to-nobody-is-answered",
        requirement: "PROC-14",
        description: "A SEND to a process that is not alive comes back.",
        make: || {
            coming(|context, conn, message| {
                if let Message::Send(send) = &message
                    && !is_live(context, send.target)
                {
                    context.send(conn, payload::encode(&message));
                }
                Some(message)
            })
        },
    },
    Fault {
        id: "local-names-are-ascii",
        requirement: "PROC-15",
        description: "A REG_SEND to a name that is not ASCII reaches nobody.",
        make: || {
            coming(|_, _, message| match message {
                Message::RegSend(send) if !send.name.is_ascii() => None,
                message => Some(message),
            })
        },
    },
    Fault {
        id: "named-messages-arrive-twice",
        requirement: "PROC-15",
        description: "A REG_SEND is delivered twice.",
        make: || read_twice(REG_SEND),
    },
    Fault {
        id: "reg-send-finds-global-names",
        requirement: "PROC-16",
        description: "A REG_SEND to a name that is no local one reaches the process that has it globally.",
        make: || {
            coming(|context, _, message| match message {
                Message::RegSend(RegSend { name, message }) => Some(match context.whereis(name) {
                    Some(pid) => Message::Send(Send { target: WirePid::own(pid.local), message }),
                    None => Message::RegSend(RegSend { name, message }),
                }),
                message => Some(message),
            })
        },
    },
    Fault {
        id: "reg-send-to-nobody-closes",
        requirement: "PROC-16",
        description: "A REG_SEND to a name that was never registered closes the session.",
        make: || Box::new(UnknownNames::default()),
    },
    Fault {
        id: "messages-go-to-all-sessions",
        requirement: "PROC-17",
        description: "A SEND goes out on every session.",
        make: || sent_to_all(SEND),
    },
    Fault {
        id: "messages-go-out-twice",
        requirement: "PROC-17",
        description: "A SEND goes out twice.",
        make: || sent_twice(SEND),
    },
    Fault {
        id: "named-messages-go-to-all-sessions",
        requirement: "PROC-18",
        description: "A REG_SEND goes out on every session.",
        make: || sent_to_all(REG_SEND),
    },
    Fault {
        id: "local-messages-go-out",
        requirement: "PROC-19",
        description: "A message for a local process is sent to every session, too.",
        make: || {
            on_input(|context, input| {
                if let Input::Command(_, Command::Send { to, bytes }) = &input
                    && context.is_alive(to)
                {
                    let send = Message::Send(Send { target: WirePid::own(to.local), message: bytes });
                    for (conn, _) in context.sessions() {
                        context.send(conn, payload::encode(&send));
                    }
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "local-named-messages-go-out",
        requirement: "PROC-19",
        description: "A message for a local name of the own node is sent to every session, too.",
        make: || {
            on_input(|context, input| {
                if let Input::Command(_, Command::SendNamed { node, name, bytes }) = &input
                    && context.identity().is_some_and(|identity| identity.name.as_str() == node)
                {
                    let send = Message::RegSend(RegSend { name, message: bytes });
                    for (conn, _) in context.sessions() {
                        context.send(conn, payload::encode(&send));
                    }
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "every-hundredth-message-is-overtaken",
        requirement: "PROC-20",
        description: "Every hundredth SEND of a session is delivered behind the one that follows it.",
        make: || Box::new(Overtaken::default()),
    },
    Fault {
        id: "named-messages-are-overtaken",
        requirement: "PROC-21",
        description: "A REG_SEND takes effect behind the message that follows it.",
        make: || Box::new(NamedOvertaken::default()),
    },
    Fault {
        id: "pids-end-with-the-session",
        requirement: "PROC-22",
        description: "Nothing is sent to processes of a node that has been lost, even after its return.",
        make: || Box::new(Forgotten::default()),
    },
    Fault {
        id: "local-names-may-be-taken-twice",
        requirement: "PROC-23",
        description: "Registering a local name that is taken succeeds.",
        make: || {
            on_output(|_, output| match output {
                Output::Reply(token, Err(CommandError::NameTaken)) => Some(Output::Reply(token, Ok(Answer::Done))),
                output => Some(output),
            })
        },
    },
    Fault {
        id: "local-names-stay-taken",
        requirement: "PROC-24",
        description: "A local name is never free again.",
        make: || Box::new(TakenForGood::default()),
    },
];

/// Reads the own fields of some messages as the sender's.
fn of_the_sender(concerns: fn(&Message<'_>) -> bool) -> Box<dyn Filter> {
    coming(move |_, _, mut message| {
        if concerns(&message)
            && let Some(pid) = own_field(&mut message)
        {
            pid.node = NodeId::OWN;
        }
        Some(message)
    })
}

/// Rewrites directed fields on their way out; `edit` gets the creation that the session has announced, too.
fn directed_out(edit: fn(u8, &mut WirePid)) -> Box<dyn Filter> {
    going(move |context, conn, mut message| {
        let announced = context.connection(conn).and_then(|view| view.creation).map_or(0, Creation::get);
        if let Some(pid) = directed_field(&mut message) {
            edit(announced, pid);
        }
        Some(message)
    })
}

/// Remembers the local names that were ever registered.
#[derive(Default)]
struct UnknownNames {
    known: BTreeSet<String>,
}

impl Filter for UnknownNames {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(Message::RegSend(send)) = message(&payload)
            && !self.known.contains(send.name)
        {
            context.close(conn);
            return None;
        }
        Some(payload)
    }

    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Command(_, Command::RegisterLocal { name, .. }) = &input {
            self.known.insert(name.clone());
        }
        Some(input)
    }
}

/// Counts the SENDs of each session, and keeps one back.
#[derive(Default)]
struct Overtaken {
    counts: BTreeMap<ConnId, u32>,
    kept: BTreeMap<ConnId, Vec<u8>>,
}

impl Filter for Overtaken {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(kept) = self.kept.remove(&conn) {
            context.add_input(Input::Frame(conn, kept));
        } else if is(SEND, &payload) {
            let count = self.counts.entry(conn).or_default();
            *count += 1;
            if count.is_multiple_of(100) {
                self.kept.insert(conn, payload);
                return None;
            }
        }
        Some(payload)
    }
}

/// Keeps the last REG_SEND of each session back.
#[derive(Default)]
struct NamedOvertaken {
    kept: BTreeMap<ConnId, Vec<u8>>,
}

impl Filter for NamedOvertaken {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(kept) = self.kept.remove(&conn) {
            context.add_input(Input::Frame(conn, kept));
        }
        if is(REG_SEND, &payload) {
            self.kept.insert(conn, payload);
            return None;
        }
        Some(payload)
    }
}

/// Remembers the runs of nodes that were lost.
#[derive(Default)]
struct Forgotten {
    lost: BTreeSet<(NodeName, Creation)>,
}

impl Filter for Forgotten {
    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Event(Event::SessionClosed(peer, creation)) = &output {
            self.lost.insert((peer.clone(), *creation));
        }
        Some(output)
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        let run = context.connection(conn).and_then(|view| view.peer.zip(view.creation));
        let is_lost = is(SEND, &payload) && run.is_some_and(|run| self.lost.contains(&run));
        (!is_lost).then_some(payload)
    }
}

/// Remembers the local names that were ever registered, and by whom.
#[derive(Default)]
struct TakenForGood {
    known: BTreeMap<String, LocalId>,
}

impl Filter for TakenForGood {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Command(token, Command::RegisterLocal { pid, name }) = &input
            && *token != NOBODY
            && *self.known.entry(name.clone()).or_insert(pid.local) != pid.local
        {
            context.add_output(Output::Reply(*token, Err(CommandError::NameTaken)));
            return None;
        }
        Some(input)
    }
}
