//! The catalogue: every numbered statement of both standards, the untagged rules, and the rulings on what
//! brokers may choose. The files stand in `harness/requirements/` and are part of the command.
//!
//! Never the case: a judgement. The catalogue says what is demanded, not who keeps to it.

mod tables;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use reference_broker::codec::ProtocolVersion;
use serde::Deserialize;

pub use tables::{Property, Reason, SentBy, ValueType, properties, reasons};

/// The id of a statement (`MQTT-4.3.3-2`) or of an untagged rule (`U5-24`).
///
/// The same id means different things in 3.1.1 and 5.0, so it is always used together with a version.
pub type RequirementId = String;

/// Who must obey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words of the catalogue")]
pub enum Actor {
    Server,
    Client,
    Both,
}

/// The strongest keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words of the catalogue")]
pub enum Obligation {
    Must,
    MustNot,
    Should,
    May,
}

/// The least that is needed to see a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words of the catalogue")]
pub enum Observable {
    BlackBox,
    NetworkFault,
    Timing,
    Restart,
    NotObservable,
}

/// A statement of a standard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Its id.
    pub id: RequirementId,
    /// Section and title.
    pub section: String,
    /// Who must obey.
    pub actor: Actor,
    /// The strongest keyword.
    pub level: Obligation,
    /// What it says, in our words.
    pub statement: String,
    /// The least that is needed to see a violation.
    pub observable: Observable,
    /// Why it is not observable, or a precondition.
    pub why: Option<String>,
    /// Hints for tests.
    #[serde(default)]
    pub tests: Vec<String>,
    /// What kind of sentence an untagged rule is.
    pub basis: Option<String>,
    /// The numbered statements that stand behind an untagged rule.
    #[serde(default)]
    pub trace: Vec<RequirementId>,
    /// The codes that a receiver uses for an error.
    #[serde(default)]
    pub reason: Vec<String>,
    /// The packets that can carry the code.
    #[serde(default)]
    pub via: Vec<String>,
    /// Related untagged rules.
    #[serde(default)]
    pub see: Vec<String>,
}

/// Behaviour that a scenario has to accept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// A stable name.
    pub slug: String,
    /// What the broker does.
    pub what: String,
    /// In which versions, if not in all of the ruling.
    #[serde(default)]
    pub versions: Vec<String>,
}

/// What a report records as an implementation choice.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// The values that it can have.
    pub values: Vec<String>,
}

/// Where brokers legitimately differ.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ruling {
    /// Its id: `R-23`.
    pub id: String,
    /// The versions it is about.
    pub versions: Vec<String>,
    /// What it is about.
    pub topic: String,
    /// The statements concerned, by version.
    pub requirements: BTreeMap<String, Vec<RequirementId>>,
    /// What has to be accepted.
    pub accepted: Vec<Accepted>,
    /// What may fail a broker.
    pub firm: Vec<String>,
    /// What is recorded.
    pub choice: Option<Choice>,
    /// Why nobody outside the broker can see what it chose, if that is so.
    pub unobserved: Option<String>,
    /// Evidence and remarks.
    pub note: Option<String>,
}

/// The value of a choice that is measured and not picked from a list.
pub const MEASURED_VALUE: &str = "measured-value";

impl Ruling {
    /// Whether it is about a version of the protocol.
    pub fn is_about(&self, version: ProtocolVersion) -> bool {
        self.versions.iter().any(|name| name == version_name(version))
    }
}

/// The name of a version in the catalogue; 3.1 is judged as 3.1.1.
fn version_name(version: ProtocolVersion) -> &'static str {
    if version == ProtocolVersion::V5 { "5.0" } else { "3.1.1" }
}

/// Everything that is demanded of one protocol version.
#[derive(Debug)]
pub struct Catalogue {
    /// Numbered statements, then untagged rules, each in the order of the standard.
    pub requirements: Vec<Requirement>,
    index: BTreeMap<RequirementId, usize>,
}

impl Catalogue {
    /// The catalogue of a version; 3.1 is judged by that of 3.1.1.
    pub fn of(version: ProtocolVersion) -> &'static Catalogue {
        static V3: OnceLock<Catalogue> = OnceLock::new();
        static V5: OnceLock<Catalogue> = OnceLock::new();
        match version {
            ProtocolVersion::V5 => V5.get_or_init(|| {
                Catalogue::load(
                    include_str!("../../requirements/mqtt-5.0.yaml"),
                    include_str!("../../requirements/untagged-5.0.yaml"),
                )
            }),
            _ => V3.get_or_init(|| {
                Catalogue::load(
                    include_str!("../../requirements/mqtt-3.1.1.yaml"),
                    include_str!("../../requirements/untagged-3.1.1.yaml"),
                )
            }),
        }
    }

    fn load(numbered: &str, untagged: &str) -> Catalogue {
        let read = |text: &str| -> Vec<Requirement> {
            serde_yaml::from_str(text).expect("the embedded catalogue is checked by a test")
        };
        let mut requirements = read(numbered);
        requirements.extend(read(untagged));
        let index = requirements.iter().enumerate().map(|(at, it)| (it.id.clone(), at)).collect();
        Catalogue { requirements, index }
    }

    /// The statement with this id.
    pub fn get(&self, id: &str) -> Option<&Requirement> {
        self.index.get(id).map(|at| &self.requirements[*at])
    }

    /// All ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.requirements.iter().map(|requirement| requirement.id.as_str())
    }
}

