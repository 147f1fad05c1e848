//! The clusters of a run, and their playing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::case::Case;
use crate::results::{CaseResult, NodeFacts, Results};
use crate::run::{Options, Play, run_plays};
use crate::runner::{Assignment, Environment, Implementation};

use super::design::Design;

/// An implementation, and how the command line calls it.
#[derive(Debug, Clone)]
pub struct Player {
    /// What commands that repeat a case call it.
    pub called: String,
    /// It, ready to be started.
    pub implementation: Arc<Implementation>,
}

/// The implementations of a run.
#[derive(Debug)]
pub struct Field {
    /// Those that play, and the reference. Their names differ.
    pub players: Vec<Player>,
    /// Which of them is the reference: it takes the place of others when somebody is to be blamed.
    pub reference: usize,
    /// Which of them play, where nothing is said of who plays what.
    pub playing: Vec<usize>,
    /// What all environments have in common; its nodes are the reference's.
    pub common: Environment,
    /// The beginning of the commands that repeat a case, before it is said who plays what.
    pub repeat: String,
}

/// A case, and the indices of the players of its nodes, in the order of its scenario.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cluster {
    /// The index of the case.
    pub case: usize,
    /// Who plays each node.
    pub players: Vec<usize>,
}

/// Whether a case has several nodes, which may be of several implementations.
#[must_use]
pub fn is_cluster(case: &Case) -> bool {
    case.nodes().len() >= 2
}

/// The clusters of these cases.
#[must_use]
pub fn clusters(cases: &[Case], field: &Field, design: Design) -> Vec<Cluster> {
    let mut designs: BTreeMap<usize, Vec<Vec<usize>>> = BTreeMap::new();
    let mut clusters = Vec::new();
    for (index, case) in cases.iter().enumerate().filter(|(_, case)| is_cluster(case)) {
        let nodes = case.nodes().len();
        let design = designs.entry(nodes).or_insert_with(|| design.clusters(nodes, field.playing.len()));
        clusters.extend(design.iter().map(|chosen| Cluster {
            case: index,
            players: chosen.iter().map(|player| field.playing[*player]).collect(),
        }));
    }
    clusters
}

/// The one cluster of each case in which these play these nodes and the reference all others; cases that lack one of the nodes are left out.
#[must_use]
pub fn assigned(cases: &[Case], field: &Field, assigned: &BTreeMap<String, usize>) -> Vec<Cluster> {
    let has_all = |case: &Case| is_cluster(case) && assigned.keys().all(|node| case.nodes().contains(&node.as_str()));
    let player = |node: &str| assigned.get(node).copied().unwrap_or(field.reference);
    let of = |(index, case): (usize, &Case)| Cluster {
        case: index,
        players: case.nodes().into_iter().map(player).collect(),
    };
    cases.iter().enumerate().filter(|(_, case)| has_all(case)).map(of).collect()
}

impl Field {
    /// An environment in which these play the nodes of this case.
    pub(super) fn environment(&self, case: &Case, players: &[usize]) -> Environment {
        let reference = self.players[self.reference].implementation.clone();
        let mut nodes = Assignment::alone(reference);
        let mut assign = Vec::new();
        for (node, player) in case.nodes().into_iter().zip(players) {
            let player = &self.players[*player];
            nodes = nodes.with(node, player.implementation.clone());
            assign.push(format!("{node}={}", player.called));
        }
        let repeat = format!("{} --assign {}", self.repeat, assign.join(","));
        Environment { nodes, repeat, ..self.common.clone() }
    }

    /// How results name the players of a case's nodes.
    pub(super) fn names(&self, case: &Case, players: &[usize]) -> BTreeMap<String, String> {
        let name = |player: &usize| self.players[*player].implementation.facts.name.clone();
        case.nodes().into_iter().map(str::to_owned).zip(players.iter().map(name)).collect()
    }

    /// How results describe what was judged.
    fn facts(&self, playing: &[usize]) -> (NodeFacts, Vec<NodeFacts>) {
        let each: Vec<NodeFacts> =
            playing.iter().map(|player| self.players[*player].implementation.facts.clone()).collect();
        let joined = |of: fn(&NodeFacts) -> &str| each.iter().map(of).collect::<Vec<_>>().join(" × ");
        let mut capabilities = each.first().map(|facts| facts.capabilities.clone()).unwrap_or_default();
        capabilities.retain(|name| each.iter().all(|facts| facts.capabilities.contains(name)));
        let together = NodeFacts {
            name: joined(|facts| &facts.name),
            language: joined(|facts| &facts.language),
            version: None,
            manifest: joined(|facts| &facts.manifest),
            capabilities,
            ..NodeFacts::default()
        };
        (together, each)
    }
}

/// Plays clusters; the rest as [`crate::run::run`].
pub fn play(
    field: &Field,
    cases: &[Case],
    clusters: &[Cluster],
    options: &Options,
    observe: impl FnMut(&CaseResult) -> bool,
) -> Results {
    // Cases whose nodes are called alike share environments.
    let mut environments: BTreeMap<(Vec<&str>, &[usize]), Environment> = BTreeMap::new();
    for cluster in clusters {
        let case = &cases[cluster.case];
        environments
            .entry((case.nodes(), &cluster.players))
            .or_insert_with(|| field.environment(case, &cluster.players));
    }
    let plays: Vec<Play<'_>> = clusters
        .iter()
        .map(|cluster| {
            let case = &cases[cluster.case];
            Play { environment: &environments[&(case.nodes(), cluster.players.as_slice())], case }
        })
        .collect();
    let mut playing: Vec<usize> = clusters.iter().flat_map(|cluster| cluster.players.iter().copied()).collect();
    playing.sort_unstable();
    playing.dedup();
    let (together, each) = field.facts(&playing);
    Results { implementations: each, ..run_plays(&field.common, together, &plays, options, observe) }
}
