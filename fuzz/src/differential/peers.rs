//! The codecs of others, each as one function from a whole packet to an outcome.
//!
//! Four of different descent: the codec of rumqttc, that of rmqtt, mqtt-protocol-core and mqtt-proto. They know
//! 3.1.1 and 5.0.

use bytes::BytesMut;
use reference_broker::codec::ProtocolVersion;
use tokio_util::codec::{Decoder, Encoder};

/// What a codec makes of a whole packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It accepts it, and writes it again like this.
    Accepted(Vec<u8>),
    /// It accepts it, and cannot write it again.
    Unwritable,
    /// It refuses it.
    Refused,
    /// It waits for more bytes.
    Waits,
    /// It panics.
    Panicked,
}

/// A codec.
pub struct Peer {
    /// Its package.
    pub name: &'static str,
    /// What it makes of a whole packet.
    pub decode: fn(&[u8], ProtocolVersion) -> Outcome,
}

/// Every peer.
pub static PEERS: &[Peer] = &[
    Peer { name: "rumqttc", decode: rumqttc },
    Peer { name: "rmqtt-codec", decode: rmqtt_codec },
    Peer { name: "mqtt-protocol-core", decode: mqtt_protocol_core },
    Peer { name: "mqtt-proto", decode: mqtt_proto },
];

const LARGEST: usize = 1 << 28;

fn written<E>(result: Result<Vec<u8>, E>) -> Outcome {
    result.map_or(Outcome::Unwritable, Outcome::Accepted)
}

fn rumqttc(bytes: &[u8], version: ProtocolVersion) -> Outcome {
    let mut stream = BytesMut::from(bytes);
    let mut out = BytesMut::new();
    if version == ProtocolVersion::V5 {
        use rumqttc::v5::mqttbytes::Error;
        use rumqttc::v5::mqttbytes::v5::Packet;
        match Packet::read(&mut stream, None) {
            Ok(packet) => written(packet.write(&mut out, None).map(|_| out.to_vec())),
            Err(Error::InsufficientBytes(_)) => Outcome::Waits,
            Err(_) => Outcome::Refused,
        }
    } else {
        use rumqttc::mqttbytes::Error;
        use rumqttc::mqttbytes::v4::Packet;
        match Packet::read(&mut stream, LARGEST) {
            Ok(packet) => written(packet.write(&mut out, LARGEST).map(|_| out.to_vec())),
            Err(Error::InsufficientBytes(_)) => Outcome::Waits,
            Err(_) => Outcome::Refused,
        }
    }
}

fn rmqtt_codec(bytes: &[u8], version: ProtocolVersion) -> Outcome {
    let mut stream = BytesMut::from(bytes);
    let mut out = BytesMut::new();
    macro_rules! through {
        ($codec:expr, $writer:expr) => {
            match $codec.decode(&mut stream) {
                Ok(Some((packet, _))) => written($writer.encode(packet, &mut out).map(|()| out.to_vec())),
                Ok(None) => Outcome::Waits,
                Err(_) => Outcome::Refused,
            }
        };
    }
    // A codec of its own for writing: reading CONNECT changes what is written after it.
    if version == ProtocolVersion::V5 {
        through!(rmqtt_codec::v5::Codec::default(), rmqtt_codec::v5::Codec::default())
    } else {
        through!(rmqtt_codec::v3::Codec::default(), rmqtt_codec::v3::Codec::default())
    }
}

fn mqtt_proto(bytes: &[u8], version: ProtocolVersion) -> Outcome {
    macro_rules! through {
        ($packet:path) => {{
            use $packet as Packet;
            match Packet::decode(bytes) {
                Ok(Some(packet)) => written(packet.encode().map(|out| out.as_ref().to_vec())),
                Ok(None) => Outcome::Waits,
                Err(_) => Outcome::Refused,
            }
        }};
    }
    if version == ProtocolVersion::V5 {
        through!(mqtt_proto::v5::Packet)
    } else {
        through!(mqtt_proto::v3::Packet)
    }
}

fn mqtt_protocol_core(bytes: &[u8], version: ProtocolVersion) -> Outcome {
    use mqtt_protocol_core::mqtt::packet::{v3_1_1, v5_0};
    // Its frames are cut by a part that is not public, and which looks at neither type nor flags.
    let header = 2 + bytes[1..].iter().take(4).take_while(|byte| **byte >= 128).count();
    let body = &bytes[header..];
    macro_rules! parse {
        ($packet:ty) => {
            match <$packet>::parse(body) {
                Ok((packet, used)) if used == body.len() => Outcome::Accepted(packet.to_continuous_buffer()),
                _ => Outcome::Refused,
            }
        };
    }
    macro_rules! publish {
        ($packet:ty) => {
            match <$packet>::parse(bytes[0] & 15, body.into()) {
                Ok((packet, _)) => Outcome::Accepted(packet.to_continuous_buffer()),
                Err(_) => Outcome::Refused,
            }
        };
    }
    match (version == ProtocolVersion::V5, bytes[0] >> 4) {
        (false, 1) => parse!(v3_1_1::Connect),
        (false, 2) => parse!(v3_1_1::Connack),
        (false, 3) => publish!(v3_1_1::Publish),
        (false, 4) => parse!(v3_1_1::Puback),
        (false, 5) => parse!(v3_1_1::Pubrec),
        (false, 6) => parse!(v3_1_1::Pubrel),
        (false, 7) => parse!(v3_1_1::Pubcomp),
        (false, 8) => parse!(v3_1_1::Subscribe),
        (false, 9) => parse!(v3_1_1::Suback),
        (false, 10) => parse!(v3_1_1::Unsubscribe),
        (false, 11) => parse!(v3_1_1::Unsuback),
        (false, 12) => parse!(v3_1_1::Pingreq),
        (false, 13) => parse!(v3_1_1::Pingresp),
        (false, 14) => parse!(v3_1_1::Disconnect),
        (true, 1) => parse!(v5_0::Connect),
        (true, 2) => parse!(v5_0::Connack),
        (true, 3) => publish!(v5_0::Publish),
        (true, 4) => parse!(v5_0::Puback),
        (true, 5) => parse!(v5_0::Pubrec),
        (true, 6) => parse!(v5_0::Pubrel),
        (true, 7) => parse!(v5_0::Pubcomp),
        (true, 8) => parse!(v5_0::Subscribe),
        (true, 9) => parse!(v5_0::Suback),
        (true, 10) => parse!(v5_0::Unsubscribe),
        (true, 11) => parse!(v5_0::Unsuback),
        (true, 12) => parse!(v5_0::Pingreq),
        (true, 13) => parse!(v5_0::Pingresp),
        (true, 14) => parse!(v5_0::Disconnect),
        (true, 15) => parse!(v5_0::Auth),
        _ => Outcome::Refused,
    }
}
