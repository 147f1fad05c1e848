//! The table and the generator, held against the project's own spec and schema.

use std::collections::BTreeSet;
use std::path::Path;

use super::inputs::{self, Input};
use super::sample::{self, Words};
use super::{Class, MatrixCase, Reaction, Reactions, State};
use crate::codec;
use crate::requirement::Spec;
use crate::schema::{Layout, Phase, Type, own};

fn cases() -> Vec<MatrixCase> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec");
    let spec = Spec::load(&folder).unwrap();
    super::load(&folder, &spec, &own()).unwrap()
}

/// A table with these cells in its first row, and `–` in all others.
fn table(row: &str) -> String {
    let heads: Vec<&str> = State::ALL.iter().map(|state| state.words()).collect();
    let mut text = format!("## Reactions\n\n| what comes | {} |\n|---|\n", heads.join(" | "));
    for class in Class::ALL {
        let cells = if class == Class::Awaited { row } else { "– | – | – | – | – | – | –" };
        text.push_str(&format!("| {} | {cells} |\n", class.words()));
    }
    text + "\n## Hazards\n\n| what comes | no table any more |\n"
}

fn read(text: &str) -> Result<Reactions, Vec<String>> {
    Reactions::read(text, |id| id == "HS-6")
}

#[test]
fn cells_say_a_reaction_and_a_requirement() {
    let reactions = read(&table("goes on HS-6 | closes HS-6 | – | – | – | – | nothing HS-6")).unwrap();
    let cell = |state| reactions.cell(Class::Awaited, state).map(|cell| (cell.reaction, cell.requirement.as_str()));
    assert_eq!(cell(State::AwaitingName), Some((Reaction::GoesOn, "HS-6")));
    assert_eq!(cell(State::AwaitingReply), Some((Reaction::Closes, "HS-6")));
    assert_eq!(cell(State::AwaitingAck), None);
    assert_eq!(reactions.cells().count(), 3);
}

#[test]
fn what_is_wrong_with_a_table_is_said() {
    let wrong = |text: &str| read(text).unwrap_err().join("; ");
    assert!(wrong(&table("closes | – | – | – | – | – | –")).contains("neither"), "a cell without a requirement");
    assert!(wrong(&table("bites HS-6 | – | – | – | – | – | –")).contains("`bites` is no reaction"));
    assert!(wrong(&table("closes HS-99 | – | – | – | – | – | –")).contains("not a requirement"));
    assert!(wrong(&table("– | –")).contains("2 cells instead of 7"));
    let good = table("– | – | – | – | – | – | –");
    assert!(wrong(&good.replace("ACK awaited", "ACK")).contains("the columns"));
    assert!(wrong(&good.replace(Class::Empty.words(), "a full frame")).contains("no class of input"));
    let row = format!("| {} |", Class::Empty.words());
    let without: Vec<&str> = good.lines().filter(|line| !line.starts_with(&row)).collect();
    assert!(wrong(&without.join("\n")).contains("has no row `an empty frame`"));
    assert!(wrong("").contains("has no row"));
}

#[test]
fn a_cell_without_inputs_and_inputs_without_a_cell_are_wrong() {
    let reactions = read(&table("– | – | – | – | – | – | –")).unwrap();
    let wrong = super::cases::all(&own(), &reactions).unwrap_err().join("\n");
    assert!(wrong.contains("no `the awaited message` in `NAME awaited`, but there is NAME"), "{wrong}");
    let all: Vec<String> =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/resilience.md"))
            .unwrap()
            .lines()
            .map(|line| {
                if line.contains("creation 0") {
                    line.replacen("| – |", "| closes HS-6 |", 1)
                } else {
                    line.to_owned()
                }
            })
            .collect();
    let reactions = Reactions::read(&all.join("\n"), |_| true).unwrap();
    let wrong = super::cases::all(&own(), &reactions).unwrap_err().join("\n");
    assert!(
        wrong.contains("`the awaited message, creation 0` in `REPLY awaited`, of which there is no input"),
        "{wrong}"
    );
}

