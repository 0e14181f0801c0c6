//! The live world's care for processes: a broker that dies of a packet, does not start, or has to end.
//!
//! The broker is the reference broker's shell inside this test's own executable: profiles start it again with
//! the name of one test, and the environment says what is wrong with it.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use assay::check::check;
use assay::profile::Profile;
use assay::run::StageOptions;
use assay::scenario::{Plan, PlanOptions, Scenario, Suite, parse_file};
use assay::text::SourceText;
use assay::verdict::{Finding, Verdict, Weight, verdict_of};
use assay::world::live::{
    Instead, LiveCase, LiveError, LiveOptions, LiveOutcome, StartError, Summary, Target, run,
};
use assay::world::{Played, core, sim};
use reference_broker::codec::{Packet, ProtocolVersion, decode};
use reference_broker::core::{Broker, Config};
use reference_broker::shell::{Accept, serve};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

// ---- the broker ----

/// Where the last message went.
static LAST_TOPIC: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// A stream whose reader ends the process when it reads `poison`, and halts it when it reads `frozen`. In a leaky broker
/// its writer sends behind each CONNACK a message on the topic of the last one.
struct Mortal(TcpStream);

impl AsyncRead for Mortal {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        // PUBLISH with QoS 1.
        if let [0b0011_0010, _, high, low, rest @ ..] = &buffer.filled()[before..] {
            let topic = &rest[..usize::from(u16::from_be_bytes([*high, *low]))];
            *LAST_TOPIC.lock().expect("one at a time") = Some(topic.to_vec());
        }
        if buffer.filled()[before..].windows(6).any(|bytes| bytes == b"poison") {
            eprintln!("assertion failed: nobody sends poison");
            std::process::abort();
        }
        if buffer.filled()[before..].windows(6).any(|bytes| bytes == b"frozen") {
            loop {
                std::thread::park();
            }
        }
        read
    }
}

impl AsyncWrite for Mortal {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if variable("BROKER_IS").as_deref() == Some("leaky")
            && bytes.first() == Some(&0x20)
            && let Some(topic) = LAST_TOPIC.lock().expect("one at a time").clone()
        {
            let mut more = vec![0x30, topic.len() as u8 + 3, 0, topic.len() as u8];
            more.extend(topic);
            more.push(0);
            if self.0.try_write(&[bytes, &more].concat()).is_ok() {
                return Poll::Ready(Ok(bytes.len()));
            }
        }
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

struct Mortals(tokio::net::TcpListener);

impl Accept for Mortals {
    type Stream = Mortal;

    async fn accept(&mut self) -> io::Result<(Mortal, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((Mortal(stream), peer))
    }
}

fn variable(name: &str) -> Option<String> {
    // The profile of a test is what sets it.
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}

/// The broker that profiles of other tests start. In an ordinary run nobody asks for one.
#[test]
fn broker() {
    let Some(port) = variable("BROKER_PORT").and_then(|port| port.parse::<u16>().ok()) else {
        assert_eq!(
            variable("BROKER_IS"),
            None,
            "a profile that says what the broker is says its port as well"
        );
        return;
    };
    if let Some(path) = variable("BROKER_PIDS") {
        std::fs::write(Path::new(&path).join(std::process::id().to_string()), "").expect("it can be written");
    }
    match variable("BROKER_IS").as_deref() {
        Some("dead") => {
            eprintln!("cannot open the licence file");
            std::process::exit(3);
        }
        Some("mute") => {
            let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
            let _kept: Vec<_> = listener.incoming().collect();
        }
        _ => {}
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be built");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
        let broker = Broker::new(Config::default(), 1);
        serve(Mortals(listener), broker, std::future::pending()).await.expect("it serves");
    });
}

