//! Properties of reading and writing terms.

use serde_json::{Value as Json, json};

use super::fields::DEPTH_LIMIT;
use super::*;
use crate::schema::{Schema, Type, own};

fn value(schema: &Schema, json: &Json) -> Value {
    Value::from_json(schema, "value", &Type::Named("value".to_owned()), json).unwrap()
}

fn bytes(json: &Json) -> Vec<u8> {
    let schema = own();
    encode_document(&schema, TERM, &value(&schema, json)).unwrap().payload()
}

fn unreadable(hex: &str) -> Unreadable {
    decode_document(&own(), TERM, &hex::decode(hex).unwrap()).unwrap_err().kind.unreadable()
}

fn everything() -> Json {
    let pid = json!({"node_id": 3, "creation": 7, "local": 42});
    json!({"kind": "tuple", "items": [
        {"kind": "int", "value": -2}, {"kind": "float", "value": "7ff0000000000001"}, {"kind": "true"}, {"kind": "false"},
        {"kind": "string", "text": "é"}, {"kind": "unit"}, {"kind": "list", "items": [{"kind": "none"}]},
        {"kind": "map", "key_type": 1, "entries": [{"key": {"kind": "string", "text": "a"}, "value": {"kind": "unit"}}]},
        {"kind": "set", "items": []}, {"kind": "struct", "name": "P", "fields": [{"name": "x", "value": {"kind": "unit"}}]},
        {"kind": "sum", "name": "S", "variant": 1, "values": [{"kind": "unit"}]}, {"kind": "pid", "pid": pid},
        {"kind": "some", "value": {"kind": "ok", "value": {"kind": "err", "value": {"kind": "unit"}}}},
    ]})
}

/// From the table of the chapter, byte for byte.
#[test]
fn every_kind_is_as_the_chapter_says() {
    let wanted = concat!(
        "010d0d",
        "01feffffffffffffff",
        "02010000000000f07f",
        "0304",
        "0502000000c3a9",
        "06",
        "0a0100000029",
        "0b01010000000501000000",
        "6106",
        "0c00000000",
        "14010050010001007806",
        "15010053010100",
        "06",
        "1e2a00000000070300",
        "282a2b06",
    );
    let term = everything();
    assert_eq!(hex::encode(bytes(&term)), wanted);
    let decoded = decode_document(&own(), TERM, &[bytes(&term), vec![9, 9]].concat()).unwrap();
    assert_eq!(decoded.value.to_json(), term);
    assert_eq!(decoded.left_over, [9, 9]);
}

#[test]
fn errors_are_told_apart() {
    use Unreadable::{Closure, InvalidTag, InvalidUtf8, TooLarge, UnexpectedEnd, UnsupportedVersion};
    for (hex, wanted) in [
        ("", UnexpectedEnd),
        ("01", UnexpectedEnd),
        ("0105ffff", UnexpectedEnd),
        ("0100", InvalidTag),
        ("010a010000002c", InvalidTag),
        ("0006", UnsupportedVersion),
        ("02", UnsupportedVersion),
        ("01ff", Closure),
        ("0128ff", Closure),
        ("010500000001", UnexpectedEnd),
        ("010501000001", TooLarge),
        ("010a40420f00", UnexpectedEnd),
        ("010a41420f00", TooLarge),
        ("010b0041420f00", TooLarge),
        ("010c41420f00", TooLarge),
        ("010501000000ff", InvalidUtf8),
        ("01140100ff0000", InvalidUtf8),
    ] {
        assert_eq!(unreadable(hex), wanted, "{hex}");
    }
}

#[test]
fn what_has_no_form_is_not_written() {
    let schema = own();
    let closure = json!({"kind": "closure"});
    for (json, field) in [
        (closure.clone(), "value"),
        (json!({"kind": "list", "items": [{"kind": "unit"}, closure]}), "value.items[1]"),
        (json!({"kind": "struct", "name": "", "fields": [{"name": "f", "value": closure}]}), "value.fields[0].value"),
    ] {
        let error = encode_document(&schema, TERM, &value(&schema, &json)).unwrap_err();
        assert_eq!(error, EncodeError::Forbidden { field: field.to_owned(), kind: "closure".to_owned() });
    }
}

