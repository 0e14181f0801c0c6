//! The result of a run as JSON. Scripts rely on these names; a change of meaning is a new `schema`.

use serde::{Deserialize, Serialize};

use crate::requirement::{choice, rulings};
use crate::session::{Job, Outcome};
use crate::verdict::{Finding, Recorded, Verdict};
use crate::world::live::{CapabilityRow, Contradiction, Discovered, FactRow};

/// The version of this format.
pub const SCHEMA: &str = "assay-run/1";

/// How many of each verdict.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Passed.
    pub pass: usize,
    /// A statement is broken.
    pub fail: usize,
    /// Not answered.
    pub inconclusive: usize,
    /// The harness failed.
    pub error: usize,
    /// Not asked.
    pub skipped: usize,
}

/// One scenario-case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseResult {
    /// Name of the scenario.
    pub scenario: String,
    /// Name of the case, if the scenario has several.
    pub case: Option<String>,
    /// Protocol version.
    pub protocol: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is no pass; empty otherwise.
    pub reason: String,
    /// The statements that it names.
    pub requirements: Vec<String>,
    /// The statements that this run of it judged.
    #[serde(default)]
    pub judged: Vec<String>,
    /// The implementation choices that it showed.
    #[serde(default)]
    pub choices: Vec<ChoiceResult>,
    /// What was found.
    pub findings: Vec<FindingResult>,
    /// The fingerprint of its history.
    pub digest: String,
    /// Time outside, in milliseconds.
    pub real_ms: f64,
    /// Time inside, in milliseconds.
    pub virtual_ms: f64,
}

/// An implementation choice that a case showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceResult {
    /// The ruling that grants it.
    pub ruling: String,
    /// Its name.
    pub name: String,
    /// What the broker chose; a time or a count where that is measured.
    pub value: String,
}

/// An implementation choice in a whole run, in one version of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceRow {
    /// The ruling that grants it.
    pub ruling: String,
    /// Its name.
    pub name: String,
    /// Protocol version.
    pub protocol: String,
    /// What the broker chose. There are several if it does different things in different scenarios.
    pub values: Vec<ChoiceValue>,
}

/// A value of a choice and where it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceValue {
    /// The value.
    pub value: String,
    /// The scenario-cases that showed it.
    pub scenarios: Vec<String>,
}

/// One finding.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindingResult {
    /// The statement.
    pub requirement: String,
    /// Further statements.
    pub also: Vec<String>,
    /// What should have been seen.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// The events concerned.
    pub events: Vec<u32>,
}

impl From<&Recorded> for ChoiceResult {
    fn from(recorded: &Recorded) -> ChoiceResult {
        ChoiceResult {
            ruling: choice(recorded.name).map(|(ruling, _)| ruling.id.clone()).unwrap_or_default(),
            name: recorded.name.into(),
            value: recorded.value.clone(),
        }
    }
}

/// The implementation choices of all cases together.
pub fn choices(results: &[CaseResult]) -> Vec<ChoiceRow> {
    let mut rows: Vec<ChoiceRow> = Vec::new();
    for (result, seen) in results.iter().flat_map(|it| it.choices.iter().map(move |seen| (it, seen))) {
        let at = rows
            .iter()
            .position(|row| row.name == seen.name && row.protocol == result.protocol)
            .unwrap_or_else(|| {
                let (ruling, name) = (seen.ruling.clone(), seen.name.clone());
                rows.push(ChoiceRow { ruling, name, protocol: result.protocol.clone(), values: Vec::new() });
                rows.len() - 1
            });
        let values = &mut rows[at].values;
        let name = match &result.case {
            Some(case) => format!("{}[{case}]", result.scenario),
            None => result.scenario.clone(),
        };
        match values.iter_mut().find(|it| it.value == seen.value) {
            Some(value) => value.scenarios.push(name),
            None => values.push(ChoiceValue { value: seen.value.clone(), scenarios: vec![name] }),
        }
    }
    let place = |row: &ChoiceRow| rulings().iter().position(|ruling| ruling.id == row.ruling);
    rows.sort_by(|one, other| (place(one), &one.protocol).cmp(&(place(other), &other.protocol)));
    rows
}

impl From<&Finding> for FindingResult {
    fn from(finding: &Finding) -> FindingResult {
        FindingResult {
            requirement: finding.requirement.clone(),
            also: finding.also.clone(),
            expected: finding.expected.clone(),
            observed: finding.observed.clone(),
            events: finding.events.clone(),
        }
    }
}

/// The whole run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunResult {
    /// The format of this file.
    pub schema: String,
    /// The program and its version.
    pub tool: String,
    /// The world.
    pub world: String,
    /// The broker.
    pub broker: String,
    /// The seed of the run.
    pub seed: u64,
    /// One fingerprint over all cases.
    pub digest: String,
    /// Whether the run was ended before its end.
    pub partial: bool,
    /// How many of each verdict.
    pub summary: Summary,
    /// What the broker has, as far as that is claimed and was found; empty in a simulated world.
    #[serde(default)]
    pub capabilities: Vec<CapabilityRow>,
    /// What else the broker told about itself.
    #[serde(default)]
    pub facts: Vec<FactRow>,
    /// Where claims and findings differ.
    #[serde(default)]
    pub contradictions: Vec<Contradiction>,
    /// The implementation choices that were seen, in the order of their rulings.
    #[serde(default)]
    pub choices: Vec<ChoiceRow>,
    /// Every scenario-case, in the order of the suite.
    pub results: Vec<CaseResult>,
}

/// The version of the format of [`Discovery`].
pub const DISCOVERY_SCHEMA: &str = "assay-discovery/1";

/// What `assay discover` found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Discovery {
    /// The format of this file.
    pub schema: String,
    /// The program and its version.
    pub tool: String,
    /// The broker.
    pub broker: String,
    /// What the broker has, as far as that is claimed and was found.
    pub capabilities: Vec<CapabilityRow>,
    /// What else the broker told about itself.
    pub facts: Vec<FactRow>,
    /// Where claims and findings differ.
    pub contradictions: Vec<Contradiction>,
}

/// What was found about a broker, for a file.
pub fn discovery(broker: &str, discovered: &Discovered) -> Discovery {
    Discovery {
        schema: DISCOVERY_SCHEMA.into(),
        tool: concat!("assay ", env!("CARGO_PKG_VERSION")).into(),
        broker: broker.into(),
        capabilities: discovered.capabilities.clone(),
        facts: discovered.facts.clone(),
        contradictions: discovered.contradictions(),
    }
}

/// The row of one outcome.
pub fn case(job: &Job<'_>, outcome: &Outcome) -> CaseResult {
    CaseResult {
        scenario: job.scenario.name.clone(),
        case: job.scenario.case.clone(),
        protocol: job.version.to_string(),
        verdict: outcome.verdict,
        reason: outcome.reason.clone(),
        requirements: job.scenario.requirements.get(&job.version).cloned().unwrap_or_default(),
        judged: outcome.statements.clone(),
        choices: outcome.choices.iter().map(ChoiceResult::from).collect(),
        findings: outcome.findings.iter().map(FindingResult::from).collect(),
        digest: outcome.digest.to_string(),
        real_ms: outcome.real.as_micros() as f64 / 1000.0,
        virtual_ms: outcome.virtual_time.as_micros() as f64 / 1000.0,
    }
}

impl Summary {
    /// Counts one more.
    pub fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Pass => self.pass += 1,
            Verdict::Fail => self.fail += 1,
            Verdict::Inconclusive => self.inconclusive += 1,
            Verdict::Error => self.error += 1,
            Verdict::Skipped => self.skipped += 1,
        }
    }
}
