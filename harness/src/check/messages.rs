//! The delivery checker: what became of every Application Message.
//!
//! *phantom*: it was never published. *duplicated*: it came more often than it may. *lost*: a subscriber to
//! whom it was owed did not get it. *reordered*: it overtook an earlier one of the same publisher, topic and
//! QoS. *unknown*: what the client's end knows does not decide; nothing is said then.
//!
//! Messages are told apart by topic and payload. Where the same content was published more than once, only
//! counts are judged.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reference_broker::codec::{Packet, PropertyId, ProtocolVersion, Publish, QoS, Subscribe};
use reference_broker::core::Time;
use smallvec::SmallVec;

use crate::history::Link;
use crate::scenario::Plan;

use super::{Findings, On, Seen, What, matches, pick};

const BY: &str = "messages";

/// A topic and payload that occurred, by number.
type Content = usize;

/// What is known of one topic and payload.
#[derive(Debug)]
struct Message<'h> {
    topic: Cow<'h, str>,
    payload: Cow<'h, [u8]>,
    published: SmallVec<[Published; 1]>,
}

/// Filter, QoS, Retain As Published and No Local of a subscription that was asked for.
type Asked = (String, u8, bool, bool);

/// One message with this content that a client published.
#[derive(Debug, Clone)]
struct Published {
    event: u32,
    client: usize,
    packet_id: Option<u16>,
    qos: QoS,
    retain: bool,
    /// A Will Message: when the broker publishes it is not seen.
    will: bool,
    /// When the broker took responsibility for it.
    acknowledged: Option<u32>,
    refused: bool,
    /// Its Packet Identifier was in use by another exchange, or was used for another one meanwhile: what becomes
    /// of the two is open.
    contested: bool,
    /// It was sent more than once.
    repeated: bool,
    expires: bool,
    size: usize,
}

/// A delivery to a client's application.
#[derive(Debug, Clone)]
struct Delivered {
    event: u32,
    qos: QoS,
    retain: bool,
}

/// A subscription as SUBACK granted it.
#[derive(Debug, Clone)]
struct Granted {
    filter: String,
    shared: bool,
    qos: u8,
    /// The lowest QoS that was ever granted for it.
    lowest: u8,
    retain_as_published: bool,
    no_local: bool,
    /// The event of the first SUBSCRIBE, and of the last SUBACK.
    asked: u32,
    answered: u32,
    removed: Option<u32>,
    replaced: bool,
}

#[derive(Debug, Default)]
struct Subscriber<'h> {
    granted: Vec<Granted>,
    pending: BTreeMap<u16, (u32, Vec<Asked>)>,
    unsubscribing: BTreeMap<u16, Vec<String>>,
    /// Deliveries by the number of what they deliver.
    delivered: Vec<SmallVec<[Delivered; 1]>>,
    /// The order of first deliveries.
    order: Vec<(Content, QoS, u32, bool, bool)>,
    held: BTreeSet<u16>,
    aliases: BTreeMap<u32, Cow<'h, str>>,
    link: Option<Link>,
    connected_since: Option<Time>,
    /// Its last connection was for itself alone; 3.1 has no Session Present to say that nothing is left of it.
    last_was_clean: bool,
    /// When the present state of subscriptions began: a clean start, or a session that was lost.
    state_since: u32,
    client_id: String,
    /// Another client of the plan uses the same identifier.
    shares_id: bool,
    /// Its identifier is used by another client of the plan too, or it acts by script: nothing is owed.
    irregular: bool,
    /// The Maximum Packet Size of each of its connections, with the event of its CONNECT.
    packet_sizes: Vec<(u32, Option<u32>)>,
    /// Every filter it ever asked for.
    filters: BTreeSet<String>,
}

