//! MQTT over WebSocket over real sockets on the loopback interface, with tungstenite's own client.

use std::net::TcpStream;
use std::time::Duration;

use reference_broker::codec::{
    Connect, Packet, Properties, ProtocolVersion, Publish, QoS, Subscribe, Subscription, SubscriptionOptions,
    decode, encoded,
};
use reference_broker::core::{Broker, Config};
use reference_broker::shell::{listen, serve};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket, client};

const VERSION: ProtocolVersion = ProtocolVersion::V5;

/// Runs a broker on a thread of its own and hands its WebSocket address to the test.
fn with_broker(test: impl FnOnce(&str)) {
    let (ready, address) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            tokio::task::LocalSet::new().block_on(&runtime, async {
                let any = ["127.0.0.1:0".to_owned()];
                let listeners = listen(&any).await.expect("a port");
                let listeners = listeners.and_websocket(&any, &Config::default()).await.expect("a port");
                ready.send(listeners.websocket_addresses().expect("addresses")[0]).expect("the test waits");
                let stopped = async {
                    let _ = stopped.await;
                };
                serve(listeners, Broker::new(Config::default(), 1), stopped).await.expect("it serves");
            });
        });
        let address = address.recv().expect("the broker listens").to_string();
        test(&address);
        drop(stop);
    });
}

fn open(address: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    let mut request = format!("ws://{address}/mqtt").into_client_request().expect("a request");
    request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("mqtt"));
    let (socket, response) = client(request, stream).expect("an upgrade");
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "mqtt");
    socket
}

fn bytes(packet: Packet<'_>) -> Vec<u8> {
    encoded(&packet, VERSION).expect("a packet")
}

fn connect() -> Vec<u8> {
    bytes(Packet::Connect(Box::new(Connect {
        version: VERSION,
        clean_start: true,
        keep_alive: 30,
        properties: Properties::new(),
        client_id: "socket".into(),
        will: None,
        user_name: None,
        password: None,
    })))
}

/// The next packet, whatever frames it comes in; `None` when the broker has closed.
fn next(socket: &mut WebSocket<TcpStream>, buffer: &mut Vec<u8>) -> Option<Packet<'static>> {
    loop {
        if let Some((packet, length)) = decode(buffer, VERSION).expect("well-formed packets") {
            let packet = packet.into_owned();
            buffer.drain(..length);
            return Some(packet);
        }
        match socket.read() {
            Ok(Message::Binary(bytes)) => buffer.extend_from_slice(&bytes),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(Message::Pong(_)) => {}
            Ok(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn messages_go_both_ways_whatever_frames_they_come_in() {
    with_broker(|address| {
        let mut socket = open(address);
        let mut buffer = Vec::new();
        for byte in connect() {
            socket.send(Message::binary(vec![byte])).expect("it is sent");
        }
        assert!(matches!(next(&mut socket, &mut buffer), Some(Packet::Connack(_))));
        socket.send(Message::Ping(vec![1, 2, 3].into())).expect("it is sent");
        let payload = vec![b'x'; 100_000];
        let options = SubscriptionOptions { qos: QoS::AtMostOnce, ..SubscriptionOptions::default() };
        let subscribe = bytes(Packet::Subscribe(Subscribe {
            packet_id: 1,
            properties: Properties::new(),
            subscriptions: vec![Subscription { filter: "a".into(), options }],
        }));
        let publish = bytes(Packet::Publish(Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic: "a".into(),
            packet_id: None,
            properties: Properties::new(),
            payload: payload.clone().into(),
        }));
        socket.send(Message::binary([subscribe, publish].concat())).expect("it is sent");
        assert!(matches!(next(&mut socket, &mut buffer), Some(Packet::Suback(_))));
        match next(&mut socket, &mut buffer) {
            Some(Packet::Publish(publish)) => assert_eq!(publish.payload, payload),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_text_frame_ends_the_connection() {
    with_broker(|address| {
        let mut socket = open(address);
        socket.send(Message::text("hello")).expect("it is sent");
        match socket.read() {
            Ok(Message::Close(Some(frame))) => assert_eq!(u16::from(frame.code), 1003),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn an_orderly_stop_closes_websockets_as_well() {
    let mut left = None;
    with_broker(|address| {
        let mut socket = open(address);
        let mut buffer = Vec::new();
        socket.send(Message::binary(connect())).expect("it is sent");
        assert!(matches!(next(&mut socket, &mut buffer), Some(Packet::Connack(_))));
        left = Some(socket);
    });
    let mut socket = left.expect("a socket");
    let mut buffer = Vec::new();
    assert!(matches!(next(&mut socket, &mut buffer), Some(Packet::Disconnect(_))));
    assert_eq!(next(&mut socket, &mut buffer), None);
}
