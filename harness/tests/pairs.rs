//! The table of features in pairs: every pair has an answer, and every scenario that it names is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use assay::scenario::Suite;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    features: Vec<Feature>,
    pairs: BTreeMap<String, BTreeMap<String, Answer>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Feature {
    name: String,
    means: String,
}

/// Where two features meet, or why they never do: one of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    scenarios: Option<Vec<String>>,
    cannot: Option<String>,
}

fn table() -> Table {
    // By way of a value, which refuses a key that is there twice; a map would keep the last.
    let value: serde_yaml::Value =
        serde_yaml::from_str(include_str!("../requirements/pairs.yaml")).expect("it is YAML");
    serde_yaml::from_value(value).expect("it is a table of pairs")
}

#[test]
fn every_pair_of_features_has_one_answer() {
    let table = table();
    let names: Vec<&str> = table.features.iter().map(|feature| feature.name.as_str()).collect();
    assert!(names.len() >= 15, "{names:?}");
    for feature in &table.features {
        assert!(feature.means.ends_with('.'), "{} is explained in a sentence", feature.name);
    }
    let mut owed = BTreeSet::new();
    for (place, first) in names.iter().enumerate() {
        owed.extend(names[place + 1..].iter().map(|second| (*first, *second)));
    }
    assert_eq!(owed.len(), names.len() * (names.len() - 1) / 2, "a feature is listed twice");
    let mut answered = BTreeSet::new();
    for (first, others) in &table.pairs {
        answered.extend(others.keys().map(|second| (first.as_str(), second.as_str())));
    }
    let missing: Vec<_> = owed.difference(&answered).collect();
    let surplus: Vec<_> = answered.difference(&owed).collect();
    assert!(missing.is_empty(), "without an answer: {missing:?}");
    assert!(surplus.is_empty(), "no pair of features in their order: {surplus:?}");
}

#[test]
fn every_answer_names_scenarios_of_the_suite_or_a_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let suite = match Suite::load(&folder, &[]) {
        Ok(suite) => suite,
        Err(error) => panic!("{error}"),
    };
    let mut known = BTreeSet::new();
    for (_, scenario) in suite.scenarios() {
        known.insert(scenario.name.clone());
        known.insert(scenario.full_name());
    }
    let mut wrong = Vec::new();
    for (first, others) in &table().pairs {
        for (second, answer) in others {
            let pair = format!("{first} and {second}");
            match (&answer.scenarios, &answer.cannot) {
                (Some(names), None) => {
                    let different: BTreeSet<&String> = names.iter().collect();
                    if names.is_empty() || different.len() < names.len() {
                        wrong.push(format!("{pair}: no scenario, or one named twice"));
                    }
                    let unknown = names.iter().filter(|name| !known.contains(*name));
                    wrong.extend(unknown.map(|name| format!("{pair}: there is no {name}")));
                }
                (None, Some(reason)) if !reason.trim().is_empty() => {}
                _ => wrong.push(format!("{pair}: either `scenarios` or `cannot`, and not empty")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
