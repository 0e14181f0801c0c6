//! A connection on which packets are exchanged one after the other, outside of any plan.
//!
//! It acknowledges what it gets, keeps messages until somebody asks for them, and says in words what went wrong.
//!
//! Never the case: a wait without an end, an expectation.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use reference_broker::codec::{
    Ack, Connack, Connect, Disconnect, Packet, PacketType, Properties, PropertyId, ProtocolVersion, Publish,
    QoS, ReasonCode, Subscribe, Subscription, SubscriptionOptions, decode_frame, encode, next_frame,
    return_code_name,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::profile::Credentials;

/// How long a broker has for closing a connection that said goodbye.
const FAREWELL: Duration = Duration::from_millis(500);

/// What went wrong on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No connection could be opened.
    Refused,
    /// The connection ended.
    Closed,
    /// The broker said DISCONNECT.
    Dismissed(ReasonCode),
    /// CONNACK with another code than success.
    Rejected(ReasonCode),
    /// Nothing came in time.
    Silent,
    /// A CONNACK that cannot be read.
    StrangeConnack,
    /// Something else that is no packet.
    Garbage,
}

/// Trouble, and after which packet of ours it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) trouble: Trouble,
    pub(super) after: Option<PacketType>,
    pub(super) version: ProtocolVersion,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = self.after.map_or("the connection was opened", PacketType::name);
        match &self.trouble {
            Trouble::Refused => f.write_str("the connection is refused"),
            Trouble::Closed => write!(f, "the connection is closed after {after}"),
            Trouble::Dismissed(code) => {
                write!(f, "DISCONNECT {} after {after}", spell(*code, PacketType::Disconnect, self.version))
            }
            Trouble::Rejected(code) => {
                write!(f, "CONNACK {}", spell(*code, PacketType::Connack, self.version))
            }
            Trouble::Silent => write!(f, "nothing comes after {after}"),
            Trouble::StrangeConnack => f.write_str("a CONNACK that cannot be read"),
            Trouble::Garbage => write!(f, "bytes that are no packet come after {after}"),
        }
    }
}

/// A Reason Code or return code with its name.
pub(super) fn spell(code: ReasonCode, packet: PacketType, version: ProtocolVersion) -> String {
    // A broker that does not know a version answers in its own.
    let name = code.name(packet, version).or_else(|| return_code_name(packet, code));
    format!("0x{:02X}{}{}", code.0, if name.is_some() { " " } else { "" }, name.unwrap_or_default())
}

/// The connection.
pub(super) struct Talk {
    stream: TcpStream,
    version: ProtocolVersion,
    patience: Duration,
    buffer: Vec<u8>,
    last: Option<PacketType>,
    packet_id: u16,
    inbox: Vec<Publish<'static>>,
}

