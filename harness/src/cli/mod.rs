//! The command: arguments in, exit code out.
//!
//! Exit codes: 0 all passed; 1 something failed; 2 bad usage, scenario or profile, or a broker that cannot be
//! reached or started; 3 the harness failed; 4 nothing failed but something was inconclusive.

mod baseline;
mod certify;
mod coverage;
mod discover;
mod doctor;
mod explain;
mod explore;
mod index;
mod interrupt;
mod play;
mod prove;
mod proxy;
mod replay;
mod run;
mod serve;
mod shrink;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use reference_broker::codec::ProtocolVersion;

use crate::scenario::{Suite, WorldKind};
use crate::session::Selection;

/// Bad usage, a bad scenario or profile, a broker that cannot be reached.
pub const USAGE: u8 = 2;
/// The harness failed.
pub const HARNESS: u8 = 3;

#[derive(Debug, Parser)]
#[command(
    name = "assay",
    version,
    about = "Tells whether an MQTT broker keeps its promises",
    max_term_width = 100
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Replay scenarios against a broker and judge what happened
    Run(run::RunArguments),
    /// What a broker has: versions, capabilities and limits, beside what is claimed for it
    Discover(discover::DiscoverArguments),
    /// Whether the brokers of profiles can be tested here: what is missing, and how to get it
    Doctor(doctor::DoctorArguments),
    /// Evidence or a scenario again: the same history and verdict, or what differs
    Replay(replay::ReplayArguments),
    /// A small scenario with the same finding as a large one, as a file
    Shrink(shrink::ShrinkArguments),
    /// Generated scenarios, a seed each, in the core world: what nobody wrote
    Explore(explore::ExploreArguments),
    /// The shards of an exploration: one result
    Merge(explore::MergeArguments),
    /// Everything that a profile claims, with the evidence, as a folder that anyone can check
    Certify(certify::CertifyArguments),
    /// A certificate's verdicts computed again from its evidence; its digests; its signature
    Verify(certify::VerifyArguments),
    /// The certificates of several brokers side by side, as a page
    Index(index::IndexArguments),
    /// The known deviations of a broker, from a run
    Baseline(baseline::BaselineArguments),
    /// What changed between two runs
    Compare(baseline::CompareArguments),
    /// Which statements of the standards the suite judges, by which scenarios, and which not
    Coverage(coverage::CoverageArguments),
    /// The suite against every defect and variant of the reference broker: the kill matrix
    Prove(prove::ProveArguments),
    /// The scenarios, their cases and what they judge
    List(explain::ListArguments),
    /// A statement, its rulings, and the scenarios that judge it
    Explain(explain::ExplainArguments),
    /// A JSON Schema: of scenario files or profiles, for editors, or of a result
    Schema {
        /// What it describes
        #[arg(value_enum, default_value_t)]
        of: SchemaOf,
    },
    /// The reference broker on real sockets
    Serve(serve::ServeArguments),
    /// The network model between a broker and clients that are not ours
    Proxy(proxy::ProxyArguments),
    /// Completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What a JSON Schema is asked for.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum SchemaOf {
    /// Scenario files
    #[default]
    Scenario,
    /// Profiles of brokers
    Profile,
    /// The result of a run, as `--format json=FILE` writes it
    Report,
}

impl SchemaOf {
    fn schema(self) -> serde_json::Value {
        match self {
            SchemaOf::Scenario => crate::scenario::schema(),
            SchemaOf::Profile => crate::profile::schema(),
            SchemaOf::Report => schemars::schema_for!(crate::report::json::RunResult).to_value(),
        }
    }
}

/// Where scenarios come from.
#[derive(Debug, Clone, clap::Args)]
struct SuiteArguments {
    /// Scenario files, folders, or names below the suite: `qos`, `qos/downgrade`, `'qos/downgrade[2 ~ 1 ~ 1]'`
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// The folder of the suite [default: ./scenarios if there is one, else the suite inside the command]
    #[arg(long, value_name = "DIR")]
    suite: Option<PathBuf>,
    /// Only this protocol version: 3.1.1 or 5.0 (repeatable)
    #[arg(long, value_name = "VERSION", value_parser = protocol)]
    protocol: Vec<ProtocolVersion>,
    /// Only scenarios that judge this statement (repeatable)
    #[arg(long, value_name = "ID", value_parser = requirement)]
    requirement: Vec<String>,
}

