//! What a test needs and a machine may lack. Then the test is left out and says so; `SNOW_REQUIRE_ALL=1`, as in CI, makes that a failure.

use std::process::{Command, Stdio};

/// Whether it is here; where it is not, that is said, or fails.
pub(crate) fn or_left_out(is_here: bool, what: &str) -> bool {
    if !is_here {
        let required = std::env::var("SNOW_REQUIRE_ALL").is_ok_and(|value| value == "1");
        assert!(!required, "{what} on this machine, and SNOW_REQUIRE_ALL=1 asks for it");
        eprintln!("left out: {what} on this machine");
    }
    is_here
}

/// Whether a program is here: it answers this question.
#[allow(dead_code, reason = "not every test needs a program")]
pub(crate) fn program(program: &str, question: &[&str]) -> bool {
    let status = Command::new(program).args(question).stdout(Stdio::null()).stderr(Stdio::null()).status();
    or_left_out(status.is_ok_and(|status| status.success()), &format!("there is no `{program} {}`", question.join(" ")))
}
