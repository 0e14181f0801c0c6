//! A scenario made concrete for one protocol version: packets in place of fields, numbers in place of names.
//!
//! Never the case: anything left that can fail except the broker.

use std::borrow::Cow;
use std::cell::Cell;
use std::time::Duration;

use reference_broker::codec::{
    Ack, Auth, Connack, Connect, Disconnect, Packet, PacketType, Properties, PropertyId, PropertyType,
    PropertyValue, ProtocolVersion, Publish, QoS, ReasonCode, RetainHandling, Suback, Subscribe,
    Subscription, SubscriptionOptions, Unsuback, Unsubscribe, Will, return_code_name,
};
use reference_broker::transport::websocket::SUBPROTOCOL;

use crate::requirement::{RequirementId, choice};
use crate::text::NodeId;

use super::bytes::{ByteProblem, Names, assemble};
use super::choice::{ChoiceSpec, RecordSpec};
use super::field::{Field, FieldValue, FilterSpec, NEVER, Pattern, Value};
use super::{
    Action, BrokerAct, Capability, ClientAct, Cut, ExpectSpec, Framing, LinkChange, LinkEnds, PacketSpec,
    Scenario, Transport, Trigger, VerifyVerb, WebSocketPlace,
};

/// How a plan is fitted to its world.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// Added to every upper limit.
    pub tolerance: Duration,
    /// Put before every Topic Name and inside every Topic Filter, so that runs do not hear each other.
    pub topic_prefix: Option<String>,
    /// Client Identifiers that nobody else uses: this text and the number of the client.
    pub client_id_prefix: Option<String>,
    /// What upgrades to WebSocket ask for.
    pub websocket: WebSocketPlace,
}

/// Why a scenario cannot be made concrete in a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanProblem {
    /// Where in the file.
    pub at: NodeId,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// A Packet Identifier in a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PacketIdRef {
    /// This number.
    Number(u16),
    /// The identifier that an expectation remembered.
    Remembered(String),
}

/// A client of the plan.
#[derive(Debug, Clone)]
pub struct ClientPlan {
    /// Its name.
    pub name: String,
    /// Its protocol version.
    pub version: ProtocolVersion,
    /// The harness's own witness of the positive twin; no part of the scenario.
    pub twin: bool,
    /// Whether its Client Identifier is the broker's to assign.
    pub client_id: String,
    /// What carries its bytes.
    pub transport: Transport,
}

/// What a packet must look like.
#[derive(Debug, Clone, PartialEq)]
pub struct PacketPattern {
    /// Its type.
    pub kind: PacketType,
    /// Its fields; reason codes are numbers here.
    pub fields: Vec<(Field, Pattern)>,
    /// The name for its Packet Identifier.
    pub remember: Option<String>,
}

impl PacketPattern {
    /// The Packet Identifier by which an acknowledgement is picked from the inbox, if exactly one is wanted.
    pub fn acknowledged(&self) -> Option<&Value> {
        if self.kind == PacketType::Publish {
            return None;
        }
        self.fields.iter().find_map(|(field, pattern)| match (field, pattern) {
            (Field::PacketId, Pattern::OneOf(values)) if values.len() == 1 => values.first(),
            _ => None,
        })
    }

    /// The topic, if exactly one is wanted.
    pub fn topic(&self) -> Option<&str> {
        self.fields.iter().find_map(|(field, pattern)| match (field, pattern) {
            (Field::Topic, Pattern::OneOf(values)) => match &values[..] {
                [Value::Text(topic)] => Some(topic.as_str()),
                _ => None,
            },
            _ => None,
        })
    }
}

/// How long a broker is left alone before a fence asks whether it still serves the connection.
pub const FENCE_AFTER: Duration = Duration::from_millis(300);
/// How long a broker that answered the fence may still take to close.
pub const FENCE_GRACE: Duration = Duration::from_secs(1);

/// A legal alternative.
#[derive(Debug, Clone, PartialEq)]
pub enum Alternative {
    /// This packet.
    Packet(PacketPattern),
    /// The broker closes.
    Closed {
        /// The codes that a DISCONNECT or CONNACK before it may have; `None` for any legal one.
        reasons: Option<Vec<ReasonCode>>,
        /// The codes that a CONNACK of 3.1.1 before it may have.
        return_codes: Vec<ReasonCode>,
        /// Whether a PINGREQ, sent [`FENCE_AFTER`] the beginning of the step, shows that the broker goes on serving
        /// the connection; it then has [`FENCE_GRACE`] to close it all the same.
        fence: bool,
    },
    /// No packet, or none of this type.
    Nothing(Option<PacketType>),
    /// The connection stays open.
    Open,
    /// These packets one after the other; then, if it says so, no other packet, or none of that type, until the
    /// limit.
    Sequence(Vec<PacketPattern>, Option<Option<PacketType>>),
}

/// An expectation with its limits, counted from the beginning of its step.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectPlan {
    /// The legal alternatives.
    pub alternatives: Vec<Alternative>,
    /// The implementation choices that they show, by their places.
    pub choices: Vec<(usize, ChoiceSpec)>,
    /// Not later than this.
    pub within: Duration,
    /// Not earlier than this.
    pub after: Duration,
    /// For how long nothing may arrive, or the connection has to stay.
    pub window: Option<Duration>,
}

