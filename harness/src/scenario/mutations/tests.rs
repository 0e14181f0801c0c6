//! The table of mutations as a whole: how much of it there is, that what it makes is malformed, and that what it
//! starts from is not.

use std::collections::{BTreeMap, BTreeSet};

use reference_broker::codec::{DecodeError, PacketType, ProtocolVersion, Rule, decode};

use super::super::bytes::{Names, assemble};
use super::forms::forms;
use super::{Case, State, Target, cases};
use crate::requirement::Catalogue;

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::V3_1_1, ProtocolVersion::V5];

fn targets() -> Vec<Target> {
    Target::words().filter_map(Target::from_name).collect()
}

fn bytes(words: &str, version: ProtocolVersion) -> Vec<u8> {
    let names = Names { topic_prefix: Some("1f2e/17"), client_id: "a1b2c3n17c2" };
    assemble(words, version, names).unwrap_or_else(|problem| panic!("{words}: {problem}"))
}

fn every() -> Vec<(Target, ProtocolVersion, State, Case)> {
    let mut all = Vec::new();
    for version in VERSIONS {
        for target in targets().into_iter().filter(|target| target.exists_in(version)) {
            for (_, state) in State::WORDS {
                all.extend(
                    cases(target, version, *state).into_iter().map(|case| (target, version, *state, case)),
                );
            }
        }
    }
    all
}

#[test]
fn there_are_as_many_cases_as_promised() {
    let mut counts: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for (target, version, state, _) in every() {
        let place = if state == State::of(target) { "" } else { " in the wrong state" };
        let row = counts.entry(format!("{}{place}", target.slug())).or_default();
        row[usize::from(version == ProtocolVersion::V5)] += 1;
    }
    let total = |at: usize| counts.values().map(|row| row[at]).sum::<usize>();
    let mut table = format!("{:<34} {:>6} {:>6}\n", "", "3.1.1", "5.0");
    for (name, row) in &counts {
        table.push_str(&format!("{name:<34} {:>6} {:>6}\n", row[0], row[1]));
    }
    table.push_str(&format!("{:<34} {:>6} {:>6}\n", "total", total(0), total(1)));
    assert!(total(0) + total(1) >= 2_000, "{table}");
    insta::assert_snapshot!(table);
}

#[test]
fn names_are_unique_and_ids_exist() {
    let mut names = BTreeSet::new();
    for (target, version, state, case) in every() {
        let name = format!("{version}/{}/{state:?}/{}", target.slug(), case.name);
        let readable = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-/.".contains(c);
        assert!(case.name.chars().all(readable), "{name}");
        assert!(!case.requirements.is_empty(), "{name}");
        for id in &case.requirements {
            assert!(Catalogue::of(version).get(id).is_some(), "{name}: {id} is no statement of {version}");
        }
        assert_eq!(case.reasons.is_empty(), version != ProtocolVersion::V5, "{name}");
        assert!(names.insert(name.clone()), "{name} stands twice");
    }
}

#[test]
fn no_two_cases_of_a_packet_are_the_same() {
    let mut seen: BTreeMap<(String, &str, Vec<u8>), String> = BTreeMap::new();
    for (target, version, state, case) in every() {
        let state = if state == State::Connected { "connected" } else { "unconnected" };
        let bytes = bytes(&case.bytes, version);
        let key = (version.to_string(), state, bytes);
        if let Some(other) = seen.insert(key, format!("{} {}", target.slug(), case.name)) {
            panic!("{version} {state}: {} {} is {other}", target.slug(), case.name);
        }
    }
}

#[test]
fn the_forms_are_valid() {
    for version in VERSIONS {
        for kind in PacketType::ALL {
            for packet in forms(kind, version) {
                let whole = bytes(&packet.whole(), version);
                let found = decode(&whole, version);
                assert!(
                    matches!(&found, Ok(Some((decoded, length)))
                        if decoded.packet_type() == kind && *length == whole.len()),
                    "{kind} of {version}, {}: {found:?}",
                    packet.form
                );
            }
        }
    }
}

/// What the decoder does not see, since it looks at one packet without its connection.
fn shows_in_the_connection(target: Target, state: State, case: &Case) -> bool {
    let server = [PacketType::Connack, PacketType::Suback, PacketType::Unsuback, PacketType::Pingresp];
    if state != State::of(target) || server.iter().any(|kind| target == Target::Packet(*kind)) {
        return true;
    }
    [
        // A reason, a property or a value that a client may not send, or not now.
        "MQTT-3.14.2-1",
        "MQTT-3.3.4-6",
        "MQTT-3.3.2-7",
        "U5-36",
        // Wildcards in a Topic Name.
        "MQTT-3.3.2-2",
        // AUTH without a method in CONNECT.
        "MQTT-4.12.0-7",
    ]
    .iter()
    .any(|id| case.requirements.contains(id))
}

#[test]
fn the_strict_decoder_refuses_what_is_malformed() {
    let mut accepted = Vec::new();
    for (target, version, state, case) in every() {
        if shows_in_the_connection(target, state, &case) {
            continue;
        }
        let bytes = bytes(&case.bytes, version);
        if !matches!(decode(&bytes, version), Err(DecodeError { .. })) {
            accepted.push(format!("{version} {} {}: {}", target.slug(), case.name, case.bytes));
        }
    }
    assert!(accepted.is_empty(), "{}", accepted.join("\n"));
}

#[test]
fn nothing_rests_on_what_a_ruling_lets_servers_tolerate() {
    for (target, version, state, case) in every() {
        if shows_in_the_connection(target, state, &case) {
            continue;
        }
        let Err(error) = decode(&bytes(&case.bytes, version), version) else { continue };
        let tolerable = match error.rule {
            //
            Rule::RemainingLengthNotMinimal | Rule::VariableByteIntegerNotMinimal | Rule::DupWithQosZero => {
                true
            }
            //
            Rule::SurplusBytes => target != Target::Packet(PacketType::Connect),
            _ => false,
        };
        assert!(!tolerable, "{version} {} {}: {error}", target.slug(), case.name);
    }
}
