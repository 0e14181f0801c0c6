//! What a person sees: a failure explained, and the summary.

use std::collections::BTreeMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::requirement::Catalogue;
use crate::session::Outcome;
use crate::text::format_duration;
use crate::verdict::{Finding, Verdict, Weight};

use super::json::{ChoiceRow, ChoiceValue, DeviationState, RunResult};
use super::timeline;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => GREEN,
        Verdict::Skipped => DIM,
        Verdict::Inconclusive => YELLOW,
        Verdict::Error | Verdict::Fail => RED,
    }
}

/// One outcome that is no pass, explained: requirement, expected, observed, the packets around it, the replay.
pub fn failure(outcome: &Outcome, replay: &str) -> String {
    let mut out = String::new();
    let Some(plan) = &outcome.plan else { return out };
    let verdict = style(outcome.verdict);
    let _ = writeln!(
        out,
        "{verdict}{}{verdict:#} {BOLD}{}{BOLD:#} {DIM}(MQTT {}){DIM:#}",
        outcome.verdict.name().to_uppercase(),
        plan.full_name(),
        plan.version
    );
    let _ = writeln!(out, "     {}", plan.title);
    let shown = heaviest(&outcome.findings);
    let mut last: Option<&str> = None;
    for finding in shown.iter().take(4) {
        let catalogue = Catalogue::of(plan.version);
        if last != Some(finding.requirement.as_str()) {
            let mut ids = vec![finding.requirement.clone()];
            ids.extend(finding.also.iter().cloned());
            let _ = writeln!(out, "\n  requirement  {BOLD}{}{BOLD:#}", ids.join(", "));
            if let Some(requirement) = catalogue.get(&finding.requirement) {
                for line in wrap(&requirement.statement, 88) {
                    let _ = writeln!(out, "               {DIM}{line}{DIM:#}");
                }
            }
        }
        last = Some(finding.requirement.as_str());
        let _ = writeln!(out, "  expected     {}", finding.expected);
        let _ = writeln!(out, "  observed     {RED}{}{RED:#}", finding.observed);
        if let Some(step) = finding.step.and_then(|step| plan.steps.get(step as usize)) {
            let _ = writeln!(out, "  at step      {}", step.text);
        } else if finding.by == "verify" {
            let _ = writeln!(out, "  found by     `verify`, when everything had settled");
        } else {
            let _ = writeln!(out, "  found by     the always-on checker of {}", finding.by);
        }
    }
    if shown.len() > 4 {
        let _ = writeln!(out, "  … and {} more findings", shown.len() - 4);
    }
    let events: Vec<u32> =
        heaviest(&outcome.findings).into_iter().take(4).flat_map(|it| it.events.iter().copied()).collect();
    let _ =
        writeln!(out, "\n{}", timeline::around(plan, &outcome.history, &events, 14).trim_end_matches('\n'));
    let _ = writeln!(out, "\n  replay       {BOLD}{replay}{BOLD:#}\n");
    out
}

fn heaviest(findings: &[Finding]) -> Vec<&Finding> {
    let top = findings.iter().map(|finding| finding.weight).max().unwrap_or(Weight::Unanswered);
    findings.iter().filter(|finding| finding.weight == top).collect()
}

/// Breaks a text into lines of at most `width` characters.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + word.chars().count() >= width {
            lines.push(word.to_string());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}

/// Counts by topic and verdict.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    topics: BTreeMap<String, BTreeMap<Verdict, usize>>,
    skips: BTreeMap<String, usize>,
    /// How many of each verdict.
    pub total: BTreeMap<Verdict, usize>,
}

impl Tally {
    /// Counts an outcome of a scenario.
    pub fn count(&mut self, scenario: &str, verdict: Verdict, reason: &str) {
        let topic = scenario.split('/').next().unwrap_or(scenario).to_string();
        *self.topics.entry(topic).or_default().entry(verdict).or_default() += 1;
        *self.total.entry(verdict).or_default() += 1;
        if verdict == Verdict::Skipped {
            *self.skips.entry(reason.to_string()).or_default() += 1;
        }
    }

    /// How many had this verdict.
    pub fn of(&self, verdict: Verdict) -> usize {
        self.total.get(&verdict).copied().unwrap_or(0)
    }

