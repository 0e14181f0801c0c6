//! The suite can fail: every defect is caught by a case that names its statement, every legal variant passes, and
//! no statement that a server can be seen to break goes without a defect that breaks it.

use std::collections::BTreeSet;

use assay::prove::prove;
use assay::requirement::{Actor, Catalogue, Obligation, Observable};
use assay::scenario::Suite;
use assay::session::{Selection, jobs};
use reference_broker::codec::ProtocolVersion;

#[test]
fn every_statement_has_a_defect_that_a_case_naming_it_catches() {
    let suite = Suite::embedded(&[]).unwrap_or_else(|error| panic!("{}", error.render(false)));
    let jobs = jobs(&suite, &Selection::default(), 1);
    let proof = prove(&jobs, None, 2, &|_, _| {});
    assert!(proof.defects.len() >= 250, "{} defects", proof.defects.len());
    assert!(proof.variants.len() >= 25, "{} variants", proof.variants.len());
    let missed: Vec<&str> = proof.defects.iter().filter(|it| !it.caught).map(|it| it.id.as_str()).collect();
    assert_eq!(missed, Vec::<&str>::new(), "defects that nothing catches");
    let accused: Vec<&str> = proof.variants.iter().filter(|it| !it.passed).map(|it| it.id.as_str()).collect();
    assert_eq!(accused, Vec::<&str>::new(), "legal choices that are called a failure");
    assert_eq!(proof.unproven, Vec::<String>::new(), "scenario-cases that nothing makes fail");

    for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        let name = version.to_string();
        let caught: BTreeSet<&String> =
            proof.defects.iter().filter_map(|it| it.caught_statements.get(&name)).flatten().collect();
        let uncaught: Vec<&String> = Catalogue::of(version)
            .requirements
            .iter()
            .filter(|it| it.actor != Actor::Client && it.observable != Observable::NotObservable)
            .filter(|it| {
                it.id.starts_with("MQTT-") || matches!(it.level, Obligation::Must | Obligation::MustNot)
            })
            .map(|it| &it.id)
            .filter(|id| !caught.contains(id))
            .collect();
        assert_eq!(uncaught, Vec::<&String>::new(), "statements of {name} that no defect breaks");
    }
}
