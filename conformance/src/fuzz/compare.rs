//! Where two codecs disagree about one input. What the spec leaves open is no disagreement.

use std::collections::HashSet;

use serde_json::Value as Json;

use super::input::{Input, Target};
use super::seeds::Seeds;
use crate::codec::{
    DecodeError, DecodeErrorKind, Decoded, DecodedDocument, Encoded, FrameReader, Segment, TERM, Undecodable,
    Unreadable, Value, decode, decode_document,
};
use crate::runner::answers::{self, Answer};
use crate::schema::{Phase, Schema};
use crate::vectors::{Fault, Reading, StreamEnd, TermReading, TermVerdict, Verdict, brief, difference, place, short};

/// Reasons of more levels may be cut by whoever reads them (PROC-25).
const REASON_LEVELS: usize = 64;

/// What the harness's own codec makes of an input.
#[derive(Debug)]
pub(super) enum Own {
    Message(Result<Decoded, DecodeError>),
    Term(Result<DecodedDocument, DecodeError>),
    Frames(Vec<Vec<u8>>, StreamEnd),
}

/// Two codecs, one input, two answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// What sort it is: inputs are made smaller as long as it stays the same.
    pub what: &'static str,
    /// The requirement that is broken, if the harness is right.
    pub requirement: String,
    /// What the node answered, and what it should have.
    pub sentence: String,
}

impl Own {
    pub(super) fn of(schema: &Schema, input: &Input) -> Self {
        match input.target {
            Target::Term => Self::Term(decode_document(schema, TERM, &input.bytes)),
            Target::Frames => {
                let mut reader = FrameReader::new(schema.limit(input.phase));
                reader.push(&input.bytes);
                let mut frames = Vec::new();
                let end = loop {
                    match reader.next_payload() {
                        Ok(Some(payload)) => frames.push(payload),
                        Ok(None) if reader.waiting() == 0 => break StreamEnd::Complete,
                        Ok(None) => break StreamEnd::Incomplete,
                        Err(_) => break StreamEnd::TooLong,
                    }
                };
                Self::Frames(frames, end)
            }
            _ => Self::Message(decode(schema, input.phase, &input.bytes)),
        }
    }

    /// What a node is asked about it: methods and parameters.
    pub(super) fn questions(&self, schema: &Schema, input: &Input) -> Vec<(&'static str, Json)> {
        match self {
            Self::Frames(..) => vec![("codec.frames", answers::of_bytes(input.phase, &input.bytes))],
            Self::Message(own) => {
                let mut questions = vec![("codec.decode", answers::of_bytes(input.phase, &input.bytes))];
                if let Ok(Decoded { message, .. }) = own
                    && !message.fields.values().any(is_deep)
                {
                    let params = answers::of_message(schema, &message.name, message.fields_json());
                    questions.push(("codec.encode", params));
                }
                questions
            }
            Self::Term(own) => {
                let mut questions = vec![("term.decode", answers::of_term_bytes(&input.bytes))];
                if let Ok(DecodedDocument { value, segments, .. }) = own
                    && !is_open(segments)
                {
                    questions.push(("term.encode", answers::of_term(schema, value.to_json())));
                }
                questions
            }
        }
    }

    /// The first disagreement with a node's answers to [`Own::questions`].
    pub(super) fn judge(
        &self,
        schema: &Schema,
        seeds: &Seeds,
        input: &Input,
        mut answers: impl Iterator<Item = Answer>,
    ) -> Option<Disagreement> {
        let first = answers.next()?;
        let judged = match self {
            Self::Message(own) => judge_message(seeds, input, own, answers::reading(schema, first)),
            Self::Term(own) => judge_term(own, answers::term_reading(schema, first)),
            Self::Frames(frames, end) => judge_frames(input.phase, frames, *end, answers::frames(first)),
        };
        if let Some(disagreement) = judged {
            return Some(disagreement);
        }
        let second = answers.next()?;
        match self {
            // A node may refuse to write what none may send: a creation of 0, an empty name.
            Self::Message(Ok(own)) => answers::written(second).ok().and_then(|found| {
                let wanted = &input.bytes[..input.bytes.len() - own.message.left_over.len()];
                other_bytes(&own.segments, &found, wanted, seeds.requirement(&own.message.name))
            }),
            Self::Term(Ok(own)) => match answers::term_written(second) {
                Ok(Ok(found)) => {
                    let wanted = &input.bytes[..input.bytes.len() - own.left_over.len()];
                    other_bytes(&own.segments, &found, wanted, "TERM-1".to_owned())
                }
                Ok(Err(kind)) => {
                    found("encode refused", "TERM-1", format!("encode: finds it {kind}; it can be written"))
                }
                Err(fault) => found("encode refused", "TERM-1", format!("encode: {fault}; it can be written")),
            },
            _ => None,
        }
    }
}

fn found(what: &'static str, requirement: &str, sentence: String) -> Option<Disagreement> {
    Some(Disagreement { what, requirement: requirement.to_owned(), sentence })
}

