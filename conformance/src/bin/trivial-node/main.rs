//! Nodes that are no nodes: a suite that lets one of them pass a case that must be earned is worth nothing.
//!
//! `trivial-node <mode>` speaks the control protocol agreeably and does nothing useful on the wire; `trivial-node <mode>
//! <name> <host> <port> <cookie file>` is the same without the control protocol. Some modes are adapters that break the
//! control protocol instead, for tests of the harness itself; `liar <lie>` and `acceptor <slip> …` are right but for one thing, for those of the doctor.

mod acceptor;
mod control;
mod liar;
mod wire;

use std::process::ExitCode;
use std::{env, thread};

use acceptor::Slip;
use control::Habit;
use liar::Lie;
use wire::Manner;

const USAGE: &str = "usage: trivial-node MODE [NAME HOST PORT COOKIE_FILE]
on the wire:  close    closes each connection at once
              stall    accepts connections and says nothing
              agree    answers each step of the handshake with random bytes, and checks nothing
              garbage  sends random bytes over TLS
as adapters:  exit-at-start  never-answers  babble  wrong-id  bad-result  skips-seq  leaves-child  ignores-end
for the doctor: liar LIE, acceptor SLIP NAME HOST PORT COOKIE_FILE";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [mode, name, host, port, _cookie_file] => match (manner(mode), port.parse()) {
            (Some(manner), Ok(port)) => stay_on_the_wire(manner, name, host, port),
            _ => usage(),
        },
        ["liar", lie] => Lie::of(lie).map_or_else(usage, liar::serve),
        ["acceptor", slip, name, host, port, cookie_file] => match (Slip::of(slip), port.parse()) {
            (Some(slip), Ok(port)) => acceptor::serve(slip, name, host, port, cookie_file),
            _ => usage(),
        },
        [mode] => match (manner(mode), habit(mode)) {
            (Some(manner), _) => control::serve(manner, Habit::Agreeable),
            (None, Some(habit)) => control::serve(Manner::Close, habit),
            (None, None) => usage(),
        },
        _ => usage(),
    }
}

fn manner(mode: &str) -> Option<Manner> {
    Some(match mode {
        "close" => Manner::Close,
        "stall" => Manner::Stall,
        "agree" => Manner::Agree,
        "garbage" => Manner::Garbage,
        _ => return None,
    })
}

fn habit(mode: &str) -> Option<Habit> {
    Some(match mode {
        "exit-at-start" => Habit::ExitAtStart,
        "never-answers" => Habit::NeverAnswers,
        "babble" => Habit::Babble,
        "wrong-id" => Habit::WrongId,
        "bad-result" => Habit::BadResult,
        "skips-seq" => Habit::SkipsSeq,
        "leaves-child" => Habit::LeavesChild,
        "ignores-end" => Habit::IgnoresEnd,
        _ => return None,
    })
}

fn stay_on_the_wire(manner: Manner, name: &str, host: &str, port: u16) -> ExitCode {
    match wire::listen(manner, name, host, port) {
        Ok(_) => loop {
            thread::park();
        },
        Err(error) => {
            eprintln!("cannot listen on {host}:{port}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
