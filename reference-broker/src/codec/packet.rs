//! The fifteen Control Packets as plain data, one type for all protocol versions.
//!
//! Fields that only one version has are empty in the others: properties in 3.1 and 3.1.1, for instance.
//! Text and bytes borrow from the buffer that was decoded; [`Packet::into_owned`] cuts that tie.

use std::borrow::Cow;
use std::fmt;

use super::property::Properties;
use super::reason::ReasonCode;

/// A protocol version, by the Protocol Level of CONNECT (section 3.1.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolVersion {
    /// MQTT 3.1: Protocol Name "MQIsdp", level 3.
    V3_1,
    /// MQTT 3.1.1: Protocol Name "MQTT", level 4.
    V3_1_1,
    /// MQTT 5.0: Protocol Name "MQTT", level 5.
    V5,
}

impl ProtocolVersion {
    /// Every version, oldest first.
    pub const ALL: [ProtocolVersion; 3] =
        [ProtocolVersion::V3_1, ProtocolVersion::V3_1_1, ProtocolVersion::V5];

    /// The Protocol Level byte of CONNECT.
    pub const fn level(self) -> u8 {
        match self {
            ProtocolVersion::V3_1 => 3,
            ProtocolVersion::V3_1_1 => 4,
            ProtocolVersion::V5 => 5,
        }
    }

