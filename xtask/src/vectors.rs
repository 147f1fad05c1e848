//! `cargo xtask vectors`: the golden vectors, written, checked, exported, and bytes explained.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use conformance::case::{Case, Kind};
use conformance::codec::{explain, explain_frame, explain_term};
use conformance::delivery::Delivery;
use conformance::report;
use conformance::requirement::Spec;
use conformance::results::Outcome;
use conformance::run::{self, Options};
use conformance::schema::{self, Phase, Schema};
use conformance::setup;
use conformance::vectors::{self, Fill, Problem};

use crate::workspace;

/// Golden vectors: bytes that spec, nodes and harness have to agree on.
#[derive(Debug, Subcommand)]
pub(crate) enum VectorsCommand {
    /// Compute all bytes from what people wrote, and rewrite the files in their one form.
    Generate {
        /// Add the mutations of typical vectors that are missing.
        #[arg(long)]
        fill: bool,
    },
    /// Find stale files, reused ids, unknown requirements and missing vectors, and vectors that a node's codec disagrees with.
    Check {
        /// The manifest of a node with the capabilities `codec` and `term` [default: the reference node's].
        #[arg(long, value_name = "MANIFEST")]
        node: Option<PathBuf>,
    },
    /// Write the vectors as JSON, one file a family.
    Export {
        /// The folder to write to; made if need be.
        #[arg(long, value_name = "DIR")]
        json: PathBuf,
    },
    /// Explain any bytes, segment by segment.
    Explain {
        /// Hex; spaces, colons and a leading 0x do not matter.
        #[arg(required = true)]
        hex: Vec<String>,
        /// Read them as a message of this phase; otherwise the tag decides.
        #[arg(long, value_parser = phase)]
        phase: Option<Phase>,
        /// They are a term, which begins with its version.
        #[arg(long, conflicts_with_all = ["phase", "frame"])]
        term: bool,
        /// They begin with a frame's length; otherwise that is so when the first four bytes count the rest.
        #[arg(long)]
        frame: bool,
    },
}

/// Judges a node's codec by all vectors.
fn judged(node: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let suite = match workspace::suite()? {
        Ok(suite) => suite,
        Err(code) => return Ok(code),
    };
    let options = setup::Options {
        manifest: node.map_or_else(workspace::default_manifest, Ok)?,
        target_directory: workspace::target_directory()?,
        fault: None,
        repeat: "cargo xtask conformance".to_owned(),
        delivery: Delivery::Whole,
        patience: 1.0,
    };
    let manifest = setup::build(&options.manifest, &options.target_directory)?;
    let ready = setup::probe(&suite, manifest, &options)?;
    let cases: Vec<Case> = suite.cases.iter().filter(|case| matches!(case.kind, Kind::Vector(_))).cloned().collect();
    let filters = vec!["vectors/".to_owned()];
    let run_options = Options { jobs: 2, repeat: 1, command: options.repeat.clone(), filters, left_out: 0 };
    let results = run::run(&ready.environment, ready.facts.clone(), &cases, &run_options, |_| true);
    let mut agreed = 0;
    for case in &results.cases {
        match &case.outcome {
            Outcome::Pass => agreed += 1,
            Outcome::Fail { failure } => eprint!("{}", report::failure(&results, case, failure)),
            Outcome::Error { problem } => eprint!("{}", report::problem(case, problem)),
            Outcome::Skipped { missing } => eprintln!("{}: skipped, {} lacks {missing}", case.id, ready.facts.name),
        }
    }
    println!("the codec of {} agrees with {agreed} of {} vectors", ready.facts.name, results.cases.len());
    Ok(if agreed == results.cases.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the command. Findings are printed, one a line, and end with 1; bad input ends with 2.
pub(crate) fn run(command: VectorsCommand) -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().context("finding the repository")?;
    let (spec, folder) = (root.join("spec"), root.join("vectors"));
    let schema = schema::load(&spec.join("schema"))?;
    match command {
        VectorsCommand::Generate { fill } => {
            let fill = if fill { Fill::Gaps } else { Fill::Nothing };
            match vectors::generate(&schema, &folder, fill) {
                Ok(changed) => changed.iter().for_each(|path| println!("wrote {}", shown(&root, path))),
                Err(problems) => return Ok(report(&root, &problems)),
            }
            Ok(ExitCode::SUCCESS)
        }
        VectorsCommand::Check { node } => {
            let known: BTreeSet<String> = Spec::load(&spec)?.requirements.into_keys().collect();
            let problems = vectors::check(&schema, &folder, &known);
            if !problems.is_empty() {
                return Ok(report(&root, &problems));
            }
            let corpus = vectors::load(&schema, &folder)?;
            let counts: Vec<String> =
                corpus.sets.iter().map(|set| format!("{} {}", set.family, set.vectors.len())).collect();
            println!("{} vectors: {}", corpus.vectors().count(), counts.join(", "));
            judged(node)
        }
        VectorsCommand::Export { json } => {
            for path in vectors::export(&schema, &folder, &json)? {
                println!("wrote {}", path.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        VectorsCommand::Explain { hex, phase, term, frame } => match explained(&schema, &hex, phase, term, frame) {
            Ok(table) => {
                print!("{table}");
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                eprintln!("error: {error}");
                Ok(ExitCode::from(2))
            }
        },
    }
}

fn explained(
    schema: &Schema,
    words: &[String],
    phase: Option<Phase>,
    term: bool,
    frame: bool,
) -> anyhow::Result<String> {
    let bytes = bytes(&words.concat())?;
    if term {
        return Ok(explain_term(schema, &bytes).to_string());
    }
    let framed = explain_frame(schema, phase, &bytes);
    if frame && framed.is_none() {
        bail!("the first four bytes do not count the bytes behind them");
    }
    Ok(framed.unwrap_or_else(|| explain(schema, phase, &bytes)).to_string())
}

fn bytes(text: &str) -> anyhow::Result<Vec<u8>> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    let mut values = Vec::new();
    for (index, &digit) in digits.iter().enumerate() {
        let Some(value) = digit.to_digit(16) else {
            bail!("'{digit}', digit {} of the hex, is none", index + 1);
        };
        values.push(value as u8);
    }
    if values.len() % 2 != 0 {
        bail!("hex has two digits a byte; there are {}", values.len());
    }
    Ok(values.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn phase(text: &str) -> Result<Phase, String> {
    match text {
        "handshake" => Ok(Phase::Handshake),
        "session" => Ok(Phase::Session),
        _ => Err("a phase is handshake or session".to_owned()),
    }
}

fn report(root: &Path, problems: &[Problem]) -> ExitCode {
    for Problem { path, what } in problems {
        println!("{}: {what}", shown(root, path));
    }
    ExitCode::FAILURE
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_people_paste_it() -> anyhow::Result<()> {
        for text in ["0xf001", "f0 01", "F0:01"] {
            assert_eq!(bytes(text)?, [0xF0, 0x01]);
        }
        assert_eq!(
            bytes("f0g1").map_err(|error| error.to_string()),
            Err("'g', digit 3 of the hex, is none".to_owned())
        );
        assert!(bytes("f00").is_err());
        Ok(())
    }
}
