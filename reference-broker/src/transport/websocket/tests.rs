//! The endpoint against requests and frames that are written by hand, cut in every way.

use proptest::prelude::*;

use super::Endpoint;
use super::frame::{Control, Data, Event, FrameError, FrameReader, OpCode, put};
use crate::core::Config;

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
const CLOSE: OpCode = OpCode::Control(Control::Close);
const PING: OpCode = OpCode::Control(Control::Ping);
const BINARY: OpCode = OpCode::Data(Data::Binary);
const TEXT: OpCode = OpCode::Data(Data::Text);
const MORE: OpCode = OpCode::Data(Data::Continue);

fn request(offer: &str) -> Vec<u8> {
    let offer = if offer.is_empty() { String::new() } else { format!("Sec-WebSocket-Protocol: {offer}\r\n") };
    // The key and its answer are those of RFC 6455, 1.3.
    format!(
        "GET /any/path HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    )
    .into_bytes()
}

/// Everything that comes of bytes that arrive in these pieces: bytes of MQTT, answers, whether it is over.
fn played<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (Vec<u8>, Vec<u8>, bool) {
    let mut endpoint = Endpoint::new(&Config::default());
    let (mut mqtt, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        endpoint.receive(piece, &mut mqtt, &mut out);
    }
    (mqtt, out, endpoint.is_over())
}

/// What comes of frames behind a good upgrade.
fn after_upgrade(frames: &[u8]) -> (Vec<u8>, Vec<u8>, bool) {
    let upgrade = request("mqtt");
    let answered = played([&upgrade[..]]).1.len();
    let (mqtt, out, over) = played([&upgrade[..], frames]);
    (mqtt, out[answered..].to_vec(), over)
}

#[test]
fn the_upgrade_is_answered_and_selects_mqtt() {
    for offer in ["mqtt", "x, mqtt", "mqttv3.1,mqtt", "x\r\nSec-WebSocket-Protocol: mqtt"] {
        let (_, out, over) = played([&request(offer)[..]]);
        let text = String::from_utf8(out).expect("text").to_lowercase();
        assert!(text.starts_with("http/1.1 101 ") && !over, "{text}");
        assert!(text.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{text}");
        assert!(text.contains("sec-websocket-protocol: mqtt\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    }
}

#[test]
fn what_is_no_upgrade_to_mqtt_is_refused() {
    let long = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 20_000]].concat();
    for wrong in [
        request(""),
        request("mqttv3.1"),
        request("MQTT"),
        b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n".to_vec(),
        b"\x10\x0C\x00\x04MQTT\x04\x02\x00\x3C\x00\x00".to_vec(),
        long,
    ] {
        let (mqtt, out, over) = played([&wrong[..]]);
        assert!(out.starts_with(b"HTTP/1.1 400 ") && over && mqtt.is_empty());
    }
}

#[test]
fn a_text_frame_ends_the_connection_with_1003() {
    let mut frames = Vec::new();
    put(&mut frames, BINARY, true, Some(MASK), b"before");
    put(&mut frames, TEXT, true, Some(MASK), b"text");
    put(&mut frames, BINARY, true, Some(MASK), b"after");
    assert_eq!(after_upgrade(&frames), (b"before".to_vec(), vec![0x88, 2, 0x03, 0xEB], true));
}

#[test]
fn pings_are_answered_inside_of_a_message_and_close_with_its_code() {
    let mut frames = Vec::new();
    put(&mut frames, BINARY, false, Some(MASK), b"ab");
    put(&mut frames, PING, true, Some(MASK), b"?");
    put(&mut frames, MORE, false, Some(MASK), b"");
    put(&mut frames, MORE, true, Some(MASK), b"cd");
    put(&mut frames, CLOSE, true, Some(MASK), b"\x03\xE8bye");
    let out = vec![0x8A, 1, b'?', 0x88, 2, 0x03, 0xE8];
    assert_eq!(after_upgrade(&frames), (b"abcd".to_vec(), out, true));
}

#[test]
fn wrong_frames_end_the_connection_with_1002() {
    let frame = |opcode, is_final, mask, payload: &[u8]| {
        let mut out = Vec::new();
        put(&mut out, opcode, is_final, mask, payload);
        out
    };
    for wrong in [
        frame(BINARY, true, None, b"a"),
        frame(MORE, true, Some(MASK), b"a"),
        frame(PING, false, Some(MASK), b"a"),
        frame(PING, true, Some(MASK), &[0; 126]),
        [frame(BINARY, false, Some(MASK), b""), frame(BINARY, true, Some(MASK), b"a")].concat(),
        // A reserved code, a reserved bit, lengths that could be shorter or are too long.
        vec![0x83, 0x80, 0, 0, 0, 0],
        vec![0xC2, 0x80, 0, 0, 0, 0],
        vec![0x82, 0xFE, 0, 5, 0, 0, 0, 0],
        vec![0x82, 0xFF, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
        vec![0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
    ] {
        let (mqtt, out, over) = after_upgrade(&wrong);
        assert_eq!((mqtt.len(), &out[..], over), (0, &[0x88, 2, 0x03, 0xEA][..], true), "{wrong:02X?}");
    }
}

#[test]
fn after_its_own_close_an_end_says_nothing_more_and_waits_for_the_peers() {
    let mut endpoint = Endpoint::new(&Config::default());
    let (mut mqtt, mut out) = (Vec::new(), Vec::new());
    endpoint.receive(&request("mqtt"), &mut mqtt, &mut out);
    out.clear();
    endpoint.close(&mut out);
    endpoint.close(&mut out);
    endpoint.send(b"late", &mut out);
    let mut frames = Vec::new();
    put(&mut frames, BINARY, true, Some(MASK), b"late");
    put(&mut frames, PING, true, Some(MASK), b"");
    endpoint.receive(&frames, &mut mqtt, &mut out);
    assert!(mqtt.is_empty() && !endpoint.is_over());
    assert_eq!(out, [0x88, 2, 0x03, 0xE8]);
    frames.clear();
    put(&mut frames, CLOSE, true, Some(MASK), b"");
    endpoint.receive(&frames, &mut mqtt, &mut out);
    assert!(endpoint.is_over() && out.len() == 4);
}

#[test]
fn lengths_of_all_three_forms_come_back() {
    for length in [0, 1, 125, 126, 65_535, 65_536, 200_000] {
        let payload: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let mut endpoint = Endpoint::new(&Config::default());
        let (mut mqtt, mut out) = (Vec::new(), Vec::new());
        endpoint.receive(&request("mqtt"), &mut mqtt, &mut out);
        let mut frame = Vec::new();
        put(&mut frame, BINARY, true, Some(MASK), &payload);
        endpoint.receive(&frame, &mut mqtt, &mut out);
        assert_eq!(mqtt, payload);
        out.clear();
        endpoint.send(&payload, &mut out);
        let mut reader = FrameReader::new(false);
        let mut input = &out[..];
        let mut back = Vec::new();
        while let Some(event) = reader.next(&mut input).expect("a server's frame") {
            if let Event::Payload(bytes) = event {
                back.extend_from_slice(&bytes);
            }
        }
        assert_eq!(back, payload);
    }
    assert_eq!(FrameReader::new(false).next(&mut &[0x82, 0x80, 0, 0, 0, 0][..]), Err(FrameError::Masked));
}

#[derive(Debug, Clone)]
struct Message {
    fragments: Vec<Vec<u8>>,
    pinged: bool,
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let fragment = prop::collection::vec(any::<u8>(), 0..200);
    let message = (prop::collection::vec(fragment, 1..5), any::<bool>())
        .prop_map(|(fragments, pinged)| Message { fragments, pinged });
    prop::collection::vec(message, 0..6)
}

proptest! {
    /// However the stream is cut on its way, the same bytes of MQTT and the same answers come out.
    #[test]
    fn no_cut_of_the_stream_changes_what_comes_out(
        messages in messages(),
        mask in any::<[u8; 4]>(),
        cuts in prop::collection::vec(1usize..40, 1..60),
    ) {
        let mut stream = request("mqtt");
        let mut expected = Vec::new();
        for message in &messages {
            for (at, fragment) in message.fragments.iter().enumerate() {
                let opcode = if at == 0 { BINARY } else { MORE };
                put(&mut stream, opcode, at + 1 == message.fragments.len(), Some(mask), fragment);
                if message.pinged {
                    put(&mut stream, PING, true, Some(mask), &fragment[..fragment.len().min(125)]);
                }
                expected.extend_from_slice(fragment);
            }
        }
        let whole = played([&stream[..]]);
        prop_assert_eq!(&whole.0, &expected);
        prop_assert!(!whole.2);
        prop_assert_eq!(&played(stream.chunks(1)), &whole);
        let mut rest = &stream[..];
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            pieces.push(head);
            rest = tail;
        }
        prop_assert_eq!(played(pieces), whole);
    }

    /// Foreign bytes end the connection or wait for more; nothing panics.
    #[test]
    fn foreign_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300), upgraded in any::<bool>()) {
        let stream = if upgraded { [request("mqtt"), bytes].concat() } else { bytes };
        let whole = played([&stream[..]]);
        prop_assert_eq!(played(stream.chunks(1)), whole);
    }
}

#[cfg(feature = "defects")]
#[test]
fn every_defect_of_the_transport_changes_what_comes_out() {
    let publish: &[u8] = b"\x30\x05\x00\x01ahi";
    let streams = [
        {
            let mut frames = Vec::new();
            put(&mut frames, TEXT, true, Some(MASK), publish);
            frames
        },
        {
            let mut frames = Vec::new();
            put(&mut frames, BINARY, true, Some(MASK), &[publish, publish, &publish[..3]].concat());
            put(&mut frames, BINARY, true, Some(MASK), &publish[3..]);
            frames
        },
        {
            let mut frames = Vec::new();
            put(&mut frames, BINARY, false, Some(MASK), &publish[..3]);
            put(&mut frames, PING, true, Some(MASK), b"");
            put(&mut frames, MORE, true, Some(MASK), &publish[3..]);
            frames
        },
    ];
    let outputs = |config: &Config| -> Vec<_> {
        streams
            .iter()
            .map(|stream| {
                let mut endpoint = Endpoint::new(config);
                let (mut mqtt, mut out) = (Vec::new(), Vec::new());
                endpoint.receive(&request("x, mqtt"), &mut mqtt, &mut out);
                endpoint.receive(stream, &mut mqtt, &mut out);
                endpoint.send(publish, &mut out);
                (mqtt, out, endpoint.is_over())
            })
            .collect()
    };
    let right = outputs(&Config::default());
    let mut seen = 0;
    for defect in crate::core::defects::all().iter().filter(|defect| defect.id.starts_with("websocket-")) {
        let mut config = Config::default();
        config.set_defect(defect.id).expect("it is in the table");
        assert_ne!(outputs(&config), right, "{} is dead", defect.id);
        seen += 1;
    }
    assert_eq!(seen, 9);
}
