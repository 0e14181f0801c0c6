//! Packets → bytes → outputs, within the client's Maximum Packet Size.

use super::config::Diagnostics;
use super::seam::{Fate, Sending};
use super::{Broker, ConnectionId, Output};
use crate::codec::{
    Packet, PacketType, Properties, PropertyId, PropertyValue, ProtocolVersion, ReasonCode, encode,
};

impl Broker {
    /// Sends a packet that answers one of the client.
    pub(super) fn answer(&mut self, id: ConnectionId, packet: Packet<'_>) {
        self.send(id, packet, Sending::Answer);
    }

    /// Sends a packet. If it is larger than the client allows, it goes without Reason String and User
    /// Properties; if that is not enough, or it is a PUBLISH, it does not go, and the answer is false.
    pub(super) fn send(&mut self, id: ConnectionId, mut packet: Packet<'_>, sending: Sending) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        let version = connection.version;
        let limit = connection.packet_limit as usize;
        if self.seam.sending_breaks_silence(false) {
            connection.last_packet = self.now;
        }
        let fate = self.seam.outgoing(&mut packet, id, sending);
        if fate == Fate::Never {
            return true;
        }
        let limit = self.seam.size_limit(limit, &packet);
        let kind = packet.packet_type();
        let mut bytes = Vec::new();
        if encode(&packet, version, &mut bytes).is_err() {
            return false;
        }
        if bytes.len() > limit {
            if kind == PacketType::Publish || !strip(&mut packet) {
                return false;
            }
            bytes.clear();
            if encode(&packet, version, &mut bytes).is_err() || bytes.len() > limit {
                return false;
            }
        }
        self.seam.encoded(&mut bytes, kind, version);
        if fate == Fate::Twice {
            self.outputs.push_back(Output::Send { connection: id, bytes: bytes.clone() });
        }
        self.outputs.push_back(Output::Send { connection: id, bytes });
        true
    }

    /// The Reason String and User Property that the configuration adds to a packet (5.0).
    pub(super) fn diagnostics(
        &self,
        id: ConnectionId,
        kind: PacketType,
        reason: ReasonCode,
        text: &str,
    ) -> Properties<'static> {
        let mut properties = Properties::new();
        self.append_diagnostics(&mut properties, id, kind, reason, text);
        properties
    }

    /// The same, appended to what there is. With Request Problem Information 0 only CONNACK and DISCONNECT
    /// may have them (MQTT-3.1.2-29).
    pub(super) fn append_diagnostics(
        &self,
        properties: &mut Properties<'_>,
        id: ConnectionId,
        kind: PacketType,
        reason: ReasonCode,
        text: &str,
    ) {
        let wanted = match self.config.diagnostics {
            Diagnostics::None => false,
            Diagnostics::Errors => reason.is_error(),
            Diagnostics::All => true,
        };
        if !wanted {
            return;
        }
        let Some(connection) = self.connections.get(&id) else { return };
        let allowed =
            connection.wants_diagnostics || matches!(kind, PacketType::Connack | PacketType::Disconnect);
        if connection.version != ProtocolVersion::V5 || !allowed {
            return;
        }
        let words = self.config.explanation.as_deref();
        properties.push(PropertyId::ReasonString, PropertyValue::Text(words.unwrap_or(text)));
        if self.config.diagnostics == Diagnostics::All {
            let value = words.unwrap_or("reference");
            properties.push(PropertyId::UserProperty, PropertyValue::Pair("broker", value));
        }
    }
}

/// Takes Reason String and User Properties from a packet. Answers whether there were any.
fn strip(packet: &mut Packet<'_>) -> bool {
    let Some(properties) = explained(packet) else { return false };
    let before = properties.as_bytes().len();
    *properties = properties
        .filtered(|property| !matches!(property.id, PropertyId::ReasonString | PropertyId::UserProperty));
    properties.as_bytes().len() < before
}

/// The properties of a packet that may have a Reason String.
pub(super) fn explained<'p, 'a>(packet: &'p mut Packet<'a>) -> Option<&'p mut Properties<'a>> {
    Some(match packet {
        Packet::Connack(connack) => &mut connack.properties,
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            &mut ack.properties
        }
        Packet::Suback(suback) => &mut suback.properties,
        Packet::Unsuback(unsuback) => &mut unsuback.properties,
        Packet::Disconnect(disconnect) => &mut disconnect.properties,
        Packet::Auth(auth) => &mut auth.properties,
        _ => return None,
    })
}
