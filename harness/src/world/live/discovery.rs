//! Finding out what a broker has, by using it.
//!
//! Short conversations, side by side, each with an end. First a CONNECT of every version; then, in the versions
//! that were accepted, each capability is used as a client would use it, unless CONNACK says that it is not
//! there. What does not work is asked once more with more patience. Nothing is left behind: sessions end with
//! their connections and the retained messages are cleared.
//!
//! Never the case: a conclusion from CONNACK alone where something can be used, a fact in a history, a topic of
//! somebody else.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use reference_broker::codec::{
    Connack, Packet, PacketType, Properties, PropertyId, ProtocolVersion, QoS, ReasonCode, decode_frame,
    encode, next_frame,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::network::Random;
use crate::profile::Credentials;
use crate::scenario::{Capability, Framing, WebSocketPlace};
use crate::websocket::{Event, WebSocket};

use super::discovered::{Discovered, FactRow, Found};
use super::places::Places;
use super::probe::Traces;
use super::talk::{Fault, Message, Talk, Trouble, connect_packet, spell};

/// How long a single answer is awaited, and how long the second time.
const PATIENCE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// A conversation may take this many times as long.
const ANSWERS: u32 = 3;
/// Messages to the two members of a shared subscription.
const SHARED_MESSAGES: usize = 4;
/// What is asked for, in seconds, so that a broker that has a limit names it.
const SESSION_EXPIRY: u32 = 3600;
/// Between two looks at the members of a shared subscription.
const GLANCE: Duration = Duration::from_millis(10);

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// Where it listens.
    pub(super) places: Places,
    /// What an upgrade to WebSocket asks for.
    pub(super) websocket: WebSocketPlace,
    /// What clients present.
    pub(super) credentials: Option<Credentials>,
    /// Makes topics and Client Identifiers unique.
    pub(super) nonce: u64,
}

/// What each version's CONNECT brought.
type Hellos = BTreeMap<ProtocolVersion, Result<Connack<'static>, Fault>>;

/// Finds out what a broker has.
///
/// # Errors
/// The answers to a CONNECT of each version, if none was accepted.
pub(super) async fn discover(
    site: &Site,
    claimed: impl Fn(Capability) -> Option<bool>,
) -> Result<Discovered, Vec<(ProtocolVersion, Fault)>> {
    let hellos = greet(site).await;
    if hellos.values().all(Result::is_err) {
        return Err(hellos
            .into_iter()
            .filter_map(|(version, hello)| Some((version, hello.err()?)))
            .collect());
    }
    let accepted = |version: ProtocolVersion| hellos.get(&version).is_some_and(Result::is_ok);
    let announced = match hellos.get(&ProtocolVersion::V5) {
        Some(Ok(connack)) => Some(connack.properties.clone()),
        _ => None,
    };
    // 3.1 differs from 3.1.1 in nothing that is asked here.
    let mut versions = vec![ProtocolVersion::V3_1_1, ProtocolVersion::V5];
    versions.retain(|version| accepted(*version));
    if versions.is_empty() {
        versions.push(ProtocolVersion::V3_1);
    }
    let mut answers = BTreeMap::new();
    let mut open = questions(&versions, &site.places);
    let mut assigned = None;
    let mut retained = Vec::new();
    for (round, patience) in PATIENCE.into_iter().enumerate() {
        let asker = Rc::new(Asker {
            site: site.clone(),
            announced: announced.clone(),
            patience,
            round,
            assigned: RefCell::new(None),
            retained: RefCell::new(Vec::new()),
        });
        let mut running = JoinSet::new();
        for (number, question) in open.drain(..).enumerate() {
            let asker = Rc::clone(&asker);
            running.spawn_local(async move { (question, asker.ask(question, number).await) });
        }
        while let Some(done) = running.join_next().await {
            match done {
                Ok((question, answer)) => {
                    let again = match question {
                        Question::Has(..) => matches!(answer.found, Found::Broken | Found::Unknown),
                        // That nothing comes is an answer.
                        Question::SysTopics(_) => false,
                    };
                    if again {
                        open.push(question);
                    }
                    answers.insert(question, answer);
                }
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        // A version in which the broker says no settles it; the order in which answers come says nothing.
        let denied: Vec<Capability> = answers.iter().filter_map(denies).collect();
        open.retain(|question| !matches!(question, Question::Has(it, _) if denied.contains(it)));
        open.sort_unstable();
        if let Some(id) = asker.assigned.take() {
            assigned = Some(id);
        }
        retained.append(&mut asker.retained.borrow_mut());
        if open.is_empty() {
            break;
        }
    }
    if !retained.is_empty() {
        let id = format!("assayclear{:06x}", site.nonce & 0xFF_FFFF);
        Traces::retained(retained).clear(&site.places, &id, site.credentials.as_ref()).await;
    }
    let found = |capability| conclude(capability, &hellos, &answers);
    Ok(Discovered::compare(claimed, found, facts(announced.as_ref(), assigned, &answers)))
}

/// A CONNECT of every version, and once more where there was no clear answer.
async fn greet(site: &Site) -> Hellos {
    let hello = |version: ProtocolVersion, round: usize| async move {
        let mut talk = Talk::open(site.places.mqtt(version), version, PATIENCE[round]).await?;
        let mut properties = Properties::new();
        if version == ProtocolVersion::V5 {
            properties.push_number(PropertyId::SessionExpiryInterval, SESSION_EXPIRY);
        }
        let id = format!("assayhello{:06x}v{}", site.nonce & 0xFF_FFFF, version.level());
        let connack = talk.connect_with(&id, site.credentials.as_ref(), properties).await?;
        talk.leave().await;
        Ok(connack)
    };
    let [old, three, five] = ProtocolVersion::ALL;
    let (one, two, other) = tokio::join!(hello(old, 0), hello(three, 0), hello(five, 0));
    let mut hellos = Hellos::from([(old, one), (three, two), (five, other)]);
    let unclear = |hello: &Result<Connack<'_>, Fault>| match hello {
        Ok(_) => false,
        Err(fault) => !matches!(fault.trouble, Trouble::Rejected(_)),
    };
    // Nobody waits longer for a broker that has answered nothing at all.
    if hellos.values().any(Result::is_ok) {
        for version in ProtocolVersion::ALL {
            if hellos.get(&version).is_some_and(unclear) {
                hellos.insert(version, hello(version, 1).await);
            }
        }
    }
    hellos
}

/// One thing to find out in one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    Has(Capability, ProtocolVersion),
    SysTopics(ProtocolVersion),
}

