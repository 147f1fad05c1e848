//! At whose door it lies that a cluster does not pass: what the same case comes to with the reference in the place of others. Plays nothing.

/// What a cluster comes to, by the indices of its implementations. `None`: that is not known, and will not be found out.
pub(super) trait Trials {
    /// The cluster in question, once more.
    fn again(&mut self, cluster: &[usize]) -> Option<bool>;
    /// Another cluster.
    fn passes(&mut self, cluster: &[usize]) -> Option<bool>;
}

/// Who is blamed, by the indices of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Accused {
    /// Each of these.
    Nodes(Vec<usize>),
    /// These together.
    Combination(Vec<usize>),
    /// Nobody but the reference, the suite or the machine.
    ReferenceAlone,
    /// Nobody: it has passed meanwhile.
    Unsteady,
}

/// Finds out whom to blame for a cluster that has not passed.
pub(super) fn blame(cluster: &[usize], reference: usize, trials: &mut impl Trials) -> Option<Accused> {
    if trials.again(cluster)? {
        return Some(Accused::Unsteady);
    }
    let all_reference = vec![reference; cluster.len()];
    if !trials.passes(&all_reference)? {
        return Some(Accused::ReferenceAlone);
    }
    let others: Vec<usize> = (0..cluster.len()).filter(|node| cluster[*node] != reference).collect();
    let mut with_reference_as = |node: &usize| {
        let replaced = replaced(cluster, *node, reference);
        if replaced == all_reference { Some(true) } else { trials.passes(&replaced) }
    };
    let rescuing = chosen(&others, &mut with_reference_as)?;
    match rescuing.len() {
        0 => {}
        1 => return Some(Accused::Nodes(rescuing)),
        _ => return Some(Accused::Combination(rescuing)),
    }
    // More than one of them breaks it. Those that do so by themselves are found among reference nodes alone.
    let by_themselves = chosen(&others, |node| {
        let alone = replaced(&all_reference, *node, cluster[*node]);
        trials.passes(&alone).map(|passes| !passes)
    })?;
    Some(if by_themselves.is_empty() { Accused::Combination(others) } else { Accused::Nodes(by_themselves) })
}

fn replaced(cluster: &[usize], node: usize, by: usize) -> Vec<usize> {
    let mut cluster = cluster.to_vec();
    cluster[node] = by;
    cluster
}

/// The nodes of which it is true; `None` if that is not known of one.
fn chosen(nodes: &[usize], mut is_so: impl FnMut(&usize) -> Option<bool>) -> Option<Vec<usize>> {
    let mut chosen = Vec::new();
    for node in nodes {
        if is_so(node)? {
            chosen.push(*node);
        }
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: usize = 0;

    /// Clusters of which something is true fail.
    struct Failing<F: Fn(&[usize]) -> bool> {
        fails: F,
        again: bool,
        left: usize,
    }

    impl<F: Fn(&[usize]) -> bool> Failing<F> {
        fn ask(&mut self, passes: bool) -> Option<bool> {
            self.left = self.left.checked_sub(1)?;
            Some(passes)
        }
    }

    impl<F: Fn(&[usize]) -> bool> Trials for Failing<F> {
        fn again(&mut self, _: &[usize]) -> Option<bool> {
            self.ask(self.again)
        }

        fn passes(&mut self, cluster: &[usize]) -> Option<bool> {
            let fails = (self.fails)(cluster);
            self.ask(!fails)
        }
    }

    fn of(cluster: &[usize], fails: impl Fn(&[usize]) -> bool) -> Option<Accused> {
        blame(cluster, REFERENCE, &mut Failing { fails, again: false, left: 100 })
    }

    #[test]
    fn one_that_is_broken_as_one_node_is_blamed_as_that_node() {
        let broken_as_second = |cluster: &[usize]| cluster[1] == 2;
        assert_eq!(of(&[1, 2], broken_as_second), Some(Accused::Nodes(vec![1])));
        assert_eq!(of(&[0, 2], broken_as_second), Some(Accused::Nodes(vec![1])));
        assert_eq!(of(&[2, 2, 1], broken_as_second), Some(Accused::Nodes(vec![1])));
    }

    #[test]
    fn two_that_fail_only_together_are_the_combination() {
        let together = |cluster: &[usize]| cluster.contains(&1) && cluster.contains(&2);
        assert_eq!(of(&[1, 2], together), Some(Accused::Combination(vec![0, 1])));
        assert_eq!(of(&[1, 0, 2], together), Some(Accused::Combination(vec![0, 2])));
    }

    #[test]
    fn two_that_are_broken_each_are_both_blamed() {
        let either = |cluster: &[usize]| cluster[0] == 1 || cluster[2] == 2;
        assert_eq!(of(&[1, 3, 2], either), Some(Accused::Nodes(vec![0, 2])));
        // One implementation in two places breaks it in each.
        assert_eq!(of(&[1, 1], |cluster| cluster.contains(&1)), Some(Accused::Nodes(vec![0, 1])));
    }

    #[test]
    fn several_of_which_any_two_fail_together_are_the_combination() {
        let two = |cluster: &[usize]| cluster.iter().filter(|one| **one != REFERENCE).count() >= 2;
        assert_eq!(of(&[1, 2, 3], two), Some(Accused::Combination(vec![0, 1, 2])));
    }

    #[test]
    fn what_the_reference_alone_does_not_pass_is_nobody_elses() {
        assert_eq!(of(&[1, 2], |_| true), Some(Accused::ReferenceAlone));
    }

    #[test]
    fn what_passes_meanwhile_is_nobodys() {
        let mut trials = Failing { fails: |_: &[usize]| true, again: true, left: 100 };
        assert_eq!(blame(&[1, 2], REFERENCE, &mut trials), Some(Accused::Unsteady));
    }

    #[test]
    fn nobody_is_blamed_where_not_all_was_found_out() {
        let mut trials = Failing { fails: |cluster: &[usize]| cluster[1] == 2, again: false, left: 3 };
        assert_eq!(blame(&[1, 2], REFERENCE, &mut trials), None);
    }
}