/// A profile that starts the broker above, with more lines behind its command.
fn profile(is: &str, more: &str, pids: &Path) -> Target {
    let text = format!(
        "name: mortal\nstart:\n  command: ['{{assay}}', broker, --exact, --nocapture]\n{more}\
         env:\n  BROKER_PORT: '{{port}}'\n  BROKER_IS: {is}\n  BROKER_PIDS: {}\n",
        pids.display()
    );
    let profile =
        Profile::parse(SourceText::new("mortal.yaml", text)).unwrap_or_else(|problems| panic!("{problems}"));
    Target::Profile(Box::new(profile))
}

fn judge(plan: &Plan, played: &Played) -> Vec<Finding> {
    let ours = played.findings.iter().filter(|finding| finding.by == "live" || finding.by == "sim");
    let ours: Vec<Finding> = ours.cloned().collect();
    if ours.is_empty() { check(plan, &played.history) } else { ours }
}

fn options<'a>(nonce: u64) -> LiveOptions<'a> {
    LiveOptions {
        nonce: nonce << 24 | u64::from(std::process::id()),
        brokers: 4,
        most_brokers: 4,
        reruns: 1,
        judge: &judge,
        assay: Some(std::env::current_exe().expect("this executable")),
        ..LiveOptions::default()
    }
}

fn scenario(name: &str, text: &str) -> Scenario {
    let file = parse_file(name, SourceText::new(name, text)).unwrap_or_else(|problems| panic!("{problems}"));
    file.scenarios.into_iter().next().expect("one case")
}

fn cases(scenarios: Vec<Scenario>) -> Vec<LiveCase> {
    let cases = scenarios.into_iter().enumerate();
    cases
        .map(|(index, scenario)| LiveCase { index, scenario, version: ProtocolVersion::V5, seed: 1 })
        .collect()
}

fn all(target: &Target, scenarios: Vec<Scenario>, options: &LiveOptions<'_>) -> (Vec<LiveOutcome>, Summary) {
    let mut outcomes = Vec::new();
    let summary = run(target, cases(scenarios), options, &mut |outcome| outcomes.push(outcome))
        .unwrap_or_else(|error| panic!("{error}"));
    outcomes.sort_by_key(|outcome| outcome.index);
    (outcomes, summary)
}

/// The processes that were started and are not over.
fn left(pids: &Path) -> Vec<i32> {
    let entries = std::fs::read_dir(pids).expect("the folder is there");
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        rustix::process::test_kill_process(rustix::process::Pid::from_raw(*pid).expect("a process")).is_ok()
    })
    .collect()
}

const ORDINARY: &str = "
title: What is published arrives
requirements: { v5: [MQTT-4.3.2-2] }
clients: { one: {} }
steps:
  - one: connect
  - one: { subscribe: $topic, qos: 1 }
  - one: { publish: $topic, payload: hello, qos: 1 }
  - one: { expect: PUBLISH, topic: $topic, payload: hello }
  - wait: 400ms
  - one: ping
";

fn ordinary(number: usize) -> Scenario {
    scenario(&format!("ordinary/{number}"), &ORDINARY.replace("$topic", &format!("o/{number}")))
}

const DEADLY: &str = "
title: A payload kills
requirements: { v5: [MQTT-4.3.2-2] }
clients: { victim: {}, killer: {} }
steps:
  - victim: connect
  - killer: connect
  - victim: { subscribe: d/t, qos: 1 }
  - wait: 100ms
  - killer: { publish: d/t, payload: poison, qos: 1 }
  - victim: { expect: PUBLISH, topic: d/t }
";

