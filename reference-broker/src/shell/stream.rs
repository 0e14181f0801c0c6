//! A connection's stream of MQTT bytes: the network's own, or what a WebSocket carries.
//!
//! Both halves of a connection use the endpoint: what the reader takes in may have to be answered, and the writer
//! may be waiting for room at that moment. So answers go into one buffer that both write from, and who empties
//! it wakes the other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::core::Config;
use crate::transport::websocket::Endpoint;

/// Bytes read from the network at once.
const READ_SIZE: usize = 16 * 1024;
/// Bytes that may wait for the network before no more are taken, from the broker or from a peer that has to be
/// answered.
const MOST_WAITING: usize = 64 * 1024;

/// A stream of MQTT bytes.
#[derive(Debug)]
pub enum Stream<S> {
    /// The network connection itself.
    Plain(S),
    /// A WebSocket on it.
    WebSocket(Box<WebSocket<S>>),
}

impl<S> Stream<S> {
    /// A WebSocket on a network connection; the upgrade has not begun.
    pub fn websocket(inner: S, config: &Config) -> Stream<S> {
        Stream::WebSocket(Box::new(WebSocket {
            inner,
            endpoint: Endpoint::new(config),
            incoming: Vec::new(),
            taken: 0,
            outgoing: Vec::new(),
            written: 0,
            ended: false,
            shut: false,
            writer: None,
            reader: None,
        }))
    }
}

/// A WebSocket on a network connection.
#[derive(Debug)]
pub struct WebSocket<S> {
    inner: S,
    endpoint: Endpoint,
    /// MQTT bytes that have not been read yet, from `taken` on.
    incoming: Vec<u8>,
    taken: usize,
    /// Bytes for the network, from `written` on.
    outgoing: Vec<u8>,
    written: usize,
    /// The network has nothing more to read.
    ended: bool,
    /// The network connection is shut down for writing.
    shut: bool,
    /// Who waits for room in `outgoing`.
    writer: Option<Waker>,
    reader: Option<Waker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Writes what waits. The network keeps one waker only, so whoever comes last wakes the other.
    fn drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.outgoing.len() {
            let count =
                ready!(Pin::new(&mut self.inner).poll_write(context, &self.outgoing[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.outgoing.clear();
        self.written = 0;
        for waker in [self.writer.take(), self.reader.take()].into_iter().flatten() {
            waker.wake();
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn waiting(&self) -> usize {
        self.outgoing.len() - self.written
    }

    fn shut_down(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(context))?;
        if !self.shut {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
            self.shut = true;
        }
        Poll::Ready(Ok(()))
    }

    fn read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.taken < self.incoming.len() {
                let count = buffer.remaining().min(self.incoming.len() - self.taken);
                buffer.put_slice(&self.incoming[self.taken..self.taken + count]);
                self.taken += count;
                if self.taken == self.incoming.len() {
                    self.incoming.clear();
                    self.taken = 0;
                }
                return Poll::Ready(Ok(()));
            }
            if self.endpoint.is_over() || self.ended {
                // The last words come before the end, if the peer takes them.
                let _ = ready!(self.shut_down(context));
                return Poll::Ready(Ok(()));
            }
            if self.waiting() > 0 {
                match self.drain(context) {
                    Poll::Ready(result) => result?,
                    Poll::Pending => {
                        // The writer's waker may have been displaced from the network: it comes after this one.
                        self.reader = Some(context.waker().clone());
                        if self.waiting() > MOST_WAITING {
                            return Poll::Pending;
                        }
                    }
                }
            }
            let mut chunk = [0; READ_SIZE];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.inner).poll_read(context, &mut chunk))?;
            if chunk.filled().is_empty() {
                self.ended = true;
                continue;
            }
            self.endpoint.receive(chunk.filled(), &mut self.incoming, &mut self.outgoing);
        }
    }

    fn write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.waiting() > 0 && self.drain(context)?.is_pending() {
            self.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        self.endpoint.send(bytes, &mut self.outgoing);
        // What the network does not take now is taken by the next write, read or flush.
        match self.drain(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(bytes.len())),
            Poll::Pending => {
                self.writer = Some(context.waker().clone());
                Poll::Ready(Ok(bytes.len()))
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(inner) => Pin::new(inner).poll_read(context, buffer),
            Stream::WebSocket(websocket) => websocket.read(context, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(inner) => Pin::new(inner).poll_write(context, bytes),
            Stream::WebSocket(websocket) => websocket.write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(inner) => Pin::new(inner).poll_flush(context),
            Stream::WebSocket(websocket) => {
                let flushed = websocket.drain(context);
                if flushed.is_pending() {
                    websocket.writer = Some(context.waker().clone());
                }
                flushed
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(inner) => Pin::new(inner).poll_shutdown(context),
            Stream::WebSocket(websocket) => {
                let WebSocket { endpoint, outgoing, .. } = &mut **websocket;
                endpoint.close(outgoing);
                let done = websocket.shut_down(context);
                if done.is_pending() {
                    websocket.writer = Some(context.waker().clone());
                }
                done
            }
        }
    }
}
