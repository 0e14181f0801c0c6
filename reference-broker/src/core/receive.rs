//! PUBLISH from a client, and the acknowledgements of both directions (sections 3.3 to 3.7, 4.3).

use std::sync::Arc;

use super::access::{Action, allows};
use super::config::{
    DisallowedCodePoints, DollarTopics, IdentifierInUse, InvalidTopicName, NoMatchingSubscribers,
    PayloadFormatCheck, Qos2Forwarding, RepeatedQos2Publish, UnauthorisedPublish, UnknownIdentifier,
};
use super::message::Publication;
use super::outbox::InFlight;
use super::seam::Sending;
use super::session::{Incoming, SessionId};
use super::violation::Violation;
use super::will::after;
use super::{Broker, ConnectionId, topic};
use crate::codec::{
    Ack, Packet, PacketType, Properties, PropertyId, PropertyIter, ProtocolVersion, Publish, QoS, ReasonCode,
};

/// What becomes of a PUBLISH that is in order.
enum Verdict {
    /// It is passed on.
    Forward,
    /// It is not, and is acknowledged with this.
    Drop(ReasonCode),
    /// The connection has been closed.
    Closed,
}

impl Broker {
    /// PUBLISH (section 3.3).
    pub(super) fn take_publish(&mut self, id: ConnectionId, session: SessionId, publish: &Publish<'_>) {
        let Some(resolved) = self.resolve_topic(id, publish) else { return };
        let topic: &str = resolved.as_deref().unwrap_or(&publish.topic);
        if self.breaks_publish_rules(id, session, publish) {
            return;
        }
        let verdict = self.judge_publish(id, publish, topic);
        if matches!(verdict, Verdict::Closed) {
            return;
        }
        let packet_id = publish.packet_id.unwrap_or_default();
        let version = self.connections.get(&id).map_or(ProtocolVersion::V5, |connection| connection.version);
        let publisher = self.state.sessions.get(session).map(|session| Arc::clone(&session.client_id));
        let properties = travelling(&publish.properties);
        let expiry = if publish.properties.is_empty() {
            None
        } else {
            publish.properties.number(PropertyId::MessageExpiryInterval)
        };
        let publication = Publication {
            topic,
            qos: publish.qos,
            retain: publish.retain,
            properties: properties.as_bytes(),
            payload: &publish.payload,
            publisher: publisher.as_ref(),
            expires_at: expiry.map(|seconds| after(self.now, seconds)),
        };
        match (publish.qos, verdict) {
            (QoS::AtMostOnce, Verdict::Forward) => {
                self.route(publication);
            }
            (QoS::AtMostOnce, _) => {}
            (QoS::AtLeastOnce, Verdict::Forward) => {
                let heard = self.route(publication);
                let reason = self.success(version, heard);
                self.acknowledge(id, PacketType::Puback, packet_id, reason, "accepted");
            }
            (QoS::AtLeastOnce, Verdict::Drop(reason)) => {
                self.acknowledge(id, PacketType::Puback, packet_id, reason, "not accepted");
            }
            (QoS::ExactlyOnce, verdict) => self.receive_once(id, session, packet_id, publication, &verdict),
            (_, Verdict::Closed) => {}
        }
    }

