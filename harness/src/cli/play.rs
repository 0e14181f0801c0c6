//! Playing a suite for a command: what is shown meanwhile, what is kept, and the result at the end.
//!
//! `run` and `certify` differ in what they do with the result. Evidence is written as soon as a case ends, so that
//! what an interrupted run has found is not lost.
//!
//! Never the case: a verdict that is made here; an exit code.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reference_broker::core::Config;

use crate::check::check;
use crate::evidence::{Evidence, FORMAT, Header, random_name};
use crate::history::Digest;
use crate::report::console::{Tally, failure, line};
use crate::report::json::{
    CaseResult, CrashResult, Environment, ProfileResult, RunResult, SCHEMA, Summary, case, choices, thin,
};
use crate::report::packet::summary;
use crate::requirement::RequirementId;
use crate::scenario::{PlanOptions, WorldKind};
use crate::session::{Job, Outcome, Stopwatch, run_simulated, simulated_options};
use crate::verdict::{Verdict, verdict_of};
use crate::world::live::{LiveCase, LiveError, LiveOptions, LiveOutcome, Target};

use super::run::{nonce, quoted};
use super::{complain, default_jobs, print};

/// Which evidence is kept, besides that of what does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// None.
    Failures,
    /// That of one case in so many that pass.
    Sample(u64),
    /// All.
    All,
}

/// What is to be played, and how.
pub(super) struct Request<'a> {
    pub(super) jobs: &'a [Job<'a>],
    /// The world.
    pub(super) world: WorldKind,
    /// The broker, in the live world.
    pub(super) target: Option<Target>,
    /// The reference broker, in the others.
    pub(super) config: Config,
    pub(super) seed: u64,
    /// Threads, or cases side by side.
    pub(super) threads: Option<usize>,
    /// What distinguishes the reference broker, for headers.
    pub(super) settings: Vec<(String, String)>,
    pub(super) defect: Option<String>,
    /// Folder for evidence.
    pub(super) evidence: PathBuf,
    pub(super) keep: Keep,
    /// The ending of the names of its files: `jsonl` or `jsonl.gz`.
    pub(super) ending: &'static str,
    pub(super) max_wait: Duration,
    pub(super) discovery: bool,
    /// Whether the broker's clock may be moved.
    pub(super) travel: bool,
    pub(super) logs: Option<PathBuf>,
    /// Show every case.
    pub(super) verbose: bool,
    /// Show only the progress.
    pub(super) quiet: bool,
    /// What follows `assay run SCENARIO --protocol V --world W --seed N` to get the same broker.
    pub(super) broker_arguments: String,
    /// The command that runs all of it again.
    pub(super) command: String,
}

/// What came of it.
pub(super) struct Played {
    pub(super) result: RunResult,
    pub(super) tally: Tally,
    /// The claims and findings of the broker contradict each other.
    pub(super) contradicted: bool,
    /// What could not be written.
    pub(super) error: Option<String>,
    /// Where the brokers' output is, if it was kept.
    pub(super) logs: Option<PathBuf>,
}

/// Everything that is shown and kept while a run goes on.
struct Sink<'a> {
    request: &'a Request<'a>,
    broker: String,
    tally: Tally,
    results: Vec<(usize, CaseResult)>,
    digests: Vec<Digest>,
    bar: ProgressBar,
    error: Option<String>,
}

impl Sink<'_> {
    /// Takes an outcome; of several failing runs only what all of them broke counts.
    fn take(
        &mut self,
        mut outcome: Outcome,
        options: &PlanOptions,
        always: Option<&BTreeSet<RequirementId>>,
        more: impl FnOnce(&mut CaseResult),
    ) {
        let request = self.request;
        let job = &request.jobs[outcome.index];
        self.tally.count(&job.scenario.name, outcome.verdict, &outcome.reason);
        self.digests.push(outcome.digest);
        let command = command(request, job);
        let passed = matches!(outcome.verdict, Verdict::Pass | Verdict::Skipped);
        let kept = match request.keep {
            _ if !passed => true,
            Keep::Failures => false,
            Keep::Sample(one_in) => job.seed.is_multiple_of(one_in),
            Keep::All => true,
        };
        let mut replay = command.clone();
        let mut kept_at = None;
        if kept && outcome.plan.is_some() {
            let name = evidence_name(job, request.ending);
            let path = request.evidence.join(&name);
            let evidence = Evidence::new(
                header(request, &self.broker, job, options, command.clone()),
                outcome.history.clone(),
                // Of this run alone: what a case comes to after several is in the report.
                verdict_of(&outcome.findings),
                outcome.findings.clone(),
            );
            match evidence.write(&path) {
                Ok(()) => {
                    replay = format!("assay replay {}", quoted(&path.display().to_string()));
                    kept_at = Some(path.display().to_string());
                }
                Err(error) => self.error = Some(format!("cannot write {}: {error}", path.display())),
            }
        }
        if let Some(statements) = always {
            outcome.keep_only(statements);
        }
        let mut result = case(job, &outcome);
        more(&mut result);
        result.evidence = kept_at;
        result.replay = command;
        self.bar.suspend(|| {
            if request.quiet {
            } else if !passed {
                print(&failure(&outcome, &replay));
                if let Some(crash) = &result.crash {
                    print(&last_words(crash));
                }
            } else if request.verbose {
                print(&line(&outcome, &job.scenario.full_name(), job.version.name()));
            }
        });
        self.results.push((outcome.index, result));
        self.bar.inc(1);
        let failed = self.tally.of(Verdict::Fail) + self.tally.of(Verdict::Error);
        if failed > 0 {
            self.bar.set_message(format!("{failed} failed"));
        }
    }
}

