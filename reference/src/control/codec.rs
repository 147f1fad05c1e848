//! The codec on its own, for golden vectors: payloads to fields, streams to payloads, challenges to proofs.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::Failure,
    value::{WirePidValue, array, bytes, wire_reason},
};
use crate::{
    node::CommandError,
    wire::{
        FrameReader, MAX_HANDSHAKE_PAYLOAD, MAX_SESSION_PAYLOAD, Message, WirePid,
        handshake::Cookie,
        message::{self, Undecodable},
        process::Monitor,
        registry::GlobalEntry,
    },
};

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Handshake,
    Session,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Stream {
    phase: Phase,
    #[serde(deserialize_with = "bytes")]
    bytes: Vec<u8>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Proof {
    #[serde(deserialize_with = "bytes")]
    cookie: Vec<u8>,
    #[serde(deserialize_with = "array")]
    challenge: [u8; 32],
}

/// `codec.decode`.
///
/// # Errors
/// -32020 with `data.kind` for what is no message.
pub(crate) fn decode(params: &Stream) -> Result<Value, Failure> {
    let phase = match params.phase {
        Phase::Handshake => message::Phase::Handshake,
        Phase::Session => message::Phase::Session,
    };
    let (message, left_over) = Message::decode(phase, &params.bytes).map_err(|why| {
        let kind = match why {
            Undecodable::Empty => "empty",
            Undecodable::UnknownTag(_) => "unknown_tag",
            Undecodable::Malformed(_) => "malformed",
        };
        Failure::undecodable(kind, why.to_string())
    })?;
    let (name, fields) = fields(&message);
    Ok(json!({"message": name, "fields": fields, "left_over": hex::encode(left_over)}))
}

fn fields(message: &Message<'_>) -> (&'static str, Value) {
    match message {
        Message::Name(m) => ("NAME", json!({"name": m.name, "creation": m.creation})),
        Message::Challenge(m) => {
            let challenge = hex::encode(m.challenge);
            ("CHALLENGE", json!({"name": m.name, "creation": m.creation, "challenge": challenge}))
        }
        Message::Reply(m) => ("REPLY", json!({"proof": hex::encode(m.proof), "challenge": hex::encode(m.challenge)})),
        Message::Ack(m) => ("ACK", json!({"proof": hex::encode(m.proof)})),
        Message::PeerList(m) => {
            let peers: Vec<_> = m.peers.iter().map(|name| json!({"name": name})).collect();
            ("PEER_LIST", json!({"peers": peers}))
        }
        Message::Ping(nonce) => ("PING", json!({"nonce": hex::encode(nonce)})),
        Message::Pong(nonce) => ("PONG", json!({"nonce": hex::encode(nonce)})),
        Message::Send(m) => ("SEND", json!({"target": pid_of(m.target), "message": hex::encode(m.message)})),
        Message::RegSend(m) => ("REG_SEND", json!({"name": m.name, "message": hex::encode(m.message)})),
        Message::Link(m) => ("LINK", json!({"from": pid_of(m.from), "to": pid_of(m.to)})),
        Message::Unlink(m) => ("UNLINK", json!({"from": pid_of(m.from), "to": pid_of(m.to)})),
        Message::Exit(m) => {
            ("EXIT", json!({"from": pid_of(m.from), "to": pid_of(m.to), "reason": wire_reason(&m.reason)}))
        }
        Message::Monitor(m) => ("MONITOR", monitor(m)),
        Message::Demonitor(m) => ("DEMONITOR", monitor(m)),
        Message::MonitorExit(m) => {
            let (monitored, monitoring) = (pid_of(m.monitored), pid_of(m.monitoring));
            let (reference, reason) = (m.reference.to_string(), wire_reason(&m.reason));
            let fields = json!({"monitored": monitored, "monitoring": monitoring, "ref": reference, "reason": reason});
            ("MONITOR_EXIT", fields)
        }
        Message::Spawn(m) => {
            let (request, requester) = (m.request.to_string(), pid_of(m.requester));
            let (function, args) = (hex::encode(m.function), hex::encode(m.args));
            let head =
                json!({"request": request, "requester": requester, "link": m.link, "function": function, "args": args});
            ("SPAWN", head)
        }
        Message::SpawnReply(m) => {
            let (request, local) = (m.request.to_string(), m.local.to_string());
            ("SPAWN_REPLY", json!({"request": request, "status": m.status, "local": local}))
        }
        Message::GlobalRegister(m) => ("GLOBAL_REGISTER", entry(m)),
        Message::GlobalUnregister(name) => ("GLOBAL_UNREGISTER", json!({"name": name})),
        Message::GlobalSync(m) => ("GLOBAL_SYNC", json!({"entries": m.entries.iter().map(entry).collect::<Vec<_>>()})),
        Message::RoomBroadcast(m) => ("ROOM_BROADCAST", json!({"room": m.room, "text": m.text})),
    }
}

fn pid_of(pid: WirePid) -> WirePidValue {
    pid.into()
}

fn monitor(m: &Monitor) -> Value {
    json!({"from": pid_of(m.from), "to": pid_of(m.to), "ref": m.reference.to_string()})
}

fn entry(entry: &GlobalEntry<'_>) -> Value {
    json!({"name": entry.name, "pid": WirePidValue::from(entry.pid), "owner": entry.owner})
}

/// `codec.frames`.
///
/// # Errors
/// None; the type is that of its neighbours.
pub(crate) fn frames(params: &Stream) -> Result<Value, Failure> {
    let limit = match params.phase {
        Phase::Handshake => MAX_HANDSHAKE_PAYLOAD,
        Phase::Session => MAX_SESSION_PAYLOAD,
    };
    let mut reader = FrameReader::new();
    let mut input = &params.bytes[..];
    let mut payloads = Vec::new();
    let end = loop {
        match reader.next(&mut input, limit) {
            Ok(Some(payload)) => payloads.push(hex::encode(payload)),
            Ok(None) if reader.is_between_frames() => break "complete",
            Ok(None) => break "incomplete",
            Err(_) => break "too_long",
        }
    };
    Ok(json!({"frames": payloads, "end": end}))
}

/// `codec.proof`.
///
/// # Errors
/// -32003 for an empty cookie.
pub(crate) fn proof(params: Proof) -> Result<Value, Failure> {
    let cookie = Cookie::new(params.cookie).ok_or_else(|| CommandError::InvalidName("the cookie is empty".into()))?;
    Ok(json!({"proof": hex::encode(cookie.prove(&params.challenge))}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::encode::{encode, read};

    fn decoded(phase: &str, bytes: &str) -> Result<Value, Failure> {
        decode(&read(json!({"phase": phase, "bytes": bytes}))?)
    }

    #[test]
    fn what_decodes_encodes_again() {
        let challenge = "07".repeat(32);
        let entry = json!({"name": "x", "pid": {"node_id": 3, "creation": 7, "local": 42}, "owner": "o@h"});
        let pid = json!({"node_id": 3, "creation": 7, "local": 42});
        let reason = json!({"kind": "linked", "pid": pid, "reason": {"kind": "error", "text": "é"}});
        for (phase, message, fields) in [
            ("session", "LINK", json!({"from": pid, "to": pid})),
            ("session", "UNLINK", json!({"from": pid, "to": pid})),
            ("session", "EXIT", json!({"from": pid, "to": pid, "reason": reason})),
            ("session", "EXIT", json!({"from": pid, "to": pid, "reason": {"kind": "noconnection"}})),
            ("session", "MONITOR", json!({"from": pid, "to": pid, "ref": "18446744073709551615"})),
            ("session", "DEMONITOR", json!({"from": pid, "to": pid, "ref": "0"})),
            ("session", "MONITOR_EXIT", json!({"monitored": pid, "monitoring": pid, "ref": "7", "reason": reason})),
            ("session", "SPAWN_REPLY", json!({"request": "9", "status": 2, "local": "18446744073709551615"})),
            ("handshake", "NAME", json!({"name": "a@h", "creation": 0})),
            ("handshake", "CHALLENGE", json!({"name": "a@h", "creation": 3, "challenge": challenge})),
            ("handshake", "REPLY", json!({"proof": challenge, "challenge": challenge})),
            ("handshake", "ACK", json!({"proof": challenge})),
            ("session", "PEER_LIST", json!({"peers": [{"name": "a@h"}, {"name": ""}]})),
            ("session", "PING", json!({"nonce": "0102030405060708"})),
            ("session", "PONG", json!({"nonce": "0102030405060708"})),
            ("session", "GLOBAL_REGISTER", entry.clone()),
            ("session", "GLOBAL_UNREGISTER", json!({"name": "x"})),
            ("session", "GLOBAL_SYNC", json!({"entries": [entry]})),
            ("session", "ROOM_BROADCAST", json!({"room": "r", "text": ""})),
        ] {
            let request = read(json!({"message": message, "fields": fields})).unwrap();
            let encoded = encode(request).unwrap();
            let bytes = format!("{}beef", encoded["bytes"].as_str().unwrap());
            let expected = json!({"message": message, "fields": fields, "left_over": "beef"});
            assert_eq!(decoded(phase, &bytes).unwrap(), expected);
        }
    }

    #[test]
    fn messages_that_end_in_bytes_have_nothing_left_over() {
        let pid = json!({"node_id": 0, "creation": 0, "local": 1});
        for (message, fields) in [
            ("SEND", json!({"target": pid, "message": ""})),
            ("REG_SEND", json!({"name": "n", "message": "00ff"})),
            ("SPAWN", json!({"request": "1", "requester": pid, "link": 1, "function": "ff", "args": "beef"})),
        ] {
            let encoded = encode(read(json!({"message": message, "fields": fields})).unwrap()).unwrap();
            let expected = json!({"message": message, "fields": fields, "left_over": ""});
            assert_eq!(decoded("session", encoded["bytes"].as_str().unwrap()).unwrap(), expected);
        }
    }

    #[test]
    fn integers_of_64_bits_may_be_numbers_too() {
        let fields = json!({"request": 9, "status": 0, "local": 5});
        let encoded = encode(read(json!({"message": "SPAWN_REPLY", "fields": fields})).unwrap()).unwrap();
        assert_eq!(encoded["bytes"], "1a0900000000000000000500000000000000");
        for bad in [json!("-1"), json!("x"), json!("18446744073709551616"), json!(1.5), json!(null)] {
            let fields = json!({"request": bad, "status": 0, "local": 5});
            assert!(encode(read(json!({"message": "SPAWN_REPLY", "fields": fields})).unwrap()).is_err());
        }
    }

    #[test]
    fn undecodable_payloads_say_why() {
        for (phase, bytes, kind) in [
            ("session", "", "empty"),
            ("session", "01", "unknown_tag"),
            ("handshake", "f0", "unknown_tag"),
            ("session", "f001", "malformed"),
            ("session", "1c0100ff", "malformed"),
            ("session", "1501000000000000000200000000000000", "malformed"),
            ("session", "150100000000000000020000000000000009", "malformed"),
            ("session", "1801000000000000000200000000000000030000000000000009", "malformed"),
        ] {
            let failure = json!(decoded(phase, bytes).unwrap_err());
            assert_eq!((&failure["code"], &failure["data"]["kind"]), (&json!(-32_020), &json!(kind)), "{bytes}");
        }
    }

    #[test]
    fn streams_end_in_one_of_three_ways() {
        for (bytes, payloads, end) in [
            ("", json!([]), "complete"),
            ("01000000aa00000000", json!(["aa", ""]), "complete"),
            ("01000000aa0100", json!(["aa"]), "incomplete"),
            ("01000000aa01000000", json!(["aa"]), "incomplete"),
            ("01000000aa0110000000", json!(["aa"]), "too_long"),
        ] {
            let stream = read(json!({"phase": "handshake", "bytes": bytes})).unwrap();
            assert_eq!(frames(&stream).unwrap(), json!({"frames": payloads, "end": end}), "{bytes}");
        }
    }
}
