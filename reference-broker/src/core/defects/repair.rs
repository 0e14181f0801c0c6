//! Malformed packets, put right instead of refused.

use super::{Kind, Memory};
use crate::codec::{
    DecodeError, Frame, Header, PacketType, Properties, PropertyId, PropertyType, ProtocolVersion, Rule,
    decode_frame,
};

/// So many bytes are made up at most.
const MADE_UP: usize = 400;

/// The packet without its error: its first byte, and what follows the fixed header.
pub(super) fn repairs(
    kind: Kind,
    memory: &Memory,
    frame: Frame<'_>,
    error: DecodeError,
    version: ProtocolVersion,
) -> Option<(u8, Vec<u8>)> {
    let first = frame.header.first;
    let mut body = frame.body.to_vec();
    let at = error.at.checked_sub(frame.header.len);
    match (kind, error.rule) {
        (Kind::ProtocolNameIgnored, Rule::ProtocolName) => {
            let length = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
            body.splice(..(length + 2).min(body.len()), *b"\0\x04MQTT");
        }
        (Kind::ProtocolLevelIgnored, Rule::ProtocolLevel(level)) => {
            *body.get_mut(at?)? = if level > 5 { 5 } else { 4 };
        }
        (Kind::ReservedConnectFlagIgnored, Rule::ReservedConnectFlag) => *body.get_mut(at?)? &= !1,
        (Kind::WillQosThreeAccepted, Rule::WillQosThree) => *body.get_mut(at?)? &= !0b1000,
        (Kind::WillFlagsAccepted, Rule::WillFlagsWithoutWill) => *body.get_mut(at?)? &= !0b11_1000,
        (Kind::EmptyClientIdAccepted, Rule::EmptyClientIdWithoutCleanSession) => {
            // The Client Identifier follows the Keep Alive, and that the flags.
            *body.get_mut(at?.checked_sub(3)?)? |= 0b10;
        }
        (Kind::ReservedFlagsIgnored, Rule::ReservedFlags(packet)) => {
            return Some((packet.first_byte(), body));
        }
        (Kind::QosThreeAccepted, Rule::PublishQosThree) => return Some((first & !0b10, body)),
        (Kind::IllFormedUtf8Accepted, Rule::IllFormedUtf8) => {
            for byte in body.get_mut(at?..)?.iter_mut().take_while(|byte| **byte >= 0x80) {
                *byte = b'?';
            }
        }
        (Kind::NullCharacterAccepted, Rule::NullCharacter) => *body.get_mut(at?)? = b' ',
        (Kind::IdentifierZeroAccepted, Rule::PacketIdentifierZero) => *body.get_mut(at? + 1)? = 1,
        (Kind::PropertyRangeIgnored, Rule::PropertyOutOfRange(id)) => {
            let width = match id.row().max {
                0..=0xFF => 1,
                0x100..=0xFFFF => 2,
                _ if id.row().min == 1 && id.row().max == 268_435_455 => 1,
                _ => 4,
            };
            let value = body.get_mut(at?..at? + width)?;
            value.fill(0);
            *value.last_mut()? = 1;
        }
        (Kind::UnknownReasonAccepted, Rule::UnknownReasonCode(packet, _)) => {
            *body.get_mut(at?)? = if packet == PacketType::Auth { 0x19 } else { 0 };
        }
        (Kind::MissingPropertyLengthAccepted, Rule::Truncated)
            if frame.packet_type() == Some(PacketType::Publish) && at? == body.len() =>
        {
            body.push(0);
        }
        (Kind::SubscriptionOptionsIgnored, Rule::ReservedSubscriptionOptions) => *body.get_mut(at?)? &= 0b11,
        (Kind::SubscribeQosThreeAccepted, Rule::SubscriptionQosThree) => *body.get_mut(at?)? &= !1,
        (Kind::SubscribeQosThreeAccepted, Rule::ReservedSubscriptionOptions) => return None,
        (Kind::RetainHandling3Accepted, Rule::RetainHandlingThree) => *body.get_mut(at?)? &= !0b1_0000,
        (Kind::NoFilterAccepted, Rule::NoTopicFilter) => {
            body.extend_from_slice(b"\0\x01x");
            if frame.packet_type() == Some(PacketType::Subscribe) {
                body.push(0);
            }
        }
        (Kind::TruncatedAccepted, Rule::Truncated | Rule::PropertiesTooLong) => {
            return filled(frame, version).map(|body| (first, body));
        }
        (Kind::EmptyTopicAccepted, Rule::EmptyTopicWithoutAlias) => {
            body.splice(..2, *b"\0\x01x");
        }
        (Kind::DuplicatePropertyAccepted, Rule::DuplicateProperty(id))
        | (Kind::ForeignPropertySkipped, Rule::PropertyNotAllowed(id)) => {
            let block = Block::around(frame, at?)?;
            let end = at? + property_length(&body[at?..block.end], id)?;
            let rest = [&body[block.start..at?], &body[end..block.end]].concat();
            block.replace(&mut body, &rest);
        }
        // How long it is cannot be known, so that what follows is lost with it.
        (Kind::ForeignPropertySkipped, Rule::UnknownProperty(_)) => {
            let block = Block::around(frame, at?)?;
            let rest = body[block.start..at?].to_vec();
            block.replace(&mut body, &rest);
        }
        (Kind::DataWithoutMethodAccepted, Rule::AuthenticationDataWithoutMethod) => {
            let block = Block::around(frame, at? + 1)?;
            let properties = Properties::from_encoded(body[block.start..block.end].to_vec());
            let rest = properties.filtered(|property| property.id != PropertyId::AuthenticationData);
            block.replace(&mut body, rest.as_bytes());
        }
        (Kind::MalformedPublishForwarded, _) if frame.packet_type() == Some(PacketType::Publish) => {
            memory.topics.borrow_mut().insert(topic_of(&body));
            return None;
        }
        (Kind::MalformedConnectAccepted, _) if frame.packet_type() == Some(PacketType::Connect) => {
            return Some((PacketType::Connect.first_byte(), anonymous(version)));
        }
        (Kind::ConnectTailIgnored, Rule::SurplusBytes) => body.truncate(at?),
        (Kind::MissingBytesMadeUp, Rule::Truncated | Rule::PropertiesTooLong) => {
            // Letters for strings, and zeros for what stands behind them.
            for _ in 0..MADE_UP {
                for zeros in 0..3 {
                    let longer = [&body[..], &[0, 0][..zeros]].concat();
                    if reads(first, &longer, version) {
                        return Some((first, longer));
                    }
                }
                body.push(b'a');
            }
            return None;
        }
        (
            Kind::WrongPropertiesDropped,
            Rule::UnknownProperty(_) | Rule::PropertyNotAllowed(_) | Rule::DuplicateProperty(_),
        ) => return without_properties(first, &body, at?, version).map(|body| (first, body)),
        _ => return None,
    }
    Some((first, body))
}

