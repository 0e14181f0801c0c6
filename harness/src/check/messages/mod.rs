//! The delivery checker: what became of every Application Message.
//!
//! *phantom*: it was never published. *duplicated*: it came more often than it may. *lost*: a subscriber to
//! whom it was owed did not get it. *reordered*: it overtook an earlier one of the same publisher, topic and
//! QoS. *unknown*: what the client's end knows does not decide; nothing is said then.
//!
//! Messages are told apart by topic and payload. Where the same content was published more than once, only
//! counts are judged.
//!
//! * `delivery`: one delivery at a time: QoS, RETAIN, properties, identifiers, expiry, what must not come at all.
//! * `whole`: what only the end of the run shows: duplicates, order, losses.
//! * `owed`: what is owed at moments: wills, retained messages, one copy for a shared subscription.

mod delivery;
mod owed;
mod whole;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use reference_broker::codec::{Packet, Properties, PropertyId, ProtocolVersion, Publish, QoS, Subscribe};
use reference_broker::core::Time;
use smallvec::SmallVec;

use crate::history::Link;
use crate::scenario::Plan;

use super::{Findings, On, Seen, What, matches, pick};
use owed::Owed;

const BY: &str = "messages";

/// A topic and payload that occurred, by number.
type Content = usize;

/// What is known of one topic and payload.
#[derive(Debug)]
struct Message<'h> {
    topic: Cow<'h, str>,
    payload: Cow<'h, [u8]>,
    published: SmallVec<[Published<'h>; 1]>,
}

/// A subscription that was asked for.
#[derive(Debug)]
struct Asked {
    filter: String,
    retain_as_published: bool,
    no_local: bool,
    retain_handling: u8,
}

/// A SUBSCRIBE without its SUBACK.
#[derive(Debug)]
struct Request {
    event: u32,
    at: Time,
    identifier: Option<u32>,
    list: Vec<Asked>,
}

/// One message with this content that a client published.
#[derive(Debug, Clone)]
struct Published<'h> {
    event: u32,
    at: Time,
    client: usize,
    properties: Properties<'h>,
    packet_id: Option<u16>,
    qos: QoS,
    retain: bool,
    /// A Will Message: when the broker publishes it is not seen.
    will: bool,
    /// When the broker took responsibility for it.
    acknowledged: Option<u32>,
    acknowledged_at: Time,
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
    asked_at: Time,
    answered: u32,
    /// When UNSUBSCRIBE was sent, and when UNSUBACK came.
    removed: Option<u32>,
    gone: Option<u32>,
    /// It was replaced by one with another QoS; by one with other options or another identifier.
    replaced: bool,
    changed: bool,
    retain_handling: u8,
    identifier: Option<u32>,
}

#[derive(Debug, Default)]
struct Subscriber<'h> {
    granted: Vec<Granted>,
    pending: BTreeMap<u16, Request>,
    unsubscribing: BTreeMap<u16, Vec<String>>,
    /// Deliveries by the number of what they deliver.
    delivered: Vec<SmallVec<[Delivered; 1]>>,
    /// The order of first deliveries.
    order: Vec<(Content, QoS, u32, bool, bool)>,
    held: BTreeSet<u16>,
    aliases: BTreeMap<u32, Cow<'h, str>>,
    link: Option<Link>,
    /// When CONNECT was sent on it.
    connecting_since: Time,
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
    owed: Owed<'h>,
}

