//! The Will Message (section 3.1.2.5): stored with the session, published when the connection ends badly.

use std::sync::Arc;
use std::time::Duration;

use super::config::NoLocalWill;
use super::message::{Message, Publication};
use super::session::SessionId;
use super::timer::Timer;
use super::{Broker, Time};
use crate::codec::{Properties, PropertyId, Will};

/// A Will Message as the session keeps it.
#[derive(Debug, Clone)]
pub(crate) struct StoredWill {
    /// The message; the time of its expiry is set when it is published.
    pub message: Arc<Message>,
    /// Will Delay Interval, in seconds.
    pub delay: u32,
    /// Message Expiry Interval, in seconds, counted from the publication.
    pub expiry: Option<u32>,
}

impl StoredWill {
    /// The will of a CONNECT.
    pub(crate) fn new(will: &Will<'_>, publisher: &Arc<str>, no_local: NoLocalWill) -> StoredWill {
        let travelling;
        let properties: &[u8] = if will.properties.is_empty() {
            &[]
        } else {
            travelling = will.properties.filtered(|property| {
                !matches!(property.id, PropertyId::WillDelayInterval | PropertyId::MessageExpiryInterval)
            });
            travelling.as_bytes()
        };
        let message = Publication {
            topic: &will.topic,
            qos: will.qos,
            retain: will.retain,
            properties,
            payload: &will.payload,
            publisher: (no_local == NoLocalWill::Suppressed).then_some(publisher),
            expires_at: None,
        };
        StoredWill {
            message: message.keep(),
            delay: number(&will.properties, PropertyId::WillDelayInterval).unwrap_or(0),
            expiry: number(&will.properties, PropertyId::MessageExpiryInterval),
        }
    }
}

fn number(properties: &Properties<'_>, id: PropertyId) -> Option<u32> {
    properties.number(id)
}

impl Broker {
    /// The Will Delay Interval has passed.
    pub(crate) fn will_delay_passed(&mut self, session: SessionId) {
        if let Some(session) = self.state.sessions.get_mut(session) {
            session.will_at = None;
        }
        self.publish_will(session);
    }

    /// Publishes the will of a session and removes it (MQTT-3.1.2-10).
    pub(crate) fn publish_will(&mut self, id: SessionId) {
        let Some(session) = self.state.sessions.get_mut(id) else { return };
        self.timers.cancel(session.will_at.take(), Timer::Will(id));
        let kept = if self.seam.will_is_kept(false) { session.will.clone() } else { None };
        if let Some(will) = std::mem::replace(&mut session.will, kept) {
            self.publish_stored_will(&will);
        }
    }

    /// Publishes a will that no session holds any more.
    pub(crate) fn publish_stored_will(&mut self, will: &StoredWill) {
        let expires_at = will.expiry.map(|seconds| after(self.now, seconds));
        self.route(Publication { expires_at, ..will.message.view() });
    }

    /// Forgets the will of a session without publishing it.
    pub(crate) fn drop_will(&mut self, id: SessionId) {
        let Some(session) = self.state.sessions.get_mut(id) else { return };
        self.timers.cancel(session.will_at.take(), Timer::Will(id));
        session.will = None;
    }
}

/// The moment this many seconds later.
pub(crate) fn after(now: Time, seconds: u32) -> Time {
    now + Duration::from_secs(u64::from(seconds))
}
