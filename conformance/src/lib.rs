//! The judge of Snow nodes.
//!
//! Data flows one way: spec prose and schema, vectors and scenarios, runner, results, reports. In reading order:
//! the spec as data ([`requirement`], [`promise`], [`schema`]), bytes ([`codec`], [`vectors`]), what is to be played ([`scenario`], [`matrix`], [`delivery`], [`case`]),
//! what it is played with ([`peer`], [`cluster`], `relay`, [`websocket`]), the playing ([`runner`], [`suite`], [`run`]), inputs that nobody
//! has written ([`fuzz`]), and what came of it ([`results`], [`merge`], [`report`]).
//!
//! Nothing here shares code with any node, and nothing here knows a protocol that is not in `spec/`.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod control;
pub mod promise;
pub mod requirement;
pub mod schema;

pub mod codec;
pub mod vectors;

pub mod case;
pub mod delivery;
pub mod matrix;
mod needs;
pub mod scenario;

pub mod cluster;
pub mod peer;
mod relay;
pub mod websocket;

pub mod fuzz;
pub mod probe;
pub mod run;
pub mod runner;
pub mod setup;
pub mod suite;

pub mod merge;
pub mod report;
pub mod results;

mod random;
mod watched;
