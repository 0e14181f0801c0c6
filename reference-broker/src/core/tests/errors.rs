//! What a client must not do.

use super::driver::*;
use crate::codec::{Connack, Packet, Properties, Publish, RawPacket, ReasonCode, Suback};

#[test]
fn packets_that_are_not_allowed_end_the_connection() {
    let suback = Suback { packet_id: 1, properties: Properties::new(), reasons: vec![ReasonCode(0)] };
    let connack = Connack { session_present: false, reason: ReasonCode(0), properties: Properties::new() };
    for version in [V3_1_1, V5] {
        for packet in [
            Packet::Connect(Box::new(clean(version, "c"))),
            Packet::Connack(connack.clone()),
            Packet::Suback(suback.clone()),
            Packet::Pingresp,
        ] {
            let mut world = World::new();
            let other = world.connect(clean(version, "other"));
            let client = world.connect(clean(version, "c"));
            world.send(client, packet);
            world.closed(client, ReasonCode::PROTOCOL_ERROR);
            world.send(other, Packet::Pingreq);
            assert_eq!(world.packet(other), Packet::Pingresp);
        }
    }
}

#[test]
fn a_second_connect_is_a_protocol_error_whatever_its_version() {
    // Its Protocol Version or its Protocol Name is unknown; only CONNACK could say so (MQTT-3.14.2-1).
    for connect in [
        &b"\x10\x0E\x00\x04MQTT\x09\x02\x00\x00\x00\x00\x01c"[..],
        b"\x10\x0E\x00\x04MQTX\x05\x02\x00\x00\x00\x00\x01c",
    ] {
        let mut world = World::new();
        let client = world.connect(clean(V5, "c"));
        world.send_bytes(client, connect);
        world.closed(client, ReasonCode::PROTOCOL_ERROR);
    }
}

#[test]
fn the_first_packet_is_connect() {
    for version in [V3_1_1, V5] {
        let mut world = World::new();
        let client = world.open(version);
        world.send(client, Packet::Pingreq);
        world.closed_silently(client);
        world.send(client, Packet::Pingreq);
        world.nothing(client);
    }
}

#[test]
fn malformed_packets_end_the_connection() {
    for bytes in [
        vec![0x00, 0],                         // Reserved packet type.
        vec![0x36, 4, 0, 1, b'a', 1],          // QoS 3.
        vec![0x82 | 1, 0],                     // Flags of SUBSCRIBE.
        vec![0xC1, 0],                         // Flags of PINGREQ.
        vec![0xC0, 1, 0],                      // A byte too many.
        vec![0xC0, 0x80, 0x80, 0x80, 0x80, 1], // Remaining Length of five bytes.
        vec![0x62, 2, 0, 0],                   // Packet Identifier 0.
    ] {
        let mut world = World::new();
        let client = world.connect(clean(V3_1_1, "c"));
        world.send_bytes(client, &bytes);
        world.closed_silently(client);
    }
}

#[test]
fn a_topic_name_has_no_wildcards() {
    for topic in ["a/+", "#"] {
        let mut world = World::new();
        let client = world.connect(clean(V5, "c"));
        world.say(client, topic, "x");
        world.closed(client, ReasonCode::TOPIC_NAME_INVALID);
        let mut world = World::with(&[("invalid-topic-name", "ack-failure")]);
        let client = world.connect(clean(V5, "c"));
        world.send(client, Packet::Publish(message(topic, "x", ExactlyOnce, 1)));
        assert!(
            matches!(world.packet(client), Packet::Pubrec(ack) if ack.reason == ReasonCode::TOPIC_NAME_INVALID)
        );
        world.send(client, Packet::Pingreq);
        assert_eq!(world.packet(client), Packet::Pingresp);
    }
}

#[test]
fn dollar_topics_are_what_the_configuration_says() {
    for (setting, heard) in [("deliver", true), ("ignore", false), ("refuse", false)] {
        let mut world = World::with(&[("dollar-topics", setting)]);
        let client = world.connect(clean(V5, "c"));
        world.subscribe(client, "#", AtLeastOnce);
        world.subscribe(client, "$x/#", AtLeastOnce);
        world.send(client, Packet::Publish(message("$x/a", "x", AtLeastOnce, 1)));
        let reason = if setting == "refuse" { ReasonCode::TOPIC_NAME_INVALID } else { ReasonCode::SUCCESS };
        if heard {
            world.hear(client, "x", AtLeastOnce);
        }
        assert!(matches!(world.packet(client), Packet::Puback(ack) if ack.reason == reason));
        world.nothing(client);
    }
}

#[test]
fn limits_are_enforced() {
    let mut world =
        World::with(&[("maximum-qos", "1"), ("retain-available", "false"), ("maximum-packet-size", "100")]);
    let client = world.connect(clean(V5, "a"));
    world.send(client, Packet::Publish(message("a", "x", ExactlyOnce, 1)));
    world.closed(client, ReasonCode::QOS_NOT_SUPPORTED);
    let client = world.connect(clean(V5, "a"));
    world.retain(client, "a", "x");
    world.closed(client, ReasonCode::RETAIN_NOT_SUPPORTED);
    let client = world.connect(clean(V5, "a"));
    // Refused as soon as the length is known.
    world.send_bytes(client, &[0x30, 99]);
    world.closed(client, ReasonCode::PACKET_TOO_LARGE);
    let client = world.connect(clean(V5, "a"));
    assert_eq!(world.subscribe(client, "a", ExactlyOnce).reasons, [ReasonCode(2)]);
}

#[test]
fn choices_about_small_errors() {
    let dup = Publish { dup: true, ..message("a", "x", AtMostOnce, 0) };
    let mut world = World::new();
    let client = world.connect(clean(V5, "c"));
    world.send(client, Packet::Publish(dup.clone()));
    world.closed(client, ReasonCode::MALFORMED_PACKET);
    let mut world = World::with(&[("dup-on-qos0", "tolerate"), ("surplus-bytes", "ignore")]);
    let client = world.connect(clean(V3_1_1, "c"));
    world.subscribe(client, "a", AtMostOnce);
    world.send(client, Packet::Publish(dup));
    assert!(!world.hear(client, "x", AtMostOnce).dup);
    world.send_bytes(client, &RawPacket::new(0xC0).bytes(&[1, 2]).encoded());
    assert_eq!(world.packet(client), Packet::Pingresp);
    for (setting, reason) in [("pubrec", 0), ("pubrec-0x91", 0x91)] {
        let mut world =
            World::with(&[("repeated-qos2-publish", setting), ("no-matching-subscribers", "ack-0x00")]);
        let client = world.connect(clean(V5, "c"));
        for reason in [0, reason] {
            world.send(client, Packet::Publish(message("a", "x", ExactlyOnce, 1)));
            assert!(matches!(world.packet(client), Packet::Pubrec(ack) if ack.reason == ReasonCode(reason)));
        }
    }
    let mut world = World::with(&[("identifier-in-use", "answer-0x91")]);
    let client = world.connect(clean(V5, "c"));
    world.send(client, Packet::Publish(message("a", "x", ExactlyOnce, 8)));
    world.packet(client);
    assert_eq!(world.subscribe(client, "a", AtMostOnce).reasons, [ReasonCode::PACKET_IDENTIFIER_IN_USE]);
}
