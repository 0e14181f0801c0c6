//! Tests of the core in virtual time, by subject.

mod basics;
mod connect;
pub(crate) mod driver;
mod errors;
mod flow;
mod keep_alive;
mod properties;
mod random;
mod retained;
mod session;
mod shared;
mod subscribe;
mod will;
