//! `cargo xtask independence`: the reference node and the harness share no code of ours, in either direction.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use crate::workspace;

/// The two strangers.
const STRANGERS: [&str; 2] = ["reference", "conformance"];

/// What each codec stands on, by its folder in the source of the crate, and what it must not mention.
const FORBIDDEN: [(&str, &[&str]); 2] =
    [("reference/src", &["spec/schema", "vectors/"]), ("conformance/src", &["tokio", "reference::"])];

/// What the node itself must not be able to read the schema with; its tests read golden bytes with it.
const FOR_TESTS_ALONE: (&str, &str) = ("reference", "serde_yaml");

/// Runs the command.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let root = workspace::root()?;
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .exec()
        .context("asking cargo for the dependencies")?;
    let mut wrong = Vec::new();
    for stranger in STRANGERS {
        let reached = reach(&metadata.packages, stranger);
        for other in STRANGERS.into_iter().filter(|other| *other != stranger) {
            if reached.contains(other) {
                wrong.push(format!("{stranger} depends on {other}"));
            }
        }
    }
    let ours = |name: &str| {
        let package = metadata.packages.iter().find(|package| package.name.as_str() == name);
        package.map(|package| package.dependencies.iter().filter(|d| d.path.is_some()).count())
    };
    for stranger in STRANGERS {
        if ours(stranger) != Some(0) {
            wrong.push(format!("{stranger} depends on another crate of this workspace"));
        }
    }
    let (stranger, reader) = FOR_TESTS_ALONE;
    let package = metadata.packages.iter().find(|package| package.name.as_str() == stranger);
    let uses = |package: &Package| {
        package.dependencies.iter().any(|d| d.name == reader && d.kind != DependencyKind::Development)
    };
    if package.is_none_or(uses) {
        wrong.push(format!("{stranger} depends on {reader} outside its tests"));
    }
    for (folder, words) in FORBIDDEN {
        mentions(&root.join(folder), words, &mut wrong)?;
    }
    for line in &wrong {
        eprintln!("error: {line}");
    }
    if !wrong.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    println!("reference and conformance are strangers: no path between them, nothing of ours in common");
    Ok(ExitCode::SUCCESS)
}

/// All packages that `from` can reach, tests and builds included.
fn reach<'a>(packages: &'a [Package], from: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        if let Some(package) = packages.iter().find(|package| package.name.as_str() == name) {
            for dependency in package.dependencies.iter().filter(|d| d.kind != DependencyKind::Unknown) {
                if reached.insert(dependency.name.as_str()) {
                    open.push(&dependency.name);
                }
            }
        }
    }
    reached
}

fn mentions(folder: &Path, words: &[&str], wrong: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            mentions(&path, words, wrong)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            for (index, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for word in words.iter().filter(|word| code.contains(**word)) {
                    wrong.push(format!("{}:{}: mentions `{word}`", path.display(), index + 1));
                }
            }
        }
    }
    Ok(())
}
