//! A certificate, checked again from nothing but its folder.
//!
//! Every file has the digest that the statement says, and no file is there that it does not name. Every piece of
//! evidence is judged again by the checkers of today and comes to the verdict that the report says. Every report is made
//! again from the result and is the same. The signature, if there is one, is by the key that was asked for.
//!
//! Never the case: a network, a broker, a file outside the folder.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::evidence::Evidence;
use crate::report::json::{CaseResult, RunResult};
use crate::report::{Format, render};
use crate::scenario::{Plan, Suite};
use crate::session::Outcome;
use crate::verdict::{Verdict, Weight};

use super::sign::Envelope;
use super::statement::{PREDICATE_TYPE, STATEMENT_TYPE, Statement};
use super::{ENVELOPE, EVIDENCE, STATEMENT, files, sha256};

/// One thing that is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, relative to the folder.
    pub file: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.what)
    }
}

/// What a check came to.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// What is wrong; nothing if the certificate holds.
    pub faults: Vec<Fault>,
    /// What should be known and is not wrong.
    pub remarks: Vec<String>,
    /// How many files have their digest.
    pub files: usize,
    /// How many pieces of evidence were judged again.
    pub evidence: usize,
    /// The keys that signed it.
    pub keys: Vec<String>,
    /// Whether a signature was checked.
    pub signature_checked: bool,
    /// The broker.
    pub broker: String,
    /// The result, in the words of the statement.
    pub result: String,
}

impl Verified {
    fn fault(&mut self, file: impl Into<String>, what: impl Into<String>) {
        self.faults.push(Fault { file: file.into(), what: what.into() });
    }
}

/// Checks a certificate. With a public key, a signature by that key has to be there.
///
/// # Errors
/// The folder cannot be read at all.
pub fn verify(folder: &Path, public_key: Option<&str>) -> std::io::Result<Verified> {
    let mut found = Verified::default();
    let text = std::fs::read(folder.join(STATEMENT))?;
    let statement: Statement = match serde_json::from_slice(&text) {
        Ok(statement) => statement,
        Err(error) => {
            found.fault(STATEMENT, format!("it is no statement: {error}"));
            return Ok(found);
        }
    };
    if statement.kind != STATEMENT_TYPE || statement.predicate_type != PREDICATE_TYPE {
        found.fault(STATEMENT, "it is another kind of statement");
    }
    found.result.clone_from(&statement.predicate.result);
    signature(folder, &text, public_key, &mut found);
    digests(folder, &statement, &mut found)?;
    let result = match std::fs::read(folder.join(Format::Json.file())) {
        Ok(text) => match serde_json::from_slice::<RunResult>(&text) {
            Ok(result) => result,
            Err(error) => {
                found.fault(Format::Json.file(), format!("it is no result of a run: {error}"));
                return Ok(found);
            }
        },
        Err(error) => {
            found.fault(Format::Json.file(), error.to_string());
            return Ok(found);
        }
    };
    found.broker.clone_from(&result.broker);
    counts(&statement, &result, &mut found);
    reports(folder, &result, &mut found);
    evidence(folder, &result, &mut found);
    Ok(found)
}

fn signature(folder: &Path, statement: &[u8], public_key: Option<&str>, found: &mut Verified) {
    let path = folder.join(ENVELOPE);
    if !path.exists() {
        if public_key.is_some() {
            found.fault(ENVELOPE, "there is no signature");
        }
        return;
    }
    let envelope = std::fs::read_to_string(&path)
        .map_err(|error| error.to_string())
        .and_then(|text| Envelope::parse(&text).map_err(|error| error.to_string()));
    let envelope = match envelope {
        Ok(envelope) => envelope,
        Err(error) => return found.fault(ENVELOPE, error),
    };
    found.keys = envelope.keys();
    match envelope.payload() {
        Ok(payload) if payload == statement => {}
        Ok(_) => found.fault(ENVELOPE, format!("what is signed is not {STATEMENT}")),
        Err(error) => found.fault(ENVELOPE, error.to_string()),
    }
    if let Some(key) = public_key {
        found.signature_checked = true;
        if let Err(error) = envelope.check(key) {
            found.fault(ENVELOPE, error.to_string());
        }
    }
}

fn digests(folder: &Path, statement: &Statement, found: &mut Verified) -> std::io::Result<()> {
    let mut named: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for subject in &statement.subject {
        if named.insert(&subject.name, subject.sha256()).is_some() {
            found.fault(STATEMENT, format!("it names {} twice", subject.name));
        }
    }
    let there = files(folder)?;
    for file in &there {
        if file == STATEMENT || file == ENVELOPE {
            continue;
        }
        match named.get(file.as_str()) {
            None => found.fault(file, "the statement does not name it"),
            Some(None) => found.fault(file, "the statement has no SHA-256 of it"),
            Some(Some(digest)) => {
                let now = sha256(&std::fs::read(folder.join(file))?);
                if now == *digest {
                    found.files += 1;
                } else {
                    found.fault(file, format!("its SHA-256 is {now}, the statement says {digest}"));
                }
            }
        }
    }
    for name in named.keys() {
        if !there.iter().any(|file| file == name) {
            found.fault(*name, "it is missing");
        }
    }
    Ok(())
}

