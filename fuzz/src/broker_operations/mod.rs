//! Clients that follow the protocol, more or less: structured operations into the core, with every exchange watched
//! from outside after each.
//!
//! What is checked beyond the core's own invariants: each connection as [`watch`] says; every delivery is a message
//! that somebody published, on its topic, at no higher QoS, to a QoS 2 subscriber once; nothing is kept for
//! sessions that have ended.

pub mod watch;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use reference_broker::codec::{
    Ack, Auth, Connect, Disconnect, Packet, Properties, PropertyId, PropertyValue, ProtocolVersion, Publish,
    QoS, ReasonCode, Subscribe, Subscription, Unsubscribe, Will, encoded,
};
use reference_broker::core::{Broker, ConnectionId, Output, Time, topic};

use crate::{broker_bytes, packets};
use watch::Watch;

/// Runs the operations in `bytes`.
pub fn check(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let (Ok(variant), Ok(limits)) = (input.arbitrary(), input.arbitrary::<u8>()) else { return };
    // Clients that are turned away, and packets that are too large for the server, are for `broker_bytes`.
    let config = broker_bytes::config(variant, limits & 0b1100_1110);
    let mut world = World {
        copies: config.get("overlapping-subscriptions").as_deref() == Some("copy-per-match"),
        broker: Broker::new(config, 1),
        now: Time::ZERO,
        opened: 0,
        live: BTreeMap::new(),
        messages: Vec::new(),
        first: BTreeMap::new(),
        shares: false,
    };
    while !input.is_empty() && world.opened < 64 {
        if operation(&mut world, &mut input).is_err() {
            break;
        }
    }
    world.end();
}

/// Something that was published: its payload is its place in the list.
struct Message {
    topic: String,
    qos: QoS,
    retain: bool,
}

struct World {
    broker: Broker,
    now: Time,
    opened: u64,
    live: BTreeMap<ConnectionId, Watch>,
    messages: Vec<Message>,
    /// How often a message went out to a client for the first time.
    first: BTreeMap<(String, u32), usize>,
    /// Whether overlapping subscriptions give a copy each.
    copies: bool,
    /// Whether there was a shared subscription: with it a client may get two copies.
    shares: bool,
}

const LEVELS: &[&str] = &["a", "b", "", "$a"];

fn name(input: &mut Unstructured<'_>) -> Result<String> {
    let mut name = (*input.choose(LEVELS)?).to_owned();
    for _ in 0..input.int_in_range(0..=2u8)? {
        name.push('/');
        name.push_str(input.choose(LEVELS)?);
    }
    Ok(if name.is_empty() { "a".to_owned() } else { name })
}

fn filter(input: &mut Unstructured<'_>) -> Result<String> {
    let mut levels = Vec::new();
    for _ in 0..input.int_in_range(1..=3u8)? {
        levels.push(*input.choose(&["a", "b", "", "$a", "+"])?);
    }
    if input.arbitrary()? {
        levels.push("#");
    }
    let filter = levels.join("/");
    Ok(if filter.is_empty() { "+".to_owned() } else { filter })
}

