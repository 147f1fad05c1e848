//! Steps that send: messages, wrong messages, bytes that are none.

use std::cell::Cell;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::codec::{self, Encoded, Message};
use crate::peer::{self, frame};
use crate::scenario::Expression;
use crate::scenario::expression::{Binding, Scope};
use crate::scenario::step::{FrameSpec, Mutate, Pieces, Send};
use crate::schema::{Phase, Schema};

use super::context::Context;
use super::stop::{StepResult, Stop};

impl Context<'_> {
    /// Sends frames or bytes.
    pub(super) fn send(&mut self, step: &Send) -> StepResult {
        let name = self.name(&step.session)?;
        let phase = self.session(&name)?.phase;
        let times = match &step.times {
            Some(times) => times.number("times", self)?,
            None => 1,
        };
        let frames = step.frames();
        let bytes = self.repeated(phase, &frames, times)?;
        let pieces = step.pieces.as_ref().map(|pieces| cut(&bytes, pieces, self)).transpose()?;
        if frames.iter().any(|frame| self.authenticates(&name, frame)) {
            self.begin_session(&name)?;
        }
        if step.beneath_tls {
            self.release();
            self.session(&name)?.connection.send_beneath_tls(&bytes);
            return Ok(());
        }
        let Some(pieces) = pieces else { return self.deliver(&name, &bytes) };
        self.release();
        self.session(&name)?.connection.send_pieces(pieces);
        Ok(())
    }

    /// The bytes of the frames, so many times over.
    fn repeated(&self, phase: Phase, frames: &[FrameSpec], times: u64) -> StepResult<Vec<u8>> {
        let mut bytes = Vec::new();
        let (mut is_counted, mut first) = (false, 0..0);
        for index in 0..times {
            let binding = Binding { name: "index", value: index.into(), outer: self };
            let scope = Watching { name: "index", scope: &binding, is_asked: Cell::new(false) };
            let start = bytes.len();
            for spec in frames {
                bytes.extend(encode_frame(self.schema(), phase, spec, &scope)?);
            }
            is_counted |= scope.is_asked.get();
            match index {
                0 => first = start..bytes.len(),
                // Nothing but the number and chance tells one time from another: the rest are copies.
                1 if !is_counted && bytes[first.clone()] == bytes[start..] => {
                    let once = bytes[first.clone()].to_vec();
                    (2..times).for_each(|_| bytes.extend_from_slice(&once));
                    break;
                }
                _ => {}
            }
        }
        Ok(bytes)
    }

    /// Whether this is an ACK that a node has to accept.
    fn authenticates(&self, name: &str, frame: &FrameSpec) -> bool {
        let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
        let proof = frame.fields.get("proof").and_then(|proof| text(proof.evaluate(self).ok()));
        let Ok(session) = self.session(name) else { return false };
        let challenge = text(session.heard.get("challenge").cloned()).and_then(|hex| hex::decode(hex).ok());
        let (Some(challenge), Ok(peer)) = (challenge, self.peer(&session.peer)) else { return false };
        frame.message.as_deref() == Some("ACK")
            && frame.mutate.is_none()
            && proof == Some(hex::encode(codec::proof(&peer.cookie, &challenge)))
    }

    /// After ACK the session's rules hold for what arrives.
    pub(super) fn begin_session(&mut self, name: &str) -> StepResult {
        let session = self.session_mut(name)?;
        session.phase = Phase::Session;
        session.connection.set_phase(peer::Phase::Session);
        Ok(())
    }
}

/// A scope that notices whether a name is looked up in it.
struct Watching<'a> {
    name: &'a str,
    scope: &'a dyn Scope,
    is_asked: Cell<bool>,
}

impl Scope for Watching<'_> {
    fn lookup(&self, path: &str) -> Option<Value> {
        if path.starts_with(self.name) {
            self.is_asked.set(true);
        }
        self.scope.lookup(path)
    }

    fn schema(&self) -> Option<&Schema> {
        self.scope.schema()
    }
}

