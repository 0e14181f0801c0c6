//! Whole packets, changed on their way in or out.

use std::borrow::Cow;

use super::super::seam::{Fate, Sending};
use super::super::send::explained;
use super::{Kind, Memory};
use crate::codec::{
    Ack, Disconnect, Packet, PacketType, Properties, PropertyId, PropertyValue, ProtocolVersion, Publish,
    QoS, ReasonCode,
};

/// A packet from a client; false to ignore it.
pub(super) fn incoming(kind: Kind, memory: &Memory, packet: &mut Packet<'_>) -> bool {
    match (kind, packet) {
        (Kind::DupCopied, Packet::Publish(publish)) => memory.flag.set(publish.dup),
        (Kind::PropertiesInOrderOnly, Packet::Publish(publish)) => {
            let mut last = None;
            publish.properties = publish.properties.filtered(|property| {
                let ascends = last <= Some(property.id);
                last = last.max(Some(property.id));
                ascends
            });
        }
        (Kind::ExpirySecondLate, Packet::Publish(publish)) => {
            publish.properties = changed(&publish.properties, PropertyId::MessageExpiryInterval, |expiry| {
                expiry.saturating_add(1)
            });
        }
        (Kind::ExpirySixteenBits, Packet::Publish(publish)) => {
            publish.properties =
                changed(&publish.properties, PropertyId::MessageExpiryInterval, |expiry| expiry & 0xFFFF);
        }
        (Kind::AbsentExpiryIsAnHour, Packet::Connect(connect))
            if connect.version == ProtocolVersion::V5
                && connect.properties.get(PropertyId::SessionExpiryInterval).is_none() =>
        {
            connect.properties.push_number(PropertyId::SessionExpiryInterval, 3_600);
        }
        (Kind::VendorGreetingNeeded, Packet::Publish(publish)) if publish.topic == "$vendor/hello" => {
            memory.flag.set(true);
        }
        (Kind::VendorGreetingNeeded, Packet::Publish(_) | Packet::Subscribe(_)) => return memory.flag.get(),
        (Kind::DupPublishIgnored, Packet::Publish(publish)) => {
            return !(publish.dup && publish.qos == QoS::AtLeastOnce);
        }
        (Kind::FirstOptionsForAll, Packet::Subscribe(subscribe)) => {
            let Some(first) = subscribe.subscriptions.first().map(|it| it.options) else { return true };
            subscribe.subscriptions.iter_mut().for_each(|it| it.options = first);
        }
        (Kind::UnsubscribeFirstOnly, Packet::Unsubscribe(unsubscribe)) => unsubscribe.filters.truncate(1),
        (Kind::AliasSurvives, Packet::Publish(publish)) => {
            let Some(alias) = publish.properties.number(PropertyId::TopicAlias) else { return true };
            let mut aliases = memory.aliases.borrow_mut();
            if !publish.topic.is_empty() {
                aliases.insert(alias as u16, publish.topic.clone().into_owned());
            } else if let Some(topic) = aliases.get(&(alias as u16)) {
                publish.topic = Cow::Owned(topic.clone());
            }
        }
        (Kind::AliasCannotChange, Packet::Publish(publish)) => {
            let Some(alias) = publish.properties.number(PropertyId::TopicAlias) else { return true };
            let mut aliases = memory.aliases.borrow_mut();
            if !publish.topic.is_empty() {
                let first = aliases.entry(alias as u16).or_insert_with(|| publish.topic.clone().into_owned());
                publish.topic = Cow::Owned(first.clone());
            }
        }
        _ => {}
    }
    true
}

