//! `assay run`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reference_broker::core::Config;

use crate::baseline::today;
use crate::profile::Profile;
use crate::report::capability::{brief, contradiction};
use crate::report::console::{choices, gate};
use crate::report::github::annotations;
use crate::report::json::{CaseResult, RunResult};
use crate::report::markdown::markdown;
use crate::report::{Format, write};
use crate::scenario::WorldKind;
use crate::session::jobs;
use crate::text::nearest;
use crate::world::live::{Discovered, Target};

use super::baseline::read as read_baseline;
use super::interrupt::INCONCLUSIVE;
use super::play::{Keep, Played, Request, play, say_of_the_process};
use super::{HARNESS, SuiteArguments, USAGE, complain, load, print, println, world};

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
    /// Threads in a simulated world [default: one per core]; scenarios side by side in the live world [default: 256]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// `console`, or `FORMAT=FILE` with json, junit, markdown, html or badge (repeatable)
    #[arg(long, value_name = "FORMAT=FILE")]
    format: Vec<String>,
    /// Folder for a report in every format
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Known deviations of the broker: what is listed there is shown and is not red
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Annotations for GitHub Actions on standard output, and the summary of the job
    #[arg(long)]
    github: bool,
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
    /// Live world: wait in real time, even if the profile says how the broker's clock can be moved
    #[arg(long)]
    real_time: bool,
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

