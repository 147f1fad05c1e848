//! What only all files together can tell: every named type exists, and every layout can be read within bounds.

use super::{Field, Layout, Schema, SchemaProblem, Type, UnionLayout, Width};

/// The first reference or layout that does not hold.
pub(super) fn check_references(schema: &Schema) -> Result<(), SchemaProblem> {
    for message in schema.messages() {
        let before_last = message.fields.len().saturating_sub(1);
        check_fields(schema, &message.name, &message.fields, before_last)?;
    }
    for document in schema.documents() {
        check_fields(schema, &document.name, &document.fields, usize::MAX)?;
        if document.fields.iter().filter(|field| field.only.is_none()).count() != 1 {
            return Err(SchemaProblem::Document(document.name.clone()));
        }
    }
    for (name, layout) in schema.types() {
        match layout {
            Layout::Record(fields) => check_fields(schema, name, fields, usize::MAX)?,
            Layout::Union(UnionLayout { variants, .. }) => {
                for variant in variants.values() {
                    check_fields(schema, name, &variant.fields, usize::MAX)?;
                }
            }
        }
    }
    Ok(())
}

/// The first `closed` fields cannot be `bytes(rest)`: something follows them, or they are no message's.
fn check_fields(schema: &Schema, owner: &str, fields: &[Field], closed: usize) -> Result<(), SchemaProblem> {
    for (index, field) in fields.iter().enumerate() {
        let at = format!("{owner}.{}", field.name);
        if field.ty == Type::Rest && index < closed {
            return Err(SchemaProblem::Unbounded { at, why: "bytes(rest) can only be a message's last field" });
        }
        let widest = match &field.ty {
            Type::Text(width) | Type::Blob(width) | Type::List(width, _) => Some(width.max()),
            _ => None,
        };
        if field.limit.is_some_and(|limit| widest.is_none_or(|widest| limit > widest)) {
            return Err(SchemaProblem::Unbounded {
                at,
                why: "a limit is one of a length or a count, within its width",
            });
        }
        let holds = |only| matches!(&field.ty, Type::Uint(width) if only <= width.max());
        if field.only.is_some_and(|only| !holds(only)) {
            return Err(SchemaProblem::Unbounded { at, why: "only a number can be the only one" });
        }
        check_type(schema, &at, &field.ty)?;
    }
    Ok(())
}

fn check_type(schema: &Schema, at: &str, ty: &Type) -> Result<(), SchemaProblem> {
    let (Type::Named(name) | Type::List(_, name)) = ty else {
        return Ok(());
    };
    if schema.layout(name).is_none() {
        return Err(SchemaProblem::UnknownType { at: at.to_owned(), name: name.clone() });
    }
    let unbounded = |why| SchemaProblem::Unbounded { at: at.to_owned(), why };
    match least_size(schema, ty, &mut Vec::new()) {
        None => Err(unbounded("the record contains itself without a list or a union between")),
        // A count of four thousand million items of no bytes each would be believed.
        Some(_) if matches!(ty, Type::List(_, item) if least_size(schema, &Type::Named(item.clone()), &mut Vec::new()) == Some(0)) => {
            Err(unbounded("items of a list take at least one byte"))
        }
        Some(_) => Ok(()),
    }
}

/// The fewest bytes that a value takes; `None` for a record that never ends. Only records are followed: a union ends at its tag.
fn least_size<'a>(schema: &'a Schema, ty: &'a Type, within: &mut Vec<&'a str>) -> Option<usize> {
    Some(match ty {
        Type::Uint(width) | Type::Text(width) | Type::Blob(width) | Type::List(width, _) => width.bytes(),
        Type::Int | Type::Float | Type::Pid => Width::U64.bytes(),
        Type::Bytes(count) => *count,
        Type::Rest => 0,
        Type::Named(name) if within.contains(&name.as_str()) => return None,
        Type::Named(name) => match schema.layout(name) {
            None => 0,
            Some(Layout::Union(_)) => 1,
            Some(Layout::Record(fields)) => {
                within.push(name);
                let sizes: Option<Vec<usize>> =
                    fields.iter().map(|field| least_size(schema, &field.ty, within)).collect();
                within.pop();
                sizes?.into_iter().sum()
            }
        },
    })
}
