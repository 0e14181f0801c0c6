//! CONNECT (section 3.1): checked, carried out, acknowledged.

use std::borrow::Cow;
use std::time::Duration;

use super::access::{Action, allows};
use super::auth::AuthStep;
use super::config::{
    EmptyClientId, ForeignProtocolName, MalformedConnect, PasswordOnly, PayloadFormatCheck,
    SessionInAnotherVersion, TakeoverOrder, UnknownVersion,
};
use super::connection::Phase;
use super::session::{NEVER, SessionId};
use super::timer::Timer;
use super::violation::{End, Moment, Violation};
use super::will::StoredWill;
use super::{Broker, ConnectionId, topic};
use crate::codec::{
    Connack, Connect, DecodeError, Frame, Packet, PacketType, Properties, PropertyId, PropertyValue,
    ProtocolVersion, QoS, ReasonCode, Rule, Will,
};

/// A CONNECT whose authentication is going on.
#[derive(Debug)]
pub(crate) struct Pending {
    pub connect: Connect<'static>,
    /// How many AUTH packets the server has sent.
    pub round: u32,
}

/// Why a well-formed CONNECT is refused.
struct Refusal {
    /// The reason of 5.0.
    reason: ReasonCode,
    /// The return code of 3.1 and 3.1.1, where one fits.
    code: Option<ReasonCode>,
    /// A sentence for the Reason String.
    text: &'static str,
}

impl Refusal {
    const fn new(reason: ReasonCode, code: Option<ReasonCode>, text: &'static str) -> Refusal {
        Refusal { reason, code, text }
    }
}

