//! The harness's own side of fuzzing: its codec, its explanations, and the comparison itself.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value as Json, json};

use super::compare::Own;
use super::*;
use crate::codec::{
    Message, Mutation, TERM, decode, decode_document, encode, encode_document, explain, explain_frame, explain_term,
    mutate,
};
use crate::runner::answers::Answer;
use crate::schema::{Phase, Schema, own};
use crate::vectors;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Read once: there are many vectors.
fn seeds(schema: &Schema) -> &'static Seeds {
    static SEEDS: OnceLock<Seeds> = OnceLock::new();
    SEEDS.get_or_init(|| Seeds::new(&vectors::load(schema, &root().join("vectors")).unwrap()))
}

/// Reads, explains and writes again; what is written is what was read.
fn judge(schema: &Schema, bytes: &[u8]) {
    for phase in [Phase::Handshake, Phase::Session] {
        let explanation = explain(schema, Some(phase), bytes);
        let explained: usize = explanation.rows.iter().map(|row| row.segment.bytes.len()).sum();
        assert_eq!(explained, bytes.len());
        match decode(schema, phase, bytes) {
            Ok(decoded) => {
                assert_eq!(encode(schema, &decoded.message).unwrap().payload(), bytes);
                let fields = decoded.message.fields_json();
                let again = Message::from_json(schema, &decoded.message.name, &fields).unwrap();
                assert_eq!(again.fields, decoded.message.fields);
            }
            Err(error) => assert!(error.offset <= bytes.len()),
        }
    }
    let _ = explain_frame(schema, None, bytes).map(|explanation| explanation.to_string());
    let explanation = explain_term(schema, bytes);
    assert_eq!(explanation.rows.iter().map(|row| row.segment.bytes.len()).sum::<usize>(), bytes.len());
    if let Ok(decoded) = decode_document(schema, TERM, bytes) {
        let encoded = encode_document(schema, TERM, &decoded.value).unwrap();
        assert_eq!([encoded.payload(), decoded.left_over].concat(), bytes);
    }
}

#[test]
fn bytes_as_they_come_are_read_explained_and_written() {
    let schema = own();
    bolero::check!().with_iterations(2_000).for_each(|bytes| judge(&schema, bytes));
}

#[test]
fn inputs_of_the_fuzzer_are_read_explained_and_written() {
    let schema = own();
    let seeds = seeds(&schema);
    for target in [Target::Codec, Target::Term, Target::Frames] {
        let mut generator = Generator::new(&schema, seeds, target, 3);
        for _ in 0..2_000 {
            judge(&schema, &generator.input().bytes);
        }
    }
}

#[test]
fn any_mutation_of_any_vector_is_made_or_refused() {
    let schema = own();
    let seeds = seeds(&schema);
    type Shape = (u16, u8, u8, u8, i64, Vec<u8>);
    bolero::check!().with_type::<Shape>().with_iterations(2_000).for_each(|(seed, from, to, kind, number, bytes)| {
        let segments = seeds.payloads[usize::from(*seed) % seeds.payloads.len()].1.clone();
        let name = |index: u8| segments.get(usize::from(index) % (segments.len() + 1)).map_or("none", |s| &s.field);
        let (field, to, hex) = (name(*from), name(*to), hex::encode(bytes));
        let mutation = match kind % 6 {
            0 => json!({"kind": "truncate", "field": field, "keep": number.unsigned_abs() % 20}),
            1 => json!({"kind": "length", "field": field, "add": number}),
            2 => json!({"kind": "bad_utf8", "field": field, "hex": hex}),
            3 => json!({"kind": "left_over", "hex": hex}),
            4 => json!({"kind": "tag", "field": field, "hex": hex}),
            _ => json!({"kind": "repeat", "field": field, "to": to, "times": number.unsigned_abs() % 400}),
        };
        let mutation: Mutation = serde_json::from_value(mutation).unwrap();
        let origin = crate::codec::Encoded { segments: segments.clone() };
        if let Ok(mutated) = mutate::mutate(&origin, &mutation) {
            assert_ne!(mutated.payload(), origin.payload());
            let _ = decode(&schema, Phase::Session, &mutated.payload());
        }
    });
}

