//! The broker's side of QoS 1 and 2: identifiers, DUP, re-sending, PUBREL, and the client's Receive Maximum.

use std::collections::{BTreeMap, BTreeSet};

use reference_broker::codec::{Packet, PropertyId, ProtocolVersion, Publish, QoS};

use crate::history::Link;

use super::{ByLink, Findings, On, Seen, What, pick};

const BY: &str = "deliveries";

/// A delivery whose exchange is open, as far as the client knows.
#[derive(Debug, Clone)]
struct Open {
    fingerprint: (u64, u32),
    event: u32,
    link: Link,
    /// PUBREL has come for it, so the broker knows PUBREC.
    released: bool,
    /// The Subscription Identifiers that it has now, once a client of 5.0 got it, and those that it had before, one
    /// after the other.
    identifiers: Option<Vec<u32>>,
    earlier: Vec<Vec<u32>>,
}

/// What the broker owes to keep in mind of one Client Identifier.
#[derive(Debug, Default)]
struct Session {
    open: BTreeMap<u16, Open>,
    /// Identifiers for which the client ever sent a PUBREC that was no refusal.
    received: BTreeSet<u16>,
    /// Identifiers whose delivery a fault swallowed: the client does not know them.
    swallowed: bool,
    /// The connection that carries it, as far as its clients know: what still comes on an older one was sent before.
    link: Option<Link>,
    /// There was a clean start since CONNACK last said whether a session was there: perhaps none is left. Only 3.1,
    /// which has no Session Present, needs to know.
    perhaps_gone: bool,
}

#[derive(Debug)]
struct Line {
    /// The place of its session.
    session: usize,
    receive_maximum: usize,
    resumed: bool,
    clean: bool,
    irregular: bool,
}

#[derive(Debug, Default)]
pub(super) struct Deliveries {
    lines: ByLink<Line>,
    /// Sessions in the order in which their Client Identifiers were seen first.
    sessions: Vec<(String, Session)>,
}

impl Deliveries {
    pub(super) fn observe(&mut self, seen: &Seen<'_>, out: &mut Findings) {
        match &seen.what {
            What::Sent(on, packet) => self.sent(*on, packet),
            What::SentGarbage(on) => {
                if let Some(line) = self.lines.get_mut(on.link) {
                    line.irregular = true;
                }
            }
            What::Swallowed(on, Packet::Publish(_)) => {
                if let Some(session) = self.session(*on) {
                    session.swallowed = true;
                }
            }
            What::Received(on, packet, _) => match packet {
                Packet::Connack(connack) => {
                    let Some(line) = self.lines.get_mut(on.link) else { return };
                    // 3.1 has no Session Present.
                    line.resumed =
                        connack.session_present || on.version == ProtocolVersion::V3_1 && !line.clean;
                    let session = &mut self.sessions[line.session].1;
                    if seen.denied {
                        line.resumed = true;
                        line.irregular = true;
                        session.open.clear();
                    }
                    if connack.reason.0 == 0 && on.version != ProtocolVersion::V3_1 {
                        session.perhaps_gone = line.clean;
                    }
                    if connack.reason.0 == 0 && !line.resumed && session.link == Some(on.link) {
                        let Session { link, perhaps_gone, .. } = *session;
                        *session = Session { link, perhaps_gone, ..Session::default() };
                    }
                }
                Packet::Publish(_) | Packet::Pubrel(_) if self.is_stale(*on) => {}
                Packet::Publish(publish) => self.publish(*on, publish, fingerprint(publish), seen.event, out),
                Packet::Pubrel(ack) => {
                    self.pubrel(*on, ack.packet_id, ack.reason.is_error(), seen.event, out)
                }
                _ => {}
            },
            What::BrokerChanged => {
                // What the broker kept is its own affair; what the client has said stays said.
                for (_, session) in &mut self.sessions {
                    session.open.clear();
                }
                for line in self.lines.values_mut() {
                    line.irregular = true;
                }
            }
            _ => {}
        }
    }

