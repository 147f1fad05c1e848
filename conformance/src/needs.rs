//! Which capabilities a scenario needs: what it says, and what its steps imply.

use std::collections::BTreeSet;

use crate::scenario::model::StartWhen;
use crate::scenario::{Scenario, Step, Verb};

/// The capabilities, in the order in which a report should name the first that is missing.
#[must_use]
pub(crate) fn of(scenario: &Scenario) -> Vec<String> {
    let mut needs: BTreeSet<&str> = scenario.needs.iter().map(String::as_str).collect();
    scenario.steps.iter().for_each(|step| add(step, &mut needs));
    if scenario.nodes.values().any(|node| node.start == StartWhen::ProcessOnly) {
        needs.insert("control");
    }
    if !needs.is_empty() {
        needs.insert("control");
    }
    let mut needs: Vec<String> = needs.into_iter().map(str::to_owned).collect();
    needs.sort_by_key(|need| need != "control");
    needs
}

fn add<'s>(step: &'s Step, needs: &mut BTreeSet<&'s str>) {
    let method = match &step.verb {
        Verb::Call(call) => call.method.as_str(),
        Verb::StartCall(call) => call.method.as_str(),
        Verb::Eventually(call) => call.method.as_str(),
        Verb::Await(_) | Verb::Event(_) | Verb::NoEvent(_) => "",
        Verb::MakeDial(dial) if dial.call.is_some() => "",
        Verb::Member(_) => "room.",
        Verb::For(repeat) => {
            repeat.steps.iter().for_each(|step| add(step, needs));
            return;
        }
        _ => return,
    };
    needs.insert("control");
    match method.split_once('.') {
        Some(("global" | "process", _)) => needs.insert("registry"),
        Some(("room", _)) => needs.insert("rooms"),
        Some(("codec", _)) => needs.insert("codec"),
        _ => false,
    };
}
