//! The packet timeline of a history, as text.

use std::fmt::Write;

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
    pub text: String,
}

/// Every event of a history, a line each.
pub fn lines(plan: &Plan, history: &History) -> Vec<Line> {
    let mut owners: Vec<usize> = Vec::new();
    let mut versions: Vec<ProtocolVersion> = plan.clients.iter().map(|client| client.version).collect();
    let name = |client: usize| plan.clients.get(client).map_or("?", |client| client.name.as_str());
    let mut lines = Vec::new();
    for (sequence, event) in history.events().iter().enumerate() {
        let owner =
            |link: crate::history::Link, owners: &[usize]| owners.get(link.0 as usize).copied().unwrap_or(0);
        let text = match event.fact {
            Fact::StepBegan(step) => match plan.steps.get(step as usize) {
                Some(step) => format!(
                    "── {}{}",
                    step.text,
                    step.note.as_ref().map_or(String::new(), |note| format!("  # {note}"))
                ),
                None => format!("── step {step}"),
            },
            Fact::LimitReached(_) => "   the step's time is up".into(),
            Fact::Settled => "── everything owed was awaited, and the quiet window has passed".into(),
            Fact::BoundReached => "── given up: a bound was reached".into(),
            Fact::Opening { client, link } => {
                while owners.len() <= link.0 as usize {
                    owners.push(client as usize);
                }
                format!("{} ·· opens connection {}", name(client as usize), link.0)
            }
            Fact::UpgradeSent { link, bytes } => {
                format!(
                    "{} ─▶ broker   WebSocket upgrade: {}",
                    name(owner(link, &owners)),
                    websocket::head(history.bytes(bytes))
                )
            }
            Fact::UpgradeReceived { link, bytes } => {
                format!(
                    "{} ◀─ broker   WebSocket upgrade: {}",
                    name(owner(link, &owners)),
                    websocket::head(history.bytes(bytes))
                )
            }
            Fact::Frame { link, bytes, from_broker } => {
                let client = owner(link, &owners);
                let arrow = if from_broker { "◀─" } else { "─▶" };
                let what = frame(history.bytes(bytes), from_broker, versions[client]);
                format!("{} {arrow} broker   {what}", name(client))
            }
            Fact::Opened(link) => format!("{} ·· connection {} stands", name(owner(link, &owners)), link.0),
            Fact::Sent { link, bytes, by_script } => {
                let client = owner(link, &owners);
                let raw = history.bytes(bytes);
                if let Some(Packet::Connect(connect)) = whole_packet(raw, versions[client]) {
                    versions[client] = connect.version;
                }
                let mark = if by_script { " (script)" } else { "" };
                format!("{} ─▶ broker   {}{mark}", name(client), summary(raw, versions[client]))
            }
            Fact::Received { link, bytes } => {
                let client = owner(link, &owners);
                format!("{} ◀─ broker   {}", name(client), summary(history.bytes(bytes), versions[client]))
            }
            Fact::Swallowed { link, bytes, from_broker } => {
                let client = owner(link, &owners);
                let arrow = if from_broker { "✗─" } else { "─✗" };
                format!(
                    "{} {arrow} broker   {} (lost)",
                    name(client),
                    summary(history.bytes(bytes), versions[client])
                )
            }
            Fact::Cut { link, cut } => {
                format!("{} ⚡ the connection is cut: {}", name(owner(link, &owners)), cut.name())
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
                format!("{} ·· {who} {how} connection {}", name(owner(link, &owners)), link.0)
            }
            Fact::Partitioned { client, to_broker, to_client } => {
                let way = match (to_broker, to_client) {
                    (true, true) => "both ways",
                    (true, false) => "towards the broker",
                    _ => "from the broker",
                };
                format!("{} ⚡ partition, {way}", name(client as usize))
            }
            Fact::Healed(Some(client)) => format!("{} ⚡ the partition heals", name(client as usize)),
            Fact::Healed(None) => "⚡ all partitions heal".into(),
            Fact::BrokerStarted => "broker ·· started".into(),
            Fact::BrokerStopped => "broker ⚡ stopped".into(),
            Fact::BrokerDied => "broker ✗ its process ended by itself".into(),
            Fact::BrokerPaused(true) => "broker ⚡ halted".into(),
            Fact::BrokerPaused(false) => "broker ·· goes on".into(),
        };
        lines.push(Line { event: sequence as u32, at: event.at, text });
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
        let _ = writeln!(out, "{mark} {:>11}  {}", seconds(line.at), line.text);
    }
    if skipped {
        out.push_str("            ⋮\n");
    }
    out
}

pub(super) fn seconds(at: Time) -> String {
    format!("{}.{:03} s", at.0 / 1_000_000, at.0 % 1_000_000 / 1000)
}
