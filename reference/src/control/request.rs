//! From a line to what it asks for.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{answer::Failure, codec, encode, lines::Line, nesting, params, supervisor, term, value::PidValue};
use crate::{
    faults::Planted,
    net::{StartOptions, start::HostPort},
    node::{Command, CommandError, GlobalPid, MemberId, SpawnRequest, Timings},
    wire::{InvalidName, NodeName, handshake::Cookie, name::AskedName},
};

/// What this node says it can do. Only what is true.
const CAPABILITIES: [&str; 6] = ["registry", "process", "supervisor", "rooms", "codec", "term"];

/// The version of the Snow distribution protocol.
const PROTOCOL: u64 = 5;

/// A line, understood as far as it goes.
#[derive(Debug)]
pub(crate) struct Request {
    /// What the answer has to carry; null when the line has no id.
    pub(crate) id: Value,
    pub(crate) action: Result<Action, Failure>,
}

/// What has to be done about a request.
#[derive(Debug)]
pub(crate) enum Action {
    /// Nothing: this is the answer.
    Answer(Value),
    /// The same as JSON text, for answers of a depth that values do not bear.
    Text(String),
    Start(Box<StartOptions>),
    Barrier,
    Command(Command),
}

/// Reads one line. What is wrong with it becomes its answer.
pub(crate) fn parse(line: &Line, planted: &Planted) -> Request {
    let refuse = |failure| Request { id: Value::Null, action: Err(failure) };
    let Line::Bytes(line) = line else {
        return refuse(Failure::no_json("the line is longer than 64 MiB"));
    };
    let nesting::Json { value: mut object, levels } = match nesting::read(line) {
        Ok(json) => json,
        Err(why) => return refuse(Failure::no_json(why.to_string())),
    };
    let id = object.get("id").filter(|id| id.is_number() || id.is_string()).cloned();
    let method = object.get("method").and_then(Value::as_str).map(str::to_owned);
    let (Some(method), Some(id)) = (method, id) else {
        return refuse(Failure::no_request("a request has `jsonrpc`, `id` and `method`"));
    };
    // Only the parameters of a term are read without recursion.
    if levels > nesting::USUAL_LEVELS && method != "term.encode" {
        return Request { id, action: Err(Failure::invalid_params("nested too deep")) };
    }
    let params = object.as_object_mut().and_then(|object| object.remove("params"));
    let mut params = params.unwrap_or_else(|| Value::Object(Map::new()));
    planted.request(&method, &mut params);
    let asked = (!planted.is_empty()).then(|| params.clone());
    let action = action(&method, params);
    let action = match asked {
        Some(params) => faulty(planted, &method, &params, action),
        None => action,
    };
    Request { id, action }
}

/// An answer that needs no node, as the planted faults leave it.
fn faulty(planted: &Planted, method: &str, params: &Value, action: Result<Action, Failure>) -> Result<Action, Failure> {
    let mut answer = match &action {
        Ok(Action::Answer(result)) => json!({"result": result}),
        Ok(Action::Text(text)) => match nesting::read(text.as_bytes()) {
            Ok(json) => json!({"result": json.value}),
            Err(_) => return action,
        },
        Ok(_) => return action,
        Err(failure) => json!({"error": failure}),
    };
    let before = answer.clone();
    planted.answer(method, params, &mut answer);
    if answer == before {
        return action;
    }
    match answer.get_mut("result").map(Value::take) {
        Some(result) => Ok(Action::Answer(result)),
        None => Err(serde_json::from_value(answer["error"].take()).unwrap_or_else(|_| Failure::unknown_method(method))),
    }
}

