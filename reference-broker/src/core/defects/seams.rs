//! Single decisions, answered wrong.
//!
//! One function for each seam, with the seam's arguments behind the active defect and its memory. What is
//! not the defect's business is answered right.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::access::Action;
use super::super::message::{Message, Publication};
use super::super::outbox::Outbox;
use super::super::retained::Retained;
use super::super::seam::{Fate, Retention, Sending};
use super::super::session::{Held, NEVER, SessionId};
use super::super::state::State;
use super::super::topic;
use super::super::tree::{Entry, Found, Grant};
use super::super::violation::{End, Violation};
use super::super::will::StoredWill;
use super::super::{ConnectionId, Time};
use super::{Kind, Memory, matching, packets, repair};
use crate::codec::{
    DecodeError, Frame, Packet, PacketType, Properties, PropertyId, ProtocolVersion, QoS, ReasonCode,
    RetainHandling, Rule,
};

pub(crate) fn session_present(kind: Kind, _: &Memory, present: bool, clean_start: bool) -> bool {
    match kind {
        Kind::SessionPresentNever => false,
        Kind::SessionPresentAlways => true,
        Kind::SessionPresentOnCleanStart => present || clean_start,
        _ => present,
    }
}

pub(crate) fn discards_session(kind: Kind, _: &Memory, discards: bool) -> bool {
    match kind {
        Kind::CleanStartIgnored => false,
        Kind::SessionForgotten => true,
        _ => discards,
    }
}

pub(crate) fn session_expiry(kind: Kind, _: &Memory, seconds: u32) -> u32 {
    match (kind, seconds) {
        (Kind::SessionEndsAtClose, _) => 0,
        (Kind::SessionNeverEnds, 0) => NEVER,
        (Kind::SessionExpiryIgnored, 1..) => NEVER,
        (Kind::SessionExpiryHalved, _) if seconds != NEVER => seconds / 2,
        (Kind::SessionExpiryLate, 1..) => seconds.saturating_add(1),
        (Kind::SessionExpirySixteenBits, _) if seconds != NEVER => seconds & 0xFFFF,
        _ => seconds,
    }
}

pub(crate) fn changed_expiry(kind: Kind, _: &Memory, change: Option<u32>) -> Option<u32> {
    if kind == Kind::DisconnectExpiryIgnored { None } else { change }
}

pub(crate) fn takeover_closes(kind: Kind, _: &Memory, closes: bool) -> bool {
    closes && kind != Kind::TakeoverKeepsOld
}

pub(crate) fn assigned_client_id(kind: Kind, _: &Memory, client_id: String) -> String {
    if kind == Kind::AssignedClientIdRepeated { "assay".to_owned() } else { client_id }
}

pub(crate) fn takes_client_id(kind: Kind, _: &Memory, takes: bool, client_id: &str) -> bool {
    takes && (kind != Kind::ClientIdOf23Refused || client_id.len() < 23)
}

pub(crate) fn session_name(kind: Kind, _: &Memory, client_id: &mut Cow<'_, str>) {
    if kind == Kind::ClientIdCaseFolded {
        *client_id = Cow::Owned(client_id.to_lowercase());
    }
}

pub(crate) fn malformed_connect_code(kind: Kind, _: &Memory, code: Option<ReasonCode>) -> Option<ReasonCode> {
    if kind == Kind::MalformedConnectAnswered { Some(ReasonCode::V3_SERVER_UNAVAILABLE) } else { code }
}

pub(crate) fn keep_alive(kind: Kind, _: &Memory, seconds: u16) -> u16 {
    if kind == Kind::KeepAliveZeroCloses { seconds.max(1) } else { seconds }
}

pub(crate) fn patience(kind: Kind, _: &Memory, patience: Duration) -> Duration {
    match kind {
        Kind::KeepAliveHalf => patience / 2,
        Kind::KeepAliveLate => patience * 4,
        Kind::KeepAliveNever => patience * 10_000,
        Kind::KeepAliveSecondLate => patience + Duration::from_secs(1),
        Kind::KeepAliveSixteenBits => Duration::from_millis(patience.as_millis() as u64 % 65_536_000),
        Kind::KeepAliveWholeSeconds => Duration::from_secs(patience.as_secs()),
        _ => patience,
    }
}

pub(crate) fn breaks_silence(kind: Kind, _: &Memory, breaks: bool, packet: PacketType) -> bool {
    breaks && (kind != Kind::KeepAliveOnlyPing || packet == PacketType::Pingreq)
}

