//! The valid packets that are mutated: the forms of every packet type that a client sends.

use reference_broker::codec::{PacketType, Place, PropertyId, ProtocolVersion};

use super::packet::{Field, Kind, Packet, Role, Text};

const WILL: u8 = 0x04;
const WILL_QOS_1: u8 = 0x08;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;
const CLEAN: u8 = 0x02;

/// A CONNECT with an Authentication Method, which the server need not know (MQTT-4.12.0-1).
const WITH_METHOD: &str = "with-method";

/// The properties that a CONNECT without authentication can have, each once.
const CONNECT_PROPERTIES: &[PropertyId] = &[
    PropertyId::SessionExpiryInterval,
    PropertyId::RequestProblemInformation,
    PropertyId::RequestResponseInformation,
    PropertyId::ReceiveMaximum,
    PropertyId::TopicAliasMaximum,
    PropertyId::MaximumPacketSize,
    PropertyId::UserProperty,
];
const AUTHENTICATION: &[PropertyId] = &[PropertyId::AuthenticationMethod, PropertyId::AuthenticationData];
const WILL_PROPERTIES: &[PropertyId] = &[
    PropertyId::WillDelayInterval,
    PropertyId::PayloadFormatIndicator,
    PropertyId::MessageExpiryInterval,
    PropertyId::ContentType,
    PropertyId::ResponseTopic,
    PropertyId::CorrelationData,
    PropertyId::UserProperty,
];
const PUBLISH_PROPERTIES: &[PropertyId] = &[
    PropertyId::PayloadFormatIndicator,
    PropertyId::MessageExpiryInterval,
    PropertyId::ContentType,
    PropertyId::ResponseTopic,
    PropertyId::CorrelationData,
    PropertyId::UserProperty,
];
const EXPLANATION: &[PropertyId] = &[PropertyId::ReasonString, PropertyId::UserProperty];
const DISCONNECT_PROPERTIES: &[PropertyId] =
    &[PropertyId::SessionExpiryInterval, PropertyId::ReasonString, PropertyId::UserProperty];
const AUTH_PROPERTIES: &[PropertyId] = &[
    PropertyId::AuthenticationMethod,
    PropertyId::AuthenticationData,
    PropertyId::ReasonString,
    PropertyId::UserProperty,
];

/// The forms of a packet type that a client sends in a version; none for the others. The fullest is the last.
pub(super) fn forms(kind: PacketType, version: ProtocolVersion) -> Vec<Packet> {
    let build = |form, first, fields: Vec<Field>, may_end: &[usize]| Packet {
        kind,
        version,
        form,
        first,
        // A block of properties exists in 5.0 alone.
        fields: fields
            .into_iter()
            .filter(|field| version == ProtocolVersion::V5 || !matches!(field.kind, Kind::Properties { .. }))
            .collect(),
        may_end: may_end.to_vec(),
        codes: if form == WITH_METHOD { &[0x87, 0x8C] } else { &[] },
    };
    let v5 = version == ProtocolVersion::V5;
    let first = kind.first_byte();
    match kind {
        PacketType::Connect => {
            connect(version).into_iter().map(|(form, fields)| build(form, first, fields, &[])).collect()
        }
        PacketType::Publish => {
            let end = if v5 { 2 } else { 1 };
            let end_with_id = if v5 { 3 } else { 2 };
            let mut list = vec![
                build("qos-0", 0x30, publish(false, &[]), &[end]),
                build("qos-1", 0x32, publish(true, &[]), &[end_with_id]),
                build("qos-2", 0x35, publish(true, &[]), &[end_with_id]),
            ];
            if v5 {
                list.push(build("full", 0x32, publish(true, PUBLISH_PROPERTIES), &[end_with_id]));
            }
            list
        }
        PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => {
            let id = || number("packet-identifier", &[0x00, 0x07]);
            let mut list = vec![build("short", first, vec![id()], &[1])];
            if v5 {
                list.extend([
                    build("with-reason", first, vec![id(), reason(0x00)], &[1, 2]),
                    build("plain", first, vec![id(), reason(0x00), block(kind, &[], true)], &[1, 2, 3]),
                    build(
                        "full",
                        first,
                        vec![id(), reason(0x00), block(kind, EXPLANATION, false)],
                        &[1, 2, 3],
                    ),
                ]);
            }
            list
        }
        PacketType::Subscribe => {
            let one = |list, probed| {
                vec![
                    new_identifier(),
                    block(kind, list, probed),
                    text("topic-filter", "topic_prefix \"malformed/first\"", Role::SubscribeFilter),
                    options("options", 0x01),
                ]
            };
            let mut two = one(&[], false);
            two.push(text("second-topic-filter", "topic_prefix \"malformed/second\"", Role::SubscribeFilter));
            two.push(options("second-options", 0x02));
            let after_one = if v5 { 4 } else { 3 };
            let mut list = vec![
                build("one-filter", first, one(&[], true), &[after_one]),
                build("two-filters", first, two, &[after_one, after_one + 2]),
            ];
            if v5 {
                list.push(build("full", first, one(&[PropertyId::UserProperty], false), &[4]));
            }
            list
        }
        PacketType::Unsubscribe => {
            let one = |list, probed| {
                vec![
                    new_identifier(),
                    block(kind, list, probed),
                    text("topic-filter", "topic_prefix \"malformed/first\"", Role::UnsubscribeFilter),
                ]
            };
            let mut two = one(&[], false);
            two.push(text(
                "second-topic-filter",
                "topic_prefix \"malformed/second\"",
                Role::UnsubscribeFilter,
            ));
            let after_one = if v5 { 3 } else { 2 };
            let mut list = vec![
                build("one-filter", first, one(&[], true), &[after_one]),
                build("two-filters", first, two, &[after_one, after_one + 1]),
            ];
            if v5 {
                list.push(build("full", first, one(&[PropertyId::UserProperty], false), &[3]));
            }
            list
        }
        PacketType::Pingreq => vec![build("short", first, Vec::new(), &[0])],
        PacketType::Disconnect => {
            let mut list = vec![build("short", first, Vec::new(), &[0])];
            if v5 {
                list.extend([
                    build("with-reason", first, vec![reason(0x00)], &[0, 1]),
                    build("plain", first, vec![reason(0x00), block(kind, &[], true)], &[0, 1, 2]),
                    build(
                        "full",
                        first,
                        vec![reason(0x00), block(kind, DISCONNECT_PROPERTIES, false)],
                        &[0, 1, 2],
                    ),
                ]);
            }
            list
        }
        PacketType::Auth if v5 => vec![
            build(
                "plain",
                first,
                vec![reason(0x18), block(kind, &[PropertyId::AuthenticationMethod], true)],
                &[],
            ),
            build("full", first, vec![reason(0x18), block(kind, AUTH_PROPERTIES, false)], &[]),
        ],
        _ => Vec::new(),
    }
}

