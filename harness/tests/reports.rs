//! The reports of a run, and the gate that a baseline makes of it: by the command, as a build server uses it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Both versions of it fail with the defect, each by a statement of its own.
const SCENARIO: &str = "will/replaced-by-new-connect";
const DEFECT: [&str; 2] = ["--defect", "will-on-disconnect"];

fn assay(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(arguments)
        .current_dir(folder)
        .env("GITHUB_STEP_SUMMARY", folder.join("step-summary.md"))
        .output()
        .expect("the command runs")
}

fn shown(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn run(folder: &Path, more: &[&str]) -> Output {
    let suite = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
    assay(folder, &[&["run", SCENARIO, "--suite", suite, "--world", "core"][..], more].concat())
}

fn expect(folder: &Path, more: &[&str], code: i32) -> String {
    let output = run(folder, more);
    assert_eq!(output.status.code(), Some(code), "{more:?}\n{}", shown(&output));
    shown(&output)
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_report_in_every_format_names_the_broken_statement_and_the_case() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let printed = expect(folder, &[&DEFECT[..], &["--report", "out", "--github"]].concat(), 1);
    let result: Value = serde_json::from_str(&read(folder, "out/report.json")).expect("JSON");
    assert_eq!(result["summary"]["fail"], 2);
    let case = &result["results"][1];
    assert_eq!((case["protocol"].as_str(), case["verdict"].as_str()), (Some("5.0"), Some("fail")));
    assert_eq!(case["findings"][0]["requirement"], "MQTT-3.1.2-7");
    // The timeline has the PUBLISH that should not have come, and says so.
    let rows = case["timeline"]["rows"].as_array().expect("a timeline");
    let marked: Vec<&Value> = rows.iter().filter(|row| row["marked"] == true).collect();
    assert_eq!(marked.len(), 1, "{marked:?}");
    assert!(marked[0]["text"].as_str().is_some_and(|it| it.contains("will/first")), "{marked:?}");
    assert_eq!(marked[0]["from_broker"], true);

    let junit = read(folder, "out/junit.xml");
    assert!(junit.contains(r#"classname="will.replaced-by-new-connect""#), "{junit}");
    assert!(junit.contains(r#"<testcase name="(5.0)""#), "{junit}");
    assert!(junit.contains(r#"type="MQTT-3.1.2-7, MQTT-3.14.4-3""#), "{junit}");
    assert!(junit.contains(r#"tests="2" skipped="0" failures="2""#), "{junit}");

    let markdown = read(folder, "out/report.md");
    assert!(markdown.contains("<b>MQTT-3.1.2-7</b> (MQTT 5.0), 1 of 1 cases"), "{markdown}");
    assert!(markdown.contains("- `will/replaced-by-new-connect (5.0)`"), "{markdown}");
    assert_eq!(read(folder, "step-summary.md"), markdown.trim_end().to_string() + "\n");

    let annotation = "::error title=MQTT-3.1.2-7%2C MQTT-3.14.4-3%3A will/replaced-by-new-connect (5.0)::";
    assert!(printed.lines().any(|line| line.starts_with(annotation)), "{printed}");
    assert!(read(folder, "out/badge.svg").contains("statements broken"), "the badge says so");
}

#[test]
fn the_result_has_the_schema_that_is_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    expect(folder, &[&DEFECT[..], &["--format", "json=run.json"]].concat(), 1);
    let schema: Value =
        serde_json::from_slice(&assay(folder, &["schema", "report"]).stdout).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let mut result: Value = serde_json::from_str(&read(folder, "run.json")).expect("JSON");
    let errors: Vec<String> = validator.iter_errors(&result).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    result["results"][0]["verdict"] = "planned".into();
    assert!(!validator.is_valid(&result), "a verdict that does not exist is refused");
}

#[test]
fn a_run_that_keeps_everything_has_green_reports() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let printed = expect(folder, &["--report", "out", "--github"], 0);
    assert!(!printed.contains("::error"), "{printed}");
    assert!(read(folder, "out/junit.xml").contains(r#"failures="0""#));
    assert!(read(folder, "out/badge.svg").contains("statements kept"));
}

#[test]
fn a_baseline_is_green_on_what_is_known_and_red_on_every_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    expect(folder, &[&DEFECT[..], &["--format", "json=run.json"]].concat(), 1);
    let written = assay(folder, &["baseline", "run.json", "-o", "known.yaml"]);
    assert_eq!(written.status.code(), Some(0), "{}", shown(&written));
    let known = read(folder, "known.yaml");
    assert!(known.contains("statement: MQTT-3.1.2-7\n"), "{known}");

    // Listed and failing: shown, and not red.
    let with = [&DEFECT[..], &["--baseline", "known.yaml", "--report", "out"]].concat();
    let printed = expect(folder, &with, 0);
    assert!(printed.contains("2 known"), "{printed}");
    assert!(read(folder, "out/junit.xml").contains("known deviation from MQTT-3.1.2-7"));
    assert!(read(folder, "out/badge.svg").contains("known deviations"));

    // Listed and passing: red.
    let printed = expect(folder, &["--baseline", "known.yaml", "--report", "out"], 1);
    assert!(printed.contains("2 fixed") && printed.contains("remove it from the baseline"), "{printed}");
    assert!(read(folder, "out/junit.xml").contains(r#"failures="2""#));

    // Expired: red, and still a failure of the same statement.
    let expired = known.replace("    cases:", "    expires: 2020-02-29\n    cases:");
    std::fs::write(folder.join("expired.yaml"), expired).expect("a file");
    let printed = expect(folder, &[&DEFECT[..], &["--baseline", "expired.yaml"]].concat(), 1);
    assert!(printed.contains("expired on 2020-02-29"), "{printed}");

    // Another statement than the one that is listed: red.
    let other = known.replace("statement: MQTT-3.1.2-7\n", "statement: MQTT-3.1.2-10\n");
    std::fs::write(folder.join("other.yaml"), other).expect("a file");
    let printed = expect(folder, &[&DEFECT[..], &["--baseline", "other.yaml"]].concat(), 1);
    assert!(printed.contains("it breaks MQTT-3.1.2-7"), "{printed}");

    // Not listed: red.
    let fewer = known.replace(
        "      - \"will/replaced-by-new-connect (5.0)\"\n",
        "      - \"will/not-on-disconnect[by-the-client] (5.0)\"\n",
    );
    std::fs::write(folder.join("fewer.yaml"), fewer).expect("a file");
    let printed = expect(folder, &[&DEFECT[..], &["--baseline", "fewer.yaml"]].concat(), 1);
    assert!(printed.contains("1 known") && printed.contains("1 new"), "{printed}");

    // Written again, it keeps what people wrote.
    let explained = known.replace("not explained yet", "ticket 7 \\\"of\\\" ours");
    std::fs::write(folder.join("known.yaml"), &explained).expect("a file");
    assert_eq!(assay(folder, &["baseline", "run.json", "-o", "known.yaml"]).status.code(), Some(0));
    assert_eq!(read(folder, "known.yaml"), explained);
}

#[test]
fn a_baseline_with_mistakes_names_each_at_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let text = "assay-baseline: 1\ndeviations:\n  - statement: MQTT-3.1.2-77\n    reason: x\n    expires: soon\n    case: []\n    cases:\n      - will/replaced-by-new-conect (5.0)\n";
    std::fs::write(folder.join("known.yaml"), text).expect("a file");
    let printed = expect(folder, &["--baseline", "known.yaml"], 2);
    for part in [
        "no statement is called `MQTT-3.1.2-77`",
        "known.yaml:5:14",
        "`soon` is no day",
        "`case` is no key here",
        "did you mean `will/replaced-by-new-connect (5.0)`?",
    ] {
        assert!(printed.contains(part), "`{part}` is missing in\n{printed}");
    }
    let printed = expect(folder, &["--baseline", "nowhere.yaml"], 2);
    assert!(printed.contains("cannot read nowhere.yaml"), "{printed}");
}

#[test]
fn two_runs_are_compared_case_by_case() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    expect(folder, &[&DEFECT[..], &["--format", "json=bad.json"]].concat(), 1);
    expect(folder, &["--format", "json=good.json"], 0);
    let compare = |old: &str, new: &str, code: i32, part: &str| {
        let output = assay(folder, &["compare", old, new]);
        assert_eq!(output.status.code(), Some(code), "{}", shown(&output));
        assert!(shown(&output).contains(part), "{}", shown(&output));
    };
    compare("bad.json", "good.json", 0, "2 fixed, 0 the same");
    compare("good.json", "bad.json", 1, "2 regressed, 0 the same");
    compare("good.json", "good.json", 0, "no change, 2 the same");
    std::fs::write(folder.join("old.json"), r#"{ "schema": "assay-run/1" }"#).expect("a file");
    compare("old.json", "good.json", 2, "has the format `assay-run/1`, this program reads `assay-run/2`");
}

#[test]
fn a_format_that_does_not_exist_is_refused_with_the_nearest() {
    let folder = tempfile::tempdir().expect("a folder");
    let printed = expect(folder.path(), &["--format", "junitt=x"], 2);
    assert!(printed.contains("did you mean `junit`?"), "{printed}");
}