pub(crate) fn sending_breaks_silence(kind: Kind, _: &Memory, breaks: bool) -> bool {
    breaks || kind == Kind::KeepAliveSendingCounts
}

pub(crate) fn stored_will(kind: Kind, _: &Memory, will: StoredWill) -> Option<StoredWill> {
    let view = will.message.view();
    let properties = Properties::from_encoded(view.properties);
    let reversed = packets::user_properties_reversed(&properties);
    let mut measured = (view.payload.len() as u16).to_be_bytes().to_vec();
    measured.extend_from_slice(view.payload);
    let changed = match kind {
        Kind::WillNever => return None,
        Kind::WillRetainIgnored => Publication { retain: false, ..view },
        Kind::WillAlwaysRetained => Publication { retain: true, ..view },
        Kind::WillQosIgnored => Publication { qos: QoS::AtMostOnce, ..view },
        Kind::WillPropertiesDropped => Publication { properties: &[], ..view },
        Kind::WillUserPropertiesReversed => Publication { properties: reversed.as_bytes(), ..view },
        Kind::WillPayloadWithLength => Publication { payload: &measured, ..view },
        _ => view,
    };
    Some(StoredWill { message: changed.keep(), ..will })
}

pub(crate) fn will_is_due(kind: Kind, _: &Memory, due: bool, end: End) -> bool {
    match (kind, end) {
        (Kind::WillOnDisconnect, _) => true,
        (Kind::TakeoverDropsWill, End::TakenOver)
        | (Kind::WillWithReasonDropped, End::Disconnected { .. })
        | (Kind::WillNotOnKeepAlive, End::KeepAlive)
        | (Kind::WillNotOnError, End::Malformed(_) | End::Violation(_))
        | (Kind::WillNotOnLoss, End::Lost) => false,
        _ => due,
    }
}

pub(crate) fn will_delay(kind: Kind, _: &Memory, seconds: u32, _expiry: u32) -> u32 {
    match kind {
        Kind::WillDelayIgnored => 0,
        Kind::WillDelayDoubled => seconds.saturating_mul(2),
        Kind::WillDelayEarly => seconds.saturating_sub(1),
        Kind::WillDelaySixteenBits => seconds & 0xFFFF,
        _ => seconds,
    }
}

pub(crate) fn session_end_publishes_will(kind: Kind, _: &Memory, publishes: bool) -> bool {
    publishes && kind != Kind::WillLostAtSessionEnd
}

pub(crate) fn will_is_kept(kind: Kind, _: &Memory, kept: bool) -> bool {
    kept || matches!(kind, Kind::WillKept | Kind::WillInherited)
}

pub(crate) fn resume_cancels_will(kind: Kind, _: &Memory, cancels: bool) -> bool {
    cancels && !matches!(kind, Kind::WillKeptAfterReconnect | Kind::WillInherited)
}

pub(crate) fn delivered_qos(kind: Kind, _: &Memory, qos: QoS, published: QoS, granted: QoS) -> QoS {
    match kind {
        Kind::DeliveredAsPublished => published,
        Kind::DeliveredAsGranted => granted,
        _ => qos,
    }
}

pub(crate) fn granted_qos(kind: Kind, _: &Memory, qos: QoS) -> QoS {
    if kind == Kind::GrantedTooMuch { QoS::ExactlyOnce } else { qos }
}

pub(crate) fn forwarded_retain(
    kind: Kind,
    _: &Memory,
    retain: bool,
    published: bool,
    _as_published: bool,
) -> bool {
    match kind {
        Kind::RetainForwarded => published,
        Kind::RetainAsPublishedIgnored => false,
        _ => retain,
    }
}

pub(crate) fn sends_retained(
    kind: Kind,
    _: &Memory,
    sends: bool,
    handling: RetainHandling,
    existed: bool,
    shared: bool,
) -> bool {
    match (kind, handling) {
        (Kind::RetainHandling1Ignored, RetainHandling::SendIfNew)
        | (Kind::RetainHandling2Ignored, RetainHandling::DoNotSend) => !shared,
        (Kind::RetainHandling1Never, RetainHandling::SendIfNew) => false,
        (Kind::RetainedOnlyOnce, _) => sends && !existed,
        (Kind::RetainedForShared, _) => sends || shared,
        _ => sends,
    }
}

