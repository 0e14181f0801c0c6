//! Checkers: pure functions from a plan and a history to findings.
//!
//! The always-on checkers look at every connection of every run, also where the scenario asks for something
//! else. They know only what the client's end can know: what was sent may not have arrived, what was cut may
//! have been taken. Where that leaves a doubt, they are silent.
//!
//! * [`format`]: well-formed bytes, legal codes and properties, sizes.
//! * [`connection`]: CONNACK first and once, session present, nothing after the end.
//! * [`answers`]: acknowledgements belong to requests.
//! * [`deliveries`]: identifiers, DUP, re-sending, PUBREL, flow control.
//! * [`messages`]: lost, duplicated, phantom, reordered; what a delivery carries; wills and retained messages that
//!   are owed, one copy for a shared subscription.
//! * [`websocket`]: binary frames, and the subprotocol.
//!
//! [`judged`] says of which statements a run spoke.
//!
//! Never the case: a world, a clock, a finding that a legal broker could cause.

mod answers;
mod connection;
mod deliveries;
mod format;
mod matching;
mod messages;
mod subject;
mod websocket;

use reference_broker::codec::{FrameError, Packet, ProtocolVersion, decode_frame, next_frame};
use reference_broker::core::Time;

use crate::history::{Ending, Fact, History, Link, Range, whole_frame};
use crate::judge::Judge;
use crate::scenario::Plan;
use crate::verdict::{Finding, Recorded, Weight};

pub use matching::matches;
pub use subject::{Judged, judged};

/// Everything that is found in a history: by the steps, by `verify`, and by the always-on checkers.
pub fn check(plan: &Plan, history: &History) -> Vec<Finding> {
    judge(plan, history).0
}

/// As [`check`], with the implementation choices that the history shows.
pub fn judge(plan: &Plan, history: &History) -> (Vec<Finding>, Vec<Recorded>) {
    let mut judge = Judge::new(plan);
    for (sequence, event) in history.events().iter().enumerate() {
        judge.observe(sequence as u32, event, history);
    }
    judge.conclude(history);
    let (mut findings, recorded) = judge.into_results();
    findings.extend(always_on(plan, history));
    (findings, recorded)
}

/// What the always-on checkers find.
pub fn always_on(plan: &Plan, history: &History) -> Vec<Finding> {
    let mut format = format::Format::default();
    let mut connection = connection::Connections::new(plan);
    let mut answers = answers::Answers::default();
    let mut deliveries = deliveries::Deliveries::default();
    let mut messages = messages::Messages::new(plan);
    let mut out = Findings { list: Vec::new() };
    Walk::new(plan, history).each(|seen| {
        format.observe(seen, &mut out);
        seen.denied = connection.observe(seen, &mut out);
        answers.observe(seen, &mut out);
        deliveries.observe(seen, &mut out);
        messages.observe(seen, &mut out);
    });
    messages.conclude(&mut out);
    websocket::observe(history, &mut out);
    out.list
}

/// Collects findings.
pub(crate) struct Findings {
    list: Vec<Finding>,
}

impl Findings {
    /// A statement is broken.
    fn violation(
        &mut self,
        by: &str,
        ids: &[&str],
        expected: impl Into<String>,
        observed: impl Into<String>,
        events: Vec<u32>,
    ) {
        let mut ids = ids.iter().map(ToString::to_string);
        let finding = Finding {
            weight: Weight::Violation,
            requirement: ids.next().unwrap_or_default(),
            also: ids.collect(),
            expected: expected.into(),
            observed: observed.into(),
            events,
            step: None,
            by: by.into(),
        };
        // One broken habit shows many times; the first few places are enough.
        let same = self
            .list
            .iter()
            .filter(|it| it.by == finding.by && it.requirement == finding.requirement)
            .count();
        if same < 3 {
            self.list.push(finding);
        }
    }
}

/// A statement by version.
pub(crate) fn pick<T>(version: ProtocolVersion, v5: T, v3: T) -> T {
    if version == ProtocolVersion::V5 { v5 } else { v3 }
}

