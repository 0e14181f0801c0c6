//! No defect is dead: each one changes what the broker does in an exercise that goes through everything.
//! And no defect cites a statement that does not exist.

mod edges;
mod statements;

use std::borrow::Cow;
use std::time::Duration;

use super::all;
use crate::codec::{
    Ack, Auth, Connect, Packet, Properties, PropertyId, PropertyValue, ProtocolVersion, Publish, QoS,
    RawPacket, ReasonCode, RetainHandling, SubscriptionOptions, Unsubscribe, Will,
};
use crate::core::tests::driver::*;
use crate::core::{Challenge, Config, Output, Time};

/// Clients that try everything and expect nothing.
struct Exercise {
    world: World,
}

impl Exercise {
    fn new(defect: Option<&str>, settings: &[(&str, &str)]) -> Exercise {
        let mut config = Config::default();
        for (key, value) in settings {
            config.set(key, value).unwrap();
        }
        if let Some(id) = defect {
            config.set_defect(id).unwrap();
        }
        let mut world = World::configured(config);
        world.checks = false;
        Exercise { world }
    }

    fn connect(&mut self, connect: Connect<'static>) -> Client {
        let client = self.world.open(connect.version);
        self.world.send(client, Packet::Connect(Box::new(connect)));
        self.drop_inbox(client);
        client
    }

    fn drop_inbox(&mut self, client: Client) {
        while self.world.next(client).is_some() {}
    }

    /// Acknowledges everything that has come, to the end.
    fn settle(&mut self, client: Client) {
        for _ in 0..200 {
            let Some(event) = self.world.next(client) else { return };
            let Event::Packet(packet) = event else { return };
            let answer = match packet {
                Packet::Publish(Publish { qos: AtLeastOnce, packet_id: Some(id), .. }) => {
                    Packet::Puback(Ack::success(id))
                }
                Packet::Publish(Publish { qos: ExactlyOnce, packet_id: Some(id), .. }) => {
                    Packet::Pubrec(Ack::success(id))
                }
                Packet::Pubrel(ack) => Packet::Pubcomp(Ack::success(ack.packet_id)),
                _ => continue,
            };
            self.world.send(client, answer);
        }
    }

    fn subscribe(&mut self, client: Client, filters: &[&str], options: SubscriptionOptions, id: Option<u32>) {
        let filters: Vec<_> = filters.iter().map(|filter| (*filter, options)).collect();
        self.world.send(client, subscribe(&filters, id));
    }

    fn unsubscribe(&mut self, client: Client, filters: &[&str]) {
        let filters = filters.iter().map(|filter| Cow::Owned((*filter).to_owned())).collect();
        let properties = Properties::new();
        self.world.send(client, Packet::Unsubscribe(Unsubscribe { packet_id: 5, properties, filters }));
    }

    fn publish(&mut self, client: Client, topic: &str, payload: &str, qos: QoS, id: u16) {
        self.world.send(client, Packet::Publish(message(topic, payload, qos, id)));
    }

    fn raw(&mut self, version: ProtocolVersion, bytes: &[u8]) {
        let client = self.world.open(version);
        self.world.send_bytes(client, bytes);
    }
}

/// The versions in which the exercise is done; 3.1 has nothing of its own.
const VERSIONS: [ProtocolVersion; 2] = [V3_1_1, V5];

