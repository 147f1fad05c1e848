//! The one way to write a vector file: a header, a fixed order of keys, one line a segment. Every string is quoted as JSON quotes it.

use serde_json::Value as Json;

use super::file::FileSet;

const HEADER: &str = "\
# Golden bytes. People write id, requirements, note and what is sent; all else is computed by
#     cargo xtask vectors generate
";

/// Each of these keys' items takes a line of its own.
const BLOCKS: [&str; 5] = ["segments", "steps", "parts", "chunks", "frames"];

/// The file's text. Equal sets have equal texts.
pub(super) fn render(file: &FileSet) -> Result<String, serde_json::Error> {
    let mut text = format!("{HEADER}family: {}\n", file.family);
    let lists = [
        ("vectors", serde_json::to_value(&file.vectors)?),
        ("terms", serde_json::to_value(&file.terms)?),
        ("streams", serde_json::to_value(&file.streams)?),
        ("transcripts", serde_json::to_value(&file.transcripts)?),
    ];
    for (name, list) in lists {
        let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
        if !items.is_empty() {
            text.push_str(&format!("\n{name}:\n"));
        }
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            block(&mut text, "  ", item);
        }
    }
    Ok(text)
}

/// A map as an item of a list, one key a line.
fn block(text: &mut String, indent: &str, item: &Json) {
    let mut mark = "- ";
    for (key, value) in item.as_object().into_iter().flatten() {
        text.push_str(&format!("{indent}{mark}{key}:"));
        mark = "  ";
        match value.as_array() {
            Some(items) if BLOCKS.contains(&key.as_str()) && !items.is_empty() => {
                text.push('\n');
                let inner = format!("{indent}    ");
                for item in items {
                    if key == "steps" {
                        block(text, &inner, item);
                    } else {
                        text.push_str(&format!("{inner}- {}\n", flow(item)));
                    }
                }
            }
            _ => text.push_str(&format!(" {}\n", plain(key, value))),
        }
    }
}

/// A value behind a key; words that only ever are words stand without quotes.
fn plain(key: &str, value: &Json) -> String {
    const WORDS: [&str; 8] = ["id", "phase", "of", "message", "verdict", "end", "from", "outcome"];
    match value {
        Json::String(word) if WORDS.contains(&key) => word.clone(),
        Json::Array(ids) if key == "requirements" => {
            let ids: Vec<&str> = ids.iter().filter_map(Json::as_str).collect();
            format!("[{}]", ids.join(", "))
        }
        _ => flow(value),
    }
}

/// YAML's flow style, which JSON nearly is.
fn flow(value: &Json) -> String {
    match value {
        Json::Object(map) => {
            let items: Vec<String> = map.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", items.join(", "))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A JSON string in which everything is escaped that YAML holds for unprintable or that cannot be seen.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\u{20}'..='\u{7E}' => quoted.push(c),
            c if c.is_control()
                || c.is_whitespace()
                || c == '\u{FEFF}'
                || matches!(c as u32 & 0xFFFF, 0xFFFE | 0xFFFF) =>
            {
                quoted.push_str(&format!("\\U{:08x}", c as u32));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_reads_back_every_character() {
        let text: String = (0..=0x10_FFFF).filter_map(char::from_u32).collect();
        let read: String = serde_yaml::from_str(&quoted(&text)).unwrap();
        assert!(read == text);
    }

    #[test]
    fn what_is_read_is_written_again() {
        let text = format!(
            "{HEADER}family: a\n
vectors:
  - id: a/x
    requirements: [A-1, A-2]
    phase: session
    message: M
    fields: {{x: [{{y: \"1e5\"}}], z: 1}}
    verdict: valid
    segments:
      - {{field: \"x[0].y\", hex: \"1e\", meaning: \"it: \\\"x\\\"\"}}

streams:
  - id: a/y
    requirements: []
    note: \"n\"
    phase: handshake
    parts:
      - {{frame: {{repeat: \"00\", times: 3}}}}
      - {{length: 7}}
    cuts: [1, 2]
    end: too_long
    chunks:
      - \"03\"
      - {{length: 300, sha256: \"ab\"}}
    frames: []
"
        );
        let file: FileSet = serde_yaml::from_str(&text).unwrap();
        assert_eq!(render(&file).unwrap(), text);
    }
}
