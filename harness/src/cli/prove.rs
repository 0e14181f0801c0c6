//! `assay prove`.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::prove::{Proof, prove as run_proof};
use crate::session::{Stopwatch, jobs};

use super::{HARNESS, SuiteArguments, complain, default_jobs, load, print};

/// Arguments of `prove`.
#[derive(Debug, Args)]
pub struct ProveArguments {
    #[command(flatten)]
    suite: SuiteArguments,
    /// Only defects and variants whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Threads
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Seed of every run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// `json=FILE` or `markdown=FILE`; the console is always served
    #[arg(long, value_name = "FORMAT=FILE")]
    format: Vec<String>,
    /// Show which cases caught each defect
    #[arg(long, short)]
    verbose: bool,
}

/// `assay prove`
pub fn prove(arguments: &ProveArguments) -> u8 {
    let suite = match load(&arguments.suite) {
        Ok(suite) => suite,
        Err(code) => return code,
    };
    let selection = arguments.suite.selection();
    let mut formats = Vec::new();
    for format in &arguments.format {
        match format.split_once('=') {
            Some((kind @ ("json" | "markdown"), path)) => formats.push((kind, PathBuf::from(path))),
            _ => {
                complain(&format!("error: `{format}`: expected json=FILE or markdown=FILE"));
                return super::USAGE;
            }
        }
    }
    let jobs = jobs(&suite, &selection, arguments.seed);
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} defects and variants  {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let watch = Stopwatch::start();
    let proof = run_proof(
        &jobs,
        arguments.only.as_deref(),
        arguments.jobs.unwrap_or_else(default_jobs),
        &|done, of| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        },
    );
    bar.finish_and_clear();
    for (kind, path) in formats {
        let text = match kind {
            "json" => serde_json::to_string_pretty(&proof).unwrap_or_default(),
            _ => markdown(&proof),
        };
        if let Err(error) = std::fs::write(&path, text) {
            complain(&format!("error: cannot write {}: {error}", path.display()));
            return HARNESS;
        }
    }
    print(&console(&proof, arguments.only.is_some(), arguments.verbose, watch.elapsed().as_secs_f64()));
    let all_caught = proof.defects.iter().all(|defect| defect.caught);
    let all_passed = proof.variants.iter().all(|variant| variant.passed);
    u8::from(!(all_caught && all_passed))
}

fn console(proof: &Proof, part: bool, verbose: bool, seconds: f64) -> String {
    let mut out = String::new();
    for defect in &proof.defects {
        if !defect.caught {
            let _ = writeln!(out, "NOT CAUGHT  {}: {}", defect.id, defect.what);
            let _ = writeln!(
                out,
                "            {:?}; {} cases fail without naming one of these",
                defect.requirements, defect.also_fails
            );
        } else if verbose {
            let shown: Vec<&str> = defect.by.iter().take(3).map(String::as_str).collect();
            let _ =
                writeln!(out, "caught      {} by {} cases: {}", defect.id, defect.by.len(), shown.join(", "));
        }
    }
    for variant in proof.variants.iter().filter(|variant| !variant.passed) {
        let _ = writeln!(out, "REFUSED     variant {} ({}): {}", variant.id, variant.ruling, variant.what);
        for failure in variant.failures.iter().take(5) {
            let _ = writeln!(out, "            {failure}");
        }
    }
    if !proof.unproven.is_empty() {
        let _ = writeln!(out, "unproven: no defect makes these {} cases fail", proof.unproven.len());
        for case in proof.unproven.iter().take(if verbose { usize::MAX } else { 20 }) {
            let _ = writeln!(out, "            {case}");
        }
        if !verbose && proof.unproven.len() > 20 {
            let _ = writeln!(out, "            … (--verbose shows all)");
        }
    }
    let caught = proof.defects.iter().filter(|defect| defect.caught).count();
    let passed = proof.variants.iter().filter(|variant| variant.passed).count();
    if !proof.not_playable.is_empty() {
        let _ = writeln!(
            out,
            "{} scenario-cases need what the embedded broker does not have",
            proof.not_playable.len()
        );
    }
    let _ = write!(
        out,
        "{caught} of {} defects caught, {passed} of {} variants pass",
        proof.defects.len(),
        proof.variants.len()
    );
    // Whether a case is proven shows only against all defects.
    if !part {
        let _ = write!(out, ", {} of {} scenario-cases unproven", proof.unproven.len(), proof.cases);
    }
    let _ = write!(out, " ({seconds:.1} s)");
    out
}

fn markdown(proof: &Proof) -> String {
    let mut out = String::from(
        "# Kill matrix\n\nEvery defect of the reference broker and what caught it.\n\n| defect | breaks | caught by |\n| --- | --- | --- |\n",
    );
    for defect in &proof.defects {
        let ids: Vec<String> = defect
            .requirements
            .iter()
            .map(|(version, ids)| format!("{version}: {}", ids.join(", ")))
            .collect();
        let by = if defect.caught {
            format!("{} cases, e.g. {}", defect.by.len(), defect.by[0])
        } else {
            "**nothing**".into()
        };
        let _ = writeln!(out, "| `{}`: {} | {} | {by} |", defect.id, defect.what, ids.join("; "));
    }
    out.push_str("\n## Variants\n\n| variant | ruling | result |\n| --- | --- | --- |\n");
    for variant in &proof.variants {
        let result = if variant.passed {
            "passes".to_string()
        } else {
            format!("**{} failures**", variant.failures.len())
        };
        let _ = writeln!(out, "| `{}`: {} | {} | {result} |", variant.id, variant.what, variant.ruling);
    }
    let _ = writeln!(out, "\n## Unproven\n\n{} of {} scenario-cases", proof.unproven.len(), proof.cases);
    for case in &proof.unproven {
        let _ = writeln!(out, "- {case}");
    }
    out
}
