//! The judge follows a plan through its history: which step is running, whether it is done, what it found.
//!
//! It sees facts only. A world that runs a plan asks it, fact by fact, whether to go on; a checker asks it
//! again afterwards, over the recorded history, and gets the same answers. So what a step expects is judged
//! by one piece of code, and can be judged again offline.
//!
//! Contract: facts are given once each, in order, to [`Judge::observe`]. A step runs from its
//! [`Fact::StepBegan`] until [`Judge::state`] says [`StepState::Done`] or [`StepState::Failed`]; while it says
//! [`StepState::Waiting`] with a limit, [`Fact::LimitReached`] is due at that time.

mod choice;
mod pattern;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reference_broker::codec::{Disconnect, Packet, PacketType, PropertyId, ProtocolVersion, ReasonCode};
use reference_broker::core::Time;

use crate::history::{EndedBy, Event, Fact, History};
use crate::requirement::Catalogue;
use crate::scenario::{
    Act, Alternative, Duty, ExpectPlan, FENCE_GRACE, PacketIdRef, Plan, StepAct, VerifyPlan, VerifyVerb,
};
use crate::text::format_duration;
use crate::verdict::{Finding, Recorded, Weight};

pub use view::{ClientView, Delivery, Inbound};

/// Where the plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// No step is running.
    Idle,
    /// The current step waits, at the longest until this time.
    Waiting(Option<Time>),
    /// The current step is done.
    Done,
    /// The current step failed; the rest of the plan makes no sense any more.
    Failed,
}

/// Follows a plan through its history.
#[derive(Debug, Clone)]
pub struct Judge<'p> {
    plan: &'p Plan,
    clients: Vec<ClientView>,
    /// The step that runs, and since when.
    current: Option<(u32, Time)>,
    state: StepState,
    remembered: BTreeMap<String, u16>,
    findings: Vec<Finding>,
    recorded: Vec<Recorded>,
    settled: bool,
    /// How many of the payloads that `verify` demands have arrived, counted up to the first that has not.
    arrived: usize,
}

impl<'p> Judge<'p> {
    /// A judge at the beginning of a plan.
    pub fn new(plan: &'p Plan) -> Judge<'p> {
        Judge {
            plan,
            clients: plan.clients.iter().map(|client| ClientView::new(client.version)).collect(),
            current: None,
            state: StepState::Idle,
            remembered: BTreeMap::new(),
            findings: Vec::new(),
            recorded: Vec::new(),
            settled: false,
            arrived: 0,
        }
    }

    /// Takes the next fact, which is the last one in `history` so far or a later reader's next one.
    pub fn observe(&mut self, sequence: u32, event: &Event, history: &History) {
        self.observe_packet(sequence, event, history, None);
    }

    /// As [`Judge::observe`]; whoever has taken the packet of the fact apart already hands it in, with the version
    /// that it was read for. It saves time and changes nothing.
    pub fn observe_packet(
        &mut self,
        sequence: u32,
        event: &Event,
        history: &History,
        packet: Option<(ProtocolVersion, &Packet<'_>)>,
    ) {
        match event.fact {
            Fact::StepBegan(step) => {
                self.current = Some((step, event.at));
                self.state = StepState::Waiting(None);
                self.begin(step, event.at);
            }
            Fact::LimitReached(step) => {
                if self.current.is_some_and(|(current, _)| current == step)
                    && matches!(self.state, StepState::Waiting(_))
                {
                    self.limit(step, event.at, sequence, history);
                }
                return;
            }
            Fact::Settled => {
                self.settled = true;
                return;
            }
            Fact::BoundReached => {
                self.find(
                    Weight::Harness,
                    Vec::new(),
                    "the scenario ends within its bounds",
                    "it does not end: a bound on steps, events or virtual time was reached",
                    vec![sequence],
                );
                self.state = StepState::Failed;
                return;
            }
            Fact::BrokerDied => {
                self.find(
                    Weight::Violation,
                    Vec::new(),
                    "the broker's process keeps running",
                    "the broker's process ended",
                    vec![sequence],
                );
                self.state = StepState::Failed;
                return;
            }
            _ => {
                view::observe(&mut self.clients, sequence, event, history, packet);
            }
        }
        if let (StepState::Waiting(_), Some((step, began))) = (self.state, self.current) {
            self.evaluate(step, began, history);
        }
    }

    /// Where the plan stands.
    pub fn state(&self) -> StepState {
        self.state
    }

    /// What was found so far.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What was found, and the implementation choices that were seen.
    pub fn into_results(self) -> (Vec<Finding>, Vec<Recorded>) {
        (self.findings, self.recorded)
    }

    /// Whether a step failed.
    pub fn failed(&self) -> bool {
        self.state == StepState::Failed
    }

    /// The Packet Identifier that an expectation remembered.
    pub fn packet_id(&self, reference: &PacketIdRef) -> Option<u16> {
        match reference {
            PacketIdRef::Number(number) => Some(*number),
            PacketIdRef::Remembered(name) => self.remembered.get(name).copied(),
        }
    }

    /// What a client's application got, in order.
    pub fn deliveries(&self, client: usize) -> &[Delivery] {
        &self.clients[client].deliveries
    }

    /// Whether something that `verify` demands has not arrived yet.
    pub fn is_owed(&mut self, history: &History) -> bool {
        let owing =
            |verb| matches!(verb, VerifyVerb::ExactlyOnce | VerifyVerb::AtLeastOnce | VerifyVerb::InOrder);
        let demanded = self.plan.verify.iter().filter(|demand| owing(demand.verb));
        let mut demanded =
            demanded.flat_map(|demand| demand.payloads.iter().map(move |payload| (demand, payload)));
        // What has arrived stays arrived.
        let arrived = demanded
            .by_ref()
            .skip(self.arrived)
            .take_while(|(demand, payload)| self.arrivals(demand, payload, history).next().is_some())
            .count();
        self.arrived += arrived;
        let all = self.plan.verify.iter().filter(|demand| owing(demand.verb));
        self.arrived < all.map(|demand| demand.payloads.len()).sum()
    }

    /// The events at which a demanded payload arrived.
    fn arrivals<'a>(
        &'a self,
        demand: &'a VerifyPlan,
        payload: &'a str,
        history: &'a History,
    ) -> impl Iterator<Item = u32> + 'a {
        demand
            .to
            .iter()
            .flat_map(|to| &self.clients[*to].deliveries)
            .filter(move |it| history.bytes(it.payload) == payload.as_bytes())
            .filter(|it| it.is_on(demand.topic.as_deref(), history))
            .map(|it| it.event)
    }

