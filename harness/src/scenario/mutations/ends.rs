//! Packets that end too early, with a Remaining Length that fits, or go on behind their last field.

use reference_broker::codec::{PacketType, ProtocolVersion};

use super::Case;
use super::packet::{Kind, Packet, Role};

/// The packet without its last fields, and cut off inside each of them.
pub(super) fn truncated(packet: &Packet, out: &mut Vec<Case>) {
    for (at, field) in packet.fields.iter().enumerate() {
        let own = missing(packet, at);
        if !packet.may_end.contains(&at) {
            let name = if at == 0 { "empty".to_string() } else { format!("ends-before-{}", field.name) };
            out.push(packet.case(format!("{}/{name}", packet.form), &own, &[], packet.up_to(at, "")));
        }
        for (name, words) in field.kind.beginnings() {
            let name = format!("{}/{name}-{}", packet.form, field.name);
            out.push(packet.case(name, unfilled(packet), &[], packet.up_to(at, &words)));
        }
    }
}

/// The lengths of strings and binary data, which reach behind the end or stop before it.
pub(super) fn inner_lengths(packet: &Packet, out: &mut Vec<Case>) {
    let last = packet.fields.len().wrapping_sub(1);
    for (at, field) in packet.fields.iter().enumerate() {
        let words = match &field.kind {
            Kind::Text(text) => text.words,
            Kind::Binary(bytes) => bytes,
            _ => continue,
        };
        let mut push = |name: &str, bytes: String| {
            let name = format!("{}/{}/{name}", packet.form, field.name);
            out.push(packet.case(name, unfilled(packet), &[], bytes));
        };
        push("longest-length", packet.with(at, &format!("u16 65535 {words}")));
        push("length-beyond-the-end", packet.with(at, &format!("u16 2000 {words}")));
        // What is left over shows in CONNECT alone: elsewhere it is payload, or another field.
        if packet.kind == PacketType::Connect && at == last {
            push("length-zero", packet.with(at, &format!("u16 0 {words}")));
            push("length-one", packet.with(at, &format!("u16 1 {words}")));
        }
    }
}

/// Bytes behind the last field, where nothing may follow. Acknowledgements, PINGREQ and DISCONNECT are left out,
/// since some servers ignore what follows there.
pub(super) fn surplus(packet: &Packet, out: &mut Vec<Case>) {
    let surplus: &[(&str, &str)] = match packet.kind {
        PacketType::Connect => &[
            ("one-byte-more", "00"),
            ("two-bytes-more", "FF FF"),
            ("an-empty-string-more", "str \"\""),
            ("a-packet-more", "C0 00"),
        ],
        // These read as the beginning of one more filter.
        PacketType::Subscribe | PacketType::Unsubscribe => {
            &[("one-byte-more", "00"), ("two-bytes-more", "FF FF"), ("three-bytes-more", "FF FF 61")]
        }
        _ => &[],
    };
    for (name, words) in surplus {
        let bytes = packet.up_to(packet.fields.len(), words);
        out.push(packet.case(format!("{}/{name}", packet.form), unfilled(packet), &[], bytes));
    }
    if packet.kind == PacketType::Subscribe {
        let words = "bin { topic_prefix \"malformed/bare\" }";
        let bytes = packet.up_to(packet.fields.len(), words);
        out.push(packet.case(
            format!("{}/a-filter-without-options-more", packet.form),
            unfilled(packet),
            &[],
            bytes,
        ));
    }
}

/// The statement that fields fill the packet.
fn unfilled(packet: &Packet) -> &'static [&'static str] {
    if packet.version == ProtocolVersion::V5 { &["U5-49"] } else { &["U3-15"] }
}

/// What a packet breaks that ends before a field.
fn missing(packet: &Packet, at: usize) -> Vec<&'static str> {
    let v5 = packet.version == ProtocolVersion::V5;
    let mut own = Vec::new();
    if let Kind::Text(text) = &packet.fields[at].kind {
        match text.role {
            Role::ClientId => own.push("MQTT-3.1.3-3"),
            Role::TopicName => own.push("MQTT-3.3.2-1"),
            Role::WillTopic => own.push("MQTT-3.1.2-9"),
            Role::UserName => own.push(if v5 { "MQTT-3.1.2-17" } else { "MQTT-3.1.2-19" }),
            // The first filter is missing; a packet may end before the second.
            Role::SubscribeFilter if v5 => return vec!["MQTT-3.8.3-2", "U5-32"],
            Role::SubscribeFilter => return vec!["MQTT-3.8.3-3"],
            Role::UnsubscribeFilter if v5 => return vec!["MQTT-3.10.3-2", "U5-35"],
            Role::UnsubscribeFilter => return vec!["MQTT-3.10.3-2"],
            Role::ProtocolName => {}
        }
    }
    if packet.fields[at].name == "password" {
        own.push(if v5 { "MQTT-3.1.2-19" } else { "MQTT-3.1.2-21" });
    }
    own.extend(unfilled(packet));
    own
}
