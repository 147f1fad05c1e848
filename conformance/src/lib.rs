//! stub
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]
pub mod codec;
pub mod schema;
pub mod peer;
mod watched;
