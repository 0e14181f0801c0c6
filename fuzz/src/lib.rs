//! What the fuzz targets check, as ordinary functions from bytes.
//!
//! Each target has a module with a `check` that panics when its property does not hold: libFuzzer calls it, and
//! `tests/corpora.rs` calls it on every committed file. Beside them stand what several share:
//!
//! * [`packets`]: bytes → well-formed packets of every type and version;
//! * [`rules`]: a second reading of the packet format, against which every codec is judged, ours first.
//!
//! Never the case: a clock, randomness, or a property that depends on what ran before.

pub mod broker_bytes;
pub mod broker_operations;
pub mod decode;
#[cfg(feature = "peers")]
pub mod differential;
pub mod explore;
pub mod packets;
pub mod round_trip;
pub mod rules;
pub mod scenario_text;
pub mod split;
