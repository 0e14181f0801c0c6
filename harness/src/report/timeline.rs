//! The packet timeline of a history: what each event was, and the same as text.

use std::fmt::{self, Write};

use reference_broker::codec::{Packet, ProtocolVersion};
use reference_broker::core::Time;

use crate::history::{EndedBy, Ending, Fact, History, whole_packet};
use crate::scenario::Plan;
use crate::websocket;

use super::packet::summary;

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The event.
    pub event: u32,
    /// Its time.
    pub at: Time,
    /// What happened.
    pub what: What,
}

/// What an event was. Clients are numbered as in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A step began, or the run itself went on.
    Step(String),
    /// The time of a step is up.
    Limit(String),
    /// A packet, a frame or an upgrade on its way between a client and the broker.
    Packet {
        /// The client.
        client: usize,
        /// Its name.
        name: String,
        /// Whether the broker sent it.
        from_broker: bool,
        /// Whether it never arrived.
        lost: bool,
        /// What it was.
        text: String,
        /// Whether the script decided on its bytes.
        by_script: bool,
    },
    /// A connection opened, stands or ended.
    Connection {
        /// The client.
        client: usize,
        /// Its name.
        name: String,
        /// What happened to it.
        text: String,
    },
    /// Something that the scenario did to the network or to the broker; to everyone if there is no client.
    Fault {
        /// The client and its name.
        client: Option<(usize, String)>,
        /// What.
        text: String,
    },
    /// What became of the broker.
    Broker(String),
    /// The broker's process ended by itself.
    Died(String),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Step(text) => write!(f, "── {text}"),
            What::Limit(text) => write!(f, "   {text}"),
            What::Packet { name, from_broker, lost, text, by_script, .. } => {
                let arrow = match (from_broker, lost) {
                    (true, false) => "◀─",
                    (true, true) => "✗─",
                    (false, false) => "─▶",
                    (false, true) => "─✗",
                };
                let mark = if *by_script { " (script)" } else { "" };
                let lost = if *lost { " (lost)" } else { "" };
                write!(f, "{name} {arrow} broker   {text}{mark}{lost}")
            }
            What::Connection { name, text, .. } => write!(f, "{name} ·· {text}"),
            What::Fault { client: Some((_, name)), text } => write!(f, "{name} ⚡ {text}"),
            What::Fault { client: None, text } => write!(f, "⚡ {text}"),
            What::Broker(text) => write!(f, "broker {text}"),
            What::Died(text) => write!(f, "broker ✗ {text}"),
        }
    }
}

