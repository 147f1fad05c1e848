//! Inputs: messages of the schema and everything that can be wrong with their bytes. Each is a recipe, made anew for the connection that it
//! is sent on, as right handshake messages differ from one to the next.

use std::collections::BTreeSet;

use super::class::Class;
use super::sample::{self, Words};
use super::state::State;
use crate::codec::{self, Encoded, Message, Mutation, Pid, Value, mutate};
use crate::peer::frame;
use crate::schema::{MessageLayout, Phase, Schema, Type, UnionLayout};

/// One thing to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is, unique among the inputs of its case: `MONITOR-cut-1-in-ref`.
    pub id: String,
    recipe: Recipe,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Recipe {
    Message {
        name: String,
        kind: Option<String>,
        twist: Option<Twist>,
        mutation: Option<Mutation>,
    },
    Payload(Vec<u8>),
    /// A length alone.
    Announce(u32),
}

/// Another value than the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Twist {
    Field(String, Value),
    /// A proof of which one bit is wrong.
    Proof,
    /// As many bytes left over as the handshake has room for.
    Fill,
}

/// An input as it goes on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// All bytes, lengths included.
    pub bytes: Vec<u8>,
    /// Its class in the state that it was made for.
    pub class: Class,
    /// The message that it is or began as.
    pub message: Option<String>,
    /// Which items of its list may count, if it has one.
    pub may_count: BTreeSet<usize>,
    /// Whether it says what its message usually says, so that its effects are known.
    pub is_usual: bool,
}

impl Input {
    fn new(id: impl Into<String>, recipe: Recipe) -> Self {
        Self { id: id.into(), recipe }
    }

    /// The message that it is or began as.
    pub(crate) fn message(&self) -> Option<&str> {
        match &self.recipe {
            Recipe::Message { name, .. } => Some(name),
            Recipe::Payload(_) | Recipe::Announce(_) => None,
        }
    }

    /// Makes it with these words, for a connection in that state.
    ///
    /// # Errors
    /// Says what cannot be made; a fault of the generator.
    pub(crate) fn made(&self, schema: &Schema, state: State, words: &Words) -> Result<Made, String> {
        let (name, kind, twist, mutation) = match &self.recipe {
            Recipe::Announce(length) => {
                let bytes = length.to_le_bytes().to_vec();
                return Ok(Made::plain(bytes, Class::OverLong));
            }
            Recipe::Payload(payload) => {
                return Ok(Made::plain(frame(payload), Class::of(schema, state, payload, words)));
            }
            Recipe::Message { name, kind, twist, mutation } => (name, kind, twist, mutation),
        };
        let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", self.id);
        let layout = schema.message(name).ok_or_else(|| failed(&"no such message"))?;
        let encode = |words: &Words| -> Result<Vec<u8>, String> {
            let mut message = sample::message(schema, layout, kind.as_deref(), words);
            if let Some(twist) = twist {
                twisted(&mut message, twist);
            }
            let encoded = codec::encode(schema, &message).map_err(|error| failed(&error))?;
            let mut payload = match mutation {
                Some(mutation) => mutate::mutate(&encoded, mutation).map_err(|error| failed(&error))?.payload(),
                None => encoded.payload(),
            };
            if *twist == Some(Twist::Fill) {
                payload.resize(schema.limit(Phase::Handshake) as usize, 0);
            }
            Ok(payload)
        };
        let payload = encode(words)?;
        let may_count =
            if state.is_session() { items_before_the_fault(schema, layout, &payload) } else { BTreeSet::new() };
        // Names that may be dialled are listed with a port at which nobody counts.
        let payload = encode(&Words { may_count: may_count.clone(), ..words.clone() })?;
        Ok(Made {
            bytes: frame(&payload),
            class: Class::of(schema, state, &payload, words),
            message: Some(name.clone()),
            may_count,
            is_usual: twist.is_none() && !matches!(mutation, Some(Mutation::Length { .. })),
        })
    }
}

impl Made {
    fn plain(bytes: Vec<u8>, class: Class) -> Self {
        Self { bytes, class, message: None, may_count: BTreeSet::new(), is_usual: false }
    }
}

fn twisted(message: &mut Message, twist: &Twist) {
    match twist {
        Twist::Field(field, value) => {
            message.fields.insert(field.clone(), value.clone());
        }
        Twist::Proof => {
            if let Some(Value::Bytes(proof)) = message.fields.get_mut("proof") {
                proof[0] ^= 1;
            }
        }
        Twist::Fill => {}
    }
}

