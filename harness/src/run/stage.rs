//! The stage: a plan, its clients, the network and the history as one state machine.
//!
//! Worlds are what lies behind it: they open connections, carry bytes and pass time. Whatever the world, the
//! plan is followed by this code, so a scenario means the same everywhere.
//!
//! Contract: [`Stage::start`] once; then, until [`Stage::is_finished`], take every [`Output`], report what happens
//! behind the network ([`Stage::opened`], [`Stage::refused`], [`Stage::received`], [`Stage::ended`],
//! [`Stage::broker`]), and call [`Stage::advance`] when [`Stage::next_deadline`] has come. Time never goes back.
//!
//! Never the case: a judgement (that is the judge's), a world's own verb, a clock.

mod frames;

use std::collections::VecDeque;
use std::time::Duration;

use reference_broker::codec::{Packet, PacketType, ProtocolVersion, decode_frame, next_frame};
use reference_broker::core::Time;

use crate::client::Client;
use crate::history::{EndedBy, Ending, Fact, History, Link, packet_type};
use crate::judge::{Judge, StepState};
use crate::network::{Arrival, Network, Piece, Random, Towards};
use crate::scenario::{
    Act, BrokerAct, Cut, FENCE_AFTER, LinkChange, LinkEnds, Plan, StepAct, Transport, Trigger,
};
use crate::verdict::{Finding, Recorded};
use crate::websocket::WebSocket;

/// What a world has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Open a connection to the broker and say [`Stage::opened`] or [`Stage::refused`].
    Open(Link),
    /// Hand these bytes to the broker.
    Send(Link, Vec<u8>),
    /// End the client's direction with FIN.
    Close(Link),
    /// End the connection with RST.
    Reset(Link),
    /// The client's end has vanished: carry nothing any more and tell the broker nothing.
    Abandon(Link),
    /// Do this to the broker's process and report it with [`Stage::broker`].
    Broker(BrokerAct),
}

/// What happened to the broker's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerEvent {
    /// It is up.
    Started,
    /// It was ended.
    Stopped,
    /// It ended by itself.
    Died,
    /// It was halted.
    Paused,
    /// It goes on.
    Resumed,
}

/// How a stage is fitted to its world.
#[derive(Debug, Clone, Copy)]
pub struct StageOptions {
    /// One-way latency of the links at the start.
    pub latency: Duration,
    /// The quiet window at the end, in which nothing surplus may arrive.
    pub quiet: Duration,
    /// How long what is owed is awaited in the end.
    pub patience: Duration,
    /// The most events that a history may have.
    pub max_events: usize,
}

impl Default for StageOptions {
    fn default() -> StageOptions {
        StageOptions {
            latency: Duration::from_millis(1),
            quiet: Duration::from_secs(1),
            patience: Duration::from_secs(10),
            max_events: 200_000,
        }
    }
}

/// After a packet that is to arrive before its connection is reset, the RST follows this much later: on real
/// sockets an RST may discard what its receiver has not read yet.
const RESET_AFTER: Duration = Duration::from_millis(50);

#[derive(Debug)]
struct Line {
    client: usize,
    /// What the client has received and not taken apart yet.
    buffer: Vec<u8>,
    open: bool,
    over: bool,
    garbled: bool,
    /// The client's end of the WebSocket, if its bytes are carried by one.
    websocket: Option<Box<WebSocket>>,
    /// An RST that is sent later.
    reset_at: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Steps,
    /// Since when nothing has been owed, and until when it is awaited.
    Settling {
        quiet_since: Option<Time>,
        until: Time,
    },
    Finished,
}

