//! Steps that open, look at and end connections.

use std::thread;
use std::time::{Duration, Instant};

use crate::codec::{self};
use crate::peer::{
    Certificate, ClientOptions, Close, ClosingKind, ConnectError, Connection, Incoming, ServerOptions, TlsVersion,
    inspect_certificate,
};
use crate::results::Cause;
use crate::scenario::step::{
    Accept, AnswerPings, CertificateChoice, CloseConnection, CloseHow, Connect, HandshakeStep, Join, Reading, Tls,
    TlsChoice,
};
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
        let connection = self.open_late(&node, step.tls, Duration::from_millis(step.tls_after_ms))?;
        self.add_session(name, Session::new(connection, "", &node));
        Ok(())
    }

    pub(super) fn open(&mut self, node: &str, tls: TlsChoice) -> StepResult<Connection> {
        self.open_late(node, tls, Duration::ZERO)
    }

    fn open_late(&mut self, node: &str, tls: TlsChoice, tls_after: Duration) -> StepResult<Connection> {
        let address =
            self.node(node)?.address.ok_or_else(|| Stop::Harness(format!("`{node}` has not been started")))?;
        let opened = match versions(tls) {
            None => Connection::dial_tcp(address, self.deadline),
            Some(versions) => {
                let options = ClientOptions { versions, tls_after, ..ClientOptions::default() };
                Connection::dial(address, &options, self.deadline)
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
        // A stall that the scenario asks for, and no wait for anything.
        thread::sleep(Duration::from_millis(step.tls_after_ms));
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

    pub(super) fn incoming(&mut self, node: &str, peer: &str) -> StepResult<Incoming> {
        self.release();
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
