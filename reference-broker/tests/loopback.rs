//! The shell over real sockets on the loopback interface: one test for each protocol version.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use reference_broker::codec::{
    Ack, Connect, Disconnect, Packet, Properties, PropertyId, ProtocolVersion, Publish, QoS, ReasonCode,
    Subscribe, Subscription, SubscriptionOptions, decode, encoded,
};
use reference_broker::core::{Broker, Config};
use reference_broker::shell::{listen, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::timeout;

/// Longer than anything here takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Client {
    stream: TcpStream,
    version: ProtocolVersion,
    buffer: Vec<u8>,
}

impl Client {
    async fn open(address: SocketAddr, version: ProtocolVersion) -> Client {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, version, buffer: Vec::new() }
    }

    async fn connect(address: SocketAddr, version: ProtocolVersion, client_id: &'static str) -> Client {
        let mut client = Client::open(address, version).await;
        let mut properties = Properties::new();
        if version == ProtocolVersion::V5 {
            properties.push_number(PropertyId::SessionExpiryInterval, 60);
        }
        client
            .send(Packet::Connect(Box::new(Connect {
                version,
                clean_start: false,
                keep_alive: 30,
                properties,
                client_id: client_id.into(),
                will: None,
                user_name: None,
                password: None,
            })))
            .await;
        match client.receive().await {
            Some(Packet::Connack(connack)) => assert_eq!(connack.reason, ReasonCode::SUCCESS),
            other => panic!("expected CONNACK, got {other:?}"),
        }
        client
    }

    async fn send(&mut self, packet: Packet<'_>) {
        let bytes = encoded(&packet, self.version).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// The next packet; `None` when the broker has closed.
    async fn receive(&mut self) -> Option<Packet<'static>> {
        loop {
            if let Some((packet, length)) = decode(&self.buffer, self.version).unwrap() {
                let packet = packet.into_owned();
                self.buffer.drain(..length);
                return Some(packet);
            }
            let mut chunk = [0; 4096];
            let read =
                timeout(PATIENCE, self.stream.read(&mut chunk)).await.expect("the broker says nothing");
            match read.expect("the connection was reset") {
                0 => return None,
                count => self.buffer.extend_from_slice(&chunk[..count]),
            }
        }
    }

    async fn subscribe(&mut self, filter: &'static str) {
        let options = SubscriptionOptions { qos: QoS::ExactlyOnce, ..SubscriptionOptions::default() };
        let subscriptions = vec![Subscription { filter: filter.into(), options }];
        self.send(Packet::Subscribe(Subscribe {
            packet_id: 1,
            properties: Properties::new(),
            subscriptions,
        }))
        .await;
        assert!(matches!(self.receive().await, Some(Packet::Suback(_))));
    }

    async fn publish(&mut self, topic: &'static str, payload: Vec<u8>, qos: QoS) {
        let packet_id = (qos != QoS::AtMostOnce).then_some(1);
        self.send(Packet::Publish(Publish {
            dup: false,
            qos,
            retain: false,
            topic: topic.into(),
            packet_id,
            properties: Properties::new(),
            payload: payload.into(),
        }))
        .await;
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => assert!(matches!(self.receive().await, Some(Packet::Puback(_)))),
            QoS::ExactlyOnce => {
                assert!(matches!(self.receive().await, Some(Packet::Pubrec(_))));
                self.send(Packet::Pubrel(Ack::success(1))).await;
                assert!(matches!(self.receive().await, Some(Packet::Pubcomp(_))));
            }
        }
    }

    async fn hear(&mut self, payload: &[u8]) {
        let Some(Packet::Publish(publish)) = self.receive().await else { panic!("expected PUBLISH") };
        assert!(publish.payload == payload, "{} bytes of payload", publish.payload.len());
        match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(id)) => self.send(Packet::Puback(Ack::success(id))).await,
            (QoS::ExactlyOnce, Some(id)) => {
                self.send(Packet::Pubrec(Ack::success(id))).await;
                assert!(matches!(self.receive().await, Some(Packet::Pubrel(_))));
                self.send(Packet::Pubcomp(Ack::success(id))).await;
            }
            _ => {}
        }
    }
}

/// Runs `clients` against a broker, then stops the broker and waits for it.
fn with_broker<F: Future<Output = ()> + 'static>(clients: impl FnOnce(SocketAddr, Rc<Cell<bool>>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let listeners = listen(&["127.0.0.1:0".to_owned()]).await.unwrap();
        let address = listeners.local_addresses().unwrap()[0];
        let stop = Rc::new(Cell::new(false));
        let asked = Rc::clone(&stop);
        let shutdown = async move {
            loop {
                if asked.get() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let broker = Broker::new(Config::default(), 1);
        let server = tokio::task::spawn_local(serve(listeners, broker, shutdown));
        let clients = clients(address, Rc::clone(&stop));
        timeout(PATIENCE * 2, clients).await.expect("the clients are stuck");
        stop.set(true);
        timeout(PATIENCE, server).await.expect("the broker does not stop").unwrap().unwrap();
    });
}

