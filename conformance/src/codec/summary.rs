//! One line for people about any payload: logs, traces, failures.

use std::fmt;

use super::message::Message;
use super::payload::{announces, decode};
use super::value::write_fields;
use crate::schema::{Phase, Schema};

/// What a payload says, on one line; long values are cut. Says so, and why, when it says nothing.
pub fn summary(schema: &Schema, phase: Phase, payload: &[u8]) -> String {
    let error = match decode(schema, phase, payload) {
        Ok(decoded) => return decoded.message.to_string(),
        Err(error) => error,
    };
    match error.message {
        Some(name) => format!("{name}, malformed: {}", error.kind),
        None if payload.is_empty() => error.kind.to_string(),
        None => format!("{}, {}", error.kind, announces(payload.len() as u64, "byte")),
    }
}

/// `PING nonce=0102030405060708`
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.fields.is_empty() {
            f.write_str(" ")?;
            write_fields(f, &self.fields)?;
        }
        match self.left_over.len() {
            0 => Ok(()),
            count => write!(f, " and {} left over", announces(count as u64, "byte")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::own;

    #[test]
    fn every_payload_has_a_line() {
        let line = |phase, hex: &str| summary(&own(), phase, &hex::decode(hex).unwrap());
        assert_eq!(line(Phase::Session, ""), "empty payload");
        assert_eq!(line(Phase::Session, "7f0000"), "unknown tag 0x7f, 3 bytes");
        assert_eq!(line(Phase::Session, "01010078ff"), "unknown tag 0x01, 5 bytes");
        assert_eq!(line(Phase::Handshake, "01010078ff"), "NAME name=\"x\" creation=255");
        assert_eq!(line(Phase::Session, "f0010203040506070809"), "PING nonce=0102030405060708 and 1 byte left over");
        assert_eq!(
            line(Phase::Session, "1b0100780700000000000000040061406831"),
            "GLOBAL_REGISTER name=\"x\" pid=<0.7> owner=\"a@h1\""
        );
        assert_eq!(
            line(Phase::Session, "1c050078"),
            "GLOBAL_UNREGISTER, malformed: name ends early, at offset 3: 1 of 5 bytes are there"
        );
    }
}