/// One fact, with the packet in it taken apart.
pub(crate) struct Seen<'h> {
    /// The event.
    pub event: u32,
    /// Its time.
    pub at: Time,
    /// What it is.
    pub what: What<'h>,
    /// A CONNACK of 3.1.1 with Session Present 0 although the broker has to hold the session. That is wrong by itself;
    /// what follows is judged by neither reading alone: the session may be gone, or go on.
    pub denied: bool,
}

/// What a checker sees.
pub(crate) enum What<'h> {
    /// A client begins to open a connection.
    Opening(On),
    /// A client sent a packet.
    Sent(On, Packet<'h>),
    /// A client sent bytes that are no packet; the rest of what it sends there cannot be read.
    SentGarbage(On),
    /// A client got a packet.
    Received(On, Packet<'h>, Range),
    /// A client got bytes that are no packet.
    ReceivedGarbage(On, &'h [u8]),
    /// A fault swallowed a packet on its way from the broker.
    Swallowed(On, Packet<'h>),
    /// A connection ended, as its client saw it.
    Closed(On, Ending),
    /// Nothing passes any more for a client.
    Partitioned,
    /// The broker's process ended or came up: what it knew may be gone.
    BrokerChanged,
    /// The run has settled.
    Settled,
}

/// The connection that something happened on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct On {
    /// The connection.
    pub link: Link,
    /// Its client.
    pub client: usize,
    /// Its protocol version.
    pub version: ProtocolVersion,
}

/// What is known by connection. Connections are numbered from 0 in the order in which they were opened.
#[derive(Debug)]
struct ByLink<T>(Vec<Option<T>>);

impl<T> Default for ByLink<T> {
    fn default() -> ByLink<T> {
        ByLink(Vec::new())
    }
}

impl<T> ByLink<T> {
    fn get(&self, link: Link) -> Option<&T> {
        self.0.get(link.0 as usize)?.as_ref()
    }

    fn get_mut(&mut self, link: Link) -> Option<&mut T> {
        self.0.get_mut(link.0 as usize)?.as_mut()
    }

    fn place(&mut self, link: Link) -> &mut Option<T> {
        let at = link.0 as usize;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, || None);
        }
        &mut self.0[at]
    }

    fn insert(&mut self, link: Link, value: T) {
        *self.place(link) = Some(value);
    }

    fn or_default(&mut self, link: Link) -> &mut T
    where
        T: Default,
    {
        self.place(link).get_or_insert_default()
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }
}

struct Line {
    client: usize,
    version: ProtocolVersion,
    /// Bytes of packets that the script sent in pieces.
    pending: Vec<u8>,
    garbled: bool,
    /// Its client has opened another connection and listens to that one alone.
    abandoned: bool,
}

/// Goes through a history fact by fact and takes packets apart once for all checkers.
struct Walk<'h> {
    plan: &'h Plan,
    history: &'h History,
    lines: Vec<Line>,
    /// Packets of one event, where the script sent several at a time.
    queue: Vec<Seen<'h>>,
}

