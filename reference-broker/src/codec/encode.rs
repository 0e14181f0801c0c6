//! Packets → bytes.
//!
//! The encoder writes what it is given. Only what no bytes can express is an error, so that a client may
//! break every other rule with it; that a broker does not is for its own code to see to.

use std::fmt;

use super::frame::MAX_REMAINING_LENGTH;
use super::packet::{Ack, Connect, Packet, PacketType, ProtocolVersion};
use super::property::Properties;
use super::reason::ReasonCode;
use super::wire::{put_binary, put_str, put_u16, put_variable, variable_len};

/// A packet that no bytes can express.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// A string or binary field is longer than 65,535 bytes.
    FieldTooLong,
    /// The packet is longer than a Remaining Length can say.
    PacketTooLong,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EncodeError::FieldTooLong => "a field is longer than 65,535 bytes",
            EncodeError::PacketTooLong => "the packet is longer than 268,435,455 bytes",
        })
    }
}

impl std::error::Error for EncodeError {}

/// The encoded packet, in a buffer of its own.
///
/// # Errors
/// See [`encode`].
pub fn encoded(packet: &Packet<'_>, version: ProtocolVersion) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    encode(packet, version, &mut out)?;
    Ok(out)
}

/// Appends `packet` to `out`, as `version` has it. CONNECT is written in its own version.
///
/// # Errors
/// [`EncodeError`] if a length field cannot hold its value; `out` is then as it was before.
#[inline]
pub fn encode(packet: &Packet<'_>, version: ProtocolVersion, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let length = match packet {
        Packet::Connect(connect) => body_len(packet, connect.version)?,
        _ => body_len(packet, version)?,
    };
    if length > MAX_REMAINING_LENGTH as usize {
        return Err(EncodeError::PacketTooLong);
    }
    out.reserve(length + 5);
    out.push(first_byte(packet));
    put_variable(out, length as u32);
    let body = out.len();
    match packet {
        Packet::Connect(connect) => put_body(packet, connect.version, out),
        _ => put_body(packet, version, out),
    }
    debug_assert_eq!(out.len() - body, length, "the length of {:?}", packet.packet_type());
    debug_assert!(out.len() > start);
    Ok(())
}

fn first_byte(packet: &Packet<'_>) -> u8 {
    let flags = match packet {
        Packet::Publish(publish) => {
            (publish.dup as u8) << 3 | publish.qos.number() << 1 | publish.retain as u8
        }
        Packet::Pubrel(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) => 0b0010,
        _ => 0,
    };
    (packet.packet_type() as u8) << 4 | flags
}

/// Length of a string or binary field with its length bytes.
fn field(bytes: usize) -> Result<usize, EncodeError> {
    if bytes > usize::from(u16::MAX) { Err(EncodeError::FieldTooLong) } else { Ok(bytes + 2) }
}

fn properties_len(properties: &Properties<'_>, version: ProtocolVersion) -> usize {
    if version != ProtocolVersion::V5 {
        return 0;
    }
    let length = properties.as_bytes().len();
    length + variable_len(length as u32)
}

fn short_form_len(reason: ReasonCode, properties: &Properties<'_>, version: ProtocolVersion) -> usize {
    if version != ProtocolVersion::V5 {
        0
    } else if !properties.is_empty() {
        1 + properties_len(properties, version)
    } else {
        usize::from(reason.0 != 0)
    }
}

#[inline]
fn body_len(packet: &Packet<'_>, version: ProtocolVersion) -> Result<usize, EncodeError> {
    Ok(match packet {
        Packet::Publish(publish) => {
            field(publish.topic.len())?
                + if publish.packet_id.is_some() { 2 } else { 0 }
                + properties_len(&publish.properties, version)
                + publish.payload.len()
        }
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            2 + short_form_len(ack.reason, &ack.properties, version)
        }
        Packet::Connect(connect) => connect_len(connect)?,
        Packet::Connack(connack) => 2 + properties_len(&connack.properties, version),
        Packet::Subscribe(subscribe) => {
            let mut length = 2 + properties_len(&subscribe.properties, version);
            for subscription in &subscribe.subscriptions {
                length += field(subscription.filter.len())? + 1;
            }
            length
        }
        Packet::Suback(suback) => 2 + properties_len(&suback.properties, version) + suback.reasons.len(),
        Packet::Unsubscribe(unsubscribe) => {
            let mut length = 2 + properties_len(&unsubscribe.properties, version);
            for filter in &unsubscribe.filters {
                length += field(filter.len())?;
            }
            length
        }
        Packet::Unsuback(unsuback) => {
            let reasons = if version == ProtocolVersion::V5 { unsuback.reasons.len() } else { 0 };
            2 + properties_len(&unsuback.properties, version) + reasons
        }
        Packet::Pingreq | Packet::Pingresp => 0,
        Packet::Disconnect(disconnect) => short_form_len(disconnect.reason, &disconnect.properties, version),
        Packet::Auth(auth) => short_form_len(auth.reason, &auth.properties, version),
    })
}

