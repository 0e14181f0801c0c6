//! Properties that hold whatever clients do: no panic, and the invariants.

use proptest::prelude::*;

use std::borrow::Cow;
use std::time::Duration;

use super::driver::*;
use crate::codec::{
    Ack, Connect, Packet, Properties, PropertyId, ProtocolVersion, QoS, ReasonCode, RetainHandling,
    SubscriptionOptions, Unsubscribe, Will,
};
use crate::core::session::{SessionId, Sessions};
use crate::core::share::Groups;
use crate::core::topic;
use crate::core::tree::{Entry, Found, Grant, Tree};

/// Levels that meet often.
fn level() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just(""), Just("$a"), Just("A")].prop_map(str::to_owned)
}

fn not_empty(text: String) -> String {
    if text.is_empty() { "a".to_owned() } else { text }
}

fn name() -> impl Strategy<Value = String> {
    prop::collection::vec(level(), 1..5).prop_map(|levels| not_empty(levels.join("/")))
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![4 => level(), 2 => Just("+".to_owned())];
    (prop::collection::vec(level, 0..5), any::<bool>()).prop_map(|(mut levels, hash)| {
        if hash {
            levels.push("#".to_owned());
        }
        not_empty(levels.join("/"))
    })
}

fn sessions(count: usize) -> Vec<SessionId> {
    let mut sessions = Sessions::default();
    (0..count).map(|number| sessions.create(number.to_string().into(), V5)).collect()
}

proptest! {
    #[test]
    fn the_tree_agrees_with_the_definition(
        filters in prop::collection::vec(filter(), 1..20),
        removed in prop::collection::vec(any::<bool>(), 20),
        names in prop::collection::vec(name(), 1..20),
    ) {
        let sessions = sessions(filters.len());
        let mut tree = Tree::default();
        let grant = Grant::new(AtMostOnce, SubscriptionOptions::default(), None);
        for (filter, session) in filters.iter().zip(&sessions) {
            tree.insert(filter, Entry { session: *session, grant });
        }
        for ((filter, session), removed) in filters.iter().zip(&sessions).zip(&removed) {
            if *removed {
                prop_assert!(tree.remove(filter, *session));
                prop_assert!(!tree.remove(filter, *session));
            }
        }
        for name in &names {
            let mut found = Found::default();
            tree.matching(name, &mut found);
            let mut found: Vec<_> = found.entries.iter().map(|entry| entry.session).collect();
            found.sort_unstable();
            let left = filters.iter().zip(&sessions).zip(&removed).filter(|(_, removed)| !**removed);
            let expected: Vec<_> = left
                .filter(|((filter, _), _)| topic::matches(filter, name))
                .map(|((_, session), _)| *session)
                .collect();
            prop_assert_eq!(found, expected, "{}", name);
        }
        for ((filter, session), removed) in filters.iter().zip(&sessions).zip(&removed) {
            if !*removed {
                tree.remove(filter, *session);
            }
        }
        prop_assert_eq!((tree.count(), tree.nodes()), ((0, 0), 1));
    }

    #[test]
    fn matching_agrees_with_a_naive_matcher(filter in filter(), name in name()) {
        fn naive(filter: &[&str], name: &[&str]) -> bool {
            match (filter, name) {
                (["#"], _) => true,
                ([], []) => true,
                (["+", filter @ ..], [_, name @ ..]) => naive(filter, name),
                ([first, filter @ ..], [level, name @ ..]) => first == level && naive(filter, name),
                _ => false,
            }
        }
        let filters: Vec<&str> = filter.split('/').collect();
        let names: Vec<&str> = name.split('/').collect();
        let hidden = name.starts_with('$') && matches!(filters[0], "+" | "#");
        prop_assert_eq!(topic::matches(&filter, &name), !hidden && naive(&filters, &names));
    }

    #[test]
    fn timers_fire_in_order_and_only_when_due(times in prop::collection::vec(0u64..100, 0..30), now in 0u64..100) {
        use crate::core::timer::{Timer, Timers};
        use crate::core::{ConnectionId, Time};
        let mut timers = Timers::default();
        for (number, at) in times.iter().enumerate() {
            timers.arm(Time(*at), Timer::Silence(ConnectionId(number as u64)));
        }
        let mut fired = Vec::new();
        while let Some((at, _)) = timers.pop_due(Time(now)) {
            fired.push(at);
        }
        prop_assert!(fired.is_sorted());
        prop_assert_eq!(fired.len(), times.iter().filter(|at| **at <= now).count());
        prop_assert!(timers.next().is_none_or(|at| at > Time(now)));
    }
}

