//! Properties: what is encoded is decoded the same, and no bytes make the decoder panic.

use proptest::prelude::*;

use super::super::*;

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9/ äß\u{FEFF}]{0,20}"
}

fn version() -> impl Strategy<Value = ProtocolVersion> {
    prop::sample::select(&ProtocolVersion::ALL[..])
}

fn packet_id() -> impl Strategy<Value = u16> {
    1u16..
}

fn qos() -> impl Strategy<Value = QoS> {
    prop::sample::select(&QoS::ALL[..])
}

/// Properties that are allowed there; each at most once, except where more are allowed.
fn properties(place: Place) -> impl Strategy<Value = Properties<'static>> {
    let allowed: Vec<PropertyId> =
        PropertyId::TABLE.iter().map(|row| row.id).filter(|id| id.allowed_in(place)).collect();
    let one =
        (prop::sample::select(allowed), any::<u32>(), text(), prop::collection::vec(any::<u8>(), 0..10));
    prop::collection::vec(one, 0..6).prop_map(move |list| {
        let mut properties = Properties::new();
        for (id, number, text, bytes) in &list {
            if properties.get(*id).is_some() && !id.repeatable_in(place) {
                continue;
            }
            let row = id.row();
            let number = match row.max.checked_sub(row.min).and_then(|span| span.checked_add(1)) {
                Some(span) => row.min + number % span,
                None => *number,
            };
            match row.kind {
                PropertyType::Utf8String => properties.push(*id, PropertyValue::Text(text)),
                PropertyType::BinaryData => properties.push(*id, PropertyValue::Binary(bytes)),
                PropertyType::Utf8StringPair => properties.push(*id, PropertyValue::Pair(text, "value")),
                _ => properties.push_number(*id, number),
            }
        }
        properties
    })
}

fn in_packet(kind: PacketType) -> impl Strategy<Value = Properties<'static>> {
    properties(Place::Packet(kind))
}

fn reason(kind: PacketType) -> impl Strategy<Value = ReasonCode> {
    let codes: Vec<ReasonCode> =
        (0..=255).map(ReasonCode).filter(|code| code.allowed_in(kind, ProtocolVersion::V5)).collect();
    prop::sample::select(codes)
}

fn connect() -> impl Strategy<Value = Packet<'static>> {
    let will =
        (qos(), any::<bool>(), properties(Place::Will), text(), prop::collection::vec(any::<u8>(), 0..10))
            .prop_map(|(qos, retain, properties, topic, payload)| Will {
                qos,
                retain,
                properties,
                topic: topic.into(),
                payload: payload.into(),
            });
    let strings =
        (text(), prop::option::of(text()), prop::option::of(prop::collection::vec(any::<u8>(), 0..10)));
    (any::<bool>(), any::<u16>(), in_packet(PacketType::Connect), prop::option::of(will), strings).prop_map(
        |(clean_start, keep_alive, properties, will, (client_id, user_name, password))| {
            Packet::Connect(Box::new(Connect {
                version: ProtocolVersion::V5,
                clean_start,
                keep_alive,
                properties,
                client_id: client_id.into(),
                will,
                user_name: user_name.map(Into::into),
                password: password.map(Into::into),
            }))
        },
    )
}

fn publish() -> impl Strategy<Value = Packet<'static>> {
    let flags = (any::<bool>(), qos(), any::<bool>());
    (
        flags,
        "[a-z/]{1,200}",
        packet_id(),
        in_packet(PacketType::Publish),
        prop::collection::vec(any::<u8>(), 0..300),
    )
        .prop_map(|((dup, qos, retain), topic, packet_id, properties, payload)| {
            Packet::Publish(Publish {
                dup: dup && qos != QoS::AtMostOnce,
                qos,
                retain,
                topic: topic.into(),
                packet_id: (qos != QoS::AtMostOnce).then_some(packet_id),
                properties,
                payload: payload.into(),
            })
        })
}

fn ack(kind: PacketType) -> impl Strategy<Value = Packet<'static>> {
    (packet_id(), reason(kind), in_packet(kind)).prop_map(move |(packet_id, reason, properties)| {
        let ack = Ack { packet_id, reason, properties };
        match kind {
            PacketType::Puback => Packet::Puback(ack),
            PacketType::Pubrec => Packet::Pubrec(ack),
            PacketType::Pubrel => Packet::Pubrel(ack),
            _ => Packet::Pubcomp(ack),
        }
    })
}

