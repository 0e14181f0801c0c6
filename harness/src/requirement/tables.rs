//! The catalogue's tables of 5.0: properties and reason codes, typed.
//!
//! The codec has tables of its own, from which it decodes. A test holds the two against each other, so that an
//! error in one of them does not become the truth.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

/// The data type of a property's value (section 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the standard's names say it")]
pub enum ValueType {
    Byte,
    TwoByteInteger,
    FourByteInteger,
    VariableByteInteger,
    Utf8String,
    Binary,
    Utf8StringPair,
}

/// A property (table 2-4).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// Its identifier.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// The type of its value.
    #[serde(rename = "type")]
    pub value: ValueType,
    /// The packets that may carry it.
    pub packets: Vec<String>,
    /// Whether the Will Properties may carry it.
    pub will: bool,
    /// Where it may occur more than once.
    pub repeatable: Vec<String>,
    /// Where the standard does not say what a second one is.
    #[serde(default)]
    pub duplicate_unstated: Vec<String>,
    /// The smallest number allowed.
    pub min: Option<u32>,
    /// The largest number allowed.
    pub max: Option<u32>,
    /// The unit of the number.
    pub unit: Option<String>,
    /// What a number outside the limits is.
    pub out_of_range: Option<String>,
    /// Further limits.
    pub limit: Option<String>,
    /// The value in force without it.
    pub absent: String,
    /// Remarks.
    pub note: Option<String>,
}

/// Who may send a reason code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words of the catalogue")]
pub enum SentBy {
    Server,
    Client,
    Both,
}

/// A reason code under one of its names (table 2-6).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Its value.
    pub value: u8,
    /// Its name.
    pub name: String,
    /// The packets that may carry it.
    pub packets: Vec<String>,
    /// Who may send it, by packet, where that is restricted.
    #[serde(default)]
    pub sent_by: BTreeMap<String, SentBy>,
    /// Remarks.
    pub note: Option<String>,
}

/// The properties, by identifier.
pub fn properties() -> &'static [Property] {
    static TABLE: OnceLock<Vec<Property>> = OnceLock::new();
    TABLE.get_or_init(|| {
        serde_yaml::from_str(include_str!("../../requirements/properties.yaml"))
            .expect("the embedded table is checked by a test")
    })
}

/// The reason codes, in the order of the standard.
pub fn reasons() -> &'static [Reason] {
    static TABLE: OnceLock<Vec<Reason>> = OnceLock::new();
    TABLE.get_or_init(|| {
        serde_yaml::from_str(include_str!("../../requirements/reason-codes.yaml"))
            .expect("the embedded table is checked by a test")
    })
}

#[cfg(test)]
mod tests {
    use reference_broker::codec::{PacketType, Place, PropertyId, PropertyType, ReasonCode};

    use super::*;

    fn packet(name: &str) -> PacketType {
        PacketType::ALL
            .into_iter()
            .find(|it| it.name() == name)
            .unwrap_or_else(|| panic!("{name} is no packet"))
    }

    #[test]
    fn the_catalogue_and_the_codec_agree_on_every_property() {
        assert_eq!(properties().len(), PropertyId::TABLE.len());
        assert!(properties().windows(2).all(|pair| pair[0].id < pair[1].id), "sorted and unique");
        for (ours, theirs) in properties().iter().zip(PropertyId::TABLE) {
            let name = &ours.name;
            assert_eq!((ours.id, name.as_str()), (theirs.id as u32, theirs.name));
            let kind = match ours.value {
                ValueType::Byte => PropertyType::Byte,
                ValueType::TwoByteInteger => PropertyType::TwoByteInteger,
                ValueType::FourByteInteger => PropertyType::FourByteInteger,
                ValueType::VariableByteInteger => PropertyType::VariableByteInteger,
                ValueType::Utf8String => PropertyType::Utf8String,
                ValueType::Binary => PropertyType::BinaryData,
                ValueType::Utf8StringPair => PropertyType::Utf8StringPair,
            };
            assert_eq!(kind, theirs.kind, "{name}");
            let allowed: Vec<PacketType> = ours.packets.iter().map(|it| packet(it)).collect();
            assert_eq!(ours.will, theirs.id.allowed_in(Place::Will), "{name} in the will");
            for kind in PacketType::ALL {
                let place = Place::Packet(kind);
                assert_eq!(allowed.contains(&kind), theirs.id.allowed_in(place), "{name} in {kind}");
                let repeatable = ours.repeatable.iter().any(|it| it == kind.name());
                if allowed.contains(&kind) {
                    assert_eq!(repeatable, theirs.id.repeatable_in(place), "{name} twice in {kind}");
                }
            }
            if let (Some(min), Some(max)) = (ours.min, ours.max) {
                assert_eq!((min, max), (theirs.min, theirs.max), "{name}");
            }
        }
    }

    #[test]
    fn the_catalogue_and_the_codec_agree_on_every_reason_code() {
        let theirs: Vec<_> = ReasonCode::table().iter().map(|row| (row.code.0, row.name)).collect();
        let ours: Vec<_> = reasons().iter().map(|it| (it.value, it.name.as_str())).collect();
        assert_eq!(ours, theirs);
        for value in 0..=255 {
            let code = ReasonCode(value);
            for kind in PacketType::ALL {
                let row = reasons()
                    .iter()
                    .find(|it| it.value == value && it.packets.iter().any(|name| name == kind.name()));
                let sender = row.map(|row| match row.sent_by.get(kind.name()) {
                    Some(sender) => *sender,
                    None => match kind {
                        PacketType::Connack | PacketType::Suback | PacketType::Unsuback => SentBy::Server,
                        _ => SentBy::Both,
                    },
                });
                let server = matches!(sender, Some(SentBy::Server | SentBy::Both));
                let client = matches!(sender, Some(SentBy::Client | SentBy::Both));
                assert_eq!(code.allowed_from(kind, true), server, "{code} on {kind} from a server");
                assert_eq!(code.allowed_from(kind, false), client, "{code} on {kind} from a client");
            }
        }
    }
}
