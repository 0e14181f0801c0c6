//! One delivery at a time: what must not come at all, QoS and RETAIN, what the message carries.

use std::time::Duration;

use reference_broker::codec::{Properties, PropertyId, PropertyValue, ProtocolVersion, Publish};
use smallvec::SmallVec;

use super::{
    BY, Content, Findings, Granted, Messages, On, Published, Seen, Subscriber, matches, pick, share,
};

/// The subscriptions that match a topic.
type Matching<'m> = SmallVec<[&'m Granted; 8]>;

/// What a message carries from its publisher to every subscriber unaltered, with the statements.
const CARRIED: &[(PropertyId, &str)] = &[
    (PropertyId::PayloadFormatIndicator, "MQTT-3.3.2-4"),
    (PropertyId::ResponseTopic, "MQTT-3.3.2-15"),
    (PropertyId::CorrelationData, "MQTT-3.3.2-16"),
    (PropertyId::UserProperty, "MQTT-3.3.2-17"),
    (PropertyId::ContentType, "MQTT-3.3.2-20"),
];

/// Expiry counts in whole seconds, and each side rounds as it likes.
const ROUNDING: u64 = 1;

impl<'h> Messages<'_, 'h> {
    /// What a delivery must not be, given what its client asked for and what was published.
    pub(super) fn judge_delivery(
        &self,
        on: On,
        publish: &Publish<'_>,
        topic: &str,
        content: Content,
        seen: &Seen<'_>,
        out: &mut Findings,
    ) {
        let subscriber = &self.subscribers[on.client];
        let published = &self.messages[content].published[..];
        if subscriber.shares_id || subscriber.irregular {
            return;
        }
        let matching: Matching<'_> =
            subscriber.granted.iter().filter(|it| matches(share(&it.filter).0, topic)).collect();
        let pending = subscriber
            .pending
            .values()
            .flat_map(|request| &request.list)
            .any(|asked| matches(share(&asked.filter).0, topic));
        if pending {
            return;
        }
        // A will is published later than its CONNECT, so it is not known when.
        let possible =
            |it: &&&Granted| it.gone.is_none_or(|gone| published.iter().any(|it| it.will || it.event < gone));
        if !matching.iter().any(|it| possible(&it)) {
            if published.iter().all(|it| !it.will) && on.version != ProtocolVersion::V3_1 {
                unsubscribed(on, subscriber, &matching, seen, out);
            }
            return;
        }
        flags(on, publish, subscriber, &matching, published, seen, out);
        if publish.retain
            && !publish.dup
            && matching.iter().all(|it| !it.retain_as_published)
            && let Some(asked) = matching.iter().map(|it| it.asked).min()
            && self.is_outdated(topic, content, asked)
        {
            out.violation(
                BY,
                pick(on.version, &["MQTT-3.3.1-5", "MQTT-3.3.1-6"], &["MQTT-3.3.1-5", "MQTT-3.3.1-10"]),
                "the last retained message of the topic",
                "one that had been replaced or removed before the subscription",
                vec![seen.event],
            );
        }
        let matching: Matching<'_> = matching.iter().filter(possible).copied().collect();
        if on.version == ProtocolVersion::V5 {
            self.options(on, publish, &matching, published, seen, out);
            identifiers(publish, &matching, seen, out);
            if let [only] = published {
                carried(publish, only, seen, out);
                expiry(publish, only, subscriber, &matching, seen, out);
            }
        }
    }

    /// No Local, Retain As Published, Retain Handling (section 3.8.3.1).
    fn options(
        &self,
        on: On,
        publish: &Publish<'_>,
        matching: &[&Granted],
        published: &[Published<'_>],
        seen: &Seen<'_>,
        out: &mut Findings,
    ) {
        if matching.iter().any(|it| it.changed) {
            return;
        }
        let own = |it: &Published<'_>| it.client == on.client && !it.will;
        if matching.iter().all(|it| it.no_local) && published.iter().all(own) {
            out.violation(
                BY,
                &["MQTT-3.8.3-3"],
                "no message that the client published itself, with No Local 1",
                "its own message",
                vec![seen.event],
            );
        }
        if publish.retain
            && matching.iter().all(|it| it.retain_handling == 2 && !it.retain_as_published && !it.shared)
        {
            out.violation(
                BY,
                &["MQTT-3.3.1-11"],
                "no retained message, with Retain Handling 2",
                "RETAIN 1",
                vec![seen.event],
            );
        }
        if let [only] = published
            && only.retain
            && !only.will
            && !publish.retain
            && matching.iter().all(|it| it.retain_as_published && !it.shared)
        {
            out.violation(
                BY,
                &["MQTT-3.3.1-13"],
                "RETAIN 1 as it was published, with Retain As Published 1",
                "RETAIN 0",
                vec![seen.event],
            );
        }
    }
}

/// A message that was published when no subscription of the client could match it any more.
fn unsubscribed(
    on: On,
    subscriber: &Subscriber<'_>,
    matching: &[&Granted],
    seen: &Seen<'_>,
    out: &mut Findings,
) {
    let nothing_asked = subscriber.granted.is_empty() && subscriber.pending.is_empty();
    if !matching.is_empty() {
        out.violation(
            BY,
            &["MQTT-3.10.4-2"],
            "no message that was published after UNSUBACK",
            "a message whose subscription had been removed before it was published",
            vec![seen.event],
        );
    } else if nothing_asked && subscriber.connected_since.is_some() {
        out.violation(
            BY,
            pick(on.version, &["MQTT-3.1.2-4", "MQTT-3.2.2-3"], &["MQTT-3.1.2-6"]),
            "no message in a session without subscriptions",
            "a message",
            vec![seen.event],
        );
    }
}

