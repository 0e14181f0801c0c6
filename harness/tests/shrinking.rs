//! Shrinking: the same finding in a file that a person reads in a minute, and the command that shows it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use assay::scenario::{Action, ClientAct, Field, Scenario, Value, parse_file};
use assay::shrink::{Shrunk, Size, shrink};
use assay::text::SourceText;
use reference_broker::codec::ProtocolVersion;

const BLOATED: &str = "harness/tests/shrinking/bloated.yaml";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn assay(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_assay")).args(arguments).current_dir(folder).output().expect("it runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn read(text: &str) -> Scenario {
    let file = parse_file("shrunk", SourceText::new("shrunk.yaml", text));
    file.unwrap_or_else(|problems| panic!("{problems}\n{text}")).scenarios[0].clone()
}

fn bloated() -> Scenario {
    read(&std::fs::read_to_string(root().join(BLOATED)).expect("it is there"))
}

/// Shrinks the bloated scenario into a file, and runs the command that the file names: against the defect, and against
/// the broker as it is.
fn shrunk(defect: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    // The seed of a case follows from its name, so the file has the same one wherever the repository stands.
    std::fs::copy(root().join(BLOATED), folder.path().join("bloated.yaml")).expect("a copy");
    let arguments =
        ["shrink", "bloated.yaml", "--protocol", "5.0", "--defect", defect, "--output", "small.yaml"];
    let output = assay(&arguments, folder.path());
    assert_eq!(code(&output), 0, "{}", errors(&output));
    let text = std::fs::read_to_string(folder.path().join("small.yaml")).expect("it was written");
    assert!(read(&text).steps.len() <= 12, "{text}");
    let line = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(&format!("# {name}")).map(str::trim));
        found.unwrap_or_else(|| panic!("{name} is missing in\n{text}"))
    };
    let command: Vec<&str> = line("see it").split(' ').skip(1).collect();
    let found = assay(&command, folder.path());
    assert_eq!(code(&found), 1, "{command:?}");
    let id = line("finding").split(',').next().unwrap_or_default();
    assert!(String::from_utf8_lossy(&found.stdout).contains(id), "{id} is missing");
    let right: Vec<&str> =
        command.iter().copied().filter(|word| !["--defect", defect].contains(word)).collect();
    assert_eq!(code(&assay(&right, folder.path())), 0, "the broker without the defect\n{text}");
    text
}

#[test]
fn a_forgotten_identifier() {
    insta::assert_snapshot!(shrunk("qos-2-forgotten-on-resume"));
}

#[test]
fn a_queue_in_the_wrong_order() {
    insta::assert_snapshot!(shrunk("queue-in-reverse"));
}

#[test]
fn a_code_that_the_client_does_not_understand() {
    insta::assert_snapshot!(shrunk("pubcomp-foreign-code"));
}

#[test]
fn evidence_is_shrunk_like_the_scenario_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(root().join(BLOATED), folder.path().join("bloated.yaml")).expect("a copy");
    let seen = assay(
        &[
            "run",
            "bloated.yaml",
            "--protocol",
            "5.0",
            "--world",
            "core",
            "--seed",
            "7",
            "--defect",
            "offline-not-queued",
        ],
        folder.path(),
    );
    assert_eq!(code(&seen), 1);
    let kept = std::fs::read_dir(folder.path().join(".assay")).expect("evidence").flatten().next();
    let kept = kept.expect("evidence").path().display().to_string();
    let output = assay(&["shrink", &kept], folder.path());
    assert_eq!(code(&output), 0, "{}", errors(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("failed with seed 7, against the defect offline-not-queued"), "{text}");
    assert!(read(&text).steps.len() <= 12, "{text}");
}