    /// The Protocol Name of CONNECT.
    pub const fn protocol_name(self) -> &'static str {
        match self {
            ProtocolVersion::V3_1 => "MQIsdp",
            _ => "MQTT",
        }
    }

    /// The version as people write it: `3.1`, `3.1.1`, `5.0`.
    pub const fn name(self) -> &'static str {
        match self {
            ProtocolVersion::V3_1 => "3.1",
            ProtocolVersion::V3_1_1 => "3.1.1",
            ProtocolVersion::V5 => "5.0",
        }
    }

    /// The version that people write as `name`; `5` is taken for `5.0`.
    pub fn from_name(name: &str) -> Option<ProtocolVersion> {
        match name {
            "3.1" => Some(ProtocolVersion::V3_1),
            "3.1.1" => Some(ProtocolVersion::V3_1_1),
            "5" | "5.0" => Some(ProtocolVersion::V5),
            _ => None,
        }
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Control Packet types by their number in the fixed header (table 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the standard's names say it")]
pub enum PacketType {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Pingreq = 12,
    Pingresp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketType {
    /// Every type, by number.
    pub const ALL: [PacketType; 15] = [
        PacketType::Connect,
        PacketType::Connack,
        PacketType::Publish,
        PacketType::Puback,
        PacketType::Pubrec,
        PacketType::Pubrel,
        PacketType::Pubcomp,
        PacketType::Subscribe,
        PacketType::Suback,
        PacketType::Unsubscribe,
        PacketType::Unsuback,
        PacketType::Pingreq,
        PacketType::Pingresp,
        PacketType::Disconnect,
        PacketType::Auth,
    ];

    /// The type with this number; 0 is reserved.
    pub const fn from_number(number: u8) -> Option<PacketType> {
        match number {
            1..=15 => Some(PacketType::ALL[number as usize - 1]),
            _ => None,
        }
    }

    /// The name in the standard: `PUBLISH`.
    pub const fn name(self) -> &'static str {
        match self {
            PacketType::Connect => "CONNECT",
            PacketType::Connack => "CONNACK",
            PacketType::Publish => "PUBLISH",
            PacketType::Puback => "PUBACK",
            PacketType::Pubrec => "PUBREC",
            PacketType::Pubrel => "PUBREL",
            PacketType::Pubcomp => "PUBCOMP",
            PacketType::Subscribe => "SUBSCRIBE",
            PacketType::Suback => "SUBACK",
            PacketType::Unsubscribe => "UNSUBSCRIBE",
            PacketType::Unsuback => "UNSUBACK",
            PacketType::Pingreq => "PINGREQ",
            PacketType::Pingresp => "PINGRESP",
            PacketType::Disconnect => "DISCONNECT",
            PacketType::Auth => "AUTH",
        }
    }

    /// The type with this name in the standard.
    pub fn from_name(name: &str) -> Option<PacketType> {
        PacketType::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Quality of Service (section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum QoS {
    /// QoS 0.
    #[default]
    AtMostOnce = 0,
    /// QoS 1.
    AtLeastOnce = 1,
    /// QoS 2.
    ExactlyOnce = 2,
}

impl QoS {
    /// Every level, lowest first.
    pub const ALL: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

    /// The level with this number; 3 is forbidden (MQTT-3.3.1-4).
    pub const fn from_number(number: u8) -> Option<QoS> {
        match number {
            0 => Some(QoS::AtMostOnce),
            1 => Some(QoS::AtLeastOnce),
            2 => Some(QoS::ExactlyOnce),
            _ => None,
        }
    }

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for QoS {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// The Will Message inside CONNECT (section 3.1.2.5 and 3.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will<'a> {
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
    /// Will Properties (5.0), the Will Delay Interval among them.
    pub properties: Properties<'a>,
    /// Will Topic.
    pub topic: Cow<'a, str>,
    /// Will Payload.
    pub payload: Cow<'a, [u8]>,
}

/// CONNECT (section 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The version that Protocol Name and Protocol Level select.
    pub version: ProtocolVersion,
    /// Clean Start (5.0) or CleanSession (3.1, 3.1.1).
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 turns it off.
    pub keep_alive: u16,
    /// CONNECT properties (5.0).
    pub properties: Properties<'a>,
    /// Client Identifier, possibly empty.
    pub client_id: Cow<'a, str>,
    /// The Will Message, if the Will Flag is 1.
    pub will: Option<Will<'a>>,
    /// User Name.
    pub user_name: Option<Cow<'a, str>>,
    /// Password.
    pub password: Option<Cow<'a, [u8]>>,
}

/// CONNACK (section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connack<'a> {
    /// Session Present; always false in 3.1, which has no such flag.
    pub session_present: bool,
    /// Connect Reason Code (5.0) or return code.
    pub reason: ReasonCode,
    /// Properties (5.0).
    pub properties: Properties<'a>,
}

/// PUBLISH (section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish<'a> {
    /// DUP: this is a re-delivery of an earlier attempt.
    pub dup: bool,
    /// QoS.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// Topic Name; empty in 5.0 where a Topic Alias stands for it.
    pub topic: Cow<'a, str>,
    /// Packet Identifier; present exactly if QoS is above 0.
    pub packet_id: Option<u16>,
    /// Properties (5.0).
    pub properties: Properties<'a>,
    /// Payload.
    pub payload: Cow<'a, [u8]>,
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP (sections 3.4 to 3.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack<'a> {
    /// Packet Identifier of the PUBLISH it belongs to.
    pub packet_id: u16,
    /// Reason Code (5.0); Success where the packet ends before it.
    pub reason: ReasonCode,
    /// Properties (5.0).
    pub properties: Properties<'a>,
}

impl Ack<'_> {
    /// The shortest acknowledgement: Success, no properties.
    pub fn success(packet_id: u16) -> Ack<'static> {
        Ack { packet_id, reason: ReasonCode::SUCCESS, properties: Properties::new() }
    }
}

/// Retain Handling of a subscription (5.0, section 3.8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum RetainHandling {
    /// 0: send retained messages at the time of the subscribe.
    #[default]
    Send = 0,
    /// 1: send them only if the subscription did not exist.
    SendIfNew = 1,
    /// 2: do not send them.
    DoNotSend = 2,
}

impl RetainHandling {
    /// The handling with this number; 3 is a Protocol Error (U5-33).
    pub const fn from_number(number: u8) -> Option<RetainHandling> {
        match number {
            0 => Some(RetainHandling::Send),
            1 => Some(RetainHandling::SendIfNew),
            2 => Some(RetainHandling::DoNotSend),
            _ => None,
        }
    }
}

/// Subscription Options (section 3.8.3.1); 3.1 and 3.1.1 have the QoS only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SubscriptionOptions {
    /// Maximum QoS of deliveries (requested QoS).
    pub qos: QoS,
    /// No Local.
    pub no_local: bool,
    /// Retain As Published.
    pub retain_as_published: bool,
    /// Retain Handling.
    pub retain_handling: RetainHandling,
}

impl SubscriptionOptions {
    /// The options byte on the wire.
    pub const fn byte(self) -> u8 {
        self.qos as u8
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << 4
    }
}

