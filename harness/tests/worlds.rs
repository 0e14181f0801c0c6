//! A scenario has the same verdict in every world.
//!
//! Core and sim are compared over the whole suite. The live world takes real time, so here it gets one case of
//! each file and version; the gate compares all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use assay::check::check;
use assay::profile::Profile;
use assay::scenario::{Suite, WorldKind};
use assay::session::{Job, Selection, jobs, run_simulated};
use assay::verdict::Verdict;
use assay::world::live::{LiveCase, LiveOptions, Target, run};
use reference_broker::core::Config;

fn suite() -> Suite {
    Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios"), &[]).expect("the suite")
}

fn name(job: &Job<'_>) -> String {
    format!("{} ({})", job.scenario.full_name(), job.version)
}

fn verdicts(jobs: &[Job<'_>], world: WorldKind) -> BTreeMap<String, (Verdict, String)> {
    let mut verdicts = BTreeMap::new();
    run_simulated(jobs, world, &Config::default(), 2, &mut |outcome| {
        let reason = if outcome.verdict == Verdict::Pass { String::new() } else { outcome.reason };
        verdicts.insert(name(&jobs[outcome.index]), (outcome.verdict, reason));
        true
    });
    verdicts
}

/// Cases that a world skips have no verdict there.
fn compare(one: &BTreeMap<String, (Verdict, String)>, other: &BTreeMap<String, (Verdict, String)>) {
    let mut different = Vec::new();
    for (case, (verdict, reason)) in other {
        let (expected, before) = &one[case];
        if *verdict != Verdict::Skipped && *expected != Verdict::Skipped && verdict != expected {
            different.push(format!("{case}: {expected} {before} / {verdict} {reason}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn core_and_sim_agree_on_the_whole_suite_and_everything_passes() {
    let suite = suite();
    let jobs = jobs(&suite, &Selection::default(), 1);
    let core = verdicts(&jobs, WorldKind::Core);
    let sim = verdicts(&jobs, WorldKind::Sim);
    compare(&core, &sim);
    let failing: Vec<_> = core
        .iter()
        .filter(|(_, (verdict, _))| !matches!(verdict, Verdict::Pass | Verdict::Skipped))
        .collect();
    assert!(failing.is_empty(), "{failing:#?}");
    let passed = core.values().filter(|(verdict, _)| *verdict == Verdict::Pass).count();
    assert!(passed > 2000, "{passed} passed");
}

#[test]
fn core_and_live_agree_on_one_case_of_each_file() {
    let suite = suite();
    let all = jobs(&suite, &Selection::default(), 1);
    let mut seen = BTreeSet::new();
    let chosen: Vec<&Job<'_>> =
        all.iter().filter(|job| seen.insert((job.scenario.name.clone(), job.version))).collect();
    let cases = chosen
        .iter()
        .map(|job| LiveCase {
            index: job.index,
            scenario: job.scenario.clone(),
            version: job.version,
            seed: job.seed,
        })
        .collect();
    let profile = Profile::load("reference").expect("the profile");
    let options = LiveOptions {
        jobs: 64,
        assay: Some(PathBuf::from(env!("CARGO_BIN_EXE_assay"))),
        nonce: 1,
        // What needs long waits is the gate's.
        max_wait: std::time::Duration::from_secs(8),
        judge: &|plan, played| check(plan, &played.history),
        ..LiveOptions::default()
    };
    let mut live = BTreeMap::new();
    let summary = run(&Target::Profile(Box::new(profile)), cases, &options, &mut |outcome| {
        let job = &all[outcome.index];
        let mut reason = outcome.skipped.clone().or(outcome.unanswered.clone()).unwrap_or_default();
        if let (Verdict::Fail, Some(played)) = (outcome.verdict(), &outcome.played) {
            reason = format!("{:?}", check(&outcome.plan, &played.history));
        }
        live.insert(name(job), (outcome.verdict(), reason));
    })
    .expect("the live world");
    assert!(!summary.interrupted && summary.unexplained.is_empty(), "{summary:?}");
    let passed = live.values().filter(|(verdict, _)| *verdict == Verdict::Pass).count();
    assert!(passed > 250, "{passed} of {} passed", live.len());
    let chosen: Vec<Job<'_>> =
        chosen.into_iter().enumerate().map(|(at, job)| Job { index: at, ..job.clone() }).collect();
    compare(&verdicts(&chosen, WorldKind::Core), &live);
}
