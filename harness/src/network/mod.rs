//! The network model: pure, integer time, one stream of random numbers per flow.
//!
//! It decides when a piece of a byte stream arrives, and in every world it is the only one that does. It
//! sits at the client's end of each connection; what lies behind it (a state machine, turmoil's sockets,
//! real sockets) carries bytes and nothing else. Streams stay streams: pieces of one flow never overtake
//! each other, loss is the delay of a retransmission, and what a partition holds back arrives when it heals.
//!
//! Never the case: a world's verb, a real clock, a float in a decision.

mod random;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use reference_broker::core::Time;

use crate::history::Link;
use crate::scenario::{LinkChange, Split};

pub use random::{RANDOM_NAME, Random};

/// How long an end waits for acknowledgements before it gives its connection up.
pub const DEAD_AFTER: Duration = Duration::from_secs(120);
/// How long a client waits for a connection to open.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The first retransmission time-out; each further one is twice as long.
pub const RETRANSMISSION_TIMEOUT: Duration = Duration::from_millis(200);
/// After this many losses of one piece the sender's connection dies.
pub const MAX_RETRANSMISSIONS: u32 = 9;

/// The direction of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Towards {
    /// From the client to the broker.
    Broker,
    /// From the broker to the client.
    Client,
}

/// What travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The opening of a connection, and its acceptance on the way back.
    Syn,
    /// Bytes of the stream.
    Bytes(Vec<u8>),
    /// The orderly end of the stream.
    Fin,
    /// The end of the connection; what was under way is gone.
    Rst,
}

/// Something that happens at an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// A piece arrives.
    Piece(Link, Towards, Piece),
    /// The end that sends in this direction gives up: nothing was acknowledged for too long.
    TimedOut(Link, Towards),
    /// No connection came about.
    ConnectTimedOut(Link),
}

/// When a piece arrives, and which one comes first of those that arrive at the same time.
type Due = (Time, u64);

/// A piece that is under way: when it arrives, then its number, then its flow, in one number that orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u128);

impl Entry {
    fn new((due, sequence): Due, link: Link, towards: Towards) -> Entry {
        let flow = u128::from(link.0) << 1 | index(towards) as u128;
        Entry(u128::from(due.0) << 64 | u128::from(sequence as u32) << 32 | flow)
    }

    const fn due(self) -> Time {
        Time((self.0 >> 64) as u64)
    }

    const fn flow(self) -> (Link, Towards) {
        let towards = if self.0 & 1 == 0 { Towards::Broker } else { Towards::Client };
        (Link((self.0 as u32) >> 1), towards)
    }
}

/// How a direction of a link behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Settings {
    latency: Duration,
    jitter: Duration,
    loss: u32,
    split: Split,
    rate: u64,
    window: u64,
    partitioned: bool,
}

#[derive(Debug, Clone)]
struct Flow {
    random: Random,
    /// What is under way, in the order in which it arrives: pieces of one flow never overtake each other.
    under_way: VecDeque<(Due, Piece)>,
    /// When the last piece arrives; the next one does not overtake it.
    last: Time,
    /// What a partition holds back.
    stalled: Vec<Piece>,
    /// Since when something has been waiting for an acknowledgement that cannot come.
    unacknowledged_since: Option<Time>,
    /// Bytes that have been sent and have not arrived.
    bytes_under_way: u64,
}

#[derive(Debug, Clone)]
struct Line {
    client: usize,
    /// Whether the client's end still exists, and whether the broker's does.
    ends: [bool; 2],
    opening_since: Option<Time>,
    flows: [Flow; 2],
    reading: bool,
}

/// All links of a run.
#[derive(Debug, Clone)]
pub struct Network {
    seed: u64,
    clients: Vec<[Settings; 2]>,
    lines: Vec<Line>,
    sequence: u64,
    /// One entry for every piece that is under way to an end that takes it, the next one on top. Whatever changes
    /// more than the ends of flows makes it anew: that happens seldom.
    arrivals: BinaryHeap<Reverse<Entry>>,
    /// When the first end gives up.
    patience: Option<Time>,
}

const fn index(towards: Towards) -> usize {
    match towards {
        Towards::Broker => 0,
        Towards::Client => 1,
    }
}

