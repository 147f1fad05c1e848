//! All hazards and all proofs, checked one after the other, as data for whoever writes them down.

use std::time::Instant;

use serde_json::{Value, json};

use super::{
    hazards::HAZARDS,
    proofs::PROOFS,
    trace::{self, Handshakes},
};

/// What came of all checks.
#[derive(Clone, Debug)]
pub struct Checked {
    /// `{id, chapter, lines, states, depth}` for each hazard, in order.
    pub hazards: Vec<Value>,
    /// `{claim, states, depth, broken}` for each proof; `broken` is the way to what is wrong, or null.
    pub proofs: Vec<Value>,
}

impl Checked {
    /// Whether each hazard was found and no claim is broken.
    pub fn is_right(&self) -> bool {
        self.hazards.iter().all(|hazard| !hazard["lines"].is_null())
            && self.proofs.iter().all(|proof| proof["broken"].is_null())
    }
}

/// Checks everything. Says on standard error how far it is, since it takes some seconds.
pub fn check_all() -> Checked {
    let hazards = HAZARDS.iter().map(|hazard| {
        let (scenario, start) = ((hazard.scenario)(), Instant::now());
        let outcome = scenario.clone().check();
        eprintln!("{}: {} states, depth {}, {:?}", hazard.id, outcome.states, outcome.depth, start.elapsed());
        let lines = outcome.way.map(|way| {
            let given = format!("({})", hazard.given);
            let told = trace::lines(&scenario, &way, hazard.handshakes);
            let wrong = format!("=> {}", hazard.wrong);
            [vec![given], told, vec![wrong]].concat()
        });
        json!({"id": hazard.id, "chapter": hazard.chapter, "lines": lines, "states": outcome.states,
            "depth": outcome.depth})
    });
    let hazards = hazards.collect();
    let proofs = PROOFS.iter().map(|proof| {
        let (scenario, start) = ((proof.scenario)(), Instant::now());
        let outcome = scenario.clone().check();
        eprintln!("{}: {} states, depth {}, {:?}", proof.claim, outcome.states, outcome.depth, start.elapsed());
        let broken = outcome.way.map(|way| trace::lines(&scenario, &way, Handshakes::Shown));
        json!({"claim": proof.claim, "states": outcome.states, "depth": outcome.depth, "broken": broken})
    });
    Checked { hazards, proofs: proofs.collect() }
}
