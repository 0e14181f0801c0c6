//! Implementation choices: what is recorded when an expectation is fulfilled, and in the end.
//!
//! Never the case: a finding. A choice that nobody can see is simply not recorded.

use std::time::Duration;

use reference_broker::codec::{PacketType, next_frame};
use reference_broker::core::Time;

use crate::history::{Ending, History, packet_type};
use crate::requirement::MEASURED_VALUE;
use crate::scenario::{Alternative, ByCount, CloseSign, ExpectPlan, Shown};
use crate::text::format_duration;
use crate::verdict::Recorded;

use super::{Judge, view};

/// Measured times are shown in steps of this many milliseconds: brokers poll, and worlds differ by less.
const STEP_MS: u64 = 100;

/// Time from the beginning of a step; none if it was before.
pub(super) fn since(began: Time, at: Time) -> Duration {
    if at > began { at - began } else { Duration::ZERO }
}

/// The code of a CONNACK or DISCONNECT of either version.
pub(super) fn code_of(bytes: &[u8]) -> Option<u8> {
    let frame = next_frame(bytes, None).ok()??;
    match packet_type(bytes)? {
        PacketType::Connack => frame.body.get(1).copied(),
        // The code may be left out if it is 0x00.
        PacketType::Disconnect => Some(frame.body.first().copied().unwrap_or(0)),
        _ => None,
    }
}

/// A close that comes within this is one that comes at once.
const AT_ONCE: Duration = Duration::from_secs(1);

fn measured(time: Duration) -> String {
    let steps = (time.as_millis() as u64 + STEP_MS / 2) / STEP_MS;
    format_duration(Duration::from_millis(steps * STEP_MS))
}

/// The same in whole seconds that have begun, for what nobody times more finely.
fn in_seconds(time: Duration) -> String {
    format_duration(Duration::from_secs(time.as_millis().div_ceil(1000) as u64))
}

impl Judge<'_> {
    /// The alternative at this place was taken.
    pub(super) fn record(&mut self, expect: &ExpectPlan, place: usize, event: u32, after: Duration) {
        for (_, choice) in expect.choices.iter().filter(|(at, _)| *at == place) {
            let value = match &choice.shown {
                Shown::Value(value) => (*value).to_string(),
                Shown::Measured => measured(after),
                Shown::Close(_) => continue,
            };
            self.recorded.push(Recorded { name: choice.name, value, event: Some(event) });
        }
    }

    /// The packets at these places in the inbox are the sequence at this place.
    pub(super) fn record_sequence(
        &mut self,
        expect: &ExpectPlan,
        place: usize,
        client: usize,
        taken: &[usize],
        began: Time,
    ) {
        if let Some(last) = taken.last() {
            let inbound = self.clients[client].inbox[*last];
            self.record(expect, place, inbound.event, since(began, inbound.at));
        }
    }

    /// Nothing came until the limit, or the connection stayed.
    pub(super) fn record_absence(&mut self, expect: &ExpectPlan, event: u32, after: Duration) {
        let place = expect
            .alternatives
            .iter()
            .position(|it| matches!(it, Alternative::Nothing(_) | Alternative::Open));
        if let Some(place) = place {
            self.record(expect, place, event, after);
        }
    }

    /// The broker closed, after it had said this.
    pub(super) fn record_close(
        &mut self,
        expect: &ExpectPlan,
        place: usize,
        closed: &view::End,
        said: Option<u8>,
        after: Duration,
    ) {
        self.record(expect, place, closed.event, after);
        for (_, choice) in expect.choices.iter().filter(|(at, _)| *at == place) {
            let Shown::Close(signs) = &choice.shown else { continue };
            let bears = |sign: &CloseSign| match sign {
                CloseSign::Code(code) => said == Some(*code),
                CloseSign::Said => said.is_some(),
                CloseSign::Silent => said.is_none(),
                CloseSign::Fin => closed.how == Ending::Fin,
                CloseSign::Reset => closed.how == Ending::Reset,
                CloseSign::Soon => after <= AT_ONCE + self.plan.tolerance,
                CloseSign::Later => after > AT_ONCE + self.plan.tolerance,
            };
            if let Some((_, value)) = signs.iter().find(|(sign, _)| bears(sign)) {
                let value = if *value == MEASURED_VALUE { in_seconds(after) } else { (*value).to_string() };
                self.recorded.push(Recorded { name: choice.name, value, event: Some(closed.event) });
            }
        }
    }

    /// Counts deliveries in the whole run.
    pub(super) fn record_counts(&mut self, history: &History) {
        for record in &self.plan.records {
            let deliveries = record.to.iter().flat_map(|to| &self.clients[*to].deliveries);
            let counted = deliveries.filter(|it| {
                let payload = history.bytes(it.payload);
                (record.payloads.is_empty() || record.payloads.iter().any(|one| one.as_bytes() == payload))
                    && it.is_on(record.topic.as_deref(), history)
            });
            let count = counted.count() as u64;
            let value = match &record.count {
                ByCount::Measured => Some(count.to_string()),
                ByCount::Values(values) => {
                    values.iter().find(|(number, _)| *number == count).map(|(_, it)| (*it).to_string())
                }
            };
            let event = None;
            self.recorded.extend(value.map(|value| Recorded { name: record.name, value, event }));
        }
    }
}
