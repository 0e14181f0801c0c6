//! Every way in which a packet can be refused: the rule it breaks and the byte where.

use std::fmt;

use super::packet::{PacketType, ProtocolVersion};
use super::property::PropertyId;
use super::reason::ReasonCode;

/// A packet broke a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    /// The rule that is broken.
    pub rule: Rule,
    /// Where: bytes from the beginning of the packet.
    pub at: usize,
}

/// How 5.0 classifies an error (section 1.2 and 4.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It cannot be parsed according to the standard.
    MalformedPacket,
    /// It can be parsed, but holds what is not allowed.
    ProtocolError,
}

/// The rules that a single packet can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "`Display` says each")]
pub enum Rule {
    ReservedPacketType,
    ReservedFlags(PacketType),
    PublishQosThree,
    DupWithQosZero,
    RemainingLengthTooLong,
    RemainingLengthNotMinimal,
    PacketTooLarge,
    Truncated,
    SurplusBytes,
    IllFormedUtf8,
    NullCharacter,
    VariableByteIntegerTooLong,
    VariableByteIntegerNotMinimal,
    PacketIdentifierZero,
    ProtocolName,
    ProtocolLevel(u8),
    ReservedConnectFlag,
    WillQosThree,
    WillFlagsWithoutWill,
    PasswordWithoutUserName,
    EmptyClientIdWithoutCleanSession,
    ReservedConnackFlags,
    UnknownReasonCode(PacketType, u8),
    ReservedSubscriptionOptions,
    SubscriptionQosThree,
    RetainHandlingThree,
    NoTopicFilter,
    NoReasonCode,
    PropertiesTooLong,
    UnknownProperty(u32),
    PropertyNotAllowed(PropertyId),
    DuplicateProperty(PropertyId),
    PropertyOutOfRange(PropertyId),
    AuthenticationDataWithoutMethod,
    MissingAuthenticationMethod,
    EmptyTopicWithoutAlias,
    AuthInOldVersion,
}

impl Rule {
    /// This rule, broken `at` bytes into the packet.
    pub const fn at(self, at: usize) -> DecodeError {
        DecodeError { rule: self, at }
    }

    /// Malformed Packet or Protocol Error, as 5.0 sorts it.
    pub const fn class(self) -> Class {
        match self {
            Rule::DuplicateProperty(_)
            | Rule::PropertyOutOfRange(_)
            | Rule::SubscriptionQosThree
            | Rule::RetainHandlingThree
            | Rule::NoTopicFilter
            | Rule::AuthenticationDataWithoutMethod
            | Rule::MissingAuthenticationMethod
            | Rule::EmptyTopicWithoutAlias
            | Rule::PacketIdentifierZero
            | Rule::PacketTooLarge
            | Rule::ProtocolName
            | Rule::ProtocolLevel(_)
            | Rule::AuthInOldVersion => Class::ProtocolError,
            _ => Class::MalformedPacket,
        }
    }

    /// The Reason Code of 5.0 for CONNACK or DISCONNECT.
    pub const fn reason(self) -> ReasonCode {
        match self {
            Rule::PropertyOutOfRange(PropertyId::TopicAlias) => ReasonCode::TOPIC_ALIAS_INVALID,
            Rule::PacketTooLarge => ReasonCode::PACKET_TOO_LARGE,
            Rule::ProtocolName | Rule::ProtocolLevel(_) => ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            _ => match self.class() {
                Class::MalformedPacket => ReasonCode::MALFORMED_PACKET,
                Class::ProtocolError => ReasonCode::PROTOCOL_ERROR,
            },
        }
    }