impl ExpectPlan {
    /// Whether a PINGREQ asks after a while if the broker still serves the connection.
    pub fn has_fence(&self) -> bool {
        self.alternatives.iter().any(|it| matches!(it, Alternative::Closed { fence: true, .. }))
    }
}

/// What a client does.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the language describes them")]
pub enum Act {
    Connect { connect: Box<Connect<'static>>, by_script: bool, session_present: Option<bool> },
    Open,
    Subscribe(Subscribe<'static>),
    Unsubscribe(Unsubscribe<'static>),
    Publish { message: Publish<'static>, count: u32, wait: bool },
    Ping,
    Disconnect(Disconnect<'static>),
    LoseConnection(Cut),
    FallSilent,
    StopReading,
    ReadAgain,
    Complete,
    Send { packet: Packet<'static>, packet_id: Option<PacketIdRef>, by_script: bool },
    SendBytes(Vec<u8>),
    SendText(Vec<u8>),
    Expect(ExpectPlan),
}

/// What happens in a step.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the language describes them")]
pub enum StepAct {
    Client { client: usize, act: Act, within: Duration },
    Wait(Duration),
    Partition(LinkEnds),
    Heal(Option<LinkEnds>),
    Link { ends: LinkEnds, change: LinkChange },
    Broker(BrokerAct),
    When(Trigger),
}

/// Whose step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// The scenario's.
    Scenario,
    /// The positive twin's: whether the broker serves a well-formed exchange at all.
    Twin,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanStep {
    /// What happens.
    pub act: StepAct,
    /// The statements that it judges.
    pub judges: Vec<RequirementId>,
    /// The step on one line.
    pub text: String,
    /// Where it stands in the file.
    pub at: NodeId,
    /// Whose step it is.
    pub duty: Duty,
    /// A remark for the reader of the timeline.
    pub note: Option<String>,
}

/// A verification of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifyPlan {
    /// How often.
    pub verb: VerifyVerb,
    /// Which payloads; empty for any.
    pub payloads: Vec<String>,
    /// On which topic, if that matters.
    pub topic: Option<String>,
    /// Which clients; several count together.
    pub to: Vec<usize>,
    /// The statements that it judges.
    pub judges: Vec<RequirementId>,
}

/// A scenario made concrete for one protocol version.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the scenario.
    pub scenario: String,
    /// Name of the case.
    pub case: Option<String>,
    /// A sentence that is true or false.
    pub title: String,
    /// The version under test.
    pub version: ProtocolVersion,
    /// The statements that it judges.
    pub requirements: Vec<RequirementId>,
    /// Capabilities without which it is skipped.
    pub needs: Vec<Capability>,
    /// Configuration of the reference broker.
    pub config: Vec<(String, String)>,
    /// The links at the start.
    pub network: LinkChange,
    /// The clients; the twin's, if there is one, is the last.
    pub clients: Vec<ClientPlan>,
    /// How many bytes its payloads and bytes by hand come to.
    pub bytes: u64,
    /// The steps.
    pub steps: Vec<PlanStep>,
    /// What is verified in the end.
    pub verify: Vec<VerifyPlan>,
    /// What is counted in the end and only recorded.
    pub records: Vec<RecordSpec>,
    /// Added to every upper limit of the world.
    pub tolerance: Duration,
    /// How it was fitted to its world.
    pub options: PlanOptions,
}

/// How long an answer may take if the step does not say it.
const DEFAULT_WITHIN: Duration = Duration::from_secs(5);
const DEFAULT_KEEP_ALIVE: u16 = 60;

impl Plan {
    /// Makes a scenario concrete.
    ///
    /// # Errors
    /// Everything about it that this version cannot express.
    pub fn new(
        scenario: &Scenario,
        version: ProtocolVersion,
        options: &PlanOptions,
    ) -> Result<Plan, Vec<PlanProblem>> {
        let requirements = scenario.requirements.get(&version).cloned().unwrap_or_default();
        let mut builder = Builder { version, options, problems: Vec::new(), bytes: Cell::new(0) };
        let mut clients: Vec<ClientPlan> = Vec::new();
        for (at, client) in scenario.clients.iter().enumerate() {
            let own = builder.client_version(&client.options);
            let client_id = match &options.client_id_prefix {
                Some(prefix) => format!("{prefix}{at}"),
                None => client.name.chars().filter(char::is_ascii_alphanumeric).collect(),
            };
            let transport = Transport::of(&client.options);
            clients.push(ClientPlan {
                name: client.name.clone(),
                version: own,
                twin: false,
                client_id,
                transport,
            });
        }
        let mut steps = Vec::new();
        for step in &scenario.steps {
            if step.only.is_some_and(|only| only != version) {
                continue;
            }
            if let Some(act) = builder.step(&step.action, scenario, &clients) {
                let judges = if step.judges.is_empty() { requirements.clone() } else { step.judges.clone() };
                steps.push(PlanStep {
                    act,
                    judges,
                    text: step.text.clone(),
                    at: step.at,
                    duty: Duty::Scenario,
                    note: step.note.clone(),
                });
            }
        }
        let mut verify = Vec::new();
        for demand in &scenario.verify {
            if demand.only.is_some_and(|only| only != version) {
                continue;
            }
            verify.push(VerifyPlan {
                verb: demand.verb,
                payloads: demand.payloads.clone(),
                topic: demand.topic.as_ref().map(|topic| builder.topic(topic)),
                to: demand.to.clone(),
                judges: if demand.judges.is_empty() { requirements.clone() } else { demand.judges.clone() },
            });
        }
        let mut records = Vec::new();
        for (record, only) in &scenario.records {
            if only.is_none_or(|only| only == version) {
                builder.choice(record.name, record.at);
                let topic = record.topic.as_ref().map(|topic| builder.topic(topic));
                records.push(RecordSpec { topic, ..record.clone() });
            }
        }
        if needs_twin(&steps, &verify) {
            builder.add_twin(&mut clients, &mut steps);
        }
        if builder.bytes.get() > MOST_BYTES {
            let at = scenario.steps.first().map(|step| step.at).unwrap_or_default();
            builder.problem(at, format!("the packets of this scenario come to more than {MOST_BYTES} bytes"));
        }
        if !builder.problems.is_empty() {
            return Err(builder.problems);
        }
        Ok(Plan {
            bytes: builder.bytes.get(),
            scenario: scenario.name.clone(),
            case: scenario.case.clone(),
            title: scenario.title.clone(),
            version,
            requirements,
            needs: scenario.needs.clone(),
            config: scenario.config.clone(),
            network: scenario.network,
            clients,
            steps,
            verify,
            records,
            tolerance: options.tolerance,
            options: options.clone(),
        })
    }

    /// Whether links lose packets or are slow, so that what is sent may arrive much later.
    pub fn is_delayed(&self) -> bool {
        let delays = |change: &LinkChange| {
            let above = |value: Option<u64>| value.is_some_and(|value| value > 0);
            change.loss.is_some_and(|loss| loss > 0)
                || above(change.rate)
                || above(change.window)
                || change.latency.is_some_and(|latency| latency >= Duration::from_secs(1))
        };
        delays(&self.network)
            || self.steps.iter().any(|step| match &step.act {
                StepAct::Link { change, .. } => delays(change),
                _ => false,
            })
    }

    /// Scenario and case, as reports show it.
    pub fn full_name(&self) -> String {
        match &self.case {
            Some(case) => format!("{}[{case}]", self.scenario),
            None => self.scenario.clone(),
        }
    }
}

/// Whether a scenario's topics cannot be moved below a prefix without changing what it is about, or
/// whether it disturbs its neighbours: in the live world it then runs alone.
pub fn unprefixable(scenario: &Scenario) -> bool {
    let special = |topic: &str| {
        let inner = share_parts(topic).map_or(topic, |(_, filter)| filter);
        let first = inner.split('/').next().unwrap_or_default();
        first.is_empty() || first == "+" || first == "#" || first.starts_with('$')
    };
    let names = |fields: &[FieldValue]| {
        fields.iter().any(|field| match (&field.field, &field.value) {
            (Field::Topic, Value::Text(topic)) => !topic.is_empty() && special(topic),
            (Field::Filters, Value::Filters(filters)) => filters.iter().any(|filter| special(&filter.filter)),
            (Field::Will, Value::Will(fields)) => {
                fields.iter().any(|field| matches!((&field.field, &field.value), (Field::Topic, Value::Text(topic)) if special(topic)))
            }
            (Field::ClientId, Value::Text(id)) => !id.is_empty(),
            _ => false,
        })
    };
    scenario.clients.iter().any(|client| names(&client.options))
        || scenario.steps.iter().any(|step| match &step.action {
            Action::Broker(_) => true,
            Action::Client { act, .. } => match act {
                ClientAct::SendBytes { .. } => !scenario.own_names,
                ClientAct::SendText { .. } => true,
                ClientAct::Connect { options, .. } => names(options),
                ClientAct::Subscribe(spec) | ClientAct::Unsubscribe(spec) | ClientAct::Send(spec) => {
                    names(&spec.fields)
                }
                ClientAct::Publish { message, .. } => names(&message.fields),
                _ => false,
            },
            _ => false,
        })
}

/// A negative expectation counts only beside its twin: the same broker serves what is well-formed.
fn needs_twin(steps: &[PlanStep], verify: &[VerifyPlan]) -> bool {
    let last_broker_act = steps.iter().rev().find_map(|step| match step.act {
        StepAct::Broker(act) => Some(act),
        _ => None,
    });
    if matches!(last_broker_act, Some(BrokerAct::Kill | BrokerAct::PowerLoss | BrokerAct::Pause)) {
        return false;
    }
    verify.iter().any(|demand| matches!(demand.verb, VerifyVerb::Never | VerifyVerb::AtMostOnce))
        || steps.iter().any(|step| match &step.act {
            StepAct::Client { act: Act::Expect(expect), .. } => expect
                .alternatives
                .iter()
                .any(|it| !matches!(it, Alternative::Packet(_) | Alternative::Sequence(..))),
            _ => false,
        })
}

/// Share name and filter of `$share/name/filter`.
fn share_parts(filter: &str) -> Option<(&str, &str)> {
    filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'))
}

/// How many bytes the payloads and the bytes by hand of one scenario may come to.
const MOST_BYTES: u64 = 512 << 20;

struct Builder<'o> {
    version: ProtocolVersion,
    options: &'o PlanOptions,
    problems: Vec<PlanProblem>,
    /// Bytes that have been made so far.
    bytes: Cell<u64>,
}

impl Builder<'_> {
    /// A payload of a size, unless that would be too many bytes in all.
    fn filler(&self, size: u64) -> Vec<u8> {
        if self.takes(size) { filler(size) } else { Vec::new() }
    }

    /// Counts bytes that are made; answers whether they are not too many.
    fn takes(&self, count: u64) -> bool {
        self.bytes.set(self.bytes.get().saturating_add(count));
        self.bytes.get() <= MOST_BYTES
    }

    /// The bytes of a step that writes them by hand.
    fn assembled(
        &self,
        text: &str,
        version: ProtocolVersion,
        client_id: &str,
    ) -> Result<Vec<u8>, ByteProblem> {
        let names = Names { topic_prefix: self.options.topic_prefix.as_deref(), client_id };
        // Too many already, which is said once for the scenario.
        if self.bytes.get() > MOST_BYTES {
            return Ok(Vec::new());
        }
        let bytes = assemble(text, version, names)?;
        self.takes(bytes.len() as u64);
        Ok(bytes)
    }

    fn problem(&mut self, at: NodeId, message: String) {
        self.problems.push(PlanProblem { at, message, help: None });
    }

    fn client_version(&self, options: &[FieldValue]) -> ProtocolVersion {
        options
            .iter()
            .rev()
            .find_map(|field| match (&field.field, &field.value) {
                (Field::Protocol, Value::Text(name)) => ProtocolVersion::from_name(name),
                _ => None,
            })
            .unwrap_or(self.version)
    }

    fn topic(&self, topic: &str) -> String {
        match &self.options.topic_prefix {
            Some(prefix) if !topic.is_empty() => format!("{prefix}/{topic}"),
            _ => topic.to_string(),
        }
    }

    fn filter(&self, filter: &str) -> String {
        match (&self.options.topic_prefix, share_parts(filter)) {
            (None, _) => filter.to_string(),
            (Some(prefix), Some((name, inner))) => format!("$share/{name}/{prefix}/{inner}"),
            (Some(prefix), None) => {
                if filter.is_empty() {
                    String::new()
                } else {
                    format!("{prefix}/{filter}")
                }
            }
        }
    }

    fn step(&mut self, action: &Action, scenario: &Scenario, clients: &[ClientPlan]) -> Option<StepAct> {
        Some(match action {
            Action::Client { client, act, within, after, window } => {
                let version = clients[*client].version;
                let within = within.unwrap_or(DEFAULT_WITHIN) + self.options.tolerance;
                let act = match act {
                    ClientAct::Connect { options, session_present } => {
                        self.whole_client(options);
                        let mut all = scenario.clients[*client].options.clone();
                        all.extend(options.iter().cloned());
                        Act::Connect {
                            connect: Box::new(self.connect(&all, &clients[*client])),
                            by_script: by_script(&all),
                            session_present: *session_present,
                        }
                    }
                    ClientAct::Open => Act::Open,
                    ClientAct::Subscribe(spec) => match self.packet(spec, version) {
                        Packet::Subscribe(subscribe) => Act::Subscribe(subscribe),
                        _ => return None,
                    },
                    ClientAct::Unsubscribe(spec) => match self.packet(spec, version) {
                        Packet::Unsubscribe(unsubscribe) => Act::Unsubscribe(unsubscribe),
                        _ => return None,
                    },
                    ClientAct::Publish { message, count, wait } => match self.packet(message, version) {
                        Packet::Publish(message) => Act::Publish { message, count: *count, wait: *wait },
                        _ => return None,
                    },
                    ClientAct::Ping => Act::Ping,
                    ClientAct::Disconnect(spec) => match self.packet(spec, version) {
                        Packet::Disconnect(disconnect) => Act::Disconnect(disconnect),
                        _ => return None,
                    },
                    ClientAct::LoseConnection(cut) => Act::LoseConnection(*cut),
                    ClientAct::FallSilent => Act::FallSilent,
                    ClientAct::StopReading => Act::StopReading,
                    ClientAct::ReadAgain => Act::ReadAgain,
                    ClientAct::Complete => Act::Complete,
                    ClientAct::Send(spec) if spec.kind == PacketType::Connect => {
                        self.whole_client(&spec.fields);
                        let mut all = scenario.clients[*client].options.clone();
                        all.extend(spec.fields.iter().cloned());
                        let connect = self.connect(&all, &clients[*client]);
                        Act::Send {
                            packet: Packet::Connect(Box::new(connect)),
                            packet_id: None,
                            by_script: by_script(&all),
                        }
                    }
                    ClientAct::Send(spec) => {
                        let packet_id =
                            spec.fields.iter().rev().find_map(|field| match (&field.field, &field.value) {
                                (Field::PacketId, Value::Number(id)) => Some(PacketIdRef::Number(*id as u16)),
                                (Field::PacketId, Value::Text(name)) => {
                                    Some(PacketIdRef::Remembered(name.clone()))
                                }
                                _ => None,
                            });
                        Act::Send { packet: self.packet(spec, version), packet_id, by_script: false }
                    }
                    ClientAct::SendBytes { text, at } => {
                        match self.assembled(text, version, &clients[*client].client_id) {
                            Ok(bytes) => Act::SendBytes(bytes),
                            Err(problem) => {
                                self.problem(*at, problem.to_string());
                                return None;
                            }
                        }
                    }
                    ClientAct::SendText { text, at } => {
                        let bytes = self
                            .assembled(text, version, &clients[*client].client_id)
                            .map_err(|problem| problem.to_string());
                        let problem = match bytes {
                            Ok(_) if !clients[*client].transport.is_websocket() => {
                                "`send_text` is for a client with `transport: websocket`".to_string()
                            }
                            // Ill-formed text would be refused for that.
                            Ok(bytes) if std::str::from_utf8(&bytes).is_err() => {
                                "a text frame holds UTF-8, and these bytes are not".to_string()
                            }
                            Ok(bytes) => return Some(client_act(*client, Act::SendText(bytes), within)),
                            Err(problem) => problem,
                        };
                        self.problem(*at, problem);
                        return None;
                    }
                    ClientAct::Expect { alternatives, choices } => {
                        for (_, choice) in choices {
                            self.choice(choice.name, choice.at);
                        }
                        Act::Expect(ExpectPlan {
                            alternatives: alternatives
                                .iter()
                                .filter_map(|spec| self.alternative(spec, version))
                                .collect(),
                            choices: choices.clone(),
                            within,
                            after: after.unwrap_or_default(),
                            window: *window,
                        })
                    }
                };
                StepAct::Client { client: *client, act, within }
            }
            Action::Wait(duration) => StepAct::Wait(*duration),
            Action::Partition(ends) => StepAct::Partition(*ends),
            Action::Heal(ends) => StepAct::Heal(*ends),
            Action::Link { ends, change } => StepAct::Link { ends: *ends, change: *change },
            Action::Broker(act) => StepAct::Broker(*act),
            Action::When(trigger) => StepAct::When(*trigger),
        })
    }

    fn add_twin(&mut self, clients: &mut Vec<ClientPlan>, steps: &mut Vec<PlanStep>) {
        let client = clients.len();
        let client_id = match &self.options.client_id_prefix {
            Some(prefix) => format!("{prefix}{client}"),
            None => "assaytwin".to_string(),
        };
        // Its way to the broker is that of the others: what is refused to all is refused to it.
        let websocket = clients.iter().any(|client| client.transport.is_websocket());
        let transport = if websocket {
            Transport::WebSocket { framing: Framing::default(), offered: vec![SUBPROTOCOL.into()] }
        } else {
            Transport::Tcp
        };
        let plan =
            ClientPlan { name: "twin".into(), version: self.version, twin: true, client_id, transport };
        let topic = self.topic("assay/twin");
        let connect = self.connect(&[], &plan);
        let options = SubscriptionOptions::default();
        let publish = Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic: Cow::Owned(topic.clone()),
            packet_id: None,
            properties: Properties::new(),
            payload: Cow::Borrowed(b"twin"),
        };
        let within = DEFAULT_WITHIN + self.options.tolerance;
        let pattern = PacketPattern {
            kind: PacketType::Publish,
            fields: vec![(Field::Topic, Pattern::OneOf(vec![Value::Text(topic.clone())]))],
            remember: None,
        };
        let acts = [
            ("connect", Act::Connect { connect: Box::new(connect), by_script: false, session_present: None }),
            (
                "subscribe",
                Act::Subscribe(Subscribe {
                    packet_id: 0,
                    properties: Properties::new(),
                    subscriptions: vec![Subscription { filter: Cow::Owned(topic), options }],
                }),
            ),
            ("publish", Act::Publish { message: publish, count: 1, wait: true }),
            (
                "expect PUBLISH",
                Act::Expect(ExpectPlan {
                    alternatives: vec![Alternative::Packet(pattern)],
                    choices: Vec::new(),
                    within,
                    after: Duration::ZERO,
                    window: None,
                }),
            ),
        ];
        for (text, act) in acts {
            steps.push(PlanStep {
                act: StepAct::Client { client, act, within },
                judges: Vec::new(),
                text: format!("(twin) {text}"),
                at: NodeId::default(),
                duty: Duty::Twin,
                note: None,
            });
        }
        clients.push(plan);
    }

    /// Refuses a choice that a broker does not have in this version.
    fn choice(&mut self, name: &str, at: NodeId) {
        if let Some((ruling, _)) = choice(name)
            && !ruling.is_about(self.version)
        {
            let message = format!("`{name}` is no choice in {}", self.version);
            let help = Some(format!("{} is about {} only", ruling.id, ruling.versions.join(" and ")));
            self.problems.push(PlanProblem { at, message, help });
        }
    }

    /// Refuses options of one connection that belong to the client as a whole.
    fn whole_client(&mut self, options: &[FieldValue]) {
        if let Some(field) = Transport::misplaced(options) {
            let message = format!("`{}` belongs to the client and cannot change", field.field.name());
            self.problem(field.at, message);
        }
    }

    /// Refuses a field that only 5.0 has in an older version.
    fn since_v5(&mut self, field: &FieldValue, version: ProtocolVersion) -> bool {
        let v5 = super::FIELDS.iter().find(|row| row.field == field.field).is_some_and(|row| row.v5);
        if v5 && version != ProtocolVersion::V5 {
            self.problems.push(PlanProblem {
                at: field.at,
                message: format!(
                    "`{}` exists in 5.0 only, and this runs in {version} too",
                    field.field.name()
                ),
                help: Some("give the step `only: v5`, or the scenario no requirements of 3.1.1".into()),
            });
            return false;
        }
        true
    }

    fn push_property(properties: &mut Properties<'static>, id: PropertyId, value: &Value) {
        match value {
            Value::Flag(flag) => properties.push_number(id, u32::from(*flag)),
            Value::Number(number) => properties.push_number(id, *number as u32),
            Value::Text(text) if id.row().kind == PropertyType::BinaryData => {
                properties.push(id, PropertyValue::Binary(text.as_bytes()));
            }
            Value::Text(text) => properties.push(id, PropertyValue::Text(text)),
            Value::Pairs(pairs) => {
                for (name, value) in pairs {
                    properties.push(id, PropertyValue::Pair(name, value));
                }
            }
            Value::List(values) => {
                for value in values {
                    Self::push_property(properties, id, value);
                }
            }
            _ => {}
        }
    }

    fn connect(&mut self, fields: &[FieldValue], client: &ClientPlan) -> Connect<'static> {
        let version = self.client_version(fields);
        let version = if version == self.version { client.version } else { version };
        let mut connect = Connect {
            version,
            clean_start: true,
            keep_alive: DEFAULT_KEEP_ALIVE,
            properties: Properties::new(),
            client_id: Cow::Owned(client.client_id.clone()),
            will: None,
            user_name: None,
            password: None,
        };
        let last = |wanted: Field| fields.iter().rev().find(|field| field.field == wanted);
        let mut expiry = None;
        if let Some(Value::Text(session)) = last(Field::Session).map(|field| &field.value)
            && session == "persistent"
        {
            connect.clean_start = false;
            expiry = Some(NEVER);
        }
        let mut done: Vec<Field> = Vec::new();
        for field in fields.iter().rev() {
            if done.contains(&field.field) || !self.since_v5(field, version) {
                continue;
            }
            done.push(field.field);
            match (field.field, &field.value) {
                (Field::CleanStart, Value::Flag(flag)) => connect.clean_start = *flag,
                (Field::KeepAlive, Value::Number(seconds)) => {
                    connect.keep_alive = u16::try_from(*seconds).unwrap_or(u16::MAX);
                }
                (Field::ClientId, Value::Text(id)) => connect.client_id = Cow::Owned(id.clone()),
                (Field::UserName, Value::Text(name)) => connect.user_name = Some(Cow::Owned(name.clone())),
                (Field::Password, Value::Text(word)) => {
                    connect.password = Some(Cow::Owned(word.clone().into_bytes()))
                }
                (Field::Will, Value::Will(fields)) => connect.will = Some(self.will(fields, version)),
                (Field::Property(PropertyId::SessionExpiryInterval), Value::Number(seconds)) => {
                    expiry = Some(*seconds)
                }
                (Field::Property(id), value) => Self::push_property(&mut connect.properties, id, value),
                _ => {}
            }
        }
        if let Some(expiry) = expiry
            && version == ProtocolVersion::V5
        {
            connect.properties.push_number(PropertyId::SessionExpiryInterval, expiry as u32);
        }
        connect
    }