/// The items of a message's list that are whole and stand before what is wrong with it.
fn items_before_the_fault(schema: &Schema, layout: &MessageLayout, payload: &[u8]) -> BTreeSet<usize> {
    let Some((list, item)) = layout.fields.iter().find_map(|field| match &field.ty {
        Type::List(_, item) => Some((&field.name, item)),
        _ => None,
    }) else {
        return BTreeSet::new();
    };
    let last = match schema.layout(item) {
        Some(crate::schema::Layout::Record(fields)) => fields.last().map_or("", |field| field.name.as_str()),
        _ => "",
    };
    let segments = match codec::decode(schema, layout.phase, payload) {
        Ok(decoded) => decoded.segments,
        Err(error) => error.segments,
    };
    let is_whole = |index: &usize| segments.iter().any(|segment| segment.field == format!("{list}[{index}].{last}"));
    (0..).take_while(is_whole).collect()
}

fn plain(name: &str, kind: Option<&str>, mutation: Option<Mutation>) -> Recipe {
    Recipe::Message { name: name.to_owned(), kind: kind.map(str::to_owned), twist: None, mutation }
}

/// A message as it should be.
pub(super) fn whole(layout: &MessageLayout) -> Input {
    Input::new(layout.name.clone(), plain(&layout.name, None, None))
}

/// A message as it should be, of every kind, and with everything that the schema lets be wrong with it.
pub(super) fn all_of(schema: &Schema, layout: &MessageLayout) -> Vec<Input> {
    let name = layout.name.as_str();
    let mut inputs = Vec::new();
    let union = sample::kinds(schema, layout);
    let kinds: Vec<Option<&str>> =
        union.as_ref().map_or_else(|| vec![None], |(_, kinds)| kinds.iter().map(|kind| Some(*kind)).collect());
    let mut seen = BTreeSet::new();
    for kind in kinds {
        let stem = kind.map_or_else(|| name.to_owned(), |kind| format!("{name}-{kind}"));
        inputs.push(Input::new(stem.clone(), plain(name, kind, None)));
        let sample = sample::message(schema, layout, kind, &Words::dummy(0));
        let Ok(encoded) = codec::encode(schema, &sample) else { continue };
        for (what, mutation) in mutations(schema, layout, &encoded) {
            // Kinds differ behind what they have in common, which has to be made wrong only once.
            let Ok(mutated) = mutate::mutate(&encoded, &mutation) else { continue };
            if seen.insert(mutated.payload()) {
                inputs.push(Input::new(format!("{stem}-{what}"), plain(name, kind, Some(mutation))));
            }
        }
    }
    for (what, twist) in twists(layout) {
        let recipe = Recipe::Message { name: name.to_owned(), kind: None, twist: Some(twist), mutation: None };
        inputs.push(Input::new(format!("{name}-{what}"), recipe));
    }
    inputs
}

/// Everything that can be done to an encoded message: what it is called, and what it is.
pub(super) fn mutations(schema: &Schema, layout: &MessageLayout, encoded: &Encoded) -> Vec<(String, Mutation)> {
    let mut mutations = Vec::new();
    for (index, segment) in encoded.segments.iter().enumerate() {
        let (field, length) = (&segment.field, segment.bytes.len());
        // What is cut before the tag is an empty frame.
        for keep in BTreeSet::from([0, 1, length / 2, length.saturating_sub(1)]) {
            if (index, keep) != (0, 0) && keep < length.max(1) {
                mutations.push((
                    format!("cut-{keep}-in-{}", slug(field)),
                    Mutation::Truncate { field: field.clone(), keep },
                ));
            }
        }
        if field.ends_with(".length") || field.ends_with(".count") {
            let mut bytes = [0; 8];
            bytes[..length].copy_from_slice(&segment.bytes);
            let says = i64::from_le_bytes(bytes);
            let most = i64::try_from(u64::MAX >> (64 - 8 * length)).unwrap_or(i64::MAX);
            for (what, add) in [("one-more", 1), ("one-less", -1), ("none", -says), ("most", most - says)] {
                mutations.push((format!("{}-{what}", slug(field)), Mutation::Length { field: field.clone(), add }));
            }
        }
        if is_text(layout, encoded, field) {
            for (what, hex) in [("ff", "ff"), ("overlong", "c0af"), ("half", "c3"), ("surrogate", "eda080")] {
                let mutation = Mutation::BadUtf8 { field: field.clone(), hex: hex.to_owned() };
                mutations.push((format!("{}-not-utf8-{what}", slug(field)), mutation));
            }
        }
        if field.ends_with(".kind") && field.matches('.').count() == 1 {
            let known = union_of(schema, layout).map(known_kinds).unwrap_or_default();
            for tag in [known.iter().max().map_or(0, |most| most.saturating_add(1)), 0xFF] {
                let mutation = Mutation::Tag { field: field.clone(), hex: format!("{tag:02x}") };
                mutations.push((format!("{}-{tag}", slug(field)), mutation));
            }
        }
    }
    // What follows bytes(rest) is part of them.
    if layout.fields.last().is_none_or(|field| field.ty != Type::Rest) {
        for hex in ["00", "ff00ff"] {
            mutations.push((format!("left-over-{hex}"), Mutation::LeftOver { hex: hex.to_owned() }));
        }
    }
    mutations
}

