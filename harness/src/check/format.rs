//! What the broker sends has the format of chapters 2 and 3, holds codes and properties that a server may send,
//! and is not larger than the client said.

use std::collections::BTreeSet;

use reference_broker::codec::{
    FrameError, Packet, PacketType, PropertyId, ProtocolVersion, ReasonCode, Rule, decode_frame, next_frame,
};

use crate::history::Link;

use super::{ByLink, Findings, On, Seen, What, pick};

const BY: &str = "format";

/// What a client asked for in CONNECT, as far as it limits what it may be sent.
#[derive(Debug, Clone, Copy)]
struct Limits {
    packet_size: Option<u32>,
    topic_alias_maximum: u32,
    problem_information: bool,
    response_information: bool,
    authentication: bool,
}

#[derive(Debug, Default)]
pub(super) struct Format {
    limits: ByLink<Limits>,
    aliases: BTreeSet<(Link, u32)>,
    garbled: BTreeSet<Link>,
}

impl Format {
    pub(super) fn observe(&mut self, seen: &Seen<'_>, out: &mut Findings) {
        match &seen.what {
            What::Sent(on, Packet::Connect(connect)) => {
                let number = |id| connect.properties.number(id);
                self.limits.insert(
                    on.link,
                    Limits {
                        packet_size: number(PropertyId::MaximumPacketSize),
                        topic_alias_maximum: number(PropertyId::TopicAliasMaximum).unwrap_or(0),
                        problem_information: number(PropertyId::RequestProblemInformation) != Some(0),
                        response_information: number(PropertyId::RequestResponseInformation) == Some(1),
                        authentication: connect.properties.get(PropertyId::AuthenticationMethod).is_some(),
                    },
                );
            }
            What::Received(on, packet, range) => self.packet(*on, packet, range.len, seen.event, out),
            // Only the first place is telling: behind it the stream may be out of step.
            // The form of a CONNACK for a version that nobody speaks is not defined.
            What::ReceivedGarbage(on, [0x20, ..]) if self.limits.get(on.link).is_none() => {}
            What::ReceivedGarbage(on, bytes) if self.garbled.insert(on.link) => {
                garbage(*on, bytes, seen.event, out);
            }
            _ => {}
        }
    }

