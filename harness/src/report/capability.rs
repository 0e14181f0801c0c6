//! What a broker was found to have: a table, a line, and where that differs from what is claimed.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::world::live::{CapabilityRow, Claimed, Contradiction, ContradictionWeight, Discovered, Found};

use super::console::wrap;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// The width of the column that tells how something was seen.
const EVIDENCE: usize = 72;

fn style(found: Found) -> Style {
    match found {
        Found::Yes => GREEN,
        Found::No => YELLOW,
        Found::Broken => RED,
        Found::Unknown => DIM,
    }
}

fn word(claimed: Option<Claimed>) -> &'static str {
    match claimed {
        Some(Claimed::Yes) => "yes",
        Some(Claimed::No) => "no",
        None => "-",
    }
}

/// A table of everything: what is claimed, what was found, how it was seen.
pub fn table(discovered: &Discovered) -> String {
    let names = discovered.capabilities.iter().map(|row| row.name.len());
    let width = names.chain(discovered.facts.iter().map(|fact| fact.name.len())).max().unwrap_or(0);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{BOLD}{:width$}  {:7}  {:7}  how it was seen{BOLD:#}",
        "capability", "claimed", "found"
    );
    let rest = |out: &mut String, indent: usize, evidence: &str| {
        for (number, line) in wrap(evidence, EVIDENCE).iter().enumerate() {
            let space = if number > 0 { " ".repeat(indent) } else { String::new() };
            let _ = writeln!(out, "{space}{DIM}{line}{DIM:#}");
        }
    };
    for CapabilityRow { name, claimed, found, evidence } in &discovered.capabilities {
        let look = style(*found);
        let _ = write!(out, "{name:width$}  {:7}  {look}{:7}{look:#}  ", word(*claimed), found.name());
        rest(&mut out, width + 20, evidence);
    }
    if discovered.facts.is_empty() {
        return out;
    }
    let shown = |value: &serde_json::Value| match value {
        serde_json::Value::Null => "-".to_string(),
        serde_json::Value::Bool(true) => "yes".to_string(),
        serde_json::Value::Bool(false) => "no".to_string(),
        serde_json::Value::String(text) => text.chars().filter(|c| !c.is_control()).take(40).collect(),
        other => other.to_string(),
    };
    let values: Vec<String> = discovered.facts.iter().map(|fact| shown(&fact.value)).collect();
    // As wide as the two columns above, or wider.
    let middle = values.iter().map(|value| value.chars().count()).max().unwrap_or(0).max(16);
    let _ = writeln!(out, "\n{BOLD}{:width$}  {:middle$}  how it was seen{BOLD:#}", "fact", "value");
    for (fact, value) in discovered.facts.iter().zip(&values) {
        let _ = write!(out, "{:width$}  {value:middle$}  ", fact.name);
        rest(&mut out, width + middle + 4, &fact.evidence);
    }
    out
}

/// All capabilities on one line, by what was found.
pub fn brief(discovered: &Discovered) -> String {
    let groups = [Found::Yes, Found::No, Found::Broken, Found::Unknown].into_iter().filter_map(|found| {
        let rows = discovered.capabilities.iter().filter(|row| row.found == found);
        let names: Vec<&str> = rows.map(|row| row.name.as_str()).collect();
        let look = style(found);
        (!names.is_empty()).then(|| format!("{look}{}{look:#}: {}", found.name(), names.join(", ")))
    });
    format!("capabilities found: {}", groups.collect::<Vec<_>>().join("; "))
}

/// A contradiction, in two lines.
pub fn contradiction(it: &Contradiction) -> String {
    let (look, label) = match it.weight {
        ContradictionWeight::Finding => (RED, "FAIL"),
        ContradictionWeight::Warning => (YELLOW, "warning"),
    };
    let said = match (it.claimed, it.found) {
        (Some(Claimed::Yes), Found::Broken) => "is claimed, and does not work",
        (Some(Claimed::Yes), _) => "is claimed, and is not there",
        (Some(Claimed::No), _) => "is said not to be there, and was found",
        (None, _) => "is announced or accepted, and does not work",
    };
    format!(
        "{look}{label}{look:#} {BOLD}{}{BOLD:#} {said}; {}\n     {}",
        it.name, it.consequence, it.evidence
    )
}
