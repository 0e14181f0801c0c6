//! The core world on the reference workload, beside a bare event loop that moves the same pieces of the same
//! sizes at the same times. The ratio of the two is what clients, broker, history and checkers cost.
//!
//! Workload: one broker, four clients, 106 messages at mixed QoS over 60 virtual seconds: 38 that clients publish and
//! 68 deliveries of them.

use std::collections::BTreeMap;
use std::hint::black_box;

use assay::check::{always_on, check};
use assay::history::Fact;
use assay::scenario::{Plan, parse_file};
use assay::session::simulated_options;
use assay::text::SourceText;
use assay::verdict::{Verdict, verdict_of};
use assay::world::core::play;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use reference_broker::codec::ProtocolVersion;
use reference_broker::core::Config;

// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WORKLOAD: &str = r#"
title: The reference workload
requirements: { v5: [MQTT-4.5.0-1], v3.1.1: [MQTT-4.5.0-1] }
network: { latency: 5ms, jitter: 3ms }
clients:
  one: {}
  two: {}
  three: {}
  four: { session: persistent }
steps:
  - one: connect
  - two: connect
  - three: connect
  - four: connect
  - three: { subscribe: [meter/+, log/#], qos: 2 }
  - four: { subscribe: meter/#, qos: 1 }
  - one: { publish: meter/1, payload: "a-{n}", qos: 0, count: 6 }
  - wait: 10s
  - one: { publish: meter/2, payload: "b-{n}", qos: 1, count: 8 }
  - wait: 10s
  - two: { publish: meter/3, payload: "c-{n}", qos: 2, count: 8 }
  - wait: 10s
  - two: { publish: log/x/y, payload: "d-{n}", qos: 1, count: 8 }
  - wait: 10s
  - one: { publish: meter/4, payload: "e-{n}", qos: 2, count: 4 }
  - two: { publish: meter/5, payload: "f-{n}", qos: 1, count: 4 }
  - wait: 20s
  - one: ping
verify:
  - exactly_once: { payload: ["c-{1..8}", "e-{1..4}"], to: three }
"#;

fn plan(version: ProtocolVersion) -> Plan {
    let file = parse_file("bench", SourceText::new("bench.yaml", WORKLOAD))
        .unwrap_or_else(|problems| panic!("{problems}"));
    let (options, _) = simulated_options(assay::scenario::WorldKind::Core);
    Plan::new(&file.scenarios[0], version, &options).expect("a plan")
}

/// Pieces with their times and sizes, as the workload's history has them.
fn pieces(plan: &Plan) -> Vec<(u64, usize)> {
    let (_, options) = simulated_options(assay::scenario::WorldKind::Core);
    let played = play(plan, 1, options, &Config::default());
    let pieces = played.history.events().iter().filter_map(|event| match event.fact {
        Fact::Sent { bytes, .. } | Fact::Received { bytes, .. } => Some((event.at.0, bytes.len as usize)),
        _ => None,
    });
    pieces.collect()
}

/// What any simulator has to do: an ordered queue of pieces, each copied once on its way.
fn bare_loop(pieces: &[(u64, usize)], source: &[u8]) -> u64 {
    let mut queue = BTreeMap::new();
    let mut moved = 0;
    for (sequence, (at, size)) in pieces.iter().enumerate() {
        queue.insert((at + 5000, sequence), source[..*size].to_vec());
        while let Some(entry) = queue.first_entry().filter(|entry| entry.key().0 <= *at) {
            moved += entry.remove().len() as u64;
        }
    }
    while let Some((_, piece)) = queue.pop_first() {
        moved += piece.len() as u64;
    }
    moved
}

fn bench(criterion: &mut Criterion) {
    for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        let plan = plan(version);
        let (_, options) = simulated_options(assay::scenario::WorldKind::Core);
        let pieces = pieces(&plan);
        let source = vec![0x61; 65_536];
        let once = play(&plan, 1, options, &Config::default());
        assert_eq!(verdict_of(&check(&plan, &once.history)), Verdict::Pass);
        let mut group =
            criterion.benchmark_group(format!("reference workload, {version}, {} packets", pieces.len()));
        group.throughput(Throughput::Elements(1));
        group.bench_function("core world with checkers", |bencher| {
            let mut seed = 0;
            bencher.iter(|| {
                seed += 1;
                let played = play(&plan, seed, options, &Config::default());
                black_box(always_on(&plan, &played.history))
            });
        });
        group.bench_function("core world without checkers", |bencher| {
            bencher.iter(|| black_box(play(&plan, 1, options, &Config::default())));
        });
        group.bench_function("bare event loop", |bencher| {
            bencher.iter(|| black_box(bare_loop(&pieces, &source)))
        });
        group.finish();
        ratio(&plan, &pieces, &source);
    }
}

/// The ratio, measured in turns so that a drift of the machine's speed hits both alike.
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn ratio(plan: &Plan, pieces: &[(u64, usize)], source: &[u8]) {
    use std::time::{Duration, Instant};
    let (_, options) = simulated_options(assay::scenario::WorldKind::Core);
    let (mut world, mut bare) = (Duration::MAX, Duration::MAX);
    for _ in 0..300 {
        let start = Instant::now();
        let played = play(plan, 1, options, &Config::default());
        black_box(always_on(plan, &played.history));
        world = world.min(start.elapsed());
        let start = Instant::now();
        black_box(bare_loop(pieces, source));
        bare = bare.min(start.elapsed());
    }
    println!(
        "{}: best {world:?} ({:.0} per second), bare event loop {bare:?}, ratio {:.1}",
        plan.version,
        1.0 / world.as_secs_f64(),
        world.as_secs_f64() / bare.as_secs_f64()
    );
}

criterion_group!(benches, bench);
criterion_main!(benches);
