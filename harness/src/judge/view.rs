//! What can be known of one client from the history: its connection, its inbox, its open exchanges, and
//! what its application got.

use std::collections::{BTreeMap, BTreeSet};

use reference_broker::codec::{Packet, PacketType, PropertyId, ProtocolVersion, QoS, ReasonCode};
use reference_broker::core::Time;

use crate::history::{EndedBy, Ending, Event, Fact, History, Link, Range, packet_type, whole_packet};

/// A packet in a client's inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inbound {
    /// The event.
    pub event: u32,
    /// Its time.
    pub at: Time,
    /// The bytes.
    pub bytes: Range,
    /// The type, if it has one.
    pub kind: Option<PacketType>,
}

/// A message that a client's application got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The event.
    pub event: u32,
    /// Its time.
    pub at: Time,
    /// Where the topic stands, with an alias resolved; empty for an alias that stands for nothing.
    pub topic: Range,
    /// Where the payload stands.
    pub payload: Range,
    /// QoS of the delivery.
    pub qos: QoS,
}

impl Delivery {
    /// Whether it came on this topic, if one is given.
    pub(super) fn is_on(&self, topic: Option<&str>, history: &History) -> bool {
        topic.is_none_or(|topic| topic.as_bytes() == history.bytes(self.topic))
    }
}

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub event: u32,
    pub at: Time,
    pub by: EndedBy,
    pub how: Ending,
    pub before_step: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Connected {
    pub event: u32,
    pub reason: ReasonCode,
    pub session_present: bool,
}

/// The answer to a SUBSCRIBE or UNSUBSCRIBE of the client's own.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub event: u32,
    pub reasons: Vec<ReasonCode>,
    pub requested: Vec<u8>,
}

/// One client, as the history shows it.
#[derive(Debug, Clone)]
pub struct ClientView {
    pub(super) version: ProtocolVersion,
    link: Option<Link>,
    open: bool,
    pub(super) closed: Option<End>,
    pub(super) inbox: Vec<Inbound>,
    pub(super) connack: Option<Connected>,
    connect_by_script: bool,
    pub(super) connect_sent: bool,
    last_was_clean: bool,
    pub(super) answer: Option<Answer>,
    /// SUBSCRIBE and UNSUBSCRIBE that the client sent by itself, with what they asked for.
    requests: BTreeMap<u16, Vec<u8>>,
    /// QoS 1 and 2 messages that the client sent by itself and whose exchange is open, with the packet that is due.
    exchanges: BTreeMap<u16, PacketType>,
    step_exchanges: BTreeSet<u16>,
    pub(super) refused: Option<(u32, PacketType, ReasonCode)>,
    pub(super) sent_in_step: bool,
    /// Something came in this step that is no packet of the version: it may have been the answer.
    pub(super) unreadable: bool,
    /// Packet Identifiers whose exchange the script owns, in the client's direction.
    script_ids: BTreeSet<u16>,
    /// Packet Identifiers of the broker's QoS 2 deliveries that the script answers.
    script_received: bool,
    pings_by_client: u32,
    pub(super) pong: bool,
    /// QoS 2 deliveries that the client holds until PUBREL.
    held: BTreeSet<u16>,
    /// What it held when a broker of 3.1.1 said that there was no session: with DUP 1 it comes again, with DUP 0 it is
    /// new.
    held_before: BTreeSet<u16>,
    /// It began without a session and has sent nothing that could be a SUBSCRIBE: what comes is not meant for any step
    /// (MQTT-3.3.2-3, which the checkers judge).
    asked_for_nothing: bool,
    /// The Client Identifier of its last CONNECT.
    client_id: Option<String>,
    /// A client of the plan, perhaps this one, had used that Client Identifier before.
    is_known: bool,
    aliases: BTreeMap<u32, Range>,
    pub(super) deliveries: Vec<Delivery>,
}

impl ClientView {
    pub(super) fn new(version: ProtocolVersion) -> ClientView {
        ClientView {
            version,
            link: None,
            open: false,
            closed: None,
            inbox: Vec::new(),
            connack: None,
            connect_by_script: false,
            connect_sent: false,
            last_was_clean: false,
            answer: None,
            requests: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            step_exchanges: BTreeSet::new(),
            refused: None,
            sent_in_step: false,
            unreadable: false,
            script_ids: BTreeSet::new(),
            script_received: false,
            pings_by_client: 0,
            pong: false,
            held: BTreeSet::new(),
            held_before: BTreeSet::new(),
            asked_for_nothing: false,
            client_id: None,
            is_known: false,
            aliases: BTreeMap::new(),
            deliveries: Vec::new(),
        }
    }

