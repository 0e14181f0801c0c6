//! Captures of runs, read by tshark: what its dissectors see is what the history says.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use assay::history::{Fact, Link, packet_type};
use assay::report::pcapng::{About, pcapng};
use assay::scenario::{Suite, WorldKind, parse_file};
use assay::session::{Job, Outcome, Selection, jobs, play_simulated};
use assay::text::SourceText;
use assay::verdict::Verdict;
use reference_broker::codec::{Packet, ProtocolVersion, decode_frame, next_frame};
use reference_broker::core::Config;
use serde_json::Value;

const FIELDS: &[&str] = &[
    "frame.time_epoch",
    "frame.interface_name",
    "frame.comment",
    "ip.src",
    "ip.src_host",
    "ip.dst_host",
    "ip.checksum.status",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "tcp.checksum.status",
    "tcp.analysis.flags",
    "websocket.opcode",
    "mqtt.msgtype",
    "mqtt.clientid",
    "mqtt.topic",
    "mqtt.ver",
    "mqtt.len",
    "_ws.malformed",
];

/// A frame, field by field.
struct Row(Value);

impl Row {
    fn all(&self, field: &str) -> Vec<&str> {
        let values = self.0["_source"]["layers"][field].as_array();
        values.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn one(&self, field: &str) -> Option<&str> {
        self.all(field).first().copied()
    }

    /// In microseconds.
    fn at(&self) -> u64 {
        let text = self.one("frame.time_epoch").expect("a time");
        let (seconds, rest) = text.split_once('.').expect("seconds and nanoseconds");
        let (seconds, nanoseconds): (u64, u64) =
            (seconds.parse().expect("a number"), rest.parse().expect("a number"));
        assert_eq!(rest.len(), 9, "{text}");
        seconds * 1_000_000 + nanoseconds / 1000
    }

    fn is_from_broker(&self) -> bool {
        self.one("ip.src_host") == Some("broker")
    }

    fn has_comment(&self, part: &str) -> bool {
        self.all("frame.comment").iter().any(|it| it.contains(part))
    }
}

/// Not every version connects the subprotocol with the dissector by itself.
const SUBPROTOCOL: &str = "DissectorTable.get('ws.protocol'):add('mqtt', Dissector.get('mqtt'))";

/// Every frame of a capture, as tshark reads it. Which connections are WebSockets is for it to find out.
fn read(capture: &[u8]) -> Vec<Row> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("run.pcapng");
    std::fs::write(&file, capture).expect("it is written");
    read_file(&file, folder.path())
}

fn read_file(file: &Path, home: &Path) -> Vec<Row> {
    let script = home.join("subprotocol.lua");
    std::fs::write(&script, SUBPROTOCOL).expect("it is written");
    let mut tshark = Command::new("tshark");
    tshark.arg("-X").arg(format!("lua_script:{}", script.display()));
    // No one's own preferences.
    tshark.env("HOME", home).env("XDG_CONFIG_HOME", home).arg("-r").arg(file);
    tshark.args(["-d", "tcp.port==1883,mqtt", "-N", "n", "-T", "json"]);
    tshark.args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]);
    FIELDS.iter().for_each(|field| {
        tshark.args(["-e", field]);
    });
    let output = match tshark.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("tshark is not installed, and this test reads captures with it: apt-get install tshark")
        }
        Err(error) => panic!("tshark cannot be run: {error}"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).expect("tshark writes JSON");
    rows.into_iter().map(Row).collect()
}

/// A case played in the core world.
fn play(name: &str, version: ProtocolVersion, defect: Option<&str>) -> Outcome {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let suite = Suite::load(&folder, &[name.into()]).expect("the scenario");
    let jobs = jobs(&suite, &Selection { versions: vec![version], ..Selection::default() }, 7);
    assert_eq!(jobs.len(), 1, "one case is meant by {name}");
    let mut config = Config::default();
    if let Some(defect) = defect {
        config.set_defect(defect).expect("a defect");
    }
    play_simulated(&jobs[0], WorldKind::Core, &config)
}

fn capture(outcome: &Outcome) -> Vec<Row> {
    let about = About {
        tool: "assay test",
        world: "core",
        broker: "reference broker",
        seed: 7,
        verdict: outcome.verdict,
        findings: &outcome.findings,
    };
    let plan = outcome.plan.as_ref().expect("it was played");
    let rows = read(&pcapng(plan, &outcome.history, &about));
    for row in rows.iter() {
        assert_eq!(row.one("_ws.malformed"), None, "{}", row.0);
        assert_eq!(row.one("tcp.analysis.flags"), None, "{}", row.0);
        assert_eq!(row.one("ip.checksum.status"), Some("1"), "{}", row.0);
        assert!(row.one("tcp.srcport").is_none() || row.one("tcp.checksum.status") == Some("1"), "{}", row.0);
    }
    rows
}

/// An MQTT packet: time, client, whether from the broker, type, Client Identifier or topic.
type Mqtt = (u64, String, bool, u8, String);

