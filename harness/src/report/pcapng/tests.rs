//! A run as packets: what is said when, by whom, with which numbers.

use reference_broker::codec::ProtocolVersion;

use super::*;
use crate::scenario::{Cut, PlanOptions, parse_file};
use crate::text::SourceText;
use crate::verdict::Weight;

const SCENARIO: &str = "\
title: Two clients
requirements:
  v5: [MQTT-3.3.1-1]
clients:
  meter: {}
  browser: { transport: websocket }
steps:
  - meter: connect
  - wait: 5s
";

/// A packet of the file.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    nanoseconds: u64,
    interface: u32,
    bytes: Vec<u8>,
    comments: Vec<String>,
}

impl Seen {
    fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.bytes[at..at + 4].try_into().expect("4 bytes"))
    }

    fn flags(&self) -> String {
        let names = [(SYN, 'S'), (FIN, 'F'), (RST, 'R'), (PSH, 'P'), (ACK, 'A')];
        names.iter().filter(|(bit, _)| self.bytes[33] & bit != 0).map(|(_, name)| name).collect()
    }

    fn payload(&self) -> &[u8] {
        &self.bytes[20 + usize::from(self.bytes[32] >> 4) * 4..]
    }

    /// Sender, flags, sequence number, acknowledgement, length of the payload.
    fn short(&self) -> (char, String, u32, u32, usize) {
        let sender = if self.bytes[12..16] == BROKER.octets() { 'b' } else { 'c' };
        (sender, self.flags(), self.number(24), self.number(28), self.payload().len())
    }
}

fn plan() -> Plan {
    let file = parse_file("two", SourceText::new("two.yaml", SCENARIO)).expect("a scenario");
    Plan::new(&file.scenarios[0], ProtocolVersion::V5, &PlanOptions::default()).expect("a plan")
}

fn about(findings: &[Finding]) -> About<'_> {
    About { tool: "assay", world: "core", broker: "it", seed: 7, verdict: Verdict::Pass, findings }
}

/// The packets of a run; the names and interfaces are checked on the way.
fn packets(facts: &[(u64, Fact)], bytes: &[&[u8]], findings: &[Finding]) -> Vec<Seen> {
    let mut history = History::new();
    bytes.iter().for_each(|it| {
        history.store(it);
    });
    facts.iter().for_each(|(at, fact)| history.push(Time(*at), *fact));
    let file = pcapng(&plan(), &history, &about(findings));
    assert_eq!(file, pcapng(&plan(), &history, &about(findings)));
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("4 bytes"));
    let half = |at: usize| usize::from(u16::from_le_bytes([file[at], file[at + 1]]));
    let mut seen = Vec::new();
    let mut kinds = Vec::new();
    let mut at = 0;
    while at < file.len() {
        kinds.push(word(at));
        if word(at) == 6 {
            let length = word(at + 20) as usize;
            let mut option = at + 28 + length.next_multiple_of(4);
            let mut comments = Vec::new();
            while half(option) != 0 {
                let text = &file[option + 4..option + 4 + half(option + 2)];
                if half(option) == 1 {
                    comments.push(String::from_utf8_lossy(text).into_owned());
                }
                option += 4 + half(option + 2).next_multiple_of(4);
            }
            seen.push(Seen {
                nanoseconds: u64::from(word(at + 12)) << 32 | u64::from(word(at + 16)),
                interface: word(at + 8),
                bytes: file[at + 28..at + 28 + length].to_vec(),
                comments,
            });
        }
        at += word(at + 4) as usize;
    }
    // Section, names, an interface for each of both clients and one for comments, packets.
    assert_eq!(kinds[..5], [0x0A0D_0D0A, 4, 1, 1, 1]);
    assert!(kinds[5..].iter().all(|kind| *kind == 6));
    seen
}

const METER: Link = Link(0);
const BROWSER: Link = Link(1);

fn range(start: u32, len: u32) -> crate::history::Range {
    crate::history::Range { start, len }
}

fn sent(link: Link, start: u32, len: u32) -> Fact {
    Fact::Sent { link, bytes: range(start, len), by_script: false }
}

