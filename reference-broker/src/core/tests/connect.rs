//! CONNECT, CONNACK, takeover and authentication.

use std::borrow::Cow;
use std::sync::Arc;

use super::driver::*;
use crate::codec::{
    Auth, Connect, Packet, Properties, PropertyId, PropertyValue, ProtocolVersion, RawPacket, ReasonCode,
    encoded,
};
use crate::core::{Challenge, Config, ConnectionId};

fn named(version: ProtocolVersion, name: Option<&str>, password: Option<&str>) -> Connect<'static> {
    Connect {
        user_name: name.map(|name| Cow::Owned(name.to_owned())),
        password: password.map(|password| Cow::Owned(password.as_bytes().to_vec())),
        ..clean(version, "client")
    }
}

/// Sends a CONNECT that is refused; answers with the reason.
fn refused(world: &mut World, connect: Connect<'static>) -> ReasonCode {
    let (client, connack) = world.connack(connect);
    assert!(!connack.session_present);
    world.closed_silently(client);
    connack.reason
}

#[test]
fn an_old_server_level_is_refused_with_code_1() {
    for (setting, expected) in [("connack-v3", Some(1)), ("connack-v5", Some(0x84)), ("close-silent", None)] {
        let mut world = World::with(&[("unknown-version", setting), ("diagnostics", "errors")]);
        let version = if setting == "connack-v5" { V5 } else { V3_1_1 };
        let client = world.open(version);
        let bytes = RawPacket::new(0x10).str("MQTT").bytes(&[6, 2, 0, 0]).str("a").encoded();
        world.send_bytes(client, &bytes);
        if let Some(expected) = expected {
            let crate::core::Output::Send { bytes, .. } = &world.trace[0].1 else {
                panic!("{:?}", world.trace)
            };
            assert_eq!((bytes[0], bytes[2], bytes[3]), (0x20, 0, expected));
            world.packet(client);
        }
        world.closed_silently(client);
    }
}

#[test]
fn a_malformed_connect_is_refused_as_its_version_has_it() {
    // Reserved Connect Flag.
    for version in [V3_1_1, V5] {
        let mut world = World::new();
        let client = world.open(version);
        let body = RawPacket::new(0x10).str("MQTT").bytes(&[version.level(), 3, 0, 0]);
        let body = if version == V5 { body.bytes(&[0]) } else { body };
        world.send_bytes(client, &body.str("a").encoded());
        if version == V5 {
            assert!(
                matches!(world.packet(client), Packet::Connack(connack) if connack.reason == ReasonCode::MALFORMED_PACKET)
            );
        }
        world.closed_silently(client);
    }
}

#[test]
fn an_empty_client_identifier_is_assigned_or_refused() {
    let mut world = World::new();
    let (_, connack) = world.connack(clean(V5, ""));
    let assigned = connack.properties.text(PropertyId::AssignedClientIdentifier).unwrap().to_owned();
    let (_, other) = world.connack(clean(V5, ""));
    assert_ne!(other.properties.text(PropertyId::AssignedClientIdentifier).unwrap(), assigned);
    world.connect(clean(V3_1_1, ""));
    assert_eq!(refused(&mut world, Connect { clean_start: false, ..clean(V3_1_1, "") }), ReasonCode(2));
    assert_eq!(refused(&mut world, clean(V3_1, "")), ReasonCode(2));
    let mut world = World::with(&[("empty-client-id", "refuse")]);
    assert_eq!(refused(&mut world, clean(V5, "")), ReasonCode::CLIENT_IDENTIFIER_NOT_VALID);
    assert_eq!(refused(&mut world, clean(V3_1_1, "")), ReasonCode(2));
}

