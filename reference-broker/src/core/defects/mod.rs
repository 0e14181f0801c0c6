//! Named bugs that can be switched on, one at a time: what a conformance suite must catch.
//!
//! Only with the feature `defects`; an ordinary build has nothing of this. The core asks at its
//! seams, and here the active defect answers: `seams` single decisions, `packets` whole
//! packets on their way in and out, `matching` which subscriptions match, `repair` malformed packets that
//! ought to be refused, `moments` the state itself. `table` says what there is and which statements each
//! defect breaks.

mod matching;
mod moments;
mod packets;
mod repair;
pub(super) mod seams;
mod table;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::Time;
use super::message::Delivery;
use super::session::Held;

pub(super) use moments::moment;
pub use table::{Defect, Kind, all};

/// What a defect remembers. Only the active one writes to it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    flag: Cell<bool>,
    number: Cell<u32>,
    topics: RefCell<BTreeSet<String>>,
    aliases: RefCell<BTreeMap<u16, String>>,
    subscriptions: RefCell<Vec<(Box<str>, Held)>>,
    queue: RefCell<Vec<Delivery>>,
    times: RefCell<BTreeMap<u16, Time>>,
}
