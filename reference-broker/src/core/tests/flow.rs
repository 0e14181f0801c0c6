//! Receive Maximum, Maximum Packet Size, expiry, order.

use super::driver::*;
use crate::codec::{Ack, Connect, Packet, PropertyId, PropertyValue, ReasonCode};

fn limited(client_id: &str, id: PropertyId, value: u32) -> Connect<'static> {
    let mut connect = resuming(V5, client_id);
    connect.properties.push_number(id, value);
    connect
}

#[test]
fn the_client_s_receive_maximum_is_kept() {
    let mut world = World::new();
    let publisher = world.connect(clean(V5, "p"));
    let client = world.connect(limited("c", PropertyId::ReceiveMaximum, 2));
    world.subscribe(client, "#", ExactlyOnce);
    for id in 1..=4 {
        world.send(publisher, Packet::Publish(message("a", &id.to_string(), ExactlyOnce, id)));
    }
    world.say(publisher, "a", "zero");
    let first = world.publish(client).packet_id.unwrap();
    let second = world.publish(client).packet_id.unwrap();
    // QoS 0 is not held back, and is all that comes.
    world.hear(client, "zero", AtMostOnce);
    world.nothing(client);
    world.send(client, Packet::Pubrec(Ack::success(first)));
    assert!(matches!(world.packet(client), Packet::Pubrel(_)));
    world.nothing(client);
    world.send(client, Packet::Pubcomp(Ack::success(first)));
    assert_eq!(&*world.publish(client).payload, b"3");
    // A refusal frees the place at once.
    world.send(client, Packet::Pubrec(Ack { reason: ReasonCode::QUOTA_EXCEEDED, ..Ack::success(second) }));
    assert_eq!(&*world.publish(client).payload, b"4");
    world.nothing(client);
}

#[test]
fn the_server_s_receive_maximum_is_enforced_in_5_0() {
    let mut world = World::with(&[("receive-maximum", "2")]);
    let client = world.connect(clean(V5, "c"));
    for id in 1..=2 {
        world.send(client, Packet::Publish(message("a", "x", ExactlyOnce, id)));
        world.packet(client);
    }
    // One that is known does not count twice.
    world.send(client, Packet::Publish(message("a", "x", ExactlyOnce, 2)));
    world.packet(client);
    world.send(client, Packet::Pubrel(Ack::success(1)));
    world.packet(client);
    world.send(client, Packet::Publish(message("a", "x", ExactlyOnce, 3)));
    world.packet(client);
    world.send(client, Packet::Publish(message("a", "x", AtLeastOnce, 4)));
    world.closed(client, ReasonCode::RECEIVE_MAXIMUM_EXCEEDED);
}

#[test]
fn a_message_too_large_for_the_client_counts_as_delivered() {
    let mut world = World::new();
    let publisher = world.connect(clean(V5, "p"));
    let client = world.connect(limited("c", PropertyId::MaximumPacketSize, 60));
    world.subscribe(client, "a", AtLeastOnce);
    // Fixed header 2, topic 3, identifier 2, properties 1: 52 bytes of payload are the limit.
    for (id, size) in [(1, 53), (2, 52)] {
        world.send(publisher, Packet::Publish(message("a", &"x".repeat(size), AtLeastOnce, id)));
    }
    assert_eq!(world.publish(client).payload.len(), 52);
    world.nothing(client);
    assert_eq!(world.broker.statistics().in_flight, 1);
}

#[test]
fn too_large_for_one_member_goes_to_another_where_that_is_chosen() {
    for (setting, heard) in [("drop", false), ("other-member", true)] {
        let mut world = World::with(&[("too-large-shared", setting), ("shared-choice", "first")]);
        let publisher = world.connect(clean(V5, "p"));
        let small = world.connect(limited("s", PropertyId::MaximumPacketSize, 60));
        let large = world.connect(clean(V5, "l"));
        world.subscribe(small, "$share/g/a", AtMostOnce);
        world.subscribe(large, "$share/g/a", AtMostOnce);
        let payload = "x".repeat(100);
        world.say(publisher, "a", &payload);
        world.nothing(small);
        if heard {
            world.hear(large, &payload, AtMostOnce);
        }
        world.nothing(large);
    }
}

