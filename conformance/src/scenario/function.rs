//! The functions of expressions: `{$repeat: …}`, `{$list: …}` and the like. What they are given comes from the scenario, so that what is
//! wrong with it is the scenario's mistake.

use serde_json::{Value, json};

use super::expression::{Binding, EvaluationError, Expression, Scope, cookie_bytes, shortened};
use crate::codec::{self, Message, Pid};
use crate::random::random_bytes;
use crate::schema::Schema;

/// The most levels of `$nest`: what is done with a value takes a stack.
const DEEPEST: u64 = 2_000;

macro_rules! functions {
    ($($(#[doc = $doc:literal])* $key:literal => $name:ident,)*) => {
        /// The functions that an expression can call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Function { $($(#[doc = $doc])* $name,)* }

        /// Their keys.
        pub(crate) const FUNCTIONS: &[&str] = &[$($key),*];

        impl Function {
            /// The function with this key.
            pub(super) fn by_key(key: &str) -> Option<Self> {
                match key { $($key => Some(Self::$name),)* _ => None }
            }

            /// Its key.
            pub(super) const fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }
        }
    };
}

functions! {
    /// `{prefix?, text, bytes}`: prefix, then text again and again, cut to exactly so many bytes.
    "$repeat" => Repeat,
    /// `n`: n zero bytes, as hex.
    "$zeros" => Zeros,
    /// `n`: n fresh random bytes, as hex.
    "$random" => Random,
    /// `text`: its UTF-8 bytes, as hex.
    "$hex_of" => HexOf,
    /// `hex`: bytes where a text is meant otherwise (cookies).
    "$bytes" => Bytes,
    /// `[a, b, …]`: texts or hex, joined.
    "$concat" => Concat,
    /// `{cookie, challenge}`: the proof, as hex.
    "$proof" => Proof,
    /// `{each, range: [a, b], of}`: a list of `of` for each number from a to b, inclusive; or `{each, in: list, of}`, for each item.
    "$list" => List,
    /// `{each, levels, of, around}`: `of` around `of` around … `around`, so many levels without it; `${each}` in `of` is what is inside.
    "$nest" => Nest,
    /// `[a, b, …]`: the sum.
    "$sum" => Sum,
    /// `[a, b]`: a − b.
    "$difference" => Difference,
    /// `{of, from, to}`: characters of a text or hex, from inclusive, to exclusive.
    "$slice" => Slice,
    /// `{of, bit}`: hex with one bit changed, counted from the first byte's lowest.
    "$flip" => Flip,
    /// A text's bytes, or a list's items: how many.
    "$count" => Count,
    /// `{node_id?, creation?, local}`: a PID's 8 bytes as on the wire, as hex; `node` is passed over, so that a PID of the control protocol
    /// becomes a directed field.
    "$pid" => Pid,
    /// `{kind, …}`: a reason's bytes as on the wire, as hex.
    "$reason" => Reason,
    /// `{kind, …}`: a term's bytes, version and all, as hex. Its 64-bit integers may be numbers or texts.
    "$term" => Term,
}

impl Function {
    /// What its argument has to be, for people.
    const fn needs(self) -> &'static str {
        match self {
            Self::Repeat => "{prefix?, text, bytes}",
            Self::Zeros | Self::Random => "a number of bytes",
            Self::HexOf => "a text",
            Self::Bytes => "hex",
            Self::Concat => "a list of texts",
            Self::Proof => "{cookie, challenge}",
            Self::List => "{each, range: [a, b] or in: list, of}",
            Self::Sum => "a list of numbers",
            Self::Difference => "two numbers, the larger first",
            Self::Slice => "{of, from, to}",
            Self::Flip => "{of: hex, bit}",
            Self::Count => "a text or a list",
            Self::Nest => "{each, levels: up to 2000, of, around}",
            Self::Pid => "{node_id?: 16 bits, creation?: 8 bits, local: 40 bits}",
            Self::Reason => "a reason: {kind, …}, up to 256 levels deep",
            Self::Term => "a value of a term: {kind, …}, up to 128 levels deep",
        }
    }
}

