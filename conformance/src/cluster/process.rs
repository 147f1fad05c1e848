//! One node as a process: its pipes, its signals, its end. Nothing of it outlives its owner.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use thiserror::Error;

use super::command::CommandLine;
use super::group::{Group, Member};
use super::log::{Log, LogLine, LogStream};
use crate::watched::Watched;

/// How long helpers of a node may outlive it before they count as left behind.
const STRAGGLING: Duration = Duration::from_secs(1);

/// How long the log of an ended node may take to be read. It ends with the group, but for processes that left that.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long a node that is asked to end when its owner is dropped has before it is killed.
const FAREWELL: Duration = Duration::from_millis(500);

/// Between two looks at whether a process stands still.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// A running node. When dropped, also by a panic, its whole process group is ended and reaped.
#[derive(Debug)]
pub struct NodeProcess {
    inner: Arc<Inner>,
    command: CommandLine,
    pipes: Pipes,
}

/// What the owner, the threads and the control client share. Dropping it ends nothing.
#[derive(Debug)]
pub(crate) struct Inner {
    group: Group,
    life: Watched<Life>,
    input: Watched<Input>,
    output: Watched<Option<ChildStdout>>,
    log: Log,
    /// How many of the log's sources have not ended.
    logging: Watched<usize>,
}

#[derive(Debug, Default)]
struct Life {
    exit: Option<Exit>,
    /// The leader is about to be reaped: its id may soon be another's, so no signals any more.
    out_of_reach: bool,
}

#[derive(Debug, Default)]
struct Input {
    lines: VecDeque<Vec<u8>>,
    closed: bool,
}

/// What the process's standard input and output are for. Standard error is always kept as its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pipes {
    /// Control lines, to be spoken by a [`super::ControlClient`].
    Control,
    /// No input; output is kept in the log.
    LogOnly,
}

/// How a node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// When it was noticed.
    pub at: Instant,
    /// Its status.
    pub status: ExitStatus,
    /// Processes of its group that still lived a second later. They have been killed. Found on Linux only.
    pub left_behind: Vec<LeftBehind>,
}

/// A process that a node started and did not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftBehind {
    /// The process id it had.
    pub id: u32,
    /// Its command, cut short by the system.
    pub command: String,
}

/// How a node was brought to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// How it ended.
    pub exit: Exit,
    /// What it took.
    pub by: StoppedBy,
}

/// What it took to end a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoppedBy {
    /// It had ended, or ended when its input did.
    Itself,
    /// SIGTERM.
    Termination,
    /// SIGKILL.
    Killing,
}

/// The node could not be started.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// The system did not start the program.
    #[error("cannot start {command}: {reason}; check `run` in the manifest, and that `build` has been run")]
    NotStarted {
        /// What was to be started.
        command: CommandLine,
        /// What the system said.
        reason: io::Error,
    },
    /// The harness ran out of threads.
    #[error("cannot start a thread to watch {command}: {reason}; run fewer cases at a time")]
    NoThread {
        /// What was to be watched.
        command: CommandLine,
        /// What the system said.
        reason: io::Error,
    },
}

