//! `assay run` and `assay serve`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reference_broker::core::Config;
use reference_broker::shell::Addresses;

use crate::check::check;
use crate::evidence::{Evidence, FORMAT, Header, random_name};
use crate::history::Digest;
use crate::profile::Profile;
use crate::report::capability::{brief, contradiction};
use crate::report::console::{Tally, choices, failure, line};
use crate::report::json::{self, RunResult, SCHEMA, Summary};
use crate::report::packet::summary;
use crate::scenario::{PlanOptions, WorldKind};
use crate::session::{Job, Outcome, Stopwatch, jobs, run_simulated, simulated_options};
use crate::verdict::{Verdict, verdict_of};
use crate::world::live::{Discovered, LiveCase, LiveOptions, LiveOutcome, Target};

use super::{HARNESS, SuiteArguments, USAGE, complain, default_jobs, load, print, world};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    suite: SuiteArguments,
    /// core, sim or live [default: sim; live with --profile or --broker]
    #[arg(long, value_parser = world)]
    world: Option<WorldKind>,
    /// A broker to start: a profile's file or name
    #[arg(long, value_name = "FILE", conflicts_with = "broker")]
    profile: Option<String>,
    /// A broker that is there already: mqtt://host:port
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// Where that broker listens for WebSocket: ws://host:port/path
    #[arg(long, value_name = "URL", requires = "broker")]
    websocket: Option<String>,
    /// Seed of the run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads in a simulated world [default: one per core]; scenarios side by side in the live world [default: 128]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// `console`, or `json=FILE` (repeatable)
    #[arg(long, value_name = "FORMAT=FILE")]
    format: Vec<String>,
    /// Folder for the evidence of what does not pass
    #[arg(long, value_name = "DIR", default_value = ".assay")]
    evidence: PathBuf,
    /// Keep the evidence of everything
    #[arg(long)]
    keep_all: bool,
    /// Switch on a defect of the reference broker (simulated worlds)
    #[arg(long, value_name = "ID")]
    defect: Option<String>,
    /// A setting of the reference broker (simulated worlds, repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Live world: skip what needs a longer wait
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    max_wait: u64,
    /// Live world: do not ask the broker first what it has; what nobody denies is then taken to be there
    #[arg(long)]
    no_discovery: bool,
    /// Show every case, not only what did not pass, and the implementation choices
    #[arg(long, short)]
    verbose: bool,
    /// Show what the broker chose where the standard leaves it open
    #[arg(long)]
    choices: bool,
}

/// The settings of the reference broker that the arguments ask for.
pub(super) fn config(defect: Option<&str>, settings: &[(String, String)]) -> Result<Config, String> {
    let mut config = Config::default();
    for (key, value) in settings {
        config.set(key, value).map_err(|error| error.to_string())?;
    }
    if let Some(defect) = defect {
        config.set_defect(defect).map_err(|error| error.to_string())?;
    }
    Ok(config)
}

pub(super) fn settings(list: &[String]) -> Result<Vec<(String, String)>, String> {
    list.iter()
        .map(|text| {
            let (key, value) = text.split_once('=').ok_or(format!("`{text}`: expected key=value"))?;
            Ok((key.to_string(), value.to_string()))
        })
        .collect()
}

/// Everything that is shown and kept while a run goes on.
struct Sink<'a> {
    jobs: &'a [Job<'a>],
    arguments: &'a RunArguments,
    world: WorldKind,
    broker: String,
    settings: Vec<(String, String)>,
    tally: Tally,
    results: Vec<json::CaseResult>,
    digests: Vec<Digest>,
    bar: ProgressBar,
    discovered: Option<Discovered>,
    error: Option<String>,
}

