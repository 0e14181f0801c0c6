//! SUBSCRIBE and UNSUBSCRIBE (sections 3.8 to 3.11).

use std::sync::Arc;

use super::access::{Action, allows};
use super::config::{
    DisallowedCodePoints, IdentifierInUse, MalformedFilter, PublishVersusSuback, RetainedOverlap,
    ShareInOldVersions, UnavailableFeature, UnsubackUnknown, UnsubscribeBuffered,
};
use super::deliver::Terms;
use super::message::Message;
use super::seam::Sending;
use super::session::{Held, SessionId};
use super::share::Member;
use super::topic::{self, Kind};
use super::tree::{Entry, Grant};
use super::violation::{Moment, Violation};
use super::{Broker, ConnectionId};
use crate::codec::{
    Packet, PacketType, PropertyId, ProtocolVersion, ReasonCode, RetainHandling, Suback, Subscribe,
    Subscription, Unsuback, Unsubscribe,
};

/// What becomes of one filter of a SUBSCRIBE.
enum Judgement<'a> {
    /// It is granted.
    Grant(Kind<'a>),
    /// It is refused with this reason.
    Refuse(ReasonCode),
    /// The whole packet is an error, and the connection has been closed.
    Closed,
}

impl Broker {
    /// SUBSCRIBE: each filter in its turn, one SUBACK for all (MQTT-3.8.4-5; -4 in 3.1.1).
    pub(super) fn take_subscribe(&mut self, id: ConnectionId, session: SessionId, subscribe: &Subscribe<'_>) {
        let Some(version) = self.connections.get(&id).map(|connection| connection.version) else { return };
        let identifier = subscribe.properties.number(PropertyId::SubscriptionIdentifier);
        let mut judgements = Vec::with_capacity(subscribe.subscriptions.len());
        let in_use = self.refuses_identifier(id, subscribe.packet_id, version);
        if !self.connections.contains_key(&id) {
            return;
        }
        // The packet is judged as a whole first: one that is an error has no effect at all.
        for subscription in &subscribe.subscriptions {
            match self.judge_subscription(id, subscription, identifier, version) {
                Judgement::Closed => return,
                Judgement::Grant(_) if in_use => {
                    judgements.push(Judgement::Refuse(ReasonCode::PACKET_IDENTIFIER_IN_USE));
                }
                judgement => judgements.push(judgement),
            }
        }
        let mut retained = Vec::new();
        let mut reasons = Vec::with_capacity(judgements.len());
        for (subscription, judgement) in subscribe.subscriptions.iter().zip(judgements) {
            let reason = match judgement {
                Judgement::Grant(kind) => self.grant(session, subscription, kind, identifier, &mut retained),
                Judgement::Refuse(reason) => {
                    if self.seam.refused_is_made(false) {
                        let kind = Kind::Plain(&subscription.filter);
                        self.grant(session, subscription, kind, identifier, &mut retained);
                    }
                    reason
                }
                Judgement::Closed => return,
            };
            // 3.1.1 has one code for all failures (MQTT-3.9.3-2).
            let old = version != ProtocolVersion::V5 && reason.is_error();
            reasons.push(if old { ReasonCode::V3_FAILURE } else { reason });
        }
        if self.config.publish_vs_suback == PublishVersusSuback::Before {
            self.send_retained(session, &mut retained);
        }
        let worst = reasons.iter().copied().max().unwrap_or_default();
        let properties = self.diagnostics(id, PacketType::Suback, worst, "see the codes");
        self.answer(id, Packet::Suback(Suback { packet_id: subscribe.packet_id, properties, reasons }));
        self.send_retained(session, &mut retained);
        self.moment(Moment::Subscribed(session));
    }

    /// Whether an identifier that an open QoS 2 exchange has makes the packet fail.
    fn refuses_identifier(&mut self, id: ConnectionId, packet_id: u16, version: ProtocolVersion) -> bool {
        match self.config.identifier_in_use {
            IdentifierInUse::Process => false,
            _ if !self.is_receiving(id, packet_id) => false,
            IdentifierInUse::Answer91 => version == ProtocolVersion::V5,
            IdentifierInUse::Close => {
                self.violated(id, Violation::IdentifierInUse);
                true
            }
        }
    }

