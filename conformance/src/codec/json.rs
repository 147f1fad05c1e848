//! Values in files and control lines: text as strings, bytes as lower-case hex, PIDs as `{node_id, creation, local}`, lists, maps.
//!
//! A union is a map with its `kind` beside its fields. A float is the 16 hex digits of its bits, or, when read, a number too. Where
//! files would grow, the [shorthand](super::shorthand) is read, too.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use super::fields::DEPTH_LIMIT;
use super::message::Message;
use super::shorthand::{fits, nested, repeated};
use super::value::{Pid, Value};
use crate::schema::{Field, Layout, Schema, Type};

/// A value in a file that does not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ValueError {
    /// The message or the field, as in [`super::Segment::field`].
    pub field: String,
    /// What is wrong with it.
    pub problem: ValueProblem,
}

/// What can be wrong with a value in a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueProblem {
    /// The schema has no such message.
    #[error("no message is called that{}", hint(.0))]
    UnknownMessage(Option<String>),
    /// The layout has no such field.
    #[error("there is no such field{}", hint(.0))]
    UnknownField(Option<String>),
    /// A field of the layout is not there.
    #[error("is missing")]
    Missing,
    /// Another shape than the type's.
    #[error("want {wanted}, not {found}")]
    Shape {
        /// The type and how it is written.
        wanted: String,
        /// What stands there, shortened.
        found: String,
    },
    /// Nested deeper than [`super::DEPTH_LIMIT`], or repeated more often than any frame holds.
    #[error("is too large")]
    TooLarge,
    /// Not expressible as JSON, such as a map with a list for a key.
    #[error("{0}")]
    NotPlain(String),
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// A YAML value as JSON, so that one reader does for files and control lines.
///
/// # Errors
/// [`ValueProblem::NotPlain`] for what JSON cannot say.
pub fn plain_json(yaml: &serde_yaml::Value) -> Result<Json, ValueProblem> {
    serde_json::to_value(yaml).map_err(|error| ValueProblem::NotPlain(error.to_string()))
}

impl Message {
    /// A message from its name and the map of its fields, with no left-over bytes.
    ///
    /// # Errors
    /// Unknown message, unknown, missing or misshapen fields. Numbers that do not fit are [`super::encode`]'s to find.
    pub fn from_json(schema: &Schema, name: &str, fields: &Json) -> Result<Self, ValueError> {
        let error = |problem| ValueError { field: name.to_owned(), problem };
        let layout = schema.message(name).ok_or_else(|| {
            error(ValueProblem::UnknownMessage(nearest(name, schema.messages().map(|m| m.name.as_str()))))
        })?;
        let map = fields.as_object().ok_or_else(|| error(misshapen("a map of fields", fields)))?;
        let fields = Reader { schema }.fields("", &layout.fields, map, &[], 0)?;
        Ok(Self { name: name.to_owned(), fields, left_over: Vec::new() })
    }

    /// The map of its fields, as [`Message::from_json`] takes it.
    pub fn fields_json(&self) -> Json {
        Json::Object(map_json(&self.fields))
    }
}

impl Value {
    /// A value of that type.
    ///
    /// # Errors
    /// As for [`Message::from_json`]; fields are named from `field` on.
    pub fn from_json(schema: &Schema, field: &str, ty: &Type, json: &Json) -> Result<Self, ValueError> {
        Reader { schema }.value(field, ty, json, 0)
    }

    /// Itself without schema: what [`Value::from_json`] takes.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Uint(number) => json!(number),
            Self::Int(number) => json!(number),
            Self::Float(bits) => json!(format!("{bits:016x}")),
            Self::Text(text) => json!(text),
            Self::Bytes(bytes) => json!(hex::encode(bytes)),
            Self::Pid(Pid { node_id, creation, local }) => {
                json!({"node_id": node_id, "creation": creation, "local": local})
            }
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Record(fields) => Json::Object(map_json(fields)),
            Self::Union { kind, fields } => {
                let mut map = Map::new();
                map.insert("kind".to_owned(), json!(kind));
                map.extend(map_json(fields));
                Json::Object(map)
            }
        }
    }
}

fn map_json(fields: &IndexMap<String, Value>) -> Map<String, Json> {
    fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect()
}

struct Reader<'a> {
    schema: &'a Schema,
}