impl Sink<'_> {
    fn take(&mut self, outcome: &Outcome, options: &PlanOptions) {
        let job = &self.jobs[outcome.index];
        self.tally.count(&job.scenario.name, outcome.verdict, &outcome.reason);
        self.digests.push(outcome.digest);
        self.results.push(json::case(job, outcome));
        let kept = self.arguments.keep_all || !matches!(outcome.verdict, Verdict::Pass | Verdict::Skipped);
        let mut replay = self.command(job);
        if kept && outcome.plan.is_some() {
            let path = self.arguments.evidence.join(evidence_name(job));
            let evidence = Evidence::new(
                self.header(job, options),
                outcome.history.clone(),
                outcome.verdict,
                outcome.findings.clone(),
            );
            match evidence.write(&path) {
                Ok(()) => replay = format!("assay replay {}", quoted(&path.display().to_string())),
                Err(error) => self.error = Some(format!("cannot write {}: {error}", path.display())),
            }
        }
        self.bar.suspend(|| {
            if !matches!(outcome.verdict, Verdict::Pass | Verdict::Skipped) {
                print(&failure(outcome, &replay));
            } else if self.arguments.verbose {
                print(&line(outcome, &job.scenario.full_name(), job.version.name()));
            }
        });
        self.bar.inc(1);
        let failed = self.tally.of(Verdict::Fail) + self.tally.of(Verdict::Error);
        if failed > 0 {
            self.bar.set_message(format!("{failed} failed"));
        }
    }

    /// The command that plays this case again.
    fn command(&self, job: &Job<'_>) -> String {
        let mut command = format!(
            "assay run {} --protocol {} --world {} --seed {}",
            quoted(&job.scenario.full_name()),
            job.version,
            self.world,
            self.arguments.seed
        );
        if let Some(profile) = &self.arguments.profile {
            command.push_str(&format!(" --profile {}", quoted(profile)));
        }
        if let Some(broker) = &self.arguments.broker {
            command.push_str(&format!(" --broker {}", quoted(broker)));
        }
        if let Some(websocket) = &self.arguments.websocket {
            command.push_str(&format!(" --websocket {}", quoted(websocket)));
        }
        if self.arguments.no_discovery {
            command.push_str(" --no-discovery");
        }
        if let Some(defect) = &self.arguments.defect {
            command.push_str(&format!(" --defect {defect}"));
        }
        for setting in &self.arguments.set {
            command.push_str(&format!(" --set {}", quoted(setting)));
        }
        command
    }

    fn header(&self, job: &Job<'_>, options: &PlanOptions) -> Header {
        Header {
            assay_evidence: FORMAT,
            tool: concat!("assay ", env!("CARGO_PKG_VERSION")).into(),
            world: self.world.name().into(),
            broker: self.broker.clone(),
            scenario: job.scenario.name.clone(),
            case: job.scenario.case.clone(),
            protocol: job.version.to_string(),
            seed: job.seed,
            random: random_name(),
            settings: self.settings.clone(),
            defect: self.arguments.defect.clone(),
            tolerance_us: options.tolerance.as_micros() as u64,
            topic_prefix: options.topic_prefix.clone(),
            client_id_prefix: options.client_id_prefix.clone(),
            command: self.command(job),
            file: job.source.name.clone(),
            text: job.source.text.clone(),
        }
    }

    /// Summary, files, exit code.
    fn finish(mut self, partial: bool, seconds: f64) -> u8 {
        self.bar.finish_and_clear();
        // Side by side in the live world cases end in any order; files have that of the suite.
        let order = |result: &json::CaseResult| {
            self.jobs.iter().position(|job| {
                job.scenario.name == result.scenario
                    && job.scenario.case == result.case
                    && job.version.name() == result.protocol
            })
        };
        if self.world == WorldKind::Live {
            self.results.sort_by_key(order);
        }
        let digest = Digest::over(self.digests.iter().copied());
        let mut summary = Summary::default();
        for result in &self.results {
            summary.count(result.verdict);
        }
        let discovered = self.discovered.unwrap_or_default();
        let contradictions = discovered.contradictions();
        let contradicted = discovered.fails();
        let brief =
            (self.arguments.verbose && !discovered.capabilities.is_empty()).then(|| brief(&discovered));
        let shown: Vec<String> = contradictions.iter().map(contradiction).collect();
        let result = RunResult {
            schema: SCHEMA.into(),
            tool: concat!("assay ", env!("CARGO_PKG_VERSION")).into(),
            world: self.world.name().into(),
            broker: self.broker.clone(),
            seed: self.arguments.seed,
            // Real time is part of what happens over real sockets: nothing there can be compared by a digest.
            digest: if self.world == WorldKind::Live { String::new() } else { digest.to_string() },
            partial,
            summary,
            capabilities: discovered.capabilities,
            facts: discovered.facts,
            contradictions,
            choices: json::choices(&self.results),
            results: self.results,
        };
        for format in &self.arguments.format {
            if let Some(("json", path)) = format.split_once('=')
                && let Err(error) =
                    std::fs::write(path, serde_json::to_string_pretty(&result).unwrap_or_default())
            {
                self.error = Some(format!("cannot write {path}: {error}"));
            }
        }
        for line in brief.iter().chain(&shown) {
            print(line);
        }
        print(self.tally.summary().trim_end());
        if contradicted {
            print("a capability that the broker is said to have is not there or does not work: see above");
        }
        if self.arguments.choices || self.arguments.verbose {
            print(choices(&result.choices).trim_end());
        }
        if self.world == WorldKind::Live {
            print(&format!("{} world, {}, {seconds:.1} s", self.world, self.broker));
        } else {
            print(&format!(
                "{} world, {}, seed {}, run digest {digest}, {seconds:.1} s",
                self.world, self.broker, self.arguments.seed
            ));
        }
        if partial {
            print("the run was interrupted: the results are partial");
        }
        if let Some(error) = self.error {
            complain(&format!("error: {error}"));
            return HARNESS;
        }
        let code = self.tally.exit_code();
        if contradicted && code != HARNESS {
            return 1;
        }
        if partial && code == 0 { 4 } else { code }
    }
}

