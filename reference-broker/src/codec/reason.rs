//! Reason Codes of MQTT 5.0 (table 2-6 and the tables of the packets) and the return codes of 3.1.1.

use std::fmt;

use super::packet::{PacketType, ProtocolVersion};

/// A Reason Code (5.0) or return code (3.1, 3.1.1) as it stands on the wire.
///
/// What a value means depends on the packet and the version; [`ReasonCode::name`] says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ReasonCode(pub u8);

/// Who may send a Reason Code in a packet type that travels both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The server only.
    Server,
    /// The client only.
    Client,
    /// Either side.
    Both,
}

/// One row of the table of Reason Codes: a value, its name, and the packets that may carry it.
#[derive(Debug, Clone, Copy)]
pub struct ReasonRow {
    /// The value on the wire.
    pub code: ReasonCode,
    /// The name in the standard.
    pub name: &'static str,
    /// The packets that may carry it, and who may then send it.
    pub packets: &'static [(PacketType, Sender)],
}

macro_rules! reason_codes {
    ($($constant:ident = $value:literal, $name:literal, [$($packet:ident $sender:ident),*];)*) => {
        #[allow(missing_docs, reason = "the standard's names say it")]
        impl ReasonCode {
            $(pub const $constant: ReasonCode = ReasonCode($value);)*
        }
        static TABLE: &[ReasonRow] = &[
            $(ReasonRow {
                code: ReasonCode($value),
                name: $name,
                packets: &[$((PacketType::$packet, Sender::$sender)),*],
            },)*
        ];
    };
}

reason_codes! {
    SUCCESS = 0x00, "Success", [Connack Server, Puback Both, Pubrec Both, Pubrel Both, Pubcomp Both, Unsuback Server, Auth Server];
    NORMAL_DISCONNECTION = 0x00, "Normal disconnection", [Disconnect Both];
    GRANTED_QOS_0 = 0x00, "Granted QoS 0", [Suback Server];
    GRANTED_QOS_1 = 0x01, "Granted QoS 1", [Suback Server];
    GRANTED_QOS_2 = 0x02, "Granted QoS 2", [Suback Server];
    DISCONNECT_WITH_WILL = 0x04, "Disconnect with Will Message", [Disconnect Client];
    NO_MATCHING_SUBSCRIBERS = 0x10, "No matching subscribers", [Puback Server, Pubrec Server];
    NO_SUBSCRIPTION_EXISTED = 0x11, "No subscription existed", [Unsuback Server];
    CONTINUE_AUTHENTICATION = 0x18, "Continue authentication", [Auth Both];
    RE_AUTHENTICATE = 0x19, "Re-authenticate", [Auth Client];
    UNSPECIFIED_ERROR = 0x80, "Unspecified error", [Connack Server, Puback Both, Pubrec Both, Suback Server, Unsuback Server, Disconnect Both];
    MALFORMED_PACKET = 0x81, "Malformed Packet", [Connack Server, Disconnect Both];
    PROTOCOL_ERROR = 0x82, "Protocol Error", [Connack Server, Disconnect Both];
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83, "Implementation specific error", [Connack Server, Puback Both, Pubrec Both, Suback Server, Unsuback Server, Disconnect Both];
    UNSUPPORTED_PROTOCOL_VERSION = 0x84, "Unsupported Protocol Version", [Connack Server];
    CLIENT_IDENTIFIER_NOT_VALID = 0x85, "Client Identifier not valid", [Connack Server];
    BAD_USER_NAME_OR_PASSWORD = 0x86, "Bad User Name or Password", [Connack Server];
    NOT_AUTHORIZED = 0x87, "Not authorized", [Connack Server, Puback Both, Pubrec Both, Suback Server, Unsuback Server, Disconnect Server];
    SERVER_UNAVAILABLE = 0x88, "Server unavailable", [Connack Server];
    SERVER_BUSY = 0x89, "Server busy", [Connack Server, Disconnect Server];
    BANNED = 0x8A, "Banned", [Connack Server];
    SERVER_SHUTTING_DOWN = 0x8B, "Server shutting down", [Disconnect Server];
    // Table 2-6 allows 0x8C on DISCONNECT, the table of DISCONNECT does not list it; taken from a server.
    BAD_AUTHENTICATION_METHOD = 0x8C, "Bad authentication method", [Connack Server, Disconnect Server];
    KEEP_ALIVE_TIMEOUT = 0x8D, "Keep Alive timeout", [Disconnect Server];
    SESSION_TAKEN_OVER = 0x8E, "Session taken over", [Disconnect Server];
    TOPIC_FILTER_INVALID = 0x8F, "Topic Filter invalid", [Suback Server, Unsuback Server, Disconnect Server];
    TOPIC_NAME_INVALID = 0x90, "Topic Name invalid", [Connack Server, Puback Both, Pubrec Both, Disconnect Both];
    PACKET_IDENTIFIER_IN_USE = 0x91, "Packet Identifier in use", [Puback Both, Pubrec Both, Suback Server, Unsuback Server];
    PACKET_IDENTIFIER_NOT_FOUND = 0x92, "Packet Identifier not found", [Pubrel Both, Pubcomp Both];
    RECEIVE_MAXIMUM_EXCEEDED = 0x93, "Receive Maximum exceeded", [Disconnect Both];
    TOPIC_ALIAS_INVALID = 0x94, "Topic Alias invalid", [Disconnect Both];
    PACKET_TOO_LARGE = 0x95, "Packet too large", [Connack Server, Disconnect Both];
    MESSAGE_RATE_TOO_HIGH = 0x96, "Message rate too high", [Disconnect Both];
    QUOTA_EXCEEDED = 0x97, "Quota exceeded", [Connack Server, Puback Both, Pubrec Both, Suback Server, Disconnect Both];
    ADMINISTRATIVE_ACTION = 0x98, "Administrative action", [Disconnect Both];
    PAYLOAD_FORMAT_INVALID = 0x99, "Payload format invalid", [Connack Server, Puback Both, Pubrec Both, Disconnect Both];
    RETAIN_NOT_SUPPORTED = 0x9A, "Retain not supported", [Connack Server, Disconnect Server];
    QOS_NOT_SUPPORTED = 0x9B, "QoS not supported", [Connack Server, Disconnect Server];
    USE_ANOTHER_SERVER = 0x9C, "Use another server", [Connack Server, Disconnect Server];
    SERVER_MOVED = 0x9D, "Server moved", [Connack Server, Disconnect Server];
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E, "Shared Subscriptions not supported", [Suback Server, Disconnect Server];
    CONNECTION_RATE_EXCEEDED = 0x9F, "Connection rate exceeded", [Connack Server, Disconnect Server];
    MAXIMUM_CONNECT_TIME = 0xA0, "Maximum connect time", [Disconnect Server];
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1, "Subscription Identifiers not supported", [Suback Server, Disconnect Server];
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2, "Wildcard Subscriptions not supported", [Suback Server, Disconnect Server];
}

