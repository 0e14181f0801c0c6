//! Bytes → packets: total, strict, borrowing.

use std::borrow::Cow;

use super::error::{DecodeError, Rule};
use super::frame::{Frame, FrameError, Header, next_frame};
use super::packet::{
    Ack, Auth, Connack, Connect, Disconnect, Packet, PacketType, ProtocolVersion, Publish, QoS,
    RetainHandling, Suback, Subscribe, Subscription, SubscriptionOptions, Unsuback, Unsubscribe, Will,
};
use super::property::{Place, Properties, PropertyId};
use super::reason::ReasonCode;
use super::wire::Reader;

/// Decodes the first packet in `bytes`; `Ok(None)` means that it is not complete yet.
///
/// The number is how many bytes of `bytes` the packet takes. CONNECT names its own version; `version`
/// is that of the connection and rules every other packet.
///
/// # Errors
/// The rule that the packet breaks, and where.
#[inline]
pub fn decode(bytes: &[u8], version: ProtocolVersion) -> Result<Option<(Packet<'_>, usize)>, DecodeError> {
    match next_frame(bytes, None) {
        Ok(None) => Ok(None),
        Ok(Some(frame)) => Ok(Some((decode_frame(frame, version)?, frame.len()))),
        Err(FrameError::RemainingLengthTooLong) => Err(Rule::RemainingLengthTooLong.at(1)),
        Err(FrameError::RemainingLengthNotMinimal) => Err(Rule::RemainingLengthNotMinimal.at(1)),
        Err(FrameError::TooLarge(_)) => Err(Rule::PacketTooLarge.at(1)),
    }
}

/// Decodes one whole packet.
///
/// # Errors
/// The rule that the packet breaks, and where.
// PUBLISH is what there is most of: it is decoded in place, without moving the packet about.
#[inline(always)]
pub fn decode_frame(frame: Frame<'_>, version: ProtocolVersion) -> Result<Packet<'_>, DecodeError> {
    if frame.header.first >> 4 == PacketType::Publish as u8 {
        let mut reader = Reader::new(frame.body, frame.header.len);
        return match publish(frame.header.first, &mut reader, version) {
            Ok(publish) => Ok(Packet::Publish(publish)),
            Err(error) => Err(error),
        };
    }
    decode_other(frame, version)
}

/// Every packet but PUBLISH.
#[inline(never)]
fn decode_other(frame: Frame<'_>, version: ProtocolVersion) -> Result<Packet<'_>, DecodeError> {
    let Header { first, len, .. } = frame.header;
    let mut reader = Reader::new(frame.body, len);
    let kind = PacketType::from_number(first >> 4).ok_or(Rule::ReservedPacketType.at(0))?;
    check_flags(kind, first & 0x0F, version)?;
    let packet = match kind {
        PacketType::Connect => Packet::Connect(Box::new(connect(&mut reader)?)),
        PacketType::Connack => Packet::Connack(connack(&mut reader, version)?),
        PacketType::Publish => return publish(first, &mut reader, version).map(Packet::Publish),
        PacketType::Puback => Packet::Puback(ack(&mut reader, kind, version)?),
        PacketType::Pubrec => Packet::Pubrec(ack(&mut reader, kind, version)?),
        PacketType::Pubrel => Packet::Pubrel(ack(&mut reader, kind, version)?),
        PacketType::Pubcomp => Packet::Pubcomp(ack(&mut reader, kind, version)?),
        PacketType::Subscribe => Packet::Subscribe(subscribe(&mut reader, version)?),
        PacketType::Suback => Packet::Suback(suback(&mut reader, version)?),
        PacketType::Unsubscribe => Packet::Unsubscribe(unsubscribe(&mut reader, version)?),
        PacketType::Unsuback => Packet::Unsuback(unsuback(&mut reader, version)?),
        PacketType::Pingreq => Packet::Pingreq,
        PacketType::Pingresp => Packet::Pingresp,
        PacketType::Disconnect => Packet::Disconnect(disconnect(&mut reader, version)?),
        PacketType::Auth => Packet::Auth(auth(&mut reader, version)?),
    };
    if !reader.is_empty() {
        return Err(Rule::SurplusBytes.at(reader.at()));
    }
    Ok(packet)
}

/// The flag bits of every packet but PUBLISH (table 2-2). 3.1 lets a sender mark the packets that it
/// repeats with DUP, and gives SUBSCRIBE, UNSUBSCRIBE and PUBREL QoS 1.
fn check_flags(kind: PacketType, flags: u8, version: ProtocolVersion) -> Result<(), DecodeError> {
    let expected = match kind {
        PacketType::Pubrel | PacketType::Subscribe | PacketType::Unsubscribe => 0b0010,
        _ => 0,
    };
    let dup_allowed = version == ProtocolVersion::V3_1 && expected != 0;
    if flags == expected || (dup_allowed && flags == expected | 0b1000) {
        Ok(())
    } else {
        Err(Rule::ReservedFlags(kind).at(0))
    }
}

#[inline(always)]
fn properties<'a>(
    reader: &mut Reader<'a>,
    place: Place,
    version: ProtocolVersion,
) -> Result<Properties<'a>, DecodeError> {
    // Most packets have none: a Property Length of 0.
    if version != ProtocolVersion::V5 || reader.skip_zero() {
        return Ok(Properties::new());
    }
    Properties::read(reader, place)
}

