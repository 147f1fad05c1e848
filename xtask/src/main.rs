//! What people type: `cargo xtask <command>`. Commands live in a file each; none knows the protocol.

mod vectors;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The command line of the conformance suite")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Golden vectors: write, check, export, explain.
    #[command(subcommand)]
    Vectors(vectors::VectorsCommand),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Vectors(command) => vectors::run(command),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