    /// The statement, or the untagged rule, that stands behind this one.
    pub const fn statement(self, version: ProtocolVersion) -> &'static str {
        let v5 = matches!(version, ProtocolVersion::V5);
        match self {
            Rule::ReservedPacketType => pick(v5, "U5-48", "U3-14"),
            Rule::ReservedFlags(_) => pick(v5, "MQTT-2.1.3-1", "MQTT-2.2.2-2"),
            Rule::PublishQosThree => "MQTT-3.3.1-4",
            Rule::DupWithQosZero => "MQTT-3.3.1-2",
            Rule::RemainingLengthTooLong | Rule::VariableByteIntegerTooLong => pick(v5, "U5-03", "U3-02"),
            Rule::RemainingLengthNotMinimal | Rule::VariableByteIntegerNotMinimal => {
                pick(v5, "MQTT-1.5.5-1", "U3-02")
            }
            Rule::PacketTooLarge => pick(v5, "MQTT-3.1.2-24", "U3-15"),
            Rule::Truncated | Rule::SurplusBytes => pick(v5, "U5-49", "U3-15"),
            Rule::IllFormedUtf8 => pick(v5, "MQTT-1.5.4-1", "MQTT-1.5.3-1"),
            Rule::NullCharacter => pick(v5, "MQTT-1.5.4-2", "MQTT-1.5.3-2"),
            Rule::PacketIdentifierZero => pick(v5, "U5-52", "MQTT-2.3.1-1"),
            Rule::ProtocolName => "MQTT-3.1.2-1",
            Rule::ProtocolLevel(_) => "MQTT-3.1.2-2",
            Rule::ReservedConnectFlag => "MQTT-3.1.2-3",
            Rule::WillQosThree => pick(v5, "MQTT-3.1.2-12", "MQTT-3.1.2-14"),
            Rule::WillFlagsWithoutWill => "MQTT-3.1.2-11",
            Rule::PasswordWithoutUserName => "MQTT-3.1.2-22",
            Rule::EmptyClientIdWithoutCleanSession => "MQTT-3.1.3-8",
            Rule::ReservedConnackFlags => pick(v5, "MQTT-3.2.2-1", "U3-07"),
            Rule::UnknownReasonCode(packet, _) => match (v5, packet) {
                (true, PacketType::Connack) => "MQTT-3.2.2-8",
                (true, PacketType::Puback) => "MQTT-3.4.2-1",
                (true, PacketType::Pubrec) => "MQTT-3.5.2-1",
                (true, PacketType::Pubrel) => "MQTT-3.6.2-1",
                (true, PacketType::Pubcomp) => "MQTT-3.7.2-1",
                (true, PacketType::Suback) => "MQTT-3.9.3-2",
                (true, PacketType::Unsuback) => "MQTT-3.11.3-2",
                (true, PacketType::Disconnect) => "MQTT-3.14.2-1",
                (true, _) => "MQTT-3.15.2-1",
                (false, PacketType::Suback) => "MQTT-3.9.3-2",
                (false, _) => "MQTT-3.2.2-6",
            },
            Rule::ReservedSubscriptionOptions => pick(v5, "MQTT-3.8.3-5", "MQTT-3.8.3-4"),
            Rule::SubscriptionQosThree => pick(v5, "U5-33", "MQTT-3.8.3-4"),
            Rule::RetainHandlingThree => "U5-33",
            Rule::NoTopicFilter => pick(v5, "MQTT-3.8.3-2", "MQTT-3.8.3-3"),
            Rule::NoReasonCode => pick(v5, "MQTT-3.8.4-6", "MQTT-3.8.4-5"),
            Rule::PropertiesTooLong => "U5-49",
            Rule::UnknownProperty(_) | Rule::PropertyNotAllowed(_) => "U5-05",
            Rule::DuplicateProperty(_) => "U5-08",
            Rule::PropertyOutOfRange(PropertyId::TopicAlias) => "MQTT-3.3.2-8",
            Rule::PropertyOutOfRange(_) => "U5-15",
            Rule::AuthenticationDataWithoutMethod => "U5-11",
            Rule::MissingAuthenticationMethod => "U5-38",
            Rule::EmptyTopicWithoutAlias => pick(v5, "U5-24", "MQTT-4.7.3-1"),
            Rule::AuthInOldVersion => "U3-14",
        }
    }
}

