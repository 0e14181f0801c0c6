//! A session: many plans, played and judged, side by side where that is possible, reported in order.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reference_broker::codec::ProtocolVersion;
use reference_broker::core::{Config, Time};

use crate::check::{always_on, judge, judged};
use crate::history::{Digest, History};
use crate::network::Random;
use crate::requirement::RequirementId;
use crate::run::StageOptions;
use crate::scenario::{Capability, Plan, PlanOptions, Scenario, Suite, WorldKind};
use crate::verdict::{Finding, Recorded, Verdict, Weight, verdict_of};
use crate::world::{self, Played};

/// One scenario-case in one protocol version.
#[derive(Debug, Clone)]
pub struct Job<'s> {
    /// Its place in the session.
    pub index: usize,
    /// The scenario.
    pub scenario: &'s Scenario,
    /// The text that it was read from, and the name of the file.
    pub source: &'s crate::text::SourceText,
    /// The version.
    pub version: ProtocolVersion,
    /// Its own seed, made from the session's.
    pub seed: u64,
}

/// What became of a job.
#[derive(Debug)]
pub struct Outcome {
    /// The job's place in the session.
    pub index: usize,
    /// The plan that was played; none if it was skipped before.
    pub plan: Option<Plan>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it was skipped or what is special about it; empty otherwise.
    pub reason: String,
    /// What was found.
    pub findings: Vec<Finding>,
    /// The statements that the run judged: a step, a verification or a checker spoke of them.
    pub statements: Vec<RequirementId>,
    /// The implementation choices that the run showed, each value once.
    pub choices: Vec<Recorded>,
    /// What happened.
    pub history: History,
    /// The fingerprint of the history.
    pub digest: Digest,
    /// Time that it took outside.
    pub real: Duration,
    /// Time that it took inside.
    pub virtual_time: Duration,
}

impl Outcome {
    /// A job that was not played.
    pub fn skipped(index: usize, reason: impl Into<String>) -> Outcome {
        Outcome {
            index,
            plan: None,
            verdict: Verdict::Skipped,
            reason: reason.into(),
            findings: Vec::new(),
            statements: Vec::new(),
            choices: Vec::new(),
            history: History::default(),
            digest: Digest::default(),
            real: Duration::ZERO,
            virtual_time: Duration::ZERO,
        }
    }

    /// A job that was played, judged by its history alone.
    pub fn judged(index: usize, plan: Plan, history: History, real: Duration) -> Outcome {
        let (findings, recorded) = judge(&plan, &history);
        Outcome::concluded(index, plan, Played { history, findings, recorded }, real)
    }

    /// Leaves of the violations those of these statements.
    pub fn keep_only(&mut self, statements: &BTreeSet<RequirementId>) {
        let dropped = |finding: &Finding| {
            finding.weight == Weight::Violation && !statements.contains(&finding.requirement)
        };
        self.findings.retain(|finding| !dropped(finding));
        let left = |id: &RequirementId| self.findings.iter().any(|finding| finding.names(id));
        if self.verdict == Verdict::Fail {
            self.statements.retain(left);
            self.reason = self.findings.first().map(|it| it.observed.clone()).unwrap_or_default();
        }
    }

    /// A job that was played just now. What its own judge found on the way is what another one would find in the
    /// history (a test holds them to that), so it is not asked again.
    fn played(index: usize, plan: Plan, mut played: Played, real: Duration) -> Outcome {
        played.findings.extend(always_on(&plan, &played.history));
        Outcome::concluded(index, plan, played, real)
    }