/// `assay run`
pub fn run(arguments: &RunArguments) -> u8 {
    for format in &arguments.format {
        if format != "console"
            && format.split_once('=').is_none_or(|(kind, path)| kind != "json" || path.is_empty())
        {
            complain(&format!("error: `{format}`: expected console or json=FILE"));
            return USAGE;
        }
    }
    let external = arguments.profile.is_some() || arguments.broker.is_some();
    let kind = arguments.world.unwrap_or(if external { WorldKind::Live } else { WorldKind::Sim });
    if external && kind != WorldKind::Live {
        complain(&format!("error: --profile and --broker mean the live world, not {kind}"));
        return USAGE;
    }
    if !external && kind == WorldKind::Live {
        complain(
            "error: the live world needs a broker: --profile FILE starts one, --broker mqtt://host:port uses one that is there",
        );
        return USAGE;
    }
    if external && (arguments.defect.is_some() || !arguments.set.is_empty()) {
        complain(
            "error: --defect and --set are for the embedded reference broker; give them to `assay serve` in the live world",
        );
        return USAGE;
    }
    let settings = match settings(&arguments.set) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&format!("error: {error}"));
            return USAGE;
        }
    };
    let config = match config(arguments.defect.as_deref(), &settings) {
        Ok(config) => config,
        Err(error) => {
            complain(&format!("error: {error}"));
            return USAGE;
        }
    };
    let suite = match load(&arguments.suite) {
        Ok(suite) => suite,
        Err(code) => return code,
    };
    let selection = arguments.suite.selection();
    let jobs = jobs(&suite, &selection, arguments.seed);
    if jobs.is_empty() {
        complain("error: no scenario is left: nothing judges that in this version");
        return USAGE;
    }
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(jobs.len() as u64)
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len}  {per_sec}  {elapsed}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let watch = Stopwatch::start();
    let mut sink = Sink {
        jobs: &jobs,
        arguments,
        world: kind,
        broker: concat!("reference broker ", env!("CARGO_PKG_VERSION")).into(),
        settings,
        tally: Tally::default(),
        results: Vec::new(),
        digests: Vec::new(),
        bar,
        discovered: None,
        error: None,
    };
    if kind == WorldKind::Live {
        return live(sink, &watch);
    }
    let (options, _) = simulated_options(kind);
    run_simulated(&jobs, kind, &config, arguments.jobs.unwrap_or_else(default_jobs), &mut |outcome| {
        sink.take(&outcome, &options);
        true
    });
    sink.finish(false, watch.elapsed().as_secs_f64())
}