fn received(link: Link, start: u32, len: u32) -> Fact {
    Fact::Received { link, bytes: range(start, len) }
}

/// A connection that stands, with a PINGREQ and its answer.
fn ping() -> Vec<(u64, Fact)> {
    vec![
        (0, Fact::Opening { client: 0, link: METER }),
        (2000, Fact::Opened(METER)),
        (2000, sent(METER, 0, 2)),
        (4000, received(METER, 2, 2)),
    ]
}

const PING: &[u8] = &[0xC0, 0, 0xD0, 0];

fn finding(events: &[u32]) -> Finding {
    Finding {
        weight: Weight::Violation,
        requirement: "MQTT-3.3.1-1".into(),
        also: vec!["MQTT-3.3.1-2".into()],
        expected: "one thing".into(),
        observed: "another".into(),
        events: events.to_vec(),
        step: None,
        by: "a test".into(),
    }
}

#[test]
fn a_connection_opens_talks_and_is_closed_by_the_broker() {
    let mut facts = ping();
    facts.push((5000, Fact::Closed { link: METER, by: EndedBy::Broker, how: Ending::Fin }));
    let seen = packets(&facts, &[PING], &[]);
    let expected = [
        (0, 'c', "S", 0, 0, 0),
        (2, 'b', "SA", 0, 1, 0),
        (2, 'c', "A", 1, 1, 0),
        (2, 'c', "PA", 1, 1, 2),
        (4, 'b', "PA", 1, 3, 2),
        (5, 'b', "FA", 3, 3, 0),
        (5, 'c', "FA", 3, 4, 0),
    ];
    let found: Vec<_> = seen
        .iter()
        .map(|it| {
            let (sender, flags, sequence, acknowledged, length) = it.short();
            (it.nanoseconds / 1_000_000, sender, flags, sequence, acknowledged, length)
        })
        .collect();
    let expected: Vec<_> = expected.map(|(at, s, f, n, a, l)| (at, s, f.to_string(), n, a, l)).into();
    assert_eq!(found, expected);
    assert_eq!(seen[3].payload(), [0xC0, 0]);
    assert_eq!(seen[4].payload(), [0xD0, 0]);
    // 198.19.0.1:49152 to 198.18.0.1:1883.
    assert_eq!(seen[3].bytes[12..24], [198, 19, 0, 1, 198, 18, 0, 1, 0xC0, 0, 0x07, 0x5B]);
    assert!(seen.iter().all(|it| it.interface == 0 && it.comments.is_empty()));
}

#[test]
fn every_ending_has_its_packets() {
    let after = |by, how| -> Vec<(char, String)> {
        let mut facts = ping();
        facts.push((9000, Fact::Closed { link: METER, by, how }));
        let seen = packets(&facts, &[PING], &[]);
        seen[5..].iter().filter(|it| it.bytes[9] == 6).map(|it| (it.short().0, it.flags())).collect()
    };
    let packet = |sender, flags: &str| (sender, flags.to_string());
    assert_eq!(after(EndedBy::Broker, Ending::Reset), [packet('b', "RA")]);
    assert_eq!(after(EndedBy::Client, Ending::Fin), [packet('c', "FA")]);
    assert_eq!(after(EndedBy::Client, Ending::Reset), [packet('c', "RA")]);
    assert_eq!(after(EndedBy::Fault, Ending::Reset), [packet('c', "RA")]);
    assert_eq!(after(EndedBy::Fault, Ending::Fin), [packet('c', "FA")]);
    assert_eq!(after(EndedBy::Fault, Ending::Silence), []);
    assert_eq!(after(EndedBy::Network, Ending::TimedOut), []);
    let refused = [
        (0, Fact::Opening { client: 0, link: METER }),
        (1, Fact::Closed { link: METER, by: EndedBy::Network, how: Ending::Refused }),
    ];
    let seen = packets(&refused, &[], &[]);
    assert_eq!(seen[1].short(), ('b', "RA".into(), 0, 1, 0));
    assert_eq!(seen[1].comments, ["meter ·· the network refuses connection 0"]);
    assert_eq!(seen.len(), 2);
}

