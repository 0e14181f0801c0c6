//! A run as a pcapng file, to be read with Wireshark and tshark.
//!
//! A history holds what crossed the clients' ends of their connections and when. So the file is a capture at those
//! ends, an interface for each client: what a client sent, and what reached it. Bytes and times are the history's;
//! the headers of IPv4 and TCP around them are made here, with sequence numbers and checksums that are right, and so
//! are the frames that carry packets over a WebSocket, one for each. Nothing is shown that a client's end did not
//! see: no bare acknowledgements, no answer of the broker to a client that has gone.
//!
//! What a fault swallowed is shown as if it had been sent, with a comment that says it was lost, and the other end
//! never acknowledges it. What has no packet of its own (steps, faults, the broker's starts and ends, findings) is a
//! comment on the next packet, which says its own time if that was earlier; at the end of the file an empty packet
//! takes what is left.
//!
//! Never the case: a judgement, a clock, an address that anything listens on.

mod blocks;
mod segment;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

use reference_broker::core::Time;
use reference_broker::transport::websocket::frame::{Data, OpCode, put};

use crate::history::{EndedBy, Ending, Fact, History, Link};
use crate::requirement::Catalogue;
use crate::scenario::Plan;
use crate::verdict::{Finding, Verdict};
use crate::websocket;

use blocks::{Blocks, Direction};
use segment::{ACK, FIN, MAXIMUM_SEGMENT_SIZE, PSH, RST, SYN, Segment, empty_packet};

use super::timeline;

/// The port for MQTT over TCP.
pub const TCP_PORT: u16 = 1883;
/// The port for MQTT over WebSocket: one that readers take for HTTP unasked.
pub const WEBSOCKET_PORT: u16 = 8080;

/// The first port of clients; each connection has the next one.
const FIRST_CLIENT_PORT: u16 = 49_152;
const CLIENT_PORTS: u32 = 16_384;

/// Addresses are of 198.18.0.0/15, which is for tests of devices (RFC 2544) and nobody's.
const BROKER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const CLIENTS: Ipv4Addr = Ipv4Addr::new(198, 19, 0, 1);

/// Masks keep what a client sends over a WebSocket unguessable, which matters on a wire only. This one changes no
/// byte, so the bytes in the file can be read.
const MASK: [u8; 4] = [0; 4];

/// What a reader of the file is told about the run beside plan and history.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The version of Assay.
    pub tool: &'a str,
    /// The world.
    pub world: &'a str,
    /// The broker, as far as it is known.
    pub broker: &'a str,
    /// The seed of this case.
    pub seed: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// What was found.
    pub findings: &'a [Finding],
}

/// A run as a pcapng file. The same run gives the same bytes.
pub fn pcapng(plan: &Plan, history: &History, about: &About<'_>) -> Vec<u8> {
    let mut file = Blocks::new(&section_comment(plan, about), about.tool);
    let mut names = vec![(BROKER, "broker")];
    names.extend(plan.clients.iter().enumerate().map(|(at, client)| (address(at), client.name.as_str())));
    file.names(&names);
    for client in &plan.clients {
        file.interface(&client.name, &format!("the end of {}", client.name));
    }
    file.interface("assay", "comments that no packet follows");
    let mut capture = Capture {
        plan,
        history,
        file,
        connections: BTreeMap::new(),
        ports: vec![0; plan.clients.len()],
        partitioned: BTreeSet::new(),
        waiting: Vec::new(),
    };
    let lines = timeline::lines(plan, history);
    let found = findings_by_event(plan, history, about.findings);
    for (at, event) in history.events().iter().enumerate() {
        let line = lines.get(at).map(|line| line.what.to_string()).unwrap_or_default();
        let line = line.trim_start_matches(['─', ' ']);
        let findings = found.get(&(at as u32)).map_or(&[][..], Vec::as_slice);
        capture.event(event.at, event.fact, line, findings);
    }
    let end = history.events().last().map_or(Time::ZERO, |event| event.at);
    for (_, texts) in found.range(history.events().len() as u32..) {
        texts.iter().for_each(|text| capture.comment(end, text.clone()));
    }
    capture.finish(end)
}