/// The bytes of one frame, or of what stands in for one.
fn encode_frame(schema: &Schema, phase: Phase, spec: &FrameSpec, scope: &dyn Scope) -> StepResult<Vec<u8>> {
    if let Some(raw) = &spec.raw {
        return Ok(raw.bytes("raw", scope)?);
    }
    if let Some(announce) = &spec.announce {
        let length = announce.number("announce", scope)?;
        let length = u32::try_from(length).map_err(|_| Stop::Harness(format!("{length} does not fit a length")))?;
        return Ok(length.to_le_bytes().to_vec());
    }
    let mut payload = match (&spec.payload, &spec.message) {
        (Some(payload), _) => payload.bytes("payload", scope)?,
        (None, Some(name)) => {
            let name = Expression::Text(name.clone()).text("message", scope)?;
            let encoded = encode_message(schema, &name, &spec.fields, scope)?;
            match &spec.mutate {
                Some(mutate) => mutated(&encoded, mutate, scope)?,
                None => encoded.payload(),
            }
        }
        (None, None) => {
            return Err(Stop::Harness(format!(
                "a `send` in {phase:?} phase needs `message`, `payload`, `raw`, `announce` or `frames`"
            )));
        }
    };
    if let Some(append) = &spec.append {
        payload.extend(append.bytes("append", scope)?);
    }
    Ok(frame(&payload))
}

/// A message in segments.
pub(super) fn encode_message(
    schema: &Schema,
    name: &str,
    fields: &IndexMap<String, Expression>,
    scope: &dyn Scope,
) -> StepResult<Encoded> {
    let mut values = Map::new();
    for (field, value) in fields {
        values.insert(field.clone(), value.evaluate(scope)?);
    }
    let message = Message::from_json(schema, name, &Value::Object(values))
        .map_err(|error| Stop::Harness(format!("{name} cannot be made: {error}")))?;
    codec::encode(schema, &message).map_err(|error| Stop::Harness(format!("{name} cannot be encoded: {error}")))
}

fn mutated(encoded: &Encoded, mutate: &Mutate, scope: &dyn Scope) -> StepResult<Vec<u8>> {
    let mut payload = encoded.payload();
    let segment = |field: &str| {
        let field = Expression::Text(field.to_owned()).text("a field", scope)?;
        encoded.segment(&field).ok_or_else(|| {
            let known: Vec<&str> = encoded.segments.iter().map(|segment| segment.field.as_str()).collect();
            Stop::Harness(format!("the message has no segment `{field}`; it has {}", known.join(", ")))
        })
    };
    if let Some(field) = &mutate.bad_utf8 {
        let (offset, found) = segment(field)?;
        if found.bytes.is_empty() {
            return Err(Stop::Harness(format!("`{field}` is empty and cannot be made invalid UTF-8")));
        }
        // 0xFF stands nowhere in UTF-8.
        payload[offset] = 0xFF;
    }
    for (field, value) in mutate.set.iter().flatten() {
        let (offset, found) = segment(field)?;
        let value = value.number(field, scope)?.to_le_bytes();
        let width = found.bytes.len().min(8);
        payload[offset..offset + width].copy_from_slice(&value[..width]);
    }
    if let Some(tag) = &mutate.tag {
        let tag = tag.number("tag", scope)?;
        payload[0] = u8::try_from(tag).map_err(|_| Stop::Harness(format!("{tag} is no tag")))?;
    }
    if let Some(field) = &mutate.cut_at {
        payload.truncate(segment(field)?.0);
    }
    if let Some(keep) = &mutate.keep {
        let keep = usize::try_from(keep.number("keep", scope)?).unwrap_or(usize::MAX);
        if keep >= payload.len() {
            return Err(Stop::Harness(format!("keeping {keep} of {} bytes cuts nothing", payload.len())));
        }
        payload.truncate(keep);
    }
    Ok(payload)
}

/// Cuts bytes into pieces, with a pause before each but the first.
fn cut(bytes: &[u8], pieces: &Pieces, scope: &dyn Scope) -> StepResult<Vec<(Vec<u8>, Duration)>> {
    let pause = match &pieces.pause_ms {
        Some(pause) => Duration::from_millis(pause.number("pause_ms", scope)?),
        None => Duration::ZERO,
    };
    let mut cuts = vec![0];
    for at in &pieces.at {
        cuts.push(usize::try_from(at.number("at", scope)?).unwrap_or(usize::MAX));
    }
    if let Some(every) = &pieces.every {
        let every = usize::try_from(every.number("every", scope)?.max(1)).unwrap_or(usize::MAX);
        cuts.extend((every..bytes.len()).step_by(every));
    }
    cuts.push(bytes.len());
    cuts.sort_unstable();
    cuts.dedup();
    if cuts.last() != Some(&bytes.len()) {
        return Err(Stop::Harness(format!("a cut lies beyond the {} bytes to send", bytes.len())));
    }
    Ok(cuts
        .windows(2)
        .enumerate()
        .map(|(index, pair)| {
            let pause = if index == 0 { Duration::ZERO } else { pause };
            (bytes[pair[0]..pair[1]].to_vec(), pause)
        })
        .collect())
}
