//! Where peers are known to deviate: what they do, the statement or section it is against, and why.
//!
//! A row is argued from the standard, never from the number of those who do the same. Rows about good packets that
//! are refused also tell of rules that our core judges and our codec does not: the peer is not wrong there, it
//! judges earlier.

use reference_broker::codec::{PacketType, ProtocolVersion};

use super::Difference::{self, Accepts, Differs, Refuses, Waits, WaitsFor};
use super::traits::Trait;
use crate::rules::Clause;

/// A known deviation of some peers.
pub struct Deviation {
    /// What they do.
    pub difference: Difference,
    /// Who, and in which versions.
    pub peers: &'static [(&'static str, &'static [ProtocolVersion])],
    /// On which packets; none for all.
    pub packets: &'static [PacketType],
    /// The statement, or the section.
    pub statement: &'static str,
    /// Why it is a deviation, or none that matters.
    pub why: &'static str,
}

impl Deviation {
    /// Whether it is this difference.
    pub fn explains(
        &self,
        peer: &str,
        version: ProtocolVersion,
        packet: Option<PacketType>,
        difference: Difference,
    ) -> bool {
        self.difference == difference
            && self.peers.iter().any(|(name, versions)| *name == peer && versions.contains(&version))
            && (self.packets.is_empty() || packet.is_some_and(|packet| self.packets.contains(&packet)))
    }
}

const OLD: &[ProtocolVersion] = &[ProtocolVersion::V3_1_1];
const NEW: &[ProtocolVersion] = &[ProtocolVersion::V5];
const BOTH: &[ProtocolVersion] = &[ProtocolVersion::V3_1_1, ProtocolVersion::V5];

const RUMQTTC: &str = "rumqttc";
const RMQTT: &str = "rmqtt-codec";
const CORE: &str = "mqtt-protocol-core";
const PROTO: &str = "mqtt-proto";

macro_rules! table {
    ($($difference:ident($of:expr) by [$($peer:ident $versions:ident),*] on [$($packet:ident)*] $statement:literal $why:literal;)*) => {
        /// Every known deviation.
        pub static TABLE: &[Deviation] = &[
            $(Deviation {
                difference: $difference($of),
                peers: &[$(($peer, $versions)),*],
                packets: &[$(PacketType::$packet),*],
                statement: $statement,
                why: $why,
            },)*
        ];
    };
}

