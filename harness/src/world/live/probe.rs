//! Short conversations with a broker outside of any plan: is it there, and clearing up.
//!
//! Never the case: a fact in a history, a wait without an end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reference_broker::codec::{Packet, PropertyId, ProtocolVersion, QoS};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::history::{Fact, History, whole_packet};
use crate::profile::Credentials;

use super::places::Places;
use super::talk::{Message, Talk, Trouble};

/// How long a single answer is awaited.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// What a broker said to a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// It sent a CONNACK, whatever is in it.
    Answers,
    /// No connection could be opened.
    Refuses,
    /// A connection was opened, and no CONNACK came.
    Silent,
}

/// A Client Identifier that no connection had before: two with the same would end each other, and some brokers do
/// not survive that. At most 23 characters if `client_id` has 16.
fn unused(client_id: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{client_id}x{:x}", COUNT.fetch_add(1, Ordering::Relaxed) & 0xFF_FFFF)
}

/// Asks a broker with a CONNECT of this version, and waits so long for an answer.
pub(super) async fn probe(
    address: SocketAddr,
    version: ProtocolVersion,
    client_id: &str,
    credentials: Option<&Credentials>,
    patience: Duration,
) -> Probe {
    let Ok(mut talk) = Talk::open(address, version, patience).await else { return Probe::Refuses };
    match talk.connect(&unused(client_id), credentials).await {
        Ok(_) => talk.leave().await,
        Err(fault) if matches!(fault.trouble, Trouble::Rejected(_) | Trouble::StrangeConnack) => {}
        Err(_) => return Probe::Silent,
    }
    Probe::Answers
}

/// A ClientHello of TLS 1.2 that offers one common cipher suite and nothing else.
const CLIENT_HELLO: [u8; 52] = {
    let mut hello = [0x5A; 52];
    let head = [0x16, 3, 1, 0, 47, 1, 0, 0, 43, 3, 3];
    let tail = [0, 0, 2, 0xC0, 0x2F, 1, 0, 0, 0];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    let mut at = 0;
    while at < tail.len() {
        hello[43 + at] = tail[at];
        at += 1;
    }
    hello
};

/// Whether somebody who answers no CONNECT answers a ClientHello: with a handshake record, or with an alert.
pub(super) async fn speaks_tls(address: SocketAddr) -> bool {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&CLIENT_HELLO).await?;
        let mut head = [0; 2];
        stream.read_exact(&mut head).await?;
        std::io::Result::Ok(head)
    };
    matches!(timeout(PATIENCE, exchange).await, Ok(Ok([0x15 | 0x16, 3])))
}

/// What a run leaves behind in a broker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Traces {
    sessions: BTreeSet<(String, ProtocolVersion)>,
    retained: BTreeSet<String>,
}

impl Traces {
    /// Retained messages on these topics.
    pub(super) fn retained(topics: impl IntoIterator<Item = String>) -> Traces {
        Traces { retained: topics.into_iter().collect(), ..Traces::default() }
    }

    /// Reads from a history what was left.
    pub(super) fn of(history: &History, versions: impl Fn(u32) -> ProtocolVersion) -> Traces {
        let mut traces = Traces::default();
        let mut owners = Vec::new();
        let mut aliases: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for event in history.events() {
            let (link, bytes) = match event.fact {
                Fact::Opening { client, .. } => {
                    owners.push(client);
                    continue;
                }
                Fact::Sent { link, bytes, .. } => (link, bytes),
                _ => continue,
            };
            let version = versions(owners.get(link.0 as usize).copied().unwrap_or(0));
            match whole_packet(history.bytes(bytes), version) {
                Some(Packet::Publish(publish)) => {
                    let alias = publish.properties.number(PropertyId::TopicAlias);
                    let topic = publish.topic.into_owned();
                    // What an alias stands for on another connection is not for this one, but the broker may think so.
                    let named = alias.map(|alias| aliases.entry(alias).or_default());
                    match named {
                        Some(named) if topic.is_empty() && publish.retain => {
                            traces.retained.extend(named.iter().cloned());
                        }
                        Some(named) if !topic.is_empty() => {
                            named.insert(topic.clone());
                        }
                        _ => {}
                    }
                    if publish.retain {
                        traces.retained.insert(topic);
                    }
                }
                Some(Packet::Connect(connect)) => {
                    let expiry = connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0);
                    if (!connect.clean_start || expiry > 0) && !connect.client_id.is_empty() {
                        traces.sessions.insert((connect.client_id.to_string(), connect.version));
                    }
                    if let Some(will) = &connect.will
                        && will.retain
                    {
                        traces.retained.insert(will.topic.to_string());
                    }
                }
                _ => {}
            }
        }
        traces.retained.remove("");
        traces
    }

    /// Removes them. What the broker does not let go stays.
    pub(super) async fn clear(self, places: &Places, client_id: &str, credentials: Option<&Credentials>) {
        // Ending a session may publish its will, so retained messages come last.
        for (session, version) in self.sessions {
            if let Ok(mut talk) = Talk::open(places.mqtt(version), version, PATIENCE).await
                && talk.connect(&session, credentials).await.is_ok()
            {
                talk.leave().await;
            }
        }
        if self.retained.is_empty() {
            return;
        }
        for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5, ProtocolVersion::V3_1] {
            let Ok(mut talk) = Talk::open(places.mqtt(version), version, PATIENCE).await else { return };
            if talk.connect(&unused(client_id), credentials).await.is_err() {
                continue;
            }
            for topic in &self.retained {
                let empty = Message { topic, payload: "", qos: QoS::AtMostOnce, retain: true, alias: None };
                if talk.publish(empty).await.is_err() {
                    return;
                }
            }
            // The answer says that the broker has read what came before.
            let _ = talk.ping().await;
            talk.leave().await;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use reference_broker::codec::{Properties, PropertyValue, Publish, encode};
    use reference_broker::core::Time;

    use super::*;
    use crate::history::Link;

    #[test]
    fn a_retained_message_that_was_named_by_an_alias_is_a_trace() {
        let mut history = History::new();
        history.push(Time(0), Fact::Opening { client: 0, link: Link(0) });
        for (topic, alias, retain) in [("a", 1, false), ("b", 2, false), ("", 1, true), ("c", 3, true)] {
            let mut properties = Properties::new();
            properties.push(PropertyId::TopicAlias, PropertyValue::Two(alias));
            let packet = Packet::Publish(Publish {
                dup: false,
                qos: QoS::AtMostOnce,
                retain,
                topic: topic.into(),
                packet_id: None,
                properties,
                payload: b"x"[..].into(),
            });
            let mut bytes = Vec::new();
            encode(&packet, ProtocolVersion::V5, &mut bytes).expect("it can be written");
            let bytes = history.store(&bytes);
            history.push(Time(0), Fact::Sent { link: Link(0), bytes, by_script: true });
        }
        let traces = Traces::of(&history, |_| ProtocolVersion::V5);
        assert_eq!(traces, Traces::retained(["a".to_string(), "c".to_string()]));
    }
}
