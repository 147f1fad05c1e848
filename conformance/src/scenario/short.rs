//! Reading of values that have a short form (a text or a list) beside their map.
//!
//! `#[serde(untagged)]` would do it too, but then a wrong key is reported as "did not match any variant", without its place.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

/// Stands for "has no map form".
pub(super) type Never<T> = fn(NoMap) -> T;

/// A map form that nothing matches.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoMap {}

/// Has a short form: a text that stands for the one field that has no default.
pub trait ShortForm {
    /// What a plain text means.
    fn short(text: String) -> Self;
}

/// A value that may stand in a file in its short form.
#[derive(Debug, Clone)]
pub struct OrShort<T>(pub T);

impl<'de, T: ShortForm + Deserialize<'de>> Deserialize<'de> for OrShort<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(Forms {
                text: T::short,
                list: None::<fn(Vec<String>) -> T>,
                map: Some((|long| long) as fn(T) -> T),
                result: PhantomData,
            })
            .map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for OrShort<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrShort", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<T>();
        schemars::json_schema!({"anyOf": [{"type": "string"}, long]})
    }
}

/// A text, a list of texts, or (where there is one) a map read as `L`.
pub(super) fn any<'de, D, T, L>(
    deserializer: D,
    text: impl FnOnce(String) -> T,
    list: impl FnOnce(Vec<String>) -> T,
    map: Option<fn(L) -> T>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    L: Deserialize<'de>,
{
    deserializer.deserialize_any(Forms { text, list: Some(list), map, result: PhantomData })
}

struct Forms<T, F, G, L> {
    text: F,
    list: Option<G>,
    map: Option<fn(L) -> T>,
    result: PhantomData<T>,
}

impl<'de, T, F, G, L> Visitor<'de> for Forms<T, F, G, L>
where
    F: FnOnce(String) -> T,
    G: FnOnce(Vec<String>) -> T,
    L: Deserialize<'de>,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")?;
        if self.list.is_some() {
            f.write_str(", or a list of names")?;
        }
        if self.map.is_some() {
            f.write_str(", or a map")?;
        }
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        Ok((self.text)(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        match self.list {
            Some(list) => Ok(list(Vec::deserialize(SeqAccessDeserializer::new(seq))?)),
            None => Err(de::Error::invalid_type(de::Unexpected::Seq, &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        match self.map {
            Some(make) => Ok(make(L::deserialize(MapAccessDeserializer::new(map))?)),
            None => Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
        }
    }
}
