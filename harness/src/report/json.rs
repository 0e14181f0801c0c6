//! The result of a run: one structure, from which every report is made, and its form as JSON. Scripts rely on these
//! names; a change of meaning is a new `schema`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::requirement::{choice, rulings};
use crate::scenario::Plan;
use crate::session::{Job, Outcome};
use crate::verdict::{Finding, Recorded, Verdict, Weight};
use crate::world::live::{CapabilityRow, Contradiction, Crash, Discovered, FactRow};

use super::packet::summary;
use super::timeline::{What, lines};

/// The version of this format.
pub const SCHEMA: &str = "assay-run/2";

/// How many of each verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Passed.
    pub pass: usize,
    /// A statement is broken.
    pub fail: usize,
    /// Not answered.
    pub inconclusive: usize,
    /// The harness failed.
    pub error: usize,
    /// Not asked.
    pub skipped: usize,
}

/// One scenario-case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CaseResult {
    /// Name of the scenario.
    pub scenario: String,
    /// Name of the case, if the scenario has several.
    pub case: Option<String>,
    /// Protocol version.
    pub protocol: String,
    /// What it claims, in a sentence.
    pub title: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is no pass; empty otherwise.
    pub reason: String,
    /// The statements that it names.
    pub requirements: Vec<String>,
    /// The statements that this run of it judged.
    #[serde(default)]
    pub judged: Vec<String>,
    /// The implementation choices that it showed.
    #[serde(default)]
    pub choices: Vec<ChoiceResult>,
    /// What was found.
    pub findings: Vec<FindingResult>,
    /// The fingerprint of its history.
    pub digest: String,
    /// Time outside, in milliseconds.
    pub real_ms: f64,
    /// Time inside, in milliseconds.
    pub virtual_ms: f64,
    /// The verdicts of its runs, if it was run more than once: the first, and those of the runs again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Verdict>,
    /// The command that plays it again.
    #[serde(default)]
    pub replay: String,
    /// The file with its evidence, if that was kept; relative to the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The broker died of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash: Option<CrashResult>,
    /// What happened, packet by packet; of cases that did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    /// What the baseline says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<Deviation>,
}

impl CaseResult {
    /// The scenario and its case, as commands take it.
    pub fn full_name(&self) -> String {
        match &self.case {
            Some(case) => format!("{}[{case}]", self.scenario),
            None => self.scenario.clone(),
        }
    }

    /// The same with the protocol version: no two cases of a run have the same.
    pub fn key(&self) -> String {
        format!("{} ({})", self.full_name(), self.protocol)
    }

    /// The statements that it breaks, each once, in the order in which that was found.
    pub fn broken(&self) -> Vec<&str> {
        let mut broken: Vec<&str> = Vec::new();
        for finding in self.findings.iter().filter(|finding| finding.weight == Weight::Violation) {
            if !broken.contains(&finding.requirement.as_str()) {
                broken.push(&finding.requirement);
            }
        }
        broken
    }

    /// Whether it makes a run red: it failed, and no baseline knows that; or a baseline says that it fails,
    /// and that is not so or not so any more.
    pub fn is_red(&self) -> bool {
        match &self.deviation {
            Some(deviation) => deviation.state != DeviationState::Known,
            None => matches!(self.verdict, Verdict::Fail | Verdict::Error),
        }
    }
}

/// How the broker ended while a case ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CrashResult {
    /// The client that sent the last packet, if it is known.
    pub client: Option<String>,
    /// That packet.
    pub packet: Option<String>,
    /// The last lines of the broker's output.
    pub log: Vec<String>,
    /// The cases that ran at that moment.
    pub cases: Vec<String>,
}