const fn back(towards: Towards) -> Towards {
    match towards {
        Towards::Broker => Towards::Client,
        Towards::Client => Towards::Broker,
    }
}

impl Network {
    /// Links with this one-way latency for `clients` clients.
    pub fn new(seed: u64, clients: usize, latency: Duration) -> Network {
        let settings = Settings { latency, ..Settings::default() };
        Network {
            seed,
            clients: vec![[settings; 2]; clients],
            lines: Vec::new(),
            sequence: 0,
            arrivals: BinaryHeap::new(),
            patience: None,
        }
    }

    /// Changes how a direction of a client's link behaves, from now on.
    pub fn change(&mut self, client: usize, towards: Towards, change: LinkChange) {
        let settings = &mut self.clients[client][index(towards)];
        settings.latency = change.latency.unwrap_or(settings.latency);
        settings.jitter = change.jitter.unwrap_or(settings.jitter);
        settings.loss = change.loss.unwrap_or(settings.loss);
        settings.split = change.split.unwrap_or(settings.split);
        settings.rate = change.rate.unwrap_or(settings.rate);
        settings.window = change.window.unwrap_or(settings.window);
    }

    /// Lets nothing pass in this direction; what is under way waits as well.
    pub fn partition(&mut self, client: usize, towards: Towards, now: Time) {
        self.clients[client][index(towards)].partitioned = true;
        for line in self.lines.iter_mut().filter(|line| line.client == client) {
            let flow = &mut line.flows[index(towards)];
            if !flow.under_way.is_empty() {
                flow.stalled.extend(flow.under_way.drain(..).map(|(_, piece)| piece));
                flow.unacknowledged_since.get_or_insert(now);
            }
        }
        self.look_again();
    }

    /// Lets everything pass again; what was held back sets out now.
    pub fn heal(&mut self, client: usize, towards: Towards, now: Time) {
        self.clients[client][index(towards)].partitioned = false;
        let whole = !self.clients[client][index(back(towards))].partitioned;
        for number in 0..self.lines.len() {
            if self.lines[number].client != client {
                continue;
            }
            let flow = &mut self.lines[number].flows[index(towards)];
            for piece in std::mem::take(&mut flow.stalled) {
                self.dispatch(Link(number as u32), towards, piece, now);
            }
            if whole {
                for flow in &mut self.lines[number].flows {
                    flow.unacknowledged_since = None;
                }
            }
        }
        self.look_again();
    }

    /// Whether a direction of a client's link is partitioned.
    pub fn is_partitioned(&self, client: usize, towards: Towards) -> bool {
        self.clients[client][index(towards)].partitioned
    }

    /// A client opens a connection: its SYN sets out. Connections are numbered in this order.
    pub fn open(&mut self, client: usize, now: Time) -> Link {
        let link = Link(self.lines.len() as u32);
        let flow = |purpose: &str| Flow {
            random: Random::stream(self.seed, purpose, u64::from(link.0)),
            under_way: VecDeque::new(),
            last: now,
            stalled: Vec::new(),
            unacknowledged_since: None,
            bytes_under_way: 0,
        };
        self.lines.push(Line {
            client,
            ends: [true, true],
            opening_since: Some(now),
            flows: [flow("towards broker"), flow("towards client")],
            reading: true,
        });
        self.dispatch(link, Towards::Broker, Piece::Syn, now);
        self.lose_patience();
        link
    }

    /// Hands a piece to the network.
    pub fn send(&mut self, link: Link, towards: Towards, piece: Piece, now: Time) {
        if piece == Piece::Syn {
            let opening = &mut self.lines[link.0 as usize].opening_since;
            *opening = opening.map(|_| now);
            self.lose_patience();
        }
        let line = &mut self.lines[link.0 as usize];
        let reached = match towards {
            Towards::Broker => line.ends[1],
            Towards::Client => line.ends[0],
        };
        let client = line.client;
        if towards == Towards::Client && !reached {
            // The client's end vanished: the broker learns it when its own patience ends.
            line.flows[1].unacknowledged_since.get_or_insert(now);
            return self.lose_patience();
        }
        let split = self.clients[client][index(towards)].split;
        match piece {
            Piece::Bytes(bytes) if towards == Towards::Broker && split != Split::AsWritten => {
                self.send_split(link, bytes, split, now);
            }
            piece => self.dispatch(link, towards, piece, now),
        }
    }

