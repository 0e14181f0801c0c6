//! Any bytes: a packet, a typed error with a place, or a wait for more; never a panic.

use reference_broker::codec::{
    FrameError, Packet, ProtocolVersion, decode, encoded, next_frame, next_frame_of_any_form,
};

use crate::rules::{self, Judgement};

/// Checks the decoder on `bytes` in every version.
pub fn check(bytes: &[u8]) {
    frames(bytes);
    for version in ProtocolVersion::ALL {
        packet(bytes, version);
    }
}

/// A frame lies inside the input, is as long as it says, and limits cut at exactly that length.
fn frames(bytes: &[u8]) {
    for cut in [next_frame, next_frame_of_any_form] {
        match cut(bytes, None) {
            Ok(Some(frame)) => {
                assert!((2..=5).contains(&frame.header.len));
                assert_eq!(frame.header.remaining as usize, frame.body.len());
                assert_eq!(frame.body, &bytes[frame.header.len..frame.len()]);
                let size = frame.len() as u32;
                assert_eq!(cut(bytes, Some(size)), Ok(Some(frame)));
                assert_eq!(cut(bytes, Some(size - 1)), Err(FrameError::TooLarge(size.into())));
                assert_eq!(cut(&bytes[..frame.len()], None), Ok(Some(frame)), "what follows is left alone");
                for end in (0..frame.len()).rev().take(16).chain(0..frame.len().min(6)) {
                    assert_eq!(cut(&bytes[..end], None), Ok(None), "{end} of {size} bytes");
                }
            }
            Ok(None) => {}
            Err(FrameError::TooLarge(_)) => panic!("too large without a limit"),
            Err(_) => assert!(bytes.len() > 2 || cut(&bytes[..bytes.len() - 1], None).is_ok()),
        }
    }
    if let Ok(strict) = next_frame(bytes, None) {
        assert_eq!(next_frame_of_any_form(bytes, None), Ok(strict));
    }
}

/// The decoder and the second reading agree; what is accepted means the same when it is written again.
fn packet(bytes: &[u8], version: ProtocolVersion) {
    let decoded = decode(bytes, version);
    match (&decoded, rules::judge(bytes, version)) {
        (Ok(None), Judgement::Incomplete) => {}
        (Ok(Some((packet, length))), Judgement::Packet { length: expected, breaks }) => {
            assert!(breaks.is_empty(), "accepted in {version}: {packet:?} although {breaks:?}");
            assert_eq!(*length, expected);
            assert!(*length <= bytes.len());
            meaning(&bytes[..*length], packet, version);
            let again = encoded(packet, version).expect("what was decoded can be encoded");
            assert!(again.len() <= *length, "the encoder writes the shortest form");
            let (same, whole) = decode(&again, version).expect("it is accepted").expect("it is complete");
            assert_eq!((&same, whole), (packet, again.len()), "in {version}");
            assert_eq!(packet.clone().into_owned(), *packet);
        }
        (Err(error), Judgement::Packet { breaks, .. } | Judgement::Unframed { breaks }) => {
            assert!(error.at <= bytes.len(), "{error} in {} bytes", bytes.len());
            assert!(error.rule.reason().is_error());
            let statement = error.rule.statement(version);
            assert!(statement.starts_with("MQTT-") || statement.starts_with('U'));
            let clause = rules::clause_of(error.rule);
            assert!(
                breaks.iter().any(|it| it.clause == clause && (it.from..=it.to).contains(&error.at)),
                "refused in {version}: {error} ({statement}), but what is broken is {breaks:?}"
            );
            // The rest of the stream changes nothing about it.
            if let Ok(Some(frame)) = next_frame(bytes, None) {
                assert_eq!(decode(&bytes[..frame.len()], version), Err(*error));
            }
        }
        (_, judgement) => panic!("in {version}: {decoded:?}, but {judgement:?}"),
    }
}

/// The packet holds what its bytes do.
fn meaning(bytes: &[u8], packet: &Packet<'_>, version: ProtocolVersion) {
    let version = if let Packet::Connect(connect) = packet { connect.version } else { version };
    let mut contents = rules::contents(bytes, version);
    // 3.1 gives no meaning to the flags of CONNACK.
    if matches!(packet, Packet::Connack(_)) && version == ProtocolVersion::V3_1 {
        contents[0] = vec![0];
    }
    assert_eq!(rules::told(packet, version, contents.len()), contents, "in {version}: {packet:?}");
    if let Packet::Publish(publish) = packet {
        let flags = 8 * u8::from(publish.dup) + 2 * publish.qos.number() + u8::from(publish.retain);
        assert_eq!(bytes[0], 0x30 + flags, "{packet:?}");
    }
}
