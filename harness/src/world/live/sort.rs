//! Which cases a target can be asked, and in which company.
//!
//! Never the case: a case that is left out without a reason that a reader can act on.

use std::time::Duration;

use reference_broker::codec::{Connect, Packet, PacketType, ProtocolVersion, QoS, encode};

use crate::history::{packet_type, whole_packet};
use crate::profile::{Credentials, Persistence};
use crate::scenario::{
    Act, BrokerAct, Capability, Plan, PlanOptions, PlanProblem, StepAct, Transport, WorldKind, unprefixable,
};
use crate::text::format_duration;
use crate::world::shortest_span;

use super::neighbours::topic_prefix;
use super::{LiveCase, LiveOptions, Target};

/// So many times the longest wait is still asked where the clock can be moved: a leap of half a second takes tens of
/// milliseconds, so this is far less than what the wait really takes.
const TIMES_FASTER: u32 = 8;

/// How a case is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Beside others, on one broker.
    Shared,
    /// With a broker to itself.
    Alone,
    /// Not at all, because of this.
    Nowhere(String),
}

/// Fits a case to a target.
pub(super) fn place(
    case: &LiveCase,
    target: &Target,
    options: &LiveOptions<'_>,
) -> Result<(Plan, Place), Vec<PlanProblem>> {
    let alone = unprefixable(&case.scenario) || !case.scenario.config.is_empty();
    let process = matches!(target, Target::Profile(_));
    let nonce = options.nonce;
    let mut plan_options = PlanOptions {
        tolerance: target.tolerance(options),
        websocket: target.websocket_place(),
        ..PlanOptions::default()
    };
    // A broker to itself is fresh if it has a profile; then everything is named as in the other worlds.
    if !(alone && process) {
        plan_options.client_id_prefix = Some(format!("a{:06x}n{}c", nonce & 0xFF_FFFF, case.index));
    }
    if !alone {
        plan_options.topic_prefix = Some(topic_prefix(nonce, case.index));
    }
    let mut plan = Plan::new(&case.scenario, case.version, &plan_options)?;
    let presented = target.credentials().is_none_or(|credentials| present(&mut plan, credentials));
    if needs(&plan).contains(&Capability::Persistence)
        && let Target::Profile(profile) = target
        && let Persistence::Within(period) = profile.persistence
    {
        settle(&mut plan, period);
    }
    let place = match obstacle(case, &plan, target, options) {
        Some(reason) => Place::Nowhere(reason),
        None if !presented => Place::Nowhere(format!(
            "sends a malformed CONNECT, which cannot present the credentials that {} asks for",
            target.name()
        )),
        None if alone => Place::Alone,
        None => Place::Shared,
    };
    Ok((plan, place))
}

/// Why a case cannot be asked.
fn obstacle(case: &LiveCase, plan: &Plan, target: &Target, options: &LiveOptions<'_>) -> Option<String> {
    if let Some(worlds) = &case.scenario.worlds
        && !worlds.contains(&WorldKind::Live)
    {
        let names: Vec<&str> = worlds.iter().map(|world| world.name()).collect();
        return Some(format!("the scenario runs in {} only", names.join(" and ")));
    }
    if let Some(absent) = needs(plan).into_iter().find(|capability| !target.has(*capability)) {
        return Some(format!("needs {}, which {} does not have", absent.name(), target.name()));
    }
    if let Target::Profile(profile) = target {
        if let Some((key, value)) = profile.lacks(&plan.config) {
            return Some(format!("needs the setting {key} {value}, which {} cannot be given", target.name()));
        }
        if needs(plan).contains(&Capability::Persistence)
            && profile.persistence == Persistence::OnShutdown
            && plan.steps.iter().any(|step| ends_at_once(&step.act))
        {
            let claimed = "needs persistence over a sudden end, and the claim is on-shutdown";
            return Some(claimed.to_string());
        }
    }
    let unreached = plan.clients.iter().find(|client| {
        matches!(client.transport, Transport::WebSocket { .. }) && !target.has_websocket_of(client.version)
    });
    if let Some(client) = unreached {
        let (version, name) = (client.version, target.name());
        return Some(format!("needs websocket in {version}, for which {name} has no listener"));
    }
    let span = shortest_span(plan);
    let clock = matches!(target, Target::Profile(profile) if profile.clock.is_some());
    // Whether the clock can really be moved is found out later.
    let longest = if clock && options.travel { options.max_wait * TIMES_FASTER } else { options.max_wait };
    if span > longest {
        return too_long(plan, longest);
    }
    None
}

