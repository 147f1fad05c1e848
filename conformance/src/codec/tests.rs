//! Properties of reading and writing payloads, over the own schema and over one with every type.

use indexmap::IndexMap;

use super::*;
use crate::schema::{Phase, Schema, load, own};

/// One of everything, recursive, as later families need it.
const EVERYTHING: &str = r#"
family: everything
frame: {length: u32, limits: {handshake: 1, session: 2}}
types:
  reason:
    union:
      normal: {tag: 0}
      error: {tag: 1, fields: [{name: text, type: string(u64), meaning: text}]}
      linked: {tag: 3, fields: [{name: pid, type: pid, meaning: pid}, {name: reason, type: reason, meaning: inner}]}
  tree:
    forbidden: {hole: 255}
    union:
      leaf: {tag: 1, fields: [{name: value, type: i64, meaning: value}]}
      real: {tag: 2, fields: [{name: value, type: f64, meaning: value}]}
      list: {tag: 10, fields: [{name: items, type: list(u32) of tree, limit: 5000, meaning: items}]}
documents:
  book:
    depth: 100
    fields: [{name: v, type: u16, only: 3, meaning: v}, {name: tree, type: tree, meaning: tree}]
messages:
  ALL:
    tag: 1
    phase: session
    fields:
      - {name: a, type: u8, meaning: a}
      - {name: b, type: u16, meaning: b}
      - {name: c, type: u32, meaning: c}
      - {name: d, type: u64, meaning: d}
      - {name: e, type: "bytes[2]", meaning: e}
      - {name: f, type: string(u8), meaning: f}
      - {name: g, type: tree, meaning: g}
      - {name: h, type: reason, meaning: h}
      - {name: i, type: bytes(u16), meaning: i}
      - {name: j, type: bytes(rest), meaning: j}
  EXIT:
    tag: 2
    phase: session
    fields: [{name: reason, type: reason, meaning: why}]
"#;

fn everything() -> Schema {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("everything.yaml"), EVERYTHING).unwrap();
    load(folder.path()).unwrap()
}

fn all(schema: &Schema) -> Message {
    let fields = serde_json::json!({
        "a": 255, "b": 65535, "c": 1, "d": u64::MAX, "e": "0a0b", "f": "é",
        "g": {"kind": "list", "items": [{"kind": "leaf", "value": -1}, {"kind": "real", "value": "7ff8000000000001"}]},
        "h": {"kind": "linked", "pid": {"node_id": 1, "creation": 2, "local": 3}, "reason": {"kind": "error", "text": "no"}},
        "i": "feff",
        "j": "ff",
    });
    let message = Message::from_json(schema, "ALL", &fields).unwrap();
    assert_eq!(message.fields_json(), fields);
    message
}

fn nested(depth: usize) -> Value {
    let mut reason = Value::Union { kind: "normal".into(), fields: IndexMap::new() };
    for _ in 0..depth {
        let fields = IndexMap::from([("pid".into(), Value::Pid(Pid::from_bits(1))), ("reason".into(), reason)]);
        reason = Value::Union { kind: "linked".into(), fields };
    }
    reason
}

fn exit(depth: usize) -> Message {
    Message { name: "EXIT".into(), fields: IndexMap::from([("reason".into(), nested(depth))]), left_over: vec![] }
}

#[test]
fn every_type_survives_the_round_trip() {
    let schema = everything();
    let message = all(&schema);
    let encoded = encode(&schema, &message).unwrap();
    let decoded = decode(&schema, Phase::Session, &encoded.payload()).unwrap();
    assert_eq!(decoded.message, message);
    assert_eq!(decoded.segments, encoded.segments);
    assert_eq!(
        hex::encode(encoded.payload()),
        concat!(
            "01ffffff01000000ffffffffffffffff0a0b02c3a9",
            "0a0200000001ffffffffffffffff02010000000000f87f",
            "030300000000020100010200000000000000",
            "6e6f0200feffff"
        )
    );
}

#[test]
fn a_cut_anywhere_names_a_field() {
    let schema = everything();
    let payload = encode(&schema, &all(&schema)).unwrap().payload();
    // The last byte is bytes(rest), which may be empty.
    for end in 1..payload.len() - 1 {
        let error = decode(&schema, Phase::Session, &payload[..end]).unwrap_err();
        assert!(
            matches!(error.kind, DecodeErrorKind::UnexpectedEnd { offset, .. } if offset == error.offset),
            "{end}: {error:?}"
        );
        let read: usize = error.segments.iter().map(|segment| segment.bytes.len()).sum();
        assert_eq!(read, error.offset, "{end}: nothing between the segments and the fault");
    }
}

#[test]
fn depth_is_bounded_both_ways() {
    let schema = everything();
    for depth in [64, 128, DEPTH_LIMIT - 1] {
        let payload = encode(&schema, &exit(depth)).unwrap().payload();
        assert_eq!(decode(&schema, Phase::Session, &payload).unwrap().message, exit(depth));
    }
    assert!(matches!(encode(&schema, &exit(DEPTH_LIMIT)), Err(EncodeError::TooDeep { .. })));
    let bottomless = [vec![2], [&[3][..], &[0; 8]].concat().repeat(1_000_000)].concat();
    let error = decode(&schema, Phase::Session, &bottomless).unwrap_err();
    assert!(matches!(error.kind, DecodeErrorKind::TooDeep { .. }), "{error}");
}

