//! The tables of an index, from its certificates.

use std::collections::BTreeMap;

use reference_broker::codec::ProtocolVersion;
use serde_json::Value;

use crate::report::Format;
use crate::report::json::ChoiceRow;
use crate::requirement::{Catalogue, rulings};
use crate::world::live::Found;

use super::table::{Cell, Chapter, Column, Piece, Table, Tone, encoded, href};
use super::{Certificate, DEVIATIONS, SectionCount};

/// What stands where nothing was asked or seen.
const NOTHING: &str = "–";
/// Of a text of the broker, at most so many characters are shown.
const MOST: usize = 40;

/// What the index is about, in a sentence.
pub fn sentence(certificates: &[Certificate]) -> String {
    let mut brokers: Vec<&str> = certificates.iter().map(|it| it.broker.as_str()).collect();
    brokers.dedup();
    let mut tools: Vec<&str> = certificates.iter().map(|it| it.tool.as_str()).collect();
    tools.sort_unstable();
    tools.dedup();
    format!(
        "{} of {}, made by {}.",
        plural(certificates.len(), "certificate"),
        plural(brokers.len(), "broker"),
        tools.join(", ")
    )
}

fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// What is to be known of the first table.
const BROKERS: &str =
    "A case fails if it finds a statement broken. A statement is judged if a case passed or failed on it.";
/// The same, if a broker was lost.
const LOST: &str = "A case fails if it finds a statement broken. A statement is judged if a case passed or failed on it. \
    Incomplete: the broker was lost during the run, and what was left could not be asked.";

/// Everything.
pub fn chapters(certificates: &[Certificate]) -> Vec<Chapter> {
    let versions = [ProtocolVersion::V3_1_1, ProtocolVersion::V5];
    let chapter = |id, title, words, tables| Chapter { id, title, words, tables };
    vec![
        chapter(
            "brokers",
            "Brokers",
            if certificates.iter().any(|it| it.lost) { LOST } else { BROKERS },
            vec![brokers(certificates)],
        ),
        chapter(
            "sections",
            "Sections of the standards",
            "Statements of each section: ✓ kept, ✗ broken, ? unanswered, – not judged.",
            versions.iter().filter_map(|version| sections(certificates, *version)).collect(),
        ),
        chapter(
            "broken",
            "Broken statements",
            "Which brokers break a statement, and in how many cases.",
            versions.iter().filter_map(|version| broken(certificates, *version)).collect(),
        ),
        chapter(
            "choices",
            "Implementation choices",
            "What the standards leave open, and what each broker does; several values if it does different things in different cases. None of it is an error. – was not seen.",
            vec![choices(certificates)],
        ),
        chapter(
            "capabilities",
            "Capabilities and limits",
            "What was found when the broker was asked before the run.",
            vec![capabilities(certificates)],
        ),
    ]
}

fn word(title: &str) -> Column {
    Column { title: title.into(), number: false }
}

fn number(title: &str) -> Column {
    Column { title: title.into(), number: true }
}

/// These columns, and one for each certificate.
fn beside(first: Vec<Column>, certificates: &[Certificate]) -> Vec<Column> {
    first.into_iter().chain(certificates.iter().map(|it| word(&it.name()))).collect()
}

fn nothing(spoken: &str) -> Cell {
    Cell::signs(Tone::Absent, NOTHING, spoken)
}

fn brokers(certificates: &[Certificate]) -> Table {
    let mut columns: Vec<Column> = ["Broker", "Version", "MQTT"].map(word).into();
    columns.extend(["Took", "Passed", "Failed", "Inconclusive"].map(number));
    let errors = certificates.iter().any(|it| it.summary.error > 0);
    if errors {
        columns.push(number("Harness errors"));
    }
    columns.extend(["Skipped", "Statements broken"].map(number));
    columns.extend(["Certificate", "Known deviations"].map(word));
    let row = |it: &Certificate| {
        let counts = &it.summary;
        let (broken, judged) = it.statements();
        let mut row = vec![name(it), Cell::text(&it.version), spoken_versions(it)];
        row.push(Cell::text(duration(it.took_ms)));
        row.push(Cell::text(counts.pass.to_string()));
        row.push(marked(counts.fail, Tone::Bad));
        row.push(marked(counts.inconclusive, Tone::Open));
        if errors {
            row.push(marked(counts.error, Tone::Open));
        }
        row.push(Cell::text(counts.skipped.to_string()));
        let tone = if broken > 0 { Tone::Bad } else { Tone::Good };
        row.push(Cell::text(format!("{broken} of {judged}")).tone(tone));
        row.push(links(it));
        row.push(deviations(it));
        row
    };
    Table { title: String::new(), columns, rows: certificates.iter().map(row).collect() }
}

