//! Short conversations with a broker outside of any plan: is it there, and clearing up.
//!
//! Never the case: a fact in a history, a wait without an end.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use reference_broker::codec::{
    Connect, Packet, PacketType, Properties, PropertyId, ProtocolVersion, Publish, QoS, encode, next_frame,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::history::{Fact, History, whole_packet};
use crate::profile::Credentials;

/// How long a single answer is awaited.
const PATIENCE: Duration = Duration::from_secs(1);

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

/// A connection on which packets are exchanged one after the other.
struct Talk {
    stream: TcpStream,
    version: ProtocolVersion,
    buffer: Vec<u8>,
}

impl Talk {
    async fn open(address: SocketAddr, version: ProtocolVersion) -> io::Result<Talk> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Talk { stream, version, buffer: Vec::new() })
    }

    async fn send(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        encode(packet, self.version, &mut bytes).map_err(|error| io::Error::other(format!("{error:?}")))?;
        timeout(PATIENCE, self.stream.write_all(&bytes)).await?
    }

    /// Waits for a packet of this type and drops what comes before it.
    async fn wait_for(&mut self, wanted: PacketType) -> io::Result<()> {
        timeout(PATIENCE, async {
            loop {
                match next_frame(&self.buffer, None) {
                    Ok(Some(frame)) => {
                        let (kind, len) = (frame.packet_type(), frame.len());
                        self.buffer.drain(..len);
                        if kind == Some(wanted) {
                            return Ok(());
                        }
                    }
                    Ok(None) => {
                        if self.stream.read_buf(&mut self.buffer).await? == 0 {
                            return Err(io::ErrorKind::UnexpectedEof.into());
                        }
                    }
                    Err(_) => return Err(io::ErrorKind::InvalidData.into()),
                }
            }
        })
        .await?
    }

    async fn connect(&mut self, client_id: &str, credentials: Option<&Credentials>) -> io::Result<()> {
        let connect = Connect {
            version: self.version,
            clean_start: true,
            keep_alive: 60,
            properties: Properties::new(),
            client_id: Cow::Borrowed(client_id),
            will: None,
            user_name: credentials.map(|it| Cow::Borrowed(it.user_name.as_str())),
            password: credentials.map(|it| Cow::Borrowed(it.password.as_bytes())),
        };
        self.send(&Packet::Connect(Box::new(connect))).await?;
        self.wait_for(PacketType::Connack).await
    }

    async fn leave(mut self) -> io::Result<()> {
        let disconnect = reference_broker::codec::Disconnect {
            reason: reference_broker::codec::ReasonCode::SUCCESS,
            properties: Properties::new(),
        };
        self.send(&Packet::Disconnect(disconnect)).await?;
        self.stream.shutdown().await
    }
}

/// Asks a broker with a CONNECT of this version.
pub(super) async fn probe(
    address: SocketAddr,
    version: ProtocolVersion,
    client_id: &str,
    credentials: Option<&Credentials>,
) -> Probe {
    let Ok(mut talk) = Talk::open(address, version).await else { return Probe::Refuses };
    if talk.connect(client_id, credentials).await.is_err() {
        return Probe::Silent;
    }
    let _ = talk.leave().await;
    Probe::Answers
}

/// What a run leaves behind in a broker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Traces {
    sessions: BTreeSet<(String, ProtocolVersion)>,
    retained: BTreeSet<String>,
}

impl Traces {
    /// Reads from a history what was left.
    pub(super) fn of(history: &History, versions: impl Fn(u32) -> ProtocolVersion) -> Traces {
        let mut traces = Traces::default();
        let mut owners = Vec::new();
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
                Some(Packet::Publish(publish)) if publish.retain => {
                    traces.retained.insert(publish.topic.into_owned());
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
    pub(super) async fn clear(self, address: SocketAddr, client_id: &str, credentials: Option<&Credentials>) {
        // Ending a session may publish its will, so retained messages come last.
        for (session, version) in self.sessions {
            if let Ok(mut talk) = Talk::open(address, version).await
                && talk.connect(&session, credentials).await.is_ok()
            {
                let _ = talk.leave().await;
            }
        }
        if self.retained.is_empty() {
            return;
        }
        for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
            let Ok(mut talk) = Talk::open(address, version).await else { return };
            if talk.connect(client_id, credentials).await.is_err() {
                continue;
            }
            for topic in &self.retained {
                let empty = Publish {
                    dup: false,
                    qos: QoS::AtMostOnce,
                    retain: true,
                    topic: Cow::Borrowed(topic.as_str()),
                    packet_id: None,
                    properties: Properties::new(),
                    payload: Cow::Borrowed(b""),
                };
                if talk.send(&Packet::Publish(empty)).await.is_err() {
                    return;
                }
            }
            // The answer says that the broker has read what came before.
            let _ = talk.send(&Packet::Pingreq).await;
            let _ = talk.wait_for(PacketType::Pingresp).await;
            let _ = talk.leave().await;
            return;
        }
    }
}
