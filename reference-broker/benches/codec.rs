//! Decoding a PUBLISH of 16 bytes at QoS 0, beside a peer, with the allocations counted.
//!
//! The peer is rumqttc's `mqttbytes`. It takes the packet out of its buffer, as its users need it; so it is
//! given a cheap copy of the buffer each time, and the cost of that copy is measured and taken off.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use criterion::Criterion;
use reference_broker::codec::{Packet, Properties, ProtocolVersion, Publish, QoS, decode, encode, encoded};

/// The system's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code, reason = "an allocator cannot be written without; it only counts and hands on")]
// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as our caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as our caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn packet() -> Packet<'static> {
    Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "sensor/7".into(),
        packet_id: None,
        properties: Properties::new(),
        payload: b"0123456789abcdef"[..].into(),
    })
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        let bytes = encoded(&packet(), version).unwrap_or_default();
        criterion.bench_function(&format!("decode/publish-16/{version}"), |bencher| {
            bencher
                .iter(|| decode(black_box(&bytes), version).map(|decoded| decoded.map(|(_, length)| length)));
        });
        let mut out = Vec::with_capacity(64);
        let publish = packet();
        criterion.bench_function(&format!("encode/publish-16/{version}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                encode(black_box(&publish), version, &mut out)
            });
        });
    }
    let bytes = encoded(&packet(), ProtocolVersion::V3_1_1).unwrap_or_default();
    let buffer = BytesMut::from(&bytes[..]);
    criterion.bench_function("decode/publish-16/3.1.1/rumqttc", |bencher| {
        bencher.iter_batched(
            || buffer.clone(),
            |mut stream| rumqttc::mqttbytes::v4::Packet::read(black_box(&mut stream), 1 << 20).is_ok(),
            criterion::BatchSize::SmallInput,
        );
    });
    compare(&bytes, &buffer);
}

/// Prints allocations and the ratio to the peer, measured side by side in one loop.
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn compare(bytes: &[u8], buffer: &BytesMut) {
    const ROUNDS: u32 = 2_000_000;
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let start = std::time::Instant::now();
    for _ in 0..ROUNDS {
        let _ = black_box(decode(black_box(bytes), ProtocolVersion::V3_1_1));
    }
    let ours = start.elapsed();
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    let start = std::time::Instant::now();
    for _ in 0..ROUNDS {
        let _ = black_box(black_box(buffer).clone());
    }
    let copies = start.elapsed();
    let start = std::time::Instant::now();
    for _ in 0..ROUNDS {
        let mut stream = black_box(buffer).clone();
        let _ = black_box(rumqttc::mqttbytes::v4::Packet::read(&mut stream, 1 << 20));
    }
    let theirs = start.elapsed().saturating_sub(copies);
    let nanoseconds = |total: Duration| total.as_nanos() as f64 / f64::from(ROUNDS);
    println!(
        "decode of a 16-byte QoS 0 PUBLISH: {:.1} ns and {} allocations in {ROUNDS} rounds; rumqttc {:.1} ns; ratio {:.2}",
        nanoseconds(ours),
        allocations,
        nanoseconds(theirs),
        nanoseconds(theirs) / nanoseconds(ours).max(f64::MIN_POSITIVE),
    );
}
