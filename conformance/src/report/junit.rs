//! JUnit XML, for CI systems. A known deviation is a skipped test there, as with other test runners: it is seen, and fails nothing.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::results::{Outcome, Results};

use super::{failure, interop};

/// The run as JUnit XML: one suite a family.
///
/// # Errors
/// Returns what the XML writer refused.
pub fn junit(results: &Results) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new(format!("snowproof {}", results.node.name));
    let mut families: Vec<&str> = results.cases.iter().map(|c| c.family.as_str()).collect();
    families.dedup();
    families.sort_unstable();
    families.dedup();
    for family in families {
        let mut suite = TestSuite::new(family);
        for case in results.cases.iter().filter(|case| case.family == family) {
            let status = match &case.outcome {
                Outcome::Pass => TestCaseStatus::success(),
                Outcome::Skipped { missing } => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_message(format!("needs capability {missing}"));
                    status
                }
                Outcome::Fail { failure: reason } if let Some(known) = &case.deviation => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_type("deviation").set_message(format!(
                        "known deviation: {} ({}, {}; {}; review {})",
                        known.reason, reason.requirement, reason.cause, known.place, known.review
                    ));
                    status
                }
                Outcome::Fail { failure: reason } => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status
                        .set_type(reason.cause.to_string())
                        .set_message(format!("{}: {}", reason.requirement, reason.sentence))
                        .set_description(failure::failure(results, case, reason));
                    status
                }
                Outcome::Error { problem } => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                    status.set_message(problem.message.clone()).set_description(failure::problem(case, problem));
                    status
                }
            };
            let name = match case.repetition {
                1 => interop::with_cast(case),
                repetition => format!("{} #{repetition}", interop::with_cast(case)),
            };
            let mut test = TestCase::new(name, status);
            test.set_time(Duration::from_millis(case.duration_ms));
            suite.add_test_case(test);
        }
        report.add_test_suite(suite);
    }
    if let Some(known) = &results.deviations {
        let mut suite = TestSuite::new("deviations");
        for problem in &known.problems {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(problem.kind.to_string()).set_message(problem.message.clone());
            suite.add_test_case(TestCase::new(format!("{} {}", problem.place, problem.case), status));
        }
        report.add_test_suite(suite);
    }
    report.to_string()
}