impl Talk {
    /// Opens a connection; every single answer on it is awaited for `patience`.
    pub(super) async fn open(
        address: SocketAddr,
        version: ProtocolVersion,
        patience: Duration,
    ) -> Result<Talk, Fault> {
        match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                Ok(Talk {
                    stream,
                    version,
                    patience,
                    buffer: Vec::new(),
                    last: None,
                    packet_id: 0,
                    inbox: Vec::new(),
                })
            }
            _ => Err(Fault { trouble: Trouble::Refused, after: None, version }),
        }
    }

    fn fault(&self, trouble: Trouble) -> Fault {
        Fault { trouble, after: self.last, version: self.version }
    }

    pub(super) async fn send(&mut self, packet: &Packet<'_>) -> Result<(), Fault> {
        let mut bytes = Vec::new();
        // Everything that is sent here fits into a packet.
        encode(packet, self.version, &mut bytes).map_err(|_| self.fault(Trouble::Garbage))?;
        match timeout(self.patience, self.stream.write_all(&bytes)).await {
            Ok(Ok(())) => {
                self.last = Some(packet.packet_type());
                Ok(())
            }
            Ok(Err(_)) => Err(self.fault(Trouble::Closed)),
            Err(_) => Err(self.fault(Trouble::Silent)),
        }
    }

    /// The next packet.
    async fn receive(&mut self, end: Instant) -> Result<Packet<'static>, Fault> {
        loop {
            if Instant::now() >= end {
                return Err(self.fault(Trouble::Silent));
            }
            match next_frame(&self.buffer, None) {
                Ok(Some(frame)) => {
                    let (kind, len, code) = (frame.packet_type(), frame.len(), frame.body.get(1).copied());
                    let packet = decode_frame(frame, self.version).map(Packet::into_owned);
                    self.buffer.drain(..len);
                    return match (packet, kind, code) {
                        // A refusal may be in the words of another version.
                        (_, Some(PacketType::Connack), Some(code)) if code != 0 => {
                            Err(self.fault(Trouble::Rejected(ReasonCode(code))))
                        }
                        (Ok(packet), ..) => Ok(packet),
                        (Err(_), Some(PacketType::Connack), _) => Err(self.fault(Trouble::StrangeConnack)),
                        (Err(_), ..) => Err(self.fault(Trouble::Garbage)),
                    };
                }
                Ok(None) => match timeout_at(end, self.stream.read_buf(&mut self.buffer)).await {
                    Err(_) => return Err(self.fault(Trouble::Silent)),
                    Ok(Ok(0) | Err(_)) => return Err(self.fault(Trouble::Closed)),
                    Ok(Ok(_)) => {}
                },
                Err(_) => return Err(self.fault(Trouble::Garbage)),
            }
        }
    }

    /// Waits for what `pick` takes; messages that come before it are kept.
    async fn answer<T>(&mut self, mut pick: impl FnMut(&Packet<'_>) -> Option<T>) -> Result<T, Fault> {
        let end = Instant::now() + self.patience;
        loop {
            let packet = self.receive(end).await?;
            if let Some(found) = pick(&packet) {
                return Ok(found);
            }
            self.take(packet).await?;
        }
    }

    /// Does what a correct client does with a packet that nobody waits for.
    async fn take(&mut self, packet: Packet<'static>) -> Result<(), Fault> {
        let answer = match packet {
            Packet::Publish(publish) => {
                let ack = publish.packet_id.map(Ack::success);
                let qos = publish.qos;
                self.inbox.push(publish);
                match (qos, ack) {
                    (QoS::AtLeastOnce, Some(ack)) => Some(Packet::Puback(ack)),
                    (QoS::ExactlyOnce, Some(ack)) => Some(Packet::Pubrec(ack)),
                    _ => None,
                }
            }
            Packet::Pubrel(ack) => Some(Packet::Pubcomp(Ack::success(ack.packet_id))),
            Packet::Disconnect(disconnect) => return Err(self.fault(Trouble::Dismissed(disconnect.reason))),
            _ => None,
        };
        match answer {
            Some(answer) => {
                let last = self.last;
                self.send(&answer).await?;
                // An acknowledgement is no question.
                self.last = last;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) async fn connect(
        &mut self,
        client_id: &str,
        credentials: Option<&Credentials>,
    ) -> Result<Connack<'static>, Fault> {
        self.connect_with(client_id, credentials, Properties::new()).await
    }

    /// Connects with a Keep Alive of so many seconds, to fall silent afterwards.
    pub(super) async fn connect_for(
        &mut self,
        client_id: &str,
        credentials: Option<&Credentials>,
        keep_alive: u16,
    ) -> Result<(), Fault> {
        let connect = connect_packet(self.version, client_id, credentials, Properties::new());
        self.send(&Packet::Connect(Box::new(Connect { keep_alive, ..connect }))).await?;
        self.answer(|packet| matches!(packet, Packet::Connack(_)).then_some(())).await
    }

    /// Whether the broker ends the connection within this time.
    pub(super) async fn ends_within(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            match self.receive(end).await {
                Ok(Packet::Disconnect(_)) => return true,
                Ok(_) => {}
                Err(fault) => return matches!(fault.trouble, Trouble::Closed),
            }
        }
    }

    pub(super) async fn connect_with(
        &mut self,
        client_id: &str,
        credentials: Option<&Credentials>,
        properties: Properties<'_>,
    ) -> Result<Connack<'static>, Fault> {
        let connect = connect_packet(self.version, client_id, credentials, properties);
        self.send(&Packet::Connect(Box::new(connect))).await?;
        self.answer(|packet| match packet {
            Packet::Connack(connack) => match Packet::Connack(connack.clone()).into_owned() {
                Packet::Connack(connack) => Some(connack),
                _ => None,
            },
            _ => None,
        })
        .await
    }

    /// Subscribes and tells what was granted.
    pub(super) async fn subscribe(
        &mut self,
        filter: &str,
        qos: QoS,
        identifier: Option<u32>,
    ) -> Result<ReasonCode, Fault> {
        self.packet_id += 1;
        let mut properties = Properties::new();
        if let Some(identifier) = identifier {
            properties.push_number(PropertyId::SubscriptionIdentifier, identifier);
        }
        let subscribe = Subscribe {
            packet_id: self.packet_id,
            properties,
            subscriptions: vec![Subscription {
                filter: Cow::Borrowed(filter),
                options: SubscriptionOptions { qos, ..SubscriptionOptions::default() },
            }],
        };
        self.send(&Packet::Subscribe(subscribe)).await?;
        let wanted = self.packet_id;
        self.answer(|packet| match packet {
            Packet::Suback(suback) if suback.packet_id == wanted => suback.reasons.first().copied(),
            _ => None,
        })
        .await
    }

    /// Publishes and goes through the whole exchange. At QoS 0 there is none, and success is the answer.
    pub(super) async fn publish(&mut self, message: Message<'_>) -> Result<ReasonCode, Fault> {
        self.packet_id += 1;
        let wanted = self.packet_id;
        let mut properties = Properties::new();
        if let Some(alias) = message.alias {
            properties.push_number(PropertyId::TopicAlias, u32::from(alias));
        }
        let publish = Publish {
            dup: false,
            qos: message.qos,
            retain: message.retain,
            topic: Cow::Borrowed(message.topic),
            packet_id: (message.qos != QoS::AtMostOnce).then_some(wanted),
            properties,
            payload: Cow::Borrowed(message.payload.as_bytes()),
        };
        self.send(&Packet::Publish(publish)).await?;
        match message.qos {
            QoS::AtMostOnce => Ok(ReasonCode::SUCCESS),
            QoS::AtLeastOnce => {
                self.answer(|packet| match packet {
                    Packet::Puback(ack) if ack.packet_id == wanted => Some(ack.reason),
                    _ => None,
                })
                .await
            }
            QoS::ExactlyOnce => {
                let reason = self
                    .answer(|packet| match packet {
                        Packet::Pubrec(ack) if ack.packet_id == wanted => Some(ack.reason),
                        _ => None,
                    })
                    .await?;
                if reason.is_error() {
                    return Ok(reason);
                }
                self.send(&Packet::Pubrel(Ack::success(wanted))).await?;
                self.answer(|packet| match packet {
                    Packet::Pubcomp(ack) if ack.packet_id == wanted => Some(ack.reason),
                    _ => None,
                })
                .await
            }
        }
    }

    /// A message that `wanted` takes, or none if it does not come.
    pub(super) async fn message(
        &mut self,
        mut wanted: impl FnMut(&Publish<'_>) -> bool,
    ) -> Result<Option<Publish<'static>>, Fault> {
        let end = Instant::now() + self.patience;
        loop {
            if let Some(at) = self.inbox.iter().position(&mut wanted) {
                return Ok(Some(self.inbox.swap_remove(at)));
            }
            match self.receive(end).await {
                Ok(packet) => self.take(packet).await?,
                Err(Fault { trouble: Trouble::Silent, .. }) => return Ok(None),
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Takes what comes within a moment and tells how many messages are there.
    pub(super) async fn listen(&mut self, moment: Duration) -> Result<usize, Fault> {
        let end = Instant::now() + moment;
        loop {
            match self.receive(end).await {
                Ok(packet) => self.take(packet).await?,
                Err(Fault { trouble: Trouble::Silent, .. }) => return Ok(self.inbox.len()),
                Err(fault) => return Err(fault),
            }
        }
    }

    /// A round trip: what the broker sent before its answer has come.
    pub(super) async fn ping(&mut self) -> Result<(), Fault> {
        self.send(&Packet::Pingreq).await?;
        self.answer(|packet| matches!(packet, Packet::Pingresp).then_some(())).await
    }

    /// Says goodbye, and waits a while for the broker to close: brokers are known that mistake a connection that ends at
    /// the same time for the next one. A session that was asked for ends with it.
    pub(super) async fn leave(mut self) {
        let mut properties = Properties::new();
        if self.version == ProtocolVersion::V5 {
            properties.push_number(PropertyId::SessionExpiryInterval, 0);
        }
        let disconnect = Disconnect { reason: ReasonCode::SUCCESS, properties };
        let _ = self.send(&Packet::Disconnect(disconnect)).await;
        let _ = self.ends_within(FAREWELL).await;
        let _ = self.stream.shutdown().await;
    }
}

/// What is published.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) topic: &'a str,
    pub(super) payload: &'a str,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) alias: Option<u16>,
}

/// A CONNECT that any broker can accept.
pub(super) fn connect_packet<'a>(
    version: ProtocolVersion,
    client_id: &'a str,
    credentials: Option<&'a Credentials>,
    properties: Properties<'a>,
) -> Connect<'a> {
    Connect {
        version,
        clean_start: true,
        keep_alive: 60,
        properties,
        client_id: Cow::Borrowed(client_id),
        will: None,
        user_name: credentials.map(|it| Cow::Borrowed(it.user_name.as_str())),
        password: credentials.map(|it| Cow::Borrowed(it.password.as_bytes())),
    }
}
