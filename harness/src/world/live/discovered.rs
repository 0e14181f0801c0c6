//! What was found out about a broker, beside what is claimed for it.
//!
//! A capability is *absent* only if the broker says so in a way that the standards give it: a version that is not
//! accepted, an announcement in CONNACK, a code in SUBACK. What it accepts or announces and then does not do is
//! *broken*: that is for scenarios to judge, and they are asked.
//!
//! Never the case: a failure that hides as an absent capability, a claim that is believed because it is there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::{CAPABILITIES, Capability};

/// What a profile or a command line says about a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Claimed {
    /// It is there.
    Yes,
    /// It is not.
    No,
}

/// What was found out about a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// It was used, and it worked.
    Yes,
    /// The broker says that it does not have it.
    No,
    /// The broker accepted or announced it, and it did not work.
    Broken,
    /// There was no answer, or nothing that discovery could ask.
    Unknown,
}

impl Found {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Found::Yes => "yes",
            Found::No => "no",
            Found::Broken => "broken",
            Found::Unknown => "unknown",
        }
    }
}

/// What is known about one capability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapabilityRow {
    /// Its name in scenarios and profiles.
    pub name: String,
    /// What is claimed, if anything is.
    pub claimed: Option<Claimed>,
    /// What was found.
    pub found: Found,
    /// How that was seen, in a sentence.
    pub evidence: String,
}

/// Something else that the broker told, by the name of the property in small letters with hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FactRow {
    /// Its name.
    pub name: String,
    /// A number, a text, true or false; null if there is no limit or nothing is known.
    pub value: serde_json::Value,
    /// How that was seen.
    pub evidence: String,
}

/// How much a contradiction weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ContradictionWeight {
    /// Something to know: nothing that was promised is missing, or scenarios judge it.
    Warning,
    /// A promise that is not kept: the run fails.
    Finding,
}

/// Two statements about a capability that cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contradiction {
    /// The capability.
    pub name: String,
    /// What is claimed; null if the broker contradicts only itself.
    pub claimed: Option<Claimed>,
    /// What was found.
    pub found: Found,
    /// How that was seen.
    pub evidence: String,
    /// How much it weighs.
    pub weight: ContradictionWeight,
    /// What follows for the run.
    pub consequence: String,
}

/// Everything that was found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovered {
    /// One row for each capability, in the order of [`CAPABILITIES`].
    pub capabilities: Vec<CapabilityRow>,
    /// What else was told.
    pub facts: Vec<FactRow>,
}

impl Discovered {
    /// Puts what was found beside what is claimed.
    pub(super) fn compare(
        claimed: impl Fn(Capability) -> Option<bool>,
        found: impl Fn(Capability) -> (Found, String),
        facts: Vec<FactRow>,
    ) -> Discovered {
        let capabilities = CAPABILITIES
            .iter()
            .map(|(name, capability, _)| {
                let (found, evidence) = found(*capability);
                let claimed = claimed(*capability).map(|has| if has { Claimed::Yes } else { Claimed::No });
                CapabilityRow { name: (*name).to_string(), claimed, found, evidence }
            })
            .collect();
        Discovered { capabilities, facts }
    }

    /// The row of a capability.
    pub fn row(&self, capability: Capability) -> Option<&CapabilityRow> {
        self.capabilities.iter().find(|row| row.name == capability.name())
    }

    /// Why a case that needs this capability is not asked, if that follows from what was found.
    pub(super) fn obstacle(&self, capability: Capability, target: &str) -> Option<String> {
        let row = self.row(capability).filter(|row| row.found == Found::No)?;
        let verb =
            if row.claimed == Some(Claimed::Yes) { "is said to have and has not" } else { "does not have" };
        Some(format!("needs {}, which {target} {verb}: {}", row.name, row.evidence))
    }

    /// Where claims, announcements and deeds differ, in the order of the capabilities.
    pub fn contradictions(&self) -> Vec<Contradiction> {
        let each = |row: &CapabilityRow| {
            let (weight, consequence) = match (row.claimed, row.found) {
                (Some(Claimed::Yes), Found::No) => {
                    (ContradictionWeight::Finding, "what needs it is not asked, and the run fails")
                }
                (Some(Claimed::Yes), Found::Broken) => {
                    (ContradictionWeight::Finding, "what needs it is asked, and the run fails")
                }
                (Some(Claimed::No), Found::Yes) => (
                    ContradictionWeight::Warning,
                    "what needs it is not asked, because the profile says that it is not there",
                ),
                (None, Found::Broken) => {
                    (ContradictionWeight::Warning, "what needs it is asked and judges it")
                }
                _ => return None,
            };
            Some(Contradiction {
                name: row.name.clone(),
                claimed: row.claimed,
                found: row.found,
                evidence: row.evidence.clone(),
                weight,
                consequence: consequence.to_string(),
            })
        };
        self.capabilities.iter().filter_map(each).collect()
    }

    /// Whether something that is claimed is not there.
    pub fn fails(&self) -> bool {
        self.contradictions().iter().any(|it| it.weight == ContradictionWeight::Finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(claimed: Option<bool>, found: Found) -> Discovered {
        Discovered::compare(
            |capability| claimed.filter(|_| capability == Capability::Retain),
            |capability| {
                let found = if capability == Capability::Retain { found } else { Found::Unknown };
                (found, "seen".to_string())
            },
            Vec::new(),
        )
    }

    #[test]
    fn claims_and_findings_contradict_each_other_in_four_ways() {
        use ContradictionWeight::{Finding, Warning};
        let table = [
            (Some(true), Found::Yes, None, false),
            (Some(true), Found::No, Some(Finding), true),
            (Some(true), Found::Broken, Some(Finding), false),
            (Some(true), Found::Unknown, None, false),
            (Some(false), Found::Yes, Some(Warning), false),
            (Some(false), Found::No, None, true),
            (Some(false), Found::Broken, None, false),
            (Some(false), Found::Unknown, None, false),
            (None, Found::Yes, None, false),
            (None, Found::No, None, true),
            (None, Found::Broken, Some(Warning), false),
            (None, Found::Unknown, None, false),
        ];
        for (claimed, found, weight, absent) in table {
            let discovered = with(claimed, found);
            let contradictions = discovered.contradictions();
            let weights: Vec<_> = contradictions.iter().map(|it| it.weight).collect();
            assert_eq!(weights, weight.into_iter().collect::<Vec<_>>(), "{claimed:?} {found:?}");
            assert_eq!(discovered.fails(), weight == Some(Finding), "{claimed:?} {found:?}");
            assert_eq!(
                discovered.obstacle(Capability::Retain, "it").is_some(),
                absent,
                "{claimed:?} {found:?}"
            );
            assert_eq!(discovered.obstacle(Capability::Qos2, "it"), None);
        }
    }
}
