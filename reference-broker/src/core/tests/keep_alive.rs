//! Keep alive: one and a half times, exactly.

use std::time::Duration;

use super::driver::*;
use crate::codec::{Connect, Packet, ReasonCode};

fn keeping(seconds: u16) -> Connect<'static> {
    Connect { keep_alive: seconds, ..clean(V5, "c") }
}

#[test]
fn silence_is_ended_at_one_and_a_half_times_the_interval() {
    let mut world = World::new();
    let client = world.connect(keeping(10));
    world.wait(Duration::from_micros(14_999_999));
    world.nothing(client);
    world.wait(Duration::from_micros(1));
    world.closed(client, ReasonCode::KEEP_ALIVE_TIMEOUT);
}

#[test]
fn every_packet_of_the_client_counts_and_none_of_the_server() {
    let mut world = World::new();
    let publisher = world.connect(clean(V5, "p"));
    let client = world.connect(keeping(10));
    world.subscribe(client, "a", AtMostOnce);
    world.secs(14);
    world.say(client, "b", "alive");
    world.secs(14);
    world.send(client, Packet::Pingreq);
    assert_eq!(world.packet(client), Packet::Pingresp);
    for _ in 0..14 {
        world.secs(1);
        world.say(publisher, "a", "news");
        world.hear(client, "news", AtMostOnce);
    }
    world.secs(1);
    world.closed(client, ReasonCode::KEEP_ALIVE_TIMEOUT);
}

#[test]
fn part_of_a_packet_does_not_count() {
    let mut world = World::new();
    let client = world.connect(keeping(10));
    world.secs(14);
    world.send_bytes(client, &[0xC0]);
    world.secs(1);
    world.closed(client, ReasonCode::KEEP_ALIVE_TIMEOUT);
}

#[test]
fn zero_turns_it_off_and_the_server_may_set_it() {
    let mut world = World::new();
    let client = world.connect(keeping(0));
    world.secs(1_000_000);
    world.nothing(client);
    assert_eq!(world.broker.next_deadline(), None);
    let mut world = World::with(&[("server-keep-alive", "4")]);
    let client = world.connect(keeping(0));
    world.secs(6);
    world.closed(client, ReasonCode::KEEP_ALIVE_TIMEOUT);
    // 3.1.1 cannot be told.
    let client = world.connect(clean(V3_1_1, "old"));
    world.secs(100);
    world.nothing(client);
}

#[test]
fn a_clock_that_jumps_fires_in_the_order_of_time() {
    let mut world = World::new();
    let witness = world.connect(clean(V5, "witness"));
    world.subscribe(witness, "#", AtMostOnce);
    for (name, seconds) in [("c", 30), ("a", 10), ("b", 20)] {
        world.connect(Connect { keep_alive: seconds, will: Some(will("w", name, 0)), ..clean(V3_1_1, name) });
    }
    world.now = crate::core::Time::from_secs(1_000);
    world.broker.advance(world.now);
    world.wait(Duration::ZERO);
    for name in ["a", "b", "c"] {
        world.hear(witness, name, AtMostOnce);
    }
}