/// Every event of a history, a line each.
pub fn lines(plan: &Plan, history: &History) -> Vec<Line> {
    let mut owners: Vec<usize> = Vec::new();
    let mut versions: Vec<ProtocolVersion> = plan.clients.iter().map(|client| client.version).collect();
    let name =
        |client: usize| plan.clients.get(client).map_or("?", |client| client.name.as_str()).to_string();
    let packet = |client: usize, from_broker: bool, text: String| What::Packet {
        client,
        name: name(client),
        from_broker,
        lost: false,
        text,
        by_script: false,
    };
    let connection = |client: usize, text: String| What::Connection { client, name: name(client), text };
    let mut lines = Vec::new();
    for (sequence, event) in history.events().iter().enumerate() {
        let owner =
            |link: crate::history::Link, owners: &[usize]| owners.get(link.0 as usize).copied().unwrap_or(0);
        let what = match event.fact {
            Fact::StepBegan(step) => What::Step(match plan.steps.get(step as usize) {
                Some(step) => format!(
                    "{}{}",
                    step.text,
                    step.note.as_ref().map_or(String::new(), |note| format!("  # {note}"))
                ),
                None => format!("step {step}"),
            }),
            Fact::LimitReached(_) => What::Limit("the step's time is up".into()),
            Fact::Settled => {
                What::Step("everything owed was awaited, and the quiet window has passed".into())
            }
            Fact::BoundReached => What::Step("given up: a bound was reached".into()),
            Fact::Opening { client, link } => {
                while owners.len() <= link.0 as usize {
                    owners.push(client as usize);
                }
                connection(client as usize, format!("opens connection {}", link.0))
            }
            Fact::UpgradeSent { link, bytes } | Fact::UpgradeReceived { link, bytes } => {
                let from_broker = matches!(event.fact, Fact::UpgradeReceived { .. });
                let text = format!("WebSocket upgrade: {}", websocket::head(history.bytes(bytes)));
                packet(owner(link, &owners), from_broker, text)
            }
            Fact::Frame { link, bytes, from_broker } => {
                let client = owner(link, &owners);
                packet(client, from_broker, frame(history.bytes(bytes), from_broker, versions[client]))
            }
            Fact::Opened(link) => connection(owner(link, &owners), format!("connection {} stands", link.0)),
            Fact::Sent { link, bytes, by_script } => {
                let client = owner(link, &owners);
                let raw = history.bytes(bytes);
                if let Some(Packet::Connect(connect)) = whole_packet(raw, versions[client]) {
                    versions[client] = connect.version;
                }
                What::Packet {
                    client,
                    name: name(client),
                    from_broker: false,
                    lost: false,
                    text: summary(raw, versions[client]),
                    by_script,
                }
            }
            Fact::Received { link, bytes } => {
                let client = owner(link, &owners);
                packet(client, true, summary(history.bytes(bytes), versions[client]))
            }
            Fact::Swallowed { link, bytes, from_broker } => {
                let client = owner(link, &owners);
                What::Packet {
                    client,
                    name: name(client),
                    from_broker,
                    lost: true,
                    text: summary(history.bytes(bytes), versions[client]),
                    by_script: false,
                }
            }
            Fact::Cut { link, cut } => {
                let client = owner(link, &owners);
                What::Fault {
                    client: Some((client, name(client))),
                    text: format!("the connection is cut: {}", cut.name()),
                }
            }
            Fact::Closed { link, by, how } => {
                let who = match by {
                    EndedBy::Broker => "the broker",
                    EndedBy::Client => "the client",
                    EndedBy::Fault => "the fault",
                    EndedBy::Network => "the network",
                };
                let how = match how {
                    Ending::Fin => "closes",
                    Ending::Reset => "resets",
                    Ending::Silence => "silently ends",
                    Ending::TimedOut => "times out",
                    Ending::Refused => "refuses",
                };
                connection(owner(link, &owners), format!("{who} {how} connection {}", link.0))
            }
            Fact::Partitioned { client, to_broker, to_client } => {
                let way = match (to_broker, to_client) {
                    (true, true) => "both ways",
                    (true, false) => "towards the broker",
                    _ => "from the broker",
                };
                let client = client as usize;
                What::Fault { client: Some((client, name(client))), text: format!("partition, {way}") }
            }
            Fact::Healed(Some(client)) => What::Fault {
                client: Some((client as usize, name(client as usize))),
                text: "the partition heals".into(),
            },
            Fact::Healed(None) => What::Fault { client: None, text: "all partitions heal".into() },
            Fact::BrokerStarted => What::Broker("·· started".into()),
            Fact::BrokerStopped => What::Broker("⚡ stopped".into()),
            Fact::BrokerDied => What::Died("its process ended by itself".into()),
            Fact::BrokerPaused(true) => What::Broker("⚡ halted".into()),
            Fact::BrokerPaused(false) => What::Broker("·· goes on".into()),
        };
        lines.push(Line { event: sequence as u32, at: event.at, what });
    }
    lines
}

/// A WebSocket frame on one line.
fn frame(bytes: &[u8], from_broker: bool, version: ProtocolVersion) -> String {
    let Some(seen) = websocket::look(bytes) else { return "WebSocket: an incomplete frame".into() };
    let mut out = format!("WebSocket {}", seen.name);
    if let Some(code) = seen.close_code {
        let _ = write!(out, " {code}");
    }
    if let Some(fault) = websocket::fault_of(bytes).filter(|_| from_broker) {
        let _ = write!(out, ": {fault}");
    } else if seen.name == "text frame" && !from_broker {
        let _ = write!(out, " with {}", summary(&seen.payload, version));
    }
    out
}

/// The lines around some events, those events marked; the whole timeline if there are none.
pub fn around(plan: &Plan, history: &History, events: &[u32], context: usize) -> String {
    let lines = lines(plan, history);
    let wanted = |at: usize| {
        events.is_empty()
            || events
                .iter()
                .any(|event| at + context >= *event as usize && at <= *event as usize + context / 2)
    };
    let mut out = String::new();
    let mut skipped = false;
    for (at, line) in lines.iter().enumerate() {
        if !wanted(at) {
            skipped = true;
            continue;
        }
        if skipped {
            out.push_str("            ⋮\n");
            skipped = false;
        }
        let mark = if events.contains(&line.event) { '▸' } else { ' ' };
        let _ = writeln!(out, "{mark} {:>11}  {}", seconds(line.at), line.what);
    }
    if skipped {
        out.push_str("            ⋮\n");
    }
    out
}

pub(super) fn seconds(at: Time) -> String {
    format!("{}.{:03} s", at.0 / 1_000_000, at.0 % 1_000_000 / 1000)
}
