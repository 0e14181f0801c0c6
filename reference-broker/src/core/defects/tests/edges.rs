//! What the exercise needs beyond the ordinary: limits of the server, packets out of form, long times.

use super::*;

pub(super) const PARTS: &[Part] =
    &[(&[], names), (LIMITS, limits), (&[], forms), (&[], deliveries), (&[], times)];

const LIMITS: &[(&str, &str)] = &[
    ("maximum-packet-size", "100"),
    ("wildcard-subscription-available", "false"),
    ("subscription-identifier-available", "false"),
    ("shared-subscription-available", "false"),
    ("unavailable-feature", "suback-failure"),
    ("access", "deny publish * denied/#"),
    ("access", "deny subscribe * refused/#"),
];

/// Client Identifiers, and what comes together with CONNECT.
fn names(exercise: &mut Exercise, version: ProtocolVersion) {
    for id in ["SensorA", "sensora", "abcdefghijklmnopqrstuvw"] {
        let client = exercise.connect(resuming(version, id));
        exercise.subscribe(client, &["a"], options(AtLeastOnce), None);
        exercise.world.lose(client);
    }
    let properties: &[u8] = if version == V5 { &[0] } else { &[] };
    let connect =
        RawPacket::new(0x10).str("MQTT").bytes(&[version.level(), 2, 0, 0]).bytes(properties).str("a");
    exercise.raw(version, &[connect.encoded(), vec![0xC0, 0]].concat());
    if version == V5 {
        let mut connect = clean(V5, "data");
        connect.properties.push(PropertyId::AuthenticationData, PropertyValue::Binary(b"x"));
        exercise.connect(connect);
        let method = |reason| {
            let mut properties = Properties::new();
            properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text(Challenge::NAME));
            properties.push(PropertyId::AuthenticationData, PropertyValue::Binary(b"sesame"));
            Packet::Auth(Auth { reason, properties })
        };
        let mut connect = clean(V5, "c");
        connect.properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text(Challenge::NAME));
        connect.properties.push(PropertyId::AuthenticationData, PropertyValue::Binary(b"sesame"));
        let client = exercise.connect(connect);
        exercise.world.send(client, method(ReasonCode::RE_AUTHENTICATE));
    }
}

/// What the server does not take, and what it does not allow.
fn limits(exercise: &mut Exercise, version: ProtocolVersion) {
    let client = exercise.connect(clean(version, "c"));
    exercise.subscribe(client, &["a/+"], options(AtLeastOnce), None);
    exercise.subscribe(client, &["a", "refused/x", "denied/x"], options(AtLeastOnce), None);
    if version == V5 {
        exercise.subscribe(client, &["$share/g/a"], options(AtLeastOnce), None);
        exercise.subscribe(client, &["b"], options(AtLeastOnce), Some(5));
    }
    exercise.publish(client, "denied/x", "x", AtLeastOnce, 1);
    exercise.publish(client, "denied/x", "x", ExactlyOnce, 2);
    exercise.publish(client, "a", &"x".repeat(200), AtLeastOnce, 3);
}

/// Packets that are out of form, one a connection.
fn forms(exercise: &mut Exercise, version: ProtocolVersion) {
    let witness = exercise.connect(clean(version, "w"));
    exercise.subscribe(witness, &["#"], options(AtMostOnce), None);
    let v5 = version == V5;
    let properties: &[u8] = if v5 { &[0] } else { &[] };
    let mut packets = vec![
        vec![0x30, 0x80, 0x80, 0x80, 0x80, 1],
        RawPacket::new(0x82).u16(1).bytes(properties).str("a").encoded(),
        RawPacket::new(0x30).str("").bytes(properties).bytes(b"x").encoded(),
        RawPacket::new(0x34).str("a").u16(1).bytes(properties).bytes(b"x").encoded(),
        vec![0x62, 2, 0, 1],
    ];
    if v5 {
        let publish = |block: &[u8], payload: &[u8]| {
            RawPacket::new(0x30).str("a").bytes(&[block.len() as u8]).bytes(block).bytes(payload).encoded()
        };
        packets.push(publish(&[0x03, 0, 1, b't', 0x03, 0, 1, b'u'], b"x"));
        packets.push(publish(&[0x7E, 0], b"x"));
        packets.push(publish(&[0x09, 0, 1, b'c', 0x01, 1], b"x"));
        packets.push(publish(&[0x01, 1], b"\xFF\xFE"));
    }
    for bytes in packets {
        let client = exercise.connect(resuming(version, "c"));
        exercise.world.send_bytes(client, &bytes);
        exercise.world.send(client, Packet::Pingreq);
    }
    let client = exercise.connect(clean(version, "large"));
    exercise.publish(client, "a", &"x".repeat(5_000), AtMostOnce, 0);
}

