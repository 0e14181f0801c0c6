//! One connection, watched from outside: what it owes, what is in flight, what may come next.
//!
//! Every packet of the client and every packet of the broker passes here, one at a time; what breaks a rule of the
//! exchange panics with the rule.

use std::collections::{BTreeMap, BTreeSet};

use reference_broker::codec::{
    Packet, PacketType, PropertyId, ProtocolVersion, Publish, QoS, ReasonCode, decode,
};

use crate::rules::{self, Judgement};

/// A connection as a bystander sees it.
#[derive(Debug)]
pub struct Watch {
    /// The version of its CONNECT.
    pub version: ProtocolVersion,
    /// The Client Identifier, or the one that was assigned.
    pub client_id: String,
    connect_sent: bool,
    accepted: Option<bool>,
    session_present: bool,
    authenticating: bool,
    window: usize,
    packet_limit: usize,
    alias_limit: u32,
    aliases: BTreeMap<u32, String>,
    /// Identifiers of PUBLISH from the broker that are not settled, with their QoS.
    pub in_flight: BTreeMap<u16, QoS>,
    /// Identifiers for which PUBREL came and PUBCOMP is due.
    pub releasing: BTreeSet<u16>,
    /// Answers that the broker owes, with the number of codes in them.
    owed: BTreeMap<(u8, u16), Vec<usize>>,
    pings: usize,
    /// It has ended; nothing may follow.
    pub ended: bool,
}

impl Watch {
    /// A connection that has just been opened.
    pub fn new(version: ProtocolVersion) -> Watch {
        Watch {
            version,
            client_id: String::new(),
            connect_sent: false,
            accepted: None,
            session_present: false,
            authenticating: false,
            window: usize::from(u16::MAX),
            packet_limit: usize::MAX,
            alias_limit: 0,
            aliases: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            releasing: BTreeSet::new(),
            owed: BTreeMap::new(),
            pings: 0,
            ended: false,
        }
    }

    /// Whether CONNACK has accepted the client.
    pub fn is_open(&self) -> bool {
        self.accepted == Some(true) && !self.ended
    }

    /// The client sends a packet.
    pub fn sends(&mut self, packet: &Packet<'_>) {
        let first = !std::mem::replace(&mut self.connect_sent, true);
        match packet {
            Packet::Connect(connect) if first => {
                let number = |id| connect.properties.number(id);
                self.client_id = connect.client_id.to_string();
                self.window = number(PropertyId::ReceiveMaximum).unwrap_or(65_535) as usize;
                self.packet_limit = number(PropertyId::MaximumPacketSize).unwrap_or(u32::MAX) as usize;
                self.alias_limit = number(PropertyId::TopicAliasMaximum).unwrap_or(0);
            }
            Packet::Publish(publish) => match (publish.qos, publish.packet_id) {
                (QoS::AtLeastOnce, Some(id)) => self.owe(PacketType::Puback, id, 0),
                (QoS::ExactlyOnce, Some(id)) => self.owe(PacketType::Pubrec, id, 0),
                _ => {}
            },
            Packet::Pubrel(ack) => self.owe(PacketType::Pubcomp, ack.packet_id, 0),
            Packet::Subscribe(it) => self.owe(PacketType::Suback, it.packet_id, it.subscriptions.len()),
            Packet::Unsubscribe(it) => {
                let codes = if self.version == ProtocolVersion::V5 { it.filters.len() } else { 0 };
                self.owe(PacketType::Unsuback, it.packet_id, codes);
            }
            Packet::Puback(ack) if self.in_flight.get(&ack.packet_id) == Some(&QoS::AtLeastOnce) => {
                self.in_flight.remove(&ack.packet_id);
            }
            // One for an unknown identifier has an answer as well.
            Packet::Pubrec(ack) if !ack.reason.is_error() => self.owe(PacketType::Pubrel, ack.packet_id, 0),
            Packet::Pubrec(ack)
                if self.in_flight.get(&ack.packet_id) == Some(&QoS::ExactlyOnce)
                    && !self.releasing.contains(&ack.packet_id) =>
            {
                self.in_flight.remove(&ack.packet_id);
            }
            Packet::Pubcomp(ack) if self.releasing.remove(&ack.packet_id) => {
                self.in_flight.remove(&ack.packet_id);
            }
            Packet::Pingreq => self.pings += 1,
            _ => {}
        }
    }

    fn owe(&mut self, kind: PacketType, id: u16, codes: usize) {
        self.owed.entry((kind as u8, id)).or_default().push(codes);
    }

    /// One debt less, if there is one: the number of codes that it has.
    fn paid(&mut self, kind: PacketType, id: u16) -> Option<usize> {
        let list = self.owed.get_mut(&(kind as u8, id))?;
        let codes = list.remove(0);
        if list.is_empty() {
            self.owed.remove(&(kind as u8, id));
        }
        Some(codes)
    }

    fn settle(&mut self, kind: PacketType, id: u16) -> usize {
        self.paid(kind, id).unwrap_or_else(|| panic!("{kind} {id} that nothing asked for: {self:?}"))
    }

