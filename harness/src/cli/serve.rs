//! `assay serve`: the reference broker on real sockets.

use clap::Args;
use reference_broker::core::Config;
use reference_broker::shell::Addresses;

use super::run::{config, settings};
use super::{USAGE, complain, print};

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Where to listen; port 0 takes a free one (repeatable)
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1883")]
    listen: Vec<String>,
    /// Where to listen for MQTT over WebSocket, at any path (repeatable)
    #[arg(long, value_name = "HOST:PORT")]
    listen_websocket: Vec<String>,
    /// A setting of the broker (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Switch on a defect
    #[arg(long, value_name = "ID")]
    defect: Option<String>,
    /// Seed for the identifiers that the broker assigns
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the settings that `--set` knows
    #[arg(long)]
    list_settings: bool,
    /// Print the defects that `--defect` knows
    #[arg(long)]
    list_defects: bool,
}

/// `assay serve`
pub fn serve(arguments: &ServeArguments) -> u8 {
    if arguments.list_settings {
        for key in Config::KEYS {
            print(&format!("{:<34} {}", key.name, key.what));
        }
    }
    if arguments.list_defects {
        for defect in reference_broker::core::defects::all() {
            print(&format!("{:<40} {}", defect.id, defect.what));
        }
    }
    if arguments.list_settings || arguments.list_defects {
        return 0;
    }
    let config = settings(&arguments.set).and_then(|settings| config(arguments.defect.as_deref(), &settings));
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            complain(&format!("error: {error}"));
            return USAGE;
        }
    };
    let addresses =
        Addresses { plain: arguments.listen.clone(), websocket: arguments.listen_websocket.clone() };
    let result = reference_broker::shell::run(config, arguments.seed, &addresses, |addresses| {
        for address in addresses.lines() {
            print(&format!("listening on {address}"));
        }
    });
    match result {
        Ok(()) => 0,
        Err(error) => {
            complain(&format!("error: {error}"));
            USAGE
        }
    }
}