/// The broker, and that it was lost if it was. Why is in its report: that may be long, and is of one machine.
fn name(it: &Certificate) -> Cell {
    if it.lost {
        return Cell::text(format!("{} (incomplete)", it.broker)).tone(Tone::Open);
    }
    Cell::text(&it.broker)
}

fn marked(count: usize, tone: Tone) -> Cell {
    Cell::text(count.to_string()).tone(if count > 0 { tone } else { Tone::Plain })
}

/// The versions of MQTT that it speaks, by what discovery found.
fn spoken_versions(it: &Certificate) -> Cell {
    let versions = it.capabilities.iter().filter_map(|(name, found)| {
        let version = name.strip_prefix("mqtt-")?;
        match found {
            Found::Yes => Some(version.to_string()),
            Found::Broken => Some(format!("{version} (broken)")),
            Found::No | Found::Unknown => None,
        }
    });
    let versions: Vec<String> = versions.collect();
    if versions.is_empty() { nothing("not known") } else { Cell::text(versions.join(", ")) }
}

fn duration(ms: f64) -> String {
    let seconds = (ms / 1000.0).round() as u64;
    if seconds < 60 {
        format!("{:.1} s", ms / 1000.0)
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

fn links(it: &Certificate) -> Cell {
    let file = |name: &str| href(&[&it.broker, &it.version, name]);
    let link = |format: Format| Piece::Link { href: file(format.file()), text: format.file().into() };
    let signed = match it.keys.as_slice() {
        [] => ", not signed".to_string(),
        keys => format!(", signed by {}", keys.join(", ")),
    };
    Cell::of(vec![
        Piece::Badge { href: file(Format::Badge.file()), svg: it.badge.clone() },
        Piece::Text(" ".into()),
        link(Format::Html),
        Piece::Text(", ".into()),
        link(Format::Markdown),
        Piece::Text(signed),
    ])
}

fn deviations(it: &Certificate) -> Cell {
    let Some(known) = it.deviations else { return nothing("no list") };
    let mut says = format!(" explains {} of {}", known.explained, plural(it.summary.fail, "failing case"));
    if known.without_reason > 0 {
        says.push_str(&format!(", lists {} more without a reason", known.without_reason));
    }
    let link = Piece::Link { href: href(&[&it.broker, DEVIATIONS]), text: DEVIATIONS.into() };
    Cell::of(vec![link, Piece::Text(says)])
}

/// One version of the protocol, if any certificate says something about it.
fn sections(certificates: &[Certificate], version: ProtocolVersion) -> Option<Table> {
    let of_version = |it: &Certificate| -> BTreeMap<Vec<u32>, SectionCount> {
        let own = it.sections.iter().filter(|section| section.version == version);
        own.map(|section| (section.number.clone(), section.clone())).collect()
    };
    let columns: Vec<BTreeMap<Vec<u32>, SectionCount>> = certificates.iter().map(of_version).collect();
    let mut all: BTreeMap<&Vec<u32>, &str> = BTreeMap::new();
    for (number, section) in columns.iter().flatten() {
        all.insert(number, &section.title);
    }
    if all.is_empty() {
        return None;
    }
    let row = |(section, title): (&&Vec<u32>, &&str)| {
        let shown: Vec<String> = section.iter().map(u32::to_string).collect();
        let mut row = vec![Cell::text(format!("{} {title}", shown.join(".")))];
        row.extend(columns.iter().map(|column| match column.get(*section) {
            Some(it) => counts(it.kept, it.broken, it.unanswered),
            None => counts(0, 0, 0),
        }));
        row
    };
    let mut rows: Vec<Vec<Cell>> = all.iter().map(row).collect();
    let mut total = vec![Cell::text("All sections")];
    total.extend(columns.iter().map(|column| {
        let sum = |of: fn(&SectionCount) -> usize| column.values().map(of).sum();
        counts(sum(|it| it.kept), sum(|it| it.broken), sum(|it| it.unanswered))
    }));
    rows.push(total);
    let columns = beside(vec![word("Section")], certificates);
    Some(Table { title: format!("MQTT {version}"), columns, rows })
}

/// How many statements are kept, broken, unanswered: by a sign, by its look, and in words.
fn counts(kept: usize, broken: usize, unanswered: usize) -> Cell {
    let tone = match (broken, unanswered, kept) {
        (1.., _, _) => Tone::Bad,
        (0, 1.., _) => Tone::Open,
        (0, 0, 1..) => Tone::Good,
        (0, 0, 0) => return nothing("not judged"),
    };
    let all = [(broken, "✗", "broken"), (kept, "✓", "kept"), (unanswered, "?", "unanswered")];
    let some = || all.iter().filter(|(count, ..)| *count > 0);
    let signs: Vec<String> = some().map(|(count, sign, _)| format!("{sign} {count}")).collect();
    let words: Vec<String> = some().map(|(count, _, word)| format!("{count} {word}")).collect();
    Cell::signs(tone, signs.join(" "), words.join(", "))
}

fn broken(certificates: &[Certificate], version: ProtocolVersion) -> Option<Table> {
    let mut by_statement: BTreeMap<&str, (&str, Vec<Piece>)> = BTreeMap::new();
    for it in certificates {
        for broken in it.broken.iter().filter(|broken| broken.version == version) {
            let (_, pieces) = by_statement.entry(broken.id).or_insert((broken.words, Vec::new()));
            if !pieces.is_empty() {
                pieces.push(Piece::Text(", ".into()));
            }
            let report = href(&[&it.broker, &it.version, Format::Html.file()]);
            let filter =
                format!("#view=cases&broken={}&protocol={}", encoded(broken.id), encoded(version.name()));
            pieces.push(Piece::Link {
                href: report + &filter,
                text: format!("{} ({})", it.name(), plural(broken.cases, "case")),
            });
        }
    }
    if by_statement.is_empty() {
        return None;
    }
    // The order of the standard, which is not that of the ids as text.
    let rows = Catalogue::of(version).ids().filter_map(|id| {
        let (words, brokers) = by_statement.remove(id)?;
        Some(vec![Cell::code(id), Cell::text(words), Cell::of(brokers)])
    });
    let rows = rows.collect();
    let columns = ["Statement", "What it says", "Broken by"].map(word).into();
    Some(Table { title: format!("MQTT {version}"), columns, rows })
}

fn choices(certificates: &[Certificate]) -> Table {
    let place = |row: &ChoiceRow| rulings().iter().position(|ruling| ruling.id == row.ruling);
    let mut all: Vec<&ChoiceRow> = certificates.iter().flat_map(|it| &it.choices).collect();
    let key = |row: &&ChoiceRow| (place(row), row.name.clone(), row.protocol.clone());
    all.sort_by_cached_key(key);
    all.dedup_by_key(|row| (row.name.as_str(), row.protocol.as_str()));
    let row = |choice: &&ChoiceRow| {
        let mut row =
            vec![Cell::code(&choice.name), Cell::text(&choice.ruling), Cell::text(&choice.protocol)];
        row.extend(certificates.iter().map(|it| {
            let same = |other: &&ChoiceRow| other.name == choice.name && other.protocol == choice.protocol;
            let Some(found) = it.choices.iter().find(same) else { return nothing("not seen") };
            let mut values: Vec<&str> = found.values.iter().map(|value| value.value.as_str()).collect();
            values.sort_unstable();
            Cell::text(values.join(", "))
        }));
        row
    };
    let columns = beside(["Choice", "Ruling", "MQTT"].map(word).into(), certificates);
    Table { title: String::new(), columns, rows: all.iter().map(row).collect() }
}

fn capabilities(certificates: &[Certificate]) -> Table {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for name in names(certificates.iter().flat_map(|it| &it.capabilities).map(|(name, _)| name)) {
        let mut row = vec![Cell::code(name)];
        row.extend(certificates.iter().map(|it| {
            let found = it.capabilities.iter().find(|(other, _)| other == name);
            match found.map(|(_, found)| *found) {
                Some(Found::Yes) => Cell::signs(Tone::Good, "✓ yes", "yes"),
                Some(Found::No) => Cell::text("no").tone(Tone::Absent),
                Some(Found::Broken) => Cell::signs(Tone::Bad, "✗ broken", "broken"),
                Some(Found::Unknown) => Cell::signs(Tone::Open, "? unknown", "unknown"),
                None => nothing("not asked"),
            }
        }));
        rows.push(row);
    }
    for name in names(certificates.iter().flat_map(|it| &it.facts).map(|(name, _)| name)) {
        let mut row = vec![Cell::code(name)];
        row.extend(certificates.iter().map(|it| {
            match it.facts.iter().find(|(other, _)| other == name).map(|(_, value)| value) {
                None => nothing("not asked"),
                Some(Value::Null) => nothing("not said"),
                Some(value) => Cell::text(shown(value)),
            }
        }));
        rows.push(row);
    }
    let columns = beside(vec![word("Capability or limit")], certificates);
    Table { title: String::new(), columns, rows }
}

/// Each name once, in the order in which they come.
fn names<'n>(all: impl Iterator<Item = &'n String>) -> Vec<&'n String> {
    let mut names: Vec<&String> = Vec::new();
    for name in all {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What a broker told about itself.
fn shown(value: &Value) -> String {
    match value {
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::String(text) => {
            let text: String = text.chars().filter(|c| !c.is_control()).collect();
            if text.chars().count() <= MOST { text } else { text.chars().take(MOST).chain(['…']).collect() }
        }
        other => other.to_string(),
    }
}