#[test]
fn a_broker_that_dies_is_named_with_the_packet_and_the_rest_is_judged() {
    let pids = tempfile::tempdir().expect("a folder");
    let target = profile("mortal", "", pids.path());
    let mut scenarios: Vec<Scenario> = (0..6).map(ordinary).collect();
    scenarios.push(scenario("deadly", DEADLY));
    let (outcomes, summary) = all(&target, scenarios, &options(1));
    assert_eq!(outcomes.len(), 7);
    assert!(summary.unexplained.is_empty() && summary.lost.is_none() && !summary.interrupted, "{summary:?}");
    for outcome in &outcomes[..6] {
        assert_eq!(outcome.verdict(), Verdict::Pass, "{}: {:?}", outcome.plan.full_name(), outcome.attempts);
        assert!(outcome.crash.is_none());
    }
    let deadly = &outcomes[6];
    assert_eq!(
        (deadly.verdict(), &deadly.attempts[..]),
        (Verdict::Fail, &[Verdict::Fail, Verdict::Fail][..])
    );
    let crash = deadly.crash.as_ref().expect("it killed the broker");
    assert_eq!(crash.client.as_deref(), Some("killer"));
    let packet = crash.packet.as_deref().expect("it sent a packet");
    let Ok(Some((Packet::Publish(publish), _))) = decode(packet, crash.version) else { panic!("{packet:?}") };
    assert_eq!(&publish.payload[..], b"poison");
    assert!(crash.log.iter().any(|line| line.contains("nobody sends poison")), "{:?}", crash.log);
    assert!(summary.logs.as_ref().is_some_and(|path| path.is_dir()), "the output is kept");
    let _ = std::fs::remove_dir_all(summary.logs.expect("a folder"));
    assert!(left(pids.path()).is_empty(), "processes are left");
}

#[test]
fn a_broker_that_hangs_is_ended_and_the_rest_is_judged() {
    let pids = tempfile::tempdir().expect("a folder");
    let target = profile("mortal", "", pids.path());
    let mut scenarios: Vec<Scenario> = (0..3).map(ordinary).collect();
    let hangs = DEADLY.replace("poison, qos: 1", "frozen, qos: 1, within: 1s");
    scenarios.push(scenario("hangs", &hangs));
    let (outcomes, summary) = all(&target, scenarios, &options(9));
    assert!(summary.unexplained.is_empty() && summary.lost.is_none(), "{summary:?}");
    for outcome in &outcomes[..3] {
        assert_eq!(outcome.verdict(), Verdict::Pass, "{}: {:?}", outcome.plan.full_name(), outcome.attempts);
    }
    let crash = outcomes[3].crash.as_ref().expect("it ended the broker's service");
    assert_eq!((outcomes[3].verdict(), crash.client.as_deref()), (Verdict::Fail, Some("killer")));
    assert!(crash.log.iter().any(|line| line.contains("answers no CONNECT any more")), "{:?}", crash.log);
    let _ = std::fs::remove_dir_all(summary.logs.expect("it is kept"));
    assert!(left(pids.path()).is_empty(), "processes are left");
}

#[test]
fn a_costly_broker_is_used_again_and_what_kills_it_is_asked_on_a_new_one() {
    let pids = tempfile::tempdir().expect("a folder");
    let target = profile("mortal", "  costly: true\n", pids.path());
    // A Client Identifier of its own needs a broker to itself.
    let own = ORDINARY.replace("{ one: {} }", "{ one: { client_id: own } }").replace("$topic", "o/t");
    let mut scenarios: Vec<Scenario> =
        (0..5).map(|number| scenario(&format!("own/{number}"), &own)).collect();
    scenarios.push(scenario("deadly", &DEADLY.replace("victim: {}", "victim: { client_id: victim }")));
    let (outcomes, summary) =
        all(&target, scenarios, &LiveOptions { brokers: 1, most_brokers: 1, ..options(11) });
    let verdicts: Vec<Verdict> = outcomes.iter().map(LiveOutcome::verdict).collect();
    assert_eq!(verdicts[..5], [Verdict::Pass; 5], "{verdicts:?}");
    assert_eq!((verdicts[5], outcomes[5].attempts.len()), (Verdict::Fail, 2));
    assert!(outcomes[5].crash.is_some());
    // One to see whether it starts, one for all in turn, one to run again what killed it.
    let started = std::fs::read_dir(pids.path()).expect("the folder is there").count();
    assert_eq!(started, 3);
    let _ = summary.logs.map(std::fs::remove_dir_all);
    assert!(left(pids.path()).is_empty(), "processes are left");
}