impl<'h> Walk<'h> {
    fn new(plan: &'h Plan, history: &'h History) -> Walk<'h> {
        Walk { plan, history, lines: Vec::new(), queue: Vec::new() }
    }

    fn on(&self, link: Link) -> On {
        let line = &self.lines[link.0 as usize];
        On { link, client: line.client, version: line.version }
    }

    fn each(mut self, mut visit: impl FnMut(&mut Seen<'h>)) {
        for (sequence, event) in self.history.events().iter().enumerate() {
            let sequence = sequence as u32;
            if let Some(what) = self.look(event.fact, sequence, event.at) {
                visit(&mut Seen { event: sequence, at: event.at, what, denied: false });
            }
            for mut seen in self.queue.drain(..) {
                visit(&mut seen);
            }
        }
    }

    fn look(&mut self, fact: Fact, event: u32, at: Time) -> Option<What<'h>> {
        match fact {
            Fact::Opening { client, link } => {
                let version = self
                    .plan
                    .clients
                    .get(client as usize)
                    .map_or(ProtocolVersion::V5, |client| client.version);
                for line in self.lines.iter_mut().filter(|line| line.client == client as usize) {
                    line.abandoned = true;
                }
                while self.lines.len() <= link.0 as usize {
                    self.lines.push(Line {
                        client: client as usize,
                        version,
                        pending: Vec::new(),
                        garbled: false,
                        abandoned: false,
                    });
                }
                Some(What::Opening(self.on(link)))
            }
            Fact::Sent { link, bytes, by_script } => self.sent(link, bytes, by_script, event, at),
            Fact::Received { link, .. } if self.lines[link.0 as usize].abandoned => None,
            Fact::Received { link, bytes } => {
                let on = self.on(link);
                match self.packet(bytes, on.version) {
                    Some(packet) => Some(What::Received(on, packet, bytes)),
                    None => Some(What::ReceivedGarbage(on, self.history.bytes(bytes))),
                }
            }
            Fact::Swallowed { link, bytes, from_broker: true } => {
                let on = self.on(link);
                self.packet(bytes, on.version).map(|packet| What::Swallowed(on, packet))
            }
            Fact::Closed { link, how, .. } => Some(What::Closed(self.on(link), how)),
            Fact::Partitioned { .. } => Some(What::Partitioned),
            Fact::BrokerStarted | Fact::BrokerStopped | Fact::BrokerDied => Some(What::BrokerChanged),
            Fact::Settled => Some(What::Settled),
            _ => None,
        }
    }

    fn packet(&self, bytes: Range, version: ProtocolVersion) -> Option<Packet<'h>> {
        whole_frame(self.history.bytes(bytes)).and_then(|frame| decode_frame(frame, version).ok())
    }

    /// What a client sent: one packet as a rule; what the script gives may be several, or parts.
    fn sent(&mut self, link: Link, bytes: Range, by_script: bool, event: u32, at: Time) -> Option<What<'h>> {
        let raw = self.history.bytes(bytes);
        let line = &mut self.lines[link.0 as usize];
        if line.garbled {
            return None;
        }
        if line.pending.is_empty()
            && let Some(frame) = whole_frame(raw)
            && let Ok(packet) = decode_frame(frame, line.version)
        {
            if let Packet::Connect(connect) = &packet {
                line.version = connect.version;
            }
            return Some(What::Sent(self.on(link), packet));
        }
        // DUP on QoS 0 is tolerated by some: it is a message then, and nothing else is wrong with it.
        if line.pending.is_empty()
            && let Some(mut frame) = whole_frame(raw)
            && frame.header.first & 0b1111_1110 == 0b0011_1000
        {
            frame.header.first &= !0b1000;
            if let Ok(packet) = decode_frame(frame, line.version) {
                return Some(What::Sent(self.on(link), packet));
            }
        }
        if !by_script {
            return Some(What::SentGarbage(self.on(link)));
        }
        let mut pending = std::mem::take(&mut line.pending);
        pending.extend_from_slice(raw);
        let mut from = 0;
        loop {
            let version = self.lines[link.0 as usize].version;
            let step = match next_frame(&pending[from..], None) {
                Ok(Some(frame)) => {
                    let length = frame.len();
                    decode_frame(frame, version)
                        .map(|packet| Some((packet.into_owned(), length)))
                        .map_err(|_| ())
                }
                Ok(None) => Ok(None),
                Err(
                    FrameError::RemainingLengthTooLong
                    | FrameError::RemainingLengthNotMinimal
                    | FrameError::TooLarge(_),
                ) => Err(()),
            };
            match step {
                Ok(Some((packet, length))) => {
                    from += length;
                    if let Packet::Connect(connect) = &packet {
                        self.lines[link.0 as usize].version = connect.version;
                    }
                    let on = self.on(link);
                    self.queue.push(Seen { event, at, what: What::Sent(on, packet), denied: false });
                }
                Ok(None) => break,
                Err(()) => {
                    self.lines[link.0 as usize].garbled = true;
                    let on = self.on(link);
                    self.queue.push(Seen { event, at, what: What::SentGarbage(on), denied: false });
                    break;
                }
            }
        }
        pending.drain(..from.min(pending.len()));
        self.lines[link.0 as usize].pending = pending;
        None
    }
}
