//! The whole suite against the reference broker in the core world: as it is by default, with legal choices other
//! than the default, and what the suite then records of them.
//!
//! It is the one test by which the mutants of the broker's core are judged (`.cargo/mutants.toml`): what the
//! scenarios do not see, nobody sees. A test ends with its first case that does not pass.

use std::collections::BTreeMap;
use std::path::Path;

use assay::scenario::{Suite, WorldKind};
use assay::session::{Selection, jobs, run_simulated};
use assay::verdict::Verdict;
use reference_broker::core::{Config, variants};

mod choices;

fn suite() -> Suite {
    match Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios"), &[]) {
        Ok(suite) => suite,
        Err(error) => panic!("{error}"),
    }
}

fn every_case_passes(config: &Config, on: &str) {
    let suite = suite();
    let jobs = jobs(&suite, &Selection::default(), 1);
    let mut played = 0;
    let mut broken = None;
    run_simulated(&jobs, WorldKind::Core, config, 2, &mut |outcome| {
        played += 1;
        if !matches!(outcome.verdict, Verdict::Pass | Verdict::Skipped) {
            let job = &jobs[outcome.index];
            let name = job.scenario.full_name();
            broken = Some(format!("{name} ({}) on {on}: {}", job.version, outcome.reason));
        }
        broken.is_none()
    });
    assert_eq!(broken, None);
    assert_eq!(played, jobs.len());
}

#[test]
fn every_case_passes_in_the_core_world() {
    every_case_passes(&Config::default(), "the default");
}

/// Configurations that choose otherwise wherever that is possible: the first takes the first variant of each
/// setting, the second the second variant of those that have one, and so on.
fn mixed() -> Vec<Config> {
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut mixed = Vec::new();
    for variant in variants() {
        for (key, value) in variant.settings {
            let at = taken.entry(key).or_default();
            if *at == mixed.len() {
                mixed.push(Config::default());
            }
            mixed[*at].set(key, value).unwrap_or_else(|error| panic!("{}: {error}", variant.id));
            *at += 1;
        }
    }
    mixed
}

#[test]
fn every_case_passes_whatever_is_chosen() {
    let mixed = mixed();
    assert!(mixed.len() > 1, "there are settings with two variants");
    for (at, config) in mixed.iter().enumerate() {
        every_case_passes(config, &format!("mixture {}", at + 1));
    }
}
