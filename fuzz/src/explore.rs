//! Bytes become a scenario of the generator, the core world plays it, and the checkers judge what happened.
//!
//! The generator is the one of `assay explore`, which asks a seed; here it asks libFuzzer's bytes, so coverage of
//! the broker leads the search. No checker knows more here than there: whatever is found breaks a statement.

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};
use assay::explore::{Explored, FindingKey, play};
use assay::generate::{Choices, Generated, generate};
use assay::history::Digest;
use assay::scenario::{WorldKind, write};
use reference_broker::core::Config;

/// The scenario's name, and that of the file in which it is played again with the same network: the network is
/// drawn from the name and the seed.
const NAME: &str = "explore";

/// The seed that `assay run` and `assay shrink` take by themselves.
const SEED: u64 = 1;

/// The variable that names a defect of the reference broker, for proving that the target finds it.
pub const DEFECT: &str = "ASSAY_DEFECT";

/// The generator's decisions, drawn from what libFuzzer made up.
struct Drawn<'u, 'a>(&'u mut Unstructured<'a>);

impl Choices for Drawn<'_, '_> {
    fn below(&mut self, bound: u32) -> u32 {
        self.0.int_in_range(0..=bound.saturating_sub(1)).unwrap_or(0)
    }

    fn is_exhausted(&self) -> bool {
        self.0.is_empty()
    }
}

/// A scenario as the generator makes it.
#[derive(Debug)]
pub struct Story(pub Generated);

impl<'a> Arbitrary<'a> for Story {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Story> {
        Ok(Story(generate(&mut Drawn(input), NAME.into())))
    }
}

/// The reference broker, with the defect that the environment names.
///
/// # Panics
/// There is no such defect.
#[expect(clippy::disallowed_methods, reason = "libFuzzer keeps the command line to itself")]
pub fn broker() -> Config {
    let mut config = Config::default();
    if let Ok(id) = std::env::var(DEFECT) {
        config.set_defect(&id).unwrap_or_else(|error| panic!("{DEFECT}: {error}"));
    }
    config
}

/// Plays the scenario in `bytes` on a broker.
///
/// # Panics
/// A checker found something; the message has the scenario.
pub fn check(bytes: &[u8], config: &Config) {
    let Ok(Story(generated)) = Story::arbitrary_take_rest(Unstructured::new(bytes)) else { return };
    let explored = play(SEED, generated, WorldKind::Core, config);
    // Nothing was played, and there is a reason: the generator wrote what the language does not allow.
    if let Some(why) = explored.unfinished.as_ref().filter(|_| explored.digest == Digest::default()) {
        panic!("{}\n{why}", explored.generated.dials);
    }
    assert!(explored.findings.is_empty(), "{}", account(explored));
}

/// What was found, and the scenario for a person to go on with.
fn account(explored: Explored) -> String {
    let mut generated = explored.generated;
    let dials = &generated.dials;
    let mut remarks = vec![format!("Bytes of libFuzzer: {dials}.")];
    let mut text = format!("{dials}\n");
    let mut keys = BTreeSet::new();
    for finding in &explored.findings {
        let key = FindingKey::of(finding);
        if !keys.insert(key.clone()) {
            continue;
        }
        text += &format!("FAIL {key}\n  expected  {}\n  observed  {}\n", finding.expected, finding.observed);
    }
    if let Some(finding) = explored.findings.first() {
        let key = FindingKey::of(finding);
        remarks.push(format!("{key}: expected {}, observed {}.", finding.expected, finding.observed));
        text += &format!(
            "as {NAME}.yaml in the current folder, and with --defect if {DEFECT} is set:\n  \
             again     assay run {NAME}.yaml --world core\n  \
             smaller   assay shrink {NAME}.yaml --finding {}\n",
            finding.requirement
        );
        generated.set_requirement(&finding.requirement);
    }
    text + &write(&generated.scenario, &remarks)
}

#[cfg(test)]
mod tests {
    use assay::generate::{Bytes, Seeded};

    use super::*;

    #[test]
    fn unstructured_and_bytes_make_the_same_scenario() {
        let mut seeded = Seeded::new(7);
        let mut different = 0;
        for length in 0..300 {
            let bytes: Vec<u8> = (0..length).map(|_| seeded.below(256) as u8).collect();
            let Story(drawn) = Story::arbitrary_take_rest(Unstructured::new(&bytes)).expect("never refused");
            let read = generate(&mut Bytes::new(&bytes), NAME.into());
            assert_eq!(format!("{drawn:?}"), format!("{read:?}"));
            different += usize::from(drawn.scenario.steps.len() > 12);
        }
        assert!(different > 200, "{different} scenarios of some length");
    }

    #[test]
    fn the_account_has_what_a_person_goes_on_with() {
        let found = std::panic::catch_unwind(|| {
            let mut config = Config::default();
            config.set_defect("connack-twice").expect("a defect");
            check(&[], &config);
        });
        let found = found.expect_err("the defect shows at once");
        let text = found.downcast::<String>().expect("a text");
        for part in ["clients, 16 steps", "FAIL MQTT-3.2.0-2", "assay shrink explore.yaml", "\ntitle: "] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
        check(&[], &Config::default());
    }
}