#[test]
fn announced_counts_and_lengths_are_no_promise() {
    for hex in ["1dffffffff", "1e0000ffffffff", "12ffff"] {
        let error = decode(&own(), Phase::Session, &hex::decode(hex).unwrap()).unwrap_err();
        assert!(matches!(error.kind, DecodeErrorKind::UnexpectedEnd { .. }), "{hex}: {error}");
    }
}

#[test]
fn faults_are_told_apart() {
    let schema = everything();
    let kind = |hex: &str| decode(&schema, Phase::Session, &hex::decode(hex).unwrap()).unwrap_err().kind;
    assert_eq!(kind(""), DecodeErrorKind::Empty);
    assert_eq!(kind("09"), DecodeErrorKind::UnknownTag(9));
    assert_eq!(kind("0205"), DecodeErrorKind::UnknownVariant { field: "reason.kind".into(), offset: 1, tag: 5 });
    assert_eq!(
        kind("02010100000000000000ff"),
        DecodeErrorKind::InvalidUtf8 { field: "reason.text".into(), offset: 10 }
    );
    assert_eq!(
        kind("0201010000000000000a"),
        DecodeErrorKind::UnexpectedEnd {
            field: "reason.text".into(),
            offset: 10,
            needed: 0x0A00_0000_0000_0001,
            available: 0
        }
    );
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let message = |name: &str, value| Message {
        name: "NAME".into(),
        fields: IndexMap::from([("name".into(), Value::Text(name.into())), ("creation".into(), value)]),
        left_over: vec![],
    };
    let error = |message| encode(&own(), &message).unwrap_err();
    let long = "x".repeat(65_536);
    assert!(matches!(
        error(message(&long, Value::Uint(1))),
        EncodeError::TooGreat { limit: 65_535, found: 65_536, .. }
    ));
    assert!(matches!(error(message("x", Value::Uint(256))), EncodeError::TooGreat { limit: 255, .. }));
    assert!(matches!(error(message("x", Value::Int(1))), EncodeError::Shape { .. }));
    let mut missing = message("x", Value::Uint(1));
    missing.fields.swap_remove("name");
    assert!(matches!(error(missing), EncodeError::Missing { field } if field == "name"));
    let mut unknown = message("x", Value::Uint(1));
    unknown.fields.insert("z".into(), Value::Uint(1));
    assert!(matches!(error(unknown), EncodeError::Unknown { field } if field == "z"));
}

#[test]
fn documents_are_constants_and_a_value() {
    let schema = everything();
    let leaf = |n| Value::Union { kind: "leaf".into(), fields: IndexMap::from([("value".into(), Value::Int(n))]) };
    let items = |count| IndexMap::from([("items".into(), Value::List(vec![leaf(1); count]))]);
    let book = encode_document(&schema, "book", &leaf(-1)).unwrap().payload();
    assert_eq!(hex::encode(&book), "030001ffffffffffffffff");
    assert_eq!(decode_document(&schema, "book", &book).unwrap().value, leaf(-1));
    let list = |count| encode_document(&schema, "book", &Value::Union { kind: "list".into(), fields: items(count) });
    let read = |count| decode_document(&schema, "book", &list(count).unwrap().payload());
    assert!(read(5000).is_ok());
    let too_large =
        DecodeErrorKind::TooLarge { field: "tree.items.count".into(), offset: 3, limit: 5000, announced: 5001 };
    assert_eq!(read(5001).unwrap_err().kind, too_large, "writing is not limited: the harness lies");
    let other = DecodeErrorKind::OtherThanOnly { field: "v".into(), offset: 0, only: 3, found: 4 };
    assert_eq!(decode_document(&schema, "book", &[4, 0, 1]).unwrap_err().kind, other);
    let forbidden = DecodeErrorKind::Forbidden { field: "tree.kind".into(), offset: 2, kind: "hole".into() };
    assert_eq!(decode_document(&schema, "book", &[3, 0, 255]).unwrap_err().kind, forbidden);
    assert!(encode_document(&schema, "leaflet", &leaf(1)).is_err());
    assert!(decode_document(&schema, "leaflet", &book).is_err());
}

/// Arbitrary bytes behind every tag: whatever is read says again the bytes that were read.
#[test]
fn arbitrary_bytes_never_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (schemas, mut read) = ([own(), everything()], 0);
    for schema in &schemas {
        let layouts: Vec<_> = schema.messages().cloned().collect();
        for round in 0..20_000 {
            let layout = &layouts[round % layouts.len()];
            let mut payload = vec![layout.tag];
            // Small bytes make small lengths and counts, so that reading gets far.
            let few = random() % 2 == 0;
            payload.extend((0..random() % 80).map(|_| (random() % if few { 4 } else { 256 }) as u8));
            if let Ok(decoded) = decode(schema, layout.phase, &payload) {
                read += 1;
                let encoded = encode(schema, &decoded.message).unwrap();
                assert_eq!(encoded.payload(), payload);
                assert_eq!(encoded.segments, decoded.segments);
            }
        }
    }
    assert!(read > 1000, "only {read} were readable: the test has lost its point");
}