/// Why a case takes too long where the clock cannot be moved.
pub(super) fn too_long(plan: &Plan, max_wait: Duration) -> Option<String> {
    let span = shortest_span(plan);
    (span > max_wait).then(|| {
        format!(
            "takes at least {}, longer than the longest wait of {}",
            format_duration(span),
            format_duration(max_wait)
        )
    })
}

/// Whether the broker's process ends without a chance to write anything.
fn ends_at_once(act: &StepAct) -> bool {
    matches!(act, StepAct::Broker(BrokerAct::Kill | BrokerAct::PowerLoss))
}

/// Gives a broker the time that it claims to need before its process ends: the wait before each end is at least
/// as long as the period.
fn settle(plan: &mut Plan, period: Duration) {
    for at in 1..plan.steps.len() {
        let (before, rest) = plan.steps.split_at_mut(at);
        if let (Some(step), true) = (before.last_mut(), ends_at_once(&rest[0].act))
            && let StepAct::Wait(wait) = &mut step.act
        {
            *wait = (*wait).max(period);
        }
    }
}

/// What a broker has to have for a plan.
pub(super) fn needs(plan: &Plan) -> Vec<Capability> {
    let versions = std::iter::once(plan.version).chain(plan.clients.iter().map(|client| client.version));
    let mut needs: Vec<Capability> = versions.map(capability_of).collect();
    needs.extend(&plan.needs);
    if plan.steps.iter().any(|step| matches!(step.act, StepAct::Broker(_))) {
        needs.push(Capability::ProcessControl);
    }
    if !plan.config.is_empty() {
        needs.push(Capability::Configuration);
    }
    for step in &plan.steps {
        if let StepAct::Client { client, act, .. } = &step.act
            && plan.clients.get(*client).is_some_and(|client| client.version == ProtocolVersion::V5)
        {
            needs.extend(implied(act));
        }
    }
    needs
}

/// What a 5.0 server may refuse to a verb that counts on being served (3.2.2.3).
fn implied(act: &Act) -> Vec<Capability> {
    let mut needs = Vec::new();
    let mut message = |qos: QoS, retain: bool| {
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => needs.push(Capability::Qos1),
            QoS::ExactlyOnce => needs.push(Capability::Qos2),
        }
        if retain {
            needs.push(Capability::Retain);
        }
    };
    match act {
        Act::Connect { connect, by_script: false, .. } => {
            if let Some(will) = &connect.will {
                message(will.qos, will.retain);
            }
        }
        Act::Publish { message: publish, .. } => message(publish.qos, publish.retain),
        Act::Subscribe(subscribe) => {
            if subscribe.subscriptions.iter().any(|request| request.filter.starts_with("$share/")) {
                needs.push(Capability::SharedSubscriptions);
            }
            if subscribe.subscriptions.iter().any(|request| request.filter.contains(['+', '#'])) {
                needs.push(Capability::Wildcards);
            }
        }
        _ => {}
    }
    needs
}

fn capability_of(version: ProtocolVersion) -> Capability {
    match version {
        ProtocolVersion::V3_1 => Capability::Mqtt31,
        ProtocolVersion::V3_1_1 => Capability::Mqtt311,
        ProtocolVersion::V5 => Capability::Mqtt5,
    }
}

/// Gives every CONNECT that has no User Name of its own what the broker asks for. Whether that could be done: bytes
/// that are no well-formed CONNECT have no place for it, and what a broker says to them is about that.
fn present(plan: &mut Plan, credentials: &Credentials) -> bool {
    let mut done = true;
    for step in &mut plan.steps {
        let (client, act) = match &mut step.act {
            StepAct::Client { client, act, .. } => (*client, act),
            _ => continue,
        };
        match act {
            Act::Connect { connect, .. } => complete(connect, credentials),
            Act::Send { packet: Packet::Connect(connect), .. } => complete(connect, credentials),
            Act::SendBytes(bytes) if packet_type(bytes) == Some(PacketType::Connect) => {
                let version = plan.clients.get(client).map_or(plan.version, |client| client.version);
                match completed(bytes, version, credentials) {
                    Some(other) => *bytes = other,
                    None => done = false,
                }
            }
            _ => {}
        }
    }
    done
}

