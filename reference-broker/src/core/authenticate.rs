//! AUTH (5.0, section 3.15): authentication before CONNACK, and re-authentication after it (section 4.12).

use std::sync::Arc;

use super::auth::AuthStep;
use super::connection::Phase;
use super::seam::Sending;
use super::session::SessionId;
use super::violation::{End, Violation};
use super::{Broker, ConnectionId};
use crate::codec::{Auth, Packet, PacketType, Properties, PropertyId, PropertyValue, ReasonCode};

impl Broker {
    /// What the method says; `None` if there is no such method.
    pub(super) fn authenticate(
        &self,
        method: &str,
        client_id: &str,
        round: u32,
        data: Option<&[u8]>,
    ) -> Option<AuthStep> {
        let method = self.config.auth_methods.iter().find(|known| known.name() == method)?;
        match method.step(client_id, round, data) {
            AuthStep::Failure(_) if self.seam.answer_is_right(false) => Some(AuthStep::Success(None)),
            step => Some(step),
        }
    }

    /// AUTH from the client: a step of the authentication, or of a re-authentication (section 4.12.1).
    pub(super) fn take_auth(&mut self, id: ConnectionId, auth: &Auth<'_>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(method) = connection.method.clone() else {
            return self.violated(id, Violation::AuthWithoutMethod);
        };
        if auth.properties.text(PropertyId::AuthenticationMethod) != Some(&*method) {
            return self.violated(id, Violation::AuthMethodChanged);
        }
        let data = auth.properties.binary(PropertyId::AuthenticationData);
        match &mut connection.phase {
            Phase::Authenticating(pending) => {
                if auth.reason != ReasonCode::CONTINUE_AUTHENTICATION {
                    return self.violated(id, Violation::AuthOutOfTurn);
                }
                let round = pending.round;
                pending.round += 1;
                let client_id = pending.connect.client_id.clone();
                match self.authenticate(&method, &client_id, round, data) {
                    Some(AuthStep::Continue(data)) => {
                        self.send_auth(id, ReasonCode::CONTINUE_AUTHENTICATION, Some(&data));
                    }
                    Some(AuthStep::Success(data)) => self.authenticated(id, data.as_deref()),
                    Some(AuthStep::Failure(reason)) => self.refuse_authentication(id, reason),
                    None => self.refuse_authentication(id, ReasonCode::BAD_AUTHENTICATION_METHOD),
                }
            }
            Phase::Open(session) => {
                let session = *session;
                let round = match (auth.reason, connection.reauthentication) {
                    (ReasonCode::RE_AUTHENTICATE, None) => 0,
                    (ReasonCode::CONTINUE_AUTHENTICATION, Some(round)) => round,
                    _ => return self.violated(id, Violation::AuthOutOfTurn),
                };
                self.reauthenticate(id, session, &method, round, data);
            }
            Phase::Awaiting => self.violated(id, Violation::FirstPacketNotConnect),
        }
    }

    /// The authentication of a CONNECT has succeeded: it is carried out now.
    fn authenticated(&mut self, id: ConnectionId, data: Option<&[u8]>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if let Phase::Authenticating(pending) = std::mem::replace(&mut connection.phase, Phase::Awaiting) {
            self.accept(id, &pending.connect, data);
        }
    }

    fn reauthenticate(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        method: &str,
        round: u32,
        data: Option<&[u8]>,
    ) {
        let client_id = self.state.sessions.get(session).map(|session| Arc::clone(&session.client_id));
        let step = self.authenticate(method, client_id.as_deref().unwrap_or_default(), round, data);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match step {
            Some(AuthStep::Continue(data)) => {
                connection.reauthentication = Some(round + 1);
                self.send_auth(id, ReasonCode::CONTINUE_AUTHENTICATION, Some(&data));
            }
            Some(AuthStep::Success(data)) => {
                connection.reauthentication = None;
                self.send_auth(id, ReasonCode::SUCCESS, data.as_deref());
            }
            Some(AuthStep::Failure(reason)) => self.close(id, End::Reauthentication(reason)),
            None => self.close(id, End::Reauthentication(ReasonCode::NOT_AUTHORIZED)),
        }
    }

    pub(super) fn send_auth(&mut self, id: ConnectionId, reason: ReasonCode, data: Option<&[u8]>) {
        let mut properties = Properties::new();
        if let Some(method) = self.connections.get(&id).and_then(|connection| connection.method.as_deref()) {
            properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text(method));
        }
        if let Some(data) = data {
            properties.push(PropertyId::AuthenticationData, PropertyValue::Binary(data));
        }
        self.append_diagnostics(&mut properties, id, PacketType::Auth, reason, "authentication");
        self.send(id, Packet::Auth(Auth { reason, properties }), Sending::Answer);
    }
}