pub(crate) fn retention(
    kind: Kind,
    memory: &Memory,
    retention: Retention,
    published_retain: bool,
    qos: QoS,
    topic: &str,
) -> Retention {
    match (kind, retention) {
        (Kind::RetainedNotStored, Retention::Replace) | (Kind::RetainedNotCleared, Retention::Clear) => {
            Retention::Leave
        }
        (Kind::RetainedQos0Ignored, Retention::Replace) if qos == QoS::AtMostOnce => Retention::Leave,
        (Kind::RetainedEmptyStored, Retention::Clear) => Retention::Replace,
        (Kind::UnretainedStored, _) if !published_retain => Retention::Replace,
        (Kind::UnretainedClears, _) if !published_retain => Retention::Clear,
        (Kind::RetainedNotReplaced, Retention::Replace) => {
            let first = memory.topics.borrow_mut().insert(topic.to_owned());
            if first { Retention::Replace } else { Retention::Leave }
        }
        (Kind::RetainedNotReplaced, Retention::Clear) => {
            memory.topics.borrow_mut().remove(topic);
            Retention::Clear
        }
        _ => retention,
    }
}

pub(crate) fn hides_own(kind: Kind, _: &Memory, hides: bool) -> bool {
    hides && kind != Kind::NoLocalIgnored
}

pub(crate) fn finds(kind: Kind, _: &Memory, state: &State, topic: &str, found: &mut Found) -> bool {
    matching::finds(kind, state, topic, found)
}

pub(crate) fn finds_retained(
    kind: Kind,
    _: &Memory,
    retained: &Retained,
    filter: &str,
    found: &mut Vec<Arc<Message>>,
) -> bool {
    matching::finds_retained(kind, retained, filter, found)
}

pub(crate) fn subscription_ids(
    kind: Kind,
    _: &Memory,
    ids: &mut Vec<u32>,
    session: SessionId,
    matching: &[Entry],
) {
    match kind {
        Kind::CopiesShareIdentifiers if !ids.is_empty() => {
            let own = matching.iter().filter(|entry| entry.session == session);
            *ids = own.map(|entry| entry.grant.id).filter(|id| *id != 0).collect();
        }
        Kind::SubscriptionIdentifierMissing => ids.clear(),
        Kind::SubscriptionIdentifierWrong => ids.iter_mut().for_each(|id| *id = *id % 1_000 + 1),
        Kind::SubscriptionIdentifierFirstOnly => ids.truncate(1),
        Kind::EqualIdentifiersLost => {
            let all = ids.clone();
            ids.retain(|id| all.iter().filter(|other| *other == id).count() == 1);
        }
        _ => {}
    }
}

pub(crate) fn unsubscribed(
    kind: Kind,
    memory: &Memory,
    asked: &str,
    held: &BTreeMap<Box<str>, Held>,
) -> Option<Vec<Box<str>>> {
    match kind {
        Kind::UnsubscribeIgnored => Some(Vec::new()),
        Kind::SharedUnsubscribeIgnored if asked.starts_with("$share/") => Some(Vec::new()),
        Kind::UnsubscribeByMatch => {
            Some(held.keys().filter(|filter| topic::matches(asked, filter)).cloned().collect())
        }
        Kind::UnsubackMissingForUnknown => {
            memory.flag.set(!held.contains_key(asked));
            None
        }
        _ => None,
    }
}

pub(crate) fn serves_all_members(kind: Kind, _: &Memory, all: bool) -> bool {
    all || kind == Kind::SharedServesAll
}

pub(crate) fn redirects(kind: Kind, _: &Memory, redirects: bool, _qos: QoS, _begun: bool) -> bool {
    redirects || kind == Kind::SharedQos2Redirected
}

pub(crate) fn window(kind: Kind, memory: &Memory, window: u16) -> u16 {
    match kind {
        Kind::ReceiveMaximumOnlyGrows => {
            memory.number.set(memory.number.get().max(u32::from(window)));
            memory.number.get() as u16
        }
        Kind::ReceiveMaximumIgnored => u16::MAX,
        Kind::ReceiveMaximumOneStalls if window == 1 => 0,
        Kind::ReceiveMaximumOffByOne => window.saturating_add(1),
        _ => window,
    }
}

pub(crate) fn window_after_surplus(kind: Kind, _: &Memory, window: u16) -> u16 {
    if kind == Kind::SurplusWidensWindow { window.saturating_add(1) } else { window }
}