type Part = (&'static [(&'static str, &'static str)], fn(&mut Exercise, ProtocolVersion));

const PARTS: &[Part] = &[
    (&[], connects),
    (&[("anonymous", "false"), ("user", "a:b"), ("connect-timeout", "1s")], credentials),
    (&[("server-keep-alive", "5"), ("session-expiry-maximum", "50")], announced),
    (&[], authentication),
    (&[], sessions),
    (&[], resumption),
    (&[], receiving),
    (&[], wills),
    (&[], keep_alive),
    (&[], matching),
    (&[], retained),
    (&[], subscriptions),
    (&[("shared-choice", "first")], shared),
    (&[("receive-maximum", "2")], flow),
    (&[], properties),
    (&[("maximum-qos", "1"), ("retain-available", "false")], errors),
    (&[], errors),
    (
        &[("maximum-qos", "1"), ("retain-available", "false"), ("topic-alias-maximum", "3")],
        statements::limits,
    ),
    (&[("anonymous", "false"), ("user", "a:b")], statements::refusals),
    (&[("access", "deny publish * denied"), ("access", "deny subscribe * hidden")], statements::exchanges),
    (&[("diagnostics", "all"), ("explanation", statements::WORDS)], statements::words),
    (&[("overlapping-subscriptions", "copy-per-match"), ("shared-choice", "first")], statements::copies),
];

fn connects(exercise: &mut Exercise, version: ProtocolVersion) {
    let v5 = version == V5;
    let properties: &[u8] = if v5 { &[0] } else { &[] };
    let connect = |name: &str, level: u8, flags: u8, id: &str| {
        RawPacket::new(0x10).str(name).bytes(&[level, flags, 0, 0]).bytes(properties).str(id)
    };
    let level = version.level();
    for bytes in [
        connect("MQTX", level, 2, "a").encoded(),
        connect("MQTT", 6, 2, "a").encoded(),
        connect("MQTT", level, 3, "b").encoded(),
        connect("MQTT", level, 2 | 4 | 0x18, "c").bytes(properties).str("w").str("x").encoded(),
        connect("MQTT", level, 2 | 0x28, "d").encoded(),
        connect("MQTT", level, 0, "").encoded(),
        connect("MQTT", level, 2, "e").bytes(&[0, 0]).encoded(),
        vec![0xC0, 0],
    ] {
        exercise.raw(version, &bytes);
    }
    for _ in 0..2 {
        exercise.connect(clean(version, ""));
    }
    let client = exercise.connect(resuming(version, "twice"));
    exercise.subscribe(client, &["a"], options(AtLeastOnce), None);
    exercise.world.send(client, Packet::Connect(Box::new(clean(version, "twice"))));
    let witness = exercise.connect(clean(version, "witness"));
    exercise.subscribe(witness, &["w"], options(AtMostOnce), None);
    let old = exercise.connect(Connect { will: Some(will("w", "taken", 0)), ..resuming(version, "taken") });
    exercise.subscribe(old, &["a", "w"], options(AtLeastOnce), None);
    let new = exercise.connect(resuming(version, "taken"));
    exercise.publish(new, "a", "x", AtLeastOnce, 1);
    exercise.settle(new);
    exercise.world.send(new, Packet::Pingreq);
    exercise.world.disconnect_with(new, ReasonCode(0), Properties::new());
    exercise.world.send(new, Packet::Pingreq);
}

fn credentials(exercise: &mut Exercise, version: ProtocolVersion) {
    exercise.world.open(version);
    exercise.world.secs(2);
    let name = |password: &'static str| Connect {
        user_name: Some(Cow::Borrowed("a")),
        password: Some(Cow::Borrowed(password.as_bytes())),
        ..clean(version, "c")
    };
    for password in ["b", "c"] {
        let client = exercise.connect(name(password));
        exercise.world.send(client, Packet::Pingreq);
    }
}

fn announced(exercise: &mut Exercise, version: ProtocolVersion) {
    exercise.connect(resuming(version, "c"));
    exercise.world.secs(10);
}

fn authentication(exercise: &mut Exercise, version: ProtocolVersion) {
    if version != V5 {
        return;
    }
    let auth = |reason, data: &'static [u8]| {
        let mut properties = Properties::new();
        properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text(Challenge::NAME));
        properties.push(PropertyId::AuthenticationData, PropertyValue::Binary(data));
        Packet::Auth(Auth { reason, properties })
    };
    let mut connect = clean(V5, "c");
    connect.properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text(Challenge::NAME));
    let client = exercise.connect(connect);
    exercise.world.send(client, auth(ReasonCode::CONTINUE_AUTHENTICATION, b"sesame"));
    exercise.world.send(client, auth(ReasonCode::RE_AUTHENTICATE, b"wrong"));
    let plain = exercise.connect(clean(V5, "d"));
    exercise.world.send(plain, auth(ReasonCode::RE_AUTHENTICATE, b"sesame"));
}

