//! Counts, times and numbers made smaller; faults made plainer and earlier.

use std::time::Duration;

use crate::scenario::{Action, ClientAct, Cut, Field, Scenario, Value};

use super::size::is_fault;
use super::{Place, Search, parts};

/// Everything of which there can be less.
pub(super) fn lower(search: &mut Search<'_>) {
    search.everywhere(&singles);
    search.everywhere(&counts);
    search.everywhere(&qualities);
    search.everywhere(&times);
    search.everywhere(&faults);
}

/// Smaller numbers to try, the smallest first.
fn smaller(number: u64, least: u64) -> Vec<u64> {
    let mut found = vec![least, number / 2, number.saturating_sub(1)];
    found.retain(|it| *it >= least && *it < number);
    found.dedup();
    found
}

fn counts(scenario: &mut Scenario, place: &mut Place) {
    for at in 0..scenario.steps.len() {
        let Action::Client { act: ClientAct::Publish { count, .. }, .. } = scenario.steps[at].action else {
            continue;
        };
        for fewer in smaller(u64::from(count), 1) {
            if place.here() {
                set_count(scenario, at, fewer as u32);
                return;
            }
        }
    }
}

/// Fewer messages in a step, and no demands on those that are gone.
fn set_count(scenario: &mut Scenario, at: usize, fewer: u32) {
    let Action::Client { act: ClientAct::Publish { message, count, .. }, .. } =
        &mut scenario.steps[at].action
    else {
        return;
    };
    let before = std::mem::replace(count, fewer);
    let text = message.fields.iter_mut().rev().find_map(|field| match (&field.field, &mut field.value) {
        (Field::Payload, Value::Text(text)) if text.contains("{n}") => Some(text),
        _ => None,
    });
    let Some(text) = text else { return };
    let gone: Vec<String> =
        (fewer + 1..=before).map(|number| text.replace("{n}", &number.to_string())).collect();
    if fewer == 1 {
        *text = text.replace("{n}", "1");
    }
    scenario.verify.retain_mut(|demand| {
        let any = demand.payloads.is_empty();
        demand.payloads.retain(|payload| !gone.contains(payload));
        any || !demand.payloads.is_empty()
    });
}

/// Single messages, and faults at the first packet: a trigger often counts what a step repeats.
fn singles(scenario: &mut Scenario, place: &mut Place) {
    if !place.here() {
        return;
    }
    for at in 0..scenario.steps.len() {
        match &mut scenario.steps[at].action {
            Action::Client { act: ClientAct::Publish { count: 2.., .. }, .. } => set_count(scenario, at, 1),
            Action::When(trigger) => trigger.nth = 1,
            _ => {}
        }
    }
}

fn qualities(scenario: &mut Scenario, place: &mut Place) {
    parts::field_lists(scenario, &mut |list| {
        for field in list {
            match (field.field, &mut field.value) {
                (Field::Qos, Value::Number(qos)) if *qos > 0 && place.here() => *qos -= 1,
                (Field::PayloadSize, Value::Number(size)) => {
                    for less in smaller(*size, 1) {
                        if place.here() {
                            *size = less;
                            return;
                        }
                    }
                }
                _ => {}
            }
        }
    });
}

fn times(scenario: &mut Scenario, place: &mut Place) {
    for step in &mut scenario.steps {
        let time = match &mut step.action {
            Action::Wait(time) => time,
            Action::Client { window: Some(time), .. } => time,
            _ => continue,
        };
        let half = Duration::from_millis(time.as_millis() as u64 / 2);
        let round = [1, 10, 100, 1_000, 2_000, 5_000, 10_000].map(Duration::from_millis);
        let whole = Duration::from_secs(half.as_secs());
        for less in round.into_iter().chain([half, whole]) {
            if less < *time && !less.is_zero() && place.here() {
                *time = less;
                return;
            }
        }
    }
}

fn faults(scenario: &mut Scenario, place: &mut Place) {
    for step in &mut scenario.steps {
        match &mut step.action {
            Action::When(trigger) => {
                for less in smaller(u64::from(trigger.nth), 1) {
                    if place.here() {
                        trigger.nth = less as u32;
                        return;
                    }
                }
                if trigger.cut != Cut::Reset && place.here() {
                    trigger.cut = Cut::Reset;
                }
            }
            Action::Client { act: ClientAct::LoseConnection(cut), .. }
                if *cut != Cut::Reset && place.here() =>
            {
                *cut = Cut::Reset;
            }
            _ => {}
        }
    }
}

/// Faults nearer to the beginning.
pub(super) fn earlier(search: &mut Search<'_>) {
    search.everywhere(&|scenario, place| {
        for at in 0..scenario.steps.len() {
            if !is_fault(&scenario.steps[at].action) {
                continue;
            }
            for to in smaller(at as u64, 0) {
                if place.here() {
                    let step = scenario.steps.remove(at);
                    scenario.steps.insert(to as usize, step);
                    return;
                }
            }
        }
    });
}
