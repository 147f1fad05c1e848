//! Steps that await frames on a connection, or its end.

use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde_json::Value;

use crate::codec::{self, Encoded};
use crate::peer::{ClosingKind, Received, frame};
use crate::random::random_bytes;
use crate::results::{BytePlace, Cause};
use crate::scenario::Matcher;
use crate::scenario::matcher::{Captures, MatchError};
use crate::scenario::short::OrShort;
use crate::scenario::step::{Collect, Expect, ExpectClosed, ExpectPing, ExpectedFrame, Opening, Quiet, Sessions};

use super::context::Context;
use super::stop::{StepResult, Stop};

/// How long a node has to close a connection that it must close, unless a step says otherwise: far more than closing takes,
/// less than the handshake timeout that would close it anyway.
const CLOSE_WITHIN: Duration = Duration::from_millis(5_000);

/// What came of waiting for one frame.
pub(super) enum Next {
    Frame(Vec<u8>),
    Closed(ClosingKind, Instant),
    TimedOut,
}

/// A frame that is awaited.
struct Wanted<'s> {
    message: String,
    fields: &'s IndexMap<String, Matcher>,
}

impl Context<'_> {
    /// Awaits frames.
    pub(super) fn expect(&mut self, step: &Expect) -> StepResult {
        let name = self.name(&step.session)?;
        let deadline = self.within(step.within_ms.as_ref())?;
        let one = |message, fields| Ok(Wanted { message: self.name(message)?, fields });
        let mut wanted: Vec<Wanted<'_>> = match &step.message {
            Some(message) => vec![one(message, &step.fields)?],
            None => step
                .unordered
                .iter()
                .map(|ExpectedFrame { message, fields }| one(message, fields))
                .collect::<StepResult<_>>()?,
        };
        while !wanted.is_empty() {
            let payload = self.awaited_frame(&name, &wanted, &step.skip, deadline)?;
            self.take_wanted(&name, &payload, &mut wanted)?;
            if step.exact {
                self.nothing_left_over(&name, &payload)?;
            }
        }
        Ok(())
    }

    /// The next frame that is neither tolerated nor to be skipped.
    fn awaited_frame(
        &mut self,
        name: &str,
        wanted: &[Wanted<'_>],
        skip: &[String],
        deadline: Instant,
    ) -> StepResult<Vec<u8>> {
        loop {
            match self.next_frame(name, deadline)? {
                Next::Frame(payload) => {
                    let message = self.message_name(name, &payload)?;
                    let is_wanted = wanted.iter().any(|w| Some(w.message.as_str()) == message.as_deref());
                    if !is_wanted && (self.tolerates(name, message.as_deref())? || skips(skip, message.as_deref())) {
                        continue;
                    }
                    if !matches!(message.as_deref(), Some("PEER_LIST" | "GLOBAL_SYNC" | "PING" | "PONG")) {
                        self.session_mut(name)?.opening = Opening::Expect;
                    }
                    return Ok(payload);
                }
                Next::Closed(kind, _) => {
                    let expected = self.describe_wanted(wanted)?;
                    return Err(self.early_close(name, &kind).expected(expected).into());
                }
                Next::TimedOut => {
                    let broken = Stop::broken(Cause::MissingFrame, format!("nothing more came on `{name}`"))
                        .expected(self.describe_wanted(wanted)?)
                        .meanwhile(self.arrived());
                    return Err(broken.into());
                }
            }
        }
    }

    /// Holds a frame against those awaited; the one it matches is done.
    fn take_wanted(&mut self, name: &str, payload: &[u8], wanted: &mut Vec<Wanted<'_>>) -> StepResult {
        let phase = self.session(name)?.phase;
        let actual = || codec::summary(self.schema(), phase, payload);
        let decoded = codec::decode(self.schema(), phase, payload);
        let (message, segments) = match decoded {
            Ok(decoded) => (decoded.message, decoded.segments),
            Err(error) => {
                let known = error.message.as_deref().is_some_and(|m| wanted.iter().any(|w| w.message == m));
                let cause = if known { Cause::WrongBytes } else { Cause::UnexpectedFrame };
                let place = BytePlace { field: "payload".to_owned(), offset: error.offset, hex: shown_hex(payload) };
                return Err(Stop::broken(cause, format!("a frame on `{name}` cannot be decoded: {error}"))
                    .expected(self.describe_wanted(wanted)?)
                    .actual(actual())
                    .bytes(Some(place))
                    .into());
            }
        };
        let fields = message.fields_json();
        let mut difference = None;
        for index in 0..wanted.len() {
            if wanted[index].message != message.name {
                continue;
            }
            let mut captures = Captures::new();
            match Matcher::Object(wanted[index].fields.clone()).check(&fields, self, &mut captures) {
                Ok(()) => {
                    wanted.remove(index);
                    self.variables.extend(captures);
                    if message.name == "ACK" {
                        self.begin_session(name)?;
                    }
                    return Ok(());
                }
                Err(MatchError::Evaluation(error)) => return Err(error.into()),
                Err(MatchError::Mismatch(mismatch)) => {
                    difference.get_or_insert(mismatch);
                }
            }
        }
        let Some(mismatch) = difference else {
            return Err(Stop::broken(Cause::UnexpectedFrame, format!("another frame came on `{name}`"))
                .expected(self.describe_wanted(wanted)?)
                .actual(actual())
                .bytes(Some(BytePlace { field: "payload".to_owned(), offset: 0, hex: shown_hex(payload) }))
                .into());
        };
        let place = place_of(&Encoded { segments }, &mismatch.path);
        Err(Stop::broken(Cause::WrongBytes, format!("{} on `{name}` has a wrong {}", message.name, mismatch.path))
            .expected(format!("{} = {}", mismatch.path, mismatch.expected))
            .actual(format!("{} = {} in {}", mismatch.path, mismatch.actual, actual()))
            .bytes(place)
            .into())
    }

    fn nothing_left_over(&self, name: &str, payload: &[u8]) -> StepResult {
        let phase = self.session(name)?.phase;
        let Ok(decoded) = codec::decode(self.schema(), phase, payload) else { return Ok(()) };
        let left_over = decoded.message.left_over;
        if left_over.is_empty() {
            return Ok(());
        }
        let message = decoded.message.name;
        let offset = payload.len() - left_over.len();
        let place = BytePlace { field: "left_over".to_owned(), offset, hex: shown_hex(&left_over) };
        Err(Stop::broken(Cause::WrongBytes, format!("{message} on `{name}` has bytes behind its layout"))
            .expected(format!("{offset} bytes"))
            .actual(format!("{} bytes", payload.len()))
            .bytes(Some(place))
            .into())
    }

    /// The next frame of a session: one that was set aside, or the next to arrive.
    pub(super) fn next_frame(&mut self, name: &str, deadline: Instant) -> StepResult<Next> {
        self.release();
        let session = self.session_mut(name)?;
        if let Some(payload) = session.unread.pop_front() {
            return Ok(Next::Frame(payload));
        }
        Ok(match session.connection.next(deadline) {
            Received::Frame { payload, .. } => Next::Frame(payload),
            Received::Closed(closing) => Next::Closed(closing.kind, closing.at),
            Received::TimedOut => Next::TimedOut,
        })
    }

    /// The name of the message that a payload carries, as far as its tag tells it.
    fn message_name(&self, session: &str, payload: &[u8]) -> StepResult<Option<String>> {
        let phase = self.session(session)?.phase;
        Ok(payload.first().and_then(|tag| self.schema().by_tag(phase, *tag)).map(|layout| layout.name.clone()))
    }

    /// Whether a frame may come although nobody expects it: the opening of a session whose opening nobody asked for.
    fn tolerates(&self, session: &str, message: Option<&str>) -> StepResult<bool> {
        let session = self.session(session)?;
        Ok(session.opening == Opening::Skip && matches!(message, Some("PEER_LIST" | "GLOBAL_SYNC")))
    }

    fn describe_wanted(&self, wanted: &[Wanted<'_>]) -> StepResult<String> {
        let mut texts = Vec::new();
        for frame in wanted {
            let mut text = frame.message.clone();
            for (field, matcher) in frame.fields {
                text.push_str(&format!(" {field}={}", matcher.describe(self)?));
            }
            texts.push(text);
        }
        Ok(texts.join("; "))
    }

    /// Gathers the entries of a list message, or the fields of any other, over several frames.
    pub(super) fn collect(&mut self, step: &Collect) -> StepResult {
        let name = self.name(&step.session)?;
        let count = step.count.number("count", self)?;
        let phase = self.session(&name)?.phase;
        let none = IndexMap::new();
        let message = self.name(&step.message)?;
        let wanted = [Wanted { message: message.clone(), fields: &none }];
        let mut entries: Vec<Value> = Vec::new();
        let mut frames = 0_u64;
        while (entries.len() as u64) < count || frames == 0 {
            let deadline = self.deadline;
            let payload = self.awaited_frame(&name, &wanted, &step.skip, deadline).map_err(|stop| match stop {
                Stop::Broken(broken) => {
                    let expected = format!("{count} entries of {message} in all, {} so far", entries.len());
                    broken.expected(expected).into()
                }
                stop => stop,
            })?;
            let decoded = codec::decode(self.schema(), phase, &payload)
                .ok()
                .filter(|decoded| decoded.message.name == message)
                .ok_or_else(|| {
                    Stop::broken(Cause::UnexpectedFrame, format!("another frame came on `{name}`"))
                        .expected(format!("{count} entries of {message} in all, {} so far", entries.len()))
                        .actual(codec::summary(self.schema(), phase, &payload))
                })?;
            match decoded.message.fields_json() {
                Value::Object(mut fields) if fields.len() == 1 && fields.values().all(Value::is_array) => {
                    entries.extend(
                        fields.values_mut().flat_map(|items| items.as_array_mut().map(std::mem::take)).flatten(),
                    );
                }
                fields => entries.push(fields),
            }
            frames += 1;
        }
        let what = format!("the entries of {} on `{name}` are wrong", step.message);
        if entries.len() as u64 != count {
            return Err(Stop::broken(Cause::WrongBytes, what)
                .expected(format!("{count} entries"))
                .actual(format!("{} entries", entries.len()))
                .into());
        }
        if let Some(field) = &step.distinct {
            let values: Vec<Value> = entries.iter().filter_map(|entry| entry.get(field).cloned()).collect();
            self.hold(&Value::Array(values), &Matcher::Distinct, Cause::WrongBytes, &what)?;
        }
        if let Some(field) = &step.field {
            entries.iter_mut().for_each(|entry| *entry = entry.get_mut(field).map(Value::take).unwrap_or_default());
        }
        if let Some(matcher) = &step.entries {
            self.hold(&Value::Array(entries), matcher, Cause::WrongBytes, &what)?;
        }
        if let Some(least) = &step.frames_at_least {
            let least = least.number("frames_at_least", self)?;
            if frames < least {
                return Err(Stop::broken(Cause::WrongBytes, format!("{} came in too few frames", step.message))
                    .expected(format!("at least {least} frames"))
                    .actual(format!("{frames} frames"))
                    .into());
            }
        }
        Ok(())
    }

    /// PING and PONG on each session, in order; what comes before the PONG is set aside.
    pub(super) fn fence(&mut self, sessions: &Sessions) -> StepResult {
        for name in sessions.names() {
            let name = self.name(name)?;
            let nonce = random_bytes(8);
            let mut ping = vec![0xF0];
            ping.extend(&nonce);
            let mut pong = vec![0xF1];
            pong.extend(&nonce);
            let deadline = self.deadline;
            self.deliver_at_once(&name, &frame(&ping))?;
            self.release();
            let session = self.session_mut(&name)?;
            loop {
                match session.connection.next(deadline) {
                    Received::Frame { payload, .. } if payload == pong => break,
                    Received::Frame { payload, .. } => session.unread.push_back(payload),
                    Received::Closed(closing) => {
                        return Err(self.early_close(&name, &closing.kind).expected("PONG: the session lives").into());
                    }
                    Received::TimedOut => {
                        return Err(Stop::broken(Cause::MissingFrame, format!("no PONG came on `{name}`"))
                            .blames("MEM-29")
                            .expected(format!("PONG nonce={}", hex::encode(&nonce)))
                            .meanwhile(self.arrived())
                            .into());
                    }
                }
            }
        }
        Ok(())
    }

    /// Fences each session and judges what has come.
    pub(super) fn quiet(&mut self, step: &Quiet) -> StepResult {
        let (sessions, only) = match step {
            Quiet::All(sessions) => (sessions, None),
            Quiet::Only(only) => (&only.sessions, Some(&only.of)),
        };
        self.fence(sessions)?;
        for name in sessions.names() {
            let name = self.name(name)?;
            let unread: Vec<Vec<u8>> = self.session(&name)?.unread.iter().cloned().collect();
            for payload in unread {
                let message = self.message_name(&name, &payload)?;
                let bad = match only {
                    Some(of) => self.is_one_of(of, &name, message.as_deref(), &payload)?,
                    None => !self.tolerates(&name, message.as_deref())?,
                };
                if bad {
                    let phase = self.session(&name)?.phase;
                    return Err(Stop::broken(
                        Cause::UnexpectedFrame,
                        format!("a frame came on `{name}` that must not come"),
                    )
                    .expected(match only {
                        Some(of) => format!("before the PONG no {}", self.describe_unwanted(of)?),
                        None => "nothing before the PONG".to_owned(),
                    })
                    .actual(codec::summary(self.schema(), phase, &payload))
                    .bytes(Some(BytePlace { field: "payload".to_owned(), offset: 0, hex: shown_hex(&payload) }))
                    .into());
                }
            }
        }
        Ok(())
    }

    /// Whether a frame is one of those that may not come.
    fn is_one_of(
        &self,
        of: &[OrShort<ExpectedFrame>],
        session: &str,
        message: Option<&str>,
        payload: &[u8],
    ) -> StepResult<bool> {
        for OrShort(frame) in of {
            if message != Some(self.name(&frame.message)?.as_str()) {
                continue;
            }
            if frame.fields.is_empty() {
                return Ok(true);
            }
            let phase = self.session(session)?.phase;
            // A frame that cannot be decoded has none of these fields.
            let Ok(decoded) = codec::decode(self.schema(), phase, payload) else { continue };
            let matcher = Matcher::Object(frame.fields.clone());
            match matcher.check(&decoded.message.fields_json(), self, &mut Captures::new()) {
                Ok(()) => return Ok(true),
                Err(MatchError::Mismatch(_)) => {}
                Err(MatchError::Evaluation(error)) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    fn describe_unwanted(&self, of: &[OrShort<ExpectedFrame>]) -> StepResult<String> {
        let frames = of
            .iter()
            .map(|OrShort(ExpectedFrame { message, fields })| Ok(Wanted { message: self.name(message)?, fields }));
        self.describe_wanted(&frames.collect::<StepResult<Vec<_>>>()?)
    }

    /// Awaits the end of a connection.
    pub(super) fn expect_closed(&mut self, step: &ExpectClosed) -> StepResult {
        let name = self.name(&step.session)?;
        let since = match &step.since {
            Some(clock) => self.since(clock)?,
            None => self.step_start,
        };
        let within = match &step.within_ms {
            Some(limit) => Duration::from_millis(limit.number("within_ms", self)?),
            None => CLOSE_WITHIN,
        };
        let deadline = (since + within).min(self.deadline);
        loop {
            match self.next_frame(&name, deadline)? {
                Next::Frame(payload) => {
                    let message = self.message_name(&name, &payload)?;
                    let passes = skips(&step.after, message.as_deref())
                        || message.as_deref().is_some_and(|m| m == "PING")
                        || self.tolerates(&name, message.as_deref())?;
                    if !passes {
                        let phase = self.session(&name)?.phase;
                        return Err(Stop::broken(
                            Cause::UnexpectedFrame,
                            format!("the node answered on `{name}` instead of closing it"),
                        )
                        .expected("the end of the connection")
                        .actual(codec::summary(self.schema(), phase, &payload))
                        .into());
                    }
                }
                Next::Closed(_, at) => {
                    let elapsed = at.saturating_duration_since(since);
                    return self.judge_time(
                        elapsed,
                        step.not_before_ms.as_ref(),
                        None,
                        &format!("closed was `{name}`"),
                    );
                }
                Next::TimedOut => {
                    return Err(Stop::broken(Cause::StillOpen, format!("the node did not close `{name}`"))
                        .expected(format!("closed within {} ms", within.as_millis()))
                        .actual("still open")
                        .meanwhile(self.arrived())
                        .into());
                }
            }
        }
    }

    /// Awaits PINGs of the node; their bytes have to differ.
    pub(super) fn expect_ping(&mut self, step: &ExpectPing) -> StepResult {
        let name = self.name(&step.session)?;
        let count = step.count.number("count", self)?;
        let deadline = self.deadline;
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        let pings = self.session(&name)?.connection.wait_pings(wanted, deadline);
        if pings.len() < wanted {
            return Err(Stop::broken(Cause::MissingFrame, format!("too few PINGs came on `{name}`"))
                .expected(format!("{count} PINGs"))
                .actual(format!("{} PINGs", pings.len()))
                .into());
        }
        let nonces: Vec<Value> = pings.iter().map(|ping| hex::encode(ping.nonce).into()).collect();
        self.hold(
            &Value::Array(nonces),
            &Matcher::Distinct,
            Cause::WrongBytes,
            &format!("the PINGs on `{name}` repeat their bytes"),
        )
    }
}

fn skips(skip: &[String], message: Option<&str>) -> bool {
    message.is_some_and(|message| skip.iter().any(|name| name == message))
}

/// Bytes for a report: the first 64.
fn shown_hex(bytes: &[u8]) -> String {
    match bytes.get(..64) {
        Some(first) if bytes.len() > 64 => format!("{}… ({} bytes)", hex::encode(first), bytes.len()),
        _ => hex::encode(bytes),
    }
}

/// Where a field stands; a path into a PID is the PID's place.
fn place_of(encoded: &Encoded, path: &str) -> Option<BytePlace> {
    let mut path = path;
    loop {
        if let Some((offset, segment)) = encoded.segment(path) {
            return Some(BytePlace { field: path.to_owned(), offset, hex: shown_hex(&segment.bytes) });
        }
        path = &path[..path.rfind('.')?];
    }
}
