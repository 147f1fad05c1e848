//! Fields to payloads: the half of the codec that is given JSON.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    answer::Failure,
    fields::{
        AckFields, ChallengeFields, EntryFields, ExitFields, LinkFields, MonitorExitFields, MonitorFields, NameFields,
        NonceFields, PeerListFields, RegSendFields, ReplyFields, RoomFields, SendFields, SpawnFields, SpawnReplyFields,
        SyncFields, UnregisterFields,
    },
    value::WirePidValue,
};
use crate::{
    node::CommandError,
    wire::{
        Message, WirePid,
        handshake::{Ack, ChallengeMessage, Name, Reply},
        membership::PeerList,
        process::{Exit, Link, Monitor, MonitorExit, RegSend, Send, Spawn, SpawnReply},
        registry::{GlobalEntry, GlobalSync},
        room::RoomBroadcast,
    },
};

#[derive(Debug, Deserialize)]
pub(crate) struct Encode {
    message: String,
    fields: Value,
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
        "SEND" => {
            let f: SendFields = read(given)?;
            Send { target: wire(f.target)?, message: &f.message }.encode()
        }
        "REG_SEND" => {
            let f: RegSendFields = read(given)?;
            RegSend { name: &f.name, message: &f.message }.encode()
        }
        "LINK" => Message::Link(link(given)?).encode(),
        "UNLINK" => Message::Unlink(link(given)?).encode(),
        "EXIT" => {
            let f: ExitFields = read(given)?;
            Exit { from: wire(f.from)?, to: wire(f.to)?, reason: f.reason.wire().ok_or_else(forty_bits)? }.encode()
        }
        "MONITOR" => Message::Monitor(monitor_fields(given)?).encode(),
        "DEMONITOR" => Message::Demonitor(monitor_fields(given)?).encode(),
        "MONITOR_EXIT" => {
            let f: MonitorExitFields = read(given)?;
            let (monitored, monitoring) = (wire(f.monitored)?, wire(f.monitoring)?);
            let reason = f.reason.wire().ok_or_else(forty_bits)?;
            MonitorExit { monitored, monitoring, reference: f.reference, reason }.encode()
        }
        "SPAWN" => {
            let SpawnFields { request, requester, link, function, args } = read(given)?;
            Spawn { request, requester: wire(requester)?, link, function: &function, args: &args }.encode()
        }
        "SPAWN_REPLY" => {
            let SpawnReplyFields { request, status, local } = read(given)?;
            SpawnReply { request, status, local }.encode()
        }
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
    Ok(GlobalEntry { name: &fields.name, pid: wire(fields.pid)?, owner: &fields.owner })
}

fn link(fields: Value) -> Result<Link, Failure> {
    let LinkFields { from, to } = read(fields)?;
    Ok(Link { from: wire(from)?, to: wire(to)? })
}

fn monitor_fields(fields: Value) -> Result<Monitor, Failure> {
    let MonitorFields { from, to, reference } = read(fields)?;
    Ok(Monitor { from: wire(from)?, to: wire(to)?, reference })
}

fn wire(pid: WirePidValue) -> Result<WirePid, Failure> {
    pid.wire().ok_or_else(forty_bits)
}

fn forty_bits() -> Failure {
    Failure::invalid_params("a local id has 40 bits")
}

pub(super) fn read<T: DeserializeOwned>(fields: Value) -> Result<T, Failure> {
    serde_json::from_value(fields).map_err(|why| Failure::invalid_params(why.to_string()))
}
