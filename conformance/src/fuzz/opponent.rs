//! The node that is fuzzed over real sockets, and the peers that do it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use super::choices::Choices;
use crate::cluster::{ControlClient, Host, NodeProcess, Pipes, WireOnlyNode, WireOnlyStart};
use crate::codec::{Decoded, Message, Value, decode, encode, proof};
use crate::peer::{ClientOptions, Connection, HANDSHAKE_LIMIT, Listener, Phase as PeerPhase, Received, ServerOptions};
use crate::runner::Environment;
use crate::schema::{Phase, Schema};

/// How long the node may take for anything: it is a busy machine's time, not a judgement.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

const COOKIE: &[u8] = b"the cookie of the fuzzer";

/// A node under attack.
pub(super) struct Opponent<'a> {
    schema: &'a Schema,
    running: Running,
    address: SocketAddr,
    /// Where its peers are.
    host: &'a Host,
    /// Peers have names of their own.
    peers: u32,
}

enum Running {
    Control(NodeProcess, #[allow(dead_code, reason = "keeps listening")] ControlClient),
    WireOnly(WireOnlyNode),
}

impl<'a> Opponent<'a> {
    /// Starts one.
    pub(super) fn start(environment: &'a Environment) -> Result<Self, String> {
        let deadline = Instant::now() + PATIENCE;
        let implementation = environment.implementation();
        let addresses = environment.addresses();
        let (running, name) = if implementation.has_control() {
            let run = addresses.command(&implementation.run, 0);
            let process = NodeProcess::spawn(&run, Pipes::Control).map_err(|error| error.to_string())?;
            let client = ControlClient::attach(&process).ok_or("no thread could be started to listen to the node")?;
            client.initialize(deadline).map_err(|error| error.to_string())?;
            let name = format!("fuzzed@{}:0", addresses.node(0).text);
            let mut params = json!({"name": name, "cookie": hex::encode(COOKIE)});
            if addresses.bind_apart() {
                params["listen"] = format!("{}:0", addresses.bound(0)).into();
            }
            let answer = client.call("node.start", params, deadline).map_err(|error| error.to_string())?;
            let name = answer["name"].as_str().unwrap_or_default().to_owned();
            (Running::Control(process, client), name)
        } else {
            let start = WireOnlyStart::new("fuzzed", COOKIE);
            let node = WireOnlyNode::start(&implementation.run, &start, deadline).map_err(|error| error.to_string())?;
            let name = node.name.clone();
            (Running::WireOnly(node), name)
        };
        let port =
            name.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).ok_or("the node's name has no port")?;
        let address = SocketAddr::new(addresses.node(0).ip, port);
        Ok(Self { schema: &environment.schema, running, address, host: addresses.peers(), peers: 0 })
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&self) -> Option<String> {
        let process = match &self.running {
            Running::Control(process, _) => process,
            Running::WireOnly(node) => &node.process,
        };
        // One that is about to end closes its connections first.
        let exit = process.wait(Instant::now() + Duration::from_millis(200))?;
        let log: Vec<String> = process.log().iter().rev().take(5).map(|line| line.text.clone()).collect();
        Some(format!("the node {exit}; its last words: {}", log.into_iter().rev().collect::<Vec<_>>().join(" | ")))
    }

    /// A name that no peer has had.
    pub(super) fn peer(&mut self) -> String {
        self.peers += 1;
        format!("p{}@{}:1", self.peers, self.host.text)
    }

    pub(super) fn dial(&self) -> Result<Connection, String> {
        Connection::dial(self.address, &ClientOptions::default(), Instant::now() + PATIENCE)
            .map_err(|error| format!("a good peer could not connect: {error}"))
    }

    /// A whole session, as the initiator.
    pub(super) fn join(&mut self, choices: &mut Choices) -> Result<Connection, String> {
        let name = self.peer();
        let connection = self.dial()?;
        connection.send_frame(&self.name_message(&name));
        let theirs = self.challenge_of(&connection, "CHALLENGE")?;
        // What comes right behind ACK is a session's already.
        connection.set_phase(PeerPhase::Session);
        let own = random(choices);
        connection.send_frame(&self.reply(&theirs, &own));
        let ack = self.expect(&connection, "ACK")?;
        if ack.fields.get("proof") != Some(&Value::Bytes(proof(COOKIE, &own).to_vec())) {
            return Err("ACK carries a wrong proof".to_owned());
        }
        Ok(connection)
    }

