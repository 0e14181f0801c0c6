//! What a run has to show before it can have judged a statement at all.
//!
//! A scenario names statements; whether a step speaks of them only the run tells. A statement about PINGRESP is
//! not judged by a run in which nobody pings, one about shared subscriptions not by a run without any. The
//! subject of a statement follows from its section.

use std::collections::BTreeSet;

use reference_broker::codec::{Packet, PacketType, PropertyId, ProtocolVersion, QoS, next_frame};

use crate::history::{EndedBy, Fact, History, packet_type, whole_packet};
use crate::requirement::{Catalogue, RequirementId};
use crate::scenario::{Act, Duty, Plan, StepAct};
use crate::verdict::{Finding, Verdict, Weight};

/// What a run judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// The statements that an expectation, a verification or a checker spoke of.
    pub statements: BTreeSet<RequirementId>,
    /// Statements that the scenario names and nothing in the run is about, each with what is missing.
    pub missing: Vec<(RequirementId, String)>,
}

/// What a run of this plan judged, given its verdict and findings.
///
/// A run that passed went through every step, so everything it names was judged if its subject occurred. One that
/// did not pass judged what its findings cite.
pub fn judged(plan: &Plan, history: &History, verdict: Verdict, findings: &[Finding]) -> Judged {
    let mut out = Judged::default();
    for finding in findings.iter().filter(|it| it.weight == Weight::Violation) {
        out.statements.extend(std::iter::once(&finding.requirement).chain(&finding.also).cloned());
    }
    out.statements.remove("");
    if verdict != Verdict::Pass {
        return out;
    }
    let shown = Shown::of(plan, history);
    for (id, owner) in spoken(plan) {
        match owner.then(|| shown.lacks(&id, plan.version)) {
            Some(None) => {
                out.statements.insert(id);
            }
            Some(Some(lacking)) => out.missing.push((id, lacking)),
            None => out.missing.push((id, "no step or verification judges it".into())),
        }
    }
    out
}

/// Every statement that the plan names, and whether a step or verification of it speaks of the statement.
fn spoken(plan: &Plan) -> Vec<(RequirementId, bool)> {
    let mut all = false;
    let mut ids = BTreeSet::new();
    let mut speaks = |judges: &[RequirementId]| {
        all |= judges.is_empty();
        ids.extend(judges.iter().cloned());
    };
    for step in plan.steps.iter().filter(|step| step.duty == Duty::Scenario) {
        if let StepAct::Client { act, .. } = &step.act
            && matches!(
                act,
                Act::Expect(_)
                    | Act::Connect { .. }
                    | Act::Subscribe(_)
                    | Act::Unsubscribe(_)
                    | Act::Publish { wait: true, .. }
                    | Act::Ping
                    | Act::Complete
            )
        {
            speaks(&step.judges);
        }
    }
    for demand in &plan.verify {
        speaks(&demand.judges);
    }
    let named = plan.requirements.iter().map(|id| (id.clone(), all || ids.contains(id)));
    let mut list: Vec<_> = named.collect();
    list.extend(ids.iter().filter(|id| !plan.requirements.contains(id)).map(|id| (id.clone(), true)));
    list
}

/// What occurred in a run, as far as statements are about it.
#[derive(Debug, Default)]
struct Shown {
    packets: BTreeSet<PacketType>,
    qos: BTreeSet<QoS>,
    shared: bool,
    authentication: bool,
    closed_by_broker: bool,
    websocket: bool,
    connections: usize,
}

impl Shown {
    fn of(plan: &Plan, history: &History) -> Shown {
        let mut shown = Shown::default();
        for event in history.events() {
            match event.fact {
                Fact::Sent { bytes, .. } | Fact::Received { bytes, .. } | Fact::Swallowed { bytes, .. } => {
                    shown.bytes(history.bytes(bytes), plan);
                }
                Fact::Closed { by: EndedBy::Broker, .. } => shown.closed_by_broker = true,
                Fact::Opening { .. } => shown.connections += 1,
                Fact::UpgradeSent { .. } => shown.websocket = true,
                _ => {}
            }
        }
        shown
    }

    /// Everything in these bytes that can be recognised, whole or not: the script also sends what is wrong.
    fn bytes(&mut self, bytes: &[u8], plan: &Plan) {
        let mut rest = bytes;
        loop {
            self.packets.extend(packet_type(rest));
            let length = match next_frame(rest, None) {
                Ok(Some(frame)) => frame.len(),
                _ => rest.len(),
            };
            let (one, behind) = rest.split_at(length);
            self.publish_flags(one);
            let versions = [plan.version, ProtocolVersion::V5, ProtocolVersion::V3_1_1];
            if let Some(packet) = versions.iter().find_map(|version| whole_packet(one, *version)) {
                self.packet(&packet);
            } else if packet_type(one) == Some(PacketType::Subscribe) {
                self.shared |= one.windows(6).any(|part| part == b"$share");
            }
            if behind.is_empty() {
                return;
            }
            rest = behind;
        }
    }

    fn publish_flags(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first()
            && packet_type(bytes) == Some(PacketType::Publish)
            && let Some(qos) = QoS::from_number((first >> 1) & 3)
        {
            self.qos.insert(qos);
        }
    }

