//! Fields to bytes and back, as the schema lays them out: for every type, writing beside reading, in one order.
//!
//! Reading never panics, allocates for bytes that are there and not for counts that are announced, and bounds its depth.

use indexmap::IndexMap;

use super::error::{DecodeErrorKind, EncodeError};
use super::path::Path;
use super::payload::{LEFT_OVER, announces};
use super::segments::{ITEMS, Segments};
use super::value::{Pid, Value};
use crate::schema::{Field, Layout, Schema, Type, Width};

/// How many records and unions may be nested: 128 levels of maps (TERM-14), and far below what a thread's stack holds.
pub const DEPTH_LIMIT: usize = 256;

/// How much is around a value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Depth {
    /// Records and unions: what the stack has to hold.
    layers: usize,
    /// Unions alone: what the protocol counts.
    unions: usize,
}

pub(super) struct Writer<'a> {
    schema: &'a Schema,
    pub(super) segments: Segments,
}

impl<'a> Writer<'a> {
    pub(super) fn new(schema: &'a Schema) -> Self {
        Self { schema, segments: Segments::default() }
    }
}

pub(super) struct Reader<'a> {
    pub(super) schema: &'a Schema,
    pub(super) payload: &'a [u8],
    pub(super) offset: usize,
    pub(super) segments: Segments,
    /// How many unions within each other are read.
    deepest: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(schema: &'a Schema, payload: &'a [u8], deepest: usize) -> Self {
        Self { schema, payload, offset: 0, segments: Segments::default(), deepest }
    }

    /// What stands behind the last field.
    pub(super) fn left_over(&mut self) -> Vec<u8> {
        let left_over = self.payload[self.offset..].to_vec();
        if !left_over.is_empty() {
            self.segments.push("left_over", &left_over, || LEFT_OVER.to_owned());
        }
        left_over
    }
}

// Records, and the fields of messages and variants.

impl Writer<'_> {
    pub(super) fn fields(
        &mut self,
        around: Option<&Path<'_>>,
        layout: &[Field],
        values: &IndexMap<String, Value>,
        depth: Depth,
    ) -> Result<(), EncodeError> {
        if let Some(name) = values.keys().find(|name| !layout.iter().any(|field| field.name == **name)) {
            return Err(EncodeError::Unknown { field: Path::field(around, name).to_string() });
        }
        for field in layout {
            let path = Path::field(around, &field.name);
            match values.get(&field.name) {
                Some(value) => self.value(&path, field, value, depth)?,
                None => return Err(EncodeError::Missing { field: path.to_string() }),
            }
        }
        Ok(())
    }
}

impl Reader<'_> {
    pub(super) fn fields(
        &mut self,
        around: Option<&Path<'_>>,
        layout: &[Field],
        depth: Depth,
    ) -> Result<IndexMap<String, Value>, DecodeErrorKind> {
        let mut values = IndexMap::with_capacity(layout.len());
        for field in layout {
            let value = self.value(&Path::field(around, &field.name), field, depth)?;
            values.insert(field.name.clone(), value);
        }
        Ok(values)
    }
}

// One value of each type.

