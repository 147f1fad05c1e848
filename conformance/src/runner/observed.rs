//! What was observed, for the report of a failure: frames of all sessions, logs of all nodes.

use std::time::{Duration, Instant};

use crate::codec;
use crate::peer::{Trace, shown};
use crate::results::{Direction, NodeLog, SessionTrace, TraceLine};
use crate::schema::Phase;

use super::context::{Context, Session};
use super::stop::Broken;

/// How many frames of each session a report shows.
const FRAMES: usize = 20;
/// How many frames of one write a report shows.
const SENT_AT_ONCE: usize = 4;
/// How many lines of each node's standard error a report shows.
const LOG_LINES: usize = 20;
/// How long a process that has just closed its connections is given to be seen ended.
const ENDING: Duration = Duration::from_millis(100);

impl Context<'_> {
    /// What has arrived on any session since the step began.
    pub(super) fn arrived(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, session) in &self.sessions {
            for entry in session.connection.trace() {
                if entry.at < self.step_start {
                    continue;
                }
                let text = match &entry.what {
                    Trace::Received { payload, length } => self.received(session, payload, *length),
                    Trace::Note(note) => note.clone(),
                    Trace::Sent { .. } => continue,
                };
                lines.push((entry.at, format!("{:>6} ms {name}: {text}", self.ms(entry.at))));
            }
        }
        lines.sort_by_key(|(at, _)| *at);
        lines.into_iter().rev().take(FRAMES).rev().map(|(_, line)| line).collect()
    }

    /// Says so if the node's process has ended by itself.
    pub(super) fn crashed(&self, node: &str) -> Option<Broken> {
        self.crashed_by(node, Instant::now() + ENDING)
    }

    /// The last frames of all connections.
    pub(super) fn traces(&self) -> Vec<SessionTrace> {
        let former = self.former.iter().map(|(name, session)| (name, session));
        former
            .chain(self.sessions.iter())
            .map(|(name, session)| {
                let entries = session.connection.trace();
                let left_out = entries.len().saturating_sub(FRAMES);
                let lines = entries[left_out..]
                    .iter()
                    .map(|entry| {
                        let (direction, text) = match &entry.what {
                            Trace::Received { payload, length } => {
                                (Direction::FromNode, self.received(session, payload, *length))
                            }
                            Trace::Sent { bytes, length } => (Direction::ToNode, self.sent(bytes, *length)),
                            Trace::Note(note) => (Direction::Note, note.clone()),
                        };
                        TraceLine { at_ms: self.ms(entry.at), direction, text }
                    })
                    .collect();
                let peer = match session.peer.as_str() {
                    "" => "nobody",
                    peer => peer,
                };
                SessionTrace {
                    session: format!("session {name} (peer {peer} with node {})", session.node),
                    lines,
                    left_out,
                }
            })
            .chain(self.link_traces())
            .collect()
    }

    fn received(&self, session: &Session, payload: &[u8], length: usize) -> String {
        // Without TLS what arrives is no frame, but most often the node's part of TLS.
        if session.connection.tls_facts().version.is_none() {
            return format!("not within TLS: {}", shown(payload, length));
        }
        if payload.len() < length {
            return format!("frame of {length} bytes, tag {:#04x}", payload.first().copied().unwrap_or_default());
        }
        self.summary(session.phase, payload)
    }

    /// Frames are told one by one where the bytes are whole frames.
    fn sent(&self, bytes: &[u8], length: usize) -> String {
        if let Some((prefix, payload)) = bytes.split_first_chunk::<4>()
            && bytes.len() < length
            && u32::from_le_bytes(*prefix) as usize + 4 == length
        {
            return format!("frame of {} bytes, tag {:#04x}", length - 4, payload.first().copied().unwrap_or_default());
        }
        let mut texts = Vec::new();
        let mut rest = bytes;
        while let Some((prefix, after)) = rest.split_first_chunk::<4>()
            && let Some((payload, after)) = after.split_at_checked(u32::from_le_bytes(*prefix) as usize)
        {
            texts.push(self.summary(Phase::Session, payload));
            rest = after;
        }
        if !rest.is_empty() || bytes.len() < length || texts.is_empty() {
            return format!("{length} bytes {}", hex::encode(&bytes[..bytes.len().min(32)]));
        }
        let more = texts.len().saturating_sub(SENT_AT_ONCE);
        texts.truncate(SENT_AT_ONCE);
        if more > 0 {
            texts.push(format!("and {more} more frames"));
        }
        texts.join(" + ")
    }

    /// Handshake and session tags are distinct, so that the other phase's reading is the better guess for an unknown tag.
    fn summary(&self, phase: Phase, payload: &[u8]) -> String {
        let other = match phase {
            Phase::Handshake => Phase::Session,
            Phase::Session => Phase::Handshake,
        };
        let known = |phase| payload.first().is_some_and(|tag| self.schema().by_tag(phase, *tag).is_some());
        let phase = if !known(phase) && known(other) { other } else { phase };
        codec::summary(self.schema(), phase, payload)
    }

    /// The tail of every node's standard error.
    pub(super) fn logs(&self) -> Vec<NodeLog> {
        self.nodes
            .iter()
            .filter_map(|(key, node)| {
                let log = node.running.as_ref()?.process().log();
                let tail = &log[log.len().saturating_sub(LOG_LINES)..];
                Some(NodeLog { node: key.clone(), lines: tail.iter().map(|line| line.text.clone()).collect() })
            })
            .collect()
    }

    pub(super) fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}
