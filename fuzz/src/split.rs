//! A stream of bytes means the same however it is cut.
//!
//! Input: a byte for the legal variant of the broker, a byte that says how many cuts there are, as many distances
//! between cuts, and the stream.

use reference_broker::codec::{FrameError, next_frame};
use reference_broker::core::{Broker, Config, ConnectionId, Output, Statistics, Time, variants};

/// CONNECT of 5.0 from `w`, and SUBSCRIBE to everything at QoS 2: somebody who hears what the stream says.
const LISTENER: &[u8] = b"\x10\x0E\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x01w\x82\x07\x00\x01\x00\x00\x01#\x02";

/// Cuts the stream in `bytes` and compares with the whole.
pub fn check(bytes: &[u8]) {
    let [variant, count, rest @ ..] = bytes else { return };
    let count = usize::from(*count % 32).min(rest.len());
    let (distances, stream) = rest.split_at(count);
    let pieces = cut(stream, distances);
    assert_eq!(framed(&[stream]), framed(&pieces), "packets of {} pieces", pieces.len());
    let mut config = Config::default();
    if let Some(variant) = variants().get(usize::from(*variant)) {
        for (key, value) in variant.settings {
            config.set(key, value).expect("a variant is legal");
        }
    }
    let whole = served(&config, &[stream]);
    let parts = served(&config, &pieces);
    assert_eq!(whole.0, parts.0, "outputs of {} pieces", pieces.len());
    assert_eq!(whole.1, parts.1);
}

/// The pieces of a stream; what is left after the last cut is the last of them.
fn cut<'s>(mut stream: &'s [u8], distances: &[u8]) -> Vec<&'s [u8]> {
    let mut pieces = Vec::new();
    for distance in distances {
        let (piece, rest) = stream.split_at(usize::from(*distance).min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces.push(stream);
    pieces
}

/// The packets in a stream that arrives piece by piece, as every receiver here finds them: a buffer from whose
/// front they are cut.
fn framed(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let mut buffer = Vec::new();
    let mut packets = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match next_frame(&buffer, None) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    let length = frame.len();
                    packets.push(buffer.drain(..length).collect());
                }
                Err(error) => return (packets, Some(error)),
            }
        }
    }
    (packets, None)
}

/// What a broker puts out, and what is left in it.
fn served(config: &Config, pieces: &[&[u8]]) -> (Vec<Output>, Statistics) {
    let mut broker = Broker::new(config.clone(), 1);
    let now = Time::from_secs(1);
    let (listener, sender) = (ConnectionId(1), ConnectionId(2));
    broker.opened(listener, now);
    broker.received(listener, LISTENER, now);
    broker.opened(sender, now);
    let mut outputs = Vec::new();
    for piece in pieces {
        broker.received(sender, piece, now);
        outputs.extend(std::iter::from_fn(|| broker.poll_output()));
        broker.invariants().expect("after every piece");
    }
    (outputs, broker.statistics())
}
