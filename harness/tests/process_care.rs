//! Brokers that misbehave as processes: one clear word for each, and nothing that outlives the run.
//!
//! The broker is in this test's own executable: profiles start it again with the name of one test, and the
//! environment says what is wrong with it. It knows CONNECT and nothing else.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use assay::profile::Profile;
use assay::scenario::parse_file;
use assay::text::SourceText;
use assay::world::live::{
    Condition, LiveCase, LiveError, LiveOptions, Symptom, Target, check_up, discover, run,
};
use reference_broker::codec::ProtocolVersion;
use rustix::process::{Pid, test_kill_process};

// ---- the broker ----

#[allow(clippy::disallowed_methods, reason = "a broker on real sockets, beside the harness")]
fn spawn(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

fn variable(name: &str) -> Option<String> {
    // The profile of a test is what sets it.
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}

/// Lets real time pass in the broker's own process.
fn pass(time: Duration) {
    let (_sender, nobody) = mpsc::channel::<()>();
    let _ = nobody.recv_timeout(time);
}

/// Somebody has sent poison, and the listener for 5.0 serves nobody any more.
static POISONED: AtomicBool = AtomicBool::new(false);

/// Answers each CONNECT of one of the levels with CONNACK, later by `delay`.
fn serve(listener: TcpListener, levels: &'static [u8], delay: Duration) {
    for mut stream in listener.incoming().flatten() {
        if levels == [5] && POISONED.load(Ordering::Relaxed) {
            continue;
        }
        spawn(move || {
            let mut chunk = [0; 256];
            let Ok(count) = stream.read(&mut chunk) else { return };
            // A fixed header of two bytes, the Protocol Name with its length, the level.
            let name = usize::from(chunk[3]);
            let level = chunk[4 + name];
            if count < 5 + name || chunk[0] != 0x10 || !levels.contains(&level) {
                return;
            }
            pass(delay);
            let connack: &[u8] = if level == 5 { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] };
            let _ = stream.write_all(connack);
            let Ok(count) = stream.read(&mut chunk) else { return };
            if chunk[..count].windows(6).any(|bytes| bytes == b"poison") {
                POISONED.store(true, Ordering::Relaxed);
            }
        });
    }
}

/// Knows TLS only: an alert for a ClientHello, and no word for anything else.
fn insist_on_tls(listener: &TcpListener) {
    let answer = |stream: &mut TcpStream| {
        let mut first = [0];
        if stream.read_exact(&mut first).is_ok() && first == [0x16] {
            let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 40]);
            // Closed before everything was read, it would be reset and the alert with it.
            let _ = stream.read(&mut [0; 256]);
        }
    };
    listener.incoming().flatten().for_each(|mut stream| answer(&mut stream));
}

fn ignore_sigterm() {
    let (ready, listening) = mpsc::channel();
    spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let kind = tokio::signal::unix::SignalKind::terminate();
            let mut signals = tokio::signal::unix::signal(kind).expect("it can be caught");
            let _ = ready.send(());
            while signals.recv().await.is_some() {}
        });
    });
    listening.recv().expect("it listens");
}

/// The broker that profiles of other tests start. In an ordinary run nobody asks for one.
#[test]
fn broker() {
    let port = |name: &str| {
        let port = variable(name)?.parse::<u16>().ok()?;
        Some(TcpListener::bind(("127.0.0.1", port)).expect("the port is free"))
    };
    let Some(listener) = port("BROKER_PORT") else {
        assert_eq!(
            variable("BROKER_IS"),
            None,
            "a profile that says what the broker is says its port as well"
        );
        return;
    };
    let at_once = Duration::ZERO;
    match variable("BROKER_IS").as_deref() {
        Some("deaf") => ignore_sigterm(),
        Some("flooding") => {
            ignore_sigterm();
            spawn(|| {
                let line = [b'x'; 1023];
                for _ in 0..20 << 10 {
                    let mut out = std::io::stdout().lock();
                    let _ = out.write_all(&line).and_then(|()| out.write_all(b"\n"));
                }
                println!("the last line");
            });
        }
        Some("slow") => return serve(listener, &[3, 4, 5], Duration::from_millis(400)),
        Some("late") => return serve(listener, &[3, 4, 5], Duration::from_millis(1400)),
        Some("tls") => return insist_on_tls(&listener),
        Some("parent") => {
            let mut command = Command::new("sleep");
            let mut child = command.arg("300").process_group(0).spawn().expect("it starts");
            std::fs::write(variable("BROKER_CHILD").expect("a file"), child.id().to_string())
                .expect("written");
            spawn(move || {
                let _ = child.wait();
            });
        }
        Some("apart") => {
            let other = port("BROKER_PORT_5").expect("a port for 5.0");
            // The one for 5.0 opens last, and a broker is not ready before.
            spawn(move || serve(other, &[5], at_once));
            return serve(listener, &[4], at_once);
        }
        _ => {}
    }
    serve(listener, &[3, 4, 5], at_once);
}

