//! The whole suite against the reference broker in the core world, and nothing else.
//!
//! It is the one test by which the mutants of the broker's core are judged (`.cargo/mutants.toml`): what the
//! scenarios do not see, nobody sees. It ends with the first case that does not pass.

use std::path::Path;

use assay::scenario::{Suite, WorldKind};
use assay::session::{Selection, jobs, run_simulated};
use assay::verdict::Verdict;
use reference_broker::core::Config;

#[test]
fn every_case_passes_in_the_core_world() {
    let suite =
        Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios"), &[]).expect("the suite");
    let jobs = jobs(&suite, &Selection::default(), 1);
    let mut played = 0;
    let mut broken = None;
    run_simulated(&jobs, WorldKind::Core, &Config::default(), 2, &mut |outcome| {
        played += 1;
        if !matches!(outcome.verdict, Verdict::Pass | Verdict::Skipped) {
            let job = &jobs[outcome.index];
            broken = Some(format!("{} ({}): {}", job.scenario.full_name(), job.version, outcome.reason));
        }
        broken.is_none()
    });
    assert_eq!(broken, None);
    assert_eq!(played, jobs.len());
}