fn questions(versions: &[ProtocolVersion], places: &Places) -> Vec<Question> {
    let five = versions.contains(&ProtocolVersion::V5);
    let newest = versions.last().copied().unwrap_or(ProtocolVersion::V3_1_1);
    let mut questions = vec![Question::SysTopics(newest)];
    // In 3.1.1 shared subscriptions are an extension, so 5.0 decides where there is one.
    questions.push(Question::Has(Capability::SharedSubscriptions, newest));
    // Of the versions that can be carried by one, the newest.
    if let Some(version) = versions.iter().rev().find(|version| places.websocket(**version).is_some()) {
        questions.push(Question::Has(Capability::WebSocket, *version));
    }
    if five {
        questions.push(Question::Has(Capability::SubscriptionIdentifiers, ProtocolVersion::V5));
        questions.push(Question::Has(Capability::TopicAlias, ProtocolVersion::V5));
    }
    for version in versions {
        for capability in [Capability::Qos1, Capability::Qos2, Capability::Retain, Capability::Wildcards] {
            questions.push(Question::Has(capability, *version));
        }
        // 3.1 wants from 1 to 23 characters.
        if *version != ProtocolVersion::V3_1 {
            questions.push(Question::Has(Capability::EmptyClientId, *version));
        }
    }
    questions
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    found: Found,
    evidence: String,
}

impl Answer {
    fn new(found: Found, evidence: impl Into<String>) -> Answer {
        Answer { found, evidence: evidence.into() }
    }
}

/// The capability of which a broker says that it is not there.
fn denies((question, answer): (&Question, &Answer)) -> Option<Capability> {
    match question {
        Question::Has(capability, _) if answer.found == Found::No => Some(*capability),
        _ => None,
    }
}

/// Whether a code says that a capability does not exist here.
fn means_unsupported(code: ReasonCode) -> bool {
    [
        ReasonCode::RETAIN_NOT_SUPPORTED,
        ReasonCode::QOS_NOT_SUPPORTED,
        ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
        ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
        ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
    ]
    .contains(&code)
}

