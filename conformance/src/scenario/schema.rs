//! The JSON Schema of scenario files, for editors.

use serde_json::{Value, json};

use super::Scenario;

/// The schema, generated from the types that read the files.
///
/// A step is described as a map with one verb and perhaps `cite`, which the types alone cannot say.
#[must_use]
pub fn scenario_schema() -> Value {
    let mut schema = schemars::schema_for!(Scenario).to_value();
    let verbs = schema.pointer_mut("/$defs/Step/oneOf").and_then(Value::as_array_mut);
    for verb in verbs.into_iter().flatten() {
        if let Some(properties) = verb.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("cite".to_owned(), json!({"type": "string"}));
        }
    }
    plain(&mut schema);
    schema
}

/// Links between items mean nothing to an editor: a description that opens with one loses it, or goes.
fn plain(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            if let Some(Value::String(text)) = entries.get_mut("description")
                && text.starts_with("See [")
            {
                *text = text.split_once(". ").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
                if text.is_empty() {
                    entries.shift_remove("description");
                }
            }
            entries.values_mut().for_each(plain);
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}