fn subscribe() -> impl Strategy<Value = Packet<'static>> {
    let handling = prop::sample::select(vec![
        RetainHandling::Send,
        RetainHandling::SendIfNew,
        RetainHandling::DoNotSend,
    ]);
    let subscription = (text(), qos(), any::<bool>(), any::<bool>(), handling).prop_map(
        |(filter, qos, no_local, retain_as_published, retain_handling)| Subscription {
            filter: filter.into(),
            options: SubscriptionOptions { qos, no_local, retain_as_published, retain_handling },
        },
    );
    (packet_id(), in_packet(PacketType::Subscribe), prop::collection::vec(subscription, 1..4)).prop_map(
        |(packet_id, properties, subscriptions)| {
            Packet::Subscribe(Subscribe { packet_id, properties, subscriptions })
        },
    )
}

fn packet() -> impl Strategy<Value = Packet<'static>> {
    use PacketType as Kind;
    prop_oneof![
        connect(),
        (any::<bool>(), reason(Kind::Connack), in_packet(Kind::Connack)).prop_map(
            |(session_present, reason, properties)| {
                Packet::Connack(Connack { session_present, reason, properties })
            }
        ),
        publish(),
        ack(Kind::Puback),
        ack(Kind::Pubrec),
        ack(Kind::Pubrel),
        ack(Kind::Pubcomp),
        subscribe(),
        (packet_id(), in_packet(Kind::Suback), prop::collection::vec(reason(Kind::Suback), 1..4)).prop_map(
            |(packet_id, properties, reasons)| Packet::Suback(Suback { packet_id, properties, reasons })
        ),
        (packet_id(), in_packet(Kind::Unsubscribe), prop::collection::vec(text(), 1..4)).prop_map(
            |(packet_id, properties, filters)| {
                let filters = filters.into_iter().map(Into::into).collect();
                Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters })
            }
        ),
        (packet_id(), in_packet(Kind::Unsuback), prop::collection::vec(reason(Kind::Unsuback), 1..4))
            .prop_map(|(packet_id, properties, reasons)| Packet::Unsuback(Unsuback {
                packet_id,
                properties,
                reasons
            })),
        Just(Packet::Pingreq),
        Just(Packet::Pingresp),
        (reason(Kind::Disconnect), in_packet(Kind::Disconnect))
            .prop_map(|(reason, properties)| Packet::Disconnect(Disconnect { reason, properties })),
        (reason(Kind::Auth), in_packet(Kind::Auth))
            .prop_map(|(reason, properties)| Packet::Auth(Auth { reason, properties })),
    ]
}

/// Whether the properties lack what they need beside each other.
fn lacks_method(packet: &Packet<'_>) -> bool {
    let has = |id| packet.properties().is_some_and(|properties| properties.get(id).is_some());
    match packet {
        Packet::Connect(_) => has(PropertyId::AuthenticationData) && !has(PropertyId::AuthenticationMethod),
        Packet::Auth(_) => !has(PropertyId::AuthenticationMethod),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded_the_same(packet in packet()) {
        let bytes = encoded(&packet, ProtocolVersion::V5).unwrap();
        if lacks_method(&packet) {
            prop_assert!(decode(&bytes, ProtocolVersion::V5).is_err());
            return Ok(());
        }
        let (decoded, length) = decode(&bytes, ProtocolVersion::V5).unwrap().unwrap();
        prop_assert_eq!(&decoded, &packet);
        prop_assert_eq!(length, bytes.len());
        for end in 0..bytes.len() {
            prop_assert_eq!(decode(&bytes[..end], ProtocolVersion::V5), Ok(None));
        }
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), version in version()) {
        let _ = decode(&bytes, version);
    }

    /// Right packets with a few bytes changed get further than noise does. What is decoded is encoded to
    /// something that is decoded the same.
    #[test]
    fn changed_packets_do_not_either(
        packet in packet(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        version in version(),
    ) {
        let mut bytes = encoded(&packet, version).unwrap();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(Some((decoded, _))) = decode(&bytes, version) {
            let decoded = decoded.into_owned();
            let again = encoded(&decoded, version).unwrap();
            let (same, _) = decode(&again, version).unwrap().unwrap();
            prop_assert_eq!(same, decoded);
        }
    }
}