    fn begin(&mut self, step: u32, now: Time) {
        let Some(plan) = self.plan.steps.get(step as usize) else { return };
        let (limit, client) = match &plan.act {
            StepAct::Wait(duration) => (Some(now + *duration), None),
            StepAct::Client { client, act, within } => match act {
                Act::Expect(expect) => (Some(now + expect.window.unwrap_or(expect.within)), Some(*client)),
                _ => (Some(now + *within), Some(*client)),
            },
            _ => (None, None),
        };
        if let Some(client) = client {
            self.clients[client].begin_step();
            if let StepAct::Client { act, .. } = &plan.act {
                match act {
                    Act::Connect { .. } | Act::Open => self.clients[client].leave_connection(),
                    Act::Send { packet: Packet::Connect(_), .. } if !self.clients[client].is_open() => {
                        self.clients[client].leave_connection();
                    }
                    Act::Send { packet: Packet::Connect(_), .. } => self.clients[client].connect_sent = false,
                    _ => {}
                }
            }
        }
        self.state = StepState::Waiting(limit);
    }

    fn done(&mut self) {
        self.state = StepState::Done;
    }

    fn find(
        &mut self,
        weight: Weight,
        ids: Vec<String>,
        expected: impl Into<String>,
        observed: impl Into<String>,
        events: Vec<u32>,
    ) {
        let step = self.current.map(|(step, _)| step);
        let judges = if ids.is_empty() {
            step.and_then(|step| self.plan.steps.get(step as usize))
                .map(|step| step.judges.clone())
                .filter(|judges| !judges.is_empty())
                .unwrap_or_else(|| self.plan.requirements.clone())
        } else {
            ids
        };
        let mut ids = judges.into_iter();
        self.findings.push(Finding {
            weight,
            requirement: ids.next().unwrap_or_default(),
            also: ids.collect(),
            expected: expected.into(),
            observed: observed.into(),
            events,
            step,
            by: if step.is_some() { "step" } else { "verify" }.into(),
        });
    }

    /// The step fails. On the twin's part this means that nothing negative was shown.
    fn fail(
        &mut self,
        weight: Weight,
        ids: &[&str],
        expected: impl Into<String>,
        observed: impl Into<String>,
        events: Vec<u32>,
    ) {
        let twin = self
            .current
            .and_then(|(step, _)| self.plan.steps.get(step as usize))
            .is_some_and(|step| step.duty == Duty::Twin);
        if twin {
            let observed = observed.into();
            self.find(
                Weight::Unanswered,
                Vec::new(),
                "the broker serves a well-formed exchange of another client (positive twin)",
                observed,
                events,
            );
        } else {
            self.find(weight, ids.iter().map(ToString::to_string).collect(), expected, observed, events);
        }
        self.state = StepState::Failed;
    }

    /// Whether the current step is done, given what is known now.
    fn evaluate(&mut self, step: u32, began: Time, history: &History) {
        let plan = self.plan;
        let Some(plan_step) = plan.steps.get(step as usize) else { return };
        match &plan_step.act {
            StepAct::Wait(_) => {}
            StepAct::Client { client, act, .. } => match act {
                Act::Expect(expect) => self.expect(*client, expect, began, history),
                act => self.exchange(*client, act, history),
            },
            // What is done to the network and the broker is done at once; starting takes until it is up.
            StepAct::Broker(_) => {}
            _ => self.done(),
        }
    }

    /// The world has done what a step without an answer asked for.
    pub fn acted(&mut self) {
        if let StepState::Waiting(_) = self.state {
            self.done();
        }
    }

    // ---- single packets ----

