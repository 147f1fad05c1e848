//! Trials: what cases come to with other nodes, taken from what has been played, or played now.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use crate::case::Case;
use crate::cluster;
use crate::results::{Blamed, CaseResult, Outcome, Results};
use crate::runner;

use super::blame::{Accused, Trials};
use super::clusters::{Cluster, Field};

/// How many clusters are played at most to find out whom to blame. A node that does nothing right fails everywhere, and each failure takes
/// as long as its case may; what it is, is seen from a few.
const TRIALS: usize = 100;

/// Says at whose door it lies that cases have not passed, as far as that is found out by a bounded number of trials; one case of each kind of
/// failure comes first. `observe` hears how many of how many are done.
pub fn blame(
    field: &Field,
    cases: &[Case],
    clusters: &[Cluster],
    results: &mut Results,
    jobs: usize,
    mut observe: impl FnMut(usize, usize),
) {
    let by_name: HashMap<(&str, BTreeMap<String, String>), &Cluster> = clusters
        .iter()
        .map(|cluster| {
            let case = &cases[cluster.case];
            ((case.id.as_str(), field.names(case, &cluster.players)), cluster)
        })
        .collect();
    let mut known: HashMap<&Cluster, Vec<bool>> = HashMap::new();
    let mut failing: Vec<(&Cluster, String)> = Vec::new();
    for result in &results.cases {
        let Some(cluster) = by_name.get(&(result.id.as_str(), result.nodes.clone())) else { continue };
        known.entry(cluster).or_default().extend(passed(result));
        if passed(result) == Some(false) && !failing.iter().any(|(other, _)| other == cluster) {
            failing.push((cluster, kind(result)));
        }
    }
    let queue = Mutex::new(one_of_a_kind_first(failing));
    let total = queue.lock().unwrap_or_else(PoisonError::into_inner).len();
    let known: HashMap<Cluster, Vec<bool>> =
        known.into_iter().map(|(cluster, verdicts)| (cluster.clone(), verdicts)).collect();
    let playing = Playing { field, cases, known: Mutex::new(known), left: AtomicUsize::new(TRIALS) };
    let (sender, receiver) = mpsc::channel();
    let mut blamed: HashMap<(String, BTreeMap<String, String>), Blamed> = HashMap::new();
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let (sender, queue, playing) = (sender.clone(), &queue, &playing);
            let look = move || {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(cluster) = next else { break };
                    if sender.send((cluster, playing.of(cluster))).is_err() {
                        break;
                    }
                }
            };
            let thread = thread::Builder::new().name("trials".to_owned()).stack_size(cluster::STACK);
            thread.spawn_scoped(scope, look).expect("a system that has no threads left cannot judge anything");
        }
        drop(sender);
        for (done, (cluster, accused)) in receiver.into_iter().enumerate() {
            let case = &cases[cluster.case];
            let names = field.names(case, &cluster.players);
            if let Some(accused) = accused {
                let named = named(&accused, case, &names);
                blamed.insert((case.id.clone(), names), named);
            }
            observe(done + 1, total);
        }
    });
    for result in &mut results.cases {
        if passed(result) == Some(false) {
            result.blame = blamed.get(&(result.id.clone(), result.nodes.clone())).cloned();
        }
    }
}

/// `None` where the case was not run.
fn passed(result: &CaseResult) -> Option<bool> {
    match result.outcome {
        Outcome::Pass => Some(true),
        Outcome::Fail { .. } | Outcome::Error { .. } => Some(false),
        Outcome::Skipped { .. } => None,
    }
}

/// What failures that very likely have one cause have in common: what broke, and who played.
fn kind(result: &CaseResult) -> String {
    let what = match &result.outcome {
        Outcome::Fail { failure } => format!("{} {}", failure.requirement, failure.cause),
        _ => String::new(),
    };
    let players: BTreeSet<&String> = result.nodes.values().collect();
    format!("{what} {players:?}")
}

fn one_of_a_kind_first(failing: Vec<(&Cluster, String)>) -> VecDeque<&Cluster> {
    let mut seen = BTreeSet::new();
    let (first, others): (Vec<_>, Vec<_>) = failing.into_iter().partition(|(_, kind)| seen.insert(kind.clone()));
    first.into_iter().chain(others).map(|(cluster, _)| cluster).collect()
}

fn named(accused: &Accused, case: &Case, names: &BTreeMap<String, String>) -> Blamed {
    let keys = case.nodes();
    let of = |nodes: &[usize]| {
        nodes.iter().map(|node| keys[*node].to_owned()).map(|key| (key.clone(), names[&key].clone())).collect()
    };
    match accused {
        Accused::Nodes(nodes) => Blamed::Nodes { nodes: of(nodes) },
        Accused::Combination(nodes) => Blamed::Combination { nodes: of(nodes) },
        Accused::ReferenceAlone => Blamed::ReferenceAlone,
        Accused::Unsteady => Blamed::Unsteady,
    }
}

struct Playing<'a> {
    field: &'a Field,
    cases: &'a [Case],
    /// What has been played, once a repetition.
    known: Mutex<HashMap<Cluster, Vec<bool>>>,
    left: AtomicUsize,
}

impl Playing<'_> {
    fn of(&self, cluster: &Cluster) -> Option<Accused> {
        super::blame::blame(&cluster.players, self.field.reference, &mut OfCase { playing: self, case: cluster.case })
    }

    fn known(&self, cluster: &Cluster) -> Vec<bool> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(cluster).cloned().unwrap_or_default()
    }

    fn play(&self, cluster: Cluster) -> Option<bool> {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok()?;
        let case = &self.cases[cluster.case];
        let verdict = passed(&runner::play(&self.field.environment(case, &cluster.players), case, 1))?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(cluster).or_default().push(verdict);
        Some(verdict)
    }
}

struct OfCase<'a> {
    playing: &'a Playing<'a>,
    case: usize,
}

impl OfCase<'_> {
    fn cluster(&self, players: &[usize]) -> Cluster {
        Cluster { case: self.case, players: players.to_vec() }
    }
}

impl Trials for OfCase<'_> {
    fn again(&mut self, players: &[usize]) -> Option<bool> {
        let cluster = self.cluster(players);
        if self.playing.known(&cluster).contains(&true) {
            return Some(true);
        }
        self.playing.play(cluster)
    }

    fn passes(&mut self, players: &[usize]) -> Option<bool> {
        let cluster = self.cluster(players);
        let known = self.playing.known(&cluster);
        if known.is_empty() { self.playing.play(cluster) } else { Some(!known.contains(&false)) }
    }
}
