//! `cargo xtask interop`: clusters whose nodes are of several implementations.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use conformance::case::Case;
use conformance::interop::{self, Cluster, Design, Field, Player};
use conformance::report;
use conformance::runner::Assignment;
use conformance::setup::{self, SetupError};
use conformance::suite::{Selection, Suite};

use crate::cases::{self, CaseArguments};
use crate::outputs::OutputArguments;
use crate::progress::Progress;
use crate::workspace;

/// Runs every case with several nodes so that they are of different implementations: two nodes of every ordered pair, more nodes of three
/// implementations, so that every two nodes are of every pair once. Exit codes as of `conformance`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    cases: CaseArguments,
    /// Implementations: `reference`, a folder of conformance/nodes, or the path of a manifest [default: the reference and all of
    /// conformance/nodes that can be built here].
    #[arg(long, value_name = "NODE,…", value_delimiter = ',')]
    nodes: Vec<String>,
    /// Who plays which node, of one cluster; the reference plays those that are not named.
    #[arg(long, value_name = "NODE=IMPLEMENTATION,…", value_delimiter = ',', conflicts_with_all = ["nodes", "every"])]
    assign: Vec<String>,
    /// Every cluster that is not of one implementation alone, and not few that cover all pairs.
    #[arg(long)]
    every: bool,
    /// Fail where an implementation cannot be built for want of its tools, and do not go on without it.
    #[arg(long)]
    require_all: bool,
    #[command(flatten)]
    outputs: OutputArguments,
}

const COMMAND: &str = "cargo xtask interop";
/// What the reference is called on command lines.
const REFERENCE: &str = "reference";
/// Nodes that do nothing right are in no cluster, unless somebody names them.
const TRIVIAL: &str = "trivial";

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let suite = match workspace::suite()? {
        Ok(suite) => suite,
        Err(code) => return Ok(code),
    };
    let (cases, left_out) = selected(&suite, arguments)?;
    if arguments.cases.list {
        cases::list(&cases);
        return Ok(ExitCode::SUCCESS);
    }
    let outputs = arguments.outputs.open()?;
    let assigned = assigned(&arguments.assign)?;
    let field = match field(&suite, arguments, &assigned)? {
        Ok(field) => field,
        Err(code) => return Ok(code),
    };
    let clusters = clusters(arguments, &cases, &field, &assigned)?;
    let options = arguments.cases.options(command(arguments), left_out);
    let total = clusters.len() as u64 * u64::from(arguments.cases.repeat);
    announce(&field, cases.len(), total);
    let mut progress = Progress::of(total);
    let mut results = interop::play(&field, &cases, &clusters, &options, |result| {
        progress.hears_of(result, false);
        true
    });
    progress.end();
    interop::blame(&field, &cases, &clusters, &mut results, options.jobs, |done, total| {
        eprintln!("looked for whom to blame for {done} of {total} clusters that did not pass");
    });
    println!("{}", report::interop(&results));
    arguments.outputs.print(&results);
    outputs.write(&results)?;
    Ok(ExitCode::from(results.conclusion().exit_code()))
}

/// Cases with several nodes, and how many more of them are in the other set.
fn selected(suite: &Suite, arguments: &Arguments) -> anyhow::Result<(Vec<Case>, usize)> {
    let clusters: Vec<Case> = suite.cases.iter().filter(|case| interop::is_cluster(case)).cloned().collect();
    let suite = Suite { cases: clusters, ..suite.clone() };
    match suite.select(&arguments.cases.filter, arguments.cases.set.into()) {
        Ok(Selection { cases, left_out }) => Ok((cases, left_out)),
        Err(message) => bail!("{message} (only cases with several nodes are meant here)"),
    }
}

/// Nodes and what the command line calls the implementations that play them.
fn assigned(assign: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let pair = |text: &String| {
        let (node, name) = text.split_once('=').with_context(|| format!("`{text}` is not <node>=<implementation>"))?;
        Ok((node.to_owned(), name.to_owned()))
    };
    assign.iter().map(pair).collect()
}

