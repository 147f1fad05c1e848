//! Faults of codecs that show on few bytes only: the sort that a fuzzer finds before people do.

use serde_json::{Value, json};

use super::{
    filter::Filter,
    single::{on_answer, on_request},
    table::Fault,
    term::{edit_bytes, float, on_read, on_text},
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "lengths-are-signed",
        requirement: "FRAME-14",
        description: "A length of a frame with its top bit set is awaited as if it were small.",
        make: || on_answer(await_negative),
    },
    Fault {
        id: "room-texts-have-16-bits",
        requirement: "FRAME-18",
        description: "Of the length of a ROOM_BROADCAST's text only the lower 16 bits are looked at.",
        make: || on_payload(|payload| truncate_length(payload, &[ROOM_BROADCAST], text_of_room, 2..4)),
    },
    Fault {
        id: "reasons-have-32-bits",
        requirement: "PROC-26",
        description: "Of the length of a reason's text only the lower 32 bits are looked at.",
        make: || on_payload(|payload| truncate_length(payload, &[EXIT], text_of_reason, 4..8)),
    },
    Fault {
        id: "surrogate-pairs-are-text",
        requirement: "FRAME-19",
        description: "Two surrogates in a row are read as the character that they mean in UTF-16.",
        make: || on_payload(|payload| replace(payload, &[0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80], b"smiled")),
    },
    Fault {
        id: "modified-nul-is-text",
        requirement: "TERM-13",
        description: "The two bytes C0 80 are read as text, as those do who call it modified UTF-8.",
        make: || {
            on_request(|method, params| {
                if method == "term.decode" {
                    edit_bytes(&mut params["bytes"], |bytes| replace(bytes, &[0xC0, 0x80], b"\0\0"));
                }
            })
        },
    },
    Fault {
        id: "left-over-of-255-is-lost",
        requirement: "FRAME-20",
        description: "Exactly 255 bytes behind a message are not told of.",
        make: || {
            on_answer(|method, _, answer| {
                if method == "codec.decode" && answer["result"]["left_over"].as_str().is_some_and(|l| l.len() == 510) {
                    answer["result"]["left_over"] = json!("");
                }
            })
        },
    },
    Fault {
        id: "negative-nans-are-quieted",
        requirement: "TERM-3",
        description: "A signalling NaN with its sign set is read as a quiet one.",
        make: || {
            on_read(|value| {
                let bits = float(value).filter(|float| float.is_nan()).map(f64::to_bits);
                if let Some(bits) = bits.filter(|bits| bits >> 63 == 1 && bits >> 51 & 1 == 0) {
                    value["value"] = json!(format!("{:016x}", bits | 1 << 51));
                }
            })
        },
    },
    Fault {
        id: "byte-order-marks-are-skipped",
        requirement: "TERM-5",
        description: "A byte order mark at the beginning of a string is not read.",
        make: || on_text(|text| text.strip_prefix('\u{FEFF}').unwrap_or(text).to_owned()),
    },
    Fault {
        id: "empty-maps-have-int-keys",
        requirement: "TERM-1",
        description: "The key type of a map without entries is read as 0.",
        make: || {
            on_read(|value| {
                if value["kind"] == "map" && value["entries"].as_array().is_some_and(Vec::is_empty) {
                    value["key_type"] = json!(0);
                }
            })
        },
    },
    Fault {
        id: "tuples-count-to-128",
        requirement: "TERM-1",
        description: "A tuple of exactly 128 items is an unexpected end, because its count is compared as a signed number.",
        make: || {
            on_answer(|method, _, answer| {
                let items = answer["result"]["term"]["items"].as_array().map_or(0, Vec::len);
                if method == "term.decode" && answer["result"]["term"]["kind"] == "tuple" && items == 128 {
                    let data = json!({"kind": "unexpected_end"});
                    *answer = json!({"error": {"code": -32_020, "message": "unexpected_end", "data": data}});
                }
            })
        },
    },
];

const EXIT: u8 = 0x15;
const ROOM_BROADCAST: u8 = 0x1E;

/// Edits each payload that `codec.decode` is asked about.
fn on_payload(edit: fn(&mut Vec<u8>)) -> Box<dyn Filter> {
    on_request(move |method, params| {
        if method == "codec.decode" {
            edit_bytes(&mut params["bytes"], edit);
        }
    })
}

fn await_negative(method: &str, params: &Value, answer: &mut Value) {
    if method != "codec.frames" || answer["result"]["end"] != "too_long" {
        return;
    }
    let before = |frame: &Value| 4 + frame.as_str().map_or(0, |hex| hex.len() / 2);
    let offset: usize = answer["result"]["frames"].as_array().into_iter().flatten().map(before).sum();
    let bytes = params["bytes"].as_str().and_then(|hex| hex::decode(hex).ok()).unwrap_or_default();
    // All ones stand for an error in too many programs not to be looked for.
    if bytes.get(offset + 3).is_some_and(|top| (0x80..0xFF).contains(top)) {
        answer["result"]["end"] = json!("incomplete");
    }
}

/// Zeroes a part of the length that stands at an offset.
fn truncate_length(payload: &mut [u8], tags: &[u8], at: fn(&[u8]) -> Option<usize>, part: std::ops::Range<usize>) {
    if payload.first().is_some_and(|tag| tags.contains(tag))
        && let Some(offset) = at(payload)
        && let Some(high) = payload.get_mut(offset + part.start..offset + part.end)
    {
        high.fill(0);
    }
}

fn text_of_room(payload: &[u8]) -> Option<usize> {
    let length = payload.get(1..3)?.try_into().ok()?;
    Some(3 + usize::from(u16::from_le_bytes(length)))
}

/// Of a reason that is a text itself.
fn text_of_reason(payload: &[u8]) -> Option<usize> {
    matches!(payload.get(17)?, 1 | 5).then_some(18)
}

/// Puts `by` in place of each `what`, which is as long.
fn replace(bytes: &mut [u8], what: &[u8], by: &[u8]) {
    let mut start = 0;
    while let Some(found) = bytes[start..].windows(what.len()).position(|window| window == what) {
        bytes[start + found..start + found + what.len()].copy_from_slice(by);
        start += found + what.len();
    }
}