fn operation(world: &mut World, input: &mut Unstructured<'_>) -> Result<()> {
    let kind = input.int_in_range(0..=15u8)?;
    if kind <= 1 || world.live.is_empty() {
        return connect(world, input);
    }
    if kind == 2 {
        world.pass(Duration::from_millis(input.int_in_range(0..=200_000)?));
        return Ok(());
    }
    let ids: Vec<ConnectionId> = world.live.keys().copied().collect();
    let id = *input.choose(&ids)?;
    let version = world.live[&id].version;
    let packet = match kind {
        3..=5 => Packet::Publish(publish(world, input, version)?),
        6 | 7 => Packet::Subscribe(subscribe(world, input, version)?),
        8 => Packet::Unsubscribe(Unsubscribe {
            packet_id: input.int_in_range(1..=4)?,
            properties: Properties::new(),
            filters: vec![filter(input)?.into()],
        }),
        9..=11 => acknowledgement(&world.live[&id], input)?,
        12 => match input.int_in_range(0..=2u8)? {
            0 => Packet::Pingreq,
            1 => Packet::Auth(Auth {
                reason: ReasonCode(*input.choose(&[0x18, 0x19])?),
                properties: authentication(input)?,
            }),
            _ => packets::packet(input, version)?,
        },
        13 => {
            let mut properties = Properties::new();
            let reason = if version == ProtocolVersion::V5 {
                if input.arbitrary()? {
                    let expiry = *input.choose(&[0, 3, u32::MAX])?;
                    properties.push_number(PropertyId::SessionExpiryInterval, expiry);
                }
                ReasonCode(*input.choose(&[0x00, 0x04, 0x80])?)
            } else {
                ReasonCode::SUCCESS
            };
            Packet::Disconnect(Disconnect { reason, properties })
        }
        14 => {
            world.live.remove(&id);
            world.broker.lost(id, world.now);
            world.settle();
            return Ok(());
        }
        _ => Packet::Publish(publish(world, input, version)?),
    };
    if version != ProtocolVersion::V5 && matches!(packet, Packet::Auth(_)) {
        return Ok(());
    }
    world.send(id, &packet);
    Ok(())
}

fn authentication(input: &mut Unstructured<'_>) -> Result<Properties<'static>> {
    let mut properties = Properties::new();
    let method = *input.choose(&["ASSAY-CHALLENGE", "ASSAY-CHALLENGE", "other"])?;
    properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text(method));
    let data = *input.choose(&["", "again", "sesame", "wrong"])?;
    if !data.is_empty() {
        properties.push(PropertyId::AuthenticationData, PropertyValue::Binary(data.as_bytes()));
    }
    Ok(properties)
}

fn connect(world: &mut World, input: &mut Unstructured<'_>) -> Result<()> {
    let version = packets::version(input)?;
    let client_id = *input.choose(&["one", "two", "three", ""])?;
    let mut connect = Connect {
        version,
        clean_start: input.arbitrary::<bool>()? || client_id.is_empty(),
        keep_alive: *input.choose(&[0, 0, 1, 60])?,
        properties: Properties::new(),
        client_id: client_id.into(),
        will: None,
        user_name: None,
        password: None,
    };
    if version == ProtocolVersion::V5 {
        for (id, values) in [
            (PropertyId::SessionExpiryInterval, [0, 3, 100, u32::MAX]),
            (PropertyId::ReceiveMaximum, [1, 2, 20, 65_535]),
            (PropertyId::TopicAliasMaximum, [0, 1, 2, 65_535]),
            (PropertyId::MaximumPacketSize, [128, 200, 600, 100_000]),
        ] {
            if input.arbitrary()? {
                connect.properties.push_number(id, *input.choose(&values)?);
            }
        }
        if input.ratio(1, 8)? {
            for property in authentication(input)?.iter() {
                connect.properties.push(property.id, property.value);
            }
        }
    }
    if input.arbitrary()? {
        let (qos, retain) = (packets::qos(input)?, input.arbitrary()?);
        let mut properties = Properties::new();
        if version == ProtocolVersion::V5 && input.arbitrary()? {
            properties.push_number(PropertyId::WillDelayInterval, *input.choose(&[0, 1, 5, 1000])?);
        }
        let topic = name(input)?;
        let payload = world.message(&topic, qos, retain);
        connect.will = Some(Will { qos, retain, properties, topic: topic.into(), payload: payload.into() });
    }
    world.opened += 1;
    let id = ConnectionId(world.opened);
    world.live.insert(id, Watch::new(version));
    world.broker.opened(id, world.now);
    world.settle();
    world.send(id, &Packet::Connect(Box::new(connect)));
    Ok(())
}

