//! What steps say that send and await frames.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::Deserializer;

use super::connections::Sessions;
use crate::scenario::short::{self, OrShort, ShortForm};
use crate::scenario::{Expression, Matcher};

/// See [`super::Verb::Send`]. Exactly one of `message`, `payload`, `raw`, `announce` and `frames` says what.
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

/// See [`super::Verb::Expect`].
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

/// One frame of `unordered` or of `quiet`. A plain text is the message, with any fields.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFrame {
    /// The message by its name in the schema.
    pub message: String,
    /// What its fields have to be.
    #[serde(default)]
    pub fields: IndexMap<String, Matcher>,
}

impl ShortForm for ExpectedFrame {
    fn short(message: String) -> Self {
        Self { message, ..Self::default() }
    }
}

/// See [`super::Verb::Collect`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Collect {
    /// The session.
    pub session: String,
    /// The message. Where its only field is a list (GLOBAL_SYNC, PEER_LIST), the items are the entries; else the fields of each frame are one.
    pub message: String,
    /// How many entries there have to be, over all frames.
    pub count: Expression,
    /// Messages that may come between and are passed over.
    #[serde(default)]
    pub skip: Vec<String>,
    /// Judges this field of each entry, not the whole entry.
    #[serde(default)]
    pub field: Option<String>,
    /// What all entries together have to be, in the order in which they came.
    #[serde(default)]
    pub entries: Option<Matcher>,
    /// No two entries may agree in this field.
    #[serde(default)]
    pub distinct: Option<String>,
    /// The least number of frames that it must have taken.
    #[serde(default)]
    pub frames_at_least: Option<Expression>,
}

/// See [`super::Verb::Quiet`]. A plain string or list is the sessions.
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
    /// Messages that may not have come: by name, or by name and fields.
    pub of: Vec<OrShort<ExpectedFrame>>,
}

/// See [`super::Verb::ExpectClosed`]. A plain text is the connection, which has to end with nothing sent before.
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

/// See [`super::Verb::ExpectPing`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectPing {
    /// The session.
    pub session: String,
    /// How many PINGs, since the session began, are awaited; their bytes must all differ.
    pub count: Expression,
}
