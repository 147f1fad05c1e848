//! The command line of the simulation.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use reference::simulation::{Found, Options, search};

/// Runs whole clusters of the reference node in simulated time, and says what is wrong with them.
///
/// Exit codes: 0 nothing is wrong, 1 a schedule fails, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "snow-simulate", version)]
struct Cli {
    /// The first seed; each schedule has its own, counted from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// How many nodes each world has [default: 3 to 5, by the seed]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=999))]
    nodes: Option<u64>,

    /// How many schedules are run at most
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    schedules: u64,

    /// How long they may take, together
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u64,

    /// How many threads run them
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,

    /// Plant a bug in all nodes, to see it found (may be given more than once)
    #[arg(long, value_name = "ID")]
    fault: Vec<String>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let options = Options {
        seed: cli.seed,
        nodes: cli.nodes.map(|nodes| nodes as usize),
        schedules: cli.schedules,
        time: Duration::from_secs(cli.seconds),
        threads: cli.threads,
        faults: cli.fault,
    };
    let start = std::time::Instant::now();
    match search(&options) {
        Ok(Found::Nothing { schedules }) => {
            let seconds = start.elapsed().as_secs_f64();
            let rate = schedules as f64 / seconds;
            println!("{schedules} schedules from seed {} in {seconds:.1} s ({rate:.0}/s): nothing wrong", options.seed);
            ExitCode::SUCCESS
        }
        Ok(Found::Failure(report)) => {
            print!("{report}");
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}
