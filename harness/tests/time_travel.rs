//! Time travel: the clock of a real process is moved, and what it does by its clock is judged at its time.
//!
//! Needs libfaketime, as Debian's package of that name installs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const SCENARIO: &str = "\
title: A Will Message with a delay comes when the delay has passed, and not before
requirements: { v5: [MQTT-3.1.2-8, MQTT-3.1.3-9] }
clients:
  dying:   { session: persistent, will: { topic: will/late, payload: late, qos: 1, delay: 40s } }
  witness: {}
steps:
  - witness: connect
  - witness: { subscribe: will/late, qos: 1 }
  - dying: connect
  - dying: { lose_connection: reset }
  - witness: { expect: PUBLISH, topic: will/late, payload: late, after: 40s, within: 45s }
";

/// The reference broker as a process, perhaps with a defect.
fn profile(folder: &Path, name: &str, arguments: &str, clock: bool) {
    let clock = if clock { "clock: libfaketime\n" } else { "" };
    let text = format!(
        "name: {name}\nstart:\n  command: [\"{{assay}}\", serve, --listen, \"127.0.0.1:{{port}}\"{arguments}]\n\
         {clock}claims: {{ persistence: none }}\n"
    );
    fs::write(folder.join(format!("{name}.yaml")), text).expect("a file");
}

fn run(folder: &Path, profile: &str, more: &[&str]) -> (Output, Value) {
    let profile = format!("{profile}.yaml");
    let arguments =
        ["run", "late.yaml", "--profile", &profile, "--max-wait", "10", "--format", "json=out.json"];
    let output = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args([&arguments[..], more].concat())
        .current_dir(folder)
        .output()
        .expect("the command runs");
    let text = fs::read_to_string(folder.join("out.json"))
        .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&output.stderr)));
    (output, serde_json::from_str(&text).expect("JSON"))
}

fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("late.yaml"), SCENARIO).expect("a file");
    profile(folder.path(), "clean", "", true);
    profile(folder.path(), "clockless", "", false);
    profile(folder.path(), "early", ", --defect, will-delay-early", true);
    profile(folder.path(), "doubled", ", --defect, will-delay-doubled", true);
    folder
}

#[test]
fn a_wait_of_forty_seconds_passes_by_the_clock_of_the_broker() {
    let folder = place();
    let (output, result) = run(folder.path(), "clean", &[]);
    assert_eq!(result["clock_moved"], true, "is libfaketime installed? {output:?}");
    let case = &result["results"][0];
    assert_eq!(case["verdict"], "pass", "{case:#}");
    let (inside, outside) = (case["virtual_ms"].as_f64(), case["real_ms"].as_f64());
    assert!(inside >= Some(40_000.0), "{inside:?}");
    assert!(outside < inside, "{outside:?} ms were waited for {inside:?} ms");
}

#[test]
fn what_comes_a_second_early_or_far_too_late_is_seen_all_the_same() {
    let folder = place();
    for (name, observed) in [("early", "39"), ("doubled", "nothing of the kind")] {
        let (output, result) = run(folder.path(), name, &[]);
        assert_eq!(result["clock_moved"], true, "is libfaketime installed? {output:?}");
        let case = &result["results"][0];
        assert_eq!(case["verdict"], "fail", "{name}: {case:#}");
        let found = case["findings"][0]["observed"].as_str().unwrap_or_default();
        assert!(found.contains(observed), "{name}: {found}");
    }
}

#[test]
fn without_a_clock_or_in_real_time_the_wait_is_too_long() {
    let folder = place();
    for (name, more) in [("clockless", &[][..]), ("clean", &["--real-time"][..])] {
        let (_, result) = run(folder.path(), name, more);
        assert_eq!(result["clock_moved"], Value::Null, "{name}");
        let case = &result["results"][0];
        assert_eq!(case["verdict"], "skipped", "{case:#}");
        assert!(case["reason"].as_str().is_some_and(|it| it.contains("longest wait of 10s")), "{case:#}");
    }
}
