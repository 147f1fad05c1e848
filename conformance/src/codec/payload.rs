//! Messages to payloads and back, as the schema lays them out: for every type, writing beside reading, in one order.
//!
//! Reading never panics, allocates for bytes that are there and not for counts that are announced, and bounds its depth.

use indexmap::IndexMap;

use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::message::{Decoded, Encoded, Message, Segment};
use super::value::{Pid, Value};
use crate::schema::{Field, Layout, Phase, Schema, Type, Width};

/// How many records and unions may be nested. Above what nodes have to accept (128), and far below what a thread's stack holds.
pub const DEPTH_LIMIT: usize = 256;

/// The payload of a message: tag, fields, left-over bytes.
///
/// # Errors
/// When the message is not one of the schema's, or a value does not fit its field. A payload over the frame limit is no error here.
pub fn encode(schema: &Schema, message: &Message) -> Result<Encoded, EncodeError> {
    let layout = schema.message(&message.name).ok_or_else(|| EncodeError::UnknownMessage(message.name.clone()))?;
    let mut writer = Writer { schema, segments: Vec::new() };
    writer.push("tag", vec![layout.tag], layout.name.clone());
    writer.fields("", &layout.fields, &message.fields, 0)?;
    if !message.left_over.is_empty() {
        writer.push("left_over", message.left_over.clone(), LEFT_OVER.to_owned());
    }
    Ok(Encoded { segments: writer.segments })
}

/// The message that a payload says in that phase, without its frame's length.
///
/// # Errors
/// [`DecodeError`], with what could be read before the fault.
pub fn decode(schema: &Schema, phase: Phase, payload: &[u8]) -> Result<Decoded, DecodeError> {
    let mut reader = Reader { schema, payload, offset: 0, segments: Vec::new() };
    let mut name = None;
    match reader.message(phase, &mut name) {
        Ok(message) => Ok(Decoded { message, segments: reader.segments }),
        Err(kind) => Err(DecodeError { kind, message: name, segments: reader.segments, offset: reader.offset }),
    }
}

const LEFT_OVER: &str = "left over, ignored";

struct Writer<'a> {
    schema: &'a Schema,
    segments: Vec<Segment>,
}

struct Reader<'a> {
    schema: &'a Schema,
    payload: &'a [u8],
    offset: usize,
    segments: Vec<Segment>,
}

impl Reader<'_> {
    fn message(&mut self, phase: Phase, name: &mut Option<String>) -> Result<Message, DecodeErrorKind> {
        let &tag = self.payload.first().ok_or(DecodeErrorKind::Empty)?;
        let layout = self.schema.by_tag(phase, tag).ok_or(DecodeErrorKind::UnknownTag(tag))?;
        *name = Some(layout.name.clone());
        self.offset = 1;
        self.push("tag", &[tag], layout.name.clone());
        let fields = self.fields("", &layout.fields, 0)?;
        let left_over = self.payload[self.offset..].to_vec();
        if !left_over.is_empty() {
            self.push("left_over", &left_over, LEFT_OVER.to_owned());
        }
        Ok(Message { name: layout.name.clone(), fields, left_over })
    }
}

// Records, and the fields of messages and variants.

impl Writer<'_> {
    fn fields(
        &mut self,
        path: &str,
        layout: &[Field],
        values: &IndexMap<String, Value>,
        depth: usize,
    ) -> Result<(), EncodeError> {
        if let Some(name) = values.keys().find(|name| !layout.iter().any(|field| field.name == **name)) {
            return Err(EncodeError::Unknown { field: join(path, name) });
        }
        for field in layout {
            let path = join(path, &field.name);
            match values.get(&field.name) {
                Some(value) => self.value(&path, &field.ty, &field.meaning, value, depth)?,
                None => return Err(EncodeError::Missing { field: path }),
            }
        }
        Ok(())
    }
}

impl Reader<'_> {
    fn fields(
        &mut self,
        path: &str,
        layout: &[Field],
        depth: usize,
    ) -> Result<IndexMap<String, Value>, DecodeErrorKind> {
        let mut values = IndexMap::with_capacity(layout.len());
        for field in layout {
            let value = self.value(&join(path, &field.name), &field.ty, &field.meaning, depth)?;
            values.insert(field.name.clone(), value);
        }
        Ok(values)
    }
}

// One value of each type.

