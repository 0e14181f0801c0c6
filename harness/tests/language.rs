//! The scenario language: mistakes are all shown at once, each at its place; the schema agrees with the reader.

use std::path::{Path, PathBuf};

use assay::scenario::{Act, Plan, PlanOptions, Scenario, StepAct, Suite, SuiteError, parse_file, schema};
use assay::text::SourceText;

fn suite_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

fn problems(text: &str) -> String {
    match parse_file("test", SourceText::new("test.yaml", text)) {
        Ok(_) => panic!("it has mistakes"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn five_mistakes_are_shown_at_once() {
    insta::assert_snapshot!(problems(
        r#"title: Five mistakes
requirements:
  v5: [MQTT-4.3.3-99]
clients:
  publisher: { sesion: persistent }
steps:
  - publsher: connect
  - publisher: { publish: a/b, qos: high, payload: x }
  - wait: 2
"#
    ));
}

#[test]
fn mistakes_in_steps_name_the_nearest_word() {
    insta::assert_snapshot!(problems(
        r#"title: Words
requirements: { v5: [MQTT-4.8.0-2], v3.1.1: [MQTT-3.1.4-4] }
clients: { a: {} }
steps:
  - a: conect
  - a: { send: PUBLSIH, topic: t }
  - a: { expect: PUBACK, packet_id: nobody, reson: Success }
  - a: { expect: nothing }
  - a: { send_bytes: "36 remainig" }
  - broker: killl
  - when: { packet: PUBREC, from: broker, to: a, is: gone, do: reset }
  - partition: { from: a, to: a }
verify:
  - exactly_one: { payload: x, to: a }
"#
    ));
}

#[test]
fn what_only_one_version_has_is_refused_in_the_other() {
    insta::assert_snapshot!(problems(
        r#"title: Versions
requirements: { v5: [MQTT-3.8.4-1], v3.1.1: [MQTT-3.8.4-1] }
clients: { a: { session_expiry: 10s } }
steps:
  - a: connect
  - a: { subscribe: t, no_local: true }
  - a: { expect: DISCONNECT, reason: Session taken over }
"#
    ));
}

#[test]
fn choices_are_those_of_the_rulings() {
    insta::assert_snapshot!(problems(
        r#"title: Choices
requirements: { v5: [MQTT-3.8.4-1], v3.1.1: [MQTT-3.8.4-1] }
clients: { a: {} }
steps:
  - a: { expect: PINGRESP, choice: { surplus-byte: ignore } }
  - a: { expect: PINGRESP, choice: { surplus-bytes: ignored } }
  - a: { expect: closed, choice: { keep-alive-delay: 6s } }
  - a: { expect: closed, choice: { close-style: { fin: fin, rst: rst } } }
  - a: { expect: closed, choice: { takeover-notice: { said: disconnect-0x8f } } }
  - a: { expect: PINGRESP, choice: { share-in-3.1.1: shared } }
verify:
  - records: { choice: offline-qos0, payload: x, to: a, by_count: { 0: drop, one: queued } }
  - records: { choice: send-window, payload: x, to: a, by_count: { 1: 1 } }
  - record: { choice: send-window }
"#
    ));
}

#[test]
fn cases_bind_what_they_use() {
    insta::assert_snapshot!(problems(
        r#"title: Cases
requirements: { v5: [MQTT-3.8.4-1] }
cases:
  one: { topic: a, surplus: 1 }
  two: { topik: b }
clients: { a: {} }
steps:
  - a: connect
  - a: { subscribe: $topic }
"#
    ));
}

#[test]
fn what_belongs_to_a_websocket_is_refused_elsewhere() {
    let found = problems(
        r#"title: Transports
requirements: { v5: [MQTT-6.0.0-1] }
clients:
  plain:  { frames: bytes }
  socket: { transport: websocket, frames: halves }
steps:
  - plain: { send_text: '"hello"' }
  - socket: { connect: { transport: tcp } }
  - socket: { send_text: 'C0 00' }
"#,
    );
    for expected in [
        "`frames` is for a client with `transport: websocket`",
        "unknown frames `halves`",
        "`send_text` is for a client with `transport: websocket`",
        "`transport` belongs to the client and cannot change",
        "a text frame holds UTF-8, and these bytes are not",
    ] {
        assert!(found.contains(expected), "{expected} in\n{found}");
    }
}

#[test]
fn mutations_name_the_nearest_packet_and_protocol() {
    insta::assert_snapshot!(problems(
        r#"title: Mutations
mutations: { packet: [PUBLSH, AUTH, reserve], protocol: [5.1, 3.1.1], state: conected }
clients: { a: {} }
steps:
  - a: open
  - a: { send_bytes: $bytes }
  - a: { expect: closed, reason_if_sent: $reasons }
"#
    ));
}

#[test]
fn mutations_bind_what_the_steps_have_to_use() {
    insta::assert_snapshot!(problems(
        r#"title: Mutations
mutations: { packet: PINGREQ, protocol: 5.0, form: short }
cases: { one: { bytes: "00" } }
clients: { a: {} }
steps:
  - a: connect
  - a: { send_bytes: $byte }
  - a: { expect: closed }
"#
    ));
    let file = parse_file(
        "test",
        SourceText::new(
            "test.yaml",
            r#"title: Mutations
mutations: { packet: [PINGREQ, reserved], protocol: [5.0, 3.1.1] }
clients: { a: {} }
steps:
  - a: connect
  - a: { send_bytes: $bytes }
  - a: { expect: closed, reason_if_sent: $reasons }
"#,
        ),
    )
    .expect("it has no mistakes");
    let cases: Vec<String> = file
        .scenarios
        .iter()
        .map(|scenario| {
            format!("{} {:?}", scenario.case.as_deref().unwrap_or_default(), scenario.requirements)
        })
        .collect();
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn no_yaml_is_one_problem_with_a_place() {
    insta::assert_snapshot!(problems("title: [open\nsteps: }\n"));
}

#[test]
fn the_whole_suite_is_without_mistakes_and_fits_the_schema() {
    let suite = match Suite::load(&suite_folder(), &[]) {
        Ok(suite) => suite,
        Err(error) => panic!("{error}"),
    };
    assert!(suite.files.len() >= 80, "{} files", suite.files.len());
    let validator = jsonschema::validator_for(&schema()).expect("the schema is a schema");
    let mut wrong = Vec::new();
    for file in &suite.files {
        let value: serde_json::Value = serde_yaml::from_str(&file.source.text).expect("it is YAML");
        let errors = validator
            .iter_errors(&value)
            .map(|error| format!("{} {}", error.instance_path(), error.instance()));
        wrong.extend(errors.map(|error| format!("{}: {error}", file.source.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let validator = jsonschema::validator_for(&schema()).expect("the schema is a schema");
    for wrong in [
        serde_json::json!({ "title": "t", "clients": {}, "steps": [], "sceps": [] }),
        serde_json::json!({ "title": 1, "clients": {}, "steps": [] }),
        serde_json::json!({ "title": "t", "clients": { "a": { "sesion": "clean" } }, "steps": [] }),
        serde_json::json!({ "title": "t", "clients": { "a": {} }, "steps": [{ "a": { "publish": "t", "qos": 3 } }] }),
        serde_json::json!({ "title": "t", "clients": { "a": {} }, "steps": [{ "wait": "2" }] }),
        serde_json::json!({ "title": "t", "clients": {}, "steps": [], "mutations": { "packet": "PUBLSH", "protocol": 5.0 } }),
        serde_json::json!({ "title": "t", "clients": {}, "steps": [], "mutations": { "packet": "PUBLISH" } }),
    ] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}

#[test]
fn a_name_that_is_not_there_is_answered_with_the_nearest() {
    let error = Suite::load(&suite_folder(), &["qos/downgrad".into()]).expect_err("there is none");
    assert!(
        matches!(&error, SuiteError::NotFound { nearest: Some(near), .. } if near == "qos/downgrade"),
        "{error}"
    );
}

#[test]
fn the_embedded_suite_is_that_of_the_folder() {
    let folder = Suite::load(&suite_folder(), &[]).expect("the folder");
    let embedded = Suite::embedded(&[]).expect("the embedded one");
    let names =
        |suite: &Suite| suite.scenarios().map(|(_, scenario)| scenario.full_name()).collect::<Vec<_>>();
    assert_eq!(names(&folder), names(&embedded));
}

/// Words of five letters or more in bytes by hand that name neither topic nor client.
const NO_NAMES: &[&str] = &["secret", "assay", "nobody", "HTTP/1", "MQTTT"];

#[test]
fn what_says_that_it_has_names_of_its_own_has_no_others() {
    let suite = Suite::load(&suite_folder(), &[]).unwrap_or_else(|error| panic!("{error}"));
    let options = PlanOptions {
        topic_prefix: Some("1f2e/17".into()),
        client_id_prefix: Some("a1b2c3n17c".into()),
        ..PlanOptions::default()
    };
    let mut looked_at = 0;
    let mut foreign = Vec::new();
    // The table of mutations has a test of its own.
    let says = |scenario: &Scenario| scenario.own_names && !scenario.name.starts_with("malformed/mutations/");
    for (_, scenario) in suite.scenarios().filter(|(_, scenario)| says(scenario)) {
        for version in scenario.requirements.keys().copied() {
            let plan = Plan::new(scenario, version, &options).expect("it has a plan");
            for step in &plan.steps {
                let StepAct::Client { act: Act::SendBytes(bytes), .. } = &step.act else { continue };
                looked_at += 1;
                let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'/' || *byte == b'-';
                for word in bytes.split(|byte| !is_letter(byte)) {
                    let text = String::from_utf8_lossy(word);
                    let filler = word.iter().all(|byte| Some(byte) == word.first());
                    let own = text.contains("1f2e/17/") || text.contains("a1b2c3n17c");
                    if word.len() > 4 && !own && !filler && !NO_NAMES.contains(&text.as_ref()) {
                        foreign.push(format!("{} {version}: {text}", scenario.full_name()));
                    }
                }
            }
        }
    }
    assert!(looked_at > 200, "{looked_at}");
    assert!(
        foreign.is_empty(),
        "{} of {looked_at}:\n{}",
        foreign.len(),
        foreign[..foreign.len().min(40)].join("\n")
    );
}
