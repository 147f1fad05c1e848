//! Where things are: the checkout, Cargo's target folder, and what is loaded from them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use conformance::setup::{self, Ready};
use conformance::suite::Suite;

/// The adapter or the set-up failed.
pub(crate) const SETUP: u8 = 3;

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

/// A node made ready to be judged, or what is wrong with its adapter printed and the exit code for that.
pub(crate) fn ready(suite: &Suite, options: &setup::Options) -> Result<Ready, ExitCode> {
    let ready = setup::build(&options.manifest, &options.target_directory)
        .and_then(|manifest| setup::probe(suite, manifest, options));
    ready.map_err(|error| {
        eprintln!("error: {error}");
        ExitCode::from(SETUP)
    })
}
