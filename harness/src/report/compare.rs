//! Two runs side by side: what was fixed, what regressed, what is new and what vanished.

use std::collections::BTreeMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::verdict::Verdict;

use super::json::{CaseResult, ChoiceRow, RunResult};

const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// A case and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The case, with its protocol version.
    pub case: String,
    /// The verdict before, if it was played.
    pub before: Option<Verdict>,
    /// The verdict after, if it was played.
    pub after: Option<Verdict>,
    /// The statements that are broken after, or were before if nothing is now.
    pub statements: Vec<String>,
}

impl Change {
    /// Whether it is bad news: the case fails now.
    pub fn is_bad(&self) -> bool {
        matches!(self.after, Some(Verdict::Fail | Verdict::Error))
    }
}

/// What changed between two runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The brokers.
    pub brokers: (String, String),
    /// Failed before, pass now.
    pub fixed: Vec<Change>,
    /// Passed before, fail now; or fail now in another statement than before.
    pub regressed: Vec<Change>,
    /// Any other change of verdict.
    pub changed: Vec<Change>,
    /// Not there before.
    pub new: Vec<Change>,
    /// Not there any more.
    pub vanished: Vec<Change>,
    /// Implementation choices that differ: name and version, values before and after.
    pub choices: Vec<(String, String, String)>,
    /// Cases with the same verdict and the same broken statements.
    pub same: usize,
}

impl Comparison {
    /// Compares two runs by their cases.
    pub fn of(old: &RunResult, new: &RunResult) -> Comparison {
        let before: BTreeMap<String, &CaseResult> =
            old.results.iter().map(|case| (case.key(), case)).collect();
        let after: BTreeMap<String, &CaseResult> =
            new.results.iter().map(|case| (case.key(), case)).collect();
        let mut found =
            Comparison { brokers: (old.broker.clone(), new.broker.clone()), ..Comparison::default() };
        for (key, now) in &after {
            let then = before.get(key);
            let broken = now.broken();
            let was = then.map(|case| case.broken()).unwrap_or_default();
            let shown = if broken.is_empty() { &was } else { &broken };
            let change = Change {
                case: key.clone(),
                before: then.map(|case| case.verdict),
                after: Some(now.verdict),
                statements: shown.iter().map(|id| id.to_string()).collect(),
            };
            let worse = broken.iter().any(|id| !was.contains(id));
            match (change.before, now.verdict) {
                (None, _) => found.new.push(change),
                (Some(Verdict::Fail), Verdict::Pass) => found.fixed.push(change),
                (Some(_), Verdict::Fail) if worse => found.regressed.push(change),
                (Some(before), after) if before != after => match after {
                    Verdict::Error => found.regressed.push(change),
                    _ => found.changed.push(change),
                },
                _ if broken != was => found.changed.push(change),
                _ => found.same += 1,
            }
        }
        for (key, then) in &before {
            if !after.contains_key(key) {
                found.vanished.push(Change {
                    case: key.clone(),
                    before: Some(then.verdict),
                    after: None,
                    statements: then.broken().into_iter().map(str::to_string).collect(),
                });
            }
        }
        found.choices = choices(&old.choices, &new.choices);
        found
    }
}

fn choices(old: &[ChoiceRow], new: &[ChoiceRow]) -> Vec<(String, String, String)> {
    let table = |rows: &[ChoiceRow]| -> BTreeMap<(String, String), String> {
        rows.iter()
            .map(|row| {
                let values: Vec<&str> = row.values.iter().map(|value| value.value.as_str()).collect();
                ((row.name.clone(), row.protocol.clone()), values.join(", "))
            })
            .collect()
    };
    let (before, after) = (table(old), table(new));
    let nothing = "not seen".to_string();
    let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .map(|key| (key, before.get(key).unwrap_or(&nothing), after.get(key).unwrap_or(&nothing)))
        .filter(|(_, before, after)| before != after)
        .map(|((name, protocol), before, after)| {
            (format!("{name} ({protocol})"), before.clone(), after.clone())
        })
        .collect()
}

fn word(verdict: Option<Verdict>) -> &'static str {
    verdict.map_or("-", Verdict::name)
}

/// For a terminal.
pub fn console(comparison: &Comparison) -> String {
    let mut out = String::new();
    let groups = [
        ("regressed", RED, &comparison.regressed),
        ("fixed", GREEN, &comparison.fixed),
        ("changed", YELLOW, &comparison.changed),
        ("new", YELLOW, &comparison.new),
        ("vanished", YELLOW, &comparison.vanished),
    ];
    for (name, look, changes) in &groups {
        for change in *changes {
            let statements = change.statements.join(", ");
            let _ = writeln!(
                out,
                "{look}{name:<9}{look:#} {}  {DIM}{} → {}{DIM:#}  {statements}",
                change.case,
                word(change.before),
                word(change.after)
            );
        }
    }
    for (name, before, after) in &comparison.choices {
        let _ = writeln!(out, "{DIM}choice{DIM:#}    {name}  {before} → {after}");
    }
    let counts: Vec<String> = groups
        .iter()
        .filter(|(_, _, changes)| !changes.is_empty())
        .map(|(name, look, changes)| format!("{look}{} {name}{look:#}", changes.len()))
        .collect();
    let counts = if counts.is_empty() { "no change".to_string() } else { counts.join(", ") };
    let _ = writeln!(
        out,
        "{} → {}: {counts}, {} the same",
        comparison.brokers.0, comparison.brokers.1, comparison.same
    );
    out
}

/// For a pull request.
pub fn markdown(comparison: &Comparison) -> String {
    let mut out = format!("# {} → {}\n", comparison.brokers.0, comparison.brokers.1);
    let groups = [
        ("Regressed", &comparison.regressed),
        ("Fixed", &comparison.fixed),
        ("Changed", &comparison.changed),
        ("New", &comparison.new),
        ("Vanished", &comparison.vanished),
    ];
    for (name, changes) in groups {
        if changes.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n## {name}: {}\n", changes.len());
        for change in changes {
            let _ = writeln!(
                out,
                "- `{}`: {} → {} {}",
                change.case,
                word(change.before),
                word(change.after),
                change.statements.join(", ")
            );
        }
    }
    if !comparison.choices.is_empty() {
        let _ = writeln!(out, "\n## Implementation choices\n");
        for (name, before, after) in &comparison.choices {
            let _ = writeln!(out, "- {name}: {before} → {after}");
        }
    }
    let _ = writeln!(out, "\n{} cases are the same.", comparison.same);
    out
}