/// A packet to a client.
pub(super) fn outgoing(kind: Kind, memory: &Memory, packet: &mut Packet<'_>, sending: Sending) -> Fate {
    // Of the two properties the defect is about one.
    let other = match kind {
        Kind::ReasonStringTooLarge => Some(PropertyId::UserProperty),
        Kind::UserPropertyTooLarge => Some(PropertyId::ReasonString),
        _ => None,
    };
    if let (Some(other), Some(properties)) = (other, explained(packet)) {
        *properties = properties.filtered(|property| property.id != other);
    }
    match packet {
        Packet::Publish(publish) => return publish_out(kind, memory, publish, sending),
        Packet::Puback(ack) => {
            if kind == Kind::PubackMissing
                || (kind == Kind::DeniedNotAcknowledged && memory.flag.replace(false))
            {
                return Fate::Never;
            }
            change_identifier(kind == Kind::PubackWrongIdentifier, &mut ack.packet_id);
            if kind == Kind::NoMatchingSubscribersLie && ack.reason == ReasonCode::SUCCESS {
                ack.reason = ReasonCode::NO_MATCHING_SUBSCRIBERS;
            }
            replace(
                kind == Kind::PubackForeignCode,
                &mut ack.reason,
                ReasonCode::NO_MATCHING_SUBSCRIBERS,
                ReasonCode::NO_SUBSCRIPTION_EXISTED,
            );
            explain(kind, &mut ack.properties);
        }
        Packet::Pubrec(ack) => {
            if kind == Kind::PubrecMissing
                || (matches!(kind, Kind::RepeatedQos2NotAnswered | Kind::DeniedNotAcknowledged)
                    && memory.flag.replace(false))
            {
                return Fate::Never;
            }
            change_identifier(kind == Kind::PubrecWrongIdentifier, &mut ack.packet_id);
            replace(
                kind == Kind::PubrecForeignCode,
                &mut ack.reason,
                ReasonCode::NO_MATCHING_SUBSCRIBERS,
                ReasonCode::NO_SUBSCRIPTION_EXISTED,
            );
            explain(kind, &mut ack.properties);
            if kind == Kind::PubackForQos2 {
                *packet = Packet::Puback(Ack::success(ack.packet_id));
            }
        }
        Packet::Pubrel(ack) => {
            if kind == Kind::PubrelMissing && sending == Sending::Answer {
                return Fate::Never;
            }
            change_identifier(kind == Kind::PubrelWrongIdentifier, &mut ack.packet_id);
            replace(
                kind == Kind::PubrelForeignCode,
                &mut ack.reason,
                ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
                ReasonCode::PACKET_IDENTIFIER_IN_USE,
            );
        }
        Packet::Pubcomp(ack) => {
            if kind == Kind::PubcompMissing {
                return Fate::Never;
            }
            change_identifier(kind == Kind::PubcompWrongIdentifier, &mut ack.packet_id);
            replace(
                kind == Kind::PubcompForeignCode,
                &mut ack.reason,
                ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
                ReasonCode::PACKET_IDENTIFIER_IN_USE,
            );
            explain(kind, &mut ack.properties);
        }
        Packet::Suback(suback) => {
            change_identifier(kind == Kind::SubackWrongIdentifier, &mut suback.packet_id);
            match kind {
                Kind::SubackMissing => return Fate::Never,
                Kind::SubackReversed => suback.reasons.reverse(),
                Kind::SubackOneCode => suback.reasons.truncate(1),
                Kind::OneRefusalRefusesAll => {
                    if let Some(refusal) = suback.reasons.iter().copied().find(|code| code.is_error()) {
                        suback.reasons.fill(refusal);
                    }
                }
                Kind::SubackUnknownCode => {
                    suback.reasons.iter_mut().for_each(|reason| *reason = ReasonCode(0x7F))
                }
                _ => {}
            }
            explain(kind, &mut suback.properties);
        }
        Packet::Unsuback(unsuback) => {
            change_identifier(kind == Kind::UnsubackWrongIdentifier, &mut unsuback.packet_id);
            match kind {
                Kind::UnsubackMissing => return Fate::Never,
                Kind::UnsubackMissingForUnknown if memory.flag.replace(false) => return Fate::Never,
                Kind::UnsubackReversed => unsuback.reasons.reverse(),
                Kind::UnsubackForeignCode => unsuback.reasons.iter_mut().for_each(|reason| {
                    replace(
                        true,
                        reason,
                        ReasonCode::NO_SUBSCRIPTION_EXISTED,
                        ReasonCode::NO_MATCHING_SUBSCRIBERS,
                    );
                }),
                _ => {}
            }
            explain(kind, &mut unsuback.properties);
        }
        Packet::Connack(_) => return connack_out(kind, memory, packet),
        Packet::Pingresp if kind == Kind::PingrespMissing => return Fate::Never,
        Packet::Disconnect(disconnect) => match kind {
            Kind::TakeoverWrongReason if disconnect.reason == ReasonCode::SESSION_TAKEN_OVER => {
                disconnect.reason = ReasonCode::KEEP_ALIVE_TIMEOUT;
            }
            Kind::DisconnectTwice => return Fate::Twice,
            Kind::DisconnectWithExpiry => {
                disconnect.properties.push_number(PropertyId::SessionExpiryInterval, 1);
            }
            Kind::DisconnectClientReason => disconnect.reason = ReasonCode::DISCONNECT_WITH_WILL,
            _ => {}
        },
        Packet::Auth(auth) if kind == Kind::AuthWrongReason => auth.reason = ReasonCode::SUCCESS,
        Packet::Auth(auth)
            if kind == Kind::ReauthenticationNotAnswered && auth.reason == ReasonCode::SUCCESS =>
        {
            return Fate::Never;
        }
        Packet::Auth(auth) => replace(
            kind == Kind::AuthClientReason,
            &mut auth.reason,
            ReasonCode::CONTINUE_AUTHENTICATION,
            ReasonCode::RE_AUTHENTICATE,
        ),
        _ => {}
    }
    Fate::Once
}