impl SuiteArguments {
    /// Which part of the suite is meant.
    fn selection(&self) -> Selection {
        Selection { versions: self.protocol.clone(), requirements: self.requirement.clone() }
    }
}

fn protocol(text: &str) -> Result<ProtocolVersion, String> {
    match ProtocolVersion::from_name(text) {
        Some(version @ (ProtocolVersion::V3_1_1 | ProtocolVersion::V5)) => Ok(version),
        _ => Err("expected 3.1.1 or 5.0".into()),
    }
}

fn requirement(text: &str) -> Result<String, String> {
    use crate::requirement::Catalogue;
    let catalogues = [Catalogue::of(ProtocolVersion::V3_1_1), Catalogue::of(ProtocolVersion::V5)];
    if catalogues.iter().any(|catalogue| catalogue.get(text).is_some()) {
        return Ok(text.to_string());
    }
    match crate::text::nearest(text, catalogues.iter().flat_map(|catalogue| catalogue.ids())) {
        Some(near) => Err(format!("no statement has this id; the nearest is {near}")),
        None => Err("no statement has this id".into()),
    }
}

/// The id of a statement, or of a ruling.
fn statement_or_ruling(text: &str) -> Result<String, String> {
    use crate::requirement::{ruling, rulings};
    if ruling(text).is_some() {
        return Ok(text.to_string());
    }
    if !text.starts_with("R-") {
        return requirement(text);
    }
    match crate::text::nearest(text, rulings().iter().map(|ruling| ruling.id.as_str())) {
        Some(near) => Err(format!("no ruling has this id; the nearest is {near}")),
        None => Err("no ruling has this id".into()),
    }
}

fn world(text: &str) -> Result<WorldKind, String> {
    WorldKind::ALL
        .into_iter()
        .find(|world| world.name() == text)
        .ok_or_else(|| "expected core, sim or live".into())
}

/// An error message on standard error.
fn complain(message: &str) {
    anstream::eprintln!("{message}");
}

/// Whether standard error shows colour.
fn colour() -> bool {
    std::io::stderr().is_terminal()
}

/// Where names of scenarios begin, if nobody says.
const SUITE: &str = "scenarios";

/// Reads the scenarios that were asked for, or says what is wrong with them.
fn load(arguments: &SuiteArguments) -> Result<Suite, u8> {
    let folder = arguments.suite.clone().unwrap_or_else(|| PathBuf::from(SUITE));
    let loaded = if folder.is_dir() || arguments.suite.is_some() {
        Suite::load(&folder, &arguments.scenarios)
    } else {
        Suite::embedded(&arguments.scenarios)
    };
    loaded.map_err(|error| {
        complain(&error.render(colour()));
        USAGE
    })
}

/// Runs the command with the process's arguments.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let code = match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Discover(arguments) => discover::discover(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Shrink(arguments) => shrink::shrink(&arguments),
        Command::Explore(arguments) => explore::explore(&arguments),
        Command::Merge(arguments) => explore::merge(&arguments),
        Command::Certify(arguments) => certify::certify(&arguments),
        Command::Verify(arguments) => certify::verify_folders(&arguments),
        Command::Index(arguments) => index::index(&arguments),
        Command::Baseline(arguments) => baseline::baseline(&arguments),
        Command::Compare(arguments) => baseline::compare(&arguments),
        Command::Coverage(arguments) => coverage::coverage(&arguments),
        Command::Prove(arguments) => prove::prove(&arguments),
        Command::List(arguments) => explain::list(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Schema { of } => {
            print(&format!("{:#}", of.schema()));
            0
        }
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::Proxy(arguments) => proxy::proxy(&arguments),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "assay", &mut std::io::stdout());
            0
        }
    };
    ExitCode::from(code)
}

/// A line on standard output; a reader that went away is no error of ours.
fn print(text: &str) {
    use std::io::Write;
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// A line on standard output as it is, for programs that read it.
fn println(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// How many threads, if nobody says.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