/// How many brokers were started.
fn started(pids: &Path) -> usize {
    std::fs::read_dir(pids).expect("the folder is there").count()
}

#[test]
fn so_many_cases_follow_each_other_on_a_broker_as_its_profile_says() {
    let own = ORDINARY.replace("{ one: {} }", "{ one: { client_id: own } }").replace("$topic", "o/t");
    // One more shows whether it starts.
    for (more, starts) in [("", 6), ("  in-a-row: 2\n", 4), ("  in-a-row: 5\n", 2)] {
        let pids = tempfile::tempdir().expect("a folder");
        let target = profile("mortal", more, pids.path());
        let scenarios = (0..5).map(|number| scenario(&format!("own/{number}"), &own)).collect();
        let (outcomes, _) =
            all(&target, scenarios, &LiveOptions { brokers: 1, most_brokers: 1, ..options(18) });
        assert!(outcomes.iter().all(|it| it.verdict() == Verdict::Pass));
        assert_eq!(started(pids.path()), starts, "{more:?}");
    }
}

#[test]
fn the_last_run_of_a_case_that_ends_the_broker_has_a_new_one() {
    let own = ORDINARY.replace("{ one: {} }", "{ one: { client_id: own } }").replace("$topic", "o/t");
    let ends = format!("{own}  - broker: restart\n  - one: connect\n  - one: ping\n");
    // One shows whether it starts; one is started for the first run, and serves the second where it may.
    for (text, starts) in [(own, 2), (ends, 3 + 2)] {
        let pids = tempfile::tempdir().expect("a folder");
        let target = profile("mortal", "  costly: true\n", pids.path());
        let runs = RefCell::default();
        let broken = |_: &str, _: usize| vec!["MQTT-4.3.2-2"];
        let finds = finds(&runs, &broken);
        let options = LiveOptions { brokers: 1, most_brokers: 1, judge: &finds, reruns: 1, ..options(19) };
        let (outcomes, _) = all(&target, vec![scenario("own", &text)], &options);
        assert_eq!((outcomes[0].verdict(), outcomes[0].attempts.len()), (Verdict::Fail, 2));
        assert_eq!(started(pids.path()), starts, "{text}");
    }
}

/// A judge that finds this broken in run after run of a case.
fn finds<'a>(
    runs: &'a RefCell<Vec<String>>,
    broken: &'a dyn Fn(&str, usize) -> Vec<&'static str>,
) -> impl Fn(&Plan, &Played) -> Vec<Finding> + 'a {
    move |plan, played| {
        let name = plan.full_name();
        let run = runs.borrow().iter().filter(|before| **before == name).count();
        runs.borrow_mut().push(name.clone());
        let found = broken(&name, run).into_iter().map(|id| Finding {
            weight: Weight::Violation,
            requirement: id.into(),
            also: Vec::new(),
            expected: String::new(),
            observed: String::new(),
            events: Vec::new(),
            step: None,
            by: "test".into(),
        });
        judge(plan, played).into_iter().chain(found).collect()
    }
}