impl Writer<'_> {
    fn value(&mut self, path: &str, ty: &Type, meaning: &str, value: &Value, depth: usize) -> Result<(), EncodeError> {
        let shape = || EncodeError::Shape { field: path.to_owned(), ty: ty.to_string(), found: value.to_string() };
        let said = || format!("{meaning}: {value}");
        match (ty, value) {
            (Type::Uint(width), &Value::Uint(number)) => {
                let bytes = self.number(path, *width, number)?;
                self.push(path, bytes, said());
            }
            (Type::Int, Value::Int(number)) => self.push(path, number.to_le_bytes().to_vec(), said()),
            (Type::Float, Value::Float(bits)) => self.push(path, bits.to_le_bytes().to_vec(), said()),
            (Type::Bytes(count), Value::Bytes(bytes)) if bytes.len() == *count => {
                self.push(path, bytes.clone(), said())
            }
            (Type::Blob(width), Value::Bytes(bytes)) => {
                let length = self.number(path, *width, bytes.len() as u64)?;
                self.push(&format!("{path}.length"), length, announces(bytes.len() as u64, "byte"));
                self.push(path, bytes.clone(), said());
            }
            (Type::Rest, Value::Bytes(bytes)) => self.push(path, bytes.clone(), said()),
            (Type::Text(width), Value::Text(text)) => {
                let length = self.number(path, *width, text.len() as u64)?;
                self.push(&format!("{path}.length"), length, announces(text.len() as u64, "byte"));
                self.push(path, text.clone().into_bytes(), said());
            }
            (Type::Pid, Value::Pid(pid)) => {
                let too_great =
                    || EncodeError::TooGreat { field: path.to_owned(), limit: Pid::LOCAL_MAX, found: pid.local };
                self.push(path, pid.to_bits().ok_or_else(too_great)?.to_le_bytes().to_vec(), said());
            }
            (Type::List(width, item), Value::List(items)) => {
                let count = self.number(path, *width, items.len() as u64)?;
                self.push(&format!("{path}.count"), count, announces(items.len() as u64, "item"));
                for (index, value) in items.iter().enumerate() {
                    self.named(&format!("{path}[{index}]"), item, value, depth + 1)?;
                }
            }
            (Type::Named(name), value) => self.named(path, name, value, depth + 1)?,
            _ => return Err(shape()),
        }
        Ok(())
    }

    fn named(&mut self, path: &str, name: &str, value: &Value, depth: usize) -> Result<(), EncodeError> {
        if depth > DEPTH_LIMIT {
            return Err(EncodeError::TooDeep { field: path.to_owned() });
        }
        let shape = || EncodeError::Shape { field: path.to_owned(), ty: name.to_owned(), found: value.to_string() };
        match (self.schema.layout(name), value) {
            (Some(Layout::Record(layout)), Value::Record(fields)) => self.fields(path, layout, fields, depth),
            (Some(Layout::Union(union)), Value::Union { kind, fields }) => {
                let variant = union.variants.get(kind).ok_or_else(shape)?;
                self.push(&format!("{path}.kind"), vec![variant.tag], kind.clone());
                self.fields(path, &variant.fields, fields, depth)
            }
            _ => Err(shape()),
        }
    }

    fn number(&self, path: &str, width: Width, number: u64) -> Result<Vec<u8>, EncodeError> {
        if number > width.max() {
            return Err(EncodeError::TooGreat { field: path.to_owned(), limit: width.max(), found: number });
        }
        Ok(number.to_le_bytes()[..width.bytes()].to_vec())
    }

    fn push(&mut self, field: &str, bytes: Vec<u8>, meaning: String) {
        self.segments.push(Segment { field: field.to_owned(), bytes, meaning });
    }
}

