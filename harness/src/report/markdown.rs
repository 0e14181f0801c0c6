//! A run as Markdown, for a pull request or the summary of a job.

use std::fmt::Write;

use crate::requirement::Catalogue;
use crate::verdict::Verdict;
use reference_broker::codec::ProtocolVersion;

use super::json::{CaseResult, DeviationState, RunResult};
use super::section::{StatementRow, sections};

/// Cases that are listed below one statement.
const MOST_CASES: usize = 8;

/// The whole text.
pub fn markdown(result: &RunResult) -> String {
    let mut out = String::new();
    head(&mut out, result);
    gate(&mut out, result);
    table(&mut out, result);
    broken(&mut out, result);
    cases(&mut out, "Inconclusive", &result.results, Verdict::Inconclusive);
    cases(&mut out, "The harness failed", &result.results, Verdict::Error);
    contradictions(&mut out, result);
    choices(&mut out, result);
    let _ = writeln!(out, "\nAgain: `{}`", result.command);
    out
}

fn head(out: &mut String, result: &RunResult) {
    let counts = &result.summary;
    let _ = writeln!(out, "# {}\n", escape(&result.broker));
    let mut parts = vec![format!("**{} passed**", counts.pass)];
    let others = [
        (counts.fail, "failed"),
        (counts.inconclusive, "inconclusive"),
        (counts.error, "errors of the harness"),
        (counts.skipped, "skipped"),
    ];
    for (count, word) in others {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    let _ = writeln!(
        out,
        "{}. {} world, {:.1} s, {}, seed {}.",
        parts.join(", "),
        result.world,
        result.took_ms / 1000.0,
        result.tool,
        result.seed
    );
    if result.partial {
        let _ = writeln!(out, "\n**The run was interrupted: the results are partial.**");
    }
    if let Some(lost) = &result.lost {
        let _ = writeln!(out, "\n**{}**", escape(lost));
    }
    for warning in &result.warnings {
        let _ = writeln!(out, "\n{}", escape(warning));
    }
    for crash in &result.unexplained {
        let cases = escape(&crash.during());
        let _ = writeln!(out, "\nThe broker died during {cases} and did not do it again.");
    }
}

/// What a baseline asks for.
fn gate(out: &mut String, result: &RunResult) {
    let Some(baseline) = &result.baseline else { return };
    let _ = writeln!(
        out,
        "\nBaseline `{}`: {} known, {} new, {} fixed, {} expired, {} that break something else than listed.",
        baseline.file, baseline.known, baseline.new, baseline.fixed, baseline.expired, baseline.other
    );
    let asks =
        |case: &&CaseResult| case.deviation.as_ref().is_some_and(|it| it.state != DeviationState::Known);
    for case in result.results.iter().filter(asks) {
        if let Some(deviation) = &case.deviation {
            let _ = writeln!(out, "- {}: {}", code(&case.key()), escape(&deviation.advice));
        }
    }
}

fn table(out: &mut String, result: &RunResult) {
    let _ = writeln!(out, "\n| MQTT | section | kept | broken | unanswered | not asked |");
    let _ = writeln!(out, "| --- | --- | ---: | ---: | ---: | ---: |");
    for section in sections(result) {
        let count = |verdict| match section.count(verdict) {
            0 => String::new(),
            count => count.to_string(),
        };
        let _ = writeln!(
            out,
            "| {} | {} {} | {} | {} | {} | {} |",
            section.version,
            section.number,
            section.title,
            count(Verdict::Pass),
            count(Verdict::Fail),
            count(Verdict::Inconclusive),
            count(Verdict::Skipped)
        );
    }
}

fn broken(out: &mut String, result: &RunResult) {
    let sections = sections(result);
    let rows: Vec<(ProtocolVersion, &StatementRow<'_>)> = sections
        .iter()
        .flat_map(|section| section.statements.iter().map(|row| (section.version, row)))
        .filter(|(_, row)| !row.broken.is_empty())
        .collect();
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## Broken statements\n");
    for (version, row) in rows {
        let known = row.broken.iter().all(|case| !case.is_red());
        let _ = writeln!(
            out,
            "<details><summary><b>{}</b> (MQTT {version}), {} of {} cases{}: {}</summary>\n",
            row.requirement.id,
            row.broken.len(),
            row.broken.len() + row.passed,
            if known { ", known" } else { "" },
            html(&row.requirement.statement)
        );
        for case in row.broken.iter().take(MOST_CASES) {
            let finding = case.findings.iter().find(|finding| finding.requirement == row.requirement.id);
            let _ = writeln!(out, "- {} {}", code(&case.key()), escape(&case.title));
            if let Some(finding) = finding {
                let _ = writeln!(out, "  - expected: {}", escape(&finding.expected));
                let _ = writeln!(out, "  - observed: {}", escape(&finding.observed));
            }
            if let Some(deviation) = &case.deviation {
                let link = deviation.link.as_ref().map_or(String::new(), |link| format!(" ({link})"));
                let _ = writeln!(out, "  - baseline: {}{link}", escape(&deviation.reason));
            }
            let _ = writeln!(out, "  - `{}`", case.replay);
        }
        if row.broken.len() > MOST_CASES {
            let _ = writeln!(out, "- … and {} more cases", row.broken.len() - MOST_CASES);
        }
        let _ = writeln!(out, "\n</details>\n");
    }
}

fn cases(out: &mut String, title: &str, results: &[CaseResult], verdict: Verdict) {
    let wanted: Vec<&CaseResult> = results.iter().filter(|case| case.verdict == verdict).collect();
    if wanted.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## {title}\n");
    for case in wanted {
        let _ = writeln!(out, "- {}: {}", code(&case.key()), escape(&case.reason));
    }
}

fn contradictions(out: &mut String, result: &RunResult) {
    if result.contradictions.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## What is claimed and what was found\n");
    for one in &result.contradictions {
        let _ = writeln!(
            out,
            "- **{}**: {}, found: {} ({}); {}",
            one.name,
            match one.claimed {
                Some(crate::world::live::Claimed::Yes) => "claimed",
                Some(crate::world::live::Claimed::No) => "denied",
                None => "not claimed",
            },
            one.found.name(),
            escape(&one.evidence),
            escape(&one.consequence)
        );
    }
}

fn choices(out: &mut String, result: &RunResult) {
    if result.choices.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n<details><summary>Implementation choices</summary>\n");
    let _ = writeln!(out, "| choice | MQTT | what the broker does | ruling |");
    let _ = writeln!(out, "| --- | --- | --- | --- |");
    for row in &result.choices {
        let values: Vec<String> = row.values.iter().map(|value| escape(&value.value)).collect();
        let _ = writeln!(out, "| {} | {} | {} | {} |", row.name, row.protocol, values.join(", "), row.ruling);
    }
    let _ = writeln!(out, "\n</details>");
}

/// A name in a code span; names may hold backticks.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Text that means nothing to Markdown, on one line.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Text inside an HTML element of Markdown.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', " ")
}

/// The statement of a requirement, for a case of that version.
pub fn statement(protocol: &str, id: &str) -> Option<&'static str> {
    let version = ProtocolVersion::from_name(protocol)?;
    Some(Catalogue::of(version).get(id)?.statement.as_str())
}
