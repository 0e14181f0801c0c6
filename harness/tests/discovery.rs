//! What a broker has, found out over real sockets: from brokers that have everything, that lack one thing and say
//! so, that fail at it, and that let nobody in.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use assay::profile::Profile;
use assay::scenario::{CAPABILITIES, Capability};
use assay::session::Stopwatch;
use assay::text::SourceText;
use assay::world::live::{Discovered, FactRow, Found, LiveError, LiveOptions, Target, discover};
use reference_broker::codec::{PacketType, next_frame};

/// Discovery of a broker that answers: a wait for `$SYS` at most, with room for a busy machine.
const SOON: Duration = Duration::from_secs(10);

fn options<'a>(nonce: u64) -> LiveOptions<'a> {
    LiveOptions {
        nonce: nonce << 24 | u64::from(std::process::id()),
        assay: Some(env!("CARGO_BIN_EXE_assay").into()),
        ..LiveOptions::default()
    }
}

/// A profile of the reference broker with more arguments and more lines.
fn profile_text(arguments: &[&str], more: &str) -> String {
    let arguments: String = arguments.iter().map(|it| format!(", '{it}'")).collect();
    format!(
        "name: lean\nstart:\n  command: ['{{assay}}', serve, --listen, '127.0.0.1:{{port}}'{arguments}]\n{more}"
    )
}

/// The reference broker on a port of the system's choice, until it is dropped.
struct Served {
    process: Child,
    address: SocketAddr,
}

