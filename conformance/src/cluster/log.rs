//! What a node writes for people to read: its last 256 KiB, with times.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::time::Instant;

use crate::watched::Watched;

/// How many bytes are kept, the newest.
const KEPT: usize = 256 * 1024;

/// Where a longer line is cut: a node may print without ever ending a line.
const LONGEST_LINE: u64 = 16 * 1024;

/// Where a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// Standard error.
    Error,
    /// Standard output, of a node that has no control protocol.
    Output,
}

/// One line of a node's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was read.
    pub at: Instant,
    /// Where it was written to.
    pub stream: LogStream,
    /// The line without its end; what is not UTF-8 is replaced.
    pub text: String,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    ring: Watched<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<LogLine>,
    bytes: usize,
}

impl Log {
    /// Reads a node's output to its end.
    pub(crate) fn read_all(&self, stream: LogStream, source: impl Read) {
        let mut source = BufReader::new(source);
        loop {
            let mut bytes = Vec::new();
            match source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            self.push(LogLine { at: Instant::now(), stream, text });
        }
    }

    /// All lines that are kept, oldest first.
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.ring.look().lines.iter().cloned().collect()
    }

    /// The newest lines as one text.
    pub(crate) fn tail(&self, lines: usize) -> String {
        let ring = self.ring.look();
        let skipped = ring.lines.len().saturating_sub(lines);
        let texts: Vec<&str> = ring.lines.iter().skip(skipped).map(|line| line.text.as_str()).collect();
        texts.join("\n")
    }

    fn push(&self, line: LogLine) {
        self.ring.change(|ring| {
            ring.bytes += line.text.len() + 1;
            ring.lines.push_back(line);
            while ring.bytes > KEPT {
                let Some(oldest) = ring.lines.pop_front() else { break };
                ring.bytes -= oldest.text.len() + 1;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept() {
        let log = Log::default();
        let text: String = (0..100_000).map(|number| format!("line {number}\n")).collect();
        log.read_all(LogStream::Error, text.as_bytes());
        assert_eq!(log.tail(2), "line 99998\nline 99999");
        let kept: usize = log.lines().iter().map(|line| line.text.len() + 1).sum();
        assert!((KEPT - 100..=KEPT).contains(&kept), "{kept}");
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let log = Log::default();
        log.read_all(LogStream::Error, &vec![b'x'; LONGEST_LINE as usize + 1][..]);
        assert_eq!(log.lines().len(), 2);
    }
}