/// A profile that starts the broker above, with more lines behind its command and at the end.
fn profile(is: &str, start: &str, more: &str) -> Profile {
    let text = format!(
        "name: clumsy\nstart:\n  command: ['{{assay}}', broker, --exact, --nocapture]\n{start}\
         env:\n  BROKER_PORT: '{{port}}'\n  BROKER_IS: {is}\n{more}"
    );
    Profile::parse(SourceText::new("clumsy.yaml", text)).unwrap_or_else(|problems| panic!("{problems}"))
}

fn options<'a>(nonce: u64) -> LiveOptions<'a> {
    LiveOptions {
        nonce: nonce << 24 | u64::from(std::process::id()),
        assay: Some(std::env::current_exe().expect("this executable")),
        ..LiveOptions::default()
    }
}

fn bad(symptoms: &[Symptom]) -> Vec<(&str, &str)> {
    let bad = symptoms.iter().filter(|symptom| symptom.condition == Condition::Bad);
    bad.map(|symptom| (symptom.what.as_str(), symptom.text.as_str())).collect()
}

#[track_caller]
fn only_complaint<'s>(symptoms: &'s [Symptom], what: &str) -> &'s str {
    let bad = bad(symptoms);
    assert_eq!(bad.len(), 1, "{symptoms:?}");
    assert_eq!(bad[0].0, what, "{symptoms:?}");
    bad[0].1
}

#[test]
fn one_that_is_in_order_gives_no_cause_for_complaint() {
    let symptoms = check_up(&profile("sound", "", ""), &options(1));
    assert!(bad(&symptoms).is_empty(), "{symptoms:?}");
    let text = |what: &str| symptoms.iter().find(|it| it.what == what).map(|it| it.text.as_str());
    assert_eq!(text("5.0"), Some("CONNACK Success"));
    assert!(text("stop").is_some_and(|text| text.contains("after SIGTERM")), "{symptoms:?}");
}

#[test]
fn one_that_hangs_when_it_is_stopped_is_killed_and_named() {
    let symptoms = check_up(&profile("deaf", "", "stop: { within: 300ms }\n"), &options(2));
    let text = only_complaint(&symptoms, "conduct");
    assert!(text.contains("hangs when it is stopped") && text.contains("within 300ms of SIGTERM"), "{text}");
    // It hears another signal.
    let symptoms = check_up(&profile("deaf", "", "stop: { signal: INT }\n"), &options(2));
    assert!(bad(&symptoms).is_empty(), "{symptoms:?}");
}

#[test]
fn one_is_stopped_by_its_own_command() {
    let stop = "stop: { command: [touch, '{dir}/stop'], within: 500ms }\n";
    let symptoms = check_up(&profile("sound", "", stop), &options(3));
    // The command works, and this broker does not listen to it.
    let text = only_complaint(&symptoms, "conduct");
    assert!(text.contains("did not end within 500ms after `touch`"), "{text}");
    let stop = "stop: { command: [assay-no-such-command], within: 500ms }\n";
    let symptoms = check_up(&profile("sound", "", stop), &options(3));
    let bad = bad(&symptoms);
    assert!(bad.iter().any(|(_, text)| text.contains("`assay-no-such-command` does not exist")), "{bad:?}");
}

#[test]
fn the_log_of_one_that_floods_it_is_cut() {
    let logs = tempfile::tempdir().expect("a folder");
    let options = LiveOptions { logs: Some(logs.path().to_path_buf()), ..options(4) };
    let symptoms = check_up(&profile("flooding", "", "stop: { within: 3s }\n"), &options);
    assert!(bad(&symptoms).iter().any(|(_, text)| text.contains("floods its log")), "{symptoms:?}");
    let entry = std::fs::read_dir(logs.path()).expect("it is there").flatten().next().expect("a log");
    let text = std::fs::read_to_string(entry.path()).expect("it is text");
    assert!(text.len() < 8 << 20, "{}", text.len());
    assert!(text.contains("was cut here") && text.contains("the last line"), "{}", text.len());
}

#[test]
fn one_that_is_slow_is_named_and_served_all_the_same() {
    let symptoms = check_up(&profile("slow", "", "tolerance: 200ms\n"), &options(5));
    let text = only_complaint(&symptoms, "conduct");
    assert!(text.contains("the broker is slow") && text.contains("after 0.4 s"), "{text}");
    // Slower than the patience of the first question.
    let symptoms =
        check_up(&profile("late", "", "claims: { mqtt-3.1: false, mqtt-5.0: false }\n"), &options(5));
    let bad = bad(&symptoms);
    assert!(bad.iter().any(|(_, text)| text.contains("the broker is slow")), "{symptoms:?}");
    assert!(symptoms.iter().any(|it| it.what == "start" && it.condition == Condition::Good), "{symptoms:?}");
}

