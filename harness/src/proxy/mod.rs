//! The network model between a broker and clients that are not ours.
//!
//! [`Proxy`] is pure: it is told what comes from sockets and what time it is, and says what to do with them. All
//! connections share one link, so what a scenario says of one client's link is said of everybody's here.
//! [`serve`] gives it sockets.
//!
//! Never the case: a byte that is changed, left out or put before another of its stream; a packet that is looked at.

mod sockets;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use reference_broker::core::Time;

use crate::history::Link;
use crate::network::{Arrival, Network, Piece, Towards};
use crate::scenario::{Directions, Fault, Faults};
use crate::text::format_duration;

pub use sockets::serve;

/// So many bytes may be under way in one direction of a connection before no more of them are read.
const MOST_UNDER_WAY: u64 = 1 << 20;
/// All connections are those of one client of the model.
const EVERYBODY: usize = 0;

/// An end of a connection through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The one that the client opened.
    Client,
    /// The one that the proxy opened to the broker.
    Broker,
}

impl Side {
    /// Where what comes from this end is going.
    const fn sends(self) -> Towards {
        match self {
            Side::Client => Towards::Broker,
            Side::Broker => Towards::Client,
        }
    }

    const fn other(self) -> Side {
        match self {
            Side::Client => Side::Broker,
            Side::Broker => Side::Client,
        }
    }

    const fn number(self) -> usize {
        match self {
            Side::Client => 0,
            Side::Broker => 1,
        }
    }
}

/// What is to be done with a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A connection to the broker is to be opened.
    Dial(Link),
    /// From now on the client is listened to.
    Accept(Link),
    /// These bytes go out at this end.
    Write(Link, Side, Vec<u8>),
    /// This end sends nothing more.
    Finish(Link, Side),
    /// This end is given up with RST.
    Reset(Link, Side),
    /// Somebody may want to read this.
    Say(String),
}

#[derive(Debug, Clone, Default)]
struct Line {
    /// Whether the end is still there, by [`Side::number`].
    there: [bool; 2],
    /// Whether it has been told that nothing more comes.
    told: [bool; 2],
    /// Bytes that came from this end and have not arrived at the other.
    under_way: [u64; 2],
}

/// The state of all connections.
#[derive(Debug, Clone)]
pub struct Proxy {
    network: Network,
    faults: Faults,
    /// The step that comes next, and when.
    next: usize,
    due: Time,
    lines: Vec<Line>,
    outputs: VecDeque<Output>,
}

impl Proxy {
    /// A network without connections, at this time.
    pub fn new(faults: Faults, seed: u64, now: Time) -> Proxy {
        let mut network = Network::new(seed, 1, std::time::Duration::ZERO);
        for towards in [Towards::Broker, Towards::Client] {
            network.change(EVERYBODY, towards, faults.network);
        }
        let outputs = VecDeque::new();
        Proxy { network, faults, next: 0, due: now, lines: Vec::new(), outputs }
    }

    /// A client has opened a connection.
    pub fn opened(&mut self, now: Time) -> Link {
        let link = self.network.open(EVERYBODY, now);
        self.lines.resize_with(link.0 as usize + 1, Line::default);
        self.lines[link.0 as usize].there[Side::Client.number()] = true;
        link
    }

    /// The connection to the broker is there, or could not be opened.
    pub fn dialled(&mut self, link: Link, opened: bool, now: Time) {
        let line = &mut self.lines[link.0 as usize];
        if !line.there[Side::Client.number()] {
            // Nobody waits for it any more.
            return self.outputs.push_back(Output::Reset(link, Side::Broker));
        }
        line.there[Side::Broker.number()] = opened;
        let piece = if opened { Piece::Syn } else { Piece::Rst };
        self.network.send(link, Towards::Client, piece, now);
        if !opened {
            self.network.drop_broker_end(link);
        }
    }

    /// Bytes came from an end.
    pub fn received(&mut self, link: Link, from: Side, bytes: Vec<u8>, now: Time) {
        let line = &mut self.lines[link.0 as usize];
        if line.there[from.number()] && line.there[from.other().number()] {
            line.under_way[from.number()] += bytes.len() as u64;
            self.network.send(link, from.sends(), Piece::Bytes(bytes), now);
        }
    }

    /// An end sends nothing more: it has closed its direction, or is gone with RST.
    pub fn ended(&mut self, link: Link, from: Side, reset: bool, now: Time) {
        if !self.lines[link.0 as usize].there[from.number()] {
            return;
        }
        let piece = if reset { Piece::Rst } else { Piece::Fin };
        self.network.send(link, from.sends(), piece, now);
        if reset {
            self.gone(link, from, true);
        }
    }