pub(super) struct Messages<'p, 'h> {
    plan: &'p Plan,
    messages: Vec<Message<'h>>,
    /// Messages by the fingerprint of topic and payload.
    index: BTreeMap<u128, Content>,
    /// Exchanges without their acknowledgement: client, Packet Identifier and QoS, to message and publication.
    open: BTreeMap<(usize, u16, QoS), (Content, usize)>,
    subscribers: Vec<Subscriber<'h>>,
    sender_aliases: BTreeMap<(Link, u32), Cow<'h, str>>,
    settled: Option<Time>,
    broker_changed: bool,
    partitioned: bool,
    /// The script sent what cannot be read: a broker that takes it all the same has a message from it.
    unreadable: bool,
}

impl Subscriber<'_> {
    /// Whether a message may be larger than what this client took on a connection since it was published:
    /// then the broker was right to discard it (MQTT-3.1.2-25).
    fn too_large(&self, published: &Published) -> bool {
        let first = self.packet_sizes.iter().rposition(|(event, _)| *event <= published.event).unwrap_or(0);
        let sizes = self.packet_sizes[first.min(self.packet_sizes.len())..].iter();
        sizes.filter_map(|(_, size)| *size).any(|size| published.size > size as usize)
    }
}

fn share(filter: &str) -> (&str, bool) {
    match filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/')) {
        Some((_, inner)) => (inner, true),
        None => (filter, false),
    }
}

impl<'p, 'h> Messages<'p, 'h> {
    pub(super) fn new(plan: &'p Plan) -> Messages<'p, 'h> {
        Messages {
            plan,
            messages: Vec::new(),
            index: BTreeMap::new(),
            open: BTreeMap::new(),
            subscribers: plan.clients.iter().map(|_| Subscriber::default()).collect(),
            sender_aliases: BTreeMap::new(),
            settled: None,
            broker_changed: false,
            partitioned: false,
            unreadable: false,
        }
    }

    pub(super) fn observe(&mut self, seen: &Seen<'h>, out: &mut Findings) {
        match &seen.what {
            What::Opening(on) => {
                let subscriber = &mut self.subscribers[on.client];
                subscriber.link = Some(on.link);
                subscriber.aliases.clear();
                subscriber.connected_since = None;
                subscriber.pending.clear();
                subscriber.unsubscribing.clear();
            }
            What::Sent(on, packet) => self.sent(*on, packet, seen),
            What::SentGarbage(on) => {
                self.subscribers[on.client].irregular = true;
                self.unreadable = true;
            }
            What::Received(on, packet, _) => self.received(*on, packet, seen, out),
            What::Closed(on, ..) => {
                let subscriber = &mut self.subscribers[on.client];
                if subscriber.link == Some(on.link) {
                    subscriber.connected_since = None;
                }
            }
            What::Partitioned => self.partitioned = true,
            What::BrokerChanged => self.broker_changed = true,
            What::Settled => self.settled = Some(seen.at),
            What::ReceivedGarbage(on, _) => self.subscribers[on.client].irregular = true,
            What::Swallowed(..) => {}
        }
    }