    fn judge_subscription<'a>(
        &mut self,
        id: ConnectionId,
        subscription: &'a Subscription<'_>,
        identifier: Option<u32>,
        version: ProtocolVersion,
    ) -> Judgement<'a> {
        let filter: &'a str = &subscription.filter;
        let v5 = version == ProtocolVersion::V5;
        let shares = v5 || self.config.share_in_old_versions == ShareInOldVersions::Shared;
        if !v5
            && self.config.share_in_old_versions == ShareInOldVersions::Refuse
            && filter.starts_with("$share/")
        {
            return Judgement::Refuse(ReasonCode::V3_FAILURE);
        }
        let kind = match topic::kind(filter, shares) {
            Kind::Malformed if self.seam.tolerates(false, Violation::TopicFilter) => Kind::Plain(filter),
            Kind::Malformed => return self.refuse_filter(id),
            kind => kind,
        };
        if self.config.disallowed_code_points != DisallowedCodePoints::Accept
            && topic::has_disallowed_code_point(filter)
        {
            return self.forbidden(id, Violation::DisallowedCodePoint);
        }
        if matches!(kind, Kind::Shared(_)) {
            if subscription.options.no_local && self.forbids(id, Violation::NoLocalOnShared) {
                return Judgement::Closed;
            }
            if !self.config.shared_subscription_available
                && !self.seam.tolerates(false, Violation::SharedNotSupported)
            {
                return self.unavailable(id, Violation::SharedNotSupported);
            }
        }
        if identifier.is_some()
            && !self.config.subscription_identifier_available
            && !self.seam.tolerates(false, Violation::SubscriptionIdentifiersNotSupported)
        {
            return self.unavailable(id, Violation::SubscriptionIdentifiersNotSupported);
        }
        if !self.seam.may_ask_for(true, subscription.options.qos, self.config.maximum_qos) {
            return self.forbidden(id, Violation::QosNotSupported);
        }
        let pattern = match kind {
            Kind::Shared(shared) => shared.filter,
            _ => filter,
        };
        if topic::has_wildcard(pattern)
            && !self.config.wildcard_subscription_available
            && !self.seam.tolerates(false, Violation::WildcardsNotSupported)
        {
            // 3.1.1 has only the code for it (MQTT-3.8.3-2).
            if !v5 {
                return Judgement::Refuse(ReasonCode::V3_FAILURE);
            }
            return self.unavailable(id, Violation::WildcardsNotSupported);
        }
        let user = self.connections.get(&id).and_then(|connection| connection.user.as_deref());
        let allowed = allows(&self.config.access, Action::Subscribe, user, pattern);
        if !self.seam.authorises(allowed, Action::Subscribe) {
            return Judgement::Refuse(ReasonCode::NOT_AUTHORIZED);
        }
        Judgement::Grant(kind)
    }

    fn forbidden<'a>(&mut self, id: ConnectionId, violation: Violation) -> Judgement<'a> {
        self.violated(id, violation);
        Judgement::Closed
    }

    /// A filter that breaks the grammar.
    fn refuse_filter<'a>(&mut self, id: ConnectionId) -> Judgement<'a> {
        match self.config.malformed_filter {
            MalformedFilter::Close => self.forbidden(id, Violation::TopicFilter),
            MalformedFilter::Suback80 => Judgement::Refuse(ReasonCode::UNSPECIFIED_ERROR),
            MalformedFilter::Suback8F => Judgement::Refuse(ReasonCode::TOPIC_FILTER_INVALID),
            MalformedFilter::Suback83 => Judgement::Refuse(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR),
        }
    }

    /// A feature that was announced as unavailable.
    fn unavailable<'a>(&mut self, id: ConnectionId, violation: Violation) -> Judgement<'a> {
        match self.config.unavailable_feature {
            UnavailableFeature::Disconnect => self.forbidden(id, violation),
            UnavailableFeature::SubackFailure => Judgement::Refuse(violation.reason()),
        }
    }

    /// Makes or replaces a subscription, and finds the retained messages that are due for it.
    fn grant(
        &mut self,
        id: SessionId,
        subscription: &Subscription<'_>,
        kind: Kind<'_>,
        identifier: Option<u32>,
        retained: &mut Vec<(Arc<Message>, Grant)>,
    ) -> ReasonCode {
        let filter: &str = &subscription.filter;
        let Some(session) = self.state.sessions.get_mut(id) else { return ReasonCode::UNSPECIFIED_ERROR };
        if session.subscriptions.len() >= self.config.maximum_subscriptions
            && !session.subscriptions.contains_key(filter)
        {
            return ReasonCode::QUOTA_EXCEEDED;
        }
        let options = subscription.options;
        let qos = self.seam.granted_qos(options.qos);
        // The same text can have been a shared subscription before, under another version of the protocol.
        let before = session.subscriptions.get(filter).copied();
        let grant = Grant::new(qos, options, identifier);
        let grant = self.seam.replaced_grant(grant, before.map(|held| held.grant));
        if let Some(held) = before
            && held.group.is_some() != matches!(kind, Kind::Shared(_))
        {
            self.state.unlink(id, filter, held.group);
        }
        if let Some(held) = before {
            self.renumber(id, kind, held.grant.id, grant.id);
        }
        let group = match kind {
            Kind::Shared(shared) => {
                let group = self.state.tree.group(&mut self.state.groups, shared.share, shared.filter);
                self.state.groups.join(group, Member { session: id, grant });
                Some(group)
            }
            _ => {
                self.state.tree.insert(filter, Entry { session: id, grant });
                None
            }
        };
        if let Some(session) = self.state.sessions.get_mut(id) {
            session.subscriptions.insert(filter.into(), Held { grant, group });
        }
        let handling = options.retain_handling;
        let existed = before.is_some();
        let sends = group.is_none()
            && match handling {
                RetainHandling::Send => true,
                RetainHandling::SendIfNew => !existed,
                RetainHandling::DoNotSend => false,
            };
        if self.seam.sends_retained(sends, handling, existed, group.is_some()) {
            let pattern = match kind {
                Kind::Shared(shared) => shared.filter,
                _ => filter,
            };
            let mut found = Vec::new();
            if !self.seam.finds_retained(&self.state.retained, pattern, &mut found) {
                self.state.retained.matching(pattern, &mut found);
            }
            retained.extend(found.into_iter().map(|message| (message, grant)));
        }
        ReasonCode(qos.number())
    }

    /// Gives deliveries that are owed the new Subscription Identifier of their subscription, so that none is
    /// sent with the old one after others had the new one (U5-82).
    fn renumber(&mut self, id: SessionId, kind: Kind<'_>, old: u32, new: u32) {
        if old == 0 || old == new {
            return;
        }
        let (pattern, shared) = match kind {
            Kind::Shared(shared) => (shared.filter, true),
            Kind::Plain(filter) => (filter, false),
            Kind::Malformed => return,
        };
        let Some(session) = self.state.sessions.get_mut(id) else { return };
        let outbox = &mut session.outbox;
        let owed = outbox.in_flight.iter_mut().map(|flight| &mut flight.delivery).chain(&mut outbox.queue);
        for delivery in owed.filter(|delivery| delivery.share.is_some() == shared) {
            let Some(place) = delivery.ids.iter().position(|id| *id == old) else { continue };
            if !topic::matches(pattern, delivery.message.view().topic) {
                continue;
            }
            if new == 0 {
                delivery.ids.remove(place);
            } else {
                delivery.ids[place] = new;
            }
        }
    }

    /// Sends the retained messages of new subscriptions, with RETAIN 1 (U5-73; MQTT-3.3.1-8 in 3.1.1).
    fn send_retained(&mut self, session: SessionId, retained: &mut Vec<(Arc<Message>, Grant)>) {
        if self.config.retained_overlap == RetainedOverlap::OneInAll {
            one_in_all(retained);
        }
        for (message, grant) in retained.drain(..) {
            let publication = message.view();
            if self.seam.is_expired(message.is_expired(self.now), false) {
                // It is gone for everybody (U5-23).
                self.state.retained.clear(publication.topic);
                continue;
            }
            if grant.no_local && self.is_own(publication, session) {
                continue;
            }
            let qos = self.seam.delivered_qos(message.qos().min(grant.qos), message.qos(), grant.qos);
            let mut ids = Vec::new();
            if grant.id != 0 {
                ids.push(grant.id);
            }
            self.seam.subscription_ids(&mut ids, session, &[]);
            let terms = Terms { qos, retain: true, ids: &ids, share: None, sending: Sending::Retained };
            self.deliver(session, publication, &mut Some(Arc::clone(&message)), terms);
        }
    }

    /// UNSUBSCRIBE: filters are compared literally (MQTT-3.10.4-1), and answered in any case.
    pub(super) fn take_unsubscribe(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        unsubscribe: &Unsubscribe<'_>,
    ) {
        let Some(version) = self.connections.get(&id).map(|connection| connection.version) else { return };
        let in_use = self.refuses_identifier(id, unsubscribe.packet_id, version);
        if !self.connections.contains_key(&id) {
            return;
        }
        if version == ProtocolVersion::V5 || self.config.malformed_filter == MalformedFilter::Close {
            for filter in &unsubscribe.filters {
                let malformed = topic::kind(filter, version == ProtocolVersion::V5) == Kind::Malformed;
                if malformed
                    && self.config.malformed_filter == MalformedFilter::Close
                    && self.forbids(id, Violation::TopicFilter)
                {
                    return;
                }
            }
        }
        let mut reasons = Vec::with_capacity(unsubscribe.filters.len());
        for filter in &unsubscribe.filters {
            reasons.push(if in_use {
                ReasonCode::PACKET_IDENTIFIER_IN_USE
            } else if self.unsubscribe(session, filter)
                || self.config.unsuback_unknown == UnsubackUnknown::Success
            {
                ReasonCode::SUCCESS
            } else {
                ReasonCode::NO_SUBSCRIPTION_EXISTED
            });
        }
        let worst = reasons.iter().copied().max().unwrap_or_default();
        let properties = self.diagnostics(id, PacketType::Unsuback, worst, "see the codes");
        self.answer(id, Packet::Unsuback(Unsuback { packet_id: unsubscribe.packet_id, properties, reasons }));
        self.moment(Moment::Unsubscribed(session));
    }

    /// Ends a subscription. Answers whether there was one.
    fn unsubscribe(&mut self, id: SessionId, filter: &str) -> bool {
        let Some(session) = self.state.sessions.get_mut(id) else { return false };
        if let Some(filters) = self.seam.unsubscribed(filter, &session.subscriptions) {
            let any = !filters.is_empty();
            for filter in filters {
                self.drop_subscription(id, &filter);
            }
            return any;
        }
        self.drop_subscription(id, filter)
    }

    fn drop_subscription(&mut self, id: SessionId, filter: &str) -> bool {
        let Some(session) = self.state.sessions.get_mut(id) else { return false };
        let Some(held) = session.subscriptions.remove(filter) else { return false };
        self.state.unlink(id, filter, held.group);
        if self.config.unsubscribe_buffered == UnsubscribeBuffered::Drop
            && let Some(session) = self.state.sessions.get_mut(id)
        {
            let subscriptions = &session.subscriptions;
            session.outbox.queue.retain(|delivery| {
                let topic = delivery.message.view().topic;
                match delivery.share {
                    Some(group) => subscriptions.values().any(|held| held.group == Some(group)),
                    None => subscriptions
                        .iter()
                        .any(|(filter, held)| held.group.is_none() && topic::matches(filter, topic)),
                }
            });
        }
        true
    }
}

/// Leaves one copy of each retained message: that of the highest QoS, among those that No Local does not
/// keep back if there are any.
fn one_in_all(retained: &mut Vec<(Arc<Message>, Grant)>) {
    let rank = |grant: &Grant| (!grant.no_local, grant.qos);
    let mut kept: Vec<(Arc<Message>, Grant)> = Vec::with_capacity(retained.len());
    for (message, grant) in retained.drain(..) {
        match kept.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &message)) {
            Some((_, held)) if rank(held) < rank(&grant) => *held = grant,
            Some(_) => {}
            None => kept.push((message, grant)),
        }
    }
    *retained = kept;
}
