//! `assay explore` and `assay merge`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reference_broker::core::Config;

use crate::explore::{
    self, Exploration, FORMAT, FindingGroup, FindingKey, Results, ShardError, ShardFile, ShardName, Sweep,
    build_fingerprint, is_confirmed, piece_of, read_shards, write_whole,
};
use crate::generate::of_seed;
use crate::network::RANDOM_NAME;
use crate::scenario::{Scenario, scenario_name, write};
use crate::session::{Stopwatch, case_seed, session_seed};
use crate::text::parse_duration;

use super::interrupt::{INCONCLUSIVE, listen_to_signals};
use super::run::{config, quoted, settings};
use super::{HARNESS, SUITE, USAGE, complain, default_jobs, print};

/// Arguments of `explore`.
#[derive(Debug, Args)]
pub struct ExploreArguments {
    /// The seeds, the last one not included: 0..100000 [default: 0..100000; with --for as many as there is time for]
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: Option<(u64, u64)>,
    /// For how long, in real time: 60s, 10m, 8h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    time: Option<Duration>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = threads)]
    jobs: Option<usize>,
    /// Go on after the first finding, and group what is found
    #[arg(long)]
    keep_going: bool,
    /// Only the I-th of N pieces of the seeds, counted from 1; needs --out
    #[arg(long, value_name = "I/N", value_parser = ShardName::parse, requires = "out")]
    shard: Option<ShardName>,
    /// Write the result of the shard into this folder, whole or not at all; `merge` then gives the verdict. A shard
    /// whose file is there is not run again
    #[arg(long, value_name = "DIR", conflicts_with = "time")]
    out: Option<PathBuf>,
    /// Switch on a defect of the reference broker
    #[arg(long, value_name = "ID")]
    defect: Option<String>,
    /// A setting of the reference broker (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder for the scenarios that show something
    #[arg(long, value_name = "DIR", default_value = ".assay")]
    save: PathBuf,
    /// Show what was in play in every scenario; --seeds 17..18 --verbose shows that of one
    #[arg(long, short)]
    verbose: bool,
}

/// Arguments of `merge`.
#[derive(Debug, Args)]
pub struct MergeArguments {
    /// The folder with the shards
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Write the result as JSON; it is the same whatever the number of shards
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Folder for the scenarios that show something
    #[arg(long, value_name = "DIR", default_value = ".assay")]
    save: PathBuf,
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let expected = || format!("`{text}`: expected A..B with A < B, such as 0..100000");
    let (from, to) = text.split_once("..").ok_or_else(expected)?;
    match (from.parse(), to.parse()) {
        (Ok(from), Ok(to)) if from < to => Ok((from, to)),
        _ => Err(expected()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| "expected a duration with a unit, like 60s".into())
}

fn threads(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|threads| *threads > 0).ok_or_else(|| "expected a number of threads".into())
}

/// The seeds that are explored if nobody says which.
const DEFAULT_SEEDS: u64 = 100_000;

/// Of how many seeds it is shown what is in play.
const SHOWN: u64 = 1000;

/// The broker of an exploration.
struct Broker {
    defect: Option<String>,
    settings: Vec<(String, String)>,
    config: Config,
}

impl Broker {
    fn new(defect: Option<String>, settings: Vec<(String, String)>) -> Result<Broker, String> {
        let config = config(defect.as_deref(), &settings)?;
        Ok(Broker { defect, settings, config })
    }

    /// How it is asked for on the command line.
    fn options(&self) -> String {
        let defect = self.defect.iter().map(|id| format!(" --defect {id}"));
        let settings =
            self.settings.iter().map(|(key, value)| format!(" --set {}", quoted(&format!("{key}={value}"))));
        defect.chain(settings).collect()
    }
}

/// `assay explore`
pub fn explore(arguments: &ExploreArguments) -> u8 {
    let broker = match settings(&arguments.set).and_then(|set| Broker::new(arguments.defect.clone(), set)) {
        Ok(broker) => broker,
        Err(error) => {
            complain(&format!("error: {error}"));
            return USAGE;
        }
    };
    let (from, to) = match (arguments.seeds, arguments.time) {
        (Some(seeds), _) => seeds,
        (None, None) => (0, DEFAULT_SEEDS),
        (None, Some(_)) => (0, u64::MAX),
    };
    if arguments.verbose {
        for seed in from..to.min(from.saturating_add(SHOWN)) {
            print(&format!("seed {seed}: {}", of_seed(seed).dials));
        }
        if to - from > SHOWN {
            print(&format!("… and so on: only the first {SHOWN} are shown"));
        }
    }
    match &arguments.out {
        Some(folder) => shard(arguments, folder, (from, to), &broker),
        None => here(arguments, (from, to), &broker),
    }
}

