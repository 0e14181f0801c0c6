//! The same bytes to our decoder and to those of others.
//!
//! Judged is each by itself, against [`rules`](crate::rules), and never by how many agree: a packet that breaks a
//! clause is to be refused, one that breaks none is to be accepted, and what is accepted means what we read in it.
//! Where a peer is known to do otherwise, [`deviations`] says so and why; anything else is a finding.
//!
//! The meaning is compared through the wire: the peer writes its packet again, and our decoder has to read the same
//! from that. So a peer's encoder is tried as well.

pub mod deviations;
pub mod peers;
pub mod traits;

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use reference_broker::codec::{Packet, PacketType, Properties, ProtocolVersion, decode, encoded};

use crate::rules::{self, Break, Clause, Judgement};
use deviations::Deviation;
use peers::{Outcome, PEERS, Peer};
use traits::Trait;

/// What a peer does that the standard does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// It accepts a packet that breaks this clause.
    Accepts(Clause),
    /// It waits for more bytes after a whole packet that breaks this clause.
    Waits(Clause),
    /// It panics on a packet that breaks this clause.
    Panics(Clause),
    /// It refuses a good packet that has this about it.
    Refuses(Trait),
    /// It waits for more after a good packet that has this about it.
    WaitsFor(Trait),
    /// It panics on a good packet that has this about it.
    PanicsOn(Trait),
    /// It reads or writes something else where a packet has this about it.
    Differs(Trait),
}

/// A difference that is not in the table.
#[derive(Debug)]
pub struct Finding {
    /// Who.
    pub peer: &'static str,
    /// In which version.
    pub version: ProtocolVersion,
    /// The packet type, unless the number is reserved.
    pub packet: Option<PacketType>,
    /// What could explain it; none of these is listed.
    pub differences: Vec<Difference>,
    /// The peer's outcome, shortened.
    pub outcome: String,
}

/// Panics if there is a difference that nobody has explained.
pub fn check(bytes: &[u8]) {
    let findings = unexplained(bytes);
    assert!(findings.is_empty(), "{bytes:02X?}\n{findings:#?}");
}

/// Every difference on the first packet in `bytes` that the table does not have.
pub fn unexplained(bytes: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    // No peer has 3.1.
    for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        let Judgement::Packet { length, breaks } = rules::judge(bytes, version) else { continue };
        let bytes = &bytes[..length];
        let packet = PacketType::from_number(bytes[0] >> 4);
        // CONNECT is read in its own version only.
        if packet == Some(PacketType::Connect)
            && bytes.get(connect_level(bytes)).copied() != Some(version.level())
        {
            continue;
        }
        let ours = match decode(bytes, version) {
            Ok(ours) => Some(ours.expect("it is whole").0),
            Err(_) => None,
        };
        assert_eq!(ours.is_none(), !breaks.is_empty(), "our own decoder: {breaks:?}");
        for peer in PEERS {
            let outcome = quietly(peer, bytes, version);
            // Where a peer has lost its place, what follows means something else to it.
            let place = breaks.iter().position(|it| {
                DERAILING.contains(&it.clause) && known(peer, version, packet, Difference::Accepts(it.clause))
            });
            let breaks = &breaks[..place.map_or(breaks.len(), |place| place + 1)];
            let differences = match &ours {
                Some(ours) => on_a_good_packet(ours, bytes, version, &outcome),
                None => on_a_broken_packet(breaks, &outcome),
            };
            let listed = |difference: &Difference| known(peer, version, packet, *difference);
            if let Some(ours) = &ours {
                nothing_lost(peer, ours, bytes, version, &outcome);
            }
            let explained = match outcome {
                // To accept it, the peer has to overlook every break.
                Outcome::Accepted(_) | Outcome::Unwritable if ours.is_none() => {
                    differences.iter().all(listed)
                }
                _ => differences.is_empty() || differences.iter().any(listed),
            };
            if !explained {
                let differences = differences.into_iter().filter(|it| !listed(it)).collect();
                let outcome = format!("{outcome:02X?}").chars().take(300).collect();
                findings.push(Finding { peer: peer.name, version, packet, differences, outcome });
            }
        }
    }
    findings
}

/// Breaks after which a peer that overlooks them reads on in the wrong place.
const DERAILING: &[Clause] =
    &[Clause::WithinPacket, Clause::PropertyLength, Clause::PropertyKnown, Clause::VariableTooLong];

