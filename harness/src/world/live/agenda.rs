//! Which cases there are, what is known about each, and in which order they run, and run again.
//!
//! Never the case: a case that is forgotten; a case that runs again although it has been handed out.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::mem::take;
use std::rc::Rc;
use std::time::Duration;

use crate::requirement::RequirementId;
use crate::scenario::Plan;
use crate::verdict::{Finding, Verdict, Weight, verdict_of};
use crate::world::{Played, longest_span, shortest_span};

use super::Crash;
use super::travel::WORTH_IT;

/// Why a case is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    First,
    /// Its broker died while it ran beside others: the number of that death.
    Suspect(usize),
    /// It failed before.
    Again,
    /// It failed before, and this is its last run, which has the last word.
    Last,
}

impl Turn {
    pub(super) fn is_again(self) -> bool {
        matches!(self, Turn::Again | Turn::Last)
    }
}

/// A case and what is known about it.
pub(super) struct Slot {
    pub(super) index: usize,
    pub(super) plan: Rc<Plan>,
    pub(super) seed: u64,
    /// Whether it can run beside others.
    pub(super) beside: bool,
    /// Whether its topics have a prefix of their own.
    pub(super) named_apart: bool,
    pub(super) first: Option<(Played, Duration)>,
    pub(super) crash: Option<Crash>,
    pub(super) attempts: Vec<Verdict>,
    /// What every failing run so far found broken.
    pub(super) always: Option<BTreeSet<RequirementId>>,
    /// Runs again that are still to come.
    pub(super) reruns: usize,
    /// Whether it can follow others on a broker: it does not configure it.
    pub(super) follows: bool,
}

impl Slot {
    /// Keeps of what earlier failing runs broke what this one broke as well.
    pub(super) fn broke(&mut self, findings: &[Finding]) {
        if verdict_of(findings) != Verdict::Fail {
            return;
        }
        let violations = findings.iter().filter(|it| it.weight == Weight::Violation);
        let broken: BTreeSet<RequirementId> = violations.map(|it| it.requirement.clone()).collect();
        self.always = Some(match self.always.take() {
            Some(before) => before.intersection(&broken).cloned().collect(),
            None => broken,
        });
    }

    /// How long its first run took.
    pub(super) fn took(&self) -> Option<Duration> {
        self.first.as_ref().map(|(_, real)| *real)
    }
}

/// The cases of a run and the queues in which they wait. A number is the place of a case among them.
#[derive(Default)]
pub(super) struct Agenda {
    slots: Vec<Option<Slot>>,
    /// Those that run beside others next.
    pub(super) shared: VecDeque<(usize, Turn)>,
    /// Those that have a broker to themselves next.
    pub(super) alone: VecDeque<(usize, Turn)>,
    /// Cases to be run again side by side, each round on a fresh broker.
    rounds: VecDeque<Vec<usize>>,
    /// Cases to be run again with a broker to themselves, round after round.
    rounds_alone: Vec<Vec<usize>>,
}

impl Agenda {
    /// One more case, to be run for the first time.
    pub(super) fn add(&mut self, slot: Slot) {
        let queue = if slot.beside { &mut self.shared } else { &mut self.alone };
        queue.push_back((self.slots.len(), Turn::First));
        self.slots.push(Some(slot));
    }

    /// A case that has not been handed out.
    pub(super) fn slot(&self, number: usize) -> Option<&Slot> {
        self.slots.get(number)?.as_ref()
    }

    pub(super) fn slot_mut(&mut self, number: usize) -> Option<&mut Slot> {
        self.slots.get_mut(number)?.as_mut()
    }

    /// Takes a case out for good.
    pub(super) fn strike(&mut self, number: usize) -> Option<Slot> {
        self.slots.get_mut(number)?.take()
    }

    /// Takes out for good what cannot be asked, with the reason.
    pub(super) fn strike_all(&mut self, reason: impl Fn(&Slot) -> Option<String>) -> Vec<(Slot, String)> {
        let mut struck = Vec::new();
        for place in &mut self.slots {
            if let Some(reason) = place.as_ref().and_then(&reason) {
                struck.extend(place.take().map(|slot| (slot, reason)));
            }
        }
        let slots = &self.slots;
        self.shared.retain(|(number, _)| slots[*number].is_some());
        self.alone.retain(|(number, _)| slots[*number].is_some());
        struck
    }

