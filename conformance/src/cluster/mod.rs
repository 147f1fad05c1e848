//! Nodes under test as processes: what their manifests say, starting, driving, freezing and killing them.
//!
//! What a node says on its control lines is checked here and believed nowhere: an adapter's mistake is told apart from
//! a node's answer.

mod addresses;
mod command;
mod control;
#[cfg(test)]
mod fuzz;
mod group;
mod line;
mod log;
mod manifest;
mod port;
mod process;
mod wire_only;

#[cfg(test)]
mod tests;

pub use addresses::{Addresses, Host, Processes};
pub use command::CommandLine;
pub use control::{CallError, ControlClient, Event, Initialized, PendingCall};
pub(crate) use line::STACK;
pub use line::{AdapterFault, RpcError};
pub use log::{LogLine, LogStream};
pub use manifest::{Faults, Manifest, ManifestError, Mode, Timers};
pub use port::fixed_port;
pub use process::{Exit, LeftBehind, NodeProcess, Pipes, SpawnError, Stopped, StoppedBy};
pub use wire_only::{StartError, WireOnlyNode, WireOnlyStart};
