//! Brokers that answer CONNECT and nothing else properly. Nothing may pass on them except what needs no more
//! than that; nothing may hang; nothing of it is the harness's error.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use assay::check::check;
use assay::history::{Fact, packet_type};
use assay::run::StageOptions;
use assay::scenario::{Plan, PlanOptions, Suite, unprefixable};
use assay::session::{Selection, jobs};
use assay::verdict::{Finding, Verdict};
use assay::world::core;
use assay::world::live::{LiveCase, LiveOptions, LiveOutcome, Target, run};
use reference_broker::codec::{PacketType, next_frame};
use reference_broker::core::Config;

/// What a null broker does after its CONNACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Null {
    Closes,
    Silent,
    Garbage,
    Echoes,
}

#[allow(clippy::disallowed_methods, reason = "a broker on real sockets, beside the harness")]
fn spawn(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

fn start(null: Null) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    spawn(move || {
        for stream in listener.incoming().flatten() {
            spawn(move || {
                let _ = serve(stream, null);
            });
        }
    });
    address
}

fn serve(mut stream: TcpStream, null: Null) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    let mut chunk = [0; 4096];
    let mut connected = false;
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        buffer.extend_from_slice(&chunk[..count]);
        while let Ok(Some(frame)) = next_frame(&buffer, None) {
            let len = frame.len();
            // Protocol Name, then the level.
            let level = frame.body.get(usize::from(frame.body.get(1).copied().unwrap_or(0)) + 2).copied();
            let packet: Vec<u8> = buffer.drain(..len).collect();
            if !connected && packet_type(&packet) == Some(PacketType::Connect) {
                connected = true;
                let connack: &[u8] = if level == Some(5) { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] };
                stream.write_all(connack)?;
                continue;
            }
            match null {
                Null::Closes => return Ok(()),
                Null::Silent => {}
                Null::Garbage => stream.write_all(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x13, 0x37])?,
                Null::Echoes => stream.write_all(&packet)?,
            }
        }
    }
}

/// Plays every `step`th case and checks what came of it.
fn ask(null: Null, step: usize, alone: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let suite = Suite::load(&folder, &[]).unwrap_or_else(|error| panic!("{error}"));
    let jobs = jobs(&suite, &Selection::default(), 1);
    // It waits half a minute for a close that others expect sooner.
    let asked = jobs.iter().filter(|job| job.scenario.name != "choices/keep-alive-delay");
    let prefixable = asked.filter(|job| !unprefixable(job.scenario)).step_by(step);
    let others = jobs.iter().filter(|job| unprefixable(job.scenario)).step_by(97).take(alone);
    let cases: Vec<LiveCase> = prefixable
        .chain(others)
        .map(|job| LiveCase {
            index: job.index,
            scenario: job.scenario.clone(),
            version: job.version,
            seed: job.seed,
        })
        .collect();
    let asked = cases.len();
    assert!(asked > 20);
    let target = Target::from_url(&format!("mqtt://{}", start(null))).expect("an address");
    let options = LiveOptions {
        jobs: 512,
        max_wait: Duration::from_secs(3),
        reruns: 0,
        stage: StageOptions { patience: Duration::from_secs(2), ..LiveOptions::default().stage },
        resending: Duration::from_secs(2),
        judge: &|plan, played| {
            let ours = played.findings.iter().filter(|finding| finding.by == "live");
            let ours: Vec<Finding> = ours.cloned().collect();
            if ours.is_empty() { check(plan, &played.history) } else { ours }
        },
        ..LiveOptions::default()
    };
    let mut outcomes: Vec<LiveOutcome> = Vec::new();
    let summary = run(&target, cases, &options, &mut |outcome| outcomes.push(outcome))
        .unwrap_or_else(|error| panic!("{null:?}: {error}"));
    assert_eq!((outcomes.len(), summary.lost, summary.unexplained.len()), (asked, None, 0), "{null:?}");
    for outcome in outcomes {
        let name = format!("{null:?}: {} {}", outcome.plan.full_name(), outcome.plan.version);
        match outcome.verdict() {
            Verdict::Error => panic!("{name}: {:?}", outcome.played),
            Verdict::Pass => {
                let job = &jobs[outcome.index];
                assert!(needs_connack_only(job.scenario, job.version, job.seed), "{name} passed");
            }
            Verdict::Fail | Verdict::Inconclusive | Verdict::Skipped => {}
        }
    }
}

/// Whether a broker that does everything right sends nothing but CONNACK.
fn needs_connack_only(
    scenario: &assay::scenario::Scenario,
    version: reference_broker::codec::ProtocolVersion,
    seed: u64,
) -> bool {
    let plan = Plan::new(scenario, version, &PlanOptions::default()).expect("it can be made concrete");
    let history = core::play(&plan, seed, StageOptions::default(), &Config::default()).history;
    history.events().iter().all(|event| match event.fact {
        Fact::Received { bytes, .. } => packet_type(history.bytes(bytes)) == Some(PacketType::Connack),
        _ => true,
    })
}

#[test]
fn nothing_passes_on_one_that_closes() {
    ask(Null::Closes, 16, 3);
}

#[test]
fn nothing_passes_on_one_that_stays_silent() {
    ask(Null::Silent, 20, 1);
}

#[test]
fn nothing_passes_on_one_that_answers_garbage() {
    ask(Null::Garbage, 20, 1);
}

#[test]
fn nothing_passes_on_one_that_echoes() {
    ask(Null::Echoes, 20, 1);
}
