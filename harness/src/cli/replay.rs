//! `assay replay`.

use std::path::PathBuf;

use clap::Args;
use reference_broker::core::Config;

use crate::check::check;
use crate::evidence::{Evidence, write_whole};
use crate::report::pcapng::{About, pcapng};
use crate::report::{console, timeline};
use crate::scenario::{Plan, WorldKind};
use crate::session::{Job, Outcome, play_simulated};
use crate::verdict::verdict_of;

use super::run::quoted;
use super::{HARNESS, USAGE, complain, print};

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// An evidence file (.jsonl) or a scenario (.yaml)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The whole timeline
    #[arg(long, short)]
    timeline: bool,
    /// Write what the evidence holds as a capture for Wireshark and tshark
    #[arg(long, value_name = "FILE")]
    pcapng: Option<PathBuf>,
}

/// `assay replay`
pub fn replay(arguments: &ReplayArguments) -> u8 {
    let path = &arguments.file;
    if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
        if arguments.pcapng.is_some() {
            complain(&format!(
                "error: --pcapng wants evidence, and {} is a scenario: `assay run {} --keep-all` keeps its evidence",
                path.display(),
                quoted(&path.display().to_string())
            ));
            return USAGE;
        }
        return super::run::run_file(path, arguments.timeline);
    }
    let evidence = match Evidence::read(path) {
        Ok(evidence) => evidence,
        Err(error) => {
            complain(&format!("error: {} {error}", path.display()));
            return USAGE;
        }
    };
    again(&evidence, arguments)
}

fn again(evidence: &Evidence, arguments: &ReplayArguments) -> u8 {
    let path = &arguments.file;
    let header = &evidence.header;
    let (file, scenario) = match evidence.scenario() {
        Ok(found) => found,
        Err(error) => {
            complain(&format!("error: the scenario inside {} cannot be read:\n{error}", path.display()));
            return USAGE;
        }
    };
    let (Some(version), Some(world)) = (evidence.version(), evidence.world()) else {
        complain(&format!(
            "error: {} is for `{}` in the `{}` world, which this Assay does not know",
            path.display(),
            header.protocol,
            header.world
        ));
        return USAGE;
    };
    let plan = match Plan::new(&scenario, version, &evidence.plan_options()) {
        Ok(plan) => plan,
        Err(problems) => {
            let list: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
            complain(&format!("error: the scenario inside {}: {}", path.display(), list.join("; ")));
            return USAGE;
        }
    };
    // First: what the recorded facts say, with the checkers of today.
    let findings = check(&plan, &evidence.history);
    let verdict = verdict_of(&findings);
    if let Some(file) = &arguments.pcapng {
        let about = About {
            tool: &header.tool,
            world: &header.world,
            broker: &header.broker,
            seed: header.seed,
            verdict,
            findings: &findings,
        };
        if let Err(error) = write_whole(file, &pcapng(&plan, &evidence.history, &about)) {
            complain(&format!("error: cannot write {}: {error}", file.display()));
            return HARNESS;
        }
        print(&format!("the capture is in {}", file.display()));
    }
    let mut code = 0;
    if verdict != evidence.footer.verdict {
        print(&format!("the recorded history is judged {verdict} now; it was {}", evidence.footer.verdict));
        code = 1;
    }
    if world == WorldKind::Live {
        print("recorded over real sockets: the verdict was computed again from the recorded history");
    } else {
        let mut config = Config::default();
        for (key, value) in &header.settings {
            if let Err(error) = config.set(key, value) {
                complain(&format!("error: {error}"));
                return USAGE;
            }
        }
        if let Some(defect) = &header.defect
            && let Err(error) = config.set_defect(defect)
        {
            complain(&format!("error: {error}"));
            return USAGE;
        }
        let job = Job { index: 0, scenario: &scenario, source: &file.source, version, seed: header.seed };
        let outcome = play_simulated(&job, world, &config);
        if outcome.history == evidence.history {
            print(&format!("the same history: digest {}", outcome.digest));
        } else {
            code = 1;
            print(&difference(&plan, evidence, &outcome));
        }
        if outcome.verdict != evidence.footer.verdict {
            code = 1;
            print(&format!("the verdict is {} now; it was {}", outcome.verdict, evidence.footer.verdict));
        }
        if outcome.verdict == crate::verdict::Verdict::Error {
            code = HARNESS;
        }
    }
    let command = format!("assay replay {}", path.display());
    let mut outcome = Outcome::skipped(0, "");
    outcome.verdict = verdict;
    outcome.findings = findings;
    outcome.history = evidence.history.clone();
    outcome.plan = Some(plan);
    if arguments.timeline
        && let Some(plan) = &outcome.plan
    {
        print(&timeline::around(plan, &outcome.history, &[], 0));
    }
    if verdict == crate::verdict::Verdict::Pass {
        print(&format!("PASS {}", outcome.plan.as_ref().map(Plan::full_name).unwrap_or_default()));
    } else {
        print(&console::failure(&outcome, &command));
        code = code.max(1);
    }
    code
}

/// The first event that differs.
fn difference(plan: &Plan, evidence: &Evidence, outcome: &Outcome) -> String {
    let then = timeline::lines(plan, &evidence.history);
    let now = timeline::lines(plan, &outcome.history);
    let at = then
        .iter()
        .zip(&now)
        .position(|(then, now)| then.at != now.at || then.what != now.what)
        .unwrap_or(then.len().min(now.len()));
    let show = |lines: &[timeline::Line]| match lines.get(at) {
        Some(line) => format!("{}  {}", line.at, line.what),
        None => "nothing: it ends here".into(),
    };
    format!(
        "the history differs, first at event {at}:\n  recorded  {}\n  now       {}\n  digests   {} recorded, {} now",
        show(&then),
        show(&now),
        evidence.footer.digest,
        outcome.digest
    )
}
