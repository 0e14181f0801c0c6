//! The same seed gives the same history: twice in one process, with any number of threads.

use std::path::Path;

use assay::history::Digest;
use assay::scenario::{Suite, WorldKind};
use assay::session::{Job, Selection, jobs, play_simulated, run_simulated};
use reference_broker::core::Config;

fn suite(names: &[&str]) -> Suite {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    Suite::load(&folder, &names).expect("the suite")
}

fn digests(jobs: &[Job<'_>], world: WorldKind, threads: usize) -> Vec<Digest> {
    let mut digests = Vec::new();
    run_simulated(jobs, world, &Config::default(), threads, &mut |outcome| {
        digests.push(outcome.digest);
        true
    });
    digests
}

#[test]
fn a_thousand_seeds_twice() {
    // Jitter and loss draw on the seed, and so do the identifiers that the broker assigns.
    let suite = suite(&["ordering/jitter-and-loss", "exactly-once/lossy-links"]);
    let mut different = std::collections::BTreeSet::new();
    for seed in 0..1000 {
        let jobs = jobs(&suite, &Selection::default(), seed);
        let job = &jobs[seed as usize % jobs.len()];
        let first = play_simulated(job, WorldKind::Core, &Config::default());
        let second = play_simulated(job, WorldKind::Core, &Config::default());
        assert_eq!(first.history, second.history, "seed {seed}");
        different.insert(first.digest);
    }
    assert!(different.len() > 900, "the seed plays a part: {} different histories", different.len());
}

#[test]
fn the_number_of_threads_plays_no_part() {
    let suite = suite(&["session", "will", "ordering", "websocket"]);
    let jobs = jobs(&suite, &Selection::default(), 3);
    assert!(jobs.len() > 200);
    assert_eq!(digests(&jobs, WorldKind::Core, 1), digests(&jobs, WorldKind::Core, 3));
}

#[test]
fn the_sim_world_repeats_itself() {
    let suite = suite(&["ordering", "exactly-once/lossy-links", "session/takeover-several-times"]);
    let jobs = jobs(&suite, &Selection::default(), 11);
    let jobs = &jobs[..jobs.len().min(60)];
    assert_eq!(digests(jobs, WorldKind::Sim, 1), digests(jobs, WorldKind::Sim, 2));
}

#[test]
fn the_judge_finds_the_same_in_the_recorded_history() {
    let suite = suite(&["qos", "will", "retained"]);
    let mut failing = Config::default();
    failing.set_defect("dup-copied").expect("a defect");
    for config in [Config::default(), failing] {
        let jobs = jobs(&suite, &Selection::default(), 5);
        for job in &jobs {
            let outcome = play_simulated(job, WorldKind::Core, &config);
            let Some(plan) = &outcome.plan else { continue };
            assert_eq!(
                assay::check::check(plan, &outcome.history),
                outcome.findings,
                "{}",
                job.scenario.full_name()
            );
        }
    }
}