#[test]
fn what_was_lost_is_shown_and_never_acknowledged() {
    let mut facts = ping();
    facts.push((5000, Fact::Swallowed { link: METER, bytes: range(2, 2), from_broker: true }));
    facts.push((5000, Fact::Cut { link: METER, cut: Cut::Reset }));
    facts.push((5000, Fact::Closed { link: METER, by: EndedBy::Fault, how: Ending::Reset }));
    let seen = packets(&facts, &[PING], &[]);
    assert_eq!(seen[5].short(), ('b', "PA".into(), 3, 3, 2));
    assert_eq!(seen[5].comments, ["meter ✗─ broker   PINGRESP (lost)"]);
    // The client has seen the byte before 3, and its own numbers go on.
    assert_eq!(seen[6].short(), ('c', "RA".into(), 3, 3, 0));
    assert_eq!(seen[6].comments, ["meter ⚡ the connection is cut: reset"]);

    let mut facts = ping();
    facts.push((5000, Fact::Swallowed { link: METER, bytes: range(0, 2), from_broker: false }));
    facts.push((6000, received(METER, 2, 2)));
    let seen = packets(&facts, &[PING], &[]);
    assert_eq!(seen[5].short(), ('c', "PA".into(), 3, 3, 2));
    assert_eq!(seen[6].short(), ('b', "PA".into(), 3, 3, 2));
}

#[test]
fn a_broker_does_not_acknowledge_through_a_partition() {
    let partitioned = Fact::Partitioned { client: 0, to_broker: true, to_client: false };
    let mut facts = ping();
    facts.push((5000, partitioned));
    facts.push((6000, sent(METER, 0, 2)));
    facts.push((7000, received(METER, 2, 2)));
    facts.push((8000, Fact::Healed(Some(0))));
    facts.push((9000, received(METER, 2, 2)));
    let seen = packets(&facts, &[PING], &[]);
    assert_eq!(seen[5].short(), ('c', "PA".into(), 3, 3, 2));
    assert_eq!(seen[5].comments, ["at 0.005 s: meter ⚡ partition, towards the broker"]);
    assert_eq!(seen[6].short(), ('b', "PA".into(), 3, 3, 2));
    assert_eq!(seen[7].short(), ('b', "PA".into(), 5, 5, 2));
    assert_eq!(seen[7].comments, ["at 0.008 s: meter ⚡ the partition heals"]);
}

#[test]
fn comments_wait_for_a_packet_and_the_last_ones_get_one_of_their_own() {
    let mut facts = vec![(0, Fact::BrokerStarted), (0, Fact::StepBegan(0))];
    facts.extend(ping());
    facts.push((5000, Fact::StepBegan(1)));
    facts.push((5_005_000, Fact::LimitReached(1)));
    facts.push((6_005_000, Fact::Settled));
    let seen = packets(&facts, &[PING], &[]);
    assert_eq!(seen[0].comments, ["broker ·· started", "step 1: meter: connect"]);
    assert!(seen[1..5].iter().all(|it| it.comments.is_empty()));
    let last = &seen[5];
    assert_eq!((last.nanoseconds, last.interface, last.bytes.len()), (6_005_000_000, 2, 20));
    assert_eq!(
        last.comments,
        [
            "at 0.005 s: step 2: wait: 5s",
            "at 5.005 s: the step's time is up",
            "everything owed was awaited, and the quiet window has passed"
        ]
    );
}

#[test]
fn a_finding_is_told_at_the_last_event_that_it_cites() {
    let seen = packets(&ping(), &[PING], &[finding(&[2, 3]), finding(&[])]);
    let [comment] = &seen[4].comments[..] else { panic!("{:?}", seen[4].comments) };
    assert!(comment.starts_with("fail: MQTT-3.3.1-1, MQTT-3.3.1-2\nstatement: "), "{comment}");
    assert!(comment.ends_with("\nexpected: one thing\nobserved: another"), "{comment}");
    // The one without an event comes last.
    assert_eq!(seen.len(), 6);
    assert_eq!(seen[5].comments, [comment.as_str()]);
}