    fn expect(&mut self, client: usize, expect: &ExpectPlan, began: Time, history: &History) {
        let version = self.clients[client].version;
        if let [Alternative::Nothing(of)] = expect.alternatives[..] {
            let found =
                self.clients[client].inbox.iter().position(|it| of.is_none_or(|of| it.kind == Some(of)));
            if let Some(at) = found {
                let inbound = self.clients[client].inbox[at];
                let observed = describe(&inbound, &self.clients[client], history, version);
                let window = format_duration(expect.window.unwrap_or_default());
                let what = of.map_or("packet".to_string(), |of| of.to_string());
                self.fail(
                    Weight::Violation,
                    &[],
                    format!("no {what} for {window}"),
                    observed,
                    vec![inbound.event],
                );
            } else if self.clients[client].closed_by_broker_since(began) {
                let event = self.clients[client].closed.map_or(0, |closed| closed.event);
                self.fail(
                    Weight::Violation,
                    &[],
                    "the connection stays and nothing arrives",
                    "the broker closed the connection",
                    vec![event],
                );
            }
            return;
        }
        if expect.alternatives.iter().any(|it| matches!(it, Alternative::Open)) {
            if let Some(closed) = self.clients[client].closed {
                self.fail(
                    Weight::Violation,
                    &[],
                    "the connection stays open",
                    self.clients[client].describe_end(history),
                    vec![closed.event],
                );
            }
            return;
        }
        for (place, alternative) in expect.alternatives.iter().enumerate() {
            if let Alternative::Sequence(patterns, None) = alternative
                && let Some(taken) = self.sequence(client, patterns, history)
            {
                self.record_sequence(expect, place, client, &taken, began);
                self.take(client, taken);
                return self.done();
            }
        }
        for at in 0..self.clients[client].inbox.len() {
            let inbound = self.clients[client].inbox[at];
            let Some(packet) = view::resolved(&inbound, version, &self.clients[client], history) else {
                continue;
            };
            let mut difference: Option<(pattern::Difference, &crate::scenario::PacketPattern)> = None;
            for (place, alternative) in expect.alternatives.iter().enumerate() {
                let Alternative::Packet(wanted) = alternative else { continue };
                if wanted.kind != packet.packet_type() {
                    continue;
                }
                if let (Some(topic), Packet::Publish(publish)) = (wanted.topic(), &packet)
                    && publish.topic != topic
                {
                    continue;
                }
                // An acknowledgement is picked by its identifier: answers to different packets come in any order.
                if let Some(id) = wanted.acknowledged()
                    && self.number(id).is_some_and(|id| packet.packet_id() != Some(id))
                {
                    continue;
                }
                match self.compare(wanted, &packet, version) {
                    None => {
                        if let Some(name) = &wanted.remember {
                            self.remembered.insert(name.clone(), packet.packet_id().unwrap_or_default());
                        }
                        self.clients[client].inbox.remove(at);
                        if !expect.after.is_zero() && inbound.at < began + expect.after {
                            let expected = format!("not earlier than {}", format_duration(expect.after));
                            let observed = format!(
                                "{} after {}",
                                packet.packet_type(),
                                format_duration(Duration::from_millis(
                                    (inbound.at - began).as_millis() as u64
                                ))
                            );
                            self.fail(Weight::Violation, &[], expected, observed, vec![inbound.event]);
                        } else {
                            self.record(expect, place, inbound.event, choice::since(began, inbound.at));
                            self.done();
                        }
                        return;
                    }
                    Some(found) => {
                        difference.get_or_insert((found, wanted));
                    }
                }
            }
            if let Some((difference, wanted)) = difference {
                // Where one field alone is wrong that has a statement of its own, the others are kept.
                let mut others = wanted.clone();
                others.fields.retain(|(field, _)| *field != difference.field);
                let alone = self.compare(&others, &packet, version).is_none();
                let own = if alone { own_statement(&difference, wanted, &packet, version) } else { None };
                self.fail(
                    Weight::Violation,
                    own.as_slice(),
                    difference.expected,
                    difference.observed,
                    vec![inbound.event],
                );
                return;
            }
        }
        if let Some(closed) = self.clients[client].closed {
            self.expect_at_end(client, expect, closed, began, history);
        } else if let Some(pong) = self.answer_to_fence(client, expect)
            && let StepState::Waiting(Some(limit)) = self.state
        {
            self.state = StepState::Waiting(Some(limit.min(pong.at + FENCE_GRACE)));
        }
    }

    /// The PINGRESP that shows that the broker goes on serving a connection that it has to close.
    fn answer_to_fence(&self, client: usize, expect: &ExpectPlan) -> Option<Inbound> {
        let inbox = self.clients[client].inbox.iter();
        inbox.copied().find(|it| expect.has_fence() && it.kind == Some(PacketType::Pingresp))
    }

    /// The places in the inbox at which the packets of a sequence stand, if they are all there.
    fn sequence(
        &self,
        client: usize,
        patterns: &[crate::scenario::PacketPattern],
        history: &History,
    ) -> Option<Vec<usize>> {
        let view = &self.clients[client];
        let mut taken = Vec::new();
        let mut from = 0;
        for wanted in patterns {
            let place = (from..view.inbox.len()).find(|at| {
                let inbound = view.inbox[*at];
                inbound.kind == Some(wanted.kind)
                    && view::resolved(&inbound, view.version, view, history)
                        .is_some_and(|packet| self.compare(wanted, &packet, view.version).is_none())
            })?;
            taken.push(place);
            from = place + 1;
        }
        Some(taken)
    }

