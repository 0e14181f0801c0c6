//! Shared subscriptions.

use super::driver::*;
use crate::codec::{Ack, Packet, PropertyId, ReasonCode};

fn member(world: &mut World, name: &str) -> Client {
    let client = world.connect(resuming(V5, name));
    world.subscribe(client, "$share/g/a", ExactlyOnce);
    client
}

#[test]
fn each_message_goes_to_one_member() {
    for choice in ["round-robin", "random", "first"] {
        let mut world = World::with(&[("shared-choice", choice)]);
        let publisher = world.connect(clean(V5, "p"));
        let members: Vec<_> = ["x", "y", "z"].iter().map(|name| member(&mut world, name)).collect();
        let mut count = [0; 3];
        for _ in 0..30 {
            world.say(publisher, "a", "job");
            for (place, client) in members.iter().enumerate() {
                while world.next(*client).is_some() {
                    count[place] += 1;
                }
            }
        }
        assert_eq!(count.iter().sum::<i32>(), 30);
        match choice {
            "round-robin" => assert_eq!(count, [10, 10, 10]),
            "first" => assert_eq!(count, [30, 0, 0]),
            _ => assert!(count.iter().all(|count| *count > 0)),
        }
    }
}

#[test]
fn members_that_are_away_are_passed_over_while_others_are_there() {
    let mut world = World::new();
    let publisher = world.connect(clean(V5, "p"));
    let first = member(&mut world, "x");
    let second = member(&mut world, "y");
    world.lose(first);
    for id in 1..=3 {
        world.send(publisher, Packet::Publish(message("a", "job", AtLeastOnce, id)));
        world.hear(second, "job", AtLeastOnce);
    }
    world.lose(second);
    world.send(publisher, Packet::Publish(message("a", "kept", AtLeastOnce, 4)));
    let statistics = world.broker.statistics();
    assert_eq!((statistics.queued, statistics.shared), (1, 1));
}

#[test]
fn qos_1_moves_on_when_the_session_ends_and_qos_2_does_not() {
    for (setting, heard) in [("redirect-later", true), ("never", false)] {
        let mut world = World::with(&[("shared-qos1-redirect", setting), ("shared-choice", "first")]);
        let publisher = world.connect(clean(V5, "p"));
        let first = world.connect(clean(V5, "x"));
        world.subscribe(first, "$share/g/a", ExactlyOnce);
        let second = member(&mut world, "y");
        world.send(publisher, Packet::Publish(message("a", "one", AtLeastOnce, 1)));
        world.send(publisher, Packet::Publish(message("a", "two", ExactlyOnce, 2)));
        world.nothing(second);
        world.lose(first);
        if heard {
            assert!(!world.hear(second, "one", AtLeastOnce).dup);
        }
        world.nothing(second);
    }
}

#[test]
fn qos_1_moves_on_at_once_where_that_is_chosen() {
    let mut world = World::with(&[("shared-qos1-redirect", "redirect-at-once"), ("shared-choice", "first")]);
    let publisher = world.connect(clean(V5, "p"));
    let first = member(&mut world, "x");
    let second = member(&mut world, "y");
    world.send(publisher, Packet::Publish(message("a", "one", AtLeastOnce, 1)));
    world.send(publisher, Packet::Publish(message("a", "two", ExactlyOnce, 2)));
    world.publish(first);
    let two = world.publish(first);
    world.lose(first);
    world.hear(second, "one", AtLeastOnce);
    world.nothing(second);
    let first = world.connect(resuming(V5, "x"));
    let again = world.publish(first);
    assert_eq!((again.packet_id, again.dup, &*again.payload), (two.packet_id, true, &b"two"[..]));
    world.nothing(first);
}

#[test]
fn a_message_that_a_member_refuses_is_dropped() {
    let mut world = World::with(&[("shared-choice", "first")]);
    let publisher = world.connect(clean(V5, "p"));
    let first = member(&mut world, "x");
    let second = member(&mut world, "y");
    world.send(publisher, Packet::Publish(message("a", "one", AtLeastOnce, 1)));
    let id = world.publish(first).packet_id.unwrap();
    world.send(first, Packet::Puback(Ack { reason: ReasonCode::UNSPECIFIED_ERROR, ..Ack::success(id) }));
    world.lose(first);
    world.nothing(second);
    let first = world.connect(resuming(V5, "x"));
    world.nothing(first);
}

#[test]
fn other_subscriptions_are_served_beside_it() {
    let mut world = World::new();
    let publisher = world.connect(clean(V5, "p"));
    let client = member(&mut world, "x");
    world.subscribe_with(client, "$share/g/a", options(AtMostOnce), Some(5));
    world.subscribe_with(client, "$share/h/a", options(AtMostOnce), Some(6));
    world.subscribe_with(client, "a", options(AtMostOnce), Some(7));
    world.say(publisher, "a", "x");
    let mut ids: Vec<_> = (0..3)
        .map(|_| world.hear(client, "x", AtMostOnce).properties.number(PropertyId::SubscriptionIdentifier))
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [Some(5), Some(6), Some(7)]);
    world.nothing(client);
    assert_eq!(world.unsubscribe(client, "$share/g/a").reasons, [ReasonCode::SUCCESS]);
    assert_eq!(world.unsubscribe(client, "$share/g/a").reasons, [ReasonCode::NO_SUBSCRIPTION_EXISTED]);
    assert_eq!(world.broker.statistics().shared, 1);
}

#[test]
fn in_old_versions_it_is_what_the_configuration_says() {
    for (setting, code) in [("plain-filter", 0), ("shared", 0), ("suback-0x80", 0x80)] {
        let mut world = World::with(&[("share-in-3.1.1", setting)]);
        let client = world.connect(clean(V3_1_1, "c"));
        assert_eq!(world.subscribe(client, "$share/g/a", AtMostOnce).reasons, [ReasonCode(code)]);
        world.say(client, "a", "shared");
        if setting == "shared" {
            world.hear(client, "shared", AtMostOnce);
        }
        world.say(client, "$share/g/a", "plain");
        if setting == "plain-filter" {
            world.hear(client, "plain", AtMostOnce);
        }
        world.nothing(client);
    }
}
