//! Proof that the checks can fail: the suite against every defect and every variant of the reference broker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use reference_broker::codec::ProtocolVersion;
use reference_broker::core::defects::{Defect, all};
use reference_broker::core::{Config, Variant, variants};
use serde::Serialize;

use crate::scenario::WorldKind;
use crate::session::{Job, Outcome, play_simulated, simulated_skip};
use crate::verdict::Verdict;

/// What became of a defect.
#[derive(Debug, Clone, Serialize)]
pub struct DefectResult {
    /// Its name.
    pub id: String,
    /// What the broker does wrong.
    pub what: String,
    /// The statements that it breaks, by version.
    pub requirements: BTreeMap<String, Vec<String>>,
    /// Those of them, by version, that a scenario-case which failed names, or a finding in one.
    pub caught_statements: BTreeMap<String, BTreeSet<String>>,
    /// Whether a scenario-case or an always-on checker that names one of them failed.
    pub caught: bool,
    /// The scenario-cases that caught it.
    pub by: Vec<String>,
    /// Scenario-cases that failed without naming one of its statements.
    pub also_fails: usize,
}

/// What became of a variant.
#[derive(Debug, Clone, Serialize)]
pub struct VariantResult {
    /// Its name.
    pub id: String,
    /// What the broker does otherwise.
    pub what: String,
    /// The ruling that allows it.
    pub ruling: String,
    /// Whether everything passed.
    pub passed: bool,
    /// The scenario-cases that did not.
    pub failures: Vec<String>,
}

/// The kill matrix.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Proof {
    /// Every defect.
    pub defects: Vec<DefectResult>,
    /// Every variant.
    pub variants: Vec<VariantResult>,
    /// Scenario-cases that no defect can make fail.
    pub unproven: Vec<String>,
    /// How many scenario-cases there were.
    pub cases: usize,
    /// Scenario-cases that the embedded broker cannot play: they need what it does not have.
    pub not_playable: Vec<String>,
}

/// Name of a job, as the proof shows it.
pub fn job_name(job: &Job<'_>) -> String {
    format!("{} ({})", job.scenario.full_name(), job.version)
}

enum Subject {
    Defect(&'static Defect),
    Variant(&'static Variant),
}

/// Plays all jobs against every defect and variant whose name contains `only`, on `threads` threads. `progress` sees
/// how many subjects are done, and of how many.
pub fn prove(
    jobs: &[Job<'_>],
    only: Option<&str>,
    threads: usize,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Proof {
    let mut subjects: Vec<Subject> = all().iter().map(Subject::Defect).collect();
    subjects.extend(variants().iter().map(Subject::Variant));
    subjects.retain(|subject| {
        let id = match subject {
            Subject::Defect(defect) => defect.id,
            Subject::Variant(variant) => variant.id,
        };
        only.is_none_or(|only| id.contains(only))
    });
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let defects = Mutex::new(BTreeMap::new());
    let variants = Mutex::new(BTreeMap::new());
    let killed = Mutex::new(vec![false; jobs.len()]);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(subject) = subjects.get(at) else { return };
                    match subject {
                        Subject::Defect(defect) => {
                            let (result, kills) = against_defect(jobs, defect);
                            if let (Ok(mut defects), Ok(mut killed)) = (defects.lock(), killed.lock()) {
                                defects.insert(at, result);
                                for job in kills {
                                    killed[job] = true;
                                }
                            }
                        }
                        Subject::Variant(variant) => {
                            let result = against_variant(jobs, variant);
                            if let Ok(mut variants) = variants.lock() {
                                variants.insert(at, result);
                            }
                        }
                    }
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, subjects.len());
                }
            });
        }
    });
    let killed = killed.into_inner().unwrap_or_default();
    Proof {
        defects: defects.into_inner().unwrap_or_default().into_values().collect(),
        variants: variants.into_inner().unwrap_or_default().into_values().collect(),
        unproven: if only.is_some() {
            Vec::new()
        } else {
            jobs.iter().filter(|job| !killed[job.index] && playable(job)).map(job_name).collect()
        },
        cases: jobs.len(),
        not_playable: jobs.iter().filter(|job| !playable(job)).map(job_name).collect(),
    }
}

fn playable(job: &Job<'_>) -> bool {
    simulated_skip(job.scenario, WorldKind::Core, &Config::default()).is_none()
}

fn ids(defect: &Defect, version: ProtocolVersion) -> &'static [&'static str] {
    if version == ProtocolVersion::V5 { defect.v5 } else { defect.v3_1_1 }
}

/// The statements among `ids` that a failure names: as what the scenario-case is about, or in a finding.
fn named<'i>(
    outcome: &Outcome,
    job: &Job<'_>,
    ids: &'i [&'static str],
) -> impl Iterator<Item = &'i &'static str> {
    let scenario = job.scenario.requirements.get(&job.version);
    ids.iter().filter(move |id| {
        scenario.is_some_and(|list| list.iter().any(|other| other == *id))
            || outcome.findings.iter().any(|finding| finding.names(id))
    })
}

fn against_defect(jobs: &[Job<'_>], defect: &'static Defect) -> (DefectResult, BTreeSet<usize>) {
    let mut config = Config::default();
    let known = config.set_defect(defect.id).is_ok();
    let mut by = Vec::new();
    let mut caught_statements: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut also_fails = 0;
    let mut kills = BTreeSet::new();
    for job in jobs.iter().filter(|_| known) {
        let outcome = play_simulated(job, WorldKind::Core, &config);
        if outcome.verdict != Verdict::Fail {
            continue;
        }
        kills.insert(job.index);
        let mut named = named(&outcome, job, ids(defect, job.version)).peekable();
        if named.peek().is_none() {
            also_fails += 1;
            continue;
        }
        by.push(job_name(job));
        let caught = caught_statements.entry(job.version.to_string()).or_default();
        caught.extend(named.map(ToString::to_string));
    }
    let requirements = [("3.1.1", defect.v3_1_1), ("5.0", defect.v5)]
        .into_iter()
        .filter(|(_, ids)| !ids.is_empty())
        .map(|(version, ids)| (version.to_string(), ids.iter().map(ToString::to_string).collect()))
        .collect();
    let result = DefectResult {
        id: defect.id.into(),
        what: defect.what.into(),
        requirements,
        caught_statements,
        caught: !by.is_empty(),
        by,
        also_fails,
    };
    (result, kills)
}

fn against_variant(jobs: &[Job<'_>], variant: &'static Variant) -> VariantResult {
    let mut config = Config::default();
    let mut failures = Vec::new();
    for (key, value) in variant.settings {
        if let Err(error) = config.set(key, value) {
            failures.push(error.to_string());
        }
    }
    for job in jobs {
        let outcome = play_simulated(job, WorldKind::Core, &config);
        if !matches!(outcome.verdict, Verdict::Pass | Verdict::Skipped) {
            failures.push(format!("{}: {}", job_name(job), outcome.reason));
        }
    }
    VariantResult {
        id: variant.id.into(),
        what: variant.what.into(),
        ruling: variant.ruling.into(),
        passed: failures.is_empty(),
        failures,
    }
}