impl CrashResult {
    /// The cases that ran at that moment, in words: a few of them, if there were many.
    pub fn during(&self) -> String {
        const NAMED: usize = 5;
        let named = self.cases.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        match self.cases.len().saturating_sub(NAMED) {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }
}

impl From<&Crash> for CrashResult {
    fn from(crash: &Crash) -> CrashResult {
        CrashResult {
            client: crash.client.clone(),
            packet: crash.packet.as_ref().map(|packet| summary(packet, crash.version)),
            log: crash.log.clone(),
            cases: crash.cases.clone(),
        }
    }
}

/// What happened in a case, for a sequence diagram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// The clients. The broker is beside them.
    pub clients: Vec<String>,
    /// Every event, in order.
    pub rows: Vec<TimelineRow>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineRow {
    /// Its number; findings name their events by it.
    pub event: u32,
    /// Its time, in microseconds.
    pub at_us: u64,
    /// What kind of event.
    pub kind: RowKind,
    /// The client concerned, by its place in `clients`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<usize>,
    /// Whether the broker sent the packet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub from_broker: bool,
    /// Whether the packet never arrived.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lost: bool,
    /// Whether the script decided on the bytes of the packet, and not the client by itself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub by_script: bool,
    /// Whether a finding names this event.
    #[serde(default, skip_serializing_if = "is_false")]
    pub marked: bool,
    /// What it was, in words.
    pub text: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it in this form")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What kind of event a row of a timeline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowKind {
    /// A step began, or its time is up, or the run settled.
    Step,
    /// A packet between a client and the broker.
    Packet,
    /// A connection opened or ended.
    Connection,
    /// Something done to the network or to the broker.
    Fault,
    /// The broker's process started, stopped or died.
    Broker,
}

/// What a baseline says of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deviation {
    /// What follows.
    pub state: DeviationState,
    /// The statements that the baseline lists for the case.
    pub statements: Vec<String>,
    /// Why they are accepted for now.
    pub reason: String,
    /// Where that is discussed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The last day on which they are accepted, as YYYY-MM-DD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// What is to be done, if anything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

/// What follows from a baseline for a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviationState {
    /// It fails as listed: shown, and not red.
    Known,
    /// It is listed, and the statement is not broken any more: the entry is to be removed.
    Fixed,
    /// The entry has expired, and the statement is still broken.
    Expired,
    /// It breaks a statement that is not listed for it.
    Other,
}

/// An implementation choice that a case showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChoiceResult {
    /// The ruling that grants it.
    pub ruling: String,
    /// Its name.
    pub name: String,
    /// What the broker chose; a time or a count where that is measured.
    pub value: String,
}

/// An implementation choice in a whole run, in one version of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChoiceRow {
    /// The ruling that grants it.
    pub ruling: String,
    /// Its name.
    pub name: String,
    /// Protocol version.
    pub protocol: String,
    /// What the broker chose. There are several if it does different things in different scenarios.
    pub values: Vec<ChoiceValue>,
}

/// A value of a choice and where it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChoiceValue {
    /// The value.
    pub value: String,
    /// The scenario-cases that showed it.
    pub scenarios: Vec<String>,
}

/// One finding.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FindingResult {
    /// What it means for the verdict.
    pub weight: Weight,
    /// The statement.
    pub requirement: String,
    /// Further statements.
    pub also: Vec<String>,
    /// What should have been seen.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// The events concerned.
    pub events: Vec<u32>,
    /// The step that found it, if one did, as the scenario has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Which checker found it.
    pub by: String,
}

impl From<&Recorded> for ChoiceResult {
    fn from(recorded: &Recorded) -> ChoiceResult {
        ChoiceResult {
            ruling: choice(recorded.name).map(|(ruling, _)| ruling.id.clone()).unwrap_or_default(),
            name: recorded.name.into(),
            value: recorded.value.clone(),
        }
    }
}

/// The implementation choices of all cases together.
pub fn choices(results: &[CaseResult]) -> Vec<ChoiceRow> {
    let mut rows: Vec<ChoiceRow> = Vec::new();
    for (result, seen) in results.iter().flat_map(|it| it.choices.iter().map(move |seen| (it, seen))) {
        let at = rows
            .iter()
            .position(|row| row.name == seen.name && row.protocol == result.protocol)
            .unwrap_or_else(|| {
                let (ruling, name) = (seen.ruling.clone(), seen.name.clone());
                rows.push(ChoiceRow { ruling, name, protocol: result.protocol.clone(), values: Vec::new() });
                rows.len() - 1
            });
        let values = &mut rows[at].values;
        let name = match &result.case {
            Some(case) => format!("{}[{case}]", result.scenario),
            None => result.scenario.clone(),
        };
        match values.iter_mut().find(|it| it.value == seen.value) {
            Some(value) => value.scenarios.push(name),
            None => values.push(ChoiceValue { value: seen.value.clone(), scenarios: vec![name] }),
        }
    }
    let place = |row: &ChoiceRow| rulings().iter().position(|ruling| ruling.id == row.ruling);
    rows.sort_by(|one, other| (place(one), &one.protocol).cmp(&(place(other), &other.protocol)));
    rows
}

fn finding(plan: Option<&Plan>, finding: &Finding) -> FindingResult {
    let step = finding.step.and_then(|step| plan?.steps.get(step as usize));
    FindingResult {
        weight: finding.weight,
        requirement: finding.requirement.clone(),
        also: finding.also.clone(),
        expected: finding.expected.clone(),
        observed: finding.observed.clone(),
        events: finding.events.clone(),
        step: step.map(|step| step.text.clone()),
        by: finding.by.clone(),
    }
}

