//! What an index takes from a folder of certificates.

use std::fs;
use std::path::Path;

use jiff::civil::Date;

use crate::baseline::{Baseline, UNEXPLAINED};
use crate::certificate::sign::Envelope;
use crate::certificate::{ENVELOPE, STATEMENT};
use crate::report::Format;
use crate::report::badge::badge;
use crate::report::json::{CaseResult, DeviationState, RunResult};
use crate::report::read::read;
use crate::report::section::sections;
use crate::text::SourceText;
use crate::verdict::Verdict;

use super::{Broken, Certificate, DEVIATIONS, Explained, SectionCount};

/// All certificates below a folder: brokers by name, versions of each from old to new.
///
/// # Errors
/// Everything that is wrong, a message each: no certificate at all, or one that cannot be read, has another format or
/// is partial; deviations that do not fit.
pub fn gather(folder: &Path) -> Result<Vec<Certificate>, Vec<String>> {
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    for broker in folders(folder).map_err(|error| vec![error])? {
        match of_broker(&folder.join(&broker), &broker) {
            Ok(certificates) => found.extend(certificates),
            Err(errors) => wrong.extend(errors),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    if found.is_empty() {
        return Err(vec![format!(
            "there is no certificate below {0}; `assay certify PROFILE --out {0}` makes one",
            folder.display()
        )]);
    }
    Ok(found)
}

/// The folders in a folder, by name. What begins with a point is a certificate that is not finished.
fn folders(folder: &Path) -> Result<Vec<String>, String> {
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && entry.path().is_dir() {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

/// The certificates of one broker. The results are large; they are let go with the broker.
fn of_broker(folder: &Path, broker: &str) -> Result<Vec<Certificate>, Vec<String>> {
    let mut wrong = Vec::new();
    let mut results: Vec<(String, RunResult)> = Vec::new();
    for version in folders(folder).map_err(|error| vec![error])? {
        let place = folder.join(&version);
        if !place.join(Format::Json.file()).exists() && !place.join(STATEMENT).exists() {
            continue;
        }
        match result(&place) {
            Ok(result) => results.push((version, result)),
            Err(error) => wrong.push(error),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    results.sort_by_cached_key(|(version, _)| (parts(version), version.clone()));
    let deviations = deviations(&folder.join(DEVIATIONS), &results).map_err(|error| vec![error])?;
    let certificate = |(version, result): (String, RunResult)| {
        certificate(&folder.join(&version), broker, version, result, deviations.as_ref())
    };
    results.into_iter().map(certificate).collect::<Result<_, _>>().map_err(|error| vec![error])
}

fn result(place: &Path) -> Result<RunResult, String> {
    if !place.join(STATEMENT).exists() {
        return Err(format!("{} is no certificate: {STATEMENT} is missing", place.display()));
    }
    let result = read(place)?;
    if result.partial {
        return Err(format!(
            "{} is partial: its run was interrupted; certify that broker again, or remove the folder",
            place.display()
        ));
    }
    Ok(result)
}

/// A part of a version: words come before numbers, as in 1.0-rc and 1.0.1.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Word(String),
    Number(u64),
}

/// The parts of a version in an order in which 2.9 is before 2.10.
fn parts(version: &str) -> Vec<Part> {
    let parts = version.split(|c: char| !c.is_ascii_alphanumeric());
    parts.map(|part| part.parse().map_or_else(|_| Part::Word(part.into()), Part::Number)).collect()
}

/// The known deviations of a broker; every case of its certificates may be listed.
fn deviations(path: &Path, results: &[(String, RunResult)]) -> Result<Option<Baseline>, String> {
    if results.is_empty() || !path.exists() {
        return Ok(None);
    }
    let text =
        fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let cases = results.iter().flat_map(|(_, result)| &result.results);
    let mut known: Vec<String> = cases.map(CaseResult::key).collect();
    known.sort();
    known.dedup();
    let read = Baseline::parse(SourceText::new(path.display().to_string(), text), &known);
    read.map(Some).map_err(|problems| {
        format!("{} does not fit the certificates beside it\n{}", path.display(), problems.render(false))
    })
}

fn certificate(
    place: &Path,
    broker: &str,
    version: String,
    mut result: RunResult,
    deviations: Option<&Baseline>,
) -> Result<Certificate, String> {
    // As it is beside the report, where no deviations were known.
    let badge = badge(&result);
    let deviations = deviations.map(|it| explained(it, &mut result));
    let (sections, broken) = statements(&result);
    Ok(Certificate {
        broker: broker.into(),
        version,
        keys: keys(&place.join(ENVELOPE))?,
        badge,
        sections,
        broken,
        deviations,
        tool: result.tool,
        took_ms: result.took_ms,
        summary: result.summary,
        lost: result.lost.is_some(),
        choices: result.choices,
        capabilities: result.capabilities.into_iter().map(|row| (row.name, row.found)).collect(),
        facts: result.facts.into_iter().map(|fact| (fact.name, fact.value)).collect(),
    })
}

fn explained(deviations: &Baseline, result: &mut RunResult) -> Explained {
    // On the first of all days nothing has expired yet.
    deviations.apply(result, Date::MIN);
    let known = result.results.iter().filter_map(|case| case.deviation.as_ref());
    let known = known.filter(|it| it.state == DeviationState::Known);
    let (open, explained): (Vec<_>, Vec<_>) = known.partition(|it| it.reason.contains(UNEXPLAINED));
    Explained { explained: explained.len(), without_reason: open.len() }
}

fn statements(result: &RunResult) -> (Vec<SectionCount>, Vec<Broken>) {
    let sections = sections(result);
    let count = sections.iter().map(|section| SectionCount {
        version: section.version,
        number: section.number.split('.').filter_map(|part| part.parse().ok()).collect(),
        title: section.title.clone(),
        kept: section.count(Verdict::Pass),
        broken: section.count(Verdict::Fail),
        unanswered: section.count(Verdict::Inconclusive),
    });
    let broken = sections.iter().flat_map(|section| {
        section.statements.iter().filter(|row| !row.broken.is_empty()).map(|row| Broken {
            version: section.version,
            id: &row.requirement.id,
            words: &row.requirement.statement,
            cases: row.broken.len(),
        })
    });
    (count.collect(), broken.collect())
}

fn keys(envelope: &Path) -> Result<Vec<String>, String> {
    if !envelope.exists() {
        return Ok(Vec::new());
    }
    let shown = envelope.display();
    let text = fs::read_to_string(envelope).map_err(|error| format!("cannot read {shown}: {error}"))?;
    Ok(Envelope::parse(&text).map_err(|error| format!("{shown}: {error}"))?.keys())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_order_in_which_they_came() {
        let mut versions = ["2.0.11", "2.0.9", "10.1", "2.0-rc1", "2.0"];
        versions.sort_by_cached_key(|version| parts(version));
        assert_eq!(versions, ["2.0", "2.0-rc1", "2.0.9", "2.0.11", "10.1"]);
    }
}