/// The rulings, in the order of their ids.
pub fn rulings() -> &'static [Ruling] {
    static RULINGS: OnceLock<Vec<Ruling>> = OnceLock::new();
    RULINGS.get_or_init(|| {
        serde_yaml::from_str(include_str!("../../requirements/rulings.yaml"))
            .expect("the embedded rulings are checked by a test")
    })
}

/// The ruling with this id.
pub fn ruling(id: &str) -> Option<&'static Ruling> {
    rulings().iter().find(|ruling| ruling.id == id)
}

/// The choice with this name, and the ruling that grants it.
pub fn choice(name: &str) -> Option<(&'static Ruling, &'static Choice)> {
    let mut choices = rulings().iter().filter_map(|ruling| Some((ruling, ruling.choice.as_ref()?)));
    choices.find(|(_, choice)| choice.name == name)
}

/// The rulings that concern a statement of a version.
pub fn rulings_about(id: &str, version: ProtocolVersion) -> impl Iterator<Item = &'static Ruling> {
    let version = version_name(version);
    rulings().iter().filter(move |ruling| {
        ruling.requirements.get(version).is_some_and(|ids| ids.iter().any(|other| other == id))
    })
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Actor::Server => "server",
            Actor::Client => "client",
            Actor::Both => "client and server",
        })
    }
}

impl fmt::Display for Obligation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Obligation::Must => "must",
            Obligation::MustNot => "must not",
            Obligation::Should => "should",
            Obligation::May => "may",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogues_are_whole_and_every_reference_resolves() {
        for (version, numbered, untagged) in
            [(ProtocolVersion::V3_1_1, 141, 32), (ProtocolVersion::V5, 251, 102)]
        {
            let catalogue = Catalogue::of(version);
            assert_eq!(catalogue.requirements.len(), numbered + untagged);
            assert_eq!(catalogue.index.len(), numbered + untagged, "ids of {version} are unique");
            assert_eq!(
                catalogue.requirements.iter().filter(|it| it.id.starts_with("MQTT-")).count(),
                numbered
            );
            for requirement in &catalogue.requirements {
                for other in requirement.trace.iter().chain(&requirement.see) {
                    assert!(catalogue.get(other).is_some(), "{} refers to {other}", requirement.id);
                }
            }
        }
        assert_eq!(rulings().len(), 62);
        for ruling in rulings() {
            for (version, ids) in &ruling.requirements {
                let version = ProtocolVersion::from_name(version).expect("a version");
                for id in ids {
                    assert!(Catalogue::of(version).get(id).is_some(), "{} refers to {id}", ruling.id);
                }
            }
        }
    }

    #[test]
    fn every_rule_of_the_codec_stands_on_a_statement() {
        use reference_broker::codec::{PacketType, PropertyId, Rule};
        let rules = [
            Rule::ReservedPacketType,
            Rule::ReservedFlags(PacketType::Pubrel),
            Rule::PublishQosThree,
            Rule::DupWithQosZero,
            Rule::RemainingLengthTooLong,
            Rule::RemainingLengthNotMinimal,
            Rule::PacketTooLarge,
            Rule::Truncated,
            Rule::IllFormedUtf8,
            Rule::NullCharacter,
            Rule::PacketIdentifierZero,
            Rule::WillFlagsWithoutWill,
            Rule::ReservedConnackFlags,
            Rule::ReservedSubscriptionOptions,
            Rule::SubscriptionQosThree,
            Rule::NoTopicFilter,
            Rule::NoReasonCode,
            Rule::EmptyTopicWithoutAlias,
        ];
        let only_v5 = [
            Rule::RetainHandlingThree,
            Rule::PropertiesTooLong,
            Rule::UnknownProperty(0),
            Rule::DuplicateProperty(PropertyId::TopicAlias),
            Rule::PropertyOutOfRange(PropertyId::TopicAlias),
            Rule::PropertyOutOfRange(PropertyId::ReceiveMaximum),
            Rule::AuthenticationDataWithoutMethod,
            Rule::MissingAuthenticationMethod,
        ];
        for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
            let catalogue = Catalogue::of(version);
            for rule in rules.iter().chain(if version == ProtocolVersion::V5 { &only_v5[..] } else { &[] }) {
                let id = rule.statement(version);
                assert!(catalogue.get(id).is_some(), "{rule:?} names {id} of {version}");
            }
            for packet in PacketType::ALL {
                let id = Rule::UnknownReasonCode(packet, 0xFF).statement(version);
                assert!(catalogue.get(id).is_some(), "{packet}: {id}");
            }
        }
    }
}
