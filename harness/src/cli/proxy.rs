//! `assay proxy`: the network model between a broker and clients that are not ours.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::Args;

use crate::proxy::serve;
use crate::scenario::{Faults, parse_faults};
use crate::text::SourceText;

use super::interrupt::listen_to_signals;
use super::{USAGE, colour, complain, print};

/// Arguments of `proxy`.
#[derive(Debug, Args)]
pub struct ProxyArguments {
    /// The broker
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    to: SocketAddr,
    /// Where clients connect; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1884")]
    listen: String,
    /// What the network does: a file with `network`, `steps` and `repeat`
    #[arg(value_name = "FILE", conflicts_with = "network")]
    file: Option<PathBuf>,
    /// The same for a network that stays as it is: { latency: 50ms, jitter: 20ms, loss: 1% }
    #[arg(long, value_name = "YAML")]
    network: Option<String>,
    /// Seed of what is drawn: jitter and losses
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().map_err(|error| format!("expected HOST:PORT: {error}"))?;
    found.into_iter().next().ok_or_else(|| "nobody has this name".into())
}

/// `assay proxy`
pub fn proxy(arguments: &ProxyArguments) -> u8 {
    let faults = match faults(arguments) {
        Ok(faults) => faults,
        Err(message) => {
            complain(&message);
            return USAGE;
        }
    };
    let interrupted = listen_to_signals();
    let ready =
        |at: SocketAddr| print(&format!("clients connect to {at}; the broker is at {}", arguments.to));
    let say = |text: String| print(&text);
    match serve(&arguments.listen, arguments.to, faults, arguments.seed, &interrupted, ready, say) {
        Ok(()) => 0,
        Err(error) => {
            complain(&format!("error: cannot listen at {}: {error}", arguments.listen));
            USAGE
        }
    }
}

fn faults(arguments: &ProxyArguments) -> Result<Faults, String> {
    let source = match (&arguments.file, &arguments.network) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("error: cannot read {}: {error}", path.display()))?;
            SourceText::new(path.display().to_string(), text)
        }
        (None, Some(network)) => SourceText::new("--network", format!("network: {network}\n")),
        (None, None) => return Ok(Faults::default()),
    };
    parse_faults(source).map_err(|problems| problems.render(colour()))
}