fn sessions(exercise: &mut Exercise, version: ProtocolVersion) {
    let publisher = exercise.connect(clean(version, "p"));
    for clean_start in [true, false] {
        let client = exercise.connect(resuming(version, "c"));
        exercise.subscribe(client, &["a"], options(ExactlyOnce), None);
        exercise.world.lose(client);
        for id in 1..=3 {
            let qos = if id == 2 { ExactlyOnce } else { AtLeastOnce };
            exercise.publish(publisher, "a", &id.to_string(), qos, id);
            exercise.settle(publisher);
            exercise.world.send(publisher, Packet::Pubrel(Ack::success(id)));
        }
        let client = exercise.connect(Connect { clean_start, ..resuming(version, "c") });
        exercise.publish(publisher, "a", "live", AtLeastOnce, 9);
        exercise.settle(client);
        exercise.world.lose(client);
    }
    // Sessions that end: with the connection, after a while, as DISCONNECT says.
    let short = Connect { clean_start: version != V5, ..clean(version, "short") };
    let client = exercise.connect(short.clone());
    exercise.world.lose(client);
    exercise.connect(Connect { clean_start: false, ..short });
    if version == V5 {
        for wait in [6, 11] {
            let mut connect = Connect { clean_start: false, ..clean(V5, "expiring") };
            connect.properties.push_number(PropertyId::SessionExpiryInterval, 10);
            let client = exercise.connect(connect.clone());
            exercise.world.lose(client);
            exercise.world.secs(wait);
            let client = exercise.connect(connect);
            let mut change = Properties::new();
            change.push_number(PropertyId::SessionExpiryInterval, 30);
            exercise.world.disconnect_with(client, ReasonCode(0), change.clone());
            exercise.world.secs(20);
            let client = exercise.connect(Connect { clean_start: false, ..clean(V5, "expiring") });
            exercise.world.disconnect_with(client, ReasonCode(0), change);
        }
    }
}

/// Deliveries that are cut off at every packet.
fn resumption(exercise: &mut Exercise, version: ProtocolVersion) {
    let publisher = exercise.connect(clean(version, "p"));
    let mut client = exercise.connect(resuming(version, "c"));
    exercise.subscribe(client, &["a"], options(ExactlyOnce), None);
    exercise.drop_inbox(client);
    for (id, qos) in [
        (1, AtLeastOnce),
        (2, ExactlyOnce),
        (3, ExactlyOnce),
        (4, ExactlyOnce),
        (5, AtLeastOnce),
        (6, ExactlyOnce),
    ] {
        let publish = Publish { dup: id == 5, ..message("a", &id.to_string(), qos, id) };
        exercise.world.send(publisher, Packet::Publish(publish));
    }
    let ids: Vec<u16> = (0..6)
        .filter_map(|_| match exercise.world.next(client) {
            Some(Event::Packet(Packet::Publish(publish))) => publish.packet_id,
            _ => None,
        })
        .collect();
    let id = |place: usize| ids.get(place).copied().filter(|id| *id > 0).unwrap_or(60_000);
    exercise.world.send(client, Packet::Puback(Ack::success(id(0))));
    for place in [1, 2, 3] {
        exercise.world.send(client, Packet::Pubrec(Ack::success(id(place))));
    }
    exercise.world.send(client, Packet::Pubcomp(Ack::success(id(3))));
    let refusal = Ack { reason: ReasonCode::QUOTA_EXCEEDED, ..Ack::success(id(5)) };
    if version == V5 {
        exercise.world.send(client, Packet::Pubrec(refusal));
        // A message that expires while it is in flight.
        let mut publish = message("a", "short", ExactlyOnce, 7);
        publish.properties.push_number(PropertyId::MessageExpiryInterval, 1);
        exercise.world.send(publisher, Packet::Publish(publish));
    } else {
        exercise.publish(publisher, "a", "six", ExactlyOnce, 7);
    }
    for _ in 0..2 {
        exercise.world.lose(client);
        exercise.world.secs(2);
        client = exercise.connect(resuming(version, "c"));
    }
    exercise.settle(client);
}

fn receiving(exercise: &mut Exercise, version: ProtocolVersion) {
    let witness = exercise.connect(clean(version, "w"));
    exercise.subscribe(witness, &["a"], options(ExactlyOnce), None);
    let mut client = exercise.connect(resuming(version, "c"));
    for qos in QoS::ALL {
        exercise.publish(client, "a", "x", qos, 1);
        exercise.settle(witness);
    }
    let again = Packet::Publish(Publish { dup: true, ..message("a", "x", ExactlyOnce, 1) });
    exercise.world.send(client, again.clone());
    exercise.world.lose(client);
    client = exercise.connect(resuming(version, "c"));
    exercise.world.send(client, again);
    exercise.world.send(client, Packet::Pubrel(Ack::success(1)));
    exercise.publish(client, "a", "new", ExactlyOnce, 1);
    exercise.world.send(client, Packet::Pubrel(Ack::success(1)));
    let repeated = Publish { dup: true, ..message("a", "x", AtLeastOnce, 2) };
    exercise.world.send(client, Packet::Publish(repeated));
    exercise.publish(client, "a", "x\0y", AtMostOnce, 0);
    exercise.settle(witness);
}

