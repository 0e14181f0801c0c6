//! Tests of the core in virtual time, by subject.

mod basics;
mod driver;
