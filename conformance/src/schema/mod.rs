//! The machine-readable layout of every message and document: `spec/schema/*.yaml`, loaded, checked and compared with the prose.
//!
//! It holds no bytes and does no coding; that is [`crate::codec`]'s, which interprets what is loaded here.

mod bounds;
mod layout;
mod load;
pub mod prose;
mod types;

pub use layout::{DocumentLayout, Field, Layout, MessageLayout, Phase, Schema, UnionLayout, Variant};
pub use load::{SchemaError, SchemaProblem, load};
pub use types::{Type, TypeError, Width};

/// The project's own schema, for tests.
#[cfg(test)]
pub(crate) fn own() -> Schema {
    load(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/schema")).unwrap()
}
