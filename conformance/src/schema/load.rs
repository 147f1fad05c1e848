//! Schema files to [`Schema`]: YAML in, everything that could be wrong with it said with its file, nothing wrong comes out.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::bounds::check_references;
use super::types::is_name;
use super::{DocumentLayout, Field, Layout, MessageLayout, Phase, Schema, Type, TypeError, UnionLayout, Variant};

/// Why a schema cannot be used, and which file says so.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct SchemaError {
    /// The file, or the folder if it is no single file's fault.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: SchemaProblem,
}

/// What can be wrong with a schema file.
#[derive(Debug, thiserror::Error)]
pub enum SchemaProblem {
    /// The file or folder cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Not YAML, or an unknown, missing or duplicate key; says line and column.
    #[error(transparent)]
    Yaml(#[from] serde_yaml::Error),
    /// A type that is not in the notation.
    #[error("{at}: {source}")]
    Type {
        /// Message or type, and field.
        at: String,
        /// What stands there.
        source: TypeError,
    },
    /// `family` is not the file's name.
    #[error("family is \"{0}\"; it must be the file's name")]
    Family(String),
    /// A name that is not spelled as names of its sort are, or is kept for something else.
    #[error("\"{0}\" cannot be a name here")]
    Name(String),
    /// Two things with one name, or one tag in one phase or union.
    #[error("{0} stands here and elsewhere")]
    Duplicate(String),
    /// A type that no file defines.
    #[error("{at}: no type is called \"{name}\"")]
    UnknownType {
        /// Message or type, and field.
        at: String,
        /// What is asked for there.
        name: String,
    },
    /// A layout that cannot be read within bounds: endless, or `bytes(rest)` before the end.
    #[error("{at}: {why}")]
    Unbounded {
        /// Message or type, and field.
        at: String,
        /// What would go on without end.
        why: &'static str,
    },
    /// A document in which not exactly one field is open.
    #[error("{0}: exactly one field of a document has no `only`")]
    Document(String),
    /// Frame limits are missing, or stand in two files, or are not counted by a u32.
    #[error("exactly one file says `frame`, with `length: u32`")]
    Frame,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    family: String,
    frame: Option<RawFrame>,
    #[serde(default, deserialize_with = "unique")]
    types: IndexMap<String, RawType>,
    #[serde(default, deserialize_with = "unique")]
    messages: IndexMap<String, RawMessage>,
    #[serde(default, deserialize_with = "unique")]
    documents: IndexMap<String, RawDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFrame {
    length: String,
    limits: RawLimits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    handshake: u32,
    session: u32,
}

/// Exactly one of record and union; serde's own enums would want a YAML tag here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawType {
    record: Option<Vec<RawField>>,
    #[serde(default, deserialize_with = "unique")]
    union: IndexMap<String, RawVariant>,
    #[serde(default, deserialize_with = "unique")]
    forbidden: IndexMap<String, u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVariant {
    tag: u8,
    #[serde(default)]
    fields: Vec<RawField>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMessage {
    tag: u8,
    phase: Phase,
    fields: Vec<RawField>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDocument {
    depth: usize,
    fields: Vec<RawField>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawField {
    name: String,
    #[serde(rename = "type")]
    ty: String,
    limit: Option<u64>,
    only: Option<u64>,
    meaning: String,
}

/// A map whose second mention of a key is an error; serde's own would keep the last.
fn unique<'de, D: Deserializer<'de>, V: Deserialize<'de>>(from: D) -> Result<IndexMap<String, V>, D::Error> {
    struct Unique<V>(std::marker::PhantomData<V>);
    impl<'de, V: Deserialize<'de>> Visitor<'de> for Unique<V> {
        type Value = IndexMap<String, V>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = IndexMap::new();
            while let Some(key) = access.next_key::<String>()? {
                if map.contains_key(&key) {
                    return Err(A::Error::custom(format!("duplicate key \"{key}\"")));
                }
                let value = access.next_value()?;
                map.insert(key, value);
            }
            Ok(map)
        }
    }
    from.deserialize_map(Unique(std::marker::PhantomData))
}

/// Loads all `*.yaml` of a folder, which together are one schema.
///
/// # Errors
/// The first thing that is wrong: see [`SchemaProblem`].
pub fn load(folder: &Path) -> Result<Schema, SchemaError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |problem: SchemaProblem| SchemaError { path, problem }
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| at(folder)(e.into()))? {
        let path = entry.map_err(|e| at(folder)(e.into()))?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut schema = Schema {
        families: Vec::new(),
        messages: IndexMap::new(),
        documents: IndexMap::new(),
        types: IndexMap::new(),
        handshake_limit: 0,
        session_limit: 0,
    };
    let mut frame = None;
    for path in &paths {
        let text = fs::read_to_string(path).map_err(|e| at(path)(e.into()))?;
        let raw: RawFile = serde_yaml::from_str(&text).map_err(|e| at(path)(e.into()))?;
        if path.file_stem().is_none_or(|stem| stem != raw.family.as_str()) {
            return Err(at(path)(SchemaProblem::Family(raw.family)));
        }
        if let Some(found) = &raw.frame
            && frame.replace((found.limits.handshake, found.limits.session, found.length == "u32")).is_some()
        {
            return Err(at(path)(SchemaProblem::Frame));
        }
        add(&mut schema, raw).map_err(at(path))?;
    }
    let Some((handshake_limit, session_limit, true)) = frame else {
        return Err(at(folder)(SchemaProblem::Frame));
    };
    (schema.handshake_limit, schema.session_limit) = (handshake_limit, session_limit);
    check_references(&schema).map_err(at(folder))?;
    Ok(schema)
}

/// Everything that one file can tell of itself and of what came before it.
fn add(schema: &mut Schema, raw: RawFile) -> Result<(), SchemaProblem> {
    for (name, raw) in raw.types {
        if !matches!(Type::parse(&name), Ok(Type::Named(_))) {
            return Err(SchemaProblem::Name(name));
        }
        let layout = match raw.record {
            Some(record) if raw.union.is_empty() && raw.forbidden.is_empty() => {
                Layout::Record(fields(&name, record, &[])?)
            }
            None if !raw.union.is_empty() => Layout::Union(union(&name, raw.union, raw.forbidden)?),
            _ => {
                return Err(SchemaProblem::Name(format!("{name}: a type is one of record and union")));
            }
        };
        if schema.types.insert(name.clone(), layout).is_some() {
            return Err(SchemaProblem::Duplicate(format!("type {name}")));
        }
    }
    for (name, message) in raw.messages {
        if !name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') {
            return Err(SchemaProblem::Name(name));
        }
        if schema.by_tag(message.phase, message.tag).is_some() {
            return Err(SchemaProblem::Duplicate(format!("tag {:#04x} of {}", message.tag, message.phase)));
        }
        // Segments of these names are the codec's own.
        let fields = fields(&name, message.fields, &["tag", "left_over"])?;
        let layout = MessageLayout {
            family: raw.family.clone(),
            name: name.clone(),
            tag: message.tag,
            phase: message.phase,
            fields,
        };
        if schema.messages.insert(name.clone(), layout).is_some() {
            return Err(SchemaProblem::Duplicate(format!("message {name}")));
        }
    }
    for (name, document) in raw.documents {
        if !is_name(&name) {
            return Err(SchemaProblem::Name(name));
        }
        let fields = fields(&name, document.fields, &["left_over"])?;
        let layout = DocumentLayout { family: raw.family.clone(), name: name.clone(), fields, depth: document.depth };
        if schema.documents.insert(name.clone(), layout).is_some() {
            return Err(SchemaProblem::Duplicate(format!("document {name}")));
        }
    }
    schema.families.push(raw.family);
    Ok(())
}