/// The command that plays this case again.
fn command(request: &Request<'_>, job: &Job<'_>) -> String {
    format!(
        "assay run {} --protocol {} --world {} --seed {}{}",
        quoted(&job.scenario.full_name()),
        job.version,
        request.world,
        request.seed,
        request.broker_arguments
    )
}

fn header(
    request: &Request<'_>,
    broker: &str,
    job: &Job<'_>,
    options: &PlanOptions,
    command: String,
) -> Header {
    Header {
        assay_evidence: FORMAT,
        tool: TOOL.into(),
        world: request.world.name().into(),
        broker: broker.into(),
        scenario: job.scenario.name.clone(),
        case: job.scenario.case.clone(),
        protocol: job.version.to_string(),
        seed: job.seed,
        random: random_name(),
        settings: request.settings.clone(),
        defect: request.defect.clone(),
        tolerance_us: options.tolerance.as_micros() as u64,
        topic_prefix: options.topic_prefix.clone(),
        client_id_prefix: options.client_id_prefix.clone(),
        command,
        file: job.source.name.clone(),
        text: job.source.text.clone(),
    }
}

/// The program and its version.
pub(super) const TOOL: &str = concat!("assay ", env!("CARGO_PKG_VERSION"));

/// How a broker ended.
fn last_words(crash: &CrashResult) -> String {
    let first = crash.log.len().saturating_sub(12);
    let log: Vec<String> = crash.log[first..].iter().map(|line| format!("  │ {line}")).collect();
    format!(
        "the broker died after {} had sent {}; the last lines of its output:\n{}\n",
        crash.client.as_deref().unwrap_or("nobody"),
        crash.packet.as_deref().unwrap_or("nothing"),
        log.join("\n")
    )
}

/// Plays everything that is asked for.
///
/// # Errors
/// The broker cannot be reached or started.
pub(super) fn play(request: &Request<'_>) -> Result<Played, LiveError> {
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(request.jobs.len() as u64)
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len}  {per_sec}  {elapsed}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let watch = Stopwatch::start();
    let started = now();
    let mut sink = Sink {
        request,
        broker: concat!("reference broker ", env!("CARGO_PKG_VERSION")).into(),
        tally: Tally::default(),
        results: Vec::new(),
        digests: Vec::new(),
        bar,
        error: None,
    };
    let done = match &request.target {
        Some(target) => live(&mut sink, target),
        None => {
            let (options, _) = simulated_options(request.world);
            let threads = request.threads.unwrap_or_else(default_jobs);
            run_simulated(request.jobs, request.world, &request.config, threads, &mut |outcome| {
                sink.take(outcome, &options, None, |_| {});
                true
            });
            Ok(crate::world::live::Summary::default())
        }
    };
    sink.bar.finish_and_clear();
    let done = done?;
    // Side by side in the live world cases end in any order; files have that of the suite.
    sink.results.sort_by_key(|(index, _)| *index);
    let mut results: Vec<CaseResult> = sink.results.into_iter().map(|(_, result)| result).collect();
    thin(&mut results);
    let mut summary = Summary::default();
    for result in &results {
        summary.count(result.verdict);
    }
    let discovered = done.discovered.unwrap_or_default();
    let contradictions = discovered.contradictions();
    let contradicted = discovered.fails();
    // Real time is part of what happens over real sockets: nothing there can be compared by a digest.
    let digest = match request.world {
        WorldKind::Live => String::new(),
        _ => Digest::over(sink.digests.iter().copied()).to_string(),
    };
    let result = RunResult {
        schema: SCHEMA.into(),
        tool: TOOL.into(),
        world: request.world.name().into(),
        broker: sink.broker,
        started,
        took_ms: watch.elapsed().as_micros() as f64 / 1000.0,
        command: request.command.clone(),
        environment: Environment::here(),
        clock_moved: done.travels,
        profile: match &request.target {
            Some(Target::Profile(profile)) => {
                Some(ProfileResult { name: profile.name.clone(), text: profile.text.clone() })
            }
            _ => None,
        },
        baseline: None,
        seed: request.seed,
        digest,
        partial: done.interrupted,
        summary,
        capabilities: discovered.capabilities,
        facts: discovered.facts,
        contradictions,
        choices: choices(&results),
        unexplained: done.unexplained.iter().map(CrashResult::from).collect(),
        warnings: done.warnings,
        lost: done.lost,
        results,
    };
    Ok(Played { result, tally: sink.tally, contradicted, error: sink.error, logs: done.logs })
}

