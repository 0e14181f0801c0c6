//! The client's end of a WebSocket (RFC 6455) as a state machine, and what can be read from its recorded bytes.
//!
//! It stands between a client, who knows packets, and the network, which knows bytes. By itself it is correct: it
//! masks, answers pings and Close, and gives up a connection whose frames are wrong. How packets are put into
//! frames is the scenario's choice. It takes what RFC 6455 allows and no more.
//!
//! Never the case: a judgement, a clock, a mask that does not come from the seed.

use reference_broker::transport::websocket::frame::{
    CloseCode, Control, Data, Event as Part, FrameReader, OpCode, apply_mask, put,
};
use tungstenite::handshake::client::Response;
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;

use crate::network::Random;
use crate::scenario::{Framing, WebSocketPlace};

/// The longest answer to an upgrade request.
const LONGEST_ANSWER: usize = 16 * 1024;
const OFFER: &str = "Sec-WebSocket-Protocol";

/// What came from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The upgrade was made: the answer with its header lines.
    Upgraded(Vec<u8>),
    /// It was not: what came in place of a good answer.
    Refused(Vec<u8>),
    /// Bytes of MQTT.
    Data(Vec<u8>),
    /// A control frame, and what a correct client sends back.
    Control {
        /// As it came.
        bytes: Vec<u8>,
        /// The answer.
        answer: Option<Vec<u8>>,
    },
    /// A frame after which a correct client closes: its header, and the Close frame to go.
    Wrong {
        /// As it came.
        bytes: Vec<u8>,
        /// What the client says to it.
        farewell: Vec<u8>,
    },
}

/// A frame, or a part of what a packet is put into, that leaves the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The frame.
    pub bytes: Vec<u8>,
    /// Whether it is a control frame, which no packet shows.
    pub control: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Upgrade,
    Open,
    /// One of the ends has sent Close.
    Closing,
    Over,
}

/// The client's end of one WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    phase: Phase,
    framing: Framing,
    offered: Vec<String>,
    key: String,
    random: Random,
    answer: Vec<u8>,
    reader: FrameReader,
}

impl WebSocket {
    /// An end that has not asked for anything. Its key and its masks are drawn from `random`.
    pub fn new(framing: Framing, offered: &[String], mut random: Random) -> WebSocket {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut digit = |step: usize| char::from(DIGITS[random.below(64) as usize / step * step]);
        // 16 bytes are 22 digits of base 64, of which the last one has two bits.
        let mut key: String = (0..21).map(|_| digit(1)).collect();
        key.push(digit(16));
        key.push_str("==");
        WebSocket {
            phase: Phase::Upgrade,
            framing,
            offered: offered.to_vec(),
            key,
            random,
            answer: Vec::new(),
            reader: FrameReader::new(false),
        }
    }