/// What happened, with the events of the findings marked.
fn timeline(plan: &Plan, history: &History, findings: &[Finding]) -> Timeline {
    let marked: BTreeSet<u32> = findings.iter().flat_map(|finding| finding.events.iter().copied()).collect();
    let row = |line: super::timeline::Line| {
        let mut row = TimelineRow {
            event: line.event,
            at_us: line.at.0,
            kind: RowKind::Step,
            client: None,
            from_broker: false,
            lost: false,
            by_script: false,
            marked: marked.contains(&line.event),
            text: String::new(),
        };
        match line.what {
            What::Step(text) | What::Limit(text) => row.text = text,
            What::Packet { client, from_broker, lost, text, by_script, .. } => {
                row = TimelineRow {
                    kind: RowKind::Packet,
                    client: Some(client),
                    from_broker,
                    lost,
                    by_script,
                    text,
                    ..row
                };
            }
            What::Connection { client, text, .. } => {
                row = TimelineRow { kind: RowKind::Connection, client: Some(client), text, ..row };
            }
            What::Fault { client, text } => {
                row = TimelineRow { kind: RowKind::Fault, client: client.map(|it| it.0), text, ..row };
            }
            What::Broker(text) | What::Died(text) => {
                row = TimelineRow { kind: RowKind::Broker, text, ..row };
            }
        }
        row
    };
    Timeline {
        clients: plan.clients.iter().map(|client| client.name.clone()).collect(),
        rows: lines(plan, history).into_iter().map(row).collect(),
    }
}

/// The whole run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// The format of this file.
    pub schema: String,
    /// The program and its version.
    pub tool: String,
    /// The world.
    pub world: String,
    /// The broker, and what it says about its version.
    pub broker: String,
    /// When the run began, in RFC 3339.
    pub started: String,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// The command that runs it again.
    pub command: String,
    /// Where it ran.
    pub environment: Environment,
    /// Whether the broker's clock was moved where a case had to wait; none if nobody tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_moved: Option<bool>,
    /// The profile that started the broker, as it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileResult>,
    /// The baseline that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineResult>,
    /// The seed of the run.
    pub seed: u64,
    /// One fingerprint over all cases.
    pub digest: String,
    /// Whether the run was ended before its end.
    pub partial: bool,
    /// How many of each verdict.
    pub summary: Summary,
    /// What the broker has, as far as that is claimed and was found; empty in a simulated world.
    #[serde(default)]
    pub capabilities: Vec<CapabilityRow>,
    /// What else the broker told about itself.
    #[serde(default)]
    pub facts: Vec<FactRow>,
    /// Where claims and findings differ.
    #[serde(default)]
    pub contradictions: Vec<Contradiction>,
    /// The implementation choices that were seen, in the order of their rulings.
    #[serde(default)]
    pub choices: Vec<ChoiceRow>,
    /// Ends of the broker that no single case could be made to repeat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unexplained: Vec<CrashResult>,
    /// What should be known of how the broker behaved, beside the verdicts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why the rest could not be asked, if that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// Every scenario-case, in the order of the suite.
    pub results: Vec<CaseResult>,
}

/// Where a run took place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The operating system.
    pub os: String,
    /// The kind of processor.
    pub arch: String,
    /// How many threads it has.
    pub threads: usize,
}

impl Environment {
    /// This machine.
    pub fn here() -> Environment {
        Environment {
            os: std::env::consts::OS.into(),
            arch: std::env::consts::ARCH.into(),
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }
}

/// A profile, as it was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileResult {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What a baseline came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineResult {
    /// The file.
    pub file: String,
    /// Cases that fail as listed.
    pub known: usize,
    /// Cases that are listed and fail no more.
    pub fixed: usize,
    /// Cases whose entry has expired.
    pub expired: usize,
    /// Cases that break something else than what is listed.
    pub other: usize,
    /// Cases that fail and are not listed.
    pub new: usize,
}

/// The version of the format of [`Discovery`].
pub const DISCOVERY_SCHEMA: &str = "assay-discovery/1";

/// What `assay discover` found.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Discovery {
    /// The format of this file.
    pub schema: String,
    /// The program and its version.
    pub tool: String,
    /// The broker.
    pub broker: String,
    /// What the broker has, as far as that is claimed and was found.
    pub capabilities: Vec<CapabilityRow>,
    /// What else the broker told about itself.
    pub facts: Vec<FactRow>,
    /// Where claims and findings differ.
    pub contradictions: Vec<Contradiction>,
}

/// What was found about a broker, for a file.
pub fn discovery(broker: &str, discovered: &Discovered) -> Discovery {
    Discovery {
        schema: DISCOVERY_SCHEMA.into(),
        tool: concat!("assay ", env!("CARGO_PKG_VERSION")).into(),
        broker: broker.into(),
        capabilities: discovered.capabilities.clone(),
        facts: discovered.facts.clone(),
        contradictions: discovered.contradictions(),
    }
}

