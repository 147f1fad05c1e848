//! Faults of what local callers do with names (REG-1 to REG-9).

use super::{
    is_last,
    remembered::{BeforeStart, LookedUpBeforeStart, Refused},
    send_to_others, unregister_to,
};
use crate::{
    faults::{
        cause::on_output_of,
        filter::Context,
        payload::{Home, edited, home, is, pids_edited, register, unregister},
        single::{on_frame_out, on_input, on_output},
        table::Fault,
    },
    node::{Answer, Command, CommandError, GlobalPid, Input, NONODE, Output, Role},
    wire::{
        LocalId, NodeId, Payload, WirePid,
        registry::{GLOBAL_REGISTER, GlobalEntry},
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "register-is-not-told-to-the-last-session",
        requirement: "REG-1",
        description: "Of several sessions the last gets no GLOBAL_REGISTER.",
        make: || {
            on_frame_out(|context, conn, payload| {
                (!is(GLOBAL_REGISTER, &payload) || !is_last(context, conn)).then_some(payload)
            })
        },
    },
    Fault {
        id: "register-is-not-told-to-dialled-peers",
        requirement: "REG-1",
        description: "GLOBAL_REGISTER goes to those sessions only that the peer has opened.",
        make: || {
            on_frame_out(|_, conn, payload| {
                (!is(GLOBAL_REGISTER, &payload) || conn.role == Role::Accepted).then_some(payload)
            })
        },
    },
    Fault {
        id: "register-again-succeeds",
        requirement: "REG-2",
        description: "A process may register its own name again.",
        make: || {
            Refused::then(|context, name, pid, error| {
                let is_its_own = *error == CommandError::NameTaken && context.whereis(name).as_ref() == Some(pid);
                is_its_own.then_some(Answer::Done)
            })
        },
    },
    Fault {
        id: "register-of-a-taken-name-is-told",
        requirement: "REG-2",
        description: "GLOBAL_REGISTER is sent before it is found that the name is taken.",
        make: || {
            Refused::then(|context, name, pid, error| {
                if *error == CommandError::NameTaken {
                    tell(context, name, pid);
                }
                None
            })
        },
    },
    Fault {
        id: "name-of-another-node-is-taken-over",
        requirement: "REG-2",
        description: "A name that another node's process has can be registered for a process of the node.",
        make: || {
            on_input(|context, input| {
                if let Input::Command(_, Command::Register { name, pid }) = &input
                    && context.whereis(name).is_some_and(|holder| holder.node != pid.node)
                    && let Some((conn, _)) = context.sessions().first()
                {
                    context.add_input(Input::Frame(*conn, unregister(name)));
                    context.add_input(input);
                    return None;
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "register-of-a-dead-process-succeeds",
        requirement: "REG-3",
        description: "A dead local process can be registered, which is then told to nobody.",
        make: || Refused::then(|_, _, _, error| (*error == CommandError::NoProcess).then_some(Answer::Done)),
    },
    Fault {
        id: "register-of-an-unconnected-nodes-process-is-told",
        requirement: "REG-3",
        description: "GLOBAL_REGISTER is sent before it is found that the process's node is not connected.",
        make: || {
            Refused::then(|context, name, pid, error| {
                if matches!(error, CommandError::NotConnected(_)) {
                    tell(context, name, pid);
                }
                None
            })
        },
    },
    Fault {
        id: "empty-name-is-registered",
        requirement: "REG-4",
        description: "The empty name is taken, and told.",
        make: || {
            Refused::then(|context, name, pid, error| {
                let is_empty = matches!(error, CommandError::InvalidName(_)) && name.is_empty();
                is_empty.then(|| {
                    tell(context, name, pid);
                    Answer::Done
                })
            })
        },
    },
    Fault {
        id: "longest-name-is-refused",
        requirement: "REG-4",
        description: "A name of 65,535 bytes is one too long.",
        make: || {
            on_input(|context, input| match input {
                Input::Command(token, Command::Register { name, .. }) if name.len() == MAX_NAME => {
                    let error = CommandError::InvalidName("the name is too long".into());
                    context.add_output(Output::Reply(token, Err(error)));
                    None
                }
                _ => Some(input),
            })
        },
    },
    Fault {
        id: "long-name-is-truncated",
        requirement: "REG-4",
        description: "Of a longer name the first 65,535 bytes are registered.",
        make: || {
            on_input(|_, mut input| {
                if let Input::Command(_, Command::Register { name, .. }) = &mut input {
                    name.truncate(name.floor_char_boundary(MAX_NAME));
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "owner-is-who-registers",
        requirement: "REG-5",
        description: "Another node's process that is registered here is told as the node's own.",
        make: || {
            on_frame_out(|context, conn, payload| {
                if !is(GLOBAL_REGISTER, &payload) {
                    return Some(payload);
                }
                let owner = context.identity().map_or(NONODE, |identity| identity.name.as_str());
                edited(&payload, |entry| {
                    let is_own = home(context, conn, &entry) == Home::Here;
                    Some(if is_own {
                        entry
                    } else {
                        GlobalEntry { owner, pid: WirePid::own(entry.pid.local), ..entry }
                    })
                })
                .map(Payload::from)
            })
        },
    },
    Fault {
        id: "lookup-cuts-local-ids-to-32-bits",
        requirement: "REG-6",
        description: "A lookup gives the lower 32 bits of a local id.",
        make: || {
            on_output(|_, output| {
                let low = |local: LocalId| LocalId::new(local.get() & u64::from(u32::MAX)).unwrap_or(local);
                Some(pids_edited(output, |pid| pid.local = low(pid.local)))
            })
        },
    },
    Fault {
        id: "lookup-has-the-own-creation",
        requirement: "REG-6",
        description: "A lookup gives the looking node's creation with another node's process.",
        make: || {
            on_output(|context, output| {
                let Some(identity) = context.identity() else { return Some(output) };
                Some(pids_edited(output, |pid| pid.creation = identity.creation.get()))
            })
        },
    },
    Fault {
        id: "unregister-is-not-told-to-the-last-session",
        requirement: "REG-7",
        description: "Of several sessions the last gets no GLOBAL_UNREGISTER of a name that a caller removes.",
        make: || {
            on_output_of(
                |input| matches!(input, Input::Command(_, Command::Unregister(_))),
                |context, output| {
                    let to_last = unregister_to(&output).is_some_and(|conn| is_last(context, conn));
                    (!to_last).then_some(output)
                },
            )
        },
    },
    Fault {
        id: "unregister-of-anothers-name-is-refused",
        requirement: "REG-7",
        description: "A caller may unregister only the names of processes of the node.",
        make: || {
            on_input(|context, input| {
                if let Input::Command(token, Command::Unregister(name)) = &input
                    && let Some(identity) = context.identity()
                    && context.whereis(name).is_some_and(|pid| pid.node != identity.name.as_str())
                {
                    let error = CommandError::Failed("the name is another node's".into());
                    context.add_output(Output::Reply(*token, Err(error)));
                    return None;
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "unregister-of-an-unknown-name-succeeds",
        requirement: "REG-8",
        description: "A caller that unregisters an unknown name is told that it was done.",
        make: || {
            on_output(|_, output| match output {
                Output::Reply(token, Err(CommandError::UnknownName)) => Some(Output::Reply(token, Ok(Answer::Done))),
                _ => Some(output),
            })
        },
    },
    Fault {
        id: "unregister-of-an-unknown-name-is-told",
        requirement: "REG-8",
        description: "GLOBAL_UNREGISTER is sent before it is found that the name is unknown.",
        make: || {
            on_input(|context, input| {
                if let Input::Command(_, Command::Unregister(name)) = &input
                    && context.whereis(name).is_none()
                {
                    send_to_others(context, None, &unregister(name));
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "names-from-before-the-start-are-told-as-nonodes",
        requirement: "REG-9",
        description: "GLOBAL_SYNC tells names from before the start as those of nonode@nohost.",
        make: || Box::new(BeforeStart::default()),
    },
    Fault {
        id: "names-from-before-the-start-are-looked-up-as-nonodes",
        requirement: "REG-9",
        description: "A lookup gives processes from before the start as those of nonode@nohost.",
        make: || Box::new(LookedUpBeforeStart::default()),
    },
];

/// The longest name, in bytes.
const MAX_NAME: usize = 65_535;

/// Tells every session of a name as if it had been stored.
fn tell(context: &mut Context<'_>, name: &str, pid: &GlobalPid) {
    let is_own = context.identity().is_some_and(|identity| identity.name.as_str() == pid.node);
    let held = WirePid { node: NodeId(1), creation: pid.creation, local: pid.local };
    let held = if is_own { WirePid::own(pid.local) } else { held };
    send_to_others(context, None, &register(&GlobalEntry { name, pid: held, owner: &pid.node }));
}
