//! The sim world: the reference broker's real asynchronous code and the clients as two hosts on turmoil.
//!
//! What runs here and not in the core world is everything around the broker's state machine: its tasks, its
//! queues, its reads and writes, its stop and start. Time is virtual and costs nothing but ticks.
//!
//! turmoil carries every message with a constant latency of one tick, and does nothing else: no loss, no
//! partition, no hold. The network's behaviour comes from the [`Network`](crate::network::Network) model,
//! which sits in the stage, at the client's end of each connection. In the live world it has to sit there, and
//! a fault that is made in the same place by the same code means the same in both. turmoil's own faults would
//! not: it does not retransmit, so what it drops is a hole for ever.
//!
//! Broker acts happen between two ticks. `kill` is a crash of the host, and so is `power_loss`, after which the
//! driver does not listen to the old connections; `restart` lets the shell stop in its orderly way. `pause`
//! stops the owner task of the shell and nothing else: connections are still accepted and bytes still taken,
//! as the kernel does for a process that is halted.
//!
//! Plan, seed, options and configuration fix the history, in any process and on any thread: each simulation is
//! built, run and dropped inside one call.
//!
//! Never the case: an idle host that is skipped (turmoil has no such thing: a virtual second costs a thousand
//! ticks), a random latency, a real clock.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker, ready};
use std::time::{Duration, UNIX_EPOCH};

use reference_broker::core::{Broker, Config};
use reference_broker::shell::{Accept, Stream as ServerStream, serve};
use turmoil::net::{TcpListener, TcpStream};
use turmoil::{Builder, Sim};

use crate::history::History;
use crate::run::{BrokerEvent, Stage, StageOptions};
use crate::scenario::{BrokerAct, Plan};
use crate::verdict::{Finding, Weight};

use super::drive::{Control, Reporter, Route, Wire, drive};
use super::{Played, configured, longest_span, shortest_span};

/// What sim plans need as [`PlanOptions::tolerance`](crate::scenario::PlanOptions::tolerance): an exchange takes
/// some ticks more here than in the core world.
pub const TOLERANCE: Duration = Duration::from_millis(50);

/// The tick of plans that wait little.
const TICK: Duration = Duration::from_millis(1);
/// The tick of plans that wait longer than [`LONG`]: a tick costs the same however long it is.
const LONG_TICK: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(120);

const BROKER: &str = "broker";
const CLIENTS: &str = "clients";
const PORT: u16 = 1883;
const WEBSOCKET_PORT: u16 = 8083;
/// In turmoil a receiver that is full loses the FIN, and one with too many connections to accept panics. Real
/// buffers are smaller; that matters in the live world.
const CAPACITY: usize = 1 << 20;

/// Plays a plan against the reference broker's shell.
///
/// The history follows from plan, seed, options and configuration alone.
pub fn play(plan: &Plan, seed: u64, options: StageOptions, config: &Config) -> Played {
    let config = configured(config, plan);
    let tick = if shortest_span(plan) > LONG { LONG_TICK } else { TICK };
    let duration = longest_span(plan) + options.patience + options.quiet + Duration::from_secs(180);
    let mut sim = Builder::new()
        .epoch(UNIX_EPOCH + Duration::from_secs(1_000_000_000))
        .rng_seed(seed)
        .tick_duration(tick)
        .min_message_latency(tick)
        .max_message_latency(tick)
        .simulation_duration(duration)
        .tcp_capacity(CAPACITY)
        .build();
    let shared = Rc::new(RefCell::new(Shared::default()));
    let host = Rc::clone(&shared);
    // The broker comes first: it listens before the clients take their first step.
    sim.host(BROKER, move || run_broker(Rc::clone(&host), config.clone(), seed));
    sim.client(CLIENTS, run_clients(Rc::clone(&shared), plan.clone(), seed, options));
    let problem = Director { sim, shared: Rc::clone(&shared), awaited: Awaited::Nothing }.run();
    let played = shared.borrow_mut().played.take();
    let mut played = played.unwrap_or_else(|| Played {
        history: History::new(),
        findings: Vec::new(),
        recorded: Vec::new(),
    });
    if let Some(observed) = problem {
        played.findings.push(Finding {
            weight: Weight::Harness,
            requirement: plan.requirements.first().cloned().unwrap_or_default(),
            also: Vec::new(),
            expected: "the simulation runs to its end".into(),
            observed,
            events: Vec::new(),
            step: None,
            by: "sim".into(),
        });
    }
    played
}

