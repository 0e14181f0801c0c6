//! CONNACK comes first and once, Session Present tells the truth, and after the end there is nothing more.

use std::collections::BTreeMap;
use std::time::Duration;

use reference_broker::codec::{Connect, Packet, PropertyId, ProtocolVersion};
use reference_broker::core::Time;

use crate::history::{Ending, Link};
use crate::scenario::Plan;

use super::{ByLink, Findings, On, Seen, What, pick};

const BY: &str = "connection";

/// How long after a session's calculated end it may still be there: clocks of brokers tick in seconds.
const EXPIRY_SLACK: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
struct Line {
    connect: Option<Asked>,
    connack: Option<u32>,
    refused: bool,
    disconnected: Option<u32>,
    /// The script broke the rules on it, or sent what cannot be read.
    irregular: bool,
}

#[derive(Debug, Clone)]
struct Asked {
    client_id: String,
    clean_start: bool,
    expiry: u32,
}

/// What must be known of a session for Session Present to be judged.
#[derive(Debug, Clone, PartialEq)]
enum Session {
    /// It cannot be told.
    Unknown,
    /// There is none.
    None,
    /// It belongs to a connection that was accepted; for this long it outlives it.
    Live { link: Link, expiry: u32, version: ProtocolVersion },
    /// Its connection ended then, as its client saw it; the broker may have noticed later.
    Kept { since: Time, expiry: u32, noticed: bool, version: ProtocolVersion },
}

pub(super) struct Connections {
    lines: ByLink<Line>,
    sessions: BTreeMap<String, Session>,
    slack: Duration,
    /// The broker was stopped or started: what it kept is its own affair.
    restarted: bool,
    /// A partition kept something back: the broker may have noticed an end earlier or later than the client.
    partitioned: bool,
    /// Links of the plan are slow or lose packets: the broker may notice an end much later.
    delayed: bool,
}

const NEVER: u32 = u32::MAX;

impl Connections {
    pub(super) fn new(plan: &Plan) -> Connections {
        Connections {
            lines: ByLink::default(),
            sessions: BTreeMap::new(),
            slack: EXPIRY_SLACK + plan.tolerance,
            restarted: false,
            partitioned: false,
            delayed: plan.is_delayed(),
        }
    }

    /// Whether a CONNACK denies a session that the broker has to hold for a client of 3.1.1 ([`Seen::denied`]).
    pub(super) fn observe(&mut self, seen: &Seen<'_>, out: &mut Findings) -> bool {
        match &seen.what {
            What::Sent(on, packet) => self.sent(*on, packet),
            What::SentGarbage(on) => self.lines.or_default(on.link).irregular = true,
            What::Received(on, packet, _) => return self.received(*on, packet, seen, out),
            What::Closed(on, how) => self.closed(*on, *how, seen.at),
            What::Partitioned => self.partitioned = true,
            What::BrokerChanged => {
                self.restarted = true;
                for session in self.sessions.values_mut() {
                    *session = Session::Unknown;
                }
            }
            _ => {}
        }
        false
    }

    fn sent(&mut self, on: On, packet: &Packet<'_>) {
        let line = self.lines.or_default(on.link);
        match packet {
            Packet::Connect(connect) => {
                if line.connect.is_some() {
                    line.irregular = true;
                    return;
                }
                line.connect = Some(Asked {
                    client_id: connect.client_id.to_string(),
                    clean_start: connect.clean_start,
                    expiry: asked_expiry(connect),
                });
            }
            Packet::Disconnect(disconnect) => {
                let Some(asked) = &line.connect else { return };
                if let Some(expiry) = disconnect.properties.number(PropertyId::SessionExpiryInterval)
                    && let Some(Session::Live { link, expiry: current, .. }) =
                        self.sessions.get_mut(&asked.client_id)
                    && *link == on.link
                {
                    // Raising it from 0 is a Protocol Error and keeps nothing.
                    *current = if *current == 0 { 0 } else { expiry };
                }
            }
            _ => {}
        }
    }

    fn received(&mut self, on: On, packet: &Packet<'_>, seen: &Seen<'_>, out: &mut Findings) -> bool {
        let version = on.version;
        let line = self.lines.or_default(on.link);
        if let Some(event) = line.disconnected {
            out.violation(
                BY,
                &[pick(version, "MQTT-3.14.4-1", "U3-32")],
                "nothing after the broker's DISCONNECT",
                format!("{} after it", packet.packet_type()),
                vec![event, seen.event],
            );
        }
        if line.refused {
            out.violation(
                BY,
                &[pick(version, "MQTT-3.2.2-7", "MQTT-3.2.2-5")],
                "the close after a CONNACK that refuses",
                format!("{} after it", packet.packet_type()),
                vec![seen.event],
            );
        }
        match packet {
            Packet::Connack(connack) => {
                if let Some(event) = line.connack {
                    out.violation(
                        BY,
                        &[pick(version, "MQTT-3.2.0-2", "MQTT-3.2.0-1")],
                        "one CONNACK",
                        "a second CONNACK",
                        vec![event, seen.event],
                    );
                    return false;
                }
                line.connack = Some(seen.event);
                line.refused = connack.reason.0 != 0;
                let asked = line.connect.clone();
                let irregular = line.irregular;
                if line.refused && connack.session_present {
                    out.violation(
                        BY,
                        &[pick(version, "MQTT-3.2.2-6", "MQTT-3.2.2-4")],
                        "Session Present 0 on a CONNACK that refuses",
                        "Session Present 1",
                        vec![seen.event],
                    );
                }
                if let Some(asked) = asked
                    && !irregular
                    && connack.reason.0 == 0
                {
                    return self.accepted(
                        on,
                        &asked,
                        connack.session_present,
                        connack.properties.number(PropertyId::SessionExpiryInterval),
                        seen,
                        out,
                    );
                }
            }
            Packet::Auth(_) => {}
            Packet::Disconnect(_) => {
                if line.connack.is_none() {
                    out.violation(
                        BY,
                        &[pick(version, "MQTT-3.14.0-1", "MQTT-3.2.0-1"), "MQTT-3.2.0-1"],
                        "no DISCONNECT before CONNACK",
                        "DISCONNECT before CONNACK",
                        vec![seen.event],
                    );
                }
                line.disconnected = Some(seen.event);
            }
            other => {
                if line.connack.is_none() {
                    out.violation(
                        BY,
                        &["MQTT-3.2.0-1"],
                        "CONNACK as the first packet",
                        format!("{} before CONNACK", other.packet_type()),
                        vec![seen.event],
                    );
                }
            }
        }
        false
    }

