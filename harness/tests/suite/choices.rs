//! Implementation choices: every one of the rulings is seen on the reference broker, and a variant that chooses
//! otherwise is seen to do so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use assay::requirement::{MEASURED_VALUE, choice, rulings};
use assay::scenario::{Suite, WorldKind, parse_file};
use assay::session::{Job, Selection, jobs, run_simulated};
use assay::text::SourceText;
use assay::verdict::Verdict;
use reference_broker::codec::ProtocolVersion;
use reference_broker::core::{Config, variants};

use super::suite;

/// Values by choice and version.
type Seen = BTreeMap<(String, String), BTreeSet<String>>;

/// The cases that record something.
fn recording(suite: &Suite) -> Vec<Job<'_>> {
    let all = jobs(suite, &Selection::default(), 1);
    let mut list: Vec<_> = all.into_iter().filter(|job| job.scenario.choices().next().is_some()).collect();
    for (at, job) in list.iter_mut().enumerate() {
        job.index = at;
    }
    list
}

fn observe(jobs: &[Job<'_>], config: &Config, on: &str) -> Seen {
    let mut seen = Seen::new();
    run_simulated(jobs, WorldKind::Core, config, 2, &mut |outcome| {
        let job = &jobs[outcome.index];
        let name = job.scenario.full_name();
        assert!(
            matches!(outcome.verdict, Verdict::Pass | Verdict::Skipped),
            "{name} ({}) on {on}: {}",
            job.version,
            outcome.reason
        );
        for one in &outcome.choices {
            let (ruling, choice) = choice(one.name).expect("a choice of the rulings");
            let measured = choice.values.iter().any(|value| value == MEASURED_VALUE);
            assert!(measured || choice.values.contains(&one.value), "{name}: {} is no value", one.value);
            let slug = ruling.accepted.iter().find(|accepted| accepted.slug == one.value);
            let version = job.version.to_string();
            assert!(
                slug.is_none_or(|it| it.versions.is_empty() || it.versions.contains(&version)),
                "{name} on {on}: {} does not exist in {version}",
                one.value
            );
            seen.entry((one.name.into(), version)).or_default().insert(one.value.clone());
        }
        true
    });
    seen
}

fn joined(values: Option<&BTreeSet<String>>) -> String {
    match values {
        Some(values) => values.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        None => "nothing".into(),
    }
}

/// The choices in the order of their rulings.
fn names() -> Vec<&'static str> {
    rulings().iter().filter_map(|ruling| Some(ruling.choice.as_ref()?.name.as_str())).collect()
}

#[test]
fn every_choice_is_seen_on_the_reference_broker() {
    let suite = suite();
    let seen = observe(&recording(&suite), &Config::default(), "the default");
    let mut table = String::new();
    assert_eq!(names().len(), 50);
    for name in names() {
        let (ruling, _) = choice(name).expect("it was listed");
        let rows: Vec<_> = seen.iter().filter(|((other, _), _)| other == name).collect();
        assert_eq!(
            rows.is_empty(),
            ruling.unobserved.is_some(),
            "{}: {name} is either seen or has a reason why not",
            ruling.id
        );
        for ((_, version), values) in rows {
            let _ = writeln!(table, "{} {name} ({version}): {}", ruling.id, joined(Some(values)));
        }
    }
    insta::assert_snapshot!(table);
}

/// A client that breaks the rules, behind a network that takes its time.
const SLOW: &str = r#"
title: A packet of a reserved type is answered with the close
requirements: { v5: [MQTT-4.13.1-1], v3.1.1: [MQTT-4.8.0-1] }
network: { latency: LATENCY }
clients: { offender: {} }
steps:
  - offender: connect
  - offender: { send_bytes: '00 00' }
  - offender: { expect: closed, within: 10s, choice: { close-delay: { soon: at-once, later: measured-value } } }
"#;

