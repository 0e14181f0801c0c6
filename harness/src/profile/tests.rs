//! Profiles are read, and their mistakes shown.

use super::*;

fn problems(text: &str) -> Vec<(usize, usize, String, Option<String>)> {
    let problems = Profile::parse(SourceText::new("p.yaml", text)).expect_err("it has mistakes");
    problems.list.into_iter().map(|it| (it.line, it.column, it.message, it.help)).collect()
}

fn profile(text: &str) -> Profile {
    Profile::parse(SourceText::new("p.yaml", text)).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A mistake in one line of a profile that is otherwise in order: where, what, and the help.
#[track_caller]
fn mistake(text: &str, place: (usize, usize), message: &str, help: &str) {
    let found = problems(text);
    assert_eq!(found.len(), 1, "{found:?}");
    let (line, column, said, helped) = &found[0];
    assert_eq!((*line, *column), place, "{found:?}");
    assert!(said.contains(message), "{found:?}");
    assert!(helped.as_deref().unwrap_or_default().contains(help), "{found:?}");
}

const HEAD: &str = "name: x\nstart:\n  command: [x, \"{port}\"]\n";

#[test]
fn the_shipped_profiles_can_be_read() {
    for name in Profile::shipped() {
        let profile = Profile::load(name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(profile.name, name);
        assert!(profile.has(Capability::ProcessControl));
        assert!(name == "reference" || !profile.install.is_empty(), "{name} says where it is to be had");
    }
    let reference = Profile::load("reference").expect("it is there");
    assert!(reference.has(Capability::Configuration) && !reference.has(Capability::Persistence));
    let mosquitto = Profile::load("mosquitto").expect("it is there");
    assert!(reference.has(Capability::WebSocket));
    assert!(mosquitto.has(Capability::Configuration) && mosquitto.has(Capability::Persistence));
    assert_eq!(mosquitto.claim(Capability::WebSocket), Some(true));
    assert_eq!(
        (mosquitto.claim(Capability::Qos2), mosquitto.claim(Capability::Configuration)),
        (None, Some(true))
    );
}

#[test]
fn all_mistakes_are_shown_each_at_its_place() {
    let found = problems(
        "name: x\nstart:\n  comand: [a]\n  command: [a, \"{prot}\"]\n  ready-within: 5\nclaims:\n  qos2: true\n  retain: maybe\n",
    );
    let places: Vec<(usize, usize)> = found.iter().map(|it| (it.0, it.1)).collect();
    assert_eq!(places, [(3, 3), (4, 16), (5, 17), (7, 3), (8, 11)], "{found:?}");
    assert_eq!(found[0].3.as_deref(), Some("did you mean `command`?"));
    assert_eq!(found[1].3.as_deref(), Some("did you mean `port`?"));
    assert_eq!(found[3].3.as_deref(), Some("did you mean `qos-2`?"));
}

#[test]
fn what_is_missing_is_named() {
    let found = problems("install: { apt: x }\n");
    assert!(found.iter().any(|it| it.2.contains("`name` is missing")), "{found:?}");
    assert!(found.iter().any(|it| it.2.contains("`start` is missing")), "{found:?}");
    mistake("name: x\nstart: { command: [a, -c, \"{config}\"] }\n", (2, 8), "there is no `config`", "");
    mistake("name: x\nstart: { port: 7 }\n", (2, 8), "`command` is missing", "");
    let websocket = format!("{HEAD}claims: {{ websocket: true }}\n");
    mistake(&websocket, (4, 9), "nothing says on which port", "{websocket-port}");
    let credentials = format!("{HEAD}credentials: {{ user_name: me }}\n");
    mistake(&credentials, (4, 14), "`password` is missing", "");
}

#[test]
fn a_wrong_word_gets_the_nearest() {
    let of = |line: &str| format!("{HEAD}{line}\n");
    mistake(&of("instal: { apt: x }"), (4, 1), "`instal` is no key here", "`install`");
    mistake(&of("install: { atp: x }"), (4, 12), "`atp` is no registry", "`apt`");
    mistake(&of("stop: { singal: INT }"), (4, 9), "`singal` is no key here", "`signal`");
    mistake(&of("stop: { signal: TREM }"), (4, 17), "`TREM` is no signal", "`TERM`");
    mistake(&of("stop: { signal: INT, command: [x] }"), (4, 31), "not by both", "");
    mistake(&of("clock: libfaketimeTM"), (4, 8), "`libfaketimeTM` is no clock", "`libfaketimeMT`");
    mistake(&of("log-file: \"{dri}/log\""), (4, 11), "`dri` is no placeholder", "`dir`");
    mistake(&of("claims: { persistance: none }"), (4, 11), "`persistance` is no key", "`persistence`");
    mistake(&of("claims: { persistence: periodic }"), (4, 24), "no kind of persistence", "within 2s");
    mistake(&of("claims: { persistence: within 2 }"), (4, 24), "a duration with a unit after `within`", "");
    mistake(&of("claims: { configuration: true }"), (4, 11), "is not a claim", "`configurations`");
    mistake(&of("  files: { a.conf: x }"), (4, 12), "nothing uses `{file-a.conf}`", "");
    mistake(&of("  files: { ../a: x }"), (4, 12), "no name of a file", "");
    mistake(&of("  ports: { grpc: free }"), (4, 12), "nothing uses `{port-grpc}`", "");
    mistake(&of("  ports: { 4.0: free }"), (4, 12), "`4.0` is no name of a port", "3.1.1");
    mistake(&of("  ports: { grpc: 70000 }"), (4, 18), "a port from 1 to 65535", "");
    mistake(
        &of("  config: \"{settings}\"\nconfigurations: { max-qos: \"q {value}\" }"),
        (5, 19),
        "no setting",
        "",
    );
    mistake(
        &of("  config: \"{settings}\"\nconfigurations: { maximum-qos: \"q\" }"),
        (5, 32),
        "no `{value}`",
        "",
    );
    mistake(&of("configurations: { maximum-qos: \"q {value}\" }"), (4, 17), "no file has `{settings}`", "");
}

#[test]
fn ports_files_and_the_rest_are_read() {
    let text = "
name: x
install: { npm: one two, cargo: three }
start:
  command: [x, \"{config}\", \"{port}\", \"{port-5.0}\", \"{port-epmd}\"]
  look-in: [/opt/x/bin]
  config: \"include {file-more.conf} { port } {settings}\"
  files: { more.conf: \"ws {port-websocket-3.1.1}\" }
  ports: { 5.0: free, epmd: free, fixed: 4369, websocket-3.1.1: free }
stop: { command: [x, stop], within: 3s }
configurations:
  maximum-qos: \"qos {value}\"
  retain-available: { \"false\": no retain }
log-file: \"{dir}/x.log\"
claims: { persistence: within 2s }
clock: libfaketime
";
    let profile = profile(text);
    let names: Vec<String> = profile.start.ports.keys().map(PortUse::placeholder).collect();
    assert_eq!(names, ["port", "port-5.0", "port-websocket-3.1.1", "port-epmd", "port-fixed"]);
    assert_eq!(profile.start.ports[&PortUse::Reserved("fixed".into())], Some(4369));
    // Its number is fixed, so two cannot run at a time.
    assert_eq!(profile.start.processes, 1);
    assert!(profile.start.listens_for_websocket_of(ProtocolVersion::V3_1_1));
    assert!(!profile.start.listens_for_websocket_of(ProtocolVersion::V5));
    assert_eq!(profile.stop.within, Duration::from_secs(3));
    assert_eq!(profile.persistence, Persistence::Within(Duration::from_secs(2)));
    assert_eq!(profile.persistence.to_string(), "within 2s");
    assert_eq!(profile.clock.map(Clock::library), Some("libfaketime"));
    assert_eq!(
        profile.install.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["npm install --global one two", "cargo install three"]
    );
    let setting = |key: &str, value: &str| (key.to_string(), value.to_string());
    let can = [setting("maximum-qos", "1"), setting("retain-available", "false")];
    assert_eq!(profile.lacks(&can), None);
    assert_eq!(profile.settings_text(&can), "qos 1\nno retain\n");
    for cannot in [setting("retain-available", "true"), setting("access", "deny")] {
        assert_eq!(profile.lacks(std::slice::from_ref(&cannot)), Some(&cannot));
    }
}

/// A profile as JSON; keys that YAML takes for numbers become text.
fn json(text: &str) -> serde_json::Value {
    let document = Document::parse(SourceText::new("p.yaml", text)).expect("it is YAML");
    fn value(node: &crate::text::Node) -> serde_json::Value {
        use crate::text::NodeKind;
        match &node.kind {
            NodeKind::Null => serde_json::Value::Null,
            NodeKind::Bool(it) => (*it).into(),
            NodeKind::Integer(it) => (*it).into(),
            NodeKind::Float(it) => (*it).into(),
            NodeKind::Text(it) => it.as_str().into(),
            NodeKind::List(list) => list.iter().map(value).collect(),
            NodeKind::Map(map) => map.iter().map(|(_, key, it)| (key.clone(), value(it))).collect(),
        }
    }
    value(&document.root)
}

#[test]
fn the_schema_agrees_with_the_reader() {
    let validator = jsonschema::validator_for(&schema()).expect("the schema is a schema");
    for (name, text) in SHIPPED {
        let found: Vec<String> = validator.iter_errors(&json(text)).map(|it| it.to_string()).collect();
        assert!(found.is_empty(), "{name}: {found:?}");
    }
    for wrong in [
        "start: { command: [x] }",
        "name: x",
        "name: x\nstart: { comand: [x] }",
        "name: x\nstart: { command: [x], ports: { a: some } }",
        "name: x\nstart: { command: [x] }\nclaims: { qos2: true }",
        "name: x\nstart: { command: [x] }\nclaims: { persistence: periodic }",
        "name: x\nstart: { command: [x] }\nstop: { signal: KILL }",
        "name: x\nstart: { command: [x] }\ninstall: { atp: x }",
        "name: x\nstart: { command: [x], config: '{settings}' }\nconfigurations: { maximum-qos: x }",
        "name: x\nstart: { command: [x] }\nclock: other",
    ] {
        assert!(!validator.is_valid(&json(wrong)), "{wrong}");
        assert!(!problems(wrong).is_empty());
    }
}

#[test]
fn a_name_that_does_not_exist_gets_the_nearest() {
    let error = Profile::load("mosquito").expect_err("no such profile");
    assert_eq!(error.to_string(), "error: no profile is called `mosquito`; did you mean `mosquitto`?");
    assert!(matches!(Profile::load("no/such/file.yaml"), Err(ProfileError::Unreadable { .. })));
}

#[test]
fn braces_that_are_no_placeholders_stay() {
    let value = |word: &str| (word == "port").then(|| "7".to_string());
    assert_eq!(fill("jetstream { store: x } {port} {other} {", value), "jetstream { store: x } 7 {other} {");
}
