//! The sim world against the core world: the same verdicts; and against itself: the same bytes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use assay::check::check;
use assay::history::Digest;
use assay::run::StageOptions;
use assay::scenario::{Plan, PlanOptions, Scenario, Suite, WorldKind};
use assay::session::{Selection, case_seed, jobs, simulated_skip};
use assay::verdict::{Verdict, verdict_of};
use assay::world::{core, sim};
use reference_broker::codec::ProtocolVersion;
use reference_broker::core::Config;

fn suite(wanted: &[&str]) -> Suite {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let wanted: Vec<String> = wanted.iter().map(|it| it.to_string()).collect();
    Suite::load(&folder, &wanted).unwrap_or_else(|error| panic!("{error}"))
}

fn plan(scenario: &Scenario, version: ProtocolVersion) -> Plan {
    let options = PlanOptions { tolerance: sim::TOLERANCE, ..PlanOptions::default() };
    Plan::new(scenario, version, &options).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Every case of the suite, on as many threads as there are processors.
fn side_by_side<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    let result = work(at);
                    done.lock().expect("nobody panics").insert(at, result);
                }
            });
        }
    });
    done.into_inner().expect("nobody panics").into_values().collect()
}

#[test]
fn every_verdict_is_that_of_the_core_world() {
    let suite = suite(&[]);
    let jobs = jobs(&suite, &Selection::default(), 1);
    let config = Config::default();
    let different = side_by_side(jobs.len(), |at| {
        let job = &jobs[at];
        if simulated_skip(job.scenario, WorldKind::Sim, &config).is_some() {
            return None;
        }
        let plan = plan(job.scenario, job.version);
        let verdict = |history| {
            let findings = check(&plan, history);
            (verdict_of(&findings), findings)
        };
        let sim = sim::play(&plan, job.seed, StageOptions::default(), &config);
        if sim.findings.iter().any(|it| it.by == "sim") {
            return Some(format!("{} {}: {:?}", plan.full_name(), plan.version, sim.findings));
        }
        let (in_sim, findings) = verdict(&sim.history);
        let in_core = if simulated_skip(job.scenario, WorldKind::Core, &config).is_some() {
            Verdict::Pass
        } else {
            verdict(&core::play(&plan, job.seed, StageOptions::default(), &config).history).0
        };
        (in_core != in_sim).then(|| {
            let finding =
                findings.first().map(|it| format!("{}; {}", it.expected, it.observed)).unwrap_or_default();
            format!("{} {}: {in_core} in core, {in_sim} in sim: {finding}", plan.full_name(), plan.version)
        })
    });
    let different: Vec<String> = different.into_iter().flatten().collect();
    assert!(different.is_empty(), "{} of {} cases:\n{}", different.len(), jobs.len(), different.join("\n"));
}

#[test]
fn seed_and_plan_fix_every_byte() {
    let suite = suite(&["exactly-once/lossy-links", "will", "session"]);
    let config = Config::default();
    let cases: Vec<(&Scenario, ProtocolVersion)> = suite
        .scenarios()
        .filter(|(_, scenario)| simulated_skip(scenario, WorldKind::Sim, &config).is_none())
        .flat_map(|(_, scenario)| scenario.requirements.keys().map(move |version| (scenario, *version)))
        .step_by(4)
        .collect();
    let digests = || -> Vec<Digest> {
        side_by_side(cases.len(), |at| {
            let (scenario, version) = cases[at];
            let seed = case_seed(7, scenario, version);
            sim::play(&plan(scenario, version), seed, StageOptions::default(), &config).history.digest()
        })
    };
    assert!(cases.len() > 10);
    assert_eq!(digests(), digests());
}
