//! Faults of terms: what `term.decode` and `term.encode` are asked and answer, changed on the way.

use std::{mem, process};

use serde_json::{Value, json};

use super::{
    filter::Filter,
    single::{on_answer, on_request},
    table::Fault,
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "err-is-read-as-ok",
        requirement: "TERM-1",
        description: "An err is read as an ok.",
        make: || {
            on_read(|value| {
                if value["kind"] == "err" {
                    value["kind"] = json!("ok");
                }
            })
        },
    },
    Fault {
        id: "terms-without-version",
        requirement: "TERM-1",
        description: "Terms are written without their version byte.",
        make: || on_written(|bytes| bytes.remove(0)),
    },
    Fault {
        id: "variants-count-from-1",
        requirement: "TERM-1",
        description: "A sum's variant is read as one more than is written.",
        make: || {
            on_read(|value| {
                if let Some(variant) = value["variant"].as_u64() {
                    value["variant"] = json!((variant + 1) % 256);
                }
            })
        },
    },
    Fault {
        id: "maps-are-sorted",
        requirement: "TERM-2",
        description: "The entries of a map are read in the order of their keys.",
        make: || {
            on_read(|value| items(value, "entries", |entries| entries.sort_by_key(|entry| entry["key"].to_string())))
        },
    },
    Fault {
        id: "sets-lose-repeated-values",
        requirement: "TERM-2",
        description: "A value that stands in a set twice is read once.",
        make: || {
            on_read(|value| {
                if value["kind"] == "set" {
                    items(value, "items", |items| {
                        let mut seen = Vec::new();
                        items.retain(|item| {
                            let is_new = !seen.contains(item);
                            seen.push(item.clone());
                            is_new
                        });
                    });
                }
            })
        },
    },
    Fault {
        id: "nans-are-all-one",
        requirement: "TERM-3",
        description: "Every NaN is read as the quiet one without payload.",
        make: || {
            on_read(|value| {
                if float(value).is_some_and(f64::is_nan) {
                    value["value"] = json!("7ff8000000000000");
                }
            })
        },
    },
    Fault {
        id: "negative-zero-is-zero",
        requirement: "TERM-3",
        description: "Negative zero is read as zero.",
        make: || {
            on_read(|value| {
                if float(value) == Some(0.0) {
                    value["value"] = json!("0000000000000000");
                }
            })
        },
    },
    Fault {
        id: "subnormals-are-zero",
        requirement: "TERM-3",
        description: "Subnormal floats are read as zero.",
        make: || {
            on_read(|value| {
                if float(value).is_some_and(f64::is_subnormal) {
                    value["value"] = json!("0000000000000000");
                }
            })
        },
    },
    Fault {
        id: "ints-have-53-bits",
        requirement: "TERM-4",
        description: "Ints pass through a float when they are read.",
        make: || {
            on_read(|value| {
                if value["kind"] == "int"
                    && let Some(number) = value["value"].as_str().and_then(|text| text.parse::<f64>().ok())
                {
                    value["value"] = json!(format!("{number:.0}"));
                }
            })
        },
    },
    Fault {
        id: "strings-end-at-nul",
        requirement: "TERM-5",
        description: "A string is read up to its first NUL.",
        make: || on_text(|text| text.split('\0').next().unwrap_or_default().to_owned()),
    },
    Fault {
        id: "strings-are-composed",
        requirement: "TERM-5",
        description: "A letter e with a combining acute accent is read as one character.",
        make: || on_text(|text| text.replace("e\u{301}", "\u{e9}")),
    },
    Fault {
        id: "missing-bytes-are-zero",
        requirement: "TERM-6",
        description: "Bytes that are missing at the end of a term are read as zeros.",
        make: || {
            on_request(|method, params| {
                if method == "term.decode" {
                    edit_bytes(&mut params["bytes"], |bytes| bytes.extend([0; 64]));
                }
            })
        },
    },
    Fault {
        id: "no-bytes-are-another-version",
        requirement: "TERM-6",
        description: "No bytes at all are an unsupported version.",
        make: || {
            on_answer(|_, params, answer| {
                if params["bytes"] == "" {
                    rename(answer, "unexpected_end", "unsupported_version");
                }
            })
        },
    },
    Fault {
        id: "unknown-tags-are-unexpected-ends",
        requirement: "TERM-7",
        description: "A tag that is not in the table is reported as an unexpected end.",
        make: || on_answer(|_, _, answer| rename(answer, "invalid_tag", "unexpected_end")),
    },
    Fault {
        id: "any-version-is-read",
        requirement: "TERM-8",
        description: "The version byte is not looked at.",
        make: || {
            on_request(|method, params| {
                if method == "term.decode" {
                    edit_bytes(&mut params["bytes"], |bytes| bytes.iter_mut().take(1).for_each(|version| *version = 1));
                }
            })
        },
    },
    Fault {
        id: "other-versions-are-invalid-tags",
        requirement: "TERM-8",
        description: "A version other than 1 is reported as an invalid tag.",
        make: || on_answer(|_, _, answer| rename(answer, "unsupported_version", "invalid_tag")),
    },
    Fault {
        id: "closures-are-invalid-tags",
        requirement: "TERM-9",
        description: "A closure is reported as an invalid tag when it is read.",
        make: || {
            on_answer(|method, _, answer| {
                if method == "term.decode" {
                    rename(answer, "closure", "invalid_tag");
                }
            })
        },
    },
    Fault {
        id: "closures-are-written-as-unit",
        requirement: "TERM-10",
        description: "A closure is written as a unit.",
        make: || {
            on_request(|method, params| {
                if method == "term.encode" {
                    walk(&mut params["term"], &mut |value| {
                        if value["kind"] == "closure" {
                            value["kind"] = json!("unit");
                        }
                    });
                }
            })
        },
    },
    Fault {
        id: "strings-end-at-8-mib",
        requirement: "TERM-11",
        description: "Strings of more than 8 MiB are too large.",
        make: || on_announced(|tag, count| tag == STRING && count > 8 << 20),
    },
    Fault {
        id: "strings-have-no-limit",
        requirement: "TERM-11",
        description: "A string of any length is read, as far as its bytes are there.",
        make: || unlimited(|tag| tag == STRING),
    },
    Fault {
        id: "a-million-elements-are-too-many",
        requirement: "TERM-12",
        description: "A collection of 1,000,000 elements is too large.",
        make: || on_announced(|tag, count| COLLECTIONS.contains(&tag) && count == 1_000_000),
    },
    Fault {
        id: "collections-have-no-limit",
        requirement: "TERM-12",
        description: "A collection of any size is read, as far as its elements are there.",
        make: || unlimited(|tag| COLLECTIONS.contains(&tag)),
    },
    Fault {
        id: "bad-text-is-an-invalid-tag",
        requirement: "TERM-13",
        description: "Text that is not UTF-8 is reported as an invalid tag.",
        make: || on_answer(|_, _, answer| rename(answer, "invalid_utf8", "invalid_tag")),
    },
    Fault {
        id: "names-may-be-any-bytes",
        requirement: "TERM-13",
        description: "Bytes of a name that are no ASCII are read as question marks.",
        make: || {
            on_request(|method, params| {
                if method == "term.decode" {
                    edit_bytes(&mut params["bytes"], |bytes| {
                        if bytes.get(1).is_some_and(|tag| [STRUCT, SUM].contains(tag)) {
                            bytes.iter_mut().skip(2).filter(|byte| **byte >= 0xc0).for_each(|byte| *byte = b'?');
                        }
                    });
                }
            })
        },
    },
    Fault {
        id: "levels-end-at-64",
        requirement: "TERM-14",
        description: "Terms of more than 64 levels are too deep.",
        make: || {
            on_answer(|method, _, answer| {
                if method == "term.decode" && levels(&mut answer["result"]["term"]) > 64 {
                    *answer = error("too_deep");
                }
            })
        },
    },
    Fault {
        id: "depth-is-an-unexpected-end",
        requirement: "TERM-15",
        description: "A term that is too deep is reported as an unexpected end.",
        make: || on_answer(|_, _, answer| rename(answer, "too_deep", "unexpected_end")),
    },
    Fault {
        id: "depth-ends-the-process",
        requirement: "TERM-15",
        description: "A term that is too deep ends the process.",
        make: || {
            on_answer(|_, _, answer| {
                if answer["error"]["data"]["kind"] == "too_deep" {
                    process::abort();
                }
            })
        },
    },
    Fault {
        id: "counts-of-terms-are-allocated",
        requirement: "TERM-16",
        description: "A collection gets room for its announced count at once.",
        make: || Box::new(Allocated::default()),
    },
];