/// The packets that a history says were sent, received or swallowed.
fn told(outcome: &Outcome) -> Vec<Mqtt> {
    let (plan, history) = (outcome.plan.as_ref().expect("it was played"), &outcome.history);
    let name = |link: Link| {
        let client = history.client_of(link).expect("someone's connection");
        plan.clients[client as usize].name.clone()
    };
    let told = history.events().iter().filter_map(|event| {
        let (link, bytes, from_broker) = match event.fact {
            Fact::Sent { link, bytes, .. } => (link, bytes, false),
            Fact::Received { link, bytes } => (link, bytes, true),
            Fact::Swallowed { link, bytes, from_broker } => (link, bytes, from_broker),
            _ => return None,
        };
        let raw = history.bytes(bytes);
        let kind = packet_type(raw).expect("a packet type") as u8;
        let frame = next_frame(raw, None).expect("a frame").expect("a whole one");
        let what = match decode_frame(frame, plan.version).expect("a packet") {
            Packet::Connect(connect) => connect.client_id.to_string(),
            Packet::Publish(publish) => publish.topic.to_string(),
            Packet::Subscribe(subscribe) => subscribe.subscriptions[0].filter.to_string(),
            _ => String::new(),
        };
        Some((event.at.0, name(link), from_broker, kind, what))
    });
    told.collect()
}

/// The packets that tshark saw.
fn seen(rows: &[Row]) -> Vec<Mqtt> {
    let packets = rows.iter().filter_map(|row| {
        let kind = row.one("mqtt.msgtype")?.parse().expect("a number");
        let what = row.one("mqtt.clientid").or(row.one("mqtt.topic")).unwrap_or_default();
        let other = if row.is_from_broker() { "ip.dst_host" } else { "ip.src_host" };
        let client = row.one(other).expect("a name");
        assert_eq!(row.one("frame.interface_name"), Some(client), "the interface is the client's");
        Some((row.at(), client.to_string(), row.is_from_broker(), kind, what.to_string()))
    });
    packets.collect()
}

/// Where a packet with this comment stands.
fn place(rows: &[Row], comment: &str) -> usize {
    let places: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].has_comment(comment)).collect();
    assert_eq!(places.len(), 1, "{comment:?} is said once");
    places[0]
}

#[test]
fn a_cut_exchange_is_read_packet_by_packet() {
    for (version, level) in [(ProtocolVersion::V3_1_1, "4"), (ProtocolVersion::V5, "5")] {
        let outcome = play("exactly-once/publisher-cut-qos-2[pubrec-lost/reset]", version, None);
        assert_eq!(outcome.verdict, Verdict::Pass);
        let rows = capture(&outcome);
        assert_eq!(seen(&rows), told(&outcome));
        let kinds: Vec<(String, u8)> =
            seen(&rows).into_iter().map(|(_, client, _, kind, _)| (client[..1].to_string(), kind)).collect();
        let kinds: Vec<(&str, u8)> = kinds.iter().map(|(client, kind)| (client.as_str(), *kind)).collect();
        // The first ones by hand: CONNECT, CONNACK, SUBSCRIBE, SUBACK; CONNECT, CONNACK, PUBLISH.
        let begin = [("s", 1), ("s", 2), ("s", 8), ("s", 9), ("p", 1), ("p", 2), ("p", 3)];
        assert_eq!(kinds[..7], begin);
        let connects = rows.iter().filter(|row| row.one("mqtt.msgtype") == Some("1"));
        assert!(connects.clone().all(|row| row.one("mqtt.ver") == Some(level)));
        let ids: Vec<_> = connects.filter_map(|row| row.one("mqtt.clientid")).collect();
        // The twin comes last: the scenario also says that something never happens.
        assert_eq!(ids, ["subscriber", "publisher", "publisher", "assaytwin"]);

        // The fault: the PUBREC is there and lost, the connection is reset, another one is opened.
        let lost = place(&rows, "(lost)");
        assert_eq!(rows[lost].one("mqtt.msgtype"), Some("5"));
        assert!(rows[lost].is_from_broker());
        let cut = place(&rows, "the connection is cut: reset");
        assert_eq!(cut, lost + 1);
        assert_eq!(rows[cut].one("tcp.flags"), Some("0x0014"));
        let step = place(&rows, "step 6: publisher: connect");
        assert_eq!(rows[step].one("tcp.flags"), Some("0x0002"));
        assert_ne!(rows[step].one("tcp.srcport"), rows[cut].one("tcp.srcport"));
        assert!(step > cut && rows[place(&rows, "step 1: subscriber: connect")].at() == 0);
    }
}

#[test]
fn a_partition_and_its_end_are_comments_in_their_places() {
    for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        let outcome = play("exactly-once/publisher-partitioned[both/silence]", version, None);
        assert_eq!(outcome.verdict, Verdict::Pass);
        let rows = capture(&outcome);
        assert_eq!(seen(&rows), told(&outcome));
        let (cut, healed) = (place(&rows, "partition, both ways"), place(&rows, "all partitions heal"));
        assert!(cut < healed);
        assert_eq!(rows[cut].one("mqtt.topic"), Some("island/p"));
        // The silent end of the connection has no packet; it is told before the healing, on the same one.
        assert!(rows[healed].has_comment("the client silently ends connection"));
        assert!(rows[cut..healed].iter().all(|row| !row.is_from_broker()));
        let last = rows.last().expect("a last one");
        assert_eq!(last.one("frame.interface_name"), Some("assay"));
        assert!(last.has_comment("the quiet window has passed"));
    }
}

