//! Packets written out by hand, by the figures and tables of the standards.

use std::borrow::Cow;

use super::super::*;
use super::hex;
use ProtocolVersion::{V3_1, V3_1_1, V5};

/// The bytes are the packet, the packet is the bytes, and every shorter piece is incomplete.
fn same(bytes: &str, version: ProtocolVersion, packet: &Packet<'_>) {
    let bytes = hex(bytes);
    let (decoded, length) = decode(&bytes, version).unwrap().unwrap();
    assert_eq!((&decoded, length), (packet, bytes.len()));
    assert_eq!(encoded(packet, version).unwrap(), bytes);
    assert_eq!(decoded.clone().into_owned(), *packet);
    for end in 0..bytes.len() {
        assert_eq!(decode(&bytes[..end], version), Ok(None), "{end} bytes of {packet:?}");
    }
    // What follows is left alone.
    let mut more = bytes.clone();
    more.extend([0xC0, 0]);
    assert_eq!(decode(&more, version).unwrap().unwrap().1, bytes.len());
}

fn properties(list: &[(PropertyId, PropertyValue<'_>)]) -> Properties<'static> {
    let mut properties = Properties::new();
    for (id, value) in list {
        properties.push(*id, *value);
    }
    properties
}

fn connect(version: ProtocolVersion) -> Connect<'static> {
    Connect {
        version,
        clean_start: false,
        keep_alive: 10,
        properties: Properties::new(),
        client_id: "a".into(),
        will: None,
        user_name: None,
        password: None,
    }
}

#[test]
fn connect_3_1() {
    // 3.1 of MQTT 3.1: protocol name MQIsdp, version 3.
    let packet = Connect { clean_start: true, ..connect(V3_1) };
    same("10 0F 0006'MQIsdp' 03 02 000A 0001'a'", V3_1, &Packet::Connect(Box::new(packet)));
}

#[test]
fn connect_3_1_1() {
    // 3.1.2.3, figure 3.6: user name, password, will with QoS 1, clean session.
    let packet = Connect {
        clean_start: true,
        will: Some(Will {
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: Properties::new(),
            topic: "w".into(),
            payload: b"bye"[..].into(),
        }),
        user_name: Some("u".into()),
        password: Some(b"p"[..].into()),
        ..connect(V3_1_1)
    };
    same(
        "10 1B 0004'MQTT' 04 CE 000A 0001'a' 0001'w' 0003'bye' 0001'u' 0001'p'",
        V3_1_1,
        &Packet::Connect(Box::new(packet)),
    );
    same("10 0D 0004'MQTT' 04 00 000A 0001'a'", V3_1_1, &Packet::Connect(Box::new(connect(V3_1_1))));
}

#[test]
fn connect_5_0() {
    // 3.1.2.12, figure 3-6: Session Expiry Interval 10.
    let packet = Connect {
        properties: properties(&[(PropertyId::SessionExpiryInterval, PropertyValue::Four(10))]),
        ..connect(V5)
    };
    same("10 13 0004'MQTT' 05 00 000A 05 11 0000000A 0001'a'", V5, &Packet::Connect(Box::new(packet)));
    // 3.1.3.2: Will Properties. 3.1.2.9: a password without user name.
    let packet = Connect {
        will: Some(Will {
            qos: QoS::ExactlyOnce,
            retain: true,
            properties: properties(&[(PropertyId::WillDelayInterval, PropertyValue::Four(5))]),
            topic: "w".into(),
            payload: Cow::Borrowed(&[]),
        }),
        password: Some(b"p"[..].into()),
        ..connect(V5)
    };
    same(
        "10 1C 0004'MQTT' 05 74 000A 00 0001'a' 05 18 00000005 0001'w' 0000 0001'p'",
        V5,
        &Packet::Connect(Box::new(packet)),
    );
}

#[test]
fn connack() {
    let ack = |session_present, reason: u8, properties| {
        Packet::Connack(Connack { session_present, reason: ReasonCode(reason), properties })
    };
    // 3.2, figure 3.8.
    same("20 02 01 00", V3_1_1, &ack(true, 0, Properties::new()));
    same("20 02 00 05", V3_1_1, &ack(false, 5, Properties::new()));
    same("20 02 00 02", V3_1, &ack(false, 2, Properties::new()));
    same("20 03 01 00 00", V5, &ack(true, 0, Properties::new()));
    let limits = properties(&[
        (PropertyId::ReceiveMaximum, PropertyValue::Two(20)),
        (PropertyId::AssignedClientIdentifier, PropertyValue::Text("id")),
        (PropertyId::MaximumQoS, PropertyValue::Byte(1)),
    ]);
    same("20 0D 00 00 0A 21 0014 12 0002'id' 24 01", V5, &ack(false, 0, limits));
    same("20 03 00 87 00", V5, &ack(false, 0x87, Properties::new()));
}

fn publish(qos: QoS, packet_id: Option<u16>) -> Publish<'static> {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: "a/b".into(),
        packet_id,
        properties: Properties::new(),
        payload: Cow::Borrowed(&[]),
    }
}

