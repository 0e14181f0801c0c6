//! Acknowledgements belong to requests: one for each, with its identifier, of the right type, with as many
//! codes as it has filters.

use std::collections::BTreeMap;

use reference_broker::codec::{Packet, PacketType, ProtocolVersion, Publish, QoS};

use super::{ByLink, Findings, On, Seen, What, pick};

const BY: &str = "answers";

/// What a client is owed on one connection.
#[derive(Debug, Default)]
struct Owed {
    /// The PUBACK, PUBREC and PUBCOMP that may still come; one that may come twice stands here twice.
    acknowledgements: Vec<(PacketType, u16)>,
    /// SUBSCRIBE and UNSUBSCRIBE without an answer, with what they asked for.
    requests: BTreeMap<(PacketType, u16), Vec<u8>>,
    pings: u32,
    /// What may come besides, for exchanges of the session that began on an earlier connection.
    resumed: Vec<(PacketType, u16)>,
    /// The script sent what cannot be read, so nothing is known any more.
    unknown: bool,
}

#[derive(Debug, Default)]
pub(super) struct Answers {
    links: ByLink<Owed>,
    /// QoS 2 messages of a client whose exchange is open in its session, with what the broker would answer last.
    open: BTreeMap<(usize, u16), PacketType>,
}

impl Answers {
    pub(super) fn observe(&mut self, seen: &Seen<'_>, out: &mut Findings) {
        match &seen.what {
            What::Sent(on, packet) => self.sent(*on, packet),
            What::SentGarbage(on) => self.links.or_default(on.link).unknown = true,
            What::Received(on, packet, _) => self.received(*on, packet, seen, out),
            _ => {}
        }
    }

    fn sent(&mut self, on: On, packet: &Packet<'_>) {
        match packet {
            Packet::Connect(connect) if connect.clean_start => {
                self.open.retain(|(client, _), _| *client != on.client)
            }
            Packet::Publish(Publish { qos: QoS::ExactlyOnce, packet_id: Some(id), .. }) => {
                self.open.insert((on.client, *id), PacketType::Pubrec);
            }
            Packet::Pubrel(ack) => {
                self.open.insert((on.client, ack.packet_id), PacketType::Pubcomp);
            }
            _ => {}
        }
        let owed = self.links.or_default(on.link);
        let mut owe = |kind: PacketType, id: u16| owed.acknowledgements.push((kind, id));
        match packet {
            Packet::Publish(publish) => match (publish.qos, publish.packet_id) {
                (QoS::AtLeastOnce, Some(id)) => owe(PacketType::Puback, id),
                (QoS::ExactlyOnce, Some(id)) => owe(PacketType::Pubrec, id),
                _ => {}
            },
            Packet::Pubrel(ack) => owe(PacketType::Pubcomp, ack.packet_id),
            // A PUBREC is answered by PUBREL; deliveries look at that.
            Packet::Subscribe(subscribe) => {
                let asked = subscribe.subscriptions.iter().map(|it| it.options.qos.number()).collect();
                owed.requests.insert((PacketType::Suback, subscribe.packet_id), asked);
            }
            Packet::Unsubscribe(unsubscribe) => {
                owed.requests.insert(
                    (PacketType::Unsuback, unsubscribe.packet_id),
                    vec![2; unsubscribe.filters.len()],
                );
            }
            Packet::Pingreq => owed.pings += 1,
            _ => {}
        }
    }

