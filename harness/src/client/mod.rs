//! The client: a correct MQTT client as a state machine, any packet of which a scenario can take over.
//!
//! By itself it acknowledges, pings in time, answers PUBREC, keeps to the broker's Receive Maximum, keeps its
//! in-flight state across connections and re-sends on resume. What the script sends in its place belongs to
//! the script: the client does not react to answers to it.
//!
//! Contract: [`Client::opened`] when the network connection stands, [`Client::receive`] for every packet, in
//! order, [`Client::lost`] when the connection is over, [`Client::advance`] when [`Client::next_deadline`] has
//! come. What it wants to send is taken with [`Client::take_outputs`] after every call.
//!
//! Never the case: a judgement, a clock, a socket.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use reference_broker::codec::{
    Ack, Connect, Disconnect, Packet, PropertyId, ProtocolVersion, Publish, QoS, ReasonCode, Subscribe,
    Unsubscribe, encode,
};
use reference_broker::core::Time;

use crate::history::Link;

/// Bytes that a client wants to send, and whether the script decided on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOutput {
    /// One packet, or what the script gave.
    pub bytes: Vec<u8>,
    /// Whether the script decided on them.
    pub by_script: bool,
}

/// How far an exchange of a message that the client published has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Not sent on any connection yet.
    Waiting,
    /// PUBLISH was sent; PUBACK or PUBREC is due.
    Published,
    /// PUBREL was sent; PUBCOMP is due.
    Released,
}

#[derive(Debug, Clone)]
struct Outgoing {
    message: Publish<'static>,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The network connection is being opened; CONNECT follows.
    Opening,
    /// CONNECT was sent.
    Connecting,
    /// CONNACK accepted.
    Connected,
    /// A network connection without CONNECT.
    Bare,
}

#[derive(Debug, Clone)]
struct Connection {
    link: Link,
    phase: Phase,
    connect: Option<Box<Connect<'static>>>,
    connect_by_script: bool,
    /// How long after the last packet the client sends PINGREQ; zero for never. Early enough that it arrives
    /// within the Keep Alive.
    ping_after: Duration,
    last_sent: Time,
    receive_maximum: usize,
    silent: bool,
    by_script: bool,
}

/// A client of a scenario.
#[derive(Debug, Clone)]
pub struct Client {
    version: ProtocolVersion,
    connection: Option<Connection>,
    outgoing: VecDeque<Outgoing>,
    /// QoS 2 messages received and not released yet (method B of section 4.3.3).
    held: BTreeSet<u16>,
    script_ids: BTreeSet<u16>,
    pending_requests: BTreeSet<u16>,
    next_id: u16,
    /// The last connection was for itself alone: 3.1 has no Session Present to say that nothing is left of it.
    last_was_clean: bool,
    outputs: Vec<ClientOutput>,
    outbox: Vec<Vec<u8>>,
}

/// How many QoS 1 and 2 messages the client has in flight at most, whatever the broker allows: 3.1.1 has no flow
/// control, and brokers limit what they take.
const SEND_WINDOW: usize = 16;

/// The client counts its own identifiers from here, so that small ones are the script's.
const FIRST_ID: u16 = 101;

/// When to ping, for a Keep Alive in seconds.
fn ping_after(keep_alive: u32) -> Duration {
    Duration::from_secs(u64::from(keep_alive)) * 3 / 4
}

impl Client {
    /// A client without a connection and without state.
    pub fn new(version: ProtocolVersion) -> Client {
        Client {
            version,
            connection: None,
            outgoing: VecDeque::new(),
            held: BTreeSet::new(),
            script_ids: BTreeSet::new(),
            pending_requests: BTreeSet::new(),
            next_id: FIRST_ID,
            last_was_clean: false,
            outputs: Vec::new(),
            outbox: Vec::new(),
        }
    }

    /// The connection that the client uses.
    pub fn link(&self) -> Option<Link> {
        self.connection.as_ref().map(|connection| connection.link)
    }

