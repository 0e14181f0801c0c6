//! The proxy on real sockets.
//!
//! Never the case: a decision; those are the [`Proxy`]'s.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use reference_broker::core::Time;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{Instant, timeout_at};

use crate::history::Link;
use crate::scenario::Faults;

use super::{Output, Proxy, Side};

/// How often it is looked whether the run was interrupted.
const GLANCE: Duration = Duration::from_millis(100);
/// Bytes that are read at a time at most.
const CHUNK: u64 = 16_384;

/// What sockets tell.
enum Event {
    Opened(TcpStream),
    Dialled(Link, io::Result<TcpStream>),
    Received(Link, Side, Vec<u8>),
    Ended(Link, Side, bool),
}

/// What an end is told to write.
enum Order {
    Write(Vec<u8>),
    Finish,
}

/// A socket that is in use.
struct End {
    orders: mpsc::UnboundedSender<Order>,
    /// How many bytes may be read next; one answer is given to each.
    grants: mpsc::UnboundedSender<u64>,
    /// An answer is still to come.
    granted: bool,
    /// What waits to be written is given up.
    stop: Rc<Notify>,
    reader: JoinHandle<()>,
    writer: JoinHandle<OwnedWriteHalf>,
}

/// Carries connections from `listen` to `to` until `interrupted` is set. `ready` hears where it listens, `say` what
/// happens.
///
/// # Errors
/// The listening socket cannot be opened.
pub fn serve(
    listen: &str,
    to: SocketAddr,
    faults: Faults,
    seed: u64,
    interrupted: &AtomicBool,
    ready: impl FnOnce(SocketAddr),
    say: impl FnMut(String),
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let listener = TcpListener::bind(listen).await?;
        ready(listener.local_addr()?);
        carry(listener, to, faults, seed, interrupted, say).await;
        Ok(())
    })
}

async fn carry(
    listener: TcpListener,
    to: SocketAddr,
    faults: Faults,
    seed: u64,
    interrupted: &AtomicBool,
    mut say: impl FnMut(String),
) {
    let origin = Instant::now();
    let now = || Time(u64::try_from(origin.elapsed().as_micros()).unwrap_or(u64::MAX));
    let (events, mut arrivals) = mpsc::unbounded_channel();
    spawn_local(accept(listener, events.clone()));
    let mut proxy = Proxy::new(faults, seed, now());
    let mut ends: BTreeMap<(Link, Side), End> = BTreeMap::new();
    // A client's socket before the connection that it asked for is there.
    let mut waiting: BTreeMap<Link, TcpStream> = BTreeMap::new();
    while !interrupted.load(Ordering::Relaxed) {
        proxy.advance(now());
        while let Some(output) = proxy.poll_output() {
            match output {
                Output::Say(text) => say(text),
                Output::Dial(link) => {
                    let events = events.clone();
                    spawn_local(async move {
                        let _ = events.send(Event::Dialled(link, TcpStream::connect(to).await));
                    });
                }
                Output::Accept(link) => {
                    if let Some(stream) = waiting.remove(&link) {
                        ends.insert((link, Side::Client), end(stream, link, Side::Client, &events));
                    }
                }
                Output::Write(link, side, bytes) => order(&ends, link, side, Order::Write(bytes)),
                Output::Finish(link, side) => order(&ends, link, side, Order::Finish),
                Output::Reset(link, side) => {
                    if side == Side::Client
                        && let Some(stream) = waiting.remove(&link)
                    {
                        let _ = stream.set_zero_linger();
                    }
                    if let Some(end) = ends.remove(&(link, side)) {
                        spawn_local(reset(end));
                    }
                }
            }
        }
        // Who has sent all and got all is done with.
        ends.retain(|_, end| !(end.reader.is_finished() && end.writer.is_finished()));
        for ((link, side), end) in ends.iter_mut().filter(|(_, end)| !end.granted) {
            let room = proxy.room(*link, *side);
            end.granted = room > 0 && end.grants.send(room).is_ok();
        }
        let glance = Instant::now() + GLANCE;
        let due = proxy.next_deadline().map_or(glance, |due| origin + Duration::from_micros(due.0));
        let Ok(Some(event)) = timeout_at(due.min(glance), arrivals.recv()).await else { continue };
        if let Event::Received(link, side, _) = &event
            && let Some(end) = ends.get_mut(&(*link, *side))
        {
            end.granted = false;
        }
        match event {
            Event::Opened(stream) => {
                let link = proxy.opened(now());
                waiting.insert(link, stream);
            }
            Event::Dialled(link, Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                ends.insert((link, Side::Broker), end(stream, link, Side::Broker, &events));
                proxy.dialled(link, true, now());
            }
            Event::Dialled(link, Err(error)) => {
                say(format!("no connection to {to}: {error}"));
                proxy.dialled(link, false, now());
            }
            Event::Received(link, side, bytes) => proxy.received(link, side, bytes, now()),
            Event::Ended(link, side, reset) => {
                if reset {
                    // What is still to be written reaches nobody.
                    ends.remove(&(link, side));
                }
                proxy.ended(link, side, reset, now());
            }
        }
    }
}

