//! How a codec is judged by the vectors. What it has to answer is compared as the control protocol would carry it.

use serde_json::Value as Json;

use super::file::StreamEnd;
use super::judge_terms::TermReading;
use super::resolve::{Body, Expected, Golden, Step, VectorSet};
use crate::codec::{Encoded, Message, PROOF_BYTES, Undecodable, Unreadable};
use crate::schema::Phase;

/// A codec that is judged: the capabilities `codec` and `term` of a node, or anything else that does the same.
pub trait CodecUnderTest {
    /// `codec.decode`: what a payload says, or why it says nothing.
    ///
    /// # Errors
    /// [`Fault`] when there is no such answer.
    fn decode(&mut self, phase: Phase, payload: &[u8]) -> Result<Result<Reading, Undecodable>, Fault>;

    /// `codec.encode`: the payload of a message.
    ///
    /// # Errors
    /// [`Fault`] when there is no payload.
    fn encode(&mut self, message: &str, fields: &Json) -> Result<Vec<u8>, Fault>;

    /// `codec.frames`: the payloads in a stream of bytes, and how it ends.
    ///
    /// # Errors
    /// [`Fault`] when there is no such answer.
    fn frames(&mut self, phase: Phase, bytes: &[u8]) -> Result<(Vec<Vec<u8>>, StreamEnd), Fault>;

    /// `codec.proof`: HMAC-SHA256 of a challenge under a cookie.
    ///
    /// # Errors
    /// [`Fault`] when there is no proof.
    fn proof(&mut self, cookie: &[u8], challenge: &[u8]) -> Result<Vec<u8>, Fault>;

    /// `term.decode`: what a term says, or why it says nothing.
    ///
    /// # Errors
    /// [`Fault`] when there is no such answer.
    fn term_decode(&mut self, bytes: &[u8]) -> Result<Result<TermReading, Unreadable>, Fault>;

    /// `term.encode`: the bytes of a value, or `data.kind` of the refusal.
    ///
    /// # Errors
    /// [`Fault`] when there is neither.
    fn term_encode(&mut self, term: Json) -> Result<Result<Vec<u8>, String>, Fault>;
}

/// What a codec read.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The message's name.
    pub message: String,
    /// Its fields, as in the control protocol.
    pub fields: Json,
    /// What stood behind it.
    pub left_over: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The codec refused, or its answer has another form: it fails the vector.
    #[error("refused: {0}")]
    Refused(String),
    /// It could not be asked, or did not answer: nothing is known about it.
    #[error("no answer: {0}")]
    Unanswered(String),
}

/// How a codec did on one vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorOutcome {
    /// The vector.
    pub id: String,
    /// What it found.
    pub finding: Finding,
}

/// What a vector finds about a codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// All as it should be.
    Pass,
    /// What is wrong, a line each; each says what was asked, and where the answer differs.
    Fail(Vec<String>),
    /// It could not be asked to the end.
    Error(String),
}

/// Judges by every vector of a set, in order.
pub fn judge(set: &VectorSet, codec: &mut dyn CodecUnderTest) -> Vec<VectorOutcome> {
    let outcome = |vector: &Golden, codec: &mut dyn CodecUnderTest| VectorOutcome {
        id: vector.id.clone(),
        finding: judge_one(vector, codec),
    };
    set.vectors.iter().map(|vector| outcome(vector, codec)).collect()
}

/// Judges by one vector.
pub fn judge_one(vector: &Golden, codec: &mut dyn CodecUnderTest) -> Finding {
    let mut failures = Vec::new();
    let mut judge = Judge { codec, failures: &mut failures };
    let judged = match &vector.body {
        Body::Payload { phase, encoded, expected, sendable } => judge.payload(*phase, encoded, expected, *sendable),
        Body::Term { encoded, expected } => judge.term(encoded, expected),
        Body::Stream { phase, chunks, frames, end } => judge.stream(*phase, &chunks.concat(), frames, *end),
        Body::Transcript { steps } => steps.iter().try_for_each(|step| judge.step(step)),
    };
    match judged {
        Err(why) => Finding::Error(why),
        Ok(()) if failures.is_empty() => Finding::Pass,
        Ok(()) => Finding::Fail(failures),
    }
}

pub(super) struct Judge<'a> {
    pub(super) codec: &'a mut dyn CodecUnderTest,
    failures: &'a mut Vec<String>,
}