    /// The exit code that the verdicts ask for (design section 7).
    pub fn exit_code(&self) -> u8 {
        if self.of(Verdict::Error) > 0 {
            3
        } else if self.of(Verdict::Fail) > 0 {
            1
        } else if self.of(Verdict::Inconclusive) > 0 || self.of(Verdict::Pass) == 0 {
            // A run that asked nothing has answered nothing.
            4
        } else {
            0
        }
    }

    /// A line for each topic, and the sum.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        let width = self.topics.keys().map(|topic| topic.chars().count()).max().unwrap_or(0);
        for (topic, verdicts) in &self.topics {
            let passed = verdicts.get(&Verdict::Pass).copied().unwrap_or(0);
            let all: usize = verdicts.values().sum();
            let _ = write!(out, "  {topic:width$}  {passed:>5} of {all:<5}");
            for (verdict, count) in verdicts.iter().filter(|(verdict, _)| **verdict != Verdict::Pass) {
                let look = style(*verdict);
                let _ = write!(out, "  {look}{count} {verdict}{look:#}");
            }
            out.push('\n');
        }
        for (reason, count) in &self.skips {
            let _ = writeln!(out, "  {DIM}skipped {count}: {reason}{DIM:#}");
        }
        let parts: Vec<String> =
            [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive, Verdict::Error, Verdict::Skipped]
                .into_iter()
                .filter(|verdict| *verdict == Verdict::Pass || self.of(*verdict) > 0)
                .map(|verdict| {
                    let look = style(verdict);
                    let word = if verdict == Verdict::Pass {
                        "passed"
                    } else if verdict == Verdict::Fail {
                        "failed"
                    } else {
                        verdict.name()
                    };
                    format!("{look}{} {word}{look:#}", self.of(verdict))
                })
                .collect();
        let _ = writeln!(out, "{}", parts.join(", "));
        out
    }
}

/// The implementation choices that a run showed, a line for each choice and version.
pub fn choices(rows: &[ChoiceRow]) -> String {
    let mut out = format!("{BOLD}implementation choices{BOLD:#}\n");
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    for row in rows {
        let several = row.values.len() > 1;
        let shown = |it: &ChoiceValue| match &it.scenarios[..] {
            _ if !several => it.value.clone(),
            [only] => format!("{} {DIM}in {only}{DIM:#}", it.value),
            [first, others @ ..] => format!("{} {DIM}in {first} and {} more{DIM:#}", it.value, others.len()),
            [] => it.value.clone(),
        };
        let values: Vec<String> = row.values.iter().map(shown).collect();
        let (name, protocol, ruling) = (&row.name, &row.protocol, &row.ruling);
        let values = values.join(", ");
        let _ = writeln!(out, "  {name:width$}  {protocol:<5}  {values}  {DIM}({ruling}){DIM:#}");
    }
    if rows.is_empty() {
        let _ = writeln!(out, "  none was seen");
    }
    out
}

/// One line for an outcome, for `--verbose`.
pub fn line(outcome: &Outcome, name: &str, version: &str) -> String {
    let look = style(outcome.verdict);
    let reason =
        if outcome.reason.is_empty() { String::new() } else { format!("  {DIM}{}{DIM:#}", outcome.reason) };
    format!(
        "{look}{:<12}{look:#} {name} ({version}) {DIM}{}{DIM:#}{reason}",
        outcome.verdict.name(),
        format_duration(std::time::Duration::from_millis(outcome.virtual_time.as_millis() as u64))
    )
}

/// What a baseline says of a run: what is known, and what is to be done.
pub fn gate(result: &RunResult) -> String {
    let mut out = String::new();
    let Some(baseline) = &result.baseline else { return out };
    for case in &result.results {
        let Some(deviation) = &case.deviation else { continue };
        if deviation.state != DeviationState::Known {
            let _ = writeln!(out, "{RED}{}{RED:#}: {}", case.key(), deviation.advice);
        }
    }
    let parts = [
        (baseline.known, "known", DIM),
        (baseline.new, "new", RED),
        (baseline.fixed, "fixed", RED),
        (baseline.expired, "expired", RED),
        (baseline.other, "other than listed", RED),
    ];
    let shown: Vec<String> = parts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, word, look)| format!("{look}{count} {word}{look:#}"))
        .collect();
    let shown = if shown.is_empty() { "no deviation".to_string() } else { shown.join(", ") };
    let _ = writeln!(out, "baseline {}: {shown}", baseline.file);
    out
}
