//! `assay shrink`.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reference_broker::codec::ProtocolVersion;
use reference_broker::core::Config;

use crate::evidence::Evidence;
use crate::scenario::{Scenario, WorldKind, parse_file, scenario_name, write};
use crate::session::{Selection, Stopwatch, case_seed, jobs, session_seed, simulated_skip};
use crate::shrink::trial::{about, play};
use crate::shrink::{Progress, Shrunk, Trial, Wanted};
use crate::text::{SourceText, parse_duration};
use crate::verdict::{Finding, Weight};

use super::interrupt::{INCONCLUSIVE, listen_to_signals};
use super::run::{config, quoted, settings};
use super::{HARNESS, SUITE, SuiteArguments, USAGE, complain, load, protocol};

/// The name under which a file on standard output is taken to be kept.
const UNNAMED: &str = "shrunk.yaml";

/// Arguments of `shrink`.
#[derive(Debug, Args)]
pub struct ShrinkArguments {
    /// A scenario (.yaml, or a name as for `run`, with `[case]` for one of several) or an evidence file (.jsonl)
    #[arg(value_name = "FILE")]
    file: String,
    /// The case, if the file has several [default: the first that fails]
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// Only this protocol version: 3.1.1 or 5.0 [default: the first that fails]
    #[arg(long, value_name = "VERSION", value_parser = protocol)]
    protocol: Option<ProtocolVersion>,
    /// Seed of the run that showed it [default: 1; that of the evidence]
    #[arg(long)]
    seed: Option<u64>,
    /// Switch on a defect of the reference broker
    #[arg(long, value_name = "ID")]
    defect: Option<String>,
    /// A setting of the reference broker (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The statement whose finding is kept [default: the first]
    #[arg(long, value_name = "ID")]
    finding: Option<String>,
    /// How long to search, in real time
    #[arg(long = "for", value_name = "DURATION", default_value = "60s", value_parser = duration)]
    time: Duration,
    /// The file to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a duration with a unit, like 60s".into())
}

/// A scenario that may show something, and how it was played.
struct Found {
    scenario: Scenario,
    version: ProtocolVersion,
    /// The seed of the case.
    case_seed: u64,
    /// The seed of the run.
    seed: u64,
}

/// The broker that shows it.
struct Broker {
    defect: Option<String>,
    settings: Vec<(String, String)>,
    config: Config,
    /// The same without the defect.
    right: Option<Config>,
}

/// `assay shrink`
pub fn shrink(arguments: &ShrinkArguments) -> u8 {
    match attempt(arguments) {
        Ok(code) => code,
        Err((code, message)) => {
            if !message.is_empty() {
                complain(&format!("error: {message}"));
            }
            code
        }
    }
}

type Refused = (u8, String);

fn refused(message: impl ToString) -> Refused {
    (USAGE, message.to_string())
}

fn attempt(arguments: &ShrinkArguments) -> Result<u8, Refused> {
    if let Some(folder) = arguments.output.as_ref().and_then(|path| path.parent())
        && !folder.as_os_str().is_empty()
        && !folder.is_dir()
    {
        return Err(refused(format!("{} is no folder to write to", folder.display())));
    }
    let path = arguments.output.clone().unwrap_or_else(|| PathBuf::from(UNNAMED));
    let (candidates, broker) = read(arguments)?;
    let (found, finding) = failing(&candidates, &broker, arguments)?;
    complain(&format!(
        "{} ({}) fails with seed {}; the finding that is kept:\n  {}  found by {}\n  expected  {}\n  observed  {}",
        found.scenario.full_name(),
        found.version,
        found.seed,
        finding.requirement,
        found_by(&finding),
        finding.expected,
        finding.observed
    ));
    let (scenario, seed) = placed(found, &finding, &path, &broker);
    let wanted = Wanted::of(&finding);
    let (config, right) = (broker.config.clone(), broker.right.clone());
    let trial = Trial::new(&scenario, found.version, seed, config, wanted, right);
    if !trial.fails(&scenario) {
        return Err((HARNESS, "the finding is gone when the scenario judges its statement alone".into()));
    }
    let interrupted = listen_to_signals();
    complain("searching");
    let shrunk = search(&scenario, &trial, arguments.time, &interrupted);
    // What is small may need the old seed no longer.
    let own = Trial { seed: case_seed(found.seed, &shrunk.scenario, found.version), ..trial.clone() };
    let trial = if own.fails(&shrunk.scenario) { own } else { trial };
    let finding = trial
        .finding(&shrunk.scenario)
        .ok_or_else(|| (HARNESS, "the finding is gone after the search".to_string()))?;
    let mut small = shrunk.scenario.clone();
    small.title = format!("{} is kept", finding.requirement);
    small.why = None;
    let text = write(&small, &remarks(&small, &trial, found.seed, &finding, &path, &broker));
    match &arguments.output {
        Some(path) => {
            std::fs::write(path, &text)
                .map_err(|error| (HARNESS, format!("cannot write {}: {error}", path.display())))?;
        }
        None => {
            let _ = std::io::stdout().write_all(text.as_bytes());
        }
    }
    confirm(&text, &small.name, &trial)?;
    let interrupted = interrupted.load(Ordering::Relaxed);
    let end = match (interrupted, shrunk.finished) {
        (true, _) => "interrupted; the best so far",
        (false, false) => "the time is up; the best so far",
        (false, true) => "nothing smaller was found",
    };
    complain(&format!(
        "{}, {} and {} of {} and {}; {} attempts; {end}",
        count(shrunk.size.steps, "step"),
        count(shrunk.size.clients, "client"),
        count(shrunk.size.faults, "fault"),
        count(found.scenario.steps.len(), "step"),
        count(found.scenario.clients.len(), "client"),
        shrunk.attempts
    ));
    Ok(if interrupted { INCONCLUSIVE } else { 0 })
}

