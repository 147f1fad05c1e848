//! Which capabilities a case needs: what its scenario says, and what its steps imply.
//!
//! `control` stands for having an adapter at all. Every capability but `process` shows only over control lines; peers may also spawn
//! and watch the processes of a wire-only node (`spec/control.md`, "Wire-only nodes").

use std::collections::BTreeSet;

use serde_json::Value;

use crate::scenario::expression::Binding;
use crate::scenario::model::StartWhen;
use crate::scenario::step::{Call, Event, Events, Eventually, Expect, For, Send, StartCall};
use crate::scenario::{Expression, Row, Scenario, Scope, Step, Verb};
use crate::schema::Schema;

/// Having an adapter at all.
pub(crate) const CONTROL: &str = "control";
/// What `initialize` and manifests may claim.
pub(crate) const CAPABILITIES: &[&str] = &[REGISTRY, PROCESS, SUPERVISOR, "rooms", "codec", "term"];

/// What the system has to tell of processes: their memory and open files. The machine has it or not, whatever the node.
pub(crate) const MEASURING: &str = "measuring";

/// Names in one table.
pub(crate) const REGISTRY: &str = "registry";
/// Supervisors of processes.
pub(crate) const SUPERVISOR: &str = "supervisor";
/// Signals that reach the node: whether what the manifest starts is the node itself.
pub(crate) const SIGNALS: &str = "signals";

/// Loopback addresses of the same machine for nodes and harness: whether the manifest says that nodes are elsewhere.
pub(crate) const LOOPBACK: &str = "loopback";

/// What is asked of the machine and the manifest, and not of the node.
pub(crate) const SURROUNDINGS: [&str; 3] = [MEASURING, SIGNALS, LOOPBACK];

/// The capability, and the family of messages, that needs no adapter.
pub(crate) const PROCESS: &str = "process";

/// The capabilities of one case, in the order in which a report should name the first that is missing.
#[must_use]
pub(crate) fn of(schema: &Schema, scenario: &Scenario, row: Option<&Row>) -> Vec<String> {
    let spared = |need: &str| scenario.needs_not.iter().any(|spared| spared == need);
    let mut needs = Needs { schema, sends_process: false, found: BTreeSet::new() };
    scenario.steps.iter().for_each(|step| needs.add(step, &Variables(row)));
    let mut found = needs.found;
    if needs.sends_process && !spared(PROCESS) {
        found.insert(PROCESS.to_owned());
    }
    found.extend(scenario.needs.iter().cloned());
    let names_hosts = scenario.nodes.values().any(|node| node.host.is_some())
        || scenario.peers.values().any(|peer| peer.host.is_some());
    if names_hosts {
        found.insert(LOOPBACK.to_owned());
    }
    let needs_adapter = found.iter().any(|need| need != PROCESS && !SURROUNDINGS.contains(&need.as_str()));
    if needs_adapter || scenario.nodes.values().any(|node| node.start == StartWhen::ProcessOnly) {
        found.insert(CONTROL.to_owned());
    }
    let mut found: Vec<String> = found.into_iter().collect();
    found.sort_by_key(|need| need != CONTROL);
    found
}

/// Names in `needs` and `needs_not` that are no capabilities.
pub(crate) fn unknown(scenario: &Scenario) -> impl Iterator<Item = &String> {
    let known = |name: &&String| {
        let name = name.as_str();
        name == CONTROL || CAPABILITIES.contains(&name) || SURROUNDINGS.contains(&name)
    };
    scenario.needs.iter().chain(&scenario.needs_not).filter(move |name| !known(name))
}

/// The variables that are known before a case runs: those of its row.
struct Variables<'a>(Option<&'a Row>);

impl Scope for Variables<'_> {
    fn lookup(&self, path: &str) -> Option<Value> {
        self.0?.variables.get(path).cloned()
    }
}

struct Needs<'a> {
    schema: &'a Schema,
    sends_process: bool,
    found: BTreeSet<String>,
}