fn wills(exercise: &mut Exercise, version: ProtocolVersion) {
    let witness = exercise.connect(clean(V5, "w"));
    let keeping = SubscriptionOptions { retain_as_published: true, ..options(ExactlyOnce) };
    exercise.subscribe(witness, &["w"], keeping, None);
    let mut special = Will { qos: AtLeastOnce, retain: true, ..will("w", "special", 0) };
    if version == V5 {
        special.properties.push(PropertyId::UserProperty, PropertyValue::Pair("a", "1"));
        special.properties.push(PropertyId::UserProperty, PropertyValue::Pair("b", "2"));
    }
    let with = |will: Will<'static>| Connect { will: Some(will), ..clean(version, "c") };
    let client = exercise.connect(with(special));
    exercise.world.lose(client);
    let client = exercise.connect(with(will("w", "plain", 0)));
    exercise.world.lose(client);
    let client = exercise.connect(with(will("w", "disconnect", 0)));
    exercise.world.disconnect_with(client, ReasonCode(0), Properties::new());
    let client = exercise.connect(with(will("w", "error", 0)));
    exercise.world.send_bytes(client, &[0, 0]);
    let client = exercise.connect(Connect { keep_alive: 1, ..with(will("w", "silence", 0)) });
    exercise.world.secs(2);
    exercise.world.lose(client);
    let client = exercise.connect(Connect { clean_start: false, ..with(will("w", "kept", 0)) });
    exercise.world.lose(client);
    exercise.connect(clean(version, "c"));
    if version != V5 {
        return;
    }
    let client = exercise.connect(with(will("w", "reason", 0)));
    exercise.world.disconnect_with(client, ReasonCode::DISCONNECT_WITH_WILL, Properties::new());
    for (delay, expiry, wait) in [(2, 20, 3), (2, 20, 30), (20, 2, 30), (5, 20, 1), (0, 5, 10)] {
        let mut connect = Connect { clean_start: false, ..with(will("w", "delayed", delay)) };
        connect.properties.push_number(PropertyId::SessionExpiryInterval, expiry);
        let client = exercise.connect(connect.clone());
        exercise.world.lose(client);
        exercise.world.secs(wait);
        connect.will = None;
        let client = exercise.connect(connect);
        exercise.world.lose(client);
        exercise.world.secs(50);
    }
    exercise.settle(witness);
}

fn keep_alive(exercise: &mut Exercise, version: ProtocolVersion) {
    let publisher = exercise.connect(clean(version, "p"));
    let client = exercise.connect(Connect { keep_alive: 10, ..clean(version, "c") });
    exercise.subscribe(client, &["a"], options(AtMostOnce), None);
    exercise.world.secs(10);
    exercise.world.say(client, "b", "x");
    exercise.world.secs(10);
    exercise.world.say(publisher, "a", "x");
    exercise.world.secs(100);
}

fn matching(exercise: &mut Exercise, version: ProtocolVersion) {
    let client = exercise.connect(clean(version, "c"));
    let filters =
        ["a/#", "a/+", "+/b", "+", "#", "$x/#", "a", "a/b", "/a", "a//b", "a/+/c", "+/x", "Äpfel", "b c"];
    let deep = "1/2/3/4/5/6/7/8/9";
    for filter in filters {
        exercise.subscribe(client, &[filter], options(AtMostOnce), None);
        for name in [
            "a", "a/", "a/b", "a/b/c", "a//b", "A/b", "/a", "/", "$x/a", "$x", "a/b/d/c", deep, " a",
            "ÄPFEL", "Äpfel",
        ] {
            exercise.world.say(client, name, name);
        }
        exercise.world.say(client, "\u{FEFF}a", "mark");
        exercise.unsubscribe(client, &[filter]);
    }
}

