//! Every class of ill-formed UTF-8, and U+0000, in every string of every packet.

use std::collections::BTreeSet;

use reference_broker::codec::{PacketType, PropertyId, PropertyType, ProtocolVersion};

use super::Case;
use super::packet::{Kind, Packet, Role, Text, property, slug};

/// A sequence that no string may have.
struct Sequence {
    name: &'static str,
    bytes: &'static str,
    /// Whether the string ends with it; otherwise a letter follows.
    last: bool,
}

const fn inside(name: &'static str, bytes: &'static str) -> Sequence {
    Sequence { name, bytes, last: false }
}

const fn at_the_end(name: &'static str, bytes: &'static str) -> Sequence {
    Sequence { name, bytes, last: true }
}

const NULL: &str = "u0000";

const SEQUENCES: &[Sequence] = &[
    inside("lone-continuation-80", "80"),
    inside("lone-continuation-bf", "BF"),
    inside("byte-fe", "FE"),
    inside("byte-ff", "FF"),
    inside("cut-two-byte-sequence", "C3"),
    inside("cut-three-byte-sequence", "E2 82"),
    inside("cut-four-byte-sequence", "F0 9F 98"),
    at_the_end("two-byte-sequence-cut-by-the-end", "C3"),
    at_the_end("three-byte-sequence-cut-by-the-end", "E2 82"),
    at_the_end("four-byte-sequence-cut-by-the-end", "F0 9F 98"),
    inside("over-long-slash-in-two-bytes", "C0 AF"),
    inside("over-long-zero-in-two-bytes", "C0 80"),
    inside("over-long-delete-in-two-bytes", "C1 BF"),
    inside("over-long-slash-in-three-bytes", "E0 80 AF"),
    inside("over-long-07ff-in-three-bytes", "E0 9F BF"),
    inside("over-long-slash-in-four-bytes", "F0 80 80 AF"),
    inside("over-long-ffff-in-four-bytes", "F0 8F BF BF"),
    inside("high-surrogate", "ED A0 80"),
    inside("low-surrogate", "ED BF BF"),
    inside("surrogate-pair", "ED A0 BD ED B8 80"),
    inside("above-10ffff", "F4 90 80 80"),
    inside("lead-byte-f5", "F5 80 80 80"),
    inside("five-byte-form", "F8 88 80 80 80"),
    inside("six-byte-form", "FC 84 80 80 80 80"),
    inside(NULL, "00"),
    at_the_end("u0000-at-the-end", "00"),
];

/// Every sequence in every string that no earlier form of the packet had.
pub(super) fn ill_formed(packet: &Packet, done: &mut BTreeSet<String>, out: &mut Vec<Case>) {
    for (at, field) in packet.fields.iter().enumerate() {
        match &field.kind {
            Kind::Text(text) => {
                // What is forwarded differs with the QoS of a PUBLISH.
                let by_form = if packet.kind == PacketType::Publish { packet.form } else { "" };
                if done.insert(format!("{by_form}/{}", field.name)) {
                    in_field(packet, at, *text, out);
                }
            }
            Kind::Properties { list, .. } => {
                for id in *list {
                    if done.insert(format!("{}/{}", field.name, slug(*id))) {
                        in_property(packet, at, list, *id, out);
                    }
                }
            }
            _ => {}
        }
    }
}

fn in_field(packet: &Packet, at: usize, text: Text, out: &mut Vec<Case>) {
    let codes: &[u8] = if text.role == Role::ProtocolName { &[0x84] } else { &[] };
    for sequence in SEQUENCES {
        let end = if sequence.last { "" } else { " 7A" };
        let words = format!("bin {{ {} {}{end} }}", text.words, sequence.bytes);
        let name = format!("{}/{}/{}", packet.form, packet.fields[at].name, sequence.name);
        let own = of_field(text.role, is_null(sequence), packet.version);
        out.push(packet.case(name, &own, codes, packet.with(at, &words)));
    }
}

fn in_property(packet: &Packet, at: usize, list: &[PropertyId], id: PropertyId, out: &mut Vec<Case>) {
    let parts: &[(&str, &str, &str)] = match id.row().kind {
        PropertyType::Utf8String => &[("", "", "")],
        PropertyType::Utf8StringPair => &[("-name", "", " str \"value\""), ("-value", "str \"name\" ", "")],
        _ => return,
    };
    for (part, before, after) in parts {
        for sequence in SEQUENCES {
            let end = if sequence.last { "" } else { " 62" };
            let bad = format!("{:02X} {before}bin {{ 61 {}{end} }}{after}", id as u8, sequence.bytes);
            let block: Vec<String> =
                list.iter().map(|other| if *other == id { bad.clone() } else { property(*other) }).collect();
            let words = format!("properties{{ {} }}", block.join(" "));
            let place = if packet.fields[at].name == "properties" { "" } else { "will-" };
            let name = format!("{}/{place}{}{part}/{}", packet.form, slug(id), sequence.name);
            let own = of_property(id, is_null(sequence));
            out.push(packet.case(name, &own, &[], packet.with(at, &words)));
        }
    }
}

fn is_null(sequence: &Sequence) -> bool {
    sequence.bytes == "00"
}

fn of_field(role: Role, null: bool, version: ProtocolVersion) -> Vec<&'static str> {
    let v5 = version == ProtocolVersion::V5;
    let mut own = match (v5, null) {
        (true, true) => vec!["MQTT-1.5.4-2", "U5-01"],
        (true, false) => vec!["MQTT-1.5.4-1", "U5-01"],
        (false, true) => vec!["MQTT-1.5.3-2"],
        (false, false) => vec!["MQTT-1.5.3-1"],
    };
    if role == Role::ProtocolName {
        own.push("MQTT-3.1.2-1");
    }
    if null {
        if matches!(role, Role::WillTopic | Role::TopicName | Role::SubscribeFilter | Role::UnsubscribeFilter)
        {
            own.push("MQTT-4.7.3-2");
        }
        return own;
    }
    own.extend(match (role, v5) {
        (Role::ProtocolName, _) => None,
        (Role::ClientId, _) => Some("MQTT-3.1.3-4"),
        (Role::WillTopic, true) => Some("MQTT-3.1.3-11"),
        (Role::WillTopic, false) => Some("MQTT-3.1.3-10"),
        (Role::UserName, true) => Some("MQTT-3.1.3-12"),
        (Role::UserName, false) => Some("MQTT-3.1.3-11"),
        (Role::TopicName, _) => Some("MQTT-3.3.2-1"),
        (Role::SubscribeFilter, _) => Some("MQTT-3.8.3-1"),
        (Role::UnsubscribeFilter, _) => Some("MQTT-3.10.3-1"),
    });
    own
}

fn of_property(id: PropertyId, null: bool) -> Vec<&'static str> {
    let mut own = match (id, null) {
        (PropertyId::UserProperty, true) => vec!["MQTT-1.5.7-1", "MQTT-1.5.4-2"],
        (PropertyId::UserProperty, false) => vec!["MQTT-1.5.7-1"],
        (_, true) => vec!["MQTT-1.5.4-2"],
        (_, false) => vec!["MQTT-1.5.4-1"],
    };
    own.push("U5-01");
    match id {
        PropertyId::ResponseTopic if !null => own.push("MQTT-3.3.2-13"),
        PropertyId::ContentType if !null => own.push("MQTT-3.3.2-19"),
        _ => {}
    }
    own
}
