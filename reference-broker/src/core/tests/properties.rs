//! Properties of messages, Topic Aliases, request and response.

use super::driver::*;
use crate::codec::{Packet, Properties, PropertyId, PropertyValue, Publish, ReasonCode};

#[test]
fn properties_travel_unaltered_and_in_order() {
    let mut world = World::new();
    let client = world.connect(clean(V5, "c"));
    world.subscribe(client, "a", AtMostOnce);
    let old = world.connect(clean(V3_1_1, "old"));
    world.subscribe(old, "a", AtMostOnce);
    let mut properties = Properties::new();
    properties.push_number(PropertyId::PayloadFormatIndicator, 1);
    properties.push(PropertyId::UserProperty, PropertyValue::Pair("z", "1"));
    properties.push(PropertyId::ResponseTopic, PropertyValue::Text("answer"));
    properties.push(PropertyId::UserProperty, PropertyValue::Pair("a", "2"));
    properties.push(PropertyId::CorrelationData, PropertyValue::Binary(&[0, 1, 255]));
    properties.push(PropertyId::ContentType, PropertyValue::Text("text/plain"));
    properties.push(PropertyId::UserProperty, PropertyValue::Pair("z", "1"));
    let publish = Publish { properties: properties.clone(), ..message("a", "x", AtMostOnce, 0) };
    world.send(client, Packet::Publish(publish));
    assert_eq!(world.hear(client, "x", AtMostOnce).properties, properties);
    assert!(world.hear(old, "x", AtMostOnce).properties.is_empty());
}

fn aliased(topic: &str, alias: u16) -> Packet<'static> {
    let mut publish = message(topic, "x", AtMostOnce, 0);
    publish.properties.push_number(PropertyId::TopicAlias, u32::from(alias));
    Packet::Publish(publish)
}

#[test]
fn aliases_of_the_client_stand_for_their_last_topic() {
    let mut world = World::with(&[("topic-alias-maximum", "2")]);
    let witness = world.connect(clean(V5, "w"));
    world.subscribe(witness, "#", AtMostOnce);
    let client = world.connect(clean(V5, "c"));
    for (topic, alias, expected) in
        [("a", 1, "a"), ("", 1, "a"), ("b", 2, "b"), ("c", 1, "c"), ("", 1, "c"), ("", 2, "b")]
    {
        world.send(client, aliased(topic, alias));
        let publish = world.hear(witness, "x", AtMostOnce);
        assert_eq!(publish.topic, expected);
        assert_eq!(publish.properties.number(PropertyId::TopicAlias), None);
    }
    world.send(client, aliased("d", 3));
    world.closed(client, ReasonCode::TOPIC_ALIAS_INVALID);
    let client = world.connect(clean(V5, "c"));
    world.send(client, aliased("", 1));
    world.closed(client, ReasonCode::PROTOCOL_ERROR);
    world.nothing(witness);
}

#[test]
fn the_server_uses_the_aliases_that_the_client_allows() {
    let mut world = World::new();
    let publisher = world.connect(clean(V5, "p"));
    let mut connect = clean(V5, "c");
    connect.properties.push_number(PropertyId::TopicAliasMaximum, 2);
    let client = world.connect(connect);
    world.subscribe(client, "#", AtMostOnce);
    let expected =
        [("a", "a", Some(1)), ("a", "", Some(1)), ("b", "b", Some(2)), ("c", "c", None), ("b", "", Some(2))];
    for (published, topic, alias) in expected {
        world.say(publisher, published, "x");
        let publish = world.hear(client, "x", AtMostOnce);
        assert_eq!((&*publish.topic, publish.properties.number(PropertyId::TopicAlias)), (topic, alias));
    }
}

#[test]
fn what_only_a_server_may_send_is_an_error() {
    let mut identifier = Properties::new();
    identifier.push_number(PropertyId::SubscriptionIdentifier, 1);
    let mut wild = Properties::new();
    wild.push(PropertyId::ResponseTopic, PropertyValue::Text("a/#"));
    for properties in [identifier, wild] {
        let mut world = World::new();
        let client = world.connect(clean(V5, "c"));
        world.send(client, Packet::Publish(Publish { properties, ..message("a", "x", AtMostOnce, 0) }));
        world.closed(client, ReasonCode::PROTOCOL_ERROR);
    }
    let mut world = World::new();
    let client = world.connect(clean(V5, "c"));
    world.disconnect_with(client, ReasonCode::SERVER_SHUTTING_DOWN, Properties::new());
    world.closed(client, ReasonCode::PROTOCOL_ERROR);
}

#[test]
fn the_payload_format_is_checked_where_that_is_chosen() {
    let mut publish = message("a", "x", AtLeastOnce, 1);
    publish.payload = vec![0xFF].into();
    publish.properties.push_number(PropertyId::PayloadFormatIndicator, 1);
    for (setting, expected) in [("forward", 0x10), ("ack-0x99", 0x99)] {
        let mut world = World::with(&[("payload-format-check", setting)]);
        let client = world.connect(clean(V5, "c"));
        world.send(client, Packet::Publish(publish.clone()));
        assert!(matches!(world.packet(client), Packet::Puback(ack) if ack.reason == ReasonCode(expected)));
    }
    let mut world = World::with(&[("payload-format-check", "close")]);
    let client = world.connect(clean(V5, "c"));
    world.send(client, Packet::Publish(publish));
    world.closed(client, ReasonCode::PAYLOAD_FORMAT_INVALID);
}
