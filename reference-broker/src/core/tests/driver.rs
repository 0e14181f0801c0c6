//! A small driver for tests: a broker, scripted clients, and a clock that is moved by hand.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::codec::{
    Ack, Connack, Connect, Disconnect, Packet, Properties, PropertyId, PropertyValue, ProtocolVersion,
    Publish, QoS, ReasonCode, RetainHandling, Suback, Subscribe, Subscription, SubscriptionOptions, Unsuback,
    Unsubscribe, Will, decode, encoded,
};
use crate::core::{Broker, Config, ConnectionId, Output, Time};

pub(crate) use ProtocolVersion::{V3_1, V3_1_1, V5};
pub(crate) use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

/// What a client has received.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Packet(Packet<'static>),
    Closed,
}

/// A broker and its clients.
pub(crate) struct World {
    pub broker: Broker,
    pub now: Time,
    opened: u64,
    versions: BTreeMap<ConnectionId, ProtocolVersion>,
    inboxes: BTreeMap<ConnectionId, VecDeque<Event>>,
    closed: BTreeMap<ConnectionId, bool>,
    /// Everything that was put out, in order: for comparisons.
    pub trace: Vec<(Time, Output)>,
    /// Whether the invariants are checked after each call.
    pub checks: bool,
}

/// A client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client(pub ConnectionId);

impl World {
    pub(crate) fn new() -> World {
        World::with(&[])
    }

    pub(crate) fn with(settings: &[(&str, &str)]) -> World {
        let mut config = Config::default();
        for (key, value) in settings {
            config.set(key, value).unwrap();
        }
        World::configured(config)
    }

    pub(crate) fn configured(config: Config) -> World {
        World {
            broker: Broker::new(config, 7),
            now: Time::ZERO,
            opened: 0,
            versions: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            closed: BTreeMap::new(),
            trace: Vec::new(),
            checks: true,
        }
    }

    pub(crate) fn open(&mut self, version: ProtocolVersion) -> Client {
        self.opened += 1;
        let id = ConnectionId(self.opened);
        self.versions.insert(id, version);
        self.broker.opened(id, self.now);
        self.drain();
        Client(id)
    }

    /// Opens a connection and has CONNECT accepted.
    pub(crate) fn connect(&mut self, connect: Connect<'static>) -> Client {
        let (client, connack) = self.connack(connect);
        assert_eq!(connack.reason, ReasonCode::SUCCESS, "{connack:?}");
        client
    }

    /// The same, with the CONNACK.
    pub(crate) fn connack(&mut self, connect: Connect<'static>) -> (Client, Connack<'static>) {
        let client = self.open(connect.version);
        self.send(client, Packet::Connect(Box::new(connect)));
        match self.next(client) {
            Some(Event::Packet(Packet::Connack(connack))) => (client, connack),
            other => panic!("expected CONNACK, got {other:?}"),
        }
    }

    pub(crate) fn version(&self, client: Client) -> ProtocolVersion {
        self.versions[&client.0]
    }

    pub(crate) fn send(&mut self, client: Client, packet: Packet<'_>) {
        let version = self.versions[&client.0];
        let bytes = encoded(&packet, version).unwrap();
        self.send_bytes(client, &bytes);
    }

    pub(crate) fn send_bytes(&mut self, client: Client, bytes: &[u8]) {
        self.broker.received(client.0, bytes, self.now);
        self.drain();
    }

    pub(crate) fn lose(&mut self, client: Client) {
        self.broker.lost(client.0, self.now);
        self.closed.insert(client.0, true);
        self.drain();
    }