/// Whether a segment is the bytes of a `string`, and not of a `bytes(uN)`, which lists and unions do not hold.
fn is_text(layout: &MessageLayout, encoded: &Encoded, field: &str) -> bool {
    let is_blob = layout.fields.iter().any(|one| one.name == field && matches!(one.ty, Type::Blob(_)));
    encoded.segment(&format!("{field}.length")).is_some() && !is_blob
}

fn union_of<'a>(schema: &'a Schema, layout: &MessageLayout) -> Option<&'a UnionLayout> {
    layout.fields.iter().find_map(|field| match &field.ty {
        Type::Named(name) => match schema.layout(name) {
            Some(crate::schema::Layout::Union(union)) => Some(union),
            _ => None,
        },
        _ => None,
    })
}

fn known_kinds(union: &UnionLayout) -> Vec<u8> {
    union.variants.values().map(|variant| variant.tag).chain(union.forbidden.values().copied()).collect()
}

/// Values at the ends of what fields can say.
fn twists(layout: &MessageLayout) -> Vec<(String, Twist)> {
    let mut twists = Vec::new();
    for field in &layout.fields {
        let mut says = |what: &str, value: Value| {
            twists.push((format!("{}-{what}", slug(&field.name)), Twist::Field(field.name.clone(), value)));
        };
        match &field.ty {
            Type::Pid => {
                let most = Pid { node_id: u16::MAX, creation: u8::MAX, local: Pid::LOCAL_MAX };
                says("zero", Value::Pid(Pid { node_id: 0, creation: 0, local: 0 }));
                says("foreign", Value::Pid(Pid { node_id: 9, creation: 3, local: 42 }));
                says("most", Value::Pid(most));
            }
            Type::Uint(width) => {
                says("zero", Value::Uint(0));
                says("most", Value::Uint(width.max()));
            }
            Type::Text(_) if layout.phase == Phase::Handshake => {
                says("without-host", Value::Text("nobody".to_owned()));
                says("port-0", Value::Text("nobody@127.0.0.1:0".to_owned()));
            }
            Type::Text(_) => says("empty", Value::Text(String::new())),
            Type::Blob(_) | Type::Rest => says("empty", Value::Bytes(Vec::new())),
            Type::List(..) => says("empty", Value::List(Vec::new())),
            Type::Bytes(_) if field.name == "proof" => twists.push(("proof-wrong".to_owned(), Twist::Proof)),
            _ => {}
        }
    }
    if layout.phase == Phase::Handshake {
        twists.push(("filled".to_owned(), Twist::Fill));
    }
    twists
}

/// Tags that no message of either phase has: next to those that one has, and at the ends.
pub(super) fn unknown_tags(schema: &Schema) -> Vec<u8> {
    let known: BTreeSet<u8> = schema.messages().map(|message| message.tag).collect();
    let near = known.iter().flat_map(|tag| [tag.wrapping_sub(1), tag.wrapping_add(1)]);
    near.chain([0, 0x7F, 0x80, u8::MAX])
        .filter(|tag| !known.contains(tag))
        .collect::<BTreeSet<u8>>()
        .into_iter()
        .collect()
}

/// What is no message: unknown tags, an empty frame, lengths over the limit of that phase.
pub(super) fn frames(schema: &Schema, phase: Phase) -> Vec<Input> {
    let mut inputs = Vec::new();
    for tag in unknown_tags(schema) {
        inputs.push(Input::new(format!("tag-{tag:02x}"), Recipe::Payload([&[tag][..], &[1; 40]].concat())));
    }
    inputs.push(Input::new("tag-alone", Recipe::Payload(vec![u8::MAX])));
    inputs.push(Input::new("empty", Recipe::Payload(Vec::new())));
    inputs.push(Input::new("one-too-long", Recipe::Announce(schema.limit(phase) + 1)));
    inputs.push(Input::new("longest", Recipe::Announce(u32::MAX)));
    inputs
}

/// Lower-case letters and digits, all else as single dashes.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}