fn change_identifier(changes: bool, packet_id: &mut u16) {
    if changes {
        *packet_id = packet_id.checked_add(1).unwrap_or(1);
    }
}

/// Puts `wrong` in the place of `right`, if the defect is active.
fn replace(active: bool, reason: &mut ReasonCode, right: ReasonCode, wrong: ReasonCode) {
    if active && *reason == right {
        *reason = wrong;
    }
}

fn explain(kind: Kind, properties: &mut Properties<'_>) {
    if kind == Kind::ProblemInformationIgnored && properties.get(PropertyId::ReasonString).is_none() {
        properties.push(PropertyId::ReasonString, PropertyValue::Text("because"));
    }
}

fn connack_out(kind: Kind, memory: &Memory, packet: &mut Packet<'_>) -> Fate {
    let Packet::Connack(connack) = packet else { return Fate::Once };
    let without = |properties: &Properties<'_>, id| properties.filtered(|property| property.id != id);
    match kind {
        Kind::ConnackMissing if connack.reason == ReasonCode::SUCCESS => return Fate::Never,
        Kind::ConnackTwice => return Fate::Twice,
        Kind::IdentifierRefusedSilently if connack.reason == ReasonCode::V3_IDENTIFIER_REJECTED => {
            return Fate::Never;
        }
        Kind::ConnackPropertyTwice if connack.properties.get(PropertyId::MaximumPacketSize).is_some() => {
            connack.properties.push_number(PropertyId::MaximumPacketSize, 1_000_000);
        }
        Kind::MaximumQosTwo
            if connack.properties.get(PropertyId::MaximumPacketSize).is_some()
                && connack.properties.get(PropertyId::MaximumQoS).is_none() =>
        {
            connack.properties.push_number(PropertyId::MaximumQoS, 2);
        }
        Kind::RefusalClaimsSession if connack.reason != ReasonCode::SUCCESS => connack.session_present = true,
        Kind::RefusedButServed if memory.flag.replace(false) => {
            connack.reason = ReasonCode::V3_NOT_AUTHORIZED;
            connack.session_present = false;
            if !connack.properties.is_empty() {
                connack.reason = ReasonCode::NOT_AUTHORIZED;
            }
        }
        Kind::ConnackForeignCode if connack.reason.is_error() => {
            connack.reason = ReasonCode::V3_NOT_AUTHORIZED;
        }
        // A refusal of 3.1.1 is below 0x80.
        Kind::DisconnectBeforeConnack if connack.reason.is_error() => {
            let reason = connack.reason;
            *packet = Packet::Disconnect(Disconnect { reason, properties: Properties::new() });
        }
        Kind::MaximumQosUnannounced => {
            connack.properties = without(&connack.properties, PropertyId::MaximumQoS);
        }
        Kind::AuthMethodUnasked
            if connack.reason == ReasonCode::SUCCESS
                && connack.properties.get(PropertyId::AuthenticationMethod).is_none() =>
        {
            connack.properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text("PLAIN"));
        }
        Kind::AssignedClientIdMissing => {
            connack.properties = without(&connack.properties, PropertyId::AssignedClientIdentifier);
        }
        Kind::ServerKeepAliveUnannounced => {
            connack.properties = without(&connack.properties, PropertyId::ServerKeepAlive);
        }
        Kind::SessionExpiryUnannounced => {
            connack.properties = without(&connack.properties, PropertyId::SessionExpiryInterval);
        }
        Kind::AuthMethodMissing => {
            connack.properties = without(&connack.properties, PropertyId::AuthenticationMethod);
        }
        Kind::ResponseInformationUnasked
            if connack.properties.get(PropertyId::ResponseInformation).is_none() =>
        {
            connack.properties.push(PropertyId::ResponseInformation, PropertyValue::Text("response/"));
        }
        _ => {}
    }
    Fate::Once
}