    /// How many bytes may be read from an end now.
    pub fn room(&self, link: Link, from: Side) -> u64 {
        let held = self.lines[link.0 as usize].under_way[from.number()];
        let room = MOST_UNDER_WAY.saturating_sub(held);
        match from {
            Side::Client => room,
            Side::Broker => room.min(self.network.room(link).unwrap_or(room)),
        }
    }

    /// When something happens next by itself.
    pub fn next_deadline(&self) -> Option<Time> {
        let step = (self.next < self.faults.steps.len()).then_some(self.due);
        [step, self.network.next_deadline()].into_iter().flatten().min()
    }

    /// Lets happen what is due.
    pub fn advance(&mut self, now: Time) {
        while self.next < self.faults.steps.len() && self.due <= now {
            let step = self.faults.steps[self.next];
            self.next += 1;
            self.step(step, now);
            if self.next == self.faults.steps.len() && self.faults.repeat {
                self.next = 0;
            }
        }
        while let Some(arrival) = self.network.pop_due(now) {
            self.arrived(arrival);
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn step(&mut self, step: Fault, now: Time) {
        let ways = |directions: Directions| {
            let both = [(directions.to_broker, Towards::Broker), (directions.to_client, Towards::Client)];
            both.into_iter().filter(|(wanted, _)| *wanted).map(|(_, towards)| towards)
        };
        let said = match step {
            Fault::Wait(time) => {
                self.due = self.due + time;
                return;
            }
            Fault::Link(directions, change) => {
                ways(directions).for_each(|towards| self.network.change(EVERYBODY, towards, change));
                format!("the link changes ({})", directions.name())
            }
            Fault::Partition(directions) => {
                ways(directions).for_each(|towards| self.network.partition(EVERYBODY, towards, now));
                format!("partition ({})", directions.name())
            }
            Fault::Heal => {
                [Towards::Broker, Towards::Client]
                    .into_iter()
                    .for_each(|towards| self.network.heal(EVERYBODY, towards, now));
                "heal".to_string()
            }
            Fault::Reset => {
                let mut count = 0;
                for number in 0..self.lines.len() {
                    let link = Link(number as u32);
                    count += usize::from(self.lines[number].there[Side::Client.number()]);
                    for side in [Side::Client, Side::Broker] {
                        self.give_up(link, side);
                    }
                }
                format!("reset of {count} connection{}", if count == 1 { "" } else { "s" })
            }
        };
        let time = format_duration(std::time::Duration::from_millis(now.0 / 1000));
        self.outputs.push_back(Output::Say(format!("{time}: {said}")));
    }

    fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Piece(link, towards, piece) => {
                let to = if towards == Towards::Broker { Side::Broker } else { Side::Client };
                match piece {
                    Piece::Syn if to == Side::Broker => self.outputs.push_back(Output::Dial(link)),
                    Piece::Syn => self.outputs.push_back(Output::Accept(link)),
                    Piece::Rst => self.give_up(link, to),
                    Piece::Fin => {
                        self.outputs.push_back(Output::Finish(link, to));
                        let told = &mut self.lines[link.0 as usize].told;
                        told[to.number()] = true;
                        if told.iter().all(|it| *it) {
                            self.gone(link, Side::Client, true);
                            self.gone(link, Side::Broker, true);
                        }
                    }
                    Piece::Bytes(bytes) => {
                        let held = &mut self.lines[link.0 as usize].under_way[to.other().number()];
                        *held = held.saturating_sub(bytes.len() as u64);
                        self.outputs.push_back(Output::Write(link, to, bytes));
                    }
                }
            }
            // The end that waited in vain knows it; the other one does not.
            Arrival::TimedOut(link, Towards::Broker) | Arrival::ConnectTimedOut(link) => {
                self.give_up(link, Side::Client);
            }
            Arrival::TimedOut(link, Towards::Client) => self.give_up(link, Side::Broker),
        }
    }

    /// An end is given up with RST.
    fn give_up(&mut self, link: Link, side: Side) {
        if self.lines[link.0 as usize].there[side.number()] {
            self.gone(link, side, false);
            self.outputs.push_back(Output::Reset(link, side));
        }
    }

    /// An end is no longer there; `keep` says whether what it had sent still arrives.
    fn gone(&mut self, link: Link, side: Side, keep: bool) {
        self.lines[link.0 as usize].there[side.number()] = false;
        match side {
            Side::Client => self.network.drop_client_end(link, keep),
            Side::Broker => self.network.drop_broker_end(link),
        }
    }
}