/// Return codes of CONNACK in 3.1 and 3.1.1 (table 3.1), by value.
static RETURN_CODES: [&str; 6] = [
    "Connection Accepted",
    "unacceptable protocol version",
    "identifier rejected",
    "Server unavailable",
    "bad user name or password",
    "not authorized",
];

/// The name of a return code: CONNACK and SUBACK of 3.1 and 3.1.1.
pub fn return_code_name(packet: PacketType, code: ReasonCode) -> Option<&'static str> {
    match packet {
        PacketType::Connack => RETURN_CODES.get(usize::from(code.0)).copied(),
        PacketType::Suback => match code.0 {
            0 => Some("Granted QoS 0"),
            1 => Some("Granted QoS 1"),
            2 => Some("Granted QoS 2"),
            0x80 => Some("Failure"),
            _ => None,
        },
        _ => None,
    }
}

impl ReasonCode {
    /// Return code 1 of CONNACK in 3.1 and 3.1.1.
    pub const V3_UNACCEPTABLE_PROTOCOL_VERSION: ReasonCode = ReasonCode(1);
    /// Return code 2 of CONNACK in 3.1 and 3.1.1.
    pub const V3_IDENTIFIER_REJECTED: ReasonCode = ReasonCode(2);
    /// Return code 3 of CONNACK in 3.1 and 3.1.1.
    pub const V3_SERVER_UNAVAILABLE: ReasonCode = ReasonCode(3);
    /// Return code 4 of CONNACK in 3.1 and 3.1.1.
    pub const V3_BAD_USER_NAME_OR_PASSWORD: ReasonCode = ReasonCode(4);
    /// Return code 5 of CONNACK in 3.1 and 3.1.1.
    pub const V3_NOT_AUTHORIZED: ReasonCode = ReasonCode(5);
    /// The failure code of SUBACK in 3.1.1.
    pub const V3_FAILURE: ReasonCode = ReasonCode(0x80);

    /// The table of Reason Codes of 5.0, one row per value and name, in the order of the standard.
    pub fn table() -> &'static [ReasonRow] {
        TABLE
    }

    /// Whether this is a failure: 0x80 or more.
    pub const fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// Whether packets of this type may carry the code, whoever sends it.
    pub fn allowed_in(self, packet: PacketType, version: ProtocolVersion) -> bool {
        if version == ProtocolVersion::V5 {
            // Success on an acknowledgement is by far the most frequent question.
            (self.0 == 0 && packet != PacketType::Auth) || self.row(packet).is_some()
        } else {
            return_code_name(packet, self).is_some()
        }
    }

    /// Whether `sender` may put the code on a packet of this type (5.0).
    pub fn allowed_from(self, packet: PacketType, from_server: bool) -> bool {
        self.row(packet).is_some_and(|row| {
            row.packets.iter().any(|(kind, sender)| {
                *kind == packet
                    && match sender {
                        Sender::Both => true,
                        Sender::Server => from_server,
                        Sender::Client => !from_server,
                    }
            })
        })
    }

    /// The name in a packet of this type and version.
    pub fn name(self, packet: PacketType, version: ProtocolVersion) -> Option<&'static str> {
        if version == ProtocolVersion::V5 {
            self.row(packet).map(|row| row.name)
        } else {
            return_code_name(packet, self)
        }
    }

    /// The code with this name in 5.0, in any packet.
    pub fn from_name(name: &str) -> Option<ReasonCode> {
        TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(name)).map(|row| row.code)
    }

    fn row(self, packet: PacketType) -> Option<&'static ReasonRow> {
        TABLE.iter().find(|row| row.code == self && row.packets.iter().any(|(kind, _)| *kind == packet))
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02X}", self.0)
    }
}
