//! `assay discover`

use clap::Args;

use crate::report::capability::{contradiction, table};
use crate::report::json::discovery;
use crate::world::live::{self, LiveOptions};

use super::run::{nonce, target};
use super::{HARNESS, USAGE, complain, print};

/// Arguments of `discover`.
#[derive(Debug, Args)]
pub struct DiscoverArguments {
    /// A broker to start: a profile's file or name
    #[arg(long, value_name = "FILE", conflicts_with = "broker", required_unless_present = "broker")]
    profile: Option<String>,
    /// A broker that is there already: mqtt://host:port
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// Where that broker listens for WebSocket: ws://host:port/path
    #[arg(long, value_name = "URL", requires = "broker")]
    websocket: Option<String>,
    /// `console`, or `json=FILE` (repeatable)
    #[arg(long, value_name = "FORMAT=FILE")]
    format: Vec<String>,
}

/// `assay discover`: what a broker has, beside what is claimed. 1 if something is claimed and not there.
pub fn discover(arguments: &DiscoverArguments) -> u8 {
    let mut files = Vec::new();
    for format in &arguments.format {
        match format.split_once('=') {
            None if format == "console" => {}
            Some(("json", path)) if !path.is_empty() => files.push(path),
            _ => {
                complain(&format!("error: `{format}`: expected console or json=FILE"));
                return USAGE;
            }
        }
    }
    let target =
        target(arguments.profile.as_deref(), arguments.broker.as_deref(), arguments.websocket.as_deref());
    let target = match target {
        Ok(target) => target,
        Err(code) => return code,
    };
    let options = LiveOptions { nonce: nonce(), ..LiveOptions::default() };
    let (broker, discovered) = match live::discover(&target, &options) {
        Ok(found) => found,
        Err(error) => {
            complain(&format!("error: {error}"));
            return USAGE;
        }
    };
    print(&format!("{broker}\n\n{}", table(&discovered).trim_end()));
    let contradictions = discovered.contradictions();
    if !contradictions.is_empty() {
        print("");
    }
    for it in &contradictions {
        print(&contradiction(it));
    }
    for path in files {
        let text = serde_json::to_string_pretty(&discovery(&broker, &discovered)).unwrap_or_default();
        if let Err(error) = std::fs::write(path, text) {
            complain(&format!("error: cannot write {path}: {error}"));
            return HARNESS;
        }
    }
    u8::from(discovered.fails())
}
