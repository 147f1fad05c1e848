//! Results and errors as the control protocol words them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::value::PidValue;
use crate::{
    net::Started,
    node::{Answer, CommandError},
};

/// A JSON-RPC error. The code is compared, the message is for people.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Failure {
    code: i32,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

impl Failure {
    fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(crate) fn no_json(message: impl Into<String>) -> Self {
        Self::new(-32_700, message)
    }

    pub(crate) fn no_request(message: impl Into<String>) -> Self {
        Self::new(-32_600, message)
    }

    pub(crate) fn unknown_method(method: &str) -> Self {
        Self::new(-32_601, format!("unknown method {method:?}"))
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(-32_602, message)
    }

    pub(crate) fn undecodable(kind: &str, message: impl Into<String>) -> Self {
        Self { data: Some(json!({"kind": kind})), ..Self::new(-32_020, message) }
    }

    pub(crate) fn unencodable(kind: &str, message: impl Into<String>) -> Self {
        Self { data: Some(json!({"kind": kind})), ..Self::new(-32_021, message) }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let code = match &error {
            CommandError::Failed(_) => -32_000,
            CommandError::NotStarted => -32_001,
            CommandError::AlreadyStarted => -32_002,
            CommandError::InvalidName(_) => -32_003,
            CommandError::ConnectFailed(_) => -32_004,
            CommandError::NameTaken => -32_005,
            CommandError::UnknownName => -32_006,
            CommandError::NoProcess => -32_007,
            CommandError::NotConnected(_) => -32_008,
            CommandError::TooLarge => -32_009,
            CommandError::UnknownMember => -32_010,
            CommandError::Refused => -32_011,
            CommandError::NoConnection => -32_012,
            CommandError::Missing(_) => -32_602,
        };
        Self::new(code, error.to_string())
    }
}

pub(crate) fn started(started: Started) -> Value {
    json!({"name": started.name, "creation": started.creation, "websocket": started.websocket})
}

pub(crate) fn answer(answer: Answer) -> Value {
    match answer {
        Answer::Done => json!({}),
        Answer::Nodes(nodes) => json!({"nodes": nodes.iter().map(|node| node.as_str()).collect::<Vec<_>>()}),
        Answer::Whoami { name, creation } => json!({"name": name, "creation": creation}),
        Answer::Pid(pid) => json!({"pid": pid.as_ref().map(PidValue::from)}),
        Answer::Names(names) => {
            let entry = |(name, pid)| json!({"name": name, "pid": PidValue::from(pid)});
            json!({"names": names.iter().map(|(name, pid)| entry((&**name, pid))).collect::<Vec<_>>()})
        }
        Answer::Children(children) => {
            let child = |(id, pid): &(String, Option<_>)| json!({"id": id, "pid": pid.as_ref().map(PidValue::from)});
            json!({"children": children.iter().map(child).collect::<Vec<_>>()})
        }
        Answer::Alive(alive) => json!({"alive": alive}),
        Answer::Monitor(reference) => json!({"ref": reference.to_string()}),
        Answer::Failed(count) => json!({"failed": count}),
    }
}
