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
    /// The scenario-cases that caught it, of those that met it.
    pub by: Vec<String>,
    /// Scenario-cases that met it and failed without naming one of its statements.
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

/// Plays jobs against every defect and variant whose name contains `only`, on `threads` threads. `progress` sees how
/// many subjects are done, and of how many.
///
/// A defect meets first the jobs that name one of its statements. Then, if none of them caught it, all others, and
/// otherwise those that no defect has made fail yet. A variant meets all.
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
    let count = subjects.iter().filter(|subject| matches!(subject, Subject::Defect(_))).count();
    let done = AtomicUsize::new(0);
    let of = subjects.len() + count;
    let step = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, of);

    let first = side_by_side(&subjects, threads, &|subject| {
        let found = match subject {
            Subject::Defect(defect) => {
                Found::Defect(against_defect(jobs, defect, &|job| is_about(job, defect)))
            }
            Subject::Variant(variant) => Found::Variant(against_variant(jobs, variant)),
        };
        step();
        found
    });
    let mut killed = BTreeSet::new();
    let mut variants = Vec::new();
    let mut caught = Vec::new();
    for found in first {
        match found {
            Found::Defect(met) => {
                killed.extend(met.kills.iter().copied());
                caught.push(met);
            }
            Found::Variant(result) => variants.push(result),
        }
    }
    let second = side_by_side(&caught, threads, &|met| {
        let found = against_defect(jobs, met.defect, &|job| {
            !is_about(job, met.defect) && (met.by.is_empty() || !killed.contains(&job.index))
        });
        step();
        found
    });
    let mut defects = Vec::new();
    for (mut met, more) in caught.into_iter().zip(second) {
        killed.extend(more.kills);
        met.by.extend(more.by);
        met.also_fails += more.also_fails;
        for (version, ids) in more.caught_statements {
            met.caught_statements.entry(version).or_default().extend(ids);
        }
        defects.push(met.result());
    }
    Proof {
        defects,
        variants,
        unproven: if only.is_some() {
            Vec::new()
        } else {
            jobs.iter().filter(|job| !killed.contains(&job.index) && playable(job)).map(job_name).collect()
        },
        cases: jobs.len(),
        not_playable: jobs.iter().filter(|job| !playable(job)).map(job_name).collect(),
    }
}

/// What `work` makes of every item, in the order of the items.
fn side_by_side<T: Sync, R: Send>(items: &[T], threads: usize, work: &(dyn Fn(&T) -> R + Sync)) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { return };
                    let result = work(item);
                    if let Ok(mut results) = results.lock() {
                        results.insert(at, result);
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_default().into_values().collect()
}

/// What the jobs found on one subject.
enum Found {
    Defect(Met),
    Variant(VariantResult),
}

/// A defect and what the jobs that met it made of it.
struct Met {
    defect: &'static Defect,
    by: Vec<String>,
    caught_statements: BTreeMap<String, BTreeSet<String>>,
    also_fails: usize,
    kills: BTreeSet<usize>,
}

impl Met {
    fn result(self) -> DefectResult {
        let defect = self.defect;
        let requirements = [("3.1.1", defect.v3_1_1), ("5.0", defect.v5)]
            .into_iter()
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(version, ids)| (version.to_string(), ids.iter().map(ToString::to_string).collect()))
            .collect();
        DefectResult {
            id: defect.id.into(),
            what: defect.what.into(),
            requirements,
            caught_statements: self.caught_statements,
            caught: !self.by.is_empty(),
            by: self.by,
            also_fails: self.also_fails,
        }
    }
}

fn playable(job: &Job<'_>) -> bool {
    simulated_skip(job.scenario, WorldKind::Core, &Config::default()).is_none()
}

fn ids(defect: &Defect, version: ProtocolVersion) -> &'static [&'static str] {
    if version == ProtocolVersion::V5 { defect.v5 } else { defect.v3_1_1 }
}

/// Whether a job names a statement that the defect breaks.
fn is_about(job: &Job<'_>, defect: &Defect) -> bool {
    let broken = ids(defect, job.version);
    job.scenario
        .requirements
        .get(&job.version)
        .is_some_and(|list| list.iter().any(|id| broken.contains(&id.as_str())))
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

/// The jobs that `meets` lets meet the defect.
fn against_defect(jobs: &[Job<'_>], defect: &'static Defect, meets: &dyn Fn(&Job<'_>) -> bool) -> Met {
    let mut config = Config::default();
    let known = config.set_defect(defect.id).is_ok();
    let mut met = Met {
        defect,
        by: Vec::new(),
        caught_statements: BTreeMap::new(),
        also_fails: 0,
        kills: BTreeSet::new(),
    };
    for job in jobs.iter().filter(|job| known && meets(job)) {
        let outcome = play_simulated(job, WorldKind::Core, &config);
        if outcome.verdict != Verdict::Fail {
            continue;
        }
        met.kills.insert(job.index);
        let mut named = named(&outcome, job, ids(defect, job.version)).peekable();
        if named.peek().is_none() {
            met.also_fails += 1;
            continue;
        }
        met.by.push(job_name(job));
        let caught = met.caught_statements.entry(job.version.to_string()).or_default();
        caught.extend(named.map(ToString::to_string));
    }
    met
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