#[test]
fn every_message_comes_in_every_state() {
    let schema = own();
    let cases = cases();
    for state in State::ALL {
        for layout in schema.messages() {
            let of_state = cases.iter().filter(|case| case.state == state);
            let mut inputs = of_state.flat_map(|case| &case.inputs);
            // The awaited NAME and CHALLENGE, too, come once as they should.
            assert!(
                inputs.any(|planned| planned.input == inputs::whole(layout)
                    || planned.input.id.starts_with(&format!("{}-", layout.name))),
                "{} in {state:?}",
                layout.name
            );
        }
    }
}

/// Every segment is cut before and inside, every length and count told wrong, every text spoiled, every union of an unknown kind, and
/// bytes are left over.
#[test]
fn everything_that_a_layout_lets_be_wrong_is_there() {
    let schema = own();
    for layout in schema.messages() {
        let ids: BTreeSet<String> = inputs::all_of(&schema, layout).into_iter().map(|input| input.id).collect();
        let has = |part: &str| ids.iter().any(|id| id.contains(part));
        for field in &layout.fields {
            let name = field.name.as_str();
            match &field.ty {
                Type::Text(_) => {
                    for what in [
                        "cut-0-in-NAME-length",
                        "cut-0-in-NAME",
                        "NAME-length-one-more",
                        "NAME-length-one-less",
                        "NAME-length-none",
                        "NAME-length-most",
                        "NAME-not-utf8-ff",
                        "NAME-not-utf8-surrogate",
                    ] {
                        let what = what.replace("NAME", name);
                        assert!(has(&what), "{}: {what}", layout.name);
                    }
                }
                Type::Blob(_) => {
                    assert!(has(&format!("{name}-length-one-more")), "{}", layout.name);
                    assert!(!has(&format!("{name}-not-utf8")), "{}: what is no text is no UTF-8 either", layout.name);
                }
                Type::List(..) => {
                    for what in [
                        "count-one-more",
                        "count-one-less",
                        "count-none",
                        "count-most",
                        "1-name-cut-0",
                        "0-name-not-utf8-ff",
                        "1-name-length-most",
                    ] {
                        let (what, alone) = (format!("{name}-{what}"), what.replace("1-name-cut-0", "cut-0-in-"));
                        assert!(has(&what) || has(&alone), "{}: {what}", layout.name);
                    }
                }
                Type::Named(union) => {
                    let Some(Layout::Union(union)) = schema.layout(union) else { continue };
                    union.variants.keys().for_each(|kind| assert!(ids.contains(&format!("{}-{kind}", layout.name))));
                    assert!(has(&format!("{name}-kind-255")), "{}", layout.name);
                }
                // Nothing can be cut off from what takes whatever is left, but for all of it.
                Type::Rest => assert!(has(&format!("{name}-empty")), "{}", layout.name),
                _ => {
                    assert!(has(&format!("cut-0-in-{name}")), "{}: cut before {name}", layout.name);
                    let is_byte = matches!(field.ty, Type::Uint(crate::schema::Width::U8));
                    assert!(is_byte || has(&format!("cut-1-in-{name}")), "{}: cut inside {name}", layout.name);
                }
            }
        }
        let has_rest = layout.fields.last().is_some_and(|field| field.ty == Type::Rest);
        assert_eq!(has("left-over"), !has_rest, "{}", layout.name);
    }
}

#[test]
fn ids_are_unique_and_inputs_differ() {
    for case in cases() {
        let ids: BTreeSet<&str> = case.inputs.iter().map(|planned| planned.input.id.as_str()).collect();
        assert_eq!(ids.len(), case.inputs.len(), "{}", case.id);
        let first = &case.inputs[0].input.id;
        let alone = case.alone(first).unwrap();
        assert_eq!((alone.id, alone.inputs.len()), (format!("{}[{first}]", case.id), 1));
        assert!(case.alone("nothing").is_none());
    }
}