#[test]
fn what_every_failing_run_found_broken_is_held_against_the_broker() {
    let pids = tempfile::tempdir().expect("a folder");
    let target = profile("mortal", "", pids.path());
    let runs = RefCell::default();
    let broken = |name: &str, run: usize| match (name, run) {
        ("ordinary/0", 0) => vec!["MQTT-3.3.1-1", "MQTT-4.3.2-2"],
        ("ordinary/0", _) => vec!["MQTT-4.3.2-2", "MQTT-4.6.0-2"],
        ("ordinary/1", 0 | 1) => vec!["MQTT-3.3.1-1"],
        ("ordinary/1", _) => vec!["MQTT-4.6.0-2"],
        ("ordinary/2", 0 | 1) => vec!["MQTT-4.6.0-2"],
        _ => Vec::new(),
    };
    let finds = finds(&runs, &broken);
    let options = LiveOptions { judge: &finds, reruns: 2, ..options(13) };
    let (outcomes, _) = all(&target, (0..4).map(ordinary).collect(), &options);
    let known: Vec<_> = outcomes
        .iter()
        .map(|it| (it.verdict(), it.attempts.len(), it.always.clone().map(Vec::from_iter)))
        .collect();
    assert_eq!(
        known,
        [
            (Verdict::Fail, 3, Some(vec!["MQTT-4.3.2-2".into()])),
            (Verdict::Inconclusive, 3, Some(vec![])),
            // A run that passes says nothing about what failed.
            (Verdict::Inconclusive, 3, Some(vec!["MQTT-4.6.0-2".into()])),
            (Verdict::Pass, 1, None),
        ]
    );
}

#[test]
fn cases_that_are_run_again_do_not_wait_for_one_that_takes_long() {
    let pids = tempfile::tempdir().expect("a folder");
    let target = profile("mortal", "", pids.path());
    let runs: RefCell<Vec<String>> = RefCell::default();
    let finds = finds(&runs, &|_, _| vec!["MQTT-4.6.0-2"]);
    // Of eight side by side one may be left when the next round begins.
    let options = LiveOptions { judge: &finds, reruns: 2, jobs: 8, ..options(14) };
    let mut scenarios: Vec<Scenario> = (0..3).map(ordinary).collect();
    scenarios.push(scenario("slow", &ORDINARY.replace("$topic", "o/slow").replace("400ms", "4s")));
    let (outcomes, _) = all(&target, scenarios, &options);
    for outcome in &outcomes {
        assert_eq!((outcome.verdict(), outcome.attempts.len()), (Verdict::Fail, 3));
    }
    let runs = runs.borrow();
    let slow = runs.iter().position(|name| name == "slow").expect("it was run");
    for number in 0..3 {
        let name = format!("ordinary/{number}");
        let before = runs[..slow].iter().filter(|it| **it == name).count();
        assert_eq!(
            before, 3,
            "{name} was run again, beside others and alone, while the slow one waited: {runs:?}"
        );
    }
    assert!(left(pids.path()).is_empty(), "processes are left");
}

#[test]
fn a_broker_at_a_port_of_its_own_is_never_started_beside_itself() {
    // Each broker listens where the one before did: whoever starts one too early finds the port in use.
    // Not one of those that the system gives to connections.
    let mut ports = (0..1000).map(|number| 9000 + (std::process::id() + number) as u16 % 1000);
    let port = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port is free");
    let pids = tempfile::tempdir().expect("a folder");
    let target = profile("mortal", &format!("  port: {port}\n"), pids.path());
    let runs: RefCell<Vec<String>> = RefCell::default();
    let broken = |name: &str, _: usize| if name == "slow" { vec![] } else { vec!["MQTT-4.6.0-2"] };
    let finds = finds(&runs, &broken);
    let options = LiveOptions { judge: &finds, reruns: 2, jobs: 8, ..options(15) };
    let mut scenarios: Vec<Scenario> = (0..3).map(ordinary).collect();
    let own = ORDINARY.replace("{ one: {} }", "{ one: { client_id: own } }");
    scenarios.push(scenario("own", &own.replace("$topic", "o/own")));
    // Longer than anybody waits for a port.
    scenarios.push(scenario("slow", &ORDINARY.replace("$topic", "o/slow").replace("400ms", "6s")));
    let (outcomes, summary) = all(&target, scenarios, &options);
    assert!(summary.lost.is_none(), "{summary:?}");
    let known: Vec<_> = outcomes.iter().map(|it| (it.verdict(), it.attempts.len())).collect();
    assert_eq!(known[..4], [(Verdict::Fail, 3); 4]);
    assert_eq!(known[4..], [(Verdict::Pass, 1)]);
    assert!(left(pids.path()).is_empty(), "processes are left");
}

