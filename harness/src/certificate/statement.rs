//! The in-toto statement of a certificate: which files it is about, and how the tests went.
//!
//! Statement v1 with a test-result predicate v0.1, as the in-toto attestation framework defines them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::report::json::RunResult;
use crate::verdict::Verdict;

use super::{ENVELOPE, PROFILE, STATEMENT, files, sha256};

/// The type of statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The type of predicate.
pub const PREDICATE_TYPE: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// A file or another thing, and its digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its name; of a file, its path inside the certificate.
    pub name: String,
    /// Digests by their algorithm.
    pub digest: BTreeMap<String, String>,
}

impl Resource {
    /// A thing with its SHA-256.
    pub fn new(name: impl Into<String>, sha256: String) -> Resource {
        Resource { name: name.into(), digest: BTreeMap::from([("sha256".to_string(), sha256)]) }
    }

    /// Its SHA-256, if it has one.
    pub fn sha256(&self) -> Option<&str> {
        self.digest.get("sha256").map(String::as_str)
    }
}

/// How the tests went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    /// `PASSED`, `WARNED` (something gave no answer) or `FAILED`.
    pub result: String,
    /// What the tests ran with: the profile, the suite, the broker's program.
    pub configuration: Vec<Resource>,
    /// The cases that gave no answer.
    pub warned_tests: Vec<String>,
    /// The cases that failed. What passed is in the report.
    pub failed_tests: Vec<String>,
}

/// The statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// The type of statement.
    #[serde(rename = "_type")]
    pub kind: String,
    /// Every file of the certificate, except this statement and its envelope.
    pub subject: Vec<Resource>,
    /// The type of predicate.
    pub predicate_type: String,
    /// How the tests went.
    pub predicate: TestResult,
}

impl Statement {
    /// A statement about a folder as it is now. `more` is what else the tests ran with.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn of(folder: &Path, result: &RunResult, more: Vec<Resource>) -> io::Result<Statement> {
        let mut subject = Vec::new();
        for name in files(folder)? {
            if name != STATEMENT && name != ENVELOPE {
                let digest = sha256(&std::fs::read(folder.join(&name))?);
                subject.push(Resource::new(name, digest));
            }
        }
        let with = |verdicts: &[Verdict]| -> Vec<String> {
            result.results.iter().filter(|it| verdicts.contains(&it.verdict)).map(|it| it.key()).collect()
        };
        let failed_tests = with(&[Verdict::Fail]);
        let warned_tests = with(&[Verdict::Inconclusive, Verdict::Error]);
        let complete = !result.partial && result.lost.is_none() && warned_tests.is_empty();
        let outcome = match (failed_tests.is_empty(), complete) {
            (false, _) => "FAILED",
            (true, false) => "WARNED",
            (true, true) => "PASSED",
        };
        let mut configuration: Vec<Resource> =
            subject.iter().filter(|it| it.name == PROFILE).cloned().collect();
        configuration.extend(more);
        Ok(Statement {
            kind: STATEMENT_TYPE.into(),
            subject,
            predicate_type: PREDICATE_TYPE.into(),
            predicate: TestResult { result: outcome.into(), configuration, warned_tests, failed_tests },
        })
    }

    /// Its text. The same bytes are what a signature is over.
    pub fn to_text(&self) -> String {
        // Plain data with text keys always has a JSON form.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
