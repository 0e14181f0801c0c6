//! The steps of a generated scenario.
//!
//! The script knows of every client what is certain: connected, not connected, or open. Only a client that is
//! certainly connected acts; only one that hears and is heard waits for an answer.

mod faults;

use std::collections::BTreeMap;
use std::time::Duration;

use reference_broker::codec::{PacketType, PropertyId, ProtocolVersion};

use crate::scenario::{
    Action, Capability, ClientAct, ClientSpec, Field, FieldValue, FilterSpec, LinkChange, LinkEnds, NEVER,
    PacketSpec, Scenario, Split, Step, Value,
};
use crate::text::NodeId;

use super::choices::Choices;
use super::dials::Dials;
use super::fields::{flag, number, text, value};

const NAMES: [&str; 5] = ["one", "two", "three", "four", "five"];

/// Few topics and many filters that overlap on them: what is rare in practice is frequent here.
const TOPICS: [&str; 6] = ["a", "a/b", "a/b/c", "b", "b/c", "a/c"];
const PLAIN: [&str; 5] = ["a/b", "a", "b", "a/b/c", "b/c"];
const WILD: [&str; 10] = ["a/b", "#", "a/#", "a/+", "+/b", "+/+/c", "a/b/#", "+", "b/c", "+/c"];
const SHARED_PLAIN: [&str; 2] = ["$share/g/a/b", "$share/h/a"];
const SHARED: [&str; 4] = ["$share/g/a/b", "$share/g/#", "$share/g/+/b", "$share/h/a/#"];

/// How long an exchange may take where a fault of the network delays it.
const DELAYED: Duration = Duration::from_secs(60);

/// How many exchanges a client begins without waiting: fewer than it may have in flight.
const UNAWAITED: u32 = 12;

/// A partition or a pause may last this long in all before nobody can tell whether connections outlived it.
const SAFE: u32 = 6;

/// What is certain about a client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Up,
    Down,
    Open,
}

#[derive(Debug)]
struct Who {
    version: ProtocolVersion,
    /// Clients of one group use one Client Identifier.
    group: usize,
    line: Line,
    to_broker: bool,
    to_client: bool,
    /// Seconds that a partition of it has lasted.
    apart: u32,
    reading: bool,
    /// A fault waits for a packet of it that may come at any time.
    armed: bool,
    keep_alive: u32,
    filters: Vec<String>,
    unawaited: u32,
}

impl Who {
    fn is_v5(&self) -> bool {
        self.version == ProtocolVersion::V5
    }

    /// Whether what it sends arrives and what answers it comes back.
    fn hears(&self) -> bool {
        self.reading && !self.to_broker && !self.to_client
    }
}

struct Script<'c, C> {
    choices: &'c mut C,
    dials: &'c Dials,
    who: Vec<Who>,
    steps: Vec<Step>,
    serial: u32,
    within: Option<Duration>,
}

/// Writes the steps.
pub(super) fn write<C: Choices>(choices: &mut C, dials: &Dials, name: String) -> Scenario {
    let features = &dials.features;
    let mut script = Script {
        choices,
        dials,
        who: Vec::new(),
        steps: Vec::with_capacity(96),
        serial: 0,
        within: (features.jitter || features.loss || features.slow).then_some(DELAYED),
    };
    let network = script.network();
    let clients = (0..dials.clients as usize).map(|at| script.client(at)).collect();
    for at in 0..script.who.len() {
        script.connect(at);
        if script.choices.chance(70) {
            script.subscribe(at);
        }
    }
    for _ in 0..dials.steps {
        if script.choices.is_exhausted() {
            break;
        }
        script.something();
    }
    script.heal_everything();
    Scenario {
        name,
        case: None,
        title: "What was drawn is served as the standard says".into(),
        why: None,
        requirements: BTreeMap::from([(dials.version, vec!["MQTT-4.5.0-1".into()])]),
        needs: needs(dials),
        worlds: None,
        config: Vec::new(),
        network,
        clients,
        steps: script.steps,
        verify: Vec::new(),
        own_names: false,
        records: Vec::new(),
    }
}

/// What a broker has to have for what is in play.
fn needs(dials: &Dials) -> Vec<Capability> {
    let features = &dials.features;
    [
        (dials.qos.contains(&1), Capability::Qos1),
        (dials.qos.contains(&2), Capability::Qos2),
        (features.retained, Capability::Retain),
        (features.wildcards, Capability::Wildcards),
        (features.shared, Capability::SharedSubscriptions),
        (features.identifiers, Capability::SubscriptionIdentifiers),
        (features.aliases, Capability::TopicAlias),
    ]
    .into_iter()
    .filter_map(|(is_used, capability)| is_used.then_some(capability))
    .collect()
}