    /// The broker sends a packet.
    pub fn receives(&mut self, bytes: &[u8]) -> Packet<'static> {
        assert!(!self.ended, "{bytes:02X?} after the end");
        assert!(
            bytes.len() <= self.packet_limit,
            "{} bytes for a limit of {}",
            bytes.len(),
            self.packet_limit
        );
        let version = self.version;
        let judgement = rules::judge(bytes, version);
        assert!(
            matches!(&judgement, Judgement::Packet { length, breaks } if *length == bytes.len() && breaks.is_empty()),
            "the broker sent {bytes:02X?}: {judgement:?}"
        );
        let (packet, _) = decode(bytes, version).expect("it keeps the rules").expect("it is whole");
        assert!(self.connect_sent, "{packet:?} before CONNECT");
        if self.accepted.is_none() {
            assert!(matches!(packet, Packet::Connack(_) | Packet::Auth(_)), "{packet:?} before CONNACK");
        }
        match &packet {
            Packet::Connack(connack) => {
                assert_eq!(self.accepted, None, "CONNACK twice");
                self.accepted = Some(connack.reason == ReasonCode::SUCCESS);
                self.session_present = connack.session_present;
                assert!(!connack.session_present || self.accepted == Some(true), "MQTT-3.2.2-6");
                if let Some(id) = connack.properties.text(PropertyId::AssignedClientIdentifier) {
                    assert!(self.client_id.is_empty());
                    self.client_id = id.to_owned();
                }
            }
            Packet::Auth(_) => self.authenticating = true,
            Packet::Publish(publish) => self.delivery(publish),
            Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubcomp(ack) => {
                self.settle(packet.packet_type(), ack.packet_id);
            }
            Packet::Pubrel(ack) => {
                let id = ack.packet_id;
                // Asked for, or the rest of an exchange that began on an earlier connection.
                let asked = self.paid(PacketType::Pubrel, id).is_some();
                // CONNACK of 3.1 does not say whether there was one.
                let resumed = self.session_present || version == ProtocolVersion::V3_1;
                assert!(
                    asked || resumed || self.releasing.contains(&id),
                    "PUBREL {id} that nothing asked for"
                );
                if !asked || self.in_flight.get(&id) == Some(&QoS::ExactlyOnce) {
                    self.releasing.insert(id);
                }
            }
            Packet::Suback(suback) => {
                assert_eq!(self.settle(PacketType::Suback, suback.packet_id), suback.reasons.len());
            }
            Packet::Unsuback(unsuback) => {
                assert_eq!(self.settle(PacketType::Unsuback, unsuback.packet_id), unsuback.reasons.len());
            }
            Packet::Pingresp => {
                self.pings = self.pings.checked_sub(1).expect("PINGRESP that nothing asked for");
            }
            Packet::Disconnect(disconnect) => {
                assert_eq!(version, ProtocolVersion::V5, "DISCONNECT from a server of {version}");
                assert!(disconnect.reason.allowed_from(PacketType::Disconnect, true), "MQTT-3.14.2-1");
            }
            _ => panic!("a server does not send {packet:?}"),
        }
        packet.into_owned()
    }

    fn delivery(&mut self, publish: &Publish<'_>) {
        if let Some(alias) = publish.properties.number(PropertyId::TopicAlias) {
            assert!(alias <= self.alias_limit, "MQTT-3.1.2-26: alias {alias}");
            if publish.topic.is_empty() {
                assert!(self.aliases.contains_key(&alias), "alias {alias} stands for nothing");
            } else {
                self.aliases.insert(alias, publish.topic.to_string());
            }
        }
        let Some(id) = publish.packet_id else { return };
        let known = self.in_flight.insert(id, publish.qos);
        // Only 3.1.1 may send again while the connection lasts.
        assert!(
            known.is_none() || (publish.dup && self.version != ProtocolVersion::V5),
            "MQTT-2.2.1-4: identifier {id} is in use"
        );
        assert!(!self.releasing.contains(&id), "identifier {id} is in use by PUBREL");
        assert!(self.in_flight.len() <= self.window, "MQTT-3.3.4-9: {} in flight", self.in_flight.len());
    }

    /// The topic of a delivery, its alias looked up.
    pub fn topic_of(&self, publish: &Publish<'_>) -> String {
        match publish.properties.number(PropertyId::TopicAlias) {
            Some(alias) if publish.topic.is_empty() => self.aliases[&alias].clone(),
            _ => publish.topic.to_string(),
        }
    }

    /// A call is over. What was asked has been answered, unless the connection has ended.
    pub fn call_over(&mut self) {
        if self.ended {
            return;
        }
        assert!(self.accepted != Some(false), "a client that was refused is still connected");
        assert!(
            !self.connect_sent || self.accepted.is_some() || self.authenticating,
            "CONNECT has no answer"
        );
        if self.accepted == Some(true) {
            // An answer that does not fit the client's Maximum Packet Size stays away.
            if self.packet_limit > 512 {
                let owed = self.owed.keys().find(|(kind, _)| *kind != PacketType::Pubrel as u8);
                assert_eq!(owed, None, "not answered");
                assert_eq!(self.pings, 0, "PINGREQ has no answer");
            }
            self.owed.clear();
            self.pings = 0;
        }
    }
}