    /// The numbers of those that have been run at least once.
    pub(super) fn begun(&self) -> Vec<usize> {
        let begun = |number: &usize| self.slot(*number).is_some_and(|slot| slot.first.is_some());
        (0..self.slots.len()).filter(begun).collect()
    }

    /// There was never a case.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// What waits long gets a broker to itself, whose clock can be moved.
    pub(super) fn set_apart_what_waits(&mut self) {
        let slots = &mut self.slots;
        let alone = &mut self.alone;
        self.shared.retain(|entry| {
            let Some(slot) = slots[entry.0].as_mut() else { return false };
            let waits = shortest_span(&slot.plan) >= WORTH_IT;
            if waits {
                slot.beside = false;
                alone.push_back(*entry);
            }
            !waits
        });
    }

    /// What waits longest begins first: then all of it together takes little longer than the longest.
    pub(super) fn put_the_longest_first(&mut self) {
        let slots = &self.slots;
        let longest = |entry: &(usize, Turn)| {
            // What owes a delivery at the end waits for it; what is malformed is answered at once.
            let span = |slot: &Slot| {
                (shortest_span(&slot.plan), !slot.plan.verify.is_empty(), longest_span(&slot.plan))
            };
            Reverse(slots[entry.0].as_ref().map(span))
        };
        self.shared.make_contiguous().sort_by_key(longest);
        self.alone.make_contiguous().sort_by_key(longest);
    }

    /// A case is to be run again so many times: first so many of them beside others, the rest with a broker to itself.
    pub(super) fn again(&mut self, number: usize, reruns: usize, beside: usize) {
        if let Some(slot) = self.slot_mut(number) {
            slot.reruns = reruns;
        }
        if self.rounds.len() < beside {
            self.rounds.resize_with(beside, Vec::new);
        }
        if self.rounds_alone.len() < reruns {
            self.rounds_alone.resize_with(reruns, Vec::new);
        }
        for round in self.rounds.iter_mut().take(beside) {
            round.push(number);
        }
        for round in self.rounds_alone.iter_mut().take(reruns).skip(beside) {
            round.push(number);
        }
    }

    /// Whether there will be one more round side by side.
    pub(super) fn has_rounds(&self) -> bool {
        !self.rounds.is_empty()
    }

    /// Whether one more round side by side could begin, and it now does.
    pub(super) fn begin_round(&mut self) -> bool {
        let Some(round) = self.rounds.pop_front() else { return false };
        let round = self.slowest_first(round);
        self.shared.extend(round.into_iter().map(|number| (number, Turn::Again)));
        true
    }

    /// Goes on with what is to be run again with a broker to itself: first what was run least.
    pub(super) fn begin_round_alone(&mut self) {
        let Some(at) = self.rounds_alone.iter().position(|round| !round.is_empty()) else { return };
        let round = take(&mut self.rounds_alone[at]);
        let round = self.slowest_first(round);
        let turn = if at + 1 == self.rounds_alone.len() { Turn::Last } else { Turn::Again };
        self.alone.extend(round.into_iter().map(|number| (number, turn)));
    }

    fn slowest_first(&self, mut round: Vec<usize>) -> Vec<usize> {
        round.sort_by_key(|number| Reverse(self.slot(*number).map(Slot::took)));
        round
    }

    /// Nobody will have a broker to itself any more, as far as can be said.
    pub(super) fn has_nobody_alone(&self) -> bool {
        self.alone.is_empty() && self.rounds_alone.iter().all(Vec::is_empty)
    }

    pub(super) fn has_nothing_left(&self) -> bool {
        self.shared.is_empty() && self.rounds.iter().all(Vec::is_empty) && self.has_nobody_alone()
    }

    /// Empties the queues; what was in them, and what was to be run again.
    pub(super) fn clear(&mut self) -> (Vec<(usize, Turn)>, Vec<usize>) {
        let queued = self.shared.drain(..).chain(self.alone.drain(..)).collect();
        let rounds = take(&mut self.rounds).into_iter().chain(take(&mut self.rounds_alone));
        (queued, rounds.flatten().collect())
    }
}