fn retained(exercise: &mut Exercise, version: ProtocolVersion) {
    let publisher = exercise.connect(clean(version, "p"));
    let live = exercise.connect(clean(version, "l"));
    let keeping = SubscriptionOptions { retain_as_published: version == V5, ..options(AtMostOnce) };
    exercise.subscribe(live, &["r/#"], keeping, None);
    let forgetting = exercise.connect(clean(version, "f"));
    exercise.subscribe(forgetting, &["r/#"], options(AtMostOnce), None);
    let look = |exercise: &mut Exercise| {
        let client = exercise.connect(clean(version, "late"));
        for filter in ["r/1", "#", "+/+", "#"] {
            exercise.subscribe(client, &[filter], options(ExactlyOnce), None);
        }
        exercise.settle(client);
        exercise.world.disconnect_with(client, ReasonCode(0), Properties::new());
    };
    exercise.world.retain(publisher, "r/1", "old");
    exercise.world.retain(publisher, "r/1", "new");
    exercise.world.retain(publisher, "$r/1", "hidden");
    let two = Publish { retain: true, ..message("r/2", "two", ExactlyOnce, 1) };
    exercise.world.send(publisher, Packet::Publish(two));
    look(exercise);
    exercise.world.say(publisher, "r/1", "passing");
    look(exercise);
    exercise.world.retain(publisher, "r/1", "");
    look(exercise);
    let resumed = exercise.connect(resuming(version, "resumed"));
    exercise.subscribe(resumed, &["r/#"], options(AtMostOnce), None);
    exercise.world.lose(resumed);
    exercise.connect(resuming(version, "resumed"));
    if version == V5 {
        let client = exercise.connect(clean(V5, "handling"));
        for handling in [RetainHandling::DoNotSend, RetainHandling::SendIfNew, RetainHandling::Send] {
            let options = SubscriptionOptions { retain_handling: handling, ..options(AtMostOnce) };
            exercise.unsubscribe(client, &["r/2"]);
            for _ in 0..2 {
                exercise.subscribe(client, &["r/2"], options, None);
            }
            exercise.subscribe(client, &["$share/g/r/2"], options, None);
        }
    }
    exercise.world.lose(publisher);
    look(exercise);
}

fn subscriptions(exercise: &mut Exercise, version: ProtocolVersion) {
    let client = exercise.connect(resuming(version, "c"));
    let publisher = exercise.connect(clean(version, "p"));
    let v5 = version == V5;
    for qos in QoS::ALL {
        exercise.subscribe(client, &["a"], options(qos), None);
        for published in QoS::ALL {
            exercise.publish(publisher, "a", "x", published, 1);
            exercise.world.send(publisher, Packet::Pubrel(Ack::success(1)));
            exercise.settle(client);
        }
    }
    let several =
        [("a/1", options(AtMostOnce)), ("a/2", options(AtLeastOnce)), ("a/+", options(ExactlyOnce))];
    exercise.world.send(client, subscribe(&several, v5.then_some(7)));
    exercise.subscribe(client, &["#"], options(AtLeastOnce), v5.then_some(8));
    exercise.publish(publisher, "a/1", "overlap", ExactlyOnce, 2);
    exercise.unsubscribe(client, &["a/2", "unknown"]);
    exercise.unsubscribe(client, &["unknown"]);
    exercise.unsubscribe(client, &["a/+", "#"]);
    exercise.publish(publisher, "a/1", "after", ExactlyOnce, 3);
    exercise.publish(publisher, "a/2", "after", ExactlyOnce, 4);
    exercise.world.lose(client);
    let client = exercise.connect(resuming(version, "c"));
    exercise.settle(client);
    if v5 {
        let hiding = SubscriptionOptions { no_local: true, ..options(AtMostOnce) };
        exercise.subscribe(client, &["own"], hiding, Some(3));
        exercise.world.say(client, "own", "x");
        exercise.subscribe(client, &["$share/g/own"], hiding, None);
    }
    let bad = exercise.connect(clean(version, "bad"));
    exercise.subscribe(bad, &["a+"], options(AtMostOnce), None);
}

fn shared(exercise: &mut Exercise, version: ProtocolVersion) {
    if version != V5 {
        return;
    }
    let publisher = exercise.connect(clean(V5, "p"));
    let first = exercise.connect(clean(V5, "x"));
    let second = exercise.connect(resuming(V5, "y"));
    for client in [first, second] {
        exercise.subscribe(client, &["$share/g/a", "$share/h/a", "a"], options(ExactlyOnce), None);
    }
    exercise.publish(publisher, "a", "one", AtLeastOnce, 1);
    exercise.publish(publisher, "a", "two", ExactlyOnce, 2);
    exercise.world.lose(first);
    exercise.settle(second);
    exercise.unsubscribe(second, &["$share/g/a"]);
    exercise.publish(publisher, "a", "three", AtLeastOnce, 3);
}

