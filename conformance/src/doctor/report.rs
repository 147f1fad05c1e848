//! What the doctor checks, and what it found. Examines nothing.

use std::collections::BTreeMap;
use std::fmt;

/// One thing that an adapter has to do. In the order in which a report names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// The manifest can be read.
    Manifest,
    /// The node can be built.
    Build,
    /// Its process starts and, wire-only, its port accepts connections.
    Start,
    /// `initialize` is answered as it should be.
    Initialize,
    /// Standard output carries control lines and nothing else.
    Output,
    /// Every line has the form that the control protocol gives it.
    Form,
    /// Each request is answered once, with its id.
    Answers,
    /// An unknown method is refused with -32601.
    UnknownMethod,
    /// Unknown members of params are ignored.
    UnknownMembers,
    /// A request that takes long holds up no other.
    Overlap,
    /// Port 0 becomes a real one, which the node's name carries.
    PortZero,
    /// What `initialize` claims is there.
    Claims,
    /// The end of input ends the process, with status 0.
    EndOfInput,
    /// `shutdown` ends the process, with status 0.
    Shutdown,
    /// Wire-only: the name that it was given is its name.
    Name,
    /// Wire-only: it listens on the host that it was given.
    Host,
    /// Wire-only: who knows the cookie is let in.
    RightCookie,
    /// Wire-only: who does not is not.
    WrongCookie,
    /// Wire-only: the cookie is the file's bytes, all of them.
    CookieBytes,
    /// Nothing that it started outlives it.
    Children,
}

impl Check {
    /// Those of an adapter on control lines.
    pub(super) const OF_ADAPTERS: &[Self] = &[
        Self::Start,
        Self::Initialize,
        Self::Output,
        Self::Form,
        Self::Answers,
        Self::UnknownMethod,
        Self::UnknownMembers,
        Self::Overlap,
        Self::PortZero,
        Self::Claims,
        Self::EndOfInput,
        Self::Shutdown,
        Self::Children,
    ];
    /// Those of a wire-only node.
    pub(super) const OF_WIRE_ONLY: &[Self] =
        &[Self::Start, Self::Name, Self::Host, Self::RightCookie, Self::WrongCookie, Self::CookieBytes, Self::Children];

    /// What a report calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Build => "build",
            Self::Start => "start",
            Self::Initialize => "initialize",
            Self::Output => "standard output",
            Self::Form => "form of lines",
            Self::Answers => "answers",
            Self::UnknownMethod => "unknown method",
            Self::UnknownMembers => "unknown members",
            Self::Overlap => "overlapping requests",
            Self::PortZero => "port zero",
            Self::Claims => "capabilities",
            Self::EndOfInput => "end of input",
            Self::Shutdown => "shutdown",
            Self::Name => "name",
            Self::Host => "host and port",
            Self::RightCookie => "right cookie",
            Self::WrongCookie => "wrong cookie",
            Self::CookieBytes => "cookie's bytes",
            Self::Children => "nothing left behind",
        }
    }
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// As it should be; what was seen.
    Ok(String),
    /// The adapter did something else.
    Fail {
        /// What happened.
        what: String,
        /// What to do next.
        next: String,
    },
    /// It could not be seen, and why.
    NotChecked(String),
}

/// What came of all checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    findings: BTreeMap<Check, Finding>,
}

impl Report {
    /// The findings, in order.
    pub fn findings(&self) -> impl Iterator<Item = (Check, &Finding)> {
        self.findings.iter().map(|(check, finding)| (*check, finding))
    }

    /// The checks that failed.
    #[must_use]
    pub fn failed(&self) -> Vec<Check> {
        self.findings().filter(|(_, finding)| matches!(finding, Finding::Fail { .. })).map(|(check, _)| check).collect()
    }

    /// Whether a check was made and passed.
    #[must_use]
    pub fn passed(&self, check: Check) -> bool {
        matches!(self.findings.get(&check), Some(Finding::Ok(_)))
    }

    /// Keeps that a check passed, unless it has failed already.
    pub(super) fn pass(&mut self, check: Check, seen: impl Into<String>) {
        if !matches!(self.findings.get(&check), Some(Finding::Fail { .. })) {
            self.findings.insert(check, Finding::Ok(seen.into()));
        }
    }

    /// Keeps that a check failed; what failed first is what is told.
    pub(super) fn fail(&mut self, check: Check, what: impl Into<String>, next: impl Into<String>) {
        if !matches!(self.findings.get(&check), Some(Finding::Fail { .. })) {
            self.findings.insert(check, Finding::Fail { what: what.into(), next: next.into() });
        }
    }

    /// Keeps that a check could not be made, unless something is known of it.
    pub(super) fn leave(&mut self, check: Check, why: impl Into<String>) {
        self.findings.entry(check).or_insert_with(|| Finding::NotChecked(why.into()));
    }

    /// The same with all of these checks in it.
    pub(super) fn of_all(mut self, checks: &[Check]) -> Self {
        let why = match self.failed().first() {
            Some(first) => format!("`{}` has to be right first", first.name()),
            None => "there was no occasion to see it".to_owned(),
        };
        checks.iter().for_each(|check| self.leave(*check, why.clone()));
        self
    }
}

impl fmt::Display for Report {
    /// Failures in full, then one line a check, then one line for all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (check, finding) in &self.findings {
            if let Finding::Fail { what, next } = finding {
                writeln!(f, "FAIL {}", check.name())?;
                writeln!(f, "  what  {}", what.trim_end().replace('\n', "\n        "))?;
                writeln!(f, "  next  {}\n", next.replace('\n', "\n        "))?;
            }
        }
        for (check, finding) in &self.findings {
            let (verdict, words) = match finding {
                Finding::Ok(seen) => ("ok", seen.as_str()),
                Finding::Fail { what, .. } => ("FAIL", what.lines().next().unwrap_or_default()),
                Finding::NotChecked(why) => ("not checked", why.as_str()),
            };
            writeln!(f, "{verdict:<11}  {:<20}  {words}", check.name())?;
        }
        let count = |fits: fn(&Finding) -> bool| self.findings.values().filter(|finding| fits(finding)).count();
        write!(
            f,
            "{} ok, {} failed, {} not checked",
            count(|finding| matches!(finding, Finding::Ok(_))),
            count(|finding| matches!(finding, Finding::Fail { .. })),
            count(|finding| matches!(finding, Finding::NotChecked(_))),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_stays_and_is_told_with_what_to_do() {
        let mut report = Report::default();
        report.pass(Check::Start, "it runs");
        report.fail(Check::Output, "it printed\nthis", "print that elsewhere");
        report.pass(Check::Output, "clean");
        let report = report.of_all(&[Check::Start, Check::Output, Check::Shutdown]);
        assert_eq!(report.failed(), [Check::Output]);
        let text = report.to_string();
        assert!(text.contains("FAIL standard output\n  what  it printed\n        this\n  next  print that"), "{text}");
        assert!(text.contains("not checked  shutdown              `standard output` has to be right first"), "{text}");
        assert!(text.ends_with("1 ok, 1 failed, 1 not checked"), "{text}");
    }
}
