//! The judge of Snow nodes.
//!
//! Data flows one way: spec prose and schema, vectors and scenarios, runner, results, reports. In reading order:
//! the spec as data ([`requirement`], [`promise`], [`schema`]), bytes ([`codec`], [`vectors`]), what is to be played ([`scenario`],
//! [`matrix`], [`delivery`], [`case`], [`rung`]), what it is played with ([`peer`], [`cluster`], `relay`, [`websocket`]), the playing
//! ([`runner`], [`suite`], [`run`]), clusters of several implementations ([`interop`]), an adapter by itself ([`doctor`]), inputs that
//! nobody has written ([`fuzz`]), and what came of it ([`results`], [`merge`], [`report`]), with what is known of it ([`deviation`]).
//!
//! Nothing here shares code with any node, and nothing here knows a protocol that is not in `spec/`.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod control;
pub mod promise;
pub mod requirement;
pub mod schema;

pub mod codec;
pub mod vectors;

pub mod account;
pub mod case;
pub mod delivery;
pub mod matrix;
mod needs;
pub mod rung;
pub mod scenario;

pub mod cluster;
pub mod peer;
mod relay;
pub mod websocket;

pub mod deviation;
pub mod doctor;
pub mod fuzz;
pub mod interop;
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