fn flow(exercise: &mut Exercise, version: ProtocolVersion) {
    if version != V5 {
        return;
    }
    let publisher = exercise.connect(clean(V5, "p"));
    let mut connect = resuming(V5, "c");
    connect.properties.push_number(PropertyId::ReceiveMaximum, 2);
    connect.properties.push_number(PropertyId::MaximumPacketSize, 60);
    connect.properties.push_number(PropertyId::TopicAliasMaximum, 1);
    let client = exercise.connect(connect.clone());
    exercise.subscribe(client, &["#"], options(AtLeastOnce), None);
    for id in 1..=5 {
        exercise.publish(publisher, "a", &id.to_string(), AtLeastOnce, id);
    }
    exercise.settle(client);
    exercise.world.say(publisher, "b", &"long".repeat(50));
    exercise.world.say(publisher, "c", "no alias left");
    exercise.world.lose(client);
    for seconds in [5, 100] {
        let mut publish = message("e", "expiring", AtLeastOnce, 6);
        publish.properties.push_number(PropertyId::MessageExpiryInterval, seconds);
        exercise.world.send(publisher, Packet::Publish(publish));
    }
    exercise.world.secs(10);
    let client = exercise.connect(connect);
    exercise.settle(client);
    for id in 10..14 {
        exercise.publish(publisher, "q", "x", ExactlyOnce, id);
    }
}

fn properties(exercise: &mut Exercise, version: ProtocolVersion) {
    if version != V5 {
        return;
    }
    let client = exercise.connect(clean(V5, "c"));
    exercise.subscribe(client, &["#"], options(AtMostOnce), Some(4));
    let mut all = Properties::new();
    all.push_number(PropertyId::PayloadFormatIndicator, 1);
    all.push(PropertyId::UserProperty, PropertyValue::Pair("a", "1"));
    all.push(PropertyId::UserProperty, PropertyValue::Pair("a", "2"));
    all.push(PropertyId::ResponseTopic, PropertyValue::Text("answer"));
    all.push(PropertyId::CorrelationData, PropertyValue::Binary(b"data"));
    all.push(PropertyId::ContentType, PropertyValue::Text("text"));
    let publish = Publish { properties: all, ..message("a", "x", AtMostOnce, 0) };
    exercise.world.send(client, Packet::Publish(publish));
    let mut long = Properties::new();
    long.push(PropertyId::UserProperty, PropertyValue::Pair("long", &"x".repeat(200)));
    exercise
        .world
        .send(client, Packet::Publish(Publish { properties: long, ..message("a", "x", AtMostOnce, 0) }));
    let alias = |topic, alias| {
        let mut publish = message(topic, "x", AtMostOnce, 0);
        publish.properties.push_number(PropertyId::TopicAlias, alias);
        Packet::Publish(publish)
    };
    for (topic, number) in [("a", 1), ("", 1), ("b", 1), ("", 1), ("c", 40)] {
        exercise.world.send(client, alias(topic, number));
    }
    let client = exercise.connect(clean(V5, "c"));
    exercise.world.send(client, alias("", 1));
    for (id, value) in [
        (PropertyId::SubscriptionIdentifier, PropertyValue::Variable(1)),
        (PropertyId::ResponseTopic, PropertyValue::Text("#")),
    ] {
        let client = exercise.connect(clean(V5, "c"));
        let mut wrong = Properties::new();
        wrong.push(id, value);
        exercise.world.send(
            client,
            Packet::Publish(Publish { properties: wrong, ..message("a", "x", AtLeastOnce, 1) }),
        );
    }
    let mut connect = clean(V5, "range");
    connect.properties.push_number(PropertyId::ReceiveMaximum, 0);
    exercise.connect(connect);
}

