//! What is owed at moments: the will when a connection is cut, retained messages when a subscription is made, one
//! copy for all members of a shared subscription.
//!
//! A broker may take its time; so a debt is judged when the connection to which it is owed has lasted long enough.
//! Where a fault of the plan may delay or swallow it, nothing is owed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reference_broker::codec::{Packet, PropertyId, ProtocolVersion, ReasonCode};
use reference_broker::core::Time;

use crate::history::{Ending, Link};
use crate::scenario::{Act, Plan, StepAct};

use super::{BY, Content, Findings, Messages, Seen, What, matches, pick, share};

/// How long a connection has to last for what is owed on it to have arrived.
const PATIENCE: Duration = Duration::from_secs(3);

/// A message that has to reach a connection.
#[derive(Debug)]
struct Debt {
    client: usize,
    link: Link,
    content: Content,
    /// Since when, as event and as time.
    event: u32,
    at: Time,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Will,
    Retained,
}

/// The will of a connection that was accepted.
#[derive(Debug, Clone, Copy)]
struct Will {
    content: Content,
    delayed: bool,
    /// CONNACK has accepted the connection.
    accepted: bool,
    /// DISCONNECT has removed it, or may have been meant to.
    removed: bool,
    /// DISCONNECT has removed it for certain.
    gone: bool,
}

/// A retained message that was acknowledged.
#[derive(Debug, Clone, Copy)]
struct Last {
    /// When it was published, and when that was acknowledged.
    event: u32,
    acknowledged: u32,
    /// Nothing for an empty one.
    content: Option<Content>,
}

/// What is known of one topic's retained message.
#[derive(Debug, Default)]
struct Retained {
    /// The last PUBLISH with RETAIN 1 that was acknowledged.
    last: Option<Last>,
    /// PUBLISH with RETAIN 1 that no acknowledgement has answered yet: nobody knows which is the last one.
    open: usize,
    /// It may be anything: at QoS 0, with an expiry, over a cut connection.
    doubtful: bool,
}

/// Debts, and what they are made from.
#[derive(Debug, Default)]
pub(super) struct Owed<'h> {
    /// Clients whose connections no fault of the plan disturbs.
    calm: Vec<bool>,
    debts: Vec<Debt>,
    wills: BTreeMap<Link, Will>,
    retained: BTreeMap<std::borrow::Cow<'h, str>, Retained>,
    /// A retained message came by Topic Alias: which topic has which is not followed any more.
    blind: bool,
    /// Topics that some will may have been retained on.
    will_topics: BTreeSet<String>,
    /// When the last connection of each client closed.
    closed: Vec<Option<u32>>,
}

impl Owed<'_> {
    pub(super) fn new(plan: &Plan) -> Owed<'static> {
        let mut calm: Vec<bool> = vec![!plan.is_delayed(); plan.clients.len()];
        for step in &plan.steps {
            match &step.act {
                StepAct::Partition(ends) => calm[ends.client] = false,
                StepAct::Link { ends, .. } => calm[ends.client] = false,
                StepAct::When(trigger) => calm[trigger.client] = false,
                StepAct::Broker(_) => calm.iter_mut().for_each(|it| *it = false),
                StepAct::Client { client, act, .. } => match act {
                    Act::StopReading | Act::FallSilent | Act::SendBytes(_) | Act::SendText(_) => {
                        calm[*client] = false;
                    }
                    Act::Connect { connect, by_script, .. } => {
                        let small = connect.properties.get(PropertyId::MaximumPacketSize).is_some();
                        calm[*client] &= !small && !*by_script;
                    }
                    Act::Send { .. } => calm[*client] = false,
                    _ => {}
                },
                _ => {}
            }
        }
        let clients = plan.clients.len();
        Owed { calm, closed: vec![None; clients], ..Owed::default() }
    }

    /// Whether any message was published with RETAIN 1.
    pub(super) fn has_retained(&self) -> bool {
        !self.retained.is_empty() && !self.blind
    }
}