#[test]
fn publish_of_every_kind() {
    // 3.3.2, figure 3.11 and table 3.3: topic a/b, identifier 10.
    for version in [V3_1, V3_1_1] {
        same("32 07 0003'a/b' 000A", version, &Packet::Publish(publish(QoS::AtLeastOnce, Some(10))));
        same("30 05 0003'a/b'", version, &Packet::Publish(publish(QoS::AtMostOnce, None)));
        let all = Publish {
            dup: true,
            retain: true,
            payload: b"hi"[..].into(),
            ..publish(QoS::ExactlyOnce, Some(0xFFFF))
        };
        same("3D 09 0003'a/b' FFFF 'hi'", version, &Packet::Publish(all));
    }
    // 3.3.2.4 of 5.0, figure 3-9.
    same("32 08 0003'a/b' 000A 00", V5, &Packet::Publish(publish(QoS::AtLeastOnce, Some(10))));
    let rich = Publish {
        topic: "".into(),
        properties: properties(&[
            (PropertyId::PayloadFormatIndicator, PropertyValue::Byte(1)),
            (PropertyId::TopicAlias, PropertyValue::Two(3)),
            (PropertyId::SubscriptionIdentifier, PropertyValue::Variable(268_435_455)),
            (PropertyId::SubscriptionIdentifier, PropertyValue::Variable(1)),
            (PropertyId::CorrelationData, PropertyValue::Binary(&[0, 255])),
            (PropertyId::UserProperty, PropertyValue::Pair("k", "v")),
            (PropertyId::UserProperty, PropertyValue::Pair("k", "v")),
        ]),
        payload: b"x"[..].into(),
        ..publish(QoS::AtMostOnce, None)
    };
    same(
        "30 23 0000 1F 01 01 23 0003 0B FFFFFF7F 0B 01 09 0002 00FF 26 0001'k' 0001'v' 26 0001'k' 0001'v' 'x'",
        V5,
        &Packet::Publish(rich),
    );
}

