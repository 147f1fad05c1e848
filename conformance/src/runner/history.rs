//! Invariants over what all runs of all nodes have told: pure functions from notifications and the ledger to the first breach.
//!
//! Each of them is a sentence that holds for every correct node whatever happens to it, so that no hazard and no timing can make it false.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::Event;

use super::ledger::{Ledger, Pid};

/// What one run of a node has told.
pub(super) struct Told {
    /// The node's key, and which run it was where there were several: `b`, `b (run 2)`.
    pub(super) run: String,
    /// Its notifications, in order.
    pub(super) events: Vec<Event>,
}

/// An invariant that does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Breach {
    pub(super) sentence: String,
    /// Where the spec has one that says just this.
    pub(super) requirement: Option<&'static str>,
    pub(super) expected: String,
    pub(super) actual: String,
}

fn breach(sentence: String, requirement: &'static str, expected: &str, actual: String) -> Option<Breach> {
    Some(Breach { sentence, requirement: Some(requirement), expected: expected.to_owned(), actual })
}

fn text<'e>(event: &'e Event, key: &str) -> &'e str {
    event.params.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn pid(event: &Event, key: &str) -> Option<Pid> {
    event.params.get(key).and_then(Pid::read)
}

fn shown(event: &Event) -> String {
    format!("{} {}", event.method, Value::Object(event.params.clone()))
}

/// The sessions that a run has told and not told the end of: peer and creation.
pub(super) fn open_sessions(events: &[Event]) -> BTreeMap<String, u64> {
    let mut open = BTreeMap::new();
    for event in events {
        let creation = event.params.get("creation").and_then(Value::as_u64).unwrap_or_default();
        match event.method.as_str() {
            "session.opened" => drop(open.insert(text(event, "node").to_owned(), creation)),
            "session.closed" => drop(open.remove(text(event, "node"))),
            _ => {}
        }
    }
    open
}

/// Per node and peer, session.opened and session.closed alternate, and the session that ends is the one that has begun.
pub(super) fn sessions_alternate(told: &Told) -> Option<Breach> {
    let mut open: BTreeMap<&str, &Value> = BTreeMap::new();
    for event in &told.events {
        let (node, creation) = (text(event, "node"), event.params.get("creation").unwrap_or(&Value::Null));
        match event.method.as_str() {
            "session.opened" => {
                if let Some(live) = open.insert(node, creation) {
                    return breach(
                        format!("{} has two sessions with {node} at once", told.run),
                        "MEM-16",
                        "session.closed before the next session.opened",
                        format!("{}, while one of creation {live} was live", shown(event)),
                    );
                }
            }
            "session.closed" => match open.remove(node) {
                Some(begun) if begun == creation => {}
                Some(begun) => {
                    return breach(
                        format!("{} tells the end of another session with {node} than it has", told.run),
                        "MEM-39",
                        &format!("session.closed of creation {begun}"),
                        shown(event),
                    );
                }
                None => {
                    return breach(
                        format!("{} tells the end of a session with {node} that it does not have", told.run),
                        "MEM-39",
                        "one session.closed after each session.opened",
                        shown(event),
                    );
                }
            },
            _ => {}
        }
    }
    None
}

/// A process ends once.
pub(super) fn processes_end_once(told: &Told) -> Option<Breach> {
    let mut ended = BTreeSet::new();
    let ends = told.events.iter().filter(|event| event.method == "process.ended");
    let again = ends.into_iter().find(|event| pid(event, "pid").is_some_and(|pid| !ended.insert(pid)))?;
    Some(Breach {
        sentence: format!("{} tells the end of a process twice", told.run),
        requirement: None,
        expected: "one process.ended a process".to_owned(),
        actual: shown(again),
    })
}

/// A monitor fires once: of one watcher, reference and process there are no more process.down than monitors were made.
pub(super) fn monitors_fire_once(told: &[Told], ledger: &Ledger) -> Option<Breach> {
    for (run, told) in told.iter().enumerate() {
        let mut fired: BTreeMap<(Pid, &str, Pid), usize> = BTreeMap::new();
        for event in told.events.iter().filter(|event| event.method == "process.down") {
            let (Some(watcher), Some(from)) = (pid(event, "pid"), pid(event, "from")) else { continue };
            let reference = text(event, "ref");
            let made = |monitor: &&super::ledger::Monitor| {
                monitor.run == run
                    && monitor.watcher == watcher
                    && monitor.reference == reference
                    && monitor.target == from
            };
            let made = ledger.monitors.iter().filter(made).count();
            let count = fired.entry((watcher, reference, from)).or_default();
            *count += 1;
            // Monitors that no step has made are a supervisor's, or somebody's who did not get the answer.
            if made > 0 && *count > made {
                return breach(
                    format!("{} tells the end of a monitored process again", told.run),
                    "PROC-35",
                    "one process.down a monitor",
                    shown(event),
                );
            }
        }
    }
    None
}