#[test]
fn what_cannot_be_shrunk_is_refused_with_a_reason() {
    let text = std::fs::read_to_string(root().join(BLOATED)).expect("it is there");
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("broken.yaml");
    std::fs::write(&broken, text.replace("c3: ping", "c3: pong")).expect("written");
    let broken = broken.display().to_string();
    let cases: &[(&[&str], &str)] = &[
        (&[BLOATED], "does not fail in the core world"),
        (
            &[BLOATED, "--defect", "puback-missing", "--finding", "MQTT-4.6.0-6"],
            "there are some about MQTT-3.3.4-1",
        ),
        (&[BLOATED, "--defect", "no-such-defect"], "no-such-defect"),
        (&[BLOATED, "--set", "nothing"], "expected key=value"),
        (&[BLOATED, "--for", "60"], "a duration with a unit"),
        (&[BLOATED, "--protocol", "3.1"], "expected 3.1.1 or 5.0"),
        (&[BLOATED, "--case", "none"], "no scenario is called"),
        (&[BLOATED, "--defect", "puback-missing", "--output", "no/such/folder.yaml"], "no/such is no folder"),
        (&[&broken], "did you mean `ping`?"),
        (&["no/such/file.yaml"], "no scenario is called"),
        (&["no/such/file.jsonl"], "cannot be read"),
        (
            &["broker/retained-messages-outlive-the-process"],
            "cannot be played in the core world: persistence",
        ),
    ];
    for (arguments, part) in cases {
        let output = assay(&[&["shrink"], *arguments].concat(), root());
        assert_eq!(code(&output), 2, "{arguments:?}: {}", errors(&output));
        assert!(errors(&output).contains(part), "{arguments:?}: `{part}` is missing in\n{}", errors(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn without_time_the_scenario_stays_as_it_is() {
    let arguments = ["shrink", BLOATED, "--defect", "puback-missing", "--protocol", "5.0", "--for", "0s"];
    let output = assay(&arguments, root());
    assert_eq!(code(&output), 0, "{}", errors(&output));
    assert!(errors(&output).contains("the time is up"), "{}", errors(&output));
    assert_eq!(read(&String::from_utf8_lossy(&output.stdout)).steps.len(), bloated().steps.len());
}

#[test]
fn an_interrupted_search_writes_the_best_so_far_and_exits_4() {
    let folder = tempfile::tempdir().expect("a folder");
    // So many messages that a search takes much longer than a signal.
    let text = std::fs::read_to_string(root().join(BLOATED)).expect("it is there");
    let many = text.replace(
        "steps:\n",
        "steps:\n  - c3: connect\n  - c3: { publish: much, payload: \"m-{n}\", count: 5000 }\n",
    );
    std::fs::write(folder.path().join("many.yaml"), many).expect("written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args([
            "shrink",
            "many.yaml",
            "--protocol",
            "5.0",
            "--defect",
            "qos-2-forgotten-on-resume",
            "--output",
            "small.yaml",
        ])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("its errors")).lines();
    let said = lines.by_ref().map_while(Result::ok).find(|line| line == "searching");
    assert!(said.is_some(), "it says when it begins");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it is there");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(4), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("interrupted; the best so far")), "{rest:?}");
    let text = std::fs::read_to_string(folder.path().join("small.yaml")).expect("it was written");
    assert!(!read(&text).steps.is_empty(), "{text}");
}

/// A search for the smallest scenario in which something is published with QoS 2, stopped after some attempts.
fn of_qos_2(most: u64) -> Shrunk {
    let mut left = most;
    let publishes = |scenario: &Scenario| {
        scenario.steps.iter().any(|step| match &step.action {
            Action::Client { act: ClientAct::Publish { message, .. }, .. } => {
                message.fields.iter().any(|it| it.field == Field::Qos && it.value == Value::Number(2))
            }
            _ => false,
        })
    };
    shrink(
        &bloated(),
        ProtocolVersion::V5,
        &mut |scenario| publishes(scenario),
        &mut || {
            left = left.saturating_sub(1);
            left > 0
        },
        &mut |_| {},
    )
}

#[test]
fn a_search_ends_with_what_cannot_be_smaller() {
    let found = of_qos_2(u64::MAX);
    assert!(found.finished);
    let Size { steps, clients, faults, .. } = found.size;
    // A client has to connect before it publishes: that rule the scenario kept.
    assert_eq!((steps, clients, faults), (2, 1, 0), "{:?}", found.scenario);
    assert!(found.scenario.verify.is_empty() && found.scenario.config.is_empty());
    let again = of_qos_2(u64::MAX);
    assert_eq!(again.scenario, found.scenario);
    assert_eq!(again.attempts, found.attempts);
}

#[test]
fn a_search_that_is_stopped_gives_the_best_so_far() {
    let first = Size::of(&bloated());
    let whole = of_qos_2(u64::MAX);
    let few = of_qos_2(4);
    assert!(!few.finished);
    assert_eq!(few.attempts, 3);
    assert!(few.size < first && few.size > whole.size, "{:?}", few.size);
}

#[test]
fn what_has_to_arrive_is_still_published_and_subscribed_to() {
    let found = shrink(
        &bloated(),
        ProtocolVersion::V5,
        &mut |scenario| scenario.verify.iter().any(|demand| !demand.payloads.is_empty()),
        &mut || true,
        &mut |_| {},
    );
    let demanded = &found.scenario.verify[0];
    let acts: Vec<&ClientAct> = found
        .scenario
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Client { act, .. } => Some(act),
            _ => None,
        })
        .collect();
    assert_eq!(demanded.payloads.len(), 1);
    assert!(acts.iter().any(|act| matches!(act, ClientAct::Publish { count: 1, .. })), "{acts:?}");
    assert!(acts.iter().any(|act| matches!(act, ClientAct::Subscribe(_))), "{acts:?}");
}
