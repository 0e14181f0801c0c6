//! `assay certify` and `assay verify`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reference_broker::core::Config;

use crate::certificate::sign::sign;
use crate::certificate::statement::{Resource, Statement};
use crate::certificate::{ENVELOPE, EVIDENCE, PROFILE, SAMPLE, STATEMENT, sha256, verify, version_in};
use crate::report::{Format, write};
use crate::scenario::{Suite, WorldKind};
use crate::session::jobs;
use crate::world::live::Target;

use super::interrupt::INCONCLUSIVE;
use super::play::{Keep, Played, Request, play, say_of_the_process};
use super::run::{quoted, target};
use super::{HARNESS, SuiteArguments, USAGE, complain, load, print};

/// Arguments of `certify`.
#[derive(Debug, Args)]
pub struct CertifyArguments {
    /// The broker: a profile's file or name
    profile: String,
    /// Where certificates are: this one becomes DIR/BROKER/VERSION
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Replace a certificate that is there
    #[arg(long)]
    force: bool,
    /// Sign it with an Ed25519 key, a PEM file
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// The folder of the suite [default: ./scenarios if there is one, else the suite inside the command]
    #[arg(long, value_name = "DIR")]
    suite: Option<PathBuf>,
    /// Seed of the run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Scenarios side by side [default: 256]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Skip what needs a longer wait
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    max_wait: u64,
    /// Wait in real time, even if the profile says how the broker's clock can be moved
    #[arg(long)]
    real_time: bool,
    /// Show what does not pass while it runs
    #[arg(long, short)]
    verbose: bool,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The folder of a certificate (repeatable)
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The public key that has to have signed, a PEM file
    #[arg(long, value_name = "KEY")]
    key: Option<PathBuf>,
}

/// `assay certify`
pub fn certify(arguments: &CertifyArguments) -> u8 {
    match certified(arguments) {
        Ok(code) => code,
        Err((code, error)) => {
            if !error.is_empty() {
                complain(&format!("error: {error}"));
            }
            code
        }
    }
}

fn certified(arguments: &CertifyArguments) -> Result<u8, (u8, String)> {
    let usage = |error: String| (USAGE, error);
    let harness = |error: String| (HARNESS, error);
    let target = target(Some(&arguments.profile), None, None).map_err(|code| (code, String::new()))?;
    let Target::Profile(profile) = &target else { return Err(usage("that is no profile".into())) };
    let key = match &arguments.sign {
        Some(path) => {
            let key = std::fs::read_to_string(path)
                .map_err(|error| usage(format!("cannot read {}: {error}", path.display())))?;
            // Better now than after the run.
            sign(b"", &key).map_err(|error| usage(format!("{}: {error}", path.display())))?;
            Some(key)
        }
        None => None,
    };
    let said = target.version().map_err(|error| usage(error.to_string()))?;
    let version = said.as_deref().and_then(version_in).unwrap_or("unknown").to_string();
    let place = arguments.out.join(&profile.name).join(&version);
    if place.exists() && !arguments.force {
        return Err(usage(format!(
            "there is a certificate in {}; --force replaces it, --out puts this one elsewhere",
            place.display()
        )));
    }
    let whole = SuiteArguments {
        scenarios: Vec::new(),
        suite: arguments.suite.clone(),
        protocol: Vec::new(),
        requirement: Vec::new(),
    };
    let suite = load(&whole).map_err(|code| (code, String::new()))?;
    let jobs = jobs(&suite, &whole.selection(), arguments.seed);
    // Until it is whole it has another name, beside its place, so that a rename suffices.
    let work = arguments.out.join(&profile.name).join(format!(".{version}.unfinished"));
    let cannot =
        |path: &Path, error: &std::io::Error| harness(format!("cannot write {}: {error}", path.display()));
    if work.exists() {
        std::fs::remove_dir_all(&work).map_err(|error| cannot(&work, &error))?;
    }
    std::fs::create_dir_all(&work).map_err(|error| cannot(&work, &error))?;
    let played = play(&Request {
        jobs: &jobs,
        world: WorldKind::Live,
        target: Some(target.clone()),
        config: Config::default(),
        seed: arguments.seed,
        threads: arguments.jobs,
        settings: Vec::new(),
        defect: None,
        evidence: work.join(EVIDENCE),
        keep: Keep::Sample(SAMPLE),
        ending: "jsonl.gz",
        max_wait: Duration::from_secs(arguments.max_wait),
        discovery: true,
        travel: !arguments.real_time,
        logs: None,
        verbose: false,
        quiet: !arguments.verbose,
        broker_arguments: format!(" --profile {}", quoted(&arguments.profile)),
        command: format!("assay certify {} --seed {}", quoted(&arguments.profile), arguments.seed),
    });
    let Played { mut result, tally, contradicted, error, logs } = match played {
        Ok(played) => played,
        Err(error) => {
            let _ = std::fs::remove_dir_all(&work);
            return Err(usage(error.to_string()));
        }
    };
    for case in &mut result.results {
        let inside = |path: &String| {
            Path::new(path).strip_prefix(&work).map_or(path.clone(), |inside| inside.display().to_string())
        };
        case.evidence = case.evidence.as_ref().map(inside);
    }
    std::fs::write(work.join(PROFILE), &profile.text).map_err(|error| cannot(&work, &error))?;
    for format in Format::ALL {
        write(format, &result, &work.join(format.file())).map_err(|error| cannot(&work, &error))?;
    }
    let mut more = vec![Resource::new("suite", digest_of(&suite))];
    if let Some(program) = target.program()
        && let Ok(bytes) = std::fs::read(&program)
    {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        more.push(Resource::new(format!("program {name}"), sha256(&bytes)));
    }
    let statement = Statement::of(&work, &result, more).map_err(|error| cannot(&work, &error))?.to_text();
    std::fs::write(work.join(STATEMENT), &statement).map_err(|error| cannot(&work, &error))?;
    if let Some(key) = key {
        let envelope = sign(statement.as_bytes(), &key).map_err(|error| usage(error.to_string()))?;
        let text = serde_json::to_string_pretty(&envelope).unwrap_or_default();
        std::fs::write(work.join(ENVELOPE), text + "\n").map_err(|error| cannot(&work, &error))?;
    }
    if place.exists() {
        std::fs::remove_dir_all(&place).map_err(|error| cannot(&place, &error))?;
    }
    std::fs::rename(&work, &place).map_err(|error| cannot(&place, &error))?;
    print(tally.summary().trim_end());
    print(&format!("{}, {:.1} s", result.broker, result.took_ms / 1000.0));
    print(&format!("certificate: {}", place.display()));
    if result.partial {
        print("the run was interrupted: the certificate is partial, and says so");
    }
    say_of_the_process(&result, logs.as_deref());
    if let Some(error) = error {
        return Err(harness(error));
    }
    if let Some(lost) = &result.lost {
        return Err(usage(lost.clone()));
    }
    let code = tally.exit_code();
    if contradicted && code != HARNESS {
        return Ok(1);
    }
    Ok(if result.partial && code == 0 { INCONCLUSIVE } else { code })
}

