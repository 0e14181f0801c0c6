//! Whom a message reaches, and how: matching, copies, QoS, queues, resumption.

use std::borrow::Cow;
use std::sync::Arc;

use super::config::{
    EqualSubscriptionIds, OfflineQos0, OverlappingSubscriptions, RetainedQos0, SharedQos1Redirect,
    TooLargeShared,
};
use super::connection::Phase;
use super::message::{Delivery, Message, Publication};
use super::seam::{Retention, Sending};
use super::session::{Session, SessionId};
use super::share::{GroupId, Member};
use super::tree::{Entry, Found};
use super::{Broker, ConnectionId, Time};
use crate::codec::{
    Ack, Packet, PacketType, Properties, PropertyId, PropertyValue, ProtocolVersion, Publish, QoS,
};

/// Buffers that are kept between messages, so that routing allocates nothing of its own.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    found: Found,
    ids: Vec<u32>,
}

/// How one copy of a message is to be delivered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub qos: QoS,
    pub retain: bool,
    pub ids: &'a [u32],
    pub share: Option<GroupId>,
    pub sending: Sending,
}

impl Broker {
    /// Takes a message over: keeps it if it is to be retained, and delivers it to every matching subscription
    /// (MQTT-4.5.0-1). Answers whether there was one.
    pub(super) fn route(&mut self, publication: Publication<'_>) -> bool {
        let mut kept = None;
        self.keep_retained(publication, &mut kept);
        let mut scratch = std::mem::take(&mut self.scratch);
        let Scratch { found, ids } = &mut scratch;
        found.clear();
        if !self.seam.finds(&self.state, publication.topic, found) {
            self.state.tree.matching(publication.topic, found);
        }
        let heard = !found.entries.is_empty() || !found.groups.is_empty();
        self.deliver_entries(publication, &mut kept, &mut found.entries, ids);
        for group in &found.groups {
            self.deliver_shared(publication, &mut kept, *group);
        }
        self.scratch = scratch;
        heard
    }

    /// What the message does to the retained message of its topic (MQTT-3.3.1-5 to -8).
    fn keep_retained(&mut self, publication: Publication<'_>, kept: &mut Option<Arc<Message>>) {
        let retention = match (publication.retain && self.config.retain_available, publication.payload) {
            (false, _) => Retention::Leave,
            (true, []) => Retention::Clear,
            (true, _)
                if publication.qos == QoS::AtMostOnce
                    && self.config.retained_qos0 == RetainedQos0::Dropped =>
            {
                Retention::Clear
            }
            (true, _) => Retention::Replace,
        };
        match self.seam.retention(retention, publication.retain, publication.qos, publication.topic) {
            Retention::Leave => {}
            Retention::Clear => self.state.retained.clear(publication.topic),
            Retention::Replace => {
                let message = kept.get_or_insert_with(|| publication.keep());
                if self.state.retained.len() >= self.config.maximum_retained {
                    let now = self.now;
                    self.state.retained.retain(|message| !message.is_expired(now));
                }
                self.state.retained.store(Arc::clone(message), self.config.maximum_retained);
            }
        }
    }

    /// Delivers to ordinary subscriptions: to each session one copy, or one for each subscription.
    fn deliver_entries(
        &mut self,
        publication: Publication<'_>,
        kept: &mut Option<Arc<Message>>,
        entries: &mut [Entry],
        ids: &mut Vec<u32>,
    ) {
        let merge = self.config.overlapping_subscriptions == OverlappingSubscriptions::OneCopy;
        if entries.len() > 1 {
            // Stable, so that the identifiers of a copy keep the order in which they were found.
            entries.sort_by_key(|entry| entry.session);
        }
        let entries: &[Entry] = entries;
        let mut rest = entries;
        while let Some(first) = rest.first() {
            let count = if merge {
                rest.iter().take_while(|entry| entry.session == first.session).count()
            } else {
                1
            };
            let (own, others) = rest.split_at(count);
            rest = others;
            let mut qos = None;
            let mut retain = false;
            ids.clear();
            for entry in own {
                if entry.grant.no_local && self.is_own(publication, entry.session) {
                    continue;
                }
                let least = publication.qos.min(entry.grant.qos);
                qos = qos.max(Some(self.seam.delivered_qos(least, publication.qos, entry.grant.qos)));
                let as_published = entry.grant.retain_as_published;
                retain |= self.seam.forwarded_retain(
                    publication.retain && as_published,
                    publication.retain,
                    as_published,
                );
                if entry.grant.id != 0 {
                    ids.push(entry.grant.id);
                }
            }
            let Some(qos) = qos else { continue };
            if self.config.equal_subscription_ids == EqualSubscriptionIds::Merged {
                ids.sort_unstable();
                ids.dedup();
            }
            self.seam.subscription_ids(ids, first.session, entries);
            let terms = Terms { qos, retain, ids, share: None, sending: Sending::Delivery };
            self.deliver(first.session, publication, kept, terms);
        }
    }