    /// A QoS 2 PUBLISH: passed on once, however often it comes (MQTT-4.3.3-10; -2 in 3.1.1).
    fn receive_once(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        packet_id: u16,
        publication: Publication<'_>,
        verdict: &Verdict,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let version = connection.version;
        let Some(state) = self.state.sessions.get_mut(session) else { return };
        let known = state.incoming.get_mut(&packet_id);
        if self.seam.is_repetition(known.is_some(), packet_id, &state.outbox) {
            let live = known.is_some_and(|known| std::mem::replace(&mut known.counted, true));
            if !live {
                connection.receiving = connection.receiving.saturating_add(1);
            }
            let choice = if version == ProtocolVersion::V5 && live {
                self.config.repeated_qos2_publish
            } else {
                RepeatedQos2Publish::Pubrec
            };
            let reason = match choice {
                RepeatedQos2Publish::Pubrec => ReasonCode::SUCCESS,
                RepeatedQos2Publish::Pubrec91 => ReasonCode::PACKET_IDENTIFIER_IN_USE,
                RepeatedQos2Publish::Close => return self.violated(id, Violation::RepeatedPublish),
            };
            return self.acknowledge(
                id,
                PacketType::Pubrec,
                packet_id,
                reason,
                Violation::RepeatedPublish.text(),
            );
        }
        // A refusal ends the exchange at once (MQTT-4.3.3-9): nothing is remembered.
        if let Verdict::Drop(reason) = verdict
            && reason.is_error()
        {
            if self.seam.refused_is_received(false) {
                state.incoming.insert(packet_id, Incoming::default());
            }
            return self.acknowledge(id, PacketType::Pubrec, packet_id, *reason, "not accepted");
        }
        let forward = matches!(verdict, Verdict::Forward);
        let later = self.config.qos2_forwarding == Qos2Forwarding::OnPubrel;
        let message = (forward && later).then(|| publication.keep());
        let fresh = state.incoming.insert(packet_id, Incoming { counted: true, message }).is_none();
        connection.receiving = connection.receiving.saturating_add(u16::from(fresh));
        self.seam.received(packet_id, publication.expires_at);
        let heard = if forward && !later { self.route(publication) } else { true };
        let reason = self.success(version, heard);
        self.acknowledge(id, PacketType::Pubrec, packet_id, reason, "accepted");
    }

    /// Success, or 0x10 if it is known that nobody heard it.
    fn success(&self, version: ProtocolVersion, heard: bool) -> ReasonCode {
        if !heard
            && version == ProtocolVersion::V5
            && self.config.no_matching_subscribers == NoMatchingSubscribers::Ack10
        {
            ReasonCode::NO_MATCHING_SUBSCRIBERS
        } else {
            ReasonCode::SUCCESS
        }
    }

    /// The topic that a Topic Alias stands for; sets the alias where the PUBLISH has both. The outer `None`
    /// means that the connection has been closed, the inner one that the topic is that of the packet.
    #[allow(clippy::option_option, reason = "closed, and no alias, are two different things")]
    fn resolve_topic(&mut self, id: ConnectionId, publish: &Publish<'_>) -> Option<Option<Arc<str>>> {
        if publish.properties.is_empty() {
            return Some(None);
        }
        let Some(alias) = publish.properties.number(PropertyId::TopicAlias) else { return Some(None) };
        let alias = alias as u16;
        if alias > self.seam.largest_alias(self.config.topic_alias_maximum)
            && self.forbids(id, Violation::TopicAliasTooLarge)
        {
            return None;
        }
        let connection = self.connections.get_mut(&id)?;
        if !publish.topic.is_empty() {
            connection.aliases_in.insert(alias, Arc::from(&*publish.topic));
            return Some(None);
        }
        match connection.aliases_in.get(&alias) {
            Some(topic) => Some(Some(Arc::clone(topic))),
            None => {
                self.violated(id, Violation::TopicAliasUnknown);
                None
            }
        }
    }