    fn packet(&mut self, on: On, packet: &Packet<'_>, length: u32, event: u32, out: &mut Findings) {
        let version = on.version;
        let kind = packet.packet_type();
        let v5 = version == ProtocolVersion::V5;
        let events = || vec![event];
        let to_server = matches!(
            kind,
            PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::Pingreq
        ) || (!v5 && kind == PacketType::Disconnect);
        if to_server {
            let id = pick(version, "U5-48", "U3-14");
            out.violation(
                BY,
                &[id, pick(version, "U5-101", "U3-32")],
                "packets that a server may send",
                format!("{kind} from the broker"),
                events(),
            );
        }
        let limits = self.limits.get(on.link).copied();
        if let Some(size) = limits.and_then(|limits| limits.packet_size)
            && length > size
        {
            let mut ids = vec!["MQTT-3.1.2-24"];
            ids.extend(left_out(packet));
            out.violation(
                BY,
                &ids,
                format!("packets of at most {size} bytes, the client's Maximum Packet Size"),
                format!("{kind} of {length} bytes"),
                events(),
            );
        }
        if !v5 {
            return;
        }
        self.codes(packet, event, out);
        let Some(properties) = packet.properties() else { return };
        if properties.is_empty() {
            return;
        }
        let limits = limits.unwrap_or(Limits {
            packet_size: None,
            topic_alias_maximum: 0,
            problem_information: true,
            response_information: false,
            authentication: false,
        });
        if !limits.problem_information
            && !matches!(kind, PacketType::Publish | PacketType::Connack | PacketType::Disconnect)
            && (properties.get(PropertyId::ReasonString).is_some()
                || properties.get(PropertyId::UserProperty).is_some())
        {
            out.violation(
                BY,
                &["MQTT-3.1.2-29"],
                "no reason strings and user properties on this packet: Request Problem Information was 0",
                format!("{kind} with a reason string or user properties"),
                events(),
            );
        }
        match packet {
            Packet::Connack(_) => {
                if !limits.response_information && properties.get(PropertyId::ResponseInformation).is_some() {
                    out.violation(
                        BY,
                        &["MQTT-3.1.2-28"],
                        "no Response Information: it was not asked for",
                        "CONNACK with Response Information",
                        events(),
                    );
                }
                if !limits.authentication && properties.get(PropertyId::AuthenticationMethod).is_some() {
                    out.violation(
                        BY,
                        &["MQTT-4.12.0-6"],
                        "no Authentication Method: CONNECT had none",
                        "CONNACK with Authentication Method",
                        events(),
                    );
                }
            }
            Packet::Auth(_) if !limits.authentication => {
                out.violation(
                    BY,
                    &["MQTT-4.12.0-6"],
                    "no AUTH: CONNECT had no Authentication Method",
                    "AUTH from the broker",
                    events(),
                );
            }
            Packet::Disconnect(_) if properties.get(PropertyId::SessionExpiryInterval).is_some() => {
                out.violation(
                    BY,
                    &["MQTT-3.14.2-2"],
                    "no Session Expiry Interval on a server's DISCONNECT",
                    "DISCONNECT with Session Expiry Interval",
                    events(),
                );
            }
            Packet::Publish(publish) => {
                if let Some(alias) = properties.number(PropertyId::TopicAlias) {
                    if alias > limits.topic_alias_maximum {
                        let ids: &[&str] = if limits.topic_alias_maximum == 0 {
                            &["MQTT-3.1.2-27", "MQTT-3.1.2-26", "MQTT-3.3.2-11"]
                        } else {
                            &["MQTT-3.1.2-26", "MQTT-3.3.2-11"]
                        };
                        out.violation(
                            BY,
                            ids,
                            format!(
                                "topic aliases up to {}, the client's Topic Alias Maximum",
                                limits.topic_alias_maximum
                            ),
                            format!("Topic Alias {alias}"),
                            events(),
                        );
                    }
                    if publish.topic.is_empty() {
                        if !self.aliases.contains(&(on.link, alias)) {
                            out.violation(
                                BY,
                                &["MQTT-3.3.2-7", "U5-27"],
                                "aliases that were set on this connection",
                                format!("Topic Alias {alias} without a topic, never set"),
                                events(),
                            );
                        }
                    } else {
                        self.aliases.insert((on.link, alias));
                    }
                }
                if properties.text(PropertyId::ResponseTopic).is_some_and(|topic| topic.contains(['+', '#']))
                {
                    out.violation(
                        BY,
                        &["MQTT-3.3.2-14"],
                        "a Response Topic without wildcards",
                        "a Response Topic with wildcards",
                        events(),
                    );
                }
            }
            _ => {}
        }
        if let Packet::Publish(publish) = packet
            && publish.topic.contains(['+', '#'])
        {
            out.violation(
                BY,
                &["MQTT-3.3.2-2"],
                "a Topic Name without wildcards",
                format!("{:?}", publish.topic),
                events(),
            );
        }
    }

    /// Codes that only a client may send.
    fn codes(&self, packet: &Packet<'_>, event: u32, out: &mut Findings) {
        let (kind, codes): (PacketType, &[ReasonCode]) = match packet {
            Packet::Puback(ack) => (PacketType::Puback, std::slice::from_ref(&ack.reason)),
            Packet::Pubrec(ack) => (PacketType::Pubrec, std::slice::from_ref(&ack.reason)),
            Packet::Disconnect(disconnect) => {
                (PacketType::Disconnect, std::slice::from_ref(&disconnect.reason))
            }
            Packet::Auth(auth) => (PacketType::Auth, std::slice::from_ref(&auth.reason)),
            _ => return,
        };
        for code in codes {
            if code.0 != 0 && !code.allowed_from(kind, true) {
                let id = match kind {
                    PacketType::Puback => "MQTT-3.4.2-1",
                    PacketType::Pubrec => "MQTT-3.5.2-1",
                    PacketType::Disconnect => "MQTT-3.14.2-1",
                    _ => "MQTT-3.15.2-1",
                };
                out.violation(
                    BY,
                    &[id],
                    format!("a code of {kind} that a server may send"),
                    format!("{kind} {code}"),
                    vec![event],
                );
            }
        }
    }
}

