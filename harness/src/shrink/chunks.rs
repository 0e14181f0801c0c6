//! Whole steps, clients and demands.

use reference_broker::codec::ProtocolVersion;

use crate::scenario::{Action, Capability, ClientAct, Field, Scenario, Value};

use super::parts::{self, Topic};
use super::{Place, Search};

/// The scenario as one version has it, as a file of its own.
pub(super) fn of_version(scenario: &Scenario, version: ProtocolVersion) -> Scenario {
    let mut one = scenario.clone();
    let here = |only: Option<ProtocolVersion>| only.is_none_or(|only| only == version);
    one.requirements.retain(|it, _| *it == version);
    one.steps.retain(|step| here(step.only));
    one.verify.retain(|demand| here(demand.only));
    one.records.retain(|(_, only)| here(*only));
    one.steps.iter_mut().for_each(|step| step.only = None);
    one.verify.iter_mut().for_each(|demand| demand.only = None);
    one.records.iter_mut().for_each(|(_, only)| *only = None);
    one
}

/// Steps, in chunks of half of them down to single ones, the last first.
pub(super) fn steps(search: &mut Search<'_>) {
    let mut length = search.best.steps.len() / 2;
    while length > 0 && !search.stopped {
        let mut end = search.best.steps.len();
        while end > 0 && !search.stopped {
            let start = end.saturating_sub(length);
            let mut candidate = search.best.clone();
            candidate.steps.drain(start..end.min(candidate.steps.len()));
            search.attempt(candidate);
            end = start;
        }
        length /= 2;
    }
}

/// Two steps that only go together, like a partition and its end.
pub(super) fn pairs(search: &mut Search<'_>) {
    const MOST: usize = 40;
    if search.best.steps.len() > MOST {
        return;
    }
    search.everywhere(&|scenario, place| {
        let count = scenario.steps.len();
        for first in 0..count {
            for second in first + 1..count {
                if place.here() {
                    scenario.steps.remove(second);
                    scenario.steps.remove(first);
                    return;
                }
            }
        }
    });
}

/// Clients with all that they do.
pub(super) fn clients(search: &mut Search<'_>) {
    search.everywhere(&|scenario, place| {
        for client in 0..scenario.clients.len() {
            if place.here() {
                without(scenario, client);
                return;
            }
        }
    });
}

fn without(scenario: &mut Scenario, client: usize) {
    scenario.steps.retain_mut(|step| parts::client_of(&mut step.action).is_none_or(|it| *it != client));
    for to in receivers(scenario) {
        to.retain(|it| *it != client);
    }
    scenario.verify.retain(|demand| !demand.to.is_empty());
    scenario.records.retain(|(record, _)| !record.to.is_empty());
    scenario.clients.remove(client);
    renumber(scenario, &|it| if it > client { it - 1 } else { it });
}

fn receivers(scenario: &mut Scenario) -> impl Iterator<Item = &mut Vec<usize>> {
    let demanded = scenario.verify.iter_mut().map(|demand| &mut demand.to);
    demanded.chain(scenario.records.iter_mut().map(|(record, _)| &mut record.to))
}

fn renumber(scenario: &mut Scenario, number: &dyn Fn(usize) -> usize) {
    for step in &mut scenario.steps {
        if let Some(client) = parts::client_of(&mut step.action) {
            *client = number(*client);
        }
    }
    for to in receivers(scenario) {
        to.iter_mut().for_each(|client| *client = number(*client));
        let mut seen = Vec::new();
        to.retain(|client| {
            !seen.contains(client) && {
                seen.push(*client);
                true
            }
        });
    }
}

/// One client in place of two, which connects once.
pub(super) fn merge_clients(search: &mut Search<'_>) {
    search.everywhere(&|scenario, place| {
        for kept in 0..scenario.clients.len() {
            for gone in 0..scenario.clients.len() {
                if kept != gone && place.here() {
                    merge(scenario, kept, gone);
                    return;
                }
            }
        }
    });
}

