//! A run by sections of the standards: which statements were judged, which are broken, and by which cases.

use std::collections::BTreeMap;

use reference_broker::codec::ProtocolVersion;

use crate::coverage::chapter;
use crate::requirement::{Catalogue, Requirement};
use crate::verdict::Verdict;

use super::json::{CaseResult, RunResult};

/// What a run says about one statement.
#[derive(Debug, Clone)]
pub struct StatementRow<'r> {
    /// The statement.
    pub requirement: &'static Requirement,
    /// How many cases judged it and found nothing against it.
    pub passed: usize,
    /// The cases that found it broken.
    pub broken: Vec<&'r CaseResult>,
    /// The cases that name it and gave no answer.
    pub unanswered: Vec<&'r CaseResult>,
    /// How many cases name it and were skipped.
    pub skipped: usize,
}

impl StatementRow<'_> {
    /// The verdict on the statement; passed only if something judged it. `None` if cases that name it never came
    /// to it.
    pub fn verdict(&self) -> Option<Verdict> {
        if !self.broken.is_empty() {
            Some(Verdict::Fail)
        } else if !self.unanswered.is_empty() {
            Some(Verdict::Inconclusive)
        } else if self.passed > 0 {
            Some(Verdict::Pass)
        } else if self.skipped > 0 {
            Some(Verdict::Skipped)
        } else {
            None
        }
    }
}

/// A section of one standard, by its first two numbers.
#[derive(Debug, Clone)]
pub struct Section<'r> {
    /// The version of the protocol.
    pub version: ProtocolVersion,
    /// Its number: `3.1`.
    pub number: String,
    /// What it is about, where the catalogue has words for the section itself.
    pub title: String,
    /// Its statements that the run says something about, in the order of the catalogue.
    pub statements: Vec<StatementRow<'r>>,
}

impl Section<'_> {
    /// How many of its statements have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.statements.iter().filter(|row| row.verdict() == Some(verdict)).count()
    }
}

/// The word for a section of the standards, by its first two numbers.
fn title(number: &[u32]) -> &'static str {
    match number {
        [1, ..] => "Introduction and data representation",
        [2, ..] => "Packet format",
        [3, 1] => "CONNECT",
        [3, 2] => "CONNACK",
        [3, 3] => "PUBLISH",
        [3, 4] => "PUBACK",
        [3, 5] => "PUBREC",
        [3, 6] => "PUBREL",
        [3, 7] => "PUBCOMP",
        [3, 8] => "SUBSCRIBE",
        [3, 9] => "SUBACK",
        [3, 10] => "UNSUBSCRIBE",
        [3, 11] => "UNSUBACK",
        [3, 12] => "PINGREQ",
        [3, 13] => "PINGRESP",
        [3, 14] => "DISCONNECT",
        [3, 15] => "AUTH",
        [4, 1] => "Session State",
        [4, 2] => "Network Connections",
        [4, 3] => "Quality of Service",
        [4, 4] => "Message delivery retry",
        [4, 5] => "Message receipt",
        [4, 6] => "Message ordering",
        [4, 7] => "Topic Names and Topic Filters",
        [4, 8] => "Subscriptions, errors",
        [4, 9] => "Flow control",
        [4, 12] => "Enhanced authentication",
        [4, 13] => "Handling errors",
        [4, ..] => "Operational behaviour",
        [5, ..] => "Security",
        [6, ..] => "WebSocket",
        [7, ..] => "Conformance",
        _ => "",
    }
}

/// The run by sections: 3.1.1 first, then 5.0, each in the order of the standard.
pub fn sections(result: &RunResult) -> Vec<Section<'_>> {
    let mut sections = Vec::new();
    for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        let catalogue = Catalogue::of(version);
        let mut rows: BTreeMap<&str, StatementRow<'_>> = BTreeMap::new();
        for case in result.results.iter().filter(|case| case.protocol == version.name()) {
            let broken = case.broken();
            let named = case.requirements.iter().map(String::as_str);
            let mut ids: Vec<&str> = named.chain(case.judged.iter().map(String::as_str)).collect();
            ids.extend(broken.iter().copied());
            ids.sort_unstable();
            ids.dedup();
            for id in ids {
                let Some(requirement) = catalogue.get(id) else { continue };
                let row = rows.entry(&requirement.id).or_insert_with(|| StatementRow {
                    requirement,
                    passed: 0,
                    broken: Vec::new(),
                    unanswered: Vec::new(),
                    skipped: 0,
                });
                let judged = case.judged.iter().any(|it| it == id);
                match case.verdict {
                    Verdict::Fail if broken.contains(&id) => row.broken.push(case),
                    Verdict::Inconclusive | Verdict::Error => row.unanswered.push(case),
                    Verdict::Skipped => row.skipped += 1,
                    Verdict::Pass | Verdict::Fail if judged => row.passed += 1,
                    Verdict::Pass | Verdict::Fail => {}
                }
            }
        }
        let mut found: BTreeMap<Vec<u32>, Vec<StatementRow<'_>>> = BTreeMap::new();
        // The catalogue's order, not that of the ids as text.
        for id in catalogue.ids() {
            if let Some(row) = rows.remove(id) {
                found.entry(chapter(&row.requirement.section)).or_default().push(row);
            }
        }
        sections.extend(found.into_iter().map(|(key, statements)| Section {
            version,
            number: key.iter().map(u32::to_string).collect::<Vec<_>>().join("."),
            title: title(&key).into(),
            statements,
        }));
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_of_the_catalogues_has_a_number_and_a_title() {
        for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
            let catalogue = Catalogue::of(version);
            for requirement in catalogue.ids().filter_map(|id| catalogue.get(id)) {
                let key = chapter(&requirement.section);
                assert!(!key.is_empty(), "{}: {}", requirement.id, requirement.section);
                assert_ne!(title(&key), "", "{}: {}", requirement.id, requirement.section);
            }
        }
    }
}
