//! The fingerprint of a history: equal for equal histories, on every machine and in every build.

use std::fmt;

use reference_broker::core::Time;
use xxhash_rust::xxh3::Xxh3;

use super::{Fact, History, Link, Range};

/// 128 bits over all facts, their times and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub u128);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Digest {
    /// Reads what [`Digest`] prints.
    pub fn parse(text: &str) -> Option<Digest> {
        (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(Digest)).flatten()
    }

    /// One digest over several, in their order.
    pub fn over(digests: impl IntoIterator<Item = Digest>) -> Digest {
        let mut state = Xxh3::new();
        for digest in digests {
            state.update(&digest.0.to_le_bytes());
        }
        Digest(state.digest128())
    }
}

pub(super) fn of(history: &History) -> Digest {
    // Facts become fixed-width little-endian records: the layout in memory plays no part.
    let mut buffer = Vec::with_capacity(history.events.len() * 32 + history.bytes.len());
    for event in &history.events {
        put(&mut buffer, history, event.at, event.fact);
    }
    let mut state = Xxh3::new();
    state.update(&buffer);
    Digest(state.digest128())
}

fn put(out: &mut Vec<u8>, history: &History, at: Time, fact: Fact) {
    out.extend_from_slice(&at.0.to_le_bytes());
    let mut record = |tag: u8, a: u32, b: u32, bytes: Option<Range>| {
        out.push(tag);
        out.extend_from_slice(&a.to_le_bytes());
        out.extend_from_slice(&b.to_le_bytes());
        if let Some(range) = bytes {
            out.extend_from_slice(&range.len.to_le_bytes());
            out.extend_from_slice(history.bytes(range));
        }
    };
    match fact {
        Fact::StepBegan(step) => record(1, step, 0, None),
        Fact::LimitReached(step) => record(2, step, 0, None),
        Fact::Settled => record(3, 0, 0, None),
        Fact::BoundReached => record(4, 0, 0, None),
        Fact::Opening { client, link: Link(link) } => record(5, client, link, None),
        Fact::Opened(Link(link)) => record(6, link, 0, None),
        Fact::Sent { link: Link(link), bytes, by_script } => {
            record(7, link, u32::from(by_script), Some(bytes))
        }
        Fact::Received { link: Link(link), bytes } => record(8, link, 0, Some(bytes)),
        Fact::Swallowed { link: Link(link), bytes, from_broker } => {
            record(9, link, u32::from(from_broker), Some(bytes))
        }
        Fact::Closed { link: Link(link), by, how } => record(10, link, (by as u32) << 8 | how as u32, None),
        Fact::Cut { link: Link(link), cut } => record(11, link, cut as u32, None),
        Fact::Partitioned { client, to_broker, to_client } => {
            record(12, client, u32::from(to_broker) << 1 | u32::from(to_client), None);
        }
        Fact::Healed(client) => record(13, client.map_or(0, |client| client + 1), 0, None),
        Fact::BrokerStarted => record(14, 0, 0, None),
        Fact::BrokerStopped => record(15, 0, 0, None),
        Fact::BrokerDied => record(16, 0, 0, None),
        Fact::UpgradeSent { link: Link(link), bytes } => record(18, link, 0, Some(bytes)),
        Fact::UpgradeReceived { link: Link(link), bytes } => record(19, link, 0, Some(bytes)),
        Fact::Frame { link: Link(link), bytes, from_broker } => {
            record(20, link, u32::from(from_broker), Some(bytes))
        }
        Fact::BrokerPaused(paused) => record(17, u32::from(paused), 0, None),
    }
}