pub(crate) fn is_expired(kind: Kind, _: &Memory, expired: bool, begun: bool) -> bool {
    match kind {
        Kind::ExpiryIgnored => false,
        // The core asks with `begun` whether the time counts at all.
        Kind::ExpiryInFlight if begun => true,
        _ => expired,
    }
}

pub(crate) fn remaining_expiry(kind: Kind, memory: &Memory, seconds: u32) -> u32 {
    match kind {
        Kind::ExpiryNotCountedDown => memory.number.get().max(seconds),
        // What was added when the message came.
        Kind::ExpirySecondLate => seconds.saturating_sub(1).max(1),
        _ => seconds,
    }
}

pub(crate) fn alias_limit(kind: Kind, _: &Memory, limit: u16) -> u16 {
    if kind == Kind::AliasLimitIgnored { u16::MAX } else { limit }
}

pub(crate) fn packet_limit(kind: Kind, _: &Memory, limit: u32) -> u32 {
    match kind {
        Kind::PacketSizeIgnored => u32::MAX,
        Kind::PacketSizeOffByOne => limit.saturating_add(1),
        _ => limit,
    }
}

pub(crate) fn resends(kind: Kind, _: &Memory, resends: bool, packet: PacketType) -> bool {
    resends && !(kind == Kind::PubrelNotResent && packet == PacketType::Pubrel)
}

pub(crate) fn settles(kind: Kind, _: &Memory, settles: bool, packet: PacketType) -> bool {
    match (kind, packet) {
        (Kind::AcknowledgedResent, PacketType::Puback)
        | (Kind::PublishAfterPubrec, PacketType::Pubrec)
        | (Kind::CompletedResent, PacketType::Pubcomp) => false,
        _ => settles,
    }
}

pub(crate) fn refusal_settles(kind: Kind, _: &Memory, settles: bool) -> bool {
    settles && kind != Kind::RefusalIgnored
}

pub(crate) fn queues_in_front(kind: Kind, _: &Memory, front: bool) -> bool {
    front || kind == Kind::QueueIsStack
}

pub(crate) fn is_repetition(
    kind: Kind,
    memory: &Memory,
    repetition: bool,
    packet_id: u16,
    outbox: &Outbox,
) -> bool {
    match kind {
        Kind::RepeatedQos2NotAnswered => {
            memory.flag.set(repetition);
            repetition
        }
        Kind::Qos2ForwardedTwice => false,
        Kind::IdentifierSpacesShared => repetition || outbox.place(packet_id).is_some(),
        _ => repetition,
    }
}

pub(crate) fn release_forgets(kind: Kind, _: &Memory, forgets: bool) -> bool {
    forgets && kind != Kind::Qos2IdentifierStuck
}

pub(crate) fn queues(kind: Kind, _: &Memory, queues: bool, qos: QoS) -> bool {
    match kind {
        Kind::OfflineNotQueued => false,
        Kind::OfflineQos1NotQueued => queues && qos != QoS::AtLeastOnce,
        _ => queues,
    }
}

pub(crate) fn tolerates(kind: Kind, _: &Memory, tolerates: bool, violation: Violation) -> bool {
    tolerates
        || matches!(
            (kind, violation),
            (Kind::SecondConnectAccepted, Violation::SecondConnect)
                | (Kind::DisconnectExpiryRaised, Violation::SessionExpiryRaised)
                | (Kind::MalformedFilterAccepted, Violation::TopicFilter)
                | (Kind::SharedNoLocalAccepted, Violation::NoLocalOnShared)
                | (Kind::ReceiveMaximumNotKept, Violation::ReceiveMaximumExceeded)
                | (Kind::AliasTooLargeAccepted, Violation::TopicAliasTooLarge)
                | (Kind::ResponseTopicUnchecked, Violation::ResponseTopic)
                | (
                    Kind::SubscriptionIdentifierFromClientAccepted,
                    Violation::SubscriptionIdentifierFromClient
                )
                | (Kind::TopicWildcardAccepted, Violation::TopicName)
                | (Kind::MaximumQosNotKept, Violation::QosNotSupported)
                | (Kind::RetainNotRefused, Violation::RetainNotSupported)
                | (Kind::WildcardsGranted, Violation::WildcardsNotSupported)
                | (Kind::SubscriptionIdentifiersGranted, Violation::SubscriptionIdentifiersNotSupported)
                | (Kind::SharedGranted, Violation::SharedNotSupported)
        )
}

