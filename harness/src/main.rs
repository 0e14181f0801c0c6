//! The `assay` command.
use assay::{scenario::*, run::StageOptions, verdict::*};
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match Suite::load(std::path::Path::new("scenarios"), &args) {
        Ok(suite) => {
            let mut counts = std::collections::BTreeMap::new();
            for (_, s) in suite.scenarios() {
                for v in s.requirements.keys() {
                    let plan = Plan::new(s, *v, &PlanOptions::default()).unwrap();
                    let played = assay::world::core::play(&plan, 1, StageOptions::default(), &Default::default());
                    let findings = assay::check::check(&plan, &played.history); let verdict = verdict_of(&findings);
                    *counts.entry(verdict).or_insert(0) += 1;
                    if verdict != Verdict::Pass {
                        println!("{} {} {}", verdict, s.full_name(), v);
                                        if std::path::Path::new("/tmp/verbose").exists() { println!("{}", assay::report::timeline::around(&plan, &played.history, &[], 20)); }
                        for f in &findings { println!("    {} {:?} {:?} exp: {} | obs: {} | step {:?} {}", f.by, f.weight, f.requirement, f.expected, f.observed, f.step, f.step.map_or("", |s| &plan.steps[s as usize].text)); }
                    }
                }
            }
            println!("{counts:?}");
        }
        Err(error) => println!("{error}"),
    }
}