table! {
    // The fixed header.
    Accepts(Clause::HeaderFlags) by [RUMQTTC BOTH, CORE BOTH] on [] "MQTT-2.1.3-1"
        "The reserved flags have one right value each; anything else is malformed. Here they are not looked at.";
    Waits(Clause::HeaderFlags) by [RUMQTTC NEW] on [] "MQTT-2.1.3-1"
        "The same, where the packet is broken otherwise too.";
    Accepts(Clause::PublishDup) by [RUMQTTC BOTH, RMQTT BOTH, CORE BOTH, PROTO BOTH] on [Publish] "MQTT-3.3.1-2"
        "DUP has to be 0 at QoS 0. What a receiver does is left open, and R-26 lets a server tolerate it.";

    // Where fields end.
    Accepts(Clause::NothingLeftOver) by [RUMQTTC BOTH, RMQTT BOTH, CORE OLD, PROTO BOTH] on [] "U5-49"
        "A Remaining Length that its fields do not fill is not one that the format gives. R-55 lets a server tolerate it in acknowledgements and PINGREQ; CONNECT, CONNACK and DISCONNECT are none of these.";
    Accepts(Clause::WithinPacket) by [RUMQTTC NEW, CORE NEW] on [] "U5-49"
        "Properties are read past their Property Length, as if what follows them belonged to them.";
    Waits(Clause::WithinPacket) by [RUMQTTC NEW, PROTO BOTH] on [] "U5-49"
        "The packet is whole: what a field lacks will never come, and what comes instead is the next packet.";
    Waits(Clause::PropertyLength) by [RUMQTTC NEW, PROTO NEW] on [] "U5-49" "The same for a Property Length.";
    Accepts(Clause::PropertyLength) by [RUMQTTC NEW] on [] "U5-49"
        "Properties are read until they seem complete, and not as far as they are said to go.";
    Accepts(Clause::VariableShortest) by [RUMQTTC NEW, RMQTT NEW, CORE NEW, PROTO NEW] on [] "MQTT-1.5.5-1"
        "A Property Length has to be written in the fewest bytes.";
    Waits(Clause::VariableShortest) by [PROTO NEW] on [] "MQTT-1.5.5-1"
        "A longer Property Length is counted as if it were the shortest, and the bytes run out.";

    Accepts(Clause::VariableTooLong) by [RUMQTTC NEW] on [] "U5-03"
        "What stands last in the properties may go unread, whatever it is.";

    // Strings.
    Accepts(Clause::NoNull) by [RUMQTTC BOTH, RMQTT BOTH, CORE BOTH, PROTO BOTH] on [] "MQTT-1.5.4-2"
        "A string must not hold U+0000. Only some strings are looked at, or none.";
    Accepts(Clause::Utf8) by [RUMQTTC NEW] on [] "MQTT-1.5.4-1"
        "Ill-formed UTF-8 makes a packet malformed. Topics and will topics are taken as bytes.";

    // CONNECT and CONNACK.
    Accepts(Clause::ConnectReserved) by [RUMQTTC BOTH, CORE BOTH] on [Connect] "MQTT-3.1.2-3"
        "The server has to validate that the reserved flag is 0.";
    Accepts(Clause::WillFlags) by [RMQTT NEW, CORE BOTH, PROTO BOTH] on [Connect] "MQTT-3.1.2-11"
        "Without a will its QoS and its retain flag have to be 0.";
    Accepts(Clause::WillQos) by [RMQTT NEW, CORE BOTH] on [Connect] "MQTT-3.1.2-12"
        "Will QoS 3 is malformed whether there is a will or not.";
    Accepts(Clause::PasswordFlag) by [RUMQTTC OLD, RMQTT OLD, PROTO OLD] on [Connect] "MQTT-3.1.2-22"
        "Before 5.0 a password needs a user name.";
    Accepts(Clause::ClientIdentifier) by [RUMQTTC OLD, CORE OLD, PROTO OLD] on [Connect] "MQTT-3.1.3-8"
        "An empty Client Identifier without CleanSession has to be refused; here that is left to the application.";
    Accepts(Clause::ProtocolVersion) by [RMQTT OLD] on [Connect] "MQTT-3.1.2-2"
        "The level is left to the application.";
    Accepts(Clause::DataWithoutMethod) by [RUMQTTC NEW, RMQTT NEW, CORE NEW, PROTO NEW] on [Connect] "U5-11"
        "Authentication Data without a method is a Protocol Error.";
    Accepts(Clause::ConnackFlags) by [RUMQTTC BOTH, CORE BOTH] on [Connack] "MQTT-3.2.2-1"
        "Bits 7 to 1 are reserved and have to be 0.";
    Accepts(Clause::ReasonCode) by [RMQTT OLD] on [Connack] "MQTT-3.2.2-6"
        "Return codes above 5 are reserved; here they become another code.";

    // PUBLISH, acknowledgements, subscriptions.
    Accepts(Clause::TopicName) by [RUMQTTC BOTH, RMQTT NEW, CORE BOTH, PROTO BOTH] on [Publish] "MQTT-4.7.3-1"
        "A Topic Name has one character at least, unless 5.0 has an alias for it.";
    Accepts(Clause::PacketIdentifier) by [RUMQTTC BOTH, CORE BOTH] on [] "MQTT-2.2.1-3"
        "An identifier of 0 means nothing.";
    Accepts(Clause::OptionsReserved) by [RUMQTTC BOTH, RMQTT OLD, CORE OLD] on [Subscribe] "MQTT-3.8.3-5"
        "The reserved bits have to be 0.";
    Accepts(Clause::Filters) by [RUMQTTC BOTH] on [Unsubscribe] "MQTT-3.10.3-2"
        "UNSUBSCRIBE has one filter at least.";
    Accepts(Clause::ReasonCodes) by [RMQTT BOTH, PROTO BOTH] on [Suback Unsuback] "MQTT-3.8.4-6"
        "There is one code for each filter, and there is one filter at least.";
    Accepts(Clause::Method) by [RMQTT NEW, CORE NEW, PROTO NEW] on [Auth] "U5-38"
        "AUTH without an Authentication Method is a Protocol Error.";
    Waits(Clause::Method) by [PROTO NEW] on [Auth] "U5-38"
        "AUTH of Remaining Length 0 is read as if it had a reason code.";

    // Properties.
    Accepts(Clause::PropertyKnown) by [RUMQTTC NEW] on [] "U5-05"
        "An identifier that does not exist makes the packet malformed; here it is read as another packet's field.";
    Accepts(Clause::PropertyPlace) by [RUMQTTC NEW] on [] "U5-05"
        "A property in the wrong packet makes it malformed; here what stands last in the properties may go unread.";
    Accepts(Clause::PropertyOnce) by [RUMQTTC NEW] on [] "U5-08"
        "A property that may not be repeated is; the last value wins.";
    Accepts(Clause::PropertyOnce) by [CORE NEW] on [Subscribe] "U5-08"
        "A Subscription Identifier may be repeated in PUBLISH, and not in SUBSCRIBE.";
    Accepts(Clause::PropertyValue) by [RUMQTTC NEW, RMQTT NEW, PROTO NEW] on [] "U5-15"
        "Values outside their limits are Protocol Errors.";

    // Good packets: peers that refuse, wait or read something else.
    Refuses(Trait::NoBody) by [RUMQTTC NEW] on [Disconnect] "3.14.2.1"
        "Normal disconnection may be left out with all that follows.";
    WaitsFor(Trait::ReasonCodeAlone) by [RUMQTTC NEW] on [Disconnect] "3.14.2.1"
        "The Property Length may be left out with all that follows.";
    Differs(Trait::EmptyProperties) by [RUMQTTC NEW] on [Disconnect] "3.14.2.1"
        "Written with a Remaining Length of 1 although two bytes follow: the stream is lost.";
    Refuses(Trait::Auth) by [RUMQTTC NEW] on [Auth] "3.15" "AUTH is not read at all.";
    Refuses(Trait::Disconnect8C) by [RUMQTTC NEW, RMQTT NEW, CORE NEW, PROTO NEW] on [Disconnect] "2.4"
        "The tables of the standard do not agree: 2-6 has it, 3-10 does not. We take it from a server.";
    Refuses(Trait::BinaryPassword) by [RUMQTTC BOTH] on [Connect] "3.1.3.6" "A password is binary data.";
    Refuses(Trait::PasswordAlone) by [CORE NEW] on [Connect] "3.1.2.9"
        "5.0 took the rule back that a password needs a user name.";
    Refuses(Trait::SubscriptionIdentifiers) by [PROTO NEW] on [Publish] "MQTT-3.3.4-4"
        "A server may send all identifiers of the subscriptions that match.";
    Refuses(Trait::NotTheFormatThatIsSaid) by [PROTO NEW] on [Publish Connect] "MQTT-3.3.2-4"
        "A receiver may check the payload (R-51). Our core does, where it is set up so.";
    Refuses(Trait::EmptyClientId) by [RMQTT NEW] on [Connect] "MQTT-3.1.3-6"
        "5.0 allows an empty Client Identifier with and without Clean Start.";
    Differs(Trait::EmptyCredentials) by [RUMQTTC BOTH] on [Connect] "MQTT-3.1.2-17"
        "An empty user name is there all the same; here it is read as none.";
    Differs(Trait::SubscriptionIdentifiers) by [RUMQTTC NEW] on [Publish] "2.2.2.1"
        "With several identifiers the Property Length that is written is too short.";
    Differs(Trait::SubackFailure) by [PROTO OLD] on [Suback] "MQTT-3.9.3-2"
        "Failure is read as 0x80 and written as 3.";
    Differs(Trait::DefaultValue) by [RUMQTTC NEW, RMQTT NEW, PROTO NEW] on [] "2.2.2.2"
        "A value that is in force without the property is not written again: the same meaning in fewer bytes.";
    Refuses(Trait::EmptyTopic) by [RUMQTTC BOTH, RMQTT BOTH, CORE BOTH, PROTO BOTH] on [] "MQTT-4.7.3-1"
        "Right: the grammar of topics is judged by our core.";
    Refuses(Trait::WildcardInName) by [RUMQTTC BOTH, CORE BOTH, RMQTT BOTH, PROTO BOTH] on [] "MQTT-4.7.1-1"
        "Right: the grammar of topics is judged by our core.";
    Refuses(Trait::MalformedFilter) by [PROTO BOTH, RMQTT BOTH, CORE BOTH] on [] "MQTT-4.7.1-2"
        "Right: the grammar of topics is judged by our core.";
    Refuses(Trait::MalformedShare) by [PROTO BOTH, RMQTT BOTH, CORE BOTH] on [] "MQTT-4.8.2-1"
        "Right in 5.0: the grammar of shared subscriptions is judged by our core. In 3.1.1 it is a filter like others.";
}
