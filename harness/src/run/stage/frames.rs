//! What a stage does for clients whose bytes are carried by a WebSocket.

use crate::history::{EndedBy, Ending, Fact, Link};
use crate::network::{Piece, Towards};
use crate::scenario::Cut;
use crate::websocket::{Event, WebSocket};

use super::Stage;

impl Stage<'_> {
    /// Hands a packet to the network, or to those that wait for a frame.
    pub(super) fn send_packet(&mut self, link: Link, bytes: Vec<u8>, together: &mut Vec<Vec<u8>>) {
        if self.is_websocket(link) {
            together.push(bytes);
        } else {
            self.network.send(link, Towards::Broker, Piece::Bytes(bytes), self.now);
        }
    }

    /// Puts the packets that wait into frames and hands those to the network.
    pub(super) fn send_packets(&mut self, link: Link, together: &mut Vec<Vec<u8>>) {
        if together.is_empty() {
            return;
        }
        let packets = std::mem::take(together);
        let Some(websocket) = &mut self.lines[link.0 as usize].websocket else { return };
        for frame in websocket.frame(&packets) {
            if frame.control {
                self.frame_fact(link, &frame.bytes, false);
            }
            self.network.send(link, Towards::Broker, Piece::Bytes(frame.bytes), self.now);
        }
    }

    /// Sends one frame that is no packet of the client's own.
    pub(super) fn send_frame(&mut self, link: Link, frame: impl FnOnce(&mut WebSocket) -> Option<Vec<u8>>) {
        let line = &mut self.lines[link.0 as usize];
        if line.over {
            return;
        }
        if let Some(bytes) = line.websocket.as_deref_mut().and_then(frame) {
            self.frame_fact(link, &bytes, false);
            self.network.send(link, Towards::Broker, Piece::Bytes(bytes), self.now);
        }
    }

    fn frame_fact(&mut self, link: Link, bytes: &[u8], from_broker: bool) {
        let bytes = self.history.store(bytes);
        self.fact(Fact::Frame { link, bytes, from_broker });
    }

    /// Takes frames apart; what they hold goes on as in any stream.
    pub(super) fn unframe(&mut self, link: Link, bytes: &[u8]) {
        let Some(websocket) = &mut self.lines[link.0 as usize].websocket else { return };
        for event in websocket.receive(bytes) {
            if self.lines[link.0 as usize].over {
                return;
            }
            match event {
                Event::Upgraded(head) => {
                    let bytes = self.history.store(&head);
                    self.fact(Fact::UpgradeReceived { link, bytes });
                    self.stands(link);
                }
                Event::Refused(head) => {
                    let bytes = self.history.store(&head);
                    self.fact(Fact::UpgradeReceived { link, bytes });
                    self.end_at_client(link, Cut::Close, EndedBy::Network, Ending::Refused, false);
                }
                Event::Data(bytes) => self.take(link, bytes),
                Event::Control { bytes, answer } => {
                    self.frame_fact(link, &bytes, true);
                    self.send_frame(link, |_| answer);
                }
                Event::Wrong { bytes, farewell } => {
                    self.frame_fact(link, &bytes, true);
                    self.send_frame(link, |_| Some(farewell));
                    self.end_at_client(link, Cut::Close, EndedBy::Client, Ending::Fin, false);
                }
            }
        }
    }
}
