//! `reference-broker`: a broker one can start.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use reference_broker::core::Config;
use reference_broker::shell::{self, Addresses};

/// An MQTT broker (3.1, 3.1.1, 5.0) to judge others by.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Options {
    /// Address to listen on; port 0 picks a free one. May be given more than once.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1883")]
    listen: Vec<String>,
    /// Address to listen on for MQTT over WebSocket, at any path. May be given more than once.
    #[arg(long, value_name = "HOST:PORT")]
    listen_websocket: Vec<String>,
    /// A setting. May be given more than once; --list-settings says what there is.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A user. May be given more than once; clients without a User Name are then refused.
    #[arg(long, value_name = "NAME:PASSWORD")]
    user: Vec<String>,
    /// Seed of what the broker chooses by chance: assigned Client Identifiers.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Print the settings with their defaults, and stop.
    #[arg(long)]
    list_settings: bool,
    /// Break a rule on purpose; --list-defects says which can be.
    #[cfg(feature = "defects")]
    #[arg(long, value_name = "ID")]
    defect: Option<String>,
    /// Print the defects with the statements they break, and stop.
    #[cfg(feature = "defects")]
    #[arg(long)]
    list_defects: bool,
}

/// Bad usage, or an address that cannot be listened on.
const BAD_USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list_settings {
        return list_settings();
    }
    #[cfg(feature = "defects")]
    if options.list_defects {
        return list_defects();
    }
    let config = match configuration(&options) {
        Ok(config) => config,
        Err(message) => return fail(&message),
    };
    let seed = options.seed.unwrap_or_else(seed_of_the_day);
    let ready = |addresses: &Addresses| {
        let mut out = std::io::stdout().lock();
        for address in addresses.lines() {
            // Nobody may be reading; the broker runs all the same.
            let _ = writeln!(out, "listening on {address}");
        }
        let _ = out.flush();
    };
    let addresses = Addresses { plain: options.listen, websocket: options.listen_websocket };
    match shell::run(config, seed, &addresses, ready) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn configuration(options: &Options) -> Result<Config, String> {
    let mut config = Config::default();
    for setting in &options.set {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(format!("--set takes KEY=VALUE, not `{setting}`"));
        };
        config.set(key.trim(), value.trim()).map_err(|error| error.to_string())?;
    }
    if !options.user.is_empty() {
        config.anonymous = false;
    }
    for user in &options.user {
        config.set("user", user).map_err(|error| error.to_string())?;
    }
    #[cfg(feature = "defects")]
    if let Some(id) = &options.defect {
        config.set_defect(id).map_err(|error| format!("{error}; --list-defects says what there is"))?;
    }
    Ok(config)
}

fn list_settings() -> ExitCode {
    let config = Config::default();
    let mut out = std::io::stdout().lock();
    for key in Config::KEYS {
        let default = config.get(key.name).unwrap_or_default();
        if writeln!(out, "{} = {default}\n    {} Takes {}.", key.name, key.what, key.expected).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

#[cfg(feature = "defects")]
fn list_defects() -> ExitCode {
    let mut out = std::io::stdout().lock();
    for defect in reference_broker::core::defects::all() {
        let three = defect.v3_1_1.join(" ");
        let five = defect.v5.join(" ");
        if writeln!(out, "{}\n    {}\n    3.1.1: {three}\n    5.0: {five}", defect.id, defect.what).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

fn fail(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "reference-broker: {message}");
    ExitCode::from(BAD_USAGE)
}

/// A seed that differs from start to start.
#[allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a real broker must not repeat itself"
)]
fn seed_of_the_day() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64) ^ u64::from(std::process::id())
}