/// One round of questions.
struct Asker {
    site: Site,
    announced: Option<Properties<'static>>,
    patience: Duration,
    round: usize,
    /// The Client Identifier that was given to a client without one.
    assigned: RefCell<Option<String>>,
    /// Topics on which something may be retained.
    retained: RefCell<Vec<String>>,
}

/// The place of one question: its own topics and Client Identifiers.
struct Corner<'a> {
    asker: &'a Asker,
    version: ProtocolVersion,
    number: usize,
}

impl Asker {
    async fn ask(&self, question: Question, number: usize) -> Answer {
        let (Question::Has(_, version) | Question::SysTopics(version)) = question;
        let wildcards_absent = || self.announced_absent(Capability::Wildcards).is_some();
        if question == Question::SysTopics(ProtocolVersion::V5) && wildcards_absent() {
            return Answer::new(Found::Unknown, "not asked: it takes a filter with a wildcard");
        }
        if let Question::Has(capability, ProtocolVersion::V5) = question
            && let Some(answer) = self.announced_absent(capability)
        {
            return answer;
        }
        let corner = Corner { asker: self, version, number };
        let conversation = async {
            match question {
                Question::SysTopics(_) => corner.sys_topics().await,
                Question::Has(capability, _) => match capability {
                    Capability::Qos1 => corner.qos(QoS::AtLeastOnce).await,
                    Capability::Qos2 => corner.qos(QoS::ExactlyOnce).await,
                    Capability::Retain => corner.retain().await,
                    Capability::Wildcards => corner.wildcards().await,
                    Capability::SharedSubscriptions => corner.shared().await,
                    Capability::SubscriptionIdentifiers => corner.identifiers().await,
                    Capability::TopicAlias => corner.alias().await,
                    Capability::EmptyClientId => corner.empty_client_id().await,
                    Capability::WebSocket => corner.websocket().await,
                    _ => Ok(Answer::new(Found::Unknown, "not asked")),
                },
            }
        };
        match timeout(self.patience * ANSWERS, conversation).await {
            Err(_) => Answer::new(Found::Unknown, "the conversation came to no end"),
            Ok(Ok(answer)) => answer,
            Ok(Err(fault)) => {
                let found = match fault.trouble {
                    Trouble::Dismissed(code) if means_unsupported(code) => Found::No,
                    Trouble::Closed | Trouble::Dismissed(_) | Trouble::Garbage | Trouble::StrangeConnack => {
                        Found::Broken
                    }
                    Trouble::Refused | Trouble::Silent | Trouble::Rejected(_) => Found::Unknown,
                };
                Answer::new(found, fault.to_string())
            }
        }
    }

    /// What CONNACK of 5.0 announces as absent.
    fn announced_absent(&self, capability: Capability) -> Option<Answer> {
        let announced = |id| self.announced.as_ref().and_then(|properties| properties.number(id));
        let id = match capability {
            Capability::Qos1 | Capability::Qos2 => PropertyId::MaximumQoS,
            Capability::Retain => PropertyId::RetainAvailable,
            Capability::Wildcards => PropertyId::WildcardSubscriptionAvailable,
            Capability::SharedSubscriptions => PropertyId::SharedSubscriptionAvailable,
            Capability::SubscriptionIdentifiers => PropertyId::SubscriptionIdentifierAvailable,
            Capability::TopicAlias => PropertyId::TopicAliasMaximum,
            _ => return None,
        };
        let value = announced(id);
        let absent = match (capability, value) {
            (Capability::TopicAlias, None) => {
                return Some(Answer::new(Found::No, "CONNACK has no Topic Alias Maximum, which means 0"));
            }
            (Capability::Qos2, Some(maximum)) => maximum < 2,
            (_, value) => value == Some(0),
        };
        absent.then(|| Answer::new(Found::No, format!("CONNACK says {id} {}", value.unwrap_or_default())))
    }

    /// A QoS at which the broker acknowledges, if it has one. What 5.0 announces holds for 3.1.1 as well.
    fn acknowledged(&self) -> QoS {
        let maximum = self.announced.as_ref().and_then(|it| it.number(PropertyId::MaximumQoS));
        if maximum == Some(0) { QoS::AtMostOnce } else { QoS::AtLeastOnce }
    }
}