pub(crate) fn repairs(
    kind: Kind,
    memory: &Memory,
    frame: Frame<'_>,
    error: DecodeError,
    version: ProtocolVersion,
) -> Option<(u8, Vec<u8>)> {
    repair::repairs(kind, memory, frame, error, version)
}

pub(crate) fn closes(kind: Kind, _: &Memory, closes: bool, end: End) -> bool {
    closes
        && !matches!(
            (kind, end),
            (Kind::SecondConnectIgnored, End::Violation(Violation::SecondConnect))
                | (Kind::FirstPacketIgnored, End::Violation(Violation::FirstPacketNotConnect))
                | (Kind::NoConnectTolerated, End::NoConnect)
                | (Kind::RefusedNotClosed, End::Refused)
                | (Kind::AuthWithoutMethodIgnored, End::Violation(Violation::AuthWithoutMethod))
                | (Kind::ReauthenticationFailureIgnored, End::Reauthentication(_))
                | (Kind::WrongDirectionIgnored, End::Violation(Violation::WrongDirection(_)))
                | (Kind::MalformedIgnored, End::Malformed(_))
                | (
                    Kind::LongLengthIgnored,
                    End::Malformed(DecodeError {
                        rule: Rule::RemainingLengthTooLong | Rule::VariableByteIntegerTooLong,
                        ..
                    })
                )
                | (
                    Kind::LongLengthSkipped,
                    End::Malformed(DecodeError { rule: Rule::RemainingLengthTooLong, .. })
                )
                | (
                    Kind::ReservedTypesIgnored,
                    End::Malformed(DecodeError {
                        rule: Rule::ReservedPacketType | Rule::AuthInOldVersion,
                        ..
                    })
                )
                | (Kind::DisconnectNotClosed, End::Disconnected { .. })
        )
}

pub(crate) fn authenticates(kind: Kind, memory: &Memory, right: bool) -> bool {
    match kind {
        Kind::WrongPasswordAccepted => true,
        Kind::RefusedButServed => {
            memory.flag.set(!right);
            true
        }
        _ => right,
    }
}

pub(crate) fn authorises(kind: Kind, memory: &Memory, allowed: bool, action: Action) -> bool {
    if kind == Kind::DeniedNotAcknowledged {
        memory.flag.set(!allowed && action == Action::Publish);
    }
    allowed || (kind == Kind::DeniedForwarded && action == Action::Publish)
}

pub(crate) fn read_limit(kind: Kind, _: &Memory, limit: Option<u32>) -> Option<u32> {
    if kind == Kind::OwnPacketSizeIgnored { None } else { limit }
}

pub(crate) fn takes_frame(
    kind: Kind,
    _: &Memory,
    takes: bool,
    frame: Frame<'_>,
    version: ProtocolVersion,
) -> bool {
    let short = match frame.packet_type() {
        Some(PacketType::Pubrel) => frame.body.len() < 4,
        Some(PacketType::Disconnect) => frame.body.len() < 2,
        _ => false,
    };
    takes && !(kind == Kind::ShortFormsIgnored && version == ProtocolVersion::V5 && short)
}

pub(crate) fn reads_on(kind: Kind, _: &Memory, reads: bool, packet: Option<PacketType>) -> bool {
    reads && !(kind == Kind::BehindConnectLost && packet == Some(PacketType::Connect))
}

pub(crate) fn incoming(
    kind: Kind,
    memory: &Memory,
    packet: &mut Packet<'_>,
    _version: ProtocolVersion,
) -> bool {
    if kind == Kind::ExpiryNotCountedDown
        && let Packet::Publish(publish) = packet
    {
        memory.number.set(publish.properties.number(PropertyId::MessageExpiryInterval).unwrap_or(0));
    }
    packets::incoming(kind, memory, packet)
}

pub(crate) fn outgoing(
    kind: Kind,
    memory: &Memory,
    packet: &mut Packet<'_>,
    _connection: ConnectionId,
    sending: Sending,
) -> Fate {
    packets::outgoing(kind, memory, packet, sending)
}

pub(crate) fn encoded(
    kind: Kind,
    _: &Memory,
    bytes: &mut Vec<u8>,
    packet: PacketType,
    version: ProtocolVersion,
) {
    packets::encoded(kind, bytes, packet, version);
}

pub(crate) fn starts_session(kind: Kind, _: &Memory, starts: bool, clean_start: bool) -> bool {
    starts && (clean_start || kind != Kind::ResumeWithoutSessionRefused)
}

