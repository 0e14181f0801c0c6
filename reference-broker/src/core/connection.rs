//! A Network Connection: bytes become packets, packets go where they belong, and in the end it closes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::config::{
    DisconnectBeforeClose, DupOnQos0, LiveRetransmission, NonMinimalLength, SurplusBytes, TakeoverNotice,
    WillOnShutdown,
};
use super::connect::Pending;
use super::seam::Sending;
use super::session::{NEVER, SessionId};
use super::timer::Timer;
use super::violation::{End, Moment, Violation};
use super::will::after;
use super::{Broker, ConnectionId, Output, Time};
use crate::codec::{
    DecodeError, Disconnect, Frame, FrameError, Header, Packet, PacketType, PropertyId, ProtocolVersion,
    Rule, decode_frame, next_frame, next_frame_of_any_form,
};

/// Time between two transmissions to a client of 3.1 or 3.1.1 that does not acknowledge.
const RETRANSMISSION_PERIOD: Duration = Duration::from_secs(10);

/// How far a connection has come.
#[derive(Debug)]
pub(crate) enum Phase {
    /// CONNECT has not come yet.
    Awaiting,
    /// CONNECT has come, and the authentication method asks on.
    Authenticating(Box<Pending>),
    /// CONNACK has been sent.
    Open(SessionId),
}

/// What the broker knows of a Network Connection. All of it ends with the connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub phase: Phase,
    pub version: ProtocolVersion,
    /// Bytes of a packet that is not complete.
    pub buffer: Vec<u8>,
    /// When the last packet came, or else when the connection was opened.
    pub last_packet: Time,
    /// How long it may be silent; `None` for ever.
    pub patience: Option<Duration>,
    /// When the timer of its silence is armed for: never later than it is due.
    pub timer: Option<Time>,
    /// When what it has not acknowledged is sent again.
    pub again: Option<Time>,
    /// The client's Receive Maximum, or the server's own limit if that is smaller.
    pub window: u16,
    /// The client's Maximum Packet Size.
    pub packet_limit: u32,
    /// The client's Topic Alias Maximum.
    pub alias_limit: u16,
    /// The client's Request Problem Information.
    pub wants_diagnostics: bool,
    /// Topic Aliases of the client.
    pub aliases_in: BTreeMap<u16, Arc<str>>,
    /// Topic Aliases of the server.
    pub aliases_out: BTreeMap<Box<str>, u16>,
    /// QoS 2 messages of this connection that are not complete, against the server's Receive Maximum.
    pub receiving: u16,
    /// Whether it goes on with a session that existed.
    pub resumed: bool,
    /// The user whose rights it has.
    pub user: Option<Box<str>>,
    /// Authentication Method of CONNECT.
    pub method: Option<Box<str>>,
    /// The round of the re-authentication that is going on.
    pub reauthentication: Option<u32>,
}

impl Connection {
    pub(crate) fn new(now: Time, silent_until: Time) -> Connection {
        Connection {
            phase: Phase::Awaiting,
            version: ProtocolVersion::V5,
            buffer: Vec::new(),
            last_packet: now,
            patience: None,
            timer: Some(silent_until),
            again: None,
            window: u16::MAX,
            packet_limit: u32::MAX,
            alias_limit: 0,
            wants_diagnostics: true,
            aliases_in: BTreeMap::new(),
            aliases_out: BTreeMap::new(),
            receiving: 0,
            resumed: false,
            user: None,
            method: None,
            reauthentication: None,
        }
    }
}

impl Broker {
    /// Cuts packets from what arrived, and keeps what is left over.
    pub(super) fn take_bytes(&mut self, id: ConnectionId, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let mut buffer = std::mem::take(&mut connection.buffer);
        if buffer.is_empty() {
            let used = self.take_packets(id, bytes);
            buffer.extend_from_slice(&bytes[used..]);
        } else {
            buffer.extend_from_slice(bytes);
            let used = self.take_packets(id, &buffer);
            buffer.drain(..used);
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.buffer = buffer;
        }
    }

