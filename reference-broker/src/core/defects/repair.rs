//! Malformed packets, put right instead of refused.

use super::{Kind, Memory};
use crate::codec::{DecodeError, Frame, Header, PacketType, ProtocolVersion, Rule, decode_frame};

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
        (Kind::UnknownReasonAccepted, Rule::UnknownReasonCode(..)) => *body.get_mut(at?)? = 0,
        _ => return None,
    }
    Some((first, body))
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