async fn exchange(address: SocketAddr, version: ProtocolVersion) {
    let mut subscriber = Client::connect(address, version, "subscriber").await;
    let mut publisher = Client::connect(address, version, "publisher").await;
    subscriber.subscribe("a/#").await;
    for qos in QoS::ALL {
        for size in [0, 1, 100_000] {
            let payload = vec![b'x'; size];
            publisher.publish("a/b", payload.clone(), qos).await;
            subscriber.hear(&payload).await;
        }
    }
    // Bytes one by one, and a great many packets in one write.
    let ping = encoded(&Packet::Pingreq, version).unwrap();
    for byte in &ping {
        publisher.stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(publisher.receive().await, Some(Packet::Pingresp));
    publisher.stream.write_all(&ping.repeat(5_000)).await.unwrap();
    for _ in 0..5_000 {
        assert_eq!(publisher.receive().await, Some(Packet::Pingresp));
    }
    // The session outlives the socket.
    drop(subscriber);
    publisher.publish("a/b", b"queued".to_vec(), QoS::AtLeastOnce).await;
    let mut subscriber = Client::connect(address, version, "subscriber").await;
    subscriber.hear(b"queued").await;
    let properties = Properties::new();
    subscriber
        .send(Packet::Disconnect(Disconnect { reason: ReasonCode::NORMAL_DISCONNECTION, properties }))
        .await;
    assert_eq!(subscriber.receive().await, None);
    // A malformed packet ends its connection, with a reason where the version has one, and no other.
    let mut offender = Client::connect(address, version, "offender").await;
    offender.stream.write_all(&[0xC1, 0]).await.unwrap();
    if version == ProtocolVersion::V5 {
        match offender.receive().await {
            Some(Packet::Disconnect(disconnect)) => {
                assert_eq!(disconnect.reason, ReasonCode::MALFORMED_PACKET)
            }
            other => panic!("expected DISCONNECT, got {other:?}"),
        }
    }
    assert_eq!(offender.receive().await, None);
    publisher.send(Packet::Pingreq).await;
    assert_eq!(publisher.receive().await, Some(Packet::Pingresp));
}

#[test]
fn version_3_1_over_loopback() {
    with_broker(|address, _| exchange(address, ProtocolVersion::V3_1));
}

#[test]
fn version_3_1_1_over_loopback() {
    with_broker(|address, _| exchange(address, ProtocolVersion::V3_1_1));
}

#[test]
fn version_5_0_over_loopback() {
    with_broker(|address, _| exchange(address, ProtocolVersion::V5));
}

#[test]
fn a_stop_says_so_and_closes() {
    with_broker(|address, stop| async move {
        let mut five = Client::connect(address, ProtocolVersion::V5, "five").await;
        let mut three = Client::connect(address, ProtocolVersion::V3_1_1, "three").await;
        stop.set(true);
        match five.receive().await {
            Some(Packet::Disconnect(disconnect)) => {
                assert_eq!(disconnect.reason, ReasonCode::SERVER_SHUTTING_DOWN)
            }
            other => panic!("expected DISCONNECT, got {other:?}"),
        }
        assert_eq!(five.receive().await, None);
        assert_eq!(three.receive().await, None);
    });
}

#[test]
fn a_client_that_does_not_read_hurts_nobody() {
    with_broker(|address, _| async move {
        let mut lazy = Client::connect(address, ProtocolVersion::V3_1_1, "lazy").await;
        lazy.subscribe("flood").await;
        let mut publisher = Client::connect(address, ProtocolVersion::V3_1_1, "publisher").await;
        // Enough for the buffers of the kernel and of the broker; then the lazy one is given up.
        for _ in 0..80 {
            publisher.publish("flood", vec![0; 500_000], QoS::AtMostOnce).await;
        }
        publisher.send(Packet::Pingreq).await;
        assert_eq!(publisher.receive().await, Some(Packet::Pingresp));
        // What it reads at last ends, cut off or not.
        let mut read = 0;
        let mut chunk = vec![0; 1 << 16];
        let ended = async {
            while let Ok(count @ 1..) = lazy.stream.read(&mut chunk).await {
                read += count;
            }
        };
        timeout(PATIENCE, ended).await.expect("the lazy client is never given up");
        assert!(read < 40_000_000, "{read} bytes");
    });
}
