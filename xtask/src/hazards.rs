//! `cargo xtask hazards`: has the model checker find the shortest way to each hazard, and writes it beside the hazard in
//! the spec. What a hazard is, is known elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;

use crate::workspace;

/// Checks all orders of what may happen to two or three nodes, and writes the shortest ways to hazards into the spec.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail if a chapter has other ways than those found.
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Deserialize)]
struct Found {
    hazards: Vec<Hazard>,
    proofs: Vec<Proof>,
}

#[derive(Debug, Deserialize)]
struct Hazard {
    id: String,
    chapter: String,
    /// `None` when it cannot be found any more.
    lines: Option<Vec<String>>,
    states: usize,
    depth: usize,
}

#[derive(Debug, Deserialize)]
struct Proof {
    claim: String,
    states: usize,
    depth: usize,
    /// The way to where the claim does not hold.
    broken: Option<Vec<String>>,
}

const BEGINNING: &str = "<!-- generated: cargo xtask hazards -->";
const END: &str = "<!-- end -->";

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let root = workspace::root()?;
    let found = find(&root)?;
    let mut blocks: BTreeMap<(String, String), String> = BTreeMap::new();
    println!("{:>8} {:>6}", "states", "depth");
    for hazard in found.hazards {
        println!("{:>8} {:>6}  {} found", hazard.states, hazard.depth, hazard.id);
        let Some(lines) = hazard.lines else { bail!("{} cannot be found any more", hazard.id) };
        let block = blocks.entry((hazard.chapter, hazard.id)).or_default();
        if !block.is_empty() {
            block.push('\n');
        }
        for line in lines {
            // Writing to a string cannot fail.
            let _ = writeln!(block, "    {line}");
        }
    }
    for proof in found.proofs {
        println!("{:>8} {:>6}  {}", proof.states, proof.depth, proof.claim);
        if let Some(lines) = proof.broken {
            bail!("this does not hold:\n{}", lines.join("\n"));
        }
    }
    let mut is_different = false;
    for ((chapter, id), block) in blocks {
        let path = root.join("spec").join(format!("{chapter}.md"));
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let written = replaced(&text, &id, &block).with_context(|| format!("spec/{chapter}.md"))?;
        if written == text {
            continue;
        }
        if arguments.check {
            eprintln!(
                "error: spec/{chapter}.md has another way to {id} than the shortest; `cargo xtask hazards` writes it"
            );
            is_different = true;
        } else {
            std::fs::write(&path, written).with_context(|| format!("writing {}", path.display()))?;
            println!("spec/{chapter}.md: {id} written");
        }
    }
    Ok(if is_different { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn find(root: &Path) -> anyhow::Result<Found> {
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--package", "reference", "--bin", "snow-hazards"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("snow-hazards could not be run")?;
    serde_json::from_slice(&output.stdout).context("snow-hazards has said nothing that can be read")
}

/// A chapter's text with another block behind the hazard's description.
fn replaced(text: &str, id: &str, block: &str) -> anyhow::Result<String> {
    let hazard = text.find(&format!("**Hazard {id}**")).with_context(|| format!("has no hazard {id}"))?;
    let beginning = text[hazard..].find(BEGINNING).with_context(|| format!("{id} has no `{BEGINNING}`"))?;
    let inside = hazard + beginning + BEGINNING.len();
    if text[hazard + 1..inside].contains("**Hazard ") {
        bail!("{id} has no `{BEGINNING}` before the next hazard");
    }
    let end = inside + text[inside..].find(END).with_context(|| format!("{id} has no `{END}`"))?;
    Ok(format!("{}\n\n{block}\n{}", &text[..inside], &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_replaced_and_nothing_else() -> anyhow::Result<()> {
        let text = format!("a\n**Hazard X-H1** b\n\n{BEGINNING}\nold\n{END}\nc\n**Hazard X-H2** d\n");
        let written = replaced(&text, "X-H1", "    new\n")?;
        assert_eq!(written, text.replace("\nold\n", "\n\n    new\n\n"));
        assert_eq!(replaced(&written, "X-H1", "    new\n")?, written);
        assert!(replaced(&text, "X-H2", "").is_err() && replaced(&text, "X-H3", "").is_err());
        Ok(())
    }
}
