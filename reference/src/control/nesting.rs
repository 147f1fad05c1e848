//! Reading a line of JSON of any depth without recursion: what is nested too deep is cut off, the rest is there.

use serde_json::{Map, Value};

use crate::wire::term;

/// Most levels that are kept: a term of as many levels as are accepted has up to three here for each of its own.
const MAX_LEVELS: usize = 3 * term::MAX_LEVELS + 100;

/// Most levels of a line without a term in it.
pub(crate) const USUAL_LEVELS: usize = 127;

/// A line, read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Json {
    /// With null for what is nested deeper than [`MAX_LEVELS`].
    pub(crate) value: Value,
    /// How many arrays and objects are around the innermost value that is none.
    pub(crate) levels: usize,
}

/// Where a text stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no JSON from byte {0} on")]
pub(crate) struct NoJson(usize);

/// A container that has been opened and not closed yet.
enum Open {
    Array(Vec<Value>),
    /// With the name of the member whose value comes next.
    Object(Box<(Map<String, Value>, String)>),
}

/// Reads one value and the white space around it. Members that stand twice count as the last says.
pub(crate) fn read(text: &[u8]) -> Result<Json, NoJson> {
    let mut cursor = Cursor { text, at: 0 };
    let mut open: Vec<Open> = Vec::new();
    let mut levels = 0;
    loop {
        let mut value = match cursor.peek() {
            Some(b'[') => {
                cursor.at += 1;
                if !cursor.take(b']') {
                    open.push(Open::Array(Vec::new()));
                    levels = levels.max(open.len());
                    continue;
                }
                Value::Array(Vec::new())
            }
            Some(b'{') => {
                cursor.at += 1;
                if !cursor.take(b'}') {
                    open.push(Open::Object(Box::new((Map::new(), cursor.member()?))));
                    levels = levels.max(open.len());
                    continue;
                }
                Value::Object(Map::new())
            }
            _ => cursor.scalar()?,
        };
        // A value is there: it belongs to what is open, which may be complete by that.
        loop {
            let depth = open.len();
            match open.pop() {
                None => return cursor.end(Json { value, levels }),
                Some(Open::Array(mut items)) => {
                    items.push(value);
                    if cursor.take(b',') {
                        open.push(Open::Array(items));
                        break;
                    }
                    cursor.expect(b']')?;
                    value = Value::Array(items);
                }
                Some(Open::Object(mut object)) => {
                    let (members, name) = &mut *object;
                    members.insert(std::mem::take(name), value);
                    if cursor.take(b',') {
                        *name = cursor.member()?;
                        open.push(Open::Object(object));
                        break;
                    }
                    cursor.expect(b'}')?;
                    value = Value::Object(object.0);
                }
            }
            if depth > MAX_LEVELS {
                value = Value::Null;
            }
        }
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), NoJson> {
        if self.take(byte) { Ok(()) } else { Err(NoJson(self.at)) }
    }

    /// A member's name and the colon behind it.
    fn member(&mut self) -> Result<String, NoJson> {
        let (Some(b'"'), from) = (self.peek(), self.at) else { return Err(NoJson(self.at)) };
        self.skip_string();
        let name = serde_json::from_slice(&self.text[from..self.at]).map_err(|_| NoJson(from))?;
        self.expect(b':')?;
        Ok(name)
    }

    /// A string, a number, true, false or null: what it may look like is for serde_json to say.
    fn scalar(&mut self) -> Result<Value, NoJson> {
        let quoted = self.peek() == Some(b'"');
        let from = self.at;
        if quoted {
            self.skip_string();
        } else {
            while self.text.get(self.at).is_some_and(|byte| !b",:[]{}\" \t\r\n".contains(byte)) {
                self.at += 1;
            }
        }
        serde_json::from_slice(&self.text[from..self.at]).map_err(|_| NoJson(from))
    }

    /// From one quotation mark behind the other, or to the end.
    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.text.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => return,
                b'\\' => self.at = self.text.len().min(self.at + 1),
                _ => {}
            }
        }
    }

    fn end(&mut self, json: Json) -> Result<Json, NoJson> {
        if self.peek().is_none() { Ok(json) } else { Err(NoJson(self.at)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small linear congruential generator: the same texts in every run.
    #[test]
    fn reads_what_serde_json_reads_and_nothing_else() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let pieces = [
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "\"a\":",
            "\"a\"",
            "\"\\\"\\u00e9\\n\"",
            "\"",
            "\\",
            "1",
            "-2.5e3",
            "true",
            "null",
            " ",
            "\t",
            "x",
            "\u{1}",
            "é",
            "18446744073709551615",
            "\"\\ud800\"",
            "[[1],{\"b\":[]}]",
            "{\"a\":1,\"a\":2}",
        ];
        let mut read_ones = 0;
        for _ in 0..200_000 {
            // Half of the texts are made to close what they open.
            let (mut text, mut closers, whole) = (String::new(), Vec::new(), next(2) == 0);
            for _ in 0..=next(7) {
                match next(if whole { 5 } else { 9 }) {
                    0 => {
                        text.push('[');
                        closers.push("]");
                    }
                    1 => {
                        text.push_str("{\"k\":");
                        closers.push("}");
                    }
                    _ => text.push_str(pieces[next(pieces.len())]),
                }
            }
            text.extend(closers.into_iter().rev());
            let expected = serde_json::from_str::<Value>(&text).ok();
            read_ones += usize::from(expected.is_some());
            assert_eq!(read(text.as_bytes()).ok().map(|json| json.value), expected, "{text}");
        }
        assert!(read_ones > 10_000, "only {read_ones} of the texts were JSON");
        for bytes in [&b"\"\xff\""[..], b"\xff", b"", b" ", b"{\"\xff\":1}", b"\xef\xbb\xbf1"] {
            assert_eq!(read(bytes).ok().map(|json| json.value), serde_json::from_slice(bytes).ok(), "{bytes:?}");
        }
    }

    fn nested(levels: usize) -> String {
        format!("{{\"a\":{}1{},\"b\":2}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
    }

    #[test]
    fn levels_are_counted_and_cut_where_they_are_too_many() {
        for levels in [1, 2, 3, 1_000, MAX_LEVELS, MAX_LEVELS + 1, 200_000] {
            let json = read(nested(levels).as_bytes()).unwrap();
            assert_eq!((json.levels, &json.value["b"]), (levels, &Value::from(2)));
            let (mut innermost, mut kept) = (&json.value["a"], 1);
            while let Some(item) = innermost.get(0) {
                (innermost, kept) = (item, kept + 1);
            }
            let cut = levels > MAX_LEVELS;
            assert_eq!(kept, if cut { MAX_LEVELS } else { levels });
            assert_eq!(*innermost, if cut { Value::Null } else { Value::from(1) });
        }
    }

    #[test]
    fn what_is_cut_off_has_to_be_json_too() {
        let deep = "[".repeat(10_000);
        assert!(read(deep.as_bytes()).is_err());
        assert!(read(format!("{deep}x{}", "]".repeat(10_000)).as_bytes()).is_err());
        assert!(read(format!("{deep}1{}}}", "]".repeat(9_999)).as_bytes()).is_err());
    }
}
