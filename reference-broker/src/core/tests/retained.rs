//! Retained messages.

use super::driver::*;
use crate::codec::{Packet, PropertyId, Publish, RetainHandling, SubscriptionOptions};

#[test]
fn the_last_retained_message_of_each_matching_topic_is_sent() {
    for version in [V3_1_1, V5] {
        let mut world = World::new();
        let client = world.connect(clean(version, "c"));
        world.retain(client, "a/1", "old");
        world.retain(client, "a/1", "new");
        world.retain(client, "a/2", "two");
        world.retain(client, "b", "other");
        world.retain(client, "$x", "hidden");
        world.say(client, "a/2", "not retained");
        world.subscribe(client, "a/#", ExactlyOnce);
        for (payload, topic) in [("new", "a/1"), ("two", "a/2")] {
            let publish = world.hear(client, payload, AtMostOnce);
            assert!(publish.retain && publish.topic == topic);
        }
        world.nothing(client);
        world.retain(client, "a/1", "");
        assert!(!world.hear(client, "", AtMostOnce).retain);
        world.subscribe(client, "#", ExactlyOnce);
        world.hear(client, "two", AtMostOnce);
        world.hear(client, "other", AtMostOnce);
        world.nothing(client);
        assert_eq!(world.broker.statistics().retained, 3);
    }
}

#[test]
fn its_qos_is_kept_and_cut_to_the_grant() {
    let mut world = World::new();
    let client = world.connect(clean(V5, "c"));
    let publish = Publish { retain: true, ..message("a", "two", ExactlyOnce, 1) };
    world.send(client, Packet::Publish(publish));
    world.packet(client);
    for (granted, expected) in
        [(AtMostOnce, AtMostOnce), (AtLeastOnce, AtLeastOnce), (ExactlyOnce, ExactlyOnce)]
    {
        world.subscribe(client, "a", granted);
        world.hear(client, "two", expected);
    }
}

#[test]
fn retain_handling_decides() {
    let handling = |handling| SubscriptionOptions { retain_handling: handling, ..options(AtMostOnce) };
    let mut world = World::new();
    let client = world.connect(clean(V5, "c"));
    world.retain(client, "a", "kept");
    world.subscribe_with(client, "a", handling(RetainHandling::DoNotSend), None);
    world.nothing(client);
    world.subscribe_with(client, "a", handling(RetainHandling::SendIfNew), None);
    world.nothing(client);
    world.unsubscribe(client, "a");
    world.subscribe_with(client, "a", handling(RetainHandling::SendIfNew), None);
    world.hear(client, "kept", AtMostOnce);
    world.subscribe_with(client, "a", handling(RetainHandling::Send), None);
    world.hear(client, "kept", AtMostOnce);
    world.subscribe_with(client, "$share/g/a", handling(RetainHandling::Send), None);
    world.nothing(client);
}

#[test]
fn retain_as_published_keeps_the_flag() {
    let mut world = World::new();
    let client = world.connect(clean(V5, "c"));
    let keeping = SubscriptionOptions { retain_as_published: true, ..options(AtMostOnce) };
    world.subscribe_with(client, "a", keeping, None);
    world.subscribe(client, "b", AtMostOnce);
    world.retain(client, "a", "x");
    assert!(world.hear(client, "x", AtMostOnce).retain);
    world.retain(client, "b", "x");
    assert!(!world.hear(client, "x", AtMostOnce).retain);
    world.say(client, "a", "x");
    assert!(!world.hear(client, "x", AtMostOnce).retain);
}

#[test]
fn a_resumed_session_is_not_sent_retained_messages() {
    let mut world = World::new();
    let client = world.connect(resuming(V3_1_1, "c"));
    world.subscribe(client, "a", AtMostOnce);
    world.retain(client, "a", "kept");
    world.hear(client, "kept", AtMostOnce);
    world.lose(client);
    let client = world.connect(resuming(V3_1_1, "c"));
    world.nothing(client);
}

#[test]
fn it_expires() {
    let mut world = World::new();
    let client = world.connect(clean(V5, "c"));
    let mut publish = Publish { retain: true, ..message("a", "short", AtMostOnce, 0) };
    publish.properties.push_number(PropertyId::MessageExpiryInterval, 10);
    world.send(client, Packet::Publish(publish));
    world.secs(4);
    world.subscribe(client, "a", AtMostOnce);
    let publish = world.hear(client, "short", AtMostOnce);
    assert_eq!(publish.properties.number(PropertyId::MessageExpiryInterval), Some(6));
    world.secs(6);
    world.subscribe(client, "a", AtMostOnce);
    world.nothing(client);
    assert_eq!(world.broker.statistics().retained, 0);
}

#[test]
fn before_suback_where_that_is_chosen_and_not_at_all_where_it_is_off() {
    let mut world = World::with(&[("publish-vs-suback", "before-suback"), ("retained-qos0", "kept")]);
    let client = world.connect(clean(V5, "c"));
    world.retain(client, "a", "kept");
    world.send(client, subscribe(&[("a", options(AtMostOnce))], None));
    world.hear(client, "kept", AtMostOnce);
    assert!(matches!(world.packet(client), Packet::Suback(_)));
    let mut world = World::with(&[("retain-available", "false")]);
    let client = world.connect(clean(V3_1_1, "c"));
    world.retain(client, "a", "kept");
    world.subscribe(client, "a", AtMostOnce);
    world.nothing(client);
}