/// How far a decoder reads beyond the end of a packet.
const BEYOND: usize = 600;

/// The packet as a decoder finds it that reads on behind its end, where some bytes of 1 stand.
fn filled(frame: Frame<'_>, version: ProtocolVersion) -> Option<Vec<u8>> {
    (1..=BEYOND).find_map(|more| {
        let mut body = frame.body.to_vec();
        body.resize(frame.body.len() + more, 1);
        let remaining = body.len() as u32;
        let longer = Frame { header: Header { remaining, ..frame.header }, body: &body };
        decode_frame(longer, version).is_ok().then_some(body)
    })
}

/// A block of properties within the body of a packet of 5.0: its length field, and what it holds.
struct Block {
    length: usize,
    start: usize,
    end: usize,
}

impl Block {
    /// The block in which this byte of the body stands.
    fn around(frame: Frame<'_>, at: usize) -> Option<Block> {
        let body = frame.body;
        let behind = |from: usize| {
            let bytes = body.get(from..from + 2)?;
            Some(from + 2 + usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
        };
        let first = match frame.packet_type()? {
            // The Protocol Name, its version, the flags, the Keep Alive.
            PacketType::Connect => behind(0)? + 4,
            PacketType::Publish if frame.header.first & 0b0110 == 0 => behind(0)?,
            PacketType::Publish => behind(0)? + 2,
            PacketType::Subscribe | PacketType::Unsubscribe => 2,
            PacketType::Disconnect | PacketType::Auth => 1,
            _ => 3,
        };
        let block = Block::at(body, first)?;
        if at < block.end.max(block.start + 1) {
            return Some(block);
        }
        // Behind the Client Identifier: the properties of the will.
        Block::at(body, behind(block.end)?)
    }

    fn at(body: &[u8], length: usize) -> Option<Block> {
        let mut start = length;
        let mut size = 0;
        loop {
            let byte = *body.get(start)?;
            size |= usize::from(byte & 0x7F) << (7 * (start - length));
            start += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let end = start + size;
        (end <= body.len()).then_some(Block { length, start, end })
    }

    fn replace(&self, body: &mut Vec<u8>, properties: &[u8]) {
        let mut field = Vec::new();
        let mut rest = properties.len();
        while rest > 0x7F {
            field.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        field.push(rest as u8);
        field.extend_from_slice(properties);
        body.splice(self.length..self.end, field);
    }
}

/// How many bytes a property takes that begins here.
fn property_length(bytes: &[u8], id: PropertyId) -> Option<usize> {
    let text = |from: usize| {
        let length = bytes.get(from..from + 2)?;
        Some(from + 2 + usize::from(u16::from_be_bytes([length[0], length[1]])))
    };
    let end = match id.row().kind {
        PropertyType::Byte => 2,
        PropertyType::TwoByteInteger => 3,
        PropertyType::FourByteInteger => 5,
        PropertyType::VariableByteInteger => {
            2 + bytes.iter().skip(1).take_while(|byte| **byte >= 0x80).count()
        }
        PropertyType::Utf8String | PropertyType::BinaryData => text(1)?,
        PropertyType::Utf8StringPair => text(text(1)?)?,
    };
    (end <= bytes.len()).then_some(end)
}

/// Whether this is a packet in order.
fn reads(first: u8, body: &[u8], version: ProtocolVersion) -> bool {
    let header = Header { first, remaining: body.len() as u32, len: 2 };
    decode_frame(Frame { header, body }, version).is_ok()
}

/// What can be taken for the Topic Name of a PUBLISH.
fn topic_of(body: &[u8]) -> String {
    let length = body.get(..2).map_or(0, |bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
    let bytes = body.get(2..).unwrap_or_default();
    String::from_utf8_lossy(&bytes[..length.min(bytes.len())]).replace('\0', " ")
}

/// The body of a CONNECT that every server accepts.
fn anonymous(version: ProtocolVersion) -> Vec<u8> {
    let mut body = b"\0\x04MQTT".to_vec();
    body.extend_from_slice(&[version.level(), 0b10, 0, 0]);
    if version == ProtocolVersion::V5 {
        body.push(0);
    }
    body.extend_from_slice(&[0, 0]);
    body
}

/// The body with an empty block in place of the properties around a place. Where they begin is found by trying.
fn without_properties(first: u8, body: &[u8], at: usize, version: ProtocolVersion) -> Option<Vec<u8>> {
    (0..at).rev().find_map(|start| {
        let length = usize::from(body[start]);
        let end = start + 1 + length;
        let rest = body.get(end..).filter(|_| length < 0x80 && end > at)?;
        let mut cut = body[..start].to_vec();
        cut.push(0);
        cut.extend_from_slice(rest);
        reads(first, &cut, version).then_some(cut)
    })
}