    /// The end of what is known of a job: everything that was found is in `played`.
    fn concluded(index: usize, plan: Plan, played: Played, real: Duration) -> Outcome {
        let Played { history, mut findings, recorded } = played;
        let mut choices: Vec<Recorded> = Vec::new();
        for one in recorded {
            if !choices.iter().any(|other| other.name == one.name && other.value == one.value) {
                choices.push(one);
            }
        }
        let judged = judged(&plan, &history, verdict_of(&findings), &findings);
        findings.extend(judged.missing.iter().map(|(id, why)| Finding {
            weight: Weight::Harness,
            requirement: id.clone(),
            also: Vec::new(),
            expected: format!("a run that judges {id}, which the scenario names"),
            observed: format!("{id} is named and not judged: {why}"),
            events: Vec::new(),
            step: None,
            by: "coverage".into(),
        }));
        let verdict = verdict_of(&findings);
        let reason = findings
            .iter()
            .max_by_key(|finding| finding.weight)
            .map(|it| it.observed.clone())
            .unwrap_or_default();
        let end = history.events().last().map_or(Time::ZERO, |event| event.at);
        let digest = history.digest();
        Outcome {
            index,
            plan: Some(plan),
            verdict,
            reason,
            findings,
            statements: judged.statements.into_iter().collect(),
            choices,
            digest,
            real,
            virtual_time: end - Time::ZERO,
            history,
        }
    }
}

/// Which part of a suite a session plays.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// These versions only.
    pub versions: Vec<ProtocolVersion>,
    /// Only what names one of these statements.
    pub requirements: Vec<String>,
}

/// The jobs of a suite, in its order.
pub fn jobs<'s>(suite: &'s Suite, selection: &Selection, seed: u64) -> Vec<Job<'s>> {
    let mut jobs = Vec::new();
    for (file, scenario) in suite.scenarios() {
        for (version, ids) in &scenario.requirements {
            if !selection.versions.is_empty() && !selection.versions.contains(version) {
                continue;
            }
            if !selection.requirements.is_empty() && !selection.requirements.iter().any(|id| ids.contains(id))
            {
                continue;
            }
            let seed = case_seed(seed, scenario, *version);
            jobs.push(Job { index: jobs.len(), scenario, source: &file.source, version: *version, seed });
        }
    }
    jobs
}

/// The seed of a case does not depend on which others are played.
pub fn case_seed(seed: u64, scenario: &Scenario, version: ProtocolVersion) -> u64 {
    Random::stream(seed, &scenario.full_name(), u64::from(version.level())).draw()
}

/// The seed of a session in which the seed of this case is `case_seed`.
pub fn session_seed(case_seed: u64, scenario: &Scenario, version: ProtocolVersion) -> u64 {
    Random::seed_of(case_seed, &scenario.full_name(), u64::from(version.level()))
}

/// How long a quiet window and tolerances are in a simulated world.
pub fn simulated_options(world: WorldKind) -> (PlanOptions, StageOptions) {
    let tolerance = match world {
        WorldKind::Core => Duration::ZERO,
        _ => world::sim::TOLERANCE,
    };
    (PlanOptions { tolerance, ..PlanOptions::default() }, StageOptions::default())
}

/// Why the embedded reference broker cannot play a scenario in a world.
pub fn simulated_skip(scenario: &Scenario, world: WorldKind, config: &Config) -> Option<String> {
    if let Some(worlds) = &scenario.worlds
        && !worlds.contains(&world)
    {
        return Some(format!("it is not for the {world} world"));
    }
    let missing = scenario.needs.iter().find(|need| !has(config, **need))?;
    Some(format!("{}: the embedded broker does not have it", missing.name()))
}

/// Whether the embedded reference broker has a capability under a configuration.
fn has(config: &Config, capability: Capability) -> bool {
    let is = |key: &str, value: &str| config.get(key).is_some_and(|it| it == value);
    match capability {
        Capability::Qos1 => !is("maximum-qos", "0"),
        Capability::Qos2 => !is("maximum-qos", "0") && !is("maximum-qos", "1"),
        Capability::Retain => !is("retain-available", "false"),
        Capability::Wildcards => !is("wildcard-subscription-available", "false"),
        Capability::SharedSubscriptions => !is("shared-subscription-available", "false"),
        Capability::SubscriptionIdentifiers => !is("subscription-identifier-available", "false"),
        Capability::TopicAlias => !is("topic-alias-maximum", "0"),
        Capability::EmptyClientId => !is("empty-client-id", "refuse"),
        // It keeps nothing across its own end.
        Capability::Persistence => false,
        Capability::Mqtt31
        | Capability::Mqtt311
        | Capability::Mqtt5
        | Capability::ProcessControl
        | Capability::WebSocket
        | Capability::Configuration => true,
    }
}