#[test]
fn user_names_and_passwords_are_checked() {
    let settings = [("user", "alice:secret"), ("anonymous", "false")];
    for version in [V3_1_1, V5] {
        let mut world = World::with(&settings);
        let client = world.connect(named(version, Some("alice"), Some("secret")));
        world.disconnect(client);
        let bad = if version == V5 { ReasonCode::BAD_USER_NAME_OR_PASSWORD } else { ReasonCode(4) };
        assert_eq!(refused(&mut world, named(version, Some("alice"), Some("wrong"))), bad);
        assert_eq!(refused(&mut world, named(version, Some("alice"), None)), bad);
        assert_eq!(refused(&mut world, named(version, Some("bob"), Some("secret"))), bad);
        let unauthorised = if version == V5 { ReasonCode::NOT_AUTHORIZED } else { ReasonCode(5) };
        assert_eq!(refused(&mut world, named(version, None, None)), unauthorised);
    }
    let mut world = World::new();
    world.connect(named(V5, None, Some("only")));
    let mut world = World::with(&[("password-only", "auth-failure")]);
    assert_eq!(refused(&mut world, named(V5, None, Some("only"))), ReasonCode::BAD_USER_NAME_OR_PASSWORD);
}

#[test]
fn nothing_behind_a_refused_connect_is_processed() {
    let mut world = World::with(&[("anonymous", "false"), ("user", "a:b")]);
    let client = world.open(V3_1_1);
    let mut bytes = encoded(&Packet::Connect(Box::new(clean(V3_1_1, "x"))), V3_1_1).unwrap();
    bytes.extend(encoded(&Packet::Pingreq, V3_1_1).unwrap());
    world.send_bytes(client, &bytes);
    assert!(matches!(world.packet(client), Packet::Connack(connack) if connack.reason == ReasonCode(5)));
    world.closed_silently(client);
}

#[test]
fn what_comes_behind_an_accepted_connect_is_processed_byte_by_byte_too() {
    let mut bytes = encoded(&Packet::Connect(Box::new(clean(V5, "x"))), V5).unwrap();
    bytes.extend(encoded(&subscribe(&[("a", options(AtMostOnce))], None), V5).unwrap());
    bytes.extend(encoded(&Packet::Publish(message("a", "hi", AtMostOnce, 0)), V5).unwrap());
    for step in [1, 2, 3, bytes.len()] {
        let mut world = World::new();
        let client = world.open(V5);
        for slice in bytes.chunks(step) {
            world.send_bytes(client, slice);
        }
        assert!(matches!(world.packet(client), Packet::Connack(_)));
        assert!(matches!(world.packet(client), Packet::Suback(_)));
        world.hear(client, "hi", AtMostOnce);
    }
}

#[test]
fn a_takeover_closes_the_old_connection_and_keeps_the_session() {
    for (order, notice) in [("close-first", "disconnect-0x8e"), ("connack-first", "no-disconnect")] {
        let mut world = World::with(&[("takeover-order", order), ("takeover-notice", notice)]);
        let old = world.connect(resuming(V5, "same"));
        world.subscribe(old, "a", AtLeastOnce);
        world.trace.clear();
        let (new, connack) = world.connack(resuming(V5, "same"));
        assert!(connack.session_present);
        if notice == "no-disconnect" {
            world.closed_silently(old);
        } else {
            world.closed(old, ReasonCode::SESSION_TAKEN_OVER);
        }
        let first = match &world.trace[0].1 {
            crate::core::Output::Send { connection, .. } | crate::core::Output::Close { connection } => {
                *connection
            }
        };
        assert_eq!(first, if order == "close-first" { old.0 } else { new.0 });
        world.say(new, "a", "still there");
        world.hear(new, "still there", AtMostOnce);
    }
}

#[test]
fn a_session_of_no_duration_does_not_survive_its_takeover() {
    for version in [V3_1_1, V5] {
        let mut world = World::new();
        let old = world.connect(clean(version, "same"));
        let (_, connack) = world.connack(Connect { clean_start: false, ..clean(version, "same") });
        assert!(!connack.session_present);
        world.closed(old, ReasonCode::SESSION_TAKEN_OVER);
    }
}