    fn packet(&mut self, packet: &Packet<'_>) {
        match packet {
            Packet::Connect(connect) => {
                self.authentication |= connect.properties.get(PropertyId::AuthenticationMethod).is_some();
                self.qos.extend(connect.will.as_ref().map(|will| will.qos));
            }
            Packet::Subscribe(subscribe) => {
                self.shared |= subscribe.subscriptions.iter().any(|it| it.filter.starts_with("$share"));
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.shared |= unsubscribe.filters.iter().any(|filter| filter.starts_with("$share"));
            }
            _ => {}
        }
    }

    /// What is lacking for this statement to have been judged.
    fn lacks(&self, id: &str, version: ProtocolVersion) -> Option<String> {
        use PacketType::{
            Auth, Connack, Connect, Disconnect, Pingreq, Puback, Pubcomp, Publish, Pubrec, Pubrel, Subscribe,
            Unsubscribe,
        };
        let section = &Catalogue::of(version).get(id)?.section;
        let numbers: Vec<u32> =
            section.split(' ').next()?.split('.').map_while(|number| number.parse().ok()).collect();
        let v5 = version == ProtocolVersion::V5;
        let any = |kinds: &[PacketType]| {
            if kinds.iter().any(|kind| self.packets.contains(kind)) {
                return None;
            }
            let list: Vec<String> = kinds.iter().map(ToString::to_string).collect();
            Some(format!("the run has no {}", list.join(" or ")))
        };
        let unless = |there: bool, what: &str| (!there).then(|| format!("the run has no {what}"));
        match numbers[..] {
            // Statements about what comes first are also judged by runs without CONNECT.
            [3, 1, 0] | [3, 1] => None,
            [3, 1, ..] => any(&[Connect]),
            [3, 2, ..] => any(&[Connack, Connect]),
            [3, 3, ..] => any(&[Publish]),
            // The untagged rules speak of all acknowledgements at once.
            [3, 4..=7, ..] if id.starts_with('U') => any(&[Puback, Pubrec, Pubrel, Pubcomp]),
            [3, 4, ..] => any(&[Puback]),
            [3, 5, ..] => any(&[Pubrec]),
            [3, 6, ..] => any(&[Pubrel]),
            [3, 7, ..] => any(&[Pubcomp]),
            [3, 8 | 9, ..] => any(&[Subscribe]),
            [3, 10 | 11, ..] => any(&[Unsubscribe]),
            [3, 12 | 13, ..] => any(&[Pingreq]),
            // A broker's DISCONNECT may be left out before it closes (U5-98).
            [3, 14, ..] if self.closed_by_broker => None,
            [3, 14, ..] => any(&[Disconnect]),
            [3, 15, ..] => any(&[Auth]).filter(|_| !self.authentication),
            [4, 3, 1, ..] => unless(self.qos.contains(&QoS::AtMostOnce), "QoS 0 message"),
            [4, 3, 2, ..] => unless(self.qos.contains(&QoS::AtLeastOnce), "QoS 1 message"),
            [4, 3, 3, ..] if self.qos.contains(&QoS::ExactlyOnce) => None,
            [4, 3, 3, ..] => any(&[Pubrec, Pubrel, Pubcomp]),
            [4, 4, ..] => unless(self.connections > 1, "second connection"),
            [4, 5 | 6, ..] => any(&[Publish]),
            [4, 7, ..] => any(&[Publish, Subscribe, Unsubscribe]),
            [4, 8, ..] if v5 => unless(self.shared, "shared subscription"),
            [4, 9, ..] if v5 => any(&[Publish]),
            [6, ..] => unless(self.websocket, "WebSocket connection"),
            // These two are about connections without an Authentication Method.
            [4, 12, ..] if v5 && matches!(id, "MQTT-4.12.0-6" | "MQTT-4.12.0-7") => None,
            [4, 12, ..] if v5 => unless(
                self.authentication || self.packets.contains(&Auth),
                "CONNECT with an Authentication Method, nor AUTH",
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_judged_only_by_a_run_about_its_subject() {
        let shown = Shown {
            packets: BTreeSet::from([PacketType::Connect, PacketType::Connack, PacketType::Publish]),
            qos: BTreeSet::from([QoS::AtLeastOnce]),
            connections: 1,
            ..Shown::default()
        };
        for (id, version, lacking) in [
            ("MQTT-3.12.4-1", ProtocolVersion::V5, Some("the run has no PINGREQ")),
            ("MQTT-3.3.1-1", ProtocolVersion::V5, None),
            ("MQTT-4.3.2-2", ProtocolVersion::V3_1_1, None),
            ("MQTT-4.3.3-2", ProtocolVersion::V3_1_1, Some("the run has no PUBREC or PUBREL or PUBCOMP")),
            ("MQTT-4.4.0-1", ProtocolVersion::V5, Some("the run has no second connection")),
            ("MQTT-4.8.2-4", ProtocolVersion::V5, Some("the run has no shared subscription")),
            ("MQTT-4.8.0-1", ProtocolVersion::V3_1_1, None),
            ("MQTT-3.14.4-3", ProtocolVersion::V5, Some("the run has no DISCONNECT")),
            (
                "MQTT-4.12.0-1",
                ProtocolVersion::V5,
                Some("the run has no CONNECT with an Authentication Method, nor AUTH"),
            ),
            ("MQTT-2.2.1-4", ProtocolVersion::V5, None),
            ("MQTT-3.1.0-1", ProtocolVersion::V5, None),
        ] {
            assert_eq!(shown.lacks(id, version).as_deref(), lacking, "{id}");
        }
    }
}