/// What the arguments name: scenarios in the order of the file, and the broker.
fn read(arguments: &ShrinkArguments) -> Result<(Vec<Found>, Broker), Refused> {
    let mut set = settings(&arguments.set).map_err(refused)?;
    let mut defect = arguments.defect.clone();
    let path = Path::new(&arguments.file);
    let candidates = if path.extension().is_some_and(|ending| ending == "jsonl") {
        let evidence =
            Evidence::read(path).map_err(|error| refused(format!("{} {error}", path.display())))?;
        defect = defect.or(evidence.header.defect.clone());
        set.splice(0..0, evidence.header.settings.clone());
        vec![of_evidence(&evidence, arguments)?]
    } else {
        of_suite(arguments)?
    };
    let right = defect.as_ref().map(|_| config(None, &set)).transpose().map_err(refused)?;
    let config = config(defect.as_deref(), &set).map_err(refused)?;
    Ok((candidates, Broker { defect, settings: set, config, right }))
}

fn of_evidence(evidence: &Evidence, arguments: &ShrinkArguments) -> Result<Found, Refused> {
    let file = &arguments.file;
    let (_, scenario) = evidence
        .scenario()
        .map_err(|error| refused(format!("the scenario inside {file} cannot be read:\n{error}")))?;
    let version = evidence.version().ok_or_else(|| {
        refused(format!("{file} is for `{}`, which this Assay does not know", evidence.header.protocol))
    })?;
    if arguments.protocol.is_some_and(|wanted| wanted != version) {
        return Err(refused(format!("{file} is for {version}")));
    }
    if arguments.case.is_some() && arguments.case != scenario.case {
        return Err(refused(format!("{file} is for the case {:?}", scenario.case.unwrap_or_default())));
    }
    Ok(match arguments.seed {
        Some(seed) => Found { case_seed: case_seed(seed, &scenario, version), seed, scenario, version },
        None => {
            let case_seed = evidence.header.seed;
            Found { seed: session_seed(case_seed, &scenario, version), case_seed, scenario, version }
        }
    })
}

fn of_suite(arguments: &ShrinkArguments) -> Result<Vec<Found>, Refused> {
    let wanted = match &arguments.case {
        Some(case) => format!("{}[{case}]", arguments.file),
        None => arguments.file.clone(),
    };
    let suite = SuiteArguments {
        scenarios: vec![wanted],
        suite: None,
        protocol: arguments.protocol.into_iter().collect(),
        requirement: Vec::new(),
    };
    let loaded = load(&suite).map_err(|code| (code, String::new()))?;
    let selection: Selection = suite.selection();
    let seed = arguments.seed.unwrap_or(1);
    let found: Vec<Found> = jobs(&loaded, &selection, seed)
        .into_iter()
        .map(|job| Found { scenario: job.scenario.clone(), version: job.version, case_seed: job.seed, seed })
        .collect();
    if found.is_empty() {
        return Err(refused("no scenario is left: nothing judges that in this version"));
    }
    Ok(found)
}