#[test]
fn a_seed_means_its_inputs() {
    let schema = own();
    let seeds = seeds(&schema);
    for target in [Target::Codec, Target::Term, Target::Frames] {
        let inputs = |seed| {
            let mut generator = Generator::new(&schema, seeds, target, seed);
            std::iter::repeat_with(|| generator.input()).take(200).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        for input in inputs(3) {
            assert_eq!(input.to_string().parse(), Ok(input));
        }
    }
    // The algorithm is promised to stay.
    assert_eq!(Choices::new(1).any(), 0xCFC5_D07F_6F03_C29B);
}

#[test]
fn kept_inputs_are_read_as_they_should_be() {
    let schema = own();
    let kept = load_regressions(&root().join("conformance/fuzz/regressions")).unwrap();
    assert!(kept.len() > 5);
    for Regression { name, input, verdict } in kept {
        let found = match Own::of(&schema, &input) {
            Own::Message(own) => own.map_or_else(|error| json!(error.kind.undecodable()), |_| json!("valid")),
            Own::Term(own) => own.map_or_else(|error| json!(error.kind.unreadable()), |_| json!("valid")),
            Own::Frames(_, end) => json!(end),
        };
        assert_eq!(found, json!(verdict), "{name}");
    }
}

/// What a comparison makes of answers; the first is to the decoding.
fn compared(input: &str, answers: &[Json]) -> Option<(String, &'static str)> {
    let schema = own();
    let seeds = Seeds::default();
    let input: Input = input.parse().unwrap();
    let answers = answers.iter().map(|answer| -> Answer {
        match answer.get("error") {
            Some(kind) => {
                Err(serde_json::from_value(json!({"code": -32020, "message": "", "data": {"kind": kind}})).unwrap())
            }
            None => Ok(answer.clone()),
        }
    });
    let found = Own::of(&schema, &input).judge(&schema, &seeds, &input, answers);
    found.map(|found| (found.requirement, found.what))
}

#[test]
fn disagreements_are_told_apart_and_blamed() {
    let name = |name: &str, left_over: &str| json!({"message": "GLOBAL_UNREGISTER", "fields": {"name": name}, "left_over": left_over});
    let found = |requirement: &str, what| Some((requirement.to_owned(), what));
    let bytes = |hex: &str| json!({"bytes": hex});
    let unregister = "codec:session:1c02006869ff";
    assert_eq!(compared(unregister, &[name("hi", "ff"), bytes("1c02006869")]), None);
    assert_eq!(compared(unregister, &[name("hi", "")]), found("FRAME-20", "decode left_over"));
    assert_eq!(compared(unregister, &[json!({"error": "malformed"})]), found("FRAME-20", "decode refuses"));
    assert!(compared(unregister, &[name("ho", "ff")]).is_some_and(|found| found.1 == "decode field"));
    assert!(
        compared(unregister, &[name("hi", "ff"), bytes("1c020068")]).is_some_and(|found| found.1 == "encode bytes")
    );
    assert_eq!(compared("codec:session:1c0100ff", &[name("?", "")]), found("FRAME-19", "decode reads"));
    assert_eq!(compared("codec:session:7f", &[json!({"error": "malformed"})]), found("FRAME-17", "decode kind"));
    assert_eq!(compared("term:session:01ff", &[json!({"error": "invalid_tag"})]), found("TERM-9", "decode kind"));
    let stream = json!({"frames": [], "end": "incomplete"});
    assert_eq!(compared("frames:session:00000080", &[stream]), found("FRAME-14", "frames end"));
}

/// A key of another kind, one that stands twice, an unknown key type: whatever is answered, nothing is found.
#[test]
fn what_the_spec_leaves_open_is_no_disagreement() {
    for term in ["010b0200000000", "010b00010000000606", "010b00020000000100000000000000000601000000000000000006"] {
        for answer in [json!({"error": "invalid_tag"}), json!({"term": {"kind": "unit"}, "left_over": ""})] {
            assert_eq!(compared(&format!("term:session:{term}"), &[answer]), None, "{term}");
        }
    }
    // 129 levels: read or refused.
    let deep = format!("term:session:01{}06", "28".repeat(128));
    assert_eq!(compared(&deep, &[json!({"error": "too_deep"})]), None);
}
