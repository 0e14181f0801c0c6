//! The generator: decisions → a scenario.
//!
//! `choices → dials → [Scenario]`. What comes out is an ordinary scenario that any world can play, a file can
//! hold and the shrinker can make smaller. It never asks for what may rightly be refused, and it never waits for
//! what its own faults may keep from arriving: a step that fails is the broker's doing.
//!
//! In the end everything heals: faults end, the broker is up, every client connects again, and every exchange
//! that a client began must end. What is owed then is for the checkers to say.
//!
//! Never the case: an expectation about this broker or that; two messages with the same content.

mod choices;
mod dials;
mod fields;
mod script;

pub use choices::{Bytes, Choices, Seeded};
pub use dials::{Dials, Features};

use crate::requirement::Catalogue;
use crate::scenario::Scenario;

/// A generated scenario.
#[derive(Debug, Clone)]
pub struct Generated {
    /// What was drawn before its steps.
    pub dials: Dials,
    /// It.
    pub scenario: Scenario,
}

impl Generated {
    /// Makes the scenario one about this statement, which its run broke. With mixed versions a client of another
    /// version may have shown it: a statement that the version under test does not have stays out of the file.
    pub fn set_requirement(&mut self, requirement: &str) {
        for (version, ids) in &mut self.scenario.requirements {
            if Catalogue::of(*version).get(requirement).is_some() {
                *ids = vec![requirement.to_owned()];
            }
        }
    }
}

/// The scenario that these decisions make.
pub fn generate(choices: &mut impl Choices, name: String) -> Generated {
    let dials = Dials::draw(choices);
    let scenario = script::write(choices, &dials, name);
    Generated { dials, scenario }
}

/// The scenario of a seed.
pub fn of_seed(seed: u64) -> Generated {
    generate(&mut Seeded::new(seed), format!("seed-{seed}"))
}

#[cfg(test)]
mod tests {
    use reference_broker::codec::ProtocolVersion;

    use super::*;

    #[test]
    fn a_scenario_is_never_about_a_statement_of_another_version() {
        let mut generated = generate(&mut Bytes::new(&[]), "any".into());
        let ids = |generated: &Generated| generated.scenario.requirements[&ProtocolVersion::V5].clone();
        generated.set_requirement("MQTT-2.2.1-4");
        assert_eq!(ids(&generated), ["MQTT-2.2.1-4"]);
        generated.set_requirement("MQTT-2.3.1-4");
        assert_eq!(ids(&generated), ["MQTT-2.2.1-4"], "the last one is of 3.1.1");
    }
}