fn connect<'a>(reader: &mut Reader<'a>) -> Result<Connect<'a>, DecodeError> {
    let name_at = reader.at();
    let name = reader.string()?;
    let level_at = reader.at();
    let level = reader.u8()?;
    let version = match (name, level) {
        ("MQTT", 4) => ProtocolVersion::V3_1_1,
        ("MQTT", 5) => ProtocolVersion::V5,
        ("MQIsdp", 3) => ProtocolVersion::V3_1,
        ("MQTT" | "MQIsdp", _) => return Err(Rule::ProtocolLevel(level).at(level_at)),
        _ => return Err(Rule::ProtocolName.at(name_at)),
    };
    let flags_at = reader.at();
    let flags = reader.u8()?;
    if flags & 1 != 0 {
        return Err(Rule::ReservedConnectFlag.at(flags_at));
    }
    let clean_start = flags & 0x02 != 0;
    let will_flag = flags & 0x04 != 0;
    let will_qos = flags >> 3 & 0x03;
    let will_retain = flags & 0x20 != 0;
    let password_flag = flags & 0x40 != 0;
    let user_name_flag = flags & 0x80 != 0;
    let will_qos = QoS::from_number(will_qos).ok_or(Rule::WillQosThree.at(flags_at))?;
    if !will_flag && (will_retain || will_qos != QoS::AtMostOnce) {
        return Err(Rule::WillFlagsWithoutWill.at(flags_at));
    }
    if version != ProtocolVersion::V5 && password_flag && !user_name_flag {
        return Err(Rule::PasswordWithoutUserName.at(flags_at));
    }
    let keep_alive = reader.u16()?;
    let properties_at = reader.at();
    let properties = properties(reader, Place::Packet(PacketType::Connect), version)?;
    if !properties.is_empty()
        && properties.get(PropertyId::AuthenticationData).is_some()
        && properties.get(PropertyId::AuthenticationMethod).is_none()
    {
        return Err(Rule::AuthenticationDataWithoutMethod.at(properties_at));
    }
    let client_id_at = reader.at();
    let client_id = reader.string()?;
    let will = if will_flag {
        let properties = self::properties(reader, Place::Will, version)?;
        let topic = Cow::Borrowed(reader.string()?);
        let payload = Cow::Borrowed(reader.binary()?);
        Some(Will { qos: will_qos, retain: will_retain, properties, topic, payload })
    } else {
        None
    };
    let user_name = if user_name_flag { Some(Cow::Borrowed(reader.string()?)) } else { None };
    let password = if password_flag { Some(Cow::Borrowed(reader.binary()?)) } else { None };
    // A server has to answer this one with return code 2, so it is the last thing found.
    if version != ProtocolVersion::V5 && client_id.is_empty() && !clean_start && reader.is_empty() {
        return Err(Rule::EmptyClientIdWithoutCleanSession.at(client_id_at));
    }
    Ok(Connect {
        version,
        clean_start,
        keep_alive,
        properties,
        client_id: Cow::Borrowed(client_id),
        will,
        user_name,
        password,
    })
}