impl Corner<'_> {
    fn topic(&self) -> String {
        let Asker { site, round, .. } = self.asker;
        format!("assay/{:06x}/{round}{:02}", site.nonce & 0xFF_FFFF, self.number)
    }

    /// A connection that is accepted.
    async fn join(&self, member: usize) -> Result<Talk, Fault> {
        let Asker { site, round, patience, .. } = self.asker;
        let mut talk = Talk::open(site.places.mqtt(self.version), self.version, *patience).await?;
        let id = format!("assayfind{:06x}{round}{:02}m{member}", site.nonce & 0xFF_FFFF, self.number);
        talk.connect(&id, site.credentials.as_ref()).await?;
        Ok(talk)
    }

    fn spell(&self, code: ReasonCode, packet: PacketType) -> String {
        format!("{packet} {}", spell(code, packet, self.version))
    }

    /// A SUBSCRIBE or PUBLISH that was answered with an error; none if it was not.
    fn refusal(&self, code: ReasonCode, packet: PacketType, what: &str) -> Option<Answer> {
        if !code.is_error() {
            return None;
        }
        let found = if means_unsupported(code) { Found::No } else { Found::Unknown };
        Some(Answer::new(found, format!("{what} is answered with {}", self.spell(code, packet))))
    }

    fn message<'m>(&self, topic: &'m str, payload: &'m str) -> Message<'m> {
        Message { topic, payload, qos: self.asker.acknowledged(), retain: false, alias: None }
    }

    async fn qos(&self, qos: QoS) -> Result<Answer, Fault> {
        let topic = self.topic();
        let mut talk = self.join(0).await?;
        let granted = talk.subscribe(&topic, qos, None).await?;
        if let Some(answer) = self.refusal(granted, PacketType::Suback, "SUBSCRIBE") {
            return Ok(answer);
        }
        if granted.0 < qos.number() {
            let evidence = format!("SUBACK grants QoS {} where {qos} was asked for", granted.0);
            // In 5.0 the place to say that a QoS does not exist is Maximum QoS.
            return Ok(match self.version {
                ProtocolVersion::V5 => {
                    Answer::new(Found::Broken, format!("{evidence}, and CONNACK announces no Maximum QoS"))
                }
                _ => Answer::new(Found::No, evidence),
            });
        }
        let code = talk.publish(Message { qos, ..self.message(&topic, "qos") }).await?;
        let ack = if qos == QoS::ExactlyOnce { PacketType::Pubrec } else { PacketType::Puback };
        if let Some(answer) = self.refusal(code, ack, &format!("PUBLISH of QoS {qos}")) {
            return Ok(answer);
        }
        let answer = match talk.message(|it| it.topic == topic).await? {
            None => Answer::new(
                Found::Broken,
                format!("a message of QoS {qos} was acknowledged, and its subscriber did not get it"),
            ),
            Some(message) if message.qos != qos => Answer::new(
                Found::Broken,
                format!("QoS {qos} was granted, and a message of it came with QoS {}", message.qos),
            ),
            Some(_) => Answer::new(Found::Yes, format!("a message went there and back at QoS {qos}")),
        };
        talk.leave().await;
        Ok(answer)
    }

    async fn retain(&self) -> Result<Answer, Fault> {
        let topic = self.topic();
        let mut publisher = self.join(0).await?;
        self.asker.retained.borrow_mut().push(topic.clone());
        let kept = Message { retain: true, ..self.message(&topic, "kept") };
        let code = publisher.publish(kept).await?;
        if let Some(answer) = self.refusal(code, PacketType::Puback, "PUBLISH with RETAIN") {
            return Ok(answer);
        }
        publisher.ping().await?;
        let mut late = self.join(1).await?;
        let granted = late.subscribe(&topic, QoS::AtLeastOnce, None).await?;
        if let Some(answer) = self.refusal(granted, PacketType::Suback, "SUBSCRIBE") {
            return Ok(answer);
        }
        let answer = match late.message(|it| it.topic == topic).await? {
            None => Answer::new(
                Found::Broken,
                "a message with RETAIN was accepted, and a later subscriber did not get it",
            ),
            Some(message) if !message.retain => {
                Answer::new(Found::Broken, "a retained message came to a later subscriber with RETAIN 0")
            }
            Some(_) => Answer::new(Found::Yes, "a retained message came to a later subscriber"),
        };
        let _ = publisher.publish(Message { payload: "", ..kept }).await;
        publisher.leave().await;
        late.leave().await;
        Ok(answer)
    }

    async fn wildcards(&self) -> Result<Answer, Fault> {
        let base = self.topic();
        let mut talk = self.join(0).await?;
        for (filter, topic) in
            [(format!("{base}/a/+"), format!("{base}/a/x")), (format!("{base}/b/#"), format!("{base}/b/x/y"))]
        {
            let granted = talk.subscribe(&filter, QoS::AtLeastOnce, None).await?;
            if granted.is_error() {
                let last = filter.chars().last().unwrap_or_default();
                let what = format!("a filter with {last}");
                let plain = talk.subscribe(&topic, QoS::AtLeastOnce, None).await?;
                // 3.1.1 has one code for every refusal; it is about the wildcard if the same without it is granted.
                if self.version != ProtocolVersion::V5 && !plain.is_error() {
                    return Ok(Answer::new(
                        Found::No,
                        format!("SUBACK refuses {what} and grants one without"),
                    ));
                }
                let refusal = self.refusal(granted, PacketType::Suback, &what);
                return Ok(refusal.unwrap_or_else(|| Answer::new(Found::Unknown, what)));
            }
            let code = talk.publish(self.message(&topic, "wild")).await?;
            if let Some(answer) = self.refusal(code, PacketType::Puback, "PUBLISH") {
                return Ok(answer);
            }
            if talk.message(|it| it.topic == topic).await?.is_none() {
                let evidence =
                    format!("a filter with a wildcard was granted, and {topic} did not match {filter}");
                return Ok(Answer::new(Found::Broken, evidence));
            }
        }
        talk.leave().await;
        Ok(Answer::new(Found::Yes, "filters with + and # got what they match"))
    }

    async fn shared(&self) -> Result<Answer, Fault> {
        let topic = self.topic();
        let filter = format!("$share/assay{}{:02}/{topic}", self.asker.round, self.number);
        let mut members = [self.join(0).await?, self.join(1).await?];
        let mut publisher = self.join(2).await?;
        for member in &mut members {
            let granted = member.subscribe(&filter, QoS::AtLeastOnce, None).await?;
            if granted.is_error() && self.version != ProtocolVersion::V5 {
                return Ok(Answer::new(
                    Found::No,
                    "SUBACK refuses a $share filter, which 3.1.1 does not know",
                ));
            }
            if let Some(answer) = self.refusal(granted, PacketType::Suback, "a $share filter") {
                return Ok(answer);
            }
        }
        for number in 0..SHARED_MESSAGES {
            let code = publisher.publish(self.message(&topic, &number.to_string())).await?;
            if let Some(answer) = self.refusal(code, PacketType::Puback, "PUBLISH") {
                return Ok(answer);
            }
        }
        publisher.ping().await?;
        let end = Instant::now() + self.asker.patience;
        let mut counts = [0; 2];
        while counts.iter().sum::<usize>() < SHARED_MESSAGES && Instant::now() < end {
            for (count, member) in counts.iter_mut().zip(&mut members) {
                *count = member.listen(GLANCE).await?;
            }
        }
        // Copies too many have been sent by now; the round trips bring them.
        for (count, member) in counts.iter_mut().zip(&mut members) {
            member.ping().await?;
            *count = member.listen(GLANCE).await?;
        }
        let came: usize = counts.iter().sum();
        let evidence = format!(
            "{SHARED_MESSAGES} messages to two members of a group came {came} times, {} and {}",
            counts[0], counts[1]
        );
        for talk in members {
            talk.leave().await;
        }
        publisher.leave().await;
        Ok(match came {
            SHARED_MESSAGES => Answer::new(Found::Yes, evidence),
            _ if self.version == ProtocolVersion::V5 => Answer::new(Found::Broken, evidence),
            _ => Answer::new(Found::No, format!("{evidence}: a plain filter, as in 3.1.1")),
        })
    }

    async fn identifiers(&self) -> Result<Answer, Fault> {
        const IDENTIFIER: u32 = 7;
        let topic = self.topic();
        let mut talk = self.join(0).await?;
        let granted = talk.subscribe(&topic, QoS::AtLeastOnce, Some(IDENTIFIER)).await?;
        if let Some(answer) = self.refusal(granted, PacketType::Suback, "SUBSCRIBE with an identifier") {
            return Ok(answer);
        }
        let code = talk.publish(self.message(&topic, "identified")).await?;
        if let Some(answer) = self.refusal(code, PacketType::Puback, "PUBLISH") {
            return Ok(answer);
        }
        let answer = match talk.message(|it| it.topic == topic).await? {
            None => Answer::new(Found::Broken, "a subscription with an identifier got no message"),
            Some(message) => match message.properties.number(PropertyId::SubscriptionIdentifier) {
                Some(IDENTIFIER) => {
                    Answer::new(Found::Yes, "a message came with its subscription's identifier")
                }
                Some(other) => Answer::new(
                    Found::Broken,
                    format!("a message came with the identifier {other} and not {IDENTIFIER}"),
                ),
                None => Answer::new(Found::Broken, "an identifier was taken, and a message came without one"),
            },
        };
        talk.leave().await;
        Ok(answer)
    }

    async fn alias(&self) -> Result<Answer, Fault> {
        let topic = self.topic();
        let mut talk = self.join(0).await?;
        let granted = talk.subscribe(&topic, QoS::AtLeastOnce, None).await?;
        if let Some(answer) = self.refusal(granted, PacketType::Suback, "SUBSCRIBE") {
            return Ok(answer);
        }
        for (name, payload) in [(topic.as_str(), "named"), ("", "aliased")] {
            let code = talk.publish(Message { alias: Some(1), ..self.message(name, payload) }).await?;
            if let Some(answer) = self.refusal(code, PacketType::Puback, "PUBLISH with a Topic Alias") {
                return Ok(answer);
            }
            let message = talk.message(|it| it.topic == topic && it.payload == payload.as_bytes()).await?;
            if message.is_none() {
                let evidence =
                    format!("a PUBLISH with a Topic Alias ({payload}) did not reach its subscriber");
                return Ok(Answer::new(Found::Broken, evidence));
            }
        }
        talk.leave().await;
        Ok(Answer::new(Found::Yes, "a PUBLISH with an alias in place of its topic reached its subscriber"))
    }

    async fn empty_client_id(&self) -> Result<Answer, Fault> {
        let Asker { site, patience, .. } = self.asker;
        let mut talk = Talk::open(site.places.mqtt(self.version), self.version, *patience).await?;
        let connack = match talk.connect("", site.credentials.as_ref()).await {
            Ok(connack) => connack,
            Err(fault) => {
                let rejected = [ReasonCode::V3_IDENTIFIER_REJECTED, ReasonCode::CLIENT_IDENTIFIER_NOT_VALID];
                return match fault.trouble {
                    Trouble::Rejected(code) if rejected.contains(&code) => {
                        Ok(Answer::new(Found::No, fault.to_string()))
                    }
                    _ => Err(fault),
                };
            }
        };
        talk.leave().await;
        Ok(match (self.version, connack.properties.text(PropertyId::AssignedClientIdentifier)) {
            (ProtocolVersion::V5, Some(id)) => {
                *self.asker.assigned.borrow_mut() = Some(id.to_string());
                Answer::new(Found::Yes, "accepted, and CONNACK names the assigned one")
            }
            (ProtocolVersion::V5, None) => {
                Answer::new(Found::Broken, "accepted, and CONNACK has no Assigned Client Identifier")
            }
            _ => Answer::new(Found::Yes, "accepted with CleanSession 1"),
        })
    }

    async fn sys_topics(&self) -> Result<Answer, Fault> {
        let mut talk = self.join(0).await?;
        let granted = talk.subscribe("$SYS/#", QoS::AtMostOnce, None).await?;
        if granted.is_error() {
            let evidence = format!("$SYS/# is refused with {}", self.spell(granted, PacketType::Suback));
            return Ok(Answer::new(Found::No, evidence));
        }
        let answer = match talk.message(|it| it.topic.starts_with("$SYS/")).await? {
            Some(message) => Answer::new(Found::Yes, format!("$SYS/# got {}", message.topic)),
            None => Answer::new(
                Found::No,
                format!("$SYS/# is granted and gets nothing within {:?}", self.asker.patience),
            ),
        };
        talk.leave().await;
        Ok(answer)
    }

    async fn websocket(&self) -> Result<Answer, Fault> {
        let Asker { site, patience, round, .. } = self.asker;
        let Some(address) = site.places.websocket(self.version) else {
            return Ok(Answer::new(Found::Unknown, "nothing says where it listens"));
        };
        let end = Instant::now() + *patience;
        let no = |evidence: String| Ok(Answer::new(Found::No, evidence));
        let Ok(Ok(mut stream)) = timeout_at(end, TcpStream::connect(address)).await else {
            return no(format!("no connection is accepted at {address}"));
        };
        let mut socket = WebSocket::new(
            Framing::OnePerPacket,
            &["mqtt".to_string()],
            Random::stream(site.nonce, "discovery", *round as u64),
        );
        let id = format!("assayfind{:06x}{round}ws", site.nonce & 0xFF_FFFF);
        let connect = connect_packet(self.version, &id, site.credentials.as_ref(), Properties::new());
        let mut packet = Vec::new();
        let _ = encode(&Packet::Connect(Box::new(connect)), self.version, &mut packet);
        let mut outgoing = socket.request(&site.websocket);
        let (mut upgraded, mut data, mut chunk) = (false, Vec::new(), [0; 4096]);
        loop {
            let exchange = async {
                stream.write_all(&outgoing).await?;
                stream.read(&mut chunk).await
            };
            let count = match timeout_at(end, exchange).await {
                Err(_) => {
                    return Ok(Answer::new(Found::Unknown, "nothing comes after the upgrade was asked for"));
                }
                Ok(Ok(count)) if count > 0 => count,
                Ok(_) if upgraded => {
                    return Ok(Answer::new(
                        Found::Broken,
                        "the upgrade is made, and a CONNECT is not answered",
                    ));
                }
                Ok(_) => return no("the connection is closed after the upgrade was asked for".into()),
            };
            outgoing.clear();
            for event in socket.receive(&chunk[..count]) {
                match event {
                    Event::Upgraded(_) => {
                        upgraded = true;
                        let frames = socket.frame(std::slice::from_ref(&packet));
                        outgoing.extend(frames.into_iter().flat_map(|frame| frame.bytes));
                    }
                    Event::Refused(answer) => {
                        let text = String::from_utf8_lossy(&answer);
                        let first: String =
                            text.lines().next().unwrap_or_default().chars().take(60).collect();
                        return no(format!("the upgrade is answered with `{first}`"));
                    }
                    Event::Data(bytes) => data.extend_from_slice(&bytes),
                    Event::Control { answer, .. } => outgoing.extend(answer.unwrap_or_default()),
                    Event::Wrong { .. } => {
                        return Ok(Answer::new(
                            Found::Broken,
                            "the upgrade is made, and a wrong frame comes",
                        ));
                    }
                }
            }
            if let Ok(Some(frame)) = next_frame(&data, None) {
                return Ok(match decode_frame(frame, self.version) {
                    Ok(Packet::Connack(connack)) if !connack.reason.is_error() => {
                        let _ = stream.write_all(&socket.close().unwrap_or_default()).await;
                        Answer::new(Found::Yes, "an upgrade is made, and a CONNECT accepted on it")
                    }
                    _ => Answer::new(Found::Broken, "the upgrade is made, and a CONNECT is not accepted"),
                });
            }
        }
    }
}

