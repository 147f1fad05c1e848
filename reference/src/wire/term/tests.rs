//! Terms as bytes: every kind, every error, both sides of every limit.

use super::*;

fn term(parts: &[Part]) -> Term {
    Term::new(parts.to_vec())
}

fn read(bytes: &[u8]) -> Result<Term, TermError> {
    Term::decode(bytes).map(|(term, _left_over)| term)
}

fn name(text: &str) -> String {
    text.to_owned()
}

/// Every kind of value, empty and not, once and nested, with the bytes that the table gives it.
fn samples() -> Vec<(Vec<Part>, Vec<u8>)> {
    let pid = WirePid::from_u64(0x0003_0700_0000_002a);
    vec![
        (vec![Part::Int(-2)], vec![1, 0xfe, 255, 255, 255, 255, 255, 255, 255]),
        (vec![Part::Int(i64::MIN)], vec![1, 0, 0, 0, 0, 0, 0, 0, 0x80]),
        (vec![Part::Int(i64::MAX)], vec![1, 255, 255, 255, 255, 255, 255, 255, 0x7f]),
        (vec![Part::Float(1.5_f64.to_bits())], vec![2, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
        (vec![Part::True], vec![3]),
        (vec![Part::False], vec![4]),
        (vec![Part::String(name("a\0é"))], vec![5, 4, 0, 0, 0, b'a', 0, 0xc3, 0xa9]),
        (vec![Part::String(name(""))], vec![5, 0, 0, 0, 0]),
        (vec![Part::Unit], vec![6]),
        (vec![Part::List(0)], vec![10, 0, 0, 0, 0]),
        (vec![Part::List(2), Part::Unit, Part::True], vec![10, 2, 0, 0, 0, 6, 3]),
        (
            // The same key twice, and not sorted.
            vec![
                Part::Map { key_type: 1, entries: 2 },
                Part::String(name("b")),
                Part::None,
                Part::String(name("b")),
                Part::Unit,
            ],
            vec![11, 1, 2, 0, 0, 0, 5, 1, 0, 0, 0, b'b', 41, 5, 1, 0, 0, 0, b'b', 6],
        ),
        (vec![Part::Set(2), Part::True, Part::True], vec![12, 2, 0, 0, 0, 3, 3]),
        (vec![Part::Tuple(0)], vec![13, 0]),
        (vec![Part::Tuple(2), Part::Tuple(1), Part::False, Part::Unit], vec![13, 2, 13, 1, 4, 6]),
        (vec![Part::Struct { name: name(""), fields: 0 }], vec![20, 0, 0, 0, 0]),
        (
            vec![
                Part::Struct { name: name("P"), fields: 2 },
                Part::Field(name("y")),
                Part::Struct { name: name("Q"), fields: 1 },
                Part::Field(name("")),
                Part::Unit,
                Part::Field(name("x")),
                Part::True,
            ],
            vec![20, 1, 0, b'P', 2, 0, 1, 0, b'y', 20, 1, 0, b'Q', 1, 0, 0, 0, 6, 1, 0, b'x', 3],
        ),
        (
            vec![Part::Sum { name: name("S"), variant: 255, values: 1 }, Part::Err, Part::Unit],
            vec![21, 1, 0, b'S', 255, 1, 0, 43, 6],
        ),
        (vec![Part::Pid(pid)], vec![30, 0x2a, 0, 0, 0, 0, 7, 3, 0]),
        (vec![Part::Some, Part::Ok, Part::None], vec![40, 42, 41]),
    ]
}

#[test]
fn every_kind_is_written_as_the_table_says_and_read_back() {
    for (parts, value) in samples() {
        let mut bytes = [&[1][..], &value].concat();
        assert_eq!(term(&parts).encode(), Ok(bytes.clone()), "{parts:?}");
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Err(TermError::UnexpectedEnd), "{parts:?} cut at {cut}");
        }
        bytes.extend_from_slice(b"more");
        assert_eq!(Term::decode(&bytes), Ok((term(&parts), &b"more"[..])));
    }
}