fn judge_message(
    seeds: &Seeds,
    input: &Input,
    own: &Result<Decoded, DecodeError>,
    answer: Result<Result<Reading, Undecodable>, Fault>,
) -> Option<Disagreement> {
    let in_session = |session: &'static str, handshake: &'static str| {
        if input.phase == Phase::Session { session } else { handshake }
    };
    let word = |kind: Undecodable| Verdict::from(kind);
    let answer = match answer {
        Ok(answer) => answer,
        Err(fault) => return found("decode answer", "FRAME-21", format!("decode: {fault}")),
    };
    match (own, answer) {
        // Deeper than the harness reads.
        (Err(DecodeError { kind: DecodeErrorKind::TooDeep { .. }, .. }), _) => None,
        (Err(error), Err(kind)) if error.kind.undecodable() == kind => None,
        (Err(error), other) => {
            let requirement = match &error.kind {
                DecodeErrorKind::Empty => in_session("FRAME-15", "HS-13"),
                DecodeErrorKind::UnknownTag(_) => in_session("FRAME-17", "HS-12"),
                DecodeErrorKind::InvalidUtf8 { .. } => in_session("FRAME-19", "HS-14"),
                DecodeErrorKind::UnknownVariant { .. } => in_session("PROC-26", "HS-13"),
                _ => in_session("FRAME-18", "HS-13"),
            };
            let wanted = word(error.kind.undecodable());
            match other {
                Err(kind) => {
                    let sentence = format!("decode: finds it {}; it is {wanted}: {error}", word(kind));
                    found("decode kind", requirement, sentence)
                }
                Ok(Reading { message, fields, .. }) => {
                    let sentence = format!("decode: reads {message} {}; it is {wanted}: {error}", brief(&fields));
                    found("decode reads", requirement, sentence)
                }
            }
        }
        (Ok(Decoded { message, .. }), Err(kind)) => {
            let requirement = match message.left_over.len() {
                0 => seeds.requirement(&message.name),
                _ => in_session("FRAME-20", "HS-15").to_owned(),
            };
            found("decode refuses", &requirement, format!("decode: finds it {}; it is {message}", word(kind)))
        }
        (Ok(Decoded { message, segments }), Ok(mut reading)) => {
            let requirement = seeds.requirement(&message.name);
            if reading.message != message.name {
                let sentence = format!("decode: message is {}, want {}", reading.message, message.name);
                return found("decode message", &requirement, sentence);
            }
            let mut wanted = message.fields_json();
            for (name, _) in message.fields.iter().filter(|(_, value)| is_deep(value)) {
                wanted[name] = Json::Null;
                if let Some(field) = reading.fields.get_mut(name) {
                    *field = Json::Null;
                }
            }
            if let Some((path, is, want)) = difference("", &reading.fields, &wanted) {
                let place = place(&Encoded { segments: segments.clone() }, &path);
                return found("decode field", &requirement, format!("decode: {path} is {is}, want {want}{place}"));
            }
            left_over(&reading.left_over, &message.left_over, in_session("FRAME-20", "HS-15"))
        }
    }
}

fn left_over(is: &[u8], want: &[u8], requirement: &str) -> Option<Disagreement> {
    if is == want {
        return None;
    }
    let [is, want] = [is, want].map(|bytes| format!("{} ({} bytes)", short(&hex::encode(bytes)), bytes.len()));
    found("decode left_over", requirement, format!("decode: left_over is {is}, want {want}"))
}

fn judge_term(
    own: &Result<DecodedDocument, DecodeError>,
    answer: Result<Result<TermReading, Unreadable>, Fault>,
) -> Option<Disagreement> {
    let word = TermVerdict::Unreadable;
    let answer = match answer {
        Ok(answer) => answer,
        Err(fault) => return found("decode answer", "TERM-1", format!("decode: {fault}")),
    };
    let segments = match own {
        Ok(own) => &own.segments,
        Err(error) => &error.segments,
    };
    if is_open(segments) {
        return None;
    }
    match (own, answer) {
        // Readers may go deeper than every reader has to, and then find something else.
        (Err(DecodeError { kind: DecodeErrorKind::TooDeep { .. }, .. }), _) => None,
        (Err(error), Err(kind)) if error.kind.unreadable() == kind => None,
        (Err(error), other) => {
            let wanted = error.kind.unreadable();
            let requirement = of_unreadable(wanted, &error.kind);
            match other {
                Err(kind) => {
                    let sentence = format!("decode: finds it {}; it is {}: {error}", word(kind), word(wanted));
                    found("decode kind", requirement, sentence)
                }
                Ok(reading) => {
                    let sentence = format!("decode: reads {}; it is {}: {error}", brief(&reading.term), word(wanted));
                    found("decode reads", requirement, sentence)
                }
            }
        }
        (Ok(own), Err(kind)) => {
            let requirement = match kind {
                Unreadable::TooDeep => "TERM-14",
                Unreadable::TooLarge => "TERM-12",
                Unreadable::InvalidUtf8 => "TERM-13",
                _ => "TERM-1",
            };
            let value = brief(&own.value.to_json());
            found("decode refuses", requirement, format!("decode: finds it {}; it is {value}", word(kind)))
        }
        (Ok(own), Ok(reading)) => {
            if let Some((path, is, want)) = difference("value", &reading.term, &own.value.to_json()) {
                let requirement = match path.rsplit('.').next() {
                    Some("text") => "TERM-5",
                    Some("value") if want.starts_with('"') => "TERM-3",
                    Some("value") => "TERM-4",
                    Some(list) if list.starts_with("entries") || list.starts_with("items") => "TERM-2",
                    _ => "TERM-1",
                };
                let place = place(&Encoded { segments: own.segments.clone() }, &path);
                return found("decode field", requirement, format!("decode: {path} is {is}, want {want}{place}"));
            }
            left_over(&reading.left_over, &own.left_over, "TERM-1")
        }
    }
}

