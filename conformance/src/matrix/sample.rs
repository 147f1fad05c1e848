//! What the fields of sample messages say: values that are right where a connection's state decides what is right, and that tell one
//! input from the next everywhere else.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::codec::{Message, Pid, Value};
use crate::schema::{Field, Layout, MessageLayout, Schema, Type, Width};

/// How many items a list has: one may come before a fault, and one behind it.
pub(crate) const ITEMS: usize = 2;
/// Creation of the PIDs in samples. No rule refuses it in any field: it is no node's own but for one run in 255.
const PID_CREATION: u8 = 3;
/// Local ids from here on name no process of any node that has not run for years.
const LOCAL: u64 = 1 << 39;
/// The owner of the names that samples register: a third node, which nobody is.
const OWNER: &str = "owner@127.0.0.1:1";

/// What one input's message says.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    /// Tells inputs apart.
    pub(crate) salt: usize,
    /// The node's name of the peer that speaks.
    pub(crate) name: String,
    /// The creation that it announces.
    pub(crate) creation: u8,
    /// Its challenge: 32 bytes.
    pub(crate) challenge: Vec<u8>,
    /// The right proof of the node's challenge, as far as there is one: 32 bytes.
    pub(crate) proof: Vec<u8>,
    /// `host:port` where a dial that must not be made would be seen.
    pub(crate) watched: String,
    /// `host:port` that refuses dials, for those that may be made.
    pub(crate) refused: String,
    /// Which items of a list may count.
    pub(crate) may_count: BTreeSet<usize>,
    /// A process of the node that DEMONITOR and UNLINK are about, if there is one.
    pub(crate) process: Option<Pid>,
}

impl Words {
    /// Words for making inputs that nobody is sent.
    pub(super) fn dummy(salt: usize) -> Self {
        Self {
            salt,
            name: format!("m{salt:03}@127.0.0.1:40000"),
            creation: 5,
            challenge: vec![0x5A; 32],
            proof: vec![0xA5; 32],
            watched: "127.0.0.1:40001".to_owned(),
            refused: "127.0.0.1:40002".to_owned(),
            may_count: BTreeSet::new(),
            process: None,
        }
    }

    /// The peer's name.
    pub(super) fn node_name(&self) -> &str {
        &self.name
    }

    /// The text of a field outside of lists.
    pub(crate) fn label(&self) -> String {
        format!("m{:03}", self.salt)
    }

    /// The local id of the peer's processes.
    pub(crate) fn watcher(&self) -> u64 {
        LOCAL + self.salt as u64
    }

    /// Numbers wider than a byte: references and requests.
    pub(crate) fn reference(&self) -> u64 {
        self.salt as u64 + 1
    }

    /// The text of a field in an item of a list.
    pub(crate) fn item_label(&self, index: usize) -> String {
        format!("m{:03}{}", self.salt, char::from(b'a' + u8::try_from(index).unwrap_or_default()))
    }
}

/// A well-formed message; the union in it, if it has one, is of that kind.
pub(super) fn message(schema: &Schema, layout: &MessageLayout, kind: Option<&str>, words: &Words) -> Message {
    let sampler = Sampler { schema, layout, kind, words };
    Message { name: layout.name.clone(), fields: sampler.fields(&layout.fields, None, 0), left_over: Vec::new() }
}

struct Sampler<'a> {
    schema: &'a Schema,
    layout: &'a MessageLayout,
    kind: Option<&'a str>,
    words: &'a Words,
}

impl Sampler<'_> {
    fn fields(&self, fields: &[Field], item: Option<usize>, depth: usize) -> IndexMap<String, Value> {
        fields.iter().map(|field| (field.name.clone(), self.value(field, item, depth))).collect()
    }

    fn value(&self, field: &Field, item: Option<usize>, depth: usize) -> Value {
        let words = self.words;
        let salt = words.salt as u64;
        match &field.ty {
            Type::Uint(Width::U8) if field.name == "creation" => Value::Uint(words.creation.into()),
            Type::Uint(Width::U8) => Value::Uint(1),
            Type::Uint(_) => Value::Uint(words.reference()),
            Type::Int => Value::Int(salt.cast_signed()),
            Type::Float => Value::Float(salt),
            Type::Bytes(32) if field.name == "challenge" => Value::Bytes(words.challenge.clone()),
            Type::Bytes(32) if field.name == "proof" => Value::Bytes(words.proof.clone()),
            Type::Bytes(count) => {
                let salt = salt.to_le_bytes();
                Value::Bytes((0..*count).map(|index| salt[index % salt.len()]).collect())
            }
            Type::Blob(_) | Type::Rest => Value::Bytes(words.label().into_bytes()),
            Type::Text(_) => Value::Text(self.text(&field.name, item)),
            Type::Pid => Value::Pid(self.pid(&field.name)),
            Type::List(_, name) => {
                Value::List((0..ITEMS).map(|index| self.named(name, Some(index), depth + 1)).collect())
            }
            Type::Named(name) => self.named(name, item, depth + 1),
        }
    }

    fn named(&self, name: &str, item: Option<usize>, depth: usize) -> Value {
        match self.schema.layout(name) {
            Some(Layout::Record(fields)) => Value::Record(self.fields(fields, item, depth)),
            Some(Layout::Union(union)) => {
                // The outermost is the one asked for; within it stands the first, so that this ends.
                let asked = self.kind.filter(|_| depth <= 1);
                let kind = asked.or_else(|| union.variants.keys().next().map(String::as_str)).unwrap_or_default();
                let fields = union.variants.get(kind).map_or(&[][..], |variant| &variant.fields);
                Value::Union { kind: kind.to_owned(), fields: self.fields(fields, item, depth) }
            }
            // The loader has looked every name up.
            None => Value::Uint(0),
        }
    }

    fn pid(&self, field: &str) -> Pid {
        match (self.layout.name.as_str(), field, self.words.process) {
            ("DEMONITOR" | "UNLINK", "to", Some(process)) => process,
            _ => Pid { node_id: 0, creation: PID_CREATION, local: self.words.watcher() },
        }
    }

    fn text(&self, field: &str, item: Option<usize>) -> String {
        let words = self.words;
        let label = item.map_or_else(|| words.label(), |index| words.item_label(index));
        match (self.layout.name.as_str(), field) {
            ("NAME" | "CHALLENGE", "name") => words.name.clone(),
            ("PEER_LIST", "name") => {
                let may_count = item.is_some_and(|index| words.may_count.contains(&index));
                format!("{label}@{}", if may_count { &words.refused } else { &words.watched })
            }
            (_, "owner") => OWNER.to_owned(),
            _ => label,
        }
    }
}

/// The kinds of the union that a message has among its fields, and where; none for a message without one.
pub(super) fn kinds<'a>(schema: &'a Schema, layout: &'a MessageLayout) -> Option<(&'a str, Vec<&'a str>)> {
    layout.fields.iter().find_map(|field| match &field.ty {
        Type::Named(name) => match schema.layout(name) {
            Some(Layout::Union(union)) => {
                Some((field.name.as_str(), union.variants.keys().map(String::as_str).collect()))
            }
            _ => None,
        },
        _ => None,
    })
}
