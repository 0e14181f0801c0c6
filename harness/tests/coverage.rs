//! What the suite judges is a committed snapshot: a scenario that is lost shows in review.

use std::collections::BTreeMap;
use std::fmt::Write;

use assay::coverage::{Collector, Status};
use assay::scenario::{Suite, WorldKind};
use assay::session::{Selection, jobs, run_simulated};
use reference_broker::core::Config;

#[test]
fn every_statement_that_a_server_can_be_seen_to_break_is_judged() {
    let suite = Suite::embedded(&[]).unwrap_or_else(|error| panic!("{}", error.render(false)));
    let jobs = jobs(&suite, &Selection::default(), 1);
    let mut collector = Collector::default();
    run_simulated(&jobs, WorldKind::Core, &Config::default(), 2, &mut |outcome| {
        collector.take(&jobs[outcome.index], &outcome);
        true
    });
    let coverage = collector.finish();
    let untested: Vec<String> =
        coverage.untested().map(|it| format!("{} of {}", it.id, it.protocol)).collect();
    assert_eq!(untested, Vec::<String>::new(), "untested");
    let sums: Vec<_> = coverage
        .protocols
        .values()
        .map(|it| (it.judged, it.server_observable, it.untagged_judged, it.untagged_musts))
        .collect();
    assert_eq!(sums, [(104, 104, 10, 10), (202, 202, 64, 64)]);
    for it in &coverage.statements {
        let explained = it.status != Status::Exempt || it.reason.as_ref().is_some_and(|it| !it.is_empty());
        assert!(explained, "{} is exempt without a reason", it.id);
    }
    let mut page = String::new();
    for it in &coverage.statements {
        let _ = match it.status {
            Status::Judged => writeln!(page, "{} {}: {}", it.protocol, it.id, it.scenarios.join(" ")),
            Status::Exempt => {
                writeln!(page, "{} {} is exempt: {}", it.protocol, it.id, it.reason.as_deref().unwrap_or(""))
            }
            Status::Untested => writeln!(page, "{} {} is UNTESTED", it.protocol, it.id),
        };
    }
    insta::assert_snapshot!("coverage", page);

    // Without a scenario something is missing: this test can fail.
    let mut fewer = Collector::default();
    run_simulated(&jobs, WorldKind::Core, &Config::default(), 2, &mut |outcome| {
        if jobs[outcome.index].scenario.name != "keep-alive/every-pingreq-is-answered" {
            fewer.take(&jobs[outcome.index], &outcome);
        }
        true
    });
    let fewer = fewer.finish();
    let count = |coverage: &assay::coverage::Coverage| -> BTreeMap<String, usize> {
        coverage.statements.iter().map(|it| (format!("{} {}", it.protocol, it.id), it.cases)).collect()
    };
    assert_ne!(count(&coverage), count(&fewer));
}