#[test]
fn packets_that_no_segment_holds_are_split() {
    let mut facts = ping();
    let size = MAXIMUM_SEGMENT_SIZE as u32;
    facts.push((5000, sent(METER, 4, 2 * size + 1)));
    facts.push((6000, received(METER, 2, 2)));
    let bytes: Vec<u8> = (0..2 * size + 1).map(|at| (at / 1000) as u8).collect();
    let seen = packets(&facts, &[PING, &bytes], &[]);
    assert_eq!(seen[5].short(), ('c', "A".into(), 3, 3, 65_495));
    assert_eq!(seen[6].short(), ('c', "A".into(), 3 + 65_495, 3, 65_495));
    assert_eq!(seen[7].short(), ('c', "PA".into(), 3 + 130_990, 3, 1));
    assert_eq!(seen[8].short(), ('b', "PA".into(), 3, 3 + 130_991, 2));
    assert_eq!([seen[5].payload(), seen[6].payload(), seen[7].payload()].concat(), bytes);
}

#[test]
fn packets_over_a_websocket_are_in_frames_behind_the_upgrade() {
    let facts = [
        (0, Fact::Opening { client: 0, link: METER }),
        (0, Fact::Opening { client: 1, link: BROWSER }),
        (1, Fact::UpgradeSent { link: BROWSER, bytes: range(4, 3) }),
        (2, Fact::UpgradeReceived { link: BROWSER, bytes: range(7, 4) }),
        (2, Fact::Opened(BROWSER)),
        (2, sent(BROWSER, 0, 2)),
        (3, received(BROWSER, 2, 2)),
        (4, Fact::Frame { link: BROWSER, bytes: range(11, 2), from_broker: true }),
        (5, Fact::Closed { link: BROWSER, by: EndedBy::Client, how: Ending::Fin }),
    ];
    let seen = packets(&facts, &[PING, b"GET", b"HTTP", &[0x89, 0]], &[]);
    assert!(seen[1..].iter().all(|it| it.interface == 1));
    let payloads: Vec<&[u8]> = seen[2..].iter().map(Seen::payload).collect();
    let expected: [&[u8]; 8] =
        [b"", b"", b"GET", b"HTTP", &[0x82, 0x82, 0, 0, 0, 0, 0xC0, 0], &[0x82, 2, 0xD0, 0], &[0x89, 0], b""];
    assert_eq!(payloads, expected);
    // The client's second address, its first port, and the port for WebSocket.
    assert_eq!(seen[4].bytes[12..24], [198, 19, 0, 2, 198, 18, 0, 1, 0xC0, 0, 0x1F, 0x90]);
    assert_eq!(seen[9].short(), ('c', "FA".into(), 12, 11, 0));
}

#[test]
fn an_upgrade_that_fails_is_ended_by_who_gave_up() {
    let refused = Fact::Closed { link: BROWSER, by: EndedBy::Network, how: Ending::Refused };
    let begin = [
        (0, Fact::Opening { client: 1, link: BROWSER }),
        (1, Fact::UpgradeSent { link: BROWSER, bytes: range(0, 3) }),
    ];
    let ends = |facts: &[(u64, Fact)], from: usize| -> Vec<(char, String)> {
        packets(facts, &[b"GET"], &[])[from..].iter().map(|it| (it.short().0, it.flags())).collect()
    };
    let unanswered = [&begin[..], &[(2, refused)]].concat();
    assert_eq!(ends(&unanswered, 4), [('b', "FA".to_string()), ('c', "FA".to_string())]);
    let answer = Fact::UpgradeReceived { link: BROWSER, bytes: range(0, 3) };
    let answered = [&begin[..], &[(2, answer), (2, refused)]].concat();
    assert_eq!(ends(&answered, 5), [('c', "FA".to_string())]);
}

#[test]
fn the_section_says_which_run_it_is() {
    let file = pcapng(&plan(), &History::new(), &about(&[]));
    let text = String::from_utf8_lossy(&file);
    for part in
        ["scenario: two\n", "title: Two clients", "MQTT 5.0", "world: core", "seed: 7", "verdict: pass"]
    {
        assert!(text.contains(part), "{part}");
    }
}
