//! Any bytes, segment by segment, as a table for people: what they are, or where and why that cannot be told.

use std::fmt;

use super::document::{DecodedDocument, TERM, decode_document};
use super::error::DecodeErrorKind;
use super::frame::LENGTH_BYTES;
use super::message::Segment;
use super::payload::{announces, decode};
use super::summary::summary;
use crate::schema::{Phase, Schema};

/// How many bytes stand in one line of the table, and in how many lines before they are cut.
const LINE: usize = 16;
const LINES: usize = 4;

/// All bytes of a payload or frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// In the order of the bytes, without gaps.
    pub rows: Vec<Row>,
    /// The payload on one line, or what is wrong with it.
    pub summary: String,
    /// Whether the payload can be read.
    pub well_formed: bool,
}

/// One segment and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// In bytes from the first one explained.
    pub offset: usize,
    /// The segment.
    pub segment: Segment,
}

/// A payload without its length. In a phase that is not given, the one that knows the tag; tags are unique so far.
pub fn explain(schema: &Schema, phase: Option<Phase>, payload: &[u8]) -> Explanation {
    let knows = |phase: &Phase| payload.first().is_some_and(|&tag| schema.by_tag(*phase, tag).is_some());
    let phase = phase.or_else(|| [Phase::Session, Phase::Handshake].into_iter().find(knows)).unwrap_or(Phase::Session);
    let (segments, error) = match decode(schema, phase, payload) {
        Ok(decoded) => (decoded.segments, None),
        Err(error) => (error.segments, Some(error.kind)),
    };
    explanation(segments, error.as_ref(), payload, summary(schema, phase, payload))
}

/// A term: its version, its value, what is left over.
pub fn explain_term(schema: &Schema, bytes: &[u8]) -> Explanation {
    match decode_document(schema, TERM, bytes) {
        Ok(DecodedDocument { value, left_over, segments }) => {
            let left_over = match left_over.len() {
                0 => String::new(),
                count => format!(" and {} left over", announces(count as u64, "byte")),
            };
            explanation(segments, None, bytes, format!("{TERM} {value}{left_over}"))
        }
        Err(error) => {
            let summary = format!("{TERM}, {}", error.kind);
            explanation(error.segments, Some(&error.kind), bytes, summary)
        }
    }
}

fn explanation(
    mut segments: Vec<Segment>,
    error: Option<&DecodeErrorKind>,
    payload: &[u8],
    summary: String,
) -> Explanation {
    let read: usize = segments.iter().map(|segment| segment.bytes.len()).sum();
    if let Some(error) = error {
        segments.push(Segment {
            field: at(error).to_owned(),
            bytes: payload[read..].to_vec(),
            meaning: format!("✗ {error}"),
        });
    }
    let mut offset = 0;
    let mut rows = Vec::new();
    for segment in segments {
        let bytes = segment.bytes.len();
        rows.push(Row { offset, segment });
        offset += bytes;
    }
    Explanation { rows, summary, well_formed: error.is_none() }
}

/// A frame: its length, then its payload. `None` unless the length is there and counts exactly the bytes behind it.
pub fn explain_frame(schema: &Schema, phase: Option<Phase>, frame: &[u8]) -> Option<Explanation> {
    let (length, payload) = frame.split_first_chunk::<LENGTH_BYTES>()?;
    if u32::from_le_bytes(*length) as usize != payload.len() {
        return None;
    }
    let mut explanation = explain(schema, phase, payload);
    for row in &mut explanation.rows {
        row.offset += LENGTH_BYTES;
    }
    let meaning = format!("{} of payload", announces(payload.len() as u64, "byte"));
    let segment = Segment { field: "length".to_owned(), bytes: length.to_vec(), meaning };
    explanation.rows.insert(0, Row { offset: 0, segment });
    Some(explanation)
}

