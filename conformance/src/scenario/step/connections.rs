//! What steps say that open, authenticate, end and look at connections.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::Deserializer;

use crate::scenario::Expression;
use crate::scenario::short::{self, ShortForm};

/// Session names: one or several.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum Sessions {
    /// One session.
    One(String),
    /// Several, in this order.
    Several(Vec<String>),
}

/// Peer names: one or several.
pub type Peers = Sessions;

impl Sessions {
    /// The names, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

impl<'de> Deserialize<'de> for Sessions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        short::any(deserializer, Self::One, Self::Several, None::<short::Never<Self>>)
    }
}

/// Which TLS versions a peer offers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TlsChoice {
    /// 1.2 and 1.3.
    #[default]
    #[serde(rename = "any")]
    Any,
    /// TLS 1.2 only.
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3 only.
    #[serde(rename = "1.3")]
    V13,
    /// TCP alone: the peer never begins TLS.
    #[serde(rename = "none")]
    None,
}

/// See [`super::Verb::Connect`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    /// The connection's name in later steps.
    pub session: String,
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub to: Option<String>,
    /// TLS versions offered, or `none`.
    #[serde(default)]
    pub tls: TlsChoice,
    /// How many milliseconds after TCP the peer begins TLS.
    #[serde(default)]
    pub tls_after_ms: u64,
}

/// See [`super::Verb::Handshake`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// The open connection.
    pub session: String,
    /// Whose name, creation and cookie are used.
    pub peer: String,
    /// The creation announced, where it is not the peer's.
    #[serde(default)]
    pub creation: Option<Expression>,
    /// `through`: how far to go; `ack` unless said otherwise.
    #[serde(default)]
    pub through: HandshakeStep,
    /// Whether PEER_LIST and GLOBAL_SYNC at the session's beginning are skipped or left for `expect`.
    #[serde(default)]
    pub opening: Opening,
}

/// The last message of a handshake that a step sends or awaits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandshakeStep {
    /// Nothing at all: TLS only.
    Tls,
    /// Up to NAME, sent or received.
    Name,
    /// Up to CHALLENGE.
    Challenge,
    /// Up to REPLY.
    Reply,
    /// The whole handshake.
    #[default]
    Ack,
}

/// What to do with PEER_LIST and GLOBAL_SYNC at a session's beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// They are tolerated until another frame has come.
    #[default]
    Skip,
    /// They have to be expected like any frame.
    Expect,
}

/// See [`super::Verb::Join`]. A plain text is the peer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Whose name, creation and cookie are used.
    pub peer: String,
    /// The session's name in later steps; the peer's unless said otherwise.
    #[serde(default)]
    pub session: Option<String>,
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub to: Option<String>,
    /// The creation announced, where it is not the peer's.
    #[serde(default)]
    pub creation: Option<Expression>,
    /// TLS versions offered.
    #[serde(default)]
    pub tls: TlsChoice,
    /// What to do with the session's first frames.
    #[serde(default)]
    pub opening: Opening,
    /// Tries again for a while when refused: the node may not have noticed the end of the last session yet.
    #[serde(default)]
    pub again: bool,
}

impl ShortForm for Join {
    fn short(peer: String) -> Self {
        Self { peer, ..Self::default() }
    }
}

/// See [`super::Verb::MakeDial`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeDial {
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// The peer to dial.
    pub peer: String,
    /// Name under which the answer of `node.connect` can be awaited; needs an adapter.
    #[serde(default)]
    pub call: Option<String>,
}

/// The certificate that an accepting peer presents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateChoice {
    /// As the spec has it.
    #[default]
    Good,
    /// Its dates have passed.
    Expired,
    /// Made out to another name.
    WrongName,
    /// The handshake is signed with another key than the certificate's.
    ForeignKey,
}

/// See [`super::Verb::Accept`]. A plain text is the peer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The peer that is dialled; also whose name, creation and cookie are used.
    pub peer: String,
    /// The session's name; the peer's unless said otherwise.
    #[serde(default)]
    pub session: Option<String>,
    /// The node that dials, whose name NAME has to carry; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub from: Option<String>,
    /// TLS versions offered, or `none`: TCP is accepted and nothing more.
    #[serde(default)]
    pub tls: TlsChoice,
    /// How many milliseconds after TCP the peer begins TLS.
    #[serde(default)]
    pub tls_after_ms: u64,
    /// The certificate presented.
    #[serde(default)]
    pub certificate: CertificateChoice,
    /// How far to take the handshake.
    #[serde(default)]
    pub through: HandshakeStep,
    /// The node has to give up in TLS.
    #[serde(default)]
    pub tls_fails: bool,
    /// The creation announced, where it is not the peer's.
    #[serde(default)]
    pub creation: Option<Expression>,
    /// What to do with the session's first frames.
    #[serde(default)]
    pub opening: Opening,
}

impl ShortForm for Accept {
    fn short(peer: String) -> Self {
        Self { peer, ..Self::default() }
    }
}

/// How a peer ends its connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloseHow {
    /// TLS close_notify, then FIN.
    #[default]
    CloseNotify,
    /// FIN alone.
    Fin,
    /// RST.
    Reset,
}

/// See [`super::Verb::CloseConnection`]. A plain text is the connection, which is ended with close_notify.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseConnection {
    /// The connection.
    pub session: String,
    /// In which way.
    #[serde(default)]
    pub how: CloseHow,
}

impl ShortForm for CloseConnection {
    fn short(session: String) -> Self {
        Self { session, ..Self::default() }
    }
}

/// See [`super::Verb::Reading`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The connection.
    pub session: String,
    /// Whether its bytes are read.
    pub enabled: bool,
}

/// See [`super::Verb::AnswerPings`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerPings {
    /// The session.
    pub session: String,
    /// `false`: the node's PINGs are frames like any other, for `expect`.
    pub enabled: bool,
}

/// See [`super::Verb::Tls`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The connection.
    pub session: String,
    /// The version negotiated.
    #[serde(default)]
    pub version: Option<TlsChoice>,
    /// The server name that the dialling node sent.
    #[serde(default)]
    pub sni: Option<String>,
    /// Whether the accepting node asked for a client certificate.
    #[serde(default)]
    pub asks_client_certificate: Option<bool>,
    /// The accepting node's certificate: whether it is self-signed.
    #[serde(default)]
    pub self_signed: Option<bool>,
    /// The accepting node's certificate: its subject's common name.
    #[serde(default)]
    pub common_name: Option<String>,
    /// The accepting node's certificate: its key, `ecdsa-p256`.
    #[serde(default)]
    pub key: Option<String>,
}

/// See [`super::Verb::ExpectDials`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectDials {
    /// The peers.
    pub peers: Peers,
    /// How many connections have to come in, all peers together.
    pub count: Expression,
    /// Fails when there are more than `count`, after a fence of this session.
    #[serde(default)]
    pub no_more_after_fence: Option<String>,
}