fn publish_out(kind: Kind, memory: &Memory, publish: &mut Publish<'_>, sending: Sending) -> Fate {
    let qos = publish.qos;
    let first = sending != Sending::Repetition;
    match kind {
        Kind::ResentWithNewIdentifier if !first => {
            publish.packet_id = publish.packet_id.map(|id| id.wrapping_add(1_000).max(1));
        }
        Kind::ResentWithoutDup => publish.dup = false,
        Kind::DupOnFirst if first && qos != QoS::AtMostOnce => publish.dup = true,
        Kind::DupOnQos0 if qos == QoS::AtMostOnce => publish.dup = true,
        Kind::DupCopied if first && qos != QoS::AtMostOnce => publish.dup = memory.flag.get(),
        Kind::Qos0DeliveredTwice if qos == QoS::AtMostOnce && first => return Fate::Twice,
        Kind::Qos1DeliveredTwice if qos == QoS::AtLeastOnce && first => return Fate::Twice,
        Kind::Qos2DeliveredTwice if qos == QoS::ExactlyOnce && first => return Fate::Twice,
        Kind::Qos0Lost if qos == QoS::AtMostOnce => return Fate::Never,
        Kind::OldIdentifierReturns => {
            let Some(id) = publish.properties.number(PropertyId::SubscriptionIdentifier) else {
                return Fate::Once;
            };
            match (first, memory.number.get()) {
                (true, 0) => memory.number.set(id),
                // The first repetition is right; every other one has the identifier of the beginning.
                (false, old) if memory.flag.replace(true) => {
                    publish.properties =
                        changed(&publish.properties, PropertyId::SubscriptionIdentifier, |_| old.max(1));
                }
                _ => {}
            }
        }
        Kind::PayloadMadeUtf8
            if publish.properties.number(PropertyId::PayloadFormatIndicator) == Some(1)
                && std::str::from_utf8(&publish.payload).is_err() =>
        {
            let text = String::from_utf8_lossy(&publish.payload).into_owned();
            publish.payload = Cow::Owned(text.into_bytes());
        }
        Kind::IdentifierZero => publish.packet_id = publish.packet_id.map(|_| 0),
        Kind::IdentifierConstant => publish.packet_id = publish.packet_id.map(|_| 1),
        Kind::IdentifierOnQos0 if qos == QoS::AtMostOnce => publish.packet_id = Some(1),
        Kind::TopicLowerCased => publish.topic = Cow::Owned(publish.topic.to_lowercase()),
        Kind::ByteOrderMarkStripped => publish.topic = Cow::Owned(publish.topic.replace('\u{FEFF}', "")),
        Kind::RetainedWithoutFlag if sending == Sending::Retained => publish.retain = false,
        Kind::RetainedQosZero if sending == Sending::Retained => {
            publish.qos = QoS::AtMostOnce;
            publish.packet_id = None;
        }
        Kind::PayloadCut => {
            let end = publish.payload.iter().position(|byte| *byte == 0).unwrap_or(publish.payload.len());
            publish.payload = Cow::Owned(publish.payload[..end].to_vec());
        }
        Kind::AliasForwarded if publish.properties.get(PropertyId::TopicAlias).is_none() => {
            publish.properties.push_number(PropertyId::TopicAlias, 1);
        }
        Kind::AliasFromZero => {
            if let Some(alias) = publish.properties.number(PropertyId::TopicAlias) {
                publish.properties =
                    publish.properties.filtered(|property| property.id != PropertyId::TopicAlias);
                publish.properties.push_number(PropertyId::TopicAlias, alias.saturating_sub(1));
            }
        }
        _ => properties_out(kind, &mut publish.properties),
    }
    Fate::Once
}

