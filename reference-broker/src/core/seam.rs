//! The named decision points of the core.
//!
//! Where the standard makes a rule, the core asks its seam by a name in the standard's terms. In an ordinary
//! build [`Seam`] has no size and every answer is the right one, so nothing of this is left in the binary.
//! With the feature `defects` one named bug may answer instead: see [`defects`](super::defects). The core
//! never asks which.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::access::Action;
use super::message::Message;
use super::outbox::Outbox;
use super::retained::Retained;
use super::session::{Held, SessionId};
use super::state::State;
use super::tree::{Entry, Found, Grant};
use super::violation::{End, Moment, Violation};
use super::will::StoredWill;
use super::{Broker, Config, ConnectionId, Time};
use crate::codec::{
    DecodeError, Frame, Packet, PacketType, ProtocolVersion, QoS, ReasonCode, RetainHandling,
};

/// Why a packet is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "defects"), allow(dead_code, reason = "only defects look at it"))]
pub(crate) enum Sending {
    /// It answers a packet of the client.
    Answer,
    /// A message, for the first time.
    Delivery,
    /// A retained message, because of a new subscription.
    Retained,
    /// A PUBLISH or PUBREL again, on a resumed session.
    Repetition,
    /// The server's own wish: DISCONNECT.
    Notice,
}

/// What becomes of a packet on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "defects"), allow(dead_code, reason = "packets go out once"))]
pub(crate) enum Fate {
    /// It is sent.
    Once,
    /// It is sent twice.
    Twice,
    /// It is not sent.
    Never,
}

/// What a PUBLISH does to the retained message of its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retention {
    /// It takes its place.
    Replace,
    /// It removes it.
    Clear,
    /// Nothing.
    Leave,
}

macro_rules! seams {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty { $right:expr })*) => {
        /// The decision points, with the right answers.
        #[cfg(not(feature = "defects"))]
        #[derive(Debug)]
        pub(crate) struct Seam;

        #[cfg(not(feature = "defects"))]
        #[allow(
            unused_variables,
            clippy::ptr_arg,
            reason = "the right answer does not depend on everything that one could ask, nor change it"
        )]
        impl Seam {
            pub(crate) const fn new(config: &Config) -> Seam {
                Seam
            }
            $($(#[$doc])*
            #[inline(always)]
            pub(crate) fn $name(&self, $($argument: $kind),*) -> $answer {
                $right
            })*
        }

        /// The decision points, with the answers of a defect if one is active.
        #[cfg(feature = "defects")]
        #[derive(Debug)]
        pub(crate) struct Seam {
            pub(super) defect: Option<super::defects::Kind>,
            pub(super) memory: super::defects::Memory,
        }

        #[cfg(feature = "defects")]
        impl Seam {
            pub(crate) fn new(config: &Config) -> Seam {
                Seam { defect: config.defect, memory: super::defects::Memory::default() }
            }
            $($(#[$doc])*
            #[inline]
            pub(crate) fn $name(&self, $($argument: $kind),*) -> $answer {
                match self.defect {
                    None => $right,
                    Some(kind) => super::defects::seams::$name(kind, &self.memory, $($argument),*),
                }
            })*
        }
    };
}