/// What there is to know about the broker's process after a run, and where its output is.
pub(super) fn say_of_the_process(result: &RunResult, logs: Option<&Path>) {
    for crash in &result.unexplained {
        let cases = crash.during();
        complain(&format!("warning: the broker died during {cases} and did not do it again"));
    }
    for warning in &result.warnings {
        complain(&format!("warning: {warning}"));
    }
    if let Some(logs) = logs {
        print(&format!("the broker's output: {}", logs.display()));
    }
}

/// The time of day, for reports; no judgement rests on it.
fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Second).unwrap_or(now).to_string()
}

/// The live world: a broker that a profile starts, or one that is there.
fn live(sink: &mut Sink<'_>, target: &Target) -> Result<crate::world::live::Summary, LiveError> {
    let request = sink.request;
    let cases = request
        .jobs
        .iter()
        .map(|job| LiveCase {
            index: job.index,
            scenario: job.scenario.clone(),
            version: job.version,
            seed: job.seed,
        })
        .collect();
    let defaults = LiveOptions::default();
    let options = LiveOptions {
        jobs: request.threads.unwrap_or(defaults.jobs),
        brokers: request.threads.unwrap_or(defaults.brokers).min(defaults.brokers),
        most_brokers: request.threads.unwrap_or(defaults.most_brokers).min(defaults.most_brokers),
        nonce: nonce(),
        max_wait: request.max_wait,
        discovery: request.discovery,
        travel: request.travel,
        logs: request.logs.clone(),
        judge: &|plan, played| check(plan, &played.history),
        ..defaults
    };
    sink.broker = target.name().into();
    crate::world::live::run(target, cases, &options, &mut |found| {
        if !found.broker.is_empty() {
            sink.broker.clone_from(&found.broker);
        }
        let verdict = found.verdict();
        let reason = live_reason(&found);
        let options = PlanOptions {
            tolerance: found.plan.tolerance,
            topic_prefix: found.plan.options.topic_prefix.clone(),
            client_id_prefix: found.plan.options.client_id_prefix.clone(),
            websocket: found.plan.options.websocket.clone(),
        };
        let attempts = if found.attempts.len() > 1 { found.attempts } else { Vec::new() };
        let crash = found.crash.as_ref().map(CrashResult::from);
        let mut outcome = match found.played {
            Some(played) => Outcome::judged(found.index, found.plan, played.history, found.real),
            None => Outcome::skipped(found.index, String::new()),
        };
        outcome.verdict = verdict;
        if let Some(reason) = reason {
            outcome.reason = reason;
        }
        // Where they share nothing, the first run says what it saw.
        let always = found.always.as_ref().filter(|statements| !statements.is_empty());
        sink.take(outcome, &options, always, |result| {
            result.attempts = attempts;
            result.crash = crash;
        });
    })
}

/// Why an outcome of the live world is what it is, where its findings do not say it.
fn live_reason(found: &LiveOutcome) -> Option<String> {
    if let Some(reason) = found.skipped.as_ref().or(found.unanswered.as_ref()) {
        return Some(reason.clone());
    }
    if let Some((failed, runs)) = found.flaky() {
        return Some(format!("flaky: it failed in {failed} of {runs} runs"));
    }
    if found.wavers() {
        return Some("it failed in each run, and each time for another reason".into());
    }
    if let Some(crash) = &found.crash {
        let packet = crash.packet.as_ref().map(|packet| summary(packet, crash.version)).unwrap_or_default();
        return Some(format!(
            "the broker died after {} had sent {packet}",
            crash.client.as_deref().unwrap_or("nobody")
        ));
    }
    None
}

/// A file name for a case.
fn evidence_name(job: &Job<'_>, ending: &str) -> String {
    let name: String = format!("{}.{}", job.scenario.full_name(), job.version)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' })
        .collect();
    // Names that differ only in what a file name cannot hold stay apart by the seed of the case.
    format!("{}.{:08x}.{ending}", name.chars().take(120).collect::<String>(), job.seed as u32)
}
