//! Application Messages inside the broker: borrowed on their way through, kept when somebody is owed one.

use std::sync::Arc;

use super::Time;
use super::share::GroupId;
use crate::codec::QoS;

/// An Application Message on its way through: everything borrowed, nothing allocated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publication<'a> {
    /// Topic Name.
    pub topic: &'a str,
    /// QoS as published.
    pub qos: QoS,
    /// RETAIN as published.
    pub retain: bool,
    /// The properties that travel with the message, encoded: without Topic Alias, Message Expiry Interval
    /// and Subscription Identifier, which belong to one hop or change on the way.
    pub properties: &'a [u8],
    /// Payload.
    pub payload: &'a [u8],
    /// Client Identifier of the publishing connection, for No Local.
    pub publisher: Option<&'a Arc<str>>,
    /// When its Message Expiry Interval has passed.
    pub expires_at: Option<Time>,
}

impl Publication<'_> {
    /// The message, to be kept.
    pub(crate) fn keep(&self) -> Arc<Message> {
        let mut bytes = Vec::with_capacity(self.topic.len() + self.properties.len() + self.payload.len());
        bytes.extend_from_slice(self.topic.as_bytes());
        bytes.extend_from_slice(self.properties);
        bytes.extend_from_slice(self.payload);
        Arc::new(Message {
            bytes: bytes.into_boxed_slice(),
            topic: self.topic.len(),
            properties: self.topic.len() + self.properties.len(),
            qos: self.qos,
            retain: self.retain,
            publisher: self.publisher.cloned(),
            expires_at: self.expires_at,
        })
    }
}

/// An Application Message that is kept: queued, in flight or retained. One copy serves all subscribers.
#[derive(Debug)]
pub(crate) struct Message {
    /// Topic Name, properties and payload in one piece, since they live and die together.
    bytes: Box<[u8]>,
    /// Where the Topic Name ends.
    topic: usize,
    /// Where the properties end.
    properties: usize,
    qos: QoS,
    retain: bool,
    publisher: Option<Arc<str>>,
    expires_at: Option<Time>,
}

impl Message {
    /// The message as it came in.
    pub(crate) fn view(&self) -> Publication<'_> {
        Publication {
            // These bytes were a `&str` when the message was kept.
            topic: std::str::from_utf8(&self.bytes[..self.topic]).unwrap_or_default(),
            qos: self.qos,
            retain: self.retain,
            properties: &self.bytes[self.topic..self.properties],
            payload: &self.bytes[self.properties..],
            publisher: self.publisher.as_ref(),
            expires_at: self.expires_at,
        }
    }

    /// QoS as published.
    pub(crate) const fn qos(&self) -> QoS {
        self.qos
    }

    /// Whether its Message Expiry Interval has passed.
    pub(crate) fn is_expired(&self, now: Time) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// One copy of a message that one session is owed.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// The message.
    pub message: Arc<Message>,
    /// QoS of the delivery: the smaller of published and granted (MQTT-3.8.4-8).
    pub qos: QoS,
    /// RETAIN of the delivery.
    pub retain: bool,
    /// Subscription Identifiers of the subscriptions that it is for.
    pub ids: Vec<u32>,
    /// The shared subscription that it came from.
    pub share: Option<GroupId>,
}
