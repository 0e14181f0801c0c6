//! The core world: broker core and clients in a discrete-event loop, without tokio.

use std::collections::BTreeMap;

use reference_broker::core::{Broker, Config, ConnectionId, Output as BrokerOutput, Time};
use reference_broker::transport::websocket::Endpoint;

use crate::history::Link;
use crate::run::{BrokerEvent, Output, Stage, StageOptions};
use crate::scenario::{BrokerAct, Plan};

use super::{Played, configured};

/// Plays a plan against the reference broker's core.
///
/// The history follows from plan, seed, options and configuration alone.
pub fn play(plan: &Plan, seed: u64, options: StageOptions, config: &Config) -> Played {
    let config = configured(config, plan);
    let mut world = CoreWorld {
        broker: Some(Broker::new(config.clone(), seed)),
        config,
        seed,
        starts: 0,
        paused: false,
        held: Vec::new(),
        lines: Vec::new(),
        sockets: BTreeMap::new(),
        stage: Stage::new(plan, seed, options),
        now: Time::ZERO,
    };
    world.run();
    let (history, findings, recorded) = world.stage.finish();
    Played { history, findings, recorded }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Unknown,
    Open,
    Over,
}

struct CoreWorld<'p> {
    broker: Option<Broker>,
    config: Config,
    seed: u64,
    starts: u64,
    paused: bool,
    /// What reaches a broker that is paused.
    held: Vec<Output>,
    lines: Vec<Line>,
    /// The broker's ends of WebSockets.
    sockets: BTreeMap<Link, Endpoint>,
    stage: Stage<'p>,
    now: Time,
}

/// Connections of different starts of the broker have different numbers.
fn connection(link: Link) -> ConnectionId {
    ConnectionId(u64::from(link.0))
}