/// The first that fails, with the finding that is to be kept. What the broker without its defect shows as well says
/// nothing about the defect, so that comes last.
fn failing<'f>(
    candidates: &'f [Found],
    broker: &Broker,
    arguments: &ShrinkArguments,
) -> Result<(&'f Found, Finding), Refused> {
    let mut others: Vec<String> = Vec::new();
    let mut skipped = None;
    let mut second: Option<(&Found, Finding)> = None;
    for found in candidates {
        skipped = skipped.or(simulated_skip(&found.scenario, WorldKind::Core, &broker.config));
        let outcome = play(&found.scenario, found.version, found.case_seed, &broker.config);
        let violations = outcome.findings.into_iter().filter(|it| it.weight == Weight::Violation);
        let (asked, rest): (Vec<_>, Vec<_>) =
            violations.partition(|it| arguments.finding.as_ref().is_none_or(|id| *id == it.requirement));
        others.extend(rest.into_iter().map(|it| it.requirement));
        if asked.is_empty() {
            continue;
        }
        let anyway = match &broker.right {
            Some(right) => play(&found.scenario, found.version, found.case_seed, right).findings,
            None => Vec::new(),
        };
        for finding in asked {
            if !anyway.iter().any(|it| Wanted::of(&finding).is(it)) {
                return Ok((found, finding));
            }
            second = second.or(Some((found, finding)));
        }
    }
    if let Some(second) = second {
        complain("warning: the broker without the defect shows this as well");
        return Ok(second);
    }
    others.sort();
    others.dedup();
    let file = &arguments.file;
    let message = match (&arguments.finding, skipped) {
        (Some(id), _) if !others.is_empty() => {
            format!("there is no finding about {id}; there are some about {}", others.join(", "))
        }
        (_, Some(reason)) => format!("{file} cannot be played in the core world: {reason}"),
        _ => format!("{file} does not fail in the core world with this seed and broker: nothing to shrink"),
    };
    Err(refused(message))
}

/// The scenario under the name that it will have, and the seed of its case. The seed of the run gives another one under
/// another name; where the finding needs the old one, the old one stays, and the run gets another seed.
fn placed(found: &Found, finding: &Finding, path: &Path, broker: &Broker) -> (Scenario, u64) {
    let mut scenario = about(&found.scenario, found.version, finding);
    scenario.name = scenario_name(Path::new(SUITE), path);
    scenario.case = None;
    let wanted = Wanted::of(finding);
    let shows =
        |seed| play(&scenario, found.version, seed, &broker.config).findings.iter().any(|it| wanted.is(it));
    let own = case_seed(found.seed, &scenario, found.version);
    let seed = if shows(own) { own } else { found.case_seed };
    (scenario, seed)
}

fn search(scenario: &Scenario, trial: &Trial, time: Duration, interrupted: &AtomicBool) -> Shrunk {
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    bar.set_style(
        ProgressStyle::with_template("{spinner} {elapsed}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let watch = Stopwatch::start();
    let shrunk = crate::shrink::shrink(
        scenario,
        trial.version,
        &mut |candidate| trial.fails(candidate),
        &mut || !interrupted.load(Ordering::Relaxed) && watch.elapsed() < time,
        &mut |Progress { attempts, size }| {
            bar.tick();
            bar.set_message(format!(
                "{} steps, {} clients, {} faults, {} bytes; {attempts} attempts",
                size.steps, size.clients, size.faults, size.bytes
            ));
        },
    );
    bar.finish_and_clear();
    shrunk
}

/// Reads the written text again and plays it with the seed that its comment names.
fn confirm(text: &str, name: &str, trial: &Trial) -> Result<(), Refused> {
    let file = parse_file(name, SourceText::new(name, text))
        .map_err(|problems| (HARNESS, format!("what was written cannot be read:\n{problems}")))?;
    let scenario = &file.scenarios[0];
    let seed = session_seed(trial.seed, scenario, trial.version);
    let again = Trial { seed: case_seed(seed, scenario, trial.version), ..trial.clone() };
    if again.fails(scenario) {
        return Ok(());
    }
    Err((HARNESS, "what was written does not show the finding when it is read again".into()))
}

/// A number of things.
fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

fn found_by(finding: &Finding) -> String {
    match finding.by.as_str() {
        "step" => "a step".into(),
        "verify" => "`verify`".into(),
        checker => format!("the always-on checker of {checker}"),
    }
}

/// What stands before the file: where it came from, what it shows, how to see it.
fn remarks(
    scenario: &Scenario,
    trial: &Trial,
    seed: u64,
    finding: &Finding,
    path: &Path,
    broker: &Broker,
) -> Vec<String> {
    const OTHERS: u64 = 8;
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let against = match &broker.defect {
        Some(defect) => format!(", against the defect {defect}"),
        None => String::new(),
    };
    let any = (0..OTHERS).all(|seed| Trial { seed, ..trial.clone() }.fails(scenario));
    let depends = if any {
        "It does not depend on the seed."
    } else {
        "It depends on the seed, and the seed on the name of this file."
    };
    let mut command = format!(
        "assay run {} --protocol {} --world core --seed {}",
        quoted(&path.display().to_string()),
        trial.version,
        session_seed(trial.seed, scenario, trial.version)
    );
    if let Some(defect) = &broker.defect {
        command.push_str(&format!(" --defect {defect}"));
    }
    for (key, value) in &broker.settings {
        command.push_str(&format!(" --set {}", quoted(&format!("{key}={value}"))));
    }
    vec![
        format!("Shrunk from a scenario that failed with seed {seed}{against}."),
        depends.to_string(),
        format!("finding   {}, by {}", finding.requirement, found_by(finding)),
        format!("expected  {}", one_line(&finding.expected)),
        format!("observed  {}", one_line(&finding.observed)),
        format!("see it    {command}"),
    ]
}