/// The value of a function.
pub(super) fn evaluate(function: Function, argument: &Expression, scope: &dyn Scope) -> Result<Value, EvaluationError> {
    match function {
        Function::List => list(argument, scope),
        Function::Nest => nest(argument, scope),
        _ => apply(function, argument.evaluate(scope)?, scope),
    }
}

/// A function's argument that is evaluated more than once, by its parts.
struct Parts<'a> {
    function: Function,
    argument: &'a Expression,
}

impl<'a> Parts<'a> {
    fn wrong(&self) -> EvaluationError {
        EvaluationError::Argument {
            function: self.function.key(),
            needs: self.function.needs(),
            given: format!("{:?}", self.argument),
        }
    }

    fn get(&self, key: &str) -> Option<&'a Expression> {
        match self.argument {
            Expression::Map(parts) => parts.get(key),
            _ => None,
        }
    }

    fn part(&self, key: &str) -> Result<&'a Expression, EvaluationError> {
        self.get(key).ok_or_else(|| self.wrong())
    }

    /// The name of the variable.
    fn each(&self) -> Result<&'a str, EvaluationError> {
        match self.part("each")? {
            Expression::Text(each) => Ok(each),
            _ => Err(self.wrong()),
        }
    }
}

fn list(argument: &Expression, scope: &dyn Scope) -> Result<Value, EvaluationError> {
    let parts = Parts { function: Function::List, argument };
    let (each, of) = (parts.each()?, parts.part("of")?);
    let item = |value: Value| of.evaluate(&Binding { name: each, value, outer: scope });
    let items = match (parts.get("range"), parts.get("in")) {
        (Some(Expression::List(range)), None) => {
            let [from, to] = range.as_slice() else { return Err(parts.wrong()) };
            let (from, to) = (from.number("range", scope)?, to.number("range", scope)?);
            (from..=to).map(|number| item(number.into())).collect::<Result<_, _>>()?
        }
        (None, Some(list)) => match list.evaluate(scope)? {
            Value::Array(values) => values.into_iter().map(item).collect::<Result<_, _>>()?,
            _ => return Err(parts.wrong()),
        },
        _ => return Err(parts.wrong()),
    };
    Ok(Value::Array(items))
}

fn nest(argument: &Expression, scope: &dyn Scope) -> Result<Value, EvaluationError> {
    let parts = Parts { function: Function::Nest, argument };
    let (each, of) = (parts.each()?, parts.part("of")?);
    let levels = parts.part("levels")?.number("levels", scope)?;
    if levels > DEEPEST {
        return Err(parts.wrong());
    }
    let mut value = parts.part("around")?.evaluate(scope)?;
    for _ in 0..levels {
        value = of.evaluate(&Binding { name: each, value, outer: scope })?;
    }
    Ok(value)
}

fn apply(function: Function, argument: Value, scope: &dyn Scope) -> Result<Value, EvaluationError> {
    let result = match function {
        Function::Repeat => repeat(&argument).map(Value::String),
        Function::Zeros => size(&argument).map(|n| hex_value(&vec![0; n])),
        Function::Random => size(&argument).map(|n| hex_value(&random_bytes(n))),
        Function::HexOf => argument.as_str().map(|text| hex_value(text.as_bytes())),
        Function::Bytes => {
            argument.as_str().filter(|text| hex::decode(text).is_ok()).map(|text| serde_json::json!({ "$bytes": text }))
        }
        Function::Concat => argument.as_array().and_then(|parts| {
            let texts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
            texts.map(|texts| Value::String(texts.concat()))
        }),
        Function::Proof => proof(&argument),
        Function::List | Function::Nest => None,
        Function::Sum => argument.as_array().and_then(|terms| {
            terms.iter().try_fold(0_u64, |sum, term| sum.checked_add(term.as_u64()?)).map(Value::from)
        }),
        Function::Difference => match argument.as_array().map(Vec::as_slice) {
            Some([a, b]) => a.as_u64().zip(b.as_u64()).and_then(|(a, b)| a.checked_sub(b)).map(Value::from),
            _ => None,
        },
        Function::Slice => slice(&argument),
        Function::Flip => flip(&argument),
        Function::Count => match &argument {
            Value::String(text) => Some(text.len().into()),
            Value::Array(items) => Some(items.len().into()),
            _ => None,
        },
        Function::Pid => pid(&argument),
        Function::Reason => scope.schema().and_then(|schema| reason(schema, &argument)),
        Function::Term => scope.schema().and_then(|schema| term(schema, argument.clone())),
    };
    result.ok_or_else(|| EvaluationError::Argument {
        function: function.key(),
        needs: function.needs(),
        given: shortened(&argument),
    })
}