fn properties_out(kind: Kind, properties: &mut Properties<'_>) {
    if properties.is_empty() {
        return;
    }
    let dropped = match kind {
        Kind::ExpiryDropped => PropertyId::MessageExpiryInterval,
        Kind::UserPropertiesDropped => PropertyId::UserProperty,
        Kind::ResponseTopicDropped => PropertyId::ResponseTopic,
        Kind::CorrelationDataDropped => PropertyId::CorrelationData,
        Kind::ContentTypeDropped => PropertyId::ContentType,
        Kind::PayloadFormatDropped => PropertyId::PayloadFormatIndicator,
        Kind::UserPropertiesReversed => {
            *properties = user_properties_reversed(properties);
            return;
        }
        Kind::UserPropertiesMerged => {
            let mut names = Vec::new();
            *properties = properties.filtered(|property| match property.value {
                PropertyValue::Pair(name, _) if names.iter().any(|known| known == name) => false,
                PropertyValue::Pair(name, _) => {
                    names.push(name.to_owned());
                    true
                }
                _ => true,
            });
            return;
        }
        Kind::LongPropertiesDropped if properties.as_bytes().len() > 127 => {
            *properties = Properties::new();
            return;
        }
        _ => return,
    };
    *properties = properties.filtered(|property| property.id != dropped);
}

/// The same properties with another number in one of them; user properties go to the end.
fn changed(properties: &Properties<'_>, id: PropertyId, change: impl Fn(u32) -> u32) -> Properties<'static> {
    let mut out = properties.filtered(|property| property.id != id);
    if let Some(number) = properties.number(id) {
        out.push_number(id, change(number));
    }
    out
}

/// The same properties with the user properties in reverse order.
pub(super) fn user_properties_reversed(properties: &Properties<'_>) -> Properties<'static> {
    let mut reversed = properties.filtered(|property| property.id != PropertyId::UserProperty);
    let pairs: Vec<(&str, &str)> = properties.user_properties().collect();
    for (name, value) in pairs.into_iter().rev() {
        reversed.push(PropertyId::UserProperty, PropertyValue::Pair(name, value));
    }
    reversed
}

/// The bytes of a packet to a client.
pub(super) fn encoded(kind: Kind, bytes: &mut Vec<u8>, packet: PacketType, version: ProtocolVersion) {
    let v5 = version == ProtocolVersion::V5;
    let short = bytes.len() > 5 && bytes[1] < 0x7F && bytes[4] < 0x80;
    match (kind, packet) {
        (Kind::ConnackReservedBits, PacketType::Connack) => {
            // The flags follow the fixed header, which has two bytes in every CONNACK of ours.
            if let Some(flags) = bytes.get_mut(2) {
                *flags |= 0x80;
            }
        }
        (Kind::PubrelFlagsZero, PacketType::Pubrel) => {
            if let Some(first) = bytes.first_mut() {
                *first &= 0xF0;
            }
        }
        (Kind::IdentifierBeforeTopic, PacketType::Publish) => identifier_before_topic(bytes),
        // What a full buffer does not take.
        (Kind::ShortWrite, _) => bytes.truncate(4_096),
        // Remaining Length and Property Length have one byte each, but in the largest.
        (Kind::PropertyLengthOverlong, PacketType::Unsuback) if v5 && short => {
            bytes[4] |= 0x80;
            bytes.insert(5, 0);
            bytes[1] += 1;
        }
        (Kind::PropertyLengthOmitted, PacketType::Unsuback) if v5 && short && bytes[4] == 0 => {
            bytes.remove(4);
            bytes[1] -= 1;
        }
        (Kind::ShortWriteLost, _) => bytes.truncate(65_536),
        (Kind::UnsubackWithCodes, PacketType::Unsuback) if version != ProtocolVersion::V5 => {
            bytes.push(0);
            if let Some(length) = bytes.get_mut(1) {
                *length += 1;
            }
        }
        _ => {}
    }
}

/// Moves the Packet Identifier of a PUBLISH in front of its Topic Name.
fn identifier_before_topic(bytes: &mut [u8]) {
    if bytes.first().is_none_or(|first| first & 0b0110 == 0) {
        return;
    }
    let Some(last) = bytes.iter().skip(1).position(|byte| byte & 0x80 == 0) else { return };
    let topic = last + 2;
    let Some(&[high, low]) = bytes.get(topic..topic + 2) else { return };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if let Some(fields) = bytes.get_mut(topic..topic + length + 4) {
        fields.rotate_right(2);
    }
}
