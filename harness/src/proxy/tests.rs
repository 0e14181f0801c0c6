use std::time::Duration;

use super::*;
use crate::scenario::parse_faults;
use crate::text::SourceText;

fn proxy(text: &str) -> Proxy {
    let faults =
        parse_faults(SourceText::new("faults.yaml", text)).unwrap_or_else(|problems| panic!("{problems}"));
    Proxy::new(faults, 1, Time::ZERO)
}

fn ms(time: u64) -> Time {
    Time::ZERO + Duration::from_millis(time)
}

/// Everything that is to be done until this time, each with its time in milliseconds.
fn until(proxy: &mut Proxy, end: u64) -> Vec<(u64, Output)> {
    let mut seen = Vec::new();
    loop {
        let now = proxy.next_deadline().filter(|due| *due <= ms(end));
        let Some(now) = now else { break };
        proxy.advance(now);
        while let Some(output) = proxy.poll_output() {
            seen.push((now.0 / 1000, output));
        }
    }
    proxy.advance(ms(end));
    while let Some(output) = proxy.poll_output() {
        seen.push((end, output));
    }
    seen
}

/// A connection that is open at both ends at this time.
fn connection(proxy: &mut Proxy, at: u64) -> Link {
    let link = proxy.opened(ms(at));
    let dialled = until(proxy, at);
    assert!(dialled.contains(&(at, Output::Dial(link))), "{dialled:?}");
    proxy.dialled(link, true, ms(at));
    assert_eq!(until(proxy, at), [(at, Output::Accept(link))]);
    link
}

fn write(link: Link, side: Side, bytes: &[u8]) -> Output {
    Output::Write(link, side, bytes.to_vec())
}

#[test]
fn bytes_take_the_time_of_the_link_in_both_directions() {
    let mut proxy = proxy("network: { latency: 50ms }");
    let link = proxy.opened(ms(0));
    assert_eq!(until(&mut proxy, 60), [(50, Output::Dial(link))]);
    proxy.dialled(link, true, ms(60));
    assert_eq!(until(&mut proxy, 200), [(110, Output::Accept(link))]);
    proxy.received(link, Side::Client, b"there".to_vec(), ms(200));
    proxy.received(link, Side::Broker, b"back".to_vec(), ms(210));
    proxy.ended(link, Side::Client, false, ms(220));
    let seen = until(&mut proxy, 400);
    assert_eq!(
        seen,
        [
            (250, write(link, Side::Broker, b"there")),
            (260, write(link, Side::Client, b"back")),
            (270, Output::Finish(link, Side::Broker)),
        ]
    );
}

#[test]
fn a_partition_holds_back_and_healing_loses_nothing() {
    let mut proxy = proxy("steps: [ { wait: 1s }, { partition: broker }, { wait: 2s }, heal ]");
    let link = connection(&mut proxy, 0);
    assert_eq!(until(&mut proxy, 1000), [(1000, Output::Say("1s: partition (broker)".into()))]);
    for (at, bytes) in [(1100, b"one"), (1200, b"two")] {
        proxy.received(link, Side::Client, bytes.to_vec(), ms(at));
    }
    proxy.received(link, Side::Broker, b"open".to_vec(), ms(1300));
    assert_eq!(until(&mut proxy, 2999), [(1300, write(link, Side::Client, b"open"))]);
    assert_eq!(
        until(&mut proxy, 3000),
        [
            (3000, Output::Say("3s: heal".into())),
            (3000, write(link, Side::Broker, b"one")),
            (3000, write(link, Side::Broker, b"two")),
        ]
    );
}

#[test]
fn steps_begin_again_if_they_are_repeated() {
    let mut proxy = proxy("steps: [ { wait: 1s }, reset ]\nrepeat: true");
    let said = |seen: Vec<(u64, Output)>| {
        seen.into_iter().filter(|(_, it)| matches!(it, Output::Say(_))).map(|(at, _)| at).collect::<Vec<_>>()
    };
    assert_eq!(said(until(&mut proxy, 3500)), [1000, 2000, 3000]);
}