/// The statement and the summary say what the cases say.
fn counts(statement: &Statement, result: &RunResult, found: &mut Verified) {
    let mut summary = crate::report::json::Summary::default();
    for case in &result.results {
        summary.count(case.verdict);
    }
    if summary != result.summary {
        found.fault(Format::Json.file(), "its summary does not count its cases");
    }
    let with = |verdicts: &[Verdict]| -> Vec<String> {
        result.results.iter().filter(|it| verdicts.contains(&it.verdict)).map(CaseResult::key).collect()
    };
    if statement.predicate.failed_tests != with(&[Verdict::Fail]) {
        found.fault(STATEMENT, "its failed tests are not those of the report");
    }
    if statement.predicate.warned_tests != with(&[Verdict::Inconclusive, Verdict::Error]) {
        found.fault(STATEMENT, "its tests without an answer are not those of the report");
    }
}

/// Every report is what this program makes of the result; another version may put it otherwise.
fn reports(folder: &Path, result: &RunResult, found: &mut Verified) {
    let ours = concat!("assay ", env!("CARGO_PKG_VERSION"));
    if result.tool != ours {
        found.remarks.push(format!("made by {}: its reports were not made again by {ours}", result.tool));
        return;
    }
    for format in Format::ALL {
        let Ok(text) = std::fs::read_to_string(folder.join(format.file())) else { continue };
        match render(format, result) {
            Ok(again) if again.trim_end() == text.trim_end() => {}
            Ok(_) => found.fault(format.file(), "it is not what the result says"),
            Err(error) => found.fault(format.file(), error),
        }
    }
}

/// Every piece of evidence is judged again, and nothing that did not pass is without.
fn evidence(folder: &Path, result: &RunResult, found: &mut Verified) {
    let suite = Suite::embedded(&[]).ok();
    let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
    if let Some(suite) = &suite {
        texts.extend(suite.scenarios().map(|(file, it)| (it.name.as_str(), file.source.text.as_str())));
    }
    let mut others = 0_usize;
    for case in &result.results {
        let Some(file) = &case.evidence else {
            // A case that was never played has nothing to show.
            if case.verdict == Verdict::Fail {
                found.fault(Format::Json.file(), format!("{} failed and has no evidence", case.key()));
            }
            continue;
        };
        if !file.starts_with(&format!("{EVIDENCE}/")) || file.contains("..") {
            found.fault(file, "it is outside the certificate");
            continue;
        }
        match judged_again(&folder.join(file), case, &texts) {
            Ok(same_suite) => {
                found.evidence += 1;
                others += usize::from(!same_suite);
            }
            Err(what) => found.fault(file, what),
        }
    }
    if others > 0 {
        found.remarks.push(format!("{others} scenarios are not those of this program's suite"));
    }
}

/// Judges one piece of evidence. Says whether its scenario is that of this program's suite.
fn judged_again(path: &Path, case: &CaseResult, suite: &BTreeMap<&str, &str>) -> Result<bool, String> {
    let evidence = Evidence::read(path).map_err(|error| error.to_string())?;
    let header = &evidence.header;
    if header.scenario != case.scenario || header.case != case.case || header.protocol != case.protocol {
        return Err(format!("it is not of {}", case.key()));
    }
    let (_, scenario) = evidence.scenario()?;
    let version = evidence.version().ok_or("it is of an unknown protocol version")?;
    let plan = Plan::new(&scenario, version, &evidence.plan_options())
        .map_err(|problems| problems.into_iter().map(|it| it.message).collect::<Vec<_>>().join("; "))?;
    let Evidence { header, history, footer } = evidence;
    let again = Outcome::judged(0, plan, history, Duration::ZERO);
    let (verdict, findings) = (again.verdict, again.findings);
    if verdict != footer.verdict {
        return Err(format!("it is judged {verdict} now; it says {}", footer.verdict));
    }
    // What fails in some runs only answers nothing; the evidence is that of the first run.
    if verdict != case.verdict && case.verdict != Verdict::Inconclusive {
        return Err(format!("it is judged {verdict}; the report says {}", case.verdict));
    }
    for finding in &case.findings {
        let known = findings.iter().any(|it| {
            it.requirement == finding.requirement
                && it.observed == finding.observed
                && it.expected == finding.expected
        });
        // What the harness says of itself is not in the history.
        if !known && finding.weight == Weight::Violation {
            return Err(format!(
                "the report says of {}: {}; the evidence does not",
                finding.requirement, finding.observed
            ));
        }
    }
    Ok(suite.get(case.scenario.as_str()).is_some_and(|text| *text == header.text))
}
