//! A packet built field by field: encoded, it is as long as it announces, keeps every rule and decodes to itself.

use arbitrary::Unstructured;
use reference_broker::codec::{decode, encode, encoded, next_frame};

use crate::packets;
use crate::rules::{self, Judgement};

/// Builds packets from `bytes` and checks each.
pub fn check(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    for _ in 0..4 {
        let Ok(version) = packets::version(&mut input) else { return };
        let Ok(packet) = packets::packet(&mut input, version) else { return };
        let wire = encoded(&packet, version).expect("it fits");
        let frame = next_frame(&wire, None).expect("its length is right").expect("it is whole");
        assert_eq!(frame.len(), wire.len(), "the announced length");
        assert_eq!(frame.packet_type(), Some(packet.packet_type()));
        let judgement = rules::judge(&wire, version);
        assert!(
            matches!(&judgement, Judgement::Packet { length, breaks } if *length == wire.len() && breaks.is_empty()),
            "in {version}: {packet:?} gives {judgement:?}"
        );
        let (decoded, length) = decode(&wire, version).expect("it is accepted").expect("it is whole");
        assert_eq!((&decoded, length), (&packet, wire.len()), "in {version}");
        let mut buffer = b"before".to_vec();
        encode(&packet, version, &mut buffer).expect("it fits");
        assert_eq!(buffer.strip_prefix(b"before"), Some(&wire[..]), "appended, with nothing else touched");
        if input.is_empty() {
            return;
        }
    }
}
