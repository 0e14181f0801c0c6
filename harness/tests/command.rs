//! The command: what it prints and its exit code, for good input and bad.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn plain(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the command runs")
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn expect(arguments: &[&str], code: i32, parts: &[&str]) -> String {
    let output = plain(arguments, root());
    let text = text(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{text}");
    for part in parts {
        assert!(text.contains(part), "{arguments:?}: `{part}` is missing in\n{text}");
    }
    text
}

#[test]
fn a_run_that_passes_exits_0_and_prints_its_digest_twice_the_same() {
    let first = expect(&["run", "connect", "--world", "core"], 0, &["passed", "digest"]);
    let second = expect(&["run", "connect", "--world", "core", "--jobs", "1"], 0, &[]);
    let digest = |text: &str| text.split("run digest ").nth(1).map(|rest| rest[..32].to_string());
    assert!(digest(&first).is_some());
    assert_eq!(digest(&first), digest(&second));
}

#[test]
fn what_the_broker_chose_is_shown_and_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("run.json");
    let format = format!("json={}", file.display());
    let arguments = ["run", "subscribe/overlapping-at-least-once", "--world", "core", "--choices"];
    let shown = expect(&[&arguments[..], &["--format", &format]].concat(), 0, &["implementation choices"]);
    assert!(shown.contains("overlapping-subscriptions  5.0    one-copy  (R-23)"), "{shown}");
    let text = std::fs::read_to_string(&file).expect("it was written");
    let run: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let row =
        serde_json::json!({ "ruling": "R-23", "name": "overlapping-subscriptions", "value": "one-copy" });
    assert_eq!(run["results"][0]["choices"], serde_json::json!([row]));
    assert_eq!(run["choices"][1]["protocol"], "5.0");
    assert_eq!(run["choices"][1]["values"][0]["value"], "one-copy");
    assert_eq!(run["choices"][1]["values"][0]["scenarios"].as_array().map(Vec::len), Some(3));
    expect(
        &["explain", "R-23"],
        0,
        &["copy-per-match", "firm", "subscribe/overlapping-at-least-once records"],
    );
    expect(&["explain", "R-99"], 2, &["no ruling has this id"]);
}

#[test]
fn a_defect_exits_1_and_is_explained_and_replayed() {
    let folder = tempfile::tempdir().expect("a folder");
    let evidence = folder.path().display().to_string();
    let json = folder.path().join("run.json").display().to_string();
    let format = format!("json={json}");
    let arguments = [
        "run",
        "qos/identifier-is-free-after-puback",
        "--world",
        "core",
        "--defect",
        "puback-missing",
        "--evidence",
        &evidence,
        "--format",
        &format,
        "--protocol",
        "5.0",
    ];
    expect(&arguments, 1, &["FAIL", "requirement", "expected", "observed", "replay", "─▶ broker"]);
    let result: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&json).expect("the file")).expect("it is JSON");
    assert_eq!(result["summary"]["fail"], result["results"].as_array().map_or(0, Vec::len));
    assert_eq!(result["results"][0]["verdict"], "fail");
    assert!(result["results"][0]["findings"][0]["requirement"].as_str().is_some_and(|id| !id.is_empty()));
    let file = std::fs::read_dir(folder.path())
        .expect("the folder")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|it| it == "jsonl"))
        .expect("evidence was kept");
    let file = file.display().to_string();
    expect(&["replay", &file], 1, &["the same history", "FAIL"]);
    // Cut short, and changed.
    let text = std::fs::read_to_string(&file).expect("the evidence");
    let cut = folder.path().join("cut.jsonl").display().to_string();
    std::fs::write(&cut, &text[..text.len() / 2]).expect("it is written");
    expect(&["replay", &cut], 2, &["cut short"]);
    let edited = folder.path().join("edited.jsonl").display().to_string();
    std::fs::write(&edited, text.replacen("\"at\":0", "\"at\":7", 1)).expect("it is written");
    expect(&["replay", &edited], 2, &["was changed"]);
}

#[test]
fn bad_usage_exits_2_with_one_clear_message() {
    expect(&["run", "--world", "moon"], 2, &["expected core, sim or live"]);
    expect(&["run", "--requirement", "MQTT-4.3.3-1O"], 2, &["the nearest is MQTT-4.3.3-1"]);
    expect(&["run", "qos/downgrad"], 2, &["did you mean `qos/downgrade`?"]);
    expect(&["run", "--world", "live"], 2, &["needs a broker"]);
    expect(&["run", "--world", "core", "--broker", "mqtt://127.0.0.1:1"], 2, &["mean the live world"]);
    expect(&["run", "connect", "--defect", "nonsense"], 2, &["nonsense"]);
    expect(&["run", "connect", "--set", "maximum-qos=3"], 2, &["maximum-qos"]);
    expect(&["run", "--format", "pdf=x"], 2, &["there are console, json, junit"]);
    expect(&["replay", "no-such-file.jsonl"], 2, &["cannot be read"]);
    expect(&["explain", "MQTT-9.9.9-9"], 2, &["no statement has this id"]);
}