fn action(method: &str, params: Value) -> Result<Action, Failure> {
    let command = match method {
        "initialize" => return initialize(&read(params)?),
        "node.start" => return start(read(params)?),
        "barrier" => return Ok(Action::Barrier),
        "codec.decode" => return codec::decode(&read(params)?).map(Action::Answer),
        "codec.encode" => return encode::encode(read(params)?).map(Action::Answer),
        "codec.frames" => return codec::frames(&read(params)?).map(Action::Answer),
        "codec.proof" => return codec::proof(read(params)?).map(Action::Answer),
        "term.decode" => return term::decode(&read(params)?).map(Action::Text),
        "term.encode" => return term::encode(&params).map(Action::Answer),
        "node.connect" => {
            let params::Node { node } = read(params)?;
            Command::Connect(node_name(&node)?)
        }
        "node.self" => Command::Whoami,
        "node.list" => Command::Nodes,
        "shutdown" => Command::Stop,
        "process.spawn" => {
            let params::Spawn { function, args, node, from, link } = read(params)?;
            Command::Spawn(SpawnRequest { function, args, node, from: from.map(pid).transpose()?, link })
        }
        "process.exit" => {
            let params::Exit { pid: value, reason } = read(params)?;
            Command::Exit { pid: pid(value)?, reason: reason.shown().ok_or_else(forty_bits)? }
        }
        "process.send" => {
            let params::Send { to, bytes } = read(params)?;
            Command::Send { to: pid(to)?, bytes }
        }
        "process.send_named" => {
            let params::SendNamed { node, name, bytes } = read(params)?;
            Command::SendNamed { node, name, bytes }
        }
        "process.register" => {
            let params::Register { name, pid: value } = read(params)?;
            Command::RegisterLocal { pid: pid(value)?, name }
        }
        "process.alive" => Command::Alive(pid(read::<params::Pid>(params)?.pid)?),
        "process.link" => {
            let params::Link { pid: value, to } = read(params)?;
            Command::Link { pid: pid(value)?, to: pid(to)? }
        }
        "process.unlink" => {
            let params::Link { pid: value, to } = read(params)?;
            Command::Unlink { pid: pid(value)?, to: pid(to)? }
        }
        "process.monitor" => {
            let params::Monitor { pid: value, target } = read(params)?;
            Command::Monitor { pid: pid(value)?, target: pid(target)? }
        }
        "process.demonitor" => {
            let params::Demonitor { pid: value, reference } = read(params)?;
            Command::Demonitor { pid: pid(value)?, reference: reference.parse().ok() }
        }
        "process.trap_exit" => {
            let params::TrapExit { pid: value, enabled } = read(params)?;
            Command::TrapExit { pid: pid(value)?, enabled }
        }
        "node.monitor" => {
            let params::WatchNode { pid: value, node } = read(params)?;
            Command::WatchNode { pid: pid(value)?, node: node_name(&node)? }
        }
        "supervisor.start" => Command::StartSupervisor(Box::new(supervisor::settings(read(params)?)?)),
        "supervisor.start_child" => {
            let params::StartChild { supervisor, args } = read(params)?;
            Command::StartChild { supervisor: pid(supervisor)?, args }
        }
        "supervisor.children" => Command::Children(pid(read::<params::Supervisor>(params)?.supervisor)?),
        "supervisor.stop" => Command::StopSupervisor(pid(read::<params::Supervisor>(params)?.supervisor)?),
        "global.register" => {
            let params::Register { name, pid: value } = read(params)?;
            Command::Register { name, pid: pid(value)? }
        }
        "global.unregister" => Command::Unregister(read::<params::Name>(params)?.name),
        "global.whereis" => Command::Whereis(read::<params::Name>(params)?.name),
        "global.names" => Command::Names,
        "room.broadcast" => {
            let params::Broadcast { room, text, except } = read(params)?;
            Command::Broadcast { room, text, except: except.map(|id| member(&id)) }
        }
        "room.join" => {
            let params::Membership { member: id, room } = read(params)?;
            Command::Join { member: member(&id), room: room.into() }
        }
        "room.leave" => {
            let params::Membership { member: id, room } = read(params)?;
            Command::Leave { member: member(&id), room: room.into() }
        }
        _ => return Err(Failure::unknown_method(method)),
    };
    Ok(Action::Command(command))
}

fn initialize(params: &params::Initialize) -> Result<Action, Failure> {
    if params.protocol != PROTOCOL {
        return Err(CommandError::Failed(format!("this node speaks protocol {PROTOCOL} only")).into());
    }
    Ok(Action::Answer(json!({
        "implementation": "snow-node",
        "version": env!("CARGO_PKG_VERSION"),
        "language": "Rust",
        "protocol": PROTOCOL,
        "control": 1,
        "capabilities": CAPABILITIES,
    })))
}

fn start(params: params::Start) -> Result<Action, Failure> {
    let name = AskedName::parse(&params.name).map_err(|why| invalid_name(&params.name, why))?;
    let cookie = Cookie::new(params.cookie).ok_or_else(|| CommandError::InvalidName("the cookie is empty".into()))?;
    let listen = match params.listen {
        None => None,
        Some(text) => Some(HostPort::parse(&text).ok_or_else(|| Failure::invalid_params("`listen` is not host:port"))?),
    };
    let defaults = Timings::default();
    let timings = Timings {
        heartbeat_interval: time(params.heartbeat_interval_ms, defaults.heartbeat_interval)?,
        heartbeat_timeout: time(params.heartbeat_timeout_ms, defaults.heartbeat_timeout)?,
        handshake_timeout: time(params.handshake_timeout_ms, defaults.handshake_timeout)?,
    };
    Ok(Action::Start(Box::new(StartOptions { name, cookie, timings, listen, rooms: None })))
}

/// From 1 ms to a year: no time of a node is 0 or overflows a clock.
fn time(milliseconds: Option<u64>, default: Duration) -> Result<Duration, Failure> {
    match milliseconds {
        None => Ok(default),
        Some(value @ 1..=31_536_000_000) => Ok(Duration::from_millis(value)),
        Some(value) => Err(Failure::invalid_params(format!("{value} ms is not between 1 ms and a year"))),
    }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, Failure> {
    serde_json::from_value(params).map_err(|why| Failure::invalid_params(why.to_string()))
}

fn pid(value: PidValue) -> Result<GlobalPid, Failure> {
    value.global().ok_or_else(forty_bits)
}

fn forty_bits() -> Failure {
    Failure::invalid_params("a local id has 40 bits")
}

fn node_name(text: &str) -> Result<NodeName, Failure> {
    NodeName::parse(text).map_err(|why| invalid_name(text, why))
}

/// Ids that were never given become one that never is.
fn member(id: &str) -> MemberId {
    MemberId(id.strip_prefix('m').and_then(|number| number.parse().ok()).unwrap_or(0))
}

fn invalid_name(name: &str, why: InvalidName) -> Failure {
    CommandError::InvalidName(format!("{name:?} {why}")).into()
}