/// One Topic Filter of SUBSCRIBE with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// Topic Filter as sent, `$share/…` included.
    pub filter: Cow<'a, str>,
    /// Its options.
    pub options: SubscriptionOptions,
}

/// SUBSCRIBE (section 3.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Packet Identifier.
    pub packet_id: u16,
    /// Properties (5.0).
    pub properties: Properties<'a>,
    /// At least one Topic Filter.
    pub subscriptions: Vec<Subscription<'a>>,
}

/// SUBACK (section 3.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suback<'a> {
    /// Packet Identifier of the SUBSCRIBE.
    pub packet_id: u16,
    /// Properties (5.0).
    pub properties: Properties<'a>,
    /// One code for each Topic Filter, in order.
    pub reasons: Vec<ReasonCode>,
}

/// UNSUBSCRIBE (section 3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// Packet Identifier.
    pub packet_id: u16,
    /// Properties (5.0).
    pub properties: Properties<'a>,
    /// At least one Topic Filter.
    pub filters: Vec<Cow<'a, str>>,
}

/// UNSUBACK (section 3.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsuback<'a> {
    /// Packet Identifier of the UNSUBSCRIBE.
    pub packet_id: u16,
    /// Properties (5.0).
    pub properties: Properties<'a>,
    /// One code for each Topic Filter (5.0); empty in 3.1 and 3.1.1.
    pub reasons: Vec<ReasonCode>,
}

/// DISCONNECT (section 3.14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Reason Code (5.0); Normal disconnection where the packet ends before it.
    pub reason: ReasonCode,
    /// Properties (5.0).
    pub properties: Properties<'a>,
}

/// AUTH (5.0, section 3.15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Reason Code.
    pub reason: ReasonCode,
    /// Properties; the Authentication Method is among them.
    pub properties: Properties<'a>,
}

