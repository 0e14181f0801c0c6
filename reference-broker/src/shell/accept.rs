//! Where connections come from.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

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
pub struct Listeners(Vec<TcpListener>);

impl Listeners {
    /// The addresses they listen on, port numbers filled in.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.0.iter().map(TcpListener::local_addr).collect()
    }
}

impl Accept for Listeners {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = poll_fn(|context| {
            for listener in &self.0 {
                if let Poll::Ready(accepted) = listener.poll_accept(context) {
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await?;
        stream.set_nodelay(true)?;
        Ok((stream, peer))
    }
}

/// Listens on addresses like `127.0.0.1:1883` or `localhost:0`.
///
/// # Errors
/// The address that cannot be listened on, and why.
pub async fn listen(addresses: &[String]) -> Result<Listeners, (String, io::Error)> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let listener = TcpListener::bind(address).await.map_err(|error| (address.clone(), error))?;
        listeners.push(listener);
    }
    Ok(Listeners(listeners))
}
