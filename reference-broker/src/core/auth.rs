//! Enhanced authentication (5.0, section 4.12): a method that can be plugged in, and one for tests.

use std::fmt;
use std::sync::Arc;

use crate::codec::ReasonCode;

/// What comes next in an exchange of AUTH packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthStep {
    /// Ask the client for more, with this Authentication Data.
    Continue(Vec<u8>),
    /// The client is who it says, with this Authentication Data for it, if any.
    Success(Option<Vec<u8>>),
    /// It is not: a reason of CONNACK, and of DISCONNECT when it happens in a re-authentication.
    Failure(ReasonCode),
}

/// An authentication method. It keeps no state of its own: the core counts the rounds of each exchange.
pub trait AuthMethod: fmt::Debug + Send + Sync {
    /// The Authentication Method that selects it.
    fn name(&self) -> &str;

    /// The answer to the Authentication Data that the client sent in round `round`; round 0 is CONNECT, or
    /// the AUTH that begins a re-authentication.
    fn step(&self, client_id: &str, round: u32, data: Option<&[u8]>) -> AuthStep;
}

/// The method for tests, `ASSAY-CHALLENGE`: the server sends the data `challenge`, and the client must answer
/// with the secret.
///
/// A client that sends the secret at once is accepted at once; one that answers `again` is asked again;
/// every other answer is refused. So exchanges of any length can be made, and the bytes on the wire can be
/// read.
#[derive(Debug, Clone)]
pub struct Challenge {
    secret: Arc<str>,
}

impl Challenge {
    /// The name of the method.
    pub const NAME: &'static str = "ASSAY-CHALLENGE";

    /// The method with this secret.
    pub fn new(secret: &str) -> Challenge {
        Challenge { secret: secret.into() }
    }
}

impl AuthMethod for Challenge {
    fn name(&self) -> &str {
        Challenge::NAME
    }

    fn step(&self, _client_id: &str, round: u32, data: Option<&[u8]>) -> AuthStep {
        match data {
            None if round == 0 => AuthStep::Continue(b"challenge".to_vec()),
            Some(b"again") => AuthStep::Continue(b"challenge".to_vec()),
            Some(data) if data == self.secret.as_bytes() => AuthStep::Success(Some(b"welcome".to_vec())),
            _ => AuthStep::Failure(ReasonCode::NOT_AUTHORIZED),
        }
    }
}