    fn received(&mut self, on: On, packet: &Packet<'_>, seen: &Seen<'_>, out: &mut Findings) {
        let event = seen.event;
        if let Packet::Connack(connack) = packet
            && connack.reason.0 == 0
            && (connack.session_present || seen.denied || on.version == ProtocolVersion::V3_1)
        {
            // What acknowledges an exchange that the session still holds may come again; a PUBREL on its way when the
            // connection ended may never have arrived.
            let mine = self.open.iter().filter(|((client, _), _)| *client == on.client);
            let mut resumed: Vec<(PacketType, u16)> = mine.map(|((_, id), kind)| (*kind, *id)).collect();
            for at in 0..resumed.len() {
                if let (PacketType::Pubcomp, id) = resumed[at] {
                    resumed.push((PacketType::Pubrec, id));
                }
            }
            self.links.or_default(on.link).resumed = resumed;
        }
        let owed = self.links.or_default(on.link);
        if owed.unknown {
            return;
        }
        let version = on.version;
        let kind = packet.packet_type();
        match packet {
            Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubcomp(ack) => {
                let wanted = (kind, ack.packet_id);
                match owed.acknowledgements.iter().position(|owed| *owed == wanted) {
                    Some(at) => {
                        owed.acknowledgements.swap_remove(at);
                    }
                    None if owed.resumed.contains(&wanted) => owed.resumed.retain(|it| *it != wanted),
                    None => {
                        let id = pick(version, "MQTT-2.2.1-5", "MQTT-2.3.1-6");
                        let other = owed.acknowledgements.iter().any(|(_, id)| *id == ack.packet_id);
                        let ids: &[&str] = if other { &["MQTT-3.3.4-1", id] } else { &[id, "MQTT-3.3.4-1"] };
                        out.violation(
                            BY,
                            ids,
                            format!("{kind} only for a packet that asks for it, with its identifier"),
                            format!(
                                "{kind} for identifier {}, which nothing on this connection asked for",
                                ack.packet_id
                            ),
                            vec![event],
                        );
                    }
                }
            }
            Packet::Suback(suback) => {
                let Some(asked) = owed.requests.remove(&(kind, suback.packet_id)) else {
                    return unasked(on, kind, suback.packet_id, event, out);
                };
                if asked.len() != suback.reasons.len() {
                    out.violation(
                        BY,
                        &[pick(version, "MQTT-3.8.4-6", "MQTT-3.8.4-5")],
                        format!("{} codes, one for each Topic Filter", asked.len()),
                        format!("{} codes", suback.reasons.len()),
                        vec![event],
                    );
                }
                if suback.reasons.iter().zip(&asked).any(|(code, asked)| code.0 <= 2 && code.0 > *asked) {
                    out.violation(
                        BY,
                        &[
                            pick(version, "MQTT-3.8.4-7", "MQTT-3.8.4-5"),
                            pick(version, "MQTT-3.8.4-8", "MQTT-3.8.4-6"),
                        ],
                        "grants that are not higher than what was asked for",
                        "a higher QoS was granted",
                        vec![event],
                    );
                }
            }
            Packet::Unsuback(unsuback) => {
                let Some(asked) = owed.requests.remove(&(kind, unsuback.packet_id)) else {
                    return unasked(on, kind, unsuback.packet_id, event, out);
                };
                if version == ProtocolVersion::V5 && asked.len() != unsuback.reasons.len() {
                    out.violation(
                        BY,
                        &["MQTT-3.11.3-1", "MQTT-3.11.3-2"],
                        format!("{} codes, one for each Topic Filter", asked.len()),
                        format!("{} codes", unsuback.reasons.len()),
                        vec![event],
                    );
                }
            }
            Packet::Pingresp => {
                if owed.pings == 0 {
                    out.violation(
                        BY,
                        &["MQTT-3.12.4-1"],
                        "one PINGRESP for each PINGREQ",
                        "PINGRESP without PINGREQ",
                        vec![event],
                    );
                } else {
                    owed.pings -= 1;
                }
            }
            _ => {}
        }
    }
}

fn unasked(on: On, kind: PacketType, id: u16, event: u32, out: &mut Findings) {
    let statement = pick(on.version, "MQTT-2.2.1-6", "MQTT-2.3.1-7");
    let own = match kind {
        PacketType::Suback => "MQTT-3.8.4-2",
        _ => pick(on.version, "MQTT-3.10.4-5", "MQTT-3.10.4-4"),
    };
    out.violation(
        BY,
        &[own, statement],
        format!("one {kind} for each request, with its identifier"),
        format!("{kind} for identifier {id}, which nothing on this connection asked for"),
        vec![event],
    );
}
