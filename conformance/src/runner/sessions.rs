//! Steps that open, authenticate and end connections.

use std::thread;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::codec::{self, Decoded, Message};
use crate::peer::{
    self, Certificate, ClientOptions, Close, ClosingKind, ConnectError, Connection, Incoming, ServerOptions,
    TlsVersion, frame, inspect_certificate,
};
use crate::random::random_bytes;
use crate::results::Cause;
use crate::scenario::step::{
    Accept, AnswerPings, CertificateChoice, CloseConnection, CloseHow, Connect, ExpectDials, Handshake, HandshakeStep,
    Join, MakeDial, Peers, Reading, Tls, TlsChoice,
};
use crate::scenario::{Expression, PeerSpec};
use crate::schema::Phase;

use super::context::{Context, Port, Session};
use super::frames::Next;
use super::stop::{Broken, StepResult, Stop};

/// How long `join … again: true` tries: the node may take a second to notice the end of the last session, and is given time
/// to be scheduled on a busy machine.
const AGAIN: Duration = Duration::from_secs(5);
/// Between two tries.
const AGAIN_PAUSE: Duration = Duration::from_millis(20);

impl Context<'_> {
    /// Opens a connection without a handshake.
    pub(super) fn connect(&mut self, step: &Connect) -> StepResult {
        let node = self.node_key(step.to.as_deref())?;
        let name = self.name(&step.session)?;
        let connection = self.open(&node, step.tls)?;
        self.add_session(name, Session::new(connection, "", &node));
        Ok(())
    }

    fn open(&mut self, node: &str, tls: TlsChoice) -> StepResult<Connection> {
        let address =
            self.node(node)?.address.ok_or_else(|| Stop::Harness(format!("`{node}` has not been started")))?;
        let opened = match versions(tls) {
            None => Connection::dial_tcp(address, self.deadline),
            Some(versions) => {
                Connection::dial(address, &ClientOptions { versions, ..ClientOptions::default() }, self.deadline)
            }
        };
        opened.map_err(|error| self.not_connected(node, &error))
    }

    fn not_connected(&self, node: &str, error: &ConnectError) -> Stop {
        if let ConnectError::Harness(message) = error {
            return Stop::Harness(message.clone());
        }
        if let Some(crash) = self.crashed(node) {
            return crash.into();
        }
        let cause = match error {
            ConnectError::TimedOut { .. } => Cause::MissingFrame,
            _ => Cause::EarlyClose,
        };
        Stop::broken(cause, format!("no TLS connection to `{node}` came about: {error}"))
            .blames("FRAME-1")
            .expected("a TLS connection")
            .into()
    }

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

    fn initiate(&mut self, name: &str, creation: Option<u64>, through: HandshakeStep) -> StepResult {
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

    /// Opens a connection and does the initiator's handshake.
    pub(super) fn join(&mut self, step: &Join) -> StepResult {
        let node = self.node_key(step.to.as_deref())?;
        let peer = self.name(&step.peer)?;
        let name = match &step.session {
            Some(session) => self.name(session)?,
            None => peer.clone(),
        };
        let creation = match &step.creation {
            Some(creation) => Some(creation.number("creation", self)?),
            None => None,
        };
        let until = Instant::now() + AGAIN;
        loop {
            let connection = self.open(&node, step.tls)?;
            self.add_session(name.clone(), Session::new(connection, &peer, &node));
            match self.initiate(&name, creation, HandshakeStep::Ack) {
                Err(Stop::Broken(broken))
                    if step.again
                        && broken.cause == Cause::EarlyClose
                        && Instant::now() < until
                        && Instant::now() < self.deadline =>
                {
                    thread::sleep(AGAIN_PAUSE);
                }
                Err(stop) => return Err(stop),
                Ok(()) => break,
            }
        }
        self.session_mut(&name)?.opening = step.opening;
        Ok(())
    }

    /// Makes a node dial a peer, by an adapter or by an introduction.
    pub(super) fn make_dial(&mut self, step: &MakeDial) -> StepResult {
        let node = self.node_key(step.node.as_deref())?;
        let peer = self.name(&step.peer)?;
        let target = self.peer(&peer)?.name.clone();
        if self.environment.has_control() {
            let id = step.call.clone().unwrap_or_else(|| format!("dial of {peer}"));
            return self.send_request(id, node, "node.connect", json!({ "node": target }));
        }
        let introducer = self.introducer(&node)?;
        self.send_message(&introducer, "PEER_LIST", &json!({"peers": [{ "name": target }]}))
    }

    /// The session of a peer of the runner's own that introduces others to this node.
    fn introducer(&mut self, node: &str) -> StepResult<String> {
        let name = format!("introducer of {node}");
        let stands = |session: &Session| session.connection.closing().is_none();
        if self.sessions.get(&name).is_some_and(stands) {
            return Ok(name);
        }
        if !self.peers.contains_key(&name) {
            let label = Expression::Text(format!("introducer-{}", self.peers.len()));
            self.add_peer(&name, &PeerSpec { name: Some(label), ..PeerSpec::default() })?;
            let cookie = self.node(node)?.cookie.clone();
            if let Some(peer) = self.peers.get_mut(&name) {
                peer.cookie = cookie;
            }
        }
        let connection = self.open(node, TlsChoice::Any)?;
        self.add_session(name.clone(), Session::new(connection, &name, node));
        self.initiate(&name, None, HandshakeStep::Ack)?;
        Ok(name)
    }

    /// Awaits a node's dial and does the acceptor's part.
    pub(super) fn accept(&mut self, step: &Accept) -> StepResult {
        let node = self.node_key(step.from.as_deref())?;
        let peer = self.name(&step.peer)?;
        let name = match &step.session {
            Some(session) => self.name(session)?,
            None => peer.clone(),
        };
        let incoming = self.incoming(&node, &peer)?;
        let Some(versions) = versions(step.tls) else {
            let connection = incoming.stall().map_err(|error| Stop::Harness(error.to_string()))?;
            self.add_session(name, Session::new(connection, &peer, &node));
            return Ok(());
        };
        let options = ServerOptions { certificate: certificate(step.certificate), versions };
        let connection = match (incoming.tls(options, self.deadline), step.tls_fails) {
            (Ok(connection), false) => connection,
            (Err(ConnectError::Harness(message)), _) => return Err(Stop::Harness(message)),
            (Err(_), true) => return Ok(()),
            // In TLS 1.3 the acceptor is done before the initiator's alert arrives.
            (Ok(connection), true) => {
                self.add_session(name.clone(), Session::new(connection, &peer, &node));
                return self.gives_up(&name);
            }
            (Err(error), false) => {
                return Err(Stop::broken(
                    Cause::EarlyClose,
                    format!("`{node}` dialled `{peer}`, but TLS did not come about: {error}"),
                )
                .blames("FRAME-2")
                .into());
            }
        };
        self.add_session(name.clone(), Session::new(connection, &peer, &node));
        let creation = match &step.creation {
            Some(creation) => Some(creation.number("creation", self)?),
            None => None,
        };
        self.respond(&name, creation, step.through)?;
        self.session_mut(&name)?.opening = step.opening;
        Ok(())
    }

    fn incoming(&mut self, node: &str, peer: &str) -> StepResult<Incoming> {
        let Port::Listening(listener) = &self.peer(peer)?.port else {
            return Err(Stop::Harness(format!("peer `{peer}` does not listen")));
        };
        listener.accept(self.deadline).map_err(|_| {
            if let Some(crash) = self.crashed(node) {
                return crash.into();
            }
            Stop::broken(Cause::MissingFrame, format!("`{node}` did not dial `{peer}`"))
                .expected("a TCP connection")
                .meanwhile(self.arrived())
                .into()
        })
    }

    /// The node has to end the connection in TLS, before any frame.
    fn gives_up(&mut self, name: &str) -> StepResult {
        let deadline = self.deadline;
        match self.next_frame(name, deadline)? {
            Next::Closed(..) => Ok(()),
            Next::Frame(payload) => Err(Stop::broken(
                Cause::UnexpectedFrame,
                format!("the node went on with `{name}` although it had to give up in TLS"),
            )
            .expected("the end of the connection")
            .actual(codec::summary(self.schema(), Phase::Handshake, &payload))
            .into()),
            Next::TimedOut => Err(Stop::broken(Cause::StillOpen, format!("the node did not close `{name}`")).into()),
        }
    }

    fn respond(&mut self, name: &str, creation: Option<u64>, through: HandshakeStep) -> StepResult {
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
        self.session(name)?.connection.send(&frame(&encoded.payload()));
        Ok(())
    }

    /// The next frame, which has to be this handshake message.
    fn handshake_message(
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

    fn same_proof(
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

    /// Ends a connection from the peer's side.
    pub(super) fn close_connection(&mut self, step: &CloseConnection) -> StepResult {
        let name = self.name(&step.session)?;
        let connection = &self.session(&name)?.connection;
        connection.close(match step.how {
            CloseHow::CloseNotify => Close::CloseNotifyThenFin,
            CloseHow::Fin => Close::Fin,
            CloseHow::Reset => Close::Reset,
        });
        Ok(())
    }

    /// Stops or resumes reading.
    pub(super) fn reading(&mut self, step: &Reading) -> StepResult {
        let name = self.name(&step.session)?;
        self.session(&name)?.connection.set_reading(step.enabled);
        Ok(())
    }

    /// Says whether PINGs are answered.
    pub(super) fn answer_pings(&mut self, step: &AnswerPings) -> StepResult {
        let name = self.name(&step.session)?;
        self.session(&name)?.connection.set_answer_pings(step.enabled);
        Ok(())
    }

    /// Judges what was seen of TLS.
    pub(super) fn tls(&mut self, step: &Tls) -> StepResult {
        let name = self.name(&step.session)?;
        let facts = self.session(&name)?.connection.tls_facts().clone();
        let differ = |what: &str, expected: String, actual: String| -> StepResult {
            Err(Stop::broken(Cause::WrongBytes, format!("TLS on `{name}` has a wrong {what}"))
                .expected(expected)
                .actual(actual)
                .into())
        };
        if let Some(version) = step.version {
            let expected = versions(version);
            if facts.version != expected {
                return differ("version", format!("{expected:?}"), format!("{:?}", facts.version));
            }
        }
        if let Some(sni) = &step.sni
            && facts.server_name.as_ref() != Some(sni)
        {
            return differ("server name", sni.clone(), facts.server_name.unwrap_or_else(|| "none".to_owned()));
        }
        if let Some(asks) = step.asks_client_certificate
            && facts.client_certificate_asked != asks
        {
            let asked = facts.client_certificate_asked;
            return differ("request for a client certificate", asks.to_string(), asked.to_string());
        }
        if step.self_signed.is_none() && step.common_name.is_none() && step.key.is_none() {
            return Ok(());
        }
        let certificate = facts.certificate.unwrap_or_default();
        let certificate = match inspect_certificate(&certificate) {
            Ok(certificate) => certificate,
            Err(error) => return differ("certificate", "an X.509 certificate".to_owned(), error.to_string()),
        };
        if step.self_signed.is_some_and(|expected| expected != certificate.self_signed) {
            return differ("issuer", "self-signed".to_owned(), "signed by another".to_owned());
        }
        if step.common_name.is_some() && step.common_name != certificate.common_name {
            return differ(
                "common name",
                step.common_name.clone().unwrap_or_default(),
                certificate.common_name.unwrap_or_else(|| "none".to_owned()),
            );
        }
        if step.key.as_deref() == Some("ecdsa-p256") && !certificate.p256 {
            return differ("key", "ECDSA P-256".to_owned(), "another kind of key".to_owned());
        }
        Ok(())
    }

    /// Stops a peer's port.
    pub(super) fn refuse_dials(&mut self, peer: &str) -> StepResult {
        let peer = self.name(peer)?;
        if let Port::Listening(listener) = &self.peer(&peer)?.port {
            listener.close();
        }
        Ok(())
    }

    fn dials(&self, peers: &Peers) -> StepResult<usize> {
        let mut count = 0;
        for peer in peers.names() {
            let peer = self.name(peer)?;
            if let Port::Listening(listener) = &self.peer(&peer)?.port {
                count += listener.pending();
            }
        }
        Ok(count)
    }

    /// Awaits so many TCP connections, which stay unanswered.
    pub(super) fn expect_dials(&mut self, step: &ExpectDials) -> StepResult {
        let count = usize::try_from(step.count.number("count", self)?).unwrap_or(usize::MAX);
        while self.dials(&step.peers)? < count {
            if Instant::now() >= self.deadline {
                return Err(Stop::broken(Cause::MissingFrame, "too few dials came")
                    .expected(format!("{count} TCP connections"))
                    .actual(format!("{} TCP connections", self.dials(&step.peers)?))
                    .meanwhile(self.arrived())
                    .into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        if let Some(session) = &step.no_more_after_fence {
            self.fence(&Peers::One(session.clone()))?;
            let dials = self.dials(&step.peers)?;
            if dials > count {
                return Err(Stop::broken(Cause::UnexpectedFrame, "more dials came than may be under way")
                    .expected(format!("{count} TCP connections"))
                    .actual(format!("{dials} TCP connections"))
                    .into());
            }
        }
        Ok(())
    }

    /// Fails on a dial that nobody accepted.
    pub(super) fn no_dial(&mut self, peers: &Peers) -> StepResult {
        let dials = self.dials(peers)?;
        if dials == 0 {
            return Ok(());
        }
        Err(Stop::broken(Cause::UnexpectedFrame, "the node dialled a peer that it must not dial")
            .expected("no TCP connection")
            .actual(format!("{dials} TCP connections at {}", peers.names().join(", ")))
            .into())
    }

    /// A connection ended that should have lived; or the node's process did, and took it along.
    pub(super) fn early_close(&self, name: &str, kind: &ClosingKind) -> Broken {
        if let Some(crash) = self.session(name).ok().and_then(|session| self.crashed(&session.node)) {
            return crash;
        }
        let how = match kind {
            ClosingKind::Fin => "with FIN".to_owned(),
            ClosingKind::CloseNotify => "with TLS close_notify".to_owned(),
            ClosingKind::Reset => "with RST".to_owned(),
            ClosingKind::Alert(alert) => format!("with the TLS alert {alert}"),
            ClosingKind::BadTls(error) => format!("in broken TLS: {error}"),
            ClosingKind::TooLong { announced } => format!("by the peer: a frame of {announced} bytes was announced"),
            ClosingKind::Own => "by the peer itself".to_owned(),
            ClosingKind::Failed(error) => format!("with {error}"),
        };
        Stop::broken(Cause::EarlyClose, format!("the node closed `{name}`")).actual(format!("closed {how}"))
    }
}

fn field_bytes(fields: &IndexMap<String, codec::Value>, name: &str) -> Vec<u8> {
    match fields.get(name) {
        Some(codec::Value::Bytes(bytes)) => bytes.clone(),
        _ => Vec::new(),
    }
}

const fn versions(choice: TlsChoice) -> Option<TlsVersion> {
    match choice {
        TlsChoice::Any => Some(TlsVersion::Any),
        TlsChoice::V12 => Some(TlsVersion::V12),
        TlsChoice::V13 => Some(TlsVersion::V13),
        TlsChoice::None => None,
    }
}

const fn certificate(choice: CertificateChoice) -> Certificate {
    match choice {
        CertificateChoice::Good => Certificate::Good,
        CertificateChoice::Expired => Certificate::Expired,
        CertificateChoice::WrongName => Certificate::WrongName,
        CertificateChoice::ForeignKey => Certificate::ForeignKey,
    }
}