/// The broker that the arguments name, or what is wrong with them.
pub(super) fn target(
    profile: Option<&str>,
    broker: Option<&str>,
    websocket: Option<&str>,
) -> Result<Target, u8> {
    if let Some(wanted) = profile {
        return match Profile::load(wanted) {
            Ok(profile) => Ok(Target::Profile(Box::new(profile))),
            Err(error) => {
                complain(&error.render(super::colour()));
                Err(USAGE)
            }
        };
    }
    let target = Target::from_url(broker.unwrap_or_default());
    let target = match websocket {
        Some(websocket) => target.and_then(|target| target.and_websocket(websocket)),
        None => target,
    };
    target.map_err(|error| {
        complain(&format!("error: {error}"));
        USAGE
    })
}

/// The live world: a broker that a profile starts, or one that is there.
fn live(mut sink: Sink<'_>, watch: &Stopwatch) -> u8 {
    let arguments = sink.arguments;
    let target = match target(
        arguments.profile.as_deref(),
        arguments.broker.as_deref(),
        arguments.websocket.as_deref(),
    ) {
        Ok(target) => target,
        Err(code) => return code,
    };
    let cases = sink
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
        jobs: arguments.jobs.unwrap_or(defaults.jobs),
        brokers: arguments.jobs.unwrap_or(defaults.brokers).min(defaults.brokers),
        nonce: nonce(),
        max_wait: Duration::from_secs(arguments.max_wait),
        discovery: !arguments.no_discovery,
        judge: &|plan, played| verdict_of(&check(plan, &played.history)),
        ..defaults
    };
    let result = crate::world::live::run(&target, cases, &options, &mut |found| {
        let verdict = found.verdict();
        let reason = live_reason(&found);
        let options = PlanOptions {
            tolerance: found.plan.tolerance,
            topic_prefix: found.plan.options.topic_prefix.clone(),
            client_id_prefix: found.plan.options.client_id_prefix.clone(),
            websocket: found.plan.options.websocket.clone(),
        };
        let mut outcome = match found.played {
            Some(played) => Outcome::judged(found.index, found.plan, played.history, found.real),
            None => Outcome::skipped(found.index, String::new()),
        };
        outcome.verdict = verdict;
        if let Some(reason) = reason {
            outcome.reason = reason;
        }
        sink.take(&outcome, &options);
        if let Some(crash) = &found.crash {
            let packet =
                crash.packet.as_ref().map(|packet| summary(packet, crash.version)).unwrap_or_default();
            let client = crash.client.as_deref().unwrap_or("nobody");
            let log =
                crash.log.iter().rev().take(12).rev().map(|line| format!("  │ {line}")).collect::<Vec<_>>();
            sink.bar.suspend(|| {
                print(&format!(
                    "the broker died after {client} had sent {packet}; the last lines of its output:\n{}\n",
                    log.join("\n")
                ));
            });
        }
    });
    match result {
        Ok(done) => {
            if !done.broker.is_empty() {
                sink.broker = done.broker;
            }
            sink.discovered = done.discovered;
            if let Some(lost) = &done.lost {
                complain(&format!("error: {lost}"));
            }
            for crash in &done.unexplained {
                complain(&format!(
                    "warning: the broker died during {} and did not do it again",
                    crash.cases.join(", ")
                ));
            }
            for warning in &done.warnings {
                complain(&format!("warning: {warning}"));
            }
            let unreachable = done.lost.is_some();
            let code = sink.finish(done.interrupted, watch.elapsed().as_secs_f64());
            if let Some(logs) = done.logs {
                print(&format!("the broker's output: {}", logs.display()));
            }
            if unreachable && code != 1 && code != HARNESS { USAGE } else { code }
        }
        Err(error) => {
            sink.bar.finish_and_clear();
            complain(&format!("error: {error}"));
            USAGE
        }
    }
}

