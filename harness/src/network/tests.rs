//! Tests of the network model in virtual time.

use super::*;

fn millis(ms: u64) -> Time {
    Time::from_millis(ms)
}

/// Everything that arrives until `end`, with its time in milliseconds.
fn run(network: &mut Network, end: Time) -> Vec<(u64, Arrival)> {
    let mut out = Vec::new();
    while let Some(due) = network.next_deadline().filter(|due| *due <= end) {
        while let Some(arrival) = network.pop_due(due) {
            out.push((due.0 / 1000, arrival));
        }
    }
    out
}

fn bytes(text: &str) -> Piece {
    Piece::Bytes(text.as_bytes().to_vec())
}

fn network() -> (Network, Link) {
    let mut network = Network::new(1, 1, Duration::from_millis(10));
    let link = network.open(0, Time::ZERO);
    assert_eq!(run(&mut network, millis(10)), [(10, Arrival::Piece(link, Towards::Broker, Piece::Syn))]);
    network.send(link, Towards::Client, Piece::Syn, millis(10));
    assert_eq!(run(&mut network, millis(20)), [(20, Arrival::Piece(link, Towards::Client, Piece::Syn))]);
    (network, link)
}

#[test]
fn what_is_sent_arrives_after_the_latency_and_in_order() {
    let (mut network, link) = network();
    network.change(
        0,
        Towards::Broker,
        LinkChange { jitter: Some(Duration::from_millis(50)), ..LinkChange::default() },
    );
    for number in 0..20 {
        network.send(link, Towards::Broker, bytes(&number.to_string()), millis(100));
    }
    let arrived = run(&mut network, millis(1000));
    let texts: Vec<Piece> = arrived
        .iter()
        .map(|(_, arrival)| match arrival {
            Arrival::Piece(_, _, piece) => piece.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, (0..20).map(|number| bytes(&number.to_string())).collect::<Vec<_>>());
    assert!(arrived.iter().all(|(at, _)| (110..=160).contains(at)));
    assert!(arrived.windows(2).all(|pair| pair[0].0 <= pair[1].0));
}

#[test]
fn loss_is_delay() {
    let (mut network, link) = network();
    network.change(0, Towards::Client, LinkChange { loss: Some(300), ..LinkChange::default() });
    for number in 0..50 {
        network.send(link, Towards::Client, bytes(&number.to_string()), millis(100));
    }
    let arrived = run(&mut network, millis(60_000));
    assert_eq!(arrived.len(), 50, "nothing is lost for good");
    assert!(arrived.iter().any(|(at, _)| *at >= 310), "something was lost at first");
}

#[test]
fn a_partition_holds_back_and_healing_lets_go() {
    let (mut network, link) = network();
    network.send(link, Towards::Broker, bytes("under way"), millis(100));
    network.partition(0, Towards::Broker, millis(105));
    network.send(link, Towards::Broker, bytes("later"), millis(200));
    network.send(link, Towards::Client, bytes("other way"), millis(200));
    assert_eq!(
        run(&mut network, millis(5000)),
        [(210, Arrival::Piece(link, Towards::Client, bytes("other way")))]
    );
    network.heal(0, Towards::Broker, millis(5000));
    assert_eq!(
        run(&mut network, millis(6000)),
        [
            (5010, Arrival::Piece(link, Towards::Broker, bytes("under way"))),
            (5010, Arrival::Piece(link, Towards::Broker, bytes("later")))
        ]
    );
    assert_eq!(run(&mut network, millis(1_000_000)), [], "nobody is out of patience after the healing");
}

#[test]
fn only_the_end_with_unacknowledged_data_times_out() {
    let (mut network, link) = network();
    network.partition(0, Towards::Broker, millis(100));
    assert_eq!(run(&mut network, millis(500_000)), [], "an idle end learns nothing");
    network.send(link, Towards::Broker, bytes("lost"), millis(500_000));
    assert_eq!(run(&mut network, millis(900_000)), [(620_000, Arrival::TimedOut(link, Towards::Broker))]);
    // What the broker sends arrives, but its acknowledgement does not.
    network.send(link, Towards::Client, bytes("heard"), millis(900_000));
    assert_eq!(
        run(&mut network, millis(2_000_000)),
        [
            (900_010, Arrival::Piece(link, Towards::Client, bytes("heard"))),
            (1_020_000, Arrival::TimedOut(link, Towards::Client))
        ]
    );
}

#[test]
fn a_connection_that_cannot_open_times_out() {
    let mut network = Network::new(1, 1, Duration::from_millis(10));
    network.partition(0, Towards::Client, Time::ZERO);
    let link = network.open(0, Time::ZERO);
    assert_eq!(run(&mut network, millis(10)), [(10, Arrival::Piece(link, Towards::Broker, Piece::Syn))]);
    network.send(link, Towards::Client, Piece::Syn, millis(10));
    assert_eq!(run(&mut network, millis(40_000)), [(30_010, Arrival::ConnectTimedOut(link))]);
}

#[test]
fn bytes_are_split_and_stay_together() {
    let (mut network, link) = network();
    network.change(0, Towards::Broker, LinkChange { split: Some(Split::Bytes), ..LinkChange::default() });
    network.send(link, Towards::Broker, bytes("abc"), millis(100));
    let arrived = run(&mut network, millis(200));
    assert_eq!(arrived.len(), 3);
    network.change(0, Towards::Broker, LinkChange { split: Some(Split::Coalesced), ..LinkChange::default() });
    network.send(link, Towards::Broker, bytes("abc"), millis(300));
    network.send(link, Towards::Broker, bytes("def"), millis(300));
    assert_eq!(
        run(&mut network, millis(400)),
        [(310, Arrival::Piece(link, Towards::Broker, bytes("abcdef")))]
    );
}

#[test]
fn a_slow_reader_takes_its_time() {
    let (mut network, link) = network();
    network.change(
        0,
        Towards::Client,
        LinkChange { rate: Some(1000), window: Some(10), ..LinkChange::default() },
    );
    network.send(link, Towards::Client, bytes("0123456789"), millis(100));
    assert_eq!(network.room(link), Some(0));
    assert_eq!(
        run(&mut network, millis(200)),
        [(120, Arrival::Piece(link, Towards::Client, bytes("0123456789")))]
    );
    assert_eq!(network.room(link), Some(10));
    network.set_reading(link, false);
    network.send(link, Towards::Client, bytes("x"), millis(300));
    assert_eq!(run(&mut network, millis(1000)), []);
    network.set_reading(link, true);
    assert_eq!(network.pop_due(millis(1000)), Some(Arrival::Piece(link, Towards::Client, bytes("x"))));
}

#[test]
fn a_silent_end_hears_nothing_and_says_nothing() {
    let (mut network, link) = network();
    network.send(link, Towards::Broker, bytes("gone"), millis(100));
    network.drop_client_end(link, false);
    network.send(link, Towards::Client, bytes("to nobody"), millis(200));
    assert_eq!(run(&mut network, millis(300_000)), [(120_200, Arrival::TimedOut(link, Towards::Client))]);
}