    fn accepted(
        &mut self,
        on: On,
        asked: &Asked,
        present: bool,
        announced: Option<u32>,
        seen: &Seen<'_>,
        out: &mut Findings,
    ) -> bool {
        let version = on.version;
        let expiry = announced.unwrap_or(asked.expiry);
        let id = asked.client_id.clone();
        if id.is_empty() {
            if present {
                out.violation(
                    BY,
                    &["MQTT-3.2.2-3"],
                    "Session Present 0 for an assigned Client Identifier",
                    "Session Present 1",
                    vec![seen.event],
                );
            }
            return false;
        }
        // A cleaned-up client of an older connection, still open: a takeover continues its session.
        let known = self.sessions.insert(id, Session::Live { link: on.link, expiry, version });
        if version == ProtocolVersion::V3_1 {
            return false;
        }
        if asked.clean_start {
            if present {
                let ids: &[&str] =
                    pick(version, &["MQTT-3.2.2-2", "MQTT-3.1.2-4"], &["MQTT-3.2.2-1", "MQTT-3.1.2-6"]);
                out.violation(
                    BY,
                    ids,
                    "Session Present 0 after a clean start",
                    "Session Present 1",
                    vec![seen.event],
                );
            }
            return false;
        }
        let known = match known {
            None if self.restarted => Session::Unknown,
            None => Session::None,
            // Whether another version of the protocol continues a session is the broker's choice.
            Some(Session::Live { version: before, .. } | Session::Kept { version: before, .. })
                if before != version =>
            {
                return false;
            }
            Some(known) => known,
        };
        let (expected, ids): (bool, &[&str]) = match known {
            Session::Unknown => return false,
            Session::None => (false, pick(version, &["MQTT-3.2.2-3", "MQTT-3.1.2-6"], &["MQTT-3.2.2-3"])),
            // A takeover of a connection whose session ends with it: the rulings leave the order open.
            Session::Live { expiry: 0, .. } => return false,
            // Across a partition nobody can tell when the broker gave the connection up.
            Session::Live { expiry, .. } | Session::Kept { expiry, .. }
                if self.partitioned && expiry != NEVER =>
            {
                return false;
            }
            Session::Live { .. } => {
                (true, pick(version, &["MQTT-3.2.2-3", "MQTT-3.1.2-5"], &["MQTT-3.2.2-2", "MQTT-3.1.2-4"]))
            }
            Session::Kept { since, expiry, noticed, .. } => {
                let lasts = Duration::from_secs(u64::from(expiry));
                if expiry == NEVER || seen.at + self.slack < since + lasts {
                    (
                        true,
                        pick(
                            version,
                            &["MQTT-3.2.2-3", "MQTT-3.1.2-5", "MQTT-3.1.2-23"],
                            &["MQTT-3.2.2-2", "MQTT-3.1.2-4"],
                        ),
                    )
                } else if noticed && !self.delayed && seen.at > since + lasts + self.slack {
                    (
                        false,
                        pick(version, &["MQTT-4.1.0-2", "MQTT-3.2.2-3"], &["MQTT-3.2.2-3", "MQTT-3.1.2-6"]),
                    )
                } else {
                    return false;
                }
            }
        };
        if present != expected {
            let reason = if expected { "the broker holds a session" } else { "there is no session" };
            out.violation(
                BY,
                ids,
                format!("Session Present {}: {reason}", u8::from(expected)),
                format!("Session Present {}", u8::from(present)),
                vec![seen.event],
            );
        }
        expected && !present && version == ProtocolVersion::V3_1_1
    }

    fn closed(&mut self, on: On, how: Ending, at: Time) {
        let Some(line) = self.lines.get(on.link) else { return };
        let Some(asked) = &line.connect else { return };
        let irregular = line.irregular;
        let unanswered = line.connack.is_none();
        match self.sessions.get_mut(&asked.client_id) {
            Some(session) => {
                if let Session::Live { link, expiry, version } = *session
                    && link == on.link
                {
                    let noticed = how != Ending::Silence && how != Ending::TimedOut;
                    *session = if irregular {
                        Session::Unknown
                    } else {
                        Session::Kept { since: at, expiry, noticed, version }
                    };
                } else if unanswered {
                    // A CONNECT without an answer may have been processed.
                    *session = Session::Unknown;
                }
            }
            None if unanswered => {
                self.sessions.insert(asked.client_id.clone(), Session::Unknown);
            }
            None => {}
        }
    }
}

/// The session expiry that CONNECT asks for; CleanSession 0 is for ever.
fn asked_expiry(connect: &Connect<'_>) -> u32 {
    if connect.version == ProtocolVersion::V5 {
        connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0)
    } else if connect.clean_start {
        0
    } else {
        NEVER
    }
}
