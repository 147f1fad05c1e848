//! Compares the layout tables in the chapters with the schema. Both are written by hand, so that one mistake has to be made twice.
//!
//! A message's table stands under `### GLOBAL_SYNC (0x1D, session)` with the columns `field`, `type`, `meaning`; the fields of a list's
//! items or of a record follow it as `entries[].name` or `entry.name`. A union stands under `### reason (union)` with the columns
//! `kind`, `tag`, `fields`, the last one as `pid: pid, reason: reason`. A document stands under `### term (document)`, and a record that
//! no message's table shows under `### map_entry (record)`, both with the columns of messages; a constant stands in the column `meaning`.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use super::{DocumentLayout, Field, Layout, MessageLayout, Schema, SchemaError, Type, UnionLayout, load};

/// One thing that chapter and schema say differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The chapter, or the folder where a chapter is missing.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// What differs.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

/// Compares `spec_dir/*.md` with `spec_dir/schema/*.yaml`. What cannot be loaded is a difference, too; none at all means agreement.
pub fn check(spec_dir: &Path) -> Vec<Difference> {
    let schema = match load(&spec_dir.join("schema")) {
        Ok(schema) => schema,
        Err(SchemaError { path, problem }) => {
            return vec![Difference { file: path, line: 1, what: problem.to_string() }];
        }
    };
    match tables(spec_dir) {
        Ok(tables) => compare(spec_dir, &schema, &tables),
        Err(error) => vec![Difference { file: spec_dir.to_owned(), line: 1, what: error.to_string() }],
    }
}

/// A heading with the table under it.
struct Table {
    file: PathBuf,
    /// Of the heading.
    line: usize,
    /// `GLOBAL_SYNC` or `reason`.
    name: String,
    /// `0x1D, session`, `union`, `document` or `record`.
    what: String,
    /// Line and cells, without the column names.
    rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    fn differs(&self, line: usize, what: String) -> Difference {
        Difference { file: self.file.clone(), line, what: format!("{}: {what}", self.name) }
    }
}

fn tables(spec_dir: &Path) -> io::Result<Vec<Table>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(spec_dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let mut tables = Vec::new();
    for path in paths {
        // A table belongs to the heading right above it: any other heading, and any other text behind the table, ends that.
        let mut open: Option<Table> = None;
        for (index, text) in fs::read_to_string(&path)?.lines().enumerate() {
            if text.starts_with('#') {
                tables.extend(open.take());
                open = heading(text).map(|(name, what)| Table {
                    file: path.clone(),
                    line: index + 1,
                    name,
                    what,
                    rows: Vec::new(),
                });
            } else if let Some(cells) = cells(text) {
                open.iter_mut().for_each(|table| table.rows.push((index + 1, cells.clone())));
            } else if open.as_ref().is_some_and(|table| !table.rows.is_empty()) {
                tables.extend(open.take());
            }
        }
        tables.extend(open);
    }
    Ok(tables)
}

/// `### NAME (0x01, handshake)`, `### reason (union)` and the like; other headings are none.
fn heading(text: &str) -> Option<(String, String)> {
    let (name, what) = text.strip_prefix("### ")?.trim().strip_suffix(')')?.split_once(" (")?;
    (matches!(what, "union" | "document" | "record") || what.starts_with("0x")).then(|| (bare(name), what.to_owned()))
}

/// The cells of a table's row; `None` for other lines, column names and the line under them.
fn cells(text: &str) -> Option<Vec<String>> {
    let inside = text.trim().strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<String> = inside.split('|').map(bare).collect();
    let is_data = !matches!(cells[0].as_str(), "field" | "kind") && !cells[0].starts_with("---");
    Some(cells).filter(|_| is_data)
}

fn bare(cell: &str) -> String {
    cell.trim().trim_matches('`').to_owned()
}

