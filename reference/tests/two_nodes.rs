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

    /// The next notification of this method; others before it are dropped.
    fn await_notification(&mut self, method: &str) -> Value {
        loop {
            let notification = self.notification();
            if notification["method"] == method {
                return notification;
            }
        }
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
fn a_supervisor_starts_children_on_the_other_node_and_again_when_it_has_returned() {
    let (mut a, a_started) = Node::start("a@127.0.0.1:0", &[]);
    let (b, b_started) = Node::start("b@127.0.0.1:0", &[]);
    assert_eq!(a.call("node.connect", json!({"node": b_started["name"]}))["result"], json!({}));
    let child = json!({"id": "far", "function": "collector", "restart": "transient", "node": b_started["name"]});
    let near = json!({"id": "near", "function": "crash_on_message", "args": "", "restart": "permanent"});
    let settings = json!({"strategy": "one_for_one", "max_restarts": 5, "max_seconds": 60, "children": [child, near]});
    let supervisor = a.call("supervisor.start", settings)["result"]["pid"].clone();
    assert_eq!((&supervisor["node"], &supervisor["creation"]), (&a_started["name"], &a_started["creation"]));
    let first = children(&mut a, &supervisor);
    assert_eq!((&first[0]["id"], &first[0]["pid"]["node"]), (&json!("far"), &b_started["name"]));
    assert_eq!((&first[1]["id"], &first[1]["pid"]["node"]), (&json!("near"), &a_started["name"]));

    assert_eq!(a.call("process.send", json!({"to": first[1]["pid"], "bytes": "21"}))["result"], json!({}));
    let second = children(&mut a, &supervisor);
    assert_eq!(second[0], first[0]);
    assert_ne!(second[1], first[1]);

    b.stop();
    a.await_notification("session.closed");
    assert_eq!(children(&mut a, &supervisor)[0], json!({"id": "far", "pid": null}));
    // Another run of the node: it opens the session itself, so it may listen anywhere.
    let anywhere = json!({"listen": "127.0.0.1:0"});
    let (mut b, _) = Node::start_with(b_started["name"].as_str().unwrap(), &[], anywhere);
    assert_eq!(b.call("node.connect", json!({"node": a_started["name"]}))["result"], json!({}));
    let deadline = Instant::now() + Duration::from_secs(10);
    let far = loop {
        let far = children(&mut a, &supervisor)[0]["pid"].clone();
        if !far.is_null() {
            break far;
        }
        assert!(Instant::now() < deadline, "the child has not been started again");
    };
    assert_eq!(b.call("process.alive", json!({"pid": far}))["result"]["alive"], true);
    assert_eq!(a.call("supervisor.stop", json!({"supervisor": supervisor}))["result"], json!({}));
    assert_eq!(b.call("process.alive", json!({"pid": far}))["result"]["alive"], false);
    assert_eq!(a.call("supervisor.children", json!({"supervisor": supervisor}))["error"]["code"], -32_007);

    let worker = json!({"id": "w", "function": "collector", "restart": "temporary"});
    let settings = json!({"strategy": "simple_one_for_one", "max_restarts": 1, "max_seconds": 1, "children": [worker]});
    let simple = a.call("supervisor.start", settings)["result"]["pid"].clone();
    for args in [json!({}), json!({"args": "2a"})] {
        let mut params = args;
        params["supervisor"] = simple.clone();
        assert_eq!(a.call("supervisor.start_child", params)["result"]["pid"]["node"], a_started["name"]);
    }
    assert_eq!(children(&mut a, &simple).as_array().unwrap().len(), 2);
    for (wrong, code) in [
        (json!({"strategy": "one_for_two", "children": []}), -32_602),
        (json!({"strategy": "simple_one_for_one", "children": []}), -32_602),
        (
            json!({"strategy": "one_for_all", "children": [{"id": "x", "function": "nothing", "restart": "permanent"}]}),
            -32_011,
        ),
    ] {
        let mut params = wrong;
        params["max_restarts"] = json!(1);
        params["max_seconds"] = json!(1);
        assert_eq!(a.call("supervisor.start", params)["error"]["code"], code);
    }
    a.stop();
    b.stop();
}

fn children(node: &mut Node, supervisor: &Value) -> Value {
    node.call("supervisor.children", json!({"supervisor": supervisor}))["result"]["children"].clone()
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

#[test]
fn processes_of_two_nodes_reach_watch_and_lose_each_other() {
    let (mut a, a_started) = Node::start("a@127.0.0.1:0", &[]);
    let (mut b, b_started) = Node::start("b@127.0.0.1:0", &[]);
    let pid = |node: &Value, local: u64| json!({"node": node["name"], "creation": node["creation"], "local": local});
    assert_eq!(a.call("node.connect", json!({"node": b_started["name"]}))["result"], json!({}));
    let requester = a.call("process.spawn", json!({"function": "collector"}))["result"]["pid"].clone();
    assert_eq!(requester, pid(&a_started, 1));
    a.call("process.trap_exit", json!({"pid": requester, "enabled": true}));
    a.call("node.monitor", json!({"pid": requester, "node": b_started["name"]}));
    let relay = json!({
        "function": "relay", "args": "0100000000000000", "node": b_started["name"], "from": requester, "link": true,
    });
    let child = a.call("process.spawn", relay)["result"]["pid"].clone();
    assert_eq!(child, pid(&b_started, 1));
    let reference = a.call("process.monitor", json!({"pid": requester, "target": child}))["result"]["ref"].clone();
    assert_eq!(a.call("process.send", json!({"to": child, "bytes": "00ff"}))["result"], json!({}));
    let refused = json!({"function": "nothing", "node": b_started["name"], "from": requester});
    assert_eq!(a.call("process.spawn", refused)["error"]["code"], -32_011);

    let next = |node: &mut Node, method: &str| {
        let notification = node.notification();
        assert_eq!(notification["method"], method);
        let mut params = notification["params"].clone();
        params.as_object_mut().unwrap().remove("seq");
        params
    };
    next(&mut a, "session.opened");
    assert_eq!(next(&mut a, "process.message"), json!({"pid": requester, "bytes": "00ff"}));
    let nested = json!({"node": null, "creation": 3, "local": 4});
    let reason = json!({"kind": "linked", "pid": nested, "reason": {"kind": "custom", "text": "é"}});
    assert_eq!(b.call("process.exit", json!({"pid": child, "reason": reason}))["result"], json!({}));
    next(&mut b, "session.opened");
    assert_eq!(next(&mut b, "process.ended"), json!({"pid": child, "reason": reason}));
    assert_eq!(next(&mut a, "process.exited"), json!({"pid": requester, "from": child, "reason": reason}));
    let down = json!({"pid": requester, "ref": reference, "from": child, "reason": reason});
    assert_eq!(next(&mut a, "process.down"), down);
    b.stop();
    assert_eq!(next(&mut a, "node.down"), json!({"pid": requester, "node": b_started["name"]}));
    next(&mut a, "session.closed");
    assert_eq!(a.call("process.alive", json!({"pid": requester}))["result"], json!({"alive": true}));
    assert_eq!(a.call("process.link", json!({"pid": requester, "to": child}))["error"]["code"], -32_008);
    a.stop();
}
