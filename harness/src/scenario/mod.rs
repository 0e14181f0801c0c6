//! Scenarios: plain data that a YAML file, a generator, a fuzzer or a shrinker makes and every world runs.
//!
//! `text → document → cases → [Scenario] → [Plan]`. A [`Scenario`] is one case of one file; a [`Plan`] is
//! that case made concrete for one protocol version, with nothing left that can fail except the broker.
//! The language is described in `scenarios/README.md`.
//!
//! Never the case: a world's own verb, a broker's name, an expectation without an upper limit.

mod bytes;
mod cases;
mod choice;
mod faults;
mod field;
mod mutations;
mod plan;
mod read;
mod schema;
mod steps;
mod suite;
mod transport;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use reference_broker::codec::{PacketType, ProtocolVersion};

use crate::requirement::RequirementId;
use crate::text::NodeId;

pub use bytes::{ByteProblem, Names, assemble};
pub use choice::{ByCount, ChoiceSpec, CloseSign, RecordSpec, Shown};
pub use faults::{Directions, Fault, Faults, parse_faults};
pub use field::{
    FIELDS, Field, FieldPattern, FieldRow, FieldValue, FilterSpec, NEVER, Pattern, Place, Value,
};
pub use plan::{
    Act, Alternative, ClientPlan, Duty, ExpectPlan, FENCE_AFTER, FENCE_GRACE, PacketIdRef, PacketPattern,
    Plan, PlanOptions, PlanProblem, PlanStep, StepAct, VerifyPlan, unprefixable,
};
pub use read::{ScenarioFile, parse_file};
pub use schema::schema;
pub use suite::{Suite, SuiteError, scenario_name};
pub use transport::{Framing, Transport, WebSocketPlace};
pub use write::{BECAUSE, write};

/// Which world a run takes place in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorldKind {
    /// State machines in a discrete-event loop.
    Core,
    /// The real asynchronous code on turmoil, in virtual time.
    Sim,
    /// Real sockets.
    Live,
}

impl WorldKind {
    /// Every world.
    pub const ALL: [WorldKind; 3] = [WorldKind::Core, WorldKind::Sim, WorldKind::Live];

    /// The word on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            WorldKind::Core => "core",
            WorldKind::Sim => "sim",
            WorldKind::Live => "live",
        }
    }
}

impl fmt::Display for WorldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a broker may or may not be able to do; without it a case is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "`CAPABILITIES` says each")]
pub enum Capability {
    Mqtt31,
    Mqtt311,
    Mqtt5,
    EmptyClientId,
    Qos1,
    Qos2,
    Retain,
    Wildcards,
    SharedSubscriptions,
    SubscriptionIdentifiers,
    TopicAlias,
    Persistence,
    ProcessControl,
    Configuration,
    WebSocket,
}

/// Capabilities by name, with what each means.
pub static CAPABILITIES: &[(&str, Capability, &str)] = &[
    ("mqtt-3.1", Capability::Mqtt31, "MQTT 3.1"),
    ("mqtt-3.1.1", Capability::Mqtt311, "MQTT 3.1.1"),
    ("mqtt-5.0", Capability::Mqtt5, "MQTT 5.0"),
    ("empty-client-id", Capability::EmptyClientId, "an empty Client Identifier"),
    ("qos-1", Capability::Qos1, "QoS 1"),
    ("qos-2", Capability::Qos2, "QoS 2"),
    ("retain", Capability::Retain, "retained messages"),
    ("wildcard-subscriptions", Capability::Wildcards, "wildcard subscriptions"),
    ("shared-subscriptions", Capability::SharedSubscriptions, "shared subscriptions"),
    ("subscription-identifiers", Capability::SubscriptionIdentifiers, "subscription identifiers"),
    ("topic-alias", Capability::TopicAlias, "topic aliases from clients"),
    ("persistence", Capability::Persistence, "sessions and messages that outlive the broker's process"),
    ("process-control", Capability::ProcessControl, "a broker that the harness starts and stops"),
    ("configuration", Capability::Configuration, "a broker that the scenario configures"),
    ("websocket", Capability::WebSocket, "MQTT over WebSocket"),
];

impl Capability {
    /// The name in scenario files and profiles.
    pub fn name(self) -> &'static str {
        CAPABILITIES.iter().find(|(_, it, _)| *it == self).map_or("", |(name, _, _)| name)
    }
}

/// One end of a link: the broker, or a client by its place in [`Scenario::clients`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The broker.
    Broker,
    /// A client.
    Client(usize),
}

/// A link between the broker and a client, one way or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkEnds {
    /// The client.
    pub client: usize,
    /// From the client to the broker.
    pub to_broker: bool,
    /// From the broker to the client.
    pub to_client: bool,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// RST.
    Reset,
    /// FIN.
    Close,
    /// One end vanishes without a word.
    Silence,
}