impl Reader<'_> {
    fn fields(
        &self,
        path: &str,
        layout: &[Field],
        map: &Map<String, Json>,
        besides: &[&str],
        depth: usize,
    ) -> Result<IndexMap<String, Value>, ValueError> {
        let at = |name: &str| {
            if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
        };
        let known = |name: &str| besides.contains(&name) || layout.iter().any(|field| field.name == name);
        if let Some(name) = map.keys().find(|name| !known(name)) {
            let nearest = nearest(name, layout.iter().map(|field| field.name.as_str()));
            return Err(ValueError { field: at(name), problem: ValueProblem::UnknownField(nearest) });
        }
        let mut fields = IndexMap::new();
        for field in layout {
            let path = at(&field.name);
            let value = match map.get(&field.name) {
                Some(json) => self.value(&path, &field.ty, json, depth)?,
                None => {
                    return Err(ValueError { field: path, problem: ValueProblem::Missing });
                }
            };
            fields.insert(field.name.clone(), value);
        }
        Ok(fields)
    }

    fn value(&self, path: &str, ty: &Type, json: &Json, depth: usize) -> Result<Value, ValueError> {
        let error = |problem| ValueError { field: path.to_owned(), problem };
        let shape = |how: &str| error(misshapen(&format!("{ty}, {how}"), json));
        let repeated = repeated(json).map_err(error)?;
        Ok(match ty {
            Type::Uint(width) => match json.as_u64() {
                Some(number) if number <= width.max() => Value::Uint(number),
                _ => return Err(shape(&format!("a number up to {}", width.max()))),
            },
            Type::Int => Value::Int(json.as_i64().ok_or_else(|| shape("a number"))?),
            Type::Float => match (json.as_f64(), json.as_str().and_then(bits)) {
                (Some(number), _) => Value::Float(number.to_bits()),
                (None, Some(bits)) => Value::Float(bits),
                (None, None) => return Err(shape("the 16 hex digits of its bits, or a number")),
            },
            Type::Text(_) => {
                let (part, times) = repeated.unwrap_or((json, 1));
                let part = part.as_str().ok_or_else(|| shape("a string"))?;
                Value::Text(fits(part.len(), times).map(|()| part.repeat(times)).map_err(error)?)
            }
            Type::Bytes(_) | Type::Blob(_) | Type::Rest => {
                let (part, times) = repeated.unwrap_or((json, 1));
                let part = part.as_str().and_then(bytes).ok_or_else(|| shape("lower-case hex"))?;
                let bytes = fits(part.len(), times).map(|()| part.repeat(times)).map_err(error)?;
                if matches!(ty, Type::Bytes(count) if *count != bytes.len()) {
                    return Err(shape("hex of exactly that many bytes"));
                }
                Value::Bytes(bytes)
            }
            Type::Pid => match serde_json::from_value::<Pid>(json.clone()) {
                Ok(pid) if pid.local <= Pid::LOCAL_MAX => Value::Pid(pid),
                _ => {
                    return Err(shape("{node_id: 16 bits, creation: 8 bits, local: 40 bits}"));
                }
            },
            Type::List(_, item) => {
                let (part, times) = repeated.unwrap_or((json, 1));
                let part = part.as_array().ok_or_else(|| shape("a list"))?;
                fits(part.len(), times).map_err(error)?;
                let named = |(index, json)| self.named(&format!("{path}[{index}]"), item, json, depth + 1);
                let items: Vec<Value> = part.iter().enumerate().map(named).collect::<Result<_, _>>()?;
                Value::List((0..times).flat_map(|_| items.iter().cloned()).collect())
            }
            Type::Named(name) => self.named(path, name, json, depth + 1)?,
        })
    }

    fn named(&self, path: &str, name: &str, json: &Json, depth: usize) -> Result<Value, ValueError> {
        let shape = |wanted: &str| ValueError { field: path.to_owned(), problem: misshapen(wanted, json) };
        if depth > DEPTH_LIMIT {
            return Err(ValueError { field: path.to_owned(), problem: ValueProblem::TooLarge });
        }
        if let Some(nested) = nested(json).map_err(|problem| ValueError { field: path.to_owned(), problem })? {
            return self.named(path, name, &nested, depth);
        }
        let map = json.as_object().ok_or_else(|| shape(&format!("{name}, a map")))?;
        match self.schema.layout(name) {
            Some(Layout::Record(layout)) => Ok(Value::Record(self.fields(path, layout, map, &[], depth)?)),
            Some(Layout::Union(union)) => {
                let kind = map.get("kind").and_then(Json::as_str);
                // A kind without a form is a value that the codec refuses.
                if let Some(kind) = kind.filter(|kind| union.forbidden.contains_key(*kind)) {
                    let fields = self.fields(path, &[], map, &["kind"], depth)?;
                    return Ok(Value::Union { kind: kind.to_owned(), fields });
                }
                let found = kind.and_then(|kind| Some((kind, union.variants.get(kind)?)));
                let (kind, variant) = found.ok_or_else(|| shape(&format!("{name}, a map with its kind")))?;
                let fields = self.fields(path, &variant.fields, map, &["kind"], depth)?;
                Ok(Value::Union { kind: kind.to_owned(), fields })
            }
            None => Err(shape(name)),
        }
    }
}

