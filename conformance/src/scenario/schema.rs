//! The JSON Schema of scenario files, for editors.

use serde_json::{Value, json};

use super::Scenario;

/// The schema, generated from the types that read the files.
///
/// A step is described as a map with one verb and perhaps `cite`, which the types alone cannot say.
#[must_use]
pub fn scenario_schema() -> Value {
    let mut schema = schemars::schema_for!(Scenario).to_value();
    if let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        if let Some(alternatives) = definitions
            .get_mut("Step")
            .and_then(|step| step.get_mut("oneOf"))
            .and_then(Value::as_array_mut)
        {
            for alternative in alternatives {
                if let Some(properties) = alternative
                    .get_mut("properties")
                    .and_then(Value::as_object_mut)
                {
                    properties.insert("cite".to_owned(), json!({"type": "string"}));
                }
            }
        }
    }
    schema
}