impl Judge<'_> {
    fn payload(&mut self, phase: Phase, encoded: &Encoded, expected: &Expected, sendable: bool) -> Result<(), String> {
        let answer = self.codec.decode(phase, &encoded.payload());
        let Some(answer) = self.answered("decode", answer)? else {
            return Ok(());
        };
        match (expected, answer) {
            (Expected::Message(message), Ok(reading)) => self.reading(encoded, message, &reading),
            (Expected::Undecodable(wanted), Err(found)) if *wanted == found => {}
            (Expected::Message(message), Err(found)) => {
                self.fail(format!("decode: finds it {}; it is {message}", kind(found)));
            }
            (Expected::Undecodable(wanted), Err(found)) => {
                self.fail(format!("decode: finds it {}; it is {}", kind(found), kind(*wanted)));
            }
            (Expected::Undecodable(wanted), Ok(Reading { message, fields, .. })) => {
                let fields = brief(&fields);
                self.fail(format!("decode: reads {message} {fields}; it is {}{}", kind(*wanted), last(encoded)));
            }
        }
        match expected {
            Expected::Message(message) if sendable => self.encoding(encoded, message),
            _ => Ok(()),
        }
    }

    fn reading(&mut self, encoded: &Encoded, wanted: &Message, found: &Reading) {
        if found.message != wanted.name {
            return self.fail(format!("decode: message is {}, want {}", found.message, wanted.name));
        }
        if let Some((path, found, wanted)) = difference("", &found.fields, &wanted.fields_json()) {
            let place = place(encoded, &path);
            self.fail(format!("decode: {path} is {found}, want {wanted}{place}"));
        }
        if found.left_over != wanted.left_over {
            let [found, wanted] = [&found.left_over, &wanted.left_over].map(|bytes| short(&hex::encode(bytes)));
            self.fail(format!("decode: left_over is \"{found}\", want \"{wanted}\""));
        }
    }

    fn encoding(&mut self, encoded: &Encoded, message: &Message) -> Result<(), String> {
        let answer = self.codec.encode(&message.name, &message.fields_json());
        if let Some(found) = self.answered("encode", answer)? {
            self.bytes(encoded, &found, message.left_over.len());
        }
        Ok(())
    }

    /// What is left over is nobody's to write.
    pub(super) fn bytes(&mut self, encoded: &Encoded, found: &[u8], left_over: usize) {
        let wanted = encoded.payload();
        let wanted = &wanted[..wanted.len() - left_over];
        if found == wanted {
            return;
        }
        let offset = found.iter().zip(wanted).take_while(|(found, wanted)| found == wanted).count();
        let (start, segment) = segment_at(encoded, offset);
        let there = found.get(start..).unwrap_or_default();
        let there = &there[..there.len().min(segment.bytes.len().max(1))];
        self.fail(format!(
            "encode: differs at offset {offset}, in {}: is {}, want {} ({}); {} bytes, want {}",
            segment.field,
            if there.is_empty() { "at its end".to_owned() } else { short(&hex::encode(there)) },
            short(&hex::encode(&segment.bytes)),
            segment.meaning,
            found.len(),
            wanted.len(),
        ));
    }

    fn stream(&mut self, phase: Phase, bytes: &[u8], wanted: &[Vec<u8>], end: StreamEnd) -> Result<(), String> {
        let answer = self.codec.frames(phase, bytes);
        let Some((found, found_end)) = self.answered("frames", answer)? else {
            return Ok(());
        };
        if found.len() != wanted.len() {
            self.fail(format!("frames: finds {}, there are {}", found.len(), wanted.len()));
        }
        for (index, (found, wanted)) in
            found.iter().zip(wanted).enumerate().filter(|(_, (found, wanted))| found != wanted)
        {
            let [shown, want] = [found, wanted].map(|payload| short(&hex::encode(payload)));
            let lengths = format!("{} bytes, want {}", found.len(), wanted.len());
            self.fail(format!("frames: frame {index} is \"{shown}\", want \"{want}\" ({lengths})"));
        }
        if found_end != end {
            self.fail(format!("frames: end is {found_end}, want {end}"));
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let expected = Expected::Message(step.message.clone());
        let before = self.failures.len();
        self.payload(Phase::Handshake, &step.encoded, &expected, true)?;
        if let Some(hmac) = &step.hmac {
            let answer = self.codec.proof(&hmac.key, &hmac.input);
            if let Some(found) = self.answered("proof", answer)?
                && found != hmac.output
            {
                let [found, wanted, key] = [&found, &hmac.output.to_vec(), &hmac.key].map(hex::encode);
                let length = PROOF_BYTES;
                self.fail(format!(
                    "proof: is {}, want {wanted} ({length} bytes, cookie {})",
                    short(&found),
                    short(&key)
                ));
            }
        }
        for failure in &mut self.failures[before..] {
            *failure = format!("{} of the {}: {failure}", step.message.name, step.from);
        }
        Ok(())
    }

    /// The answer, or a failure noted, or the end of judging.
    pub(super) fn answered<T>(&mut self, asked: &str, answer: Result<T, Fault>) -> Result<Option<T>, String> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Fault::Refused(why)) => {
                self.fail(format!("{asked}: refused: {why}"));
                Ok(None)
            }
            Err(Fault::Unanswered(why)) => Err(format!("{asked}: no answer: {why}")),
        }
    }

    pub(super) fn fail(&mut self, failure: String) {
        self.failures.push(failure);
    }
}

