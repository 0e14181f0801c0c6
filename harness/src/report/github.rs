//! Annotations for a job of GitHub Actions: one line of standard output each.

use crate::verdict::Verdict;

use super::json::{CaseResult, DeviationState, RunResult};

/// The runner shows so many of a kind in a step.
const MOST: usize = 10;

/// One annotation for each case that is red, a warning for each that is inconclusive, a notice that sums up known
/// deviations. The runner shows ten of a kind, so the last one tells how many there are.
pub fn annotations(result: &RunResult) -> Vec<String> {
    let mut lines = Vec::new();
    let red: Vec<&CaseResult> = result.results.iter().filter(|case| case.is_red()).collect();
    for (at, case) in red.iter().enumerate() {
        if at + 1 == MOST && red.len() > MOST {
            let rest = red.len() - at;
            lines.push(line("error", "and more", &format!("{rest} more cases are red: see the report")));
            break;
        }
        lines.push(line("error", &headline(case), &what(case)));
    }
    let unsure: Vec<&CaseResult> = result
        .results
        .iter()
        .filter(|case| case.verdict == Verdict::Inconclusive && case.deviation.is_none())
        .collect();
    for case in unsure.iter().take(MOST - 1) {
        lines.push(line("warning", &headline(case), &format!("inconclusive: {}", case.reason)));
    }
    if unsure.len() >= MOST {
        let rest = unsure.len() + 1 - MOST;
        lines.push(line("warning", "and more", &format!("{rest} more cases are inconclusive")));
    }
    let known = result
        .results
        .iter()
        .filter(|case| case.deviation.as_ref().is_some_and(|it| it.state == DeviationState::Known))
        .count();
    if known > 0 {
        let message = format!("{known} cases fail as the baseline says");
        lines.push(line("notice", "known deviations", &message));
    }
    lines
}

fn headline(case: &CaseResult) -> String {
    match case.broken().as_slice() {
        [] => case.key(),
        broken => format!("{}: {}", broken.join(", "), case.key()),
    }
}

fn what(case: &CaseResult) -> String {
    if let Some(deviation) = case.deviation.as_ref().filter(|it| it.state != DeviationState::Known) {
        return deviation.advice.clone();
    }
    let first = case
        .findings
        .iter()
        .find(|finding| Some(finding.requirement.as_str()) == case.broken().first().copied());
    match first {
        Some(finding) => {
            format!(
                "{}\nexpected: {}\nobserved: {}\n{}",
                case.title, finding.expected, finding.observed, case.replay
            )
        }
        None => format!("{}\n{}\n{}", case.title, case.reason, case.replay),
    }
}

/// A workflow command.
fn line(kind: &str, title: &str, message: &str) -> String {
    let message = message.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    // A property of the command ends with a comma or a colon.
    let title = title.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let title = title.replace(':', "%3A").replace(',', "%2C");
    format!("::{kind} title={title}::{message}")
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn what_would_end_a_workflow_command_is_encoded() {
        assert_eq!(
            line("error", "MQTT-1: a, b", "50 %\nmore: x, y"),
            "::error title=MQTT-1%3A a%2C b::50 %25%0Amore: x, y"
        );
    }
}