    fn send_split(&mut self, link: Link, bytes: Vec<u8>, split: Split, now: Time) {
        match split {
            Split::Bytes => {
                for byte in bytes {
                    self.dispatch(link, Towards::Broker, Piece::Bytes(vec![byte]), now);
                }
            }
            Split::Boundaries => {
                // After the first byte, after the Remaining Length, and inside the fields behind it.
                let mut rest = &bytes[..];
                for size in [1, 1, 1, 2, 3, 1, 5] {
                    let (head, tail) = rest.split_at(rest.len().min(size));
                    if !head.is_empty() {
                        self.dispatch(link, Towards::Broker, Piece::Bytes(head.to_vec()), now);
                    }
                    rest = tail;
                }
                if !rest.is_empty() {
                    self.dispatch(link, Towards::Broker, Piece::Bytes(rest.to_vec()), now);
                }
            }
            Split::Coalesced | Split::AsWritten => {
                let waiting = match self.lines[link.0 as usize].flows[0].under_way.back_mut() {
                    Some((_, Piece::Bytes(waiting))) => Some(waiting),
                    _ => None,
                };
                match waiting {
                    Some(waiting) => waiting.extend_from_slice(&bytes),
                    None => self.dispatch(link, Towards::Broker, Piece::Bytes(bytes), now),
                }
            }
        }
    }

    /// Gives a piece its time of arrival, or holds it back.
    fn dispatch(&mut self, link: Link, towards: Towards, piece: Piece, now: Time) {
        let line = &mut self.lines[link.0 as usize];
        let settings = self.clients[line.client];
        let (way, other) = (settings[index(towards)], settings[index(back(towards))]);
        let flow = &mut line.flows[index(towards)];
        if way.partitioned {
            flow.stalled.push(piece);
            flow.unacknowledged_since.get_or_insert(now);
            return self.lose_patience();
        }
        let waits = other.partitioned && flow.unacknowledged_since.is_none();
        if waits {
            // It arrives, but no acknowledgement comes back.
            flow.unacknowledged_since = Some(now);
        }
        let mut due = now + way.latency;
        if !way.jitter.is_zero() {
            due = due + Duration::from_micros(flow.random.below(way.jitter.as_micros() as u64 + 1));
        }
        if way.loss > 0 {
            let mut losses = 0;
            while losses <= MAX_RETRANSMISSIONS && flow.random.chance(way.loss) {
                losses += 1;
            }
            due = due + RETRANSMISSION_TIMEOUT * ((1 << losses) - 1);
            if losses > MAX_RETRANSMISSIONS {
                flow.unacknowledged_since.get_or_insert(now);
                flow.stalled.push(piece);
                return self.lose_patience();
            }
        }
        due = due.max(flow.last);
        if let Piece::Bytes(bytes) = &piece {
            flow.bytes_under_way += bytes.len() as u64;
            let time = (bytes.len() as u64 * 1_000_000).checked_div(way.rate).unwrap_or(0);
            due = due + Duration::from_micros(time);
        }
        flow.last = due;
        self.sequence += 1;
        flow.under_way.push_back(((due, self.sequence), piece));
        if line.reading || towards == Towards::Broker {
            self.arrivals.push(Reverse(Entry::new((due, self.sequence), link, towards)));
        }
        if waits {
            self.lose_patience();
        }
    }

    /// The client's end is gone at once. What was under way to it is lost; `keep` says whether what it had
    /// sent still arrives.
    pub fn drop_client_end(&mut self, link: Link, keep: bool) {
        self.lines[link.0 as usize].ends[0] = false;
        self.lines[link.0 as usize].opening_since = None;
        let line = &mut self.lines[link.0 as usize];
        line.flows[1].under_way.clear();
        line.flows[1].stalled.clear();
        if !keep {
            line.flows[0].under_way.clear();
            line.flows[0].stalled.clear();
            line.flows[0].unacknowledged_since = None;
        }
        self.look_again();
    }

    /// The broker's end is gone; what the client sends to it is answered by RST.
    pub fn drop_broker_end(&mut self, link: Link) {
        self.lines[link.0 as usize].ends[1] = false;
        self.lose_patience();
    }

