//! Where nodes are and where they find the harness: on loopback addresses, or elsewhere as a manifest's `address` says. Binds nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};

use serde::Deserialize;

use super::command::CommandLine;
use super::port::{fixed_port, unprobed_port};

/// A host as names carry it, and its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Such as `10.77.0.2`, `[fd00::2]` or `nodes.example`.
    pub text: String,
    /// Where the harness finds it.
    pub ip: IpAddr,
}

/// The hosts of nodes and peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Nodes are known under these, the first node of a case under the first, and so on, in turn. Never empty.
    advertised: Vec<Host>,
    /// Where nodes bind, if not at the host of their name.
    bind: Option<String>,
    /// Peers, relays and all else that nodes may dial.
    peers: Host,
    /// Where the processes of nodes are.
    processes: Processes,
    is_loopback: bool,
}

/// Whether what the manifest's command starts is the node itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Processes {
    /// It is: signals reach the node, and the system tells of it.
    Here,
    /// It is something that speaks with the node, such as `ssh`.
    #[default]
    Elsewhere,
}

/// `address` of a manifest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentAddress {
    advertised: OneOrMany,
    bind: Option<String>,
    peers: String,
    #[serde(default)]
    processes: Processes,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for Addresses {
    fn default() -> Self {
        let local = Host { text: Ipv4Addr::LOCALHOST.to_string(), ip: Ipv4Addr::LOCALHOST.into() };
        let processes = Processes::Here;
        Self { advertised: vec![local.clone()], bind: None, peers: local, processes, is_loopback: true }
    }
}

impl Addresses {
    /// What a manifest says. `run` starts a node there.
    pub(super) fn read(document: DocumentAddress, run: &CommandLine) -> Result<Self, String> {
        let advertised = match document.advertised {
            OneOrMany::One(host) => vec![host],
            OneOrMany::Many(hosts) => hosts,
        };
        if advertised.is_empty() {
            return Err("`advertised` names no host".to_owned());
        }
        if advertised.len() > 1 && !run.mentions("index") && !run.mentions("advertised") {
            let what = "there are several hosts, and `run` starts each node on the same";
            return Err(format!("{what}; put {{index}} or {{advertised}} into it"));
        }
        let advertised = advertised.iter().map(|host| Host::find(host)).collect::<Result<_, _>>()?;
        let peers = Host::find(&document.peers)?;
        if bare(&peers.text).parse::<IpAddr>().is_err() {
            return Err(format!("`peers` is an address, not a name such as `{}`", peers.text));
        }
        if peers.ip.is_unspecified() {
            return Err(format!("`peers` is an address that nodes can dial, not `{}`", peers.text));
        }
        if let Some(bind) = document.bind.as_ref().filter(|bind| bare(bind).parse::<IpAddr>().is_err()) {
            return Err(format!("`bind` is an address, not `{bind}`"));
        }
        Ok(Self { advertised, bind: document.bind, peers, processes: document.processes, is_loopback: false })
    }

    /// The command that starts the node of that number.
    #[must_use]
    pub fn command(&self, run: &CommandLine, number: usize) -> CommandLine {
        if self.is_loopback {
            return run.clone();
        }
        let index = number % self.advertised.len();
        run.filled("index", &index.to_string()).filled("advertised", &self.advertised[index].text)
    }

    /// Under which host the node of that number of a case is known, from 0.
    #[must_use]
    pub fn node(&self, number: usize) -> &Host {
        &self.advertised[number % self.advertised.len()]
    }

    /// Where the harness's own peers and relays are.
    #[must_use]
    pub fn peers(&self) -> &Host {
        &self.peers
    }

    /// The host that the node of that number binds.
    #[must_use]
    pub fn bound(&self, number: usize) -> &str {
        self.bind.as_deref().unwrap_or(&self.node(number).text)
    }

    /// Whether nodes have to be told where to bind, as their name does not say it.
    #[must_use]
    pub fn bind_apart(&self) -> bool {
        self.bind.is_some()
    }

    /// Whether all is on loopback addresses, of which scenarios may name others.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Whether signals reach nodes, and the system tells of their memory and files.
    #[must_use]
    pub fn has_processes(&self) -> bool {
        self.processes == Processes::Here
    }

    /// The address of a host that names of this run may carry; `None` for any other.
    #[must_use]
    pub fn resolve(&self, host: &str) -> Option<IpAddr> {
        if self.is_loopback {
            return loopback(host);
        }
        self.advertised.iter().chain([&self.peers]).find(|known| known.text == host).map(|known| known.ip)
    }

    /// A port for a node that has to be told one. Elsewhere nobody can look whether it is free.
    ///
    /// # Errors
    /// Returns the system's error when nearly all ports are taken.
    pub fn fixed_port(&self, host: IpAddr) -> io::Result<u16> {
        if self.is_loopback { fixed_port(host) } else { unprobed_port() }
    }