fn errors(exercise: &mut Exercise, version: ProtocolVersion) {
    let properties: &[u8] = if version == V5 { &[0] } else { &[] };
    let publish = |topic: &[u8]| {
        RawPacket::new(0x30).u16(topic.len() as u16).bytes(topic).bytes(properties).bytes(b"x").encoded()
    };
    let subscribe =
        |option: u8| RawPacket::new(0x82).u16(1).bytes(properties).str("a").bytes(&[option]).encoded();
    for bytes in [
        vec![0xC1, 0],
        publish(b"a\xFF"),
        publish(b"a\0"),
        publish(b"a/#"),
        RawPacket::new(0x36).str("a").u16(1).bytes(properties).encoded(),
        RawPacket::new(0x32).str("a").u16(0).bytes(properties).encoded(),
        RawPacket::new(0x34).str("a").u16(1).bytes(properties).encoded(),
        RawPacket::new(0x31).str("a").bytes(properties).bytes(b"x").encoded(),
        subscribe(0xC0),
        subscribe(3),
        subscribe(0x30),
        RawPacket::new(0x82).u16(1).bytes(properties).encoded(),
        vec![0xD0, 0],
        vec![0, 0],
        vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
        // The topic goes on behind the end.
        RawPacket::new(0x30).u16(5).bytes(b"oth").encoded(),
        RawPacket::new(0x82).u16(1).bytes(properties).u16(5).bytes(b"a").encoded(),
        RawPacket::new(0x40).u16(1).bytes(&[0x92]).encoded(),
        RawPacket::new(0x82).u16(1).bytes(&[2, 0x7F, 0]).str("a").bytes(&[0]).encoded(),
    ] {
        let other = exercise.connect(clean(version, "other"));
        exercise.subscribe(other, &["#"], options(AtMostOnce), None);
        let client = exercise.connect(clean(version, "c"));
        exercise.world.send_bytes(client, &bytes);
        exercise.world.send(client, Packet::Pingreq);
        exercise.world.send(other, Packet::Pingreq);
    }
    exercise.world.wait(Duration::from_secs(1));
    exercise.world.shutdown();
}

/// What the broker put out in each part.
fn outputs(defect: Option<&str>, part: &Part, version: ProtocolVersion) -> Vec<(Time, Output)> {
    let mut exercise = Exercise::new(defect, part.0);
    (part.1)(&mut exercise, version);
    exercise.world.trace
}

#[test]
fn every_defect_changes_what_the_broker_does() {
    let parts: Vec<&Part> = PARTS.iter().chain(edges::PARTS).collect();
    let right: Vec<_> =
        parts.iter().map(|part| VERSIONS.map(|version| outputs(None, part, version))).collect();
    let mut dead = Vec::new();
    // The core knows nothing of WebSocket; the transport has a test of its own.
    for defect in all().iter().filter(|defect| !defect.id.starts_with("websocket-")) {
        for (place, (version, cites)) in VERSIONS.iter().zip([defect.v3_1_1, defect.v5]).enumerate() {
            let differs = parts
                .iter()
                .zip(&right)
                .any(|(part, right)| outputs(Some(defect.id), part, *version) != right[place]);
            // A defect that names statements of a version must show in it.
            if !cites.is_empty() && !differs {
                dead.push((defect.id, version.name()));
            }
        }
    }
    assert!(dead.is_empty(), "dead defects: {dead:?}");
}

#[test]
fn every_defect_has_its_own_name_and_cites_statements_that_exist() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../harness/requirements/");
    let ids = |files: [&str; 2]| -> Vec<String> {
        files
            .iter()
            .flat_map(|file| {
                let text = std::fs::read_to_string(format!("{folder}{file}")).unwrap();
                let ids = text
                    .lines()
                    .filter_map(|line| line.strip_prefix("- id: "))
                    .map(|id| id.trim().to_owned());
                ids.collect::<Vec<_>>()
            })
            .collect()
    };
    let three = ids(["mqtt-3.1.1.yaml", "untagged-3.1.1.yaml"]);
    let five = ids(["mqtt-5.0.yaml", "untagged-5.0.yaml"]);
    let mut names = Vec::new();
    for defect in all() {
        for (cited, known) in [(defect.v3_1_1, &three), (defect.v5, &five)] {
            for id in cited {
                assert!(known.iter().any(|known| known == id), "{} cites {id}", defect.id);
            }
        }
        assert!(!defect.v3_1_1.is_empty() || !defect.v5.is_empty(), "{} breaks nothing", defect.id);
        assert!(defect.what.ends_with('.') && !names.contains(&defect.id), "{}", defect.id);
        names.push(defect.id);
    }
    assert!(names.len() >= 70, "{} defects", names.len());
}