/// Plays one job in a simulated world.
pub fn play_simulated(job: &Job<'_>, world: WorldKind, config: &Config) -> Outcome {
    if let Some(reason) = simulated_skip(job.scenario, world, config) {
        return Outcome::skipped(job.index, reason);
    }
    let (plan_options, stage_options) = simulated_options(world);
    let plan = match Plan::new(job.scenario, job.version, &plan_options) {
        Ok(plan) => plan,
        Err(problems) => {
            let mut outcome = Outcome::skipped(
                job.index,
                problems.first().map(|it| it.message.clone()).unwrap_or_default(),
            );
            outcome.verdict = Verdict::Error;
            return outcome;
        }
    };
    let started = Stopwatch::start();
    let played = match world {
        WorldKind::Sim => world::sim::play(&plan, job.seed, stage_options, config),
        _ => world::core::play(&plan, job.seed, stage_options, config),
    };
    Outcome::played(job.index, plan, played, started.elapsed())
}

/// Plays jobs in a simulated world on `threads` threads. `each` sees the outcomes in the order of the jobs,
/// whatever the number of threads; it says whether to go on.
pub fn run_simulated(
    jobs: &[Job<'_>],
    world: WorldKind,
    config: &Config,
    threads: usize,
    each: &mut (dyn FnMut(Outcome) -> bool + Send),
) {
    let next = AtomicUsize::new(0);
    let merge =
        Mutex::new(Merge { waiting: std::collections::BTreeMap::new(), next: 0, stopped: false, each });
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1).min(jobs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { return };
                    let outcome = play_simulated(job, world, config);
                    let Ok(mut merge) = merge.lock() else { return };
                    if !merge.take(at, outcome) {
                        return;
                    }
                }
            });
        }
    });
}

/// Puts outcomes that come in any order into the order of the jobs.
struct Merge<'e> {
    waiting: std::collections::BTreeMap<usize, Outcome>,
    next: usize,
    stopped: bool,
    each: &'e mut (dyn FnMut(Outcome) -> bool + Send),
}

impl Merge<'_> {
    fn take(&mut self, at: usize, outcome: Outcome) -> bool {
        self.waiting.insert(at, outcome);
        while let Some(outcome) = self.waiting.remove(&self.next) {
            self.next += 1;
            if !self.stopped && !(self.each)(outcome) {
                self.stopped = true;
            }
        }
        !self.stopped
    }
}

/// Real time, for what is shown; no judgement rests on it.
#[derive(Debug)]
pub struct Stopwatch(
    #[allow(clippy::disallowed_types, reason = "real time, for display only")] std::time::Instant,
);

impl Stopwatch {
    /// Starts.
    #[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "real time, for display only")]
    pub fn start() -> Stopwatch {
        Stopwatch(std::time::Instant::now())
    }

    /// Since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse_file;
    use crate::text::SourceText;

    #[test]
    fn the_seed_of_a_session_follows_from_that_of_a_case() {
        let text =
            "title: t\nrequirements: { v5: [MQTT-3.1.4-5] }\nclients: { a: {} }\nsteps: [{ a: connect }]\n";
        let file = parse_file("a/name", SourceText::new("t", text)).expect("a scenario");
        for wanted in [0, 1, 77, u64::MAX] {
            let seed = session_seed(wanted, &file.scenarios[0], ProtocolVersion::V5);
            assert_eq!(case_seed(seed, &file.scenarios[0], ProtocolVersion::V5), wanted);
        }
    }
}