async fn accept(listener: TcpListener, events: mpsc::UnboundedSender<Event>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                if events.send(Event::Opened(stream)).is_err() {
                    return;
                }
            }
            // Too many open files, say: whoever ends makes room.
            Err(_) => tokio::time::sleep(GLANCE).await,
        }
    }
}

fn order(ends: &BTreeMap<(Link, Side), End>, link: Link, side: Side, order: Order) {
    if let Some(end) = ends.get(&(link, side)) {
        // Who is gone says so by itself.
        let _ = end.orders.send(order);
    }
}

fn end(stream: TcpStream, link: Link, side: Side, events: &mpsc::UnboundedSender<Event>) -> End {
    let (read, write) = stream.into_split();
    let (orders, taken) = mpsc::unbounded_channel();
    let (grants, room) = mpsc::unbounded_channel();
    let stop = Rc::new(Notify::new());
    let reader = spawn_local(listen(read, room, link, side, events.clone()));
    let writer = spawn_local(speak(write, taken, Rc::clone(&stop)));
    End { orders, grants, granted: false, stop, reader, writer }
}

/// Reads as much as there is room for.
async fn listen(
    mut read: OwnedReadHalf,
    mut room: mpsc::UnboundedReceiver<u64>,
    link: Link,
    side: Side,
    events: mpsc::UnboundedSender<Event>,
) {
    let mut buffer = vec![0; CHUNK as usize];
    while let Some(free) = room.recv().await {
        let event = match read.read(&mut buffer[..free.min(CHUNK) as usize]).await {
            Ok(0) => Event::Ended(link, side, false),
            Ok(count) => Event::Received(link, side, buffer[..count].to_vec()),
            Err(_) => Event::Ended(link, side, true),
        };
        let over = matches!(event, Event::Ended(..));
        if events.send(event).is_err() || over {
            return;
        }
    }
}

/// Writes what it is told to, until it is told to stop.
async fn speak(
    mut write: OwnedWriteHalf,
    mut orders: mpsc::UnboundedReceiver<Order>,
    stop: Rc<Notify>,
) -> OwnedWriteHalf {
    let mut work = Box::pin(async {
        while let Some(order) = orders.recv().await {
            let done = match order {
                Order::Write(bytes) => write.write_all(&bytes).await.is_err(),
                Order::Finish => {
                    // Who is gone does not hear it.
                    let _ = write.shutdown().await;
                    true
                }
            };
            if done {
                break;
            }
        }
    });
    let mut stopped = pin!(stop.notified());
    poll_fn(|context| match stopped.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => work.as_mut().poll(context),
    })
    .await;
    drop(work);
    write
}

/// Ends a socket with RST.
async fn reset(end: End) {
    end.reader.abort();
    // Its half of the socket goes with it.
    let _ = end.reader.await;
    end.stop.notify_one();
    if let Ok(write) = end.writer.await {
        let _ = write.as_ref().set_zero_linger();
        // Without FIN before it.
        write.forget();
    }
}