fn hex_value(bytes: &[u8]) -> Value {
    Value::String(hex::encode(bytes))
}

/// Sizes in scenarios are bounded: 64 MiB is four times the largest frame.
fn size(argument: &Value) -> Option<usize> {
    argument.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= 64 << 20)
}

fn repeat(argument: &Value) -> Option<String> {
    let text = argument.get("text")?.as_str().filter(|t| !t.is_empty())?;
    let bytes = size(argument.get("bytes")?)?;
    let mut result = match argument.get("prefix") {
        Some(prefix) => prefix.as_str()?.to_owned(),
        None => String::new(),
    };
    while result.len() < bytes {
        result.push_str(text);
    }
    result.is_char_boundary(bytes).then(|| {
        result.truncate(bytes);
        result
    })
}

fn proof(argument: &Value) -> Option<Value> {
    let cookie = cookie_bytes(argument.get("cookie")?)?;
    let challenge = hex::decode(argument.get("challenge")?.as_str()?).ok()?;
    Some(hex_value(&codec::proof(&cookie, &challenge)))
}

fn slice(argument: &Value) -> Option<Value> {
    let of = argument.get("of")?.as_str()?;
    let from = size(argument.get("from")?)?;
    let to = size(argument.get("to")?)?;
    of.get(from..to).map(|part| Value::String(part.to_owned()))
}

fn flip(argument: &Value) -> Option<Value> {
    let mut bytes = hex::decode(argument.get("of")?.as_str()?).ok()?;
    let bit = size(argument.get("bit")?)?;
    *bytes.get_mut(bit / 8)? ^= 1 << (bit % 8);
    Some(hex_value(&bytes))
}

/// The 8 bytes of a PID. One of the control protocol has a `node` instead of a node id, which a directed field does without.
fn pid(argument: &Value) -> Option<Value> {
    let parts = argument.as_object()?;
    if !parts.keys().all(|key| matches!(key.as_str(), "node_id" | "node" | "creation" | "local")) {
        return None;
    }
    let number = |key: &str| parts.get(key).map_or(Some(0), Value::as_u64);
    let pid = Pid {
        node_id: u16::try_from(number("node_id")?).ok()?,
        creation: u8::try_from(number("creation")?).ok()?,
        local: parts.get("local")?.as_u64()?,
    };
    pid.to_bits().map(|bits| hex_value(&bits.to_le_bytes()))
}

/// The bytes of a reason: what EXIT ends with.
fn reason(schema: &Schema, argument: &Value) -> Option<Value> {
    let nobody = json!({"node_id": 0, "creation": 0, "local": 0});
    let exit = Message::from_json(schema, "EXIT", &json!({"from": nobody, "to": nobody, "reason": argument})).ok()?;
    let encoded = codec::encode(schema, &exit).ok()?;
    let bytes: Vec<u8> = encoded
        .segments
        .into_iter()
        .filter(|part| part.field.starts_with("reason"))
        .flat_map(|part| part.bytes)
        .collect();
    Some(hex_value(&bytes))
}

