//! The Will Message.

use std::time::Duration;

use super::driver::*;
use crate::codec::{
    Connect, Packet, Properties, PropertyId, PropertyValue, ProtocolVersion, ReasonCode, Will,
};

fn with_will(version: ProtocolVersion, will: Will<'static>) -> Connect<'static> {
    Connect { will: Some(will), ..clean(version, "c") }
}

/// A 5.0 CONNECT with a will that has this delay, and this session expiry.
fn delayed(clean_start: bool, delay: u32, expiry: u32) -> Connect<'static> {
    let mut connect = Connect { clean_start, ..with_will(V5, will("w", "gone", delay)) };
    connect.properties.push_number(PropertyId::SessionExpiryInterval, expiry);
    connect
}

fn witness(world: &mut World) -> Client {
    let witness = world.connect(clean(V5, "witness"));
    world.subscribe(witness, "w", ExactlyOnce);
    witness
}

#[test]
fn a_lost_connection_publishes_the_will_once_and_a_disconnect_does_not() {
    for version in [V3_1, V3_1_1, V5] {
        let mut world = World::new();
        let witness = witness(&mut world);
        let client = world.connect(with_will(version, Will { qos: AtLeastOnce, ..will("w", "gone", 0) }));
        world.lose(client);
        assert!(!world.hear(witness, "gone", AtLeastOnce).retain);
        world.secs(100);
        world.nothing(witness);
        let client = world.connect(with_will(version, will("w", "gone", 0)));
        world.disconnect(client);
        world.secs(100);
        world.nothing(witness);
    }
}

#[test]
fn a_retained_will_is_retained() {
    let mut world = World::new();
    let client = world.connect(with_will(V3_1_1, Will { retain: true, ..will("w", "gone", 0) }));
    world.lose(client);
    let late = world.connect(clean(V3_1_1, "late"));
    world.subscribe(late, "w", AtMostOnce);
    assert!(world.hear(late, "gone", AtMostOnce).retain);
}

#[test]
fn the_will_comes_at_the_earlier_of_delay_and_session_end() {
    for (delay, expiry, at) in [(5, 100, 5_000), (100, 5, 5_000), (5, 5, 5_000), (5, 0, 0), (0, 100, 0)] {
        let mut world = World::new();
        let witness = witness(&mut world);
        let client = world.connect(delayed(true, delay, expiry));
        world.lose(client);
        if at > 0 {
            world.wait(Duration::from_millis(at) - Duration::from_micros(1));
            world.nothing(witness);
            world.wait(Duration::from_micros(1));
        }
        world.hear(witness, "gone", AtMostOnce);
        world.secs(1_000);
        world.nothing(witness);
    }
}

#[test]
fn coming_back_in_time_takes_a_delayed_will_back() {
    let mut world = World::new();
    let witness = witness(&mut world);
    let client = world.connect(delayed(false, 5, 100));
    world.lose(client);
    world.secs(4);
    let mut again = delayed(false, 5, 100);
    again.will = None;
    let client = world.connect(again);
    world.secs(10);
    world.lose(client);
    world.secs(200);
    world.nothing(witness);
}

#[test]
fn a_takeover_publishes_the_will_as_the_rulings_have_it() {
    // suppressed only if the delay is above 0 and the session goes on.
    for (delay, expiry, clean_start, published) in
        [(0, 100, false, true), (5, 0, false, true), (5, 100, true, true), (5, 100, false, false)]
    {
        let mut world = World::new();
        let witness = witness(&mut world);
        world.connect(delayed(true, delay, expiry));
        let mut again = Connect { clean_start, ..clean(V5, "c") };
        again.properties.push_number(PropertyId::SessionExpiryInterval, 100);
        world.connect(again);
        if published {
            world.hear(witness, "gone", AtMostOnce);
        }
        world.secs(50);
        world.nothing(witness);
    }
    //
    let mut world = World::new();
    let witness = witness(&mut world);
    world.connect(with_will(V3_1_1, will("w", "gone", 0)));
    world.connect(clean(V3_1_1, "c"));
    world.hear(witness, "gone", AtMostOnce);
    world.nothing(witness);
}

