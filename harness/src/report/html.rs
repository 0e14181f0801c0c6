//! A run as one HTML file that needs nothing else: no network, no other file.
//!
//! The page itself is in `page/`; here the run becomes the data that it reads. Whatever a broker said is untrusted:
//! it is data in here, and text there, never markup. The page allows itself one style and one script, by their
//! digests, so that nothing else can run even if some text found a way out.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use reference_broker::codec::ProtocolVersion;

use crate::requirement::{Accepted, Catalogue, rulings, rulings_about};
use crate::verdict::Verdict;

use super::json::{CaseResult, CrashResult, Deviation, FindingResult, RowKind, RunResult, Timeline};
use super::section::sections;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = concat!(include_str!("page/colours.css"), "\n", include_str!("page/page.css"));
/// Parts of one script, in the order in which they run.
const SCRIPT: &[&str] = &[
    include_str!("page/data.js"),
    include_str!("page/dom.js"),
    include_str!("page/overview.js"),
    include_str!("page/about.js"),
    include_str!("page/cases.js"),
    include_str!("page/case.js"),
    include_str!("page/timeline.js"),
    include_str!("page/diagram.js"),
    include_str!("page/page.js"),
];

/// Stands for the name of the case in a replay command: most cases of a run share the rest of it.
const NAME: &str = "\0";

/// What the page reads. `page/data.js` unpacks it.
#[derive(Serialize)]
struct Page<'r> {
    /// The run without its cases.
    run: Value,
    versions: Vec<Version<'r>>,
    rulings: BTreeMap<&'static str, Ruling>,
    /// Every text of the cases, once.
    texts: Vec<&'r str>,
    /// Every list of statements of the cases, once.
    lists: Vec<&'r [String]>,
    cases: Vec<Case<'r>>,
}

#[derive(Serialize)]
struct Version<'r> {
    version: &'static str,
    sections: Vec<Section>,
    /// Every statement that occurs, by its id.
    statements: BTreeMap<&'r str, Statement>,
}

#[derive(Serialize)]
struct Section {
    number: String,
    title: String,
    statements: Vec<Row>,
}

/// How many cases say what about a statement.
#[derive(Serialize)]
struct Row {
    id: &'static str,
    verdict: Option<Verdict>,
    passed: usize,
    broken: usize,
    unanswered: usize,
    skipped: usize,
}

#[derive(Serialize)]
struct Statement {
    section: &'static str,
    level: String,
    text: &'static str,
    rulings: Vec<&'static str>,
}

#[derive(Serialize)]
struct Ruling {
    topic: &'static str,
    accepted: Vec<AcceptedRow>,
    firm: &'static [String],
    note: Option<&'static str>,
}

#[derive(Serialize)]
struct AcceptedRow {
    slug: &'static str,
    what: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    versions: &'static [String],
}

/// A case. Texts and lists of statements are numbers of entries in the tables.
#[derive(Serialize)]
struct Case<'r> {
    scenario: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<&'r str>,
    protocol: &'r str,
    title: usize,
    verdict: Verdict,
    /// Time outside, in milliseconds.
    ms: u64,
    /// Time inside, in milliseconds.
    within: u64,
    names: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<usize>,
    replay: usize,
    #[serde(skip_serializing_if = "<[Verdict]>::is_empty")]
    attempts: &'r [Verdict],
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crash: Option<&'r CrashResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deviation: Option<&'r Deviation>,
    #[serde(skip_serializing_if = "<[FindingResult]>::is_empty")]
    findings: &'r [FindingResult],
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<Rows<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'r str>,
}

#[derive(Serialize)]
struct Rows<'r> {
    clients: &'r [String],
    /// Event, time in microseconds, kind, client or -1, flags, text.
    rows: Vec<(u32, u64, u8, i64, u8, usize)>,
}

/// Numbers things in the order in which they come.
struct Table<T> {
    numbers: BTreeMap<T, usize>,
    entries: Vec<T>,
}