/// One digest over all scenarios of a suite, by name and text.
fn digest_of(suite: &Suite) -> String {
    let mut bytes = Vec::new();
    let mut last = None;
    for (file, scenario) in suite.scenarios() {
        if last != Some(&scenario.name) {
            for part in [scenario.name.as_str(), file.source.text.as_str()] {
                bytes.extend_from_slice(part.as_bytes());
                bytes.push(0);
            }
        }
        last = Some(&scenario.name);
    }
    sha256(&bytes)
}

/// `assay verify`
pub fn verify_folders(arguments: &VerifyArguments) -> u8 {
    let key = match arguments.key.as_ref().map(|path| (path, std::fs::read_to_string(path))) {
        Some((path, Err(error))) => {
            complain(&format!("error: cannot read {}: {error}", path.display()));
            return USAGE;
        }
        Some((_, Ok(key))) => Some(key),
        None => None,
    };
    let mut code = 0;
    for folder in &arguments.folders {
        code = code.max(verified(folder, key.as_deref()));
    }
    code
}

fn verified(folder: &Path, key: Option<&str>) -> u8 {
    let shown = folder.display();
    let found = match verify::verify(folder, key) {
        Ok(found) => found,
        Err(error) => {
            complain(&format!("error: {shown} is no certificate: {STATEMENT}: {error}"));
            return USAGE;
        }
    };
    for remark in &found.remarks {
        print(&format!("{shown}: {remark}"));
    }
    let signed = match (found.signature_checked, found.keys.as_slice()) {
        (_, []) => "not signed".to_string(),
        (true, _) => "signed by that key".to_string(),
        (false, keys) => {
            format!("signed by {} (not checked: --key says whose that should be)", keys.join(", "))
        }
    };
    if found.faults.is_empty() {
        print(&format!(
            "{shown}: holds. {}: {}; {} files have their digest, {} pieces of evidence were judged again, {signed}",
            found.broker, found.result, found.files, found.evidence
        ));
        return 0;
    }
    for fault in &found.faults {
        complain(&format!("{shown}/{fault}"));
    }
    complain(&format!("{shown}: does not hold: {} faults", found.faults.len()));
    1
}
