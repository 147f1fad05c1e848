//! The steps of a scenario: one verb each, and all that a verb may say.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::short::{self, OrShort, ShortForm};
use super::{Expression, Matcher};

/// One step: a verb, and the requirement that is blamed when it fails, if it is not the scenario's first.
#[derive(Debug, Clone)]
pub struct Step {
    /// What to do or to await.
    pub verb: Verb,
    /// The requirement that this step judges.
    pub cite: Option<String>,
}

/// Writes the enum of verbs once: as a type, as the list of keys a step may have, and as the reader of each.
macro_rules! verbs {
    ($($(#[doc = $doc:literal])* $key:literal => $variant:ident($body:ty),)*) => {
        /// Everything that a step can do.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        pub enum Verb {
            $($(#[doc = $doc])* #[serde(rename = $key)] $variant($body),)*
        }

        const VERBS: &[&str] = &[$($key),*];

        impl Verb {
            /// The key that stands for this verb in a file.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $key,)* }
            }

            fn read<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Option<Self>, A::Error> {
                Ok(match key {
                    $($key => Some(Self::$variant(map.next_value::<$body>()?)),)*
                    _ => None,
                })
            }
        }
    };
}

verbs! {
    /// Starts a node that is declared `start: later`, or starts an ended one again under its name and port.
    "start" => Start(String),
    /// Ends a node in an orderly way (`shutdown`, or end of input) and awaits exit status 0.
    "stop" => Stop(String),
    /// Kills a node's process (SIGKILL) and awaits its end.
    "kill" => Kill(String),
    /// Freezes a node's process (SIGSTOP).
    "freeze" => Freeze(String),
    /// Lets a frozen process go on (SIGCONT).
    "thaw" => Thaw(String),

    /// Opens a connection to a node, TLS included, without a handshake.
    "connect" => Connect(Connect),
    /// Does the initiator's part of the handshake on an open connection.
    "handshake" => Handshake(Handshake),
    /// Opens a connection and does the initiator's handshake: afterwards the session is live at the node.
    "join" => Join(OrShort<Join>),
    /// Makes a node dial a peer: by `node.connect`, or by a PEER_LIST where the node has no adapter.
    "make_dial" => MakeDial(MakeDial),
    /// Awaits a node's dial and does the acceptor's part.
    "accept" => Accept(OrShort<Accept>),
    /// Sends frames or bytes.
    "send" => Send(Box<Send>),
    /// Awaits the next frame of a session, or several in any order.
    "expect" => Expect(Expect),
    /// Awaits frames of one list message until its entries are complete.
    "collect" => Collect(Collect),
    /// Sends PING on each session, in order, and awaits its PONG; frames that come before stay to be expected.
    "fence" => Fence(Sessions),
    /// Fences each session, in order, and fails on any frame that has come and was not expected.
    "quiet" => Quiet(Quiet),
    /// Awaits the end of a connection by the node.
    "expect_closed" => ExpectClosed(OrShort<ExpectClosed>),
    /// Ends a connection from the peer's side.
    "close" => CloseConnection(OrShort<CloseConnection>),
    /// Stops or resumes the reading of a connection's bytes.
    "reading" => Reading(Reading),
    /// Says whether the harness answers the node's PINGs by itself.
    "answer_pings" => AnswerPings(AnswerPings),
    /// Awaits PINGs that the node sends.
    "expect_ping" => ExpectPing(ExpectPing),
    /// Judges what was seen of TLS.
    "tls" => Tls(Tls),
    /// Stops a peer's port: further connections are refused.
    "refuse_dials" => RefuseDials(String),
    /// Awaits until so many TCP connections of nodes have come in at these peers and not been accepted by a step.
    "expect_dials" => ExpectDials(ExpectDials),
    /// Fails when a node has dialled one of these peers since the last `accept`.
    "no_dial" => NoDial(Peers),

    /// Calls a method of the control protocol and judges the answer.
    "call" => Call(Call),
    /// Sends a request without awaiting its answer.
    "start_call" => StartCall(StartCall),
    /// Awaits the answer to a `start_call` or `make_dial`.
    "await" => Await(Await),
    /// Calls a method again and again until its result matches.
    "eventually" => Eventually(Eventually),
    /// Awaits a notification.
    "event" => Event(Event),
    /// After a barrier: fails when a matching notification has come that no `event` step took.
    "no_event" => NoEvent(Event),

    /// Connects a WebSocket member to a room.
    "member" => Member(MemberStep),
    /// Awaits a member's next texts, in order.
    "texts" => Texts(Texts),
    /// Sends a text as a member.
    "member_send" => MemberSend(MemberSend),
    /// Stops or resumes a member's reading.
    "member_reading" => MemberReading(MemberReading),
    /// Ends a member's connection.
    "close_member" => CloseMember(CloseMember),
    /// Awaits that the node ends a member's connection.
    "expect_member_closed" => ExpectMemberClosed(String),

    /// Runs steps once for each value.
    "for" => For(For),
    /// Gives values names.
    "let" => Let(IndexMap<String, Expression>),
    /// Judges a value.
    "check" => Check(Check),
    /// Notes the time under a name, for `elapsed` and `expect_closed`.
    "clock" => Clock(String),
    /// Judges the time since a `clock` step.
    "elapsed" => Elapsed(Elapsed),
    /// Notes a node's resident memory under a name, or judges its growth since.
    "memory" => Memory(Memory),
}

impl JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Verb::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StepVisitor;

        impl<'de> Visitor<'de> for StepVisitor {
            type Value = Step;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a step: a map with one verb and perhaps `cite`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Step, A::Error> {
                let (mut verb, mut cite) = (None::<Verb>, None::<String>);
                while let Some(key) = map.next_key::<String>()? {
                    if key == "cite" {
                        if cite.replace(map.next_value()?).is_some() {
                            return Err(de::Error::duplicate_field("cite"));
                        }
                        continue;
                    }
                    if let Some(first) = &verb {
                        return Err(de::Error::custom(format_args!(
                            "a step has one verb, this one has `{}` and `{key}`",
                            first.name()
                        )));
                    }
                    verb = Some(Verb::read(&key, &mut map)?.ok_or_else(|| de::Error::unknown_field(&key, VERBS))?);
                }
                let verb = verb.ok_or_else(|| de::Error::custom("a step needs a verb"))?;
                Ok(Step { verb, cite })
            }
        }

        deserializer.deserialize_map(StepVisitor)
    }
}

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