/// Why an outcome of the live world is what it is, where its findings do not say it.
fn live_reason(found: &LiveOutcome) -> Option<String> {
    if let Some(reason) = found.skipped.as_ref().or(found.unanswered.as_ref()) {
        return Some(reason.clone());
    }
    if let Some((failed, runs)) = found.flaky() {
        return Some(format!("flaky: it failed in {failed} of {runs} runs"));
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

/// Makes topics and Client Identifiers of a live run its own: brokers remember.
#[allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the live world takes place in real time"
)]
pub(super) fn nonce() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64 ^ u64::from(std::process::id()) << 40
}

/// A scenario file, once more, in the default world.
pub fn run_file(path: &Path, verbose: bool) -> u8 {
    run(&RunArguments {
        suite: SuiteArguments {
            scenarios: vec![path.display().to_string()],
            suite: None,
            protocol: Vec::new(),
            requirement: Vec::new(),
        },
        world: None,
        profile: None,
        broker: None,
        websocket: None,
        seed: 1,
        jobs: None,
        format: Vec::new(),
        evidence: PathBuf::from(".assay"),
        keep_all: false,
        defect: None,
        set: Vec::new(),
        max_wait: 60,
        no_discovery: false,
        verbose,
        choices: false,
    })
}

/// A file name for a case.
fn evidence_name(job: &Job<'_>) -> String {
    let name: String = format!("{}.{}", job.scenario.full_name(), job.version)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' })
        .collect();
    // Names that differ only in what a file name cannot hold stay apart by the seed of the case.
    format!("{}.{:08x}.jsonl", name.chars().take(120).collect::<String>(), job.seed as u32)
}

/// A word of a shell command.
pub(super) fn quoted(word: &str) -> String {
    let plain =
        word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':' | '='));
    if plain && !word.is_empty() { word.to_string() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Where to listen; port 0 takes a free one (repeatable)
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1883")]
    listen: Vec<String>,
    /// Where to listen for MQTT over WebSocket, at any path (repeatable)
    #[arg(long, value_name = "HOST:PORT")]
    listen_websocket: Vec<String>,
    /// A setting of the broker (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Switch on a defect
    #[arg(long, value_name = "ID")]
    defect: Option<String>,
    /// Seed for the identifiers that the broker assigns
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the settings that `--set` knows
    #[arg(long)]
    list_settings: bool,
    /// Print the defects that `--defect` knows
    #[arg(long)]
    list_defects: bool,
}

/// `assay serve`
pub fn serve(arguments: &ServeArguments) -> u8 {
    if arguments.list_settings {
        for key in Config::KEYS {
            print(&format!("{:<34} {}", key.name, key.what));
        }
    }
    if arguments.list_defects {
        for defect in reference_broker::core::defects::all() {
            print(&format!("{:<40} {}", defect.id, defect.what));
        }
    }
    if arguments.list_settings || arguments.list_defects {
        return 0;
    }
    let config = settings(&arguments.set).and_then(|settings| config(arguments.defect.as_deref(), &settings));
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            complain(&format!("error: {error}"));
            return USAGE;
        }
    };
    let addresses =
        Addresses { plain: arguments.listen.clone(), websocket: arguments.listen_websocket.clone() };
    let result = reference_broker::shell::run(config, arguments.seed, &addresses, |addresses| {
        for address in addresses.lines() {
            print(&format!("listening on {address}"));
        }
    });
    match result {
        Ok(()) => 0,
        Err(error) => {
            complain(&format!("error: {error}"));
            USAGE
        }
    }
}
