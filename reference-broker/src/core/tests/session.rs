//! Session State: clean start, resumption, expiry, queues.

use std::time::Duration;

use super::driver::*;
use crate::codec::{Ack, Connect, Packet, Properties, PropertyId, Publish, ReasonCode};

fn expiring(client_id: &str, seconds: u32) -> Connect<'static> {
    let mut connect = Connect { clean_start: false, ..clean(V5, client_id) };
    connect.properties.push_number(PropertyId::SessionExpiryInterval, seconds);
    connect
}

#[test]
fn a_clean_start_forgets_everything() {
    for version in [V3_1_1, V5] {
        let mut world = World::new();
        let publisher = world.connect(clean(version, "p"));
        let client = world.connect(resuming(version, "c"));
        world.subscribe(client, "#", AtLeastOnce);
        world.lose(client);
        world.send(publisher, Packet::Publish(message("a", "queued", AtLeastOnce, 1)));
        let (client, connack) = world.connack(clean(version, "c"));
        assert!(!connack.session_present);
        world.send(publisher, Packet::Publish(message("a", "new", AtLeastOnce, 2)));
        world.nothing(client);
    }
}

#[test]
fn a_session_expires_to_the_microsecond() {
    for (wait, present) in [(Duration::from_micros(9_999_999), true), (Duration::from_secs(10), false)] {
        let mut world = World::new();
        let client = world.connect(expiring("c", 10));
        world.lose(client);
        world.wait(wait);
        let (_, connack) = world.connack(expiring("c", 10));
        assert_eq!(connack.session_present, present);
    }
}

#[test]
fn disconnect_changes_the_session_expiry() {
    let mut shorter = Properties::new();
    shorter.push_number(PropertyId::SessionExpiryInterval, 0);
    let mut world = World::new();
    let client = world.connect(expiring("c", 100));
    world.disconnect_with(client, ReasonCode::NORMAL_DISCONNECTION, shorter);
    assert_eq!(world.broker.statistics().sessions, 0);
    let mut longer = Properties::new();
    longer.push_number(PropertyId::SessionExpiryInterval, 20);
    let client = world.connect(expiring("d", 10));
    world.disconnect_with(client, ReasonCode::NORMAL_DISCONNECTION, longer.clone());
    world.secs(15);
    assert_eq!(world.broker.statistics().sessions, 1);
    world.secs(5);
    assert_eq!(world.broker.statistics().sessions, 0);
    // Raising it from 0 is an error, and the will is due.
    let witness = world.connect(clean(V5, "witness"));
    world.subscribe(witness, "will", AtMostOnce);
    let client = world.connect(Connect { will: Some(will("will", "due", 0)), ..expiring("e", 0) });
    world.disconnect_with(client, ReasonCode::NORMAL_DISCONNECTION, longer);
    world.closed(client, ReasonCode::PROTOCOL_ERROR);
    world.hear(witness, "due", AtMostOnce);
}

#[test]
fn the_configured_maximum_is_in_force_and_announced() {
    let mut world = World::with(&[("session-expiry-maximum", "5")]);
    let (client, connack) = world.connack(expiring("c", 100));
    assert_eq!(connack.properties.number(PropertyId::SessionExpiryInterval), Some(5));
    world.lose(client);
    world.secs(5);
    assert_eq!(world.broker.statistics().sessions, 0);
    let (_, connack) = world.connack(expiring("c", 5));
    assert_eq!(connack.properties.number(PropertyId::SessionExpiryInterval), None);
}

#[test]
fn messages_wait_in_order_and_within_the_limit() {
    for (overflow, expected) in [("drop-newest", ["1", "2"]), ("drop-oldest", ["2", "3"])] {
        let mut world = World::with(&[("queue-limit", "2"), ("queue-overflow", overflow)]);
        let publisher = world.connect(clean(V5, "p"));
        let client = world.connect(resuming(V5, "c"));
        world.subscribe(client, "a", AtLeastOnce);
        world.lose(client);
        for (id, payload) in [(1, "1"), (2, "2"), (3, "3")] {
            world.send(publisher, Packet::Publish(message("a", payload, AtLeastOnce, id)));
        }
        let client = world.connect(resuming(V5, "c"));
        for payload in expected {
            world.hear(client, payload, AtLeastOnce);
        }
        world.nothing(client);
    }
}

#[test]
fn qos_0_waits_only_where_it_is_wanted() {
    for (setting, arrives) in [("dropped", false), ("queued", true)] {
        let mut world = World::with(&[("offline-qos0", setting)]);
        let publisher = world.connect(clean(V3_1_1, "p"));
        let client = world.connect(resuming(V3_1_1, "c"));
        world.subscribe(client, "a", AtLeastOnce);
        world.lose(client);
        world.say(publisher, "a", "zero");
        let client = world.connect(resuming(V3_1_1, "c"));
        if arrives {
            world.hear(client, "zero", AtMostOnce);
        }
        world.nothing(client);
    }
}