#[test]
fn limits_are_announced() {
    let mut world = World::with(&[
        ("maximum-qos", "1"),
        ("retain-available", "false"),
        ("wildcard-subscription-available", "false"),
        ("subscription-identifier-available", "false"),
        ("shared-subscription-available", "false"),
        ("topic-alias-maximum", "0"),
        ("receive-maximum", "5"),
        ("maximum-packet-size", "1000"),
        ("server-keep-alive", "7"),
        ("session-expiry-maximum", "60"),
    ]);
    let mut connect = resuming(V5, "a");
    connect.properties.push_number(PropertyId::RequestResponseInformation, 1);
    let (_, connack) = world.connack(connect);
    for (id, expected) in [
        (PropertyId::MaximumQoS, Some(1)),
        (PropertyId::RetainAvailable, Some(0)),
        (PropertyId::WildcardSubscriptionAvailable, Some(0)),
        (PropertyId::SubscriptionIdentifierAvailable, Some(0)),
        (PropertyId::SharedSubscriptionAvailable, Some(0)),
        (PropertyId::TopicAliasMaximum, None),
        (PropertyId::ReceiveMaximum, Some(5)),
        (PropertyId::MaximumPacketSize, Some(1000)),
        (PropertyId::ServerKeepAlive, Some(7)),
        (PropertyId::SessionExpiryInterval, Some(60)),
    ] {
        assert_eq!(connack.properties.number(id), expected, "{id}");
    }
    assert_eq!(connack.properties.text(PropertyId::ResponseInformation), Some("response/"));
    let (_, connack) = world.connack(clean(V5, "b"));
    assert_eq!(connack.properties.get(PropertyId::ResponseInformation), None);
    let mut will_connect = clean(V5, "c");
    will_connect.will = Some(crate::codec::Will { qos: ExactlyOnce, ..will("w", "x", 0) });
    assert_eq!(refused(&mut world, will_connect.clone()), ReasonCode::QOS_NOT_SUPPORTED);
    will_connect.will = Some(crate::codec::Will { retain: true, ..will("w", "x", 0) });
    assert_eq!(refused(&mut world, will_connect), ReasonCode::RETAIN_NOT_SUPPORTED);
}

#[test]
fn a_connection_without_connect_is_closed() {
    let mut world = World::with(&[("connect-timeout", "3s")]);
    let client = world.open(V5);
    world.wait(std::time::Duration::from_millis(2_999));
    world.nothing(client);
    world.wait(std::time::Duration::from_millis(1));
    world.closed_silently(client);
}

#[test]
fn clients_can_be_sent_elsewhere_or_be_too_many() {
    let mut world = World::with(&[("server-reference", "other:1883")]);
    let (client, connack) = world.connack(clean(V5, "a"));
    assert_eq!(connack.reason, ReasonCode::USE_ANOTHER_SERVER);
    assert_eq!(connack.properties.text(PropertyId::ServerReference), Some("other:1883"));
    world.closed_silently(client);
    let mut world = World::with(&[("maximum-connections", "1")]);
    world.connect(clean(V5, "a"));
    assert_eq!(refused(&mut world, clean(V5, "b")), ReasonCode::QUOTA_EXCEEDED);
    assert_eq!(refused(&mut world, clean(V3_1_1, "b")), ReasonCode(3));
}

fn auth_connect(data: Option<&[u8]>, method: &str) -> Connect<'static> {
    let mut connect = clean(V5, "authenticated");
    connect.properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text(method));
    if let Some(data) = data {
        connect.properties.push(PropertyId::AuthenticationData, PropertyValue::Binary(data));
    }
    connect
}

fn auth(reason: ReasonCode, data: &[u8]) -> Packet<'static> {
    let mut properties = Properties::new();
    properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text(Challenge::NAME));
    properties.push(PropertyId::AuthenticationData, PropertyValue::Binary(data));
    Packet::Auth(Auth { reason, properties })
}

