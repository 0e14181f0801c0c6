//! What a good packet has about it that peers stumble over, and where the standard has it.

use reference_broker::codec::{Packet, PacketType, Property, PropertyId, PropertyValue, ReasonCode};
use reference_broker::core::topic;

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

fn is(packet: &Packet<'_>, kind: PacketType) -> bool {
    packet.packet_type() == kind
}

/// All properties of the packet, those of its will included.
fn all<'p>(packet: &'p Packet<'_>) -> Vec<Property<'p>> {
    let mut found: Vec<_> = packet.properties().map(|it| it.iter().collect()).unwrap_or_default();
    if let Packet::Connect(connect) = packet
        && let Some(will) = &connect.will
    {
        found.extend(will.properties.iter());
    }
    found
}

fn values<'p>(packet: &'p Packet<'_>, id: PropertyId) -> Vec<PropertyValue<'p>> {
    all(packet).into_iter().filter(|it| it.id == id).map(|it| it.value).collect()
}

fn names<'p>(packet: &'p Packet<'_>) -> Vec<&'p str> {
    let mut found: Vec<&str> = match packet {
        Packet::Publish(it) => vec![&it.topic],
        Packet::Connect(it) => it.will.iter().map(|will| &*will.topic).collect(),
        _ => Vec::new(),
    };
    found.extend(values(packet, PropertyId::ResponseTopic).into_iter().filter_map(PropertyValue::text));
    found
}

fn filters<'p>(packet: &'p Packet<'_>) -> Vec<&'p str> {
    match packet {
        Packet::Subscribe(it) => it.subscriptions.iter().map(|it| &*it.filter).collect(),
        Packet::Unsubscribe(it) => it.filters.iter().map(|it| &**it).collect(),
        _ => Vec::new(),
    }
}

fn topics<'p>(packet: &'p Packet<'_>) -> Vec<&'p str> {
    match packet {
        Packet::Publish(it) => vec![&it.topic],
        Packet::Connect(it) => it.will.iter().map(|will| &*will.topic).collect(),
        _ => filters(packet),
    }
}

/// `$share/name/filter`, with a name and without wildcards in it.
fn is_shared(filter: &str) -> bool {
    let rest = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    rest.is_some_and(|(name, filter)| {
        !name.is_empty() && !name.contains(['+', '#']) && topic::is_filter(filter)
    })
}

fn default_values(packet: &Packet<'_>) -> bool {
    all(packet).iter().any(|it| {
        let default = match it.id {
            PropertyId::PayloadFormatIndicator
            | PropertyId::SessionExpiryInterval
            | PropertyId::RequestResponseInformation
            | PropertyId::WillDelayInterval
            | PropertyId::TopicAliasMaximum => 0,
            PropertyId::RequestProblemInformation
            | PropertyId::RetainAvailable
            | PropertyId::WildcardSubscriptionAvailable
            | PropertyId::SubscriptionIdentifierAvailable
            | PropertyId::SharedSubscriptionAvailable => 1,
            PropertyId::ReceiveMaximum => 65_535,
            _ => return false,
        };
        it.value.number() == Some(default)
    })
}