impl Needs<'_> {
    fn add(&mut self, step: &Step, scope: &dyn Scope) {
        match &step.verb {
            Verb::Call(Call { method, params, .. })
            | Verb::StartCall(StartCall { method, params, .. })
            | Verb::Eventually(Eventually { method, params, .. }) => {
                let plain = |name: &str| params.get(name).is_none();
                let collects = params.get("function").and_then(|function| text(function, scope));
                let is_local = plain("node") && plain("from") && plain("link");
                self.method(&filled(method, scope), is_local && collects.as_deref() == Some("collector"));
            }
            Verb::Event(Event { method, .. })
            | Verb::NoEvent(Event { method, .. })
            | Verb::Events(Events { method, .. }) => {
                self.event(&filled(method, scope));
            }
            Verb::Await(_) => self.need(CONTROL),
            Verb::MakeDial(dial) if dial.call.is_some() => self.need(CONTROL),
            Verb::Member(_) => self.need("rooms"),
            Verb::Memory(_) | Verb::Descriptors(_) => self.need(MEASURING),
            Verb::Kill(_) | Verb::Freeze(_) | Verb::Thaw(_) => self.need(SIGNALS),
            Verb::Introduce(_) | Verb::Invariants(_) => self.need(CONTROL),
            Verb::Converged(step) => {
                self.need(CONTROL);
                if step.names_of.as_ref().is_none_or(|owners| !owners.names().is_empty()) {
                    self.need("registry");
                }
            }
            Verb::Chaos(_) => ["registry", PROCESS, "rooms", SIGNALS].into_iter().for_each(|need| self.need(need)),
            Verb::Send(send) => self.sends(send, scope),
            Verb::Expect(Expect { message, unordered, .. }) => {
                let several = unordered.iter().map(|frame| &frame.message);
                message.iter().chain(several).for_each(|message| self.message(message, scope));
            }
            Verb::Collect(collect) => self.message(&collect.message, scope),
            Verb::For(repeat) => {
                for step in &repeat.steps {
                    self.add(step, scope);
                    for value in values(repeat, scope) {
                        self.add(step, &Binding { name: &repeat.each, value, outer: scope });
                    }
                }
            }
            _ => {}
        }
    }

    fn need(&mut self, capability: &str) {
        self.found.insert(capability.to_owned());
    }

    fn method(&mut self, method: &str, spawns_a_plain_collector: bool) {
        self.need(CONTROL);
        match (method.split_once('.'), method) {
            (_, "process.spawn") if spawns_a_plain_collector => self.need("registry"),
            (Some(("global", _)), _) | (_, "process.exit") => self.need("registry"),
            (Some((PROCESS, _)), _) | (_, "node.monitor") => self.need(PROCESS),
            (Some(("supervisor", _)), _) => {
                self.need(PROCESS);
                self.need("supervisor");
            }
            (Some(("room", _)), _) => self.need("rooms"),
            (Some(("codec", _)), _) => self.need("codec"),
            (Some(("term", _)), _) => self.need("term"),
            _ => {}
        }
    }

    /// Notifications of sessions come from every node that has an adapter, the others with `process`.
    fn event(&mut self, method: &str) {
        self.need(CONTROL);
        if method.starts_with("process.") || method.starts_with("node.") {
            self.need(PROCESS);
        }
    }

    /// A message that is made wrong says nothing to any node, so that every node can be asked to endure it.
    fn sends(&mut self, send: &Send, scope: &dyn Scope) {
        for frame in send.frames().iter().filter(|frame| frame.mutate.is_none()) {
            if let Some(message) = &frame.message {
                self.message(message, scope);
            }
        }
    }

    fn message(&mut self, message: &str, scope: &dyn Scope) {
        let layout = self.schema.message(&filled(message, scope));
        self.sends_process |= layout.is_some_and(|layout| layout.family == PROCESS);
    }
}

/// The values of a loop, as far as they are known before a case runs.
fn values(repeat: &For, scope: &dyn Scope) -> Vec<Value> {
    match &repeat.of {
        Some(Expression::List(items)) => items.iter().filter_map(|item| item.evaluate(scope).ok()).collect(),
        _ => Vec::new(),
    }
}

fn text(expression: &Expression, scope: &dyn Scope) -> Option<String> {
    expression.text("", scope).ok()
}

