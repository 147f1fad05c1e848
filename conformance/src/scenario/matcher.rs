//! Matchers: what a value is held against.
//!
//! A plain value has to be equal. A map has to hold at least the given keys. A map with one key that begins with `$` is
//! an operator. All values are JSON; see [`super::expression`].

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::expression::{self, EvaluationError, Expression, Scope, shortened};
use super::function::{FUNCTIONS, Function};

/// What a value has to be.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// Equal to the expression's value.
    Equal(Expression),
    /// An object that has these keys, each matching.
    Object(IndexMap<String, Matcher>),
    /// A list of exactly these items, in this order.
    List(Vec<Matcher>),
    /// `$any`: anything at all.
    Any,
    /// `$capture: name`: anything; it gets this name.
    Capture(String),
    /// `$not`: anything that does not match.
    Not(Box<Matcher>),
    /// `$one_of`: matches at least one.
    OneOf(Vec<Matcher>),
    /// `$all`: matches every one.
    All(Vec<Matcher>),
    /// `$set`: a list of exactly these items, in any order.
    Set(Expression),
    /// `$contains`: a list in which each of these stands.
    Contains(Vec<Matcher>),
    /// `$excludes`: a list in which none of these stands.
    Excludes(Vec<Matcher>),
    /// `$length`: a list's items or a text's bytes, so many.
    Length(Box<Matcher>),
    /// `$between: [a, b]`: a number from a to b, inclusive.
    Between(Expression, Expression),
    /// `$distinct: true`: a list in which nothing stands twice.
    Distinct,
}

const OPERATORS: &[&str] = &[
    "$any",
    "$capture",
    "$not",
    "$one_of",
    "$all",
    "$set",
    "$contains",
    "$excludes",
    "$length",
    "$between",
    "$distinct",
];

/// Where and how a value differs from what it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Path within the value: `pid.local`, `entries[0].name`; empty for the value itself.
    pub path: String,
    /// What it has to be, for people.
    pub expected: String,
    /// What it is, for people.
    pub actual: String,
}

/// What a comparison can end with besides success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchError {
    /// The value is wrong.
    Mismatch(Mismatch),
    /// The scenario is wrong.
    Evaluation(EvaluationError),
}

impl From<EvaluationError> for MatchError {
    fn from(error: EvaluationError) -> Self {
        Self::Evaluation(error)
    }
}

/// Names given by `$capture`, in order.
pub type Captures = Vec<(String, Value)>;

impl Matcher {
    /// Holds `actual` against this matcher; `captures` gets what was captured on the way.
    ///
    /// # Errors
    /// Returns the first difference, or what the scenario got wrong.
    pub fn check(&self, actual: &Value, scope: &dyn Scope, captures: &mut Captures) -> Result<(), MatchError> {
        self.check_at("", actual, scope, captures)
    }

