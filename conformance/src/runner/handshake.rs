//! Both parts of the handshake, and what a node has to say in it.

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::codec::{self, Decoded, Message};
use crate::peer::{self, frame};
use crate::random::random_bytes;
use crate::results::Cause;
use crate::scenario::step::{Handshake, HandshakeStep};
use crate::schema::Phase;

use super::context::Context;
use super::frames::Next;
use super::stop::{StepResult, Stop};

impl Context<'_> {
    /// The initiator's handshake on an open connection.
    pub(super) fn handshake(&mut self, step: &Handshake) -> StepResult {
        let name = self.name(&step.session)?;
        let peer = self.name(&step.peer)?;
        let creation = match &step.creation {
            Some(creation) => Some(creation.number("creation", self)?),
            None => None,
        };
        self.session_mut(&name)?.peer.clone_from(&peer);
        self.initiate(&name, creation, step.through)?;
        self.session_mut(&name)?.opening = step.opening;
        Ok(())
    }

    pub(super) fn initiate(&mut self, name: &str, creation: Option<u64>, through: HandshakeStep) -> StepResult {
        let session = self.session(name)?;
        let (node_key, peer_key) = (session.node.clone(), session.peer.clone());
        let peer = self.peer(&peer_key)?;
        let creation = creation.unwrap_or_else(|| peer.creation.into());
        let (own_name, cookie) = (peer.name.clone(), peer.cookie.clone());
        if through < HandshakeStep::Name {
            return Ok(());
        }
        self.send_message(name, "NAME", &json!({"name": own_name, "creation": creation}))?;
        if through < HandshakeStep::Challenge {
            return Ok(());
        }
        let challenge = self.handshake_message(name, "CHALLENGE", "HS-6")?;
        self.same_name(name, "CHALLENGE", &challenge, &node_key, "HS-6")?;
        let theirs = field_bytes(&challenge, "challenge");
        self.heard(name, &node_key, &challenge)?;
        if through < HandshakeStep::Reply {
            return Ok(());
        }
        let own = random_bytes(32);
        let proof = codec::proof(&cookie, &theirs);
        // What the node sends right behind ACK counts by the session's rules already.
        self.session(name)?.connection.set_phase(peer::Phase::Session);
        self.send_message(name, "REPLY", &json!({"proof": hex::encode(proof), "challenge": hex::encode(&own)}))?;
        if through < HandshakeStep::Ack {
            return Ok(());
        }
        let ack = self.handshake_message(name, "ACK", "HS-8")?;
        self.same_proof(name, "ACK", &ack, &codec::proof(&cookie, &own), "HS-8")?;
        self.session_mut(name)?.phase = Phase::Session;
        Ok(())
    }

    pub(super) fn respond(&mut self, name: &str, creation: Option<u64>, through: HandshakeStep) -> StepResult {
        let session = self.session(name)?;
        let (node_key, peer_key) = (session.node.clone(), session.peer.clone());
        let peer = self.peer(&peer_key)?;
        let creation = creation.unwrap_or_else(|| peer.creation.into());
        let (own_name, cookie) = (peer.name.clone(), peer.cookie.clone());
        if through < HandshakeStep::Name {
            return Ok(());
        }
        let hello = self.handshake_message(name, "NAME", "HS-5")?;
        self.same_name(name, "NAME", &hello, &node_key, "HS-5")?;
        self.heard(name, &node_key, &hello)?;
        if through < HandshakeStep::Challenge {
            return Ok(());
        }
        let own = random_bytes(32);
        self.send_message(
            name,
            "CHALLENGE",
            &json!({"name": own_name, "creation": creation, "challenge": hex::encode(&own)}),
        )?;
        if through < HandshakeStep::Reply {
            return Ok(());
        }
        let reply = self.handshake_message(name, "REPLY", "HS-7")?;
        self.same_proof(name, "REPLY", &reply, &codec::proof(&cookie, &own), "HS-7")?;
        let theirs = field_bytes(&reply, "challenge");
        self.heard(name, &node_key, &reply)?;
        if through < HandshakeStep::Ack {
            return Ok(());
        }
        let proof = codec::proof(&cookie, &theirs);
        self.begin_session(name)?;
        self.send_message(name, "ACK", &json!({"proof": hex::encode(proof)}))
    }

    /// Sends one well-formed message.
    pub(super) fn send_message(&mut self, name: &str, message: &str, fields: &Value) -> StepResult {
        let message = Message::from_json(self.schema(), message, fields)
            .map_err(|error| Stop::Harness(format!("{message} cannot be made: {error}")))?;
        let encoded = codec::encode(self.schema(), &message)
            .map_err(|error| Stop::Harness(format!("{} cannot be encoded: {error}", message.name)))?;
        self.deliver(name, &frame(&encoded.payload()))
    }

    /// The next frame, which has to be this handshake message.
    pub(super) fn handshake_message(
        &mut self,
        name: &str,
        message: &str,
        requirement: &'static str,
    ) -> StepResult<IndexMap<String, codec::Value>> {
        let deadline = self.deadline;
        let payload = match self.next_frame(name, deadline)? {
            Next::Frame(payload) => payload,
            Next::Closed(kind, _) => {
                let mut broken = self.early_close(name, &kind).expected(message);
                broken.requirement.get_or_insert(requirement);
                return Err(broken.into());
            }
            Next::TimedOut => {
                return Err(Stop::broken(Cause::MissingFrame, format!("no {message} came on `{name}`"))
                    .blames(requirement)
                    .expected(message)
                    .meanwhile(self.arrived())
                    .into());
            }
        };
        match codec::decode(self.schema(), Phase::Handshake, &payload) {
            Ok(Decoded { message: found, .. }) if found.name == message => Ok(found.fields),
            _ => Err(Stop::broken(Cause::UnexpectedFrame, format!("another frame came on `{name}`"))
                .blames(requirement)
                .expected(message)
                .actual(codec::summary(self.schema(), Phase::Handshake, &payload))
                .into()),
        }
    }

    /// The name in a handshake message has to be the node's.
    fn same_name(
        &self,
        session: &str,
        message: &str,
        fields: &IndexMap<String, codec::Value>,
        node: &str,
        requirement: &'static str,
    ) -> StepResult {
        let expected = &self.node(node)?.name;
        match fields.get("name") {
            Some(codec::Value::Text(name)) if name == expected => Ok(()),
            other => Err(Stop::broken(Cause::WrongBytes, format!("{message} on `{session}` has a wrong name"))
                .blames(requirement)
                .expected(format!("name = {expected:?}"))
                .actual(format!("name = {}", other.map(ToString::to_string).unwrap_or_default()))
                .into()),
        }
    }

    pub(super) fn same_proof(
        &self,
        session: &str,
        message: &str,
        fields: &IndexMap<String, codec::Value>,
        expected: &[u8],
        requirement: &'static str,
    ) -> StepResult {
        let actual = field_bytes(fields, "proof");
        if actual == expected {
            return Ok(());
        }
        Err(Stop::broken(Cause::WrongBytes, format!("{message} on `{session}` has a wrong proof"))
            .blames(requirement)
            .expected(format!("proof = {}", hex::encode(expected)))
            .actual(format!("proof = {}", hex::encode(actual)))
            .into())
    }

    /// Keeps what the node said of itself, as `${session.challenge}`, `${session.proof}`, `${session.node_creation}`.
    fn heard(&mut self, session: &str, node: &str, fields: &IndexMap<String, codec::Value>) -> StepResult {
        let session = self.session_mut(session)?;
        for (field, value) in fields {
            let key = if field == "creation" { "node_creation" } else { field };
            if field != "name" {
                session.heard.insert(key.to_owned(), value.to_json());
            }
        }
        if let Some(codec::Value::Uint(creation)) = fields.get("creation") {
            let creation = u8::try_from(*creation).ok();
            self.node_mut(node)?.creation = creation;
        }
        Ok(())
    }
}

fn field_bytes(fields: &IndexMap<String, codec::Value>, name: &str) -> Vec<u8> {
    match fields.get(name) {
        Some(codec::Value::Bytes(bytes)) => bytes.clone(),
        _ => Vec::new(),
    }
}
