//! Where peers are known to deviate, each with the reason why that is a deviation.
//!
//! A row is argued from the standard, never from the number of those who do the same.

use reference_broker::codec::{PacketType, ProtocolVersion};

use super::Difference;

/// A known deviation of a peer.
pub struct Deviation {
    /// Who.
    pub peer: &'static str,
    /// In which versions.
    pub versions: &'static [ProtocolVersion],
    /// On which packets; none for all.
    pub packets: &'static [PacketType],
    /// What it does.
    pub difference: Difference,
    /// Why that is not what the standard says.
    pub why: &'static str,
}

impl Deviation {
    /// Whether it is this difference.
    pub fn explains(
        &self,
        peer: &str,
        version: ProtocolVersion,
        packet: Option<PacketType>,
        difference: Difference,
    ) -> bool {
        self.peer == peer
            && self.versions.contains(&version)
            && (self.packets.is_empty() || packet.is_some_and(|packet| self.packets.contains(&packet)))
            && self.difference == difference
    }
}

/// Every known deviation.
pub static TABLE: &[Deviation] = &[];
