//! The server's end of one WebSocket.

use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::http::HeaderValue;

use super::flaw::{Flaw, Flaws};
use super::frame::{CloseCode, Control, Data, Event, FrameReader, OpCode, put};
use crate::codec::next_frame;
use crate::core::Config;

/// The subprotocol that a server selects (MQTT-6.0.0-4).
pub const SUBPROTOCOL: &str = "mqtt";

/// The longest upgrade request, with all of its header lines.
const LONGEST_REQUEST: usize = 16 * 1024;

const OFFER: &str = "sec-websocket-protocol";

/// Answers what is no upgrade to MQTT over WebSocket.
const REFUSAL: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The upgrade request has not come, or not all of it.
    Upgrade,
    /// Data pass.
    Open,
    /// This end has sent Close; data that still come are dropped.
    Closing,
    /// Nothing comes and goes any more: the network connection is to be closed.
    Over,
}

/// The server's end: bytes of the network in, bytes of MQTT and answers out.
///
/// It takes an upgrade to any path that offers `mqtt`, and refuses one that does not: there would be nothing
/// that it may select. Each call to [`Endpoint::send`] makes one binary frame.
#[derive(Debug)]
pub struct Endpoint {
    phase: Phase,
    request: Vec<u8>,
    reader: FrameReader,
    flaws: Flaws,
    /// What a flaw holds back until a frame ends.
    held: Vec<u8>,
    /// A flaw drops the rest of the message.
    dropping: bool,
    /// The frame that comes in is a continuation.
    continues: bool,
    /// A fragmented message is open.
    inside: bool,
}

impl Endpoint {
    /// An end that waits for the upgrade. The configuration says which defect it has, if any.
    pub fn new(config: &Config) -> Endpoint {
        Endpoint {
            phase: Phase::Upgrade,
            request: Vec::new(),
            reader: FrameReader::new(true),
            flaws: Flaws::of(config),
            held: Vec::new(),
            dropping: false,
            continues: false,
            inside: false,
        }
    }

    /// Whether the network connection is to be closed, after what was put out.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Takes bytes from the network. Bytes of MQTT are appended to `mqtt`, answers to `out`.
    pub fn receive(&mut self, bytes: &[u8], mqtt: &mut Vec<u8>, out: &mut Vec<u8>) {
        match self.phase {
            Phase::Over => {}
            Phase::Upgrade => {
                self.request.extend_from_slice(bytes);
                self.upgrade(mqtt, out);
            }
            Phase::Open | Phase::Closing => self.frames(bytes, mqtt, out),
        }
    }

    /// Sends bytes of MQTT in one frame.
    pub fn send(&mut self, mqtt: &[u8], out: &mut Vec<u8>) {
        if self.phase == Phase::Open && !mqtt.is_empty() {
            let kind = if self.flaws.has(Flaw::TextSent) { Data::Text } else { Data::Binary };
            put(out, OpCode::Data(kind), true, None, mqtt);
        }
    }

    /// Begins the end of the connection; nothing is sent after it.
    pub fn close(&mut self, out: &mut Vec<u8>) {
        match self.phase {
            Phase::Open => {
                close_frame(CloseCode::Normal, out);
                self.phase = Phase::Closing;
            }
            Phase::Upgrade => self.phase = Phase::Over,
            Phase::Closing | Phase::Over => {}
        }
    }

    fn upgrade(&mut self, mqtt: &mut Vec<u8>, out: &mut Vec<u8>) {
        let (length, request) = match Request::try_parse(&self.request) {
            Ok(Some(found)) => found,
            Ok(None) if self.request.len() <= LONGEST_REQUEST => return,
            _ => return self.refuse(out),
        };
        let offered: Vec<String> = request
            .headers()
            .get_all(OFFER)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .map(|name| name.trim().to_owned())
            .collect();
        let selected = match offered.first() {
            Some(first) if self.flaws.has(Flaw::SubprotocolFirst) => first.clone(),
            _ if offered.iter().any(|name| name == SUBPROTOCOL) => SUBPROTOCOL.to_owned(),
            _ => return self.refuse(out),
        };
        let (Ok(mut response), Ok(selected)) = (create_response(&request), HeaderValue::from_str(&selected))
        else {
            return self.refuse(out);
        };
        if !self.flaws.has(Flaw::SubprotocolMissing) {
            response.headers_mut().insert(OFFER, selected);
        }
        if write_response(&mut *out, &response).is_err() {
            return self.refuse(out);
        }
        self.phase = Phase::Open;
        let request = std::mem::take(&mut self.request);
        self.frames(&request[length..], mqtt, out);
    }