#[test]
fn acknowledgements() {
    type Make = fn(Ack<'static>) -> Packet<'static>;
    let kinds: [(&str, Make); 4] =
        [("40", Packet::Puback), ("50", Packet::Pubrec), ("62", Packet::Pubrel), ("70", Packet::Pubcomp)];
    for (first, make) in kinds {
        for version in ProtocolVersion::ALL {
            // 3.4 to 3.7; in 5.0 the short form for Success (3.4.2.1).
            same(&format!("{first} 02 0102"), version, &make(Ack::success(0x102)));
        }
        let code = if matches!(first, "40" | "50") { 0x97 } else { 0x92 };
        let reason = ReasonCode(code);
        same(&format!("{first} 03 0001 {code:02X}"), V5, &make(Ack { reason, ..Ack::success(1) }));
        let properties = properties(&[(PropertyId::ReasonString, PropertyValue::Text("no"))]);
        let full = make(Ack { packet_id: 1, reason, properties });
        same(&format!("{first} 09 0001 {code:02X} 05 1F 0002'no'"), V5, &full);
    }
    // Reason and an empty Property Length are read as well, and written shorter.
    let bytes = hex("40 04 0001 00 00");
    let (packet, _) = decode(&bytes, V5).unwrap().unwrap();
    assert_eq!(packet, Packet::Puback(Ack::success(1)));
}

#[test]
fn subscribe_and_suback() {
    let filter = |filter: &'static str, options| Subscription { filter: filter.into(), options };
    let qos = |qos| SubscriptionOptions { qos, ..SubscriptionOptions::default() };
    // 3.8.3.1, figure 3.23: a/b at QoS 1, c/d at QoS 2.
    let packet = Subscribe {
        packet_id: 10,
        properties: Properties::new(),
        subscriptions: vec![filter("a/b", qos(QoS::AtLeastOnce)), filter("c/d", qos(QoS::ExactlyOnce))],
    };
    for version in [V3_1, V3_1_1] {
        same("82 0E 000A 0003'a/b' 01 0003'c/d' 02", version, &Packet::Subscribe(packet.clone()));
        same(
            "90 05 000A 00 01 02",
            version,
            &Packet::Suback(Suback {
                packet_id: 10,
                properties: Properties::new(),
                reasons: vec![ReasonCode(0), ReasonCode(1), ReasonCode(2)],
            }),
        );
    }
    same("82 0F 000A 00 0003'a/b' 01 0003'c/d' 02", V5, &Packet::Subscribe(packet));
    // 3.8.3.1 of 5.0: all options.
    let options = SubscriptionOptions {
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    let packet = Subscribe {
        packet_id: 1,
        properties: properties(&[(PropertyId::SubscriptionIdentifier, PropertyValue::Variable(128))]),
        subscriptions: vec![filter("#", options)],
    };
    same("82 0A 0001 03 0B 8001 0001'#' 2E", V5, &Packet::Subscribe(packet));
    let failures = Suback {
        packet_id: 1,
        properties: Properties::new(),
        reasons: vec![ReasonCode(0x80), ReasonCode(0xA2)],
    };
    same("90 05 0001 00 80 A2", V5, &Packet::Suback(failures));
    let failure = Suback { packet_id: 1, properties: Properties::new(), reasons: vec![ReasonCode(0x80)] };
    same("90 03 0001 80", V3_1_1, &Packet::Suback(failure));
}

#[test]
fn unsubscribe_and_unsuback() {
    // 3.10.3, figure 3.30.
    let packet = Unsubscribe {
        packet_id: 10,
        properties: Properties::new(),
        filters: vec!["a/b".into(), "c/d".into()],
    };
    let ack = |reasons| Packet::Unsuback(Unsuback { packet_id: 10, properties: Properties::new(), reasons });
    for version in [V3_1, V3_1_1] {
        same("A2 0C 000A 0003'a/b' 0003'c/d'", version, &Packet::Unsubscribe(packet.clone()));
        same("B0 02 000A", version, &ack(Vec::new()));
    }
    same("A2 0D 000A 00 0003'a/b' 0003'c/d'", V5, &Packet::Unsubscribe(packet));
    same("B0 05 000A 00 00 11", V5, &ack(vec![ReasonCode(0), ReasonCode(0x11)]));
}

#[test]
fn packets_without_a_payload() {
    for version in ProtocolVersion::ALL {
        same("C0 00", version, &Packet::Pingreq);
        same("D0 00", version, &Packet::Pingresp);
        let normal = Disconnect { reason: ReasonCode::NORMAL_DISCONNECTION, properties: Properties::new() };
        same("E0 00", version, &Packet::Disconnect(normal));
    }
    // 3.14.2.1 of 5.0.
    let will = Disconnect { reason: ReasonCode::DISCONNECT_WITH_WILL, properties: Properties::new() };
    same("E0 01 04", V5, &Packet::Disconnect(will));
    let expiry = properties(&[(PropertyId::SessionExpiryInterval, PropertyValue::Four(0))]);
    let change = Disconnect { reason: ReasonCode(0), properties: expiry };
    same("E0 07 00 05 11 00000000", V5, &Packet::Disconnect(change));
}

#[test]
fn auth() {
    // 3.15.2.
    let method = properties(&[
        (PropertyId::AuthenticationMethod, PropertyValue::Text("M")),
        (PropertyId::AuthenticationData, PropertyValue::Binary(&[1])),
    ]);
    let packet = Auth { reason: ReasonCode::CONTINUE_AUTHENTICATION, properties: method };
    same("F0 0A 18 08 15 0001'M' 16 0001 01", V5, &Packet::Auth(packet));
}

#[test]
fn variable_byte_integers() {
    // 1.5.5, table 1-1; 2.2.3, table 2.4 in 3.1.1.
    for (value, bytes) in [
        (0, "00"),
        (127, "7F"),
        (128, "8001"),
        (16_383, "FF7F"),
        (16_384, "808001"),
        (2_097_151, "FFFF7F"),
        (2_097_152, "80808001"),
        (268_435_455, "FFFFFF7F"),
    ] {
        let mut out = Vec::new();
        put_variable(&mut out, value);
        assert_eq!(out, hex(bytes));
        assert_eq!(variable_len(value), out.len());
    }
}

#[test]
fn strings_keep_a_byte_order_mark_and_every_character() {
    // 1.5.4, figure 1-2 and the note on U+FEFF: "A" and U+2A6D4.
    let bytes = hex("30 0B 0009 41 F0AA9B94 EFBBBF 'b'");
    let (packet, _) = decode(&bytes, V3_1_1).unwrap().unwrap();
    let Packet::Publish(publish) = packet else { panic!() };
    assert_eq!(publish.topic, "A\u{2A6D4}\u{FEFF}b");
}

#[test]
fn frames_are_cut_as_soon_as_their_length_is_known() {
    assert_eq!(next_frame(&hex("30 7F"), Some(128)), Err(FrameError::TooLarge(129)));
    assert_eq!(next_frame(&hex("30 7F"), Some(129)), Ok(None));
    assert_eq!(next_frame(&hex("30 80808080"), None), Err(FrameError::RemainingLengthTooLong));
    assert_eq!(next_frame(&hex("30 8000"), None), Err(FrameError::RemainingLengthNotMinimal));
    assert_eq!(next_frame(&hex("30 FFFFFF7F"), None), Ok(None));
}

#[test]
fn what_no_bytes_can_express_is_not_encoded() {
    let long = "x".repeat(65_536);
    let packet = Packet::Publish(Publish { topic: long.into(), ..publish(QoS::AtMostOnce, None) });
    let mut out = vec![7];
    assert_eq!(encode(&packet, V5, &mut out), Err(EncodeError::FieldTooLong));
    assert_eq!(out, [7]);
}

#[test]
fn bytes_that_are_wrong_on_purpose() {
    let packet = RawPacket::new(0x30).str("a").bytes(b"x");
    assert_eq!(packet.clone().encoded(), hex("30 04 0001'a' 'x'"));
    assert_eq!(packet.clone().length(RawLength::Lie(200)).encoded(), hex("30 C801 0001'a' 'x'"));
    assert_eq!(packet.clone().length(RawLength::Padded(3)).encoded(), hex("30 848000 0001'a' 'x'"));
    assert_eq!(packet.length(RawLength::FiveBytes).encoded(), hex("30 8480808000 0001'a' 'x'"));
}

#[test]
fn tables_agree_with_themselves() {
    for row in PropertyId::TABLE {
        assert_eq!(PropertyId::from_number(row.id as u32), Some(row.id));
        assert_eq!(PropertyId::from_name(row.name), Some(row.id));
        assert!(row.will || !row.packets.is_empty());
        assert!(row.min <= row.max);
    }
    assert_eq!(PropertyId::TABLE.len(), 27);
    assert_eq!(ReasonCode::table().len(), 45);
    for kind in PacketType::ALL {
        assert_eq!(PacketType::from_number(kind as u8), Some(kind));
        assert_eq!(PacketType::from_name(kind.name()), Some(kind));
    }
}