    /// The upgrade request.
    pub fn request(&self, place: &WebSocketPlace) -> Vec<u8> {
        let WebSocketPlace { host, path } = place;
        let offer = match &self.offered[..] {
            [] => String::new(),
            offered => format!("{OFFER}: {}\r\n", offered.join(", ")),
        };
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n",
            self.key
        )
        .into_bytes()
    }

    /// Takes bytes from the broker.
    pub fn receive(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        match self.phase {
            Phase::Over => {}
            Phase::Open | Phase::Closing => self.frames(bytes, &mut events),
            Phase::Upgrade => {
                self.answer.extend_from_slice(bytes);
                let length = match Response::try_parse(&self.answer) {
                    Ok(None) if self.answer.len() <= LONGEST_ANSWER => return events,
                    Ok(Some((length, response))) if self.accepts(&response) => length,
                    Ok(Some((length, _))) => {
                        self.answer.truncate(length);
                        0
                    }
                    _ => 0,
                };
                let answer = std::mem::take(&mut self.answer);
                if length == 0 {
                    self.phase = Phase::Over;
                    events.push(Event::Refused(answer));
                } else {
                    self.phase = Phase::Open;
                    events.push(Event::Upgraded(answer[..length].to_vec()));
                    self.frames(&answer[length..], &mut events);
                }
            }
        }
        events
    }

    /// Whether an answer is one that a client may go on with (RFC 6455, 4.1). That no subprotocol is selected is
    /// for MQTT to judge.
    fn accepts(&self, response: &Response) -> bool {
        let line = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let has = |name: &str, word: &str| {
            line(name).is_some_and(|value| value.split(',').any(|it| it.trim().eq_ignore_ascii_case(word)))
        };
        let accept = derive_accept_key(self.key.as_bytes());
        response.status().as_u16() == 101
            && has("Upgrade", "websocket")
            && has("Connection", "Upgrade")
            && line("Sec-WebSocket-Accept").is_some_and(|value| value.trim() == accept)
            && line("Sec-WebSocket-Extensions").is_none()
            && line(OFFER).is_none_or(|selected| self.offered.iter().any(|it| it == selected.trim()))
    }

    fn frames(&mut self, mut bytes: &[u8], events: &mut Vec<Event>) {
        while self.phase != Phase::Over {
            match self.reader.next(&mut bytes) {
                Ok(None) => return,
                Ok(Some(Part::Begin { header, text: true, .. })) => {
                    self.phase = Phase::Over;
                    let farewell = self.close_frame(CloseCode::Unsupported);
                    events.push(Event::Wrong { bytes: header, farewell });
                }
                Ok(Some(Part::Payload(data))) if self.phase == Phase::Open => match events.last_mut() {
                    Some(Event::Data(before)) => before.extend_from_slice(&data),
                    _ => events.push(Event::Data(data)),
                },
                Ok(Some(Part::Control { kind, raw, payload })) => {
                    let answer = match kind {
                        Control::Ping if self.phase == Phase::Open => {
                            Some(self.control(Control::Pong, &payload))
                        }
                        Control::Close if self.phase == Phase::Open => {
                            self.phase = Phase::Closing;
                            Some(self.control(Control::Close, payload.get(..2).unwrap_or_default()))
                        }
                        _ => None,
                    };
                    events.push(Event::Control { bytes: raw, answer });
                }
                Ok(Some(_)) => {}
                Err(_) => {
                    self.phase = Phase::Over;
                    let farewell = self.close_frame(CloseCode::Protocol);
                    events.push(Event::Wrong { bytes: self.reader.pending().to_vec(), farewell });
                }
            }
        }
    }

    /// Puts packets that are sent at one moment into frames.
    pub fn frame(&mut self, packets: &[Vec<u8>]) -> Vec<Outgoing> {
        if self.phase != Phase::Open {
            return Vec::new();
        }
        let mut out = Vec::new();
        match self.framing {
            Framing::OnePerPacket => {
                packets.iter().for_each(|packet| self.message(&[&packet[..]], false, &mut out));
            }
            Framing::Bytes => {
                packets.iter().flatten().for_each(|byte| self.message(&[&[*byte]], false, &mut out));
            }
            Framing::Together => self.message(&[&packets.concat()[..]], false, &mut out),
            Framing::Misaligned => {
                let all = packets.concat();
                let (mut begin, mut from) = (0, 0);
                // With one packet the first is cut, otherwise every second one.
                let odd = usize::from(packets.len() > 1);
                for (at, packet) in packets.iter().enumerate() {
                    if at % 2 == odd {
                        let cut = begin + packet.len() / 2;
                        self.message(&[&all[from..cut]], false, &mut out);
                        from = cut;
                    }
                    begin += packet.len();
                }
                self.message(&[&all[from..]], false, &mut out);
            }
            Framing::Fragmented | Framing::FragmentedWithPings => {
                for packet in packets {
                    let (head, rest) = packet.split_at(packet.len() / 3);
                    let (middle, tail) = rest.split_at(rest.len() / 2);
                    let pings = self.framing == Framing::FragmentedWithPings;
                    self.message(&[head, middle, tail], pings, &mut out);
                }
            }
        }
        out
    }

    fn message(&mut self, fragments: &[&[u8]], pings: bool, out: &mut Vec<Outgoing>) {
        for (at, fragment) in fragments.iter().enumerate() {
            if pings && at > 0 {
                out.push(Outgoing { bytes: self.control(Control::Ping, b"between"), control: true });
            }
            let kind = if at == 0 { Data::Binary } else { Data::Continue };
            let bytes = self.put(OpCode::Data(kind), at + 1 == fragments.len(), fragment);
            out.push(Outgoing { bytes, control: false });
        }
    }

    /// A text frame.
    pub fn text(&mut self, payload: &[u8]) -> Vec<u8> {
        self.put(OpCode::Data(Data::Text), true, payload)
    }

    /// The Close frame of a client that leaves; none if there is nothing to close, or Close has been said.
    pub fn close(&mut self) -> Option<Vec<u8>> {
        (self.phase == Phase::Open).then(|| {
            self.phase = Phase::Closing;
            self.close_frame(CloseCode::Normal)
        })
    }

    fn close_frame(&mut self, code: CloseCode) -> Vec<u8> {
        self.control(Control::Close, &u16::from(code).to_be_bytes())
    }

    fn control(&mut self, kind: Control, payload: &[u8]) -> Vec<u8> {
        self.put(OpCode::Control(kind), true, payload)
    }

    fn put(&mut self, opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
        let mask = (self.random.draw() as u32).to_be_bytes();
        let mut out = Vec::with_capacity(payload.len() + 14);
        put(&mut out, opcode, is_final, Some(mask), payload);
        out
    }
}