impl Served {
    fn start(arguments: &[&str]) -> Served {
        let mut process = Command::new(env!("CARGO_BIN_EXE_assay"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
        let address = line.trim().rsplit(' ').next().and_then(|it| it.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in `{line}`"));
        Served { process, address }
    }

    fn discover(&self, nonce: u64) -> Discovered {
        let target = Target::from_url(&format!("mqtt://{}", self.address)).expect("an address");
        let watch = Stopwatch::start();
        let (_, found) = discover(&target, &options(nonce)).unwrap_or_else(|error| panic!("{error}"));
        assert!(watch.elapsed() < SOON, "{:?}", watch.elapsed());
        found
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn of_setting(setting: &str, nonce: u64) -> Discovered {
    Served::start(&["--set", setting]).discover(nonce)
}

fn found(discovered: &Discovered, capability: Capability) -> Found {
    discovered.row(capability).expect("every capability has a row").found
}

fn fact<'d>(discovered: &'d Discovered, name: &str) -> &'d FactRow {
    discovered.facts.iter().find(|fact| fact.name == name).unwrap_or_else(|| panic!("{name} is missing"))
}

/// What the end of a process and the profile alone show.
fn cannot_be_asked(capability: Capability) -> bool {
    matches!(capability, Capability::Persistence | Capability::ProcessControl | Capability::Configuration)
}

#[test]
fn the_reference_broker_has_everything() {
    let profile = Profile::load("reference").unwrap_or_else(|error| panic!("{error}"));
    let (_, discovered) =
        discover(&Target::Profile(Box::new(profile)), &options(1)).unwrap_or_else(|error| panic!("{error}"));
    for (name, capability, _) in CAPABILITIES {
        let row = discovered.row(*capability).expect("a row");
        let expected = if cannot_be_asked(*capability) { Found::Unknown } else { Found::Yes };
        assert_eq!(row.found, expected, "{name}: {}", row.evidence);
    }
    assert!(discovered.contradictions().is_empty(), "{:?}", discovered.contradictions());
    assert_eq!(fact(&discovered, "receive-maximum").value, 64);
    assert_eq!(fact(&discovered, "maximum-packet-size").value, 1 << 20);
    assert_eq!(fact(&discovered, "topic-alias-maximum").value, 32);
    assert_eq!(fact(&discovered, "maximum-qos").value, 2);
    assert_eq!(fact(&discovered, "retain-available").value, true);
    assert_eq!(fact(&discovered, "server-keep-alive").value, serde_json::Value::Null);
    assert_eq!(fact(&discovered, "sys-topics").value, false);
    assert!(fact(&discovered, "assigned-client-identifier").value.is_string());
}

#[test]
fn one_thing_that_is_switched_off_is_found_to_be_absent_and_nothing_else() {
    let table: [(&str, &[Capability]); 8] = [
        ("shared-subscription-available=false", &[Capability::SharedSubscriptions]),
        ("maximum-qos=1", &[Capability::Qos2]),
        ("maximum-qos=0", &[Capability::Qos1, Capability::Qos2]),
        ("retain-available=false", &[Capability::Retain]),
        ("wildcard-subscription-available=false", &[Capability::Wildcards]),
        ("subscription-identifier-available=false", &[Capability::SubscriptionIdentifiers]),
        ("topic-alias-maximum=0", &[Capability::TopicAlias]),
        ("empty-client-id=refuse", &[Capability::EmptyClientId]),
    ];
    std::thread::scope(|scope| {
        for (number, (setting, absent)) in table.into_iter().enumerate() {
            scope.spawn(move || {
                let discovered = of_setting(setting, 10 + number as u64);
                for (name, capability, _) in CAPABILITIES {
                    let row = discovered.row(*capability).expect("a row");
                    let expected = match capability {
                        it if absent.contains(it) => Found::No,
                        it if cannot_be_asked(*it) || *it == Capability::WebSocket => Found::Unknown,
                        _ => Found::Yes,
                    };
                    assert_eq!(row.found, expected, "{setting}: {name}: {}", row.evidence);
                }
                assert!(discovered.contradictions().is_empty(), "{setting}");
            });
        }
    });
}

#[test]
fn limits_are_told_as_the_broker_announces_them() {
    let table = [
        ("receive-maximum=3", "receive-maximum", 3),
        ("maximum-packet-size=64", "maximum-packet-size", 64),
        ("topic-alias-maximum=5", "topic-alias-maximum", 5),
        ("server-keep-alive=7", "server-keep-alive", 7),
        ("session-expiry-maximum=60", "session-expiry-interval", 60),
        ("maximum-qos=1", "maximum-qos", 1),
    ];
    std::thread::scope(|scope| {
        for (number, (setting, name, value)) in table.into_iter().enumerate() {
            scope.spawn(move || {
                let discovered = of_setting(setting, 30 + number as u64);
                assert_eq!(fact(&discovered, name).value, value, "{setting}");
                assert_eq!(found(&discovered, Capability::Retain), Found::Yes, "{setting}");
            });
        }
    });
}

#[test]
fn what_is_accepted_and_fails_is_broken_and_not_absent() {
    let table = [
        ("retained-not-stored", Capability::Retain),
        ("subscription-identifier-missing", Capability::SubscriptionIdentifiers),
        ("shared-serves-all", Capability::SharedSubscriptions),
        ("puback-missing", Capability::Qos1),
    ];
    let known: Vec<&str> = reference_broker::core::defects::all().iter().map(|defect| defect.id).collect();
    std::thread::scope(|scope| {
        for (number, (defect, capability)) in table.into_iter().enumerate() {
            assert!(known.contains(&defect), "there is no defect {defect}");
            scope.spawn(move || {
                let discovered = Served::start(&["--defect", defect]).discover(40 + number as u64);
                let row = discovered.row(capability).expect("a row");
                assert!(matches!(row.found, Found::Broken | Found::Unknown), "{defect}: {row:?}");
            });
        }
    });
}

#[test]
fn a_failure_does_not_hide_as_an_absent_capability() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "lean.yaml", &profile_text(&["--defect", "retained-not-stored"], ""));
    let (code, text) = assay(folder.path(), &["run", "retained/stored", "--profile", &path]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("FAIL retained/stored"), "{text}");
    assert!(text.contains("warning retain is announced or accepted, and does not work"), "{text}");
}

// ---- claims ----

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("it is written");
    path.display().to_string()
}