    /// Rules whose breach is a Protocol Error. Answers whether the packet must not be processed.
    fn breaks_publish_rules(&mut self, id: ConnectionId, session: SessionId, publish: &Publish<'_>) -> bool {
        let version = self.connections.get(&id).map_or(ProtocolVersion::V5, |connection| connection.version);
        if publish.qos > self.config.maximum_qos && self.forbids(id, Violation::QosNotSupported) {
            return true;
        }
        if version != ProtocolVersion::V5 {
            return false;
        }
        if publish.retain && !self.config.retain_available && self.forbids(id, Violation::RetainNotSupported)
        {
            return true;
        }
        if !publish.properties.is_empty() {
            if publish.properties.get(PropertyId::SubscriptionIdentifier).is_some()
                && self.forbids(id, Violation::SubscriptionIdentifierFromClient)
            {
                return true;
            }
            if let Some(response) = publish.properties.text(PropertyId::ResponseTopic)
                && !topic::is_name(response)
                && self.forbids(id, Violation::ResponseTopic)
            {
                return true;
            }
        }
        // QoS 1 is acknowledged at once, so that only QoS 2 can add up; one that is known does not add.
        let receiving = self.connections.get(&id).map_or(0, |connection| connection.receiving);
        if publish.qos == QoS::AtMostOnce || receiving < self.config.receive_maximum.0 {
            return false;
        }
        let packet_id = publish.packet_id.unwrap_or_default();
        let incoming = self.state.sessions.get(session).and_then(|session| session.incoming.get(&packet_id));
        incoming.is_none_or(|incoming| !incoming.counted)
            && self.forbids(id, Violation::ReceiveMaximumExceeded)
    }

    /// Whether the message may be published, as rights and choices have it.
    fn judge_publish(&mut self, id: ConnectionId, publish: &Publish<'_>, topic: &str) -> Verdict {
        let version = self.connections.get(&id).map_or(ProtocolVersion::V5, |connection| connection.version);
        // A failure can be told only in 5.0, and only where there is an acknowledgement.
        let tells = version == ProtocolVersion::V5 && publish.qos != QoS::AtMostOnce;
        if !topic::is_name(topic) && !self.seam.tolerates(false, Violation::TopicName) {
            let tells = tells && self.config.invalid_topic_name == InvalidTopicName::AckFailure;
            return self.drop_or_close(id, tells, ReasonCode::TOPIC_NAME_INVALID, Violation::TopicName);
        }
        if self.config.disallowed_code_points != DisallowedCodePoints::Accept
            && topic::has_disallowed_code_point(topic)
        {
            let tells = tells && self.config.disallowed_code_points == DisallowedCodePoints::AckFailure;
            return self.drop_or_close(
                id,
                tells,
                ReasonCode::TOPIC_NAME_INVALID,
                Violation::DisallowedCodePoint,
            );
        }
        if self.config.payload_format_check != PayloadFormatCheck::Forward
            && publish.properties.number(PropertyId::PayloadFormatIndicator) == Some(1)
            && std::str::from_utf8(&publish.payload).is_err()
        {
            let tells = tells && self.config.payload_format_check == PayloadFormatCheck::Ack99;
            return self.drop_or_close(
                id,
                tells,
                ReasonCode::PAYLOAD_FORMAT_INVALID,
                Violation::PayloadFormat,
            );
        }
        if topic.starts_with('$') {
            match self.config.dollar_topics {
                DollarTopics::Deliver => {}
                DollarTopics::Ignore => return Verdict::Drop(ReasonCode::SUCCESS),
                DollarTopics::Refuse => {
                    return self.drop_or_close(
                        id,
                        tells,
                        ReasonCode::TOPIC_NAME_INVALID,
                        Violation::DollarTopic,
                    );
                }
            }
        }
        let user = self.connections.get(&id).and_then(|connection| connection.user.as_deref());
        let allowed =
            self.config.access.is_empty() || allows(&self.config.access, Action::Publish, user, topic);
        if !self.seam.authorises(allowed, Action::Publish) {
            return match self.config.unauthorised_publish {
                UnauthorisedPublish::Close => {
                    self.drop_or_close(id, false, ReasonCode::NOT_AUTHORIZED, Violation::PublishDenied)
                }
                UnauthorisedPublish::Ack87 if tells => Verdict::Drop(ReasonCode::NOT_AUTHORIZED),
                _ => Verdict::Drop(ReasonCode::SUCCESS),
            };
        }
        self.judge_identifier(id, publish, tells)
    }

