//! The fields that steps can name, from one table: how they are written, what they hold, where they belong.
//!
//! The table serves the reader of scenario files (unknown words, nearest right word), the JSON Schema, the
//! packets that steps send and the patterns that steps expect.

use std::time::Duration;

use reference_broker::codec::{PacketType, PropertyId};

use crate::text::NodeId;

use super::transport::Framing;

/// A field of a Control Packet or of a client's options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the table says each")]
pub enum Field {
    Session,
    Protocol,
    Acknowledge,
    Transport,
    Frames,
    Subprotocols,
    CleanStart,
    KeepAlive,
    ClientId,
    UserName,
    Password,
    Will,
    SessionPresent,
    Reason,
    Reasons,
    Dup,
    Qos,
    Retain,
    Topic,
    PacketId,
    Payload,
    PayloadSize,
    Filters,
    NoLocal,
    RetainAsPublished,
    RetainHandling,
    WillDelay,
    Property(PropertyId),
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum FieldKind {
    Flag,
    Number {
        max: u64,
    },
    Text,
    /// A duration in whole seconds, or `never`.
    Seconds,
    /// A reason code by number or name.
    Reason,
    /// One reason code for each Topic Filter.
    Reasons,
    /// Name and value pairs.
    Pairs,
    /// Topic Filters with options.
    Filters,
    /// A number or a remembered name.
    PacketId,
    /// The fields of a Will Message, or `none`.
    Will,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One number or several.
    Numbers,
    /// A list of texts.
    Texts,
}

/// Where a field belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The options of a client, which are the fields of CONNECT.
    Client,
    /// The Will Message.
    Will,
    /// One Topic Filter of a subscription.
    Filter,
    /// A Control Packet.
    Packet(PacketType),
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct FieldRow {
    /// How the field is written.
    pub name: &'static str,
    /// The field.
    pub field: Field,
    /// What it holds.
    pub kind: FieldKind,
    /// Where it belongs.
    pub places: &'static [Place],
    /// Whether only 5.0 has it.
    pub v5: bool,
    /// What it is, for the schema.
    pub what: &'static str,
}

use FieldKind::{Flag, Number, Pairs, Seconds, Text};
use PacketType as P;
use Place::{Client, Filter, Packet};
use PropertyId as Id;

const fn row(
    name: &'static str,
    field: Field,
    kind: FieldKind,
    places: &'static [Place],
    what: &'static str,
) -> FieldRow {
    let v5 = matches!(
        field,
        Field::Property(_)
            | Field::NoLocal
            | Field::RetainAsPublished
            | Field::RetainHandling
            | Field::WillDelay
    );
    FieldRow { name, field, kind, places, v5, what }
}

const fn property(name: &'static str, id: PropertyId, kind: FieldKind, places: &'static [Place]) -> FieldRow {
    row(name, Field::Property(id), kind, places, id.row().name)
}

const U16: FieldKind = Number { max: 65_535 };
const U32: FieldKind = Number { max: 4_294_967_295 };
const BIT: FieldKind = Number { max: 255 };
const MESSAGE: &[Place] = &[Packet(P::Publish), Place::Will];
const SUBSCRIPTION: &[Place] = &[Packet(P::Subscribe), Filter];
const ACKS: &[Place] = &[
    Packet(P::Connack),
    Packet(P::Puback),
    Packet(P::Pubrec),
    Packet(P::Pubrel),
    Packet(P::Pubcomp),
    Packet(P::Disconnect),
    Packet(P::Auth),
];

/// The table of fields.
pub static FIELDS: &[FieldRow] = &[
    row(
        "session",
        Field::Session,
        FieldKind::Word(&["clean", "persistent"]),
        &[Client],
        "clean, or kept for as long as the broker keeps it",
    ),
    row(
        "protocol",
        Field::Protocol,
        FieldKind::Word(&["3.1", "3.1.1", "5.0"]),
        &[Client],
        "the client's protocol version, if not the one under test",
    ),
    row(
        "acknowledge",
        Field::Acknowledge,
        FieldKind::Word(&["automatic", "by_script"]),
        &[Client],
        "whether the client acknowledges by itself",
    ),
    row(
        "transport",
        Field::Transport,
        FieldKind::Word(&["tcp", "websocket"]),
        &[Client],
        "what carries the client's bytes",
    ),
    row(
        "frames",
        Field::Frames,
        FieldKind::Word(Framing::WORDS),
        &[Client],
        "how the client puts packets into WebSocket frames",
    ),
    row(
        "subprotocols",
        Field::Subprotocols,
        FieldKind::Texts,
        &[Client],
        "the WebSocket subprotocols that the client offers; by itself mqtt",
    ),
    row("clean_start", Field::CleanStart, Flag, &[Client], "Clean Start; CleanSession in 3.1.1"),
    row("keep_alive", Field::KeepAlive, Seconds, &[Client], "Keep Alive; 0s turns it off"),
    row("client_id", Field::ClientId, Text, &[Client], "Client Identifier"),
    row("user_name", Field::UserName, Text, &[Client], "User Name"),
    row("password", Field::Password, Text, &[Client], "Password"),
    row("will", Field::Will, FieldKind::Will, &[Client], "the Will Message, or none"),
    row("session_present", Field::SessionPresent, Flag, &[Packet(P::Connack)], "Session Present"),
    row("reason", Field::Reason, FieldKind::Reason, ACKS, "Reason Code or return code, by number or name"),
    row(
        "reasons",
        Field::Reasons,
        FieldKind::Reasons,
        &[Packet(P::Suback), Packet(P::Unsuback)],
        "one code for each Topic Filter",
    ),
    row("dup", Field::Dup, Flag, &[Packet(P::Publish)], "DUP"),
    row(
        "qos",
        Field::Qos,
        Number { max: 2 },
        &[Packet(P::Publish), Packet(P::Subscribe), Filter, Place::Will],
        "QoS",
    ),
    row("retain", Field::Retain, Flag, MESSAGE, "RETAIN"),
    row("topic", Field::Topic, Text, MESSAGE, "Topic Name"),
    row(
        "packet_id",
        Field::PacketId,
        FieldKind::PacketId,
        &[
            Packet(P::Publish),
            Packet(P::Puback),
            Packet(P::Pubrec),
            Packet(P::Pubrel),
            Packet(P::Pubcomp),
            Packet(P::Subscribe),
            Packet(P::Suback),
            Packet(P::Unsubscribe),
            Packet(P::Unsuback),
        ],
        "Packet Identifier, or the name of a remembered one",
    ),
    row("payload", Field::Payload, Text, MESSAGE, "the Application Message"),
    row(
        "payload_size",
        Field::PayloadSize,
        Number { max: 200_000_000 },
        MESSAGE,
        "a payload of that many bytes",
    ),
    row(
        "filters",
        Field::Filters,
        FieldKind::Filters,
        &[Packet(P::Subscribe), Packet(P::Unsubscribe)],
        "Topic Filters",
    ),
    row("no_local", Field::NoLocal, Flag, SUBSCRIPTION, "No Local"),
    row("retain_as_published", Field::RetainAsPublished, Flag, SUBSCRIPTION, "Retain As Published"),
    row("retain_handling", Field::RetainHandling, Number { max: 2 }, SUBSCRIPTION, "Retain Handling"),
    row("delay", Field::WillDelay, Seconds, &[Place::Will], "Will Delay Interval"),
    property("payload_format", Id::PayloadFormatIndicator, BIT, MESSAGE),
    property("message_expiry", Id::MessageExpiryInterval, Seconds, MESSAGE),
    property("content_type", Id::ContentType, Text, MESSAGE),
    property("response_topic", Id::ResponseTopic, Text, MESSAGE),
    property("correlation_data", Id::CorrelationData, Text, MESSAGE),
    property(
        "subscription_identifier",
        Id::SubscriptionIdentifier,
        FieldKind::Numbers,
        &[Packet(P::Publish), Packet(P::Subscribe)],
    ),
    property(
        "session_expiry",
        Id::SessionExpiryInterval,
        Seconds,
        &[Client, Packet(P::Connack), Packet(P::Disconnect)],
    ),
    property("assigned_client_identifier", Id::AssignedClientIdentifier, Text, &[Packet(P::Connack)]),
    property("server_keep_alive", Id::ServerKeepAlive, Seconds, &[Packet(P::Connack)]),
    property(
        "authentication_method",
        Id::AuthenticationMethod,
        Text,
        &[Client, Packet(P::Connack), Packet(P::Auth)],
    ),
    property(
        "authentication_data",
        Id::AuthenticationData,
        Text,
        &[Client, Packet(P::Connack), Packet(P::Auth)],
    ),
    property("request_problem_information", Id::RequestProblemInformation, Flag, &[Client]),
    property("request_response_information", Id::RequestResponseInformation, Flag, &[Client]),
    property("response_information", Id::ResponseInformation, Text, &[Packet(P::Connack)]),
    property("server_reference", Id::ServerReference, Text, &[Packet(P::Connack), Packet(P::Disconnect)]),
    property(
        "reason_string",
        Id::ReasonString,
        Text,
        &[
            Packet(P::Connack),
            Packet(P::Puback),
            Packet(P::Pubrec),
            Packet(P::Pubrel),
            Packet(P::Pubcomp),
            Packet(P::Suback),
            Packet(P::Unsuback),
            Packet(P::Disconnect),
            Packet(P::Auth),
        ],
    ),
    property("receive_maximum", Id::ReceiveMaximum, U16, &[Client, Packet(P::Connack)]),
    property("topic_alias_maximum", Id::TopicAliasMaximum, U16, &[Client, Packet(P::Connack)]),
    property("topic_alias", Id::TopicAlias, U16, &[Packet(P::Publish)]),
    property("maximum_qos", Id::MaximumQoS, BIT, &[Packet(P::Connack)]),
    property("retain_available", Id::RetainAvailable, BIT, &[Packet(P::Connack)]),
    property(
        "user_properties",
        Id::UserProperty,
        Pairs,
        &[
            Client,
            Place::Will,
            Packet(P::Connack),
            Packet(P::Publish),
            Packet(P::Puback),
            Packet(P::Pubrec),
            Packet(P::Pubrel),
            Packet(P::Pubcomp),
            Packet(P::Subscribe),
            Packet(P::Suback),
            Packet(P::Unsubscribe),
            Packet(P::Unsuback),
            Packet(P::Disconnect),
            Packet(P::Auth),
        ],
    ),
    property("maximum_packet_size", Id::MaximumPacketSize, U32, &[Client, Packet(P::Connack)]),
    property(
        "wildcard_subscription_available",
        Id::WildcardSubscriptionAvailable,
        BIT,
        &[Packet(P::Connack)],
    ),
    property(
        "subscription_identifier_available",
        Id::SubscriptionIdentifierAvailable,
        BIT,
        &[Packet(P::Connack)],
    ),
    property("shared_subscription_available", Id::SharedSubscriptionAvailable, BIT, &[Packet(P::Connack)]),
];

impl Place {
    /// The rows that belong here.
    pub fn rows(self) -> impl Iterator<Item = &'static FieldRow> {
        FIELDS.iter().filter(move |row| row.places.contains(&self))
    }