/// The command, in a folder of its own: its exit code and what it prints.
fn assay(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the command runs");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

const CHOSEN: [&str; 2] = ["shared/each-message-to-one-member", "connect/accepted"];

#[test]
fn a_claim_that_is_not_true_fails_the_run_and_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let claims = "claims: { shared-subscriptions: true }\n";
    let text = profile_text(&["--set", "shared-subscription-available=false"], claims);
    let path = write(folder.path(), "lean.yaml", &text);
    let json = folder.path().join("run.json");
    let format = format!("json={}", json.display());
    let arguments = ["run", CHOSEN[0], CHOSEN[1], "--profile", &path, "--format", &format];
    let (code, text) = assay(folder.path(), &arguments);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("FAIL shared-subscriptions is claimed, and is not there"), "{text}");
    let run: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&json).expect("the file")).expect("it is JSON");
    assert_eq!(run["contradictions"][0]["name"], "shared-subscriptions");
    assert_eq!(run["contradictions"][0]["weight"], "finding");
    assert_eq!(run["contradictions"].as_array().map(Vec::len), Some(1));
    assert_eq!(run["capabilities"].as_array().map(Vec::len), Some(CAPABILITIES.len()));
    assert_eq!(run["summary"]["fail"], 0);
    let skipped: Vec<&str> = run["results"]
        .as_array()
        .expect("results")
        .iter()
        .filter(|result| result["verdict"] == "skipped")
        .filter_map(|result| result["scenario"].as_str())
        .collect();
    assert!(!skipped.is_empty() && skipped.iter().all(|name| *name == CHOSEN[0]), "{skipped:?}");
    // Who does not want to know is told nothing, and what is claimed is asked.
    let (_, text) = assay(folder.path(), &["run", CHOSEN[0], "--profile", &path, "--no-discovery"]);
    assert!(!text.contains("is claimed") && !text.contains("needs shared-subscriptions"), "{text}");
}

#[test]
fn what_nobody_claims_and_is_not_there_is_skipped_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = profile_text(&["--set", "shared-subscription-available=false"], "");
    let path = write(folder.path(), "lean.yaml", &text);
    let (code, text) = assay(folder.path(), &["run", CHOSEN[0], CHOSEN[1], "--profile", &path, "-v"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("needs shared-subscriptions, which lean does not have"), "{text}");
    assert!(text.contains("Shared Subscription Available 0"), "{text}");
    assert!(text.contains("capabilities found: yes:"), "{text}");
    assert!(!text.contains("warning"), "{text}");
}

#[test]
fn what_is_denied_and_found_is_a_warning_and_stays_skipped() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = profile_text(&[], "claims: { shared-subscriptions: false }\n");
    let path = write(folder.path(), "lean.yaml", &text);
    let (code, text) = assay(folder.path(), &["run", CHOSEN[0], CHOSEN[1], "--profile", &path]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("warning shared-subscriptions is said not to be there, and was found"), "{text}");
    assert!(text.contains("needs shared-subscriptions"), "{text}");
}

#[test]
fn a_port_for_websocket_where_nobody_listens_is_a_claim_that_is_not_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    // Nobody tells the broker of it.
    let text = profile_text(&[], "").replace("start:\n", &format!("start:\n  websocket-port: {free}\n"));
    let path = write(folder.path(), "lean.yaml", &text);
    let (code, text) = assay(folder.path(), &["discover", "--profile", &path]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("FAIL websocket is claimed, and is not there"), "{text}");
}

#[test]
fn the_table_is_printed_and_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("found.json");
    let format = format!("json={}", json.display());
    let (code, text) = assay(folder.path(), &["discover", "--profile", "reference", "--format", &format]);
    assert_eq!(code, Some(0), "{text}");
    for (name, ..) in CAPABILITIES {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} is missing in\n{text}");
    }
    let file: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&json).expect("the file")).expect("it is JSON");
    assert_eq!(file["schema"], "assay-discovery/1");
    assert_eq!(file["capabilities"][0]["name"], CAPABILITIES[0].0);
    assert_eq!(file["capabilities"][0]["found"], "yes");
    assert!(file["facts"].as_array().is_some_and(|facts| facts.len() > 10), "{file}");
    for wrong in [
        &["discover"][..],
        &["discover", "--profile", "reference", "--broker", "mqtt://127.0.0.1"],
        &["discover", "--profile", "reference", "--format", "pdf=x"],
        &["discover", "--profile", "no-such-profile"],
        &["discover", "--broker", "mqtts://127.0.0.1"],
    ] {
        let (code, text) = assay(folder.path(), wrong);
        assert_eq!(code, Some(2), "{wrong:?}: {text}");
    }
}