fn publish(
    world: &mut World,
    input: &mut Unstructured<'_>,
    version: ProtocolVersion,
) -> Result<Publish<'static>> {
    let (qos, retain) = (packets::qos(input)?, input.ratio(1, 4)?);
    let topic = name(input)?;
    let mut properties = Properties::new();
    if version == ProtocolVersion::V5 {
        if input.ratio(1, 4)? {
            properties.push_number(PropertyId::MessageExpiryInterval, *input.choose(&[0, 1, 5, 1000])?);
        }
        if input.ratio(1, 4)? {
            properties.push(PropertyId::UserProperty, PropertyValue::Pair("key", "value"));
        }
    }
    let payload = if retain && input.ratio(1, 4)? { Vec::new() } else { world.message(&topic, qos, retain) };
    Ok(Publish {
        dup: input.arbitrary::<bool>()? && qos != QoS::AtMostOnce,
        qos,
        retain,
        topic: topic.into(),
        packet_id: if qos == QoS::AtMostOnce { None } else { Some(input.int_in_range(1..=4)?) },
        properties,
        payload: payload.into(),
    })
}

fn subscribe(
    world: &mut World,
    input: &mut Unstructured<'_>,
    version: ProtocolVersion,
) -> Result<Subscribe<'static>> {
    let mut properties = Properties::new();
    if version == ProtocolVersion::V5 && input.arbitrary()? {
        properties.push_number(PropertyId::SubscriptionIdentifier, *input.choose(&[1, 2, 268_435_455])?);
    }
    let mut subscriptions = Vec::new();
    for _ in 0..input.int_in_range(1..=3u8)? {
        let mut filter = filter(input)?;
        let mut options = packets::options(input, version)?;
        if input.ratio(1, 4)? {
            filter = format!("$share/g/{filter}");
            options.no_local = false;
            world.shares = true;
        }
        subscriptions.push(Subscription { filter: filter.into(), options });
    }
    Ok(Subscribe { packet_id: input.int_in_range(1..=4)?, properties, subscriptions })
}

