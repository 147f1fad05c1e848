//! Expressions: values in a scenario that are known only when it runs.
//!
//! A text may hold `${path}`; a text that is nothing but one `${path}` stands for the value itself. A map with one key
//! that begins with `$` is a function. Values are JSON: bytes are lower-case hex, as in the control protocol.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::codec;
use crate::random::random_bytes;

/// A value, or how to compute it.
#[derive(Debug, Clone)]
pub enum Expression {
    /// Null, a boolean or a number.
    Literal(Value),
    /// A text, perhaps with `${path}` in it.
    Text(String),
    /// A list of expressions.
    List(Vec<Expression>),
    /// A map of expressions.
    Map(IndexMap<String, Expression>),
    /// A function and its argument.
    Function(Function, Box<Expression>),
}

/// Where `${path}` is looked up.
pub trait Scope {
    /// The value of a path such as `row`, `n`, `n.creation` or `entries[0]`.
    fn lookup(&self, path: &str) -> Option<Value>;
}

/// Why an expression has no value: a mistake in the scenario, never the node's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// `${path}` names nothing.
    #[error("`${{{0}}}` is not known here")]
    Unknown(String),
    /// A function was given something that it cannot use.
    #[error("`{function}` needs {needs}, and was given {given}")]
    Argument {
        /// The function's key.
        function: &'static str,
        /// What it needs.
        needs: &'static str,
        /// What it was given, as JSON.
        given: String,
    },
    /// A text was needed.
    #[error("{what} has to be {needs}, and is {given}")]
    Type {
        /// What was evaluated.
        what: String,
        /// The type it must have.
        needs: &'static str,
        /// Its value, as JSON.
        given: String,
    },
}

macro_rules! functions {
    ($($(#[doc = $doc:literal])* $key:literal => $name:ident,)*) => {
        /// The functions that an expression can call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Function { $($(#[doc = $doc])* $name,)* }

        /// Their keys.
        pub(super) const FUNCTIONS: &[&str] = &[$($key),*];

        impl Function {
            /// The function with this key.
            pub(super) fn by_key(key: &str) -> Option<Self> {
                match key { $($key => Some(Self::$name),)* _ => None }
            }

            const fn key(self) -> &'static str {
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
    /// `{each, range: [a, b], of}`: a list of `of` for each number from a to b, inclusive.
    "$list" => List,
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
}

impl Expression {
    /// The value, with every `${path}` looked up in `scope`.
    ///
    /// # Errors
    /// Returns what the scenario got wrong.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, EvaluationError> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Text(text) => interpolate(text, scope)?,
            Self::List(items) => Value::Array(items.iter().map(|item| item.evaluate(scope)).collect::<Result<_, _>>()?),
            Self::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), value.evaluate(scope)?)))
                    .collect::<Result<Map<_, _>, _>>()?,
            ),
            Self::Function(Function::List, argument) => list(argument, scope)?,
            Self::Function(function, argument) => apply(*function, argument.evaluate(scope)?)?,
        })
    }

    /// The value as a text.
    ///
    /// # Errors
    /// As [`Self::evaluate`]; also when it is no text.
    pub fn text(&self, what: &str, scope: &dyn Scope) -> Result<String, EvaluationError> {
        match self.evaluate(scope)? {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(wrong_type(what, "a text", &other)),
        }
    }

    /// The value as a whole number from 0 on.
    ///
    /// # Errors
    /// As [`Self::evaluate`]; also when it is no such number.
    pub fn number(&self, what: &str, scope: &dyn Scope) -> Result<u64, EvaluationError> {
        let value = self.evaluate(scope)?;
        value.as_u64().ok_or_else(|| wrong_type(what, "a whole number", &value))
    }

    /// The value as bytes, written in hex.
    ///
    /// # Errors
    /// As [`Self::evaluate`]; also when it is not hex.
    pub fn bytes(&self, what: &str, scope: &dyn Scope) -> Result<Vec<u8>, EvaluationError> {
        let value = self.evaluate(scope)?;
        value.as_str().and_then(|text| hex::decode(text).ok()).ok_or_else(|| wrong_type(what, "hex", &value))
    }

    /// The value as a cookie: a text stands for its UTF-8 bytes, `{$bytes: hex}` for any.
    ///
    /// # Errors
    /// As [`Self::evaluate`]; also when it is neither.
    pub fn cookie(&self, scope: &dyn Scope) -> Result<Vec<u8>, EvaluationError> {
        let value = self.evaluate(scope)?;
        cookie_bytes(&value).ok_or_else(|| wrong_type("a cookie", "a text or {$bytes: hex}", &value))
    }

    /// Calls `visit` with the text of each `${path}` in this expression.
    pub fn paths(&self, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::Literal(_) => {}
            Self::Text(text) => {
                for part in Parts(text) {
                    if let Part::Path(path) = part {
                        visit(path);
                    }
                }
            }
            Self::List(items) => items.iter().for_each(|item| item.paths(visit)),
            Self::Map(entries) => entries.values().for_each(|entry| entry.paths(visit)),
            Self::Function(_, argument) => argument.paths(visit),
        }
    }
}