fn at(error: &DecodeErrorKind) -> &str {
    match error {
        DecodeErrorKind::Empty | DecodeErrorKind::UnknownTag(_) => "tag",
        DecodeErrorKind::UnexpectedEnd { field, .. }
        | DecodeErrorKind::InvalidUtf8 { field, .. }
        | DecodeErrorKind::UnknownVariant { field, .. }
        | DecodeErrorKind::OtherThanOnly { field, .. }
        | DecodeErrorKind::Forbidden { field, .. }
        | DecodeErrorKind::TooLarge { field, .. }
        | DecodeErrorKind::TooDeep { field, .. } => field,
    }
}

/// An aligned table, then the summary.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hexes: Vec<Vec<String>> = self.rows.iter().map(|row| lines(&row.segment.bytes)).collect();
        let hex_width = hexes.iter().flatten().map(|line| line.chars().count()).max().unwrap_or(0).max(3);
        let field_width = self.rows.iter().map(|row| row.segment.field.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "{:>6}  {:hex_width$}  {:field_width$}  meaning", "offset", "hex", "field")?;
        for (row, hex) in self.rows.iter().zip(&hexes) {
            let Segment { field, meaning, .. } = &row.segment;
            writeln!(f, "{:>6}  {:hex_width$}  {field:field_width$}  {meaning}", row.offset, hex[0])?;
            for (index, line) in hex.iter().enumerate().skip(1) {
                writeln!(f, "{:>6}  {line}", row.offset + index * LINE)?;
            }
        }
        writeln!(f, "{}", self.summary)
    }
}

/// Hex in lines; at least one.
fn lines(bytes: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> = bytes.chunks(LINE).take(LINES).map(spaced).collect();
    match lines.last_mut() {
        None => lines.push(String::new()),
        Some(last) if bytes.len() > LINE * LINES => last.push('…'),
        Some(_) => {}
    }
    lines
}

fn spaced(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::own;

    #[test]
    fn a_frame_is_a_table() {
        let frame = hex::decode("050000001c02006869").unwrap();
        let table = explain_frame(&own(), None, &frame).unwrap().to_string();
        let expected = "\
offset  hex          field        meaning
     0  05 00 00 00  length       5 bytes of payload
     4  1c           tag          GLOBAL_UNREGISTER
     5  02 00        name.length  2 bytes
     7  68 69        name         the global name: \"hi\"
GLOBAL_UNREGISTER name=\"hi\"
";
        assert_eq!(table, expected);
        assert_eq!(explain_frame(&own(), None, &frame[..8]), None, "the length does not match");
    }

    #[test]
    fn a_term_is_a_table() {
        let table = explain_term(&own(), &hex::decode("010a010000000602").unwrap()).to_string();
        let expected = "\
offset  hex          field                meaning
     0  01           version              the version of the format: 1
     1  0a           value.kind           list
     2  01 00 00 00  value.items.count    1 item
     6  06           value.items[0].kind  unit
     7  02           left_over            left over, ignored
term list{items=[unit]} and 1 byte left over
";
        assert_eq!(table, expected);
        let closure = explain_term(&own(), &hex::decode("0128ff").unwrap());
        assert!(!closure.well_formed);
        assert_eq!(closure.summary, "term, value.value.kind at offset 2 is a closure, which has no binary form");
        assert_eq!(closure.rows.last().unwrap().offset, 2);
    }

    #[test]
    fn faults_are_shown_where_they_are() {
        let explanation = explain(&own(), None, &hex::decode("1c0200ff").unwrap());
        assert!(!explanation.well_formed);
        let last = explanation.rows.last().unwrap();
        assert_eq!((last.offset, last.segment.field.as_str()), (3, "name"));
        assert!(last.segment.meaning.contains("1 of 2 bytes are there"));
    }

    #[test]
    fn the_phase_is_the_one_that_knows_the_tag() {
        assert!(explain(&own(), None, &[vec![4], vec![0; 32]].concat()).well_formed);
        assert!(!explain(&own(), Some(Phase::Session), &[vec![4], vec![0; 32]].concat()).well_formed);
    }
}
