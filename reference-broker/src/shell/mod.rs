//! tokio around the core: listeners, connections, one owner task.
//!
//! * [`Accept`] is where streams come from: real TCP here, a simulated network elsewhere. Everything above it
//!   is the same code.
//! * [`serve`] owns a [`Broker`](crate::core::Broker) and runs it. One task has the core; each connection has a
//!   task that reads and one that writes, and they talk to the owner through one queue.
//! * [`Stream`] is MQTT on a network connection, or on a WebSocket on it.
//! * [`listen`] binds addresses; [`run`] is a whole server with signals, as the command has it.
//!
//! Never the case: a real clock (the time is that of the tokio runtime, which a simulation may hold), a
//! thread, a lock, an unbiased choice, an unbounded buffer.

mod accept;
mod link;
mod run;
mod server;
mod stream;

pub use accept::{Accept, Listeners, listen};
pub use run::{Addresses, RunError, run};
pub use server::serve;
pub use stream::{Stream, WebSocket};
