//! Any text at all where a scenario should be: an error, and no panic.

use std::fs;
use std::path::Path;

use super::load::{parse, step_lines};

#[test]
fn any_text_is_a_scenario_or_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/handshake");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let texts: Vec<String> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let words =
        ["*", "&a", "<<", "${", "}", "[", "{", "~", "\"", "|", "-", ": ", "for", "join", "\u{FEFF}", "!!x", "é", "\t"];
    type Shape = (u16, Vec<(u16, u8, u8)>);
    bolero::check!().with_type::<Shape>().with_iterations(600).for_each(|(seed, changes)| {
        let mut text: Vec<char> = texts[usize::from(*seed) % texts.len()].chars().collect();
        for (at, count, word) in changes.iter().take(5) {
            let at = usize::from(*at) % (text.len() + 1);
            let end = (at + usize::from(*count) % 24).min(text.len());
            text.splice(at..end, words[usize::from(*word) % words.len()].chars());
        }
        let text: String = text.into_iter().collect();
        let _ = parse(&text);
        step_lines(&text);
    });
    bolero::check!().with_iterations(600).for_each(|bytes| {
        let _ = parse(&String::from_utf8_lossy(bytes));
    });
}
