//! Adapters that keep to the control protocol but for one thing, for tests of the doctor. None of them is a node.

use std::io::{self, BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;

use serde_json::{Value, json};

const UNKNOWN_METHOD: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

/// The one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// None: all is as it should be.
    Nothing,
    /// Says nothing to a method that it does not have.
    IgnoresUnknown,
    /// Refuses what it does not have with another code.
    OtherCode,
    /// Refuses members of params that it does not know.
    Strict,
    /// Reads the next request when the last is answered.
    OneAtATime,
    /// Tells its name as it was asked for, port 0 and all.
    KeepsPortZero,
    /// Tells a port on which nobody listens.
    OtherPort,
    /// Tells another creation every time.
    OtherSelf,
    /// Claims a capability that it has not.
    Claims,
    /// Claims a capability that there is not.
    ClaimsNonsense,
    /// Ends with status 1 when its input does.
    StatusOne,
    /// Has no `shutdown`.
    NoShutdown,
    /// Answers `shutdown` and goes on.
    IgnoresShutdown,
    /// Answers each request twice.
    Twice,
    /// Prints a line that is none of the control protocol's behind its answers.
    Stray,
}

impl Lie {
    /// By the word on the command line.
    pub(crate) fn of(mode: &str) -> Option<Self> {
        Some(match mode {
            "honest" => Self::Nothing,
            "ignores-unknown" => Self::IgnoresUnknown,
            "other-code" => Self::OtherCode,
            "strict" => Self::Strict,
            "one-at-a-time" => Self::OneAtATime,
            "keeps-port-zero" => Self::KeepsPortZero,
            "other-port" => Self::OtherPort,
            "other-self" => Self::OtherSelf,
            "claims" => Self::Claims,
            "claims-nonsense" => Self::ClaimsNonsense,
            "status-one" => Self::StatusOne,
            "no-shutdown" => Self::NoShutdown,
            "ignores-shutdown" => Self::IgnoresShutdown,
            "twice" => Self::Twice,
            "stray" => Self::Stray,
            _ => return None,
        })
    }
}

/// Answers requests until the input ends.
pub(crate) fn serve(lie: Lie) -> ExitCode {
    let mut liar = Liar { lie, name: "nonode@nohost".to_owned(), creation: 0, listener: None };
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let Ok(request) = serde_json::from_str::<Value>(&line) else { break };
        let method = request["method"].as_str().unwrap_or_default();
        if method == "node.connect" {
            // Nobody answers on the other side: it takes as long as the one who asks has patience.
            if lie == Lie::OneAtATime {
                loop {
                    thread::park();
                }
            }
            let (id, node) = (request["id"].clone(), request["params"]["node"].clone());
            thread::spawn(move || {
                let address = node.as_str().and_then(|node| node.split_once('@')).map_or("", |(_, place)| place);
                if let Ok(mut stream) = TcpStream::connect(address) {
                    let _ = stream.read(&mut [0]);
                }
                say(&answer(&id, &error(-32004, "the other side is gone")));
            });
            continue;
        }
        let known = ["initialize", "node.start", "node.self", "shutdown"].contains(&method);
        if lie == Lie::IgnoresUnknown && !known {
            continue;
        }
        let said = answer(&request["id"], &liar.to(method, &request["params"]));
        say(&said);
        match lie {
            Lie::Twice => say(&said),
            Lie::Stray => say("serving…"),
            _ => {}
        }
        if method == "shutdown" && lie != Lie::NoShutdown {
            if lie == Lie::IgnoresShutdown {
                continue;
            }
            return ExitCode::SUCCESS;
        }
    }
    if lie == Lie::StatusOne { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

struct Liar {
    lie: Lie,
    name: String,
    creation: u8,
    listener: Option<TcpListener>,
}

/// What is said besides `jsonrpc` and `id`.
type Said = (&'static str, Value);

impl Liar {
    fn to(&mut self, method: &str, params: &Value) -> Said {
        let known = ["protocol", "name", "cookie", "handshake_timeout_ms"];
        let strange = params.as_object().into_iter().flatten().any(|(name, _)| !known.contains(&name.as_str()));
        match method {
            "initialize" | "node.start" | "node.self" if self.lie == Lie::Strict && strange => {
                error(INVALID_PARAMS, "a parameter that is not known")
            }
            "initialize" => {
                let capabilities: &[&str] = match self.lie {
                    Lie::Claims => &["registry"],
                    Lie::ClaimsNonsense => &["teleport"],
                    _ => &[],
                };
                let result = json!({
                    "implementation": "trivial-node", "version": env!("CARGO_PKG_VERSION"), "language": "Rust",
                    "protocol": 5, "control": 1, "capabilities": capabilities,
                });
                ("result", result)
            }
            "node.start" => self.start(params["name"].as_str().unwrap_or_default()),
            "node.self" => {
                let creation = if self.lie == Lie::OtherSelf { self.creation + 1 } else { self.creation };
                ("result", json!({"name": self.name, "creation": creation}))
            }
            "shutdown" if self.lie != Lie::NoShutdown => ("result", json!({})),
            _ if self.lie == Lie::OtherCode => error(-32000, "no such method"),
            _ => error(UNKNOWN_METHOD, "unknown method"),
        }
    }

    fn start(&mut self, asked: &str) -> Said {
        let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return error(-32000, "no port") };
        let Ok(address) = listener.local_addr() else { return error(-32000, "no port") };
        self.creation = 1;
        self.name = match self.lie {
            Lie::KeepsPortZero => asked.to_owned(),
            _ => asked.replace(":0", &format!(":{}", address.port())),
        };
        if self.lie != Lie::OtherPort {
            self.listener = Some(listener);
        }
        ("result", json!({"name": self.name, "creation": self.creation}))
    }
}

fn error(code: i64, message: &str) -> Said {
    ("error", json!({"code": code, "message": message}))
}

fn answer(id: &Value, (what, value): &Said) -> String {
    let mut line = json!({"jsonrpc": "2.0", "id": id});
    line[*what] = value.clone();
    line.to_string()
}

fn say(line: &str) {
    let mut output = io::stdout().lock();
    // Nobody is there to be told.
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}
