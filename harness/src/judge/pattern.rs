//! Whether a packet is what an expectation describes, and if not, in which field.

use reference_broker::codec::{Packet, PropertyId, PropertyValue, ProtocolVersion, ReasonCode};

use crate::scenario::{Field, PacketPattern, Pattern, Value};

/// The first field in which a packet differs from a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub field: Field,
    pub expected: String,
    pub observed: String,
}

/// Compares a packet of the right type with a pattern.
pub(super) fn compare(
    pattern: &PacketPattern,
    packet: &Packet<'_>,
    version: ProtocolVersion,
) -> Option<Difference> {
    for (field, wanted) in &pattern.fields {
        let found = value_of(*field, packet);
        if !agrees(wanted, found.as_ref()) {
            let describe_code = |value: &Value| describe(*field, value, packet, version);
            let expected = match wanted {
                Pattern::Present => "present".to_string(),
                Pattern::Absent => "absent".to_string(),
                Pattern::OneOf(values) => values.iter().map(describe_code).collect::<Vec<_>>().join(" or "),
                Pattern::Range(low, high) => match (low, high) {
                    (Some(low), Some(high)) => format!("from {low} to {high}"),
                    (Some(low), None) => format!("at least {low}"),
                    (None, Some(high)) => format!("at most {high}"),
                    (None, None) => "a number".into(),
                },
                Pattern::Each(lists) => {
                    let entries: Vec<String> = lists
                        .iter()
                        .map(|values| values.iter().map(describe_code).collect::<Vec<_>>().join(" or "))
                        .collect();
                    format!("[{}]", entries.join(", "))
                }
            };
            let observed = found.as_ref().map_or("absent".to_string(), describe_code);
            return Some(Difference {
                field: *field,
                expected: format!("{} {} {expected}", packet.packet_type(), field.name()),
                observed: format!("{} {} {observed}", packet.packet_type(), field.name()),
            });
        }
    }
    None
}

fn describe(field: Field, value: &Value, packet: &Packet<'_>, version: ProtocolVersion) -> String {
    match (field, value) {
        (Field::Reason | Field::Reasons, Value::Number(code)) => {
            let code = ReasonCode(*code as u8);
            match code.name(packet.packet_type(), version) {
                Some(name) => format!("{code} {name}"),
                None => code.to_string(),
            }
        }
        (_, Value::Flag(flag)) => if *flag { "1" } else { "0" }.to_string(),
        (_, Value::Number(number)) => number.to_string(),
        (_, Value::Text(text)) => shorten(text),
        (_, Value::ReasonName(name)) => name.clone(),
        (_, Value::Pairs(pairs)) => {
            let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("[{}]", pairs.join(", "))
        }
        (_, Value::List(values)) => {
            let values: Vec<String> =
                values.iter().map(|value| describe(field, value, packet, version)).collect();
            format!("[{}]", values.join(", "))
        }
        (_, Value::Filters(filters)) => format!("{} filters", filters.len()),
        (_, Value::Will(_)) => "a will".into(),
        (_, Value::Nothing) => "nothing".into(),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((cut, _)) => format!("\"{}…\" ({} bytes)", &text[..cut], text.len()),
        None => format!("\"{text}\""),
    }
}

fn agrees(pattern: &Pattern, found: Option<&Value>) -> bool {
    match (pattern, found) {
        (Pattern::Present, found) => found.is_some(),
        (Pattern::Absent, found) => found.is_none(),
        (_, None) => false,
        (Pattern::OneOf(values), Some(found)) => values.iter().any(|value| same(value, found)),
        (Pattern::Range(low, high), Some(Value::Number(number))) => {
            low.is_none_or(|low| *number >= low) && high.is_none_or(|high| *number <= high)
        }
        (Pattern::Range(..), Some(_)) => false,
        (Pattern::Each(lists), Some(Value::List(found))) => {
            lists.len() == found.len()
                && lists
                    .iter()
                    .zip(found)
                    .all(|(values, found)| values.iter().any(|value| same(value, found)))
        }
        (Pattern::Each(_), Some(_)) => false,
    }
}

fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Flag(flag), Value::Number(number)) => u64::from(*flag) == *number,
        // Subscription Identifiers come in any order (MQTT-3.3.4-4).
        (Value::List(wanted), Value::List(found)) => {
            let mut left: Vec<u64> = wanted.iter().filter_map(number).collect();
            let mut right: Vec<u64> = found.iter().filter_map(number).collect();
            left.sort_unstable();
            right.sort_unstable();
            left == right
        }
        (Value::Number(wanted), Value::List(found)) => found.len() == 1 && number(&found[0]) == Some(*wanted),
        _ => wanted == found,
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

/// The value of a field in a packet; `None` if it is not there.
fn value_of(field: Field, packet: &Packet<'_>) -> Option<Value> {
    if let Field::Property(id) = field {
        return property(id, packet);
    }
    match (field, packet) {
        (Field::PacketId, packet) => packet.packet_id().map(|id| Value::Number(u64::from(id))),
        (Field::SessionPresent, Packet::Connack(connack)) => Some(Value::Flag(connack.session_present)),
        (Field::Reason, Packet::Connack(connack)) => Some(code(connack.reason)),
        (
            Field::Reason,
            Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack),
        ) => Some(code(ack.reason)),
        (Field::Reason, Packet::Disconnect(disconnect)) => Some(code(disconnect.reason)),
        (Field::Reason, Packet::Auth(auth)) => Some(code(auth.reason)),
        (Field::Reasons, Packet::Suback(suback)) => {
            Some(Value::List(suback.reasons.iter().map(|it| code(*it)).collect()))
        }
        (Field::Reasons, Packet::Unsuback(unsuback)) => {
            Some(Value::List(unsuback.reasons.iter().map(|it| code(*it)).collect()))
        }
        (Field::Dup, Packet::Publish(publish)) => Some(Value::Flag(publish.dup)),
        (Field::Qos, Packet::Publish(publish)) => Some(Value::Number(u64::from(publish.qos.number()))),
        (Field::Retain, Packet::Publish(publish)) => Some(Value::Flag(publish.retain)),
        (Field::Topic, Packet::Publish(publish)) => Some(Value::Text(publish.topic.to_string())),
        (Field::Payload, Packet::Publish(publish)) => {
            Some(Value::Text(String::from_utf8_lossy(&publish.payload).into_owned()))
        }
        (Field::PayloadSize, Packet::Publish(publish)) => Some(Value::Number(publish.payload.len() as u64)),
        _ => None,
    }
}

fn code(reason: ReasonCode) -> Value {
    Value::Number(u64::from(reason.0))
}

fn property(id: PropertyId, packet: &Packet<'_>) -> Option<Value> {
    let properties = packet.properties()?;
    match id {
        PropertyId::UserProperty => {
            let pairs: Vec<_> = properties
                .user_properties()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect();
            (!pairs.is_empty()).then_some(Value::Pairs(pairs))
        }
        PropertyId::SubscriptionIdentifier => {
            let ids: Vec<_> = properties
                .iter()
                .filter(|property| property.id == id)
                .filter_map(|property| property.value.number().map(|number| Value::Number(u64::from(number))))
                .collect();
            (!ids.is_empty()).then_some(Value::List(ids))
        }
        _ => properties.get(id).map(|value| match value {
            PropertyValue::Text(text) => Value::Text(text.to_string()),
            PropertyValue::Binary(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
            PropertyValue::Pair(name, value) => Value::Pairs(vec![(name.into(), value.into())]),
            other => Value::Number(u64::from(other.number().unwrap_or_default())),
        }),
    }
}