    /// Whether the message comes from the client of this session, so that No Local hides it.
    pub(super) fn is_own(&self, publication: Publication<'_>, session: SessionId) -> bool {
        let own = publication.publisher.is_some_and(|publisher| {
            self.state.sessions.get(session).is_some_and(|session| session.client_id == *publisher)
        });
        own && self.seam.hides_own(true)
    }

    /// Delivers to one member of a shared subscription (U5-43).
    fn deliver_shared(
        &mut self,
        publication: Publication<'_>,
        kept: &mut Option<Arc<Message>>,
        group: GroupId,
    ) {
        if self.seam.serves_all_members(false) {
            let members = self.state.groups.get(group).map_or_else(Vec::new, |group| group.members.clone());
            for member in members {
                self.deliver_to_member(publication, kept, group, member);
            }
            return;
        }
        let Some(member) = self.choose_member(group, None) else { return };
        if self.deliver_to_member(publication, kept, group, member)
            || self.config.too_large_shared == TooLargeShared::Drop
        {
            return;
        }
        let members = self.state.groups.get(group).map_or_else(Vec::new, |group| group.members.clone());
        for other in members.into_iter().filter(|other| other.session != member.session) {
            if self.deliver_to_member(publication, kept, group, other) {
                return;
            }
        }
    }

    /// The member for the next message: a connected one if there is any, and not `except`.
    fn choose_member(&mut self, group: GroupId, except: Option<SessionId>) -> Option<Member> {
        let sessions = &self.state.sessions;
        let able = |member: &Member| {
            Some(member.session) != except
                && sessions.get(member.session).is_some_and(|session| session.connection.is_some())
        };
        let member = self.state.groups.choose(group, self.config.shared_choice, &mut self.random, able)?;
        (Some(member.session) != except).then_some(member)
    }

    /// Answers false if the message is too large for the member.
    fn deliver_to_member(
        &mut self,
        publication: Publication<'_>,
        kept: &mut Option<Arc<Message>>,
        group: GroupId,
        member: Member,
    ) -> bool {
        let grant = member.grant;
        let qos = self.seam.delivered_qos(publication.qos.min(grant.qos), publication.qos, grant.qos);
        let retain = self.seam.forwarded_retain(
            publication.retain && grant.retain_as_published,
            publication.retain,
            grant.retain_as_published,
        );
        let ids: &[u32] = if grant.id == 0 { &[] } else { &[grant.id] };
        let terms = Terms { qos, retain, ids, share: Some(group), sending: Sending::Delivery };
        self.deliver(member.session, publication, kept, terms)
    }

    /// Delivers one copy to one session: at once, or later. Answers false if it is too large for the client,
    /// in which case it counts as delivered (MQTT-3.1.2-25).
    pub(super) fn deliver(
        &mut self,
        id: SessionId,
        publication: Publication<'_>,
        kept: &mut Option<Arc<Message>>,
        terms: Terms<'_>,
    ) -> bool {
        let Some(session) = self.state.sessions.get_mut(id) else { return true };
        let connection = session.connection;
        if terms.qos == QoS::AtMostOnce
            && let Some(connection) = connection
        {
            return self.transmit(connection, publication, terms, None, false);
        }
        let window =
            connection.and_then(|connection| self.connections.get(&connection)).map(|known| known.window);
        if let (Some(connection), Some(window)) = (connection, window)
            && session.outbox.is_ready(window)
            && let Some(packet_id) = session.outbox.take_id()
        {
            let fits = self.transmit(connection, publication, terms, Some(packet_id), false);
            if let Some(session) = self.state.sessions.get_mut(id) {
                if fits || !self.seam.too_large_is_complete(true) {
                    session.outbox.begun(packet_id, owed(publication, kept, terms));
                } else {
                    session.outbox.free_id(packet_id);
                }
            }
            return fits;
        }
        let absent = connection.is_none();
        let queues = terms.qos != QoS::AtMostOnce || self.config.offline_qos0 == OfflineQos0::Queued;
        if !absent || self.seam.queues(queues, terms.qos) {
            let delivery = owed(publication, kept, terms);
            if self.seam.queues_in_front(false) {
                session.outbox.queue.push_front(delivery);
            } else {
                session.outbox.enqueue(delivery, self.config.queue_limit, self.config.queue_overflow);
            }
        }
        true
    }

