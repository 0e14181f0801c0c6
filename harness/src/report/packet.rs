//! A packet on one line.

use std::fmt::Write;

use reference_broker::codec::{
    Packet, PacketType, Properties, PropertyValue, ProtocolVersion, ReasonCode, decode_frame, next_frame,
};

/// A packet with the fields that matter, on one line.
pub fn summary(bytes: &[u8], version: ProtocolVersion) -> String {
    match next_frame(bytes, None) {
        Ok(Some(frame)) if frame.len() == bytes.len() => match decode_frame(frame, version) {
            Ok(packet) => describe(&packet, version),
            Err(error) => {
                let name = frame.packet_type().map_or("reserved packet type 0", PacketType::name);
                format!("{name} malformed: {error}; {}", hex(bytes))
            }
        },
        Ok(Some(frame)) => {
            format!("several packets or surplus bytes, the first of {} bytes; {}", frame.len(), hex(bytes))
        }
        Ok(None) => format!("an incomplete packet; {}", hex(bytes)),
        Err(error) => format!("no packet: {error}; {}", hex(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes.iter().take(32) {
        let _ = write!(out, "{byte:02X} ");
    }
    if bytes.len() > 32 {
        let _ = write!(out, "… ({} bytes)", bytes.len());
    }
    out.trim_end().to_string()
}

fn code(reason: ReasonCode, packet: &Packet<'_>, version: ProtocolVersion) -> String {
    match reason.name(packet.packet_type(), version) {
        Some(name) => format!("{reason} {name}"),
        None => reason.to_string(),
    }
}

fn describe(packet: &Packet<'_>, version: ProtocolVersion) -> String {
    let mut out = packet.packet_type().to_string();
    match packet {
        Packet::Connect(connect) => {
            let _ = write!(
                out,
                " {} id={:?} clean={} keep-alive={}s",
                connect.version,
                connect.client_id,
                u8::from(connect.clean_start),
                connect.keep_alive
            );
            if let Some(will) = &connect.will {
                let _ =
                    write!(out, " will={:?} qos={} retain={}", will.topic, will.qos, u8::from(will.retain));
                properties(&will.properties, &mut out);
            }
        }
        Packet::Connack(connack) => {
            let _ = write!(
                out,
                " {} session-present={}",
                code(connack.reason, packet, version),
                u8::from(connack.session_present)
            );
        }
        Packet::Publish(publish) => {
            if let Some(id) = publish.packet_id {
                let _ = write!(out, " id={id}");
            }
            let payload = String::from_utf8_lossy(&publish.payload);
            let short: String = payload.chars().take(32).collect();
            let more = if short.len() < payload.len() {
                format!("… ({} bytes)", publish.payload.len())
            } else {
                String::new()
            };
            let _ = write!(out, " qos={}", publish.qos);
            if publish.dup {
                out.push_str(" DUP");
            }
            if publish.retain {
                out.push_str(" RETAIN");
            }
            let _ = write!(out, " {:?} {short:?}{more}", publish.topic);
        }
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            let _ = write!(out, " id={}", ack.packet_id);
            if ack.reason.0 != 0 {
                let _ = write!(out, " {}", code(ack.reason, packet, version));
            }
        }
        Packet::Subscribe(subscribe) => {
            let _ = write!(out, " id={}", subscribe.packet_id);
            for it in &subscribe.subscriptions {
                let _ = write!(out, " {:?} qos={}", it.filter, it.options.qos);
                if it.options.no_local {
                    out.push_str(" no-local");
                }
                if it.options.retain_as_published {
                    out.push_str(" retain-as-published");
                }
                if it.options.retain_handling as u8 != 0 {
                    let _ = write!(out, " retain-handling={}", it.options.retain_handling as u8);
                }
            }
        }
        Packet::Suback(suback) => {
            let _ = write!(out, " id={}", suback.packet_id);
            for reason in &suback.reasons {
                let _ = write!(out, " {}", code(*reason, packet, version));
            }
        }
        Packet::Unsubscribe(unsubscribe) => {
            let _ = write!(out, " id={} {}", unsubscribe.packet_id, unsubscribe.filters.join(" "));
        }
        Packet::Unsuback(unsuback) => {
            let _ = write!(out, " id={}", unsuback.packet_id);
            for reason in &unsuback.reasons {
                let _ = write!(out, " {}", code(*reason, packet, version));
            }
        }
        Packet::Disconnect(disconnect) if version == ProtocolVersion::V5 => {
            let _ = write!(out, " {}", code(disconnect.reason, packet, version));
        }
        Packet::Auth(auth) => {
            let _ = write!(out, " {}", code(auth.reason, packet, version));
        }
        _ => {}
    }
    if let Some(list) = packet.properties() {
        properties(list, &mut out);
    }
    out
}

fn properties(list: &Properties<'_>, out: &mut String) {
    for property in list.iter() {
        let _ = write!(out, " [{}: ", property.id);
        let _ = match property.value {
            PropertyValue::Text(text) => write!(out, "{text:?}]"),
            PropertyValue::Binary(bytes) => write!(out, "{}]", hex(bytes)),
            PropertyValue::Pair(name, value) => write!(out, "{name}={value}]"),
            other => write!(out, "{}]", other.number().unwrap_or_default()),
        };
    }
}