/// See [`Verb::Connect`].
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
}

/// See [`Verb::Handshake`].
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

/// See [`Verb::Join`]. A plain text is the peer.
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

/// See [`Verb::MakeDial`].
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

/// See [`Verb::Accept`]. A plain text is the peer.
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

/// See [`Verb::Send`]. Exactly one of `message`, `payload`, `raw`, `announce` and `frames` says what.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// The connection.
    pub session: String,
    /// A message by its name in the schema.
    #[serde(default)]
    pub message: Option<String>,
    /// The message's fields.
    #[serde(default)]
    pub fields: IndexMap<String, Expression>,
    /// Makes the encoded message wrong in one way.
    #[serde(default)]
    pub mutate: Option<Mutate>,
    /// Bytes (hex) that stand behind the message, inside its frame.
    #[serde(default)]
    pub append: Option<Expression>,
    /// A payload (hex), framed with its length.
    #[serde(default)]
    pub payload: Option<Expression>,
    /// Bytes (hex) as they are, without a length.
    #[serde(default)]
    pub raw: Option<Expression>,
    /// Only a length prefix of this number, and nothing behind it.
    #[serde(default)]
    pub announce: Option<Expression>,
    /// Instead of one frame: several, joined into one write.
    #[serde(default)]
    pub frames: Vec<FrameSpec>,
    /// Sends it all so many times in one write; `${index}` counts from 0.
    #[serde(default)]
    pub times: Option<Expression>,
    /// Cuts the bytes before they are sent; each piece is a TLS record and a write of its own.
    #[serde(default)]
    pub pieces: Option<Pieces>,
    /// Sends the bytes past TLS, straight into TCP: they are no TLS records.
    #[serde(default)]
    pub beneath_tls: bool,
}

impl Send {
    /// The frames to send, in order: those of `frames`, or the one that the step itself describes.
    #[must_use]
    pub fn frames(&self) -> Vec<FrameSpec> {
        if !self.frames.is_empty() {
            return self.frames.clone();
        }
        vec![FrameSpec {
            message: self.message.clone(),
            fields: self.fields.clone(),
            mutate: self.mutate.clone(),
            append: self.append.clone(),
            payload: self.payload.clone(),
            raw: self.raw.clone(),
            announce: self.announce.clone(),
        }]
    }
}