#[test]
fn floats_keep_their_bits() {
    let quiet_nan_with_payload = 0xfff8_dead_beef_0001;
    let signalling_nan = 0x7ff0_0000_0000_0001;
    for bits in [quiet_nan_with_payload, signalling_nan, 1, 1 << 63, f64::INFINITY.to_bits(), u64::MAX, 0] {
        let bytes = term(&[Part::Float(bits)]).encode().unwrap();
        assert_eq!(bytes[2..], bits.to_le_bytes());
        assert_eq!(read(&bytes), Ok(term(&[Part::Float(bits)])));
    }
}

#[test]
fn only_the_tags_of_the_table_mean_something_at_any_depth() {
    let known = [1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 20, 21, 30, 40, 41, 42, 43];
    for tag in 0..=255 {
        let expected = match tag {
            255 => TermError::Closure,
            tag if known.contains(&tag) => continue,
            tag => TermError::InvalidTag(tag),
        };
        for around in [&[1][..], &[1, 40], &[1, 13, 2, 6], &[1, 20, 0, 0, 1, 0, 0, 0], &[1, 11, 0, 1, 0, 0, 0]] {
            assert_eq!(read(&[around, &[tag]].concat()), Err(expected));
        }
    }
}

#[test]
fn other_versions_are_unsupported_whatever_follows() {
    for version in [0, 2, 131, 255] {
        for rest in [&[][..], &[6], &[255], &[10, 255, 255, 255, 255]] {
            assert_eq!(read(&[&[version], rest].concat()), Err(TermError::UnsupportedVersion(version)));
        }
    }
}

#[test]
fn closures_are_not_written_at_any_depth() {
    assert_eq!(term(&[Part::Closure]).encode(), Err(TermError::Closure));
    assert_eq!(term(&[Part::List(2), Part::Unit, Part::Closure]).encode(), Err(TermError::Closure));
    let long = Part::String("x".repeat(MAX_STRING + 1));
    assert_eq!(term(&[Part::Tuple(2), Part::Closure, long.clone()]).encode(), Err(TermError::Closure));
    assert_eq!(term(&[Part::Tuple(2), long, Part::Closure]).encode(), Err(TermError::TooLarge));
}

#[test]
fn strings_may_be_as_long_as_the_limit_and_no_longer() {
    let longest = Part::String("x".repeat(MAX_STRING));
    let bytes = term(std::slice::from_ref(&longest)).encode().unwrap();
    assert_eq!(read(&bytes), Ok(term(&[longest])));
    assert_eq!(term(&[Part::String("x".repeat(MAX_STRING + 1))]).encode(), Err(TermError::TooLarge));
    let announced = |length: u32| [&[1, 5][..], &length.to_le_bytes()].concat();
    assert_eq!(read(&announced(16_777_216)), Err(TermError::UnexpectedEnd));
    assert_eq!(read(&announced(16_777_217)), Err(TermError::TooLarge));
    assert_eq!(read(&announced(u32::MAX)), Err(TermError::TooLarge));
}

#[test]
fn collections_may_hold_as_much_as_the_limit_and_no_more() {
    for head in [&[1, 10][..], &[1, 11, 0], &[1, 12]] {
        let announced = |count: u32| [head, &count.to_le_bytes()].concat();
        assert_eq!(read(&announced(1_000_000)), Err(TermError::UnexpectedEnd));
        assert_eq!(read(&announced(1_000_001)), Err(TermError::TooLarge));
        assert_eq!(read(&announced(u32::MAX)), Err(TermError::TooLarge));
        let values = if head.len() == 3 { 2_000_000 } else { 1_000_000 };
        let full = [announced(1_000_000), vec![6; values]].concat();
        let whole = read(&full).unwrap();
        assert_eq!((whole.parts().len(), whole.encode()), (1 + values, Ok(full)));
    }
    for too_many in [
        Part::List(1_000_001),
        Part::Set(1_000_001),
        Part::Map { key_type: 0, entries: 1_000_001 },
        Part::Tuple(256),
        Part::Struct { name: name(""), fields: 65_536 },
        Part::Sum { name: name(""), variant: 0, values: 65_536 },
        Part::Struct { name: "x".repeat(65_536), fields: 0 },
        Part::Field("x".repeat(65_536)),
    ] {
        assert_eq!(term(&[too_many]).encode(), Err(TermError::TooLarge));
    }
}