    /// A QoS 1 PUBLISH whose identifier an open QoS 2 exchange has.
    fn judge_identifier(&mut self, id: ConnectionId, publish: &Publish<'_>, tells: bool) -> Verdict {
        if publish.qos != QoS::AtLeastOnce || self.config.identifier_in_use == IdentifierInUse::Process {
            return Verdict::Forward;
        }
        if !self.is_receiving(id, publish.packet_id.unwrap_or_default()) {
            return Verdict::Forward;
        }
        let tells = tells && self.config.identifier_in_use == IdentifierInUse::Answer91;
        if !tells && self.config.identifier_in_use == IdentifierInUse::Answer91 {
            return Verdict::Forward;
        }
        self.drop_or_close(id, tells, ReasonCode::PACKET_IDENTIFIER_IN_USE, Violation::IdentifierInUse)
    }

    /// Whether the client has a QoS 2 exchange open with this identifier.
    pub(super) fn is_receiving(&self, id: ConnectionId, packet_id: u16) -> bool {
        self.session_of(id)
            .and_then(|session| self.state.sessions.get(session))
            .is_some_and(|session| session.incoming.contains_key(&packet_id))
    }

    fn drop_or_close(
        &mut self,
        id: ConnectionId,
        drop: bool,
        reason: ReasonCode,
        violation: Violation,
    ) -> Verdict {
        if drop {
            return Verdict::Drop(reason);
        }
        self.violated(id, violation);
        Verdict::Closed
    }

    /// Sends PUBACK, PUBREC, PUBREL or PUBCOMP.
    fn acknowledge(
        &mut self,
        id: ConnectionId,
        kind: PacketType,
        packet_id: u16,
        reason: ReasonCode,
        text: &str,
    ) {
        let properties = self.diagnostics(id, kind, reason, text);
        let ack = Ack { packet_id, reason, properties };
        let packet = match kind {
            PacketType::Puback => Packet::Puback(ack),
            PacketType::Pubrec => Packet::Pubrec(ack),
            PacketType::Pubrel => Packet::Pubrel(ack),
            _ => Packet::Pubcomp(ack),
        };
        self.send(id, packet, Sending::Answer);
    }

    /// PUBREL: the client gives the message up, and its identifier is new again (MQTT-4.3.3-11 and -12).
    pub(super) fn take_pubrel(&mut self, id: ConnectionId, session: SessionId, ack: &Ack<'_>) {
        let Some(state) = self.state.sessions.get_mut(session) else { return };
        let incoming = if self.seam.release_forgets(true) {
            state.incoming.remove(&ack.packet_id)
        } else {
            state.incoming.get(&ack.packet_id).map(|_| Incoming::default())
        };
        let Some(incoming) = incoming else {
            return self.unknown_identifier(id, PacketType::Pubcomp, ack.packet_id);
        };
        if incoming.counted
            && let Some(connection) = self.connections.get_mut(&id)
        {
            connection.receiving = connection.receiving.saturating_sub(1);
        }
        if let Some(message) = incoming.message {
            self.route(message.view());
        }
        if !self.seam.answers_release(true, ack.packet_id, self.now) {
            return;
        }
        self.acknowledge(id, PacketType::Pubcomp, ack.packet_id, ReasonCode::SUCCESS, "complete");
    }

    /// PUBACK: a QoS 1 delivery is settled, whatever the reason (MQTT-4.4.0-2).
    pub(super) fn take_puback(&mut self, id: ConnectionId, session: SessionId, ack: &Ack<'_>) {
        let Some(state) = self.state.sessions.get_mut(session) else { return };
        let Some(place) = state.outbox.place(ack.packet_id) else { return self.take_surplus(id) };
        if state.outbox.in_flight[place].delivery.qos != QoS::AtLeastOnce
            || !self.seam.settles(true, PacketType::Puback)
        {
            return;
        }
        let flight = state.outbox.take(place);
        state.outbox.free_id(ack.packet_id);
        if ack.reason.is_error() {
            self.refused(session, flight);
        }
        self.pump(session, id);
    }