    /// Where the WebSocket endpoint is that a node tells of. Elsewhere a host that means "here" or "anywhere" is the node's own.
    #[must_use]
    pub fn websocket(&self, url: &str, number: usize) -> String {
        let told = || {
            let (scheme, rest) = url.split_once("://")?;
            let end = rest.find('/').unwrap_or(rest.len());
            let (host, port) = rest[..end].rsplit_once(':')?;
            let ip: IpAddr = bare(host).parse().ok()?;
            let is_here = ip.is_unspecified() || ip.is_loopback();
            is_here.then(|| format!("{scheme}://{}:{port}{}", self.node(number).text, &rest[end..]))
        };
        if self.is_loopback { url.to_owned() } else { told().unwrap_or_else(|| url.to_owned()) }
    }
}

impl Host {
    fn find(text: &str) -> Result<Self, String> {
        let unknown = |reason: String| format!("the host `{text}` cannot be found: {reason}");
        if let Ok(ip) = bare(text).parse::<IpAddr>() {
            if ip.is_ipv6() && !text.starts_with('[') {
                return Err(format!("`{text}` stands in brackets in names: write `[{text}]`"));
            }
            return Ok(Self { text: text.to_owned(), ip });
        }
        let mut found = (text, 0).to_socket_addrs().map_err(|error| unknown(error.to_string()))?;
        let ip = found.next().ok_or_else(|| unknown("it has no address".to_owned()))?.ip();
        Ok(Self { text: text.to_owned(), ip })
    }
}

/// An address without the brackets that names have.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// The address of a loopback host as scenarios may name it.
fn loopback(host: &str) -> Option<IpAddr> {
    if host == "[::1]" {
        return Some(Ipv6Addr::LOCALHOST.into());
    }
    host.parse::<Ipv4Addr>().ok().filter(Ipv4Addr::is_loopback).map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str, run: &[&str]) -> Result<Addresses, String> {
        let words = run.iter().map(|word| (*word).to_owned()).collect();
        Addresses::read(serde_yaml::from_str(yaml).unwrap(), &CommandLine { words, directory: "/".into() })
    }

    #[test]
    fn only_loopback_hosts_are_allowed_where_nothing_is_said() {
        let local = Addresses::default();
        assert!(local.resolve("127.0.0.1").is_some() && local.resolve("127.9.9.9").is_some());
        assert!(local.resolve("[::1]").is_some());
        assert!(local.resolve("10.0.0.1").is_none());
        assert!(local.resolve("localhost").is_none());
        assert!(local.is_loopback() && local.has_processes() && !local.bind_apart());
        assert_eq!(local.websocket("ws://127.0.0.1:1/x", 0), "ws://127.0.0.1:1/x");
        assert_eq!(local.bound(3), "127.0.0.1");
    }

    #[test]
    fn one_host_is_every_nodes() {
        let there = read("{advertised: 10.77.0.2, peers: 10.77.0.1}", &["ssh"]).unwrap();
        assert_eq!((&there.node(0).text[..], &there.node(5).text[..]), ("10.77.0.2", "10.77.0.2"));
        assert_eq!(there.bound(1), "10.77.0.2");
        assert!(!there.is_loopback() && !there.has_processes() && !there.bind_apart());
        assert_eq!(there.resolve("10.77.0.1"), "10.77.0.1".parse().ok());
        assert_eq!(there.resolve("127.0.0.1"), None, "it would be another machine's");
    }

    #[test]
    fn several_hosts_take_turns() {
        let yaml = "{advertised: [10.0.0.2, 10.0.0.3], bind: 0.0.0.0, peers: 10.0.0.1, processes: here}";
        let pods = read(yaml, &["exec", "snow-{index}", "at={advertised}"]).unwrap();
        assert_eq!(pods.node(3).text, "10.0.0.3");
        assert_eq!(pods.bound(3), "0.0.0.0");
        assert!(pods.bind_apart() && pods.has_processes());
        let run = CommandLine { words: vec!["snow-{index}".into(), "at={advertised}".into()], directory: "/".into() };
        assert_eq!(pods.command(&run, 3).words, ["snow-1", "at=10.0.0.3"]);
        assert!(read(yaml, &["exec"]).unwrap_err().contains("put {index} or {advertised} into it"));
    }

    #[test]
    fn a_told_endpoint_that_means_here_is_the_nodes() {
        let there = read("{advertised: '[fd00::2]', peers: '[fd00::1]'}", &[]).unwrap();
        assert_eq!(there.websocket("ws://0.0.0.0:41/x", 0), "ws://[fd00::2]:41/x");
        assert_eq!(there.websocket("ws://[::1]:41", 0), "ws://[fd00::2]:41");
        assert_eq!(there.websocket("ws://10.0.0.9:41", 0), "ws://10.0.0.9:41");
        assert_eq!(there.websocket("nonsense", 0), "nonsense");
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for (yaml, says) in [
            ("{advertised: [], peers: 10.0.0.1}", "names no host"),
            ("{advertised: 'fd00::2', peers: 10.0.0.1}", "write `[fd00::2]`"),
            ("{advertised: 10.0.0.2, peers: localhost}", "`peers` is an address, not a name"),
            ("{advertised: 10.0.0.2, peers: 0.0.0.0}", "that nodes can dial"),
            ("{advertised: 10.0.0.2, peers: 10.0.0.1, bind: here}", "`bind` is an address"),
        ] {
            let error = read(yaml, &[]).unwrap_err();
            assert!(error.contains(says), "{yaml}: {error}");
        }
    }
}