fn cookie_bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Object(entries) => hex::decode(entries.get("$bytes")?.as_str()?).ok(),
        _ => None,
    }
}

fn wrong_type(what: &str, needs: &'static str, given: &Value) -> EvaluationError {
    EvaluationError::Type { what: what.to_owned(), needs, given: shortened(given) }
}

/// JSON for a message to a person: cut where it grows long.
pub(crate) fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(200) {
        Some((cut, _)) => format!("{}… ({} bytes)", &text[..cut], text.len()),
        None => text,
    }
}

enum Part<'a> {
    Text(&'a str),
    Path(&'a str),
}

/// Splits a text at its `${path}`s.
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let end = match self.0.find("${") {
            Some(0) => match self.0.find('}') {
                Some(close) => {
                    let path = &self.0[2..close];
                    self.0 = &self.0[close + 1..];
                    return Some(Part::Path(path));
                }
                None => self.0.len(),
            },
            Some(start) => start,
            None => self.0.len(),
        };
        let (text, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(Part::Text(text))
    }
}

fn interpolate(text: &str, scope: &dyn Scope) -> Result<Value, EvaluationError> {
    let find = |path: &str| scope.lookup(path).ok_or_else(|| EvaluationError::Unknown(path.to_owned()));
    let parts: Vec<_> = Parts(text).collect();
    if let [Part::Path(path)] = parts.as_slice() {
        return find(path);
    }
    let mut result = String::new();
    for part in parts {
        match part {
            Part::Text(text) => result.push_str(text),
            Part::Path(path) => match find(path)? {
                Value::String(text) => result.push_str(&text),
                other => result.push_str(&other.to_string()),
            },
        }
    }
    Ok(Value::String(result))
}

/// A scope with one more variable.
pub struct Binding<'a> {
    /// The variable.
    pub name: &'a str,
    /// Its value.
    pub value: Value,
    /// Everything else.
    pub outer: &'a dyn Scope,
}

impl Scope for Binding<'_> {
    fn lookup(&self, path: &str) -> Option<Value> {
        if path == self.name { Some(self.value.clone()) } else { self.outer.lookup(path) }
    }
}

fn list(argument: &Expression, scope: &dyn Scope) -> Result<Value, EvaluationError> {
    let wrong = || EvaluationError::Argument {
        function: Function::List.key(),
        needs: "{each, range: [a, b], of}",
        given: format!("{argument:?}"),
    };
    let Expression::Map(parts) = argument else {
        return Err(wrong());
    };
    let (Some(Expression::Text(each)), Some(Expression::List(range)), Some(of)) =
        (parts.get("each"), parts.get("range"), parts.get("of"))
    else {
        return Err(wrong());
    };
    let [from, to] = range.as_slice() else {
        return Err(wrong());
    };
    let (from, to) = (from.number("range", scope)?, to.number("range", scope)?);
    (from..=to)
        .map(|value| of.evaluate(&Binding { name: each, value: value.into(), outer: scope }))
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Array)
}

