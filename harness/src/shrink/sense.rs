//! Whether a scenario makes sense by itself, so that the search does not end with one that fails on every broker.
//!
//! A scenario that demands a message which nobody publishes fails, and so does an exchange without a connection. What
//! the scenario at the beginning kept of these rules, every smaller one has to keep.

use std::collections::BTreeSet;

use reference_broker::codec::PacketType;

use crate::scenario::{
    Action, BrokerAct, ClientAct, ExpectSpec, Field, FieldPattern, FieldValue, Pattern, Scenario, Value,
    VerifyVerb,
};

use super::parts;

/// Which rules a scenario keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sense {
    /// What has to arrive is published.
    published: bool,
    /// Who has to get something has subscribed.
    subscribed: bool,
    /// A client acts on a connection that it opened.
    connected: bool,
    /// What is cut off comes back: partitions heal, a broker that ended or stopped starts again, a client reads again.
    restored: bool,
}

impl Sense {
    pub(super) fn of(scenario: &Scenario) -> Sense {
        let raw = scenario.steps.iter().any(|step| {
            let act = act(&step.action).map(|(_, act)| act);
            matches!(act, Some(ClientAct::SendBytes { .. } | ClientAct::SendText { .. }))
        });
        Sense {
            published: raw || published(scenario),
            subscribed: raw || subscribed(scenario),
            connected: connected(scenario),
            restored: restored(scenario),
        }
    }

    /// Whether it keeps every rule that `first` keeps.
    pub(super) fn keeps(self, first: &Sense) -> bool {
        (self.published || !first.published)
            && (self.subscribed || !first.subscribed)
            && (self.connected || !first.connected)
            && (self.restored || !first.restored)
    }
}

fn act(action: &Action) -> Option<(usize, &ClientAct)> {
    match action {
        Action::Client { client, act, .. } => Some((*client, act)),
        _ => None,
    }
}

/// What has to arrive at which clients: by the steps, and by `verify`.
fn demanded(scenario: &Scenario) -> Vec<(Vec<usize>, Vec<String>)> {
    let mut found = Vec::new();
    for step in &scenario.steps {
        if let Some((client, ClientAct::Expect { alternatives, .. })) = act(&step.action)
            && let [ExpectSpec::Packet { kind: PacketType::Publish, fields, .. }] = &alternatives[..]
        {
            found.push((vec![client], payload(fields).into_iter().collect()));
        }
    }
    for demand in &scenario.verify {
        if matches!(demand.verb, VerifyVerb::ExactlyOnce | VerifyVerb::AtLeastOnce | VerifyVerb::InOrder) {
            found.push((demand.to.clone(), demand.payloads.clone()));
        }
    }
    found
}

/// The one payload that is expected.
fn payload(fields: &[FieldPattern]) -> Option<String> {
    fields.iter().find_map(|field| match (&field.field, &field.pattern) {
        (Field::Payload, Pattern::OneOf(values)) => match &values[..] {
            [Value::Text(text)] => Some(text.clone()),
            _ => None,
        },
        _ => None,
    })
}

fn published(scenario: &Scenario) -> bool {
    let mut there: BTreeSet<String> = BTreeSet::new();
    let mut text = |list: &[FieldValue], count: u32| {
        for field in list {
            match (&field.field, &field.value) {
                (Field::Payload, Value::Text(text)) if count > 1 => {
                    there.extend((1..=count).map(|number| text.replace("{n}", &number.to_string())));
                }
                (Field::Payload, Value::Text(text)) => {
                    there.insert(text.clone());
                }
                _ => {}
            }
        }
    };
    for step in &scenario.steps {
        if let Some((_, ClientAct::Publish { message, count, .. })) = act(&step.action) {
            text(&message.fields, *count);
        }
    }
    parts::field_lists(&mut scenario.clone(), &mut |list| text(list, 1));
    demanded(scenario).iter().all(|(_, payloads)| payloads.iter().all(|payload| there.contains(payload)))
}

fn subscribed(scenario: &Scenario) -> bool {
    let there: BTreeSet<usize> = scenario
        .steps
        .iter()
        .filter_map(|step| match act(&step.action)? {
            (client, ClientAct::Subscribe(_)) => Some(client),
            (client, ClientAct::Send(spec)) if spec.kind == PacketType::Subscribe => Some(client),
            _ => None,
        })
        .collect();
    demanded(scenario).iter().all(|(to, _)| to.iter().any(|client| there.contains(client)))
}

fn connected(scenario: &Scenario) -> bool {
    let mut there = BTreeSet::new();
    scenario.steps.iter().all(|step| match act(&step.action) {
        Some((client, ClientAct::Connect { .. } | ClientAct::Open)) => {
            there.insert(client);
            true
        }
        Some((client, ClientAct::Send(spec))) if spec.kind == PacketType::Connect => {
            there.insert(client);
            true
        }
        Some((client, _)) => there.contains(&client),
        None => true,
    })
}

fn restored(scenario: &Scenario) -> bool {
    let mut cut_off = BTreeSet::new();
    let mut deaf = BTreeSet::new();
    let mut away = false;
    for step in &scenario.steps {
        match &step.action {
            Action::Partition(ends) => {
                cut_off.insert(ends.client);
            }
            Action::Heal(None) => cut_off.clear(),
            Action::Heal(Some(ends)) => {
                cut_off.remove(&ends.client);
            }
            Action::Broker(BrokerAct::Kill | BrokerAct::PowerLoss | BrokerAct::Pause) => away = true,
            Action::Broker(BrokerAct::Start | BrokerAct::Restart | BrokerAct::Resume) => away = false,
            Action::Client { client, act: ClientAct::StopReading, .. } => {
                deaf.insert(*client);
            }
            Action::Client { client, act: ClientAct::ReadAgain | ClientAct::Connect { .. }, .. } => {
                deaf.remove(client);
            }
            _ => {}
        }
    }
    cut_off.is_empty() && deaf.is_empty() && !away
}
