//! Worlds: what lies behind the network of a [`Stage`](crate::run::Stage).
//!
//! * [`core`]: the broker's state machine in a discrete-event loop.
//! * [`sim`]: the broker's and the clients' asynchronous code on turmoil, in virtual time.
//! * [`live`]: any broker over real sockets, started by a profile or already there.
//!
//! The last two share one driver, `drive`, which plays a stage over byte streams.
//!
//! Never the case: a world that judges, or one that decides when a byte arrives.

pub mod core;
mod drive;
pub mod live;
pub mod sim;

use std::time::Duration;

use reference_broker::core::Config;

use crate::history::History;
use crate::scenario::{Act, Plan, StepAct};
use crate::verdict::{Finding, Recorded};

/// What a world made of a plan.
#[derive(Debug)]
pub struct Played {
    /// What happened.
    pub history: History,
    /// What the judge found on the way.
    pub findings: Vec<Finding>,
    /// The implementation choices that it saw.
    pub recorded: Vec<Recorded>,
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

/// How long a plan takes at least: its waits, and the windows in which nothing may happen.
pub fn shortest_span(plan: &Plan) -> Duration {
    plan.steps
        .iter()
        .map(|step| match &step.act {
            StepAct::Wait(duration) => *duration,
            StepAct::Client { act: Act::Expect(expect), .. } => expect.window.unwrap_or(expect.after),
            _ => Duration::ZERO,
        })
        .sum()
}

/// How long the steps of a plan may take if every limit is used up.
pub(crate) fn longest_span(plan: &Plan) -> Duration {
    plan.steps
        .iter()
        .map(|step| match &step.act {
            StepAct::Wait(duration) => *duration,
            StepAct::Client { act: Act::Expect(expect), .. } => expect.window.unwrap_or(expect.within),
            StepAct::Client { within, .. } => *within,
            StepAct::Broker(_) => Duration::from_secs(120),
            _ => Duration::ZERO,
        })
        .sum()
}