/// The implementations, ready; or what is wrong with one of them printed and the exit code for that.
fn field(
    suite: &Suite,
    arguments: &Arguments,
    assigned: &BTreeMap<String, String>,
) -> anyhow::Result<Result<Field, ExitCode>> {
    let called: Vec<String> = match (arguments.nodes.as_slice(), assigned.is_empty()) {
        ([], true) => known_nodes()?,
        ([], false) => assigned.values().cloned().collect(),
        (nodes, _) => nodes.to_vec(),
    };
    let reference_plays = called.iter().any(|name| name == REFERENCE);
    let mut players: Vec<Player> = Vec::new();
    let options = |manifest| -> anyhow::Result<setup::Options> {
        Ok(setup::Options {
            manifest,
            target_directory: workspace::target_directory()?,
            fault: None,
            repeat: COMMAND.to_owned(),
            delivery: arguments.cases.delivery(),
            patience: 1.0,
        })
    };
    for name in [REFERENCE.to_owned()].into_iter().chain(called) {
        if players.iter().any(|player| player.called == name) {
            continue;
        }
        let options = options(manifest_of(&name)?)?;
        let built = setup::build(&options.manifest, &options.target_directory);
        match built.and_then(|manifest| setup::implementation(manifest, &options)) {
            Ok(implementation) => players.push(Player { called: name, implementation: Arc::new(implementation) }),
            Err(error @ SetupError::Missing { .. }) if !arguments.require_all && arguments.assign.is_empty() => {
                println!("left out: {error}");
            }
            Err(error) => {
                eprintln!("error: {error}");
                return Ok(Err(ExitCode::from(workspace::SETUP)));
            }
        }
    }
    let names: Vec<&str> = players.iter().map(|player| player.implementation.facts.name.as_str()).collect();
    if let Some(twice) = names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(name)) {
        bail!("two of these implementations are called `{twice}` in their manifests");
    }
    let first = usize::from(!reference_plays);
    let common = setup::environment(
        suite,
        Assignment::alone(players[0].implementation.clone()),
        &options(workspace::default_manifest()?)?,
    );
    let playing = (first..players.len()).collect();
    Ok(Ok(Field { players, reference: 0, playing, common, repeat: repeated(arguments) }))
}

/// The reference, and all of conformance/nodes.
fn known_nodes() -> anyhow::Result<Vec<String>> {
    let folder = nodes_folder()?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != TRIVIAL && entry.path().join("node.yaml").is_file() {
            names.push(name);
        }
    }
    names.sort();
    names.insert(0, REFERENCE.to_owned());
    Ok(names)
}

fn nodes_folder() -> anyhow::Result<PathBuf> {
    Ok(workspace::root()?.join("conformance/nodes"))
}

fn manifest_of(name: &str) -> anyhow::Result<PathBuf> {
    if name == REFERENCE {
        return workspace::default_manifest();
    }
    let is_path = Path::new(name).components().count() > 1 || Path::new(name).is_file();
    if is_path {
        return Ok(PathBuf::from(name));
    }
    let manifest = nodes_folder()?.join(name).join("node.yaml");
    if !manifest.is_file() {
        bail!("there is no node `{name}`: give {}, or the path of a manifest", known_nodes()?.join(", "));
    }
    Ok(manifest)
}

fn clusters(
    arguments: &Arguments,
    cases: &[Case],
    field: &Field,
    assigned: &BTreeMap<String, String>,
) -> anyhow::Result<Vec<Cluster>> {
    if assigned.is_empty() {
        if field.playing.len() < 2 {
            bail!("mixed clusters need two implementations; there is one");
        }
        let design = if arguments.every { Design::Every } else { Design::Covering };
        return Ok(interop::clusters(cases, field, design));
    }
    let player = |name: &String| field.players.iter().position(|player| player.called == *name);
    let assigned: BTreeMap<String, usize> =
        assigned.iter().filter_map(|(node, name)| Some((node.clone(), player(name)?))).collect();
    let clusters = interop::assigned(cases, field, &assigned);
    if clusters.is_empty() {
        bail!("no selected case has the nodes {}", assigned.into_keys().collect::<Vec<_>>().join(", "));
    }
    Ok(clusters)
}

/// How commands begin that repeat one of the cases.
fn repeated(arguments: &Arguments) -> String {
    format!("{COMMAND}{}", arguments.cases.delivery_option())
}

/// What was asked for, for the results.
fn command(arguments: &Arguments) -> String {
    let mut words = vec![repeated(arguments)];
    let mut list = |option: &str, values: &[String]| {
        if !values.is_empty() {
            words.push(format!("{option} {}", values.join(",")));
        }
    };
    list("--nodes", &arguments.nodes);
    list("--assign", &arguments.assign);
    if arguments.every {
        words.push("--every".to_owned());
    }
    words.extend(arguments.cases.filter.iter().map(|filter| format!("'{filter}'")));
    words.join(" ")
}

fn announce(field: &Field, cases: usize, total: u64) {
    let names: Vec<&str> = field.playing.iter().map(|player| field.players[*player].called.as_str()).collect();
    let plural = |count| if count == 1 { "" } else { "s" };
    println!("{total} cluster{} of {} in {cases} case{}", plural(total), names.join(", "), plural(cases as u64));
}
