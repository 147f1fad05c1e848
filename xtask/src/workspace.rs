//! Where things are: the checkout, Cargo's target folder, and what is loaded from them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use conformance::suite::Suite;

/// The checkout that this command was built from.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().context("finding the checkout")
}

/// Cargo's target folder: this program stands in one of its profiles' folders.
pub(crate) fn target_directory() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("finding this program")?;
    let folder = program.parent().and_then(Path::parent).context("this program stands in no target folder")?;
    Ok(folder.to_owned())
}

/// The suite, or what is wrong with it printed line by line and the exit code for that.
pub(crate) fn suite() -> anyhow::Result<Result<Suite, ExitCode>> {
    Ok(Suite::load(&root()?).map_err(|error| {
        for line in &error.0 {
            eprintln!("error: {line}");
        }
        ExitCode::from(4)
    }))
}

/// The manifest that is meant where none is named.
pub(crate) fn default_manifest() -> anyhow::Result<PathBuf> {
    Ok(root()?.join("reference/node.yaml"))
}
