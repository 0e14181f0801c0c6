//! Fields whose values are out of range, reserved, or contradict each other.

use reference_broker::codec::{PacketType, ProtocolVersion, ReasonCode};

use super::Case;
use super::packet::{Kind, Packet, Role};

const RESERVED: u8 = 0x01;
const WILL: u8 = 0x04;
const WILL_QOS: u8 = 0x18;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

/// Every field of the packet with the values that it may not have.
pub(super) fn values(packet: &Packet, out: &mut Vec<Case>) {
    let v5 = packet.version == ProtocolVersion::V5;
    for (at, field) in packet.fields.iter().enumerate() {
        match &field.kind {
            Kind::NewIdentifier(_) => {
                let own: &[&str] = if v5 { &["MQTT-2.2.1-3", "U5-52"] } else { &["MQTT-2.3.1-1"] };
                let name = format!("{}/packet-identifier-0", packet.form);
                out.push(packet.case(name, own, &[], packet.with(at, "u16 0")));
            }
            Kind::ConnectFlags(flags) => connect_flags(packet, at, *flags, out),
            Kind::Options(options) => subscription_options(packet, at, *options, out),
            Kind::Reason(_) => reason_codes(packet, at, out),
            Kind::Text(text) if text.role == Role::ProtocolName => protocol_names(packet, at, out),
            Kind::Text(text) if text.role == Role::TopicName => topic_names(packet, at, out),
            _ => {}
        }
    }
}

/// Flags that are reserved, contradict each other, or contradict the payload.
fn connect_flags(packet: &Packet, at: usize, right: u8, out: &mut Vec<Case>) {
    let v5 = packet.version == ProtocolVersion::V5;
    let mut push = |name: &str, own: &[&'static str], flags: u8| {
        let name = format!("{}/connect-flags/{name}", packet.form);
        out.push(packet.case(name, own, &[], packet.with(at, &format!("{flags:02X}"))));
    };
    let pick =
        |five: &[&'static str], three: &[&'static str]| if v5 { five.to_vec() } else { three.to_vec() };
    push("reserved-bit", &pick(&["MQTT-3.1.2-3", "U5-06"], &["MQTT-3.1.2-3"]), right | RESERVED);
    if right & WILL == 0 {
        let qos = pick(&["MQTT-3.1.2-11"], &["MQTT-3.1.2-11", "MQTT-3.1.2-13"]);
        let retain = pick(&["MQTT-3.1.2-13"], &["MQTT-3.1.2-11", "MQTT-3.1.2-15"]);
        push("will-qos-1-without-will", &qos, right | 0x08);
        push("will-qos-2-without-will", &qos, right | 0x10);
        push("will-qos-3-without-will", &qos, right | WILL_QOS);
        push("will-retain-without-will", &retain, right | WILL_RETAIN);
        push("will-qos-1-and-retain-without-will", &qos, right | WILL_RETAIN | 0x08);
        let missing = pick(&["MQTT-3.1.2-9", "U5-49"], &["MQTT-3.1.2-9", "U3-15"]);
        push("will-that-is-not-there", &missing, right | WILL);
    } else {
        let qos = pick(&["MQTT-3.1.2-12", "U5-07"], &["MQTT-3.1.2-14"]);
        push("will-qos-3", &qos, right | WILL_QOS);
        push("will-qos-3-and-retain", &qos, right | WILL_QOS | WILL_RETAIN);
        let hidden = pick(&["U5-49"], &["MQTT-3.1.2-11", "U3-15"]);
        push("will-without-its-flag", &hidden, right & !(WILL | WILL_QOS | WILL_RETAIN));
    }
    if right & USER_NAME == 0 {
        let missing = pick(&["MQTT-3.1.2-17", "U5-49"], &["MQTT-3.1.2-19", "U3-15"]);
        push("user-name-that-is-not-there", &missing, right | USER_NAME);
        let missing = pick(&["MQTT-3.1.2-19", "U5-49"], &["MQTT-3.1.2-22", "MQTT-3.1.2-21"]);
        push("password-that-is-not-there", &missing, right | PASSWORD);
        let missing = pick(&["MQTT-3.1.2-17", "U5-49"], &["MQTT-3.1.2-19", "U3-15"]);
        push("user-name-and-password-that-are-not-there", &missing, right | USER_NAME | PASSWORD);
    } else {
        let hidden = pick(&["MQTT-3.1.2-16", "U5-49"], &["MQTT-3.1.2-22", "MQTT-3.1.2-18"]);
        push("user-name-without-its-flag", &hidden, right & !USER_NAME);
        let hidden = pick(&["MQTT-3.1.2-18", "U5-49"], &["MQTT-3.1.2-20", "U3-15"]);
        push("password-without-its-flag", &hidden, right & !PASSWORD);
    }
}

