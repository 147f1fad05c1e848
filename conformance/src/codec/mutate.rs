//! Lies about a message: one well-formed payload in, one with exactly one thing changed out.

use serde::{Deserialize, Serialize};

use super::json;
use super::message::{Encoded, Segment};
use super::payload::announces;

/// One change. Segments are named as in [`Segment::field`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Mutation {
    /// The payload ends in that segment, after its first `keep` bytes.
    Truncate {
        /// The segment.
        field: String,
        /// How many of its bytes stay: fewer than it has.
        keep: usize,
    },
    /// A length or count says another number; what it counts stays.
    Length {
        /// The segment, such as `name.length` or `entries.count`.
        field: String,
        /// What is added to it.
        add: i64,
    },
    /// A text ends in other bytes, which make it invalid; its length stays.
    BadUtf8 {
        /// The text's segment.
        field: String,
        /// Its new last bytes, in hex.
        hex: String,
    },
    /// Bytes follow the last field.
    LeftOver {
        /// The bytes, in hex.
        hex: String,
    },
    /// Another tag, or another byte where one says what follows.
    Tag {
        /// The segment of one byte: `tag`, or such as `value.kind` or `version`.
        #[serde(default = "tag", skip_serializing_if = "is_tag")]
        field: String,
        /// The byte, in hex.
        hex: String,
    },
    /// Some segments stand there over and over: with what begins a value around another, that is depth.
    Repeat {
        /// The first of them.
        field: String,
        /// The last of them.
        to: String,
        /// How often they stand there.
        times: usize,
    },
}

fn tag() -> String {
    "tag".to_owned()
}

fn is_tag(field: &String) -> bool {
    *field == tag()
}

/// No repetition makes more bytes than this.
const REPEAT_LIMIT: usize = 64 << 20;

/// Why a payload cannot be changed that way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MutationError {
    /// The payload has no such segment.
    #[error("the message has no segment {0}")]
    NoSegment(String),
    /// The segment is not one that this change is about.
    #[error("{field} is not {wanted}")]
    NotApplicable {
        /// The segment.
        field: String,
        /// What it would have to be.
        wanted: &'static str,
    },
    /// A number or bytes that do not fit the segment.
    #[error("{0} does not have room for that")]
    OutOfRange(String),
    /// Not an even number of lower-case hex digits, or none.
    #[error("\"{0}\" is no lower-case hex")]
    Hex(String),
    /// The payload would be what it was.
    #[error("that changes nothing")]
    NoEffect,
}

/// The payload with that change; its segments keep their names, and their meanings tell the change.
///
/// # Errors
/// When the change does not apply to this payload, or would not change it.
pub fn mutate(origin: &Encoded, mutation: &Mutation) -> Result<Encoded, MutationError> {
    let mut segments = origin.segments.clone();
    let position = |field: &str| {
        let found = origin.segments.iter().position(|segment| segment.field == field);
        found.ok_or_else(|| MutationError::NoSegment(field.to_owned()))
    };
    match mutation {
        Mutation::Truncate { field, keep } => {
            let index = position(field)?;
            truncate(&mut segments, index, *keep)?;
        }
        Mutation::Length { field, add } => lengthen(&mut segments[position(field)?], *add)?,
        Mutation::BadUtf8 { field, hex } => {
            let index = position(field)?;
            let is_text = index > 0 && segments[index - 1].field == format!("{field}.length");
            if !is_text {
                return Err(MutationError::NotApplicable { field: field.clone(), wanted: "a text" });
            }
            spoil(&mut segments[index], &given(hex)?)?;
        }
        Mutation::LeftOver { hex } => {
            segments.push(Segment {
                field: "left_over".to_owned(),
                bytes: given(hex)?,
                meaning: "left over".to_owned(),
            });
        }
        Mutation::Tag { field, hex } => {
            let segment = &mut segments[position(field)?];
            let (&[tag], 1) = (given(hex)?.as_slice(), segment.bytes.len()) else {
                return Err(MutationError::OutOfRange(field.clone()));
            };
            segment.meaning = format!("{tag:#04x} in place of {}", segment.meaning);
            segment.bytes = vec![tag];
        }
        Mutation::Repeat { field, to, times } => {
            let (first, last) = (position(field)?, position(to)?);
            repeat(&mut segments, first, last, *times)?;
        }
    }
    let mutated = Encoded { segments };
    if mutated.payload() == origin.payload() { Err(MutationError::NoEffect) } else { Ok(mutated) }
}

fn truncate(segments: &mut Vec<Segment>, index: usize, keep: usize) -> Result<(), MutationError> {
    let segment = &mut segments[index];
    let whole = segment.bytes.len();
    // An empty segment can only be cut before; where nothing follows it either, nothing has changed, which the caller sees.
    if keep > 0 && keep >= whole {
        return Err(MutationError::OutOfRange(segment.field.clone()));
    }
    segment.bytes.truncate(keep);
    segment.meaning = format!("cut after {keep} of {}", announces(whole as u64, "byte"));
    segments.truncate(if keep == 0 { index } else { index + 1 });
    Ok(())
}

fn lengthen(segment: &mut Segment, add: i64) -> Result<(), MutationError> {
    if !(segment.field.ends_with(".length") || segment.field.ends_with(".count")) {
        return Err(MutationError::NotApplicable { field: segment.field.clone(), wanted: "a length or a count" });
    }
    let width = segment.bytes.len();
    let mut number = [0; 8];
    number[..width].copy_from_slice(&segment.bytes);
    let announced = u64::from_le_bytes(number).checked_add_signed(add);
    let fits = announced.filter(|&n| n <= u64::MAX >> (64 - 8 * width));
    let announced = fits.ok_or_else(|| MutationError::OutOfRange(segment.field.clone()))?;
    segment.bytes = announced.to_le_bytes()[..width].to_vec();
    segment.meaning = format!("says {announced}, there: {}", segment.meaning);
    Ok(())
}