/// An MQTT Control Packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant wraps the type of the same name")]
pub enum Packet<'a> {
    Connect(Box<Connect<'a>>),
    Connack(Connack<'a>),
    Publish(Publish<'a>),
    Puback(Ack<'a>),
    Pubrec(Ack<'a>),
    Pubrel(Ack<'a>),
    Pubcomp(Ack<'a>),
    Subscribe(Subscribe<'a>),
    Suback(Suback<'a>),
    Unsubscribe(Unsubscribe<'a>),
    Unsuback(Unsuback<'a>),
    Pingreq,
    Pingresp,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

impl<'a> Packet<'a> {
    /// The type of this packet.
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Packet::Connect(_) => PacketType::Connect,
            Packet::Connack(_) => PacketType::Connack,
            Packet::Publish(_) => PacketType::Publish,
            Packet::Puback(_) => PacketType::Puback,
            Packet::Pubrec(_) => PacketType::Pubrec,
            Packet::Pubrel(_) => PacketType::Pubrel,
            Packet::Pubcomp(_) => PacketType::Pubcomp,
            Packet::Subscribe(_) => PacketType::Subscribe,
            Packet::Suback(_) => PacketType::Suback,
            Packet::Unsubscribe(_) => PacketType::Unsubscribe,
            Packet::Unsuback(_) => PacketType::Unsuback,
            Packet::Pingreq => PacketType::Pingreq,
            Packet::Pingresp => PacketType::Pingresp,
            Packet::Disconnect(_) => PacketType::Disconnect,
            Packet::Auth(_) => PacketType::Auth,
        }
    }

    /// The Packet Identifier, where this packet has one.
    pub const fn packet_id(&self) -> Option<u16> {
        match self {
            Packet::Publish(publish) => publish.packet_id,
            Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
                Some(ack.packet_id)
            }
            Packet::Subscribe(subscribe) => Some(subscribe.packet_id),
            Packet::Suback(suback) => Some(suback.packet_id),
            Packet::Unsubscribe(unsubscribe) => Some(unsubscribe.packet_id),
            Packet::Unsuback(unsuback) => Some(unsuback.packet_id),
            _ => None,
        }
    }

    /// The properties, where this type of packet has any.
    pub const fn properties(&self) -> Option<&Properties<'a>> {
        match self {
            Packet::Connect(connect) => Some(&connect.properties),
            Packet::Connack(connack) => Some(&connack.properties),
            Packet::Publish(publish) => Some(&publish.properties),
            Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
                Some(&ack.properties)
            }
            Packet::Subscribe(subscribe) => Some(&subscribe.properties),
            Packet::Suback(suback) => Some(&suback.properties),
            Packet::Unsubscribe(unsubscribe) => Some(&unsubscribe.properties),
            Packet::Unsuback(unsuback) => Some(&unsuback.properties),
            Packet::Disconnect(disconnect) => Some(&disconnect.properties),
            Packet::Auth(auth) => Some(&auth.properties),
            Packet::Pingreq | Packet::Pingresp => None,
        }
    }

    /// The same packet, owning all of its text and bytes.
    pub fn into_owned(self) -> Packet<'static> {
        fn ack(ack: Ack<'_>) -> Ack<'static> {
            Ack { packet_id: ack.packet_id, reason: ack.reason, properties: ack.properties.into_owned() }
        }
        match self {
            Packet::Connect(connect) => Packet::Connect(Box::new(connect.into_owned())),
            Packet::Connack(connack) => Packet::Connack(Connack {
                session_present: connack.session_present,
                reason: connack.reason,
                properties: connack.properties.into_owned(),
            }),
            Packet::Publish(publish) => Packet::Publish(publish.into_owned()),
            Packet::Puback(it) => Packet::Puback(ack(it)),
            Packet::Pubrec(it) => Packet::Pubrec(ack(it)),
            Packet::Pubrel(it) => Packet::Pubrel(ack(it)),
            Packet::Pubcomp(it) => Packet::Pubcomp(ack(it)),
            Packet::Subscribe(subscribe) => Packet::Subscribe(Subscribe {
                packet_id: subscribe.packet_id,
                properties: subscribe.properties.into_owned(),
                subscriptions: subscribe
                    .subscriptions
                    .into_iter()
                    .map(|it| Subscription { filter: own_str(it.filter), options: it.options })
                    .collect(),
            }),
            Packet::Suback(suback) => Packet::Suback(Suback {
                packet_id: suback.packet_id,
                properties: suback.properties.into_owned(),
                reasons: suback.reasons,
            }),
            Packet::Unsubscribe(unsubscribe) => Packet::Unsubscribe(Unsubscribe {
                packet_id: unsubscribe.packet_id,
                properties: unsubscribe.properties.into_owned(),
                filters: unsubscribe.filters.into_iter().map(own_str).collect(),
            }),
            Packet::Unsuback(unsuback) => Packet::Unsuback(Unsuback {
                packet_id: unsuback.packet_id,
                properties: unsuback.properties.into_owned(),
                reasons: unsuback.reasons,
            }),
            Packet::Pingreq => Packet::Pingreq,
            Packet::Pingresp => Packet::Pingresp,
            Packet::Disconnect(disconnect) => Packet::Disconnect(Disconnect {
                reason: disconnect.reason,
                properties: disconnect.properties.into_owned(),
            }),
            Packet::Auth(auth) => {
                Packet::Auth(Auth { reason: auth.reason, properties: auth.properties.into_owned() })
            }
        }
    }
}

impl Connect<'_> {
    /// The same CONNECT, owning all of its text and bytes.
    pub fn into_owned(self) -> Connect<'static> {
        Connect {
            version: self.version,
            clean_start: self.clean_start,
            keep_alive: self.keep_alive,
            properties: self.properties.into_owned(),
            client_id: own_str(self.client_id),
            will: self.will.map(Will::into_owned),
            user_name: self.user_name.map(own_str),
            password: self.password.map(own_bytes),
        }
    }
}

impl Will<'_> {
    /// The same Will Message, owning all of its text and bytes.
    pub fn into_owned(self) -> Will<'static> {
        Will {
            qos: self.qos,
            retain: self.retain,
            properties: self.properties.into_owned(),
            topic: own_str(self.topic),
            payload: own_bytes(self.payload),
        }
    }
}

impl Publish<'_> {
    /// The same PUBLISH, owning all of its text and bytes.
    pub fn into_owned(self) -> Publish<'static> {
        Publish {
            dup: self.dup,
            qos: self.qos,
            retain: self.retain,
            topic: own_str(self.topic),
            packet_id: self.packet_id,
            properties: self.properties.into_owned(),
            payload: own_bytes(self.payload),
        }
    }
}

fn own_str(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

fn own_bytes(bytes: Cow<'_, [u8]>) -> Cow<'static, [u8]> {
    Cow::Owned(bytes.into_owned())
}
