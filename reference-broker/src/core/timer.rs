//! What is due and when.

use std::collections::BTreeSet;

use super::session::SessionId;
use super::{ConnectionId, Time};

/// Something that happens at a moment. At equal moments the order is the one here: a will goes out before
/// its session ends, both before a connection that fell silent is closed, and nothing is sent again on one that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The Will Delay Interval of this session has passed.
    Will(SessionId),
    /// The Session Expiry Interval of this session has passed.
    SessionExpiry(SessionId),
    /// This connection ought to have sent something by now: CONNECT, or any packet within its keep alive.
    Silence(ConnectionId),
    /// What this connection has not acknowledged is sent again.
    Again(ConnectionId),
}

/// All timers, soonest first.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Time, Timer)>);

impl Timers {
    /// Arms a timer. Whoever owns it remembers the moment, in order to cancel it.
    pub(crate) fn arm(&mut self, at: Time, timer: Timer) {
        self.0.insert((at, timer));
    }

    /// Takes an armed timer back.
    pub(crate) fn cancel(&mut self, at: Option<Time>, timer: Timer) {
        if let Some(at) = at {
            self.0.remove(&(at, timer));
        }
    }

    /// The moment of the soonest.
    pub(crate) fn next(&self) -> Option<Time> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the soonest, if it is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<(Time, Timer)> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first()
    }

    /// Whether exactly this timer is armed.
    pub(crate) fn is_armed(&self, at: Time, timer: Timer) -> bool {
        self.0.contains(&(at, timer))
    }

    /// How many are armed.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
