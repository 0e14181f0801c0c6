//! What people write and read: YAML documents with places in them, problems shown at those places,
//! durations with units, and the nearest right word.
//!
//! Never the case: knowledge of MQTT or of scenarios.

mod duration;
mod node;
mod problem;
mod suggest;

pub use duration::{format_duration, parse_duration};
pub use node::{Document, Node, NodeId, NodeKind};
pub use problem::{Problem, Problems, SourceText};
pub use suggest::nearest;