fn expect_auth(world: &mut World, client: Client, reason: ReasonCode) {
    match world.packet(client) {
        Packet::Auth(auth) => {
            assert_eq!(auth.reason, reason);
            assert_eq!(auth.properties.text(PropertyId::AuthenticationMethod), Some(Challenge::NAME));
        }
        other => panic!("expected AUTH, got {other:?}"),
    }
}

#[test]
fn enhanced_authentication_asks_until_it_is_satisfied() {
    let config = Config { auth_methods: vec![Arc::new(Challenge::new("open"))], ..Config::default() };
    let mut world = World::configured(config);
    let client = world.open(V5);
    world.send(client, Packet::Connect(Box::new(auth_connect(None, Challenge::NAME))));
    expect_auth(&mut world, client, ReasonCode::CONTINUE_AUTHENTICATION);
    world.send(client, auth(ReasonCode::CONTINUE_AUTHENTICATION, b"again"));
    expect_auth(&mut world, client, ReasonCode::CONTINUE_AUTHENTICATION);
    world.send(client, auth(ReasonCode::CONTINUE_AUTHENTICATION, b"open"));
    match world.packet(client) {
        Packet::Connack(connack) => {
            assert_eq!(connack.reason, ReasonCode::SUCCESS);
            assert_eq!(connack.properties.text(PropertyId::AuthenticationMethod), Some(Challenge::NAME));
        }
        other => panic!("{other:?}"),
    }
    // Re-authentication, with other packets in between.
    world.send(client, auth(ReasonCode::RE_AUTHENTICATE, b"again"));
    expect_auth(&mut world, client, ReasonCode::CONTINUE_AUTHENTICATION);
    world.send(client, Packet::Pingreq);
    assert_eq!(world.packet(client), Packet::Pingresp);
    world.send(client, auth(ReasonCode::CONTINUE_AUTHENTICATION, b"open"));
    expect_auth(&mut world, client, ReasonCode::SUCCESS);
    world.send(client, auth(ReasonCode::RE_AUTHENTICATE, b"wrong"));
    world.closed(client, ReasonCode::NOT_AUTHORIZED);
}

#[test]
fn authentication_can_fail_in_all_its_ways() {
    let mut world = World::new();
    let (client, connack) = world.connack(auth_connect(Some(b"sesame"), Challenge::NAME));
    assert_eq!(connack.reason, ReasonCode::SUCCESS);
    world.disconnect(client);
    assert_eq!(refused(&mut world, auth_connect(Some(b"x"), Challenge::NAME)), ReasonCode::NOT_AUTHORIZED);
    assert_eq!(refused(&mut world, auth_connect(None, "UNKNOWN")), ReasonCode::BAD_AUTHENTICATION_METHOD);
    // Anything but AUTH and DISCONNECT before CONNACK.
    let client = world.open(V5);
    world.send(client, Packet::Connect(Box::new(auth_connect(None, Challenge::NAME))));
    expect_auth(&mut world, client, ReasonCode::CONTINUE_AUTHENTICATION);
    world.send(client, Packet::Pingreq);
    assert!(
        matches!(world.packet(client), Packet::Connack(connack) if connack.reason == ReasonCode::PROTOCOL_ERROR)
    );
    world.closed_silently(client);
    // AUTH without a method in CONNECT.
    let client = world.connect(clean(V5, "plain"));
    world.send(client, auth(ReasonCode::RE_AUTHENTICATE, b"sesame"));
    world.closed(client, ReasonCode::PROTOCOL_ERROR);
    assert_eq!(client.0, ConnectionId(5));
}

#[test]
fn the_same_seed_assigns_the_same_identifiers() {
    let trace = |seed| {
        let mut broker = crate::core::Broker::new(Config::default(), seed);
        broker.opened(ConnectionId(1), crate::core::Time::ZERO);
        let connect = encoded(&Packet::Connect(Box::new(clean(V5, ""))), V5).unwrap();
        broker.received(ConnectionId(1), &connect, crate::core::Time::ZERO);
        broker.poll_output()
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}
