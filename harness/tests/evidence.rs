//! Evidence files: what is written can be read, what was cut short or changed is refused.

use std::path::Path;

use assay::evidence::{Evidence, EvidenceError, FORMAT, Header, random_name};
use assay::scenario::{Suite, WorldKind};
use assay::session::{Selection, jobs, play_simulated, simulated_options};
use assay::verdict::Verdict;
use reference_broker::core::Config;

fn evidence(defect: Option<&str>) -> Evidence {
    evidence_of("qos/delivered-once-at-its-qos", defect)
}

fn evidence_of(name: &str, defect: Option<&str>) -> Evidence {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let suite = Suite::load(&folder, &[name.into()]).expect("the scenario");
    let jobs = jobs(&suite, &Selection::default(), 7);
    let mut config = Config::default();
    if let Some(defect) = defect {
        config.set_defect(defect).expect("a defect");
    }
    let outcome = play_simulated(&jobs[0], WorldKind::Core, &config);
    let (options, _) = simulated_options(WorldKind::Core);
    let job = &jobs[0];
    let header = Header {
        assay_evidence: FORMAT,
        tool: "assay test".into(),
        world: "core".into(),
        broker: "reference broker".into(),
        scenario: job.scenario.name.clone(),
        case: job.scenario.case.clone(),
        protocol: job.version.to_string(),
        seed: job.seed,
        random: random_name(),
        settings: Vec::new(),
        defect: defect.map(str::to_string),
        tolerance_us: options.tolerance.as_micros() as u64,
        topic_prefix: None,
        client_id_prefix: None,
        command: "assay run".into(),
        file: job.source.name.clone(),
        text: job.source.text.clone(),
    };
    Evidence::new(header, outcome.history, outcome.verdict, outcome.findings)
}

#[test]
fn what_is_written_can_be_read() {
    let evidence = evidence(None);
    assert_eq!(evidence.footer.verdict, Verdict::Pass);
    let again = Evidence::parse(&evidence.to_text()).expect("it is evidence");
    assert_eq!(again.history, evidence.history);
    assert_eq!(again.footer.digest, evidence.footer.digest);
    assert_eq!(again.scenario().expect("its scenario").1.name, "qos/delivered-once-at-its-qos");
}

#[test]
fn upgrades_and_frames_of_websockets_are_kept() {
    for defect in [None, Some("websocket-text-sent")] {
        let evidence = evidence_of("websocket/frames", defect);
        let text = evidence.to_text();
        for readable in ["\"fact\":\"upgrade-sent\"", "HTTP/1.1 101", "\"fact\":\"frame\""] {
            assert!(defect.is_none() && readable.contains("frame") || text.contains(readable), "{readable}");
        }
        assert_eq!(Evidence::parse(&text).expect("it is evidence").history, evidence.history);
    }
}

#[test]
fn a_verdict_is_computed_again_from_the_file() {
    let evidence = evidence(Some("connack-missing"));
    assert_eq!(evidence.footer.verdict, Verdict::Fail);
    let again = Evidence::parse(&evidence.to_text()).expect("it is evidence");
    let (_, scenario) = again.scenario().expect("its scenario");
    let version = again.version().expect("its version");
    let plan = assay::scenario::Plan::new(&scenario, version, &again.plan_options()).expect("a plan");
    let findings = assay::check::check(&plan, &again.history);
    assert_eq!(findings, evidence.footer.findings);
}

#[test]
fn every_way_to_cut_a_file_short_is_noticed() {
    let text = evidence(None).to_text();
    for (at, _) in text.char_indices().skip(1).step_by(97) {
        let error = Evidence::parse(&text[..at]).expect_err("it is cut short");
        assert!(
            matches!(error, EvidenceError::CutShort | EvidenceError::Broken { .. }),
            "cut at {at}: {error}"
        );
    }
    let without_footer =
        text.lines().rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
    assert!(matches!(Evidence::parse(&without_footer), Err(EvidenceError::CutShort)));
}

#[test]
fn an_edited_fact_is_noticed() {
    let text = evidence(None).to_text();
    let lines: Vec<&str> = text.lines().collect();
    for (number, line) in lines.iter().enumerate().skip(1).take(lines.len() - 2) {
        let edited = line.replacen("\"at\":", "\"at\":1", 1);
        let mut changed = lines.clone();
        changed[number] = &edited;
        let error = Evidence::parse(&changed.join("\n")).expect_err("it was edited");
        assert!(matches!(error, EvidenceError::Edited { .. }), "line {number}: {error}");
    }
    let mut removed = lines.clone();
    removed.remove(5);
    assert!(matches!(Evidence::parse(&removed.join("\n")), Err(EvidenceError::Edited { .. })));
}

#[test]
fn another_format_is_refused_by_its_number() {
    let text = evidence(None).to_text().replacen("\"assay_evidence\":1", "\"assay_evidence\":99", 1);
    assert!(matches!(Evidence::parse(&text), Err(EvidenceError::Format(99))));
}