#[test]
fn a_close_is_at_once_or_late_or_never() {
    let mut seen = Vec::new();
    let cases = [("5ms", None), ("600ms", None), ("5ms", Some("reserved-types-ignored"))];
    for (latency, defect) in cases {
        let text = SourceText::new("slow.yaml", SLOW.replace("LATENCY", latency));
        let file = parse_file("slow", text).unwrap_or_else(|problems| panic!("{problems}"));
        let mut config = Config::default();
        if let Some(defect) = defect {
            config.set_defect(defect).expect("a defect");
        }
        for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
            let job = Job { index: 0, scenario: &file.scenarios[0], source: &file.source, version, seed: 1 };
            run_simulated(&[job], WorldKind::Core, &config, 1, &mut |outcome| {
                let values: Vec<_> =
                    outcome.choices.iter().map(|it| format!("{} {}", it.name, it.value)).collect();
                seen.push(format!("{latency} {version}: {:?} {}", outcome.verdict, values.join(", ")));
                true
            });
        }
    }
    insta::assert_snapshot!(seen.join("\n"));
}

#[test]
fn a_known_deviation_is_recorded_beside_its_failure() {
    let suite = suite();
    let mut config = Config::default();
    config.set_defect("takeover-drops-will").expect("a defect");
    let jobs: Vec<_> = recording(&suite)
        .into_iter()
        .filter(|job| job.scenario.full_name() == "choices/will-on-takeover-3.1.1")
        .map(|job| Job { index: 0, ..job })
        .collect();
    let mut recorded = Vec::new();
    run_simulated(&jobs, WorldKind::Core, &config, 1, &mut |outcome| {
        assert_eq!(outcome.verdict, Verdict::Fail, "recording a deviation does not excuse it");
        recorded.extend(outcome.choices.iter().map(|it| (it.name, it.value.clone())));
        true
    });
    assert_eq!(recorded, [("will-on-takeover-3.1.1", "not-published".to_string())]);
}

#[test]
fn core_and_sim_see_the_same_choices() {
    let suite = suite();
    let jobs = recording(&suite);
    let mut seen = [WorldKind::Core, WorldKind::Sim].map(|world| {
        let mut list = Vec::new();
        run_simulated(&jobs, world, &Config::default(), 2, &mut |outcome| {
            let choices = outcome.choices.iter().map(|it| (it.name, it.value.clone())).collect::<Vec<_>>();
            list.push((jobs[outcome.index].scenario.full_name(), choices));
            true
        });
        list
    });
    let [core, sim] = &mut seen;
    assert!(core.len() > 200, "{} cases record something", core.len());
    assert_eq!(core, sim);
}

#[test]
fn a_variant_is_seen_to_choose_otherwise() {
    let suite = suite();
    let jobs = recording(&suite);
    let default = observe(&jobs, &Config::default(), "the default");
    let mut made: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut note = |seen: &Seen| {
        for ((name, _), values) in seen {
            let name = names().into_iter().find(|it| it == name).expect("a choice of the rulings");
            made.entry(name).or_default().extend(values.iter().cloned());
        }
    };
    note(&default);
    let mut table = String::new();
    for variant in variants() {
        let mut config = Config::default();
        for (key, value) in variant.settings {
            config.set(key, value).unwrap_or_else(|error| panic!("{}: {error}", variant.id));
        }
        let seen = observe(&jobs, &config, variant.id);
        let mut changes = String::new();
        for place in default.keys().chain(seen.keys()).collect::<BTreeSet<_>>() {
            let (before, after) = (default.get(place), seen.get(place));
            if before != after {
                let (name, version) = place;
                let _ = writeln!(changes, "  {name} ({version}): {} -> {}", joined(before), joined(after));
            }
        }
        // Most settings have the names of the choices, and their values.
        for (key, value) in variant.settings {
            let Some((_, choice)) = choice(key) else { continue };
            if choice.values.iter().any(|it| it == value) {
                let right = seen.iter().any(|((name, _), values)| name == key && values.contains(*value));
                assert!(right, "{}: {key} is not seen to be {value}", variant.id);
            }
        }
        let _ = write!(table, "{} ({})\n{changes}", variant.id, variant.ruling);
        note(&seen);
    }
    let _ = writeln!(table, "\nvalues that neither the default nor a variant shows");
    for name in names() {
        let (ruling, choice) = choice(name).expect("it was listed");
        let shown = made.get(name);
        for value in choice.values.iter().filter(|value| *value != MEASURED_VALUE) {
            if !shown.is_some_and(|values| values.contains(value)) {
                let _ = writeln!(table, "  {} {name}: {value}", ruling.id);
            }
        }
    }
    insta::assert_snapshot!(table);
}
