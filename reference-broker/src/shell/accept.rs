//! Where connections come from.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use super::stream::Stream;
use crate::core::Config;

/// A source of streams.
pub trait Accept: 'static {
    /// What a connection is made of.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// The next connection and its peer. An error concerns one connection; the source goes on.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>>;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok((stream, peer))
    }
}

/// Several listeners that count as one.
#[derive(Debug)]
pub struct Listeners {
    plain: Vec<TcpListener>,
    websocket: Vec<TcpListener>,
    config: Config,
}

impl Listeners {
    /// The addresses they listen on for MQTT over TCP, port numbers filled in.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.plain.iter().map(TcpListener::local_addr).collect()
    }

    /// The addresses they listen on for MQTT over WebSocket.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn websocket_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.websocket.iter().map(TcpListener::local_addr).collect()
    }

    /// Listens for MQTT over WebSocket as well. The configuration says which defect that has, if any.
    ///
    /// # Errors
    /// The address that cannot be listened on, and why.
    pub async fn and_websocket(
        mut self,
        addresses: &[String],
        config: &Config,
    ) -> Result<Listeners, (String, io::Error)> {
        self.websocket = bind(addresses).await?;
        self.config = config.clone();
        Ok(self)
    }
}

impl Accept for Listeners {
    type Stream = Stream<TcpStream>;

    async fn accept(&mut self) -> io::Result<(Stream<TcpStream>, SocketAddr)> {
        let (stream, peer, websocket) = poll_fn(|context| {
            for (listeners, websocket) in [(&self.plain, false), (&self.websocket, true)] {
                for listener in listeners {
                    if let Poll::Ready(accepted) = listener.poll_accept(context) {
                        return Poll::Ready(accepted.map(|(stream, peer)| (stream, peer, websocket)));
                    }
                }
            }
            Poll::Pending
        })
        .await?;
        stream.set_nodelay(true)?;
        let stream = if websocket { Stream::websocket(stream, &self.config) } else { Stream::Plain(stream) };
        Ok((stream, peer))
    }
}

/// Listens on addresses like `127.0.0.1:1883` or `localhost:0`.
///
/// # Errors
/// The address that cannot be listened on, and why.
pub async fn listen(addresses: &[String]) -> Result<Listeners, (String, io::Error)> {
    Ok(Listeners { plain: bind(addresses).await?, websocket: Vec::new(), config: Config::default() })
}

async fn bind(addresses: &[String]) -> Result<Vec<TcpListener>, (String, io::Error)> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let listener = TcpListener::bind(address).await.map_err(|error| (address.clone(), error))?;
        listeners.push(listener);
    }
    Ok(listeners)
}
