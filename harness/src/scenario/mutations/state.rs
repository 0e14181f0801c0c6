//! Whole packets that are wrong where they are sent: before CONNECT, a second CONNECT, a server's packets, and
//! packet types that do not exist.

use reference_broker::codec::{PacketType, ProtocolVersion, ReasonCode, return_code_name};

use super::forms::forms;
use super::packet::Packet;
use super::{Case, Target};

/// A whole packet that a client may not send here.
struct Stray {
    name: String,
    bytes: String,
}

/// The packets of a type that are not CONNECT, as the first on a connection.
pub(super) fn before_connect(target: Target, version: ProtocolVersion) -> Vec<Case> {
    strays(target, version).into_iter().map(|stray| case(stray, &["MQTT-3.1.0-1"], version)).collect()
}

/// CONNECT on a connection that had one.
pub(super) fn second_connect(version: ProtocolVersion) -> Vec<Case> {
    let mut strays = whole(forms(PacketType::Connect, version));
    let block = if version == ProtocolVersion::V5 { "properties " } else { "" };
    for (name, client_id) in
        [("empty-client-identifier", "str \"\""), ("other-client-identifier", "bin { client_id \"2\" }")]
    {
        let bytes = format!("10 remaining str \"MQTT\" level 02 u16 60 {block}{client_id}");
        strays.push(Stray { name: name.into(), bytes });
    }
    strays.into_iter().map(|stray| case(stray, &["MQTT-3.1.0-2"], version)).collect()
}

/// Packets that only a server sends, and types that do not exist.
pub(super) fn not_a_clients(target: Target, version: ProtocolVersion) -> Vec<Case> {
    let own = if version == ProtocolVersion::V5 { "U5-48" } else { "U3-14" };
    strays(target, version).into_iter().map(|stray| case(stray, &[own], version)).collect()
}

fn case(stray: Stray, own: &[&'static str], version: ProtocolVersion) -> Case {
    let mut requirements = own.to_vec();
    let reasons = match version {
        ProtocolVersion::V5 => {
            requirements.push("MQTT-4.13.1-1");
            vec![0x81, 0x82]
        }
        _ => {
            if !own.contains(&"MQTT-3.1.0-2") {
                requirements.push("MQTT-4.8.0-1");
            }
            Vec::new()
        }
    };
    Case { name: stray.name, requirements, reasons, bytes: stray.bytes }
}

fn whole(forms: Vec<Packet>) -> Vec<Stray> {
    forms.iter().map(|packet| Stray { name: packet.form.to_string(), bytes: packet.whole() }).collect()
}

fn strays(target: Target, version: ProtocolVersion) -> Vec<Stray> {
    let v5 = version == ProtocolVersion::V5;
    let block = if v5 { " properties" } else { "" };
    let mut list = Vec::new();
    let mut push = |name: String, bytes: String| list.push(Stray { name, bytes });
    match target {
        Target::Reserved => {
            let types: &[u8] = if v5 { &[0] } else { &[0, 15] };
            for kind in types {
                for flags in 0..16 {
                    push(format!("type-{kind}/flags-{flags:04b}"), format!("{:02X} 00", kind << 4 | flags));
                }
                push(format!("type-{kind}/with-content"), format!("{:02X} 02 00 01", kind << 4));
            }
            if !v5 {
                let bytes = "F0 remaining 18 0A 15 str \"assay\" 00 00".to_string();
                push("type-15/as-in-5.0".into(), bytes);
            }
        }
        Target::Packet(PacketType::Connack) => {
            for code in codes(PacketType::Connack, version) {
                push(format!("code-0x{code:02x}"), format!("20 remaining 00 {code:02X}{block}"));
            }
            push("session-present".into(), format!("20 remaining 01 00{block}"));
            push("empty".into(), "20 00".into());
            if v5 {
                let bytes = "20 remaining 00 00 properties{ 21 u16 1 24 01 25 00 1F str \"text\" }";
                push("with-properties".into(), bytes.into());
            }
        }
        Target::Packet(PacketType::Suback) => {
            for code in codes(PacketType::Suback, version) {
                push(format!("code-0x{code:02x}"), format!("90 remaining u16 1{block} {code:02X}"));
            }
            push("two-codes".into(), format!("90 remaining u16 1{block} 00 01"));
            push("packet-identifier-0".into(), format!("90 remaining u16 0{block} 00"));
            push("empty".into(), "90 00".into());
        }
        Target::Packet(PacketType::Unsuback) => {
            if v5 {
                for code in codes(PacketType::Unsuback, version) {
                    push(format!("code-0x{code:02x}"), format!("B0 remaining u16 1 properties {code:02X}"));
                }
            } else {
                push("whole".into(), "B0 remaining u16 1".into());
            }
            let code = if v5 { " 00" } else { "" };
            push("packet-identifier-0".into(), format!("B0 remaining u16 0{block}{code}"));
            push("empty".into(), "B0 00".into());
        }
        Target::Packet(PacketType::Pingresp) => {
            push("whole".into(), "D0 00".into());
            for flags in [0b0001, 0b0010, 0b0100, 0b1000, 0b1111] {
                push(format!("flags-{flags:04b}"), format!("{:02X} 00", 0xD0 | flags));
            }
        }
        Target::Packet(kind) => return whole(forms(kind, version)),
    }
    list
}

/// The codes that a server can put into a packet.
fn codes(kind: PacketType, version: ProtocolVersion) -> Vec<u8> {
    if version == ProtocolVersion::V5 {
        let table = ReasonCode::table().iter().map(|row| row.code);
        let mut codes: Vec<u8> =
            table.filter(|code| code.allowed_in(kind, version)).map(|code| code.0).collect();
        codes.sort_unstable();
        codes.dedup();
        return codes;
    }
    (0..=0x80).filter(|code| return_code_name(kind, ReasonCode(*code)).is_some()).collect()
}
