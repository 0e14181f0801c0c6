//! Running a plan: the stage that every world plays on.

mod stage;

pub use stage::{BrokerEvent, Output, Stage, StageOptions, last_sent_before};