/// QoS and RETAIN.
fn flags(
    on: On,
    publish: &Publish<'_>,
    subscriber: &Subscriber<'_>,
    matching: &[&Granted],
    published: &[Published<'_>],
    seen: &Seen<'_>,
    out: &mut Findings,
) {
    let version = on.version;
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
    if let ([one], [only]) = (matching, published)
        && !one.replaced
        && !only.retain
        && publish.qos.number() < one.qos.min(only.qos.number())
    {
        out.violation(
            BY,
            ids,
            format!("QoS {}: published at {}, granted {}", one.qos.min(only.qos.number()), only.qos, one.qos),
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

/// Subscription Identifiers are those of the subscriptions that match (section 3.3.4).
fn identifiers(publish: &Publish<'_>, matching: &[&Granted], seen: &Seen<'_>, out: &mut Findings) {
    let none = matching.iter().all(|it| it.identifier.is_none());
    if none && publish.properties.is_empty() || matching.iter().any(|it| it.changed) {
        return;
    }
    let properties = publish.properties.iter();
    let sent = properties.filter(|property| property.id == PropertyId::SubscriptionIdentifier);
    let mut sent: SmallVec<[u32; 4]> = sent.filter_map(|property| property.value.number()).collect();
    sent.sort_unstable();
    let foreign = sent.iter().find(|id| !matching.iter().any(|it| it.identifier == Some(**id)));
    if let Some(id) = foreign {
        out.violation(
            BY,
            &["MQTT-3.3.4-3", "MQTT-3.3.4-4", "MQTT-3.3.4-5"],
            "Subscription Identifiers of subscriptions that match",
            format!("Subscription Identifier {id}"),
            vec![seen.event],
        );
    } else if sent.is_empty() && matching.iter().all(|it| it.identifier.is_some()) {
        out.violation(
            BY,
            &["MQTT-3.3.4-3", "MQTT-3.3.4-4", "MQTT-3.3.4-5"],
            "the Subscription Identifier of the subscription that matches",
            "none",
            vec![seen.event],
        );
    }
}

/// What reaches every subscriber unaltered.
fn carried(publish: &Publish<'_>, only: &Published<'_>, seen: &Seen<'_>, out: &mut Findings) {
    if publish.properties.is_empty() && only.properties.is_empty() {
        return;
    }
    for (id, statement) in CARRIED {
        let of = |properties: &Properties<'_>| {
            // A Payload Format Indicator of 0 says what its absence says (3.3.2.3.2).
            let says = |value: &PropertyValue<'_>| {
                *id != PropertyId::PayloadFormatIndicator || *value != PropertyValue::Byte(0)
            };
            let mine = properties.iter().filter(|property| property.id == *id && says(&property.value));
            mine.map(|property| format!("{:?}", property.value)).collect::<Vec<_>>()
        };
        let (before, after) = (of(&only.properties), of(&publish.properties));
        if before == after {
            continue;
        }
        let name = id.row().name;
        let show = |values: &[String]| if values.is_empty() { "none".into() } else { values.join(", ") };
        let mut sorted = (before.clone(), after.clone());
        sorted.0.sort_unstable();
        sorted.1.sort_unstable();
        let ids: &[&str] = if sorted.0 == sorted.1 { &["MQTT-3.3.2-18"] } else { &[statement] };
        out.violation(
            BY,
            ids,
            format!("{name} as it was published: {}", show(&before)),
            show(&after),
            vec![only.event, seen.event],
        );
    }
}

/// Message Expiry Interval is what is left of it, and what has expired is not delivered any more.
fn expiry(
    publish: &Publish<'_>,
    only: &Published<'_>,
    subscriber: &Subscriber<'_>,
    matching: &[&Granted],
    seen: &Seen<'_>,
    out: &mut Findings,
) {
    if publish.dup || only.will || only.repeated {
        return;
    }
    let interval =
        |properties: &Properties<'_>| properties.number(PropertyId::MessageExpiryInterval).map(u64::from);
    let (before, after) = (interval(&only.properties), interval(&publish.properties));
    if before.is_none() && after.is_none() {
        return;
    }
    let wrong = |expected: String, observed: String, statement: &str, out: &mut Findings| {
        out.violation(BY, &[statement], expected, observed, vec![only.event, seen.event]);
    };
    let Some(before) = before else {
        let observed = format!("Message Expiry Interval {}", after.unwrap_or_default());
        return wrong("no Message Expiry Interval, as published".into(), observed, "MQTT-3.3.2-6", out);
    };
    let Some(after) = after else {
        let expected = format!("what is left of Message Expiry Interval {before}");
        return wrong(expected, "none".into(), "MQTT-3.3.2-6", out);
    };
    // It cannot have been sent before the client connected and, if it is a retained one, subscribed.
    let asked = matching.iter().map(|it| it.asked_at).min().filter(|_| publish.retain);
    let earliest = subscriber.connecting_since.max(asked.unwrap_or(subscriber.connecting_since));
    let taken = if only.acknowledged.is_some() { only.acknowledged_at } else { seen.at };
    let waited = if earliest > taken { (earliest - taken).as_secs() } else { 0 };
    let since = (seen.at - only.at) + Duration::from_millis(999);
    let most = (before + ROUNDING).saturating_sub(waited);
    let least = before.saturating_sub(since.as_secs() + ROUNDING);
    if waited > before + ROUNDING {
        let expected = format!("nothing: it expired {before} s after it was published");
        wrong(expected, format!("a delivery that waited {waited} s"), "MQTT-3.3.2-5", out);
    } else if after > most.min(before) || after < least {
        let expected = format!("{least} to {} s left of Message Expiry Interval {before}", most.min(before));
        wrong(expected, format!("{after} s"), "MQTT-3.3.2-6", out);
    }
}