/// One frame, or bytes that are no frame.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrameSpec {
    /// A message by its name in the schema.
    #[serde(default)]
    pub message: Option<String>,
    /// The message's fields.
    #[serde(default)]
    pub fields: IndexMap<String, Expression>,
    /// Makes the encoded message wrong in one way.
    #[serde(default)]
    pub mutate: Option<Mutate>,
    /// Bytes (hex) that stand behind the message, inside its frame.
    #[serde(default)]
    pub append: Option<Expression>,
    /// A payload (hex), framed with its length.
    #[serde(default)]
    pub payload: Option<Expression>,
    /// Bytes (hex) as they are, without a length.
    #[serde(default)]
    pub raw: Option<Expression>,
    /// Only a length prefix of this number, and nothing behind it.
    #[serde(default)]
    pub announce: Option<Expression>,
}

/// One way in which a message is made wrong. Fields are named as in vectors: `name`, `name.length`, `entries[0].pid`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mutate {
    /// Cuts the payload: this many bytes stay.
    #[serde(default)]
    pub keep: Option<Expression>,
    /// Cuts the payload where this field begins.
    #[serde(default)]
    pub cut_at: Option<String>,
    /// Puts invalid UTF-8 into this text field, its length unchanged.
    #[serde(default)]
    pub bad_utf8: Option<String>,
    /// Sets this length or count field to another number, the bytes unchanged: `{field: n}`.
    #[serde(default)]
    pub set: Option<IndexMap<String, Expression>>,
    /// Replaces the tag.
    #[serde(default)]
    pub tag: Option<Expression>,
}

/// How bytes are cut before they are sent.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pieces {
    /// Offsets at which a new piece begins.
    #[serde(default)]
    pub at: Vec<Expression>,
    /// Or: pieces of this many bytes.
    #[serde(default)]
    pub every: Option<Expression>,
    /// Milliseconds before each piece but the first.
    #[serde(default)]
    pub pause_ms: Option<Expression>,
}

/// See [`Verb::Expect`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The session.
    pub session: String,
    /// The message by its name in the schema.
    #[serde(default)]
    pub message: Option<String>,
    /// What its fields have to be; those not named may be anything.
    #[serde(default)]
    pub fields: IndexMap<String, Matcher>,
    /// Whether bytes behind its layout, by which messages may grow, are an error.
    #[serde(default)]
    pub exact: bool,
    /// Instead of one message: several, in any order.
    #[serde(default)]
    pub unordered: Vec<ExpectedFrame>,
    /// Messages that may come before it and are passed over.
    #[serde(default)]
    pub skip: Vec<String>,
    /// Milliseconds within which it has to come, counted from this step; the case's deadline unless said otherwise.
    #[serde(default)]
    pub within_ms: Option<Expression>,
}

/// One frame of `unordered`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFrame {
    /// The message by its name in the schema.
    pub message: String,
    /// What its fields have to be.
    #[serde(default)]
    pub fields: IndexMap<String, Matcher>,
}

/// See [`Verb::Collect`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Collect {
    /// The session.
    pub session: String,
    /// GLOBAL_SYNC or PEER_LIST: a message whose only field is a list.
    pub message: String,
    /// How many entries there have to be, over all frames.
    pub count: Expression,
    /// What all entries together have to be.
    #[serde(default)]
    pub entries: Option<Matcher>,
    /// No two entries may agree in this field.
    #[serde(default)]
    pub distinct: Option<String>,
    /// The least number of frames that it must have taken.
    #[serde(default)]
    pub frames_at_least: Option<Expression>,
}

/// See [`Verb::Quiet`]. A plain string or list is the sessions.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum Quiet {
    /// Nothing at all may have come.
    All(Sessions),
    /// Only these messages may not have come; others are passed over.
    Only(QuietOnly),
}

impl<'de> Deserialize<'de> for Quiet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        short::any(
            deserializer,
            |one| Self::All(Sessions::One(one)),
            |several| Self::All(Sessions::Several(several)),
            Some(Self::Only as fn(QuietOnly) -> Self),
        )
    }
}

/// The long form of [`Quiet`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietOnly {
    /// The sessions, in the order in which they are fenced.
    pub sessions: Sessions,
    /// Messages that may not have come.
    pub of: Vec<String>,
}

/// See [`Verb::ExpectClosed`]. A plain text is the connection, which has to end with nothing sent before.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectClosed {
    /// The connection.
    pub session: String,
    /// Messages that may come before the end.
    #[serde(default)]
    pub after: Vec<String>,
    /// A `clock` from which the two limits count; this step unless said otherwise.
    #[serde(default)]
    pub since: Option<String>,
    /// The end has to come within so many milliseconds.
    #[serde(default)]
    pub within_ms: Option<Expression>,
    /// The end may not come before so many milliseconds.
    #[serde(default)]
    pub not_before_ms: Option<Expression>,
}

