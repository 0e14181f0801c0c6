//! Exploration: the generator's fronts, what it finds, what it must not find, and that it repeats itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU64};

use assay::explore::{Explored, Sum, Sweep, explore, play};
use assay::generate::{Bytes, generate, of_seed};
use assay::scenario::{Plan, WorldKind, parse_file, write};
use assay::session::simulated_options;
use assay::text::SourceText;
use proptest::prelude::{ProptestConfig, any, proptest};
use reference_broker::core::{Config, variants};
use tempfile::TempDir;

fn sweep(from: u64, to: u64, config: &Config, keep_going: bool) -> Sum {
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    Sweep { config, jobs: 2, keep_going, stop: &stop, done: &done }.run(from, to)
}

fn nothing(explored: &Explored) {
    assert!(
        explored.findings.is_empty(),
        "{}\n{:#?}\n{}",
        explored.generated.dials,
        explored.findings,
        write(&explored.generated.scenario, &[])
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    // The generator as a strategy: what fails is shrunk by shortening the bytes that decide.
    #[test]
    fn the_core_serves_whatever_bytes_decide(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let generated = generate(&mut Bytes::new(&bytes), "bytes".into());
        nothing(&play(1, generated, WorldKind::Core, &Config::default()));
    }

    #[test]
    fn what_is_generated_reads_back_from_its_file(seed in any::<u64>()) {
        let generated = of_seed(seed);
        let version = generated.dials.version;
        let text = write(&generated.scenario, &["remark".into()]);
        let file = parse_file("seed", SourceText::new("seed.yaml", &text)).expect("a scenario");
        let (options, _) = simulated_options(WorldKind::Core);
        let acts = |scenario| {
            let plan = Plan::new(scenario, version, &options).expect("a plan");
            plan.steps.into_iter().map(|step| step.act).collect::<Vec<_>>()
        };
        assert_eq!(acts(&file.scenarios[0]), acts(&generated.scenario), "{text}");
    }
}

#[test]
fn every_variant_is_explored_without_a_finding() {
    for variant in variants() {
        let mut config = Config::default();
        for (key, value) in variant.settings {
            config.set(key, value).expect("a setting");
        }
        let sum = sweep(0, 60, &config, true);
        assert_eq!(sum.findings, BTreeMap::new(), "{}", variant.id);
        assert!(sum.messages > 500, "{}: {} messages", variant.id, sum.messages);
    }
}

/// Defects that the scripted suite catches and that exploration finds alone, with the seeds that it may take.
const FOUND: &[(&str, u64)] = &[
    ("dup-copied", 60),
    ("hash-misses-parent", 60),
    ("acknowledged-resent", 300),
    ("alias-cannot-change", 60),
    ("clean-start-ignored", 60),
    ("connack-twice", 60),
    ("delivered-as-granted", 60),
    ("delivered-as-published", 60),
    ("disconnect-twice", 60),
    ("dup-on-first", 60),
    ("dup-publish-ignored", 60),
    ("full-window-stops-service", 300),
    ("granted-too-much", 60),
    ("hash-one-level", 60),
    ("identifier-constant", 60),
    ("content-type-dropped", 300),
    ("correlation-data-dropped", 300),
    ("expiry-not-counted-down", 600),
    ("clean-start-keeps-subscriptions", 600),
    ("first-options-for-all", 60),
];

#[test]
fn twenty_defects_are_found_by_exploration_alone() {
    let mut missed = Vec::new();
    for (defect, seeds) in FOUND {
        let mut config = Config::default();
        config.set_defect(defect).expect("a defect");
        if sweep(0, *seeds, &config, false).findings.is_empty() {
            missed.push(*defect);
        }
    }
    assert_eq!(missed, Vec::<&str>::new());
}

/// The committed digests, by range of seeds. A change of the generator, of the broker's behaviour or of a clock shows
/// here and is committed on purpose; a difference between machines or builds shows as a failure.
#[test]
fn golden_seeds_have_the_committed_digests() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden-seeds.txt");
    let golden = std::fs::read_to_string(path).expect("the committed digests");
    let mut checked = 0;
    for line in golden.lines().filter(|line| !line.starts_with('#')) {
        let (seeds, digest) = line.split_once(' ').expect("seeds and digest");
        let (from, to) = seeds.split_once("..").expect("a range");
        let sum = sweep(from.parse().expect("a seed"), to.parse().expect("a seed"), &Config::default(), true);
        assert_eq!(sum.digest.to_string(), digest, "seeds {seeds}");
        checked += 1;
    }
    assert_eq!(checked, 10);
}

#[test]
fn a_seed_shows_the_same_twice() {
    for seed in 0..50 {
        assert_eq!(explore(seed, &Config::default()).digest, explore(seed, &Config::default()).digest);
    }
}

// ---- the command ----

