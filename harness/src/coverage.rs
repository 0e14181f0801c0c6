//! Coverage: which statements of the standards a run judged, and which it did not.
//!
//! A statement counts as judged when a scenario-case that was played spoke of it, not when a file mentions it
//! ([`crate::check::judged`]). What a server can be seen to break has to be judged; the rest is exempt, with the
//! reason.
//!
//! Never the case: a statement without a status, an exemption without a reason.

use std::collections::BTreeMap;

use reference_broker::codec::ProtocolVersion;
use serde::Serialize;

use crate::requirement::{Actor, Catalogue, Obligation, Observable, Requirement};
use crate::session::{Job, Outcome};

/// The format of the coverage as JSON.
pub const SCHEMA: &str = "assay-coverage/1";

/// How a statement fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// A run spoke of it.
    Judged,
    /// A server can be seen to break it, and no run spoke of it.
    Untested,
    /// Nothing has to judge it.
    Exempt,
}

/// One statement.
#[derive(Debug, Clone, Serialize)]
pub struct StatementCoverage {
    /// Its id.
    pub id: String,
    /// The version of the protocol.
    pub protocol: String,
    /// Section and title.
    pub section: String,
    /// Who must obey: `server`, `client` or `both`.
    pub actor: String,
    /// The strongest keyword.
    pub level: String,
    /// Whether it was judged.
    pub status: Status,
    /// Why nothing has to judge it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The scenarios that judged it.
    pub scenarios: Vec<String>,
    /// How many of their cases did.
    pub cases: usize,
    #[serde(skip)]
    in_scope: bool,
    #[serde(skip)]
    numbered: bool,
}

/// The sums of a protocol version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ProtocolCoverage {
    /// Numbered statements that a server can be seen to break.
    pub server_observable: usize,
    /// How many of them were judged.
    pub judged: usize,
    /// Untagged rules that bind a server and can be seen broken.
    pub untagged_musts: usize,
    /// How many of them were judged.
    pub untagged_judged: usize,
}

/// Everything that was judged and everything that was not.
#[derive(Debug, Clone, Serialize)]
pub struct Coverage {
    /// The format.
    pub schema: &'static str,
    /// Sums by version.
    pub protocols: BTreeMap<String, ProtocolCoverage>,
    /// Every statement of both standards, in their order.
    pub statements: Vec<StatementCoverage>,
}

/// Collects what runs judged.
#[derive(Debug, Default)]
pub struct Collector {
    seen: BTreeMap<(ProtocolVersion, String), BTreeMap<String, usize>>,
}

impl Collector {
    /// Takes an outcome.
    pub fn take(&mut self, job: &Job<'_>, outcome: &Outcome) {
        for id in &outcome.statements {
            let scenarios = self.seen.entry((job.version, id.clone())).or_default();
            *scenarios.entry(job.scenario.name.clone()).or_default() += 1;
        }
    }

    /// The coverage of everything that was taken.
    pub fn finish(mut self) -> Coverage {
        let mut coverage = Coverage { schema: SCHEMA, protocols: BTreeMap::new(), statements: Vec::new() };
        for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
            let sums = coverage.protocols.entry(version.to_string()).or_default();
            for requirement in &Catalogue::of(version).requirements {
                let seen = self.seen.remove(&(version, requirement.id.clone())).unwrap_or_default();
                let statement = statement(requirement, version, seen);
                let judged = usize::from(statement.status == Status::Judged);
                match (statement.in_scope, statement.numbered) {
                    (true, true) => {
                        sums.server_observable += 1;
                        sums.judged += judged;
                    }
                    (true, false) => {
                        sums.untagged_musts += 1;
                        sums.untagged_judged += judged;
                    }
                    _ => {}
                }
                coverage.statements.push(statement);
            }
        }
        coverage
    }
}

fn statement(
    requirement: &Requirement,
    version: ProtocolVersion,
    seen: BTreeMap<String, usize>,
) -> StatementCoverage {
    let numbered = requirement.id.starts_with("MQTT-");
    let exemption = exemption(requirement, numbered);
    StatementCoverage {
        id: requirement.id.clone(),
        protocol: version.to_string(),
        section: requirement.section.clone(),
        actor: match requirement.actor {
            Actor::Server => "server",
            Actor::Client => "client",
            Actor::Both => "both",
        }
        .into(),
        level: requirement.level.to_string(),
        status: match (seen.is_empty(), &exemption) {
            (false, _) => Status::Judged,
            (true, Some(_)) => Status::Exempt,
            (true, None) => Status::Untested,
        },
        in_scope: exemption.is_none(),
        reason: exemption.filter(|_| seen.is_empty()),
        cases: seen.values().sum(),
        scenarios: seen.into_keys().collect(),
        numbered,
    }
}

/// Why nothing has to judge a statement.
fn exemption(requirement: &Requirement, numbered: bool) -> Option<String> {
    if requirement.observable == Observable::NotObservable {
        return Some(requirement.why.clone().unwrap_or_else(|| "it cannot be observed".into()));
    }
    if requirement.actor == Actor::Client {
        return Some("it binds the client alone".into());
    }
    match requirement.level {
        Obligation::Should if !numbered => {
            Some("a recommendation: a broker that does otherwise conforms".into())
        }
        Obligation::May if !numbered => Some("a permission: nothing can break it".into()),
        _ => None,
    }
}

impl Coverage {
    /// The statements that ought to be judged and were not.
    pub fn untested(&self) -> impl Iterator<Item = &StatementCoverage> {
        self.statements.iter().filter(|it| it.status == Status::Untested)
    }

    /// Sections of a version in their order: what a server can be seen to break there, and how much of it was judged.
    pub fn sections(&self, protocol: &str) -> Vec<(String, usize, usize)> {
        let mut sections: Vec<(Vec<u32>, String, usize, usize)> = Vec::new();
        for it in self.statements.iter().filter(|it| it.protocol == protocol && it.in_scope) {
            let key = chapter(&it.section);
            let judged = usize::from(it.status == Status::Judged);
            match sections.iter_mut().find(|(other, ..)| *other == key) {
                Some((_, _, all, done)) => {
                    *all += 1;
                    *done += judged;
                }
                None => {
                    let name = key.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
                    sections.push((key, name, 1, judged));
                }
            }
        }
        sections.sort();
        sections.into_iter().map(|(_, name, all, judged)| (name, all, judged)).collect()
    }
}

/// Chapter and section, two numbers of "3.1.2.10 Keep Alive".
pub fn chapter(section: &str) -> Vec<u32> {
    let number = section.split([' ', ',']).next().unwrap_or_default();
    number.split('.').map_while(|part| part.parse().ok()).take(2).collect()
}
