//! SUBSCRIBE, UNSUBSCRIBE, overlapping subscriptions, No Local, rights.

use super::driver::*;
use crate::codec::{Ack, Packet, PropertyId, ReasonCode, SubscriptionOptions};

#[test]
fn several_filters_get_one_suback_in_their_order() {
    let mut world = World::with(&[("access", "deny subscribe * secret")]);
    let client = world.connect(clean(V5, "c"));
    let filters = [
        ("a", options(AtMostOnce)),
        ("secret", options(AtLeastOnce)),
        ("b", options(AtLeastOnce)),
        ("c", options(ExactlyOnce)),
    ];
    world.send(client, subscribe(&filters, None));
    let Packet::Suback(suback) = world.packet(client) else { panic!() };
    assert_eq!(suback.packet_id, 8);
    assert_eq!(suback.reasons, [ReasonCode(0), ReasonCode::NOT_AUTHORIZED, ReasonCode(1), ReasonCode(2)]);
}

#[test]
fn subscribing_again_replaces_the_options() {
    let mut world = World::new();
    let client = world.connect(clean(V5, "c"));
    world.subscribe(client, "a", ExactlyOnce);
    world.subscribe_with(client, "a", options(AtMostOnce), Some(3));
    world.send(client, Packet::Publish(message("a", "x", ExactlyOnce, 1)));
    let publish = world.hear(client, "x", AtMostOnce);
    assert_eq!(publish.properties.number(PropertyId::SubscriptionIdentifier), Some(3));
    assert_eq!(world.broker.statistics().subscriptions, 1);
}

#[test]
fn unsubscribing_compares_literally_and_is_always_answered() {
    for version in [V3_1_1, V5] {
        let mut world = World::new();
        let client = world.connect(clean(version, "c"));
        world.subscribe(client, "a/b", AtMostOnce);
        let unsuback = world.unsubscribe(client, "a/+");
        assert_eq!(unsuback.packet_id, 9);
        if version == V5 {
            assert_eq!(unsuback.reasons, [ReasonCode::NO_SUBSCRIPTION_EXISTED]);
        }
        world.say(client, "a/b", "still");
        world.hear(client, "still", AtMostOnce);
        assert_eq!(
            world.unsubscribe(client, "a/b").reasons.first().copied().unwrap_or_default(),
            ReasonCode::SUCCESS
        );
        world.say(client, "a/b", "gone");
        world.nothing(client);
    }
}

#[test]
fn deliveries_that_were_begun_are_completed_after_unsubscribe() {
    let mut world = World::new();
    let client = world.connect(clean(V3_1_1, "c"));
    world.subscribe(client, "a", ExactlyOnce);
    world.send(client, Packet::Publish(message("a", "x", ExactlyOnce, 1)));
    let publish = world.publish(client);
    assert!(matches!(world.packet(client), Packet::Pubrec(_)));
    world.unsubscribe(client, "a");
    let id = publish.packet_id.unwrap();
    world.send(client, Packet::Pubrec(Ack::success(id)));
    assert!(matches!(world.packet(client), Packet::Pubrel(ack) if ack.packet_id == id));
}

#[test]
fn waiting_messages_go_with_the_subscription_where_that_is_chosen() {
    for (setting, arrives) in [("deliver-buffered", true), ("drop-buffered", false)] {
        let mut world = World::with(&[("unsubscribe-buffered", setting)]);
        let publisher = world.connect(clean(V5, "p"));
        let mut connect = clean(V5, "c");
        connect.properties.push_number(PropertyId::ReceiveMaximum, 1);
        let client = world.connect(connect);
        world.subscribe(client, "a", AtLeastOnce);
        for id in 1..=2 {
            world.send(publisher, Packet::Publish(message("a", &id.to_string(), AtLeastOnce, id)));
        }
        let first = world.publish(client);
        world.unsubscribe(client, "a");
        world.send(client, Packet::Puback(Ack::success(first.packet_id.unwrap())));
        if arrives {
            world.hear(client, "2", AtLeastOnce);
        }
        world.nothing(client);
    }
}

#[test]
fn overlapping_subscriptions_get_one_copy_or_one_each() {
    let mut world = World::new();
    let client = world.connect(clean(V5, "c"));
    let three = [("a/b", AtMostOnce, 1), ("a/+", ExactlyOnce, 2), ("#", AtLeastOnce, 1)];
    for (filter, qos, id) in three {
        world.subscribe_with(client, filter, options(qos), Some(id));
    }
    let publisher = world.connect(clean(V5, "p"));
    world.send(publisher, Packet::Publish(message("a/b", "x", ExactlyOnce, 1)));
    let publish = world.hear(client, "x", ExactlyOnce);
    let mut ids: Vec<_> = publish.properties.iter().filter_map(|property| property.value.number()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 1, 2]);
    world.nothing(client);

    let mut world = World::with(&[("overlapping-subscriptions", "copy-per-match")]);
    let client = world.connect(clean(V5, "c"));
    for (filter, qos, id) in three {
        world.subscribe_with(client, filter, options(qos), Some(id));
    }
    let publisher = world.connect(clean(V5, "p"));
    world.send(publisher, Packet::Publish(message("a/b", "x", ExactlyOnce, 1)));
    let mut copies: Vec<_> = (0..3)
        .map(|_| {
            let publish = world.publish(client);
            (publish.qos, publish.properties.number(PropertyId::SubscriptionIdentifier))
        })
        .collect();
    copies.sort_unstable();
    assert_eq!(copies, [(AtMostOnce, Some(1)), (AtLeastOnce, Some(1)), (ExactlyOnce, Some(2))]);
    world.nothing(client);
}