fn of_unreadable(unreadable: Unreadable, kind: &DecodeErrorKind) -> &'static str {
    match (unreadable, kind) {
        (Unreadable::UnexpectedEnd, _) => "TERM-6",
        (Unreadable::InvalidTag, _) => "TERM-7",
        (Unreadable::UnsupportedVersion, _) => "TERM-8",
        (Unreadable::Closure, _) => "TERM-9",
        (Unreadable::TooLarge, DecodeErrorKind::TooLarge { limit: 1_000_000, .. }) => "TERM-12",
        (Unreadable::TooLarge, _) => "TERM-11",
        (Unreadable::InvalidUtf8, _) => "TERM-13",
        (Unreadable::TooDeep, _) => "TERM-15",
    }
}

fn judge_frames(
    phase: Phase,
    wanted: &[Vec<u8>],
    end: StreamEnd,
    answer: Result<(Vec<Vec<u8>>, StreamEnd), Fault>,
) -> Option<Disagreement> {
    let (frames, found_end) = match answer {
        Ok(answer) => answer,
        Err(fault) => return found("frames answer", "FRAME-21", format!("frames: {fault}")),
    };
    let limits = if phase == Phase::Session { ["FRAME-13", "FRAME-14"] } else { ["FRAME-11", "FRAME-12"] };
    if found_end != end {
        let requirement = match (end, found_end) {
            (StreamEnd::TooLong, _) => limits[1],
            (_, StreamEnd::TooLong) => limits[0],
            _ => "FRAME-8",
        };
        return found("frames end", requirement, format!("frames: end is {found_end}, want {end}"));
    }
    if frames.len() != wanted.len() {
        let sentence = format!("frames: finds {}, there are {}", frames.len(), wanted.len());
        return found("frames count", "FRAME-10", sentence);
    }
    let other = frames.iter().zip(wanted).position(|(found, wanted)| found != wanted)?;
    let [is, want] = [&frames[other], &wanted[other]].map(|payload| short(&hex::encode(payload)));
    found("frames payload", "FRAME-10", format!("frames: frame {other} is {is}, want {want}"))
}

fn other_bytes(segments: &[Segment], is: &[u8], want: &[u8], requirement: String) -> Option<Disagreement> {
    if is == want {
        return None;
    }
    let offset = is.iter().zip(want).take_while(|(is, want)| is == want).count();
    let mut end = 0;
    let segment = segments.iter().find(|segment| {
        end += segment.bytes.len();
        offset < end
    });
    let place = segment.map_or("its end", |segment| segment.field.as_str());
    let [is, want] = [is, want].map(|bytes| format!("{} ({} bytes)", short(&hex::encode(bytes)), bytes.len()));
    let sentence = format!("encode: differs at offset {offset}, in {place}: is {is}, want {want}");
    Some(Disagreement { what: "encode bytes", requirement, sentence })
}

/// Unions within each other past what everybody reads as it is.
fn is_deep(value: &Value) -> bool {
    fn levels(value: &Value) -> usize {
        match value {
            Value::Union { fields, .. } => 1 + fields.values().map(levels).max().unwrap_or(0),
            _ => 0,
        }
    }
    levels(value) > REASON_LEVELS
}

/// Whether a map stands in what was read of a term that the chapter leaves open: of an unknown key type, with a key of another kind, or
/// with one that stands twice.
fn is_open(segments: &[Segment]) -> bool {
    let mut types: Vec<(&str, u8)> = Vec::new();
    let mut keys = HashSet::new();
    for segment in segments {
        if let Some(map) = segment.field.strip_suffix(".key_type") {
            let [key_type @ (0 | 1)] = segment.bytes[..] else { return true };
            types.push((map, key_type));
        } else if let Some(entry) = segment.field.strip_suffix(".key.kind") {
            let Some((map, _)) = entry.rsplit_once(".entries[") else { continue };
            let wanted =
                types.iter().rev().find(|(name, _)| *name == map).map(|(_, key_type)| [1, 5][usize::from(*key_type)]);
            if wanted.is_none_or(|wanted| segment.bytes != [wanted]) {
                return true;
            }
        } else if let Some(entry) =
            segment.field.strip_suffix(".key.value").or_else(|| segment.field.strip_suffix(".key.text"))
        {
            let Some((map, _)) = entry.rsplit_once(".entries[") else { continue };
            if !keys.insert((map, &segment.bytes)) {
                return true;
            }
        }
    }
    false
}
