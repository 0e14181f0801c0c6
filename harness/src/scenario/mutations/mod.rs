//! Malformed packets from a table of mutations: every valid packet, with every field broken in every way that its
//! kind allows.
//!
//! `packet` models a valid packet as named fields, `forms` says which valid packets there are; every other module
//! breaks them in one respect. What a case expects comes from the statement that it breaks, never from a broker. A
//! mutation is left out where what comes out is valid, or where a ruling lets a server tolerate it.

mod ends;
mod forms;
mod header;
mod packet;
mod properties;
mod state;
mod strings;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeSet;

use reference_broker::codec::{PacketType, ProtocolVersion};

use super::bytes::{Names, assemble};

/// Which packets are mutated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Those of a type.
    Packet(PacketType),
    /// Types that are reserved in the version.
    Reserved,
}

/// The word for [`Target::Reserved`].
pub(super) const RESERVED: &str = "reserved";

impl Target {
    /// Every word for a target.
    pub(super) fn words() -> impl Iterator<Item = &'static str> + Clone {
        PacketType::ALL.map(PacketType::name).into_iter().chain([RESERVED])
    }

    /// The target with this name.
    pub(super) fn from_name(name: &str) -> Option<Target> {
        if name == RESERVED {
            return Some(Target::Reserved);
        }
        PacketType::from_name(name).map(Target::Packet)
    }

    /// Its name in names of cases.
    pub(super) fn slug(self) -> String {
        match self {
            Target::Packet(kind) => kind.name().to_lowercase(),
            Target::Reserved => RESERVED.into(),
        }
    }

    /// Whether a version has it.
    pub(super) fn exists_in(self, version: ProtocolVersion) -> bool {
        self != Target::Packet(PacketType::Auth) || version == ProtocolVersion::V5
    }
}

/// When the packet is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// First on its connection.
    Unconnected,
    /// After CONNACK.
    Connected,
}

impl State {
    /// Every state with its word.
    pub(super) const WORDS: &'static [(&'static str, State)] =
        &[("unconnected", State::Unconnected), ("connected", State::Connected)];

    /// When a packet is due.
    pub(super) fn of(target: Target) -> State {
        if target == Target::Packet(PacketType::Connect) { State::Unconnected } else { State::Connected }
    }
}

/// A malformed packet and what becomes of who sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    /// Form, field and mutation.
    pub name: String,
    /// The statements and handles of the version that it breaks, and the one that demands the close.
    pub requirements: Vec<&'static str>,
    /// The codes that DISCONNECT or CONNACK may have before the close; in 3.1.1 none comes.
    pub reasons: Vec<u8>,
    /// The words of `send_bytes`.
    pub bytes: String,
}

/// Every case of a target in a version and a state. In a state in which the packet is not due the whole packet is
/// wrong, and is not mutated any further (one error in each packet, R-49).
pub(super) fn cases(target: Target, version: ProtocolVersion, state: State) -> Vec<Case> {
    let mutated = match (target, state) {
        (Target::Packet(PacketType::Connect), State::Connected) => return state::second_connect(version),
        (Target::Packet(PacketType::Connect), State::Unconnected) => PacketType::Connect,
        (_, State::Unconnected) => return state::before_connect(target, version),
        (Target::Packet(kind), State::Connected) if !forms::forms(kind, version).is_empty() => kind,
        _ => return state::not_a_clients(target, version),
    };
    let forms = forms::forms(mutated, version);
    let mut out = Vec::new();
    let mut done = BTreeSet::new();
    for (at, packet) in forms.iter().enumerate() {
        if at == 0 {
            header::flags(packet, &mut out);
            header::long_lengths(packet, &mut out);
        }
        if at + 1 == forms.len() {
            header::short_lengths(packet, &mut out);
        }
        ends::truncated(packet, &mut out);
        ends::inner_lengths(packet, &mut out);
        ends::surplus(packet, &mut out);
        values::values(packet, &mut out);
        strings::ill_formed(packet, &mut done, &mut out);
        if version == ProtocolVersion::V5 {
            properties::properties_of(packet, &mut out);
        }
    }
    // No method is common to brokers, so AUTH comes on a connection without one, where any AUTH is wrong: whether its
    // fields were looked at does not show.
    if mutated == PacketType::Auth {
        for case in &mut out {
            case.requirements = vec!["MQTT-4.12.0-7", "MQTT-4.13.1-1"];
        }
    }
    // Cut off early enough, all forms of a packet are one.
    let mut seen = BTreeSet::new();
    let names = Names { topic_prefix: Some("topics"), client_id: "client" };
    out.retain(|case| seen.insert(assemble(&case.bytes, version, names).unwrap_or_default()));
    out
}
