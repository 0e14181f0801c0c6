//! The driver of the worlds that run asynchronous code: it plays a [`Stage`] over byte streams.
//!
//! The stage owns the network model, and the model sits at the client's end of every connection. So simulated
//! sockets and real ones have the same task here: to carry bytes, at once and in order. One task owns the
//! stage; each connection has a task that owns its stream; they talk through one queue, first in, first out.
//!
//! ```text
//! Stage ──Output──▶ drive ──orders──▶ connection ──bytes──▶ broker
//!   ▲                 ▲                   │
//!   └────reports──────┴──────Event────────┘
//! ```
//!
//! Never the case: a choice by chance (no `select!`, no map that iterates at random), a write that the owner
//! waits for, a thought about what the bytes mean.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use reference_broker::codec::ProtocolVersion;
use reference_broker::core::Time;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::history::Link;
use crate::run::{BrokerEvent, Output, Stage};
use crate::scenario::BrokerAct;

/// Bytes read at once.
const READ_SIZE: usize = 16 * 1024;
/// Reads of one connection before the others have their turn.
const READS_IN_A_ROW: usize = 16;
/// Bytes that a run takes from its broker; then it takes no more, and the plan's limits end it. A broker that
/// sends for ever must not fill the memory.
const MOST_BYTES: u64 = 64 << 20;
/// The stage is asked at least this often whether one of its bounds has been reached.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How long nothing may have happened before the clock is moved while a step only waits.
const CALM: Duration = Duration::from_millis(50);
/// The same while a step expects something, which may be on its way.
const EXPECTANT_CALM: Duration = Duration::from_millis(300);
/// The same after the clock was moved: what the broker does then, it does at once.
const CALM_AFTER_LEAP: Duration = Duration::from_millis(15);
/// After this many deadlines in a row at which no time passed, a little time is made to pass.
const MOST_IDLE_ROUNDS: u32 = 64;

/// Which of a broker's listeners a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    /// The one for WebSocket.
    pub(super) websocket: bool,
    /// The version that the client speaks: some brokers have a listener for each.
    pub(super) version: ProtocolVersion,
}

/// Where connections to the broker come from.
pub(super) trait Wire: 'static {
    /// What a connection is made of.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// Opens a connection to the listener that it is for.
    fn dial(&self, route: Route) -> impl Future<Output = io::Result<Self::Stream>>;

    /// Ends a connection with RST.
    fn reset(&self, stream: Self::Stream);
}

/// Who has the broker's process in hand.
pub(super) trait Control {
    /// Takes the place to which everything is told that happens to the process.
    fn attach(&mut self, reporter: Reporter);

    /// Begins to do this; what comes of it is told in its own time.
    fn act(&mut self, act: BrokerAct);

    /// How far the broker's clock can be moved at a time at this moment, if it can be moved at all.
    fn leap(&self) -> Option<Duration> {
        None
    }

    /// Moves the broker's clock forward by that much, returns when the broker has noticed, and says how far it was moved.
    fn travel(&mut self, by: Duration) -> impl Future<Output = Duration> {
        let _ = by;
        std::future::ready(Duration::ZERO)
    }
}

/// Takes what happens to the broker's process.
#[derive(Debug, Clone)]
pub(super) struct Reporter(mpsc::UnboundedSender<Event>);

impl Reporter {
    /// Whether the run still goes on.
    pub(super) fn is_wanted(&self) -> bool {
        !self.0.is_closed()
    }

    /// Tells the stage, unless its run is over.
    pub(super) fn tell(&self, event: BrokerEvent) {
        let _ = self.0.send(Event::Broker(event));
    }
}

/// What happens behind the stage.
#[derive(Debug)]
enum Event {
    Opened(Link),
    Refused(Link),
    Received(Link, Vec<u8>),
    Ended(Link, bool),
    Broker(BrokerEvent),
}

