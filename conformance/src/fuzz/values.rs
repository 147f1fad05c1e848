//! Messages and values that nobody has written, out of the schema's layouts.

use indexmap::IndexMap;

use super::choices::Choices;
use crate::codec::{Message, Pid, Value};
use crate::schema::{Field, Layout, MessageLayout, Schema, Type};

/// From this level on, only what holds no values.
const DEEPEST: usize = 6;

/// Pieces of texts: every length of UTF-8 and both its edges, what normalises, folds, ends or escapes.
const PIECES: [&str; 22] = [
    "a",
    "b",
    "é",
    "e\u{301}",
    "\u{7F}",
    "\u{80}",
    "\u{7FF}",
    "\u{800}",
    "\u{D7FF}",
    "\u{E000}",
    "\u{FFFD}",
    "\u{FFFF}",
    "\u{10000}",
    "\u{10FFFF}",
    "\u{FEFF}",
    "\0",
    "\n",
    "\"\\",
    "ß",
    "İ",
    "@h:1",
    "n@127.0.0.1:4001",
];

/// A message of that layout.
pub(super) fn message(schema: &Schema, layout: &MessageLayout, choices: &mut Choices) -> Message {
    let fields = fields(schema, &layout.fields, choices, 0);
    Message { name: layout.name.clone(), fields, left_over: Vec::new() }
}

/// A value of the named type.
pub(super) fn named(schema: &Schema, name: &str, choices: &mut Choices, depth: usize) -> Value {
    match schema.layout(name) {
        Some(Layout::Record(layout)) => Value::Record(fields(schema, layout, choices, depth)),
        Some(Layout::Union(union)) => {
            let holds = |field: &Field| matches!(field.ty, Type::Named(_) | Type::List(..));
            let kinds: Vec<_> = union
                .variants
                .iter()
                .filter(|(_, variant)| depth < DEEPEST || !variant.fields.iter().any(holds))
                .collect();
            let (kind, variant) = choices.of(&kinds);
            let mut fields = fields(schema, &variant.fields, choices, depth + 1);
            agree(&mut fields, choices);
            Value::Union { kind: (*kind).clone(), fields }
        }
        // The loader has looked every name up.
        None => Value::Uint(0),
    }
}

fn fields(schema: &Schema, layout: &[Field], choices: &mut Choices, depth: usize) -> IndexMap<String, Value> {
    layout.iter().map(|field| (field.name.clone(), value(schema, &field.ty, choices, depth))).collect()
}

fn value(schema: &Schema, ty: &Type, choices: &mut Choices, depth: usize) -> Value {
    match ty {
        Type::Uint(width) => Value::Uint(choices.number(8 * width.bytes() as u32)),
        Type::Int => Value::Int(choices.number(64).cast_signed()),
        Type::Float => Value::Float(choices.number(64)),
        Type::Bytes(count) => Value::Bytes(choices.bytes(*count)),
        Type::Blob(_) | Type::Rest => {
            let count = choices.size();
            Value::Bytes(choices.bytes(count))
        }
        Type::Text(_) => Value::Text(text(choices)),
        Type::Pid => Value::Pid(Pid::from_bits(choices.number(64))),
        Type::List(width, item) => {
            let most = usize::try_from(width.max()).unwrap_or(usize::MAX);
            // Long ones only of what is small.
            let count = if depth < 2 { choices.size() } else { choices.below(4) }.min(most);
            let depth = if count > 8 { DEEPEST } else { depth };
            Value::List((0..count).map(|_| named(schema, item, choices, depth + 1)).collect())
        }
        Type::Named(name) => named(schema, name, choices, depth + 1),
    }
}

/// Text of pieces.
pub(super) fn text(choices: &mut Choices) -> String {
    if choices.one_in(60) {
        return "x".repeat(*choices.of(&[255, 256, 4060, 4096]));
    }
    (0..choices.below(4)).map(|_| *choices.of(&PIECES)).collect()
}

/// What the chapter leaves open of maps says nothing about a codec: mostly keys are of their map's type, and differ.
fn agree(fields: &mut IndexMap<String, Value>, choices: &mut Choices) {
    if choices.one_in(16) {
        return;
    }
    let (Some(Value::Uint(key_type)), Some(Value::List(entries))) =
        (fields.get("key_type").cloned(), fields.get("entries"))
    else {
        return;
    };
    let key_type = key_type % 2;
    let mut entries = entries.clone();
    for (index, entry) in entries.iter_mut().enumerate() {
        let (kind, field, value) = match key_type {
            0 => ("int", "value", Value::Int((choices.number(64) << 8 | (index as u64 & 0xFF)).cast_signed())),
            _ => ("string", "text", Value::Text(format!("{}{index}", text(choices)))),
        };
        if let Value::Record(entry) = entry {
            let fields = IndexMap::from([(field.to_owned(), value)]);
            entry.insert("key".to_owned(), Value::Union { kind: kind.to_owned(), fields });
        }
    }
    fields.insert("key_type".to_owned(), Value::Uint(key_type));
    fields.insert("entries".to_owned(), Value::List(entries));
}