    pub(super) fn begin_step(&mut self) {
        self.answer = None;
        self.refused = None;
        self.sent_in_step = false;
        self.unreadable = false;
        self.pong = false;
        self.step_exchanges.clear();
        if let Some(closed) = &mut self.closed {
            closed.before_step = true;
        }
    }

    /// What was known of the last connection says nothing about the one that this step opens.
    pub(super) fn leave_connection(&mut self) {
        self.link = None;
        self.open = false;
        self.closed = None;
        self.connack = None;
        self.connect_sent = false;
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn step_exchanges_are_over(&self) -> bool {
        !self.step_exchanges.iter().any(|id| self.exchanges.contains_key(id))
    }

    pub(super) fn all_exchanges_are_over(&self) -> bool {
        self.exchanges.is_empty()
    }

    /// The packets that the broker owes to the exchanges that are open.
    pub(super) fn due(&self) -> BTreeSet<PacketType> {
        self.exchanges.values().copied().collect()
    }

    pub(super) fn closed_by_broker_since(&self, began: Time) -> bool {
        self.closed
            .is_some_and(|closed| closed.by == EndedBy::Broker && closed.at >= began && !closed.before_step)
    }

    pub(super) fn describe_end(&self, history: &History) -> String {
        let Some(closed) = self.closed else { return "the connection is open".into() };
        let what = match (closed.by, closed.how) {
            (EndedBy::Broker, Ending::Reset) => "the broker reset the connection",
            (EndedBy::Broker, _) => "the broker closed the connection",
            (EndedBy::Client, _) => "the client had closed the connection",
            (EndedBy::Fault, _) => "a fault had cut the connection",
            (EndedBy::Network, Ending::Refused) => "the connection was refused",
            (EndedBy::Network, _) => "the connection timed out",
        };
        let said = self.inbox.iter().find(|it| it.kind == Some(PacketType::Disconnect));
        match said.and_then(|it| whole_packet(history.bytes(it.bytes), self.version)) {
            Some(Packet::Disconnect(disconnect)) => {
                let name = disconnect.reason.name(PacketType::Disconnect, self.version).unwrap_or("unknown");
                format!("{what} after DISCONNECT {} {name}", disconnect.reason)
            }
            _ => what.into(),
        }
    }

    fn sent(&mut self, packet: &Packet<'_>, by_script: bool) {
        match packet {
            Packet::Connect(connect) => {
                self.version = connect.version;
                self.connack = None;
                // Before 5.0 a clean session ends with its connection (MQTT-3.1.2-6 in 3.1.1).
                // A Client Identifier that was there before may have a session that should have been discarded.
                self.asked_for_nothing = connect.clean_start && !self.is_known;
                self.client_id = Some(connect.client_id.to_string());
                let nothing_left = self.last_was_clean && connect.version != ProtocolVersion::V5;
                self.last_was_clean = connect.clean_start;
                if connect.clean_start || nothing_left {
                    self.exchanges.clear();
                    self.script_ids.clear();
                    self.held.clear();
                    self.held_before.clear();
                }
            }
            Packet::Publish(publish) => {
                if let Some(id) = publish.packet_id {
                    if by_script {
                        self.script_ids.insert(id);
                        self.exchanges.remove(&id);
                    } else {
                        self.script_ids.remove(&id);
                        let due = match publish.qos {
                            QoS::ExactlyOnce => PacketType::Pubrec,
                            _ => PacketType::Puback,
                        };
                        self.exchanges.insert(id, due);
                        self.step_exchanges.insert(id);
                    }
                }
                if !by_script {
                    self.sent_in_step = true;
                }
            }
            Packet::Pubrel(ack) if by_script => {
                self.script_ids.insert(ack.packet_id);
            }
            Packet::Pubrel(_) => self.sent_in_step = true,
            Packet::Subscribe(subscribe) => {
                self.asked_for_nothing = false;
                if by_script {
                    self.script_ids.insert(subscribe.packet_id);
                } else {
                    self.sent_in_step = true;
                    self.script_ids.remove(&subscribe.packet_id);
                    let asked = subscribe.subscriptions.iter().map(|it| it.options.qos.number()).collect();
                    self.requests.insert(subscribe.packet_id, asked);
                }
            }
            Packet::Unsubscribe(unsubscribe) => {
                if by_script {
                    self.script_ids.insert(unsubscribe.packet_id);
                } else {
                    self.sent_in_step = true;
                    self.script_ids.remove(&unsubscribe.packet_id);
                    self.requests.insert(unsubscribe.packet_id, vec![0; unsubscribe.filters.len()]);
                }
            }
            Packet::Pubrec(ack) => {
                if by_script {
                    self.script_received = true;
                }
                if ack.reason.is_error() {
                    self.held.remove(&ack.packet_id);
                }
            }
            Packet::Pingreq if !by_script => {
                self.sent_in_step = true;
                self.pings_by_client += 1;
            }
            _ => {}
        }
    }

    /// Takes a packet; returns whether it belongs into the inbox.
    fn received(&mut self, packet: &Packet<'_>, bytes: Range, event: u32, at: Time) -> bool {
        match packet {
            Packet::Connack(connack) => {
                self.connack = Some(Connected {
                    event,
                    reason: connack.reason,
                    session_present: connack.session_present,
                });
                if connack.reason.0 == 0 && !connack.session_present && self.version != ProtocolVersion::V3_1
                {
                    // Without a session a client of 5.0 gives up what it had open (MQTT-3.2.2-5); one of 3.1.1 sends it
                    // again (MQTT-4.4.0-1), and keeps what it has (MQTT-4.3.3-2).
                    let held = std::mem::take(&mut self.held);
                    if self.version == ProtocolVersion::V5 {
                        self.exchanges.clear();
                    } else {
                        self.held_before.extend(held);
                    }
                }
                self.connect_by_script
            }
            Packet::Suback(suback) => self.answered(suback.packet_id, &suback.reasons, event),
            Packet::Unsuback(unsuback) => self.answered(unsuback.packet_id, &unsuback.reasons, event),
            Packet::Puback(ack) => {
                if self.script_ids.contains(&ack.packet_id) {
                    return true;
                }
                let known = self.exchanges.remove(&ack.packet_id).is_some();
                if known && ack.reason.is_error() && self.step_exchanges.contains(&ack.packet_id) {
                    self.refused = Some((event, PacketType::Puback, ack.reason));
                }
                !known
            }
            Packet::Pubrec(ack) => {
                if self.script_ids.contains(&ack.packet_id) {
                    return true;
                }
                if ack.reason.is_error() && self.exchanges.remove(&ack.packet_id).is_some() {
                    if self.step_exchanges.contains(&ack.packet_id) {
                        self.refused = Some((event, PacketType::Pubrec, ack.reason));
                    }
                    return false;
                }
                match self.exchanges.get_mut(&ack.packet_id) {
                    Some(due) => {
                        *due = PacketType::Pubcomp;
                        false
                    }
                    None => true,
                }
            }
            Packet::Pubcomp(ack) => {
                if self.script_ids.contains(&ack.packet_id) {
                    return true;
                }
                self.exchanges.remove(&ack.packet_id).is_none()
            }
            Packet::Pubrel(ack) => {
                let known = self.held.remove(&ack.packet_id) | self.held_before.remove(&ack.packet_id);
                self.script_received || !known
            }
            Packet::Publish(publish) => {
                // Behind the header and the length of the Topic Name (section 3.3.2.1).
                let named =
                    Range { start: bytes.start + header_len(bytes.len) + 2, len: publish.topic.len() as u32 };
                let topic = match publish.properties.number(PropertyId::TopicAlias) {
                    Some(alias) if publish.topic.is_empty() => {
                        self.aliases.get(&alias).copied().unwrap_or(named)
                    }
                    Some(alias) => {
                        self.aliases.insert(alias, named);
                        named
                    }
                    None => named,
                };
                // A QoS 2 message that the client still holds is not a new one.
                let fresh = match (publish.qos, publish.packet_id) {
                    (QoS::ExactlyOnce, Some(id)) => {
                        let again = self.held_before.remove(&id) && publish.dup;
                        self.held.insert(id) && !again
                    }
                    _ => true,
                };
                if self.asked_for_nothing {
                    return false;
                }
                if fresh {
                    let length = publish.payload.len() as u32;
                    let payload = Range { start: bytes.start + bytes.len - length, len: length };
                    self.deliveries.push(Delivery { event, at, topic, payload, qos: publish.qos });
                }
                true
            }
            Packet::Pingresp => {
                if self.pings_by_client > 0 {
                    self.pings_by_client -= 1;
                    self.pong = true;
                    return false;
                }
                true
            }
            _ => true,
        }
    }

    fn answered(&mut self, id: u16, reasons: &[ReasonCode], event: u32) -> bool {
        if self.script_ids.contains(&id) {
            return true;
        }
        match self.requests.remove(&id) {
            Some(requested) => {
                self.answer = Some(Answer { event, reasons: reasons.to_vec(), requested });
                false
            }
            None => true,
        }
    }
}

/// The length of the fixed header of a packet of this length (section 2.1.4: Remaining Length takes as few bytes as
/// it needs).
const fn header_len(packet: u32) -> u32 {
    match packet {
        0..130 => 2,
        130..16_387 => 3,
        16_387..2_097_156 => 4,
        _ => 5,
    }
}

/// The packet that a client received, with a Topic Alias replaced by its topic.
pub(super) fn resolved<'h>(
    inbound: &Inbound,
    version: ProtocolVersion,
    view: &ClientView,
    history: &'h History,
) -> Option<Packet<'h>> {
    let bytes = history.bytes(inbound.bytes);
    // The form of a CONNACK for a version that nobody speaks is not defined.
    let mut packet = whole_packet(bytes, version).or_else(|| {
        let other =
            if version == ProtocolVersion::V5 { ProtocolVersion::V3_1_1 } else { ProtocolVersion::V5 };
        match whole_packet(bytes, other)? {
            Packet::Connack(mut connack) => {
                // Return code 1 says in the old form what 0x84 says in the new one.
                if connack.reason == ReasonCode::V3_UNACCEPTABLE_PROTOCOL_VERSION {
                    connack.reason = ReasonCode::UNSUPPORTED_PROTOCOL_VERSION;
                }
                Some(Packet::Connack(connack))
            }
            _ => None,
        }
    })?;
    if let Packet::Publish(publish) = &mut packet
        && publish.topic.is_empty()
        && let Some(delivery) = view.deliveries.iter().find(|delivery| delivery.event == inbound.event)
    {
        publish.topic = String::from_utf8_lossy(history.bytes(delivery.topic));
    }
    Some(packet)
}

