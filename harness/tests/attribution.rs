//! What is found is held against the broker under the right statement, and under no other: a defect breaks one thing,
//! and a failure accuses of that one.

use std::collections::BTreeSet;

use assay::scenario::{Suite, WorldKind};
use assay::session::{Selection, jobs, play_simulated};
use assay::verdict::{Verdict, Weight};
use reference_broker::codec::ProtocolVersion;
use reference_broker::core::Config;

/// Scenario, version, defect; how many of its cases fail, and all that they accuse of.
type Row = (&'static str, ProtocolVersion, &'static str, usize, &'static [&'static str]);

const ROWS: [Row; 9] = [
    // A higher QoS than was granted: nothing else about the delivery is wrong.
    ("session/resumed-with-its-contents", ProtocolVersion::V5, "delivered-as-granted", 4, &["MQTT-3.8.4-8"]),
    // An answer that cannot be read is no answer of another kind.
    ("exactly-once/publisher-cut-qos-2", ProtocolVersion::V5, "pubcomp-foreign-code", 6, &["MQTT-3.7.2-1"]),
    // An acknowledgement that does not come: the duty to send it.
    ("exactly-once/publisher-cut-qos-2", ProtocolVersion::V5, "pubcomp-missing", 24, &["MQTT-4.3.3-11"]),
    // A delivery that comes again as if for the first time is no duplicate of another message.
    (
        "exactly-once/subscriber-cut-qos-1",
        ProtocolVersion::V3_1_1,
        "resent-without-dup",
        6,
        &["MQTT-3.3.1-1"],
    ),
    ("exactly-once/subscriber-cut-qos-1", ProtocolVersion::V5, "resent-without-dup", 6, &["MQTT-3.3.1-1"]),
    // A session that is denied in CONNACK and there all the same: nothing of it is lost.
    (
        "exactly-once/publisher-cut-qos-1",
        ProtocolVersion::V3_1_1,
        "session-present-never",
        12,
        &["MQTT-3.2.2-2"],
    ),
    (
        "exactly-once/subscription-gone-during-the-exchange",
        ProtocolVersion::V3_1_1,
        "session-present-never",
        2,
        &["MQTT-3.2.2-2"],
    ),
    // What comes too early is in its right order otherwise.
    ("connect/connack-comes-first", ProtocolVersion::V3_1_1, "connack-last", 1, &["MQTT-3.2.0-1"]),
    ("choices/will-on-takeover-3.1.1", ProtocolVersion::V3_1_1, "takeover-drops-will", 1, &["MQTT-3.1.2-8"]),
];

#[test]
fn a_failure_accuses_of_the_statement_that_is_broken_and_of_no_other() {
    let suite = Suite::embedded(&[]).unwrap_or_else(|error| panic!("{}", error.render(false)));
    let jobs = jobs(&suite, &Selection::default(), 1);
    for (scenario, version, defect, count, statements) in ROWS {
        let mut config = Config::default();
        config.set_defect(defect).unwrap_or_else(|error| panic!("{defect}: {error}"));
        let mut failed = 0;
        for job in jobs.iter().filter(|job| job.version == version && job.scenario.name == scenario) {
            let outcome = play_simulated(job, WorldKind::Core, &config);
            let name = job.scenario.full_name();
            match outcome.verdict {
                Verdict::Pass => continue,
                Verdict::Fail => failed += 1,
                other => panic!("{name} ({version}) with {defect}: {other:?}, {}", outcome.reason),
            }
            let found = outcome.findings.iter().filter(|finding| finding.weight == Weight::Violation);
            let accused: BTreeSet<&str> = found.map(|finding| finding.requirement.as_str()).collect();
            let wanted: BTreeSet<&str> = statements.iter().copied().collect();
            assert_eq!(accused, wanted, "{name} ({version}) with {defect}: {:#?}", outcome.findings);
        }
        assert_eq!(failed, count, "cases of {scenario} ({version}) that fail with {defect}");
    }
}
