//! Getting an implementation ready to be judged: its manifest, its build, and one probe of what it says of itself and claims to have.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::cluster::{
    CommandLine, ControlClient, Manifest, ManifestError, Mode, NodeProcess, Pipes, SpawnError, StoppedBy,
};
use crate::delivery::Delivery;
use crate::needs::{CAPABILITIES, CONTROL, LOOPBACK, MEASURING, SIGNALS};
use crate::probe::{self, ProbeFinding};
use crate::results::NodeFacts;
use crate::runner::{Assignment, CodecPool, Environment, Implementation};
use crate::suite::Suite;

/// How long a node may take to introduce itself.
const PROBE: Duration = Duration::from_secs(20);
/// The status by which shells say that they have not found a program.
const NOT_FOUND_BY_A_SHELL: i32 = 127;
/// How long a node may take to stop when its input ends.
const GRACE: Duration = Duration::from_secs(5);

/// Why an implementation could not be got ready; a message for its author.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The manifest is missing or wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A program that builds or runs it is not on this machine.
    #[error("{name} needs a program that is not there: {reason}")]
    Missing {
        /// The manifest's name.
        name: String,
        /// Which command wants it, and the end of what that printed.
        reason: String,
    },
    /// The build command failed or could not be run.
    #[error("the build of {name} failed: {command}: {reason}")]
    Build {
        /// The manifest's name.
        name: String,
        /// The command.
        command: String,
        /// Why, and the end of what it printed.
        reason: String,
    },
    /// The process could not be started or did not introduce itself as `spec/control.md` says.
    #[error("{name} did not pass its probe: {reason}")]
    Probe {
        /// The manifest's name.
        name: String,
        /// Why.
        reason: String,
    },
    /// It claims capabilities that are not there, or does not answer for them as `spec/control.md` says.
    #[error("the adapter of {name} claims what it does not show:{}", .findings.iter().map(|finding| {
        format!("\n  `{}`: {}", finding.capability, finding.problem.as_deref().unwrap_or_default())
    }).collect::<String>())]
    Claims {
        /// The manifest's name.
        name: String,
        /// The claims, each with its problem.
        findings: Vec<ProbeFinding>,
    },
}

/// An implementation that is ready to be judged.
#[derive(Debug)]
pub struct Ready {
    /// For the runner.
    pub environment: Environment,
    /// For the results.
    pub facts: NodeFacts,
    /// The file of known deviations that the manifest names.
    pub deviations: Option<PathBuf>,
}

/// How to get it ready.
#[derive(Debug, Clone)]
pub struct Options {
    /// The manifest.
    pub manifest: PathBuf,
    /// Cargo's target folder, for `{target_directory}`.
    pub target_directory: PathBuf,
    /// A fault to plant, for a node that has some.
    pub fault: Option<String>,
    /// The beginning of the command that repeats a case.
    pub repeat: String,
    /// How what peers send arrives.
    pub delivery: Delivery,
    /// Factor for the deadlines of cases.
    pub patience: f64,
}

/// Reads the manifest and builds the node.
///
/// # Errors
/// Returns what is wrong with the manifest or the build.
pub fn build(manifest: &Path, target_directory: &Path) -> Result<Manifest, SetupError> {
    let manifest = Manifest::load(manifest, target_directory)?;
    let Some(build) = &manifest.build else { return Ok(manifest) };
    let failed = |reason: String| SetupError::Build { name: manifest.name.clone(), command: build.to_string(), reason };
    let missing = |reason: String| SetupError::Missing { name: manifest.name.clone(), reason };
    let output = build.command().stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => missing(format!("{build}: {error}")),
        _ => failed(error.to_string()),
    })?;
    if output.status.success() {
        return Ok(manifest);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let tail: Vec<&str> = text.lines().rev().take(20).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    if output.status.code() == Some(NOT_FOUND_BY_A_SHELL) {
        return Err(missing(format!("{build}\n{}", tail.join("\n"))));
    }
    Err(failed(format!("{}\n{}", output.status, tail.join("\n"))))
}

/// Whether a node has to show what it claims before it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claims {
    Shown,
    Believed,
}

/// Probes a built node: it has to start, introduce itself, show each capability that it claims and stop when its input ends. A node with a planted
/// fault is believed: what it claims was shown without the fault.
///
/// # Errors
/// Returns what it did instead.
pub fn probe(suite: &Suite, manifest: Manifest, options: &Options) -> Result<Ready, SetupError> {
    examine(suite, manifest, options, claims_of(options))
}

/// Probes a built node as [`probe()`] does, and believes what it claims. For nodes that lie on purpose, to prove that no case is passed by a lie.
///
/// # Errors
/// Returns what it did instead of starting, introducing itself and stopping.
pub fn believe(suite: &Suite, manifest: Manifest, options: &Options) -> Result<Ready, SetupError> {
    examine(suite, manifest, options, Claims::Believed)
}

/// Probes a built node as [`probe()`] does, for clusters of several implementations.
///
/// # Errors
/// Returns what it did instead.
pub fn implementation(manifest: Manifest, options: &Options) -> Result<Implementation, SetupError> {
    introduced(manifest, options, claims_of(options))
}

/// What cases need that are played by these nodes.
#[must_use]
pub fn environment(suite: &Suite, nodes: Assignment, options: &Options) -> Environment {
    Environment {
        spec: suite.spec.clone(),
        schema: suite.schema.clone(),
        nodes,
        root: suite.root.clone(),
        repeat: options.repeat.clone(),
        delivery: options.delivery,
        patience: options.patience,
    }
}

fn claims_of(options: &Options) -> Claims {
    if options.fault.is_some() { Claims::Believed } else { Claims::Shown }
}

