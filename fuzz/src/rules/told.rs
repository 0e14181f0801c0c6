//! A decoded packet told field by field, to be held against what the fields of its bytes hold.

use reference_broker::codec::{
    Connect, Packet, Properties, PropertyValue, ProtocolVersion, put_u32, put_variable,
};

/// The contents of every field as the packet has them, in the order of the wire. Where a reason code may be left out,
/// `fields` says how many fields there are.
pub fn told(packet: &Packet<'_>, version: ProtocolVersion, fields: usize) -> Vec<Vec<u8>> {
    let v5 = version == ProtocolVersion::V5;
    let mut out = Vec::new();
    match packet {
        Packet::Connect(it) => connect(it, &mut out),
        Packet::Connack(it) => {
            out.push(vec![u8::from(it.session_present)]);
            out.push(vec![it.reason.0]);
            properties(&it.properties, &mut out);
        }
        Packet::Publish(it) => {
            out.push(it.topic.as_bytes().to_vec());
            out.extend(it.packet_id.map(number));
            properties(&it.properties, &mut out);
            out.push(it.payload.to_vec());
        }
        Packet::Puback(it) | Packet::Pubrec(it) | Packet::Pubrel(it) | Packet::Pubcomp(it) => {
            out.push(number(it.packet_id));
            if fields > 1 {
                out.push(vec![it.reason.0]);
            }
            properties(&it.properties, &mut out);
        }
        Packet::Subscribe(it) => {
            out.push(number(it.packet_id));
            properties(&it.properties, &mut out);
            for it in &it.subscriptions {
                let options = it.options;
                out.push(it.filter.as_bytes().to_vec());
                let flags = bits(&[(options.no_local, 4), (options.retain_as_published, 8)]);
                out.push(vec![options.qos.number() + flags + 16 * options.retain_handling as u8]);
            }
        }
        Packet::Unsubscribe(it) => {
            out.push(number(it.packet_id));
            properties(&it.properties, &mut out);
            out.extend(it.filters.iter().map(|it| it.as_bytes().to_vec()));
        }
        Packet::Suback(it) => {
            out.push(number(it.packet_id));
            properties(&it.properties, &mut out);
            out.extend(it.reasons.iter().map(|it| vec![it.0]));
        }
        Packet::Unsuback(it) => {
            out.push(number(it.packet_id));
            properties(&it.properties, &mut out);
            out.extend(it.reasons.iter().map(|it| vec![it.0]));
        }
        Packet::Pingreq | Packet::Pingresp => {}
        Packet::Disconnect(it) => {
            if v5 && fields > 0 {
                out.push(vec![it.reason.0]);
            }
            properties(&it.properties, &mut out);
        }
        Packet::Auth(it) => {
            out.push(vec![it.reason.0]);
            properties(&it.properties, &mut out);
        }
    }
    out
}

fn connect(it: &Connect<'_>, out: &mut Vec<Vec<u8>>) {
    out.push(it.version.protocol_name().as_bytes().to_vec());
    out.push(vec![it.version.level()]);
    let will = it.will.as_ref();
    let flags = bits(&[
        (it.clean_start, 2),
        (will.is_some(), 4),
        (will.is_some_and(|it| it.retain), 32),
        (it.password.is_some(), 64),
        (it.user_name.is_some(), 128),
    ]);
    out.push(vec![flags + 8 * will.map_or(0, |it| it.qos.number())]);
    out.push(number(it.keep_alive));
    properties(&it.properties, out);
    out.push(it.client_id.as_bytes().to_vec());
    if let Some(will) = will {
        properties(&will.properties, out);
        out.push(will.topic.as_bytes().to_vec());
        out.push(will.payload.to_vec());
    }
    out.extend(it.user_name.as_ref().map(|it| it.as_bytes().to_vec()));
    out.extend(it.password.as_ref().map(|it| it.to_vec()));
}

fn bits(bits: &[(bool, u8)]) -> u8 {
    bits.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum()
}

fn number(value: u16) -> Vec<u8> {
    vec![(value / 256) as u8, (value % 256) as u8]
}

fn properties(properties: &Properties<'_>, out: &mut Vec<Vec<u8>>) {
    for property in properties.iter() {
        out.push(vec![property.id as u8]);
        let mut value = Vec::new();
        match property.value {
            PropertyValue::Byte(byte) => value.push(byte),
            PropertyValue::Two(two) => value = number(two),
            PropertyValue::Four(four) => put_u32(&mut value, four),
            PropertyValue::Variable(number) => put_variable(&mut value, number),
            PropertyValue::Text(text) => value.extend_from_slice(text.as_bytes()),
            PropertyValue::Binary(bytes) => value.extend_from_slice(bytes),
            PropertyValue::Pair(name, text) => {
                out.push(name.as_bytes().to_vec());
                value.extend_from_slice(text.as_bytes());
            }
        }
        out.push(value);
    }
}