    /// Moves the clock, stopping at every deadline on the way.
    pub(crate) fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = 0;
        while let Some(at) = self.broker.next_deadline().filter(|at| *at <= end) {
            steps += 1;
            assert!(steps < 10_000, "the clock does not get on");
            self.now = self.now.max(at);
            self.broker.advance(self.now);
            self.drain();
        }
        self.now = end;
        self.broker.advance(self.now);
        self.drain();
    }

    pub(crate) fn secs(&mut self, seconds: u64) {
        self.wait(Duration::from_secs(seconds));
    }

    pub(crate) fn shutdown(&mut self) {
        self.broker.shutdown(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            self.trace.push((self.now, output.clone()));
            match output {
                Output::Send { connection, bytes } => {
                    let decoded = decode(&bytes, self.versions[&connection]);
                    if self.checks {
                        assert!(
                            !self.closed.contains_key(&connection),
                            "bytes after the close of {connection}"
                        );
                        let length = decoded.as_ref().unwrap().as_ref().unwrap().1;
                        assert_eq!(length, bytes.len(), "one packet in each Send");
                    }
                    if let Ok(Some((packet, _))) = decoded {
                        let inbox = self.inboxes.entry(connection).or_default();
                        inbox.push_back(Event::Packet(packet.into_owned()));
                    }
                }
                Output::Close { connection } => {
                    self.closed.insert(connection, true);
                    self.inboxes.entry(connection).or_default().push_back(Event::Closed);
                }
            }
        }
        if self.checks {
            self.broker.invariants().unwrap();
        }
    }

    pub(crate) fn next(&mut self, client: Client) -> Option<Event> {
        self.inboxes.get_mut(&client.0)?.pop_front()
    }

    /// The next packet, which has to be there.
    pub(crate) fn packet(&mut self, client: Client) -> Packet<'static> {
        match self.next(client) {
            Some(Event::Packet(packet)) => packet,
            other => panic!("expected a packet, got {other:?}"),
        }
    }

    /// The next packet, which has to be a PUBLISH.
    pub(crate) fn publish(&mut self, client: Client) -> Publish<'static> {
        match self.packet(client) {
            Packet::Publish(publish) => publish,
            other => panic!("expected PUBLISH, got {other:?}"),
        }
    }

    pub(crate) fn nothing(&mut self, client: Client) {
        assert_eq!(self.next(client), None);
    }

    /// Expects the connection to be closed, in 5.0 after DISCONNECT with this reason.
    pub(crate) fn closed(&mut self, client: Client, reason: ReasonCode) {
        if self.versions[&client.0] == V5 {
            match self.packet(client) {
                Packet::Disconnect(disconnect) => assert_eq!(disconnect.reason, reason),
                other => panic!("expected DISCONNECT, got {other:?}"),
            }
        }
        assert_eq!(self.next(client), Some(Event::Closed));
        self.nothing(client);
    }

    /// Expects a close without a packet.
    pub(crate) fn closed_silently(&mut self, client: Client) {
        assert_eq!(self.next(client), Some(Event::Closed));
        self.nothing(client);
    }

    pub(crate) fn subscribe(&mut self, client: Client, filter: &str, qos: QoS) -> Suback<'static> {
        self.subscribe_with(
            client,
            filter,
            SubscriptionOptions { qos, ..SubscriptionOptions::default() },
            None,
        )
    }

    pub(crate) fn subscribe_with(
        &mut self,
        client: Client,
        filter: &str,
        options: SubscriptionOptions,
        identifier: Option<u32>,
    ) -> Suback<'static> {
        self.send(client, subscribe(&[(filter, options)], identifier));
        match self.packet(client) {
            Packet::Suback(suback) => suback,
            other => panic!("expected SUBACK, got {other:?}"),
        }
    }

    pub(crate) fn unsubscribe(&mut self, client: Client, filter: &str) -> Unsuback<'static> {
        let filters = vec![Cow::Owned(filter.to_owned())];
        self.send(
            client,
            Packet::Unsubscribe(Unsubscribe { packet_id: 9, properties: Properties::new(), filters }),
        );
        match self.packet(client) {
            Packet::Unsuback(unsuback) => unsuback,
            other => panic!("expected UNSUBACK, got {other:?}"),
        }
    }

    /// Publishes at QoS 0.
    pub(crate) fn say(&mut self, client: Client, topic: &str, payload: &str) {
        self.send(client, Packet::Publish(message(topic, payload, AtMostOnce, 0)));
    }

    /// Publishes a retained message at QoS 0.
    pub(crate) fn retain(&mut self, client: Client, topic: &str, payload: &str) {
        let publish = Publish { retain: true, ..message(topic, payload, AtMostOnce, 0) };
        self.send(client, Packet::Publish(publish));
    }

    /// Expects a message with this payload at this QoS, and acknowledges it to the end.
    pub(crate) fn hear(&mut self, client: Client, payload: &str, qos: QoS) -> Publish<'static> {
        let publish = self.publish(client);
        assert_eq!((&*publish.payload, publish.qos), (payload.as_bytes(), qos), "{publish:?}");
        if let Some(packet_id) = publish.packet_id {
            match qos {
                AtLeastOnce => self.send(client, Packet::Puback(Ack::success(packet_id))),
                ExactlyOnce => {
                    self.send(client, Packet::Pubrec(Ack::success(packet_id)));
                    assert!(matches!(self.take_pubrel(client), Some(id) if id == packet_id));
                    self.send(client, Packet::Pubcomp(Ack::success(packet_id)));
                }
                AtMostOnce => panic!("a Packet Identifier at QoS 0"),
            }
        }
        publish
    }

    /// Takes the next PUBREL, past messages that came before it.
    fn take_pubrel(&mut self, client: Client) -> Option<u16> {
        let inbox = self.inboxes.get_mut(&client.0)?;
        let place = inbox.iter().position(|event| matches!(event, Event::Packet(Packet::Pubrel(_))))?;
        match inbox.remove(place)? {
            Event::Packet(Packet::Pubrel(ack)) => Some(ack.packet_id),
            _ => None,
        }
    }

    pub(crate) fn disconnect(&mut self, client: Client) {
        self.disconnect_with(client, ReasonCode::NORMAL_DISCONNECTION, Properties::new());
        self.closed_silently(client);
    }

    pub(crate) fn disconnect_with(
        &mut self,
        client: Client,
        reason: ReasonCode,
        properties: Properties<'static>,
    ) {
        self.send(client, Packet::Disconnect(Disconnect { reason, properties }));
    }
}

