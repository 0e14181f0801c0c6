//! Session State (section 4.1): what the broker remembers of a client between its connections.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::Message;
use super::outbox::Outbox;
use super::share::GroupId;
use super::tree::Grant;
use super::will::StoredWill;
use super::{ConnectionId, Time};
use crate::codec::ProtocolVersion;

/// A Session Expiry Interval that never passes.
pub(crate) const NEVER: u32 = u32::MAX;

/// A session by its place in [`Sessions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionId(u32);

/// A subscription as its session knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// With which options.
    pub grant: Grant,
    /// The shared subscription that it is a part of.
    pub group: Option<GroupId>,
}

/// A QoS 2 message on its way in, between PUBLISH and PUBREL.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// Whether its PUBLISH came on the present connection, and so counts against the server's Receive
    /// Maximum.
    pub counted: bool,
    /// The message, if it is passed on at PUBREL only.
    pub message: Option<Arc<Message>>,
}

/// The Session State of one Client Identifier.
#[derive(Debug)]
pub(crate) struct Session {
    /// Client Identifier.
    pub client_id: Arc<str>,
    /// The version of the connection, or of the last one.
    pub version: ProtocolVersion,
    /// The Network Connection, while there is one.
    pub connection: Option<ConnectionId>,
    /// The Session Expiry Interval in force, in seconds; 3.1.1 with CleanSession 0 has [`NEVER`].
    pub expiry: u32,
    /// When the session ends, if its timer runs.
    pub ends_at: Option<Time>,
    /// Subscriptions by their filter as sent, `$share/…` included.
    pub subscriptions: BTreeMap<Box<str>, Held>,
    /// QoS 2 messages being received, by Packet Identifier.
    pub incoming: BTreeMap<u16, Incoming>,
    /// Messages to be sent, or sent and not acknowledged.
    pub outbox: Outbox,
    /// The Will Message of the connection, or of the last one while its delay runs.
    pub will: Option<StoredWill>,
    /// When the will is due, if its timer runs.
    pub will_at: Option<Time>,
}

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    slots: Vec<Option<Box<Session>>>,
    free: Vec<u32>,
    by_client: BTreeMap<Arc<str>, SessionId>,
}

impl Sessions {
    /// A new, empty session. There must be none for this Client Identifier.
    pub(crate) fn create(&mut self, client_id: Arc<str>, version: ProtocolVersion) -> SessionId {
        let session = Some(Box::new(Session {
            client_id: Arc::clone(&client_id),
            version,
            connection: None,
            expiry: 0,
            ends_at: None,
            subscriptions: BTreeMap::new(),
            incoming: BTreeMap::new(),
            outbox: Outbox::default(),
            will: None,
            will_at: None,
        }));
        let id = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = session;
                SessionId(slot)
            }
            None => {
                self.slots.push(session);
                SessionId((self.slots.len() - 1) as u32)
            }
        };
        self.by_client.insert(client_id, id);
        id
    }

    /// The session of a Client Identifier.
    pub(crate) fn find(&self, client_id: &str) -> Option<SessionId> {
        self.by_client.get(client_id).copied()
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.slots.get(id.0 as usize)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.slots.get_mut(id.0 as usize)?.as_deref_mut()
    }

    /// Takes a session out for good.
    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Box<Session>> {
        let session = self.slots.get_mut(id.0 as usize)?.take()?;
        self.by_client.remove(&session.client_id);
        self.free.push(id.0);
        Some(session)
    }

    /// All of them, by place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(place, slot)| slot.as_deref().map(|session| (SessionId(place as u32), session)))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_client.len()
    }
}
