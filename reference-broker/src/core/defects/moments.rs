//! The state itself, changed at the moments at which it is consistent.

use std::sync::Arc;

use super::super::message::{Message, Publication};
use super::super::session::{Session, SessionId};
use super::super::timer::Timer;
use super::super::tree::Entry;
use super::super::violation::{End, Moment};
use super::super::will::after;
use super::super::{Broker, ConnectionId, Output, topic};
use super::Kind;
use crate::codec::{PacketType, QoS};

/// Lets the active defect act.
pub(in crate::core) fn moment(broker: &mut Broker, kind: Kind, moment: Moment) {
    match (kind, moment) {
        (Kind::CleanStartKeepsSubscriptions, Moment::CleanStart(id)) => {
            let Some(session) = broker.state.sessions.get(id) else { return };
            let kept = session.subscriptions.iter().filter(|(_, held)| held.group.is_none());
            *broker.seam.memory.subscriptions.borrow_mut() =
                kept.map(|(filter, held)| (filter.clone(), *held)).collect();
        }
        (Kind::CleanStartKeepsSubscriptions, Moment::Connected { session, .. }) => {
            let kept = std::mem::take(&mut *broker.seam.memory.subscriptions.borrow_mut());
            for (filter, held) in kept {
                broker.state.tree.insert(&filter, Entry { session, grant: held.grant });
                if let Some(session) = broker.state.sessions.get_mut(session) {
                    session.subscriptions.insert(filter, held);
                }
            }
        }
        (Kind::CleanStartKeepsQueue, Moment::CleanStart(id)) => {
            let Some(session) = broker.state.sessions.get(id) else { return };
            *broker.seam.memory.queue.borrow_mut() = session.outbox.queue.iter().cloned().collect();
        }
        (Kind::CleanStartKeepsQueue, Moment::Connected { session, .. }) => {
            let kept = std::mem::take(&mut *broker.seam.memory.queue.borrow_mut());
            with(broker, session, |session| session.outbox.queue.extend(kept));
        }
        (Kind::SubscriptionsForgotten, Moment::Connected { session, present: true })
        | (Kind::SubscriptionLost, Moment::Subscribed(session)) => drop_subscriptions(broker, session),
        (Kind::QueueForgotten, Moment::Connected { session, present: true }) => {
            with(broker, session, |session| session.outbox.queue.clear());
        }
        (Kind::SubscriptionIdentifiersForgotten, Moment::Connected { session, present: true }) => {
            let Some(state) = broker.state.sessions.get_mut(session) else { return };
            let mut changed = Vec::new();
            for (filter, held) in state.subscriptions.iter_mut().filter(|(_, held)| held.group.is_none()) {
                held.grant.id = 0;
                changed.push((filter.clone(), held.grant));
            }
            for (filter, grant) in changed {
                broker.state.tree.insert(&filter, Entry { session, grant });
            }
        }
        (Kind::CleanSessionSwept, Moment::Connected { session, .. })
            if broker.state.sessions.get(session).is_some_and(|session| session.expiry == 0) =>
        {
            let at = after(broker.now, 60);
            broker.timers.arm(at, Timer::SessionExpiry(session));
        }
        (Kind::OnlyLastQueued, Moment::Connected { session, present: true }) => {
            with(broker, session, |session| {
                let surplus = session.outbox.queue.len().saturating_sub(1);
                session.outbox.queue.drain(..surplus);
            });
        }
        (Kind::Qos1NotResent, Moment::Connected { session, .. }) => forget(broker, session, QoS::AtLeastOnce),
        (Kind::Qos2NotResent, Moment::Connected { session, .. }) => forget(broker, session, QoS::ExactlyOnce),
        (Kind::ResentInReverse, Moment::Connected { session, .. }) => {
            with(broker, session, |session| session.outbox.in_flight.make_contiguous().reverse());
        }
        (Kind::PubrelsInReverse, Moment::Connected { session, .. }) => {
            with(broker, session, |session| session.outbox.releasing.make_contiguous().reverse());
        }
        (Kind::QueueInReverse, Moment::Connected { session, .. }) => {
            with(broker, session, |session| session.outbox.queue.make_contiguous().reverse());
        }
        (Kind::Qos2ForgottenOnResume, Moment::Connected { session, .. }) => {
            with(broker, session, |session| session.incoming.clear());
        }
        (Kind::TakeoverLosesSession, Moment::Ending { session, end: End::TakenOver }) => {
            drop_subscriptions(broker, session);
            with(broker, session, |session| session.outbox.queue.clear());
        }
        (Kind::WillTwice, Moment::Ending { session, end }) if end != (End::Disconnected { will: false }) => {
            let will = broker.state.sessions.get(session).and_then(|session| session.will.clone());
            if let Some(will) = will.filter(|will| will.delay == 0) {
                broker.publish_stored_will(&will);
            }
        }
        (Kind::WillOnReconnect, Moment::Resuming(session))
            if broker.state.sessions.get(session).is_some_and(|session| session.will_at.is_some()) =>
        {
            broker.publish_will(session);
        }
        (Kind::MalformedPublishForwarded, Moment::Closed(End::Malformed(_))) => {
            let topics = std::mem::take(&mut *broker.seam.memory.topics.borrow_mut());
            for topic in topics {
                broker.route(Publication {
                    topic: &topic,
                    qos: QoS::AtMostOnce,
                    retain: false,
                    properties: &[],
                    payload: b"x",
                    publisher: None,
                    expires_at: None,
                });
            }
        }
        (Kind::UnsubscribeDropsInFlight, Moment::Unsubscribed(session)) => {
            forget(broker, session, QoS::AtLeastOnce);
            forget(broker, session, QoS::ExactlyOnce);
        }
        (Kind::RetainedDiesWithSession, Moment::SessionEnding(id)) => {
            let Some(client_id) = broker.state.sessions.get(id).map(|session| Arc::clone(&session.client_id))
            else {
                return;
            };
            broker.state.retained.retain(|message| message.view().publisher != Some(&client_id));
        }
        (Kind::RetainedOnResume, Moment::Connected { session, present: true }) => {
            send_retained(broker, session)
        }
        (Kind::ConnackLast, Moment::Resumed(session)) => put_connack_last(broker, session),
        (Kind::BadClientClosesOthers, Moment::Closed(End::Malformed(_) | End::Violation(_))) => {
            let others: Vec<ConnectionId> = broker.connections.keys().copied().collect();
            for other in others {
                broker.end_connection(other, End::NoConnect);
            }
        }
        _ => {}
    }
}

