//! What a client can do wrong with packets that are well-formed, and why a connection ends.

use super::session::SessionId;
use crate::codec::{DecodeError, PacketType, PropertyId, ReasonCode};

/// A packet that is well-formed and still not allowed: on this connection, in this state, from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// The first packet is not CONNECT (MQTT-3.1.0-1).
    FirstPacketNotConnect,
    /// A second CONNECT (MQTT-3.1.0-2).
    SecondConnect,
    /// A packet that only a server sends (U5-48, U3-14).
    WrongDirection(PacketType),
    /// A packet other than AUTH and DISCONNECT before the authentication is over (MQTT-3.1.2-30).
    PacketDuringAuthentication,
    /// A reason that only a server may give (MQTT-3.14.2-1, MQTT-3.15.2-1).
    ServerReason(ReasonCode),
    /// A property that only a server may send.
    ServerProperty(PropertyId),
    /// A Topic Name with a wildcard (MQTT-3.3.2-2).
    TopicName,
    /// A topic with a code point that this server does not take (U3-01, U5-02).
    DisallowedCodePoint,
    /// A Response Topic that is no Topic Name (MQTT-3.3.2-14).
    ResponseTopic,
    /// A malformed Topic Filter (MQTT-4.7.1-1 to -3, MQTT-4.8.2-1 and -2).
    TopicFilter,
    /// No Local on a shared subscription (MQTT-3.8.3-4).
    NoLocalOnShared,
    /// A Subscription Identifier from a client (MQTT-3.3.4-6).
    SubscriptionIdentifierFromClient,
    /// A Topic Alias above the Topic Alias Maximum (U5-26).
    TopicAliasTooLarge,
    /// A Topic Alias that stands for nothing (U5-27).
    TopicAliasUnknown,
    /// QoS above the Maximum QoS (U5-16).
    QosNotSupported,
    /// RETAIN although retained messages are not supported (U5-17).
    RetainNotSupported,
    /// More QoS 1 and 2 messages than the Receive Maximum (U5-29).
    ReceiveMaximumExceeded,
    /// A packet above the Maximum Packet Size (U5-18).
    PacketTooLarge,
    /// A wildcard although they are not supported (U5-19).
    WildcardsNotSupported,
    /// A Subscription Identifier although they are not supported (U5-20).
    SubscriptionIdentifiersNotSupported,
    /// A shared subscription although they are not supported (U5-21).
    SharedNotSupported,
    /// DISCONNECT sets a Session Expiry Interval that was 0 (U5-36).
    SessionExpiryRaised,
    /// AUTH without an Authentication Method in CONNECT (MQTT-4.12.0-7).
    AuthWithoutMethod,
    /// AUTH with another Authentication Method than CONNECT (MQTT-4.12.0-5).
    AuthMethodChanged,
    /// AUTH with a reason that does not fit the state (MQTT-4.12.0-3, MQTT-4.12.1-1).
    AuthOutOfTurn,
    /// A publish that is not allowed to this user (U5-90).
    PublishDenied,
    /// A publish to a `$` topic (U5-41).
    DollarTopic,
    /// A payload that contradicts its Payload Format Indicator (U5-13).
    PayloadFormat,
    /// A QoS 2 PUBLISH repeated on the same connection (MQTT-4.4.0-1).
    RepeatedPublish,
    /// A Packet Identifier that another exchange uses (MQTT-2.2.1-3).
    IdentifierInUse,
    /// A Packet Identifier that no exchange uses.
    IdentifierUnknown,
}

impl Violation {
    /// The reason of 5.0 for DISCONNECT or CONNACK.
    pub const fn reason(self) -> ReasonCode {
        match self {
            Violation::TopicName | Violation::DollarTopic => ReasonCode::TOPIC_NAME_INVALID,
            Violation::DisallowedCodePoint => ReasonCode::MALFORMED_PACKET,
            Violation::TopicFilter => ReasonCode::TOPIC_FILTER_INVALID,
            Violation::TopicAliasTooLarge => ReasonCode::TOPIC_ALIAS_INVALID,
            Violation::QosNotSupported => ReasonCode::QOS_NOT_SUPPORTED,
            Violation::RetainNotSupported => ReasonCode::RETAIN_NOT_SUPPORTED,
            Violation::ReceiveMaximumExceeded => ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
            Violation::PacketTooLarge => ReasonCode::PACKET_TOO_LARGE,
            Violation::WildcardsNotSupported => ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
            Violation::SubscriptionIdentifiersNotSupported => {
                ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED
            }
            Violation::SharedNotSupported => ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
            Violation::PublishDenied => ReasonCode::NOT_AUTHORIZED,
            Violation::PayloadFormat => ReasonCode::PAYLOAD_FORMAT_INVALID,
            _ => ReasonCode::PROTOCOL_ERROR,
        }
    }

