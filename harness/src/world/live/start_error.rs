//! Why a broker did not start, in words that help.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::profile::Package;

use super::places::PORTS;

/// Lines of output in an error message.
const SHOWN_LINES: usize = 12;

/// Why a broker did not start.
#[derive(Debug, Clone)]
pub enum StartError {
    /// The program does not exist.
    Missing {
        /// What was looked for.
        program: String,
        /// Where.
        looked: Vec<PathBuf>,
        /// Packages that have it.
        install: Vec<Package>,
    },
    /// The program cannot be run.
    Spawn {
        /// What was run.
        program: String,
        /// What the system said.
        error: String,
    },
    /// Somebody else has the port.
    PortInUse(u16),
    /// No port is free.
    NoPort,
    /// The process ended before it answered.
    Exited {
        /// What was run.
        command: String,
        /// How it ended.
        status: String,
        /// The end of its output.
        log: Vec<String>,
    },
    /// The process runs and answers no CONNECT.
    Unready {
        /// What was run.
        command: String,
        /// The port that does not answer.
        port: u16,
        /// How long it was given.
        within: Duration,
        /// What it does instead.
        does: Instead,
        /// The end of its output.
        log: Vec<String>,
    },
    /// A file or folder that it needs.
    Files(String),
}

/// What a broker does that answers no CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// It accepts no connection.
    Refuses,
    /// It accepts connections and sends no CONNACK.
    Silent,
    /// It speaks TLS.
    Tls,
}

impl Instead {
    /// The rest of a sentence about the broker.
    pub const fn words(self) -> &'static str {
        match self {
            Instead::Refuses => "accepts no connection",
            Instead::Silent => "accepts connections but sends no CONNACK",
            Instead::Tls => "speaks TLS, where only plain MQTT can be tested: give it a listener without TLS",
        }
    }
}

/// How to get a program, for the end of a message; empty if nobody says.
pub(super) fn advice(install: &[Package]) -> String {
    let commands: Vec<String> = install.iter().map(|package| format!("`{package}`")).collect();
    if commands.is_empty() { String::new() } else { format!("; it comes with {}", commands.join(" or ")) }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = |f: &mut fmt::Formatter<'_>, log: &[String]| {
            if log.is_empty() {
                return write!(f, "; it printed nothing");
            }
            write!(f, "; its last output:")?;
            log[log.len().saturating_sub(SHOWN_LINES)..].iter().try_for_each(|line| write!(f, "\n    {line}"))
        };
        match self {
            StartError::Missing { program, looked, install } => {
                let places: Vec<String> = looked.iter().map(|path| path.display().to_string()).collect();
                write!(
                    f,
                    "the broker's program `{program}` does not exist (looked in {}){}",
                    places.join(", "),
                    advice(install)
                )
            }
            StartError::Spawn { program, error } => {
                write!(f, "the broker's program `{program}` cannot be run: {error}")
            }
            StartError::PortInUse(port) => write!(f, "port {port} is in use by another process"),
            StartError::NoPort => write!(f, "no free port from {} to {}", PORTS.start, PORTS.end - 1),
            StartError::Exited { command, status, log } => {
                write!(f, "the broker ended before it answered a CONNECT: `{command}` {status}")?;
                tail(f, log)
            }
            StartError::Unready { command, port, within, does, log } => {
                write!(
                    f,
                    "the broker is not ready after {within:?}: `{command}` runs, and port {port} {}",
                    does.words()
                )?;
                tail(f, log)
            }
            StartError::Files(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for StartError {}
