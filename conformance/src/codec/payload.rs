//! Messages to payloads and back: the tag, the fields as the schema lays them out, what is left over.

use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::fields::{Depth, Reader, Writer};
use super::message::{Decoded, Encoded, Message};
use crate::schema::{Phase, Schema};

/// The payload of a message: tag, fields, left-over bytes.
///
/// # Errors
/// When the message is not one of the schema's, or a value does not fit its field. A payload over the frame limit is no error here.
pub fn encode(schema: &Schema, message: &Message) -> Result<Encoded, EncodeError> {
    let layout = schema.message(&message.name).ok_or_else(|| EncodeError::UnknownMessage(message.name.clone()))?;
    let mut writer = Writer::new(schema);
    writer.segments.push("tag", &[layout.tag], || layout.name.clone());
    writer.fields(None, &layout.fields, &message.fields, Depth::default())?;
    if !message.left_over.is_empty() {
        writer.segments.push("left_over", &message.left_over, || LEFT_OVER.to_owned());
    }
    Ok(Encoded { segments: writer.segments.finish() })
}

/// The message that a payload says in that phase, without its frame's length.
///
/// # Errors
/// [`DecodeError`], with what could be read before the fault.
pub fn decode(schema: &Schema, phase: Phase, payload: &[u8]) -> Result<Decoded, DecodeError> {
    let mut reader = Reader::new(schema, payload, usize::MAX);
    let mut name = None;
    match message(&mut reader, phase, &mut name) {
        Ok(message) => Ok(Decoded { message, segments: reader.segments.finish() }),
        Err(kind) => {
            Err(DecodeError { kind, message: name, offset: reader.offset, segments: reader.segments.finish() })
        }
    }
}

/// What stands behind all fields.
pub(super) const LEFT_OVER: &str = "left over, ignored";

fn message(reader: &mut Reader<'_>, phase: Phase, name: &mut Option<String>) -> Result<Message, DecodeErrorKind> {
    let &tag = reader.payload.first().ok_or(DecodeErrorKind::Empty)?;
    let layout = reader.schema.by_tag(phase, tag).ok_or(DecodeErrorKind::UnknownTag(tag))?;
    *name = Some(layout.name.clone());
    reader.offset = 1;
    reader.segments.push("tag", &[tag], || layout.name.clone());
    let fields = reader.fields(None, &layout.fields, Depth::default())?;
    Ok(Message { name: layout.name.clone(), fields, left_over: reader.left_over() })
}

/// What a length or a count says.
pub(super) fn announces(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