    /// A sentence for the Reason String.
    pub const fn text(self) -> &'static str {
        match self {
            Violation::FirstPacketNotConnect => "the first packet must be CONNECT",
            Violation::SecondConnect => "a second CONNECT",
            Violation::WrongDirection(_) => "a packet that only a server sends",
            Violation::PacketDuringAuthentication => "only AUTH and DISCONNECT before CONNACK",
            Violation::ServerReason(_) => "a reason that only a server may give",
            Violation::ServerProperty(_) => "a property that only a server may send",
            Violation::TopicName => "a wildcard in a Topic Name",
            Violation::DisallowedCodePoint => "a control character or non-character",
            Violation::ResponseTopic => "the Response Topic is no Topic Name",
            Violation::TopicFilter => "a malformed Topic Filter",
            Violation::NoLocalOnShared => "No Local on a shared subscription",
            Violation::SubscriptionIdentifierFromClient => "a Subscription Identifier from a client",
            Violation::TopicAliasTooLarge => "above the Topic Alias Maximum",
            Violation::TopicAliasUnknown => "an unknown Topic Alias",
            Violation::QosNotSupported => "above the Maximum QoS",
            Violation::RetainNotSupported => "retained messages are not supported",
            Violation::ReceiveMaximumExceeded => "above the Receive Maximum",
            Violation::PacketTooLarge => "above the Maximum Packet Size",
            Violation::WildcardsNotSupported => "wildcards are not supported",
            Violation::SubscriptionIdentifiersNotSupported => "Subscription Identifiers are not supported",
            Violation::SharedNotSupported => "shared subscriptions are not supported",
            Violation::SessionExpiryRaised => "Session Expiry Interval was 0 in CONNECT",
            Violation::AuthWithoutMethod => "AUTH without Authentication Method in CONNECT",
            Violation::AuthMethodChanged => "another Authentication Method than in CONNECT",
            Violation::AuthOutOfTurn => "AUTH out of turn",
            Violation::PublishDenied => "not allowed to publish here",
            Violation::DollarTopic => "topics that begin with $ are the server's",
            Violation::PayloadFormat => "the payload is not UTF-8",
            Violation::RepeatedPublish => "PUBLISH repeated on a live connection",
            Violation::IdentifierInUse => "Packet Identifier in use",
            Violation::IdentifierUnknown => "Packet Identifier not found",
        }
    }
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The transport went away.
    Lost,
    /// DISCONNECT from the client; `will` if it did not ask for its will to be dropped.
    Disconnected { will: bool },
    /// A packet that cannot be decoded.
    Malformed(DecodeError),
    /// A packet that is not allowed.
    Violation(Violation),
    /// Nothing came for one and a half times the keep alive.
    KeepAlive,
    /// No CONNECT in time.
    NoConnect,
    /// Another connection has taken the session.
    TakenOver,
    /// CONNECT was refused, and that has been said as far as it can be.
    Refused,
    /// A re-authentication failed, with this reason.
    Reauthentication(ReasonCode),
    /// The server stops.
    Shutdown,
}

impl End {
    /// The reason of DISCONNECT and a sentence for it, where the server is the one that ends it.
    pub(crate) fn notice(self) -> Option<(ReasonCode, &'static str)> {
        match self {
            End::Lost | End::Disconnected { .. } | End::NoConnect | End::Refused => None,
            // Only CONNACK has 0x84: where a CONNECT comes second, its version is the least that is wrong (MQTT-3.1.0-2).
            End::Malformed(error) if error.rule.reason() == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION => {
                Some((ReasonCode::PROTOCOL_ERROR, "a second CONNECT"))
            }
            End::Malformed(error) => Some((error.rule.reason(), "the packet breaks the format")),
            End::Violation(violation) => Some((violation.reason(), violation.text())),
            End::KeepAlive => Some((ReasonCode::KEEP_ALIVE_TIMEOUT, "nothing came in time")),
            End::TakenOver => Some((ReasonCode::SESSION_TAKEN_OVER, "another connection took the session")),
            End::Reauthentication(reason) => Some((reason, "the re-authentication failed")),
            End::Shutdown => Some((ReasonCode::SERVER_SHUTTING_DOWN, "the server stops")),
        }
    }
}

/// A moment in the life of the broker at which the state is complete and consistent. Nothing happens at it
/// in an ordinary build; see [`seam`](super::seam).
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "defects"), allow(dead_code, reason = "only defects look at it"))]
pub(crate) enum Moment {
    /// A session is about to be discarded because of a clean start.
    CleanStart(SessionId),
    /// A new connection is about to be given to a session that exists.
    Resuming(SessionId),
    /// What a resumed session is owed has been sent, as far as it may.
    Resumed(SessionId),
    /// CONNACK has been sent; `present` if the session existed.
    Connected { session: SessionId, present: bool },
    /// A connection is about to be taken from its session.
    Ending { session: SessionId, end: End },
    /// A connection has been closed.
    Closed(End),
    /// A SUBSCRIBE has been carried out.
    Subscribed(SessionId),
    /// An UNSUBSCRIBE has been carried out.
    Unsubscribed(SessionId),
    /// A session is about to end.
    SessionEnding(SessionId),
}