fn union(
    name: &str,
    raw: IndexMap<String, RawVariant>,
    forbidden: IndexMap<String, u8>,
) -> Result<UnionLayout, SchemaProblem> {
    let mut union = UnionLayout { variants: IndexMap::new(), forbidden };
    for (kind, variant) in raw {
        if !is_name(&kind) {
            return Err(SchemaProblem::Name(kind));
        }
        if union.by_tag(variant.tag).is_some() {
            return Err(SchemaProblem::Duplicate(format!("tag {} of {name}", variant.tag)));
        }
        let fields = fields(&format!("{name}.{kind}"), variant.fields, &["kind"])?;
        union.variants.insert(kind, Variant { tag: variant.tag, fields });
    }
    for (index, (kind, tag)) in union.forbidden.iter().enumerate() {
        if !is_name(kind) {
            return Err(SchemaProblem::Name(kind.clone()));
        }
        let twice = union.forbidden.values().take(index).any(|earlier| earlier == tag);
        if twice || union.by_tag(*tag).is_some() || union.variants.contains_key(kind) {
            return Err(SchemaProblem::Duplicate(format!("{kind}, or tag {tag}, of {name}")));
        }
    }
    Ok(union)
}

fn fields(owner: &str, raw: Vec<RawField>, kept: &[&str]) -> Result<Vec<Field>, SchemaProblem> {
    let mut fields: Vec<Field> = Vec::new();
    for raw in raw {
        let at = format!("{owner}.{}", raw.name);
        if !is_name(&raw.name) || kept.contains(&raw.name.as_str()) {
            return Err(SchemaProblem::Name(at));
        }
        if fields.iter().any(|field| field.name == raw.name) {
            return Err(SchemaProblem::Duplicate(at));
        }
        let ty = Type::parse(&raw.ty).map_err(|source| SchemaProblem::Type { at, source })?;
        fields.push(Field { name: raw.name, ty, limit: raw.limit, only: raw.only, meaning: raw.meaning });
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &str = "frame: {length: u32, limits: {handshake: 1, session: 2}}\n";

    fn load_one(text: &str) -> Result<Schema, SchemaError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), format!("family: a\n{FRAME}{text}")).unwrap();
        load(folder.path())
    }

    fn problem(text: &str) -> String {
        load_one(text).unwrap_err().problem.to_string()
    }

    #[test]
    fn own_schema_has_every_message() {
        let schema = crate::schema::own();
        assert_eq!(schema.by_tag(Phase::Session, 0x1B).unwrap().name, "GLOBAL_REGISTER");
        assert!(schema.by_tag(Phase::Session, 0x01).is_none(), "NAME is of the other phase");
        assert_eq!((schema.limit(Phase::Handshake), schema.limit(Phase::Session)), (4096, 16_777_216));
        assert!(schema.messages().count() >= 11);
    }

    #[test]
    fn keys_are_closed_and_unique() {
        assert!(problem("mesages: {}").contains("unknown field `mesages`"));
        assert!(
            problem("messages:\n  A: {tag: 1, phase: session, fields: []}\n  A: {tag: 2, phase: session, fields: []}")
                .contains("duplicate")
        );
        assert!(problem("messages: {A: {tag: 1, phase: later, fields: []}}").contains("later"));
        assert!(problem("messages: {A: {tag: 256, phase: session, fields: []}}").contains("256"));
        assert!(problem("family: a").contains("duplicate"));
    }

    #[test]
    fn layouts_that_cannot_be_read_are_refused() {
        let field = |ty: &str| {
            format!("messages: {{A: {{tag: 1, phase: session, fields: [{{name: f, type: \"{ty}\", meaning: m}}]}}}}\n")
        };
        assert!(problem(&field("u9")).contains("no type is called"));
        assert!(problem(&field("string(9)")).contains("is no type"));
        let types = "types: {t: {record: [{name: f, type: t, meaning: m}]}}";
        assert!(problem(&(field("t") + types)).contains("contains itself"));
        let types = "types: {t: {record: []}}";
        assert!(problem(&(field("list(u32) of t") + types)).contains("at least one byte"));
        let types = "types: {t: {union: {x: {tag: 0, fields: [{name: f, type: bytes(rest), meaning: m}]}}}}";
        assert!(problem(&(field("t") + types)).contains("last field"));
        let twice = "types: {t: {union: {x: {tag: 0}, y: {tag: 0}}}}";
        assert!(problem(&(field("t") + twice)).contains("tag 0 of t"));
        let twice = "types: {t: {union: {x: {tag: 0}}, forbidden: {z: 0}}}";
        assert!(problem(&(field("t") + twice)).contains("tag 0, of t"));
        let twice = "types: {t: {union: {x: {tag: 0}}, forbidden: {x: 1}}}";
        assert!(problem(&(field("t") + twice)).contains("x, or tag 1"));
    }

    #[test]
    fn limits_and_constants_fit_their_types() {
        let field = |more: &str| {
            format!("messages: {{A: {{tag: 1, phase: session, fields: [{{name: f, {more}, meaning: m}}]}}}}\n")
        };
        assert!(load_one(&field("type: string(u8), limit: 255")).is_ok());
        assert!(problem(&field("type: string(u8), limit: 256")).contains("within its width"));
        assert!(problem(&field("type: u8, limit: 3")).contains("a limit is one of"));
        assert!(load_one(&field("type: u8, only: 255")).is_ok());
        assert!(problem(&field("type: u8, only: 256")).contains("only one"));
        assert!(problem(&field("type: pid, only: 1")).contains("only one"));
    }

    #[test]
    fn documents_have_one_open_field() {
        let document = |fields: &str| format!("documents: {{d: {{depth: 1, fields: [{fields}]}}}}");
        let (constant, open) = ("{name: v, type: u8, only: 1, meaning: m}", "{name: n, type: u8, meaning: m}");
        let loaded = load_one(&document(&format!("{constant}, {open}"))).unwrap();
        assert_eq!(loaded.document("d").unwrap().open().unwrap().name, "n");
        assert!(problem(&document(constant)).contains("exactly one field"));
        assert!(problem(&document("{name: n, type: bytes(rest), meaning: m}")).contains("last field"));
    }

    #[test]
    fn tags_are_unique_in_their_phase_only() {
        let two = |phase: &str| {
            format!(
                "messages: {{A: {{tag: 1, phase: session, fields: []}}, B: {{tag: 1, phase: {phase}, fields: []}}}}"
            )
        };
        assert!(problem(&two("session")).contains("tag 0x01"));
        assert!(load_one(&two("handshake")).is_ok());
    }
}