    fn sent(&mut self, on: On, packet: &Packet<'h>, seen: &Seen<'h>) {
        let subscriber = &mut self.subscribers[on.client];
        match packet {
            Packet::Connect(connect) => {
                if !subscriber.client_id.is_empty() && subscriber.client_id != connect.client_id {
                    subscriber.irregular = true;
                }
                subscriber.client_id = connect.client_id.to_string();
                let size = connect.properties.number(PropertyId::MaximumPacketSize);
                subscriber.packet_sizes.push((seen.event, size));
                let nothing_left = subscriber.last_was_clean && connect.version == ProtocolVersion::V3_1;
                subscriber.last_was_clean = connect.clean_start;
                if connect.clean_start || nothing_left {
                    forget(subscriber, seen.event);
                    self.open.retain(|(client, ..), _| *client != on.client);
                }
                for at in 0..self.subscribers.len() {
                    let id = &self.subscribers[at].client_id;
                    let sharing =
                        self.subscribers.iter().filter(|it| !id.is_empty() && it.client_id == *id).count();
                    self.subscribers[at].shares_id = sharing > 1;
                }
                if let Some(will) = &connect.will {
                    let content = self.intern(&will.topic, &will.payload);
                    self.messages[content].published.push(Published {
                        event: seen.event,
                        client: on.client,
                        packet_id: None,
                        qos: will.qos,
                        retain: will.retain,
                        will: true,
                        acknowledged: None,
                        refused: false,
                        contested: false,
                        repeated: false,
                        expires: false,
                        size: 0,
                    });
                }
            }
            Packet::Publish(publish) => self.published(on, publish, seen),
            Packet::Subscribe(subscribe) => {
                let list = asked(subscribe);
                subscriber.filters.extend(list.iter().map(|(filter, ..)| filter.clone()));
                subscriber.pending.insert(subscribe.packet_id, (seen.event, list));
            }
            Packet::Unsubscribe(unsubscribe) => {
                let filters: Vec<String> = unsubscribe.filters.iter().map(ToString::to_string).collect();
                // From here on it is open whether a message is still delivered.
                for granted in &mut subscriber.granted {
                    if filters.contains(&granted.filter) {
                        granted.removed.get_or_insert(seen.event);
                    }
                }
                subscriber.unsubscribing.insert(unsubscribe.packet_id, filters);
            }
            Packet::Pubrec(ack) if ack.reason.is_error() => {
                subscriber.held.remove(&ack.packet_id);
            }
            _ => {}
        }
    }

    /// The number of a topic and payload.
    fn intern(&mut self, topic: &Cow<'h, str>, payload: &Cow<'h, [u8]>) -> Content {
        let key = fingerprint(topic, payload);
        if let Some(content) = self.index.get(&key) {
            return *content;
        }
        let content = self.messages.len();
        self.messages.push(Message {
            topic: topic.clone(),
            payload: payload.clone(),
            published: SmallVec::new(),
        });
        self.index.insert(key, content);
        content
    }

    fn published(&mut self, on: On, publish: &Publish<'h>, seen: &Seen<'h>) {
        let topic = match publish.properties.number(PropertyId::TopicAlias) {
            Some(alias) if publish.topic.is_empty() => {
                self.sender_aliases.get(&(on.link, alias)).cloned().unwrap_or_default()
            }
            Some(alias) => {
                self.sender_aliases.insert((on.link, alias), publish.topic.clone());
                publish.topic.clone()
            }
            None => publish.topic.clone(),
        };
        let content = self.intern(&topic, &publish.payload);
        let list = &mut self.messages[content].published;
        // A repetition of the same exchange is the same message.
        if publish.dup
            && let Some(before) = list
                .iter_mut()
                .rev()
                .find(|it| it.client == on.client && it.packet_id == publish.packet_id && !it.will)
        {
            before.repeated = true;
            return;
        }
        let mut contested = false;
        if let Some(id) = publish.packet_id {
            let other = match publish.qos {
                QoS::AtLeastOnce => QoS::ExactlyOnce,
                _ => QoS::AtLeastOnce,
            };
            let place = (content, self.messages[content].published.len());
            if let Some((content, at)) = self.open.get(&(on.client, id, other)).copied() {
                contested = true;
                if let Some(before) = self.messages[content].published.get_mut(at) {
                    before.contested = true;
                }
            }
            self.open.insert((on.client, id, publish.qos), place);
        }
        self.messages[content].published.push(Published {
            event: seen.event,
            client: on.client,
            packet_id: publish.packet_id,
            qos: publish.qos,
            retain: publish.retain,
            will: false,
            acknowledged: None,
            refused: false,
            contested,
            repeated: false,
            expires: publish.properties.get(PropertyId::MessageExpiryInterval).is_some(),
            size: publish.payload.len() + publish.topic.len() + publish.properties.as_bytes().len() + 32,
        });
    }