impl NodeProcess {
    /// Starts the command as the leader of a process group of its own.
    pub fn spawn(command: &CommandLine, pipes: Pipes) -> Result<Self, SpawnError> {
        let input = match pipes {
            Pipes::Control => Stdio::piped(),
            Pipes::LogOnly => Stdio::null(),
        };
        let mut child = command
            .command()
            .process_group(0)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|reason| SpawnError::NotStarted { command: command.clone(), reason })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let process = Self {
            inner: Arc::new(Inner {
                group: Group::of_leader(child.id()),
                life: Watched::default(),
                input: Watched::default(),
                output: Watched::default(),
                log: Log::default(),
                logging: Watched::default(),
            }),
            command: command.clone(),
            pipes,
        };
        // The first thread is the one that reaps. From its start on, dropping `process` ends the node; before it, the
        // node is ended by hand.
        if let Err(reason) = process.watch(child) {
            return Err(SpawnError::NoThread { command: command.clone(), reason });
        }
        let started = (|| {
            if let Some(stderr) = stderr {
                process.keep_log(LogStream::Error, stderr)?;
            }
            match (pipes, stdout) {
                (Pipes::Control, stdout) => process.inner.output.change(|output| *output = stdout),
                (Pipes::LogOnly, Some(stdout)) => {
                    process.keep_log(LogStream::Output, stdout)?;
                }
                (Pipes::LogOnly, None) => {}
            }
            match stdin {
                Some(stdin) => process.thread("input", move |inner| inner.write_input(stdin)),
                None => Ok(()),
            }
        })();
        match started {
            Ok(()) => Ok(process),
            Err(reason) => Err(SpawnError::NoThread { command: command.clone(), reason }),
        }
    }

    /// The command that it was started by.
    pub fn command(&self) -> &CommandLine {
        &self.command
    }

    /// How it has ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        self.inner.life.look().exit.clone()
    }

    /// Waits for its end. `None`: it still runs at the deadline.
    pub fn wait(&self, deadline: Instant) -> Option<Exit> {
        self.inner.wait(deadline)
    }

    /// Ends it with SIGKILL, its whole group, and waits until it is gone.
    pub fn kill(&self) -> Option<Exit> {
        self.inner.signal(Signal::SIGKILL);
        self.wait(Instant::now() + STRAGGLING * 5)
    }

    /// Stops it in the middle of whatever it does (SIGSTOP), and waits until all its threads stand still; whether they do before the deadline.
    pub fn freeze(&self, deadline: Instant) -> bool {
        self.inner.signal(Signal::SIGSTOP);
        while !self.inner.group.stands_still() {
            if Instant::now() >= deadline {
                return false;
            }
            // The system tells nobody when a thread has stopped.
            thread::sleep(LOOK_AGAIN);
        }
        true
    }

    /// Lets it go on after [`NodeProcess::freeze`] (SIGCONT).
    pub fn thaw(&self) {
        self.inner.signal(Signal::SIGCONT);
    }

    /// Closes its standard input, which asks it to stop. What is still to be written comes first.
    pub fn close_input(&self) {
        self.inner.input.change(|input| input.closed = true);
    }

    /// Brings it to its end: end of input, then, after `grace`, SIGTERM, and after another `grace` SIGKILL. A node
    /// without control lines is sent SIGTERM at once. `None`: the system does not end it, which only a broken one does.
    pub fn stop(&self, grace: Duration) -> Option<Stopped> {
        self.close_input();
        self.thaw();
        let stopped = |by| move |exit| Stopped { exit, by };
        let patience = if self.pipes == Pipes::Control { grace } else { Duration::ZERO };
        if let Some(exit) = self.wait(Instant::now() + patience) {
            return Some(stopped(StoppedBy::Itself)(exit));
        }
        self.inner.signal(Signal::SIGTERM);
        if let Some(exit) = self.wait(Instant::now() + grace) {
            return Some(stopped(StoppedBy::Termination)(exit));
        }
        self.kill().map(stopped(StoppedBy::Killing))
    }

    /// The newest part of its log, oldest line first.
    pub fn log(&self) -> Vec<LogLine> {
        self.inner.log.lines()
    }

    /// Resident memory in bytes, of the whole group. `None` where the system does not tell.
    pub fn resident_memory(&self) -> Option<u64> {
        self.inner.group.resident_memory()
    }

    /// The most resident memory that the whole group has had, in bytes, since [`NodeProcess::reset_peak_memory`]. An upper
    /// bound where it has several processes. `None` where the system does not tell.
    pub fn peak_memory(&self) -> Option<u64> {
        self.inner.group.peak_memory()
    }

    /// Begins [`NodeProcess::peak_memory`] anew at what is resident now. `false`: the system cannot, and what it tells of the
    /// peak may be older.
    pub fn reset_peak_memory(&self) -> bool {
        self.inner.group.reset_peak_memory()
    }

    /// Open file descriptors of the whole group. `None` where the system does not tell.
    pub fn open_files(&self) -> Option<usize> {
        self.inner.group.open_files()
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    fn thread(&self, what: &str, body: impl FnOnce(&Inner) + Send + 'static) -> io::Result<()> {
        let inner = self.inner.clone();
        thread::Builder::new().name(format!("node {what}")).spawn(move || body(&inner)).map(drop)
    }

    fn keep_log(&self, stream: LogStream, source: impl Read + Send + 'static) -> io::Result<()> {
        self.inner.logging.change(|sources| *sources += 1);
        self.thread("log", move |inner| {
            inner.log.read_all(stream, source);
            inner.logging.change(|sources| *sources -= 1);
        })
    }

    fn watch(&self, child: Child) -> io::Result<()> {
        let slot = Arc::new(Watched::new(Some(child)));
        let theirs = slot.clone();
        let started = self.thread("end", move |inner| {
            if let Some(child) = theirs.change(Option::take) {
                inner.await_end(child);
            }
        });
        if started.is_err()
            && let Some(mut child) = slot.change(Option::take)
        {
            self.inner.signal(Signal::SIGKILL);
            let status = child.wait()?;
            let exit = Exit { at: Instant::now(), status, left_behind: Vec::new() };
            self.inner.life.change(|life| *life = Life { exit: Some(exit), out_of_reach: true });
        }
        started
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        if self.exit().is_none() {
            self.close_input();
            self.thaw();
            self.inner.signal(Signal::SIGTERM);
            if self.wait(Instant::now() + FAREWELL).is_none() {
                self.kill();
            }
        }
        // Ends the thread that writes.
        self.close_input();
    }
}

