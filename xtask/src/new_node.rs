//! `cargo xtask new-node`: a folder to begin a node in, made from one of the templates of `conformance/templates`.
//!
//! A template is a node that works where it stands and is called `my-node`: what is made from it is the same under another name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use conformance::{schema, vectors};

use crate::workspace;

/// What templates call themselves.
const NAME: &str = "my-node";
/// The template for languages without one of their own; the golden vectors go with it.
const BARE: &str = "bare";

/// Writes a skeleton that passes rung 0; `bare` is for any other language, and has no code.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The language, or `bare`.
    language: String,
    /// The folder to make; the node is called by its name.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let root = workspace::root()?;
    let templates = root.join("conformance/templates");
    let languages = languages(&templates)?;
    if !languages.contains(&arguments.language) {
        bail!(
            "there is no template for `{}`; there are {}; `{BARE}` is for every other language",
            arguments.language,
            languages.join(", ")
        );
    }
    let folder = &arguments.folder;
    if folder.exists() && fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_some()) {
        bail!("{} is there and is no empty folder: nothing was written", folder.display());
    }
    let name = name(folder)?;
    let mut written = copy(&templates.join(&arguments.language), folder, &name)?;
    if arguments.language == BARE {
        let schema = schema::load(&root.join("spec/schema"))?;
        written.extend(vectors::export(&schema, &root.join("vectors"), &folder.join("vectors"))?);
    }
    written.sort();
    for path in &written {
        println!("wrote {}", path.display());
    }
    let manifest = folder.join("node.yaml");
    let manifest = manifest.display();
    if arguments.language == BARE {
        println!("next: read {}, then write the program that {manifest} starts", folder.join("README.md").display());
    } else {
        println!("next: cargo xtask doctor --node {manifest}");
        println!("then: cargo xtask conformance --node {manifest} --rung 0");
    }
    Ok(ExitCode::SUCCESS)
}

/// The templates that there are.
fn languages(templates: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(templates).with_context(|| format!("{} cannot be read", templates.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The node's name: that of its folder, as package managers take it.
fn name(folder: &Path) -> anyhow::Result<String> {
    let whole = std::path::absolute(folder).with_context(|| format!("finding {}", folder.display()))?;
    let last = whole.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let fitting = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = last.chars().map(fitting).collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        bail!("{} has no name of letters and digits that a node could be called by", folder.display());
    }
    Ok(if name.starts_with(|c: char| c.is_ascii_digit()) { format!("node-{name}") } else { name.to_owned() })
}

/// Copies a template under another name, and tells what it wrote.
fn copy(from: &Path, to: &Path, name: &str) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(to).with_context(|| format!("{} cannot be made", to.display()))?;
    let mut written = Vec::new();
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        // What was left by running a template where it stands is no part of it.
        if matches!(file.as_str(), "__pycache__" | "target" | "node_modules") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            written.extend(copy(&entry.path(), &to.join(&file), name)?);
            continue;
        }
        // Under its own name it would count for the templates themselves.
        let path = to.join(if file == "gitignore" { ".gitignore" } else { &file });
        let text = fs::read_to_string(entry.path()).with_context(|| format!("reading {}", entry.path().display()))?;
        fs::write(&path, text.replace(NAME, name)).with_context(|| format!("{} cannot be written", path.display()))?;
        written.push(path);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_called_by_their_folders() {
        for (folder, wanted) in [("/a/snow", "snow"), ("/a/My Node", "my-node"), ("/a/7up", "node-7up")] {
            assert_eq!(name(Path::new(folder)).ok().as_deref(), Some(wanted));
        }
        assert!(name(Path::new("/a/--")).is_err());
    }
}