    fn take(&mut self, client: usize, mut places: Vec<usize>) {
        places.sort_unstable();
        for at in places.into_iter().rev() {
            self.clients[client].inbox.remove(at);
        }
    }

    fn number(&self, value: &crate::scenario::Value) -> Option<u16> {
        match value {
            crate::scenario::Value::Number(number) => Some(*number as u16),
            crate::scenario::Value::Text(name) => self.remembered.get(name).copied(),
            _ => None,
        }
    }

    fn compare(
        &self,
        wanted: &crate::scenario::PacketPattern,
        packet: &Packet<'_>,
        version: ProtocolVersion,
    ) -> Option<pattern::Difference> {
        use crate::scenario::{Field, Pattern, Value};
        // A remembered name stands for its number.
        let named = wanted.fields.iter().any(|(field, pattern)| {
            *field == Field::PacketId
                && matches!(pattern, Pattern::OneOf(values) if values.iter().any(|value| matches!(value, Value::Text(_))))
        });
        if !named {
            return pattern::compare(wanted, packet, version);
        }
        let mut concrete = wanted.clone();
        for (field, pattern) in &mut concrete.fields {
            if let (Field::PacketId, Pattern::OneOf(values)) = (*field, pattern) {
                for value in values {
                    if let Value::Text(name) = value
                        && let Some(id) = self.remembered.get(name)
                    {
                        *value = Value::Number(u64::from(*id));
                    }
                }
            }
        }
        pattern::compare(&concrete, packet, version)
    }

    /// The connection is over while an expectation waits.
    fn expect_at_end(
        &mut self,
        client: usize,
        expect: &ExpectPlan,
        closed: view::End,
        began: Time,
        history: &History,
    ) {
        let closing = expect.alternatives.iter().enumerate().find_map(|(place, it)| match it {
            Alternative::Closed { reasons, return_codes, .. } => Some((place, reasons, return_codes)),
            _ => None,
        });
        let version = self.clients[client].version;
        let events = vec![closed.event];
        let Some((place, reasons, return_codes)) = closing else {
            let observed = self.clients[client].describe_end(history);
            let weight = if closed.by == EndedBy::Broker { Weight::Violation } else { Weight::Unanswered };
            let ids = self.without_form(expect, version);
            self.fail(weight, &ids, describe_alternatives(expect, self.plan.tolerance), observed, events);
            return;
        };
        if closed.by != EndedBy::Broker {
            let observed = self.clients[client].describe_end(history);
            self.fail(Weight::Unanswered, &[], "the broker closes the connection", observed, events);
            return;
        }
        if !expect.after.is_zero() && closed.at < began + expect.after {
            let expected = format!("the connection stays for {}", format_duration(expect.after));
            let observed = format!(
                "the broker closed it after {}",
                format_duration(Duration::from_millis((closed.at - began).as_millis() as u64))
            );
            self.fail(Weight::Violation, &[], expected, observed, events);
            return;
        }
        // A code that was sent before the close has to be one of the listed ones.
        let position = self.clients[client]
            .inbox
            .iter()
            .position(|it| matches!(it.kind, Some(PacketType::Disconnect | PacketType::Connack)));
        let mut said = None;
        if let Some(at) = position {
            let inbound = self.clients[client].inbox.remove(at);
            said = choice::code_of(history.bytes(inbound.bytes));
            let code = match view::resolved(&inbound, version, &self.clients[client], history) {
                Some(Packet::Disconnect(Disconnect { reason, .. })) => Some((reason, PacketType::Disconnect)),
                Some(Packet::Connack(connack)) => Some((connack.reason, PacketType::Connack)),
                _ => None,
            };
            if let Some((code, kind)) = code {
                let name = code.name(kind, version).unwrap_or("unknown");
                let observed = format!("{kind} {code} {name}, then the close");
                if version == ProtocolVersion::V5 {
                    // Which of the codes for errors fits is advice (U5-98), and where two things are wrong either may be
                    // named. Only where one code is demanded, as for a takeover, must it be that; and where the advice
                    // itself is judged.
                    let advice = self.plan.requirements.iter().any(|id| id == "U5-98");
                    let general = [ReasonCode::MALFORMED_PACKET, ReasonCode::PROTOCOL_ERROR];
                    if let Some(reasons) = reasons
                        && !reasons.contains(&code)
                        && !(!advice && code.is_error() && general.iter().any(|code| reasons.contains(code)))
                    {
                        let listed: Vec<String> = reasons.iter().map(|code| name_any(*code)).collect();
                        let expected =
                            format!("a close; if a code is sent before it, {}", listed.join(" or "));
                        self.fail(
                            Weight::Violation,
                            &[],
                            expected,
                            observed,
                            vec![inbound.event, closed.event],
                        );
                        return;
                    }
                    if kind == PacketType::Connack && !code.is_error() {
                        self.fail(
                            Weight::Violation,
                            &[],
                            "the broker refuses and closes",
                            observed,
                            vec![inbound.event, closed.event],
                        );
                        return;
                    }
                } else if kind == PacketType::Connack
                    && !return_codes.contains(&code)
                    && !CREDENTIALS.contains(&code.0)
                {
                    let expected = match return_codes.is_empty() {
                        true => "a close without CONNACK".to_string(),
                        false => format!(
                            "a close; if CONNACK is sent before it, with {}",
                            list_codes(return_codes)
                        ),
                    };
                    // It did notice and close: only what forbids the CONNACK is broken.
                    let silent = "MQTT-3.1.4-1";
                    let judged = self.plan.requirements.iter().any(|id| id == silent);
                    let ids: &[&str] = if judged && code.0 != 0 { &[silent] } else { &[] };
                    self.fail(Weight::Violation, ids, expected, observed, vec![inbound.event, closed.event]);
                    return;
                }
            }
        }
        self.record_close(expect, place, &closed, said, choice::since(began, closed.at));
        self.done();
    }

