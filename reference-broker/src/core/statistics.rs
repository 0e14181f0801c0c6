//! Numbers about a broker, and what must always hold between its parts.

use super::Broker;
use super::connection::Phase;
use super::timer::Timer;

/// How much of everything there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Network Connections, those without CONNECT among them.
    pub connections: usize,
    /// Sessions, connected or not.
    pub sessions: usize,
    /// Subscriptions of all sessions, shared ones included.
    pub subscriptions: usize,
    /// Shared subscriptions.
    pub shared: usize,
    /// Topics with a retained message.
    pub retained: usize,
    /// PUBLISH and PUBREL towards clients that are not acknowledged.
    pub in_flight: usize,
    /// Messages that wait to be sent.
    pub queued: usize,
    /// QoS 2 messages on their way in.
    pub incoming: usize,
    /// Wills that could still be published.
    pub wills: usize,
    /// Timers that run.
    pub timers: usize,
}

impl Broker {
    /// Counts everything. Costs a walk over all sessions.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = Statistics {
            connections: self.connections.len(),
            sessions: self.state.sessions.len(),
            shared: self.state.groups.len(),
            retained: self.state.retained.len(),
            timers: self.timers.len(),
            ..Statistics::default()
        };
        for (_, session) in self.state.sessions.iter() {
            statistics.subscriptions += session.subscriptions.len();
            statistics.in_flight += session.outbox.in_flight.len() + session.outbox.releasing.len();
            statistics.queued += session.outbox.queue.len();
            statistics.incoming += session.incoming.len();
            statistics.wills += usize::from(session.will.is_some());
        }
        statistics
    }

    /// Checks what must hold after every call, whatever the clients do.
    ///
    /// # Errors
    /// What does not hold.
    pub fn invariants(&self) -> Result<(), String> {
        let mut entries = 0;
        for (id, session) in self.state.sessions.iter() {
            let name = &session.client_id;
            session.outbox.check().map_err(|error| format!("session {name}: {error}"))?;
            if self.state.sessions.find(name) != Some(id) {
                return Err(format!("session {name} cannot be found"));
            }
            match session.connection {
                Some(connection) => {
                    match self.connections.get(&connection).map(|connection| &connection.phase) {
                        Some(Phase::Open(open)) if *open == id => {}
                        _ => return Err(format!("session {name} has no connection {connection}")),
                    }
                }
                None if session.expiry == 0 => return Err(format!("session {name} ought to have ended")),
                None => {}
            }
            if session.connection.is_some() && (session.ends_at.is_some() || session.will_at.is_some()) {
                return Err(format!("session {name} is connected and has timers"));
            }
            if session.ends_at.is_some_and(|at| !self.timers.is_armed(at, Timer::SessionExpiry(id)))
                || session.will_at.is_some_and(|at| !self.timers.is_armed(at, Timer::Will(id)))
            {
                return Err(format!("session {name} has lost a timer"));
            }
            if session.outbox.queue.len() > self.config.queue_limit {
                return Err(format!("session {name} has {} messages queued", session.outbox.queue.len()));
            }
            for (filter, held) in &session.subscriptions {
                match held.group {
                    None if self.state.tree.get(filter, id) == Some(held.grant) => entries += 1,
                    None => {
                        return Err(format!("the tree does not agree with session {name} about {filter}"));
                    }
                    Some(group) => {
                        let members = self.state.groups.get(group).map(|group| &group.members);
                        if members.is_none_or(|members| !members.iter().any(|member| member.session == id)) {
                            return Err(format!("session {name} is no member of its shared subscription"));
                        }
                    }
                }
            }
        }
        if self.state.tree.count() != (entries, self.state.groups.len()) {
            return Err(format!(
                "the tree has {:?}, the sessions {entries} subscriptions, and there are {} shared ones",
                self.state.tree.count(),
                self.state.groups.len()
            ));
        }
        if entries == 0 && self.state.groups.len() == 0 && self.state.tree.nodes() != 1 {
            return Err(format!("an empty tree has {} nodes", self.state.tree.nodes()));
        }
        for (id, connection) in &self.connections {
            if let Phase::Open(session) = connection.phase
                && self.state.sessions.get(session).is_none_or(|session| session.connection != Some(*id))
            {
                return Err(format!("connection {id} has no session"));
            }
            if connection.timer.is_some_and(|at| !self.timers.is_armed(at, Timer::Silence(*id))) {
                return Err(format!("connection {id} has lost its timer"));
            }
            if connection.again.is_some_and(|at| !self.timers.is_armed(at, Timer::Again(*id))) {
                return Err(format!("connection {id} will not be sent anything again"));
            }
            if connection.buffer.len() > self.config.maximum_packet_size.0 as usize {
                return Err(format!("connection {id} buffers {} bytes", connection.buffer.len()));
            }
        }
        if self.timers.next().is_some_and(|at| at < self.now) {
            return Err("a timer is overdue".to_owned());
        }
        Ok(())
    }
}
