//! Malformed packets, put right instead of refused.

use super::Kind;
use crate::codec::{DecodeError, Frame, PacketType, ProtocolVersion, Rule};

/// The packet without its error: its first byte, and what follows the fixed header.
pub(super) fn repairs(
    kind: Kind,
    frame: Frame<'_>,
    error: DecodeError,
    _version: ProtocolVersion,
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
        _ => return None,
    }
    Some((first, body))
}