/// What a connection's task has to do with its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Order {
    /// Carry bytes both ways.
    #[default]
    Carry,
    /// End the client's direction after what waits, and go on reading until the broker ends its own.
    Close,
    /// End it with RST.
    Reset,
    /// Keep it, but neither read nor write: for the broker it is half-open.
    Abandon,
}

/// What the owner and a connection's task share.
#[derive(Debug, Default)]
struct Line {
    /// Pieces that wait; each is one write, so that a byte stream that was cut on purpose stays cut.
    outgoing: VecDeque<Vec<u8>>,
    order: Order,
    /// How many bytes may be read; `None`: any number.
    room: Option<u64>,
    waker: Option<Waker>,
}

impl Line {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Plays a stage until it is finished. Must be called inside a [`LocalSet`](tokio::task::LocalSet).
///
/// The zero of the history's time is the moment of the call.
pub(super) async fn drive<W: Wire>(stage: &mut Stage<'_>, wire: W, control: &mut impl Control) {
    let origin = Instant::now();
    // How far the clock was moved: to the stage, that time has passed like any other.
    let travelled = Cell::new(Duration::ZERO);
    let now = || Time(u64::try_from((origin.elapsed() + travelled.get()).as_micros()).unwrap_or(u64::MAX));
    let (events, mut arrivals) = mpsc::unbounded_channel();
    control.attach(Reporter(events.clone()));
    let mut driver =
        Driver { wire: Rc::new(wire), lines: Vec::new(), tasks: JoinSet::new(), events, taken: 0 };
    let mut idle = 0;
    // When something happened last, and whether that was a leap.
    let mut stirred = (origin, false);
    stage.start(now());
    loop {
        while let Some(output) = stage.poll_output() {
            stirred = (Instant::now(), false);
            match output {
                Output::Broker(act) => {
                    if act == BrokerAct::PowerLoss {
                        driver.cut_off();
                    }
                    control.act(act);
                }
                Output::Open(link) => {
                    let route =
                        Route { websocket: stage.is_websocket(link), version: stage.version_of(link) };
                    driver.open(link, route);
                }
                Output::Send(link, bytes) => driver.send(link, bytes),
                Output::Close(link) => driver.order(link, Order::Close),
                Output::Reset(link) => driver.order(link, Order::Reset),
                Output::Abandon(link) => driver.order(link, Order::Abandon),
            }
        }
        if stage.is_finished() {
            return;
        }
        driver.grant(stage);
        driver.check();
        let before = now();
        if let Some(leap) = control.leap()
            && let Some(until) = stage.only_waits_until()
            && until > before + leap
        {
            let calm = match (stirred.1, stage.expects()) {
                (true, _) => CALM_AFTER_LEAP,
                (false, true) => EXPECTANT_CALM,
                (false, false) => CALM,
            };
            match timeout_at(stirred.0 + calm, arrivals.recv()).await {
                Ok(Some(event)) => {
                    stirred = (Instant::now(), false);
                    driver.report(stage, event, now());
                }
                Ok(None) | Err(_) => {
                    let moved = control.travel(leap).await;
                    travelled.set(travelled.get() + moved);
                    stirred = (Instant::now(), true);
                    // What came meanwhile comes before what time alone brings.
                    while !stage.is_finished()
                        && let Ok(event) = arrivals.try_recv()
                    {
                        stirred = (Instant::now(), false);
                        driver.report(stage, event, now());
                    }
                }
            }
            stage.advance(now());
            continue;
        }
        let latest = before + LONGEST_WAIT;
        let deadline = stage.next_deadline().map_or(latest, |deadline| deadline.min(latest));
        let end = origin + Duration::from_micros(deadline.0).saturating_sub(travelled.get());
        match timeout_at(end, arrivals.recv()).await {
            Ok(Some(event)) => {
                idle = 0;
                stirred = (Instant::now(), false);
                driver.report(stage, event, now());
                // What has happened by now comes before what time alone brings, in the order of the queue.
                while !stage.is_finished()
                    && let Ok(event) = arrivals.try_recv()
                {
                    driver.report(stage, event, now());
                }
            }
            Ok(None) | Err(_) if deadline > before => idle = 0,
            Ok(None) | Err(_) => {
                idle += 1;
                if idle >= MOST_IDLE_ROUNDS {
                    sleep(Duration::from_millis(1)).await;
                }
            }
        }
        stage.advance(now());
    }
}

struct Driver<W> {
    wire: Rc<W>,
    /// By number of the connection.
    lines: Vec<Option<Rc<RefCell<Line>>>>,
    /// Dropped with the driver, and every stream with them.
    tasks: JoinSet<()>,
    events: mpsc::UnboundedSender<Event>,
    /// Bytes taken from the broker so far.
    taken: u64,
}

impl<W: Wire> Driver<W> {
    fn open(&mut self, link: Link, route: Route) {
        let line = Rc::new(RefCell::new(Line::default()));
        let number = link.0 as usize;
        if self.lines.len() <= number {
            self.lines.resize(number + 1, None);
        }
        self.lines[number] = Some(Rc::clone(&line));
        self.tasks.spawn_local(carry(Rc::clone(&self.wire), route, link, line, self.events.clone()));
    }

