//! Cases of delivery: the golden vectors of each family over a real session, under each schedule, and the handshake itself.

use super::Delivery;
use crate::schema::{Phase, Schema};
use crate::vectors::{Body, Golden};

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
    /// The payloads, with the ids of their vectors; none for the handshake, which makes its own.
    pub payloads: Vec<(String, Vec<u8>)>,
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
}

/// All cases: each family that has messages, under each schedule. The handshake's are made by the runner.
pub(crate) fn all<'a>(schema: &Schema, vectors: impl Iterator<Item = &'a Golden> + Clone) -> Vec<DeliveryCase> {
    let mut families: Vec<&str> = schema.messages().map(|layout| layout.family.as_str()).collect();
    families.dedup();
    let mut cases = Vec::new();
    for delivery in Delivery::SCHEDULES {
        for family in &families {
            let payloads = vectors.clone().filter_map(|vector| payload(schema, family, delivery, vector)).collect();
            let id = format!("resilience/delivery/{delivery}/{family}");
            cases.push(DeliveryCase { id, delivery, payloads });
        }
    }
    cases
}

fn payload(schema: &Schema, family: &str, delivery: Delivery, vector: &Golden) -> Option<(String, Vec<u8>)> {
    let of_family = vector.id.strip_prefix(family).is_some_and(|rest| rest.starts_with('/'));
    let Body::Payload { phase: Phase::Session, encoded, .. } = &vector.body else { return None };
    // With pauses there is time for one of each message alone.
    if !of_family || encoded.length() > LONGEST || (delivery == Delivery::Segments && !vector.id.ends_with("-typical"))
    {
        return None;
    }
    let payload = encoded.payload();
    let dials = payload.first() == schema.message(DIALS).map(|layout| &layout.tag);
    (!dials).then(|| (vector.id.clone(), payload))
}