fn examine(suite: &Suite, manifest: Manifest, options: &Options, claims: Claims) -> Result<Ready, SetupError> {
    let implementation = introduced(manifest, options, claims)?;
    let facts = implementation.facts.clone();
    let deviations = implementation.manifest.deviations.clone();
    let environment = environment(suite, Assignment::alone(Arc::new(implementation)), options);
    Ok(Ready { environment, facts, deviations })
}

fn introduced(manifest: Manifest, options: &Options, claims: Claims) -> Result<Implementation, SetupError> {
    raise_open_files();
    let name = manifest.name.clone();
    let failed = |reason: String| SetupError::Probe { name: name.clone(), reason };
    let run = match (&options.fault, &manifest.faults) {
        (None, _) => manifest.run.clone(),
        (Some(fault), Some(faults)) => faults.run(fault),
        (Some(_), None) => return Err(failed("its manifest has no `faults`".to_owned())),
    };
    let first = manifest.addresses.command(&run, 0);
    let mut facts = NodeFacts {
        name: manifest.name.clone(),
        language: manifest.language.clone(),
        version: None,
        manifest: options.manifest.display().to_string(),
        ..NodeFacts::default()
    };
    if manifest.mode == Mode::Control {
        introduce(&first, &mut facts)?;
    } else {
        // Nobody can be asked, so the manifest is believed.
        facts.capabilities.extend(manifest.capabilities.iter().flatten().cloned());
    }
    if let Some(claimed) = &manifest.capabilities {
        let missing: Vec<&str> =
            claimed.iter().filter(|name| !facts.capabilities.contains(name)).map(String::as_str).collect();
        if manifest.mode == Mode::Control && !missing.is_empty() {
            return Err(failed(format!(
                "its manifest names the capabilities {}, which its answer to initialize lacks",
                missing.join(", ")
            )));
        }
        let claims_more = |name: &&String| name.as_str() != CONTROL && !claimed.contains(*name);
        facts.missing_in_manifest = facts.capabilities.iter().filter(claims_more).cloned().collect();
    }
    if manifest.mode == Mode::Control && claims == Claims::Shown {
        show(&first, &mut facts)?;
    }
    let all = [&CONTROL].into_iter().chain(CAPABILITIES);
    facts.undeclared =
        all.filter(|name| !facts.capabilities.iter().any(|own| own == *name)).map(|name| (*name).to_owned()).collect();
    let mut capabilities = facts.capabilities.clone();
    let addresses = &manifest.addresses;
    for (surrounding, is_there) in [
        (MEASURING, addresses.has_processes() && measures()),
        (SIGNALS, addresses.has_processes()),
        (LOOPBACK, addresses.is_loopback()),
    ] {
        if is_there {
            capabilities.push(surrounding.to_owned());
        }
    }
    Ok(Implementation { manifest, run, codecs: CodecPool::default(), capabilities, facts })
}

/// Whether the system tells of processes what cases may measure.
fn measures() -> bool {
    cfg!(target_os = "linux") && Path::new("/proc/self/fd").is_dir()
}

/// Takes as many file descriptors as the system lets this process have, and the nodes that it starts: cases open thousands
/// of connections. Where it lets none, such cases say so.
fn raise_open_files() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Has the node show what it claims, and perhaps what it does not.
fn show(run: &CommandLine, facts: &mut NodeFacts) -> Result<(), SetupError> {
    let claimed: Vec<String> = facts.capabilities.iter().filter(|name| *name != CONTROL).cloned().collect();
    let findings =
        probe::capabilities(run, &claimed).map_err(|reason| SetupError::Probe { name: facts.name.clone(), reason })?;
    let works = |finding: &&ProbeFinding| !finding.claimed && finding.problem.is_none();
    facts.unclaimed_but_working = findings.iter().filter(works).map(|finding| finding.capability.clone()).collect();
    let wrong: Vec<ProbeFinding> =
        findings.into_iter().filter(|finding| finding.claimed && finding.problem.is_some()).collect();
    if wrong.is_empty() { Ok(()) } else { Err(SetupError::Claims { name: facts.name.clone(), findings: wrong }) }
}

fn introduce(run: &CommandLine, facts: &mut NodeFacts) -> Result<(), SetupError> {
    let name = facts.name.clone();
    let failed = |reason: String| SetupError::Probe { name: name.clone(), reason };
    let process = NodeProcess::spawn(run, Pipes::Control).map_err(|error| match &error {
        SpawnError::NotStarted { reason, .. } if reason.kind() == ErrorKind::NotFound => {
            SetupError::Missing { name: name.clone(), reason: error.to_string() }
        }
        _ => failed(error.to_string()),
    })?;
    let client = ControlClient::attach(&process)
        .ok_or_else(|| failed("no thread could be started to listen to it".to_owned()))?;
    let initialized = client.initialize(Instant::now() + PROBE).map_err(|error| failed(error.to_string()))?;
    let stopped = process.stop(GRACE).ok_or_else(|| failed("its process cannot be ended".to_owned()))?;
    if !stopped.exit.left_behind.is_empty() {
        let children: Vec<&str> = stopped.exit.left_behind.iter().map(|child| child.command.as_str()).collect();
        let children = children.join(", ");
        return Err(failed(format!("it ended and left processes behind: {children}; end what you start")));
    }
    if stopped.by != StoppedBy::Itself {
        return Err(failed(format!("it did not end within {} s of the end of its input", GRACE.as_secs())));
    }
    facts.version = Some(initialized.version);
    facts.capabilities = initialized.capabilities;
    facts.capabilities.insert(0, "control".to_owned());
    Ok(())
}