impl CoreWorld<'_> {
    fn run(&mut self) {
        self.stage.start(self.now);
        loop {
            self.settle();
            if self.stage.is_finished() {
                return;
            }
            let broker = self.broker.as_ref().filter(|_| !self.paused).and_then(Broker::next_deadline);
            let Some(next) = self.stage.next_deadline().into_iter().chain(broker).min() else {
                // Nothing can happen any more; the stage's own bounds end it.
                self.now = Time(u64::MAX / 2);
                self.stage.advance(self.now);
                return;
            };
            self.now = self.now.max(next);
            if !self.paused
                && let Some(broker) = &mut self.broker
            {
                broker.advance(self.now);
            }
            self.drain();
            self.stage.advance(self.now);
        }
    }

    /// Carries bytes to and fro until nothing moves at this moment.
    fn settle(&mut self) {
        loop {
            self.drain();
            let Some(output) = self.stage.poll_output() else { return };
            self.carry(output);
        }
    }

    fn line(&mut self, link: Link) -> &mut Line {
        let at = link.0 as usize;
        while self.lines.len() <= at {
            self.lines.push(Line::Unknown);
        }
        &mut self.lines[at]
    }

    fn carry(&mut self, output: Output) {
        let now = self.now;
        if let Output::Broker(act) = output {
            return self.act(act);
        }
        if self.paused {
            // The kernel of a halted process still accepts connections and takes bytes.
            if let Output::Open(link) = output {
                self.stage.opened(link, now);
            }
            self.held.push(output);
            return;
        }
        match output {
            Output::Open(link) => {
                if self.admit(link) {
                    self.stage.opened(link, now);
                } else {
                    self.stage.refused(link, now);
                }
            }
            Output::Send(link, bytes) => {
                if *self.line(link) == Line::Open {
                    self.hand_over(link, &bytes);
                }
            }
            Output::Close(link) | Output::Reset(link) => {
                if *self.line(link) == Line::Open {
                    *self.line(link) = Line::Over;
                    if let Some(broker) = &mut self.broker {
                        broker.lost(connection(link), now);
                    }
                }
            }
            Output::Abandon(_) | Output::Broker(_) => {}
        }
    }

    /// Lets a connection in, if there is a broker.
    fn admit(&mut self, link: Link) -> bool {
        let Some(broker) = &mut self.broker else { return false };
        broker.opened(connection(link), self.now);
        *self.line(link) = Line::Open;
        if self.stage.is_websocket(link) {
            self.sockets.insert(link, Endpoint::new(&self.config));
        }
        true
    }

    /// Hands bytes to the broker, through its end of the WebSocket if there is one.
    fn hand_over(&mut self, link: Link, bytes: &[u8]) {
        let now = self.now;
        let Some(broker) = &mut self.broker else { return };
        let Some(socket) = self.sockets.get_mut(&link) else {
            return broker.received(connection(link), bytes, now);
        };
        let (mut mqtt, mut out) = (Vec::new(), Vec::new());
        socket.receive(bytes, &mut mqtt, &mut out);
        let over = socket.is_over();
        if !mqtt.is_empty() {
            broker.received(connection(link), &mqtt, now);
        }
        if over {
            broker.lost(connection(link), now);
            *self.line(link) = Line::Over;
        }
        self.say(link, &out);
        if over {
            self.stage.ended(link, false, now);
        }
    }

    /// Takes what the broker has to say.
    fn drain(&mut self) {
        while let Some(output) = self.broker.as_mut().and_then(Broker::poll_output) {
            match output {
                BrokerOutput::Send { connection, bytes } => {
                    let link = Link(connection.0 as u32);
                    match self.sockets.get_mut(&link) {
                        None => self.stage.received(link, bytes, self.now),
                        Some(socket) => {
                            let mut out = Vec::new();
                            socket.send(&bytes, &mut out);
                            self.say(link, &out);
                        }
                    }
                }
                BrokerOutput::Close { connection } => {
                    let link = Link(connection.0 as u32);
                    *self.line(link) = Line::Over;
                    if let Some(socket) = self.sockets.get_mut(&link) {
                        let mut out = Vec::new();
                        socket.close(&mut out);
                        self.say(link, &out);
                    }
                    self.stage.ended(link, false, self.now);
                }
            }
        }
    }

    fn say(&mut self, link: Link, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.stage.received(link, bytes.to_vec(), self.now);
        }
    }

    fn act(&mut self, act: BrokerAct) {
        let now = self.now;
        match act {
            BrokerAct::Kill | BrokerAct::PowerLoss => {
                self.stop(act == BrokerAct::Kill);
                self.stage.broker(BrokerEvent::Stopped, now);
            }
            BrokerAct::Start => self.start(),
            BrokerAct::Restart => {
                if let Some(broker) = &mut self.broker {
                    broker.shutdown(now);
                }
                self.drain();
                self.stop(true);
                self.stage.broker(BrokerEvent::Stopped, now);
                self.start();
            }
            BrokerAct::Pause => {
                self.paused = true;
                self.stage.broker(BrokerEvent::Paused, now);
            }
            BrokerAct::Resume => {
                self.paused = false;
                if let Some(broker) = &mut self.broker {
                    broker.advance(now);
                }
                self.drain();
                for output in std::mem::take(&mut self.held) {
                    match output {
                        Output::Open(link) => {
                            self.admit(link);
                        }
                        output => self.carry(output),
                    }
                    self.drain();
                }
                self.stage.broker(BrokerEvent::Resumed, now);
            }
        }
    }

    fn start(&mut self) {
        self.starts += 1;
        self.broker = Some(Broker::new(self.config.clone(), self.seed.wrapping_add(self.starts)));
        self.stage.broker(BrokerEvent::Started, self.now);
    }

    /// The process is gone; its peers are told if `told`.
    fn stop(&mut self, told: bool) {
        self.broker = None;
        self.paused = false;
        self.held.clear();
        for number in 0..self.lines.len() {
            if self.lines[number] == Line::Open {
                self.lines[number] = Line::Over;
                if told {
                    self.stage.ended(Link(number as u32), true, self.now);
                }
            }
        }
    }
}