impl Writer<'_> {
    pub(super) fn value(
        &mut self,
        path: &Path<'_>,
        field: &Field,
        value: &Value,
        depth: Depth,
    ) -> Result<(), EncodeError> {
        let said = || format!("{}: {value}", field.meaning);
        match (&field.ty, value) {
            (Type::Uint(width), &Value::Uint(number)) => {
                let bytes = number_bytes(path, *width, number)?;
                self.segments.push(path, &bytes[..width.bytes()], said);
            }
            (Type::Int, Value::Int(number)) => self.segments.push(path, &number.to_le_bytes(), said),
            (Type::Float, Value::Float(bits)) => self.segments.push(path, &bits.to_le_bytes(), said),
            (Type::Bytes(count), Value::Bytes(bytes)) if bytes.len() == *count => self.segments.push(path, bytes, said),
            (Type::Rest, Value::Bytes(bytes)) => self.segments.push(path, bytes, said),
            (Type::Blob(width), Value::Bytes(bytes)) => {
                self.announce(&path.part("length"), *width, bytes.len(), "byte")?;
                self.segments.push(path, bytes, said);
            }
            (Type::Text(width), Value::Text(text)) => {
                self.announce(&path.part("length"), *width, text.len(), "byte")?;
                self.segments.push(path, text.as_bytes(), said);
            }
            (Type::Pid, Value::Pid(pid)) => {
                let too_great =
                    || EncodeError::TooGreat { field: path.to_string(), limit: Pid::LOCAL_MAX, found: pid.local };
                self.segments.push(path, &pid.to_bits().ok_or_else(too_great)?.to_le_bytes(), said);
            }
            (Type::List(width, item), Value::List(items)) => {
                self.announce(&path.part("count"), *width, items.len(), "item")?;
                let mut joins = false;
                for (index, value) in items.iter().enumerate() {
                    joins |= index == ITEMS && self.segments.part();
                    self.named(&path.item(index), item, value, depth)?;
                }
                if joins {
                    join(&mut self.segments, path, items.len());
                }
            }
            (Type::Named(name), value) => self.named(path, name, value, depth)?,
            (ty, _) => {
                let (field, found) = (path.to_string(), value.to_string());
                return Err(EncodeError::Shape { field, ty: ty.to_string(), found });
            }
        }
        Ok(())
    }

    fn named(&mut self, path: &Path<'_>, name: &str, value: &Value, around: Depth) -> Result<(), EncodeError> {
        let depth = Depth { layers: around.layers + 1, ..around };
        if depth.layers > DEPTH_LIMIT {
            return Err(EncodeError::TooDeep { field: path.to_string() });
        }
        let shape = || EncodeError::Shape { field: path.to_string(), ty: name.to_owned(), found: value.to_string() };
        match (self.schema.layout(name), value) {
            (Some(Layout::Record(layout)), Value::Record(fields)) => self.fields(Some(path), layout, fields, depth),
            (Some(Layout::Union(union)), Value::Union { kind, .. }) if union.forbidden.contains_key(kind) => {
                Err(EncodeError::Forbidden { field: path.to_string(), kind: kind.clone() })
            }
            (Some(Layout::Union(union)), Value::Union { kind, fields }) => {
                let variant = union.variants.get(kind).ok_or_else(shape)?;
                self.segments.push(path.part("kind"), &[variant.tag], || kind.clone());
                self.fields(Some(path), &variant.fields, fields, depth)
            }
            _ => Err(shape()),
        }
    }

    /// A length or a count.
    fn announce(&mut self, path: &Path<'_>, width: Width, number: usize, what: &str) -> Result<(), EncodeError> {
        let bytes = number_bytes(path, width, number as u64)?;
        self.segments.push(path, &bytes[..width.bytes()], || announces(number as u64, what));
        Ok(())
    }
}

/// Little-endian; the bytes behind the width are 0.
fn number_bytes(path: &Path<'_>, width: Width, number: u64) -> Result<[u8; 8], EncodeError> {
    if number > width.max() {
        return Err(EncodeError::TooGreat { field: path.to_string(), limit: width.max(), found: number });
    }
    Ok(number.to_le_bytes())
}

/// What is behind the first items of a list.
fn join(segments: &mut Segments, path: &Path<'_>, items: usize) {
    segments.join(format_args!("{path}[{ITEMS}..{items}]"), || announces((items - ITEMS) as u64, "more item"));
}

