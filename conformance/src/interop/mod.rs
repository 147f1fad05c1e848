//! Mixed clusters: cases with several nodes, whose nodes are of different implementations. Knows no steps of cases; the runner plays them.
//!
//! In reading order: who plays which node of how many clusters (`design`), the playing (`clusters`), and at whose door it lies where a
//! cluster does not pass (`blame`, and `trials`, which asks for it).

mod blame;
mod clusters;
mod design;
mod trials;

pub use clusters::{Cluster, Field, Player, assigned, clusters, is_cluster, play};
pub use design::Design;
pub use trials::blame;
