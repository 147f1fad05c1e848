//! What only all files together can tell: every named type exists, and every layout can be read within bounds.

use super::{Field, Layout, Schema, SchemaProblem, Type, Width};

/// The first reference or layout that does not hold.
pub(super) fn check_references(schema: &Schema) -> Result<(), SchemaProblem> {
    for message in schema.messages() {
        for (index, field) in message.fields.iter().enumerate() {
            let at = format!("{}.{}", message.name, field.name);
            if field.ty == Type::Rest && index + 1 < message.fields.len() {
                return Err(SchemaProblem::Unbounded { at, why: "bytes(rest) can only be a message's last field" });
            }
            check_type(schema, &at, &field.ty)?;
        }
    }
    for (name, layout) in schema.types() {
        let lists: Vec<&[Field]> = match layout {
            Layout::Record(fields) => vec![fields],
            Layout::Union(union) => union.variants.values().map(|variant| variant.fields.as_slice()).collect(),
        };
        for field in lists.into_iter().flatten() {
            let at = format!("{name}.{}", field.name);
            if field.ty == Type::Rest {
                return Err(SchemaProblem::Unbounded { at, why: "bytes(rest) can only be a message's last field" });
            }
            check_type(schema, &at, &field.ty)?;
        }
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