#[test]
fn what_a_neighbours_message_spoils_is_asked_again_alone() {
    let pids = tempfile::tempdir().expect("a folder");
    let target = profile("leaky", "", pids.path());
    // Discovery was their first neighbour.
    let (outcomes, summary) = all(&target, (0..4).map(ordinary).collect(), &options(16));
    let known: Vec<_> = outcomes.iter().map(|it| (it.verdict(), it.attempts.len())).collect();
    assert_eq!(known, [(Verdict::Pass, 1); 4]);
    assert!(summary.lost.is_none(), "{summary:?}");
    // One for all, and one for each.
    assert_eq!(std::fs::read_dir(pids.path()).expect("the folder is there").count(), 5);
    assert!(left(pids.path()).is_empty(), "processes are left");
}

#[test]
fn a_broker_that_bears_few_has_others_beside_it() {
    for (bears, brokers) in [(1, 4), (2, 2), (3, 1)] {
        let pids = tempfile::tempdir().expect("a folder");
        let target = profile("mortal", &format!("  side-by-side: {bears}\n"), pids.path());
        let slow = ORDINARY.replace("400ms", "1s");
        let scenarios =
            (0..8).map(|it| scenario(&format!("slow/{it}"), &slow.replace("$topic", &format!("o/{it}"))));
        let (outcomes, _) = all(&target, scenarios.collect(), &LiveOptions { jobs: 4, ..options(17) });
        assert!(outcomes.iter().all(|it| it.verdict() == Verdict::Pass));
        assert_eq!(std::fs::read_dir(pids.path()).expect("the folder is there").count(), brokers, "{bears}");
        assert!(left(pids.path()).is_empty(), "processes are left");
    }
}

