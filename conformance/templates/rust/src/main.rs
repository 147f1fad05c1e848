//! The control lines of my-node: requests on standard input, answers on standard output (spec/control.md). Knows no bytes of the protocol.

mod codec;

use std::io::{self, BufRead, Write};

use codec::{Field, Kind, Layout, Phase, Undecodable, Value};
use serde_json::{Map, Value as Json, json};

/// Claim more as methods come; what is claimed is judged.
const CAPABILITIES: &[&str] = &["codec"];

/// An error that a request is answered with: its code, its message and its data.
struct Refused(i32, String, Option<Json>);

/// What is wrong with the parameters.
fn invalid(what: impl Into<String>) -> Refused {
    Refused(-32602, what.into(), None)
}

/// Next: node.start, node.self, node.connect, node.list, barrier. A request that takes long must hold up no other: answer
/// node.connect from a thread of its own.
fn answer(method: &str, params: &Json) -> Result<Json, Refused> {
    Ok(match method {
        "initialize" => json!({
            "implementation": "my-node", "version": env!("CARGO_PKG_VERSION"), "language": "Rust",
            "protocol": 5, "control": 1, "capabilities": CAPABILITIES,
        }),
        "codec.decode" => match codec::decode(phase(params)?, &bytes(&params["bytes"])?) {
            Ok((layout, values, left_over)) => {
                json!({"message": layout.1, "fields": to_json(layout.2, &values), "left_over": hex::encode(left_over)})
            }
            Err(error) => {
                let kind = match error {
                    Undecodable::Empty => "empty",
                    Undecodable::UnknownTag => "unknown_tag",
                    Undecodable::Malformed => "malformed",
                };
                return Err(Refused(-32020, "undecodable".to_owned(), Some(json!({"kind": kind}))));
            }
        },
        "codec.encode" => {
            let name = text(&params["message"])?;
            let mut layouts = codec::HANDSHAKE.iter().chain(codec::SESSION);
            let layout = layouts.find(|layout| layout.1 == name).ok_or_else(|| invalid("no such message"))?;
            json!({"bytes": hex::encode(codec::encode(layout, &from_json(layout.2, &params["fields"])?))})
        }
        "codec.frames" => {
            let stream = bytes(&params["bytes"])?;
            let (frames, end) = codec::frames(phase(params)?, &stream);
            json!({"frames": frames.iter().map(hex::encode).collect::<Vec<_>>(), "end": end})
        }
        "codec.proof" => {
            json!({"proof": hex::encode(codec::proof(&bytes(&params["cookie"])?, &bytes(&params["challenge"])?))})
        }
        "shutdown" => json!({}),
        _ => return Err(Refused(-32601, format!("unknown method {method}"), None)),
    })
}

fn phase(params: &Json) -> Result<Phase, Refused> {
    match params["phase"].as_str() {
        Some("handshake") => Ok(Phase::Handshake),
        Some("session") => Ok(Phase::Session),
        _ => Err(invalid("a phase is handshake or session")),
    }
}

fn text(json: &Json) -> Result<&str, Refused> {
    json.as_str().ok_or_else(|| invalid(format!("{json} is no string")))
}

fn bytes(json: &Json) -> Result<Vec<u8>, Refused> {
    hex::decode(text(json)?).map_err(|error| invalid(error.to_string()))
}

/// A number, or a string of digits.
fn uint(json: &Json) -> Result<u64, Refused> {
    let read = json.as_u64().or_else(|| json.as_str()?.parse().ok());
    read.ok_or_else(|| invalid(format!("{json} is no integer")))
}

fn small<T: TryFrom<u64>>(json: &Json) -> Result<T, Refused> {
    T::try_from(uint(json)?).map_err(|_| invalid(format!("{json} is too large")))
}

/// On control lines bytes are hexadecimal, and 64 bits are strings of digits: many JSON readers round them.
fn to_json(fields: &[Field], values: &[Value]) -> Json {
    let one = |((name, kind), value): (&Field, &Value)| {
        let json = match (kind, value) {
            (Kind::Uint(8), Value::Uint(value)) => json!(value.to_string()),
            (_, Value::Uint(value)) => json!(value),
            (_, Value::Pid { node_id, creation, local }) => {
                json!({"node_id": node_id, "creation": creation, "local": local})
            }
            (_, Value::Bytes(bytes)) => json!(hex::encode(bytes)),
            (_, Value::Text(text)) => json!(text),
            (_, Value::Reason(reason, values)) => {
                let mut json = to_json(reason.2, values);
                json["kind"] = json!(reason.1);
                json
            }
            (Kind::List(_, record), Value::List(list)) => list.iter().map(|values| to_json(record, values)).collect(),
            (_, Value::List(_)) => Json::Null,
        };
        ((*name).to_owned(), json)
    };
    Json::Object(fields.iter().zip(values).map(one).collect::<Map<_, _>>())
}

fn from_json(fields: &[Field], json: &Json) -> Result<Vec<Value>, Refused> {
    let one = |(name, kind): &Field| {
        let json = &json[*name];
        Ok(match kind {
            Kind::Uint(_) => Value::Uint(uint(json)?),
            Kind::Pid => Value::Pid {
                node_id: small(&json["node_id"])?,
                creation: small(&json["creation"])?,
                local: uint(&json["local"])?,
            },
            Kind::Bytes(_) | Kind::Count(_) | Kind::Rest => Value::Bytes(bytes(json)?),
            Kind::Text(_) => Value::Text(text(json)?.to_owned()),
            Kind::Reason => {
                let kind = text(&json["kind"])?;
                let reason: &'static Layout =
                    codec::REASONS.iter().find(|reason| reason.1 == kind).ok_or_else(|| invalid("no such reason"))?;
                Value::Reason(reason, from_json(reason.2, json)?)
            }
            Kind::List(_, record) => {
                let list = json.as_array().ok_or_else(|| invalid(format!("{name} is no list")))?;
                Value::List(list.iter().map(|json| from_json(record, json)).collect::<Result<_, _>>()?)
            }
        })
    };
    fields.iter().map(one).collect()
}

fn main() -> io::Result<()> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let request: Json = serde_json::from_str(&line?)?;
        let method = request["method"].as_str().unwrap_or_default();
        let mut said = json!({"jsonrpc": "2.0", "id": request["id"]});
        match answer(method, &request["params"]) {
            Ok(result) => said["result"] = result,
            Err(Refused(code, message, data)) => {
                said["error"] = json!({"code": code, "message": message});
                if let Some(data) = data {
                    said["error"]["data"] = data;
                }
            }
        }
        writeln!(output, "{said}")?;
        output.flush()?;
        if method == "shutdown" {
            break;
        }
    }
    Ok(())
}