/// Explores in one process and says what was found.
fn here(arguments: &ExploreArguments, (from, to): (u64, u64), broker: &Broker) -> u8 {
    let watch = Stopwatch::start();
    let (sum, interrupted) = sweep(arguments, (from, to), arguments.keep_going, &broker.config);
    let seconds = watch.elapsed().as_secs_f64();
    let results = Results::new(&sum, |seed, key| is_confirmed(seed, key, &broker.config));
    if let Err(error) = show(&results, broker, &arguments.save) {
        complain(&format!("error: {error}"));
        return HARNESS;
    }
    print(&format!(
        "{} scenarios, {} messages, {seconds:.1} s, {:.0} scenarios per second",
        results.scenarios,
        results.messages,
        results.scenarios as f64 / seconds.max(1e-9)
    ));
    if interrupted {
        print("the exploration was interrupted: the results are partial");
    }
    match code(&results) {
        0 if interrupted => INCONCLUSIVE,
        code => code,
    }
}

/// Explores one shard into its file.
fn shard(arguments: &ExploreArguments, folder: &Path, (from, to): (u64, u64), broker: &Broker) -> u8 {
    let shard = arguments.shard.unwrap_or(ShardName { index: 1, of: 1 });
    let exploration = Exploration {
        format: FORMAT.into(),
        assay: env!("CARGO_PKG_VERSION").into(),
        random: RANDOM_NAME.into(),
        build: build_fingerprint().to_string(),
        from,
        to,
        defect: broker.defect.clone(),
        settings: broker.settings.clone(),
    };
    let path = folder.join(shard.file());
    let seeds = piece_of(from, to, shard);
    if path.exists() {
        return match ShardFile::read(&path) {
            Ok(file) if file.exploration == exploration && file.shard == shard => {
                print(&format!("{} is there already: {} scenarios", path.display(), file.results.scenarios));
                0
            }
            Ok(_) => {
                complain(&format!(
                    "error: {} belongs to another exploration, or to another build",
                    path.display()
                ));
                USAGE
            }
            Err(error) => {
                complain(&format!("error: {error}; delete the file to run the shard again"));
                USAGE
            }
        };
    }
    let (sum, interrupted) = sweep(arguments, seeds, true, &broker.config);
    if interrupted {
        complain("interrupted: nothing was written; run the shard again");
        return INCONCLUSIVE;
    }
    let results = Results::new(&sum, |seed, key| is_confirmed(seed, key, &broker.config));
    let file = ShardFile { exploration, shard, results };
    match file.write(folder) {
        Ok(path) => {
            print(&format!(
                "{}: seeds {}..{}, {} kinds of findings, digest {}",
                path.display(),
                seeds.0,
                seeds.1,
                file.results.findings.len(),
                file.results.digest
            ));
            0
        }
        Err(error) => {
            complain(&format!("error: {error}"));
            HARNESS
        }
    }
}

/// Plays the seeds on all threads, with progress; says whether somebody interrupted it.
fn sweep(
    arguments: &ExploreArguments,
    (from, to): (u64, u64),
    keep_going: bool,
    config: &Config,
) -> (explore::Sum, bool) {
    let interrupted = listen_to_signals();
    let (stop, over, done) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    let bar = progress(arguments.time.is_none().then_some(to - from));
    let jobs = arguments.jobs.unwrap_or_else(default_jobs);
    let watch = Stopwatch::start();
    let sum = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let late = arguments.time.is_some_and(|time| watch.elapsed() >= time);
                if late || interrupted.load(Ordering::Relaxed) {
                    stop.store(true, Ordering::Relaxed);
                }
                bar.set_position(done.load(Ordering::Relaxed));
                std::thread::park_timeout(Duration::from_millis(20));
            }
        });
        let sum = Sweep { config, jobs, keep_going, stop: &stop, done: &done }.run(from, to);
        over.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        sum
    });
    bar.finish_and_clear();
    (sum, interrupted.load(Ordering::Relaxed))
}

