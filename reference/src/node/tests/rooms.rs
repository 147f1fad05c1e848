//! Rooms: who gets what.

use super::{Bench, frames_to};
use crate::{
    node::{Answer, Command, CommandError, Input, MemberId, Output},
    wire::room::RoomBroadcast,
};

fn delivered(outputs: &[Output]) -> Vec<(Vec<MemberId>, &str)> {
    let deliver = |output: &'_ Output| match output {
        Output::Deliver { members, text, .. } => Some((members.clone(), text.clone())),
        _ => None,
    };
    outputs.iter().filter_map(deliver).map(|(members, text)| (members, &*text.leak())).collect()
}

fn say(text: &str) -> Command {
    Command::Broadcast { room: "r".into(), text: text.into(), except: None }
}

#[test]
fn a_broadcast_goes_to_members_and_sessions_and_one_received_to_members_only() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (one, two) = (MemberId(1), MemberId(2));
    let outputs = bench.input(Input::MemberJoined { member: one, room: "r".into() });
    assert_eq!(delivered(&outputs), [(vec![one], r#"{"member":"m1"}"#)]);
    bench.input(Input::MemberJoined { member: two, room: "r".into() });
    bench.command(Command::Join { member: two, room: "r".into() });

    let (_, outputs) = bench.command(say("hi"));
    assert_eq!(delivered(&outputs), [(vec![one, two], "hi")]);
    let frame = RoomBroadcast { room: "r", text: "hi" }.encode().unwrap();
    assert_eq!(frames_to(conn, outputs), std::slice::from_ref(&frame));

    let outputs = bench.frame(conn, frame);
    assert_eq!(delivered(&outputs), [(vec![one, two], "hi")]);
    assert_eq!(outputs.len(), 1);

    let (_, outputs) = bench.command(Command::Broadcast { room: "r".into(), text: String::new(), except: Some(one) });
    assert_eq!(delivered(&outputs), [(vec![two], "")]);
    bench.input(Input::MemberLeft(one));
    bench.command(Command::Leave { member: two, room: "r".into() });
    let (answer, outputs) = bench.command(say("again"));
    assert_eq!(answer, Some(Ok(Answer::Failed(0))));
    assert!(delivered(&outputs).is_empty());
    let gone = bench.command(Command::Join { member: one, room: "r".into() }).0;
    assert_eq!(gone, Some(Err(CommandError::UnknownMember)));
}

#[test]
fn what_does_not_fit_is_refused_whole() {
    let mut bench = Bench::new("m@h");
    bench.session("p@h", 3);
    let (answer, outputs) = bench.command(say(&"x".repeat(16_777_216)));
    assert_eq!(answer, Some(Err(CommandError::TooLarge)));
    assert_eq!(outputs.len(), 1);
}
