//! `assay doctor`

use clap::Args;

use crate::profile::Profile;
use crate::world::live::{Condition, LiveOptions, Symptom, check_up};

use super::run::nonce;
use super::{USAGE, complain, print};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Files or names of profiles [default: all that are part of the command]
    #[arg(value_name = "PROFILE")]
    profiles: Vec<String>,
}

/// `assay doctor`: whether the brokers of profiles can be tested here. 2 if something is in the way.
pub fn doctor(arguments: &DoctorArguments) -> u8 {
    let wanted: Vec<String> = match arguments.profiles.as_slice() {
        [] => Profile::shipped().map(str::to_string).collect(),
        some => some.to_vec(),
    };
    let mut well = true;
    for name in wanted {
        let profile = match Profile::load(&name) {
            Ok(profile) => profile,
            Err(error) => {
                complain(&error.render(super::colour()));
                well = false;
                continue;
            }
        };
        print(&profile.name);
        for symptom in check_up(&profile, &LiveOptions { nonce: nonce(), ..LiveOptions::default() }) {
            well &= symptom.condition != Condition::Bad;
            print(&line(&symptom));
        }
    }
    if well { 0 } else { USAGE }
}

fn line(symptom: &Symptom) -> String {
    let condition = match symptom.condition {
        Condition::Good => "ok",
        Condition::Absent => "absent",
        Condition::Bad => "BAD",
    };
    format!("  {condition:<7} {:<9} {}", symptom.what, symptom.text)
}