    /// Whether another client has begun to take the session over.
    fn is_stale(&mut self, on: On) -> bool {
        self.session(on).is_some_and(|session| session.link != Some(on.link))
    }

    fn session(&mut self, on: On) -> Option<&mut Session> {
        let line = self.lines.get(on.link)?;
        self.sessions.get_mut(line.session).map(|(_, session)| session)
    }

    fn sent(&mut self, on: On, packet: &Packet<'_>) {
        match packet {
            Packet::Connect(connect) => {
                let maximum =
                    connect.properties.number(PropertyId::ReceiveMaximum).unwrap_or(65_535) as usize;
                let known = self.sessions.iter().position(|(id, _)| *id == connect.client_id);
                let session = known.unwrap_or_else(|| {
                    self.sessions.push((connect.client_id.to_string(), Session::default()));
                    self.sessions.len() - 1
                });
                let state = &mut self.sessions[session].1;
                state.link = Some(on.link);
                if connect.version == ProtocolVersion::V3_1 && state.perhaps_gone {
                    state.open.clear();
                }
                state.perhaps_gone =
                    connect.clean_start || state.perhaps_gone && connect.version != ProtocolVersion::V3_1;
                self.lines.insert(
                    on.link,
                    Line {
                        session,
                        receive_maximum: maximum,
                        resumed: false,
                        clean: connect.clean_start,
                        irregular: false,
                    },
                );
            }
            Packet::Puback(ack) | Packet::Pubcomp(ack) => {
                if let Some(session) = self.session(on) {
                    session.open.remove(&ack.packet_id);
                }
            }
            Packet::Pubrec(ack) => {
                if let Some(session) = self.session(on) {
                    if ack.reason.is_error() {
                        session.open.remove(&ack.packet_id);
                    } else {
                        session.received.insert(ack.packet_id);
                    }
                }
            }
            _ => {}
        }
    }

