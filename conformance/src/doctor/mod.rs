//! The doctor: is an adapter alone as `spec/control.md` has it? Says nothing about the protocol's requirements, and gives no case its verdict.
//!
//! In reading order: what is checked and what was found (`report`), an adapter on control lines (`adapter`, with one conversation a check;
//! whether what it claims is there, [`crate::probe`] finds out), and a wire-only node (`wire_only`, with a handshake of its own in `initiator`).

mod adapter;
mod conversation;
mod initiator;
mod report;
mod wire_only;

use std::path::Path;
use std::time::Duration;

use crate::cluster::{Manifest, Mode};
use crate::schema::Schema;
use crate::setup::{self, SetupError};

pub use report::{Check, Finding, Report};

/// How long an adapter may take for anything that it is asked, starting among it, where nobody says otherwise: nothing is judged by speed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Examines the adapter that a manifest names: reads the manifest, builds the node, and talks to it.
///
/// `target_directory` is Cargo's, for commands that mention it.
#[must_use]
pub fn examine(manifest: &Path, target_directory: &Path, schema: &Schema, patience: Duration) -> Report {
    let mut report = Report::default();
    let loaded = match setup::build(manifest, target_directory) {
        Ok(manifest) => manifest,
        Err(SetupError::Manifest(error)) => {
            report.fail(Check::Manifest, error.to_string(), "correct the manifest: nothing else can be checked before");
            return report.of_all(&[Check::Manifest, Check::Build, Check::Start]);
        }
        Err(error) => {
            report.pass(Check::Manifest, manifest.display().to_string());
            let next = "run that command by hand in the manifest's folder; install what it misses, or correct `build`";
            report.fail(Check::Build, error.to_string(), next);
            return report.of_all(&[Check::Manifest, Check::Build, Check::Start]);
        }
    };
    let driven = match loaded.mode {
        Mode::Control => "driven by control lines",
        Mode::WireOnly => "wire-only",
    };
    report.pass(Check::Manifest, format!("{} ({}), {driven}", loaded.name, loaded.language));
    match &loaded.build {
        Some(build) => report.pass(Check::Build, build.words.join(" ")),
        None => report.pass(Check::Build, "the manifest names no `build`"),
    }
    talk(&loaded, schema, patience, report)
}

/// Examines a node that has been built.
#[must_use]
pub fn examine_built(manifest: &Manifest, schema: &Schema, patience: Duration) -> Report {
    talk(manifest, schema, patience, Report::default())
}

fn talk(manifest: &Manifest, schema: &Schema, patience: Duration, report: Report) -> Report {
    match manifest.mode {
        Mode::Control => adapter::examine(manifest, patience, report),
        Mode::WireOnly => wire_only::examine(manifest, schema, patience, report),
    }
}
