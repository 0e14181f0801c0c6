//! Exploration: seeds → scenarios → runs in the core world → findings, on all cores.
//!
//! Each seed stands for itself: its scenario, its network and its run follow from it alone. So seeds may be
//! played in any order, by any number of threads, processes and machines; what is said about a set of seeds is
//! a sum over them, and the lowest seed speaks for each finding.
//!
//! Never the case: a result that depends on who played which seed, or when.

mod shard;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use reference_broker::core::Config;
use xxhash_rust::xxh3::xxh3_128;

use crate::check::always_on;
use crate::generate::{Generated, of_seed};
use crate::history::Digest;
use crate::scenario::{Plan, WorldKind};
use crate::session::{case_seed, simulated_options, simulated_skip};
use crate::verdict::{Finding, Weight};
use crate::world::{self, Played};

pub use shard::{
    Exploration, FORMAT, FindingGroup, Merged, Results, ShardError, ShardFile, ShardName, merge, piece_of,
    read_shards, write_whole,
};

/// What one seed showed.
#[derive(Debug)]
pub struct Explored {
    /// The seed.
    pub seed: u64,
    /// Its scenario.
    pub generated: Generated,
    /// The fingerprint of its history.
    pub digest: Digest,
    /// PUBLISH packets that clients sent and got.
    pub messages: u64,
    /// What was found; empty for a right broker.
    pub findings: Vec<Finding>,
    /// Why the steps ended early though nothing was found.
    pub unfinished: Option<String>,
}

/// What makes two findings the same: who found it, and the statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct FindingKey {
    /// The statement that it breaks.
    pub requirement: String,
    /// Which checker found it.
    pub by: String,
}

impl FindingKey {
    /// The key of a finding.
    pub fn of(finding: &Finding) -> FindingKey {
        FindingKey { requirement: finding.requirement.clone(), by: finding.by.clone() }
    }
}

impl std::fmt::Display for FindingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.requirement, self.by)
    }
}

/// Plays the scenario of a seed in the core world.
pub fn explore(seed: u64, config: &Config) -> Explored {
    play(seed, of_seed(seed), WorldKind::Core, config)
}

/// Plays a generated scenario; one that needs what the broker does not have shows nothing.
pub fn play(seed: u64, generated: Generated, world: WorldKind, config: &Config) -> Explored {
    if simulated_skip(&generated.scenario, world, config).is_some() {
        let digest = Digest::default();
        return Explored { seed, generated, digest, messages: 0, findings: Vec::new(), unfinished: None };
    }
    let (plan_options, stage_options) = simulated_options(world);
    let version = generated.dials.version;
    let plan = match Plan::new(&generated.scenario, version, &plan_options) {
        Ok(plan) => plan,
        Err(problems) => {
            let why = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
            return Explored {
                seed,
                generated,
                digest: Digest::default(),
                messages: 0,
                findings: Vec::new(),
                unfinished: Some(format!("the generator wrote what cannot be played: {why}")),
            };
        }
    };
    let network_seed = case_seed(seed, &generated.scenario, version);
    let played = match world {
        WorldKind::Sim => world::sim::play(&plan, network_seed, stage_options, config),
        _ => world::core::play(&plan, network_seed, stage_options, config),
    };
    let Played { history, findings, .. } = played;
    let unfinished = findings.iter().find(|it| it.weight != Weight::Violation).map(|it| it.observed.clone());
    let mut findings: Vec<Finding> =
        findings.into_iter().filter(|finding| finding.weight == Weight::Violation).collect();
    findings.extend(always_on(&plan, &history));
    Explored { seed, generated, digest: history.digest(), messages: history.messages(), findings, unfinished }
}

/// What tells two builds apart that play the same seed differently: one fingerprint over a few seeds.
pub fn build_fingerprint() -> Digest {
    Digest::over((0..8).map(|seed| explore(seed, &Config::default()).digest))
}

/// Whether the same is found in the sim world, where the broker's real asynchronous code runs.
pub fn is_confirmed(seed: u64, key: &FindingKey, config: &Config) -> bool {
    let explored = play(seed, of_seed(seed), WorldKind::Sim, config);
    explored.findings.iter().any(|finding| FindingKey::of(finding) == *key)
}

/// The sum of what seeds showed. Sums of parts add up to the sum of the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    /// Seeds played.
    pub scenarios: u64,
    /// PUBLISH packets that clients sent and got.
    pub messages: u64,
    /// Seeds whose steps ended early though nothing was found, and the first of them with its reason.
    pub unfinished: u64,
    /// The lowest seed whose steps ended early, and why.
    pub first_unfinished: Option<(u64, String)>,
    /// One fingerprint over all histories, in which no order plays a part.
    pub digest: Digest,
    /// How many scenarios had each feature in play.
    pub features: BTreeMap<String, u64>,
    /// What was found, by kind.
    pub findings: BTreeMap<FindingKey, Found>,
}

/// One kind of finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How many seeds show it.
    pub seeds: u64,
    /// The lowest of them, ascending, ten at most.
    pub first: Vec<u64>,
    /// What should have been seen with the lowest one.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// What was in play.
    pub dials: String,
}

/// How many seeds are kept of one kind of finding.
const KEPT: usize = 10;

