//! Mutations of the fixed header: its flags and its Remaining Length.

use reference_broker::codec::{PacketType, ProtocolVersion};

use super::Case;
use super::packet::{Kind, Packet, encoded};

/// Bytes that are no Remaining Length, since the fourth does not end it (R-50: five are refused).
const LONG_LENGTHS: &[(&str, &str)] = &[
    ("zero-in-five-bytes", "80 80 80 80 00"),
    ("a-bit-in-the-fifth-byte", "80 80 80 80 01"),
    ("five-full-bytes", "FF FF FF FF 7F"),
    ("never-ending", "repeat 12 { FF }"),
];

/// Every value of the flags that the table of the standard does not give for the type.
pub(super) fn flags(packet: &Packet, out: &mut Vec<Case>) {
    let v5 = packet.version == ProtocolVersion::V5;
    let right = packet.first & 0x0F;
    if packet.kind == PacketType::Publish {
        if right & 0b0110 == 0 {
            // DUP with QoS 0 may be tolerated; what is left is QoS 3.
            for flags in [0b0110, 0b0111, 0b1110, 0b1111] {
                let own: &[&str] = if v5 { &["MQTT-3.3.1-4", "U5-22"] } else { &["MQTT-3.3.1-4"] };
                for (form, id) in [("with-identifier", "u16 7 "), ("without-identifier", "")] {
                    let block = if v5 { "properties " } else { "" };
                    let bytes = format!(
                        "{:02X} remaining bin {{ topic_prefix \"malformed/bad\" }} {id}{block}\"x\"",
                        0x30 | flags
                    );
                    let name = format!("flags-{flags:04b}/{form}");
                    out.push(packet.case(name, own, &[], bytes));
                }
            }
        }
        return;
    }
    let mut own = if v5 { vec!["MQTT-2.1.3-1", "U5-04"] } else { vec!["MQTT-2.2.2-2"] };
    own.extend(match packet.kind {
        PacketType::Pubrel => Some("MQTT-3.6.1-1"),
        PacketType::Subscribe => Some("MQTT-3.8.1-1"),
        PacketType::Unsubscribe => Some("MQTT-3.10.1-1"),
        PacketType::Disconnect => Some("MQTT-3.14.1-1"),
        PacketType::Auth => Some("MQTT-3.15.1-1"),
        _ => None,
    });
    for flags in (0..16).filter(|flags| *flags != right) {
        let changed = Packet { first: packet.first & 0xF0 | flags, ..packet.clone() };
        out.push(packet.case(format!("{}/flags-{flags:04b}", packet.form), &own, &[], changed.whole()));
    }
}

/// Lengths that do not end, whatever follows.
pub(super) fn long_lengths(packet: &Packet, out: &mut Vec<Case>) {
    let own: &[&str] =
        if packet.version == ProtocolVersion::V5 { &["MQTT-1.5.5-1", "U5-03"] } else { &["U3-02"] };
    for (name, words) in LONG_LENGTHS {
        let name = format!("{}/remaining-length/{name}", packet.form);
        // A server may find the packet too large before it finds the length too long.
        out.push(packet.case(name, own, &[0x95], packet.with_remaining(words)));
    }
}

/// Lengths that end the packet too early: what follows is there, but belongs to no packet.
pub(super) fn short_lengths(packet: &Packet, out: &mut Vec<Case>) {
    let own: &[&str] = if packet.version == ProtocolVersion::V5 { &["U5-49"] } else { &["U3-15"] };
    let mut ends = Vec::new();
    let mut known = 0;
    for (at, field) in packet.fields.iter().enumerate() {
        if packet.may_end.contains(&at) {
            ends.push(known);
        }
        match field.kind {
            Kind::Text(text) if !text.is_plain() => {
                // At least so many bytes has a string whose text begins with a name of the run.
                known += 2 + usize::from(text.words.contains('"'));
                break;
            }
            Kind::Payload(_) => break,
            _ => known += encoded(&field.kind.words(packet.version)).len(),
        }
    }
    for length in (0..known.min(14)).filter(|length| !ends.contains(length)) {
        let name = format!("{}/remaining-length/{length}", packet.form);
        out.push(packet.case(name, own, &[], packet.with_remaining(&format!("var {length}"))));
    }
}
