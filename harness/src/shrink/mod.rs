//! Shrinking: from a scenario that shows a finding to a small one that shows the same.
//!
//! The search knows nothing of brokers: it proposes smaller scenarios and asks whether the finding is still there.
//! A proposal counts only if it is smaller by [`Size`], makes sense as far as the scenario it came from does
//! (`sense`), and can be written as a file and read again. Passes go from the cheap to the dear and are repeated until
//! none of them finds anything; in the end clients, topics and payloads get readable names.
//!
//! * [`trial`]: the usual question: is the same finding there when the core world plays it?
//! * `chunks`: whole steps, clients and demands.
//! * `options`: fields, limits, settings.
//! * `amounts`: counts, times, numbers, the places of faults.
//! * `names`: clients, topics and payloads.
//!
//! Never the case: a clock or a random number; an expectation that accepts less than before.

mod amounts;
mod chunks;
mod names;
mod options;
mod parts;
mod sense;
mod size;
pub mod trial;

use reference_broker::codec::ProtocolVersion;

use crate::scenario::{Scenario, parse_file, write};
use crate::text::SourceText;

pub use size::Size;
pub use trial::{Trial, Wanted};

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Scenarios that were tried.
    pub attempts: u64,
    /// How large the best one is.
    pub size: Size,
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The smallest scenario with the finding.
    pub scenario: Scenario,
    /// Its size.
    pub size: Size,
    /// Scenarios that were tried.
    pub attempts: u64,
    /// Whether the search came to its end; otherwise it was told to stop.
    pub finished: bool,
}

/// Looks for the smallest scenario with the finding that `scenario` shows in `version`.
///
/// `fails` says whether a scenario shows the finding; it has to hold for `scenario` and to answer the same for the same
/// scenario. `go_on` is asked before every attempt; when it says no, the best so far is given back. `progress` is told
/// after every attempt. What is left runs in `version` alone; its title, reasons and statements stay as they are.
///
/// The result follows from the arguments alone.
pub fn shrink(
    scenario: &Scenario,
    version: ProtocolVersion,
    fails: &mut dyn FnMut(&Scenario) -> bool,
    go_on: &mut dyn FnMut() -> bool,
    progress: &mut dyn FnMut(&Progress),
) -> Shrunk {
    let best = chunks::of_version(scenario, version);
    let size = Size::of(&best);
    let sense = sense::Sense::of(&best);
    let mut search = Search { best, size, sense, attempts: 0, stopped: false, fails, go_on, progress };
    while !search.stopped {
        let before = search.size;
        chunks::steps(&mut search);
        chunks::clients(&mut search);
        chunks::demands(&mut search);
        options::remove(&mut search);
        amounts::lower(&mut search);
        amounts::earlier(&mut search);
        names::merge_topics(&mut search);
        if search.size == before {
            // Only now what is tried by the square of what is left.
            chunks::pairs(&mut search);
            chunks::merge_clients(&mut search);
        }
        if search.size == before {
            break;
        }
    }
    names::readable(&mut search);
    let Search { best, size, attempts, stopped, .. } = search;
    Shrunk { scenario: best, size, attempts, finished: !stopped }
}

/// A search under way.
struct Search<'s> {
    best: Scenario,
    size: Size,
    sense: sense::Sense,
    attempts: u64,
    stopped: bool,
    fails: &'s mut dyn FnMut(&Scenario) -> bool,
    go_on: &'s mut dyn FnMut() -> bool,
    progress: &'s mut dyn FnMut(&Progress),
}

impl Search<'_> {
    /// Takes a scenario that is smaller and shows the finding.
    fn attempt(&mut self, candidate: Scenario) -> bool {
        let size = Size::of(&candidate);
        size < self.size && self.take(candidate, size)
    }

    /// Takes a scenario that shows the finding, whatever its size.
    fn rename(&mut self, candidate: Scenario) -> bool {
        let size = Size::of(&candidate);
        candidate != self.best && self.take(candidate, size)
    }

    fn take(&mut self, candidate: Scenario, size: Size) -> bool {
        if self.stopped || !sense::Sense::of(&candidate).keeps(&self.sense) {
            return false;
        }
        if !(self.go_on)() {
            self.stopped = true;
            return false;
        }
        self.attempts += 1;
        let taken = (self.fails)(&candidate) && is_readable(&candidate);
        if taken {
            self.best = candidate;
            self.size = size;
        }
        (self.progress)(&Progress { attempts: self.attempts, size: self.size });
        taken
    }

    /// Tries an edit at one place after the other, until none is left at which it makes the scenario smaller.
    fn everywhere(&mut self, edit: &dyn Fn(&mut Scenario, &mut Place)) {
        let mut at = 0;
        while !self.stopped {
            let mut candidate = self.best.clone();
            let mut place = Place { before: at, met: false };
            edit(&mut candidate, &mut place);
            if !place.met {
                return;
            }
            if !self.attempt(candidate) {
                at += 1;
            }
        }
    }
}

/// Which of the places that an edit passes is meant.
struct Place {
    before: usize,
    met: bool,
}

impl Place {
    /// Whether it is this one.
    fn here(&mut self) -> bool {
        if self.met || self.before > 0 {
            self.before = self.before.saturating_sub(1);
            return false;
        }
        self.met = true;
        true
    }
}

/// Whether it can be written as a file that is read without a mistake.
fn is_readable(scenario: &Scenario) -> bool {
    parse_file("shrunk", SourceText::new("shrunk.yaml", write(scenario, &[]))).is_ok()
}