    // ---- whole exchanges ----

    fn exchange(&mut self, client: usize, act: &Act, history: &History) {
        let version = self.clients[client].version;
        let v5 = version == ProtocolVersion::V5;
        let view = &self.clients[client];
        match act {
            Act::Connect { session_present, .. } => {
                let Some(outcome) = view.connack else { return self.cut_short(client, act, history) };
                if outcome.reason.0 != 0 {
                    let name = outcome.reason.name(PacketType::Connack, version).unwrap_or("unknown");
                    let observed = format!("CONNACK {} {name}", outcome.reason);
                    self.fail(
                        Weight::Unanswered,
                        &[],
                        "CONNACK that accepts the connection",
                        observed,
                        vec![outcome.event],
                    );
                } else if let Some(wanted) = session_present
                    && *wanted != outcome.session_present
                    && version != ProtocolVersion::V3_1
                {
                    let expected = format!("Session Present {}", u8::from(*wanted));
                    let observed = format!("Session Present {}", u8::from(outcome.session_present));
                    self.fail(Weight::Violation, &[], expected, observed, vec![outcome.event]);
                } else {
                    self.done();
                }
            }
            Act::Open => {
                if view.is_open() {
                    self.done();
                } else {
                    self.cut_short(client, act, history);
                }
            }
            Act::Subscribe(_) | Act::Unsubscribe(_) => {
                let Some(answer) = &view.answer else { return self.cut_short(client, act, history) };
                let event = answer.event;
                let subscribe = matches!(act, Act::Subscribe(_));
                let short = answer.reasons.len() != answer.requested.len() && (subscribe || v5);
                if short {
                    let expected = format!("{} codes, one for each Topic Filter", answer.requested.len());
                    let observed = format!("{} codes", answer.reasons.len());
                    let ids: &[&str] = match (subscribe, v5) {
                        (true, true) => &["MQTT-3.8.4-6"],
                        (true, false) => &["MQTT-3.8.4-5"],
                        (false, _) => &["MQTT-3.10.4-4"],
                    };
                    self.fail(Weight::Violation, ids, expected, observed, vec![event]);
                    return;
                }
                let refused = answer.reasons.iter().find(|code| code.is_error()).copied();
                let lower = subscribe
                    && answer
                        .reasons
                        .iter()
                        .zip(&answer.requested)
                        .any(|(code, requested)| code.0 < *requested);
                if let Some(code) = refused {
                    let kind = if subscribe { PacketType::Suback } else { PacketType::Unsuback };
                    let name = code.name(kind, version).unwrap_or("unknown");
                    self.fail(
                        Weight::Unanswered,
                        &[],
                        format!("{kind} that grants"),
                        format!("{kind} {code} {name}"),
                        vec![event],
                    );
                } else if lower {
                    self.fail(
                        Weight::Unanswered,
                        &[],
                        "the QoS that was asked for",
                        "a lower QoS was granted",
                        vec![event],
                    );
                } else {
                    self.done();
                }
            }
            Act::Publish { wait, .. } => {
                if let Some((event, kind, code)) = view.refused {
                    let name = code.name(kind, version).unwrap_or("unknown");
                    self.fail(
                        Weight::Unanswered,
                        &[],
                        "the broker takes the message",
                        format!("{kind} {code} {name}"),
                        vec![event],
                    );
                } else if view.sent_in_step && (!wait || view.step_exchanges_are_over()) {
                    self.done();
                } else if !view.sent_in_step && !view.is_open() || view.closed.is_some() {
                    self.cut_short(client, act, history);
                }
            }
            Act::Complete => {
                if view.all_exchanges_are_over() {
                    self.done();
                } else {
                    self.cut_short(client, act, history);
                }
            }
            Act::Send { packet: Packet::Connect(_), .. } => {
                if view.connect_sent {
                    self.done();
                } else {
                    self.cut_short(client, act, history);
                }
            }
            Act::Ping => {
                if view.pong {
                    self.done();
                } else {
                    self.cut_short(client, act, history);
                }
            }
            _ => {}
        }
    }