    /// Sends what waits, as far as the client's Receive Maximum has room: first what was sent on an earlier
    /// connection, in its order, then the queue (MQTT-4.4.0-1, MQTT-4.6.0-1).
    pub(super) fn pump(&mut self, id: SessionId, connection: ConnectionId) {
        loop {
            let Some(window) = self.connections.get(&connection).map(|connection| connection.window) else {
                return;
            };
            let Some(session) = self.state.sessions.get_mut(id) else { return };
            let outbox = &mut session.outbox;
            let room = outbox.used() < usize::from(window);
            if outbox.sent < outbox.in_flight.len() {
                if !room {
                    return;
                }
                self.repeat(id, connection);
                continue;
            }
            let Some(next) = outbox.queue.front() else { return };
            if next.qos != QoS::AtMostOnce && !room {
                return;
            }
            let Some(next) = outbox.queue.pop_front() else { return };
            if self.seam.is_expired(next.message.is_expired(self.now), false) {
                continue;
            }
            let message = Arc::clone(&next.message);
            let mut kept = Some(Arc::clone(&message));
            let terms = Terms {
                qos: next.qos,
                retain: next.retain,
                ids: &next.ids,
                share: next.share,
                sending: Sending::Delivery,
            };
            if next.qos == QoS::AtMostOnce {
                self.transmit(connection, message.view(), terms, None, false);
                continue;
            }
            let Some(packet_id) = outbox.take_id() else { return };
            let fits = self.transmit(connection, message.view(), terms, Some(packet_id), false);
            let Some(session) = self.state.sessions.get_mut(id) else { return };
            if fits || !self.seam.too_large_is_complete(true) {
                session.outbox.begun(packet_id, owed(message.view(), &mut kept, terms));
            } else {
                session.outbox.free_id(packet_id);
            }
        }
    }

    /// Sends the next PUBLISH again that was sent on an earlier connection.
    fn repeat(&mut self, id: SessionId, connection: ConnectionId) {
        let Some(session) = self.state.sessions.get_mut(id) else { return };
        let place = session.outbox.sent;
        let Some(flight) = session.outbox.in_flight.get(place) else { return };
        let (packet_id, dup, delivery) = (flight.packet_id, flight.dup, flight.delivery.clone());
        session.outbox.sent += 1;
        if !self.seam.resends(true, PacketType::Publish)
            || self.seam.is_expired(false, true) && delivery.message.is_expired(self.now)
        {
            session.outbox.take(place);
            session.outbox.free_id(packet_id);
            return;
        }
        let terms = Terms {
            qos: delivery.qos,
            retain: delivery.retain,
            ids: &delivery.ids,
            share: delivery.share,
            sending: Sending::Repetition,
        };
        if self.transmit(connection, delivery.message.view(), terms, Some(packet_id), dup) {
            return;
        }
        // Too large for what the client allows now: as if it had been delivered (MQTT-3.1.2-25).
        if let Some(session) = self.state.sessions.get_mut(id) {
            session.outbox.take(place);
            session.outbox.free_id(packet_id);
        }
    }

    /// Goes on where the last connection of the session ended: PUBREL, then PUBLISH, then the queue.
    pub(super) fn resume(&mut self, id: SessionId) {
        let Some(session) = self.state.sessions.get(id) else { return };
        let Some(connection) = session.connection else { return };
        if !session.outbox.releasing.is_empty() {
            let releasing: Vec<u16> = session.outbox.releasing.iter().copied().collect();
            for packet_id in releasing {
                if self.seam.resends(true, PacketType::Pubrel) {
                    self.send(connection, Packet::Pubrel(Ack::success(packet_id)), Sending::Repetition);
                }
            }
        }
        self.pump(id, connection);
    }

