//! The executable model: what a broker owes, told from what its clients did.
//!
//! It knows where the standard leaves a choice and says nothing there.

use crate::history::History;
use crate::scenario::Plan;
use crate::verdict::Finding;

/// What the model finds in a history.
pub fn model(_plan: &Plan, _history: &History) -> Vec<Finding> {
    Vec::new()
}
