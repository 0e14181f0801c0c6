//! Assay tells whether an MQTT broker keeps its promises.
//!
//! It replays scenarios against a broker, in a simulated network or over real sockets, records everything
//! that happened, and judges the record by the numbered statements of the MQTT 3.1.1 and 5.0 standards.

pub mod baseline;
pub mod certificate;
pub mod check;
pub mod cli;
pub mod client;
pub mod coverage;
pub mod evidence;
pub mod explore;
pub mod generate;
pub mod history;
pub mod index;
pub mod judge;
pub mod network;
pub mod profile;
pub mod prove;
pub mod proxy;
pub mod report;
pub mod requirement;
pub mod run;
pub mod scenario;
pub mod session;
pub mod shrink;
pub mod text;
pub mod verdict;
pub mod websocket;
pub mod world;