impl<T: Ord + Copy> Table<T> {
    fn new() -> Table<T> {
        Table { numbers: BTreeMap::new(), entries: Vec::new() }
    }

    fn number(&mut self, entry: T) -> usize {
        *self.numbers.entry(entry).or_insert_with(|| {
            self.entries.push(entry);
            self.entries.len() - 1
        })
    }
}

/// The whole file.
///
/// # Errors
/// What cannot be written as JSON; nothing that a run produces.
pub fn html(result: &RunResult) -> Result<String, String> {
    let script = format!("(() => {{\n\"use strict\";\n{}}})();\n", SCRIPT.concat());
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        digest(&script),
        digest(STYLE)
    );
    let data = data(result).map_err(|error| error.to_string())?;
    let mut out = String::with_capacity(PAGE.len() + STYLE.len() + script.len() + data.len());
    // In one pass: what was put in is not looked at again.
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("the page has a place without an end")?;
        out.push_str(before);
        out.push_str(match name {
            "policy" => &policy,
            "style" => STYLE,
            "script" => &script,
            "data" => &data,
            other => return Err(format!("the page has a place named {other}")),
        });
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// As a content security policy names what it allows.
pub fn digest(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(&Sha256::digest(text.as_bytes())))
}

/// The data as JSON that cannot end the element around it.
fn data(result: &RunResult) -> Result<String, serde_json::Error> {
    let replays: Vec<String> =
        result.results.iter().map(|case| case.replay.replacen(&case.full_name(), NAME, 1)).collect();
    let mut texts = Table::new();
    let mut lists = Table::new();
    let cases =
        result.results.iter().zip(&replays).map(|(it, replay)| case(it, replay, &mut texts, &mut lists));
    let cases = cases.collect();
    let mut run = serde_json::to_value(result)?;
    if let Some(run) = run.as_object_mut() {
        run.remove("results");
    }
    let page = Page {
        run,
        versions: versions(result),
        rulings: shown_rulings(result),
        texts: texts.entries,
        lists: lists.entries,
        cases,
    };
    Ok(serde_json::to_string(&page)?.replace('<', "\\u003c"))
}

fn case<'r>(
    case: &'r CaseResult,
    replay: &'r str,
    texts: &mut Table<&'r str>,
    lists: &mut Table<&'r [String]>,
) -> Case<'r> {
    Case {
        scenario: texts.number(&case.scenario),
        case: case.case.as_deref(),
        protocol: &case.protocol,
        title: texts.number(&case.title),
        verdict: case.verdict,
        ms: case.real_ms.round() as u64,
        within: case.virtual_ms.round() as u64,
        names: lists.number(&case.requirements),
        judged: (case.judged != case.requirements).then(|| lists.number(&case.judged)),
        reason: (!case.reason.is_empty()).then(|| texts.number(&case.reason)),
        replay: texts.number(replay),
        attempts: &case.attempts,
        evidence: case.evidence.as_deref(),
        crash: case.crash.as_ref(),
        deviation: case.deviation.as_ref(),
        findings: &case.findings,
        timeline: case.timeline.as_ref().map(|it| rows(it, texts)),
        digest: case.timeline.as_ref().map(|_| case.digest.as_str()),
    }
}

fn rows<'r>(timeline: &'r Timeline, texts: &mut Table<&'r str>) -> Rows<'r> {
    let rows = timeline.rows.iter().map(|row| {
        let kind = match row.kind {
            RowKind::Step => 0,
            RowKind::Packet => 1,
            RowKind::Connection => 2,
            RowKind::Fault => 3,
            RowKind::Broker => 4,
        };
        let flags = u8::from(row.from_broker)
            | u8::from(row.lost) << 1
            | u8::from(row.by_script) << 2
            | u8::from(row.marked) << 3;
        let client = row.client.map_or(-1, |client| client as i64);
        (row.event, row.at_us, kind, client, flags, texts.number(&row.text))
    });
    Rows { clients: &timeline.clients, rows: rows.collect() }
}

