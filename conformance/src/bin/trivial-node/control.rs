//! What a trivial node says on its control lines: yes to everything, unless it is there to break the control protocol.

use std::io::{self, BufRead, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, ExitCode};
use std::thread;

use serde_json::{Value, json};

use crate::wire::{self, Manner};

/// All that can be claimed.
const CAPABILITIES: [&str; 3] = ["registry", "rooms", "codec"];

/// How the control protocol is kept or broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// As it should be.
    Agreeable,
    /// Ends with status 1 before it reads anything.
    ExitAtStart,
    /// Reads and says nothing.
    NeverAnswers,
    /// Prints what is no JSON.
    Babble,
    /// Answers with ids that nobody gave it.
    WrongId,
    /// Leaves out what a result must have.
    BadResult,
    /// Begins its notifications with number 2.
    SkipsSeq,
    /// Starts a process and does not end it.
    LeavesChild,
    /// Goes on when its input ends.
    IgnoresEnd,
}

/// What it remembers: enough to be consistent, not enough to be right.
struct Yes {
    manner: Manner,
    name: String,
    creation: u8,
    connected: Vec<String>,
    spawned: u64,
}

/// Answers requests until the input ends.
pub(crate) fn serve(manner: Manner, habit: Habit) -> ExitCode {
    if habit == Habit::ExitAtStart {
        eprintln!("this node ends before it begins");
        return ExitCode::FAILURE;
    }
    if habit == Habit::LeavesChild
        && let Err(error) = Command::new("sleep").arg("1000").spawn()
    {
        eprintln!("no child to leave behind: {error}");
        return ExitCode::FAILURE;
    }
    let mut yes = Yes { manner, name: "nonode@nohost".to_owned(), creation: 0, connected: Vec::new(), spawned: 0 };
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let Ok(request) = serde_json::from_str::<Value>(&line) else { break };
        let method = request["method"].as_str().unwrap_or_default();
        let result = yes.to(method, &request["params"]);
        let good = json!({"jsonrpc": "2.0", "id": request["id"], "result": result}).to_string();
        let written = match habit {
            Habit::NeverAnswers => Ok(()),
            Habit::Babble => writeln!(output, "got {method}, working on it"),
            Habit::WrongId => {
                let id = request["id"].as_i64().unwrap_or(0) + 1000;
                writeln!(output, "{}", json!({"jsonrpc": "2.0", "id": id, "result": result}))
            }
            Habit::BadResult => writeln!(output, "{}", json!({"jsonrpc": "2.0", "id": request["id"], "result": {}})),
            Habit::SkipsSeq => {
                let params = json!({"seq": 2, "node": "somebody@127.0.0.1:9000", "creation": 1});
                let event = json!({"jsonrpc": "2.0", "method": "session.opened", "params": params});
                writeln!(output, "{event}\n{good}")
            }
            _ => writeln!(output, "{good}"),
        };
        if written.and_then(|()| output.flush()).is_err() || method == "shutdown" {
            break;
        }
    }
    if habit == Habit::IgnoresEnd {
        loop {
            thread::park();
        }
    }
    ExitCode::SUCCESS
}

impl Yes {
    fn to(&mut self, method: &str, params: &Value) -> Value {
        match method {
            "initialize" => json!({
                "implementation": "trivial-node", "version": env!("CARGO_PKG_VERSION"), "language": "Rust",
                "protocol": 5, "control": 1, "capabilities": CAPABILITIES,
            }),
            "node.start" => self.start(params),
            "node.connect" => {
                self.connect(params["node"].as_str().unwrap_or_default());
                json!({})
            }
            "node.self" => json!({"name": self.name, "creation": self.creation}),
            "node.list" => json!({"nodes": self.connected}),
            "process.spawn" => {
                self.spawned += 1;
                json!({"pid": self.process(self.spawned)})
            }
            "global.whereis" => json!({"pid": self.process(1)}),
            "global.names" => json!({"names": []}),
            "room.broadcast" => json!({"failed": 0}),
            "codec.decode" => json!({"message": "PING", "fields": {}, "left_over": ""}),
            "codec.encode" => json!({"bytes": params["fields"]["bytes"].as_str().unwrap_or_default()}),
            "codec.frames" => json!({"frames": [], "end": "complete"}),
            "codec.proof" => json!({"proof": "00".repeat(32)}),
            _ => json!({}),
        }
    }

    fn start(&mut self, params: &Value) -> Value {
        let asked = params["name"].as_str().unwrap_or_default();
        let asked = if asked.len() < 3 { "trivial@127.0.0.1:0" } else { asked };
        let place = match params["listen"].as_str() {
            Some(listen) => listen,
            None => asked.split_once('@').map_or("", |(_, place)| place),
        };
        let (host, port) = place.rsplit_once(':').unwrap_or((place, "9000"));
        let port = port.parse().unwrap_or(0);
        // A port that is taken is no reason to disagree.
        let started =
            wire::listen(self.manner, asked, host, port).or_else(|_| wire::listen(self.manner, asked, host, 0));
        self.name = started.map_or_else(|_| asked.to_owned(), |(name, _)| name);
        self.creation = 1;
        match serve_rooms() {
            Ok(address) => json!({"name": self.name, "creation": 1, "websocket": format!("ws://{address}")}),
            Err(_) => json!({"name": self.name, "creation": 1}),
        }
    }

    fn connect(&mut self, node: &str) {
        if node.len() < 3 {
            return;
        }
        self.connected.push(node.to_owned());
        if let Some(address) = node.split_once('@').and_then(|(_, place)| place.parse().ok()) {
            wire::dial(self.manner, &self.name, address);
        }
    }

    fn process(&self, local: u64) -> Value {
        json!({"node": self.name, "creation": self.creation, "local": local})
    }
}

/// Greets every member and never tells it anything.
fn serve_rooms() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(stream) = stream else { return };
            thread::spawn(move || {
                let Ok(mut socket) = tungstenite::accept(stream) else { return };
                let greeting = json!({"member": format!("m{number}")}).to_string();
                if socket.send(tungstenite::Message::text(greeting)).is_ok() {
                    while socket.read().is_ok() {}
                }
            });
        }
    });
    Ok(address)
}
