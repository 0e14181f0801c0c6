//! What people and machines read: timelines, the console, JSON, pcapng.
//!
//! Never the case: a verdict that is made here, knowledge of a checker.

pub mod capability;
pub mod console;
pub mod coverage;
pub mod json;
pub mod packet;
pub mod pcapng;
pub mod timeline;
