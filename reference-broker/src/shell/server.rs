//! The owner of the core: takes what arrives, lets the core work, hands out what it says.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::accept::Accept;
use super::link::{Arrival, GRACE, Outbound, WRITE_LIMIT, read, write};
use crate::core::{Broker, ConnectionId, Output, Time};

/// Arrivals that may wait for the core.
const QUEUE: usize = 1_024;
/// Arrivals that are processed before anything is written, so that answers share writes.
const BATCH: usize = 256;
/// How long to wait after an error of accepting, which is most often a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Runs a broker until `shutdown` is ready, then stops it in an orderly way.
///
/// Must be called inside a [`LocalSet`](tokio::task::LocalSet). Dropping the future drops every connection.
///
/// # Errors
/// None at present; errors of single connections end those.
pub async fn serve<A: Accept>(
    accept: A,
    broker: Broker,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (sender, mut arrivals) = mpsc::channel(QUEUE);
    let mut server = Server {
        broker,
        origin: Instant::now(),
        accepted: 0,
        links: BTreeMap::new(),
        touched: Vec::new(),
        tasks: JoinSet::new(),
        sender,
    };
    let acceptor = server.tasks.spawn_local(take_connections(accept, server.sender.clone()));
    let mut shutdown = pin!(shutdown);
    loop {
        let next = next_arrival(shutdown.as_mut(), &mut arrivals);
        let next = match server.deadline() {
            Some(deadline) => timeout_at(deadline, next).await.ok(),
            None => Some(next.await),
        };
        match next {
            None => server.broker.advance(server.now()),
            Some(None) => break,
            Some(Some(arrival)) => {
                server.take(arrival);
                for _ in 1..BATCH {
                    let Ok(arrival) = arrivals.try_recv() else { break };
                    server.take(arrival);
                }
            }
        }
        server.hand_out();
        while server.tasks.try_join_next().is_some() {}
    }
    acceptor.abort();
    server.broker.shutdown(server.now());
    server.hand_out();
    // What was sent last still has to reach the clients; those that do not listen are left.
    drop(arrivals);
    let _ = timeout(GRACE * 2, async { while server.tasks.join_next().await.is_some() {} }).await;
    Ok(())
}

/// The next arrival, or `None` when it is time to stop. Stopping comes first.
async fn next_arrival<S>(
    mut shutdown: Pin<&mut impl Future<Output = ()>>,
    arrivals: &mut mpsc::Receiver<Arrival<S>>,
) -> Option<Arrival<S>> {
    poll_fn(|context| match shutdown.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => arrivals.poll_recv(context),
    })
    .await
}

async fn take_connections<A: Accept>(mut accept: A, arrivals: mpsc::Sender<Arrival<A::Stream>>) {
    loop {
        match accept.accept().await {
            Ok((stream, _)) => {
                if arrivals.send(Arrival::Opened(stream)).await.is_err() {
                    return;
                }
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// A connection as the owner knows it.
struct Link {
    outbound: Rc<Outbound>,
    reader: AbortHandle,
    writer: AbortHandle,
}

struct Server<S> {
    broker: Broker,
    /// The zero of the core's time.
    origin: Instant,
    accepted: u64,
    links: BTreeMap<ConnectionId, Link>,
    /// Connections that were given something since the last flush.
    touched: Vec<ConnectionId>,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Arrival<S>>,
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static> Server<S> {
    fn now(&self) -> Time {
        Time(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn deadline(&self) -> Option<Instant> {
        let at = self.broker.next_deadline()?;
        self.origin.checked_add(Duration::from_micros(at.0))
    }

    fn take(&mut self, arrival: Arrival<S>) {
        let now = self.now();
        match arrival {
            Arrival::Opened(stream) => self.open(stream, now),
            Arrival::Bytes(id, bytes) => self.broker.received(id, &bytes, now),
            Arrival::Ended(id) => {
                self.broker.lost(id, now);
                if let Some(link) = self.links.remove(&id) {
                    link.reader.abort();
                    link.writer.abort();
                }
            }
        }
    }

    fn open(&mut self, stream: S, now: Time) {
        self.accepted += 1;
        let id = ConnectionId(self.accepted);
        let outbound = Rc::new(Outbound::default());
        let (reading, writing) = tokio::io::split(stream);
        let reader = self.tasks.spawn_local(read(reading, id, Rc::clone(&outbound), self.sender.clone()));
        let task = write(writing, id, Rc::clone(&outbound), self.sender.clone(), reader.clone());
        let writer = self.tasks.spawn_local(task);
        self.links.insert(id, Link { outbound, reader, writer });
        self.broker.opened(id, now);
    }

    /// Does what the core says. All packets of one round for one connection go out in one write.
    fn hand_out(&mut self) {
        loop {
            let mut slow = Vec::new();
            while let Some(output) = self.broker.poll_output() {
                match output {
                    Output::Send { connection, bytes } => {
                        let Some(link) = self.links.get(&connection) else { continue };
                        if link.outbound.push(&bytes) > WRITE_LIMIT {
                            slow.push(connection);
                        } else if self.touched.last() != Some(&connection) {
                            self.touched.push(connection);
                        }
                    }
                    Output::Close { connection } => self.close(connection),
                }
            }
            if slow.is_empty() {
                break;
            }
            // A client that does not read what it asked for must not eat the memory of all others.
            for connection in slow {
                self.take(Arrival::Ended(connection));
            }
        }
        for connection in self.touched.drain(..) {
            if let Some(link) = self.links.get(&connection) {
                link.outbound.flush();
            }
        }
    }

    /// Closes a connection after what was sent; its tasks end by themselves.
    fn close(&mut self, id: ConnectionId) {
        if let Some(link) = self.links.remove(&id) {
            link.outbound.close();
        }
    }
}
