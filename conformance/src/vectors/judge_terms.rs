//! How a codec is judged by terms: what it reads, what it writes, what it refuses.

use serde_json::Value as Json;

use super::judge::{Judge, brief, difference, last, place, short};
use super::terms::{ExpectedTerm, TermVerdict};
use crate::codec::{Encoded, Unreadable, spelled_out};

/// What a codec read in a term.
#[derive(Clone, Debug, PartialEq)]
pub struct TermReading {
    /// The value, with 64-bit integers as numbers.
    pub term: Json,
    /// What stood behind it.
    pub left_over: Vec<u8>,
}

impl Judge<'_> {
    pub(super) fn term(&mut self, encoded: &Encoded, expected: &ExpectedTerm) -> Result<(), String> {
        match expected {
            ExpectedTerm::Value { term, left_over } => {
                let term = spelled_out(term).map_err(|problem| problem.to_string())?;
                self.readable(encoded, &term, left_over)?;
                self.writable(encoded, term, left_over)
            }
            ExpectedTerm::Unreadable(wanted) => self.unreadable(encoded, *wanted),
            ExpectedTerm::Refused(term) => self.unwritable(spelled_out(term).map_err(|problem| problem.to_string())?),
        }
    }

    fn readable(&mut self, encoded: &Encoded, wanted: &Json, left_over: &[u8]) -> Result<(), String> {
        let answer = self.codec.term_decode(&encoded.payload());
        match self.answered("decode", answer)? {
            None => {}
            Some(Err(found)) => {
                self.fail(format!("decode: finds it {}; it is {}", TermVerdict::Unreadable(found), brief(wanted)));
            }
            Some(Ok(found)) => {
                if let Some((path, found, wanted)) = difference("value", &found.term, wanted) {
                    let place = place(encoded, &path);
                    self.fail(format!("decode: {path} is {found}, want {wanted}{place}"));
                }
                if found.left_over != left_over {
                    let [found, wanted] = [&found.left_over, left_over].map(|bytes| short(&hex::encode(bytes)));
                    self.fail(format!("decode: left_over is \"{found}\", want \"{wanted}\""));
                }
            }
        }
        Ok(())
    }

    fn writable(&mut self, encoded: &Encoded, term: Json, left_over: &[u8]) -> Result<(), String> {
        let answer = self.codec.term_encode(term);
        match self.answered("encode", answer)? {
            None => {}
            Some(Ok(found)) => self.bytes(encoded, &found, left_over.len()),
            Some(Err(kind)) => self.fail(format!("encode: finds it {kind}; it can be written")),
        }
        Ok(())
    }

    fn unreadable(&mut self, encoded: &Encoded, wanted: Unreadable) -> Result<(), String> {
        let answer = self.codec.term_decode(&encoded.payload());
        let wanted_word = TermVerdict::Unreadable(wanted);
        match self.answered("decode", answer)? {
            Some(Err(found)) if found != wanted => {
                let place = last(encoded);
                self.fail(format!("decode: finds it {}; it is {wanted_word}{place}", TermVerdict::Unreadable(found)));
            }
            Some(Ok(found)) => {
                let place = last(encoded);
                self.fail(format!("decode: reads {}; it is {wanted_word}{place}", brief(&found.term)));
            }
            None | Some(Err(_)) => {}
        }
        Ok(())
    }

    fn unwritable(&mut self, term: Json) -> Result<(), String> {
        let shown = brief(&term);
        let answer = self.codec.term_encode(term);
        match self.answered("encode", answer)? {
            Some(Ok(found)) => {
                let found = short(&hex::encode(found));
                self.fail(format!("encode: writes \"{found}\"; {shown} cannot be written"));
            }
            Some(Err(kind)) if kind != "closure" => {
                self.fail(format!("encode: finds {shown} {kind}; it is closure"));
            }
            None | Some(Err(_)) => {}
        }
        Ok(())
    }
}