impl Subscriber<'_> {
    /// Whether a message may be larger than what this client took on a connection since it was published:
    /// then the broker was right to discard it (MQTT-3.1.2-25).
    fn too_large(&self, published: &Published<'_>) -> bool {
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
            owed: Owed::new(plan),
        }
    }

    pub(super) fn observe(&mut self, seen: &Seen<'h>, out: &mut Findings) {
        self.owe(seen, out);
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
                subscriber.connecting_since = seen.at;
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
                        at: seen.at,
                        client: on.client,
                        properties: will.properties.clone(),
                        packet_id: None,
                        qos: will.qos,
                        retain: will.retain,
                        will: true,
                        acknowledged: None,
                        acknowledged_at: Time::ZERO,
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
                subscriber.filters.extend(list.iter().map(|it| it.filter.clone()));
                let identifier = subscribe.properties.number(PropertyId::SubscriptionIdentifier);
                let request = Request { event: seen.event, at: seen.at, identifier, list };
                subscriber.pending.insert(subscribe.packet_id, request);
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
    #[allow(clippy::ptr_arg, reason = "what is borrowed from the history stays borrowed from it")]
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
            at: seen.at,
            client: on.client,
            properties: publish.properties.clone(),
            packet_id: publish.packet_id,
            qos: publish.qos,
            retain: publish.retain,
            will: false,
            acknowledged: None,
            acknowledged_at: Time::ZERO,
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
                if !connack.session_present && !seen.denied && on.version != ProtocolVersion::V3_1 {
                    forget(subscriber, seen.event);
                }
            }
            Packet::Suback(suback) => {
                let subscriber = &mut self.subscribers[on.client];
                let Some(request) = subscriber.pending.remove(&suback.packet_id) else { return };
                let Request { event, at, identifier, list } = request;
                let mut made = Vec::new();
                let retained = self.owed.has_retained();
                for (asked, code) in list.into_iter().zip(&suback.reasons) {
                    if code.0 > 2 {
                        continue;
                    }
                    let Asked { filter, retain_as_published, no_local, retain_handling } = asked;
                    let existing =
                        subscriber.granted.iter_mut().find(|it| it.filter == filter && it.removed.is_none());
                    // With Retain Handling 1 it depends on whether the subscription is new.
                    if retain_handling == 0 && retained {
                        made.push(filter.clone());
                    }
                    match existing {
                        Some(granted) => {
                            granted.answered = seen.event;
                            granted.replaced |= granted.qos != code.0;
                            granted.changed |= granted.replaced
                                || granted.retain_as_published != retain_as_published
                                || granted.no_local != no_local
                                || granted.retain_handling != retain_handling
                                || granted.identifier != identifier;
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
                                asked_at: at,
                                answered: seen.event,
                                removed: None,
                                gone: None,
                                replaced: false,
                                changed: false,
                                retain_handling,
                                identifier,
                            });
                        }
                    }
                }
                for filter in made {
                    self.retained_are_due(on.client, on.link, &filter, seen);
                }
            }
            Packet::Unsuback(unsuback) => {
                let subscriber = &mut self.subscribers[on.client];
                let Some(filters) = subscriber.unsubscribing.remove(&unsuback.packet_id) else { return };
                for granted in &mut subscriber.granted {
                    if granted.removed.is_some() && filters.contains(&granted.filter) {
                        granted.gone.get_or_insert(seen.event);
                    }
                }
            }
            Packet::Puback(ack) => {
                self.acknowledged(on, ack.packet_id, QoS::AtLeastOnce, ack.reason.is_error(), seen)
            }
            Packet::Pubrec(ack) if ack.reason.is_error() => {
                self.acknowledged(on, ack.packet_id, QoS::ExactlyOnce, true, seen);
            }
            Packet::Pubcomp(ack) => self.acknowledged(on, ack.packet_id, QoS::ExactlyOnce, false, seen),
            Packet::Pubrel(ack) => {
                self.subscribers[on.client].held.remove(&ack.packet_id);
            }
            Packet::Publish(publish) => self.delivered(on, publish, seen, out),
            _ => {}
        }
    }

    fn acknowledged(&mut self, on: On, id: u16, qos: QoS, refused: bool, seen: &Seen<'h>) {
        if let Some((content, at)) = self.open.remove(&(on.client, id, qos)) {
            let published = &mut self.messages[content].published[at];
            published.acknowledged = Some(seen.event);
            published.acknowledged_at = seen.at;
            published.refused = refused;
            self.retained_is_acknowledged(content, at);
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
        self.judge_delivery(on, publish, &topic, content, seen, out);
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

    pub(super) fn conclude(&mut self, out: &mut Findings) {
        self.duplicates(out);
        self.reordered(out);
        self.settle(out);
        if self.settled.is_some() && !self.broker_changed {
            self.lost(out);
        }
    }
}

fn forget(subscriber: &mut Subscriber<'_>, event: u32) {
    subscriber.granted.clear();
    subscriber.held.clear();
    subscriber.state_since = event;
}

fn asked(subscribe: &Subscribe<'_>) -> Vec<Asked> {
    let list = subscribe.subscriptions.iter().map(|it| Asked {
        filter: it.filter.to_string(),
        retain_as_published: it.options.retain_as_published,
        no_local: it.options.no_local,
        retain_handling: it.options.retain_handling as u8,
    });
    list.collect()
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