/// A plan being played.
#[derive(Debug)]
pub struct Stage<'p> {
    plan: &'p Plan,
    seed: u64,
    options: StageOptions,
    history: History,
    judge: Judge<'p>,
    network: Network,
    clients: Vec<Client>,
    lines: Vec<Line>,
    triggers: Vec<Trigger>,
    outputs: VecDeque<Output>,
    next_step: usize,
    awaited: Option<BrokerEvent>,
    /// The connection whose RST ends the current step.
    awaited_reset: Option<Link>,
    /// The client that asks, and when, whether the broker still serves a connection that it has to close.
    fence: Option<(usize, Time)>,
    /// How many connections have an RST that is sent later.
    resets: usize,
    phase: Phase,
    now: Time,
    /// How far into the bounds: the latest time at which the plan can still be running.
    latest: Time,
}

impl<'p> Stage<'p> {
    /// A stage on which nothing has happened.
    pub fn new(plan: &'p Plan, seed: u64, options: StageOptions) -> Stage<'p> {
        let mut network = Network::new(seed, plan.clients.len(), options.latency);
        for client in 0..plan.clients.len() {
            network.change(client, Towards::Broker, plan.network);
            network.change(client, Towards::Client, LinkChange { split: None, ..plan.network });
        }
        let longest: Duration = plan
            .steps
            .iter()
            .map(|step| match &step.act {
                StepAct::Wait(duration) => *duration,
                StepAct::Client { act: Act::Expect(expect), .. } => expect.window.unwrap_or(expect.within),
                StepAct::Client { within, .. } => *within,
                StepAct::Broker(_) => Duration::from_secs(120),
                _ => Duration::ZERO,
            })
            .sum();
        Stage {
            plan,
            seed,
            options,
            history: History::new(),
            judge: Judge::new(plan),
            network,
            clients: plan.clients.iter().map(|client| Client::new(client.version)).collect(),
            lines: Vec::new(),
            triggers: Vec::new(),
            outputs: VecDeque::new(),
            next_step: 0,
            awaited: None,
            awaited_reset: None,
            fence: None,
            resets: 0,
            phase: Phase::Steps,
            now: Time::ZERO,
            latest: Time::ZERO + longest + options.patience + options.quiet + Duration::from_secs(60),
        }
    }

    /// Begins the plan.
    pub fn start(&mut self, now: Time) {
        self.now = now;
        self.latest = self.latest + (now - Time::ZERO);
        self.go_on();
    }

    /// Whether the run is over.
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Finished
    }

    /// The next thing that the world has to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Stage::advance`] has to be called at the latest.
    pub fn next_deadline(&self) -> Option<Time> {
        if self.is_finished() {
            return None;
        }
        let step = match (self.phase, self.judge.state()) {
            (Phase::Steps, StepState::Waiting(limit)) => limit,
            (Phase::Settling { quiet_since, until }, _) => Some(
                quiet_since.map_or(until, |since| since + self.options.quiet).min(until + self.options.quiet),
            ),
            _ => None,
        };
        let mut next = earlier(step, self.network.next_deadline());
        next = earlier(next, self.fence.map(|(_, at)| at));
        for client in &self.clients {
            next = earlier(next, client.next_deadline());
        }
        if self.resets > 0 {
            for line in &self.lines {
                next = earlier(next, line.reset_at);
            }
        }
        next
    }

    /// Until when nothing but time has to pass: the current step waits or expects something, or all steps are done and
    /// something is owed; nothing is under way in the network, and nothing is awaited from the broker's process. `None`
    /// if it is otherwise.
    pub fn only_waits_until(&self) -> Option<Time> {
        let passive = match (self.phase, self.current_act()) {
            (Phase::Finished, _) => false,
            (Phase::Settling { quiet_since, .. }, _) => quiet_since.is_none(),
            (Phase::Steps, Some(StepAct::Wait(_))) => true,
            (Phase::Steps, Some(StepAct::Client { act: Act::Expect(_) | Act::Complete, .. })) => {
                self.fence.is_none()
            }
            (Phase::Steps, _) => false,
        };
        if !passive || self.awaited.is_some() || self.resets > 0 {
            return None;
        }
        self.next_deadline()
    }