/// A step of a random run. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Connect {
        version: u8,
        name: u8,
        clean: bool,
        expiry: u32,
        keep_alive: u16,
        delay: Option<u32>,
        window: u16,
    },
    Publish {
        client: u8,
        topic: String,
        qos: u8,
        retain: bool,
        id: u16,
        dup: bool,
        size: usize,
        expiry: Option<u32>,
    },
    Subscribe {
        client: u8,
        filter: String,
        options: u8,
        share: bool,
        id: Option<u32>,
    },
    Unsubscribe {
        client: u8,
        filter: String,
    },
    Ack {
        client: u8,
        kind: u8,
        id: u16,
        error: bool,
    },
    Disconnect {
        client: u8,
        reason: u8,
    },
    Ping {
        client: u8,
    },
    Lose {
        client: u8,
    },
    Wait {
        milliseconds: u64,
    },
    Bytes {
        client: u8,
        bytes: Vec<u8>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let client = any::<u8>();
    prop_oneof![
        3 => (
            any::<u8>(), 0u8..3, any::<bool>(), prop_oneof![Just(0), Just(2), Just(u32::MAX)], 0u16..4,
            prop::option::of(0u32..4), prop_oneof![Just(1u16), Just(3), Just(u16::MAX)],
        ).prop_map(|(version, name, clean, expiry, keep_alive, delay, window)| {
            Step::Connect { version, name, clean, expiry, keep_alive, delay, window }
        }),
        6 => (
            client, name(), 0u8..3, any::<bool>(), 1u16..5, any::<bool>(), 0usize..40, prop::option::of(0u32..5),
        ).prop_map(|(client, topic, qos, retain, id, dup, size, expiry)| {
            Step::Publish { client, topic, qos, retain, id, dup, size, expiry }
        }),
        4 => (client, filter(), any::<u8>(), any::<bool>(), prop::option::of(1u32..4)).prop_map(
            |(client, filter, options, share, id)| Step::Subscribe { client, filter, options, share, id }
        ),
        1 => (client, filter()).prop_map(|(client, filter)| Step::Unsubscribe { client, filter }),
        8 => (client, 0u8..4, 1u16..6, prop::bool::weighted(0.1))
            .prop_map(|(client, kind, id, error)| Step::Ack { client, kind, id, error }),
        1 => (client, prop_oneof![Just(0u8), Just(4)]).prop_map(|(client, reason)| Step::Disconnect { client, reason }),
        1 => client.prop_map(|client| Step::Ping { client }),
        1 => client.prop_map(|client| Step::Lose { client }),
        2 => (0u64..4_000).prop_map(|milliseconds| Step::Wait { milliseconds }),
        1 => (client, prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(client, bytes)| Step::Bytes { client, bytes }),
    ]
}