    /// An acknowledgement that settles nothing leaves everything as it is (U5-44).
    fn take_surplus(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.window = self.seam.window_after_surplus(connection.window);
        }
    }

    /// PUBREC: a QoS 2 delivery has arrived, or is refused and settled (MQTT-4.3.3-4).
    pub(super) fn take_pubrec(&mut self, id: ConnectionId, session: SessionId, ack: &Ack<'_>) {
        let Some(state) = self.state.sessions.get_mut(session) else { return };
        let outbox = &mut state.outbox;
        let place = outbox.place(ack.packet_id);
        let place = place.filter(|place| outbox.in_flight[*place].delivery.qos == QoS::ExactlyOnce);
        let Some(place) = place else {
            // A repeated PUBREC gets its PUBREL again; the exchange goes on as it was.
            if outbox.releasing.contains(&ack.packet_id) && !ack.reason.is_error() {
                return self.acknowledge(
                    id,
                    PacketType::Pubrel,
                    ack.packet_id,
                    ReasonCode::SUCCESS,
                    "release",
                );
            }
            if !ack.reason.is_error() {
                self.unknown_identifier(id, PacketType::Pubrel, ack.packet_id);
            }
            return;
        };
        if ack.reason.is_error() && self.seam.refusal_settles(true) {
            let flight = outbox.take(place);
            outbox.free_id(ack.packet_id);
            self.refused(session, flight);
            return self.pump(session, id);
        }
        if self.seam.settles(true, PacketType::Pubrec) {
            outbox.take(place);
            outbox.releasing.push_back(ack.packet_id);
        }
        self.acknowledge(id, PacketType::Pubrel, ack.packet_id, ReasonCode::SUCCESS, "release");
    }

    /// A delivery that its client refused is over; a shared one goes to nobody else (MQTT-4.8.2-6).
    fn refused(&mut self, session: SessionId, flight: Option<InFlight>) {
        if let Some(flight) = flight.filter(|_| self.seam.refusal_redirects(false)) {
            self.redirect(&flight.delivery, Some(session));
        }
    }

    /// PUBCOMP: a QoS 2 delivery is complete.
    pub(super) fn take_pubcomp(&mut self, id: ConnectionId, session: SessionId, ack: &Ack<'_>) {
        let Some(state) = self.state.sessions.get_mut(session) else { return };
        if self.seam.settles(true, PacketType::Pubcomp) && state.outbox.complete(ack.packet_id) {
            self.pump(session, id);
        }
    }

    /// PUBREC or PUBREL with an identifier that no exchange has.
    fn unknown_identifier(&mut self, id: ConnectionId, answer: PacketType, packet_id: u16) {
        let version = self.connections.get(&id).map_or(ProtocolVersion::V5, |connection| connection.version);
        let resumed = self.connections.get(&id).is_some_and(|connection| connection.resumed);
        let reason = match (version, self.config.unknown_identifier) {
            (ProtocolVersion::V5, UnknownIdentifier::Answer00) if resumed => ReasonCode::SUCCESS,
            (ProtocolVersion::V5, _) => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
            // PUBREL is owed its PUBCOMP even if the exchange is over: a PUBCOMP may have been lost (MQTT-4.3.3-2).
            (_, UnknownIdentifier::Close) if answer != PacketType::Pubcomp => {
                return self.violated(id, Violation::IdentifierUnknown);
            }
            _ => ReasonCode::SUCCESS,
        };
        self.acknowledge(id, answer, packet_id, reason, Violation::IdentifierUnknown.text());
    }
}

/// The properties that travel with a message: all but those of this hop, and the expiry, which changes.
fn travelling<'a>(properties: &'a Properties<'_>) -> Properties<'a> {
    let stays = |id| {
        matches!(
            id,
            PropertyId::TopicAlias | PropertyId::MessageExpiryInterval | PropertyId::SubscriptionIdentifier
        )
    };
    let iter: PropertyIter<'_> = properties.iter();
    if properties.is_empty() || !iter.clone().any(|property| stays(property.id)) {
        return properties.borrowed();
    }
    properties.filtered(|property| !stays(property.id))
}