    /// Puts a PUBLISH together and sends it. Answers false if it is larger than the client allows.
    fn transmit(
        &mut self,
        id: ConnectionId,
        publication: Publication<'_>,
        terms: Terms<'_>,
        packet_id: Option<u16>,
        dup: bool,
    ) -> bool {
        let now = self.now;
        let Some(connection) = self.connections.get(&id) else { return true };
        let mut topic = Cow::Borrowed(publication.topic);
        let mut properties = Properties::new();
        let mut fresh_alias = None;
        if connection.version == ProtocolVersion::V5 {
            properties = Properties::from_encoded(publication.properties);
            if let Some(at) = publication.expires_at {
                let seconds = self.seam.remaining_expiry(remaining(at, now));
                properties.push_number(PropertyId::MessageExpiryInterval, seconds);
            }
            for subscription in terms.ids {
                properties.push(PropertyId::SubscriptionIdentifier, PropertyValue::Variable(*subscription));
            }
            if connection.alias_limit > 0 && self.config.topic_alias_use {
                let known = connection.aliases_out.get(publication.topic).copied();
                let next = connection.aliases_out.len() as u64 + 1;
                if let Some(alias) = known {
                    topic = Cow::Borrowed("");
                    properties.push_number(PropertyId::TopicAlias, u32::from(alias));
                } else if next <= u64::from(connection.alias_limit) {
                    fresh_alias = Some(next as u16);
                    properties.push_number(PropertyId::TopicAlias, next as u32);
                }
            }
        }
        let publish = Publish {
            dup,
            qos: terms.qos,
            retain: terms.retain,
            topic,
            packet_id,
            properties,
            payload: Cow::Borrowed(publication.payload),
        };
        let fits = self.send(id, Packet::Publish(publish), terms.sending);
        if let (true, Some(alias), Some(connection)) = (fits, fresh_alias, self.connections.get_mut(&id)) {
            connection.aliases_out.insert(publication.topic.into(), alias);
        }
        fits
    }

    /// The session of a connection that is open.
    pub(super) fn session_of(&self, id: ConnectionId) -> Option<SessionId> {
        match self.connections.get(&id)?.phase {
            Phase::Open(session) => Some(session),
            _ => None,
        }
    }

    /// A session has ended: the shared messages that it leaves behind go to other members (U5-42). A QoS 2
    /// delivery that was begun stays with it and ends (MQTT-4.8.2-5).
    pub(super) fn redirect_all(&mut self, mut session: Session) {
        if self.config.shared_qos1_redirect == SharedQos1Redirect::Never {
            return;
        }
        let begun = session.outbox.in_flight.drain(..).map(|flight| (flight.delivery, true));
        let waiting = session.outbox.queue.drain(..).map(|delivery| (delivery, false));
        let left: Vec<(Delivery, bool)> =
            begun.chain(waiting).filter(|(delivery, _)| delivery.share.is_some()).collect();
        for (delivery, begun) in left {
            let redirects = !begun || delivery.qos != QoS::ExactlyOnce;
            if self.seam.redirects(redirects, delivery.qos, begun) {
                self.redirect(&delivery, None);
            }
        }
    }

    /// A connection is lost: with that choice, what its client has not acknowledged goes to another
    /// connected member at once.
    pub(super) fn redirect_at_once(&mut self, id: SessionId) {
        let at_once = self.config.shared_qos1_redirect == SharedQos1Redirect::AtOnce;
        if !at_once && !self.seam.redirects_at_once(false, QoS::ExactlyOnce) {
            return;
        }
        let Some(session) = self.state.sessions.get_mut(id) else { return };
        let outbox = &mut session.outbox;
        let mut left = Vec::new();
        let mut place = 0;
        while let Some(flight) = outbox.in_flight.get(place) {
            let delivery = &flight.delivery;
            let elsewhere = delivery.share.is_some_and(|group| {
                self.seam.redirects_at_once(at_once && delivery.qos == QoS::AtLeastOnce, delivery.qos)
                    && self.state.groups.get(group).is_some_and(|group| group.members.len() > 1)
            });
            if elsewhere && let Some(flight) = outbox.take(place) {
                outbox.free_id(flight.packet_id);
                left.push(flight.delivery);
            } else {
                place += 1;
            }
        }
        for delivery in left {
            self.redirect(&delivery, Some(id));
        }
    }

    /// Gives a shared message to another member.
    pub(super) fn redirect(&mut self, delivery: &Delivery, except: Option<SessionId>) {
        let Some(group) = delivery.share else { return };
        let message = Arc::clone(&delivery.message);
        if self.seam.is_expired(message.is_expired(self.now), false) {
            return;
        }
        // With nobody else connected it stays owed to the one who had it.
        let member = self.choose_member(group, except).or_else(|| self.choose_member(group, None));
        let Some(member) = member else { return };
        self.deliver_to_member(message.view(), &mut Some(Arc::clone(&message)), group, member);
    }
}

/// A delivery to be kept; all copies of a message share its one record.
fn owed(publication: Publication<'_>, kept: &mut Option<Arc<Message>>, terms: Terms<'_>) -> Delivery {
    let message = Arc::clone(kept.get_or_insert_with(|| publication.keep()));
    Delivery { message, qos: terms.qos, retain: terms.retain, ids: terms.ids.to_vec(), share: terms.share }
}

/// Whole seconds until then, rounded up: a message that has not expired never says 0.
fn remaining(at: Time, now: Time) -> u32 {
    u32::try_from(at.0.saturating_sub(now.0).div_ceil(1_000_000)).unwrap_or(u32::MAX)
}
