//! Standard input and output, a line at a time, each on a thread of its own: neither ever blocks the node.

use std::{
    io::{self, BufRead, Read, Write},
    sync::mpsc as std_mpsc,
    thread::{self, JoinHandle},
};

use tokio::sync::mpsc;

/// Most bytes of a line, inclusive of LF.
const MAX_LINE: u64 = 64 * 1_024 * 1_024;

/// Lines that may wait to be handled.
const QUEUE: usize = 64;

/// One line of input.
pub(crate) enum Line {
    Bytes(Vec<u8>),
    /// Longer than [`MAX_LINE`]; it was skipped.
    TooLong,
}

/// Reads lines until the end of input, which closes the channel. The thread is left behind at exit.
pub(crate) fn read() -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Ok(Some(line)) = read_line(&mut input) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn read_line(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') || (line.len() as u64) < MAX_LINE {
        return Ok(Some(Line::Bytes(line)));
    }
    loop {
        line.clear();
        input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if line.is_empty() || line.last() == Some(&b'\n') {
            return Ok(Some(Line::TooLong));
        }
    }
}

/// Prints lines in order.
pub(crate) struct Printer {
    lines: std_mpsc::Sender<String>,
    thread: JoinHandle<()>,
}

impl Printer {
    pub(crate) fn start() -> Self {
        let (lines, receiver) = std_mpsc::channel::<String>();
        let thread = thread::spawn(move || {
            let mut output = io::stdout().lock();
            for mut line in receiver {
                line.push('\n');
                // Nobody reads any more: the end of input will follow.
                if output.write_all(line.as_bytes()).and_then(|()| output.flush()).is_err() {
                    return;
                }
            }
        });
        Self { lines, thread }
    }

    pub(crate) fn print(&self, line: &impl ToString) {
        let _ = self.lines.send(line.to_string());
    }

    /// Returns when everything has been printed.
    pub(crate) fn finish(self) {
        drop(self.lines);
        let _ = self.thread.join();
    }
}