#[test]
fn packets_over_websocket_are_found_by_the_upgrade() {
    for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        let outcome = play("websocket/beside-tcp[2]", version, None);
        assert_eq!(outcome.verdict, Verdict::Pass);
        let rows = capture(&outcome);
        assert_eq!(seen(&rows), told(&outcome));
        let of_browser: Vec<&Row> =
            rows.iter().filter(|row| row.one("frame.interface_name") == Some("browser")).collect();
        let frames = of_browser.iter().filter(|row| row.one("websocket.opcode") == Some("2")).count();
        let packets = of_browser.iter().filter(|row| row.one("mqtt.msgtype").is_some()).count();
        assert!(packets > 8 && frames == packets, "{frames} frames, {packets} packets");
        assert!(
            of_browser
                .iter()
                .all(|row| row.all("tcp.srcport") == ["8080"] || row.all("tcp.dstport") == ["8080"])
        );
    }
}

const LARGE: &str = "\
title: A packet of more than two segments goes to the broker and back
requirements:
  v5: [MQTT-3.3.4-1]
clients:
  publisher:  { transport: TRANSPORT }
  subscriber: { transport: TRANSPORT }
steps:
  - subscriber: connect
  - subscriber: { subscribe: large, qos: 1 }
  - publisher: connect
  - publisher: { publish: large, payload_size: 150000, qos: 1 }
  - subscriber: { expect: PUBLISH, topic: large, payload_size: 150000 }
  - publisher: ping
";

#[test]
fn large_packets_are_put_together_again() {
    for transport in ["tcp", "websocket"] {
        let source = SourceText::new("large.yaml", LARGE.replace("TRANSPORT", transport));
        let file = parse_file("large", source).expect("a scenario");
        let (scenario, source) = (&file.scenarios[0], &file.source);
        let job = Job { index: 0, scenario, source, version: ProtocolVersion::V5, seed: 7 };
        let outcome = play_simulated(&job, WorldKind::Core, &Config::default());
        assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.reason);
        let rows = capture(&outcome);
        assert_eq!(seen(&rows), told(&outcome), "{transport}");
        let publishes: Vec<&Row> = rows.iter().filter(|row| row.one("mqtt.msgtype") == Some("3")).collect();
        // 150,000 bytes of payload, the header of four, a Topic Name, an identifier, the length of no properties.
        let length = (150_000 + 7 + 2 + 1).to_string();
        assert_eq!(publishes.len(), 2);
        assert!(publishes.iter().all(|row| row.one("mqtt.len") == Some(&length)), "{transport}");
    }
}

#[test]
fn a_finding_is_a_comment_on_its_packet() {
    let name = "exactly-once/publisher-cut-qos-2[pubrec-lost/reset]";
    let outcome = play(name, ProtocolVersion::V5, Some("qos-2-forgotten-on-resume"));
    assert_eq!(outcome.verdict, Verdict::Fail);
    let rows = capture(&outcome);
    let told: Vec<&Row> = rows.iter().filter(|row| row.has_comment("fail: MQTT-4.3.3-10")).collect();
    assert!(!told.is_empty());
    for row in told {
        assert_eq!((row.one("mqtt.msgtype"), row.one("ip.dst_host")), (Some("3"), Some("subscriber")));
        assert!(row.has_comment("\nexpected: ") && row.has_comment("\nobserved: "), "{}", row.0);
    }
}

#[test]
fn replay_writes_the_capture_of_evidence() {
    let folder = tempfile::tempdir().expect("a folder");
    let assay = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_assay"))
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("it runs")
    };
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").display().to_string();
    let case = "exactly-once/publisher-cut-qos-2[pubrec-lost/reset]";
    let run = assay(&["run", case, "--suite", &suite, "--world", "core", "--protocol", "5.0", "--keep-all"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let kept = std::fs::read_dir(folder.path().join(".assay")).expect("the evidence").flatten().next();
    let evidence = kept.expect("a file").path().display().to_string();
    let replay = assay(&["replay", &evidence, "--pcapng", "captures/run.pcapng"]);
    let said = String::from_utf8_lossy(&replay.stdout);
    assert!(replay.status.success() && said.contains("the capture is in captures/run.pcapng"), "{said}");
    let rows = read_file(&folder.path().join("captures/run.pcapng"), folder.path());
    // Three of the exchange, and the twin's message on its way there and back.
    assert_eq!(rows.iter().filter(|row| row.one("mqtt.msgtype") == Some("3")).count(), 5);

    let scenario = format!("{suite}/websocket/beside-tcp.yaml");
    let wrong = assay(&["replay", &scenario, "--pcapng", "run.pcapng"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--pcapng wants evidence"));
    let nowhere = assay(&["replay", &evidence, "--pcapng", "captures/run.pcapng/inside"]);
    assert_eq!(nowhere.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("cannot write captures/run.pcapng/inside"));
}
