//! The shortest schedule that still fails: parts of its steps are left out, and nodes, as long as something is wrong
//! (delta debugging). Knows neither worlds nor verdicts but by `fails`.

use super::schedule::{Schedule, Step};

/// Leaves out what can be left out. `fails` says whether a schedule still shows that something is wrong.
pub(crate) fn minimise(schedule: &Schedule, mut fails: impl FnMut(&Schedule) -> bool) -> Schedule {
    let mut best = schedule.clone();
    loop {
        let before = (best.steps.len(), best.absent.len());
        best = fewer_steps(best, &mut fails);
        best = fewer_nodes(best, &mut fails);
        if before == (best.steps.len(), best.absent.len()) {
            return best;
        }
    }
}

/// Halves first, then ever smaller parts, down to single steps.
fn fewer_steps(mut best: Schedule, fails: &mut impl FnMut(&Schedule) -> bool) -> Schedule {
    let mut size = best.steps.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < best.steps.len() {
            let end = (start + size).min(best.steps.len());
            let steps: Vec<Step> = [&best.steps[..start], &best.steps[end..]].concat();
            let shorter = Schedule { steps, ..best.clone() };
            if fails(&shorter) {
                best = shorter;
            } else {
                start = end;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    best
}

fn fewer_nodes(mut best: Schedule, fails: &mut impl FnMut(&Schedule) -> bool) -> Schedule {
    for node in 0..best.nodes {
        let mut smaller = best.clone();
        if smaller.absent.insert(node) && fails(&smaller) {
            best = smaller;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::schedule::Operation;

    #[test]
    fn what_a_failure_needs_is_what_is_left() {
        let schedule = Schedule::new(4, Some(5));
        let is_needed = |step: &&Step| matches!(step.operation, Operation::Spawn { process: 1 | 3, .. });
        let needed: Vec<Step> = schedule.steps.iter().filter(is_needed).copied().collect();
        assert_eq!(needed.len(), 2);
        let fails = |schedule: &Schedule| {
            needed.iter().all(|step| schedule.steps.contains(step)) && !schedule.absent.contains(&2)
        };
        let least = minimise(&schedule, fails);
        assert_eq!(least.steps, needed);
        assert_eq!(least.absent.into_iter().collect::<Vec<_>>(), [0, 1, 3, 4]);
    }
}