#[test]
fn classes_follow_from_bytes() {
    let schema = own();
    let words = Words::dummy(7);
    let class = |state, message: &str, id: &str| {
        let layout = schema.message(message).unwrap();
        let input: Input = inputs::all_of(&schema, layout).into_iter().find(|input| input.id == id).unwrap();
        input.made(&schema, state, &words).unwrap().class
    };
    let session = State::Acceptor;
    for (message, id, wanted) in [
        ("MONITOR", "MONITOR", Class::Message),
        ("MONITOR", "MONITOR-cut-7-in-ref", Class::Short),
        ("EXIT", "EXIT-error-cut-1-in-reason-text", Class::ExitReason),
        ("EXIT", "EXIT-normal-cut-7-in-to", Class::Short),
        ("MONITOR_EXIT", "MONITOR_EXIT-normal-reason-kind-255", Class::MonitorExitReason),
        ("PING", "PING-cut-1-in-nonce", Class::ShortPing),
        ("PEER_LIST", "PEER_LIST-peers-count-one-less", Class::LeftOver),
        ("PEER_LIST", "PEER_LIST-peers-count-one-more", Class::Short),
        ("ROOM_BROADCAST", "ROOM_BROADCAST-text-not-utf8-half", Class::NotUtf8),
        // The text is one byte shorter, and the message takes that for its own.
        ("REG_SEND", "REG_SEND-name-length-one-less", Class::Message),
    ] {
        assert_eq!(class(session, message, id), wanted, "{id}");
    }
    assert_eq!(class(State::AwaitingName, "NAME", "NAME-name-length-one-less"), Class::AwaitedLeftOver);
    assert_eq!(class(State::AwaitingChallenge, "CHALLENGE", "CHALLENGE-name-length-one-less"), Class::WrongName);
    assert_eq!(class(State::AwaitingName, "NAME", "NAME-creation-zero"), Class::CreationZero);
    assert_eq!(class(State::AwaitingReply, "REPLY", "REPLY-proof-wrong"), Class::WrongProof);
    assert_eq!(class(State::AwaitingAck, "REPLY", "REPLY-proof-wrong"), Class::HandshakeMessage);
}

#[test]
fn entries_may_count_before_the_fault_and_never_behind_it() {
    let schema = own();
    let layout = schema.message("PEER_LIST").unwrap();
    let made = |id: &str| {
        let input = inputs::all_of(&schema, layout).into_iter().find(|input| input.id == id).unwrap();
        input.made(&schema, State::Initiator, &Words::dummy(1)).unwrap()
    };
    let names = |id: &str| String::from_utf8_lossy(&made(id).bytes).into_owned();
    assert_eq!(made("PEER_LIST-peers-1-name-not-utf8-ff").may_count, BTreeSet::from([0]));
    assert_eq!(made("PEER_LIST-peers-0-name-not-utf8-ff").may_count, BTreeSet::new());
    assert_eq!(made("PEER_LIST-peers-count-one-less").may_count, BTreeSet::from([0]));
    let words = Words::dummy(1);
    let text = names("PEER_LIST-peers-count-one-less");
    assert!(text.contains(&format!("m001a@{}", words.refused)) && text.contains(&format!("m001b@{}", words.watched)));
}

#[test]
fn samples_are_what_their_layouts_say() {
    let schema = own();
    for layout in schema.messages() {
        let encoded = codec::encode(&schema, &sample::message(&schema, layout, None, &Words::dummy(3))).unwrap();
        let decoded = codec::decode(&schema, layout.phase, &encoded.payload()).unwrap();
        assert_eq!((decoded.message.name, decoded.message.left_over), (layout.name.clone(), Vec::new()));
    }
    let known: BTreeSet<u8> = schema.messages().map(|layout| layout.tag).collect();
    assert!(inputs::unknown_tags(&schema).iter().all(|tag| !known.contains(tag)));
    assert!(inputs::frames(&schema, Phase::Handshake).len() > 4);
}