#[test]
fn text_that_is_not_utf8_is_told_from_a_short_one() {
    for bytes in [
        &[1, 5, 1, 0, 0, 0, 0xff][..],
        // A surrogate, and an overlong slash.
        &[1, 5, 3, 0, 0, 0, 0xed, 0xa0, 0x80],
        &[1, 5, 2, 0, 0, 0, 0xc0, 0xaf],
        &[1, 20, 1, 0, 0x80, 0, 0],
        &[1, 20, 0, 0, 1, 0, 1, 0, 0xfe],
        &[1, 21, 1, 0, 0xc3, 0, 0, 0],
    ] {
        assert_eq!(read(bytes), Err(TermError::InvalidUtf8), "{bytes:?}");
    }
    assert_eq!(read(&[1, 5, 2, 0, 0, 0, 0xff]), Err(TermError::UnexpectedEnd));
}

#[test]
fn the_first_error_from_the_left_counts() {
    assert_eq!(read(&[1, 10, 2, 0, 0, 0, 7, 255]), Err(TermError::InvalidTag(7)));
    assert_eq!(read(&[1, 10, 2, 0, 0, 0, 255, 7]), Err(TermError::Closure));
    assert_eq!(read(&[1, 13, 2, 5, 1, 0, 0, 0, 255, 10, 255, 255, 255, 255]), Err(TermError::InvalidUtf8));
}

/// `levels` values in all, each in the one before it.
fn nested(head: &[u8], levels: usize) -> Vec<u8> {
    [vec![1], head.repeat(levels - 1), vec![6]].concat()
}

#[test]
fn nesting_is_accepted_up_to_the_limit_and_harms_nobody_beyond() {
    let heads = [
        &[40][..],
        &[42],
        &[43],
        &[10, 1, 0, 0, 0],
        &[12, 1, 0, 0, 0],
        &[13, 1],
        &[11, 0, 1, 0, 0, 0, 6],
        &[20, 0, 0, 1, 0, 0, 0],
        &[21, 0, 0, 0, 1, 0],
    ];
    for head in heads {
        for levels in [1, 2, 127, 128, MAX_LEVELS] {
            let bytes = nested(head, levels);
            assert_eq!(read(&bytes).unwrap().encode(), Ok(bytes), "{head:?} {levels}");
        }
        for levels in [MAX_LEVELS + 1, 1_000_000] {
            assert_eq!(read(&nested(head, levels)), Err(TermError::TooDeep), "{head:?} {levels}");
        }
    }
    // Values beside each other are no levels.
    let wide = [vec![1, 10, 0, 0x10, 0, 0], [40, 6].repeat(4_096)].concat();
    assert_eq!(read(&wide).unwrap().encode(), Ok(wide));
}

/// A small linear congruential generator: the same bytes in every run.
#[test]
fn arbitrary_bytes_never_panic_and_what_decodes_encodes_again() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let tags = [1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 20, 21, 30, 40, 41, 42, 43];
    let mut decoded = 0;
    for _ in 0..100_000 {
        let mut bytes = vec![1];
        let length = next() % 64;
        bytes.extend((0..length).map(|_| match next() {
            ..100 => tags[usize::from(next()) % tags.len()],
            100..200 => next() % 3,
            _ => next(),
        }));
        if let Ok((term, rest)) = Term::decode(&bytes) {
            decoded += 1;
            assert_eq!([&term.encode().unwrap()[..], rest].concat(), bytes);
        }
    }
    assert!(decoded > 1_000, "only {decoded} of the byte strings were terms");
}
