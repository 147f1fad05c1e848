//! Terms on their own, for golden vectors: bytes to JSON and back, at any depth without recursion.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::Failure,
    value::{WirePidValue, bytes},
};
use crate::wire::term::{MAX_LEVELS, Part, Term, TermError};

#[derive(Debug, Deserialize)]
pub(crate) struct Decode {
    #[serde(deserialize_with = "bytes")]
    bytes: Vec<u8>,
}

/// `term.decode`; the result as JSON text.
///
/// # Errors
/// -32020 with `data.kind` for what is no term.
pub(crate) fn decode(params: &Decode) -> Result<String, Failure> {
    let (term, left_over) =
        Term::decode(&params.bytes).map_err(|why| Failure::undecodable(kind(why), why.to_string()))?;
    Ok(format!(r#"{{"term":{},"left_over":"{}"}}"#, text(&term), hex::encode(left_over)))
}

/// `term.encode`. The parameters are read as they are: types that are derived would recurse.
///
/// # Errors
/// -32602 for what is no term's JSON, -32021 with `data.kind` for a term that cannot be written.
pub(crate) fn encode(params: &Value) -> Result<Value, Failure> {
    let refuse = |why: TermError| Failure::unencodable(kind(why), why.to_string());
    let parts = parts(member(params, "term")?)?.ok_or_else(|| refuse(TermError::TooDeep))?;
    let bytes = Term::new(parts).encode().map_err(refuse)?;
    Ok(json!({"bytes": hex::encode(bytes)}))
}

fn kind(why: TermError) -> &'static str {
    match why {
        TermError::UnexpectedEnd => "unexpected_end",
        TermError::InvalidTag(_) => "invalid_tag",
        TermError::UnsupportedVersion(_) => "unsupported_version",
        TermError::Closure => "closure",
        TermError::TooLarge => "too_large",
        TermError::InvalidUtf8 => "invalid_utf8",
        TermError::TooDeep => "too_deep",
    }
}

/// How what a value holds stands in its JSON.
#[derive(Clone, Copy)]
enum Shape {
    /// As the member `value`.
    One,
    /// As items of an array.
    Items,
    /// As an array of `{"key", "value"}`.
    Entries,
    /// As an array of `{"name", "value"}`; the names are parts.
    Fields,
}

/// A value whose JSON has been begun.
struct Open {
    shape: Shape,
    written: usize,
    holds: usize,
}

fn text(term: &Term) -> String {
    let mut out = String::new();
    let mut open: Vec<Open> = Vec::new();
    for part in term.parts() {
        if let Some(around) = open.last() {
            out.push_str(match around {
                Open { shape: Shape::One, .. } => "",
                // The name has the comma.
                Open { shape: Shape::Fields, .. } if !matches!(part, Part::Field(_)) => "",
                Open { shape: Shape::Entries, written: 0, .. } => r#"{"key":"#,
                Open { shape: Shape::Entries, written, .. } if written % 2 == 1 => r#","value":"#,
                Open { shape: Shape::Entries, .. } => r#",{"key":"#,
                Open { written: 0, .. } => "",
                Open { .. } => ",",
            });
        }
        begin(part, &mut out);
        if !matches!(part, Part::Field(_)) {
            open.push(Open { shape: shape(part), written: 0, holds: part.holds() });
        }
        while let Some(Open { shape, .. }) = open.pop_if(|value| value.written == value.holds) {
            out.push_str(if matches!(shape, Shape::One) { "}" } else { "]}" });
            if let Some(around) = open.last_mut() {
                around.written += 1;
                if matches!(around.shape, Shape::Fields)
                    || matches!(around.shape, Shape::Entries) && around.written % 2 == 0
                {
                    out.push('}');
                }
            }
        }
    }
    out
}

fn shape(part: &Part) -> Shape {
    match part {
        Part::List(_) | Part::Set(_) | Part::Tuple(_) | Part::Sum { .. } => Shape::Items,
        Part::Map { .. } => Shape::Entries,
        Part::Struct { .. } => Shape::Fields,
        _ => Shape::One,
    }
}

/// A part's JSON up to where what it holds begins.
fn begin(part: &Part, out: &mut String) {
    // Writing to a string never fails.
    let _ = match part {
        Part::Int(value) => write!(out, r#"{{"kind":"int","value":"{value}""#),
        Part::Float(bits) => write!(out, r#"{{"kind":"float","value":"{bits:016x}""#),
        Part::True => write!(out, r#"{{"kind":"true""#),
        Part::False => write!(out, r#"{{"kind":"false""#),
        Part::String(text) => write!(out, r#"{{"kind":"string","text":{}"#, json!(text)),
        Part::Unit => write!(out, r#"{{"kind":"unit""#),
        Part::List(_) => write!(out, r#"{{"kind":"list","items":["#),
        Part::Map { key_type, .. } => write!(out, r#"{{"kind":"map","key_type":{key_type},"entries":["#),
        Part::Set(_) => write!(out, r#"{{"kind":"set","items":["#),
        Part::Tuple(_) => write!(out, r#"{{"kind":"tuple","items":["#),
        Part::Struct { name, .. } => write!(out, r#"{{"kind":"struct","name":{},"fields":["#, json!(name)),
        Part::Field(name) => write!(out, r#"{{"name":{},"value":"#, json!(name)),
        Part::Sum { name, variant, .. } => {
            write!(out, r#"{{"kind":"sum","name":{},"variant":{variant},"values":["#, json!(name))
        }
        Part::Pid(pid) => write!(out, r#"{{"kind":"pid","pid":{}"#, json!(WirePidValue::from(*pid))),
        Part::Some => write!(out, r#"{{"kind":"some","value":"#),
        Part::None => write!(out, r#"{{"kind":"none""#),
        Part::Ok => write!(out, r#"{{"kind":"ok","value":"#),
        Part::Err => write!(out, r#"{{"kind":"err","value":"#),
        Part::Closure => write!(out, r#"{{"kind":"closure""#),
    };
}

/// What has still to be made into parts, the next one last.
enum Step<'a> {
    /// A value and its level.
    Value(&'a Value, usize),
    Field(&'a str),
}

/// The parts of a term's JSON; `None` when it is nested deeper than the limit.
fn parts(term: &Value) -> Result<Option<Vec<Part>>, Failure> {
    let mut parts = Vec::new();
    let mut steps = vec![Step::Value(term, 1)];
    while let Some(step) = steps.pop() {
        match step {
            Step::Field(name) => parts.push(Part::Field(name.to_owned())),
            Step::Value(_, level) if level > MAX_LEVELS => return Ok(None),
            Step::Value(value, level) => {
                let first = steps.len();
                parts.push(part(value, level + 1, &mut steps)?);
                steps[first..].reverse();
            }
        }
    }
    Ok(Some(parts))
}

/// One value's own part; what it holds goes to `steps`, in order.
fn part<'a>(value: &'a Value, level: usize, steps: &mut Vec<Step<'a>>) -> Result<Part, Failure> {
    let items = |name| member(value, name)?.as_array().ok_or_else(|| wrong(name));
    let mut hold = |values: &'a Vec<Value>| {
        steps.extend(values.iter().map(|value| Step::Value(value, level)));
        values.len()
    };
    Ok(match field(value, "kind")? {
        "int" => Part::Int(int(member(value, "value")?).ok_or_else(|| wrong("value"))?),
        "float" => Part::Float(bits(field(value, "value")?).ok_or_else(|| wrong("value"))?),
        "true" => Part::True,
        "false" => Part::False,
        "string" => Part::String(field(value, "text")?),
        "unit" => Part::Unit,
        "list" => Part::List(hold(items("items")?)),
        "map" => {
            let (key_type, entries) = (field(value, "key_type")?, items("entries")?);
            for entry in entries {
                steps.push(Step::Value(member(entry, "key")?, level));
                steps.push(Step::Value(member(entry, "value")?, level));
            }
            Part::Map { key_type, entries: entries.len() }
        }
        "set" => Part::Set(hold(items("items")?)),
        "tuple" => Part::Tuple(hold(items("items")?)),
        "struct" => {
            let (name, fields) = (field(value, "name")?, items("fields")?);
            for named in fields {
                steps.push(Step::Field(field(named, "name")?));
                steps.push(Step::Value(member(named, "value")?, level));
            }
            Part::Struct { name, fields: fields.len() }
        }
        "sum" => {
            let (name, variant) = (field(value, "name")?, field(value, "variant")?);
            Part::Sum { name, variant, values: hold(items("values")?) }
        }
        "pid" => Part::Pid(field::<WirePidValue>(value, "pid")?.wire().ok_or_else(|| wrong("pid"))?),
        kind @ ("some" | "ok" | "err") => {
            steps.push(Step::Value(member(value, "value")?, level));
            match kind {
                "some" => Part::Some,
                "ok" => Part::Ok,
                _ => Part::Err,
            }
        }
        "none" => Part::None,
        "closure" => Part::Closure,
        other => return Err(Failure::invalid_params(format!("there is no kind {other:?} of terms"))),
    })
}

/// A member that has to be there, as it is.
fn member<'a>(object: &'a Value, name: &str) -> Result<&'a Value, Failure> {
    object.get(name).ok_or_else(|| wrong(name))
}

/// A member that has to be there and holds no term.
fn field<'a, T: Deserialize<'a>>(object: &'a Value, name: &str) -> Result<T, Failure> {
    T::deserialize(member(object, name)?).map_err(|_| wrong(name))
}

fn wrong(name: &str) -> Failure {
    Failure::invalid_params(format!("`{name}` is missing or has the wrong type"))
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        number => number.as_i64(),
    }
}

fn bits(digits: &str) -> Option<u64> {
    let is_whole = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_whole.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::nesting;

    fn decoded(bytes: Vec<u8>) -> Result<String, Failure> {
        decode(&Decode { bytes })
    }

    fn encoded(term: &Value) -> Result<Value, Failure> {
        encode(&json!({"term": term}))
    }

    /// The kind of an error, and its code.
    fn why<T: std::fmt::Debug>(result: Result<T, Failure>) -> (i64, String) {
        let failure = json!(result.unwrap_err());
        (failure["code"].as_i64().unwrap(), failure["data"]["kind"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn every_kind_goes_both_ways() {
        let (unit, none) = (json!({"kind": "unit"}), json!({"kind": "none"}));
        let text = |text: &str| json!({"kind": "string", "text": text});
        for (term, bytes) in [
            (json!({"kind": "int", "value": "-9223372036854775808"}), "010000000000000080"),
            (json!({"kind": "float", "value": "fff8000000000001"}), "02010000000000f8ff"),
            (json!({"kind": "true"}), "03"),
            (json!({"kind": "false"}), "04"),
            (text("\u{0}\"é"), "05 04000000 0022c3a9"),
            (unit.clone(), "06"),
            (json!({"kind": "list", "items": []}), "0a00000000"),
            (json!({"kind": "list", "items": [unit, none, unit]}), "0a03000000062906"),
            (json!({"kind": "map", "key_type": 0, "entries": []}), "0b0000000000"),
            (
                json!({"kind": "map", "key_type": 1, "entries": [
                    {"key": text("b"), "value": {"kind": "set", "items": [unit]}}, {"key": text("a"), "value": none}
                ]}),
                "0b01 02000000 050100000062 0c0100000006 050100000061 29",
            ),
            (json!({"kind": "set", "items": [none, none]}), "0c020000002929"),
            (json!({"kind": "tuple", "items": [{"kind": "tuple", "items": []}, unit]}), "0d020d0006"),
            (json!({"kind": "struct", "name": "P", "fields": []}), "14 010050 0000"),
            (
                json!({"kind": "struct", "name": "P", "fields": [{"name": "y", "value": unit}, {"name": "", "value": none}]}),
                "14 010050 0200 010079 06 0000 29",
            ),
            (json!({"kind": "sum", "name": "S", "variant": 7, "values": [unit, none]}), "15 010053 07 0200 0629"),
            (json!({"kind": "pid", "pid": {"node_id": 3, "creation": 7, "local": 42}}), "1e2a00000000070300"),
            (json!({"kind": "some", "value": {"kind": "ok", "value": {"kind": "err", "value": none}}}), "282a2b29"),
        ] {
            let bytes = format!("01{}", bytes.replace(' ', ""));
            assert_eq!(encoded(&term).unwrap(), json!({"bytes": bytes}), "{term}");
            let text = decoded(hex::decode(format!("{bytes}beef")).unwrap()).unwrap();
            let result: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(result, json!({"term": term, "left_over": "beef"}));
        }
    }

    #[test]
    fn ints_may_be_numbers() {
        assert_eq!(encoded(&json!({"kind": "int", "value": -3})).unwrap(), json!({"bytes": "0101fdffffffffffffff"}));
    }

    #[test]
    fn errors_say_why() {
        for (bytes, kind) in [
            (&[][..], "unexpected_end"),
            (&[1, 99], "invalid_tag"),
            (&[2], "unsupported_version"),
            (&[1, 255], "closure"),
            (&[1, 10, 255, 255, 255, 255], "too_large"),
            (&[1, 5, 1, 0, 0, 0, 255], "invalid_utf8"),
            (&[&[1][..], &[40; 1_000], &[6]].concat(), "too_deep"),
        ] {
            assert_eq!(why(decoded(bytes.to_vec())), (-32_020, kind.to_owned()));
        }
        let closure = json!({"kind": "closure"});
        assert_eq!(why(encoded(&closure)), (-32_021, "closure".to_owned()));
        assert_eq!(why(encoded(&json!({"kind": "tuple", "items": [closure]}))), (-32_021, "closure".to_owned()));
        let too_large = json!({"kind": "struct", "name": "x".repeat(65_536), "fields": []});
        assert_eq!(why(encoded(&too_large)), (-32_021, "too_large".to_owned()));
    }

    #[test]
    fn what_is_no_term_is_an_invalid_parameter() {
        assert_eq!(why(encode(&json!({}))).0, -32_602);
        for no_term in [
            json!(null),
            json!({}),
            json!({"kind": "integer"}),
            json!({"kind": "int", "value": "9223372036854775808"}),
            json!({"kind": "int", "value": 1.5}),
            json!({"kind": "float", "value": "3ff"}),
            json!({"kind": "float", "value": "+3ff000000000000"}),
            json!({"kind": "list"}),
            json!({"kind": "list", "items": {}}),
            json!({"kind": "list", "items": [1]}),
            json!({"kind": "map", "key_type": 256, "entries": []}),
            json!({"kind": "map", "key_type": 0, "entries": [{"key": {"kind": "unit"}}]}),
            json!({"kind": "struct", "name": "", "fields": [{"value": {"kind": "unit"}}]}),
            json!({"kind": "pid", "pid": {"node_id": 0, "creation": 0, "local": 1_u64 << 40}}),
            json!({"kind": "some"}),
        ] {
            assert_eq!(why(encoded(&no_term)).0, -32_602, "{no_term}");
        }
    }

    #[test]
    fn a_thousand_levels_go_both_ways_and_one_more_is_too_deep() {
        let heads = [
            &[40][..],
            &[10, 1, 0, 0, 0],
            &[13, 1],
            &[11, 0, 1, 0, 0, 0, 6],
            &[20, 0, 0, 1, 0, 0, 0],
            &[21, 0, 0, 0, 1, 0],
        ];
        for head in heads {
            let bytes = [vec![1], head.repeat(MAX_LEVELS - 1), vec![6]].concat();
            let text = decoded(bytes.clone()).unwrap();
            let result = nesting::read(text.as_bytes()).unwrap().value;
            assert_eq!(encode(&result).unwrap(), json!({"bytes": hex::encode(bytes)}), "{head:?}");
            for more in [1, 5_000] {
                let some = r#"{"kind":"some","value":"#.repeat(more);
                let deeper = format!(r#"{{"term":{some}{}{}}}"#, &text[8..text.len() - 16], "}".repeat(more));
                let params = nesting::read(deeper.as_bytes()).unwrap().value;
                assert_eq!(why(encode(&params)), (-32_021, "too_deep".to_owned()), "{head:?}");
            }
        }
    }
}