fn assay(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.args(arguments).current_dir(folder).output().expect("the command runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn shards(folder: &Path, out: &str, seeds: &str, of: u64) -> Vec<PathBuf> {
    (1..=of)
        .map(|index| {
            let shard = format!("{index}/{of}");
            let arguments =
                ["explore", "--seeds", seeds, "--shard", &shard, "--out", out, "--defect", "dup-copied"];
            let output = assay(&arguments, folder);
            assert_eq!(output.status.code(), Some(0), "{}", self::out(&output));
            folder.join(out).join(format!("shard-{index}-of-{of}.json"))
        })
        .collect()
}

#[test]
fn the_merged_result_is_the_same_whatever_the_number_of_shards() {
    let folder = TempDir::new().expect("a folder");
    shards(folder.path(), "one", "0..60", 1);
    shards(folder.path(), "seven", "0..60", 7);
    for name in ["one", "seven"] {
        let output = assay(&["merge", name, "--output", &format!("{name}.json")], folder.path());
        assert_eq!(output.status.code(), Some(1), "{}", out(&output));
    }
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a result");
    assert_eq!(read("one.json"), read("seven.json"));
    assert!(read("one.json").contains("MQTT-3.3.1-3"));
}

#[test]
fn a_shard_that_is_there_is_not_run_again_and_another_exploration_does_not_overwrite_it() {
    let folder = TempDir::new().expect("a folder");
    let file = shards(folder.path(), "out", "0..8", 2).remove(0);
    let before = std::fs::metadata(&file).and_then(|meta| meta.modified()).expect("a time");
    let again = ["explore", "--seeds", "0..8", "--shard", "1/2", "--out", "out", "--defect", "dup-copied"];
    let output = assay(&again, folder.path());
    assert_eq!(output.status.code(), Some(0));
    assert!(out(&output).contains("is there already"), "{}", out(&output));
    assert_eq!(std::fs::metadata(&file).and_then(|meta| meta.modified()).expect("a time"), before);
    let other = assay(&["explore", "--seeds", "0..9", "--shard", "1/2", "--out", "out"], folder.path());
    assert_eq!(other.status.code(), Some(2));
    assert!(out(&other).contains("belongs to another exploration"), "{}", out(&other));
}

#[test]
fn a_merge_refuses_what_is_missing_doubled_cut_short_or_mixed() {
    let folder = TempDir::new().expect("a folder");
    let files = shards(folder.path(), "out", "0..12", 3);
    let refused = |why: &str| {
        let output = assay(&["merge", "out"], folder.path());
        assert_eq!(output.status.code(), Some(2), "{}", out(&output));
        assert!(out(&output).contains(why), "{}", out(&output));
    };
    let whole = std::fs::read_to_string(&files[1]).expect("a shard");
    std::fs::remove_file(&files[1]).expect("it was there");
    refused("missing: shard 2/3");
    std::fs::write(&files[1], &whole[..whole.len() / 2]).expect("a file");
    refused("cut short");
    std::fs::copy(&files[0], &files[1]).expect("a copy");
    refused("counts twice");
    std::fs::write(&files[1], whole.replace("\"to\": 12", "\"to\": 13")).expect("a file");
    refused("do not belong together");
    std::fs::write(&files[1], whole.replace("\"build\": \"", "\"build\": \"0")).expect("a file");
    refused("different builds");
    let version = format!("\"assay\": \"{}\"", env!("CARGO_PKG_VERSION"));
    std::fs::write(&files[1], whole.replace(&version, "\"assay\": \"0.0.0\"")).expect("a file");
    refused("made by versions");
    std::fs::write(&files[1], whole.replace("\"scenarios\": 4", "\"scenarios\": 3")).expect("a file");
    refused("played 3 of 4 seeds");
    let empty = assay(&["merge", "."], folder.path());
    assert_eq!(empty.status.code(), Some(2));
    assert!(out(&empty).contains("has no shards"), "{}", out(&empty));
}

#[test]
fn a_finding_is_shown_with_what_was_in_play_and_a_file_that_shows_it_again() {
    let folder = TempDir::new().expect("a folder");
    let found = assay(&["explore", "--seeds", "0..100", "--defect", "dup-copied"], folder.path());
    assert_eq!(found.status.code(), Some(1), "{}", out(&found));
    let text = out(&found);
    assert!(text.contains("FAIL MQTT-3.3.1-3 (deliveries), in the sim world too"), "{text}");
    let again = text.lines().find_map(|line| line.trim().strip_prefix("again ")).expect("the command");
    let words: Vec<&str> = again.split_whitespace().skip(1).collect();
    let output = assay(&words, folder.path());
    assert_eq!(output.status.code(), Some(1), "{}", out(&output));
    assert!(out(&output).contains("MQTT-3.3.1-3"), "{}", out(&output));
    let clean = assay(&["explore", "--seeds", "0..100"], folder.path());
    assert_eq!(clean.status.code(), Some(0), "{}", out(&clean));
}

#[test]
fn bad_usage_has_one_message_and_exit_code_2() {
    let folder = TempDir::new().expect("a folder");
    for (arguments, why) in [
        (&["explore", "--seeds", "9..3"][..], "expected A..B with A < B"),
        (&["explore", "--shard", "9/8", "--out", "out"], "expected I/N with 1 <= I <= N"),
        (&["explore", "--shard", "1/2"], "--out"),
        (&["explore", "--for", "60"], "expected a duration with a unit"),
        (&["explore", "--defect", "nonsense"], "there is no defect `nonsense`"),
        (&["merge", "nowhere"], "nowhere"),
    ] {
        let output = assay(arguments, folder.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", out(&output));
        assert!(out(&output).contains(why), "{arguments:?}: {}", out(&output));
    }
}