/// The bytes of a term.
fn term(schema: &Schema, mut argument: Value) -> Option<Value> {
    codec::heard_document(schema, codec::TERM, &mut argument);
    let ty = &schema.document(codec::TERM)?.open()?.ty;
    let value = codec::Value::from_json(schema, codec::TERM, ty, &argument).ok()?;
    let encoded = codec::encode_document(schema, codec::TERM, &value).ok()?;
    Some(hex_value(&encoded.payload()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Fixed(Schema);

    impl Scope for Fixed {
        fn lookup(&self, path: &str) -> Option<Value> {
            (path == "all").then(|| json!([{"local": 7}, {"local": 9}]))
        }

        fn schema(&self) -> Option<&Schema> {
            Some(&self.0)
        }
    }

    fn evaluate(yaml: &str) -> Result<Value, EvaluationError> {
        serde_yaml::from_str::<Expression>(yaml).unwrap().evaluate(&Fixed(crate::schema::own()))
    }

    #[test]
    fn repeat_fills_to_the_byte_and_refuses_to_cut_a_character() {
        let value = evaluate("{$repeat: {prefix: x, text: ab, bytes: 4}}").unwrap();
        assert_eq!(value, "xaba");
        assert!(evaluate("{$repeat: {text: é, bytes: 3}}").is_err());
    }

    #[test]
    fn a_list_binds_its_variable() {
        let value = evaluate("{$list: {each: i, range: [1, 3], of: {name: 'x${i}'}}}").unwrap();
        assert_eq!(value[2]["name"], "x3");
        assert_eq!(evaluate("{$list: {each: r, in: '${all}', of: '${r.local}'}}").unwrap(), json!([7, 9]));
        assert!(evaluate("{$list: {each: r, in: '${all[0]}', of: '${r.local}'}}").is_err());
        assert!(evaluate("{$list: {each: r, of: 1}}").is_err());
    }

    #[test]
    fn nests_are_built_from_the_inside() {
        let value = evaluate("{$nest: {each: inner, levels: 3, of: ['${inner}'], around: x}}").unwrap();
        assert_eq!(value, json!([[["x"]]]));
        let hex = "{$concat: ['03', {$pid: {local: 1}}, '${inner}']}";
        let hex = evaluate(&format!("{{$nest: {{each: inner, levels: 2, of: {hex}, around: '00'}}}}")).unwrap();
        assert_eq!(hex, "03010000000000000003010000000000000000");
        assert!(evaluate("{$nest: {each: inner, levels: 2001, of: ['${inner}'], around: x}}").is_err());
    }

    #[test]
    fn flip_changes_one_bit() {
        assert_eq!(evaluate("{$flip: {of: '0000', bit: 9}}").unwrap(), "0002");
        assert!(evaluate("{$flip: {of: '0000', bit: 16}}").is_err());
    }

    #[test]
    fn pids_are_as_on_the_wire() {
        assert_eq!(evaluate("{$pid: {local: 42}}").unwrap(), "2a00000000000000");
        assert_eq!(evaluate("{$pid: {node_id: 3, creation: 7, local: 42}}").unwrap(), "2a00000000070300");
        assert_eq!(evaluate("{$pid: {node: a@h, creation: 7, local: 42}}").unwrap(), "2a00000000070000");
        for wrong in ["{local: 1099511627776}", "{creation: 256, local: 1}", "{creation: 1}", "{local: 1, nodeid: 3}"] {
            assert!(evaluate(&format!("{{$pid: {wrong}}}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reasons_are_as_on_the_wire() {
        assert_eq!(evaluate("{$reason: {kind: killed}}").unwrap(), "02");
        assert_eq!(evaluate("{$reason: {kind: error, text: boom}}").unwrap(), "010400000000000000626f6f6d");
        let linked = "{kind: linked, pid: {node_id: 0, creation: 0, local: 7}, reason: '${inner}'}";
        let nested = format!("{{$nest: {{each: inner, levels: 63, of: {linked}, around: {{kind: normal}}}}}}");
        let value = evaluate(&format!("{{$reason: {nested}}}")).unwrap();
        assert_eq!(value, "030700000000000000".repeat(63) + "00");
        assert!(evaluate("{$reason: {kind: nothing}}").is_err());
    }

    #[test]
    fn terms_are_as_their_chapter_has_them() {
        for int in ["-2", "'-2'"] {
            let some = format!("{{$term: {{kind: some, value: {{kind: int, value: {int}}}}}}}");
            assert_eq!(evaluate(&some).unwrap(), "012801feffffffffffffff");
        }
        assert!(evaluate("{$term: {kind: closure}}").is_err());
    }
}