impl ShortForm for ExpectClosed {
    fn short(session: String) -> Self {
        Self { session, ..Self::default() }
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

/// See [`Verb::CloseConnection`]. A plain text is the connection, which is ended with close_notify.
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

/// See [`Verb::Reading`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The connection.
    pub session: String,
    /// Whether its bytes are read.
    pub enabled: bool,
}

/// See [`Verb::AnswerPings`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerPings {
    /// The session.
    pub session: String,
    /// `false`: the node's PINGs are frames like any other, for `expect`.
    pub enabled: bool,
}

/// See [`Verb::ExpectPing`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectPing {
    /// The session.
    pub session: String,
    /// How many PINGs, since the session began, are awaited; their bytes must all differ.
    pub count: Expression,
}

/// See [`Verb::Tls`].
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

/// See [`Verb::ExpectDials`].
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

/// See [`Verb::Call`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// The method.
    pub method: String,
    /// Its parameters.
    #[serde(default)]
    pub params: IndexMap<String, Expression>,
    /// What its result has to be; anything unless said otherwise.
    #[serde(default)]
    pub result: Option<Matcher>,
    /// The error that it has to end with, by its name in the control protocol: `name taken`.
    #[serde(default)]
    pub error: Option<String>,
}

/// See [`Verb::StartCall`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartCall {
    /// Name under which its answer is awaited.
    pub id: String,
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// The method.
    pub method: String,
    /// Its parameters.
    #[serde(default)]
    pub params: IndexMap<String, Expression>,
}

/// See [`Verb::Await`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Await {
    /// The call.
    pub call: String,
    /// What its result has to be.
    #[serde(default)]
    pub result: Option<Matcher>,
    /// The error that it has to end with.
    #[serde(default)]
    pub error: Option<String>,
    /// Milliseconds within which the answer has to come.
    #[serde(default)]
    pub within_ms: Option<Expression>,
}

/// See [`Verb::Eventually`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Eventually {
    /// The nodes; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<Sessions>,
    /// The method.
    pub method: String,
    /// Its parameters.
    #[serde(default)]
    pub params: IndexMap<String, Expression>,
    /// What its result has to become.
    #[serde(default)]
    pub result: Option<Matcher>,
    /// Or: the error that it has to come to.
    #[serde(default)]
    pub error: Option<String>,
}

/// See [`Verb::Event`] and [`Verb::NoEvent`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// The notification's method.
    pub method: String,
    /// What its parameters have to be.
    #[serde(default)]
    pub params: IndexMap<String, Matcher>,
}

/// See [`Verb::Member`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberStep {
    /// The member's name in later steps; `${name.member}` is the id that the node gave it.
    pub name: String,
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// The room.
    pub room: Expression,
}

/// See [`Verb::Texts`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// The members, each of which gets the same.
    pub member: Sessions,
    /// The texts, in order; nothing may stand between them.
    pub are: Vec<Expression>,
}

/// See [`Verb::MemberSend`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberSend {
    /// The member.
    pub member: String,
    /// The text.
    pub text: Expression,
}

/// See [`Verb::MemberReading`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberReading {
    /// The member.
    pub member: String,
    /// Whether its bytes are read.
    pub enabled: bool,
}

/// See [`Verb::CloseMember`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseMember {
    /// The member.
    pub member: String,
    /// `true`: without a WebSocket close frame.
    #[serde(default)]
    pub abruptly: bool,
}

/// See [`Verb::For`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct For {
    /// The variable.
    pub each: String,
    /// Its values.
    #[serde(default)]
    pub of: Vec<Expression>,
    /// Or: the numbers from the first to the last, inclusive.
    #[serde(default)]
    pub range: Option<(Expression, Expression)>,
    /// What to do for each.
    pub steps: Vec<Step>,
}

/// See [`Verb::Check`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The value.
    pub that: Expression,
    /// What it has to be.
    pub is: Matcher,
    /// One sentence for the report when it is not.
    #[serde(default)]
    pub because: Option<String>,
}

/// See [`Verb::Elapsed`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Elapsed {
    /// The clock.
    pub since: String,
    /// Least milliseconds.
    #[serde(default)]
    pub at_least_ms: Option<Expression>,
    /// Most milliseconds.
    #[serde(default)]
    pub at_most_ms: Option<Expression>,
}

/// See [`Verb::Memory`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// Notes the resident memory under this name.
    #[serde(default)]
    pub note: Option<String>,
    /// Judges the growth since this note.
    #[serde(default)]
    pub since: Option<String>,
    /// Most MiB of growth.
    #[serde(default)]
    pub at_most_mib: Option<u64>,
}