    /// An exchange whose connection is over: with a scripted cut the step is done, otherwise it failed.
    fn cut_short(&mut self, client: usize, act: &Act, history: &History) {
        let Some(closed) = self.clients[client].closed else { return };
        match closed.by {
            EndedBy::Fault | EndedBy::Client => {
                let within = closed.by == EndedBy::Fault && !closed.before_step;
                if within || self.clients[client].sent_in_step {
                    self.done();
                } else if closed.before_step {
                    let observed = "the client is not connected";
                    self.fail(Weight::Harness, &[], "a connected client", observed, vec![closed.event]);
                } else if closed.by == EndedBy::Client {
                    let observed = "the client gave the connection up: a WebSocket frame was wrong";
                    self.fail(Weight::Unanswered, &[], describe_act(act), observed, vec![closed.event]);
                }
            }
            EndedBy::Network => {
                let observed = self.clients[client].describe_end(history);
                self.fail(Weight::Unanswered, &[], describe_act(act), observed, vec![closed.event]);
            }
            EndedBy::Broker => {
                let observed = self.clients[client].describe_end(history);
                let ids = self.owed(client, act);
                self.fail(Weight::Violation, &ids, describe_act(act), observed, vec![closed.event]);
            }
        }
    }

    /// The statements of the current step without those about the form of packets that are awaited: what did not come
    /// had no form. Empty if nothing is left out, or nothing would be left.
    fn without_form(&self, expect: &ExpectPlan, version: ProtocolVersion) -> Vec<&'p str> {
        let plan = self.plan;
        let kinds: BTreeSet<PacketType> = expect
            .alternatives
            .iter()
            .flat_map(|alternative| match alternative {
                Alternative::Packet(pattern) => vec![pattern.kind],
                Alternative::Sequence(patterns, _) => patterns.iter().map(|it| it.kind).collect(),
                Alternative::Closed { .. } | Alternative::Nothing(_) | Alternative::Open => Vec::new(),
            })
            .collect();
        let step = self.current.and_then(|(step, _)| plan.steps.get(step as usize));
        let judges = step.map(|step| &step.judges).filter(|judges| !judges.is_empty());
        let judges = judges.unwrap_or(&plan.requirements);
        let catalogue = Catalogue::of(version);
        let form = |id: &str| {
            let section = catalogue.get(id).map_or("", |requirement| requirement.section.as_str());
            kinds.iter().any(|kind| is_form_of(*kind, section))
        };
        let left: Vec<&str> = judges.iter().map(String::as_str).filter(|id| !form(id)).collect();
        if left.len() == judges.len() { Vec::new() } else { left }
    }

    /// The statements that owe the answer that an exchange waits for.
    fn owed(&self, client: usize, act: &Act) -> Vec<&'static str> {
        let view = &self.clients[client];
        let due = match act {
            Act::Publish { .. } | Act::Complete => view.due(),
            _ => BTreeSet::new(),
        };
        if due.is_empty() {
            return owing(act, view.version).to_vec();
        }
        let mut ids: Vec<&'static str> =
            due.iter().flat_map(|kind| acknowledging(*kind, view.version)).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    // ---- limits ----

    /// Whether a sequence that ends in `nothing` has been fulfilled; its packets are taken.
    fn sequence_then_nothing(
        &mut self,
        client: usize,
        expect: &ExpectPlan,
        began: Time,
        history: &History,
    ) -> bool {
        for (place, alternative) in expect.alternatives.iter().enumerate() {
            if let Alternative::Sequence(patterns, Some(of)) = alternative
                && let Some(taken) = self.sequence(client, patterns, history)
            {
                let surplus = self.clients[client].inbox.iter().enumerate().any(|(at, inbound)| {
                    !taken.contains(&at) && of.is_none_or(|of| inbound.kind == Some(of))
                });
                if !surplus {
                    self.record_sequence(expect, place, client, &taken, began);
                    self.take(client, taken);
                    return true;
                }
            }
        }
        false
    }

    fn limit(&mut self, step: u32, now: Time, sequence: u32, history: &History) {
        let plan = self.plan;
        let Some(plan_step) = plan.steps.get(step as usize) else { return };
        let began = self.current.map_or(now, |(_, began)| began);
        let waited = format_duration(Duration::from_millis((now - began).as_millis() as u64));
        match &plan_step.act {
            StepAct::Wait(_) => self.done(),
            StepAct::Client { client, act, .. } => match act {
                Act::Expect(expect) if self.sequence_then_nothing(*client, expect, began, history) => {
                    self.done()
                }
                Act::Expect(expect)
                    if expect
                        .alternatives
                        .iter()
                        .any(|it| matches!(it, Alternative::Nothing(_) | Alternative::Open)) =>
                {
                    self.record_absence(expect, sequence, choice::since(began, now));
                    self.done();
                }
                Act::Expect(expect) => {
                    let expected = describe_alternatives(expect, self.plan.tolerance);
                    let open = self.clients[*client].is_open();
                    let connected = open || self.clients[*client].closed.is_some();
                    let pong = self.answer_to_fence(*client, expect);
                    let observed = match (connected, pong) {
                        (false, _) => "the client is not connected".to_string(),
                        (true, Some(_)) => "the broker answered PINGREQ and left the connection open".into(),
                        (true, None)
                            if expect
                                .alternatives
                                .iter()
                                .any(|it| matches!(it, Alternative::Closed { .. })) =>
                        {
                            let said = self.clients[*client].inbox.last();
                            match said.and_then(|it| it.kind) {
                                Some(kind) => format!("{kind}, and the connection stays open for {waited}"),
                                None => format!("the connection stays open for {waited}"),
                            }
                        }
                        (true, None) => format!("nothing of the kind for {waited}"),
                    };
                    let weight = if connected { Weight::Violation } else { Weight::Harness };
                    let event = pong.map_or(sequence, |pong| pong.event);
                    let ids = self.without_form(expect, self.clients[*client].version);
                    self.fail(weight, &ids, expected, observed, vec![event]);
                }
                act => {
                    let ids = self.owed(*client, act);
                    // What came instead is a finding of its own.
                    let (weight, observed) = match self.clients[*client].unreadable {
                        true => (Weight::Unanswered, "an answer that is no packet".to_string()),
                        false => (Weight::Violation, format!("no answer for {waited}")),
                    };
                    self.fail(weight, &ids, describe_act(act), observed, vec![sequence]);
                }
            },
            _ => self.done(),
        }
    }

    // ---- verify ----

    /// Judges what `verify` demands, once the run has settled. Call it after the last fact.
    pub fn conclude(&mut self, history: &History) {
        if !self.settled || self.failed() {
            return;
        }
        self.current = None;
        self.record_counts(history);
        for demand in &self.plan.verify {
            let client = demand
                .to
                .iter()
                .map(|to| self.plan.clients[*to].name.as_str())
                .collect::<Vec<_>>()
                .join(" or ");
            let mut order: Vec<u32> = Vec::new();
            let any: &[String] = &[String::new()];
            let payloads = if demand.payloads.is_empty() { any } else { &demand.payloads[..] };
            for payload in payloads {
                let events: Vec<u32> = if demand.payloads.is_empty() {
                    demand
                        .to
                        .iter()
                        .flat_map(|to| &self.clients[*to].deliveries)
                        .filter(|it| it.is_on(demand.topic.as_deref(), history))
                        .map(|it| it.event)
                        .collect()
                } else {
                    self.arrivals(demand, payload, history).collect()
                };
                let count = events.len();
                let (right, expected) = match demand.verb {
                    VerifyVerb::ExactlyOnce => (count == 1, "arrives exactly once"),
                    VerifyVerb::AtLeastOnce => (count >= 1, "arrives at least once"),
                    VerifyVerb::AtMostOnce => (count <= 1, "arrives at most once"),
                    VerifyVerb::Never => (count == 0, "never arrives"),
                    VerifyVerb::InOrder => (count >= 1, "arrives, in order"),
                };
                order.extend(events.first());
                if !right {
                    let mut judges = demand.judges.clone();
                    if demand.verb == VerifyVerb::InOrder {
                        // What did not come is lost, and in no order.
                        if judges.is_empty() {
                            judges.clone_from(&self.plan.requirements);
                        }
                        judges.retain(|id| !id.starts_with("MQTT-4.6."));
                        if judges.is_empty() {
                            judges.push("MQTT-4.5.0-1".into());
                        }
                    }
                    let what = match (demand.payloads.is_empty(), &demand.topic) {
                        (false, _) => format!("\"{payload}\""),
                        (true, Some(topic)) => format!("a message on {topic}"),
                        (true, None) => "a message".to_string(),
                    };
                    let observed = match count {
                        0 => "it did not arrive".to_string(),
                        1 => "it arrived".to_string(),
                        _ => format!("it arrived {count} times"),
                    };
                    self.find(
                        Weight::Violation,
                        judges,
                        format!("{what} {expected} at {client}"),
                        observed,
                        events,
                    );
                }
            }
            if demand.verb == VerifyVerb::InOrder && order.windows(2).any(|pair| pair[0] > pair[1]) {
                self.find(
                    Weight::Violation,
                    demand.judges.clone(),
                    format!("the messages arrive in the order in which they were sent, at {client}"),
                    "the first deliveries are in another order",
                    order,
                );
            }
        }
    }
}