/// For a watcher and a node, node.up and node.down alternate. Watches that were begun twice are left out.
pub(super) fn watches_alternate(told: &[Told], ledger: &Ledger) -> Option<Breach> {
    for (run, told) in told.iter().enumerate() {
        let mut last: BTreeMap<(Pid, &str), &str> = BTreeMap::new();
        for event in told.events.iter().filter(|event| event.method.starts_with("node.")) {
            let (Some(watcher), node) = (pid(event, "pid"), text(event, "node")) else { continue };
            let begun = (run, watcher.clone(), node.to_owned());
            if ledger.watches.iter().filter(|watch| **watch == begun).count() != 1 {
                continue;
            }
            if last.insert((watcher, node), &event.method) == Some(&event.method) {
                let id = if event.method == "node.up" { "MEM-44" } else { "MEM-43" };
                return breach(
                    format!("{} tells {} of {node} twice in a row", told.run, event.method),
                    id,
                    "node.up and node.down in turn",
                    shown(event),
                );
            }
        }
    }
    None
}

/// Messages of one node to one process come in the order of their requests, each once at most. Judges only what one request alone has sent.
pub(super) fn messages_keep_order(told: &[Told], ledger: &Ledger) -> Option<Breach> {
    let mut sent: BTreeMap<(&Pid, &str), Vec<usize>> = BTreeMap::new();
    for (at, message) in ledger.messages.iter().enumerate() {
        sent.entry((&message.to, &message.bytes)).or_default().push(at);
    }
    for told in told {
        let mut seen = BTreeSet::new();
        let mut last: BTreeMap<(usize, Pid), usize> = BTreeMap::new();
        for event in told.events.iter().filter(|event| event.method == "process.message") {
            let Some(to) = pid(event, "pid") else { continue };
            let Some(&[at]) = sent.get(&(&to, text(event, "bytes"))).map(Vec::as_slice) else { continue };
            if !seen.insert(at) {
                return breach(
                    format!("{} got a message twice", told.run),
                    "PROC-13",
                    "each message once",
                    shown(event),
                );
            }
            let sender = ledger.messages[at].run;
            if let Some(before) = last.insert((sender, to.clone()), at).filter(|before| *before > at) {
                return breach(
                    format!("{} got messages of one sender out of order", told.run),
                    "PROC-20",
                    &format!("{} before {}", ledger.messages[at].bytes, ledger.messages[before].bytes),
                    shown(event),
                );
            }
        }
    }
    None
}

/// What a member has heard, and where.
pub(super) struct Heard {
    pub(super) run: usize,
    pub(super) member: String,
    pub(super) room: String,
    pub(super) since: usize,
    /// Its texts, without the first, which told its id.
    pub(super) texts: Vec<String>,
}

/// No text comes to a member more often than it was broadcast, and those of one node come in the order of their requests.
pub(super) fn texts_keep_order(heard: &[Heard], ledger: &Ledger) -> Option<Breach> {
    for member in heard {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        let mut last: BTreeMap<usize, usize> = BTreeMap::new();
        for text in &member.texts {
            let of_text =
                |broadcast: &&super::ledger::Broadcast| broadcast.room == member.room && broadcast.text == *text;
            let sent: Vec<usize> =
                (0..ledger.broadcasts.len()).filter(|at| of_text(&&ledger.broadcasts[*at])).collect();
            let times = times.entry(text).or_default();
            *times += 1;
            // A text that no request has sent comes from a peer of the scenario.
            if !sent.is_empty() && *times > sent.len() {
                return breach(
                    format!("member `{}` got a text more often than it was broadcast", member.member),
                    "ROOM-4",
                    &format!("{text:?} {}", times_of(sent.len())),
                    times_of(*times),
                );
            }
            if let [at] = sent.as_slice()
                && let Some(before) = last.insert(ledger.broadcasts[*at].run, *at).filter(|before| before > at)
            {
                return breach(
                    format!("member `{}` got texts of one node out of order", member.member),
                    "ROOM-15",
                    &format!("{text:?} before {:?}", ledger.broadcasts[before].text),
                    format!("{text:?} behind it"),
                );
            }
        }
    }
    None
}

/// A text of a stable run that a member of a stable run has not got. Both lists are of runs.
pub(super) fn lost_text(heard: &[Heard], ledger: &Ledger, stable: &BTreeSet<usize>) -> Option<Breach> {
    for member in heard.iter().filter(|member| stable.contains(&member.run)) {
        let since = ledger.broadcasts.iter().skip(member.since);
        let owed = since.filter(|b| stable.contains(&b.run) && b.room == member.room && !b.except);
        for broadcast in owed {
            if !member.texts.contains(&broadcast.text) {
                return breach(
                    format!("member `{}` has not got a text of {}", member.member, ledger.runs[broadcast.run].node),
                    "ROOM-2",
                    &format!("{:?}", broadcast.text),
                    format!("{} other texts", member.texts.len()),
                );
            }
        }
    }
    None
}

