//! One input of a codec: what it is asked about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::schema::Phase;

/// What is fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// `codec.decode` and `codec.encode`: one payload.
    Codec,
    /// `codec.frames`: a stream of bytes.
    Frames,
    /// `term.decode` and `term.encode`.
    Term,
    /// Real sockets, before a session has begun.
    Handshake,
    /// Real sockets, within sessions.
    Session,
}

impl Target {
    /// All of them, in the order in which they are run.
    pub const ALL: [Self; 5] = [Self::Codec, Self::Frames, Self::Term, Self::Handshake, Self::Session];

    /// Whether it is asked over the control protocol, without a session.
    #[must_use]
    pub fn is_of_the_codec(self) -> bool {
        matches!(self, Self::Codec | Self::Frames | Self::Term)
    }

    /// What a node has to be able to do to be asked; `None`: nothing.
    #[must_use]
    pub fn capability(self) -> Option<&'static str> {
        match self {
            Self::Codec | Self::Frames => Some("codec"),
            Self::Term => Some("term"),
            Self::Handshake | Self::Session => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Codec => "codec",
            Self::Frames => "frames",
            Self::Term => "term",
            Self::Handshake => "handshake",
            Self::Session => "session",
        })
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|target| target.to_string() == text);
        found.ok_or_else(|| "want codec, frames, term, handshake or session".to_owned())
    }
}

/// Bytes, and as what they are read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Input {
    /// One of the codec's targets.
    pub target: Target,
    /// In which phase; terms have none.
    pub phase: Phase,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// `codec:session:1c0100ff`; what [`Input`]'s `FromStr` takes.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.target, self.phase, hex::encode(&self.bytes))
    }
}

impl FromStr for Input {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let [target, phase, bytes] = parts[..] else {
            return Err("want target:phase:hex, such as codec:session:1c0100ff".to_owned());
        };
        let target: Target = target.parse()?;
        if !target.is_of_the_codec() {
            return Err(format!("{target} takes no single input; want codec, frames or term"));
        }
        let phase = match phase {
            "handshake" => Phase::Handshake,
            "session" => Phase::Session,
            _ => return Err("a phase is handshake or session".to_owned()),
        };
        let bytes = hex::decode(bytes).map_err(|error| format!("no hex: {error}"))?;
        Ok(Self { target, phase, bytes })
    }
}