    /// A broker that lost its power tells nobody; what stands in for it (a process that is killed) would, so
    /// nobody listens to it any more.
    fn cut_off(&mut self) {
        for number in 0..self.lines.len() {
            self.order(Link(number as u32), Order::Abandon);
        }
    }

    fn line(&self, link: Link) -> Option<&Rc<RefCell<Line>>> {
        self.lines.get(link.0 as usize).and_then(Option::as_ref)
    }

    fn send(&mut self, link: Link, bytes: Vec<u8>) {
        if let Some(line) = self.line(link)
            && !bytes.is_empty()
        {
            let mut line = line.borrow_mut();
            line.outgoing.push_back(bytes);
            line.wake();
        }
    }

    fn order(&mut self, link: Link, order: Order) {
        if let Some(line) = self.line(link) {
            let mut line = line.borrow_mut();
            // A connection that was reset or given up is not closed any more.
            if matches!(line.order, Order::Carry | Order::Close) {
                line.order = order;
                line.wake();
            }
        }
    }

    /// Says how much each connection may read. The queue is empty here, so the stage knows all bytes.
    fn grant(&mut self, stage: &Stage<'_>) {
        for (number, line) in self.lines.iter().enumerate() {
            let Some(line) = line else { continue };
            let room = if self.taken > MOST_BYTES { Some(0) } else { stage.room(Link(number as u32)) };
            let mut line = line.borrow_mut();
            let starved = line.room == Some(0);
            line.room = room;
            if starved && room != Some(0) {
                line.wake();
            }
        }
    }

    /// A panic in a connection's task is a panic of the run.
    fn check(&mut self) {
        while let Some(done) = self.tasks.try_join_next() {
            if let Err(error) = done
                && error.is_panic()
            {
                resume_unwind(error.into_panic());
            }
        }
    }

