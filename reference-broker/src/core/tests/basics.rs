//! The first things that have to work, in every version.

use super::driver::*;
use crate::codec::{Ack, Packet, ReasonCode};

#[test]
fn a_message_reaches_a_subscriber_at_every_qos_in_every_version() {
    for version in [V3_1, V3_1_1, V5] {
        for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
            let mut world = World::new();
            let subscriber = world.connect(clean(version, "subscriber"));
            let publisher = world.connect(clean(version, "publisher"));
            assert_eq!(world.subscribe(subscriber, "a/+", qos).reasons, [ReasonCode(qos.number())]);
            world.send(publisher, Packet::Publish(message("a/b", "hello", qos, 1)));
            match qos {
                AtMostOnce => {}
                AtLeastOnce => {
                    assert!(matches!(world.packet(publisher), Packet::Puback(ack) if ack.packet_id == 1))
                }
                ExactlyOnce => {
                    assert!(matches!(world.packet(publisher), Packet::Pubrec(ack) if ack.packet_id == 1));
                    world.send(publisher, Packet::Pubrel(Ack::success(1)));
                    assert!(matches!(world.packet(publisher), Packet::Pubcomp(ack) if ack.packet_id == 1));
                }
            }
            let publish = world.hear(subscriber, "hello", qos);
            assert_eq!((publish.dup, publish.retain, &*publish.topic), (false, false, "a/b"));
            world.nothing(subscriber);
            world.nothing(publisher);
            world.disconnect(subscriber);
            world.disconnect(publisher);
            assert_eq!(world.broker.statistics(), crate::core::Statistics::default());
        }
    }
}

#[test]
fn ping_is_answered() {
    let mut world = World::new();
    let client = world.connect(clean(V3_1_1, "a"));
    world.send(client, Packet::Pingreq);
    assert_eq!(world.packet(client), Packet::Pingresp);
}

#[test]
fn an_interrupted_exchange_goes_on_where_it_was() {
    for version in [V3_1_1, V5] {
        let mut world = World::new();
        let publisher = world.connect(clean(version, "publisher"));
        let subscriber = world.connect(resuming(version, "subscriber"));
        world.subscribe(subscriber, "#", ExactlyOnce);
        world.send(publisher, Packet::Publish(message("a", "one", AtLeastOnce, 1)));
        world.send(publisher, Packet::Publish(message("a", "two", ExactlyOnce, 2)));
        world.send(publisher, Packet::Publish(message("a", "three", ExactlyOnce, 3)));
        let ids: Vec<_> = (0..3).map(|_| world.publish(subscriber).packet_id.unwrap()).collect();
        world.send(subscriber, Packet::Pubrec(Ack::success(ids[1])));
        assert!(matches!(world.packet(subscriber), Packet::Pubrel(ack) if ack.packet_id == ids[1]));
        world.lose(subscriber);
        world.say(publisher, "a", "lost");
        world.send(publisher, Packet::Publish(message("a", "four", AtLeastOnce, 4)));
        let (subscriber, connack) = world.connack(resuming(version, "subscriber"));
        assert!(connack.session_present);
        assert!(matches!(world.packet(subscriber), Packet::Pubrel(ack) if ack.packet_id == ids[1]));
        for (payload, id, dup) in [("one", ids[0], true), ("three", ids[2], true), ("four", 4, false)] {
            let publish = world.publish(subscriber);
            assert_eq!(
                (&*publish.payload, publish.packet_id, publish.dup),
                (payload.as_bytes(), Some(id), dup)
            );
        }
        world.nothing(subscriber);
    }
}