#[test]
fn no_local_hides_what_the_client_published_itself() {
    let mut world = World::new();
    let client = world.connect(clean(V5, "c"));
    let hiding = SubscriptionOptions { no_local: true, ..options(AtMostOnce) };
    world.subscribe_with(client, "a", hiding, None);
    world.say(client, "a", "own");
    world.nothing(client);
    let other = world.connect(clean(V5, "d"));
    world.say(other, "a", "foreign");
    world.hear(client, "foreign", AtMostOnce);
    world.subscribe_with(client, "+", options(AtMostOnce), None);
    world.say(client, "a", "through the other one");
    world.hear(client, "through the other one", AtMostOnce);
    world.send(client, subscribe(&[("$share/g/a", hiding)], None));
    world.closed(client, ReasonCode::PROTOCOL_ERROR);
}

#[test]
fn a_malformed_filter_ends_the_connection_or_fails_alone() {
    for filter in ["a/#/b", "a+", "", "$share/g"] {
        let mut world = World::new();
        let client = world.connect(clean(V5, "c"));
        world.send(client, subscribe(&[("good", options(AtMostOnce)), (filter, options(AtMostOnce))], None));
        world.closed(client, ReasonCode::TOPIC_FILTER_INVALID);
        assert_eq!(world.broker.statistics().subscriptions, 0);
        for (setting, reason) in [("suback-0x80", 0x80), ("suback-0x8f", 0x8F), ("suback-0x83", 0x83)] {
            let mut world = World::with(&[("malformed-filter", setting)]);
            let client = world.connect(clean(V5, "c"));
            world.send(
                client,
                subscribe(&[("good", options(AtMostOnce)), (filter, options(AtMostOnce))], None),
            );
            let Packet::Suback(suback) = world.packet(client) else { panic!() };
            assert_eq!(suback.reasons, [ReasonCode(0), ReasonCode(reason)]);
            world.say(client, "good", "x");
            world.hear(client, "x", AtMostOnce);
            let old = world.connect(clean(V3_1_1, "d"));
            if !filter.starts_with('$') {
                assert_eq!(world.subscribe(old, filter, AtMostOnce).reasons, [ReasonCode(0x80)]);
            }
        }
    }
}

#[test]
fn what_is_unavailable_is_refused() {
    let settings = [
        ("wildcard-subscription-available", "false"),
        ("shared-subscription-available", "false"),
        ("subscription-identifier-available", "false"),
    ];
    let cases = [
        ("a/#", None, ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("$share/g/a", None, ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("a", Some(1), ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED),
    ];
    for (filter, identifier, reason) in cases {
        let mut world = World::with(&settings);
        let client = world.connect(clean(V5, "c"));
        world.send(client, subscribe(&[(filter, options(AtMostOnce))], identifier));
        world.closed(client, reason);
        let mut config = settings.to_vec();
        config.push(("unavailable-feature", "suback-failure"));
        let mut world = World::with(&config);
        let client = world.connect(clean(V5, "c"));
        assert_eq!(world.subscribe_with(client, filter, options(AtMostOnce), identifier).reasons, [reason]);
    }
}

#[test]
fn an_unauthorised_publish_reaches_nobody() {
    for (setting, v5) in [("ack", 0), ("ack-0x87", 0x87), ("close", 0x87)] {
        let mut world =
            World::with(&[("access", "deny publish * secret/#"), ("unauthorised-publish", setting)]);
        let witness = world.connect(clean(V5, "w"));
        world.subscribe(witness, "#", ExactlyOnce);
        for version in [V3_1_1, V5] {
            let client = world.connect(clean(version, "c"));
            world.send(client, Packet::Publish(message("secret/a", "x", AtLeastOnce, 1)));
            if setting == "close" {
                world.closed(client, ReasonCode(0x87));
                continue;
            }
            let expected = ReasonCode(if version == V5 { v5 } else { 0 });
            assert!(matches!(world.packet(client), Packet::Puback(ack) if ack.reason == expected));
        }
        world.nothing(witness);
    }
}

#[test]
fn a_message_is_not_sent_again_with_an_identifier_that_was_replaced() {
    let mut world = World::new();
    let publisher = world.connect(clean(V5, "p"));
    let client = world.connect(resuming(V5, "c"));
    world.subscribe_with(client, "a", options(AtLeastOnce), Some(1));
    world.send(publisher, Packet::Publish(message("a", "old", AtLeastOnce, 1)));
    assert_eq!(world.publish(client).properties.number(PropertyId::SubscriptionIdentifier), Some(1));
    world.subscribe_with(client, "a", options(AtLeastOnce), Some(2));
    world.send(publisher, Packet::Publish(message("a", "new", AtLeastOnce, 2)));
    assert_eq!(world.publish(client).properties.number(PropertyId::SubscriptionIdentifier), Some(2));
    world.lose(client);
    let client = world.connect(resuming(V5, "c"));
    for _ in 0..2 {
        assert_eq!(world.publish(client).properties.number(PropertyId::SubscriptionIdentifier), Some(2));
    }
}