/// CONNECT with a clean start, no keep alive and no will; in 5.0 the session ends with the connection.
pub(crate) fn clean(version: ProtocolVersion, client_id: &str) -> Connect<'static> {
    Connect {
        version,
        clean_start: true,
        keep_alive: 0,
        properties: Properties::new(),
        client_id: Cow::Owned(client_id.to_owned()),
        will: None,
        user_name: None,
        password: None,
    }
}

/// CONNECT that resumes, with a session that does not end.
pub(crate) fn resuming(version: ProtocolVersion, client_id: &str) -> Connect<'static> {
    let mut connect = Connect { clean_start: false, ..clean(version, client_id) };
    if version == V5 {
        connect.properties.push_number(PropertyId::SessionExpiryInterval, u32::MAX);
    }
    connect
}

/// A will at QoS 0.
pub(crate) fn will(topic: &str, payload: &str, delay: u32) -> Will<'static> {
    let mut properties = Properties::new();
    if delay > 0 {
        properties.push_number(PropertyId::WillDelayInterval, delay);
    }
    Will {
        qos: AtMostOnce,
        retain: false,
        properties,
        topic: Cow::Owned(topic.to_owned()),
        payload: Cow::Owned(payload.as_bytes().to_vec()),
    }
}

pub(crate) fn message(topic: &str, payload: &str, qos: QoS, packet_id: u16) -> Publish<'static> {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: Cow::Owned(topic.to_owned()),
        packet_id: (qos != AtMostOnce).then_some(packet_id),
        properties: Properties::new(),
        payload: Cow::Owned(payload.as_bytes().to_vec()),
    }
}

pub(crate) fn subscribe(filters: &[(&str, SubscriptionOptions)], identifier: Option<u32>) -> Packet<'static> {
    let mut properties = Properties::new();
    if let Some(identifier) = identifier {
        properties.push(PropertyId::SubscriptionIdentifier, PropertyValue::Variable(identifier));
    }
    let subscriptions = filters
        .iter()
        .map(|(filter, options)| Subscription { filter: Cow::Owned((*filter).to_owned()), options: *options })
        .collect();
    Packet::Subscribe(Subscribe { packet_id: 8, properties, subscriptions })
}

pub(crate) fn options(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions {
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    }
}
