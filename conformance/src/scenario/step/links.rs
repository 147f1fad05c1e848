//! What steps say that hold, break and observe links on which a relay stands.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::connections::Sessions;
use crate::scenario::short::{OrShort, ShortForm};
use crate::scenario::{Expression, Matcher};

/// Which connections are meant, by keys of nodes and peers.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum LinkOf {
    /// All that others have opened to this one.
    Into(String),
    /// `[a, b]`: those between the two, whoever dialled. `[[a, b], [c, d]]`: those between anyone of the one group and anyone of the other.
    Between(Vec<Sessions>),
}

impl<'de> Deserialize<'de> for LinkOf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LinkVisitor;

        impl<'de> Visitor<'de> for LinkVisitor {
            type Value = LinkOf;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a node or peer, or a list of two, each one or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<LinkOf, E> {
                Ok(LinkOf::Into(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<LinkOf, A::Error> {
                let ends = Vec::<Sessions>::deserialize(SeqAccessDeserializer::new(seq))?;
                match ends.len() {
                    2 => Ok(LinkOf::Between(ends)),
                    count => Err(de::Error::invalid_length(count, &self)),
                }
            }
        }

        deserializer.deserialize_any(LinkVisitor)
    }
}

/// A point of the protocol. A plain text is the message; `connect`: a TCP connection has been accepted and nothing more.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The message by its name in the schema, those of the handshake among them; or `connect`.
    pub message: String,
    /// What its fields have to be, as it stands when the step is played; nothing is captured.
    #[serde(default)]
    pub fields: IndexMap<String, Matcher>,
    /// Who sends it; as the step's `from` unless said otherwise.
    #[serde(default)]
    pub from: Option<Sessions>,
    /// The how-manieth such frame of a connection; the first unless said otherwise.
    #[serde(default)]
    pub nth: Option<Expression>,
}

impl ShortForm for Point {
    fn short(message: String) -> Self {
        Self { message, ..Self::default() }
    }
}

/// See [`super::Verb::Heal`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkOnly {
    /// The link.
    pub link: LinkOf,
}

/// See [`super::Verb::Hold`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The link.
    pub link: LinkOf,
    /// Only the connections that this one has opened.
    #[serde(default)]
    pub dialled_by: Option<String>,
    /// Whose sending is held; both unless said otherwise. `others`: whoever dialled the one that `link` names alone.
    #[serde(default)]
    pub from: Option<Sessions>,
    /// The point from which on, the frame itself included; at once unless said otherwise.
    #[serde(default)]
    pub at: Option<OrShort<Point>>,
    /// Or: the frame behind which.
    #[serde(default)]
    pub after: Option<OrShort<Point>>,
}

/// See [`super::Verb::AwaitHeld`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwaitHeld {
    /// The link.
    pub link: LinkOf,
    /// Only the connections that this one has opened.
    #[serde(default)]
    pub dialled_by: Option<String>,
    /// Whose sending.
    #[serde(default)]
    pub from: Option<Sessions>,
    /// How many directions of connections have to be held, at least; 1 unless said otherwise.
    #[serde(default)]
    pub count: Option<Expression>,
}

/// See [`super::Verb::Release`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The link.
    pub link: LinkOf,
    /// Only the connections that this one has opened.
    #[serde(default)]
    pub dialled_by: Option<String>,
    /// Whose sending.
    #[serde(default)]
    pub from: Option<Sessions>,
    /// So many frames are let through and the rest stays held; all is released unless said otherwise.
    #[serde(default)]
    pub frames: Option<Expression>,
}

/// See [`super::Verb::Cut`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// The link.
    pub link: LinkOf,
    /// Only the connections that this one has opened.
    #[serde(default)]
    pub dialled_by: Option<String>,
    /// `fin` (the default, without a `close_notify`), `reset`, or `silent`: nobody is told, and what is sent vanishes.
    #[serde(default)]
    pub how: Option<Expression>,
    /// One way: what this one sends is lost, and who should get it is told by FIN or RST, or not at all. The sender is told nothing.
    #[serde(default)]
    pub from: Option<Sessions>,
    /// The point at which, the frame itself lost; at once unless said otherwise.
    #[serde(default)]
    pub at: Option<OrShort<Point>>,
    /// Or: the frame behind which.
    #[serde(default)]
    pub after: Option<OrShort<Point>>,
    /// With `at`: so many bytes of the frame, its length included, still go out.
    #[serde(default)]
    pub keep: Option<Expression>,
}

/// See [`super::Verb::Refuse`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    /// The link. Between two, it is decided when NAME has come; for one alone, when TCP has been accepted.
    pub link: LinkOf,
    /// Only the connections that this one opens.
    #[serde(default)]
    pub dialled_by: Option<String>,
    /// `fin` (the default), `reset`, or `silent`: never answered.
    #[serde(default)]
    pub how: Option<Expression>,
}

/// See [`super::Verb::Delay`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// The link.
    pub link: LinkOf,
    /// Whose sending; both unless said otherwise.
    #[serde(default)]
    pub from: Option<Sessions>,
    /// Milliseconds.
    pub ms: Expression,
}

/// See [`super::Verb::Throttle`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// The link.
    pub link: LinkOf,
    /// Whose sending; both unless said otherwise.
    #[serde(default)]
    pub from: Option<Sessions>,
    /// Bytes a second in each direction.
    pub bytes_per_second: Expression,
}

/// See [`super::Verb::SplitWrites`]. Either `every` or `sizes`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitWrites {
    /// The link.
    pub link: LinkOf,
    /// Whose sending; both unless said otherwise.
    #[serde(default)]
    pub from: Option<Sessions>,
    /// Pieces of so many bytes.
    #[serde(default)]
    pub every: Option<Expression>,
    /// Or: the sizes of the first pieces; the rest is one.
    #[serde(default)]
    pub sizes: Vec<Expression>,
}

/// See [`super::Verb::Corrupt`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// The link.
    pub link: LinkOf,
    /// Whose sending; either unless said otherwise.
    #[serde(default)]
    pub from: Option<Sessions>,
    /// The frame; the next one unless said otherwise.
    #[serde(default)]
    pub at: Option<OrShort<Point>>,
    /// Which byte of the payload (mode `tcp`: of the ciphertext), from 0; of fewer, the last.
    pub byte: Expression,
}

/// See [`super::Verb::Passed`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Passed {
    /// The link.
    pub link: LinkOf,
    /// Only the connections that this one has opened.
    #[serde(default)]
    pub dialled_by: Option<String>,
    /// Who has sent them; either unless said otherwise.
    #[serde(default)]
    pub from: Option<Sessions>,
    /// The message by its name in the schema.
    pub message: String,
    /// What their fields have to be; others are not counted.
    #[serde(default)]
    pub fields: IndexMap<String, Matcher>,
    /// Exactly so many since the case began. Of 0 and of no more a fence has to be proof that goes before.
    #[serde(default)]
    pub count: Option<Expression>,
    /// At least so many; 1 where `count` is not given either.
    #[serde(default)]
    pub at_least: Option<Expression>,
    /// A `clock`: only what has been passed on since.
    #[serde(default)]
    pub since: Option<String>,
}

/// See [`super::Verb::SessionsOver`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionsOver {
    /// The link.
    pub link: LinkOf,
    /// Only the connections that this one has opened.
    #[serde(default)]
    pub dialled_by: Option<String>,
    /// How many: ACK has been passed on, and nobody has ended or cut them.
    pub count: Expression,
    /// How many connections stand in all, authenticated or not; any number unless said otherwise.
    #[serde(default)]
    pub connections: Option<Expression>,
}