impl<C: Choices> Script<'_, C> {
    fn push(&mut self, action: Action) {
        let at = NodeId::default();
        self.steps.push(Step { action, only: None, judges: Vec::new(), note: None, text: String::new(), at });
    }

    fn act(&mut self, client: usize, act: ClientAct) {
        let within = match act {
            ClientAct::Connect { .. }
            | ClientAct::Subscribe(_)
            | ClientAct::Unsubscribe(_)
            | ClientAct::Ping
            | ClientAct::Complete
            | ClientAct::Publish { wait: true, .. } => self.within,
            _ => None,
        };
        self.push(Action::Client { client, act, within, after: None, window: None });
    }

    fn wait(&mut self, seconds: u32) {
        for who in &mut self.who {
            if who.to_broker || who.to_client {
                who.apart += seconds;
                // A Keep Alive may have run out.
                if who.apart >= SAFE && who.line == Line::Up {
                    who.line = Line::Open;
                }
            }
        }
        self.push(Action::Wait(Duration::from_secs(seconds.into())));
    }

    // ---- before the steps ----

    /// The links at the start.
    fn network(&mut self) -> LinkChange {
        let mut change = LinkChange::default();
        let features = &self.dials.features;
        if features.jitter {
            change.latency = Some(Duration::from_millis(self.choices.range(1, 80).into()));
            change.jitter = Some(Duration::from_millis(self.choices.range(0, 40).into()));
        }
        if features.loss {
            // More, and in some scenario CONNECT would be lost so often that the broker gives the connection up.
            change.loss = Some(self.choices.range(1, 5) * 10);
        }
        // A packet in many pieces, each of which may be lost, takes longer than anybody waits.
        if features.split && !features.loss {
            change.split = Some(*self.choices.pick(&[Split::Boundaries, Split::Bytes, Split::Coalesced]));
        }
        if features.slow {
            change.rate = Some(u64::from(self.choices.range(1, 10)) * 1000);
            change.window = Some(u64::from(self.choices.range(1, 8)) * 128);
        }
        change
    }

    fn client(&mut self, at: usize) -> ClientSpec {
        let dials = self.dials;
        let features = &dials.features;
        let mut options = Vec::new();
        let mut version = dials.version;
        if features.mixed && self.choices.chance(50) {
            version = *self.choices.pick(&ProtocolVersion::ALL);
            options.push(text(Field::Protocol, version.name()));
        }
        let v5 = version == ProtocolVersion::V5;
        let mut group = at;
        if features.takeovers && at > 0 && self.choices.chance(50) {
            group = 0;
        }
        if features.takeovers && group == 0 {
            options.push(text(Field::ClientId, "shared"));
        }
        if features.persistent && self.choices.chance(70) {
            if v5 && self.choices.chance(40) {
                options.push(flag(Field::CleanStart, false));
                let expiry = *self.choices.pick(&[NEVER, 100, 5]);
                options.push(number(Field::Property(PropertyId::SessionExpiryInterval), expiry));
            } else {
                options.push(text(Field::Session, "persistent"));
            }
        }
        let mut keep_alive = 60;
        if features.silence && self.choices.chance(60) {
            keep_alive = 10;
            options.push(number(Field::KeepAlive, keep_alive));
        }
        if features.wills && self.choices.chance(60) {
            let will = self.will(at, v5);
            options.push(value(Field::Will, Value::Will(will)));
        }
        if v5 && features.windows && self.choices.chance(60) {
            let maximum = self.choices.range(1, 4);
            options.push(number(Field::Property(PropertyId::ReceiveMaximum), maximum));
        }
        if v5 && features.aliases && self.choices.chance(60) {
            let maximum = self.choices.range(1, 4);
            options.push(number(Field::Property(PropertyId::TopicAliasMaximum), maximum));
        }
        self.who.push(Who {
            version,
            group,
            line: Line::Down,
            to_broker: false,
            to_client: false,
            apart: 0,
            reading: true,
            armed: false,
            keep_alive,
            filters: Vec::new(),
            unawaited: 0,
        });
        ClientSpec { name: NAMES[at % NAMES.len()].into(), options }
    }

    fn will(&mut self, at: usize, v5: bool) -> Vec<FieldValue> {
        let topic = *self.choices.pick(&TOPICS);
        let mut will = vec![
            text(Field::Topic, topic),
            text(Field::Payload, format!("will of {}", NAMES[at % NAMES.len()])),
        ];
        let qos = *self.choices.pick(&self.dials.qos);
        if qos > 0 {
            will.push(number(Field::Qos, qos));
        }
        if self.dials.features.retained && self.choices.chance(40) {
            will.push(flag(Field::Retain, true));
        }
        if v5 && self.choices.chance(40) {
            will.push(number(Field::WillDelay, self.choices.range(1, 5)));
        }
        will
    }

    // ---- one step ----

    /// One thing that may happen now.
    fn something(&mut self) {
        let features = self.dials.features;
        let at = self.choices.below(self.who.len() as u32) as usize;
        let kind = self.choices.below(100);
        match kind {
            // Most of what happens is messages.
            0..50 => self.publish(at),
            50..58 => self.subscribe(at),
            58..62 if features.unsubscribes => self.unsubscribe(at),
            62..66 if features.reconnects => self.reconnect(at),
            66..71 if features.cuts => self.cut(at),
            71..77 if features.triggers => self.trigger(at),
            77..82 if features.partitions => self.partition(at),
            82..84 if features.silence => self.fall_silent(at),
            84..87 if features.slow_readers => self.stop_reading(at),
            87..89 if features.pauses => self.pause(),
            89..90 if features.kills => self.kill(),
            90..93 => {
                let seconds = *self.choices.pick(&[1, 2, 5]);
                self.wait(seconds);
            }
            93..94 if features.silence || features.expiry => self.wait(16),
            94..96 => self.heal(at),
            96..98 if self.who[at].line == Line::Up && self.who[at].hears() => self.act(at, ClientAct::Ping),
            _ => self.publish(at),
        }
    }

    /// Makes a client certainly connected, if that is possible now.
    fn up(&mut self, at: usize) -> bool {
        if self.who[at].line == Line::Up {
            return true;
        }
        self.connect(at)
    }

    fn connect(&mut self, at: usize) -> bool {
        let who = &self.who[at];
        if who.to_broker || who.to_client {
            return false;
        }
        let mut options = Vec::new();
        if self.dials.features.reconnects && self.choices.chance(15) {
            options.push(flag(Field::CleanStart, true));
        }
        self.act(at, ClientAct::Connect { options, session_present: None });
        let group = self.who[at].group;
        for other in &mut self.who {
            if other.group == group && other.line == Line::Up {
                other.line = Line::Open;
            }
        }
        let who = &mut self.who[at];
        who.line = if who.armed { Line::Open } else { Line::Up };
        who.reading = true;
        who.line == Line::Up
    }

    fn publish(&mut self, at: usize) {
        if !self.up(at) {
            return;
        }
        let features = self.dials.features;
        let topic = *self.choices.pick(&TOPICS);
        let qos = *self.choices.pick(&self.dials.qos);
        let mut fields = vec![text(Field::Topic, topic)];
        let mut count = 1;
        if features.bursts && self.choices.chance(50) {
            count = self.choices.range(2, 8);
        }
        let retain = features.retained && self.choices.chance(35);
        self.serial += 1;
        if retain && self.choices.chance(15) {
            // An empty retained message: the topic has none any more.
            count = 1;
        } else if features.large && self.choices.chance(20) {
            // The size tells it from others.
            count = 1;
            fields.push(number(Field::PayloadSize, 1000 + 7 * self.serial));
        } else if count > 1 {
            fields.push(text(Field::Payload, format!("m{}-{{n}}", self.serial)));
        } else {
            fields.push(text(Field::Payload, format!("m{}", self.serial)));
        }
        if qos > 0 {
            fields.push(number(Field::Qos, qos));
        }
        if retain {
            fields.push(flag(Field::Retain, true));
        }
        if self.who[at].is_v5() {
            self.message_properties(&mut fields);
        }
        let who = &self.who[at];
        let mut wait = who.hears();
        if wait
            && qos > 0
            && features.unawaited
            && who.unawaited + count <= UNAWAITED
            && self.choices.chance(40)
        {
            wait = false;
        }
        let who = &mut self.who[at];
        if !wait && qos > 0 {
            if who.unawaited + count > UNAWAITED {
                return;
            }
            who.unawaited += count;
        }
        let message = PacketSpec { kind: PacketType::Publish, fields };
        self.act(at, ClientAct::Publish { message, count, wait });
    }

    fn message_properties(&mut self, fields: &mut Vec<FieldValue>) {
        let features = &self.dials.features;
        if features.expiry && self.choices.chance(40) {
            let expiry = *self.choices.pick(&[100u32, 10, 3, 1]);
            fields.push(number(Field::Property(PropertyId::MessageExpiryInterval), expiry));
        }
        if features.aliases && self.choices.chance(40) {
            fields.push(number(Field::Property(PropertyId::TopicAlias), self.choices.range(1, 3)));
        }
        if features.properties && self.choices.chance(50) {
            match self.choices.below(5) {
                0 => fields.push(number(Field::Property(PropertyId::PayloadFormatIndicator), 1u32)),
                1 => fields.push(text(Field::Property(PropertyId::ContentType), "text/plain")),
                2 => fields.push(text(Field::Property(PropertyId::ResponseTopic), "answers/1")),
                3 => fields.push(text(Field::Property(PropertyId::CorrelationData), "question 7")),
                _ => {
                    let pairs = vec![("k".into(), "1".into()), ("k".into(), "2".into())];
                    fields.push(value(Field::Property(PropertyId::UserProperty), Value::Pairs(pairs)));
                }
            }
        }
    }

    fn subscribe(&mut self, at: usize) {
        if !self.up(at) || !self.who[at].hears() {
            return;
        }
        let features = self.dials.features;
        let v5 = self.who[at].is_v5();
        let mut filters: Vec<FilterSpec> = Vec::new();
        for _ in 0..self.choices.range(1, 2) {
            let shared = v5 && features.shared && self.choices.chance(45);
            let filter = match (shared, features.wildcards) {
                (true, true) => *self.choices.pick(&SHARED),
                (true, false) => *self.choices.pick(&SHARED_PLAIN),
                (false, true) => *self.choices.pick(&WILD),
                (false, false) => *self.choices.pick(&PLAIN),
            };
            if filters.iter().any(|it| it.filter == filter) {
                continue;
            }
            let qos = *self.choices.pick(&self.dials.qos);
            let mut options = vec![number(Field::Qos, qos)];
            if v5 && features.options && self.choices.chance(60) {
                match self.choices.below(3) {
                    0 if !shared => options.push(flag(Field::NoLocal, true)),
                    1 => options.push(flag(Field::RetainAsPublished, true)),
                    _ => options.push(number(Field::RetainHandling, self.choices.range(1, 2))),
                }
            }
            if !self.who[at].filters.iter().any(|it| it == filter) {
                self.who[at].filters.push(filter.into());
            }
            filters.push(FilterSpec { filter: filter.into(), options });
        }
        let mut fields = vec![value(Field::Filters, Value::Filters(filters))];
        if v5 && features.identifiers && self.choices.chance(60) {
            let id = self.choices.range(1, 5);
            fields.push(number(Field::Property(PropertyId::SubscriptionIdentifier), id));
        }
        self.act(at, ClientAct::Subscribe(PacketSpec { kind: PacketType::Subscribe, fields }));
    }

    fn unsubscribe(&mut self, at: usize) {
        if self.who[at].filters.is_empty() || !self.up(at) || !self.who[at].hears() {
            return;
        }
        let place = self.choices.below(self.who[at].filters.len() as u32) as usize;
        let filter = self.who[at].filters.remove(place);
        let filters = vec![FilterSpec { filter, options: Vec::new() }];
        let fields = vec![value(Field::Filters, Value::Filters(filters))];
        self.act(at, ClientAct::Unsubscribe(PacketSpec { kind: PacketType::Unsubscribe, fields }));
    }

    /// DISCONNECT, and sometimes at once a new connection.
    fn reconnect(&mut self, at: usize) {
        if !self.up(at) {
            return;
        }
        let mut fields = Vec::new();
        if self.who[at].is_v5() && self.choices.chance(30) {
            fields.push(number(Field::Reason, 0x04u32));
        }
        self.act(at, ClientAct::Disconnect(PacketSpec { kind: PacketType::Disconnect, fields }));
        self.who[at].line = Line::Down;
        self.come_back(at);
    }

    /// At once, or after a while in which a session may expire, or at another time.
    fn come_back(&mut self, at: usize) {
        if self.choices.chance(10) {
            self.wait(10);
        }
        if self.choices.chance(50) {
            self.connect(at);
        }
    }

    // ---- the end ----

    /// Every fault ends, every client is there again, every exchange that a client began has to end.
    fn heal_everything(&mut self) {
        let features = self.dials.features;
        self.push(Action::Heal(None));
        for at in 0..self.who.len() {
            let who = &mut self.who[at];
            if who.armed {
                who.line = Line::Open;
            }
            (who.to_broker, who.to_client, who.armed) = (false, false, false);
            if features.jitter || features.loss || features.slow || features.split {
                let ends = LinkEnds { client: at, to_broker: true, to_client: true };
                let change = LinkChange {
                    latency: Some(Duration::from_millis(1)),
                    jitter: Some(Duration::ZERO),
                    loss: Some(0),
                    split: Some(Split::AsWritten),
                    rate: Some(0),
                    window: Some(0),
                };
                self.push(Action::Link { ends, change });
            }
            if self.who[at].line == Line::Up && !self.who[at].reading {
                self.act(at, ClientAct::ReadAgain);
                self.who[at].reading = true;
            }
        }
        self.wait(1);
        for at in 0..self.who.len() {
            // Of those that share an identifier the last one stays.
            let last = (at + 1..self.who.len()).all(|other| self.who[other].group != self.who[at].group);
            if last && self.who[at].line != Line::Up {
                self.connect(at);
            }
        }
        for at in 0..self.who.len() {
            if self.who[at].line == Line::Up {
                self.act(at, ClientAct::Complete);
            }
        }
        self.wait(5);
    }
}