const fn pick(v5: bool, five: &'static str, three: &'static str) -> &'static str {
    if v5 { five } else { three }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::ReservedPacketType => f.write_str("packet type 0 is reserved"),
            Rule::ReservedFlags(packet) => write!(f, "reserved flag bits in the fixed header of {packet}"),
            Rule::PublishQosThree => f.write_str("both QoS bits of PUBLISH are set"),
            Rule::DupWithQosZero => f.write_str("DUP is 1 although QoS is 0"),
            Rule::RemainingLengthTooLong => f.write_str("Remaining Length has more than four bytes"),
            Rule::RemainingLengthNotMinimal => f.write_str("Remaining Length is not in its shortest form"),
            Rule::PacketTooLarge => f.write_str("larger than the Maximum Packet Size"),
            Rule::Truncated => f.write_str("a field runs past the end of the packet"),
            Rule::SurplusBytes => f.write_str("bytes left over after the last field"),
            Rule::IllFormedUtf8 => f.write_str("a string is not well-formed UTF-8"),
            Rule::NullCharacter => f.write_str("a string contains U+0000"),
            Rule::VariableByteIntegerTooLong => {
                f.write_str("a Variable Byte Integer has more than four bytes")
            }
            Rule::VariableByteIntegerNotMinimal => {
                f.write_str("a Variable Byte Integer is not in its shortest form")
            }
            Rule::PacketIdentifierZero => f.write_str("Packet Identifier 0"),
            Rule::ProtocolName => f.write_str("unknown Protocol Name"),
            Rule::ProtocolLevel(level) => write!(f, "Protocol Version {level} is not supported"),
            Rule::ReservedConnectFlag => f.write_str("the reserved Connect Flag is 1"),
            Rule::WillQosThree => f.write_str("Will QoS 3"),
            Rule::WillFlagsWithoutWill => f.write_str("Will QoS or Will Retain without Will Flag"),
            Rule::PasswordWithoutUserName => f.write_str("Password Flag without User Name Flag"),
            Rule::EmptyClientIdWithoutCleanSession => {
                f.write_str("an empty Client Identifier with CleanSession 0")
            }
            Rule::ReservedConnackFlags => {
                f.write_str("reserved bits of the Connect Acknowledge Flags are set")
            }
            Rule::UnknownReasonCode(packet, code) => write!(f, "0x{code:02X} is no reason code of {packet}"),
            Rule::ReservedSubscriptionOptions => {
                f.write_str("reserved bits of the Subscription Options are set")
            }
            Rule::SubscriptionQosThree => f.write_str("Maximum QoS 3 in the Subscription Options"),
            Rule::RetainHandlingThree => f.write_str("Retain Handling 3"),
            Rule::NoTopicFilter => f.write_str("no Topic Filter"),
            Rule::NoReasonCode => f.write_str("no reason code"),
            Rule::PropertiesTooLong => f.write_str("the Property Length runs past the end of the packet"),
            Rule::UnknownProperty(id) => write!(f, "unknown property 0x{id:02X}"),
            Rule::PropertyNotAllowed(id) => write!(f, "{id} is not allowed in this packet"),
            Rule::DuplicateProperty(id) => write!(f, "{id} occurs more than once"),
            Rule::PropertyOutOfRange(id) => write!(f, "{id} has a value that is not allowed"),
            Rule::AuthenticationDataWithoutMethod => {
                f.write_str("Authentication Data without Authentication Method")
            }
            Rule::MissingAuthenticationMethod => f.write_str("AUTH without Authentication Method"),
            Rule::EmptyTopicWithoutAlias => f.write_str("an empty Topic Name without Topic Alias"),
            Rule::AuthInOldVersion => f.write_str("packet type 15 does not exist before MQTT 5.0"),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {})", self.rule, self.at)
    }
}

impl std::error::Error for DecodeError {}