    fn will(&mut self, fields: &[FieldValue], version: ProtocolVersion) -> Will<'static> {
        let mut will = Will {
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Properties::new(),
            topic: Cow::Borrowed(""),
            payload: Cow::Borrowed(b""),
        };
        for field in fields {
            if !self.since_v5(field, version) {
                continue;
            }
            match (field.field, &field.value) {
                (Field::Qos, Value::Number(qos)) => {
                    will.qos = QoS::from_number(*qos as u8).unwrap_or_default()
                }
                (Field::Retain, Value::Flag(retain)) => will.retain = *retain,
                (Field::Topic, Value::Text(topic)) => will.topic = Cow::Owned(self.topic(topic)),
                (Field::Payload, Value::Text(payload)) => {
                    will.payload = Cow::Owned(payload.clone().into_bytes())
                }
                (Field::PayloadSize, Value::Number(size)) => will.payload = Cow::Owned(self.filler(*size)),
                (Field::WillDelay, Value::Number(delay)) => {
                    will.properties.push_number(PropertyId::WillDelayInterval, *delay as u32);
                }
                (Field::Property(id), value) => Self::push_property(&mut will.properties, id, value),
                _ => {}
            }
        }
        will
    }

    fn options(
        &mut self,
        fields: &[FieldValue],
        options: &mut SubscriptionOptions,
        version: ProtocolVersion,
    ) {
        for field in fields {
            if !self.since_v5(field, version) {
                continue;
            }
            match (field.field, &field.value) {
                (Field::Qos, Value::Number(qos)) => {
                    options.qos = QoS::from_number(*qos as u8).unwrap_or_default()
                }
                (Field::NoLocal, Value::Flag(flag)) => options.no_local = *flag,
                (Field::RetainAsPublished, Value::Flag(flag)) => options.retain_as_published = *flag,
                (Field::RetainHandling, Value::Number(handling)) => {
                    options.retain_handling =
                        RetainHandling::from_number(*handling as u8).unwrap_or_default();
                }
                _ => {}
            }
        }
    }

    fn packet(&mut self, spec: &PacketSpec, version: ProtocolVersion) -> Packet<'static> {
        let mut properties = Properties::new();
        let mut reason = ReasonCode::SUCCESS;
        let mut reasons = Vec::new();
        let mut packet_id = None;
        let mut qos = QoS::AtMostOnce;
        let (mut dup, mut retain, mut session_present) = (false, false, false);
        let mut topic = String::new();
        let mut payload = Vec::new();
        let mut filters: &[FilterSpec] = &[];
        for field in &spec.fields {
            if !self.since_v5(field, version) {
                continue;
            }
            match (field.field, &field.value) {
                (Field::Qos, Value::Number(number)) => {
                    qos = QoS::from_number(*number as u8).unwrap_or_default()
                }
                (Field::Dup, Value::Flag(flag)) => dup = *flag,
                (Field::Retain, Value::Flag(flag)) => retain = *flag,
                (Field::SessionPresent, Value::Flag(flag)) => session_present = *flag,
                (Field::Topic, Value::Text(text)) => topic = self.topic(text),
                (Field::Payload, Value::Text(text)) => payload = text.clone().into_bytes(),
                (Field::PayloadSize, Value::Number(size)) => payload = self.filler(*size),
                (Field::PacketId, Value::Number(id)) => packet_id = Some(*id as u16),
                (Field::PacketId, Value::Text(_)) => packet_id = Some(0),
                (Field::Filters, Value::Filters(list)) => filters = list,
                (Field::Reason, value) => {
                    reason = self.reason(value, spec.kind, version, field.at).unwrap_or_default()
                }
                (Field::Reasons, Value::List(list)) => {
                    reasons = list
                        .iter()
                        .filter_map(|value| self.reason(value, spec.kind, version, field.at))
                        .collect();
                }
                (Field::Property(id), value) => Self::push_property(&mut properties, id, value),
                _ => {}
            }
        }
        let id = packet_id.unwrap_or_default();
        let ack = || Ack { packet_id: id, reason, properties: properties.clone() };
        match spec.kind {
            PacketType::Connect | PacketType::Pingreq => Packet::Pingreq,
            PacketType::Connack => Packet::Connack(Connack { session_present, reason, properties }),
            PacketType::Publish => Packet::Publish(Publish {
                dup,
                qos,
                retain,
                topic: Cow::Owned(topic),
                packet_id,
                properties,
                payload: Cow::Owned(payload),
            }),
            PacketType::Puback => Packet::Puback(ack()),
            PacketType::Pubrec => Packet::Pubrec(ack()),
            PacketType::Pubrel => Packet::Pubrel(ack()),
            PacketType::Pubcomp => Packet::Pubcomp(ack()),
            PacketType::Subscribe => {
                let shared: Vec<FieldValue> = spec
                    .fields
                    .iter()
                    .filter(|field| !matches!(field.field, Field::Filters))
                    .cloned()
                    .collect();
                let subscriptions = filters
                    .iter()
                    .map(|filter| {
                        let mut options =
                            SubscriptionOptions { qos: QoS::ExactlyOnce, ..SubscriptionOptions::default() };
                        self.options(&shared, &mut options, version);
                        self.options(&filter.options, &mut options, version);
                        Subscription { filter: Cow::Owned(self.filter(&filter.filter)), options }
                    })
                    .collect();
                Packet::Subscribe(Subscribe { packet_id: id, properties, subscriptions })
            }
            PacketType::Suback => Packet::Suback(Suback { packet_id: id, properties, reasons }),
            PacketType::Unsubscribe => Packet::Unsubscribe(Unsubscribe {
                packet_id: id,
                properties,
                filters: filters.iter().map(|filter| Cow::Owned(self.filter(&filter.filter))).collect(),
            }),
            PacketType::Unsuback => Packet::Unsuback(Unsuback { packet_id: id, properties, reasons }),
            PacketType::Pingresp => Packet::Pingresp,
            PacketType::Disconnect => Packet::Disconnect(Disconnect { reason, properties }),
            PacketType::Auth => Packet::Auth(Auth { reason, properties }),
        }
    }

    fn reason(
        &mut self,
        value: &Value,
        kind: PacketType,
        version: ProtocolVersion,
        at: NodeId,
    ) -> Option<ReasonCode> {
        match value {
            Value::Number(code) => Some(ReasonCode(*code as u8)),
            Value::ReasonName(name) => {
                let found = if version == ProtocolVersion::V5 {
                    ReasonCode::table()
                        .iter()
                        .find(|row| {
                            row.name.eq_ignore_ascii_case(name)
                                && row.packets.iter().any(|(it, _)| *it == kind)
                        })
                        .map(|row| row.code)
                } else {
                    (0..=0x80).map(ReasonCode).find(|code| {
                        return_code_name(kind, *code).is_some_and(|it| it.eq_ignore_ascii_case(name))
                            || (code.0 == 0 && name.eq_ignore_ascii_case("Success"))
                    })
                };
                if found.is_none() {
                    self.problem(at, format!("{kind} of {version} has no code `{name}`"));
                }
                found
            }
            _ => None,
        }
    }

    fn alternative(&mut self, spec: &ExpectSpec, version: ProtocolVersion) -> Option<Alternative> {
        Some(match spec {
            ExpectSpec::Nothing { of } => Alternative::Nothing(*of),
            ExpectSpec::Open => Alternative::Open,
            ExpectSpec::Sequence(specs) => {
                let alternatives: Vec<_> =
                    specs.iter().filter_map(|spec| self.alternative(spec, version)).collect();
                let nothing = match alternatives.last() {
                    Some(Alternative::Nothing(of)) => Some(*of),
                    _ => None,
                };
                let patterns = alternatives
                    .into_iter()
                    .filter_map(|it| match it {
                        Alternative::Packet(pattern) => Some(pattern),
                        _ => None,
                    })
                    .collect();
                Alternative::Sequence(patterns, nothing)
            }
            ExpectSpec::Closed { reason_if_sent, return_code_if_sent, fence } => {
                let reasons = match reason_if_sent {
                    Some(list) if version == ProtocolVersion::V5 => {
                        Some(list.iter().filter_map(|value| self.any_reason(value)).collect())
                    }
                    _ => None,
                };
                let return_codes = if version == ProtocolVersion::V5 {
                    Vec::new()
                } else {
                    return_code_if_sent
                        .iter()
                        .filter_map(|value| {
                            self.reason(value, PacketType::Connack, version, NodeId::default())
                        })
                        .collect()
                };
                Alternative::Closed { reasons, return_codes, fence: *fence }
            }
            ExpectSpec::Packet { kind, fields, remember } => {
                let mut patterns = Vec::new();
                for field in fields {
                    let probe = FieldValue { field: field.field, value: Value::Nothing, at: field.at };
                    if !self.since_v5(&probe, version) {
                        continue;
                    }
                    let coded = matches!(field.field, Field::Reason | Field::Reasons);
                    let has_codes = version == ProtocolVersion::V5
                        || matches!(kind, PacketType::Connack | PacketType::Suback);
                    // What has no code succeeds by being sent.
                    let success = |value: &Value| match value {
                        Value::Number(code) => *code == 0,
                        Value::ReasonName(name) => name == "Success",
                        _ => false,
                    };
                    if coded
                        && !has_codes
                        && matches!(&field.pattern, Pattern::OneOf(values) if values.iter().any(success))
                    {
                        continue;
                    }
                    if coded && !has_codes {
                        self.problem(
                            field.at,
                            format!("{kind} of {version} has no codes; give the step `only: v5`"),
                        );
                        continue;
                    }
                    let pattern = match &field.pattern {
                        Pattern::OneOf(values) => {
                            Pattern::OneOf(self.concrete(values, field.field, *kind, version, field.at))
                        }
                        Pattern::Each(lists) => Pattern::Each(
                            lists
                                .iter()
                                .map(|values| self.concrete(values, field.field, *kind, version, field.at))
                                .collect(),
                        ),
                        other => other.clone(),
                    };
                    patterns.push((field.field, pattern));
                }
                Alternative::Packet(PacketPattern {
                    kind: *kind,
                    fields: patterns,
                    remember: remember.clone(),
                })
            }
        })
    }

    /// A code of CONNACK or DISCONNECT by name.
    fn any_reason(&self, value: &Value) -> Option<ReasonCode> {
        match value {
            Value::Number(code) => Some(ReasonCode(*code as u8)),
            Value::ReasonName(name) => ReasonCode::from_name(name),
            _ => None,
        }
    }

    fn concrete(
        &mut self,
        values: &[Value],
        field: Field,
        kind: PacketType,
        version: ProtocolVersion,
        at: NodeId,
    ) -> Vec<Value> {
        values
            .iter()
            .filter_map(|value| match (field, value) {
                (Field::Reason | Field::Reasons, value) => {
                    self.reason(value, kind, version, at).map(|code| Value::Number(u64::from(code.0)))
                }
                (Field::Topic, Value::Text(topic)) => Some(Value::Text(self.topic(topic))),
                (_, value) => Some(value.clone()),
            })
            .collect()
    }
}

fn client_act(client: usize, act: Act, within: Duration) -> StepAct {
    StepAct::Client { client, act, within }
}

fn by_script(fields: &[FieldValue]) -> bool {
    fields
        .iter()
        .rev()
        .any(|field| field.field == Field::Acknowledge && field.value == Value::Text("by_script".into()))
}

/// A payload of a size, with a pattern in which a cut or a shift shows.
fn filler(size: u64) -> Vec<u8> {
    (0..size).map(|at| b'a' + (at % 26) as u8).collect()
}