/// Whether a section is about the header or the contents of packets of this type, and not about what they do.
fn is_form_of(kind: PacketType, section: &str) -> bool {
    let number = section.split_whitespace().next().unwrap_or_default();
    let parts: Vec<u32> = number.split('.').map_while(|part| part.parse().ok()).collect();
    // What a PUBLISH holds says what becomes of the message; only DUP is about the packet alone.
    if kind == PacketType::Publish {
        return parts.starts_with(&[3, 3, 1, 1]);
    }
    matches!(parts[..], [3, chapter, 1..=3, ..] if chapter == kind as u32)
}

/// Return codes of 3.1.1 that speak of the credentials: they may be looked at before anything else, and code 4 is also
/// that of credentials whose data is malformed (3.2.2.3), so what else is wrong with a CONNECT need not show.
const CREDENTIALS: [u8; 2] = [4, 5];

/// The statements that owe an acknowledgement of this type.
fn acknowledging(due: PacketType, version: ProtocolVersion) -> &'static [&'static str] {
    match (due, version == ProtocolVersion::V5) {
        (PacketType::Puback, true) => &["MQTT-3.3.4-1", "MQTT-4.3.2-4"],
        (PacketType::Puback, false) => &["MQTT-3.3.4-1", "MQTT-4.3.2-2"],
        (PacketType::Pubrec, true) => &["MQTT-3.3.4-1", "MQTT-4.3.3-8"],
        (PacketType::Pubrec, false) => &["MQTT-3.3.4-1", "MQTT-4.3.3-2"],
        (_, true) => &["MQTT-4.3.3-11"],
        (_, false) => &["MQTT-4.3.3-2"],
    }
}

