//! Baselines: the known deviations of a broker, so that a run is red on a change and not on what is known.
//!
//! A baseline is a YAML file. Each entry names a statement, why its violation is accepted for now, where that is
//! discussed, until when, and the cases in which it is seen. What is listed and fails is shown and not red; what is
//! listed and does not fail any more is red, because the entry is to be removed; so is what has expired, and a case
//! that breaks a statement which is not listed for it.
//!
//! Never the case: a verdict that is changed. A known failure remains a failure.

mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use jiff::civil::Date;

use crate::report::json::{BaselineResult, CaseResult, Deviation, DeviationState, RunResult};
use crate::verdict::Verdict;

/// One known deviation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The statement that is broken.
    pub statement: String,
    /// Why that is accepted for now.
    pub reason: String,
    /// Where it is discussed.
    pub link: Option<String>,
    /// The last day on which it is accepted.
    pub expires: Option<Date>,
    /// The cases in which it is seen, as [`CaseResult::key`] has them.
    pub cases: Vec<String>,
}

/// The known deviations of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// Where it was read from.
    pub file: String,
    /// The broker that it is about, in words.
    pub broker: String,
    /// The entries, in the order of the file.
    pub entries: Vec<Entry>,
}

/// The reason that a new entry has until a person gives it one.
pub const UNEXPLAINED: &str = "not explained yet";

/// The day, by UTC.
pub fn today() -> Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

impl Baseline {
    /// The baseline that a run asks for. Reasons, links and dates of entries that `before` had are kept.
    pub fn of(result: &RunResult, before: Option<&Baseline>) -> Baseline {
        let mut by_statement: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for case in result.results.iter().filter(|case| case.verdict == Verdict::Fail) {
            for id in case.broken() {
                by_statement.entry(id).or_default().push(case.key());
            }
        }
        let mut entries: Vec<Entry> = Vec::new();
        for (statement, cases) in by_statement {
            let mut left: BTreeSet<String> = cases.iter().cloned().collect();
            // One statement may be broken in two ways that are explained apart.
            for known in before.iter().flat_map(|it| &it.entries).filter(|it| it.statement == statement) {
                let still: Vec<String> =
                    known.cases.iter().filter(|case| left.remove(*case)).cloned().collect();
                if !still.is_empty() {
                    entries.push(Entry { cases: still, ..known.clone() });
                }
            }
            let fresh: Vec<String> = cases.into_iter().filter(|case| left.contains(case)).collect();
            if !fresh.is_empty() {
                entries.push(Entry {
                    statement: statement.into(),
                    reason: UNEXPLAINED.into(),
                    link: None,
                    expires: None,
                    cases: fresh,
                });
            }
        }
        Baseline { file: String::new(), broker: result.broker.clone(), entries }
    }

    /// Says of every case of a run what the baseline makes of it. Cases that were not played, or gave no answer,
    /// are left as they are.
    pub fn apply(&self, result: &mut RunResult, today: Date) {
        let mut listed: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in &self.entries {
            for case in &entry.cases {
                listed.entry(case).or_default().push(entry);
            }
        }
        let mut counts = BaselineResult { file: self.file.clone(), ..BaselineResult::default() };
        for case in &mut result.results {
            case.deviation = match listed.get(case.key().as_str()) {
                Some(entries) => judge(case, entries, today),
                None => None,
            };
            match case.deviation.as_ref().map(|it| it.state) {
                Some(DeviationState::Known) => counts.known += 1,
                Some(DeviationState::Fixed) => counts.fixed += 1,
                Some(DeviationState::Expired) => counts.expired += 1,
                Some(DeviationState::Other) => counts.other += 1,
                None if case.verdict == Verdict::Fail => counts.new += 1,
                None => {}
            }
        }
        result.baseline = Some(counts);
    }

    /// The file.
    pub fn to_yaml(&self) -> String {
        let mut out = String::from(
            "# Known deviations. What is listed here and fails is shown and is not red. What is listed and passes is red:\n\
             # remove it. `link` (where it is discussed) and `expires` (YYYY-MM-DD, the last day) may be left out.\n",
        );
        let _ = writeln!(out, "assay-baseline: 1\nbroker: {}", quoted(&self.broker));
        if self.entries.is_empty() {
            let _ = writeln!(out, "deviations: []");
            return out;
        }
        let _ = writeln!(out, "deviations:");
        for entry in &self.entries {
            let _ = writeln!(out, "  - statement: {}", entry.statement);
            let _ = writeln!(out, "    reason: {}", quoted(&entry.reason));
            if let Some(link) = &entry.link {
                let _ = writeln!(out, "    link: {}", quoted(link));
            }
            if let Some(expires) = &entry.expires {
                let _ = writeln!(out, "    expires: {expires}");
            }
            let _ = writeln!(out, "    cases:");
            for case in &entry.cases {
                let _ = writeln!(out, "      - {}", quoted(case));
            }
        }
        out
    }
}

/// A text in double quotes: every YAML reader takes it for that text.
fn quoted(text: &str) -> String {
    // A JSON string is a YAML string.
    serde_json::to_string(text).unwrap_or_default()
}

/// What entries make of a case; nothing if it gave no answer.
fn judge(case: &CaseResult, entries: &[&Entry], today: Date) -> Option<Deviation> {
    if !matches!(case.verdict, Verdict::Pass | Verdict::Fail) {
        return None;
    }
    let broken = case.broken();
    let listed: Vec<&str> = entries.iter().map(|entry| entry.statement.as_str()).collect();
    let gone: Vec<&str> = listed.iter().copied().filter(|id| !broken.contains(id)).collect();
    let other: Vec<&str> = broken.iter().copied().filter(|id| !listed.contains(id)).collect();
    let expired = entries.iter().find(|entry| {
        broken.contains(&entry.statement.as_str()) && entry.expires.is_some_and(|day| day < today)
    });
    let (state, advice) = if case.verdict == Verdict::Pass || broken.is_empty() {
        (DeviationState::Fixed, "it is listed and does not fail any more: remove it from the baseline".into())
    } else if !other.is_empty() {
        let what = format!("it breaks {}, listed is {}", other.join(", "), listed.join(", "));
        (DeviationState::Other, what)
    } else if let Some(entry) = expired {
        let day = entry.expires.map(|day| day.to_string()).unwrap_or_default();
        (DeviationState::Expired, format!("it still breaks {}; the entry expired on {day}", entry.statement))
    } else if !gone.is_empty() {
        let what = format!("it does not break {} any more: remove that from the baseline", gone.join(", "));
        (DeviationState::Fixed, what)
    } else {
        (DeviationState::Known, String::new())
    };
    let reasons: Vec<&str> = entries.iter().map(|entry| entry.reason.as_str()).collect();
    Some(Deviation {
        state,
        statements: listed.into_iter().map(str::to_string).collect(),
        reason: reasons.join("; "),
        link: entries.iter().find_map(|entry| entry.link.clone()),
        expires: entries.iter().filter_map(|entry| entry.expires).min().map(|day| day.to_string()),
        advice,
    })
}
