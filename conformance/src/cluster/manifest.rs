//! `node.yaml`: how a node is built, started and what it is expected to be able to do. Closed: what it may not say is an error.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use super::addresses::{Addresses, DocumentAddress};
use super::command::CommandLine;
use crate::needs::CAPABILITIES;

/// The placeholders that make a node wire-only.
const WIRE_ONLY: [&str; 4] = ["name", "host", "port", "cookie_file"];

/// A manifest, checked, with its paths made absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The file itself.
    pub path: PathBuf,
    /// Shown in reports.
    pub name: String,
    /// The language that the node is written in.
    pub language: String,
    /// To be run once before the node is first started.
    pub build: Option<CommandLine>,
    /// Starts one node.
    pub run: CommandLine,
    /// Whether the node speaks the control protocol.
    pub mode: Mode,
    /// Where its nodes are, and where they find the harness.
    pub addresses: Addresses,
    /// What it is expected to answer to `initialize`, if the manifest says so.
    pub capabilities: Option<BTreeSet<String>>,
    /// The timers that a wire-only node has; the protocol's defaults where the manifest is silent.
    pub timers: Timers,
    /// The file of known deviations.
    pub deviations: Option<PathBuf>,
    /// Planted faults, for a node that has them.
    pub faults: Option<Faults>,
}

/// How a node is driven. Inferred from the placeholders in `run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// By the control protocol on standard input and output.
    Control,
    /// Not at all: it is given its name, address and cookie on its command line.
    WireOnly,
}

/// A node's timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// From one PING to the next.
    pub heartbeat_interval: Duration,
    /// From a PING to the end of the session if no PONG comes.
    pub heartbeat_timeout: Duration,
    /// From a connection's beginning to its end if it does not authenticate.
    pub handshake_timeout: Duration,
}

/// Commands of a node with planted faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// Prints the faults.
    pub list: CommandLine,
    run: CommandLine,
}

impl Faults {
    /// Starts one node that has this fault.
    pub fn run(&self, fault: &str) -> CommandLine {
        self.run.filled("fault", fault)
    }
}

