//! Which implementations play the nodes of a case: few clusters in which every two nodes are of every two implementations once.

use std::collections::BTreeSet;

/// Which clusters are made of several implementations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Design {
    /// For every two nodes of a case and every ordered pair of different implementations at least one cluster in which they are of these,
    /// and in each cluster three different implementations, where there are as many of both.
    Covering,
    /// Everything but clusters of one implementation alone.
    Every,
}

impl Design {
    /// The clusters of a case with that many nodes: for each node, in the order of the scenario, the index of its implementation. The
    /// same numbers make the same clusters.
    #[must_use]
    pub fn clusters(self, nodes: usize, implementations: usize) -> Vec<Vec<usize>> {
        match self {
            Self::Every => all(nodes, implementations, 2),
            Self::Covering => {
                let own = covering(nodes, implementations);
                // What covers all pairs of more nodes does so of these, too, and is sometimes less.
                let larger = if nodes == 3 { covering(nodes + 1, implementations) } else { Vec::new() };
                let mut shortened: Vec<Vec<usize>> = larger.iter().map(|cluster| cluster[..nodes].to_vec()).collect();
                shortened.retain(|cluster| differing(cluster) >= wanted(nodes, implementations));
                let is_smaller = covers(&shortened, nodes, implementations) && shortened.len() < own.len();
                if is_smaller { shortened } else { own }
            }
        }
    }
}

/// How many different implementations a cluster of the covering design has at least.
fn wanted(nodes: usize, implementations: usize) -> usize {
    nodes.min(implementations).clamp(2, 3)
}

fn differing(cluster: &[usize]) -> usize {
    cluster.iter().collect::<BTreeSet<_>>().len()
}

/// Every way to choose so many different ones or more, the first node's choice changing last.
fn all(nodes: usize, implementations: usize, different: usize) -> Vec<Vec<usize>> {
    let mut clusters = (0..nodes).fold(vec![Vec::new()], |chosen, _| {
        let longer = |cluster: &Vec<usize>, next| cluster.iter().copied().chain([next]).collect();
        chosen.iter().flat_map(|cluster| (0..implementations).map(move |next| longer(cluster, next))).collect()
    });
    clusters.retain(|cluster| differing(cluster) >= different);
    clusters
}

/// Two nodes, and what they are of.
type Pair = ((usize, usize), (usize, usize));

/// Greedily: always the first cluster that has the most of what is still wanted.
fn covering(nodes: usize, implementations: usize) -> Vec<Vec<usize>> {
    let candidates: Vec<(BTreeSet<Pair>, Vec<usize>)> = all(nodes, implementations, wanted(nodes, implementations))
        .into_iter()
        .map(|cluster| (pairs(&cluster), cluster))
        .collect();
    let mut wanted: BTreeSet<Pair> = candidates.iter().flat_map(|(pairs, _)| pairs).copied().collect();
    let mut chosen = Vec::new();
    while !wanted.is_empty() {
        let worth = |pairs: &BTreeSet<Pair>| pairs.intersection(&wanted).count();
        // Of several the last is taken, so the first comes last.
        let Some((pairs, cluster)) = candidates.iter().rev().max_by_key(|(pairs, _)| worth(pairs)) else { break };
        wanted = &wanted - pairs;
        chosen.push(cluster.clone());
    }
    chosen
}

/// Whether for every two nodes there is each ordered pair of different implementations.
fn covers(clusters: &[Vec<usize>], nodes: usize, implementations: usize) -> bool {
    let covered: BTreeSet<Pair> = clusters.iter().flat_map(|cluster| pairs(cluster)).collect();
    covered.len() == nodes * (nodes - 1) / 2 * implementations * implementations.saturating_sub(1)
}

fn pairs(cluster: &[usize]) -> BTreeSet<Pair> {
    let at = |first: usize| (first + 1..cluster.len()).map(move |second| (first, second));
    (0..cluster.len())
        .flat_map(at)
        .map(|(first, second)| ((first, second), (cluster[first], cluster[second])))
        .filter(|(_, (one, other))| one != other)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nodes_are_of_all_ordered_pairs() {
        assert_eq!(Design::Covering.clusters(2, 2), [[0, 1], [1, 0]]);
        assert_eq!(Design::Covering.clusters(2, 3), [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]);
        assert_eq!(Design::Covering.clusters(2, 4).len(), 12);
        assert_eq!(Design::Every.clusters(2, 4).len(), 12);
    }

    #[test]
    fn every_two_nodes_are_of_every_two_implementations_at_least_once() {
        for nodes in 2..=6 {
            for implementations in 2..=5 {
                let clusters = Design::Covering.clusters(nodes, implementations);
                assert!(covers(&clusters, nodes, implementations), "{nodes} nodes, {implementations} implementations");
            }
        }
    }

    #[test]
    fn clusters_have_three_implementations_where_there_are_as_many() {
        for (nodes, implementations) in [(3, 3), (3, 4), (5, 4), (6, 3)] {
            for cluster in Design::Covering.clusters(nodes, implementations) {
                assert!(cluster.iter().collect::<BTreeSet<_>>().len() >= 3, "{cluster:?}");
            }
        }
        assert!(Design::Covering.clusters(4, 2).iter().all(|cluster| cluster.iter().any(|one| *one != cluster[0])));
    }

    #[test]
    fn there_are_few_and_always_the_same() {
        let count = |nodes| Design::Covering.clusters(nodes, 4).len();
        assert_eq!([count(3), count(4), count(5), count(6)], [12, 12, 24, 24]);
        assert_eq!(Design::Covering.clusters(5, 4), Design::Covering.clusters(5, 4));
    }

    #[test]
    fn one_implementation_makes_no_mixed_cluster() {
        assert!(Design::Covering.clusters(3, 1).is_empty());
        assert!(Design::Every.clusters(3, 1).is_empty());
    }

    #[test]
    fn every_cluster_is_one_that_is_not_of_one_alone() {
        assert_eq!(Design::Every.clusters(3, 2).len(), 6);
        assert_eq!(Design::Every.clusters(3, 4).len(), 60);
    }
}
