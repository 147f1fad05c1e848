//! What steps say that judge whole clusters: agreement, invariants over everything that was told, random deeds.

use schemars::JsonSchema;
use serde::Deserialize;

use super::connections::Sessions;
use crate::scenario::Expression;

/// See [`super::Verb::Introduce`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Introduce {
    /// A list of pairs: `[[b, a]]` has `b` connect to `a`.
    pub pairs: Expression,
}

/// See [`super::Verb::Converged`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Converged {
    /// The nodes, all of them live, that have to list exactly each other; peers are nobody here.
    pub nodes: Sessions,
    /// Nodes whose names are judged, where a hazard may have struck the others'; all of `nodes` unless said otherwise.
    /// With an empty list names are not looked at.
    #[serde(default)]
    pub names_of: Option<Sessions>,
}

/// See [`super::Verb::Invariants`].
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invariants {
    /// Nodes that every two of have had one session since their first member joined: what one of them broadcast has to reach each member of the others.
    #[serde(default)]
    pub stable: Option<Sessions>,
}

/// See [`super::Verb::Chaos`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chaos {
    /// What the deeds are drawn from: the same seed, the same deeds.
    pub seed: Expression,
    /// How many deeds.
    pub steps: Expression,
    /// Which kinds of deeds there are.
    pub actions: Vec<Deed>,
}

/// A kind of deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Nodes that have not run yet are started and introduced, each to one.
    Join,
    /// Nodes that were killed are started again and introduced, each to one.
    Restart,
    /// Nodes are killed, one or several at once.
    Kill,
    /// The cluster is parted in two, all links between the parts at once; needs nodes with relays.
    Cut,
    /// A parted cluster is joined again.
    Heal,
    /// A new process of a node gets a global name that nobody has had.
    Register,
    /// A process with a name ends.
    EndProcess,
    /// A node sends a text to the room in which every node has a member.
    Broadcast,
    /// A process of one node monitors one of another.
    Monitor,
    /// A node sends a process a message.
    Message,
}