#[test]
fn reason_strings_are_left_out_where_they_do_not_fit_or_are_not_wanted() {
    let mut world = World::with(&[("diagnostics", "all")]);
    let (client, connack) = world.connack(limited("c", PropertyId::MaximumPacketSize, 30));
    assert!(connack.properties.get(PropertyId::ReasonString).is_none());
    assert!(connack.properties.get(PropertyId::ReceiveMaximum).is_some());
    assert!(world.subscribe(client, "a", AtMostOnce).properties.is_empty());
    let client = world.connect(clean(V5, "large"));
    let suback = world.subscribe(client, "a", AtMostOnce);
    assert!(suback.properties.text(PropertyId::ReasonString).is_some());
    assert_eq!(suback.properties.user_properties().count(), 1);
    let (client, connack) = world.connack(limited("d", PropertyId::RequestProblemInformation, 0));
    assert!(connack.properties.get(PropertyId::ReasonString).is_some());
    let suback = world.subscribe(client, "a", AtMostOnce);
    assert!(suback.properties.is_empty());
    world.send(client, Packet::Puback(Ack::success(1)));
    world.send(client, Packet::Pingresp);
    match world.packet(client) {
        Packet::Disconnect(disconnect) => {
            assert!(disconnect.properties.text(PropertyId::ReasonString).is_some())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_expire_while_they_wait_and_say_how_much_is_left() {
    let mut world = World::new();
    let publisher = world.connect(clean(V5, "p"));
    let client = world.connect(resuming(V5, "c"));
    world.subscribe(client, "a", AtLeastOnce);
    world.lose(client);
    for (id, seconds) in [(1, 5), (2, 100)] {
        let mut publish = message("a", &seconds.to_string(), AtLeastOnce, id);
        publish.properties.push_number(PropertyId::MessageExpiryInterval, seconds);
        publish.properties.push(PropertyId::UserProperty, PropertyValue::Pair("k", "v"));
        world.send(publisher, Packet::Publish(publish));
    }
    world.secs(5);
    let client = world.connect(resuming(V5, "c"));
    let publish = world.publish(client);
    assert_eq!(publish.properties.number(PropertyId::MessageExpiryInterval), Some(95));
    assert_eq!(publish.properties.user_properties().collect::<Vec<_>>(), [("k", "v")]);
    world.nothing(client);
    // What was sent once is sent again, expired or not.
    world.lose(client);
    world.secs(1_000);
    let client = world.connect(resuming(V5, "c"));
    assert!(world.publish(client).dup);
}

#[test]
fn pubrels_are_sent_again_in_the_order_of_the_pubrecs() {
    let mut world = World::new();
    let publisher = world.connect(clean(V3_1_1, "p"));
    let client = world.connect(resuming(V3_1_1, "c"));
    world.subscribe(client, "a", ExactlyOnce);
    let mut ids = Vec::new();
    for id in 1..=3 {
        world.send(publisher, Packet::Publish(message("a", "x", ExactlyOnce, id)));
        ids.push(world.publish(client).packet_id.unwrap());
    }
    for place in [2, 0] {
        world.send(client, Packet::Pubrec(Ack::success(ids[place])));
        world.packet(client);
    }
    world.lose(client);
    let client = world.connect(resuming(V3_1_1, "c"));
    assert!(matches!(world.packet(client), Packet::Pubrel(ack) if ack.packet_id == ids[2]));
    assert!(matches!(world.packet(client), Packet::Pubrel(ack) if ack.packet_id == ids[0]));
    assert_eq!(world.publish(client).packet_id, Some(ids[1]));
    world.nothing(client);
}