impl<'a> Reader<'a> {
    pub(super) fn value(&mut self, path: &Path<'_>, field: &Field, depth: Depth) -> Result<Value, DecodeErrorKind> {
        let (bytes, value) = match &field.ty {
            Type::Uint(width) => {
                let offset = self.offset;
                let (bytes, number) = self.number(path, *width)?;
                if let Some(only) = field.only.filter(|only| *only != number) {
                    self.offset = offset;
                    return Err(DecodeErrorKind::OtherThanOnly {
                        field: path.to_string(),
                        offset,
                        only,
                        found: number,
                    });
                }
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
            Type::Rest => {
                let bytes = self.take(path, (self.payload.len() - self.offset) as u64)?;
                (bytes, Value::Bytes(bytes.to_vec()))
            }
            Type::Blob(width) => {
                let length = self.announced(&path.part("length"), *width, field.limit, "byte")?;
                let bytes = self.take(path, length)?;
                (bytes, Value::Bytes(bytes.to_vec()))
            }
            Type::Text(width) => {
                let length = self.announced(&path.part("length"), *width, field.limit, "byte")?;
                let offset = self.offset;
                let bytes = self.take(path, length)?;
                let Ok(text) = std::str::from_utf8(bytes) else {
                    self.offset = offset;
                    return Err(DecodeErrorKind::InvalidUtf8 { field: path.to_string(), offset });
                };
                (bytes, Value::Text(text.to_owned()))
            }
            Type::Pid => {
                let (bytes, bits) = self.number(path, Width::U64)?;
                (bytes, Value::Pid(Pid::from_bits(bits)))
            }
            Type::List(width, item) => {
                let count = self.announced(&path.part("count"), *width, field.limit, "item")?;
                let mut items = Vec::new();
                let mut joins = false;
                // Ends with the bytes at the latest: the loader refuses items that take none.
                for index in 0..usize::try_from(count).unwrap_or(usize::MAX) {
                    joins |= index == ITEMS && self.segments.part();
                    items.push(self.named(&path.item(index), item, depth)?);
                }
                if joins {
                    join(&mut self.segments, path, items.len());
                }
                return Ok(Value::List(items));
            }
            Type::Named(name) => return self.named(path, name, depth),
        };
        self.segments.push(path, bytes, || format!("{}: {value}", field.meaning));
        Ok(value)
    }

    fn named(&mut self, path: &Path<'_>, name: &str, around: Depth) -> Result<Value, DecodeErrorKind> {
        let offset = self.offset;
        let too_deep = || DecodeErrorKind::TooDeep { field: path.to_string(), offset };
        let depth = Depth { layers: around.layers + 1, ..around };
        if depth.layers > DEPTH_LIMIT {
            return Err(too_deep());
        }
        let schema = self.schema;
        match schema.layout(name) {
            Some(Layout::Record(layout)) => Ok(Value::Record(self.fields(Some(path), layout, depth)?)),
            Some(Layout::Union(_)) if around.unions >= self.deepest => Err(too_deep()),
            Some(Layout::Union(union)) => {
                let depth = Depth { unions: around.unions + 1, ..depth };
                let (bytes, tag) = self.number(&path.part("kind"), Width::U8)?;
                let Some((kind, variant)) = union.by_tag(bytes[0]) else {
                    self.offset = offset;
                    let field = path.part("kind").to_string();
                    return Err(match union.forbidden_by_tag(bytes[0]) {
                        Some(kind) => DecodeErrorKind::Forbidden { field, offset, kind: kind.to_owned() },
                        // A byte was read, so the number is one.
                        None => DecodeErrorKind::UnknownVariant { field, offset, tag: tag as u8 },
                    });
                };
                self.segments.push(path.part("kind"), bytes, || kind.to_owned());
                Ok(Value::Union { kind: kind.to_owned(), fields: self.fields(Some(path), &variant.fields, depth)? })
            }
            // The loader has looked every name up.
            None => Err(too_deep()),
        }
    }

    /// A length or a count. One over the limit is refused before what it counts is looked at.
    fn announced(
        &mut self,
        path: &Path<'_>,
        width: Width,
        limit: Option<u64>,
        what: &str,
    ) -> Result<u64, DecodeErrorKind> {
        let offset = self.offset;
        let (bytes, announced) = self.number(path, width)?;
        if let Some(limit) = limit.filter(|limit| announced > *limit) {
            self.offset = offset;
            return Err(DecodeErrorKind::TooLarge { field: path.to_string(), offset, limit, announced });
        }
        self.segments.push(path, bytes, || announces(announced, what));
        Ok(announced)
    }

    fn number(&mut self, path: &Path<'_>, width: Width) -> Result<(&'a [u8], u64), DecodeErrorKind> {
        let bytes = self.take(path, width.bytes() as u64)?;
        let mut number = [0; 8];
        number[..bytes.len()].copy_from_slice(bytes);
        Ok((bytes, u64::from_le_bytes(number)))
    }

    fn take(&mut self, path: &Path<'_>, needed: u64) -> Result<&'a [u8], DecodeErrorKind> {
        let rest = &self.payload[self.offset..];
        let taken = usize::try_from(needed).ok().and_then(|count| rest.get(..count));
        let bytes = taken.ok_or_else(|| DecodeErrorKind::UnexpectedEnd {
            field: path.to_string(),
            offset: self.offset,
            needed,
            available: rest.len(),
        })?;
        self.offset += bytes.len();
        Ok(bytes)
    }
}