fn section_comment(plan: &Plan, about: &About<'_>) -> String {
    let case = plan.case.as_ref().map_or(String::new(), |case| format!("case: {case}\n"));
    format!(
        "scenario: {}\n{case}title: {}\nprotocol: MQTT {}\nbroker: {}\nworld: {}\nseed: {}\nverdict: {}\n\
         Captured at the ends of the clients. Bytes and times are those of the run, which begins at 0; the headers of \
         IPv4 and TCP, the WebSocket frames around MQTT packets, and all addresses are made up.",
        plan.scenario, plan.title, plan.version, about.broker, about.world, about.seed, about.verdict
    )
}

/// The comments of findings, each at the last event that it cites; behind all events if it cites none.
fn findings_by_event(plan: &Plan, history: &History, findings: &[Finding]) -> BTreeMap<u32, Vec<String>> {
    let catalogue = Catalogue::of(plan.version);
    let behind = history.events().len() as u32;
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for finding in findings {
        let ids: Vec<_> =
            std::iter::once(&finding.requirement).chain(&finding.also).map(ToString::to_string).collect();
        let statement = catalogue
            .get(&finding.requirement)
            .map_or(String::new(), |it| format!("\nstatement: {}", it.statement));
        let text = format!(
            "{}: {}{statement}\nexpected: {}\nobserved: {}",
            finding.weight.verdict(),
            ids.join(", "),
            finding.expected,
            finding.observed
        );
        let event = finding.events.iter().copied().max().unwrap_or(behind).min(behind);
        found.entry(event).or_default().push(text);
    }
    found
}

/// The address of a client.
fn address(client: usize) -> Ipv4Addr {
    // A scenario has far fewer clients than there are addresses.
    Ipv4Addr::from_bits(CLIENTS.to_bits() + client as u32 % 65_534)
}

/// Whose segment it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    Client,
    Broker,
}

/// How far one direction of a connection has come.
#[derive(Debug, Clone, Copy)]
struct Stream {
    /// The sequence number of the next byte.
    next: u32,
    /// How far the other end has acknowledged it.
    acknowledged: u32,
    /// A fault swallowed a part of it: nothing behind that is ever acknowledged.
    lost: bool,
}

impl Stream {
    const fn from(initial: u32) -> Stream {
        Stream { next: initial, acknowledged: initial, lost: false }
    }

    fn acknowledge(&mut self) {
        if !self.lost {
            self.acknowledged = self.next;
        }
    }
}

#[derive(Debug)]
struct Connection {
    client: usize,
    at_client: SocketAddrV4,
    at_broker: SocketAddrV4,
    websocket: bool,
    /// Whether the SYN of the client was answered.
    stands: bool,
    /// Whether the upgrade to WebSocket was answered.
    upgrade_answered: bool,
    from_client: Stream,
    from_broker: Stream,
}

/// A file that a history is written to, event by event.
struct Capture<'a> {
    plan: &'a Plan,
    history: &'a History,
    file: Blocks,
    connections: BTreeMap<Link, Connection>,
    /// How many connections each client has opened.
    ports: Vec<u32>,
    /// The clients from which nothing reaches the broker.
    partitioned: BTreeSet<usize>,
    /// Comments for the next packet, with their times.
    waiting: Vec<(Time, String)>,
}