#[test]
fn disconnect_with_will_message_publishes_it() {
    let mut world = World::new();
    let witness = witness(&mut world);
    let client = world.connect(with_will(V5, will("w", "gone", 0)));
    world.disconnect_with(client, ReasonCode::DISCONNECT_WITH_WILL, Properties::new());
    world.hear(witness, "gone", AtMostOnce);
    // 0 with 0x04 ends the session and sends a delayed will at once.
    let client = world.connect(delayed(true, 50, 100));
    let mut properties = Properties::new();
    properties.push_number(PropertyId::SessionExpiryInterval, 0);
    world.disconnect_with(client, ReasonCode::DISCONNECT_WITH_WILL, properties);
    world.hear(witness, "gone", AtMostOnce);
}

#[test]
fn an_error_and_silence_publish_the_will() {
    let mut world = World::new();
    let witness = witness(&mut world);
    let client = world.connect(with_will(V3_1_1, will("w", "error", 0)));
    world.send_bytes(client, &[0x36, 0]);
    world.closed_silently(client);
    world.hear(witness, "error", AtMostOnce);
    let client = world.connect(Connect { keep_alive: 2, ..with_will(V5, will("w", "silence", 0)) });
    world.secs(3);
    world.closed(client, ReasonCode::KEEP_ALIVE_TIMEOUT);
    world.hear(witness, "silence", AtMostOnce);
}

#[test]
fn a_stop_publishes_wills_to_those_who_are_there() {
    for (setting, published) in [("at-shutdown", true), ("never", false)] {
        let mut world = World::with(&[("will-on-shutdown", setting)]);
        let witness = witness(&mut world);
        let client = world.connect(with_will(V3_1_1, will("w", "gone", 0)));
        world.shutdown();
        if published {
            world.hear(witness, "gone", AtMostOnce);
        }
        world.closed(witness, ReasonCode::SERVER_SHUTTING_DOWN);
        world.closed_silently(client);
    }
}

#[test]
fn the_properties_of_a_will_travel_with_it() {
    let mut message = will("w", "gone", 3);
    message.properties.push_number(PropertyId::PayloadFormatIndicator, 1);
    message.properties.push_number(PropertyId::MessageExpiryInterval, 60);
    message.properties.push(PropertyId::UserProperty, PropertyValue::Pair("b", "1"));
    message.properties.push(PropertyId::UserProperty, PropertyValue::Pair("a", "2"));
    message.properties.push(PropertyId::ContentType, PropertyValue::Text("text/plain"));
    let mut connect = with_will(V5, message);
    connect.properties.push_number(PropertyId::SessionExpiryInterval, 100);
    let mut world = World::new();
    let witness = witness(&mut world);
    let client = world.connect(connect);
    world.lose(client);
    world.secs(3);
    let publish = world.hear(witness, "gone", AtMostOnce);
    let properties = &publish.properties;
    assert_eq!(properties.number(PropertyId::WillDelayInterval), None);
    assert_eq!(properties.number(PropertyId::PayloadFormatIndicator), Some(1));
    // Counted from the publication, not from CONNECT.
    assert_eq!(properties.number(PropertyId::MessageExpiryInterval), Some(60));
    assert_eq!(properties.user_properties().collect::<Vec<_>>(), [("b", "1"), ("a", "2")]);
    assert_eq!(properties.text(PropertyId::ContentType), Some("text/plain"));
}

#[test]
fn a_will_topic_with_wildcards_is_refused() {
    let mut world = World::new();
    let (client, connack) = world.connack(with_will(V5, will("w/#", "x", 0)));
    assert_eq!(connack.reason, ReasonCode::TOPIC_NAME_INVALID);
    world.closed_silently(client);
    let client = world.open(V3_1_1);
    world.send(client, Packet::Connect(Box::new(with_will(V3_1_1, will("w/+", "x", 0)))));
    world.closed_silently(client);
}
