//! The usual question of a search: does the core world, with this seed and broker, show the same finding?

use reference_broker::codec::ProtocolVersion;
use reference_broker::core::Config;

use crate::requirement::{Catalogue, RequirementId};
use crate::scenario::{Scenario, WorldKind};
use crate::session::{Job, Outcome, play_simulated};
use crate::text::SourceText;
use crate::verdict::{Finding, Verdict, Weight};

/// What makes a finding the same one: who found it, and the statement it is about. What steps and `verify` find may be
/// anything that a scenario asks for, so there what was observed has to be of the same kind as well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// The checker.
    pub by: String,
    /// The statement.
    pub requirement: RequirementId,
    /// How what was observed begins; empty where any will do.
    pub observed: String,
}

impl Wanted {
    /// That of a finding.
    pub fn of(finding: &Finding) -> Wanted {
        let observed = if scripted(finding) { kind(&finding.observed) } else { String::new() };
        Wanted { by: finding.by.clone(), requirement: finding.requirement.clone(), observed }
    }

    /// Whether a finding is this one.
    pub fn is(&self, finding: &Finding) -> bool {
        finding.weight == Weight::Violation
            && finding.by == self.by
            && finding.requirement == self.requirement
            && (self.observed.is_empty() || kind(&finding.observed) == self.observed)
    }
}

/// Whether the scenario itself asked for it.
fn scripted(finding: &Finding) -> bool {
    matches!(finding.by.as_str(), "step" | "verify")
}

/// The first words of an observation, without the numbers and texts that a smaller scenario has less of.
fn kind(observed: &str) -> String {
    const WORDS: usize = 3;
    let is_word = |word: &&str| word.chars().all(char::is_alphabetic);
    observed.split_whitespace().take_while(is_word).take(WORDS).collect::<Vec<_>>().join(" ")
}

/// A broker in the core world, a seed, and the finding that is wanted.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The version under test.
    pub version: ProtocolVersion,
    /// The seed of the case itself, not that of a session.
    pub seed: u64,
    /// The broker.
    pub config: Config,
    /// The finding.
    pub wanted: Wanted,
    /// The same broker without its defect, where one was switched on on purpose.
    pub sound: Option<Sound>,
}

/// A broker that is right, and what a scenario that means something shows on it.
#[derive(Debug, Clone)]
pub struct Sound {
    config: Config,
    passes: bool,
}

/// Plays a scenario in the core world.
pub fn play(scenario: &Scenario, version: ProtocolVersion, seed: u64, config: &Config) -> Outcome {
    let source = SourceText::new("", "");
    play_simulated(&Job { index: 0, scenario, source: &source, version, seed }, WorldKind::Core, config)
}

impl Trial {
    /// The question for a scenario that shows `wanted`. `right` is the same broker without its defect, if there is one:
    /// what the scenario shows on it, it has to show on it when it is small. So a scenario does not end as one that
    /// fails on every broker.
    pub fn new(
        scenario: &Scenario,
        version: ProtocolVersion,
        seed: u64,
        config: Config,
        wanted: Wanted,
        right: Option<Config>,
    ) -> Trial {
        let mut trial = Trial { version, seed, config, wanted, sound: None };
        trial.sound = right.and_then(|config| {
            let outcome = play(scenario, version, seed, &config);
            let shows = outcome.findings.iter().any(|finding| trial.wanted.is(finding));
            (!shows).then(|| Sound { config, passes: outcome.verdict == Verdict::Pass })
        });
        trial
    }

    /// The finding in what the broker makes of a scenario, if it is there.
    pub fn finding(&self, scenario: &Scenario) -> Option<Finding> {
        let outcome = play(scenario, self.version, self.seed, &self.config);
        outcome.findings.into_iter().find(|finding| self.wanted.is(finding))
    }

    /// Whether a scenario shows the finding, and the right broker, if there is one, does not.
    pub fn fails(&self, scenario: &Scenario) -> bool {
        self.finding(scenario).is_some()
            && self.sound.as_ref().is_none_or(|sound| {
                let outcome = play(scenario, self.version, self.seed, &sound.config);
                if sound.passes {
                    outcome.verdict == Verdict::Pass
                } else {
                    !outcome.findings.iter().any(|finding| self.wanted.is(finding))
                }
            })
    }
}

/// The scenario with the statement of a finding as all that it judges, in the version that was played.
///
/// A statement of another version, which a client of that version breaks, cannot be named; the scenario's own stay then.
pub fn about(scenario: &Scenario, version: ProtocolVersion, finding: &Finding) -> Scenario {
    let mut about = scenario.clone();
    about.requirements.retain(|it, _| *it == version);
    if Catalogue::of(version).get(&finding.requirement).is_some() {
        about.requirements.insert(version, vec![finding.requirement.clone()]);
    }
    about
}
