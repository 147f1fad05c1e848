//! What happened, as notifications.

use serde_json::{Value, json};

use super::value::{PidValue, reason as reason_value};
use crate::node::Event;

/// The method and the parameters, but for `seq`; `None` for what is only logged.
pub(crate) fn notification(event: &Event) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::SessionOpened(node, creation) => {
            ("session.opened", json!({"node": node.as_str(), "creation": creation.get()}))
        }
        Event::SessionClosed(node, creation) => {
            ("session.closed", json!({"node": node.as_str(), "creation": creation.get()}))
        }
        Event::Message { pid, bytes } => {
            ("process.message", json!({"pid": PidValue::from(pid), "bytes": hex::encode(bytes)}))
        }
        Event::Down { pid, reference, from, reason } => {
            let reason = reason_value(reason, pid);
            let (value, from, reference) = (PidValue::from(pid), PidValue::from(from), reference.to_string());
            ("process.down", json!({"pid": value, "ref": reference, "from": from, "reason": reason}))
        }
        Event::Exited { pid, from, reason } => {
            let reason = reason_value(reason, pid);
            ("process.exited", json!({"pid": PidValue::from(pid), "from": PidValue::from(from), "reason": reason}))
        }
        Event::ProcessEnded { pid, reason } => {
            ("process.ended", json!({"pid": PidValue::from(pid), "reason": reason_value(reason, pid)}))
        }
        Event::NodeUp { pid, node } => ("node.up", json!({"pid": PidValue::from(pid), "node": node.as_str()})),
        Event::NodeDown { pid, node } => ("node.down", json!({"pid": PidValue::from(pid), "node": node.as_str()})),
        Event::Refused(..) | Event::DialFailed(..) => return None,
    })
}