    /// As [`Self::check`], of an object's entries.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_object(
        &self,
        actual: &Map<String, Value>,
        scope: &dyn Scope,
        captures: &mut Captures,
    ) -> Result<(), MatchError> {
        match self {
            Self::Object(entries) => check_entries(entries, "", actual, scope, captures),
            _ => self.check(&Value::Object(actual.clone()), scope, captures),
        }
    }

    /// The same matcher with every expression in it computed: it can be asked where there is no scope, such as on another thread.
    ///
    /// # Errors
    /// Returns what the scenario got wrong.
    pub fn settled(&self, scope: &dyn Scope) -> Result<Self, EvaluationError> {
        let value = |expression: &Expression| Ok(Expression::Literal(expression.evaluate(scope)?));
        let all = |matchers: &[Self]| matchers.iter().map(|matcher| matcher.settled(scope)).collect::<Result<_, _>>();
        Ok(match self {
            Self::Equal(expression) => Self::Equal(value(expression)?),
            Self::Object(entries) => Self::Object(
                entries
                    .iter()
                    .map(|(key, matcher)| Ok((key.clone(), matcher.settled(scope)?)))
                    .collect::<Result<_, EvaluationError>>()?,
            ),
            Self::List(items) => Self::List(all(items)?),
            Self::Not(matcher) => Self::Not(Box::new(matcher.settled(scope)?)),
            Self::OneOf(matchers) => Self::OneOf(all(matchers)?),
            Self::All(matchers) => Self::All(all(matchers)?),
            Self::Set(expression) => Self::Set(value(expression)?),
            Self::Contains(matchers) => Self::Contains(all(matchers)?),
            Self::Excludes(matchers) => Self::Excludes(all(matchers)?),
            Self::Length(matcher) => Self::Length(Box::new(matcher.settled(scope)?)),
            Self::Between(from, to) => Self::Between(value(from)?, value(to)?),
            Self::Any | Self::Capture(_) | Self::Distinct => self.clone(),
        })
    }

    fn check_at(
        &self,
        path: &str,
        actual: &Value,
        scope: &dyn Scope,
        captures: &mut Captures,
    ) -> Result<(), MatchError> {
        let differ = |expected: String| {
            Err(MatchError::Mismatch(Mismatch { path: path.to_owned(), expected, actual: shortened(actual) }))
        };
        let mut matches = |matcher: &Self, value: &Value| match matcher.check_at(path, value, scope, captures) {
            Ok(()) => Ok(true),
            Err(MatchError::Mismatch(_)) => Ok(false),
            Err(error) => Err(error),
        };
        match self {
            Self::Any => Ok(()),
            Self::Capture(name) => {
                captures.push((name.clone(), actual.clone()));
                Ok(())
            }
            Self::Equal(expression) => {
                let expected = expression.evaluate(scope)?;
                if equal(&expected, actual) {
                    return Ok(());
                }
                let (inner, expected, actual) = difference(path.to_owned(), &expected, actual);
                Err(MatchError::Mismatch(Mismatch {
                    path: inner,
                    expected: shortened(expected),
                    actual: shortened(actual),
                }))
            }
            Self::Object(entries) => {
                let Some(object) = actual.as_object() else {
                    return differ("an object".to_owned());
                };
                check_entries(entries, path, object, scope, captures)
            }
            Self::List(items) => {
                let Some(values) = actual.as_array() else {
                    return differ("a list".to_owned());
                };
                if values.len() != items.len() {
                    return differ(self.describe(scope)?);
                }
                for (index, (matcher, value)) in items.iter().zip(values).enumerate() {
                    matcher.check_at(&format!("{path}[{index}]"), value, scope, captures)?;
                }
                Ok(())
            }
            Self::Not(matcher) => {
                if matches(matcher, actual)? {
                    differ(self.describe(scope)?)
                } else {
                    Ok(())
                }
            }
            Self::OneOf(matchers) => {
                for matcher in matchers {
                    if matches(matcher, actual)? {
                        return Ok(());
                    }
                }
                differ(self.describe(scope)?)
            }
            Self::All(matchers) => {
                for matcher in matchers {
                    matcher.check_at(path, actual, scope, captures)?;
                }
                Ok(())
            }
            Self::Set(expression) => {
                let expected = expression.evaluate(scope)?;
                match (expected.as_array(), actual.as_array()) {
                    (Some(expected), Some(values)) if same_items(expected, values) => Ok(()),
                    _ => differ(format!("in any order {}", shortened(&expected))),
                }
            }
            Self::Contains(matchers) | Self::Excludes(matchers) => {
                let wanted = matches!(self, Self::Contains(_));
                let Some(values) = actual.as_array() else {
                    return differ("a list".to_owned());
                };
                for matcher in matchers {
                    let mut found = false;
                    for value in values {
                        found = found || matches(matcher, value)?;
                    }
                    if found != wanted {
                        let verb = if wanted { "containing" } else { "without" };
                        return differ(format!("a list {verb} {}", matcher.describe(scope)?));
                    }
                }
                Ok(())
            }
            Self::Length(matcher) => {
                let length = match actual {
                    Value::String(text) => text.len(),
                    Value::Array(values) => values.len(),
                    _ => return differ("a text or a list".to_owned()),
                };
                matcher.check_at(&join(path, "length"), &length.into(), scope, captures)
            }
            Self::Between(from, to) => {
                let (from, to) = (from.number("$between", scope)?, to.number("$between", scope)?);
                match actual.as_u64() {
                    Some(number) if (from..=to).contains(&number) => Ok(()),
                    _ => differ(format!("from {from} to {to}")),
                }
            }
            Self::Distinct => match actual.as_array() {
                Some(values) if all_distinct(values) => Ok(()),
                _ => differ("a list in which nothing stands twice".to_owned()),
            },
        }
    }

    /// What this matcher asks for, for people.
    ///
    /// # Errors
    /// Returns what the scenario got wrong.
    pub fn describe(&self, scope: &dyn Scope) -> Result<String, EvaluationError> {
        let all = |matchers: &[Self], separator: &str| {
            matchers
                .iter()
                .map(|matcher| matcher.describe(scope))
                .collect::<Result<Vec<_>, _>>()
                .map(|texts| texts.join(separator))
        };
        Ok(match self {
            Self::Any | Self::Capture(_) => "anything".to_owned(),
            Self::Equal(expression) => shortened(&expression.evaluate(scope)?),
            Self::Object(entries) => {
                let mut texts = Vec::new();
                for (key, matcher) in entries {
                    texts.push(format!("{key}: {}", matcher.describe(scope)?));
                }
                format!("{{{}}}", texts.join(", "))
            }
            Self::List(items) => format!("[{}]", all(items, ", ")?),
            Self::Not(matcher) => format!("anything but {}", matcher.describe(scope)?),
            Self::OneOf(matchers) => all(matchers, " or ")?,
            Self::All(matchers) => all(matchers, " and ")?,
            Self::Set(expression) => {
                format!("in any order {}", shortened(&expression.evaluate(scope)?))
            }
            Self::Contains(matchers) => format!("a list containing {}", all(matchers, " and ")?),
            Self::Excludes(matchers) => format!("a list without {}", all(matchers, " and ")?),
            Self::Length(matcher) => format!("a length of {}", matcher.describe(scope)?),
            Self::Between(from, to) => {
                format!("from {} to {}", shortened(&from.evaluate(scope)?), shortened(&to.evaluate(scope)?))
            }
            Self::Distinct => "a list in which nothing stands twice".to_owned(),
        })
    }

    /// Calls `visit` with each expression in this matcher, and `captured` with each name it gives.
    pub fn walk(&self, visit: &mut dyn FnMut(&Expression), captured: &mut dyn FnMut(&str)) {
        match self {
            Self::Any | Self::Distinct => {}
            Self::Capture(name) => captured(name),
            Self::Equal(expression) | Self::Set(expression) => visit(expression),
            Self::Between(from, to) => {
                visit(from);
                visit(to);
            }
            Self::Object(entries) => entries.values().for_each(|m| m.walk(visit, captured)),
            Self::Not(matcher) | Self::Length(matcher) => matcher.walk(visit, captured),
            Self::List(matchers)
            | Self::OneOf(matchers)
            | Self::All(matchers)
            | Self::Contains(matchers)
            | Self::Excludes(matchers) => matchers.iter().for_each(|m| m.walk(visit, captured)),
        }
    }
}