seams! {
    /// Session Present of a CONNACK that accepts (MQTT-3.2.2-2 and -3).
    fn session_present(present: bool, clean_start: bool) -> bool { present }
    /// Whether CONNECT discards the session that there is (MQTT-3.1.2-4).
    fn discards_session(discards: bool) -> bool { discards }
    /// The Session Expiry Interval in force (MQTT-3.1.2-23).
    fn session_expiry(seconds: u32) -> u32 { seconds }
    /// The Session Expiry Interval that DISCONNECT sets (U5-84).
    fn changed_expiry(change: Option<u32>) -> Option<u32> { change }
    /// Whether a CONNECT closes the earlier connection of its session (MQTT-3.1.4-3).
    fn takeover_closes(closes: bool) -> bool { closes }
    /// The Client Identifier that an empty one is replaced by (MQTT-3.1.3-6).
    fn assigned_client_id(client_id: String) -> String { client_id }
    /// Whether a Client Identifier is taken (MQTT-3.1.3-5).
    fn takes_client_id(takes: bool, client_id: &str) -> bool { takes }
    /// The name under which the session of a Client Identifier is kept (MQTT-3.1.3-2).
    fn session_name(client_id: &mut Cow<'_, str>) -> () { () }
    /// The return code for a malformed CONNECT of 3.1.1, which has none (MQTT-3.2.2-6).
    fn malformed_connect_code(code: Option<ReasonCode>) -> Option<ReasonCode> { code }
    /// The keep alive in force, in seconds (MQTT-3.2.2-22).
    fn keep_alive(seconds: u16) -> u16 { seconds }
    /// How long a connection may be silent (MQTT-3.1.2-22).
    fn patience(patience: Duration) -> Duration { patience }
    /// Whether a packet from the client ends its silence (MQTT-3.1.2-22).
    fn breaks_silence(breaks: bool, packet: PacketType) -> bool { breaks }
    /// Whether a packet from the server ends the client's silence.
    fn sending_breaks_silence(breaks: bool) -> bool { breaks }
    /// The will as it is stored (MQTT-3.1.2-7 and -9).
    fn stored_will(will: StoredWill) -> Option<StoredWill> { Some(will) }
    /// Whether the end of a connection makes the will due (MQTT-3.1.2-8).
    fn will_is_due(due: bool, end: End) -> bool { due }
    /// The Will Delay Interval in force (MQTT-3.1.2-8).
    fn will_delay(seconds: u32, expiry: u32) -> u32 { seconds }
    /// Whether the end of the session publishes the will (MQTT-3.1.2-8).
    fn session_end_publishes_will(publishes: bool) -> bool { publishes }
    /// Whether the will outlives its publication (MQTT-3.1.2-10).
    fn will_is_kept(kept: bool) -> bool { kept }
    /// Whether a new connection to the session takes the will back (MQTT-3.1.3-9).
    fn resume_cancels_will(cancels: bool) -> bool { cancels }
    /// The QoS of a delivery (MQTT-3.8.4-8).
    fn delivered_qos(qos: QoS, published: QoS, granted: QoS) -> QoS { qos }
    /// The QoS that a subscription is granted (MQTT-3.8.4-7).
    fn granted_qos(qos: QoS) -> QoS { qos }
    /// RETAIN of a message on an established subscription (MQTT-3.3.1-12 and -13).
    fn forwarded_retain(retain: bool, published: bool, as_published: bool) -> bool { retain }
    /// Whether a SUBSCRIBE is sent the retained messages (MQTT-3.3.1-9 to -11, U5-34).
    fn sends_retained(sends: bool, handling: RetainHandling, existed: bool, shared: bool) -> bool { sends }
    /// What a PUBLISH does to the retained message (MQTT-3.3.1-5 to -8).
    fn retention(retention: Retention, published_retain: bool, qos: QoS, topic: &str) -> Retention { retention }
    /// Whether No Local hides a message from its publisher (MQTT-3.8.3-3).
    fn hides_own(hides: bool) -> bool { hides }
    /// Finds the matching subscriptions in place of the tree; false if it has not.
    fn finds(state: &State, topic: &str, found: &mut Found) -> bool { false }
    /// Finds the matching retained messages in place of the store; false if it has not.
    fn finds_retained(retained: &Retained, filter: &str, found: &mut Vec<Arc<Message>>) -> bool { false }
    /// The Subscription Identifiers of a delivery, because of some of these subscriptions (MQTT-3.3.4-3 to -5).
    fn subscription_ids(ids: &mut Vec<u32>, session: SessionId, matching: &[Entry]) -> () { () }
    /// Which subscriptions an UNSUBSCRIBE ends, in place of the one with this filter (MQTT-3.10.4-1).
    fn unsubscribed(asked: &str, held: &BTreeMap<Box<str>, Held>) -> Option<Vec<Box<str>>> { None }
    /// Whether every member of a shared subscription gets the message (U5-43).
    fn serves_all_members(all: bool) -> bool { all }
    /// Whether a shared message goes to another member when its own is gone (U5-42, MQTT-4.8.2-5).
    fn redirects(redirects: bool, qos: QoS, begun: bool) -> bool { redirects }
    /// How many QoS 1 and 2 messages may be in flight towards the client (MQTT-3.3.4-9).
    fn window(window: u16) -> u16 { window }
    /// The same after an acknowledgement that settles nothing (U5-44).
    fn window_after_surplus(window: u16) -> u16 { window }
    /// Whether a message has expired (MQTT-3.3.2-5).
    fn is_expired(expired: bool, begun: bool) -> bool { expired }
    /// The Message Expiry Interval that is sent on (MQTT-3.3.2-6).
    fn remaining_expiry(seconds: u32) -> u32 { seconds }
    /// The Topic Alias Maximum of the client (MQTT-3.1.2-26).
    fn alias_limit(limit: u16) -> u16 { limit }
    /// The Maximum Packet Size of the client (MQTT-3.1.2-24).
    fn packet_limit(limit: u32) -> u32 { limit }
    /// Whether an unacknowledged PUBLISH or PUBREL is sent again on a resumed session (MQTT-4.4.0-1).
    fn resends(resends: bool, packet: PacketType) -> bool { resends }
    /// Whether an acknowledgement settles its exchange (MQTT-4.4.0-2, MQTT-4.3.3-6).
    fn settles(settles: bool, packet: PacketType) -> bool { settles }
    /// Whether a PUBREC of 0x80 or more ends the exchange (MQTT-4.3.3-4).
    fn refusal_settles(settles: bool) -> bool { settles }
    /// Whether a message that waits goes ahead of those that wait already (MQTT-4.6.0-5).
    fn queues_in_front(front: bool) -> bool { front }
    /// Whether a QoS 2 PUBLISH repeats one that is known (MQTT-4.3.3-10).
    fn is_repetition(repetition: bool, packet_id: u16, outbox: &Outbox) -> bool { repetition }
    /// Whether PUBREL ends the exchange, so that its identifier is new again (MQTT-4.3.3-12).
    fn release_forgets(forgets: bool) -> bool { forgets }
    /// Whether a message is queued for a client that is away (MQTT-4.5.0-1).
    fn queues(queues: bool, qos: QoS) -> bool { queues }
    /// Whether a violation is let pass (MQTT-4.13.1-1).
    fn tolerates(tolerates: bool, violation: Violation) -> bool { tolerates }
    /// A malformed packet put right: its first byte and what follows the fixed header.
    fn repairs(frame: Frame<'_>, error: DecodeError, version: ProtocolVersion) -> Option<(u8, Vec<u8>)> { None }
    /// Whether the connection is closed (MQTT-4.13.1-1, MQTT-3.14.4-2).
    fn closes(closes: bool, end: End) -> bool { closes }
    /// Whether user name and password are right (MQTT-3.1.4-2).
    fn authenticates(right: bool) -> bool { right }
    /// Whether a topic is allowed to a user (U5-90).
    fn authorises(allowed: bool, action: Action) -> bool { allowed }
    /// The server's own Maximum Packet Size, as a limit to what is read (U5-18).
    fn read_limit(limit: Option<u32>) -> Option<u32> { limit }
    /// Whether a packet is looked at at all.
    fn takes_frame(takes: bool, frame: Frame<'_>, version: ProtocolVersion) -> bool { takes }
    /// Whether what arrived together with a packet, behind it, is read (U5-66).
    fn reads_on(reads: bool, packet: Option<PacketType>) -> bool { reads }
    /// A packet that came in; false to ignore it.
    fn incoming(packet: &mut Packet<'_>, version: ProtocolVersion) -> bool { true }
    /// A packet that goes out.
    fn outgoing(packet: &mut Packet<'_>, connection: ConnectionId, sending: Sending) -> Fate { Fate::Once }
    /// The bytes of a packet that goes out.
    fn encoded(bytes: &mut Vec<u8>, packet: PacketType, version: ProtocolVersion) -> () { () }
    /// Whether a CONNECT for which there is no session makes one (MQTT-3.1.2-6).
    fn starts_session(starts: bool, clean_start: bool) -> bool { starts }
    /// Whether a CONNECT that is refused discards the session (MQTT-3.1.4-4).
    fn refusal_discards(discards: bool) -> bool { discards }
    /// Whether a will is refused with this reason (MQTT-3.2.2-12 and -13).
    fn refuses_will(refuses: bool, reason: ReasonCode) -> bool { refuses }
    /// Whether a CONNECT with an unknown Authentication Method is accepted (MQTT-4.12.0-1).
    fn accepts_unknown_method(accepts: bool) -> bool { accepts }
    /// Whether a new connection stops the time of its session (MQTT-4.1.0-1).
    fn connection_stops_expiry(stops: bool) -> bool { stops }
    /// Whether a subscription may ask for this QoS (MQTT-3.2.2-10).
    fn may_ask_for(may: bool, asked: QoS, maximum: QoS) -> bool { may }
    /// The options of a subscription, in place of those that it had (MQTT-3.8.4-3).
    fn replaced_grant(grant: Grant, before: Option<Grant>) -> Grant { grant }
    /// The largest Topic Alias that a client may use (MQTT-3.3.2-12).
    fn largest_alias(largest: u16) -> u16 { largest }
    /// Whether a delivery that is too large for the client counts as complete (MQTT-3.1.2-25).
    fn too_large_is_complete(complete: bool) -> bool { complete }
    /// The largest packet that may be sent now (MQTT-3.1.2-24 and the rules on Reason String and User Property).
    fn size_limit(limit: usize, packet: &Packet<'_>) -> usize { limit }
    /// Whether a packet is served; it can be asked whether the client's Receive Maximum is used up
    /// (MQTT-3.3.4-10).
    fn serves(serves: bool, packet: PacketType, full: &dyn Fn() -> bool) -> bool { serves }
    /// Whether a QoS 2 message that was refused counts as received (MQTT-4.3.3-9).
    fn refused_is_received(received: bool) -> bool { received }
    /// A QoS 2 message has been received, which expires then.
    fn received(packet_id: u16, expires_at: Option<Time>) -> () { () }
    /// Whether PUBREL is answered (MQTT-4.3.3-11 and -13).
    fn answers_release(answers: bool, packet_id: u16, now: Time) -> bool { answers }
    /// Whether a shared message goes to another member as soon as the connection is lost (MQTT-4.8.2-4).
    fn redirects_at_once(redirects: bool, qos: QoS) -> bool { redirects }
    /// Whether a shared message that a member refused goes to another (MQTT-4.8.2-6).
    fn refusal_redirects(redirects: bool) -> bool { redirects }
    /// Whether a filter that SUBACK refuses is subscribed (MQTT-3.8.4-7).
    fn refused_is_made(made: bool) -> bool { made }
    /// Whether an answer that its Authentication Method does not accept is right (MQTT-4.12.0-4).
    fn answer_is_right(right: bool) -> bool { right }
    /// Whether the connection is closed after the server's DISCONNECT (MQTT-3.14.4-2).
    fn closes_after_notice(closes: bool) -> bool { closes }
}

impl Broker {
    /// A moment at which the state is consistent. A defect may change the state at it.
    #[inline]
    #[cfg_attr(
        not(feature = "defects"),
        allow(unused_variables, clippy::unused_self, reason = "nothing happens")
    )]
    pub(crate) fn moment(&mut self, moment: Moment) {
        #[cfg(feature = "defects")]
        if let Some(kind) = self.seam.defect {
            super::defects::moment(self, kind, moment);
        }
    }
}
