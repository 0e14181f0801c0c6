//! How large a scenario is for a person who reads it.

use crate::scenario::{Action, ClientAct, Cut, ExpectSpec, Field, LinkChange, Scenario, Value, write};

use super::parts;

/// The measure, in the order of what counts most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Size {
    /// Steps.
    pub steps: usize,
    /// Clients.
    pub clients: usize,
    /// Faults: steps that cut, hold up or kill, and links that are not plain.
    pub faults: usize,
    /// Options: fields, limits, demands, settings, whatever can be left out.
    pub options: usize,
    /// Bytes of the file.
    pub bytes: usize,
    /// Numbers where smaller is simpler and not shorter: QoS, counts, how a connection ends.
    pub amounts: u64,
    /// How late the faults come.
    pub lateness: usize,
}

impl Size {
    /// That of a scenario.
    pub fn of(scenario: &Scenario) -> Size {
        let mut size = Size {
            steps: scenario.steps.len(),
            clients: scenario.clients.len(),
            faults: usize::from(scenario.network != LinkChange::default()),
            options: scenario.config.len() + changes(&scenario.network),
            bytes: write(scenario, &[]).len(),
            ..Size::default()
        };
        for demand in &scenario.verify {
            size.options += 1 + demand.to.len() + demand.payloads.len() + usize::from(demand.topic.is_some());
            size.options += demand.judges.len();
        }
        for (record, _) in &scenario.records {
            size.options += 1 + record.to.len() + record.payloads.len();
        }
        for (at, step) in scenario.steps.iter().enumerate() {
            if is_fault(&step.action) {
                size.faults += 1;
                size.lateness += at;
            }
            size.options += usize::from(step.note.is_some()) + step.judges.len();
            size.action(&step.action);
        }
        parts::field_lists(&mut scenario.clone(), &mut |list| {
            size.options += list.len();
            for field in list {
                match (&field.field, &field.value) {
                    (Field::Qos, Value::Number(qos)) => size.amounts += qos,
                    (_, Value::Filters(filters)) => size.options += filters.len(),
                    _ => {}
                }
            }
        });
        size
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Client { act, within, after, window, .. } => {
                self.options += usize::from(within.is_some()) + usize::from(after.is_some());
                self.amounts += window.map_or(0, |time| time.as_millis() as u64);
                match act {
                    ClientAct::Connect { session_present, .. } => {
                        self.options += usize::from(session_present.is_some());
                    }
                    ClientAct::Publish { count, wait, .. } => {
                        self.options += usize::from(*count > 1) + usize::from(!wait);
                        self.amounts += u64::from(*count);
                    }
                    ClientAct::LoseConnection(cut) => self.amounts += rank(*cut),
                    ClientAct::Expect { alternatives, choices } => {
                        self.options += choices.len();
                        for spec in alternatives {
                            self.expectation(spec);
                        }
                    }
                    _ => {}
                }
            }
            Action::Wait(time) => self.amounts += time.as_millis() as u64,
            Action::Link { change, .. } => self.options += changes(change),
            Action::When(trigger) => {
                self.amounts += u64::from(trigger.nth) + rank(trigger.cut);
            }
            Action::Partition(_) | Action::Heal(_) | Action::Broker(_) => {}
        }
    }

    fn expectation(&mut self, spec: &ExpectSpec) {
        match spec {
            ExpectSpec::Packet { fields, .. } => self.options += fields.len(),
            ExpectSpec::Sequence(list) => list.iter().for_each(|spec| self.expectation(spec)),
            _ => {}
        }
    }
}

/// A reset is the plainest end of a connection.
fn rank(cut: Cut) -> u64 {
    match cut {
        Cut::Reset => 0,
        Cut::Close => 1,
        Cut::Silence => 2,
    }
}

fn changes(change: &LinkChange) -> usize {
    [
        change.latency.is_some(),
        change.jitter.is_some(),
        change.loss.is_some(),
        change.split.is_some(),
        change.rate.is_some(),
        change.window.is_some(),
    ]
    .into_iter()
    .filter(|it| *it)
    .count()
}

/// Whether a step is a fault.
pub(super) fn is_fault(action: &Action) -> bool {
    match action {
        Action::When(_) | Action::Partition(_) | Action::Link { .. } | Action::Broker(_) => true,
        Action::Client { act, .. } => {
            matches!(act, ClientAct::LoseConnection(_) | ClientAct::FallSilent | ClientAct::StopReading)
        }
        Action::Heal(_) | Action::Wait(_) => false,
    }
}
