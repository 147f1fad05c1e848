//! Cases of delivery: the golden vectors of each family over a real session, under each schedule, and the handshake itself.

use super::Delivery;
use crate::schema::{Phase, Schema};
use crate::vectors::{Body, Problem, Unresolved};

/// Longer vectors are left out: they take long byte by byte, and differ from others by their length alone.
const LONGEST: usize = 16 * 1_024;

/// A message that is never sent as a vector has it: nodes would dial whatever it names.
const DIALS: &str = "PEER_LIST";

/// What one case sends to one node.
#[derive(Debug, Clone)]
pub struct DeliveryCase {
    /// `resilience/delivery/<schedule>/<family>`.
    pub id: String,
    /// How it is delivered.
    pub delivery: Delivery,
    /// The vectors whose payloads are sent; none for the handshake, which makes its own.
    pub vectors: Vec<Unresolved>,
}

impl DeliveryCase {
    /// One sentence.
    #[must_use]
    pub fn title(&self) -> String {
        let family = self.id.rsplit('/').next().unwrap_or_default();
        let how = match self.delivery {
            Delivery::Whole => "whole",
            Delivery::Bytes => "byte by byte",
            Delivery::Segments => "with a pause at each of their segments",
            Delivery::Joined => "together in one write",
        };
        format!("Messages of the family {family} are taken when they come {how}")
    }

    /// The payloads, with the ids of their vectors.
    ///
    /// # Errors
    /// A vector that is not as its file says.
    pub(crate) fn payloads(&self, schema: &Schema) -> Result<Vec<(String, Vec<u8>)>, Problem> {
        let dials = schema.message(DIALS).map(|layout| layout.tag);
        let mut payloads = Vec::new();
        for vector in &self.vectors {
            let golden = vector.resolved(schema)?;
            let Body::Payload { encoded, .. } = golden.body else { continue };
            let payload = encoded.payload();
            if payload.first().copied() != dials {
                payloads.push((golden.id, payload));
            }
        }
        Ok(payloads)
    }
}

/// All cases: each family that has messages, under each schedule. The handshake's are made by the runner.
pub(crate) fn all(schema: &Schema, vectors: &[Unresolved]) -> Vec<DeliveryCase> {
    let mut families: Vec<&str> = schema.messages().map(|layout| layout.family.as_str()).collect();
    families.dedup();
    let mut cases = Vec::new();
    for delivery in Delivery::SCHEDULES {
        for family in &families {
            let vectors = vectors.iter().filter(|vector| is_sent(family, delivery, vector)).cloned().collect();
            let id = format!("resilience/delivery/{delivery}/{family}");
            cases.push(DeliveryCase { id, delivery, vectors });
        }
    }
    cases
}

fn is_sent(family: &str, delivery: Delivery, vector: &Unresolved) -> bool {
    let of_family = vector.id().strip_prefix(family).is_some_and(|rest| rest.starts_with('/'));
    let is_short = vector.length_in(Phase::Session).is_some_and(|length| length <= LONGEST);
    // With pauses there is time for one of each message alone.
    of_family && is_short && (delivery != Delivery::Segments || vector.id().ends_with("-typical"))
}