impl Broker {
    /// A well-formed CONNECT, the first packet of its connection.
    pub(super) fn take_connect(&mut self, id: ConnectionId, connect: &Connect<'_>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.version = connect.version;
        let limit = connect.properties.number(PropertyId::MaximumPacketSize).unwrap_or(u32::MAX);
        connection.packet_limit = self.seam.packet_limit(limit);
        connection.wants_diagnostics =
            connect.properties.number(PropertyId::RequestProblemInformation) != Some(0);
        if let Err(refusal) = self.admit(connect) {
            if connect.clean_start && self.seam.refusal_discards(false) {
                self.state.sessions.find(&connect.client_id).into_iter().for_each(|it| self.end_session(it));
            }
            return self.refuse(id, &refusal);
        }
        let Some(method) = connect.properties.text(PropertyId::AuthenticationMethod) else {
            return self.accept(id, connect, None);
        };
        let method: Box<str> = method.into();
        let data = connect.properties.binary(PropertyId::AuthenticationData);
        let Some(step) = self.authenticate(&method, &connect.client_id, 0, data) else {
            if self.seam.accepts_unknown_method(false) {
                return self.accept(id, connect, None);
            }
            let text = "the Authentication Method is not supported";
            return self.refuse(id, &Refusal::new(ReasonCode::BAD_AUTHENTICATION_METHOD, None, text));
        };
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.method = Some(method);
        }
        match step {
            AuthStep::Continue(data) => {
                let pending = Box::new(Pending { connect: connect.clone().into_owned(), round: 1 });
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.phase = Phase::Authenticating(pending);
                }
                self.send_auth(id, ReasonCode::CONTINUE_AUTHENTICATION, Some(&data));
            }
            AuthStep::Success(data) => self.accept(id, connect, data.as_deref()),
            AuthStep::Failure(reason) => self.refuse_authentication(id, reason),
        }
    }

    /// Checks beyond the format (MQTT-3.1.4-2).
    fn admit(&self, connect: &Connect<'_>) -> Result<(), Refusal> {
        let config = &self.config;
        if config.server_reference.is_some() {
            let code = Some(ReasonCode::V3_SERVER_UNAVAILABLE);
            return Err(Refusal::new(ReasonCode::USE_ANOTHER_SERVER, code, "use another server"));
        }
        self.admit_client_id(connect)?;
        if let Some(will) = &connect.will {
            self.admit_will(will)?;
        }
        // Enhanced authentication stands in the place of name and password.
        if connect.properties.get(PropertyId::AuthenticationMethod).is_none() {
            self.admit_user(connect)?;
        }
        if let Some(will) = &connect.will
            && !allows(&config.access, Action::Publish, connect.user_name.as_deref(), &will.topic)
        {
            let code = Some(ReasonCode::V3_NOT_AUTHORIZED);
            return Err(Refusal::new(ReasonCode::NOT_AUTHORIZED, code, "not allowed to publish the will"));
        }
        let taken = self.state.sessions.find(&connect.client_id).is_some();
        if self.connections.len() > config.maximum_connections && !taken {
            let code = Some(ReasonCode::V3_SERVER_UNAVAILABLE);
            return Err(Refusal::new(ReasonCode::QUOTA_EXCEEDED, code, "too many connections"));
        }
        if !taken && !self.seam.starts_session(true, connect.clean_start) {
            let code = Some(ReasonCode::V3_IDENTIFIER_REJECTED);
            return Err(Refusal::new(ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, code, "there is no session"));
        }
        Ok(())
    }

    fn admit_client_id(&self, connect: &Connect<'_>) -> Result<(), Refusal> {
        let code = Some(ReasonCode::V3_IDENTIFIER_REJECTED);
        let refused = |text| Err(Refusal::new(ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, code, text));
        if connect.client_id.is_empty() {
            // 3.1 knows no empty identifier.
            if self.config.empty_client_id == EmptyClientId::Refuse
                || connect.version == ProtocolVersion::V3_1
            {
                return refused("an empty Client Identifier");
            }
            return Ok(());
        }
        let longest = usize::from(self.config.maximum_client_id_length.max(23));
        if !self.seam.takes_client_id(connect.client_id.len() <= longest, &connect.client_id) {
            return refused("the Client Identifier is too long");
        }
        Ok(())
    }

    fn admit_will(&self, will: &Will<'_>) -> Result<(), Refusal> {
        // No return code of 3.1.1 fits any of these, so it gets none (MQTT-3.2.2-6).
        if !topic::is_name(&will.topic) {
            return Err(Refusal::new(
                ReasonCode::TOPIC_NAME_INVALID,
                None,
                "the Will Topic is no Topic Name",
            ));
        }
        if let Some(response) = will.properties.text(PropertyId::ResponseTopic)
            && !topic::is_name(response)
        {
            return Err(Refusal::new(ReasonCode::PROTOCOL_ERROR, None, Violation::ResponseTopic.text()));
        }
        let reason = ReasonCode::QOS_NOT_SUPPORTED;
        if self.seam.refuses_will(will.qos > self.config.maximum_qos, reason) {
            return Err(Refusal::new(reason, None, "Will QoS above the Maximum QoS"));
        }
        let reason = ReasonCode::RETAIN_NOT_SUPPORTED;
        if self.seam.refuses_will(will.retain && !self.config.retain_available, reason) {
            return Err(Refusal::new(reason, None, "retained wills are not supported"));
        }
        if self.config.payload_format_check != PayloadFormatCheck::Forward
            && will.properties.number(PropertyId::PayloadFormatIndicator) == Some(1)
            && std::str::from_utf8(&will.payload).is_err()
        {
            return Err(Refusal::new(
                ReasonCode::PAYLOAD_FORMAT_INVALID,
                None,
                Violation::PayloadFormat.text(),
            ));
        }
        Ok(())
    }

    fn admit_user(&self, connect: &Connect<'_>) -> Result<(), Refusal> {
        let code = Some(ReasonCode::V3_BAD_USER_NAME_OR_PASSWORD);
        let right = match (&connect.user_name, &connect.password) {
            (None, Some(_)) if self.config.password_only == PasswordOnly::AuthFailure => false,
            (None, _) => self.config.anonymous,
            (Some(_), _) if self.config.users.is_empty() => true,
            (Some(name), password) => self.config.users.iter().any(|user| {
                *user.name == **name && password.as_ref().is_some_and(|password| **password == *user.password)
            }),
        };
        if self.seam.authenticates(right) {
            return Ok(());
        }
        if connect.user_name.is_none() && connect.password.is_none() {
            let code = Some(ReasonCode::V3_NOT_AUTHORIZED);
            return Err(Refusal::new(ReasonCode::NOT_AUTHORIZED, code, "a User Name is needed"));
        }
        Err(Refusal::new(ReasonCode::BAD_USER_NAME_OR_PASSWORD, code, "wrong User Name or Password"))
    }

    /// Says no in the words of the version, as far as it has any, and closes (MQTT-3.2.2-7; -5 in 3.1.1).
    fn refuse(&mut self, id: ConnectionId, refusal: &Refusal) {
        let version = self.connections.get(&id).map_or(ProtocolVersion::V5, |connection| connection.version);
        if version == ProtocolVersion::V5 {
            self.send_refusal(id, refusal.reason, refusal.text);
        } else if let Some(code) = refusal.code {
            self.send_refusal(id, code, refusal.text);
        }
        self.close(id, End::Refused);
    }

    pub(super) fn refuse_authentication(&mut self, id: ConnectionId, reason: ReasonCode) {
        self.refuse(id, &Refusal::new(reason, None, "the authentication failed"));
    }

    /// CONNACK with a reason other than Success.
    pub(super) fn send_refusal(&mut self, id: ConnectionId, reason: ReasonCode, text: &str) {
        let mut properties = self.diagnostics(id, PacketType::Connack, reason, text);
        if let (Some(reference), ReasonCode::USE_ANOTHER_SERVER) = (&self.config.server_reference, reason) {
            properties.push(PropertyId::ServerReference, PropertyValue::Text(reference));
        }
        self.answer(id, Packet::Connack(Connack { session_present: false, reason, properties }));
    }

    /// A CONNECT that breaks the format (MQTT-3.1.4-1, R-05 to R-07).
    pub(super) fn refuse_malformed(&mut self, id: ConnectionId, frame: Frame<'_>, error: DecodeError) {
        let version = claimed_version(frame.body);
        let answer = match error.rule {
            Rule::ProtocolLevel(_) => match self.config.unknown_version {
                UnknownVersion::ConnackV3 => {
                    Some((ProtocolVersion::V3_1_1, ReasonCode::V3_UNACCEPTABLE_PROTOCOL_VERSION))
                }
                UnknownVersion::ConnackV5 => {
                    Some((ProtocolVersion::V5, ReasonCode::UNSUPPORTED_PROTOCOL_VERSION))
                }
                UnknownVersion::CloseSilent => None,
            },
            // 3.1.1 knows no CONNACK for a foreign name; a level of 5 or more speaks for a 5.0 client.
            Rule::ProtocolName => (self.config.foreign_protocol_name == ForeignProtocolName::ConnackClose
                && claimed_level(frame.body) >= Some(ProtocolVersion::V5.level()))
            .then_some((ProtocolVersion::V5, ReasonCode::UNSUPPORTED_PROTOCOL_VERSION)),
            Rule::EmptyClientIdWithoutCleanSession => {
                Some((version.unwrap_or(ProtocolVersion::V3_1_1), ReasonCode::V3_IDENTIFIER_REJECTED))
            }
            _ if version == Some(ProtocolVersion::V5) => (self.config.malformed_connect
                == MalformedConnect::ConnackClose)
                .then_some((ProtocolVersion::V5, error.rule.reason())),
            // No return code of 3.1.1 fits (MQTT-3.2.2-6).
            _ => version.zip(self.seam.malformed_connect_code(None)),
        };
        if let (Some((version, reason)), Some(connection)) = (answer, self.connections.get_mut(&id)) {
            connection.version = version;
            self.send_refusal(id, reason, "the CONNECT breaks the format");
        }
        self.close(id, End::Refused);
    }

    /// Carries a CONNECT out: takeover, session, CONNACK, resume (MQTT-3.1.4-3 to -5).
    pub(super) fn accept(&mut self, id: ConnectionId, connect: &Connect<'_>, auth_data: Option<&[u8]>) {
        let assigned = connect.client_id.is_empty();
        let mut client_id: Cow<'_, str> =
            if assigned { Cow::Owned(self.new_client_id()) } else { Cow::Borrowed(&connect.client_id) };
        self.seam.session_name(&mut client_id);
        let held = self.take_over(id, &client_id);
        let (session, present) = self.open_session(id, connect, &client_id);
        self.open_connection(id, session, connect, present);
        let assigned = assigned.then_some(&*client_id);
        let shown = self.seam.session_present(present, connect.clean_start);
        let connack = self.connack(id, connect, shown, assigned, auth_data);
        self.answer(id, Packet::Connack(connack));
        self.outputs.extend(held);
        self.moment(Moment::Connected { session, present });
        self.resume(session);
        self.moment(Moment::Resumed(session));
    }

    /// Closes the connection that the session has (MQTT-3.1.4-3; -2 in 3.1.1). Answers with the outputs that
    /// are to come after CONNACK.
    fn take_over(&mut self, id: ConnectionId, client_id: &str) -> Vec<super::Output> {
        let session =
            self.state.sessions.find(client_id).and_then(|session| self.state.sessions.get(session));
        let old = session.and_then(|session| session.connection).filter(|old| *old != id);
        let Some(old) = old else { return Vec::new() };
        let mark = self.outputs.len();
        if self.seam.takeover_closes(true) {
            self.close(old, End::TakenOver);
        }
        match self.config.takeover_order {
            TakeoverOrder::CloseFirst => Vec::new(),
            TakeoverOrder::ConnackFirst => self.outputs.drain(mark..).collect(),
        }
    }

    /// The session of the new connection, and whether it existed (MQTT-3.1.2-4 to -6).
    fn open_session(
        &mut self,
        id: ConnectionId,
        connect: &Connect<'_>,
        client_id: &str,
    ) -> (SessionId, bool) {
        let mut found = self.state.sessions.find(client_id);
        if let Some(session) = found
            && (self.seam.discards_session(connect.clean_start)
                || self.is_left_behind(session, connect.version))
        {
            self.moment(Moment::CleanStart(session));
            self.end_session(session);
            found = None;
        }
        let present = found.is_some();
        if let Some(session) = found {
            self.moment(Moment::Resuming(session));
        }
        let session = found.unwrap_or_else(|| self.state.sessions.create(client_id.into(), connect.version));
        let expiry = self.session_expiry(connect);
        if self.seam.resume_cancels_will(true) {
            self.drop_will(session);
        }
        if let Some(session_state) = self.state.sessions.get_mut(session) {
            if self.seam.connection_stops_expiry(true) {
                self.timers.cancel(session_state.ends_at.take(), Timer::SessionExpiry(session));
            }
            self.timers.cancel(session_state.will_at.take(), Timer::Will(session));
            session_state.version = connect.version;
            session_state.connection = Some(id);
            session_state.expiry = expiry;
            let will = connect.will.as_ref();
            let will =
                will.map(|will| StoredWill::new(will, &session_state.client_id, self.config.no_local_will));
            if let Some(will) = will {
                session_state.will = self.seam.stored_will(will);
            }
            for incoming in session_state.incoming.values_mut() {
                incoming.counted = false;
            }
        }
        (session, present)
    }

    /// Whether a session cannot go on in this version of the protocol.
    fn is_left_behind(&self, session: SessionId, version: ProtocolVersion) -> bool {
        self.config.session_in_another_version == SessionInAnotherVersion::New
            && self.state.sessions.get(session).is_some_and(|session| session.version != version)
    }

    /// The Session Expiry Interval in force: that of CONNECT, up to the configured maximum (U5-69). 3.1 and
    /// 3.1.1 have it implied by CleanSession.
    fn session_expiry(&self, connect: &Connect<'_>) -> u32 {
        let seconds = match connect.version {
            ProtocolVersion::V5 => {
                let asked = connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0);
                asked.min(self.config.session_expiry_maximum.0)
            }
            _ if connect.clean_start => 0,
            _ => NEVER,
        };
        self.seam.session_expiry(seconds)
    }

    fn open_connection(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        connect: &Connect<'_>,
        resumed: bool,
    ) {
        let keep_alive = self.keep_alive(connect);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let properties = &connect.properties;
        let receive_maximum =
            properties.number(PropertyId::ReceiveMaximum).unwrap_or(u32::from(u16::MAX)) as u16;
        connection.phase = Phase::Open(session);
        connection.resumed = resumed;
        connection.window = self.seam.window(receive_maximum.min(self.config.send_window.0));
        let aliases = properties.number(PropertyId::TopicAliasMaximum).unwrap_or(0) as u16;
        connection.alias_limit = self.seam.alias_limit(aliases);
        connection.user = connect.user_name.as_deref().map(Into::into);
        self.timers.cancel(connection.timer.take(), Timer::Silence(id));
        connection.patience = None;
        if keep_alive > 0 {
            let patience = self.seam.patience(Duration::from_millis(u64::from(keep_alive) * 1_500));
            let due = connection.last_packet + patience;
            connection.patience = Some(patience);
            connection.timer = Some(due);
            self.timers.arm(due, Timer::Silence(id));
        }
        self.plan_to_send_again(id);
    }

    /// The keep alive in force, in seconds (MQTT-3.2.2-22).
    fn keep_alive(&self, connect: &Connect<'_>) -> u16 {
        self.seam.keep_alive(match (connect.version, self.config.server_keep_alive) {
            (ProtocolVersion::V5, Some(seconds)) => seconds,
            _ => connect.keep_alive,
        })
    }

    /// The CONNACK that accepts, with everything that is not as the defaults have it.
    fn connack(
        &self,
        id: ConnectionId,
        connect: &Connect<'_>,
        session_present: bool,
        assigned: Option<&str>,
        auth_data: Option<&[u8]>,
    ) -> Connack<'static> {
        let reason = ReasonCode::SUCCESS;
        if connect.version != ProtocolVersion::V5 {
            return Connack { session_present, reason, properties: Properties::new() };
        }
        let config = &self.config;
        let mut properties = Properties::new();
        let asked = connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0);
        let expiry = asked.min(config.session_expiry_maximum.0);
        if expiry != asked {
            properties.push_number(PropertyId::SessionExpiryInterval, expiry);
        }
        if config.receive_maximum.0 != u16::MAX {
            properties.push_number(PropertyId::ReceiveMaximum, u32::from(config.receive_maximum.0));
        }
        if config.maximum_qos != QoS::ExactlyOnce {
            properties.push_number(PropertyId::MaximumQoS, u32::from(config.maximum_qos.number()));
        }
        if !config.retain_available {
            properties.push_number(PropertyId::RetainAvailable, 0);
        }
        properties.push_number(PropertyId::MaximumPacketSize, config.maximum_packet_size.0);
        if let Some(client_id) = assigned {
            properties.push(PropertyId::AssignedClientIdentifier, PropertyValue::Text(client_id));
        }
        if config.topic_alias_maximum > 0 {
            properties.push_number(PropertyId::TopicAliasMaximum, u32::from(config.topic_alias_maximum));
        }
        if !config.wildcard_subscription_available {
            properties.push_number(PropertyId::WildcardSubscriptionAvailable, 0);
        }
        if !config.subscription_identifier_available {
            properties.push_number(PropertyId::SubscriptionIdentifierAvailable, 0);
        }
        if !config.shared_subscription_available {
            properties.push_number(PropertyId::SharedSubscriptionAvailable, 0);
        }
        if let Some(seconds) = config.server_keep_alive {
            properties.push_number(PropertyId::ServerKeepAlive, u32::from(seconds));
        }
        if let Some(information) = &config.response_information
            && connect.properties.number(PropertyId::RequestResponseInformation) == Some(1)
        {
            properties.push(PropertyId::ResponseInformation, PropertyValue::Text(information));
        }
        if let Some(method) = connect.properties.text(PropertyId::AuthenticationMethod) {
            properties.push(PropertyId::AuthenticationMethod, PropertyValue::Text(method));
        }
        if let Some(data) = auth_data {
            properties.push(PropertyId::AuthenticationData, PropertyValue::Binary(data));
        }
        self.append_diagnostics(&mut properties, id, PacketType::Connack, reason, "welcome");
        Connack { session_present, reason, properties }
    }

    /// A Client Identifier that no session has (MQTT-3.2.2-16).
    fn new_client_id(&mut self) -> String {
        loop {
            let client_id = format!("assay{:016x}", self.random.next());
            if self.state.sessions.find(&client_id).is_none() {
                return self.seam.assigned_client_id(client_id);
            }
        }
    }
}

/// The version that a CONNECT claims, whatever else is wrong with it.
fn claimed_version(body: &[u8]) -> Option<ProtocolVersion> {
    ProtocolVersion::ALL.into_iter().find(|version| {
        let name = version.protocol_name().as_bytes();
        body.get(..2) == Some(&(name.len() as u16).to_be_bytes())
            && body.get(2..2 + name.len()) == Some(name)
            && body.get(2 + name.len()) == Some(&version.level())
    })
}

/// The Protocol Level that stands behind the Protocol Name, whatever that is.
fn claimed_level(body: &[u8]) -> Option<u8> {
    let length = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
    body.get(2 + length).copied()
}