fn merge(scenario: &mut Scenario, kept: usize, gone: usize) {
    scenario.steps.retain(|step| {
        !matches!(&step.action, Action::Client { client, act: ClientAct::Connect { .. }, .. } if *client == gone)
    });
    // Its own connection comes before everything that the other one did.
    let connect = scenario.steps.iter().position(|step| {
        matches!(&step.action, Action::Client { client, act: ClientAct::Connect { .. }, .. } if *client == kept)
    });
    let first = scenario
        .steps
        .iter_mut()
        .position(|step| parts::client_of(&mut step.action).is_some_and(|client| *client == gone));
    if let (Some(connect), Some(first)) = (connect, first)
        && first < connect
    {
        let step = scenario.steps.remove(connect);
        scenario.steps.insert(first, step);
    }
    renumber(scenario, &|it| if it == gone { kept } else { it });
    scenario.clients.remove(gone);
    renumber(scenario, &|it| if it > gone { it - 1 } else { it });
}

/// Demands, the payloads and clients in them, and what nobody needs any more.
pub(super) fn demands(search: &mut Search<'_>) {
    search.everywhere(&|scenario, place| {
        for at in 0..scenario.verify.len() {
            if place.here() {
                scenario.verify.remove(at);
                return;
            }
        }
        for at in 0..scenario.records.len() {
            if place.here() {
                scenario.records.remove(at);
                return;
            }
        }
        for demand in &mut scenario.verify {
            parts_of(&mut demand.payloads, place);
            parts_of(&mut demand.to, place);
            if !demand.judges.is_empty() && place.here() {
                demand.judges.clear();
            }
            if demand.topic.is_some() && !demand.payloads.is_empty() && place.here() {
                demand.topic = None;
            }
        }
    });
    let mut candidate = search.best.clone();
    let has = Uses::of(&mut candidate);
    candidate.needs.retain(|need| has.needs(*need));
    search.attempt(candidate);
}

/// Halves of a list, then single items, the last first; one is left.
fn parts_of<T>(list: &mut Vec<T>, place: &mut Place) {
    let mut length = list.len() / 2;
    while length > 0 {
        let mut end = list.len();
        while end > 0 {
            let start = end.saturating_sub(length);
            if end - start < list.len() && place.here() {
                list.drain(start..end);
                return;
            }
            end = start;
        }
        length /= 2;
    }
}

/// What a scenario uses, as far as capabilities are about it.
#[derive(Default)]
struct Uses {
    qos: u64,
    retain: bool,
    wildcards: bool,
    shared: bool,
    identifiers: bool,
    alias: bool,
    empty_client_id: bool,
    process: bool,
    configuration: bool,
    raw: bool,
}

impl Uses {
    fn of(scenario: &mut Scenario) -> Uses {
        let mut uses = Uses { configuration: !scenario.config.is_empty(), ..Uses::default() };
        for step in &scenario.steps {
            match &step.action {
                Action::Broker(_) => uses.process = true,
                Action::Client { act: ClientAct::SendBytes { .. } | ClientAct::SendText { .. }, .. } => {
                    uses.raw = true;
                }
                // Without a word about it a subscription is for QoS 2, which a lower one may answer.
                _ => {}
            }
        }
        parts::field_lists(scenario, &mut |list| {
            for field in list {
                match (field.field, &field.value) {
                    (Field::Qos, Value::Number(qos)) => uses.qos = uses.qos.max(*qos),
                    (Field::Retain, Value::Flag(true)) => uses.retain = true,
                    (Field::ClientId, Value::Text(id)) => uses.empty_client_id |= id.is_empty(),
                    (other, _) => {
                        uses.identifiers |= other.name() == "subscription_identifier";
                        uses.alias |= other.name() == "topic_alias";
                    }
                }
            }
        });
        parts::topics(scenario, &mut |topic| {
            if let Topic::Filter(filter) = topic {
                uses.shared |= filter.starts_with("$share/");
                uses.wildcards |= filter.contains(['+', '#']);
            }
        });
        uses
    }

    fn needs(&self, capability: Capability) -> bool {
        self.raw
            || match capability {
                Capability::Qos1 => self.qos >= 1,
                Capability::Qos2 => self.qos >= 2,
                Capability::Retain => self.retain,
                Capability::Wildcards => self.wildcards,
                Capability::SharedSubscriptions => self.shared,
                Capability::SubscriptionIdentifiers => self.identifiers,
                Capability::TopicAlias => self.alias,
                Capability::EmptyClientId => self.empty_client_id,
                Capability::ProcessControl => self.process,
                Capability::Configuration => self.configuration,
                _ => true,
            }
    }
}
