//! Raw bytes on several connections, and time: the core never panics, keeps its invariants, and neither its memory
//! nor its outputs grow beyond what the bytes can account for.
//!
//! Input: a byte for the legal variant, a byte for limits, then records of a byte `kkcccccc` (kind, connection), a
//! byte `n` and, for kind 0 and 1, `n` bytes:
//!
//! * 0, 1: these bytes arrive, on a new connection if none is open there;
//! * 2: the transport ends;
//! * 3: time passes, up to some minutes.

use std::collections::BTreeMap;
use std::time::Duration;

use reference_broker::codec::ProtocolVersion;
use reference_broker::core::{Broker, Config, ConnectionId, Output, Statistics, Time, variants};

use crate::rules::{self, Judgement};

/// Connections that are open at once.
const SLOTS: u8 = 6;

/// Bytes that a packet of the broker can have beyond those that arrived: its own texts and properties, a Topic
/// Alias, a Message Expiry Interval.
const OWN_BYTES: usize = 512;

/// A Subscription Identifier on a delivery.
const IDENTIFIER_BYTES: usize = 5;

/// Runs the records in `bytes`.
pub fn check(bytes: &[u8]) {
    let [variant, limits, records @ ..] = bytes else { return };
    let config = config(*variant, *limits);
    let mut world = World {
        broker: Broker::new(config, 1),
        now: Time::ZERO,
        opened: 0,
        slots: BTreeMap::new(),
        total: 0,
        reached: 0,
    };
    let mut records = records;
    while let [head, n, rest @ ..] = records {
        records = rest;
        let slot = (head & 0x3F) % SLOTS;
        match head >> 6 {
            0 | 1 => {
                let (bytes, rest) = records.split_at(usize::from(*n).min(records.len()));
                records = rest;
                world.receive(slot, bytes);
            }
            2 => world.lose(slot),
            _ => world.pass(Duration::from_millis(u64::from(*n) * u64::from(*n) * 4)),
        }
    }
}

/// A legal variant with some limits that are reached soon.
pub fn config(variant: u8, limits: u8) -> Config {
    let mut config = Config::default();
    if let Some(variant) = variants().get(usize::from(variant)) {
        for (key, value) in variant.settings {
            config.set(key, value).expect("a variant is legal");
        }
    }
    let few: [(&str, &str); 8] = [
        ("maximum-packet-size", "64"),
        ("queue-limit", "3"),
        ("receive-maximum", "2"),
        ("send-window", "2"),
        ("maximum-connections", "2"),
        ("maximum-retained", "1"),
        ("maximum-subscriptions", "2"),
        ("queue-overflow", "drop-oldest"),
    ];
    for (place, (key, value)) in few.iter().enumerate() {
        if limits >> place & 1 == 1 {
            config.set(key, value).expect("a setting that there is");
        }
    }
    config
}

struct World {
    broker: Broker,
    now: Time,
    opened: u64,
    slots: BTreeMap<u8, ConnectionId>,
    /// Bytes that have arrived.
    total: usize,
    /// Deliveries that everything so far could reach.
    reached: usize,
}

impl World {
    fn receive(&mut self, slot: u8, bytes: &[u8]) {
        let connection = match self.slots.get(&slot) {
            Some(connection) => *connection,
            None => {
                self.opened += 1;
                let connection = ConnectionId(self.opened);
                self.slots.insert(slot, connection);
                self.broker.opened(connection, self.now);
                connection
            }
        };
        let before = self.broker.statistics();
        self.total += bytes.len();
        self.broker.received(connection, bytes, self.now);
        // The shortest packet has two bytes, and the last one may have begun earlier.
        self.settle(before, bytes.len() / 2 + 1);
    }

    fn lose(&mut self, slot: u8) {
        let Some(connection) = self.slots.remove(&slot) else { return };
        let before = self.broker.statistics();
        self.broker.lost(connection, self.now);
        self.settle(before, 1);
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = 0;
        loop {
            let next = self.broker.next_deadline().filter(|at| *at <= end);
            steps += 1;
            assert!(steps < 20_000, "the clock does not get on");
            let before = self.broker.statistics();
            self.now = next.unwrap_or(end).max(self.now);
            self.broker.advance(self.now);
            self.settle(before, 1 + before.timers);
            if next.is_none() {
                return;
            }
        }
    }

    /// Drains the outputs of a call that had `events` packets or timers in it, and looks at what is left.
    fn settle(&mut self, before: Statistics, events: usize) {
        let after = self.broker.statistics();
        let mut count = 0;
        while let Some(output) = self.broker.poll_output() {
            count += 1;
            match output {
                Output::Send { connection, bytes } => {
                    assert!(
                        self.slots.values().any(|it| *it == connection),
                        "to {connection}, which has ended"
                    );
                    let most = self.total + OWN_BYTES + IDENTIFIER_BYTES * before.subscriptions;
                    assert!(bytes.len() <= most, "a packet of {} bytes from {most}", bytes.len());
                    well_formed(&bytes);
                }
                Output::Close { connection } => {
                    let slot = self.slots.iter().find(|(_, it)| **it == connection).map(|(slot, _)| *slot);
                    self.slots.remove(&slot.expect("it was open"));
                }
            }
        }
        // A packet is answered, reaches each subscription once, and may end a connection whose will does the same; a
        // subscription may call up every retained message; a client that comes back everything that waits for it.
        let reach = 4
            + 2 * (before.connections + after.connections)
            + before.subscriptions.max(after.subscriptions)
            + before.retained.max(after.retained)
            + (before.in_flight + before.queued).max(after.in_flight + after.queued);
        assert!(count <= events * reach, "{count} outputs of {events} events that reach {reach}");
        self.broker.invariants().expect("after every call");
        assert!(self.broker.next_deadline().is_none_or(|at| at >= self.now), "a deadline in the past");
        assert_eq!(after.connections, self.slots.len());
        // What is kept has arrived: a subscription has three bytes at least, a message four, for each session that
        // is to hear it.
        let sessions = after.sessions.max(1);
        assert!(after.sessions <= self.opened as usize);
        assert!(after.subscriptions * 3 <= self.total * sessions);
        assert!(after.retained * 4 <= self.total);
        assert!(after.incoming * 4 <= self.total);
        self.reached += events * reach;
        assert!(after.queued + after.in_flight <= self.reached, "{after:?}");
        assert!(after.timers <= 2 * (after.connections + after.sessions), "{after:?}");
    }
}

/// One packet, right in some version.
fn well_formed(bytes: &[u8]) {
    let right = ProtocolVersion::ALL.into_iter().any(|version| {
        matches!(
            rules::judge(bytes, version),
            Judgement::Packet { length, breaks } if length == bytes.len() && breaks.is_empty()
        )
    });
    assert!(right, "the broker sent {bytes:02X?}");
}