impl<'h> Messages<'_, 'h> {
    /// Notes what a fact makes the broker owe, before anything else is made of the fact.
    pub(super) fn owe(&mut self, seen: &Seen<'h>, out: &mut Findings) {
        match &seen.what {
            What::Sent(on, Packet::Connect(connect)) => {
                if let Some(will) = &connect.will {
                    let content = self.intern(&will.topic, &will.payload);
                    let delayed = will.properties.get(PropertyId::WillDelayInterval).is_some();
                    let will_of = Will { content, delayed, accepted: false, removed: false, gone: false };
                    self.owed.wills.insert(on.link, will_of);
                    if will.retain {
                        self.owed.will_topics.insert(will.topic.to_string());
                    }
                }
            }
            What::Received(on, Packet::Connack(connack), _) if connack.reason.0 == 0 => {
                if let Some(will) = self.owed.wills.get_mut(&on.link) {
                    will.accepted = true;
                }
            }
            What::Sent(on, Packet::Disconnect(disconnect)) => {
                let calm = self.owed.calm[on.client];
                if let Some(will) = self.owed.wills.get_mut(&on.link) {
                    will.removed = true;
                    will.gone = calm && disconnect.reason == ReasonCode::NORMAL_DISCONNECTION;
                }
            }
            What::Sent(_, Packet::Publish(publish)) if publish.retain && publish.topic.is_empty() => {
                self.owed.blind = true;
            }
            What::Sent(on, Packet::Publish(publish)) if publish.retain => {
                let key = publish.topic.clone();
                let expires = publish.properties.get(PropertyId::MessageExpiryInterval).is_some();
                let certain = publish.packet_id.is_some() && !publish.topic.is_empty() && !publish.dup;
                let entry = self.owed.retained.entry(key).or_default();
                entry.open += 1;
                if !certain || expires || !self.owed.calm[on.client] {
                    entry.doubtful = true;
                }
            }
            What::Closed(on, how) => {
                self.owed.closed[on.client] = Some(seen.event);
                self.judge_debts(Some(on.link), seen, out);
                self.will_is_due(on.client, on.link, *how, seen);
            }
            What::BrokerChanged => {
                self.owed.debts.clear();
                for retained in self.owed.retained.values_mut() {
                    retained.doubtful = true;
                }
            }
            _ => {}
        }
    }

    /// A connection was cut: its will is due at once to everybody who listens.
    fn will_is_due(&mut self, client: usize, link: Link, how: Ending, seen: &Seen<'h>) {
        let Some(will) = self.owed.wills.get(&link).copied() else { return };
        let told = matches!(how, Ending::Reset | Ending::Fin);
        if !will.accepted || will.removed || will.delayed || !told || !self.owed.calm[client] {
            return;
        }
        if self.subscribers[client].shares_id || self.broker_changed {
            return;
        }
        let topic = self.messages[will.content].topic.clone();
        for at in 0..self.subscribers.len() {
            let subscriber = &self.subscribers[at];
            let link = subscriber.link.filter(|_| subscriber.connected_since.is_some());
            let listens = subscriber.granted.iter().any(|it| {
                !it.shared
                    && it.removed.is_none()
                    && !it.changed
                    && !it.no_local
                    && matches(&it.filter, &topic)
            });
            if let Some(link) = link
                && at != client
                && listens
                && self.owed.calm[at]
                && !subscriber.shares_id
                && !subscriber.irregular
            {
                let content = will.content;
                let (event, at_time) = (seen.event, seen.at);
                self.owed.debts.push(Debt { client: at, link, content, event, at: at_time, why: Why::Will });
            }
        }
    }

    /// An acknowledgement: the retained message of the topic may be certain now.
    pub(super) fn retained_is_acknowledged(&mut self, content: Content, at: usize) {
        let message = &self.messages[content];
        let Some(published) = message.published.get(at).filter(|it| it.retain) else { return };
        let empty = message.payload.is_empty();
        let Some(entry) = self.owed.retained.get_mut(message.topic.as_ref()) else { return };
        entry.open = entry.open.saturating_sub(1);
        let newer = entry.last.is_none_or(|last| last.event < published.event);
        if published.refused || published.contested || published.repeated {
            entry.doubtful = true;
        } else if newer {
            let acknowledged = published.acknowledged.unwrap_or(u32::MAX);
            entry.last =
                Some(Last { event: published.event, acknowledged, content: (!empty).then_some(content) });
        }
    }

    /// A subscription was made: the retained messages that it matches are due.
    pub(super) fn retained_are_due(&mut self, client: usize, link: Link, filter: &str, seen: &Seen<'h>) {
        if !self.owed.calm[client] || self.broker_changed || self.owed.retained.is_empty() {
            return;
        }
        let subscriber = &self.subscribers[client];
        if subscriber.shares_id || subscriber.irregular || share(filter).1 {
            return;
        }
        let Some(asked) = subscriber.granted.iter().rev().find(|it| it.filter == filter) else { return };
        // What the client published itself does not come with No Local.
        if asked.no_local {
            return;
        }
        let first = asked.asked;
        for (topic, retained) in &self.owed.retained {
            let Some(Last { event, content: Some(content), .. }) = retained.last else { continue };
            let certain =
                retained.open == 0 && !retained.doubtful && !self.owed.will_topics.contains(&**topic);
            if certain && event < first && matches(filter, topic) {
                let (event, at) = (first, seen.at);
                self.owed.debts.push(Debt { client, link, content, event, at, why: Why::Retained });
            }
        }
    }

    /// Whether a retained message was replaced or removed before a subscription was asked for.
    pub(super) fn is_outdated(&self, topic: &str, content: Content, asked: u32) -> bool {
        let Some(retained) = self.owed.retained.get(topic) else { return false };
        let Some(last) = retained.last else { return false };
        let older = self.messages[content].published.iter().all(|it| !it.will && it.event < last.event);
        let certain = retained.open == 0 && !retained.doubtful && !self.broker_changed;
        certain && older && last.acknowledged < asked && last.content != Some(content)
    }

    /// How often a will with this content may have been published so far.
    pub(super) fn wills_that_may_fire(&self, content: Content) -> usize {
        self.owed.wills.values().filter(|will| will.content == content && !will.gone).count()
    }

    /// Debts on a connection that is over, or on all that are left.
    fn judge_debts(&mut self, link: Option<Link>, seen: &Seen<'h>, out: &mut Findings) {
        if self.owed.debts.is_empty() {
            return;
        }
        let debts = std::mem::take(&mut self.owed.debts);
        let (due, rest) = debts.into_iter().partition(|debt| link.is_none_or(|link| debt.link == link));
        self.owed.debts = rest;
        let due: Vec<Debt> = due;
        for debt in due {
            let subscriber = &self.subscribers[debt.client];
            let lasted = seen.at >= debt.at + PATIENCE;
            let delivered = subscriber.delivered.get(debt.content);
            let came = delivered.is_some_and(|list| list.iter().any(|it| it.event > debt.event));
            if came || !lasted || subscriber.irregular || subscriber.shares_id {
                continue;
            }
            // What was replaced or removed meanwhile may have been so before it was sent.
            let Self { messages, plan, .. } = self;
            let topic = &messages[debt.content].topic;
            let stands = subscriber
                .granted
                .iter()
                .any(|it| it.removed.is_none() && matches(share(&it.filter).0, topic));
            if !stands {
                continue;
            }
            let version = plan.clients[debt.client].version;
            let name = &plan.clients[debt.client].name;
            let (ids, expected): (&[&str], String) = match debt.why {
                Why::Will => (
                    &["MQTT-3.1.2-8"],
                    format!("the will on {topic:?} at {name}, when its connection was cut"),
                ),
                Why::Retained => (
                    pick(version, &["MQTT-3.3.1-9"], &["MQTT-3.3.1-6"]),
                    format!("the retained message of {topic:?} at {name}, for its new subscription"),
                ),
            };
            out.violation(BY, ids, expected, "it did not arrive", vec![debt.event]);
        }
    }

    /// The end of the run: what is still owed, and what came too often.
    pub(super) fn settle(&mut self, out: &mut Findings) {
        let Some(settled) = self.settled else { return };
        let last = Seen { event: u32::MAX, at: settled, what: What::Settled, denied: false };
        self.judge_debts(None, &last, out);
        self.shared(out);
    }

    /// A message for a shared subscription goes to one member (U5-43).
    fn shared(&self, out: &mut Findings) {
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (client, subscriber) in self.subscribers.iter().enumerate() {
            for filter in subscriber.filters.iter().filter(|filter| share(filter).1) {
                groups.entry(filter).or_default().push(client);
            }
        }
        for (filter, members) in groups {
            let fit = |client: &usize| {
                let subscriber = &self.subscribers[*client];
                !subscriber.shares_id
                    && !subscriber.irregular
                    && self.plan.clients[*client].version == ProtocolVersion::V5
            };
            if !members.iter().all(fit) {
                continue;
            }
            for (content, message) in self.messages.iter().enumerate() {
                let [only] = &message.published[..] else { continue };
                if only.will || only.repeated || !matches(share(filter).0, &message.topic) {
                    continue;
                }
                // After an end of a connection another member may get it as well.
                let stable =
                    |client: &usize| self.owed.closed[*client].is_none_or(|event| event < only.event);
                let alone = |client: &usize| {
                    let filters = &self.subscribers[*client].filters;
                    filters.iter().filter(|it| matches(share(it).0, &message.topic)).count() == 1
                };
                if !members.iter().all(|client| stable(client) && alone(client)) {
                    continue;
                }
                let deliveries =
                    members.iter().filter_map(|client| self.subscribers[*client].delivered.get(content));
                let events: Vec<u32> = deliveries.flatten().map(|it| it.event).collect();
                if events.len() > 1 {
                    out.violation(
                        BY,
                        &["U5-43"],
                        format!("a message on {:?} at one member of {filter:?}", message.topic),
                        format!("it came {} times", events.len()),
                        events,
                    );
                }
            }
        }
    }
}