    /// The row with this name that belongs here.
    pub fn row(self, name: &str) -> Option<&'static FieldRow> {
        self.rows().find(|row| row.name == name)
    }
}

impl Field {
    /// How the field is written, in a message.
    pub fn name(self) -> &'static str {
        FIELDS.iter().find(|row| row.field == self).map_or("field", |row| row.name)
    }
}

/// A value in a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// True or false.
    Flag(bool),
    /// A number.
    Number(u64),
    /// Text.
    Text(String),
    /// A reason code by name; its number depends on packet and version.
    ReasonName(String),
    /// Name and value pairs.
    Pairs(Vec<(String, String)>),
    /// Several values.
    List(Vec<Value>),
    /// Topic Filters with their options.
    Filters(Vec<FilterSpec>),
    /// The fields of a Will Message.
    Will(Vec<FieldValue>),
    /// Nothing, said with `none`.
    Nothing,
}

/// A field and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldValue {
    /// The field.
    pub field: Field,
    /// Its value.
    pub value: Value,
    /// Where it stands in the file.
    pub at: NodeId,
}

/// One Topic Filter of a step; options not given are those of the step.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterSpec {
    /// The Topic Filter.
    pub filter: String,
    /// Its own options.
    pub options: Vec<FieldValue>,
}

/// What an expected field may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    /// One of these values.
    OneOf(Vec<Value>),
    /// There, whatever it is.
    Present,
    /// Not there.
    Absent,
    /// A number within these limits.
    Range(Option<u64>, Option<u64>),
    /// A list in which each entry is one of these.
    Each(Vec<Vec<Value>>),
}

/// A field and what it may be.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPattern {
    /// The field.
    pub field: Field,
    /// What it may be.
    pub pattern: Pattern,
    /// Where it stands in the file.
    pub at: NodeId,
}

/// `never` and everything longer than a four-byte integer of seconds.
pub const NEVER: u64 = 0xFFFF_FFFF;

/// Whole seconds of a duration; `None` where there is a fraction.
pub fn whole_seconds(duration: Duration) -> Option<u64> {
    (duration.subsec_nanos() == 0).then_some(duration.as_secs())
}
