//! The clauses that one packet can break, and which of them each typed error of our codec stands for.

use reference_broker::codec::Rule;

macro_rules! clauses {
    ($($clause:ident $section:literal $what:literal)*) => {
        /// A clause of the packet format, by the section of 5.0 that has it (3.1.1 has the same chapters).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Clause {
            $(#[doc = $what] $clause,)*
        }

        impl Clause {
            /// Every clause.
            pub const ALL: &'static [Clause] = &[$(Clause::$clause),*];

            /// The section.
            pub const fn section(self) -> &'static str {
                match self { $(Clause::$clause => $section),* }
            }

            /// What it says.
            pub const fn what(self) -> &'static str {
                match self { $(Clause::$clause => $what),* }
            }
        }
    };
}

clauses! {
    PacketType "2.1.2" "A type that exists in the version."
    HeaderFlags "2.1.3" "Flags of the fixed header as the table has them."
    PublishQos "3.3.1.2" "QoS 0, 1 or 2 in PUBLISH."
    PublishDup "3.3.1.1" "No DUP at QoS 0."
    RemainingLength "2.1.4" "A Remaining Length of at most four bytes."
    ShortestLength "1.5.5" "A Remaining Length in its shortest form."
    WithinPacket "4.13" "Every field ends within the packet."
    NothingLeftOver "4.13" "Nothing follows the last field."
    Utf8 "1.5.4" "Strings are well-formed UTF-8 without surrogates."
    NoNull "1.5.4" "Strings have no U+0000."
    VariableTooLong "1.5.5" "A Variable Byte Integer of at most four bytes."
    VariableShortest "1.5.5" "A Variable Byte Integer in its shortest form."
    PacketIdentifier "2.2.1" "A Packet Identifier that is not 0."
    ProtocolName "3.1.2.1" "A Protocol Name that exists."
    ProtocolVersion "3.1.2.2" "A Protocol Version that exists."
    ConnectReserved "3.1.2.3" "The reserved Connect Flag is 0."
    WillQos "3.1.2.6" "Will QoS 0, 1 or 2."
    WillFlags "3.1.2.5" "No Will QoS and no Will Retain without a will."
    PasswordFlag "3.1.2.9" "No password without a user name, before 5.0."
    ClientIdentifier "3.1.3.1" "An empty Client Identifier only with CleanSession, before 5.0."
    ConnackFlags "3.2.2.1" "Bits 7 to 1 of the Connect Acknowledge Flags are 0."
    ReasonCode "2.4" "A code that the packet may carry."
    OptionsReserved "3.8.3.1" "Reserved bits of the Subscription Options are 0."
    OptionsQos "3.8.3.1" "Maximum QoS 0, 1 or 2."
    RetainHandling "3.8.3.1" "Retain Handling 0, 1 or 2."
    Filters "3.8.3" "At least one Topic Filter."
    ReasonCodes "3.9.3" "At least one reason code."
    PropertyLength "2.2.2.1" "Properties end within the packet."
    PropertyKnown "2.2.2.2" "A property that exists."
    PropertyPlace "2.2.2.2" "A property where it is allowed."
    PropertyOnce "2.2.2.2" "A property once, unless it may be repeated."
    PropertyValue "2.2.2.2" "A value within the limits of the property."
    DataWithoutMethod "3.1.2.11.10" "No Authentication Data without Authentication Method in CONNECT."
    Method "3.15.2.2.2" "An Authentication Method in AUTH."
    TopicName "3.3.2.1" "A Topic Name, or in 5.0 an alias for it."
}

/// The clause that a rule of our codec enforces.
pub const fn clause_of(rule: Rule) -> Clause {
    match rule {
        Rule::ReservedPacketType | Rule::AuthInOldVersion => Clause::PacketType,
        Rule::ReservedFlags(_) => Clause::HeaderFlags,
        Rule::PublishQosThree => Clause::PublishQos,
        Rule::DupWithQosZero => Clause::PublishDup,
        Rule::RemainingLengthTooLong | Rule::PacketTooLarge => Clause::RemainingLength,
        Rule::RemainingLengthNotMinimal => Clause::ShortestLength,
        Rule::Truncated => Clause::WithinPacket,
        Rule::SurplusBytes => Clause::NothingLeftOver,
        Rule::IllFormedUtf8 => Clause::Utf8,
        Rule::NullCharacter => Clause::NoNull,
        Rule::VariableByteIntegerTooLong => Clause::VariableTooLong,
        Rule::VariableByteIntegerNotMinimal => Clause::VariableShortest,
        Rule::PacketIdentifierZero => Clause::PacketIdentifier,
        Rule::ProtocolName => Clause::ProtocolName,
        Rule::ProtocolLevel(_) => Clause::ProtocolVersion,
        Rule::ReservedConnectFlag => Clause::ConnectReserved,
        Rule::WillQosThree => Clause::WillQos,
        Rule::WillFlagsWithoutWill => Clause::WillFlags,
        Rule::PasswordWithoutUserName => Clause::PasswordFlag,
        Rule::EmptyClientIdWithoutCleanSession => Clause::ClientIdentifier,
        Rule::ReservedConnackFlags => Clause::ConnackFlags,
        Rule::UnknownReasonCode(..) => Clause::ReasonCode,
        Rule::ReservedSubscriptionOptions => Clause::OptionsReserved,
        Rule::SubscriptionQosThree => Clause::OptionsQos,
        Rule::RetainHandlingThree => Clause::RetainHandling,
        Rule::NoTopicFilter => Clause::Filters,
        Rule::NoReasonCode => Clause::ReasonCodes,
        Rule::PropertiesTooLong => Clause::PropertyLength,
        Rule::UnknownProperty(_) => Clause::PropertyKnown,
        Rule::PropertyNotAllowed(_) => Clause::PropertyPlace,
        Rule::DuplicateProperty(_) => Clause::PropertyOnce,
        Rule::PropertyOutOfRange(_) => Clause::PropertyValue,
        Rule::AuthenticationDataWithoutMethod => Clause::DataWithoutMethod,
        Rule::MissingAuthenticationMethod => Clause::Method,
        Rule::EmptyTopicWithoutAlias => Clause::TopicName,
    }
}