    fn received(&mut self, on: On, packet: &Packet<'h>, seen: &Seen<'h>, out: &mut Findings) {
        match packet {
            Packet::Connack(connack) => {
                let subscriber = &mut self.subscribers[on.client];
                if subscriber.link != Some(on.link) || connack.reason.0 != 0 {
                    return;
                }
                subscriber.connected_since = Some(seen.at);
                if !connack.session_present && on.version != ProtocolVersion::V3_1 {
                    forget(subscriber, seen.event);
                }
            }
            Packet::Suback(suback) => {
                let subscriber = &mut self.subscribers[on.client];
                let Some((event, list)) = subscriber.pending.remove(&suback.packet_id) else { return };
                for ((filter, _, retain_as_published, no_local), code) in
                    list.into_iter().zip(&suback.reasons)
                {
                    if code.0 > 2 {
                        continue;
                    }
                    let existing =
                        subscriber.granted.iter_mut().find(|it| it.filter == filter && it.removed.is_none());
                    match existing {
                        Some(granted) => {
                            granted.answered = seen.event;
                            granted.replaced |= granted.qos != code.0;
                            granted.qos = granted.qos.max(code.0);
                            granted.lowest = granted.lowest.min(code.0);
                            granted.retain_as_published |= retain_as_published;
                            granted.no_local |= no_local;
                        }
                        None => {
                            let shared = share(&filter).1;
                            subscriber.granted.push(Granted {
                                filter,
                                shared,
                                qos: code.0,
                                lowest: code.0,
                                retain_as_published,
                                no_local,
                                asked: event,
                                answered: seen.event,
                                removed: None,
                                replaced: false,
                            });
                        }
                    }
                }
            }
            Packet::Puback(ack) => {
                self.acknowledged(on, ack.packet_id, QoS::AtLeastOnce, ack.reason.is_error(), seen.event)
            }
            Packet::Pubrec(ack) if ack.reason.is_error() => {
                self.acknowledged(on, ack.packet_id, QoS::ExactlyOnce, true, seen.event);
            }
            Packet::Pubcomp(ack) => self.acknowledged(on, ack.packet_id, QoS::ExactlyOnce, false, seen.event),
            Packet::Pubrel(ack) => {
                self.subscribers[on.client].held.remove(&ack.packet_id);
            }
            Packet::Publish(publish) => self.delivered(on, publish, seen, out),
            _ => {}
        }
    }

    fn acknowledged(&mut self, on: On, id: u16, qos: QoS, refused: bool, event: u32) {
        if let Some((content, at)) = self.open.remove(&(on.client, id, qos)) {
            let published = &mut self.messages[content].published[at];
            published.acknowledged = Some(event);
            published.refused = refused;
        }
    }