// ---- recorded bytes ----

/// The subprotocols that a request offers or an answer selects.
pub fn subprotocols(head: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(head)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case(OFFER))
        .flat_map(|(_, value)| value.split(',').map(|it| it.trim().to_string()).collect::<Vec<_>>())
        .collect()
}

/// Whether an answer makes the upgrade.
pub fn is_switching(head: &[u8]) -> bool {
    String::from_utf8_lossy(head).split_whitespace().nth(1) == Some("101")
}

/// The first line of a request or an answer, and its subprotocols.
pub fn head(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let first: String = text.lines().next().unwrap_or_default().chars().take(80).collect();
    match &subprotocols(bytes)[..] {
        [] => format!("{first}; no subprotocol"),
        names => format!("{first}; subprotocol {}", names.join(", ")),
    }
}

/// What a recorded frame is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Its kind in words.
    pub name: &'static str,
    /// The code of a Close frame, if it has one.
    pub close_code: Option<u16>,
    /// Its payload without the mask, as far as it was recorded.
    pub payload: Vec<u8>,
}

/// What a recorded frame is; `None` if it has no header.
pub fn look(bytes: &[u8]) -> Option<Look> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let name = match first & 0x0F {
        0 => "continuation",
        1 => "text frame",
        2 => "binary frame",
        8 => "close",
        9 => "ping",
        10 => "pong",
        _ => "frame of a reserved kind",
    };
    let extended = match second & 0x7F {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mut payload = bytes.get(2 + extended..).unwrap_or_default().to_vec();
    if second & 0x80 != 0
        && let Some(mask) = payload.first_chunk::<4>().copied()
    {
        payload.drain(..4);
        apply_mask(&mut payload, mask, 0);
    }
    let code = payload.first_chunk::<2>().filter(|_| name == "close").map(|it| u16::from_be_bytes(*it));
    Some(Look { name, close_code: code, payload })
}

