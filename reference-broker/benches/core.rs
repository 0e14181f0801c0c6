//! The core at work: four clients, a hundred messages at mixed QoS, everything acknowledged.

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use reference_broker::codec::{
    Ack, Connect, Packet, Properties, ProtocolVersion, Publish, QoS, Subscribe, Subscription,
    SubscriptionOptions, decode, encoded,
};
use reference_broker::core::{Broker, Config, ConnectionId, Output, Time};

const CLIENTS: u64 = 4;
const MESSAGES: u16 = 100;
const VERSION: ProtocolVersion = ProtocolVersion::V5;

/// What the clients send, encoded once: the clients' own work is not what is measured.
struct Script {
    connects: Vec<Vec<u8>>,
    subscribe: Vec<u8>,
    publishes: Vec<(u64, Vec<u8>)>,
}

fn script() -> Script {
    let bytes = |packet: Packet<'_>| encoded(&packet, VERSION).unwrap_or_default();
    let connect = |number: u64| {
        bytes(Packet::Connect(Box::new(Connect {
            version: VERSION,
            clean_start: true,
            keep_alive: 60,
            properties: Properties::new(),
            client_id: format!("client{number}").into(),
            will: None,
            user_name: None,
            password: None,
        })))
    };
    let options = SubscriptionOptions { qos: QoS::ExactlyOnce, ..SubscriptionOptions::default() };
    let subscriptions = vec![Subscription { filter: "a/+".into(), options }];
    let publish = |number: u16| {
        let qos = QoS::ALL[usize::from(number % 3)];
        bytes(Packet::Publish(Publish {
            dup: false,
            qos,
            retain: false,
            topic: "a/b".into(),
            packet_id: (qos != QoS::AtMostOnce).then_some(number),
            properties: Properties::new(),
            payload: b"0123456789abcdef"[..].into(),
        }))
    };
    Script {
        connects: (0..CLIENTS).map(connect).collect(),
        subscribe: bytes(Packet::Subscribe(Subscribe {
            packet_id: 1,
            properties: Properties::new(),
            subscriptions,
        })),
        publishes: (1..=MESSAGES).map(|number| (u64::from(number) % CLIENTS, publish(number))).collect(),
    }
}

/// Everything the broker is told in a run.
type Inputs = Vec<(ConnectionId, Vec<u8>, Time)>;

/// Plays a run with clients that answer, and records what the broker is told.
fn record(script: &Script) -> Inputs {
    let mut broker = Broker::new(Config::default(), 1);
    let mut inputs = Inputs::new();
    for (number, connect) in script.connects.iter().enumerate() {
        let id = ConnectionId(number as u64);
        broker.opened(id, Time::ZERO);
        tell(&mut broker, &mut inputs, id, connect.clone(), Time::ZERO);
        if number < 2 {
            tell(&mut broker, &mut inputs, id, script.subscribe.clone(), Time::ZERO);
        }
    }
    for (number, (client, publish)) in script.publishes.iter().enumerate() {
        let now = Time::from_millis(600 * number as u64);
        tell(&mut broker, &mut inputs, ConnectionId(*client), publish.clone(), now);
    }
    inputs
}

/// Tells the broker something, and what its clients answer to what it says, until nobody says anything.
fn tell(broker: &mut Broker, inputs: &mut Inputs, id: ConnectionId, bytes: Vec<u8>, now: Time) {
    broker.received(id, &bytes, now);
    inputs.push((id, bytes, now));
    while let Some(output) = broker.poll_output() {
        let Output::Send { connection, bytes } = output else { continue };
        let Ok(Some((packet, _))) = decode(&bytes, VERSION) else { continue };
        let (first, packet_id) = match packet {
            Packet::Publish(Publish { qos: QoS::AtLeastOnce, packet_id: Some(id), .. }) => (0x40, id),
            Packet::Publish(Publish { qos: QoS::ExactlyOnce, packet_id: Some(id), .. }) => (0x50, id),
            Packet::Pubrec(Ack { packet_id, .. }) => (0x62, packet_id),
            Packet::Pubrel(Ack { packet_id, .. }) => (0x70, packet_id),
            _ => continue,
        };
        let [high, low] = packet_id.to_be_bytes();
        let answer = vec![first, 2, high, low];
        broker.received(connection, &answer, now);
        inputs.push((connection, answer, now));
    }
}

/// The broker's part of a run, alone; answers how many packets came out.
fn replay(inputs: &Inputs) -> usize {
    let mut broker = Broker::new(Config::default(), 1);
    for number in 0..CLIENTS {
        broker.opened(ConnectionId(number), Time::ZERO);
    }
    let mut packets = 0;
    for (id, bytes, now) in inputs {
        broker.received(*id, bytes, *now);
        while broker.poll_output().is_some() {
            packets += 1;
        }
    }
    packets
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let inputs = record(&script());
    println!("{} packets to the broker in a run, {} from it", inputs.len(), replay(&inputs));
    criterion
        .bench_function("core/4-clients-100-messages", |bencher| bencher.iter(|| replay(black_box(&inputs))));
    criterion.bench_function("core/new", |bencher| bencher.iter(|| Broker::new(Config::default(), 1)));
}
