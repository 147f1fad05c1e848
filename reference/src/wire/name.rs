//! Node names: `name@host` or `name@host:port`, parsed once at the border (HS-1).

use std::{fmt, sync::Arc};

/// The port that a name without one means.
pub(crate) const DEFAULT_PORT: u16 = 9_000;

/// Most bytes of a node name: it has to fit CHALLENGE.
pub(crate) const MAX_NODE_NAME: usize = 4_060;

/// Why a string is no node name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidName {
    #[error("has no `@`: a node name is name@host or name@host:port")]
    NoAt,
    #[error("has nothing before the `@`")]
    EmptyName,
    #[error("has no host after the `@`")]
    EmptyHost,
    #[error("has a host that is neither plain nor an IPv6 address in brackets")]
    BadHost,
    #[error("has a port that is not a number from 0 to 65535")]
    BadPort,
    #[error("has port 0, which may only be asked for at start")]
    PortZero,
    #[error("has more than {MAX_NODE_NAME} bytes")]
    TooLong,
    #[error("has a control character")]
    ControlCharacter,
}

/// A valid node name with a real port: a node's identity, compared byte for byte (HS-2). Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeName(Arc<str>);

impl NodeName {
    /// A name as it may stand on the wire or be connected to.
    ///
    /// # Errors
    /// [`InvalidName`], port 0 included.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidName> {
        match Address::parse(text)?.port {
            Some(0) => Err(InvalidName::PortZero),
            _ => Ok(Self(text.into())),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the node listens: host (brackets taken off) and port.
    pub(crate) fn address(&self) -> (String, u16) {
        // Parsed when this value was made; a name cannot become invalid, so the fallback is never seen.
        Address::parse(&self.0)
            .map(|address| (address.host.to_owned(), address.port.unwrap_or(DEFAULT_PORT)))
            .unwrap_or_default()
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A name as asked for at start: its port may be 0, which means any free one (HS-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AskedName(String);

impl AskedName {
    /// # Errors
    /// [`InvalidName`]; port 0 is allowed here.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidName> {
        Address::parse(text).map(|_| Self(text.to_owned()))
    }

    /// Where to bind: host and port, 0 for any.
    pub(crate) fn address(&self) -> (String, u16) {
        Address::parse(&self.0)
            .map(|address| (address.host.to_owned(), address.port.unwrap_or(DEFAULT_PORT)))
            .unwrap_or_default()
    }

    /// The identity, with the bound port where 0 was asked for.
    ///
    /// # Errors
    /// [`InvalidName::TooLong`] when the real port makes it longer than a name may be.
    pub(crate) fn resolve(&self, bound: u16) -> Result<NodeName, InvalidName> {
        match (Address::parse(&self.0)?.port, self.0.rsplit_once(':')) {
            (Some(0), Some((rest, _))) => NodeName::parse(&format!("{rest}:{bound}")),
            _ => NodeName::parse(&self.0),
        }
    }
}

struct Address<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Address<'a> {
    fn parse(text: &'a str) -> Result<Self, InvalidName> {
        if text.len() > MAX_NODE_NAME {
            return Err(InvalidName::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidName::ControlCharacter);
        }
        let (name, rest) = text.split_once('@').ok_or(InvalidName::NoAt)?;
        if name.is_empty() {
            return Err(InvalidName::EmptyName);
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(inner) => {
                let (host, after) = inner.split_once(']').ok_or(InvalidName::BadHost)?;
                let port = match after {
                    "" => None,
                    _ => Some(after.strip_prefix(':').ok_or(InvalidName::BadHost)?),
                };
                (host, port)
            }
            None => match rest.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        if host.is_empty() {
            return Err(InvalidName::EmptyHost);
        }
        if host.contains(['[', ']']) || (!rest.starts_with('[') && host.contains(':')) {
            return Err(InvalidName::BadHost);
        }
        Ok(Self { host, port: port.map(parse_port).transpose()? })
    }
}

fn parse_port(digits: &str) -> Result<u16, InvalidName> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidName::BadPort);
    }
    digits.parse().map_err(|_| InvalidName::BadPort)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_names_and_where_they_are() {
        for (text, host, port) in [
            ("a@h", "h", 9_000),
            ("a@127.0.0.1:4001", "127.0.0.1", 4_001),
            ("n@[::1]:4001", "::1", 4_001),
            ("n@[::1]", "::1", 9_000),
            ("a@b@c:1", "b@c", 1),
            ("é@h:00080", "h", 80),
        ] {
            assert_eq!(NodeName::parse(text).unwrap().address(), (host.to_owned(), port), "{text}");
        }
    }

    #[test]
    fn invalid_names() {
        for (text, why) in [
            ("", InvalidName::NoAt),
            ("a", InvalidName::NoAt),
            ("@h", InvalidName::EmptyName),
            ("a@", InvalidName::EmptyHost),
            ("a@:1", InvalidName::EmptyHost),
            ("a@[]:1", InvalidName::EmptyHost),
            ("a@h:", InvalidName::BadPort),
            ("a@h:+1", InvalidName::BadPort),
            ("a@h:65536", InvalidName::BadPort),
            ("a@h:99999999999999999999", InvalidName::BadPort),
            ("a@h:0", InvalidName::PortZero),
            ("a@::1:4001", InvalidName::BadHost),
            ("a@[::1", InvalidName::BadHost),
            ("a@[::1]4001", InvalidName::BadHost),
            ("a@h\n:1", InvalidName::ControlCharacter),
            ("a@h\u{85}:1", InvalidName::ControlCharacter),
        ] {
            assert_eq!(NodeName::parse(text), Err(why), "{text:?}");
        }
        assert!(NodeName::parse(&format!("a@{}", "h".repeat(4_058))).is_ok());
        assert_eq!(NodeName::parse(&format!("a@{}", "h".repeat(4_059))), Err(InvalidName::TooLong));
    }

    #[test]
    fn port_zero_is_resolved() {
        let asked = AskedName::parse("n@[::1]:0").unwrap();
        assert_eq!(asked.resolve(4_001).unwrap().as_str(), "n@[::1]:4001");
        assert_eq!(AskedName::parse("n@h:7").unwrap().resolve(4_001).unwrap().as_str(), "n@h:7");
        assert_eq!(AskedName::parse("n@h").unwrap().resolve(4_001).unwrap().as_str(), "n@h");
    }
}