/// What the hosts and the director share.
#[derive(Default)]
struct Shared {
    /// The broker's process does not exist.
    down: bool,
    /// The broker's process is halted.
    paused: bool,
    /// The broker is asked to stop.
    stopping: bool,
    /// The broker can be connected to.
    listening: bool,
    /// How often it was started again.
    starts: u64,
    acts: VecDeque<BrokerAct>,
    reporter: Option<Reporter>,
    played: Option<Played>,
    /// Who waits for a change of the above.
    wakers: Vec<Waker>,
}

impl Shared {
    fn tell(&self, event: BrokerEvent) {
        if let Some(reporter) = &self.reporter {
            reporter.tell(event);
        }
    }

    fn wait(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|other| other.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }

    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }
}

// ---- the hosts ----

async fn run_clients(
    shared: Rc<RefCell<Shared>>,
    plan: Plan,
    seed: u64,
    options: StageOptions,
) -> turmoil::Result {
    let mut stage = Stage::new(&plan, seed, options);
    let mut control = Acts(Rc::clone(&shared));
    drive(&mut stage, Dialler(Rc::clone(&shared)), &mut control).await;
    let (history, findings, recorded) = stage.finish();
    shared.borrow_mut().played = Some(Played { history, findings, recorded });
    Ok(())
}

async fn run_broker(shared: Rc<RefCell<Shared>>, config: Config, seed: u64) -> turmoil::Result {
    let listener = Listener {
        plain: TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?,
        websocket: TcpListener::bind((Ipv4Addr::UNSPECIFIED, WEBSOCKET_PORT)).await?,
        config: config.clone(),
    };
    let starts = {
        let mut shared = shared.borrow_mut();
        shared.listening = true;
        shared.starts
    };
    let asked = Rc::clone(&shared);
    let stop = poll_fn(move |context| {
        let mut shared = asked.borrow_mut();
        if shared.stopping {
            return Poll::Ready(());
        }
        shared.wait(context.waker());
        Poll::Pending
    });
    let mut server = pin!(serve(listener, Broker::new(config, seed.wrapping_add(starts)), stop));
    poll_fn(|context| {
        {
            let mut shared = shared.borrow_mut();
            if shared.paused {
                shared.wait(context.waker());
                return Poll::Pending;
            }
        }
        server.as_mut().poll(context)
    })
    .await?;
    Ok(())
}

struct Listener {
    plain: TcpListener,
    websocket: TcpListener,
    config: Config,
}

impl Accept for Listener {
    type Stream = ServerStream<TcpStream>;

    async fn accept(&mut self) -> io::Result<(ServerStream<TcpStream>, SocketAddr)> {
        let mut plain = pin!(self.plain.accept());
        let mut websocket = pin!(self.websocket.accept());
        poll_fn(|context| {
            if let Poll::Ready(accepted) = plain.as_mut().poll(context) {
                return Poll::Ready(accepted.map(|(stream, peer)| (ServerStream::Plain(stream), peer)));
            }
            let accepted = ready!(websocket.as_mut().poll(context));
            Poll::Ready(accepted.map(|(stream, peer)| (ServerStream::websocket(stream, &self.config), peer)))
        })
        .await
    }
}

struct Dialler(Rc<RefCell<Shared>>);

impl Wire for Dialler {
    type Stream = TcpStream;

