//! The codec on its own, for golden vectors: payloads to fields and back.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    answer::Failure,
    value::{WirePidValue, array, bytes},
};
use crate::{
    node::CommandError,
    wire::{
        FrameReader, MAX_HANDSHAKE_PAYLOAD, MAX_SESSION_PAYLOAD, Message,
        handshake::{Ack, ChallengeMessage, Cookie, Name, Reply},
        membership::PeerList,
        message::{self, Undecodable},
        registry::{GlobalEntry, GlobalSync},
        room::RoomBroadcast,
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
pub(crate) struct Encode {
    message: String,
    fields: Value,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Proof {
    #[serde(deserialize_with = "bytes")]
    cookie: Vec<u8>,
    #[serde(deserialize_with = "array")]
    challenge: [u8; 32],
}

#[derive(Debug, Deserialize)]
struct NameFields {
    name: String,
    creation: u8,
}

#[derive(Debug, Deserialize)]
struct ChallengeFields {
    name: String,
    creation: u8,
    #[serde(deserialize_with = "array")]
    challenge: [u8; 32],
}

#[derive(Debug, Deserialize)]
struct ReplyFields {
    #[serde(deserialize_with = "array")]
    proof: [u8; 32],
    #[serde(deserialize_with = "array")]
    challenge: [u8; 32],
}

#[derive(Debug, Deserialize)]
struct AckFields {
    #[serde(deserialize_with = "array")]
    proof: [u8; 32],
}

#[derive(Debug, Deserialize)]
struct PeerFields {
    name: String,
}

#[derive(Debug, Deserialize)]
struct PeerListFields {
    peers: Vec<PeerFields>,
}

#[derive(Debug, Deserialize)]
struct NonceFields {
    #[serde(deserialize_with = "array")]
    nonce: [u8; 8],
}

#[derive(Debug, Deserialize)]
struct EntryFields {
    name: String,
    pid: WirePidValue,
    owner: String,
}

#[derive(Debug, Deserialize)]
struct UnregisterFields {
    name: String,
}

#[derive(Debug, Deserialize)]
struct SyncFields {
    entries: Vec<EntryFields>,
}

#[derive(Debug, Deserialize)]
struct RoomFields {
    room: String,
    text: String,
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
        Message::GlobalRegister(m) => ("GLOBAL_REGISTER", entry(m)),
        Message::GlobalUnregister(name) => ("GLOBAL_UNREGISTER", json!({"name": name})),
        Message::GlobalSync(m) => ("GLOBAL_SYNC", json!({"entries": m.entries.iter().map(entry).collect::<Vec<_>>()})),
        Message::RoomBroadcast(m) => ("ROOM_BROADCAST", json!({"room": m.room, "text": m.text})),
    }
}

fn entry(entry: &GlobalEntry<'_>) -> Value {
    json!({"name": entry.name, "pid": WirePidValue::from(entry.pid), "owner": entry.owner})
}

/// `codec.encode`.
///
/// # Errors
/// -32602 for fields that are not the message's, -32009 for what does not fit.
pub(crate) fn encode(params: Encode) -> Result<Value, Failure> {
    let given = params.fields;
    let payload = match params.message.as_str() {
        "NAME" => {
            let f: NameFields = read(given)?;
            Name { name: &f.name, creation: f.creation }.encode()
        }
        "CHALLENGE" => {
            let f: ChallengeFields = read(given)?;
            ChallengeMessage { name: &f.name, creation: f.creation, challenge: f.challenge }.encode()
        }
        "REPLY" => {
            let f: ReplyFields = read(given)?;
            Reply { proof: f.proof, challenge: f.challenge }.encode()
        }
        "ACK" => Ack { proof: read::<AckFields>(given)?.proof }.encode(),
        "PEER_LIST" => {
            let f: PeerListFields = read(given)?;
            PeerList { peers: f.peers.iter().map(|peer| peer.name.as_str()).collect() }.encode()
        }
        "PING" => Message::Ping(read::<NonceFields>(given)?.nonce).encode(),
        "PONG" => Message::Pong(read::<NonceFields>(given)?.nonce).encode(),
        "GLOBAL_REGISTER" => borrow(&read(given)?)?.encode_register(),
        "GLOBAL_UNREGISTER" => Message::GlobalUnregister(&read::<UnregisterFields>(given)?.name).encode(),
        "GLOBAL_SYNC" => {
            let f: SyncFields = read(given)?;
            GlobalSync { entries: f.entries.iter().map(borrow).collect::<Result<_, _>>()? }.encode()
        }
        "ROOM_BROADCAST" => {
            let f: RoomFields = read(given)?;
            RoomBroadcast { room: &f.room, text: &f.text }.encode()
        }
        other => return Err(Failure::invalid_params(format!("there is no message {other:?}"))),
    };
    let payload = payload.map_err(|_| CommandError::TooLarge)?;
    Ok(json!({"bytes": hex::encode(payload)}))
}

fn borrow(fields: &EntryFields) -> Result<GlobalEntry<'_>, Failure> {
    let pid = fields.pid.wire().ok_or_else(|| Failure::invalid_params("a local id has 40 bits"))?;
    Ok(GlobalEntry { name: &fields.name, pid, owner: &fields.owner })
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

fn read<T: DeserializeOwned>(fields: Value) -> Result<T, Failure> {
    serde_json::from_value(fields).map_err(|why| Failure::invalid_params(why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(phase: &str, bytes: &str) -> Result<Value, Failure> {
        decode(&read(json!({"phase": phase, "bytes": bytes}))?)
    }

    #[test]
    fn what_decodes_encodes_again() {
        let challenge = "07".repeat(32);
        let entry = json!({"name": "x", "pid": {"node_id": 3, "creation": 7, "local": 42}, "owner": "o@h"});
        for (phase, message, fields) in [
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
    fn undecodable_payloads_say_why() {
        for (phase, bytes, kind) in [
            ("session", "", "empty"),
            ("session", "01", "unknown_tag"),
            ("handshake", "f0", "unknown_tag"),
            ("session", "f001", "malformed"),
            ("session", "1c0100ff", "malformed"),
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
