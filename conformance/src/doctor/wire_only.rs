//! A wire-only node: whether it takes name, host, port and cookie from its command line.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use super::initiator::{self, Met};
use super::report::{Check, Report};
use crate::cluster::{Manifest, Mode, StartError, WireOnlyNode, WireOnlyStart};
use crate::schema::Schema;

/// A cookie that every way of reading a file gets right.
const PLAIN: &[u8] = b"a-plain-cookie";
/// A cookie that is taken for text, cut at a NUL, or trimmed, only by who does not take the file's bytes.
const ANY_BYTES: &[u8] = b" \xff\x00cookie\r\n";
/// How long a node has to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// Makes all checks.
pub(super) fn examine(manifest: &Manifest, schema: &Schema, patience: Duration, mut report: Report) -> Report {
    debug_assert_eq!(manifest.mode, Mode::WireOnly);
    // A name that whoever dials it back reaches.
    if let Ok(own) = TcpListener::bind("127.0.0.1:0")
        && let Ok(address) = own.local_addr()
    {
        let own = format!("doctor@{address}");
        Doctor { manifest, schema, patience, own, report: &mut report }.examine();
    }
    report.of_all(Check::OF_WIRE_ONLY)
}

struct Doctor<'a> {
    manifest: &'a Manifest,
    schema: &'a Schema,
    patience: Duration,
    own: String,
    report: &'a mut Report,
}

impl Doctor<'_> {
    fn examine(&mut self) {
        let Some(node) = self.start(&WireOnlyStart::new("patient", PLAIN)) else { return };
        self.report.pass(Check::Start, format!("accepts connections on {}", node.address));
        if self.name(&node) {
            self.cookies(&node);
        }
        self.end(node);
        self.host();
        if self.report.passed(Check::RightCookie) {
            self.bytes_of_the_cookie();
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.patience
    }

    fn start(&mut self, start: &WireOnlyStart) -> Option<WireOnlyNode> {
        let check = if start.host == IpAddr::V4(Ipv4Addr::LOCALHOST) { Check::Start } else { Check::Host };
        match WireOnlyNode::start(&self.manifest.run, start, self.deadline()) {
            Ok(node) => Some(node),
            Err(StartError::Harness { what, reason }) => {
                self.report.leave(check, format!("this machine has no {what} for it: {reason}"));
                None
            }
            Err(error) => {
                let next = match error {
                    StartError::Spawn(_) => "correct `run` in the manifest, or install the program that it names",
                    _ => {
                        "listen on exactly the host and port that stand in place of {host} and {port}, and go on running; the node's standard error says more"
                    }
                };
                self.report.fail(check, error.to_string(), next);
                None
            }
        }
    }

    /// Whether the handshake goes as far as CHALLENGE; it says the node's name.
    fn name(&mut self, node: &WireOnlyNode) -> bool {
        match initiator::challenged(self.schema, node.address, &self.own, self.deadline()) {
            Ok(challenged) if challenged.name == node.name => {
                self.report.pass(Check::Name, format!("CHALLENGE carries {}", node.name));
                true
            }
            Ok(challenged) => {
                self.report.fail(
                    Check::Name,
                    format!("the node was started as {}, and its CHALLENGE says {}", node.name, challenged.name),
                    "take the name that stands in place of {name} in `run`, whole and unchanged",
                );
                true
            }
            Err(words) => {
                self.report.fail(
                    Check::Name,
                    format!("after NAME: {words}"),
                    "get TLS and the first half of the handshake to work (spec/handshake.md); \
                     `cargo xtask conformance --node … --rung 1 handshake/` shows every frame",
                );
                false
            }
        }
    }

    fn met(&self, node: &WireOnlyNode, cookie: &[u8]) -> Met {
        let deadline = self.deadline();
        initiator::challenged(self.schema, node.address, &self.own, deadline)
            .and_then(|challenged| challenged.prove(self.schema, cookie, deadline))
            .unwrap_or_else(Met::Refused)
    }

    fn cookies(&mut self, node: &WireOnlyNode) {
        match self.met(node, PLAIN) {
            Met::Acknowledged { right: true } => self.report.pass(Check::RightCookie, "answered with ACK, and its proof is right"),
            Met::Acknowledged { right: false } => self.report.fail(
                Check::RightCookie,
                "ACK came, and its proof is not that of the cookie in {cookie_file}",
                "use the bytes of the file at {cookie_file} as the key of the HMAC, and nothing else",
            ),
            Met::Refused(words) => self.report.fail(
                Check::RightCookie,
                format!("a peer that proved the cookie in {{cookie_file}} was not let in: {words}"),
                "read the cookie from the file whose path stands in place of {cookie_file}: all of its bytes are the cookie, and the path is not",
            ),
        }
        match self.met(node, b"another-cookie") {
            Met::Acknowledged { .. } => self.report.fail(
                Check::WrongCookie,
                "a peer that proved another cookie was answered with ACK",
                "compare the proof in REPLY with the HMAC under the cookie of {cookie_file}, and close where they differ",
            ),
            Met::Refused(_) => self.report.pass(Check::WrongCookie, "not let in"),
        }
    }

    /// Another address of this machine, where there is one without any set-up.
    fn host(&mut self) {
        let host = Ipv4Addr::new(127, 0, 0, 2);
        if TcpListener::bind((host, 0)).is_err() {
            self.report.leave(Check::Host, format!("this machine has no address {host}"));
            return;
        }
        let start = WireOnlyStart { host: host.into(), ..WireOnlyStart::new("patient", PLAIN) };
        if let Some(node) = self.start(&start) {
            self.report.pass(Check::Host, format!("listens on {}, too, when told so", node.address));
            self.end(node);
        }
    }

    fn bytes_of_the_cookie(&mut self) {
        let Some(node) = self.start(&WireOnlyStart::new("patient", ANY_BYTES)) else { return };
        match self.met(&node, ANY_BYTES) {
            Met::Acknowledged { right: true } => {
                self.report.pass(Check::CookieBytes, "a cookie with NUL, 0xff and line ends in it is taken as it is");
            }
            Met::Acknowledged { right: false } | Met::Refused(_) => self.report.fail(
                Check::CookieBytes,
                "a cookie of the bytes 20 ff 00 \"cookie\" 0d 0a was not taken as it is",
                "read the cookie file as bytes: decode no text, trim nothing, and do not end at a NUL or a line's end",
            ),
        }
        self.end(node);
    }

    fn end(&mut self, node: WireOnlyNode) {
        match node.process.stop(GRACE) {
            Some(stopped) if !stopped.exit.left_behind.is_empty() => {
                let left: Vec<&str> = stopped.exit.left_behind.iter().map(|child| child.command.as_str()).collect();
                self.report.fail(
                    Check::Children,
                    format!("the node was ended and left running what it had started: {}", left.join(", ")),
                    "let `run` start the node itself (`exec` in a shell script), or pass SIGTERM on to what you start and await it",
                );
            }
            Some(_) if cfg!(target_os = "linux") => {
                self.report.pass(Check::Children, "nothing that it started outlived it");
            }
            _ => self.report.leave(Check::Children, "this system does not tell"),
        }
    }
}