fn start_error(is: &str, start: &str) -> StartError {
    let pids = tempfile::tempdir().expect("a folder");
    let target = profile(is, start, pids.path());
    let logs = tempfile::tempdir().expect("a folder");
    let options = LiveOptions { logs: Some(logs.path().to_path_buf()), ..options(2) };
    match run(&target, cases(vec![ordinary(0)]), &options, &mut |outcome| panic!("{outcome:?}")) {
        Err(LiveError::Start(error)) => {
            assert!(left(pids.path()).is_empty(), "processes are left");
            error
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_broker_that_ends_at_once_is_shown_with_its_last_words() {
    let error = start_error("dead", "");
    assert!(matches!(error, StartError::Exited { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("exit code 3") && text.contains("cannot open the licence file"), "{text}");
}

#[test]
fn a_broker_that_never_answers_is_given_up() {
    let error = start_error("mute", "  ready-within: 500ms\n");
    assert!(matches!(error, StartError::Unready { does: Instead::Silent, .. }), "{error}");
}

#[test]
fn a_port_in_use_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let error = start_error("mortal", &format!("  port: {port}\n"));
    assert!(matches!(error, StartError::PortInUse(it) if it == port), "{error}");
}

#[test]
fn a_program_that_is_missing_is_named_with_its_package() {
    let text = "name: x\ninstall: { apt: assay-x }\nstart: { command: [assay-no-such-broker] }\n";
    let profile =
        Profile::parse(SourceText::new("x.yaml", text)).unwrap_or_else(|problems| panic!("{problems}"));
    let target = Target::Profile(Box::new(profile));
    let error =
        run(&target, cases(vec![ordinary(0)]), &options(3), &mut |_| {}).expect_err("it does not exist");
    let text = error.to_string();
    assert!(text.contains("`assay-no-such-broker`") && text.contains("`apt-get install assay-x`"), "{text}");
}

#[test]
fn an_address_without_a_broker_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let target = Target::from_url(&format!("mqtt://{address}")).expect("an address");
    let error = run(&target, cases(vec![ordinary(0)]), &options(4), &mut |_| {}).expect_err("nobody answers");
    assert!(matches!(error, LiveError::Silent { .. }), "{error}");
    drop(listener);
    let error = run(&target, cases(vec![ordinary(0)]), &options(4), &mut |_| {}).expect_err("nobody listens");
    assert!(matches!(error, LiveError::Refused { .. }), "{error}");
}

#[test]
fn an_interrupted_run_hands_out_what_it_knows_and_ends_its_brokers() {
    let pids = tempfile::tempdir().expect("a folder");
    let target = profile("mortal", "", pids.path());
    let interrupted = Arc::new(AtomicBool::new(false));
    let options = LiveOptions { interrupted: Arc::clone(&interrupted), jobs: 1, ..options(5) };
    let mut count = 0;
    let summary = run(&target, cases((0..20).map(ordinary).collect()), &options, &mut |outcome| {
        assert_eq!(outcome.verdict(), Verdict::Pass);
        count += 1;
        interrupted.store(true, Ordering::Relaxed);
    });
    let summary = summary.unwrap_or_else(|error| panic!("{error}"));
    assert!(summary.interrupted && (1..20).contains(&count), "{count}");
    assert!(left(pids.path()).is_empty(), "processes are left");
}

#[test]
fn what_cannot_be_asked_is_skipped_with_its_reason() {
    let pids = tempfile::tempdir().expect("a folder");
    let claims = "claims: { shared-subscriptions: false, mqtt-3.1: false }\n";
    let target = profile("mortal", claims, pids.path());
    let head = "title: x\nrequirements: { v5: [MQTT-4.3.2-2] }\n";
    let texts = [
        format!("{head}needs: [shared-subscriptions]\nclients: {{ a: {{}} }}\nsteps: [ a: connect ]\n"),
        format!("{head}clients: {{ a: {{ protocol: 3.1 }} }}\nsteps: [ a: connect ]\n"),
        format!("{head}worlds: [core]\nbecause: x\nclients: {{ a: {{}} }}\nsteps: [ a: connect ]\n"),
        format!("{head}clients: {{ a: {{}} }}\nsteps: [ a: connect, wait: 2h ]\n"),
        format!(
            "{head}broker: {{ config: {{ receive-maximum: 2 }} }}\nclients: {{ a: {{}} }}\nsteps: [ a: connect ]\n"
        ),
    ];
    let scenarios = texts.iter().enumerate().map(|(at, text)| scenario(&format!("s/{at}"), text)).collect();
    let (outcomes, _) = all(&target, scenarios, &options(6));
    let reasons: Vec<&str> = outcomes.iter().filter_map(|outcome| outcome.skipped.as_deref()).collect();
    let expected = ["shared-subscriptions", "mqtt-3.1", "core only", "at least 2h", "configuration"];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for (reason, expected) in reasons.iter().zip(expected) {
        assert!(reason.contains(expected), "{reason}");
    }
}

// ---- what is done to the broker means the same in every world ----

const ACTS: [(&str, &str); 5] = [
    (
        "kill",
        "
  - one: connect
  - broker: kill
  - one: { expect: closed }
  - broker: start
  - two: connect
  - two: { subscribe: a/t, qos: 1 }
  - two: { publish: a/t, payload: x, qos: 1 }
  - two: { expect: PUBLISH, topic: a/t, payload: x }
",
    ),
    (
        "restart",
        "
  - one: connect
  - broker: restart
  - one: { expect: closed }
  - one: connect
  - one: { publish: a/t, payload: x, qos: 2 }
",
    ),
    (
        "pause",
        "
  - one: connect
  - broker: pause
  - one: { send: PUBLISH, packet_id: 1, qos: 1, topic: a/t, payload: x }
  - one: { expect: nothing, for: 1s }
  - two: open
  - broker: resume
  - one: { expect: PUBACK, packet_id: 1 }
  - two: { send: CONNECT }
  - two: { expect: CONNACK }
",
    ),
    (
        "power-loss",
        "
  - one: { connect: { keep_alive: 0s } }
  - broker: power_loss
  - one: { expect: open, for: 1s }
  - one: { send: PUBLISH, packet_id: 1, qos: 1, topic: a/t, payload: x }
  - one: { expect: nothing, for: 1s }
  - broker: start
  - two: connect
  - two: ping
",
    ),
    (
        "down",
        "
  - one: connect
  - broker: kill
  - one: { expect: closed }
  - broker: start
  - broker: kill
  - broker: start
  - one: connect
  - one: ping
",
    ),
];

#[test]
fn acts_on_the_broker_mean_the_same_in_every_world() {
    let scenarios: Vec<Scenario> = ACTS
        .iter()
        .map(|(name, steps)| {
            let head = "title: x\nrequirements: { v5: [MQTT-4.3.2-2], v3.1.1: [MQTT-4.3.2-2] }\n";
            scenario(name, &format!("{head}clients: {{ one: {{}}, two: {{}} }}\nsteps:{steps}"))
        })
        .collect();
    for scenario in &scenarios {
        let plan_options = PlanOptions { tolerance: sim::TOLERANCE, ..PlanOptions::default() };
        let plan = Plan::new(scenario, ProtocolVersion::V5, &plan_options).expect("it can be made concrete");
        let config = Config::default();
        for (world, played) in [
            ("core", core::play(&plan, 1, StageOptions::default(), &config)),
            ("sim", sim::play(&plan, 1, StageOptions::default(), &config)),
        ] {
            let findings = check(&plan, &played.history);
            let timeline = assay::report::timeline::around(&plan, &played.history, &[], 60);
            assert_eq!(
                verdict_of(&judge(&plan, &played)),
                Verdict::Pass,
                "{} in {world}: {findings:?}\n{timeline}",
                plan.scenario
            );
        }
        let again = sim::play(&plan, 1, StageOptions::default(), &config).history.digest();
        assert_eq!(again, sim::play(&plan, 1, StageOptions::default(), &config).history.digest());
    }
    let pids = tempfile::tempdir().expect("a folder");
    let target = profile("mortal", "", pids.path());
    let (outcomes, _) = all(&target, scenarios, &options(7));
    for outcome in outcomes {
        let played = outcome.played.as_ref().expect("it was played");
        let findings = check(&outcome.plan, &played.history);
        let timeline = assay::report::timeline::around(&outcome.plan, &played.history, &[], 60);
        assert_eq!(
            outcome.verdict(),
            Verdict::Pass,
            "{} live: {findings:?}\n{timeline}",
            outcome.plan.scenario
        );
        assert!(outcome.crash.is_none());
    }
    assert!(left(pids.path()).is_empty(), "processes are left");
}

/// Some of the suite over real sockets, on the reference broker's own command.
#[test]
fn the_reference_broker_passes_over_real_sockets() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let suite = Suite::load(&folder, &["exactly-once".into(), "wildcard".into()])
        .unwrap_or_else(|error| panic!("{error}"));
    let scenarios: Vec<Scenario> = suite
        .scenarios()
        .map(|(_, scenario)| scenario.clone())
        .filter(|scenario| scenario.requirements.contains_key(&ProtocolVersion::V5))
        .step_by(5)
        .collect();
    let target =
        Target::Profile(Box::new(Profile::load("reference").unwrap_or_else(|error| panic!("{error}"))));
    let options = LiveOptions { assay: Some(env!("CARGO_BIN_EXE_assay").into()), brokers: 8, ..options(8) };
    let (outcomes, summary) = all(&target, scenarios, &options);
    assert!(outcomes.len() > 20 && summary.lost.is_none(), "{summary:?}");
    let bad: Vec<String> = outcomes
        .iter()
        .filter(|outcome| !matches!(outcome.verdict(), Verdict::Pass | Verdict::Skipped))
        .map(|outcome| format!("{} {:?}", outcome.plan.full_name(), outcome.attempts))
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
}
