//! A loaded schema: messages by name and by tag, documents, named types, frame limits. Only [`super::load`] makes one, so it is consistent.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::Type;

/// Which messages a connection may carry at the moment, and which frame limit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// From the first byte inside TLS until the handshake is done.
    Handshake,
    /// After it.
    Session,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "handshake",
            Self::Session => "session",
        })
    }
}

/// All families together. Every type that a field names exists; tags are unique in their phase.
#[derive(Clone, Debug)]
pub struct Schema {
    pub(super) families: Vec<String>,
    pub(super) messages: IndexMap<String, MessageLayout>,
    pub(super) documents: IndexMap<String, DocumentLayout>,
    pub(super) types: IndexMap<String, Layout>,
    pub(super) handshake_limit: u32,
    pub(super) session_limit: u32,
}

/// The layout of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageLayout {
    /// The family, as in the schema file's and the chapter's name.
    pub family: String,
    /// The message's name in prose, vectors and scenarios, such as `GLOBAL_SYNC`.
    pub name: String,
    /// The payload's first byte.
    pub tag: u8,
    /// When it may be sent.
    pub phase: Phase,
    /// What follows the tag, in order.
    pub fields: Vec<Field>,
}

/// The layout of bytes that stand for themselves, in no frame: fields that are always the same, and one that is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentLayout {
    /// The family, as for messages.
    pub family: String,
    /// Its name, such as `term`.
    pub name: String,
    /// In order; all but one are [`Field::only`] one number.
    pub fields: Vec<Field>,
    /// How many unions within each other every reader accepts, the innermost included.
    pub depth: usize,
}

impl DocumentLayout {
    /// The one field whose value differs between documents.
    pub fn open(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.only.is_none())
    }
}

/// One field of a message, a document, a record or a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in every notation.
    pub name: String,
    /// Its layout.
    pub ty: Type,
    /// The greatest length in bytes, or count of items, that readers accept, where that is less than its width holds.
    pub limit: Option<u64>,
    /// The only number that it may say.
    pub only: Option<u64>,
    /// What it says, for people.
    pub meaning: String,
}

/// A named type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Fields, one after another.
    Record(Vec<Field>),
    /// A tag byte that says which fields follow. May contain itself.
    Union(UnionLayout),
}

/// The variants of a union; kinds and tags are unique, the forbidden ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnionLayout {
    /// By kind.
    pub variants: IndexMap<String, Variant>,
    /// Kinds that have a tag and no form: they can be neither written nor read, which is an error of that name.
    pub forbidden: IndexMap<String, u8>,
}

impl UnionLayout {
    /// The variant with that tag byte, and its kind.
    pub fn by_tag(&self, tag: u8) -> Option<(&str, &Variant)> {
        self.variants.iter().find(|(_, variant)| variant.tag == tag).map(|(kind, variant)| (kind.as_str(), variant))
    }

    /// The forbidden kind with that tag byte.
    pub fn forbidden_by_tag(&self, tag: u8) -> Option<&str> {
        self.forbidden.iter().find(|(_, forbidden)| **forbidden == tag).map(|(kind, _)| kind.as_str())
    }
}

/// One shape of a union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The byte that announces it.
    pub tag: u8,
    /// What follows that byte.
    pub fields: Vec<Field>,
}

impl Schema {
    /// The families that have a schema file, sorted.
    pub fn families(&self) -> &[String] {
        &self.families
    }

    /// All messages: families sorted, within one in the order of its file.
    pub fn messages(&self) -> impl Iterator<Item = &MessageLayout> {
        self.messages.values()
    }

    /// All named types and their names.
    pub fn types(&self) -> impl Iterator<Item = (&str, &Layout)> {
        self.types.iter().map(|(name, layout)| (name.as_str(), layout))
    }

    /// All documents: families sorted, within one in the order of its file.
    pub fn documents(&self) -> impl Iterator<Item = &DocumentLayout> {
        self.documents.values()
    }

    /// A document by name.
    pub fn document(&self, name: &str) -> Option<&DocumentLayout> {
        self.documents.get(name)
    }

    /// A message by name.
    pub fn message(&self, name: &str) -> Option<&MessageLayout> {
        self.messages.get(name)
    }

    /// A message by the payload's first byte; a tag of the other phase is unknown here.
    pub fn by_tag(&self, phase: Phase, tag: u8) -> Option<&MessageLayout> {
        self.messages.values().find(|message| message.phase == phase && message.tag == tag)
    }

    /// A named type.
    pub fn layout(&self, name: &str) -> Option<&Layout> {
        self.types.get(name)
    }

    /// The longest payload of a frame in that phase, in bytes, inclusive.
    pub fn limit(&self, phase: Phase) -> u32 {
        match phase {
            Phase::Handshake => self.handshake_limit,
            Phase::Session => self.session_limit,
        }
    }
}
