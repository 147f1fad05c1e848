//! Values on control lines, where they differ from values in files: 64-bit integers are decimal strings there, because many readers of
//! JSON round numbers beyond 2^53.
//!
//! What a node says is heard leniently, and what does not fit stays as it is: the comparison with what it should be will show it.

use serde_json::{Map, Value as Json};

use super::fields::DEPTH_LIMIT;
use crate::schema::{Field, Layout, Schema, Type, Width};

/// The fields of a message as `codec.encode` carries them.
pub fn spoken(schema: &Schema, message: &str, fields: &mut Json) {
    in_message(schema, message, fields, speak);
}

/// The fields of a message as they stand in files, from an answer of `codec.decode`.
pub fn heard(schema: &Schema, message: &str, fields: &mut Json) {
    in_message(schema, message, fields, hear);
}

/// The value of a document as `term.encode` carries it.
pub fn spoken_document(schema: &Schema, document: &str, value: &mut Json) {
    in_document(schema, document, value, speak);
}

/// The value of a document as it stands in files, from an answer of `term.decode`.
pub fn heard_document(schema: &Schema, document: &str, value: &mut Json) {
    in_document(schema, document, value, hear);
}

type Change = fn(&Type, &mut Json);

fn in_message(schema: &Schema, message: &str, fields: &mut Json, change: Change) {
    if let (Some(layout), Some(map)) = (schema.message(message), fields.as_object_mut()) {
        in_fields(schema, &layout.fields, map, change, 0);
    }
}

fn in_document(schema: &Schema, document: &str, value: &mut Json, change: Change) {
    if let Some(open) = schema.document(document).and_then(|layout| layout.open()) {
        in_value(schema, &open.ty, value, change, 0);
    }
}

fn in_fields(schema: &Schema, layout: &[Field], map: &mut Map<String, Json>, change: Change, depth: usize) {
    for field in layout {
        if let Some(json) = map.get_mut(&field.name) {
            in_value(schema, &field.ty, json, change, depth);
        }
    }
}

fn in_value(schema: &Schema, ty: &Type, json: &mut Json, change: Change, depth: usize) {
    match ty {
        Type::List(_, item) => {
            json.as_array_mut().into_iter().flatten().for_each(|json| in_named(schema, item, json, change, depth + 1));
        }
        Type::Named(name) => in_named(schema, name, json, change, depth + 1),
        leaf => change(leaf, json),
    }
}

fn in_named(schema: &Schema, name: &str, json: &mut Json, change: Change, depth: usize) {
    // Deeper than anything that is asked for: whatever a node says there is wrong as it is.
    let Some(map) = json.as_object_mut().filter(|_| depth <= DEPTH_LIMIT) else { return };
    let fields = match schema.layout(name) {
        Some(Layout::Record(fields)) => fields,
        Some(Layout::Union(union)) => {
            let Some(variant) = map.get("kind").and_then(Json::as_str).and_then(|kind| union.variants.get(kind)) else {
                return;
            };
            &variant.fields
        }
        None => return,
    };
    in_fields(schema, fields, map, change, depth);
}

fn speak(ty: &Type, json: &mut Json) {
    if matches!(ty, Type::Int | Type::Uint(Width::U64)) && json.is_number() {
        *json = Json::String(json.to_string());
    }
}

fn hear(ty: &Type, json: &mut Json) {
    let Some(text) = json.as_str() else { return };
    let number = match ty {
        Type::Int => text.parse::<i64>().ok().map(Json::from),
        Type::Uint(Width::U64) => text.parse::<u64>().ok().map(Json::from),
        // The digits' case is not said.
        Type::Float => Some(Json::from(text.to_ascii_lowercase())),
        _ => None,
    };
    if let Some(number) = number {
        *json = number;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::own;

    #[test]
    fn only_64_bits_are_strings() {
        let pid = json!({"node_id": 0, "creation": 0, "local": 42});
        let file = json!({"request": u64::MAX, "requester": pid, "link": 1, "function": "00", "args": ""});
        let mut line = file.clone();
        spoken(&own(), "SPAWN", &mut line);
        assert_eq!(line["request"], json!("18446744073709551615"));
        assert_eq!((&line["link"], &line["requester"]), (&json!(1), &file["requester"]));
        heard(&own(), "SPAWN", &mut line);
        assert_eq!(line, file);
    }

    #[test]
    fn terms_are_changed_at_any_depth() {
        let file = json!({"kind": "map", "key_type": 0, "entries": [
            {"key": {"kind": "int", "value": i64::MIN}, "value": {"kind": "some", "value": {"kind": "int", "value": 1}}},
        ]});
        let mut line = file.clone();
        spoken_document(&own(), "term", &mut line);
        assert_eq!(line["entries"][0]["key"]["value"], json!("-9223372036854775808"));
        assert_eq!(line["entries"][0]["value"]["value"]["value"], json!("1"));
        assert_eq!(line["key_type"], json!(0));
        heard_document(&own(), "term", &mut line);
        assert_eq!(line, file);
        let mut float = json!({"kind": "float", "value": "7FF0000000000001"});
        heard_document(&own(), "term", &mut float);
        assert_eq!(float["value"], json!("7ff0000000000001"));
    }

    #[test]
    fn what_does_not_fit_stays() {
        for odd in [
            json!({"kind": "int", "value": "1e3"}),
            json!({"kind": 1}),
            json!([]),
            json!({"kind": "string", "text": "7"}),
        ] {
            let mut heard = odd.clone();
            heard_document(&own(), "term", &mut heard);
            assert_eq!(heard, odd);
        }
    }
}