// ---- brokers that are none ----

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Null {
    /// CONNACK with "not authorized" for every version.
    Refuses,
    /// Accepts connections and answers nothing.
    Silent,
    /// Answers everything with bytes that are no packet.
    Garbage,
    /// Closes every connection.
    Closes,
    /// Accepts every client and answers nothing else.
    AcceptsOnly,
    /// Knows 3.1.1 only and says so; answers nothing else.
    Old,
}

#[allow(clippy::disallowed_methods, reason = "a broker on real sockets, beside the harness")]
fn spawn(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

fn start(null: Null) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address: SocketAddr = listener.local_addr().expect("it is bound");
    spawn(move || {
        for stream in listener.incoming().flatten() {
            spawn(move || {
                let _ = serve(stream, null);
            });
        }
    });
    format!("mqtt://{address}")
}

fn serve(mut stream: TcpStream, null: Null) -> std::io::Result<()> {
    if null == Null::Closes {
        return Ok(());
    }
    let mut buffer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        buffer.extend_from_slice(&chunk[..count]);
        while let Ok(Some(frame)) = next_frame(&buffer, None) {
            let (kind, len) = (frame.packet_type(), frame.len());
            // Protocol Name, then the level.
            let level = frame.body.get(usize::from(frame.body.get(1).copied().unwrap_or(0)) + 2).copied();
            buffer.drain(..len);
            let connect = kind == Some(PacketType::Connect);
            match (null, connect, level) {
                (Null::Garbage, ..) => stream.write_all(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x13, 0x37])?,
                (Null::Refuses, true, Some(5)) => stream.write_all(&[0x20, 3, 0, 0x87, 0])?,
                (Null::Refuses, true, _) => stream.write_all(&[0x20, 2, 0, 5])?,
                (Null::AcceptsOnly, true, Some(5)) => stream.write_all(&[0x20, 3, 0, 0, 0])?,
                (Null::Old, true, Some(3 | 5)) => {
                    stream.write_all(&[0x20, 2, 0, 1])?;
                    return Ok(());
                }
                (Null::AcceptsOnly | Null::Old, true, _) => stream.write_all(&[0x20, 2, 0, 0])?,
                _ => {}
            }
        }
    }
}

#[test]
fn a_broker_that_lets_nobody_in_gets_one_message_and_exit_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = [
        (Null::Refuses, "accepts no client: 3.1: CONNACK 0x05 not authorized"),
        (Null::Silent, "nothing there answers a CONNECT"),
        (Null::Garbage, "nothing there answers a CONNECT"),
        (Null::Closes, "nothing there answers a CONNECT"),
    ];
    for (null, expected) in table {
        let url = start(null);
        for command in [&["discover"][..], &["run", "connect/accepted"]] {
            let watch = Stopwatch::start();
            let (code, text) = assay(folder.path(), &[command, &["--broker", &url]].concat());
            assert_eq!(code, Some(2), "{null:?} {command:?}: {text}");
            assert!(text.contains(expected), "{null:?}: {text}");
            assert_eq!(text.trim().lines().count(), 1, "{null:?}: {text}");
            assert!(watch.elapsed() < Duration::from_secs(20), "{null:?}: {:?}", watch.elapsed());
        }
    }
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let (code, text) = assay(folder.path(), &["discover", "--broker", &format!("mqtt://{free}")]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("no broker accepts connections"), "{text}");
}