impl Capture<'_> {
    fn event(&mut self, at: Time, fact: Fact, line: &str, findings: &[String]) {
        // What came before this fact is told on the packets that open its connection.
        if let Fact::UpgradeSent { link, .. }
        | Fact::UpgradeReceived { link, .. }
        | Fact::Frame { link, .. }
        | Fact::Sent { link, .. }
        | Fact::Received { link, .. }
        | Fact::Swallowed { link, .. } = fact
        {
            self.accept(at, link);
        }
        if let Some(text) = self.remark(fact, line) {
            self.comment(at, text);
        }
        findings.iter().for_each(|text| self.comment(at, text.clone()));
        match fact {
            Fact::Opening { client, link } => self.open(at, client as usize, link),
            Fact::Opened(link) => self.accept(at, link),
            Fact::UpgradeSent { link, bytes } => {
                self.data(at, link, Sender::Client, self.history.bytes(bytes), false)
            }
            Fact::UpgradeReceived { link, bytes } => {
                if let Some(connection) = self.connections.get_mut(&link) {
                    connection.upgrade_answered = true;
                }
                self.data(at, link, Sender::Broker, self.history.bytes(bytes), false);
            }
            Fact::Frame { link, bytes, from_broker } => {
                let sender = if from_broker { Sender::Broker } else { Sender::Client };
                self.data(at, link, sender, self.history.bytes(bytes), false);
            }
            Fact::Sent { link, bytes, .. } => {
                self.mqtt(at, link, Sender::Client, self.history.bytes(bytes), false)
            }
            Fact::Received { link, bytes } => {
                self.mqtt(at, link, Sender::Broker, self.history.bytes(bytes), false)
            }
            Fact::Swallowed { link, bytes, from_broker } => {
                let sender = if from_broker { Sender::Broker } else { Sender::Client };
                self.mqtt(at, link, sender, self.history.bytes(bytes), true);
            }
            Fact::Closed { link, by, how } => self.close(at, link, by, how),
            Fact::Partitioned { client, to_broker: true, .. } => {
                let client = client as usize;
                self.acknowledge(|connection| connection.client == client);
                self.partitioned.insert(client);
            }
            Fact::Healed(Some(client)) => {
                self.partitioned.remove(&(client as usize));
            }
            Fact::Healed(None) => self.partitioned.clear(),
            _ => {}
        }
    }

    /// What a fact says that its packets do not.
    fn remark(&self, fact: Fact, line: &str) -> Option<String> {
        match fact {
            Fact::StepBegan(step) => Some(format!("step {}: {line}", step + 1)),
            Fact::Frame { bytes, from_broker: true, .. } => {
                websocket::fault_of(self.history.bytes(bytes)).map(|_| line.to_string())
            }
            Fact::Closed { link, how, .. } => {
                let shown = matches!(how, Ending::Fin | Ending::Reset)
                    && self.connections.get(&link).is_some_and(|connection| connection.stands);
                (!shown).then(|| line.to_string())
            }
            Fact::Opening { .. }
            | Fact::Opened(_)
            | Fact::UpgradeSent { .. }
            | Fact::UpgradeReceived { .. }
            | Fact::Frame { .. }
            | Fact::Sent { .. }
            | Fact::Received { .. } => None,
            Fact::LimitReached(_)
            | Fact::Settled
            | Fact::BoundReached
            | Fact::Swallowed { .. }
            | Fact::Cut { .. }
            | Fact::Partitioned { .. }
            | Fact::Healed(_)
            | Fact::BrokerStarted
            | Fact::BrokerStopped
            | Fact::BrokerDied
            | Fact::BrokerPaused(_) => Some(line.to_string()),
        }
    }

    fn comment(&mut self, at: Time, text: String) {
        self.waiting.push((at, text));
    }

    /// The comments that wait, for a packet of this time.
    fn comments(&mut self, now: Time) -> Vec<String> {
        let timed = |(at, text): (Time, String)| {
            if at == now { text } else { format!("at {}: {text}", timeline::seconds(at)) }
        };
        std::mem::take(&mut self.waiting).into_iter().map(timed).collect()
    }

    // ---- connections ----

    fn open(&mut self, at: Time, client: usize, link: Link) {
        let Some(plan) = self.plan.clients.get(client) else { return };
        let websocket = plan.transport.is_websocket();
        let port = FIRST_CLIENT_PORT + (self.ports[client] % CLIENT_PORTS) as u16;
        self.ports[client] += 1;
        let connection = Connection {
            client,
            at_client: SocketAddrV4::new(address(client), port),
            at_broker: SocketAddrV4::new(BROKER, if websocket { WEBSOCKET_PORT } else { TCP_PORT }),
            websocket,
            stands: false,
            upgrade_answered: false,
            from_client: Stream::from(0),
            from_broker: Stream::from(0),
        };
        self.connections.insert(link, connection);
        self.segment(at, link, Sender::Client, SYN, &[]);
    }

    /// The broker has answered the SYN, if it has not been told already.
    fn accept(&mut self, at: Time, link: Link) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        if !std::mem::replace(&mut connection.stands, true) {
            connection.from_client.acknowledge();
            self.segment(at, link, Sender::Broker, SYN | ACK, &[]);
            self.segment(at, link, Sender::Client, ACK, &[]);
        }
    }

    fn close(&mut self, at: Time, link: Link, by: EndedBy, how: Ending) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        let (stands, answered) = (connection.stands, connection.upgrade_answered);
        let sender = if by == EndedBy::Broker { Sender::Broker } else { Sender::Client };
        match (how, stands) {
            (Ending::Refused, false) => {
                connection.from_client.acknowledge();
                self.segment(at, link, Sender::Broker, RST | ACK, &[]);
            }
            // A client that gives up before its connection stands says nothing.
            (Ending::Silence | Ending::TimedOut, _) | (_, false) => {}
            (Ending::Reset, true) => self.segment(at, link, sender, RST | ACK, &[]),
            // A client leaves whose upgrade was refused; one whose request was not answered was left.
            (Ending::Fin | Ending::Refused, true) => {
                if sender == Sender::Broker || how == Ending::Refused && !answered {
                    self.segment(at, link, Sender::Broker, FIN | ACK, &[]);
                }
                self.segment(at, link, Sender::Client, FIN | ACK, &[]);
            }
        }
    }

    // ---- packets ----

    /// Bytes of MQTT, in a frame if the connection is a WebSocket.
    fn mqtt(&mut self, at: Time, link: Link, sender: Sender, bytes: &[u8], lost: bool) {
        let Some(connection) = self.connections.get(&link) else { return };
        if !connection.websocket {
            return self.data(at, link, sender, bytes, lost);
        }
        let mut frame = Vec::with_capacity(bytes.len() + 14);
        let mask = (sender == Sender::Client).then_some(MASK);
        put(&mut frame, OpCode::Data(Data::Binary), true, mask, bytes);
        self.data(at, link, sender, &frame, lost);
    }

    /// Bytes of the stream, in as many segments as it takes.
    fn data(&mut self, at: Time, link: Link, sender: Sender, bytes: &[u8], lost: bool) {
        if lost {
            // What went before arrived, and what comes now did not.
            self.acknowledge_from(link, sender);
            if let Some(connection) = self.connections.get_mut(&link) {
                connection.stream(sender).lost = true;
            }
        }
        let mut pieces = bytes.chunks(MAXIMUM_SEGMENT_SIZE).peekable();
        while let Some(piece) = pieces.next() {
            let flags = if pieces.peek().is_none() { PSH | ACK } else { ACK };
            self.segment(at, link, sender, flags, piece);
        }
    }

    /// The receiver of a stream has got all of it.
    fn acknowledge_from(&mut self, link: Link, sender: Sender) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        if sender == Sender::Broker || !self.partitioned.contains(&connection.client) {
            connection.stream(sender).acknowledge();
        }
    }

    fn acknowledge(&mut self, concerned: impl Fn(&Connection) -> bool) {
        let links: Vec<Link> =
            self.connections.iter().filter(|(_, it)| concerned(it)).map(|(link, _)| *link).collect();
        links.into_iter().for_each(|link| self.acknowledge_from(link, Sender::Client));
    }

    fn segment(&mut self, at: Time, link: Link, sender: Sender, flags: u8, payload: &[u8]) {
        let comments = self.comments(at);
        let other = if sender == Sender::Client { Sender::Broker } else { Sender::Client };
        self.acknowledge_from(link, other);
        let Some(connection) = self.connections.get_mut(&link) else { return };
        let (from, to, direction) = match sender {
            Sender::Client => (connection.at_client, connection.at_broker, Direction::Outbound),
            Sender::Broker => (connection.at_broker, connection.at_client, Direction::Inbound),
        };
        let acknowledgement = connection.stream(other).acknowledged;
        let stream = connection.stream(sender);
        let segment = Segment { from, to, sequence: stream.next, acknowledgement, flags, payload };
        stream.next = stream.next.wrapping_add(segment.length());
        let interface = connection.client as u32;
        self.file.packet(interface, nanoseconds(at), &segment.packet(), direction, &comments);
    }

    /// The file, with what is still to be said.
    fn finish(mut self, end: Time) -> Vec<u8> {
        let comments = self.comments(end);
        if !comments.is_empty() {
            let interface = self.plan.clients.len() as u32;
            let packet = empty_packet(SocketAddrV4::new(BROKER, 0));
            self.file.packet(interface, nanoseconds(end), &packet, Direction::Outbound, &comments);
        }
        self.file.finish()
    }
}

impl Connection {
    const fn stream(&mut self, sender: Sender) -> &mut Stream {
        match sender {
            Sender::Client => &mut self.from_client,
            Sender::Broker => &mut self.from_broker,
        }
    }
}

const fn nanoseconds(at: Time) -> u64 {
    at.0.saturating_mul(1000)
}

#[cfg(test)]
mod tests;