fn connect_len(connect: &Connect<'_>) -> Result<usize, EncodeError> {
    let version = connect.version;
    let mut length = version.protocol_name().len() + 2 + 4 + properties_len(&connect.properties, version);
    length += field(connect.client_id.len())?;
    if let Some(will) = &connect.will {
        length +=
            properties_len(&will.properties, version) + field(will.topic.len())? + field(will.payload.len())?;
    }
    if let Some(user_name) = &connect.user_name {
        length += field(user_name.len())?;
    }
    if let Some(password) = &connect.password {
        length += field(password.len())?;
    }
    Ok(length)
}

fn put_properties(properties: &Properties<'_>, version: ProtocolVersion, out: &mut Vec<u8>) {
    if version == ProtocolVersion::V5 {
        put_variable(out, properties.as_bytes().len() as u32);
        out.extend_from_slice(properties.as_bytes());
    }
}

fn put_short_form(
    reason: ReasonCode,
    properties: &Properties<'_>,
    version: ProtocolVersion,
    out: &mut Vec<u8>,
) {
    if version != ProtocolVersion::V5 {
        return;
    }
    if !properties.is_empty() {
        out.push(reason.0);
        put_properties(properties, version, out);
    } else if reason.0 != 0 {
        out.push(reason.0);
    }
}

#[inline]
fn put_body(packet: &Packet<'_>, version: ProtocolVersion, out: &mut Vec<u8>) {
    match packet {
        Packet::Publish(publish) => {
            put_str(out, &publish.topic);
            if let Some(packet_id) = publish.packet_id {
                put_u16(out, packet_id);
            }
            put_properties(&publish.properties, version, out);
            out.extend_from_slice(&publish.payload);
        }
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            put_ack(ack, version, out)
        }
        Packet::Connect(connect) => put_connect(connect, out),
        Packet::Connack(connack) => {
            out.push(u8::from(connack.session_present && version != ProtocolVersion::V3_1));
            out.push(connack.reason.0);
            put_properties(&connack.properties, version, out);
        }
        Packet::Subscribe(subscribe) => {
            put_u16(out, subscribe.packet_id);
            put_properties(&subscribe.properties, version, out);
            for subscription in &subscribe.subscriptions {
                put_str(out, &subscription.filter);
                out.push(subscription.options.byte());
            }
        }
        Packet::Suback(suback) => {
            put_u16(out, suback.packet_id);
            put_properties(&suback.properties, version, out);
            out.extend(suback.reasons.iter().map(|reason| reason.0));
        }
        Packet::Unsubscribe(unsubscribe) => {
            put_u16(out, unsubscribe.packet_id);
            put_properties(&unsubscribe.properties, version, out);
            for filter in &unsubscribe.filters {
                put_str(out, filter);
            }
        }
        Packet::Unsuback(unsuback) => {
            put_u16(out, unsuback.packet_id);
            put_properties(&unsuback.properties, version, out);
            if version == ProtocolVersion::V5 {
                out.extend(unsuback.reasons.iter().map(|reason| reason.0));
            }
        }
        Packet::Pingreq | Packet::Pingresp => {}
        Packet::Disconnect(disconnect) => {
            put_short_form(disconnect.reason, &disconnect.properties, version, out)
        }
        Packet::Auth(auth) => put_short_form(auth.reason, &auth.properties, version, out),
    }
}

fn put_ack(ack: &Ack<'_>, version: ProtocolVersion, out: &mut Vec<u8>) {
    put_u16(out, ack.packet_id);
    put_short_form(ack.reason, &ack.properties, version, out);
}

fn put_connect(connect: &Connect<'_>, out: &mut Vec<u8>) {
    let version = connect.version;
    put_str(out, version.protocol_name());
    out.push(version.level());
    let (will_flag, will_qos, will_retain) = match &connect.will {
        Some(will) => (1, will.qos.number(), will.retain as u8),
        None => (0, 0, 0),
    };
    out.push(
        (connect.user_name.is_some() as u8) << 7
            | (connect.password.is_some() as u8) << 6
            | will_retain << 5
            | will_qos << 3
            | will_flag << 2
            | (connect.clean_start as u8) << 1,
    );
    put_u16(out, connect.keep_alive);
    put_properties(&connect.properties, version, out);
    put_str(out, &connect.client_id);
    if let Some(will) = &connect.will {
        put_properties(&will.properties, version, out);
        put_str(out, &will.topic);
        put_binary(out, &will.payload);
    }
    if let Some(user_name) = &connect.user_name {
        put_str(out, user_name);
    }
    if let Some(password) = &connect.password {
        put_binary(out, password);
    }
}

/// A packet type and its first byte, for bytes that are put together by hand.
impl PacketType {
    /// The first byte of a packet of this type, with the flags that table 2-2 demands (0 for PUBLISH).
    pub const fn first_byte(self) -> u8 {
        let flags = match self {
            PacketType::Pubrel | PacketType::Subscribe | PacketType::Unsubscribe => 0b0010,
            _ => 0,
        };
        (self as u8) << 4 | flags
    }
}