    /// Whether the network connection stands.
    pub fn is_open(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.phase != Phase::Opening)
    }

    /// Whether every exchange that the client began has ended.
    pub fn is_settled(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// The protocol version of the client's connection.
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Begins a connection that will send this CONNECT.
    pub fn connecting(
        &mut self,
        link: Link,
        connect: Connect<'static>,
        by_script: bool,
        script_sent: bool,
        now: Time,
    ) {
        self.begin(link, Some(Box::new(connect)), by_script, script_sent, now);
    }

    /// Begins a connection that sends nothing by itself.
    pub fn opening(&mut self, link: Link, now: Time) {
        self.begin(link, None, false, false, now);
    }

    fn begin(
        &mut self,
        link: Link,
        connect: Option<Box<Connect<'static>>>,
        by_script: bool,
        script_sent: bool,
        now: Time,
    ) {
        self.pending_requests.clear();
        self.connection = Some(Connection {
            link,
            phase: Phase::Opening,
            connect,
            connect_by_script: script_sent,
            ping_after: Duration::ZERO,
            last_sent: now,
            receive_maximum: SEND_WINDOW,
            silent: false,
            by_script,
        });
    }

    /// The network connection stands.
    pub fn opened(&mut self, now: Time) {
        let Some(connection) = &mut self.connection else { return };
        match connection.connect.take() {
            None => connection.phase = Phase::Bare,
            Some(connect) => {
                let by_script = connection.connect_by_script;
                self.send_connect(&connect, by_script, now);
            }
        }
    }

    /// Sends CONNECT on a connection that stands.
    pub fn send_connect(&mut self, connect: &Connect<'static>, by_script: bool, now: Time) {
        if let Some(connection) = &mut self.connection {
            connection.phase = Phase::Connecting;
            connection.connect_by_script = by_script;
            connection.ping_after = ping_after(connect.keep_alive.into());
        }
        self.version = connect.version;
        // Before 5.0 nothing of a clean session is left either (MQTT-3.1.2-6 in 3.1.1).
        if connect.clean_start || self.last_was_clean && connect.version != ProtocolVersion::V5 {
            self.forget();
        }
        self.last_was_clean = connect.clean_start;
        self.push(&Packet::Connect(Box::new(connect.clone())), by_script, now);
    }

    /// Whether the script takes over the acknowledgements of this connection.
    pub fn acknowledge_by_script(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.by_script = true;
        }
    }

    fn forget(&mut self) {
        self.outgoing.retain(|outgoing| outgoing.progress == Progress::Waiting);
        self.held.clear();
        self.script_ids.clear();
    }

    /// The connection is over.
    pub fn lost(&mut self) {
        self.connection = None;
        self.outputs.clear();
    }

    /// The client stops acknowledging and pinging.
    pub fn fall_silent(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.silent = true;
        }
    }

    /// Publishes a message; it waits while the broker's Receive Maximum is used up or no connection stands.
    pub fn publish(&mut self, mut message: Publish<'static>, now: Time) {
        if message.qos == QoS::AtMostOnce {
            message.packet_id = None;
            self.push(&Packet::Publish(message), false, now);
            return;
        }
        message.packet_id = Some(self.free_id());
        self.outgoing.push_back(Outgoing { message, progress: Progress::Waiting });
        self.pump(now);
    }

    /// Subscribes.
    pub fn subscribe(&mut self, mut subscribe: Subscribe<'static>, now: Time) {
        subscribe.packet_id = self.free_id();
        self.pending_requests.insert(subscribe.packet_id);
        self.push(&Packet::Subscribe(subscribe), false, now);
    }

    /// Unsubscribes.
    pub fn unsubscribe(&mut self, mut unsubscribe: Unsubscribe<'static>, now: Time) {
        unsubscribe.packet_id = self.free_id();
        self.pending_requests.insert(unsubscribe.packet_id);
        self.push(&Packet::Unsubscribe(unsubscribe), false, now);
    }

    /// Sends PINGREQ.
    pub fn ping(&mut self, now: Time) {
        self.push(&Packet::Pingreq, false, now);
    }

    /// Sends DISCONNECT; closing the connection is the caller's part.
    pub fn disconnect(&mut self, disconnect: Disconnect<'static>, now: Time) {
        self.push(&Packet::Disconnect(disconnect), false, now);
    }

    /// Sends a packet for the script. Its Packet Identifier is the script's from now on.
    pub fn send_for_script(&mut self, packet: &Packet<'static>, now: Time) {
        match packet {
            Packet::Publish(Publish { packet_id: Some(id), .. })
            | Packet::Subscribe(Subscribe { packet_id: id, .. })
            | Packet::Unsubscribe(Unsubscribe { packet_id: id, .. })
            | Packet::Pubrel(Ack { packet_id: id, .. }) => {
                self.script_ids.insert(*id);
                self.outgoing.retain(|outgoing| outgoing.message.packet_id != Some(*id));
            }
            _ => {}
        }
        self.push(packet, true, now);
    }

    /// Sends bytes for the script.
    pub fn send_bytes(&mut self, bytes: Vec<u8>, now: Time) {
        if let Some(connection) = &mut self.connection {
            connection.last_sent = now;
            self.outputs.push(ClientOutput { bytes, by_script: true });
        }
    }

    /// Whether the client wants to send something.
    pub fn has_outputs(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// What the client wants to send, in order.
    pub fn take_outputs(&mut self) -> Vec<ClientOutput> {
        std::mem::take(&mut self.outputs)
    }

    /// Gives a buffer back, to be used again.
    pub fn recycle(&mut self, mut bytes: Vec<u8>) {
        if self.outbox.len() < 4 {
            bytes.clear();
            self.outbox.push(bytes);
        }
    }

    /// When the client next does something by itself.
    pub fn next_deadline(&self) -> Option<Time> {
        let connection = self.connection.as_ref()?;
        if connection.phase != Phase::Connected || connection.silent || connection.ping_after.is_zero() {
            return None;
        }
        Some(connection.last_sent + connection.ping_after)
    }

    /// Does what is due.
    pub fn advance(&mut self, now: Time) {
        if self.next_deadline().is_some_and(|due| due <= now) {
            self.ping(now);
        }
    }

    /// Takes a packet from the broker.
    pub fn receive(&mut self, packet: &Packet<'_>, now: Time) {
        let Some(connection) = &mut self.connection else { return };
        let quiet = connection.silent || connection.by_script;
        match packet {
            Packet::Connack(connack) if connection.phase == Phase::Connecting => {
                if connack.reason.0 != 0 {
                    return;
                }
                connection.phase = Phase::Connected;
                if let Some(seconds) = connack.properties.number(PropertyId::ServerKeepAlive) {
                    connection.ping_after = ping_after(seconds);
                }
                if let Some(maximum) = connack.properties.number(PropertyId::ReceiveMaximum) {
                    connection.receive_maximum = (maximum as usize).min(SEND_WINDOW);
                }
                if !connack.session_present && self.version != ProtocolVersion::V3_1 {
                    // What the broker's old session had under way is over.
                    self.held.clear();
                    if self.version == ProtocolVersion::V5 {
                        // MQTT-3.2.2-5: without a session at the broker there is none at the client. In 3.1.1 the
                        // client sends again what is unacknowledged, whatever the broker says (MQTT-4.4.0-1).
                        self.forget();
                    }
                }
                self.resend(now);
                self.pump(now);
            }
            Packet::Publish(publish) => match (publish.qos, publish.packet_id) {
                (QoS::AtLeastOnce, Some(id)) if !quiet => {
                    self.push(&Packet::Puback(Ack::success(id)), false, now)
                }
                (QoS::ExactlyOnce, Some(id)) => {
                    self.held.insert(id);
                    if !quiet {
                        self.push(&Packet::Pubrec(Ack::success(id)), false, now);
                    }
                }
                _ => {}
            },
            Packet::Pubrel(ack) => {
                let known = self.held.remove(&ack.packet_id);
                if !quiet {
                    let mut answer = Ack::success(ack.packet_id);
                    if !known && self.version == ProtocolVersion::V5 {
                        answer.reason = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
                    }
                    self.push(&Packet::Pubcomp(answer), false, now);
                }
            }
            Packet::Puback(ack) if !self.script_ids.contains(&ack.packet_id) => {
                self.finish(ack.packet_id, QoS::AtLeastOnce);
                self.pump(now);
            }
            Packet::Pubrec(ack) if !self.script_ids.contains(&ack.packet_id) => {
                if ack.reason.is_error() {
                    self.finish(ack.packet_id, QoS::ExactlyOnce);
                    self.pump(now);
                    return;
                }
                if quiet {
                    return;
                }
                let known = self.outgoing.iter_mut().find(|it| {
                    it.message.packet_id == Some(ack.packet_id) && it.progress != Progress::Waiting
                });
                let mut answer = Ack::success(ack.packet_id);
                match known {
                    Some(outgoing) => outgoing.progress = Progress::Released,
                    None if self.version == ProtocolVersion::V5 => {
                        answer.reason = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
                    }
                    None => {}
                }
                self.push(&Packet::Pubrel(answer), false, now);
            }
            Packet::Pubcomp(ack) if !self.script_ids.contains(&ack.packet_id) => {
                self.finish(ack.packet_id, QoS::ExactlyOnce);
                self.pump(now);
            }
            Packet::Suback(suback) => {
                self.pending_requests.remove(&suback.packet_id);
            }
            Packet::Unsuback(unsuback) => {
                self.pending_requests.remove(&unsuback.packet_id);
            }
            _ => {}
        }
    }

    fn finish(&mut self, id: u16, qos: QoS) {
        self.outgoing.retain(|it| {
            it.message.packet_id != Some(id) || it.message.qos != qos || it.progress == Progress::Waiting
        });
    }

    /// Sends what is unacknowledged again, in order: PUBLISH with DUP, or PUBREL (MQTT-4.4.0-1).
    fn resend(&mut self, now: Time) {
        for at in 0..self.outgoing.len() {
            let outgoing = &self.outgoing[at];
            let packet = match outgoing.progress {
                Progress::Waiting => continue,
                Progress::Published => {
                    let mut message = outgoing.message.clone();
                    message.dup = true;
                    Packet::Publish(message)
                }
                Progress::Released => {
                    Packet::Pubrel(Ack::success(outgoing.message.packet_id.unwrap_or_default()))
                }
            };
            self.push(&packet, false, now);
        }
    }

    /// Sends what waits, as far as the broker's Receive Maximum allows.
    fn pump(&mut self, now: Time) {
        let Some(connection) = &self.connection else { return };
        if connection.phase != Phase::Connected {
            return;
        }
        let maximum = connection.receive_maximum;
        let mut in_flight = self.outgoing.iter().filter(|it| it.progress != Progress::Waiting).count();
        for at in 0..self.outgoing.len() {
            if in_flight >= maximum {
                return;
            }
            if self.outgoing[at].progress == Progress::Waiting {
                self.outgoing[at].progress = Progress::Published;
                in_flight += 1;
                let message = &self.outgoing[at].message;
                let borrowed = Publish {
                    dup: message.dup,
                    qos: message.qos,
                    retain: message.retain,
                    topic: Cow::Borrowed(&message.topic),
                    packet_id: message.packet_id,
                    properties: message.properties.borrowed(),
                    payload: Cow::Borrowed(&message.payload),
                };
                let mut bytes = self.outbox.pop().unwrap_or_default();
                if encode(&Packet::Publish(borrowed), self.version, &mut bytes).is_ok() {
                    self.outputs.push(ClientOutput { bytes, by_script: false });
                }
                if let Some(connection) = &mut self.connection {
                    connection.last_sent = now;
                }
            }
        }
    }

    fn push(&mut self, packet: &Packet<'_>, by_script: bool, now: Time) {
        let Some(connection) = &mut self.connection else { return };
        connection.last_sent = now;
        let mut bytes = self.outbox.pop().unwrap_or_default();
        if encode(packet, self.version, &mut bytes).is_ok() {
            self.outputs.push(ClientOutput { bytes, by_script });
        }
    }

    /// A Packet Identifier that nothing of this client uses.
    fn free_id(&mut self) -> u16 {
        loop {
            let id = self.next_id;
            self.next_id = if id == u16::MAX { FIRST_ID } else { id + 1 };
            let used = self.script_ids.contains(&id)
                || self.pending_requests.contains(&id)
                || self.outgoing.iter().any(|it| it.message.packet_id == Some(id));
            if !used {
                return id;
            }
        }
    }
}
