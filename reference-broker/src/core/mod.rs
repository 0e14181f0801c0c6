//! The protocol as a state machine: `(input, now) → outputs`.
//!
//! [`Broker`] is the whole of it, and its documentation is the contract with whoever drives it. Inside:
//!
//! * what comes in: `connection` (bytes → packets), `connect`, `authenticate`, `receive`, `subscribe`;
//! * what is remembered: `state` with `session`, `outbox`, `tree`, `share`, `retained`, `will`;
//! * what goes out: `deliver` (whom a message reaches), `send` (packets → bytes);
//! * what is due: `timer`; what is wrong: `violation`; what is allowed: `access`, `auth`, `config`;
//! * the grammar of topics: `topic`; the decision points: `seam`.
//!
//! Never the case: a clock, a socket, a task, a thread, randomness from the operating system, an order that
//! depends on a hash.

pub mod access;
pub mod auth;
mod authenticate;
mod choice;
pub mod config;
mod connect;
mod connection;
#[cfg(feature = "defects")]
pub mod defects;
mod deliver;
mod message;
mod outbox;
mod random;
mod receive;
mod retained;
mod seam;
mod send;
mod session;
mod setting;
mod share;
mod state;
mod statistics;
mod subscribe;
mod time;
mod timer;
pub mod topic;
mod tree;
mod variants;
mod violation;
mod will;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

pub use access::{AccessRule, Action};
pub use auth::{AuthMethod, AuthStep, Challenge};
pub use config::{Config, ConfigError, ConfigKey};
pub use statistics::Statistics;
pub use time::Time;
pub use variants::{Variant, variants};
pub use violation::Violation;

use connection::Connection;
use deliver::Scratch;
use random::Random;
use seam::Seam;
use state::State;
use timer::{Timer, Timers};
use violation::End;

#[cfg(test)]
pub(crate) mod tests;

/// A Network Connection, as its driver calls it. Numbers are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes: exactly one Control Packet.
    Send {
        /// To whom.
        connection: ConnectionId,
        /// The packet.
        bytes: Vec<u8>,
    },
    /// Close in an orderly way, after everything that was sent so far.
    Close {
        /// Which.
        connection: ConnectionId,
    },
}

/// A server of MQTT 3.1, 3.1.1 and 5.0, without the world around it.
///
/// # The contract
///
/// The driver owns the sockets and the clock. It tells the broker what happened and does what the broker
/// says:
///
/// 1. A connection begins with [`opened`](Broker::opened), with a number that was never used before.
/// 2. What arrives goes to [`received`](Broker::received), in order, in slices of any size: the broker finds
///    the packets itself. What arrives on a connection that is not open any more is ignored.
/// 3. A connection ends in one of two ways. If the transport ends without the broker asking (FIN, RST,
///    time-out), the driver calls [`lost`](Broker::lost). If the broker asks with [`Output::Close`], the
///    number is forgotten at that moment, and the driver does not call `lost` for it.
/// 4. After each call the driver drains [`poll_output`](Broker::poll_output) until it says `None`. Outputs of
///    one connection are in the order in which they have to reach the wire.
/// 5. [`next_deadline`](Broker::next_deadline) says when the broker wants to be woken, which may change with
///    every call. At that moment, or later, the driver calls [`advance`](Broker::advance). Waking is exact
///    and cheap; sometimes nothing is to be seen of it, since a timer that was overtaken by events is only
///    found out when it fires.
///
/// Time is what `now` says. It never runs backwards: an earlier `now` is taken for the latest so far. Every
/// call first fires what is due at or before its `now`, one timer after the other in the order of their
/// times, each as of its own time; so a clock that jumps changes nothing but when the outputs are seen.
///
/// The same configuration, seed and calls give the same outputs, on every machine.
///
/// Never the case: a panic on what a client sends; memory beyond the Maximum Packet Size for bytes that are
/// no packet yet.
#[derive(Debug)]
pub struct Broker {
    config: Config,
    seam: Seam,
    random: Random,
    now: Time,
    connections: BTreeMap<ConnectionId, Box<Connection>>,
    state: State,
    timers: Timers,
    outputs: VecDeque<Output>,
    scratch: Scratch,
}

impl Broker {
    /// A broker without sessions. `seed` selects its random numbers: assigned Client Identifiers, and the
    /// choice of a member where that is random.
    pub fn new(config: Config, seed: u64) -> Broker {
        Broker {
            seam: Seam::new(&config),
            random: Random::new(seed),
            now: Time::ZERO,
            connections: BTreeMap::new(),
            state: State::default(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            scratch: Scratch::default(),
            config,
        }
    }

    /// A Network Connection has been opened.
    pub fn opened(&mut self, connection: ConnectionId, now: Time) {
        self.advance(now);
        let silent_until = self.now + self.config.connect_timeout;
        self.timers.arm(silent_until, Timer::Silence(connection));
        let fresh = Box::new(Connection::new(self.now, silent_until));
        self.connections.insert(connection, fresh);
    }

    /// Bytes have arrived.
    pub fn received(&mut self, connection: ConnectionId, bytes: &[u8], now: Time) {
        self.advance(now);
        self.take_bytes(connection, bytes);
    }

    /// The transport has ended without the broker asking for it.
    pub fn lost(&mut self, connection: ConnectionId, now: Time) {
        self.advance(now);
        self.close(connection, End::Lost);
    }

    /// Fires every timer that is due at or before `now`.
    pub fn advance(&mut self, now: Time) {
        while let Some((at, timer)) = self.timers.pop_due(now) {
            self.now = self.now.max(at);
            match timer {
                Timer::Will(session) => self.will_delay_passed(session),
                Timer::SessionExpiry(session) => self.session_expired(session),
                Timer::Silence(connection) => self.silence(connection),
                Timer::Again(connection) => self.send_again(connection),
            }
        }
        self.now = self.now.max(now);
    }

    /// When the next timer is due, if any runs.
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Stops in an orderly way: publishes the wills that are due to it, tells every 5.0 client with DISCONNECT
    /// 0x8B, closes every connection. Sessions stay in memory.
    pub fn shutdown(&mut self, now: Time) {
        self.advance(now);
        self.publish_wills_at_shutdown();
        while let Some(connection) = self.connections.keys().next().copied() {
            self.end_connection(connection, End::Shutdown);
        }
    }
}