/// `assay run`
pub fn run(arguments: &RunArguments) -> u8 {
    let outputs = match outputs(arguments) {
        Ok(outputs) => outputs,
        Err(error) => {
            complain(&format!("error: {error}"));
            return USAGE;
        }
    };
    let external = arguments.profile.is_some() || arguments.broker.is_some();
    let world = arguments.world.unwrap_or(if external { WorldKind::Live } else { WorldKind::Sim });
    if let Some(error) = contradiction_of(arguments, external, world) {
        complain(&format!("error: {error}"));
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
    let baseline = match arguments.baseline.as_deref().map(|path| read_baseline(path, &arguments.suite)) {
        Some(Ok(baseline)) => Some(baseline),
        Some(Err(error)) => {
            complain(&error);
            return USAGE;
        }
        None => None,
    };
    let target = match external {
        true => {
            match target(
                arguments.profile.as_deref(),
                arguments.broker.as_deref(),
                arguments.websocket.as_deref(),
            ) {
                Ok(target) => Some(target),
                Err(code) => return code,
            }
        }
        false => None,
    };
    let broker_arguments = broker_arguments(arguments);
    let played = play(&Request {
        jobs: &jobs,
        world,
        target,
        config,
        seed: arguments.seed,
        threads: arguments.jobs,
        settings,
        defect: arguments.defect.clone(),
        evidence: arguments.evidence.clone(),
        keep: if arguments.keep_all { Keep::All } else { Keep::Failures },
        ending: "jsonl",
        max_wait: Duration::from_secs(arguments.max_wait),
        discovery: !arguments.no_discovery,
        travel: !arguments.real_time,
        logs: None,
        verbose: arguments.verbose,
        quiet: false,
        command: whole_command(arguments, world, &broker_arguments),
        broker_arguments,
    });
    let mut played = match played {
        Ok(played) => played,
        Err(error) => {
            complain(&format!("error: {error}"));
            return USAGE;
        }
    };
    if let Some(baseline) = &baseline {
        baseline.apply(&mut played.result, today());
    }
    conclude(arguments, played, &outputs)
}

/// What cannot be meant.
fn contradiction_of(arguments: &RunArguments, external: bool, world: WorldKind) -> Option<String> {
    if external && world != WorldKind::Live {
        return Some(format!("--profile and --broker mean the live world, not {world}"));
    }
    if !external && world == WorldKind::Live {
        return Some(
            "the live world needs a broker: --profile FILE starts one, --broker mqtt://host:port uses one that is there"
                .into(),
        );
    }
    if external && (arguments.defect.is_some() || !arguments.set.is_empty()) {
        return Some(
            "--defect and --set are for the embedded reference broker; give them to `assay serve` in the live world"
                .into(),
        );
    }
    None
}

/// The reports that are asked for.
fn outputs(arguments: &RunArguments) -> Result<Vec<(Format, PathBuf)>, String> {
    let mut outputs = Vec::new();
    for text in &arguments.format {
        if text == "console" {
            continue;
        }
        let (kind, path) = text.split_once('=').unwrap_or((text, ""));
        let format = Format::from_name(kind).ok_or_else(|| {
            let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
            match nearest(kind, names.iter().copied()) {
                Some(near) => format!("`{kind}` is no format; did you mean `{near}`?"),
                None => format!("`{kind}` is no format; there are console, {}", names.join(", ")),
            }
        })?;
        if path.is_empty() {
            return Err(format!("`{text}`: expected {kind}=FILE"));
        }
        outputs.push((format, PathBuf::from(path)));
    }
    if let Some(folder) = &arguments.report {
        outputs.extend(Format::ALL.iter().map(|format| (*format, folder.join(format.file()))));
    }
    Ok(outputs)
}

/// The arguments that name the broker.
fn broker_arguments(arguments: &RunArguments) -> String {
    let mut out = String::new();
    let named =
        [("profile", &arguments.profile), ("broker", &arguments.broker), ("websocket", &arguments.websocket)];
    for (name, value) in named {
        if let Some(value) = value {
            out.push_str(&format!(" --{name} {}", quoted(value)));
        }
    }
    if arguments.no_discovery {
        out.push_str(" --no-discovery");
    }
    if let Some(defect) = &arguments.defect {
        out.push_str(&format!(" --defect {defect}"));
    }
    for setting in &arguments.set {
        out.push_str(&format!(" --set {}", quoted(setting)));
    }
    out
}

/// The command that runs all of it again.
fn whole_command(arguments: &RunArguments, world: WorldKind, broker: &str) -> String {
    let mut out = String::from("assay run");
    for scenario in &arguments.suite.scenarios {
        out.push_str(&format!(" {}", quoted(scenario)));
    }
    if let Some(suite) = &arguments.suite.suite {
        out.push_str(&format!(" --suite {}", quoted(&suite.display().to_string())));
    }
    for version in &arguments.suite.protocol {
        out.push_str(&format!(" --protocol {version}"));
    }
    for id in &arguments.suite.requirement {
        out.push_str(&format!(" --requirement {id}"));
    }
    format!("{out} --world {world} --seed {}{broker}", arguments.seed)
}

/// Summary, files, exit code.
fn conclude(arguments: &RunArguments, played: Played, outputs: &[(Format, PathBuf)]) -> u8 {
    let Played { result, tally, contradicted, mut error, logs } = played;
    for (format, path) in outputs {
        if let Err(problem) = write(*format, &result, path) {
            error = Some(format!("cannot write {}: {problem}", path.display()));
        }
    }
    if arguments.github {
        github(&result, &mut error);
    }
    let discovered = Discovered { capabilities: result.capabilities.clone(), facts: result.facts.clone() };
    if arguments.verbose && !discovered.capabilities.is_empty() {
        print(&brief(&discovered));
    }
    for one in &result.contradictions {
        print(&contradiction(one));
    }
    print(tally.summary().trim_end());
    if contradicted {
        print("a capability that the broker is said to have is not there or does not work: see above");
    }
    if result.baseline.is_some() {
        print(gate(&result).trim_end());
    }
    if arguments.choices || arguments.verbose {
        print(choices(&result.choices).trim_end());
    }
    let seconds = result.took_ms / 1000.0;
    if result.world == WorldKind::Live.name() {
        print(&format!("{} world, {}, {seconds:.1} s", result.world, result.broker));
    } else {
        let digest = &result.digest;
        print(&format!(
            "{} world, {}, seed {}, run digest {digest}, {seconds:.1} s",
            result.world, result.broker, result.seed
        ));
    }
    if result.partial {
        print("the run was interrupted: the results are partial");
    }
    if let Some(lost) = &result.lost {
        complain(&format!("error: {lost}"));
    }
    say_of_the_process(&result, logs.as_deref());
    if let Some(error) = error {
        complain(&format!("error: {error}"));
        return HARNESS;
    }
    let mut code = if result.baseline.is_some() { gate_code(&result) } else { tally.exit_code() };
    if contradicted && code != HARNESS {
        code = 1;
    }
    if result.lost.is_some() && code != 1 && code != HARNESS {
        return USAGE;
    }
    if result.partial && code == 0 { INCONCLUSIVE } else { code }
}

/// The exit code of a run that has a baseline.
fn gate_code(result: &RunResult) -> u8 {
    let counts = &result.summary;
    if counts.error > 0 {
        HARNESS
    } else if result.results.iter().any(CaseResult::is_red) {
        1
    } else if counts.inconclusive > 0 || counts.pass + counts.fail == 0 {
        INCONCLUSIVE
    } else {
        0
    }
}

/// What a job of GitHub Actions shows: annotations, and a summary where the runner says it wants one.
fn github(result: &RunResult, error: &mut Option<String>) {
    for line in annotations(result) {
        // Colours would hide the commands from the runner.
        println(&line);
    }
    // The environment of a job tells where its summary goes.
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") {
        use std::io::Write;
        let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(markdown(result).as_bytes()));
        if let Err(problem) = written {
            *error = Some(format!("cannot write {}: {problem}", path.display()));
        }
    }
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
        report: None,
        baseline: None,
        github: false,
        evidence: PathBuf::from(".assay"),
        keep_all: false,
        defect: None,
        set: Vec::new(),
        max_wait: 60,
        no_discovery: false,
        real_time: false,
        verbose,
        choices: false,
    })
}

/// A word of a shell command.
pub(super) fn quoted(word: &str) -> String {
    let plain =
        word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':' | '='));
    if plain && !word.is_empty() { word.to_string() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