#[test]
fn a_reset_ends_both_ends_of_what_is_open() {
    let mut proxy = proxy("steps: [ { wait: 1s }, reset ]");
    let (one, two) = (connection(&mut proxy, 0), connection(&mut proxy, 0));
    // One of them has ended before.
    proxy.ended(two, Side::Client, false, ms(10));
    proxy.ended(two, Side::Broker, false, ms(10));
    until(&mut proxy, 20);
    let resets = [Output::Reset(one, Side::Client), Output::Reset(one, Side::Broker)];
    let say = Output::Say("1s: reset of 1 connection".into());
    let expected: Vec<_> = resets.into_iter().chain([say]).map(|output| (1000, output)).collect();
    assert_eq!(until(&mut proxy, 2000), expected);
    // What comes from it now goes nowhere.
    proxy.received(one, Side::Client, b"late".to_vec(), ms(2000));
    assert_eq!(until(&mut proxy, 3000), []);
}

#[test]
fn an_end_that_is_reset_takes_the_other_with_it() {
    let mut proxy = proxy("network: { latency: 10ms }");
    let link = proxy.opened(ms(0));
    until(&mut proxy, 10);
    proxy.dialled(link, true, ms(10));
    until(&mut proxy, 100);
    proxy.received(link, Side::Client, b"last words".to_vec(), ms(100));
    proxy.ended(link, Side::Client, true, ms(101));
    assert_eq!(
        until(&mut proxy, 200),
        [(110, write(link, Side::Broker, b"last words")), (111, Output::Reset(link, Side::Broker))]
    );
}

#[test]
fn a_broker_that_is_not_there_resets_the_client() {
    let mut proxy = proxy("network: { latency: 10ms }");
    let link = proxy.opened(ms(0));
    until(&mut proxy, 10);
    proxy.dialled(link, false, ms(10));
    assert_eq!(until(&mut proxy, 200), [(20, Output::Reset(link, Side::Client))]);
}

#[test]
fn no_more_is_read_than_may_be_under_way() {
    let mut proxy = proxy("network: { latency: 10ms, window: 100 }");
    let link = proxy.opened(ms(0));
    until(&mut proxy, 10);
    proxy.dialled(link, true, ms(10));
    until(&mut proxy, 20);
    assert_eq!((proxy.room(link, Side::Client), proxy.room(link, Side::Broker)), (MOST_UNDER_WAY, 100));
    proxy.received(link, Side::Broker, vec![0; 80], ms(20));
    proxy.received(link, Side::Client, vec![0; 80], ms(20));
    assert_eq!((proxy.room(link, Side::Client), proxy.room(link, Side::Broker)), (MOST_UNDER_WAY - 80, 20));
    until(&mut proxy, 30);
    assert_eq!((proxy.room(link, Side::Client), proxy.room(link, Side::Broker)), (MOST_UNDER_WAY, 100));
}

#[test]
fn bytes_are_cut_as_a_scenario_would() {
    let mut proxy = proxy("network: { split: bytes }");
    let link = connection(&mut proxy, 0);
    proxy.received(link, Side::Client, b"abc".to_vec(), ms(5));
    let seen: Vec<Output> = until(&mut proxy, 5).into_iter().map(|(_, output)| output).collect();
    assert_eq!(seen, [b"a", b"b", b"c"].map(|byte| write(link, Side::Broker, byte)));
}

#[test]
fn mistakes_are_all_shown_at_their_places() {
    let text = "network: { latensy: 5ms }\nsteps:\n  - partition: nowhere\n  - heal: all\n  - pause\n  - link: {}\nrepeat: true\n";
    let problems = parse_faults(SourceText::new("faults.yaml", text)).expect_err("it has mistakes");
    insta::assert_snapshot!(problems.to_string());
}