impl Sum {
    /// Adds what one seed showed.
    pub fn add(&mut self, explored: &Explored) {
        self.scenarios += 1;
        self.messages += explored.messages;
        if let Some(why) = explored.unfinished.as_ref().filter(|_| explored.findings.is_empty()) {
            self.unfinished += 1;
            self.first_unfinished = lower(self.first_unfinished.take(), Some((explored.seed, why.clone())));
        }
        let mut record = explored.seed.to_le_bytes().to_vec();
        record.extend_from_slice(&explored.digest.0.to_le_bytes());
        self.digest = Digest(self.digest.0.wrapping_add(xxh3_128(&record)));
        for word in explored.generated.dials.features.words() {
            match self.features.get_mut(word) {
                Some(count) => *count += 1,
                None => {
                    self.features.insert(word.to_string(), 1);
                }
            }
        }
        let mut keys: BTreeMap<FindingKey, &Finding> = BTreeMap::new();
        for finding in &explored.findings {
            keys.entry(FindingKey::of(finding)).or_insert(finding);
        }
        for (key, finding) in keys {
            let found = Found {
                seeds: 1,
                first: vec![explored.seed],
                expected: finding.expected.clone(),
                observed: finding.observed.clone(),
                dials: explored.generated.dials.to_string(),
            };
            self.found(key, found);
        }
    }

    fn found(&mut self, key: FindingKey, found: Found) {
        let Some(before) = self.findings.get_mut(&key) else {
            self.findings.insert(key, found);
            return;
        };
        before.seeds += found.seeds;
        let lowest = |found: &Found| found.first.first().copied();
        if lowest(&found) < lowest(before) {
            before.expected = found.expected;
            before.observed = found.observed;
            before.dials = found.dials;
        }
        before.first.extend(found.first);
        before.first.sort_unstable();
        before.first.truncate(KEPT);
    }

    /// Adds another sum; the two are of different seeds.
    pub fn absorb(&mut self, other: Sum) {
        self.scenarios += other.scenarios;
        self.messages += other.messages;
        self.unfinished += other.unfinished;
        self.first_unfinished = lower(self.first_unfinished.take(), other.first_unfinished);
        self.digest = Digest(self.digest.0.wrapping_add(other.digest.0));
        for (word, count) in other.features {
            *self.features.entry(word).or_default() += count;
        }
        for (key, found) in other.findings {
            self.found(key, found);
        }
    }
}

fn lower(one: Option<(u64, String)>, other: Option<(u64, String)>) -> Option<(u64, String)> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.0 < one.0 { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// How a sweep over seeds goes.
#[derive(Debug)]
pub struct Sweep<'s> {
    /// The broker.
    pub config: &'s Config,
    /// Threads.
    pub jobs: usize,
    /// Go on after the first seed with a finding.
    pub keep_going: bool,
    /// Somebody asked to stop, or the time is up.
    pub stop: &'s AtomicBool,
    /// Seeds done so far, for progress.
    pub done: &'s AtomicU64,
}

/// How many seeds a thread takes at a time.
const BLOCK: u64 = 32;

impl Sweep<'_> {
    /// Plays the seeds from `from` up to, but not including, `to`.
    ///
    /// Without `keep_going` it ends after the lowest seed with a finding, whatever the number of threads, and the
    /// sum is over the seeds up to that one. Stopped from outside, the sum is over the seeds that were done.
    pub fn run(&self, from: u64, to: u64) -> Sum {
        let next = AtomicU64::new(from);
        // The lowest seed that found something; seeds above it count for nothing.
        let lowest = AtomicU64::new(u64::MAX);
        let sums: Mutex<Vec<(u64, Sum)>> = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    let mut total = Sum::default();
                    loop {
                        let first = next.fetch_add(BLOCK, Ordering::Relaxed);
                        if first >= to || first > lowest.load(Ordering::Relaxed) {
                            break;
                        }
                        if self.stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let mut sum = Sum::default();
                        for seed in first..(first.saturating_add(BLOCK)).min(to) {
                            let explored = explore(seed, self.config);
                            sum.add(&explored);
                            if !explored.findings.is_empty() && !self.keep_going {
                                lowest.fetch_min(seed, Ordering::Relaxed);
                                break;
                            }
                        }
                        self.done.fetch_add(sum.scenarios, Ordering::Relaxed);
                        if self.keep_going {
                            total.absorb(sum);
                        } else if let Ok(mut sums) = sums.lock() {
                            sums.push((first, sum));
                        }
                    }
                    if self.keep_going
                        && let Ok(mut sums) = sums.lock()
                    {
                        sums.push((0, total));
                    }
                });
            }
        });
        let lowest = lowest.into_inner();
        let mut all = Sum::default();
        for (first, sum) in sums.into_inner().unwrap_or_default() {
            if first <= lowest {
                all.absorb(sum);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(from: u64, to: u64, jobs: usize, config: &Config, keep_going: bool) -> Sum {
        let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
        Sweep { config, jobs, keep_going, stop: &stop, done: &done }.run(from, to)
    }

    #[test]
    fn the_clean_broker_shows_nothing_and_every_scenario_is_played_to_its_end() {
        let sum = sweep(0, 2000, 2, &Config::default(), true);
        assert_eq!(sum.findings, BTreeMap::new());
        assert_eq!(sum.scenarios, 2000);
        assert!(sum.unfinished <= 2, "{} unfinished: {:?}", sum.unfinished, sum.first_unfinished);
    }

    #[test]
    fn parts_add_up_to_the_whole_whatever_the_threads() {
        let mut config = Config::default();
        config.set_defect("dup-copied").expect("a defect");
        let whole = sweep(0, 400, 1, &config, true);
        let mut parts = sweep(100, 400, 2, &config, true);
        parts.absorb(sweep(0, 100, 2, &config, true));
        assert_eq!(parts, whole);
        assert!(!whole.findings.is_empty());
    }

    #[test]
    fn without_keep_going_the_lowest_seed_is_found_whatever_the_threads() {
        let mut config = Config::default();
        config.set_defect("dup-copied").expect("a defect");
        let one = sweep(0, 4000, 1, &config, false);
        let two = sweep(0, 4000, 2, &config, false);
        assert_eq!(one, two);
        assert!(!one.findings.is_empty());
    }
}