fn spoil(segment: &mut Segment, bad: &[u8]) -> Result<(), MutationError> {
    let kept = segment.bytes.len().checked_sub(bad.len());
    let kept = kept.ok_or_else(|| MutationError::OutOfRange(segment.field.clone()))?;
    segment.bytes[kept..].copy_from_slice(bad);
    if std::str::from_utf8(&segment.bytes).is_ok() {
        return Err(MutationError::NotApplicable { field: segment.field.clone(), wanted: "made invalid by that" });
    }
    segment.meaning = format!("not UTF-8: ends in {}", hex::encode(bad));
    Ok(())
}

fn repeat(segments: &mut Vec<Segment>, first: usize, last: usize, times: usize) -> Result<(), MutationError> {
    let out_of_range = || MutationError::OutOfRange(segments[first].field.clone());
    let repeated = segments.get(first..=last).ok_or_else(out_of_range)?;
    let once: Vec<u8> = repeated.iter().flat_map(|segment| &segment.bytes).copied().collect();
    once.len().checked_mul(times).filter(|total| *total <= REPEAT_LIMIT).ok_or_else(out_of_range)?;
    let meaning = format!("{times} times: {}", hex::encode(&once));
    let many = Segment { field: segments[first].field.clone(), bytes: once.repeat(times), meaning };
    segments.splice(first..=last, [many]);
    Ok(())
}

fn given(hex: &str) -> Result<Vec<u8>, MutationError> {
    json::bytes(hex).filter(|bytes| !bytes.is_empty()).ok_or_else(|| MutationError::Hex(hex.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::codec::{Message, encode};
    use crate::schema::own;

    fn origin() -> Encoded {
        let fields = json!({"room": "r", "text": "ab"});
        encode(&own(), &Message::from_json(&own(), "ROOM_BROADCAST", &fields).unwrap()).unwrap()
    }

    fn changed(mutation: serde_json::Value) -> Result<String, MutationError> {
        let mutation = serde_json::from_value(mutation).unwrap();
        mutate(&origin(), &mutation).map(|mutated| hex::encode(mutated.payload()))
    }

    #[test]
    fn each_changes_what_it_says() {
        assert_eq!(hex::encode(origin().payload()), "1e010072020000006162");
        assert_eq!(changed(json!({"kind": "truncate", "field": "tag", "keep": 0})).unwrap(), "");
        assert_eq!(changed(json!({"kind": "truncate", "field": "text.length", "keep": 3})).unwrap(), "1e010072020000");
        assert_eq!(
            changed(json!({"kind": "length", "field": "room.length", "add": 1})).unwrap(),
            "1e020072020000006162"
        );
        assert_eq!(
            changed(json!({"kind": "length", "field": "text.length", "add": -1})).unwrap(),
            "1e010072010000006162"
        );
        assert_eq!(changed(json!({"kind": "bad_utf8", "field": "text", "hex": "ff"})).unwrap(), "1e0100720200000061ff");
        assert_eq!(changed(json!({"kind": "left_over", "hex": "00"})).unwrap(), "1e01007202000000616200");
        assert_eq!(changed(json!({"kind": "tag", "hex": "7f"})).unwrap(), "7f010072020000006162");
        assert_eq!(changed(json!({"kind": "tag", "field": "room", "hex": "73"})).unwrap(), "1e010073020000006162");
        assert_eq!(
            changed(json!({"kind": "repeat", "field": "room.length", "to": "room", "times": 2})).unwrap(),
            "1e010072010072020000006162"
        );
    }

    #[test]
    fn what_does_not_apply_is_refused() {
        use MutationError::{Hex, NoEffect, NoSegment, NotApplicable, OutOfRange};
        let refused = |mutation| changed(mutation).unwrap_err();
        assert_eq!(refused(json!({"kind": "truncate", "field": "x", "keep": 0})), NoSegment("x".into()));
        assert_eq!(refused(json!({"kind": "truncate", "field": "text", "keep": 2})), OutOfRange("text".into()));
        assert!(matches!(refused(json!({"kind": "length", "field": "room", "add": 1})), NotApplicable { .. }));
        assert_eq!(
            refused(json!({"kind": "length", "field": "room.length", "add": -2})),
            OutOfRange("room.length".into())
        );
        assert!(matches!(refused(json!({"kind": "bad_utf8", "field": "text", "hex": "61"})), NotApplicable { .. }));
        assert!(matches!(refused(json!({"kind": "bad_utf8", "field": "tag", "hex": "ff"})), NotApplicable { .. }));
        assert_eq!(refused(json!({"kind": "bad_utf8", "field": "room", "hex": "c0af"})), OutOfRange("room".into()));
        assert_eq!(refused(json!({"kind": "left_over", "hex": ""})), Hex(String::new()));
        assert_eq!(refused(json!({"kind": "tag", "hex": "1e"})), NoEffect);
        assert_eq!(refused(json!({"kind": "tag", "field": "text", "hex": "1e"})), OutOfRange("text".into()));
        let repeat = |to: &str, times: usize| json!({"kind": "repeat", "field": "room", "to": to, "times": times});
        assert_eq!(refused(repeat("tag", 2)), OutOfRange("room".into()));
        assert_eq!(refused(repeat("text", usize::MAX)), OutOfRange("room".into()));
        assert_eq!(refused(repeat("room", 1)), NoEffect);
    }
}
