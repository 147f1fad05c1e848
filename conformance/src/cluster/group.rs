//! The process group that a node is started in: signals to all of it, and what `/proc` tells about its members.
//!
//! The group's id is the node's process id, which the system gives to nobody else until the node has been reaped. So
//! nothing here can hit a process that the harness did not start, as long as it is called before that.

use std::fs;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group(u32);

/// A live process of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: u32,
    pub(crate) command: String,
}

impl Group {
    /// The group that a process leads.
    pub(crate) fn of_leader(id: u32) -> Self {
        Self(id)
    }

    /// Sends a signal to every member. A group without live members is none's business.
    pub(crate) fn signal(self, signal: Signal) {
        if let Ok(id) = i32::try_from(self.0) {
            let _ = killpg(Pid::from_raw(id), signal);
        }
    }

    /// Blocks until the leader has ended, and leaves it to be reaped.
    #[cfg(target_os = "linux")]
    pub(crate) fn await_leader(self) {
        use nix::errno::Errno;
        use nix::sys::wait::{Id, WaitPidFlag, waitid};
        let Ok(id) = i32::try_from(self.0) else { return };
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(Pid::from_raw(id)), flags) == Err(Errno::EINTR) {}
    }

    /// Elsewhere a leader can only be awaited by reaping it.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn await_leader(self) {}

    /// The live members. Without `/proc` there is no telling, and the answer is none.
    pub(crate) fn members(self) -> Vec<Member> {
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        processes
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|id: u32| self.member(id))
            .collect()
    }

    fn member(self, id: u32) -> Option<Member> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The command stands in parentheses and may contain anything, parentheses too.
        let (before, after) = stat.rsplit_once(')')?;
        let (_, command) = before.split_once('(')?;
        let mut fields = after.split_whitespace();
        let is_dead = matches!(fields.next()?, "Z" | "X");
        let group: u32 = fields.nth(1)?.parse().ok()?;
        (group == self.0 && !is_dead).then(|| Member { id, command: command.to_owned() })
    }

    /// Whether every thread of every member stands still. A signal is sent to a process, and its threads stop one by one, each when the system
    /// comes to it. Without `/proc` there is no telling, and the answer is yes.
    pub(crate) fn stands_still(self) -> bool {
        self.members().iter().all(|member| {
            let Ok(threads) = fs::read_dir(format!("/proc/{}/task", member.id)) else { return true };
            threads.flatten().all(|thread| {
                // A thread that has ended meanwhile runs no more, either.
                let Ok(stat) = fs::read_to_string(thread.path().join("stat")) else { return true };
                let state = stat.rsplit_once(')').and_then(|(_, after)| after.split_whitespace().next());
                matches!(state, Some("T" | "t" | "Z" | "X") | None)
            })
        })
    }

    /// Resident memory of all members in bytes. `None` where the system does not tell.
    pub(crate) fn resident_memory(self) -> Option<u64> {
        self.sum_of_memory("VmRSS:")
    }

    /// The sum of the most that each member has had resident, in bytes. `None` where the system does not tell.
    pub(crate) fn peak_memory(self) -> Option<u64> {
        self.sum_of_memory("VmHWM:")
    }

    /// Has the system begin anew with what [`Group::peak_memory`] tells; whether it did, for every member.
    pub(crate) fn reset_peak_memory(self) -> bool {
        // See proc(5): 5 resets the peak and nothing else.
        let reset = |member: &Member| fs::write(format!("/proc/{}/clear_refs", member.id), "5").is_ok();
        self.members().iter().all(reset)
    }

    fn sum_of_memory(self, line: &str) -> Option<u64> {
        let sizes: Vec<u64> = self.members().iter().filter_map(|member| memory(member.id, line)).collect();
        (!sizes.is_empty()).then(|| sizes.iter().sum())
    }

    /// Open file descriptors of all members. `None` where the system does not tell.
    pub(crate) fn open_files(self) -> Option<usize> {
        let count = |member: &Member| fs::read_dir(format!("/proc/{}/fd", member.id)).ok().map(Iterator::count);
        let counts: Vec<usize> = self.members().iter().filter_map(count).collect();
        (!counts.is_empty()).then(|| counts.iter().sum())
    }
}

/// One figure out of what the system tells of a process's memory, in bytes.
fn memory(id: u32, figure: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(figure))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
