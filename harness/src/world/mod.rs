//! Worlds: what lies behind the network of a [`Stage`](crate::run::Stage).
//!
//! * [`core`]: the broker's state machine in a discrete-event loop.
//!
//! Never the case: a world that judges, or one that decides when a byte arrives.

pub mod core;

use reference_broker::core::Config;

use crate::history::History;
use crate::scenario::Plan;
use crate::verdict::Finding;

/// What a world made of a plan.
#[derive(Debug)]
pub struct Played {
    /// What happened.
    pub history: History,
    /// What the judge found on the way.
    pub findings: Vec<Finding>,
}

/// The configuration of the reference broker for a plan.
pub fn configured(base: &Config, plan: &Plan) -> Config {
    let mut config = base.clone();
    for (key, value) in &plan.config {
        // Checked when the scenario was read.
        let _ = config.set(key, value);
    }
    config
}