/// What is wrong with a recorded frame from the broker; `None` for a good control frame.
pub fn fault_of(bytes: &[u8]) -> Option<String> {
    match FrameReader::new(false).next(&mut &bytes[..]) {
        Err(error) => Some(error.to_string()),
        Ok(Some(Part::Begin { text: true, .. })) => Some("data as text".into()),
        // Good by itself, so it is the place that is wrong.
        Ok(Some(Part::Begin { .. })) => Some("a new message inside of a fragmented one".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use reference_broker::core::Config;
    use reference_broker::transport::websocket::Endpoint;

    use super::*;

    const FRAMINGS: [Framing; 6] = [
        Framing::OnePerPacket,
        Framing::Bytes,
        Framing::Together,
        Framing::Misaligned,
        Framing::Fragmented,
        Framing::FragmentedWithPings,
    ];

    fn client(framing: Framing, offered: &[&str]) -> WebSocket {
        let offered: Vec<String> = offered.iter().map(ToString::to_string).collect();
        WebSocket::new(framing, &offered, Random::stream(1, "test", 0))
    }

    /// Both ends after a good upgrade.
    fn upgraded(framing: Framing) -> (WebSocket, Endpoint) {
        let mut client = client(framing, &["x", "mqtt"]);
        let mut broker = Endpoint::new(&Config::default());
        let mut out = Vec::new();
        broker.receive(&client.request(&WebSocketPlace::default()), &mut Vec::new(), &mut out);
        let events = client.receive(&out);
        assert!(matches!(&events[..], [Event::Upgraded(head)] if is_switching(head)), "{events:?}");
        (client, broker)
    }

    fn answer(client: &WebSocket, lines: &str) -> Vec<u8> {
        let accept = derive_accept_key(client.key.as_bytes());
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n{}\r\n",
            lines.replace("ACCEPT", &format!("Sec-WebSocket-Accept: {accept}\r\n"))
        )
        .into_bytes()
    }

    #[test]
    fn packets_come_out_as_they_went_in_whatever_the_framing() {
        for framing in FRAMINGS {
            for packets in
                [vec![vec![1u8; 1]], vec![vec![7; 9]], vec![vec![1; 5], vec![2; 4], vec![3; 70_000], vec![4]]]
            {
                let (mut client, mut broker) = upgraded(framing);
                let mut mqtt = Vec::new();
                let mut out = Vec::new();
                let frames = client.frame(&packets);
                for frame in &frames {
                    broker.receive(&frame.bytes, &mut mqtt, &mut out);
                }
                assert_eq!(mqtt, packets.concat(), "{framing:?}");
                let pings = frames.iter().filter(|it| it.control).count();
                assert_eq!(
                    pings,
                    if framing == Framing::FragmentedWithPings { 2 * packets.len() } else { 0 }
                );
                let pongs = client.receive(&out);
                assert!(
                    pongs.len() == pings
                        && pongs.iter().all(|it| matches!(it, Event::Control { answer: None, .. }))
                );
            }
        }
    }

    #[test]
    fn framings_cut_where_they_say() {
        let packets = [vec![1; 4], vec![2; 4], vec![3; 4]];
        let sizes = |framing| -> Vec<usize> {
            upgraded(framing)
                .0
                .frame(&packets)
                .iter()
                .map(|it| look(&it.bytes).expect("a frame").payload.len())
                .collect()
        };
        assert_eq!(sizes(Framing::OnePerPacket), [4, 4, 4]);
        assert_eq!(sizes(Framing::Together), [12]);
        assert_eq!(sizes(Framing::Misaligned), [6, 6]);
        assert_eq!(sizes(Framing::Bytes), [1; 12]);
        assert_eq!(sizes(Framing::Fragmented), [1, 1, 2, 1, 1, 2, 1, 1, 2]);
    }

    #[test]
    fn only_a_good_answer_makes_an_upgrade() {
        let taken = |lines: &str| {
            let mut client = client(Framing::default(), &["x", "mqtt"]);
            let answer = answer(&client, lines);
            matches!(&client.receive(&answer)[..], [Event::Upgraded(_)])
        };
        assert!(taken("ACCEPTSec-WebSocket-Protocol: mqtt\r\n"));
        assert!(taken("ACCEPTSec-WebSocket-Protocol: x\r\n"));
        assert!(taken("ACCEPT"));
        assert!(!taken(""));
        assert!(!taken("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(!taken("ACCEPTSec-WebSocket-Protocol: other\r\n"));
        assert!(!taken("ACCEPTSec-WebSocket-Extensions: permessage-deflate\r\n"));
        for wrong in ["HTTP/1.1 400 Bad Request\r\n\r\n", "\x20\x02\0\0 this is no HTTP\r\n\r\n"] {
            let mut client = client(Framing::default(), &["mqtt"]);
            assert!(matches!(&client.receive(wrong.as_bytes())[..], [Event::Refused(_)]), "{wrong}");
        }
    }

    #[test]
    fn wrong_frames_are_shown_and_answered_with_a_close() {
        let mut masked = Vec::new();
        put(&mut masked, OpCode::Data(Data::Binary), true, Some([1; 4]), b"x");
        for (bytes, fault, code) in [
            (&[0x81, 1, b'x'][..], "data as text", 1003),
            (&masked, "a mask on a frame from the server", 1002),
            (&[0x80, 1, b'x'], "a continuation with nothing to continue", 1002),
            (&[0xC2, 1, b'x'], "a reserved bit without an extension", 1002),
        ] {
            let (mut client, _) = upgraded(Framing::default());
            let good = [0x82, 2, b'o', b'k'];
            let events = client.receive(&[&good[..], bytes, &good[..]].concat());
            let [Event::Data(data), Event::Wrong { bytes, farewell }] = &events[..] else {
                panic!("{events:?}")
            };
            assert_eq!(data, b"ok");
            assert_eq!(fault_of(bytes).as_deref(), Some(fault));
            assert_eq!(look(farewell).and_then(|it| it.close_code), Some(code));
        }
    }

    #[test]
    fn close_is_answered_once_with_its_code() {
        let (mut client, _) = upgraded(Framing::default());
        let events = client.receive(&[0x88, 2, 0x03, 0xE8, 0x89, 0]);
        let [Event::Control { bytes, answer: Some(answer) }, Event::Control { answer: None, .. }] =
            &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!(fault_of(bytes), None);
        assert_eq!(look(answer).and_then(|it| it.close_code), Some(1000));
        assert_eq!(client.close(), None);
        assert!(client.frame(&[vec![1]]).is_empty());
    }

    #[test]
    fn the_key_is_16_bytes_in_base_64() {
        for seed in 0..200 {
            let key = WebSocket::new(Framing::default(), &[], Random::stream(seed, "test", 0)).key;
            assert!(key.len() == 24 && key.ends_with("==") && "AQgw".contains(&key[21..22]), "{key}");
        }
    }
}