fn with(broker: &mut Broker, id: SessionId, change: impl FnOnce(&mut Session)) {
    if let Some(session) = broker.state.sessions.get_mut(id) {
        change(session);
    }
}

fn drop_subscriptions(broker: &mut Broker, id: SessionId) {
    let Some(session) = broker.state.sessions.get_mut(id) else { return };
    for (filter, held) in std::mem::take(&mut session.subscriptions) {
        broker.state.unlink(id, &filter, held.group);
    }
}

/// Forgets deliveries of this QoS that are not acknowledged.
fn forget(broker: &mut Broker, id: SessionId, qos: QoS) {
    with(broker, id, |session| {
        let outbox = &mut session.outbox;
        let mut place = 0;
        while let Some(flight) = outbox.in_flight.get(place) {
            if flight.delivery.qos == qos {
                let packet_id = flight.packet_id;
                outbox.take(place);
                outbox.free_id(packet_id);
            } else {
                place += 1;
            }
        }
    });
}

/// Queues the retained messages of all subscriptions once more.
fn send_retained(broker: &mut Broker, id: SessionId) {
    let Some(session) = broker.state.sessions.get(id) else { return };
    let mut found: Vec<Arc<Message>> = Vec::new();
    for filter in session.subscriptions.keys() {
        found.extend(
            broker
                .state
                .retained
                .iter()
                .filter(|(name, _)| topic::matches(filter, name))
                .map(|(_, message)| Arc::clone(message)),
        );
    }
    with(broker, id, |session| {
        for message in found {
            let qos = message.qos();
            session.outbox.queue.push_back(super::super::message::Delivery {
                message,
                qos,
                retain: true,
                ids: Vec::new(),
                share: None,
            });
        }
    });
}

/// Moves CONNACK behind everything else that waits to be put out for its connection.
fn put_connack_last(broker: &mut Broker, id: SessionId) {
    let Some(connection) = broker.state.sessions.get(id).and_then(|session| session.connection) else {
        return;
    };
    let is_connack = |output: &Output| {
        matches!(output, Output::Send { connection: to, bytes }
            if *to == connection && bytes.first().is_some_and(|first| first >> 4 == PacketType::Connack as u8))
    };
    if let Some(place) = broker.outputs.iter().position(is_connack)
        && let Some(connack) = broker.outputs.remove(place)
    {
        broker.outputs.push_back(connack);
    }
}
