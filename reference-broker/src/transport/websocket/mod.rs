//! MQTT over WebSocket: the server's end, bytes in → bytes of MQTT and bytes of the answer out.
//!
//! * [`frame`]: a stream of bytes taken apart into frames, and frames put together. Both ends use it.
//! * [`Endpoint`]: upgrade, data, control frames, close.
//! * `flaw`: where a defect answers in its place.
//!
//! MQTT is a stream of bytes and need not be aligned with frames or messages (MQTT-6.0.0-2), so payloads are
//! passed on as they come and no message is ever put together. Headers and formats are tungstenite's.

mod endpoint;
mod flaw;
pub mod frame;
#[cfg(test)]
mod tests;

pub use endpoint::{Endpoint, SUBPROTOCOL};