traits! {
    Any "2.1" "It is a good packet." |_packet, _bytes| true;
    NoBody "3.14.2.1" "Remaining Length 0." |_packet, bytes| bytes[1] == 0;
    ReasonCodeAlone "3.14.2.1" "Remaining Length 1: a reason code and no Property Length." |_packet, bytes|
        bytes[1] == 1;
    EmptyProperties "3.14.2.2.1" "A reason code and a Property Length of 0." |packet, bytes|
        bytes[1] == 2 && is(packet, PacketType::Disconnect);
    PasswordAlone "3.1.2.9" "A password without a user name." |packet, _bytes|
        matches!(packet, Packet::Connect(it) if it.password.is_some() && it.user_name.is_none());
    EmptyCredentials "3.1.3.5" "A user name or a password of no bytes." |packet, _bytes|
        matches!(packet, Packet::Connect(it)
            if it.user_name.as_deref() == Some("") || it.password.as_ref().is_some_and(|it| it.is_empty()));
    EmptyClientId "MQTT-3.1.3-6" "An empty Client Identifier." |packet, _bytes|
        matches!(packet, Packet::Connect(it) if it.client_id.is_empty());
    BinaryPassword "3.1.3.6" "A password that is no UTF-8, which it need not be." |packet, _bytes|
        matches!(packet, Packet::Connect(it) if it.password.as_ref().is_some_and(|it| std::str::from_utf8(it).is_err()));
    BinaryWill "3.1.3.4" "A Will Payload that is no UTF-8, which it need not be." |packet, _bytes|
        matches!(packet, Packet::Connect(it)
            if it.will.as_ref().is_some_and(|it| std::str::from_utf8(&it.payload).is_err()));
    EmptyTopic "MQTT-4.7.3-1" "An empty topic or filter." |packet, _bytes|
        topics(packet).iter().any(|it| it.is_empty());
    EmptyResponseTopic "MQTT-4.7.3-1" "An empty Response Topic." |packet, _bytes|
        values(packet, PropertyId::ResponseTopic).contains(&PropertyValue::Text(""));
    WildcardInName "MQTT-4.7.1-1" "A Topic Name with wildcard characters." |packet, _bytes|
        names(packet).iter().any(|it| it.contains(['+', '#']));
    MalformedFilter "MQTT-4.7.1-2" "A Topic Filter that breaks the grammar." |packet, _bytes|
        filters(packet).iter().any(|it| !topic::is_filter(it));
    MalformedShare "MQTT-4.8.2-1" "A filter that begins with $share and is no shared subscription." |packet, _bytes|
        filters(packet).iter().any(|it| it.starts_with("$share") && !is_shared(it));
    NoLocalOnShare "MQTT-3.8.3-4" "No Local on a shared subscription." |packet, _bytes|
        matches!(packet, Packet::Subscribe(it)
            if it.subscriptions.iter().any(|it| it.options.no_local && it.filter.starts_with("$share/")));
    SubscriptionIdentifiers "MQTT-3.3.4-4" "Several Subscription Identifiers." |packet, _bytes|
        values(packet, PropertyId::SubscriptionIdentifier).len() > 1;
    NotTheFormatThatIsSaid "MQTT-3.3.2-4" "A payload that is not the UTF-8 that its Payload Format Indicator says."
        |packet, _bytes| match packet {
            Packet::Publish(it) => {
                it.properties.number(PropertyId::PayloadFormatIndicator) == Some(1)
                    && std::str::from_utf8(&it.payload).is_err()
            }
            Packet::Connect(it) => it.will.as_ref().is_some_and(|it| {
                it.properties.number(PropertyId::PayloadFormatIndicator) == Some(1)
                    && std::str::from_utf8(&it.payload).is_err()
            }),
            _ => false,
        };
    SessionPresentAndRefused "MQTT-3.2.2-6" "Session Present on a CONNACK that refuses." |packet, _bytes|
        matches!(packet, Packet::Connack(it) if it.session_present && it.reason.0 != 0);
    SubackFailure "MQTT-3.9.3-2" "Return code 0x80 in SUBACK." |packet, _bytes|
        matches!(packet, Packet::Suback(it) if it.reasons.contains(&ReasonCode::V3_FAILURE));
    Disconnect8C "2.4" "0x8C on DISCONNECT, which table 2-6 allows and the table of DISCONNECT leaves out."
        |packet, _bytes| matches!(packet, Packet::Disconnect(it) if it.reason.0 == 0x8C);
    DefaultValue "2.2.2.2" "A property with the value that is in force without it." |packet, _bytes|
        default_values(packet);
    UserPropertiesApart "MQTT-3.3.2-18" "User Properties with others between them." |packet, _bytes|
        packet.properties().is_some_and(|it| it.iter().filter(|it| it.id == PropertyId::UserProperty).count() > 1);
    Auth "3.15" "AUTH." |packet, _bytes| is(packet, PacketType::Auth);
}
