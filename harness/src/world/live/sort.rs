//! Which cases a target can be asked, and in which company.
//!
//! Never the case: a case that is left out without a reason that a reader can act on.

use reference_broker::codec::{Packet, ProtocolVersion};

use crate::profile::Credentials;
use crate::scenario::{Act, Capability, Plan, PlanOptions, PlanProblem, StepAct, WorldKind, unprefixable};
use crate::text::format_duration;
use crate::world::shortest_span;

use super::{LiveCase, LiveOptions, Target};

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
        plan_options.topic_prefix = Some(format!("{:04x}/{}", (nonce >> 24) & 0xFFFF, case.index));
    }
    let mut plan = Plan::new(&case.scenario, case.version, &plan_options)?;
    if let Some(credentials) = target.credentials() {
        present(&mut plan, credentials);
    }
    let place = match obstacle(case, &plan, target, options) {
        Some(reason) => Place::Nowhere(reason),
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
    let span = shortest_span(plan);
    if span > options.max_wait {
        return Some(format!(
            "takes at least {}, longer than the longest wait of {}",
            format_duration(span),
            format_duration(options.max_wait)
        ));
    }
    None
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
    needs
}

fn capability_of(version: ProtocolVersion) -> Capability {
    match version {
        ProtocolVersion::V3_1 => Capability::Mqtt31,
        ProtocolVersion::V3_1_1 => Capability::Mqtt311,
        ProtocolVersion::V5 => Capability::Mqtt5,
    }
}

/// Gives every CONNECT that has no User Name of its own what the broker asks for.
fn present(plan: &mut Plan, credentials: &Credentials) {
    for step in &mut plan.steps {
        let connect = match &mut step.act {
            StepAct::Client { act: Act::Connect { connect, .. }, .. } => connect,
            StepAct::Client { act: Act::Send { packet: Packet::Connect(connect), .. }, .. } => connect,
            _ => continue,
        };
        if connect.user_name.is_none() && connect.password.is_none() {
            connect.user_name = Some(credentials.user_name.clone().into());
            connect.password = Some(credentials.password.clone().into_bytes().into());
        }
    }
}