    /// Processes the complete packets in `bytes`; answers how many bytes they took.
    fn take_packets(&mut self, id: ConnectionId, bytes: &[u8]) -> usize {
        let limit = self.seam.read_limit(Some(self.config.maximum_packet_size.0));
        let mut at = 0;
        while self.connections.contains_key(&id) {
            let next = match self.config.non_minimal_length {
                NonMinimalLength::Close => next_frame(&bytes[at..], limit),
                NonMinimalLength::Tolerate => next_frame_of_any_form(&bytes[at..], limit),
            };
            match next {
                Ok(Some(frame)) => {
                    at += frame.len();
                    self.take_frame(id, frame);
                    if !self.seam.reads_on(true, frame.packet_type()) {
                        return bytes.len();
                    }
                }
                Ok(None) => return at,
                Err(error) => {
                    let end = match error {
                        FrameError::RemainingLengthTooLong => {
                            End::Malformed(Rule::RemainingLengthTooLong.at(1))
                        }
                        FrameError::RemainingLengthNotMinimal => {
                            End::Malformed(Rule::RemainingLengthNotMinimal.at(1))
                        }
                        FrameError::TooLarge(_) => End::Violation(Violation::PacketTooLarge),
                    };
                    // Nothing that follows can be told apart any more. A defect that stays throws away what there is.
                    self.close(id, end);
                    return bytes.len();
                }
            }
        }
        bytes.len()
    }

    fn take_frame(&mut self, id: ConnectionId, frame: Frame<'_>) {
        let Some(connection) = self.connections.get(&id) else { return };
        let version = connection.version;
        if !self.seam.takes_frame(true, frame, version) {
            return;
        }
        if matches!(connection.phase, Phase::Awaiting) && frame.packet_type() != Some(PacketType::Connect) {
            return self.violated(id, Violation::FirstPacketNotConnect);
        }
        // Matched in place: a packet that is moved is copied.
        match &mut decode_frame(frame, version) {
            Ok(packet) => self.take_packet(id, packet),
            Err(error) => self.take_repaired(id, frame, *error, version),
        }
    }

    /// A packet that breaks the format: processed in so far as a tolerated error is all that is wrong with
    /// it, and the end of the connection otherwise.
    fn take_repaired(
        &mut self,
        id: ConnectionId,
        frame: Frame<'_>,
        error: DecodeError,
        version: ProtocolVersion,
    ) {
        let Some((first, body)) = self.repaired(frame, error, version) else {
            return self.malformed(id, frame, error);
        };
        let remaining = body.len() as u32;
        let repaired = Frame { header: Header { first, remaining, len: frame.header.len }, body: &body };
        match &mut decode_frame(repaired, version) {
            Ok(packet) => self.take_packet(id, packet),
            Err(error) => self.malformed(id, frame, *error),
        }
    }

    /// The packet without its error, where the configuration tolerates the error.
    fn repaired(
        &self,
        frame: Frame<'_>,
        error: DecodeError,
        version: ProtocolVersion,
    ) -> Option<(u8, Vec<u8>)> {
        let first = frame.header.first;
        match error.rule {
            Rule::DupWithQosZero if self.config.dup_on_qos0 == DupOnQos0::Tolerate => {
                Some((first & !0b1000, frame.body.to_vec()))
            }
            Rule::SurplusBytes
                if self.config.surplus_bytes == SurplusBytes::Ignore
                    && frame.packet_type() != Some(PacketType::Connect) =>
            {
                let end = error.at.saturating_sub(frame.header.len).min(frame.body.len());
                Some((first, frame.body[..end].to_vec()))
            }
            _ => self.seam.repairs(frame, error, version),
        }
    }

    fn malformed(&mut self, id: ConnectionId, frame: Frame<'_>, error: DecodeError) {
        let awaiting =
            self.connections.get(&id).is_some_and(|connection| matches!(connection.phase, Phase::Awaiting));
        if awaiting {
            self.refuse_malformed(id, frame, error);
        } else {
            self.close(id, End::Malformed(error));
        }
    }