/// A manifest that cannot be used.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("{path}: {reason}; give the path of a node.yaml (spec/control.md, \"The manifest\")")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The file does not say what it must, or says what it may not.
    #[error("{path}:{line}:{column}: {message}{hint} (spec/control.md, \"The manifest\")")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong.
        message: String,
        /// What was probably meant; empty, or with its own punctuation in front.
        hint: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    language: String,
    build: Option<Vec<String>>,
    run: Vec<String>,
    directory: Option<PathBuf>,
    address: Option<DocumentAddress>,
    capabilities: Option<BTreeSet<String>>,
    #[serde(default)]
    timers: DocumentTimers,
    deviations: Option<PathBuf>,
    faults: Option<DocumentFaults>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct DocumentTimers {
    heartbeat_interval_ms: Option<u64>,
    heartbeat_timeout_ms: Option<u64>,
    handshake_timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentFaults {
    list: Vec<String>,
    run: Vec<String>,
}

impl Manifest {
    /// Reads a manifest. `target_directory` is Cargo's, for commands that mention it.
    pub fn load(path: &Path, target_directory: &Path) -> Result<Self, ManifestError> {
        let unreadable = |reason| ManifestError::Unreadable { path: path.to_owned(), reason };
        let path = &path.canonicalize().map_err(unreadable)?;
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text, path, target_directory)
    }

    fn parse(text: &str, path: &Path, target_directory: &Path) -> Result<Self, ManifestError> {
        let document: Document = serde_yaml::from_str(text).map_err(|error| misread(path, &error))?;
        let wrong = |key: &str, message: String, hint: String| {
            let (line, column) = position_of(text, key);
            ManifestError::Wrong { path: path.to_owned(), line, column, message, hint }
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        let directory = document.directory.map_or_else(|| folder.to_owned(), |directory| folder.join(directory));
        let command = |key: &str, words: Vec<String>| {
            if words.first().is_none_or(String::is_empty) {
                let hint = format!("; write for example `{key}: [./my-node, --control]`");
                return Err(wrong(key, format!("`{key}` names no program"), hint));
            }
            let command = CommandLine { words, directory: directory.clone() };
            Ok(command.filled("target_directory", &target_directory.to_string_lossy()))
        };
        let run = command("run", document.run)?;
        let mode = if WIRE_ONLY.iter().any(|placeholder| run.mentions(placeholder)) {
            if let Some(missing) = WIRE_ONLY.iter().find(|placeholder| !run.mentions(placeholder)) {
                let message = format!("`run` has placeholders of a wire-only node, but not {{{missing}}}");
                let hint = "; a wire-only node needs {name}, {host}, {port} and {cookie_file}".to_owned();
                return Err(wrong("run", message, hint));
            }
            Mode::WireOnly
        } else {
            Mode::Control
        };
        let addresses = match document.address {
            None => Addresses::default(),
            Some(_) if mode == Mode::WireOnly => {
                let message = "a wire-only node is started on this machine".to_owned();
                let hint = "; leave `address` out, or let `run` start an adapter".to_owned();
                return Err(wrong("address", message, hint));
            }
            Some(address) => {
                Addresses::read(address, &run).map_err(|message| wrong("address", message, String::new()))?
            }
        };
        let unknown = document.capabilities.iter().flatten().find(|name| !CAPABILITIES.contains(&name.as_str()));
        if let Some(unknown) = unknown {
            let message = format!("`{unknown}` is no capability");
            return Err(wrong("capabilities", message, format!("; there are {}", CAPABILITIES.join(", "))));
        }
        let faults = match document.faults {
            None => None,
            Some(faults) => {
                let faults = Faults { list: command("list", faults.list)?, run: command("run", faults.run)? };
                if !faults.run.mentions("fault") {
                    let message = "the command of `faults: {run: …}` does not say where the fault goes".to_owned();
                    return Err(wrong("faults", message, "; put {fault} into it".to_owned()));
                }
                Some(faults)
            }
        };
        Ok(Self {
            path: path.to_owned(),
            name: document.name,
            language: document.language,
            build: document.build.map(|words| command("build", words)).transpose()?,
            run,
            mode,
            addresses,
            capabilities: document.capabilities,
            timers: document.timers.into(),
            deviations: document.deviations.map(|deviations| folder.join(deviations)),
            faults,
        })
    }
}

impl From<DocumentTimers> for Timers {
    fn from(written: DocumentTimers) -> Self {
        Self {
            heartbeat_interval: Duration::from_millis(written.heartbeat_interval_ms.unwrap_or(60_000)),
            heartbeat_timeout: Duration::from_millis(written.heartbeat_timeout_ms.unwrap_or(15_000)),
            handshake_timeout: Duration::from_millis(written.handshake_timeout_ms.unwrap_or(7_000)),
        }
    }
}

fn misread(path: &Path, error: &serde_yaml::Error) -> ManifestError {
    let (line, column) = error.location().map_or((1, 1), |location| (location.line(), location.column()));
    let full = error.to_string();
    // The position is said in front.
    let message = full.split(" at line ").next().unwrap_or(&full).to_owned();
    let hint = did_you_mean(&message).unwrap_or_default();
    ManifestError::Wrong { path: path.to_owned(), line, column, message, hint }
}

/// Serde's message quotes the unknown key first and then those that are known.
fn did_you_mean(message: &str) -> Option<String> {
    if !message.contains("unknown field") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    let nearest = quoted.min_by_key(|known| strsim::damerau_levenshtein(unknown, known))?;
    (strsim::damerau_levenshtein(unknown, nearest) <= 3).then(|| format!("; did you mean `{nearest}`?"))
}

/// Line and column, from 1, of a key that the document is known to have.
fn position_of(text: &str, key: &str) -> (usize, usize) {
    let start = format!("{key}:");
    let found = text.lines().enumerate().find_map(|(index, line)| {
        let at = line.find(&start)?;
        Some((index + 1, line[..at].chars().count() + 1))
    });
    found.unwrap_or((1, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Manifest, String> {
        Manifest::parse(text, Path::new("/nodes/my/node.yaml"), Path::new("/target")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_manifest_is_understood() {
        let manifest = parse(
            "name: n\nlanguage: C\nbuild: [make]\nrun: ['{target_directory}/node', --control]\ndirectory: src\n\
             capabilities: [rooms]\ndeviations: known.yaml\nfaults: {list: [./f], run: [./f, '{fault}']}\n",
        )
        .unwrap();
        assert_eq!(manifest.mode, Mode::Control);
        assert_eq!(manifest.run.words, ["/target/node", "--control"]);
        assert_eq!(manifest.run.directory, Path::new("/nodes/my/src"));
        assert_eq!(manifest.deviations.as_deref(), Some(Path::new("/nodes/my/known.yaml")));
        assert_eq!(manifest.timers.heartbeat_interval, Duration::from_secs(60));
        assert_eq!(manifest.faults.unwrap().run("no-pong").words, ["./f", "no-pong"]);
    }

    #[test]
    fn placeholders_make_a_node_wire_only() {
        let manifest = parse(
            "name: n\nlanguage: C\nrun: [./n, '{name}', '{host}:{port}', '{cookie_file}']\n\
             timers: {handshake_timeout_ms: 100}\n",
        )
        .unwrap();
        assert_eq!(manifest.mode, Mode::WireOnly);
        assert_eq!(manifest.timers.handshake_timeout, Duration::from_millis(100));
        let error = parse("name: n\nlanguage: C\nrun: [./n, '{name}', '{port}', '{host}']\n").unwrap_err();
        assert!(error.contains("node.yaml:3:1:") && error.contains("{cookie_file}"), "{error}");
    }

    #[test]
    fn unknown_keys_are_refused_where_they_stand() {
        let error = parse("name: n\nlanguage: C\nrun: [./n]\ncapabilites: []\n").unwrap_err();
        assert!(error.contains("node.yaml:4:1:") && error.contains("did you mean `capabilities`?"), "{error}");
        let error = parse("name: n\nlanguage: C\nrun: [./n]\nname: m\n").unwrap_err();
        assert!(error.contains("duplicate"), "{error}");
    }

    #[test]
    fn unknown_capabilities_are_refused() {
        let error = parse("name: n\nlanguage: C\nrun: [./n]\ncapabilities: [room]\n").unwrap_err();
        assert!(error.contains("node.yaml:4:1: `room` is no capability") && error.contains("rooms"), "{error}");
    }

    #[test]
    fn nodes_may_be_elsewhere() {
        let there = "name: n\nlanguage: C\nrun: [ssh, host, ./n]\naddress: {advertised: 10.0.0.2, peers: 10.0.0.1}\n";
        assert_eq!(parse(there).unwrap().addresses.node(0).text, "10.0.0.2");
        let error = parse(&there.replace("peers: 10.0.0.1", "peers: 0.0.0.0")).unwrap_err();
        assert!(error.contains("node.yaml:4:1: `peers` is an address that nodes can dial"), "{error}");
        let error = parse(&there.replace("./n", "'{name} {host} {port} {cookie_file}'")).unwrap_err();
        assert!(error.contains("node.yaml:4:1: a wire-only node is started on this machine"), "{error}");
    }

    #[test]
    fn an_empty_command_is_refused() {
        assert!(parse("name: n\nlanguage: C\nrun: []\n").unwrap_err().contains("names no program"));
    }
}
