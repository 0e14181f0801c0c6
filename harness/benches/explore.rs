//! Exploring in the core world, beside two loops that move the same pieces of the same sizes at the same times: a
//! bare event loop, and tasks on tokio's paused clock. The ratios are what generator, clients, broker, history and
//! checkers cost, and what a discrete-event loop saves.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use assay::explore::{Sweep, explore};
use assay::generate::of_seed;
use assay::history::Fact;
use assay::scenario::{Plan, WorldKind};
use assay::session::{case_seed, simulated_options};
use assay::world::core::play;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use reference_broker::core::Config;

// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many seeds one round plays: enough that every feature is in play in some.
const SEEDS: u64 = 200;

/// Client, time in microseconds and size of each piece of a seed's history.
fn pieces(seed: u64) -> Vec<(u32, u64, usize)> {
    let (plan_options, options) = simulated_options(WorldKind::Core);
    let generated = of_seed(seed);
    let version = generated.dials.version;
    let plan = Plan::new(&generated.scenario, version, &plan_options).expect("a plan");
    let seed = case_seed(seed, &generated.scenario, version);
    let history = play(&plan, seed, options, &Config::default()).history;
    let pieces = history.events().iter().filter_map(|event| match event.fact {
        Fact::Sent { link, bytes, .. } | Fact::Received { link, bytes } => {
            Some((history.client_of(link).unwrap_or_default(), event.at.0, bytes.len as usize))
        }
        _ => None,
    });
    pieces.collect()
}

/// What any simulator has to do: an ordered queue of pieces, each copied once on its way.
fn bare_loop(pieces: &[(u32, u64, usize)], source: &[u8]) -> u64 {
    let mut queue = BTreeMap::new();
    let mut moved = 0;
    for (sequence, (_, at, size)) in pieces.iter().enumerate() {
        queue.insert((at + 1000, sequence), source[..*size].to_vec());
        while let Some(entry) = queue.first_entry().filter(|entry| entry.key().0 <= *at) {
            moved += entry.remove().len() as u64;
        }
    }
    while let Some((_, piece)) = queue.pop_first() {
        moved += piece.len() as u64;
    }
    moved
}

/// The same pieces as messages between tasks on tokio's paused clock: one task for each client, one for the broker.
fn paused_clock(pieces: &[(u32, u64, usize)], source: &[u8]) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
        let clients = pieces.iter().map(|(client, ..)| *client).max().unwrap_or_default() + 1;
        let start = tokio::time::Instant::now();
        for client in 0..clients {
            let mine: Vec<(u64, Vec<u8>)> = pieces
                .iter()
                .filter(|(of, ..)| *of == client)
                .map(|(_, at, size)| (*at, source[..*size].to_vec()))
                .collect();
            let sender = sender.clone();
            tokio::spawn(async move {
                for (at, piece) in mine {
                    tokio::time::sleep_until(start + Duration::from_micros(at)).await;
                    let _ = sender.send(piece);
                }
            });
        }
        drop(sender);
        let mut moved = 0;
        while let Some(piece) = receiver.recv().await {
            moved += piece.len() as u64;
        }
        moved
    })
}

fn bench(criterion: &mut Criterion) {
    let all: Vec<_> = (0..SEEDS).map(pieces).collect();
    let source = vec![0x61; 262_144];
    let mut group = criterion.benchmark_group("explore, default mix");
    group.throughput(Throughput::Elements(SEEDS)).sample_size(20);
    group.bench_function("generator alone", |bencher| {
        bencher.iter(|| (0..SEEDS).for_each(|seed| drop(black_box(of_seed(seed)))));
    });
    group.bench_function("core world with checkers", |bencher| {
        let config = Config::default();
        bencher.iter(|| (0..SEEDS).for_each(|seed| drop(black_box(explore(seed, &config)))));
    });
    group.bench_function("bare event loop", |bencher| {
        bencher.iter(|| all.iter().map(|pieces| bare_loop(pieces, &source)).sum::<u64>());
    });
    group.bench_function("tokio's paused clock", |bencher| {
        bencher.iter(|| all.iter().map(|pieces| paused_clock(pieces, &source)).sum::<u64>());
    });
    group.finish();
    ratios(&all, &source);
}

/// The best of many rounds, in turns, so that a drift of the machine's speed hits all alike.
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn ratios(all: &[Vec<(u32, u64, usize)>], source: &[u8]) {
    use std::time::Instant;
    let config = Config::default();
    let messages: u64 = (0..SEEDS).map(|seed| explore(seed, &config).messages).sum();
    let mut best = [Duration::MAX; 4];
    for _ in 0..20 {
        let mut time = |place: usize, work: &mut dyn FnMut()| {
            let start = Instant::now();
            work();
            best[place] = best[place].min(start.elapsed());
        };
        time(0, &mut || (0..SEEDS).for_each(|seed| drop(black_box(explore(seed, &config)))));
        time(1, &mut || {
            drop(black_box(all.iter().map(|pieces| bare_loop(pieces, source)).collect::<Vec<_>>()))
        });
        time(2, &mut || {
            drop(black_box(all.iter().map(|pieces| paused_clock(pieces, source)).collect::<Vec<_>>()))
        });
        time(3, &mut || (0..SEEDS).for_each(|seed| drop(black_box(of_seed(seed)))));
    }
    let each = |place: usize| best[place].as_secs_f64() / SEEDS as f64;
    println!(
        "explore: {:.0} scenarios per second and thread, {} messages each; {:.1} times a bare event loop, {:.1} times tokio's paused clock; generator {:.0} %",
        1.0 / each(0),
        messages / SEEDS,
        each(0) / each(1),
        each(0) / each(2),
        100.0 * each(3) / each(0)
    );
    let threads = |jobs: usize| {
        let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
        let sweep = Sweep { config: &config, jobs, keep_going: true, stop: &stop, done: &done };
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            black_box(sweep.run(0, 4000));
            best = best.min(start.elapsed());
        }
        best.as_secs_f64()
    };
    let (one, two) = (threads(1), threads(2));
    println!("explore: two threads are {:.2} times as fast as one", one / two);
}

criterion_group!(benches, bench);
criterion_main!(benches);
