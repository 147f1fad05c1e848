//! Two real nodes over loopback, driven through the control protocol.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

struct Node {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last_id: u64,
    notifications: Vec<Value>,
}

impl Node {
    fn start(name: &str, arguments: &[&str]) -> (Self, Value) {
        Self::start_with(name, arguments, json!({}))
    }

    fn start_with(name: &str, arguments: &[&str], timings: Value) -> (Self, Value) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_snow-node"))
            .arg("--control")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut node = Self { child, input, output, last_id: 0, notifications: Vec::new() };
        assert_eq!(node.call("initialize", json!({"protocol": 5}))["result"]["protocol"], 5);
        let mut params = timings;
        params["name"] = json!(name);
        params["cookie"] = json!(hex::encode("secret"));
        let started = node.call("node.start", params);
        (node, started["result"].clone())
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        writeln!(self.input.as_ref().unwrap(), "{request}").unwrap();
        loop {
            let line = self.line();
            if line["id"] == self.last_id {
                return line;
            }
            self.notifications.push(line);
        }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// The next notification, and its method.
    fn notification(&mut self) -> Value {
        if self.notifications.is_empty() { self.line() } else { self.notifications.remove(0) }
    }

    fn stop(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn a_session_shares_names_and_its_end_takes_them_back() {
    let (mut a, a_started) = Node::start("a@127.0.0.1:0", &[]);
    let (mut b, b_started) = Node::start("b@[::1]:0", &[]);
    let pid = a.call("process.spawn", json!({"function": "collector"}))["result"]["pid"].clone();
    assert_eq!(a.call("global.register", json!({"name": "x", "pid": pid}))["result"], json!({}));
    assert_eq!(b.call("node.connect", json!({"node": a_started["name"]}))["result"], json!({}));
    let opened = b.notification();
    assert_eq!((&opened["method"], &opened["params"]["seq"]), (&json!("session.opened"), &json!(1)));
    assert_eq!(opened["params"]["creation"], a_started["creation"]);
    assert_eq!(a.call("node.list", json!({}))["result"]["nodes"], json!([b_started["name"]]));
    // The sync is behind the session's start; a barrier alone does not say that it has come.
    let deadline = Instant::now() + Duration::from_secs(10);
    while b.call("global.whereis", json!({"name": "x"}))["result"]["pid"] != pid {
        assert!(Instant::now() < deadline, "the sync has not come");
    }
    a.stop();
    let closed = b.notification();
    assert_eq!((&closed["method"], &closed["params"]["seq"]), (&json!("session.closed"), &json!(2)));
    assert_eq!(b.call("global.whereis", json!({"name": "x"}))["result"]["pid"], Value::Null);
    assert_eq!(b.call("shutdown", json!({}))["result"], json!({}));
    b.stop();
}

#[test]
fn a_planted_fault_shows_on_the_wire() {
    let timings = json!({"heartbeat_interval_ms": 50, "heartbeat_timeout_ms": 50});
    let (mut good, _) = Node::start_with("a@127.0.0.1:0", &[], timings);
    let (bad, started) = Node::start("b@127.0.0.1:0", &["--fault", "pong-with-zeros"]);
    assert_eq!(good.call("node.connect", json!({"node": started["name"]}))["result"], json!({}));
    assert_eq!(good.notification()["method"], "session.opened");
    assert_eq!(good.notification()["method"], "session.closed");
    good.stop();
    bad.stop();
}