/// The row of one outcome. The rest of it - replay, evidence, attempts, crash - is for its caller to add.
pub fn case(job: &Job<'_>, outcome: &Outcome) -> CaseResult {
    let plan = outcome.plan.as_ref();
    let shown = plan.filter(|_| !matches!(outcome.verdict, Verdict::Pass | Verdict::Skipped));
    CaseResult {
        scenario: job.scenario.name.clone(),
        case: job.scenario.case.clone(),
        protocol: job.version.to_string(),
        title: plan.map_or_else(|| job.scenario.title.clone(), |plan| plan.title.clone()),
        verdict: outcome.verdict,
        reason: outcome.reason.clone(),
        requirements: job.scenario.requirements.get(&job.version).cloned().unwrap_or_default(),
        judged: outcome.statements.clone(),
        choices: outcome.choices.iter().map(ChoiceResult::from).collect(),
        findings: outcome.findings.iter().map(|it| finding(plan, it)).collect(),
        digest: outcome.digest.to_string(),
        real_ms: outcome.real.as_micros() as f64 / 1000.0,
        virtual_ms: outcome.virtual_time.as_micros() as f64 / 1000.0,
        attempts: Vec::new(),
        replay: String::new(),
        evidence: None,
        crash: None,
        timeline: shown.map(|plan| timeline(plan, &outcome.history, &outcome.findings)),
        deviation: None,
    }
}

/// So many cases that did not pass may each have a timeline in a result.
const MANY: usize = 500;
/// Beyond that, so many of those that break the same statements have one.
const EACH: usize = 5;

/// Takes the timelines from most of many cases that break the same, so that the reports on a broker that breaks something
/// everywhere can still be opened. Their packets are in the evidence.
pub fn thin(results: &mut [CaseResult]) {
    if results.iter().filter(|case| case.timeline.is_some()).count() <= MANY {
        return;
    }
    let mut shown: BTreeMap<String, usize> = BTreeMap::new();
    for case in results.iter_mut().filter(|case| case.timeline.is_some()) {
        let seen = shown.entry(case.broken().join(" ")).or_default();
        *seen += 1;
        if *seen > EACH {
            case.timeline = None;
        }
    }
}

impl Summary {
    /// Counts one more.
    pub fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Pass => self.pass += 1,
            Verdict::Fail => self.fail += 1,
            Verdict::Inconclusive => self.inconclusive += 1,
            Verdict::Error => self.error += 1,
            Verdict::Skipped => self.skipped += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(number: usize, broken: &str) -> CaseResult {
        let json = serde_json::json!({
            "scenario": format!("some/{number}"), "case": null, "protocol": "5.0", "title": "", "verdict": "fail",
            "reason": "", "requirements": [], "digest": "", "real_ms": 0.0, "virtual_ms": 0.0,
            "findings": [{
                "weight": "violation", "requirement": broken, "also": [], "expected": "", "observed": "",
                "events": [], "by": "step",
            }],
            "timeline": { "clients": [], "rows": [] },
        });
        serde_json::from_value(json).expect("a result")
    }

    #[test]
    fn of_many_cases_that_break_the_same_a_few_have_a_timeline() {
        let shown = |results: &[CaseResult], broken: &str| {
            let of = results.iter().filter(|case| case.broken() == [broken]);
            of.filter(|case| case.timeline.is_some()).count()
        };
        let mut few: Vec<CaseResult> = (0..MANY).map(|number| case(number, "MQTT-3.3.2-6")).collect();
        thin(&mut few);
        assert_eq!(shown(&few, "MQTT-3.3.2-6"), MANY, "so many can be shown");
        let mut many = few;
        many.extend((MANY..MANY + 3).map(|number| case(number, "MQTT-4.6.0-2")));
        thin(&mut many);
        assert_eq!((shown(&many, "MQTT-3.3.2-6"), shown(&many, "MQTT-4.6.0-2")), (EACH, 3));
        assert!(many[..EACH].iter().all(|case| case.timeline.is_some()), "the first ones");
        assert_eq!(many.len(), MANY + 3, "no result is lost");
    }

    #[test]
    fn a_death_under_many_cases_names_a_few_of_them() {
        let crash = |count: usize| CrashResult {
            client: None,
            packet: None,
            log: Vec::new(),
            cases: (1..=count).map(|number| format!("some/{number}")).collect(),
        };
        assert_eq!(crash(1).during(), "some/1");
        assert_eq!(crash(5).during(), "some/1, some/2, some/3, some/4, some/5");
        assert_eq!(crash(6).during(), "some/1, some/2, some/3, some/4, some/5 and 1 more");
        assert_eq!(crash(300).during(), "some/1, some/2, some/3, some/4, some/5 and 295 more");
    }
}
