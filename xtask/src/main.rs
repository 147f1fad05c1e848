//! What people type: `cargo xtask <command>`. One file a command; what a protocol is, is known elsewhere.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod cases;
mod chaos;
mod ci;
mod conformance;
mod coverage;
mod doctor;
mod faults;
mod fuzz;
mod hazards;
mod independence;
mod interop;
mod matrix;
mod new_node;
mod outputs;
mod progress;
mod promises;
mod results;
mod scenarios;
mod simulate;
mod spec;
mod trivial;
mod vectors;
mod workspace;

/// The judge of Snow nodes.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge a node: run the suite and say, requirement by requirement, whether it conforms.
    Conformance(conformance::Arguments),
    /// Run clusters of several implementations at once, and say at whose door it lies where they do not fit together.
    Interop(interop::Arguments),
    /// Begin a node: write a skeleton in your language, or what is needed in any other.
    NewNode(new_node::Arguments),
    /// Examine an adapter alone: does it start, answer, overlap and end as spec/control.md has it?
    Doctor(doctor::Arguments),
    /// Show state by state and input by input what a node makes of what it is sent.
    Matrix(matrix::Arguments),
    /// Play scenarios that draw what they do from a seed, with fresh seeds, until one fails.
    Chaos(chaos::Arguments),
    /// Plant each fault of a node and show which cases catch it.
    Faults(faults::Arguments),
    /// Ask a node about inputs that nobody has written: its codec has to agree with the harness's, and it has to outlive them.
    Fuzz(fuzz::Arguments),
    /// Run the suite against nodes that do nothing right: none may pass a MUST case.
    Trivial(trivial::Arguments),
    /// Put the results of shards together.
    #[command(subcommand)]
    Results(results::ResultsCommand),
    /// List requirement, cases and faults, or the promises that they keep; fail on a MUST without both.
    Coverage(coverage::Arguments),
    /// Golden vectors: generate, check, export, explain.
    #[command(subcommand)]
    Vectors(vectors::VectorsCommand),
    /// Check the spec: ids, layouts in prose against the schema, control protocol.
    #[command(subcommand)]
    Spec(spec::SpecCommand),
    /// Check scenario files, or write their JSON Schema.
    #[command(subcommand)]
    Scenarios(scenarios::ScenariosCommand),
    /// Prove that the reference node and the harness share no code.
    Independence,
    /// Find the shortest way to each hazard of the spec, and write it there.
    Hazards(hazards::Arguments),
    /// Run whole clusters of the reference node in simulated time, after seeds.
    Simulate(simulate::Arguments),
    /// Time the suite and name its slowest cases.
    Bench(bench::Arguments),
    /// Everything that CI runs, in CI's order.
    Ci(ci::Arguments),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Interop(arguments) => interop::run(&arguments),
        Command::NewNode(arguments) => new_node::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Matrix(arguments) => matrix::run(&arguments),
        Command::Chaos(arguments) => chaos::run(&arguments),
        Command::Faults(arguments) => faults::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Trivial(arguments) => trivial::run(&arguments),
        Command::Results(command) => results::run(&command),
        Command::Coverage(arguments) => coverage::run(&arguments),
        Command::Vectors(command) => vectors::run(command),
        Command::Spec(command) => spec::run(&command),
        Command::Scenarios(command) => scenarios::run(&command),
        Command::Independence => independence::run(),
        Command::Hazards(arguments) => hazards::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Ci(arguments) => ci::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