    fn report(&mut self, stage: &mut Stage<'_>, event: Event, now: Time) {
        match event {
            Event::Opened(link) => stage.opened(link, now),
            Event::Refused(link) => stage.refused(link, now),
            Event::Received(link, bytes) => {
                self.taken += bytes.len() as u64;
                stage.received(link, bytes, now);
            }
            Event::Ended(link, reset) => stage.ended(link, reset, now),
            Event::Broker(event) => stage.broker(event, now),
        }
    }
}

/// The life of a connection.
async fn carry<W: Wire>(
    wire: Rc<W>,
    route: Route,
    link: Link,
    line: Rc<RefCell<Line>>,
    events: mpsc::UnboundedSender<Event>,
) {
    let dialled = {
        let mut dial = pin!(wire.dial(route));
        poll_fn(|context| {
            {
                let mut line = line.borrow_mut();
                if line.order != Order::Carry {
                    return Poll::Ready(None);
                }
                line.waker = Some(context.waker().clone());
            }
            dial.as_mut().poll(context).map(Some)
        })
        .await
    };
    let stream = match dialled {
        // The client went away before its connection stood.
        None => return,
        Some(Err(_)) => {
            let _ = events.send(Event::Refused(link));
            return;
        }
        Some(Ok(stream)) => stream,
    };
    let _ = events.send(Event::Opened(link));
    let mut carrier = Carrier {
        stream,
        link,
        line,
        events,
        buffer: vec![0; READ_SIZE],
        written: 0,
        broken: false,
        shut: false,
        ended: false,
    };
    let order = poll_fn(|context| carrier.poll(context)).await;
    let stream = carrier.stream;
    match order {
        Order::Reset => wire.reset(stream),
        Order::Abandon => {
            let _kept_until_the_run_ends = stream;
            pending::<()>().await;
        }
        Order::Carry | Order::Close => drop(stream),
    }
}

/// A connection that stands.
struct Carrier<S> {
    stream: S,
    link: Link,
    line: Rc<RefCell<Line>>,
    events: mpsc::UnboundedSender<Event>,
    buffer: Vec<u8>,
    /// How much of the first waiting piece has been written.
    written: usize,
    /// Nothing can be written any more. What the broker sent before can still be read, and its end tells why.
    broken: bool,
    /// The client's direction has ended.
    shut: bool,
    /// The broker's direction has ended.
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Carrier<S> {
    /// Carries what can be carried now; ready with the order to end by.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Order> {
        let line = Rc::clone(&self.line);
        let mut line = line.borrow_mut();
        line.waker = Some(context.waker().clone());
        if line.order != Order::Abandon {
            self.write(&mut line, context);
        }
        match line.order {
            // What was sent before an RST was under way before it: it has been given to the broker's end above,
            // as far as that took it.
            Order::Reset | Order::Abandon => return Poll::Ready(line.order),
            Order::Close if line.outgoing.is_empty() && !self.shut => {
                self.shut = self.broken || Pin::new(&mut self.stream).poll_shutdown(context).is_ready();
            }
            Order::Carry | Order::Close => {}
        }
        self.read(&mut line, context);
        if self.ended && line.order == Order::Close {
            return Poll::Ready(Order::Close);
        }
        Poll::Pending
    }

    fn write(&mut self, line: &mut Line, context: &mut Context<'_>) {
        if line.outgoing.is_empty() {
            return;
        }
        while !self.broken
            && let Some(piece) = line.outgoing.front()
        {
            match Pin::new(&mut self.stream).poll_write(context, &piece[self.written..]) {
                Poll::Pending => return,
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.written += count;
                    if self.written == piece.len() {
                        line.outgoing.pop_front();
                        self.written = 0;
                    }
                }
                Poll::Ready(_) => self.broken = true,
            }
        }
        if self.broken {
            line.outgoing.clear();
        } else if let Poll::Ready(Err(_)) = Pin::new(&mut self.stream).poll_flush(context) {
            self.broken = true;
        }
    }

    fn read(&mut self, line: &mut Line, context: &mut Context<'_>) {
        for _ in 0..READS_IN_A_ROW {
            let most =
                line.room.map_or(READ_SIZE, |room| READ_SIZE.min(usize::try_from(room).unwrap_or(READ_SIZE)));
            if self.ended || most == 0 {
                return;
            }
            let mut buffer = ReadBuf::new(&mut self.buffer[..most]);
            let event = match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => Event::Ended(self.link, false),
                Poll::Ready(Ok(())) => Event::Received(self.link, buffer.filled().to_vec()),
                Poll::Ready(Err(_)) => Event::Ended(self.link, true),
            };
            match &event {
                Event::Received(_, bytes) => {
                    line.room = line.room.map(|room| room.saturating_sub(bytes.len() as u64));
                }
                _ => self.ended = true,
            }
            let _ = self.events.send(event);
        }
        // There may be more; the others come first.
        context.waker().wake_by_ref();
    }
}