fn times_of(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::super::ledger::{Broadcast, Monitor, Sent};
    use super::*;

    fn told(events: &[(&str, Value)]) -> Told {
        let event = |(method, params): &(&str, Value)| Event {
            at: Instant::now(),
            seq: 1,
            method: (*method).to_owned(),
            params: params.as_object().unwrap().clone(),
        };
        Told { run: "a".to_owned(), events: events.iter().map(event).collect() }
    }

    fn session(creation: u8) -> Value {
        json!({"node": "b@h:1", "creation": creation})
    }

    fn pid_of(local: u64) -> Pid {
        Pid { node: "a@h:1".to_owned(), creation: 1, local }
    }

    fn value_of(local: u64) -> Value {
        json!({"node": "a@h:1", "creation": 1, "local": local})
    }

    fn blamed(breach: Option<Breach>) -> &'static str {
        breach.unwrap().requirement.unwrap()
    }

    #[test]
    fn sessions_that_alternate_are_fine_and_others_are_not() {
        let (opened, closed) = ("session.opened", "session.closed");
        let fine = [(opened, session(1)), (closed, session(1)), (opened, session(2))];
        assert_eq!(sessions_alternate(&told(&fine)), None);
        assert_eq!(open_sessions(&told(&fine).events), BTreeMap::from([("b@h:1".to_owned(), 2)]));
        assert_eq!(blamed(sessions_alternate(&told(&[(opened, session(1)), (opened, session(2))]))), "MEM-16");
        assert_eq!(blamed(sessions_alternate(&told(&[(closed, session(1))]))), "MEM-39");
        assert_eq!(blamed(sessions_alternate(&told(&[(opened, session(1)), (closed, session(2))]))), "MEM-39");
    }

    #[test]
    fn a_process_that_ends_twice_is_found() {
        let ended = ("process.ended", json!({"pid": value_of(7), "reason": {"kind": "normal"}}));
        assert_eq!(processes_end_once(&told(std::slice::from_ref(&ended))), None);
        assert!(processes_end_once(&told(&[ended.clone(), ended])).is_some());
    }

    #[test]
    fn a_monitor_that_fires_again_is_found_and_a_reference_may_be_given_anew() {
        let down = ("process.down", json!({"pid": value_of(1), "ref": "r", "from": value_of(2), "reason": {}}));
        let twice = [told(&[down.clone(), down])];
        let monitor = || Monitor { run: 0, watcher: pid_of(1), reference: "r".to_owned(), target: pid_of(2) };
        let mut ledger = Ledger { monitors: vec![monitor()], ..Ledger::default() };
        assert_eq!(blamed(monitors_fire_once(&twice, &ledger)), "PROC-35");
        ledger.monitors.push(monitor());
        assert_eq!(monitors_fire_once(&twice, &ledger), None);
    }

    #[test]
    fn watches_that_do_not_alternate_are_found() {
        let up = || ("node.up", json!({"pid": value_of(1), "node": "b@h:1"}));
        let down = || ("node.down", json!({"pid": value_of(1), "node": "b@h:1"}));
        let ledger = Ledger { watches: vec![(0, pid_of(1), "b@h:1".to_owned())], ..Ledger::default() };
        assert_eq!(watches_alternate(&[told(&[down(), up(), down()])], &ledger), None);
        assert_eq!(blamed(watches_alternate(&[told(&[up(), up()])], &ledger)), "MEM-44");
        assert_eq!(blamed(watches_alternate(&[told(&[up(), down(), down()])], &ledger)), "MEM-43");
    }

    #[test]
    fn messages_out_of_order_and_twice_are_found() {
        let sent = |bytes: &str| Sent { run: 1, to: pid_of(1), bytes: bytes.to_owned() };
        let ledger = Ledger { messages: vec![sent("01"), sent("02")], ..Ledger::default() };
        let got = |bytes: &str| ("process.message", json!({"pid": value_of(1), "bytes": bytes}));
        assert_eq!(messages_keep_order(&[told(&[got("01"), got("02"), got("03")])], &ledger), None);
        assert_eq!(blamed(messages_keep_order(&[told(&[got("02"), got("01")])], &ledger)), "PROC-20");
        assert_eq!(blamed(messages_keep_order(&[told(&[got("01"), got("01")])], &ledger)), "PROC-13");
    }

    #[test]
    fn texts_lost_doubled_and_out_of_order_are_found() {
        let sent = |text: &str| Broadcast { run: 1, room: "r".to_owned(), text: text.to_owned(), except: false };
        let mut ledger = Ledger { broadcasts: vec![sent("1"), sent("2")], ..Ledger::default() };
        let heard = |texts: &[&str]| {
            let texts = texts.iter().map(|text| (*text).to_owned()).collect();
            [Heard { run: 0, member: "m".to_owned(), room: "r".to_owned(), since: 0, texts }]
        };
        assert_eq!(texts_keep_order(&heard(&["1", "2"]), &ledger), None);
        assert_eq!(texts_keep_order(&heard(&["2"]), &ledger), None);
        assert_eq!(blamed(texts_keep_order(&heard(&["2", "1"]), &ledger)), "ROOM-15");
        assert_eq!(blamed(texts_keep_order(&heard(&["1", "1"]), &ledger)), "ROOM-4");
        ledger.broadcasts.push(sent("1"));
        assert_eq!(texts_keep_order(&heard(&["1", "1"]), &ledger), None);
        assert_eq!(lost_text(&heard(&["1"]), &ledger, &BTreeSet::from([0])), None);
    }
}
