//! What a good packet has about it that peers stumble over, and where the standard has it.

use reference_broker::codec::{Packet, PacketType, Place, PropertyId, QoS};

macro_rules! traits {
    ($($name:ident $statement:literal $what:literal |$packet:ident, $bytes:ident| $holds:expr;)*) => {
        /// Something about a good packet.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Trait {
            $(#[doc = $what] $name,)*
        }

        impl Trait {
            /// The statement or the section that has it.
            pub const fn statement(self) -> &'static str {
                match self { $(Trait::$name => $statement),* }
            }
        }

        /// All that is about a packet.
        pub fn of(packet: &Packet<'_>, bytes: &[u8]) -> Vec<Trait> {
            let mut found = Vec::new();
            $({
                let ($packet, $bytes) = (packet, bytes);
                if $holds {
                    found.push(Trait::$name);
                }
            })*
            found
        }
    };
}

fn count(packet: &Packet<'_>, id: PropertyId) -> usize {
    packet.properties().map_or(0, |properties| properties.iter().filter(|it| it.id == id).count())
}

fn is(packet: &Packet<'_>, kind: PacketType) -> bool {
    packet.packet_type() == kind
}

fn texts<'p>(packet: &'p Packet<'_>) -> Vec<&'p str> {
    match packet {
        Packet::Publish(it) => vec![&it.topic],
        Packet::Connect(it) => it.will.iter().map(|will| &*will.topic).collect(),
        Packet::Subscribe(it) => it.subscriptions.iter().map(|it| &*it.filter).collect(),
        Packet::Unsubscribe(it) => it.filters.iter().map(|it| &**it).collect(),
        _ => Vec::new(),
    }
}

traits! {
    Any "2.1" "It is a good packet." |_packet, _bytes| true;
    RemainingLength0 "3.14.2.1" "Remaining Length 0." |_packet, bytes| bytes[1] == 0;
    RemainingLength1 "3.14.2.1" "Remaining Length 1." |_packet, bytes| bytes[1] == 1;
    WithProperties "2.2.2" "It has properties." |packet, _bytes| packet.properties().is_some_and(|it| !it.is_empty());
    PasswordAlone "3.1.2.9" "A password without a user name." |packet, _bytes|
        matches!(packet, Packet::Connect(it) if it.password.is_some() && it.user_name.is_none());
    EmptyUserName "3.1.3.5" "A user name of no characters." |packet, _bytes|
        matches!(packet, Packet::Connect(it) if it.user_name.as_deref() == Some(""));
    UserNameAlone "3.1.2.8" "A user name without a password." |packet, _bytes|
        matches!(packet, Packet::Connect(it) if it.password.is_none() && it.user_name.is_some());
    EmptyClientId "MQTT-3.1.3-6" "An empty Client Identifier." |packet, _bytes|
        matches!(packet, Packet::Connect(it) if it.client_id.is_empty());
    EmptyClientIdResuming "MQTT-3.1.3-6" "An empty Client Identifier without Clean Start." |packet, _bytes|
        matches!(packet, Packet::Connect(it) if it.client_id.is_empty() && !it.clean_start);
    BinaryPassword "3.1.3.6" "A password that is no text." |packet, _bytes|
        matches!(packet, Packet::Connect(it) if it.password.as_ref().is_some_and(|it| std::str::from_utf8(it).is_err()));
    WithWill "3.1.2.5" "It has a will." |packet, _bytes| matches!(packet, Packet::Connect(it) if it.will.is_some());
    WillProperties "3.1.3.2" "It has Will Properties." |packet, _bytes|
        matches!(packet, Packet::Connect(it) if it.will.as_ref().is_some_and(|it| !it.properties.is_empty()));
    EmptyTopic "3.3.2.1" "An empty topic or filter." |packet, _bytes| texts(packet).iter().any(|it| it.is_empty());
    Wildcards "4.7.1" "A topic or filter with wildcard characters." |packet, _bytes|
        texts(packet).iter().any(|it| it.contains(['+', '#']));
    ControlCharacters "1.5.4" "A topic or filter with control characters or non-characters." |_packet, bytes|
        bytes.iter().any(|it| *it < 0x20 || *it >= 0x7F);
    Share "4.8.2" "A filter that begins with $share." |packet, _bytes|
        texts(packet).iter().any(|it| it.starts_with("$share"));
    SubscriptionIdentifiers "MQTT-3.3.4-4" "Several Subscription Identifiers." |packet, _bytes|
        count(packet, PropertyId::SubscriptionIdentifier) > 1;
    SubscriptionIdentifier "3.3.2.3.8" "A Subscription Identifier." |packet, _bytes|
        count(packet, PropertyId::SubscriptionIdentifier) > 0;
    PayloadFormat "3.3.2.3.2" "A Payload Format Indicator." |packet, _bytes|
        count(packet, PropertyId::PayloadFormatIndicator) > 0
            || matches!(packet, Packet::Connect(it) if it.will.as_ref().is_some_and(
                |it| it.properties.get(PropertyId::PayloadFormatIndicator).is_some()));
    UserProperties "3.1.2.11.8" "A User Property." |packet, _bytes| count(packet, PropertyId::UserProperty) > 0;
    SessionPresentAndRefused "3.2.2.1.1" "Session Present on a CONNACK that refuses." |packet, _bytes|
        matches!(packet, Packet::Connack(it) if it.session_present && it.reason.0 != 0);
    QosAboveZero "3.3.1.2" "QoS 1 or 2." |packet, _bytes|
        matches!(packet, Packet::Publish(it) if it.qos != QoS::AtMostOnce);
    EmptyPropertyLength "3.4.2.1" "A reason code and a Property Length of 0." |packet, bytes|
        packet.properties().is_some_and(|it| it.is_empty()) && Place::Packet(packet.packet_type()) != Place::Will
            && bytes.last() == Some(&0);
    AuthenticationData "3.1.2.11.10" "Authentication Data." |packet, _bytes|
        count(packet, PropertyId::AuthenticationData) > 0;
    Auth "3.15" "AUTH." |packet, _bytes| is(packet, PacketType::Auth);
}