#[test]
fn one_that_insists_on_tls_is_named() {
    let tls = profile("tls", "  ready-within: 500ms\n", "");
    let text = check_up(&tls, &options(6));
    let text = only_complaint(&text, "start");
    assert!(text.contains("speaks TLS") && text.contains("a listener without TLS"), "{text}");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    spawn(move || insist_on_tls(&listener));
    let target = Target::from_url(&format!("mqtt://{address}")).expect("an address");
    match discover(&target, &options(6)) {
        Err(error @ LiveError::Tls { .. }) => assert!(error.to_string().contains("speaks TLS"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_leaves_the_process_group_ends_with_its_broker() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("child");
    let more = format!("  BROKER_CHILD: {}\n", file.display());
    let symptoms = check_up(&profile("parent", "", &more), &options(7));
    assert!(bad(&symptoms).is_empty(), "{symptoms:?}");
    // A signal takes effect a moment after it was sent.
    let gone = (0..200).any(|_| {
        pass(Duration::from_millis(10));
        !runs(&file)
    });
    assert!(gone, "it outlives its broker");
}

fn runs(file: &Path) -> bool {
    let number = std::fs::read_to_string(file).expect("it was started").parse().expect("a number");
    // A process that has ended and that nobody waits for has no command line any more.
    let line = std::fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
    test_kill_process(Pid::from_raw(number).expect("a process")).is_ok() && !line.is_empty()
}

#[test]
fn each_version_is_asked_at_its_own_listener() {
    let start = "  ports: { 5.0: free }\n";
    let apart = profile("apart", start, "  BROKER_PORT_5: '{port-5.0}'\nclaims: { mqtt-3.1: false }\n");
    let symptoms = check_up(&apart, &options(8));
    assert!(bad(&symptoms).is_empty(), "{symptoms:?}");
    for version in ["3.1.1", "5.0"] {
        let symptom = symptoms.iter().find(|it| it.what == version).expect("it is asked");
        assert_eq!(symptom.text, "CONNACK Success", "{version}");
    }
    // At one listener for all, 5.0 gets no answer.
    let together = check_up(&profile("apart", start, "  BROKER_PORT_5: '{port-5.0}'\n").clone(), &options(9));
    let old = together.iter().find(|it| it.what == "3.1").expect("it is asked");
    assert_eq!(old.condition, Condition::Absent, "{together:?}");
}

#[test]
fn a_listener_that_dies_alone_is_a_death_of_the_broker() {
    let text = "
title: What kills one listener
requirements: { v5: [MQTT-4.3.2-2] }
clients: { one: {} }
steps:
  - one: connect
  - one: { send: PUBLISH, packet_id: 1, qos: 1, topic: t, payload: poison }
  - one: { expect: PUBACK, packet_id: 1, within: 500ms }
";
    let file = parse_file("deadly", SourceText::new("deadly", text)).unwrap_or_else(|it| panic!("{it}"));
    let scenario = file.scenarios.into_iter().next().expect("one case");
    let case = LiveCase { index: 0, scenario, version: ProtocolVersion::V5, seed: 1 };
    let more = "  BROKER_PORT_5: '{port-5.0}'\nclaims: { mqtt-3.1: false }\n";
    let target = Target::Profile(Box::new(profile("apart", "  ports: { 5.0: free }\n", more)));
    let options = LiveOptions { reruns: 0, discovery: false, ..options(10) };
    let mut outcomes = Vec::new();
    let summary = run(&target, vec![case], &options, &mut |outcome| outcomes.push(outcome));
    let summary = summary.unwrap_or_else(|error| panic!("{error}"));
    let crash = outcomes[0].crash.as_ref().expect("3.1.1 is served on, and 5.0 is not");
    assert!(crash.log.iter().any(|line| line.contains("answers no CONNECT any more")), "{:?}", crash.log);
    let _ = std::fs::remove_dir_all(summary.logs.expect("the output is kept"));
}

#[test]
fn doctor_says_what_is_missing_and_how_to_get_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.yaml");
    let text = "name: x\ninstall: { npm: assay-x }\nstart: { command: [assay-no-such-broker] }\n";
    std::fs::write(&file, text).expect("it can be written");
    let doctor = |profile: &str| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_assay")).args(["doctor", profile]).output().expect("it runs");
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    };
    let (code, text) = doctor(file.to_str().expect("a path"));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("BAD     program") && text.contains("`npm install --global assay-x`"), "{text}");
    let (code, text) = doctor("reference");
    assert_eq!(code, Some(0), "{text}");
    for line in ["ok      start", "ok      5.0       CONNACK Success", "ok      stop"] {
        assert!(text.contains(line), "{text}");
    }
    let (code, text) = doctor("mosquito");
    assert!(code == Some(2) && text.contains("did you mean `mosquitto`?"), "{text}");
}

#[test]
fn each_kind_of_file_has_a_schema() {
    let schema = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_assay")).args(words).output().expect("it runs");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("it is JSON")
    };
    assert_eq!(schema(&["schema", "profile"])["title"], "Assay profile");
    assert_eq!(schema(&["schema", "scenario"]), schema(&["schema"]));
    assert!(schema(&["schema", "profile"])["properties"]["start"]["properties"]["ports"].is_object());
}