    /// Whether something is expected of the broker, in the current step or after all of them.
    pub fn expects(&self) -> bool {
        match self.phase {
            Phase::Steps => !matches!(self.current_act(), Some(StepAct::Wait(_))),
            Phase::Settling { .. } | Phase::Finished => true,
        }
    }

    fn current_act(&self) -> Option<&StepAct> {
        let at = self.next_step.checked_sub(1)?;
        Some(&self.plan.steps.get(at)?.act)
    }

    /// The judge, for what is shown while the run goes on.
    pub fn judge(&self) -> &Judge<'p> {
        &self.judge
    }

    /// How many more bytes of this connection the stage takes at the moment; `None`: any number.
    pub fn room(&self, link: Link) -> Option<u64> {
        self.network.room(link)
    }

    /// Whether this connection is to be opened to the broker's WebSocket listener.
    pub fn is_websocket(&self, link: Link) -> bool {
        self.lines[link.0 as usize].websocket.is_some()
    }

    /// The version that the client of this connection speaks.
    pub fn version_of(&self, link: Link) -> ProtocolVersion {
        self.plan.clients[self.lines[link.0 as usize].client].version
    }

    /// The history, what the judge found, and the implementation choices that it saw.
    pub fn finish(mut self) -> (History, Vec<Finding>, Vec<Recorded>) {
        self.judge.conclude(&self.history);
        let (findings, recorded) = self.judge.into_results();
        (self.history, findings, recorded)
    }

    // ---- what the world reports ----

    /// A connection stands.
    pub fn opened(&mut self, link: Link, now: Time) {
        self.now = now;
        self.network.send(link, Towards::Client, Piece::Syn, now);
        self.sent_back();
    }

    /// A connection could not be opened.
    pub fn refused(&mut self, link: Link, now: Time) {
        self.now = now;
        self.network.drop_broker_end(link);
        self.network.send(link, Towards::Client, Piece::Rst, now);
        self.sent_back();
    }

    /// Bytes came from the broker.
    pub fn received(&mut self, link: Link, bytes: Vec<u8>, now: Time) {
        self.now = now;
        self.network.send(link, Towards::Client, Piece::Bytes(bytes), now);
        self.sent_back();
    }

    /// The broker's end is over.
    pub fn ended(&mut self, link: Link, reset: bool, now: Time) {
        self.now = now;
        self.network.drop_broker_end(link);
        self.network.send(link, Towards::Client, if reset { Piece::Rst } else { Piece::Fin }, now);
        self.sent_back();
    }

    /// Something happened to the broker's process.
    pub fn broker(&mut self, event: BrokerEvent, now: Time) {
        self.now = now;
        self.fact(match event {
            BrokerEvent::Started => Fact::BrokerStarted,
            BrokerEvent::Stopped => Fact::BrokerStopped,
            BrokerEvent::Died => Fact::BrokerDied,
            BrokerEvent::Paused => Fact::BrokerPaused(true),
            BrokerEvent::Resumed => Fact::BrokerPaused(false),
        });
        if self.awaited == Some(event) {
            self.awaited = None;
            self.judge.acted();
        }
        self.go_on();
    }

    /// Time has passed.
    pub fn advance(&mut self, now: Time) {
        self.now = now;
        self.go_on();
    }

    // ---- following the plan ----

    /// What the broker's end sends changes nothing before it arrives.
    fn sent_back(&mut self) {
        if self.network.next_deadline().is_some_and(|due| due <= self.now) {
            self.go_on();
        }
    }

    fn fact(&mut self, fact: Fact) {
        self.fact_with(fact, None);
    }

    /// A fact, with the packet in it if it was taken apart already: for which version, and what it is.
    fn fact_with(&mut self, fact: Fact, packet: Option<(ProtocolVersion, &Packet<'_>)>) {
        self.history.push(self.now, fact);
        let events = self.history.events();
        let sequence = events.len() - 1;
        let event = events[sequence];
        self.judge.observe_packet(sequence as u32, &event, &self.history, packet);
    }

    fn go_on(&mut self) {
        while let Some(arrival) = self.network.pop_due(self.now) {
            self.arrived(arrival);
        }
        for number in 0..if self.resets > 0 { self.lines.len() } else { 0 } {
            if self.lines[number].reset_at.is_some_and(|at| at <= self.now) {
                self.lines[number].reset_at = None;
                self.resets -= 1;
                self.network.send(Link(number as u32), Towards::Broker, Piece::Rst, self.now);
                if self.awaited_reset == Some(Link(number as u32)) {
                    self.awaited_reset = None;
                    self.judge.acted();
                }
            }
        }
        if let Some((client, at)) = self.fence
            && at <= self.now
        {
            self.fence = None;
            if self.clients[client].is_open() {
                self.clients[client].send_for_script(&Packet::Pingreq, self.now);
            }
        }
        for client in 0..self.clients.len() {
            self.clients[client].advance(self.now);
            self.flush(client);
        }
        loop {
            if self.history.events().len() > self.options.max_events || self.now > self.latest {
                if self.phase != Phase::Finished {
                    self.fact(Fact::BoundReached);
                    self.phase = Phase::Finished;
                }
                return;
            }
            match self.phase {
                Phase::Finished => return,
                Phase::Steps => match self.judge.state() {
                    StepState::Failed => {
                        self.phase = Phase::Finished;
                        return;
                    }
                    StepState::Waiting(limit) => {
                        if limit.is_some_and(|limit| limit <= self.now) && self.awaited.is_none() {
                            self.fact(Fact::LimitReached(self.next_step as u32 - 1));
                            continue;
                        }
                        return;
                    }
                    StepState::Idle | StepState::Done => {
                        if self.next_step == self.plan.steps.len() {
                            self.fence = None;
                            self.phase = Phase::Settling {
                                quiet_since: None,
                                until: self.now + self.options.patience,
                            };
                            continue;
                        }
                        let step = self.next_step;
                        self.next_step += 1;
                        self.fact(Fact::StepBegan(step as u32));
                        self.act(step);
                    }
                },
                Phase::Settling { quiet_since, until } => {
                    let owed = self.judge.is_owed(&self.history);
                    match quiet_since {
                        None if !owed || self.now >= until => {
                            self.phase = Phase::Settling { quiet_since: Some(self.now), until };
                        }
                        Some(since) if since + self.options.quiet <= self.now => {
                            self.fact(Fact::Settled);
                            self.phase = Phase::Finished;
                        }
                        _ => return,
                    }
                }
            }
        }
    }

    fn act(&mut self, step: usize) {
        let plan = self.plan;
        self.fence = None;
        let mut answered = false;
        match &plan.steps[step].act {
            StepAct::Wait(_) => answered = true,
            StepAct::Client { client, act, .. } => answered = self.client_act(*client, act),
            StepAct::Partition(ends) => self.partition(*ends),
            StepAct::Heal(ends) => self.heal(*ends),
            StepAct::Link { ends, change } => {
                if ends.to_broker {
                    self.network.change(ends.client, Towards::Broker, *change);
                }
                if ends.to_client {
                    self.network.change(ends.client, Towards::Client, *change);
                }
            }
            StepAct::Broker(act) => {
                answered = true;
                self.awaited = Some(match act {
                    BrokerAct::Kill | BrokerAct::PowerLoss => BrokerEvent::Stopped,
                    BrokerAct::Start | BrokerAct::Restart => BrokerEvent::Started,
                    BrokerAct::Pause => BrokerEvent::Paused,
                    BrokerAct::Resume => BrokerEvent::Resumed,
                });
                self.outputs.push_back(Output::Broker(*act));
            }
            StepAct::When(trigger) => self.triggers.push(*trigger),
        }
        if !answered {
            self.judge.acted();
        }
    }

    /// Lets a client act; returns whether the judge decides when the step is done.
    fn client_act(&mut self, client: usize, act: &Act) -> bool {
        let now = self.now;
        match act {
            Act::Expect(expect) => {
                self.fence = expect.has_fence().then(|| (client, now + FENCE_AFTER));
                return true;
            }
            Act::Connect { connect, by_script, .. } => {
                let link = self.open(client);
                self.clients[client].connecting(link, (**connect).clone(), *by_script, false, now);
                return true;
            }
            Act::Open => {
                let link = self.open(client);
                self.clients[client].opening(link, now);
                return true;
            }
            Act::Send { packet: Packet::Connect(connect), by_script, .. } => {
                if self.clients[client].is_open() {
                    self.clients[client].send_connect(connect, true, now);
                    if *by_script {
                        self.clients[client].acknowledge_by_script();
                    }
                } else {
                    let link = self.open(client);
                    self.clients[client].connecting(link, (**connect).clone(), *by_script, true, now);
                }
                // What the script sends next follows CONNECT, so the step lasts until it has been sent.
                self.flush(client);
                return true;
            }
            Act::Send { packet, packet_id, .. } => {
                let mut packet = packet.clone();
                if let Some(id) = packet_id.as_ref().and_then(|reference| self.judge.packet_id(reference)) {
                    set_packet_id(&mut packet, id);
                }
                self.clients[client].send_for_script(&packet, now);
            }
            Act::SendBytes(bytes) => self.clients[client].send_bytes(bytes.clone(), now),
            Act::SendText(bytes) => {
                self.flush(client);
                if let Some(link) = self.clients[client].link() {
                    self.send_frame(link, |websocket| Some(websocket.text(bytes)));
                }
            }
            Act::Subscribe(subscribe) => {
                self.clients[client].subscribe(subscribe.clone(), now);
                self.flush(client);
                return true;
            }
            Act::Unsubscribe(unsubscribe) => {
                self.clients[client].unsubscribe(unsubscribe.clone(), now);
                self.flush(client);
                return true;
            }
            Act::Publish { message, count, .. } => {
                for number in 1..=*count {
                    let mut message = message.clone();
                    if *count > 1 {
                        let text =
                            String::from_utf8_lossy(&message.payload).replace("{n}", &number.to_string());
                        message.payload = text.into_bytes().into();
                    }
                    self.clients[client].publish(message, now);
                }
                self.flush(client);
                return true;
            }
            Act::Ping => {
                self.clients[client].ping(now);
                self.flush(client);
                return true;
            }
            Act::Complete => return true,
            Act::Disconnect(disconnect) => {
                self.clients[client].disconnect(disconnect.clone(), now);
                self.flush(client);
                if let Some(link) = self.clients[client].link() {
                    self.send_frame(link, WebSocket::close);
                }
                self.leave(client, Cut::Close);
            }
            Act::LoseConnection(Cut::Reset) => {
                // What the client has sent before arrives before the RST; the step lasts until that is sent.
                self.flush(client);
                if let Some(link) = self.clients[client].link() {
                    self.end_at_client(link, Cut::Reset, EndedBy::Client, Ending::Reset, true);
                    self.awaited_reset = Some(link);
                    return true;
                }
            }
            Act::LoseConnection(cut) => self.leave(client, *cut),
            Act::FallSilent => self.clients[client].fall_silent(),
            Act::StopReading | Act::ReadAgain => {
                if let Some(link) = self.clients[client].link() {
                    self.network.set_reading(link, *act == Act::ReadAgain);
                }
            }
        }
        self.flush(client);
        false
    }

    fn open(&mut self, client: usize) -> Link {
        let link = self.network.open(client, self.now);
        let websocket = match &self.plan.clients[client].transport {
            Transport::Tcp => None,
            Transport::WebSocket { framing, offered } => {
                let random = Random::stream(self.seed, "websocket", u64::from(link.0));
                Some(Box::new(WebSocket::new(*framing, offered, random)))
            }
        };
        self.lines.push(Line {
            client,
            buffer: Vec::new(),
            open: false,
            over: false,
            garbled: false,
            websocket,
            reset_at: None,
        });
        self.fact(Fact::Opening { client: client as u32, link });
        link
    }

    /// The client ends its connection.
    fn leave(&mut self, client: usize, cut: Cut) {
        if let Some(link) = self.clients[client].link() {
            let how = match cut {
                Cut::Reset => Ending::Reset,
                Cut::Close => Ending::Fin,
                Cut::Silence => Ending::Silence,
            };
            self.end_at_client(link, cut, EndedBy::Client, how, false);
        }
    }

    /// The client's end of a connection is over.
    fn end_at_client(&mut self, link: Link, cut: Cut, by: EndedBy, how: Ending, after_delivery: bool) {
        let line = &mut self.lines[link.0 as usize];
        if line.over {
            return;
        }
        line.over = true;
        line.open = false;
        if after_delivery && cut == Cut::Reset {
            line.reset_at = Some(self.now + RESET_AFTER);
            self.resets += 1;
        }
        let client = line.client;
        if self.clients[client].link() == Some(link) {
            self.clients[client].lost();
        }
        self.network.drop_client_end(link, true);
        match cut {
            Cut::Reset if after_delivery => {}
            Cut::Reset => self.network.send(link, Towards::Broker, Piece::Rst, self.now),
            Cut::Close => self.network.send(link, Towards::Broker, Piece::Fin, self.now),
            Cut::Silence => self.outputs.push_back(Output::Abandon(link)),
        }
        self.fact(Fact::Closed { link, by, how });
    }

    fn partition(&mut self, ends: LinkEnds) {
        if ends.to_broker {
            self.network.partition(ends.client, Towards::Broker, self.now);
        }
        if ends.to_client {
            self.network.partition(ends.client, Towards::Client, self.now);
        }
        self.fact(Fact::Partitioned {
            client: ends.client as u32,
            to_broker: ends.to_broker,
            to_client: ends.to_client,
        });
    }

    fn heal(&mut self, ends: Option<LinkEnds>) {
        match ends {
            Some(ends) => {
                for (heals, towards) in [(ends.to_broker, Towards::Broker), (ends.to_client, Towards::Client)]
                {
                    if heals {
                        self.network.heal(ends.client, towards, self.now);
                    }
                }
                self.fact(Fact::Healed(Some(ends.client as u32)));
            }
            None => {
                // What is armed is a fault too.
                self.triggers.clear();
                for client in 0..self.clients.len() {
                    for towards in [Towards::Broker, Towards::Client] {
                        if self.network.is_partitioned(client, towards) {
                            self.network.heal(client, towards, self.now);
                        }
                    }
                }
                self.fact(Fact::Healed(None));
            }
        }
    }

    /// Hands what a client wants to send to the network.
    fn flush(&mut self, client: usize) {
        if !self.clients[client].has_outputs() {
            return;
        }
        let outputs = self.clients[client].take_outputs();
        let Some(link) = self.clients[client].link() else { return };
        // A WebSocket's frames may hold several packets, so those of one moment wait for each other.
        let mut together = Vec::new();
        for output in outputs {
            if self.lines[link.0 as usize].over {
                break;
            }
            let range = self.history.store(&output.bytes);
            let trigger = self.trigger(client, packet_type(&output.bytes), false);
            match trigger {
                Some(trigger) if trigger.lost => {
                    self.send_packets(link, &mut together);
                    self.fact(Fact::Swallowed { link, bytes: range, from_broker: false });
                    self.cut(link, trigger.cut, false);
                }
                Some(trigger) => {
                    self.fact(Fact::Sent { link, bytes: range, by_script: output.by_script });
                    self.send_packet(link, output.bytes, &mut together);
                    self.send_packets(link, &mut together);
                    self.cut(link, trigger.cut, true);
                }
                None => {
                    self.fact(Fact::Sent { link, bytes: range, by_script: output.by_script });
                    self.send_packet(link, output.bytes, &mut together);
                }
            }
        }
        self.send_packets(link, &mut together);
    }

    /// The trigger that this packet sets off, which is then used up.
    fn trigger(&mut self, client: usize, kind: Option<PacketType>, from_broker: bool) -> Option<Trigger> {
        let mut fired = None;
        for (at, trigger) in self.triggers.iter_mut().enumerate() {
            if trigger.client == client && Some(trigger.packet) == kind && trigger.from_broker == from_broker
            {
                trigger.nth = trigger.nth.saturating_sub(1);
                if trigger.nth == 0 && fired.is_none() {
                    fired = Some(at);
                }
            }
        }
        fired.map(|at| self.triggers.remove(at))
    }

    fn cut(&mut self, link: Link, cut: Cut, after_delivery: bool) {
        self.fact(Fact::Cut { link, cut });
        let how = match cut {
            Cut::Reset => Ending::Reset,
            Cut::Close => Ending::Fin,
            Cut::Silence => Ending::Silence,
        };
        self.end_at_client(link, cut, EndedBy::Fault, how, after_delivery);
    }

    // ---- what the network brings ----

    fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Piece(link, Towards::Broker, piece) => match piece {
                Piece::Syn => self.outputs.push_back(Output::Open(link)),
                Piece::Bytes(bytes) => {
                    if self.network.has_broker_end(link) {
                        self.outputs.push_back(Output::Send(link, bytes));
                    } else if !self.lines[link.0 as usize].over {
                        self.network.send(link, Towards::Client, Piece::Rst, self.now);
                    }
                }
                Piece::Fin => self.outputs.push_back(Output::Close(link)),
                Piece::Rst => self.outputs.push_back(Output::Reset(link)),
            },
            Arrival::Piece(link, Towards::Client, piece) => {
                if self.lines[link.0 as usize].over {
                    return;
                }
                match piece {
                    Piece::Syn => match &self.lines[link.0 as usize].websocket {
                        None => self.stands(link),
                        Some(websocket) => {
                            let request = websocket.request(&self.plan.options.websocket);
                            let bytes = self.history.store(&request);
                            self.fact(Fact::UpgradeSent { link, bytes });
                            self.network.send(link, Towards::Broker, Piece::Bytes(request), self.now);
                        }
                    },
                    Piece::Bytes(bytes) if self.is_websocket(link) => self.unframe(link, &bytes),
                    Piece::Bytes(bytes) => self.take(link, bytes),
                    Piece::Fin | Piece::Rst => self.ended_by_broker(link, piece == Piece::Rst),
                }
            }
            Arrival::TimedOut(link, Towards::Broker) | Arrival::ConnectTimedOut(link) => {
                self.end_at_client(link, Cut::Silence, EndedBy::Network, Ending::TimedOut, false);
            }
            Arrival::TimedOut(link, Towards::Client) => {
                self.network.drop_broker_end(link);
                self.outputs.push_back(Output::Reset(link));
            }
        }
    }

    /// The connection stands: the client may send packets.
    fn stands(&mut self, link: Link) {
        self.lines[link.0 as usize].open = true;
        let client = self.lines[link.0 as usize].client;
        self.fact(Fact::Opened(link));
        if self.clients[client].link() == Some(link) {
            self.clients[client].opened(self.now);
            self.flush(client);
        }
    }

    fn ended_by_broker(&mut self, link: Link, reset: bool) {
        let line = &mut self.lines[link.0 as usize];
        let (by, how) = match (line.open, reset) {
            (false, _) => (EndedBy::Network, Ending::Refused),
            (true, true) => (EndedBy::Broker, Ending::Reset),
            (true, false) => (EndedBy::Broker, Ending::Fin),
        };
        line.over = true;
        line.open = false;
        let client = line.client;
        let rest = std::mem::take(&mut line.buffer);
        if !rest.is_empty() {
            let bytes = self.history.store(&rest);
            self.fact(Fact::Received { link, bytes });
        }
        self.network.drop_client_end(link, false);
        self.outputs.push_back(Output::Close(link));
        if self.clients[client].link() == Some(link) {
            self.clients[client].lost();
        }
        self.fact(Fact::Closed { link, by, how });
    }

    /// Takes packets apart and lets the client see them.
    fn take(&mut self, link: Link, bytes: Vec<u8>) {
        let line = &mut self.lines[link.0 as usize];
        let client = line.client;
        if line.garbled {
            let bytes = self.history.store(&bytes);
            self.fact(Fact::Received { link, bytes });
            return;
        }
        let mut buffer = std::mem::take(&mut line.buffer);
        if buffer.is_empty() {
            buffer = bytes;
        } else {
            buffer.extend_from_slice(&bytes);
        }
        let mut at = 0;
        loop {
            match next_frame(&buffer[at..], None) {
                Ok(Some(frame)) => {
                    let raw = &buffer[at..at + frame.len()];
                    at += frame.len();
                    let mine = self.clients[client].link() == Some(link);
                    let trigger = if mine { self.trigger(client, frame.packet_type(), true) } else { None };
                    let range = self.history.store(raw);
                    if let Some(trigger) = trigger
                        && trigger.lost
                    {
                        self.fact(Fact::Swallowed { link, bytes: range, from_broker: true });
                        self.cut(link, trigger.cut, false);
                        return;
                    }
                    let version = self.clients[client].version();
                    let fact = Fact::Received { link, bytes: range };
                    let decoded = if mine { Some(decode_frame(frame, version)) } else { None };
                    match &decoded {
                        Some(Ok(packet)) => {
                            self.fact_with(fact, Some((version, packet)));
                            self.clients[client].receive(packet, self.now);
                        }
                        _ => self.fact(fact),
                    }
                    if let Some(trigger) = trigger {
                        // The packet arrived; nothing answers it any more.
                        self.cut(link, trigger.cut, false);
                        return;
                    }
                    self.flush(client);
                    if self.lines[link.0 as usize].over {
                        return;
                    }
                }
                Ok(None) => break,
                Err(_) => {
                    self.lines[link.0 as usize].garbled = true;
                    let range = self.history.store(&buffer[at..]);
                    self.fact(Fact::Received { link, bytes: range });
                    return;
                }
            }
        }
        if at < buffer.len() {
            buffer.drain(..at);
            self.lines[link.0 as usize].buffer = buffer;
        }
    }
}

fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn set_packet_id(packet: &mut Packet<'static>, id: u16) {
    match packet {
        Packet::Publish(publish) => publish.packet_id = Some(id),
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            ack.packet_id = id
        }
        Packet::Subscribe(subscribe) => subscribe.packet_id = id,
        Packet::Suback(suback) => suback.packet_id = id,
        Packet::Unsubscribe(unsubscribe) => unsubscribe.packet_id = id,
        Packet::Unsuback(unsuback) => unsuback.packet_id = id,
        _ => {}
    }
}

/// The last packet other than PINGREQ that a client sent before an event, for naming what killed a broker.
pub fn last_sent_before(history: &History, event: usize) -> Option<(Link, Vec<u8>)> {
    let events = &history.events()[..event.min(history.events().len())];
    events.iter().rev().find_map(|event| match event.fact {
        Fact::Sent { link, bytes, .. } => {
            let raw = history.bytes(bytes);
            (packet_type(raw) != Some(PacketType::Pingreq)).then(|| (link, raw.to_vec()))
        }
        _ => None,
    })
}
