//! What a trivial node says on its control lines: yes to everything, unless it is there to break the control protocol.

use std::io::{self, BufRead, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, ExitCode};
use std::thread;

use serde_json::{Value, json};

use crate::wire::{self, Manner};

/// All that can be claimed.
const CAPABILITIES: [&str; 6] = ["registry", "process", "supervisor", "rooms", "codec", "term"];

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
    /// Ids of a supervisor's children, so that they can be listed.
    children: Vec<Value>,
    /// Notifications so far.
    told: u64,
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
    let mut yes = Yes {
        manner,
        name: "nonode@nohost".to_owned(),
        creation: 0,
        connected: Vec::new(),
        spawned: 0,
        children: Vec::new(),
        told: 0,
    };
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
            Habit::Agreeable => {
                let told = yes.tells(method, &request["params"], &result);
                told.iter().try_for_each(|event| writeln!(output, "{event}")).and_then(|()| writeln!(output, "{good}"))
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
            "process.spawn" | "supervisor.start_child" => {
                self.spawned += 1;
                let pid = self.process(self.spawned);
                json!({"pid": on_node(pid, &params["node"])})
            }
            "process.alive" => json!({"alive": true}),
            "process.monitor" => json!({"ref": "1"}),
            "supervisor.start" => self.supervise(params),
            "supervisor.children" => json!({"children": self.children}),
            "term.decode" => {
                json!({"term": {"kind": "tuple", "items": [{"kind": "none"}, {"kind": "unit"}]}, "left_over": ""})
            }
            "term.encode" => json!({"bytes": "0106"}),
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

    /// Lists the children as if they ran.
    fn supervise(&mut self, params: &Value) -> Value {
        self.children.clear();
        for child in params["children"].as_array().into_iter().flatten() {
            self.spawned += 1;
            let pid = on_node(self.process(self.spawned), &child["node"]);
            self.children.push(json!({"id": child["id"], "pid": pid}));
        }
        self.spawned += 1;
        json!({"pid": self.process(self.spawned)})
    }

    /// What one might hope to hear of a request, before its answer; or, where the manner is garbage, what nobody does.
    fn tells(&mut self, method: &str, params: &Value, result: &Value) -> Vec<Value> {
        let error = json!({"kind": "error", "text": "noproc"});
        let told = match (self.manner, method) {
            (Manner::Garbage, "initialize" | "shutdown") => None,
            (Manner::Garbage, _) => {
                let pid = self.process(self.told);
                Some(("process.message", json!({"pid": pid, "bytes": hex::encode(method)})))
            }
            (_, "process.send") => Some(("process.message", json!({"pid": params["to"], "bytes": params["bytes"]}))),
            (_, "process.exit") => Some(("process.ended", json!({"pid": params["pid"], "reason": params["reason"]}))),
            (_, "supervisor.stop") => {
                Some(("process.ended", json!({"pid": params["supervisor"], "reason": {"kind": "shutdown"}})))
            }
            (_, "process.link") => {
                Some(("process.exited", json!({"pid": params["pid"], "from": params["to"], "reason": error})))
            }
            (_, "process.monitor") => {
                let (pid, from) = (&params["pid"], &params["target"]);
                Some(("process.down", json!({"pid": pid, "ref": result["ref"], "from": from, "reason": error})))
            }
            (_, "node.monitor") => Some(("node.up", json!({"pid": params["pid"], "node": params["node"]}))),
            _ => None,
        };
        let told = told.map(|(event, mut params)| {
            self.told += 1;
            params["seq"] = self.told.into();
            json!({"jsonrpc": "2.0", "method": event, "params": params})
        });
        told.into_iter().collect()
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

/// A process as if it were on the node that was asked for.
fn on_node(mut pid: Value, node: &Value) -> Value {
    if node.is_string() {
        pid["node"] = node.clone();
    }
    pid
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