/// The statements by which a packet that is too large should have gone without its Reason String and its User
/// Properties.
fn left_out(packet: &Packet<'_>) -> Vec<&'static str> {
    let (reason_string, user_property) = match packet.packet_type() {
        PacketType::Connack => ("MQTT-3.2.2-19", "MQTT-3.2.2-20"),
        PacketType::Puback => ("MQTT-3.4.2-2", "MQTT-3.4.2-3"),
        PacketType::Pubrec => ("MQTT-3.5.2-2", "MQTT-3.5.2-3"),
        PacketType::Pubrel => ("MQTT-3.6.2-2", "MQTT-3.6.2-3"),
        PacketType::Pubcomp => ("MQTT-3.7.2-2", "MQTT-3.7.2-3"),
        PacketType::Suback => ("MQTT-3.9.2-1", "MQTT-3.9.2-2"),
        PacketType::Unsuback => ("MQTT-3.11.2-1", "MQTT-3.11.2-2"),
        PacketType::Disconnect => ("MQTT-3.14.2-3", "MQTT-3.14.2-4"),
        PacketType::Auth => ("MQTT-3.15.2-2", "MQTT-3.15.2-3"),
        _ => return Vec::new(),
    };
    let has = |id| packet.properties().is_some_and(|properties| properties.get(id).is_some());
    let mut broken = Vec::new();
    if has(PropertyId::ReasonString) {
        broken.push(reason_string);
    }
    if has(PropertyId::UserProperty) {
        broken.push(user_property);
    }
    broken
}

fn garbage(on: On, bytes: &[u8], event: u32, out: &mut Findings) {
    let version = on.version;
    let umbrella = pick(version, "U5-101", "U3-32");
    let (rule, observed) = match next_frame(bytes, None) {
        Ok(Some(frame)) => match decode_frame(frame, version) {
            // The identifier is that of the request, where it may not be 0.
            Err(error)
                if error.rule == Rule::PacketIdentifierZero
                    && matches!(frame.packet_type(), Some(PacketType::Suback | PacketType::Unsuback)) =>
            {
                return;
            }
            Err(error) => {
                let kind = frame.packet_type();
                let name = kind.map_or("a packet of type 0", PacketType::name);
                (sender_statement(error.rule, kind, version), format!("{name}: {error}"))
            }
            Ok(_) => (umbrella, "surplus bytes".to_string()),
        },
        Ok(None) => (umbrella, "a packet that ends too early".to_string()),
        Err(FrameError::RemainingLengthNotMinimal) => (
            Rule::RemainingLengthNotMinimal.statement(version),
            FrameError::RemainingLengthNotMinimal.to_string(),
        ),
        Err(error) => (Rule::RemainingLengthTooLong.statement(version), error.to_string()),
    };
    out.violation(BY, &[rule, umbrella], "well-formed packets from the broker", observed, vec![event]);
}

/// The statement that a sender breaks with a packet that breaks this rule, where it is another than that of the
/// receiver.
fn sender_statement(rule: Rule, kind: Option<PacketType>, version: ProtocolVersion) -> &'static str {
    match (rule, kind) {
        (Rule::ReservedFlags(_), _) if version != ProtocolVersion::V5 => "MQTT-2.2.2-1",
        (Rule::PropertyOutOfRange(PropertyId::TopicAlias), _) => rule.statement(version),
        // That of CONNACK has a rule of its own; the others have only what is said of every packet.
        (Rule::PropertyOutOfRange(_), kind) if kind != Some(PacketType::Connack) => "U5-101",
        (Rule::NoReasonCode, Some(PacketType::Unsuback)) => "MQTT-3.11.3-1",
        (Rule::DuplicateProperty(_), Some(PacketType::Connack)) => "U5-15",
        (Rule::DuplicateProperty(_), Some(PacketType::Publish)) => "U5-25",
        (Rule::DuplicateProperty(PropertyId::ReasonString), _) => "U5-30",
        _ => rule.statement(version),
    }
}