/// Identifiers of deliveries, and what is held of them.
fn deliveries(exercise: &mut Exercise, version: ProtocolVersion) {
    let v5 = version == V5;
    let publisher = exercise.connect(clean(version, "p"));
    let listener = exercise.connect(clean(version, "l"));
    exercise.subscribe(listener, &["out"], options(AtMostOnce), None);
    let client = exercise.connect(resuming(version, "c"));
    exercise.subscribe(client, &["a"], options(ExactlyOnce), v5.then_some(1));
    exercise.publish(publisher, "a", "open", ExactlyOnce, 1);
    exercise.publish(client, "out", "with the same identifier", ExactlyOnce, 1);
    exercise.subscribe(client, &["a"], options(ExactlyOnce), v5.then_some(2));
    for _ in 0..2 {
        exercise.world.lose(client);
        let client = exercise.connect(resuming(version, "c"));
        exercise.publish(publisher, "a", "next", AtMostOnce, 0);
        exercise.drop_inbox(client);
    }
    let mut connect = clean(version, "window");
    if v5 {
        connect.properties.push_number(PropertyId::ReceiveMaximum, 1);
    }
    let client = exercise.connect(connect);
    exercise.subscribe(client, &["b", "#"], options(AtLeastOnce), v5.then_some(3));
    exercise.world.send(client, Packet::Puback(Ack::success(7)));
    for id in 1..=3 {
        exercise.publish(publisher, "b", "x", AtLeastOnce, id);
    }
    exercise.subscribe(listener, &["#", "+"], options(AtMostOnce), v5.then_some(9));
    exercise.publish(publisher, "c", "matched twice", AtMostOnce, 0);
    let with_will = Connect { will: Some(will("c", "once", 0)), ..resuming(version, "dying") };
    let client = exercise.connect(with_will);
    exercise.world.lose(client);
    let client = exercise.connect(resuming(version, "dying"));
    exercise.world.lose(client);
}

/// Seconds more or less, and hours.
fn times(exercise: &mut Exercise, version: ProtocolVersion) {
    let publisher = exercise.connect(clean(version, "p"));
    let idle = exercise.connect(clean(version, "idle"));
    exercise.subscribe(idle, &["a"], options(AtMostOnce), None);
    exercise.world.secs(100);
    exercise.world.say(publisher, "a", "late");
    for keep_alive in [1, u16::MAX] {
        exercise.connect(Connect { keep_alive, ..clean(version, "silent") });
        exercise.world.secs(100_000);
    }
    if version != V5 {
        return;
    }
    for (seconds, wait) in [(10, 10_500), (70_000, 10_000_000)] {
        let wait = Duration::from_millis(wait);
        let mut connect = Connect { will: Some(will("a", "due", seconds)), ..resuming(V5, "c") };
        let client = exercise.connect(connect.clone());
        exercise.subscribe(client, &["b"], options(AtLeastOnce), None);
        exercise.world.lose(client);
        let mut expiring = message("b", "expiring", AtLeastOnce, 1);
        expiring.properties.push_number(PropertyId::MessageExpiryInterval, seconds);
        exercise.world.send(publisher, Packet::Publish(expiring));
        exercise.world.wait(wait);
        connect.will = None;
        connect.properties = Properties::new();
        connect.properties.push_number(PropertyId::SessionExpiryInterval, seconds);
        let client = exercise.connect(connect.clone());
        exercise.world.lose(client);
        exercise.world.wait(wait);
        let client = exercise.connect(connect);
        exercise.world.lose(client);
    }
}