pub(super) fn misshapen(wanted: &str, found: &Json) -> ValueProblem {
    let mut found = found.to_string();
    if let Some((end, _)) = found.char_indices().nth(60) {
        found.replace_range(end.., "…");
    }
    ValueProblem::Shape { wanted: wanted.to_owned(), found }
}

/// Bytes of a string of hex digits; upper case is refused, so that equal bytes are equal strings.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    if text.contains(|c: char| c.is_ascii_uppercase()) { None } else { hex::decode(text).ok() }
}

fn bits(text: &str) -> Option<u64> {
    (text.len() == 16 && bytes(text).is_some()).then(|| u64::from_str_radix(text, 16).ok())?
}

fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let near =
        names.map(|name| (strsim::damerau_levenshtein(wrong, name), name)).filter(|(distance, _)| *distance <= 3);
    near.min().map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Phase, own};

    fn register() -> Json {
        json!({"name": "x", "pid": {"node_id": 0, "creation": 1, "local": 7}, "owner": "a@h"})
    }

    fn error(name: &str, fields: &Json) -> String {
        Message::from_json(&own(), name, fields).unwrap_err().to_string()
    }

    #[test]
    fn messages_survive_the_round_trip() {
        let message = Message::from_json(&own(), "GLOBAL_REGISTER", &register()).unwrap();
        assert_eq!(message.fields_json(), register());
        let payload = super::super::encode(&own(), &message).unwrap().payload();
        assert_eq!(super::super::decode(&own(), Phase::Session, &payload).unwrap().message, message);
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            error("GLOBAL_REGSTER", &register()),
            "GLOBAL_REGSTER: no message is called that; did you mean GLOBAL_REGISTER?"
        );
        assert_eq!(error("PING", &json!({"nonse": "00"})), "nonse: there is no such field; did you mean nonce?");
        assert_eq!(error("PING", &json!({})), "nonce: is missing");
        assert!(error("PING", &json!({"nonce": "0A00000000000000"})).contains("lower-case hex"));
        assert!(error("PING", &json!({"nonce": "00"})).contains("exactly"));
        assert!(error("NAME", &json!({"name": "x", "creation": 256})).contains("up to 255"));
        let peers = json!({"peers": [{"name": "x"}, {"name": 1}]});
        assert!(error("PEER_LIST", &peers).starts_with("peers[1].name: want string(u16)"));
        let mut pid = register();
        pid["pid"]["local"] = json!(1_u64 << 40);
        assert!(error("GLOBAL_REGISTER", &pid).contains("40 bits"));
    }

    #[test]
    fn repetition_is_spelled_out() {
        let read = |name: &str, fields| Message::from_json(&own(), name, &fields).map(|message| message.fields_json());
        let text = json!({"room": {"repeat": "ab", "times": 3}, "text": {"repeat": "x", "times": 0}});
        assert_eq!(read("ROOM_BROADCAST", text).unwrap(), json!({"room": "ababab", "text": ""}));
        let nonce = json!({"nonce": {"repeat": "0f", "times": 8}});
        assert_eq!(read("PING", nonce).unwrap(), json!({"nonce": "0f0f0f0f0f0f0f0f"}));
        let peers = json!({"peers": {"repeat": [{"name": "x"}], "times": 2}});
        assert_eq!(read("PEER_LIST", peers).unwrap(), json!({"peers": [{"name": "x"}, {"name": "x"}]}));
        let huge = json!({"room": {"repeat": "ab", "times": u64::MAX}, "text": ""});
        assert_eq!(read("ROOM_BROADCAST", huge).unwrap_err().problem, ValueProblem::TooLarge);
    }
}
