//! Documents to bytes and back: constants, one value, what is left over. The one that there is, is the term.

use super::error::{DecodeError, DecodeErrorKind, EncodeError, Unreadable};
use super::fields::{Depth, Reader, Writer};
use super::message::{Encoded, Segment};
use super::path::Path;
use super::value::Value;
use crate::schema::{DocumentLayout, Schema};

/// The document that the Snow Term Format is.
pub const TERM: &str = "term";

/// A document that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedDocument {
    /// Its value.
    pub value: Value,
    /// Bytes behind it, which readers ignore.
    pub left_over: Vec<u8>,
    /// Where it says what.
    pub segments: Vec<Segment>,
}

/// The bytes of a document with that value.
///
/// # Errors
/// When there is no such document, the value does not fit, or has no form.
pub fn encode_document(schema: &Schema, name: &str, value: &Value) -> Result<Encoded, EncodeError> {
    let unknown = || EncodeError::UnknownMessage(name.to_owned());
    let mut writer = Writer::new(schema);
    for field in &schema.document(name).ok_or_else(unknown)?.fields {
        let path = Path::field(None, &field.name);
        match field.only {
            Some(only) => writer.value(&path, field, &Value::Uint(only), Depth::default())?,
            None => writer.value(&path, field, value, Depth::default())?,
        }
    }
    Ok(Encoded { segments: writer.segments.finish() })
}

/// The value in a document. Reading goes as deep as every reader has to, and no deeper.
///
/// # Errors
/// [`DecodeError`], with what could be read before the fault; that there is no such document is an unknown tag.
pub fn decode_document(schema: &Schema, name: &str, bytes: &[u8]) -> Result<DecodedDocument, DecodeError> {
    let layout = schema.document(name);
    let mut reader = Reader::new(schema, bytes, layout.map_or(0, |layout| layout.depth));
    match document(&mut reader, layout) {
        Ok(value) => {
            let left_over = reader.left_over();
            Ok(DecodedDocument { value, left_over, segments: reader.segments.finish() })
        }
        Err(kind) => {
            let message = layout.map(|layout| layout.name.clone());
            Err(DecodeError { kind, message, offset: reader.offset, segments: reader.segments.finish() })
        }
    }
}

fn document(reader: &mut Reader<'_>, layout: Option<&DocumentLayout>) -> Result<Value, DecodeErrorKind> {
    let mut value = Err(DecodeErrorKind::UnknownTag(0));
    for field in layout.into_iter().flat_map(|layout| &layout.fields) {
        let read = reader.value(&Path::field(None, &field.name), field, Depth::default())?;
        if field.only.is_none() {
            value = Ok(read);
        }
    }
    value
}

impl DecodeErrorKind {
    /// The cause by its name in the chapter of the document (TERM-6 to TERM-15).
    pub fn unreadable(&self) -> Unreadable {
        match self {
            Self::Empty | Self::UnexpectedEnd { .. } => Unreadable::UnexpectedEnd,
            Self::UnknownTag(_) | Self::UnknownVariant { .. } => Unreadable::InvalidTag,
            Self::OtherThanOnly { .. } => Unreadable::UnsupportedVersion,
            Self::Forbidden { .. } => Unreadable::Closure,
            Self::TooLarge { .. } => Unreadable::TooLarge,
            Self::InvalidUtf8 { .. } => Unreadable::InvalidUtf8,
            Self::TooDeep { .. } => Unreadable::TooDeep,
        }
    }
}