/// The statement that owes the answer to an exchange.
fn owing(act: &Act, version: ProtocolVersion) -> &'static [&'static str] {
    let v5 = version == ProtocolVersion::V5;
    match act {
        Act::Connect { .. } | Act::Open | Act::Send { .. } => {
            if v5 {
                &["MQTT-3.1.4-5"]
            } else {
                &["MQTT-3.1.4-4"]
            }
        }
        Act::Subscribe(_) => &["MQTT-3.8.4-1"],
        Act::Unsubscribe(_) => &["MQTT-3.10.4-4", "MQTT-3.10.4-5"],
        Act::Publish { .. } | Act::Complete => {
            if v5 {
                &["MQTT-3.3.4-1", "MQTT-4.3.2-4", "MQTT-4.3.3-8", "MQTT-4.3.3-11"]
            } else {
                &["MQTT-3.3.4-1", "MQTT-4.3.2-2", "MQTT-4.3.3-2"]
            }
        }
        Act::Ping => &["MQTT-3.12.4-1"],
        _ => &[],
    }
}

/// The statement that a wrong field of a PUBLISH breaks by itself, whatever the exchange around it is about.
fn own_statement(
    difference: &pattern::Difference,
    wanted: &crate::scenario::PacketPattern,
    packet: &Packet<'_>,
    version: ProtocolVersion,
) -> Option<&'static str> {
    use crate::scenario::{Field, Pattern, Value};
    let Packet::Publish(publish) = packet else { return None };
    let v5 = version == ProtocolVersion::V5;
    let pattern =
        wanted.fields.iter().find(|(field, _)| *field == difference.field).map(|(_, pattern)| pattern);
    match (difference.field, pattern) {
        (Field::Qos, Some(Pattern::OneOf(values))) => {
            let highest = values.iter().filter_map(|value| match value {
                Value::Number(number) => Some(*number),
                _ => None,
            });
            let granted = highest.max()?;
            (u64::from(publish.qos.number()) > granted).then_some(if v5 {
                "MQTT-3.8.4-8"
            } else {
                "MQTT-3.8.4-6"
            })
        }
        (Field::Dup, _) => Some(if publish.dup { "MQTT-3.3.1-3" } else { "MQTT-3.3.1-1" }),
        (Field::Property(PropertyId::MessageExpiryInterval), _) if v5 => Some("MQTT-3.3.2-6"),
        _ => None,
    }
}

fn describe_act(act: &Act) -> &'static str {
    match act {
        Act::Connect { .. } => "CONNACK that accepts the connection",
        Act::Open | Act::Send { .. } => "an open network connection",
        Act::Subscribe(_) => "SUBACK",
        Act::Unsubscribe(_) => "UNSUBACK",
        Act::Publish { .. } => "the acknowledgement of the message",
        Act::Complete => "the end of every QoS 1 and 2 exchange that the client began",
        Act::Ping => "PINGRESP",
        _ => "an answer",
    }
}

/// The limit is shown as the scenario has it, without the world's tolerance.
fn describe_alternatives(expect: &ExpectPlan, tolerance: Duration) -> String {
    let list: Vec<String> = expect
        .alternatives
        .iter()
        .map(|alternative| match alternative {
            Alternative::Packet(pattern) => match pattern.topic() {
                Some(topic) => format!("{} on {topic}", pattern.kind),
                None => pattern.kind.to_string(),
            },
            Alternative::Closed { .. } => "the broker closes the connection".into(),
            Alternative::Nothing(_) => "nothing".into(),
            Alternative::Open => "the connection stays open".into(),
            Alternative::Sequence(patterns, _) => {
                patterns.iter().map(|it| it.kind.to_string()).collect::<Vec<_>>().join(", then ")
            }
        })
        .collect();
    format!("{} within {}", list.join(" or "), format_duration(expect.within.saturating_sub(tolerance)))
}

fn name_any(code: ReasonCode) -> String {
    let name = ReasonCode::table().iter().find(|row| row.code == code).map_or("", |row| row.name);
    format!("{code} {name}")
}

fn list_codes(codes: &[ReasonCode]) -> String {
    codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

fn describe(inbound: &Inbound, view: &ClientView, history: &History, version: ProtocolVersion) -> String {
    match view::resolved(inbound, version, view, history) {
        Some(Packet::Publish(publish)) => {
            let payload = String::from_utf8_lossy(&publish.payload);
            let payload: String = payload.chars().take(40).collect();
            format!("PUBLISH on {} with \"{payload}\"", publish.topic)
        }
        Some(packet) => packet.packet_type().to_string(),
        None => "bytes that are no packet".into(),
    }
}
