//! Whether what an adapter claims in `initialize` is there at all: one request of each capability. How well it is done is what cases judge.

use serde_json::{Value, json};

use super::conversation::{Conversation, Over, UNKNOWN_METHOD};
use super::report::Check;

/// A capability, and requests of it that any node which has it knows: what is refused with -32601 is not there.
const PROBES: &[(&str, &[&str])] = &[
    ("registry", &["process.spawn", "global.names", "global.whereis"]),
    ("process", &["process.spawn", "process.send_named"]),
    ("supervisor", &["supervisor.children"]),
    ("rooms", &["room.broadcast"]),
    ("codec", &["codec.decode", "codec.encode", "codec.frames", "codec.proof"]),
    ("term", &["term.decode", "term.encode"]),
];

/// Asks one request of each capability that is claimed.
pub(super) fn examine(conversation: &mut Conversation<'_>, claimed: &[String]) -> Result<(), Over> {
    let mut seen = Vec::new();
    for capability in claimed {
        let Some((_, methods)) = PROBES.iter().find(|(name, _)| name == capability) else {
            let known: Vec<&str> = PROBES.iter().map(|(name, _)| *name).collect();
            conversation.report.fail(
                Check::Claims,
                format!("`initialize` claims `{capability}`, which is no capability"),
                format!("claim only what spec/control.md names: {}", known.join(", ")),
            );
            return Ok(());
        };
        for method in *methods {
            if let Err(error) = conversation.ask(method, params(method))?
                && error.code == UNKNOWN_METHOD
            {
                conversation.report.fail(
                    Check::Claims,
                    format!("`initialize` claims `{capability}`, but `{method}` was answered with {error}"),
                    format!("leave `{capability}` out of `capabilities` until all its methods are there: what is claimed is judged"),
                );
                return Ok(());
            }
        }
        seen.push(capability.as_str());
    }
    let words = if seen.is_empty() { "none is claimed".to_owned() } else { format!("there: {}", seen.join(", ")) };
    conversation.report.pass(Check::Claims, words);
    conversation.fence()
}

fn params(method: &str) -> Value {
    match method {
        "process.spawn" => json!({"function": "collector"}),
        "process.send_named" => json!({"node": "nobody@127.0.0.1:1", "name": "nobody", "bytes": "00"}),
        "global.whereis" => json!({"name": "doctor"}),
        "supervisor.children" => {
            json!({"supervisor": {"node": "doctor@127.0.0.1:1", "creation": 1, "local": 1}})
        }
        "room.broadcast" => json!({"room": "doctor", "text": "hello"}),
        // PING, with its nonce.
        "codec.decode" => json!({"phase": "session", "bytes": "f00102030405060708"}),
        "codec.encode" => json!({"message": "PING", "fields": {"nonce": "0102030405060708"}}),
        "codec.frames" => json!({"phase": "session", "bytes": "00000000"}),
        "codec.proof" => json!({"cookie": "736563726574", "challenge": "00".repeat(32)}),
        "term.decode" => json!({"bytes": "0106"}),
        "term.encode" => json!({"term": {"kind": "unit"}}),
        _ => json!({}),
    }
}
