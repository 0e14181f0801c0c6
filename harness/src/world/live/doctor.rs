//! Whether a profile's broker can be tested on this machine: what is there, what is missing and how to get it.
//!
//! Never the case: a broker that is left running, a finding without a word on what to do about it.

use std::path::PathBuf;

use reference_broker::codec::ProtocolVersion;

use crate::profile::{Clock, Profile};
use crate::scenario::Capability;

use super::probe::PATIENCE;
use super::process::Server;
use super::program::{find_clock, find_program};
use super::session;
use super::start_error::advice;
use super::talk::{Fault, Talk};
use super::{LiveError, LiveOptions, Target};

/// How something that was looked at is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// As it should be.
    Good,
    /// Not there, and nobody said that it is.
    Absent,
    /// In the way of a test.
    Bad,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symptom {
    /// How it is.
    pub condition: Condition,
    /// What it is: `program`, `version`, `clock`, `ports`, `start`, the name of a protocol version, `stop`.
    pub what: String,
    /// A sentence about it.
    pub text: String,
}

impl Symptom {
    fn new(condition: Condition, what: impl Into<String>, text: impl Into<String>) -> Symptom {
        Symptom { condition, what: what.into(), text: text.into() }
    }
}

/// Looks for the program, its version and the library that moves its clock; then starts the broker once, asks it with
/// a CONNECT of every version, and stops it.
pub fn check_up(profile: &Profile, options: &LiveOptions<'_>) -> Vec<Symptom> {
    let mut symptoms = Vec::new();
    let word = &profile.start.command[0];
    let found = match word.as_str() {
        "{assay}" => Ok(PathBuf::from("this command")),
        name => find_program(name, &profile.start.look_in),
    };
    match found {
        Ok(path) => {
            symptoms.push(Symptom::new(Condition::Good, "program", path.display().to_string()));
        }
        Err(_) => {
            let text = format!("`{word}` does not exist{}", advice(&profile.install));
            symptoms.push(Symptom::new(Condition::Bad, "program", text));
        }
    }
    symptoms.extend(profile.clock.map(clock));
    if symptoms.iter().any(|symptom| symptom.what == "program" && symptom.condition == Condition::Bad) {
        return symptoms;
    }
    let target = Target::Profile(Box::new(profile.clone()));
    match session::try_out(&target, options, async |server| ask(profile, server).await) {
        Ok((asked, summary)) => {
            symptoms.push(match (&summary.version, profile.version_command.is_empty()) {
                (Some(version), _) => Symptom::new(Condition::Good, "version", version.clone()),
                (None, true) => Symptom::new(Condition::Absent, "version", "the profile does not ask for it"),
                (None, false) => {
                    let text = format!("`{}` prints none", profile.version_command.join(" "));
                    let first = text.lines().next().unwrap_or_default().to_string();
                    Symptom::new(Condition::Bad, "version", first)
                }
            });
            symptoms.extend(asked);
            let warnings = summary.warnings.into_iter();
            symptoms.extend(warnings.map(|warning| Symptom::new(Condition::Bad, "conduct", warning)));
        }
        Err(LiveError::Start(error)) => {
            symptoms.push(Symptom::new(Condition::Bad, "start", error.to_string()));
        }
        Err(error) => symptoms.push(Symptom::new(Condition::Bad, "start", error.to_string())),
    }
    symptoms
}

fn clock(clock: Clock) -> Symptom {
    match find_clock(clock) {
        Some(path) => Symptom::new(Condition::Good, "clock", path.display().to_string()),
        None => {
            let text =
                format!("{} is not here; it comes with `apt-get install libfaketime`", clock.library());
            Symptom::new(Condition::Bad, "clock", text)
        }
    }
}

/// Asks a broker that has started, and stops it.
async fn ask(profile: &Profile, server: &Server) -> Vec<Symptom> {
    let ready = server.ready_after().as_secs_f64();
    let fixed = profile.start.ports.values().flatten().count();
    let ports = format!("{} chosen freely, {fixed} fixed", profile.start.ports.len() - fixed);
    let mut symptoms = vec![
        Symptom::new(Condition::Good, "ports", ports),
        Symptom::new(Condition::Good, "start", format!("a CONNECT is answered after {ready:.2} s")),
    ];
    let mut accepted = false;
    for (capability, version) in [
        (Capability::Mqtt31, ProtocolVersion::V3_1),
        (Capability::Mqtt311, ProtocolVersion::V3_1_1),
        (Capability::Mqtt5, ProtocolVersion::V5),
    ] {
        let claim = profile.claim(capability);
        let symptom = match (greet(profile, server, version).await, claim) {
            (Ok(()), _) => {
                accepted = true;
                Symptom::new(Condition::Good, version.name(), "CONNACK Success")
            }
            (Err(fault), Some(true)) => {
                Symptom::new(Condition::Bad, version.name(), format!("it is claimed, but {fault}"))
            }
            (Err(fault), _) => Symptom::new(Condition::Absent, version.name(), fault.to_string()),
        };
        symptoms.push(symptom);
    }
    if !accepted {
        let text = "no version is accepted: credentials may be missing";
        symptoms.push(Symptom::new(Condition::Bad, "versions", text));
    }
    let took = server.stop().await;
    if let Some(took) = took {
        let how = match profile.stop.command.first() {
            Some(program) => format!("`{program}`"),
            None => format!("SIG{}", profile.stop.signal.name()),
        };
        let text = format!("it ends {:.2} s after {how}", took.as_secs_f64());
        symptoms.push(Symptom::new(Condition::Good, "stop", text));
    }
    symptoms
}

async fn greet(profile: &Profile, server: &Server, version: ProtocolVersion) -> Result<(), Fault> {
    let mut talk = Talk::open(server.places.mqtt(version), version, PATIENCE).await?;
    talk.connect("assaydoctor", profile.credentials.as_ref()).await?;
    talk.leave().await;
    Ok(())
}