/// A name in a step with what is known of it filled in; what is not, is left as it stands.
fn filled(name: &str, scope: &dyn Scope) -> String {
    text(&Expression::Text(name.to_owned()), scope).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The schema of this repository with the messages of the family `process` that these tests name.
    fn schema() -> Schema {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let no_fields = "phase: session, fields: []";
        file("framing.yaml", "family: framing\nframe: {length: u32, limits: {handshake: 1, session: 2}}\n");
        file("membership.yaml", &format!("family: membership\nmessages: {{PING: {{tag: 1, {no_fields}}}}}\n"));
        let messages = format!("SEND: {{tag: 2, {no_fields}}}, EXIT: {{tag: 3, {no_fields}}}");
        file("process.yaml", &format!("family: process\nmessages: {{{messages}}}\n"));
        crate::schema::load(folder.path()).unwrap()
    }

    fn needs(head: &str, step: &str) -> String {
        let text = format!("title: t\nrequirements: [PROC-1]\n{head}\nsteps: [{{{step}}}]\n");
        let scenario: Scenario = serde_yaml::from_str(&text).unwrap();
        assert_eq!(unknown(&scenario).count(), 0);
        of(&schema(), &scenario, scenario.table.first()).join(" ")
    }

    #[test]
    fn calls_and_notifications_need_what_offers_them() {
        for (step, wanted) in [
            ("fence: p", ""),
            ("call: {method: node.self}", "control"),
            ("event: {method: session.opened}", "control"),
            ("call: {method: process.spawn, params: {function: collector}}", "control registry"),
            ("call: {method: process.spawn, params: {function: collector, node: b@h}}", "control process"),
            ("call: {method: process.spawn, params: {function: exit}}", "control process"),
            ("call: {method: process.exit, params: {}}", "control registry"),
            ("call: {method: process.alive, params: {}}", "control process"),
            ("call: {method: node.monitor, params: {}}", "control process"),
            ("no_event: {method: process.down}", "control process"),
            ("event: {method: node.up}", "control process"),
            ("events: {method: process.message, count: 2}", "control process"),
            ("start_call: {id: a, method: supervisor.start, params: {}}", "control process supervisor"),
            ("eventually: {method: term.decode, params: {}}", "control term"),
            ("member: {name: m, room: r}", "control rooms"),
            ("memory: {note: before}", "measuring"),
            ("descriptors: {note: before}", "measuring"),
            ("kill: n", "signals"),
            ("freeze: n", "signals"),
        ] {
            assert_eq!(needs("", step), wanted, "{step}");
        }
    }

    #[test]
    fn frames_of_processes_need_the_capability_and_no_adapter() {
        let send = "send: {session: p, message: SEND}";
        assert_eq!(needs("", send), "process");
        assert_eq!(needs("", "send: {session: p, message: PING}"), "");
        assert_eq!(needs("", "send: {session: p, frames: [{message: PING}, {message: EXIT}]}"), "process");
        assert_eq!(needs("", "expect: {session: p, unordered: [{message: EXIT}]}"), "process");
        assert_eq!(
            needs("", "for: {each: m, of: [PING, EXIT], steps: [{send: {session: p, message: '${m}'}}]}"),
            "process"
        );
        assert_eq!(needs("table: [{case: a, m: EXIT}]", "send: {session: p, message: '${m}'}"), "process");
        assert_eq!(needs("table: [{case: a, m: PING}]", "send: {session: p, message: '${m}'}"), "");
        assert_eq!(needs("", &format!("{send}}}, {{call: {{method: node.self}}")), "control process");
    }

    #[test]
    fn every_node_can_be_asked_to_endure_what_says_nothing_to_it() {
        assert_eq!(needs("", "send: {session: p, message: SEND, mutate: {keep: 3}}"), "");
        assert_eq!(needs("needs_not: [process]", "send: {session: p, message: SEND}"), "");
        assert_eq!(needs("needs_not: [process]", "event: {method: process.down}"), "control process");
    }

    #[test]
    fn what_is_said_is_needed() {
        assert_eq!(needs("needs: [process]", "fence: p"), "process");
        assert_eq!(needs("needs: [registry]", "fence: p"), "control registry");
        assert_eq!(needs("needs: [control]", "fence: p"), "control");
        assert_eq!(needs("nodes: {n: {start: process_only}}", "fence: p"), "control");
        assert_eq!(needs("needs: [loopback]", "fence: p"), "loopback");
        assert_eq!(needs("peers: {p: {host: '[::1]'}}", "fence: p"), "loopback");
        assert_eq!(needs("nodes: {n: {host: 127.0.0.2}}", "fence: p"), "loopback");
    }
}
