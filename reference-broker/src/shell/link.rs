//! The two tasks of a connection: one reads, one writes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::core::ConnectionId;

/// Bytes read at once.
const READ_SIZE: usize = 16 * 1024;
/// Bytes that may wait for a slow reader; beyond, its connection is given up.
pub(super) const WRITE_LIMIT: usize = 16 << 20;
/// How long a closed connection may take to carry off what was sent before, and the peer to close its end.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// What a connection tells the owner of the core.
pub(super) enum Arrival<S> {
    /// A stream was accepted.
    Opened(S),
    /// Bytes came.
    Bytes(ConnectionId, Vec<u8>),
    /// The stream ended or broke.
    Ended(ConnectionId),
}

/// What the owner has handed to the writing task and it has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    waiting: RefCell<Vec<u8>>,
    closing: Cell<bool>,
    wake: Notify,
    read_to_end: Notify,
}

impl Outbound {
    /// Appends bytes; answers how many wait now. The task is woken by [`Outbound::flush`].
    pub(super) fn push(&self, bytes: &[u8]) -> usize {
        let mut waiting = self.waiting.borrow_mut();
        waiting.extend_from_slice(bytes);
        waiting.len()
    }

    /// Wakes the writing task: everything that waits goes out in one write.
    pub(super) fn flush(&self) {
        self.wake.notify_one();
    }

    /// Closes the stream after what waits.
    pub(super) fn close(&self) {
        self.closing.set(true);
        self.wake.notify_one();
    }
}

/// Reads until the stream ends. The queue to the owner is bounded, so that a client that sends faster than
/// the core works is slowed down by its own TCP window.
pub(super) async fn read<S: AsyncRead + AsyncWrite>(
    mut half: ReadHalf<S>,
    id: ConnectionId,
    outbound: Rc<Outbound>,
    arrivals: mpsc::Sender<Arrival<S>>,
) {
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let arrival = match half.read(&mut buffer).await {
            Ok(0) | Err(_) => Arrival::Ended(id),
            Ok(count) => Arrival::Bytes(id, buffer[..count].to_vec()),
        };
        let ended = matches!(arrival, Arrival::Ended(_));
        // While the server stops nobody listens any more; the peer's end is awaited all the same.
        let _ = arrivals.send(arrival).await;
        if ended {
            outbound.read_to_end.notify_one();
            return;
        }
    }
}

/// Writes what the owner hands over, and closes when it says so.
pub(super) async fn write<S: AsyncRead + AsyncWrite>(
    mut half: WriteHalf<S>,
    id: ConnectionId,
    outbound: Rc<Outbound>,
    arrivals: mpsc::Sender<Arrival<S>>,
    reader: AbortHandle,
) {
    let mut batch = Vec::new();
    loop {
        std::mem::swap(&mut batch, &mut *outbound.waiting.borrow_mut());
        if batch.is_empty() {
            if outbound.closing.get() {
                break;
            }
            outbound.wake.notified().await;
            continue;
        }
        if !write_all(&mut half, &batch, &outbound).await {
            reader.abort();
            let _ = arrivals.send(Arrival::Ended(id)).await;
            return;
        }
        batch.clear();
    }
    let _ = timeout(GRACE, half.shutdown()).await;
    // A socket that is dropped with unread bytes resets the connection, and the peer may lose what it has
    // not read yet: the DISCONNECT. So the reader goes on until the peer closes, for a while.
    let _ = timeout(GRACE, outbound.read_to_end.notified()).await;
    reader.abort();
}

/// Writes everything. Answers false if the stream is broken, or if it is to be closed and takes nothing.
async fn write_all<W: AsyncWrite + Unpin>(half: &mut W, mut bytes: &[u8], outbound: &Outbound) -> bool {
    while !bytes.is_empty() {
        match timeout(GRACE, half.write(bytes)).await {
            Ok(Ok(count)) if count > 0 => bytes = &bytes[count..],
            Ok(_) => return false,
            Err(_) if outbound.closing.get() => return false,
            Err(_) => {}
        }
    }
    half.flush().await.is_ok()
}