    /// Lists a name of our own, and takes the connection that the node then makes.
    pub(super) fn dialled(&mut self, session: &Connection) -> Result<(Connection, String), String> {
        let listener = Listener::bind(self.host.ip).map_err(|error| error.to_string())?;
        self.peers += 1;
        let name = format!("d{}@{}:{}", self.peers, self.host.text, listener.address().port());
        session.send_frame(&self.message("PEER_LIST", &json!({"peers": [{"name": name}]})));
        let deadline = Instant::now() + PATIENCE;
        let incoming = listener.accept(deadline).map_err(|error| error.to_string())?;
        let connection = incoming.tls(ServerOptions::default(), deadline).map_err(|error| error.to_string())?;
        self.expect(&connection, "NAME")?;
        Ok((connection, name))
    }

    /// Asks for a PONG, which follows the effects of all that has been sent (MEM-30).
    pub(super) fn fence(&self, connection: &Connection, choices: &mut Choices) -> Result<(), String> {
        let nonce = choices.any().to_le_bytes();
        connection.send_frame(&[&[0xF0][..], &nonce].concat());
        let deadline = Instant::now() + PATIENCE;
        loop {
            match connection.next(deadline) {
                Received::Frame { payload, .. } if payload == [&[0xF1][..], &nonce].concat() => return Ok(()),
                Received::Frame { .. } => {}
                Received::Closed(closing) => return Err(format!("the session was ended: {:?}", closing.kind)),
                Received::TimedOut => return Err("no PONG came".to_owned()),
            }
        }
    }

    pub(super) fn name_message(&self, name: &str) -> Vec<u8> {
        self.message("NAME", &json!({"name": name, "creation": 7}))
    }

    pub(super) fn challenge(&self, name: &str, challenge: &[u8]) -> Vec<u8> {
        self.message("CHALLENGE", &json!({"name": name, "creation": 7, "challenge": hex::encode(challenge)}))
    }

    pub(super) fn reply(&self, theirs: &[u8], own: &[u8]) -> Vec<u8> {
        let proof = hex::encode(proof(COOKIE, theirs));
        self.message("REPLY", &json!({"proof": proof, "challenge": hex::encode(own)}))
    }

    pub(super) fn ack(&self, theirs: &[u8]) -> Vec<u8> {
        self.message("ACK", &json!({"proof": hex::encode(proof(COOKIE, theirs))}))
    }

    /// The challenge in the next message, which has to be of that name.
    pub(super) fn challenge_of(&self, connection: &Connection, message: &str) -> Result<Vec<u8>, String> {
        match self.expect(connection, message)?.fields.get("challenge") {
            Some(Value::Bytes(challenge)) => Ok(challenge.clone()),
            _ => Err(format!("{message} has no challenge")),
        }
    }

    /// Whether the proof in a payload is what this challenge asks for.
    pub(super) fn proves(&self, message: &str, payload: &[u8], challenge: &[u8]) -> bool {
        let wanted = Value::Bytes(proof(COOKIE, challenge).to_vec());
        let fits = payload.len() <= HANDSHAKE_LIMIT;
        fits && matches!(decode(self.schema, Phase::Handshake, payload),
            Ok(Decoded { message: found, .. }) if found.name == message && found.fields.get("proof") == Some(&wanted))
    }

    fn expect(&self, connection: &Connection, message: &str) -> Result<Message, String> {
        match connection.next(Instant::now() + PATIENCE) {
            Received::Frame { payload, .. } => match decode(self.schema, Phase::Handshake, &payload) {
                Ok(Decoded { message: found, .. }) if found.name == message => Ok(found),
                _ => Err(format!("{} came instead of {message}", hex::encode(payload))),
            },
            Received::Closed(closing) => Err(format!("a good peer got no {message}: {:?}", closing.kind)),
            Received::TimedOut => Err(format!("a good peer got no {message} in time")),
        }
    }

    fn message(&self, name: &str, fields: &serde_json::Value) -> Vec<u8> {
        // Fields of this file's own making, in the schema's own layouts.
        let message = Message::from_json(self.schema, name, fields).ok();
        let encoded = message.and_then(|message| encode(self.schema, &message).ok());
        encoded.map(|encoded| encoded.payload()).unwrap_or_default()
    }
}

/// 32 bytes.
pub(super) fn random(choices: &mut Choices) -> Vec<u8> {
    (0..4).flat_map(|_| choices.any().to_le_bytes()).collect()
}