pub(crate) fn refusal_discards(kind: Kind, _: &Memory, discards: bool) -> bool {
    discards || kind == Kind::RefusedCleanStartDiscards
}

pub(crate) fn refuses_will(kind: Kind, _: &Memory, refuses: bool, reason: ReasonCode) -> bool {
    refuses
        && !matches!(
            (kind, reason),
            (Kind::WillQosUnchecked, ReasonCode::QOS_NOT_SUPPORTED)
                | (Kind::WillRetainUnchecked, ReasonCode::RETAIN_NOT_SUPPORTED)
        )
}

pub(crate) fn accepts_unknown_method(kind: Kind, _: &Memory, accepts: bool) -> bool {
    accepts || kind == Kind::UnknownAuthMethodIgnored
}

pub(crate) fn connection_stops_expiry(kind: Kind, _: &Memory, stops: bool) -> bool {
    stops && kind != Kind::SessionExpiresWhileConnected
}

pub(crate) fn may_ask_for(kind: Kind, _: &Memory, may: bool, asked: QoS, maximum: QoS) -> bool {
    may && !(kind == Kind::SubscribeQosRefused && asked > maximum)
}

pub(crate) fn replaced_grant(kind: Kind, _: &Memory, grant: Grant, before: Option<Grant>) -> Grant {
    match (kind, before) {
        (Kind::ResubscribeKeepsOptions, Some(before)) => Grant { qos: grant.qos, ..before },
        _ => grant,
    }
}

pub(crate) fn largest_alias(kind: Kind, _: &Memory, largest: u16) -> u16 {
    if kind == Kind::AliasMaximumRefused { largest.saturating_sub(1) } else { largest }
}

pub(crate) fn too_large_is_complete(kind: Kind, _: &Memory, complete: bool) -> bool {
    complete && kind != Kind::TooLargeStaysInFlight
}

pub(crate) fn size_limit(kind: Kind, _: &Memory, limit: usize, packet: &Packet<'_>) -> usize {
    let exempt = match kind {
        Kind::ReasonStringTooLarge => PropertyId::ReasonString,
        Kind::UserPropertyTooLarge if packet.packet_type() != PacketType::Publish => PropertyId::UserProperty,
        _ => return limit,
    };
    let has = packet.properties().is_some_and(|properties| properties.get(exempt).is_some());
    if has { usize::MAX } else { limit }
}

pub(crate) fn serves(
    kind: Kind,
    _: &Memory,
    serves: bool,
    packet: PacketType,
    full: &dyn Fn() -> bool,
) -> bool {
    let request = matches!(
        packet,
        PacketType::Publish | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::Pingreq
    );
    serves && !(kind == Kind::FullWindowStopsService && request && full())
}

pub(crate) fn refused_is_received(kind: Kind, _: &Memory, received: bool) -> bool {
    received || kind == Kind::RefusedIdentifierStuck
}

pub(crate) fn received(kind: Kind, memory: &Memory, packet_id: u16, expires_at: Option<Time>) {
    if kind == Kind::ExpiredExchangeDropped {
        let mut times = memory.times.borrow_mut();
        match expires_at {
            Some(at) => times.insert(packet_id, at),
            None => times.remove(&packet_id),
        };
    }
}

pub(crate) fn answers_release(kind: Kind, memory: &Memory, answers: bool, packet_id: u16, now: Time) -> bool {
    answers
        && !(kind == Kind::ExpiredExchangeDropped
            && memory.times.borrow_mut().remove(&packet_id).is_some_and(|at| at <= now))
}

pub(crate) fn redirects_at_once(kind: Kind, _: &Memory, redirects: bool, qos: QoS) -> bool {
    redirects || (kind == Kind::SharedQos2RedirectedAtOnce && qos == QoS::ExactlyOnce)
}

pub(crate) fn refusal_redirects(kind: Kind, _: &Memory, redirects: bool) -> bool {
    redirects || kind == Kind::SharedRefusedRedirected
}

pub(crate) fn closes_after_notice(kind: Kind, _: &Memory, closes: bool) -> bool {
    closes && kind != Kind::DisconnectWithoutClose
}

pub(crate) fn refused_is_made(kind: Kind, _: &Memory, made: bool) -> bool {
    made || kind == Kind::RefusedSubscriptionMade
}

pub(crate) fn answer_is_right(kind: Kind, _: &Memory, right: bool) -> bool {
    right || kind == Kind::WrongAuthAnswerAccepted
}
