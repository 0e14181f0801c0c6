//! What must be refused: one row for each rule, with the place where it is broken.

use super::super::*;
use super::hex;
use ProtocolVersion::{V3_1, V3_1_1, V5};

/// Bytes, version, the rule they break, and at which byte.
type Row = (&'static str, ProtocolVersion, Rule, usize);

const ROWS: &[Row] = &[
    // Fixed header, 2.1 (2.2 in 3.1.1).
    ("00 00", V3_1_1, Rule::ReservedPacketType, 0),
    ("00 00", V5, Rule::ReservedPacketType, 0),
    ("F0 00", V3_1_1, Rule::AuthInOldVersion, 0),
    ("C1 00", V3_1_1, Rule::ReservedFlags(PacketType::Pingreq), 0),
    ("80 06 0001 0001'a' 00", V3_1_1, Rule::ReservedFlags(PacketType::Subscribe), 0),
    ("8A 06 0001 0001'a' 00", V3_1_1, Rule::ReservedFlags(PacketType::Subscribe), 0),
    ("A0 05 0001 0001'a'", V3_1_1, Rule::ReservedFlags(PacketType::Unsubscribe), 0),
    ("60 02 0001", V5, Rule::ReservedFlags(PacketType::Pubrel), 0),
    ("E1 00", V5, Rule::ReservedFlags(PacketType::Disconnect), 0),
    ("F1 00", V5, Rule::ReservedFlags(PacketType::Auth), 0),
    ("30 8000", V5, Rule::RemainingLengthNotMinimal, 1),
    ("30 8080808001", V5, Rule::RemainingLengthTooLong, 1),
    ("C0 01 00", V3_1_1, Rule::SurplusBytes, 2),
    // CONNECT, 3.1.
    ("10 0D 0004'MQTX' 04 00 000A 0001'a'", V5, Rule::ProtocolName, 2),
    ("10 0D 0004'MQTT' 06 00 000A 0001'a'", V5, Rule::ProtocolLevel(6), 8),
    ("10 0F 0006'MQIsdp' 04 02 000A 0001'a'", V5, Rule::ProtocolLevel(4), 10),
    ("10 0D 0004'MQTT' 04 01 000A 0001'a'", V5, Rule::ReservedConnectFlag, 9),
    ("10 0D 0004'MQTT' 04 1C 000A 0001'a'", V5, Rule::WillQosThree, 9),
    ("10 0D 0004'MQTT' 04 08 000A 0001'a'", V5, Rule::WillFlagsWithoutWill, 9),
    ("10 0D 0004'MQTT' 04 20 000A 0001'a'", V5, Rule::WillFlagsWithoutWill, 9),
    ("10 10 0004'MQTT' 04 40 000A 0001'a' 0001'p'", V5, Rule::PasswordWithoutUserName, 9),
    ("10 0C 0004'MQTT' 04 00 000A 0000", V5, Rule::EmptyClientIdWithoutCleanSession, 12),
    ("10 0E 0004'MQTT' 04 02 000A 0001'a' 00", V5, Rule::SurplusBytes, 15),
    ("10 0B 0004'MQTT' 04 02 000A 00", V5, Rule::Truncated, 12),
    ("10 0D 0004'MQTT' 04 04 000A 0001'a'", V5, Rule::Truncated, 15),
    ("10 12 0004'MQTT' 05 02 000A 04 16 0001 78 0001'a'", V5, Rule::AuthenticationDataWithoutMethod, 12),
    (
        "10 11 0004'MQTT' 05 02 000A 03 21 0000 0001'a'",
        V5,
        Rule::PropertyOutOfRange(PropertyId::ReceiveMaximum),
        14,
    ),
    (
        "10 10 0004'MQTT' 05 02 000A 02 17 02 0001'a'",
        V5,
        Rule::PropertyOutOfRange(PropertyId::RequestProblemInformation),
        14,
    ),
    (
        "10 10 0004'MQTT' 05 02 000A 02 24 01 0001'a'",
        V5,
        Rule::PropertyNotAllowed(PropertyId::MaximumQoS),
        13,
    ),
    (
        "10 14 0004'MQTT' 05 02 000A 06 22 0001 22 0001 0001'a'",
        V5,
        Rule::DuplicateProperty(PropertyId::TopicAliasMaximum),
        16,
    ),
    // CONNACK, 3.2.
    ("20 02 02 00", V3_1_1, Rule::ReservedConnackFlags, 2),
    ("20 02 00 06", V3_1_1, Rule::UnknownReasonCode(PacketType::Connack, 6), 3),
    ("20 03 00 01 00", V5, Rule::UnknownReasonCode(PacketType::Connack, 1), 3),
    ("20 02 00 00", V5, Rule::Truncated, 4),
    // PUBLISH, 3.3.
    ("36 06 0001'a' 0001 00", V5, Rule::PublishQosThree, 0),
    ("38 03 0001'a'", V3_1_1, Rule::DupWithQosZero, 0),
    ("32 05 0001'a' 0000", V3_1_1, Rule::PacketIdentifierZero, 5),
    ("30 02 0000", V3_1_1, Rule::EmptyTopicWithoutAlias, 2),
    ("30 03 0000 00", V5, Rule::EmptyTopicWithoutAlias, 2),
    ("30 03 0002'a'", V3_1_1, Rule::Truncated, 4),
    ("30 04 0002 61FF", V3_1_1, Rule::IllFormedUtf8, 5),
    ("30 05 0003 EDA080", V3_1_1, Rule::IllFormedUtf8, 4),
    ("30 05 0003 'a' 00 'b'", V3_1_1, Rule::NullCharacter, 5),
    ("30 07 0001'a' 03 23 0000", V5, Rule::PropertyOutOfRange(PropertyId::TopicAlias), 7),
    ("30 05 0001'a' 01 7F", V5, Rule::UnknownProperty(0x7F), 6),
    ("30 04 0001'a' 01", V5, Rule::PropertiesTooLong, 5),
    ("30 05 0001'a' 01 01", V5, Rule::Truncated, 7),
    ("30 06 0001'a' 02 0B 00", V5, Rule::PropertyOutOfRange(PropertyId::SubscriptionIdentifier), 7),
    ("30 07 0001'a' 03 0B 8000", V5, Rule::VariableByteIntegerNotMinimal, 7),
    ("30 0A 0001'a' 06 0B 8080808001", V5, Rule::VariableByteIntegerTooLong, 7),
    ("30 08 0001'a' 04 01 00 01 00", V5, Rule::DuplicateProperty(PropertyId::PayloadFormatIndicator), 8),
    ("30 09 0001'a' 05 18 00000001", V5, Rule::PropertyNotAllowed(PropertyId::WillDelayInterval), 6),
    // Acknowledgements, 3.4 to 3.7.
    ("40 02 0000", V3_1_1, Rule::PacketIdentifierZero, 2),
    ("40 03 0001 00", V3_1_1, Rule::SurplusBytes, 4),
    ("40 01 00", V3_1_1, Rule::Truncated, 2),
    ("40 03 0001 92", V5, Rule::UnknownReasonCode(PacketType::Puback, 0x92), 4),
    ("62 03 0001 80", V5, Rule::UnknownReasonCode(PacketType::Pubrel, 0x80), 4),
    ("40 05 0001 00 00 00", V5, Rule::SurplusBytes, 6),
    ("40 0C 0001 00 08 1F 0001'a' 1F 0001'b'", V5, Rule::DuplicateProperty(PropertyId::ReasonString), 10),
    // SUBSCRIBE and UNSUBSCRIBE, 3.8 and 3.10.
    ("82 02 0001", V3_1_1, Rule::NoTopicFilter, 4),
    ("82 03 0001 00", V5, Rule::NoTopicFilter, 5),
    ("82 06 0001 0001'a' 03", V3_1_1, Rule::SubscriptionQosThree, 7),
    ("82 06 0001 0001'a' 04", V3_1_1, Rule::ReservedSubscriptionOptions, 7),
    ("82 07 0001 00 0001'a' 40", V5, Rule::ReservedSubscriptionOptions, 8),
    ("82 07 0001 00 0001'a' 30", V5, Rule::RetainHandlingThree, 8),
    ("82 05 0001 0001'a'", V3_1_1, Rule::Truncated, 7),
    ("A2 02 0001", V3_1_1, Rule::NoTopicFilter, 4),
    ("82 0A 0001 04 0B 01 0B 02 0001'a'", V5, Rule::DuplicateProperty(PropertyId::SubscriptionIdentifier), 7),
    // SUBACK and UNSUBACK, 3.9 and 3.11.
    ("90 02 0001", V3_1_1, Rule::NoReasonCode, 4),
    ("90 03 0001 03", V3_1_1, Rule::UnknownReasonCode(PacketType::Suback, 3), 4),
    ("B0 04 0001 00 97", V5, Rule::UnknownReasonCode(PacketType::Unsuback, 0x97), 5),
    // DISCONNECT and AUTH, 3.14 and 3.15.
    ("E0 01 00", V3_1_1, Rule::SurplusBytes, 2),
    ("E0 01 01", V5, Rule::UnknownReasonCode(PacketType::Disconnect, 1), 2),
    ("F0 00", V5, Rule::MissingAuthenticationMethod, 2),
    ("F0 02 18 00", V5, Rule::MissingAuthenticationMethod, 2),
    ("F0 06 01 04 15 0001'M'", V5, Rule::UnknownReasonCode(PacketType::Auth, 1), 2),
];

#[test]
fn every_rule_is_enforced_and_the_place_is_named() {
    for (bytes, version, rule, at) in ROWS {
        assert_eq!(decode(&hex(bytes), *version), Err(rule.at(*at)), "{bytes} in {version}");
    }
}

#[test]
fn dup_on_other_packets_is_allowed_in_3_1_only() {
    for bytes in ["8A 06 0001 0001'a' 00", "AA 05 0001 0001'a'", "6A 02 0001"] {
        assert!(decode(&hex(bytes), V3_1).unwrap().is_some());
        assert!(matches!(
            decode(&hex(bytes), V3_1_1),
            Err(DecodeError { rule: Rule::ReservedFlags(_), at: 0 })
        ));
    }
}

#[test]
fn every_rule_says_what_and_why() {
    for (_, version, rule, _) in ROWS {
        assert!(!rule.to_string().is_empty());
        let statement = rule.statement(*version);
        assert!(statement.starts_with("MQTT-") || statement.starts_with('U'), "{statement}");
        assert!(rule.reason().is_error());
    }
    assert_eq!(Rule::NullCharacter.at(4).to_string(), "a string contains U+0000 (byte 4)");
}