fn compare(spec_dir: &Path, schema: &Schema, tables: &[Table]) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut seen: Vec<(&str, bool)> = Vec::new();
    for table in tables {
        // A document and a type may have one name.
        let this = (table.name.as_str(), table.what == "document");
        if seen.contains(&this) {
            differences.push(table.differs(table.line, "has a second table".to_owned()));
        }
        seen.push(this);
        let (message, document) = (schema.message(&table.name), schema.document(&table.name));
        match (table.what.as_str(), message, document, schema.layout(&table.name)) {
            ("document", _, Some(document), _) => differences.extend(compare_document(table, document)),
            ("union", _, _, Some(Layout::Union(union))) => differences.extend(compare_union(table, union)),
            ("record", _, _, Some(Layout::Record(fields))) => differences.extend(compare_rows(table, &rows(fields))),
            ("document" | "union" | "record", ..) | (_, None, ..) => {
                differences.push(table.differs(table.line, format!("is not in the schema ({})", table.what)));
            }
            (_, Some(message), ..) => differences.extend(compare_message(schema, table, message)),
        }
    }
    let chapter = |family: &str| spec_dir.join(format!("{family}.md"));
    let messages = schema.messages().map(|message| (message.name.as_str(), false, chapter(&message.family)));
    let documents = schema.documents().map(|document| (document.name.as_str(), true, chapter(&document.family)));
    let shown: Vec<&str> = schema.messages().flat_map(|message| &message.fields).filter_map(inner).collect();
    let types = schema.types().filter(|(name, layout)| matches!(layout, Layout::Union(_)) || !shown.contains(name));
    let types = types.map(|(name, _)| (name, false, spec_dir.to_owned()));
    for (name, is_document, file) in messages.chain(documents).chain(types) {
        if !seen.contains(&(name, is_document)) {
            differences.push(Difference { file, line: 1, what: format!("{name}: has no table") });
        }
    }
    differences
}

/// Names and types of fields, as the rows of a table.
fn rows(fields: &[Field]) -> Vec<(String, String)> {
    fields.iter().map(|field| (field.name.clone(), field.ty.to_string())).collect()
}

fn compare_document(table: &Table, document: &DocumentLayout) -> Vec<Difference> {
    let mut differences = compare_rows(table, &rows(&document.fields));
    if table.file.file_stem().is_none_or(|stem| stem != document.family.as_str()) {
        differences.push(table.differs(table.line, format!("belongs into the chapter {}", document.family)));
    }
    for ((line, cells), field) in table.rows.iter().zip(&document.fields) {
        if let Some(only) = field.only
            && cells.get(2).is_none_or(|meaning| *meaning != only.to_string())
        {
            differences.push(table.differs(*line, format!("schema says that {} is {only}", field.name)));
        }
    }
    differences
}

fn compare_message(schema: &Schema, table: &Table, message: &MessageLayout) -> Vec<Difference> {
    let mut differences = Vec::new();
    let wanted = format!("{:#04X}, {}", message.tag, message.phase).replacen("0X", "0x", 1);
    if table.what != wanted {
        differences.push(table.differs(table.line, format!("heading says ({}), schema ({wanted})", table.what)));
    }
    if table.file.file_stem().is_none_or(|stem| stem != message.family.as_str()) {
        differences.push(table.differs(table.line, format!("belongs into the chapter {}", message.family)));
    }
    let mut expected = Vec::new();
    for field in &message.fields {
        expected.extend(rows(std::slice::from_ref(field)));
        expected.extend(inner_rows(schema, field));
    }
    differences.extend(compare_rows(table, &expected));
    differences
}

/// The named type of a field or of its items.
fn inner(field: &Field) -> Option<&str> {
    match &field.ty {
        Type::List(_, name) | Type::Named(name) => Some(name),
        _ => None,
    }
}

/// The rows below a list of records or a record: one level, which is all that one table shows.
fn inner_rows(schema: &Schema, field: &Field) -> Vec<(String, String)> {
    let Some(Layout::Record(fields)) = inner(field).and_then(|name| schema.layout(name)) else {
        return Vec::new();
    };
    let joint = if matches!(field.ty, Type::List(..)) { "[]." } else { "." };
    fields.iter().map(|inner| (format!("{}{joint}{}", field.name, inner.name), inner.ty.to_string())).collect()
}

fn compare_union(table: &Table, union: &UnionLayout) -> Vec<Difference> {
    let mut differences = Vec::new();
    let said = |fields: &[Field]| {
        fields.iter().map(|field| format!("{}: {}", field.name, field.ty)).collect::<Vec<_>>().join(", ")
    };
    let variants = union.variants.iter();
    let expected: Vec<_> =
        variants.map(|(kind, variant)| [kind.clone(), variant.tag.to_string(), said(&variant.fields)]).collect();
    for (index, (line, cells)) in table.rows.iter().enumerate() {
        match expected.get(index) {
            Some(wanted) if cells.len() >= 3 && cells[..3] == *wanted => {}
            Some([kind, tag, fields]) => {
                differences.push(table.differs(*line, format!("schema has {kind}, tag {tag}, fields ({fields}) here")));
            }
            None => differences.push(table.differs(*line, format!("schema has no variant {} here", cells[0]))),
        }
    }
    for [kind, ..] in expected.iter().skip(table.rows.len()) {
        differences.push(table.differs(table.line, format!("schema's variant {kind} is not in the table")));
    }
    differences
}