    fn refuse(&mut self, out: &mut Vec<u8>) {
        self.request = Vec::new();
        self.phase = Phase::Over;
        out.extend_from_slice(REFUSAL);
    }

    fn frames(&mut self, mut bytes: &[u8], mqtt: &mut Vec<u8>, out: &mut Vec<u8>) {
        while self.phase != Phase::Over {
            match self.reader.next(&mut bytes) {
                Ok(Some(event)) => self.event(event, mqtt, out),
                Ok(None) => return,
                Err(_) => self.fail(CloseCode::Protocol, out),
            }
        }
    }

    fn event(&mut self, event: Event, mqtt: &mut Vec<u8>, out: &mut Vec<u8>) {
        match event {
            Event::Begin { text, continues, .. } => {
                self.continues = continues;
                self.inside = true;
                if !continues {
                    self.dropping = false;
                }
                if text && self.flaws.has(Flaw::TextIgnored) {
                    self.dropping = true;
                } else if text && !self.flaws.has(Flaw::TextAccepted) {
                    // MQTT-6.0.0-1: MQTT travels in binary frames, and another data frame ends the connection.
                    self.fail(CloseCode::Unsupported, out);
                }
            }
            Event::Payload(_) if self.phase == Phase::Closing || self.dropping => {}
            Event::Payload(_) if self.continues && self.flaws.has(Flaw::ContinuationDropped) => {}
            Event::Payload(bytes) if self.takes_frames_for_packets() => self.held.extend_from_slice(&bytes),
            Event::Payload(bytes) => mqtt.extend_from_slice(&bytes),
            Event::End { last } => {
                self.inside = !last;
                if self.takes_frames_for_packets() {
                    let held = std::mem::take(&mut self.held);
                    mqtt.extend_from_slice(self.packets_of(&held));
                }
            }
            Event::Control { kind: Control::Ping, payload, .. } => {
                self.dropping |= self.inside && self.flaws.has(Flaw::ControlEndsMessage);
                if self.phase == Phase::Open {
                    put(out, OpCode::Control(Control::Pong), true, None, &payload);
                }
            }
            Event::Control { kind: Control::Close, payload, .. } => {
                if self.phase == Phase::Open {
                    // The answer has the code that came; a payload of one byte is none.
                    let code = payload.get(..2).unwrap_or_default();
                    put(out, OpCode::Control(Control::Close), true, None, code);
                }
                self.phase = Phase::Over;
            }
            Event::Control { .. } => {}
        }
    }

    fn fail(&mut self, code: CloseCode, out: &mut Vec<u8>) {
        if self.phase == Phase::Open {
            close_frame(code, out);
        }
        self.phase = Phase::Over;
    }

    fn takes_frames_for_packets(&self) -> bool {
        self.flaws.has(Flaw::FirstPacketOnly) || self.flaws.has(Flaw::PartialPacketDropped)
    }

    /// What a flawed end takes out of a frame.
    fn packets_of<'f>(&self, frame: &'f [u8]) -> &'f [u8] {
        let mut end = 0;
        while let Ok(Some(packet)) = next_frame(&frame[end..], None) {
            end += packet.len();
            if self.flaws.has(Flaw::FirstPacketOnly) {
                return &frame[..end];
            }
        }
        if self.flaws.has(Flaw::FirstPacketOnly) { frame } else { &frame[..end] }
    }
}

fn close_frame(code: CloseCode, out: &mut Vec<u8>) {
    put(out, OpCode::Control(Control::Close), true, None, &u16::from(code).to_be_bytes());
}
