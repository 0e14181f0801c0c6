//! The reference broker: what a server of MQTT 3.1, 3.1.1 and 5.0 does, written to be judged by.
//!
//! Four layers, each of which knows only what is left of it: [`codec`] → [`core`] → [`transport`] → [`shell`].
//!
//! * [`codec`]: bytes ⇄ Control Packets. No state, no input or output.
//! * [`core`]: the protocol as a state machine, `(input, now) → outputs`. No clock, no socket, no task.
//! * [`transport`]: WebSocket as a state machine, between the bytes of a connection and those of MQTT.
//! * [`shell`]: tokio around the core: listeners, connections, one owner task.

pub mod codec;
pub mod core;
pub mod shell;
pub mod transport;
