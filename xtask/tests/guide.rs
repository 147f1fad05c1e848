//! The guide for implementers does what it says: every step of `spec/your-node.md`, in its order.
//!
//! Where Python or openssl is not on this machine, it is left out, and that is said; `SNOW_REQUIRE_ALL=1` makes that a failure.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod needed;

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A fenced block of the guide.
struct Block {
    /// Line of its opening, from 1.
    line: usize,
    /// What stands behind the fence.
    info: String,
    text: String,
}

fn blocks(guide: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = guide.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            blocks.push(Block { line: index + 1, info: info.to_owned(), text: text.join("\n") });
        }
    }
    blocks
}

/// Commands, each with what it is said to print.
fn commands(block: &Block) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in block.text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((_, output))) => output.push(line.to_owned()),
            (None, None) => panic!("line {} of the guide: a console block begins with `$ `", block.line),
        }
    }
    commands
}

/// Whether a line is as said, where `…` stands for anything.
fn like(said: &str, line: &str) -> bool {
    let mut rest = line;
    let mut parts = said.split('…');
    let Some(stripped) = rest.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    rest = stripped;
    let parts: Vec<&str> = parts.collect();
    let Some((last, inner)) = parts.split_last() else { return rest.is_empty() };
    for part in inner {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Whether output is as said, where a line `…` stands for any number of lines.
fn matches(said: &[String], lines: &[&str]) -> bool {
    match said.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first.trim() == "…" => (0..=lines.len()).any(|skip| matches(rest, &lines[skip..])),
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, others)| like(first, line) && matches(rest, others))
        }
    }
}

#[test]
fn output_is_compared_but_for_what_may_vary() {
    let said = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
    assert!(matches(&said("a … c\n…\nz"), &["a b c", "x", "y", "z"]));
    assert!(matches(&said("…"), &[]));
    assert!(!matches(&said("a … c"), &["a b d"]));
    assert!(!matches(&said("a"), &["a", "b"]));
    assert!(like("in … s", "in 1.5 s") && !like("in … s", "out 1.5 s") && like("same", "same"));
}

/// Every step of the guide, in its order: files are written, commands are run, and what they print is what the guide shows.
#[test]
fn the_guide_does_what_it_says() {
    if !needed::program("python3", &["--version"]) || !needed::program("openssl", &["version"]) {
        return;
    }
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/your-node.md")).unwrap();
    let folder = TempDir::new().unwrap();
    let (checkout, node) = (folder.path().join("checkout"), folder.path().join("my-node"));
    fs::create_dir(&checkout).unwrap();
    let mut run = 0;
    for block in blocks(&guide) {
        match block.info.split_once(' ') {
            Some((_, file)) => fs::write(node.join(file), format!("{}\n", block.text)).unwrap(),
            None if block.info == "console" => {
                for (command, said) in commands(&block) {
                    let script = format!("cargo() {{ shift; {:?} \"$@\"; }}\n{command}", env!("CARGO_BIN_EXE_xtask"));
                    let output = Command::new("sh").args(["-c", &script]).current_dir(&checkout).output().unwrap();
                    let printed = String::from_utf8(output.stdout).unwrap();
                    let lines: Vec<&str> = printed.trim_end().lines().collect();
                    assert!(
                        matches(&said, &lines),
                        "line {} of the guide: `{command}` printed\n{printed}{}\nand not\n{}",
                        block.line,
                        String::from_utf8_lossy(&output.stderr),
                        said.join("\n")
                    );
                    run += 1;
                }
            }
            None => {}
        }
    }
    assert!(run >= 10, "only {run} commands were found");
}