fn connack<'a>(reader: &mut Reader<'a>, version: ProtocolVersion) -> Result<Connack<'a>, DecodeError> {
    let flags_at = reader.at();
    let flags = reader.u8()?;
    // 3.1 calls the whole byte reserved and gives it no value.
    if flags & 0xFE != 0 && version != ProtocolVersion::V3_1 {
        return Err(Rule::ReservedConnackFlags.at(flags_at));
    }
    let reason = reason(reader, PacketType::Connack, version)?;
    let properties = properties(reader, Place::Packet(PacketType::Connack), version)?;
    Ok(Connack { session_present: flags & 1 != 0 && version != ProtocolVersion::V3_1, reason, properties })
}

fn reason(
    reader: &mut Reader<'_>,
    kind: PacketType,
    version: ProtocolVersion,
) -> Result<ReasonCode, DecodeError> {
    let at = reader.at();
    let code = ReasonCode(reader.u8()?);
    if code.allowed_in(kind, version) { Ok(code) } else { Err(Rule::UnknownReasonCode(kind, code.0).at(at)) }
}

#[inline(always)]
fn publish<'a>(
    first: u8,
    reader: &mut Reader<'a>,
    version: ProtocolVersion,
) -> Result<Publish<'a>, DecodeError> {
    let dup = first & 0b1000 != 0;
    let qos = QoS::from_number(first >> 1 & 0b11).ok_or(Rule::PublishQosThree.at(0))?;
    if dup && qos == QoS::AtMostOnce {
        return Err(Rule::DupWithQosZero.at(0));
    }
    let topic_at = reader.at();
    let topic = reader.string()?;
    let packet_id = if qos == QoS::AtMostOnce { None } else { Some(reader.packet_id()?) };
    let properties = properties(reader, Place::Packet(PacketType::Publish), version)?;
    if topic.is_empty() && properties.get(PropertyId::TopicAlias).is_none() {
        return Err(Rule::EmptyTopicWithoutAlias.at(topic_at));
    }
    Ok(Publish {
        dup,
        qos,
        retain: first & 1 != 0,
        topic: Cow::Borrowed(topic),
        packet_id,
        properties,
        payload: Cow::Borrowed(reader.rest()),
    })
}

fn ack<'a>(
    reader: &mut Reader<'a>,
    kind: PacketType,
    version: ProtocolVersion,
) -> Result<Ack<'a>, DecodeError> {
    let packet_id = reader.packet_id()?;
    let (reason, properties) = short_form(reader, kind, version, ReasonCode::SUCCESS)?;
    Ok(Ack { packet_id, reason, properties })
}

/// Reason Code and properties of a packet that may end before either of them (U5-79).
fn short_form<'a>(
    reader: &mut Reader<'a>,
    kind: PacketType,
    version: ProtocolVersion,
    default: ReasonCode,
) -> Result<(ReasonCode, Properties<'a>), DecodeError> {
    if version != ProtocolVersion::V5 || reader.is_empty() {
        return Ok((default, Properties::new()));
    }
    let code = reason(reader, kind, version)?;
    if reader.is_empty() {
        return Ok((code, Properties::new()));
    }
    Ok((code, Properties::read(reader, Place::Packet(kind))?))
}

