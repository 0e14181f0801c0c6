//! A whole server: runtime, listeners, signals.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;

use tokio::task::LocalSet;

use super::accept::listen;
use super::server::serve;
use crate::core::{Broker, Config};

/// Why a server did not start or did not go on.
#[derive(Debug)]
pub enum RunError {
    /// An address cannot be listened on.
    Listen {
        /// As given.
        address: String,
        /// What the operating system says.
        error: io::Error,
    },
    /// Anything else that the operating system refuses.
    Io(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            RunError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> RunError {
        RunError::Io(error)
    }
}

/// Where a broker listens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// For MQTT over TCP.
    pub plain: Vec<String>,
    /// For MQTT over WebSocket.
    pub websocket: Vec<String>,
}

impl Addresses {
    /// All of them in words: `127.0.0.1:1883`, `ws://127.0.0.1:8083`.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.plain.iter().cloned().chain(self.websocket.iter().map(|address| format!("ws://{address}")))
    }
}

/// Runs a broker on these addresses until Ctrl-C or SIGTERM, then stops it in an orderly way.
///
/// `ready` is called with the addresses, port numbers filled in, when clients can connect.
///
/// # Errors
/// [`RunError`].
pub fn run(
    config: Config,
    seed: u64,
    addresses: &Addresses,
    ready: impl FnOnce(&Addresses),
) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let refused = |(address, error)| RunError::Listen { address, error };
        let listeners = listen(&addresses.plain).await.map_err(refused)?;
        let listeners = listeners.and_websocket(&addresses.websocket, &config).await.map_err(refused)?;
        let stop = stop_signal()?;
        let text = |list: Vec<SocketAddr>| list.iter().map(SocketAddr::to_string).collect();
        ready(&Addresses {
            plain: text(listeners.local_addresses()?),
            websocket: text(listeners.websocket_addresses()?),
        });
        serve(listeners, Broker::new(config, seed), stop).await?;
        Ok(())
    })
}

/// Ready when the process is asked to stop.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let mut interrupted = pin!(interrupt.recv());
        let mut terminated = pin!(terminate.recv());
        std::future::poll_fn(|context| {
            let asked =
                interrupted.as_mut().poll(context).is_ready() || terminated.as_mut().poll(context).is_ready();
            if asked { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    })
}

/// Ready when the process is asked to stop.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