/// The statements that occur, by version: those of the sections, and what findings name besides.
fn versions(result: &RunResult) -> Vec<Version<'_>> {
    let sections = sections(result);
    let version = |version: ProtocolVersion| {
        let catalogue = Catalogue::of(version);
        let own = sections.iter().filter(|section| section.version == version);
        let of_version = |case: &&CaseResult| {
            ProtocolVersion::from_name(&case.protocol)
                .is_some_and(|it| (it == ProtocolVersion::V5) == (version == ProtocolVersion::V5))
        };
        let ids: BTreeSet<&str> = result.results.iter().filter(of_version).flat_map(named).collect();
        let statement = |id: &str| {
            let found = catalogue.get(id)?;
            Some(Statement {
                section: &found.section,
                level: found.level.to_string(),
                text: &found.statement,
                rulings: rulings_about(id, version).map(|ruling| ruling.id.as_str()).collect(),
            })
        };
        Version {
            version: version.name(),
            sections: own
                .map(|section| Section {
                    number: section.number.clone(),
                    title: section.title.clone(),
                    statements: section
                        .statements
                        .iter()
                        .map(|row| Row {
                            id: &row.requirement.id,
                            verdict: row.verdict(),
                            passed: row.passed,
                            broken: row.broken.len(),
                            unanswered: row.unanswered.len(),
                            skipped: row.skipped,
                        })
                        .collect(),
                })
                .collect(),
            statements: ids.into_iter().filter_map(|id| Some((id, statement(id)?))).collect(),
        }
    };
    vec![version(ProtocolVersion::V3_1_1), version(ProtocolVersion::V5)]
}

/// The statements that a case names anywhere.
fn named(case: &CaseResult) -> impl Iterator<Item = &str> {
    let found = case.findings.iter().flat_map(|it| std::iter::once(&it.requirement).chain(&it.also));
    case.requirements.iter().chain(&case.judged).chain(found).map(String::as_str)
}

/// The rulings about statements that occur, and those that grant a choice that was seen.
fn shown_rulings(result: &RunResult) -> BTreeMap<&'static str, Ruling> {
    let mut wanted: BTreeSet<&str> = result.choices.iter().map(|row| row.ruling.as_str()).collect();
    for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        let ids: BTreeSet<&str> = result.results.iter().flat_map(named).collect();
        wanted.extend(ids.iter().flat_map(|id| rulings_about(id, version)).map(|ruling| ruling.id.as_str()));
    }
    let accepted =
        |it: &'static Accepted| AcceptedRow { slug: &it.slug, what: &it.what, versions: &it.versions };
    let shown = rulings().iter().filter(|ruling| wanted.contains(ruling.id.as_str()));
    let row = |ruling: &'static crate::requirement::Ruling| Ruling {
        topic: &ruling.topic,
        accepted: ruling.accepted.iter().map(accepted).collect(),
        firm: &ruling.firm,
        note: ruling.note.as_deref(),
    };
    shown.map(|ruling| (ruling.id.as_str(), row(ruling))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_one_file_without_anything_from_elsewhere() {
        for text in SCRIPT.iter().chain([&STYLE, &PAGE]) {
            for foreign in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "fetch(",
                "@import",
                "url(",
                " src=",
                " onclick=",
                "http://",
            ] {
                let own = text.replace(SVG_NAMESPACE, "");
                assert!(!own.contains(foreign), "{foreign} in {}", &text[..60]);
            }
        }
    }

    /// A name, and no address that anything is loaded from.
    const SVG_NAMESPACE: &str = "http://www.w3.org/2000/svg";

    #[test]
    fn every_place_of_the_page_is_filled() {
        let names: Vec<&str> =
            PAGE.split("{{").skip(1).filter_map(|it| Some(it.split_once("}}")?.0)).collect();
        assert_eq!(names, ["policy", "style", "data", "script"]);
        let end = ["</script", "</style", "{{"];
        for text in SCRIPT.iter().chain([&STYLE]) {
            assert!(end.iter().all(|it| !text.contains(it)), "{}", &text[..60]);
        }
    }
}
