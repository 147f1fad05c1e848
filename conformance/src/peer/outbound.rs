//! What is still to be sent on a connection. No sockets, no threads.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// One thing for the writer to do, in order.
#[derive(Debug)]
pub(crate) enum Job {
    /// Send these bytes, as TLS records and writes of their own.
    Send(Vec<u8>),
    /// Send these bytes straight into TCP, past TLS.
    Beneath(Vec<u8>),
    /// Wait before what follows.
    Pause(Duration),
    /// End the sending side.
    Finish {
        /// With a TLS `close_notify` first.
        close_notify: bool,
    },
    /// Send what TLS itself has to say. Never queued, and taken before all others.
    Tls,
}

/// The sending side's state.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    jobs: VecDeque<Job>,
    queued: u64,
    done: u64,
    tls_has_something: bool,
    finishing: bool,
    /// The writer is inside a job.
    pub(crate) busy: bool,
    /// A write failed because of an RST. The kernel tells only one of reader and writer.
    pub(crate) reset: bool,
    /// Why nothing can be sent any more.
    pub(crate) failed: Option<String>,
    /// The writer must end at once.
    pub(crate) aborted: bool,
    /// The last handle is gone after an orderly close, for which there is time until then.
    pub(crate) farewell: Option<Instant>,
    /// The other side's end has been seen, or nobody looks for it any more.
    pub(crate) reader_ended: bool,
}

impl Outbound {
    /// Enqueues a job. False: this side has been closed or is broken, and the job is lost.
    pub(crate) fn push(&mut self, job: Job) -> bool {
        if self.finishing || self.failed.is_some() || self.aborted {
            return false;
        }
        self.finishing = matches!(job, Job::Finish { .. });
        self.queued += 1;
        self.jobs.push_back(job);
        true
    }

    pub(crate) fn tls_has_something(&mut self) {
        self.tls_has_something = true;
    }

    /// The writer's next job; `None` within: there will be none any more.
    pub(crate) fn take(&mut self) -> Option<Option<Job>> {
        let finished = self.finishing && self.jobs.is_empty();
        if self.is_aborted() || self.failed.is_some() || finished {
            return Some(None);
        }
        let job = if std::mem::take(&mut self.tls_has_something) { Some(Job::Tls) } else { self.jobs.pop_front() };
        self.busy = job.is_some();
        job.map(Some)
    }

    /// A job has been done, or has failed.
    pub(crate) fn finish(&mut self, job_was_queued: bool) {
        self.busy = false;
        self.done += u64::from(job_was_queued);
    }

    /// A mark that [`Outbound::has_done`] can be asked about: all that has been pushed so far.
    pub(crate) fn mark(&self) -> u64 {
        self.queued
    }

    pub(crate) fn has_done(&self, mark: u64) -> bool {
        self.done >= mark
    }

    /// An orderly end has been asked for, and may have been reached.
    pub(crate) fn is_orderly(&self) -> bool {
        self.finishing && self.failed.is_none()
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted || self.farewell.is_some_and(|until| until <= Instant::now())
    }
}