#[test]
fn a_broker_that_wants_a_password_is_asked_with_one() {
    let text = |more: &str| profile_text(&["--set", "anonymous=false", "--set", "user=me:secret"], more);
    let parse = |text: String| {
        Target::Profile(Box::new(
            Profile::parse(SourceText::new("lean.yaml", text))
                .unwrap_or_else(|problems| panic!("{problems}")),
        ))
    };
    match discover(&parse(text("")), &options(50)) {
        Err(error @ LiveError::Unwelcome { credentials: false, .. }) => {
            assert!(error.to_string().contains("no user name was presented"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    match discover(&parse(text("credentials: { user_name: me, password: wrong }\n")), &options(51)) {
        Err(error @ LiveError::Unwelcome { credentials: true, .. }) => {
            assert!(error.to_string().contains("with the user name and password"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let right = parse(text("credentials: { user_name: me, password: secret }\n"));
    let (_, discovered) = discover(&right, &options(52)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found(&discovered, Capability::Qos2), Found::Yes);
}

#[test]
fn a_broker_that_answers_nothing_but_connect_has_nothing_and_lacks_nothing() {
    let target = Target::from_url(&start(Null::AcceptsOnly)).expect("an address");
    let watch = Stopwatch::start();
    let (_, discovered) = discover(&target, &options(60)).unwrap_or_else(|error| panic!("{error}"));
    assert!(watch.elapsed() < Duration::from_secs(20), "{:?}", watch.elapsed());
    for capability in [Capability::Qos1, Capability::Qos2, Capability::Retain, Capability::Wildcards] {
        assert_eq!(found(&discovered, capability), Found::Unknown, "{:?}", discovered.row(capability));
    }
    assert_eq!(found(&discovered, Capability::Mqtt5), Found::Yes);
    // It announces no Topic Alias Maximum, so it has none; it assigned no identifier.
    assert_eq!(found(&discovered, Capability::TopicAlias), Found::No);
    assert_eq!(found(&discovered, Capability::EmptyClientId), Found::Broken);
}

#[test]
fn a_version_that_is_refused_in_the_words_of_another_is_absent() {
    let target = Target::from_url(&start(Null::Old)).expect("an address");
    let (_, discovered) = discover(&target, &options(61)).unwrap_or_else(|error| panic!("{error}"));
    let of = |capability| found(&discovered, capability);
    assert_eq!(
        [of(Capability::Mqtt31), of(Capability::Mqtt311), of(Capability::Mqtt5)],
        [Found::No, Found::Yes, Found::No]
    );
    assert_eq!(of(Capability::SubscriptionIdentifiers), Found::No);
    let row = discovered.row(Capability::Mqtt5).expect("a row");
    assert!(row.evidence.contains("0x01 unacceptable protocol version"), "{}", row.evidence);
    assert!(discovered.facts.iter().all(|fact| fact.name == "sys-topics"), "{:?}", discovered.facts);
}

// ---- traces ----

/// What a client of 3.1.1 gets that subscribes to everything.
fn retained_at(address: SocketAddr) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("the broker is there");
    stream.set_read_timeout(Some(SOON)).expect("it can be set");
    // CONNECT as "late", SUBSCRIBE to # at QoS 0, PINGREQ.
    stream
        .write_all(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3C\x00\x04late\x82\x06\x00\x01\x00\x01#\x00\xC0\x00")
        .expect("it is sent");
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while !bytes.ends_with(&[0xD0, 0]) {
        let count = stream.read(&mut chunk).expect("an answer in time");
        assert!(count > 0, "closed after {bytes:?}");
        bytes.extend_from_slice(&chunk[..count]);
    }
    bytes
}

#[test]
fn nothing_is_left_behind() {
    let broker = Served::start(&[]);
    let discovered = broker.discover(70);
    assert_eq!(found(&discovered, Capability::Retain), Found::Yes);
    let left = retained_at(broker.address);
    // CONNACK, SUBACK, PINGRESP.
    assert_eq!(left, b"\x20\x02\x00\x00\x90\x03\x00\x01\x00\xD0\x00");
}