impl Cut {
    /// The words, in the order of the variants.
    pub const WORDS: &'static [&'static str] = &["reset", "close", "silence"];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Cut::Reset => "reset",
            Cut::Close => "close",
            Cut::Silence => "silence",
        }
    }

    /// The cut with this name.
    pub fn from_name(name: &str) -> Option<Cut> {
        match name {
            "reset" => Some(Cut::Reset),
            "close" => Some(Cut::Close),
            "silence" => Some(Cut::Silence),
            _ => None,
        }
    }
}

/// How the bytes that a client sends are cut before they reach the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Split {
    /// One piece for each packet.
    #[default]
    AsWritten,
    /// One byte at a time.
    Bytes,
    /// Inside headers and fields.
    Boundaries,
    /// What is sent at one moment arrives in one piece.
    Coalesced,
}

/// What changes about a link; what is not given stays.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LinkChange {
    /// Time from one end to the other.
    pub latency: Option<Duration>,
    /// Up to this much is added, drawn for each piece; order stays.
    pub jitter: Option<Duration>,
    /// Share of pieces that are lost and sent again, in thousandths.
    pub loss: Option<u32>,
    /// How bytes are cut.
    pub split: Option<Split>,
    /// Bytes per second; 0 for no limit.
    pub rate: Option<u64>,
    /// Bytes that may be under way; 0 for no limit.
    pub window: Option<u64>,
}

/// What is done to the broker's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BrokerAct {
    /// It ends at once.
    Kill,
    /// It starts again.
    Start,
    /// It is stopped in an orderly way and started again.
    Restart,
    /// It vanishes; nobody is told.
    PowerLoss,
    /// It stops working without ending.
    Pause,
    /// It works again.
    Resume,
}

impl BrokerAct {
    /// Every act with its word.
    pub const WORDS: &'static [(&'static str, BrokerAct)] = &[
        ("kill", BrokerAct::Kill),
        ("start", BrokerAct::Start),
        ("restart", BrokerAct::Restart),
        ("power_loss", BrokerAct::PowerLoss),
        ("pause", BrokerAct::Pause),
        ("resume", BrokerAct::Resume),
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        BrokerAct::WORDS.iter().find(|(_, act)| *act == self).map_or("", |(name, _)| name)
    }
}

/// A fault that a packet sets off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// The packet.
    pub packet: PacketType,
    /// The client on whose connection it travels.
    pub client: usize,
    /// Whether it travels from the broker to the client.
    pub from_broker: bool,
    /// Which one, counted from 1 when the trigger is armed.
    pub nth: u32,
    /// Whether the packet is lost; otherwise it arrives and the cut follows.
    pub lost: bool,
    /// What happens to the connection.
    pub cut: Cut,
}

/// A Control Packet as a step describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct PacketSpec {
    /// Its type.
    pub kind: PacketType,
    /// Its fields.
    pub fields: Vec<FieldValue>,
}

/// One legal alternative of an expectation.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectSpec {
    /// A packet with these fields; its identifier is remembered under the name.
    Packet {
        /// The type.
        kind: PacketType,
        /// The fields.
        fields: Vec<FieldPattern>,
        /// The name for its Packet Identifier.
        remember: Option<String>,
    },
    /// The broker closes.
    Closed {
        /// The codes that a DISCONNECT or CONNACK before the close may have (5.0).
        reason_if_sent: Option<Vec<Value>>,
        /// The codes that a CONNACK before the close may have (3.1.1).
        return_code_if_sent: Vec<Value>,
        /// Whether a PINGREQ shows after a while that the broker goes on serving the connection.
        fence: bool,
    },
    /// No packet arrives for the window.
    Nothing {
        /// This type only.
        of: Option<PacketType>,
    },
    /// The connection stays open for the window.
    Open,
    /// These one after the other; `nothing` at the end means that no other packet of the type follows.
    Sequence(Vec<ExpectSpec>),
}

/// What a client does in a step.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the language describes them")]
pub enum ClientAct {
    Connect {
        options: Vec<FieldValue>,
        session_present: Option<bool>,
    },
    Open,
    Subscribe(PacketSpec),
    Unsubscribe(PacketSpec),
    Publish {
        message: PacketSpec,
        count: u32,
        wait: bool,
    },
    Ping,
    Disconnect(PacketSpec),
    LoseConnection(Cut),
    FallSilent,
    StopReading,
    ReadAgain,
    Complete,
    Send(PacketSpec),
    SendBytes {
        text: String,
        at: NodeId,
    },
    SendText {
        text: String,
        at: NodeId,
    },
    /// The legal alternatives, and which choice each of them shows, by its place.
    Expect {
        alternatives: Vec<ExpectSpec>,
        choices: Vec<(usize, ChoiceSpec)>,
    },
}