    async fn dial(&self, route: Route) -> io::Result<TcpStream> {
        let port = if route.websocket { WEBSOCKET_PORT } else { PORT };
        // turmoil lets a connection to a host that is not there wait for ever.
        let starts = self.0.borrow().starts;
        let mut connect = pin!(TcpStream::connect((BROKER, port)));
        poll_fn(|context| {
            {
                let mut shared = self.0.borrow_mut();
                if shared.down || shared.starts != starts {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into()));
                }
                shared.wait(context.waker());
            }
            connect.as_mut().poll(context)
        })
        .await
    }

    /// turmoil has no RST on demand; a stream that is dropped ends with FIN, or with RST if it has bytes that
    /// were not read. For the broker's core both are the same: the connection is lost.
    fn reset(&self, stream: TcpStream) {
        drop(stream);
    }
}

struct Acts(Rc<RefCell<Shared>>);

impl Control for Acts {
    fn attach(&mut self, reporter: Reporter) {
        self.0.borrow_mut().reporter = Some(reporter);
    }

    fn act(&mut self, act: BrokerAct) {
        self.0.borrow_mut().acts.push_back(act);
    }
}

// ---- the director ----

/// What the director waits for before it does the next thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Nothing,
    /// The orderly end of the broker, which is then started again.
    Stop,
    /// The broker listens.
    Start,
}

/// Steps the simulation and does to the broker's host what the plan says.
struct Director<'s> {
    sim: Sim<'s>,
    shared: Rc<RefCell<Shared>>,
    awaited: Awaited,
}

impl Director<'_> {
    /// Runs to the end; says what went wrong with the simulation itself.
    fn run(&mut self) -> Option<String> {
        let mut problem = None;
        loop {
            match self.sim.step() {
                Ok(true) => return problem,
                Ok(false) => {}
                Err(error) => {
                    let broker_runs = self.sim.is_host_running(BROKER);
                    if broker_runs || !self.sim.is_host_running(CLIENTS) || problem.is_some() {
                        return Some(error.to_string());
                    }
                    // The run goes on without the broker, so that the history shows what happened before.
                    problem = Some(format!("the broker's host failed: {error}"));
                }
            }
            self.direct();
        }
    }

    fn direct(&mut self) {
        let running = self.sim.is_host_running(BROKER);
        match self.awaited {
            Awaited::Stop if !running => {
                self.shared.borrow().tell(BrokerEvent::Stopped);
                self.start();
            }
            Awaited::Start if self.shared.borrow().listening => {
                self.shared.borrow().tell(BrokerEvent::Started);
                self.awaited = Awaited::Nothing;
            }
            Awaited::Stop => {}
            Awaited::Nothing | Awaited::Start => {
                if !running && !self.shared.borrow().down {
                    self.awaited = Awaited::Nothing;
                    self.down();
                    self.shared.borrow().tell(BrokerEvent::Died);
                }
            }
        }
        while self.awaited == Awaited::Nothing {
            let Some(act) = self.shared.borrow_mut().acts.pop_front() else { return };
            self.act(act);
        }
    }

    fn act(&mut self, act: BrokerAct) {
        match act {
            BrokerAct::Kill | BrokerAct::PowerLoss => {
                self.sim.crash(BROKER);
                self.down();
                self.shared.borrow().tell(BrokerEvent::Stopped);
            }
            BrokerAct::Start => self.start(),
            BrokerAct::Restart => {
                let mut shared = self.shared.borrow_mut();
                shared.stopping = true;
                shared.paused = false;
                shared.wake();
                self.awaited = Awaited::Stop;
            }
            BrokerAct::Pause => {
                let mut shared = self.shared.borrow_mut();
                shared.paused = true;
                shared.tell(BrokerEvent::Paused);
            }
            BrokerAct::Resume => {
                let mut shared = self.shared.borrow_mut();
                shared.paused = false;
                shared.wake();
                shared.tell(BrokerEvent::Resumed);
            }
        }
    }

    fn down(&mut self) {
        let mut shared = self.shared.borrow_mut();
        shared.down = true;
        shared.listening = false;
        shared.paused = false;
        shared.wake();
    }

    fn start(&mut self) {
        {
            let mut shared = self.shared.borrow_mut();
            shared.down = false;
            shared.listening = false;
            shared.paused = false;
            shared.stopping = false;
            shared.starts += 1;
            shared.wake();
        }
        self.sim.bounce(BROKER);
        self.awaited = Awaited::Start;
    }
}