fn kind(undecodable: Undecodable) -> super::Verdict {
    undecodable.into()
}

/// The first place at which two values differ, with both as text. As deep as the wanted one, at most.
pub(crate) fn difference(path: &str, found: &Json, wanted: &Json) -> Option<(String, String, String)> {
    let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (found, wanted) {
        _ if found == wanted => None,
        (Json::Object(found), Json::Object(wanted)) => {
            let missing = || "missing".to_owned();
            let in_wanted = wanted.iter().find_map(|(key, wanted)| match found.get(key) {
                Some(found) => difference(&at(key), found, wanted),
                None => Some((at(key), missing(), brief(wanted))),
            });
            let besides = || found.iter().find(|(key, _)| !wanted.contains_key(*key));
            in_wanted.or_else(|| besides().map(|(key, found)| (at(key), brief(found), missing())))
        }
        (Json::Array(found), Json::Array(wanted)) if found.len() == wanted.len() => {
            let mut pairs = found.iter().zip(wanted).enumerate();
            pairs.find_map(|(index, (found, wanted))| difference(&format!("{path}[{index}]"), found, wanted))
        }
        (Json::Array(found), Json::Array(wanted)) => {
            Some((path.to_owned(), format!("{} items", found.len()), format!("{} items", wanted.len())))
        }
        _ => Some((path.to_owned(), brief(found), brief(wanted))),
    }
}

/// Where a field stands; the parts of a PID stand in the PID.
pub(crate) fn place(encoded: &Encoded, path: &str) -> String {
    let whole = path.rsplit_once('.').map_or(path, |(before, _)| before);
    let found = [path, whole].into_iter().find_map(|path| encoded.segment(path));
    found.map_or_else(String::new, |(offset, segment)| {
        let hex = short(&hex::encode(&segment.bytes));
        format!(" (bytes {offset}..{}: {hex})", offset + segment.bytes.len())
    })
}

/// What the payload ends in, which is where most malformed ones are.
pub(super) fn last(encoded: &Encoded) -> String {
    encoded
        .segments
        .last()
        .map_or_else(String::new, |segment| format!("; it ends in {}: {}", segment.field, segment.meaning))
}

/// The segment to which a byte belongs, or the last one, and its offset.
fn segment_at(encoded: &Encoded, offset: usize) -> (usize, &crate::codec::Segment) {
    let mut start = 0;
    let mut found = (0, &encoded.segments[0]);
    for segment in &encoded.segments {
        found = (start, segment);
        start += segment.bytes.len();
        if offset < start {
            break;
        }
    }
    found
}

/// A value on one line, as far as people read it. However large or deep it is, no more of it is looked at.
pub(crate) fn brief(json: &Json) -> String {
    let mut text = String::new();
    write(&mut text, json);
    short(&text)
}

fn write(text: &mut String, json: &Json) {
    // Every level writes a byte at least, so this bounds the recursion, too.
    if text.len() > SHORT * 4 {
        return;
    }
    match json {
        Json::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate().take(SHORT) {
                text.push_str(if index > 0 { "," } else { "" });
                write(text, item);
            }
            text.push(']');
        }
        Json::Object(map) => {
            text.push('{');
            for (index, (key, value)) in map.iter().enumerate().take(SHORT) {
                text.push_str(&format!("{}{key:?}:", if index > 0 { "," } else { "" }));
                write(text, value);
            }
            text.push('}');
        }
        leaf => text.push_str(&leaf.to_string()),
    }
}

/// So many characters of anything are shown.
const SHORT: usize = 96;

pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(SHORT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