const STRING: u8 = 5;
const STRUCT: u8 = 20;
const SUM: u8 = 21;
/// Lists and sets, whose count follows the tag, and maps, whose key type stands between.
const COLLECTIONS: [u8; 3] = [10, 11, 12];

/// Edits each value that `term.decode` answers, from the outside in.
pub(super) fn on_read(mut edit: impl FnMut(&mut Value) + 'static) -> Box<dyn Filter> {
    on_answer(move |method, _, answer| {
        if method == "term.decode"
            && let Some(term) = answer.get_mut("result").and_then(|result| result.get_mut("term"))
        {
            walk(term, &mut edit);
        }
    })
}

/// Edits the text of each string that `term.decode` answers.
pub(super) fn on_text(edit: fn(&str) -> String) -> Box<dyn Filter> {
    on_read(move |value| {
        if let Some(text) = value["text"].as_str() {
            value["text"] = json!(edit(text));
        }
    })
}

/// Edits the bytes that `term.encode` answers.
fn on_written(edit: fn(&mut Vec<u8>) -> u8) -> Box<dyn Filter> {
    on_answer(move |method, _, answer| {
        if method == "term.encode"
            && let Some(bytes) = answer.get_mut("result").and_then(|result| result.get_mut("bytes"))
        {
            edit_bytes(bytes, |bytes| {
                edit(bytes);
            });
        }
    })
}