/// Numbers are equal by value, whatever their JSON type.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_i128() == b.as_i128() && a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

/// Where two values that are not equal differ first, if they are lists of one length; else the values themselves.
fn difference<'v>(path: String, expected: &'v Value, actual: &'v Value) -> (String, &'v Value, &'v Value) {
    if let (Value::Array(a), Value::Array(b)) = (expected, actual)
        && a.len() == b.len()
        && let Some(index) = (0..a.len()).find(|index| !equal(&a[*index], &b[*index]))
    {
        return difference(format!("{path}[{index}]"), &a[index], &b[index]);
    }
    (path, expected, actual)
}

fn check_entries(
    entries: &IndexMap<String, Matcher>,
    path: &str,
    object: &Map<String, Value>,
    scope: &dyn Scope,
    captures: &mut Captures,
) -> Result<(), MatchError> {
    for (key, matcher) in entries {
        let inner = join(path, key);
        match object.get(key) {
            Some(value) => matcher.check_at(&inner, value, scope, captures)?,
            None => {
                return Err(MatchError::Mismatch(Mismatch {
                    path: inner,
                    expected: matcher.describe(scope)?,
                    actual: "nothing".to_owned(),
                }));
            }
        }
    }
    Ok(())
}

/// Sorted by their text, so that large tables are compared in n log n.
fn sorted(values: &[Value]) -> Vec<String> {
    let mut texts: Vec<String> = values.iter().map(canonical).collect();
    texts.sort_unstable();
    texts
}

fn same_items(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && sorted(a) == sorted(b)
}

fn all_distinct(values: &[Value]) -> bool {
    sorted(values).windows(2).all(|pair| pair[0] != pair[1])
}

/// JSON with sorted keys.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let mut texts: Vec<String> =
                entries.iter().map(|(key, value)| format!("{key}:{}", canonical(value))).collect();
            texts.sort_unstable();
            format!("{{{}}}", texts.join(","))
        }
        Value::Array(values) => {
            let texts: Vec<String> = values.iter().map(canonical).collect();
            format!("[{}]", texts.join(","))
        }
        other => other.to_string(),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MatcherVisitor)
    }
}

struct MatcherVisitor;