#[test]
fn a_broker_that_is_not_there_exits_2() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    drop(listener);
    let url = format!("mqtt://127.0.0.1:{port}");
    expect(&["run", "connect/accepted", "--broker", &url], 2, &["no broker accepts connections"]);
}

#[test]
fn profiles_that_cannot_work_exit_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let profile = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it is written");
        path.display().to_string()
    };
    let missing = profile(
        "missing.yaml",
        "name: missing\nstart: { command: [no-such-broker-at-all] }\ninstall: { apt: the-package }\n",
    );
    expect(
        &["run", "connect/accepted", "--profile", &missing],
        2,
        &["no-such-broker-at-all", "apt-get install the-package"],
    );
    let exits =
        profile("exits.yaml", "name: exits\nstart: { command: [sh, -c, \"echo going away; exit 3\"] }\n");
    expect(&["run", "connect/accepted", "--profile", &exits], 2, &["going away"]);
    let silent =
        profile("silent.yaml", "name: silent\nstart: { command: [sleep, \"60\"], ready-within: 1s }\n");
    expect(&["run", "connect/accepted", "--profile", &silent], 2, &["not ready after 1s"]);
    let wrong = profile("wrong.yaml", "name: wrong\nstart: { comand: [sleep] }\n");
    expect(&["run", "connect/accepted", "--profile", &wrong], 2, &["comand", "command"]);
}

#[test]
fn a_port_in_use_is_said_by_serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    expect(&["serve", "--listen", &address], 2, &["cannot listen on", &address]);
}

#[test]
fn mistakes_in_a_file_are_all_shown_and_exit_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wrong.yaml");
    std::fs::write(
        &file,
        "title: Wrong\nrequirements: { v5: [MQTT-4.3.3-99] }\nclients: { a: {} }\nsteps:\n  - b: connect\n  - a: conect\n  - wait: 2\n",
    )
    .expect("it is written");
    let text = expect(
        &["run", &file.display().to_string()],
        2,
        &["MQTT-4.3.3-99", "did you mean `connect`?", "4 mistakes in 1 file"],
    );
    assert!(text.contains("wrong.yaml:5:5"), "{text}");
}

#[test]
fn a_scenario_that_cannot_end_is_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("endless.yaml");
    std::fs::write(
        &file,
        "title: Endless\nrequirements: { v5: [MQTT-3.3.4-1] }\nclients: { a: {} }\nsteps:\n  - a: connect\n  - a: { publish: t, qos: 0, payload: x, count: 100000 }\n  - a: { publish: t, qos: 0, payload: x, count: 100000 }\n  - a: { publish: t, qos: 0, payload: x, count: 100000 }\n",
    )
    .expect("it is written");
    let output = plain(
        &[
            "run",
            &file.display().to_string(),
            "--world",
            "core",
            "--evidence",
            &folder.path().display().to_string(),
        ],
        root(),
    );
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(
        text(&output).contains("a bound on steps, events or virtual time was reached"),
        "{}",
        text(&output)
    );
}

#[test]
fn outside_the_repository_the_embedded_suite_is_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = plain(&["run", "connect/accepted", "--world", "core"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("passed"));
}

#[test]
fn what_the_other_commands_print() {
    expect(&["list", "qos"], 0, &["qos/downgrade", "scenario-cases"]);
    expect(&["explain", "MQTT-4.3.3-10"], 0, &["ruling R-28", "judged by", "exactly-once/"]);
    expect(&["schema"], 0, &["json-schema.org", "clientStep"]);
    expect(&["completions", "bash"], 0, &["_assay"]);
    expect(&["prove", "wildcard", "--only", "plus-m"], 0, &["defects caught"]);
}

#[test]
fn the_proof_tells_which_statements_of_a_defect_were_caught() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("proof.json");
    let format = format!("json={}", path.display());
    expect(
        &["prove", "properties", "--only", "reason-string-too-large", "--format", &format],
        0,
        &["1 of 1"],
    );
    let proof: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("a proof")).expect("JSON");
    let defect = &proof["defects"][0];
    let has = |list: &str, id: &str| {
        defect[list]["5.0"].as_array().expect("a list").iter().any(|it| it.as_str() == Some(id))
    };
    assert!(has("requirements", "MQTT-3.4.2-2") && has("caught_statements", "MQTT-3.4.2-2"));
    // AUTH is the affair of another folder.
    assert!(has("requirements", "MQTT-3.15.2-2") && !has("caught_statements", "MQTT-3.15.2-2"));
}