fn run(world: &mut World, steps: &[Step]) {
    let mut clients: Vec<Client> = Vec::new();
    let pick = |clients: &[Client], number: u8| {
        (!clients.is_empty()).then(|| clients[usize::from(number) % clients.len()])
    };
    for step in steps {
        match step {
            Step::Connect { version, name, clean: clean_start, expiry, keep_alive, delay, window } => {
                let version = ProtocolVersion::ALL[usize::from(*version) % 3];
                let mut connect = Connect {
                    clean_start: *clean_start,
                    keep_alive: *keep_alive,
                    will: delay.map(|delay| Will {
                        qos: AtLeastOnce,
                        retain: delay == 1,
                        ..will("a", "will", delay)
                    }),
                    ..clean(version, &format!("client{name}"))
                };
                if version == V5 {
                    connect.properties.push_number(PropertyId::SessionExpiryInterval, *expiry);
                    connect.properties.push_number(PropertyId::ReceiveMaximum, u32::from(*window));
                    connect.properties.push_number(PropertyId::TopicAliasMaximum, u32::from(*window % 4));
                }
                let client = world.open(version);
                world.send(client, Packet::Connect(Box::new(connect)));
                clients.push(client);
            }
            Step::Publish { client, topic, qos, retain, id, dup, size, expiry } => {
                let Some(client) = pick(&clients, *client) else { continue };
                let qos = QoS::from_number(*qos).unwrap();
                let mut publish = message(topic, &"x".repeat(*size), qos, *id);
                publish.retain = *retain;
                publish.dup = *dup && qos != AtMostOnce;
                if let Some(expiry) = expiry {
                    publish.properties.push_number(PropertyId::MessageExpiryInterval, *expiry);
                }
                world.send(client, Packet::Publish(publish));
            }
            Step::Subscribe { client, filter, options, share, id } => {
                let Some(client) = pick(&clients, *client) else { continue };
                let options = SubscriptionOptions {
                    qos: QoS::from_number(options & 3).unwrap_or_default(),
                    no_local: options & 4 != 0 && !share,
                    retain_as_published: options & 8 != 0,
                    retain_handling: RetainHandling::from_number(options >> 4 & 3).unwrap_or_default(),
                };
                let filter = if *share { format!("$share/g/{filter}") } else { filter.clone() };
                let version = world.version(client);
                let options = if version == V5 { options } else { self::options(options.qos) };
                world.send(client, subscribe(&[(&filter, options)], *id));
            }
            Step::Unsubscribe { client, filter } => {
                let Some(client) = pick(&clients, *client) else { continue };
                let filters = vec![Cow::Owned(filter.clone())];
                let unsubscribe = Unsubscribe { packet_id: 3, properties: Properties::new(), filters };
                world.send(client, Packet::Unsubscribe(unsubscribe));
            }
            Step::Ack { client, kind, id, error } => {
                let Some(client) = pick(&clients, *client) else { continue };
                let error = *error && *kind < 2 && world.version(client) == V5;
                let reason = if error { ReasonCode::UNSPECIFIED_ERROR } else { ReasonCode::SUCCESS };
                let ack = Ack { reason, ..Ack::success(*id) };
                world.send(
                    client,
                    match kind {
                        0 => Packet::Puback(ack),
                        1 => Packet::Pubrec(ack),
                        2 => Packet::Pubrel(ack),
                        _ => Packet::Pubcomp(ack),
                    },
                );
            }
            Step::Disconnect { client, reason } => {
                let Some(client) = pick(&clients, *client) else { continue };
                world.disconnect_with(client, ReasonCode(*reason), Properties::new());
            }
            Step::Ping { client } => {
                let Some(client) = pick(&clients, *client) else { continue };
                world.send(client, Packet::Pingreq);
            }
            Step::Lose { client } => {
                let Some(client) = pick(&clients, *client) else { continue };
                world.lose(client);
            }
            Step::Wait { milliseconds } => world.wait(Duration::from_millis(*milliseconds)),
            Step::Bytes { client, bytes } => {
                let Some(client) = pick(&clients, *client) else { continue };
                world.send_bytes(client, bytes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// The driver checks the invariants after every call, and that every output is one well-formed packet.
    #[test]
    fn random_clients_break_nothing(
        steps in prop::collection::vec(step(), 0..120),
        variant in prop::option::of(0usize..1_000),
    ) {
        let variants = crate::core::variants();
        let settings = variant.map_or(&[][..], |variant| variants[variant % variants.len()].settings);
        let mut world = World::with(settings);
        run(&mut world, &steps);
        let again = std::mem::take(&mut world.trace);
        let mut world = World::with(settings);
        run(&mut world, &steps);
        prop_assert_eq!(again, world.trace, "the same calls give the same outputs");
    }
}

#[test]
fn the_tree_takes_the_deepest_filter_there_is() {
    let deep = "/".repeat(65_534);
    let session = sessions(1)[0];
    let mut tree = Tree::default();
    let mut groups = Groups::default();
    let grant = Grant::new(AtMostOnce, SubscriptionOptions::default(), None);
    tree.insert(&deep, Entry { session, grant });
    tree.insert(&format!("{deep}#"), Entry { session, grant });
    tree.group(&mut groups, "g", &"+/".repeat(30_000));
    let mut found = Found::default();
    tree.matching(&deep, &mut found);
    assert_eq!(found.entries.len(), 2);
    assert!(tree.remove(&deep, session));
    assert!(tree.remove(&format!("{deep}#"), session));
}