impl<'a> Reader<'a> {
    fn value(&mut self, path: &str, ty: &Type, meaning: &str, depth: usize) -> Result<Value, DecodeErrorKind> {
        let (bytes, value) = match ty {
            Type::Uint(width) => {
                let (bytes, number) = self.number(path, *width)?;
                (bytes, Value::Uint(number))
            }
            Type::Int => {
                let (bytes, number) = self.number(path, Width::U64)?;
                (bytes, Value::Int(number.cast_signed()))
            }
            Type::Float => {
                let (bytes, bits) = self.number(path, Width::U64)?;
                (bytes, Value::Float(bits))
            }
            Type::Bytes(count) => {
                let bytes = self.take(path, *count as u64)?;
                (bytes, Value::Bytes(bytes.to_vec()))
            }
            Type::Blob(width) => {
                let bytes = self.announced(path, *width)?;
                (bytes, Value::Bytes(bytes.to_vec()))
            }
            Type::Rest => {
                let bytes = self.take(path, (self.payload.len() - self.offset) as u64)?;
                (bytes, Value::Bytes(bytes.to_vec()))
            }
            Type::Text(width) => {
                let bytes = self.announced(path, *width)?;
                let Ok(text) = std::str::from_utf8(bytes) else {
                    let offset = self.offset - bytes.len();
                    self.offset = offset;
                    return Err(DecodeErrorKind::InvalidUtf8 { field: path.to_owned(), offset });
                };
                (bytes, Value::Text(text.to_owned()))
            }
            Type::Pid => {
                let (bytes, bits) = self.number(path, Width::U64)?;
                (bytes, Value::Pid(Pid::from_bits(bits)))
            }
            Type::List(width, item) => {
                let count_path = format!("{path}.count");
                let (bytes, count) = self.number(&count_path, *width)?;
                self.push(&count_path, bytes, announces(count, "item"));
                let mut items = Vec::new();
                // Ends with the bytes at the latest: the loader refuses items that take none.
                for index in 0..count {
                    items.push(self.named(&format!("{path}[{index}]"), item, depth + 1)?);
                }
                return Ok(Value::List(items));
            }
            Type::Named(name) => return self.named(path, name, depth + 1),
        };
        self.push(path, bytes, format!("{meaning}: {value}"));
        Ok(value)
    }

    fn named(&mut self, path: &str, name: &str, depth: usize) -> Result<Value, DecodeErrorKind> {
        let offset = self.offset;
        if depth > DEPTH_LIMIT {
            return Err(DecodeErrorKind::TooDeep { field: path.to_owned(), offset });
        }
        let schema = self.schema;
        match schema.layout(name) {
            Some(Layout::Record(layout)) => Ok(Value::Record(self.fields(path, layout, depth)?)),
            Some(Layout::Union(union)) => {
                let field = format!("{path}.kind");
                let (bytes, tag) = self.number(&field, Width::U8)?;
                let Some((kind, variant)) = union.by_tag(bytes[0]) else {
                    self.offset = offset;
                    // A byte was read, so the number is one.
                    return Err(DecodeErrorKind::UnknownVariant { field, offset, tag: tag as u8 });
                };
                self.push(&field, bytes, kind.to_owned());
                Ok(Value::Union { kind: kind.to_owned(), fields: self.fields(path, &variant.fields, depth)? })
            }
            // The loader has looked every name up.
            None => Err(DecodeErrorKind::TooDeep { field: path.to_owned(), offset }),
        }
    }

    /// The bytes behind a length.
    fn announced(&mut self, path: &str, width: Width) -> Result<&'a [u8], DecodeErrorKind> {
        let length_path = format!("{path}.length");
        let (bytes, length) = self.number(&length_path, width)?;
        self.push(&length_path, bytes, announces(length, "byte"));
        self.take(path, length)
    }

    fn number(&mut self, path: &str, width: Width) -> Result<(&'a [u8], u64), DecodeErrorKind> {
        let bytes = self.take(path, width.bytes() as u64)?;
        let mut number = [0; 8];
        number[..bytes.len()].copy_from_slice(bytes);
        Ok((bytes, u64::from_le_bytes(number)))
    }

    fn take(&mut self, path: &str, needed: u64) -> Result<&'a [u8], DecodeErrorKind> {
        let rest = &self.payload[self.offset..];
        let taken = usize::try_from(needed).ok().and_then(|count| rest.get(..count));
        let bytes = taken.ok_or_else(|| DecodeErrorKind::UnexpectedEnd {
            field: path.to_owned(),
            offset: self.offset,
            needed,
            available: rest.len(),
        })?;
        self.offset += bytes.len();
        Ok(bytes)
    }

    fn push(&mut self, field: &str, bytes: &[u8], meaning: String) {
        self.segments.push(Segment { field: field.to_owned(), bytes: bytes.to_vec(), meaning });
    }
}

/// What a length or a count says.
pub(super) fn announces(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