fn subscribe<'a>(reader: &mut Reader<'a>, version: ProtocolVersion) -> Result<Subscribe<'a>, DecodeError> {
    let packet_id = reader.packet_id()?;
    let properties = properties(reader, Place::Packet(PacketType::Subscribe), version)?;
    if reader.is_empty() {
        return Err(Rule::NoTopicFilter.at(reader.at()));
    }
    let mut subscriptions = Vec::new();
    while !reader.is_empty() {
        let filter = Cow::Borrowed(reader.string()?);
        let at = reader.at();
        let byte = reader.u8()?;
        let reserved = if version == ProtocolVersion::V5 { 0b1100_0000 } else { 0b1111_1100 };
        if byte & reserved != 0 {
            return Err(Rule::ReservedSubscriptionOptions.at(at));
        }
        let options = SubscriptionOptions {
            qos: QoS::from_number(byte & 0b11).ok_or(Rule::SubscriptionQosThree.at(at))?,
            no_local: byte & 0b100 != 0,
            retain_as_published: byte & 0b1000 != 0,
            retain_handling: RetainHandling::from_number(byte >> 4 & 0b11)
                .ok_or(Rule::RetainHandlingThree.at(at))?,
        };
        subscriptions.push(Subscription { filter, options });
    }
    Ok(Subscribe { packet_id, properties, subscriptions })
}

fn reasons(
    reader: &mut Reader<'_>,
    kind: PacketType,
    version: ProtocolVersion,
) -> Result<Vec<ReasonCode>, DecodeError> {
    if reader.is_empty() {
        return Err(Rule::NoReasonCode.at(reader.at()));
    }
    let mut reasons = Vec::new();
    while !reader.is_empty() {
        reasons.push(reason(reader, kind, version)?);
    }
    Ok(reasons)
}

fn suback<'a>(reader: &mut Reader<'a>, version: ProtocolVersion) -> Result<Suback<'a>, DecodeError> {
    let packet_id = reader.packet_id()?;
    let properties = properties(reader, Place::Packet(PacketType::Suback), version)?;
    let reasons = reasons(reader, PacketType::Suback, version)?;
    Ok(Suback { packet_id, properties, reasons })
}

fn unsubscribe<'a>(
    reader: &mut Reader<'a>,
    version: ProtocolVersion,
) -> Result<Unsubscribe<'a>, DecodeError> {
    let packet_id = reader.packet_id()?;
    let properties = properties(reader, Place::Packet(PacketType::Unsubscribe), version)?;
    if reader.is_empty() {
        return Err(Rule::NoTopicFilter.at(reader.at()));
    }
    let mut filters = Vec::new();
    while !reader.is_empty() {
        filters.push(Cow::Borrowed(reader.string()?));
    }
    Ok(Unsubscribe { packet_id, properties, filters })
}

fn unsuback<'a>(reader: &mut Reader<'a>, version: ProtocolVersion) -> Result<Unsuback<'a>, DecodeError> {
    let packet_id = reader.packet_id()?;
    let properties = properties(reader, Place::Packet(PacketType::Unsuback), version)?;
    let reasons = if version == ProtocolVersion::V5 {
        reasons(reader, PacketType::Unsuback, version)?
    } else {
        Vec::new()
    };
    Ok(Unsuback { packet_id, properties, reasons })
}

fn disconnect<'a>(reader: &mut Reader<'a>, version: ProtocolVersion) -> Result<Disconnect<'a>, DecodeError> {
    let (reason, properties) =
        short_form(reader, PacketType::Disconnect, version, ReasonCode::NORMAL_DISCONNECTION)?;
    Ok(Disconnect { reason, properties })
}

fn auth<'a>(reader: &mut Reader<'a>, version: ProtocolVersion) -> Result<Auth<'a>, DecodeError> {
    if version != ProtocolVersion::V5 {
        return Err(Rule::AuthInOldVersion.at(0));
    }
    let at = reader.at();
    let (reason, properties) = short_form(reader, PacketType::Auth, version, ReasonCode::SUCCESS)?;
    if properties.get(PropertyId::AuthenticationMethod).is_none() {
        return Err(Rule::MissingAuthenticationMethod.at(at));
    }
    Ok(Auth { reason, properties })
}