    /// Whether the broker's end exists.
    pub fn has_broker_end(&self, link: Link) -> bool {
        self.lines[link.0 as usize].ends[1]
    }

    /// Whether the client takes bytes from this connection.
    pub fn set_reading(&mut self, link: Link, reading: bool) {
        self.lines[link.0 as usize].reading = reading;
        self.look_again();
    }

    /// How many more bytes the client's end takes from the broker before it stops reading; `None`: any number.
    pub fn room(&self, link: Link) -> Option<u64> {
        let line = &self.lines[link.0 as usize];
        let window = self.clients[line.client][1].window;
        if window == 0 && line.reading {
            return None;
        }
        let window = if window == 0 { 65_536 } else { window };
        Some(window.saturating_sub(line.flows[1].bytes_under_way))
    }

    /// Whether nothing is under way that could arrive by itself.
    pub fn is_idle(&self) -> bool {
        self.lines.iter().all(|line| line.flows.iter().all(|flow| flow.under_way.is_empty()))
    }

    /// When the next thing happens at an end.
    pub fn next_deadline(&self) -> Option<Time> {
        match (self.arrivals.peek(), self.patience) {
            (Some(Reverse(entry)), Some(patience)) => Some(patience.min(entry.due())),
            (Some(Reverse(entry)), None) => Some(entry.due()),
            (None, patience) => patience,
        }
    }

    /// Finds out anew what arrives, and when ends give up.
    fn look_again(&mut self) {
        self.arrivals.clear();
        for (number, line) in self.lines.iter().enumerate() {
            for (flow, towards) in line.flows.iter().zip([Towards::Broker, Towards::Client]) {
                if towards == Towards::Broker || line.reading {
                    let pieces = flow.under_way.iter();
                    let link = Link(number as u32);
                    self.arrivals.extend(pieces.map(|(due, _)| Reverse(Entry::new(*due, link, towards))));
                }
            }
        }
        self.lose_patience();
    }

    /// Finds out anew when the first end gives up.
    fn lose_patience(&mut self) {
        let times = self.lines.iter().flat_map(|line| {
            // An end that is gone has no patience.
            let flows = line.flows.iter().zip(line.ends).filter(|(_, end)| *end);
            let flows = flows.filter_map(|(flow, _)| Some(flow.unacknowledged_since? + DEAD_AFTER));
            flows.chain(line.opening_since.map(|since| since + CONNECT_TIMEOUT))
        });
        self.patience = times.min();
    }

    /// Takes the next thing that is due.
    pub fn pop_due(&mut self, now: Time) -> Option<Arrival> {
        if let Some(Reverse(entry)) = self.arrivals.peek().copied()
            && entry.due() <= now
        {
            self.arrivals.pop();
            let (link, towards) = entry.flow();
            let line = &mut self.lines[link.0 as usize];
            let flow = &mut line.flows[index(towards)];
            let (_, piece) = flow.under_way.pop_front()?;
            if let Piece::Bytes(bytes) = &piece {
                flow.bytes_under_way = flow.bytes_under_way.saturating_sub(bytes.len() as u64);
            }
            if piece == Piece::Syn && towards == Towards::Client {
                line.opening_since = None;
                self.lose_patience();
            }
            return Some(Arrival::Piece(link, towards, piece));
        }
        if self.patience.is_none_or(|patience| patience > now) {
            return None;
        }
        let arrival = self.give_up(now);
        self.lose_patience();
        arrival
    }

    /// The first end whose patience is at its end.
    fn give_up(&mut self, now: Time) -> Option<Arrival> {
        for (number, line) in self.lines.iter_mut().enumerate() {
            let link = Link(number as u32);
            if line.opening_since.is_some_and(|since| since + CONNECT_TIMEOUT <= now) {
                line.opening_since = None;
                return Some(Arrival::ConnectTimedOut(link));
            }
            for (way, towards) in [(0, Towards::Broker), (1, Towards::Client)] {
                let flow = &mut line.flows[way];
                if line.ends[way] && flow.unacknowledged_since.is_some_and(|since| since + DEAD_AFTER <= now)
                {
                    flow.unacknowledged_since = None;
                    flow.stalled.clear();
                    return Some(Arrival::TimedOut(link, towards));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
