//! Parts of the exercise for rules that need a certain configuration, or a client that is out of the ordinary.

use std::borrow::Cow;

use super::Exercise;
use crate::codec::{
    Ack, Connect, Packet, Properties, PropertyId, PropertyValue, ProtocolVersion, Publish, QoS, RawPacket,
    ReasonCode, SubscriptionOptions, Will,
};
use crate::core::Challenge;
use crate::core::tests::driver::*;

/// What Reason Strings and User Properties say in [`words`].
pub(super) const WORDS: &str = "sixty-four bytes and more, so that a small packet has no room for it";

/// What was announced as unavailable is used all the same, and what is allowed is used to the full.
pub(super) fn limits(exercise: &mut Exercise, version: ProtocolVersion) {
    for will in
        [Will { qos: ExactlyOnce, ..will("w", "too much", 0) }, Will { retain: true, ..will("w", "kept", 0) }]
    {
        exercise.connect(Connect { will: Some(will), ..clean(version, "c") });
    }
    let client = exercise.connect(clean(version, "c"));
    exercise.subscribe(client, &["a"], options(ExactlyOnce), None);
    if version == V5 {
        let mut publish = message("a", "alias", AtMostOnce, 0);
        publish.properties.push_number(PropertyId::TopicAlias, 3);
        exercise.world.send(client, Packet::Publish(publish));
    }
}

/// CONNECTs that are refused, beside sessions that are kept.
pub(super) fn refusals(exercise: &mut Exercise, version: ProtocolVersion) {
    let named = |password: &'static str, connect: Connect<'static>| Connect {
        user_name: Some(Cow::Borrowed("a")),
        password: Some(Cow::Borrowed(password.as_bytes())),
        ..connect
    };
    for (password, clean_start) in [("b", false), ("c", true), ("b", false)] {
        let client = exercise.connect(named(password, Connect { clean_start, ..resuming(version, "Kept") }));
        exercise.world.lose(client);
    }
    exercise.connect(named("b", resuming(version, "kept")));
    exercise.connect(named("b", clean(version, "abcdefghijklmnopqrstuvw")));
    if version == V5 {
        let mut connect = named("b", clean(V5, "method"));
        connect.properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text("unknown"));
        exercise.connect(connect);
    }
}

/// Acknowledgements for what there is not, messages that are refused, late or large.
pub(super) fn exchanges(exercise: &mut Exercise, version: ProtocolVersion) {
    let client = exercise.connect(clean(version, "c"));
    exercise.publish(client, "nobody", "x", AtLeastOnce, 1);
    exercise.publish(client, "nobody", "x", ExactlyOnce, 2);
    exercise.publish(client, "denied", "x", ExactlyOnce, 3);
    exercise.publish(client, "nobody", "x", ExactlyOnce, 3);
    exercise.world.send(client, Packet::Pubrel(Ack::success(77)));
    exercise.world.send(client, Packet::Pubrec(Ack::success(78)));
    exercise.subscribe(client, &["a", "hidden"], options(ExactlyOnce), None);
    exercise.publish(client, "hidden", "x", AtMostOnce, 0);
    exercise.publish(client, "a", &"long".repeat(20_000), AtMostOnce, 0);
    exercise.publish(client, "a", "in order", ExactlyOnce, 4);
    if version != V5 {
        return;
    }
    let mut publish = message("a", "short", ExactlyOnce, 5);
    publish.properties.push_number(PropertyId::MessageExpiryInterval, 1);
    exercise.world.send(client, Packet::Publish(publish));
    exercise.world.secs(3);
    exercise.world.send(client, Packet::Pubrel(Ack::success(5)));
    // One message is too large, the next fills the window.
    let mut connect = resuming(V5, "small");
    connect.properties.push_number(PropertyId::ReceiveMaximum, 1);
    connect.properties.push_number(PropertyId::MaximumPacketSize, 60);
    let small = exercise.connect(connect);
    exercise.subscribe(small, &["s"], options(AtLeastOnce), None);
    for size in [46, 53, 54, 55, 90] {
        exercise.publish(client, "s", &"x".repeat(size), AtMostOnce, 0);
    }
    exercise.publish(client, "s", &"x".repeat(90), AtLeastOnce, 6);
    exercise.publish(client, "s", "x", AtLeastOnce, 7);
    exercise.world.send(small, Packet::Pingreq);
    let mut connect = clean(V5, "wrong");
    connect.properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text(Challenge::NAME));
    connect.properties.push(PropertyId::AuthenticationData, PropertyValue::Binary(b"wrong"));
    exercise.connect(connect);
    // A session whose time must not run while its client is there.
    let mut connect = Connect { clean_start: false, ..clean(V5, "timed") };
    connect.properties.push_number(PropertyId::SessionExpiryInterval, 2);
    let timed = exercise.connect(connect.clone());
    exercise.world.lose(timed);
    let timed = exercise.connect(connect);
    exercise.subscribe(timed, &["t"], options(AtMostOnce), None);
    exercise.world.secs(5);
    exercise.publish(client, "t", "x", AtMostOnce, 0);
    let bytes = [RawPacket::new(0x30).str("a").encoded(), vec![0x40, 3, 0, 1, 1]];
    for bytes in bytes {
        let other = exercise.connect(clean(V5, "other"));
        exercise.world.send_bytes(other, &bytes);
    }
}

/// A server that explains itself to a client that has no room for it.
pub(super) fn words(exercise: &mut Exercise, version: ProtocolVersion) {
    if version != V5 {
        return;
    }
    let mut connect = clean(V5, "c");
    connect.properties.push_number(PropertyId::MaximumPacketSize, 60);
    let client = exercise.connect(connect);
    exercise.subscribe(client, &["a"], options(AtMostOnce), None);
    exercise.unsubscribe(client, &["b"]);
    exercise.publish(client, "nobody", "x", AtLeastOnce, 1);
}

/// Overlapping subscriptions with a copy for each, options that change, shared messages that are refused or cut
/// off.
pub(super) fn copies(exercise: &mut Exercise, version: ProtocolVersion) {
    if version != V5 {
        return;
    }
    let publisher = exercise.connect(clean(V5, "p"));
    let client = exercise.connect(clean(V5, "c"));
    exercise.subscribe(client, &["a/#"], options(AtMostOnce), Some(1));
    exercise.subscribe(client, &["a/b"], options(AtMostOnce), Some(2));
    let keeping = SubscriptionOptions { retain_as_published: true, ..options(AtMostOnce) };
    exercise.subscribe(client, &["a/b"], keeping, Some(3));
    exercise.publish(publisher, "a/b", "x", AtMostOnce, 0);
    exercise.unsubscribe(client, &["a/b"]);
    let first = exercise.connect(resuming(V5, "first"));
    let second = exercise.connect(resuming(V5, "second"));
    for member in [first, second] {
        exercise.subscribe(member, &["$share/g/s"], options(ExactlyOnce), None);
    }
    exercise.drop_inbox(first);
    exercise.publish(publisher, "s", "refused", AtLeastOnce, 1);
    let Some(Event::Packet(Packet::Publish(Publish { packet_id: Some(id), .. }))) =
        exercise.world.next(first)
    else {
        return;
    };
    let refusal = Ack { reason: ReasonCode::QUOTA_EXCEEDED, packet_id: id, properties: Properties::new() };
    exercise.world.send(first, Packet::Puback(refusal));
    exercise.publish(publisher, "s", "cut off", QoS::ExactlyOnce, 2);
    exercise.world.lose(first);
    exercise.world.secs(1);
}
