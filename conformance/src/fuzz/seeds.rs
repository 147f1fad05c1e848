//! What inputs begin from: the golden vectors, segment by segment.

use std::collections::HashMap;

use crate::codec::Segment;
use crate::schema::Phase;
use crate::vectors::{Body, Corpus, Expected, ExpectedTerm};

/// Longer vectors are left to the suite: they would make the fuzzer slow.
const LONGEST: usize = 4096;
const MOST_SEGMENTS: usize = 200;

/// The vectors that are short enough.
#[derive(Clone, Debug, Default)]
pub struct Seeds {
    pub(super) payloads: Vec<(Phase, Vec<Segment>)>,
    pub(super) terms: Vec<Vec<Segment>>,
    pub(super) streams: Vec<(Phase, Vec<u8>)>,
    /// The requirement that a message's typical vector shows.
    requirements: HashMap<String, String>,
}

impl Seeds {
    /// From all vectors.
    #[must_use]
    pub fn new(corpus: &Corpus) -> Self {
        let mut seeds = Self::default();
        let fits = |segments: &[Segment]| {
            segments.len() <= MOST_SEGMENTS
                && segments.iter().map(|segment| segment.bytes.len()).sum::<usize>() <= LONGEST
        };
        for vector in corpus.vectors() {
            match &vector.body {
                Body::Payload { phase, encoded, expected, .. } => {
                    if fits(&encoded.segments) {
                        seeds.payloads.push((*phase, encoded.segments.clone()));
                    }
                    if let (Expected::Message(message), Some(requirement)) = (expected, vector.requirements.first())
                        && vector.id.ends_with("-typical")
                    {
                        seeds.requirements.insert(message.name.clone(), requirement.clone());
                    }
                }
                Body::Term { expected: ExpectedTerm::Refused(_), .. } => {}
                Body::Term { encoded, .. } => {
                    if fits(&encoded.segments) {
                        seeds.terms.push(encoded.segments.clone());
                    }
                }
                Body::Stream { phase, chunks, .. } => {
                    let bytes = chunks.concat();
                    if bytes.len() <= 3 * LONGEST {
                        seeds.streams.push((*phase, bytes));
                    }
                }
                Body::Transcript { steps } => {
                    seeds.payloads.extend(steps.iter().map(|step| (Phase::Handshake, step.encoded.segments.clone())));
                }
            }
        }
        seeds
    }

    /// What a wrong message is blamed on.
    pub(super) fn requirement(&self, message: &str) -> String {
        self.requirements.get(message).cloned().unwrap_or_else(|| "FRAME-18".to_owned())
    }
}