/// What happens in a step.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the language describes them")]
pub enum Action {
    Client {
        client: usize,
        act: ClientAct,
        within: Option<Duration>,
        after: Option<Duration>,
        window: Option<Duration>,
    },
    Wait(Duration),
    Partition(LinkEnds),
    Heal(Option<LinkEnds>),
    Link {
        ends: LinkEnds,
        change: LinkChange,
    },
    Broker(BrokerAct),
    When(Trigger),
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What happens.
    pub action: Action,
    /// In this version only.
    pub only: Option<ProtocolVersion>,
    /// The statements that this step judges, if not all of the scenario's.
    pub judges: Vec<RequirementId>,
    /// A remark for the reader of the timeline.
    pub note: Option<String>,
    /// The step as it stands in the file, on one line.
    pub text: String,
    /// Where it stands in the file.
    pub at: NodeId,
}

/// How often a message has to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the language describes them")]
pub enum VerifyVerb {
    ExactlyOnce,
    AtLeastOnce,
    AtMostOnce,
    Never,
    InOrder,
}

impl VerifyVerb {
    /// Every verb with its word.
    pub const WORDS: &'static [(&'static str, VerifyVerb)] = &[
        ("exactly_once", VerifyVerb::ExactlyOnce),
        ("at_least_once", VerifyVerb::AtLeastOnce),
        ("at_most_once", VerifyVerb::AtMostOnce),
        ("never", VerifyVerb::Never),
        ("in_order", VerifyVerb::InOrder),
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        VerifyVerb::WORDS.iter().find(|(_, verb)| *verb == self).map_or("", |(name, _)| name)
    }
}

/// A demand on what a client's application got in the whole run.
#[derive(Debug, Clone, PartialEq)]
pub struct Verify {
    /// How often.
    pub verb: VerifyVerb,
    /// Which payloads; empty for any.
    pub payloads: Vec<String>,
    /// On which topic, if that matters.
    pub topic: Option<String>,
    /// Which clients; several count together.
    pub to: Vec<usize>,
    /// The statements that it judges, if not all of the scenario's.
    pub judges: Vec<RequirementId>,
    /// In this version only.
    pub only: Option<ProtocolVersion>,
    /// Where it stands in the file.
    pub at: NodeId,
}

/// A client and its options.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientSpec {
    /// Its name.
    pub name: String,
    /// The fields of its CONNECT.
    pub options: Vec<FieldValue>,
}

/// One case of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Path below the folder of scenarios, without ending.
    pub name: String,
    /// The case, if the file has several.
    pub case: Option<String>,
    /// A sentence that is true or false.
    pub title: String,
    /// What could go wrong.
    pub why: Option<String>,
    /// The statements it judges; the versions that have some are run.
    pub requirements: BTreeMap<ProtocolVersion, Vec<RequirementId>>,
    /// Capabilities without which it is skipped.
    pub needs: Vec<Capability>,
    /// The worlds it can run in, if not all.
    pub worlds: Option<Vec<WorldKind>>,
    /// Configuration of the reference broker.
    pub config: Vec<(String, String)>,
    /// The links at the start.
    pub network: LinkChange,
    /// The clients.
    pub clients: Vec<ClientSpec>,
    /// The steps.
    pub steps: Vec<Step>,
    /// What is verified in the end.
    pub verify: Vec<Verify>,
    /// Its `send_bytes` name no topic and no client but those of its own run, so that it disturbs nobody beside it.
    pub own_names: bool,
    /// What is counted in the end and only recorded; in these versions only, if one is given.
    pub records: Vec<(RecordSpec, Option<ProtocolVersion>)>,
}

impl Scenario {
    /// The implementation choices that it can record, each with a value. One may come several times.
    pub fn choices(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        let steps = self.steps.iter().filter_map(|step| match &step.action {
            Action::Client { act: ClientAct::Expect { choices, .. }, .. } => Some(choices),
            _ => None,
        });
        let taken = steps.flatten().map(|(_, choice)| (choice.name, choice.values()));
        let counted = self.records.iter().map(|(record, _)| (record.name, record.count.values()));
        taken.chain(counted).flat_map(|(name, values)| values.into_iter().map(move |value| (name, value)))
    }

    /// Name and case, as reports show it: `qos/cut[pubrec-lost/reset]`.
    pub fn full_name(&self) -> String {
        match &self.case {
            Some(case) => format!("{}[{case}]", self.name),
            None => self.name.clone(),
        }
    }
}
