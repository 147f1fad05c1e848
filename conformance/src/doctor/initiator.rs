//! The initiator's part of one handshake with a wire-only node, to see whether its adapter passed on what it was given. Judges no requirement.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};

use crate::codec::{self, Message};
use crate::peer::{ClientOptions, Connection, Received};
use crate::random::random_bytes;
use crate::schema::{Phase, Schema};

/// What became of a handshake.
#[derive(Debug)]
pub(super) enum Met {
    /// ACK came, and whether its proof is right.
    Acknowledged {
        /// Whether the proof in it is that of the cookie.
        right: bool,
    },
    /// The connection ended instead of an ACK, or nothing came in time.
    Refused(String),
}

/// A connection on which CHALLENGE has come.
pub(super) struct Challenged {
    /// The name that the node gave itself.
    pub(super) name: String,
    connection: Connection,
    challenge: Vec<u8>,
}

/// Connects, says NAME and awaits CHALLENGE. The error says in words what came instead.
pub(super) fn challenged(
    schema: &Schema,
    address: SocketAddr,
    own: &str,
    deadline: Instant,
) -> Result<Challenged, String> {
    let connection =
        Connection::dial(address, &ClientOptions::default(), deadline).map_err(|error| error.to_string())?;
    send(schema, &connection, "NAME", &json!({"name": own, "creation": 1}))?;
    let fields = receive(schema, &connection, "CHALLENGE", deadline)?;
    let name = fields["name"].as_str().unwrap_or_default().to_owned();
    let challenge = hex::decode(fields["challenge"].as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
    Ok(Challenged { name, connection, challenge })
}

impl Challenged {
    /// Proves a cookie and awaits what comes of it.
    pub(super) fn prove(self, schema: &Schema, cookie: &[u8], deadline: Instant) -> Result<Met, String> {
        let own = random_bytes(32);
        let proof = codec::proof(cookie, &self.challenge);
        let reply = json!({"proof": hex::encode(proof), "challenge": hex::encode(&own)});
        send(schema, &self.connection, "REPLY", &reply)?;
        Ok(match receive(schema, &self.connection, "ACK", deadline) {
            Ok(fields) => Met::Acknowledged { right: fields["proof"] == hex::encode(codec::proof(cookie, &own)) },
            Err(words) => Met::Refused(words),
        })
    }
}

fn send(schema: &Schema, connection: &Connection, message: &str, fields: &Value) -> Result<(), String> {
    let message = Message::from_json(schema, message, fields).map_err(|error| error.to_string())?;
    let encoded = codec::encode(schema, &message).map_err(|error| error.to_string())?;
    connection.send_frame(&encoded.payload());
    Ok(())
}

/// The fields of the next message, which has to be this one, as JSON.
fn receive(schema: &Schema, connection: &Connection, wanted: &str, deadline: Instant) -> Result<Value, String> {
    let payload = match connection.next(deadline) {
        Received::Frame { payload, .. } => payload,
        Received::Closed(closing) => {
            return Err(format!("the connection ended ({:?}) instead of {wanted}", closing.kind));
        }
        Received::TimedOut => return Err(format!("no {wanted} came")),
    };
    match codec::decode(schema, Phase::Handshake, &payload) {
        Ok(decoded) if decoded.message.name == wanted => {
            Ok(decoded.message.fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect())
        }
        _ => Err(format!("instead of {wanted} came {}", codec::summary(schema, Phase::Handshake, &payload))),
    }
}