impl<'de> Visitor<'de> for MatcherVisitor {
    type Value = Matcher;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a matcher")
    }

    fn visit_unit<E>(self) -> Result<Matcher, E> {
        Ok(Matcher::Equal(Expression::Literal(Value::Null)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Matcher, E> {
        Ok(Matcher::Equal(Expression::Literal(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Matcher, E> {
        Ok(Matcher::Equal(Expression::Literal(value.into())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Matcher, E> {
        Ok(Matcher::Equal(Expression::Literal(value.into())))
    }

    fn visit_str<E>(self, text: &str) -> Result<Matcher, E> {
        Ok(Matcher::Equal(Expression::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Matcher, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Matcher::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Matcher, A::Error> {
        let Some(key) = map.next_key::<String>()? else {
            return Ok(Matcher::Object(IndexMap::new()));
        };
        if Function::by_key(&key).is_some() {
            return expression::call(&key, &mut map).map(Matcher::Equal);
        }
        if key.starts_with('$') {
            let matcher = operator(&key, &mut map)?;
            expression::alone(&key, &mut map)?;
            return Ok(matcher);
        }
        let mut entries = IndexMap::from([(key, map.next_value()?)]);
        while let Some(key) = map.next_key::<String>()? {
            if entries.insert(key.clone(), map.next_value()?).is_some() {
                return Err(de::Error::custom(format_args!("`{key}` stands here twice")));
            }
        }
        Ok(Matcher::Object(entries))
    }
}

fn operator<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Matcher, A::Error> {
    Ok(match key {
        "$any" => {
            map.next_value::<bool>()?;
            Matcher::Any
        }
        "$distinct" => {
            map.next_value::<bool>()?;
            Matcher::Distinct
        }
        "$capture" => Matcher::Capture(map.next_value()?),
        "$not" => Matcher::Not(map.next_value()?),
        "$one_of" => Matcher::OneOf(map.next_value()?),
        "$all" => Matcher::All(map.next_value()?),
        "$set" => Matcher::Set(map.next_value()?),
        "$contains" => Matcher::Contains(map.next_value()?),
        "$excludes" => Matcher::Excludes(map.next_value()?),
        "$length" => Matcher::Length(map.next_value()?),
        "$between" => {
            let (from, to) = map.next_value()?;
            Matcher::Between(from, to)
        }
        _ => {
            let known = [OPERATORS, FUNCTIONS].concat().join("`, `");
            return Err(de::Error::custom(format_args!("unknown field `{key}`, expected one of `{known}`")));
        }
    })
}

impl JsonSchema for Matcher {
    fn schema_name() -> Cow<'static, str> {
        "Matcher".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": format!("A value that has to be equal; a map that has to be held; or a map with one operator: {}", OPERATORS.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    struct Nothing;

    impl Scope for Nothing {
        fn lookup(&self, _: &str) -> Option<Value> {
            None
        }
    }

    fn check(yaml: &str, actual: &Value) -> Result<Captures, MatchError> {
        let mut captures = Captures::new();
        serde_yaml::from_str::<Matcher>(yaml).unwrap().check(actual, &Nothing, &mut captures).map(|()| captures)
    }

    #[test]
    fn objects_match_by_the_keys_given_and_name_the_path_of_a_difference() {
        let actual = json!({"name": "x", "pid": {"local": 7, "creation": 0}});
        assert!(check("{pid: {local: 7}}", &actual).is_ok());
        let Err(MatchError::Mismatch(mismatch)) = check("{pid: {local: 8}}", &actual) else {
            panic!("8 is not 7");
        };
        assert_eq!(
            (mismatch.path.as_str(), mismatch.expected.as_str(), mismatch.actual.as_str()),
            ("pid.local", "8", "7")
        );
    }

    #[test]
    fn each_operator_can_fail() {
        let list = json!(["a", "b"]);
        for (good, bad) in [
            ("{$set: [b, a]}", "{$set: [a]}"),
            ("{$contains: [a]}", "{$contains: [c]}"),
            ("{$excludes: [c]}", "{$excludes: [a]}"),
            ("{$length: 2}", "{$length: 3}"),
            ("{$not: [a]}", "{$not: [a, b]}"),
            ("{$one_of: [[a, b], [c]]}", "{$one_of: [[c]]}"),
            ("{$all: [[a, b], {$length: 2}]}", "{$all: [[a, b], {$length: 1}]}"),
            ("[a, b]", "[b, a]"),
        ] {
            assert!(check(good, &list).is_ok(), "{good}");
            assert!(check(bad, &list).is_err(), "{bad}");
        }
        let Err(MatchError::Mismatch(mismatch)) =
            check("{$list: {each: i, range: [5, 7], of: '${i}'}}", &json!([5, 6, 8]))
        else {
            panic!("8 is not 7");
        };
        assert_eq!((mismatch.path.as_str(), mismatch.expected.as_str(), mismatch.actual.as_str()), ("[2]", "7", "8"));
        assert!(check("{$between: [1, 3]}", &json!(3)).is_ok());
        assert!(check("{$between: [1, 3]}", &json!(4)).is_err());
        assert!(check("{$distinct: true}", &json!([1, 2])).is_ok());
        assert!(check("{$distinct: true}", &json!([1, 1])).is_err());
    }

    #[test]
    fn captures_are_handed_out() {
        let captures = check("{a: {$capture: x}}", &json!({"a": 1})).unwrap();
        assert_eq!(captures, vec![("x".to_owned(), json!(1))]);
    }
}