fn compare_rows(table: &Table, expected: &[(String, String)]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (index, (line, cells)) in table.rows.iter().enumerate() {
        let [name, ty, ..] = cells.as_slice() else {
            differences.push(table.differs(*line, "a row has the columns field, type, meaning".to_owned()));
            continue;
        };
        match expected.get(index) {
            Some((wanted, wanted_ty)) if wanted == name && wanted_ty == ty => {}
            Some((wanted, wanted_ty)) => {
                differences
                    .push(table.differs(*line, format!("{name} is {ty} here; schema has {wanted}, {wanted_ty}")));
            }
            None => differences.push(table.differs(*line, format!("schema has no field {name} here"))),
        }
    }
    for (name, _) in expected.iter().skip(table.rows.len()) {
        differences.push(table.differs(table.line, format!("schema's field {name} is not in the table")));
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "family: a
frame: {length: u32, limits: {handshake: 1, session: 2}}
types:
  item: {record: [{name: n, type: string(u8), meaning: m}]}
  why: {union: {no: {tag: 0}, yes: {tag: 1, fields: [{name: p, type: pid, meaning: m}]}}}
  alone: {record: [{name: k, type: u8, meaning: m}]}
documents:
  d: {depth: 1, fields: [{name: v, type: u8, only: 7, meaning: m}, {name: w, type: list(u8) of alone, meaning: m}]}
messages:
  M:
    tag: 0x1B
    phase: session
    fields: [{name: x, type: u8, meaning: m}, {name: items, type: list(u16) of item, meaning: m}]
";
    const PROSE: &str = "# A
| field | type | meaning |
|---|---|---|
| of | no | message |

### M (0x1B, session)

| field | type | meaning |
|---|---|---|
| x | u8 | any words |
| `items` | list(u16) of item | |
| items[].n | string(u8) | |

Text.

| another | table |

### why (union)

| kind | tag | fields |
|---|---|---|
| no | 0 | |
| yes | 1 | p: pid |

### alone (record)

| field | type | meaning |
|---|---|---|
| k | u8 | |

### d (document)

| field | type | meaning |
|---|---|---|
| v | u8 | 7 |
| w | list(u8) of alone | |
";

    fn differences(prose: &str) -> Vec<(usize, String)> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("schema")).unwrap();
        fs::write(folder.path().join("schema/a.yaml"), SCHEMA).unwrap();
        fs::write(folder.path().join("a.md"), prose).unwrap();
        check(folder.path()).into_iter().map(|difference| (difference.line, difference.what)).collect()
    }

    #[test]
    fn agreement_is_silent() {
        assert_eq!(differences(PROSE), []);
    }

    #[test]
    fn every_difference_has_its_line() {
        let changed = |from: &str, to: &str| {
            assert!(PROSE.contains(from));
            let mut found = differences(&PROSE.replace(from, to));
            assert_eq!(found.len(), 1, "{from} to {to}: {found:?}");
            found.remove(0)
        };
        assert_eq!(changed("0x1B", "0x1C"), (6, "M: heading says (0x1C, session), schema (0x1B, session)".into()));
        assert_eq!(changed("1B, session", "1B, handshake").0, 6);
        assert_eq!(changed("| x | u8 ", "| x | u16 "), (10, "M: x is u16 here; schema has x, u8".into()));
        assert_eq!(changed("items[].n", "items[].m").0, 12);
        assert_eq!(
            changed("| items[].n | string(u8) | |\n", ""),
            (6, "M: schema's field items[].n is not in the table".into())
        );
        assert_eq!(changed("| items[].n | string(u8) | |\n", "| items[].n | string(u8) | |\n| z | u8 | |\n").0, 13);
        assert_eq!(changed("p: pid", "p: u64").0, 23);
        assert_eq!(changed("| yes | 1 | p: pid |\n", "").0, 18);
        assert_eq!(changed("| k | u8", "| k | u16").0, 29);
        assert_eq!(changed("(record)", "(union)").1, "alone: is not in the schema (union)");
        assert_eq!(changed("### alone (record)", "### Alone").1, "alone: has no table");
        assert_eq!(changed("| v | u8 | 7 |", "| v | u8 | 8 |"), (35, "d: schema says that v is 7".into()));
        assert_eq!(changed("### d (document)", "### D").1, "d: has no table");
        assert_eq!(changed("# A", "### Z (0x01, session)").1, "Z: is not in the schema (0x01, session)");
        assert_eq!(changed("### why (union)", "### Why").1, "why: has no table");
    }

    #[test]
    fn own_chapters_and_schema_agree() {
        let found = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec"));
        assert!(found.is_empty(), "{}", found.iter().map(|difference| format!("{difference}\n")).collect::<String>());
    }
}
