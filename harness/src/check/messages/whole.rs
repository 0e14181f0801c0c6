//! What only the end of a run shows: duplicates, order, losses.

use std::collections::BTreeMap;
use std::time::Duration;

use reference_broker::codec::{Packet, QoS};

use crate::scenario::{Act, StepAct};

use super::{BY, Delivered, Findings, Message, Messages, matches, pick, share, text};

impl Messages<'_, '_> {
    pub(super) fn duplicates(&self, out: &mut Findings) {
        for (client, subscriber) in self.subscribers.iter().enumerate() {
            let version = self.plan.clients[client].version;
            let shares_id = subscriber.shares_id;
            for (content, delivered) in subscriber.delivered.iter().enumerate() {
                let Message { topic, payload, published } = &self.messages[content];
                if !delivered.is_empty()
                    && !shares_id
                    && published
                        .iter()
                        .all(|it| it.will && !it.retain && !self.subscribers[it.client].shares_id)
                {
                    self.wills_too_often(client, content, delivered, out);
                }
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

    /// A will that came more often than connections ended without DISCONNECT.
    fn wills_too_often(&self, client: usize, content: usize, delivered: &[Delivered], out: &mut Findings) {
        let subscriber = &self.subscribers[client];
        let topic = &self.messages[content].topic;
        let filters = subscriber.filters.iter().filter(|it| matches(share(it).0, topic)).count();
        let at_qos_1 = delivered.iter().any(|it| it.qos == QoS::AtLeastOnce);
        let may_fire = self.wills_that_may_fire(content);
        // At QoS 1 it may come again.
        if delivered.len() > may_fire * filters.max(1) && !(at_qos_1 && may_fire > 0) {
            out.violation(
                BY,
                &["MQTT-3.14.4-3", "MQTT-3.1.2-10"],
                format!("the will on {topic:?} at most {may_fire} times: the other connections ended with DISCONNECT"),
                format!("it came {} times", delivered.len()),
                delivered.iter().map(|it| it.event).collect(),
            );
        }
    }

    pub(super) fn reordered(&self, out: &mut Findings) {
        for (client, subscriber) in self.subscribers.iter().enumerate() {
            let version = self.plan.clients[client].version;
            // Members of a shared subscription get each other's messages late; it may have ended since.
            let shared: Vec<&str> = subscriber
                .filters
                .iter()
                .map(|filter| share(filter))
                .filter_map(|(inner, is)| is.then_some(inner))
                .collect();
            // Publisher, topic, published QoS, delivered QoS → the last message seen.
            let mut last: BTreeMap<(usize, &str, QoS, QoS), (u32, u32)> = BTreeMap::new();
            let mut met = vec![false; self.messages.len()];
            for (content, qos, event, dup, retain) in &subscriber.order {
                let [published] = self.messages[*content].published.as_slice() else { continue };
                let topic = &self.messages[*content].topic;
                if *dup
                    || *retain
                    || shared.iter().any(|filter| matches(filter, topic))
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
    pub(super) fn lost(&self, out: &mut Findings) {
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
    pub(super) fn acts_by_script(&self, client: usize) -> bool {
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
