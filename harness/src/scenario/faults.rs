//! What a network does to the connections of clients that are not ours: a file of its own, with words of scenarios.
//!
//! Never the case: a word that means something else here than in a scenario.

use std::time::Duration;

use crate::text::{Document, Node, NodeKind, Problem, Problems, SourceText};

use super::LinkChange;
use super::read::Reader;

const KEYS: &[&str] = &["network", "steps", "repeat"];
const WORDS: &[&str] = &["wait", "link", "partition", "heal", "reset"];
const LINK_KEYS: &[&str] = &["latency", "jitter", "loss", "split", "rate", "window"];

/// A network, and what becomes of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    /// How all links behave at first.
    pub network: LinkChange,
    /// What happens, one after the other.
    pub steps: Vec<Fault>,
    /// Whether it begins again after the last step.
    pub repeat: bool,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Time passes.
    Wait(Duration),
    /// The links behave otherwise from now on.
    Link(Directions, LinkChange),
    /// Nothing passes any more; what was sent waits.
    Partition(Directions),
    /// Everything passes again.
    Heal,
    /// Every connection ends with RST at both ends.
    Reset,
}

/// In which directions something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Directions {
    /// From clients to the broker.
    pub to_broker: bool,
    /// From the broker to clients.
    pub to_client: bool,
}

impl Directions {
    const WORDS: [(&'static str, Directions); 3] = [
        ("both", Directions { to_broker: true, to_client: true }),
        ("broker", Directions { to_broker: true, to_client: false }),
        ("client", Directions { to_broker: false, to_client: true }),
    ];

    /// Its word in a file.
    pub fn name(self) -> &'static str {
        Directions::WORDS.iter().find(|(_, it)| *it == self).map_or("", |(word, _)| word)
    }
}

/// Reads a file of faults.
///
/// # Errors
/// All mistakes of the file, each at its place.
pub fn parse_faults(source: SourceText) -> Result<Faults, Problems> {
    let document = match Document::parse(source.clone()) {
        Ok(document) => document,
        Err(problem) => return Err(Problems::new(source, vec![problem])),
    };
    let mut reader = Reader::default();
    let mut faults = Faults::default();
    let root = &document.root;
    if reader.map(root, "a map with network, steps and repeat", KEYS).is_some() {
        faults.network = root.get("network").map(|node| reader.link_change(node, &[])).unwrap_or_default();
        faults.steps = reader.list_of(root.get("steps"), |reader, node| fault(node, reader));
        faults.repeat = root.get("repeat").and_then(|node| reader.flag(node)).unwrap_or_default();
        let waits = faults.steps.iter().any(|step| matches!(step, Fault::Wait(time) if !time.is_zero()));
        if let (Some(node), true, false) = (root.get("repeat"), faults.repeat, waits) {
            reader.problem(node.id, "what is repeated has to `wait` somewhere");
        }
    }
    let problems = reader.into_problems();
    if problems.is_empty() {
        return Ok(faults);
    }
    let list: Vec<Problem> =
        problems.into_iter().map(|(at, message, help)| document.problem(at, message, help)).collect();
    Err(Problems::new(source, list))
}

fn fault(node: &Node, reader: &mut Reader) -> Option<Fault> {
    let (at, word, value) = match &node.kind {
        NodeKind::Text(word) => (node.id, word.as_str(), None),
        NodeKind::Map(entries) if entries.len() == 1 => {
            let (id, word, value) = &entries[0];
            (*id, word.as_str(), Some(value))
        }
        _ => {
            reader.expected(node, "a step like `wait: 5s`, `partition: both` or `heal`");
            return None;
        }
    };
    match (word, value) {
        ("wait", Some(value)) => reader.duration(value).map(Fault::Wait),
        ("partition", Some(value)) => directions(value, reader).map(Fault::Partition),
        ("link", Some(value)) => {
            let change = reader.link_change(value, &["towards"]);
            let towards = match value.get("towards") {
                Some(node) => directions(node, reader)?,
                None => Directions { to_broker: true, to_client: true },
            };
            if LINK_KEYS.iter().all(|key| value.get(key).is_none()) {
                reader.problem(value.id, "`link` says what changes, like { latency: 1s }");
            }
            Some(Fault::Link(towards, change))
        }
        ("heal", None) => Some(Fault::Heal),
        ("reset", None) => Some(Fault::Reset),
        ("heal" | "reset", Some(value)) => {
            reader.problem(value.id, format!("`{word}` stands alone: it is for all connections"));
            None
        }
        ("wait" | "partition" | "link", None) => {
            reader.problem(at, format!("`{word}` needs a value"));
            None
        }
        _ => {
            reader.unknown_word(at, "step", word, WORDS.iter().copied());
            None
        }
    }
}

fn directions(node: &Node, reader: &mut Reader) -> Option<Directions> {
    let word = node.inline().unwrap_or_default();
    let found = Directions::WORDS.iter().find(|(name, _)| *name == word).map(|(_, found)| *found);
    if found.is_none() {
        reader.unknown_word(node.id, "direction", &word, Directions::WORDS.iter().map(|(name, _)| *name));
    }
    found
}
