//! Fields, limits and settings, removed one by one.
//!
//! What tells messages apart stays: topics, payloads, filters, identifiers. An expectation never loses a legal
//! alternative, and a limit is never drawn tighter.

use std::time::Duration;

use crate::scenario::{Action, ClientAct, Field, FieldValue, LinkChange, Scenario, Value};
use crate::text::NodeId;

use super::{Place, Search, parts};

/// How long an answer may take if a step does not say it.
const DEFAULT_WITHIN: Duration = Duration::from_secs(5);

/// Everything that can be left out.
pub(super) fn remove(search: &mut Search<'_>) {
    let mut plain = search.best.clone();
    plain.network = LinkChange::default();
    search.attempt(plain);
    search.everywhere(&fields);
    search.everywhere(&patterns);
    search.everywhere(&filters);
    search.everywhere(&steps);
    search.everywhere(&links);
    search.everywhere(&settings);
    search.everywhere(&sessions);
}

fn fields(scenario: &mut Scenario, place: &mut Place) {
    const KEPT: &[Field] =
        &[Field::Topic, Field::Payload, Field::PayloadSize, Field::Filters, Field::PacketId];
    parts::field_lists(scenario, &mut |list| {
        for at in 0..list.len() {
            if !KEPT.contains(&list[at].field) && place.here() {
                list.remove(at);
                return;
            }
        }
    });
}

fn patterns(scenario: &mut Scenario, place: &mut Place) {
    parts::pattern_lists(scenario, &mut |list| {
        for at in 0..list.len() {
            if place.here() {
                list.remove(at);
                return;
            }
        }
    });
}

fn filters(scenario: &mut Scenario, place: &mut Place) {
    parts::field_lists(scenario, &mut |list| {
        for field in list {
            match &mut field.value {
                Value::Filters(filters) if filters.len() > 1 => {
                    for at in 0..filters.len() {
                        if place.here() {
                            filters.remove(at);
                            return;
                        }
                    }
                }
                Value::Pairs(pairs) if pairs.len() > 1 && place.here() => pairs.truncate(1),
                _ => {}
            }
        }
    });
    parts::topics(scenario, &mut |topic| {
        if let parts::Topic::Filter(filter) = topic
            && let Some((_, inner)) = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'))
            && place.here()
        {
            *filter = inner.to_string();
        }
    });
}

fn steps(scenario: &mut Scenario, place: &mut Place) {
    for step in &mut scenario.steps {
        if step.note.is_some() && place.here() {
            step.note = None;
        }
        if !step.judges.is_empty() && place.here() {
            step.judges.clear();
        }
        let Action::Client { act, within, after, .. } = &mut step.action else { continue };
        if within.is_some_and(|time| time <= DEFAULT_WITHIN) && place.here() {
            *within = None;
        }
        if after.is_some() && place.here() {
            *after = None;
        }
        match act {
            ClientAct::Connect { session_present, .. } if session_present.is_some() && place.here() => {
                *session_present = None;
            }
            ClientAct::Publish { wait, .. } if !*wait && place.here() => *wait = true,
            ClientAct::Expect { choices, .. } if !choices.is_empty() && place.here() => choices.clear(),
            _ => {}
        }
    }
}

/// Puts one field of a link back to what it is by itself.
type Edit = fn(&mut LinkChange);

fn links(scenario: &mut Scenario, place: &mut Place) {
    let of_steps = scenario.steps.iter_mut().filter_map(|step| match &mut step.action {
        Action::Link { change, .. } => Some(change),
        _ => None,
    });
    for change in std::iter::once(&mut scenario.network).chain(of_steps) {
        let edits: [(bool, Edit); 6] = [
            (change.latency.is_some(), |it| it.latency = None),
            (change.jitter.is_some(), |it| it.jitter = None),
            (change.loss.is_some(), |it| it.loss = None),
            (change.split.is_some(), |it| it.split = None),
            (change.rate.is_some(), |it| it.rate = None),
            (change.window.is_some(), |it| it.window = None),
        ];
        for (there, edit) in edits {
            if there && place.here() {
                edit(change);
            }
        }
    }
}

fn settings(scenario: &mut Scenario, place: &mut Place) {
    for at in 0..scenario.config.len() {
        if place.here() {
            scenario.config.remove(at);
            return;
        }
    }
}

/// `session: persistent` in place of what it stands for, as one option of the client.
fn sessions(scenario: &mut Scenario, place: &mut Place) {
    let is_session =
        |field: &FieldValue| field.field == Field::CleanStart || field.field.name() == "session_expiry";
    for client in 0..scenario.clients.len() {
        let connects = scenario.steps.iter().any(|step| match &step.action {
            Action::Client { client: it, act: ClientAct::Connect { options, .. }, .. } => {
                *it == client && options.iter().any(is_session)
            }
            _ => false,
        });
        if !connects && !scenario.clients[client].options.iter().any(is_session) || !place.here() {
            continue;
        }
        for step in &mut scenario.steps {
            if let Action::Client { client: it, act: ClientAct::Connect { options, .. }, .. } =
                &mut step.action
                && *it == client
            {
                options.retain(|field| !is_session(field));
            }
        }
        let options = &mut scenario.clients[client].options;
        options.retain(|field| !is_session(field) && field.field != Field::Session);
        let value = Value::Text("persistent".into());
        options.insert(0, FieldValue { field: Field::Session, value, at: NodeId::default() });
    }
}