fn known(peer: &Peer, version: ProtocolVersion, packet: Option<PacketType>, difference: Difference) -> bool {
    deviations::TABLE.iter().any(|row: &Deviation| row.explains(peer.name, version, packet, difference))
}

/// What we write of a packet means the same to the peer: nothing is lost on the way through ours.
fn nothing_lost(peer: &Peer, ours: &Packet<'_>, bytes: &[u8], version: ProtocolVersion, outcome: &Outcome) {
    let rewritten = encoded(ours, version).expect("what was decoded can be encoded");
    // A packet that we write shorter may be read otherwise, by a peer that stumbles over one of the forms.
    if rewritten.len() == bytes.len() {
        let theirs = quietly(peer, &rewritten, version);
        assert_eq!(&theirs, outcome, "{}: {bytes:02X?} against {rewritten:02X?}", peer.name);
    }
}

/// Where the Protocol Version of a CONNECT stands.
fn connect_level(bytes: &[u8]) -> usize {
    let header = 1 + bytes[1..].iter().take(4).take_while(|byte| **byte >= 128).count() + 1;
    match bytes.get(header..header + 2) {
        Some(length) => header + 2 + usize::from(u16::from_be_bytes([length[0], length[1]])),
        None => bytes.len(),
    }
}

fn on_a_broken_packet(breaks: &[Break], outcome: &Outcome) -> Vec<Difference> {
    let kind = match outcome {
        Outcome::Refused => return Vec::new(),
        Outcome::Accepted(_) | Outcome::Unwritable => Difference::Accepts,
        Outcome::Waits => Difference::Waits,
        Outcome::Panicked => Difference::Panics,
    };
    let mut found: Vec<_> = breaks.iter().map(|it| kind(it.clause)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn on_a_good_packet(
    ours: &Packet<'_>,
    bytes: &[u8],
    version: ProtocolVersion,
    outcome: &Outcome,
) -> Vec<Difference> {
    let kind = match outcome {
        Outcome::Accepted(again) => match decode(again, version) {
            Ok(Some((theirs, length)))
                if length == again.len() && canonical(theirs.clone()) == canonical(ours.clone()) =>
            {
                return Vec::new();
            }
            _ => Difference::Differs,
        },
        Outcome::Unwritable => Difference::Differs,
        Outcome::Refused => Difference::Refuses,
        Outcome::Waits => Difference::WaitsFor,
        Outcome::Panicked => Difference::PanicsOn,
    };
    traits::of(ours, bytes).into_iter().map(kind).collect()
}

/// The packet with its properties in the order of their identifiers, which has no meaning but among those that are
/// equal.
fn canonical(packet: Packet<'_>) -> Packet<'static> {
    let mut packet = packet.into_owned();
    match &mut packet {
        Packet::Connect(connect) => {
            sort(&mut connect.properties);
            if let Some(will) = &mut connect.will {
                sort(&mut will.properties);
            }
        }
        Packet::Connack(it) => sort(&mut it.properties),
        Packet::Publish(it) => sort(&mut it.properties),
        Packet::Puback(it) | Packet::Pubrec(it) | Packet::Pubrel(it) | Packet::Pubcomp(it) => {
            sort(&mut it.properties);
        }
        Packet::Subscribe(it) => sort(&mut it.properties),
        Packet::Suback(it) => sort(&mut it.properties),
        Packet::Unsubscribe(it) => sort(&mut it.properties),
        Packet::Unsuback(it) => sort(&mut it.properties),
        Packet::Disconnect(it) => sort(&mut it.properties),
        Packet::Auth(it) => sort(&mut it.properties),
        Packet::Pingreq | Packet::Pingresp => {}
    }
    packet
}

fn sort(properties: &mut Properties<'static>) {
    let mut sorted = Properties::new();
    let mut list: Vec<_> = properties.iter().collect();
    list.sort_by_key(|property| property.id);
    for property in list {
        sorted.push(property.id, property.value);
    }
    *properties = sorted;
}

thread_local! {
    /// Whether a peer is at work, whose panic is an outcome.
    static PEER_AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// What a peer makes of the bytes. libFuzzer ends the process in the panic hook, so the hook looks away meanwhile.
fn quietly(peer: &Peer, bytes: &[u8], version: ProtocolVersion) -> Outcome {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !PEER_AT_WORK.get() {
                loud(info);
            }
        }));
    });
    PEER_AT_WORK.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| (peer.decode)(bytes, version)));
    PEER_AT_WORK.set(false);
    outcome.unwrap_or(Outcome::Panicked)
}
