//! Findings, verdicts, and the choices of a broker, which are neither.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::requirement::RequirementId;

/// What a run says about its scenario. The order is that of weight: the heaviest finding decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A capability that it needs is absent.
    Skipped,
    /// It was asked, and the answer was right. The only one that counts as a pass.
    Pass,
    /// The question was not answered.
    Inconclusive,
    /// The harness failed.
    Error,
    /// A statement is broken.
    Fail,
}

impl Verdict {
    /// Every verdict, lightest first.
    pub const ALL: [Verdict; 5] =
        [Verdict::Skipped, Verdict::Pass, Verdict::Inconclusive, Verdict::Error, Verdict::Fail];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Skipped => "skipped",
            Verdict::Pass => "pass",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Error => "error",
            Verdict::Fail => "fail",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a finding means for the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// The question could not be answered.
    Unanswered,
    /// The harness could not do its part.
    Harness,
    /// A statement is broken.
    Violation,
}

impl Weight {
    /// The verdict of a run in which this is the heaviest finding.
    pub const fn verdict(self) -> Verdict {
        match self {
            Weight::Unanswered => Verdict::Inconclusive,
            Weight::Harness => Verdict::Error,
            Weight::Violation => Verdict::Fail,
        }
    }
}

/// One thing that a checker found in a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it means for the verdict.
    pub weight: Weight,
    /// The statement it is about; the others are in `also`.
    pub requirement: RequirementId,
    /// Further statements that the same observation breaks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<RequirementId>,
    /// What should have been seen.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// The events concerned, by sequence number.
    pub events: Vec<u32>,
    /// The step that found it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// Which checker found it.
    pub by: String,
}

impl Finding {
    /// Whether the finding names a statement.
    pub fn names(&self, id: &str) -> bool {
        self.requirement == id || self.also.iter().any(|other| other == id)
    }
}

/// An implementation choice that a run showed. It is recorded and weighs nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The name of the choice in the rulings.
    pub name: &'static str,
    /// What the broker chose; a time or a count where that is measured.
    pub value: String,
    /// The event that showed it, by sequence number; `None` where the whole run did.
    pub event: Option<u32>,
}

/// The verdict that follows from findings.
pub fn verdict_of(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.weight.verdict()).max().unwrap_or(Verdict::Pass)
}
