//! Where a defect answers in the place of the endpoint. An ordinary build has none.

use crate::core::Config;

/// What an endpoint can get wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Text frames count as binary ones.
    TextAccepted,
    /// Text frames are dropped, and the connection stays.
    TextIgnored,
    /// Data go out in text frames.
    TextSent,
    /// The upgrade selects no subprotocol.
    SubprotocolMissing,
    /// The upgrade selects the first one that is offered.
    SubprotocolFirst,
    /// Of several packets in a frame the first one counts.
    FirstPacketOnly,
    /// A packet that does not end in the frame in which it begins is dropped.
    PartialPacketDropped,
    /// Of a fragmented message the first fragment counts.
    ContinuationDropped,
    /// A control frame ends the message in which it stands.
    ControlEndsMessage,
}

/// The defect of an endpoint, if it has one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flaws {
    #[cfg(feature = "defects")]
    active: Option<Flaw>,
}

impl Flaws {
    #[cfg(not(feature = "defects"))]
    pub(super) fn of(_: &Config) -> Flaws {
        Flaws {}
    }

    #[cfg(not(feature = "defects"))]
    #[allow(clippy::unused_self, reason = "only defects look at it")]
    pub(super) fn has(self, _: Flaw) -> bool {
        false
    }

    #[cfg(feature = "defects")]
    pub(super) fn of(config: &Config) -> Flaws {
        use crate::core::defects::Kind;
        let active = match config.defect {
            Some(Kind::WebsocketTextAccepted) => Some(Flaw::TextAccepted),
            Some(Kind::WebsocketTextIgnored) => Some(Flaw::TextIgnored),
            Some(Kind::WebsocketTextSent) => Some(Flaw::TextSent),
            Some(Kind::WebsocketSubprotocolMissing) => Some(Flaw::SubprotocolMissing),
            Some(Kind::WebsocketSubprotocolFirst) => Some(Flaw::SubprotocolFirst),
            Some(Kind::WebsocketFirstPacketOnly) => Some(Flaw::FirstPacketOnly),
            Some(Kind::WebsocketPartialPacketDropped) => Some(Flaw::PartialPacketDropped),
            Some(Kind::WebsocketContinuationDropped) => Some(Flaw::ContinuationDropped),
            Some(Kind::WebsocketControlEndsMessage) => Some(Flaw::ControlEndsMessage),
            _ => None,
        };
        Flaws { active }
    }

    #[cfg(feature = "defects")]
    pub(super) fn has(self, flaw: Flaw) -> bool {
        self.active == Some(flaw)
    }
}