fn complete(connect: &mut Connect<'static>, credentials: &Credentials) {
    if connect.user_name.is_none() && connect.password.is_none() {
        connect.user_name = Some(credentials.user_name.clone().into());
        connect.password = Some(credentials.password.clone().into_bytes().into());
    }
}

/// The same CONNECT with credentials; none if the bytes are not exactly what the codec makes of their meaning.
fn completed(bytes: &[u8], version: ProtocolVersion, credentials: &Credentials) -> Option<Vec<u8>> {
    let Packet::Connect(mut connect) = whole_packet(bytes, version)?.into_owned() else { return None };
    let written = |connect: &Connect<'static>| {
        let mut out = Vec::new();
        encode(&Packet::Connect(Box::new(connect.clone())), connect.version, &mut out).ok().map(|()| out)
    };
    if written(&connect)? != bytes {
        return None;
    }
    complete(&mut connect, credentials);
    written(&connect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse_file;
    use crate::text::SourceText;

    #[test]
    fn what_a_server_may_refuse_is_needed_where_a_verb_counts_on_it() {
        let needed = |version, step: &str| {
            let text = format!(
                "title: t\nwhy: w\nrequirements: {{ v5: [MQTT-4.5.0-1], v3.1.1: [MQTT-3.3.5-1] }}\nclients: {{ one: {{}} }}\n\
                 steps:\n  - one: connect\n  - one: {step}\n"
            );
            let file = parse_file("x", SourceText::new("x.yaml", &text)).expect("a scenario");
            let plan = Plan::new(&file.scenarios[0], version, &PlanOptions::default()).expect("a plan");
            needs(&plan)
        };
        let cases = [
            ("{ subscribe: $share/crew/x, qos: 1 }", Capability::SharedSubscriptions),
            ("{ subscribe: x/+, qos: 1 }", Capability::Wildcards),
            ("{ publish: x, payload: y, qos: 2 }", Capability::Qos2),
            ("{ publish: x, payload: y, retain: true }", Capability::Retain),
        ];
        for (step, capability) in cases {
            assert!(needed(ProtocolVersion::V5, step).contains(&capability), "{step}");
            // 3.1.1 leaves the server no way to refuse any of it.
            assert!(!needed(ProtocolVersion::V3_1_1, step).contains(&capability), "{step}");
        }
        let asked = "{ send: SUBSCRIBE, packet_id: 1, qos: 1, filters: [$share/crew/x] }";
        assert!(
            !needed(ProtocolVersion::V5, asked).contains(&Capability::SharedSubscriptions),
            "asked is not counted on"
        );
    }

    #[test]
    fn a_connect_in_bytes_gets_credentials_if_it_is_well_formed() {
        let credentials = Credentials { user_name: "u".into(), password: "p".into() };
        let plain = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01z";
        let with = b"\x10\x13\0\x04MQTT\x04\xc2\0\x3c\0\x01z\0\x01u\0\x01p";
        let version = ProtocolVersion::V3_1_1;
        assert_eq!(completed(plain, version, &credentials).as_deref(), Some(&with[..]));
        // One that has its own keeps it.
        let other = Credentials { user_name: "other".into(), ..credentials.clone() };
        assert_eq!(completed(with, version, &other).as_deref(), Some(&with[..]));
        // The reserved flag is set; a byte too much; half of it.
        for wrong in [
            &b"\x10\x0d\0\x04MQTT\x04\x03\0\x3c\0\x01z"[..],
            &b"\x10\x0e\0\x04MQTT\x04\x02\0\x3c\0\x01z!"[..],
            &plain[..9],
        ] {
            assert_eq!(completed(wrong, version, &credentials), None, "{wrong:?}");
        }
    }
}