/// Names that belong to no protocol.
fn protocol_names(packet: &Packet, at: usize, out: &mut Vec<Case>) {
    if packet.form != "minimal" {
        return;
    }
    for (name, words) in [
        ("empty", "str \"\""),
        ("shorter", "str \"MQT\""),
        ("longer", "str \"MQTTX\""),
        ("lower-case", "str \"mqtt\""),
        ("other", "str \"HTTP\""),
        ("with-byte-order-mark", "str \"\\u{FEFF}MQTT\""),
    ] {
        let name = format!("{}/protocol-name/{name}", packet.form);
        out.push(packet.case(name, &["MQTT-3.1.2-1"], &[0x84], packet.with(at, words)));
    }
}

/// Topic Names that are empty or have wildcards. In 5.0 an acknowledgement may refuse a wildcard, so only
/// QoS 0 is sure to close there.
fn topic_names(packet: &Packet, at: usize, out: &mut Vec<Case>) {
    let v5 = packet.version == ProtocolVersion::V5;
    let mut push = |name: &str, own: &[&'static str], codes: &[u8], bytes: String| {
        out.push(packet.case(format!("{}/topic-name/{name}", packet.form), own, codes, bytes));
    };
    let own: &[&str] = if v5 { &["MQTT-4.7.3-1", "U5-24"] } else { &["MQTT-4.7.3-1"] };
    push("empty", own, &[], packet.with(at, "str \"\""));
    if v5 && packet.form == "qos-0" {
        // An alias that was never set, or that the server does not take at all.
        let bytes = "30 remaining str \"\" properties{ 23 u16 1 } \"x\"".to_string();
        push("empty-with-an-unknown-alias", &["MQTT-3.3.2-7", "U5-27"], &[0x94], bytes);
    }
    if v5 && packet.form != "qos-0" {
        return;
    }
    let own: &[&str] = if v5 { &["MQTT-3.3.2-2", "MQTT-4.7.0-1"] } else { &["MQTT-3.3.2-2", "MQTT-4.7.1-1"] };
    for (name, words) in [
        ("with-hash", "bin { topic_prefix \"malformed/bad/#\" }"),
        ("with-plus", "bin { topic_prefix \"malformed/bad/+\" }"),
        ("with-plus-in-the-middle", "bin { topic_prefix \"malformed/+/bad\" }"),
        ("with-hash-in-a-level", "bin { topic_prefix \"malformed/ba#d\" }"),
        ("with-plus-in-a-level", "bin { topic_prefix \"malformed/ba+d\" }"),
    ] {
        push(name, own, &[0x90], packet.with(at, words));
    }
}

/// Reserved bits, QoS 3 and Retain Handling 3.
fn subscription_options(packet: &Packet, at: usize, right: u8, out: &mut Vec<Case>) {
    let mut push = |own: &[&'static str], options: u8| {
        let name = format!("{}/{}-{options:08b}", packet.form, packet.fields[at].name);
        out.push(packet.case(name, own, &[], packet.with(at, &format!("{options:02X}"))));
    };
    if packet.version == ProtocolVersion::V5 {
        for bits in [0x40, 0x80, 0xC0] {
            push(&["MQTT-3.8.3-5"], right | bits);
        }
        for options in [0x03, 0x07, 0x0B, 0x30, 0x31, 0x33] {
            push(&["U5-33"], options);
        }
        return;
    }
    for bit in 2..8 {
        push(&["MQTT-3.8.3-4"], right | 1 << bit);
    }
    for options in [0x03, 0x80, 0xFC, 0xFF] {
        push(&["MQTT-3.8.3-4"], options);
    }
}

/// Reason Codes that DISCONNECT cannot have. Those that only a server sends are left out: that they are a server's binds
/// the sender, and nothing says what becomes of who receives them. Wrong codes of acknowledgements are left out
/// as well, since their highest bit says enough for a receiver.
fn reason_codes(packet: &Packet, at: usize, out: &mut Vec<Case>) {
    if packet.form != "with-reason" || packet.kind != PacketType::Disconnect {
        return;
    }
    let mut codes: Vec<ReasonCode> = ReasonCode::table().iter().map(|row| row.code).collect();
    codes.extend([0x03, 0x05, 0x7F, 0xA3, 0xFF].map(ReasonCode));
    codes.sort_unstable();
    codes.dedup();
    let known =
        |code: &ReasonCode| code.allowed_from(packet.kind, false) || code.allowed_from(packet.kind, true);
    for code in codes.into_iter().filter(|code| !known(code)) {
        let name = format!("{}/reason-code-0x{:02x}", packet.form, code.0);
        out.push(packet.case(name, &["MQTT-3.14.2-1"], &[], packet.with(at, &format!("{:02X}", code.0))));
    }
}
