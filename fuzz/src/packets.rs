//! Well-formed packets from bytes: all fifteen types, in every version that has them.

use std::borrow::Cow;

use arbitrary::{Result, Unstructured};
use reference_broker::codec::{
    Ack, Auth, Connack, Connect, Disconnect, Packet, PacketType, Place, Properties, PropertyId, PropertyType,
    PropertyValue, ProtocolVersion, Publish, QoS, ReasonCode, RetainHandling, Suback, Subscribe,
    Subscription, SubscriptionOptions, Unsuback, Unsubscribe, Will,
};

use ProtocolVersion::V5;

/// A protocol version.
pub fn version(input: &mut Unstructured<'_>) -> Result<ProtocolVersion> {
    // 5.0 has most to it.
    Ok(match input.int_in_range(0..=4)? {
        0 => ProtocolVersion::V3_1,
        1 => ProtocolVersion::V3_1_1,
        _ => V5,
    })
}

/// Text of up to 65,535 bytes without U+0000, mostly short.
pub fn text(input: &mut Unstructured<'_>) -> Result<Cow<'static, str>> {
    let length = input.int_in_range(0..=31u8)?;
    if length == 31 {
        // Around the limits of Variable Byte Integers, and the longest there is.
        let longest = *input.choose(&[126, 127, 128, 129, 16_382, 16_383, 16_384, 65_534, 65_535])?;
        return Ok("x".repeat(longest).into());
    }
    let mut text = String::new();
    for _ in 0..length / 2 {
        let c = input.arbitrary::<char>()?;
        text.push(if c == '\0' { '/' } else { c });
    }
    Ok(text.into())
}

/// Text that is not empty.
fn named(input: &mut Unstructured<'_>) -> Result<Cow<'static, str>> {
    let text = text(input)?;
    Ok(if text.is_empty() { "a".into() } else { text })
}

/// Bytes, mostly few.
pub fn binary(input: &mut Unstructured<'_>) -> Result<Cow<'static, [u8]>> {
    let length = input.int_in_range(0..=31u8)?;
    if length == 31 {
        let longest = *input.choose(&[127, 128, 16_383, 16_384, 65_535])?;
        return Ok(vec![0; longest].into());
    }
    Ok(input.bytes(usize::from(length).min(input.len()))?.to_vec().into())
}

/// QoS 0, 1 or 2.
pub fn qos(input: &mut Unstructured<'_>) -> Result<QoS> {
    input.choose(&QoS::ALL).copied()
}

fn packet_id(input: &mut Unstructured<'_>) -> Result<u16> {
    input.int_in_range(1..=u16::MAX)
}

/// Properties that are allowed there, with values that are; each once, unless it may be repeated.
pub fn properties(
    input: &mut Unstructured<'_>,
    place: Place,
    version: ProtocolVersion,
) -> Result<Properties<'static>> {
    let mut properties = Properties::new();
    if version != V5 {
        return Ok(properties);
    }
    let allowed: Vec<_> = PropertyId::TABLE.iter().filter(|row| row.id.allowed_in(place)).collect();
    for _ in 0..input.int_in_range(0..=5u8)? {
        let row = *input.choose(&allowed)?;
        if properties.get(row.id).is_some() && !row.id.repeatable_in(place) {
            continue;
        }
        match row.kind {
            PropertyType::Utf8String => properties.push(row.id, PropertyValue::Text(&text(input)?)),
            PropertyType::BinaryData => properties.push(row.id, PropertyValue::Binary(&binary(input)?)),
            PropertyType::Utf8StringPair => {
                properties.push(row.id, PropertyValue::Pair(&text(input)?, &text(input)?));
            }
            _ => properties.push_number(row.id, input.int_in_range(row.min..=row.max)?),
        }
    }
    Ok(properties)
}

fn within(
    input: &mut Unstructured<'_>,
    kind: PacketType,
    version: ProtocolVersion,
) -> Result<Properties<'static>> {
    properties(input, Place::Packet(kind), version)
}

fn reason(input: &mut Unstructured<'_>, kind: PacketType, version: ProtocolVersion) -> Result<ReasonCode> {
    let allowed: Vec<u8> = (0..=255).filter(|code| ReasonCode(*code).allowed_in(kind, version)).collect();
    Ok(ReasonCode(*input.choose(&allowed)?))
}

/// A Will Message.
pub fn will(input: &mut Unstructured<'_>, version: ProtocolVersion) -> Result<Will<'static>> {
    Ok(Will {
        qos: qos(input)?,
        retain: input.arbitrary()?,
        properties: properties(input, Place::Will, version)?,
        topic: text(input)?,
        payload: binary(input)?,
    })
}

fn connect(input: &mut Unstructured<'_>, version: ProtocolVersion) -> Result<Connect<'static>> {
    let mut connect = Connect {
        version,
        clean_start: input.arbitrary()?,
        keep_alive: input.arbitrary()?,
        properties: within(input, PacketType::Connect, version)?,
        client_id: text(input)?,
        will: if input.arbitrary()? { Some(will(input, version)?) } else { None },
        user_name: if input.arbitrary()? { Some(text(input)?) } else { None },
        password: if input.arbitrary()? { Some(binary(input)?) } else { None },
    };
    if version == V5 {
        // Data without a method is a Protocol Error (U5-11).
        if connect.properties.get(PropertyId::AuthenticationMethod).is_none() {
            connect.properties =
                connect.properties.filtered(|property| property.id != PropertyId::AuthenticationData);
        }
    } else {
        if connect.user_name.is_none() {
            connect.password = None;
        }
        connect.clean_start |= connect.client_id.is_empty();
    }
    Ok(connect)
}

fn publish(input: &mut Unstructured<'_>, version: ProtocolVersion) -> Result<Publish<'static>> {
    let qos = qos(input)?;
    let properties = within(input, PacketType::Publish, version)?;
    let aliased = properties.get(PropertyId::TopicAlias).is_some();
    Ok(Publish {
        dup: input.arbitrary::<bool>()? && qos != QoS::AtMostOnce,
        qos,
        retain: input.arbitrary()?,
        topic: if aliased { text(input)? } else { named(input)? },
        packet_id: if qos == QoS::AtMostOnce { None } else { Some(packet_id(input)?) },
        properties,
        payload: binary(input)?,
    })
}

fn ack(input: &mut Unstructured<'_>, kind: PacketType, version: ProtocolVersion) -> Result<Ack<'static>> {
    let mut ack = Ack::success(packet_id(input)?);
    if version == V5 {
        ack.reason = reason(input, kind, version)?;
        ack.properties = within(input, kind, version)?;
    }
    Ok(ack)
}

/// Subscription Options, as the version has them.
pub fn options(input: &mut Unstructured<'_>, version: ProtocolVersion) -> Result<SubscriptionOptions> {
    let mut options = SubscriptionOptions { qos: qos(input)?, ..SubscriptionOptions::default() };
    if version == V5 {
        options.no_local = input.arbitrary()?;
        options.retain_as_published = input.arbitrary()?;
        options.retain_handling =
            *input.choose(&[RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend])?;
    }
    Ok(options)
}

fn subscribe(input: &mut Unstructured<'_>, version: ProtocolVersion) -> Result<Subscribe<'static>> {
    let mut subscriptions = Vec::new();
    for _ in 0..input.int_in_range(1..=4u8)? {
        subscriptions.push(Subscription { filter: text(input)?, options: options(input, version)? });
    }
    let properties = within(input, PacketType::Subscribe, version)?;
    Ok(Subscribe { packet_id: packet_id(input)?, properties, subscriptions })
}

fn unsubscribe(input: &mut Unstructured<'_>, version: ProtocolVersion) -> Result<Unsubscribe<'static>> {
    let mut filters = Vec::new();
    for _ in 0..input.int_in_range(1..=4u8)? {
        filters.push(text(input)?);
    }
    let properties = within(input, PacketType::Unsubscribe, version)?;
    Ok(Unsubscribe { packet_id: packet_id(input)?, properties, filters })
}

fn reasons(
    input: &mut Unstructured<'_>,
    kind: PacketType,
    version: ProtocolVersion,
) -> Result<Vec<ReasonCode>> {
    let mut reasons = Vec::new();
    for _ in 0..input.int_in_range(1..=4u8)? {
        reasons.push(reason(input, kind, version)?);
    }
    Ok(reasons)
}

fn auth(input: &mut Unstructured<'_>) -> Result<Auth<'static>> {
    let mut properties = within(input, PacketType::Auth, V5)?;
    if properties.get(PropertyId::AuthenticationMethod).is_none() {
        properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text("M"));
    }
    Ok(Auth { reason: reason(input, PacketType::Auth, V5)?, properties })
}

/// A packet of any type that the version has.
pub fn packet(input: &mut Unstructured<'_>, version: ProtocolVersion) -> Result<Packet<'static>> {
    let types = if version == V5 { &PacketType::ALL[..] } else { &PacketType::ALL[..14] };
    let kind = *input.choose(types)?;
    Ok(match kind {
        PacketType::Connect => Packet::Connect(Box::new(connect(input, version)?)),
        PacketType::Connack => Packet::Connack(Connack {
            session_present: input.arbitrary::<bool>()? && version != ProtocolVersion::V3_1,
            reason: reason(input, kind, version)?,
            properties: within(input, kind, version)?,
        }),
        PacketType::Publish => Packet::Publish(publish(input, version)?),
        PacketType::Puback => Packet::Puback(ack(input, kind, version)?),
        PacketType::Pubrec => Packet::Pubrec(ack(input, kind, version)?),
        PacketType::Pubrel => Packet::Pubrel(ack(input, kind, version)?),
        PacketType::Pubcomp => Packet::Pubcomp(ack(input, kind, version)?),
        PacketType::Subscribe => Packet::Subscribe(subscribe(input, version)?),
        PacketType::Suback => Packet::Suback(Suback {
            packet_id: packet_id(input)?,
            properties: within(input, kind, version)?,
            reasons: reasons(input, kind, version)?,
        }),
        PacketType::Unsubscribe => Packet::Unsubscribe(unsubscribe(input, version)?),
        PacketType::Unsuback => Packet::Unsuback(Unsuback {
            packet_id: packet_id(input)?,
            properties: within(input, kind, version)?,
            reasons: if version == V5 { reasons(input, kind, version)? } else { Vec::new() },
        }),
        PacketType::Pingreq => Packet::Pingreq,
        PacketType::Pingresp => Packet::Pingresp,
        PacketType::Disconnect if version != V5 => {
            Packet::Disconnect(Disconnect { reason: ReasonCode::SUCCESS, properties: Properties::new() })
        }
        PacketType::Disconnect => Packet::Disconnect(Disconnect {
            reason: reason(input, kind, version)?,
            properties: within(input, kind, version)?,
        }),
        PacketType::Auth => Packet::Auth(auth(input)?),
    })
}
