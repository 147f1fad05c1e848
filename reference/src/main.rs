//! The command line of the reference node.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use reference::{
    by_hand::{self, Options},
    control,
    faults::{self, Planted},
};
use tracing_subscriber::EnvFilter;

/// A clean-room node of the Snow distribution protocol, version 5.
///
/// By hand:        snow-node --name a@127.0.0.1:4001 --cookie-file cookie --connect b@127.0.0.1:4002
/// By a harness:   snow-node --control
///
/// Logs go to standard error; RUST_LOG sets what is in them (default: info).
#[derive(Debug, Parser)]
#[command(name = "snow-node", version, verbatim_doc_comment)]
struct Cli {
    /// Speak the control protocol (JSON-RPC lines) on standard input and output
    #[arg(long, conflicts_with_all = ["name", "list_faults"])]
    control: bool,

    /// The node's name: name@host or name@host:port; port 0 takes a free one, no port means 9000
    #[arg(long, value_name = "NODE", required_unless_present_any = ["control", "list_faults"])]
    name: Option<String>,

    /// A file whose bytes are the cluster's secret: all of them count, a newline at the end too
    #[arg(long, value_name = "FILE", required_unless_present_any = ["control", "list_faults"])]
    cookie_file: Option<PathBuf>,

    /// Connect to this node (may be given more than once)
    #[arg(long, value_name = "NODE", requires = "name")]
    connect: Vec<String>,

    /// Listen here instead of at the name's host and port
    #[arg(long, value_name = "HOST:PORT", requires = "name")]
    listen: Option<String>,

    /// Serve rooms to WebSocket clients here (default: a free port beside the node's)
    #[arg(long, value_name = "HOST:PORT", requires = "name")]
    rooms: Option<String>,

    /// Time between two PINGs of a session
    #[arg(long, value_name = "MS", default_value_t = 60_000, value_parser = milliseconds())]
    heartbeat_interval_ms: u64,

    /// How long a PONG may take before its session ends
    #[arg(long, value_name = "MS", default_value_t = 15_000, value_parser = milliseconds())]
    heartbeat_timeout_ms: u64,

    /// How long a handshake may take, from TCP to the last message
    #[arg(long, value_name = "MS", default_value_t = 7_000, value_parser = milliseconds())]
    handshake_timeout_ms: u64,

    /// Plant a bug, to see a test fail (may be given more than once)
    #[arg(long, value_name = "ID", requires = "control", hide_short_help = true)]
    fault: Vec<String>,

    /// Print the bugs that can be planted, as JSON
    #[arg(long, hide_short_help = true)]
    list_faults: bool,
}

/// From 1 ms to a year.
fn milliseconds() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=31_536_000_000)
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list_faults {
        println!("{}", faults::list_json());
        return ExitCode::SUCCESS;
    }
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("snow-node: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
    raise_open_files();
    // One thread serves all sockets: a node is bound by its peers, not by its processor, and needs no locks this way.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = match (cli.name, cli.cookie_file) {
        (Some(name), Some(cookie_file)) => runtime.block_on(by_hand::run(Options {
            name,
            cookie_file,
            connect: cli.connect,
            listen: cli.listen,
            rooms: cli.rooms,
            heartbeat_interval_ms: cli.heartbeat_interval_ms,
            heartbeat_timeout_ms: cli.heartbeat_timeout_ms,
            handshake_timeout_ms: cli.handshake_timeout_ms,
        })),
        _ => {
            let planted = Planted::new(cli.fault.iter().map(String::as_str))?;
            runtime.block_on(control::serve(planted))
        }
    };
    // Name lookups may still be under way on threads of their own; nobody waits for them.
    runtime.shutdown_background();
    result
}

/// Takes as many file descriptors as the system lets it have: the usual soft limit of 1,024 is less than 1,000 stalled
/// connections and what a node needs besides (RES-4).
fn raise_open_files() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(why) = raised {
        tracing::warn!("the limit of open files stays as it is: {why}");
    }
}