    fn take_packet(&mut self, id: ConnectionId, packet: &mut Packet<'_>) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if self.seam.breaks_silence(true, packet.packet_type()) {
            connection.last_packet = now;
        }
        if !self.seam.incoming(packet, connection.version) {
            return;
        }
        let Phase::Open(session) = connection.phase else { return self.take_early_packet(id, packet) };
        if !self.seam.serves(true, packet.packet_type(), &|| self.window_is_full(id, session)) {
            return;
        }
        match packet {
            Packet::Publish(publish) => self.take_publish(id, session, publish),
            Packet::Puback(ack) => self.take_puback(id, session, ack),
            Packet::Pubrec(ack) => self.take_pubrec(id, session, ack),
            Packet::Pubrel(ack) => self.take_pubrel(id, session, ack),
            Packet::Pubcomp(ack) => self.take_pubcomp(id, session, ack),
            Packet::Subscribe(subscribe) => self.take_subscribe(id, session, subscribe),
            Packet::Unsubscribe(unsubscribe) => self.take_unsubscribe(id, session, unsubscribe),
            Packet::Pingreq => self.answer(id, Packet::Pingresp),
            Packet::Disconnect(disconnect) => self.take_disconnect(id, session, disconnect),
            Packet::Auth(auth) => self.take_auth(id, auth),
            Packet::Connect(connect) => {
                if self.forbids(id, Violation::SecondConnect) {
                    return;
                }
                self.take_connect(id, connect);
            }
            Packet::Connack(_) | Packet::Suback(_) | Packet::Unsuback(_) | Packet::Pingresp => {
                self.violated(id, Violation::WrongDirection(packet.packet_type()));
            }
        }
    }

    /// Whether the client's Receive Maximum is used up.
    fn window_is_full(&self, id: ConnectionId, session: SessionId) -> bool {
        let window = self.connections.get(&id).map_or(u16::MAX, |connection| connection.window);
        let used = self.state.sessions.get(session).map_or(0, |session| session.outbox.used());
        used >= usize::from(window)
    }

    /// A packet before CONNACK.
    fn take_early_packet(&mut self, id: ConnectionId, packet: &Packet<'_>) {
        let awaiting =
            self.connections.get(&id).is_some_and(|connection| matches!(connection.phase, Phase::Awaiting));
        match packet {
            Packet::Connect(connect) if awaiting => self.take_connect(id, connect),
            Packet::Connect(_) => self.violated(id, Violation::SecondConnect),
            Packet::Auth(auth) if !awaiting => self.take_auth(id, auth),
            Packet::Disconnect(_) if !awaiting => self.close(id, End::Disconnected { will: true }),
            _ if awaiting => self.violated(id, Violation::FirstPacketNotConnect),
            _ => self.violated(id, Violation::PacketDuringAuthentication),
        }
    }

    /// DISCONNECT from the client (section 3.14).
    fn take_disconnect(&mut self, id: ConnectionId, session: SessionId, disconnect: &Disconnect<'_>) {
        let version = self.connections.get(&id).map_or(ProtocolVersion::V5, |connection| connection.version);
        if version != ProtocolVersion::V5 {
            return self.close(id, End::Disconnected { will: false });
        }
        if !disconnect.reason.allowed_from(PacketType::Disconnect, false)
            && self.forbids(id, Violation::ServerReason(disconnect.reason))
        {
            return;
        }
        if disconnect.properties.get(PropertyId::ServerReference).is_some()
            && self.forbids(id, Violation::ServerProperty(PropertyId::ServerReference))
        {
            return;
        }
        let asked = disconnect.properties.number(PropertyId::SessionExpiryInterval);
        let change = self.seam.changed_expiry(asked);
        let expiry = self.state.sessions.get(session).map_or(0, |session| session.expiry);
        if let Some(change) = change {
            // Such a DISCONNECT does not count as one: the will is due (U5-36).
            if expiry == 0 && change > 0 && self.forbids(id, Violation::SessionExpiryRaised) {
                return;
            }
            let maximum = self.config.session_expiry_maximum.0;
            if let Some(session) = self.state.sessions.get_mut(session) {
                session.expiry = change.min(maximum);
            }
        }
        self.close(id, End::Disconnected { will: disconnect.reason.0 != 0 });
    }

    /// Ends the connection because of a violation.
    pub(super) fn violated(&mut self, id: ConnectionId, violation: Violation) {
        self.forbids(id, violation);
    }

    /// The same; answers whether the packet must not be processed.
    pub(super) fn forbids(&mut self, id: ConnectionId, violation: Violation) -> bool {
        if self.seam.tolerates(false, violation) {
            return false;
        }
        self.close(id, End::Violation(violation));
        true
    }

    /// The connection has been silent, for as long as it may be or until it was last looked at.
    pub(super) fn silence(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.timer = None;
        if !matches!(connection.phase, Phase::Open(_)) {
            return self.close(id, End::NoConnect);
        }
        let Some(patience) = connection.patience else { return };
        let due = connection.last_packet + patience;
        if due > self.now {
            connection.timer = Some(due);
            self.timers.arm(due, Timer::Silence(id));
        } else {
            self.close(id, End::KeepAlive);
        }
    }

    /// Arms the timer for sending again, where that is what is configured and the version allows it.
    pub(super) fn plan_to_send_again(&mut self, id: ConnectionId) {
        if self.config.live_retransmission == LiveRetransmission::Never {
            return;
        }
        let connection = self.connections.get_mut(&id);
        let Some(connection) = connection.filter(|it| it.version != ProtocolVersion::V5) else { return };
        let due = self.now + RETRANSMISSION_PERIOD;
        connection.again = Some(due);
        self.timers.arm(due, Timer::Again(id));
    }

    /// Sends again what the client has not acknowledged, in the old order and with DUP 1.
    pub(super) fn send_again(&mut self, id: ConnectionId) {
        let Some(Phase::Open(session)) = self.connections.get(&id).map(|connection| &connection.phase) else {
            return;
        };
        let session = *session;
        if let Some(session) = self.state.sessions.get_mut(session) {
            session.outbox.interrupt();
        }
        self.resume(session);
        self.plan_to_send_again(id);
    }

    /// Ends a connection, unless a defect keeps it.
    pub(super) fn close(&mut self, id: ConnectionId, end: End) {
        if end == End::Lost || self.seam.closes(true, end) {
            self.end_connection(id, end);
        }
    }

    /// Ends a connection: says why, closes it, and leaves the session to itself.
    pub(super) fn end_connection(&mut self, id: ConnectionId, end: End) {
        let told = self.send_notice(id, end);
        let Some(connection) = self.connections.remove(&id) else { return };
        self.timers.cancel(connection.timer, Timer::Silence(id));
        self.timers.cancel(connection.again, Timer::Again(id));
        if end != End::Lost && (!told || self.seam.closes_after_notice(true)) {
            self.outputs.push_back(Output::Close { connection: id });
        }
        if let Phase::Open(session) = connection.phase {
            self.detach(session, id, end);
        }
        self.moment(Moment::Closed(end));
    }

    /// DISCONNECT (5.0, section 3.14) or, before CONNACK, a CONNACK that refuses. Answers whether DISCONNECT
    /// was sent.
    fn send_notice(&mut self, id: ConnectionId, end: End) -> bool {
        let Some(connection) = self.connections.get(&id) else { return false };
        let Some((reason, text)) = end.notice() else { return false };
        let silent = match end {
            End::TakenOver => self.config.takeover_notice == TakeoverNotice::None,
            _ => self.config.disconnect_before_close == DisconnectBeforeClose::CloseSilent,
        };
        if connection.version != ProtocolVersion::V5 || silent {
            return false;
        }
        match connection.phase {
            Phase::Open(_) => {
                let properties = self.diagnostics(id, PacketType::Disconnect, reason, text);
                self.send(id, Packet::Disconnect(Disconnect { reason, properties }), Sending::Notice)
            }
            Phase::Authenticating(_) => {
                self.send_refusal(id, reason, text);
                false
            }
            Phase::Awaiting => false,
        }
    }

    /// The session has lost its connection: the will becomes due, the time of the session begins to run.
    fn detach(&mut self, id: SessionId, connection: ConnectionId, end: End) {
        self.moment(Moment::Ending { session: id, end });
        let Some(session) = self.state.sessions.get_mut(id) else { return };
        if session.connection != Some(connection) {
            return;
        }
        session.connection = None;
        session.outbox.interrupt();
        let due = !matches!(end, End::Disconnected { will: false });
        if !self.seam.will_is_due(due, end) {
            session.will = None;
        }
        let expiry = session.expiry;
        let delay = session.will.as_ref().map_or(0, |will| self.seam.will_delay(will.delay, expiry));
        if expiry == 0 {
            return self.end_session(id);
        }
        if expiry != NEVER {
            let at = after(self.now, expiry);
            session.ends_at = Some(at);
            self.timers.arm(at, Timer::SessionExpiry(id));
        }
        if session.will.is_some() && delay > 0 {
            let at = after(self.now, delay);
            session.will_at = Some(at);
            self.timers.arm(at, Timer::Will(id));
        } else {
            self.publish_will(id);
        }
        self.redirect_at_once(id);
    }

    /// The Session Expiry Interval has passed (MQTT-4.1.0-2).
    pub(super) fn session_expired(&mut self, id: SessionId) {
        if let Some(session) = self.state.sessions.get_mut(id) {
            session.ends_at = None;
        }
        self.end_session(id);
    }

    /// Ends a session: nothing of it is left but its will, which is published now (MQTT-3.1.2-8).
    pub(super) fn end_session(&mut self, id: SessionId) {
        self.moment(Moment::SessionEnding(id));
        let Some(mut session) = self.state.sessions.remove(id) else { return };
        self.timers.cancel(session.ends_at, Timer::SessionExpiry(id));
        self.timers.cancel(session.will_at, Timer::Will(id));
        for (filter, held) in &session.subscriptions {
            self.state.unlink(id, filter, held.group);
        }
        if let Some(will) = session.will.take()
            && self.seam.session_end_publishes_will(true)
        {
            self.publish_stored_will(&will);
        }
        self.redirect_all(*session);
    }

    /// Publishes the wills that a stop of the server makes due, while there are still connections to hear
    /// them.
    pub(super) fn publish_wills_at_shutdown(&mut self) {
        let sessions: Vec<SessionId> = self.state.sessions.iter().map(|(id, _)| id).collect();
        for id in sessions {
            if self.config.will_on_shutdown == WillOnShutdown::AtShutdown {
                self.publish_will(id);
            } else {
                self.drop_will(id);
            }
        }
    }
}