    fn publish(
        &mut self,
        on: On,
        publish: &Publish<'_>,
        fingerprint: (u64, u32),
        event: u32,
        out: &mut Findings,
    ) {
        let Some(id) = publish.packet_id else { return };
        let Some(line) = self.lines.get(on.link) else { return };
        if line.irregular {
            return;
        }
        let (resumed, clean, maximum) = (line.resumed, line.clean, line.receive_maximum);
        let version = on.version;
        let v5 = version == ProtocolVersion::V5;
        let taken = pick(version, "MQTT-2.2.1-4", "MQTT-2.3.1-4");
        let sender = match publish.qos {
            QoS::ExactlyOnce => "MQTT-4.3.3-1",
            _ => "MQTT-4.3.2-1",
        };
        let Some(session) = self.session(on) else { return };
        if let Some(open) = session.open.get(&id).cloned() {
            let events = vec![open.event, event];
            let same = open.fingerprint == fingerprint;
            if open.released {
                let ids: &[&str] = pick(version, &["MQTT-4.3.3-6"], &["MQTT-4.3.3-1"]);
                out.violation(
                    BY,
                    ids,
                    "no PUBLISH with this identifier between PUBREL and PUBCOMP",
                    format!("PUBLISH with identifier {id} after its PUBREL"),
                    events,
                );
            } else if open.link == on.link {
                if v5 && same {
                    out.violation(
                        BY,
                        &["MQTT-4.4.0-1"],
                        "no re-sending while the connection lasts",
                        format!("PUBLISH with identifier {id} again on the same connection"),
                        events,
                    );
                } else if !same || !publish.dup {
                    out.violation(
                        BY,
                        &[taken, sender],
                        "an identifier that is not in use",
                        format!("identifier {id} while its delivery is open"),
                        events,
                    );
                }
            } else if !same && resumed {
                out.violation(
                    BY,
                    &[taken, sender, "MQTT-4.4.0-1"],
                    "an identifier that is not in use",
                    format!("identifier {id} for another message while its delivery is open"),
                    events,
                );
            } else if !publish.dup {
                out.violation(
                    BY,
                    &["MQTT-3.3.1-1"],
                    "DUP 1 on a PUBLISH that is sent again",
                    "DUP 0",
                    events,
                );
            }
            if let Some(open) = session.open.get_mut(&id) {
                open.link = on.link;
                open.fingerprint = fingerprint;
                // Before 5.0 there are none to send.
                let now = v5.then(|| subscription_identifiers(publish));
                if same
                    && let Some(now) = now
                    && let Some(before) = open.identifiers.replace(now.clone())
                    && before != now
                {
                    if open.earlier.contains(&now) {
                        out.violation(
                            BY,
                            &["U5-82"],
                            "no old Subscription Identifiers after newer ones were sent",
                            format!("Subscription Identifiers {now:?} again"),
                            vec![open.event, event],
                        );
                    }
                    open.earlier.push(before);
                }
            }
        } else {
            // After a resume the first sighting may be a repetition of what went into a dead connection.
            if publish.dup && (!resumed || clean) {
                let ids: &[&str] = pick(
                    version,
                    if publish.qos == QoS::ExactlyOnce {
                        &["MQTT-3.3.1-3", "MQTT-4.3.3-2"]
                    } else {
                        &["MQTT-3.3.1-3", "MQTT-4.3.2-2"]
                    },
                    &["MQTT-3.3.1-3"],
                );
                out.violation(BY, ids, "DUP 0 on the first transmission", "DUP 1", vec![event]);
            }
            let open = Open {
                fingerprint,
                event,
                link: on.link,
                released: false,
                identifiers: v5.then(|| subscription_identifiers(publish)),
                earlier: Vec::new(),
            };
            session.open.insert(id, open);
        }
        // Only what was sent on this connection counts against the quota.
        let in_flight = session.open.values().filter(|open| open.link == on.link).count();
        if v5 && in_flight > maximum {
            out.violation(
                BY,
                &["MQTT-3.3.4-9", "MQTT-4.9.0-2"],
                format!(
                    "at most {maximum} QoS 1 and 2 deliveries open at a time, the client's Receive Maximum"
                ),
                format!("{in_flight} open"),
                vec![event],
            );
        }
    }

    fn pubrel(&mut self, on: On, id: u16, not_found: bool, event: u32, out: &mut Findings) {
        let irregular = self.lines.get(on.link).is_none_or(|line| line.irregular);
        let Some(session) = self.session(on) else { return };
        if irregular || not_found {
            return;
        }
        if let Some(open) = session.open.get_mut(&id) {
            open.released = session.received.contains(&id);
        }
        if !session.received.contains(&id) && !session.swallowed {
            let ids: &[&str] =
                pick(on.version, &["MQTT-4.3.3-4", "MQTT-2.2.1-5"], &["MQTT-4.3.3-1", "MQTT-2.3.1-6"]);
            out.violation(
                BY,
                ids,
                "PUBREL only after a PUBREC with its identifier",
                format!("PUBREL for identifier {id}"),
                vec![event],
            );
        }
    }
}

/// The Subscription Identifiers of a PUBLISH, in ascending order.
fn subscription_identifiers(publish: &Publish<'_>) -> Vec<u32> {
    if publish.properties.is_empty() {
        return Vec::new();
    }
    let all = publish.properties.iter().filter(|property| property.id == PropertyId::SubscriptionIdentifier);
    let mut identifiers: Vec<u32> = all.filter_map(|property| property.value.number()).collect();
    identifiers.sort_unstable();
    identifiers
}

/// What makes a PUBLISH the same one when it comes again: its payload.
fn fingerprint(publish: &Publish<'_>) -> (u64, u32) {
    let hash = xxhash_rust::xxh3::xxh3_64(&publish.payload);
    (hash, publish.payload.len() as u32)
}