#[test]
fn a_received_qos_2_message_is_known_after_a_resume_until_pubrel() {
    for forwarding in ["on-publish", "on-pubrel"] {
        for version in [V3_1_1, V5] {
            let mut world = World::with(&[("qos2-forwarding", forwarding)]);
            let witness = world.connect(clean(version, "w"));
            world.subscribe(witness, "a", ExactlyOnce);
            let client = world.connect(resuming(version, "c"));
            world.send(client, Packet::Publish(message("a", "once", ExactlyOnce, 5)));
            world.lose(client);
            let client = world.connect(resuming(version, "c"));
            let again = Publish { dup: true, ..message("a", "once", ExactlyOnce, 5) };
            for _ in 0..2 {
                world.send(client, Packet::Publish(again.clone()));
                assert!(matches!(world.packet(client), Packet::Pubrec(ack) if !ack.reason.is_error()));
            }
            world.send(client, Packet::Pubrel(Ack::success(5)));
            assert!(matches!(world.packet(client), Packet::Pubcomp(ack) if ack.packet_id == 5));
            world.hear(witness, "once", ExactlyOnce);
            world.nothing(witness);
            // The identifier is new again.
            world.send(client, Packet::Publish(message("a", "new", ExactlyOnce, 5)));
            world.packet(client);
            world.send(client, Packet::Pubrel(Ack::success(5)));
            world.hear(witness, "new", ExactlyOnce);
        }
    }
}

#[test]
fn pubrel_after_pubrel_is_answered_as_the_version_has_it() {
    let mut world = World::new();
    let client = world.connect(clean(V5, "c"));
    world.send(client, Packet::Pubrel(Ack::success(77)));
    assert!(
        matches!(world.packet(client), Packet::Pubcomp(ack) if ack.reason == ReasonCode::PACKET_IDENTIFIER_NOT_FOUND)
    );
    world.send(client, Packet::Pubrec(Ack::success(78)));
    assert!(
        matches!(world.packet(client), Packet::Pubrel(ack) if ack.reason == ReasonCode::PACKET_IDENTIFIER_NOT_FOUND)
    );
    let client = world.connect(clean(V3_1_1, "d"));
    world.send(client, Packet::Pubrel(Ack::success(77)));
    assert!(matches!(world.packet(client), Packet::Pubcomp(ack) if ack.packet_id == 77));
    let mut world = World::with(&[("unknown-identifier", "close")]);
    let client = world.connect(clean(V3_1_1, "d"));
    world.send(client, Packet::Pubrel(Ack::success(77)));
    assert!(
        matches!(world.packet(client), Packet::Pubcomp(ack) if ack.packet_id == 77),
        "a PUBCOMP may have been lost"
    );
    world.send(client, Packet::Pubrec(Ack::success(78)));
    world.closed_silently(client);
}

#[test]
fn a_session_changes_its_version_and_a_smaller_window_is_kept() {
    let mut world = World::new();
    let publisher = world.connect(clean(V5, "p"));
    let client = world.connect(resuming(V3_1_1, "c"));
    world.subscribe(client, "a", AtLeastOnce);
    for id in 1..=5 {
        world.send(publisher, Packet::Publish(message("a", &id.to_string(), AtLeastOnce, id)));
    }
    world.lose(client);
    let mut connect = resuming(V5, "c");
    connect.properties.push_number(PropertyId::ReceiveMaximum, 2);
    let client = world.connect(connect);
    let mut ids = Vec::new();
    for payload in ["1", "2"] {
        let publish = world.publish(client);
        assert!(publish.dup && *publish.payload == *payload.as_bytes());
        ids.push(publish.packet_id.unwrap());
    }
    world.nothing(client);
    world.send(client, Packet::Puback(Ack::success(ids[0])));
    assert_eq!(&*world.publish(client).payload, b"3");
    world.nothing(client);
}

#[test]
fn an_unknown_identifier_may_be_answered_with_success_after_a_resume_only() {
    let mut world = World::with(&[("unknown-identifier", "answer-0x00")]);
    for expected in [ReasonCode::PACKET_IDENTIFIER_NOT_FOUND, ReasonCode::SUCCESS] {
        let client = world.connect(resuming(V5, "c"));
        world.send(client, Packet::Pubrel(Ack::success(9)));
        assert!(matches!(world.packet(client), Packet::Pubcomp(ack) if ack.reason == expected));
        world.lose(client);
    }
}