/// An acknowledgement of what is in flight, or of anything.
fn acknowledgement(watch: &Watch, input: &mut Unstructured<'_>) -> Result<Packet<'static>> {
    let in_flight: Vec<(u16, QoS)> = watch.in_flight.iter().map(|(id, qos)| (*id, *qos)).collect();
    let error = watch.version == ProtocolVersion::V5 && input.ratio(1, 8)?;
    if !in_flight.is_empty() && !input.ratio(1, 6)? {
        let (id, qos) = *input.choose(&in_flight)?;
        let mut ack = Ack::success(id);
        if watch.releasing.contains(&id) {
            return Ok(Packet::Pubcomp(ack));
        }
        if error {
            ack.reason = ReasonCode::UNSPECIFIED_ERROR;
        }
        return Ok(if qos == QoS::AtLeastOnce { Packet::Puback(ack) } else { Packet::Pubrec(ack) });
    }
    let ack = Ack::success(input.int_in_range(1..=6)?);
    Ok(match input.int_in_range(0..=5u8)? {
        0 => Packet::Puback(ack),
        1 => Packet::Pubrec(ack),
        2 => Packet::Pubcomp(ack),
        _ => Packet::Pubrel(ack),
    })
}

impl World {
    /// A payload that says which message it is.
    fn message(&mut self, topic: &str, qos: QoS, retain: bool) -> Vec<u8> {
        self.messages.push(Message { topic: topic.to_owned(), qos, retain });
        (self.messages.len() as u32 - 1).to_be_bytes().to_vec()
    }

    fn send(&mut self, id: ConnectionId, packet: &Packet<'_>) {
        let Some(watch) = self.live.get_mut(&id) else { return };
        if let Packet::Publish(publish) = packet
            && publish.payload.len() == 4
            && self.messages.iter().all(|message| message.topic != publish.topic)
        {
            // From `packets`: by chance it looks like one of ours.
            return;
        }
        let bytes = encoded(packet, watch.version).expect("it fits");
        watch.sends(packet);
        self.broker.received(id, &bytes, self.now);
        self.settle();
    }

    /// Moves the clock, stopping at every deadline on the way.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = 0;
        while let Some(at) = self.broker.next_deadline().filter(|at| *at <= end) {
            assert!(at >= self.now, "a deadline in the past");
            steps += 1;
            assert!(steps < 10_000, "the clock does not get on");
            self.now = at;
            self.broker.advance(at);
            self.settle();
        }
        self.now = end;
        self.broker.advance(end);
        self.settle();
    }

    /// Takes the outputs of a call and looks at what is left.
    fn settle(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Send { connection, bytes } => {
                    let watch = self.live.get_mut(&connection).expect("it is open");
                    if let Packet::Publish(publish) = watch.receives(&bytes) {
                        let topic = watch.topic_of(&publish);
                        let client_id = watch.client_id.clone();
                        self.delivered(client_id, &topic, &publish);
                    }
                }
                Output::Close { connection } => {
                    self.live.remove(&connection).expect("it was open").ended = true;
                }
            }
        }
        self.broker.invariants().expect("after every call");
        assert!(self.broker.next_deadline().is_none_or(|at| at >= self.now), "a deadline in the past");
        assert_eq!(self.broker.statistics().connections, self.live.len());
        for watch in self.live.values_mut() {
            watch.call_over();
        }
    }

    fn delivered(&mut self, client_id: String, topic: &str, publish: &Publish<'_>) {
        assert!(topic::is_name(topic), "{topic:?} is no Topic Name");
        let Ok(number) = <[u8; 4]>::try_from(&publish.payload[..]) else { return };
        let number = u32::from_be_bytes(number);
        let Some(message) = self.messages.get(number as usize) else { return };
        assert_eq!(topic, message.topic, "a message on another topic");
        assert!(publish.qos <= message.qos, "MQTT-3.8.4-8: QoS {} of {}", publish.qos, message.qos);
        assert!(!publish.retain || message.retain, "RETAIN on a message that is not");
        if publish.dup {
            return;
        }
        let count = self.first.entry((client_id, number)).or_default();
        *count += 1;
        // A retained message comes again with every SUBSCRIBE, overlapping subscriptions may have a copy each.
        if publish.qos == QoS::ExactlyOnce && !message.retain && !self.copies && !self.shares {
            assert_eq!(*count, 1, "MQTT-4.3.3-7: message {number} twice");
        }
    }

    /// Ends every connection and session: nothing may be left but what was retained.
    fn end(&mut self) {
        while let Some((id, _)) = self.live.pop_first() {
            self.broker.lost(id, self.now);
            self.settle();
        }
        for client_id in ["one", "two", "three"] {
            self.opened += 1;
            let id = ConnectionId(self.opened);
            let connect = Connect {
                version: ProtocolVersion::V3_1_1,
                clean_start: true,
                keep_alive: 0,
                properties: Properties::new(),
                client_id: Cow::Borrowed(client_id),
                will: None,
                user_name: None,
                password: None,
            };
            self.live.insert(id, Watch::new(ProtocolVersion::V3_1_1));
            self.broker.opened(id, self.now);
            self.settle();
            self.send(id, &Packet::Connect(Box::new(connect)));
            assert!(self.live.get(&id).is_some_and(Watch::is_open), "{client_id} is let in");
            self.live.remove(&id);
            self.broker.lost(id, self.now);
            self.settle();
        }
        let left = self.broker.statistics();
        // Sessions under an assigned identifier may last; nothing else does.
        if left.sessions == 0 {
            let nothing =
                reference_broker::core::Statistics { retained: left.retained, ..Default::default() };
            assert_eq!(left, nothing, "left behind");
        }
    }
}