impl Inner {
    pub(crate) fn wait(&self, deadline: Instant) -> Option<Exit> {
        self.life.wait_until(deadline, |life| life.exit.clone())
    }

    pub(crate) fn exit(&self) -> Option<Exit> {
        self.life.look().exit.clone()
    }

    /// Enqueues a line for standard input.
    pub(crate) fn write_line(&self, line: Vec<u8>) {
        self.input.change(|input| input.lines.push_back(line));
    }

    /// Standard output, for the one who speaks with the node.
    pub(crate) fn take_output(&self) -> Option<ChildStdout> {
        self.output.change(Option::take)
    }

    pub(crate) fn log_tail(&self) -> String {
        self.log.tail(20)
    }

    #[cfg(test)]
    pub(crate) fn group(&self) -> Group {
        self.group
    }

    fn signal(&self, signal: Signal) {
        // Under the lock, so that the leader cannot be reaped meanwhile.
        let life = self.life.look();
        if !life.out_of_reach {
            self.group.signal(signal);
        }
    }

    fn write_input(&self, mut stdin: ChildStdin) {
        loop {
            let line = self.input.wait(|input| match input.lines.pop_front() {
                Some(line) => Some(Some(line)),
                None => input.closed.then_some(None),
            });
            let Some(line) = line else { return };
            if stdin.write_all(&line).is_err() {
                return;
            }
        }
    }

    fn await_end(&self, mut child: Child) {
        self.group.await_leader();
        let at = Instant::now();
        let mut left_behind = Vec::new();
        if cfg!(target_os = "linux") {
            left_behind = self.stragglers(at + STRAGGLING);
            if !left_behind.is_empty() {
                self.group.signal(Signal::SIGKILL);
            }
            self.life.change(|life| life.out_of_reach = true);
        }
        let Ok(status) = child.wait() else { return };
        // Whoever hears of the end wants to quote the last words.
        self.logging.wait_until(Instant::now() + LAST_WORDS, |sources| (*sources == 0).then_some(()));
        let exit = Exit { at, status, left_behind };
        self.life.change(|life| *life = Life { exit: Some(exit), out_of_reach: true });
    }

    /// Who is left of the group at the deadline. The system does not tell when a group becomes empty: one has to look.
    fn stragglers(&self, deadline: Instant) -> Vec<LeftBehind> {
        loop {
            let members = self.group.members();
            if members.is_empty() || Instant::now() >= deadline {
                return members.into_iter().map(|Member { id, command }| LeftBehind { id, command }).collect();
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => write!(f, "exited with status {code}")?,
            (None, Some(signal)) => write!(f, "was ended by signal {signal}")?,
            (None, None) => write!(f, "ended")?,
        }
        for child in &self.left_behind {
            write!(f, ", and left process {} ({}) behind", child.id, child.command)?;
        }
        Ok(())
    }
}