fn connect(version: ProtocolVersion) -> Vec<(&'static str, Vec<Field>)> {
    let will = |list, probed| {
        vec![
            Field { name: "will-properties", kind: Kind::Properties { place: Place::Will, list, probed } },
            text("will-topic", "topic_prefix \"malformed/bad\"", Role::WillTopic),
            binary("will-payload", "78 78"),
        ]
    };
    let user_name = || text("user-name", "\"user\"", Role::UserName);
    let password = || binary("password", "73 65 63 72 65 74");
    let mut forms = vec![("minimal", connect_with(version, 0, &[], true, Vec::new()))];
    forms.push(("with-will", connect_with(version, WILL | WILL_QOS_1, &[], false, will(&[], true))));
    if version == ProtocolVersion::V5 {
        forms.push((WITH_METHOD, connect_with(version, 0, AUTHENTICATION, false, Vec::new())));
    }
    let mut rest = will(WILL_PROPERTIES, false);
    rest.extend([user_name(), password()]);
    let flags = WILL | WILL_QOS_1 | USER_NAME | PASSWORD;
    forms.push(("full", connect_with(version, flags, CONNECT_PROPERTIES, false, rest)));
    forms
}

fn connect_with(
    version: ProtocolVersion,
    flags: u8,
    list: &'static [PropertyId],
    probed: bool,
    rest: Vec<Field>,
) -> Vec<Field> {
    let level = if version == ProtocolVersion::V5 { &[5] } else { &[4] };
    let mut fields = vec![
        text("protocol-name", "\"MQTT\"", Role::ProtocolName),
        number("protocol-level", level),
        Field { name: "connect-flags", kind: Kind::ConnectFlags(flags | CLEAN) },
        number("keep-alive", &[0, 60]),
        block(PacketType::Connect, list, probed),
        text("client-identifier", "client_id", Role::ClientId),
    ];
    fields.extend(rest);
    fields
}

fn publish(identified: bool, list: &'static [PropertyId]) -> Vec<Field> {
    let mut fields = vec![text("topic-name", "topic_prefix \"malformed/bad\"", Role::TopicName)];
    if identified {
        fields.push(new_identifier());
    }
    fields.push(block(PacketType::Publish, list, list.is_empty() && !identified));
    fields.push(Field { name: "payload", kind: Kind::Payload("x") });
    fields
}

fn block(kind: PacketType, list: &'static [PropertyId], probed: bool) -> Field {
    Field { name: "properties", kind: Kind::Properties { place: Place::Packet(kind), list, probed } }
}

fn number(name: &'static str, bytes: &'static [u8]) -> Field {
    Field { name, kind: Kind::Number(bytes) }
}

fn new_identifier() -> Field {
    Field { name: "packet-identifier", kind: Kind::NewIdentifier(7) }
}

fn text(name: &'static str, words: &'static str, role: Role) -> Field {
    Field { name, kind: Kind::Text(Text { words, role }) }
}

fn binary(name: &'static str, bytes: &'static str) -> Field {
    Field { name, kind: Kind::Binary(bytes) }
}

fn options(name: &'static str, byte: u8) -> Field {
    Field { name, kind: Kind::Options(byte) }
}

fn reason(code: u8) -> Field {
    Field { name: "reason-code", kind: Kind::Reason(code) }
}
