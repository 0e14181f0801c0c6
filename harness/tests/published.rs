//! What the repository publishes about real brokers: every failure in it is argued from its statement.
//!
//! `assay verify` asks whether the certificates are what their evidence says; `.ci/run` does that.

use std::fs;
use std::path::{Path, PathBuf};

use assay::baseline::Baseline;
use assay::report::json::{DeviationState, RunResult};
use assay::text::SourceText;
use assay::verdict::Verdict;
use jiff::civil::date;

/// Name, folder, and result of every broker that is published.
fn published() -> Vec<(String, PathBuf, RunResult)> {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports");
    let mut found = Vec::new();
    for entry in fs::read_dir(reports).expect("the folder is there") {
        let broker = entry.expect("an entry").path();
        if !broker.is_dir() {
            continue;
        }
        let name = broker.file_name().expect("a name").to_string_lossy().into_owned();
        for version in fs::read_dir(&broker).expect("a folder").map(|it| it.expect("an entry").path()) {
            let report = version.join("report.json");
            if report.is_file() {
                let text = fs::read_to_string(&report).expect("a file");
                let result = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
                found.push((name.clone(), broker.clone(), result));
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

#[test]
fn every_failure_that_is_published_is_argued() {
    let published = published();
    assert!(!published.is_empty(), "nothing is published");
    for (name, folder, mut result) in published {
        assert!(!result.partial && result.lost.is_none(), "{name}: the run did not come to its end");
        assert_eq!(result.summary.error, 0, "{name}");
        let file = folder.join("deviations.yaml");
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut known: Vec<String> = result.results.iter().map(|case| case.key()).collect();
        known.sort();
        let argued = Baseline::parse(SourceText::new("deviations.yaml", text), &known)
            .unwrap_or_else(|problems| panic!("{name}: {problems}"));
        for entry in &argued.entries {
            assert!(
                entry.reason.split_whitespace().count() >= 8,
                "{name}: {} is not argued",
                entry.statement
            );
        }
        argued.apply(&mut result, date(2026, 11, 22));
        for case in &result.results {
            let state = case.deviation.as_ref().map(|it| (it.state, it.advice.clone()));
            let right = match (&state, case.verdict) {
                (Some((DeviationState::Known, _)), Verdict::Fail) => true,
                (None, verdict) => verdict != Verdict::Fail,
                _ => false,
            };
            assert!(right, "{name}: {} is {}: {state:?}", case.key(), case.verdict);
        }
    }
}

#[test]
fn one_deviation_of_every_broker_is_traced_packet_by_packet() {
    for (name, folder, result) in published() {
        let text =
            fs::read_to_string(folder.join("traced.md")).unwrap_or_else(|error| panic!("{name}: {error}"));
        let traced = result.results.iter().find(|case| text.contains(&format!("Case `{}`:", case.key())));
        let traced = traced.unwrap_or_else(|| panic!("{name}: traced.md names no case of the run"));
        assert_eq!(traced.verdict, Verdict::Fail, "{name}: {}", traced.key());
        for statement in traced.broken() {
            assert!(text.contains(&format!("**{statement}.**")), "{name}: {statement} is not argued");
        }
        let evidence =
            traced.evidence.as_ref().unwrap_or_else(|| panic!("{name}: {} has none", traced.key()));
        assert!(text.contains(evidence.as_str()), "{name}: the evidence is not named");
        for packet in ["CONNECT", "CONNACK"] {
            assert!(text.contains(packet), "{name}: there is no {packet} in the timeline");
        }
        let capture =
            fs::read(folder.join("traced.pcapng")).unwrap_or_else(|error| panic!("{name}: {error}"));
        // The first block of a capture is its section's header.
        assert_eq!(capture.get(..4), Some(&[0x0a, 0x0d, 0x0d, 0x0a][..]), "{name}");
    }
}