/// Refuses terms whose outermost value announces what `is_too_large` says.
fn on_announced(is_too_large: fn(u8, u32) -> bool) -> Box<dyn Filter> {
    on_answer(move |method, params, answer| {
        if method == "term.decode" && announced(params).is_some_and(|(tag, count)| is_too_large(tag, count)) {
            *answer = error("too_large");
        }
    })
}

/// Reports what is too large as what it would be without the limit: bytes that end too early.
fn unlimited(concerns: fn(u8) -> bool) -> Box<dyn Filter> {
    on_answer(move |method, params, answer| {
        if method == "term.decode" && announced(params).is_some_and(|(tag, _)| concerns(tag)) {
            rename(answer, "too_large", "unexpected_end");
        }
    })
}

/// Tag and count of the outermost value.
fn announced(params: &Value) -> Option<(u8, u32)> {
    // The key type of a map stands before its count.
    let text = params["bytes"].as_str()?;
    let head = hex::decode(text.get(..text.len().min(14))?).ok()?;
    let tag = *head.get(1)?;
    let count = head.get(if tag == 11 { 3..7 } else { 2..6 })?;
    Some((tag, u32::from_le_bytes(count.try_into().ok()?)))
}

/// Calls `edit` on a value and on all that it holds.
fn walk(value: &mut Value, edit: &mut impl FnMut(&mut Value)) {
    if value["kind"].is_string() {
        edit(value);
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, edit)),
        Value::Object(members) => {
            members.values_mut().filter(|member| !member.is_string()).for_each(|member| walk(member, edit))
        }
        _ => {}
    }
}

/// How deep a value is nested.
fn levels(value: &mut Value) -> usize {
    let inner = match value {
        Value::Array(items) => items.iter_mut().map(levels).max(),
        Value::Object(members) => members.values_mut().map(levels).max(),
        _ => None,
    };
    inner.unwrap_or(0) + usize::from(value.get("kind").is_some())
}

fn items(value: &mut Value, member: &str, edit: impl FnOnce(&mut Vec<Value>)) {
    if let Some(items) = value.get_mut(member).and_then(Value::as_array_mut) {
        edit(items);
    }
}

pub(super) fn float(value: &Value) -> Option<f64> {
    let bits = value["value"].as_str().filter(|_| value["kind"] == "float")?;
    u64::from_str_radix(bits, 16).ok().map(f64::from_bits)
}

pub(super) fn edit_bytes(hex_text: &mut Value, edit: impl FnOnce(&mut Vec<u8>)) {
    if let Some(mut bytes) = hex_text.as_str().and_then(|text| hex::decode(text).ok()) {
        edit(&mut bytes);
        *hex_text = json!(hex::encode(bytes));
    }
}

fn rename(answer: &mut Value, from: &str, to: &str) {
    if answer["error"]["data"]["kind"] == from {
        answer["error"]["data"]["kind"] = json!(to);
    }
}

fn error(kind: &str) -> Value {
    json!({"error": {"code": -32_020, "message": kind, "data": {"kind": kind}}})
}

/// Keeps what a reader that believes counts would have allocated last.
#[derive(Default)]
struct Allocated(Vec<Vec<u64>>);

impl Filter for Allocated {
    fn request(&mut self, method: &str, params: &mut Value) {
        if method != "term.decode" {
            return;
        }
        edit_bytes(&mut params["bytes"], |bytes| {
            let counts =
                bytes.windows(5).filter(|window| window[0] == 10).filter_map(|window| window[1..].try_into().ok());
            let counts = counts.map(u32::from_le_bytes).filter(|count| *count <= 1_000_000);
            // Written to, so that the memory is there.
            let tables = counts.map(|count| (0..u64::from(count)).collect()).collect();
            drop(mem::replace(&mut self.0, tables));
        });
    }
}
