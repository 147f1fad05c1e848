//! `cargo xtask coverage --promises`: which cases and faults stand behind what users are promised.

use std::collections::BTreeMap;

use conformance::case::Case;
use conformance::promise::{self, Promise, Stage};
use conformance::suite::Suite;

use crate::coverage::{self, Covered};
use crate::faults::Fault;

/// How many cases and faults there are of one promise.
#[derive(Default)]
struct Count {
    cases: usize,
    wire: usize,
    cluster: usize,
    faults: usize,
}

/// Prints every promise and returns the gaps.
///
/// # Errors
/// Returns what is wrong with `spec/promises.md`.
pub(crate) fn show(suite: &Suite, faults: &[Fault], verbose: bool) -> Result<Vec<String>, Vec<String>> {
    let promises = promise::load(&suite.root.join("spec"), &suite.spec)?;
    let covered: BTreeMap<&str, Covered<'_>> = coverage::covered(suite, faults)
        .into_iter()
        .map(|covered| (covered.requirement.id.as_str(), covered))
        .collect();
    let mut gaps = Vec::new();
    println!("{:<9} {:>5} {:>5} {:>8} {:>6}  what users may rely on", "promise", "cases", "wire", "cluster", "faults");
    for promise in &promises {
        let kept_by: Vec<&Covered<'_>> =
            promise.requirements.iter().filter_map(|id| covered.get(id.as_str())).collect();
        let count = count(suite, promise, &kept_by);
        let cluster = if promise.alone { format!("{} (-)", count.cluster) } else { count.cluster.to_string() };
        println!(
            "{:<9} {:>5} {:>5} {cluster:>8} {:>6}  {}",
            promise.id, count.cases, count.wire, count.faults, promise.text
        );
        for covered in kept_by {
            let requirement = covered.requirement;
            if verbose {
                println!(
                    "          {:<10} {:>3} cases {:>3} faults  {}",
                    requirement.id,
                    covered.cases.len(),
                    covered.faults.len(),
                    requirement.text
                );
            }
            gaps.extend(covered.gaps().into_iter().map(|gap| format!("{}: {gap}", promise.id)));
        }
        if !verbose {
            println!("          {}", promise.requirements.join(" "));
        }
        if count.wire == 0 {
            gaps.push(format!("{}: no case in which the harness sees or writes the bytes itself", promise.id));
        }
        if count.cluster == 0 && !promise.alone {
            gaps.push(format!("{}: no case between two or more real nodes", promise.id));
        }
    }
    let alone = promises.iter().filter(|promise| promise.alone).count();
    println!(
        "\n{} promises; wire: a scripted peer or a golden vector; cluster: two or more real nodes, not asked for (-) where a promise is \
         judged at one node alone ({alone})",
        promises.len()
    );
    Ok(gaps)
}

fn count(suite: &Suite, promise: &Promise, kept_by: &[&Covered<'_>]) -> Count {
    let keeps = |case: &&Case| case.requirements.iter().any(|id| promise.requirements.contains(id));
    let faults = kept_by.iter().map(|covered| covered.faults.len()).sum();
    suite.cases.iter().filter(keeps).map(Stage::of).fold(Count { faults, ..Count::default() }, |count, stage| Count {
        cases: count.cases + 1,
        wire: count.wire + usize::from(stage.wire),
        cluster: count.cluster + usize::from(stage.cluster),
        faults,
    })
}
