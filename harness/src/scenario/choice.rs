//! Implementation choices in a scenario: which value of a choice an observation shows.
//!
//! What the standard leaves open is recorded and never fails. A choice stands beside an alternative that is
//! accepted anyway, or beside a count of deliveries that nothing else judges.

use crate::requirement::{MEASURED_VALUE, choice, rulings};
use crate::text::{Node, NodeId, NodeKind};

use super::read::Reader;

/// The word of a scenario for a value that is measured.
const MEASURED: &str = "measured";

/// A choice that an alternative shows when it is the one that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoiceSpec {
    /// Its name in the rulings.
    pub name: &'static str,
    /// How its value shows.
    pub shown: Shown,
    /// Where it stands in the file.
    pub at: NodeId,
}

/// How the value of a choice shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// It is this one.
    Value(&'static str),
    /// It is the time since the beginning of the step.
    Measured,
    /// The first sign that the close bears tells it; without one of them nothing is recorded.
    Close(Vec<(CloseSign, &'static str)>),
}

/// What can be seen of a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseSign {
    /// CONNACK or DISCONNECT with this code came before it.
    Code(u8),
    /// CONNACK or DISCONNECT came before it.
    Said,
    /// Neither came before it.
    Silent,
    /// FIN.
    Fin,
    /// RST.
    Reset,
    /// It came at once: within a second, and the tolerance of the world.
    Soon,
    /// It came, but not at once.
    Later,
}

/// A choice that shows as a number of deliveries in the whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSpec {
    /// Its name in the rulings.
    pub name: &'static str,
    /// Which payloads are counted; empty for any.
    pub payloads: Vec<String>,
    /// On which topic, if that matters.
    pub topic: Option<String>,
    /// At which clients; several count together.
    pub to: Vec<usize>,
    /// What the number says.
    pub count: ByCount,
    /// Where it stands in the file.
    pub at: NodeId,
}

/// What a number of deliveries says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByCount {
    /// It is the value.
    Measured,
    /// The value that stands beside it; another number records nothing.
    Values(Vec<(u64, &'static str)>),
}

impl ChoiceSpec {
    /// The values that it can record, as the rulings have them.
    pub fn values(&self) -> Vec<&'static str> {
        match &self.shown {
            Shown::Value(value) => vec![*value],
            Shown::Measured => vec![MEASURED_VALUE],
            Shown::Close(signs) => signs.iter().map(|(_, value)| *value).collect(),
        }
    }
}

impl ByCount {
    /// The values that it can record, as the rulings have them.
    pub fn values(&self) -> Vec<&'static str> {
        match self {
            ByCount::Measured => vec![MEASURED_VALUE],
            ByCount::Values(values) => values.iter().map(|(_, value)| *value).collect(),
        }
    }
}

/// `choice: { name: value }`, which `expect` and every alternative of `expect_any` may have. `closed` is whether
/// it stands beside a close.
pub(super) fn choices(node: &Node, closed: bool, reader: &mut Reader) -> Vec<ChoiceSpec> {
    let Some(node) = node.get("choice") else { return Vec::new() };
    let NodeKind::Map(entries) = &node.kind else {
        reader.expected(node, "a map like { overlapping-subscriptions: one-copy }");
        return Vec::new();
    };
    let mut found = Vec::new();
    for (id, name, value) in entries {
        let Some(name) = known(*id, name, reader) else { continue };
        let shown = match &value.kind {
            NodeKind::Map(signs) if closed => {
                let signs = signs.iter().filter_map(|(id, sign, value)| {
                    let sign = close_sign(*id, sign, reader)?;
                    Some((sign, one_of(name, value, reader)?))
                });
                Some(Shown::Close(signs.collect()))
            }
            _ if measured(name) => is_measured(value, reader).then_some(Shown::Measured),
            _ => one_of(name, value, reader).map(Shown::Value),
        };
        found.extend(shown.map(|shown| ChoiceSpec { name, shown, at: *id }));
    }
    found
}

/// `choice` and `by_count` of `records` in `verify`.
pub(super) fn by_count(node: &Node, reader: &mut Reader) -> Option<(&'static str, ByCount)> {
    let choice = reader.required(node, "choice")?;
    let name = reader.text(choice)?;
    let name = known(choice.id, &name, reader)?;
    let count = reader.required(node, "by_count")?;
    if measured(name) {
        return is_measured(count, reader).then_some((name, ByCount::Measured));
    }
    let NodeKind::Map(entries) = &count.kind else {
        reader.expected(count, "a map from a number of deliveries to a value, like { 1: one-copy }");
        return None;
    };
    let mut values = Vec::new();
    for (id, number, value) in entries {
        match number.parse() {
            Ok(number) => values.extend(one_of(name, value, reader).map(|value| (number, value))),
            Err(_) => reader.problem(*id, format!("`{number}` is no number of deliveries")),
        }
    }
    Some((name, ByCount::Values(values)))
}

fn known(at: NodeId, name: &str, reader: &mut Reader) -> Option<&'static str> {
    let found = choice(name).map(|(_, choice)| choice.name.as_str());
    if found.is_none() {
        let names = rulings().iter().filter_map(|ruling| ruling.choice.as_ref());
        let names: Vec<&str> = names.map(|choice| choice.name.as_str()).collect();
        reader.unknown_word(at, "choice", name, names.iter().copied());
    }
    found
}

fn values(name: &str) -> &'static [String] {
    choice(name).map_or(&[], |(_, choice)| &choice.values)
}

fn measured(name: &str) -> bool {
    values(name).iter().any(|value| value == MEASURED_VALUE)
}

fn is_measured(node: &Node, reader: &mut Reader) -> bool {
    let right = node.text() == Some(MEASURED);
    if !right {
        reader.expected(node, "`measured`");
    }
    right
}

fn one_of(name: &str, node: &Node, reader: &mut Reader) -> Option<&'static str> {
    let word = node.inline().unwrap_or_else(|| node.describe());
    let found = values(name).iter().find(|value| **value == word).map(String::as_str);
    if found.is_none() {
        let what = format!("value of {name}");
        reader.unknown_word(node.id, &what, &word, values(name).iter().map(String::as_str));
    }
    found
}

fn close_sign(at: NodeId, word: &str, reader: &mut Reader) -> Option<CloseSign> {
    let code = match word.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    };
    let found = code.map(CloseSign::Code).or(match word {
        "said" => Some(CloseSign::Said),
        "silent" => Some(CloseSign::Silent),
        "fin" => Some(CloseSign::Fin),
        "reset" => Some(CloseSign::Reset),
        "soon" => Some(CloseSign::Soon),
        "later" => Some(CloseSign::Later),
        _ => None,
    });
    if found.is_none() {
        reader.unknown_word(at, "sign of a close", word, ["said", "silent", "fin", "reset", "soon", "later"]);
    }
    found
}