    fn delivered(&mut self, on: On, publish: &Publish<'h>, seen: &Seen<'h>, out: &mut Findings) {
        let version = on.version;
        let subscriber = &mut self.subscribers[on.client];
        let topic = match publish.properties.number(PropertyId::TopicAlias) {
            Some(alias) if publish.topic.is_empty() => {
                subscriber.aliases.get(&alias).cloned().unwrap_or_default()
            }
            Some(alias) => {
                subscriber.aliases.insert(alias, publish.topic.clone());
                publish.topic.clone()
            }
            None => publish.topic.clone(),
        };
        let fresh = match (publish.qos, publish.packet_id) {
            (QoS::ExactlyOnce, Some(id)) => subscriber.held.insert(id),
            _ => true,
        };
        if topic.starts_with("$SYS") || topic.is_empty() {
            return;
        }
        // Subscriptions of the same Client Identifier under another name of the plan count as well.
        let own = &self.subscribers[on.client];
        let asked = |subscriber: &Subscriber<'_>| {
            subscriber.filters.iter().any(|filter| matches(share(filter).0, &topic))
        };
        let matched = asked(own)
            || own.shares_id
                && self.subscribers.iter().any(|other| other.client_id == own.client_id && asked(other));
        if !matched {
            let ids: &[&str] = if topic.starts_with('$') {
                &["MQTT-4.7.2-1", "MQTT-3.3.2-3"]
            } else {
                &["MQTT-3.3.2-3", pick(version, "U5-89", "U3-30")]
            };
            out.violation(
                BY,
                ids,
                "deliveries whose topic matches a filter of the client",
                format!("a message on {topic:?}"),
                vec![seen.event],
            );
        }
        let content = self.index.get(&fingerprint(&topic, &publish.payload)).copied();
        let Some(content) = content.filter(|content| !self.messages[*content].published.is_empty()) else {
            if self.unreadable {
                return;
            }
            out.violation(
                BY,
                &["MQTT-3.3.2-3"],
                "messages that somebody published (phantom otherwise)",
                format!("a message on {topic:?} that nobody published like that"),
                vec![seen.event],
            );
            return;
        };
        if !fresh {
            return;
        }
        self.flags(on, publish, &topic, &self.messages[content].published, seen, out);
        let subscriber = &mut self.subscribers[on.client];
        subscriber.order.push((content, publish.qos, seen.event, publish.dup, publish.retain));
        if subscriber.delivered.len() <= content {
            subscriber.delivered.resize_with(content + 1, SmallVec::new);
        }
        subscriber.delivered[content].push(Delivered {
            event: seen.event,
            qos: publish.qos,
            retain: publish.retain,
        });
    }

    /// QoS and RETAIN of a delivery.
    fn flags(
        &self,
        on: On,
        publish: &Publish<'_>,
        topic: &str,
        published: &[Published],
        seen: &Seen<'_>,
        out: &mut Findings,
    ) {
        let version = on.version;
        let subscriber = &self.subscribers[on.client];
        let shares_id = subscriber.shares_id;
        if shares_id || subscriber.irregular {
            return;
        }
        let matching: SmallVec<[&Granted; 8]> =
            subscriber.granted.iter().filter(|it| matches(share(&it.filter).0, topic)).collect();
        let pending = subscriber
            .pending
            .values()
            .flat_map(|(_, list)| list)
            .any(|(filter, ..)| matches(share(filter).0, topic));
        if matching.is_empty() || pending {
            return;
        }
        let granted = matching.iter().map(|it| it.qos).max().unwrap_or(0);
        let highest = published.iter().map(|it| it.qos.number()).max().unwrap_or(0);
        let ids: &[&str] = pick(version, &["MQTT-3.8.4-8"], &["MQTT-3.8.4-6"]);
        if publish.qos.number() > granted.min(highest) {
            out.violation(
                BY,
                ids,
                format!("QoS {} at most: published at {highest}, granted {granted}", granted.min(highest)),
                format!("QoS {}", publish.qos),
                vec![seen.event],
            );
        }
        if let ([one], [only]) = (&matching[..], published)
            && !one.replaced
            && !only.retain
            && publish.qos.number() < one.qos.min(only.qos.number())
        {
            out.violation(
                BY,
                ids,
                format!(
                    "QoS {}: published at {}, granted {}",
                    one.qos.min(only.qos.number()),
                    only.qos,
                    one.qos
                ),
                format!("QoS {}", publish.qos),
                vec![seen.event],
            );
        }
        // Published only after every matching subscription stood: it comes because of an existing one.
        let last_answer = matching.iter().map(|it| it.answered).max().unwrap_or(0);
        let live = published.iter().all(|it| !it.will && it.event > last_answer);
        if publish.retain && live && !matching.iter().any(|it| it.retain_as_published) {
            out.violation(
                BY,
                pick(version, &["MQTT-3.3.1-12"], &["MQTT-3.3.1-9"]),
                "RETAIN 0 on a message for an existing subscription",
                "RETAIN 1",
                vec![seen.event],
            );
        }
        // Published and acknowledged before the client asked for anything: it can only be retained.
        let first_asked = matching.iter().map(|it| it.asked).min().unwrap_or(0);
        let stored =
            published.iter().all(|it| !it.will && it.acknowledged.is_some_and(|event| event < first_asked));
        let shared = matching.iter().any(|it| it.shared);
        if !publish.retain && !shared && stored && subscriber.state_since <= first_asked && !publish.dup {
            out.violation(
                BY,
                pick(version, &["U5-73", "MQTT-3.3.1-9"], &["MQTT-3.3.1-8"]),
                "RETAIN 1 on a message that was stored before the subscription",
                "RETAIN 0",
                vec![seen.event],
            );
        }
    }

    pub(super) fn conclude(&mut self, out: &mut Findings) {
        self.duplicates(out);
        self.reordered(out);
        if self.settled.is_some() && !self.broker_changed {
            self.lost(out);
        }
    }

    fn duplicates(&self, out: &mut Findings) {
        for (client, subscriber) in self.subscribers.iter().enumerate() {
            let version = self.plan.clients[client].version;
            let shares_id = subscriber.shares_id;
            for (content, delivered) in subscriber.delivered.iter().enumerate() {
                let Message { topic, payload, published } = &self.messages[content];
                // Retained messages come again with every subscription, wills at times that are not seen.
                if delivered.is_empty()
                    || published
                        .iter()
                        .any(|it| it.retain || it.will || self.subscribers[it.client].shares_id)
                    || delivered.iter().any(|it| it.retain)
                    || shares_id
                {
                    continue;
                }
                let filters =
                    subscriber.filters.iter().filter(|filter| matches(share(filter).0, topic)).count();
                let lowest = published.iter().map(|it| it.qos).min().unwrap_or_default();
                let highest = published.iter().map(|it| it.qos).max().unwrap_or_default();
                let (count, ids): (usize, &[&str]) = match (lowest, highest) {
                    // Exactly once holds where both the publisher and the delivery are at QoS 2, and never
                    // duplicates a QoS 2 message into QoS 0 either.
                    (QoS::ExactlyOnce, _) => {
                        let count = delivered.iter().filter(|it| it.qos != QoS::AtLeastOnce).count();
                        (count, pick(version, &["MQTT-4.3.3-10", "MQTT-4.3.3-12"], &["MQTT-4.3.3-2"]))
                    }
                    (_, QoS::AtMostOnce) => (delivered.len(), &["MQTT-4.3.1-1"]),
                    _ => continue,
                };
                let allowed = published.len() * filters.max(1);
                if count > allowed {
                    out.violation(
                        BY,
                        ids,
                        format!(
                            "\"{}\" at most {} at {} (duplicated otherwise)",
                            text(payload),
                            if allowed == 1 { "once".to_string() } else { format!("{allowed} times") },
                            self.plan.clients[client].name
                        ),
                        format!("it came {count} times"),
                        delivered.iter().map(|it| it.event).collect(),
                    );
                }
            }
        }
    }

    fn reordered(&self, out: &mut Findings) {
        for (client, subscriber) in self.subscribers.iter().enumerate() {
            let version = self.plan.clients[client].version;
            if subscriber.filters.iter().any(|filter| share(filter).1) {
                continue;
            }
            // Publisher, topic, published QoS, delivered QoS → the last message seen.
            let mut last: BTreeMap<(usize, &str, QoS, QoS), (u32, u32)> = BTreeMap::new();
            let mut met = vec![false; self.messages.len()];
            for (content, qos, event, dup, retain) in &subscriber.order {
                let [published] = self.messages[*content].published.as_slice() else { continue };
                if *dup
                    || *retain
                    || published.will
                    || published.repeated
                    || published.retain
                    || std::mem::replace(&mut met[*content], true)
                {
                    continue;
                }
                let key = (published.client, self.messages[*content].topic.as_ref(), published.qos, *qos);
                match last.get(&key) {
                    Some((before, earlier)) if *before > published.event => {
                        out.violation(
                            BY,
                            pick(
                                version,
                                &["MQTT-4.6.0-5", "MQTT-4.6.0-6"],
                                &["MQTT-4.6.0-6", "MQTT-4.6.0-5"],
                            ),
                            "messages of one publisher, topic and QoS in their order (reordered otherwise)",
                            format!(
                                "\"{}\" came after a later message",
                                text(&self.messages[*content].payload)
                            ),
                            vec![*earlier, *event],
                        );
                    }
                    _ => {
                        last.insert(key, (published.event, *event));
                    }
                }
            }
        }
    }

    /// Messages that the broker took and owed to a subscriber who was there in the end.
    fn lost(&self, out: &mut Findings) {
        let Some(settled) = self.settled else { return };
        if self.partitioned {
            return;
        }
        for (client, subscriber) in self.subscribers.iter().enumerate() {
            let plan = &self.plan.clients[client];
            let shares_id = subscriber.shares_id;
            let there =
                subscriber.connected_since.is_some_and(|since| since + Duration::from_millis(500) <= settled);
            if !there || subscriber.irregular || shares_id || self.acts_by_script(client) {
                continue;
            }
            for (content, Message { topic, payload, published }) in self.messages.iter().enumerate() {
                let [only] = &published[..] else { continue };
                // Two clients with one identifier send what the broker takes for repetitions of each other.
                let shared = self.subscribers[only.client].shares_id;
                let open = only.will || only.refused || only.contested || only.expires;
                if open || shared || only.qos == QoS::AtMostOnce {
                    continue;
                }
                let Some(acknowledged) = only.acknowledged else { continue };
                let owed = subscriber.granted.iter().any(|it| {
                    !it.shared
                        && it.lowest > 0
                        && it.answered < only.event
                        && it.removed.is_none()
                        && !(it.no_local && self.subscribers[only.client].client_id == subscriber.client_id)
                        && matches(&it.filter, topic)
                });
                let too_large = subscriber.too_large(only);
                if owed
                    && !too_large
                    && !topic.starts_with('$')
                    && subscriber.delivered.get(content).is_none_or(|it| it.is_empty())
                {
                    out.violation(
                        BY,
                        &["MQTT-4.5.0-1"],
                        format!("\"{}\" at {}, whose subscription matched when the broker took it (lost otherwise)", text(payload), plan.name),
                        "it did not arrive",
                        vec![only.event, acknowledged],
                    );
                }
            }
        }
    }

    /// Whether the script acknowledges for this client or keeps it from reading: flow control may hold back
    /// what it is owed.
    fn acts_by_script(&self, client: usize) -> bool {
        use crate::scenario::{Act, StepAct};
        self.plan.steps.iter().any(|step| match &step.act {
            StepAct::Client { client: who, act, .. } if *who == client => match act {
                Act::Connect { by_script, .. } | Act::Send { by_script, .. } if *by_script => true,
                Act::Send { packet, .. } => !matches!(
                    packet,
                    Packet::Connect(_) | Packet::Pingreq | Packet::Subscribe(_) | Packet::Publish(_)
                ),
                Act::FallSilent | Act::StopReading => true,
                _ => false,
            },
            _ => false,
        })
    }
}

fn forget(subscriber: &mut Subscriber<'_>, event: u32) {
    subscriber.granted.clear();
    subscriber.held.clear();
    subscriber.state_since = event;
}

fn asked(subscribe: &Subscribe<'_>) -> Vec<Asked> {
    subscribe
        .subscriptions
        .iter()
        .map(|it| {
            (
                it.filter.to_string(),
                it.options.qos.number(),
                it.options.retain_as_published,
                it.options.no_local,
            )
        })
        .collect()
}

/// 128 bits of a topic and a payload; different ones do not collide in practice.
fn fingerprint(topic: &str, payload: &[u8]) -> u128 {
    let topic = xxhash_rust::xxh3::xxh3_64(topic.as_bytes());
    xxhash_rust::xxh3::xxh3_128_with_seed(payload, topic)
}

fn text(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    match text.char_indices().nth(40) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.into_owned(),
    }
}