/// What follows for a capability from all that was answered.
fn conclude(
    capability: Capability,
    hellos: &Hellos,
    answers: &BTreeMap<Question, Answer>,
) -> (Found, String) {
    let version = match capability {
        Capability::Mqtt31 => Some(ProtocolVersion::V3_1),
        Capability::Mqtt311 => Some(ProtocolVersion::V3_1_1),
        Capability::Mqtt5 => Some(ProtocolVersion::V5),
        _ => None,
    };
    if let Some(hello) = version.and_then(|version| hellos.get(&version)) {
        return match hello {
            Ok(_) => (Found::Yes, "a CONNECT is accepted".to_string()),
            Err(fault) => {
                let found = match &fault.trouble {
                    Trouble::Rejected(
                        ReasonCode::V3_UNACCEPTABLE_PROTOCOL_VERSION
                        | ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
                    )
                    | Trouble::Closed
                    | Trouble::Silent => Found::No,
                    Trouble::StrangeConnack | Trouble::Garbage | Trouble::Dismissed(_) => Found::Broken,
                    Trouble::Rejected(_) | Trouble::Refused => Found::Unknown,
                };
                (found, fault.to_string())
            }
        };
    }
    let of_version: Vec<(ProtocolVersion, &Answer)> = answers
        .iter()
        .filter_map(|(question, answer)| match question {
            Question::Has(it, version) if *it == capability => Some((*version, answer)),
            _ => None,
        })
        .collect();
    // The broker's own word counts most, then what failed, then what worked.
    let heaviest = [Found::No, Found::Broken, Found::Yes, Found::Unknown]
        .into_iter()
        .find(|found| of_version.iter().any(|(_, answer)| answer.found == *found));
    let Some(heaviest) = heaviest else {
        return match capability {
            Capability::SubscriptionIdentifiers | Capability::TopicAlias => {
                (Found::No, "it exists in 5.0 only, which is not accepted".to_string())
            }
            Capability::EmptyClientId => (Found::No, "3.1 does not know it".to_string()),
            Capability::WebSocket => (Found::Unknown, "nothing says where it listens".to_string()),
            Capability::Persistence => {
                (Found::Unknown, "not asked: only the end of the process shows it".to_string())
            }
            _ => (Found::Unknown, "not asked: the profile provides it".to_string()),
        };
    };
    let mut evidence: Vec<(String, &str)> = Vec::new();
    for (version, answer) in of_version.iter().filter(|(_, answer)| answer.found == heaviest) {
        match evidence.last_mut() {
            Some((versions, text)) if *text == answer.evidence => {
                versions.push_str(&format!(" and {version}"));
            }
            _ => evidence.push((version.to_string(), &answer.evidence)),
        }
    }
    let sentences: Vec<String> =
        evidence.iter().map(|(versions, text)| format!("{versions}: {text}")).collect();
    (heaviest, sentences.join("; "))
}

