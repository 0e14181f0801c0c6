//! Scenarios as text: what is written reads back as the same scenario, and as the same plan in every version.

use std::path::{Path, PathBuf};

use assay::scenario::{
    Action, BECAUSE, ClientAct, ExpectSpec, Field, FieldValue, Plan, PlanOptions, Scenario, Suite, Value,
    WorldKind, parse_file, write,
};
use assay::text::{NodeId, SourceText};

fn suite() -> Suite {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    Suite::load(&folder, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// Everything about a value but the places in its file.
fn placeless(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let mut parts = text.split("NodeId(");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    out
}

/// The scenario without what a file of one case cannot have.
fn bare(scenario: &Scenario) -> Scenario {
    let mut bare = scenario.clone();
    bare.name = "written".into();
    bare.case = None;
    for step in &mut bare.steps {
        step.text.clear();
        step.at = NodeId::default();
    }
    bare
}

fn plan(scenario: &Scenario, version: reference_broker::codec::ProtocolVersion) -> String {
    let plan = Plan::new(scenario, version, &PlanOptions::default()).expect("it has a plan");
    let steps: Vec<_> =
        plan.steps.iter().map(|step| (&step.act, &step.judges, step.duty, &step.note)).collect();
    let rest = (&plan.clients, &plan.verify, &plan.records, &plan.needs, &plan.config, &plan.network);
    placeless(&(steps, rest, &plan.requirements))
}

#[test]
fn every_case_of_the_suite_is_written_and_read_back_the_same() {
    let suite = suite();
    let mut plans = 0;
    for (_, scenario) in suite.scenarios() {
        let name = scenario.full_name();
        let bare_one = bare(scenario);
        let text = write(&bare_one, &["a remark".into()]);
        let file = parse_file("written", SourceText::new("written.yaml", text.clone()))
            .unwrap_or_else(|problems| panic!("{name}: {problems}\n{text}"));
        assert_eq!(file.scenarios.len(), 1, "{name}");
        assert_eq!(placeless(&bare(&file.scenarios[0])), placeless(&bare_one), "{name}\n{text}");
        for version in scenario.requirements.keys() {
            assert_eq!(plan(&file.scenarios[0], *version), plan(scenario, *version), "{name}\n{text}");
            plans += 1;
        }
        assert_eq!(write(&file.scenarios[0], &["a remark".into()]), text, "{name}: written again");
        assert!(text.starts_with("# a remark\ntitle: "), "{name}\n{text}");
    }
    assert!(plans > 7_000, "{plans} plans");
}

/// A scenario of every kind of step that the suite has rarely or never.
const UNUSUAL: &str = r##"title: "Odd: but whole"
requirements:
  v5: [MQTT-3.1.4-5]
network: { latency: 1500us, loss: 12.5%, split: coalesced }
clients:
  a: { will: { topic: w, payload: "#", delay: 10s, user_properties: [[k, "1"]] }, protocol: 5.0, session_expiry: never }
  b: {}
steps:
  - a: open
  - a:
      send_bytes: |
        10 remaining str "MQTT"   # the name
        level 02 u16 60 properties str "a"
  - a:
      after: 1s
      expect_any:
        - { expect: PUBLISH, payload: [present], message_expiry: { at_least: 1s, at_most: 1m }, for: 2s }
        - - { expect: PUBACK, packet_id: { at_least: 1 }, reason: absent }
          - { expect: closed, choice: { takeover-notice: { 0x8E: disconnect-0x8e, silent: no-disconnect } } }
  - only: v5
    heal: all
    judges: [MQTT-3.1.4-5]
  - note: "one: two"
    partition: { from: b, to: broker }
  - b: { disconnect: { reason: Disconnect with Will Message } }
  - b: { subscribe: [{ filter: "a/#", no_local: true }, "${x}", "$x", "a${b"] }
verify:
  - exactly_once: { payload: [x, "m-{9..12}", m-14, m-15, "7"], to: [a, b] }
"##;

fn read(text: &str) -> Scenario {
    let file =
        parse_file("odd", SourceText::new("odd.yaml", text)).unwrap_or_else(|it| panic!("{it}\n{text}"));
    file.scenarios[0].clone()
}

#[test]
fn unusual_steps_are_written_as_people_write_them() {
    let scenario = read(UNUSUAL);
    let text = write(&scenario, &[]);
    assert_eq!(placeless(&bare(&read(&text))), placeless(&bare(&scenario)), "{text}");
    assert!(text.contains("        level 02 u16 60 properties str \"a\"\n"), "{text}");
    assert!(text.contains("payload: [x, \"m-{9..12}\", m-14, m-15, \"7\"], to: [a, b]"), "{text}");
    assert!(text.contains("  - only: v5\n    heal: all\n    judges: [MQTT-3.1.4-5]\n"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn what_the_language_has_no_words_for_is_left_out_and_the_rest_stays() {
    let mut scenario = read(
        "title: t\nrequirements: { v5: [MQTT-3.1.4-5] }\nclients: { a: {} }\nsteps:\n  - a: connect\n  - a: { publish: t, qos: 1 }\n",
    );
    scenario.worlds = Some(vec![WorldKind::Core]);
    scenario.requirements.insert(reference_broker::codec::ProtocolVersion::V3_1_1, Vec::new());
    let Action::Client { act: ClientAct::Publish { message, .. }, .. } = &mut scenario.steps[1].action else {
        panic!("a publish")
    };
    message.fields.push(FieldValue { field: Field::Qos, value: Value::Number(2), at: NodeId(9) });
    let nested = ExpectSpec::Sequence(vec![ExpectSpec::Open]);
    let mut step = scenario.steps[0].clone();
    step.action = Action::Client {
        client: 0,
        act: ClientAct::Expect { alternatives: vec![nested], choices: Vec::new() },
        within: None,
        after: None,
        window: None,
    };
    scenario.steps.push(step);
    let text = write(&scenario, &["two\nlines".into()]);
    let again = read(&text);
    assert!(text.starts_with("# two\n# lines\ntitle: t\n"), "{text}");
    assert!(text.contains(&format!("because: {BECAUSE}\n")), "{text}");
    assert!(text.contains("  - a: { publish: t, qos: 2 }\n"), "{text}");
    assert_eq!(again.requirements.len(), 1, "{text}");
    assert_eq!(again.steps.len(), 3, "{text}");
}
