//! A history: the facts of one run, in the order in which they were observed, and nothing else.
//!
//! Checkers see a plan and a history. What a client or a world thinks is not in it; only what crossed the
//! client's end of a connection, what was done to the network and to the broker, and when.
//!
//! Never the case: a fact that is changed or taken back; a fact without a time.

mod digest;

use reference_broker::codec::{Frame, Packet, PacketType, ProtocolVersion, decode_frame, next_frame};
use reference_broker::core::Time;
use serde::{Deserialize, Serialize};

use crate::scenario::Cut;

pub use digest::Digest;

/// A network connection of one client, numbered in the order in which they were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Link(pub u32);

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// The broker.
    Broker,
    /// The client, because a step said so or by DISCONNECT.
    Client,
    /// A scripted fault.
    Fault,
    /// The network: a dead peer's time-out, or no way to connect.
    Network,
}

/// How a connection ended, as its client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// FIN.
    Fin,
    /// RST.
    Reset,
    /// Without a word.
    Silence,
    /// Nothing was acknowledged for too long.
    TimedOut,
    /// It could not be opened.
    Refused,
}

/// Where in the history's bytes a packet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// A step of the plan began.
    StepBegan(u32),
    /// The time limit that the current step had set passed.
    LimitReached(u32),
    /// Everything owed was awaited and the quiet window has passed.
    Settled,
    /// The steps were given up because a bound was reached: steps, events or virtual time.
    BoundReached,
    /// A client began to open a connection.
    Opening {
        /// The client.
        client: u32,
        /// The connection.
        link: Link,
    },
    /// The connection stands.
    Opened(Link),
    /// A client asked for an upgrade to WebSocket; the connection stands when it has it.
    UpgradeSent {
        /// The connection.
        link: Link,
        /// The request.
        bytes: Range,
    },
    /// The answer to that.
    UpgradeReceived {
        /// The connection.
        link: Link,
        /// The answer with its header lines; as much of it as came, if it is none.
        bytes: Range,
    },
    /// A WebSocket frame other than a good binary one: those show as the packets in them.
    Frame {
        /// The connection.
        link: Link,
        /// The frame as it was sent; of a data frame from the broker the header only.
        bytes: Range,
        /// Whether it came from the broker.
        from_broker: bool,
    },
    /// A client handed bytes to the network.
    Sent {
        /// The connection.
        link: Link,
        /// The bytes: one packet, or what the script gave.
        bytes: Range,
        /// Whether the script decided on them; otherwise the client by itself.
        by_script: bool,
    },
    /// A packet reached a client.
    Received {
        /// The connection.
        link: Link,
        /// The bytes of the packet; the rest of the stream if no packet can be cut from it.
        bytes: Range,
    },
    /// A fault swallowed a packet.
    Swallowed {
        /// The connection.
        link: Link,
        /// The bytes.
        bytes: Range,
        /// Whether it came from the broker.
        from_broker: bool,
    },
    /// A connection ended, as its client saw it.
    Closed {
        /// The connection.
        link: Link,
        /// By whom.
        by: EndedBy,
        /// How.
        how: Ending,
    },
    /// A fault hit a connection.
    Cut {
        /// The connection.
        link: Link,
        /// How.
        cut: Cut,
    },
    /// Nothing passes any more between the broker and a client.
    Partitioned {
        /// The client.
        client: u32,
        /// Towards the broker.
        to_broker: bool,
        /// Towards the client.
        to_client: bool,
    },
    /// Everything passes again; `None` for all clients.
    Healed(Option<u32>),
    /// The broker's process came up.
    BrokerStarted,
    /// The broker's process was ended by the plan.
    BrokerStopped,
    /// The broker's process ended by itself.
    BrokerDied,
    /// The broker's process was halted or went on.
    BrokerPaused(bool),
}

/// A fact with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The world's time.
    pub at: Time,
    /// What happened.
    pub fact: Fact,
}

/// The facts of one run. The sequence number of an event is its place in [`History::events`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    bytes: Vec<u8>,
    events: Vec<Event>,
}

impl History {
    /// An empty history.
    pub fn new() -> History {
        History { bytes: Vec::with_capacity(16_384), events: Vec::with_capacity(1024) }
    }

    /// Appends a fact.
    pub fn push(&mut self, at: Time, fact: Fact) {
        self.events.push(Event { at, fact });
    }

    /// Keeps bytes that a fact will point at.
    pub fn store(&mut self, bytes: &[u8]) -> Range {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        Range { start, len: bytes.len() as u32 }
    }

    /// The bytes that a fact points at; empty if there are none.
    pub fn bytes(&self, range: Range) -> &[u8] {
        let start = range.start as usize;
        self.bytes.get(start..start + range.len as usize).unwrap_or_default()
    }

    /// The events in their order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// A fingerprint of everything in the history.
    pub fn digest(&self) -> Digest {
        digest::of(self)
    }

    /// How many PUBLISH packets clients sent and got.
    pub fn messages(&self) -> u64 {
        let publishes = self.events.iter().filter(|event| match event.fact {
            Fact::Sent { bytes, .. } | Fact::Received { bytes, .. } => {
                packet_type(self.bytes(bytes)) == Some(PacketType::Publish)
            }
            _ => false,
        });
        publishes.count() as u64
    }

    /// The client that a connection belongs to.
    pub fn client_of(&self, link: Link) -> Option<u32> {
        self.events.iter().find_map(|event| match event.fact {
            Fact::Opening { client, link: other } if other == link => Some(client),
            _ => None,
        })
    }
}

/// The frame in these bytes, if they are exactly one packet.
pub fn whole_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    match next_frame(bytes, None) {
        Ok(Some(frame)) if frame.len() == bytes.len() => Some(frame),
        _ => None,
    }
}

/// The packet in these bytes, if they are exactly one well-formed packet.
pub fn whole_packet(bytes: &[u8], version: ProtocolVersion) -> Option<Packet<'_>> {
    whole_frame(bytes).and_then(|frame| decode_frame(frame, version).ok())
}

/// The type of the packet that these bytes begin with.
pub fn packet_type(bytes: &[u8]) -> Option<PacketType> {
    bytes.first().and_then(|first| PacketType::from_number(first >> 4))
}
