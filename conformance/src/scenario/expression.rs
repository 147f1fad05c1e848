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

use super::function::{self, FUNCTIONS, Function};
use crate::schema;

/// A value, or how to compute it.
#[derive(Debug, Clone)]
pub enum Expression {
    /// Null, a boolean or a number; any value, once it has been computed.
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

    /// The layouts that functions write bytes by; without them there are no such functions.
    fn schema(&self) -> Option<&schema::Schema> {
        None
    }
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
            Self::Function(function, argument) => function::evaluate(*function, argument, scope)?,
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

pub(super) fn cookie_bytes(value: &Value) -> Option<Vec<u8>> {
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
        match path.strip_prefix(self.name) {
            Some(rest) if rest.is_empty() || rest.starts_with(['.', '[']) => walk(&self.value, rest).cloned(),
            _ => self.outer.lookup(path),
        }
    }

    fn schema(&self) -> Option<&schema::Schema> {
        self.outer.schema()
    }
}

/// Follows `.key` and `[index]` into a value.
pub(crate) fn walk<'a>(mut value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            value = value.get(&after[..end])?;
            rest = &after[end..];
        } else {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            value = value.get(index.parse::<usize>().ok()?)?;
            rest = after;
        }
    }
    Some(value)
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
            return call(&key, &mut map);
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
pub(super) fn call<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Expression, A::Error> {
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
    fn paths_lead_into_objects_and_lists() {
        let value = serde_json::json!({"entries": [{"name": "x"}, {"name": "y"}]});
        assert_eq!(walk(&value, ".entries[1].name").unwrap(), "y");
        assert_eq!(walk(&value, ".entries[2].name"), None);
        assert_eq!(walk(&value, ""), Some(&value));
    }

    #[test]
    fn functions_stand_alone_and_are_known() {
        assert!(serde_yaml::from_str::<Expression>("{$zeros: 3, b: 1}").is_err());
        assert!(serde_yaml::from_str::<Expression>("{$zeroes: 3}").is_err());
    }
}
