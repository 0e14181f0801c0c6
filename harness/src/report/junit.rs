//! JUnit XML, as build servers read it. Names are stable: the scenario is the class, the case with the protocol
//! version is the test.
//!
//! A known deviation is a skipped test with its reason; an entry of a baseline that is to be removed is a failure.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::requirement::Catalogue;
use crate::verdict::Verdict;
use reference_broker::codec::ProtocolVersion;

use super::json::{CaseResult, DeviationState, RunResult};

/// The whole report.
///
/// # Errors
/// Text that XML cannot hold; control characters are replaced before.
pub fn junit(result: &RunResult) -> Result<String, String> {
    let mut report = Report::new("assay");
    report.set_time(Duration::from_secs_f64(result.took_ms / 1000.0));
    let mut topics: Vec<&str> = Vec::new();
    for case in &result.results {
        let topic = topic(case);
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    for name in topics {
        let mut suite = TestSuite::new(name);
        suite.add_property(("broker", result.broker.as_str()));
        suite.add_property(("world", result.world.as_str()));
        for case in result.results.iter().filter(|case| topic(case) == name) {
            suite.add_test_case(test(case));
        }
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|error| error.to_string())
}

fn topic(case: &CaseResult) -> &str {
    case.scenario.split('/').next().unwrap_or(&case.scenario)
}

fn test(case: &CaseResult) -> TestCase {
    let mut test = TestCase::new(
        match &case.case {
            Some(name) => format!("[{name}] ({})", case.protocol),
            None => format!("({})", case.protocol),
        },
        status(case),
    );
    test.set_classname(case.scenario.replace('/', "."));
    test.set_time(Duration::from_secs_f64(case.real_ms / 1000.0));
    test
}

fn status(case: &CaseResult) -> TestCaseStatus {
    let failure = |kind: NonSuccessKind, type_: String, message: String| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(type_).set_message(message).set_description(explained(case));
        status
    };
    let skipped = |message: String| {
        let mut status = TestCaseStatus::skipped();
        status.set_message(message);
        status
    };
    if let Some(deviation) = &case.deviation {
        let statements = deviation.statements.join(", ");
        return match deviation.state {
            DeviationState::Known => {
                skipped(format!("known deviation from {statements}: {}", deviation.reason))
            }
            _ => failure(NonSuccessKind::Failure, statements, deviation.advice.clone()),
        };
    }
    match case.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Skipped => skipped(case.reason.clone()),
        Verdict::Inconclusive => skipped(format!("inconclusive: {}", case.reason)),
        Verdict::Error => failure(NonSuccessKind::Error, "harness".into(), case.reason.clone()),
        Verdict::Fail => failure(NonSuccessKind::Failure, case.broken().join(", "), case.reason.clone()),
    }
}

/// Statement, expected and observed of every finding, and how to see it again.
pub(super) fn explained(case: &CaseResult) -> String {
    let version = ProtocolVersion::from_name(&case.protocol).unwrap_or(ProtocolVersion::V5);
    let catalogue = Catalogue::of(version);
    let mut lines = vec![case.title.clone(), String::new()];
    for finding in &case.findings {
        lines.push(match catalogue.get(&finding.requirement) {
            Some(statement) => format!("{}: {}", finding.requirement, statement.statement),
            None => finding.requirement.clone(),
        });
        lines.push(format!("  expected: {}", finding.expected));
        lines.push(format!("  observed: {}", finding.observed));
        if let Some(step) = &finding.step {
            lines.push(format!("  at step:  {step}"));
        }
    }
    if let Some(crash) = &case.crash {
        lines.push(format!(
            "the broker died after {} had sent {}",
            crash.client.as_deref().unwrap_or("nobody"),
            crash.packet.as_deref().unwrap_or("nothing")
        ));
    }
    lines.push(String::new());
    lines.push(format!("again: {}", case.replay));
    lines.join("\n")
}