fn progress(length: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        Some(length) => {
            (ProgressBar::new(length), "{bar:30} {human_pos}/{human_len} scenarios  {per_sec}  {elapsed}")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {human_pos} scenarios  {per_sec}  {elapsed}"),
    };
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// `assay merge`
pub fn merge(arguments: &MergeArguments) -> u8 {
    let merged = match read_shards(&arguments.folder).and_then(explore::merge) {
        Ok(merged) => merged,
        Err(error) => {
            complain(&format!("error: {error}"));
            return USAGE;
        }
    };
    let text = format!("{:#}\n", serde_json::to_value(&merged).unwrap_or_default());
    if let Some(path) = &arguments.output
        && let Err(error) = write_whole(path, &text)
    {
        complain(&format!("error: {error}"));
        return HARNESS;
    }
    let exploration = &merged.exploration;
    let broker = match Broker::new(exploration.defect.clone(), exploration.settings.clone()) {
        Ok(broker) => broker,
        Err(error) => {
            complain(&format!("error: {error}"));
            return USAGE;
        }
    };
    if let Err(error) = show(&merged.results, &broker, &arguments.save) {
        complain(&format!("error: {error}"));
        return HARNESS;
    }
    print(&format!(
        "seeds {}..{}: {} scenarios, {} messages",
        exploration.from, exploration.to, merged.results.scenarios, merged.results.messages
    ));
    code(&merged.results)
}

/// 0 nothing found; 1 something; 4 only what the sim world does not show, or steps that ended early.
fn code(results: &Results) -> u8 {
    if results.findings.iter().any(|group| group.confirmed_in_sim) {
        1
    } else if !results.findings.is_empty() || results.unfinished > 0 {
        INCONCLUSIVE
    } else {
        0
    }
}

/// Says what was found, and keeps the scenario of the lowest seed of each kind.
fn show(results: &Results, broker: &Broker, save: &Path) -> Result<(), ShardError> {
    for group in &results.findings {
        let Some(seed) = group.first.first() else { continue };
        let path = save.join(format!("seed-{seed}-{}.yaml", group.key.requirement));
        let run_seed = keep(*seed, group, &path, broker)?;
        print(&finding(group, *seed, run_seed, &path, broker));
    }
    if let Some((seed, why)) = &results.first_unfinished {
        print(&format!("{} scenarios ended early; the first is seed {seed}: {why}", results.unfinished));
    }
    let kinds = counted(results.findings.len() as u64, "kind of findings", "kinds of findings");
    print(&format!("{kinds}, digest {}", results.digest));
    Ok(())
}

fn counted(number: u64, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// Writes the scenario of a seed as a file; returns the seed with which `run` plays it in the same network.
fn keep(seed: u64, group: &FindingGroup, path: &Path, broker: &Broker) -> Result<u64, ShardError> {
    let mut generated = of_seed(seed);
    let version = generated.dials.version;
    let network_seed = case_seed(seed, &generated.scenario, version);
    generated.set_requirement(&group.key.requirement);
    let mut scenario: Scenario = generated.scenario;
    scenario.name = scenario_name(Path::new(SUITE), path);
    let run_seed = session_seed(network_seed, &scenario, version);
    let remarks = [
        format!("Seed {seed} of the generator: {}.", generated.dials),
        format!("{}: expected {}, observed {}.", group.key, group.expected, group.observed),
        format!(
            "assay run {} --world core --seed {run_seed}{}",
            quoted(&path.display().to_string()),
            broker.options()
        ),
    ];
    write_whole(path, &write(&scenario, &remarks))?;
    Ok(run_seed)
}

fn finding(group: &FindingGroup, seed: u64, run_seed: u64, path: &Path, broker: &Broker) -> String {
    let FindingKey { requirement, by } = &group.key;
    let file = quoted(&path.display().to_string());
    let options = broker.options();
    let sim = if group.confirmed_in_sim { "in the sim world too" } else { "in the core world only" };
    let seeds: Vec<String> = group.first.iter().map(ToString::to_string).collect();
    let more = if group.seeds as usize > group.first.len() { ", …" } else { "" };
    format!(
        "FAIL {requirement} ({by}), {sim}; {}: {}{more}\n  seed {seed}   {}\n  expected  {}\n  observed  {}\n  again     assay run {file} --world core --seed {run_seed}{options}\n  smaller   assay shrink {file} --seed {run_seed}{options} --finding {requirement}\n",
        counted(group.seeds, "seed", "seeds"),
        seeds.join(", "),
        group.dials,
        group.expected,
        group.observed,
    )
}