/// Updates the views of all clients with one fact.
pub(super) fn observe(
    clients: &mut [ClientView],
    sequence: u32,
    event: &Event,
    history: &History,
    packet: Option<(ProtocolVersion, &Packet<'_>)>,
) {
    match event.fact {
        Fact::Opening { client, link } => {
            let view = &mut clients[client as usize];
            view.link = Some(link);
            view.open = false;
            view.closed = None;
            view.connack = None;
            view.connect_by_script = false;
            view.connect_sent = false;
            view.inbox.clear();
            view.aliases.clear();
            view.requests.clear();
            view.pings_by_client = 0;
        }
        Fact::Opened(link) => {
            if let Some(view) = on(clients, link) {
                view.open = true;
            }
        }
        Fact::Closed { link, by, how } => {
            if let Some(view) = on(clients, link) {
                view.open = false;
                view.closed = Some(End { event: sequence, at: event.at, by, how, before_step: false });
            }
        }
        Fact::Sent { link, bytes, by_script } => {
            let Some(at) = clients.iter().position(|view| view.link == Some(link)) else { return };
            let raw = history.bytes(bytes);
            let packet = whole_packet(raw, clients[at].version);
            if let Some(Packet::Connect(connect)) = &packet {
                let id = Some(&*connect.client_id);
                clients[at].is_known = clients.iter().any(|view| view.client_id.as_deref() == id);
            }
            let view = &mut clients[at];
            // A CONNECT that is wrong on purpose begins a connection all the same.
            if packet_type(raw) == Some(PacketType::Connect) {
                view.connect_by_script = by_script;
                view.connect_sent = true;
            }
            match packet {
                Some(packet) => view.sent(&packet, by_script),
                None => view.asked_for_nothing = false,
            }
        }
        Fact::Swallowed { link, bytes, from_broker: false } => {
            // It never left, but the exchange has begun all the same.
            if let Some(view) = on(clients, link)
                && let Some(packet) = whole_packet(history.bytes(bytes), view.version)
            {
                view.sent(&packet, false);
            }
        }
        Fact::Received { link, bytes } => {
            if let Some(view) = on(clients, link) {
                let raw = history.bytes(bytes);
                let keep = match packet {
                    Some((version, packet)) if version == view.version => {
                        view.received(packet, bytes, sequence, event.at)
                    }
                    _ => match whole_packet(raw, view.version) {
                        Some(packet) => view.received(&packet, bytes, sequence, event.at),
                        None => {
                            view.unreadable = true;
                            true
                        }
                    },
                };
                if keep {
                    view.inbox.push(Inbound { event: sequence, at: event.at, bytes, kind: packet_type(raw) });
                }
            }
        }
        _ => {}
    }
}

fn on(clients: &mut [ClientView], link: Link) -> Option<&mut ClientView> {
    clients.iter_mut().find(|view| view.link == Some(link))
}