/// What CONNACK of 5.0 announces beside the capabilities, and what else there is to know.
fn facts(
    announced: Option<&Properties<'_>>,
    assigned: Option<String>,
    answers: &BTreeMap<Question, Answer>,
) -> Vec<FactRow> {
    /// A property's name here, and what its absence means.
    const ANNOUNCEMENTS: [(&str, PropertyId, Option<u32>); 10] = [
        ("maximum-qos", PropertyId::MaximumQoS, Some(2)),
        ("retain-available", PropertyId::RetainAvailable, Some(1)),
        ("wildcard-subscription-available", PropertyId::WildcardSubscriptionAvailable, Some(1)),
        ("subscription-identifier-available", PropertyId::SubscriptionIdentifierAvailable, Some(1)),
        ("shared-subscription-available", PropertyId::SharedSubscriptionAvailable, Some(1)),
        ("receive-maximum", PropertyId::ReceiveMaximum, Some(65_535)),
        ("maximum-packet-size", PropertyId::MaximumPacketSize, None),
        ("topic-alias-maximum", PropertyId::TopicAliasMaximum, Some(0)),
        ("server-keep-alive", PropertyId::ServerKeepAlive, None),
        ("session-expiry-interval", PropertyId::SessionExpiryInterval, None),
    ];
    let mut facts = Vec::new();
    if let Some(announced) = announced {
        for (name, id, default) in ANNOUNCEMENTS {
            let told = announced.number(id);
            let value = told.or(default);
            let evidence = match (told, default) {
                (Some(_), _) => "CONNACK says so".to_string(),
                (None, Some(default)) => format!("not in CONNACK, which means {default}"),
                (None, None) => match id {
                    PropertyId::MaximumPacketSize => "not in CONNACK, so there is no limit".to_string(),
                    PropertyId::SessionExpiryInterval => {
                        format!("not in CONNACK, so the {SESSION_EXPIRY} s that were asked for are in force")
                    }
                    _ => "not in CONNACK, so what the client asks for is in force".to_string(),
                },
            };
            // Availability is a number on the wire and a truth everywhere else.
            let value = match value {
                Some(number) if name.ends_with("available") => (number == 1).into(),
                Some(number) => number.into(),
                None => serde_json::Value::Null,
            };
            facts.push(FactRow { name: name.to_string(), value, evidence });
        }
        let evidence = match assigned {
            Some(_) => "CONNACK says so to a client with an empty Client Identifier",
            None => "no client with an empty Client Identifier was told one",
        };
        facts.push(FactRow {
            name: "assigned-client-identifier".to_string(),
            value: assigned.into(),
            evidence: evidence.to_string(),
        });
    }
    for (question, answer) in answers {
        if let Question::SysTopics(version) = question {
            let value = match answer.found {
                Found::Yes => true.into(),
                Found::No => false.into(),
                Found::Broken | Found::Unknown => serde_json::Value::Null,
            };
            let evidence = format!("{version}: {}", answer.evidence);
            facts.push(FactRow { name: "sys-topics".to_string(), value, evidence });
        }
    }
    facts
}
