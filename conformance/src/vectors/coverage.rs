//! What the vectors of every message and of every kind of term have to contain, whatever it is: derived from the bytes of its typical vector.
//!
//! That vector is called `<family>/<message>-typical`; for each kind of a term, `term/<kind>-typical`. From it follow a cut before and inside every segment, every length and count one
//! too great and one too small, every text made invalid, and left-over bytes. Missing ones can be proposed; the requirements that they
//! show are for people to say.

use std::collections::HashMap;

use super::file::{FileSet, FileVector, Verdict};
use super::resolve::{Body, VectorSet};
use super::terms::{FileTerm, TermVerdict};
use crate::codec::{Encoded, Mutation, TERM, decode, decode_document, mutate};
use crate::schema::{Layout, MessageLayout, Schema, Type};

/// A vector that should be there.
pub(super) enum Gap {
    /// The typical one, which only a person can write.
    Typical(String),
    /// One that follows from it.
    Mutant(Box<FileVector>),
    /// One that follows from a typical term.
    Term(Box<FileTerm>),
}

impl Gap {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Typical(id) => id,
            Self::Mutant(vector) => &vector.id,
            Self::Term(vector) => &vector.id,
        }
    }
}

/// All gaps, in schema order. `files` and `sets` are the same vectors, before and after they were resolved.
pub(super) fn gaps(schema: &Schema, files: &[FileSet], sets: &[VectorSet]) -> Vec<Gap> {
    let payloads: HashMap<&str, &Encoded> = sets
        .iter()
        .flat_map(|set| &set.vectors)
        .filter_map(|vector| match &vector.body {
            Body::Payload { encoded, .. } | Body::Term { encoded, .. } => Some((vector.id.as_str(), encoded)),
            Body::Stream { .. } | Body::Transcript { .. } => None,
        })
        .collect();
    let present: Vec<&FileVector> = files.iter().flat_map(|file| &file.vectors).collect();
    let mut gaps = Vec::new();
    for message in schema.messages() {
        let stem = format!("{}/{}", message.family, slug(&message.name));
        let typical = format!("{stem}-typical");
        let Some(origin) = payloads.get(typical.as_str()) else {
            gaps.push(Gap::Typical(typical));
            continue;
        };
        let mut wanted = wanted(origin, 1, "");
        // What follows bytes(rest) is part of them.
        wanted.truncate(wanted.len() - usize::from(message.fields.last().is_some_and(|field| field.ty == Type::Rest)));
        for (what, mutation) in wanted {
            let is_there = present.iter().any(|vector| {
                vector.of.as_ref() == Some(&typical)
                    && vector.mutation.as_ref().is_some_and(|have| same(have, &mutation))
            });
            if !is_there {
                gaps.extend(mutant(schema, message, &typical, origin, format!("{stem}-{what}"), mutation));
            }
        }
    }
    gaps.extend(term_gaps(schema, files, &payloads));
    gaps
}

/// The gaps of terms: kind by kind.
fn term_gaps(schema: &Schema, files: &[FileSet], payloads: &HashMap<&str, &Encoded>) -> Vec<Gap> {
    let Some((document, open)) = schema.document(TERM).and_then(|document| Some((document, document.open()?))) else {
        return Vec::new();
    };
    let Type::Named(name) = &open.ty else { return Vec::new() };
    let Some(Layout::Union(union)) = schema.layout(name) else { return Vec::new() };
    let present: Vec<&FileTerm> = files.iter().flat_map(|file| &file.terms).collect();
    let mut gaps = Vec::new();
    for kind in union.variants.keys() {
        let stem = format!("{}/{}", document.family, slug(kind));
        let typical = format!("{stem}-typical");
        let Some(origin) = payloads.get(typical.as_str()) else {
            gaps.push(Gap::Typical(typical));
            continue;
        };
        // Constants and the value's own tag are before every kind.
        for (what, mutation) in wanted(origin, document.fields.len(), &format!("{}.", open.name)) {
            let is_there = present.iter().any(|vector| {
                vector.of.as_ref() == Some(&typical)
                    && vector.mutation.as_ref().is_some_and(|have| same(have, &mutation))
            });
            if !is_there {
                gaps.extend(term_mutant(schema, &typical, origin, format!("{stem}-{what}"), mutation));
            }
        }
    }
    gaps
}

/// What should be done to the typical payload from that segment on, and how that is called.
fn wanted(origin: &Encoded, first: usize, prefix: &str) -> Vec<(String, Mutation)> {
    let mut wanted = Vec::new();
    for segment in origin.segments.iter().skip(first) {
        let (field, name) = (segment.field.clone(), slug(segment.field.strip_prefix(prefix).unwrap_or(&segment.field)));
        wanted.push((format!("cut-before-{name}"), Mutation::Truncate { field: field.clone(), keep: 0 }));
        if segment.bytes.len() > 1 {
            let keep = segment.bytes.len() / 2;
            wanted.push((format!("cut-inside-{name}"), Mutation::Truncate { field: field.clone(), keep }));
        }
        if field.ends_with(".length") || field.ends_with(".count") {
            wanted.push((format!("{name}-one-more"), Mutation::Length { field: field.clone(), add: 1 }));
            wanted.push((format!("{name}-one-less"), Mutation::Length { field: field.clone(), add: -1 }));
        }
        if origin.segment(&format!("{field}.length")).is_some() {
            wanted.push((format!("{name}-bad-utf8"), Mutation::BadUtf8 { field, hex: "ff".to_owned() }));
        }
    }
    wanted.push(("left-over".to_owned(), Mutation::LeftOver { hex: "00ff".to_owned() }));
    wanted
}

/// Which bytes are bad or left over does not matter.
fn same(have: &Mutation, wanted: &Mutation) -> bool {
    match (have, wanted) {
        (Mutation::LeftOver { .. }, Mutation::LeftOver { .. }) => true,
        (Mutation::BadUtf8 { field: have, .. }, Mutation::BadUtf8 { field: wanted, .. }) => have == wanted,
        _ => have == wanted,
    }
}

/// `None` where the change changes nothing, as cutting before an empty text at the end.
fn mutant(
    schema: &Schema,
    message: &MessageLayout,
    of: &str,
    origin: &Encoded,
    id: String,
    mutation: Mutation,
) -> Option<Gap> {
    let payload = mutate::mutate(origin, &mutation).ok()?.payload();
    let verdict = decode(schema, message.phase, &payload)
        .map_or_else(|error| error.kind.undecodable().into(), |_| Verdict::Valid);
    Some(Gap::Mutant(Box::new(FileVector {
        id,
        requirements: Vec::new(),
        note: None,
        phase: message.phase,
        of: Some(of.to_owned()),
        mutation: Some(mutation),
        message: None,
        fields: None,
        left_over: None,
        sendable: true,
        verdict,
        error: None,
        segments: Vec::new(),
    })))
}

/// The same of a term.
fn term_mutant(schema: &Schema, of: &str, origin: &Encoded, id: String, mutation: Mutation) -> Option<Gap> {
    let bytes = mutate::mutate(origin, &mutation).ok()?.payload();
    let verdict = decode_document(schema, TERM, &bytes)
        .map_or_else(|error| TermVerdict::Unreadable(error.kind.unreadable()), |_| TermVerdict::VALID);
    Some(Gap::Term(Box::new(FileTerm {
        id,
        requirements: Vec::new(),
        note: None,
        of: Some(of.to_owned()),
        mutation: Some(mutation),
        bytes: None,
        term: None,
        left_over: None,
        verdict,
        error: None,
        segments: Vec::new(),
    })))
}

/// Lower-case letters and digits, all else as single dashes.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}