/// 127 values around one are read, whatever they are; one more is not; and nothing is too deep to be refused.
#[test]
fn depth_is_bounded_for_every_kind() {
    let schema = own();
    // What takes more layers than the harness can hold is not even built.
    let nest = |shape: &Json, times: usize| {
        let json = json!({"nest": shape, "times": times, "around": {"kind": "unit"}});
        let value = Value::from_json(&schema, "value", &Type::Named("value".to_owned()), &json).ok()?;
        Some(encode_document(&schema, TERM, &value).unwrap())
    };
    for shape in [
        json!({"kind": "some", "value": null}),
        json!({"kind": "list", "items": [null]}),
        json!({"kind": "map", "key_type": 0, "entries": [{"key": {"kind": "int", "value": 1}, "value": null}]}),
        json!({"kind": "map", "key_type": 0, "entries": [{"key": null, "value": {"kind": "unit"}}]}),
        json!({"kind": "struct", "name": "S", "fields": [{"name": "f", "value": null}]}),
        json!({"kind": "sum", "name": "S", "variant": 0, "values": [{"kind": "unit"}, null]}),
    ] {
        let deepest = nest(&shape, 127).unwrap();
        let decoded = decode_document(&schema, TERM, &deepest.payload()).unwrap();
        assert_eq!(decoded.segments, deepest.segments);
        let json = decoded.value.to_json();
        assert_eq!(spelled_out(&json!({"nest": shape, "times": 127, "around": {"kind": "unit"}})).unwrap(), json);
        if let Some(beyond) = nest(&shape, 128) {
            let error = decode_document(&schema, TERM, &beyond.payload()).unwrap_err();
            assert_eq!(error.kind.unreadable(), Unreadable::TooDeep, "{shape}");
        }
    }
    for prefix in [&[0x28][..], &[0x0A, 1, 0, 0, 0], &[0x0B, 0, 1, 0, 0, 0], &[0x0B, 0, 1, 0, 0, 0, 6], &[0x0D, 1]] {
        let bottomless = [&[1], prefix.repeat(1_000_000).as_slice()].concat();
        let error = decode_document(&schema, TERM, &bottomless).unwrap_err();
        assert_eq!(error.kind.unreadable(), Unreadable::TooDeep, "{prefix:?}");
    }
    assert!(DEPTH_LIMIT >= 2 * schema.document(TERM).unwrap().depth, "maps take two layers a level");
}

/// A million items: only the first have segments, all have values, and both ways agree.
#[test]
fn long_lists_are_cut_short_in_segments_alone() {
    let schema = own();
    let json = json!({"kind": "list", "items": {"repeat": [{"kind": "unit"}], "times": 1_000_000}});
    let encoded = encode_document(&schema, TERM, &value(&schema, &json)).unwrap();
    let payload = encoded.payload();
    assert_eq!(payload.len(), 6 + 1_000_000);
    let decoded = decode_document(&schema, TERM, &payload).unwrap();
    assert_eq!(decoded.segments, encoded.segments);
    let last = decoded.segments.last().unwrap();
    assert_eq!((last.field.as_str(), last.bytes.len()), ("value.items[100000..1000000]", 900_000));
    let Value::Union { fields, .. } = &decoded.value else { panic!("a list is a union") };
    assert!(matches!(&fields["items"], Value::List(items) if items.len() == 1_000_000));
    let error = decode_document(&schema, TERM, &payload[..500_000]).unwrap_err();
    let read: usize = error.segments.iter().map(|segment| segment.bytes.len()).sum();
    assert_eq!((read, error.offset), (500_000, 500_000), "nothing between the segments and the fault");
}

/// Arbitrary bytes: whatever is read says again the bytes that were read; whatever is not, has a reason and a place.
#[test]
fn arbitrary_terms_never_panic() {
    const TAGS: [u8; 18] = [1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 20, 21, 30, 40, 41, 42, 43, 255];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (schema, mut read) = (own(), 0);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..60_000 {
        let mut bytes = vec![u8::from(random() % 50 > 0)];
        for _ in 0..random() % 60 {
            // Tags and small numbers, so that reading gets far.
            bytes.push(match random() % 8 {
                0 => random() as u8,
                1..=3 => TAGS[random() as usize % TAGS.len()],
                _ => (random() % 3) as u8,
            });
        }
        match decode_document(&schema, TERM, &bytes) {
            Ok(decoded) => {
                read += 1;
                let encoded = encode_document(&schema, TERM, &decoded.value).unwrap();
                assert_eq!([encoded.payload(), decoded.left_over].concat(), bytes);
                assert_eq!(value(&schema, &decoded.value.to_json()), decoded.value);
            }
            Err(error) => {
                seen.insert(error.kind.unreadable());
                let before: usize = error.segments.iter().map(|segment| segment.bytes.len()).sum();
                assert_eq!(before, error.offset, "{bytes:?}: {error:?}");
            }
        }
    }
    assert!(read > 1000, "only {read} were readable: the test has lost its point");
    assert_eq!(seen.len(), 6, "all but too_deep come about: {seen:?}");
}
