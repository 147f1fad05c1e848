//! Inputs without end: vectors and fresh messages, changed a little.

use super::choices::Choices;
use super::input::{Input, Target};
use super::mutations::{self, LONGEST};
use super::seeds::Seeds;
use super::values;
use crate::codec::{Message, Segment, TERM, encode, encode_document, frame};
use crate::schema::{Phase, Schema};

/// Gives inputs, one after the other; the same for the same seed, schema and vectors.
#[derive(Clone, Debug)]
pub struct Generator<'a> {
    schema: &'a Schema,
    seeds: &'a Seeds,
    target: Target,
    pub(super) choices: Choices,
}

impl<'a> Generator<'a> {
    /// Of that target's inputs.
    #[must_use]
    pub fn new(schema: &'a Schema, seeds: &'a Seeds, target: Target, seed: u64) -> Self {
        // Each target has a stream of its own, so that one can be repeated without the others.
        let choices = Choices::new(seed ^ (target as u64 + 1) << 56);
        Self { schema, seeds, target, choices }
    }

    /// The next one.
    pub fn input(&mut self) -> Input {
        let (phase, bytes) = match self.target {
            Target::Term => (Phase::Session, self.term()),
            Target::Frames => self.stream(),
            Target::Codec | Target::Handshake | Target::Session => self.payload(),
        };
        Input { target: self.target, phase, bytes }
    }

    /// One payload, and the phase in which it is read.
    pub(super) fn payload(&mut self) -> (Phase, Vec<u8>) {
        let (mut phase, mut segments) = self.message();
        for _ in 0..*self.choices.of(&[0, 1, 1, 1, 2, 3]) {
            let other = self.message().1;
            mutations::change(&mut segments, &other, &mut self.choices);
        }
        if self.choices.one_in(25) {
            phase = if phase == Phase::Session { Phase::Handshake } else { Phase::Session };
        }
        (phase, bytes(&segments))
    }

    /// A message as it is: a vector's, or a fresh one.
    fn message(&mut self) -> (Phase, Vec<Segment>) {
        if self.choices.one_in(2) && !self.seeds.payloads.is_empty() {
            return self.choices.of(&self.seeds.payloads).clone();
        }
        let (phase, message) = self.fresh();
        match encode(self.schema, &message) {
            Ok(encoded) => (phase, encoded.segments),
            // A text that does not fit its length.
            Err(_) => (phase, Vec::new()),
        }
    }

    /// A fresh message of any kind.
    pub(super) fn fresh(&mut self) -> (Phase, Message) {
        let layouts: Vec<_> = self.schema.messages().collect();
        let layout = *self.choices.of(&layouts);
        (layout.phase, values::message(self.schema, layout, &mut self.choices))
    }

    fn term(&mut self) -> Vec<u8> {
        let mut segments = self.value();
        for _ in 0..*self.choices.of(&[0, 1, 1, 1, 2, 3]) {
            let other = self.value();
            mutations::change(&mut segments, &other, &mut self.choices);
        }
        bytes(&segments)
    }

    fn value(&mut self) -> Vec<Segment> {
        if self.choices.one_in(2) && !self.seeds.terms.is_empty() {
            return self.choices.of(&self.seeds.terms).clone();
        }
        let value = values::named(self.schema, "value", &mut self.choices, 0);
        encode_document(self.schema, TERM, &value).map(|encoded| encoded.segments).unwrap_or_default()
    }

    /// Frames, what may stand behind them, and now and then something that knows nothing of frames.
    fn stream(&mut self) -> (Phase, Vec<u8>) {
        if self.choices.one_in(4) && !self.seeds.streams.is_empty() {
            let (phase, mut bytes) = self.choices.of(&self.seeds.streams).clone();
            self.disturb(&mut bytes);
            return (phase, bytes);
        }
        let phase = *self.choices.of(&[Phase::Handshake, Phase::Session]);
        let mut bytes = Vec::new();
        for _ in 0..self.choices.below(6) {
            let payload = match self.choices.below(12) {
                0..=2 => Vec::new(),
                3 => vec![self.choices.byte(); *self.choices.of(&[255, 256, 4095, 4096, 4097])],
                _ => {
                    let count = self.choices.size();
                    self.choices.bytes(count)
                }
            };
            bytes.extend(frame(&payload));
        }
        match self.choices.below(5) {
            0 => {
                let count = self.choices.below(5);
                bytes.extend(self.choices.bytes(count));
            }
            1 => bytes.extend((self.choices.number(32) as u32).to_le_bytes()),
            2 => {
                let limit = self.schema.limit(phase);
                bytes.extend((limit - 1 + self.choices.below(3) as u32).to_le_bytes());
            }
            3 => self.disturb(&mut bytes),
            _ => {}
        }
        bytes.truncate(LONGEST);
        (phase, bytes)
    }

    fn disturb(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.choices.below(4) {
            let at = self.choices.below(bytes.len() + 1);
            match self.choices.below(3) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.choices.byte()),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = self.choices.byte();
                    }
                }
            }
        }
    }
}

fn bytes(segments: &[Segment]) -> Vec<u8> {
    segments.iter().flat_map(|segment| &segment.bytes).copied().collect()
}