fn apply(function: Function, argument: Value) -> Result<Value, EvaluationError> {
    let needs = match function {
        Function::Repeat => "{prefix?, text, bytes}",
        Function::Zeros | Function::Random => "a number of bytes",
        Function::HexOf => "a text",
        Function::Bytes => "hex",
        Function::Concat => "a list of texts",
        Function::Proof => "{cookie, challenge}",
        Function::List => "{each, range, of}",
        Function::Sum => "a list of numbers",
        Function::Difference => "two numbers, the larger first",
        Function::Slice => "{of, from, to}",
        Function::Flip => "{of: hex, bit}",
        Function::Count => "a text or a list",
    };
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
        Function::List => None,
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
    };
    result.ok_or_else(|| EvaluationError::Argument { function: function.key(), needs, given: shortened(&argument) })
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

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExpressionVisitor)
    }
}

struct ExpressionVisitor;

impl<'de> Visitor<'de> for ExpressionVisitor {
    type Value = Expression;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or an expression")
    }

    fn visit_unit<E>(self) -> Result<Expression, E> {
        Ok(Expression::Literal(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Expression, E> {
        Ok(Expression::Literal(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Expression, E> {
        Ok(Expression::Literal(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Expression, E> {
        Ok(Expression::Literal(value.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Expression, E> {
        Ok(Expression::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Expression, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Expression::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Expression, A::Error> {
        let Some(key) = map.next_key::<String>()? else {
            return Ok(Expression::Map(IndexMap::new()));
        };
        if key.starts_with('$') {
            return function(&key, &mut map);
        }
        let mut entries = IndexMap::from([(key, map.next_value()?)]);
        while let Some(key) = map.next_key::<String>()? {
            if entries.insert(key.clone(), map.next_value()?).is_some() {
                return Err(de::Error::custom(format_args!("`{key}` stands here twice")));
            }
        }
        Ok(Expression::Map(entries))
    }
}

/// Reads the argument of the function with this key, which is the map's only one.
pub(super) fn function<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Expression, A::Error> {
    let function = Function::by_key(key).ok_or_else(|| de::Error::unknown_field(key, FUNCTIONS))?;
    let argument = map.next_value()?;
    alone(key, map)?;
    Ok(Expression::Function(function, Box::new(argument)))
}

/// A map with a `$` key has no other.
pub(super) fn alone<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<(), A::Error> {
    match map.next_key::<String>()? {
        None => Ok(()),
        Some(other) => Err(de::Error::custom(format_args!("`{key}` stands alone in its map, not beside `{other}`"))),
    }
}

impl JsonSchema for Expression {
    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": format!("A value; `${{path}}` in a text is looked up; a map with one of these keys is a function: {}", FUNCTIONS.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Fixed;

    impl Scope for Fixed {
        fn lookup(&self, path: &str) -> Option<Value> {
            match path {
                "n" => Some("n@127.0.0.1:1".into()),
                "row.size" => Some(3.into()),
                _ => None,
            }
        }
    }

    fn evaluate(yaml: &str) -> Result<Value, EvaluationError> {
        serde_yaml::from_str::<Expression>(yaml).unwrap().evaluate(&Fixed)
    }

    #[test]
    fn a_lone_path_keeps_its_type_and_a_path_within_text_becomes_text() {
        assert_eq!(evaluate("${row.size}").unwrap(), 3);
        assert_eq!(evaluate("'${n}/${row.size}'").unwrap(), "n@127.0.0.1:1/3");
    }

    #[test]
    fn an_unknown_path_is_named() {
        assert_eq!(evaluate("a ${nope} b"), Err(EvaluationError::Unknown("nope".to_owned())));
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
    }

    #[test]
    fn flip_changes_one_bit() {
        assert_eq!(evaluate("{$flip: {of: '0000', bit: 9}}").unwrap(), "0002");
        assert!(evaluate("{$flip: {of: '0000', bit: 16}}").is_err());
    }

    #[test]
    fn functions_stand_alone_and_are_known() {
        assert!(serde_yaml::from_str::<Expression>("{$zeros: 3, b: 1}").is_err());
        assert!(serde_yaml::from_str::<Expression>("{$zeroes: 3}").is_err());
    }
}
